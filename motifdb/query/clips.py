"""Training examples of a database: which spans of which recordings, and the door from them to torch."""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pyarrow as pa
import pyarrow.compute as pc

from motifdb.errors import MissingExtraError, NotFoundError, UsageError, nearest

if TYPE_CHECKING:
    from torch.utils.data import IterableDataset

    from motifdb.catalog.store import Snapshot

CLIP_KINDS = ("motif", "motif_segment", "random", "random_disjoint", "window", "file")
_DATASET = "motifdb.training.inputs.dataset"
"""The one place where reading reaches up into learning: by name, when somebody asks, so that rooms still import one way."""


class Clips:
    """Clips of a database, of one kind or one analysis where asked; `motifdb.query.database.Database.clips` makes it.

    Raises
    ------
    UsageError
        for a kind that there never is.
    NotFoundError
        where there are no such clips, naming the command that makes them.
    """

    def __init__(self, snapshot: Snapshot, kind: str | None = None, analysis: str | None = None) -> None:
        if kind is not None and kind not in CLIP_KINDS:
            raise UsageError(f"there are no clips of kind {kind!r}; {nearest(kind, CLIP_KINDS)}")
        self._snapshot = snapshot
        self.kind = kind
        self.analyses = _analyses(snapshot, analysis)
        table = snapshot.table("clips", None, None if kind is None else f"kind = '{kind}'")
        chosen = pc.is_in(table.column("analysis_id"), pa.array(list(self.analyses), pa.string()))
        self._table = table.filter(chosen).sort_by("clip_id")
        if not self._table.num_rows:
            raise NotFoundError(f"{snapshot.path}: there are no clips{_of(kind, analysis)}; {_how(kind)}")

    def arrow(self) -> pa.Table:
        """Rows of table clips, by clip_id."""
        return self._table

    def to_torch(
        self,
        split: str | None = None,
        part: str = "train",
        fold: int = 0,
        *,
        batch_size: int | None = None,
        shuffle: bool | None = None,
        bucketed: bool = True,
        max_s: float | None = None,
        seed: int = 0,
        rank: int | None = None,
        world: int | None = None,
        cache: Path | Literal["default"] | None = "default",
        sample_rate_hz: int = 16_000,
    ) -> IterableDataset:
        """A torch `IterableDataset` over these clips in one part of a split, with exact resume; docs/front_ends.md.

        Parameters
        ----------
        split : name of a split, or the beginning of its id; None means the only one
        part : "train", "valid" or "test"
        batch_size : clips in a batch at most, made of clips of like length (`bucketed`); None gives single clips
        shuffle : None shuffles the part train only
        max_s : keep no more than the first so many seconds of a clip
        rank, world : this process's share; None asks `torch.distributed` where that is running
        cache : folder of the packed sound; "default" is the user's cache folder; None reads into memory
        sample_rate_hz : 16,000 as it is kept; 22,050 or 48,000 from the recordings' own files where they are

        Raises
        ------
        NotFoundError
            where the split, the fold, clips in that part or their sound are not there.
        MissingExtraError
            where torch is not installed.
        """
        if importlib.util.find_spec("torch") is None:
            raise MissingExtraError("torch is not installed; `pip install 'motifdb[train]'` adds it")
        dataset: IterableDataset = importlib.import_module(_DATASET).to_torch(
            self._snapshot,
            split,
            part,
            fold,
            clip_ids=frozenset(self._table.column("clip_id").to_pylist()),
            cache=cache,
            sample_rate_hz=sample_rate_hz,
            batch_size=batch_size,
            shuffle=part == "train" if shuffle is None else shuffle,
            bucketed=bucketed,
            max_s=max_s,
            seed=seed,
            rank=rank,
            world=world,
        )
        return dataset

    @property
    def seconds(self) -> float:
        """How long all clips are together."""
        total = pc.sum(pc.subtract(self._table.column("end_s"), self._table.column("start_s"))).as_py()
        return float(total or 0.0)

    def __len__(self) -> int:
        return int(self._table.num_rows)

    def __repr__(self) -> str:
        counted = self._table.group_by("kind").aggregate([([], "count_all")]).sort_by("kind")
        kinds = ", ".join(
            f"{n:,} {kind}"
            for kind, n in zip(counted["kind"].to_pylist(), counted["count_all"].to_pylist(), strict=True)
        )
        recordings = pc.count_distinct(self._table.column("recording_id")).as_py()
        return f"<{kinds} clips of {recordings:,} recordings, {self.seconds / 60:,.1f} min>"


def _analyses(snapshot: Snapshot, wanted: str | None) -> tuple[str, ...]:
    """Ids of the analyses of clips that a text means: a name, or the beginning of an id; all where None."""
    rows = snapshot.table("analyses", ["analysis_id", "name"], "kind = 'clips'").to_pylist()
    if wanted is not None:
        named = [row for row in rows if row["name"] == wanted]
        found = named or [row for row in rows if wanted and row["analysis_id"].startswith(wanted.lower())]
        if not found and rows:
            hint = nearest(wanted, {row["name"] for row in rows})
            raise NotFoundError(f"{snapshot.path}: there is no analysis of clips {wanted!r}; {hint}")
        rows = found
    return tuple(row["analysis_id"] for row in rows)


def _of(kind: str | None, analysis: str | None) -> str:
    return (f" of kind {kind}" if kind else "") + (f" in analysis {analysis!r}" if analysis else "")


def _how(kind: str | None) -> str:
    if kind == "file":
        return "`motifdb ingest FOLDER --as-clips` makes one of each file"
    return f"`motifdb clips --kind {kind or 'motif'}` cuts them"
