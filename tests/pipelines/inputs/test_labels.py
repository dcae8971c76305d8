"""Labels of files: manifests, path patterns, tags, and which of them wins."""

from __future__ import annotations

import json
import os
import unicodedata
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from motifdb.errors import UsageError
from motifdb.pipelines.inputs.discover import discover
from motifdb.pipelines.inputs.labels import PathPattern, merge_labels, tag_labels
from motifdb.pipelines.inputs.manifest import Joined, load_manifest
from tests.corpora import corpora_root, needs_corpus

ROWS: list[dict[str, Any]] = [
    {"path": "ana/a.wav", "singer": "Ana", "tonic_hz": 220.5, "take": 3, "live": True, "note": None},
    {
        "path": "eva/b.wav",
        "singer": "Eva",
        "tonic_hz": 196.0,
        "take": 1,
        "live": False,
        "note": "hoarse, a little",
    },
]


def corpus(root: Path, *names: str) -> Path:
    for name in names:
        path = root / os.fsdecode(os.fsencode(name))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return root


def joined(root: Path, manifest: Path) -> Joined:
    return load_manifest(manifest).join(discover([root]))


def by_path(result: Joined) -> dict[str, dict[str, str]]:
    return {os.fsdecode(relative): row.labels for (_, relative), row in result.rows.items()}


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    if path.suffix == ".parquet":
        parquet.write_table(pa.Table.from_pylist(rows), path)
    elif path.suffix == ".jsonl":
        path.write_text("\n".join(json.dumps(row) for row in rows) + "\n\n")
    elif path.suffix == ".json":
        path.write_text(json.dumps(rows))
    else:
        delimiter = "\t" if path.suffix == ".tsv" else ";" if "semicolon" in path.name else ","
        lines = [delimiter.join(rows[0])]
        for row in rows:
            cells = [
                "" if v is None else str(v).lower() if isinstance(v, bool) else str(v) for v in row.values()
            ]
            lines.append(delimiter.join(f'"{cell}"' if "," in cell else cell for cell in cells))
        path.write_text("\ufeff" + "\r\n".join(lines) + "\r\n")
    return path


@pytest.mark.parametrize("name", ["m.csv", "semicolon.csv", "m.tsv", "m.jsonl", "m.json", "m.parquet"])
def test_every_format_gives_the_same_labels(tmp_path: Path, name: str) -> None:
    root = corpus(tmp_path / "corpus", "ana/a.wav", "eva/b.wav", "extra.wav")
    result = joined(root, write(tmp_path / name, ROWS))
    assert by_path(result) == {
        "ana/a.wav": {"singer": "Ana", "tonic_hz": "220.5", "take": "3", "live": "true"},
        "eva/b.wav": {
            "singer": "Eva",
            "tonic_hz": "196.0",
            "take": "1",
            "live": "false",
            "note": "hoarse, a little",
        },
    }
    assert result.n_unmatched_rows == 0
    assert [result.describes(found) for found in discover([root])].count(False) == 1


def test_a_path_may_be_spelt_in_other_ways(tmp_path: Path) -> None:
    root = corpus(
        tmp_path / "corpus", "Ārabhi.wav", "my song.wav", "deep/a.wav", "new\nline.wav", "50%.wav", "abs.wav"
    )
    spelt = [
        unicodedata.normalize("NFD", "Ārabhi.wav"), "my%20song.wav", ".\\deep\\a.wav", "new%0Aline.wav", "50%.wav",
        str(root / "abs.wav"), "gone.wav",
    ]  # fmt: skip
    result = joined(
        root, write(tmp_path / "m.csv", [{"path": p, "title": str(i)} for i, p in enumerate(spelt)])
    )
    assert by_path(result) == {
        "Ārabhi.wav": {"title": "0"}, "my song.wav": {"title": "1"}, "deep/a.wav": {"title": "2"},
        "new\nline.wav": {"title": "3"}, "50%.wav": {"title": "4"}, "abs.wav": {"title": "5"},
    }  # fmt: skip
    assert (result.n_unmatched_rows, result.unmatched_rows) == (1, ("gone.wav",))


def test_paths_may_be_relative_to_the_manifest(tmp_path: Path) -> None:
    root = corpus(tmp_path / "corpus", "part/a.wav", "a.wav")
    result = joined(root, write(root / "part" / "m.csv", [{"path": "a.wav", "title": "x"}]))
    assert by_path(result) == {"a.wav": {"title": "x"}}, "the corpus root goes first"
    (root / "a.wav").unlink()
    assert by_path(joined(root, root / "part" / "m.csv")) == {"part/a.wav": {"title": "x"}}


