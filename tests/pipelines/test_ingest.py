"""Ingest as a whole, on small corpora, in this process: what it finds, and that doing it again does nothing."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from motifdb.catalog.store import open_snapshot
from motifdb.config import ContourConfig
from motifdb.errors import UsageError
from motifdb.pipelines.inputs.f0 import NeedsHop
from tests.pipelines.small import FINE, make_f0_corpus, melody, prints, rows, run, violations, write_f0


@pytest.fixture(scope="module")
def ingested(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A corpus and its database; tests that change them copy them first."""
    folder = tmp_path_factory.mktemp("ingest")
    corpus = make_f0_corpus(folder / "corpus")
    run(folder / "a.motifdb", corpus, metadata=corpus / "manifest.csv")
    return corpus, folder / "a.motifdb"


@pytest.fixture
def copied(ingested: tuple[Path, Path], tmp_path: Path) -> tuple[Path, Path]:
    corpus, db = ingested
    shutil.copytree(corpus, tmp_path / "corpus")
    shutil.copytree(db, tmp_path / "a.motifdb")
    moved = tmp_path / "corpus", tmp_path / "a.motifdb"
    from motifdb.catalog.store import open_writer
    from motifdb.pipelines.relocate import relocate

    with open_writer(moved[1]) as writer:
        assert relocate(writer, "corpus", moved[0]) == (14, 14)
    return moved


def test_every_input_becomes_motifs(ingested: tuple[Path, Path]) -> None:
    _, db = ingested
    files = rows(db, "files")
    assert len([f for f in files if f["state"] == "input"]) == 12
    assert sorted(f["path"] for f in files if f["state"] == "skipped") == ["README.md", "manifest.csv"]
    recordings = {r["recording_id"] for r in rows(db, "recordings")}
    assert len(recordings) == 11  # the last track has the bytes of the first
    motifs = rows(db, "motifs")
    assert {m["scope_key"] for m in motifs} <= recordings and len(motifs) > 50
    assert all(m["occurrences"] >= 3 and m["length"] >= 3 for m in motifs)
    assert violations(db) == []


def test_labels_come_from_the_manifest(ingested: tuple[Path, Path]) -> None:
    _, db = ingested
    by_path = {f["path"]: f for f in rows(db, "files")}
    assert by_path["b/04.csv"]["singer"] == "singer b"
    assert by_path["b/04.csv"]["style"] == "fast"
    assert dict(by_path["b/04.csv"]["labels"]) == {"key": "4"}


def test_again_with_nothing_new_does_nothing(copied: tuple[Path, Path]) -> None:
    corpus, db = copied
    before = open_snapshot(db).commit
    report = run(db, corpus, metadata=corpus / "manifest.csv")
    assert (report.n_worked, report.n_commits, report.n_unchanged) == (0, 0, 14)
    assert open_snapshot(db).commit == before


def test_order_and_parts_do_not_matter(ingested: tuple[Path, Path], tmp_path: Path) -> None:
    corpus, db = ingested
    manifest = corpus / "manifest.csv"
    other = tmp_path / "b.motifdb"
    for name in ("c", "a"):
        for track in sorted((corpus / name).glob("*.csv"), reverse=True):
            link = corpus / name / track.name
            run(other, corpus / "README.md", link.parent.parent, metadata=manifest, until="files")
            break
    run(other, corpus, metadata=manifest, until="pitch")
    run(other, corpus, metadata=manifest, until="contours")
    run(other, corpus, metadata=manifest)
    assert prints(other) == prints(db)
    assert violations(other) == []


def test_new_changed_and_gone_files(copied: tuple[Path, Path]) -> None:
    corpus, db = copied
    manifest = corpus / "manifest.csv"
    write_f0(corpus / "a/00.csv", melody(100))
    write_f0(corpus / "d/new.csv", melody(101))
    (corpus / "b/01.csv").unlink()
    report = run(db, corpus, metadata=manifest)
    assert (report.n_changed, report.n_new, report.n_gone) == (1, 1, 1)
    assert violations(db) == []
    assert "b/01.csv" in {f["path"] for f in rows(db, "files")}
    report = run(db, corpus, metadata=manifest, prune=True)
    assert report.n_pruned == 1 and "b/01.csv" not in {f["path"] for f in rows(db, "files")}
    assert violations(db) == []
    fresh = db.parent / "fresh.motifdb"
    run(fresh, corpus, metadata=manifest)
    assert prints(fresh) == prints(db)


def test_changed_back_and_forth(copied: tuple[Path, Path]) -> None:
    corpus, db = copied
    manifest = corpus / "manifest.csv"
    target = corpus / "a/03.csv"
    original, times = target.read_bytes(), os.stat(target)
    expected = prints(db)
    for _ in range(2):
        write_f0(target, melody(102))
        run(db, corpus, metadata=manifest)
        assert prints(db) != expected
        target.write_bytes(original)
        os.utime(target, ns=(times.st_atime_ns, times.st_mtime_ns))
        run(db, corpus, metadata=manifest)
        assert prints(db) == expected
    assert violations(db) == []


