"""Small corpora that tests make themselves, and short ways to ingest them."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from motifdb.catalog.store import create, open_snapshot, open_writer
from motifdb.config import Config, ContourConfig, MiningConfig, PitchConfig
from motifdb.pipelines.ingest import Options, Report, ingest
from motifdb.pipelines.progress import Quiet
from motifdb.query.check import check
from motifdb.query.fingerprint import fingerprint

FINE = Config(
    name="fine",
    pitch=PitchConfig(tracker="yin"),
    contour=ContourConfig(min_piece_s=0.0),
    mining=MiningConfig(min_support=3, min_length=3),
)
"""Short notes count: what these corpora hold."""

HOP_S = 0.01


def melody(seed: int, n_notes: int = 60) -> np.ndarray[Any, np.dtype[np.float64]]:
    """f0 on a 10 ms grid: a few figures that come back, rests between them."""
    rng = np.random.default_rng(seed)
    figures = [rng.integers(-4, 5, 5) for _ in range(3)]
    parts = []
    for _ in range(n_notes // 5):
        figure = figures[rng.integers(3)]
        steps = np.repeat(figure * 200.0, 12)
        parts += [220.0 * 2 ** (steps / 1200), np.zeros(int(rng.integers(0, 2)) * 40)]
    return np.concatenate(parts)


def write_f0(path: Path, f0_hz: np.ndarray[Any, np.dtype[np.float64]]) -> None:
    """As csv with times."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [f"{i * HOP_S:.2f},{hz:.3f}" for i, hz in enumerate(f0_hz)]
    path.write_text("time_s,f0_hz\n" + "\n".join(rows) + "\n")


def make_f0_corpus(folder: Path, n: int = 12, seed: int = 0) -> Path:
    """`n` tracks of three singers, two of them the same bytes, with a manifest and a file that is no input."""
    rows = ["path,singer,style,key"]
    for i in range(n):
        name = f"{'abc'[i % 3]}/{i:02d}.csv"
        write_f0(folder / name, melody(seed + (0 if i == n - 1 else i)))
        rows.append(f"{name},singer {'abc'[i % 3]},{'slow' if i % 2 else 'fast'},{i}")
    (folder / "manifest.csv").write_text("\n".join(rows) + "\n")
    (folder / "README.md").write_text("# not an input\n")
    return folder


def run(db: Path, *paths: Path, config: Config = FINE, **options: Any) -> Report:
    """Ingest into a database, which is made where it is not there."""
    if not db.exists():
        create(db)
    options.setdefault("engine", "inline")
    if isinstance(options.get("metadata"), Path):
        options["metadata"] = (options["metadata"],)
    if "hop" in options:
        options["hop"] = Fraction(options["hop"])
    with open_writer(db, wait_s=10) as writer:
        return ingest(Options(tuple(paths), config, **options), writer, Quiet())


def prints(db: Path) -> Mapping[str, str]:
    """Fingerprint of the newest commit."""
    return fingerprint(open_snapshot(db)).tables


def violations(db: Path) -> list[str]:
    """What `motifdb check` finds."""
    return [str(v) for v in check(open_snapshot(db))]


def rows(db: Path, table: str) -> list[dict[str, Any]]:
    """All rows of a table."""
    found: list[dict[str, Any]] = open_snapshot(db).table(table).to_pylist()
    return found
