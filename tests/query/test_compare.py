"""Which motifs set a group apart: who is compared, what is counted, how sure it is."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from math import comb
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from motifdb.cli import app
from motifdb.errors import NotFoundError, UsageError
from motifdb.query.compare.comparison import compare_counts
from motifdb.query.compare.counted import Counted, Mined
from motifdb.query.compare.units import Units, make_units
from motifdb.query.database import Database
from tests.query.songbook import Facts

MINED = Mined("a" * 20, "plain", "b" * 20, "recording")


def labels(**given: dict[str, set[str]]) -> dict[str, dict[str, set[str]]]:
    return {"singer": {}, "style": {}, **given}


def two_groups(n_a: int, n_b: int) -> Units:
    group = np.repeat(np.array([0, 1], np.int16), (n_a, n_b))
    names = [f"r{i:02d}" for i in range(n_a + n_b)]
    return Units("style", "recording", names, ["A", "B"], group, {r: i for i, r in enumerate(names)}, [0])


def contiguous(db: Path) -> str:
    """Beginning of the id of the mining at gap 0; the other one has the same name."""
    analyses = Facts.of(db)["analyses"]
    (found,) = [a for a in analyses if a["kind"] == "mining" and '"max_gap":0' in a["parameters"]]
    return str(found["analysis_id"])[:10]


def counts(dense: np.ndarray[Any, Any]) -> Counted:
    """Counts of one pattern a row, one minute of phrases a unit."""
    pattern, unit = np.nonzero(dense)
    begin = np.searchsorted(pattern, np.arange(len(dense) + 1)).astype(np.int64)
    names = [f"+{i + 1}" for i in range(len(dense))]
    minutes = np.ones(dense.shape[1])
    return Counted(names, names, begin, unit.astype(np.int32), dense[pattern, unit].astype(np.int64), minutes)


# -- who is compared ------------------------------------------------------------------------------------


def test_recordings_are_the_units_and_contradictions_are_left_out() -> None:
    style = {"r1": {"x"}, "r2": {"x"}, "r3": {"y"}, "r4": {"y"}, "r5": {"x", "y"}}
    units = make_units(labels(style=style), [f"r{i}" for i in range(1, 7)], "style", None, None, None)
    assert (units.unit, units.names, units.groups) == ("recording", ["r1", "r2", "r3", "r4"], ["x", "y"])
    assert (units.group.tolist(), units.tested) == ([0, 0, 1, 1], [0])
    assert [note.split(" ")[0] for note in units.notes] == ["1", "1"], units.notes


def test_singers_are_the_units_where_each_has_one_style() -> None:
    style = {f"r{i}": {"x" if i < 4 else "y"} for i in range(8)}
    singer = {f"r{i}": {f"s{i // 2}"} for i in range(8)}
    units = make_units(labels(style=style, singer=singer), sorted(style), "style", None, None, None)
    assert (units.unit, units.names, units.group.tolist()) == (
        "singer",
        ["s0", "s1", "s2", "s3"],
        [0, 0, 1, 1],
    )
    assert units.unit_of["r5"] == 2
    plain = make_units(labels(style=style, singer=singer), sorted(style), "style", None, None, "recording")
    assert plain.unit == "recording"
    crossed = singer | {"r7": {"s0"}}
    units = make_units(labels(style=style, singer=crossed), sorted(style), "style", None, None, None)
    assert units.unit == "recording"
    assert "several values of style" in units.notes[-1]
    with pytest.raises(UsageError, match="'s0' has several values of style"):
        make_units(labels(style=style, singer=crossed), sorted(style), "style", None, None, "singer")


def test_a_style_of_one_singer_cannot_be_told_from_him() -> None:
    style = {f"r{i}": {"x" if i < 2 else "y"} for i in range(8)}
    singer = {f"r{i}": {f"s{i // 2}"} for i in range(8)}
    with pytest.raises(UsageError, match=r"--unit recording compares all the same"):
        make_units(labels(style=style, singer=singer), sorted(style), "style", "x", None, None)


def test_two_values_leave_the_others_out_and_one_is_against_all() -> None:
    style = {f"r{i}": {"xyz"[i // 3]} for i in range(9)}
    both = make_units(labels(style=style), sorted(style), "style", "x", "z", None)
    assert (both.groups, len(both.names), both.tested) == (["x", "z"], 6, [0])
    one = make_units(labels(style=style), sorted(style), "style", "y", None, None)
    assert (len(one.names), one.tested) == (9, [1])
    each = make_units(labels(style=style), sorted(style), "style", None, None, None)
    assert each.tested == [0, 1, 2]
    with pytest.raises(NotFoundError, match="'q'"):
        make_units(labels(style=style), sorted(style), "style", "q", None, None)
    with pytest.raises(UsageError, match="two different values"):
        make_units(labels(style=style), sorted(style), "style", "x", "x", None)
    with pytest.raises(UsageError, match="nothing to permute"):
        make_units(labels(style=style), sorted(style), "style", None, None, "style")


# -- what is found --------------------------------------------------------------------------------------


def test_p_is_the_share_of_all_labellings_and_q_counts_every_test() -> None:
    """Seven recordings: each of the 35 labellings tried by hand."""
    rng = np.random.default_rng(1)
    dense = rng.poisson(3.0, (6, 7))
    dense[0] = [9, 8, 9, 0, 1, 0, 1]
    units = two_groups(3, 4)
    found = compare_counts(units, MINED, counts(dense), permutations=20_000, at_least=1)
    rows = {row["contour"]: row for row in found.table.to_pylist()}
    assert found.n_tests == len(rows) == 6
    for i, own in enumerate(dense):
        sums = [own[list(chosen)].sum() for chosen in combinations(range(7), 3)]
        high = sum(s >= own[:3].sum() for s in sums) / 35
        low = sum(s <= own[:3].sum() for s in sums) / 35
        row = rows[f"+{i + 1}"]
        assert row["p"] == pytest.approx(min(1, 2 * min(high, low)), abs=0.1), (
            "1,000 draws are enough to give up"
        )
        assert row["effect"] == pytest.approx(own[:3].mean() - own[3:].mean())
        assert row["low"] <= row["effect"] <= row["high"]
        assert (row["held"], row["of"]) == (np.count_nonzero(own[:3]), 3)
        assert (row["held_elsewhere"], row["of_elsewhere"]) == (np.count_nonzero(own[3:]), 4)
    p = np.sort([row["p"] for row in rows.values()])
    q = np.minimum.accumulate((p * 6 / np.arange(1, 7))[::-1])[::-1]
    assert sorted(row["q"] for row in rows.values()) == pytest.approx(np.minimum(q, 1).tolist())
    assert found.table.column("contour")[0].as_py() == "+1"
    assert rows["+1"]["p"] == pytest.approx(2 / 35, abs=0.02)


def test_shares_are_fishers_exact_test() -> None:
    dense = np.zeros((2, 20), int)
    dense[0, :8] = 1
    dense[1, [0, 12, 13, 14]] = 5
    found = compare_counts(two_groups(10, 10), MINED, counts(dense), statistic="share", at_least=1)
    rows = {row["contour"]: row for row in found.table.to_pylist()}
    # of C(20, 10) groups those that hold all 8; of 4 units at most 1 in the group
    assert rows["+1"]["p"] == pytest.approx(2 * comb(12, 2) / comb(20, 10))
    few = comb(16, 10) + comb(4, 1) * comb(16, 9)
    assert rows["+2"]["p"] == pytest.approx(2 * few / comb(20, 10))
    assert (rows["+1"]["share"], rows["+1"]["elsewhere"]) == (0.8, 0.0)
    # method 10 of Newcombe (1998), by hand from Wilson's intervals of 8/10 (0.490 to 0.943) and 0/10 (0 to 0.278)
    assert rows["+1"]["low"] == pytest.approx(0.8 - np.hypot(0.8 - 0.4902, 0.2775), abs=1e-3)
    assert rows["+1"]["high"] == pytest.approx(0.8 + np.hypot(0.9433 - 0.8, 0.0), abs=1e-3)


def test_shuffled_labels_call_nothing_and_planted_patterns_are_called() -> None:
    rng = np.random.default_rng(5)
    dense = rng.poisson(rng.gamma(1.0, 2.0, (80, 1)), (80, 24))
    units = two_groups(12, 12)
    n_called = sum(
        compare_counts(
            replace(units, group=rng.permutation(units.group)), MINED, counts(dense), seed=i, n=0
        ).n_called
        for i in range(20)
    )
    assert n_called <= 0.05 * 20 * 80
    dense[:5, :12] += rng.poisson(8.0, (5, 12))
    found = compare_counts(units, MINED, counts(dense))
    called = {r["contour"] for r in found.table.to_pylist() if r["q"] <= 0.05}
    assert {f"+{i}" for i in range(1, 6)} <= called
    assert len(called) <= 7


def test_what_cannot_be_seen_is_said() -> None:
    dense = np.zeros((3, 10), int)
    dense[0] = 4
    dense[0, :5] = 9
    dense[1, 0] = 3  # in one recording only: no labelling gives p of 0.05
    dense[2, :3] = 1
    found = compare_counts(two_groups(5, 5), MINED, counts(dense), at_least=None)
    assert found.n_tests == 1
    text = "\n".join(found.lines())
    assert "2 of 3 pairs of pattern and group are not tested" in text
    assert "intervals are too narrow" in text
    few = compare_counts(two_groups(2, 2), MINED, counts(dense[:, 3:7]), at_least=1)
    assert any("no labelling of them can give any test q <= 0.05" in line for line in few.lines())


# -- a database -----------------------------------------------------------------------------------------


def test_a_singers_own_figures_set_him_apart(songbook_db: Path) -> None:
    with Database(songbook_db) as database:
        found = database.compare("singer", analysis=contiguous(songbook_db), permutations=2000, n=None)
    facts = Facts.of(songbook_db)
    (fine,) = [a for a in facts["analyses"] if a["kind"] == "mining" and a["analysis_id"] == found.mined.id]
    singer = facts.agreed("singer")
    spans: dict[str, float] = {}
    for phrase in facts["contours"]:
        if phrase["analysis_id"] == fine["parent_id"]:
            own = spans.get(phrase["recording_id"], 0.0)
            spans[phrase["recording_id"]] = own + phrase["end_s"] - phrase["start_s"]
    counted = facts.counts()
    assert found.units.sizes.tolist() == [sum(v == g for v in singer.values()) for g in found.units.groups]
    rows = found.table.to_pylist()
    for row in rows[:5] + rows[-5:]:
        here = counted[found.mined.id, row["contour"]]
        rate = {r: 60 * here.get(r, 0) / spans[r] for r in singer}
        inside = [rate[r] for r in singer if singer[r] == row["group"]]
        outside = [rate[r] for r in singer if singer[r] != row["group"]]
        assert row["rate"] == pytest.approx(np.mean(inside))
        assert row["elsewhere"] == pytest.approx(np.mean(outside))
        assert row["held"] == sum(here.get(r, 0) > 0 for r in singer if singer[r] == row["group"])
    slow = next(row for row in rows if row["group"] == "singer c")
    assert slow["p"] < 0.05
    assert np.all(np.diff([row["q"] for row in rows]) >= 0)


def test_the_command_says_whom_it_compares(songbook_db: Path) -> None:
    runner = CliRunner()
    base = [
        "compare",
        "--db",
        str(songbook_db),
        "--analysis",
        contiguous(songbook_db),
        "--permutations",
        "1000",
    ]
    told = runner.invoke(app, [*base, "--by", "style", "-n", "3"])
    assert told.exit_code == 0, told.output
    assert "style: fast (6 recordings) against slow (6 recordings)" in told.output
    assert "labels permuted over recordings" in told.output
    rows = runner.invoke(
        app, [*base, "--by", "singer", "singer a", "singer b", "--statistic", "share", "--format", "csv"]
    )
    assert rows.output.splitlines()[0] == (
        "group,contour,share,elsewhere,effect,low,high,p,q,held,of,held_elsewhere,of_elsewhere,pattern_id"
    )


def test_a_picture_of_the_surest(songbook_db: Path, tmp_path: Path) -> None:
    picture = tmp_path / "singers.svg"
    words = ["compare", "--db", str(songbook_db), "--by", "singer", "--analysis", contiguous(songbook_db)]
    told = CliRunner().invoke(app, [*words, "--permutations", "1000", "-n", "5", "-o", str(picture)])
    assert told.exit_code == 0, told.output
    assert "the surest 5" in told.output
    text = picture.read_text()
    assert "<svg" in text
    with pytest.raises(UsageError, match="cannot be written as an image"), Database(songbook_db) as database:
        database.compare("singer", analysis=contiguous(songbook_db), permutations=100).plot(
            tmp_path / "x.jpg"
        )


@pytest.mark.parametrize(
    ("words", "error", "text"),
    [
        (["compare", "--by", "singr", "--analysis", "ID"], NotFoundError, "did you mean 'singer'"),
        (
            ["compare", "--by", "singer", "singer q", "--analysis", "ID"],
            NotFoundError,
            "did you mean 'singer c'",
        ),
        (
            ["compare", "--by", "singer", "--analysis", "nothing"],
            NotFoundError,
            "no mining analysis 'nothing'",
        ),
        (["compare", "--by", "singer"], UsageError, "several mining analyses are meant"),
        (
            ["compare", "--by", "singer", "--analysis", "ID", "--permutations", "5"],
            UsageError,
            "at least 100",
        ),
        (
            ["compare", "--by", "singer", "--analysis", "ID", "--at-least", "0"],
            UsageError,
            "1 unit or more",
        ),
    ],
)
def test_mistakes_are_said_in_a_sentence(
    songbook_db: Path, words: list[str], error: type[Exception], text: str
) -> None:
    words = [contiguous(songbook_db) if word == "ID" else word for word in words]
    told = CliRunner().invoke(app, [*words, "--db", str(songbook_db)])
    assert isinstance(told.exception, error), told.output
    assert text in str(told.exception)
