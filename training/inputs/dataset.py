"""Clips for people's own training loops: a torch `IterableDataset` that resumes where it was.

`motifdb.open("songs.motifdb").clips().to_torch(split, "train")` makes one; docs/front_ends.md has a loop. Its order follows from the
seed and the epoch. It is shared out over ranks (`torch.distributed`, or as told) and, inside a rank, over the workers of a
`DataLoader`, so that each clip comes once in an epoch, and in the same order for any number of workers.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import IterableDataset, get_worker_info

from motifdb.errors import NotFoundError, UsageError
from motifdb.ids import hash_bytes
from motifdb.query.audio import SAMPLE_RATE_HZ
from motifdb.training.inputs.batches import Batch, Batches
from motifdb.training.inputs.packed import Packed, pack
from motifdb.training.splits.examples import Examples, find_split, load_examples

if TYPE_CHECKING:
    from motifdb.catalog.store import Snapshot


_BEFORE = {"sample_rate_hz": SAMPLE_RATE_HZ}
"""What held before a state named it."""


class Example(NamedTuple):
    """One clip: float32 [L] in [-1, 1), the index of its class, which example it is, its place in the epoch."""

    samples: torch.Tensor
    label: int
    row: int
    epoch: int
    place: int


class ClipDataset(IterableDataset):  # type: ignore[misc]  # torch is untyped to us
    """The clips of one part of a split, epoch after epoch.

    Iterating gives the next epoch: `Batch` objects where `batch_size` is set, else an `Example` per clip. In a
    `DataLoader` pass ``batch_size=None``, since batches are made here, of clips of like length.

    State is the place of the next item: an epoch and a number. Iterated in this process, the dataset counts by itself. Behind
    the workers of a `DataLoader` it cannot see what arrives; say it with `seen`, or set the epoch with `set_epoch`.

    Parameters
    ----------
    rows : which examples
    batch_size : clips in a batch at most; None gives single clips
    shuffle, bucketed, max_s, seed : as `motifdb.training.inputs.batches.Batches`
    rank, world : this process's share; None asks `torch.distributed` where that is running, else all. Batches are as many
        for every rank; single clips may be one fewer.

    Attributes
    ----------
    classes : names of the classes; `label` is an index into them
    clip_id : of every example; `row` is an index into them
    """

    def __init__(
        self,
        packed: Packed,
        examples: Examples,
        rows: NDArray[np.int64],
        *,
        batch_size: int | None = None,
        shuffle: bool = True,
        bucketed: bool = True,
        max_s: float | None = None,
        seed: int = 0,
        rank: int | None = None,
        world: int | None = None,
    ) -> None:
        super().__init__()
        self.classes, self.clip_id = examples.classes, examples.clip_id
        self.rank, self.world = _share(rank, world)
        self.is_batched = batch_size is not None
        if batch_size is None and len(rows) < self.world:
            raise UsageError(f"{len(rows)} clips cannot be shared out to {self.world} workers; take fewer")
        self._batches = Batches(
            packed,
            examples.label,
            rows,
            batch_size=batch_size or 1,
            seed=seed,
            shuffle=shuffle,
            bucketed=bucketed and self.is_batched,
            max_s=max_s,
            rank=self.rank if self.is_batched else 0,
            world=self.world if self.is_batched else 1,
        )
        chosen = "\n".join(examples.clip_id[row] for row in rows.tolist())
        self._identity = {
            "clips": hash_bytes(chosen.encode()),
            "batch_size": batch_size,
            "seed": seed,
            "is_shuffled": shuffle,
            "is_bucketed": bucketed and self.is_batched,
            "max_s": max_s,
            "sample_rate_hz": packed.sample_rate_hz,
            "rank": self.rank,
            "world": self.world,
        }
        self._epoch, self._next = 0, 0

    def __len__(self) -> int:
        """Items of an epoch, of this rank."""
        if self.is_batched:
            return len(self._batches)
        return len(range(self.rank, len(self._batches.rows), self.world))

    def __iter__(self) -> Iterator[Batch | Example]:
        worker = get_worker_info()
        first, step = (0, 1) if worker is None else (worker.id, worker.num_workers)
        epoch, begin = self._epoch, self._next
        order = self._order(epoch)
        # What arrives from n workers in turn is item begin, begin + 1, ... for any n.
        for place in range(begin + first, len(order), step):
            batch = self._batches.gather(order[place], epoch, place)
            if worker is None:
                self._advance(epoch, place)
            yield batch if self.is_batched else _single(batch)
        if worker is not None or begin >= len(order):  # a worker that lives on goes on with the next epoch
            self._epoch, self._next = epoch + 1, 0

    def set_epoch(self, epoch: int) -> None:
        """Let the next iteration be this epoch, from its beginning."""
        self._epoch, self._next = epoch, 0

    def seen(self, item: Batch | Example) -> None:
        """Say that an item has been used, where it came through the workers of a `DataLoader`."""
        self._advance(item.epoch, item.place)

    def state_dict(self) -> dict[str, Any]:
        """Place of the next item, and what this dataset is; numbers and texts only."""
        return {**self._identity, "epoch": self._epoch, "next": self._next}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a place.

        Raises
        ------
        UsageError
            where the state is of other clips, or of another seed, batch size or share.
        """
        for name, own in self._identity.items():
            if state.get(name, _BEFORE.get(name)) != own:
                raise UsageError(
                    f"this state is of another dataset: its {name} is {state.get(name, _BEFORE.get(name))!r}, here it is {own!r}"
                )
        self._epoch, self._next = int(state["epoch"]), int(state["next"])

    def _advance(self, epoch: int, place: int) -> None:
        is_last = place + 1 >= len(self)
        self._epoch, self._next = (epoch + 1, 0) if is_last else (epoch, place + 1)

    def _order(self, epoch: int) -> list[NDArray[np.int64]]:
        order = self._batches.order(epoch)
        return order if self.is_batched else order[self.rank :: self.world]


