"""Splits in a database: stored once, by labels of files and recordings, with sentences for what cannot be."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from motifdb.catalog.store import open_writer
from motifdb.cli import app
from motifdb.errors import MotifdbError, NotFoundError, UsageError
from motifdb.query.check import check
from motifdb.training.clips.clip_facts import facts_of
from motifdb.training.splits.dividing import TRAIN, VALID, SplitConfig
from motifdb.training.splits.examples import find_clips, find_split, load_examples, split_folds
from motifdb.training.splits.split_job import Made, SplitOptions, run_split
from tests.training.small import Small, make_small


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Small:
    """Tones of three singers, three files of them twice."""
    return make_small(tmp_path_factory.mktemp("splits"), n_copies=3)


def divide(small: Small, config: SplitConfig, name: str | None = None) -> Made:
    with open_writer(small.path) as writer:
        return run_split(SplitOptions(config, name=name), writer)


def test_examples_are_the_clips_of_a_fold(small: Small) -> None:
    snapshot = small.snapshot
    assert split_folds(snapshot, small.split_id) == (0, 1, 2, 3)
    assert (
        find_split(snapshot, small.split_id[:6]) == small.split_id and find_clips(snapshot) == small.clips_id
    )
    tested = []
    for fold in range(4):
        examples = load_examples(snapshot, small.split_id, fold)
        assert len(examples) == 27 and examples.classes == ("asa", "bel", "cem")
        assert list(examples.clip_id) == sorted(examples.clip_id)
        assert sorted(np.concatenate([examples.rows(p) for p in ("train", "valid", "test")])) == list(
            range(27)
        )
        for row in range(27):
            samples = small.pcm[examples.recording_id[row]]
            assert examples.end_s[row] - examples.start_s[row] == len(samples) / 16_000
        tested += [examples.clip_id[i] for i in examples.rows("test")]
    assert sorted(tested) == sorted(examples.clip_id)
    with pytest.raises(UsageError, match="no part 'tests'; did you mean 'test'"):
        examples.rows("tests")
    with pytest.raises(NotFoundError, match="has no fold 4; its folds are 0 to 3"):
        load_examples(snapshot, small.split_id, 4)


def test_the_same_division_is_stored_once(small: Small) -> None:
    config = SplitConfig("grouped", "singer", ("work",), seed=3)
    first, commit = divide(small, config), small.snapshot.commit
    again = divide(small, config)
    assert (first.is_new, again.is_new, again.split_id) == (True, False, first.split_id)
    assert small.snapshot.commit == commit
    assert divide(small, SplitConfig("grouped", "singer", ("work",), seed=4)).split_id != first.split_id
    # each singer has one group to learn from: validation cuts it, and the check knows
    made = divide(small, SplitConfig("held-out", "singer", ("singer", "style"), valid_share=0.3))
    groups = list(zip(made.split.group, made.split.part[0].tolist(), strict=True))
    assert {p for g, p in groups if g == "asa + slow"} == {TRAIN, VALID}
    assert [str(v) for v in check(small.snapshot)] == []


def test_copies_travel_together_unless_as_published(small: Small) -> None:
    facts = facts_of(small.snapshot, small.clips_id)
    assert len(set(facts.content)) == 24 and len(facts) == 27
    for seed in range(5):
        made = divide(small, SplitConfig("random", seed=seed, test_share=0.5))
        examples = load_examples(small.snapshot, made.split_id, 0)
        for part in ("train", "valid", "test"):
            rest = {r for r, p in zip(examples.recording_id, examples.part, strict=True) if p != part}
            assert not rest & {examples.recording_id[i] for i in examples.rows(part)}
    made = divide(small, SplitConfig("random", as_published=True, test_share=0.5, folds=4))
    assert set(made.split.group) == set(facts.clip_id)


def test_labels_of_files_and_keys_of_clips(small: Small) -> None:
    facts = facts_of(small.snapshot, small.clips_id)
    assert facts.label_names == ("singer", "style", "take", "work")
    assert set(facts.key("label.take")) == {*map(str, range(8)), "copy"} and facts.key("take") == facts.key(
        "label.take"
    )
    assert facts.key("recording") == list(facts.recording_id) and facts.key("clip") == list(facts.clip_id)
    with pytest.raises(NotFoundError, match="no file has a label 'singr'; did you mean 'singer'"):
        facts.key("singr")
    with pytest.raises(NotFoundError, match="`motifdb audit` finds the islands"):
        facts.key("island")


def test_a_clip_of_a_recording_has_the_label_its_files_agree_on(small: Small) -> None:
    from dataclasses import replace

    facts = facts_of(small.snapshot, small.clips_id)
    of_recordings = replace(facts, kind=("motif",) * len(facts), file=(None,) * len(facts))
    assert of_recordings.label("singer") == facts.label("singer")
    copied = {
        r for r, f in zip(facts.recording_id, facts.file, strict=True) if f and f[1].startswith("copies")
    }
    takes = of_recordings.label("take")
    assert {r for r, t in zip(facts.recording_id, takes, strict=True) if t is None} == copied
    assert takes.count(None) == 6 and None not in facts.label("take")
    assert len(set(of_recordings.content)) == 24


def test_another_split_can_be_followed(small: Small) -> None:
    config = SplitConfig("kfold", "style", ("recording",), folds=2, like=small.split_id)
    made = divide(small, config)
    for fold in range(4):
        one, other = (load_examples(small.snapshot, s, fold) for s in (small.split_id, made.split_id))
        assert one.part.tolist() == other.part.tolist() and other.classes == ("fast", "slow")


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (SplitConfig("kfolds"), "did you mean 'kfold'"),
        (SplitConfig("grouped"), "--method grouped needs --by"),
        (SplitConfig("random", by=("work",)), "a random split has no --by"),
        (SplitConfig("kfold", folds=1), "for kfold 2 or more"),
        (SplitConfig("random", test_share=1.5), "--test is a share between 0 and 1, got 1.5"),
        (SplitConfig(label="sinegr"), "did you mean 'singer'"),
        (SplitConfig(by=("island",)), "`motifdb audit` finds the islands"),
        (
            SplitConfig(by=("work",), folds=4),
            "4 folds need as many groups, and there are 3 of work; --folds 3",
        ),
        (SplitConfig(by=("singer",), folds=3), "only one group of singer"),
        (SplitConfig(like="nothing"), "there is no split 'nothing'"),
    ],
)
def test_what_cannot_be_is_said(small: Small, config: SplitConfig, said: str) -> None:
    with pytest.raises(MotifdbError, match=said):
        divide(small, config)


def test_a_taken_name_is_refused(small: Small) -> None:
    divide(small, SplitConfig("random", seed=9), "mine")
    divide(small, SplitConfig("random", seed=9), "mine")
    with pytest.raises(UsageError, match="the name 'mine' is taken by split"):
        divide(small, SplitConfig("random", seed=10), "mine")


def test_the_command_prints_the_report(small: Small) -> None:
    options = [
        "split",
        "--db",
        str(small.path),
        "--method",
        "random",
        "--as-published",
        "--test",
        "0.5",
        "--seed",
        "1",
    ]
    result = CliRunner().invoke(app, options)
    assert result.exit_code == 0, result.output
    assert "27 clips in 27 groups, 1 fold" in result.output and "no audit is stored" in result.output
    said = json.loads(CliRunner().invoke(app, [*options, "--format", "json"]).output)
    assert not said["is_new"] and said["folds"][0]["test"] == 14
    assert said["folds"][0]["leaks"]["same-content"]["clips"] > 0


def test_splits_are_found_by_the_beginning_of_a_name(small: Small) -> None:
    made = divide(small, SplitConfig("kfold", "work", ("recording",), folds=2, valid_share=0))
    assert made.name == "kfold by recording of work, seed 0, 2 folds, valid 0"
    assert find_split(small.snapshot, "kfold by recording of work") == made.split_id
    divide(small, SplitConfig("kfold", "work", ("recording",), folds=2))
    with pytest.raises(
        UsageError, match="several splits begin with 'kfold by recording of w': 'kfold by rec"
    ):
        find_split(small.snapshot, "kfold by recording of w")


def test_no_clips_names_the_commands_that_make_them(tmp_path: Path) -> None:
    from motifdb.catalog.store import create

    create(tmp_path / "x.motifdb")
    result = CliRunner().invoke(app, ["split", "--db", str(tmp_path / "x.motifdb")])
    assert isinstance(result.exception, NotFoundError) and "motifdb clips --kind motif" in str(
        result.exception
    )
