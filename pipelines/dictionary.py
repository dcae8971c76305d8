"""The dictionaries M(S) of sid-2020: a singer's motifs from all recordings, united, then looked for in all of them.

A per-recording mining analysis says which patterns each recording of S keeps. Their union is M(S); every place where one
of its patterns sounds in any recording of S is an instance (`matches="all"`), or only the first place in each phrase,
as the authors' released code cuts its clips (`matches="first"`). S may be a singer, or the value of any other label.

A dictionary is stored as an analysis of kind ``mining`` of the same contours, with the label as scope and its value as
scope_key. It asks for no least support or duration, since rematching does not; its parameters name the analysis that the
patterns come from. It follows that analysis: run again, it makes those values anew whose recordings or motifs have changed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from motifdb.config import parameters
from motifdb.errors import NotFoundError, UsageError, nearest
from motifdb.ids import hash_text, set_hash
from motifdb.pipelines.analyses import Analysis, counts_analysis
from motifdb.pipelines.committer import Committer, in_list
from motifdb.pipelines.counts import ALL, PARTIAL, refresh_counts
from motifdb.pipelines.dictionary_rows import Matches, Vocabulary, rematch
from motifdb.pipelines.known import Known
from motifdb.pipelines.lineage import find_mining
from motifdb.pipelines.motif_rows import PhraseColumns
from motifdb.pipelines.stages import coverage_row
from motifdb.query.scopes import Partition, label_values, partition
from motifdb.schemas import CONTOURS, COVERAGE

if TYPE_CHECKING:
    from motifdb.catalog.store import Snapshot
    from motifdb.catalog.writer import Writer
    from motifdb.pipelines.progress import Progress

DICTIONARY_VERSION = 1

RECORDINGS_AT_ONCE = 512
"""Recordings whose phrases are held at a time, unless one value of the label has more."""

PUBLISHED = {"EM": 1125, "AM": 3467, "EC": 3064, "JT": 2445, "TP": 1062}
"""Instances by singer in Table 1 of sid-2020."""


@dataclass(frozen=True)
class Options:
    """What `motifdb dictionary` is asked for; see its help."""

    by: str
    matches: Matches = "all"
    analysis: str | None = None
    name: str | None = None
    min_clip_s: float = 0.0

    def check(self) -> None:
        """Refuse what cannot be.

        Raises
        ------
        UsageError
        """
        if self.matches not in ("all", "first"):
            raise UsageError(f"--matches cannot be {self.matches!r}; choose all or first")
        if not 0 <= self.min_clip_s < float("inf"):
            raise UsageError(f"--min-clip must be 0 seconds or more, got {self.min_clip_s:g}")
        if self.by in ("recording", "corpus"):
            raise UsageError(f"--by names a label, such as singer or style; {self.by!r} is none")


@dataclass
class Report:
    """What `motifdb dictionary` has to tell: Table 1 and who is not in it."""

    title: str
    analysis_id: str
    name: str
    options: Options
    scope: Partition
    paths: dict[str, str]
    table: pa.Table
    n_made: int
    n_commits: int


def make_dictionaries(options: Options, writer: Writer, progress: Progress) -> Report:
    """Bring the dictionaries of one label up to date with the motifs of single recordings.

    Raises
    ------
    UsageError, NotFoundError
        for options that cannot be, before any work.
    KeyboardInterrupt
        on Ctrl-C; what was committed stays, and the same call goes on from there.
    """
    options.check()
    try:
        return _Job(options, writer, progress).run()
    finally:
        progress.close()


class _Job:
    """One run, step by step."""

    def __init__(self, options: Options, writer: Writer, progress: Progress) -> None:
        self.options, self.writer, self.progress = options, writer, progress
        self.known = Known.of(writer.snapshot)
        self.committer = Committer(writer, self.known)
        self.lineage = find_mining(writer.snapshot, options.analysis)
        mined = _coverage(writer.snapshot, self.lineage.mining_id)
        self.n_motifs_of = {row["scope_key"]: row["n_rows"] for row in mined if row["state"] != "failed"}
        self.inputs = sorted(self.known.covered.get(self.lineage.contour_id, {}))
        self.scope = self._scope()
        # a place found again stands for itself: no least count, no least duration of a motif
        self.config = replace(
            self.lineage.mining, min_support=1, min_duration_s=0.0, max_duration_s=None, scope=options.by
        )
        self.analysis = self._analysis()
        self._stale: list[str] = []

    def _scope(self) -> Partition:
        """Who is where, of the recordings that have been mined.

        Raises
        ------
        NotFoundError
            where none has the label.
        """
        labels = label_values(self.known.files.values())
        scope = partition(self.options.by, "leave-out", self.n_motifs_of, labels)
        if not scope.recordings and not scope.contradicting:
            given = sorted(name for name, recordings in labels.items() if recordings)
            hint = (
                nearest(self.options.by, given)
                if given
                else "no file has labels; ingest with --metadata or --pattern gives them"
            )
            raise NotFoundError(f"there is no label {self.options.by!r} here; {hint}")
        return scope

    def _analysis(self) -> Analysis:
        options = self.options
        name = f"dictionary by {options.by}" + (", first" if options.matches == "first" else "")
        if options.min_clip_s:
            name += f", from {options.min_clip_s:g} s"
        said = {
            "of": self.lineage.mining_id,
            "matches": options.matches,
            "min_clip_s": options.min_clip_s,
        }
        return Analysis(
            options.name or name,
            "mining",
            self.lineage.contour_id,
            parameters(self.config) | {"dictionary": said},
            DICTIONARY_VERSION,
            set_hash(self.inputs),
            len(self.inputs),
        )

    def run(self) -> Report:
        stored = {row["analysis_id"]: row for row in self.writer.snapshot.table("analyses").to_pylist()}
        old = stored.get(self.analysis.id)
        if old is not None and self.options.name is None:
            self.analysis = replace(self.analysis, name=old["name"])
        taken = [r for r in stored.values() if r["kind"] == "mining" and r["name"] == self.options.name]
        if any(r["analysis_id"] != self.analysis.id for r in taken):
            raise UsageError(
                f"the name {self.options.name!r} is taken by analysis {taken[0]['analysis_id'][:8]}, which has other"
                " parameters; choose another one with --name"
            )
        wanted = (self.analysis.inputs_hash, self.analysis.name)
        is_same = old is not None and (old["inputs_hash"], old["name"]) == wanted
        if old is None:
            self.committer.analyses([self.analysis])
        elif not is_same:
            self.committer.replace_analysis(self.analysis)
        stamps = {value: self._stamp(members) for value, members in self.scope.recordings.items()}
        done = self.known.covered.setdefault(self.analysis.id, {})
        for value in sorted(done.keys() - stamps.keys()):
            self._forget(value)
        todo = [value for value, stamp in stamps.items() if done.get(value) != stamp]
        if todo or self._stale or not is_same:
            self._mark_counts()
        if todo:
            self.progress.begin(f"dictionaries by {self.options.by}", len(todo), 0, unit="of them")
        for n_done, (value, phrases, patterns) in enumerate(self._read(todo), 1):
            self._forget(value)
            self._make(value, phrases, patterns, stamps[value])
            self.progress.done(n_done, 0, 0.0)
            if self.committer.is_due():
                self._flush()
        self._flush()
        self.progress.start("counting their patterns in every recording")
        refresh_counts(
            self.committer,
            self.writer,
            self.analysis.id,
            self.lineage.contour_id,
            self.lineage.mining.max_gap,
            set(self.inputs),
        )
        return self._report(len(todo))

    def _mark_counts(self) -> None:
        """Say that the counts are behind: where a run stops before it has counted, the next one counts all anew."""
        counts = counts_analysis(self.analysis.id)
        self.committer.analyses([counts])
        self.committer.replace_rows("coverage", f"analysis_id = '{counts.id}'")
        row = coverage_row(counts.id, ALL) | {"input_hash": PARTIAL}
        self.committer.rows("coverage", COVERAGE.table([row]))
        self.known.covered[counts.id] = {ALL: PARTIAL}

    def _stamp(self, members: list[str]) -> str:
        """What a dictionary is made of: the recordings, and how many motifs each has."""
        return hash_text(set_hash(f"{r} {self.n_motifs_of[r]}" for r in members))

    def _forget(self, value: str) -> None:
        """Remove a dictionary that is to be made anew, or whose label is gone."""
        if value in self.known.covered[self.analysis.id]:
            self._stale.append(value)
            del self.known.covered[self.analysis.id][value]

    def _flush(self) -> None:
        if self._stale:  # in one predicate: Lance reads no long chain of them
            where = f"analysis_id = '{self.analysis.id}' and {in_list('scope_key', self._stale)}"
            old = self.writer.snapshot.table("motifs", ["motif_id"], where).column(0).to_pylist()
            if old:
                self.committer.replace_rows("occurrences", in_list("motif_id", old))
            self.committer.replace_rows("motifs", where)
            self.committer.replace_rows("coverage", where)
            self._stale = []
        self.committer.flush(f"dictionaries by {self.options.by}")

    def _make(self, value: str, phrases: pa.Table, patterns: set[bytes], stamp: str) -> None:
        motifs, occurrences, said = rematch(
            PhraseColumns.of(phrases),
            Vocabulary.of(patterns),
            self.config,
            value,
            self.lineage.contour.vocabulary,
            self.analysis.id,
            matches=self.options.matches,
            min_clip_s=self.options.min_clip_s,
        )
        row = coverage_row(self.analysis.id, value, motifs.num_rows) | said | {"input_hash": stamp}
        self.committer.rows("coverage", COVERAGE.table([row]))
        self.committer.rows("motifs", motifs)
        self.committer.rows("occurrences", occurrences)
        self.known.covered[self.analysis.id][value] = stamp

    # -- reading ----------------------------------------------------------------------------------------

    def _read(self, todo: list[str]) -> Iterator[tuple[str, pa.Table, set[bytes]]]:
        """Phrases and patterns of each value, several values to a scan of the tables."""
        at_once: list[str] = []
        n_held = 0
        for value in todo:
            n = len(self.scope.recordings[value])
            if at_once and n_held + n > RECORDINGS_AT_ONCE:
                yield from self._gathered(at_once)
                at_once, n_held = [], 0
            at_once.append(value)
            n_held += n
        if at_once:
            yield from self._gathered(at_once)

    def _gathered(self, values: list[str]) -> Iterator[tuple[str, pa.Table, set[bytes]]]:
        snapshot, lineage = self.writer.snapshot, self.lineage
        value_of = {r: v for v in values for r in self.scope.recordings[v]}
        phrases: dict[str, list[pa.Table]] = {v: [CONTOURS.empty()] for v in values}
        where = f"analysis_id = '{lineage.contour_id}' and "
        for recording, rows in _of(snapshot, "contours", None, where, "recording_id", value_of):
            phrases[value_of[recording]].append(rows)
        patterns: dict[str, set[bytes]] = {v: set() for v in values}
        where = f"analysis_id = '{lineage.mining_id}' and "
        for recording, rows in _of(
            snapshot, "motifs", ["scope_key", "pattern"], where, "scope_key", value_of
        ):
            found = patterns[value_of[recording]]
            found.update(np.array(p, np.int8).tobytes() for p in rows.column("pattern").to_pylist())
        order = [("recording_id", "ascending"), ("phrase", "ascending")]
        for value in values:
            rows = pa.concat_tables(phrases.pop(value)).sort_by(order).combine_chunks()
            yield value, rows, patterns.pop(value)

    # -- end --------------------------------------------------------------------------------------------

    def _report(self, n_made: int) -> Report:
        paths: dict[str, str] = {}
        for row in self.known.files.values():
            if row["recording_id"] in self.scope.contradicting:
                name = row["recording_id"]
                paths[name] = min(paths.get(name, row["path"]), row["path"])
        return Report(
            self.lineage.title,
            self.analysis.id,
            self.analysis.name,
            self.options,
            self.scope,
            paths,
            _table(
                self.writer.snapshot, self.analysis.id, self.lineage.mining_id, self.options.by, self.scope
            ),
            n_made,
            self.committer.n_commits,
        )


def _coverage(snapshot: Snapshot, analysis_id: str) -> list[dict[str, Any]]:
    where = f"analysis_id = '{analysis_id}'"
    rows: list[dict[str, Any]] = snapshot.table(
        "coverage", ["scope_key", "n_rows", "state"], where
    ).to_pylist()
    return rows


def _of(
    snapshot: Snapshot, table: str, columns: list[str] | None, where: str, key: str, wanted: dict[str, str]
) -> Iterator[tuple[str, pa.Table]]:
    """Rows of some recordings, a few at a time, from one scan."""
    import pyarrow.compute as pc

    only = in_list(key, wanted) if len(wanted) <= RECORDINGS_AT_ONCE else "true"
    for batch in snapshot.batches(table, columns, where + only, 4096):
        rows = pa.Table.from_batches([batch])
        for name in pc.unique(rows.column(key)).to_pylist():
            if name in wanted:
                yield name, rows.filter(pc.equal(rows.column(key), name))


def _table(snapshot: Snapshot, analysis_id: str, mining_id: str, by: str, scope: Partition) -> pa.Table:
    """Table 1 of the paper: by class the dictionary's size and the instances, and the same before rematching."""
    mined: dict[str, int] = {}
    for batch in snapshot.batches("motifs", ["scope_key", "occurrences"], f"analysis_id = '{mining_id}'"):
        for key, n in zip(batch.column(0).to_pylist(), batch.column(1).to_pylist(), strict=True):
            mined[key] = mined.get(key, 0) + n
    sizes: dict[str, int] = {}
    instances: dict[str, int] = {}
    union: set[str] = set()
    columns = ["scope_key", "occurrences", "pattern_id"]
    for batch in snapshot.batches("motifs", columns, f"analysis_id = '{analysis_id}'"):
        for key, n, pattern in zip(*(batch.column(i).to_pylist() for i in range(3)), strict=True):
            sizes[key] = sizes.get(key, 0) + 1
            instances[key] = instances.get(key, 0) + n
            union.add(pattern)
    values = list(scope.recordings)
    before = [sum(mined.get(r, 0) for r in scope.recordings[v]) for v in values]
    found = [instances.get(v, 0) for v in values]
    table = {
        by: pa.array([*values, "all"], pa.string()),
        "recordings": [
            *(len(m) for m in scope.recordings.values()),
            sum(map(len, scope.recordings.values())),
        ],
        "|M(S)|": [*(sizes.get(v, 0) for v in values), len(union)],
        "mined": [*before, sum(before)],
        "instances": [*found, sum(found)],
    }
    if PUBLISHED.keys() & set(values):
        published = [PUBLISHED.get(v) for v in values]
        total = sum(PUBLISHED.values()) if PUBLISHED.keys() == set(values) else None
        table["sid-2020, Table 1"] = pa.array([*published, total], pa.int64())
    return pa.table(table)


