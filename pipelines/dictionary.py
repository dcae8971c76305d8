"""The dictionaries M(S) of sid-2020: a singer's motifs from all recordings, united, then looked for in all of them.

A per-recording mining analysis says which patterns each recording of S keeps. Their union is M(S); every place where one
of its patterns sounds in any recording of S is an instance (`matches="all"`), or only the first place in each phrase,
as the authors' released code cuts its clips (`matches="first"`). S may be a singer, or the value of any other label.

A dictionary is stored as an analysis of kind ``mining`` that stands on the same contours: its motifs have the label as
scope and its value as scope_key, and no least support or duration of their own, since rematching asks for none. Its
parameters name the analysis that the patterns come from.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pyarrow as pa

from motifdb.config import parameters
from motifdb.errors import NotFoundError, UsageError, nearest
from motifdb.ids import hash_text, set_hash
from motifdb.pipelines.analyses import COUNTS_VERSION, Analysis
from motifdb.pipelines.committer import Committer, in_list
from motifdb.pipelines.counts import ALL, PARTIAL
from motifdb.pipelines.dictionary_rows import Scope, Vocabulary, rematch
from motifdb.pipelines.known import Known
from motifdb.pipelines.lineage import Lineage, find_mining
from motifdb.pipelines.motif_rows import PhraseColumns
from motifdb.pipelines.stages import recordings_of
from motifdb.query.views import STANDARD_LABELS
from motifdb.schemas import COVERAGE, PATTERN_COUNTS

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
    matches: Literal["all", "first"] = "all"
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


@dataclass
class Groups:
    """Recordings by the value that their files give to a label.

    `conflicts` are recordings whose files contradict each other, with the values they give; `n_without` have none.
    """

    members: dict[str, list[str]] = field(default_factory=dict)
    conflicts: dict[str, list[str]] = field(default_factory=dict)
    n_without: int = 0


@dataclass
class Report:
    """What `motifdb dictionary` has to tell: Table 1 and who is not in it."""

    title: str
    analysis_id: str
    name: str
    options: Options
    groups: Groups
    paths: dict[str, str]
    table: pa.Table
    n_made: int
    n_unchanged: int
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


def group_by_label(known: Known, label: str, recordings: Iterable[str]) -> Groups:
    """Sort recordings by a label of their files.

    Raises
    ------
    NotFoundError
        where no file has that label.
    """
    values: dict[str, set[str]] = {r: set() for r in recordings}
    labels: set[str] = set()
    for row in known.files.values():
        given = {n: row[n] for n in STANDARD_LABELS} | row["labels"]
        labels.update(n for n, v in given.items() if v is not None)
        if row["state"] == "input" and row["recording_id"] in values and given.get(label) is not None:
            values[row["recording_id"]].add(given[label])
    if label not in labels:
        hint = nearest(label, labels) if labels else "no file has labels; ingest with --metadata or --pattern"
        raise NotFoundError(f"there is no label {label!r} here; {hint}")
    groups = Groups()
    for recording, found in sorted(values.items()):
        if len(found) > 1:
            groups.conflicts[recording] = sorted(found)
        elif found:
            groups.members.setdefault(found.pop(), []).append(recording)
        else:
            groups.n_without += 1
    groups.members = dict(sorted(groups.members.items()))
    return groups


class _Job:
    """One run, step by step."""

    def __init__(self, options: Options, writer: Writer, progress: Progress) -> None:
        self.options, self.writer, self.progress = options, writer, progress
        self.known = Known.of(writer.snapshot)
        self.committer = Committer(writer, self.known)
        self.lineage = find_mining(writer.snapshot, options.analysis)
        done = _coverage(writer.snapshot, self.lineage.mining_id)
        self.n_motifs_of = {row["scope_key"]: row["n_rows"] for row in done if row["state"] != "failed"}
        self.inputs = sorted(self.known.covered.get(self.lineage.contour_id, {}))
        self.groups = group_by_label(self.known, options.by, self.n_motifs_of)
        self.analysis = self._analysis()
        self.counts = Analysis("counts", "counts", self.analysis.id, {}, COUNTS_VERSION)
        self._stale: list[str] = []

    def _analysis(self) -> Analysis:
        options, lineage = self.options, self.lineage
        # a place found again stands for itself: no least count, no least duration of a motif
        config = replace(lineage.mining, min_support=1, min_duration_s=0.0)
        said = {
            "scope": options.by,
            "dictionary": {
                "of": lineage.mining_id,
                "matches": options.matches,
                "min_clip_s": options.min_clip_s,
            },
        }
        default = f"dictionary by {options.by}" + (", first" if options.matches == "first" else "")
        if options.min_clip_s:
            default += f", from {options.min_clip_s:g} s"
        return Analysis(
            options.name or default,
            "mining",
            lineage.contour_id,
            parameters(config) | said,
            DICTIONARY_VERSION,
            set_hash(self.inputs),
            len(self.inputs),
        )

    def run(self) -> Report:
        stored = {row["analysis_id"]: row for row in self.writer.snapshot.table("analyses").to_pylist()}
        old = stored.get(self.analysis.id)
        if old is not None and self.options.name is None:
            self.analysis = replace(self.analysis, name=old["name"])
        is_same = old is not None and (old["inputs_hash"], old["name"]) == (
            self.analysis.inputs_hash,
            self.analysis.name,
        )
        if old is None:
            self.committer.analyses([self.analysis])
        elif not is_same:
            self.committer.replace_analysis(self.analysis)
        stamps = {value: self._stamp(members) for value, members in self.groups.members.items()}
        done = self.known.covered.setdefault(self.analysis.id, {})
        for value in sorted(done.keys() - stamps.keys()):
            self._forget(value)
        todo = [value for value, stamp in stamps.items() if done.get(value) != stamp]
        if todo or not is_same:
            self.committer.analyses([self.counts])
            self._say(PARTIAL, 0)  # until they are counted anew
        if todo:
            self.progress.begin(f"dictionaries by {self.options.by}", len(todo), 0)
        for n_done, (value, scope, vocabulary) in enumerate(self._scopes(todo), 1):
            self._forget(value)
            motifs, occurrences, said = rematch(
                scope,
                vocabulary,
                self.lineage.mining,
                (self.analysis.id, self.options.by, value),
                matches=self.options.matches,
                min_clip_s=self.options.min_clip_s,
            )
            self.committer.rows("motifs", motifs)
            self.committer.rows("occurrences", occurrences)
            row = {
                "analysis_id": self.analysis.id,
                "scope_key": value,
                "input_hash": stamps[value],
                "state": "done" if motifs.num_rows else "empty",
                "n_rows": motifs.num_rows,
                "commit": 0,
            }
            self.committer.rows("coverage", COVERAGE.table([row | said]))
            done[value] = stamps[value]
            self.progress.done(n_done, 0, 0.0)
            if self.committer.is_due():
                self._flush(f"dictionaries by {self.options.by}")
        self._flush(f"dictionaries by {self.options.by}")
        self._count()
        return self._report(len(todo))

    def _stamp(self, members: list[str]) -> str:
        """What a dictionary is made of: the recordings, and how many motifs each has."""
        return hash_text(set_hash(f"{r} {self.n_motifs_of[r]}" for r in members))

    def _forget(self, value: str) -> None:
        """Remove a dictionary that is to be made anew, or whose label is gone."""
        if value in self.known.covered[self.analysis.id]:
            self._stale.append(value)
            del self.known.covered[self.analysis.id][value]

    def _flush(self, message: str) -> None:
        if self._stale:  # in one predicate: Lance reads no long chain of them
            where = f"analysis_id = '{self.analysis.id}' and {in_list('scope_key', self._stale)}"
            old = self.writer.snapshot.table("motifs", ["motif_id"], where).column(0).to_pylist()
            if old:
                self.committer.replace_rows("occurrences", in_list("motif_id", old))
            self.committer.replace_rows("motifs", where)
            self.committer.replace_rows("coverage", where)
            self._stale = []
        self.committer.flush(message)

    # -- making -----------------------------------------------------------------------------------------

    def _scopes(self, todo: list[str]) -> Iterator[tuple[str, Scope, Vocabulary]]:
        """Phrases and patterns of each value, several values to a scan of the tables."""
        at_once: list[str] = []
        for i, value in enumerate(todo):
            at_once.append(value)
            following = len(self.groups.members[todo[i + 1]]) if i + 1 < len(todo) else RECORDINGS_AT_ONCE
            if sum(len(self.groups.members[v]) for v in at_once) + following > RECORDINGS_AT_ONCE:
                yield from self._read(at_once)
                at_once = []

    def _read(self, some: list[str]) -> Iterator[tuple[str, Scope, Vocabulary]]:
        snapshot, lineage = self.writer.snapshot, self.lineage
        value_of = {r: v for v in some for r in self.groups.members[v]}
        only = in_list("recording_id", value_of) if len(value_of) <= RECORDINGS_AT_ONCE else "true"
        phrases: dict[str, list[PhraseColumns]] = {v: [] for v in some}
        where = f"analysis_id = '{lineage.contour_id}' and {only}"
        for one in recordings_of(snapshot.batches("contours", None, where, 1024)):
            if one.recording_id in value_of:
                phrases[value_of[one.recording_id]].append(one)
        patterns: dict[str, dict[str, bytes]] = {v: {} for v in some}
        where = f"analysis_id = '{lineage.mining_id}' and {only.replace('recording_id', 'scope_key')}"
        columns = ["scope_key", "pattern_id", "pattern"]
        for batch in snapshot.batches("motifs", columns, where):
            for key, name, symbols in zip(*(batch.column(i).to_pylist() for i in range(3)), strict=True):
                if key in value_of:
                    patterns[value_of[key]].setdefault(name, np.array(symbols, np.int8).tobytes())
        for value in some:
            yield value, Scope.of(phrases.pop(value)), Vocabulary.of(patterns.pop(value))

    # -- counts -----------------------------------------------------------------------------------------

    def _count(self) -> None:
        """Count every pattern of any dictionary in every recording, so that singers can be compared."""
        keys = _coverage(self.writer.snapshot, self.analysis.id)
        stamp = hash_text(set_hash(f"{row['scope_key']} {row['n_rows']}" for row in keys))
        if self.known.covered.get(self.counts.id, {}).get(ALL) == stamp:
            return
        snapshot, own = self.writer.snapshot, f"analysis_id = '{self.analysis.id}'"
        kept: dict[str, bytes] = {}
        for batch in snapshot.batches("motifs", ["pattern_id", "pattern"], own):
            for name, symbols in zip(*(batch.column(i).to_pylist() for i in range(2)), strict=True):
                kept.setdefault(name, np.array(symbols, np.int8).tobytes())
        vocabulary = Vocabulary.of(kept)
        self.committer.replace_rows("pattern_counts", own)
        self.progress.begin("counting their patterns in every recording", len(self.inputs), 0)
        n_rows = n_done = 0
        where = f"analysis_id = '{self.lineage.contour_id}'"
        for one in recordings_of(snapshot.batches("contours", None, where, 1024)):
            rows = self._counted(one, vocabulary)
            self.committer.rows("pattern_counts", rows)
            n_rows, n_done = n_rows + rows.num_rows, n_done + 1
            self.progress.done(n_done, 0, 0.0)
            if self.committer.is_full():
                self._say(PARTIAL, n_rows)
                self.committer.flush("patterns of the dictionaries counted in some recordings")
        self._say(stamp, n_rows)
        self.committer.flush("patterns of the dictionaries counted in every recording")

    def _counted(self, phrases: PhraseColumns, vocabulary: Vocabulary) -> pa.Table:
        counter = vocabulary.counter(self.lineage.mining.max_gap)
        if counter is None:
            return PATTERN_COUNTS.empty()
        found = counter.count(phrases.symbols, phrases.offsets)
        n = len(found.pattern)
        return pa.table(
            [
                pa.array([self.analysis.id] * n, pa.string()),
                pa.array(vocabulary.ids, pa.string()).take(pa.array(found.pattern)),
                pa.array([phrases.recording_id] * n, pa.string()),
                pa.array(found.occurrences),
                pa.array(found.phrases),
            ],
            schema=PATTERN_COUNTS.schema,
        )

    def _say(self, input_hash: str, n_rows: int) -> None:
        self.committer.replace_rows("coverage", f"analysis_id = '{self.counts.id}'")
        row: dict[str, object] = {
            "analysis_id": self.counts.id,
            "scope_key": ALL,
            "input_hash": input_hash,
            "state": "done" if n_rows else "empty",
            "n_rows": n_rows,
            "commit": 0,
        }
        self.committer.rows("coverage", COVERAGE.table([row]))
        self.known.covered[self.counts.id] = {ALL: input_hash}

    # -- end --------------------------------------------------------------------------------------------

    def _report(self, n_made: int) -> Report:
        paths: dict[str, str] = {}
        for row in self.known.files.values():
            if row["recording_id"] in self.groups.conflicts:
                name = row["recording_id"]
                paths[name] = min(paths.get(name, row["path"]), row["path"])
        return Report(
            self.lineage.title,
            self.analysis.id,
            self.analysis.name,
            self.options,
            self.groups,
            paths,
            _table(self.writer.snapshot, self.analysis.id, self.lineage, self.options.by, self.groups),
            n_made,
            len(self.groups.members) - n_made,
            self.committer.n_commits,
        )


def _coverage(snapshot: Snapshot, analysis_id: str) -> list[dict[str, Any]]:
    columns = ["scope_key", "n_rows", "state"]
    rows: list[dict[str, Any]] = snapshot.table(
        "coverage", columns, f"analysis_id = '{analysis_id}'"
    ).to_pylist()
    return rows


def _table(snapshot: Snapshot, analysis_id: str, lineage: Lineage, by: str, groups: Groups) -> pa.Table:
    """Table 1 of the paper: by class the dictionary's size and the instances, and the same before rematching."""
    mined: dict[str, int] = {}
    for batch in snapshot.batches(
        "motifs", ["scope_key", "occurrences"], f"analysis_id = '{lineage.mining_id}'"
    ):
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
    values = list(groups.members)
    before = [sum(mined.get(r, 0) for r in groups.members[v]) for v in values]
    found = [instances.get(v, 0) for v in values]
    table = {
        by: pa.array([*values, "all"], pa.string()),
        "recordings": [*(len(m) for m in groups.members.values()), sum(map(len, groups.members.values()))],
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
    options, groups = report.options, report.groups
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
    if groups.conflicts:
        n = len(groups.conflicts)
        lines.append(f"left out, as their files contradict each other about {options.by}: {n:,}")
        for recording, values in list(groups.conflicts.items())[:5]:
            lines.append(f"  {report.paths.get(recording, recording)}: {', '.join(values)}")
        if n > 5:
            lines.append(f"  ... all: motifdb sql \"from label_conflicts where label = '{options.by}'\"")
    if groups.n_without:
        lines.append(f"left out, as no file of theirs has a {options.by}: {groups.n_without:,} recordings")
    if report.n_unchanged and not report.n_made:
        lines.append("nothing has changed since it was made")
    return lines
