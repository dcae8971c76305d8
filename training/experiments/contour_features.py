"""What a pitch contour alone says: pitch-class histograms, bags of closed motifs, statistics of a short stretch.

**Conventions.** f0 in Hz, 0 where unvoiced. Cents are 1200 log2(f / reference). Nothing here hears the sound: no spectrum, no level, so
no recording channel except through the errors of the pitch tracker.

**Source.** Pitch-class distributions, smoothed, compared by a distance or a linear model, are what the field uses to tell makams apart
(Gedik and Bozkurt 2010; Karakurt, Şentürk and Serra 2016, who tell mode and tonic from such distributions). The Holdrian comma, 53 to the
octave, is the usual unit of Turkish theory; bins here are thirds of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from motifdb.errors import UsageError

if TYPE_CHECKING:
    from motifdb.kernels.contour import PhraseArrays
    from motifdb.mining.counting import PatternCounter

BINS_PER_OCTAVE = 159
"""Three bins to a Holdrian comma, 7.5 cents each."""

SMOOTHING_CENTS = 15.0
"""Standard deviation of the Gaussian that smooths a histogram, as wide as the tracker and the singer are loose."""

REFERENCE_HZ = 440.0


def pitch_class_histogram(
    f0_hz: NDArray[np.float64],
    tonic_hz: float | None = None,
    *,
    n_bins: int = BINS_PER_OCTAVE,
    smoothing_cents: float = SMOOTHING_CENTS,
) -> NDArray[np.float64]:
    """How long a voice stays on each pitch class: float64, shape (n_bins,), sum 1 (all 0 where nothing is voiced).

    Parameters
    ----------
    f0_hz : shape (n_frames,), Hz, 0 where unvoiced
    tonic_hz : what bin 0 is centred on; None takes 440 Hz, and the histogram's rotation then means nothing
    n_bins : bins to the octave
    smoothing_cents : standard deviation of a Gaussian around each frame's pitch class; 0 is none

    Examples
    --------
    >>> h = pitch_class_histogram(np.array([220.0, 440.0, 0.0, 660.0]), 220.0, n_bins=12, smoothing_cents=0)
    >>> h.nonzero()[0].tolist(), h[0].round(3).item()
    ([0, 7], 0.667)
    """
    if tonic_hz is not None and not tonic_hz > 0:
        raise UsageError(f"a tonic must be more than 0 Hz, got {tonic_hz}")
    voiced = f0_hz[f0_hz > 0].astype(np.float64)
    octaves = np.log2(voiced / (tonic_hz or REFERENCE_HZ))
    at = np.floor((octaves % 1.0) * n_bins + 0.5).astype(np.int64) % n_bins
    counts = np.bincount(at, minlength=n_bins).astype(np.float64)
    if smoothing_cents > 0:
        steps = np.arange(n_bins)
        away = np.minimum(steps, n_bins - steps) * 1200.0 / n_bins
        kernel = np.exp(-0.5 * (away / smoothing_cents) ** 2)
        counts = np.fft.irfft(np.fft.rfft(counts) * np.fft.rfft(kernel / kernel.sum()), n_bins)
        counts = np.maximum(counts, 0.0)  # the transform leaves a few at -1e-17
    total = counts.sum()
    return counts / total if total > 0 else counts


def bhattacharyya(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 less the Bhattacharyya coefficient of each pair of rows: float64, shape (len(a), len(b)), 0 where equal."""
    return np.asarray(1.0 - np.sqrt(a) @ np.sqrt(b).T)


