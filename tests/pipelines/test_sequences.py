"""What a database says follows from the files as they are now, not from the runs that led there."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from motifdb.config import ContourConfig
from motifdb.pipelines.inputs.f0 import NeedsHop
from tests.pipelines.small import FINE, make_f0_corpus, melody, prints, rows, run, violations, write_f0

CLUSTERS = replace(FINE, contour=ContourConfig(quantiser="kmeans", k=6, min_piece_s=0.0))


def write_wav(path: Path, seed: int) -> None:
    """Two seconds of a few notes."""
    notes = np.random.default_rng(seed).integers(-4, 5, 10)
    f0_hz = np.repeat(220.0 * 2 ** (notes / 6), 1600)
    soundfile.write(path, 0.5 * np.sin(2 * np.pi * np.cumsum(f0_hz) / 8000), 8000)


def same_as_fresh(db: Path, *paths: Path, **options: Any) -> None:
    """The database is whole and says what one run over the same files says."""
    assert violations(db) == []
    fresh = db.with_name("fresh.motifdb")
    shutil.rmtree(fresh, ignore_errors=True)
    run(fresh, *paths, **options)
    assert prints(db) == prints(fresh)


# -- which corpus a file is in -------------------------------------------------------------------------


def test_a_file_is_in_one_corpus_in_whatever_order_folders_are_named(tmp_path: Path) -> None:
    corpus = make_f0_corpus(tmp_path / "corpus", 6)
    run(tmp_path / "a.motifdb", corpus / "a", corpus / "b/01.csv", corpus)
    same_as_fresh(tmp_path / "a.motifdb", corpus)


def test_the_folder_above_a_corpus_leaves_its_files_where_they_are(tmp_path: Path) -> None:
    corpus, db = make_f0_corpus(tmp_path / "corpus", 6), tmp_path / "a.motifdb"
    run(db, corpus / "a")
    report = run(db, corpus)
    assert (report.n_new, report.n_unchanged) == (6, 2)
    assert sorted(f["path"] for f in rows(db, "files")) == sorted(
        ["00.csv", "03.csv", "b/01.csv", "b/04.csv", "c/02.csv", "c/05.csv", "README.md", "manifest.csv"]
    )
    (corpus / "a/03.csv").unlink()
    assert run(db, corpus, prune=True).n_pruned == 1
    assert violations(db) == []


def test_a_corpus_under_another_name_is_that_corpus(tmp_path: Path) -> None:
    corpus, db = make_f0_corpus(tmp_path / "corpus", 6), tmp_path / "a.motifdb"
    (tmp_path / "link").symlink_to(corpus)
    run(db, corpus)
    report = run(db, tmp_path / "link", tmp_path / "link" / "a")
    assert (report.n_new, report.n_unchanged, report.n_commits) == (0, 8, 0)


# -- what cannot be listed -----------------------------------------------------------------------------


def test_prune_keeps_what_lies_in_a_folder_that_cannot_be_listed(tmp_path: Path) -> None:
    corpus, db = make_f0_corpus(tmp_path / "corpus", 6), tmp_path / "a.motifdb"
    disk = make_f0_corpus(tmp_path / "disk", 3, seed=50)
    (corpus / "mounted").symlink_to(disk)
    run(db, corpus)
    before = {f["path"] for f in rows(db, "files")}
    disk.rename(tmp_path / "away")
    report = run(db, corpus, prune=True)
    assert (report.n_pruned, report.n_failed) == (0, 1)
    assert {f["path"] for f in rows(db, "files")} == before
    assert violations(db) == []
    (tmp_path / "away").rename(disk)
    report = run(db, corpus)
    assert (report.n_new, report.n_gone, report.failures) == (0, 0, [])  # the folder's failure is over
    same_as_fresh(db, corpus)


def test_a_file_that_became_a_dangling_link_is_a_failure_only(tmp_path: Path) -> None:
    corpus, db = make_f0_corpus(tmp_path / "corpus", 6), tmp_path / "a.motifdb"
    run(db, corpus)
    (corpus / "a/00.csv").unlink()
    (corpus / "a/00.csv").symlink_to(tmp_path / "nowhere")
    run(db, corpus)
    same_as_fresh(db, corpus)
    os.unlink(corpus / "a/00.csv")
    write_f0(corpus / "a/00.csv", melody(0))
    run(db, corpus)
    same_as_fresh(db, corpus)


# -- reference pitch -----------------------------------------------------------------------------------


@pytest.fixture
def referenced(tmp_path: Path) -> tuple[Path, Path, Path]:
    """Three recordings, each with a reference; the corpus, its manifest and the place of a database."""
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    for i in range(3):
        write_wav(corpus / f"{i}.wav", i)
        write_f0(corpus / f"{i}.f0.csv", melody(i)[:200])
    manifest = corpus / "manifest.csv"
    manifest.write_text("path,f0\n" + "".join(f"{i}.wav,{i}.f0.csv\n" for i in range(3)))
    return corpus, manifest, tmp_path / "a.motifdb"


def test_a_replaced_recording_keeps_its_reference(referenced: tuple[Path, Path, Path]) -> None:
    corpus, manifest, db = referenced
    good = (corpus / "0.wav").read_bytes()
    (corpus / "0.wav").write_bytes(b"no sound")
    run(db, corpus, metadata=manifest)
    assert len(rows(db, "pitch_agreement")) == 2
    (corpus / "0.wav").write_bytes(good)
    write_wav(corpus / "1.wav", 20)
    run(db, corpus, metadata=manifest)
    same_as_fresh(db, corpus, metadata=manifest)
    assert len(rows(db, "pitch_agreement")) == 3


def test_references_are_stored_when_work_gets_to_pitch(referenced: tuple[Path, Path, Path]) -> None:
    corpus, manifest, db = referenced
    run(db, corpus, metadata=manifest, until="files")
    run(db, corpus, metadata=manifest)
    same_as_fresh(db, corpus, metadata=manifest)
    write_f0(corpus / "1.f0.csv", melody(21)[:200])
    run(db, corpus, metadata=manifest, until="files")
    assert violations(db) == [] and len(rows(db, "pitch_agreement")) == 2  # the old one is no longer right
    run(db, corpus, metadata=manifest)
    same_as_fresh(db, corpus, metadata=manifest)
    assert run(db, corpus, metadata=manifest).n_commits == 0


def test_a_reference_that_no_row_names_any_more_goes(referenced: tuple[Path, Path, Path]) -> None:
    corpus, manifest, db = referenced
    run(db, corpus, metadata=manifest)
    manifest.write_text("path,f0\n0.wav,0.f0.csv\n1.wav,\n2.wav,1.f0.csv\n")
    run(db, corpus, metadata=manifest)
    assert {a["recording_id"] for a in rows(db, "pitch_agreement")} == {
        f["recording_id"] for f in rows(db, "files") if f["path"] in ("0.wav", "2.wav")
    }
    assert {f["path"]: f["state"] for f in rows(db, "files")}["2.f0.csv"] == "input"
    same_as_fresh(db, corpus, metadata=manifest)
    (corpus / "0.f0.csv").write_text("time_s,f0_hz\n0,220\n0,220\n")
    run(db, corpus, metadata=manifest)
    same_as_fresh(db, corpus, metadata=manifest)


def test_two_references_of_one_content_are_one(referenced: tuple[Path, Path, Path]) -> None:
    corpus, manifest, db = referenced
    shutil.copy(corpus / "0.wav", corpus / "3.wav")
    write_f0(corpus / "3.f0.csv", melody(22)[:200])
    with open(manifest, "a") as file:
        file.write("3.wav,3.f0.csv\n")
    run(db, corpus, metadata=manifest)
    assert violations(db) == []
    write_f0(corpus / "3.f0.csv", melody(23)[:200])
    run(db, corpus, metadata=manifest)
    same_as_fresh(db, corpus, metadata=manifest)
    write_f0(corpus / "0.f0.csv", melody(24)[:200])
    run(db, corpus, metadata=manifest)
    same_as_fresh(db, corpus, metadata=manifest)


def test_a_corrected_manifest_mends_a_wrong_reference(referenced: tuple[Path, Path, Path]) -> None:
    corpus, manifest, db = referenced
    right = manifest.read_text()
    (corpus / "notes.txt").write_text("words, not numbers\n")
    manifest.write_text(right.replace("2.f0.csv", "notes.txt"))
    (failure,) = run(db, corpus, metadata=manifest).failures
    assert failure["path"] == "notes.txt" and "correct the manifest" in failure["reason"]
    assert run(db, corpus, metadata=manifest).n_commits == 0
    manifest.write_text(right)
    assert run(db, corpus, metadata=manifest).failures == []
    assert violations(db) == []


# -- clusters of a corpus ------------------------------------------------------------------------------


def test_clusters_of_a_silent_corpus_wait_for_something_that_sounds(tmp_path: Path) -> None:
    corpus, db = tmp_path / "corpus", tmp_path / "a.motifdb"
    write_f0(corpus / "a.csv", np.zeros(300))
    assert run(db, corpus, config=CLUSTERS).failures == []
    write_f0(corpus / "b.csv", melody(1))
    assert run(db, corpus, config=CLUSTERS).failures == []
    assert violations(db) == [] and rows(db, "motifs")


def test_refreshed_clusters_that_were_there_before_are_the_newest(tmp_path: Path) -> None:
    corpus, db = make_f0_corpus(tmp_path / "corpus", 6), tmp_path / "a.motifdb"
    run(db, corpus, config=CLUSTERS)
    (first,) = [a["analysis_id"] for a in rows(db, "analyses") if a["kind"] == "contour"]
    write_f0(corpus / "new.csv", melody(31) * 1.01)
    run(db, corpus, config=CLUSTERS, refresh=True)
    (corpus / "new.csv").unlink()
    run(db, corpus, config=CLUSTERS, refresh=True, prune=True)
    write_f0(corpus / "silent.csv", np.zeros(300))
    run(db, corpus, config=CLUSTERS)
    (silent,) = [f["recording_id"] for f in rows(db, "files") if f["path"] == "silent.csv"]
    assert first in {c["analysis_id"] for c in rows(db, "coverage") if c["scope_key"] == silent}
    run(db, corpus, config=CLUSTERS, refresh=True)  # silence moves no centre, but is an input now
    assert {a["n_inputs"] for a in rows(db, "analyses") if a["analysis_id"] == first} == {6}
    assert run(db, corpus, config=CLUSTERS, refresh=True).n_commits == 0
    assert violations(db) == []


# -- questions before work -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["z.dat", "z.csv.gz", "z.tsv"])
def test_a_hop_is_asked_for_before_work_whatever_the_name(tmp_path: Path, name: str) -> None:
    import gzip

    corpus, db = make_f0_corpus(tmp_path / "corpus", 6), tmp_path / "a.motifdb"
    text = b"220.5\n" * 50
    (corpus / name).write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
    with pytest.raises(NeedsHop, match="--hop"):
        run(db, corpus, commit_every=1)
    assert rows(db, "files") == []
