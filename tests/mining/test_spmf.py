"""SPMF's text format: what is read, what is refused with its line, what is written."""

from __future__ import annotations

import gzip
import json
import re
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

import motifdb
from motifdb.cli import app
from motifdb.errors import UsageError
from motifdb.mining import spmf
from tests.corpora import needs_reference, reference_root
from tests.mining.test_arrays import LIGHT
from tests.reference.oracle import agreed, database, flat

EXAMPLE = "3 -1 1 -1 1 -1 2 -1 3 -1 -2\n1 -1 2 -1 3 -1 2 -1 -2\n3 -1 1 -1 2 -1 3 -1 -2\n1 -1 2 -1 2 -1 3 -1 1 -1 -2\n"
"""The database of the BIDE paper (Wang and Han 2004)."""


def spmf_text(sequences: list[list[int]]) -> str:
    return "".join("".join(f"{x} -1 " for x in s) + "-2\n" for s in sequences)


@settings(max_examples=80, deadline=None)
@given(
    sequences=st.lists(
        st.lists(st.sampled_from([0, 1, 7, 127, 128, 99_999, 10**17]), max_size=6), max_size=6
    ),
    between=st.sampled_from([" ", "  ", "\t", " \t "]),
    line_end=st.sampled_from(["\n", "\r\n", " \n", "\n\n", "\n# no -1 sequence\n", "\n@ITEM=1=A\n%\n"]),
    is_packed=st.booleans(),
    has_last_end=st.booleans(),
    mark=st.sampled_from([b"", b"\xef\xbb\xbf"]),
    chunk=st.sampled_from([1, 7, 1 << 24]),
)
def test_reading_is_what_was_written(
    tmp_path_factory: pytest.TempPathFactory,
    sequences: list[list[int]],
    between: str,
    line_end: str,
    is_packed: bool,
    has_last_end: bool,
    mark: bytes,
    chunk: int,
) -> None:
    path = tmp_path_factory.getbasetemp() / "read.txt"  # the name does not say whether it is packed
    text = spmf_text(sequences).replace(" ", between).replace("\n", line_end)
    if not has_last_end:
        text = text.rstrip("\n")
    data = (mark if chunk > 7 else b"") + text.encode()
    path.write_bytes(gzip.compress(data) if is_packed else data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spmf, "_CHUNK", chunk)
        symbols, offsets = spmf.read(path)
    assert symbols.tolist() == [x for s in sequences for x in s]
    assert offsets.tolist() == [0, *np.cumsum([len(s) for s in sequences]).tolist()]
    assert symbols.dtype == (np.int8 if max(symbols, default=0) < 128 else symbols.dtype)


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("1 -1 x7 -1 -2", "'x7' is no whole number"),
        ("1 -1 7x -1 -2", "'7x' is no whole number"),
        ("1 -1 - -1 -2", "'-' is no whole number"),
        ("1 -1 2.5 -1 -2", "'2.5' is no whole number"),
        ("1,2,3", "'1,2,3' is no whole number"),
        ("1 -1 1234567890123456789 -1 -2", "more than 18 digits"),
        ("1 -1 -3 -1 -2", "'-3' is no symbol"),
        ("1 2 -1 3 -1 -2", "'2' is a second item of one itemset"),
        ("1 -1 -1 -2", "ends an itemset that has no item"),
        ("1 -1 2 -2", "inside an itemset"),
        ("1 -1 -2 2 -1 -2", "'2' stands after the -2"),
        ("1 -1 2 -1", "does not end with -2"),
        ("1 -1 2", "does not end with -2"),
        ("\x00\x01", "is no whole number"),
        ("9" * 500, "more than 18 digits"),
    ],
)
@pytest.mark.parametrize("chunk", [5, 1 << 24])
def test_what_is_no_sequence_is_named_with_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, sentence: str, chunk: int
) -> None:
    monkeypatch.setattr(spmf, "_CHUNK", chunk)
    path = tmp_path / "wrong.txt"
    for text in (f"1 -1 -2\n\n# comment\n{line}\n1 -1 -2\n", f"1 -1 -2\n\n# comment\n{line}"):
        path.write_text(text)
        with pytest.raises(UsageError, match=re.escape(sentence)) as error:
            spmf.read(path)
        said = str(error.value)
        assert "wrong.txt line 4 is no sequence: " in said
        assert "\n" not in said
        assert len(said) < 300


