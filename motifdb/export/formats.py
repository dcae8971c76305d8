"""The formats that an export can have, by name: what each reads of a recording, and how it is written."""

from __future__ import annotations

import importlib
from dataclasses import dataclass

from motifdb.errors import UsageError, nearest
from motifdb.export.rows import Recording


@dataclass(frozen=True)
class Format:
    """A format.

    Attributes
    ----------
    suffixes : endings of the files that one recording makes; none where the whole database is one thing
    has_pitch, has_notes : whether f0 is read for it, and contour segments
    module : of `motifdb.export`, with a function ``render(recording, is_rounded, notes) -> {suffix: bytes}``
    meaning : one line for people
    """

    name: str
    suffixes: tuple[str, ...]
    has_pitch: bool
    has_notes: bool
    module: str
    meaning: str

    def render(self, recording: Recording, is_rounded: bool, notes: list[str]) -> dict[str, bytes]:
        """The files of a recording, by suffix; `notes` takes sentences about what could not be told."""
        made: dict[str, bytes] = importlib.import_module(f"motifdb.export.{self.module}").render(
            recording, is_rounded, notes
        )
        return made


_SVL = (".f0.svl", ".notes.svl", ".motifs.svl")
FORMATS: dict[str, Format] = {
    f.name: f
    for f in (
        Format("csv", (".csv",), False, False, "csv_table", "one table of all places"),
        Format("jams", (".jams",), True, True, "jams", "f0, notes, phrases, patterns, labels"),
        Format("svl", _SVL, True, True, "svl", "layers for Sonic Visualiser"),
        Format("textgrid", (".TextGrid",), False, True, "textgrid", "tiers for Praat"),
        Format("audacity", (".labels.txt",), False, False, "audacity", "labels for Audacity"),
        Format("midi", (".mid",), False, True, "midi", "a track of notes for each pattern"),
        Format("mir-eval", (".patterns.txt",), False, True, "mirex", "what mir_eval.pattern scores"),
        Format("parquet", (), False, False, "tables", "every table as a file"),
        Format("croissant", (), False, False, "croissant", "those files, described as a data set"),
    )
}


def format_named(name: str) -> Format:
    """The format of a name.

    Raises
    ------
    UsageError
        for another name, with the nearest.
    """
    if name not in FORMATS:
        raise UsageError(f"there is no export format {name!r}; {nearest(name, FORMATS)}")
    return FORMATS[name]
