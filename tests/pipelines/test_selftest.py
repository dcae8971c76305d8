"""The self-test: strong motifs are found and weak ones are not, nothing is written, and what is said is counted right."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from motifdb import cli
from motifdb.catalog.store import create, open_snapshot
from motifdb.errors import NotFoundError, UsageError
from motifdb.pipelines import selftest_audio, selftest_plan
from motifdb.pipelines.lineage import find_mining
from motifdb.pipelines.planting import Found, Places, Score, n_like, score
from motifdb.pipelines.progress import Quiet
from motifdb.pipelines.selftest import selftest
from motifdb.pipelines.selftest_cells import (
    SCHEMA,
    Cell,
    Trial,
    cell,
    curves,
    interval,
    rows,
    weakest_cell,
    weakest_trial,
)
from motifdb.pipelines.selftest_plan import Options, Result, numbers, summed
from motifdb.pipelines.selftest_words import verdict
from tests.pipelines.small import FINE, HOP_S, make_f0_corpus, prints, run, write_f0

FEW = Options(strengths=(2, 3, 6), lengths=(4, 8), n_motifs=6, workers=1)


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six tracks of about a hundred symbols each."""
    folder = tmp_path_factory.mktemp("selftest")
    rng = np.random.default_rng(3)
    for i in range(6):
        cents = np.repeat(rng.integers(-6, 7, 120) * 150.0, 10)
        f0_hz = 220.0 * 2 ** (cents / 1200)
        f0_hz[300:350] = f0_hz[800:850] = 0.0
        write_f0(folder / "songs" / f"{i}.csv", f0_hz)
    run(folder / "s.motifdb", folder / "songs", config=FINE)
    return folder / "s.motifdb"


def ran_on(db: Path, options: Options = FEW) -> Result:
    return selftest(open_snapshot(db), options, Quiet())


@pytest.fixture(scope="module")
def result(db: Path) -> Result:
    return ran_on(db)


def of(result: Result, length: int, planted: int) -> Cell:
    (found,) = [c for c in result.cells if (c.length, c.planted) == (length, planted)]
    return found


def test_strong_motifs_are_found_and_weak_ones_are_not(result: Result) -> None:
    strong = of(result, 8, 6)
    assert strong.n == 6 and strong.n_skipped == 0 and strong.bits > 12
    assert strong.recall == 1.0 and strong.recall_everywhere == 1.0 and strong.precision > 0.5
    assert strong.recall_control == 1.0
    # twice is below min_support 3: only a third place by chance would make it a motif
    assert of(result, 8, 2).recall_any_q == 0.0 and of(result, 8, 2).recall == 0.0
    assert of(result, 8, 3).recall_any_q == 1.0
    assert of(result, 4, 3).bits < of(result, 8, 3).bits
    weakest = weakest_trial(result.trials)
    assert weakest is not None and weakest.planted == 3 and "8 symbols" in verdict(result)


def test_nothing_is_written(db: Path) -> None:
    before = open_snapshot(db).commit, prints(db), sorted(db.rglob("*"))
    ran_on(db, replace(FEW, n_motifs=1, lengths=(4,)))
    ran = CliRunner().invoke(
        cli.app, ["selftest", "--db", str(db), "--n-motifs", "1", "--strengths", "3", "--lengths", "4"]
    )
    assert ran.exit_code == 0, ran.output
    assert (open_snapshot(db).commit, prints(db), sorted(db.rglob("*"))) == before


def test_results_hang_on_the_seed_alone(db: Path, result: Result) -> None:
    assert ran_on(db, replace(FEW, workers=3)).trials == result.trials
    assert ran_on(db, replace(FEW, seed=2)).trials != result.trials
    fewer = ran_on(db, replace(FEW, strengths=(6,)))
    assert set(fewer.trials) == {t for t in result.trials if t.planted == 6}


def test_recordings_without_room_are_counted(db: Path) -> None:
    found = ran_on(db, Options(strengths=(3, 100), lengths=(4,), n_motifs=2, workers=1, n_recordings=4))
    assert (of(found, 4, 100).n, of(found, 4, 100).n_skipped) == (0, 4)
    assert math.isnan(of(found, 4, 100).recall) and found.n_recordings == 4 and found.drawn.n_all == 6
    assert len(curves(found.cells)) == 1 and curves(found.cells)[0].planted.tolist() == [3]


