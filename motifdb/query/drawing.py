"""Portraits as pictures: an image or a page, as the suffix of the file says."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from motifdb.errors import UsageError
from motifdb.plots import canvas
from motifdb.query.portrait import Portrait, portrait

if TYPE_CHECKING:
    from motifdb.query.database import Database

SUFFIXES = (*canvas.SUFFIXES, ".html")


def draw(
    database: Database,
    kind: str,
    id_: str,
    path: str | Path,
    *,
    between: tuple[float, float] | None = None,
    with_sound: bool = True,
    audio_dir: Path | None = None,
) -> str:
    """Draw the motif, family or recording of this id; give one line about it.

    Parameters
    ----------
    path : png, svg and pdf are pictures; html is one page with the picture, what is known, where it sounds, and players
    between : of a recording, only the stretch between two times in seconds
    with_sound : whether a page has players
    audio_dir : folder where the recordings' sound lies; None looks where they were ingested from

    Raises
    ------
    UsageError
        for an unknown suffix, a thing without a voiced frame, or a path that cannot be written.
    NotFoundError
        as `motifdb.query.portrait.portrait`.
    """
    target = canvas.check_suffix(path, SUFFIXES)
    shown = portrait(database, kind, id_, between=between)
    draw_portrait(database, shown, target, with_sound=with_sound, audio_dir=audio_dir)
    return shown.title


def draw_portrait(
    database: Database,
    shown: Portrait,
    path: str | Path,
    *,
    with_sound: bool = True,
    audio_dir: Path | None = None,
) -> None:
    """Write a portrait that was gathered already; see `draw`."""
    target = canvas.check_suffix(path, SUFFIXES)
    if target.suffix.lower() != ".html":
        canvas.save(figure_of(shown, str(target)), target, shown.title)
        return
    from motifdb.query.page import page

    text = page(database, shown, figure_of(shown, str(target)), with_sound=with_sound, audio_dir=audio_dir)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{target} cannot be written: {error.strerror or error}") from None


def figure_of(shown: Portrait, what: str = "the picture") -> Any:
    """A portrait as a figure of matplotlib.

    Raises
    ------
    UsageError
        where nothing of it is voiced, naming `what` was to be drawn.
    """
    from motifdb.plots import family_figure, motif_figure, recording_figure

    spans = next(iter(shown.spans.values()), [])
    if shown.kind == "motif":
        return motif_figure(
            shown.curves,
            recording=shown.recording,
            spans=spans,
            symbols=shown.symbols,
            n_all=shown.places.num_rows,
            what=what,
        )
    if shown.kind == "family":
        return family_figure(
            shown.curves,
            shown.face if shown.face is not None else -1,
            transpositions=shown.transpositions,
            recording=shown.recording,
            spans=spans,
            n_all=shown.places.num_rows,
            what=what,
        )
    assert shown.recording is not None
    return recording_figure(shown.recording, shown.spans, what=what)


def thumbnail(shown: Portrait) -> str:
    """A portrait as a small ``<svg>``: the median of its places, or the recording's pitch; a sentence where none is voiced."""
    import numpy as np

    from motifdb.plots.overlay import align
    from motifdb.plots.spark import spark_svg

    if shown.kind == "recording":
        assert shown.recording is not None
        cents, times_s = shown.recording.cents, shown.recording.times_s
        if not np.any(~np.isnan(cents)):
            return "<p>no voiced frame</p>"
        span_s = (float(times_s[0]), float(times_s[-1]))
        return spark_svg(cents, span_s, alt=f"pitch of {shown.title}", is_notes=True)
    kept = [i for i, c in enumerate(shown.curves) if np.any(c.f0_hz > 0)]
    if not kept:
        return "<p>no place has a voiced frame</p>"
    face = kept.index(shown.face) if shown.face in kept else None
    aligned = align([shown.curves[i] for i in kept], face=face)
    return spark_svg(aligned.middle()[1], (0.0, aligned.length_s), alt=f"median contour of {shown.title}")
