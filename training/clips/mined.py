"""Which stored mining analysis is meant, of any scope."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from motifdb.errors import NotFoundError, UsageError, nearest

if TYPE_CHECKING:
    from motifdb.catalog.store import Snapshot


def find_mined(snapshot: Snapshot, text: str | None) -> dict[str, Any]:
    """The mining analysis, of any scope, or dictionary, that a name or the beginning of an id means; None: the only one.

    Raises
    ------
    NotFoundError, UsageError
        where there is none, or several are meant.
    """
    rows = snapshot.table("analyses").to_pylist()
    mined = [row for row in rows if row["kind"] == "mining"]
    if not mined:
        if any(row["kind"] == "contour" for row in rows):
            raise NotFoundError(
                "there are no motifs here yet; `motifdb mine` finds them in the stored contours"
            )
        raise NotFoundError(
            "there are no motifs here yet; `motifdb ingest PATH` finds them (without --until), and `motifdb clips --kind"
            " window` needs none"
        )
    meant = [row for row in mined if text is None or text == row["name"]]
    if not meant and text:
        meant = [row for row in mined if row["analysis_id"].startswith(text.lower())]
    if not meant:
        names = sorted({str(row["name"]) for row in mined})
        raise NotFoundError(f"there is no mining analysis {text!r}; {nearest(str(text), names)}")
    if len(meant) > 1:
        listed = ", ".join(sorted(f"{row['name']} ({row['analysis_id'][:8]})" for row in meant))
        raise UsageError(f"several mining analyses are meant: {listed}; name one with --analysis")
    return dict(meant[0])


def is_per_recording(row: dict[str, Any]) -> bool:
    values = json.loads(row["parameters"])
    return bool(values.get("scope", "recording") == "recording")
