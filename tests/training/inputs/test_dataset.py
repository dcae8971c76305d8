"""The public dataset: each clip once over ranks and workers, and resumed as if nothing had happened."""

from __future__ import annotations

import itertools
import json
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed; pip install 'motifdb[train]'")

import torch
from torch.utils.data import DataLoader

import motifdb
from motifdb.errors import NotFoundError, UsageError
from motifdb.training.inputs.dataset import ClipDataset, Example, to_torch
from tests.training.small import Small, make_small

may_fork = pytest.mark.filterwarnings("ignore:lance is not fork-safe")
"""Workers read packed sound; they never come near Lance."""


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Small:
    return make_small(tmp_path_factory.mktemp("dataset"), n_each=11, duration_s=0.05)


def made(small: Small, part: str = "train", **options: Any) -> ClipDataset:
    with motifdb.open(str(small.path)) as db:
        dataset = db.clips("file").to_torch(small.split_id, part, **options)
    assert isinstance(dataset, ClipDataset)
    return dataset


def rows_of(items: Any) -> list[list[int]]:
    return [[item.row] if isinstance(item, Example) else item.row.tolist() for item in items]


def test_items_are_the_clips_of_the_part(small: Small) -> None:
    parts = {part: made(small, part) for part in ("train", "valid", "test")}
    ids = [clip for dataset in parts.values() for clip in dataset.clip_id]
    assert len(ids) == len(set(ids)) == 33
    clips = {row["clip_id"]: row for row in small.snapshot.table("clips").to_pylist()}
    files = {row["path"]: row["singer"] for row in small.snapshot.table("files").to_pylist()}
    for dataset in parts.values():
        items = list(dataset)
        assert len(items) == len(dataset) == len(dataset.clip_id)
        for item in items:
            clip = clips[dataset.clip_id[item.row]]
            wanted = small.pcm[clip["recording_id"]] / np.float32(32_768)
            assert np.array_equal(item.samples.numpy(), wanted)
            assert dataset.classes[item.label] == files[clip["path"]]


@pytest.mark.parametrize("batch_size", [None, 3])
@pytest.mark.parametrize("n_before", [0, 1, 5])
def test_resumed_is_as_if_never_stopped(small: Small, batch_size: int | None, n_before: int) -> None:
    whole = made(small, batch_size=batch_size, seed=4)
    expected = rows_of(itertools.chain(whole, whole, whole))
    stopped = made(small, batch_size=batch_size, seed=4)
    before = rows_of(itertools.chain(stopped, itertools.islice(stopped, n_before)))
    state = json.loads(json.dumps(stopped.state_dict()))  # numbers and texts only
    resumed = made(small, batch_size=batch_size, seed=4)
    resumed.load_state_dict(state)
    assert before + rows_of(itertools.chain(resumed, resumed)) == expected
    assert expected[: len(whole)] != expected[len(whole) : 2 * len(whole)]  # epochs differ


@may_fork
@pytest.mark.parametrize("batch_size", [None, 3])
def test_two_ranks_of_two_workers_hear_each_clip_once(small: Small, batch_size: int | None) -> None:
    heard = []
    for rank in range(2):
        dataset = made(small, batch_size=batch_size, rank=rank, world=2)
        alone = rows_of(dataset)
        dataset.set_epoch(0)
        loader = DataLoader(dataset, batch_size=None, num_workers=2, multiprocessing_context="fork")
        through_workers = rows_of(loader)
        assert through_workers == alone and len(alone) == len(dataset) == len(loader)
        heard += [row for rows in through_workers for row in rows]
    assert sorted(heard) == list(range(len(made(small).clip_id)))


@may_fork
def test_workers_resume_exactly_and_go_on_with_the_next_epoch(small: Small) -> None:
    whole = made(small, batch_size=2)
    expected = rows_of(itertools.chain(whole, whole))
    stopped = made(small, batch_size=2)
    loader = DataLoader(stopped, batch_size=None, num_workers=2, multiprocessing_context="fork")
    before = []
    for batch in loader:
        before += rows_of([batch])
        stopped.seen(batch)
        if len(before) == 3:
            break
    resumed = made(small, batch_size=2)
    resumed.load_state_dict(stopped.state_dict())
    other = DataLoader(
        resumed, batch_size=None, num_workers=1, multiprocessing_context="fork", persistent_workers=True
    )
    after = rows_of(other)  # its own copies of the dataset live on, and know that an epoch has passed
    assert before + after + rows_of(other) == expected


def test_shares_come_from_torch_distributed(small: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_rank", lambda: 1)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 3)
    dataset = made(small, batch_size=2)
    assert (dataset.rank, dataset.world) == (1, 3)
    assert rows_of(dataset) == rows_of(made(small, batch_size=2, rank=1, world=3))


def test_a_state_of_another_dataset_is_refused(small: Small) -> None:
    state = made(small, batch_size=2).state_dict()
    for other, name in (
        (made(small, batch_size=3), "batch_size"),
        (made(small, batch_size=2, seed=1), "seed"),
        (made(small, "test", batch_size=2), "clips"),
        (made(small, batch_size=2, rank=0, world=2), "world"),
        (made(small, batch_size=2, max_s=0.01), "max_s"),
    ):
        with pytest.raises(UsageError, match=f"state is of another dataset: its {name} is"):
            other.load_state_dict(state)


def test_what_is_not_there_is_a_sentence(small: Small) -> None:
    with pytest.raises(NotFoundError, match="has no valid clips of this kind in fold 1"):
        to_torch(small.snapshot, None, "valid", 1, clip_ids=frozenset())
    with pytest.raises(UsageError, match="give both rank and world"):
        made(small, rank=1)
    with pytest.raises(UsageError, match="rank 4 is not one of 2"):
        made(small, rank=4, world=2)
    with pytest.raises(UsageError, match="cannot be shared out to 99 workers"):
        made(small, rank=0, world=99)
    with (
        pytest.raises(NotFoundError, match="there is no split 'nosuch'"),
        motifdb.open(str(small.path)) as db,
    ):
        db.clips().to_torch("nosuch")
