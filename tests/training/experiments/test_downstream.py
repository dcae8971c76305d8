"""The perceptron over vectors: its size, its search, and what a clip of several frames is said to be."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from motifdb.errors import UsageError
from motifdb.training.experiments.downstream import (
    DownstreamConfig,
    build_mlp,
    n_mlp_parameters,
    search,
)
from motifdb.training.experiments.vector_frames import Frames, Scaling

SMALL = DownstreamConfig(
    hidden=(16, 8), learning_rates=(1e-5, 1e-2), l2s=(0.0, 1e-5), batch_size=4, max_epochs=10, patience=5
)


def blobs(n_clips: int = 30, seed: int = 0, apart: float = 3.0) -> tuple[Frames, NDArray[np.int64]]:
    """Clips of one to four frames around the centre of their class, in 5 dimensions of which one is constant."""
    rng = np.random.default_rng(seed)
    label = np.arange(n_clips) % 3
    owner = np.repeat(np.arange(n_clips), 1 + np.arange(n_clips) % 4)
    vectors = rng.normal(0, 1, (len(owner), 5)) + 100
    vectors[np.arange(len(owner)), label[owner]] += apart
    vectors[:, 4] = 7
    return Frames.of(vectors.astype(np.float32), owner, n_clips), label


def test_6144_numbers_to_ten_classes_are_the_published_3_21_million() -> None:
    import torch

    with torch.device("meta"):
        mlp = build_mlp(6144, 10)
    assert sum(p.numel() for p in mlp.parameters()) == n_mlp_parameters(6144, 10) == 3_213_194
    assert n_mlp_parameters(512, 50) == 512 * 512 + 512 + 512 * 128 + 128 + 128 * 50 + 50


def test_the_published_search_has_nine_points() -> None:
    config = DownstreamConfig()
    assert len(config.learning_rates) * len(config.l2s) == 9 and (config.max_epochs, config.patience) == (
        50,
        20,
    )


def test_a_search_learns_keeps_the_best_epoch_and_chooses_by_valid() -> None:
    frames, label = blobs()
    train, valid, test = np.arange(18), np.arange(18, 24), np.arange(24, 30)
    found = search(frames, label, 3, train, valid, SMALL, seed=1)
    assert len(found.points) == 4 and found.point.learning_rate == 1e-2
    best = max(p.valid_accuracy for p in found.points)
    assert found.point.valid_accuracy == best
    assert found.point.best_epoch == 1 + int(np.argmin([e["valid_loss"] for e in found.point.epochs]))
    said = found.probabilities(test)
    assert np.allclose(said.sum(1), 1, atol=1e-5) and (said.argmax(1) == label[test]).mean() >= 5 / 6
    again = search(frames, label, 3, train, valid, SMALL, seed=1)
    assert np.array_equal(again.probabilities(test), said)


def test_a_clip_is_the_mean_of_the_likelihoods_of_its_frames() -> None:
    frames, label = blobs(12)
    found = search(frames, label, 3, np.arange(8), np.arange(8, 12), SMALL)
    alone = Frames(frames.vectors, np.arange(len(frames.vectors) + 1))
    found._learner.frames = alone
    own = np.arange(frames.first[11], frames.first[12])
    each = found.probabilities(own)
    found._learner.frames = frames
    assert len(own) == 4 and np.allclose(found.probabilities(np.array([11])), each.mean(0), atol=1e-6)


def test_a_point_learns_as_adam_with_the_squared_weights_in_its_loss() -> None:
    """One point beside a plain loop over the same batches, with L2 written into the loss as it is meant."""
    import torch

    frames, label = blobs(9)
    l2, rate = 0.05, 3e-3
    config = DownstreamConfig((4,), (rate,), (l2,), batch_size=5, max_epochs=2, patience=2)
    train, valid = np.arange(6), np.arange(6, 9)
    found = search(frames, label, 3, train, valid, config, seed=3)
    rows, owner = frames.rows_of(train)
    scaling = Scaling.of(frames.vectors, rows)
    x = torch.from_numpy((frames.vectors - scaling.mean) / scaling.deviation)
    torch.manual_seed(3)
    plain = build_mlp(5, 3, (4,))
    adam = torch.optim.Adam(plain.parameters(), lr=rate, eps=1e-7)
    losses = []
    for epoch in (1, 2):
        order = np.random.default_rng([3, epoch]).permutation(len(rows))
        for begin in range(0, len(rows), 5):
            some = order[begin : begin + 5]
            truth = torch.from_numpy(label[train][owner[some]])
            loss = torch.nn.functional.cross_entropy(plain(x[rows[some]]), truth)
            for p in plain.parameters():
                if p.ndim > 1:
                    loss = loss + l2 * p.square().sum()
            adam.zero_grad()
            loss.backward()
            adam.step()
        there, clips = frames.rows_of(valid)
        with torch.no_grad():
            truth = torch.from_numpy(label[valid][clips])
            losses.append(float(torch.nn.functional.cross_entropy(plain(x[there]), truth)))
    assert [e["valid_loss"] for e in found.point.epochs] == pytest.approx(losses, abs=1e-5)


def test_a_dimension_that_never_varies_becomes_nothing() -> None:
    frames, _ = blobs()
    rows = np.arange(len(frames.vectors))
    scaling = Scaling.of(frames.vectors, rows)
    scaled = (frames.vectors - scaling.mean) / scaling.deviation
    assert not scaled[:, 4].any()
    assert np.allclose(scaled[:, :4].mean(0), 0, atol=1e-4) and np.allclose(
        scaled[:, :4].std(0), 1, atol=1e-4
    )


def test_vectors_and_parts_that_cannot_be_are_refused_in_a_sentence() -> None:
    frames, label = blobs(6)
    with pytest.raises(UsageError, match="part valid has no clip"):
        search(frames, label, 3, np.arange(6), np.zeros(0, np.int64), SMALL)
    with pytest.raises(UsageError, match="1 clips have no vector"):
        Frames.of(np.zeros((2, 3), np.float32), np.array([0, 2]), 3)
    with pytest.raises(UsageError, match="numbers that are none"):
        Frames.of(np.full((1, 3), np.nan, np.float32), np.array([0]), 1)
    with pytest.raises(UsageError, match="learning rates above 0"):
        DownstreamConfig(learning_rates=()).check()
    for wrong in ({"batch_size": 1.5}, {"hidden": (8.5,)}):
        with pytest.raises(UsageError, match="must be whole numbers"):
            DownstreamConfig(**wrong).check()
