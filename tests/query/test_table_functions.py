"""Functions that SQL calls like tables, by the example of one that the test registers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa
import pytest

from motifdb.catalog.store import Snapshot
from motifdb.errors import MotifdbError, NotFoundError, UsageError
from motifdb.query.sql import Session
from motifdb.query.table_functions import FUNCTIONS, Parameter, TableFunction
from motifdb.schemas import Column

CALLS: list[dict[str, Any]] = []


def _echo(session: Session, given: Mapping[str, Any]) -> pa.Table:
    """As many rows as asked, each with the text and the number of recordings there are."""
    CALLS.append(dict(given))
    if given["text"] == "nowhere":
        raise NotFoundError("there is no such place")
    n_recordings = session.snapshot.count("recordings")
    rows = range(given["n"] or 0)
    return pa.table(
        {
            "text": pa.array([str(given["text"])] * len(rows), pa.string()),
            "rank": pa.array(rows, pa.int64()),
            "recordings": pa.array([n_recordings] * len(rows), pa.int64()),
        }
    )


ECHO = TableFunction(
    "echo_search",
    "a rank",
    (Parameter("text", "anything"), Parameter("n", "rows", "2"), Parameter("frames", "numbers", "null")),
    (
        Column("text", pa.string(), "-", "what was given"),
        Column("rank", pa.int64(), "-", "0, 1, ..."),
        Column("recordings", pa.int64(), "-", "recordings there are"),
    ),
    _echo,
)


@pytest.fixture
def asked(example: Snapshot, monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    monkeypatch.setitem(FUNCTIONS, ECHO.name, ECHO)
    CALLS.clear()
    session = Session(example)
    yield session
    session.close()


def test_answers_with_arguments_and_defaults(asked: Session) -> None:
    assert asked.table("select * from echo_search('+1 -2', n := 1)").to_pylist() == [
        {"text": "+1 -2", "rank": 0, "recordings": 4}
    ]
    assert asked.table("from Echo_Search('a')").num_rows == 2
    assert CALLS == [{"text": "+1 -2", "n": 1, "frames": None}, {"text": "a", "n": 2, "frames": None}]


def test_calls_of_one_statement_are_kept_apart(asked: Session) -> None:
    answer = asked.table(
        "select a.text as a, b.text as b, a.rank from echo_search('x' || 'y', n := 3) a"
        " join echo_search('z', 2) b using (rank) where a.rank > 0"
    )
    assert answer.to_pylist() == [{"a": "xy", "b": "z", "rank": 1}]
    assert asked.table("select (select count(*) from echo_search('q', 5)) as n").to_pylist() == [{"n": 5}]


def test_joins_with_tables(asked: Session) -> None:
    n_motifs = asked.table("select count(*) as n from motifs").to_pylist()[0]["n"]
    assert asked.table("select count(*) as n from motifs, echo_search('a', n := 3)").to_pylist() == [
        {"n": 3 * n_motifs}
    ]


@pytest.mark.parametrize(
    ("query", "parameters"),
    [
        (
            "select * from echo_search($q, frames := $f) where rank < $top",
            {"q": "a", "f": [1.5, 2.5], "top": 1},
        ),
        ("select * from echo_search(?, frames := ?) where rank < ?", ["a", [1.5, 2.5], 1]),
    ],
)
def test_takes_bound_parameters(asked: Session, query: str, parameters: Any) -> None:
    assert asked.table(query, parameters).column("rank").to_pylist() == [0]
    assert CALLS == [{"text": "a", "n": 2, "frames": [1.5, 2.5]}]


def test_arguments_may_hold_functions_and_macros(asked: Session) -> None:
    query = "select distinct text from echo_search(concat(contour_text([1, -2]), '!'), n := abs(-3)::int)"
    assert asked.table(query).to_pylist() == [{"text": "+1 -2!"}]
    assert asked.table("select count(*) as n from echo_search('a', n := 1 + 2)").to_pylist() == [{"n": 3}]


def test_the_same_call_is_answered_once(asked: Session) -> None:
    for _ in range(3):
        assert asked.table("select * from echo_search('a') where rank = 1").num_rows == 1
    assert len(CALLS) == 1
    for i in range(40):
        asked.table("select * from echo_search('a', ?)", [i])
    assert asked.table("select * from echo_search('a')").num_rows == 2, "also what was forgotten meanwhile"


def test_explain_and_describe(asked: Session) -> None:
    assert "rank" in asked.table("describe select * from echo_search('a')").column("column_name").to_pylist()
    assert asked.table("explain select * from echo_search('a')").num_rows > 0


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("select * from echo_search()", "takes other arguments: echo_search(text, n := 2, frames := null)"),
        ("select * from echo_search('a', m := 2)", "takes other arguments"),
        ("select * from echo_search('a', n = 2)", "constants or bound parameters, no columns"),
        ("select * from motifs, lateral echo_search(contour)", "constants or bound parameters, no columns"),
        ("select * from echo_search((select 'a'))", "constants or bound parameters"),
        ("select * from echo_search($q)", "no value is bound to the parameter $q"),
        (
            "select * from echo_search('a', n := (random() * 5)::int)",
            "random() gives another value each time",
        ),
        ("select * from echo_search(now()::varchar)", "now() gives another value each time"),
        ("select * from echo_search('nowhere')", "there is no such place"),
        ("select * from echo_serch('a')", "did you mean 'echo_search'?"),
        ("select wrong from echo_search('a')", "there is no column 'wrong' (line 1, column 8)"),
    ],
)
def test_mistakes_are_told_in_a_sentence(asked: Session, query: str, sentence: str) -> None:
    with pytest.raises(MotifdbError) as caught:
        asked.table(query)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)
    assert asked.table("select 7 as x").to_pylist() == [{"x": 7}]


def test_without_a_database(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FUNCTIONS, ECHO.name, ECHO)
    session = Session(None)
    with pytest.raises(MotifdbError, match="no database is open"):
        session.table("select * from echo_search('a')")
    session.close()


def test_a_wrong_cast_is_no_traceback(asked: Session) -> None:
    with pytest.raises(UsageError):
        asked.table("select * from echo_search('a'::int)")
