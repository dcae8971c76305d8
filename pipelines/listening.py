"""The sound of a stretch of a recording, from wherever it can be had.

First the sound that the database keeps; then the recording's own file, decoded in the child process that decodes for an
ingest; then, where there is neither (or there never was one: a corpus of f0 tracks), the stored pitch, sung by the
synthesiser. `Sound.source` says which it is, and `Sound.note` why it is nothing better.
"""

from __future__ import annotations

import contextlib
import io
import wave
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from motifdb.errors import InputError, NotFoundError, UsageError
from motifdb.pipelines.sound_files import SoundFiles

if TYPE_CHECKING:
    from motifdb.catalog.store import Snapshot
    from motifdb.plots import PitchCurve
    from motifdb.query.audio import AudioReader

Source = Literal["kept", "file", "f0"]

SUNG_HZ = 16_000
"""Sample rate of sung pitch."""

READ_ON_S = 60.0
"""So much more is read after the last stretch: a decoder that reaches the end is kept, one that is left is started anew,
which costs more than a minute of sound."""

SOURCES: dict[Source, str] = {
    "kept": "sound kept in the database",
    "file": "the recording's own file",
    "f0": "the stored pitch, sung by a synthesiser",
}
"""What each source is, for people."""


@dataclass(frozen=True)
class Sound:
    """A stretch of sound.

    Attributes
    ----------
    samples : float32, shape (n_samples,), mono, full scale 1
    sample_rate_hz : of the samples
    source : where it comes from, see `SOURCES`
    start_s : where it begins in the recording
    note : one sentence on why it is no recorded sound, or empty
    """

    samples: NDArray[np.float32]
    sample_rate_hz: int
    source: Source
    start_s: float = 0.0
    note: str = ""

    @property
    def duration_s(self) -> float:
        """How long it is."""
        return self.samples.size / self.sample_rate_hz

    def wav(self) -> bytes:
        """As a wav file of 16 bits."""
        return wav_bytes(self.samples, self.sample_rate_hz)


def wav_bytes(samples: NDArray[Any], sample_rate_hz: int) -> bytes:
    """A mono wav file of 16 bits; what is beyond full scale is clipped, what is no number is silence.

    >>> wav_bytes(np.zeros(800, np.float32), 8000)[:4], len(wav_bytes(np.zeros(800, np.float32), 8000))
    (b'RIFF', 1644)
    """
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(sample_rate_hz)
        file.writeframes(int16(samples).tobytes())
    return buffer.getvalue()


def int16(samples: NDArray[Any]) -> NDArray[np.int16]:
    """Samples of full scale 1 as 16 bits, little endian.

    >>> int16(np.array([0.5, 2.0, -2.0, np.nan])).tolist()
    [16384, 32767, -32768, 0]
    """
    scaled = np.rint(np.nan_to_num(np.asarray(samples, np.float64)) * 32768.0)
    return scaled.clip(-32768, 32767).astype("<i2")


def at_rate(samples: NDArray[np.float32], from_hz: int, to_hz: int) -> NDArray[np.float32]:
    """Samples at another rate.

    >>> at_rate(np.zeros(441, np.float32), 44100, 16000).size
    160
    """
    from motifdb.pipelines.inputs.resample import resampled

    if from_hz == to_hz or not samples.size:
        return samples
    return np.concatenate([np.zeros(0, np.float32), *resampled([samples], from_hz, to_hz)])


def sound_of(
    snapshot: Snapshot,
    recording_id: str,
    start_s: float,
    end_s: float,
    *,
    context_s: float = 0.0,
    audio_dir: Path | None = None,
    pitch_analysis: str | None = None,
) -> Sound:
    """The sound of one stretch of a recording; of several, `Listener` reads each file once.

    Parameters
    ----------
    recording_id : whole, as the tables have it
    start_s, end_s : of the stretch, from the start of the recording
    context_s : seconds more on either side, as far as the recording goes
    audio_dir, pitch_analysis : as for `Listener`

    Raises
    ------
    NotFoundError
        where its file is gone, and neither sound nor pitch is stored.
    UsageError
        for a stretch that is none.
    """
    listener = Listener(snapshot, audio_dir=audio_dir, pitch_analysis=pitch_analysis)
    return listener.sounds(recording_id, [(start_s, end_s)], context_s=context_s)[0]


