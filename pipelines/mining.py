"""Mine the contours that are there once more, as a new analysis: each recording on its own, or several together.

A per-recording analysis grows with the corpus: run again, it takes what is new. An analysis over several recordings
(one singer's, one style's, all) freezes the list of its inputs: the hash of that list is one of its parameters. Where
other recordings are there now, it is stale; a refresh makes a successor, and both can be compared in SQL.

What is done is in `coverage`, by scope key, and a key's rows are committed together. So a stopped run is finished by
running it again.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pyarrow as pa

from motifdb.config import Config, MiningConfig
from motifdb.errors import NotFoundError, UsageError, nearest
from motifdb.kernels.jit import were_compiled
from motifdb.pipelines import analyses as an
from motifdb.pipelines.committer import Committer, in_list, quoted
from motifdb.pipelines.counts import refresh_counts
from motifdb.pipelines.engine import Engine, InlineEngine, RayEngine, ThreadEngine, check_engine, usable_cores
from motifdb.pipelines.known import Known
from motifdb.pipelines.motif_rows import NO_LIMITS, Limits
from motifdb.pipelines.stages import coverage_row, rows_of_recordings
from motifdb.pipelines.work import Chain, Item, Unit, UnitResult
from motifdb.query.scopes import Partition, label_values, partition
from motifdb.schemas import CONTOURS, COVERAGE

if TYPE_CHECKING:
    from motifdb.catalog.writer import Writer
    from motifdb.pipelines.progress import Progress

UNIT_ITEMS = 64
UNIT_BYTES = 4 << 20
"""Recordings, and bytes of phrases, that travel together where each recording is mined on its own."""

SCAN_PHRASES = 200_000
"""Phrases that one scan gathers for keys of a wider scope, unless one key alone has more."""


@dataclass(frozen=True)
class MineOptions:
    """What a mining run is asked to do; see `motifdb mine --help`.

    `contours` names the analysis to mine (by name or beginning of the id), `name` the new one.
    """

    config: MiningConfig
    name: str
    is_named: bool = False
    contours: str | None = None
    workers: int | None = None
    engine: str = "auto"
    ray_address: str | None = None
    limits: Limits = NO_LIMITS
    refresh: bool = False
    retry_bounded: bool = False

    def check(self) -> None:
        """Refuse what cannot be.

        Raises
        ------
        UsageError
            for bounds or an engine that cannot be.
        """
        check_engine(self.engine, workers=self.workers, address=self.ray_address)
        bounds = {
            "--max-patterns": self.limits.max_patterns,
            "--memory-limit": self.limits.memory_bytes,
            "--time-limit": self.limits.time_s,
        }
        for option, value in bounds.items():
            if value is not None and not value > 0:
                raise UsageError(f"{option} must be more than 0, got {value}")


@dataclass
class MinedAnalysis:
    """What a run did for one analysis of contours.

    `failed` and `bounded` say of which keys nothing, or not all, could be listed, also where an earlier run met them.
    """

    analysis: an.Analysis
    contours_name: str
    scope: Partition
    n_mined: int = 0
    is_new: bool = False
    stale: str | None = None
    failed: dict[str, str] = field(default_factory=dict)
    bounded: dict[str, int] = field(default_factory=dict)


@dataclass
class MineReport:
    """What a run did."""

    mined: list[MinedAnalysis] = field(default_factory=list)
    n_commits: int = 0
    wall_s: float = 0.0
    engine: str = "none"
    workers: int = 0


def mine_database(options: MineOptions, writer: Writer, progress: Progress) -> MineReport:
    """Mine stored contours as a new analysis, or finish one that is there.

    Raises
    ------
    UsageError
        for options that cannot be, a name that means something else, several kinds of contours to choose from.
    NotFoundError
        where there are no contours, or no recording has the label.
    KeyboardInterrupt
        on Ctrl-C, after what was whole has been committed; the same call goes on from there.
    """
    options.check()
    started_s = time.monotonic()
    job = _Job(options, writer, progress)
    try:
        job.run()
    except KeyboardInterrupt:
        job.committer.flush("mining, interrupted")
        raise
    finally:
        progress.close()
    job.report.wall_s = time.monotonic() - started_s
    job.report.n_commits = job.committer.n_commits
    return job.report


class _Job:
    """One mining run, one analysis of contours after the other."""

    def __init__(self, options: MineOptions, writer: Writer, progress: Progress) -> None:
        self.options = options
        self.writer = writer
        self.progress = progress
        self.known = Known.of(writer.snapshot)
        self.committer = Committer(writer, self.known)
        self.report = MineReport()

    def run(self) -> None:
        stored = an.stored_contours(self.writer.snapshot.table("analyses"), self.known.covered)
        chosen = choose_contours(stored, self.options.contours)
        labels = label_values(self.known.files.values())
        parts = [(contours, self._scope(contours, labels)) for contours in chosen]
        if not any(scope.recordings for _, scope in parts):
            raise self._nobody(labels)
        planned = [self._plan(contours, scope) for contours, scope in parts if scope.recordings]
        for contours, mined in planned:
            self.report.mined.append(mined)
            if mined.stale is None:
                self._mine(contours, mined)

    # -- what is to be done -------------------------------------------------------------------------------

    def _scope(self, contours: an.StoredContours, labels: dict[str, dict[str, set[str]]]) -> Partition:
        there = (r for r in self.known.covered[contours.id] if r in self.known.recordings)
        config = self.options.config
        return partition(config.scope, config.conflicts, there, labels)

    def _nobody(self, labels: dict[str, dict[str, set[str]]]) -> NotFoundError:
        scope = self.options.config.scope
        given = sorted(name for name, recordings in labels.items() if recordings)
        if scope in given:
            return NotFoundError(
                f'no recording with contours has an uncontradicted {scope}; `motifdb sql "from label_conflicts"` lists'
                " contradictions, and --conflicts each takes them for each value"
            )
        if not given:
            return NotFoundError(
                f"there is no label {scope!r} here, nor any other; ingest with --metadata or --pattern gives labels"
            )
        return NotFoundError(
            f"no recording has a label {scope!r}; {nearest(scope, ['recording', 'corpus', *given])}"
        )

    def _plan(self, contours: an.StoredContours, scope: Partition) -> tuple[an.StoredContours, MinedAnalysis]:
        """The analysis to make, to finish or to leave alone."""
        options, stored = self.options, self.writer.snapshot.table("analyses").to_pylist()
        frozen = (scope.inputs_hash, len(scope.inputs)) if options.config.is_wide else (None, None)
        newest = an.latest_mining(stored, contours.id, options.config)
        name = newest.name if newest is not None else options.name
        wanted = an.mining_analysis(name, contours.id, options.config, *frozen)
        if newest is None or (options.is_named and newest.name != options.name):
            an.require_free_name(stored, options.name, contours, options.config)
        if newest is not None and newest.id != wanted.id and not options.refresh:
            return contours, MinedAnalysis(newest, contours.name, scope, stale=stale_text(newest, wanted))
        mined = MinedAnalysis(wanted, contours.name, scope, is_new=wanted.id not in self.known.analyses)
        if not mined.is_new and newest is not None and newest.id != wanted.id:
            self.committer.replace_analysis(
                wanted
            )  # these inputs were there before, and are again: newest once more
        return contours, mined

    # -- doing it -----------------------------------------------------------------------------------------

    def _mine(self, contours: an.StoredContours, mined: MinedAnalysis) -> None:
        analysis_id, scope = mined.analysis.id, mined.scope
        bounded = self._bounded(analysis_id)
        done = self.known.covered.get(analysis_id, {})
        again = set(bounded) & scope.recordings.keys() if self.options.retry_bounded else set()
        missing = [key for key in scope.recordings if key not in done or key in again]
        if missing:
            self.committer.analyses([mined.analysis])
            if not were_compiled():
                self.progress.note("compiling the kernels, this first time only, a minute or two")
            self.progress.begin(
                f"mining, by {scope.scope}", len(missing), 0, unit="scope" if len(missing) == 1 else "scopes"
            )
            chain = Chain(
                contours.parent_id,
                contours.id,
                analysis_id,
                Config(name=mined.analysis.name, contour=contours.config, mining=self.options.config),
            )
            self._work(chain, mined, missing, again)
            self.committer.flush(f"motifs by {scope.scope}")
        for key, (n, reason) in self._bounded(analysis_id).items():
            if n is None:
                mined.failed.setdefault(key, reason)
            else:
                mined.bounded[key] = n
        self.progress.start("counting kept patterns")
        max_gap = self.options.config.max_gap
        refresh_counts(self.committer, self.writer, analysis_id, contours.id, max_gap, scope.inputs)
        self.committer.flush("analyses")

    def _bounded(self, analysis_id: str) -> dict[str, tuple[int | None, str]]:
        """Keys that a bound cut short, with the support down to which they are complete (None: not at all)."""
        where = f"analysis_id = '{analysis_id}' and (complete_from is not null or state = 'failed')"
        rows = self.writer.snapshot.table("coverage", ["scope_key", "complete_from"], where).to_pylist()
        reason = "an earlier run could not list its motifs; --retry-bounded tries again"
        return {row["scope_key"]: (row["complete_from"], reason) for row in rows}

    def _work(self, chain: Chain, mined: MinedAnalysis, missing: list[str], again: set[str]) -> None:
        with ExitStack() as stack:
            engine, limits = self._start(stack, len(missing))
            wide = self.options.config.is_wide
            units = self._units_by_key(chain, mined.scope, missing) if wide else self._units(chain, missing)
            for unit, result in engine.map(replace(unit, limits=limits) for unit in units):
                self._take(unit, result, mined, again)
                self.progress.done(mined.n_mined, 0, 0.0)
                if self.committer.is_due():
                    self.committer.flush(f"motifs by {mined.scope.scope}")

    def _start(self, stack: ExitStack, n_keys: int) -> tuple[Engine, Limits]:
        """Workers: each on a key of its own where there are many keys, otherwise all in one search after the other."""
        options = self.options
        n = usable_cores() if options.workers is None else options.workers
        on_ray = options.engine == "ray" or options.ray_address is not None
        limits = replace(options.limits, workers=n)
        engine: Engine = InlineEngine()
        if on_ray and n_keys >= 2 * n:
            engine, limits = RayEngine(n, options.ray_address), replace(limits, workers=1)
        elif on_ray:
            from motifdb.pipelines.ray_cluster import ray_cluster
            from motifdb.pipelines.ray_pool import RayPool

            n = stack.enter_context(ray_cluster(n, options.ray_address))
            limits = replace(limits, pool=RayPool(n))
        elif n > 1 and n_keys >= 2 * n:
            engine, limits = ThreadEngine(n), replace(limits, workers=1)
        stack.enter_context(engine)
        self.report.engine, self.report.workers = "ray" if on_ray else engine.name, max(n, engine.workers)
        return engine, limits

    def _take(self, unit: Unit, result: UnitResult, mined: MinedAnalysis, again: set[str]) -> None:
        """Hand a unit's rows to the committer, with a word in `coverage` about keys that could not be mined."""
        for item in unit.items:
            key = item.recording_id
            if key in again:
                self._forget(mined.analysis.id, key)
            failure = result.outcomes.get(key)
            if failure is not None:
                mined.failed[key] = failure.reason
                row = coverage_row(mined.analysis.id, key) | {"state": "failed"}
                result.add("coverage", COVERAGE.table([row | {"input_hash": mined.scope.input_hash(key)}]))
        self.committer.result(result)
        mined.n_mined += len(unit.items)

    def _forget(self, analysis_id: str, key: str) -> None:
        """Drop what an earlier run stored of a key, in the commit that stores it anew."""
        of_key = f"analysis_id = '{analysis_id}' and scope_key = {quoted(key)}"
        motifs = self.writer.snapshot.table("motifs", ["motif_id"], of_key).column(0).to_pylist()
        if motifs:
            self.committer.replace_rows("occurrences", in_list("motif_id", motifs))
            self.committer.replace_rows("motifs", of_key)
        self.committer.replace_rows("coverage", of_key)

    # -- units of work ------------------------------------------------------------------------------------

    def _units(self, chain: Chain, missing: list[str]) -> Iterator[Unit]:
        """Recordings on their own, from one scan; those without phrases at the end."""
        items: list[Item] = []
        waiting = set(missing)
        for recording_id, rows in self._rows_of(chain, waiting):
            waiting.discard(recording_id)
            items.append(Item(recording_id, chain, contours=rows, size_bytes=rows.nbytes))
            if len(items) >= UNIT_ITEMS or sum(i.size_bytes for i in items) >= UNIT_BYTES:
                yield Unit(tuple(items), "motifs")
                items = []
        items += [Item(r, chain, contours=CONTOURS.empty()) for r in sorted(waiting)]
        if items:
            yield Unit(tuple(items), "motifs")

    def _units_by_key(self, chain: Chain, scope: Partition, missing: list[str]) -> Iterator[Unit]:
        """One unit a key; a scan gathers as many keys as memory may hold."""
        n_phrases = self._n_phrases(chain)
        batch: list[str] = []
        n_held = 0
        for key in missing:
            n = sum(n_phrases.get(r, 0) for r in scope.recordings[key])
            if batch and n_held + n > SCAN_PHRASES:
                yield from self._gathered(chain, scope, batch)
                batch, n_held = [], 0
            batch.append(key)
            n_held += n
        yield from self._gathered(chain, scope, batch)

    def _gathered(self, chain: Chain, scope: Partition, keys: list[str]) -> Iterator[Unit]:
        rows = dict(self._rows_of(chain, {r for key in keys for r in scope.recordings[key]}))
        for key in keys:
            parts = [rows[r] for r in scope.recordings[key] if r in rows]
            contours = pa.concat_tables(parts) if parts else CONTOURS.empty()
            item = Item(
                key, chain, contours=contours, size_bytes=contours.nbytes, input_hash=scope.input_hash(key)
            )
            yield Unit((item,), "motifs")

    def _rows_of(self, chain: Chain, recordings: set[str]) -> Iterator[tuple[str, pa.Table]]:
        batches = self.writer.snapshot.batches("contours", None, f"analysis_id = '{chain.contour_id}'", 1024)
        for recording_id, rows in rows_of_recordings(batches, recordings):
            if recording_id in recordings:
                yield recording_id, rows

    def _n_phrases(self, chain: Chain) -> dict[str, int]:
        where = f"analysis_id = '{chain.contour_id}'"
        rows = self.writer.snapshot.table("coverage", ["scope_key", "n_rows"], where)
        return dict(zip(rows.column(0).to_pylist(), rows.column(1).to_pylist(), strict=True))


