"""What gives vectors: one interface for every model, and the mean over windows of sound that is longer than one.

A model of one's own needs these attributes and two methods, no base class:

>>> class Loudness:
...     name, n_dims, sample_rate_hz = "loudness", 1, 16_000
...     window_s = hop_s = None
...     is_voiced_only = False
...
...     def embed(self, packed, rows=None):
...         rows = range(len(packed)) if rows is None else rows
...         return np.array([[np.abs(packed.clip(int(i)).astype(float)).mean()] for i in rows], np.float32)
...
...     def config(self):
...         return {"model": self.name, "version": 1}
>>> packed = Packed.of([np.array([3, -1], np.int16), np.array([8], np.int16)])
>>> averaged(Loudness(), packed).tolist()
[[2.0], [8.0]]
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from motifdb.errors import UsageError
from motifdb.training.inputs.packed import Packed

TARGETS = ("recording", "clip", "occurrence")
"""What can have a vector."""

WINDOWS_AT_ONCE = 512
"""Windows whose vectors are held before they are added up."""


class Embedder(Protocol):
    """A model that gives vectors.

    Attributes
    ----------
    name : what it is called in `analyses`
    n_dims : numbers in a vector, >= 1
    sample_rate_hz : of the sound it hears
    window_s, hop_s : sound longer than `window_s` is cut into windows that begin `hop_s` apart, whose vectors are averaged; None:
        it hears all of it at once
    is_voiced_only : whether of such windows only those count in which more than half of the frames are voiced
    """

    @property
    def name(self) -> str: ...

    @property
    def n_dims(self) -> int: ...

    @property
    def sample_rate_hz(self) -> int: ...

    @property
    def window_s(self) -> float | None: ...

    @property
    def hop_s(self) -> float | None: ...

    @property
    def is_voiced_only(self) -> bool: ...

    def embed(self, packed: Packed, rows: NDArray[np.int64] | None = None) -> NDArray[np.float32]:
        """The vectors of some clips of `packed` (all by default), in the order of `rows`: float32 [n, n_dims], finite.

        A vector must not depend on which clips are asked for beside it, but for rounding.
        """
        ...

    def config(self) -> dict[str, Any]:
        """All that decides the vectors, as plain values that JSON holds: the analysis's id is made of it."""
        ...


@runtime_checkable
class HearsRelative(Protocol):
    """What an embedder may have beside: it hears sound relative to the loudest moment of its recording.

    One of a family whose others do may say ``is_relative = False``.
    """

    def gain(self, packed: Packed, recording_ids: Sequence[str]) -> NDArray[np.float32]:
        """What the samples of each clip are multiplied by, float32 [n]; `packed` holds whole recordings."""
        ...


def windows_of(
    length: NDArray[np.int64], window: int, hop: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Cut n sounds into windows; the last one of each is flush with its end, so that nothing is left out.

    Parameters
    ----------
    length : int64[n], samples
    window, hop : samples, >= 1

    Returns
    -------
    row, offset, size : int64[m], by sound, then time: of which sound, where in it, how long. What is no longer than a window
        is one window, as long as it is.

    >>> [a.tolist() for a in windows_of(np.array([5, 12]), 8, 3)]
    [[0, 1, 1, 1], [0, 0, 3, 4], [5, 8, 8, 8]]
    """
    length = np.asarray(length, np.int64)
    n = np.where(length <= window, 1, 1 - (window - length) // hop)  # 1 + ceil((length - window) / hop)
    row = np.repeat(np.arange(len(length)), n)
    place = np.arange(len(row)) - np.repeat(np.cumsum(n) - n, n)
    offset = np.minimum(place * hop, np.maximum(length - window, 0)[row])
    return row.astype(np.int64), offset.astype(np.int64), np.minimum(length, window)[row]


def averaged(
    embedder: Embedder,
    packed: Packed,
    rows: NDArray[np.int64] | None = None,
    *,
    is_heard: Callable[[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]], NDArray[np.bool_]]
    | None = None,
) -> NDArray[np.float32]:
    """A vector for each sound, the mean over its windows where it is longer than one.

    Parameters
    ----------
    rows : of `packed`; None: all
    is_heard : of windows (row of `packed`, offset, size in samples) which count; asked only where a sound has several

    Returns
    -------
    float32 [n, n_dims]; a row of NaN where none of several windows counts.

    Raises
    ------
    UsageError
        where the model gives something else than as many finite numbers as it says, or is made for another sample rate.
    """
    rows = np.arange(len(packed)) if rows is None else np.asarray(rows, np.int64)
    if packed.sample_rate_hz != embedder.sample_rate_hz:
        raise UsageError(
            f"{embedder.name} hears sound at {embedder.sample_rate_hz:,} Hz and was given {packed.sample_rate_hz:,} Hz"
        )
    if embedder.window_s is None:
        return checked(embedder, embedder.embed(packed, rows), len(rows))
    window = max(1, round(embedder.window_s * packed.sample_rate_hz))
    hop = max(1, round((embedder.hop_s or embedder.window_s) * packed.sample_rate_hz))
    own, offset, size = windows_of(packed.length[rows], window, hop)
    n_windows = np.bincount(own, minlength=len(rows))
    if is_heard is not None and (n_windows > 1).any():
        several = np.flatnonzero(n_windows[own] > 1)
        is_kept = np.ones(len(own), bool)
        is_kept[several] = is_heard(rows[own[several]], offset[several], size[several])
        own, offset, size = own[is_kept], offset[is_kept], size[is_kept]
        n_windows = np.bincount(own, minlength=len(rows))
    taken = packed.take(rows[own])
    cut = replace(taken, start=taken.start + offset, length=size)
    total = np.zeros((len(rows), embedder.n_dims), np.float64)
    for begin in range(0, len(own), WINDOWS_AT_ONCE):
        some = np.arange(begin, min(begin + WINDOWS_AT_ONCE, len(own)))
        np.add.at(total, own[some], checked(embedder, embedder.embed(cut, some), len(some)))
    mean = np.full(total.shape, np.nan, np.float32)
    is_there = n_windows > 0
    mean[is_there] = total[is_there] / n_windows[is_there, None]
    return mean


def checked(embedder: Embedder, vectors: NDArray[Any], n: int) -> NDArray[np.float32]:
    """Vectors as float32 [n, n_dims].

    Raises
    ------
    UsageError
        where they are of another shape, or hold what is no number.
    """
    found = np.asarray(vectors, np.float32)
    if found.shape != (n, embedder.n_dims):
        raise UsageError(
            f"the model {embedder.name!r} says it gives vectors of {embedder.n_dims} numbers; for {n} sounds it gave an array"
            f" of shape {found.shape}"
        )
    if not np.isfinite(found).all():
        bad = int(np.flatnonzero(~np.isfinite(found).all(1))[0])
        raise UsageError(
            f"the model {embedder.name!r} gave numbers that are none (infinite, or not a number) for sound {bad + 1} of {n}"
        )
    return found
