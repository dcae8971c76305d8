"""Pairs: who may be paired, that every such pair can come, and that a step's pairs are always the same."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from motifdb.errors import UsageError
from motifdb.training.encoders.pairs import PairSampler, fixed_pairs
from tests.reference.pairs import partners

SINGERS = list("aaaaabbbbccd")
RECORDINGS = [1, 1, 1, 2, 3, 4, 4, 5, 5, 6, 6, 7]


def sampler(*, literal: bool = False, seed: int = 0) -> PairSampler:
    return PairSampler(np.arange(12), SINGERS, RECORDINGS, seed=seed, literal=literal)


@settings(max_examples=60, deadline=None)
@given(
    clips=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2)), min_size=2, max_size=10),
    literal=st.booleans(),
    seed=st.integers(0, 99),
)
def test_partners_are_those_that_the_plain_way_lists(
    clips: list[tuple[int, int]], literal: bool, seed: int
) -> None:
    singer = [who for who, _ in clips]
    recording = [f"{who}/{what}" for who, what in clips]
    may = {
        same: {i: partners(i, singer, recording, same=same, literal=literal) for i in range(len(clips))}
        for same in (True, False)
    }
    assume(all(any(of.values()) for of in may.values()))
    rows = np.arange(len(clips)) + 50  # rows are names of clips, not places
    drawn = PairSampler(rows, singer, recording, seed=seed, literal=literal).draw(2_000)
    came: dict[bool, dict[int, set[int]]] = {True: {}, False: {}}
    for a, b, same in zip((drawn.a - 50).tolist(), (drawn.b - 50).tolist(), drawn.same.tolist(), strict=True):
        came[same].setdefault(a, set()).add(b)
    for same in (True, False):  # of 1,000 draws over at most 90 pairs none stays away but by a chance of 1e-4
        assert came[same] == {i: others for i, others in may[same].items() if others}


@pytest.mark.parametrize("literal", [False, True])
def test_half_of_each_batch_is_of_one_singer(literal: bool) -> None:
    pairs = sampler(literal=literal).batch(3, 32)
    assert len(pairs) == 32 and pairs.same.sum() == 16
    who = np.array(SINGERS)
    assert ((who[pairs.a] == who[pairs.b]) == pairs.same).all() and (pairs.a != pairs.b).all()
    n = [int(sampler().batch(step, 5).same.sum()) for step in range(40)]
    assert set(n) == {2, 3} and abs(np.mean(n) - 2.5) < 0.3  # an odd one is of either kind


def test_clips_come_equally_often() -> None:
    pairs = sampler(literal=True).draw(60_000)
    other = Counter(pairs.a[~pairs.same].tolist())
    assert all(abs(n / 30_000 - 1 / 12) < 0.008 for n in other.values()) and len(other) == 12
    own = Counter(pairs.a[pairs.same].tolist())
    assert set(own) == set(range(11))  # d has one clip
    assert all(abs(n / 30_000 - 1 / 11) < 0.008 for n in own.values())


def test_a_step_is_the_same_however_often_it_is_drawn() -> None:
    one, again, next_, seeded = (
        sampler().batch(7, 64),
        sampler().batch(7, 64),
        sampler().batch(8, 64),
        sampler(seed=1).batch(7, 64),
    )
    assert (one.a == again.a).all() and (one.b == again.b).all()
    assert (one.a != next_.a).any() and (one.a != seeded.a).any()
    assert (sampler().draw(64, 7).a != one.a).any()  # judging pairs are not those of a step


def test_fixed_pairs_come_once_and_one_to_one() -> None:
    pairs = fixed_pairs(np.arange(12), SINGERS, RECORDINGS, 12, seed=4)
    keys = {(min(p), max(p)) for p in zip(pairs.a.tolist(), pairs.b.tolist(), strict=True)}
    assert len(keys) == len(pairs) == 12 and pairs.same.sum() == 6
    # of one singer and two recordings there are 7 + 4 pairs here, so no more than 22 come
    assert len(fixed_pairs(np.arange(12), SINGERS, RECORDINGS, 1_000)) == 22


def test_singers_with_one_recording_are_named() -> None:
    assert sampler().notes == [
        "2 of 4 singers have one recording: they are in pairs of different singers only"
    ]
    assert sampler(literal=True).notes == [
        "1 of 4 singers have one clip: they are in pairs of different singers only"
    ]
    assert PairSampler(np.arange(4), list("aabb"), [1, 2, 3, 4]).notes == []
    with pytest.raises(UsageError, match=r"no singer has two recordings, so no pair .*--set literal=true"):
        PairSampler(np.arange(4), list("aabb"), [1, 1, 2, 2])
    with pytest.raises(UsageError, match="no singer has two clips"):
        PairSampler(np.arange(2), list("ab"), [1, 2], literal=True)
    with pytest.raises(UsageError, match="two singers at least, and there is 1"):
        PairSampler(np.arange(2), list("aa"), [1, 2])
    with pytest.raises(UsageError, match="two singers at least, and there are 0"):
        PairSampler(np.arange(0), [], [])