def to_torch(
    snapshot: Snapshot,
    split: str | None,
    part: str,
    fold: int,
    *,
    clip_ids: frozenset[str] | None = None,
    cache: Path | Literal["default"] | None = "default",
    sample_rate_hz: int = SAMPLE_RATE_HZ,
    **options: Any,
) -> ClipDataset:
    """The dataset of one part of a split; `motifdb.query.clips.Clips.to_torch` is its public door.

    Parameters
    ----------
    split : name of a split, or the beginning of its id; None means the only one
    clip_ids : keep no others; None keeps all
    sample_rate_hz : of the sound, as `motifdb.training.inputs.packed.pack` has it
    """
    examples = load_examples(snapshot, find_split(snapshot, split), fold)
    rows = examples.rows(part)
    if clip_ids is not None:
        rows = np.array([row for row in rows.tolist() if examples.clip_id[row] in clip_ids], np.int64)
    if not len(rows):
        raise NotFoundError(f"the split has no {part} clips of this kind in fold {fold}")
    chosen = Examples(
        tuple(examples.clip_id[row] for row in rows.tolist()),
        tuple(examples.recording_id[row] for row in rows.tolist()),
        examples.start_s[rows],
        examples.end_s[rows],
        examples.label[rows],
        examples.classes,
        tuple(examples.group[row] for row in rows.tolist()),
        np.asarray(examples.part)[rows],
    )
    packed = pack(snapshot, chosen, cache, sample_rate_hz=sample_rate_hz)
    return ClipDataset(packed, chosen, np.arange(len(rows)), **options)


def _single(batch: Batch) -> Example:
    return Example(batch.samples[0], int(batch.label[0]), int(batch.row[0]), batch.epoch, batch.place)


def _share(rank: int | None, world: int | None) -> tuple[int, int]:
    """This process's rank and how many there are."""
    if (rank is None) != (world is None):
        raise UsageError("give both rank and world, or neither")
    if rank is not None and world is not None:
        if not 0 <= rank < world:
            raise UsageError(f"rank {rank} is not one of {world} workers")
        return rank, world
    distributed = torch.distributed
    if distributed.is_available() and distributed.is_initialized():
        return distributed.get_rank(), distributed.get_world_size()
    return 0, 1
