"""Stability against a plain recount; what each rerun changes; stopping, going on, measuring in another way."""

from __future__ import annotations

import shutil
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from motifdb.catalog.store import open_snapshot, open_writer
from motifdb.config import Config, ContourConfig, MiningConfig, preset
from motifdb.errors import NotFoundError, UsageError
from motifdb.pipelines.demo_corpus import make_demo_corpus
from motifdb.pipelines.perturb import changed_quantiser, half_frame_later, mined_places, with_noise
from motifdb.pipelines.progress import Quiet
from motifdb.pipelines.records import PitchTrack
from motifdb.pipelines.stability import Options, measure_stability
from motifdb.pipelines.stability_report import Report, draw, notes, table
from motifdb.pipelines.stages import pitch_tracks
from tests.pipelines.small import FINE, make_f0_corpus, prints, rows, run, violations
from tests.reference import spans as plain

NO_CONFIDENCE = np.empty(0, np.float32)


def measure(db: Path, **options: Any) -> Report:
    with open_writer(db, wait_s=10) as writer:
        return measure_stability(Options(**options), writer, Quiet())


@pytest.fixture
def db(tmp_path: Path) -> Path:
    corpus = make_f0_corpus(tmp_path / "corpus", n=6)
    run(tmp_path / "a.motifdb", corpus)
    return tmp_path / "a.motifdb"


def tracks(db: Path) -> dict[str, PitchTrack]:
    return {recording: track for recording, _, track in pitch_tracks(open_snapshot(db).table("pitch"))}


def by_motif(places: tuple[Any, Any, Any]) -> list[list[plain.Place]]:
    found: dict[int, list[plain.Place]] = defaultdict(list)
    for start_s, end_s, motif in zip(*(p.tolist() for p in places), strict=True):
        found[motif].append((start_s, end_s))
    return [found[k] for k in sorted(found)]


def stored(db: Path) -> dict[str, dict[str, list[plain.Place]]]:
    """Places of every motif by recording."""
    found: dict[str, dict[str, list[plain.Place]]] = defaultdict(lambda: defaultdict(list))
    for row in rows(db, "occurrences"):
        found[row["recording_id"]][row["motif_id"]].append((row["start_s"], row["end_s"]))
    return found


# -- what a rerun changes ----------------------------------------------------------------------------------


def test_an_unchanged_chain_finds_what_ingest_stored(db: Path) -> None:
    places = stored(db)
    assert places
    for recording, track in tracks(db).items():
        found = by_motif(mined_places(track, FINE.contour, FINE.mining))
        assert sorted(map(sorted, found)) == sorted(map(sorted, places[recording].values()))


@pytest.mark.parametrize(
    "mining", [MiningConfig(min_length=2, min_duration_s=0.6), MiningConfig(max_gap=1, support="sequences")]
)
def test_places_follow_every_rule_of_mining(tmp_path: Path, mining: MiningConfig) -> None:
    corpus = make_f0_corpus(tmp_path / "corpus", n=2)
    run(tmp_path / "a.motifdb", corpus, config=replace(FINE, mining=mining))
    places = stored(tmp_path / "a.motifdb")
    for recording, track in tracks(tmp_path / "a.motifdb").items():
        found = by_motif(mined_places(track, FINE.contour, mining))
        assert sorted(map(sorted, found)) == sorted(map(sorted, places[recording].values()))


def test_half_a_frame_later_is_between_neighbours() -> None:
    f0_hz = np.array([200, 202, 0, 300, 600, 600], np.float32)
    moved = half_frame_later(PitchTrack(f0_hz, (f0_hz / 1000).astype(np.float32), 0.01, 1.0))
    assert moved.f0_hz.tolist() == pytest.approx([np.sqrt(200 * 202), 0, 300, 600, 600])
    assert moved.start_s == pytest.approx(1.005) and moved.hop_s == 0.01
    assert moved.confidence.tolist() == pytest.approx([0.201, 0.101, 0.15, 0.45, 0.6])


