"""SPMF's text of sequences and patterns, between bytes and flat arrays.

A database has one sequence a line, ``1 -1 5 -1 2 -1 -2``: whole numbers, -1 after each itemset (here always one item), -2 at
the end. Empty lines and lines that start with #, % or @ say nothing. A pattern is a line ``1 5 2 #SUP: 3``.
"""

from __future__ import annotations

import numba
import numpy as np

WHOLE, NO_NUMBER, TOO_LARGE, NEGATIVE, TWO_ITEMS, NO_ITEM, NO_MINUS_ONE, AFTER_END, NO_END = range(9)
"""What `parse` says of a text; all but the first are errors of a line."""


@numba.njit(cache=True, nogil=True)
def parse(text, symbols, ends):  # type: ignore[no-untyped-def]
    """Read whole lines.

    Parameters
    ----------
    text : uint8, shape (n,)
    symbols : int64, room for n // 2 + 1 numbers, filled
    ends : int64, room for n // 2 + 1 numbers, filled with the number of symbols up to the end of each sequence

    Returns
    -------
    state : `WHOLE`, or what is wrong with the last line read
    n_symbols, n_sequences : how much was filled
    n_lines : lines read, the wrong one included
    begin, end : where in the text the wrong token stands
    """
    n = text.size
    n_symbols = 0
    n_sequences = 0
    n_lines = 0
    i = 0
    while i < n:
        n_lines += 1
        if text[i] == 35 or text[i] == 37 or text[i] == 64:
            while i < n and text[i] != 10:
                i += 1
            i += 1
            continue
        is_begun = False
        is_ended = False
        has_item = False
        while i < n and text[i] != 10:
            c = text[i]
            if c == 32 or c == 9 or c == 13:
                i += 1
                continue
            begin = i
            is_negative = c == 45
            if is_negative:
                i += 1
            value = np.int64(0)
            first = i
            while i < n and 48 <= text[i] <= 57 and i - first < 19:
                value = value * 10 + (np.int64(text[i]) - 48)
                i += 1
            state = WHOLE
            if i - first == 19:
                state = TOO_LARGE
            elif i == first or (i < n and text[i] != 32 and text[i] != 9 and text[i] != 13 and text[i] != 10):
                state = NO_NUMBER
            elif is_ended:
                state = AFTER_END
            elif not is_negative:
                if has_item:
                    state = TWO_ITEMS
                else:
                    symbols[n_symbols] = value
                    n_symbols += 1
                    has_item = True
            elif value == 1:
                state = WHOLE if has_item else NO_ITEM
                has_item = False
            elif value == 2:
                state = NO_MINUS_ONE if has_item else WHOLE
                is_ended = True
            else:
                state = NEGATIVE
            if state != WHOLE:
                while i < n and text[i] != 32 and text[i] != 9 and text[i] != 13 and text[i] != 10:
                    i += 1
                return state, n_symbols, n_sequences, n_lines, begin, i
            is_begun = True
        i += 1
        if is_begun and not is_ended:
            return NO_END, n_symbols, n_sequences, n_lines, i - 1, i - 1
        if is_begun:
            ends[n_sequences] = n_symbols
            n_sequences += 1
    return WHOLE, n_symbols, n_sequences, n_lines, n, n


@numba.njit(cache=True, nogil=True)
def _put_number(text, at, value):  # type: ignore[no-untyped-def]
    """Write a number at a place; the place after it."""
    if value < 0:
        text[at] = 45
        at += 1
        value = -value
    n_digits = 1
    rest = value // 10
    while rest > 0:
        n_digits += 1
        rest //= 10
    for d in range(n_digits - 1, -1, -1):
        text[at + d] = 48 + value % 10
        value //= 10
    return at + n_digits


@numba.njit(cache=True, nogil=True)
def _put_label(text, at, label):  # type: ignore[no-untyped-def]
    for byte in label:
        text[at] = byte
        at += 1
    return at


@numba.njit(cache=True, nogil=True)
def write(text, symbols, offsets, first, last, support, occurrences, labels):  # type: ignore[no-untyped-def]
    """Write patterns first..last - 1 as lines; the number of bytes.

    Parameters
    ----------
    text : uint8, room for 21 bytes a symbol and 64 a pattern, filled
    symbols, offsets : int64, all patterns
    support, occurrences : int64, of each; no occurrences (shape (0,)): none are written
    labels : uint8, shape (2, 7), `` #SUP: `` and `` #OCC: ``
    """
    at = 0
    for k in range(first, last):
        for i in range(offsets[k], offsets[k + 1]):
            if i > offsets[k]:
                text[at] = 32
                at += 1
            at = _put_number(text, at, symbols[i])
        at = _put_label(text, at, labels[0])
        at = _put_number(text, at, support[k])
        if occurrences.size:
            at = _put_label(text, at, labels[1])
            at = _put_number(text, at, occurrences[k])
        text[at] = 10
        at += 1
    return at
