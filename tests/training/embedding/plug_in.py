"""A package that offers an embedding model, installed for a test: a folder on the path with a module and its metadata."""

from __future__ import annotations

from pathlib import Path

LOUDNESS = '''
import numpy as np


class Loudness:
    """Loudness and zero crossings: no model that one would use."""

    name, n_dims, sample_rate_hz = "loudness", 2, 16_000
    is_voiced_only = False

    def __init__(self, weights=None, device="auto", window_s=None, hop_s=None):
        self.window_s, self.hop_s = window_s, hop_s

    def embed(self, packed, rows=None):
        rows = range(len(packed)) if rows is None else rows
        clips = [packed.clip(int(row)).astype(np.float64) for row in rows]
        return np.array([[np.abs(c).mean(), np.mean(c[1:] * c[:-1] < 0)] for c in clips], np.float32)

    def config(self):
        return {"model": "loudness", "version": 1, "window_s": self.window_s, "hop_s": self.hop_s}


class Odd(Loudness):
    n_dims = 3


class Bare:
    name = "bare"

    def __init__(self, weights=None, device="auto"):
        pass


class Clumsy(Loudness):
    def embed(self, packed, rows=None):
        return [][1]


class Secret(Loudness):
    def config(self):
        return {"model": object()}


def angry(weights=None, device="auto"):
    raise RuntimeError("no such thing")


NOTHING = 7
'''


def install(folder: Path, package: str, module: str, source: str, offers: dict[str, str]) -> Path:
    """Put a package where Python finds it, once `folder` is on its path."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{module}.py").write_text(source)
    about = folder / f"{package.replace('-', '_')}-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    listed = "\n".join(f"{name} = {module}:{attribute}" for name, attribute in offers.items())
    (about / "entry_points.txt").write_text(f"[motifdb.embedders]\n{listed}\n")
    return folder
