"""siamese-2018's encoder: one network hears both clips of a pair, and learns to put clips of one singer near each other.

The network is damp-2018's ResNeXt with 16 numbers in the place of classes (damp-2018's Table 2: any of its networks). Both clips of every
pair of a batch go through it together, so that batch normalisation sees all of them.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from motifdb.errors import MotifdbError
from motifdb.ids import content_id
from motifdb.training.encoders.fit import FitConfig, Fitted, Look, fit, seeded_weights
from motifdb.training.encoders.losses import collapse_loss, contrastive, contrastive_of
from motifdb.training.encoders.pair_data import PairData
from motifdb.training.encoders.pairs import ClipPairs, PairSampler
from motifdb.training.encoders.recipes import HOP_COLUMNS, WINDOW_COLUMNS, SiameseRecipe
from motifdb.training.encoders.store import EncoderFigure, EncoderResult, checkpoint_of, encoder_id
from motifdb.training.fitting import checkpoint
from motifdb.training.fitting.loop import DivergedError
from motifdb.training.fitting.network import Network, autocast, choose_device
from motifdb.training.inputs.batches import Batches
from motifdb.training.inputs.packed import Packed

KIND = "siamese"
AT_ONCE = 64
"""Clips heard together where nothing is learnt."""

FEWEST_DRAWN = 3
"""Singers of whom an interval can be drawn: of two, both must be drawn for a pair of two, so every draw is the same."""

OnLook = Callable[[dict[str, Any]], None]
OnStep = Callable[[int, int], None]


class PairBatch(NamedTuple):
    """Pairs of clips: sound of all first clips, then of all second ones.

    Attributes
    ----------
    samples : float32 [2n, L]
    lengths : int64 [2n]
    same : bool [n]
    """

    samples: Tensor
    lengths: Tensor
    same: Tensor


def make_network(recipe: SiameseRecipe, seed: int) -> Network:
    """Front end, augmentation and network, with weights that follow from the seed."""
    with seeded_weights(seed):
        return Network(recipe, recipe.n_dims)


def pair_loss(network: Any, batch: PairBatch, generator: torch.Generator, margin: float) -> Tensor:
    """Mean contrastive loss of a batch."""
    vectors = network(batch.samples, batch.lengths, generator)
    n = len(batch.same)
    return contrastive(vectors[:n], vectors[n:], batch.same, margin)


def vectors_of(
    network: Network, packed: Packed, rows: NDArray[np.int64], *, at_once: int = AT_ONCE
) -> NDArray[np.float32]:
    """The vectors of some clips, in eval mode: float32 [len(rows), n_dims], in the order of `rows`."""
    out = np.zeros((len(rows), network.n_classes), np.float32)
    if not len(rows):
        return out
    device = next(network.parameters()).device
    own = packed.take(np.asarray(rows, np.int64))
    batches = Batches(
        own,
        np.zeros(len(own), np.int64),
        np.arange(len(own)),
        batch_size=at_once,
        shuffle=False,
        max_s=network.recipe.max_s,
    )
    was_training = network.training
    network.eval()
    try:
        with torch.inference_mode(), autocast(network.recipe, device):
            for batch in batches.epoch(0):
                found = network(batch.samples.to(device), batch.lengths.to(device))
                out[batch.row.numpy()] = found.float().cpu().numpy()
    finally:
        network.train(was_training)
    return out


def distances(
    network: Network, packed: Packed, pairs: ClipPairs
) -> tuple[NDArray[np.float64], NDArray[np.float32], NDArray[np.int64]]:
    """Squared distances of pairs, and the vectors of the distinct clips in them with the clips' rows."""
    rows, place = np.unique(np.concatenate([pairs.a, pairs.b]), return_inverse=True)
    vectors = vectors_of(network, packed, rows)
    a, b = vectors[place[: len(pairs)]], vectors[place[len(pairs) :]]
    return ((a.astype(np.float64) - b) ** 2).sum(1), vectors, rows


def siamese_id(recipe: SiameseRecipe, data: PairData, seed: int) -> str:
    """The id of an encoder before it is trained."""
    return encoder_id(
        KIND, {"recipe": recipe.to_dict()}, data.describe(recipe), seed, data.split_id, data.fold
    )


