"""Suffix array and longest common prefixes of a text cut into sequences, in linear time.

The text holds every sequence followed by one 0; symbols are ranks from 1 upwards. A 0 is below every symbol and ends
every match, so nothing found here reaches across the end of a sequence.

- Suffix array: SA-IS (Nong, Zhang and Chan, "Two efficient algorithms for linear time suffix array construction", 2011,
  section 3). A position's symbol and its type (a suffix below or above the next one) share one integer, which makes
  a suffix's bucket and type one load.
- Longest common prefixes by the permuted array (Karkkainen, Manzini and Puglisi 2009, section 3), cut at sequence ends.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from functools import partial
from typing import NamedTuple, TypeVar

import numba
import numpy as np
from numpy.typing import NDArray

T = TypeVar("T")


def suffix_array(text: NDArray[np.uint8]) -> NDArray[np.int32]:
    """Starts of the suffixes of `text` in lexicographic order (a suffix before those it begins).

    Parameters
    ----------
    text : uint8, shape (n,), 0 <= n < 2**31

    Returns
    -------
    int32, shape (n,)

    Examples
    --------
    >>> suffix_array(np.frombuffer(b"banana", np.uint8)).tolist()
    [5, 3, 1, 0, 4, 2]
    """
    if text.size < 2:
        return np.arange(text.size, dtype=np.int32)
    # Each round names the pieces between local minima and sorts the shorter text of the names instead.
    rounds = []
    n_symbols = int(text.max()) + 1
    current: NDArray[np.uint8] | NDArray[np.int32] = text if n_symbols <= 128 else text.astype(np.int32)
    while True:
        key = np.empty_like(current)
        ends, minima = _bucket_ends(current, key, n_symbols)
        names, n_names = _name_pieces(key, ends, minima)
        rounds.append((key, ends, minima))
        if n_names == minima.size:
            order: NDArray[np.int32] = _inverse(names)
            break
        current, n_symbols = names, int(n_names)
    for key, ends, minima in reversed(rounds):
        order = _sort_from_minima(key, ends, minima, order)
    return order


class Suffixes(NamedTuple):
    """A text and its suffixes in lexicographic order.

    Attributes
    ----------
    text : uint8, shape (n,), ranks from 1, a 0 after each sequence
    sequence_at : int32, shape (n,), the sequence of each position
    sequence_end : int32, shape (n_sequences,), place of each sequence's 0
    order : int32, shape (n,), starts of the suffixes
    lcp : int32, shape (n + 1,), symbols that ``order[i - 1]`` and ``order[i]`` share before the first 0; 0 at both ends
    left : uint8, shape (n,), the symbol before each suffix, 0 where a sequence starts
    sequence : int32, shape (n,), the sequence each suffix starts in

    Examples
    --------
    >>> text = np.array([1, 2, 1, 2, 0, 2, 0], np.uint8)
    >>> found = Suffixes.of(text, np.array([0, 0, 0, 0, 0, 1, 1], np.int32), np.array([4, 6], np.int32))
    >>> found.order.tolist(), found.lcp.tolist(), found.left.tolist()
    ([6, 4, 2, 0, 5, 3, 1], [0, 0, 0, 2, 0, 1, 1, 0], [2, 2, 2, 0, 0, 1, 1])
    """

    text: NDArray[np.uint8]
    sequence_at: NDArray[np.int32]
    sequence_end: NDArray[np.int32]
    order: NDArray[np.int32]
    lcp: NDArray[np.int32]
    left: NDArray[np.uint8]
    sequence: NDArray[np.int32]

    @classmethod
    def of(
        cls,
        text: NDArray[np.uint8],
        sequence_at: NDArray[np.int32],
        sequence_end: NDArray[np.int32],
        pool: Executor | None = None,
        n_pieces: int = 1,
    ) -> Suffixes:
        """The suffixes of what `motifdb.kernels.contiguous.build_text` returns; all but sorting them by pieces in the pool."""
        order = suffix_array(text)
        n = len(text)
        shared_at, lcp = np.empty(n, np.int32), np.zeros(n + 1, np.int32)
        left, sequence = np.empty(n, np.uint8), np.empty(n, np.int32)
        cuts = np.linspace(0, n, n_pieces + 1).astype(np.int64)
        over(pool, cuts, partial(_put_before, order, shared_at))
        over(pool, cuts, partial(_share, text, shared_at))
        over(pool, cuts, partial(_look_up, text, sequence_at, order, shared_at, lcp, left, sequence))
        return cls(text, sequence_at, sequence_end, order, lcp, left, sequence)


def over(pool: Executor | None, cuts: NDArray[np.int64], work: Callable[[int, int], T]) -> list[T]:
    """What the work returns for each piece between two cuts, in order; in the pool, where there is one."""
    begins, ends = cuts[:-1].tolist(), cuts[1:].tolist()
    if pool is None or len(begins) < 2:
        return list(map(work, begins, ends))
    return list(pool.map(work, begins, ends))


@numba.njit(cache=True, nogil=True)
def _bucket_ends(text, key, n_symbols):  # type: ignore[no-untyped-def]
    """Fill ``key = 2 * symbol + type`` (1: the suffix is below the next one); bucket ends; the local minima."""
    n = text.size
    ends = np.zeros(2 * n_symbols, dtype=np.int32)
    following = int(text[n - 1])
    is_low = 0
    key[n - 1] = 2 * following
    ends[2 * following] += 1
    n_minima = 0
    for i in range(n - 2, -1, -1):
        symbol = int(text[i])
        if symbol < following:
            is_low = 1
        elif symbol > following:
            n_minima += is_low
            is_low = 0
        key[i] = 2 * symbol + is_low
        ends[2 * symbol + is_low] += 1
        following = symbol
    total = 0
    for b in range(ends.size):
        total += ends[b]
        ends[b] = total
    minima = np.empty(n_minima, dtype=np.int32)
    k = 0
    for i in range(1, n):
        if key[i] & 1 and not key[i - 1] & 1:
            minima[k] = i
            k += 1
    return ends, minima


@numba.njit(cache=True, nogil=True)
def _induce(key, ends, order):  # type: ignore[no-untyped-def]
    """From the minima at the ends of their buckets, put every suffix where its successor's place says."""
    n = key.size
    head = np.empty_like(ends)
    head[0] = 0
    for b in range(1, ends.size):
        head[b] = ends[b - 1]
    tail = ends.copy()
    last = int(key[n - 1])
    order[head[last]] = n - 1
    head[last] += 1
    for i in range(n):
        j = order[i] - 1
        if j >= 0:
            b = int(key[j])
            if not b & 1:
                order[head[b]] = j
                head[b] += 1
    for i in range(n - 1, -1, -1):
        j = order[i] - 1
        if j >= 0:
            b = int(key[j])
            if b & 1:
                tail[b] -= 1
                order[tail[b]] = j


