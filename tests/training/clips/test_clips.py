"""Clips: spans of occurrences, windows that match them, and windows that keep clear of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from motifdb.catalog.store import Changes, create, open_snapshot, open_writer
from motifdb.cli import app
from motifdb.config import Config
from motifdb.errors import MotifdbError, NotFoundError, UsageError
from motifdb.query.check import check
from motifdb.training.clips.clip_job import ClipOptions, Cut, cut_clips
from motifdb.training.clips.drawing import SLACK_S, drawn_like, overlaps_any, segments, union, windows
from motifdb.training.splits.examples import find_clips
from tests.query.example import MINING_ID, RECORDING, example_tables
from tests.training.small import tone


def spans(rng: np.random.Generator, n: int, longest_s: float) -> tuple[Any, Any]:
    start_s = rng.integers(0, 40, n) / 4
    return start_s, start_s + rng.integers(1, int(longest_s * 4) + 1, n) / 4


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000))
def test_windows_match_lie_in_voiced_stretches_and_keep_clear(seed: int) -> None:
    rng = np.random.default_rng(seed)
    voiced = union(*spans(rng, int(rng.integers(0, 6)), 3))
    avoided = union(*spans(rng, int(rng.integers(0, 5)), 2))
    start_s, end_s = spans(rng, int(rng.integers(0, 8)), 2)
    found = drawn_like(start_s, end_s, voiced, avoided, np.random.default_rng(seed))
    assert len(found.source) + found.n_unplaced == len(start_s)
    np.testing.assert_allclose(found.end_s - found.start_s, (end_s - start_s)[found.source], atol=1e-9)
    for a, b in zip(found.start_s, found.end_s, strict=True):
        assert any(v <= a + 2 * SLACK_S and b <= w + 2 * SLACK_S for v, w in zip(*voiced, strict=True))
        assert all(b <= v + 2 * SLACK_S or w <= a + 2 * SLACK_S for v, w in zip(*avoided, strict=True))
    # plain twin on the grid that all these times lie on: a window fits where some start on the grid does
    for i in set(range(len(start_s))) - set(found.source.tolist()):
        d = end_s[i] - start_s[i]
        for a in np.arange(0, 14, 0.25):
            inside = any(v <= a and a + d <= w for v, w in zip(*voiced, strict=True))
            clear = all(a + d <= v or w <= a for v, w in zip(*avoided, strict=True))
            # two avoided stretches exactly one window apart leave a single moment, which joined bounds may close
            edge = np.any(np.isclose(avoided[0] - d, a)) and np.any(np.isclose(avoided[1], a))
            assert not (inside and clear) or edge
    plain = [
        any(b > v and a < w for v, w in zip(*avoided, strict=True))
        for a, b in zip(start_s, end_s, strict=True)
    ]
    assert overlaps_any(start_s, end_s, avoided).tolist() == plain


def test_draws_are_uniform_over_what_is_free() -> None:
    n = 4000
    voiced = (np.array([0.0, 10.0]), np.array([4.0, 12.0]))
    found = drawn_like(
        np.zeros(n), np.ones(n), voiced, (np.array([1.0]), np.array([2.0])), np.random.default_rng(0)
    )
    # starts: a moment at 0, [2, 3] and [10, 11]
    assert set(np.unique(np.floor(found.start_s)).tolist()) <= {0.0, 2.0, 3.0, 10.0, 11.0}
    assert abs((found.start_s < 4).mean() - 0.5) < 0.03
    assert abs((found.start_s % 1).mean() - 0.5) < 0.03


def test_segments_and_windows_stay_in_the_recording() -> None:
    first, last = segments(np.array([0.0, 1.0, 9.9]), 3.0, 10.0)
    assert (first.tolist(), last.tolist()) == ([0.0, 1.0, 7.0], [3.0, 4.0, 10.0])
    first, last = segments(np.array([0.5]), 3.0, 2.0)
    assert (first.tolist(), last.tolist()) == ([0.0], [2.0])
    assert windows(3.0, 3.0, 2.9)[0].tolist() == []
    assert windows(0.1, 0.1, 0.3)[0].tolist() == pytest.approx([0.0, 0.1, 0.2])


GAP_0 = MINING_ID["gap 0"]


def store(path: Path, recordings: Collection[str], of: Mapping[str, pa.Table]) -> None:
    """Commit the rows of a database that are of some recordings, and those of none where it is new."""
    append = {}
    is_new = not path.exists()
    if is_new:
        create(path)
    for name, table in of.items():
        column = {"motifs": "scope_key", "coverage": "scope_key"}.get(name, "recording_id")
        if column in table.schema.names:
            keep = [
                v in recordings or (v not in RECORDING.values() and is_new)
                for v in table.column(column).to_pylist()
            ]
            append[name] = table.filter(pa.array(keep, pa.bool_()))
        elif is_new:
            append[name] = table
    with open_writer(path) as writer:
        writer.commit(Changes(append=append), token=" ".join(sorted(recordings)), message="store")


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four f0 tracks, mined at gap 0 and at gap 1."""
    path = tmp_path_factory.mktemp("clips") / "x.motifdb"
    store(path, RECORDING.values(), example_tables())
    return path


