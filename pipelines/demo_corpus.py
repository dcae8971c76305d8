"""The demo corpus on disk: sung files, their labels, and the truth about pitch and motifs.

    DIR/SINGER/TITLE.wav or .flac   the songs
    DIR/manifest.csv                path, f0, singer, style, work, title: what `ingest --metadata` reads
    DIR/f0/TITLE.f0.csv             time_s, f0_hz: the pitch that was sung, 0 in rests
    DIR/truth.csv                   path, motif, variation, start_s, end_s, notes: what is planted where

The same arguments give the same bytes, so that figures made from it can be compared.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from motifdb.errors import UsageError
from motifdb.kernels.synth import CONTROL_HOP_S, VOWELS_HZ, Voice, melody_f0, sing
from motifdb.pipelines.demo_songs import MODES, VOICES, compose_motifs, compose_song

F0_HOP_S = 0.01
"""Time between two lines of an f0 file."""

_FORMATS: tuple[tuple[str, int, int], ...] = ((".wav", 22050, 1), (".wav", 44100, 2), (".flac", 22050, 1))
"""Suffix, sample rate in Hz and channels of the first song, the second, the third, and so on in turn."""


@dataclass(frozen=True)
class PlantedRendition:
    """A row of truth.csv: `notes` are semitones over the singer's tonic."""

    path: str
    motif: str
    variation: str
    start_s: float
    end_s: float
    notes: tuple[int, ...]


@dataclass(frozen=True)
class DemoTruth:
    """What `make_demo_corpus` wrote: where, how long, and what is planted in it."""

    folder: Path
    manifest: Path
    paths: tuple[str, ...]
    duration_s: float
    renditions: tuple[PlantedRendition, ...]


class PlantedScore(NamedTuple):
    """Share of planted motifs that were found, and share of found motifs that were planted; NaN of none."""

    recall: float
    precision: float


class Span(NamedTuple):
    """Where a found motif sounds; `path` as in truth.csv."""

    path: str
    start_s: float
    end_s: float


def make_demo_corpus(
    folder: str | Path,
    *,
    seed: int = 1,
    n_singers: int = 4,
    n_songs: int = 3,
    n_motifs: int = 2,
    n_renditions: int = 4,
    noise: float = 1.0,
) -> DemoTruth:
    """Write a sung corpus whose motifs are known.

    Parameters
    ----------
    folder : made where it is missing; must be empty or hold an earlier demo corpus
    seed : same seed, same bytes
    n_singers, n_songs : singers, and songs of each
    n_motifs, n_renditions : motifs of each singer, and how often each is sung in each song
    noise : scales breath noise, drift and jitter; 0 is a perfect singer in a quiet room, 1 a plausible one

    Raises
    ------
    UsageError
        for a count below 1, negative noise, or a folder that holds other things.
    """
    folder = Path(folder)
    for name, n in (
        ("singers", n_singers),
        ("songs", n_songs),
        ("motifs", n_motifs),
        ("renditions", n_renditions),
    ):
        if n < 1:
            raise UsageError(f"a demo corpus needs at least 1 of {name}, got {n}")
    if not noise >= 0:
        raise UsageError(f"noise must be 0 or more, got {noise}")
    require_own(folder)

    labels: list[dict[str, str]] = []
    renditions: list[PlantedRendition] = []
    duration_s = 0.0
    (folder / "f0").mkdir(parents=True, exist_ok=True)
    taken: set[str] = set()
    for s in range(n_singers):
        singer, voice = _singer(s, noise)
        # A generator per singer and per song: one singer more does not change the others.
        motifs = compose_motifs(singer, n_motifs, taken, np.random.default_rng((seed, s)))
        for k in range(n_songs):
            rng = np.random.default_rng((seed, s, k))
            mode = list(MODES)[(s + k) % len(MODES)]
            song = compose_song(motifs, n_renditions, mode, voice, rng)
            suffix, sample_rate_hz, n_channels = _FORMATS[(s + k) % len(_FORMATS)]
            title = f"{singer}-song-{k + 1}"
            path = f"{singer}/{title}{suffix}"
            f0_hz = melody_f0(song.notes_cents, song.durations_s, voice, rng)
            vowels = "".join(rng.permutation(list(VOWELS_HZ)))
            sound = sing(f0_hz, vowels, sample_rate_hz, voice, rng)
            _write_audio(folder / path, sound, sample_rate_hz, n_channels)
            write_f0(folder / "f0" / f"{title}.f0.csv", f0_hz)
            work = f"song-{k + 1}"
            labels.append(
                {
                    "path": path,
                    "f0": f"f0/{title}.f0.csv",
                    "singer": singer,
                    "style": mode,
                    "work": work,
                    "title": title,
                }
            )
            renditions += [
                PlantedRendition(path, r.motif, r.variation, round(r.start_s, 4), round(r.end_s, 4), r.notes)
                for r in song.renditions
            ]
            duration_s += sound.size / sample_rate_hz
    manifest = folder / "manifest.csv"
    write_csv(manifest, labels)
    write_csv(folder / "truth.csv", [truth_row(r) for r in renditions])
    return DemoTruth(folder, manifest, tuple(row["path"] for row in labels), duration_s, tuple(renditions))


def require_own(folder: Path) -> None:
    """Refuse a folder that holds other things than an earlier demo corpus.

    Raises
    ------
    UsageError
    """
    if folder.exists() and (
        not folder.is_dir() or (any(folder.iterdir()) and not (folder / "truth.csv").is_file())
    ):
        raise UsageError(f"{folder} is there and is no demo corpus; name a new or an empty folder")


