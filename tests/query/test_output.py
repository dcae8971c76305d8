"""Answers as text: quoting, NULL, NaN, widths, pipes."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from motifdb.errors import UsageError
from motifdb.query.output import _wide, fit, write_result
from motifdb.query.sql import Session

ODD = pa.table(
    {
        "text": pa.array(['a "b", c', "two\nlines", None, ""]),
        "n": pa.array([1, None, -3, 2**53 + 1], pa.int64()),
        "x": pa.array([1.5, float("nan"), float("inf"), None]),
        "list": pa.array([[1.0, float("nan")], [], None, [2.0]], pa.list_(pa.float64())),
        "map": pa.array([[("k", "v")], [], [("a", None)], None], pa.map_(pa.string(), pa.string())),
        "time": pa.array([dt.datetime(2024, 1, 2, 3, 4, 5, 600), None, None, None], pa.timestamp("us")),
        "flag": pa.array([True, False, None, True]),
    }
)


def written(table: pa.Table, format: str, **options: object) -> str:
    out = io.StringIO()
    assert write_result(table, format, out, **options) == table.num_rows  # type: ignore[arg-type]
    return out.getvalue()


def test_csv_quotes_and_tells_null_from_empty() -> None:
    text = written(ODD, "csv")
    rows = list(csv.reader(io.StringIO(text)))
    assert rows[0] == ODD.schema.names
    assert rows[1] == [
        'a "b", c',
        "1",
        "1.5",
        "[1.0, null]",
        '{"k": "v"}',
        "2024-01-02T03:04:05.000600Z",
        "true",
    ]
    assert rows[2][0] == "two\nlines"
    assert text.splitlines()[-1].startswith('"",9007199254740993,')
    assert "\n,-3," in text, "NULL is an empty field without quotes"


def test_json_is_one_array_without_nan() -> None:
    def refuse(name: str) -> None:
        raise AssertionError(name)

    rows = json.loads(written(ODD, "json"), parse_constant=refuse)
    assert rows[0] == {
        "text": 'a "b", c', "n": 1, "x": 1.5, "list": [1.0, None], "map": {"k": "v"},
        "time": "2024-01-02T03:04:05.000600Z", "flag": True,
    }  # fmt: skip
    assert [row["x"] for row in rows] == [1.5, None, None, None]
    assert rows[3]["n"] == 2**53 + 1
    assert rows[2]["map"] == {"a": None}
    assert json.loads(written(ODD.slice(0, 0), "json")) == []
    assert len(written(ODD, "json").splitlines()) == 4


def test_other_types_of_duckdb_have_a_text(session: Session) -> None:
    answer = session.table(
        "select 3.25::decimal(5,2) as d, 2::decimal(5,1) as e, date '2024-01-02' as day, interval 1 day as i,"
        " {'a': 1, 'b': [2]} as st, 1::ubigint as u, '\\xAB'::blob as b, timestamptz '2024-01-02 03:04:05+02' as tz"
    )
    row = json.loads(written(answer, "json"))[0]
    assert (row["d"], row["e"], row["day"], row["st"]) == (3.25, 2, "2024-01-02", {"a": 1, "b": [2]})
    assert (row["u"], row["b"], row["tz"]) == (1, "ab", "2024-01-02T01:04:05Z")
    for format in ("csv", "table"):
        assert "2024-01-02" in written(answer, format)
    assert isinstance(answer.column("d")[0].as_py(), Decimal)


def test_parquet_round_trips(tmp_path: Path) -> None:
    path = tmp_path / "answer.parquet"
    write_result(ODD, "parquet", path)
    assert parquet.read_table(path).schema == ODD.schema
    assert parquet.read_table(path).column("text").to_pylist() == ODD.column("text").to_pylist()
    buffer = io.BytesIO()
    write_result(ODD, "parquet", buffer)
    assert parquet.read_table(pa.BufferReader(buffer.getvalue())).num_rows == 4


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_parquet_is_not_for_terminals() -> None:
    with pytest.raises(UsageError, match="name a file with -o"):
        write_result(ODD, "parquet", Terminal())


def test_unknown_format_and_unwritable_path(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="did you mean 'json'"):
        write_result(ODD, "jsn", io.StringIO())
    with pytest.raises(UsageError, match="cannot be written: No such file or directory"):
        write_result(ODD, "csv", tmp_path / "no" / "such" / "folder.csv")


def test_header_is_bold_on_a_terminal_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    plain, bold = io.StringIO(), Terminal()
    write_result(ODD, "table", plain)
    write_result(ODD, "table", bold)
    assert "\x1b[" not in plain.getvalue()
    assert bold.getvalue().startswith("\x1b[1m")
    monkeypatch.setenv("NO_COLOR", "1")
    quiet = Terminal()
    write_result(ODD, "table", quiet)
    assert "\x1b[" not in quiet.getvalue()


def test_table_for_people() -> None:
    table = pa.table(
        {"contour": ["+1 -2", "+1"], "length": [2, 1], "start_s": [1.23456789, None], "n": [12, 3]}
    )
    assert written(table, "table").splitlines() == [
        "contour  length [symbols]  start_s   n",
        "───────  ────────────────  ───────  ──",
        "+1 -2                   2    1.235  12",
        "+1                      1            3",
    ]


def test_control_characters_cannot_break_the_table() -> None:
    text = written(pa.table({"a": ["x\n\x1b[31my", "日本"], "b": ["|", "|"]}), "table").splitlines()
    assert len(text) == 4
    assert "\x1b" not in text[2]
    assert "x\\n\\x1b[31my" in text[2]
    assert _wide(text[3].rstrip("|")) == _wide(text[2].rstrip("|")), "wide characters take two columns"


def test_long_answers_are_cut_and_counted() -> None:
    table = pa.table({"i": list(range(250))})
    lines = written(table, "table").splitlines()
    assert len(lines) == 2 + 100 + 1
    assert lines[-1] == "(250 rows, the first 100 shown; --format csv, json or parquet gives all)"
    assert len(written(table, "table", max_rows=3).splitlines()) == 6
    assert len(written(table, "csv").splitlines()) == 251
    assert written(table.slice(0, 0), "table").splitlines()[-1] == "(no rows)"


def test_wide_answers_name_what_is_left_out_and_few_rows_stand_upright() -> None:
    table = pa.table({f"column_{i}": ["some text here"] * 6 for i in range(20)})
    lines = written(table, "table").splitlines()
    assert all(_wide(line) <= 100 for line in lines)
    assert lines[-1].startswith("(12 more columns: column_8, ")
    upright = written(table.slice(0, 2), "table").splitlines()
    assert upright[0] == "column_0   some text here"
    assert len(upright) == 41


def test_wrapping_shows_the_whole_text() -> None:
    text = "one two three " * 20
    lines = written(pa.table({"k": ["a"], "v": [text]}), "table", is_wrapped=True).splitlines()
    assert "…" not in "".join(lines)
    assert " ".join(" ".join(lines[2:]).split()) == "a " + text.strip()
    assert all(_wide(line) <= 100 for line in lines)


@given(
    st.lists(st.dictionaries(st.sampled_from("abcdefgh"), st.text(max_size=120), min_size=1), max_size=8),
    st.integers(20, 120),
    st.booleans(),
)
def test_no_line_is_wider_than_asked(rows: list[dict[str, str]], width: int, is_wrapped: bool) -> None:
    names = sorted({name for row in rows for name in row})
    table = pa.table({name: pa.array([row.get(name) for row in rows], pa.string()) for name in names})
    if not names:
        return
    for line in written(table, "table", width=width, is_wrapped=is_wrapped).splitlines():
        assert line.startswith("(") or _wide(line) <= width


@given(st.lists(st.integers(1, 300), min_size=1, max_size=30), st.integers(20, 200))
def test_fit_fills_but_never_overflows(wanted: list[int], width: int) -> None:
    widths, n_left_out = fit(wanted, width)
    assert len(widths) + n_left_out == len(wanted)
    assert sum(widths) + 2 * (len(widths) - 1) + (3 if n_left_out else 0) <= width
    assert all(0 < w <= asked for w, asked in zip(widths, wanted, strict=False))
    if sum(wanted) + 2 * (len(wanted) - 1) <= width:
        assert widths == wanted


def test_a_broken_pipe_is_quiet(tmp_path: Path) -> None:
    code = (
        "import pyarrow as pa; from motifdb.query.output import write_result\n"
        "write_result(pa.table({'i': list(range(200000))}), 'csv')"
    )
    done = subprocess.run(
        f"{sys.executable} -c \"$CODE\" | head -n 2", shell=True, capture_output=True, text=True, timeout=60,
        env={**os.environ, "CODE": code},
    )  # fmt: skip
    assert done.stdout == "i\n0\n"
    assert done.stderr == ""


def test_standard_output(capsysbinary: pytest.CaptureFixture[bytes], session: Session) -> None:
    assert write_result(session.reader("select 'é' as a"), "csv") == 1
    assert capsysbinary.readouterr().out.decode() == 'a\n"é"\n'
    write_result(session.reader("select 'é' as a"), "table")
    assert capsysbinary.readouterr().out.decode().splitlines()[-1] == "é"
