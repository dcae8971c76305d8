"""What else goes when recordings, motifs or files go: clips, the splits and predictions they are in, vectors, whole audits.

A clip goes with its recording, with the motif it was cut for, and, where it is a file, with that file. Clips of one
recording and one analysis stand or fall together (a job that is run again makes them anew), but for those of files,
which are counted again. Families over several recordings go with any of these that they are sung in, and so does what
else was found in their scope. A split loses the clips that go. Of a run that was tested on one of them the figures stay,
as what was measured then; its predictions go, since the figures no longer follow from them. An audit is about all of
its recordings at once: it goes whole, and is made anew when it is asked for.

A vector goes with its recording, its clip or its motif, also where the motif's places are found anew. The figures of an
analysis that loses a vector go: they were means over all of them. Encoders stay, as runs do.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from motifdb.pipelines.predicates import AT_ONCE, in_lists, path_predicate, quoted

if TYPE_CHECKING:
    from motifdb.catalog.store import Snapshot

PARTIAL = "partial"
"""input_hash of a recording that lost some of an analysis's vectors."""


@dataclass
class Dropped:
    """What is to be deleted beside the recordings' own rows, and coverage that is to be written anew.

    Attributes
    ----------
    stale : (table, predicate)
    coverage : rows of `coverage` that replace those of their analysis and scope
    uncovered : by analysis, scopes that are covered no more
    """

    stale: list[tuple[str, str]] = field(default_factory=list)
    coverage: list[dict[str, Any]] = field(default_factory=list)
    uncovered: dict[str, set[str]] = field(default_factory=dict)

    def recount(self, snapshot: Snapshot, analysis_id: str, n_rows: Mapping[str, int]) -> None:
        """An analysis has other numbers of rows in some scopes now; none is no coverage."""
        own = f"analysis_id = {quoted(analysis_id)}"
        for keys in in_lists("scope_key", n_rows):
            where = f"{own} and {keys}"
            self.stale.append(("coverage", where))
            rows = snapshot.table("coverage", None, where).to_pylist()
            self.coverage += [
                row | {"n_rows": n_rows[row["scope_key"]]} for row in rows if n_rows[row["scope_key"]]
            ]
        self.uncovered.setdefault(analysis_id, set()).update(key for key, n in n_rows.items() if not n)


def dropped(
    snapshot: Snapshot,
    recordings: Collection[str],
    motifs: Collection[str],
    files: Collection[tuple[str, str]],
    replaced: Collection[str] = (),
) -> Dropped:
    """What goes with recordings, motifs and files (corpus_id, path) that go.

    `replaced` are motifs whose places are written anew. Rows that name a recording that goes in a column of `OF_RECORDING` are left to that rule.
    """
    out = Dropped()
    _audits(snapshot, recordings, out)
    _wide_families(snapshot, recordings, out)
    going: set[str] = set()
    if snapshot.count("clips"):
        going = _clips(snapshot, recordings, motifs, files, out)
        _splits_and_predictions(snapshot, going, out)
    if snapshot.count("embeddings"):
        _vectors(snapshot, recordings, {*motifs, *replaced}, going, out)
    return out


def _audits(snapshot: Snapshot, recordings: Collection[str], out: Dropped) -> None:
    if not recordings or not snapshot.count("islands"):
        return
    audits: set[str] = set()
    for where in in_lists("recording_id", recordings):
        audits.update(snapshot.table("islands", ["analysis_id"], where).column(0).to_pylist())
    for audit in sorted(audits):
        mine = f"analysis_id = {quoted(audit)}"
        out.stale += [("islands", mine), ("audio_links", mine), ("coverage", mine)]
        out.uncovered[audit] = {"all"}


def _wide_families(snapshot: Snapshot, recordings: Collection[str], out: Dropped) -> None:
    """Families over several recordings of which one goes: their whole scope, which is searched anew when it is asked for."""
    if not recordings or not snapshot.count("families"):
        return
    sung: set[str] = set()
    for where in in_lists("recording_id", recordings):
        sung.update(snapshot.table("family_members", ["family_id"], where).column(0).to_pylist())
    scopes: set[tuple[str, str]] = set()
    for where in in_lists("family_id", sung):
        columns = ["analysis_id", "scope_key"]
        for row in snapshot.table("families", columns, f"scope <> 'recording' and {where}").to_pylist():
            scopes.add((row["analysis_id"], row["scope_key"]))
    for analysis_id, key in sorted(scopes):
        where = f"analysis_id = {quoted(analysis_id)} and scope_key = {quoted(key)}"
        own = snapshot.table("families", ["family_id"], where).column(0).to_pylist()
        out.stale += [("families", where), ("coverage", where)]
        out.stale += [("family_members", members) for members in in_lists("family_id", own)]
        out.uncovered.setdefault(analysis_id, set()).add(key)