def bhattacharyya_at_best_turn(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """As `bhattacharyya`, each pair turned against each other as it fits best: for histograms whose tonic is not known."""
    n = a.shape[1]
    left, right = np.fft.rfft(np.sqrt(a), axis=1), np.fft.rfft(np.sqrt(b), axis=1)
    out = np.empty((len(a), len(b)))
    for i in range(len(a)):  # row by row: all turns of all pairs at once would be large
        out[i] = 1.0 - np.fft.irfft(left[i].conj()[None] * right, n, axis=1).max(axis=1)
    return out


def turned_to_peak(histograms: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each row turned so that its highest bin comes first: without a tonic, the same scale sung higher is the same row."""
    return np.stack([np.roll(h, -int(h.argmax())) for h in histograms])


@dataclass(frozen=True)
class MotifBag:
    """A vocabulary of closed motifs, mined from some recordings, and how often they occur in any.

    Attributes
    ----------
    patterns : each a tuple of symbols
    """

    patterns: tuple[tuple[int, ...], ...]
    _counter: PatternCounter | None

    @classmethod
    def mined(
        cls,
        phrases: Sequence[PhraseArrays],
        *,
        min_recordings: int = 3,
        min_length: int = 1,
        max_length: int | None = 4,
    ) -> MotifBag:
        """The patterns (no gap) that occur in at least `min_recordings` of these recordings, closed over recordings.

        Give the recordings of the training part alone: which patterns were frequent in the test part is something that a
        model must not know.

        Parameters
        ----------
        phrases : one recording each
        min_length, max_length : symbols
        """
        import motifdb

        offsets = _joined_offsets(phrases)
        recording = np.repeat(np.arange(len(phrases)), [p.n_phrases for p in phrases])
        symbols = np.concatenate([p.symbols for p in phrases]) if phrases else np.zeros(0, np.int8)
        found = motifdb.mine(
            symbols,
            offsets,
            recording,
            min_support=min_recordings,
            support="recordings",
            min_length=min_length,
            max_length=max_length,
            counts=False,
        )
        patterns = tuple(tuple(p) for p in found.patterns.column("pattern").to_pylist())
        return cls(patterns, _counter_of(patterns))

    def __len__(self) -> int:
        return len(self.patterns)

    def rates(self, phrases: Sequence[PhraseArrays]) -> NDArray[np.float64]:
        """Occurrences of each pattern for each symbol sung: float64, shape (n_recordings, n_patterns)."""
        out = np.zeros((len(phrases), len(self.patterns)))
        for row, own in enumerate(phrases):
            if self._counter is not None and len(own.symbols):
                found = self._counter.count(own.symbols, own.symbol_offsets)
                out[row, found.pattern] = found.occurrences / len(own.symbols)
        return out


def _counter_of(patterns: Sequence[tuple[int, ...]]) -> PatternCounter | None:
    from motifdb.mining.counting import PatternCounter

    if not patterns:
        return None
    offsets = np.concatenate([[0], np.cumsum([len(p) for p in patterns])])
    return PatternCounter(np.concatenate([np.array(p, np.int8) for p in patterns]), offsets)


def _joined_offsets(phrases: Sequence[PhraseArrays]) -> NDArray[np.int64]:
    lengths = [np.diff(p.symbol_offsets) for p in phrases]
    joined = np.concatenate(lengths) if lengths else np.zeros(0, np.int64)
    return np.concatenate([[0], np.cumsum(joined)]).astype(np.int64)


def weighted(rates: NDArray[np.float64], train: NDArray[np.int64]) -> NDArray[np.float64]:
    """Rates for a linear model: square roots, patterns that most recordings have weighed less, each row of length 1.

    The weight of a pattern is log(n / number of training recordings that have it): tf-idf, with the root in place of
    the count so that one trill does not fill a row.
    """
    there = np.maximum((rates[train] > 0).sum(axis=0), 1)
    values = np.sqrt(rates) * np.log((len(train) + 1) / there)
    lengths = np.linalg.norm(values, axis=1, keepdims=True)
    return np.asarray(values / np.where(lengths > 0, lengths, 1.0))


class DegreeBag:
    """Motifs with the degree they start on: a pattern is then (pitch class above the tonic, symbols).

    It needs the tonic, as the pitch-class histogram does, and so tells what order of tones adds to which tones are sung.

    Parameters
    ----------
    phrases, tonic_hz : one recording each
    n_degrees : to the octave
    max_length : symbols of the longest; 0 leaves the degrees alone
    """

    def __init__(
        self,
        phrases: Sequence[PhraseArrays],
        tonic_hz: Sequence[float],
        *,
        n_degrees: int = 24,
        max_length: int = 2,
    ) -> None:
        self._counts = [
            _degree_counts(own, tonic, n_degrees, max_length)
            for own, tonic in zip(phrases, tonic_hz, strict=True)
        ]

    def rates(self, train: NDArray[np.int64], min_recordings: int = 3) -> NDArray[np.float64]:
        """As `MotifBag.rates`, over what occurs in at least `min_recordings` of the recordings `train`."""
        n_with: dict[tuple[int, ...], int] = {}
        for row in train:
            for key in self._counts[row]:
                n_with[key] = n_with.get(key, 0) + 1
        column = {
            key: at for at, key in enumerate(sorted(k for k, n in n_with.items() if n >= min_recordings))
        }
        out = np.zeros((len(self._counts), len(column)))
        for row, counts in enumerate(self._counts):
            for key, n in counts.items():
                if key in column:
                    out[row, column[key]] = n
        return np.asarray(out / np.maximum(out.sum(axis=1, keepdims=True), 1.0))


def _degree_counts(
    own: PhraseArrays, tonic_hz: float, n_degrees: int, max_length: int
) -> Mapping[tuple[int, ...], int]:
    tonic_cents = 1200.0 * np.log2(tonic_hz / REFERENCE_HZ)
    octaves = (own.segment_cents - tonic_cents) / 1200.0
    degree = np.floor((octaves % 1.0) * n_degrees + 0.5).astype(np.int64) % n_degrees
    counts: dict[tuple[int, ...], int] = {}
    for phrase in range(own.n_phrases):
        symbols = own.symbols[own.symbol_offsets[phrase] : own.symbol_offsets[phrase + 1]].tolist()
        degrees = degree[own.segment_offsets[phrase] : own.segment_offsets[phrase + 1]].tolist()
        for length in range(max_length + 1):
            for at in range(len(symbols) - length + 1):
                key = (degrees[at], *symbols[at : at + length])
                counts[key] = counts.get(key, 0) + 1
    return counts


STATISTICS = (
    *(f"level_{q}" for q in ("median", "p10", "p90")),
    *(f"about_median_p{q}" for q in (5, 25, 75, 95)),
    *(f"step_p{q}" for q in (5, 25, 50, 75, 95)),
    "step_size_mean",
    "step_size_deviation",
    "share_rising",
    "turns_per_second",
    "wobble_cents",
    "slope_cents_per_second",
    "voiced_share",
)
"""Names of `contour_statistics`, in order; the first three say how high the voice is."""

N_LEVELS = 3


def contour_statistics(f0_hz: NDArray[np.float64], hop_s: float) -> NDArray[np.float64]:
    """A short stretch of pitch as numbers: how high, how wide, how fast, how unsteady; float64, shape (19,).

    Steps are between voiced frames 20 ms apart (or one hop, where that is longer). Wobble is the deviation of the pitch
    about its own mean over 0.2 s, which vibrato makes. All 0 where fewer than two frames are voiced, but for the voiced share.

    Parameters
    ----------
    f0_hz : shape (n_frames,), Hz, 0 where unvoiced
    hop_s : seconds between frames
    """
    out = np.zeros(len(STATISTICS))
    voiced = f0_hz > 0
    out[-1] = voiced.mean() if len(f0_hz) else 0.0
    if voiced.sum() < 2:
        return out
    cents = 1200.0 * np.log2(f0_hz[voiced].astype(np.float64) / REFERENCE_HZ)
    median = np.median(cents)
    out[0:3] = median, *np.percentile(cents, [10, 90])
    out[3:7] = np.percentile(cents - median, [5, 25, 75, 95])
    lag = min(max(1, round(0.02 / hop_s)), len(cents) - 1)
    steps = cents[lag:] - cents[:-lag]
    out[7:12] = np.percentile(steps, [5, 25, 50, 75, 95])
    out[12:15] = np.abs(steps).mean(), steps.std(), (steps > 0).mean()
    duration_s = len(cents) * hop_s
    signs = np.sign(steps[steps != 0])
    out[15] = (signs[1:] != signs[:-1]).sum() / duration_s if len(signs) else 0.0
    width = min(max(1, round(0.2 / hop_s)), len(cents))
    smooth = np.convolve(cents, np.ones(width) / width, mode="same")
    inside = slice(width // 2, len(cents) - width // 2)
    rest = (cents - smooth)[inside]
    out[16] = rest.std() if len(rest) else 0.0
    out[17] = np.polyfit(np.arange(len(cents)) * hop_s, cents, 1)[0]
    return out
