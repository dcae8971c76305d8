"""Search by pitch, symbols and motif: against the obvious way, and what it must not depend on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from motifdb.catalog.store import Snapshot
from motifdb.errors import MotifdbError, NotFoundError, UsageError
from motifdb.kernels.dtw import centred, every_cost, padded
from motifdb.query.database import Database
from motifdb.query.search import search, search_pitch
from motifdb.query.search.pitch import (
    Hits,
    Query,
    Work,
    kept,
    places,
    query_on_grid,
    search_voiced,
    tempo_steps,
)
from motifdb.query.search.voiced import LONGEST_REST_S, Voiced, from_tracks, voiced_cents, voiced_pitch
from motifdb.schemas import TABLES
from tests.corpora import corpora_root, needs_corpus
from tests.query.conftest import make_database
from tests.query.example import PITCH_ID, RECORDING, example_rows
from tests.reference import search as reference

HOP_S = 0.05
Track = tuple[str, NDArray[np.float32], float, float]


def _hz(cents: Any) -> NDArray[np.float32]:
    return (440 * 2 ** (np.asarray(cents, np.float64) / 1200)).astype(np.float32)


def _walk(seed: int, n: int) -> NDArray[np.float64]:
    """Notes of a quarter of a second, with some vibrato."""
    rng = np.random.default_rng(seed)
    notes = np.repeat(np.cumsum(rng.choice([-400, -200, -100, 100, 200, 300], n // 5 + 1)) % 1400, 5)[:n]
    return np.asarray(notes + 30 * np.sin(np.arange(n)) - 700.0)


def _track(name: str, cents: Any, unvoiced: Any = ()) -> Track:
    f0_hz = _hz(cents)
    f0_hz[list(unvoiced)] = 0
    return name, f0_hz, HOP_S, 0.0


@st.composite
def corpora(draw: st.DrawFn) -> tuple[Voiced, Query]:
    tracks = []
    for i in range(draw(st.integers(1, 3))):
        n = draw(st.integers(5, 40))
        cents = draw(st.lists(st.integers(-8, 8), min_size=n, max_size=n))
        holes = draw(st.lists(st.integers(0, n - 1), max_size=3))
        tracks.append(_track(f"r{i}", np.array(cents) * 100.0, holes))
    size = draw(st.integers(4, 8))
    query = draw(st.lists(st.integers(-8, 8), min_size=size, max_size=size))
    return from_tracks(tracks), Query(np.array(query, np.float32) * 100, HOP_S)


@given(corpora(), st.integers(1, 6), st.booleans())
@settings(max_examples=25)
def test_the_places_are_those_of_the_definition(corpus: tuple[Voiced, Query], n: int, once: bool) -> None:
    voiced, query = corpus
    steps = tempo_steps(True)
    pieces = []
    for p in range(voiced.offset.size - 1):
        at_tempo = {}
        for k in steps:
            grid = voiced.grid(HOP_S * 2 ** (k / 4))
            at_tempo[k] = grid.series[grid.offset[p] : grid.offset[p + 1]].tolist()
        pieces.append((int(voiced.piece_recording[p]), at_tempo))
    expected = reference.nearest(pieces, query.cents.tolist(), HOP_S, query.band, n, once=once)
    found = search_voiced(voiced, query, n=n, once=once)
    size = query.cents.size
    assert [(f.distance_cents, f.recording_id, f.tempo_ratio) for f in found] == [
        (c / size, voiced.recording_ids[pieces[p][0]], 2 ** (k / 4)) for c, p, _, k in expected
    ]
    spans = [
        voiced.times(p, begin, begin + size * HOP_S * 2 ** (k / 4), HOP_S / 2) for _, p, begin, k in expected
    ]
    assert [f.start_s for f in found] == pytest.approx([start for start, _ in spans])
    assert [f.end_s for f in found] == pytest.approx([end for _, end in spans])


def _plain(voiced: Voiced, query: Query, n: int) -> Any:
    """Every cost, then the nearest: what search must answer."""
    pad, size = padded(centred(query.cents), query.band), query.cents.size
    every = []
    for k in tempo_steps(True):
        hop_s = query.hop_s * 2 ** (k / 4)
        grid = voiced.grid(hop_s)
        for piece in range(grid.offset.size - 1):
            series = grid.series[grid.offset[piece] : grid.offset[piece + 1]]
            costs = np.empty(max(series.size - size + 1, 0), np.float32)
            every_cost(pad, query.band, series, 0, costs)
            begin = np.arange(costs.size, dtype=np.float64)
            means = [reference.rounded_mean(series[b : b + size].tolist()) for b in range(costs.size)]
            ones = np.ones(costs.size, np.int64)
            every.append(
                Hits(costs, ones * piece, begin * hop_s, (begin + size) * hop_s, ones * k, np.array(means, np.float32))
            )  # fmt: skip
    whole = Hits(*(np.concatenate([getattr(h, f) for h in every]) for f in Hits.__dataclass_fields__))
    return places(voiced, query, kept(whole, voiced.piece_recording, False, n), voiced.piece_recording)


@needs_corpus("otmm_makam")
def test_real_pitch_gives_the_same_places_as_plain_warping() -> None:
    paths = sorted((corpora_root() / "otmm_makam").glob("*/*.pitch"))[:3]
    tracks = [
        (p.stem, np.array(p.read_bytes().split(), np.float32)[:20_000], 128 / 44100, 0.0) for p in paths
    ]
    voiced = from_tracks(tracks)
    for i, (name, f0_hz, hop_s, _) in enumerate(tracks):
        sung = voiced_cents(f0_hz[6000 : 6000 + 1200], hop_s) + np.float32(333.3)
        query = query_on_grid(sung, hop_s)
        work = Work()
        found = search_voiced(voiced, query, n=5, work=work)
        assert found == _plain(voiced, query, 5), i
        assert found[0].recording_id == name
        first = 6000 + int(np.flatnonzero(f0_hz[6000:])[0])
        assert found[0].start_s == pytest.approx(first * hop_s, abs=0.1)
        assert found[0].transposition_cents == pytest.approx(-333, abs=30)
        assert 0 < work.within_limit <= work.within_envelope <= work.within_coarse < work.candidates / 2


TRACKS = [_track(f"song {i}", _walk(i, 300)) for i in range(6)]


@pytest.fixture(scope="module")
def voiced() -> Voiced:
    return from_tracks(TRACKS)


@given(st.floats(-900, 900), st.integers(0, 5), st.integers(0, 200))
@settings(max_examples=20)
def test_no_transposition_hides_the_source(voiced: Voiced, shift: float, song: int, first: int) -> None:
    sung = _walk(song, 300)[first : first + 60] + shift
    best = search_voiced(voiced, query_on_grid(sung, HOP_S), n=1)[0]
    assert best.recording_id == f"song {song}"
    assert best.start_s == pytest.approx(first * HOP_S, abs=0.11)
    assert best.distance_cents < 12
    assert best.transposition_cents == pytest.approx(-shift, abs=6)


@pytest.mark.parametrize("stretch", [0.7, 0.85, 1.0, 1.2, 1.4])
def test_a_slower_or_faster_query_finds_its_source(voiced: Voiced, stretch: float) -> None:
    at = (np.arange(round(70 / stretch)) * stretch).astype(int)
    query = query_on_grid(_walk(3, 300)[100:200][at], HOP_S)
    best = search_voiced(voiced, query, n=1)[0]
    assert best.recording_id == "song 3"
    assert best.start_s == pytest.approx(5.0, abs=0.5)
    assert best.tempo_ratio == pytest.approx(stretch, rel=0.1)
    stiff = search_voiced(voiced, query, n=1, tempo=False)[0]
    assert stiff.tempo_ratio == 1
    assert stiff.distance_cents >= best.distance_cents


def test_rests_change_nothing_but_long_ones_part() -> None:
    melody = _walk(9, 60)
    held = np.repeat(melody, 1)
    rest = round(LONGEST_REST_S / HOP_S)
    for n_rest, is_found in ((7, True), (rest, True), (rest + 1, False)):
        cents = np.concatenate([held[:30], np.zeros(n_rest), held[30:]])
        found = search_voiced(
            from_tracks([_track("a", cents, range(30, 30 + n_rest))]), query_on_grid(melody, HOP_S), n=1, tempo=False
        )  # fmt: skip
        assert bool(found) == is_found
        if found:
            assert found[0].distance_cents == 0
            assert (found[0].start_s, found[0].end_s) == pytest.approx((0, (60 + n_rest) * HOP_S))


def test_places_do_not_overlap_and_distances_rise(voiced: Voiced) -> None:
    query = query_on_grid(_walk(2, 300)[50:110], HOP_S)
    found = search_voiced(voiced, query, n=12)
    assert len(found) == 12
    assert [p.rank for p in found] == list(range(1, 13))
    assert [p.distance_cents for p in found] == sorted(p.distance_cents for p in found)
    for a in found:
        for b in found:
            if a is not b and a.recording_id == b.recording_id:
                assert a.end_s <= b.start_s + 1e-6 or b.end_s <= a.start_s + 1e-6
    fewer = search_voiced(voiced, query, n=4)
    assert fewer == found[:4], "how many are wanted changes no place"
    near = search_voiced(voiced, query, n=12, max_distance_cents=found[2].distance_cents)
    assert near == found[:3]
    single = search_voiced(voiced, query, n=12, once=True)
    assert len({p.recording_id for p in single}) == len(single) == 6
    chosen = search_voiced(voiced, query, n=3, recordings=["song 4"])
    assert {p.recording_id for p in chosen} == {"song 4"}


@pytest.mark.parametrize(
    ("cents", "hop_s", "sentence"),
    [
        ([], 0.01, "no voiced frame"),
        ([0.0] * 10, 0.01, "give at least 0.2 s"),
        ([0.0] * 4000, 0.01, "cut it to 30 s or less"),
        ([0.0, float("nan")] * 30, 0.01, "finite number"),
    ],
)
def test_queries_that_cannot_be(cents: list[float], hop_s: float, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        query_on_grid(np.array(cents), hop_s)


def test_a_short_query_has_forty_frames_whatever_its_hop() -> None:
    cents = np.linspace(0.0, 300.0, 200)
    for hop_s in (128 / 44100, 0.003, 0.005, 0.008):
        assert query_on_grid(cents, hop_s).cents.size == 40


def test_many_places_take_no_longer_than_they_must(voiced: Voiced) -> None:
    query = query_on_grid(_walk(2, 300)[50:90], HOP_S)
    every = search_voiced(voiced, query, n=10**9)
    some = search_voiced(voiced, query, n=len(every))
    assert every == some and len(every) > 30


# -- over a database --------------------------------------------------------------------------------------

MOTIF = next(m for m in example_rows()["motifs"] if m["contour"] == "+1 -2 +1")


def test_exact_contours_come_first(example: Snapshot) -> None:
    rows = search(example, "+1 -2 +1", n=100).to_pylist()
    edits = [r["distance_edits"] for r in rows]
    assert edits == sorted(edits)
    assert {0, 1} == set(edits), "one edit for three symbols, unless said otherwise"
    known = {
        (o["recording_id"], round(o["start_s"], 6), round(o["end_s"], 6))
        for o in example_rows()["occurrences"]
        if o["motif_id"] == MOTIF["motif_id"]
    }
    exact = [r for r in rows if r["distance_edits"] == 0]
    assert {r["contour"] for r in exact} == {"+1 -2 +1"}
    own = {(r["recording_id"], round(r["start_s"], 6), round(r["end_s"], 6)) for r in exact}
    assert own & known, "places and occurrences have the same spans"
    assert search(example, "+1 -2 +1", n=100, max_distance=0).num_rows == len(exact)
    assert search(example, "+1 -2 +1", n=100, once=True).num_rows == 3
    one = search(example, "+1 -2 +1", recordings=[RECORDING["bela"]]).column("recording_id").to_pylist()
    assert set(one) == {RECORDING["bela"]}
    assert search(example, "+1 -2 +1", recordings=[]).num_rows == 0
    assert search(example, "+9 +9 +9 +9", max_distance=0).num_rows == 0


@pytest.fixture(scope="module")
def sung_db(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example, its pitch as its contours say."""
    rows = example_rows()
    for row in rows["pitch"]:
        times_s = row["start_s"] + row["hop_s"] * (np.arange(len(row["f0_hz"])) + 0.5)
        f0_hz = np.zeros(len(row["f0_hz"]))
        for phrase in rows["contours"]:
            if phrase["recording_id"] == row["recording_id"]:
                spans = zip(
                    phrase["segment_start_s"], phrase["segment_end_s"], phrase["segment_cents"], strict=True
                )
                for start_s, end_s, cents in spans:
                    f0_hz[(times_s > start_s) & (times_s < end_s)] = 440 * 2 ** (cents / 1200)
        row["f0_hz"] = f0_hz.tolist()
    tables = {name: TABLES[name].table(rows[name]) for name in rows}
    return make_database(tmp_path_factory.mktemp("sung") / "songs.motifdb", tables)


