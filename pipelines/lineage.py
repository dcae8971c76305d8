"""Which stored mining analysis is meant, and what it stands on: its contours, their pitch, every parameter."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from motifdb.config import ContourConfig, MiningConfig, part_from_parameters
from motifdb.errors import NotFoundError, UsageError, nearest

if TYPE_CHECKING:
    from motifdb.catalog.store import Snapshot


@dataclass(frozen=True)
class Lineage:
    """A per-recording mining analysis with its ancestors: rows of `analyses`, and their parameters read."""

    mining_row: dict[str, Any]
    contour_row: dict[str, Any]
    pitch_row: dict[str, Any]
    contour: ContourConfig
    mining: MiningConfig

    @property
    def mining_id(self) -> str:
        return str(self.mining_row["analysis_id"])

    @property
    def contour_id(self) -> str:
        return str(self.contour_row["analysis_id"])

    @property
    def pitch_id(self) -> str:
        return str(self.pitch_row["analysis_id"])

    @property
    def title(self) -> str:
        """Name and short id, as people tell it from others."""
        return f"{self.mining_row['name']} ({self.mining_id[:8]})"


def find_mining(snapshot: Snapshot, text: str | None) -> Lineage:
    """The per-recording mining analysis that a name or the beginning of an id means; None: the only one there is.

    Raises
    ------
    NotFoundError
        where there is none.
    UsageError
        where several are meant.
    """
    rows = {row["analysis_id"]: row for row in snapshot.table("analyses").to_pylist()}
    mining = [row for row in rows.values() if row["kind"] == "mining" and is_per_recording(row)]
    if not mining:
        raise NotFoundError(
            f"{snapshot.path} holds no motifs of single recordings; run `motifdb ingest` or `motifdb mine` first"
        )
    meant = [row for row in mining if text is None or text == row["name"]]
    if not meant and text is not None:
        meant = [row for row in mining if row["analysis_id"].startswith(text.lower())]
    if not meant:
        names = sorted({str(row["name"]) for row in mining})
        raise NotFoundError(f"there is no mining analysis {text!r}; {nearest(str(text), names)}")
    if len(meant) > 1:
        listed = ", ".join(sorted(f"{row['name']} ({row['analysis_id'][:8]})" for row in meant))
        raise UsageError(
            f"several mining analyses are meant: {listed}; name one by its name or the beginning of its id with --analysis"
        )
    contour = rows[meant[0]["parent_id"]]
    return Lineage(
        meant[0],
        contour,
        rows[contour["parent_id"]],
        part_from_parameters(ContourConfig, json.loads(contour["parameters"])),
        part_from_parameters(MiningConfig, json.loads(meant[0]["parameters"])),
    )


def is_per_recording(row: dict[str, Any]) -> bool:
    """Whether a mining analysis took each recording on its own."""
    return bool(json.loads(row["parameters"]).get("scope", "recording") == "recording")
