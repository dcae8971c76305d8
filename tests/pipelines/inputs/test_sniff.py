"""Files are recognised by their content; names only say what they claim."""

from __future__ import annotations

import gzip

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from motifdb.pipelines.inputs.declared import Declared, declared_length
from motifdb.pipelines.inputs.discover import discover, read_head
from motifdb.pipelines.inputs.sniff import Sniffed, audio_container, sniff
from tests.corpora import corpora_root, needs_corpus
from tests.pipelines.inputs.audio_files import FFMPEG, SNDFILE, encoded, tone

CONTAINERS = {
    "wav": "wav", "wav24": "wav", "wavfloat": "wav", "w64": "w64", "rf64": "wav", "flac": "flac", "aiff": "aiff",
    "mp3": "mp3", "ogg": "ogg", "opus": "ogg", "m4a": "mp4", "aac": "aac", "alac": "mp4",
}  # fmt: skip


def declared(content: bytes, container: str) -> Declared | None:
    return declared_length(lambda at, n: content[at : at + n], len(content), container)


@pytest.mark.parametrize("kind", [*SNDFILE, *FFMPEG])
@pytest.mark.parametrize("name", [b"x", b"x.wav", b"x.jpg", b"x.csv", b"x.pitch"])
def test_audio_is_audio_under_any_name(kind: str, name: bytes) -> None:
    content = encoded(tone(0.3, 48_000), 48_000, kind)
    assert sniff(content[:65_536], name) == Sniffed("audio", CONTAINERS[kind])
    id3 = b"ID3\x04\x00\x00\x00\x00\x01\x00" + bytes(128)
    if kind in ("mp3", "flac", "aac"):
        assert audio_container(id3 + content) == CONTAINERS[kind]


def test_a_tag_longer_than_the_head_is_an_mp3() -> None:
    assert audio_container(b"ID3\x03\x00\x00\x00\x7f\x7f\x7f" + bytes(60_000)) == "mp3"


@pytest.mark.parametrize("version", range(4))
@pytest.mark.parametrize("seed", range(3))
def test_one_sync_word_among_noise_is_no_mp3(version: int, seed: int) -> None:
    noise = np.random.default_rng(seed).integers(0, 255, 20_000, dtype=np.uint8).tobytes()
    assert audio_container(bytes((0xFF, 0xE2 | version << 3, 0x90, 0x00)) + noise) is None


@pytest.mark.parametrize(
    ("head", "name", "kind"),
    [
        (b"", b"x.wav", "empty"),
        (b"", b"x.PITCH", "empty"),
        (gzip.compress(b"", mtime=0), b"x.pitch.gz", "empty"),
        (b"la la la", b"x.OPUS", "not-audio"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", b"x.flac", "not-audio"),
        (b"%PDF-1.4\x00", b"x.mp3", "not-audio"),
        (b"\x00\x00\x00\x18ftypheic" + bytes(20), b"x.m4a", "not-audio"),
        (b"la la la", b"x.pitch", "not-f0"),
        (bytes(100), b"x.f0", "not-f0"),
        (gzip.compress(bytes(100), mtime=0), b"x.pitch.gz", "not-f0"),
    ],
)
def test_a_broken_claim_is_a_failure_with_a_sentence(head: bytes, name: bytes, kind: str) -> None:
    sniffed = sniff(head, name)
    assert sniffed.kind == "bad"
    assert sniffed.problem is not None
    assert sniffed.problem.kind == kind
    assert name.decode() in str(sniffed.problem)


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"# songs\n", b"README.md"),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + bytes(100), b"cover.jpg"),
        (b"PK\x03\x04" + bytes(50), b"songs.zip"),
        (b"", b".keep"),
        (b"", b"empty.txt"),
        (bytes(100), b"data.bin"),
        (gzip.compress(bytes(100), mtime=0), b"data.bin.gz"),
        (b'{"path": "a.wav"}\n', b"manifest.jsonl"),
        (b"PAR1" + bytes(100), b"manifest.parquet"),
        ("the first line, café\n".encode("latin-1"), b"lyrics.txt"),
    ],
)
def test_unrelated_files_are_passed_over(head: bytes, name: bytes) -> None:
    assert sniff(head, name).kind == "other"


def test_a_sound_behind_junk_is_left_to_the_decoders() -> None:
    assert sniff(bytes(50) + encoded(tone(0.3), 44_100, "mp3"), b"x.mp3") == Sniffed("audio", "unknown")


@settings(deadline=None, max_examples=300)
@given(
    st.binary(max_size=3000),
    st.sampled_from([b"x", b"x.wav", b"x.csv", b"x.pitch", b"x.txt.gz"]),
    st.booleans(),
)
def test_any_bytes_are_something(head: bytes, name: bytes, is_gzipped: bool) -> None:
    sniffed = sniff(gzip.compress(head) if is_gzipped else head, name)
    assert sniffed.kind in ("audio", "f0-text", "f0-csv", "other", "bad")
    assert (sniffed.problem is not None) == (sniffed.kind == "bad")
    assert sniffed.is_f0 == (sniffed.kind in ("f0-text", "f0-csv"))


@settings(deadline=None, max_examples=200)
@given(
    st.text(alphabet='0123456789.,;\t -+enaif#\n\r"', max_size=200),
    st.sampled_from([b"x.csv", b"x.txt", b"x.pitch"]),
)
def test_any_text_of_numbers_is_sorted_without_a_crash(text: str, name: bytes) -> None:
    assert sniff(text.encode(), name).kind in ("f0-text", "f0-csv", "other", "bad")


@pytest.mark.parametrize("kind", ["wav", "wav24", "wavfloat", "rf64", "flac", "aiff", "mp3", "ogg", "opus"])
@pytest.mark.parametrize("channels", [1, 2])
def test_headers_declare_what_was_written(kind: str, channels: int) -> None:
    content = encoded(tone(1.25, 48_000, channels), 48_000, kind)
    claim = declared(content, CONTAINERS[kind])
    assert claim is not None
    # mp3 counts whole frames of 1,152 samples, with the encoder's delay.
    assert claim.n_frames == pytest.approx(60_000, abs=3_000 if kind == "mp3" else 0)


@settings(deadline=None, max_examples=200)
@given(st.sampled_from(["wav", "aiff", "flac", "mp3", "ogg"]), st.data())
def test_damaged_headers_declare_something_or_nothing(kind: str, data: st.DataObject) -> None:
    content = bytearray(encoded(tone(0.05, 8_000), 8_000, kind) if kind != "mp3" else _MP3)
    for _ in range(4):
        content[data.draw(st.integers(0, min(len(content) - 1, 120)))] = data.draw(st.integers(0, 255))
    claim = declared(bytes(content[: data.draw(st.integers(0, len(content)))]), kind)
    assert claim is None or claim.n_frames >= 0


_MP3 = encoded(tone(0.1), 44_100, "mp3")


@pytest.mark.parametrize(
    ("corpus", "containers"),
    [
        pytest.param(
            "cantillation",
            {"mp3": 31, "ogg": 82, "mp4": 3, "flac": 1, "text": 21},
            marks=needs_corpus("cantillation"),
        ),
        pytest.param(
            "annotated_f0", {"flac": 38, "f0-csv": 38, "text": 3}, marks=needs_corpus("annotated_f0")
        ),
    ],
)
def test_real_corpora_are_recognised(corpus: str, containers: dict[str, int]) -> None:
    counts: dict[str, int] = {}
    for found in discover([corpora_root() / corpus]):
        container = sniff(read_head(found), found.name).container
        counts[container] = counts.get(container, 0) + 1
    assert counts == containers
