"""Spans of kept sound: in the order asked, across blocks, to the sample."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from motifdb.catalog.store import Changes, Snapshot, create, open_snapshot, open_writer
from motifdb.errors import DatabaseError, NotFoundError, UsageError
from motifdb.query.audio import AudioReader
from motifdb.schemas import AUDIO

BLOCK = 480_000
PCM = {
    name: np.random.default_rng(i).integers(-32_768, 32_768, n).astype(np.int16)
    for i, (name, n) in enumerate({"long": 2 * BLOCK + 777, "brief": 500, "gone": 900, "even": BLOCK}.items())
}


def blocks(name: str, skip: int | None = None) -> list[dict[str, object]]:
    pcm = PCM[name]
    return [
        {
            "recording_id": name,
            "block": at // BLOCK,
            "start_sample": at,
            "sample_rate_hz": 16_000,
            "pcm": pcm[at : at + BLOCK].astype("<i2").tobytes(),
        }
        for at in range(0, len(pcm), BLOCK)
        if at // BLOCK != skip
    ]


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    """Blocks out of order, and rows that a deletion left out."""
    path = tmp_path_factory.mktemp("sound") / "sound.motifdb"
    create(path)
    with open_writer(path) as writer:
        first = [*blocks("gone"), *reversed(blocks("long"))]
        writer.commit(Changes(append={"audio": AUDIO.table(first)}), token="1", message="first")
        more = [*blocks("brief"), *blocks("even")]
        writer.commit(Changes(append={"audio": AUDIO.table(more)}), token="2", message="second")
        writer.commit(Changes(delete={"audio": "recording_id = 'gone'"}), token="3", message="third")
    return open_snapshot(path)


def expected(name: str, start_s: float, end_s: float) -> NDArray[np.int16]:
    return PCM[name][round(start_s * 16_000) : round(end_s * 16_000)]


def test_spans_come_in_the_order_asked(snapshot: Snapshot) -> None:
    asked = [
        ("long", 59.9, 60.04),  # over the end of the second block, and of the recording
        ("brief", 0.0, 0.03),
        ("long", 29.99, 60.01),  # three blocks
        ("even", 29.0, 30.0),
        ("long", 29.99, 60.01),  # twice
        ("long", 0.0, 1.0),
        ("brief", 0.03, 9.0),  # ends with the recording
        ("long", 30.0, 30.0),  # nothing: one sample
    ]
    reader = AudioReader(snapshot)
    names, starts, ends = zip(*asked, strict=True)
    pcm, offsets = reader.spans(names, np.array(starts), np.array(ends))
    assert pcm.dtype == np.int16 and offsets[0] == 0 and offsets[-1] == len(pcm)
    for i, (name, start_s, end_s) in enumerate(asked):
        found = pcm[offsets[i] : offsets[i + 1]]
        wanted = expected(name, start_s, end_s) if end_s > start_s else PCM[name][[round(start_s * 16_000)]]
        assert np.array_equal(found, wanted), asked[i]
    assert len(reader) == 3 and "long" in reader and "gone" not in reader
    nothing, none = reader.spans([], np.zeros(0), np.zeros(0))
    assert len(nothing) == 0 and none.tolist() == [0]


def test_many_spans_read_each_block_once(snapshot: Snapshot, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = AudioReader(snapshot)
    taken: list[int] = []
    blocks_of = AudioReader._blocks

    def counted(self: AudioReader, rows: NDArray[np.int64]) -> Any:
        taken.extend(rows.tolist())
        return blocks_of(self, rows)

    monkeypatch.setattr(AudioReader, "_blocks", counted)
    starts = np.random.default_rng(0).uniform(0, 29, 300)
    pcm, offsets = reader.spans(["long"] * 300, starts, starts + 0.5)
    assert len(taken) == 1
    for i in range(0, 300, 7):
        wanted = PCM["long"][round(starts[i] * 16_000) : round((starts[i] + 0.5) * 16_000)]
        assert np.array_equal(pcm[offsets[i] : offsets[i + 1]], wanted)


def test_what_is_not_there_is_a_sentence(snapshot: Snapshot) -> None:
    reader = AudioReader(snapshot)
    with pytest.raises(NotFoundError, match=r"sound of recording abc and 1 more is not kept.*--keep-audio"):
        reader.spans(["brief", "abc", "xyz"], np.zeros(3), np.ones(3))
    with pytest.raises(
        UsageError, match=r"from 5\.000 s to 6\.000 s begins beyond the end of recording brief"
    ):
        reader.spans(["brief"], np.array([5.0]), np.array([6.0]))
    assert len(AudioReader(open_snapshot(snapshot.path, at=0))) == 0
    for start_s, end_s in ((-1.0, 1.0), (2.0, 1.0), (0.0, np.nan)):
        with pytest.raises(UsageError, match=r"a span from .* is none"):
            reader.spans(["brief"], np.array([start_s]), np.array([end_s]))


@pytest.mark.parametrize("skip", [0, 1])
def test_a_hole_in_a_recording_is_told(tmp_path: Path, skip: int) -> None:
    path = tmp_path / "hole.motifdb"
    create(path)
    with open_writer(path) as writer:
        rows = [*blocks("brief"), *blocks("long", skip)]
        writer.commit(Changes(append={"audio": AUDIO.table(rows)}), token="1", message="first")
    reader = AudioReader(open_snapshot(path))
    for start_s, end_s in ((29.0, 30.5), (30.0 * skip + 1, 30.0 * skip + 2)):
        with pytest.raises(DatabaseError, match="the sound of recording long has a hole"):
            reader.spans(["long"], np.array([start_s]), np.array([end_s]))
    pcm, _ = reader.spans(["brief"], np.array([0.0]), np.array([9.0]))
    assert np.array_equal(pcm, PCM["brief"])


def test_another_rate_and_a_missing_file_are_told(tmp_path: Path, snapshot: Snapshot) -> None:
    path = tmp_path / "rate.motifdb"
    create(path)
    with open_writer(path) as writer:
        rows = [{**blocks("brief")[0], "sample_rate_hz": 8000}]
        writer.commit(Changes(append={"audio": AUDIO.table(rows)}), token="1", message="first")
    with pytest.raises(DatabaseError, match="blocks at"):
        AudioReader(open_snapshot(path))
    with open_writer(path) as writer:
        changes = Changes(append={"audio": AUDIO.table(blocks("even"))}, delete={"audio": "block = 0"})
        writer.commit(changes, token="2", message="second")
    reader = AudioReader(open_snapshot(path))
    for file in (path / "tables" / "audio.lance" / "data").iterdir():
        file.unlink()
    with pytest.raises(DatabaseError, match=r"missing or damaged; `motifdb check`"):
        reader.spans(["even"], np.array([0.0]), np.array([1.0]))
