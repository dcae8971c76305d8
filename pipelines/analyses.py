"""Which analyses a job applies, named by what they are: hashes of stage, parameters and parent."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any

import pyarrow as pa

import motifdb
from motifdb.config import Config, ContourConfig, MiningConfig, parameters, part_from_parameters
from motifdb.errors import UsageError
from motifdb.ids import analysis_id, canonical_json
from motifdb.pipelines.stages import CONTOUR_VERSION, MINING_VERSION
from motifdb.pipelines.work import STAGES, Chain
from motifdb.schemas import ANALYSES

F0_READER_VERSION = 1
COUNTS_VERSION = 1


@dataclass(frozen=True)
class Analysis:
    """A row of `analyses` before it is one."""

    name: str
    kind: str
    parent_id: str | None
    parameters: dict[str, Any]
    version: int
    inputs_hash: str | None = None
    n_inputs: int | None = None

    @property
    def id(self) -> str:
        return analysis_id(self.kind, self.version, self.parameters, self.parent_id)

    def row(self) -> dict[str, object]:
        """As a row, stamped with this moment and this code."""
        return {
            "analysis_id": self.id,
            "name": self.name,
            "kind": self.kind,
            "parent_id": self.parent_id,
            "parameters": canonical_json(self.parameters),
            "stage_version": self.version,
            "inputs_hash": self.inputs_hash,
            "n_inputs": self.n_inputs,
            "code_version": motifdb.__version__,
            "created_at": datetime.now(UTC).replace(tzinfo=None),
        }


def audio_pitch(config: Config) -> Analysis:
    """The tracker with every parameter it resolves to."""
    from motifdb.pipelines.trackers.registry import tracker_class

    tracker = tracker_class(config.pitch.tracker).from_mapping(config.pitch.parameters)
    values = {
        "tracker": tracker.name,
        "channel": config.pitch.channel,
        "parameters": tracker.resolved_parameters(),
    }
    return Analysis(tracker.name, "pitch", None, values, tracker.version)


def f0_pitch(kind: str, hop: Fraction | float | None) -> Analysis:
    """The reader of f0 tracks: those with a time grid of their own, or those whose hop was said."""
    values: dict[str, Any] = {"reader": kind}
    if kind == "f0-text":
        values["hop_s"] = str(hop)
    return Analysis(kind, "pitch", None, values, F0_READER_VERSION)


def fingerprint_analysis(channel: str) -> Analysis:
    """Fingerprints of what is heard on a channel."""
    from motifdb.kernels import fingerprint

    values = {"channel": channel, "sample_rate_hz": fingerprint.SAMPLE_RATE_HZ}
    return Analysis("fingerprint", "fingerprint", None, values, fingerprint.VERSION)


FILE_CLIPS = Analysis("files", "clips", None, {"kind": "file"}, 1)
"""Ready-cut clips: every file is one."""

REFERENCE = Analysis("reference", "pitch", None, {"reader": "reference"}, F0_READER_VERSION)
"""Reference pitch that a manifest names beside an audio file."""


@dataclass(frozen=True)
class Plan:
    """The analyses of one kind of input, as far as `until`; a contour analysis may wait for its corpus fit."""

    pitch: Analysis
    contour: Analysis | None
    mining: Analysis | None
    config: Config
    until: str

    @property
    def waits_for_fit(self) -> bool:
        """Whether contours were asked for and their clusters are still to be fitted to the stored pitch."""
        return self.contour is None and STAGES.index(self.until) >= STAGES.index("contours")

    @property
    def chain(self) -> Chain:
        """The ids, for the work."""
        return Chain(
            self.pitch.id,
            self.contour.id if self.contour else None,
            self.mining.id if self.mining else None,
            self.config,
        )

    def analyses(self) -> list[Analysis]:
        """Those that apply, parents first."""
        return [a for a in (self.pitch, self.contour, self.mining) if a is not None]

    def fitted(self, centres_cents: Iterable[float], inputs_hash: str, n_inputs: int) -> Plan:
        """The plan with the clusters of a corpus in it, and the list they were fitted to frozen."""
        contour = replace(self.config.contour, centres_cents=tuple(centres_cents))
        config = replace(self.config, contour=contour)
        return make_plan(self.pitch, config, self.until, inputs_hash, n_inputs)


def make_plan(
    pitch: Analysis, config: Config, until: str, inputs_hash: str | None = None, n_inputs: int | None = None
) -> Plan:
    """The analyses after a pitch analysis, as far as `until`."""
    depth = STAGES.index(until)
    contour = mining = None
    if depth >= STAGES.index("contours") and not needs_fit(config.contour):
        contour = Analysis(
            config.name,
            "contour",
            pitch.id,
            parameters(config.contour),
            CONTOUR_VERSION,
            inputs_hash,
            n_inputs,
        )
        if depth >= STAGES.index("motifs"):
            mining = mining_analysis(config.name, contour.id, config.mining)
    return Plan(pitch, contour, mining, config, until)


def mining_analysis(
    name: str,
    contour_id: str,
    config: MiningConfig,
    inputs_hash: str | None = None,
    n_inputs: int | None = None,
) -> Analysis:
    """Mining of the phrases of a contour analysis; over several recordings its input list is part of what it is."""
    values = parameters(config)
    if inputs_hash is not None:
        values["inputs_hash"] = inputs_hash
    return Analysis(name, "mining", contour_id, values, MINING_VERSION, inputs_hash, n_inputs)


@dataclass(frozen=True)
class StoredContours:
    """An analysis of contours that some recording has."""

    id: str
    name: str
    parent_id: str
    config: ContourConfig


def stored_contours(analyses: pa.Table, covered: Mapping[str, Mapping[str, str]]) -> list[StoredContours]:
    """Those analyses of contours that have been applied to any recording, by name."""
    return [
        StoredContours(
            row["analysis_id"],
            row["name"],
            row["parent_id"],
            part_from_parameters(ContourConfig, json.loads(row["parameters"])),
        )
        for row in sorted(analyses.to_pylist(), key=lambda r: (r["name"], r["analysis_id"]))
        if row["kind"] == "contour" and covered.get(row["analysis_id"])
    ]


def latest_mining(
    analyses: Iterable[dict[str, Any]], contour_id: str, config: MiningConfig
) -> Analysis | None:
    """The newest mining of these contours with these parameters, whatever inputs it froze."""
    found = [
        row
        for row in analyses
        if row["kind"] == "mining" and row["parent_id"] == contour_id and _asks_for(row, config)
    ]
    if not found:
        return None
    row = max(found, key=lambda r: (r["created_at"], r["analysis_id"]))
    return mining_analysis(row["name"], contour_id, config, row["inputs_hash"], row["n_inputs"])


def _asks_for(row: Mapping[str, Any], config: MiningConfig) -> bool:
    values = json.loads(row["parameters"])
    values.pop("inputs_hash", None)
    return row["stage_version"] == MINING_VERSION and bool(
        values == json.loads(canonical_json(parameters(config)))
    )


def require_free_name(
    analyses: list[dict[str, Any]], name: str, contours: StoredContours, config: MiningConfig
) -> None:
    """Refuse a name that already stands for something else.

    Mining the same contours of other files (audio beside f0 tracks), or other inputs, is not something else.

    Raises
    ------
    UsageError
    """
    kinds = {row["analysis_id"]: row["parameters"] for row in analyses}
    for row in analyses:
        if row["kind"] != "mining" or row["name"] != name:
            continue
        if not _asks_for(row, config) or kinds.get(row["parent_id"]) != kinds[contours.id]:
            raise UsageError(
                f"the name {name!r} is taken by analysis {row['analysis_id'][:8]}, which has other parameters or is older; choose"
                " another one with --name"
            )


def counts_analysis(mining_id: str) -> Analysis:
    """The analysis that counts a mining analysis's kept patterns in every recording."""
    return Analysis("counts", "counts", mining_id, {}, COUNTS_VERSION)


def needs_fit(contour: ContourConfig) -> bool:
    """Whether the quantiser's clusters are the corpus's and not fitted yet."""
    return (
        contour.quantiser == "kmeans" and contour.kmeans_scope == "corpus" and contour.centres_cents is None
    )


def latest_fit(
    analyses: pa.Table, pitch: Analysis, contour: ContourConfig
) -> tuple[ContourConfig, str, int] | None:
    """The newest contour analysis that differs from `contour` in its fitted centres alone, with its input list."""
    newest: tuple[datetime, ContourConfig, str, int] | None = None
    for row in analyses.to_pylist():
        if row["kind"] != "contour" or row["parent_id"] != pitch.id or row["inputs_hash"] is None:
            continue
        found = part_from_parameters(ContourConfig, json.loads(row["parameters"]))
        if replace(found, centres_cents=None) == contour and (
            newest is None or row["created_at"] > newest[0]
        ):
            newest = row["created_at"], found, row["inputs_hash"], row["n_inputs"]
    return newest[1:] if newest else None


def analysis_rows(analyses: Iterable[Analysis]) -> pa.Table:
    """As a table."""
    return ANALYSES.table([a.row() for a in analyses])
