"""Read files into units of work: recognise, hash, and settle at once what needs no work.

A content that is under two paths is worked on once; the second path waits for the first's result.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from motifdb.errors import InputError
from motifdb.ids import ID_BYTES, content_id
from motifdb.pipelines.cost import cost_s
from motifdb.pipelines.inputs.discover import read_content, read_head
from motifdb.pipelines.inputs.f0 import NeedsHop, f0_text
from motifdb.pipelines.inputs.sniff import Sniffed, sniff
from motifdb.pipelines.keeper import NOTHING
from motifdb.pipelines.known import Known
from motifdb.pipelines.labelling import NO_LABELS
from motifdb.pipelines.work import Failure, Item, Unit

if TYPE_CHECKING:
    from motifdb.pipelines.analyses import Plan
    from motifdb.pipelines.committer import Committer
    from motifdb.pipelines.keep_audio import Keeping
    from motifdb.pipelines.labelling import Labelling
    from motifdb.pipelines.survey import Seen

UNIT_ITEMS = 64
UNIT_BYTES = 16 << 20
UNIT_COST_S = 1.0
"""A unit of work is full at so many recordings, bytes, or expected seconds: big enough for its message, small enough to share out."""

HELD_BYTES = 256 << 20
"""A larger file is not held in memory: the decoder reads it where it is, on the machine that sees the folder."""

HEAD_BYTES = 65_536


def kind_of(sniffed: Sniffed) -> str:
    """Which plan an input follows: audio, f0-text (hop said) or f0-csv (times of its own)."""
    if sniffed.kind == "audio":
        return "audio"
    return "f0-text" if sniffed.needs_hop else "f0-csv"


class Reader:
    """Turns files into items, and settles every path exactly once.

    Parameters
    ----------
    plans : by kind of input
    labelling : labels and reference tracks that a manifest and a pattern give
    hop : time between two frequencies of a track that says no times
    times_real_time : the tracker's usual speed
    keeping : what is kept of the sound of what is decoded
    """

    def __init__(
        self,
        committer: Committer,
        plans: Mapping[str, Plan],
        labelling: Labelling,
        hop: Fraction | None,
        *,
        times_real_time: float,
        keeping: Keeping,
    ) -> None:
        self._committer = committer
        self._keeping = keeping
        self._known: Known = committer.known
        self._plans = plans
        self._labelling = labelling
        self._hop = hop
        self._times_real_time = times_real_time
        self._waiting: dict[str, list[tuple[Seen, Sniffed]]] = {}
        self._again: list[Seen] = []
        self.references: list[Seen] = []
        self.counts = {"input": 0, "skipped": 0, "reference": 0, "failed": 0}
        self.n_bytes_settled = 0
        self.scope: dict[str, set[str]] = {}

    @property
    def in_flight(self) -> set[str]:
        """Recordings under work."""
        return set(self._waiting)

    def units(self, todo: Iterable[Seen], until: str, *, tick: Callable[[Seen], None]) -> Iterator[Unit]:
        """Units of work from files, read as they are asked for."""
        items: list[Item] = []
        n_bytes, expected_s = 0, 0.0
        most = min(UNIT_ITEMS, self._committer.most_recordings)
        for seen in todo:
            item = self._item(seen)
            tick(seen)
            if item is None:
                continue
            if item.is_local:
                yield Unit((item,), until)
                continue
            items.append(item)
            n_bytes += item.size_bytes
            expected_s += cost_s(seen, self._times_real_time)
            if len(items) >= most or n_bytes >= UNIT_BYTES or expected_s >= UNIT_COST_S:
                yield Unit(tuple(items), until)
                items, n_bytes, expected_s = [], 0, 0.0
        if items:
            yield Unit(tuple(items), until)

    def take_back(self) -> list[Seen]:
        """Paths that are to be read again: their content failed under another path's name."""
        again, self._again = self._again, []
        return again

    def _item(self, seen: Seen) -> Item | None:
        if self._labelling.is_reference(seen):
            self.references.append(seen)  # read when all recordings are there, see `References`
            return None
        sniffed: Sniffed | None = None
        try:
            sniffed = sniff(read_head(seen.found, HEAD_BYTES), seen.found.name)
            if self._labelling.is_left_out(seen):
                self.settle(seen, sniffed.container, state="skipped")
                return None
            if sniffed.problem is not None:
                raise sniffed.problem
            if sniffed.kind == "other":
                self.settle(seen, sniffed.container, state="skipped")
                return None
            if sniffed.needs_hop and self._hop is None:
                raise NeedsHop(seen.found.name)
            content, recording_id = _content(seen, sniffed)
        except InputError as error:
            container = sniffed.container if sniffed is not None else "unreadable"
            self.settle(seen, container, failure=Failure(error.stage, error.kind, error.reason))
            return None
        if recording_id in self._waiting:
            self._waiting[recording_id].append((seen, sniffed))
            return None
        plan = self._plans[kind_of(sniffed)]
        if recording_id in self._known.recordings and self._is_tracked(plan, recording_id):
            self.settle(seen, sniffed.container, recording_id=recording_id)
            return None
        self._committer.analyses(plan.analyses() if plan.until != "files" else [])
        self._waiting[recording_id] = [(seen, sniffed)]
        keeps = self._keeping.of(recording_id) if sniffed.kind == "audio" else NOTHING
        if keeps.fingerprint_id is not None:
            self._committer.analyses([self._keeping.analysis])
        return Item(
            recording_id,
            plan.chain,
            content,
            sniffed,
            self._hop if sniffed.needs_hop else None,
            seen.found.name,
            size_bytes=seen.found.size_bytes,
            keeps=keeps,
        )

    def _is_tracked(self, plan: Plan, recording_id: str) -> bool:
        return plan.until == "files" or self._known.is_covered(plan.pitch.id, recording_id)

    def finish(self, recording_id: str, failure: Failure | None) -> None:
        """Settle the paths that waited for a recording's result.

        Where it failed, only the first path is settled by it; the others are read again, each to fail (or
        not) under its own name, so that what is stored never hangs on which path came first.
        """
        first, *others = self._waiting.pop(recording_id)
        for seen, sniffed in [first] if failure else [first, *others]:
            self.settle(seen, sniffed.container, recording_id=recording_id, failure=failure)
        if failure:
            self._again.extend(seen for seen, _ in others)

    def settle(
        self,
        seen: Seen,
        container: str,
        *,
        recording_id: str | None = None,
        state: str = "input",
        failure: Failure | None = None,
    ) -> None:
        """Write what is known of a path now."""
        recording = self._known.recordings.get(recording_id) if recording_id is not None else None
        if failure is not None:
            state = "failed"
        self.counts[state] += 1
        self.n_bytes_settled += seen.found.size_bytes
        tags = dict(recording["tags"]) if recording else {}
        labels = NO_LABELS if state in ("skipped", "reference") else self._labelling.columns(seen, tags)
        row: dict[str, Any] = {
            "corpus_id": seen.corpus_id,
            "path": seen.path,
            "recording_id": recording_id if recording is not None else None,
            "state": state,
            "size_bytes": seen.found.size_bytes,
            "mtime_ns": seen.found.mtime_ns,
            "container": container,
            **labels,
        }
        self._committer.file(row, None if failure is None else failure_row(seen, failure, recording_id))
        if recording is not None and failure is None:
            self.scope.setdefault(_kind_of_recording(recording), set()).add(str(recording_id))


