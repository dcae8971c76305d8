"""Decoding: every container, rate and channel count; and everything that is wrong with a file."""

from __future__ import annotations

import hashlib
import os
import signal
import struct
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from motifdb.errors import InputError, MotifdbError, UsageError
from motifdb.pipelines.inputs.decode import Decoder, parse_channel, shared_decoder
from motifdb.pipelines.inputs.resample import resampled
from motifdb.pipelines.inputs.sniff import sniff
from motifdb.pipelines.records import AudioFacts
from tests.corpora import corpora_root, needs_corpus
from tests.pipelines.inputs.audio_files import FFMPEG, SNDFILE, encoded, tone

CONTAINERS = {"wav24": "wav", "wavfloat": "wav", "rf64": "wav", "opus": "ogg", "m4a": "mp4", "alac": "mp4"}


@pytest.fixture(scope="module")
def decoder() -> Iterator[Decoder]:
    with Decoder() as one:
        yield one


def decoded(
    decoder: Decoder, content: bytes | Path, channel: str = "mix"
) -> tuple[NDArray[np.float32], AudioFacts]:
    stream = decoder.open(content, channel=channel, name=b"x")
    blocks = list(stream)
    assert all(b.dtype == np.float32 and b.ndim == 1 and 0 < b.size <= 65_536 for b in blocks)
    return np.concatenate([np.zeros(0, np.float32), *blocks]), stream.facts


def failure(decoder: Decoder, content: bytes | Path, channel: str = "mix") -> InputError:
    with pytest.raises(InputError) as caught:
        decoded(decoder, content, channel)
    error = caught.value
    assert error.stage in ("decode", "discover")
    assert "\n" not in str(error)
    assert str(error).startswith(("x ", "decoding x "))
    return error


@pytest.mark.parametrize("kind", [*SNDFILE, *FFMPEG])
@pytest.mark.parametrize("channels", [1, 2])
def test_every_container_decodes_to_what_was_written(decoder: Decoder, kind: str, channels: int) -> None:
    rate_hz = 48_000 if kind == "opus" else 44_100
    samples = tone(1.5, rate_hz, channels)
    content = encoded(samples, rate_hz, kind)
    assert sniff(content[:65_536], b"misleading.xyz").container == CONTAINERS.get(kind, kind)
    mono, facts = decoded(decoder, content)
    assert (facts.sample_rate_hz, facts.channels) == (rate_hz, channels)
    assert facts.container == CONTAINERS.get(kind, kind)
    assert facts.warning is None
    assert facts.duration_s == pytest.approx(
        1.5, abs=0.06 if kind in ("mp3", "aac") else 0.001 if kind != "m4a" else 0.03
    )
    assert mono.size == round(facts.duration_s * rate_hz)
    ref = samples.mean(axis=1)
    delays = range(2500) if kind in ("mp3", "aac", "m4a") else [0]
    middle = ref[20_000:30_000]
    error = min(np.abs(mono[20_000 + d : 30_000 + d] - middle).max() for d in delays)
    assert error < (0.15 if kind in ("mp3", "aac", "m4a", "ogg", "opus") else 1e-4)
    assert facts.peak == pytest.approx(
        np.abs(mono if channels == 1 else samples).max(), abs=1e-4 if error < 1e-4 else 0.4
    )


def test_codecs_have_their_usual_names(decoder: Decoder) -> None:
    samples = tone(0.3, 48_000)
    names = {kind: decoded(decoder, encoded(samples, 48_000, kind))[1].codec for kind in (*SNDFILE, *FFMPEG)}
    assert names == {
        "wav": "pcm_s16le", "wav24": "pcm_s24le", "wavfloat": "pcm_f32le", "w64": "pcm_s16le", "rf64": "pcm_s16le",
        "flac": "flac", "aiff": "pcm_s16be", "mp3": "mp3", "ogg": "vorbis", "opus": "opus", "m4a": "aac", "aac": "aac",
        "alac": "alac",
    }  # fmt: skip


