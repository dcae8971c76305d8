"""Sound kept once per recording, and its fingerprints: made as blocks go by, whoever else listens.

Kept is what the trackers hear (the channel that was asked for) at 16 kHz, as int16: a sample x of full scale 1 becomes
round(32768 x), cut to the range. That scale, and not 32767, is the one a decoder divides by, so 16-bit sound at 16 kHz
comes back as the numbers in its file. Fingerprints are taken from these int16 samples: from the file and from kept
sound they are the same to the bit.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

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

HELD_BLOCKS = 8
"""Rows of a recording that are held in memory, 8 MB; those of a longer one go to a temporary file, which is mapped."""


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


AudioRow = tuple[str, int, int, int, bytes]
FingerprintRow = tuple[str, str, int, NDArray[np.float64], NDArray[np.int64]]


@dataclass
class KeptRows:
    """Rows made of the sound of some recordings, held until they become tables all at once.

    Attributes
    ----------
    audio, fingerprints : rows
    spilled : (table, rows) of long recordings, in files that are mapped
    coverage : of the fingerprint analysis
    """

    audio: list[AudioRow] = field(default_factory=list)
    fingerprints: list[FingerprintRow] = field(default_factory=list)
    spilled: list[tuple[str, pa.Table]] = field(default_factory=list)
    coverage: list[dict[str, object]] = field(default_factory=list)

    def tables(self) -> Iterator[tuple[str, pa.Table]]:
        """(name, rows) of each table that has some."""
        yield from self.spilled
        if self.audio:
            yield "audio", pa.Table.from_batches([_audio_batch(self.audio)])
        if self.fingerprints:
            yield "fingerprints", pa.Table.from_batches([_fingerprint_batch(self.fingerprints)])
        if self.coverage:
            yield "coverage", COVERAGE.table(self.coverage)


class Keeper:
    """Takes a recording's blocks as they go by, and gives its rows at the end.

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
        self._audio: list[AudioRow] = []
        self._fingerprints: list[FingerprintRow] = []
        self._has_anchors = False
        self._spilled: dict[str, _Spill] = {}
        self._fingerprinter: Fingerprinter | None = None
        if keeps.fingerprint_id is not None:
            from motifdb.kernels.fingerprint import Fingerprinter

            self._fingerprinter = Fingerprinter()

    def push(self, block: NDArray[np.float32]) -> None:
        """The next samples, mono, full scale 1."""
        samples = self._resampler.push(block)
        if samples.size:
            self._take(to_pcm(samples))

    def push_pcm(self, pcm: bytes | memoryview) -> None:
        """The next kept samples, which need no resampling; the recording's `from_hz` is 16 kHz."""
        self._take(np.frombuffer(pcm, "<i2"))

    def passing(self, blocks: Iterable[NDArray[np.float32]]) -> Iterator[NDArray[np.float32]]:
        """The same blocks, each taken before it is handed on."""
        for block in blocks:
            self.push(block)
            yield block

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
        if self._n_blocks and self._n_blocks % HELD_BLOCKS == 0:
            self._spill()
        if self._keeps.audio:
            start = self._n_blocks * BLOCK_SAMPLES
            self._audio.append((self._recording_id, self._n_blocks, start, SAMPLE_RATE_HZ, pcm.tobytes()))
        if self._fingerprinter is not None and self._keeps.fingerprint_id is not None:
            found = self._fingerprinter.push(to_samples(pcm))
            self._has_anchors = self._has_anchors or bool(found[0].size)
            self._fingerprints.append(
                (self._recording_id, self._keeps.fingerprint_id, self._n_blocks, *found)
            )
        self._n_blocks += 1

    def _spill(self) -> None:
        if self._audio:
            self._write("audio", _audio_batch(self._audio))
            self._audio = []
        if self._fingerprints and self._has_anchors:
            self._write("fingerprints", _fingerprint_batch(self._fingerprints))
            self._fingerprints = []

    def _write(self, table: str, batch: pa.RecordBatch) -> None:
        if table not in self._spilled:
            self._spilled[table] = _Spill(batch.schema)
        self._spilled[table].write(batch)

    def finish(self, into: KeptRows) -> None:
        """After the last block: add rows of `audio`, `fingerprints` and `coverage`, as far as they were asked for.

        A recording without a sample has one empty row in `audio`, so that it is known to be kept; one without
        anchors has no row in `fingerprints`, and its coverage is ``empty``.
        """
        samples = self._resampler.finish()
        if samples.size:
            self._take(to_pcm(samples))
        if self._n_held or not self._n_blocks:
            self._block(np.concatenate([np.zeros(0, "<i2"), *self._held]))
        if self._fingerprinter is not None:
            self._finish_fingerprint(*self._fingerprinter.finish())
        if self._spilled:
            self._spill()
            into.spilled += [(table, spill.table()) for table, spill in self._spilled.items()]
        into.audio += self._audio
        if self._has_anchors:
            into.fingerprints += self._fingerprints
        if self._keeps.fingerprint_id is not None:
            n_rows = self._n_blocks if self._has_anchors else 0
            into.coverage.append(coverage_row(self._keeps.fingerprint_id, self._recording_id, n_rows))

    def _finish_fingerprint(self, position: NDArray[np.float64], code: NDArray[np.int64]) -> None:
        """Anchors that only the end of the recording tells belong to its last block."""
        if position.size:
            self._has_anchors = True
            recording, analysis, block, before, code_before = self._fingerprints[-1]
            joined = np.concatenate([before, position]), np.concatenate([code_before, code])
            self._fingerprints[-1] = (recording, analysis, block, *joined)


def _audio_batch(rows: list[AudioRow]) -> pa.RecordBatch:
    columns = zip(*rows, strict=True)
    arrays = [pa.array(values, kept.type) for values, kept in zip(columns, AUDIO.schema, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=AUDIO.schema)


def _fingerprint_batch(rows: list[FingerprintRow]) -> pa.RecordBatch:
    recordings, analyses, blocks, positions, codes = zip(*rows, strict=True)
    offsets = pa.array(np.cumsum([0, *(position.size for position in positions)], dtype=np.int32))
    return pa.RecordBatch.from_arrays(
        [
            pa.array(recordings, pa.string()),
            pa.array(analyses, pa.string()),
            pa.array(blocks, pa.int32()),
            pa.ListArray.from_arrays(offsets, pa.array(np.concatenate(positions))),
            pa.ListArray.from_arrays(offsets, pa.array(np.concatenate(codes))),
        ],
        schema=FINGERPRINTS.schema,
    )


class _Spill:
    """Rows in a temporary file, so that memory does not grow with a recording."""

    def __init__(self, schema: pa.Schema) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="motifdb-sound-")
        self._file = Path(self._folder.name) / "rows.arrow"
        self._writer = pa.ipc.new_file(self._file, schema)

    def write(self, batch: pa.RecordBatch) -> None:
        self._writer.write_batch(batch)

    def table(self) -> pa.Table:
        """All rows, mapped; the file is gone, and its room with the last row."""
        self._writer.close()
        with pa.memory_map(str(self._file)) as mapped:
            table = pa.ipc.open_file(mapped).read_all()
        self._folder.cleanup()
        return table
