"""Reading the sound that a database keeps: spans of recordings, gathered from blocks of 30 s.

A clip is a span; its sound lies in one block of `audio` or in neighbouring ones. `AudioReader` reads each block that is
needed once, in the order they are stored, however many spans lie in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from motifdb.errors import DatabaseError, NotFoundError, UsageError

if TYPE_CHECKING:
    from motifdb.catalog.store import Snapshot

SAMPLE_RATE_HZ = 16_000
READ_BLOCKS = 128
"""So many blocks are held at a time: 123 MB where they are whole."""


class AudioReader:
    """Sound of the recordings of one snapshot, mono int16 at 16 kHz.

    Making one reads where every block lies (three small columns), not the sound.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        index = snapshot.table("audio", ["recording_id", "block", "start_sample", "sample_rate_hz"])
        rates = pc.unique(index.column("sample_rate_hz")).to_pylist()
        if any(rate != SAMPLE_RATE_HZ for rate in rates):
            raise DatabaseError(
                f"{snapshot.path}: sound is kept at 16,000 Hz, but there are blocks at {rates} Hz; `motifdb check` says more"
            )
        ids = index.column("recording_id").combine_chunks().dictionary_encode()
        self._code: dict[str, int] = {name: i for i, name in enumerate(ids.dictionary.to_pylist())}
        key = _key(ids.indices.to_numpy().astype(np.int64), index.column("start_sample").to_numpy())
        # blocks by recording, then time: their rows in the table
        self._row = np.argsort(key).astype(np.int64)
        self._key = key[self._row]

    def __contains__(self, recording_id: str) -> bool:
        return recording_id in self._code

    def __len__(self) -> int:
        """Recordings whose sound is kept."""
        return len(self._code)

    def spans(
        self,
        recording_ids: Sequence[str],
        start_s: NDArray[np.float64],
        end_s: NDArray[np.float64],
    ) -> tuple[NDArray[np.int16], NDArray[np.int64]]:
        """The sound of n spans, in the order asked.

        Parameters
        ----------
        recording_ids : n ids
        start_s, end_s : float64[n], from the start of the recording

        Returns
        -------
        pcm : int16, the spans end to end
        offsets : int64[n+1]; span i is ``pcm[offsets[i]:offsets[i + 1]]``. One that reaches beyond the end of its
            recording ends there.

        Raises
        ------
        NotFoundError
            where a recording's sound is not kept, naming the command that keeps it.
        UsageError
            for a span that ends before it starts, or begins beyond the end of its recording.
        """
        first, last = span_samples(start_s, end_s)
        offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(last - first)])
        pcm = np.zeros(int(offsets[-1]), np.int16)
        got = self.read_into(pcm, recording_ids, first, last, offsets[:-1])
        if (got == last - first).all():
            return pcm, offsets
        kept = np.concatenate([pcm[o : o + n] for o, n in zip(offsets, got, strict=False)])
        return kept, np.concatenate([np.zeros(1, np.int64), np.cumsum(got)])

    def read_into(
        self,
        out: NDArray[np.int16],
        recording_ids: Sequence[str],
        first: NDArray[np.int64],
        last: NDArray[np.int64],
        at: NDArray[np.int64],
    ) -> NDArray[np.int64]:
        """Copy samples ``first[i]:last[i]`` of each recording to ``out[at[i]:]``; return how many there were of each.

        Raises
        ------
        NotFoundError, UsageError, DatabaseError
            as `spans`; DatabaseError where a block that should be there is not.
        """
        self._require(recording_ids)
        code = np.array([self._code[r] for r in recording_ids], np.int64)
        rows, blocks, spans = self._wanted(code, first, last)
        got = np.zeros(len(code), np.int64)
        block_start = self._key & _SAMPLE_MASK
        for chunk, pcm in self._blocks(np.unique(rows)):
            a, b = np.searchsorted(rows, (chunk[0], chunk[-1] + 1))
            place = np.searchsorted(chunk, rows[a:b])
            for i, block, span in zip(place.tolist(), blocks[a:b].tolist(), spans[a:b].tolist(), strict=True):
                sound, block_first = pcm[i], int(block_start[block])
                begin = max(int(first[span]), block_first)
                end = min(int(last[span]), block_first + len(sound))
                if end > begin:
                    to = int(at[span]) + begin - int(first[span])
                    out[to : to + end - begin] = sound[begin - block_first : end - block_first]
                    got[span] += end - begin
        self._check_got(recording_ids, code, first, last, got)
        return got

    def _require(self, recording_ids: Sequence[str]) -> None:
        missing = sorted({r for r in recording_ids if r not in self._code})
        if missing:
            whose = f"recording {missing[0][:8]}" + (
                f" and {len(missing) - 1:,} more" if len(missing) > 1 else ""
            )
            raise NotFoundError(
                f"{self._snapshot.path}: the sound of {whose} is not kept here;"
                " `motifdb ingest FOLDER --keep-audio` keeps it"
            )

    def _wanted(
        self, code: NDArray[np.int64], first: NDArray[np.int64], last: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Pairs of block and span that overlap, by the block's row in the table: rows, blocks, spans."""
        low = np.searchsorted(self._key, _key(code, first), "right") - 1
        # where its first block is missing, never another recording's last
        low = np.maximum(low, np.searchsorted(self._key, _key(code, np.int64(0))))
        high = np.searchsorted(self._key, _key(code, last - 1), "right") - 1
        n = high - low + 1
        spans = np.repeat(np.arange(len(code)), n)
        blocks = np.repeat(low - (np.cumsum(n) - n), n) + np.arange(int(n.sum()))
        rows = self._row[blocks]
        order = np.argsort(rows, kind="stable")
        return rows[order], blocks[order], spans[order].astype(np.int64)

    def _blocks(self, rows: NDArray[np.int64]) -> Iterator[tuple[NDArray[np.int64], list[NDArray[np.int16]]]]:
        """The sound of these rows of the table, ascending, some at a time."""
        if not len(rows):
            return
        dataset = self._snapshot.dataset("audio")
        for begin in range(0, len(rows), READ_BLOCKS):
            chunk = rows[begin : begin + READ_BLOCKS]
            try:
                table = dataset.take(chunk.tolist(), columns=["pcm"])
            except (OSError, ValueError) as e:
                raise DatabaseError(
                    f"{self._snapshot.path}: a file of table audio is missing or damaged; `motifdb check` lists every such file"
                ) from e
            yield chunk, [_samples(value) for value in table.column("pcm")]

    def _check_got(
        self,
        recording_ids: Sequence[str],
        code: NDArray[np.int64],
        first: NDArray[np.int64],
        last: NDArray[np.int64],
        got: NDArray[np.int64],
    ) -> None:
        """Less than was asked is only right at the end of a recording, and nothing at all never is."""
        path = self._snapshot.path
        for i in np.flatnonzero(got < last - first).tolist():
            what = f"from {first[i] / SAMPLE_RATE_HZ:.3f} s to {last[i] / SAMPLE_RATE_HZ:.3f} s"
            beyond = int(np.searchsorted(self._key, _key(code[i] + 1, np.int64(0))))
            if self._key[beyond - 1] & _SAMPLE_MASK > first[i] + got[i]:
                raise DatabaseError(
                    f"{path}: the sound of recording {recording_ids[i][:8]} has a hole {what};"
                    " `motifdb check` says more"
                )
            if got[i] == 0:
                raise UsageError(
                    f"{path}: a span {what} begins beyond the end of recording {recording_ids[i][:8]}"
                )


_SAMPLE_BITS = 40
"""2^40 samples are two years; the rest of 64 bits counts recordings."""
_SAMPLE_MASK = (1 << _SAMPLE_BITS) - 1


def _key(code: NDArray[np.int64] | np.int64, sample: NDArray[np.int64] | np.int64) -> NDArray[np.int64]:
    """One number that orders places by recording, then time."""
    return np.asarray((code << _SAMPLE_BITS) | sample, np.int64)


def span_samples(
    start_s: NDArray[np.float64], end_s: NDArray[np.float64], sample_rate_hz: int = SAMPLE_RATE_HZ
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First sample and the one after the last, of spans in seconds, each at least one sample long.

    Raises
    ------
    UsageError
        for a span that starts before 0 or ends before it starts, and for one that is not a number.

    >>> span_samples(np.array([0.5]), np.array([0.75]))
    (array([8000]), array([12000]))
    """
    start, end = np.asarray(start_s, np.float64), np.asarray(end_s, np.float64)
    bad = np.flatnonzero(~((start >= 0) & (end >= start) & np.isfinite(end)))
    if len(bad):
        raise UsageError(f"a span from {start[bad[0]]} s to {end[bad[0]]} s is none")
    first = np.rint(start * sample_rate_hz).astype(np.int64)
    return first, np.maximum(np.rint(end * sample_rate_hz).astype(np.int64), first + 1)


def _samples(value: pa.BinaryScalar) -> NDArray[np.int16]:
    """A block's samples, not copied."""
    buffer = value.as_buffer()
    return np.frombuffer(buffer, "<i2") if buffer is not None else np.zeros(0, np.int16)
