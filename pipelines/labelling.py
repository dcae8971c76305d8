"""The labels of a run: its manifest joined with the files, its pattern, and the tags inside contents."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from motifdb.pipelines.inputs.discover import unescape_path
from motifdb.pipelines.inputs.labels import STANDARD, PathPattern, merge_labels, tag_labels
from motifdb.pipelines.inputs.manifest import Joined, Manifest, load_manifest
from motifdb.pipelines.survey import Seen


class Labelling:
    """What a run says about files.

    Parameters
    ----------
    metadata : manifests (see `motifdb.pipelines.inputs.manifest`); a later one adds columns and overrides those it names
    pattern : of paths below the corpus root, such as ``{singer}/{title}``
    layout : rows of a known corpus, which say too what is a recording of it; files that they do not name are none

    Raises
    ------
    UsageError
        at once, for a manifest that cannot be read or a pattern that is none.
    """

    def __init__(self, metadata: Iterable[Path], pattern: str | None, layout: Manifest | None = None) -> None:
        self._is_closed = layout is not None
        self._manifests = [] if layout is None else [layout]
        self._manifests += [load_manifest(file) for file in metadata]
        self._pattern = PathPattern(pattern) if pattern is not None else None
        self._joined: list[Joined] = []
        self._seen: dict[tuple[Path, bytes], Seen] = {}

    @property
    def has_manifest(self) -> bool:
        return bool(self._manifests)

    @property
    def has_any(self) -> bool:
        """Whether this run says anything about labels; where not, stored ones stay."""
        return self.has_manifest or self._pattern is not None

    def bind(self, files: Iterable[Seen]) -> None:
        """Match the manifests with every file that was seen.

        Raises
        ------
        UsageError
            where two rows of a manifest say different things of one file.
        """
        if self._manifests:
            self._seen = {(s.found.root, s.found.relative): s for s in files}
            self._joined = [m.join(s.found for s in self._seen.values()) for m in self._manifests]

    def is_reference(self, seen: Seen) -> bool:
        """Whether a manifest names the file as reference pitch of another one."""
        return any(joined.is_reference(seen.found) for joined in self._joined)

    def is_left_out(self, seen: Seen) -> bool:
        """Whether a file is not of the known corpus whose rows were given."""
        return self._is_closed and not self._joined[0].describes(seen.found)

    def described_by(self, seen: Seen) -> tuple[str, str]:
        """Key of the file that a reference is the pitch of."""
        joined = next(joined for joined in reversed(self._joined) if joined.is_reference(seen.found))
        return self._seen[joined.references[seen.found.root, seen.found.relative]].key

    def columns(self, seen: Seen, tags: Mapping[str, str]) -> dict[str, Any]:
        """The label columns of `files` for one file: manifest before pattern before tags."""
        said: dict[str, str] = {}
        for joined in self._joined:
            row = joined.row_of(seen.found)
            said |= row.labels if row is not None else {}
        by_path = self._pattern.labels(unescape_path(seen.path)) if self._pattern is not None else None
        merged = merge_labels(said, by_path, tag_labels(tags))
        return {name: merged.columns.get(name) for name in STANDARD} | {"labels": merged.others}

    def unmatched(self, inputs: Iterable[Seen]) -> tuple[int, int]:
        """Manifest rows that name no file, and inputs that no row names; zeros without a manifest."""
        if not self._joined:
            return 0, 0
        found = [s.found for s in inputs]
        n_files = sum(all(not j.describes(one) for j in self._joined) for one in found)
        return sum(joined.n_unmatched_rows for joined in self._joined), n_files

    @property
    def n_other_suffix(self) -> int:
        """Files that a manifest names by another suffix than they have."""
        return sum(joined.n_other_suffix for joined in self._joined)


NO_LABELS: dict[str, Any] = dict.fromkeys(STANDARD) | {"labels": {}}
"""The label columns of a file that is no recording."""
