"""Cutting a pitch track into phrases: rests, jumps, short pieces, and the filter over what is left.

The order of the steps, each with its parameter in `motifdb.config.ContourConfig`:

1. unvoiced frames are dropped; where more than `max_rest_s` of them lie together the phrase ends, a shorter gap is
   joined. The gap between voiced frames i < j lasts ``(j - i - 1) * hop_s``;
2. inside a phrase a cut is made where neighbouring voiced frames differ by more than `max_jump_cents`; of the
   pieces, those with ``n_frames * hop_s < min_piece_s`` are removed and the rest is joined again. A phrase without
   a jump is one piece, and is removed in the same way;
3. phrases that last less than `min_phrase_s` from the first kept frame to the end of the last are left out;
4. a running median of `median_s` over the kept frames of a phrase, whatever their times. Its width in frames is the
   nearest odd number; at the ends of the phrase the first and the last frame stand for what lies beyond.

style-2021 (section II.A) cuts at rests and at sudden jumps and gives no numbers; 0.3 s, 300 cents and 0.05 s are our
choice, and parameters.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numba
import numpy as np
from numpy.typing import NDArray

from motifdb.kernels.cents import UNVOICED

_NEVER = 2**62


@dataclass(frozen=True)
class VoicedPhrases:
    """The frames that are left, phrase after phrase.

    Attributes
    ----------
    frame : int32, shape (n_kept,), index of each kept frame in the track, ascending
    millicents : int32, shape (n_kept,), its pitch in thousandths of a cent over 440 Hz
    offsets : int64, shape (n_phrases + 1,); phrase p holds the kept frames ``offsets[p]:offsets[p + 1]``, never none
    """

    frame: NDArray[np.int32]
    millicents: NDArray[np.int32]
    offsets: NDArray[np.int64]


def cut_phrases(
    millicents: NDArray[np.int32],
    hop_s: float,
    *,
    max_rest_s: float,
    max_jump_cents: float | None,
    min_piece_s: float,
    min_phrase_s: float = 0.0,
    median_s: float = 0.0,
) -> VoicedPhrases:
    """Cut a track into phrases; the module's text says how.

    Parameters
    ----------
    millicents : int32, shape (n_frames,), from `motifdb.kernels.cents.millicents_from_hz`
    hop_s : more than 0, time between frames
    max_rest_s, max_jump_cents, min_piece_s, min_phrase_s, median_s : as in `ContourConfig`
    """
    frame, kept, offsets = _cut(
        millicents,
        longest_frames(max_rest_s, hop_s),
        _NEVER if max_jump_cents is None else whole_floor(max_jump_cents, 1000),
        fewest_frames(min_piece_s, hop_s),
        fewest_frames(min_phrase_s, hop_s),
    )
    half_width = max(0, round((median_s / hop_s - 1.0) / 2.0))
    if half_width > 0:
        kept = _running_median(kept, offsets, half_width)
    return VoicedPhrases(frame, kept, offsets)


def longest_frames(limit_s: float, hop_s: float) -> int:
    """Largest n with ``n * hop_s <= limit_s`` as 64-bit floats have it.

    >>> longest_frames(0.3, 0.1)  # 3 * 0.1 is more than 0.3 to a computer
    2
    """
    if limit_s / hop_s >= 2.0**52:
        return _NEVER
    n = math.floor(limit_s / hop_s) + 2
    while n * hop_s > limit_s:
        n -= 1
    return n


def fewest_frames(limit_s: float, hop_s: float) -> int:
    """Smallest n with ``n * hop_s >= limit_s`` as 64-bit floats have it.

    >>> fewest_frames(0.05, 128 / 44100)
    18
    """
    if limit_s / hop_s >= 2.0**52:
        return _NEVER
    n = max(0, math.ceil(limit_s / hop_s) - 2)
    while n * hop_s < limit_s:
        n += 1
    return n


def whole_floor(value: float, scale: int) -> int:
    """``value * scale`` rounded down, `value` meaning its shortest decimal, so that 1.001 is 1.001; kept below 2**62.

    >>> whole_floor(1.001, 1000), int(1.001 * 1000)
    (1001, 1000)
    """
    if math.isinf(value):
        return _NEVER if value > 0 else -_NEVER
    return max(-_NEVER, min(_NEVER, math.floor(Fraction(repr(float(value))) * scale)))


def whole_ceil(value: float, scale: int) -> int:
    """``value * scale`` rounded up, in the same sense.

    >>> whole_ceil(66.1, 1000)
    66100
    """
    return -whole_floor(-value, scale)


@numba.njit(cache=True, nogil=True)
def _cut(millicents, max_rest_frames, max_jump, min_piece_frames, min_phrase_frames):  # type: ignore[no-untyped-def]
    n_frames = millicents.size
    frame = np.empty(n_frames, dtype=np.int32)
    kept = np.empty(n_frames, dtype=np.int32)
    ends = np.empty(n_frames + 1, dtype=np.int64)  # pages that are not written cost nothing
    ends[0] = 0
    n_phrases = 0
    n_kept = 0
    piece_from = 0
    last_voiced = -1
    last_pitch = np.int64(0)
    for i in range(n_frames):
        x = np.int64(millicents[i])
        if x == UNVOICED:
            continue
        is_rest = i - last_voiced - 1 > max_rest_frames
        if is_rest or abs(x - last_pitch) > max_jump:
            if n_kept - piece_from < min_piece_frames:
                n_kept = piece_from
            piece_from = n_kept
            if is_rest:
                phrase_from = ends[n_phrases]
                if n_kept > phrase_from:
                    if frame[n_kept - 1] - frame[phrase_from] + 1 >= min_phrase_frames:
                        n_phrases += 1
                        ends[n_phrases] = n_kept
                    else:
                        n_kept = phrase_from
                piece_from = n_kept
        frame[n_kept] = i
        kept[n_kept] = x
        n_kept += 1
        last_voiced = i
        last_pitch = x
    if n_kept - piece_from < min_piece_frames:
        n_kept = piece_from
    phrase_from = ends[n_phrases]
    if n_kept > phrase_from:
        if frame[n_kept - 1] - frame[phrase_from] + 1 >= min_phrase_frames:
            n_phrases += 1
            ends[n_phrases] = n_kept
        else:
            n_kept = phrase_from
    return frame[:n_kept], kept[:n_kept], ends[: n_phrases + 1].copy()


@numba.njit(cache=True, nogil=True)
def _running_median(kept, offsets, half_width):  # type: ignore[no-untyped-def]
    """A sorted window that gives up its oldest value and takes a new one at each step."""
    out = np.empty(kept.size, dtype=np.int32)
    window = np.empty(2 * half_width + 1, dtype=np.int32)
    for p in range(offsets.size - 1):
        first = offsets[p]
        last = offsets[p + 1] - 1
        for j in range(window.size):
            window[j] = kept[min(max(first + j - half_width, first), last)]
        window.sort()
        out[first] = window[half_width]
        for i in range(first + 1, last + 1):
            old = kept[max(i - half_width - 1, first)]
            new = kept[min(i + half_width, last)]
            j = np.searchsorted(window, old)
            while j + 1 < window.size and window[j + 1] < new:
                window[j] = window[j + 1]
                j += 1
            while j > 0 and window[j - 1] > new:
                window[j] = window[j - 1]
                j -= 1
            window[j] = new
            out[i] = window[half_width]
    return out
