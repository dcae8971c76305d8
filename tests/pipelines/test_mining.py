"""Mining over contours that are there: scopes, what is frozen and what grows, bounds, and what check says of it all."""

from __future__ import annotations

import json
import shutil
from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from motifdb.catalog.store import open_snapshot, open_writer
from motifdb.config import MiningConfig, parameters, preset
from motifdb.errors import NotFoundError, UsageError
from motifdb.ids import analysis_id, motif_id, set_hash
from motifdb.mining.arrays import mine
from motifdb.pipelines import committer
from motifdb.pipelines.mined_summary import mined_summary
from motifdb.pipelines.mining import MinedAnalysis, MineOptions, MineReport, mine_database
from motifdb.pipelines.motif_rows import Limits
from motifdb.pipelines.progress import Quiet
from motifdb.pipelines.settings import chosen_mining
from motifdb.query.database import Database
from motifdb.query.motifs import draw_motif, top_motifs
from motifdb.query.status import status
from tests.pipelines.small import FINE, make_f0_corpus, melody, prints, rows, run, violations, write_f0

SINGER = MiningConfig(scope="singer", min_support=4, min_length=3)
CORPUS = MiningConfig(scope="corpus", min_support=4, min_length=3, support="recordings")
GAP = MiningConfig(scope="style", min_support=0.2, min_length=2, max_length=5, max_gap=1, support="sequences")


