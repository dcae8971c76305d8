"""Every tracker keeps the promises of the interface: time, pitch, order, blocks, and input without any pitch."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import importlib.util
import json
import pickle
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from motifdb.errors import MissingExtraError, NotFoundError, UsageError
from motifdb.ids import canonical_json
from motifdb.pipelines.records import PitchTrack
from motifdb.pipelines.trackers import Blocks, Tracker, get_tracker, tracker_class, tracker_names
from motifdb.pipelines.trackers.agreement import agreement
from motifdb.pipelines.trackers.base import rechunk
from tests.corpora import corpora_root, needs_corpus
from tests.reference.agreement import agreement as plain_agreement

Samples = NDArray[np.float32]

_has_essentia = importlib.util.find_spec("essentia") is not None
NAMES = [
    pytest.param(
        "melodia", marks=pytest.mark.skipif(not _has_essentia, reason="essentia, an extra, is not installed")
    ),
    "swift-f0",
    "yin",
]


def _track(tracker: Tracker, samples: Samples) -> PitchTrack:
    (track,) = tracker.track([[samples]])
    return track


def _times_s(track: PitchTrack) -> NDArray[np.float64]:
    return track.start_s + track.hop_s * np.arange(track.f0_hz.size, dtype=np.float64)


def _voice(f0_hz: NDArray[np.float64], rate: int, level: float = 0.2) -> Samples:
    """Four partials at a pitch per sample; 0 Hz is silence."""
    phase = 2 * np.pi * np.cumsum(f0_hz) / rate
    wave = np.sum([np.sin(h * phase) / h for h in range(1, 5)], axis=0)
    return np.asarray(level * wave * (f0_hz > 0), dtype=np.float32)


@pytest.mark.parametrize("name", NAMES)
def test_a_note_starts_and_ends_when_it_sounds(name: str) -> None:
    tracker = get_tracker(name)
    times_s = np.arange(3 * tracker.sample_rate_hz) / tracker.sample_rate_hz
    sounding = np.where((times_s >= 1.0) & (times_s < 2.0), 330.0, 0.0)
    track = _track(tracker, _voice(sounding, tracker.sample_rate_hz))
    voiced_s = _times_s(track)[track.f0_hz > 0]
    assert abs(voiced_s[0] - 1.0) <= track.hop_s + 1e-9
    assert abs(voiced_s[-1] - 2.0) <= 2 * track.hop_s
    inside = (_times_s(track) > 1.1) & (_times_s(track) < 1.9)
    assert np.abs(1200 * np.log2(track.f0_hz[inside] / 330.0)).max() < 5.0


@pytest.mark.parametrize("name", NAMES)
def test_a_glide_is_at_its_pitch_at_its_time(name: str) -> None:
    tracker = get_tracker(name)
    times_s = np.arange(4 * tracker.sample_rate_hz) / tracker.sample_rate_hz
    track = _track(tracker, _voice(220.0 * 2.0 ** (times_s / 2), tracker.sample_rate_hz))
    inside = (_times_s(track) > 0.3) & (_times_s(track) < 3.7)
    assert (track.f0_hz[inside] > 0).all()
    off_cents = 1200 * np.log2(track.f0_hz[inside] / (220.0 * 2.0 ** (_times_s(track)[inside] / 2)))
    # 600 cents per second: a frame labelled one hop too late would be off by 3.5 (Melodia), 6 (YIN), 9.6 (SwiftF0)
    assert abs(np.median(off_cents)) < 2.5
    # Melodia's pitch comes in steps of 10 cents, and SwiftF0's own error swings by 7 cents between its pitch classes
    assert np.percentile(np.abs(off_cents), 90) < {"melodia": 6.0, "swift-f0": 9.0, "yin": 2.0}[name]


def _pitchless(rate: int) -> dict[str, Samples]:
    n = rate
    clicks = np.zeros(n)
    clicks[[n // 5, n // 2, n // 2 + n // 7]] = 0.9
    return {
        "empty": np.zeros(0, np.float32),
        "one sample": np.ones(1, np.float32),
        "0.1 s of silence": np.zeros(rate // 10, np.float32),
        "silence": np.zeros(n, np.float32),
        "DC": np.full(n, 0.5, np.float32),
        "clicks": clicks.astype(np.float32),
        "no numbers": np.full(n, np.nan, np.float32),
        "infinite": np.full(n, np.inf, np.float32),
    }


@pytest.mark.parametrize("name", NAMES)
def test_what_has_no_pitch_is_unvoiced(name: str) -> None:
    tracker = get_tracker(name)
    for kind, samples in _pitchless(tracker.sample_rate_hz).items():
        track = _track(tracker, samples)
        assert not track.f0_hz.any(), kind
        assert track.f0_hz.dtype == track.confidence.dtype == np.float32
        assert track.f0_hz.size == track.confidence.size
        assert abs(track.f0_hz.size * track.hop_s - samples.size / tracker.sample_rate_hz) <= track.hop_s, (
            kind
        )


@pytest.mark.parametrize("name", NAMES)
def test_short_and_broken_input_does_not_crash(name: str) -> None:
    tracker = get_tracker(name)
    rate = tracker.sample_rate_hz
    tone = _voice(np.full(rate, 220.0), rate)
    broken = tone.copy()
    broken[::997] = np.nan
    for samples in (tone[: rate // 10], tone[:300], broken, tone * np.float32(1e4), np.sign(tone)):
        track = _track(tracker, samples)
        assert np.isfinite(track.f0_hz).all() and (track.f0_hz >= 0).all()
        assert np.isfinite(track.confidence).all()
        assert (track.confidence >= 0).all() and (track.confidence <= 1).all()


def _singing(rate: int, seconds: float) -> Samples:
    rng = np.random.default_rng(4)
    times_s = np.arange(int(seconds * rate)) / rate
    notes = rng.integers(-5, 8, int(seconds) + 1)[(times_s).astype(int)]
    f0_hz = 220.0 * 2.0 ** (notes / 12 + 0.02 * np.sin(2 * np.pi * 5.5 * times_s))
    f0_hz[(times_s % 1.0) > 0.8] = 0.0
    return _voice(f0_hz, rate) + rng.normal(scale=0.002, size=times_s.size).astype(np.float32)


@pytest.mark.parametrize("name", NAMES)
def test_blocks_of_any_length_give_the_track_of_the_whole(name: str) -> None:
    tracker = get_tracker(name)
    samples = _singing(tracker.sample_rate_hz, 35.0 if tracker.streams_exactly else 8.0)
    whole = _track(tracker, samples)
    cuts = np.sort(np.random.default_rng(1).integers(0, samples.size, 40))

    def lazily() -> Iterator[Samples]:
        yield from np.split(samples, cuts)

    first, second = tracker.track([lazily(), [samples[:0], samples]])
    for track in (first, second):
        np.testing.assert_array_equal(track.f0_hz, whole.f0_hz)
        np.testing.assert_array_equal(track.confidence, whole.confidence)
    assert (whole.f0_hz > 0).mean() > 0.5


def test_swift_f0_in_a_stream_is_the_library_on_the_whole() -> None:
    from swift_f0 import SwiftF0

    samples = _singing(16000, 33.0)
    track = _track(get_tracker("swift-f0"), samples)
    expected = SwiftF0(threads=1).detect(samples, 16000)
    np.testing.assert_allclose(track.confidence, expected.confidence, atol=1e-6)
    is_voiced = track.f0_hz > 0
    np.testing.assert_array_equal(is_voiced, expected.confidence >= 0.5)
    np.testing.assert_allclose(track.f0_hz[is_voiced], expected.pitch_hz[is_voiced], rtol=1e-6)


@pytest.mark.parametrize("name", ["swift-f0", "yin"])
def test_what_is_said_of_early_audio_does_not_change_later(name: str) -> None:
    tracker = get_tracker(name)
    samples = _singing(16000, 20.0)
    whole, part = _track(tracker, samples), _track(tracker, samples[: 15 * 16000])
    n_final = part.f0_hz.size - int(0.25 / part.hop_s)
    np.testing.assert_allclose(part.f0_hz[:n_final], whole.f0_hz[:n_final], rtol=1e-6)


@pytest.mark.skipif(not _has_essentia, reason="essentia, an extra, is not installed")
class TestMelodia:
    def test_equals_essentia_called_by_hand(self) -> None:
        import essentia.standard

        samples = _singing(44100, 6.0)
        pitch, _ = essentia.standard.PredominantPitchMelodia(hopSize=256, frameSize=2048)(
            essentia.standard.EqualLoudness()(samples)
        )
        track = _track(get_tracker("melodia"), samples)
        np.testing.assert_array_equal(track.f0_hz, pitch[: track.f0_hz.size])

    def test_long_recordings_go_in_blocks_on_one_grid(self) -> None:
        samples = _singing(44100, 12.0)
        whole = _track(get_tracker("melodia"), samples)
        blocks = _track(get_tracker("melodia", {"block_s": 4, "margin_s": 1}), samples)
        assert blocks.f0_hz.size == whole.f0_hz.size
        # voicing is decided per block and may differ; pitch where both are voiced may not
        both = (blocks.f0_hz > 0) & (whole.f0_hz > 0)
        assert both.mean() > 0.3
        near = np.abs(1200 * np.log2(blocks.f0_hz[both] / whole.f0_hz[both])) < 20
        assert near.mean() > 0.99

    def test_says_nothing_on_the_terminal(self, capfd: pytest.CaptureFixture[str]) -> None:
        _track(get_tracker("melodia"), _singing(44100, 0.5))
        out, err = capfd.readouterr()
        assert out == err == ""


@needs_corpus("annotated_f0")
@pytest.mark.parametrize("name", ["swift-f0", "yin"])
def test_real_singing_is_tracked(name: str) -> None:
    import soundfile

    folder = corpora_root() / "annotated_f0"
    samples, rate = soundfile.read(folder / "mir1k_ariel_3_05.flac", dtype="float32")
    assert rate == 16000
    reference = np.loadtxt(folder / "mir1k_ariel_3_05.f0.csv", delimiter=",", skiprows=1)
    grid = PitchTrack(
        reference[:, 1].astype(np.float32), np.zeros(0, np.float32), 0.01, float(reference[0, 0])
    )
    found = agreement(grid, _track(get_tracker(name), samples))
    assert found.agreement is not None and found.agreement > 0.93
    assert found.voicing_agreement is not None and found.voicing_agreement > 0.85


class TestRegistry:
    def test_ours_are_there(self) -> None:
        assert {"melodia", "swift-f0", "yin"} <= set(tracker_names())

    @pytest.mark.parametrize("name", ["melodia", "swift-f0", "yin"])
    def test_parameters_are_whole_and_hashable(self, name: str) -> None:
        kind = tracker_class(name)
        tracker = kind()
        resolved = tracker.resolved_parameters()
        assert set(resolved) == {f.name for f in dataclasses.fields(kind.Parameters)}
        assert json.loads(canonical_json(resolved)) == resolved
        assert kind.from_mapping(resolved).resolved_parameters() == resolved
        assert isinstance(kind.version, int) and kind.sample_rate_hz > 0 and tracker.library

    def test_whole_numbers_are_floats_where_floats_are_meant(self) -> None:
        one = tracker_class("yin").from_mapping({"min_hz": 70}).resolved_parameters()
        other = tracker_class("yin").from_mapping({"min_hz": 70.0}).resolved_parameters()
        assert canonical_json(one) == canonical_json(other)

    def test_unknown_names_and_values_are_sentences(self) -> None:
        with pytest.raises(NotFoundError, match="did you mean 'melodia'"):
            get_tracker("melodai")
        with pytest.raises(UsageError, match="did you mean 'max_aperiodicity'"):
            get_tracker("yin", {"max_aperiodic": 0.2})
        with pytest.raises(UsageError, match="min_hz: expected float, got 'low'"):
            get_tracker("yin", {"min_hz": "low"})
        with pytest.raises(UsageError, match="expected int, got True"):
            get_tracker("yin", {"window_hops": True})
        with pytest.raises(UsageError, match="min_confidence must lie between"):
            get_tracker("swift-f0", {"min_confidence": 1.5})
        with pytest.raises(UsageError, match="power of two"):
            tracker_class("melodia").from_mapping({"frame_samples": 2000})
        with pytest.raises(UsageError, match="cannot run on device 'cuda:0'"):
            get_tracker("yin").track([], device="cuda:0")
        with pytest.raises(UsageError, match="mono blocks"):
            list(get_tracker("yin").track([[np.zeros((10, 2), np.float32)]]))

    def test_a_missing_package_names_its_extra(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(__import__("sys").modules, "essentia", None)
        with pytest.raises(MissingExtraError, match=r"pip install 'motifdb\[essentia\]'"):
            get_tracker("melodia")
        assert tracker_class("melodia")().resolved_parameters()["hop_samples"] == 256

    def test_others_offer_trackers_by_entry_point(self, monkeypatch: pytest.MonkeyPatch) -> None:
        here = f"{__name__}:Constant"
        offers = [
            importlib.metadata.EntryPoint("constant", here, "motifdb.trackers"),
            importlib.metadata.EntryPoint("yin", here, "motifdb.trackers"),
            importlib.metadata.EntryPoint("broken", "no_such_module_at_all:X", "motifdb.trackers"),
            importlib.metadata.EntryPoint("stranger", "json:loads", "motifdb.trackers"),
        ]

        def entry_points(**select: str) -> list[importlib.metadata.EntryPoint]:
            return [e for e in offers if all(getattr(e, k) == v for k, v in select.items())]

        monkeypatch.setattr(importlib.metadata, "entry_points", entry_points)
        assert "constant" in tracker_names()
        tracker = get_tracker("constant", {"hz": 100})
        assert _track(tracker, np.zeros(30, np.float32)).f0_hz.tolist() == [100.0, 100.0, 100.0]
        with pytest.raises(UsageError, match="'yin' is offered by"):
            get_tracker("yin")
        with pytest.raises(MissingExtraError, match="cannot be imported"):
            get_tracker("broken")
        with pytest.raises(UsageError, match="expected a subclass"):
            get_tracker("stranger")

    @pytest.mark.parametrize("name", NAMES)
    def test_a_tracker_travels_to_workers_after_use(self, name: str) -> None:
        tracker = get_tracker(name)
        samples = _singing(tracker.sample_rate_hz, 1.0)
        before = _track(tracker, samples)
        after = _track(pickle.loads(pickle.dumps(tracker)), samples)
        np.testing.assert_array_equal(before.f0_hz, after.f0_hz)


@dataclasses.dataclass(frozen=True)
class ConstantParameters:
    hz: float = 440.0


class Constant(Tracker):
    """Somebody else's tracker."""

    name = "constant"
    version = 1
    sample_rate_hz = 1000
    Parameters = ConstantParameters

    def _track(self, batch: Any, device: str) -> Iterator[PitchTrack]:
        for blocks in batch:
            n = sum(block.size for block in blocks) // 10
            yield PitchTrack(np.full(n, self.parameters.hz, np.float32), np.zeros(0, np.float32), 0.01)


