"""What is to have vectors: recordings, the clips of an analysis, or the places where the motifs of one sound."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from motifdb.errors import NotFoundError, UsageError, nearest
from motifdb.ids import hash_text
from motifdb.pipelines.predicates import in_lists, quoted
from motifdb.training.clips.mined import find_mined
from motifdb.training.embedding.base import TARGETS

if TYPE_CHECKING:
    from motifdb.catalog.snapshot import Snapshot

_SCHEMA = pa.schema(
    [
        ("recording_id", pa.string()),
        ("start_s", pa.float64()),
        ("end_s", pa.float64()),
        ("of", pa.string()),
    ]
)
PARENT_KIND = {"recording": None, "clip": "clips", "occurrence": "mining"}
"""By target, the kind of analysis that the vectors' analysis stands on."""


@dataclass(frozen=True, eq=False)
class Spans:
    """What is heard of one recording; entry i of everything is one target, in the order of start, end and id.

    Attributes
    ----------
    of : id of the clip or motif; None for a recording
    input_hash : of all of it: where it is another one now, the vectors are to be made anew
    """

    recording_id: str
    start_s: NDArray[np.float64]
    end_s: NDArray[np.float64]
    of: tuple[str | None, ...]
    input_hash: str

    def __len__(self) -> int:
        return len(self.of)


@dataclass(frozen=True)
class Target:
    """What is embedded: the kind of thing, and the row of `analyses` it is of (None for recordings)."""

    kind: str
    parent: dict[str, Any] | None

    @property
    def parent_id(self) -> str | None:
        """Id of that analysis."""
        return None if self.parent is None else str(self.parent["analysis_id"])

    @property
    def title(self) -> str:
        """In words: the recordings, clips or motifs that are meant."""
        if self.parent is None:
            return "recordings"
        return f"{'clips' if self.kind == 'clip' else 'occurrences'} of {self.parent['name']}"


def find_target(
    snapshot: Snapshot, kind: str | None, clips: str | None = None, analysis: str | None = None
) -> Target:
    """What is meant by a kind of target and the name of an analysis.

    Parameters
    ----------
    kind : one of `TARGETS`; None: clips where `clips` is given, occurrences where `analysis` is given, else
        recordings
    clips : name of an analysis of clips, or the beginning of its id; None: the only one
    analysis : of a mining analysis, likewise

    Raises
    ------
    UsageError, NotFoundError
        for a kind that is none, an analysis that is not there, several to choose from, or one given for another kind.
    """
    if kind is None:
        kind = "clip" if clips is not None else "occurrence" if analysis is not None else "recording"
    if kind not in TARGETS:
        raise UsageError(
            f"vectors are of recordings, clips or occurrences, not {kind!r}; {nearest(kind, TARGETS)}"
        )
    if clips is not None and kind != "clip":
        raise UsageError(f"--clips names clips, but --target is {kind}; leave one of them out")
    if analysis is not None and kind != "occurrence":
        raise UsageError(
            f"--analysis names a mining analysis, whose occurrences are embedded, but --target is {kind}; leave one of them out"
        )
    if kind == "recording":
        return Target(kind, None)
    if kind == "occurrence":
        return Target(kind, find_mined(snapshot, analysis))
    return Target(kind, _find_clips(snapshot, clips))


def _find_clips(snapshot: Snapshot, text: str | None) -> dict[str, Any]:
    there = snapshot.table("analyses", None, "kind = 'clips'").to_pylist()
    if not there:
        raise NotFoundError(
            f"{snapshot.path}: there are no clips here yet; `motifdb clips` cuts some, `motifdb ingest FOLDER --as-clips` makes"
            " one of each file"
        )
    meant = [row for row in there if text is None or row["name"] == text]
    if not meant and text:
        meant = [row for row in there if row["analysis_id"].startswith(text.lower())]
    if not meant:
        names = {str(row["name"]) for row in there}
        raise NotFoundError(f"{snapshot.path}: there are no clips {text!r}; {nearest(str(text), names)}")
    if len(meant) > 1:
        listed = ", ".join(sorted(f"{row['name']} ({row['analysis_id'][:8]})" for row in meant))
        raise UsageError(f"several sets of clips are meant: {listed}; name one with --clips")
    return dict(meant[0])


def spans_of(
    snapshot: Snapshot, target: Target, recordings: Collection[str] | None = None
) -> Iterator[Spans]:
    """What is to be heard of each recording, by recording_id.

    Parameters
    ----------
    recordings : only these; None: all. Recordings without anything to embed do not come.
    """
    wanted = None if recordings is None else pa.array(sorted(recordings), pa.string())
    table = _table(snapshot, target, recordings)
    if wanted is not None:
        table = table.filter(pc.is_in(table.column("recording_id"), wanted))
    if not table.num_rows:
        return
    table = table.sort_by([(name, "ascending") for name in ("recording_id", "start_s", "end_s", "of")])
    ids = table.column("recording_id").combine_chunks()
    change = pc.not_equal(ids[1:], ids[:-1]).to_numpy(zero_copy_only=False)
    edges = np.concatenate([[0], np.flatnonzero(change) + 1, [table.num_rows]]).tolist()
    start_s, end_s = table.column("start_s").to_numpy(), table.column("end_s").to_numpy()
    of = table.column("of").to_pylist()
    for low, high in pairwise(edges):
        # one motif may sound over one span in two ways where symbols may be skipped: one vector
        kept = [
            i
            for i in range(low, high)
            if i == low or (start_s[i], end_s[i], of[i]) != (start_s[i - 1], end_s[i - 1], of[i - 1])
        ]
        names = [f"{of[i]} {float(start_s[i])!r} {float(end_s[i])!r}" for i in kept]
        yield Spans(
            str(ids[low].as_py()), start_s[kept], end_s[kept], tuple(of[i] for i in kept), hash_text(*names)
        )


def _table(snapshot: Snapshot, target: Target, recordings: Collection[str] | None) -> pa.Table:
    """Rows (recording_id, start_s, end_s, of), in no order."""
    if target.kind == "recording":
        found = snapshot.table(
            "recordings", ["recording_id", "duration_s"], "kind = 'audio' and duration_s > 0"
        )
        n = found.num_rows
        columns = [found.column(0), pa.array(np.zeros(n)), found.column(1), pa.nulls(n, pa.string())]
        return pa.table(columns, schema=_SCHEMA)
    if target.kind == "clip":
        where = f"analysis_id = {quoted(str(target.parent_id))}"
        found = snapshot.table("clips", ["recording_id", "start_s", "end_s", "clip_id"], where)
        return found.rename_columns(_SCHEMA.names).cast(_SCHEMA)
    own = snapshot.table("motifs", ["motif_id"], f"analysis_id = {quoted(str(target.parent_id))}").column(0)
    columns_of = ["recording_id", "start_s", "end_s", "motif_id"]
    filters: list[str | None] = [None]
    if recordings is not None and len(recordings) <= 1000:
        filters = list(in_lists("recording_id", recordings))
    parts = [_SCHEMA.empty_table()]
    for where_ in filters:
        for batch in snapshot.batches("occurrences", columns_of, where_):
            is_own = pc.is_in(batch.column("motif_id"), own.combine_chunks())
            part = pa.Table.from_batches([batch]).filter(is_own)
            parts.append(part.rename_columns(_SCHEMA.names).cast(_SCHEMA))
    return pa.concat_tables(parts)
