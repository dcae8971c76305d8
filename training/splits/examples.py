"""What a model learns from: clips, their classes and their sides in one fold of a split."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from motifdb.errors import NotFoundError, UsageError, nearest
from motifdb.pipelines.committer import quoted

if TYPE_CHECKING:
    from motifdb.catalog.store import Snapshot

PARTS = ("train", "valid", "test")


@dataclass(frozen=True)
class Examples:
    """Which clips, of which class, on which side; row i of every array is one clip, in the order of clip_id.

    Attributes
    ----------
    clip_id, recording_id : n texts
    start_s, end_s : float64[n], in seconds from the start of the recording
    label : int64[n], index into `classes`
    classes : the values of the label in the whole split, ascending
    group : n texts, what a clip travels with
    part : n texts, ``"train"``, ``"valid"`` or ``"test"``
    """

    clip_id: tuple[str, ...]
    recording_id: tuple[str, ...]
    start_s: NDArray[np.float64]
    end_s: NDArray[np.float64]
    label: NDArray[np.int64]
    classes: tuple[str, ...]
    group: tuple[str, ...]
    part: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.clip_id)

    def rows(self, part: str) -> NDArray[np.int64]:
        """Indices of the clips of a part, ascending.

        Raises
        ------
        UsageError
            for a part that there is none of.
        """
        if part not in PARTS:
            raise UsageError(f"there is no part {part!r}; {nearest(part, PARTS)}")
        return np.flatnonzero(self.part == part)


def load_examples(snapshot: Snapshot, split_id: str, fold: int) -> Examples:
    """The clips of one fold of a split.

    Raises
    ------
    NotFoundError
        where the split or the fold is not there, or its clips are gone.
    """
    where = f"split_id = {quoted(split_id)}"
    columns = ["clip_id", "part", "label", "group_key"]
    rows = snapshot.table("splits", columns, f"{where} and fold = {int(fold)}").sort_by("clip_id")
    if not rows.num_rows:
        folds = pc.unique(snapshot.table("splits", ["fold"], where).column(0)).to_pylist()
        if not folds:
            raise NotFoundError(f"there is no split {split_id[:8]!r}; `motifdb split` makes one")
        raise NotFoundError(
            f"split {split_id[:8]} has no fold {fold}; its folds are {min(folds)} to {max(folds)}"
        )
    row = split_row(snapshot, split_id)
    span = ["clip_id", "recording_id", "start_s", "end_s"]
    clips = snapshot.table("clips", span, f"analysis_id = {quoted(row['parent_id'])}")
    clips = clips.filter(pc.is_in(clips.column("clip_id"), rows.column("clip_id"))).sort_by("clip_id")
    if clips.num_rows != rows.num_rows:
        raise NotFoundError(
            f"{rows.num_rows - clips.num_rows:,} clips of split {split_id[:8]} are gone, with the files they were cut"
            " from; `motifdb split` makes a split of those that are there"
        )
    label, names = rows.column("label").to_pylist(), split_classes(snapshot, split_id)
    index = {name: i for i, name in enumerate(names)}
    return Examples(
        tuple(rows.column("clip_id").to_pylist()),
        tuple(clips.column("recording_id").to_pylist()),
        clips.column("start_s").to_numpy(),
        clips.column("end_s").to_numpy(),
        np.array([index[name] for name in label], np.int64),
        names,
        tuple(rows.column("group_key").to_pylist()),
        np.array(rows.column("part").to_pylist(), np.str_),
    )


def split_classes(snapshot: Snapshot, split_id: str) -> tuple[str, ...]:
    """The values of the label in all folds of a split, ascending."""
    labels = snapshot.table("splits", ["label"], f"split_id = {quoted(split_id)}").column(0)
    return tuple(sorted(pc.unique(labels).to_pylist()))


def split_folds(snapshot: Snapshot, split_id: str) -> tuple[int, ...]:
    """The folds of a split, ascending."""
    folds = snapshot.table("splits", ["fold"], f"split_id = {quoted(split_id)}").column(0)
    return tuple(sorted(pc.unique(folds).to_pylist()))


def split_row(snapshot: Snapshot, split_id: str) -> dict[str, Any]:
    """The row of `analyses` of a split.

    Raises
    ------
    NotFoundError
    """
    found = snapshot.table("analyses", None, f"kind = 'split' and analysis_id = {quoted(split_id)}")
    if not found.num_rows:
        raise NotFoundError(f"there is no split {split_id[:8]!r}; `motifdb split` makes one")
    row: dict[str, Any] = found.to_pylist()[0]
    return row


def find_split(snapshot: Snapshot, text: str | None = None) -> str:
    """The id of a split, from its name, or the beginning of its id or name; of the only one where None.

    Raises
    ------
    NotFoundError, UsageError
        where there is none, or several are meant.
    """
    return str(_find(snapshot, "split", text)["analysis_id"])


def find_clips(snapshot: Snapshot, text: str | None = None) -> str:
    """The id of an analysis of clips, from its name, or the beginning of its id or name; of the only one where None.

    Raises
    ------
    NotFoundError, UsageError
        where there is none, or several are meant.
    """
    return str(_find(snapshot, "clips", text)["analysis_id"])


_MADE_BY = {
    "split": "`motifdb split` makes one",
    "clips": "`motifdb clips --kind motif` makes some, or `motifdb ingest DIR --as-clips` takes files as clips",
}
_WORD = {"split": ("split", "splits"), "clips": ("set of clips", "sets of clips")}


def _find(snapshot: Snapshot, kind: str, text: str | None) -> dict[str, Any]:
    """A row of `analyses` of a kind; of several with one name, the newest."""
    one, many = _WORD[kind]
    rows = snapshot.table("analyses", None, f"kind = '{kind}'").to_pylist()
    rows.sort(key=lambda r: (r["created_at"], r["analysis_id"]), reverse=True)
    if not rows:
        raise NotFoundError(f"there is no {one} here; {_MADE_BY[kind]}")
    if text is None:
        if len(rows) > 1:
            names = ", ".join(sorted({f"{r['name']!r}" for r in rows})[:8])
            raise UsageError(f"there are {len(rows)} {many}; name one of {names}")
        return dict(rows[0])
    named = [r for r in rows if r["name"] == text]
    if named:
        return dict(named[0])
    found = [r for r in rows if text and r["analysis_id"].startswith(text.lower())]
    if not found and text:
        # the beginning of a name will do where it is the beginning of one
        begun = [r for r in rows if r["name"].startswith(text)]
        found = begun[:1] if len({r["name"] for r in begun}) == 1 else begun
    if not found:
        raise NotFoundError(f"there is no {one} {text!r}; {nearest(text, (r['name'] for r in rows))}")
    if len(found) > 1:
        names = ", ".join(sorted({f"{r['name']!r} ({r['analysis_id'][:8]})" for r in found})[:5])
        raise UsageError(f"several {many} begin with {text!r}: {names}; give more of it")
    return dict(found[0])
