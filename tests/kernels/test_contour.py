"""Contours: by hand, against the plain twin, and against a published mining database of real singing."""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from motifdb.config import ContourConfig
from motifdb.errors import UsageError
from motifdb.kernels.cents import UNVOICED, millicents_from_hz
from motifdb.kernels.contour import PhraseArrays, cents_from_hz, contours
from motifdb.kernels.kmeans import cents_histogram, fit_kmeans
from motifdb.kernels.phrases import cut_phrases, fewest_frames, longest_frames
from motifdb.kernels.segments import QUANTISERS, class_limits
from tests.corpora import corpora_root, needs_corpus, needs_reference, reference_root
from tests.reference.contour import Phrase, ref_cents, ref_contours

MAKAM_HOP_S = 128 / 44100
PLAIN = ContourConfig(max_jump_cents=None, min_piece_s=0.0)


def hz(cents: float | NDArray[np.float64]) -> NDArray[np.float32]:
    return np.asarray(440 * 2 ** (np.asarray(cents) / 1200), dtype=np.float32)


def held(*levels_cents: float, n_frames: int = 10) -> NDArray[np.float32]:
    return np.repeat(hz(np.array(levels_cents, dtype=np.float64)), n_frames)


def assert_equal(comp: PhraseArrays, ref: list[Phrase], hop_s: float, start_s: float) -> None:
    assert comp.n_phrases == len(ref)
    for p, phrase in enumerate(ref):
        symbols = comp.symbols[comp.symbol_offsets[p] : comp.symbol_offsets[p + 1]]
        assert symbols.tolist() == phrase.symbols
        s = slice(comp.segment_offsets[p], comp.segment_offsets[p + 1])
        assert comp.segment_cents[s].tolist() == [float(g.cents) for g in phrase.segments]
        assert comp.segment_start_s[s].tolist() == [start_s + g.frames[0] * hop_s for g in phrase.segments]
        assert comp.segment_end_s[s].tolist() == [
            start_s + (g.frames[-1] + 1) * hop_s for g in phrase.segments
        ]
    assert comp.symbols.size == comp.symbol_offsets[-1]
    assert comp.segment_cents.size == comp.segment_offsets[-1]


# --- cents ----------------------------------------------------------------------------------------------------------


def test_cents_of_known_pitches_and_of_what_is_unvoiced() -> None:
    f0 = [440.0, 220.0, 880.0, 441.0, 0.0, -0.0, -440.0, np.nan, np.inf, -np.inf, 1e-40]
    assert cents_from_hz(f0)[:4].tolist() == [0.0, -1200.0, 1200.0, 3.93]
    assert np.isnan(cents_from_hz(f0)[4:]).all()
    assert (millicents_from_hz(f0)[4:] == UNVOICED).all()
    assert cents_from_hz([]).size == 0


@given(st.lists(st.floats(width=32), max_size=50))
def test_cents_equal_the_plain_twin_for_any_float(f0: list[float]) -> None:
    ref = [None if c is None else float(c) for c in map(ref_cents, f0)]
    comp = [None if np.isnan(c) else c for c in cents_from_hz(f0).tolist()]
    assert comp == ref


@pytest.mark.parametrize("exponent", range(5, 13))
def test_cents_equal_a_library_logarithm_over_a_whole_octave(exponent: int) -> None:
    """Every 7th of the 2**23 floats of an octave from 32 to 8192 Hz."""
    f0 = np.arange(exponent + 127 << 23, exponent + 128 << 23, 7, dtype=np.int32).view(np.float32)
    ref = np.rint(1.2e6 * np.log2(f0.astype(np.float64) / 440.0)).astype(np.int32)
    np.testing.assert_array_equal(millicents_from_hz(f0), ref)


def test_confidence_below_the_least_is_unvoiced_and_without_confidence_all_count() -> None:
    f0 = [440.0] * 4
    assert millicents_from_hz(f0, [0.69, 0.7, 0.9, np.nan], 0.7).tolist() == [UNVOICED, 0, 0, UNVOICED]
    assert millicents_from_hz(f0, [], 0.7).tolist() == [0, 0, 0, 0]
    assert millicents_from_hz(f0, [np.nan] * 4, 0.0).tolist() == [0, 0, 0, 0]
    with pytest.raises(UsageError, match="one value for each frame"):
        millicents_from_hz(f0, [0.9], 0.7)
    with pytest.raises(UsageError, match="one value for each frame"):
        millicents_from_hz(np.ones((2, 2)))


# --- phrases --------------------------------------------------------------------------------------------------------