@pytest.fixture(scope="module")
def ingested(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten recordings of three singers, the first of them twice, under two singers' names."""
    folder = tmp_path_factory.mktemp("mining")
    make_f0_corpus(folder / "corpus", n=11)
    run(folder / "small.motifdb", folder / "corpus", metadata=folder / "corpus" / "manifest.csv")
    return folder


@pytest.fixture
def db(ingested: Path, tmp_path: Path) -> Path:
    shutil.copytree(ingested / "small.motifdb", tmp_path / "small.motifdb")
    return tmp_path / "small.motifdb"


def run_mine(db: Path, config: MiningConfig, name: str = "", **options: Any) -> MineReport:
    name = name or " ".join(map(str, parameters(config).values()))
    said: dict[str, Any] = {"engine": "inline", "workers": 1} | options
    with open_writer(db, wait_s=10) as writer:
        return mine_database(MineOptions(config, name, **said), writer, Quiet())


def only(report: MineReport) -> MinedAnalysis:
    (mined,) = report.mined
    return mined


def label_of(db: Path, label: str) -> dict[str, str]:
    """A recording's one value of a label."""
    found: dict[str, set[str]] = defaultdict(set)
    for row in rows(db, "files"):
        if row["state"] == "input":
            found[row["recording_id"]].add(row[label])
    return {recording: min(values) for recording, values in found.items() if len(values) == 1}


def phrases_of(db: Path, recordings: set[str]) -> tuple[list[list[int]], list[str]]:
    """Symbols of every phrase of some recordings, and whose each is."""
    found = [row for row in rows(db, "contours") if row["recording_id"] in recordings]
    found.sort(key=lambda row: (row["recording_id"], row["phrase"]))
    return [row["symbols"] for row in found], [row["recording_id"] for row in found]


def holds(phrase: list[int], pattern: list[int], gap: int) -> bool:
    """Whether a phrase holds a pattern, by trying every way to place it."""
    at = {i for i, s in enumerate(phrase) if s == pattern[0]}
    for symbol in pattern[1:]:
        at = {j for i in at for j in range(i + 1, min(i + gap + 2, len(phrase))) if phrase[j] == symbol}
    return bool(at)


@pytest.mark.parametrize("config", [SINGER, CORPUS, GAP], ids=["singer", "corpus", "gap"])
def test_motifs_of_a_scope_are_those_of_its_phrases(db: Path, config: MiningConfig) -> None:
    mined = only(run_mine(db, config))
    assert violations(db) == []
    there = {row["recording_id"] for row in rows(db, "recordings")}
    value = dict.fromkeys(there, "all") if config.scope == "corpus" else label_of(db, config.scope)
    own = [row for row in rows(db, "motifs") if row["analysis_id"] == mined.analysis.id]
    covered = {r["scope_key"]: r for r in rows(db, "coverage") if r["analysis_id"] == mined.analysis.id}
    assert covered.keys() == set(value.values())
    n_motifs = 0
    for key in covered:
        members = {r for r, v in value.items() if v == key}
        phrases, whose = phrases_of(db, members)
        least = config.least_support(len(phrases), len(set(whose)))
        found = mine(
            np.concatenate(phrases), np.cumsum([0, *map(len, phrases)]), [sorted(members).index(w) for w in whose],
            max_gap=config.max_gap, min_support=least, support=config.support, min_length=config.min_length,
            max_length=config.max_length,
        )  # fmt: skip
        stored = {tuple(row["pattern"]): row for row in own if row["scope_key"] == key}
        assert set(stored) == {tuple(found.pattern(i).tolist()) for i in range(len(found))}
        for pattern, row in stored.items():
            with_it = [
                w for p, w in zip(phrases, whose, strict=True) if holds(p, list(pattern), config.max_gap or 0)
            ]
            assert row["support_sequences"] == len(with_it)
            assert row["support_recordings"] == len(set(with_it))
            assert row["motif_id"] == motif_id(mined.analysis.id, config.scope, key, row["pattern_id"])
            assert row["log10_p"] <= 0 and 0 <= row["q_value"] <= 1
        assert covered[key]["input_hash"] == set_hash(members)
        assert covered[key]["n_tested"] == found.n_distinct and covered[key]["complete_from"] is None
        n_motifs += len(found)
    assert n_motifs > 10 and len(own) == n_motifs


def test_kept_patterns_are_counted_in_every_recording_of_the_scope(db: Path) -> None:
    mined = only(run_mine(db, SINGER))
    kept = {
        r["pattern_id"]: r["pattern"] for r in rows(db, "motifs") if r["analysis_id"] == mined.analysis.id
    }
    counted = {
        (r["pattern_id"], r["recording_id"]): r["phrases"]
        for r in rows(db, "pattern_counts")
        if r["analysis_id"] == mined.analysis.id
    }
    expected = Counter[tuple[str, str]]()
    for phrase, recording in zip(*phrases_of(db, set(label_of(db, "singer"))), strict=True):
        for name, pattern in kept.items():
            expected[name, recording] += holds(phrase, pattern, 0)
    assert counted == {key: n for key, n in expected.items() if n}


def test_contradicting_recordings_are_left_out_or_belong_to_each(db: Path) -> None:
    mined = only(run_mine(db, SINGER))
    (twice,) = [r for r, n in Counter(f["recording_id"] for f in rows(db, "files")).items() if r and n == 2]
    assert mined.scope.contradicting == {twice: ["singer a", "singer b"]}
    assert twice not in {
        row["recording_id"] for row in rows(db, "pattern_counts") if row["analysis_id"] == mined.analysis.id
    }
    each = only(run_mine(db, replace(SINGER, conflicts="each")))
    assert each.analysis.id != mined.analysis.id
    assert len(each.scope.keys_of(twice)) == 2 and each.scope.contradicting == {}
    assert violations(db) == []


def test_again_does_nothing_and_the_default_of_ingest_is_the_same_analysis(db: Path) -> None:
    before, n_commits = prints(db), open_snapshot(db).commit
    mined = only(run_mine(db, FINE.mining))
    assert not mined.is_new and mined.n_mined == 0 and mined.analysis.name == "fine"
    assert (prints(db), open_snapshot(db).commit) == (before, n_commits)
    run_mine(db, SINGER)
    after, n_commits = prints(db), open_snapshot(db).commit
    assert only(run_mine(db, SINGER)).n_mined == 0
    assert (prints(db), open_snapshot(db).commit) == (after, n_commits)


def test_a_new_recording_is_added_by_recording_and_makes_a_scope_stale(
    ingested: Path, db: Path, tmp_path: Path
) -> None:
    by_recording = replace(FINE.mining, min_support=4)
    first, wide = only(run_mine(db, by_recording)), only(run_mine(db, SINGER))
    frozen = [r for r in rows(db, "motifs") if r["analysis_id"] == wide.analysis.id]
    write_f0(tmp_path / "more" / "new.csv", melody(99))
    (tmp_path / "more" / "manifest.csv").write_text("path,singer\nnew.csv,singer c\n")
    run(db, tmp_path / "more", metadata=tmp_path / "more" / "manifest.csv")
    told = {a.analysis_id: a for a in status(open_snapshot(db)).analyses}
    assert told[first.analysis.id].n_waiting == 1
    assert told[wide.analysis.id].stale == "stale: 1 recording newer; mine --refresh makes a successor"
    assert violations(db) == []

    again = only(run_mine(db, by_recording))
    assert again.analysis.id == first.analysis.id and again.n_mined == 1
    stale = only(run_mine(db, SINGER))
    assert stale.stale == "stale: 1 recording newer; --refresh makes a successor" and stale.n_mined == 0
    assert [r for r in rows(db, "motifs") if r["analysis_id"] == wide.analysis.id] == frozen
    successor = only(run_mine(db, SINGER, refresh=True))
    assert successor.analysis.id != wide.analysis.id and successor.n_mined == 3
    assert only(run_mine(db, SINGER)).stale is None, "the newest of one name is the one that goes on"
    told = {a.analysis_id: a for a in status(open_snapshot(db)).analyses}
    assert (
        told[wide.analysis.id].stale == f"stale: 1 recording newer; succeeded by {successor.analysis.id[:8]}"
    )
    assert violations(db) == []

    whole = tmp_path / "whole.motifdb"
    run(whole, ingested / "corpus", metadata=ingested / "corpus" / "manifest.csv")
    run(whole, tmp_path / "more", metadata=tmp_path / "more" / "manifest.csv")
    fresh = only(run_mine(whole, SINGER))
    assert fresh.analysis.id == successor.analysis.id, (
        "a refreshed analysis does not depend on what came before"
    )


def test_a_recording_that_goes_takes_what_it_was_part_of(ingested: Path, db: Path, tmp_path: Path) -> None:
    wide, corpus = only(run_mine(db, SINGER)), only(run_mine(db, CORPUS))
    copy = shutil.copytree(ingested / "corpus", tmp_path / "corpus")
    (copy / "c" / "02.csv").unlink()
    with open_writer(db) as writer:
        from motifdb.pipelines.relocate import relocate

        relocate(writer, "corpus", copy)
    run(db, copy, metadata=copy / "manifest.csv", prune=True)
    left = {(r["analysis_id"], r["scope_key"]) for r in rows(db, "coverage")}
    assert (wide.analysis.id, "singer c") not in left and (wide.analysis.id, "singer b") in left
    assert (corpus.analysis.id, "all") not in left
    assert violations(db) == []
    assert only(run_mine(db, SINGER)).stale is not None
    run_mine(db, SINGER, refresh=True)
    assert violations(db) == []


@pytest.mark.parametrize("config", [SINGER, replace(GAP, scope="key")], ids=["singer", "gap"])
def test_any_number_of_workers_makes_the_same(db: Path, tmp_path: Path, config: MiningConfig) -> None:
    found = []
    for workers in (1, 2, 7):
        copy = shutil.copytree(db, tmp_path / f"{workers}.motifdb")
        run_mine(copy, config, workers=workers)
        found.append(prints(copy))
    assert found[0] == found[1] == found[2]


def test_a_stopped_run_is_finished_by_the_next(
    db: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = shutil.copytree(db, tmp_path / "whole.motifdb")
    run_mine(whole, SINGER)
    flush, n_flushed = committer.Committer.flush, 0

    def stops(self: committer.Committer, message: str, **more: Any) -> int | None:
        nonlocal n_flushed
        if message == "motifs by singer":
            n_flushed += 1
            if n_flushed == 2:
                raise KeyboardInterrupt
        return flush(self, message, **more)

    with monkeypatch.context() as patch:
        patch.setattr(committer.Committer, "is_due", lambda self: True)
        patch.setattr(committer.Committer, "flush", stops)
        with pytest.raises(KeyboardInterrupt):
            run_mine(db, SINGER)
    told = next(a for a in status(open_snapshot(db)).analyses if a.scope == "singer")
    assert told.n_recordings == 2 and told.n_waiting == 1
    assert violations(db) == []
    assert only(run_mine(db, SINGER)).n_mined == 1
    assert prints(db) == prints(whole)


@pytest.mark.parametrize("config", [CORPUS, replace(GAP, scope="corpus")], ids=["contiguous", "gap"])
def test_a_bound_cuts_at_a_support_and_more_room_completes(
    db: Path, tmp_path: Path, config: MiningConfig
) -> None:
    whole = shutil.copytree(db, tmp_path / "whole.motifdb")
    run_mine(whole, config)
    everything = [r for r in rows(whole, "motifs") if r["scope"] == "corpus"]
    mined = only(run_mine(db, config, limits=Limits(max_patterns=12)))
    (bound,) = mined.bounded.values()
    support = f"support_{config.support}"
    expected = {r["motif_id"] for r in everything if r[support] >= bound}
    assert {r["motif_id"] for r in rows(db, "motifs") if r["scope"] == "corpus"} == expected
    assert len(expected) < len(everything)
    assert violations(db) == []
    told = next(a for a in status(open_snapshot(db)).analyses if a.scope == "corpus")
    assert told.n_bounded == 1
    assert only(run_mine(db, config)).n_mined == 0, "what a bound cut is not tried again unasked"
    assert only(run_mine(db, config, retry_bounded=True)).bounded == {}
    assert prints(db) == prints(whole)
    assert violations(db) == []


def test_analyses_are_told_apart(db: Path, tmp_path: Path) -> None:
    run_mine(db, SINGER, name="by singer")
    mined = only(run_mine(db, CORPUS, name="as one"))
    with Database(db) as database:
        shown = top_motifs(database, 100, analysis="as one").rows()
        assert {row["scope"] for row in shown} == {"corpus"} and all(row["recordings"] >= 4 for row in shown)
        of_singers = top_motifs(database, 3, by="singer", analysis="by singer").rows()
        strongest: dict[str, str] = {}
        for row in sorted(rows(db, "motifs"), key=lambda r: (r["log10_p"], -r["length"], r["motif_id"])):
            if row["scope"] == "singer":
                strongest.setdefault(row["scope_key"], row["motif_id"][:8])
        firsts: dict[str, str] = {}
        for row in of_singers:
            firsts.setdefault(row["label"], row["motif"])
        assert firsts == strongest
        mixed = top_motifs(database, 1000, by="singer").rows()
        assert {row["scope"] for row in mixed} == {"recording", "singer"}, (
            "a motif of all belongs to no singer"
        )
        with pytest.raises(UsageError, match="leave out --by"):
            top_motifs(database, 3, by="singer", analysis=mined.analysis.id[:8])
        with pytest.raises(NotFoundError, match="'by singer'"):
            top_motifs(database, 3, analysis="by singr")
        stats = database.sql("select scope, max(motifs) as n from motif_stats group by 1 order by 1").rows()
        assert [row["scope"] for row in stats] == ["corpus", "recording", "singer"]
        assert stats[0]["n"] == 1 and 1 <= stats[2]["n"] <= 3
        by_label = database.sql(
            "select count(*) as n from motif_by_label b join motifs m using (analysis_id, pattern_id)"
            " where m.scope = 'singer' and m.scope_key = b.value and b.label = 'singer' and b.motifs = 1"
            " and b.best_log10_p = m.log10_p and b.occurrences = m.occurrences"
        ).rows()
        assert by_label[0]["n"] == sum(r["scope"] == "singer" for r in rows(db, "motifs"))
        one = shown[0]
        said = draw_motif(database, one["motif"], tmp_path / "wide.png")
        assert (
            said == f"{one['contour']}   {one['times']} times in {one['recordings']} recordings of the corpus"
        )
    assert (tmp_path / "wide.png").stat().st_size > 1000


def test_the_summary_says_what_was_done_and_left_out(db: Path) -> None:
    options = MineOptions(SINGER, "mined", engine="inline", workers=1)
    with open_writer(db) as writer:
        report = mine_database(options, writer, Quiet())
    text = mined_summary(db, options, report)
    assert "3 singers of 9 recordings; 3 mined now" in text
    assert "left out: 1 recording whose files contradict each other about singer" in text
    assert f"motifdb top --by singer --analysis {only(report).analysis.id[:8]}" in text
    assert all(len(line) <= 100 for line in text.splitlines()[1:-1])


@pytest.mark.parametrize(
    ("config", "options", "error", "says"),
    [
        (replace(SINGER, scope="singr"), {}, NotFoundError, "no recording has a label 'singr'; did you mean 'singer'"),
        (replace(SINGER, scope="artist"), {}, NotFoundError, "no recording has a label 'artist'"),
        (SINGER, {"contours": "coarse"}, NotFoundError, "there are no contours 'coarse'; there are: fine"),
        (SINGER, {"name": "fine"}, UsageError, "the name 'fine' is taken by analysis"),
        (SINGER, {"workers": 0}, UsageError, "--workers must be at least 1"),
        (SINGER, {"limits": Limits(time_s=0.0)}, UsageError, "--time-limit must be more than 0"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_before_any_work(
    db: Path, config: MiningConfig, options: dict[str, Any], error: type[Exception], says: str
) -> None:
    before = open_snapshot(db).commit
    with pytest.raises(error, match=says):
        run_mine(db, config, **options)
    assert open_snapshot(db).commit == before


def test_without_contours_the_way_to_them_is_told(tmp_path: Path, ingested: Path) -> None:
    run(tmp_path / "files.motifdb", ingested / "corpus", until="files")
    with pytest.raises(NotFoundError, match="there are no contours here yet; motifdb ingest"):
        run_mine(tmp_path / "files.motifdb", CORPUS)


def test_a_kind_of_contours_has_to_be_named_where_there_are_several(db: Path, ingested: Path) -> None:
    coarse = replace(FINE, name="coarse", contour=replace(FINE.contour, epsilon_cents=300.0))
    run(db, ingested / "corpus", config=coarse)
    with pytest.raises(UsageError, match="name one with --contours: coarse"):
        run_mine(db, CORPUS)
    assert only(run_mine(db, CORPUS, contours="coarse")).contours_name == "coarse"
    with pytest.raises(UsageError, match="the name 'coarse' is taken"):
        run_mine(db, CORPUS, name="coarse", contours="fine")


def test_ids_of_what_was_mined_before_stay() -> None:
    """Frozen: parameters that came later must not move the ids of analyses that do not use them."""
    for config, expected in (
        (MiningConfig(), "fbdd80c6a2e580eceec0"),
        (preset("default").mining, "4e8bd1ee720290686a72"),
        (preset("sid-2020", k=5).mining, "5b2b127196d8e4fc0bcd"),
    ):
        assert analysis_id("mining", 1, parameters(config), "parent") == expected
    assert json.loads(json.dumps(parameters(SINGER)))["scope"] == "singer"


def test_what_is_said_on_a_command_line_becomes_parameters() -> None:
    config, name = chosen_mining(
        "default", None, [], {"mining.scope": "singer", "mining.min_support": "5%", "mining.max_gap": "1"}
    )
    assert (config.min_support, config.support, config.max_gap) == (0.05, "sequences", 1)
    assert name == "default+singer+gap 1+min_support=0.05+support=sequences"
    assert config.least_support(100, 3) == 5 and replace(config, min_support=0.07).least_support(100, 3) == 7
    for options, says in (
        ({"mining.min_support": "many"}, "a count, or a share"),
        ({"mining.min_support": "0"}, "at least 1"),
        ({"mining.min_support": "1.5"}, "a share above 0 and at most 1"),
        ({"mining.min_support": "5%"}, "occurrences have no total"),
        ({"mining.support": "recordings"}, "needs a scope of several"),
        ({"mining.support": "occurrences", "mining.max_gap": "1"}, "defined for max_gap 0 only"),
        ({"mining.max_gap": "-1"}, "0 or more symbols"),
    ):
        with pytest.raises(UsageError, match=says):
            chosen_mining("default", None, [], options)
    with pytest.raises(UsageError, match="only parameters of mining"):
        chosen_mining("default", None, ["contour.epsilon_cents=80"], {})
