"""The job behind `motifdb clips`: spans from occurrences, windows from voiced stretches, rows of `clips`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from motifdb.errors import NotFoundError, UsageError
from motifdb.ids import hash_text, set_hash
from motifdb.pipelines.analyses import Analysis
from motifdb.pipelines.committer import Committer, quoted
from motifdb.pipelines.keep_audio import Filled, ensure_audio
from motifdb.pipelines.known import Known
from motifdb.pipelines.stages import coverage_row
from motifdb.schemas import CLIPS, COVERAGE
from motifdb.training.clips.clip_options import ClipOptions, Size, differs
from motifdb.training.clips.drawing import (
    OF_MOTIFS,
    Drawn,
    Spans,
    drawn_like,
    generator,
    overlaps_any,
    rank,
    segments,
    union,
    windows,
)
from motifdb.training.clips.mined import find_mined, is_per_recording

if TYPE_CHECKING:
    from collections.abc import Callable

    from motifdb.catalog.store import Snapshot
    from motifdb.catalog.writer import Writer
    from motifdb.pipelines.progress import Progress

__all__ = ["ClipOptions", "Cut", "Size", "cut_clips", "find_mined"]

CLIPS_VERSION = 1


@dataclass
class Cut:
    """What a run did."""

    analysis_id: str
    name: str
    size: Size
    n_new: int
    filled: Filled | None = None
    notes: list[str] = field(default_factory=list)


def cut_clips(
    options: ClipOptions,
    writer: Writer,
    progress: Progress | None = None,
    tell: Callable[[Size], None] = lambda _: None,
) -> Cut:
    """Make clips, of those recordings that have none of this analysis yet.

    Parameters
    ----------
    tell : is told the size first, before anything is stored

    Raises
    ------
    UsageError, NotFoundError
        for options that cannot be, no motifs, or no clip of that kind.
    """
    options.check()
    job = _Job(options, writer)
    drawn = list(job.drawn())
    size = job.size(drawn)
    if not size.n_clips:
        raise job.nothing()
    tell(size)
    cut = job.store(drawn, size)
    sounding = [r for r, clips in drawn if len(clips.start_s) and job.known.recordings[r]["kind"] == "audio"]
    if options.keep_audio and sounding:
        cut.filled = ensure_audio(
            writer,
            sounding,
            progress=progress,
            engine=options.engine,
            workers=options.workers,
            ray_address=options.ray_address,
        )
        cut.notes += cut.filled.sentences
    return cut


@dataclass(frozen=True)
class _Places:
    """Occurrences of one recording: motif ids and spans; `taken` are those that become clips."""

    motif_id: NDArray[np.str_]
    start_s: NDArray[np.float64]
    end_s: NDArray[np.float64]
    taken: NDArray[np.int64]


class _Job:
    """One run, step by step."""

    def __init__(self, options: ClipOptions, writer: Writer) -> None:
        self.options, self.writer = options, writer
        self.known = Known.of(writer.snapshot)
        self.parent: dict[str, Any] | None = None
        self.places: dict[str, _Places] = {}
        self.longest_s = 0.0
        self.n_unplaced = self.n_overlapping = 0
        if options.kind in OF_MOTIFS:
            self.parent = find_mined(writer.snapshot, options.analysis)
            self.recordings = self._mined_recordings()
            self._read_places()
        else:
            self.recordings = sorted(self.known.recordings)
            if not self.recordings:
                raise NotFoundError("there are no recordings here yet; `motifdb ingest PATH` takes some in")

    # -- what is there ------------------------------------------------------------------------------------

    def _mined_recordings(self) -> list[str]:
        """Recordings that the contours of the analysis have: those it could find a motif in."""
        assert self.parent is not None
        there = self.known.covered.get(self.parent["parent_id"], {})
        return sorted(r for r in there if r in self.known.recordings)

    def _read_places(self) -> None:
        """Every occurrence of the analysis, by recording, and which are taken."""
        assert self.parent is not None
        snapshot, options = self.writer.snapshot, self.options
        own = snapshot.table("motifs", ["motif_id"], f"analysis_id = {quoted(self.parent['analysis_id'])}")
        columns = ["motif_id", "recording_id", "start_s", "end_s"]
        parts = []
        for batch in snapshot.batches("occurrences", columns):
            is_own = pc.is_in(batch.column("motif_id"), own.column(0).combine_chunks())
            parts.append(pa.Table.from_batches([batch]).filter(is_own))
        if not parts or not sum(p.num_rows for p in parts):
            raise NotFoundError(
                f"the mining analysis {self.parent['name']!r} found no motifs; `motifdb mine` with a lower --min-support"
                " or --min-length may"
            )
        order = [(name, "ascending") for name in ("recording_id", "start_s", "end_s", "motif_id")]
        table = pa.concat_tables(parts).sort_by(order)
        start_s, end_s = table.column("start_s").to_numpy(), table.column("end_s").to_numpy()
        self.longest_s = float((end_s - start_s).max())
        recording = np.array(table.column("recording_id").to_pylist(), np.str_)
        motif = np.array(table.column("motif_id").to_pylist(), np.str_)
        # one motif may sound over one span in two ways where symbols may be skipped: one clip
        is_first = np.ones(len(motif), bool)
        is_first[1:] = (recording[1:] != recording[:-1]) | (motif[1:] != motif[:-1])
        is_first[1:] |= (start_s[1:] != start_s[:-1]) | (end_s[1:] != end_s[:-1])
        duration_s = end_s - start_s
        fits = is_first & (duration_s > 0) & (duration_s >= options.min_duration_s - 1e-9)
        if options.max_duration_s is not None:
            fits &= duration_s <= options.max_duration_s + 1e-9
        taken = np.zeros(len(motif), bool)
        taken[self._chosen(np.flatnonzero(fits), motif, recording, start_s, end_s)] = True
        edges = np.flatnonzero(np.append(True, recording[1:] != recording[:-1]))
        for low, high in zip(edges, np.append(edges[1:], len(recording)), strict=True):
            rows = slice(low, high)
            self.places[str(recording[low])] = _Places(
                motif[rows], start_s[rows], end_s[rows], np.flatnonzero(taken[rows])
            )

    def _chosen(
        self,
        rows: NDArray[np.int64],
        motif: NDArray[np.str_],
        recording: NDArray[np.str_],
        start_s: NDArray[np.float64],
        end_s: NDArray[np.float64],
    ) -> NDArray[np.int64]:
        """At most so many of each motif, and in all: those that come first in an order of hashes."""
        options = self.options
        if options.max_per_motif is None and options.limit is None:
            return rows
        names = [f"{motif[i]} {recording[i]} {start_s[i]!r} {end_s[i]!r}" for i in rows]
        order = sorted(range(len(rows)), key=[rank(options.seed, n) for n in names].__getitem__)
        held: dict[str, int] = {}
        kept = []
        for i in order:
            name = str(motif[rows[i]])
            held[name] = held.get(name, 0) + 1
            if options.max_per_motif is None or held[name] <= options.max_per_motif:
                kept.append(rows[i])
        return np.sort(np.array(kept[: options.limit], np.int64))

    def _voiced(self) -> dict[str, Spans]:
        """Phrases of each recording, as stretches that do not overlap."""
        assert self.parent is not None
        where = f"analysis_id = {quoted(self.parent['parent_id'])}"
        table = self.writer.snapshot.table("contours", ["recording_id", "start_s", "end_s"], where)
        table = table.sort_by("recording_id")
        recording = np.array(table.column(0).to_pylist(), np.str_)
        start_s, end_s = table.column(1).to_numpy(), table.column(2).to_numpy()
        edges = np.flatnonzero(np.append(len(recording) > 0, recording[1:] != recording[:-1]))
        found = {}
        for low, high in zip(edges, np.append(edges[1:], len(recording)), strict=True):
            found[str(recording[low])] = union(start_s[low:high], end_s[low:high])
        return found

    # -- drawing ------------------------------------------------------------------------------------------

    def drawn(self) -> Iterator[tuple[str, Drawn]]:
        """The clips of each recording, by recording."""
        if self.options.kind == "window":
            yield from self._windows()
            return
        voiced = self._voiced() if self.options.kind in ("random", "random_disjoint") else {}
        for recording in self.recordings:
            places = self.places.get(recording)
            if places is None or not len(places.taken):
                yield recording, Drawn(np.empty(0), np.empty(0), np.empty(0, np.int64))
                continue
            found = self._of_places(recording, places, voiced.get(recording))
            self.n_unplaced += found.n_unplaced
            yield recording, found

    def _of_places(self, recording: str, places: _Places, voiced: Spans | None) -> Drawn:
        kind, taken = self.options.kind, places.taken
        start_s, end_s = places.start_s[taken], places.end_s[taken]
        if kind == "motif":
            return Drawn(start_s, end_s, taken)
        if kind == "motif_segment":
            duration_s = float(self.known.recordings[recording]["duration_s"])
            first, last = segments(start_s, self.options.segment_s, duration_s)
            # near the end, or of one onset, several occurrences of a motif have one segment: one clip
            names = zip(places.motif_id[taken].tolist(), first.tolist(), strict=True)
            own = sorted({name: i for i, name in reversed(list(enumerate(names)))}.values())
            return Drawn(first[own], last[own], taken[own])
        empty = np.empty(0)
        avoided = union(places.start_s, places.end_s) if kind == "random_disjoint" else (empty, empty)
        rng = generator(self.options.seed, recording, kind)
        found = drawn_like(start_s, end_s, voiced or (empty, empty), avoided, rng)
        # where only a moment is free, a second window of a motif would be the first one again
        drawn = zip(
            places.motif_id[taken[found.source]].tolist(),
            found.start_s.tolist(),
            found.end_s.tolist(),
            strict=True,
        )
        own = sorted({name: i for i, name in reversed(list(enumerate(drawn)))}.values())
        start_s, end_s = found.start_s[own], found.end_s[own]
        motifs = union(places.start_s, places.end_s)
        self.n_overlapping += int(overlaps_any(start_s, end_s, motifs).sum())
        return Drawn(start_s, end_s, taken[found.source[own]], len(taken) - len(own))

    def _windows(self) -> Iterator[tuple[str, Drawn]]:
        options, spans = self.options, {}
        hop_s = options.window_s if options.hop_s is None else options.hop_s
        for recording in self.recordings:
            self.longest_s = max(self.longest_s, float(self.known.recordings[recording]["duration_s"]))
            spans[recording] = windows(
                options.window_s, hop_s, float(self.known.recordings[recording]["duration_s"])
            )
        if options.limit is not None:
            every = [
                (rank(options.seed, f"{r} {s!r}"), r, i)
                for r, (a, _) in spans.items()
                for i, s in enumerate(a)
            ]
            kept: dict[str, list[int]] = {}
            for _, recording, i in sorted(every)[: options.limit]:
                kept.setdefault(recording, []).append(i)
            spans = {
                r: (a[sorted(kept.get(r, []))], b[sorted(kept.get(r, []))]) for r, (a, b) in spans.items()
            }
        for recording, (start_s, end_s) in spans.items():
            yield recording, Drawn(start_s, end_s, np.empty(0, np.int64))

    def size(self, drawn: list[tuple[str, Drawn]]) -> Size:
        """How much that is."""
        own = [(r, d) for r, d in drawn if len(d.start_s)]
        distinct_s = 0.0
        for _, d in own:
            low, high = union(d.start_s, d.end_s)
            distinct_s += float((high - low).sum())
        return Size(
            sum(len(d.start_s) for _, d in own),
            len(own),
            float(sum((d.end_s - d.start_s).sum() for _, d in own)),
            distinct_s,
            self.n_unplaced,
            sum(self.known.recordings[r]["kind"] != "audio" for r, _ in own),
        )

    def nothing(self) -> NotFoundError:
        """Why there is no clip, and what makes some."""
        options = self.options
        if options.kind == "window":
            return NotFoundError(
                f"no recording lasts {options.window_s:g} s, the longest {self.longest_s:.2f} s; --window-s"
                f" {self.longest_s:.2g} or less cuts windows"
            )
        if self.n_unplaced:
            return NotFoundError(
                f"none of {self.n_unplaced:,} motif clips has a voiced window of its duration that is free of motifs;"
                " --kind random lets windows overlap motifs"
            )
        least, most = options.min_duration_s, options.max_duration_s
        asked = f"{least:g} s or more" if most is None else f"{least:g} to {most:g} s"
        return NotFoundError(
            f"no occurrence lasts {asked}; the longest lasts {self.longest_s:.2f} s; --min-duration and --max-duration"
            " say what is taken, `motifdb mine` finds other motifs"
        )

    # -- storing ------------------------------------------------------------------------------------------

    def _analysis(self, drawn: list[tuple[str, Drawn]]) -> Analysis:
        options = self.options
        of = "" if self.parent is None else f" of {self.parent['name']}"
        values, frozen = options.parameters(), None
        is_wide = self.parent is not None and not is_per_recording(self.parent)
        if options.limit is not None or (is_wide and options.max_per_motif is not None):
            # what is drawn from one recording depends on the others: another list is another analysis
            frozen = set_hash(r for r, _ in drawn)
            values["inputs_hash"] = frozen
        return Analysis(
            options.name or f"{options.kind}{of}{differs(options)}",
            "clips",
            None if self.parent is None else str(self.parent["analysis_id"]),
            values,
            CLIPS_VERSION,
            frozen,
            len(drawn) if frozen else None,
        )

    def store(self, drawn: list[tuple[str, Drawn]], size: Size) -> Cut:
        """Commit the clips of recordings that have none of this analysis yet."""
        snapshot = self.writer.snapshot
        analysis = self._analysis(drawn)
        name = analysis.name
        if analysis.id in self.known.analyses:
            where = f"analysis_id = {quoted(analysis.id)}"
            name = snapshot.table("analyses", ["name"], where).column(0)[0].as_py()
        elif self.options.name is not None:
            self._require_free_name(snapshot, self.options.name)
        done = self.known.covered.get(analysis.id, {})
        committer = Committer(self.writer, self.known)
        committer.analyses([analysis])
        n_new = 0
        for recording, clips in drawn:
            if recording in done:
                continue
            rows = self._rows(analysis.id, recording, clips)
            n_new += len(rows)
            committer.rows("clips", CLIPS.table(rows))
            committer.rows("coverage", COVERAGE.table([coverage_row(analysis.id, recording, len(rows))]))
            if committer.is_due():
                committer.flush(f"clips {name}")
        committer.flush(f"clips {name}")
        cut = Cut(analysis.id, name, size, n_new)
        if self.options.kind == "random":
            cut.notes.append(f"{self.n_overlapping:,} of them overlap a motif (overlaps_motif)")
        return cut

    def _rows(self, analysis_id: str, recording: str, clips: Drawn) -> list[dict[str, object]]:
        kind, places = self.options.kind, self.places.get(recording)
        n = len(clips.start_s)
        motif: list[str | None] = [None] * n
        overlaps: list[bool | None] = [None] * n
        if places is not None and n:
            motif = [str(m) for m in places.motif_id[clips.source]]
            overlaps = overlaps_any(clips.start_s, clips.end_s, union(places.start_s, places.end_s)).tolist()
        found: dict[str, dict[str, object]] = {}
        spans = zip(clips.start_s.tolist(), clips.end_s.tolist(), motif, overlaps, strict=True)
        for start_s, end_s, motif_id, is_over in spans:
            origin = (analysis_id, recording, kind, repr(start_s), repr(end_s), motif_id or "", "", "")
            clip_id = hash_text(*origin)
            found[clip_id] = {
                "clip_id": clip_id,
                "analysis_id": analysis_id,
                "recording_id": recording,
                "kind": kind,
                "start_s": start_s,
                "end_s": end_s,
                "motif_id": motif_id,
                "overlaps_motif": is_over,
                "corpus_id": None,
                "path": None,
            }
        return list(found.values())

    def _require_free_name(self, snapshot: Snapshot, name: str) -> None:
        taken = snapshot.table("analyses", ["analysis_id"], f"kind = 'clips' and name = {quoted(name)}")
        if taken.num_rows:
            raise UsageError(
                f"the name {name!r} is taken by the clips {taken.column(0)[0].as_py()[:8]}, which were cut in another"
                " way; choose another one with --name"
            )
