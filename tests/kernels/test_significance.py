"""p-values against laws written out in full, step by step, or drawn."""

from __future__ import annotations

import itertools
import math
import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from motifdb.errors import UsageError
from motifdb.kernels import cluster_law, count_tail, exact_tail, gap_law, pattern_law
from motifdb.kernels.contiguous_law import is_rare
from motifdb.kernels.markov import MarkovChain, fit, fit_order, recode, sample
from motifdb.kernels.q_values import benjamini_hochberg
from motifdb.kernels.significance import METHODS, Significance, assess
from motifdb.kernels.units import by_recording
from tests.reference import significance as plain

Arrays = tuple[NDArray[np.int8], NDArray[np.int64]]


def flat(sequences: list[list[int]]) -> Arrays:
    symbols = np.array(list(itertools.chain(*sequences)), np.int8)
    return symbols, np.cumsum([0] + [len(s) for s in sequences]).astype(np.int64)


def blank(lengths: list[int], symbol: int) -> Arrays:
    """Phrases of given lengths; what they hold does not matter when the chain is given."""
    return flat([[symbol] * n for n in lengths])


def ask(scope: Arrays, pattern: list[int], count: int, **options: Any) -> Significance:
    chosen: dict[str, Any] = {"max_gap": 0, "support": "occurrences", "n_tested": 10**6} | options
    one = np.array([count], np.int64)
    if "groups" in options:
        chosen["support_recordings"] = one
    return assess(*scope, np.array(pattern, np.int8), np.array([0, len(pattern)]), one, one, **chosen)


TRAINING = st.lists(st.lists(st.integers(1, 3), min_size=1, max_size=12), min_size=1, max_size=4)


@settings(max_examples=60, deadline=None)
@given(TRAINING, st.integers(0, 3), st.lists(st.integers(1, 6), min_size=1, max_size=2), st.data())
def test_the_law_equals_enumeration(
    training: list[list[int]], order: int, lengths: list[int], data: st.DataObject
) -> None:
    alphabet = sorted({a for s in training for a in s})
    pattern = data.draw(st.lists(st.sampled_from(alphabet), min_size=1, max_size=5))
    laws = plain.fit_laws(training, order)
    law = plain.law_by_enumeration(laws, alphabet, lengths, pattern)
    hits = [plain.hit_by_enumeration(laws, alphabet, n, pattern, 0) for n in lengths]
    chain, scope = fit_order(*flat(training), order), blank(lengths, alphabet[0])
    for count in range(1, len(law)):
        found = ask(scope, pattern, count, chain=chain)
        expected = plain.tail(law, count)
        if expected == 0:
            assert math.isnan(found.log10_p[0]) or (
                found.method_names == ["bound"] and found.log10_p[0] < -30
            )
        else:
            assert 10 ** found.log10_p[0] == pytest.approx(expected, rel=1e-9, abs=1e-12)
            assert found.method_names == ["exact"]
        assert found.expected_occurrences[0] == pytest.approx(
            sum(i * p for i, p in enumerate(law)), abs=1e-12
        )
        assert found.expected_support[0] == pytest.approx(sum(hits), abs=1e-12)
    for count in range(1, len(lengths) + 1):
        expected = plain.tail(plain.poisson_binomial(hits), count)
        found = ask(scope, pattern, count, chain=chain, support="sequences")
        assert (10 ** found.log10_p[0] if expected else 0.0) == pytest.approx(expected, rel=1e-9, abs=1e-12)


CASES = [
    ([1, 2], 1),
    ([1, 2, 1, 2], 1),  # overlaps itself after 2
    ([1, 1, 1], 2),
    ([1, 1, 1, 1, 1, 1], 0),
    ([1, 2, 3, 1, 2, 3, 1], 1),
    ([2, 3, 3, 1, 2], 2),
    ([3], 1),
    ([3, 1], 3),
]


