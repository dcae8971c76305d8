"""The places of motifs in one recording, and what they add up to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray


@dataclass
class Places:
    """Occurrences whose phrase and motif are known: row, phrase and motif numbers, and whether each place fits."""

    rows: pa.Table
    row: NDArray[np.int64]
    phrase: NDArray[np.int64]
    motif: NDArray[np.int64]
    first: NDArray[np.int64]
    last: NDArray[np.int64]
    fits: NDArray[np.bool_]
    n_motifs: int

    def summary(self) -> dict[str, NDArray[Any]]:
        """Per motif: what `motifs` says of it, from the places that fit."""
        from motifdb.kernels.recheck import count_apart

        motif, phrase = self.motif[self.fits], self.phrase[self.fits]
        row = self.row[self.fits]
        duration_s = self.rows.column("end_s").to_numpy()[row] - self.rows.column("start_s").to_numpy()[row]
        n = np.bincount(motif, minlength=self.n_motifs)
        n_phrases = int(phrase.max(initial=0)) + 1
        pairs = np.unique(motif * n_phrases + phrase)
        by_duration = duration_s[np.lexsort((duration_s, motif))]
        begin = np.cumsum(n) - n
        has = n > 0

        def at(index: NDArray[np.int64]) -> NDArray[np.float64]:
            values = np.full(self.n_motifs, np.nan)
            values[has] = by_duration[index[has]]
            return values

        return {
            "occurrences": n,
            "occurrences_nonoverlapping": count_apart(
                motif, phrase, self.first[self.fits], self.last[self.fits], self.n_motifs
            ),
            "support_sequences": np.bincount(pairs // n_phrases, minlength=self.n_motifs),
            "duration_min_s": at(begin),
            "duration_median_s": at(begin + (n - 1) // 2),
            "duration_max_s": at(begin + n - 1),
        }
