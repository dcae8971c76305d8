"""What a stored run says about files it has never seen, and what that is worth."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from motifdb.errors import InputError, UsageError
from motifdb.pipelines.committer import quoted
from motifdb.pipelines.keeper import FULL_SCALE, SAMPLE_RATE_HZ, to_pcm
from motifdb.training.fitting.train_report import leaks_of
from motifdb.training.inputs.heard import with_gain
from motifdb.training.inputs.packed import Packed
from motifdb.training.scores.runs import stored_scores

if TYPE_CHECKING:
    from motifdb.catalog.snapshot import Snapshot
    from motifdb.training.fitting.loop import Trained

USUAL_SHARE = 0.95
"""A window is as long as this quantile of the clips the run was trained on."""

SILENT = 33
"""A file whose every sample is nearer to zero (of 32,768, -60 dB) is silent."""

QUIET_DB = 40.0
"""A window so far below the loudest of its file holds nothing to judge."""


@dataclass(frozen=True)
class Prediction:
    """What a run says about a file.

    Attributes
    ----------
    n_windows : windows that were heard and averaged; 1 is the whole file
    n_quiet : windows left out because nothing sounds in them
    probabilities : by class, summing to 1
    """

    file: str
    duration_s: float
    n_windows: int
    n_quiet: int
    probabilities: Mapping[str, float]

    @property
    def predicted(self) -> str:
        """The class with the highest probability."""
        return max(self.probabilities, key=lambda name: self.probabilities[name])

    def ranked(self) -> list[tuple[str, float]]:
        """Classes, the likeliest first."""
        return sorted(self.probabilities.items(), key=lambda item: (-item[1], item[0]))


class Predictor:
    """A stored run, ready to hear files.

    Parameters
    ----------
    run : its row of `runs`
    root : the database's folder
    window_s : length of the windows that longer files are heard in; None: as the run's clips mostly are

    Raises
    ------
    UsageError
        for a baseline, a failed run, a checkpoint that is gone or not this run's.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        run: Mapping[str, Any],
        root: Path,
        *,
        device: str = "auto",
        window_s: float | None = None,
        channel: str = "mix",
    ) -> None:
        self.run, self.channel = run, channel
        self.trained = network_of(run, root, device)
        durations = clip_durations(snapshot, run)
        max_s = self.trained.network.recipe.max_s
        usual_s = float(np.quantile(durations, USUAL_SHARE)) if durations.size else 3.0
        self.window_s = window_s if window_s is not None else min(usual_s, max_s or usual_s)
        if not self.window_s > 0:
            raise UsageError(f"--window must be more than 0 seconds, got {self.window_s}")
        longest_s = float(durations.max()) if durations.size and window_s is None else self.window_s
        # of a clip beyond max_s the network would hear the beginning only
        self.whole_s = max(self.window_s, min(longest_s, max_s or longest_s))

    def hear(self, file: Path) -> Prediction:
        """Probabilities for a file: whole where it is no longer than the run's clips, else the mean over its windows.

        Windows overlap by half, and reach the end of the file.

        Raises
        ------
        InputError
            for a file that cannot be decoded, has nothing in it, or is silent: a network answers to silence too.
        """
        front_end = self.trained.network.recipe.front_end
        rate_hz = front_end.sample_rate_hz
        pcm = decoded(file, self.channel, rate_hz)
        if not pcm.size:
            raise InputError("empty", f"{file} has no sound in it")
        if np.abs(pcm.astype(np.int32)).max() < SILENT:
            raise InputError("silent", f"{file} is silent: nothing in it is louder than -60 dB of full scale")
        start, length = windows(pcm.size, self.window_s, self.whole_s, rate_hz)
        loud = _level_db(pcm, start, length)
        kept = np.flatnonzero(loud > loud.max() - QUIET_DB)
        packed = with_gain(Packed(pcm, start, length, rate_hz), [str(file)] * len(start), front_end)
        said = self.trained.probabilities(packed, kept).astype(np.float64).mean(0)
        names = self.trained.classes
        return Prediction(
            str(file),
            pcm.size / rate_hz,
            len(kept),
            len(start) - len(kept),
            {name: float(p) for name, p in zip(names, said / said.sum(), strict=True)},
        )


def decoded(file: Path, channel: str = "mix", sample_rate_hz: int = SAMPLE_RATE_HZ) -> NDArray[np.int16]:
    """A file as the network heard its clips: one channel at its sample rate, int16; decoded in a child process.

    Raises
    ------
    InputError
        for a file that cannot be read or decoded.
    """
    from motifdb.pipelines.inputs.decode import shared_decoder
    from motifdb.pipelines.inputs.resample import resampled

    stream = shared_decoder().open(file, channel=channel)
    parts = [to_pcm(block) for block in resampled(stream, stream.sample_rate_hz, sample_rate_hz)]
    return np.concatenate(parts) if parts else np.zeros(0, np.int16)


