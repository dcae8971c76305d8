"""The arguments of `motifdb.mine`, checked: which patterns are wanted, and what the search may take."""

from __future__ import annotations

import math
import operator
import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from motifdb.errors import UsageError, nearest
from motifdb.kernels.sequences import NO_LIMIT, checked_lists
from motifdb.mining.arrays import Closure, Support

Threshold = int | float | Fraction | str | np.integer[Any] | np.floating[Any]
_BYTES = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "ki": 2**10, "mi": 2**20, "gi": 2**30}


@dataclass(frozen=True)
class Question:
    """What `motifdb.mine` is asked, in the words of its docstring; `closed` is a name, shares are not yet numbers."""

    min_support: int | float | Fraction
    support: Support
    max_gap: int | None
    min_length: int
    max_length: int | None
    closed: Closure
    maximal: bool
    post_filter: str | None
    min_duration_s: float | None
    max_duration_s: float | None
    significance: bool
    top_k: int | None
    occurrences: bool
    counts: bool
    max_patterns: int
    max_occurrences: int
    memory_limit: int | None
    has_times: bool

    def __post_init__(self) -> None:
        """Refuse what cannot go together."""
        if self.max_length is not None and self.max_length < self.min_length:
            raise UsageError(
                f"max_length must be at least min_length = {self.min_length}, got {self.max_length}"
            )
        if not isinstance(self.min_support, int) and self.support == "occurrences":
            raise UsageError(
                "min_support can be a share of sequences or of recordings; of occurrences give a number"
            )
        if self.maximal and self.post_filter is not None:
            raise UsageError("maximal and post_filter are two questions; ask one at a time")
        shortest, longest = self.min_duration_s, self.max_duration_s
        if (shortest is not None or longest is not None) and not self.has_times:
            raise UsageError(
                "durations need times; give segment_start_s and segment_end_s, or leave out min_duration_s and max_duration_s"
            )
        if shortest is not None and longest is not None and longest < shortest:
            raise UsageError(f"max_duration_s must be at least min_duration_s = {shortest}, got {longest}")

    @property
    def has_filter(self) -> bool:
        """Whether what was mined is still to be narrowed by what contains what."""
        return self.maximal or self.post_filter is not None

    @property
    def has_counts(self) -> bool:
        """Whether every count of a pattern is known, not only its support."""
        return self.counts or self.max_gap == 0 or self.occurrences or self.has_times or self.significance


def checked_closure(
    support: str, closed: str | None, max_gap: int | None, maximal: bool, post_filter: str | None
) -> tuple[Support, Closure]:
    """The names of support and closure.

    Raises
    ------
    UsageError
        where a name is unknown, or does not go with the gap or the filter.
    """
    if support not in get_args(Support):
        raise UsageError(f"support cannot be counted in {support!r}; {nearest(support, get_args(Support))}")
    if closed == "insertion":
        said = (
            "is what sequences and recordings mean at max_gap=None"
            if max_gap is None
            else "is unsound under a gap limit; ask for it by name, post_filter='insertion'"
        )
        raise UsageError(f"closed cannot be 'insertion': closure under insertion {said}")
    closure = support if closed is None else closed
    if closure not in get_args(Closure):
        raise UsageError(f"closed cannot be {closure!r}; {nearest(closure, get_args(Closure))}")
    if maximal and closed is not None and closed != support:
        raise UsageError(
            f"maximal patterns are closed in the unit of support, {support!r}; leave out closed={closed!r}"
        )
    if post_filter not in (None, "insertion"):
        raise UsageError(f"post_filter cannot be {post_filter!r}; choose 'insertion', or leave it out")
    if post_filter is not None and max_gap is None:
        raise UsageError(
            "post_filter='insertion' is for a limited gap; at max_gap=None closed patterns are insertion-closed already"
        )
    if max_gap != 0:
        if "occurrences" in (support, closure):
            raise UsageError(
                "occurrences count as support or closure at max_gap = 0 only; with a gap use sequences or recordings"
            )
        if closure not in (support, "none"):
            raise UsageError(
                f"with a gap, closed must be {support!r} as support is, or 'none'; got {closure!r}"
            )
    return support, closure  # type: ignore[return-value]


def threshold(given: Threshold) -> int | float | Fraction:
    """A number of at least 1, or a share of 0..1 that is not rounded yet.

    >>> threshold("20%"), threshold("3"), threshold(0.25)
    (Fraction(1, 5), 3, 0.25)

    Raises
    ------
    UsageError
        where it is neither.
    """
    if isinstance(given, str):
        match = re.fullmatch(r"\s*(\d+)\s*|\s*(\d*\.?\d+)\s*%\s*|\s*(0?\.\d+)\s*", given)
        if not match:
            raise UsageError(f"min_support cannot be {given!r}; give a number as 3, or a share as 20% or 0.2")
        number, percent, share = match.groups()
        given = (
            int(number)
            if number is not None
            else Fraction(percent) / 100
            if percent is not None
            else Fraction(share)
        )
    if isinstance(given, (Fraction, float, np.floating)):
        if isinstance(given, np.floating):
            given = float(str(given))  # as it is written, not as a double sees a single
        if not 0 < given <= 1 or (isinstance(given, float) and given == 1):
            raise UsageError(
                f"min_support as a share must lie between 0 and 1, got {given}; give a whole number to count, '100%' for all"
            )
        return given
    number_given = whole("min_support", given, 1)
    if number_given is None:
        raise UsageError("min_support is missing; give a whole number of at least 1, or a share such as 0.05")
    return number_given


