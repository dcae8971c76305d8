"""How far two pitch tracks of one recording agree: the columns of the table `pitch_agreement`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from motifdb.pipelines.records import PitchTrack

TOLERANCE_CENTS = 50.0
"""Half a semitone, the tolerance of raw pitch accuracy."""


@dataclass(frozen=True)
class Agreement:
    """What two tracks share.

    Attributes
    ----------
    n_frames : frames compared, those of the first track
    agreement : share of the frames voiced in both that differ by at most 50 cents; None where there are none
    voicing_agreement : share of all frames voiced in both or in neither; None where there are no frames
    """

    n_frames: int
    agreement: float | None
    voicing_agreement: float | None


def agreement(a: PitchTrack, b: PitchTrack) -> Agreement:
    """Compare `b` with `a` on the frames of `a`.

    Each frame of `a` is held against the frame of `b` nearest in time (of two equally near ones the later);
    where `b` has none within half its hop, it counts as unvoiced.

    Examples
    --------
    >>> hz = np.array([440, 440, 0], np.float32)
    >>> agreement(PitchTrack(hz, hz[:0], 0.01), PitchTrack(hz * 2, hz[:0], 0.01))
    Agreement(n_frames=3, agreement=0.0, voicing_agreement=1.0)
    """
    a_hz = _voiced_hz(a.f0_hz)
    if not a_hz.size:
        return Agreement(0, None, None)
    times_s = a.start_s + a.hop_s * np.arange(a_hz.size, dtype=np.float64)
    b_hz = _on_grid(b, times_s)
    a_is_voiced, b_is_voiced = a_hz > 0, b_hz > 0
    in_both = a_is_voiced & b_is_voiced
    differ_cents = 1200.0 * np.abs(np.log2(a_hz[in_both] / b_hz[in_both]))
    return Agreement(
        n_frames=int(a_hz.size),
        agreement=float(np.mean(differ_cents <= TOLERANCE_CENTS)) if in_both.any() else None,
        voicing_agreement=float(np.mean(a_is_voiced == b_is_voiced)),
    )


def _voiced_hz(f0_hz: NDArray[np.float32]) -> NDArray[np.float64]:
    """f0 with 0 for whatever is no pitch (negative, NaN, infinite)."""
    hz = np.asarray(f0_hz, dtype=np.float64)
    return np.where(np.isfinite(hz) & (hz > 0), hz, 0.0)


def _on_grid(track: PitchTrack, times_s: NDArray[np.float64]) -> NDArray[np.float64]:
    index = np.floor((times_s - track.start_s) / track.hop_s + 0.5).astype(np.int64)
    hz = _voiced_hz(track.f0_hz)
    is_inside = (index >= 0) & (index < hz.size)
    out = np.zeros(times_s.size)
    out[is_inside] = hz[index[is_inside]]
    return out
