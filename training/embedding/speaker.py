"""A speaker model that the user supplies, exported to ONNX: what knows voices without having heard these.

Such models (ECAPA-TDNN, Desplanques et al. 2020; ResNets of WeSpeaker, Wang et al. 2023) hear a mel filterbank of speech at 16 kHz and give
a vector of some 200 numbers. No weights come with motifdb. What is taken: one input of 80 bands, float32 [B, T, 80], and one
output float32 [B, D], as WeSpeaker's exports have them.

Trade-offs
----------
- **Filterbank.** Kaldi's, as those exports are fed: 25 ms Hamming windows every 10 ms, 80 mel bands from 20 Hz to 8 kHz, natural logarithm of
  power, no dither, each band's mean over the clip subtracted. A model that was trained on other features (decibels, other windows)
  would give vectors that mean little; `config` says what was fed.
- **Windows.** Speaker models are trained on a few seconds: what is longer than 4 s is heard in windows that overlap by half, and averaged.
  Sound shorter than half a second is repeated up to it, as speaker toolkits do, since these networks need some frames.
- **Safety.** A model is read as bytes and may not name other files, which the runtime would read; it has no code of its own.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from motifdb.errors import UsageError
from motifdb.ids import content_id
from motifdb.training.extras import load_torchaudio, need
from motifdb.training.inputs.packed import Packed

SAMPLE_RATE_HZ = 16_000
N_BANDS = 80
FRAME_S, HOP_S = 0.025, 0.010
WINDOW_S = 4.0
LEAST_S = 0.5

# which fields of which messages of ONNX's format may hold tensors; a tensor may name a file (fields 13 and 14)
_MESSAGES: dict[str, dict[int, str]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "function": {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
}
_DEEPEST = 32


class SpeakerEmbedder:
    """A speaker model in ONNX.

    Parameters
    ----------
    weights : the file
    window_s, hop_s : what is longer is heard in windows so long, so far apart; hop_s None is half a window. A model of a fixed
        number of frames has the window that they span

    Raises
    ------
    UsageError
        for a file that is no ONNX model, names other files, or has inputs or outputs of other shapes.
    MissingExtraError
        where torchaudio, which computes the filterbank, is not installed.
    """

    name = "speaker"
    sample_rate_hz = SAMPLE_RATE_HZ
    is_voiced_only = False

    def __init__(
        self, weights: Path, *, device: str = "auto", window_s: float = WINDOW_S, hop_s: float | None = None
    ) -> None:
        need("torch", "torchaudio")
        content = _content(weights)
        self._weights, self._path = content_id(content), weights
        self._session = _session(content, weights, device)
        self._input, n_frames = _checked_input(self._session, weights)
        if n_frames is not None:
            window_s = FRAME_S + (n_frames - 1) * HOP_S
        if not window_s >= FRAME_S or (hop_s is not None and not hop_s > 0):
            raise UsageError(
                f"speaker: window_s must be {FRAME_S} or more and hop_s more than 0, got {window_s} and {hop_s}"
            )
        self._n_frames = n_frames
        self.window_s: float | None = float(window_s)
        self.hop_s: float | None = float(window_s / 2 if hop_s is None else hop_s)
        rng = np.random.default_rng(0)  # noise, as silence may be divided by its own deviation
        probe = Packed.of([(3000 * rng.standard_normal(SAMPLE_RATE_HZ)).astype(np.int16)])
        _checked_output(self._session, weights)
        self.n_dims = int(self._run(self._frames(probe.clip(0))).shape[0])

    def embed(self, packed: Packed, rows: NDArray[np.int64] | None = None) -> NDArray[np.float32]:
        """See `motifdb.training.embedding.base.Embedder.embed`; each clip is heard on its own."""
        rows = np.arange(len(packed)) if rows is None else np.asarray(rows, np.int64)
        out = np.empty((len(rows), self.n_dims), np.float32)
        for at, row in enumerate(rows.tolist()):
            found = self._run(self._frames(packed.clip(row)))
            if found.shape != (self.n_dims,):
                raise UsageError(
                    f"{self._path} gave {found.size} numbers for one sound and {self.n_dims} for another"
                )
            out[at] = found
        return out

    def config(self) -> dict[str, Any]:
        """The model by its hash, and what it is fed."""
        return {
            "model": self.name,
            "version": 1,
            "weights": self._weights,
            "features": "kaldi fbank 80, hamming, mean removed",
            "window_s": self.window_s,
            "hop_s": self.hop_s,
        }

    def _frames(self, clip: NDArray[np.int16]) -> NDArray[np.float32]:
        """Features of a clip, float32 [T, 80]."""
        least = round(LEAST_S * SAMPLE_RATE_HZ)
        if self._n_frames is not None:
            least = round((FRAME_S + (self._n_frames - 1) * HOP_S) * SAMPLE_RATE_HZ)
        if len(clip) < least:
            clip = np.resize(clip, least)  # repeated
        frames = filterbank(clip)
        return frames if self._n_frames is None else frames[: self._n_frames]

    def _run(self, frames: NDArray[np.float32]) -> NDArray[np.float32]:
        try:
            (found,) = self._session.run(None, {self._input: frames[None]})
        except Exception as error:  # the runtime has exceptions of its own
            raise UsageError(
                f"{self._path} failed on {len(frames)} frames of {N_BANDS} bands: {_first_line(error)}"
            ) from None
        vector = np.asarray(found, np.float32)
        if vector.ndim != 2 or len(vector) != 1:
            raise UsageError(
                f"{self._path} gives an array of shape {vector.shape} for one sound; a speaker model gives [1, D]"
            )
        row: NDArray[np.float32] = vector[0]
        return row


def make_speaker(
    *, weights: Path, device: str = "auto", window_s: float = WINDOW_S, hop_s: float | None = None
) -> SpeakerEmbedder:
    """See `SpeakerEmbedder`."""
    return SpeakerEmbedder(weights, device=device, window_s=window_s, hop_s=hop_s)


def filterbank(clip: NDArray[np.int16]) -> NDArray[np.float32]:
    """Kaldi's log-mel filterbank with each band's mean subtracted: float32 [T, 80] of at least 400 samples at 16 kHz."""
    import torch

    load_torchaudio()
    from torchaudio.compliance import kaldi

    samples = torch.from_numpy(clip.astype(np.float32))[None]  # Kaldi hears int16's range, not [-1, 1)
    with torch.inference_mode():
        found = kaldi.fbank(
            samples,
            num_mel_bins=N_BANDS,
            sample_frequency=float(SAMPLE_RATE_HZ),
            frame_length=1000 * FRAME_S,
            frame_shift=1000 * HOP_S,
            window_type="hamming",
            dither=0.0,
            energy_floor=0.0,
        )
        found = found - found.mean(0)
    frames: NDArray[np.float32] = found.numpy()
    return frames


# -- the file ------------------------------------------------------------------------------------------------


def _content(path: Path) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
    try:
        is_elsewhere = _names_files(memoryview(content), "model", 0)
    except ValueError:
        raise UsageError(
            f"{path} is no ONNX model; --weights of speaker takes a speaker model exported to ONNX (.onnx)"
        ) from None
    if is_elsewhere:
        raise UsageError(
            f"{path} keeps weights in other files, which are not read; save the model as one file (without external data)"
        )
    return content


def _names_files(content: memoryview, message: str, depth: int) -> bool:
    """Whether some tensor of a message of ONNX's format lies in a file of its own.

    Raises
    ------
    ValueError
        for what is no such message.
    """
    if depth > _DEEPEST:
        raise ValueError("too deep")
    inner = _MESSAGES.get(message, {})
    for field, value in _fields(content):
        if message == "tensor" and (field == 13 or (field == 14 and value != 0)):
            return True
        if field in inner and isinstance(value, memoryview) and _names_files(value, inner[field], depth + 1):
            return True
    return False


def _fields(content: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Number and value of each field of a message: an integer, or the bytes of what is longer."""
    at = 0
    while at < len(content):
        key, at = _varint(content, at)
        kind = key & 7
        if kind == 0:
            value, at = _varint(content, at)
            yield key >> 3, value
            continue
        if kind == 2:
            size, at = _varint(content, at)
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
        else:
            raise ValueError("no such kind of field")
        if not key >> 3 or at + size > len(content):
            raise ValueError("cut short")
        yield key >> 3, content[at : at + size]
        at += size


