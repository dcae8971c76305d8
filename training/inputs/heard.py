"""The sound of examples as a front end hears it: at its sample rate, and for damp-2018's decibels relative to the recording.

damp-2018 cuts what lies more than 60 dB below the loudest moment. "Loudest" is that of the recording and not of the clip: a quiet
clip stays quiet. So each clip's samples get the gain that makes the greatest power of its recording 1, which is 0 dB.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from motifdb.training.inputs.front_end_config import DAMP_KINDS, L3_KINDS, FrontEndConfig
from motifdb.training.inputs.packed import FULL_SCALE, Packed, pack, united

if TYPE_CHECKING:
    from motifdb.catalog.store import Snapshot
    from motifdb.training.inputs.rows import Rows
    from motifdb.training.splits.examples import Examples

PIECE_COLUMNS = 1024
"""Columns of sound whose power is in memory at once, for each of `PIECES` pieces; 24 s of damp-2018's."""
PIECES = 8


def heard(
    snapshot: Snapshot,
    examples: Examples,
    front_end: FrontEndConfig,
    cache: Path | Literal["default"] | None = "default",
) -> Packed:
    """As `motifdb.training.inputs.packed.pack`, at the rate of a front end and with the gain it asks for."""
    packed = pack(snapshot, examples, cache, sample_rate_hz=front_end.sample_rate_hz)
    return with_gain(packed, examples.recording_id, front_end)


def with_gain(packed: Packed, recording_ids: Sequence[str], front_end: FrontEndConfig) -> Packed:
    """The same clips with `recording_gain`, where the front end hears relative to the recording; else as they are."""
    if not is_relative(front_end):
        return packed
    return replace(packed, gain=recording_gain(packed, recording_ids, front_end))


def is_relative(front_end: FrontEndConfig) -> bool:
    """Whether a front end hears sound relative to the loudest moment of its recording."""
    return front_end.kind in DAMP_KINDS


def sound_key(front_end: FrontEndConfig | None) -> tuple[int, str]:
    """Equal where two front ends hear the same samples; None is sound as it is kept.

    >>> sound_key(None) == sound_key(FrontEndConfig("mfcc")) != sound_key(FrontEndConfig("mel-db"))
    True
    """
    front_end = FrontEndConfig() if front_end is None else front_end
    if not is_relative(front_end):
        return front_end.sample_rate_hz, ""
    # the gain depends on the bands alone, not on what is done to columns after them
    plain = replace(front_end, pad_to=None, standardise=False, remove_mean=False, remove_cosines=0)
    return front_end.sample_rate_hz, repr(plain)


def recording_gain(
    packed: Packed, recording_ids: Sequence[str], front_end: FrontEndConfig
) -> NDArray[np.float32]:
    """What makes the loudest power of each recording 1, as far as its clips in `packed` tell.

    Parameters
    ----------
    packed : clips at the front end's sample rate; a gain it has already is not used
    recording_ids : of every clip
    front_end : whose power counts: the greatest of any band or bin in any column, columns counted from where a stretch of
        sound begins that clips cover together

    Returns
    -------
    float32 [n], 1 for a recording that is digital silence; the same for clips of one recording.

    Raises
    ------
    UsageError
        for sound at another rate than the front end's, and for a front end of l3-2019: they hear no gain.
    """
    import torch

    from motifdb.errors import UsageError
    from motifdb.training.inputs.frontends import make_rows

    if packed.sample_rate_hz != front_end.sample_rate_hz:
        raise UsageError(
            f"the front end {front_end.kind} hears sound at {front_end.sample_rate_hz:,} Hz; this is at"
            f" {packed.sample_rate_hz:,} Hz"
        )
    if front_end.kind in L3_KINDS:
        raise UsageError(
            f"{front_end.kind} relates each clip to its own maximum, so a gain would change nothing"
        )
    if not len(packed):
        return np.zeros(0, np.float32)
    _, code = np.unique(np.asarray(recording_ids, np.str_), return_inverse=True)
    spans, whose = _stretches(packed, code)
    rows = make_rows(front_end)
    with torch.inference_mode():
        power = _loudest(rows, np.asarray(packed.pcm), spans)
    greatest = np.zeros(int(code.max()) + 1)
    np.maximum.at(greatest, whose, power)
    gain = np.where(greatest > 0, 1 / np.sqrt(np.where(greatest > 0, greatest, 1)), 1)
    return gain[code].astype(np.float32)


def _stretches(packed: Packed, code: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """What the clips of each recording cover: (start, length) of each stretch, and whose it is. Overlaps are heard once."""
    spans, whose = [], []
    order = np.argsort(code, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(code[order])) + 1):
        begin, end = united(packed.start[rows], packed.start[rows] + packed.length[rows])
        spans.append(np.stack([begin, end - begin], 1))
        whose.append(np.full(len(begin), code[rows[0]]))
    return np.concatenate(spans), np.concatenate(whose)


def _loudest(rows: Rows, pcm: NDArray[np.int16], spans: NDArray[np.int64]) -> NDArray[np.float64]:
    """Greatest power of each span (start, length), in pieces that overlap by what a window reaches."""
    import torch

    hop = rows.config.hop_samples
    margin = -(-rows.reach_samples() // hop)  # columns at either side that only lend their sound
    pieces = [
        (i, begin)
        for i, (_, n) in enumerate(spans.tolist())
        for begin in range(0, max(n, 1), PIECE_COLUMNS * hop)
    ]
    pieces.sort(key=lambda piece: int(spans[piece[0], 1]))  # those of like length together
    found = np.zeros(len(spans))
    for at in range(0, len(pieces), PIECES):
        group = pieces[at : at + PIECES]
        cuts, skip, keep = [], [], []
        for i, begin in group:
            start, n = spans[i].tolist()
            low = max(0, begin - margin * hop)
            high = min(n, begin + (PIECE_COLUMNS + margin) * hop)
            cuts.append(pcm[start + low : start + high])
            skip.append((begin - low) // hop)
            is_last = begin + PIECE_COLUMNS * hop >= n
            keep.append(PIECE_COLUMNS + int(is_last))
        lengths = torch.tensor([len(cut) for cut in cuts])
        samples = torch.zeros(len(cuts), int(lengths.max()))
        for row, cut in enumerate(cuts):
            samples[row, : len(cut)] = torch.from_numpy(cut.astype(np.float32) / np.float32(FULL_SCALE))
        power = rows.loudest(samples, lengths, torch.tensor(skip), torch.tensor(keep))
        for (i, _), value in zip(group, power.tolist(), strict=True):
            found[i] = max(found[i], value)
    return found
