"""What is told about a database."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path

import pytest

from motifdb.catalog.store import Changes, Snapshot, open_snapshot, open_writer
from motifdb.ids import set_hash
from motifdb.query.status import FailureKind, Status, size_on_disk, status
from motifdb.schemas import TABLES
from tests.query.conftest import make_database
from tests.query.example import CONTOUR_ID, RECORDING, example_rows, example_tables
from tests.query.learned import RECORDING as SUNG
from tests.query.learned import learned_rows


@pytest.fixture(scope="module")
def told(example: Snapshot) -> Status:
    return status(example)


def test_counts_hours_and_size(told: Status, example: Snapshot) -> None:
    rows = example_rows()
    assert told.n_rows == {name: len(part) for name, part in rows.items()}
    assert told.f0_hours == pytest.approx(sum(r["duration_s"] for r in rows["recordings"]) / 3600)
    assert told.audio_hours == 0
    assert told.corpora == {"songs": "/somewhere/songs"}
    assert told.n_files == {"input": 5, "failed": 1, "skipped": 1}
    assert told.size_bytes == size_on_disk(example.path) > 10_000
    assert (told.commit, told.message) == (1, "add the example")


def test_failures_by_kind(told: Status) -> None:
    assert told.failures == [FailureKind("decode", "empty", 1, "broken.wav", "the file is empty")]


def test_analyses_and_coverage(told: Status) -> None:
    assert [a.kind for a in told.analyses] == ["pitch", "contour", "mining", "mining", "counts", "counts"]
    pitch, contour, *_ = told.analyses
    assert (pitch.n_recordings, pitch.n_empty, pitch.n_rows) == (4, 0, 5)
    assert (contour.n_recordings, contour.n_empty, contour.n_rows) == (4, 1, 7)
    assert all(a.n_waiting == 0 and a.stale is None for a in told.analyses)


def test_text_fits_and_says_it_all(told: Status) -> None:
    long = replace(
        told,
        message="word " * 60,
        failures=[*told.failures, FailureKind("pitch", "internal", 12345, "a path/" * 30, "a reason " * 30)],
        notes=["a note " * 40],
    )
    for line in str(long).splitlines():
        assert len(line) <= 98
    assert "12,346 failures" in str(long)
    text = str(told)
    assert "\n1 failure; " in text
    assert "broken.wav: the file is empty" in text
    assert "5 input, 1 failed, 1 skipped" in text
    assert "\ncorpora     songs in /somewhere/songs\n" in text, "the name that motifdb relocate takes"
    assert "epsilon" in text


def test_empty_database(example_db: Path) -> None:
    told = status(open_snapshot(example_db, at=0))
    assert told.n_rows == dict.fromkeys(TABLES, 0)
    assert told.analyses == [] == told.failures
    assert told.notes == ["this is commit 0; the newest is 1"]
    assert "rows        none" in str(told)


@pytest.mark.parametrize(
    ("inputs", "n_inputs", "sentence"),
    [
        (list(RECORDING.values()), 4, None),
        (list(RECORDING.values())[:1], 1, "stale: 3 recordings newer; ingest --refresh makes a successor"),
        (list(RECORDING.values())[:3], 3, "stale: 1 recording newer; ingest --refresh makes a successor"),
        (["gone", *list(RECORDING.values())[1:]], 4, "stale: its 4 recordings have changed; ingest --refresh makes a successor"),
    ],
)  # fmt: skip
def test_frozen_inputs_go_stale(
    tmp_path: Path, inputs: list[str], n_inputs: int, sentence: str | None
) -> None:
    tables = example_tables()
    rows = example_rows()["analyses"]
    for row in rows:
        if row["analysis_id"] == CONTOUR_ID:
            row |= {"inputs_hash": set_hash(inputs), "n_inputs": n_inputs}
    tables["analyses"] = TABLES["analyses"].table(rows)
    told = status(open_snapshot(make_database(tmp_path / "frozen.motifdb", tables)))
    assert [a.stale for a in told.analyses if a.kind == "contour"] == [sentence]
    assert sentence is None or sentence in str(told)


def test_an_audit_goes_stale_with_its_recordings_and_a_split_does_not(tmp_path: Path) -> None:
    tables = {name: TABLES[name].table(rows) for name, rows in learned_rows().items()}
    path = make_database(tmp_path / "learned.motifdb", tables)
    told = status(open_snapshot(path))
    audit, split = (next(a for a in told.analyses if a.kind == kind) for kind in ("audit", "split"))
    assert (audit.n_inputs, audit.stale, split.stale) == (3, None, None)
    assert "split       split                     all" in str(told)
    with open_writer(path) as writer:
        of_one = f"recording_id = '{SUNG['elif']}'"
        writer.commit(Changes(delete={"recordings": of_one}), token="x", message="forget")
        changed = status(writer.snapshot)
    told_of = {a.kind: a.stale for a in changed.analyses}
    assert told_of["audit"] == "stale: its 3 recordings have changed; run audit again"
    assert told_of["split"] is None


def test_work_that_waits_and_writers_that_left(tmp_path: Path) -> None:
    path = make_database(tmp_path / "waiting.motifdb", example_tables())
    with open_writer(path) as writer:
        gone = f"analysis_id = '{CONTOUR_ID}' and scope_key = '{RECORDING['amina']}'"
        writer.commit(Changes(delete={"coverage": gone}), token="x", message="forget")
        during = status(writer.snapshot)
        assert any(note.startswith("a writer is at work") for note in during.notes)
    told = status(open_snapshot(path))
    assert [a.n_waiting for a in told.analyses] == [0, 1, 0, 0, 0, 0]
    assert "1 recording waits for it" in str(told)
    import lance

    lance.write_dataset(
        TABLES["corpora"].table([{"corpus_id": "x", "name": "x", "root_uri": "x"}]),
        str(path / "tables" / "corpora.lance"),
        mode="append",
    )
    assert status(open_snapshot(path)).notes == [
        "an interrupted commit left parts in corpora; they are invisible, and the next writer removes them"
    ]
    assert isinstance(told.committed_at, dt.datetime)