def test_limits_in_frames_are_those_of_float_comparison() -> None:
    for hop_s in (0.01, 0.1, MAKAM_HOP_S, 0.016, 1 / 3):
        for limit_s in (0.0, 0.05, 0.1, 0.3, 0.7, 30.0):
            n = longest_frames(limit_s, hop_s)
            assert n * hop_s <= limit_s < (n + 1) * hop_s
            m = fewest_frames(limit_s, hop_s)
            assert m * hop_s >= limit_s
            assert m == 0 or (m - 1) * hop_s < limit_s


def test_a_rest_of_just_the_limit_is_joined_and_one_frame_more_ends_the_phrase() -> None:
    sung = held(0, 200)
    for n_rest, n_phrases in ((30, 1), (31, 2)):
        f0 = np.concatenate([sung, np.zeros(n_rest, np.float32), sung])
        assert contours(f0, None, 1 / 128, 0.0, replace(PLAIN, max_rest_s=30 / 128)).n_phrases == n_phrases


def test_a_jump_of_just_the_limit_is_kept_and_short_pieces_beyond_it_go() -> None:
    at_limit = np.array([0] * 10 + [300_000] * 4 + [0] * 10, dtype=np.int32)
    beyond = np.array([0] * 10 + [300_001] * 4 + [0] * 10, dtype=np.int32)
    for pitches, min_piece_s, n_kept in ((at_limit, 0.05, 24), (beyond, 0.05, 20), (beyond, 0.04, 24)):
        cut = cut_phrases(pitches, 0.01, max_rest_s=0.3, max_jump_cents=300.0, min_piece_s=min_piece_s)
        assert cut.offsets.tolist() == [0, n_kept]
    joined = cut_phrases(beyond, 0.01, max_rest_s=0.3, max_jump_cents=300.0, min_piece_s=0.05)
    assert joined.frame.tolist() == [*range(10), *range(14, 24)]
    kept = cut_phrases(beyond, 0.01, max_rest_s=0.3, max_jump_cents=None, min_piece_s=0.05)
    assert kept.frame.size == 24


def test_a_short_phrase_without_a_jump_is_a_short_piece() -> None:
    f0 = np.concatenate([held(0, 200, n_frames=2), np.zeros(50, np.float32), held(0, 200)])
    phrases = contours(f0, None, 0.01, 0.0, ContourConfig())
    assert phrases.n_phrases == 1
    assert phrases.segment_start_s.tolist() == [0.54, 0.64]


def test_phrases_shorter_than_the_least_are_left_out() -> None:
    f0 = np.concatenate([held(0, 200, n_frames=5), np.zeros(50, np.float32), held(0, 200)])
    assert contours(f0, None, 0.01, 0.0, replace(PLAIN, min_phrase_s=0.1)).n_phrases == 2
    assert contours(f0, None, 0.01, 0.0, replace(PLAIN, min_phrase_s=0.11)).n_phrases == 1
    assert contours(f0, None, 0.01, 0.0, replace(PLAIN, min_phrase_s=0.21)).n_phrases == 0


def test_the_median_removes_a_spike_that_would_be_two_steps() -> None:
    f0 = held(0, 200)
    f0[4:6] = hz(150.0)
    assert contours(f0, None, 0.01, 0.0, PLAIN).symbols.tolist() == [3, -3, 4]
    assert contours(f0, None, 0.01, 0.0, replace(PLAIN, median_s=0.05)).symbols.tolist() == [4]


# --- segments and symbols -------------------------------------------------------------------------------------------


def test_bounds_closed_on_the_right_or_on_the_left() -> None:
    """Steps of exactly a bound, and a thousandth of a cent to both sides, by the limits themselves."""
    bounds = (66.0, 132.0, 198.0)
    right, left = class_limits(bounds, "right"), class_limits(bounds, "left")
    for b in range(3):
        step = round(bounds[b] * 2000)
        assert (step > right).sum() == b
        assert (step + 1 > right).sum() == b + 1
        assert (step > left).sum() == b + 1
        assert (step - 1 > left).sum() == b


def test_a_step_of_exactly_a_bound_is_lower_or_upper_as_asked() -> None:
    centres = (0.0, 70.0, 182.0)
    kmeans = replace(PLAIN, quantiser="kmeans", k=3, centres_cents=centres, bounds_cents=(70.0, 112.0))
    f0 = held(0, 70, 182, 70, 0, 182)
    assert contours(f0, None, 0.01, 0.0, kmeans).symbols.tolist() == [1, 2, -2, -1, 3]
    left = replace(kmeans, bounds_closed="left")
    assert contours(f0, None, 0.01, 0.0, left).symbols.tolist() == [2, 3, -3, -2, 3]


