"""Pitch tracks: recognised, read, refused."""

from __future__ import annotations

import gzip
import zlib
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from motifdb.errors import InputError, UsageError
from motifdb.pipelines.inputs import f0 as f0_module
from motifdb.pipelines.inputs.discover import discover, read_content
from motifdb.pipelines.inputs.f0 import NeedsHop, f0_text, parse_hop, read_f0, snap_hop
from motifdb.pipelines.inputs.sniff import sniff
from motifdb.pipelines.records import PitchTrack
from tests.corpora import corpora_root, needs_corpus


def read(text: str | bytes, name: bytes = b"x.csv", hop_s: Fraction | float | None = None) -> PitchTrack:
    content = text.encode() if isinstance(text, str) else text
    return read_f0(content, sniff(content[:65_536], name), hop_s, name)


def failure(text: str | bytes, name: bytes = b"x.csv", hop_s: float | None = 0.01) -> InputError:
    with pytest.raises(InputError) as caught:
        read(text, name, hop_s)
    return caught.value


def plain_track(lines: list[str]) -> list[float]:
    """The obvious reader of one number a line."""
    return [max(float(line), 0.0) for line in lines]


@settings(deadline=None)
@given(
    st.lists(st.floats(-2000, 2000, width=32) | st.just(0.0), min_size=2, max_size=300),
    st.sampled_from(["\n", "\r\n"]),
)
def test_one_number_a_line_reads_like_the_plain_reader(values: list[float], end: str) -> None:
    lines = [repr(v) for v in values]
    track = read(end.join(lines) + end, b"x.pitch", 0.01)
    np.testing.assert_array_equal(track.f0_hz, np.array(plain_track(lines), dtype=np.float32))
    assert (track.hop_s, track.start_s, track.confidence.size) == (0.01, 0.0, 0)
    assert track.f0_hz.dtype == np.float32


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("time_s,f0_hz\n0.00,220.5\n0.01,0\n0.02,-221\n", b"x.csv"),
        ("Time (s);Frequency [Hz]\n0,00;220,5\n0,01;0\n0,02;-221\n", b"x.csv"),
        ("t\tpitch_hz\n0.00\t220.5\n0.01\t0\n0.02\t-221\n", b"x.tsv"),
        ("f0,conf,time\n220.5,0.9,0.00\n0,0.1,0.01\n-221,0.2,0.02\n", b"x.csv"),
        (
            "timestamp,pitch_hz,confidence,voiced\n0.0,220.5,0.9,True\n0.01,300,0.1,False\n0.02,221,0.2,False\n",
            b"x.csv",
        ),
        ("time_ms,f0\n0,220.5\n10,0\n20,0\n", b"x.csv"),
        ("0.00,220.5\n0.01,0\n0.02,-221\n", b"x.csv"),
        ("0.00\t220.5\n0.01\t0\n0.02\t-221\n", b"x.txt"),
        ("  0.00   220.5\n  0.01   0\n  0.02  -221  \n\n", b"x.f0"),
        ("# made by hand\n# time f0\n0.00 220.5\n0.01 0\n0.02 -221\n", b"x.txt"),
        ("\ufefftime,hz\r\n0.00,220.5\r\n0.01,\r\n0.02,-221\r\n", b"x.csv"),
        ('"time","frequency","confidence"\n"0.00","220.5","0.9"\n0.01,0,0.1\n0.02,-221,0.2\n', b"noext.csv"),
    ],
)
def test_tables_of_many_shapes_hold_the_same_track(text: str, name: bytes) -> None:
    sniffed = sniff(text.encode(), name)
    assert (sniffed.kind, sniffed.needs_hop) == ("f0-csv", False)
    for content in (text.encode(), gzip.compress(text.encode())):
        track = read(content, name + b".gz")
        np.testing.assert_array_equal(track.f0_hz, np.array([220.5, 0, 0], dtype=np.float32))
        assert track.hop_s == 0.01
        assert track.start_s == 0.0
    if "conf" in text:
        np.testing.assert_array_equal(track.confidence, np.array([0.9, 0.1, 0.2], dtype=np.float32))
    else:
        assert track.confidence.shape == (0,)