def _varint(content: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(content):
            raise ValueError("cut short")
        byte = content[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError("a number that is too long")


def _session(content: bytes, path: Path, device: str) -> Any:
    onnxruntime = importlib.import_module("onnxruntime")  # untyped, as is what it makes
    wanted = {"auto": "CPUExecutionProvider", "cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
    if device not in wanted or wanted[device] not in onnxruntime.get_available_providers():
        raise UsageError(
            f"the device {device!r} cannot be used by this onnxruntime; use auto or cpu for speaker"
        )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1  # sums in one order
    options.log_severity_level = 4
    try:
        return onnxruntime.InferenceSession(content, options, providers=[wanted[device]])
    except Exception as error:  # the runtime has exceptions of its own
        raise UsageError(f"{path} is no ONNX model that can be run: {_first_line(error)}") from None


def _checked_input(session: Any, path: Path) -> tuple[str, int | None]:
    """Name of the input, and the frames it is fixed to, if any."""
    inputs = session.get_inputs()
    told = ", ".join(f"{i.name} {i.type} {i.shape}" for i in inputs)
    shape = list(inputs[0].shape) if len(inputs) == 1 else []
    is_fine = (
        len(shape) == 3
        and inputs[0].type == "tensor(float)"
        and (shape[0] == 1 or not isinstance(shape[0], int))
        and (shape[2] == N_BANDS or not isinstance(shape[2], int))
        and (not isinstance(shape[1], int) or shape[1] >= 1)
    )
    if not is_fine:
        raise UsageError(
            f"{path} takes {told}; a speaker model takes one input of {N_BANDS} bands, float32 [B, T, {N_BANDS}]"
        )
    return str(inputs[0].name), shape[1] if isinstance(shape[1], int) else None


def _checked_output(session: Any, path: Path) -> None:
    outputs = session.get_outputs()
    told = ", ".join(f"{o.name} {o.type} {o.shape}" for o in outputs)
    if len(outputs) != 1 or outputs[0].type != "tensor(float)" or len(outputs[0].shape or ()) != 2:
        raise UsageError(
            f"{path} gives {told}; a speaker model gives one vector for each sound, float32 [B, D]"
        )


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
