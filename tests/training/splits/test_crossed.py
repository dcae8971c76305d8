"""Crossed splits: complete tables, nothing of one part in another, and sentences where nothing crosses."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from motifdb.catalog.store import Changes, open_writer
from motifdb.cli import app
from motifdb.errors import NotFoundError, UsageError
from motifdb.query.check import check
from motifdb.training.splits.crossed import Crossing, cross
from motifdb.training.splits.dividing import PARTS, SplitConfig
from motifdb.training.splits.examples import load_examples
from motifdb.training.splits.leaks import leak_report
from motifdb.training.splits.split_job import Made, SplitOptions, run_split
from tests.reference.crossed import is_possible
from tests.training.small import Small, make_small

Cells = set[tuple[str, str]]


def table(n_singers: int, n_works: int) -> Cells:
    return {(f"s{s:02}", f"w{w:02}") for s in range(n_singers) for w in range(n_works)}


def require_complete(found: Crossing, cells: Cells, works: tuple[int, int, int]) -> None:
    """Every singer of a part sang every work of it; a mapping cannot have a name in two parts."""
    for singer, part in found.singers.items():
        assert {w for w, p in found.works.items() if p == part} <= {w for s, w in cells if s == singer}
    assert [n for _, n in found.sizes()] == list(works)
    assert all(n >= 2 for n, _ in found.sizes())


def test_a_complete_table_is_divided_by_shares_and_wholly_used() -> None:
    found = cross(table(24, 14), (6, 4, 4))
    require_complete(found, table(24, 14), (6, 4, 4))
    assert found.sizes() == [(12, 6), (6, 4), (6, 4)] and found.is_best
    assert cross(table(24, 14)).sizes() == found.sizes()
    assert cross(table(8, 6)).sizes() == [(4, 2), (2, 2), (2, 2)]
    assert cross(table(8, 6), (2, 2, 2), (2, 3, 3)).sizes() == [(2, 2), (3, 2), (3, 2)]
    assert cross(table(8, 6), (2, 0, 3)).sizes()[1] == (0, 0)


def test_the_seed_decides_among_equally_good_ones_and_the_same_is_the_same() -> None:
    assert cross(table(8, 6), seed=3) == cross(table(8, 6), seed=3)
    assert len({tuple(cross(table(8, 6), seed=seed).works.items()) for seed in range(4)}) > 1


def test_the_shape_of_damp_balanced_is_found() -> None:
    # who tests sang four works that nobody else did, who trains and validates sang six and four others
    groups = ((46, range(6)), (22, range(6, 10)), (56, range(10, 14)))
    cells: Cells = set()
    at = 0
    for n, works in groups:
        cells |= {(f"s{s}", f"w{w:02}") for s in range(at, at + n) for w in works}
        at += n
    # and many more sang one or two of the first ten
    rng = np.random.default_rng(0)
    cells |= {(f"t{s}", f"w{w:02}") for s in range(200) for w in rng.choice(10, 2, replace=False)}
    found = cross(cells, (6, 4, 4))
    require_complete(found, cells, (6, 4, 4))
    assert sorted(found.sizes()) == [(22, 4), (46, 6), (56, 4)]


@settings(max_examples=25, deadline=None)
@given(st.sets(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=18))
def test_tables_are_found_where_there_are_any(drawn: set[tuple[int, int]]) -> None:
    cells = {(f"s{s}", f"w{w}") for s, w in drawn}
    if len({w for _, w in cells}) >= 6 and is_possible(cells, (2, 2, 2)):
        require_complete(cross(cells, (2, 2, 2)), cells, (2, 2, 2))
    else:
        with pytest.raises(UsageError):
            cross(cells, (2, 2, 2))


def test_what_does_not_cross_is_said() -> None:
    with pytest.raises(UsageError, match="--works 6/4/4 asks for 14 values of work, and there are 6"):
        cross(table(8, 6), (6, 4, 4))
    with pytest.raises(UsageError, match="--singers 9/2/2 asks for 13 values of singer, and there are 8"):
        cross(table(8, 6), None, (9, 2, 2))
    with pytest.raises(UsageError, match="nobody sang two works"):
        cross({(f"s{i}", f"w{i % 3}") for i in range(9)})
    with pytest.raises(UsageError, match="no value of work is shared by two values of singer"):
        cross({(f"s{i}", f"w{i}{j}") for i in range(4) for j in range(4)})
    # twelve works, of which every singer sang six: no part can have eight
    halves = {(s, w) for s, w in table(8, 12) if (int(s[1:]) % 2) == (int(w[1:]) % 2)}
    with pytest.raises(UsageError, match=r"no complete tables of 8/2/2 .*--works \d/\d/\d is possible"):
        cross(halves, (8, 2, 2))
    with pytest.raises(UsageError, match=r"no complete tables of 2/2/2"):
        cross({("a", f"w{i}") for i in range(6)} | {("b", f"w{i}") for i in range(6)})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"works": (6, 4)}, "6/4/4"),
        ({"works": (4, 1, 1)}, "each 2 or more"),
        ({"works": (4, 0, 2), "singers": (2, 2, 2)}, "must agree"),
        ({"by": ("singer",)}, "takes two labels"),
        ({"by": ("work", "work")}, "takes two labels"),
        ({"merge_shared": True}, "not for it"),
        ({"method": "kfold", "by": ("work",), "works": (2, 2, 2)}, "needs --crossed"),
    ],
)
def test_settings_that_cannot_be_are_refused(changes: dict[str, object], message: str) -> None:
    config = {"method": "crossed", "by": ("singer", "work"), **changes}
    with pytest.raises(UsageError, match=message):
        SplitConfig(**config).check()  # type: ignore[arg-type]


def test_other_splits_keep_the_parameters_that_made_their_ids() -> None:
    assert not {"works", "singers"} & set(SplitConfig().parameters())
    crossed = SplitConfig("crossed", by=("singer", "work"), works=(6, 4, 4))
    assert SplitConfig.from_parameters(json.loads(json.dumps(crossed.parameters()))) == crossed


# -- in a database -----------------------------------------------------------------------------------------

SIX = tuple(f"singer {i}" for i in range(6))
CONFIG = SplitConfig("crossed", by=("singer", "take"), works=(2, 2, 2))


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Small:
    """Six singers with six takes each: a complete table."""
    return make_small(tmp_path_factory.mktemp("crossed"), classes=SIX, n_each=6, duration_s=0.1, split=None)


def divide(small: Small, config: SplitConfig, name: str | None = None) -> Made:
    with open_writer(small.path) as writer:
        return run_split(SplitOptions(config, name=name), writer)


def test_clips_of_a_crossed_split_share_neither_singer_nor_work_nor_sound(small: Small) -> None:
    made = divide(small, CONFIG)
    assert made.name == "crossed singer take, take 2/2/2, seed 0"
    examples = load_examples(small.snapshot, made.split_id, 0)
    cells = {p: {tuple(examples.group[i].split(" + ")) for i in examples.rows(p)} for p in PARTS}
    for part in PARTS:
        singers, takes = ({cell[side] for cell in cells[part]} for side in (0, 1))
        assert cells[part] == {(s, t) for s in singers for t in takes}, "a complete table"
        assert (len(singers), len(takes)) == (2, 2)
        assert {examples.classes[examples.label[i]] for i in examples.rows(part)} == singers
    for side in (0, 1):
        names = [{cell[side] for cell in cells[part]} for part in PARTS]
        assert len(set().union(*names)) == sum(map(len, names)), "nothing in two parts"
    report = leak_report(small.snapshot, made.split_id, 0)
    assert not report.is_leaking and report.n_valid_shares == 0
    assert report.labels["take"].n == 0
    assert any("12 of 36 pairs of singer and take are in a table" in note for note in made.split.notes)
    assert not divide(small, CONFIG).is_new
    assert list(check(small.snapshot)) == []


def test_the_command_divides_and_says_what_it_cannot(small: Small) -> None:
    def run(*more: str) -> tuple[int, str]:
        ran = CliRunner().invoke(app, ["split", "--db", str(small.path), *more])
        assert ran.exception is None or isinstance(ran.exception, UsageError | NotFoundError | SystemExit)
        return ran.exit_code, ran.output + str(ran.exception or "")

    code, text = run("--crossed", "singer", "take", "--works", "2/2/2", "--seed", "1")
    assert code == 0 and "train: 2 of singer × 2 of take" in text and "take 0.0" in text
    assert "train sid-2020-small" not in text, "its classes cannot be learnt: they are new to who tests"
    for arguments, message in (
        (("--crossed", "singer", "take", "--works", "6/4/4"), "asks for 14 values of take, and there are 6"),
        (("--crossed", "singer", "take", "--works", "six"), "such as 6/4/4, got 'six'"),
        (("--crossed", "singer", "tak"), "did you mean 'take'"),
        (("--crossed", "singer", "work"), "no complete tables of 2/2/2"),
        (("--works", "2/2/2"), "needs --crossed"),
    ):
        code, text = run(*arguments)
        assert code != 0 and message in text, text


def test_tables_that_share_sound_are_refused(tmp_path: Path) -> None:
    small = make_small(tmp_path, classes=SIX, n_each=6, duration_s=0.1, split=None)
    made = divide(small, CONFIG)
    examples = load_examples(small.snapshot, made.split_id, 0)
    train, test = (examples.recording_id[examples.rows(p)[0]] for p in ("train", "test"))
    with open_writer(small.path) as writer:
        rows = writer.snapshot.table("recordings", None, f"recording_id in ('{train}', '{test}')")
        same = [row | {"audio_hash": "equal"} for row in rows.to_pylist()]
        changes = Changes(
            append={"recordings": rows.from_pylist(same, schema=rows.schema)},
            delete={"recordings": f"recording_id in ('{train}', '{test}')"},
        )
        writer.commit(changes, token="equal", message="two recordings of equal sound")
    other = SplitConfig(**{**CONFIG.__dict__, "unit": "contents"})
    with pytest.raises(
        UsageError, match=r"crossed by singer\+take, 1 of 4 clips of test share sound.*--allow-leak"
    ):
        divide(small, other)
