"""The model of an analysis is made again with the options it had."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from motifdb.catalog.store import Snapshot, create, open_snapshot
from motifdb.errors import UsageError
from motifdb.ids import canonical_json
from motifdb.pipelines.listening import wav_bytes
from motifdb.training.embedding.of_file import _options, embedder_of, file_vector
from motifdb.training.embedding.registry import find_embedder


@pytest.fixture
def empty(tmp_path: Path) -> Snapshot:
    create(tmp_path / "e.motifdb")
    return open_snapshot(tmp_path / "e.motifdb")


def analysis(config: dict[str, Any], n_dims: int) -> dict[str, Any]:
    """A row of `analyses` as `motifdb embed` stores it."""
    return {"name": "x", "parameters": canonical_json({**config, "target": "clip", "n_dims": n_dims})}


def test_a_file_gets_the_vector_that_its_recording_has(empty: Snapshot, tmp_path: Path) -> None:
    made = find_embedder("hand-crafted", empty, options={"sample_rate_hz": 22_050})
    row = analysis(made.config(), made.n_dims)
    again = embedder_of(empty, row)
    assert (again.config(), again.sample_rate_hz) == (made.config(), 22_050)
    rng = np.random.default_rng(0)
    (tmp_path / "a.wav").write_bytes(
        wav_bytes((0.1 * rng.standard_normal(22_050)).astype(np.float32), 22_050)
    )
    vector = file_vector(empty, row, tmp_path / "a.wav")
    assert vector.shape == (made.n_dims,) and np.isfinite(vector).all()


def test_what_openl3_was_asked_for_follows_from_what_it_says() -> None:
    said = {
        "model": "openl3", "weights": "abc", "content": "env", "front_end": {"kind": "l3-mel256", "sample_rate_hz": 48_000},
        "grid": [1, 1], "padding": "package", "window_samples": 48_000, "hop_samples": 24_000, "n_dims": 512, "target": "clip",
    }  # fmt: skip
    assert _options("openl3", said) == {
        "n_dims": 512, "representation": "mel256", "content": "env", "padding": "package", "hop_s": 0.5,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({}, "do not say which model"),
        ({"model": "gone"}, "is not here any more"),
        (
            {"model": "hand-crafted", "version": 7, "sample_rate_hz": 16_000, "metric": "standardised"},
            r"another hand-crafted .*\(version\)",
        ),
        ({"model": "run", "run_id": "0123456789abcdef0123"}, "is not here any more"),
        ({"model": "openl3", "weights": "x"}, "needs --weights FILE"),
    ],
    ids=["none", "gone", "version", "run", "weights"],
)
def test_models_that_cannot_be_made_again(empty: Snapshot, config: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        embedder_of(empty, analysis(config, 4))