def _kind_of_recording(recording: Mapping[str, Any]) -> str:
    return "audio" if recording["kind"] == "audio" else str(recording["codec"])


def failure_row(seen: Seen, failure: Failure, recording_id: str | None) -> dict[str, Any]:
    """A row of `failures`."""
    return {
        "corpus_id": seen.corpus_id,
        "path": seen.path,
        "stage": failure.stage,
        "kind": failure.kind,
        "reason": failure.reason,
        "recording_id": recording_id,
        "analysis_id": failure.analysis_id,
        "size_bytes": seen.found.size_bytes,
        "mtime_ns": seen.found.mtime_ns,
    }


def read_again(seen: Seen) -> tuple[Sniffed, bytes | Path, str]:
    """What a file is, its content or its path (see `Item.content`), and the id of what is in it now.

    Raises
    ------
    InputError
        where it cannot be read or is no input.
    """
    sniffed = sniff(read_head(seen.found, HEAD_BYTES), seen.found.name)
    if sniffed.problem is not None:
        raise sniffed.problem
    return sniffed, *_content(seen, sniffed)


def _content(seen: Seen, sniffed: Sniffed) -> tuple[bytes | Path, str]:
    """A file's content, or its path where it is too long to hold, and the id of what is in it."""
    if sniffed.is_f0:
        text = f0_text(read_content(seen.found), seen.found.name)
        return text, content_id(text)
    if seen.found.size_bytes <= HELD_BYTES:
        content = read_content(seen.found)
        return content, content_id(content)
    digest = hashlib.blake2b(digest_size=ID_BYTES)
    try:
        with open(seen.found.path, "rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise InputError("unreadable", f"{seen.path} cannot be read: {reason}", "discover") from None
    return seen.found.path, digest.hexdigest()
