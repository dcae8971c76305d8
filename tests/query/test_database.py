"""The Python door."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import polars
import pyarrow as pa
import pytest

import motifdb
from motifdb.errors import NotFoundError, UsageError
from motifdb.schemas import TABLES
from tests.query.example import example_rows


def test_results_come_as_arrow_pandas_polars_and_rows(example_db: Path) -> None:
    expected = [
        {"contour": row["contour"], "occurrences": row["occurrences"]}
        for row in sorted(example_rows()["motifs"], key=lambda r: r["motif_id"])
    ]
    with motifdb.open(str(example_db)) as db:
        result = db.sql("select contour, occurrences from motifs order by motif_id")
        assert result.arrow().to_pylist() == expected
        assert list(result) == result.rows() == expected
        assert len(result) == len(expected)
        assert result.columns == ["contour", "occurrences"]
        frame = result.to_pandas()
        assert isinstance(frame, pd.DataFrame)
        assert frame["occurrences"].tolist() == [row["occurrences"] for row in expected]
        assert result.df().equals(frame)
        assert result.pl().to_dicts() == expected
        assert polars.DataFrame(result).to_dicts() == expected, "through the Arrow C stream"
        assert pa.table(result).to_pylist() == expected


def test_shows_itself(example_db: Path) -> None:
    with motifdb.open(str(example_db)) as db:
        assert repr(db).startswith(f"<motifdb {example_db} at commit 1 of 2")
        result = db.sql("select '<b>' as a, null as n, range as i from range(30)")
        assert repr(result).splitlines()[0].split() == ["a", "n", "i"]
        html = result._repr_html_()
        assert "<td>&lt;b&gt;</td><td></td><td>0</td>" in html
        assert "30 rows, the first 20 shown" in html
        assert repr(result).splitlines()[-1] == "(30 rows, the first 20 shown; .arrow() has all)"


def test_what_is_there_to_be_read_shows_every_row_and_word(example_db: Path) -> None:
    with motifdb.open(str(example_db)) as db:
        described = repr(db.describe("motifs"))
        shown = described.split()
        assert all(name in shown for name in TABLES["motifs"].names)
        assert "…" not in described and "…" not in repr(db.tables())
        assert db.describe("motifs")._repr_html_().count("<tr>") == 1 + len(TABLES["motifs"].names)


def test_tables_describe_table(example_db: Path) -> None:
    with motifdb.open(str(example_db)) as db:
        assert set(TABLES) <= {row["name"] for row in db.tables()}
        assert [row["column"] for row in db.describe("motifs")] == list(TABLES["motifs"].names)
        assert len(db.table("recordings")) == 4
        with pytest.raises(NotFoundError, match="did you mean 'motifs'"):
            db.table("motives")


def test_commits_and_closing(example_db: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with motifdb.open(str(example_db), at=0) as db:
        assert db.commit == 0
        assert db.sql("select count(*) as n from motifs").rows() == [{"n": 0}]
        assert db.refreshed().commit == 1
    with pytest.raises(UsageError, match="is closed"):
        db.sql("select 1")
    monkeypatch.setenv("MOTIFDB", str(example_db))
    with motifdb.open() as db:
        assert (db.path, db.commit) == (example_db, 1)
    with pytest.raises(NotFoundError):
        motifdb.open(str(example_db.parent / "nope.motifdb"))
