"""A tiny set of clips that a tiny network learns in seconds: three classes, three tones."""

from __future__ import annotations

import numpy as np

from motifdb.training.fitting.recipes import Recipe
from motifdb.training.inputs.frontends import FrontEndConfig
from motifdb.training.inputs.packed import Packed
from motifdb.training.splits.examples import Examples

RATE_HZ = 16_000

TINY = Recipe(
    "tiny",
    "residual-blstm-small",
    {"channels": 4, "hidden": 8, "fc": 16},
    FrontEndConfig(hop_samples=640, n_bands=32),
    batch_size=8,
    max_epochs=3,
    patience=0,
    learning_rate=5e-3,
)


def tones(n: int = 60, seed: int = 0) -> tuple[Examples, Packed]:
    """Clips of 0.1 to 0.4 s: 60 % train, 20 % valid, 20 % test."""
    rng = np.random.default_rng(seed)
    label = np.arange(n) % 3
    clips = []
    for i in range(n):
        t = np.arange(int(rng.integers(1600, 6400))) / RATE_HZ
        tone = np.sin(2 * np.pi * 220 * (1 + label[i]) * t)
        clips.append((8000 * tone + 800 * rng.standard_normal(t.size)).astype(np.int16))
    part = np.array(["train"] * (n * 3 // 5) + ["valid"] * (n // 5) + ["test"] * (n - n * 3 // 5 - n // 5))
    ids = tuple(f"clip-{i:03d}" for i in range(n))
    end_s = np.array([clip.size / RATE_HZ for clip in clips])
    examples = Examples(ids, ids, np.zeros(n), end_s, label.astype(np.int64), ("a", "b", "c"), ids, part)
    return examples, Packed.of(clips)