def plain_hash(samples: NDArray[np.float64], rate_hz: int) -> str:
    whole = (
        samples.astype("<f4") + np.float32(0)
    ).tobytes() + f"|{rate_hz}|{samples.shape[1]}|{len(samples)}".encode()
    return hashlib.blake2b(whole, digest_size=10).hexdigest()


def test_equal_samples_have_one_hash_in_every_lossless_container(decoder: Decoder) -> None:
    samples = np.round(tone(3.0, 44_100, 2) * 32_767) / 32_768
    kinds = ("wav", "wav24", "wavfloat", "w64", "rf64", "flac", "aiff")
    hashes = {
        decoded(decoder, encoded(samples, 44_100, k), c)[1].audio_hash for k in kinds for c in ("mix", "left")
    }
    assert hashes == {plain_hash(samples, 44_100)}
    ref = np.round(tone(1.0, 44_100, 1) * 32_767) / 32_768
    assert decoded(decoder, encoded(ref, 44_100, "alac"))[1].audio_hash == plain_hash(ref, 44_100), (
        "FFmpeg, same scale"
    )
    assert decoded(decoder, encoded(samples, 22_050, "wav"))[1].audio_hash not in hashes
    assert decoded(decoder, encoded(samples[:-1], 44_100, "wav"))[1].audio_hash not in hashes


@pytest.mark.parametrize("rate_hz", [8_000, 11_025, 16_000, 22_050, 32_000, 48_000, 88_200, 96_000, 192_000])
@pytest.mark.parametrize("kind", ["wav", "flac"])
def test_rates_from_8_to_192_khz(decoder: Decoder, rate_hz: int, kind: str) -> None:
    mono, facts = decoded(decoder, encoded(tone(0.7, rate_hz), rate_hz, kind))
    assert (facts.sample_rate_hz, mono.size) == (rate_hz, round(0.7 * rate_hz))
    assert facts.duration_s == mono.size / rate_hz


@pytest.mark.parametrize("channels", range(1, 9))
def test_one_to_eight_channels_and_each_of_them(decoder: Decoder, channels: int) -> None:
    samples = np.round(tone(0.2, 16_000, channels) * 32_767) / 32_768
    content = encoded(samples, 16_000, "flac")
    mix, facts = decoded(decoder, content)
    assert facts.channels == channels
    np.testing.assert_allclose(mix, samples.mean(axis=1), atol=1e-6)
    for number in range(1, channels + 1):
        one, facts = decoded(decoder, content, str(number))
        np.testing.assert_array_equal(one, samples[:, number - 1].astype(np.float32))
        assert facts.audio_hash == plain_hash(samples, 16_000)
    error = failure(decoder, content, str(channels + 1))
    assert error.kind == "no-such-channel"
    assert f"no number {channels + 1}" in str(error)


def test_channels_by_name(decoder: Decoder) -> None:
    samples = np.round(tone(0.2, 16_000, 2) * 32_767) / 32_768
    content = encoded(samples, 16_000, "wav")
    for column, channel in enumerate(("left", "right")):
        np.testing.assert_array_equal(
            decoded(decoder, content, channel)[0], samples[:, column].astype(np.float32)
        )
    assert failure(decoder, encoded(samples[:, :1], 16_000, "wav"), "right").kind == "no-such-channel"
    for bad in ("centre", "0", "-1", "", "1.5", "999"):
        with pytest.raises(UsageError, match="--channel"):
            parse_channel(bad)


def test_a_path_and_a_memoryview_decode_like_bytes(decoder: Decoder, tmp_path: Path) -> None:
    content = encoded(tone(2.0), 44_100, "flac")
    ref, facts = decoded(decoder, content)
    path = tmp_path / os.fsdecode(b"odd\n\xff name.txt")
    path.write_bytes(content)
    for source in (path, memoryview(content)):
        comp, comp_facts = decoded(decoder, source)  # type: ignore[arg-type]
        np.testing.assert_array_equal(comp, ref)
        assert comp_facts == facts


