"""Does a motif survive small changes? Rerun the chain of a mining analysis, changed a little, and see what comes back.

Reruns: the quantiser coarser and finer by a tenth, another tracker, a grid half a frame later, noise on the pitch. What each
finds is compared with what is stored and then dropped; `motifs.stability` gets the share of the reruns that confirm a motif
(`motifdb.kernels.spans` says when one does). Each rerun is an analysis of kind ``stability`` without rows of its own: its
coverage says for which recordings it has been done, and with how many motifs confirmed.

A recording's motifs and the coverage of its reruns go in one commit, so a run that was stopped is finished by running it again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from motifdb.config import ContourConfig
from motifdb.errors import NotFoundError, UsageError, nearest
from motifdb.pipelines.analyses import Analysis, needs_fit
from motifdb.pipelines.committer import Committer, in_list
from motifdb.pipelines.known import Known
from motifdb.pipelines.lineage import find_mining
from motifdb.pipelines.perturb import (
    CHANGE,
    chance_shift,
    changed_quantiser,
    half_frame_later,
    mined_places,
    with_noise,
)
from motifdb.pipelines.records import PitchTrack
from motifdb.pipelines.second_tracker import Second, choose_second
from motifdb.pipelines.stability_report import Report, RerunShare, quantiser_title
from motifdb.pipelines.stages import coverage_row, pitch_tracks
from motifdb.schemas import COVERAGE, MOTIFS

if TYPE_CHECKING:
    from motifdb.catalog.writer import Writer
    from motifdb.pipelines.progress import Progress

STABILITY_VERSION = 1

RERUNS = ("coarser", "finer", "tracker", "shift", "noise")
"""Every rerun by name, in the order of reports."""

RECORDINGS_AT_ONCE = 16
"""Recordings whose pitch is held at a time."""


@dataclass(frozen=True)
class Options:
    """What `motifdb stability` is asked for; see its help."""

    analysis: str | None = None
    scope_keys: tuple[str, ...] = ()
    reruns: tuple[str, ...] = RERUNS
    tracker: str | None = None
    seed: int = 0
    noise_cents: float = 5.0
    retry_failed: bool = False

    def check(self) -> None:
        """Refuse what cannot be.

        Raises
        ------
        UsageError
        """
        for name in self.reruns:
            if name not in RERUNS:
                raise UsageError(f"there is no rerun {name!r}; {nearest(name, RERUNS)}")
        if not self.reruns:
            raise UsageError(f"--reruns names none; choose some of {', '.join(RERUNS)}, or all")
        if not 0 < self.noise_cents < 1200:
            raise UsageError(f"--noise must be more than 0 and below 1200 cents, got {self.noise_cents:g}")
        if self.seed < 0:
            raise UsageError(f"--seed must be 0 or more, got {self.seed}")


@dataclass(frozen=True)
class Rerun:
    """One changed chain: which, what people call it, its analysis, its quantiser, and the second pitch it reads if any."""

    name: str
    title: str
    analysis: Analysis
    contour: ContourConfig
    second: Second | None = None


def measure_stability(options: Options, writer: Writer, progress: Progress) -> Report:
    """Bring `motifs.stability` of a mining analysis up to date.

    Raises
    ------
    UsageError, NotFoundError, MissingExtraError
        for options that cannot be, before any work.
    KeyboardInterrupt
        on Ctrl-C, after the recordings that were whole have been committed; the same call goes on from there.
    """
    options.check()
    job = _Job(options, writer, progress)
    try:
        return job.run()
    except KeyboardInterrupt:
        job.flush("stability, interrupted")
        raise
    finally:
        progress.close()


class _Job:
    """One run, step by step."""

    def __init__(self, options: Options, writer: Writer, progress: Progress) -> None:
        self.options, self.writer, self.progress = options, writer, progress
        self.known = Known.of(writer.snapshot)
        self.committer = Committer(writer, self.known)
        self.lineage = find_mining(writer.snapshot, options.analysis)
        self.notes: list[str] = []
        self.reruns = self._reruns()
        self.shares = {r.name: RerunShare(r.name, r.title) for r in self.reruns}
        self.failures: dict[str, str] = {}
        stored = writer.snapshot.table("analyses").to_pylist()
        self.ours = {r.analysis.id for r in self.reruns}
        self.stored = {
            row["analysis_id"]
            for row in stored
            if row["kind"] == "stability" and row["parent_id"] == self.lineage.mining_id
        }
        self._pending: dict[str, tuple[pa.Table, list[dict[str, object]]]] = {}

    # -- what is to be done -----------------------------------------------------------------------------

    def _reruns(self) -> list[Rerun]:
        lineage, options = self.lineage, self.options
        made: list[Rerun] = []
        for name in RERUNS:
            if name not in options.reruns:
                continue
            contour: ContourConfig | None = lineage.contour
            second = None
            parameters: dict[str, Any] = {"rerun": name}
            if name in ("coarser", "finer"):
                contour = changed_quantiser(lineage.contour, 1 if name == "coarser" else -1)
                if contour is None:
                    self.notes.append(f"{name} clusters: there are none; left out of the share")
                    continue
                title = quantiser_title(lineage.contour, contour)
                parameters["change"] = CHANGE
            elif name == "tracker":
                second, why_not = choose_second(self.writer.snapshot, self.known, lineage, options.tracker)
                if second is None:
                    self.notes.append(f"second tracker: {why_not}; left out of the share")
                    continue
                title = f"tracker {second.name}"
                parameters |= second.parameters
            elif name == "shift":
                title = "grid half a frame later"
            else:
                title = f"noise of {options.noise_cents:g} cents"
                parameters |= {"sd_cents": options.noise_cents, "seed": options.seed}
            analysis = Analysis(name, "stability", lineage.mining_id, parameters, STABILITY_VERSION)
            assert contour is not None
            made.append(Rerun(name, title, analysis, contour, second))
        if not made:
            raise UsageError("none of the reruns asked for is possible here: " + "; ".join(self.notes))
        return made

    def _recordings(self) -> dict[str, int]:
        """Recordings with motifs that are asked for, and how many motifs each has."""
        where = f"analysis_id = '{self.lineage.mining_id}' and n_rows > 0"
        rows = self.writer.snapshot.table("coverage", ["scope_key", "n_rows"], where).to_pylist()
        found = {row["scope_key"]: row["n_rows"] for row in sorted(rows, key=lambda r: str(r["scope_key"]))}
        if not self.options.scope_keys:
            return found
        by_path: dict[str, str] = {
            row["path"]: row["recording_id"] for row in self.known.files.values() if row["recording_id"]
        }
        wanted: set[str] = set()
        for text in self.options.scope_keys:
            meant = {by_path[text]} if text in by_path else {r for r in found if r.startswith(text.lower())}
            if not meant & found.keys():
                raise NotFoundError(
                    f"no recording with motifs is meant by {text!r}; give a path as in files, or the beginning of a recording_id"
                )
            wanted |= meant
        return {r: n for r, n in found.items() if r in wanted}

    def _done(self) -> dict[str, dict[str, dict[str, Any]]]:
        """By recording and stability analysis of this mining: its coverage."""
        done: dict[str, dict[str, dict[str, Any]]] = {}
        if self.stored:
            columns = ["analysis_id", "scope_key", "state", "n_rows", "n_tested"]
            rows = self.writer.snapshot.table("coverage", columns, in_list("analysis_id", self.stored))
            for row in rows.to_pylist():
                done.setdefault(row["scope_key"], {})[row["analysis_id"]] = row
        return done

    def run(self) -> Report:
        recordings, done = self._recordings(), self._done()
        todo = []
        for recording in recordings:
            rows = done.get(recording, {})
            is_failed = any(row["state"] == "failed" for row in rows.values())
            if rows.keys() != self.ours or (is_failed and self.options.retry_failed):
                todo.append(recording)
        if todo:
            self._fit()
            self.committer.analyses([r.analysis for r in self.reruns])
            self.progress.begin("stability", len(todo), 0, unit="recordings")
        for first in range(0, len(todo), RECORDINGS_AT_ONCE):
            some = todo[first : first + RECORDINGS_AT_ONCE]
            for n_done, _ in enumerate(self._measure(some), first + 1):
                self.progress.done(n_done, 0, 0.0)
                if self.committer.is_due() or len(self._pending) >= self.committer.most_recordings:
                    self.flush("stability of motifs")
        self.flush("stability of motifs")
        self._forget_others()
        return self._report(recordings, len(todo))

    def _fit(self) -> None:
        """Fit a changed number of clusters to the pitch of the corpus, as ingest does."""
        from motifdb.kernels.kmeans import cents_histogram, fit_kmeans

        waiting = [r for r in self.reruns if needs_fit(r.contour)]
        if not waiting:
            return
        self.progress.start("fitting other numbers of pitch clusters to the corpus")
        histogram = None
        columns, least = ["f0_hz", "confidence"], self.lineage.contour.min_confidence
        where = f"analysis_id = '{self.lineage.pitch_id}'"
        for batch in self.writer.snapshot.batches("pitch", columns, where, 256):
            for i in range(batch.num_rows):
                f0_hz, sure = (np.asarray(batch.column(c)[i].values, np.float32) for c in columns)
                one = cents_histogram(f0_hz, sure, least)
                histogram = one if histogram is None else histogram + one
        assert histogram is not None
        for rerun in waiting:
            assert rerun.contour.k is not None
            centres = tuple(fit_kmeans(histogram, rerun.contour.k).tolist())
            at = self.reruns.index(rerun)
            self.reruns[at] = replace(rerun, contour=replace(rerun.contour, centres_cents=centres))

    # -- doing it ---------------------------------------------------------------------------------------

    def _measure(self, some: list[str]) -> Iterator[str]:
        """Rerun some recordings; give each one's id when its rows wait for the next commit."""
        snapshot, lineage = self.writer.snapshot, self.lineage
        seconds = {r.second.pitch_id for r in self.reruns if r.second is not None and r.second.pitch_id}
        pitch_ids = in_list("analysis_id", {lineage.pitch_id, *seconds})
        stored = snapshot.table("pitch", None, f"{pitch_ids} and {in_list('recording_id', some)}")
        tracks = {(recording, analysis): track for recording, analysis, track in pitch_tracks(stored)}
        motifs = snapshot.table(
            "motifs", None, f"analysis_id = '{lineage.mining_id}' and {in_list('scope_key', some)}"
        )
        places = snapshot.table(
            "occurrences", ["motif_id", "recording_id", "start_s", "end_s"], in_list("recording_id", some)
        )
        by_motif = _by_recording(motifs, "scope_key")
        by_place = _by_recording(places, "recording_id")
        for recording in some:
            own = by_motif[recording]
            base = _Places.of(own.column("motif_id"), by_place[recording])
            verdicts: list[NDArray[np.bool_]] = []
            rows: list[dict[str, object]] = []
            for rerun in self.reruns:
                found, why_not = self._rerun(rerun, recording, tracks, base)
                row = coverage_row(rerun.analysis.id, recording) | {"n_tested": own.num_rows}
                if found is None:
                    self.failures[f"{rerun.title}: {recording}"] = str(why_not)
                    rows.append(row | {"state": "failed"})
                else:
                    verdicts.append(found)
                    rows.append(row | {"state": "done", "n_rows": int(found.sum())})
            share = np.mean(verdicts, axis=0) if verdicts else np.full(own.num_rows, np.nan)
            at = MOTIFS.schema.get_field_index("stability")
            column = pa.array(share, pa.float64(), mask=np.isnan(share))
            self._pending[recording] = own.set_column(at, MOTIFS.schema.field(at), column), rows
            yield recording

    def _rerun(
        self, rerun: Rerun, recording: str, tracks: dict[tuple[str, str], PitchTrack], base: _Places
    ) -> tuple[NDArray[np.bool_] | None, str | None]:
        """Which motifs a rerun confirms; None, and why, where it cannot be made."""
        from motifdb.kernels.spans import recurs

        track: PitchTrack | None = tracks[recording, self.lineage.pitch_id]
        assert track is not None
        length_s = max(len(track.f0_hz) * track.hop_s, 1e-3)
        if rerun.second is not None:
            track, why_not = rerun.second.track(recording, tracks, self.known)
            if track is None:
                return None, why_not
        elif rerun.name == "shift":
            track = half_frame_later(track)
        elif rerun.name == "noise":
            track = with_noise(track, recording, self.options.seed, self.options.noise_cents)
        try:
            start_s, end_s, motif = mined_places(track, rerun.contour, self.lineage.mining)
        except UsageError as error:
            return None, str(error)
        found = recurs(base.start_s, base.end_s, base.offsets, start_s, end_s, motif)
        # what chance confirms: the same places, turned round the recording
        turned_s = np.mod(
            start_s + chance_shift(recording, rerun.name, self.options.seed) * length_s, length_s
        )
        by_chance = recurs(
            base.start_s, base.end_s, base.offsets, turned_s, turned_s + (end_s - start_s), motif
        )
        share = self.shares[rerun.name]
        share.n_now += len(found)
        share.by_chance += int(by_chance.sum())
        return found, None

    def flush(self, message: str) -> None:
        """Commit the recordings that are whole."""
        if self._pending:
            keys = in_list("scope_key", self._pending)
            # in one predicate for all: Lance reads no long chain of them
            self.committer.replace_rows("motifs", f"analysis_id = '{self.lineage.mining_id}' and {keys}")
            if self.stored:
                self.committer.replace_rows("coverage", f"{in_list('analysis_id', self.stored)} and {keys}")
            for motifs, done in self._pending.values():
                self.committer.rows("motifs", motifs)
                self.committer.rows("coverage", COVERAGE.table(done))
            self.stored |= self.ours
            self._pending = {}
        self.committer.flush(message)

    def _forget_others(self) -> None:
        """Remove analyses whose last recording has been measured in another way."""
        left = {name for rows in self._done().values() for name in rows}
        others = self.stored - left - self.ours
        if others:
            self.committer.replace_rows("analyses", in_list("analysis_id", others))
            self.committer.flush("earlier measures of stability forgotten")

    # -- end --------------------------------------------------------------------------------------------

    def _report(self, recordings: dict[str, int], n_now: int) -> Report:
        done = self._done()
        for recording in recordings:
            for rerun in self.reruns:
                row = done.get(recording, {}).get(rerun.analysis.id)
                share = self.shares[rerun.name]
                if row is not None and row["state"] == "done":
                    share.n_recordings += 1
                    share.n_motifs += row["n_tested"]
                    share.n_confirmed += row["n_rows"]
                elif row is not None:
                    share.n_failed += 1
        rows = self.writer.snapshot.table(
            "motifs",
            ["scope_key", "stability", "q_value"],
            f"analysis_id = '{self.lineage.mining_id}' and stability is not null",
        )
        keys = rows.column("scope_key").to_pylist()
        rows = rows.filter(pa.array([k in recordings for k in keys], pa.bool_()))
        return Report(
            self.lineage.title,
            [self.shares[r.name] for r in self.reruns],
            self.notes,
            rows.column("stability").to_numpy(),
            rows.column("q_value").cast(pa.float64()).fill_null(np.nan).to_numpy(),
            n_now,
            len(recordings) - n_now,
            self.committer.n_commits,
            self.failures,
        )


@dataclass(frozen=True)
class _Places:
    """Where a recording's stored motifs sound, motif after motif in the order of their rows."""

    start_s: NDArray[np.float64]
    end_s: NDArray[np.float64]
    offsets: NDArray[np.int64]

    @classmethod
    def of(cls, motif_ids: pa.ChunkedArray, places: pa.Table) -> _Places:
        number = {name: i for i, name in enumerate(motif_ids.to_pylist())}
        of = np.array([number.get(name, -1) for name in places.column("motif_id").to_pylist()], np.int64)
        start_s, end_s = (places.column(n).to_numpy() for n in ("start_s", "end_s"))
        order = np.lexsort((end_s, start_s, of))
        order = order[of[order] >= 0]  # other analyses' motifs sound here too
        offsets = np.searchsorted(of[order], np.arange(len(number) + 1))
        return cls(start_s[order], end_s[order], offsets.astype(np.int64))


def _by_recording(rows: pa.Table, column: str) -> dict[str, pa.Table]:
    import pyarrow.compute as pc

    names = pc.unique(rows.column(column)).to_pylist()
    return {name: rows.filter(pc.equal(rows.column(column), name)) for name in names}