def _clips(
    snapshot: Snapshot,
    recordings: Collection[str],
    motifs: Collection[str],
    files: Collection[tuple[str, str]],
    out: Dropped,
) -> set[str]:
    """Ids of the clips that go."""
    gone = set(recordings)
    going = {row["clip_id"] for row in _found(snapshot, in_lists("recording_id", gone))}
    units: dict[str, set[str]] = {}
    for row in _found(snapshot, in_lists("motif_id", motifs)):
        if row["recording_id"] not in gone:
            units.setdefault(row["analysis_id"], set()).add(row["recording_id"])
    for analysis_id, names in sorted(units.items()):
        wheres = [
            f"analysis_id = {quoted(analysis_id)} and {keys}" for keys in in_lists("recording_id", names)
        ]
        going.update(row["clip_id"] for row in _found(snapshot, wheres))
        out.stale += [("clips", where) for where in wheres]
        out.recount(snapshot, analysis_id, dict.fromkeys(names, 0))
    lost: dict[str, Counter[str]] = {}
    keys = sorted(files)
    wheres = [path_predicate(set(keys[i : i + AT_ONCE])) for i in range(0, len(keys), AT_ONCE)]
    for row in _found(snapshot, wheres):
        if row["recording_id"] not in gone:
            going.add(row["clip_id"])
            lost.setdefault(row["analysis_id"], Counter())[row["recording_id"]] += 1
    out.stale += [("clips", where) for where in wheres]
    for analysis_id, n_lost in sorted(lost.items()):
        own = f"analysis_id = {quoted(analysis_id)}"
        there = _found(snapshot, [f"{own} and {names}" for names in in_lists("recording_id", n_lost)])
        left = Counter(row["recording_id"] for row in there)
        out.recount(snapshot, analysis_id, {name: left[name] - n for name, n in n_lost.items()})
    return going


def _found(snapshot: Snapshot, wheres: Iterable[str]) -> list[dict[str, Any]]:
    columns = ["clip_id", "analysis_id", "recording_id"]
    return [row for where in wheres for row in snapshot.table("clips", columns, where).to_pylist()]


def _splits_and_predictions(snapshot: Snapshot, clips: set[str], out: Dropped) -> None:
    lost: Counter[str] = Counter()
    runs: set[str] = set()
    for where in in_lists("clip_id", clips):
        found = snapshot.table("splits", ["split_id"], where).column(0).to_pylist()
        if found:
            lost.update(found)
            out.stale.append(("splits", where))
        runs.update(snapshot.table("predictions", ["run_id"], where).column(0).to_pylist())
    for split_id, n in sorted(lost.items()):
        left = snapshot.count("splits", f"split_id = {quoted(split_id)}") - n
        out.recount(snapshot, split_id, {"all": left})
    out.stale += [("predictions", where) for where in in_lists("run_id", runs)]


def _vectors(
    snapshot: Snapshot, recordings: Collection[str], motifs: Collection[str], clips: set[str], out: Dropped
) -> None:
    """Vectors of clips and motifs that go, and the figures of every analysis that loses some."""
    gone, losing = set(recordings), set()
    lost: dict[str, Counter[str]] = {}
    for where in in_lists("recording_id", gone):
        losing.update(snapshot.table("embeddings", ["analysis_id"], where).column(0).to_pylist())
    for where in [*in_lists("clip_id", clips), *in_lists("motif_id", motifs)]:
        rows = snapshot.table("embeddings", ["analysis_id", "recording_id"], where).to_pylist()
        if rows:
            out.stale.append(("embeddings", where))
        for row in rows:
            if row["recording_id"] not in gone:
                lost.setdefault(row["analysis_id"], Counter())[row["recording_id"]] += 1
    for analysis_id, n_lost in sorted(lost.items()):
        losing.add(analysis_id)
        left: Counter[str] = Counter()
        for names in in_lists("recording_id", n_lost):
            where = f"analysis_id = {quoted(analysis_id)} and {names}"
            left.update(snapshot.table("embeddings", ["recording_id"], where).column(0).to_pylist())
        out.recount(snapshot, analysis_id, {name: left[name] - n for name, n in n_lost.items()})
        for row in out.coverage:  # so that the job hears it again, also where the very same places come back
            if row["analysis_id"] == analysis_id:
                row["input_hash"] = PARTIAL
    out.stale += [("embedding_metrics", where) for where in in_lists("analysis_id", losing)]
