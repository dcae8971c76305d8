"""Neighbours, rankings and pairs: equal to their plain twins, and chance and intervals are what they say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from motifdb.errors import UsageError
from motifdb.training.scores.draw_vectors import draw_tsne, tsne_points
from motifdb.training.scores.figures import Figure, bootstrap_mean
from motifdb.training.scores.neighbours import (
    knn_scores,
    map_scores,
    prepared,
    random_precision,
    ranking_scores,
)
from motifdb.training.scores.verification import Pairs, eer, eer_scores, pair_list
from tests.reference import neighbours as plain

FEW = settings(max_examples=40, deadline=None)

Case = tuple[list[tuple[int, int]], list[str | None], list[int]]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Vectors of small whole numbers, so that ties are many; labels, some unknown; keys that exclude."""
    n = draw(st.integers(3, 14))
    small = st.integers(0, 3)
    vectors = draw(st.lists(st.tuples(small, small), min_size=n, max_size=n))
    label = draw(st.lists(st.sampled_from(["a", "b", "c", None]), min_size=n, max_size=n))
    key = draw(st.lists(st.integers(0, n), min_size=n, max_size=n))
    return vectors, label, key


@FEW
@given(cases(), st.sampled_from([1, 2, 3, 5]))
def test_votes_are_those_of_the_loop(case: Case, k: int) -> None:
    vectors, label, key = case
    asked = plain.questions(label, key)
    if not asked:
        with pytest.raises(UsageError, match=r"neighbours"):
            knn_scores(np.array(vectors), label, ["g"] * len(label), exclude=key, n_bootstrap=0)
        return
    (figure,) = knn_scores(np.array(vectors), label, ["g"] * len(label), ks=(k,), exclude=key, n_bootstrap=0)
    most = max(len(plain.candidates(i, label, key)) for i in range(len(label)) if label[i] is not None)
    if most < k:
        assert figure.value is None
        return
    expected = plain.knn(vectors, label, key, k)
    assert figure.n == len(expected)
    assert figure.value == pytest.approx(np.mean(expected))
    if k == 1:
        shares = []
        for i in asked:
            others = plain.candidates(i, label, key)
            shares.append(np.mean([label[j] == label[i] for j in others]))
        assert figure.chance == pytest.approx(np.mean(shares))


@FEW
@given(cases())
def test_rankings_are_those_of_the_loop(case: Case) -> None:
    vectors, label, key = case
    found: list[tuple[float, float, bool]] = []
    for i in plain.questions(label, key):
        others = plain.candidates(i, label, key)
        is_relevant = [label[j] == label[i] for j in others]
        if not all(is_relevant):
            found.append(plain.ranking([plain.squared(vectors[i], vectors[j]) for j in others], is_relevant))
    if not found:
        with pytest.raises(UsageError):
            map_scores(np.array(vectors), label, ["g"] * len(label), exclude=key, n_bootstrap=0)
        return
    figures = map_scores(np.array(vectors), label, ["g"] * len(label), exclude=key, n_bootstrap=0)
    assert [f.metric for f in figures] == ["map", "auc", "first"]
    for figure, expected in zip(figures, zip(*found, strict=True), strict=True):
        assert figure.n == len(found)
        assert figure.value == pytest.approx(np.mean(expected))


def test_rankings_without_ties_are_those_of_scikit_learn() -> None:
    rng = np.random.default_rng(3)
    vectors = rng.normal(size=(40, 3))
    label = [str(v) for v in rng.integers(0, 4, 40)]
    precision, area, _ = map_scores(vectors, label, label, n_bootstrap=0)
    expected = []
    for i in range(40):
        others = [j for j in range(40) if j != i]
        near = [-float(((vectors[i] - vectors[j]) ** 2).sum()) for j in others]
        is_same = [label[j] == label[i] for j in others]
        expected.append((average_precision_score(is_same, near), roc_auc_score(is_same, near)))
    assert (precision.value, area.value) == pytest.approx(tuple(np.mean(expected, axis=0)))


