"""How a view is declared: like a table, so that `describe`, comments and docs are made from it."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from motifdb.schemas import Column

STANDARD_LABELS = ("singer", "style", "title", "work", "artist")
"""Labels that are columns of `files`; every other one is in the map `labels`."""

INPUT = "state = 'input' and recording_id is not null"
"""What makes a row of `files` an input that could be read."""

LABEL = Column(
    "label",
    pa.string(),
    "-",
    "name of the label: singer, style, title, work, artist or a key of files.labels",
)
VALUE = Column("value", pa.string(), "-", "its value")
CORPUS = Column("corpus", pa.string(), "-", "name of the corpus")


@dataclass(frozen=True)
class ViewSpec:
    """One view: what a row is, its columns with unit and meaning, the tables and views it reads, its SQL."""

    name: str
    row: str
    columns: tuple[Column, ...]
    needs: tuple[str, ...]
    sql: str

    @property
    def names(self) -> tuple[str, ...]:
        """Column names in order."""
        return tuple(c.name for c in self.columns)

    def column(self, name: str) -> Column:
        """The column called `name`; KeyError where there is none."""
        for c in self.columns:
            if c.name == name:
                return c
        raise KeyError(f"{self.name} has no column {name!r}")


def nullable(column: Column) -> Column:
    """The same column where a view may leave it empty."""
    return Column(column.name, column.type, column.unit, column.meaning, nullable=True)
