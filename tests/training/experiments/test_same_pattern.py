"""Same pattern or same voice: questions are what they say, and runs are asked only about what they have not heard."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pytest

from motifdb.catalog.store import Changes, open_snapshot, open_writer
from motifdb.errors import NotFoundError, UsageError
from motifdb.training.clips.clip_facts import facts_of
from motifdb.training.experiments.answer import Asked
from motifdb.training.experiments.same_pattern import (
    QUESTIONS,
    Sung,
    answer,
    ask,
    masks,
    read_sung,
    unheard,
)
from motifdb.training.scores.figures import stored_figures
from tests.training.small import Small, make_small

Cell = Callable[[int, int, int], bool]

# four singers, two sources each, six patterns in each source: every pattern in every voice
CELLS = [(s, source, p) for s in range(4) for source in range(2) for p in range(6)]


def sung() -> Sung:
    n = len(CELLS)
    singer, source, pattern = (np.array(c) for c in zip(*CELLS, strict=True))
    return Sung(
        tuple(f"c{i:02}" for i in range(n)),
        singer,
        pattern,
        2 * singer + source,
        np.arange(n),
        tuple(f"source {2 * s + k}" for s, k, _ in CELLS),
        tuple((f"c{i:02}",) for i in range(n)),
    )


def vectors(voice: float, melody: float, channel: float = 0.0) -> Any:
    """What `vectors_of` gives: a sum of what belongs to a singer, a pattern and a source."""
    rng = np.random.default_rng(0)
    singers, patterns, sources = (rng.normal(size=(n, 16)) for n in (4, 6, 8))
    matrix = [
        voice * singers[s] + melody * patterns[p] + channel * sources[2 * s + k] + 0.1 * rng.normal(size=16)
        for s, k, p in CELLS
    ]
    rows = pa.table({"clip_id": [f"c{i:02}" for i in range(len(CELLS))]})
    return SimpleNamespace(
        matrix=np.array(matrix, np.float32), rows=rows, name="made", parameters={"model": "encoder"}
    )


def areas(found: Any) -> dict[str, float]:
    figures, notes = ask(sung(), found, "all")
    assert not notes
    return {f.protocol.split(",")[0]: cast(float, f.value) for f in figures if f.metric == "auc"}


def test_vectors_of_melody_of_voice_and_of_channel_answer_differently() -> None:
    melody, voice, channel = areas(vectors(0, 1)), areas(vectors(1, 0)), areas(vectors(0, 0, 1))
    assert melody["pattern before voice"] > 0.99 and melody["pattern among others"] > 0.99
    assert abs(melody["voice among sources"] - 0.5) < 0.1
    assert voice["pattern before voice"] < 0.01 and voice["voice among sources"] > 0.99
    assert abs(voice["pattern among others"] - 0.5) < 0.1
    # one recording's sound speaks for its singer only where its own other clips may be compared
    assert channel["pattern before voice"] < channel["pattern before voice elsewhere"] - 0.1


def test_questions_take_the_pairs_that_their_words_say() -> None:
    given = sung()
    row = np.array([13])  # singer 1, source 2, pattern 1
    cases: tuple[tuple[str, Cell, Cell], ...] = (
        ("pattern before voice", lambda s, k, p: s != 1 and p == 1, lambda s, k, p: s == 1 and p != 1),
        (
            "pattern before voice elsewhere",
            lambda s, k, p: s != 1 and p == 1,
            lambda s, k, p: s == 1 and k == 1 and p != 1,
        ),
        ("pattern among others", lambda s, k, p: s != 1 and p == 1, lambda s, k, p: s != 1),
        (
            "voice among sources",
            lambda s, k, p: s == 1 and k == 1 and p != 1,
            lambda s, k, p: (s, k) != (1, 0) and p != 1,
        ),
    )
    for question, wanted, ranked in cases:
        relevant, candidate = masks(given, question)
        assert relevant(row)[0].tolist() == [wanted(*cell) for cell in CELLS], question
        assert candidate(row)[0].tolist() == [ranked(*cell) for cell in CELLS], question


def test_clips_of_one_island_are_never_compared() -> None:
    given = sung()
    joined = Sung(**{**given.__dict__, "island": np.zeros(len(given), np.int64)})
    for question in QUESTIONS:
        assert not any(mask(np.arange(3)).any() for mask in masks(joined, question))
    figures, notes = ask(joined, vectors(1, 1), "all")
    assert not figures and len(notes) == len(QUESTIONS) and "can ask it" in notes[0]


# -- in a database -----------------------------------------------------------------------------------------


def with_patterns(folder: Path, n_patterns: int = 3) -> Small:
    """Tones of three singers whose files have a pattern (their number, over again) and a source (two each)."""
    small = make_small(folder, n_each=6, duration_s=0.3)
    with open_writer(small.path) as writer:
        table = writer.snapshot.table("files")
        files = []
        for row in table.to_pylist():
            take = int(dict(row["labels"])["take"])
            labels = [("pattern", str(take % n_patterns)), ("source", f"{row['singer']} {take // 3}")]
            files.append(row | {"labels": labels})
        changes = Changes(
            append={"files": pa.Table.from_pylist(files, schema=table.schema)},
            delete={"files": "path is not null"},
        )
        writer.commit(changes, token="patterns", message="patterns")
    return small


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Small:
    return with_patterns(tmp_path_factory.mktemp("patterns"))


def test_the_experiment_embeds_asks_stores_and_draws(small: Small, tmp_path: Path) -> None:
    said: list[str] = []
    found = answer(small.path, Asked(), said.append)
    assert {row["model"] for row in found.rows} == {"hand-crafted", "log-mel-stats"}
    assert {row["question"] for row in found.rows} - {""} == set(QUESTIONS)
    value = {
        (row["question"], row["metric"]): row["value"] for row in found.long if row["model"] == "hand-crafted"
    }
    # a singer here is a pitch, and takes of one pattern have nothing in common
    assert value["voice among sources", "auc"] > 0.8 and value["pattern before voice", "auc"] < 0.2
    assert any("hears voice" in note for note in found.notes)
    assert any(
        "18 distinct clips of 3 values of singer in 6 sources; 3 of 3 patterns" in n for n in found.notes
    )
    snapshot = open_snapshot(small.path)
    (analysis,) = (
        row["analysis_id"]
        for row in snapshot.table("analyses", None, "kind = 'embeddings'").to_pylist()
        if "hand-crafted" in row["name"]
    )
    kept = stored_figures(snapshot, analysis)
    assert len(kept) == 3 * len(QUESTIONS)
    assert {f.protocol for f in kept} == {f"{q}, all" for q in QUESTIONS}
    commit = snapshot.commit
    again = answer(small.path, Asked(), said.append)
    assert again.rows == found.rows and open_snapshot(small.path).commit == commit
    found.draw(tmp_path / "same.png")
    assert (tmp_path / "same.png").stat().st_size > 10_000


def test_what_learnt_here_is_asked_about_the_rest(small: Small) -> None:
    snapshot = small.snapshot
    given = read_sung(snapshot, facts_of(snapshot, small.clips_id), Asked())
    assert unheard(snapshot, given, {"model": "hand-crafted"}) is None
    splits = snapshot.table("splits", None, "fold = 1").to_pylist()
    tested = {row["clip_id"] for row in splits if row["part"] == "test"}

    class Runs:
        """The database, with a run."""

        def table(self, name: str, columns: Any = None, where: str | None = None) -> pa.Table:
            if name == "runs":
                assert where == "run_id = 'r1'"
                return pa.table({"split_id": [small.split_id], "fold": [1]})
            return snapshot.table(name, columns, where)

    rows = unheard(cast(Any, Runs()), given, {"model": "run", "run_id": "r1"})
    assert rows is not None
    assert {given.clip_id[i] for i in rows} == tested
    # one island for all: nothing is new
    joined = Sung(**{**given.__dict__, "island": np.zeros(len(given), np.int64)})
    rows = unheard(cast(Any, Runs()), joined, {"model": "run", "run_id": "r1"})
    assert rows is not None and not len(rows)


def test_clips_without_patterns_and_patterns_of_one_singer_are_sentences(tmp_path: Path) -> None:
    plain = make_small(tmp_path, n_each=2, duration_s=0.1, split=None)
    with pytest.raises(NotFoundError, match=r"these clips have no pattern.*--kind motif"):
        answer(plain.path, Asked(), print)
    with pytest.raises(UsageError, match="takes one set of clips"):
        answer(plain.path, Asked(clips=("a", "b")), print)
    snapshot = plain.snapshot
    facts = facts_of(snapshot, plain.clips_id)

    class Facts:
        """The same clips, each with a pattern of its own."""

        label_names = (*facts.label_names, "pattern")
        clip_id, content, island_of = facts.clip_id, facts.content, None

        def key(self, name: str) -> list[str | None]:
            return facts.key(name)

        def label(self, name: str) -> list[str | None]:
            return list(facts.clip_id)

    with pytest.raises(UsageError, match="no pattern is sung by two values of singer"):
        read_sung(snapshot, cast(Any, Facts()), Asked())
