"""Any whole numbers as symbols: the codes -127..127 that the search works on, and the way back.

Up to 255 kinds of symbols get a code each, in their order. Of more, only those with enough support can be in a pattern.
The others still take up room: they end contiguous matches and fill gaps. At an unlimited gap they are left out, since nothing
depends on the room. Under a limit several of them share a code, put together so that the shared code has too little support
itself: then no pattern contains it, and none can lose its closure to it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from motifdb.errors import UsageError
from motifdb.kernels.sequences import checked_lists

N_CODES = 255
_FINENESS = {"occurrences": 0, "sequences": 1, "recordings": 2}


@dataclass(frozen=True)
class Coded:
    """Sequences in codes.

    Attributes
    ----------
    symbols : int8, shape (n_coded,)
    offsets : int64, shape (n_sequences + 1,)
    values : int64, the symbol of code c at ``values[c + 127]``; None where codes are the symbols themselves
    positions : int64, shape (n_coded,), where each code stood in the flat input; None where none was left out
    is_whole : whether every kind of symbol has a code of its own
    """

    symbols: NDArray[np.int8]
    offsets: NDArray[np.int64]
    values: NDArray[np.int64] | None = None
    positions: NDArray[np.int64] | None = None
    is_whole: bool = True

    def decode(self, codes: NDArray[np.int8]) -> NDArray[np.int8] | NDArray[np.int64]:
        """The symbols of codes."""
        return codes if self.values is None else self.values[codes.astype(np.int64) + 127]


def encode(
    symbols: ArrayLike,
    offsets: ArrayLike,
    group_of: NDArray[np.int64],
    *,
    max_gap: int | None,
    min_support: int,
    support: str,
    closed: str,
) -> Coded:
    """Give every symbol a code.

    Parameters
    ----------
    symbols : whole numbers, flat
    offsets : as `motifdb.mine` takes them
    group_of : int64, shape (n_sequences,)
    min_support, support, closed : of the question, as a number and names of units

    Raises
    ------
    UsageError
        where symbols are no whole numbers, offsets do not fit, or there are more kinds of symbols than codes.
    """
    given = np.asarray(symbols)
    if given.ndim != 1 or given.dtype.kind not in "iu" or not given.size:
        return Coded(*checked_lists("symbols", given, offsets))
    if given.min() >= -127 and given.max() <= 127:
        return Coded(*checked_lists("symbols", given, offsets))
    if given.max() > np.iinfo(np.int64).max:
        raise UsageError(f"symbols must be below 2**63, got {given.max()}")
    _, bounds = checked_lists("symbols", np.zeros(given.size, np.int8), offsets)
    kinds, kind = np.unique(given.astype(np.int64), return_inverse=True)
    if len(kinds) <= N_CODES:
        return Coded((kind - 127).astype(np.int8), bounds, kinds)
    if closed != "none" and _FINENESS[closed] > _FINENESS[support]:
        # x without enough occurrences can still make every sequence with P one with xP
        raise UsageError(
            f"closed={closed!r} with support={support!r} takes at most {N_CODES} kinds of symbols, got {len(kinds)}; "
            f"leave out closed, or count support in {closed}"
        )
    unit_of = {"occurrences": np.arange(given.size)}
    if support != "occurrences":
        sequence_of = np.repeat(np.arange(len(bounds) - 1), np.diff(bounds))
        unit_of = {"sequences": sequence_of, "recordings": group_of[sequence_of]}
    weight = _supports(kind, unit_of[support], len(kinds))
    is_frequent = weight >= min_support
    n_frequent = int(is_frequent.sum())
    if n_frequent > N_CODES:
        raise UsageError(
            f"{n_frequent} kinds of symbols have enough support, more than the {N_CODES} that can be mined at once; "
            "raise min_support"
        )
    code = np.full(len(kinds), -1)
    code[is_frequent] = np.arange(n_frequent)
    values = np.zeros(N_CODES, np.int64)
    values[:n_frequent] = kinds[is_frequent]
    if max_gap is None:
        positions = np.flatnonzero(is_frequent[kind])
        n_before = np.concatenate([np.zeros(1, np.int64), np.cumsum(is_frequent[kind])])
        return Coded(
            (code[kind[positions]] - 127).astype(np.int8), n_before[bounds], values, positions, False
        )
    rare = np.flatnonzero(~is_frequent)
    n_shared = _share(code, rare, weight[rare], n_frequent, min_support - 1)
    if n_shared > N_CODES - n_frequent:
        raise UsageError(
            f"{len(kinds)} kinds of symbols are too many at max_gap={max_gap}: {n_frequent} have enough support, and the "
            f"others cannot be told apart from them in {N_CODES} codes; raise min_support, or set max_gap=None"
        )
    return Coded((code[kind] - 127).astype(np.int8), bounds, values, None, False)


def _supports(kind: NDArray[np.int64], unit: NDArray[np.int64], n_kinds: int) -> NDArray[np.int64]:
    """In how many different units each kind stands."""
    order = np.lexsort((unit, kind))
    is_new = np.ones(len(order), np.bool_)
    is_new[1:] = (np.diff(kind[order]) != 0) | (np.diff(unit[order]) != 0)
    return np.bincount(kind[order][is_new], minlength=n_kinds)


def _share(
    code: NDArray[np.int64], rare: NDArray[np.int64], weight: NDArray[np.int64], first: int, most: int
) -> int:
    """Fill codes from `first` on with rare kinds so that no code weighs more than `most`; how many codes that took."""
    total = np.cumsum(weight)
    begin = 0
    n_codes = 0
    while begin < len(rare):
        before = total[begin - 1] if begin else 0
        end = int(np.searchsorted(total, before + most, "right"))
        code[rare[begin:end]] = first + n_codes
        begin, n_codes = end, n_codes + 1
    return n_codes
