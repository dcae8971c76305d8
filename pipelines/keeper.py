"""Sound kept once per recording, and its fingerprints: made as blocks go by, whoever else listens.

Kept is what the trackers hear (the channel that was asked for) at 16 kHz, as int16: a sample x of full scale 1 becomes
round(32768 x), cut to the range. That scale, and not 32767, is the one a decoder divides by, so 16-bit sound at 16 kHz
comes back as the numbers in its file. Fingerprints are taken from these int16 samples: from the file and from kept
sound they are the same to the bit.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from motifdb.pipelines.inputs.resample import Resampler
from motifdb.pipelines.stages import coverage_row
from motifdb.schemas import AUDIO, COVERAGE, FINGERPRINTS

if TYPE_CHECKING:
    from motifdb.kernels.fingerprint import Fingerprinter

SAMPLE_RATE_HZ = 16_000
BLOCK_SAMPLES = 30 * SAMPLE_RATE_HZ
"""A row of `audio` and of `fingerprints` is of so many samples, the last of a recording of fewer."""

FULL_SCALE = 32_768.0
"""What a decoder divides int16 by."""

HELD_BLOCKS = 64
"""Rows of a recording that are held in memory, 61 MB; of a longer one they go to a temporary file, which is mapped."""


@dataclass(frozen=True)
class Keeps:
    """What is to be kept of a recording while it is decoded."""

    audio: bool = False
    fingerprint_id: str | None = None

    def __bool__(self) -> bool:
        return self.audio or self.fingerprint_id is not None


NOTHING = Keeps()
"""Neither sound nor fingerprints."""


def to_pcm(samples: NDArray[np.float32]) -> NDArray[np.int16]:
    """Samples of full scale 1 as int16, little endian.

    >>> to_pcm(np.array([0.5, -1.0, 1.0, 1 / 32768], np.float32)).tolist()
    [16384, -32768, 32767, 1]
    """
    scaled = np.rint(np.asarray(samples, np.float32) * np.float32(FULL_SCALE))
    pcm: NDArray[np.int16] = np.clip(scaled, -32_768, 32_767).astype("<i2")
    return pcm


def to_samples(pcm: bytes | memoryview | NDArray[np.int16]) -> NDArray[np.float32]:
    """Kept sound as float32 of full scale 1, which int16 / 32768 is exactly."""
    values = pcm if isinstance(pcm, np.ndarray) else np.frombuffer(pcm, "<i2")
    return values.astype(np.float32) * np.float32(1 / FULL_SCALE)


class Keeper:
    """Takes a recording's blocks as they go by, and has its rows at the end.

    Parameters
    ----------
    from_hz : sample rate of the blocks that `push` is given
    """

    def __init__(self, recording_id: str, keeps: Keeps, from_hz: float) -> None:
        self._recording_id = recording_id
        self._keeps = keeps
        self._resampler = Resampler(from_hz, SAMPLE_RATE_HZ)
        self._held: list[NDArray[np.int16]] = []
        self._n_held = 0
        self._n_blocks = 0
        self._audio = _Rows(AUDIO.schema)
        self._anchors: list[tuple[NDArray[np.float64], NDArray[np.int64]]] = []
        self._fingerprinter: Fingerprinter | None = None
        if keeps.fingerprint_id is not None:
            from motifdb.kernels.fingerprint import Fingerprinter

            self._fingerprinter = Fingerprinter()

    def push(self, block: NDArray[np.float32]) -> None:
        """The next samples, mono, full scale 1."""
        self._add(self._resampler.push(block))

    def push_pcm(self, pcm: bytes | memoryview) -> None:
        """The next kept samples, which need no resampling; the recording's `from_hz` is 16 kHz."""
        self._take(np.frombuffer(pcm, "<i2"))

    def passing(self, blocks: Iterable[NDArray[np.float32]]) -> Iterator[NDArray[np.float32]]:
        """The same blocks, each taken before it is handed on."""
        for block in blocks:
            self.push(block)
            yield block

    def _add(self, samples: NDArray[np.float32]) -> None:
        if samples.size:
            self._take(to_pcm(samples))

    def _take(self, pcm: NDArray[np.int16]) -> None:
        self._held.append(pcm)
        self._n_held += pcm.size
        if self._n_held < BLOCK_SAMPLES:
            return
        joined = np.concatenate(self._held)
        n_whole = joined.size - joined.size % BLOCK_SAMPLES
        for start in range(0, n_whole, BLOCK_SAMPLES):
            self._block(joined[start : start + BLOCK_SAMPLES])
        self._held, self._n_held = [joined[n_whole:].copy()], joined.size - n_whole

    def _block(self, pcm: NDArray[np.int16]) -> None:
        if self._keeps.audio:
            start = self._n_blocks * BLOCK_SAMPLES
            self._audio.add([self._recording_id, self._n_blocks, start, SAMPLE_RATE_HZ, pcm.tobytes()])
        if self._fingerprinter is not None:
            self._anchors.append(self._fingerprinter.push(to_samples(pcm)))
        self._n_blocks += 1

    def finish(self) -> dict[str, pa.Table]:
        """After the last block: rows of `audio`, `fingerprints` and `coverage`, as far as they were asked for.

        A recording without a sample has one empty row in `audio`, so that it is known to be kept; one without
        anchors has no row in `fingerprints`, and its coverage is ``empty``.
        """
        self._add(self._resampler.finish())
        rest = np.concatenate(self._held) if self._held else np.zeros(0, "<i2")
        if rest.size or not self._n_blocks:
            self._block(rest)
        rows: dict[str, pa.Table] = {}
        if self._keeps.audio:
            rows["audio"] = self._audio.table()
        if self._fingerprinter is not None:
            self._anchors.append(self._fingerprinter.finish())
            fingerprint_id = self._keeps.fingerprint_id
            assert fingerprint_id is not None
            rows["fingerprints"] = fingerprint_rows(self._recording_id, fingerprint_id, self._anchors)
            done = coverage_row(fingerprint_id, self._recording_id, rows["fingerprints"].num_rows)
            rows["coverage"] = COVERAGE.table([done])
        return rows