def test_noise_has_the_size_that_was_said_and_is_the_same_again() -> None:
    track = PitchTrack(np.r_[np.full(20_000, 220), np.zeros(100)].astype(np.float32), NO_CONFIDENCE, 0.01)
    noisy = with_noise(track, "ab12", 3, 7.0).f0_hz
    cents = 1200 * np.log2(noisy[:20_000] / 220)
    assert np.std(cents) == pytest.approx(7.0, rel=0.03) and abs(np.mean(cents)) < 0.2
    assert not noisy[20_000:].any()
    assert np.array_equal(noisy, with_noise(track, "ab12", 3, 7.0).f0_hz)
    for other in (with_noise(track, "ab13", 3, 7.0), with_noise(track, "ab12", 4, 7.0)):
        assert not np.array_equal(noisy, other.f0_hz)


def test_the_quantiser_changes_by_a_tenth() -> None:
    epsilon = ContourConfig(epsilon_cents=80.0)
    assert [changed_quantiser(epsilon, d).epsilon_cents for d in (1, -1)] == [88.0, 72.0]  # type: ignore[union-attr]
    few = ContourConfig(quantiser="kmeans", k=3, centres_cents=(1.0, 2.0, 3.0))
    for direction, k in ((1, 2), (-1, 4)):
        changed = changed_quantiser(few, direction)
        assert changed is not None and (changed.k, changed.centres_cents) == (k, None)


# -- measuring ---------------------------------------------------------------------------------------------


def test_stability_is_the_share_of_reruns_that_confirm(db: Path) -> None:
    report = measure(db, seed=1, noise_cents=9.0)
    assert [s.name for s in report.shares] == ["coarser", "finer", "shift", "noise"]
    assert any("f0 tracks" in note for note in report.notes)
    wanted: dict[str, list[bool]] = defaultdict(list)
    for recording, track in tracks(db).items():
        motifs = stored(db)[recording]
        for changed, epsilon in (
            (track, 72.6),
            (track, 59.4),
            (half_frame_later(track), 66.0),
            (with_noise(track, recording, 1, 9.0), 66.0),
        ):
            contour = replace(FINE.contour, epsilon_cents=epsilon)
            found = by_motif(mined_places(changed, contour, FINE.mining))
            for name, verdict in zip(motifs, plain.recurs(list(motifs.values()), found), strict=True):
                wanted[name].append(verdict)
    measured = {row["motif_id"]: row["stability"] for row in rows(db, "motifs")}
    assert measured == pytest.approx({name: np.mean(v) for name, v in wanted.items()})
    assert len(set(measured.values())) > 1, "every motif fares alike: the test would not see a mix-up"
    for i, share in enumerate(report.shares):
        assert share.n_motifs == len(wanted) and share.n_confirmed == sum(v[i] for v in wanted.values())
        assert 0 <= share.chance < share.share
    assert table(report).num_rows == 4
    assert "4 reruns" not in "".join(notes(report))


def test_nothing_but_stability_changes(db: Path) -> None:
    before = {row["motif_id"]: row for row in rows(db, "motifs")}
    tables = dict(prints(db))
    measure(db)
    assert {row["motif_id"]: row | {"stability": None} for row in rows(db, "motifs")} == before
    changed = {name for name, digest in prints(db).items() if digest != tables[name]}
    assert changed == {"motifs", "coverage", "analyses"}
    assert violations(db) == []


