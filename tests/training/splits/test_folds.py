"""Sides of clips: groups stay whole, folds cover, classes are balanced, the seed is all that is random."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from motifdb.errors import UsageError
from motifdb.training.splits.dividing import TEST, TRAIN, VALID, Keys, Split, SplitConfig, split_clips
from motifdb.training.splits.folds import united


def keys(n: int, seed: int) -> Keys:
    """Clips whose contents belong to one island, and mostly to one group."""
    rng = np.random.default_rng(seed)
    content = rng.integers(0, n, n)
    island, group = rng.integers(0, 10, n), rng.integers(0, 8, n)
    label = rng.choice(["x", "y", "z", ""], n, p=[0.5, 0.2, 0.2, 0.1])
    stray = rng.random(n)
    return Keys(
        [f"clip {i:02d}" for i in range(n)],
        [v or None for v in label.tolist()],
        [
            None if s < 0.1 else f"g{group[0] if s < 0.2 else group[c]}"
            for c, s in zip(content, stray, strict=True)
        ],
        [f"c{c}" for c in content],
        [f"i{island[c]}" for c in content],
    )


configs = st.builds(
    SplitConfig,
    method=st.sampled_from(["random", "grouped", "kfold", "held-out"]),
    by=st.just(("take",)),
    unit=st.sampled_from(["files", "contents"]),
    folds=st.sampled_from([None, 2, 3]),
    test_share=st.sampled_from([0.2, 0.5]),
    valid_share=st.sampled_from([0.0, 0.2]),
    seed=st.integers(0, 3),
    stratified=st.booleans(),
    merge_shared=st.booleans(),
    allow_leak=st.booleans(),
    drop_rare=st.booleans(),
)


@settings(max_examples=50, deadline=None)
@given(st.builds(keys, st.integers(4, 60), st.integers(0, 1000)), configs)
def test_groups_stay_whole_and_folds_cover(known: Keys, config: SplitConfig) -> None:
    if config.method == "random":
        config = replace(config, by=(), merge_shared=False)
        known = replace(known, group=known.content)
    try:
        split = split_clips(config, known)
    except UsageError:
        assume(False)
        return
    rows = split.rows.tolist()
    assert len(set(rows)) == len(rows) and all(known.label[i] == split.label[j] for j, i in enumerate(rows))
    for part in split.part:
        _whole(split.group, part == TEST)
        trained = {split.label[j] for j in np.flatnonzero(part == TRAIN)}
        assert trained >= {split.label[j] for j in np.flatnonzero(part != TRAIN)}
        if config.merge_shared:
            _whole([known.sound[i] for i in rows], part == TEST)
        if not config.by or config.merge_shared or config.allow_leak or config.unit == "contents":
            _whole([known.content[i] for i in rows], part == TEST)
            learnt = part != TEST
            _whole([known.content[i] for i in split.rows[learnt]], part[learnt] == VALID)
    if config.method == "kfold":
        assert ((split.part == TEST).sum(0) == 1).all()
    if config.unit == "contents":
        assert len({known.content[i] for i in rows}) == len(rows)
    again = split_clips(config, known)
    assert np.array_equal(again.part, split.part) and again.group == split.group


def _whole(names: object, is_in: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> None:
    """No name is on two sides."""
    inside = {n for n, there in zip(names, is_in, strict=True) if there}  # type: ignore[call-overload]
    outside = {n for n, there in zip(names, is_in, strict=True) if not there}  # type: ignore[call-overload]
    assert not inside & outside


def of(label: str, group: str, content: str | None = None) -> Keys:
    """One clip per letter."""
    names = [f"{i:03d}" for i in range(len(label))]
    own = list(content) if content else names
    return Keys(names, list(label), list(group), own, own)


def sizes(split: Split, fold: int = 0) -> dict[str, Counter[str]]:
    return {
        name: Counter(split.label[i] for i in np.flatnonzero(split.part[fold] == part))
        for part, name in ((TRAIN, "train"), (VALID, "valid"), (TEST, "test"))
    }


def test_a_random_split_has_every_class_by_its_share() -> None:
    known = of("a" * 60 + "b" * 30 + "c" * 10, "".join(chr(i + 200) for i in range(100)))
    split = split_clips(SplitConfig("random", valid_share=0.25), known)
    assert sizes(split) == {
        "train": {"a": 36, "b": 18, "c": 6},
        "valid": {"a": 12, "b": 6, "c": 2},
        "test": {"a": 12, "b": 6, "c": 2},
    }
    others = [split_clips(SplitConfig("random", seed=s), known).part[0] for s in (0, 1)]
    assert not np.array_equal(*others)


def test_folds_of_groups_are_as_alike_as_groups_allow() -> None:
    # every group has two of a; every second one of b too
    known = of("aab" * 6 + "aa" * 6, "".join(c * 3 for c in "ABCDEF") + "".join(c * 2 for c in "GHIJKL"))
    split = split_clips(SplitConfig("kfold", by=("take",), folds=3, valid_share=0), known)
    assert [sizes(split, f)["test"] for f in range(3)] == [{"a": 8, "b": 2}] * 3


def test_each_class_holds_out_its_groups_in_turn() -> None:
    known = of("aaabb" + "ab", "PQRST" + "ZZ")
    split = split_clips(SplitConfig("held-out", by=("source",), valid_share=0), known)
    held = [{split.group[i] for i in np.flatnonzero(part == TEST)} for part in split.part]
    assert held == [{"P", "S"}, {"Q", "T"}, {"R", "S"}]
    assert "1 group has clips of several classes (Z): 2 clips left out" in split.notes


def test_validation_takes_no_class_out_of_train() -> None:
    known = of("aaaabbbb", "PPQQRRSS")
    split = split_clips(SplitConfig("held-out", by=("source",), valid_share=0.5), known)
    for fold in range(2):
        assert sizes(split, fold) == {
            "train": {"a": 1, "b": 1},
            "valid": {"a": 1, "b": 1},
            "test": {"a": 2, "b": 2},
        }
    assert any("one group of source to learn from" in note for note in split.notes)


def test_groups_that_share_sound_can_be_one() -> None:
    known = replace(of("aaaabbbb", "PQRSTUVW"), sound=list("ppqrstuv"))
    split = split_clips(SplitConfig("kfold", by=("take",), folds=2, merge_shared=True), known)
    assert split.group[:3] == ("P & Q", "P & Q", "R")
    assert "groups that share sound are one: 8 became 7, such as P & Q" in split.notes


def test_one_clip_of_each_content_and_none_under_two_classes() -> None:
    known = of("aababba", "PQRSTUV", content="ccddefg")
    split = split_clips(SplitConfig("random", unit="contents", test_share=0.5, valid_share=0), known)
    assert (split.rows.tolist(), split.label) == ([0, 4, 5, 6], ("a", "b", "b", "a"))
    assert "1 content is under several classes: left out" in split.notes


@pytest.mark.parametrize(
    ("label", "group", "config", "said"),
    [
        ("aab", "PQR", SplitConfig("kfold", by=("take",), folds=2), "1 class has only one group of take"),
        ("aaa", "PQR", SplitConfig("kfold", by=("take",), folds=2), "there is nothing to learn"),
        (
            "abab",
            "PPQQ",
            SplitConfig("kfold", by=("take",), folds=3),
            "3 folds need as many groups, and there are 2",
        ),
        ("aabb", "PQRS", SplitConfig("held-out", by=("take",), folds=3), "no class has more than 2"),
        (
            "ab",
            "PP",
            SplitConfig("grouped", by=("take",), allow_unseen=True),
            "all clips are in one group of take",
        ),
    ],
)
def test_what_cannot_be_divided_is_said(label: str, group: str, config: SplitConfig, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        split_clips(config, of(label, group))


def test_rare_classes_can_go_or_stay() -> None:
    known = of("aaaabbbbc", "PQRSTUVWX")
    dropped = split_clips(SplitConfig("kfold", by=("take",), folds=2, drop_rare=True), known)
    assert set(dropped.label) == {"a", "b"} and any("'c': 1 clips left out" in n for n in dropped.notes)
    kept = split_clips(SplitConfig("kfold", by=("take",), folds=2, allow_unseen=True), known)
    assert "c" in kept.label and any(n.startswith("tested without being in train: 'c'") for n in kept.notes)


def test_clips_that_share_any_key_are_one() -> None:
    keys = [np.array([0, 0, 1, 2, -1, -1]), np.array([5, 6, 6, 7, 8, 7])]
    assert united(keys).tolist() == [0, 0, 0, 1, 2, 1]
