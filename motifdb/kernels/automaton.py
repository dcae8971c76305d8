"""The automaton of Aho and Corasick (1975) over a set of patterns; `motifdb.mining.counting` says what it is for."""

from __future__ import annotations

import numba
import numpy as np

from motifdb.kernels.gapped import grown


@numba.njit(cache=True, nogil=True)
def _place(keys, key):  # type: ignore[no-untyped-def]
    """Where the key is in the hash table, or the empty place it belongs to."""
    mask = keys.size - 1
    h = key * 0x5BD1E5  # keys have at most 39 bits
    i = (h ^ (h >> 29)) & mask
    while keys[i] != -1 and keys[i] != key:
        i = (i + 1) & mask
    return i


@numba.njit(cache=True, nogil=True)
def build_automaton(patterns, offsets):  # type: ignore[no-untyped-def]
    """What `motifdb.mining.counting.Automaton` keeps, of patterns (int8, one after the other) and their offsets (int64)."""
    n_patterns = offsets.size - 1
    size = 16
    while size < 2 * patterns.size:
        size *= 2
    keys = np.full(size, -1, dtype=np.int64)
    targets = np.empty(size, dtype=np.int32)
    parent = np.zeros(patterns.size + 1, dtype=np.int32)
    symbol = np.zeros(patterns.size + 1, dtype=np.int8)
    depth = np.zeros(patterns.size + 1, dtype=np.int32)
    end = np.empty(n_patterns, dtype=np.int32)
    n = 1
    for k in range(n_patterns):
        state = np.int64(0)
        for i in range(offsets[k], offsets[k + 1]):
            key = state * 256 + np.int64(patterns[i]) + 128
            place = _place(keys, key)
            if keys[place] == -1:
                keys[place] = key
                targets[place] = n
                parent[n] = state
                symbol[n] = patterns[i]
                depth[n] = depth[state] + 1
                n += 1
            state = np.int64(targets[place])
        end[k] = state
    # states by depth, by counting
    at = np.zeros(depth[:n].max() + 2, dtype=np.int64)
    for v in range(n):
        at[depth[v] + 1] += 1
    for d in range(at.size - 1):
        at[d + 1] += at[d]
    order = np.empty(n, dtype=np.int32)
    for v in range(n):
        order[at[depth[v]]] = v
        at[depth[v]] += 1
    is_pattern = np.zeros(n, dtype=np.bool_)
    for k in range(n_patterns):
        is_pattern[end[k]] = True
    link = np.zeros(n, dtype=np.int32)
    found_at = np.full(n, -1, dtype=np.int32)
    shorter = np.empty(n_patterns, dtype=np.int32)
    n_different = 0
    for i in range(1, n):
        v = order[i]
        if depth[v] > 1:
            link[v] = _step(keys, targets, link, np.int64(link[parent[v]]), symbol[v])
        found_at[v] = found_at[link[v]]
        if is_pattern[v]:
            shorter[n_different] = found_at[v]
            found_at[v] = n_different
            n_different += 1
    number = np.empty(n_patterns, dtype=np.int32)
    for k in range(n_patterns):
        number[k] = found_at[end[k]]
    return keys, targets, link, found_at, shorter[:n_different].copy(), number


@numba.njit(cache=True, nogil=True)
def _step(keys, targets, link, state, symbol):  # type: ignore[no-untyped-def]
    """The state after one more symbol."""
    while True:
        place = _place(keys, state * 256 + np.int64(symbol) + 128)
        if keys[place] != -1:
            return np.int64(targets[place])
        if state == 0:
            return np.int64(0)
        state = np.int64(link[state])


@numba.njit(cache=True, nogil=True)
def count_runs(  # type: ignore[no-untyped-def]
    keys, targets, link, found_at, shorter, symbols, offsets, group_of, order, counts, numbers
):
    """Rows (group, number, occurrences, sequences) for the different patterns found; `order` puts groups together."""
    here = counts[0]  # in the sequence at hand
    total = counts[1]  # in the group at hand
    phrases = counts[2]
    touched = numbers[0]
    in_group = numbers[1]
    n_in_group = 0
    out = np.empty(1024, dtype=np.int64)
    n_out = 0
    for o in range(order.size):
        s = order[o]
        n_touched = 0
        state = np.int64(0)
        for i in range(offsets[s], offsets[s + 1]):
            state = _step(keys, targets, link, state, symbols[i])
            k = found_at[state]
            if k >= 0:
                if here[k] == 0:
                    touched[n_touched] = k
                    n_touched += 1
                here[k] += 1
        # a pattern found brings the shorter ones it ends with; `here` marks those that are in the list
        for j in range(n_touched):
            k = shorter[touched[j]]
            while k >= 0 and here[k] == 0:
                here[k] = -1
                touched[n_touched] = k
                n_touched += 1
                k = shorter[k]
        found = np.sort(touched[:n_touched])
        for j in range(n_touched):
            if here[found[j]] < 0:
                here[found[j]] = 0
        for j in range(n_touched - 1, -1, -1):
            k = found[j]
            if shorter[k] >= 0:
                here[shorter[k]] += here[k]
            if phrases[k] == 0:
                in_group[n_in_group] = k
                n_in_group += 1
            phrases[k] += 1
            total[k] += here[k]
            here[k] = 0
        if o + 1 == order.size or group_of[order[o + 1]] != group_of[s]:
            out = grown(out, n_out + 4 * n_in_group)
            for j in range(n_in_group):
                k = in_group[j]
                out[n_out] = group_of[s]
                out[n_out + 1] = k
                out[n_out + 2] = total[k]
                out[n_out + 3] = phrases[k]
                n_out += 4
                total[k] = 0
                phrases[k] = 0
            n_in_group = 0
    rows = out[:n_out].reshape((n_out // 4, 4))
    return rows[:, 0].copy(), rows[:, 1].copy(), rows[:, 2].copy(), rows[:, 3].copy()


@numba.njit(cache=True, nogil=True)
def locate_runs(  # type: ignore[no-untyped-def]
    keys, targets, link, found_at, shorter, number, lengths, symbols, offsets, max_occurrences
):
    """(pattern, sequence, first, last) of every occurrence, and whether these are all."""
    # given patterns by their number: first_of[number], then next_of[pattern]
    first_of = np.full(shorter.size, -1, dtype=np.int32)
    next_of = np.empty(number.size, dtype=np.int32)
    for g in range(number.size - 1, -1, -1):
        next_of[g] = first_of[number[g]]
        first_of[number[g]] = g
    pattern = np.empty(1024, dtype=np.int64)
    sequence = np.empty(1024, dtype=np.int64)
    first = np.empty(1024, dtype=np.int64)
    last = np.empty(1024, dtype=np.int64)
    n = 0
    for s in range(offsets.size - 1):
        state = np.int64(0)
        for i in range(offsets[s], offsets[s + 1]):
            state = _step(keys, targets, link, state, symbols[i])
            k = found_at[state]
            while k >= 0:
                g = first_of[k]
                while g >= 0:
                    if n == max_occurrences:
                        return (pattern[:n], sequence[:n], first[:n], last[:n]), False
                    pattern = grown(pattern, n + 1)
                    sequence = grown(sequence, n + 1)
                    first = grown(first, n + 1)
                    last = grown(last, n + 1)
                    pattern[n] = g
                    sequence[n] = s
                    first[n] = i - offsets[s] - lengths[g] + 1
                    last[n] = i - offsets[s]
                    n += 1
                    g = next_of[g]
                k = shorter[k]
    return (pattern[:n], sequence[:n], first[:n], last[:n]), True
