"""A stored run as a model that gives vectors: the layer before the classes, on every target."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from motifdb.catalog.store import open_snapshot
from motifdb.errors import NotFoundError, UsageError
from motifdb.pipelines.progress import Quiet
from motifdb.query.fingerprint import fingerprint
from motifdb.query.vectors.read import vectors_of
from motifdb.training.embedding.job import EmbedOptions, embed_database
from motifdb.training.embedding.registry import find_embedder
from motifdb.training.embedding.runs import RunEmbedder
from motifdb.training.fitting.checkpoint import CONFIG, WEIGHTS
from motifdb.training.fitting.loop import load_trained
from motifdb.training.fitting.train_job import TrainOptions, train_database
from motifdb.training.inputs.packed import FULL_SCALE, Packed
from tests.training.small import Small, make_small
from tests.training.tones import TINY


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Sums in one order."""
    n = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(n)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Small:
    """A database with one trained run."""
    made = make_small(tmp_path_factory.mktemp("small"), n_each=4)
    recipe = TINY.assign({"name": "tiny", "max_epochs": 1})
    train_database(TrainOptions(recipe, folds=(0,), baselines=False), made.path, Quiet(), lambda line: None)
    return made


def test_vectors_are_those_of_the_layer_before_the_classes(small: Small) -> None:
    model = find_embedder("tiny", small.snapshot)
    assert isinstance(model, RunEmbedder)
    assert (model.n_dims, model.window_s, model.hop_s) == (16, 0.6, 0.3)
    (row,) = small.snapshot.table("runs").to_pylist()
    assert model.config()["run_id"] == row["run_id"] and model.name == f"tiny {row['run_id'][:8]}"
    trained, _ = load_trained(small.path / row["checkpoint"])
    clips = list(small.pcm.values())[:3]
    found = model.embed(Packed.of(clips), np.array([2, 0]))
    for clip, vector in zip((clips[2], clips[0]), found, strict=True):
        samples = torch.from_numpy(clip.astype(np.float32) / FULL_SCALE)[None]
        with torch.inference_mode():
            features, n_columns = trained.network.front_end(samples, torch.tensor([len(clip)]))
            wanted = trained.network.model.embed(features, n_columns)[0].numpy()
            logits = trained.network.model.classes(torch.from_numpy(vector)[None])
        np.testing.assert_allclose(vector, wanted, atol=1e-5)
        said = trained.probabilities(Packed.of([clip]))
        np.testing.assert_allclose(torch.softmax(logits, 1).numpy(), said, atol=1e-5)


def test_a_run_embeds_clips_and_is_named_in_their_lineage(small: Small, tmp_path: Path) -> None:
    path = tmp_path / "t.motifdb"
    shutil.copytree(small.path, path)
    for limit in (5, None):
        made = embed_database(
            EmbedOptions("tiny", target="clip", limit=limit), path, Quiet(), lambda line: None
        )
    whole = tmp_path / "whole.motifdb"
    shutil.copytree(small.path, whole)
    embed_database(EmbedOptions("tiny", target="clip"), whole, Quiet(), lambda line: None)
    in_parts, at_once = (fingerprint(open_snapshot(p), ["embeddings"]).overall for p in (path, whole))
    assert in_parts == at_once, "to the bit"
    assert (made.n, made.n_dims) == (12, 16) and made.name.endswith(", clips of files")
    vectors = vectors_of(open_snapshot(path))
    # three tones, heard for an epoch: those of one voice lie nearer to each other than to others
    owner = {r: f.split("/")[0] for f, r in _paths(path)}
    voice = np.array([owner[r] for r in vectors.rows["recording_id"].to_pylist()])
    apart = ((vectors.matrix[:, None] - vectors.matrix[None]) ** 2).sum(-1)
    same = voice[:, None] == voice[None]
    assert apart[same].mean() < 0.7 * apart[~same].mean()
    from motifdb.query.database import Database

    with Database(path) as database:
        told = database.why(made.analysis_id).text()
    assert "run tiny" in told and "metrics test" in told


def _paths(path: Path) -> list[tuple[str, str]]:
    table = open_snapshot(path).table("files", ["path", "recording_id"])
    return list(zip(table[0].to_pylist(), table[1].to_pylist(), strict=True))


def test_what_cannot_be_asked_of_a_run(small: Small, tmp_path: Path) -> None:
    snapshot = small.snapshot
    with pytest.raises(NotFoundError, match="no embedding model 'tini'; did you mean 'tiny'"):
        find_embedder("tini", snapshot)
    with pytest.raises(UsageError, match="a run has no option 'window'; did you mean 'window_s'"):
        find_embedder("tiny", snapshot, options={"window": 1})
    with pytest.raises(UsageError, match="hop_s must be more than 0 seconds"):
        find_embedder("tiny", snapshot, options={"hop_s": -1})
    file = tmp_path / "x.onnx"
    file.write_bytes(b"x")
    with pytest.raises(UsageError, match="is of this database and has its weights; leave out --weights"):
        find_embedder("tiny", snapshot, weights=file)
    other = tmp_path / "o.motifdb"
    shutil.copytree(small.path, other)
    (row,) = snapshot.table("runs").to_pylist()
    (other / row["checkpoint"] / WEIGHTS).unlink()
    with pytest.raises(UsageError, match="weights"):
        find_embedder(row["run_id"][:8], open_snapshot(other))
    shutil.copy(small.path / row["checkpoint"] / CONFIG, other / row["checkpoint"] / WEIGHTS)
    with pytest.raises(UsageError, match=r"weights\.safetensors"):
        find_embedder(row["run_id"][:8], open_snapshot(other))
