"""What an audit finds in a corpus with planted copies and overlaps, and what it says where there is nothing to hear."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import soxr
from numpy.typing import NDArray
from typer.testing import CliRunner

from motifdb.catalog.store import create, open_snapshot, open_writer
from motifdb.cli import app
from motifdb.errors import MotifdbError, NotFoundError, UsageError
from motifdb.pipelines.audit import AuditConfig, AuditOptions, AuditRun, audit_database
from motifdb.pipelines.audit_report import AuditReport, audit_report, report_text
from motifdb.pipelines.progress import Quiet
from motifdb.query.database import Database
from tests.kernels.voices import voice
from tests.pipelines.inputs.audio_files import encoded
from tests.pipelines.small import make_f0_corpus, rows, run, violations

Sound = NDArray[np.float32]


def write(path: Path, samples: Sound, rate_hz: int = 16000, kind: str = "FLAC") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pcm = np.rint(samples * 32767).astype(np.int16)  # each container would round in its own way
    soundfile.write(path, pcm, rate_hz, subtype="PCM_16", format=kind)


def make_corpus(folder: Path) -> Path:
    """Two songs with copies of every kind, clips that overlap, strangers, and labels that contradict each other."""
    song, other, source = voice(6.5, 1), voice(6.0, 2), voice(1.5, 3)
    write(folder / "song.flac", song)
    write(folder / "same sound.wav", song, kind="WAV")
    write(folder / "shifted.flac", np.float32(0.4) * song[8000:])
    at_22k = soxr.resample(song, 16000, 22050)
    (folder / "small.mp3").write_bytes(encoded(at_22k[:, None].astype(np.float64), 22050, "mp3"))
    write(folder / "other.flac", other)
    (folder / "other again.flac").write_bytes((folder / "other.flac").read_bytes())
    write(folder / "clip 1.flac", source[:8000])
    write(folder / "clip 2.flac", source[6000:16000])
    write(folder / "clip 3.flac", source[15000:])
    write(folder / "clip 1 cut.flac", source[700:8000])
    for i in range(3):
        write(folder / f"stranger {i}.flac", voice(0.6, 10 + i))
    singers = {"small.mp3": "Ben", "other again.flac": "Cem", "stranger 0.flac": "Dora"}
    lines = [f"{p.name},{singers.get(p.name, 'Ada')},{i}" for i, p in enumerate(sorted(folder.iterdir()))]
    (folder / "manifest.csv").write_text("\n".join(["path,singer,number", *lines]) + "\n")
    return folder


def audit(db: Path, **options: Any) -> AuditRun:
    with open_writer(db, wait_s=10) as writer:
        return audit_database(AuditOptions(engine="inline", **options), writer, Quiet())


def report_of(db: Path, made: AuditRun, *labels: str) -> AuditReport:
    return audit_report(open_snapshot(db), made.analysis.id, labels)


@pytest.fixture(scope="module")
def audited(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, AuditRun]:
    folder = tmp_path_factory.mktemp("audit")
    corpus = make_corpus(folder / "corpus")
    run(folder / "a.motifdb", corpus, until="files", metadata=corpus / "manifest.csv")
    return folder / "a.motifdb", audit(folder / "a.motifdb")


def names(files: list[str] | tuple[str, ...]) -> list[str]:
    return sorted(f.removeprefix("corpus/") for f in files)


def test_report_of_the_planted_corpus_is_frozen(audited: tuple[Path, AuditRun]) -> None:
    report = report_of(*audited).to_json()
    assert list(report) == [
        "files",
        "distinct_contents",
        "duplicate_groups",
        "near_duplicate_groups",
        "overlap_islands",
        "conflicting_labels",
        "rare_labels",
    ]
    assert (report["files"], report["distinct_contents"]) == (13, 12)
    assert [names(g["files"]) for g in report["duplicate_groups"]] == [["other again.flac", "other.flac"]]
    copies = [
        ["same sound.wav", "shifted.flac", "small.mp3", "song.flac"],
        ["clip 1 cut.flac", "clip 1.flac"],
    ]
    assert [names(g["files"]) for g in report["near_duplicate_groups"]] == copies
    clips = ["clip 1 cut.flac", "clip 1.flac", "clip 2.flac", "clip 3.flac"]
    assert sorted(names(g["files"]) for g in report["overlap_islands"]) == [clips, copies[0]]
    conflicts = [(c["label"], c["values"], c["among"], c["files"]) for c in report["conflicting_labels"]]
    assert conflicts == [("singer", ("Ada", "Cem"), "content", 2), ("singer", ("Ada", "Ben"), "copies", 4)]
    rare = [(r["label"], r["value"], r["recordings"], r["files"]) for r in report["rare_labels"]]
    assert sorted(rare) == [("singer", "Ben", 1, 1), ("singer", "Cem", 1, 1), ("singer", "Dora", 1, 1)]
    json.dumps(report)


def test_links_say_where_and_of_which_kind(audited: tuple[Path, AuditRun]) -> None:
    db, _ = audited
    path = {f["recording_id"]: f["path"] for f in rows(db, "files") if f["recording_id"]}
    links = {}
    for link in rows(db, "audio_links"):
        a, b = path[link["recording_a"]], path[link["recording_b"]]
        forward = link["start_b_s"] - link["start_a_s"]
        links[min(a, b), max(a, b)] = (link["kind"], forward if a < b else -forward, link["shared_s"])
    song = min("same sound.wav", "song.flac", key=lambda p: next(r for r, q in path.items() if q == p))
    assert links["same sound.wav", "song.flac"] == ("same-audio", 0.0, 6.5)
    kind, apart, shared = links[min(song, "shifted.flac"), max(song, "shifted.flac")]
    assert (kind, abs(apart), shared) == ("near", pytest.approx(0.5, abs=1e-4), pytest.approx(6.0, abs=1e-3))
    assert links[min(song, "small.mp3"), max(song, "small.mp3")][0] == "near"
    assert links["clip 1 cut.flac", "clip 1.flac"][0] == "near"
    kind, apart, shared = links["clip 1.flac", "clip 2.flac"]
    assert (kind, apart, shared) == (
        "overlap",
        pytest.approx(-0.375, abs=1e-4),
        pytest.approx(0.125, abs=0.01),
    )
    assert links["clip 2.flac", "clip 3.flac"][2] == pytest.approx(1000 / 16000, abs=0.01)
    assert not any(p.startswith(("stranger", "other")) for pair in links for p in pair)
    assert violations(db) == []


def test_views_and_text_say_the_same(audited: tuple[Path, AuditRun]) -> None:
    db, made = audited
    with Database(db) as database:
        near = database.sql("from near_duplicates").arrow().to_pylist()
        island = database.sql("from overlap_islands order by recordings").arrow().to_pylist()
        twice = database.sql("select path, copies from duplicate_files order by path").arrow().to_pylist()
        rare = (
            database.sql("select value from rare_labels where label = 'singer' order by 1")
            .arrow()
            .to_pylist()
        )
    report = report_of(db, made)
    assert len(near) == report.n_links["near"] + report.n_links["same-audio"] == 5
    expected = sorted(list(g.recordings) for g in report.overlap_islands)
    assert sorted(r["recording_ids"] for r in island) == expected
    assert [(r["recordings"], r["files"]) for r in island] == [(4, 4), (4, 4)]
    assert [(r["path"], r["copies"]) for r in twice] == [("other again.flac", 2), ("other.flac", 2)]
    assert [r["value"] for r in rare] == ["Ben", "Cem", "Dora"]
    text = report_text(report, str(db))
    assert max(map(len, text.splitlines()[1:])) <= 100
    assert "13 files, 12 distinct contents" in text and "islands of shared sound: 6, of which 2 hold" in text


def test_an_audit_is_made_once_and_anew_where_recordings_came(tmp_path: Path) -> None:
    corpus = tmp_path / "corpus"
    sound = voice(0.6, 5)
    write(corpus / "a.flac", sound[:6000])
    db = tmp_path / "a.motifdb"
    run(db, corpus, until="files")
    first = audit(db)
    again = audit(db)
    assert first.is_new and not again.is_new and again.analysis.id == first.analysis.id
    write(corpus / "b.flac", sound[3000:])
    run(db, corpus, until="files")
    later = audit(db)
    assert later.is_new and later.analysis.id != first.analysis.id
    assert len(rows(db, "islands")) == 1 + 2
    assert len({r["island"] for r in rows(db, "islands") if r["analysis_id"] == later.analysis.id}) == 1
    off_grid = audit(db, config=AuditConfig(source_rate_hz=11025))
    assert len({r["island"] for r in rows(db, "islands") if r["analysis_id"] == off_grid.analysis.id}) == 2
    assert violations(db) == []


def test_nothing_to_audit_and_nothing_to_hear(tmp_path: Path) -> None:
    create(tmp_path / "empty.motifdb")
    with pytest.raises(NotFoundError, match="no recordings here to audit; motifdb ingest"):
        audit(tmp_path / "empty.motifdb")
    db = tmp_path / "f0.motifdb"
    corpus = make_f0_corpus(tmp_path / "f0", n=3)
    run(db, corpus, until="files", metadata=corpus / "manifest.csv")
    made = audit(db)
    assert len(made.notes) == 1 and "no recording here has sound" in made.notes[0]
    report = report_of(db, made)
    assert [len(g.files) for g in report.duplicate_groups] == [2]
    assert {c.label for c in report.conflicting_labels} >= {"singer"}
    assert report.overlap_islands == []


def test_sound_that_is_gone_is_said(tmp_path: Path) -> None:
    corpus = tmp_path / "corpus"
    for name in "ab":
        write(corpus / f"{name}.flac", voice(0.3, ord(name)))
    db = tmp_path / "a.motifdb"
    run(db, corpus, until="files")
    (corpus / "a.flac").unlink()
    made = audit(db)
    assert "motifdb relocate" in made.notes[0] and "1 of 2 recordings" in made.notes[1]
    assert report_of(db, made).distinct_contents == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--label", "singr"], "no file has a label 'singr'"),
        (["--least-ms", "0"], "--least-ms must be more than 0"),
        (["--source-rate", "0"], "--source-rate must be 1 or more"),
        (["--split", "none"], "motifdb split"),
    ],
)
def test_command_refuses_in_a_sentence(
    audited: tuple[Path, AuditRun], arguments: list[str], said: str
) -> None:
    result = CliRunner().invoke(app, ["audit", "--db", str(audited[0]), *arguments])
    assert result.exit_code != 0
    assert isinstance(result.exception, MotifdbError | SystemExit)
    assert said in result.output + str(result.exception)


def test_command_prints_json(audited: tuple[Path, AuditRun]) -> None:
    result = CliRunner().invoke(
        app, ["audit", "--db", str(audited[0]), "--format", "json", "--label", "singer"]
    )
    assert result.exit_code == 0, result.output
    answer = json.loads(result.stdout)
    assert answer["files"] == 13 and {r["label"] for r in answer["rare_labels"]} == {"singer"}


def test_bounds_that_cannot_be() -> None:
    for config in (AuditConfig(least_share=2.0), AuditConfig(least_partners=1)):
        with pytest.raises(UsageError, match="least"):
            config.check()
