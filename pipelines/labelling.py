"""The labels of a run: its manifest joined with the files, its pattern, and the tags inside contents."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from motifdb.pipelines.inputs.discover import unescape_path
from motifdb.pipelines.inputs.labels import STANDARD, PathPattern, merge_labels, tag_labels
from motifdb.pipelines.inputs.manifest import Joined, load_manifest
from motifdb.pipelines.survey import Seen


class Labelling:
    """What a run says about files.

    Parameters
    ----------
    metadata : manifest (see `motifdb.pipelines.inputs.manifest`)
    pattern : of paths below the corpus root, such as ``{singer}/{title}``

    Raises
    ------
    UsageError
        at once, for a manifest that cannot be read or a pattern that is none.
    """

    def __init__(self, metadata: Path | None, pattern: str | None) -> None:
        self._manifest = load_manifest(metadata) if metadata is not None else None
        self._pattern = PathPattern(pattern) if pattern is not None else None
        self._joined: Joined | None = None
        self._seen: dict[tuple[Path, bytes], Seen] = {}

    @property
    def has_manifest(self) -> bool:
        return self._manifest is not None

    @property
    def has_any(self) -> bool:
        """Whether this run says anything about labels; where not, stored ones stay."""
        return self._manifest is not None or self._pattern is not None

    def bind(self, files: Iterable[Seen]) -> None:
        """Match the manifest with every file that was seen.

        Raises
        ------
        UsageError
            where two rows of the manifest say different things of one file.
        """
        if self._manifest is not None:
            self._seen = {(s.found.root, s.found.relative): s for s in files}
            self._joined = self._manifest.join(s.found for s in self._seen.values())

    def is_reference(self, seen: Seen) -> bool:
        """Whether the manifest names the file as reference pitch of another one."""
        return self._joined is not None and self._joined.is_reference(seen.found)

    def described_by(self, seen: Seen) -> tuple[str, str]:
        """Key of the file that a reference is the pitch of."""
        assert self._joined is not None
        return self._seen[self._joined.references[seen.found.root, seen.found.relative]].key

    def columns(self, seen: Seen, tags: Mapping[str, str]) -> dict[str, Any]:
        """The label columns of `files` for one file: manifest before pattern before tags."""
        row = self._joined.row_of(seen.found) if self._joined is not None else None
        by_path = self._pattern.labels(unescape_path(seen.path)) if self._pattern is not None else None
        merged = merge_labels(row.labels if row else None, by_path, tag_labels(tags))
        return {name: merged.columns.get(name) for name in STANDARD} | {"labels": merged.others}

    def unmatched(self, inputs: Iterable[Seen]) -> tuple[int, int]:
        """Manifest rows that name no file, and inputs that no row names; zeros without a manifest."""
        if self._joined is None:
            return 0, 0
        return self._joined.n_unmatched_rows, self._joined.n_unmatched(s.found for s in inputs)


NO_LABELS: dict[str, Any] = dict.fromkeys(STANDARD) | {"labels": {}}
"""The label columns of a file that is no recording."""
