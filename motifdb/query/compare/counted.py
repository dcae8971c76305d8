"""What is compared: how often each kept pattern occurs in each unit, and how long each unit sings."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from motifdb.config import MiningConfig, part_from_parameters
from motifdb.errors import NotFoundError, UsageError, nearest
from motifdb.query.scopes import current_partition

if TYPE_CHECKING:
    from motifdb.catalog.store import Snapshot


@dataclass(frozen=True)
class Mined:
    """A mining analysis whose kept patterns are compared.

    Attributes
    ----------
    scope : what was mined together; a label where patterns were kept by the value of that label
    """

    id: str
    name: str
    contour_id: str
    scope: str

    @property
    def title(self) -> str:
        """Name and short id."""
        return f"{self.name} ({self.id[:8]})"


@dataclass(frozen=True)
class Counted:
    """Counts of patterns in units, sorted by pattern.

    Attributes
    ----------
    pattern_id, contour : of each pattern
    begin : int64, shape (n_patterns + 1,), where each pattern's entries stand
    unit : int32, shape (n_entries,), units that hold it, ascending in a pattern
    occurrences : int64, shape (n_entries,)
    minutes : float64, shape (n_units,), of phrases
    """

    pattern_id: list[str]
    contour: list[str]
    begin: NDArray[np.int64]
    unit: NDArray[np.int32]
    occurrences: NDArray[np.int64]
    minutes: NDArray[np.float64]


def find_mined(snapshot: Snapshot, text: str | None, by: str) -> Mined:
    """The mining analysis that a name or the beginning of an id means; None: the only one there is.

    Raises
    ------
    NotFoundError
        where there is none.
    UsageError
        where several are meant, where its patterns were kept by the very label, or where they are not counted.
    """
    rows = snapshot.table("analyses").to_pylist()
    mined = [
        row for row in rows if row["kind"] == "mining" and "dictionary" not in json.loads(row["parameters"])
    ]
    if not mined:
        raise NotFoundError(f"{snapshot.path} holds no motifs; run `motifdb ingest` or `motifdb mine` first")
    meant = [row for row in mined if text is None or text == row["name"]]
    if not meant and text:
        meant = [row for row in mined if row["analysis_id"].startswith(text.lower())]
    if not meant:
        names = sorted({str(row["name"]) for row in mined})
        raise NotFoundError(f"there is no mining analysis {text!r}; {nearest(str(text), names)}")
    blind = [row for row in meant if _scope(row) != by]
    if not blind:
        raise UsageError(
            f"analysis {meant[0]['name']!r} kept its patterns {by} by {by}, and what was picked with a label cannot be tested"
            " against it; name one that mined each recording or the corpus with --analysis"
        )
    meant = blind
    if text is None and len(meant) > 1:
        meant = [row for row in blind if _scope(row) == "recording"] or blind
    if len(meant) > 1:
        listed = ", ".join(sorted(f"{row['name']} ({row['analysis_id'][:8]})" for row in meant))
        raise UsageError(f"several mining analyses are meant: {listed}; name one with --analysis")
    (row,) = meant
    _require_counts(snapshot, rows, row)
    return Mined(row["analysis_id"], row["name"], row["parent_id"], _scope(row))


def counted_recordings(snapshot: Snapshot, mined: Mined) -> list[str]:
    """Recordings in which an analysis's patterns are counted, ascending.

    Raises
    ------
    UsageError
        for an analysis over several recordings where other recordings are there now.
    """
    if mined.scope == "recording":
        where = f"analysis_id = '{mined.id}' and state <> 'failed'"
        return sorted(snapshot.table("coverage", ["scope_key"], where).column(0).to_pylist())
    (row,) = snapshot.table("analyses", None, f"analysis_id = '{mined.id}'").to_pylist()
    config = part_from_parameters(MiningConfig, json.loads(row["parameters"]))
    now = current_partition(snapshot, mined.contour_id, config)
    if now.inputs_hash != row["inputs_hash"]:
        raise UsageError(
            f"{mined.title} was mined over other recordings than are there now; `motifdb mine --refresh` makes a successor"
        )
    return sorted(now.inputs)


def _scope(row: dict[str, Any]) -> str:
    return str(json.loads(row["parameters"]).get("scope", "recording"))


def _require_counts(snapshot: Snapshot, rows: list[dict[str, Any]], mined: dict[str, Any]) -> None:
    counts = [
        r["analysis_id"] for r in rows if r["kind"] == "counts" and r["parent_id"] == mined["analysis_id"]
    ]
    done = snapshot.table("coverage", ["input_hash"], f"analysis_id = '{counts[0]}'") if counts else None
    if done is None or done.column(0).to_pylist() in ([], ["partial"]):
        raise UsageError(
            f"the patterns of {mined['name']} ({mined['analysis_id'][:8]}) are not counted in every recording; the job that mined"
            " them was stopped, and running it again counts them"
        )


def phrase_minutes(snapshot: Snapshot, contour_id: str) -> dict[str, float]:
    """Minutes of phrases of each recording that has any."""
    seconds: dict[str, float] = {}
    where = f"analysis_id = '{contour_id}'"
    for batch in snapshot.batches("contours", ["recording_id", "start_s", "end_s"], where):
        span_s = pc.subtract(batch.column(2), batch.column(1))
        sums = pa.table([batch.column(0), span_s], names=["r", "s"]).group_by("r").aggregate([("s", "sum")])
        for name, total in zip(sums.column("r").to_pylist(), sums.column("s_sum").to_pylist(), strict=True):
            seconds[name] = seconds.get(name, 0.0) + total
    return {name: s / 60 for name, s in seconds.items() if s > 0}


def count_in_units(
    snapshot: Snapshot, mined: Mined, unit_of: dict[str, int], minutes: dict[str, float], n_units: int
) -> Counted:
    """Read the counts of an analysis's kept patterns, summed over the recordings of each unit."""
    where = f"analysis_id = '{mined.id}'"
    names = pa.array(unit_of, pa.string())
    units = np.fromiter(unit_of.values(), np.int64, len(unit_of))
    parts = []
    for batch in snapshot.batches("pattern_counts", ["pattern_id", "recording_id", "occurrences"], where):
        at = pc.index_in(batch.column(1), value_set=names)
        kept = pa.table(batch).append_column("at", at).filter(pc.is_valid(at))
        parts.append(kept.select(["pattern_id", "at", "occurrences"]))
    found = pa.concat_tables(parts) if parts else None
    contours = _contours(snapshot, where)
    minutes_of = np.zeros(n_units)
    for recording, unit in unit_of.items():
        minutes_of[unit] += minutes[recording]
    if found is None or not found.num_rows:
        none = np.zeros(0, np.int64)
        return Counted([], [], np.zeros(1, np.int64), none.astype(np.int32), none, minutes_of)
    patterns = pc.unique(found.column("pattern_id")).sort()
    pattern = pc.index_in(found.column("pattern_id"), value_set=patterns).to_numpy().astype(np.int64)
    key = pattern * n_units + units[found.column("at").to_numpy()]
    keys, inverse = np.unique(key, return_inverse=True)
    occurrences = np.zeros(len(keys), np.int64)
    np.add.at(occurrences, inverse, found.column("occurrences").to_numpy())
    begin = np.searchsorted(keys, np.arange(len(patterns) + 1) * n_units).astype(np.int64)
    ids = patterns.to_pylist()
    return Counted(
        ids,
        [contours[i] for i in ids],
        begin,
        (keys % n_units).astype(np.int32),
        occurrences,
        minutes_of,
    )


def _contours(snapshot: Snapshot, where: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for batch in snapshot.batches("motifs", ["pattern_id", "contour"], where):
        found.update(zip(batch.column(0).to_pylist(), batch.column(1).to_pylist(), strict=True))
    return found