def trained(order: int, seed: int = 3) -> tuple[list[list[int]], MarkovChain]:
    """A chain over three symbols that likes to go on as it went two symbols ago."""
    rng = random.Random(seed)
    training = []
    for _ in range(6):
        s = [1, 2]
        while len(s) < 80:
            s.append(s[-2] if rng.random() < 0.4 else rng.choice([1, 1, 2, 3]))
        training.append(s)
    return training, fit_order(*flat(training), order)


@pytest.mark.parametrize(("pattern", "order"), CASES)
def test_longer_phrases_agree_with_the_law_step_by_step(pattern: list[int], order: int) -> None:
    training, chain = trained(order)
    lengths = [3, 40, 90]
    law = plain.law_by_steps(plain.fit_laws(training, order), [1, 2, 3], lengths, pattern)
    mean = sum(i * p for i, p in enumerate(law))
    counts = sorted({1, 2, 3, int(mean), int(mean) + 1, int(mean * 1.5) + 2, int(mean * 2) + 6, 25, 40} - {0})
    for count in counts:
        expected = plain.tail(law, count)
        if expected < 1e-290:
            continue
        found = ask(blank(lengths, 1), pattern, count, chain=chain)
        assert found.method_names == ["exact"]
        assert found.log10_p[0] == pytest.approx(math.log10(expected), abs=1e-8), count


def test_a_bound_is_never_below_the_truth() -> None:
    training, chain = trained(1)
    laws = plain.fit_laws(training, 1)
    arrays = pattern_law.chain_arrays(chain)
    lengths, times = np.array([150]), np.array([1])
    for pattern in ([1, 2, 1, 2, 1, 2], [1] * 8, [1, 2, 3, 1]):
        law = plain.law_by_steps(laws, [1, 2, 3], [150], pattern)
        w = recode(np.array(pattern, np.int8), chain.alphabet)
        log_q = pattern_law.prefix_logs(w, *arrays)
        rows = pattern_law.occupancy(*arrays, 150, 500)
        log_mean = pattern_law.log_expected(w, *arrays, log_q, lengths, times, rows)
        overlap = pattern_law.overlap_chance(w, arrays[0], arrays[1])
        for count in (3, 10, 30, 60):
            expected = math.log(plain.tail(law, count)) if plain.tail(law, count) > 0 else -math.inf
            for budget in (2e4, 1e6, 1e9):
                value, method = exact_tail.exact_log_tail(
                    w, *arrays, log_q, lengths, times, rows, log_mean, overlap, count, budget
                )
                if expected < -600:  # beyond the twin's reach
                    assert math.isnan(value) or value < -500
                elif METHODS[method] == "exact":
                    assert value == pytest.approx(expected, abs=1e-7)
                else:
                    assert math.isnan(value) or value >= expected - 1e-9


@settings(max_examples=80, deadline=None)
@given(
    TRAINING,
    st.integers(0, 2),
    st.lists(st.integers(0, 300), min_size=1, max_size=4, unique=True),
    st.floats(-1.0, 4.0),
    st.data(),
)
def test_both_generating_functions_are_one(
    training: list[list[int]], order: int, lengths: list[int], log_r: float, data: st.DataObject
) -> None:
    alphabet = sorted({a for s in training for a in s})
    pattern = data.draw(st.lists(st.sampled_from(alphabet), min_size=order + 1, max_size=7))
    chain = fit_order(*flat(training), order)
    arrays = pattern_law.chain_arrays(chain)
    w = recode(np.array(pattern, np.int8), chain.alphabet)
    log_q = pattern_law.prefix_logs(w, *arrays)
    lags, logs, reach, log_mu, forgets = cluster_law.returns(w, arrays[0], arrays[1], log_q)
    if not forgets:  # a chain that goes round in circles
        return
    sizes, times = np.array(sorted(lengths)), np.arange(1, len(lengths) + 1)
    angle = np.pi * np.arange(9) / 8
    rows = pattern_law.occupancy(*arrays, int(sizes[-1]), 500)
    overlap = pattern_law.overlap_chance(w, arrays[0], arrays[1])
    rest: Any = (sizes, times, max(log_r, 0.0), np.cos(angle), np.sin(angle), overlap, 1e9)
    slow, slow_phase, _ = pattern_law.log_pgf(w, *arrays, log_q, *rest)
    fast, fast_phase, _ = cluster_law.log_pgf_by_returns(
        w, arrays[0], arrays[1].shape[1], rows, log_q, lags, logs, reach, log_mu, *rest
    )
    assert fast[0] == pytest.approx(slow[0], rel=1e-9, abs=1e-9)
    one, other = (np.exp(a - slow[0] + 1j * b) for a, b in ((slow, slow_phase), (fast, fast_phase)))
    np.testing.assert_allclose(other, one, atol=1e-8)


