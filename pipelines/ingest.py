"""From folders to motifs: find out what is to be done, do it unit by unit, commit what is whole.

The job goes over the data up to four times, each time only over what is missing:

1. files: read, decode, track, quantise, mine;
2. stored pitch that has no contours under this quantiser yet (for corpus-wide clusters, after fitting them);
3. stored contours that have no motifs under these mining parameters yet;
4. what is about several recordings at once: comparison of pitch analyses, counts of kept patterns.

So a second run with nothing new does nothing, a killed one is finished by running it again, and another
quantiser does not track anything twice.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from motifdb.config import Config
from motifdb.errors import UsageError
from motifdb.ids import set_hash
from motifdb.kernels.jit import were_compiled
from motifdb.pipelines import analyses as an
from motifdb.pipelines.committer import COMMIT_RECORDINGS, Committer
from motifdb.pipelines.compare import compare_pitch
from motifdb.pipelines.cost import cost_s
from motifdb.pipelines.counts import refresh_counts
from motifdb.pipelines.engine import Engine, InlineEngine, check_engine, choose_engine
from motifdb.pipelines.file_clips import add_file_clips
from motifdb.pipelines.inputs.decode import parse_channel
from motifdb.pipelines.inputs.discover import discover
from motifdb.pipelines.inputs.f0 import NeedsHop
from motifdb.pipelines.inputs.sniff import AUDIO_SUFFIXES, BARE_SUFFIXES, sniff, suffix_of
from motifdb.pipelines.keep_audio import Filled, FillIn, Keeping, expected_fill_s
from motifdb.pipelines.known import Known
from motifdb.pipelines.labelling import Labelling
from motifdb.pipelines.reading import HEAD_BYTES, Reader, failure_row
from motifdb.pipelines.references import NO_TRACK, References
from motifdb.pipelines.stages import coverage_row, rows_of_recordings
from motifdb.pipelines.survey import Seen, Survey, survey
from motifdb.pipelines.trackers.registry import get_tracker, tracker_class
from motifdb.pipelines.work import STAGES, Failure, Item, Unit, UnitResult
from motifdb.schemas import COVERAGE

if TYPE_CHECKING:
    from motifdb.catalog.writer import Writer
    from motifdb.pipelines.inputs.manifest import Manifest
    from motifdb.pipelines.progress import Progress

KINDS = ("audio", "f0-text", "f0-csv")


@dataclass(frozen=True)
class Options:
    """What an ingest is asked to do; see `motifdb ingest --help`."""

    paths: tuple[Path, ...]
    config: Config
    until: str = "motifs"
    workers: int | None = None
    engine: str = "auto"
    ray_address: str | None = None
    metadata: tuple[Path, ...] = ()
    pattern: str | None = None
    layout: str | None = None
    hop: Fraction | None = None
    keep_audio: bool = False
    as_clips: bool = False
    prune: bool = False
    retry_failed: bool = False
    refresh: bool = False
    commit_every: int = COMMIT_RECORDINGS

    def check(self) -> Labelling:
        """Refuse what cannot be, before a database is made for it; give the manifest that was read for that.

        Raises
        ------
        UsageError, NotFoundError
            for a path, manifest, tracker or pattern that is not there or cannot be.
        """
        if self.commit_every < 1:
            raise UsageError(f"--commit-every must be at least 1 recording, got {self.commit_every}")
        check_engine(self.engine, workers=self.workers, address=self.ray_address)
        if self.config.mining.is_wide:
            raise UsageError(
                f"ingest mines each recording on its own; leave out mining.scope = {self.config.mining.scope!r}, and run"
                f" motifdb mine --scope {self.config.mining.scope} afterwards"
            )
        parse_channel(self.config.pitch.channel)
        discover(self.paths)
        tracker_class(self.config.pitch.tracker).from_mapping(self.config.pitch.parameters)
        return Labelling(self.metadata, self.pattern, self._rows_of_layout())

    def _rows_of_layout(self) -> Manifest | None:
        """What a known corpus says of its folder; None where no layout is named."""
        if self.layout is None:
            return None
        from motifdb.pipelines.layouts import find_layout

        layout = find_layout(self.layout)
        if len(self.paths) != 1:
            raise UsageError(
                f"--layout {self.layout} takes the one folder of that corpus, got {len(self.paths)} paths"
            )
        return layout.manifest(self.paths[0])

    @property
    def usual_hop(self) -> Fraction | None:
        """Time between two frequencies of a track that says no times: what is given, else the known corpus's."""
        if self.hop is not None or self.layout is None:
            return self.hop
        from motifdb.pipelines.layouts import find_layout

        return find_layout(self.layout).hop


