"""What the tables of learning must hold: a right database has no violation; each way to be wrong has its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from motifdb import ids
from motifdb.catalog.store import open_snapshot
from motifdb.query.check import Violation, check
from motifdb.schemas import TABLES
from tests.query.conftest import make_database
from tests.query.learned import CHECKPOINT, FIRST, RECORDING, SPLIT_ID, Rows, learned_rows

DILEK, ELIF, FATMA = RECORDING.values()

MUTATIONS: list[tuple[int, str, Callable[[Rows], object], set[tuple[str, str]]]] = [
    (0, "a block is missing", lambda r: r["audio"].pop(0), {("audio", "sound")}),
    (1, "a short block inside", lambda r: r["audio"][0].update(pcm=b"ab"), {("audio", "sound")}),
    (2, "half a sample", lambda r: r["audio"][-1].update(pcm=b"abc"), {("audio", "sound")}),
    (3, "sound that is too short", lambda r: r["audio"][-1].update(pcm=b"ab"), {("audio", "sound")}),
    (0, "a code too few", lambda r: r["fingerprints"][0].update(code=[1]), {("fingerprints", "fingerprint")}),
    (
        1,
        "anchors that go back",
        lambda r: r["fingerprints"][0].update(position_samples=[9.0, 1.0]),
        {("fingerprints", "fingerprint")},
    ),
    (
        2,
        "no anchors where there were",
        lambda r: r["fingerprints"].pop(0),
        {("coverage", "coverage")},
    ),
    (
        0,
        "a link past the end",
        lambda r: r["audio_links"][0].update(shared_s=9.0),
        {("audio_links", "links")},
    ),
    (
        1,
        "a link with itself",
        lambda r: r["audio_links"][0].update(recording_b=FIRST),
        {("audio_links", "links")},
    ),
    (2, "a kind of link", lambda r: r["audio_links"][0].update(kind="odd"), {("audio_links", "value")}),
    (
        3,
        "linked, on two islands",
        lambda r: [x.update(island=x["recording_id"]) for x in r["islands"]],
        {("islands", "links")},
    ),
    (
        4,
        "an island named for a stranger",
        lambda r: [x.update(island="0" * 20) for x in r["islands"] if x["recording_id"] == FATMA],
        {("islands", "links")},
    ),
    (
        0,
        "a clip that ends first",
        lambda r: r["clips"][0].update(end_s=0.0),
        {("clips", "clip"), ("clips", "id")},
    ),
    (
        1,
        "a clip of another file",
        lambda r: r["clips"][0].update(path="elif.flac"),
        {("clips", "clip"), ("clips", "id")},
    ),
    (3, "a clip nobody counted", lambda r: r["coverage"].pop(1), {("coverage", "coverage")}),
    (
        2,
        "a group on two sides",
        lambda r: [x.update(group_key="all") for x in r["splits"]],
        {("splits", "split")},
    ),
    (
        4,
        "a side of no clip",
        lambda r: r["splits"][0].update(clip_id="d" * 20),
        {("splits", "reference")},
    ),
    (3, "a part", lambda r: r["splits"][0].update(part="dev"), {("splits", "value")}),
    (
        0,
        "a prediction of no class",
        lambda r: r["predictions"][0].update(predicted="tenor"),
        {("predictions", "run"), ("metrics", "run")},
    ),
    (
        1,
        "an unlikely prediction",
        lambda r: r["predictions"][0].update(probabilities=[0.75, 0.25]),
        {("predictions", "run")},
    ),
    (
        2,
        "probabilities that add up to 2",
        lambda r: r["predictions"][0].update(probabilities=[0.5, 1.5]),
        {("predictions", "run")},
    ),
    (1, "an accuracy of its own", lambda r: r["metrics"][0].update(value=0.9), {("metrics", "run")}),
    (2, "an interval of nothing", lambda r: r["metrics"][1].update(low=0.1), {("metrics", "run")}),
    (0, "a checkpoint elsewhere", lambda r: r["runs"][0].update(checkpoint="../x"), {("runs", "run")}),
    (1, "a checkpoint that went", lambda r: r["runs"][0].update(checkpoint="models/x"), {("runs", "run")}),
    (2, "a run of no split", lambda r: r["runs"][0].update(split_id="e" * 20), {("runs", "reference")}),
    (3, "no leak report", lambda r: r["runs"][0].update(leak="nothing leaks"), {("runs", "run")}),
]


def violations(rows: Rows, path: Path) -> list[Violation]:
    tables = {name: TABLES[name].table(part) for name, part in rows.items()}
    make_database(path, tables)
    (path / CHECKPOINT).mkdir(parents=True)
    return list(check(open_snapshot(path)))


def test_right_tables_have_no_violation(tmp_path: Path) -> None:
    rows = learned_rows()
    assert all(rows[name] for name in ("audio", "clips", "splits", "predictions"))
    assert violations(rows, tmp_path / "right.motifdb") == []


@pytest.mark.parametrize("group", range(5))
def test_each_mutation_is_reported_and_nothing_else(group: int, tmp_path: Path) -> None:
    rows = learned_rows()
    expected: Counter[tuple[str, str]] = Counter()
    for number, _, break_it, reported in MUTATIONS:
        if number == group:
            break_it(rows)
            expected.update(reported)
    found = violations(rows, tmp_path / "wrong.motifdb")
    assert Counter((v.table, v.rule) for v in found) == expected, "\n".join(map(str, found))


def test_a_split_that_may_leak_may_have_groups_on_two_sides(tmp_path: Path) -> None:
    rows = learned_rows()
    split = next(a for a in rows["analyses"] if a["kind"] == "split")
    parameters = {"allow_leak": True}
    new = ids.analysis_id("split", 1, parameters, split["parent_id"])
    split.update(analysis_id=new, parameters=ids.canonical_json(parameters))
    for name in ("splits", "runs", "coverage"):
        for row in rows[name]:
            row.update((column, new) for column, value in row.items() if value == SPLIT_ID)
    for row in rows["splits"]:
        row["group_key"] = "all"
    assert violations(rows, tmp_path / "leaky.motifdb") == []
