"""Reference pitch: the f0 tracks that a manifest names beside recordings, stored as a pitch analysis of its own.

What is stored follows from the manifest and the files as they are now, not from the order in which they came:
a recording that was replaced, repaired or taken further later gets its reference then, one that no row names any
more loses it, and of several that are named for one content the first by its path holds.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import pyarrow as pa

from motifdb.errors import InputError
from motifdb.ids import content_id, hash_text
from motifdb.pipelines.analyses import REFERENCE
from motifdb.pipelines.committer import in_list
from motifdb.pipelines.inputs.discover import read_content, read_head
from motifdb.pipelines.inputs.f0 import f0_text, read_f0
from motifdb.pipelines.inputs.sniff import HEAD_BYTES, sniff
from motifdb.pipelines.stages import pitch_rows
from motifdb.pipelines.work import Failure, UnitResult, pitch_coverage

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from motifdb.pipelines.committer import Committer
    from motifdb.pipelines.labelling import Labelling
    from motifdb.pipelines.reading import Reader
    from motifdb.pipelines.records import PitchTrack
    from motifdb.pipelines.survey import Seen

AT_ONCE = 256
"""References that go into one commit: what is held in memory."""

NO_TRACK = "no-reference"
"""Kind of the failure of a file that is no f0 track, for a manifest that says it is; another manifest mends it."""


@dataclass(frozen=True)
class _Read:
    """A reference that was read: its track, and what `coverage.input_hash` says of it."""

    track: PitchTrack
    stamp: str


class References:
    """Brings stored reference pitch, and the rows of reference files, up to date with a manifest.

    Parameters
    ----------
    files : every file that was seen
    due : reference files that are new, changed or were something else before
    hop : time between two frequencies of a track that says no times
    """

    def __init__(
        self,
        committer: Committer,
        reader: Reader,
        labelling: Labelling,
        files: Iterable[Seen],
        hop: Fraction | None,
    ) -> None:
        self._committer = committer
        self._known = committer.known
        self._reader = reader
        self._hop = hop
        self._due = {seen.key: seen for seen in reader.references}
        self._read: dict[tuple[str, str], _Read | None] = {}
        self._named: dict[str, list[Seen]] = {}
        in_view: Counter[str] = Counter()
        for seen in files:
            if labelling.is_reference(seen):
                recording_id = self._recording(labelling.described_by(seen))
                if recording_id is not None:
                    self._named.setdefault(recording_id, []).append(seen)
            elif (held := self._recording(seen.key)) is not None:
                in_view[held] += 1
        stored = self._known.covered.get(REFERENCE.id, {})
        self._unnamed = {
            r for r in stored if r not in self._named and in_view[r] == self._known.references[r]
        }
        """Recordings with a reference, of which every file is in view of a manifest that names none."""

    def _recording(self, key: tuple[str, str]) -> str | None:
        row = self._known.files.get(key)
        return row["recording_id"] if row is not None else None

    def update(self, *, is_stored: bool) -> Iterator[None]:
        """Read what is due and commit it in parts; one step a part, to be flushed after.

        `is_stored` is False where work stops before pitch: then files are read and noted, and only what is
        no longer right goes.
        """
        if self._unnamed:
            self._drop(self._unnamed)
            yield
        names = sorted(self._named)
        for first in range(0, len(names), AT_ONCE):
            for recording_id in names[first : first + AT_ONCE]:
                self._one(recording_id, is_stored)
            self._read.clear()
            yield
        for n, seen in enumerate(list(self._due.values()), start=1):  # those of no recording
            self._look(seen)
            if n % AT_ONCE == 0:
                self._read.clear()
                yield
        yield

    def _one(self, recording_id: str, is_stored: bool) -> None:
        """Store the first of a recording's references that can be read; read the others that are due."""
        stored = self._known.covered.get(REFERENCE.id, {}).get(recording_id)
        is_found = False
        for seen in sorted(self._named[recording_id], key=lambda seen: seen.key):
            if is_found or (stored is not None and stored.endswith(_source(seen)) and self._is_settled(seen)):
                is_found = True  # `stored` was read from this very file, or an earlier one holds
                if seen.key in self._due:
                    self._look(seen)
                continue
            row = self._known.files.get(seen.key)
            if seen.key not in self._due and row is not None and row["state"] == "failed":
                continue
            found = self._look(seen)
            if found is None:
                continue
            is_found = True
            if stored != found.stamp:
                if stored is not None:
                    self._drop({recording_id})
                if is_stored:
                    self._store(recording_id, found)
        if not is_found and stored is not None:
            self._drop({recording_id})

    def _is_settled(self, seen: Seen) -> bool:
        return seen.key not in self._due and self._known.files[seen.key]["state"] == "reference"

    def _look(self, seen: Seen) -> _Read | None:
        """Read a reference file and note what it is; None where it cannot be used."""
        self._due.pop(seen.key, None)
        if seen.key in self._read:
            return self._read[seen.key]
        container, found = "unreadable", None
        try:
            sniffed = sniff(read_head(seen.found, HEAD_BYTES), seen.found.name)
            container = sniffed.container
            if not sniffed.is_f0:
                raise InputError(
                    NO_TRACK,
                    f"{seen.path} is named as reference pitch by the manifest but is no f0 track; correct the manifest",
                    "pitch",
                )
            text = f0_text(read_content(seen.found), seen.found.name)
            track = read_f0(text, sniffed, self._hop if sniffed.needs_hop else None, seen.found.name)
            found = _Read(track, f"{content_id(text)} {_source(seen)}")
            self._reader.settle(seen, container, state="reference")
        except InputError as error:
            self._reader.settle(seen, container, failure=Failure(error.stage, error.kind, error.reason))
        self._read[seen.key] = found
        return found

    def _store(self, recording_id: str, found: _Read) -> None:
        self._committer.analyses([REFERENCE])
        rows = pitch_rows(recording_id, REFERENCE.id, found.track)
        done = pitch_coverage(REFERENCE.id, recording_id, found.track, rows.num_rows)
        at = done.schema.get_field_index("input_hash")
        done = done.set_column(at, done.schema.field(at), pa.array([found.stamp]))
        self._committer.result(UnitResult({"pitch": [rows], "coverage": [done]}))

    def _drop(self, recordings: set[str]) -> None:
        which = f"analysis_id = '{REFERENCE.id}'"
        self._committer.replace_rows("pitch", f"{in_list('recording_id', recordings)} and {which}")
        self._committer.replace_rows("coverage", f"{in_list('scope_key', recordings)} and {which}")
        self._committer.replace_rows(
            "pitch_agreement",
            f"{in_list('recording_id', recordings)} and (analysis_a = '{REFERENCE.id}' or analysis_b = '{REFERENCE.id}')",
        )
        for recording_id in recordings:
            self._known.covered[REFERENCE.id].pop(recording_id, None)


def _source(seen: Seen) -> str:
    """The part of a stamp that says which file a reference is from."""
    return hash_text("reference", *seen.key)
