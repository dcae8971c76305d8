"""A portrait as one HTML file that needs nothing else: picture, facts, places, and players where there is sound.

No script, no network: the page forbids both itself. Whatever comes from files (paths, labels) is escaped.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import motifdb
from motifdb.errors import MotifdbError
from motifdb.plots import canvas
from motifdb.query.portrait import Portrait
from motifdb.query.sound import Sound, listener, player

if TYPE_CHECKING:
    from motifdb.query.database import Database

SOUND_BYTES = 6_000_000
"""Sound that a page holds at most, before it is written as text, which takes a third more: about three minutes."""

PLAYER_HZ = 16_000
MOST_ROWS = 1_000
"""Places that a page lists at most; SQL has all."""

CONTEXT_S = 0.25
_WAV_HEAD_BYTES = 44

_SOURCES = {
    "kept": "sound kept in the database",
    "file": "the recordings' own files",
    "f0": "the stored pitch, sung by a synthesiser",
}

_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; color: #222; background: #fff; margin: 2rem auto; max-width: 76rem;
  padding: 0 1rem; }
h1 { font-size: 1.35rem; } h2 { font-size: 1.05rem; margin-top: 2rem; }
svg { max-width: 100%; height: auto; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1.2rem; margin: 0; }
dt { color: #666; } dd { margin: 0; overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; } caption { text-align: left; color: #666; padding-bottom: .4rem; }
th, td { text-align: left; padding: .2rem .8rem .2rem 0; border-bottom: 1px solid #e4e4e4; vertical-align: middle; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; }
audio { height: 32px; width: 15rem; } footer { color: #666; margin-top: 2rem; font-size: .85rem; }
a:focus-visible, audio:focus-visible { outline: 2px solid #0072B2; }
"""


def page(
    database: Database,
    shown: Portrait,
    figure: Any,
    *,
    with_sound: bool = True,
    audio_dir: Path | None = None,
) -> str:
    """The page of a portrait.

    Parameters
    ----------
    figure : its picture
    with_sound : whether places get players, from the first on, as long as their sound is below `SOUND_BYTES` together
    audio_dir : folder where the recordings' sound lies; None looks where they were ingested from

    Raises
    ------
    UsageError
        where `audio_dir` is no folder.
    """
    players, said = ([], "") if not with_sound else _players(database, shown, audio_dir)
    facts = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in shown.facts)
    picture = canvas.svg_text(figure, f"pitch of {shown.title}")
    body = _motif_table(shown) if shown.kind == "recording" else _place_table(shown, players)
    if shown.kind == "recording" and players:
        body = f"<h2>Listen</h2>{players[0]}{body}"
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; media-src data:"
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(shown.title)}</title><style>{_STYLE}</style></head><body><main>"
        f"<h1>{escape(shown.title)}</h1>{picture}<h2>What is known</h2><dl>{facts}</dl>{body}"
        f"</main><footer>{escape(said)} Made by motifdb {escape(motifdb.__version__)} from"
        f" {escape(database.path.name)}, commit {database.commit}.</footer></body></html>\n"
    )


def _players(database: Database, shown: Portrait, audio_dir: Path | None) -> tuple[list[str], str]:
    """A player for each of the first places, and one sentence on what is heard."""
    players: list[str] = []
    sources: dict[str, int] = {}
    n_bytes = 0
    try:
        for sound, label in _heard(database, shown, audio_dir):
            wav = small_wav(sound, SOUND_BYTES if shown.kind == "recording" else None)
            n_bytes += len(wav)
            if n_bytes > SOUND_BYTES + _WAV_HEAD_BYTES:
                break
            sources[sound.source] = sources.get(sound.source, 0) + 1
            players.append(player(wav, label))
    except MotifdbError as error:
        if audio_dir is not None and not audio_dir.is_dir():
            raise
        return players, f"Not all can be heard: {error}."
    if not players:
        return [], ""
    heard = " and ".join(_SOURCES[source] for source in sorted(sources, reverse=True))
    n, n_all = len(players), shown.places.num_rows
    if shown.kind == "recording":
        return players, f"What is heard: {heard}; at most {SOUND_BYTES // (2 * PLAYER_HZ)} s of it."
    counted = f"all {n:,} places" if n == n_all else f"the first {n:,} of {n_all:,} places"
    return (
        players,
        f"Players for {counted}, at most {SOUND_BYTES / 1e6:.0f} MB of sound; what is heard: {heard}.",
    )