def test_utf16_and_joined_gzip_are_read() -> None:
    text = "time_s,f0_hz\n0.0,220\n0.01,221\n"
    assert read(text.encode("utf-16")).f0_hz.tolist() == [220, 221]
    joined = gzip.compress(b"100\n200\n") + gzip.compress(b"300\n") + b"\x00" * 16
    assert read(joined, b"x.pitch.gz", 0.01).f0_hz.tolist() == [100, 200, 300]
    assert f0_text(joined) == b"100\n200\n300\n"


def test_a_salience_is_no_confidence() -> None:
    assert read("time,f0,confidence\n0,220,7.5\n0.01,221,8\n").confidence.shape == (0,)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("manifest.csv", "path,singer,pitch\na.wav,Ana,high\n"),
        ("phrases.csv", "start_s,end_s,label,tier\n21.7,25.3,pdsp,full_phrase\n"),
        ("notes.csv", "onset_s,offset_s,midi_pitch\n0.05,0.35,59.42\n"),
        ("notes.csv", "time,pitch,duration\n0.05,440,0.3\n0.5,441,0.2\n"),
        ("published.csv", "group,start_s,end_s\n0,56.636,82.819\n"),
        ("onsets.csv", "word,onset_s\n0,0.000000\n1,1.973696\n"),
        ("singers.csv", "singer,pitch\nAna,220\nEva,240\n"),
        ("bare_phrases.csv", "0.5,2.8\n3.1,5.9\n6.0,8.8\n"),
        ("bare_onsets.txt", "0 0.00\n1 1.97\n2 3.92\n"),
        ("four.csv", "0.00,220,1,2\n0.01,221,1,2\n"),
        ("flags.txt", "0\n1\n1\n0\n"),
        ("ids.txt", "100234\n100235\n"),
        ("version.txt", "1.0\n"),
        ("VERSION", "2024\n"),
        ("lyrics.txt", "the first line\nthe second line\n"),
        ("readme.md", "# songs\n"),
        ("numbers.py", "220\n221\n"),
        ("notes.csv.gz", "onset_s,offset_s,midi_pitch\n0.05,0.35,59.42\n"),
        ("empty.csv", ""),
    ],
)
def test_tables_that_are_no_track_are_passed_over(name: str, text: str) -> None:
    content = gzip.compress(text.encode()) if name.endswith(".gz") else text.encode()
    assert sniff(content, name.encode()).kind == "other"


def test_a_missing_hop_is_asked_for_before_anything_is_read() -> None:
    with pytest.raises(NeedsHop, match=r"x\.pitch holds frequencies without times; .* --hop 128/44100"):
        read("220\nrubbish\n221\n222\n", b"x.pitch")
    assert sniff(b"f0_hz\n220\n", b"x.csv").needs_hop
    assert read("f0_hz\n220\n221\n", b"x.csv", Fraction(128, 44100)).hop_s == 128 / 44100


@pytest.mark.parametrize(
    ("text", "name", "sentence"),
    [
        (
            "220\n221\nnan\n222\n",
            b"x.pitch",
            "line 3 of x.pitch holds 'nan' where a finite number is expected",
        ),
        ("220\n221\n-inf\n222\n", b"x.pitch", "line 3 of x.pitch holds '-inf'"),
        ("220\n2 21\n222\n223\n", b"x.pitch", "line 2 of x.pitch holds '2 21'"),
        ("220\n221\n\n222\n", b"x.pitch", "line 3 of x.pitch is empty; write 0"),
        ("oops\n220\n221\n", b"x.pitch", "line 1 of x.pitch holds 'oops'"),
        ("time,f0\n0.00,220\n0.01,22_0\n", b"x.csv", "line 3 of x.csv holds '22_0'"),
        ("time,f0\n0.00,220\n\n0.01,1e999\n", b"x.csv", "line 4 of x.csv holds '1e999'"),
        ("time,f0\n0.00,220\n,221\n", b"x.csv", "line 3 of x.csv holds ''"),
        ("time,f0\n0.00,220\n0.01,221,7\n", b"x.csv", "line 3 of x.csv has 3 columns where 2 are expected"),
        ("time,f0,voiced\n0.00,220,maybe\n", b"x.csv", "line 2 of x.csv holds 'maybe'"),
        ("time,f0,conf\n0.00,220,nan\n", b"x.csv", "line 2 of x.csv holds 'nan'"),
    ],
)
def test_what_is_no_number_is_named_with_its_line(text: str, name: bytes, sentence: str) -> None:
    error = failure(text, name)
    assert error.kind == "bad-number"
    assert str(error).startswith(sentence)


