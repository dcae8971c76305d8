"""What test shares with train: against every pair of clips, and frozen on a corpus with planted leaks."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from motifdb.catalog.store import Changes, open_writer
from motifdb.errors import UsageError
from motifdb.pipelines.analyses import Analysis
from motifdb.schemas import TABLES
from motifdb.training.clips.clip_facts import ClipFacts, facts_of
from motifdb.training.splits.dividing import SplitConfig, make_split
from motifdb.training.splits.leak_graph import KINDS, LeakGraph, Links
from motifdb.training.splits.leaks import leak_report, leak_reports, leak_text
from motifdb.training.splits.split_job import SplitOptions, run_split
from tests.reference import leaks as plain
from tests.training.small import Small, make_small

CLIPS_PER_SIDE = 12


def world(seed: int) -> tuple[list[plain.Clip], list[plain.Link]]:
    """Clips in six recordings, two of them of equal audio, on a grid of quarters of a second."""
    rng = np.random.default_rng(seed)
    audio = {r: "abcdee"[i] for i, r in enumerate("abcdef")}
    links = []
    for _ in range(3):
        a, b = sorted(rng.choice(list("abcde"), 2, replace=False).tolist())
        start_a, start_b, shared = (rng.integers(0, 12, 3) / 4).tolist()
        links.append((a, b, start_a, start_b, shared))
    clips: list[plain.Clip] = []
    for _ in range(2 * CLIPS_PER_SIDE):
        recording = str("abcdef"[rng.integers(6)])
        start, length = float(rng.integers(0, 12)) / 4, float(rng.integers(1, 12)) / 4
        content = f"{recording} {start}-{start + length}"
        clips.append(
            plain.Clip(
                recording,
                audio[recording],
                "xxyyzz"["abcdef".index(recording)],
                content,
                start,
                start + length,
            )
        )
    return clips, links


def graph_of(clips: list[plain.Clip], links: list[plain.Link]) -> LeakGraph:
    facts = ClipFacts(
        "clips",
        tuple(f"{i:02d}" for i in range(len(clips))),
        tuple(c.recording for c in clips),
        ("motif",) * len(clips),
        np.array([c.start_s for c in clips]),
        np.array([c.end_s for c in clips]),
        (None,) * len(clips),
        {},
        {c.recording: c.island for c in clips},
        "audit",
        {c.recording: c.audio for c in clips},
    )
    names = sorted({c.audio for c in clips})
    known = [k for k in links if k[0] in names and k[1] in names]
    both = [*known, *((b, a, start_b, start_a, s) for a, b, start_a, start_b, s in known)]
    column = [np.array([k[i] for k in both], float) for i in (2, 3, 4)]
    source = np.array([names.index(k[0]) for k in both], np.int64)
    target = np.array([names.index(k[1]) for k in both], np.int64)
    axis = np.array([names.index(c.audio) for c in clips], np.int64)
    return LeakGraph(facts, axis, Links(source, target, *column))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000))
def test_as_every_pair_says(seed: int) -> None:
    clips, links = world(seed)
    rows, others = np.arange(CLIPS_PER_SIDE), np.arange(CLIPS_PER_SIDE, 2 * CLIPS_PER_SIDE)
    joined = graph_of(clips, links).joined(rows, others)
    for i in rows.tolist():
        found = {kind for kind in KINDS if joined.kinds[kind][i]}
        assert found == plain.kinds_of(clips[i], [clips[j] for j in others.tolist()], links), clips[i]
        assert (joined.partner[i] >= 0) == (joined.share[i] > 0)
        assert joined.partner[i] not in rows


@pytest.fixture(scope="module")
def leaky(tmp_path_factory: pytest.TempPathFactory) -> tuple[Small, dict[str, str]]:
    """Tones with planted leaks, and the sides of their files by path.

    Of class asa: 0 tests and its copy trains (equal bytes); 1 has the audio of 5; 3 is a near copy of 7; half of 2
    is in 6; an eighth of 4 is in bel/7. bel/0 and bel/1 are on one island through bel/2, which is in no side of fold 0.
    """
    small = make_small(tmp_path_factory.mktemp("leaky"), n_copies=1, split=None)
    snapshot = small.snapshot
    files = {row["path"]: row["recording_id"] for row in snapshot.table("files").to_pylist()}
    clips = {row["path"]: row for row in snapshot.table("clips").to_pylist()}
    r = {path.removesuffix(".wav"): recording for path, recording in files.items()}
    length = {path.removesuffix(".wav"): row["end_s"] for path, row in clips.items()}
    audit = Analysis("audit", "audit", None, {"inputs_hash": "x"}, 1)
    planted = [
        ("asa/1", "asa/5", "same-audio", 0.0, 0.0, length["asa/1"]),
        ("asa/3", "asa/7", "near", 0.02, 0.0, 0.53),
        ("asa/2", "asa/6", "overlap", 0.2, 0.0, 0.25),
        ("asa/4", "bel/7", "overlap", 0.0, 0.4, 0.05),
        ("bel/0", "bel/2", "overlap", 0.3, 0.0, 0.1),
        ("bel/1", "bel/2", "overlap", 0.35, 0.3, 0.1),
    ]
    links, island = [], {recording: recording for recording in r.values()}
    for a, b, kind, start_a, start_b, shared in planted:
        if r[a] > r[b]:
            a, b, start_a, start_b = b, a, start_b, start_a
        links.append(
            dict(
                zip(
                    TABLES["audio_links"].names,
                    (audit.id, r[a], r[b], kind, start_a, start_b, shared, 1.0),
                    strict=True,
                )
            )
        )
        joined = {island[r[a]], island[r[b]]}
        for recording in island:
            if island[recording] in joined:
                island[recording] = min(joined)
    tested = {"asa/0", "asa/1", "asa/3", "asa/2", "asa/4", "bel/0", "cem/0", "cem/1"}
    side = {p: "test" if p in tested else "train" for p in r} | {"bel/2": "", "cem/7": "valid"}
    split = Analysis(
        "planted", "split", snapshot.table("clips")["analysis_id"][0].as_py(), SplitConfig().parameters(), 1
    )
    rows = [
        {"split_id": split.id, "fold": 0, "clip_id": clips[f"{p}.wav"]["clip_id"], "part": s, "label": p.split("/")[-2], "group_key": p}
        for p, s in side.items() if s
    ]  # fmt: skip
    append: dict[str, list[dict[str, Any]]] = {
        "audio_links": links,
        "islands": [{"analysis_id": audit.id, "recording_id": k, "island": v} for k, v in island.items()],
        "splits": rows,
        "analyses": [a.row() | {"created_at": dt.datetime(2024, 1, 2)} for a in (audit, split)],
    }
    with open_writer(small.path) as writer:
        tables = {
            name: pa.Table.from_pylist(found, schema=TABLES[name].schema) for name, found in append.items()
        }
        writer.commit(Changes(append=tables), token="planted", message="plant leaks")
    return Small(small.path, small.clips_id, split.id, small.pcm), side


def test_planted_leaks_are_all_reported_and_no_more(leaky: tuple[Small, dict[str, str]]) -> None:
    small, _ = leaky
    report = leak_report(small.snapshot, small.split_id, 0)
    frozen = {
        "same-content": 1,  # asa/0
        "same-audio": 2,  # and asa/1
        "near": 3,  # and asa/3
        "half": 4,  # and asa/2
        "overlap": 5,  # and asa/4
        "same-island": 6,  # and bel/0, through bel/2
        "same-recording": 1,
    }
    assert {leak.kind: leak.n for leak in report.leaks} == frozen
    assert (report.n_train, report.n_valid, report.n_test) == (15, 1, 8)
    assert report.share("half") == 0.5 and report.is_leaking
    assert {n: leak.n for n, leak in report.labels.items()} == {"style": 8, "take": 5, "work": 8}
    assert ("asa/0.wav", "copies/asa/0.wav", 1.0) in report.examples
    said = json.loads(json.dumps(report.to_json()))
    assert said["leaks"]["near"] == {"clips": 3, "share": 0.375} and said["notes"] == []


def test_the_report_is_read_on_a_terminal(leaky: tuple[Small, dict[str, str]]) -> None:
    small, _ = leaky
    text = leak_text(leak_reports(small.snapshot, small.split_id))
    assert max(map(len, text.splitlines())) <= 100
    assert "asa/0.wav in test, 100 % of it in copies/asa/0.wav" in text
    assert [line.split() for line in text.splitlines() if line.startswith("     0")] == [
        ["0", "15", "1", "8", "12.5", "25.0", "37.5", "50.0", "62.5", "75.0", "12.5"]
    ]


def test_a_key_that_leaks_is_refused_with_the_links_named(leaky: tuple[Small, dict[str, str]]) -> None:
    small, _ = leaky
    by_take = SplitConfig("kfold", "singer", ("label.take",), folds=2)
    with open_writer(small.path) as writer:
        with pytest.raises(
            UsageError, match=r"divided by label.take, \d+ of 25 clips of test share sound"
        ) as error:
            make_split(SplitOptions(by_take), writer)
        for said in ("near copies", "groups that share:", "--merge-shared", "--allow-leak"):
            assert said in str(error.value)
        merged = run_split(SplitOptions(replace(by_take, merge_shared=True)), writer)
        assert all(not r.is_leaking for r in leak_reports(writer.snapshot, merged.split_id))
        island = run_split(SplitOptions(SplitConfig("kfold", "singer", ("island",), folds=3)), writer)
        assert all(not r.is_leaking for r in leak_reports(writer.snapshot, island.split_id))
        allowed = run_split(SplitOptions(replace(by_take, allow_leak=True)), writer)
        reports = leak_reports(writer.snapshot, allowed.split_id)
        assert any(r.is_leaking for r in reports) and not any(r.share("same-content") for r in reports)


def test_without_an_audit_the_report_says_what_it_cannot_know(tmp_path: Path) -> None:
    config = SplitConfig("random", "singer", as_published=True, test_share=0.5, valid_share=0)
    small = make_small(tmp_path, n_each=4, n_copies=12, split=config)
    report = leak_report(small.snapshot, small.split_id, 0)
    facts = facts_of(small.snapshot, small.clips_id)
    assert facts.island_of is None and report.share("same-island") is None
    assert report.share("same-content") and report.share("same-content") == report.share("overlap")
    assert len(report.notes) == 1 and report.notes[0].startswith("no audit is stored")
