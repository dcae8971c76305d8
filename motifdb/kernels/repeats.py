"""Suffix array, longest common prefixes and the tree of repeats of a text cut into sequences, in linear time.

The text holds every sequence followed by one 0; symbols are ranks from 1 upwards. A 0 is below every symbol and ends
every match, so nothing found here reaches across the end of a sequence.

- Suffix array: SA-IS (Nong, Zhang and Chan, "Two efficient algorithms for linear time suffix array construction", 2011,
  section 3). A position's symbol and its type (a suffix below or above the next one) share one integer, which makes
  a suffix's bucket and type one load.
- Longest common prefixes by the permuted array (Karkkainen, Manzini and Puglisi 2009, section 3), cut at sequence ends.
- The tree of repeats: the intervals of the suffix array whose suffixes share a prefix (Abouelhoda, Kurtz and
  Ohlebusch 2004, section 4). Numbers of distinct sequences by counting, at the lowest node that holds both, each suffix
  and the one of the same sequence before it (Hui 1992).
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray


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


def lcp_array(text: NDArray[np.uint8], order: NDArray[np.int32]) -> NDArray[np.int32]:
    """Symbols that neighbours in the suffix array share before the first 0.

    Parameters
    ----------
    text : uint8, shape (n,); its last symbol is 0 if it has any
    order : int32, shape (n,), its suffix array

    Returns
    -------
    int32, shape (n + 1,); [i] belongs to ``order[i - 1]`` and ``order[i]``, the first and the last are 0

    Examples
    --------
    >>> text = np.array([1, 2, 1, 2, 0, 2, 0], np.uint8)
    >>> order = suffix_array(text)
    >>> order.tolist(), lcp_array(text, order).tolist()
    ([6, 4, 2, 0, 5, 3, 1], [0, 0, 0, 2, 0, 1, 1, 0])
    """
    return _lcp(text, order)  # type: ignore[no-any-return]


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
def _lcp(text, order):  # type: ignore[no-untyped-def]
    n = text.size
    lcp = np.zeros(n + 1, dtype=np.int32)
    if n == 0:
        return lcp
    before = np.empty(n, dtype=np.int32)
    before[order[0]] = -1
    for i in range(1, n):
        before[order[i]] = order[i - 1]
    shared = 0
    for p in range(n):
        q = before[p]
        if q < 0:
            shared = 0
        else:
            while text[p + shared] != 0 and text[p + shared] == text[q + shared]:
                shared += 1
        before[p] = shared  # from here on the array holds the permuted values
        if shared > 0:
            shared -= 1
    for i in range(n):
        lcp[i] = before[order[i]]
    return lcp


@numba.njit(cache=True, nogil=True)
def repeat_tree(text, order, lcp, sequence_at, sequence_end, group_of, n_groups):  # type: ignore[no-untyped-def]
    """Every string that occurs twice and is not always followed by the same symbol, with its counts.

    Parameters
    ----------
    text, order, lcp : as above
    sequence_at : int32, shape (n,), sequence of each position
    sequence_end : int32, shape (n_sequences,), position of its 0
    group_of : int32, shape (n_sequences,), in 0..n_groups - 1; n_groups 1 makes every group count 1

    Returns
    -------
    lowest, highest : int32, the node's interval of the suffix array
    depth, parent_depth : int32, symbols of the node's string, and of its parent's
    n_sequences, n_groups : int32, distinct ones in which it occurs
    left : int16, -1 if it only starts sequences, s > 0 if s always comes before it, else 0
    best_sequences, best_groups : int32, largest counts among the strings one symbol longer (0 where it only ends sequences)
    next_at, first_at : int32, lists of the nodes of equal `lowest`, the shortest first: ``first_at[lowest]``, then ``next_at``
    node_of : int32, shape (n + 1,), the node whose depth is ``lcp[i]`` and that holds i - 1 and i, or -1
    """
    n = order.size
    n_seq = sequence_end.size
    lowest = np.empty(n, dtype=np.int32)
    highest = np.empty(n, dtype=np.int32)
    depth = np.empty(n, dtype=np.int32)
    parent_depth = np.empty(n, dtype=np.int32)
    count_s = np.zeros(n, dtype=np.int32)  # while a node is open: suffixes counted twice
    count_g = np.zeros(n, dtype=np.int32)
    left = np.empty(n, dtype=np.int16)
    best_s = np.zeros(n, dtype=np.int32)
    best_g = np.zeros(n, dtype=np.int32)
    next_at = np.empty(n, dtype=np.int32)
    first_at = np.full(n, -1, dtype=np.int32)
    node_of = np.full(n + 1, -1, dtype=np.int32)
    last_s = np.full(n_seq, -1, dtype=np.int32)
    last_g = np.full(n_groups, -1, dtype=np.int32)
    stack = np.empty(n + 1, dtype=np.int32)
    top = -1
    n_nodes = 0
    for i in range(n_seq, n + 1):  # the first n_seq suffixes are the 0s
        shared = lcp[i] if i > n_seq else 0
        if i > n_seq:
            # the child that is complete now: first the suffix before, then each node that ends with it
            p = order[i - 1]
            low = i - 1
            reach = sequence_end[sequence_at[p]] - p  # symbols the child's string can be followed for
            child_left = np.int16(-1) if p == 0 or text[p - 1] == 0 else np.int16(text[p - 1])
            child_s = np.int32(1)
            child_g = np.int32(1)
            while True:
                if top >= 0 and depth[stack[top]] >= shared:
                    v = stack[top]
                elif shared > 0:
                    v = n_nodes
                    n_nodes += 1
                    top += 1
                    stack[top] = v
                    lowest[v] = low
                    depth[v] = shared
                    left[v] = child_left
                else:
                    break
                if left[v] != child_left:
                    left[v] = 0
                if reach > depth[v]:
                    best_s[v] = max(best_s[v], child_s)
                    best_g[v] = max(best_g[v], child_g)
                if depth[v] == shared:
                    break
                top -= 1
                highest[v] = i - 1
                above = depth[stack[top]] if top >= 0 else 0
                parent_depth[v] = max(shared, above)
                low = lowest[v]
                next_at[v] = first_at[low]
                first_at[low] = v
                doubled_s = count_s[v]
                doubled_g = count_g[v]
                child_s = np.int32(i - low - doubled_s)
                child_g = np.int32(i - low - doubled_g) if n_groups > 1 else np.int32(1)
                count_s[v] = child_s
                count_g[v] = child_g
                child_left = left[v]
                reach = depth[v]
                if shared > above:  # the parent opens here and takes over what is counted twice
                    count_s[n_nodes] = doubled_s
                    count_g[n_nodes] = doubled_g
                elif top >= 0:
                    count_s[stack[top]] += doubled_s
                    count_g[stack[top]] += doubled_g
            if shared > 0:
                node_of[i] = stack[top]
        if i < n:
            s = sequence_at[order[i]]
            j = last_s[s]
            if j >= 0 and top >= 0:
                k = _deepest(stack, top, lowest, j)
                if k >= 0:
                    count_s[stack[k]] += 1
            last_s[s] = i
            if n_groups > 1:
                g = group_of[s]
                j = last_g[g]
                if j >= 0 and top >= 0:
                    k = _deepest(stack, top, lowest, j)
                    if k >= 0:
                        count_g[stack[k]] += 1
                last_g[g] = i
    m = n_nodes
    return (
        (lowest[:m], highest[:m], depth[:m], parent_depth[:m], count_s[:m], count_g[:m], left[:m]),
        (best_s[:m], best_g[:m], next_at[:m], first_at, node_of),
    )


@numba.njit(cache=True, nogil=True)
def _deepest(stack, top, lowest, j):  # type: ignore[no-untyped-def]
    """Place on the stack of the deepest open node that holds suffix j, -1 where none does."""
    if lowest[stack[top]] <= j:
        return top
    a = -1
    b = top
    while b - a > 1:
        mid = (a + b) >> 1
        if lowest[stack[mid]] <= j:
            a = mid
        else:
            b = mid
    return a