def cut(db: Path, kind: str, **options: Any) -> Cut:
    if kind != "window":
        options.setdefault("analysis", "gap 0")
    with open_writer(db) as writer:
        return cut_clips(ClipOptions(kind, **options), writer)


def rows(db: Path, table: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = open_snapshot(db).table(table).to_pylist()
    return found


def places_of(db: Path) -> list[dict[str, Any]]:
    """Occurrences at gap 0."""
    own = {m["motif_id"] for m in rows(db, "motifs") if m["analysis_id"] == GAP_0}
    return [o for o in rows(db, "occurrences") if o["motif_id"] in own]


def clips_of(db: Path, made: Cut) -> list[dict[str, Any]]:
    return [row for row in rows(db, "clips") if row["analysis_id"] == made.analysis_id]


def test_every_occurrence_is_a_clip_once(db: Path) -> None:
    made = cut(db, "motif")
    expected = {(o["motif_id"], o["recording_id"], o["start_s"], o["end_s"]) for o in places_of(db)}
    found = clips_of(db, made)
    assert {(c["motif_id"], c["recording_id"], c["start_s"], c["end_s"]) for c in found} == expected
    assert made.size.n_clips == made.n_new == len(found) and all(c["overlaps_motif"] for c in found)
    assert made.size.n_f0 == made.size.n_recordings and made.filled is None
    again = cut(db, "motif")
    assert (again.analysis_id, again.n_new) == (made.analysis_id, 0) and len(clips_of(db, made)) == len(found)
    assert [str(v) for v in check(open_snapshot(db))] == []


def test_random_windows_match_recording_by_recording(db: Path) -> None:
    def durations(found: list[dict[str, Any]]) -> Counter[tuple[str, float]]:
        return Counter((c["recording_id"], round(c["end_s"] - c["start_s"], 6)) for c in found)

    motif = clips_of(db, cut(db, "motif", max_per_motif=2, min_duration_s=0.3))
    assert max(Counter(c["motif_id"] for c in motif).values()) == 2
    assert min(c["end_s"] - c["start_s"] for c in motif) >= 0.3 - 1e-9
    random = clips_of(db, cut(db, "random", max_per_motif=2, min_duration_s=0.3))
    assert durations(random) == durations(motif)
    made = cut(db, "random_disjoint", max_duration_s=0.3)
    assert made.size.n_unplaced + made.n_new == cut(db, "motif", max_duration_s=0.3).size.n_clips
    places = places_of(db)
    for clip in clips_of(db, made):
        own = [o for o in places if o["recording_id"] == clip["recording_id"]]
        assert not clip["overlaps_motif"]
        assert all(o["end_s"] <= clip["start_s"] + 1e-6 or clip["end_s"] <= o["start_s"] + 1e-6 for o in own)


def test_a_limit_draws_from_all_and_a_seed_draws_others(db: Path) -> None:
    made = [cut(db, "motif", limit=7, seed=s) for s in (0, 1)]
    found = [{(c["motif_id"], c["recording_id"], c["start_s"]) for c in clips_of(db, m)} for m in made]
    assert [len(f) for f in found] == [7, 7] and found[0] != found[1]
    assert made[0].name.endswith(", at most 7") and made[1].name.endswith(", at most 7, seed 1")


def test_new_recordings_get_clips_and_old_ones_keep_theirs(db: Path, tmp_path: Path) -> None:
    tables, grown = example_tables(), tmp_path / "x.motifdb"
    store(grown, {RECORDING["bela"]}, tables)
    before = cut(grown, "random", name="mine")
    store(grown, {RECORDING["amina"], RECORDING["chitra"]}, tables)
    after = cut(grown, "random", name="mine")
    assert after.analysis_id == before.analysis_id and after.n_new == after.size.n_clips - before.n_new > 0
    whole = clips_of(db, cut(db, "random"))
    assert {c["clip_id"] for c in whole} == {c["clip_id"] for c in rows(grown, "clips")}
    with pytest.raises(UsageError, match="the name 'mine' is taken"):
        cut(grown, "random", seed=3, name="mine")


def test_windows_need_no_motifs(tmp_path: Path) -> None:
    tables, path = example_tables(), tmp_path / "x.motifdb"
    analyses = tables["analyses"].filter(pa.compute.not_equal(tables["analyses"].column("kind"), "mining"))
    store(path, RECORDING.values(), {"recordings": tables["recordings"], "analyses": analyses})
    with pytest.raises(NotFoundError, match="no motifs here yet; `motifdb mine`"):
        cut(path, "motif", analysis=None)
    made = cut(path, "window", window_s=1.0, hop_s=0.5)
    assert made.size.n_clips == 8 + 7 + 6 and made.size.distinct_s == pytest.approx(4.5 + 4.0 + 3.5)
    assert find_clips(open_snapshot(path), "window, of 1 s, every 0.5 s") == made.analysis_id
    with pytest.raises(NotFoundError, match="no recording lasts 1000 s, the longest"):
        cut(path, "window", window_s=1000.0)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (ClipOptions("file"), "motifdb ingest DIR --as-clips"),
        (ClipOptions("motiv"), "did you mean 'motif'"),
        (ClipOptions("motif", limit=0), "--limit must be more than 0"),
        (ClipOptions("window", analysis="x"), "leave out --analysis"),
        (ClipOptions("motif", min_duration_s=2, max_duration_s=1), "--max-duration 1 is less"),
        (ClipOptions("motif", "gap 0", min_duration_s=500), "no occurrence lasts 500 s or more"),
        (ClipOptions("motif", analysis="gap 3"), "did you mean 'gap 1'"),
        (ClipOptions("motif"), "several mining analyses are meant: gap 0"),
    ],
)
def test_what_cannot_be_cut_is_said(db: Path, options: ClipOptions, said: str) -> None:
    with pytest.raises(MotifdbError, match=said), open_writer(db) as writer:
        cut_clips(options, writer)


