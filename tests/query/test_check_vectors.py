"""What tables of vectors and encoders must hold: a right database has no violation; each way to be wrong has its own."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection
from pathlib import Path

import pytest

from motifdb import ids
from motifdb.catalog.store import open_snapshot
from motifdb.query.check import Violation, check, tables, vectors
from motifdb.query.check.report import Context
from motifdb.query.database import Database
from motifdb.schemas import TABLES
from tests.query.conftest import make_database
from tests.query.embedded import EMBEDDINGS_ID, ENCODER_FOLDER, ENCODER_ID, N_DIMS, embedded_rows
from tests.query.learned import CHECKPOINT, Rows

RECORDING, CLIP, PLACE = 0, 3, 6
"""The first vector of each target."""
V = ("embeddings", "vector")


def renamed(rows: Rows, at: int, **values: object) -> None:
    """Change a vector, with the id that it then has."""
    row = rows["embeddings"][at]
    row.update(values)
    of = row["clip_id"] if row["target"] == "clip" else row["motif_id"]
    row["embedding_id"] = ids.embedding_id(
        row["analysis_id"], row["target"], row["recording_id"], row["start_s"], row["end_s"], of
    )


def add_analysis(rows: Rows, **values: object) -> None:
    """An analysis of recordings' vectors that has none, with other parameters than it should."""
    parameters = {"target": "recording", "n_dims": N_DIMS} | values
    row = next(a for a in rows["analyses"] if a["analysis_id"] == EMBEDDINGS_ID["recording"])
    own = {"analysis_id": ids.analysis_id("embeddings", 1, parameters, None), "name": repr(values)}
    rows["analyses"].append(row | own | {"parameters": ids.canonical_json(parameters)})


F, E, S = ("embedding_metrics", "vector"), ("encoders", "encoder"), ("encoder_steps", "encoder")
MUTATIONS: list[tuple[int, str, Callable[[Rows], object], Collection[tuple[str, str]]]] = [
    (0, "a vector of another model's size", lambda r: r["embeddings"][CLIP].update(vector=[1.0]), {V}),
    (0, "no number", lambda r: r["embeddings"][CLIP + 1].update(vector=[1.0, math.nan, 2.0]), {V}),
    (
        0,
        "an id of its own",
        lambda r: r["embeddings"][CLIP + 2].update(embedding_id="a" * 20),
        {("embeddings", "id")},
    ),
    (0, "part of a recording", lambda r: renamed(r, RECORDING, end_s=0.5), {V}),
    (
        0,
        "where no motif sounds",
        lambda r: renamed(r, PLACE, start_s=r["embeddings"][PLACE]["start_s"] + 0.01),
        {V},
    ),
    (0, "an interval upside down", lambda r: r["embedding_metrics"][0].update(low=0.9), {F}),
    (0, "figures computed with nothing", lambda r: r["embedding_metrics"][0].update(about="x"), {F}),
    (0, "another seed", lambda r: r["encoders"][0].update(seed=8), {("encoders", "id")}),
    (0, "done, without vectors", lambda r: r["encoders"][0].update(n_dims=None), {E}),
    (0, "done, for a reason", lambda r: r["encoders"][0].update(reason="why"), {E}),
    (0, "a checkpoint elsewhere", lambda r: r["encoders"][0].update(checkpoint="../x"), {E}),
    (0, "a step beyond the last", lambda r: r["encoder_steps"][1].update(step=30), {S}),
    (
        0,
        "a step of no encoder",
        lambda r: r["encoder_steps"][0].update(encoder_id="d" * 20),
        {("encoder_steps", "reference")},
    ),
    (
        0,
        "an interval of nothing",
        lambda r: r["encoder_metrics"][0].update(value=None),
        {("encoder_metrics", "encoder")},
    ),
    (1, "infinite", lambda r: r["embeddings"][CLIP].update(vector=[math.inf, 0.0, 2.0]), {V}),
    (1, "a clip that went", lambda r: renamed(r, CLIP + 1, clip_id="b" * 20), {("embeddings", "reference")}),
    (1, "part of a clip", lambda r: renamed(r, CLIP + 2, end_s=0.5), {V}),
    (1, "a recording with a clip", lambda r: renamed(r, RECORDING, clip_id=r["clips"][0]["clip_id"]), {V}),
    (1, "a target", lambda r: renamed(r, PLACE, target="phrase"), [("embeddings", "value"), V, V]),
    (
        1,
        "figures of no vectors",
        lambda r: r["embedding_metrics"][0].update(analysis_id="c" * 20),
        {F, (F[0], "reference")},
    ),
    (1, "a checkpoint that went", lambda r: r["encoders"][0].update(checkpoint="models/x"), {E}),
    (1, "a best step beyond the last", lambda r: r["encoders"][0].update(best_step=21), {E}),
    (1, "fewer pairs than before", lambda r: r["encoder_steps"][1].update(pairs=3), {S}),
    (1, "an analysis of phrases", lambda r: add_analysis(r, target="phrase"), {("analyses", "value")}),
    (1, "vectors of no numbers", lambda r: add_analysis(r, n_dims=0), {("analyses", "value")}),
    (1, "clips of nothing", lambda r: add_analysis(r, target="clip"), {("analyses", "reference")}),
    (
        1,
        "a vector that nobody counted",
        lambda r: r["embeddings"].pop(RECORDING + 1),
        {("coverage", "coverage")},
    ),
]