class Listener:
    """Finds the sound of many stretches of one snapshot's recordings.

    Parameters
    ----------
    audio_dir : folder whose files are taken first, found by their path in the corpus or by their name without suffix:
        for a corpus that was ingested as f0 only, and for a folder that was moved
    pitch_analysis : whose pitch is sung where there is no sound; None is the recording's usual one

    Raises
    ------
    UsageError
        where `audio_dir` is no folder.
    """

    def __init__(
        self, snapshot: Snapshot, *, audio_dir: Path | None = None, pitch_analysis: str | None = None
    ) -> None:
        self._snapshot = snapshot
        self._files = SoundFiles(snapshot, audio_dir)
        self._pitch_analysis = pitch_analysis
        self._kept: AudioReader | None = None
        self._curve: tuple[str, PitchCurve] | None = None

    def sounds(
        self, recording_id: str, spans: Sequence[tuple[float, float]], *, context_s: float = 0.0
    ) -> list[Sound]:
        """The sound of some stretches of one recording, in the order asked; its file is decoded once.

        Parameters
        ----------
        spans : start and end of each, seconds from the start of the recording

        Raises
        ------
        NotFoundError, UsageError
            as `sound_of`.
        """
        wanted = [_widened(start_s, end_s, context_s) for start_s, end_s in spans]
        if not wanted:
            return []
        given, why_not = self._files.given(recording_id)
        if given is not None:
            try:
                return self._decoded(recording_id, given, wanted)
            except InputError as error:
                why_not = error.reason
        if recording_id in self._kept_audio():
            return self._from_kept(recording_id, wanted)
        if given is None:
            own, reason = self._files.own(recording_id)
            why_not = reason or why_not
            if own is not None:
                try:
                    return self._decoded(recording_id, own, wanted)
                except InputError as error:
                    why_not = error.reason
        try:
            return [self._sung(recording_id, span, why_not) for span in wanted]
        except NotFoundError:
            raise NotFoundError(
                f"recording {recording_id[:8]} cannot be heard, and its pitch is not stored: {why_not}"
            ) from None

    def _kept_audio(self) -> AudioReader:
        if self._kept is None:
            from motifdb.query.audio import AudioReader

            self._kept = AudioReader(self._snapshot)
        return self._kept

    def _from_kept(self, recording_id: str, spans: Sequence[tuple[float, float]]) -> list[Sound]:
        from motifdb.query.audio import SAMPLE_RATE_HZ

        start_s, end_s = (np.array(column, np.float64) for column in zip(*spans, strict=True))
        pcm, offsets = self._kept_audio().spans([recording_id] * len(spans), start_s, end_s)
        return [
            Sound(pcm[a:b].astype(np.float32) / np.float32(32768.0), SAMPLE_RATE_HZ, "kept", first_s)
            for a, b, (first_s, _) in zip(offsets[:-1], offsets[1:], spans, strict=True)
        ]

    def _decoded(self, recording_id: str, path: Path, spans: Sequence[tuple[float, float]]) -> list[Sound]:
        """From a file; InputError where it cannot be decoded, or ends before a stretch begins."""
        from motifdb.pipelines.inputs.decode import shared_decoder

        stream = shared_decoder().open(path, channel=self._files.channel(recording_id))
        blocks = iter(stream)
        parts = cut(blocks, stream.sample_rate_hz, spans)
        _read_on(blocks, round(READ_ON_S * stream.sample_rate_hz))
        if any(part.size == 0 for part in parts):
            raise InputError("other-sound", f"{path.name} is shorter than recording {recording_id[:8]}")
        return [
            Sound(part, stream.sample_rate_hz, "file", start_s)
            for part, (start_s, _) in zip(parts, spans, strict=True)
        ]

    def _sung(self, recording_id: str, span: tuple[float, float], note: str) -> Sound:
        from motifdb.query.stored_pitch import stored_pitch

        held = self._curve  # read once: threads of a server share a listener
        if held is None or held[0] != recording_id:
            held = (recording_id, stored_pitch(self._snapshot, recording_id, self._pitch_analysis))
            self._curve = held
        return Sound(sung(held[1], *span), SUNG_HZ, "f0", span[0], note)