def test_embedded_tags_are_read(decoder: Decoder, tmp_path: Path) -> None:
    for kind in ("flac", "ogg", "wav"):
        path = tmp_path / f"x.{kind}"
        with soundfile.SoundFile(path, "w", samplerate=8_000, channels=1) as file:
            file.title, file.artist, file.genre = "Alba", "Ana Ruiz", "tona"
            file.write(tone(0.2, 8_000))
        tags = decoded(decoder, path)[1].tags
        assert {k: tags.get(k) for k in ("title", "artist")} == {"title": "Alba", "artist": "Ana Ruiz"}, kind


# What is odd but valid: recordings.


@pytest.mark.parametrize("kind", ["wav", "flac", "ogg", "mp3"])
def test_silence_direct_current_and_a_tenth_of_a_second_are_recordings(decoder: Decoder, kind: str) -> None:
    silent, facts = decoded(decoder, encoded(np.zeros((16_000, 2)), 16_000, kind))
    assert (facts.peak < 1e-3, facts.warning, facts.clipped_share) == (True, None, 0.0)
    assert np.abs(silent).max() < 1e-3
    assert facts.duration_s == pytest.approx(1.0, abs=0.12)
    direct, facts = decoded(decoder, encoded(np.full((16_000, 1), 0.5), 16_000, kind))
    assert np.median(direct) == pytest.approx(0.5, abs=0.05)
    short, facts = decoded(decoder, encoded(tone(0.1, 16_000), 16_000, kind))
    assert facts.duration_s == pytest.approx(0.1, abs=0.12)
    assert short.size > 0


def test_a_file_of_no_samples_is_a_recording_of_no_length(decoder: Decoder) -> None:
    for kind in ("wav", "aiff", "w64"):
        mono, facts = decoded(decoder, encoded(np.zeros((0, 1)), 16_000, kind))
        assert (mono.size, facts.duration_s, facts.peak, facts.clipped_share) == (0, 0.0, 0.0, 0.0)


def test_clipping_is_measured(decoder: Decoder) -> None:
    loud = np.clip(tone(1.0) * 10, -1, 1)
    _, facts = decoded(decoder, encoded(loud, 44_100, "wav"))
    assert facts.clipped_share == pytest.approx(np.mean(np.abs(loud) >= 1), abs=0.01)
    assert facts.peak == pytest.approx(1.0, abs=1e-4)
    assert facts.warning is not None and facts.warning.endswith("% of the samples are clipped")
    assert decoded(decoder, encoded(tone(1.0), 44_100, "wav"))[1].clipped_share == 0.0


def test_broken_samples_become_silence_and_are_counted(decoder: Decoder) -> None:
    samples = tone(2.0, 44_100, 2)
    samples[70_000, 0], samples[70_001, 1], samples[80_000, 0] = np.nan, np.inf, -np.inf
    mono, facts = decoded(decoder, encoded(samples, 44_100, "wavfloat"))
    assert facts.warning == "3 samples were NaN or infinite and count as silence"
    assert np.isfinite(mono).all()
    assert facts.peak <= 0.41
    cleaned = np.nan_to_num(samples, nan=0.0, posinf=0.0, neginf=0.0)
    assert facts.audio_hash == plain_hash(cleaned, 44_100)


def test_channels_that_cancel_are_warned_of_in_the_mix_only(decoder: Decoder) -> None:
    one = tone(1.0)
    content = encoded(np.hstack([one, -one]), 44_100, "wav")
    mono, facts = decoded(decoder, content)
    assert np.abs(mono).max() < 1e-3
    assert facts.warning is not None and facts.warning.startswith("the channels cancel each other in the mix")
    assert decoded(decoder, content, "left")[1].warning is None
    lone = np.hstack([one, np.zeros((one.size, 7))])
    assert decoded(decoder, encoded(lone, 44_100, "wav"))[1].warning is None