def test_what_cannot_be_read_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match=r"nothing\.txt cannot be read: No such file"):
        spmf.read(tmp_path / "nothing.txt")
    packed = gzip.compress(spmf_text([[1, 2, 3]] * 500).encode())
    for damaged in (packed[:-6], packed[:30] + bytes(20) + packed[50:], b"\x1f\x8b\x08"):
        (tmp_path / "damaged.gz").write_bytes(damaged)
        with pytest.raises(UsageError, match="damaged: gzip cannot unpack it"):
            spmf.read(tmp_path / "damaged.gz")
    monkeypatch.setattr(spmf, "MOST_TEXT", 1000)
    (tmp_path / "bomb.gz").write_bytes(packed)
    with pytest.raises(UsageError, match="more than 1000 bytes of text"):
        spmf.read(tmp_path / "bomb.gz")


def test_an_unpacked_bomb_stays_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Gigabytes of one comment or of blank lines, a few megabytes packed: only a piece is held at a time."""
    import tracemalloc

    monkeypatch.setattr(spmf, "_CHUNK", 1 << 16)
    path = tmp_path / "blank.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        for _ in range(32):
            file.write(b"\n" * (1 << 20))
        file.write(EXAMPLE.encode())
    spmf.read(path)
    tracemalloc.start()
    symbols, offsets = spmf.read(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (len(symbols), len(offsets)) == (18, 5)
    assert peak < 4 << 20


def test_the_example_of_the_paper(tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    (tmp_path / "in.txt").write_text(EXAMPLE)
    expected = "1 1 #SUP: 2\n1 2 2 #SUP: 2\n1 2 3 #SUP: 4\n3 1 #SUP: 3\n3 1 2 3 #SUP: 2\n3 2 #SUP: 3\n"
    done = spmf.mine_file(tmp_path / "in.txt", None, min_support="50%", max_gap="none")
    assert capsysbinary.readouterr().out.decode() == expected
    assert str(done) == "6 patterns of support 2 or more in 4 sequences of 18 symbols"
    for name in ("out.txt", "out.txt.gz"):
        (tmp_path / name).write_text("old")
        spmf.mine_file(tmp_path / "in.txt", tmp_path / name, min_support=2, max_gap=None)
    assert (tmp_path / "out.txt").read_text() == expected
    assert gzip.decompress((tmp_path / "out.txt.gz").read_bytes()).decode() == expected
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in.txt", "out.txt", "out.txt.gz"]
    spmf.mine_file(
        tmp_path / "in.txt", None, min_support="2", max_gap="0", min_length=3, support="occurrences"
    )
    assert capsysbinary.readouterr().out.decode() == "1 2 3 #SUP: 3 #OCC: 3\n"


def test_the_command(tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text(EXAMPLE)
    command = ["mine", "--spmf", str(tmp_path / "in.txt"), "--min-support", "50%", "--max-gap", "1"]
    shown = CliRunner().invoke(app, command)
    assert shown.exit_code == 0
    assert "7 patterns of support 2 or more in 4 sequences" in shown.stderr
    expected = [
        "1 2 2 #SUP: 2",
        "1 2 3 #SUP: 4",
        "1 3 #SUP: 3",
        "3 1 #SUP: 3",
        "3 1 2 3 #SUP: 2",
        "3 1 3 #SUP: 2",
        "3 2 #SUP: 2",
    ]
    assert shown.stdout.splitlines() == expected
    CliRunner().invoke(app, [*command, "-o", str(tmp_path / "out.txt")])
    assert (tmp_path / "out.txt").read_text().splitlines() == expected


@pytest.mark.parametrize("option", [["--name", "shared"], ["--scope", "corpus"], ["--refresh"]])
def test_what_only_a_database_has_is_refused(tmp_path: Path, option: list[str]) -> None:
    (tmp_path / "in.txt").write_text(EXAMPLE)
    command = ["mine", "--spmf", str(tmp_path / "in.txt"), "--min-support", "2", *option]
    refused = CliRunner().invoke(app, command).exception
    assert isinstance(refused, UsageError) and str(refused).startswith(
        f"{option[0]} is for contours in a database"
    )


def test_an_unwritable_place_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text(EXAMPLE)
    (tmp_path / "folder").mkdir()
    for out in (tmp_path / "no" / "out.txt", tmp_path / "folder"):
        with pytest.raises(UsageError, match="cannot be written"):
            spmf.mine_file(tmp_path / "in.txt", out, min_support=2, max_gap=0)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["folder", "in.txt"]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"max_gap": "one"}, "max_gap must be 0 or more symbols, or none for unlimited, got 'one'"),
        ({"max_gap": "-1"}, "got '-1'"),
        ({"min_support": "few"}, "min_support cannot be 'few'"),
        ({"support": "recordings"}, "has no recordings"),
    ],
)
def test_bad_arguments_are_one_sentence(tmp_path: Path, change: dict[str, Any], sentence: str) -> None:
    (tmp_path / "in.txt").write_text(EXAMPLE)
    with pytest.raises(UsageError, match=sentence):
        spmf.mine_file(tmp_path / "in.txt", None, **({"min_support": 2, "max_gap": 0} | change))


@settings(max_examples=60, deadline=None)
@given(
    sequences=st.lists(st.lists(st.sampled_from([0, 9, 10, 123_456]), max_size=7), max_size=5),
    max_gap=st.sampled_from([0, 1, None]),
)
def test_writing_says_what_was_found(
    tmp_path_factory: pytest.TempPathFactory, sequences: list[list[int]], max_gap: int | None
) -> None:
    path = tmp_path_factory.getbasetemp() / "written.txt"
    symbols, offsets = [x for s in sequences for x in s], flat([[0] * len(s) for s in sequences])[1]
    found = motifdb.mine(symbols, offsets, min_support=1, max_gap=max_gap, counts=False)
    spmf.write(found, path)
    lines = []
    for row in found.patterns.to_pylist():
        end = f" #OCC: {row['occurrences']}" if max_gap == 0 else ""
        lines.append(f"{' '.join(map(str, row['pattern']))} #SUP: {row['support_sequences']}{end}\n")
    assert path.read_text() == "".join(lines)


@needs_reference("mining")
def test_small_cases_are_the_agreed_ones(tmp_path: Path) -> None:
    with gzip.open(reference_root() / "mining" / "expected" / "small_cases.json.gz", "rt") as text:
        cases = json.load(text)
    path, out = tmp_path / "in.txt", tmp_path / "out.txt"
    assert len(cases) == 232
    for case in cases:
        path.write_text(spmf_text(case["sequences"]))
        for gap, expected in case["closed"].items():
            spmf.mine_file(path, out, min_support=case["min_support"], max_gap=gap)
            got = [line.split(" #OCC")[0] for line in out.read_text().splitlines()]
            assert got == [f"{' '.join(map(str, p))} #SUP: {n}" for p, n in expected], (case["name"], gap)


@needs_reference("mining")
@pytest.mark.parametrize(
    ("name", "gap", "min_support"),
    [("bidepaper", 0, 2), *LIGHT, ("c1", 0, 3), ("c1", 0, 5), ("c10", 0, 2), ("c10", 0, 40), ("b20", 0, 3)],
)
def test_agreed_sets(tmp_path: Path, name: str, gap: int | None, min_support: int) -> None:
    out = tmp_path / "out.txt"
    path = reference_root() / "mining" / "db" / f"{name}.txt.gz"
    spmf.mine_file(path, out, min_support=min_support, max_gap=gap)
    file = f"{name}.gap{'inf' if gap is None else gap}.sup{min_support}.closed"
    assert out.read_text() == agreed(file)


@needs_reference("mining")
def test_half_a_million_symbols_are_read_at_once() -> None:
    spmf.read(reference_root() / "mining" / "db" / "bidepaper.txt.gz")
    begin = time.process_time()
    symbols, offsets = spmf.read(reference_root() / "mining" / "db" / "t200.txt.gz")
    assert time.process_time() - begin < 1  # 0.02 s where it was written
    assert (len(symbols), len(offsets)) == (550_868, 1763)
    expected = database("c10")
    small = spmf.read(reference_root() / "mining" / "db" / "c10.txt.gz")
    assert [a.tolist() for a in small] == [a.tolist() for a in expected[:2]]