def test_a_motif_finds_its_occurrences(sung_db: Path) -> None:
    with Database(sung_db) as database:
        rows = database.search(MOTIF["motif_id"][:12], n=3, tempo=False).rows()
    assert rows[0]["is_occurrence"] is True
    assert rows[0]["distance_cents"] < 5
    assert {r["contour"] for r in rows} == {None}


def test_a_melody_of_the_database_finds_itself(sung_db: Path) -> None:
    with Database(sung_db) as database:
        pitch = voiced_pitch(database.snapshot)
        heard, hop_s = pitch.between(RECORDING["chitra"], 0.0, 100.0)
        cents = heard.astype(np.float64)
        best = search_pitch(database, cents[:40] + 500.0, hop_s, n=1)[0]
        assert (best.recording_id, best.transposition_cents) == (RECORDING["chitra"], -500)
        with pytest.raises(NotFoundError, match="no pitch of recording"):
            search_pitch(database, cents, hop_s, recordings=["00nowhere"])
        assert search_pitch(database, cents[:40], hop_s, pitch_analysis=PITCH_ID[:8])[0].distance_cents == 0


@pytest.mark.parametrize(
    ("query", "given", "sentence"),
    [
        ("+1 -2 0", {}, "there is no motif"),
        ("+1 +200", {}, "symbols go from"),
        ("+1 -2", {"max_distance": 2}, "within 0 to 1 edits, not 2"),
        ("+1 -2", {"max_distance": 0.5}, "whole number of edits"),
        ("+1 -2", {"max_distance": float("nan")}, "0 or more, in cents or edits, got nan"),
        ("+1 -2", {"max_distance": float("inf")}, "0 or more"),
        (MOTIF["motif_id"], {"max_distance": -1}, "0 or more"),
        (MOTIF["motif_id"], {"analysis": "yin"}, "leave out the analysis"),
        ("+1 -2", {"recordings": ["it's none"]}, 'no recording "it\'s none"'),
        ("+1 -2", {"n": 0}, "at least one place"),
        ("+1 -2", {"analysis": "nowhere"}, "no analysis of contours 'nowhere'"),
        ("", {}, "an empty text"),
        ("zz", {}, "there is no motif 'zz'"),
        (MOTIF["motif_id"], {"tempo": (3, 2)}, "the lower first"),
        (" ".join(["+1"] * 65), {}, "at most 64"),
    ],
)
def test_what_cannot_be_searched_is_said(
    example: Snapshot, query: str, given: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(MotifdbError, match=sentence):
        search(example, query, **given)


def test_sql_searches(sung_db: Path) -> None:
    with Database(sung_db) as database:
        rows = database.sql(
            "select path, distance_edits from motif_search('+1 -2 +1', n := 4, max_distance := 0) order by rank"
        ).rows()
        assert (
            rows == database.sql("select path, 0 as distance_edits from motif_search('+1 -2 +1', 4)").rows()
        )
        joined = database.sql(
            "select t.path, s.rank from motif_search($m, once := true, tempo := 'same') s join tracks t using (recording_id)",
            {"m": MOTIF["motif_id"]},
        ).rows()
        assert 1 in {r["rank"] for r in joined}
        melody = {"cents": np.repeat([0.0, 33.0, -67.0, -34.0], 15).tolist(), "hop_s": 0.01}
        heard = database.sql("from hum_search($q, n := 2)", {"q": melody}).rows()
        assert [r["rank"] for r in heard] == [1, 2]
        assert heard[0]["distance_cents"] <= heard[1]["distance_cents"]
        for query, sentence in (
            ("from hum_search('hum.wav')", "bind one"),
            ("from motif_search(3)", "takes a contour"),
            ("from motif_search('+1', tempo := 'fast')", "a tempo is free"),
            ("from motif_search('+1', n := 'x')", "n := takes a whole number, not 'x'"),
            ("from motif_search('+1', n := 2.5)", "n := takes a whole number"),
            ("from motif_search('+1', once := 'false')", "once := takes true or false"),
            ("from motif_search('+1', analysis := 5)", "analysis := takes a text"),
            ("from motif_search('+1', max_distance := 'nan'::double)", "0 or more"),
            ("from motif_search('+1', max_distance := [1])", "max_distance := takes a number"),
        ):
            with pytest.raises(UsageError, match=sentence):
                database.sql(query)