def test_a_segment_of_exactly_epsilon_holds_together() -> None:
    """Pitches found by search to lie exactly 66.000 and 66.001 cents apart after rounding."""
    grid = np.arange(np.float32(440).view(np.int32), np.float32(460).view(np.int32), dtype=np.int32).view(
        np.float32
    )
    pitch = millicents_from_hz(grid)
    for apart, n_segments in ((66_000, 1), (66_001, 2)):
        top = grid[np.searchsorted(pitch, apart)]
        assert millicents_from_hz([top]).tolist() == [apart]
        f0 = np.concatenate([np.repeat(np.float32(440), 5), np.repeat(top, 5), held(-300)])
        assert contours(f0, None, 0.01, 0.0, PLAIN).segment_cents.size == n_segments + 1


def test_a_frame_midway_between_two_centres_is_in_the_lower_cluster() -> None:
    kmeans = replace(PLAIN, quantiser="kmeans", k=2, centres_cents=(-100.0, 100.0))
    phrases = contours(np.concatenate([held(-100, 0, n_frames=5), held(100)]), None, 0.01, 0.0, kmeans)
    assert phrases.segment_end_s.tolist() == [0.1, 0.2]
    assert phrases.segment_cents.tolist() == [-100.0, 100.0]


@pytest.mark.parametrize("quantiser", sorted(QUANTISERS))
def test_nothing_voiced_gives_no_phrase(quantiser: str) -> None:
    config = ContourConfig(quantiser=quantiser, k=3, kmeans_scope="recording")  # type: ignore[arg-type]
    tracks: list[list[float]] = [[], [0.0], [np.nan] * 100, [-1.0, np.inf] * 40, [440.0], [440.0] * 100]
    for f0 in tracks:
        phrases = contours(f0, None, 0.01, 5.0, config)
        assert phrases.n_phrases == 0
        assert phrases.symbol_offsets.tolist() == [0]
        assert phrases.segment_offsets.tolist() == [0]
        assert phrases.symbols.dtype == np.int8


def test_kmeans_of_recording_scope_fits_its_own_centres() -> None:
    f0 = held(0, 200, 700, 200)
    config = replace(PLAIN, quantiser="kmeans", k=3, kmeans_scope="recording")
    comp = contours(f0, None, 0.01, 0.0, config)
    centres = tuple(fit_kmeans(cents_histogram(f0), 3).tolist())
    given_centres = contours(f0, None, 0.01, 0.0, replace(config, centres_cents=centres))
    assert comp.segment_cents.tolist() == given_centres.segment_cents.tolist() == [0.0, 200.0, 700.0, 200.0]


def test_what_cannot_be_is_refused_in_a_sentence() -> None:
    with pytest.raises(UsageError, match="hop_s must be more than 0"):
        contours([440.0], None, 0.0, 0.0, PLAIN)
    with pytest.raises(UsageError, match=r"needs contour\.k"):
        contours([440.0], None, 0.01, 0.0, replace(PLAIN, quantiser="kmeans"))
    with pytest.raises(UsageError, match="scope 'corpus' needs"):
        contours([440.0], None, 0.01, 0.0, replace(PLAIN, quantiser="kmeans", k=3))
    with pytest.raises(UsageError, match="must ascend"):
        contours([440.0], None, 0.01, 0.0, replace(PLAIN, quantiser="kmeans", k=2, centres_cents=(5.0, 5.0)))


# --- against the twin -----------------------------------------------------------------------------------------------

tracks = st.lists(
    st.tuples(
        st.one_of(
            st.sampled_from([0.0, -100.0, float("nan"), float("inf")]),
            st.integers(-9, 9).map(lambda n: float(hz(33.0 * n))),  # many pitches near a bound apart
            st.floats(100, 1000, width=32),
        ),
        st.integers(1, 12),
    ),
    max_size=30,
).map(lambda runs: [f for f, n in runs for _ in range(n)])
configs = st.builds(
    ContourConfig,
    quantiser=st.sampled_from(["epsilon", "kmeans"]),
    epsilon_cents=st.sampled_from([33.0, 66.0, 0.001, 200.0]),
    centres_cents=st.lists(st.integers(-1200, 1200), min_size=1, max_size=6, unique=True).map(
        lambda c: tuple(sorted(map(float, c)))
    ),
    bounds_cents=st.sampled_from([(66.0, 132.0, 198.0), (70.0, 112.0), (33.0,)]),
    bounds_closed=st.sampled_from(["left", "right"]),
    max_rest_s=st.sampled_from([0.0, 0.03, 0.05, 1.0]),
    max_jump_cents=st.sampled_from([None, 33.0, 66.0, 300.0]),
    min_piece_s=st.sampled_from([0.0, 0.03, 0.05]),
    min_phrase_s=st.sampled_from([0.0, 0.1]),
    median_s=st.sampled_from([0.0, 0.03, 0.07]),
    min_confidence=st.sampled_from([0.0, 0.5]),
)