def test_files_that_differ_in_spelling_only_need_the_exact_name(tmp_path: Path) -> None:
    composed, decomposed = (unicodedata.normalize(form, "é.wav") for form in ("NFC", "NFD"))
    root = corpus(tmp_path / "corpus", composed, decomposed)
    if len(os.listdir(root)) < 2:
        pytest.skip("this file system does not keep the two spellings apart")
    result = joined(
        root,
        write(tmp_path / "m.csv", [{"path": decomposed, "title": "d"}, {"path": "%C3%A9.wav", "title": "?"}]),
    )
    assert by_path(result) == {decomposed: {"title": "d"}}
    assert result.n_unmatched_rows == 1


def test_an_f0_column_names_reference_pitch(tmp_path: Path) -> None:
    root = corpus(tmp_path / "corpus", "a.wav", "a.f0.csv", "b.wav", "other.f0.csv")
    result = joined(
        root, write(root / "m.csv", [{"path": "a.wav", "f0": "a.f0.csv"}, {"path": "b.wav", "f0": None}])
    )
    assert result.references == {(root, b"a.f0.csv"): (root, b"a.wav")}
    assert by_path(result) == {"a.wav": {}, "b.wav": {}}
    files = list(discover([root]))
    assert [f.escaped for f in files if result.is_reference(f)] == ["a.f0.csv"]
    assert [result.describes(found) for found in files].count(False) == 2  # m.csv and other.f0.csv


def test_one_file_in_two_rows_must_agree(tmp_path: Path) -> None:
    root = corpus(tmp_path / "corpus", "a.wav")
    same = write(tmp_path / "same.csv", [{"path": "a.wav", "title": "x"}] * 2)
    assert by_path(joined(root, same)) == {"a.wav": {"title": "x"}}
    differing = write(
        tmp_path / "other.csv", [{"path": "a.wav", "title": "x"}, {"path": "./a.wav", "title": "y"}]
    )
    with pytest.raises(
        UsageError, match=r"rows 2 and 3 of .*other\.csv name the same file a\.wav with different labels"
    ):
        joined(root, differing)


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("m.csv", b"", "has no rows"),
        ("m.csv", b"path,singer\n", "has no rows"),
        (
            "m.csv",
            b"filename,singer\na.wav,Ana\n",
            "has no column 'path'; rename its column 'filename' to 'path'",
        ),
        ("m.csv", b"path,singer\n,Ana\n", "row 2 .* names no path"),
        ("m.csv", b"path,singer\na.wav,Ana,too,many\n", "line 2 .* has 4 cells for 2 columns"),
        ("m.csv", b"path,singer,singer\na.wav,Ana,Eva\n", "two columns named 'singer'"),
        ("m.csv", b"path,singer\n\xff\xff,Ana\n", "no UTF-8 text"),
        ("m.jsonl", b'{"path": "a.wav"}\n{"path": \n', "line 2 .* is no JSON"),
        ("m.jsonl", b'{"path": "a.wav"}\n3\n', "line 2 .* is no JSON object"),
        ("m.parquet", b"PAR1 nothing", "damaged Parquet"),
    ],
)
def test_a_bad_manifest_is_a_usage_error(tmp_path: Path, name: str, content: bytes, sentence: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UsageError, match=sentence):
        load_manifest(tmp_path / name)


def test_a_missing_manifest_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read: no such file or directory"):
        load_manifest(tmp_path / "nothing.csv")


def test_metadata_wins_over_pattern_over_tags() -> None:
    labels = merge_labels(
        {"singer": "from metadata", "style": "  ", "raga": "Bilahari"},
        {"singer": "from pattern", "style": "from pattern"},
        {"singer": "from tag", "style": "from tag", "title": "from tag", "album": "from tag"},
    )
    assert labels.columns == {"singer": "from metadata", "style": "from pattern", "title": "from tag"}
    assert labels.others == {"album": "from tag", "raga": "Bilahari"}


def test_artists_and_genre_fill_the_column_that_is_missing() -> None:
    assert merge_labels({"artists": "Ana; Eva"}).columns == {"artist": "Ana; Eva"}
    assert merge_labels({"artists": "Ana; Eva", "artist": "Trio"}).columns == {"artist": "Trio"}
    assert merge_labels({"genre": "debla"}).others == {"genre": "debla"}
    assert merge_labels(None, {}, None).columns == {}