def windows(
    n_samples: int, window_s: float, whole_s: float, sample_rate_hz: int = SAMPLE_RATE_HZ
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where a sound is cut: start and length of each window, in samples.

    >>> windows(16_000, 0.5, 0.5)
    (array([   0, 4000, 8000]), array([8000, 8000, 8000]))
    >>> windows(16_000, 0.5, 1.0)
    (array([0]), array([16000]))
    """
    if n_samples <= round(whole_s * sample_rate_hz):
        return np.zeros(1, np.int64), np.array([n_samples], np.int64)
    length = max(1, round(window_s * sample_rate_hz))
    n = max(2, 1 + -(-2 * (n_samples - length) // length))
    start = np.round(np.linspace(0, n_samples - length, n)).astype(np.int64)
    return start, np.full(n, length, np.int64)


def worth(snapshot: Snapshot, run: Mapping[str, Any]) -> list[str]:
    """What a run can know, and how well it did on clips held out from it, in sentences."""
    classes = ", ".join(run["classes"])
    said = [
        f"{run['recipe']} (run {run['run_id'][:8]}) knows {len(run['classes'])} values of {run['label']}: {classes};"
        " any other comes out as one of these"
    ]
    figures = stored_scores(snapshot, [run["run_id"]])[run["run_id"]].get("test", {})
    shown = [f"{name} {figures[name]}" for name in ("accuracy", "f1") if name in figures]
    if shown:
        said.append(f"on clips that were held out from it: {', '.join(shown)}")
    leaking = leaks_of(json.loads(run["leak"]))
    if leaking:
        listed = ", ".join(f"{kind} {share:.1%}" for kind, share in leaking.items())
        said.append(f"that score leaked ({listed} of the held-out clips), so expect less on other recordings")
    return said


def predict_files(
    predictor: Predictor, files: Sequence[Path], on_failure: Callable[[str], None]
) -> list[Prediction]:
    """Hear files one by one; what cannot be used is told to `on_failure`, and the others go on."""
    found = []
    for file in files:
        try:
            found.append(predictor.hear(file))
        except InputError as error:
            on_failure(error.reason)
    return found


def network_of(run: Mapping[str, Any], root: Path, device: str) -> Trained:
    """The network of a stored run, from the checkpoint that its row names.

    Raises
    ------
    UsageError
        for a baseline, a failed run, a checkpoint that is gone or not this run's.
    """
    from motifdb.training.fitting.checkpoint import CheckpointError
    from motifdb.training.fitting.loop import load_trained

    called = f"run {run['run_id'][:8]} ({run['recipe']})"
    if run["state"] != "done":
        raise UsageError(f"{called} failed, so it cannot predict: {run['reason'] or 'no reason'}")
    if run["checkpoint"] is None:
        raise UsageError(
            f"{called} is a baseline or keeps no weights; `motifdb train` makes a run that can predict"
        )
    folder = root / run["checkpoint"]
    if not folder.resolve().is_relative_to(root.resolve()):
        raise CheckpointError(
            f"{called} names a checkpoint outside its database ({run['checkpoint']}): not read"
        )
    trained, config = load_trained(folder, device)
    if config.get("run_id") != run["run_id"]:
        raise CheckpointError(
            f"the checkpoint at {folder} is of run {str(config.get('run_id'))[:8]}, not of {called}"
        )
    return trained


def clip_durations(snapshot: Snapshot, run: Mapping[str, Any]) -> NDArray[np.float64]:
    """Of the clips of the run's split, in seconds; empty where the split is gone."""
    split = snapshot.table("analyses", ["parent_id"], f"analysis_id = {quoted(run['split_id'])}").to_pylist()
    if not split:
        return np.zeros(0)
    spans = snapshot.table("clips", ["start_s", "end_s"], f"analysis_id = {quoted(split[0]['parent_id'])}")
    durations: NDArray[np.float64] = spans.column("end_s").to_numpy() - spans.column("start_s").to_numpy()
    return durations


def _level_db(
    pcm: NDArray[np.int16], start: NDArray[np.int64], length: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Mean power of each window in dB of full scale; silence is far down, not minus infinity."""
    spans = zip(start.tolist(), length.tolist(), strict=True)
    power = [np.mean(np.square(pcm[a : a + n].astype(np.float64) / FULL_SCALE)) for a, n in spans]
    return 10 * np.log10(np.maximum(power, 1e-12))