def test_the_rule_on_duration_is_applied(tmp_path: Path, db: Path) -> None:
    config = replace(FINE, mining=replace(FINE.mining, min_duration_s=2.0))
    run(tmp_path / "d.motifdb", db.parent / "songs", config=config)
    found = ran_on(tmp_path / "d.motifdb", Options(strengths=(6,), lengths=(4,), n_motifs=3, workers=1))
    assert of(found, 4, 6).n_brief == 3, "five notes of a tenth of a second last half a second"
    assert of(found, 4, 6).recall_any_q == 0.0


def test_without_q_values_there_is_no_recall_at_q(result: Result) -> None:
    """0 would say that it had looked."""
    unjudged = tuple(
        replace(t, real=replace(t.real, is_significant=False, n_judged=0, n_motifs=3)) for t in result.trials
    )
    cells = summed(unjudged, (4, 8), (2, 3, 6), lambda *_: 0)
    assert all(math.isnan(c.recall) and math.isnan(c.recall_control) for c in cells)
    assert rows(cells)["recall"].null_count == len(cells) and curves(cells) == []
    assert "no motif has a q-value" in verdict(replace(result, cells=cells))


# -- scores, by hand -------------------------------------------------------------------------------------


def found_of(*motifs: tuple[bytes, float, list[tuple[int, int]]]) -> Found:
    """Motifs as (pattern, q, occurrences); a symbol lasts a second."""
    spans = np.array([s for _, _, own in motifs for s in own], np.float64).reshape(-1, 2)
    return Found(
        tuple(p for p, _, _ in motifs),
        np.array([q for _, q, _ in motifs]),
        np.repeat(np.arange(len(motifs)), [len(own) for _, _, own in motifs]),
        *(spans[:, 0], spans[:, 1]) * 2,
    )


def places(*starts: float, length: float = 4.0) -> Places:
    start = np.array(starts)
    none = np.zeros(start.size, np.int64)
    return Places(none, none, start, start + length)


PLANTED = places(0, 10, 20)


@pytest.mark.parametrize(
    ("spans", "is_found", "is_everywhere"),
    [
        ([(0, 4), (10, 14), (20, 24)], True, True),
        ([(0, 4), (10, 14), (50, 54)], True, False),
        ([(0, 5), (10, 15), (20, 25)], True, True),  # always followed by the same symbol
        ([(0, 9), (10, 19), (20, 29)], False, False),  # more than twice as long: another motif
        ([(0, 3), (10, 13), (20, 23)], False, False),  # a part of it
        ([(0, 4), (50, 54), (60, 64)], False, False),  # one place of three
    ],
)
def test_a_planted_motif_is_found_whole(
    spans: list[tuple[int, int]], is_found: bool, is_everywhere: bool
) -> None:
    got = score(found_of((b"abcd", 0.01, spans)), PLANTED, ())
    assert (got.is_found, got.is_found_everywhere, got.is_significant) == (is_found, is_everywhere, is_found)
    assert not score(found_of((b"abcd", 0.05, spans)), PLANTED, ()).is_significant
    assert not score(found_of((b"abcd", math.nan, spans)), PLANTED, ()).is_significant


def test_significant_motifs_are_right_known_or_false() -> None:
    found = found_of(
        (b"abcd", 0.01, [(0, 4), (10, 14), (20, 24)]),
        (b"bc", 0.01, [(1, 3), (11, 13), (40, 42)]),  # right: two of three lie inside
        (b"efg", 0.01, [(30, 33), (40, 43), (50, 53)]),  # known
        (b"xfgy", 0.01, [(30, 34), (40, 44)]),  # twice as long as the known fg
        (b"zzz", 0.01, [(60, 63), (70, 73), (2, 5)]),  # false: one of three lies inside by half
        (b"qqq", 0.20, [(60, 63), (70, 73)]),
    )
    got = score(found, PLANTED, [b"efg", b"fg"])
    assert (got.n_right, got.n_known, got.n_false, got.n_motifs) == (2, 2, 1, 6)


