"""From f0 to contours: phrases, segments and the signed step classes between them.

**Source.** The contour of style-2021 (section II.A) and, with the quantiser ``kmeans``, of sid-2020 (section 2). Cents
are in `motifdb.kernels.cents`, phrases in `motifdb.kernels.phrases`, the quantisers in `motifdb.kernels.segments`.

**Conventions.** A symbol is the direction of a step, + up and - down, times the class of its size by ascending
bounds: n bounds give the classes 1 to n + 1. A phrase of n segments has n - 1 symbols. A phrase of one segment has no
symbol and is not kept: nothing can occur in it. A step of 0 cents would be +1; neither quantiser can make one.
Frame i sounds from ``start_s + i * hop_s`` for one hop.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numba
import numpy as np
from numpy.typing import ArrayLike, NDArray

from motifdb.config import ContourConfig
from motifdb.errors import UsageError, nearest
from motifdb.kernels.cents import UNVOICED, cents_from_hz, millicents_from_hz
from motifdb.kernels.kmeans import fit_kmeans, histogram_of_millicents
from motifdb.kernels.phrases import cut_phrases
from motifdb.kernels.segments import QUANTISERS, class_limits

__all__ = ["PhraseArrays", "cents_from_hz", "contours"]


@dataclass(frozen=True)
class PhraseArrays:
    """The contours of one recording as flat arrays, phrase after phrase.

    Attributes
    ----------
    symbols : int8, shape (n_symbols,), +-1 to +-(n_bounds + 1)
    symbol_offsets : int64, shape (n_phrases + 1,); phrase p has ``symbols[symbol_offsets[p]:symbol_offsets[p + 1]]``
    segment_start_s : float64, shape (n_segments,), s, time of the segment's first frame
    segment_end_s : float64, shape (n_segments,), s, time of its last frame plus one hop
    segment_cents : float64, shape (n_segments,), cents over 440 Hz, its level
    segment_offsets : int64, shape (n_phrases + 1,), like `symbol_offsets`; each phrase has one segment more
    """

    symbols: NDArray[np.int8]
    symbol_offsets: NDArray[np.int64]
    segment_start_s: NDArray[np.float64]
    segment_end_s: NDArray[np.float64]
    segment_cents: NDArray[np.float64]
    segment_offsets: NDArray[np.int64]

    @property
    def n_phrases(self) -> int:
        """Number of phrases, each of one symbol or more."""
        return self.symbol_offsets.size - 1


def contours(
    f0_hz: ArrayLike, confidence: ArrayLike | None, hop_s: float, start_s: float, config: ContourConfig
) -> PhraseArrays:
    """Contours of a pitch track.

    Parameters
    ----------
    f0_hz : float32, shape (n_frames,), Hz; 0, negative, NaN and infinite values are unvoiced
    confidence : float32, shape (n_frames,), or of length 0 or None where the tracker gives none
    hop_s : more than 0, time between frames
    start_s : time of the first frame
    config : the parameters; with the quantiser ``kmeans`` and no centres, scope ``"recording"`` fits them to this track

    Raises
    ------
    UsageError
        for a hop that is no positive number, arrays of unequal length, an unknown quantiser, or k-means over a corpus
        without centres.

    Examples
    --------
    >>> held = [220.0] * 30 + [247.0] * 30 + [220.0] * 30  # a whole tone up and down
    >>> contours(held, None, 0.01, 0.0, ContourConfig()).symbols.tolist()
    [4, -4]
    """
    if not (math.isfinite(hop_s) and hop_s > 0 and math.isfinite(start_s)):
        raise UsageError(f"hop_s must be more than 0 seconds and start_s a time, got {hop_s} and {start_s}")
    if config.quantiser not in QUANTISERS:
        raise UsageError(
            f"there is no quantiser {config.quantiser!r}; {nearest(config.quantiser, QUANTISERS)}"
        )
    millicents = millicents_from_hz(f0_hz, confidence, config.min_confidence)
    if config.quantiser == "kmeans":
        if config.centres_cents is None:
            config = _fitted(millicents, config)
        if not config.centres_cents and not (millicents != UNVOICED).any():
            config = replace(config, centres_cents=(0.0,))  # nothing is voiced, so none is ever used
    phrases = cut_phrases(
        millicents,
        hop_s,
        max_rest_s=config.max_rest_s,
        max_jump_cents=config.max_jump_cents,
        min_piece_s=config.min_piece_s,
        min_phrase_s=config.min_phrase_s,
        median_s=config.median_s,
    )
    segments = QUANTISERS[config.quantiser](phrases, config)
    limits = class_limits(config.bounds_cents, config.bounds_closed)
    return PhraseArrays(
        *_contours(
            phrases.frame,
            phrases.offsets,
            segments.first,
            segments.half_millicents,
            segments.offsets,
            limits,
            hop_s,
            start_s,
        )
    )


def _fitted(millicents: NDArray[np.int32], config: ContourConfig) -> ContourConfig:
    if config.k is None:
        raise UsageError("the quantiser kmeans needs contour.k, the number of pitch clusters")
    if config.kmeans_scope == "corpus":
        raise UsageError(
            "the quantiser kmeans of scope 'corpus' needs contour.centres_cents, fitted to the corpus's histogram; "
            "scope 'recording' fits them here"
        )
    centres = fit_kmeans(histogram_of_millicents(millicents), config.k)
    return replace(config, centres_cents=tuple(centres.tolist()))


@numba.njit(cache=True, nogil=True)
def _contours(frame, phrase_offsets, first, level, segment_offsets, limits, hop_s, start_s):  # type: ignore[no-untyped-def]
    n_phrases = segment_offsets.size - 1
    n_kept_phrases = 0
    n_kept_segments = 0
    for p in range(n_phrases):
        n = segment_offsets[p + 1] - segment_offsets[p]
        if n > 1:
            n_kept_phrases += 1
            n_kept_segments += n
    symbols = np.empty(n_kept_segments - n_kept_phrases, dtype=np.int8)
    symbol_offsets = np.zeros(n_kept_phrases + 1, dtype=np.int64)
    start = np.empty(n_kept_segments, dtype=np.float64)
    end = np.empty(n_kept_segments, dtype=np.float64)
    cents = np.empty(n_kept_segments, dtype=np.float64)
    offsets = np.zeros(n_kept_phrases + 1, dtype=np.int64)
    n_symbols = 0
    n_segments = 0
    k = 0
    for p in range(n_phrases):
        s0 = segment_offsets[p]
        s1 = segment_offsets[p + 1]
        if s1 - s0 < 2:
            continue
        for s in range(s0, s1):
            last = (first[s + 1] if s + 1 < s1 else phrase_offsets[p + 1]) - 1
            start[n_segments] = start_s + frame[first[s]] * hop_s
            end[n_segments] = start_s + (frame[last] + 1) * hop_s
            cents[n_segments] = level[s] / 2000.0
            n_segments += 1
            if s > s0:
                step = level[s] - level[s - 1]
                size = 1
                for limit in limits:
                    size += abs(step) > limit
                symbols[n_symbols] = size if step >= 0 else -size
                n_symbols += 1
        k += 1
        symbol_offsets[k] = n_symbols
        offsets[k] = n_segments
    return symbols, symbol_offsets, start, end, cents, offsets
