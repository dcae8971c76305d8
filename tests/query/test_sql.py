"""SQL over a snapshot: what it answers, what it refuses, what it says."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.dataset as pds
import pytest

from motifdb.catalog.store import Snapshot, open_snapshot
from motifdb.errors import DatabaseError, MotifdbError, NotFoundError, UsageError
from motifdb.query.relations import describe, relations, tables
from motifdb.query.sql import Session
from motifdb.query.views import VIEWS
from motifdb.schemas import TABLES
from tests.query.conftest import make_database
from tests.query.example import (
    CONTOUR,
    MINING_ID,
    RECORDING,
    SONGS,
    contour_steps_agree,
    example_rows,
    example_tables,
)

SECRET = "the secret of the file"

HOSTILE = [
    "copy (select 1) to '{out}'",
    "copy motifs to '{out}' (format parquet)",
    "export database '{out}'",
    "import database '{out}'",
    "attach '{out}' as other",
    "detach memory",
    "select * from read_csv('{secret}')",
    "select * from read_csv_auto('{secret}')",
    "select * from read_text('{secret}')",
    "select * from read_blob('{secret}')",
    "select * from read_json('{secret}')",
    "select * from read_parquet('{secret}')",
    "select * from parquet_metadata('{secret}')",
    "select * from sniff_csv('{secret}')",
    "select * from read_duckdb('{secret}')",
    "select * from '{secret}'",
    'select * from "{secret}"',
    "select * from glob('/*')",
    "select (select content from read_text('{secret}'))",
    "with t as (from read_text('{secret}')) select * from t",
    "select * from motifs where contour in (select content from read_text('{secret}'))",
    "explain analyze copy (select 1) to '{out}'",
    "explain analyze create table zz as select 1",
    "explain analyze select * from read_text('{secret}')",
    "/* a */ -- b\n explain analyze select * from read_text('{secret}')",
    "install httpfs",
    "load httpfs",
    "load '{out}'",
    "set threads = 1",
    "set enable_external_access = true",
    "set lock_configuration = false",
    "reset enable_external_access",
    "pragma enable_profiling",
    "pragma database_list",
    "create table t (a int)",
    "create view v as select 1",
    "create macro f(x) as x",
    "create secret s (type s3)",
    "insert into motifs select * from motifs",
    "update motifs set contour = ''",
    "delete from motifs",
    "drop view motifs",
    "alter table motifs rename to m",
    "truncate motifs",
    "vacuum",
    "checkpoint",
    "call pragma_version()",
    "begin",
    "prepare q as select 1",
    "use memory",
    "comment on view motifs is 'x'",
    "select * from getenv('HOME')",
    "select getenv('HOME')",
    "select * from duckdb_secrets()",
    "select * from duckdb_settings()",
    "from duckdb_settings",
    "from pg_catalog.pg_settings",
    "select * from duckdb_extensions()",
    "from enable_logging(storage := 'file', storage_config := {{'path': '{out}'}})",
    "from enable_logging()",
    "from enable_profiling(save_location = '{out}')",
    "select * from query('select 1')",
    "select * from query_table('motifs')",
    "select * from json_execute_serialized_sql(json_serialize_sql('select 1'))",
    "select * from pandas_scan(1)",
    "select * from python_variable",
    "select * from arrow_scan(1, 2, 3)",
    "analyze create table t as select 1",
    "explain (/*) select 1 --*/) analyze create table t as select 1",
    "with x as (copy (select 1) to '{out}') select * from x",
    "with x as (insert into motifs select * from motifs returning *) select * from x",
    "with x as (delete from motifs returning *) select * from x",
    "with x as (update motifs set contour = '' returning *) select * from x",
    "select * from (with x as (delete from motifs returning *) select * from x)",
    "summarize '{secret}'",
    "describe '{secret}'",
    "show databases",
    "pivot motifs on contour",
    "select 1; select 2",
    "select 1; drop view motifs",
    "select 1; copy (select 1) to '{out}'",
]
"""Statements that must be refused; {out} would be written, {secret} would be read."""


@pytest.mark.parametrize("statement", HOSTILE)
def test_refuses_hostile_statement(session: Session, tmp_path: Path, statement: str) -> None:
    secret, out = tmp_path / "secret.csv", tmp_path / "out"
    secret.write_text(SECRET)
    python_variable = pa.table({"secret": [SECRET]})
    with pytest.raises(MotifdbError) as caught:
        session.table(statement.format(out=out, secret=secret))
    assert SECRET not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not out.exists()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["secret.csv"]
    assert python_variable.num_rows == 1
    made = session._connection.execute("select table_name from duckdb_tables()").fetchall()
    assert made == [], "not even a table in memory"
    assert session.table("select 7 as x").to_pylist() == [{"x": 7}], "the session still works"


def test_comments_cannot_hide_what_explain_runs(session: Session) -> None:
    """Whether or not comments nest, what runs is what was looked at."""
    session.table("/* /* */ explain analyze select 1 -- */ explain analyze create table t as select 1")
    assert session._connection.execute("select table_name from duckdb_tables()").fetchall() == []


ALLOWED = {
    "select 1 as x": 1,
    "values (1), (2)": 2,
    "from motifs limit 2": 2,
    "table corpora": 1,
    "with a as (select 1 union all select 2) select * from a": 2,
    "with recursive a as (select 1 as x union all select x + 1 from a where x < 5) from a": 5,
    "select * from range(3) t(i)": 3,
    "select unnest([1, 2])": 2,
    "(select 1) union all (select 2)": 2,
    "select list_transform([1], lambda x: x + 1)": 1,
    "pivot motif_by_label on value in ('rast', 'hijaz') using sum(motifs) group by contour": None,
    "describe motifs": len(TABLES["motifs"].columns),
    "show motif_stats": len(VIEWS["motif_stats"].columns),
    "describe select 1": 1,
    "summarize occurrences": len(TABLES["occurrences"].columns),
    "show tables": len(relations()),
    "explain select * from motifs": None,
    "/* why */ explain analyze select count(*) from occurrences": None,
    "select * from (describe motifs)": len(TABLES["motifs"].columns),
    "select 'a;b', ';' -- ; comment": 1,
    "select 1;": 1,
    "select * from main.motifs limit 1": 1,
    "select * from MOTIFS limit 1": 1,
    "with motifs as (select 1 as x) select x from motifs": 1,
}


@pytest.mark.parametrize(("statement", "n_rows"), list(ALLOWED.items()))
def test_answers_questions(session: Session, statement: str, n_rows: int | None) -> None:
    answer = session.table(statement)
    assert answer.num_rows == n_rows if n_rows is not None else answer.num_rows > 0


def test_the_example_is_what_it_claims() -> None:
    assert contour_steps_agree()
    assert CONTOUR.bounds_cents == (66.0, 132.0, 198.0)


def test_every_table_and_view_has_its_declared_columns(session: Session) -> None:
    for name, spec in relations().items():
        answer = session.table(f"select * from {name}")
        assert answer.schema.names == list(spec.names)
        for column in spec.columns:
            assert answer.schema.field(column.name).type == column.type, f"{name}.{column.name}"
            if not column.nullable and name in VIEWS:
                assert answer.column(column.name).null_count == 0, f"{name}.{column.name}"


def test_tables_come_back_as_stored(session: Session) -> None:
    for name, rows in example_tables().items():
        keys = ", ".join(TABLES[name].key)
        order = [(key, "ascending") for key in TABLES[name].key]
        rows = rows.select(list(relations()[name].names))
        assert (
            session.table(f"select * from {name} order by {keys}")
            .cast(rows.schema)
            .equals(rows.sort_by(order))
        )


def test_comments_carry_unit_and_meaning(session: Session) -> None:
    answer = session.table(
        "select column_name, comment from duckdb_columns() where table_name = 'occurrences' and comment is not null"
    )
    comments = {row["column_name"]: row["comment"] for row in answer.to_pylist()}
    assert comments["start_cents"] == "level of the first segment, over 440 Hz [cents]"
    assert set(comments) == set(TABLES["occurrences"].names)


@pytest.mark.parametrize(
    ("statement", "kind", "sentence"),
    [
        ("select * from motif", NotFoundError, "there is no table 'motif'; did you mean 'motifs'?"),
        ("select countour from motifs", NotFoundError, "there is no column 'countour' (line 1, column 8); did you mean 'contour'?"),
        ("select m.countour from motifs m", NotFoundError, "did you mean 'contour'?"),
        ("select\n contour,\n  lenght\nfrom motifs", NotFoundError, "'lenght' (line 3, column 3); did you mean 'length'?"),
        ("selec 1", UsageError, 'syntax error at or near "selec" (line 1, column 1)'),
        ("select * frm motifs", UsageError, "(line 1, column 14)"),
        ("select $q", UsageError, "no value is bound to $q; bind a file's melody with --bind NAME=FILE"),
        ("select foor(1.5)", NotFoundError, "there is no function 'foor' (line 1, column 8); did you mean 'floor'?"),
        ("select 'a'::int", UsageError, "Could not convert string 'a' to INT32"),
        ("", UsageError, "this text holds no statement"),
        ("-- nothing", UsageError, "this text holds no statement"),
        ("select 1; select 2", UsageError, "one statement at a time"),
        ("drop view motifs", UsageError, "not DROP"),
        ("select ?", UsageError, "no value is bound to $1"),
        ("pivot motifs on contour", UsageError, "PIVOT needs its values written out"),
        ("select " + "(" * 2000 + "1" + ")" * 2000, UsageError, "nested too deeply"),
        ("select * from other.motifs", NotFoundError, "there is no table 'other.motifs'"),
    ],
)  # fmt: skip
def test_mistakes_are_told_in_a_sentence(
    session: Session, statement: str, kind: type[Exception], sentence: str
) -> None:
    with pytest.raises(kind) as caught:
        session.table(statement)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_values_that_a_statement_does_not_name_are_told(session: Session) -> None:
    with pytest.raises(UsageError, match="1 values are bound, but the statement names 0 of them"):
        session.table("select 1", {"q": 2})


def test_position_in_a_long_line(session: Session) -> None:
    statement = "select " + ", ".join(f"{i} as column_{i}" for i in range(60)) + ", nope from motifs"
    with pytest.raises(NotFoundError) as caught:
        session.table(statement)
    assert f"(line 1, column {statement.index('nope') + 1})" in str(caught.value)


def test_parameters(session: Session) -> None:
    assert session.table("select ? + ? as x", [1, 2]).to_pylist() == [{"x": 3}]
    assert session.table("select $a as x", {"a": "it's"}).to_pylist() == [{"x": "it's"}]
    counted = session.table("select count(*) as n from motifs where length >= ?", [2]).to_pylist()[0]["n"]
    assert counted == sum(row["length"] >= 2 for row in example_rows()["motifs"])


def test_whole_sums_are_int64(session: Session) -> None:
    answer = session.table("select sum(occurrences) as n from motifs")
    assert answer.schema.field("n").type == pa.int64()
    with pytest.raises(UsageError, match="beyond 64 bits"):
        session.table("select sum(x) as n from (values (9223372036854775807::bigint), (9::bigint)) t(x)")


def test_label_conflicts_are_left_out_and_listed(session: Session) -> None:
    conflicts = session.table("from label_conflicts").to_pylist()
    assert conflicts == [
        {"recording_id": RECORDING["bela"], "label": "singer", "label_values": ["Bela", "Bella"], "files": 2}
    ]
    singers = session.table("select distinct value from motif_by_label where label = 'singer'").to_pylist()
    assert [row["value"] for row in singers] == ["Amina"]
    styles = session.table(
        "select value, max(label_recordings) as n from motif_by_label where label = 'style' group by 1 order by 1"
    )
    assert styles.to_pylist() == [{"value": "hijaz", "n": 1}, {"value": "rast", "n": 2}]


def test_motif_by_label_counts_what_there_is(session: Session) -> None:
    rows = example_rows()
    style_of = {RECORDING["amina"]: "hijaz", RECORDING["bela"]: "rast", RECORDING["chitra"]: "rast"}
    expected: Counter[tuple[str, str, str]] = Counter()
    recordings: Counter[tuple[str, str, str]] = Counter()
    motifs: Counter[tuple[str, str, str]] = Counter()
    for count in rows["pattern_counts"]:
        key = (count["analysis_id"], count["pattern_id"], style_of[count["recording_id"]])
        expected[key] += count["occurrences"]
        recordings[key] += 1
    for motif in rows["motifs"]:
        motifs[motif["analysis_id"], motif["pattern_id"], style_of[motif["scope_key"]]] += 1
    answer = session.table("select * from motif_by_label where label = 'style'").to_pylist()
    assert {(r["analysis_id"], r["pattern_id"], r["value"]): r["occurrences"] for r in answer} == expected
    for row in answer:
        key = (row["analysis_id"], row["pattern_id"], row["value"])
        assert (row["recordings"], row["motifs"]) == (recordings[key], motifs[key])
        assert row["recording_share"] == row["recordings"] / row["label_recordings"]
    cities = session.table("select distinct value from motif_by_label where label = 'city'").to_pylist()
    assert cities == [{"value": "Urfa"}], "labels beyond the standard ones count too"


def test_motif_stats_counts_what_there_is(session: Session) -> None:
    analysis = MINING_ID["gap 0"]
    row = session.table(
        f"select * from motif_stats where analysis_id = '{analysis}' and contour = '+1 -2'"
    ).to_pylist()[0]
    found = {
        name: [sum(p[i : i + 2] == [1, -2] for i in range(len(p))) for p in song]
        for name, song in SONGS.items()
    }
    assert row["occurrences"] == sum(map(sum, found.values()))
    assert row["phrases"] == sum(n > 0 for counts in found.values() for n in counts)
    assert row["recordings"] == sum(any(counts) for counts in found.values())
    assert row["motifs"] == sum(sum(counts) >= 3 for counts in found.values())
    assert (row["singers"], row["styles"]) == (1, 2), "the recording with two singers counts for none"


def test_tracks_are_inputs_with_their_facts(session: Session) -> None:
    answer = session.table(
        "select path, corpus, kind, labels['city'] as city from tracks order by path"
    ).to_pylist()
    assert [row["path"] for row in answer] == [
        "amina.pitch", "bela.pitch", "chitra.pitch", "copy of bela.pitch", "silence.pitch"
    ]  # fmt: skip
    assert answer[0] == {"path": "amina.pitch", "corpus": "songs", "kind": "f0", "city": "Urfa"}


def test_ranks_by_style_in_one_short_select(session: Session) -> None:
    answer = session.table(
        "select value, contour, recordings from motif_by_label where label = 'style' and max_gap = 0"
        " qualify row_number() over (partition by value order by recordings desc, occurrences desc) = 1 order by value"
    ).to_pylist()
    assert [row["value"] for row in answer] == ["hijaz", "rast"]


def test_reader_streams_and_the_next_statement_ends_it(session: Session) -> None:
    reader = session.reader("select * from range(1000000) t(i)")
    first = next(iter(reader))
    assert 0 < first.num_rows <= 122_880
    assert session.table("select 1 as x").to_pylist() == [{"x": 1}]
    assert session.reader("from range(300000)").read_all().num_rows == 300_000


def test_reads_the_commit_it_was_opened_at(example_db: Path) -> None:
    empty = Session(open_snapshot(example_db, at=0))
    assert empty.table("select count(*) as n from motifs").to_pylist() == [{"n": 0}]
    empty.close()


class OlderSnapshot:
    """A snapshot whose format had neither `pattern_counts` nor `motifs.stability`."""

    def __init__(self, whole: Snapshot) -> None:
        self._whole = whole
        self.versions = {name: v for name, v in whole.versions.items() if name != "pattern_counts"}

    def dataset(self, name: str) -> pds.Dataset:
        table = self._whole.table(name)
        return pds.dataset(table.drop_columns(["stability"]) if name == "motifs" else table)


def test_what_an_older_format_lacks_is_null_and_empty(example: Snapshot) -> None:
    session = Session(OlderSnapshot(example))  # type: ignore[arg-type]
    answer = session.table("select motif_id, stability from motifs")
    assert answer.schema.field("stability").type == pa.float64()
    assert answer.column("stability").null_count == answer.num_rows > 0
    counts = session.table("select * from pattern_counts")
    assert counts.num_rows == 0
    assert counts.schema.names == list(TABLES["pattern_counts"].names)
    session.close()


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    path = make_database(tmp_path / "broken.motifdb", example_tables())
    session = Session(open_snapshot(path))
    for file in (path / "tables" / "occurrences.lance" / "data").iterdir():
        file.unlink()
    with pytest.raises(
        DatabaseError, match="a file of table occurrences is missing or damaged; run motifdb check"
    ):
        session.table("select sum(end_s) from occurrences")
    session.close()


def test_memory_limit_is_kept_and_told(example: Snapshot) -> None:
    session = Session(example, memory_limit="60MB", threads=1)
    with pytest.raises(UsageError, match="more than the memory limit of 60MB"):
        session.table("select list(i) from range(100000000) t(i)")
    assert session.table("select 1 as x").num_rows == 1
    session.close()
    with pytest.raises(UsageError, match="memory limit 'lots' cannot be used"):
        Session(None, memory_limit="lots")
    with pytest.raises(UsageError, match="threads must be at least 1"):
        Session(None, threads=0)


def test_spills_beside_no_ones_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    session = Session(None, memory_limit="60MB", threads=1)
    answer = session.table(
        "select max(h) as h, min(i) as i from (select i, h, row_number() over (order by h)"
        " from (select i, md5(i::varchar) as h from range(1500000) t(i)))"
    )
    assert answer.num_rows == 1
    assert list(tmp_path.iterdir()) == []
    session.close()


def test_ctrl_c_stops_a_statement() -> None:
    # whatever a library made of the signal in another test of this process
    signal.signal(signal.SIGINT, signal.default_int_handler)
    session = Session(None)
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        session.table(
            "select count(*) from range(1000000) a, range(1000000) b where a.range * b.range % 7 = 3"
        )
    assert time.monotonic() - start < 10
    assert session.table("select 1 as x").to_pylist() == [{"x": 1}]
    session.close()


def test_interrupt_from_another_thread() -> None:
    session = Session(None)
    is_over = threading.Event()

    def stop() -> None:
        while not is_over.wait(0.3):  # one that comes before the statement has begun to run is forgotten
            session.interrupt()

    thread = threading.Thread(target=stop)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        session.table(
            "select count(*) from range(1000000) a, range(1000000) b where a.range * b.range % 7 = 3"
        )
    is_over.set()
    thread.join()
    session.close()


def test_select_1_loads_no_storage_library(example_db: Path) -> None:
    code = (
        "import sys; from motifdb.query.database import Database\n"
        f"with Database({str(example_db)!r}) as db: assert db.sql('select 1 as x').rows() == [{{'x': 1}}]\n"
        "heavy = {'lance', 'ray', 'torch', 'numba', 'pandas', 'polars', 'matplotlib', 'av'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_tables_and_describe() -> None:
    listed = tables().to_pylist()
    assert [row["name"] for row in listed] == [*TABLES, *VIEWS]
    row = next(r for r in describe("occurrences").to_pylist() if r["column"] == "start_s")
    assert (row["type"], row["unit"]) == ("double", "s")
    assert describe("Motif_Stats").num_rows == len(VIEWS["motif_stats"].columns)
    with pytest.raises(NotFoundError, match="did you mean 'occurrences'"):
        describe("occurences")


@pytest.mark.parametrize("name", ["occurrences", "corpora", "clips"])
def test_rows_are_counted_without_a_look_at_them(session: Session, name: str) -> None:
    n_rows = session.table(f"select * from {name}").num_rows
    assert session.table(f"select count(*) from {name}").to_pylist() == [{"count_star()": n_rows}]
    assert session.table(f"SELECT COUNT(*) AS n FROM main.{name} t;").to_pylist() == [{"n": n_rows}]
    assert session.table(f"select count() as n from {name}").to_pylist() == [{"n": n_rows}]
    for more in ("where true", "limit 1", "having true", "using sample 100%"):
        assert session.table(f"select count(*) as n from {name} {more}").to_pylist() == [{"n": n_rows}]
    assert session.table(f"select count(*) as n, 1 as x from {name}").to_pylist() == [{"n": n_rows, "x": 1}]
    assert session.table(f"select count(*) filter (where false) as n from {name}").to_pylist() == [{"n": 0}]
    assert session.table(f"select count(*) + 1 as n from {name}").to_pylist() == [{"n": n_rows + 1}]
    assert session.table(f"with {name} as (select 1) select count(*) as n from {name}").to_pylist() == [
        {"n": 1}
    ]
    assert session.table(f"select count(*) over () as n from {name}").num_rows == n_rows
    assert session.table(f"explain select count(*) from {name}").num_rows > 0