def test_times_must_rise_and_make_sense() -> None:
    error = failure("time,f0\n0.00,220\n\n0.02,221\n0.01,222\n")
    assert error.kind == "bad-times"
    assert "0.01 s follows 0.02 s in line 5" in str(error)
    far = "time,f0\n0.00,220\n0.01,221\n0.02,222\n90000000000,223\n"
    assert failure(far).kind == "bad-times"
    assert failure("time,f0\n0,220\n60,221\n120,220\n").kind == "bad-times"


def test_tracks_without_frames_and_with_one() -> None:
    assert failure("time_s,f0_hz\n").kind == "empty"
    one = read("time_s,f0_hz\n0.5,220\n")
    assert (one.f0_hz.tolist(), one.hop_s, one.start_s) == ([220], 0.01, 0.5)
    assert read("220\n", b"x.pitch", 0.02).hop_s == 0.02


def test_damaged_gzip_and_bombs_are_sentences(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = gzip.compress(b"".join(b"%d\n" % (200 + i % 100) for i in range(5000)))
    assert failure(whole[:-20], b"x.pitch.gz").kind == "truncated-gzip"
    assert failure(whole[:-20] + b"\x00" * 20, b"x.pitch.gz").kind in ("truncated-gzip", "damaged-gzip")
    monkeypatch.setattr(f0_module, "MAX_TEXT_BYTES", 100_000)
    bomb = gzip.compress(b"220.0\n" * 1_000_000)
    assert len(bomb) < 20_000
    error = failure(bomb, b"x.pitch.gz")
    assert error.kind == "too-large"
    damaged = sniff(b"\x1f\x8b\x08\x00" + b"\xff" * 100, b"x.pitch.gz")
    assert damaged.problem is not None and damaged.problem.kind == "damaged-gzip"
    assert sniff(b"\x1f\x8b\x08\x00" + b"\xff" * 100, b"x.csv.gz").kind == "other"


def test_sniffing_a_bomb_makes_no_more_than_a_head(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    real = zlib.decompressobj

    class Counting:
        def __init__(self, bits: int) -> None:
            self.inner = real(bits)

        def decompress(self, data: bytes, limit: int) -> bytes:
            out = self.inner.decompress(data, limit)
            made.append(len(out))
            return out

    monkeypatch.setattr(zlib, "decompressobj", Counting)
    assert sniff(gzip.compress(b"220.0\n" * 1_000_000), b"x.pitch.gz").kind == "f0-text"
    assert sum(made) <= 65_536


def plain_resample(times: list[float], values: list[float], hop: float) -> list[float]:
    """Nearest value on the grid, nothing further than 0.75 hops away."""
    out = []
    n = int((times[-1] - times[0]) / hop + 1e-6) + 1
    for k in range(n):
        t = times[0] + k * hop
        distance, first = min((abs(u - t), i) for i, u in enumerate(times))
        out.append(values[first] if distance <= 0.75 * hop else 0.0)
    return out


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(2, 60), st.integers(80, 900)), min_size=4, max_size=60))
def test_irregular_times_are_resampled_like_the_plain_way(steps: list[tuple[int, int]]) -> None:
    whole_ms = np.cumsum([s for s, _ in steps])
    times = whole_ms / 1000
    values = [float(v) for _, v in steps]
    track = read("time,f0\n" + "".join(f"{t:.3f},{v:g}\n" for t, v in zip(times, values, strict=True)))
    assert track.start_s == pytest.approx(times[0])
    hop = float(np.median(np.diff(times)))
    counts = np.rint(np.diff(times) / hop)
    even_s = (times[-1] - times[0]) / max(counts.sum(), 1)
    off_s = float(np.abs(times - times[0] - np.r_[0, counts.cumsum()] * even_s).max())
    digit_s = max(10**k for k in range(4) if not (whole_ms % 10**k).any()) / 1000
    allowed_s = max(0.1 * even_s, min(digit_s, 0.5 * even_s))  # a tenth of a hop, or a printed digit
    assume(abs(off_s - allowed_s) > 1e-9)  # else rounding decides
    if counts.min() >= 1 and off_s <= allowed_s:
        assert sorted(v for v in track.f0_hz.tolist() if v) == sorted(values)  # a grid, perhaps with holes
    else:
        ref = plain_resample(times.tolist(), values, hop)
        assert len(ref) == track.f0_hz.size
        differing = [k for k, (a, b) in enumerate(zip(ref, track.f0_hz.tolist(), strict=True)) if a != b]
        for k in differing:  # ties between two frames, and distances that rounding decides
            t = times[0] + k * hop
            near = np.sort(np.abs(times - t))
            assert np.isclose(near[0], near[1]) or np.isclose(near[0], 0.75 * hop)


