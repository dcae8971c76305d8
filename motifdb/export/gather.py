"""Read what an export is about: which recordings, which patterns, some recordings in memory at a time."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from motifdb.errors import NotFoundError, UsageError, nearest
from motifdb.export.names import stems
from motifdb.export.reading import Read, noted, strength
from motifdb.export.rows import Curve, Recording
from motifdb.query.meant import what_is_meant
from motifdb.query.scopes import label_values
from motifdb.query.stored_pitch import frames
from motifdb.query.views import STANDARD_LABELS

if TYPE_CHECKING:
    from motifdb.query.database import Database

Of = Literal["motifs", "families"]
READ_TOGETHER = 16
"""Recordings whose rows are read in one pass over a table."""

_KIND = {"motifs": "mining", "families": "families"}
_Row = dict[str, Any]


@dataclass(frozen=True)
class Wanted:
    """What to export.

    Attributes
    ----------
    recording, motif, family : what is meant by them, as on a command line; None is no restriction
    of : whether patterns are motifs or families; a family that is wanted decides it
    analysis : of mining or families, by name or the beginning of its id; None: the only one that a recording has
    strongest : at most so many patterns of each recording; None is all
    """

    recording: str | None = None
    motif: str | None = None
    family: str | None = None
    of: Of = "motifs"
    analysis: str | None = None
    strongest: int | None = None


@dataclass(frozen=True)
class _Chain:
    """The analyses that a recording's patterns stand on."""

    patterns: str | None
    contour: str | None
    pitch: str | None


