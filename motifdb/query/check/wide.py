"""Motifs over several recordings: their places are checked with each recording, their counts added up."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from motifdb.query.check.places import Places
from motifdb.query.check.report import Context, Violation

_SUMMED = ("occurrences", "occurrences_nonoverlapping", "support_sequences", "support_recordings")
_BOUNDS = ("duration_min_s", "duration_max_s")


class Wide:
    """Every motif of a scope wider than a recording, and what its occurrences, recording by recording, add up to.

    Their median duration is not checked: it would need every duration at once.
    """

    COLUMNS = ("motif_id", "analysis_id", "pattern", "max_gap", "pattern_id", "scope_key")

    def __init__(self, context: Context) -> None:
        columns = ", ".join([*self.COLUMNS, *_SUMMED, *_BOUNDS])
        self._motifs = context.session.table(
            f"select {columns} from motifs where scope <> 'recording' and motif_id is not null order by motif_id"
        )
        self._ids = _keys(self._motifs.column("motif_id"))
        n = len(self._motifs)
        self._sums = np.zeros((len(_SUMMED), n), np.int64)
        self._low, self._high = np.full(n, np.inf), np.full(n, -np.inf)

    def of(self, names: pa.ChunkedArray, schema: pa.Schema) -> pa.Table:
        """The wide motifs among some names, in the order of their ids."""
        distinct = pc.unique(names).drop_null()
        at = np.unique(self._find(_keys(pa.chunked_array([distinct]))))
        rows = self._motifs.take(pa.array(at[at >= 0])).select(self.COLUMNS)
        return rows.cast(pa.schema([schema.field(c) for c in self.COLUMNS]))

    def _find(self, keys: NDArray[np.bytes_]) -> NDArray[np.int64]:
        at = np.searchsorted(self._ids, keys)
        is_there = np.zeros(len(keys), bool)
        inside = at < len(self._ids)
        is_there[inside] = self._ids[at[inside]] == keys[inside]
        return np.where(is_there, at, -1)

    def kept(self) -> dict[tuple[str, str], set[str]]:
        """By analysis and scope key: the patterns that are motifs there."""
        found: dict[tuple[str, str], set[str]] = {}
        columns = (self._motifs.column(c).to_pylist() for c in ("analysis_id", "scope_key", "pattern_id"))
        for analysis, key, pattern in zip(*columns, strict=True):
            found.setdefault((analysis, key), set()).add(pattern)
        return found

    def add(self, known: pa.Table, places: Places, *, n_own: int) -> None:
        """Add one recording's counts; the wide motifs are those after the recording's own."""
        if len(known) == n_own:
            return
        found = places.summary()
        at = self._find(_keys(known.column("motif_id").slice(n_own)))
        for i, name in enumerate(_SUMMED[:3]):
            np.add.at(self._sums[i], at, found[name][n_own:])
        sounds = found["occurrences"][n_own:] > 0
        np.add.at(self._sums[3], at[sounds], 1)
        np.minimum.at(self._low, at[sounds], found["duration_min_s"][n_own:][sounds])
        np.maximum.at(self._high, at[sounds], found["duration_max_s"][n_own:][sounds])

    def check(self) -> Iterator[Violation]:
        """The sums, once every recording has been added."""
        sounds = self._sums[0] > 0
        made = [
            *zip(_SUMMED, self._sums, strict=True),
            ("duration_min_s", self._low),
            ("duration_max_s", self._high),
        ]
        wrong: list[tuple[int, str]] = []
        for name, sums in made:
            said = self._motifs.column(name).to_numpy()
            differs = said != sums
            if name in _BOUNDS:
                differs &= sounds
            for i in np.flatnonzero(differs).tolist():
                wrong.append((i, f"{name} is {said[i]}, its occurrences make {sums[i]:g}"))
        for i, text in sorted(wrong, key=lambda w: w[0]):
            yield Violation(
                "motifs", "counts", f"motif_id {self._motifs.column('motif_id')[i].as_py()}", text
            )


def _keys(names: pa.ChunkedArray) -> NDArray[np.bytes_]:
    """Ids as fixed-width bytes, which sort and compare like the texts."""
    return np.array([name.encode() for name in names.to_pylist()], np.bytes_)
