"""Batches: each clip once, the same order again, equally many for every rank, no sample out of place."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("torch", reason="torch is not installed; pip install 'motifdb[train]'")

from motifdb.errors import UsageError
from motifdb.training.inputs.batches import Batches
from motifdb.training.inputs.packed import Packed

RANDOM = np.random.default_rng(5)
PACKED = Packed.of(
    [RANDOM.integers(-32_768, 32_768, n).astype(np.int16) for n in RANDOM.integers(1, 400, 331)]
)
LABEL = np.arange(331, dtype=np.int64) % 7


def make(rows: int = 331, **options: object) -> Batches:
    return Batches(PACKED, LABEL, np.arange(rows), **{"batch_size": 16, **options})  # type: ignore[arg-type]


@settings(max_examples=40, deadline=None)
@given(
    st.integers(2, 20),
    st.integers(1, 5),
    st.integers(5, 331),
    st.booleans(),
    st.booleans(),
    st.integers(1, 4),
    st.integers(0, 3),
)
def test_every_clip_once_over_all_ranks(
    batch_size: int, world: int, n: int, shuffle: bool, bucketed: bool, pool: int, epoch: int
) -> None:
    options = {"batch_size": batch_size, "world": world, "shuffle": shuffle, "bucketed": bucketed}
    of_rank = [make(n, rank=rank, pool_batches=pool, **options) for rank in range(world)]
    orders = [batches.order(epoch) for batches in of_rank]
    assert {len(order) for order in orders} == {len(of_rank[0])}
    assert sorted(np.concatenate([rows for order in orders for rows in order]).tolist()) == list(range(n))
    sizes = {len(rows) for order in orders for rows in order}
    assert max(sizes) <= batch_size and max(sizes) - min(sizes) <= 1
    again = make(n, rank=0, pool_batches=pool, **options).order(epoch)
    assert all(np.array_equal(a, b) for a, b in zip(orders[0], again, strict=True))


def test_a_batch_holds_its_clips_and_zeros() -> None:
    for batch in make().epoch(2):
        assert batch.samples.shape == (len(batch), int(batch.lengths.max()))
        for i, row in enumerate(batch.row.tolist()):
            n = int(batch.lengths[i])
            assert n == PACKED.length[row] and int(batch.label[i]) == row % 7
            assert np.array_equal(batch.samples[i, :n].numpy(), PACKED.clip(row) / np.float32(32_768))
            assert not batch.samples[i, n:].any()


def test_epochs_differ_and_any_batch_can_be_the_first() -> None:
    batches = make()
    whole = [batch.row.tolist() for batch in batches.epoch(3)]
    assert whole == [batch.row.tolist() for batch in make().epoch(3)]
    assert whole != [batch.row.tolist() for batch in batches.epoch(4)]
    assert whole != [batch.row.tolist() for batch in make(seed=1).epoch(3)]
    rest = list(make().epoch(3, first_batch=9))
    assert [batch.row.tolist() for batch in rest] == whole[9:]
    assert [(batch.epoch, batch.place) for batch in rest] == [(3, i) for i in range(9, len(whole))]
    assert list(make().epoch(3, first_batch=len(whole))) == []


def test_like_lengths_come_together() -> None:
    def padding(batches: Batches) -> float:
        heard = sum(int(b.lengths.sum()) for b in batches.epoch(0))
        return sum(int(b.samples.numel()) for b in batches.epoch(0)) / heard

    assert padding(make()) < 1.1 < 1.4 < padding(make(bucketed=False))
    # ranks of one step too: what one waits for the other is small
    steps = zip(make(world=2, rank=0).epoch(0), make(world=2, rank=1).epoch(0), strict=True)
    gaps = [abs(a.samples.shape[1] - b.samples.shape[1]) for a, b in steps]
    assert max(gaps) < 40 and len({b.samples.shape[1] for b in make().epoch(0)}) > 10


def test_order_without_shuffling() -> None:
    by_length = np.concatenate(make(shuffle=False).order(0))
    assert (np.diff(PACKED.length[by_length]) >= 0).all()
    assert np.concatenate(make(shuffle=False, bucketed=False).order(7)).tolist() == list(range(331))


def test_clips_are_cut_at_max_s() -> None:
    for batch in make(max_s=0.01).epoch(0):
        assert batch.lengths.tolist() == [min(160, int(PACKED.length[row])) for row in batch.row.tolist()]
    assert next(make(max_s=1e-9).epoch(0)).samples.shape[1] == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "at least 1 clip"),
        ({"rows": 0}, "no clips"),
        ({"rows": 2, "world": 3}, "2 clips cannot be shared out to 3 workers"),
        ({"rank": 2, "world": 2}, "rank 2 is not one of 2"),
        ({"batch_size": 1, "world": 2}, "331 batches of one clip cannot be shared out evenly"),
    ],
)
def test_what_cannot_be_is_a_sentence(options: dict[str, int], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        make(**options)