def notes(report: Report) -> list[str]:
    """What stands under Table 1: how it was made, who is not in it."""
    options, scope = report.options, report.scope
    how = (
        "the first match in each phrase, as sid-2020's released code cuts it"
        if options.matches == "first"
        else "all matches"
    )
    if options.min_clip_s:
        how += f"; places shorter than {options.min_clip_s:g} s dropped"
    lines = [
        f"dictionaries by {options.by} of {report.title}: {how}; stored as {report.name} ({report.analysis_id[:8]})",
        "recordings; |M(S)| patterns (all: different ones); their places as mined in single recordings; instances"
        " found again in all recordings of the class",
    ]
    if options.min_clip_s:
        lines.append("without p-values: no law is known for the number of places of a least duration")
    elif options.matches == "first":
        lines.append(
            "p-values are of the phrases that hold a pattern, under the Markov chain of the class's phrases"
        )
    if scope.contradicting:
        n = len(scope.contradicting)
        lines.append(f"left out, as their files contradict each other about {options.by}: {n:,}")
        for recording, values in list(scope.contradicting.items())[:5]:
            lines.append(f"  {report.paths.get(recording, recording)}: {', '.join(values)}")
        if n > 5:
            lines.append(f"  ... all: motifdb sql \"from label_conflicts where label = '{options.by}'\"")
    if scope.n_unlabelled:
        lines.append(f"left out, as no file of theirs has a {options.by}: {scope.n_unlabelled:,} recordings")
    if not report.n_made:
        lines.append("nothing has changed since it was made")
    return lines