def test_sung_motifs_are_met_by_half_but_not_by_what_sounds_everywhere() -> None:
    half = [(0, 3), (10, 13), (21, 23)]
    everywhere = [*half, (30, 33), (40, 43), (50, 53), (60, 63)]
    assert score(found_of((b"ab", 0.01, half)), PLANTED, (), is_sung=True).is_found_everywhere
    got = score(found_of((b"ab", 0.01, everywhere)), PLANTED, (), is_sung=True)
    assert not got.is_found and got.n_false == 1


def test_patterns_are_like_when_one_holds_half_of_the_other() -> None:
    assert n_like([b"abcd"], [b"bc"]) == n_like([b"bc"], [b"abcd"]) == n_like([b"bc"], [b"bc"]) == 1
    assert n_like([b"abcde"], [b"bc"]) == n_like([b"ad"], [b"abcd"]) == n_like([b"ab"], []) == 0


def trial(planted: int, bits: float, real: Score, control: Score | None = None) -> Trial:
    return Trial(4, planted, "r", "+1 -1 +1 -1", bits, False, real, control or real)


def test_cells_count() -> None:
    yes, no = Score(True, True, True, 2, 5, 1, 9, 9), Score(True, False, False, 0, 5, 1, 9, 9)
    got = cell(4, 3, [trial(3, 8.0, yes), trial(3, 6.0, no), trial(3, 7.0, no, yes)], 4, has_q=True)
    assert (got.n, got.n_skipped, got.bits) == (3, 4, 7.0)
    assert (got.recall, got.recall_any_q, got.recall_everywhere) == pytest.approx((1 / 3, 1.0, 1 / 3))
    assert (got.precision, got.precision_control) == pytest.approx((2 / 5, 4 / 7))
    assert got.recall_control == pytest.approx(2 / 3)
    assert (got.recall_low, got.recall_high) == pytest.approx(interval(1, 3))
    cells = [replace(got, planted=p, recall=r, bits=b) for p, r, b in ((3, 0.4, 5), (4, 0.6, 9), (4, 0.5, 8))]
    assert weakest_cell(cells) == cells[2] and weakest_cell(cells[:1]) is None
    assert weakest_trial([trial(3, 8.0, no), trial(4, 8.0, yes), trial(4, 7.0, yes)]) == trial(4, 7.0, yes)


@pytest.mark.parametrize(
    ("n_yes", "n", "low", "high"), [(0, 10, 0.0, 0.2775), (5, 10, 0.2366, 0.7634), (10, 10, 0.7225, 1.0)]
)
def test_intervals_are_wilsons(n_yes: int, n: int, low: float, high: float) -> None:
    assert interval(n_yes, n) == pytest.approx((low, high), abs=1e-4)


# -- what is said ----------------------------------------------------------------------------------------


def invoke(db: Path, *options: str) -> Any:
    few = ["--strengths", "3,6", "--lengths", "4,8", "--n-motifs", "2", "--workers", "1"]
    return CliRunner().invoke(cli.app, ["selftest", "--db", str(db), *few, *options])


def test_the_table_fits_and_programs_get_every_column(tmp_path: Path, db: Path) -> None:
    ran = invoke(db, "-o", str(tmp_path / "power.png"))
    assert ran.exit_code == 0, ran.output
    table = [line for line in ran.output.splitlines() if line.startswith(("symbols ", "      4", "      8"))]
    assert len(table) == 5
    assert all(len(line) <= 100 for line in ran.output.splitlines() if str(tmp_path) not in line)
    assert "weakest motif found" in ran.output and "…" not in ran.output
    assert (tmp_path / "power.png").read_bytes().startswith(b"\x89PNG")
    csv = invoke(db, "--format", "csv", "--quiet")
    assert csv.output.splitlines()[0] == ",".join(SCHEMA.names) and len(csv.output.splitlines()) == 5
    said = json.loads(invoke(db, "--format", "json", "-q").output)
    assert [(row["length"], row["planted"]) for row in said] == [(4, 3), (4, 6), (8, 3), (8, 6)]
    assert all(0 <= row["recall_low"] <= row["recall"] <= row["recall_high"] <= 1 for row in said)