@FEW
@given(st.integers(2, 8), st.data())
def test_a_random_order_has_the_precision_that_is_given_as_chance(n: int, data: st.DataObject) -> None:
    n_right = data.draw(st.integers(1, n))
    rng = np.random.default_rng(0)
    drawn = []
    for _ in range(400):
        is_relevant = rng.permutation(np.arange(n) < n_right).tolist()
        total, seen = 0.0, 0
        for rank, right in enumerate(is_relevant, start=1):
            seen += right
            total += right * seen / rank
        drawn.append(total / n_right)
    expected = float(random_precision(np.array([n]), np.array([n_right]))[0])
    assert expected == pytest.approx(np.mean(drawn), abs=0.06)


def crossed(
    singer_weight: float, song_weight: float, seed: int = 0
) -> tuple[np.ndarray, list[str], list[str]]:
    """10 singers by 4 songs, each vector a sum of both and noise."""
    rng = np.random.default_rng(seed)
    singers, songs = rng.normal(size=(10, 8)), rng.normal(size=(4, 8))
    rows = [(s, w) for s in range(10) for w in range(4)]
    vectors = [
        singer_weight * singers[s] + song_weight * songs[w] + 0.3 * rng.normal(size=8) for s, w in rows
    ]
    return np.array(vectors), [f"s{s}" for s, _ in rows], [f"w{w}" for _, w in rows]


def test_singer_and_song_are_told_apart_and_other_works_only_looks_across() -> None:
    vectors, singer, song = crossed(1.0, 0.1)
    by_singer = {f.metric: f for f in knn_scores(vectors, singer, singer)}
    by_song = {f.metric: f for f in knn_scores(vectors, song, singer)}
    assert by_singer["knn_1"].value == 1.0
    assert by_singer["knn_1"].chance == pytest.approx(3 / 39)
    assert by_song["knn_1"].chance == pytest.approx(9 / 39)
    assert by_song["knn_1"].value is not None and by_song["knn_1"].value < 0.3
    # a vector that is song above all: the singer is found only where the song may not be the neighbour
    vectors, singer, song = crossed(1.0, 6.0)
    free = knn_scores(vectors, singer, singer, ks=(1,))[0]
    across = knn_scores(vectors, singer, singer, ks=(1,), exclude=song)[0]
    assert free.value is not None and across.value is not None
    assert free.value < 0.2 and across.value > 3 * free.value
    assert across.chance == pytest.approx(3 / 30)


def test_a_guess_scores_chance_and_the_interval_holds_it() -> None:
    rng = np.random.default_rng(5)
    label = [f"s{i % 8}" for i in range(160)]
    figures = knn_scores(rng.normal(size=(160, 4)), label, [f"r{i // 2}" for i in range(160)])
    for figure in figures:
        assert figure.value is not None and figure.chance is not None
        assert abs(figure.value - figure.chance) < 0.08
        assert figure.low is not None and figure.high is not None
        assert figure.low <= figure.value <= figure.high
    # three or five random votes over eight even classes are about as good as one
    assert figures[2].chance == pytest.approx(19 / 159, abs=0.02)


def test_the_interval_is_over_groups_not_over_vectors() -> None:
    values = np.repeat([1.0, 0.0, 1.0, 1.0], 50)
    group = np.repeat(np.arange(4), 50)
    low, high = bootstrap_mean(values, group)
    assert low is not None and high is not None and high - low >= 0.5
    alone = bootstrap_mean(values, np.arange(200))
    assert alone[0] is not None and alone[1] is not None and alone[1] - alone[0] < 0.2
    assert bootstrap_mean(values, np.zeros(200, np.int64)) == (None, None)


def test_what_cannot_be_asked_is_a_sentence() -> None:
    vectors = np.eye(4)
    with pytest.raises(UsageError, match="needs two recordings at least"):
        knn_scores(vectors, list("abcd"), list("abcd"))
    with pytest.raises(UsageError, match="4 vectors and 3 of labels do not fit"):
        knn_scores(vectors, list("aab"), list("abcd"))
    with pytest.raises(UsageError, match="vector 2 of 4 holds what is no number"):
        knn_scores(np.array([[0.0], [np.nan], [1.0], [2.0]]), list("aabb"), list("abcd"))
    with pytest.raises(UsageError, match=r"shape \(n, d\)"):
        knn_scores(np.zeros(4), list("aabb"), list("abcd"))
    with pytest.raises(UsageError, match="cosine"):
        prepared(vectors, "cosin")
    with pytest.raises(UsageError, match="1 or more"):
        knn_scores(vectors, list("aabb"), list("abcd"), ks=(0,))
    with pytest.raises(UsageError, match="something else to choose from"):
        map_scores(vectors, list("aaaa"), list("abcd"))


