"""Sound out of a database, for Python and for pages: what plays in a notebook, and the door to where sound is found."""

from __future__ import annotations

import base64
import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from motifdb.errors import UsageError

if TYPE_CHECKING:
    from motifdb.catalog.store import Snapshot

_LISTENING = "motifdb.pipelines.listening"
"""The one place where reading reaches up to decoders: by name, when somebody listens, so that rooms still import one way."""


class Sound(Protocol):
    """A stretch of sound, as `motifdb.pipelines.listening` gives it."""

    @property
    def samples(self) -> NDArray[np.float32]: ...
    @property
    def sample_rate_hz(self) -> int: ...
    @property
    def source(self) -> str: ...
    @property
    def start_s(self) -> float: ...
    @property
    def note(self) -> str: ...
    def wav(self) -> bytes: ...


class Listener(Protocol):
    """What finds the sound of stretches of recordings."""

    def sounds(
        self, recording_id: str, spans: Sequence[tuple[float, float]], *, context_s: float = 0.0
    ) -> Sequence[Sound]: ...


def listener(
    snapshot: Snapshot, *, audio_dir: Path | None = None, pitch_analysis: str | None = None
) -> Listener:
    """Who finds the sound of a snapshot's recordings: kept sound, their files, or their pitch, sung.

    Parameters
    ----------
    audio_dir : folder where the recordings' sound lies, taken first; None looks where they were ingested from
    pitch_analysis : whose pitch is sung where there is no sound

    Raises
    ------
    UsageError
        where `audio_dir` is no folder.
    """
    module: Any = importlib.import_module(_LISTENING)
    found: Listener = module.Listener(snapshot, audio_dir=audio_dir, pitch_analysis=pitch_analysis)
    return found


def wav_bytes(samples: NDArray[Any], sample_rate_hz: int) -> bytes:
    """A mono wav file of 16 bits."""
    data: bytes = importlib.import_module(_LISTENING).wav_bytes(samples, sample_rate_hz)
    return data


def resampled(samples: NDArray[np.float32], from_hz: int, to_hz: int) -> NDArray[np.float32]:
    """Samples at another rate."""
    out: NDArray[np.float32] = importlib.import_module(_LISTENING).at_rate(samples, from_hz, to_hz)
    return out


@dataclass(frozen=True)
class Audio:
    """A stretch of a recording that plays in a notebook.

    Attributes
    ----------
    samples : float32, shape (n_samples,), mono, full scale 1
    sample_rate_hz : of the samples
    source : kept (in the database), file (the recording's own) or f0 (its pitch, sung)
    label : where it sounds
    note : one sentence on why it is no recorded sound, or empty
    """

    samples: NDArray[np.float32]
    sample_rate_hz: int
    source: str
    label: str
    note: str
    _wav: bytes

    @classmethod
    def of(cls, sound: Sound, label: str) -> Audio:
        """From what a `Listener` found."""
        return cls(sound.samples, sound.sample_rate_hz, sound.source, label, sound.note, sound.wav())

    @property
    def duration_s(self) -> float:
        """How long it is."""
        return self.samples.size / self.sample_rate_hz

    def save(self, path: str | Path) -> Path:
        """Write it as a wav file of 16 bits.

        Raises
        ------
        UsageError
            where the path does not end in .wav, or cannot be written.
        """
        target = Path(path)
        if target.suffix.lower() != ".wav":
            raise UsageError(f"{target} cannot be written as sound; name it .wav")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(self._wav)
        except OSError as error:
            raise UsageError(f"{target} cannot be written: {error.strerror or error}") from None
        return target

    def _repr_html_(self) -> str:
        said = "" if self.source != "f0" else f"<div>sung from the stored pitch: {escape(self.note)}</div>"
        return f"<div>{escape(self.label)}</div>{player(self._wav, self.label)}{said}"

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"text/html": self._repr_html_(), "text/plain": repr(self)}

    def __repr__(self) -> str:
        return f"<{self.duration_s:.2f} s at {self.sample_rate_hz:,} Hz from {self.source}: {self.label}>"


def player(wav: bytes, label: str) -> str:
    """An HTML element that plays a wav file which it holds itself.

    >>> player(b"RIFF", "at 3 s")
    '<audio controls preload="metadata" aria-label="at 3 s" src="data:audio/wav;base64,UklGRg=="></audio>'
    """
    data = base64.b64encode(wav).decode("ascii")
    return (
        f'<audio controls preload="metadata" aria-label="{escape(label, quote=True)}"'
        f' src="data:audio/wav;base64,{data}"></audio>'
    )