def read_truth(folder: str | Path) -> tuple[PlantedRendition, ...]:
    """The rows of a demo corpus's truth.csv.

    Raises
    ------
    UsageError
        where there is none.
    """
    path = Path(folder) / "truth.csv"
    if not path.is_file():
        raise UsageError(
            f"{folder} holds no truth.csv; `motifdb demo-corpus {folder}` makes a demo corpus there"
        )
    with path.open(newline="", encoding="utf-8") as lines:
        return tuple(
            PlantedRendition(
                row["path"],
                row["motif"],
                row["variation"],
                float(row["start_s"]),
                float(row["end_s"]),
                tuple(int(n) for n in row["notes"].split()),
            )
            for row in csv.DictReader(lines)
        )


def score_planted(
    truth: Iterable[PlantedRendition],
    found: Mapping[str, Sequence[Span]],
    *,
    min_renditions: int = 3,
    min_cover: float = 0.5,
) -> PlantedScore:
    """Score found motifs against planted ones.

    A planted motif is counted once in every song that has at least `min_renditions` renditions of it. It is
    *found* when the spans of one found motif cover at least `min_cover` of the duration of each of at least
    `min_renditions` of its renditions there. A found motif is *right* in a song when at least half of its spans
    there lie, with at least half of their duration, inside renditions of one planted motif; precision is the
    share of right ones over pairs of found motif and song, whole or only a part of what was planted.

    Parameters
    ----------
    truth : renditions
    found : spans of each found motif, by its name or id
    """
    planted: dict[tuple[str, str], list[PlantedRendition]] = {}
    for r in truth:
        planted.setdefault((r.path, r.motif), []).append(r)
    found_in: dict[str, list[list[Span]]] = {}
    for spans in found.values():
        by_path: dict[str, list[Span]] = {}
        for span in spans:
            by_path.setdefault(span.path, []).append(Span(*span))
        for path, there in by_path.items():
            found_in.setdefault(path, []).append(there)

    hits = [
        any(_n_covered(rs, spans, min_cover) >= min_renditions for spans in found_in.get(path, []))
        for (path, _), rs in planted.items()
        if len(rs) >= min_renditions
    ]
    right = [
        any(2 * _n_inside(spans, rs) >= len(spans) for (where, _), rs in planted.items() if where == path)
        for path, groups in found_in.items()
        for spans in groups
    ]
    return PlantedScore(_mean(hits), _mean(right))


def _singer(number: int, noise: float) -> tuple[str, Voice]:
    kinds = list(VOICES)
    again, kind = divmod(number, len(kinds))
    voice = VOICES[kinds[kind]]
    voice = replace(
        voice,
        breath=voice.breath * noise,
        drift_cents=voice.drift_cents * noise,
        jitter_cents=voice.jitter_cents * noise,
        formant_scale=voice.formant_scale * 1.02**again,
    )
    return kinds[kind] + (f"-{again + 1}" if again else ""), voice


def _n_covered(renditions: Sequence[PlantedRendition], spans: Sequence[Span], min_cover: float) -> int:
    """Renditions of which the union of the spans covers at least `min_cover`."""
    return sum(_overlap_s(r.start_s, r.end_s, spans) >= min_cover * (r.end_s - r.start_s) for r in renditions)


def _n_inside(spans: Sequence[Span], renditions: Sequence[PlantedRendition]) -> int:
    """Spans with at least half of their duration inside the renditions."""
    stretches = [Span(r.path, r.start_s, r.end_s) for r in renditions]
    return sum(2 * _overlap_s(s.start_s, s.end_s, stretches) >= s.end_s - s.start_s for s in spans)


def _overlap_s(start_s: float, end_s: float, spans: Sequence[Span]) -> float:
    """Seconds of start_s..end_s that the union of the spans covers."""
    total_s, reached_s = 0.0, start_s
    for span in sorted(spans, key=lambda s: s.start_s):
        low_s, high_s = max(span.start_s, reached_s), min(span.end_s, end_s)
        if high_s > low_s:
            total_s += high_s - low_s
            reached_s = high_s
    return total_s


def _mean(flags: Sequence[bool]) -> float:
    return sum(flags) / len(flags) if flags else float("nan")


def truth_row(r: PlantedRendition) -> dict[str, str]:
    """A row of truth.csv."""
    return {
        "path": r.path,
        "motif": r.motif,
        "variation": r.variation,
        "start_s": f"{r.start_s:.4f}",
        "end_s": f"{r.end_s:.4f}",
        "notes": " ".join(map(str, r.notes)),
    }


def write_csv(path: Path, rows: Sequence[dict[str, str]]) -> None:
    """Rows with the columns of the first."""
    with path.open("w", newline="", encoding="utf-8") as out:
        writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def write_f0(path: Path, f0_hz: NDArray[np.float64]) -> None:
    """Times in s and pitch in Hz, every `F0_HOP_S`, from pitch every `CONTROL_HOP_S`."""
    every = round(F0_HOP_S / CONTROL_HOP_S)
    lines = [
        f"{i * F0_HOP_S:.2f},{hz:.3f}" if hz else f"{i * F0_HOP_S:.2f},0"
        for i, hz in enumerate(f0_hz[::every])
    ]
    path.write_text("time_s,f0_hz\n" + "\n".join(lines) + "\n", encoding="utf-8")


def _write_audio(path: Path, sound: NDArray[np.float32], sample_rate_hz: int, n_channels: int) -> None:
    """16-bit; the second channel is the first, a little softer and 0.5 ms later, as from a second microphone."""
    import soundfile

    if n_channels == 2:
        delay = round(0.0005 * sample_rate_hz)
        later = np.concatenate((np.zeros(delay, dtype=np.float32), sound[: sound.size - delay]))
        sound = np.stack((sound, np.float32(0.8) * later), axis=1)
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, sound, sample_rate_hz, subtype="PCM_16")
