"""What a table is: columns, types, units, meanings, version. Imports only pyarrow."""

from motifdb.schemas.spec import Column, TableSpec
from motifdb.schemas.tables import (
    ANALYSES,
    CONTOURS,
    CORPORA,
    COVERAGE,
    FAILURES,
    FILES,
    FORMAT_VERSION,
    MOTIFS,
    OCCURRENCES,
    PATTERN_COUNTS,
    PITCH,
    PITCH_AGREEMENT,
    RECORDINGS,
    TABLES,
)

__all__ = [
    "ANALYSES",
    "CONTOURS",
    "CORPORA",
    "COVERAGE",
    "FAILURES",
    "FILES",
    "FORMAT_VERSION",
    "MOTIFS",
    "OCCURRENCES",
    "PATTERN_COUNTS",
    "PITCH",
    "PITCH_AGREEMENT",
    "RECORDINGS",
    "TABLES",
    "Column",
    "TableSpec",
]
