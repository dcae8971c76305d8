"""Melodic variants as an analysis: what is there is grouped, and what is new is added.

Like mining, families of single recordings grow with the corpus: run again, the job takes what is new. Families over
several recordings (a singer's, a style's, all) freeze the list of their inputs, whose hash is one of the parameters;
where other recordings are there now they are stale, and a refresh makes a successor. What is done is in `coverage`, by scope
key, and a key's rows are committed together, so that a stopped run is finished by running it again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from motifdb.config import Config
from motifdb.pipelines.analyses import Analysis
from motifdb.pipelines.committer import Committer, in_list
from motifdb.pipelines.engine import Engine, InlineEngine, RayEngine, ThreadEngine, usable_cores
from motifdb.pipelines.families_options import (
    FamiliesOptions,
    Parent,
    families_analysis,
    find_parents,
    freely_named,
    newest_families,
    nobody_meant,
    stored_analysis,
)
from motifdb.pipelines.families_work import FamilyItem, FamilyTask
from motifdb.pipelines.known import Known
from motifdb.pipelines.mining import stale_text
from motifdb.pipelines.stages import coverage_row
from motifdb.pipelines.work import Chain, Unit, UnitResult
from motifdb.query.scopes import Partition, label_values, partition
from motifdb.schemas import COVERAGE

if TYPE_CHECKING:
    from motifdb.catalog.writer import Writer
    from motifdb.pipelines.progress import Progress

TELL_EVERY_S = 5.0
RECORDINGS_AT_ONCE = 16
"""Recordings whose pitch one scan gathers where each is searched on its own."""


@dataclass
class MadeFamilies:
    """What a run did for one parent."""

    analysis: Analysis
    parent: Parent
    scope: Partition
    n_made: int = 0
    stale: str | None = None
    failed: dict[str, str] = field(default_factory=dict)


@dataclass
class FamiliesReport:
    """What a run did."""

    made: list[MadeFamilies] = field(default_factory=list)
    n_commits: int = 0
    wall_s: float = 0.0
    engine: str = "none"
    workers: int = 0


def make_families(options: FamiliesOptions, writer: Writer, progress: Progress) -> FamiliesReport:
    """Group melodic variants as a new analysis, or finish one that is there.

    Raises
    ------
    UsageError
        for options that cannot be, a name that means something else, several kinds of pitch to choose from.
    NotFoundError
        where there is no pitch, or no motif, or no recording has the label.
    KeyboardInterrupt
        on Ctrl-C, after what was whole has been committed; the same call goes on from there.
    """
    options.check()
    started_s = time.monotonic()
    job = _Job(options, writer, progress)
    try:
        job.run()
    except KeyboardInterrupt:
        job.committer.flush("families, interrupted")
        raise
    finally:
        progress.close()
    job.report.wall_s = time.monotonic() - started_s
    job.report.n_commits = job.committer.n_commits
    return job.report


class _Job:
    """One run, one parent after the other."""

    def __init__(self, options: FamiliesOptions, writer: Writer, progress: Progress) -> None:
        self.options, self.writer, self.progress = options, writer, progress
        self.known = Known.of(writer.snapshot)
        self.committer = Committer(writer, self.known)
        self.report = FamiliesReport()

    def run(self) -> None:
        snapshot, options = self.writer.snapshot, self.options
        labels = label_values(self.known.files.values())
        parents = find_parents(snapshot, options)
        parts = [(p, partition(options.scope, options.conflicts, p.recordings, labels)) for p in parents]
        parts = [(parent, scope) for parent, scope in parts if scope.recordings]
        if not parts:
            raise nobody_meant(options.scope, labels)
        planned = [self._plan(parent, scope) for parent, scope in parts]
        for made in planned:
            self.report.made.append(made)
            if made.stale is None:
                self._make(made)

    def _plan(self, parent: Parent, scope: Partition) -> MadeFamilies:
        """The analysis to make, to finish or to leave alone."""
        options, stored = self.options, self.writer.snapshot.table("analyses").to_pylist()
        newest = newest_families(stored, parent.id, options)
        wanted = families_analysis(
            newest["name"] if newest else options.own_name(), parent.id, options, scope
        )
        if newest is None:
            wanted = freely_named(stored, wanted, options)
        if newest is not None and newest["analysis_id"] != wanted.id:
            if not options.refresh:
                old = stored_analysis(newest)
                return MadeFamilies(old, parent, scope, stale=stale_text(old, wanted))
            if wanted.id in self.known.analyses:
                self.committer.replace_analysis(wanted)  # these inputs were there before, and are again
        return MadeFamilies(wanted, parent, scope)

    def _make(self, made: MadeFamilies) -> None:
        options, analysis_id = self.options, made.analysis.id
        failed = self._failed(analysis_id)
        done = self.known.covered.get(analysis_id, {})
        missing = [
            key
            for key in made.scope.recordings
            if (key not in done or (options.retry_failed and key in failed))
            and (not options.recordings or key in options.recordings)
        ]
        again = failed.intersection(missing)
        if again:
            where = f"analysis_id = '{analysis_id}' and {in_list('scope_key', again)}"
            self.committer.replace_rows("coverage", where)
        for key in failed - again:
            made.failed[key] = "an earlier run could not look for families here; --retry-failed tries again"
        if missing:
            self.committer.analyses([made.analysis])
            what = ("scope" if options.is_wide else "recording") + "s" * (len(missing) != 1)
            self.progress.begin(f"families, by {options.scope}", len(missing), 0, unit=what)
            with ExitStack() as stack:
                engine = self._start(stack, made, len(missing))
                for unit, result in engine.map(self._units(made, missing)):
                    self._take(unit, result, made)
                    if self.committer.is_due():
                        self.committer.flush(f"families by {options.scope}")
            self.committer.flush(f"families by {options.scope}")
        self.committer.flush("analyses")

    def _failed(self, analysis_id: str) -> set[str]:
        where = f"analysis_id = '{analysis_id}' and state = 'failed'"
        return set(self.writer.snapshot.table("coverage", ["scope_key"], where).column(0).to_pylist())

    def _start(self, stack: ExitStack, made: MadeFamilies, n_keys: int) -> Engine:
        options = self.options
        n = min(usable_cores() if options.workers is None else options.workers, n_keys)
        task = FamilyTask(options.config, made.analysis.id, options.scope)
        tell = self._teller(made) if n == 1 else None
        engine: Engine = InlineEngine(task=replace(task, tell=tell))
        if options.engine == "ray" or options.ray_address is not None:
            engine = RayEngine(n, options.ray_address, task=_plain(task))
        elif n > 1:
            engine = ThreadEngine(n, task=task)
        stack.enter_context(engine)
        self.report.engine, self.report.workers = engine.name, max(engine.workers, 1)
        return engine

    def _teller(self, made: MadeFamilies) -> Callable[[int, int], None]:
        """Says now and then how far the search of one scope key is, which may take minutes."""
        last_s = [time.monotonic()]

        def tell(n_done: int, n_all: int) -> None:
            if time.monotonic() - last_s[0] >= TELL_EVERY_S:
                last_s[0] = time.monotonic()
                where = f"scope {made.n_made + 1:,} of {len(made.scope.recordings):,}"
                self.progress.note(f"families, {where}: {n_done:,} of {n_all:,} stretches compared")

        return tell

    def _take(self, unit: Unit, result: UnitResult, made: MadeFamilies) -> None:
        """Hand a unit's rows to the committer, with a word in `coverage` about keys that could not be searched."""
        for item in unit.items:
            failure = result.outcomes.get(item.recording_id)
            if failure is not None:
                made.failed[item.recording_id] = failure.reason
                row = coverage_row(made.analysis.id, item.recording_id) | {"state": "failed"}
                row |= {"input_hash": item.input_hash or item.recording_id}
                result.add("coverage", COVERAGE.table([row]))
        self.committer.result(result)
        made.n_made += len(unit.items)
        self.progress.done(made.n_made, 0, 0.0)

    # -- units of work ------------------------------------------------------------------------------------

    def _units(self, made: MadeFamilies, missing: list[str]) -> Iterator[Unit]:
        """One unit a key; a scan gathers the pitch of several recordings, or of one wider key."""
        at_once = 1 if self.options.is_wide else RECORDINGS_AT_ONCE
        pitch_id = made.parent.pitch_id
        chain = Chain(pitch_id, None, None, Config(name=made.analysis.name))
        for first in range(0, len(missing), at_once):
            keys = missing[first : first + at_once]
            own = in_list("recording_id", {r for key in keys for r in made.scope.recordings[key]})
            pitch = self.writer.snapshot.table("pitch", None, f"analysis_id = '{pitch_id}' and {own}")
            places = self._places(made.parent.id, own) if self.options.source == "motifs" else None
            for key in keys:
                members = pa.array(made.scope.recordings[key], pa.string())
                rows = pitch.filter(pc.is_in(pitch.column("recording_id"), members))
                mine = None if places is None else places.filter(pc.is_in(places.column(0), members))
                item = FamilyItem(
                    key,
                    chain,
                    pitch=rows,
                    size_bytes=rows.nbytes,
                    input_hash=made.scope.input_hash(key),
                    places=mine,
                )
                yield Unit((item,), "families")

    def _places(self, mining_id: str, own: str) -> pa.Table:
        """Where motifs of an analysis sound in some recordings."""
        snapshot = self.writer.snapshot
        motifs = snapshot.table("motifs", ["motif_id"], f"analysis_id = '{mining_id}'").column(0)
        columns = ["recording_id", "start_s", "end_s", "motif_id"]
        places = snapshot.table("occurrences", columns, own)
        return places.filter(pc.is_in(places.column(3), value_set=motifs.combine_chunks()))


def _plain(task: FamilyTask) -> Any:
    """A function, which is what Ray takes, around a task."""

    def families(unit: Unit) -> UnitResult:
        return task(unit)

    return families