def make_limits(max_patterns: int | None, memory: str | None, time_s: float | None) -> Limits:
    """Bounds of one scope key from what was said on a command line; memory as ``2GB``, ``500MB``, ``1GiB``.

    Raises
    ------
    UsageError
        for an amount that is none.
    """
    from motifdb.mining.question import parse_bytes

    given = {
        "max_patterns": max_patterns,
        "time_s": time_s,
        "memory_bytes": parse_bytes(memory),
    }
    return Limits(**{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]


def choose_contours(stored: list[an.StoredContours], wanted: str | None) -> list[an.StoredContours]:
    """The analyses of contours that a name or the beginning of an id means; without one, the only kind there is.

    Files of several kinds (audio, f0 tracks) have each their own, of one name and parameters: these go together.

    Raises
    ------
    NotFoundError, UsageError
        where there is none, or more than one kind.
    """
    if not stored:
        raise NotFoundError("there are no contours here yet; motifdb ingest makes them from recordings")
    listed = ", ".join(f"{c.name} ({c.id[:8]})" for c in stored)
    if wanted is None:
        if len({c.config for c in stored}) > 1:
            raise UsageError(f"there are several kinds of contours; name one with --contours: {listed}")
        return stored
    named = [c for c in stored if c.name == wanted]
    found = named or [c for c in stored if c.id.startswith(wanted.lower())] if wanted else []
    if not found:
        raise NotFoundError(f"there are no contours {wanted!r}; there are: {listed}")
    if len({c.config for c in found}) > 1:
        raise UsageError(f"--contours {wanted} means several; give more of the id: {listed}")
    return found


def stale_text(newest: an.Analysis, wanted: an.Analysis) -> str:
    """How the inputs that are there now differ from those an analysis froze."""
    n_newer = (wanted.n_inputs or 0) - (newest.n_inputs or 0)
    if n_newer > 0:
        return f"stale: {n_newer:,} recording{'s' * (n_newer != 1)} newer; --refresh makes a successor"
    return f"stale: its {newest.n_inputs:,} recordings, or their labels, have changed; --refresh makes a successor"