def test_what_cannot_be_is_a_sentence(tmp_path: Path, db: Path) -> None:
    create(tmp_path / "empty.motifdb")
    with pytest.raises(NotFoundError, match="motifdb ingest"):
        ran_on(tmp_path / "empty.motifdb")
    corpus = make_f0_corpus(tmp_path / "few", n=2)
    run(tmp_path / "half.motifdb", corpus, until="contours")
    with pytest.raises(NotFoundError, match="motifdb ingest"):
        ran_on(tmp_path / "half.motifdb")
    with pytest.raises(NotFoundError, match="did you mean 'fine'"):
        ran_on(db, replace(FEW, analysis="fin"))
    write_f0(tmp_path / "silent" / "a.csv", np.zeros(500))
    run(tmp_path / "silent.motifdb", tmp_path / "silent")
    with pytest.raises(UsageError, match="only silence"):
        ran_on(tmp_path / "silent.motifdb")
    with pytest.raises(UsageError, match="no recording has room"):
        ran_on(db, replace(FEW, strengths=(500,)))
    with pytest.raises(UsageError, match=r"--lengths has 2, but fine .* keeps motifs of 3"):
        ran_on(db, replace(FEW, lengths=(2, 8)))
    with pytest.raises(UsageError, match="--strengths must be numbers of 2 or more, got 1,4"):
        ran_on(db, replace(FEW, strengths=(1, 4)))
    with pytest.raises(UsageError, match="--n-motifs must be at least 1"):
        ran_on(db, replace(FEW, n_motifs=0))
    with pytest.raises(UsageError, match="whole numbers parted by commas"):
        numbers("strengths", "3;4")
    assert isinstance(invoke(db, "-o", "picture.txt").exception, UsageError), "before any work"


# -- sung ------------------------------------------------------------------------------------------------


def test_sung_motifs_are_found(db: Path) -> None:
    options = Options(strengths=(5,), lengths=(6,), n_motifs=2, n_recordings=2, workers=1, is_audio=True)
    before = open_snapshot(db).commit
    found = ran_on(db, options)
    assert found.tracker == "yin" and found.n_recordings == 2 and of(found, 6, 5).n == 2
    assert of(found, 6, 5).recall_control == 1.0, "the pitch itself, unsung"
    assert of(found, 6, 5).recall_any_q >= 0.5, "sung and tracked"
    assert ran_on(db, replace(options, workers=2)).trials == found.trials
    assert open_snapshot(db).commit == before


def test_a_stretch_is_spliced_where_it_is_said_to_be(db: Path) -> None:
    snapshot = open_snapshot(db)
    analysis = find_mining(snapshot, None)
    options = Options(is_audio=True)
    drawn = selftest_plan.drawn(snapshot, analysis, options, (4,), (5,))
    assert selftest_audio.load_pitch(snapshot, analysis, drawn.names[0]).hop_s == HOP_S
    ear = selftest_audio._Ear(analysis)
    beginning = next(selftest_audio._beginnings(snapshot, analysis, drawn, ear, 5, 4))
    excerpt = selftest_audio._excerpt(*beginning, ear, analysis, 1)
    assert excerpt is not None
    stretch_hz = np.concatenate([np.full(80, 200.0), np.full(40, 250.0), np.full(30, 210.0)])
    f0_hz, planted = selftest_audio._spliced(excerpt, stretch_hz, 5, 4, np.random.default_rng(2))
    assert len(planted) == 4 and (np.diff(planted.start) >= stretch_hz.size * 0.005 - 1e-9).all()
    for start_s, end_s in zip(planted.start, planted.end, strict=True):
        there = f0_hz[round(start_s / 0.005) : round(end_s / 0.005)]
        np.testing.assert_allclose(there / stretch_hz, there[0] / stretch_hz[0])
    low, high = np.percentile(excerpt.f0_hz[excerpt.f0_hz > 0], (2, 98))
    assert f0_hz.max() <= max(high, excerpt.f0_hz.max()) and f0_hz[f0_hz > 0].min() >= low * 0.7