def train_siamese(
    recipe: SiameseRecipe,
    data: PairData,
    root: Path,
    *,
    seed: int = 0,
    name: str | None = None,
    device: str = "auto",
    resume: bool = True,
    on_look: OnLook | None = None,
    on_step: OnStep | None = None,
) -> EncoderResult:
    """Train an encoder and judge it on its fixed pairs; nothing is stored in the database yet (`store_encoder`).

    Parameters
    ----------
    root : the database's folder; weights go to ``models/<encoder_id>`` in it, and a run that was stopped goes on from there
    name : what it is called; None: as its recipe

    Returns
    -------
    A failed result where the loss is no number any more.

    Raises
    ------
    UsageError
        where no pairs can be drawn, for a device that is not here or another run's checkpoint.
    KeyboardInterrupt
        on Ctrl-C, after a checkpoint.
    """
    sampler = data.sampler(recipe, seed)
    described = data.describe(recipe)
    own_id = siamese_id(recipe, data, seed)
    folder = root / checkpoint_of(own_id)
    if not resume:
        shutil.rmtree(folder, ignore_errors=True)
    result = EncoderResult(
        name or recipe.name,
        KIND,
        recipe.name,
        {"recipe": recipe.to_dict()},
        described,
        seed,
        data.split_id,
        data.fold,
        n_dims=recipe.n_dims,
    )
    began_s, began_cpu_s = time.monotonic(), time.process_time()
    packed = data.heard(recipe.front_end, relative=recipe.relative)
    try:
        fitted = _fitted(
            recipe, data, packed, sampler, folder, seed=seed, device=device, on_look=on_look, on_step=on_step
        )
    except DivergedError as error:
        return replace(
            result,
            state="failed",
            reason=str(error),
            device=device,
            wall_s=time.monotonic() - began_s,
            cpu_s=time.process_time() - began_cpu_s,
        )
    return _judged(result, recipe, data, packed, fitted)


def _fitted(
    recipe: SiameseRecipe,
    data: PairData,
    packed: Packed,
    sampler: PairSampler,
    folder: Path,
    *,
    seed: int,
    device: str,
    on_look: OnLook | None,
    on_step: OnStep | None,
) -> Fitted:
    """The loop over the pairs that `sampler` draws; `packed` is the sound as the front end is to hear it."""
    network = make_network(recipe, seed)
    train = data.rows("train", voiced_only=recipe.voiced_only)
    network.front_end.fit(_clips(packed, train, AT_ONCE).epoch(0))
    at_most, look_every, patience = recipe.steps(len(train))
    config = FitConfig(
        recipe.learning_rate,
        recipe.batch_size,
        at_most,
        look_every,
        patience,
        recipe.improvement,
        recipe.l2,
        recipe.clip_norm,
        recipe.precision,
    )
    gather = _clips(packed, np.arange(len(packed)), AT_ONCE, recipe.max_s)

    def batches(first_step: int) -> Iterator[PairBatch]:
        for step in range(first_step, at_most):
            pairs = sampler.batch(step, recipe.batch_size)
            clips = gather.gather(np.concatenate([pairs.a, pairs.b]))
            yield PairBatch(clips.samples, clips.lengths, torch.from_numpy(pairs.same))

    valid_pairs, _ = data.judged_by("valid", recipe)

    def valid(module: Any) -> Look | None:
        if valid_pairs is None:
            return None
        far, _, _ = distances(module, packed, valid_pairs)
        return Look(contrastive_of(far, valid_pairs.same, recipe.margin))

    about = {
        "kind": KIND,
        "recipe": recipe.to_dict(),
        "data": data.describe(recipe),
        "split_id": data.split_id,
        "fold": data.fold,
    }
    return fit(
        network,
        lambda module, batch, generator: pair_loss(module, batch, generator, recipe.margin),
        batches,
        valid,
        config,
        folder,
        device=device,
        seed=seed,
        about=about,
        on_look=on_look,
        on_step=on_step,
    )


def _judged(
    result: EncoderResult, recipe: SiameseRecipe, data: PairData, packed: Packed, fitted: Fitted
) -> EncoderResult:
    """The result with its curve and its figures on the pairs of valid and test."""
    figures: list[EncoderFigure] = []
    for part in ("valid", "test"):
        pairs, _ = data.judged_by(part, recipe)
        if pairs is not None:
            assert isinstance(fitted.module, Network)
            figures += pair_figures(part, fitted.module, packed, pairs, data, recipe.margin)
    return replace(
        result,
        parameters=fitted.n_parameters,
        rows=fitted.rows,
        steps=fitted.steps,
        best_step=fitted.best_step,
        figures=figures,
        device=fitted.device,
        wall_s=fitted.wall_s,
        cpu_s=fitted.cpu_s,
    )


def pair_figures(
    part: str, network: Network, packed: Packed, pairs: ClipPairs, data: PairData, margin: float
) -> list[EncoderFigure]:
    """Loss, equal error rate and area under the ROC curve of pairs of clips, with intervals over singers.

    ``trivial`` of the loss is the collapse loss on the same pairs.
    """
    from motifdb.training.scores.verification import Pairs, eer_scores

    far, vectors, rows = distances(network, packed, pairs)
    singer = [data.examples.classes[i] for i in data.examples.label[rows].tolist()]
    a, b = np.searchsorted(rows, pairs.a), np.searchsorted(rows, pairs.b)
    low, high = loss_interval(
        far, pairs.same, data.examples.label[pairs.a], data.examples.label[pairs.b], margin
    )
    found = [
        EncoderFigure(
            part,
            "loss",
            contrastive_of(far, pairs.same, margin),
            low,
            high,
            collapse_loss(pairs.same, margin),
        )
    ]
    can_draw = len(set(singer)) >= FEWEST_DRAWN
    for figure in eer_scores(vectors, Pairs(a, b, pairs.same, {"n_pairs": len(pairs)}), singer):
        low, high = (figure.low, figure.high) if can_draw else (None, None)
        found.append(EncoderFigure(part, figure.metric, figure.value, low, high, figure.chance))
    return found