def test_a_stopped_run_is_finished_by_the_next(
    tmp_path: Path, db: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    half = tmp_path / "half.motifdb"
    shutil.copytree(db, half)
    measure(db)
    from motifdb.pipelines import stability

    calls = 0

    def stops(*given: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 7:  # amid the second recording's four reruns
            raise KeyboardInterrupt
        return mined_places(*given)

    with monkeypatch.context() as patch:
        patch.setattr(stability, "mined_places", stops)
        with pytest.raises(KeyboardInterrupt):
            measure(half)
    assert len({r["scope_key"] for r in rows(half, "motifs") if r["stability"] is not None}) == 1
    assert violations(half) == []
    report = measure(half)
    assert report.n_before == 1 and prints(half) == prints(db)


def test_again_does_nothing_and_another_way_takes_its_place(db: Path) -> None:
    first = measure(db)
    before = dict(prints(db))
    again = measure(db)
    assert (again.n_now, again.n_commits) == (0, 0) and prints(db) == before
    assert [(s.n_confirmed, s.n_motifs) for s in again.shares] == [
        (s.n_confirmed, s.n_motifs) for s in first.shares
    ]
    one = measure(db, reruns=("noise",), noise_cents=200.0)
    assert one.n_before == 0 and {0.0, 1.0} >= set(one.stability.tolist())
    assert [a["name"] for a in rows(db, "analyses") if a["kind"] == "stability"] == ["noise"]
    assert violations(db) == []
    measure(db)
    assert prints(db) == before


def test_one_recording_alone(db: Path) -> None:
    report = measure(db, scope_keys=("a/00.csv",))
    (recording,) = {r["scope_key"] for r in rows(db, "motifs") if r["stability"] is not None}
    assert report.n_now == 1 and len(report.stability) == report.shares[0].n_motifs
    with pytest.raises(NotFoundError, match="path as in files"):
        measure(db, scope_keys=("no such",))
    assert measure(db, scope_keys=(recording[:12],)).n_before == 1


def test_fewer_and_more_clusters_are_fitted_anew(tmp_path: Path) -> None:
    config = Config(
        name="clusters",
        contour=ContourConfig(quantiser="kmeans", k=6, bounds_cents=(150.0,), min_piece_s=0.0),
        mining=MiningConfig(min_support=2, min_length=2),
    )
    run(tmp_path / "a.motifdb", make_f0_corpus(tmp_path / "corpus", n=3), config=config)
    report = measure(tmp_path / "a.motifdb", reruns=("coarser", "finer"))
    assert [s.title for s in report.shares] == ["5 clusters instead of 6", "7 clusters instead of 6"]
    assert all(s.n_motifs > 0 for s in report.shares)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"reruns": ("louder",)}, UsageError),
        ({"reruns": ()}, UsageError),
        ({"reruns": ("tracker",)}, UsageError),
        ({"tracker": "yin"}, UsageError),
        ({"noise_cents": 0.0}, UsageError),
        ({"seed": -1}, UsageError),
        ({"analysis": "no such"}, NotFoundError),
    ],
)
def test_what_cannot_be_is_refused_before_any_work(
    db: Path, options: dict[str, Any], error: type[Exception]
) -> None:
    before = dict(prints(db))
    with pytest.raises(error):
        measure(db, **options)
    assert prints(db) == before


@pytest.fixture(scope="module")
def sung(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A song as audio, with its true pitch as reference."""
    folder = tmp_path_factory.mktemp("sung")
    truth = make_demo_corpus(folder / "corpus", n_singers=1, n_songs=1)
    run(folder / "a.motifdb", truth.folder, config=preset("default"), metadata=truth.manifest)
    return folder


def test_a_second_tracker_runs_on_the_files(sung: Path, tmp_path: Path) -> None:
    db = shutil.copytree(sung / "a.motifdb", tmp_path / "a.motifdb")
    report = measure(db, reruns=("tracker",))
    assert [s.title for s in report.shares] == ["tracker swift-f0"]
    assert report.shares[0].share > 0.8 and report.shares[0].n_recordings == 1
    draw(report, tmp_path / "picture.png")
    assert (tmp_path / "picture.png").stat().st_size > 10_000
    assert len([a for a in rows(db, "analyses") if a["kind"] == "pitch"]) == 2, "its pitch is not kept"
    with pytest.raises(UsageError, match="stand on"):
        measure(db, tracker="yin")


def test_stored_pitch_may_be_the_second_tracker_and_a_lost_file_is_told(sung: Path, tmp_path: Path) -> None:
    db = shutil.copytree(sung / "a.motifdb", tmp_path / "a.motifdb")
    audio = next(f for f in (sung / "corpus").rglob("*") if f.suffix in (".wav", ".flac", ".mp3", ".ogg"))
    away = audio.rename(audio.with_suffix(".away"))
    try:
        kept = measure(db, reruns=("tracker",), tracker="reference")
        assert kept.failures == {} and kept.shares[0].title == "tracker reference"
        lost = measure(db, reruns=("shift", "tracker"))
        (why,) = lost.failures.values()
        assert "cannot be read: no such file" in why
        assert (lost.shares[0].name, lost.shares[0].n_failed, lost.shares[1].n_failed) == ("tracker", 1, 0)
        assert set(lost.stability.tolist()) <= {0.0, 1.0}, "only the shift counts"
        assert measure(db, reruns=("shift", "tracker")).n_now == 0
    finally:
        away.rename(audio)
    tried = measure(db, reruns=("shift", "tracker"), retry_failed=True)
    assert tried.n_now == 1 and tried.failures == {} and violations(db) == []
