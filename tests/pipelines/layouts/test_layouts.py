"""Every known corpus, on a small folder in its layout: rows, what is missing, and what ingest makes of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from motifdb.catalog.store import open_snapshot
from motifdb.cli import app
from motifdb.errors import NotFoundError, UsageError
from motifdb.pipelines.layouts import LAYOUTS, find_layout, layout_folder_missing
from motifdb.query.database import Database
from tests.corpora import corpora_root, needs_corpus
from tests.pipelines.layouts.made import MADE, sound, text, tonas

run = CliRunner()


def ingested(folder: Path, name: str, db: Path, *more: str) -> str:
    """What `motifdb ingest` says of a folder in a layout."""
    done = run.invoke(
        app, ["ingest", str(folder), "--layout", name, "--until", "files", "--db", str(db), *more]
    )
    assert done.exit_code == 0, (done.output, done.exception)
    return done.output


@pytest.mark.parametrize("name", LAYOUTS)
def test_rows_of_a_folder_in_the_layout(name: str, tmp_path: Path) -> None:
    said = MADE[name](tmp_path)
    rows = {row.path: row for row in find_layout(name).rows(tmp_path)}
    assert sorted(rows) == sorted(said)
    for path, labels in said.items():
        known = dict(rows[path].labels)
        assert {k: known.get(k) for k in labels if k != "f0"} == {
            k: v for k, v in labels.items() if k != "f0"
        }
        assert rows[path].f0 == labels.get("f0", rows[path].f0)
        assert set(known) <= {*LAYOUTS[name].labels, *known}
        assert all(key.split(" ")[0] in LAYOUTS[name].labels for key in LAYOUTS[name].groups)


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_folder_that_is_missing_or_another(name: str, tmp_path: Path) -> None:
    layout = find_layout(name)
    other = tmp_path / "other"
    text(other, "notes.md", "nothing of it")
    for folder in (tmp_path / "nowhere", other):
        with pytest.raises(UsageError) as raised:
            layout.rows(folder)
        sentence = str(raised.value)
        assert (
            str(folder) in sentence and layout.access in sentence and f"`motifdb corpora {name}`" in sentence
        )
        assert all(line.strip() in sentence for line in layout.put) and "\n" not in sentence
    assert f"motifdb ingest DIR --layout {name}" in layout_folder_missing(name)


def test_nothing_but_the_corpus_is_taken_in(tmp_path: Path) -> None:
    corpus, db = tmp_path / "c", tmp_path / "e.motifdb"
    said = MADE["esc50"](corpus)
    ingested(corpus, "esc50", db)
    with Database(db) as database:
        rows = database.sql(
            "select path, labels['fold'] as fold, labels['class'] as class, labels['source_file'] as source_file from tracks"
        ).rows()
        skipped = database.sql("select path from files where state = 'skipped' order by path").rows()
    assert {r["path"]: (r["fold"], r["class"], r["source_file"]) for r in rows} == {
        path: (labels["fold"], labels["class"], labels["source_file"]) for path, labels in said.items()
    }
    assert [r["path"] for r in skipped] == ["audio/not listed.wav", "meta/esc50.csv"]
    before = open_snapshot(db).commit
    ingested(corpus, "esc50", db)
    assert open_snapshot(db).commit == before  # nothing is new to it


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-8", "latin-1"])
def test_tonas_in_every_encoding_it_is_met_in(encoding: str, tmp_path: Path) -> None:
    said = tonas(tmp_path, encoding)
    assert {r.path: r.labels["title"] for r in find_layout("tonas").rows(tmp_path)} == {
        path: labels["title"] for path, labels in said.items()
    }


def test_tonas_table_of_bytes_with_nuls_among_them(tmp_path: Path) -> None:
    tonas(tmp_path, "utf-8")
    file = tmp_path / "TONAS-Metadata.txt"
    file.write_bytes(file.read_bytes().replace(b"Debla\t", b"Deb\0la\t\0"))
    styles = {r.labels["style"] for r in find_layout("tonas").rows(tmp_path)}
    assert styles == {"Debla", "Martinete 1"}


def test_reference_pitch_comes_along(tmp_path: Path) -> None:
    """TONAS writes time, energy, estimated and corrected frequency without a header: the corrected one is read."""
    tonas(tmp_path / "t")
    db = tmp_path / "t.motifdb"
    done = run.invoke(
        app,
        [
            "ingest",
            str(tmp_path / "t"),
            "--layout",
            "tonas",
            "--until",
            "pitch",
            "--tracker",
            "yin",
            "--db",
            str(db),
            "-q",
        ],
    )
    assert done.exit_code == 0, (done.output, done.exception)
    snapshot = open_snapshot(db)
    kinds = {row["path"]: row["state"] for row in snapshot.table("files").to_pylist()}
    assert kinds["Deblas/01-D_AMairena.f0.Corrected"] == "reference"
    assert kinds["Deblas/01-D_AMairena.notes.Corrected"] == "skipped"
    names = {row["analysis_id"]: row["name"] for row in snapshot.table("analyses").to_pylist()}
    (pitch,) = (r for r in snapshot.table("pitch").to_pylist() if "reference" in names[r["analysis_id"]])
    assert pitch["hop_s"] == 0.01 and pitch["f0_hz"][:3] == [210.0, 211.0, 212.0]


def test_makam_tracks_need_no_hop(tmp_path: Path) -> None:
    MADE["otmm-makam"](tmp_path / "m")
    db = tmp_path / "m.motifdb"
    done = run.invoke(
        app,
        ["ingest", str(tmp_path / "m"), "--layout", "otmm-makam", "--until", "pitch", "--db", str(db), "-q"],
    )
    assert done.exit_code == 0, (done.output, done.exception)
    assert set(open_snapshot(db).table("pitch", ["hop_s"]).column(0).to_pylist()) == {128 / 44_100}


@pytest.mark.parametrize(
    ("name", "path", "content", "words"),
    [
        ("esc50", "meta/esc50.csv", "filename,target\na.wav,1\n", "esc50.csv has no column fold"),
        ("urbansound8k", "metadata/UrbanSound8K.csv", "", "is empty"),
        ("urbansound8k", "metadata/UrbanSound8K.csv",
         "slice_file_name,fsID,salience,fold,classID,class\nx.wav,1,1,1,1,a\n", "none of the 1 files .* such as audio/fold1/x.wav"),
        ("cante100", "cante100Meta.xml", "<a><b></a>", "is no XML"),
        ("cante100", "cante100Meta.xml", "<!DOCTYPE a [<!ENTITY b 'c'>]><a/>", "declares entities"),
        ("tonas", "TONAS-Metadata.txt", "nothing here", "holds no rows"),
        ("damp", "perfs.csv", "a,b\n1,2\n", "has none of the columns performance_key"),
        ("damp-balanced", "perfs.csv", "performance,singer,song_index\na,1,15\n", "song index '15'; it must be 1 to 14"),
        ("otmm-makam", "annotations.json", "{", "is no JSON"),
        ("otmm-makam", "annotations.json", "{}", "is no list"),
        ("cante100", "cante100Meta.xml", '<!DOCTYPE a [<!ENTITY b "c">]><a/>'.encode("utf-16"), "declares entities"),
        ("damp-balanced", "perfs.csv", f"performance,singer,song_index\na,1,{'1' * 5000}\n", "it must be 1 to 14"),
        ("vocadito", "vocadito_metadata.csv", "track_id\n1\n", "no column singer_id"),
    ],
    ids=["column", "empty", "no sound", "xml", "entities", "tonas", "damp", "index", "json", "list", "utf-16 entities",
         "long index", "vocadito"],
)  # fmt: skip
def test_tables_that_cannot_be(
    name: str, path: str, content: str | bytes, words: str, tmp_path: Path
) -> None:
    MADE[name](tmp_path)
    text(tmp_path, path, content)
    with pytest.raises(UsageError, match=words) as raised:
        find_layout(name).rows(tmp_path)
    assert "goes into a folder as" in str(raised.value)


def test_a_table_in_a_folder_says_what_its_files_are(tmp_path: Path) -> None:
    MADE["folder"](tmp_path)
    text(tmp_path, "manifest.csv", "path,singer,style,f0\nhum/one.wav,Ana,debla,hum/one.f0\ngone.wav,B,c,\n")
    (row,) = find_layout("folder").rows(tmp_path)
    assert (row.path, row.f0) == ("hum/one.wav", "hum/one.f0")
    assert row.labels == {"singer": "Ana", "style": "debla"}


@pytest.mark.parametrize(
    ("name", "path", "more"),
    [
        ("urbansound8k", "metadata/UrbanSound8K.csv", "9-9-0-0.wav,9\n"),
        ("esc50", "meta/esc50.csv", "\n1-7-A-0.wav,1\n"),
        ("vocadito", "vocadito_metadata.csv", "\n99\n"),
        ("tonas", "TONAS-Metadata.txt", "99-D_X.wav\tDebla\tt\t" + "x" * 200_000),
    ],
    ids=["urbansound8k", "esc50", "vocadito", "tonas"],
)
def test_a_row_cut_short_or_too_long_loses_no_other(name: str, path: str, more: str, tmp_path: Path) -> None:
    said = MADE[name](tmp_path) if name != "tonas" else tonas(tmp_path, "utf-8")
    file = tmp_path / path
    file.write_bytes(file.read_bytes().rstrip(b"\n") + b"\n" + more.strip("\n").encode())
    assert [r.path for r in find_layout(name).rows(tmp_path)] == sorted(said)


def test_a_table_may_spell_paths_otherwise(tmp_path: Path) -> None:
    sound(tmp_path, "Hum/One.WAV")
    sound(tmp_path, "hum/two.wav")
    sound(tmp_path, "hum/TWO.wav")
    listed = "path,singer\n./hum/one.wav,Ana\nhum\\TWO.wav,B\nhum/two.wav,C\n../../etc/x.wav,D\n"
    text(tmp_path, "manifest.csv", listed)
    rows = find_layout("folder").rows(tmp_path)
    # of two files that differ in case only, a row must say which
    assert {r.path: r.labels["singer"] for r in rows} == {"Hum/One.WAV": "Ana", "hum/two.wav": "C"}


def test_what_a_table_names_and_the_folder_lacks_is_counted(tmp_path: Path) -> None:
    MADE["urbansound8k"](tmp_path / "u")
    assert "1 manifest rows name no file here" in ingested(
        tmp_path / "u", "urbansound8k", tmp_path / "u.motifdb"
    )


def test_performances_whose_keys_hold_dots_or_stand_twice(tmp_path: Path) -> None:
    text(tmp_path, "perfs.csv", "performance,singer,song\n12.5,Ana,hello\np2.m4a,B,hello\n")
    sound(tmp_path, "sing/audio/12.5.wav")
    sound(tmp_path, "sing/audio/p2.wav")
    rows = find_layout("damp").rows(tmp_path)
    assert [r.labels["performance"] for r in rows] == ["12.5", "p2"]
    sound(tmp_path, "sing/audio/more/p2.wav")
    with pytest.raises(UsageError, match=r"more/p2.wav and .*p2.wav are both named like one performance"):
        find_layout("damp").rows(tmp_path)


@pytest.mark.parametrize(
    "tonic", ['"?"', "[1]", '""', "1" + "0" * 400, "-3"], ids=["text", "list", "empty", "huge", "negative"]
)
def test_a_tonic_that_is_no_frequency_is_left_out(tonic: str, tmp_path: Path) -> None:
    MADE["otmm-makam"](tmp_path)
    before = find_layout("otmm-makam").rows(tmp_path)
    (mbid, *_) = {r.labels["recording"] for r in before if "tonic_hz" in r.labels}
    text(tmp_path, "annotations.json", f'[{{"mbid": "{mbid}", "makam": "Hicaz", "tonic": {tonic}}}]')
    rows = {r.labels["recording"]: r.labels for r in find_layout("otmm-makam").rows(tmp_path)}
    assert len(rows) == len(before) and "tonic_hz" not in rows[mbid]


def test_what_is_sung_does_not_hang_on_the_case_of_a_folder(tmp_path: Path) -> None:
    sound(tmp_path, "FULL/female1/scales/belt/f1_scales_belt_a.wav")
    sound(tmp_path, "FULL/male2/Scales/belt/m2_scales_belt_a.wav")
    assert {r.labels["work"] for r in find_layout("vocalset").rows(tmp_path)} == {"scales scales_a"}


def test_halves_of_dcase_are_both_needed(tmp_path: Path) -> None:
    sound(tmp_path, "scenes_stereo/bus01.wav")
    with pytest.raises(UsageError, match="no file of the test set"):
        find_layout("dcase2013-scd").rows(tmp_path)
    sound(tmp_path, "elsewhere/bus02.wav")
    with pytest.raises(UsageError, match="neither a folder of the training set nor one of the test set"):
        find_layout("dcase2013-scd").rows(tmp_path)


def test_the_command_says_what_to_put_where() -> None:
    listed = run.invoke(app, ["corpora"]).output
    assert all(re.search(rf"^{name} ", listed, re.MULTILINE) for name in LAYOUTS)
    one = run.invoke(app, ["corpora", "esc50"]).output
    assert (
        "meta/esc50.csv" in one
        and "source_file" in one
        and "motifdb ingest DIR --layout esc50 --as-clips" in one
    )
    wrong = run.invoke(app, ["corpora", "esc5"])
    assert isinstance(wrong.exception, NotFoundError) and "did you mean 'esc50'" in str(wrong.exception)


def test_ingest_refuses_before_a_database_is_made(tmp_path: Path) -> None:
    db = tmp_path / "x.motifdb"
    for folders, name, words in (
        ([tmp_path], "esc5", "did you mean 'esc50'"),
        ([tmp_path, tmp_path], "esc50", "takes the one folder"),
        ([tmp_path], "esc50", "no file meta/esc50.csv"),
    ):
        done = run.invoke(app, ["ingest", *map(str, folders), "--layout", name, "--db", str(db)])
        assert words in str(done.exception) and not db.exists()


@needs_corpus("flamenco_motifs")
def test_the_real_motif_clips() -> None:
    rows = find_layout("flamenco-motifs").rows(corpora_root() / "flamenco_motifs")
    assert len(rows) == 11_158
    assert {row.labels["singer"] for row in rows} == {"AM", "EC", "EM", "JT", "TP"}
