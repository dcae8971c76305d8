"""Indexes: what they are made of, and when they are used, distrusted, made anew, collected."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from motifdb import ids
from motifdb.catalog.store import Changes, Snapshot, compact, gc, open_snapshot, open_writer
from motifdb.errors import NotFoundError, UsageError
from motifdb.query.check.indexes import check_indexes
from motifdb.query.check.report import Context, Violation
from motifdb.query.vectors.index import HEADER, build_index, find_index, index_folder
from motifdb.query.vectors.nearest import Neighbours, nearest
from motifdb.query.vectors.read import find_embeddings, vectors_of
from motifdb.schemas import COVERAGE, EMBEDDINGS
from tests.query.vectors.made import EMBEDDINGS_ID, N_CLIPS, N_DIMS, add_analysis, add_clips

NAME = "made clips"
QUERIES = np.random.default_rng(3).standard_normal((4, N_DIMS)).astype(np.float32)


def ask(path: Path, *, exact: bool = False) -> Neighbours:
    return nearest(open_snapshot(path), NAME, QUERIES, 5, exact=exact)


def folder_of(path: Path) -> Path:
    return index_folder(path, EMBEDDINGS_ID[NAME])


def file_of(path: Path, pattern: str) -> Path:
    """The largest file of the index whose name matches."""
    return max(folder_of(path).rglob(pattern), key=lambda p: p.stat().st_size)


def broken(path: Path) -> list[Violation]:
    """What `motifdb check` says of indexes."""
    with Context.open(open_snapshot(path), None) as context:
        return list(check_indexes(context))


def distrusted(path: Path, *words: str) -> None:
    """All vectors are compared, the answer is the exact one, and the sentence says how to make the index anew."""
    found, exact = ask(path), ask(path, exact=True)
    assert found.is_exact and found.rows.equals(exact.rows)
    assert found.note is not None and f"`motifdb index {EMBEDDINGS_ID[NAME][:8]}` makes it anew" in found.note
    for word in words:
        assert word in found.note


def test_it_finds_what_comparing_all_finds(vectors_db: Path) -> None:
    found, exact = ask(vectors_db), ask(vectors_db, exact=True)
    assert not found.is_exact and exact.is_exact and found.note is None
    assert found.rows.equals(exact.rows)  # 24 of 20 partitions are looked into


def test_the_header_says_what_it_was_made_from(vectors: Snapshot) -> None:
    header = json.loads((folder_of(vectors.path) / HEADER).read_text())
    assert (header["n_vectors"], header["n_dims"], header["metric"]) == (N_CLIPS, N_DIMS, "cosine")
    assert header["commit"] == 1 and header["table_version"] == vectors.versions["embeddings"]


def test_older_than_its_table(copied: Callable[[], Path]) -> None:
    path = copied()
    add_clips(path, 20)
    distrusted(path, "older than its table", "400 vectors of commit 1", "420")
    build_index(open_snapshot(path), NAME)
    anew = ask(path)
    assert not anew.is_exact and anew.note is None
    # the commit before is asked with an index that is newer
    before = nearest(open_snapshot(path, at=1), NAME, QUERIES, 5)
    assert before.is_exact and "newer than the commit" in str(before.note)


def test_commits_about_other_vectors_do_not_make_it_old(copied: Callable[[], Path]) -> None:
    path = copied()
    add_analysis(path)
    found = ask(path)
    assert not found.is_exact and found.note is None


def test_vectors_that_were_replaced_make_it_old(copied: Callable[[], Path]) -> None:
    """As many as before, but made from other sound: coverage says so."""
    path = copied()
    with open_writer(path) as writer:
        rows = writer.snapshot.table("coverage").to_pylist()
        for row in rows:
            if row["analysis_id"] == EMBEDDINGS_ID[NAME]:
                row["input_hash"] += " anew"
        vectors = writer.snapshot.table("embeddings")
        changes = Changes(
            append={"coverage": COVERAGE.table(rows), "embeddings": vectors},
            delete={"coverage": "true", "embeddings": "true"},
        )
        writer.commit(changes, token="anew", message="heard anew")
    distrusted(path, "older than its table")


def test_of_another_size(copied: Callable[[], Path]) -> None:
    path = copied()
    with open_writer(path) as writer:
        vectors = writer.snapshot.table("embeddings")
        rows = [row | {"vector": row["vector"][:5]} for row in vectors.to_pylist()]
        changes = Changes(append={"embeddings": EMBEDDINGS.table(rows)}, delete={"embeddings": "true"})
        writer.commit(changes, token="shorter", message="shorter vectors")
    found = nearest(open_snapshot(path), NAME, QUERIES[:, :5], 5)
    assert found.is_exact and "8 numbers, and the table's have 5" in str(found.note)
    with pytest.raises(UsageError, match="a vector of 8 numbers and those of made clips have 5"):
        ask(path)


@pytest.mark.parametrize("pattern", ["*.lance", "*.idx", "*.manifest"])
def test_a_file_that_is_gone_or_cut(copied: Callable[[], Path], pattern: str) -> None:
    path = copied()
    victim = file_of(path, pattern)
    victim.write_bytes(victim.read_bytes()[:-7])
    distrusted(path, "damaged", "bytes, not")
    victim.unlink()
    distrusted(path, "damaged", "missing")


@pytest.mark.parametrize("pattern", ["*.lance", "auxiliary.idx", "index.idx", "*.manifest"])
def test_bytes_that_were_changed(copied: Callable[[], Path], pattern: str) -> None:
    """A search never fails for them; which they are, `check` says by their digest."""
    path = copied()
    victim = file_of(path, pattern)
    victim.write_bytes(b"\xff" * victim.stat().st_size)
    found = ask(path)
    assert found.rows.num_rows == 4 * 5
    if found.is_exact:
        assert "damaged" in str(found.note)
    (said,) = broken(path)
    assert "other bytes" in said.text and "makes it anew" in said.text


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", "{", '{"layout": 1}', '{"layout": 99}', "\x00" * 10],
    ids=["empty", "list", "nothing", "cut", "half", "newer", "zeros"],
)
def test_a_header_that_is_none(copied: Callable[[], Path], content: str) -> None:
    path = copied()
    (folder_of(path) / HEADER).write_text(content)
    distrusted(path, "damaged")


def test_a_header_that_points_outside(copied: Callable[[], Path]) -> None:
    path = copied()
    header = json.loads((folder_of(path) / HEADER).read_text())
    header["files"]["../../motifdb.json"] = [1, "0"]
    (folder_of(path) / HEADER).write_text(json.dumps(header))
    distrusted(path, "names files outside")


def test_a_header_of_more_vectors_than_are_there(copied: Callable[[], Path]) -> None:
    path = copied()
    header = json.loads((folder_of(path) / HEADER).read_text()) | {"n_vectors": 401}
    (folder_of(path) / HEADER).write_text(json.dumps(header))
    distrusted(path, "its header says 401")


def test_a_header_of_no_distance(copied: Callable[[], Path]) -> None:
    path = copied()
    header = json.loads((folder_of(path) / HEADER).read_text()) | {"metric": "cosinus"}
    (folder_of(path) / HEADER).write_text(json.dumps(header))
    distrusted(path, "header is damaged")


def test_too_few_vectors_need_none(vectors: Snapshot) -> None:
    with pytest.raises(UsageError, match="3 vectors; an index needs 256"):
        build_index(vectors, "made")
    assert find_index(vectors, find_embeddings(vectors, "made")).index is None


def test_another_distance_than_its_own_is_compared_in_full(vectors: Snapshot) -> None:
    found = nearest(vectors, NAME, QUERIES, 5, metric="euclidean")
    assert found.is_exact and found.note is None and found.metric == "euclidean"


def test_filters_are_applied_before_the_nearest_are_taken(vectors: Snapshot) -> None:
    names = vectors_of(vectors, NAME).embedding_ids
    allowed = names[::7]
    found = nearest(vectors, NAME, QUERIES, 5, allowed=allowed)
    assert set(found.rows.column("embedding_id").to_pylist()) <= set(allowed)
    assert found.rows.num_rows == 4 * 5


def test_an_index_is_sifted_where_a_filter_leaves_much(
    vectors: Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    from motifdb.query.vectors import nearest as module

    names = vectors_of(vectors, NAME).embedding_ids
    allowed, gone = names[: N_CLIPS // 2], names[:3]
    exact = nearest(vectors, NAME, QUERIES, 5, allowed=allowed, leave_out=gone, exact=True)
    monkeypatch.setattr(module, "FILTERED_EXACTLY", 10)
    sifted = nearest(vectors, NAME, QUERIES, 5, allowed=allowed, leave_out=gone)
    assert not sifted.is_exact and sifted.rows.equals(exact.rows)
    # where the index gives too few of them, all are compared
    far = (
        nearest(vectors, NAME, QUERIES[:1], N_CLIPS, exact=True).rows.column("embedding_id").to_pylist()[-40:]
    )
    monkeypatch.setattr(module, "MOST_SIFTED", 1)
    found = nearest(vectors, NAME, QUERIES[:1], 2, allowed=far)
    assert found.is_exact and found.rows.column("embedding_id").to_pylist() == far[:2]


def test_what_is_left_out_does_not_count(vectors: Snapshot) -> None:
    first = nearest(vectors, NAME, QUERIES[:1], 5).rows.column("embedding_id").to_pylist()
    for exact in (False, True):
        rest = nearest(vectors, NAME, QUERIES[:1], 5, leave_out=first[:2], exact=exact).rows
        assert rest.column("embedding_id").to_pylist()[:3] == first[2:] and rest.num_rows == 5


@pytest.mark.parametrize("bad", [np.inf, np.nan])
def test_a_query_must_be_of_numbers(vectors: Snapshot, bad: float) -> None:
    with pytest.raises(UsageError, match="numbers that are none"):
        nearest(vectors, NAME, np.full(N_DIMS, bad), 5)


def test_queries_that_cannot_be(vectors: Snapshot) -> None:
    with pytest.raises(
        UsageError, match=r"a vector of 3 numbers and those of made clips have 8.* same model"
    ):
        nearest(vectors, NAME, np.ones(3), 5)
    with pytest.raises(UsageError, match="1 or more, got 0"):
        nearest(vectors, NAME, QUERIES, 0)
    with pytest.raises(UsageError, match="did you mean 'cosine'"):
        nearest(vectors, NAME, QUERIES, 5, metric="cosin")
    with pytest.raises(NotFoundError, match="did you mean 'made clips'"):
        nearest(vectors, "made clip", QUERIES, 5)


def test_gc_collects_what_is_of_no_vectors(copied: Callable[[], Path]) -> None:
    path = copied()
    stray = index_folder(path, ids.hash_text("of nothing"))
    half = index_folder(path, f".{EMBEDDINGS_ID[NAME]}.1.abcd.tmp")
    young = index_folder(path, f".{EMBEDDINGS_ID[NAME]}.2.abcd.tmp")
    for folder in (stray, half, young):
        folder.mkdir()
        (folder / "x").write_bytes(b"12345")
    for old in (half / "x", half):
        os.utime(old, (time.time() - 2 * 86_400,) * 2)
    assert [v.where for v in broken(path)] == [f"indexes/{stray.name}"]
    with open_writer(path) as writer:
        freed = gc(writer)
    assert freed.n_bytes >= 10
    assert not stray.exists() and not half.exists() and young.exists()
    assert not ask(path).is_exact  # the good one stays
    with open_writer(path) as writer:
        writer.commit(
            Changes(delete={"analyses": f"analysis_id = '{EMBEDDINGS_ID[NAME]}'"}),
            token="drop",
            message="drop",
        )
        gc(writer, keep_last=1)
    assert not folder_of(path).exists()


def test_compaction_does_not_make_it_old(copied: Callable[[], Path]) -> None:
    path = copied()
    add_analysis(path)
    with open_writer(path) as writer:
        compact(writer)
    assert open_snapshot(path).commit > 2
    found = ask(path)
    assert not found.is_exact and found.note is None


def test_standardised_columns_are_compared_so_with_and_without_an_index(copied: Callable[[], Path]) -> None:
    path = copied()
    snapshot = open_snapshot(path)
    stored = vectors_of(snapshot, "made clips")
    deviation = stored.matrix.astype(np.float64).std(0)
    query = stored.matrix[5] + 1
    by_hand = np.sqrt(np.square((stored.matrix - query) / deviation).sum(1))
    wanted = [stored.embedding_ids[i] for i in np.argsort(by_hand)[:10]]
    plain = nearest(snapshot, "made clips", query, metric="standardised")
    assert plain.is_exact and plain.rows.column("embedding_id").to_pylist() == wanted
    assert np.allclose(plain.rows.column("distance").to_numpy(), np.sort(by_hand)[:10], rtol=1e-5)
    made = build_index(snapshot, "made clips", metric="standardised")
    assert np.allclose(made.header["deviation"], deviation)
    quick = nearest(open_snapshot(path), "made clips", query, metric="standardised")
    assert not quick.is_exact and quick.rows.column("embedding_id").to_pylist() == wanted


def test_an_index_without_its_deviations_is_damaged(copied: Callable[[], Path]) -> None:
    path = copied()
    snapshot = open_snapshot(path)
    made = build_index(snapshot, "made clips", metric="standardised")
    (made.folder / "header.json").write_text(
        json.dumps(dict(made.header) | {"deviation": [0.0] * made.n_dims})
    )
    found = nearest(open_snapshot(path), "made clips", np.ones(made.n_dims), metric="standardised")
    assert found.is_exact and found.note is not None and "damaged" in found.note
