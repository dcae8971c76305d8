"""Readers of the mining reference: databases in SPMF's text form and agreed sets of closed patterns."""

from __future__ import annotations

import gzip

import numpy as np
from numpy.typing import NDArray

from motifdb.mining.mined import Mined
from tests.corpora import reference_root

Database = tuple[NDArray[np.int8], NDArray[np.int64], NDArray[np.int64] | None]


def database(name: str) -> Database:
    """Symbols, offsets and the recording of each sequence (None where the database has no recordings)."""
    folder = reference_root() / "mining" / "db"
    with gzip.open(folder / f"{name}.txt.gz", "rt") as lines:
        sequences = [[int(x) for x in line.replace("-1", "").replace("-2", "").split()] for line in lines]
    songs = folder / f"{name}.songs.txt.gz"
    groups = None
    if songs.exists():
        with gzip.open(songs, "rt") as lines:
            groups = np.array([int(line) for line in lines], np.int64)
    return *flat(sequences), groups


def flat(sequences: list[list[int]]) -> tuple[NDArray[np.int8], NDArray[np.int64]]:
    """Symbols and offsets of sequences that are given as lists."""
    offsets = np.cumsum([0] + [len(s) for s in sequences])
    return np.array([x for s in sequences for x in s], np.int8), offsets.astype(np.int64)


def agreed(name: str) -> str:
    """Text of an agreed set."""
    with gzip.open(reference_root() / "mining" / "expected" / f"{name}.txt.gz", "rt") as lines:
        return lines.read()


def as_text(found: Mined, *, with_occurrences: bool) -> str:
    """What was mined in the form of the agreed sets."""
    symbols, offsets = found.patterns.tolist(), found.pattern_offsets.tolist()
    lines = []
    for k in range(len(found)):
        line = (
            " ".join(map(str, symbols[offsets[k] : offsets[k + 1]])) + f" #SUP: {found.support_sequences[k]}"
        )
        lines.append(line + (f" #OCC: {found.occurrences[k]}\n" if with_occurrences else "\n"))
    return "".join(lines)
