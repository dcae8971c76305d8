"""What `motifdb.mine` gives back: Arrow tables and how complete they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from motifdb.errors import UsageError
from motifdb.mining.part import Part
from motifdb.mining.question import Question


@dataclass(frozen=True, repr=False)
class MiningResult:
    """Patterns and, where asked for, the places of each.

    Attributes
    ----------
    patterns : one row per pattern, in lexicographic order of its symbols (-2 before 1, a prefix before what it
        begins), with ``per_group`` by recording first:

        - group (int64): the recording; with ``per_group`` only
        - pattern (list of int8; of int64 where a symbol is outside -127..127), length (int32)
        - support_sequences, support_recordings, occurrences, occurrences_nonoverlapping (int64)
        - duration_median_s (double, seconds): where segment times were given
        - surprise_bits, log10_p, q_value (double): where significance was asked for; null is unknown
    occurrences : one row per occurrence, sorted by (pattern, sequence, start): pattern (int64, row of `patterns`), sequence
        (int64), start, end (int32, first and last symbol inside the sequence, both inclusive) and, where segment times were
        given, start_s, end_s (double, seconds). None unless asked for
    n_distinct : patterns of admissible length that occur at least once, frequent or not: the m of q at max_gap 0; with ``per_group``
        the sum over recordings. Known at max_gap 0 and up to 255 kinds of symbols, else None
    complete_from : every pattern of the question with at least this support is here, and none with less. It
        is the threshold itself unless a bound was reached (with ``per_group``, the highest of all recordings)
    stopped_by : the bound that was reached: ``"max_patterns"``, ``"max_occurrences"``, ``"memory_limit"``, ``"time_limit"``;
        None where none was
    """

    patterns: pa.Table
    occurrences: pa.Table | None
    n_distinct: int | None
    complete_from: int
    stopped_by: str | None

    def __len__(self) -> int:
        return int(self.patterns.num_rows)

    def __repr__(self) -> str:
        listed = "" if self.occurrences is None else f", {self.occurrences.num_rows} occurrences"
        stopped = "" if self.stopped_by is None else f" ({self.stopped_by} reached)"
        return (
            f"MiningResult({len(self)} patterns{listed}, complete from support {self.complete_from}{stopped})"
        )


def assemble(
    parts: list[Part], labels: NDArray[np.int64] | None, members: list[NDArray[np.int64]], question: Question
) -> MiningResult:
    """One result of the parts, in their order.

    Parameters
    ----------
    labels : the recording of each part; None where the one part is the whole database
    members : the sequences of each part, by their numbers in the whole database
    """
    stopped = sorted({part.stopped_by for part in parts if part.stopped_by is not None})
    distinct = [part.n_distinct for part in parts]
    return MiningResult(
        _pattern_table(parts, labels, question),
        _occurrence_table(parts, members, question) if question.occurrences else None,
        None if None in distinct else sum(n for n in distinct if n is not None),
        max((part.complete_from for part in parts), default=1),
        ", ".join(stopped) or None,
    )


def _pattern_table(parts: list[Part], labels: NDArray[np.int64] | None, question: Question) -> pa.Table:
    n_each = [part.counts.shape[1] for part in parts]
    lengths = _joined([np.diff(part.offsets) for part in parts], np.int64)
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
    symbols = [part.coded.decode(part.patterns) for part in parts]
    values = _joined(symbols, np.int64 if any(s.dtype == np.int64 for s in symbols) else np.int8)
    if offsets[-1] >= 2**31:
        raise UsageError(f"the patterns have {offsets[-1]} symbols, too many for one table; set max_length")
    columns: dict[str, Any] = {}
    if labels is not None:
        columns["group"] = np.repeat(labels, n_each)
    columns["pattern"] = pa.ListArray.from_arrays(offsets.astype(np.int32), pa.array(values))
    columns["length"] = lengths.astype(np.int32)
    counts = np.concatenate([np.empty((4, 0), np.int64), *(part.counts for part in parts)], axis=1)
    names = ("support_sequences", "support_recordings", "occurrences", "occurrences_nonoverlapping")
    for name, column in zip(names, counts, strict=True):
        if question.has_counts or name == f"support_{question.support}":
            columns[name] = column
    if question.has_times:
        columns["duration_median_s"] = _joined([part.median_s for part in parts], np.float64)
    if question.significance:
        tested = np.concatenate([np.empty((3, 0)), *(part.tested for part in parts)], axis=1)
        for name, column in zip(("surprise_bits", "log10_p", "q_value"), tested, strict=True):
            columns[name] = pa.array(column, pa.float64(), mask=np.isnan(column))
    return pa.table(columns)


def _occurrence_table(parts: list[Part], members: list[NDArray[np.int64]], question: Question) -> pa.Table:
    first_row = np.cumsum([0] + [part.counts.shape[1] for part in parts])
    lists = [part.lists for part in parts]
    columns: dict[str, Any] = {
        "pattern": _joined(
            [pattern + row for (pattern, *_), row in zip(lists, first_row, strict=False)], np.int64
        ),
        "sequence": _joined([own[each[1]] for each, own in zip(lists, members, strict=True)], np.int64),
        "start": _joined([each[2] for each in lists], np.int32),
        "end": _joined([each[3] for each in lists], np.int32),
    }
    if question.has_times:
        for k, name in enumerate(("start_s", "end_s")):
            columns[name] = _joined(
                [part.times_s[k] for part in parts if part.times_s is not None], np.float64
            )
    return pa.table(columns)


def _joined(arrays: list[Any], dtype: type[np.generic]) -> NDArray[Any]:
    return np.concatenate([np.empty(0, dtype), *arrays]).astype(dtype)
