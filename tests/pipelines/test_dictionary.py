"""Dictionaries against a plain count: union of a singer's patterns, every place of each in all of the singer's phrases."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from motifdb.catalog.store import open_writer
from motifdb.errors import NotFoundError, UsageError
from motifdb.pipelines import committer
from motifdb.pipelines.dictionary import Options, Report, make_dictionaries, notes
from motifdb.pipelines.progress import Quiet
from tests.pipelines.small import make_f0_corpus, melody, prints, rows, run, violations, write_f0


def build(db: Path, by: str = "singer", **options: Any) -> Report:
    with open_writer(db, wait_s=10) as writer:
        return make_dictionaries(Options(by, **options), writer, Quiet())


@pytest.fixture
def db(tmp_path: Path) -> Path:
    corpus = make_f0_corpus(tmp_path / "corpus")
    run(tmp_path / "a.motifdb", corpus, metadata=corpus / "manifest.csv")
    return tmp_path / "a.motifdb"


def singers(db: Path) -> dict[str, set[str]]:
    """Recordings of each singer; tracks 0 and 11 are one content under two singers, which is nobody's."""
    of: dict[str, set[str]] = {}
    for row in rows(db, "files"):
        if row["state"] == "input":
            of.setdefault(row["recording_id"], set()).add(row["singer"])
    found: dict[str, set[str]] = {}
    for recording, names in of.items():
        if len(names) == 1:
            found.setdefault(names.pop(), set()).add(recording)
    return found


def places(pattern: list[int], phrase: dict[str, Any]) -> list[int]:
    symbols, m = phrase["symbols"], len(pattern)
    return [i for i in range(len(symbols) - m + 1) if symbols[i : i + m] == pattern]


def expected(db: Path, matches: str, min_clip_s: float) -> dict[tuple[str, tuple[int, ...]], list[float]]:
    """Durations of the instances by singer and pattern, counted the plain way."""
    motifs = [m for m in rows(db, "motifs") if m["scope"] == "recording"]
    phrases = rows(db, "contours")
    found: dict[tuple[str, tuple[int, ...]], list[float]] = {}
    for singer, recordings in singers(db).items():
        for pattern in {tuple(m["pattern"]) for m in motifs if m["scope_key"] in recordings}:
            for phrase in phrases:
                if phrase["recording_id"] in recordings:
                    at = places(list(pattern), phrase)
                    for i in at[:1] if matches == "first" else at:
                        length_s = phrase["segment_end_s"][i + len(pattern)] - phrase["segment_start_s"][i]
                        if length_s >= min_clip_s:
                            found.setdefault((singer, pattern), []).append(length_s)
    return found