def absolute(given: int | float | Fraction, n: int) -> int:
    """The smallest number, at least 1, that is at least this share of n.

    A share given as a float stands for every real number that rounds to it, so that n / size is n of size for all n; the
    product rounded up would be one more where the quotient was rounded up (2/3 of 3).

    >>> absolute(2 / 3, 3), absolute(0.2, 5), absolute(Fraction(1, 5), 6), absolute(7, 3)
    (2, 1, 2, 7)
    """
    if isinstance(given, int):
        return given
    least = math.ceil(Fraction(given) * n)
    if isinstance(given, float) and n and (least - 1) / n >= given:
        least -= 1
    return max(1, least)


def whole(name: str, value: Any, least: int) -> int | None:
    """A whole number of at least `least`, or None.

    Raises
    ------
    UsageError
        where it is none.
    """
    if value is None:
        return None
    try:
        number = operator.index(value)
    except TypeError:
        number = least - 1
    if number < least or isinstance(value, (bool, np.bool_)):
        more = ", or None for unlimited" if name == "max_gap" else ""
        raise UsageError(f"{name} must be a whole number of {least} or more{more}; got {value!r}")
    return min(number, NO_LIMIT)


def seconds(name: str, value: Any) -> float | None:
    """A number of seconds of at least 0, or None.

    Raises
    ------
    UsageError
        where it is none.
    """
    if value is None:
        return None
    if isinstance(value, (bool, str)) or not np.isscalar(value) or not 0 <= float(value) < math.inf:  # type: ignore[arg-type]
        raise UsageError(f"{name} must be 0 or more seconds, got {value!r}")
    return float(value)  # type: ignore[arg-type]


def parse_bytes(given: int | str | None) -> int | None:
    """A number of bytes from a number or text.

    >>> parse_bytes("2GB"), parse_bytes("1.5 MiB"), parse_bytes(None)
    (2000000000, 1572864, None)

    Raises
    ------
    UsageError
        where it is neither.
    """
    if not isinstance(given, str):
        return whole("memory_limit", given, 1)
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmg]i?|)b?\s*", given.lower())
    n_bytes = int(Fraction(match[1]) * _BYTES[match[2]]) if match else 0
    if n_bytes < 1:
        raise UsageError(f"memory_limit cannot be {given!r}; give bytes, or text as 2GB or 512MiB")
    return n_bytes


def checked_database(symbols: ArrayLike, offsets: ArrayLike) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Flat symbols as they came, offsets that fit.

    Raises
    ------
    UsageError
        where they do not.
    """
    given = np.asarray(symbols)
    if given.ndim != 1:
        raise UsageError("symbols and their offsets must be flat arrays")
    if given.size and given.dtype.kind not in "iu":
        raise UsageError(f"symbols must be whole numbers, got {given.dtype}")
    if given.size and given.dtype.kind == "u" and given.max() > np.iinfo(np.int64).max:
        raise UsageError(f"symbols must be below 2**63, got {given.max()}")
    _, bounds = checked_lists("symbols", np.zeros(given.size, np.int8), offsets)
    return (given if given.size else np.empty(0, np.int8)), bounds


def checked_groups(groups: ArrayLike | None, n_sequences: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Labels of the recordings, ascending, and the index of each sequence's among them.

    Raises
    ------
    UsageError
        where there is not one whole number for each sequence.
    """
    given = np.zeros(n_sequences, np.int64) if groups is None else np.asarray(groups)
    if given.shape != (n_sequences,) or (given.size and given.dtype.kind not in "iu"):
        raise UsageError(
            f"groups must be one whole number for each of {n_sequences} sequences, "
            f"got {given.size} of type {given.dtype}"
        )
    labels, group_of = np.unique(given, return_inverse=True)
    return labels.astype(np.int64), group_of.astype(np.int64)


def checked_times(start_s: ArrayLike | None, end_s: ArrayLike | None, n: int) -> NDArray[np.float64] | None:
    """Start and end of each segment, shape (2, n), seconds; None where there are none.

    Raises
    ------
    UsageError
        where there is one without the other, not one for each segment, or one is not finite.
    """
    if start_s is None and end_s is None:
        return None
    if start_s is None or end_s is None:
        raise UsageError("segment_start_s and segment_end_s go together; give both")
    columns = []
    for name, given in (("segment_start_s", start_s), ("segment_end_s", end_s)):
        column = np.asarray(given)
        if column.ndim != 1 or (column.size and column.dtype.kind not in "fiu"):
            raise UsageError(f"{name} must be a flat array of seconds")
        if column.size != n:
            raise UsageError(
                f"{name} must have one time for each of {n} segments (a sequence has one more than symbols), got {column.size}"
            )
        columns.append(column.astype(np.float64))
    times_s = np.stack(columns)
    if not np.isfinite(times_s).all():
        raise UsageError("segment_start_s and segment_end_s must be finite")
    return times_s
