"""A small database that a real ingest makes: three singers, two styles, four works, figures of their own and shared ones.

Twelve f0 tracks. Every phrase opens with one of two figures, goes on with figures that all share, its singer favours or
its style has; singer c sings slower; one track is held by two files that disagree about the singer. Mined twice: at gap 0, and the
contours of length 4 and 5 at gap 1.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from motifdb.catalog.store import open_snapshot
from motifdb.config import MiningConfig
from tests.pipelines.small import FINE, run, write_f0

SINGERS, STYLES = "abc", ("fast", "slow")
N_TRACKS = 12
_OPENINGS = ((0, 1, 2, 1), (3, 2, 0, 3))
_SHARED = ((2, 0, 1, 3, 2), (4, 2, 1, 0))
_OF_SINGER = {"a": (0, 4, 0, 2), "b": (3, 1, 4, 1), "c": (1, 0, 4, 3)}
_OF_STYLE = {"fast": (2, 4, 3, 4), "slow": (0, 2, -1, 0)}
_FRAMES_OF_NOTE = {"a": 12, "b": 12, "c": 17}


def make_songbook(folder: Path) -> Path:
    """The database, made in an empty folder."""
    lines = ["path,singer,style,work"]
    for i in range(N_TRACKS):
        singer, style = SINGERS[i % 3], STYLES[i % 2]
        f0_hz = _sing(np.random.default_rng(i), singer, style, 150.0 if singer == "b" else 220.0)
        names = [f"{singer}/{i:02d}.csv"] + ([f"copy/{i:02d}.csv"] if i == N_TRACKS - 1 else [])
        for name in names:
            write_f0(folder / "songs" / name, f0_hz)
            said = "b" if name.startswith("copy") else singer
            lines.append(f"{name},singer {said},{style},work {i % 4}")
    (folder / "songs" / "manifest.csv").write_text("\n".join(lines) + "\n")
    db = folder / "songs.motifdb"
    run(db, folder / "songs", metadata=folder / "songs" / "manifest.csv")
    gapped = MiningConfig(max_gap=1, support="sequences", min_length=4, max_length=5)
    run(db, folder / "songs", metadata=folder / "songs" / "manifest.csv", config=replace(FINE, mining=gapped))
    return db


def _sing(rng: np.random.Generator, singer: str, style: str, tonic_hz: float) -> np.ndarray[Any, Any]:
    figures = [*_SHARED, _OF_SINGER[singer], _OF_STYLE[style]]
    parts = []
    for _ in range(8):
        chosen = [_OPENINGS[rng.integers(2)], *(figures[k] for k in rng.integers(len(figures), size=3))]
        steps = np.repeat(np.concatenate(chosen) * 200.0, _FRAMES_OF_NOTE[singer])
        parts += [tonic_hz * 2 ** (steps / 1200), np.zeros(40)]
    return np.concatenate(parts)


@dataclass
class Facts:
    """Every row of a database as plain dicts, and what the plainest code makes of its labels."""

    tables: dict[str, list[dict[str, Any]]]

    @classmethod
    def of(cls, db: Path) -> Facts:
        """Read the tables that the questions stand on, past SQL."""
        snapshot = open_snapshot(db)
        names = (
            "analyses", "coverage", "files", "recordings", "contours", "motifs", "occurrences", "pattern_counts"
        )  # fmt: skip
        return cls({name: snapshot.table(name).to_pylist() for name in names})

    def __getitem__(self, table: str) -> list[dict[str, Any]]:
        return self.tables[table]

    def agreed(self, label: str) -> dict[str, str]:
        """Value by recording, of the recordings whose files agree about the label."""
        said: dict[str, set[str]] = defaultdict(set)
        for file in self["files"]:
            if file["state"] == "input" and file[label] is not None:
                said[file["recording_id"]].add(file[label])
        return {recording: next(iter(values)) for recording, values in said.items() if len(values) == 1}

    def path(self) -> dict[str, str]:
        """The first path of every recording."""
        paths: dict[str, str] = {}
        for file in sorted(self["files"], key=lambda f: str(f["path"])):
            if file["recording_id"] is not None:
                paths.setdefault(file["recording_id"], file["path"])
        return paths

    def counts(self) -> dict[tuple[str, str], dict[str, int]]:
        """Occurrences by recording, of every (analysis, contour)."""
        contour = {(m["analysis_id"], m["pattern_id"]): m["contour"] for m in self["motifs"]}
        found: dict[tuple[str, str], dict[str, int]] = defaultdict(dict)
        for row in self["pattern_counts"]:
            if row["occurrences"]:
                key = (row["analysis_id"], contour[row["analysis_id"], row["pattern_id"]])
                found[key][row["recording_id"]] = row["occurrences"]
        return found

    def n_mined(self, analysis: str) -> int:
        """How many recordings have contours that a mining analysis could mine."""
        parent = next(a["parent_id"] for a in self["analyses"] if a["analysis_id"] == analysis)
        return sum((c["analysis_id"], c["state"]) == (parent, "done") for c in self["coverage"])