def fingerprint_rows(
    recording_id: str,
    analysis_id: str,
    anchors: list[tuple[NDArray[np.float64], NDArray[np.int64]]],
) -> pa.Table:
    """Anchors as rows of `fingerprints`, one for each part that was pushed; none where there is no anchor.

    Parameters
    ----------
    anchors : (position_samples, code) by block, and last what `Fingerprinter.finish` gave
    """
    if not any(len(position) for position, _ in anchors):
        return FINGERPRINTS.empty()
    *blocks, last = anchors
    if len(last[0]):
        blocks[-1] = tuple(np.concatenate(pair) for pair in zip(blocks[-1], last, strict=True))  # type: ignore[assignment]
    n = len(blocks)
    offsets = np.concatenate([[0], np.cumsum([len(position) for position, _ in blocks])]).astype(np.int32)
    return pa.table(
        [
            pa.array([recording_id] * n, pa.string()),
            pa.array([analysis_id] * n, pa.string()),
            pa.array(np.arange(n, dtype=np.int32)),
            *(
                pa.ListArray.from_arrays(pa.array(offsets), pa.array(np.concatenate(parts)))
                for parts in zip(*blocks, strict=True)
            ),
        ],
        schema=FINGERPRINTS.schema,
    )


class _Rows:
    """Rows one by one; many of them go to a temporary file, so that memory does not grow with a recording."""

    def __init__(self, schema: pa.Schema) -> None:
        self._schema = schema
        self._held: list[pa.RecordBatch] = []
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._writer: Any = None

    def add(self, row: list[object]) -> None:
        arrays = [pa.array([value], field.type) for value, field in zip(row, self._schema, strict=True)]
        self._held.append(pa.RecordBatch.from_arrays(arrays, schema=self._schema))
        if len(self._held) >= HELD_BLOCKS:
            self._spill()

    def _spill(self) -> None:
        if self._writer is None:
            self._folder = tempfile.TemporaryDirectory(prefix="motifdb-audio-")
            self._writer = pa.ipc.new_file(Path(self._folder.name) / "rows.arrow", self._schema)
        for batch in self._held:
            self._writer.write_batch(batch)
        self._held = []

    def table(self) -> pa.Table:
        if self._folder is None:
            return pa.Table.from_batches(self._held, self._schema)
        self._spill()
        self._writer.close()
        with pa.memory_map(f"{self._folder.name}/rows.arrow") as mapped:
            table = pa.ipc.open_file(mapped).read_all()
        self._folder.cleanup()  # the mapping keeps what it needs until the last row is let go
        return table