@dataclass
class Report:
    """What an ingest did."""

    n_seen: int = 0
    n_new: int = 0
    n_changed: int = 0
    n_unchanged: int = 0
    n_gone: int = 0
    n_pruned: int = 0
    n_skipped: int = 0
    n_references: int = 0
    n_inputs: int = 0
    n_failed: int = 0
    n_worked: int = 0
    duration_s: float = 0.0
    n_commits: int = 0
    wall_s: float = 0.0
    engine: str = "none"
    workers: int = 0
    failures: list[dict[str, Any]] = field(default_factory=list)
    n_unmatched_rows: int = 0
    n_unmatched_files: int = 0
    n_other_suffix: int = 0
    has_metadata: bool = False
    filled: Filled = field(default_factory=Filled)
    n_clips: int = 0
    mining_ids: list[str] = field(default_factory=list)


def ingest(
    options: Options, writer: Writer, progress: Progress, labelling: Labelling | None = None
) -> Report:
    """Bring a database up to date with folders of recordings.

    `labelling` is what `Options.check` gave, where that was called before.

    Raises
    ------
    UsageError
        for options that cannot be, before any work.
    DatabaseError
        where the database cannot be written.
    KeyboardInterrupt
        on Ctrl-C, after what was whole has been committed; the same call goes on from there.
    """
    started_s = time.monotonic()
    job = _Job(options, writer, progress, labelling or options.check())
    try:
        report = job.run()
    except KeyboardInterrupt:
        job.committer.flush("ingest, interrupted", in_flight=job.reader.in_flight)
        raise
    finally:
        progress.close()
    report.wall_s = time.monotonic() - started_s
    return report