def test_long_patterns_are_bounded_by_their_beginning() -> None:
    rng = np.random.default_rng(0)
    x = rng.integers(1, 9, 3000).astype(np.int8)
    w = rng.integers(1, 9, 800).astype(np.int8)
    for at in (0, 900, 1800):
        x[at : at + 800] = w
    scope = (x, np.array([0, 1000, 2000, 3000]))
    found = ask(scope, w.tolist(), 3, chain=fit_order(*scope, 0))
    beginning = ask(scope, w[:64].tolist(), 3, chain=fit_order(*scope, 0))
    assert found.method_names == ["bound"] and found.log10_p[0] == beginning.log10_p[0] < -140
    assert found.expected_occurrences[0] == 0.0  # 1e-717 is below the smallest number
    in_phrases = ask(scope, w.tolist(), 3, chain=fit_order(*scope, 0), support="sequences")
    # three phrases, each holds it with chance of about 201 / 8**800
    assert in_phrases.method_names == ["exact"] and in_phrases.log10_p[0] == pytest.approx(-2153, abs=12)
    assert in_phrases.surprise_bits[0] == pytest.approx(-in_phrases.log10_p[0] * math.log2(10))


@pytest.mark.parametrize("text", ["+-+-", "++++", "+-=+", "+=--"])
@pytest.mark.parametrize("count", [1, 2, 4])
def test_compound_poisson_holds_where_it_is_called_rare(text: str, count: int) -> None:
    """The stated factor is 1.05; the exact law is the judge, a simulation judges that below."""
    rng = np.random.default_rng(9)
    scope = (rng.choice(np.array([0, 1, 2], np.int8), 5000, p=[0.8, 0.1, 0.1]), np.array([0, 2000, 5000]))
    chain = fit_order(*scope, 1)
    arrays = pattern_law.chain_arrays(chain)
    pattern = ["=+-".index(a) for a in text] + (["=+-".index(a) for a in text][:2] if text == "+-+-" else [])
    w = np.array(pattern, np.int64)
    lengths, times = np.array([2000, 3000]), np.array([1, 1])
    log_q = pattern_law.prefix_logs(w, *arrays)
    rows = pattern_law.occupancy(*arrays, 3000, 5000)
    log_mean = pattern_law.log_expected(w, *arrays, log_q, lengths, times, rows)
    overlap = pattern_law.overlap_chance(w, arrays[0], arrays[1])
    assert is_rare(log_mean, count, w.size, 5000) or math.exp(log_mean) > 1
    exact, method = exact_tail.exact_log_tail(
        w, *arrays, log_q, lengths, times, rows, log_mean, overlap, count, pattern_law.MOST_WORK
    )
    assert METHODS[method] == "exact"
    approximate = count_tail.geometric_poisson_log_tail(log_mean, overlap, count)
    assert abs(approximate - exact) < math.log(1.05)