def test_tags_take_the_names_of_labels() -> None:
    tags = {
        "TITLE": "Alba",
        "genre": "tona",
        "Performer": "Ana",
        "album": "Cantes",
        "encoder": "Lavf",
        "comment": " ",
    }
    assert tag_labels(tags) == {"title": "Alba", "style": "tona", "singer": "Ana", "album": "Cantes"}


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        (
            "{singer}/{style}/{title}",
            "Ana/tona/Alba 2.wav",
            {"singer": "Ana", "style": "tona", "title": "Alba 2"},
        ),
        ("{singer}/{style}/{title}", "Ana/tona/disc 1/Alba.wav", None),
        ("{singer}/{style}/{title}", "tona/Alba.wav", None),
        ("{singer}-{title}", "A-B-C.wav", {"singer": "A", "title": "B-C"}),
        ("{singer}/{_}/{title}", "Ana/cd1/Alba.pitch.gz", {"singer": "Ana", "title": "Alba"}),
        ("{title}.flac", "Alba.flac", {"title": "Alba"}),
        ("{title}.flac", "Alba.wav", None),
        ("/corpus/{makam}/{title}/", "corpus/Uşşak/Peşrev.wav", {"makam": "Uşşak", "title": "Peşrev"}),
        ("{title}", "a.b.wav", {"title": "a.b"}),
        ("[live] {title}", "[live] x+.wav", {"title": "x+"}),
    ],
)
def test_patterns_take_labels_out_of_paths(pattern: str, path: str, expected: dict[str, str] | None) -> None:
    assert PathPattern(pattern).labels(path.encode()) == expected


def test_bytes_that_are_no_text_can_still_be_stored() -> None:
    labels = PathPattern("{title}").labels(b"caf\xe9.wav")
    assert labels == {"title": "caf%E9"}


@pytest.mark.parametrize(
    "pattern", ["", "singer/title", "{singer", "singer}", "{}", "{a b}", "{a}/{a}", "{1}", "{{a}}"]
)
def test_a_bad_pattern_is_a_usage_error(pattern: str) -> None:
    with pytest.raises(UsageError, match="--pattern"):
        PathPattern(pattern)


@pytest.mark.parametrize(
    ("name", "n_rows", "n_references"),
    [
        pytest.param("annotated_f0", 38, 38, marks=needs_corpus("annotated_f0")),
        pytest.param("otmm_makam", 200, 0, marks=needs_corpus("otmm_makam")),
        pytest.param("cantillation", 117, 0, marks=needs_corpus("cantillation")),
        pytest.param("sancaras", 3, 0, marks=needs_corpus("sancaras")),
        pytest.param("sight_singing", 40, 0, marks=needs_corpus("sight_singing")),
    ],
)
def test_real_manifests_match_every_file(name: str, n_rows: int, n_references: int) -> None:
    root = corpora_root() / name
    result = joined(root, root / "manifest.csv")
    assert (len(result.rows), len(result.references), result.n_unmatched_rows) == (n_rows, n_references, 0)


def test_a_row_may_name_a_file_by_another_suffix(tmp_path: Path) -> None:
    root = corpus(tmp_path, "a/one.flac", "a/two.flac", "a/two.mp3", "b.flac", "b.wav", "c.csv", "d.1.ogg")
    manifest = tmp_path / "m.csv"
    lines = [
        "file,key",
        "a/one.wav,1",
        "a/two.wav,2",
        "b.wav,3",
        "b.aiff,4",
        "c.wav,5",
        "d.1.wav,6",
        "a/none.wav,7",
    ]
    manifest.write_text("\n".join(lines) + "\n")
    result = joined(root, manifest)
    assert by_path(result) == {"a/one.flac": {"key": "1"}, "b.wav": {"key": "3"}, "d.1.ogg": {"key": "6"}}
    assert (result.n_other_suffix, result.n_unmatched_rows) == (2, 4)  # two.wav and b.aiff could be two files


def test_a_whole_name_goes_before_one_that_differs_in_suffix(tmp_path: Path) -> None:
    root, manifest = corpus(tmp_path, "a.flac"), tmp_path / "m.csv"
    manifest.write_text("path,file,key\na.wav,x,1\na.flac,y,2\n")
    result = joined(root, manifest)
    assert by_path(result) == {"a.flac": {"file": "y", "key": "2"}}
    assert (result.n_other_suffix, result.n_unmatched_rows) == (0, 1)
