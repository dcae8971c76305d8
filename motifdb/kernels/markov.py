"""Markov chains over contour symbols: the null model that motifs are measured against.

A chain of order k says that a symbol depends on the k symbols before it in its phrase and on nothing else.
Phrases are independent, their lengths are kept as they are.

Conventions
-----------
* Symbols are recoded to 0..A-1 in ascending order of the symbols that occur. A context of t symbols
  x1..xt is the number ((x1 A + x2) A + ...) + xt.
* `laws[t]` has shape (A**t, A): the law of the next symbol after a context of t symbols, by maximum
  likelihood over every position with at least t symbols before it. A context that never had a successor takes
  the law of its last t - 1 symbols (and so on down to the plain frequencies).
* A phrase starts by these lower orders: its first symbol by `laws[0]`, its second by `laws[1]`, until k
  symbols are there. So the start needs no parameters of its own, which nine phrases could not give.

Order by the Bayesian information criterion, -2 log L + A**k (A - 1) log n, every order on the same n symbols
(those with at least `max_order` symbols before them in their phrase) [1]_ [2]_. Equal values: the lower order.

References
----------
.. [1] R. W. Katz (1981), On some criteria for estimating the order of a Markov chain, Technometrics 23(3).
.. [2] I. Csiszar, P. C. Shields (2000), The consistency of the BIC Markov order estimator, Annals of Statistics 28(6).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from motifdb.errors import UsageError
from motifdb.kernels.jit import kernel

# A table of laws has A**(k+1) cells; an order that needs more is not considered (A = 24: order 3 still is).
MAX_LAW_CELLS = 1 << 22


@dataclass(frozen=True)
class MarkovChain:
    """A fitted chain.

    Attributes
    ----------
    order : k
    alphabet : (A,) int8, the symbols that occur, ascending
    laws : k + 1 arrays, `laws[t]` of shape (A**t, A), rows sum to 1
    bic : (max_order + 1,) float64, NaN for an order that was not considered because its penalty alone forbids it
    n_effective : symbols the criterion was computed on
    """

    order: int
    alphabet: NDArray[np.int8]
    laws: tuple[NDArray[np.float64], ...]
    bic: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    n_effective: int = 0

    @property
    def n_symbols(self) -> int:
        """Size A of the alphabet."""
        return int(self.alphabet.size)

    @property
    def n_contexts(self) -> int:
        """Number A**k of full contexts."""
        return int(self.n_symbols**self.order)


@kernel
def _count(
    codes: NDArray[np.int64], offsets: NDArray[np.int64], order: int, skip: int, n: int
) -> NDArray[np.float64]:
    """Count successors per context of `order` symbols at positions with at least `skip` >= order before them."""
    counts = np.zeros((n**order, n), np.float64)
    modulus = n**order
    for s in range(offsets.size - 1):
        context = 0
        for i in range(offsets[s], offsets[s + 1]):
            place = i - offsets[s]
            if place >= skip:
                counts[context, codes[i]] += 1.0
            context = (context * n + codes[i]) % modulus
    return counts


@kernel
def _draw(
    cumulative: NDArray[np.float64],
    starts: NDArray[np.int64],
    offsets: NDArray[np.int64],
    uniform: NDArray[np.float64],
    order: int,
    n: int,
) -> NDArray[np.int64]:
    """Draw phrases; `cumulative` stacks the cumulative rows of every law, `starts[t]` is where law t begins."""
    out = np.empty(uniform.size, np.int64)
    modulus = n**order
    for s in range(offsets.size - 1):
        context = 0
        for i in range(offsets[s], offsets[s + 1]):
            known = min(i - offsets[s], order)
            row = starts[known] + context
            a = 0
            while a < n - 1 and uniform[i] >= cumulative[row, a]:
                a += 1
            out[i] = a
            context = context * n + a
            if known == order:
                context %= modulus
    return out


def check_sequences(symbols: NDArray[np.int8], offsets: NDArray[np.int64]) -> None:
    """Raise UsageError unless `offsets` cut `symbols` into sequences."""
    if symbols.ndim != 1 or symbols.dtype != np.int8:
        raise UsageError(
            f"symbols must be one-dimensional int8, got {symbols.dtype} of shape {symbols.shape}"
        )
    if offsets.ndim != 1 or offsets.dtype != np.int64 or offsets.size == 0:
        raise UsageError("offsets must be a one-dimensional int64 array with at least one entry")
    if offsets[0] != 0 or offsets[-1] != symbols.size or (np.diff(offsets) < 0).any():
        raise UsageError(
            f"offsets must rise from 0 to the {symbols.size} symbols; check how sequences were joined"
        )


def recode(symbols: NDArray[np.int8], alphabet: NDArray[np.int8]) -> NDArray[np.int64]:
    """Number symbols by their place in the alphabet; -1 for a symbol that is not in it."""
    if alphabet.size == 0:
        return np.full(symbols.size, -1, np.int64)
    place = np.searchsorted(alphabet, symbols)
    place[place == alphabet.size] = 0
    return np.where(alphabet[place] == symbols, place, -1).astype(np.int64)


def fit_order(symbols: NDArray[np.int8], offsets: NDArray[np.int64], order: int) -> MarkovChain:
    """Fit a chain of one given order by maximum likelihood, contexts without a successor by the order below.

    Parameters
    ----------
    symbols : (n,) int8
    offsets : (n_sequences + 1,) int64, rising from 0 to n
    order : k >= 0

    Raises
    ------
    UsageError
        offsets that do not fit, or an order whose table of laws would not fit into memory.
    """
    check_sequences(symbols, offsets)
    alphabet = np.unique(symbols)
    n = int(alphabet.size)
    if order < 0 or n ** (order + 1) > MAX_LAW_CELLS:
        raise UsageError(f"a chain of order {order} over {n} symbols is out of reach; choose a lower order")
    codes = recode(symbols, alphabet)
    laws: list[NDArray[np.float64]] = []
    for t in range(order + 1):
        counts = _count(codes, offsets, t, t, n)
        total = counts.sum(axis=1, keepdims=True)
        law = counts / np.where(total > 0, total, 1.0)
        if t > 0:
            empty = np.flatnonzero(total[:, 0] == 0)
            law[empty] = laws[t - 1][empty % n ** (t - 1)]
        laws.append(law)
    return MarkovChain(order, alphabet, tuple(laws))


def fit(symbols: NDArray[np.int8], offsets: NDArray[np.int64], *, max_order: int = 3) -> MarkovChain:
    """Fit the chain whose order 0..max_order has the smallest BIC (see the module's text).

    Examples
    --------
    >>> x = np.tile(np.array([1, -1], np.int8), 50)
    >>> fit(x, np.array([0, 100])).order
    1
    """
    check_sequences(symbols, offsets)
    if max_order < 0:
        raise UsageError(f"max_order must be 0 or more, got {max_order}")
    alphabet = np.unique(symbols)
    n = int(alphabet.size)
    codes = recode(symbols, alphabet)
    n_effective = int(np.maximum(np.diff(offsets) - max_order, 0).sum())
    bic = np.full(max_order + 1, np.nan)
    best = 0
    for k in range(max_order + 1):
        penalty = float(n) ** k * (n - 1) * np.log(max(n_effective, 1))
        # -2 log L is never negative: a penalty above order 0's whole criterion rules an order out unseen
        if k > 0 and (penalty - bic[0] > 0 or n ** (k + 1) > MAX_LAW_CELLS or n_effective == 0):
            break
        counts = _count(codes, offsets, k, max_order, n)
        seen = counts > 0
        total = np.broadcast_to(counts.sum(axis=1, keepdims=True), counts.shape)
        log_likelihood = float((counts[seen] * np.log(counts[seen] / total[seen])).sum())
        bic[k] = penalty - 2 * log_likelihood
        if bic[k] < bic[best]:
            best = k
    chain = fit_order(symbols, offsets, best)
    return MarkovChain(chain.order, chain.alphabet, chain.laws, bic, n_effective)


def sample(chain: MarkovChain, offsets: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int8]:
    """Draw phrases of the lengths that `offsets` state.

    Returns
    -------
    (offsets[-1],) int8 symbols of the chain's alphabet
    """
    n = chain.n_symbols
    size = int(offsets[-1])
    if size == 0 or n == 0:
        return np.empty(0, np.int8)
    cumulative = np.concatenate([law.cumsum(axis=1) for law in chain.laws])
    starts = np.cumsum([0] + [law.shape[0] for law in chain.laws[:-1]]).astype(np.int64)
    drawn = _draw(cumulative, starts, offsets.astype(np.int64), rng.random(size), chain.order, n)
    out: NDArray[np.int8] = chain.alphabet[drawn]
    return out