# What is wrong: failures with a sentence.


def test_an_empty_file_is_a_failure(decoder: Decoder, tmp_path: Path) -> None:
    assert failure(decoder, b"").kind == "empty"
    (tmp_path / "x").write_bytes(b"")
    assert failure(decoder, tmp_path / "x").kind == "empty"
    problem = sniff(b"", b"x.wav").problem
    assert problem is not None and problem.kind == "empty"


def test_what_is_no_audio_says_so(decoder: Decoder) -> None:
    for content in (b"la la la\n" * 100, b"%PDF-1.7 " + bytes(1000), bytes(range(256)) * 40, b"\x00" * 5000):
        assert failure(decoder, content).kind == "not-audio"
    assert failure(decoder, b"RIFF").kind == "not-audio"
    assert failure(decoder, b"RIFF\x24\x00\x00\x00WAVEfmt ").kind == "undecodable"
    for name, head in (
        (b"x.wav", b"la la la\n"),
        (b"x.mp3", b"\x89PNG\r\n\x1a\n" + bytes(50)),
        (b"x.m4a", b"PK\x03\x04" + bytes(50)),
    ):
        problem = sniff(head, name).problem
        assert problem is not None and problem.kind == "not-audio"
    assert sniff(b"\x89PNG\r\n\x1a\n" + bytes(50), b"cover.png").kind == "other"


def test_a_picture_in_an_audio_container_is_no_audio(decoder: Decoder) -> None:
    import io

    import av

    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as file:
        stream = file.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 16, 16, "yuv420p"
        frame = av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), np.uint8), format="rgb24")
        file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    assert failure(decoder, out.getvalue()).kind == "no-audio"