@settings(max_examples=300, deadline=None)
@given(tracks, configs, st.sampled_from([0.01, MAKAM_HOP_S]), st.sampled_from([0.0, 2.5]), st.randoms())
def test_contours_equal_the_plain_twin(
    f0: list[float], config: ContourConfig, hop_s: float, start_s: float, random: object
) -> None:
    confidence = [random.choice([0.2, 0.5, 0.9]) for _ in f0]  # type: ignore[attr-defined]
    comp = contours(f0, confidence, hop_s, start_s, config)
    f0_32 = np.array(f0, dtype=np.float32).tolist()
    assert_equal(comp, ref_contours(f0_32, confidence, hop_s, config), hop_s, start_s)


@settings(max_examples=200, deadline=None)
@given(tracks, configs)
def test_neighbouring_levels_differ_and_segments_follow_each_other(
    f0: list[float], config: ContourConfig
) -> None:
    phrases = contours(f0, None, 0.01, 0.0, config)
    for p in range(phrases.n_phrases):
        s = slice(phrases.segment_offsets[p], phrases.segment_offsets[p + 1])
        assert (np.diff(phrases.segment_cents[s]) != 0).all()
        assert (phrases.segment_end_s[s][:-1] <= phrases.segment_start_s[s][1:] + 1e-9).all()
        assert (phrases.segment_start_s[s] < phrases.segment_end_s[s]).all()


# --- against a published database of real singing -------------------------------------------------------------------


def read_pitch(path: Path) -> NDArray[np.float32]:
    text = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return np.array(text.split(), dtype=np.float32)


def makam_tracks() -> dict[str, Path]:
    """The 200 tracks by Makam/mbid."""
    root = corpora_root() / "otmm_makam"
    paths = [*root.glob("*/*.pitch"), *root.glob("*/*.pitch.gz")]
    return {f"{p.parent.name}/{p.name.split('.')[0]}": p for p in paths}


@needs_corpus("otmm_makam")
@needs_reference("mining")
def test_34_real_recordings_equal_the_reference_database_symbol_for_symbol() -> None:
    root = reference_root() / "mining" / "db"
    names = json.loads((root / "manifest.json").read_text())["t200"]["recordings"]
    phrases: dict[str, list[list[int]]] = defaultdict(list)
    with gzip.open(root / "t200.txt.gz", "rt") as rows, gzip.open(root / "t200.songs.txt.gz", "rt") as songs:
        for row, song in zip(rows, songs, strict=True):
            codes = [int(word) for word in row.split() if word not in ("-1", "-2")]
            phrases[names[int(song)]].append([c if c <= 4 else 4 - c for c in codes])
    tracks = makam_tracks()
    shared = [name for name in names if name in tracks]
    assert len(shared) == 34
    n_symbols = 0
    for name in shared:
        comp = contours(read_pitch(tracks[name]), None, MAKAM_HOP_S, 0.0, ContourConfig())
        found = [s.tolist() for s in np.split(comp.symbols, comp.symbol_offsets[1:-1])]
        assert found == phrases[name], name
        n_symbols += comp.symbols.size
    assert n_symbols > 10_000


@needs_corpus("otmm_makam")
@pytest.mark.parametrize(
    "config",
    [
        ContourConfig(),
        ContourConfig(epsilon_cents=200.0, median_s=0.1, min_phrase_s=1.0, max_jump_cents=None),
        ContourConfig(quantiser="kmeans", k=12, centres_cents=tuple(100.0 * n for n in range(-18, 18))),
    ],
)
def test_a_real_recording_equals_the_plain_twin(config: ContourConfig) -> None:
    f0 = read_pitch(makam_tracks()["Acemasiran/00f1c6d9-c8ee-45e3-a06f-0882ebcb4e2f"])[:8000]
    comp = contours(f0, None, MAKAM_HOP_S, 1.0, config)
    assert comp.symbols.size > 20
    assert_equal(comp, ref_contours(f0.tolist(), [], MAKAM_HOP_S, config), MAKAM_HOP_S, 1.0)