def test_a_moved_file_keeps_its_recording(copied: tuple[Path, Path]) -> None:
    corpus, db = copied
    before = {f["path"]: f["recording_id"] for f in rows(db, "files")}
    (corpus / "b/01.csv").rename(corpus / "b/moved.csv")
    report = run(db, corpus, prune=True)
    after = {f["path"]: f["recording_id"] for f in rows(db, "files")}
    assert report.n_worked == 0
    assert after["b/moved.csv"] == before["b/01.csv"] and "b/01.csv" not in after
    assert violations(db) == []


def test_labels_can_change_without_work(copied: tuple[Path, Path]) -> None:
    corpus, db = copied
    manifest = corpus / "manifest.csv"
    manifest.write_text(manifest.read_text().replace("singer a", "someone else"))
    report = run(db, corpus, metadata=manifest)
    assert report.n_worked == 0
    assert {f["singer"] for f in rows(db, "files") if f["path"].startswith("a/")} == {"someone else"}
    run(db, corpus)
    assert {f["singer"] for f in rows(db, "files") if f["path"].startswith("a/")} == {"someone else"}
    assert violations(db) == []


def test_another_quantiser_does_not_read_files_again(copied: tuple[Path, Path]) -> None:
    corpus, db = copied
    coarse = replace(FINE, name="coarse", contour=replace(FINE.contour, epsilon_cents=150.0))
    stored = len(rows(db, "pitch"))
    for track in corpus.glob("*/*.csv"):
        times = os.stat(track)
        track.write_bytes(b"x" * times.st_size)  # unreadable, if anyone looked
        os.utime(track, ns=(times.st_atime_ns, times.st_mtime_ns))
    report = run(db, corpus, config=coarse)
    assert report.n_failed == 0 and len(rows(db, "pitch")) == stored
    kinds = [a["kind"] for a in rows(db, "analyses")]
    assert (kinds.count("pitch"), kinds.count("contour"), kinds.count("mining")) == (1, 2, 2)
    assert violations(db) == []


def test_corpus_clusters_are_frozen_until_refreshed(copied: tuple[Path, Path]) -> None:
    corpus, db = copied
    config = replace(FINE, name="clusters", contour=ContourConfig(quantiser="kmeans", k=6, min_piece_s=0.0))
    run(db, corpus, config=config)
    (first,) = [a for a in rows(db, "analyses") if a["kind"] == "contour" and a["name"] == "clusters"]
    assert first["n_inputs"] == 11
    write_f0(corpus / "d/new.csv", melody(103))
    run(db, corpus, config=config)
    (same,) = [a for a in rows(db, "analyses") if a["kind"] == "contour" and a["name"] == "clusters"]
    assert same == first
    run(db, corpus, config=config, refresh=True)
    fits = [a for a in rows(db, "analyses") if a["kind"] == "contour" and a["name"] == "clusters"]
    assert sorted(a["n_inputs"] for a in fits) == [11, 12]
    assert violations(db) == []


def test_corpus_clusters_are_fitted_to_the_frames_that_count(tmp_path: Path) -> None:
    steps = [(220.0, 0.9), (440.0, 0.9), (1760.0, 0.1)]  # the highest is a guess
    lines = [f"{i / 100:.2f},{steps[i // 50 % 3][0]},{steps[i // 50 % 3][1]}" for i in range(600)]
    (tmp_path / "c").mkdir()
    (tmp_path / "c/x.csv").write_text("time_s,f0_hz,confidence\n" + "\n".join(lines) + "\n")
    contour = ContourConfig(quantiser="kmeans", k=2, min_confidence=0.5, max_jump_cents=None)
    run(tmp_path / "a.motifdb", tmp_path / "c", config=replace(FINE, contour=contour))
    (fit,) = [a for a in rows(tmp_path / "a.motifdb", "analyses") if a["kind"] == "contour"]
    assert json.loads(fit["parameters"])["centres_cents"] == [-1200.0, 0.0]


def test_a_missing_hop_is_asked_for_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "c").mkdir()
    (tmp_path / "c/x.pitch").write_text("220.0\n" * 300)
    with pytest.raises(NeedsHop, match="--hop"):
        run(tmp_path / "a.motifdb", tmp_path / "c")
    assert rows(tmp_path / "a.motifdb", "files") == []
    report = run(tmp_path / "a.motifdb", tmp_path / "c", hop="128/44100")
    assert report.n_inputs == 1
    assert rows(tmp_path / "a.motifdb", "recordings")[0]["duration_s"] == pytest.approx(300 * 128 / 44100)


def test_a_path_that_is_not_there_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no file or folder"):
        run(tmp_path / "a.motifdb", tmp_path / "nowhere")


def test_pattern_counts_hold_for_every_recording(ingested: tuple[Path, Path]) -> None:
    _, db = ingested
    kept = {m["pattern_id"]: bytes(s & 0xFF for s in m["pattern"]) for m in rows(db, "motifs")}
    expected: dict[tuple[str, str], tuple[int, int]] = {}
    for phrase in rows(db, "contours"):
        text = bytes(s & 0xFF for s in phrase["symbols"])
        for name, pattern in kept.items():
            n = sum(text.startswith(pattern, i) for i in range(len(text)))
            if n:
                occurrences, phrases = expected.get((name, phrase["recording_id"]), (0, 0))
                expected[name, phrase["recording_id"]] = occurrences + n, phrases + 1
    found = {
        (c["pattern_id"], c["recording_id"]): (c["occurrences"], c["phrases"])
        for c in rows(db, "pattern_counts")
    }
    assert found == expected and len(found) > len(kept)
