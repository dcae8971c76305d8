"""What an ingest says at its end is true of what it did, and fits a terminal."""

from __future__ import annotations

from pathlib import Path

import pytest

from motifdb.config import preset
from motifdb.pipelines.ingest import Options, Report
from motifdb.pipelines.summary import WIDTH, summary
from tests.query.conftest import make_database
from tests.query.example import MINING_ID, example_rows, example_tables


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_database(tmp_path_factory.mktemp("summary") / "my songs.motifdb", example_tables())


def options(until: str = "motifs") -> Options:
    return Options((Path("songs"),), preset("default"), until=until)


def said(db: Path, report: Report, until: str = "motifs") -> list[str]:
    lines = summary(db, options(until), report).splitlines()
    assert all(len(line) <= WIDTH for line in lines[1:-1])
    return lines


def test_counts_motifs_and_the_next_command(db: Path) -> None:
    rows = example_rows()
    motifs = [m for m in rows["motifs"] if m["analysis_id"] == MINING_ID["gap 0"]]
    lines = said(db, Report(n_seen=7, n_new=7, n_inputs=5, n_skipped=1, mining_ids=[MINING_ID["gap 0"]]))
    assert lines[0].endswith("7 files seen, 7 new; read: 5 inputs, 1 skipped")
    n_places = sum(m["occurrences"] for m in motifs)
    assert (
        f"{len(motifs)} motifs (" in lines[1] and f"at {n_places} places; {len(motifs)} of them" in lines[1]
    )
    strongest = min(motifs, key=lambda m: (m["log10_p"], -m["length"], m["motif_id"]))
    first = lines[lines.index("strongest:") + 1]
    assert first.split()[0] == strongest["motif_id"][:8] and strongest["contour"] in first
    starts = sorted(o["start_s"] for o in rows["occurrences"] if o["motif_id"] == strongest["motif_id"])
    assert f" {starts[0]:.1f} " in lines[lines.index("strongest:") + 2]
    assert lines[-1] == f"next: motifdb top --by singer --db '{db}'"


def test_without_motifs_it_names_the_rule_only_where_the_rule_took_some(db: Path) -> None:
    nothing = said(db, Report(n_seen=1, mining_ids=["0" * 20]))
    assert nothing[1].startswith("no motifs: ")
    assert "0 motifs at 0 places" in nothing[2]
    assert nothing[-1].startswith("next: motifdb status ")


def test_a_run_that_stopped_early_is_told_how_to_go_on(db: Path) -> None:
    assert (
        said(db, Report(n_seen=1), "files")[-1]
        == "next: the same command without --until, to go on to motifs"
    )


def test_failures_are_counted_in_good_grammar(db: Path) -> None:
    failures = [{"kind": "empty", "path": f"{i}.wav", "reason": "the file is empty"} for i in range(5)]
    one, five = said(db, Report(failures=failures[:1])), said(db, Report(failures=failures))
    assert "1 input cannot be used (1 empty):" in one
    assert "5 inputs cannot be used (5 empty):" in five
    assert sum(line.endswith("the file is empty") for line in five) == 3