def test_left_out_frames_become_unvoiced() -> None:
    times = [k * 0.01 for k in range(50) if not 10 <= k < 20]
    track = read("".join(f"{t:.2f},{200 + round(t * 100)}\n" for t in times))
    assert track.hop_s == 0.01
    assert track.f0_hz.tolist() == [0.0 if 10 <= k < 20 else 200.0 + k for k in range(50)]


@pytest.mark.parametrize("hop", [0.01, 0.005, 256 / 44100, 128 / 44100, 0.016, 512 / 48000, 0.0029])
@pytest.mark.parametrize("digits", [4, 6, 9])
@pytest.mark.parametrize("start_s", [0.0, 0.01, 3.7])
def test_a_regular_grid_is_kept_and_its_hop_is_found(hop: float, digits: int, start_s: float) -> None:
    n = 20_000
    text = "".join(f"{start_s + k * hop:.{digits}f},{100 + k % 500}\n" for k in range(n))
    track = read("time,f0\n" + text)
    np.testing.assert_array_equal(track.f0_hz, (100 + np.arange(n) % 500).astype(np.float32))
    assert abs(track.hop_s - hop) * n <= 2 * 10.0**-digits
    if digits == 9 or hop in (0.01, 0.005, 0.016):
        assert track.hop_s == hop


def test_snapping_keeps_what_is_no_plain_hop() -> None:
    assert snap_hop(0.0100007367, 2e-9) == 0.0100007367


@pytest.mark.parametrize(
    ("text", "hop"),
    [
        ("128/44100", Fraction(128, 44100)),
        ("0.01", Fraction(1, 100)),
        ("10 ms", Fraction(1, 100)),
        (" 1e-2s", Fraction(1, 100)),
    ],
)
def test_a_hop_is_read_exactly(text: str, hop: Fraction) -> None:
    assert parse_hop(text) == hop


@pytest.mark.parametrize(
    "text", ["", "0", "-0.01", "1/0", "ten", "nan", "inf", "2", "1/2/3", "0x1", "1_0", "9" * 10_000, "."]
)
def test_a_bad_hop_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError, match="--hop"):
        parse_hop(text)


@needs_corpus("otmm_makam")
def test_real_pitch_files_read_like_numpy() -> None:
    files = [
        f for f in discover([corpora_root() / "otmm_makam"]) if f.name.endswith((b".pitch", b".pitch.gz"))
    ]
    assert len(files) == 200
    for found in files[::40]:
        content = read_content(found)
        text = f0_text(content)
        assert text == (gzip.decompress(content) if found.name.endswith(b".gz") else content)
        ref = np.array([float(v) for v in text.split()])
        comp = read_f0(content, sniff(content[:65_536], found.name), Fraction(128, 44100), found.name)
        np.testing.assert_array_equal(comp.f0_hz, np.maximum(ref, 0).astype(np.float32))


@pytest.mark.parametrize(
    ("corpus", "n_f0", "n_other"),
    [
        pytest.param("annotated_f0", 38, 3, marks=needs_corpus("annotated_f0")),
        pytest.param("sancaras", 3, 6, marks=needs_corpus("sancaras")),
        pytest.param("sight_singing", 0, 42, marks=needs_corpus("sight_singing")),
        pytest.param("cantillation", 0, 21, marks=needs_corpus("cantillation")),
        pytest.param("otmm_makam", 200, 2, marks=needs_corpus("otmm_makam")),
    ],
)
def test_real_corpora_sort_into_tracks_and_the_rest(corpus: str, n_f0: int, n_other: int) -> None:
    kinds = [sniff(read_content(f)[:65_536], f.name) for f in discover([corpora_root() / corpus])]
    assert sum(s.is_f0 for s in kinds) == n_f0
    assert sum(s.kind == "other" for s in kinds) == n_other
    assert not any(s.problem for s in kinds)