class Source:
    """The recordings of an export; opening it finds out what is meant and refuses what is not clear.

    Raises
    ------
    NotFoundError
        for a recording, motif, family or analysis that is not there, or an empty database.
    UsageError
        where several analyses could be meant.
    """

    def __init__(self, database: Database, wanted: Wanted) -> None:
        if wanted.strongest is not None and wanted.strongest < 1:
            raise UsageError(f"--strongest must be at least 1, got {wanted.strongest}")
        if wanted.motif is not None and (wanted.family is not None or wanted.of == "families"):
            raise UsageError(
                "an export is of motifs or of families; leave out --motif, or --family and --of families"
            )
        self.database = database
        self.wanted = wanted
        self.of: Of = "families" if wanted.family is not None else wanted.of
        self._snapshot = database.snapshot
        self._only = self._pattern()
        self.recording_ids = self._recordings()

    @property
    def is_whole(self) -> bool:
        """Whether it is of the whole database."""
        return self.wanted.recording is None and self._only is None

    @property
    def pattern(self) -> tuple[str, str] | None:
        """The key's name and the id of the one motif or family that is wanted."""
        return None if self._only is None else (self._key, self._only[self._key])

    def require_clear(self) -> None:
        """Refuse where a recording has patterns of several analyses that could be meant.

        Raises
        ------
        UsageError
            naming them.
        """
        for id_ in self.recording_ids:
            self._chains.get(id_)

    @cached_property
    def _chains(self) -> dict[str, _Chain]:
        return {id_: self._chain(id_) for id_ in self.recording_ids}

    @cached_property
    def names(self) -> dict[str, str]:
        """By recording, in order, the stem of its files."""
        return stems({id_: self._paths[id_][0] for id_ in self.recording_ids})

    def recordings(self, *, with_pitch: bool = True, with_notes: bool = True) -> Iterator[Recording]:
        """Each recording in turn, by path; `with_pitch` and `with_notes` say what is read for it."""
        for begin in range(0, len(self.recording_ids), READ_TOGETHER):
            ids = self.recording_ids[begin : begin + READ_TOGETHER]
            read = Read(self, ids, with_notes)
            for id_ in ids:
                yield self._recording(id_, self.names[id_], read, with_pitch)

    def curve(self, recording_id: str) -> Curve | None:
        """The pitch that a recording's patterns stand on; None where there is none."""
        pitch_id = self._chains[recording_id].pitch
        where = f"recording_id = '{recording_id}' and analysis_id = '{pitch_id}'"
        rows = self._snapshot.table("pitch", None, where).sort_by("block") if pitch_id else None
        if rows is None or not rows.num_rows:
            return None
        f0_hz, confidence = frames(rows, "f0_hz"), frames(rows, "confidence")
        blocks = rows.select(["start_s", "hop_s"]).to_pylist()
        sizes = pc.list_value_length(rows.column("f0_hz")).to_pylist()
        times = [b["start_s"] + np.arange(n) * b["hop_s"] for b, n in zip(blocks, sizes, strict=True)]
        return Curve(
            self._analyses[pitch_id]["name"] if pitch_id else "",
            float(blocks[0]["hop_s"]),
            np.concatenate(times).astype(np.float64),
            f0_hz,
            confidence if len(confidence) == len(f0_hz) else np.zeros(0, np.float32),
        )

    # -- what is meant -----------------------------------------------------------------------------------

    @cached_property
    def _analyses(self) -> dict[str, _Row]:
        return {r["analysis_id"]: r for r in self._snapshot.table("analyses").to_pylist()}

    @cached_property
    def _covered(self) -> dict[str, set[str]]:
        """By analysis the keys that it has done."""
        found: dict[str, set[str]] = {}
        rows = self._snapshot.table("coverage", ["analysis_id", "scope_key"], "state <> 'failed'")
        for analysis, key in zip(*(column.to_pylist() for column in rows.columns), strict=True):
            found.setdefault(analysis, set()).add(key)
        return found

    @cached_property
    def _files(self) -> list[_Row]:
        columns = ["corpus_id", "path", "recording_id", "state", *STANDARD_LABELS, "labels"]
        rows: list[_Row] = self._snapshot.table("files", columns, "state = 'input'").to_pylist()
        return rows

    @cached_property
    def _paths(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for row in self._files:
            found.setdefault(row["recording_id"], []).append(row["path"])
        ids = self._snapshot.table("recordings", ["recording_id"]).column(0).to_pylist()
        return {id_: sorted(found.get(id_, [id_])) for id_ in ids}

    @cached_property
    def _corpus(self) -> dict[str, str]:
        names = {r["corpus_id"]: r["name"] for r in self._snapshot.table("corpora").to_pylist()}
        return {row["recording_id"]: names.get(row["corpus_id"], "") for row in reversed(self._files)}

    @cached_property
    def _labels(self) -> dict[str, dict[str, set[str]]]:
        return label_values(self._files)

    @cached_property
    def _recording_id(self) -> str | None:
        """The one recording that is wanted."""
        text = self.wanted.recording
        return None if text is None else what_is_meant(self.database, text, ("recording",)).id

    def _pattern(self) -> _Row | None:
        """The row of the one motif or family that is wanted."""
        wanted = self.wanted
        text, kind = (wanted.motif, "motif") if wanted.motif is not None else (wanted.family, "family")
        if text is None:
            return None
        row = what_is_meant(self.database, text, (kind,)).row
        fitting = [row]
        if kind == "motif" and row["contour"] == " ".join(text.split()):  # several may have it
            fitting = self._snapshot.table("motifs", None, f"contour = '{row['contour']}'").to_pylist()
            fitting.sort(key=lambda r: (strength(r["log10_p"]), r["motif_id"]))
        if wanted.analysis is not None:
            named = {r["analysis_id"] for r in self._named}
            fitting = [r for r in fitting if r["analysis_id"] in named]
            if not fitting:
                raise NotFoundError(f"{text!r} is no {kind} of {wanted.analysis!r}; leave out --analysis")
        if self._recording_id is not None and len(fitting) > 1:
            where = f"recording_id = '{self._recording_id}'"
            here = set(self._snapshot.table(self._places, [self._key], where).column(0).to_pylist())
            return next((r for r in fitting if r[self._key] in here), fitting[0])
        return fitting[0]

    @property
    def _key(self) -> str:
        return "motif_id" if self.of == "motifs" else "family_id"

    @property
    def _places(self) -> str:
        return "occurrences" if self.of == "motifs" else "family_members"

    def _recordings(self) -> list[str]:
        chosen: set[str] | None = None if self._recording_id is None else {self._recording_id}
        if self._only is not None:
            where = f"{self._key} = '{self._only[self._key]}'"
            sounding = set(self._snapshot.table(self._places, ["recording_id"], where).column(0).to_pylist())
            if chosen is not None and not chosen & sounding:
                raise NotFoundError(
                    f"the pattern does not sound in {self.wanted.recording}; leave out --recording"
                )
            chosen = sounding if chosen is None else chosen & sounding
        ids = self._paths if chosen is None else chosen
        if not ids:
            raise NotFoundError(
                f"{self.database.path} has no recordings yet; `motifdb ingest FOLDER` adds some"
            )
        return sorted(ids, key=lambda id_: (self._paths[id_][0], id_))

    @cached_property
    def _chosen(self) -> list[_Row]:
        """Analyses of patterns that may be meant."""
        if self._only is not None:
            return [self._analyses[self._only["analysis_id"]]]
        return self._named

    @cached_property
    def _named(self) -> list[_Row]:
        """Analyses that --analysis fits; of those renewed under one name the newest over each parent."""
        kind = _KIND[self.of]
        rows = [r for r in self._analyses.values() if r["kind"] == kind]
        rows.sort(key=lambda r: (r["created_at"], r["analysis_id"]))
        text = self.wanted.analysis
        named = [r for r in rows if text is None or r["name"] == text]
        found = list({(r["name"], r["parent_id"]): r for r in named}.values())
        if not found and text is not None:
            found = [r for r in rows if text and r["analysis_id"].startswith(text.lower())]
        if not found and text is not None:
            hint = nearest(text, {r["name"] for r in rows}) if rows else f"there are no {self.of} yet"
            raise NotFoundError(f"there is no {kind} analysis {text!r}; {hint}")
        if not rows and self.of == "families":
            raise NotFoundError("there are no families here; `motifdb families` finds some")
        return found

    def _ancestor(self, analysis_id: str | None, kind: str) -> str | None:
        while analysis_id is not None and analysis_id in self._analyses:
            row = self._analyses[analysis_id]
            if row["kind"] == kind:
                return analysis_id
            analysis_id = row["parent_id"]
        return None

    def _chain(self, recording_id: str) -> _Chain:
        fitting = []
        for row in self._chosen:
            contour = self._ancestor(row["analysis_id"], "contour")
            pitch = self._ancestor(row["analysis_id"], "pitch")
            if recording_id in self._covered.get(contour or pitch or "", ()):
                fitting.append(
                    _Chain(row["analysis_id"], contour or self._newest("contour", recording_id, pitch), pitch)
                )
        if len(fitting) > 1:
            ids = [chain.patterns or "" for chain in fitting]
            listed = ", ".join(f"{self._analyses[id_]['name']} ({id_[:8]})" for id_ in ids)
            raise UsageError(
                f"{self._paths[recording_id][0]} has {self.of} of several analyses: {listed}; name one with --analysis"
            )
        if fitting:
            return fitting[0]
        contour = self._newest("contour", recording_id)
        return _Chain(None, contour, self._ancestor(contour, "pitch") or self._newest("pitch", recording_id))

    def _newest(self, kind: str, recording_id: str, pitch: str | None = None) -> str | None:
        """The newest analysis of a kind that a recording has; pitch that a manifest names only where there is no other."""
        rows = [
            r
            for id_, r in self._analyses.items()
            if r["kind"] == kind
            and recording_id in self._covered.get(id_, ())
            and (pitch is None or self._ancestor(id_, "pitch") == pitch)
        ]
        best = max(
            rows, key=lambda r: (r["name"] != "reference", r["created_at"], r["analysis_id"]), default=None
        )
        return None if best is None else str(best["analysis_id"])

    # -- one recording -----------------------------------------------------------------------------------

    def _recording(self, id_: str, stem: str, read: Read, with_pitch: bool) -> Recording:
        chain, row = self._chains[id_], read.recordings[id_]
        curve = self.curve(id_) if with_pitch else None
        phrases = read.phrases.get((id_, chain.contour), [])
        patterns = (
            read.motifs(id_, chain.patterns) if self.of == "motifs" else read.families(id_, chain.patterns)
        )
        if self.of == "families" and read.with_notes:
            patterns = noted(patterns, phrases, curve or self.curve(id_))
        labels = {
            name: tuple(sorted(by_recording[id_]))
            for name, by_recording in self._labels.items()
            if id_ in by_recording
        }
        source = ", ".join(
            f"{self._analyses[a]['kind']} {self._analyses[a]['name']} ({a[:8]})"
            for a in (chain.pitch, chain.contour, chain.patterns)
            if a is not None
        )
        return Recording(
            id_,
            stem,
            tuple(self._paths[id_]),
            row["kind"],
            row["duration_s"],
            row["sample_rate_hz"],
            labels,
            self._corpus.get(id_, ""),
            source,
            curve,
            phrases,
            patterns[: self.wanted.strongest],
        )

    def rows_of(self, table: str, ids: Sequence[str]) -> list[_Row]:
        """Rows of a table about some recordings."""
        rows: list[_Row] = self._about(table, ids).to_pylist()
        return rows

    def places_of(self, ids: Sequence[str]) -> Iterator[tuple[Any, ...]]:
        """Rows of `occurrences` or `family_members` in some recordings, as their columns are ordered."""
        table = self._about(self._places, ids)
        return zip(*(column.to_pylist() for column in table.columns), strict=True)

    def _about(self, table: str, ids: Sequence[str]) -> pa.Table:
        where = "recording_id in (" + ", ".join(f"'{id_}'" for id_ in ids) + ")"
        if self._only is not None and table == self._places:
            where += f" and {self._key} = '{self._only[self._key]}'"
        return self._snapshot.table(table, None, where)

    def pattern_rows(self, ids: Sequence[str]) -> dict[str, _Row]:
        """Rows of `motifs` or `families` that could sound in these recordings, by id."""
        if self._only is not None:
            return {self._only[self._key]: self._only}
        found: dict[str, _Row] = {}
        for row in self._chosen:
            is_wide = json.loads(row["parameters"]).get("scope", "recording") != "recording"
            if is_wide:
                rows = self._wide(row["analysis_id"])
            else:
                keys = ", ".join(f"'{id_}'" for id_ in ids)
                where = f"analysis_id = '{row['analysis_id']}' and scope_key in ({keys})"
                rows = self._snapshot.table(self.of, None, where).to_pylist()
            found |= {r[self._key]: r for r in rows}
        return found

    def _wide(self, analysis_id: str) -> list[_Row]:
        """Patterns of an analysis over several recordings, read once."""
        if analysis_id not in self._kept:
            where = f"analysis_id = '{analysis_id}'"
            self._kept[analysis_id] = self._snapshot.table(self.of, None, where).to_pylist()
        return self._kept[analysis_id]

    @cached_property
    def _kept(self) -> dict[str, list[_Row]]:
        return {}
