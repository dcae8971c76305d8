"""Cents over 440 Hz, exact to the thousandth, in one pass the compiler can vectorise.

**Conventions.** A frame is voiced when its f0 is a finite, positive, normal 32-bit float; 0, negative numbers, NaN
and infinity are unvoiced (negative f0 is how some trackers give a guess for an unvoiced frame). Cents are
``round(1200 log2(f0 / 440), 3)``. The kernels keep them as whole thousandths of a cent (`millicents`) in 32-bit
integers: sums, differences and comparisons of such numbers have no rounding, so a segment whose range is 66.000
cents is never taken for one of 66.0000000001.
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import ArrayLike, NDArray

from motifdb.errors import UsageError

UNVOICED = np.int32(-(2**31))
"""Stands where there is no pitch among millicents; no float32 frequency maps to it."""

_LOG2_440 = np.log2(440.0)
_SQRT2_MANTISSA = np.int32(0x3504F3)
"""Bits of the mantissa of sqrt(2): above, the mantissa is halved so that its logarithm is small in both directions."""
_ROUND = 6755399441055744.0
"""1.5 * 2**52: adding and subtracting it rounds a float64 to the nearest integer, halves to even."""


def millicents_from_hz(
    f0_hz: ArrayLike, confidence: ArrayLike | None = None, min_confidence: float = 0.0
) -> NDArray[np.int32]:
    """Pitch in thousandths of a cent over 440 Hz; `UNVOICED` where there is none.

    Parameters
    ----------
    f0_hz : float, shape (n_frames,), Hz; taken as 32-bit floats, as the table `pitch` stores them
    confidence : float, shape (n_frames,) or (0,), the tracker's own; None is as good as empty
    min_confidence : frames below are unvoiced, where there is a confidence; a NaN is below everything

    Returns
    -------
    int32, shape (n_frames,)

    Raises
    ------
    UsageError
        for arrays that are not flat, or a confidence of another length.

    Examples
    --------
    >>> millicents_from_hz([440, 880, 441]).tolist()
    [0, 1200000, 3930]
    """
    f0 = np.ascontiguousarray(f0_hz, dtype=np.float32)
    if f0.ndim != 1:
        raise UsageError(f"f0_hz must be one value for each frame, got an array of shape {f0.shape}")
    millicents = np.empty(f0.size, dtype=np.int32)
    _millicents(f0.view(np.int32), millicents)
    if confidence is not None and min_confidence > 0:
        sure = np.asarray(confidence, dtype=np.float32)
        if sure.size and sure.shape != f0.shape:
            raise UsageError(
                f"confidence has shape {sure.shape}, f0_hz {f0.shape}: give one value for each frame"
            )
        if sure.size:
            # The threshold is stored in 64 bits, the confidence in 32: a tracker's 0.7 must pass min_confidence 0.7.
            millicents[~(sure >= np.float32(min_confidence))] = UNVOICED
    return millicents


def cents_from_hz(f0_hz: ArrayLike) -> NDArray[np.float64]:
    """Pitch in cents over 440 Hz, rounded to 0.001; NaN where a frame is unvoiced.

    Parameters
    ----------
    f0_hz : float, shape (n_frames,), Hz

    Returns
    -------
    float64, shape (n_frames,)

    Examples
    --------
    >>> cents_from_hz([440, 441, 0]).tolist()
    [0.0, 3.93, nan]
    """
    millicents = millicents_from_hz(f0_hz)
    return np.where(millicents == UNVOICED, np.nan, millicents / 1000.0)


@numba.njit(cache=True, nogil=True, error_model="numpy")  # a check for division by zero would keep it scalar
def _millicents(bits, out):  # type: ignore[no-untyped-def]
    """log2 from the bits of a float32: the exponent, plus the odd series of artanh for the mantissa.

    With s = (m - 1)/(m + 1) and m in [sqrt(1/2), sqrt(2)), log2(m) = 2/ln(2) (s + s^3/3 + s^5/5 + ...), |s| < 0.1716:
    eleven terms leave an error below 1e-17. Every step has a vector instruction; a call of log2 has none. Each of the
    83,886,080 floats from 16 to 16,384 Hz comes out as rounding a library's 64-bit log2 has it: the nearest to halfway
    between two thousandths is 5e-9 of one away from it, the error of either way about 1e-9.
    """
    for i in range(bits.size):
        b = bits[i]
        mantissa = b & np.int32(0x7FFFFF)
        exponent = (b >> np.int32(23)) - np.int32(127)
        is_upper = mantissa > _SQRT2_MANTISSA
        # whole numbers below 2**25, so these float64 are exact
        m = np.float64(mantissa | np.int32(0x800000)) * (2.0**-24 if is_upper else 2.0**-23)
        exponent = exponent + np.int32(1) if is_upper else exponent
        s = (m - 1.0) / (m + 1.0)
        z = s * s
        p = 1.0 / 21.0
        p = p * z + 1.0 / 19.0
        p = p * z + 1.0 / 17.0
        p = p * z + 1.0 / 15.0
        p = p * z + 1.0 / 13.0
        p = p * z + 1.0 / 11.0
        p = p * z + 1.0 / 9.0
        p = p * z + 1.0 / 7.0
        p = p * z + 1.0 / 5.0
        p = p * z + 1.0 / 3.0
        log2_m = (s + s * z * p) * 2.8853900817779268
        x = 1.2e6 * ((np.float64(exponent) - _LOG2_440) + log2_m)
        rounded = np.int32((x + _ROUND) - _ROUND)
        # positive, normal and finite, told by the bits alone
        is_voiced = (b >= np.int32(0x00800000)) & (b < np.int32(0x7F800000))
        out[i] = rounded if is_voiced else UNVOICED