@numba.njit(cache=True, nogil=True)
def _name_pieces(key, ends, minima):  # type: ignore[no-untyped-def]
    """Rank of the piece from each local minimum to the next (equal pieces, equal rank), in text order."""
    n = key.size
    order = np.full(n, -1, dtype=np.int32)
    tail = ends.copy()
    for i in minima:
        b = int(key[i])
        tail[b] -= 1
        order[tail[b]] = i
    _induce(key, ends, order)
    name_at = np.empty(n // 2 + 1, dtype=np.int32)  # minima are at least two apart
    previous = -1
    name = -1
    for i in range(n):
        j = order[i]
        if j > 0 and key[j] & 1 and not key[j - 1] & 1:
            is_new = previous < 0
            d = 0
            while not is_new:
                if previous + d >= n or j + d >= n or key[previous + d] != key[j + d]:
                    is_new = True
                elif d > 0 and key[j + d] & 1 and not key[j + d - 1] & 1:
                    break
                d += 1
            if is_new:
                name += 1
            name_at[j >> 1] = name
            previous = j
    names = np.empty(minima.size, dtype=np.int32)
    for k in range(minima.size):
        names[k] = name_at[minima[k] >> 1]
    return names, name + 1


@numba.njit(cache=True, nogil=True)
def _inverse(names):  # type: ignore[no-untyped-def]
    order = np.empty(names.size, dtype=np.int32)
    for k in range(names.size):
        order[names[k]] = k
    return order


@numba.njit(cache=True, nogil=True)
def _sort_from_minima(key, ends, minima, minima_order):  # type: ignore[no-untyped-def]
    order = np.full(key.size, -1, dtype=np.int32)
    tail = ends.copy()
    for k in range(minima.size - 1, -1, -1):
        i = minima[minima_order[k]]
        b = int(key[i])
        tail[b] -= 1
        order[tail[b]] = i
    _induce(key, ends, order)
    return order


@numba.njit(cache=True, nogil=True)
def _put_before(order, before_at, begin, end):  # type: ignore[no-untyped-def]
    """By text position, the start of the suffix before it in the suffix array; -1 at the first."""
    if begin < end and begin == 0:
        before_at[order[0]] = -1
    for i in range(max(1, begin), end):
        before_at[order[i]] = order[i - 1]


@numba.njit(cache=True, nogil=True)
def _share(text, shared_at, begin, end):  # type: ignore[no-untyped-def]
    """By text position, instead of the suffix before, the symbols shared with it; one fewer at most than at the position before."""
    shared = 0
    for p in range(begin, end):
        q = shared_at[p]
        if q < 0:
            shared = 0
        else:
            while text[p + shared] != 0 and text[p + shared] == text[q + shared]:
                shared += 1
        shared_at[p] = shared
        if shared > 0:
            shared -= 1


@numba.njit(cache=True, nogil=True)
def _look_up(text, sequence_at, order, shared_at, lcp, left, sequence, begin, end):  # type: ignore[no-untyped-def]
    """What is looked up by text position, once, in the order of the suffixes."""
    for i in range(begin, end):
        p = order[i]
        lcp[i] = shared_at[p]
        left[i] = text[p - 1] if p > 0 else 0
        sequence[i] = sequence_at[p]
