"""l3-2019's encoder: two towers that learn from videos whether a second of sound and a picture belong together (AVC).

Nobody labels anything: what is together in a video is one class, what is put together from two videos the other. What is wanted is the
audio tower's inside, as an embedding (`load`); how often it answers right, on videos it has not seen, is judged beside chance.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from motifdb.errors import MotifdbError
from motifdb.ids import content_id
from motifdb.training.encoders.avc_baseline import N_PAIRS, PER_SOURCE, baseline_answers
from motifdb.training.encoders.avc_recipes import AvcRecipe
from motifdb.training.encoders.fit import FitConfig, Fitted, Look, fit, precision, seeded_weights
from motifdb.training.encoders.store import EncoderFigure, EncoderResult, checkpoint_of, encoder_id
from motifdb.training.fitting import checkpoint
from motifdb.training.fitting.loop import DivergedError
from motifdb.training.fitting.network import choose_device
from motifdb.training.inputs.frontends import FrontEnd
from motifdb.training.inputs.packed import FULL_SCALE
from motifdb.training.models.l3 import AudioTower, Fusion, VisionTower
from motifdb.training.videos.discover import PARTS, Video, VideoFailure, discover, divide, summary
from motifdb.training.videos.sample import Pairs, PairStream, Survey, survey
from motifdb.training.videos.workers import Decoders, decoders

if TYPE_CHECKING:
    from motifdb.training.embedding.openl3 import L3Embedder

KIND = "avc"
AT_ONCE = 64
"""Pairs looked at together where nothing is learnt."""

FAILURES = "failures.json"
"""In an encoder's folder: videos that turned out not to be decodable while it was trained."""

CHANCE = 0.5
BASELINE = "accuracy of mean colour and spectrum"
"""Among an encoder's figures: a linear model without towers (`motifdb.training.encoders.avc_baseline`)."""

OnLook = Callable[[dict[str, Any]], None]
OnStep = Callable[[int, int], None]
Say = Callable[[str], None]


class AvcBatch(NamedTuple):
    """As `Pairs`, as tensors: int16 [n, L], uint8 [n, side, side, 3], int64 [n]."""

    sound: Tensor
    picture: Tensor
    is_same: Tensor


class AvcNetwork(nn.Module):  # type: ignore[misc]  # torch is untyped to us
    """Front end, both towers and what joins them: from samples and pictures to logits."""

    def __init__(self, recipe: AvcRecipe) -> None:
        super().__init__()
        towers = recipe.towers
        options: dict[str, Any] = {
            "channels": towers.channels,
            "n_convolutions": towers.n_convolutions,
            "momentum": towers.momentum,
        }
        self.recipe = recipe
        self.front_end = FrontEnd(recipe.front_end)
        self.audio = AudioTower(is_input_normalised=towers.is_input_normalised, **options)
        self.vision = VisionTower(is_relu_first=towers.is_released_vision, **options)
        self.fusion = Fusion(self.audio.n_dims, self.vision.n_dims, hidden=towers.hidden)
        if recipe.channels_last:
            self.to(memory_format=torch.channels_last)
        if recipe.compile:
            self.audio.compile()
            self.vision.compile()

    def forward(self, sound: Tensor, picture: Tensor) -> Tensor:
        """int16 [n, L] and uint8 [n, side, side, 3] to logits float32 [n, 2]: not together, together."""
        lengths = torch.full((len(sound),), sound.shape[1], dtype=torch.int64, device=sound.device)
        with torch.no_grad():  # nothing is learnt before the towers
            features, _ = self.front_end(sound.float() / FULL_SCALE, lengths)
            seen = picture.permute(0, 3, 1, 2).float() / 127.5 - 1
        return self.fusion(self.audio(features), self.vision(seen)).float()


def make_network(recipe: AvcRecipe, seed: int) -> AvcNetwork:
    """A network with weights that follow from the seed."""
    with seeded_weights(seed):
        return AvcNetwork(recipe)