def _heard(database: Database, shown: Portrait, audio_dir: Path | None) -> Iterator[tuple[Sound, str]]:
    """The sound of each place in the order of the table, recording by recording; of a recording, its own."""
    ear = listener(database.snapshot, audio_dir=audio_dir, pitch_analysis=shown.pitch_id)
    if shown.kind == "recording":
        assert shown.recording is not None
        if shown.recording.times_s.size:
            start_s, end_s = float(shown.recording.times_s[0]), float(shown.recording.times_s[-1])
            longest_s = SOUND_BYTES / (2 * PLAYER_HZ)
            yield ear.sounds(shown.id, [(max(start_s, 0.0), min(end_s, start_s + longest_s))])[0], shown.title
        return
    rows = shown.places.slice(0, MOST_ROWS).select(["recording_id", "path", "start_s", "end_s"]).to_pylist()
    for recording_id, group in groupby(rows, key=lambda row: str(row["recording_id"])):
        own = list(group)
        # not more at a time than a page may hold, however often it sounds
        for begin in range(0, len(own), 50):
            part = own[begin : begin + 50]
            spans = [(row["start_s"], row["end_s"]) for row in part]
            sounds = ear.sounds(recording_id, spans, context_s=CONTEXT_S)
            for row, sound in zip(part, sounds, strict=True):
                yield sound, f"{row['path']} at {row['start_s']:.2f} s"


def small_wav(sound: Sound, most_bytes: int | None = None) -> bytes:
    """A wav file at 16 kHz or what is less; cut after so many bytes."""
    from motifdb.query import sound as door

    samples: NDArray[np.float32] = sound.samples
    rate_hz = sound.sample_rate_hz
    if rate_hz > PLAYER_HZ:
        samples, rate_hz = door.resampled(samples, rate_hz, PLAYER_HZ), PLAYER_HZ
    if most_bytes is not None:
        samples = samples[: (most_bytes - _WAV_HEAD_BYTES) // 2]
    return door.wav_bytes(samples, rate_hz)


def _place_table(shown: Portrait, players: list[str]) -> str:
    rows = shown.places.slice(0, MOST_ROWS).to_pylist()
    extra = [
        (name, title)
        for name, title in (
            ("distance_cents", "distance (cents)"),
            ("transposition_cents", "higher by (cents)"),
        )
        if name in shown.places.schema.names
    ]
    head = "<th>recording</th><th class=n>start (s)</th><th class=n>end (s)</th>"
    head += "".join(f"<th class=n>{escape(title)}</th>" for _, title in extra) + (
        "<th>listen</th>" if players else ""
    )
    body = []
    for i, row in enumerate(rows):
        cells = f"<td>{escape(row['path'])}</td><td class=n>{row['start_s']:.2f}</td><td class=n>{row['end_s']:.2f}</td>"
        cells += "".join(f"<td class=n>{row[name]:.0f}</td>" for name, _ in extra)
        if players:
            cells += f"<td>{players[i] if i < len(players) else ''}</td>"
        body.append(f"<tr>{cells}</tr>")
    n_all = shown.places.num_rows
    counted = f"{n_all:,} places" if n_all <= MOST_ROWS else f"the first {MOST_ROWS:,} of {n_all:,} places"
    return _table("Where it sounds", counted, head, body)


def _motif_table(shown: Portrait) -> str:
    head = (
        "<th>motif</th><th>contour</th><th class=n>times here</th><th class=n>median (s)</th>"
        "<th class=n>log10 p</th><th class=n>q</th><th class=n>stability</th>"
    )
    body = []
    for row in shown.places.to_pylist():
        numbers = (row["duration_median_s"], row["log10_p"], row["q_value"], row["stability"])
        cells = "".join(f"<td class=n>{'' if v is None else f'{v:.3g}'}</td>" for v in numbers)
        body.append(
            f"<tr><td>{escape(row['motif_id'][:8])}</td><td>{escape(row['contour'])}</td>"
            f"<td class=n>{row['times']:,}</td>{cells}</tr>"
        )
    return _table("Strongest motifs", f"{len(body)} motifs", head, body)


def _table(title: str, caption: str, head: str, body: list[str]) -> str:
    return (
        f"<h2>{escape(title)}</h2><table><caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead>"
        f"<tbody>{''.join(body)}</tbody></table>"
    )
