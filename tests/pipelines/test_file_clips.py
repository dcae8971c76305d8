"""Ready-cut clips: one a file, with that file's labels, in step with the folder; what leans on a clip goes with it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from motifdb.catalog.store import Changes, open_writer
from motifdb.pipelines import work
from motifdb.pipelines.analyses import FILE_CLIPS, Analysis, analysis_rows
from motifdb.pipelines.stages import coverage_row
from motifdb.query.database import Database
from motifdb.schemas import AUDIO_LINKS, COVERAGE, ISLANDS, PREDICTIONS, SPLITS
from tests.corpora import corpora_root, needs_corpus, reference_root
from tests.pipelines.small import prints, rows, run, violations
from tests.pipelines.test_keep_audio import voice, write


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Four files under two singers, two of one content, as clips; tests that change them copy them first."""
    folder = tmp_path_factory.mktemp("clips")
    corpus = folder / "corpus"
    for i, name in enumerate(("ana/one_1.flac", "ana/two_2.flac", "eva/three_3.flac")):
        write(corpus / name, voice(0.3 + i / 10, seed=i))
    (corpus / "eva" / "same_4.flac").write_bytes((corpus / "ana" / "one_1.flac").read_bytes())
    (corpus / "notes.txt").write_text("no input\n")
    run(folder / "a.motifdb", corpus, as_clips=True, until="files", pattern="{singer}/{title}_{_}")
    return corpus, folder / "a.motifdb"


@pytest.fixture
def copied(ready: tuple[Path, Path], tmp_path: Path) -> tuple[Path, Path]:
    from motifdb.pipelines.relocate import relocate

    for one, name in zip(ready, ("corpus", "a.motifdb"), strict=True):
        shutil.copytree(one, tmp_path / name)
    with open_writer(tmp_path / "a.motifdb") as writer:
        relocate(writer, "corpus", tmp_path / "corpus")
    return tmp_path / "corpus", tmp_path / "a.motifdb"


def clips(db: Path) -> dict[str, dict[str, Any]]:
    return {row["path"]: row for row in rows(db, "clips")}


def again(corpus: Path, db: Path, **options: Any) -> Any:
    return run(db, corpus, as_clips=True, until="files", pattern="{singer}/{title}_{_}", **options)


def test_every_file_is_a_clip_and_a_content_twice_is_two(ready: tuple[Path, Path]) -> None:
    _, db = ready
    by_path = clips(db)
    assert sorted(by_path) == ["ana/one_1.flac", "ana/two_2.flac", "eva/same_4.flac", "eva/three_3.flac"]
    one, same = by_path["ana/one_1.flac"], by_path["eva/same_4.flac"]
    assert one["recording_id"] == same["recording_id"] and one["clip_id"] != same["clip_id"]
    assert (one["kind"], one["start_s"], one["end_s"], one["motif_id"]) == ("file", 0.0, 0.3, None)
    assert {row["analysis_id"] for row in by_path.values()} == {FILE_CLIPS.id}
    assert len(rows(db, "audio")) == 3
    found = Database(db).sql(
        "select c.path, f.singer, f.title from clips c join files f using (corpus_id, path)"
        " where c.recording_id = $r order by 1",
        {"r": one["recording_id"]},
    )
    assert [(row["singer"], row["title"]) for row in found] == [("ana", "one"), ("eva", "same")]
    assert violations(db) == []


def test_again_does_nothing_and_a_fresh_database_is_the_same(copied: tuple[Path, Path]) -> None:
    corpus, db = copied
    assert again(corpus, db).n_commits == 0
    (corpus / "ana" / "two_2.flac").unlink()
    (corpus / "ana" / "one_1.flac").unlink()  # its content stays, under eva
    write(corpus / "eva" / "three_3.flac", voice(0.7, seed=3))
    write(corpus / "ana" / "new_5.flac", voice(0.4, seed=5))
    (corpus / "ana" / "third_6.flac").write_bytes((corpus / "eva" / "same_4.flac").read_bytes())
    report = again(corpus, db, prune=True)
    assert report.n_clips == 4 and len(rows(db, "clips")) == 4
    fresh = db.parent / "fresh.motifdb"
    again(corpus, fresh)
    assert prints(db) == prints(fresh)