def train_avc(
    recipe: AvcRecipe,
    folder: Path | str,
    root: Path,
    *,
    seed: int = 0,
    name: str | None = None,
    device: str = "auto",
    workers: int | None = None,
    ray_address: str | None = None,
    resume: bool = True,
    on_look: OnLook | None = None,
    on_step: OnStep | None = None,
    say: Say | None = None,
) -> EncoderResult:
    """Train towers on the videos of a folder and judge them on held-out ones; nothing is stored in the database yet (`store_encoder`).

    Parameters
    ----------
    folder : of videos, also in folders of its own; 80, 10 and 10 % of them are train, valid and test, whatever the seed
    root : the database's folder; weights go to ``models/<encoder_id>`` in it, and a run that was stopped goes on from there
    name : what it is called; None: as its recipe
    workers, ray_address : where videos are decoded (`motifdb.training.videos.workers.decoders`)
    say : is told lines for people: what the videos are, and which of them cannot be used

    Returns
    -------
    A failed result where the loss is no number any more. Its `data` holds how many videos there were, and by name those that could not
    be used; figures are of pairs of held-out videos, beside chance and, on test, what mean colour and spectrum give without towers.

    Raises
    ------
    UsageError
        for a folder without enough usable videos, a device that is not here, another run's checkpoint.
    KeyboardInterrupt
        on Ctrl-C, after a checkpoint.
    """
    target = choose_device(device)
    tell = say if say is not None else _silent
    files = discover(folder)
    with decoders(len(files), workers, ray_address) as pool:
        found = survey(folder, files, pool)
        for line in survey_lines(found):
            tell(line)
        parts = divide(found.videos)
        data = {"folder": found.folder.name, **summary(parts, found.failures)}
        tell(
            "leak check: no video is in two parts, by content; train, valid and test have "
            + ", ".join(f"{len(parts[part]):,}" for part in PARTS)
        )
        own_id = encoder_id(KIND, {"recipe": recipe.to_dict()}, data, seed)
        place = root / checkpoint_of(own_id)
        if not resume:
            shutil.rmtree(place, ignore_errors=True)
        result = EncoderResult(
            name or recipe.name,
            KIND,
            recipe.name,
            {"recipe": recipe.to_dict()},
            data,
            seed,
            n_dims=_n_dims(recipe),
        )
        run = _Run(recipe, found.folder, parts, pool, seed)
        began_s, began_cpu_s = time.monotonic(), time.process_time()
        try:
            fitted = run.fit(place, target, data, on_look, on_step)
        except DivergedError as error:
            return replace(
                result,
                state="failed",
                reason=str(error),
                device=str(target),
                wall_s=time.monotonic() - began_s,
                cpu_s=time.process_time() - began_cpu_s,
            )
        figures = run.figures(fitted)
        for line in run.store_failures(place):
            tell(line)
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


