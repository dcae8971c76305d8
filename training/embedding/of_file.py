"""The vector of a file that is not in the database, by the very model that made the vectors of an analysis."""

from __future__ import annotations

import inspect
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from motifdb.errors import InputError, NotFoundError, UsageError
from motifdb.ids import canonical_json
from motifdb.training.embedding.base import Embedder, HearsRelative, averaged
from motifdb.training.embedding.registry import EMBEDDERS, entry_points, find_embedder
from motifdb.training.inputs.packed import Packed

if TYPE_CHECKING:
    from motifdb.catalog.snapshot import Snapshot

LONGEST_FILE_S = 1_800.0
"""Of sound: it is held in memory whole."""

_OF_TARGET = ("target", "n_dims")
"""What the parameters of an analysis say beside its model's configuration."""


def file_vector(
    snapshot: Snapshot,
    analysis: Mapping[str, Any],
    file: Path,
    *,
    weights: Path | None = None,
    device: str = "auto",
) -> NDArray[np.float32]:
    """The vector of all of a file, as the analysis's recordings or clips have them.

    Parameters
    ----------
    analysis : of embeddings, its row of `analyses`
    file : sound in any format that ingest reads
    weights : of the model, where it needs them

    Returns
    -------
    float32 [d]

    Raises
    ------
    UsageError
        for a file that is no sound, silent where voices count, or too long; for a model that is not here, needs weights, or is
        not the one that made the analysis's vectors.
    """
    embedder = embedder_of(snapshot, analysis, weights=weights, device=device)
    packed = Packed.of([read_sound(file, embedder.sample_rate_hz)], embedder.sample_rate_hz)
    if hasattr(embedder, "gain") and getattr(embedder, "is_relative", True):
        packed = replace(packed, gain=cast(HearsRelative, embedder).gain(packed, [str(file)]))
    is_heard = None
    if embedder.is_voiced_only:
        from motifdb.training.embedding.sound import Voiced

        is_heard = Voiced(packed, np.zeros(1, np.int64))
    vector: NDArray[np.float32] = averaged(embedder, packed, is_heard=is_heard)[0]
    if np.isnan(vector).any():
        raise UsageError(f"no window of {file} is voiced, and {embedder.name} hears voices only")
    return vector


def embedder_of(
    snapshot: Snapshot,
    analysis: Mapping[str, Any],
    *,
    weights: Path | None = None,
    device: str = "auto",
) -> Embedder:
    """The model that made the vectors of an analysis, with the options it had.

    Raises
    ------
    UsageError
        where it is not here any more, or has changed since.
    """
    stored: dict[str, Any] = json.loads(analysis["parameters"])
    name = str(analysis["name"])
    config = {key: value for key, value in stored.items() if key not in _OF_TARGET}
    text = next((str(config[key]) for key in ("run_id", "encoder_id", "model") if config.get(key)), None)
    if text is None:
        raise UsageError(
            f"the vectors {name!r} do not say which model made them, so a file cannot be heard by it; ask with what is in the"
            " database"
        )
    options = {key: value for key, value in _options(text, stored).items() if value is not None}
    try:
        embedder = find_embedder(text, snapshot, weights=weights, device=device, options=options)
    except NotFoundError as error:
        if weights is not None and not weights.is_file():
            raise
        raise UsageError(
            f"the model of the vectors {name!r} is not here any more, so a file cannot be heard by it: {error}"
        ) from None
    now = {key: value for key, value in embedder.config().items() if key not in _OF_TARGET}
    if canonical_json(now) != canonical_json(config):
        changed = sorted(k for k in {*now, *config} if now.get(k) != config.get(k))
        raise UsageError(
            f"the vectors {name!r} were made by another {text} than is here ({', '.join(changed[:4])}), so a file's vector cannot"
            " be compared with them; give the weights that made them, or embed again"
        )
    if embedder.n_dims != stored.get("n_dims", embedder.n_dims):
        raise UsageError(
            f"{text} gives vectors of {embedder.n_dims:,} numbers here, those of {name!r} have {stored['n_dims']:,}"
        )
    return embedder


def _options(text: str, stored: Mapping[str, Any]) -> dict[str, Any]:
    """What a model is made with, of what the parameters of an analysis say."""
    if "run_id" in stored:
        return {key: stored.get(key) for key in ("window_s", "hop_s")}
    if "encoder_id" in stored:
        return {}
    make: Any = None
    if text in EMBEDDERS:
        make = EMBEDDERS[text].make()
    elif text in (offered := entry_points()):
        make = offered[text].load()
    known = () if make is None else inspect.signature(make).parameters
    said = dict(stored)
    front_end = stored.get("front_end")
    if isinstance(
        front_end, Mapping
    ):  # OpenL3 says in samples, and by its front end, what it is asked for in other words
        said.setdefault("representation", str(front_end.get("kind", "")).removeprefix("l3-") or None)
        if stored.get("hop_samples") and front_end.get("sample_rate_hz"):
            said.setdefault("hop_s", stored["hop_samples"] / front_end["sample_rate_hz"])
    return {
        key: value for key, value in said.items() if key in known and key not in ("self", "weights", "device")
    }


def read_sound(file: Path, sample_rate_hz: int) -> NDArray[np.int16]:
    """A file's sound, mixed to one channel, as the sound of recordings is kept: int16, at a sample rate.

    Raises
    ------
    UsageError
        for a file that is not there, is no sound, cannot be decoded, has no samples, or is longer than `LONGEST_FILE_S`.
    """
    from motifdb.pipelines.inputs.decode import shared_decoder
    from motifdb.pipelines.inputs.resample import resampled
    from motifdb.pipelines.inputs.sniff import HEAD_BYTES, sniff
    from motifdb.pipelines.keeper import to_pcm

    try:
        with open(file, "rb") as opened:
            head = opened.read(HEAD_BYTES)
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {(error.strerror or str(error)).lower()}") from None
    sniffed = sniff(head, os.fsencode(str(file)))
    if sniffed.problem is not None:
        raise UsageError(sniffed.problem.reason)
    if sniffed.kind != "audio":
        raise UsageError(f"{file} is no sound; give a recording, or search --by melody for a pitch track")
    try:
        stream = shared_decoder().open(file, channel="mix")
        blocks = resampled(
            _bounded(iter(stream), stream.sample_rate_hz, file), stream.sample_rate_hz, sample_rate_hz
        )
        parts = [to_pcm(block) for block in blocks]
    except InputError as error:
        raise UsageError(error.reason) from None
    pcm = np.concatenate([np.zeros(0, np.int16), *parts])
    if not pcm.size:
        raise UsageError(f"{file} has no sound in it")
    return pcm


def _bounded(
    blocks: Iterator[NDArray[np.float32]], rate_hz: int, file: Path
) -> Iterator[NDArray[np.float32]]:
    n_samples = 0
    for block in blocks:
        n_samples += block.size
        if n_samples > LONGEST_FILE_S * rate_hz:
            raise UsageError(
                f"{file} is longer than {LONGEST_FILE_S / 60:.0f} minutes; cut it to what you look for, or ingest it"
            )
        yield block