def test_files_that_came_in_before_become_clips(ready: tuple[Path, Path], tmp_path: Path) -> None:
    corpus, db = ready
    other = tmp_path / "b.motifdb"
    run(other, corpus, until="files", pattern="{singer}/{title}_{_}")
    assert rows(other, "clips") == []
    report = again(corpus, other)
    assert (report.n_worked, report.n_clips, report.filled.n_done) == (0, 4, 3)
    assert prints(other) == prints(db)


def test_other_labels_need_no_decoding(copied: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    corpus, db = copied

    def decoded(*_: object) -> None:
        raise AssertionError("a file was decoded again")

    monkeypatch.setattr(work, "_decode", decoded)
    first, second = corpus.parent / "first.csv", corpus.parent / "second.csv"
    first.write_text("path,singer,style\nana/one_1.flac,Ana,slow\neva/same_4.flac,Eva,fast\n")
    second.write_text("file,singer,island\nana/one_1.wav,ANA,7\nana/two_2.mp3,,8\nana/none.wav,x,y\n")
    before = clips(db)
    report = run(db, corpus, as_clips=True, until="files", metadata=(first, second))
    files = {f["path"]: f for f in rows(db, "files")}
    one = files["ana/one_1.flac"]
    assert (one["singer"], one["style"], dict(one["labels"])) == ("ANA", "slow", {"island": "7"})
    assert dict(files["ana/two_2.flac"]["labels"]) == {"island": "8"}
    assert files["eva/same_4.flac"]["singer"] == "Eva"
    assert (report.n_worked, report.n_other_suffix) == (0, 2)
    assert (report.n_unmatched_rows, report.n_unmatched_files) == (1, 1)
    assert clips(db) == before
    run(db, corpus, as_clips=True, until="files", metadata=(second, first))
    assert {f["path"]: f["singer"] for f in rows(db, "files")}["ana/one_1.flac"] == "Ana"


def learned(db: Path) -> tuple[str, str]:
    """A split over the clips, predictions of two runs, one of them on one clip, and an audit; (split, audit)."""
    by_path = clips(db)
    split = Analysis("random", "split", FILE_CLIPS.id, {"method": "random"}, 1)
    prints_of = {r["analysis_id"] for r in rows(db, "fingerprints")}
    audit = Analysis("audit", "audit", prints_of.pop(), {"inputs_hash": "x"}, 1, "x", 3)
    in_split = [
        {
            "split_id": split.id,
            "fold": 0,
            "clip_id": c["clip_id"],
            "part": "test",
            "label": "a",
            "group_key": c["clip_id"],
        }
        for c in by_path.values()
    ]
    heard = {"r1": sorted(by_path), "r2": ["eva/three_3.flac"]}
    predictions = [
        {
            "run_id": r,
            "clip_id": by_path[p]["clip_id"],
            "part": "test",
            "label": "a",
            "predicted": "a",
            "probabilities": [1.0],
        }
        for r, paths in heard.items()
        for p in paths
    ]
    recordings = sorted({c["recording_id"] for c in by_path.values()})
    islands = [{"analysis_id": audit.id, "recording_id": r, "island": recordings[0]} for r in recordings]
    link = dict(zip(AUDIO_LINKS.names, (audit.id, *recordings[:2], "near", 0.0, 0.0, 0.1, 1.0), strict=True))
    changes = Changes(
        append={
            "analyses": analysis_rows([split, audit]),
            "splits": SPLITS.table(in_split),
            "predictions": PREDICTIONS.table(predictions),
            "islands": ISLANDS.table(islands),
            "audio_links": AUDIO_LINKS.table([link]),
            "coverage": COVERAGE.table([coverage_row(split.id, "all", 4), coverage_row(audit.id, "all", 3)]),
        }
    )
    with open_writer(db) as writer:
        writer.commit(changes, token="learned", message="learned")
    return split.id, audit.id


def covered(db: Path) -> dict[str, int]:
    return {row["analysis_id"]: row["n_rows"] for row in rows(db, "coverage") if row["scope_key"] == "all"}


def test_what_leans_on_a_clip_goes_with_its_file(copied: tuple[Path, Path]) -> None:
    corpus, db = copied
    split, audit = learned(db)
    gone = clips(db)["ana/one_1.flac"]
    (corpus / "ana" / "one_1.flac").unlink()  # its content stays under eva, so that only the file goes
    again(corpus, db, prune=True)
    left = {c["clip_id"] for c in rows(db, "clips")}
    assert len(left) == 3 and gone["clip_id"] not in left
    assert {s["clip_id"] for s in rows(db, "splits")} == left
    assert covered(db) == {split: 3, audit: 3}
    assert {p["run_id"] for p in rows(db, "predictions")} == {"r2"}  # r1 was tested on the clip that went
    assert len(rows(db, "islands")) == 3
    own = {r["scope_key"]: r["n_rows"] for r in rows(db, "coverage") if r["analysis_id"] == FILE_CLIPS.id}
    assert own[gone["recording_id"]] == 1 and sum(own.values()) == 3


def test_what_leans_on_a_recording_goes_with_it(copied: tuple[Path, Path]) -> None:
    corpus, db = copied
    split, _ = learned(db)
    (corpus / "eva" / "three_3.flac").unlink()
    again(corpus, db, prune=True)
    left = {c["clip_id"] for c in rows(db, "clips")}
    assert len(left) == 3 and {s["clip_id"] for s in rows(db, "splits")} == left
    assert covered(db) == {split: 3}  # an audit is about all recordings at once, so it is to be made anew
    assert rows(db, "islands") == [] and rows(db, "audio_links") == [] and rows(db, "predictions") == []
    for name in ("ana/one_1.flac", "ana/two_2.flac", "eva/same_4.flac"):
        (corpus / name).unlink()
    again(corpus, db, prune=True)
    assert [rows(db, t) for t in ("clips", "splits", "audio", "fingerprints")] == [[], [], [], []]
    assert covered(db) == {}


def test_f0_tracks_are_no_clips(tmp_path: Path) -> None:
    from tests.pipelines.small import melody, write_f0

    write_f0(tmp_path / "corpus" / "a.csv", melody(1))
    report = again(tmp_path / "corpus", tmp_path / "a.motifdb")
    assert report.n_clips == 0 and rows(tmp_path / "a.motifdb", "clips") == []


GROUPS = reference_root() / "flamenco_motifs_groups.csv"


@needs_corpus("flamenco_motifs")
@pytest.mark.skipif(not GROUPS.is_file(), reason=f"there is no {GROUPS}; set MOTIFDB_CORPORA")
def test_some_clips_of_flamenco_have_labels_of_both_tables(tmp_path: Path) -> None:
    source = corpora_root() / "flamenco_motifs"
    for table in (source / "manifest.csv", GROUPS):
        lines = table.read_text().splitlines()[:20]  # both in the order of paths
        (tmp_path / table.name).write_text("\n".join(lines) + "\n")
    manifest, groups = tmp_path / "manifest.csv", tmp_path / GROUPS.name
    names = [line.split(",")[0] for line in manifest.read_text().splitlines()[1:]]
    for name in names:
        (tmp_path / "corpus" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source / name, tmp_path / "corpus" / name)
    db = tmp_path / "a.motifdb"
    report = run(db, tmp_path / "corpus", as_clips=True, until="files", metadata=(manifest, groups))
    assert report.n_clips == report.n_other_suffix == len(names) and report.n_unmatched_files == 0
    labels = pa.Table.from_pylist([dict(f["labels"]) for f in rows(db, "files")])
    assert {"island", "source", "uuid"} <= set(labels.column_names)
    assert labels.column("source").null_count == 0