class _Run:
    """One training: its pairs and its parts."""

    def __init__(
        self,
        recipe: AvcRecipe,
        folder: Path,
        parts: Mapping[str, Sequence[Video]],
        pool: Decoders,
        seed: int,
    ) -> None:
        self.recipe, self.seed = recipe, seed
        self.stream = PairStream(folder, parts["train"], recipe.sampling, seed, pool)
        # the same for every seed, so that encoders are compared on the same pairs
        self.held = {
            part: PairStream(folder, parts[part], recipe.sampling, i, pool)
            for i, part in enumerate(("valid", "test"))
        }
        self.judged: dict[str, tuple[Pairs, NDArray[np.int64]]] = {}

    def pairs(self, part: str) -> tuple[Pairs, NDArray[np.int64]]:
        """The fixed pairs of valid or test, and the video each is drawn with."""
        if part not in self.judged:
            self.judged[part] = self.held[part].fixed(self.recipe.n_judged)
        return self.judged[part]

    def fit(
        self,
        place: Path,
        device: torch.device,
        data: Mapping[str, Any],
        on_look: OnLook | None,
        on_step: OnStep | None,
    ) -> Fitted:
        """The loop over steps."""
        recipe = self.recipe
        at_most, look_every, patience = recipe.steps()
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
        valid_pairs, _ = self.pairs("valid")

        def batches(first_step: int) -> Iterator[AvcBatch]:
            for pairs in self.stream.batches(recipe.batch_size, first_step):
                yield as_batch(pairs)

        def valid(module: Any) -> Look:
            logits = answers(module, valid_pairs)
            return Look(*_loss_and_accuracy(logits, valid_pairs.is_same))

        return fit(
            make_network(recipe, self.seed),
            lambda module, batch, generator: functional.cross_entropy(
                module(batch.sound, batch.picture), batch.is_same
            ),
            batches,
            valid,
            config,
            place,
            device=str(device),
            seed=self.seed,
            about={"kind": KIND, "recipe": recipe.to_dict(), "data": dict(data)},
            on_look=on_look,
            on_step=on_step,
        )

    def figures(self, fitted: Fitted) -> list[EncoderFigure]:
        """On the pairs of valid and test, and what mean colour and spectrum alone give on test."""
        found = [
            figure
            for part in ("valid", "test")
            for figure in avc_figures(part, fitted.module, *self.pairs(part))
        ]
        pairs, group = self.pairs("test")
        n = min(N_PAIRS, 4 * self.recipe.n_judged)
        said = baseline_answers(self.stream.fixed(n, PER_SOURCE)[0], pairs)
        return [*found, _accuracy("test", BASELINE, (said == pairs.is_same).astype(np.float64), group)]

    def store_failures(self, place: Path) -> list[str]:
        """Write down videos that turned out not to be decodable; give lines about them."""
        failures = [f for stream in (self.stream, *self.held.values()) for f in stream.failures]
        if not failures:
            return []
        place.mkdir(parents=True, exist_ok=True)
        text = json.dumps([f.to_dict() for f in failures], indent=1, ensure_ascii=False)
        (place / FAILURES).write_text(text + "\n", encoding="utf-8")
        return failure_lines(
            failures, "turned out not to be decodable while training; others took their place"
        )


def evaluate_avc(
    network: AvcNetwork,
    folder: Path | str,
    *,
    part: str = "test",
    workers: int | None = None,
    ray_address: str | None = None,
) -> list[EncoderFigure]:
    """How well a network answers on the held-out videos of a folder, which may be another than it was trained on.

    The folder is divided as in training, so the videos of `part` are none of those that `train_avc` learns from there.

    Parameters
    ----------
    network : of `load_network`
    """
    recipe = network.recipe
    files = discover(folder)
    with decoders(len(files), workers, ray_address) as pool:
        found = survey(folder, files, pool)
        stream = PairStream(
            found.folder, divide(found.videos)[part], recipe.sampling, int(part == "test"), pool
        )
        return avc_figures(part, network, *stream.fixed(recipe.n_judged))


def as_batch(pairs: Pairs) -> AvcBatch:
    """Pairs as tensors, not copied."""
    return AvcBatch(*(torch.from_numpy(column) for column in pairs))


def answers(network: Any, pairs: Pairs) -> NDArray[np.float64]:
    """Logits of pairs in eval mode, float64 [n, 2]."""
    device = next(network.parameters()).device
    was_training = network.training
    network.eval()
    found = []
    try:
        with torch.inference_mode(), precision(network.recipe.precision, device):
            for begin in range(0, len(pairs.is_same), AT_ONCE):
                some = slice(begin, begin + AT_ONCE)
                batch = as_batch(Pairs(pairs.sound[some], pairs.picture[some], pairs.is_same[some]))
                logits = network(batch.sound.to(device), batch.picture.to(device))
                found.append(logits.double().cpu().numpy())
    finally:
        network.train(was_training)
    return np.concatenate(found)


def avc_figures(part: str, network: Any, pairs: Pairs, group: NDArray[np.int64]) -> list[EncoderFigure]:
    """Accuracy and cross-entropy on pairs, with intervals over the videos that the pairs are drawn with.

    ``trivial`` is one answer for all: chance for the accuracy, for the loss the entropy of how many pairs are together.
    """
    logits = answers(network, pairs)
    is_right = (logits.argmax(1) == pairs.is_same).astype(np.float64)
    cost = _costs(logits, pairs.is_same)
    share = float(pairs.is_same.mean())
    entropy = -sum(p * np.log(p) for p in (share, 1 - share) if p > 0)
    return [
        _accuracy(part, "accuracy", is_right, group),
        _figure(part, "loss", cost, group, float(entropy)),
    ]