def test_an_empty_database_names_the_command_that_fills_it(tmp_path: Path) -> None:
    create(tmp_path / "x.motifdb")
    for kind in ("motif", "window"):
        with pytest.raises(NotFoundError, match="motifdb ingest PATH"):
            cut(tmp_path / "x.motifdb", kind)


def test_the_command_says_the_size_first(db: Path) -> None:
    result = CliRunner().invoke(
        app, ["clips", "--db", str(db), "--kind", "random", "--seed", "4", "--analysis", "gap 0"]
    )
    assert result.exit_code == 0, result.output
    lines = [line for line in result.output.splitlines() if line]
    assert " clips of " in lines[0] and "are distinct" in lines[0] and "MB as spans" in lines[0]
    assert any(line.startswith("clips 'random of gap 0, seed 4'") for line in lines)
    assert "f0 tracks without sound" in result.output


def test_sound_that_is_not_kept_is_read_again(tmp_path: Path) -> None:
    from motifdb.pipelines.ingest import Options, ingest
    from motifdb.pipelines.progress import Quiet

    soundfile = pytest.importorskip("soundfile")
    (tmp_path / "songs").mkdir()
    for i, seconds in enumerate((1.5, 2.2)):
        soundfile.write(tmp_path / "songs" / f"{i}.wav", tone(200.0 + i, seconds, i), 16_000)
    path = tmp_path / "x.motifdb"
    create(path)
    with open_writer(path) as writer:
        ingest(Options((tmp_path / "songs",), Config(), until="files"), writer, Quiet())
    assert cut(path, "window", window_s=1.0, keep_audio=False).size.n_clips == 3 and not rows(path, "audio")
    (tmp_path / "songs" / "0.wav").unlink()
    made = cut(path, "window", window_s=1.0)
    assert (
        made.n_new == 0 and made.filled is not None and (made.filled.n_wanted, made.filled.n_done) == (2, 1)
    )
    assert len(made.notes) == 1 and made.notes[0].startswith("0.wav is not there any more")
    assert [len(row["pcm"]) / 32_000 for row in rows(path, "audio")] == [2.2]