class _Job:
    """One ingest, step by step."""

    def __init__(self, options: Options, writer: Writer, progress: Progress, labelling: Labelling) -> None:
        self.options = options
        self.writer = writer
        self.progress = progress
        self.known = Known.of(writer.snapshot)
        self.committer = Committer(writer, self.known, options.commit_every)
        self.labelling = labelling
        self.plans = self._plans()
        self.keeping = Keeping(
            self.committer,
            channel=options.config.pitch.channel,
            audio=options.keep_audio or options.as_clips,
            fingerprints=options.keep_audio or options.as_clips,
        )
        self.times_real_time = tracker_class(options.config.pitch.tracker).times_real_time
        self.reader = Reader(
            self.committer,
            self.plans,
            self.labelling,
            options.usual_hop,
            times_real_time=self.times_real_time,
            keeping=self.keeping,
        )
        self.report = Report(has_metadata=bool(options.metadata or options.layout))
        self.stack = ExitStack()
        self.expected_work_s = 0.0
        self._engine: Engine | None = None

    # -- what is to be done ---------------------------------------------------------------------------

    def _plans(self) -> dict[str, an.Plan]:
        config = self.options.config
        pitches = {
            "audio": an.audio_pitch(config),
            "f0-text": an.f0_pitch("f0-text", self.options.usual_hop),
            "f0-csv": an.f0_pitch("f0-csv", None),
        }
        plans = {kind: an.make_plan(pitch, config, self.options.until) for kind, pitch in pitches.items()}
        if an.needs_fit(config.contour) and not self.options.refresh:
            stored = self.writer.snapshot.table("analyses")
            for kind, plan in plans.items():
                fit = an.latest_fit(stored, plan.pitch, config.contour)
                if fit is not None and fit[0].centres_cents:  # a fit to silence fits nothing that sounds
                    plans[kind] = plan.fitted(fit[0].centres_cents, fit[1], fit[2])
        return plans

    def run(self) -> Report:
        """All passes, in order."""
        options, report = self.options, self.report
        self.progress.start("looking for files")
        found = survey(options.paths, self.known, skip=[self.writer.path], tick=self.progress.looked)
        self.labelling.bind(found.all)
        todo = self._todo(found)
        self._require_hop(todo)
        self._require_tracker(todo)
        report.n_seen, report.n_new, report.n_changed = found.n_seen, len(found.new), len(found.changed)
        report.n_unchanged, report.n_gone = len(found.unchanged), len(found.gone)
        with self.stack:
            for row in found.corpora.values():
                if self.known.corpora.get(row["corpus_id"]) != row:
                    self.committer.corpus(row)
            for key in found.resolved:
                self.committer.forget(key)
            if options.prune:
                for key in found.gone:
                    self.committer.forget(key)
                report.n_pruned, report.n_gone = len(found.gone), 0
            self._unreadable(found)
            self._read_files(todo)
            self._relabel(found)
            self._flush("ingest")
            self._references(found)
            self._keep_audio()
            if options.as_clips:
                report.n_clips = add_file_clips(self.committer, self.writer, [s.key for s in found.all])
                self._flush("clips of files")
            if STAGES.index(options.until) >= STAGES.index("pitch"):
                self._across_pitch()
            if STAGES.index(options.until) >= STAGES.index("contours"):
                self._quantise_stored()
            if STAGES.index(options.until) >= STAGES.index("motifs"):
                self._mine_stored()
        for plan in self.plans.values():
            if plan.contour is not None and plan.mining is not None and plan.mining.id in self.known.analyses:
                self.progress.start("counting kept patterns")
                refresh_counts(
                    self.committer,
                    self.writer,
                    plan.mining.id,
                    plan.contour.id,
                    plan.config.mining.max_gap,
                    self.known.covered.get(plan.mining.id, {}),
                )
                report.mining_ids.append(plan.mining.id)
        return self._finished(found)

    def _todo(self, found: Survey) -> list[Seen]:
        """Files to read: new, changed, and those unchanged ones whose work is not done."""
        todo = [*found.new, *found.changed]
        for seen in found.unchanged:
            row = self.known.files[seen.key]
            if row["state"] == "failed":
                if self._tries_again(seen, self.known.failures.get(seen.key)):
                    todo.append(seen)
            elif (
                self.labelling.is_reference(seen) != (row["state"] == "reference")
                and self.labelling.has_manifest
            ):
                todo.append(seen)
            elif row["state"] == "input":
                recording = self.known.recordings[row["recording_id"]]
                kind = "audio" if recording["kind"] == "audio" else recording["codec"]
                pitch_id = self.plans[kind].pitch.id
                if self.options.until == "files" or self.known.is_covered(pitch_id, row["recording_id"]):
                    self.reader.scope.setdefault(kind, set()).add(row["recording_id"])
                else:
                    todo.append(seen)
        todo.sort(key=lambda seen: seen.key)
        self.expected_work_s = sum(cost_s(seen, self.times_real_time) for seen in todo)
        return todo

    def _tries_again(self, seen: Seen, failure: dict[str, Any] | None) -> bool:
        if failure is None or self.options.retry_failed:
            return True
        if failure["kind"] == NO_TRACK and self.labelling.has_manifest:
            return not self.labelling.is_reference(seen)
        ours = {plan.pitch.id for plan in self.plans.values()} | {
            a.id for plan in self.plans.values() for a in plan.analyses()
        }
        return failure["analysis_id"] is not None and failure["analysis_id"] not in ours

    def _require_hop(self, todo: Iterable[Seen]) -> None:
        """Ask for ``--hop`` before any work, where a file that is named like a bare track needs it."""
        if self.options.usual_hop is not None:
            return
        for seen in todo:
            if suffix_of(seen.found.name) in BARE_SUFFIXES and not self.labelling.is_left_out(seen):
                try:
                    with open(seen.found.path, "rb") as file:
                        sniffed = sniff(file.read(HEAD_BYTES), seen.found.name)
                except OSError:
                    continue  # reading it again will say so in its place
                if sniffed.is_f0 and sniffed.needs_hop:
                    raise NeedsHop(seen.found.name)

    def _require_tracker(self, todo: Iterable[Seen]) -> None:
        """Say that a tracker is not installed before any work, not once a file."""
        if self.options.until == "files":
            return
        if any(suffix_of(s.found.name) in AUDIO_SUFFIXES and not self.labelling.is_left_out(s) for s in todo):
            get_tracker(self.options.config.pitch.tracker, self.options.config.pitch.parameters)

    # -- pass 1: files --------------------------------------------------------------------------------

    @property
    def engine(self) -> Engine:
        """Chosen and started when the first unit is there: a run with nothing to do starts nothing."""
        if self._engine is None:
            options = self.options
            chosen = choose_engine(
                options.engine,
                workers=options.workers,
                address=options.ray_address,
                expected_work_s=self.expected_work_s,
            )
            if STAGES.index(options.until) > STAGES.index("files") and not were_compiled():
                self.progress.note("compiling the kernels, this first time only, half a minute")
            elif not isinstance(chosen, InlineEngine):
                self.progress.note("starting Ray")
            self.stack.enter_context(chosen)
            self._engine = chosen
            self.report.engine, self.report.workers = chosen.name, chosen.workers
        return self._engine

    def _unreadable(self, found: Survey) -> None:
        for seen in found.unreadable:
            failure = Failure("discover", "unreadable", str(seen.found.error))
            self.committer.forget_file(seen.key)  # as one that could never be read
            self.committer.failure_without_file(failure_row(seen, failure, None))
            self.reader.counts["failed"] += 1

    def _read_files(self, todo: list[Seen]) -> None:
        if not todo:
            return
        self.progress.begin("ingesting", len(todo), sum(s.found.size_bytes for s in todo))
        while todo:
            units = self.reader.units(todo, self.options.until, tick=self.progress.read)
            for unit, result in self._map(units):
                self.committer.result(result)
                for recording_id, failure in result.outcomes.items():
                    self.reader.finish(recording_id, failure)
                self.report.n_worked += len(unit.items)
                self.report.duration_s += result.duration_s
                settled = sum(self.reader.counts.values())
                self.progress.done(settled, self.reader.n_bytes_settled, self.report.duration_s)
                self._flush_if_due()
            todo = self.reader.take_back()

    def _map(self, units: Iterator[Unit]) -> Iterator[tuple[Unit, UnitResult]]:
        """Run units; where there is none, no engine is started."""
        first = next(units, None)
        if first is not None:
            yield from self.engine.map(chain([first], units))

    def _relabel(self, found: Survey) -> None:
        """Give unchanged files the labels that the manifest or pattern of this run says."""
        if not self.labelling.has_any:
            return
        for seen in found.unchanged:
            row = self.known.files[seen.key]
            if row["state"] in ("input", "failed") and seen.is_as_in(row):
                recording = self.known.recordings.get(row["recording_id"] or "")
                tags = dict(recording["tags"]) if recording else {}
                self.committer.file(
                    row | self.labelling.columns(seen, tags), self.known.failures.get(seen.key)
                )

    def _keep_audio(self) -> None:
        """Read those unchanged files again whose sound is to be kept and is not."""
        lacking = self.keeping.lacking(self.reader.scope.get("audio", ())) if self.keeping.audio else []
        if not lacking:
            return
        self.expected_work_s += expected_fill_s(lacking, self.known)
        self.progress.begin("sound read again", len(lacking), 0, "recordings")
        job = FillIn(self.writer, self.committer, self.keeping)
        for _, result in self._map(job.units(lacking)):
            job.take(result)
            self.progress.done(job.filled.n_done, 0, 0.0)
            self._flush_if_due()
        self._flush("sound and fingerprints")
        self.report.filled = job.filled

    # -- passes over what is stored -------------------------------------------------------------------

    def _references(self, found: Survey) -> None:
        if not self.labelling.has_manifest:
            return
        references = References(
            self.committer, self.reader, self.labelling, found.all, self.options.usual_hop
        )
        for _ in references.update(is_stored=self.options.until != "files"):
            self._flush("reference pitch")

    def _across_pitch(self) -> None:
        compare_pitch(self.committer, self.writer, {r for ids in self.reader.scope.values() for r in ids})
        self._flush("pitch analyses compared")

    def _quantise_stored(self) -> None:
        for kind in KINDS:
            plan = self.plans[kind]
            scope = {r for r in self.reader.scope.get(kind, ()) if self.known.is_covered(plan.pitch.id, r)}
            if not scope:
                continue
            if plan.waits_for_fit:
                plan = self.plans[kind] = self._fit(plan)
            assert plan.contour is not None
            missing = {r for r in scope if not self.known.is_covered(plan.contour.id, r)}
            if missing:
                self.committer.analyses(plan.analyses())
                self.progress.begin("contours from stored pitch", len(missing), 0)
                self._over_stored("pitch", plan, plan.pitch.id, missing)

    def _mine_stored(self) -> None:
        for kind in KINDS:
            plan = self.plans[kind]
            if plan.contour is None or plan.mining is None:
                continue
            missing = {
                r
                for r in self.reader.scope.get(kind, ())
                if self.known.is_covered(plan.contour.id, r) and not self.known.is_covered(plan.mining.id, r)
            }
            if not missing:
                continue
            self.committer.analyses(plan.analyses())
            self.progress.begin("motifs from stored contours", len(missing), 0)
            met = self._over_stored("contours", plan, plan.contour.id, missing)
            silent = sorted(missing - met)
            rows = [coverage_row(plan.mining.id, r) for r in silent]
            if rows:
                self.committer.result(UnitResult({"coverage": [COVERAGE.table(rows)]}, dict.fromkeys(silent)))
            self._flush("motifs from stored contours")

    def _over_stored(self, table: str, plan: an.Plan, analysis_id: str, wanted: set[str]) -> set[str]:
        """Take stored rows of recordings as far as the plan goes; the recordings that had rows."""
        met: set[str] = set()
        units = self._stored_units(table, plan, analysis_id, wanted, met)
        n_done = 0
        for unit, result in self._map(units):
            self.committer.result(result)
            for recording_id, failure in result.outcomes.items():
                if failure is not None:
                    self._fail_recording(recording_id, failure)
            n_done += len(unit.items)
            self.progress.done(n_done, 0, 0.0)
            self._flush_if_due()
        self._flush(f"{table} taken further")
        return met

    def _stored_units(
        self, table: str, plan: an.Plan, analysis_id: str, wanted: set[str], met: set[str]
    ) -> Iterator[Unit]:
        """One scan of a table; the rows of a recording were written together, so they come together."""
        items: list[Item] = []
        where = f"analysis_id = '{analysis_id}'"
        for recording_id, rows in rows_of_recordings(
            self.writer.snapshot.batches(table, None, where, 1024), wanted
        ):
            met.add(recording_id)
            items.append(Item(recording_id, plan.chain, **{table: rows}, size_bytes=rows.nbytes))
            if len(items) >= 64 or sum(i.size_bytes for i in items) >= 4 << 20:
                yield Unit(tuple(items), self.options.until)
                items = []
        if items:
            yield Unit(tuple(items), self.options.until)

    def _fail_recording(self, recording_id: str, failure: Failure) -> None:
        for row in list(self.known.files.values()):
            if row["recording_id"] == recording_id:
                stored = {name: row[name] for name in ("corpus_id", "path", "size_bytes", "mtime_ns")}
                failed = stored | {
                    "stage": failure.stage,
                    "kind": failure.kind,
                    "reason": failure.reason,
                    "recording_id": recording_id,
                    "analysis_id": failure.analysis_id,
                }
                self.committer.file(row | {"state": "failed"}, failed)
                self.reader.counts["failed"] += 1

    def _fit(self, plan: an.Plan) -> an.Plan:
        """Fit the corpus's clusters to all stored pitch of the plan's pitch analysis, and freeze that list."""
        import numpy as np

        from motifdb.kernels.kmeans import cents_histogram, fit_kmeans

        self.progress.start("fitting pitch clusters to the corpus")
        inputs = sorted(self.known.covered[plan.pitch.id])
        histogram = None
        columns, least = ["f0_hz", "confidence"], plan.config.contour.min_confidence
        for batch in self.writer.snapshot.batches("pitch", columns, f"analysis_id = '{plan.pitch.id}'", 256):
            for i in range(
                batch.num_rows
            ):  # row by row: a track without confidence may stand beside one with it
                f0_hz, sure = (np.asarray(batch.column(c)[i].values, np.float32) for c in columns)
                one = cents_histogram(f0_hz, sure, least)
                histogram = one if histogram is None else histogram + one
        assert histogram is not None and plan.config.contour.k is not None
        fitted = plan.fitted(
            fit_kmeans(histogram, plan.config.contour.k).tolist(), set_hash(inputs), len(inputs)
        )
        self._make_newest(plan, fitted)
        return fitted

    def _make_newest(self, plan: an.Plan, fitted: an.Plan) -> None:
        """Where other inputs led to clusters that are there already, that analysis is of these inputs now.

        Without this it would count as stale for ever, or a later run would go on with clusters that were
        fitted between the two.
        """
        contour = fitted.contour
        assert contour is not None
        if contour.id in self.known.analyses:
            newest = an.latest_fit(self.writer.snapshot.table("analyses"), plan.pitch, plan.config.contour)
            if newest != (fitted.config.contour, contour.inputs_hash, contour.n_inputs):
                self.committer.replace_analysis(contour)
                self._flush("pitch clusters fitted anew")

    # -- end ------------------------------------------------------------------------------------------

    def _flush_if_due(self) -> None:
        if self.committer.is_due():
            self._flush("ingest")

    def _flush(self, message: str) -> None:
        self.committer.flush(message, in_flight=self.reader.in_flight)

    def _finished(self, found: Survey) -> Report:
        report, counts = self.report, self.reader.counts
        report.n_inputs, report.n_skipped = counts["input"], counts["skipped"]
        report.n_references, report.n_failed = counts["reference"], counts["failed"]
        report.failures = [
            self.known.failures[k] for k in sorted(self.known.failures) if k[0] in found.corpora
        ]
        inputs = [s for s in found.all if self.known.files.get(s.key, {}).get("state") in ("input", "failed")]
        report.n_unmatched_rows, report.n_unmatched_files = self.labelling.unmatched(inputs)
        report.n_other_suffix = self.labelling.n_other_suffix
        report.n_commits = self.committer.n_commits
        return report
