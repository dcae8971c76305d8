"""What a set of mined patterns is narrowed to: maximal ones, insertion-closed ones, those of a duration.

Each filter looks at a *complete* set: every closed (or every frequent) pattern above the threshold, in
lexicographic order. What is super to what under which gap:

- Limited gap (0, 1, 2, ...): Q is a super-pattern of P when P is a contiguous part of Q, that is, Q is P extended at its ends.
  P then occurs wherever Q does. A symbol put *inside* P gives no such promise: dropping it again can break the gap.
- Unlimited gap: Q is a super-pattern of P when P is a subsequence of Q.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from motifdb.errors import UsageError
from motifdb.kernels import containment, contiguous
from motifdb.kernels.sequences import Sequences
from motifdb.mining.mined import Mined
from motifdb.mining.windows import locate

_MOST_SPELLED = 2**31 - 1


def maximal(found: Mined, max_gap: int | None, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Of the patterns in `rows` (ascending), those with no super-pattern among them (see above for the gap).

    Where P has a frequent super-pattern, the closure of that one is in the complete set and is super to P too; so
    looking at the closed patterns suffices, and the answer is the same on all frequent ones.

    Raises
    ------
    UsageError
        where the patterns have more than 2 147 483 646 symbols together.
    """
    kept = _no_part(found, rows)
    return kept if max_gap is not None else _no_subsequence(found, kept)


def insertion_closed(found: Mined, support: NDArray[np.int64], rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Of the patterns in `rows` (ascending), those with no proper super-sequence of equal support among them.

    Under a gap limit this closure loses information, because support is not monotone under insertion: of {ab, ab, acb, acb}
    at max_gap 0, acb:2 removes ab:2, although they never share a sequence. It is for comparing with
    programs that do so.

    Parameters
    ----------
    support : int64, shape (n_patterns,), in the unit of the question
    """
    kept = []
    ordered = rows[np.argsort(support[rows], kind="stable")]  # stable: lexicographic among equals
    for equals in np.split(ordered, np.flatnonzero(np.diff(support[ordered])) + 1):
        kept.append(_no_subsequence(found, _no_part(found, equals)) if len(equals) > 1 else equals)
    return np.sort(np.concatenate(kept))


def durations(
    pattern: NDArray[np.int64], duration_s: NDArray[np.float64], n_each: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Shortest, median (the lower of two middle ones) and longest occurrence (seconds); shape (3, n_patterns).

    Parameters
    ----------
    pattern, duration_s : of each occurrence, sorted by pattern
    n_each : int64, shape (n_patterns,), occurrences of each pattern, at least 1
    """
    ordered = duration_s[np.lexsort((duration_s, pattern))]
    starts = np.cumsum(n_each) - n_each
    return np.stack([ordered[starts], ordered[starts + (n_each - 1) // 2], ordered[starts + n_each - 1]])


def most_surprising(surprise_bits: NDArray[np.float64], k: int) -> NDArray[np.int64]:
    """Rows of the k largest, ascending; of equal ones the first, unknown (NaN) ones last."""
    ranking = np.argsort(-np.where(np.isnan(surprise_bits), -np.inf, surprise_bits), kind="stable")
    return np.sort(ranking[:k])


def _no_part(found: Mined, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Of the patterns in `rows` (ascending), those that are no contiguous part of another one of them."""
    # Prefixes first, and without writing anything out: of a constant or a trill this leaves a handful, where all patterns
    # together are as long as the square of the text. Whatever was a part of a removed one is a part of a kept one.
    rows = rows[~containment.begins_next(found.text, found.starts[rows], found.lengths[rows])]
    return rows[~containment.is_part(*_spelled(found, rows))]


def _no_subsequence(found: Mined, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Of the patterns in `rows` (ascending), those that are no subsequence of another one of them."""
    if len(rows) == 0:
        return rows
    patterns, offsets = _spelled(found, rows)
    counts, _ = locate(patterns, offsets, Sequences.of(patterns, offsets), None, None)
    is_alone: NDArray[np.bool_] = counts[:, 0] == 1
    return rows[is_alone]


def _spelled(found: Mined, rows: NDArray[np.int64]) -> tuple[NDArray[np.int8], NDArray[np.int64]]:
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(found.lengths[rows])])
    if offsets[-1] + len(rows) >= _MOST_SPELLED:
        raise UsageError(
            f"the patterns to compare have {offsets[-1]} symbols, more than one comparison can hold; raise min_support"
        )
    return contiguous.spell(found.text, found.starts[rows], offsets), offsets
