"""Search by sound: what a text stands for, conditions in SQL, the SQL function, Python."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from motifdb.catalog.store import Snapshot, open_snapshot
from motifdb.errors import NotFoundError, UsageError
from motifdb.query.database import Database
from motifdb.query.sql import Session
from motifdb.query.vectors.read import vectors_of
from motifdb.query.vectors.search import search_sound
from tests.query.example import MINING_ID, RECORDING
from tests.query.vectors.made import N_DIMS, add_clips, clip_rows, made_rows


def ids_of(heard: object, column: str = "embedding_id") -> list[str]:
    found: list[str] = heard.table.column(column).to_pylist()  # type: ignore[attr-defined]
    return found


def test_a_clip_finds_clips_of_its_voice_and_not_itself(asking: Session) -> None:
    clips, vectors = clip_rows(3)
    heard = search_sound(asking, clips[1]["clip_id"], analysis="made clips", n=8)
    assert set(ids_of(heard, "recording_id")) == {RECORDING["bela"]}
    assert vectors[1]["embedding_id"] not in ids_of(heard)
    assert not heard.is_exact and heard.words.startswith(
        f"like clip {clips[1]['clip_id'][:8]}, by made clips"
    )
    own = search_sound(asking, clips[1]["clip_id"], analysis="made clips", n=8, own=True)
    first = own.table.slice(0, 1).to_pylist()[0]
    assert (first["embedding_id"], first["distance"], first["rank"]) == (vectors[1]["embedding_id"], 0.0, 1)
    assert ids_of(own)[1:] == ids_of(heard)[:7]


def test_a_recording_is_the_mean_of_its_clips(asking: Session, vectors: Snapshot) -> None:
    heard = search_sound(asking, "amina.pitch", analysis="made clips", n=1, exact=True)
    known = vectors_of(vectors, "made clips")
    is_own = np.array(known.rows.column("recording_id").to_pylist()) == RECORDING["amina"]
    directions = known.matrix / np.linalg.norm(known.matrix, axis=1, keepdims=True)
    mean = directions[is_own].mean(axis=0)
    others = np.flatnonzero(~is_own)
    nearest = others[int((directions[others] @ mean).argmax())]
    assert ids_of(heard) == [known.embedding_ids[nearest]]


def test_a_motif_by_its_places_and_by_its_clips(asking: Session) -> None:
    rows = made_rows()
    motif = next(
        m for m in rows["motifs"] if m["analysis_id"] == MINING_ID["gap 0"] and m["contour"] == "+1 -2 +1"
    )
    heard = search_sound(asking, motif["motif_id"], analysis="made places", n=200, own=True)
    places = [r for r in rows["embeddings"] if r["motif_id"] == motif["motif_id"]]
    assert set(ids_of(heard)[: len(places)]) == {r["embedding_id"] for r in places}
    assert heard.table.column("contour").to_pylist()[: len(places)] == ["+1 -2 +1"] * len(places)
    assert motif["motif_id"] not in ids_of(
        search_sound(asking, motif["motif_id"], analysis="made places"), "motif_id"
    )
    cut = rows["motifs"][0]["motif_id"]
    by_clips = search_sound(asking, cut, analysis="made clips", n=400, own=True)
    # random clips that are matched to the motif do not stand for it
    assert sum(c is not None for c in by_clips.table.column("contour").to_pylist()) == 10
    left = search_sound(asking, cut, analysis="made clips", n=400)
    assert len(left.table) == 390


def test_a_condition_comes_before_the_nearest_are_taken(asking: Session) -> None:
    for condition in (
        "style = 'rast'",
        "labels['style'] = 'rast' -- a comment",
        "recording_id in (select recording_id from tracks where style = 'rast')",
    ):
        heard = search_sound(asking, "amina.pitch", analysis="made clips", n=7, condition=condition)
        assert len(heard.table) == 7
        assert set(ids_of(heard, "path")) <= {"bela.pitch", "chitra.pitch", "copy of bela.pitch"}
    both = search_sound(
        asking, "amina.pitch", analysis="made clips", condition="start_s between 3 and 4 and corpus = 'songs'"
    )
    assert all(3 <= s <= 4 for s in both.table.column("start_s").to_pylist())


@pytest.mark.parametrize(
    ("condition", "kind", "words"),
    [
        ("styl = 'rast'", NotFoundError, "did you mean 'style'"),
        ("style =", UsageError, "cannot be asked"),
        (" ", UsageError, "the condition is empty"),
        ("style = 'x'", NotFoundError, "no vector meets"),
        ("(select 1 from nowhere)", NotFoundError, "nowhere"),
        ("read_text('/etc/passwd') is null", UsageError, "cannot be asked"),
    ],
    ids=["column", "syntax", "empty", "none", "table", "files"],
)
def test_conditions_that_cannot_be(
    asking: Session, condition: str, kind: type[Exception], words: str
) -> None:
    with pytest.raises(kind, match=words) as said:
        search_sound(asking, "amina.pitch", analysis="made clips", condition=condition)
    assert "it may name embedding_id" in str(said.value) and "line" not in str(said.value)


def test_what_has_no_vector(asking: Session) -> None:
    clips, _ = clip_rows(1)
    with pytest.raises(NotFoundError, match=r"vectors of recordings, and none of clip .* --target clip"):
        search_sound(asking, clips[0]["clip_id"], analysis="made")
    with pytest.raises(
        NotFoundError, match=r"vectors of recordings, and none of motif .* --target occurrence"
    ):
        search_sound(asking, "+1 -2 +1", analysis="made")
    with pytest.raises(NotFoundError, match=r"none of recording silence.pitch"):
        search_sound(asking, "silence.pitch", analysis="made")
    with pytest.raises(NotFoundError, match=r"did you mean 'amina.pitch'"):
        search_sound(asking, "amin.pitch", analysis="made")
    with pytest.raises(UsageError, match="an empty text"):
        search_sound(asking, " ", analysis="made")
    with pytest.raises(UsageError, match=r"several analyses of vectors are meant: made .*made clips"):
        search_sound(asking, "amina.pitch")


def test_the_distance_that_the_analysis_names(asking: Session) -> None:
    heard = search_sound(asking, "amina.pitch", analysis="made")
    assert heard.table.column("distance").to_pylist() == pytest.approx([N_DIMS**0.5, 2 * N_DIMS**0.5])
    near = search_sound(asking, "amina.pitch", analysis="made", max_distance=3.0)
    assert len(near.table) == 1
    with pytest.raises(UsageError, match="0 or more"):
        search_sound(asking, "amina.pitch", analysis="made", max_distance=-1)


def test_sql_takes_names_vectors_and_conditions(asking: Session) -> None:
    rows = asking.table(
        "select rank, path, start_s from sound_search('amina.pitch', 3, analysis := 'made clips', among := 'style = ''rast''')"
    ).to_pylist()
    assert [r["rank"] for r in rows] == [1, 2, 3] and {r["path"] for r in rows} <= {
        "bela.pitch",
        "chitra.pitch",
    }
    bound = asking.table(
        "select path, distance from sound_search($v, analysis := 'made')", {"v": [1.0] * N_DIMS}
    ).to_pylist()
    assert [r["path"] for r in bound] == ["bela.pitch", "amina.pitch", "chitra.pitch"]
    joined = asking.table(
        "select s.rank, r.duration_s from sound_search('amina.pitch', analysis := 'made') s join recordings r using (recording_id)"
    )
    assert len(joined) == 2
    for call, words in (
        ("sound_search(7)", "takes a motif, a clip or a recording"),
        ("sound_search([1, 2], analysis := 'made')", "a vector of 2 numbers"),
        ("sound_search('amina.pitch', n := 'x', analysis := 'made')", "takes a whole number"),
        ("sound_search('amina.pitch', among := 3)", "takes a text"),
        ("sound_search([[1]], analysis := 'made')", "takes a motif, a clip or a recording"),
    ):
        with pytest.raises(UsageError, match=words):
            asking.table(f"select * from {call}")


def test_python_asks_too_and_warns_of_an_old_index(copied: Callable[[], Path]) -> None:
    path = copied()
    with Database(path) as database:
        assert (
            len(database.search_sound("amina.pitch", analysis="made clips", where="style = 'rast'", n=4)) == 4
        )
        assert database.search_sound([1.0] * N_DIMS, analysis="made").rows()[0]["path"] == "bela.pitch"
    add_clips(path, 9)
    with Database(path) as database, pytest.warns(UserWarning, match="older than its table"):
        found = database.search_sound("bela.pitch", analysis="made clips", n=3)
    assert len(found) == 3
    assert open_snapshot(path).commit == 2