@given(
    st.lists(st.integers(0, 7), max_size=12),
    st.integers(1, 9),
)
def test_rechunk_keeps_every_sample(sizes: list[int], n_samples: int) -> None:
    samples = np.arange(sum(sizes), dtype=np.float32)
    blocks: Blocks = np.split(samples, np.cumsum(sizes)[:-1]) if sizes else []
    out = list(rechunk(blocks, n_samples))
    assert all(block.size == n_samples for block in out[:-1])
    assert not out or 0 < out[-1].size <= n_samples
    assert [x for block in out for x in block.tolist()] == samples.tolist()


_hz = st.lists(
    st.one_of(
        st.sampled_from([0.0, -220.0, float("nan"), float("inf"), 440.0, 452.0, 453.0]),
        st.floats(50, 2000, width=32),
    ),
    max_size=30,
)


@settings(deadline=None)
@given(
    _hz,
    _hz,
    st.sampled_from([0.01, 0.016, 256 / 44100]),
    st.sampled_from([0.01, 0.016, 256 / 44100]),
    st.floats(-0.1, 0.1),
)
def test_agreement_equals_the_plain_twin(
    a_hz: list[float], b_hz: list[float], a_hop_s: float, b_hop_s: float, start_s: float
) -> None:
    none = np.zeros(0, np.float32)
    a = PitchTrack(np.array(a_hz, np.float32), none, a_hop_s)
    b = PitchTrack(np.array(b_hz, np.float32), none, b_hop_s, start_s)
    assert dataclasses.astuple(agreement(a, b)) == pytest.approx(plain_agreement(a, b))


def test_agreement_by_hand() -> None:
    none = np.zeros(0, np.float32)
    a = PitchTrack(np.array([440, 440, 440, 440, 0, 0], np.float32), none, 0.01)
    b = PitchTrack(np.array([440, 450, 460, 0, 100], np.float32), none, 0.01)
    found = agreement(a, b)
    assert found.n_frames == 6
    assert found.agreement == pytest.approx(2 / 3)  # 0, 39, 77 cents
    assert found.voicing_agreement == pytest.approx(4 / 6)  # the fourth and fifth differ; the sixth b lacks
    assert dataclasses.astuple(agreement(PitchTrack(none, none, 0.01), b)) == (0, None, None)
    assert agreement(a, PitchTrack(none, none, 0.01)).agreement is None
