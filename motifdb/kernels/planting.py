"""Planting a known motif into sequences: what to plant, where, and how much it tells.

A motif replaces stretches of symbols, so that the number and the lengths of the sequences stay as they are. Places never
overlap (they may touch) and lie inside one sequence each; every set of places that is possible is equally likely.

The number of ways to put k places of m symbols into a sequence of l symbols is C(l - k (m - 1), k): shrink each place to
one symbol, choose k of what is left. A table of the ways in the sequences from s on, in logarithms, then deals the
places out sequence by sequence, without trying and rejecting.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from motifdb.errors import UsageError
from motifdb.kernels.markov import MarkovChain, sample
from motifdb.kernels.significance import assess

WARM_UP = 64
"""Symbols that a chain writes before the motif is taken, so that how phrases begin no longer matters."""

_MOST_TRIES = 1000


def most_places(lengths: NDArray[np.int64], n_symbols: int) -> int:
    """How many places of `n_symbols` symbols the sequences of these lengths have room for."""
    return int((lengths // n_symbols).sum())


def draw_places(
    lengths: NDArray[np.int64], n_symbols: int, n: int, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Draw `n` places of `n_symbols` symbols that do not overlap, every possible set of them equally likely.

    Parameters
    ----------
    lengths : int64, shape (n_sequences,), symbols of each sequence
    n_symbols, n : 1 or more

    Returns
    -------
    sequence, first : int64, shape (n,), ascending: the sequence of each place, and its first symbol in there

    Raises
    ------
    UsageError
        where there is no room for so many, or a number is below 1.

    Examples
    --------
    >>> draw_places(np.array([4, 1, 2]), 2, 3, np.random.default_rng(1))
    (array([0, 0, 2]), array([0, 2, 0]))
    """
    if n_symbols < 1 or n < 1:
        raise UsageError(f"a motif has 1 symbol or more and is planted once or more, got {n_symbols} and {n}")
    if most_places(lengths, n_symbols) < n:
        raise UsageError(
            f"there is no room for {n} places of {n_symbols} symbols; plant fewer, or a shorter motif"
        )
    ways = _log_ways(lengths, n_symbols, n)
    sequences, firsts = [], []
    left = n
    for s, length in enumerate(lengths.tolist()):
        if left == 0:
            break
        k = np.arange(left + 1)
        here = _log_choices(length, n_symbols, left)
        chance = np.exp(here + ways[s + 1, left - k] - ways[s, left])
        n_here = min(int(np.searchsorted(np.cumsum(chance), rng.random() * chance.sum(), side="right")), left)
        if n_here:
            slots = np.sort(rng.choice(length - n_here * (n_symbols - 1), n_here, replace=False))
            sequences.append(np.full(n_here, s, np.int64))
            firsts.append(slots.astype(np.int64) + np.arange(n_here) * (n_symbols - 1))
        left -= n_here
    return np.concatenate(sequences), np.concatenate(firsts)


def _log_choices(length: int, n_symbols: int, most: int) -> NDArray[np.float64]:
    """Logarithm of the number of ways to put 0, 1, ..., `most` places into one sequence; -inf where there is none."""
    out = np.full(most + 1, -np.inf)
    for k in range(min(most, length // n_symbols) + 1):
        slots = length - k * (n_symbols - 1)
        out[k] = math.lgamma(slots + 1) - math.lgamma(k + 1) - math.lgamma(slots - k + 1)
    return out


def _log_ways(lengths: NDArray[np.int64], n_symbols: int, n: int) -> NDArray[np.float64]:
    """Entry [s, k]: logarithm of the number of ways to put k places into the sequences from s on."""
    ways = np.full((lengths.size + 1, n + 1), -np.inf)
    ways[-1, 0] = 0.0
    k, j = np.arange(n + 1)[:, None], np.arange(n + 1)[None, :]
    known: dict[int, NDArray[np.float64]] = {}
    for s in range(lengths.size - 1, -1, -1):
        length = int(lengths[s])
        if length not in known:
            known[length] = _log_choices(length, n_symbols, n)
        terms = np.where(k >= j, known[length][None, :] + ways[s + 1][np.maximum(k - j, 0)], -np.inf)
        ways[s] = np.logaddexp.reduce(terms, axis=1)
    return ways


def occurs(symbols: NDArray[np.int8], offsets: NDArray[np.int64], motif: NDArray[np.int8]) -> bool:
    """Whether a motif stands somewhere inside a sequence, without gaps.

    >>> x = np.array([1, 2, 1, 2], np.int8)
    >>> occurs(x, np.array([0, 2, 4]), x[1:3]), occurs(x, np.array([0, 4]), x[1:3])
    (False, True)
    """
    if motif.size == 0 or symbols.size < motif.size:
        return False
    at = np.flatnonzero((np.lib.stride_tricks.sliding_window_view(symbols, motif.size) == motif).all(axis=1))
    ends = offsets[np.searchsorted(offsets, at, side="right")]
    return bool((at + motif.size <= ends).any())


def draw_motif(
    chain: MarkovChain,
    n_symbols: int,
    symbols: NDArray[np.int8],
    offsets: NDArray[np.int64],
    rng: np.random.Generator,
) -> NDArray[np.int8] | None:
    """A motif as the chain writes them which does not occur in the sequences yet; None where a thousand tries bring none.

    Parameters
    ----------
    chain : the null model of the sequences
    n_symbols : length of the motif
    symbols, offsets : the sequences
    """
    if chain.n_symbols == 0:
        return None
    for _ in range(_MOST_TRIES):
        drawn = sample(chain, np.array([0, WARM_UP + n_symbols], np.int64), rng)[WARM_UP:]
        if not occurs(symbols, offsets, drawn):
            return np.ascontiguousarray(drawn)
    return None


def plant(
    symbols: NDArray[np.int8],
    offsets: NDArray[np.int64],
    motif: NDArray[np.int8],
    sequence: NDArray[np.int64],
    first: NDArray[np.int64],
) -> NDArray[np.int8]:
    """The symbols with the motif written over them at the places.

    >>> plant(np.zeros(5, np.int8), np.array([0, 2, 5]), np.array([1, 2], np.int8), np.array([1]), np.array([1])).tolist()
    [0, 0, 0, 1, 2]
    """
    out = symbols.copy()
    out[(offsets[sequence] + first)[:, None] + np.arange(motif.size)] = motif
    return out


def information_bits(chain: MarkovChain, offsets: NDArray[np.int64], motif: NDArray[np.int8]) -> float:
    """How improbable a motif is at one place: -log2 of its chance under the chain, mean over all places it could stand at.

    Parameters
    ----------
    chain : a null model over an alphabet that has the motif's symbols
    offsets : sequences, whose lengths say where it could stand

    Returns
    -------
    bits; infinite where the chain cannot write it or no sequence is long enough
    """
    lengths = np.diff(offsets)
    n_positions = int(np.maximum(lengths - motif.size + 1, 0).sum())
    if n_positions == 0:
        return math.inf
    none = np.zeros(1, np.int64)
    expected = assess(
        np.zeros(int(offsets[-1]), np.int8),
        offsets,
        motif,
        np.array([0, motif.size], np.int64),
        none,
        none,
        max_gap=0,
        support="occurrences",
        n_tested=1,
        chain=chain,
    ).expected_occurrences[0]
    return -math.log2(expected / n_positions) if expected > 0 else math.inf