def cut(
    blocks: Iterable[NDArray[np.float32]], sample_rate_hz: int, spans: Sequence[tuple[float, float]]
) -> list[NDArray[np.float32]]:
    """Cut stretches out of a stream of blocks, which is left after the last of them.

    >>> [part.tolist() for part in cut([np.arange(4.0), np.arange(4.0, 8.0)], 1, [(3, 6), (0, 2), (9, 10)])]
    [[3.0, 4.0, 5.0], [0.0, 1.0], []]
    """
    first = [round(start_s * sample_rate_hz) for start_s, _ in spans]
    last = [max(round(end_s * sample_rate_hz), a + 1) for a, (_, end_s) in zip(first, spans, strict=True)]
    parts: list[list[NDArray[np.float32]]] = [[] for _ in spans]
    at = 0
    for block in blocks:
        for i, (a, b) in enumerate(zip(first, last, strict=True)):
            if a < at + block.size and b > at:
                parts[i].append(block[max(a - at, 0) : b - at].copy())
        at += block.size
        if at >= max(last):
            break
    return [np.concatenate(p) if p else np.zeros(0, np.float32) for p in parts]


def _read_on(blocks: Iterator[NDArray[np.float32]], n_samples: int) -> None:
    """Read blocks until their end, or so many samples further; what is wrong with them there concerns nobody."""
    with contextlib.suppress(InputError):
        for block in blocks:
            n_samples -= block.size
            if n_samples < 0:
                return


def sung(pitch: PitchCurve, start_s: float, end_s: float) -> NDArray[np.float32]:
    """A stretch of pitch as sound, at `SUNG_HZ`: silent where it is unvoiced, and all of it where nothing is voiced.

    Parameters
    ----------
    start_s, end_s : of the stretch; it ends with the pitch at the latest

    Returns
    -------
    float32, shape (n_samples,)
    """
    from motifdb.kernels.synth import CONTROL_HOP_S, Voice, sing

    if pitch.times_s.size == 0:
        return np.zeros(round((end_s - start_s) * SUNG_HZ), np.float32)
    hop_s = float(np.median(np.diff(pitch.times_s))) if pitch.times_s.size > 1 else CONTROL_HOP_S
    end_s = max(min(end_s, float(pitch.times_s[-1]) + hop_s), start_s + CONTROL_HOP_S)
    times_s = start_s + np.arange(round((end_s - start_s) / CONTROL_HOP_S)) * CONTROL_HOP_S
    nearest = np.clip(np.searchsorted(pitch.times_s, times_s + hop_s / 2) - 1, 0, pitch.times_s.size - 1)
    is_near = np.abs(pitch.times_s[nearest] - times_s) <= hop_s
    voiced = np.flatnonzero(pitch.f0_hz > 0)
    is_voiced = is_near & (pitch.f0_hz[nearest] > 0)
    f0_hz = np.zeros(times_s.size)
    if is_voiced.any():
        # Between frames the voice glides; at the frames themselves it is where it was stored.
        level = np.interp(times_s, pitch.times_s[voiced], np.log2(pitch.f0_hz[voiced].astype(np.float64)))
        f0_hz[is_voiced] = np.exp2(level[is_voiced])
    return sing(f0_hz, "a", SUNG_HZ, Voice(), np.random.default_rng(0))


def _widened(start_s: float, end_s: float, context_s: float) -> tuple[float, float]:
    if not (0 <= start_s <= end_s < float("inf") and context_s >= 0):
        raise UsageError(
            f"a stretch from {start_s:g} s to {end_s:g} s with {context_s:g} s around it is none"
        )
    return max(0.0, start_s - context_s), end_s + context_s
