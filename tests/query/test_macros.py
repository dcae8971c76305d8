"""The SQL functions of our own give what plain code gives, and their examples what they say."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from motifdb.errors import NotFoundError, UsageError
from motifdb.query.macros import MACROS
from motifdb.query.reference import describe, tables
from motifdb.query.sql import Session
from tests.query.example import example_rows
from tests.reference.edit_distance import edit_distance, note_name

NARROW = st.lists(st.integers(-63, 63), max_size=9)
WIDE = st.lists(st.integers(-128, 127), max_size=9)
CENTS = st.floats(-9000, 9000)


def column(session: Session, expression: str, **values: Sequence[object]) -> list[Any]:
    """One SQL expression over the rows of some columns, asked at once."""
    session._connection.register("_given", pa.table(values))
    relation = session._connection.sql(f"select {expression} from _given")
    return [row[0] for row in relation.fetchall()]


@pytest.fixture(scope="module")
def made(session: Session) -> Session:
    """A session that has every function."""
    session.table("select count(*) from duckdb_functions()")
    return session


@pytest.mark.parametrize("name", MACROS)
def test_the_example_gives_what_it_says(session: Session, name: str) -> None:
    macro = MACROS[name]
    row = session.table(
        f"select {macro.example} = {macro.shows} as is_so, typeof({macro.example}) as type"
    ).to_pylist()[0]
    assert row == {"is_so": True, "type": macro.type.upper()}


@settings(max_examples=10)
@given(st.lists(CENTS, min_size=1, max_size=60))
def test_notes_and_cents(made: Session, cents: list[float]) -> None:
    assert column(made, "note_name(c)", c=cents) == [note_name(c) for c in cents]
    hz = column(made, "cents_to_hz(c)", c=cents)
    assert hz == pytest.approx([440 * 2 ** (c / 1200) for c in cents], rel=1e-12)
    assert column(made, "hz_to_cents(f)", f=hz) == pytest.approx(cents, abs=1e-6)


def test_what_has_no_pitch_has_no_note(made: Session) -> None:
    assert column(made, "hz_to_cents(f)", f=[0.0, -1.0, None, 440.0]) == [None, None, None, 0.0]
    assert column(made, "note_name(c)", c=[None, math.nan, math.inf]) == [None, None, None]
    assert column(made, "note_name(c)", c=[-950.0, -950.1, 49.6]) == ["C4 -50", "B3 +50", "A4 +50"]


@settings(max_examples=10)
@given(st.lists(WIDE, min_size=1, max_size=40))
def test_contours_are_text_and_symbols(made: Session, contours: list[list[int]]) -> None:
    texts = [" ".join(f"{s:+d}" for s in c) for c in contours]
    assert column(made, "contour_text(c)", c=contours) == texts
    assert column(made, "contour_symbols(c)", c=texts) == contours


@settings(max_examples=15)
@given(st.lists(st.tuples(NARROW, NARROW) | st.tuples(WIDE, WIDE), min_size=1, max_size=30))
def test_the_distance_is_levenshteins(made: Session, pairs: list[tuple[list[int], list[int]]]) -> None:
    """Also where symbols are too many for one character each; as text, as lists, and mixed."""
    a, b = [list(p) for p, _ in pairs], [list(q) for _, q in pairs]
    expected = [edit_distance(p, q) for p, q in pairs]
    text = [" ".join(f"{s:+d}" for s in c) for c in b]
    assert column(made, "contour_distance(a, b)", a=a, b=b) == expected
    assert column(made, "contour_distance(b, a)", a=a, b=text) == expected


def test_the_distance_over_stored_contours(session: Session) -> None:
    """As a question asks for it: text against list, across tables."""
    answer = session.table(
        "select m.contour, c.symbols, contour_distance(m.contour, c.symbols) as d from motifs m, contours c"
    ).to_pylist()
    assert len(answer) == len(example_rows()["motifs"]) * len(example_rows()["contours"])
    for row in answer:
        assert row["d"] == edit_distance([int(s) for s in row["contour"].split()], row["symbols"])


def test_null_and_empty(session: Session) -> None:
    row = session.table(
        "select contour_distance(null, '+1') as n, contour_distance('', '+1 -2') as two, contour_distance([], '') as none,"
        " contour_text([]) as empty, contour_symbols(' ') as nothing, contour_symbols(null) as unknown"
    ).to_pylist()[0]
    assert row == {"n": None, "two": 2, "none": 0, "empty": "", "nothing": [], "unknown": None}


@pytest.mark.parametrize(
    ("statement", "kind", "sentence"),
    [
        ("select note_nam(1)", NotFoundError, "there is no function 'note_nam' (line 1, column 8); did you mean 'note_name'?"),
        ("select hz_to_cent(1)", NotFoundError, "did you mean 'hz_to_cents'?"),
        ("select contour_distance('abc', '+1')", UsageError, "'abc' is no contour; write one as text like '+1 -2'"),
        ("select contour_symbols('+1 x')", UsageError, "'+1 x' is no contour; write one as text like '+1 -2'"),
        ("select contour_distance('+1', '+99999999999999')", UsageError, "'+99999999999999' is no contour"),
        ("select note_name(1, 2)", UsageError, "note_name takes other arguments (line 1, column 8): note_name(cents)"),
        ("create macro note_name(x) as x", UsageError, "not CREATE"),
        ("select * from note_name(3)", UsageError, "note_name gives a value, no rows: select note_name(cents)"),
        ("select motif_search('+1')", UsageError, "motif_search gives rows, no value: select * from motif_search("),
        ("describe note_name", NotFoundError, "note_name is a function, no table; `motifdb describe note_name`"),
        ("select singer from motifs", NotFoundError, "no column 'singer' (line 1, column 8); files, tracks, recording_facts"),
    ],
)  # fmt: skip
def test_mistakes_are_told(session: Session, statement: str, kind: type[Exception], sentence: str) -> None:
    with pytest.raises(kind) as caught:
        session.table(statement)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_describe_and_tables_know_the_functions() -> None:
    rows = {row["name"]: row for row in tables().to_pylist()}
    assert rows["note_name(cents)"]["kind"] == "function"
    assert rows["motif_stats"]["kind"] == "view"
    described = describe("Contour_Distance").to_pylist()
    assert [row["part"] for row in described] == ["gives", "a", "b", "example"]
    assert described[-1]["meaning"] == "contour_distance('+1 -2 +1', [1, 1]) gives 1"
    assert describe("motifs").num_rows > 20
    with pytest.raises(
        NotFoundError, match="no table or function 'contour_dist'; did you mean 'contour_distance'"
    ):
        describe("contour_dist")
