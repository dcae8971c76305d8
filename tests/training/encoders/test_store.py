"""Encoders in a database: what goes in comes out, the same one takes its own place, and texts find the one that is meant."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from motifdb.catalog.snapshot import open_snapshot
from motifdb.errors import NotFoundError, UsageError
from motifdb.training.encoders.store import (
    EncoderFigure,
    EncoderResult,
    encoder_id,
    find_encoder,
    load_encoder,
    store_encoder,
    stored_encoder,
    stored_figures,
)

ROWS: list[dict[str, Any]] = [
    {
        "step": 5,
        "pairs": 160,
        "train_loss": 0.3,
        "valid_loss": 0.2,
        "valid_accuracy": None,
        "wall_s": 1.0,
        "wait_s": 0.1,
    }
]
RESULT = EncoderResult(
    "siamese-2018-small", "siamese", "siamese-2018-small", {"margin": 1.0}, {"clips": 40}, 0, "s" * 20, 0,
    parameters=99, n_dims=16, rows=ROWS, steps=5, best_step=5,
    figures=[EncoderFigure("test", "loss", 0.2, 0.1, 0.3, 0.25)],
)  # fmt: skip


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from motifdb.catalog.store import create

    path = tmp_path_factory.mktemp("encoders") / "songs.motifdb"
    create(path)
    other = replace(RESULT, config={"margin": 2.0}, name="wide margin")
    store_encoder(path, RESULT, other, replace(RESULT, seed=1))
    store_encoder(
        path,
        replace(RESULT, name="lost", config={"margin": 3.0}, state="failed", reason="the loss is no number"),
    )
    return path


def test_what_goes_in_comes_out(db: Path) -> None:
    snapshot = open_snapshot(db)
    row = stored_encoder(snapshot, RESULT.encoder_id)
    assert row is not None
    assert {k: row[k] for k in ("name", "kind", "config", "data", "n_dims", "parameters", "best_step")} == {
        "name": "siamese-2018-small", "kind": "siamese", "config": '{"margin":1.0}', "data": '{"clips":40}',
        "n_dims": 16, "parameters": 99, "best_step": 5,
    }  # fmt: skip
    assert row["checkpoint"] == f"models/{RESULT.encoder_id}"
    steps = snapshot.table("encoder_steps", None, f"encoder_id = '{RESULT.encoder_id}'").to_pylist()
    assert steps == [{"encoder_id": RESULT.encoder_id, **ROWS[0]}]
    figure = stored_figures(snapshot, [RESULT.encoder_id])[RESULT.encoder_id]["test", "loss"]
    assert figure == RESULT.figures[0]
    assert stored_encoder(snapshot, "0" * 20) is None


def test_the_same_encoder_takes_its_own_place(db: Path) -> None:
    store_encoder(db, replace(RESULT, figures=[EncoderFigure("test", "eer", 0.4)]))
    snapshot = open_snapshot(db)
    assert list(stored_figures(snapshot, [RESULT.encoder_id])[RESULT.encoder_id]) == [("test", "eer")]
    rows = snapshot.table("encoders", ["encoder_id"]).column(0).to_pylist()
    assert len(rows) == len(set(rows)) == 4
    store_encoder(db, RESULT)


def test_the_id_is_of_everything_that_decides_the_weights() -> None:
    plain = ("siamese", {"a": 1}, {"b": 1}, 0, "s", 0)
    others = [
        ("avc", {"a": 1}, {"b": 1}, 0, "s", 0),
        ("siamese", {"a": 2}, {"b": 1}, 0, "s", 0),
        ("siamese", {"a": 1}, {"b": 2}, 0, "s", 0),
        ("siamese", {"a": 1}, {"b": 1}, 1, "s", 0),
        ("siamese", {"a": 1}, {"b": 1}, 0, "t", 0),
        ("siamese", {"a": 1}, {"b": 1}, 0, "s", 1),
    ]
    assert len({encoder_id(*values) for values in [plain, *others]}) == 7


def test_texts_find_the_one_that_is_meant(db: Path) -> None:
    snapshot = open_snapshot(db)
    assert find_encoder(snapshot, "wide margin")["config"] == '{"margin":2.0}'
    assert find_encoder(snapshot, RESULT.encoder_id[:6].upper())["encoder_id"] == RESULT.encoder_id
    assert find_encoder(snapshot, "siamese-2018-small")["seed"] in (0, 1)  # the newest of two seeds
    with pytest.raises(NotFoundError, match=r"no encoder 'siamese-2018-smal'; .*siamese-2018-small"):
        find_encoder(snapshot, "siamese-2018-smal")
    with pytest.raises(NotFoundError, match="failed, so it gives no vectors: the loss is no number"):
        find_encoder(snapshot, "lost")


def test_one_name_for_several_configurations_is_refused(tmp_path: Path) -> None:
    from motifdb.catalog.store import create

    create(tmp_path / "a.motifdb")
    with pytest.raises(NotFoundError, match="no encoder here; `motifdb experiment siamese-2018`"):
        find_encoder(open_snapshot(tmp_path / "a.motifdb"), "anything")
    store_encoder(tmp_path / "a.motifdb", RESULT, replace(RESULT, config={"margin": 2.0}))
    with pytest.raises(
        UsageError, match=r"several encoders are called 'siamese-2018-small'; name one by its id: "
    ):
        find_encoder(open_snapshot(tmp_path / "a.motifdb"), "siamese-2018-small")


def test_a_kind_of_another_version_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="of kind 'quartet', which this motifdb does not know"):
        load_encoder({"kind": "quartet", "encoder_id": "abcdefgh12"}, tmp_path)
    with pytest.raises(ValueError, match="done, or failed for a reason"):
        replace(RESULT, state="failed")