@pytest.mark.parametrize(
    ("pattern", "count"), [([1, 2, 1, 2], 4), ([1, 1, 1], 8), ([3, 2, 1, 3], 3), ([1], 60)]
)
def test_the_tail_agrees_with_a_simulation(pattern: list[int], count: int) -> None:
    _, chain = trained(1)
    n_draws, lengths = 20_000, [20, 45, 60]
    offsets = np.concatenate([[0], np.cumsum(lengths * n_draws)])
    x = sample(chain, offsets, np.random.default_rng(11))
    ends = np.ones(x.size - len(pattern) + 1, bool)
    for i, a in enumerate(pattern):
        ends &= x[i : x.size - len(pattern) + 1 + i] == a
    at = np.flatnonzero(ends)
    phrase = np.searchsorted(offsets, at, side="right") - 1
    whole = at + len(pattern) <= offsets[phrase + 1]
    counts = np.bincount(phrase[whole] // 3, minlength=n_draws)
    share = float((counts >= count).mean())
    p = 10 ** ask(blank(lengths, 1), pattern, count, chain=chain).log10_p[0]
    assert 0.0005 < p < 0.9
    assert abs(share - p) < 4 * math.sqrt(p * (1 - p) / n_draws)


def test_p_is_valid_under_the_null() -> None:
    """P(p <= a) <= a for motifs chosen beforehand, within 4 standard errors."""
    _, chain = trained(1)
    offsets = np.array([0, 30, 100, 240])
    patterns = [[1, 2, 1, 2], [1, 1], [2, 3, 1], [3, 3, 3], [2]]
    ps: dict[str, list[float]] = {"occurrences": [], "sequences": []}
    cache: dict[tuple[str, int, int], float] = {}
    rng = np.random.default_rng(2)
    n_draws = 1500
    for _ in range(n_draws):
        x = sample(chain, offsets, rng)
        phrases = [x[a:b].tolist() for a, b in itertools.pairwise(offsets.tolist())]
        for j, w in enumerate(patterns):
            found = [plain.occurrences(s, w) for s in phrases]
            for kind, count in (("occurrences", sum(found)), ("sequences", sum(n > 0 for n in found))):
                if (kind, j, count) not in cache:
                    cache[kind, j, count] = ask((x, offsets), w, count, chain=chain, support=kind).log10_p[0]
                ps[kind].append(10 ** cache[kind, j, count])
    for kind, values in ps.items():
        by_pattern = np.array(values).reshape(n_draws, len(patterns))
        for a in (0.01, 0.05, 0.2, 0.5):
            error = math.sqrt(a * (1 - a) / n_draws)
            assert (by_pattern <= a).mean(axis=0).max() <= a + 4 * error, (kind, a)


@settings(max_examples=50, deadline=None)
@given(
    TRAINING,
    st.integers(0, 2),
    st.sampled_from([1, 2, None]),
    st.lists(st.integers(1, 5), min_size=1, max_size=2),
    st.data(),
)
def test_gapped_hits_equal_enumeration(
    training: list[list[int]], order: int, max_gap: int | None, lengths: list[int], data: st.DataObject
) -> None:
    alphabet = sorted({a for s in training for a in s})
    pattern = data.draw(st.lists(st.sampled_from(alphabet), min_size=1, max_size=4))
    laws = plain.fit_laws(training, order)
    hits = [plain.hit_by_enumeration(laws, alphabet, n, pattern, max_gap) for n in lengths]
    chain, scope = fit_order(*flat(training), order), blank(lengths, alphabet[0])
    for count in range(1, len(lengths) + 1):
        expected = plain.tail(plain.poisson_binomial(hits), count)
        found = ask(scope, pattern, count, chain=chain, support="sequences", max_gap=max_gap)
        assert found.expected_support[0] == pytest.approx(sum(hits), abs=1e-12) or expected == 0
        if expected > 1e-12:
            assert 10 ** found.log10_p[0] == pytest.approx(expected, rel=1e-9)
            assert found.method_names == ["exact"]


@pytest.mark.parametrize("max_gap", [1, 2, None])
def test_gapped_simulation_agrees_with_the_automaton(
    max_gap: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, chain = trained(1)
    scope = blank([8, 12, 12, 15, 20, 20], 1)
    exact = ask(scope, [1, 3, 2, 3], 4, chain=chain, support="sequences", max_gap=max_gap)

    def none(*args: Any) -> tuple[Any, ...]:
        unknown = np.full(1, np.nan)
        return unknown, unknown, np.zeros(1), unknown, np.full(1, pattern_law.NONE, np.int8)

    monkeypatch.setattr(gap_law, "judge_gapped", none)
    drawn = ask(scope, [1, 3, 2, 3], 4, chain=chain, support="sequences", max_gap=max_gap, seed=4)
    assert (exact.method_names, drawn.method_names) == (["exact"], ["simulation"])
    p = 10 ** exact.log10_p[0]
    assert abs(10 ** drawn.log10_p[0] - p) < 4 * math.sqrt(p * (1 - p) / 999) + 1e-3
    assert drawn.expected_support[0] == pytest.approx(exact.expected_support[0], abs=0.2)
    assert (
        ask(scope, [1, 3, 2, 3], 4, chain=chain, support="sequences", max_gap=max_gap, seed=4).log10_p
        == drawn.log10_p
    )
    assert (
        10 ** ask(scope, [3, 3, 3, 3], 6, chain=chain, support="sequences", max_gap=max_gap).log10_p[0]
        >= 0.999e-3
    )


@settings(max_examples=60, deadline=None)
@given(
    TRAINING,
    st.integers(0, 2),
    st.sampled_from([0, 1, None]),
    st.lists(st.tuples(st.integers(0, 5), st.integers(7, 9)), min_size=1, max_size=5),
    st.data(),
)
def test_recordings_hit_equal_enumeration(
    training: list[list[int]],
    order: int,
    max_gap: int | None,
    phrases: list[tuple[int, int]],
    data: st.DataObject,
) -> None:
    alphabet = sorted({a for s in training for a in s})
    pattern = data.draw(st.lists(st.sampled_from(alphabet), min_size=1, max_size=3))
    laws = plain.fit_laws(training, order)
    chances = plain.hit_by_recording(laws, alphabet, phrases, pattern, max_gap)
    chain, scope = fit_order(*flat(training), order), blank([n for n, _ in phrases], alphabet[0])
    groups = np.array([g for _, g in phrases])
    for count in range(1, len(chances) + 1):
        expected = plain.tail(plain.poisson_binomial(chances), count)
        found = ask(scope, pattern, count, chain=chain, support="recordings", groups=groups, max_gap=max_gap)
        assert found.expected_recordings[0] == pytest.approx(sum(chances), abs=1e-12) or expected == 0
        if expected > 1e-12:
            assert 10 ** found.log10_p[0] == pytest.approx(expected, rel=1e-9)
            assert found.method_names == ["exact"]
        # given that it occurs at all
        if expected > 1e-12:
            once = plain.tail(plain.poisson_binomial(chances), 1)
            given = ask(
                scope, pattern, count, chain=chain, support="recordings", groups=groups, max_gap=max_gap,
                n_tested=1, given_occurrence=True,
            )  # fmt: skip
            assert given.q_value[0] == pytest.approx(expected / once, rel=1e-8)


@pytest.mark.parametrize(("max_gap", "count"), [(0, 5), (1, 10), (None, 13)])
def test_recordings_agree_with_a_simulation(max_gap: int | None, count: int) -> None:
    _, chain = trained(1)
    rng = random.Random(5)
    lengths = [rng.randint(2, 14) for _ in range(60)]
    groups = np.array([rng.randint(0, 19) for _ in lengths])
    scope, pattern, n_draws = blank(lengths, 1), [1, 3, 2, 3], 4000
    number = np.unique(groups, return_inverse=True)[1]
    draw = np.random.default_rng(8)
    w = recode(np.array(pattern, np.int8), chain.alphabet)
    hits = [
        gap_law.count_units(
            recode(sample(chain, scope[1], draw), chain.alphabet),
            scope[1],
            number,
            w,
            -1 if max_gap is None else max_gap,
        )
        for _ in range(n_draws)
    ]
    found = ask(scope, pattern, count, chain=chain, support="recordings", groups=groups, max_gap=max_gap)
    p = 10 ** found.log10_p[0]
    assert 0.002 < p < 0.9
    assert abs(np.mean(np.array(hits) >= count) - p) < 4 * math.sqrt(p * (1 - p) / n_draws)
    assert abs(np.mean(hits) - found.expected_recordings[0]) < 4 * np.std(hits) / math.sqrt(n_draws)


def test_equal_recordings_are_counted_together() -> None:
    groups = np.array([4, 4, 7, 7, 5, 9, 9])
    units = by_recording(np.array([3, 8, 8, 3, 3, 3, 3]), np.array([3, 8]), groups)
    assert units.times.tolist() == [2, 1, 1]  # 4 and 7 alike, 5, 9
    assert units.offsets.tolist() == [0, 2, 3, 4]
    assert units.length.tolist() == [0, 1, 0, 0] and units.phrases.tolist() == [1, 1, 1, 2]


def test_threads_do_not_change_the_result() -> None:
    rng = np.random.default_rng(4)
    x, offsets = rng.integers(1, 5, 900).astype(np.int8), np.arange(0, 901, 30)
    patterns, pattern_offsets, counts, _, m = mined(x, offsets)
    assert counts.size > 2 * 128
    for max_gap in (0, 1):
        held = np.minimum(counts, 30)
        one, two = (
            assess(
                x, offsets, patterns, pattern_offsets, counts, held, max_gap=max_gap, support="sequences",
                n_tested=m, n_threads=n,
            )
            for n in (1, 3)
        )  # fmt: skip
        for name in ("log10_p", "q_value", "expected_support", "method"):
            np.testing.assert_array_equal(getattr(one, name), getattr(two, name))


def test_a_law_too_wide_to_invert_is_bounded() -> None:
    n = 2_000_000
    log_hit, log_miss, times = np.log([0.5]), np.log([0.5]), np.array([n])
    for count in (n // 2 + 3000, n // 2 + 9000):
        value, exactly = count_tail.poisson_binomial_log_tail(log_hit, log_miss, times, count)
        far = (count - n / 2) / math.sqrt(n / 4)
        normal = math.log(0.5 * math.erfc(far / math.sqrt(2)))
        assert not exactly and normal < value < normal + math.log(10 * far)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.one_of(st.just(math.nan), st.floats(1e-200, 1.0)), max_size=12), st.integers(12, 500))
def test_q_agrees_with_the_twin(p: list[float], m: int) -> None:
    with np.errstate(divide="ignore"):
        q = benjamini_hochberg(np.log(np.array(p, np.float64)), m)
    np.testing.assert_allclose(q, plain.benjamini_hochberg(p, m), rtol=1e-9)


def mined(x: NDArray[np.int8], offsets: NDArray[np.int64]) -> tuple[Any, ...]:
    found: dict[tuple[int, ...], int] = {}
    for a, b in itertools.pairwise(offsets.tolist()):
        for m in range(1, 7):
            for i in range(a, b - m + 1):
                w = tuple(x[i : i + m].tolist())
                found[w] = found.get(w, 0) + 1
    kept = sorted(w for w, n in found.items() if n >= 3)
    patterns, pattern_offsets = flat([list(w) for w in kept])
    counts = np.array([found[w] for w in kept])
    return patterns, pattern_offsets, counts, np.ones_like(counts), len(found)


def test_the_order_of_patterns_does_not_matter() -> None:
    rng = np.random.default_rng(1)
    x, offsets = rng.integers(1, 5, 300).astype(np.int8), np.array([0, 100, 300])
    patterns, pattern_offsets, counts, support, m = mined(x, offsets)
    first = assess(
        x, offsets, patterns, pattern_offsets, counts, support, max_gap=0, support="occurrences", n_tested=m
    )
    order = rng.permutation(counts.size)
    pieces = [patterns[pattern_offsets[i] : pattern_offsets[i + 1]].tolist() for i in order]
    second = assess(
        x, offsets, *flat(pieces), counts[order], support[order], max_gap=0, support="occurrences", n_tested=m
    )
    for name in ("log10_p", "q_value", "expected_support", "expected_occurrences", "method", "surprise_bits"):
        np.testing.assert_array_equal(getattr(first, name)[order], getattr(second, name))
    assert (first.expected_support <= first.expected_occurrences * (1 + 1e-12)).all()
    assert set(first.method_names) == {"exact"} and first.null_order == fit(x, offsets).order


def test_a_planted_motif_is_called_and_noise_is_not() -> None:
    rng = np.random.default_rng(12)
    x, offsets = rng.integers(1, 9, 1200).astype(np.int8), np.array([0, 300, 700, 1200])
    for at in range(40, 1160, 200):
        x[at : at + 5] = [1, 8, 2, 7, 3]
    patterns, pattern_offsets, counts, support, m = mined(x, offsets)
    found = assess(
        x, offsets, patterns, pattern_offsets, counts, support, max_gap=0, support="occurrences", n_tested=m
    )
    called = [
        tuple(patterns[pattern_offsets[i] : pattern_offsets[i + 1]].tolist())
        for i in np.flatnonzero(found.q_value < 0.05)
    ]
    assert (1, 8, 2, 7, 3) in called
    pieces = [(1, 8, 2), (8, 2, 7), (2, 7, 3)]
    assert all(
        any(piece == w[i : i + 3] for piece in pieces for i in range(len(w))) or len(w) < 3 for w in called
    )
    n_false, n_shuffles = 0, 40
    for _ in range(n_shuffles):
        noise = rng.permutation(x)
        patterns, pattern_offsets, counts, support, m = mined(noise, offsets)
        found = assess(
            noise,
            offsets,
            patterns,
            pattern_offsets,
            counts,
            support,
            max_gap=0,
            support="occurrences",
            n_tested=m,
            given_occurrence=True,  # without it about 19 % of families of such short patterns have a false call
        )
        n_false += bool((found.q_value < 0.05).any())
    # at a true rate of 5 %, more than 6 of 40 would come once in 300 times
    assert n_false <= 6


@pytest.mark.parametrize(
    ("sequences", "pattern", "count", "p"),
    [
        ([[1] * 2000], [1] * 1998, 3, 1.0),  # nothing else can be written
        ([[1, 5] * 1000], [1, 5] * 20, 981, 1.0),  # either start, 980 or 981 of them
        ([[4]], [4], 1, 1.0),
        ([[1, 2, 1], [2]], [1, 2], 1, 1.0),
    ],
)
def test_constants_trills_and_the_tiny(
    sequences: list[list[int]], pattern: list[int], count: int, p: float
) -> None:
    found = ask(flat(sequences), pattern, count)
    assert 0 < 10 ** found.log10_p[0] <= p and found.log10_p[0] > -2


def test_no_patterns_no_sequences() -> None:
    none, zero = np.empty(0, np.int64), np.array([0])
    empty = assess(
        np.empty(0, np.int8),
        zero,
        np.empty(0, np.int8),
        zero,
        none,
        none,
        max_gap=0,
        support="occurrences",
        n_tested=0,
    )
    assert empty.log10_p.size == empty.q_value.size == empty.method.size == 0 and empty.null_order == 0


@pytest.mark.parametrize(
    ("pattern", "options", "says"),
    [
        ([9], {}, "symbol 9, which no sequence has"),
        ([], {}, "has no symbol"),
        ([1], {"n_tested": 0}, "n_tested"),
        ([1], {"support": "songs"}, "one of occurrences, sequences, recordings"),
        ([1], {"support": "recordings"}, "needs groups"),
        ([1], {"groups": np.array([1, 2])}, "1 sequences need 1 groups, got 2"),
        ([1], {"n_tested": None}, "with a gap only"),
        ([1], {"max_gap": -1}, "max_gap must be 0 or more"),
        ([1], {"max_gap": 2}, "contiguous patterns only"),
    ],
)
def test_what_cannot_be_is_said(pattern: list[int], options: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        ask(flat([[1, 2, 1]]), pattern, 1, **options)