def test_singers_with_one_recording_ask_nothing_but_stay_neighbours() -> None:
    vectors = np.array([[0.0], [1.0], [0.4], [5.0], [6.0]])
    (figure,) = knn_scores(vectors, ["a", "a", "lone", "b", "b"], list("vwxyz"), ks=(1,))
    assert figure.n == 4 and figure.about["n_alone"] == 1
    assert figure.value == 0.5  # both of a have the lone one nearer


def test_scaled_columns_count_alike_when_standardised_and_length_is_lost_under_cosine() -> None:
    vectors = np.array([[0.0, 100.0], [0.1, 900.0], [1.0, 120.0], [1.1, 880.0]])
    label = list("aabb")
    assert knn_scores(vectors, label, label, ks=(1,))[0].value == 0.0
    scaled = vectors * [1000.0, 0.001]
    left = knn_scores(vectors, label, label, ks=(1,), distance="standardised")[0].value
    assert left == knn_scores(scaled, label, label, ks=(1,), distance="standardised")[0].value
    np.testing.assert_allclose(prepared(vectors * 3.0, "cosine"), prepared(vectors, "cosine"))


# -- pairs -------------------------------------------------------------------------------------------------


def test_pairs_are_fixed_distinct_and_half_of_each_kind() -> None:
    label = [f"s{i % 6}" for i in range(60)]
    work = [i // 6 for i in range(60)]
    pairs = pair_list(label, 101, seed=4, exclude=work)
    again = pair_list(label, 101, seed=4, exclude=work)
    assert np.array_equal(pairs.a, again.a) and np.array_equal(pairs.b, again.b)
    assert len(pairs) == 100 and pairs.same.sum() == 50
    assert len(set(zip(pairs.a.tolist(), pairs.b.tolist(), strict=True))) == 100
    for a, b, same in zip(pairs.a.tolist(), pairs.b.tolist(), pairs.same.tolist(), strict=True):
        assert a < b and (label[a] == label[b]) == same and work[a] != work[b]
    assert not np.array_equal(pair_list(label, 101, seed=5, exclude=work).a, pairs.a)


def test_drawing_pairs_one_by_one_draws_every_pair_as_often(monkeypatch: pytest.MonkeyPatch) -> None:
    label: list[str | None] = ["a"] * 6 + ["b"] * 3 + [None] + ["c"]
    monkeypatch.setattr("motifdb.training.scores.verification._ENUMERATED", 1)
    counts: dict[tuple[int, int], int] = {}
    for seed in range(300):
        pairs = pair_list(label, 12, seed=seed)
        assert len(pairs) == 12
        for a, b, same in zip(pairs.a.tolist(), pairs.b.tolist(), pairs.same.tolist(), strict=True):
            assert a < b and (label[a] == label[b]) == same and 9 not in (a, b)
            counts[a, b] = counts.get((a, b), 0) + 1
    same_counts = [n for (a, b), n in counts.items() if label[a] == label[b]]
    assert len(same_counts) == 15 + 3  # every pair of a, every pair of b
    assert max(same_counts) < 1.7 * min(same_counts)


def test_few_pairs_are_all_taken_and_none_is_a_sentence() -> None:
    pairs = pair_list(list("aabbcd"), 100)
    assert len(pairs) == 4 and pairs.same.sum() == 2
    with pytest.raises(UsageError, match="a singer needs two recordings at least"):
        pair_list(list("abcd"), 10)
    with pytest.raises(UsageError, match="have different labels"):
        pair_list(list("aaaa"), 10)
    with pytest.raises(UsageError, match="2 pairs or more"):
        pair_list(list("aabb"), 1)


pair_cases = st.lists(
    st.tuples(st.integers(0, 6), st.booleans(), st.integers(1, 3)), min_size=2, max_size=20
).filter(lambda rows: len({same for _, same, _ in rows}) == 2)


@FEW
@given(pair_cases)
def test_equal_error_rates_are_those_of_the_loop(rows: list[tuple[int, bool, int]]) -> None:
    distance, same, times = (list(column) for column in zip(*rows, strict=True))
    assert eer(np.array(distance, float), np.array(same)) == pytest.approx(plain.eer(distance, same))
    # a pair of weight 3 is three pairs: what the bootstrap stands on
    repeated = np.repeat(np.arange(len(rows)), times)
    heavy = eer(np.array(distance, float)[repeated], np.array(same)[repeated])
    assert heavy == pytest.approx(plain.eer(distance, same, times))


def test_eer_of_perfect_worthless_and_reversed_distances() -> None:
    same = np.array([True] * 4 + [False] * 4)
    assert eer(np.arange(8.0), same) == 0.0
    assert eer(np.zeros(8), same) == 0.5
    assert eer(-np.arange(8.0), same) == 1.0
    with pytest.raises(UsageError, match="pairs of one label and pairs of two"):
        eer(np.zeros(3), np.ones(3, bool))


def test_eer_scores_draw_groups_and_their_pairs_together() -> None:
    vectors, singer, song = crossed(1.0, 1.0)
    pairs = pair_list(singer, 120, exclude=song)
    rate, area = eer_scores(vectors, pairs, singer)
    far = ((vectors[pairs.a] - vectors[pairs.b]) ** 2).sum(1)
    assert rate.value == pytest.approx(plain.eer(far.tolist(), pairs.same.tolist()))
    assert area.value == pytest.approx(roc_auc_score(pairs.same, -far))
    assert rate.low is not None and rate.high is not None and rate.value is not None
    assert rate.low < rate.value < rate.high and rate.chance == 0.5 and rate.n == len(pairs)
    # one draw by hand: singer i drawn i mod 3 times
    times = {name: i % 3 for i, name in enumerate(sorted(set(singer)))}
    weight = [
        float(times[singer[a]] if singer[a] == singer[b] else times[singer[a]] * times[singer[b]])
        for a, b in zip(pairs.a.tolist(), pairs.b.tolist(), strict=True)
    ]
    from motifdb.training.scores.verification import _Ranked

    drawn = _Ranked.of(far, pairs.same).figures(np.array([weight]))[0][0]
    assert drawn == pytest.approx(plain.eer(far.tolist(), pairs.same.tolist(), weight))


def test_pairs_within_one_group_have_no_interval() -> None:
    pairs = Pairs(np.array([0, 0]), np.array([1, 2]), np.array([True, False]), {})
    rate, _ = eer_scores(np.array([[0.0], [1.0], [5.0]]), pairs, ["g"] * 3)
    assert (rate.value, rate.low, rate.high) == (0.0, None, None)


# -- pictures ----------------------------------------------------------------------------------------------


def test_the_picture_keeps_neighbours_and_is_written(tmp_path: Path) -> None:
    vectors, singer, song = crossed(3.0, 0.1)
    points = tsne_points(vectors)
    assert points.shape == (40, 2)
    found = knn_scores(points, singer, singer, ks=(1,), n_bootstrap=0)[0].value
    assert found is not None and found > 0.9
    draw_tsne(vectors, {"singer": singer, "song": song}, tmp_path / "t.png", title="vectors")
    assert (tmp_path / "t.png").stat().st_size > 10_000
    with pytest.raises(UsageError, match="cannot be written as an image"):
        draw_tsne(vectors, {"singer": singer}, tmp_path / "t.txt")
    with pytest.raises(UsageError, match=r"is of 4 to 5,000 vectors, got 3"):
        tsne_points(vectors[:3])
    with pytest.raises(UsageError, match="40 points and 2 values of singer"):
        from motifdb.plots.vectors import plot_points

        plot_points(points, {"singer": ["a", "b"]}, tmp_path / "u.png")


def test_no_two_of_many_names_look_alike() -> None:
    from motifdb.plots.vectors import style

    assert len({style(i) for i in range(56)}) == 56


def test_a_figure_reads_as_text() -> None:
    assert str(Figure("p", "knn_1", 0.25, 0.0, 0.5)) == ".250 (.000 to .500)"


def test_questions_without_both_kinds_are_refused() -> None:
    with pytest.raises(UsageError, match="pattern: nobody has both"):
        ranking_scores(
            np.eye(3),
            lambda rows: np.zeros((len(rows), 3), bool),
            lambda rows: np.ones((len(rows), 3), bool),
            np.arange(3),
            protocol="pattern",
        )
