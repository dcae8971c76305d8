"""What the tables say of clips: their labels, their contents, the islands and recordings they belong to.

A label is a fact about a file. A clip of kind file has its file's labels; any other has the values that its
recording's files agree on, as the scopes of mining have it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from motifdb.errors import NotFoundError, nearest
from motifdb.pipelines.committer import quoted
from motifdb.query.scopes import label_values
from motifdb.query.views import STANDARD_LABELS

if TYPE_CHECKING:
    from motifdb.catalog.store import Snapshot

BUILT_IN = ("content", "island", "recording", "clip")
"""Names that stand for something else than a label, in `--by` and `--label`."""

LABEL_PREFIX = "label."
"""``label.recording`` is the label that files call recording."""


@dataclass(frozen=True)
class ClipFacts:
    """One analysis's clips in the order of clip_id, and what is known of each.

    Attributes
    ----------
    analysis_id : of the clips
    clip_id, recording_id, kind : n texts
    start_s, end_s : float64[n]
    file : n keys (corpus_id, path) of the file whose labels a clip has, None where it has its recording's
    files : every file that is an input, by that key, as rows of `files`
    island_of : by recording, from the newest audit; None where there is no audit
    audit_id : that audit
    audio_of : by recording, its audio_hash, or its own id where it has none
    """

    analysis_id: str
    clip_id: tuple[str, ...]
    recording_id: tuple[str, ...]
    kind: tuple[str, ...]
    start_s: NDArray[np.float64]
    end_s: NDArray[np.float64]
    file: tuple[tuple[str, str] | None, ...]
    files: Mapping[tuple[str, str], Mapping[str, Any]] = field(repr=False)
    island_of: Mapping[str, str] | None = field(default=None, repr=False)
    audit_id: str | None = None
    audio_of: Mapping[str, str] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return len(self.clip_id)

    @cached_property
    def _by_recording(self) -> dict[str, dict[str, set[str]]]:
        return label_values(self.files.values())

    @property
    def label_names(self) -> tuple[str, ...]:
        """Names of labels that some file has a value of, ascending."""
        return tuple(sorted(name for name, found in self._by_recording.items() if found))

    @cached_property
    def content(self) -> tuple[str, ...]:
        """A text for each clip, equal where the same bytes lie behind it: the recording, and the span unless it is all."""
        spans = zip(self.recording_id, self.kind, self.start_s.tolist(), self.end_s.tolist(), strict=True)
        return tuple(r if k == "file" else f"{r} {a!r}-{b!r}" for r, k, a, b in spans)

    def key(self, name: str) -> list[str | None]:
        """A text for each clip that says with whom it belongs by `name`; None where nothing is known.

        Parameters
        ----------
        name : ``content``, ``island``, ``recording``, ``clip``, or a label; ``label.NAME`` is always a label

        Raises
        ------
        NotFoundError
            where no file has the label, or ``island`` is asked for without an audit of these recordings.
        """
        if name == "content":
            return list(self.content)
        if name == "clip":
            return list(self.clip_id)
        if name == "recording":
            return list(self.recording_id)
        if name == "island":
            return list(self.islands())
        return self.label(name)

    def islands(self) -> list[str]:
        """The island of each clip's recording.

        Raises
        ------
        NotFoundError
            where no audit is stored, or it is older than some recording.
        """
        if self.island_of is None:
            raise NotFoundError(
                "which recordings share sound is not known here; `motifdb audit` finds the islands"
            )
        missing = {r for r in self.recording_id if r not in self.island_of}
        if missing:
            raise NotFoundError(
                f"{len(missing):,} recordings came after the newest audit; `motifdb audit` finds their islands"
            )
        return [self.island_of[r] for r in self.recording_id]

    def label(self, name: str) -> list[str | None]:
        """The value of a label for each clip; None where there is none, or files contradict each other.

        Raises
        ------
        NotFoundError
            where no file has such a label.
        """
        given = name.removeprefix(LABEL_PREFIX)
        agreed = self._by_recording.get(given)
        if not agreed:
            raise self._no_label(name)
        own = {key: _value(row, given) for key, row in self.files.items()}
        found: list[str | None] = []
        for recording, file in zip(self.recording_id, self.file, strict=True):
            if file is not None:
                found.append(own.get(file))
                continue
            values = agreed.get(recording, set())
            found.append(next(iter(values)) if len(values) == 1 else None)
        return found

    @cached_property
    def _paths(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for (_, path), row in sorted(self.files.items(), reverse=True):
            found[row["recording_id"]] = path
        return found

    def path_of(self, recording_id: str) -> str:
        """The first path of a recording; its id where none is left."""
        return self._paths.get(recording_id, recording_id)

    def _no_label(self, name: str) -> NotFoundError:
        if not self.label_names:
            return NotFoundError(
                f"there is no label {name!r} here, nor any other; `motifdb ingest` with --metadata or --pattern gives"
                " labels"
            )
        names = [f"{LABEL_PREFIX}{n}" if n in BUILT_IN else n for n in self.label_names]
        return NotFoundError(f"no file has a label {name!r}; {nearest(name, [*names, *BUILT_IN[:3]])}")


def _value(row: Mapping[str, Any], name: str) -> str | None:
    value = row[name] if name in STANDARD_LABELS else dict(row["labels"] or ()).get(name)
    return None if value is None else str(value)


def facts_of(snapshot: Snapshot, analysis_id: str, clip_ids: Sequence[str] | None = None) -> ClipFacts:
    """Read an analysis's clips and what is known of them.

    Parameters
    ----------
    clip_ids : only these, where given

    Raises
    ------
    NotFoundError
        where it has no clips.
    """
    columns = ["clip_id", "recording_id", "kind", "start_s", "end_s", "corpus_id", "path"]
    clips = snapshot.table("clips", columns, f"analysis_id = {quoted(analysis_id)}").sort_by("clip_id")
    if clip_ids is not None:
        import pyarrow as pa
        import pyarrow.compute as pc

        clips = clips.filter(pc.is_in(clips.column("clip_id"), pa.array(clip_ids, pa.string())))
    if not clips.num_rows:
        raise NotFoundError(f"the set of clips {analysis_id[:8]} is empty; `motifdb clips` makes another")
    corpus, path = clips.column("corpus_id").to_pylist(), clips.column("path").to_pylist()
    files = {
        (row["corpus_id"], row["path"]): row
        for row in snapshot.table(
            "files", ["corpus_id", "path", "recording_id", "state", *STANDARD_LABELS, "labels"]
        ).to_pylist()
        if row["state"] == "input"
    }
    hashes = snapshot.table("recordings", ["recording_id", "audio_hash"])
    audio = zip(hashes.column(0).to_pylist(), hashes.column(1).to_pylist(), strict=True)
    audit_id = newest_audit(snapshot)
    return ClipFacts(
        analysis_id,
        tuple(clips.column("clip_id").to_pylist()),
        tuple(clips.column("recording_id").to_pylist()),
        tuple(clips.column("kind").to_pylist()),
        clips.column("start_s").to_numpy(),
        clips.column("end_s").to_numpy(),
        tuple(None if p is None else (c, p) for c, p in zip(corpus, path, strict=True)),
        files,
        None if audit_id is None else _islands(snapshot, audit_id),
        audit_id,
        {recording: digest or recording for recording, digest in audio},
    )


def newest_audit(snapshot: Snapshot) -> str | None:
    """The audit that was made last; None where there is none."""
    rows = snapshot.table("analyses", ["analysis_id", "created_at"], "kind = 'audit'").to_pylist()
    if not rows:
        return None
    return str(max(rows, key=lambda r: (r["created_at"], r["analysis_id"]))["analysis_id"])


def _islands(snapshot: Snapshot, audit_id: str) -> dict[str, str]:
    rows = snapshot.table("islands", ["recording_id", "island"], f"analysis_id = {quoted(audit_id)}")
    return dict(zip(rows.column(0).to_pylist(), rows.column(1).to_pylist(), strict=True))
