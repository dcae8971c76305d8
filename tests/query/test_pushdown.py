"""Column selection, filters and, where a statement is no more than that, LIMIT reach the stored files.

What DuckDB hands to Lance is written down as it happens; EXPLAIN shows the same from the other side.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from motifdb.query.sql import Session
from tests.query.example import PITCH_ID, RECORDING, example_rows


@dataclass
class Scan:
    """One scan of a stored table: its columns (None is all), its filter as text, its limit."""

    table: str
    columns: list[str] | None
    filter: str
    limit: int | None


@pytest.fixture
def scans(monkeypatch: pytest.MonkeyPatch) -> list[Scan]:
    """Every scan of a Lance file from here on."""
    import lance

    found: list[Scan] = []
    plain = lance.LanceDataset.scanner

    def written_down(self: Any, *args: Any, **options: Any) -> Any:
        assert not args, "DuckDB names what it asks for"
        filter_ = options.get("filter")
        table = str(self.uri).rsplit("/", 1)[-1].removesuffix(".lance")
        limit = options.get("limit")
        found.append(Scan(table, options.get("columns"), "" if filter_ is None else str(filter_), limit))
        return plain(self, **options)

    monkeypatch.setattr(lance.LanceDataset, "scanner", written_down)
    return found


def only(scans: list[Scan]) -> Scan:
    """The one scan there was."""
    assert len(scans) == 1, scans
    return scans[0]


@pytest.mark.parametrize(
    ("statement", "columns", "filter_"),
    [
        ("select contour from motifs", ["contour"], []),
        ("select contour, length from motifs where length >= 3", ["contour", "length"], ["length", ">=", "3"]),
        ("select contour from motifs where max_gap = 0 and length < 3", ["contour"], ["max_gap", "== 0", "length", "< 3"]),
        ("select max(length) as n from motifs where max_gap is null", ["length"], ["max_gap", "is_null"]),
        ("select contour from motifs where length between 2 and 3", ["contour"], [">= 2", "<= 3"]),
        ("select contour from motifs where contour in ('+1', '-2')", ["contour"], ["contour", "+1", "-2"]),
        ("select contour from motifs where log10_p < -2.5", ["contour"], ["log10_p", "-2.5"]),
        ("select contour from motifs where contour like '%+1 -2'", ["contour"], []),
        ("select contour from motifs where len(pattern) > 3", ["contour", "pattern"], []),
    ],
)  # fmt: skip
def test_columns_and_filters_reach_the_files(
    session: Session, scans: list[Scan], statement: str, columns: list[str], filter_: list[str]
) -> None:
    """A filter that storage does not know (LIKE, on lists) is done by DuckDB, on the columns it names."""
    answer = session.table(statement)
    assert answer.num_rows > 0 or "null" in statement
    scan = only(scans)
    assert scan.columns is not None and set(scan.columns) == set(columns)
    assert all(part in scan.filter for part in filter_), scan.filter
    assert bool(scan.filter) == bool(filter_)
    plan = session.table(f"explain {statement}").column("plan")[0].as_py()
    assert "Python Arrow Scan" in plan
    assert ("Filters:" in plan) == bool(filter_)


def test_a_frame_of_one_recording_reads_its_blocks_alone(session: Session, scans: list[Scan]) -> None:
    """And only f0 of them, where confidence is not asked for."""
    id_ = RECORDING["amina"]
    answer = session.table(
        f"select count(*) as n, max(cents) as c from pitch_frames where recording_id = '{id_}' and analysis_id = '{PITCH_ID}'"
    ).to_pylist()[0]
    scan = only(scans)
    assert scan.columns == ["f0_hz"]
    assert id_ in scan.filter and PITCH_ID in scan.filter
    assert answer["n"] == sum(len(p["f0_hz"]) for p in example_rows()["pitch"] if p["recording_id"] == id_)
    assert answer["c"] == pytest.approx(-1200)


@pytest.mark.parametrize(
    ("statement", "table"),
    [
        ("select n_symbols from phrases where recording_id = '{}'", "contours"),
        ("select path from recording_facts where recording_id = '{}'", "recordings"),
        ("select path from tracks where recording_id = '{}'", "files"),
    ],
)
def test_a_filter_on_a_view_reaches_the_files_under_it(
    session: Session, scans: list[Scan], statement: str, table: str
) -> None:
    assert session.table(statement.format(RECORDING["amina"])).num_rows > 0
    found = [scan for scan in scans if scan.table == table]
    assert found and all(RECORDING["amina"] in scan.filter for scan in found)


LIMITED = {
    "select * from motifs limit 5": 5,
    "from motifs limit 5": 5,
    "select contour, length as n from main.motifs m limit 2 offset 3": 5,
    "select m.* exclude (pattern) from motifs m limit 4": 4,
    "select contour from motifs where length > 1 limit 4": 4,
    "select length, contour from motifs where length in (1, 3) or log10_p < -1.5 limit 2 offset 3": 5,
}
NOT_LIMITED = [
    "select * from motifs where contour like '+1%' limit 3",
    "select contour from motifs where length > 1 and len(pattern) > 1 limit 3",
    "select contour from motifs where length > (select min(length) from motifs) limit 3",
    "select contour from motifs where contour in (select contour from motifs where length = 2) limit 3",
    "select contour from motifs where length = 2 order by contour limit 5",
    "select contour from motifs order by contour limit 5",
    "select distinct contour from motifs limit 5",
    "select count(*) from motifs limit 5",
    "select unnest(pattern) from motifs limit 5",
    "select * replace (max(length) over () as length) from motifs limit 5",
    "select contour from motifs using sample 4 limit 5",
    "select contour from motifs group by all limit 5",
    "select contour from motifs qualify row_number() over (order by contour) = 1 limit 5",
    "with m as (from motifs) select * from m limit 5",
    "select * from motifs limit 10%",
    "select * from motifs limit (select 5)",
    "select contour from motifs union all select contour from motifs limit 5",
    "select a.contour from motifs a, motifs b limit 5",
    "select contour from motifs",
]


@pytest.mark.parametrize(("statement", "most"), LIMITED.items())
def test_a_limit_reaches_the_files(session: Session, scans: list[Scan], statement: str, most: int) -> None:
    answer = session.table(statement)
    assert only(scans).limit == most
    offset = 3 if "offset" in statement else 0
    assert answer.num_rows == most - offset
    whole = session.table(statement.partition(" limit ")[0])
    assert answer.equals(whole.slice(offset, answer.num_rows)), "the first rows, in stored order"
    assert scans[-1].limit is None, "the statement after it reads on"


@pytest.mark.parametrize("statement", NOT_LIMITED)
def test_what_needs_more_than_the_first_rows_gets_it(
    session: Session, scans: list[Scan], statement: str
) -> None:
    session.table(statement)
    assert scans and all(scan.limit is None for scan in scans)


def test_a_limit_with_parameters_is_right(session: Session, scans: list[Scan]) -> None:
    """Their values are not known to the plan, so all rows that pass are read."""
    answer = session.table("select contour from motifs where length >= ? limit 3", [2])
    assert answer.num_rows == 3 and all(len(c.split()) >= 2 for c in answer.column("contour").to_pylist())
    assert only(scans).limit is None


def test_a_limit_meets_no_statement_inside_another(session: Session, scans: list[Scan]) -> None:
    """The same table limited inside a statement that counts it whole."""
    row = session.table(
        "select (select count(*) from (select contour from motifs limit 3)) as some, (select count(*) from motifs) as all_of_them"
    ).to_pylist()[0]
    assert row == {"some": 3, "all_of_them": len(example_rows()["motifs"])}
    assert all(scan.limit is None for scan in scans)