@pytest.mark.parametrize("kind", ["wav", "rf64", "flac", "aiff", "mp3"])
def test_a_file_cut_in_half_is_a_failure(decoder: Decoder, kind: str) -> None:
    content = encoded(tone(10.0), 44_100, kind)
    error = failure(decoder, content[: len(content) // 2])
    assert error.kind == "truncated"
    assert "its header declares 10." in str(error)
    assert "it is cut short or damaged; copy it again" in str(error)


@pytest.mark.parametrize("kind", ["wav", "flac", "aiff", "mp3"])
def test_a_file_that_lacks_its_end_is_a_recording_with_a_warning(decoder: Decoder, kind: str) -> None:
    content = encoded(tone(10.0), 44_100, kind)
    mono, facts = decoded(decoder, content[: int(0.96 * len(content))])
    assert mono.size == round(facts.duration_s * 44_100)
    assert 9.0 < facts.duration_s < 9.8
    assert facts.warning is not None and facts.warning.startswith("its header declares 10.")


@pytest.mark.parametrize("kind", ["ogg", "opus", "aac"])
def test_a_cut_stream_without_a_length_is_what_is_there(decoder: Decoder, kind: str) -> None:
    rate_hz = 48_000
    content = encoded(tone(10.0, rate_hz), rate_hz, kind)
    _, facts = decoded(decoder, content[: len(content) // 2])
    assert 1.5 < facts.duration_s < 7.0


def test_a_cut_m4a_is_a_failure(decoder: Decoder) -> None:
    content = encoded(tone(10.0), 44_100, "m4a")  # its index is at the end
    assert failure(decoder, content[: len(content) // 2]).kind == "undecodable"


def test_an_mp3_without_a_length_is_not_cut_to_a_guess(decoder: Decoder) -> None:
    """libsndfile guesses the length from the first bit rate, and stops there."""
    loud = np.random.default_rng(0).uniform(-0.5, 0.5, (44_100, 1))
    parts = []
    for samples in (loud, np.zeros((44_100 * 8, 1))):
        out = encoded(samples, 44_100, "mp3")
        tag = max(out.find(b"Xing"), out.find(b"Info"))
        parts.append(out[out.find(b"\xff\xfb", tag) :])
    _, facts = decoded(decoder, b"".join(parts))
    assert facts.duration_s == pytest.approx(9.0, abs=0.2)


def test_a_wav_that_claims_four_gigabytes_takes_no_memory(decoder: Decoder) -> None:
    samples = tone(1.0)
    content = bytearray(encoded(samples, 44_100, "wav"))
    at = content.index(b"data") + 4
    for size in (0xFFFFFFFF, 0xFFFFFFF0, 0x7FFFFFFF):
        content[at : at + 4] = struct.pack("<I", size)
        content[4:8] = struct.pack("<I", min(size + 36, 0xFFFFFFFF))
        _, facts = decoded(decoder, bytes(content))
        assert facts.duration_s == pytest.approx(1.0, abs=1e-3)
        if size == 0xFFFFFFFF:
            assert facts.warning is None, "the mark of a writer that streams"
        else:
            assert facts.warning is not None and facts.warning.startswith("its header declares")
    content[at : at + 4] = struct.pack("<I", 1_000_000_000)
    assert failure(decoder, bytes(content)).kind == "truncated"


def test_a_flac_that_claims_two_to_the_36_samples_takes_no_memory(decoder: Decoder) -> None:
    content = bytearray(encoded(tone(1.0), 44_100, "flac"))
    content[21] |= 0x0F
    content[22:26] = b"\xff\xff\xff\xff"
    stream = decoder.open(bytes(content), name=b"x")
    assert sum(len(b) for b in iter_until_failure(stream)) <= 44_100
    error = failure(decoder, bytes(content))
    assert error.kind == "truncated"
    assert "declares 433 h" in str(error)


def iter_until_failure(blocks: Iterator[NDArray[np.float32]] | object) -> Iterator[NDArray[np.float32]]:
    try:
        yield from blocks  # type: ignore[misc]
    except InputError:
        return


def test_headers_with_impossible_numbers(decoder: Decoder) -> None:
    content = bytearray(encoded(tone(0.5), 44_100, "wav"))
    no_rate = content.copy()
    no_rate[24:28] = bytes(4)
    assert failure(decoder, bytes(no_rate)).kind == "undecodable"
    many = content.copy()
    many[22:24] = struct.pack("<H", 60_000)
    assert failure(decoder, bytes(many)).kind in ("undecodable", "not-audio")


def test_damage_in_the_middle_is_never_silent(decoder: Decoder) -> None:
    rng = np.random.default_rng(3)
    for kind in ("flac", "mp3", "ogg", "m4a"):
        content = bytearray(encoded(tone(5.0) + rng.normal(0, 0.02, (220_500, 1)), 44_100, kind))
        middle = len(content) // 3
        content[middle : middle + 3000] = rng.bytes(3000)
        try:
            _, facts = decoded(decoder, bytes(content))
        except InputError as error:
            assert error.kind in ("truncated", "undecodable")
        else:
            assert facts.warning is not None or facts.duration_s == pytest.approx(5.0, abs=0.1), kind


def test_random_damage_always_ends_in_facts_or_a_sentence(decoder: Decoder) -> None:
    rng = np.random.default_rng(7)
    for kind in ("wav", "flac", "aiff", "mp3", "ogg", "opus", "m4a", "aac"):
        whole = encoded(tone(0.5, 48_000), 48_000, kind)
        for _ in range(8):
            content = bytearray(whole)
            for at in rng.integers(0, len(content), 12):
                content[at] = rng.integers(0, 256)
            try:
                decoded(decoder, bytes(content[: rng.integers(1, len(content) + 1)]))
            except InputError as error:
                assert error.kind in ("truncated", "undecodable", "not-audio", "no-audio", "too-large")


def test_a_file_that_cannot_be_opened(decoder: Decoder, tmp_path: Path) -> None:
    error = failure(decoder, tmp_path / "x")
    assert (error.kind, error.stage) == ("unreadable", "discover")


# Decoders that misbehave.

_FAULTY = """
    import os, sys, time
    from motifdb.pipelines.inputs import decoder_child
    real = decoder_child.open_source
    def faulty(fd, container):
        content = os.pread(fd, 1 << 20, 0)
        if b"CRASH" in content:
            os.kill(os.getpid(), 11)
        if b"HANG" in content:
            time.sleep(600)
        if b"EAT" in content:
            eaten = bytearray(64 << 30)
        if b"LEAVE" in content:
            os._exit(0)
        source, block = real(fd, container)
        if b"LATE" in content:
            source.read = lambda: os.kill(os.getpid(), 6)
        return source, block
    decoder_child.open_source = faulty
    decoder_child.main()
"""


@pytest.fixture
def faulty(tmp_path: Path) -> Iterator[Decoder]:
    program = tmp_path / "faulty_decoder.py"
    program.write_text(textwrap.dedent(_FAULTY))
    with Decoder(command=[sys.executable, str(program)], timeout_s=3.0) as one:
        yield one


def marked(mark: bytes) -> bytes:
    """A good wav file with a word behind its samples."""
    content = encoded(tone(2.0), 44_100, "wav")
    return content + b"note" + struct.pack("<I", len(mark)) + mark


def test_a_crash_or_a_hang_costs_one_file(faulty: Decoder) -> None:
    good, _ = decoded(faulty, marked(b"GOOD"))
    assert good.size == 88_200
    error = failure(faulty, marked(b"CRASH"))
    assert error.kind == "decoder-crashed"
    assert str(error) == "decoding x crashed the decoder (signal 11); convert or remove it"
    np.testing.assert_array_equal(decoded(faulty, marked(b"GOOD"))[0], good)
    start = time.monotonic()
    error = failure(faulty, marked(b"HANG"))
    assert error.kind == "decoder-hung"
    assert "stood still for 3 s" in str(error)
    assert time.monotonic() - start < 30
    assert failure(faulty, marked(b"LATE")).kind == "decoder-crashed"
    assert failure(faulty, marked(b"LEAVE")).kind == "decoder-crashed"
    assert failure(faulty, marked(b"EAT")).kind == "too-large"
    np.testing.assert_array_equal(decoded(faulty, marked(b"GOOD"))[0], good)


def test_a_child_killed_between_two_files_is_replaced(decoder: Decoder) -> None:
    content = encoded(tone(0.2), 44_100, "wav")
    with Decoder() as one:
        decoded(one, content)
        assert one._process is not None
        os.kill(one._process.pid, signal.SIGKILL)
        one._process.wait()
        assert decoded(one, content)[1].duration_s == 0.2


def test_a_stream_that_is_left_does_not_spoil_the_next(decoder: Decoder) -> None:
    long, short = encoded(tone(20.0), 44_100, "wav"), encoded(tone(0.2), 44_100, "wav")
    left = decoder.open(long)
    next(iter(left))
    with pytest.raises(MotifdbError, match="at its end only"):
        _ = left.facts
    assert decoded(decoder, short)[0].size == 8_820
    with pytest.raises(MotifdbError, match="left before its end"):
        list(left)


def test_a_decoder_that_does_not_start_is_said_so_and_blames_no_file() -> None:
    with Decoder(command=[sys.executable, "-c", "raise SystemExit('no libsndfile here')"]) as one:
        with pytest.raises(MotifdbError, match=r"does not start \(no libsndfile here\)") as caught:
            one.open(b"RIFF")
        assert not isinstance(caught.value, InputError)


def test_the_environment_names_another_decoder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOTIFDB_DECODER", f"{sys.executable} -c \"raise SystemExit('another one')\"")
    with Decoder() as one, pytest.raises(MotifdbError, match=r"another one.*MOTIFDB_DECODER"):
        one.open(b"RIFF")


def test_a_child_ends_with_its_parent() -> None:
    import subprocess

    program = """
import sys
from motifdb.pipelines.inputs.decode import shared_decoder
from tests.pipelines.inputs.audio_files import encoded, tone
d = shared_decoder()
next(iter(d.open(encoded(tone(30.0), 44_100, "wav"))))
print(d._process.pid, flush=True)
sys.stdin.read()
"""
    parent = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    os.kill(child, 0)
    parent.kill()
    parent.communicate()
    deadline = time.monotonic() + 20
    while _is_running(child) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not _is_running(child)


def _is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state != "Z"


def test_each_thread_keeps_one_decoder() -> None:
    import threading

    seen: list[Decoder] = []
    worker = threading.Thread(target=lambda: seen.append(shared_decoder()))
    worker.start()
    worker.join()
    assert shared_decoder() is shared_decoder()
    assert seen[0] is not shared_decoder()


def test_memory_stays_flat_over_a_long_file(tmp_path: Path) -> None:
    path = tmp_path / "long.flac"
    with soundfile.SoundFile(
        path, "w", samplerate=44_100, channels=1, format="FLAC", subtype="PCM_16"
    ) as file:
        second = tone(60.0)
        for _ in range(10):  # 10 minutes are 106 MB of float32
            file.write(second)
    with Decoder() as one:
        list(one.open(encoded(tone(1.0), 44_100, "flac")))
        assert one._process is not None

        def peak_kb() -> int:
            assert one._process is not None
            status = Path(f"/proc/{one._process.pid}/status").read_text()
            return int(status.split("VmHWM:")[1].split()[0])

        before = peak_kb()
        stream = one.open(path)
        assert sum(b.size for b in stream) == 10 * 60 * 44_100
        assert peak_kb() - before < 20_000


# Resampling.


@pytest.mark.parametrize(
    ("from_hz", "to_hz"), [(44_100, 16_000), (8_000, 16_000), (192_000, 44_100), (16_000, 16_000)]
)
def test_resampling_does_not_depend_on_the_blocks(from_hz: int, to_hz: int) -> None:
    samples = tone(2.0, from_hz)[:, 0].astype(np.float32)
    whole = np.concatenate(list(resampled([samples], from_hz, to_hz)))
    cuts = np.sort(np.random.default_rng(1).integers(0, samples.size, 9))
    parts = np.concatenate(list(resampled(np.split(samples, cuts), from_hz, to_hz)))
    np.testing.assert_array_equal(whole, parts)
    assert whole.size == pytest.approx(2.0 * to_hz, abs=1)
    ref = tone(2.0, to_hz)[:, 0]
    middle = slice(to_hz // 2, to_hz)
    np.testing.assert_allclose(whole[middle], ref[middle], atol=1e-3)


def test_resampling_nothing_gives_nothing() -> None:
    assert list(resampled([], 44_100, 16_000)) == []


# Real recordings.


@needs_corpus("cantillation")
def test_real_recordings_decode_to_the_length_of_their_manifest(decoder: Decoder) -> None:
    import csv

    root = corpora_root() / "cantillation"
    with open(root / "manifest.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    chosen = {
        row["path"].rsplit(".", 1)[1]: row for row in sorted(rows, key=lambda r: -float(r["duration_s"]))
    }
    assert set(chosen) == {"mp3", "opus", "aac", "m4a", "ogg", "flac"}
    for row in chosen.values():
        content = (root / row["path"]).read_bytes()
        assert sniff(content[:65_536], row["path"].encode()).kind == "audio"
        _, facts = decoded(decoder, content)
        assert facts.duration_s == pytest.approx(float(row["duration_s"]), abs=0.001), row["path"]
        assert (facts.sample_rate_hz, facts.channels) == (int(row["sample_rate"]), int(row["channels"]))
        assert facts.codec == row["codec"]
        assert facts.warning is None