def _accuracy(
    part: str, metric: str, is_right: NDArray[np.float64], group: NDArray[np.int64]
) -> EncoderFigure:
    return _figure(part, metric, is_right, group, CHANCE)


def _figure(
    part: str, metric: str, values: NDArray[np.float64], group: NDArray[np.int64], trivial: float
) -> EncoderFigure:
    from motifdb.training.scores.figures import bootstrap_mean

    low, high = bootstrap_mean(values, group)
    return EncoderFigure(part, metric, float(values.mean()), low, high, trivial)


def survey_lines(found: Survey) -> list[str]:
    """What a survey found, as lines for people: how much, and what cannot be used, by name."""
    hours = sum(v.duration_s for v in found.videos) / 3600
    length = f"{hours:.1f} h" if hours >= 1 else f"{60 * hours:.1f} min"
    n = len(found.videos) + len(found.failures)
    return [
        f"{len(found.videos):,} of {n:,} videos can be used, {length}",
        *failure_lines(found.failures, "cannot be used; the others are"),
    ]


def failure_lines(failures: Sequence[VideoFailure], what: str, shown: int = 5) -> list[str]:
    """How many videos failed, and the first of them by name."""
    if not failures:
        return []
    n = len(failures)
    more = [f"  and {n - shown:,} more"] if n > shown else []
    return [f"{n:,} video{'s' * (n != 1)} {what}:", *(f"  {f.reason}" for f in failures[:shown]), *more]


# -- the way back ----------------------------------------------------------------------------------------------


def load_network(folder: Path, device: str = "auto") -> tuple[AvcNetwork, str]:
    """The network in an encoder's folder with its best weights, in eval mode, and a hash of them.

    Raises
    ------
    CheckpointError
        where the folder holds no weights that can be used.
    """
    config = checkpoint.read_config(folder)
    try:
        recipe = AvcRecipe.from_dict(config["recipe"])
    except (KeyError, MotifdbError) as error:
        raise checkpoint.CheckpointError(
            f"{folder / checkpoint.CONFIG} does not describe an encoder of this motifdb: {error}"
        ) from None
    tensors, path = checkpoint.read_best(folder, config)
    network = make_network(recipe, 0)
    checkpoint.load_into(network, tensors, path)
    return network.to(choose_device(device)).eval(), content_id(path.read_bytes())


def load(row: Mapping[str, Any], folder: Path, device: str = "auto", **options: Any) -> L3Embedder:
    """The audio tower of a row of `encoders` as a model that gives vectors; `load_encoder` calls this.

    Parameters
    ----------
    options : of `L3Embedder`, such as `grid`, `padding` and `hop_s`

    Raises
    ------
    CheckpointError
        where the folder holds no weights that can be used.
    """
    from motifdb.training.embedding.openl3 import L3Embedder

    network, weights = load_network(folder, device)
    rows, columns = network.recipe.grid
    return L3Embedder(
        network.audio,
        network.recipe.front_end,
        name=f"{row['name']} {row['encoder_id'][:8]}",
        about={
            "model": "encoder",
            "encoder_id": row["encoder_id"],
            "recipe": row["recipe"],
            "weights": weights,
        },
        **{"grid": (rows, columns), "device": device, **options},
    )


def _n_dims(recipe: AvcRecipe) -> int:
    return recipe.towers.channels[-1] * recipe.grid[0] * recipe.grid[1]


def _costs(logits: NDArray[np.float64], is_same: NDArray[np.int64]) -> NDArray[np.float64]:
    high = logits.max(1)
    total: NDArray[np.float64] = high + np.log(np.exp(logits - high[:, None]).sum(1))
    return total - logits[np.arange(len(logits)), is_same]


def _loss_and_accuracy(logits: NDArray[np.float64], is_same: NDArray[np.int64]) -> tuple[float, float]:
    return float(_costs(logits, is_same).mean()), float((logits.argmax(1) == is_same).mean())


def _silent(line: str) -> None:
    pass
