"""Plain twins of the null model: laws of counts by writing out every sequence, or step by step, or by drawing."""

from __future__ import annotations

import itertools
import math
import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

Laws = list[dict[tuple[int, ...], dict[int, float]]]


def fit_laws(sequences: Sequence[Sequence[int]], order: int) -> Laws:
    """laws[t][context of t symbols][symbol]; a context that was never continued is absent."""
    laws: Laws = []
    for t in range(order + 1):
        counts: dict[tuple[int, ...], Counter[int]] = defaultdict(Counter)
        for s in sequences:
            for i in range(t, len(s)):
                counts[tuple(s[i - t : i])][s[i]] += 1
        laws.append({c: {a: n / sum(row.values()) for a, n in row.items()} for c, row in counts.items()})
    return laws


def chance_of_next(laws: Laws, past: Sequence[int], symbol: int) -> float:
    """Law of the longest known context, at most as long as the order."""
    t = min(len(laws) - 1, len(past))
    while tuple(past[len(past) - t :]) not in laws[t]:
        t -= 1
    return laws[t][tuple(past[len(past) - t :])].get(symbol, 0.0)


def bic(sequences: Sequence[Sequence[int]], order: int, max_order: int) -> float:
    """-2 log L + A^k (A - 1) log n over the symbols that have max_order symbols before them."""
    counts: dict[tuple[int, ...], Counter[int]] = defaultdict(Counter)
    for s in sequences:
        for i in range(max_order, len(s)):
            counts[tuple(s[i - order : i])][s[i]] += 1
    log_likelihood = sum(n * math.log(n / sum(row.values())) for row in counts.values() for n in row.values())
    n = sum(sum(row.values()) for row in counts.values())
    size = len({a for s in sequences for a in s})
    return float(-2 * log_likelihood + size**order * (size - 1) * math.log(max(n, 1)))


def sequences_of(laws: Laws, alphabet: Sequence[int], length: int) -> Iterable[tuple[tuple[int, ...], float]]:
    """Every sequence of a length with its chance."""
    for s in itertools.product(alphabet, repeat=length):
        p = 1.0
        for i, a in enumerate(s):
            p *= chance_of_next(laws, s[:i], a)
        if p > 0:
            yield s, p


def occurrences(s: Sequence[int], w: Sequence[int]) -> int:
    """Contiguous occurrences, overlaps counted."""
    return sum(tuple(s[i : i + len(w)]) == tuple(w) for i in range(len(s) - len(w) + 1))


def holds(s: Sequence[int], w: Sequence[int], max_gap: int | None) -> bool:
    """Whether w occurs with at most max_gap symbols between neighbours, by trying every choice of places."""
    for places in itertools.combinations(range(len(s)), len(w)):
        near = max_gap is None or all(b - a - 1 <= max_gap for a, b in itertools.pairwise(places))
        if near and all(s[i] == a for i, a in zip(places, w, strict=True)):
            return True
    return False


def convolve(x: Sequence[float], y: Sequence[float]) -> list[float]:
    """Law of a sum of two independent counts."""
    out = [0.0] * (len(x) + len(y) - 1)
    for i, a in enumerate(x):
        for j, b in enumerate(y):
            out[i + j] += a * b
    return out


def law_by_enumeration(
    laws: Laws, alphabet: Sequence[int], lengths: Sequence[int], w: Sequence[int]
) -> list[float]:
    """Law of the number of occurrences in all phrases together."""
    law = [1.0]
    for length in lengths:
        one = [0.0] * (length + 1)
        for s, p in sequences_of(laws, alphabet, length):
            one[occurrences(s, w)] += p
        law = convolve(law, one)
    return law


def hit_by_enumeration(
    laws: Laws, alphabet: Sequence[int], length: int, w: Sequence[int], max_gap: int | None
) -> float:
    """Chance that one phrase holds w."""
    return sum(p for s, p in sequences_of(laws, alphabet, length) if holds(s, w, max_gap))


def hit_by_recording(
    laws: Laws,
    alphabet: Sequence[int],
    phrases: Sequence[tuple[int, int]],
    w: Sequence[int],
    max_gap: int | None,
) -> list[float]:
    """Chance that each recording holds w; a phrase is (length, recording)."""
    out = []
    for recording in sorted({r for _, r in phrases}):
        missed = 1.0
        for length, r in phrases:
            if r == recording:
                missed *= 1.0 - hit_by_enumeration(laws, alphabet, length, w, max_gap)
        out.append(1.0 - missed)
    return out


def law_by_steps(
    laws: Laws, alphabet: Sequence[int], lengths: Sequence[int], w: Sequence[int]
) -> list[float]:
    """The same law for longer phrases: chances of (last symbols, count), one symbol at a time."""

    def needed(text: tuple[int, ...]) -> tuple[int, ...]:
        """Cut to what the future may depend on: a beginning of w, or the order's symbols if these are more."""
        first = max(0, len(text) - max(len(laws), len(w)) + 1)
        while len(text) - first > len(laws) - 1 and text[first:] != tuple(w[: len(text) - first]):
            first += 1
        return text[first:]

    law = [1.0]
    for length in lengths:
        now: dict[tuple[tuple[int, ...], int], float] = {((), 0): 1.0}
        for _ in range(length):
            new: dict[tuple[tuple[int, ...], int], float] = defaultdict(float)
            for (past, n), p in now.items():
                for a in alphabet:
                    step = p * chance_of_next(laws, past, a)
                    if step > 0:
                        text = (*past, a)
                        hit = text[len(text) - len(w) :] == tuple(w) if len(text) >= len(w) else False
                        new[needed(text), n + hit] += step
            now = new
        one = [0.0] * (length + 1)
        for (_, n), p in now.items():
            one[n] += p
        law = convolve(law, one)
    return law


def tail(law: Sequence[float], count: int) -> float:
    """P(N >= count), small terms first."""
    return math.fsum(sorted(law[count:]))


def poisson_binomial(chances: Sequence[float]) -> list[float]:
    """Law of the number of successes."""
    law = [1.0]
    for p in chances:
        law = convolve(law, [1 - p, p])
    return law


def draw(laws: Laws, alphabet: Sequence[int], lengths: Sequence[int], rng: random.Random) -> list[list[int]]:
    """One surrogate."""
    out = []
    for length in lengths:
        s: list[int] = []
        for _ in range(length):
            s.append(rng.choices(alphabet, [chance_of_next(laws, s, a) for a in alphabet])[0])
        out.append(s)
    return out


def benjamini_hochberg(p: Sequence[float], m: int) -> list[float]:
    """q-values by the definition; NaN stays NaN."""
    known = sorted(x for x in p if not math.isnan(x))
    scaled = [x * m / (i + 1) for i, x in enumerate(known)]
    return [math.nan if math.isnan(x) else min(1.0, min(scaled[known.index(x) :])) for x in p]