@pytest.mark.parametrize(("matches", "min_clip_s"), [("all", 0.0), ("first", 0.0), ("all", 0.55)])
def test_instances_are_those_of_a_plain_search(db: Path, matches: Any, min_clip_s: float) -> None:
    wanted = expected(db, matches, min_clip_s)
    everywhere = expected(db, "all", 0.0)
    assert min_clip_s == 0 or 0 < sum(map(len, wanted.values())) < sum(map(len, everywhere.values()))
    report = build(db, matches=matches, min_clip_s=min_clip_s)
    motifs = {m["motif_id"]: m for m in rows(db, "motifs") if m["scope"] == "singer"}
    assert {(m["scope_key"], tuple(m["pattern"])): m["occurrences"] for m in motifs.values()} == {
        k: len(v) for k, v in wanted.items()
    }
    stored = Counter(o["motif_id"] for o in rows(db, "occurrences") if o["motif_id"] in motifs)
    for motif_id, m in motifs.items():
        durations = sorted(wanted[m["scope_key"], tuple(m["pattern"])])
        assert stored[motif_id] == len(durations)
        assert m["duration_min_s"] == durations[0] and m["duration_max_s"] == durations[-1]
        assert m["duration_median_s"] == durations[(len(durations) - 1) // 2]
        assert (m["log10_p"] is None) == (min_clip_s > 0)
    sizes = Counter(singer for singer, _ in wanted)
    for row in report.table.to_pylist()[:-1]:
        assert row["|M(S)|"] == sizes[row["singer"]]
        assert row["instances"] == sum(len(v) for k, v in wanted.items() if k[0] == row["singer"])
        assert row["recordings"] == len(singers(db)[row["singer"]])
    assert violations(db) == []


def test_support_counts_phrases_and_recordings(db: Path) -> None:
    build(db)
    phrases = rows(db, "contours")
    wide = [m for m in rows(db, "motifs") if m["scope"] == "singer"]
    assert wide
    for m in wide:
        holding = [
            p for p in phrases if p["recording_id"] in singers(db)[m["scope_key"]] and places(m["pattern"], p)
        ]
        assert m["support_sequences"] == len(holding)
        assert m["support_recordings"] == len({p["recording_id"] for p in holding})


def test_every_pattern_is_counted_in_every_recording(db: Path) -> None:
    report = build(db)
    patterns = {m["pattern_id"]: m["pattern"] for m in rows(db, "motifs") if m["scope"] == "singer"}
    wanted: Counter[tuple[str, str]] = Counter()
    for phrase in rows(db, "contours"):
        for name, pattern in patterns.items():
            if n := len(places(pattern, phrase)):
                wanted[name, phrase["recording_id"]] += n
    counted = [c for c in rows(db, "pattern_counts") if c["analysis_id"] == report.analysis_id]
    assert {(c["pattern_id"], c["recording_id"]): c["occurrences"] for c in counted} == wanted
    own = {r for members in singers(db).values() for r in members}
    assert {c["recording_id"] for c in counted} - own  # also in the recording that is nobody's


def test_a_recording_of_two_singers_is_left_out_and_told(db: Path) -> None:
    report = build(db)
    assert list(report.scope.contradicting.values()) == [["singer a", "singer c"]]
    text = "\n".join(notes(report))
    assert "contradict each other about singer: 1" in text and "a/00.csv: singer a, singer c" in text
    (conflict,) = report.scope.contradicting
    wide = {m["motif_id"] for m in rows(db, "motifs") if m["scope"] == "singer"}
    assert not [o for o in rows(db, "occurrences") if o["motif_id"] in wide and o["recording_id"] == conflict]


def test_again_does_nothing_and_a_new_recording_only_its_singer(tmp_path: Path, db: Path) -> None:
    build(db)
    before = prints(db)
    again = build(db)
    assert (again.n_made, again.n_commits) == (0, 0) and prints(db) == before
    corpus = tmp_path / "corpus"
    write_f0(corpus / "b/new.csv", melody(77))
    with (corpus / "manifest.csv").open("a") as file:
        file.write("b/new.csv,singer b,fast,99\n")
    run(db, corpus, metadata=corpus / "manifest.csv")
    report = build(db)
    assert report.n_made == 1
    other = tmp_path / "fresh.motifdb"
    run(other, corpus, metadata=corpus / "manifest.csv")
    build(other)
    assert prints(other) == prints(db)


def test_a_stopped_run_is_finished_by_the_next(
    tmp_path: Path, db: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import shutil

    half = tmp_path / "half.motifdb"
    shutil.copytree(db, half)
    build(db)
    flush, n = committer.Committer.flush, 0

    def stops(self: committer.Committer, message: str, **more: Any) -> int | None:
        nonlocal n
        n += 1
        if n == 2:
            raise KeyboardInterrupt
        return flush(self, message, **more)

    with monkeypatch.context() as patch:
        patch.setattr(committer, "COMMIT_BYTES", 1)
        patch.setattr(committer.Committer, "flush", stops)
        with pytest.raises(KeyboardInterrupt):
            build(half)
    made = {m["scope_key"] for m in rows(half, "motifs") if m["scope"] == "singer"}
    assert made and made != set(singers(half))
    assert build(half).n_made == len(singers(half)) - len(made)
    assert prints(half) == prints(db)


def test_published_numbers_stand_beside_their_own_labels_only(tmp_path: Path) -> None:
    for i, name in enumerate(("EM", "other")):
        write_f0(tmp_path / f"c/{name}/{i}.csv", melody(i))
    run(tmp_path / "a.motifdb", tmp_path / "c", pattern="{singer}/{title}")
    table = build(tmp_path / "a.motifdb").table.to_pylist()
    assert [row["sid-2020, Table 1"] for row in table] == [1125, None, None]
    assert "sid-2020, Table 1" not in build(tmp_path / "a.motifdb", "title").table.column_names


def test_a_name_stands_for_one_dictionary(db: Path) -> None:
    build(db, name="mine")
    build(db, name="mine")
    with pytest.raises(UsageError, match="the name 'mine' is taken by analysis"):
        build(db, name="mine", matches="first")


def test_parameters_say_where_the_patterns_come_from(db: Path) -> None:
    report = build(db, name="mine")
    (row,) = [a for a in rows(db, "analyses") if a["analysis_id"] == report.analysis_id]
    said = json.loads(row["parameters"])
    mining = [a for a in rows(db, "analyses") if a["kind"] == "mining" and a["name"] == "fine"]
    assert said["dictionary"]["of"] == mining[0]["analysis_id"] and said["scope"] == "singer"
    assert row["name"] == "mine" and row["parent_id"] == mining[0]["parent_id"]


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"by": "singr"}, NotFoundError),
        ({"by": "singer", "analysis": "no such"}, NotFoundError),
        ({"by": "singer", "matches": "some"}, UsageError),
        ({"by": "singer", "min_clip_s": -1.0}, UsageError),
    ],
)
def test_what_cannot_be_is_refused_before_any_work(
    db: Path, options: dict[str, Any], error: type[Exception]
) -> None:
    before = prints(db)
    with pytest.raises(error):
        build(db, **options)
    assert prints(db) == before
