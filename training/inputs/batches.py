"""Clips of like length together: batches whose order follows from a seed and an epoch alone.

Clips differ in length twentyfold (0.04 s to 2 s of `flamenco_motifs`), and a batch is as long as its longest clip. So an epoch's
clips are shuffled, cut into pools of 50 batches, sorted by length inside a pool, and cut into batches, whose order is
shuffled. Nothing else enters: batch 17 of epoch 3 is the same after a restart, on any machine.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from motifdb.errors import UsageError
from motifdb.kernels.gather import gather
from motifdb.training.inputs.packed import FULL_SCALE, Packed

POOL_BATCHES = 50


@dataclass(frozen=True)
class Batch:
    """Clips that are heard together.

    Attributes
    ----------
    samples : float32 [B, L] in [-1, 1), times the clip's gain where the set has one; zero beyond a clip's own length
    lengths : int64 [B], samples
    label : int64 [B], index of the class
    row : int64 [B], which example it is
    epoch, place : the batch's place: `Batches.epoch(epoch, place)` begins with it
    """

    samples: torch.Tensor
    lengths: torch.Tensor
    label: torch.Tensor
    row: torch.Tensor
    epoch: int = 0
    place: int = 0

    def __len__(self) -> int:
        return int(self.row.shape[0])

    def to(self, device: torch.device | str) -> Batch:
        """The batch on a device; `row` stays where it is, since only bookkeeping reads it."""
        return replace(
            self,
            samples=self.samples.to(device, non_blocking=True),
            lengths=self.lengths.to(device, non_blocking=True),
            label=self.label.to(device, non_blocking=True),
        )

    def pin_memory(self) -> Batch:
        """The batch in memory that a CUDA device reads by itself; `torch.utils.data.DataLoader` asks for this."""
        return replace(
            self,
            samples=self.samples.pin_memory(),
            lengths=self.lengths.pin_memory(),
            label=self.label.pin_memory(),
        )


class Batches:
    """Batches of some rows of a set of clips, epoch after epoch.

    Every row comes exactly once in an epoch, over all ranks together. All ranks have the same number of batches, and
    batches of one step have like lengths, so that no rank waits long for another. To that end, the batches of
    an epoch are made equally large to within one clip, at most `batch_size`; this leaves no tiny last batch either.

    Parameters
    ----------
    label : int64 [n] for every clip of `packed`, also those that are not in `rows`
    rows : which clips
    shuffle : where False, the same order in every epoch: by length (`bucketed`), else as `rows` has them
    bucketed : sort by length inside pools of `pool_batches` batches (of each rank)
    max_s : keep no more than the first so many seconds of a clip; None keeps all
    rank, world : which share of the batches, of how many

    Raises
    ------
    UsageError
        for no rows, fewer rows than ranks, a batch size below 1, or one of 1 that cannot be shared out evenly.

    >>> packed = Packed.of([np.full(n, n, np.int16) for n in (3, 1, 2, 2)])
    >>> batches = Batches(packed, np.array([0, 1, 1, 0]), np.arange(4), batch_size=2, shuffle=False)
    >>> [(b.row.tolist(), tuple(b.samples.shape)) for b in batches.epoch(0)]
    [([1, 2], (2, 2)), ([3, 0], (2, 3))]
    """

    def __init__(
        self,
        packed: Packed,
        label: NDArray[np.int64],
        rows: NDArray[np.int64],
        *,
        batch_size: int,
        seed: int = 0,
        shuffle: bool = True,
        bucketed: bool = True,
        max_s: float | None = None,
        rank: int = 0,
        world: int = 1,
        pool_batches: int = POOL_BATCHES,
    ) -> None:
        if batch_size < 1:
            raise UsageError(f"a batch holds at least 1 clip, not {batch_size}")
        if len(rows) == 0:
            raise UsageError("there are no clips to make batches of")
        if len(rows) < world:
            raise UsageError(f"{len(rows)} clips cannot be shared out to {world} workers; take fewer workers")
        if not 0 <= rank < world:
            raise UsageError(f"rank {rank} is not one of {world} workers")
        if batch_size == 1 and len(rows) % world:
            raise UsageError(
                f"{len(rows)} batches of one clip cannot be shared out evenly to {world} workers; take a batch size of 2 or more"
            )
        self.packed = packed
        self.label = np.asarray(label, np.int64)
        self.rows = np.asarray(rows, np.int64)
        self.batch_size, self.seed, self.shuffle, self.bucketed = batch_size, seed, shuffle, bucketed
        self.rank, self.world, self.pool_batches = rank, world, pool_batches
        most = None if max_s is None else max(1, round(max_s * packed.sample_rate_hz))
        self._pcm = np.asarray(packed.pcm)  # of a memory map, the plain array: kernels take no other
        self._length = packed.length if most is None else np.minimum(packed.length, most)
        self._scale = np.full(len(packed), 1 / FULL_SCALE, np.float32)
        if packed.gain is not None:
            self._scale *= packed.gain
        self._n_steps = -(-len(self.rows) // (batch_size * world))

    def __len__(self) -> int:
        """Batches of an epoch, for this rank; the same for every rank."""
        return self._n_steps

    def order(self, epoch: int) -> list[NDArray[np.int64]]:
        """Rows of every batch of an epoch of this rank, in order."""
        n_batches = self._n_steps * self.world
        bounds = np.arange(n_batches + 1) * len(self.rows) // n_batches
        rows = self.rows
        if not self.shuffle:
            if self.bucketed:
                rows = rows[np.argsort(self._length[rows], kind="stable")]
            steps = np.arange(self._n_steps)
        else:
            random = np.random.default_rng((self.seed, epoch))
            rows = random.permutation(rows)
            if self.bucketed:
                pool = self.pool_batches * self.world
                for first in range(0, n_batches, pool):
                    a, b = bounds[first], bounds[min(first + pool, n_batches)]
                    rows[a:b] = rows[a:b][np.argsort(self._length[rows[a:b]], kind="stable")]
            steps = random.permutation(self._n_steps)
        mine = steps * self.world + self.rank
        return [rows[bounds[i] : bounds[i + 1]] for i in mine.tolist()]

    def epoch(self, e: int, first_batch: int = 0) -> Iterator[Batch]:
        """The batches of epoch `e`, from `first_batch` on."""
        for place, rows in enumerate(self.order(e)):
            if place >= first_batch:
                yield self.gather(rows, e, place)

    def gather(self, rows: NDArray[np.int64], epoch: int = 0, place: int = 0) -> Batch:
        """A batch of these rows, from its place in an epoch."""
        lengths = self._length[rows]
        samples = np.empty((len(rows), int(lengths.max())), np.float32)
        gather(self._pcm, self.packed.start[rows], lengths, self._scale[rows], samples)
        return Batch(
            torch.from_numpy(samples),
            torch.from_numpy(lengths.astype(np.int64)),
            torch.from_numpy(self.label[rows]),
            torch.from_numpy(rows.astype(np.int64)),
            epoch,
            place,
        )