def loss_interval(
    distance: NDArray[np.float64],
    same: NDArray[np.bool_],
    singer_a: NDArray[np.int64],
    singer_b: NDArray[np.int64],
    margin: float,
    *,
    n_draws: int = 1000,
    seed: int = 0,
) -> tuple[float | None, float | None]:
    """95 % interval of the mean loss when other singers are drawn; None with fewer than three singers.

    A pair counts as often as its two singers are drawn together, as in `motifdb.training.scores.verification`; "same" and other
    pairs stay one to one in each draw.
    """
    from motifdb.training.scores.metrics import group_draws, interval

    names, own = np.unique(np.concatenate([singer_a, singer_b]), return_inverse=True)
    if len(names) < FEWEST_DRAWN:
        return None, None
    a, b = own[: len(same)], own[len(same) :]
    cost = 0.5 * np.where(same, distance, np.maximum(margin - distance, 0.0))
    means = []
    for drawn in group_draws(len(names), n_draws, seed, 64):
        weight = np.where(a == b, drawn[:, a], drawn[:, a] * drawn[:, b]).astype(np.float64)
        with np.errstate(invalid="ignore", divide="ignore"):
            halves = [(weight * kind) @ cost / (weight * kind).sum(1) for kind in (same, ~same)]
        means.append((halves[0] * same.sum() + halves[1] * (~same).sum()) / len(same))
    return interval(np.concatenate(means))


# -- the way back ----------------------------------------------------------------------------------------------


class SiameseEmbedder:
    """A stored encoder as a model that gives vectors; see `motifdb.training.embedding.base.Embedder`."""

    def __init__(self, row: Mapping[str, Any], network: Network, weights: str) -> None:
        assert isinstance(network.recipe, SiameseRecipe)
        self.recipe, self.network, self._row, self._weights = network.recipe, network, dict(row), weights
        front_end = self.recipe.front_end
        columns = front_end.pad_to or WINDOW_COLUMNS
        self.name = f"{row['name']} {row['encoder_id'][:8]}"
        self.n_dims = self.recipe.n_dims
        self.sample_rate_hz = int(front_end.sample_rate_hz)
        # one column fewer than would begin another: 256 columns are 255 hops and a bit
        self.window_s: float | None = (columns - 0.5) * front_end.hop_samples / self.sample_rate_hz
        self.hop_s: float | None = self.window_s * HOP_COLUMNS / WINDOW_COLUMNS
        self.is_voiced_only = self.recipe.voiced_only

    def embed(self, packed: Packed, rows: NDArray[np.int64] | None = None) -> NDArray[np.float32]:
        """The vectors of clips, float32 [n, n_dims]."""
        rows = np.arange(len(packed)) if rows is None else np.asarray(rows, np.int64)
        return vectors_of(self.network, packed, rows)

    def gain(self, packed: Packed, recording_ids: Sequence[str]) -> NDArray[np.float32]:
        """What samples are multiplied by, so that the loudest moment of each recording is 0 dB; 1 where that says nothing."""
        from motifdb.training.inputs.heard import is_relative, recording_gain

        if not (self.recipe.relative and is_relative(self.recipe.front_end)):
            return np.ones(len(packed), np.float32)
        return recording_gain(packed, list(recording_ids), self.recipe.front_end)

    def config(self) -> dict[str, Any]:
        """The encoder, and its weights by their hash."""
        return {
            "model": "encoder",
            "encoder_id": self._row["encoder_id"],
            "recipe": self._row["recipe"],
            "weights": self._weights,
            "window_s": self.window_s,
            "hop_s": self.hop_s,
            "metric": "euclidean",  # that which the loss shapes
        }


def load(row: Mapping[str, Any], folder: Path, device: str = "auto") -> SiameseEmbedder:
    """The model of a row of `encoders`; `motifdb.training.encoders.store.load_encoder` calls this.

    Raises
    ------
    CheckpointError
        where the folder holds no weights that can be used.
    """
    config = checkpoint.read_config(folder)
    try:
        recipe = SiameseRecipe.from_dict(config["recipe"])
    except (KeyError, MotifdbError) as error:
        raise checkpoint.CheckpointError(
            f"{folder / checkpoint.CONFIG} does not describe an encoder of this motifdb: {error}"
        ) from None
    tensors, path = checkpoint.read_best(folder, config)
    network = make_network(recipe, 0)
    checkpoint.load_into(network, tensors, path)
    target = choose_device(device)
    network.to(target).eval()
    return SiameseEmbedder(row, network, content_id(path.read_bytes()))


def _clips(packed: Packed, rows: NDArray[np.int64], size: int, max_s: float | None = None) -> Batches:
    """Clips in a fixed order."""
    return Batches(packed, np.zeros(len(packed), np.int64), rows, batch_size=size, shuffle=False, max_s=max_s)
