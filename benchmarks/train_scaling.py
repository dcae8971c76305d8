"""What several workers gain: the same epochs by one process, and by Ray Train's workers over gloo, one thread each.

    python benchmarks/train_scaling.py [--recipe NAME] [--clips N] [--seconds S] [--epochs N] [--workers N ...]

Clips are noise of one length, so every batch costs the same. The first epoch of each run is left out (warm-up). On a machine
that does other work, wall seconds say little; processor seconds a clip say what sharing costs. Prints Markdown.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from motifdb.pipelines.ray_cluster import ray_cluster
from motifdb.training.fitting.loop import Trained, train
from motifdb.training.fitting.ray_train import train_on_workers
from motifdb.training.fitting.recipes import find_recipe
from motifdb.training.inputs.packed import Packed
from motifdb.training.splits.examples import Examples


def noise(n: int, seconds: float) -> tuple[Examples, Packed]:
    """Clips of five classes, all of them train."""
    rng = np.random.default_rng(0)
    n_samples = round(seconds * 16_000)
    packed = Packed.of([rng.integers(-3000, 3000, n_samples).astype(np.int16) for _ in range(n)])
    ids = tuple(f"{i:06d}" for i in range(n))
    label = (np.arange(n) % 5).astype(np.int64)
    spans = np.zeros(n), np.full(n, seconds)
    return Examples(ids, ids, *spans, label, tuple("abcde"), ids, np.array(["train"] * n)), packed


def row(what: str, trained: Trained, whole_s: float, base: float | None) -> tuple[str, float]:
    """A line of the table, and clips a second."""
    rows = trained.epochs[1:]
    clips_per_s = sum(r["clips"] for r in rows) / sum(r["wall_s"] for r in rows)
    waited = sum(r["wait_s"] for r in rows) / sum(r["wall_s"] for r in rows)
    gain = "1.00" if base is None else f"{clips_per_s / base:.2f}"
    in_epochs_s = sum(r["wall_s"] for r in trained.epochs)
    return (
        f"| {what} | {clips_per_s:.1f} | {gain} | {waited:.2%} | {whole_s - in_epochs_s:.1f} |",
        clips_per_s,
    )


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--recipe", default="sid-2020-small")
    parser.add_argument("--clips", type=int, default=512)
    parser.add_argument("--seconds", type=float, default=0.5)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--workers", type=int, nargs="*", default=[1, 2])
    given = parser.parse_args()
    torch.set_num_threads(1)
    recipe = find_recipe(given.recipe).assign({"max_epochs": given.epochs, "patience": 0})
    examples, packed = noise(given.clips, given.seconds)
    cpu = platform.processor() or platform.machine()
    print(
        f"{given.recipe}, {given.clips} clips of {given.seconds} s, batch {recipe.batch_size}, epochs 2 to {given.epochs};"
        f" {cpu}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, torch {torch.__version__}\n"
    )
    print("| run | clips/s | gain | waiting for data | start-up and end, s |\n|---|---|---|---|---|")
    began_s = time.perf_counter()
    line, base = row(
        "the loop, no Ray", train(recipe, examples, packed, device="cpu"), time.perf_counter() - began_s, None
    )
    print(line)
    for n in given.workers:
        with tempfile.TemporaryDirectory() as folder, ray_cluster(n):
            began_s = time.perf_counter()
            trained = train_on_workers(recipe, examples, packed, workers=n, folder=Path(folder), device="cpu")
            print(
                row(f"Ray Train, {n} worker{'s' * (n != 1)}", trained, time.perf_counter() - began_s, base)[0]
            )
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(
        f"\nprocessor time of this process: {used.ru_utime + used.ru_stime:.0f} s; load now {os.getloadavg()[0]:.1f}"
    )


if __name__ == "__main__":
    main()