def violations(rows: Rows, path: Path, *, every_step: bool = False) -> list[Violation]:
    """What is wrong; of the other tables only what the rules for all tables say, unless every step is asked for."""
    tables_ = {name: TABLES[name].table(part) for name, part in rows.items()}
    make_database(path, tables_)
    for folder in (CHECKPOINT, ENCODER_FOLDER):
        (path / folder).mkdir(parents=True)
    snapshot = open_snapshot(path)
    if every_step:
        return list(check(snapshot))
    steps = (
        tables.check_references,
        tables.check_values,
        tables.check_coverage,
        vectors.check_encoders,
        vectors.check_vectors,
        vectors.check_vector_figures,
    )
    with Context.open(snapshot, None) as context:
        return [violation for step in steps for violation in step(context)]


def test_right_tables_have_no_violation_and_views_show_them(tmp_path: Path) -> None:
    assert violations(embedded_rows(), tmp_path / "right.motifdb", every_step=True) == []
    with Database(tmp_path / "right.motifdb") as database:
        shown = database.sql(
            "select target, path, contour, n_dims, model from vectors order by target, path, start_s"
        ).rows()
        assert Counter(row["target"] for row in shown) == {"recording": 3, "clip": 3, "occurrence": 4}
        assert {row["n_dims"] for row in shown} == {N_DIMS} and {row["model"] for row in shown} == {"encoder"}
        assert all((row["contour"] is not None) == (row["target"] == "occurrence") for row in shown)
        (score,) = database.sql("from vector_scores").rows()
        assert (score["analysis"], score["vectors"], score["metric"]) == ("tiny of clips", 3, "knn_1")
        told = database.why(embedded_rows()["embeddings"][CLIP]["embedding_id"]).text()
        for part in (
            "of clip",
            "encoder tiny pairs",
            "loss of a trivial answer 0.250",
            "analysis clips",
            "dilek.flac",
        ):
            assert part in told, told
        assert f"encoder tiny pairs ({ENCODER_ID})" in database.why("tiny pairs").text()
        assert "metrics voice, leave one out" in database.why(EMBEDDINGS_ID["clip"][:9]).text()


@pytest.mark.parametrize("group", range(2))
def test_each_mutation_is_reported_and_nothing_else(group: int, tmp_path: Path) -> None:
    rows = embedded_rows()
    expected: Counter[tuple[str, str]] = Counter()
    for number, _, break_it, reported in MUTATIONS:
        if number == group:
            break_it(rows)
            expected.update(reported)
    found = violations(rows, tmp_path / "wrong.motifdb")
    assert Counter((v.table, v.rule) for v in found) == expected, "\n".join(map(str, found))
