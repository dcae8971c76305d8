"""Change the sample rate of a stream of blocks, block by block."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray


class Resampler:
    """Resample one recording with soxr, high quality, block by block; equal rates pass unchanged.

    The output does not depend on where the input is cut into blocks, and starts with it: no delay is left.

    >>> stream = Resampler(44100, 16000)
    >>> sum(part.size for part in (stream.push(np.zeros(882, np.float32)), stream.finish()))
    320
    """

    def __init__(self, from_hz: float, to_hz: float) -> None:
        self._stream = None
        if from_hz != to_hz:
            import soxr

            self._stream = soxr.ResampleStream(from_hz, to_hz, 1, dtype="float32", quality="HQ")

    def push(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
        """What is known after the next block, shape (n_samples,); it may be nothing yet."""
        if self._stream is None:
            return block
        out: NDArray[np.float32] = self._stream.resample_chunk(block)
        return out

    def finish(self) -> NDArray[np.float32]:
        """The rest."""
        nothing = np.zeros(0, dtype=np.float32)
        if self._stream is None:
            return nothing
        out: NDArray[np.float32] = self._stream.resample_chunk(nothing, last=True)
        return out


def resampled(
    blocks: Iterable[NDArray[np.float32]], from_hz: float, to_hz: float
) -> Iterator[NDArray[np.float32]]:
    """Mono blocks at another sample rate, as `Resampler` makes them; none of them is empty.

    >>> [b.size for b in resampled([np.zeros(441, np.float32)] * 2, 44100, 16000)]
    [320]
    """
    stream = Resampler(from_hz, to_hz)
    for block in blocks:
        out = stream.push(block)
        if out.size:
            yield out
    out = stream.finish()
    if out.size:
        yield out
