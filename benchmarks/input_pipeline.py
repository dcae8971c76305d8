"""How fast clips come from the database to the device, beside the same clips as tensors in memory, in one run.

    python benchmarks/input_pipeline.py [--corpora DIR | --db NAME.motifdb] [--recipe NAME] [--steps N] [--device auto|cpu|cuda] [--in-turn]

Without --db, `flamenco_motifs` is ingested into a temporary folder (`--as-clips`; about 15 CPU seconds). Every source gives the same
batches (same clips, same order):

- *ready tensors*: padded float32 batches that were all made before; nothing is left to do. The bound.
- *float32 tensor*: all clips end to end as one float32 tensor in memory; a plain loop pads them into batches
- *packed in memory*, *packed file*: `motifdb.training.inputs.packed`, as training uses it; the file is memory-mapped
- *dataset*: `db.clips().to_torch(...)` over the packed file, in this process
- *Lance, each batch*: `AudioReader.spans` for every batch, nothing packed; what the cache saves

On a CPU sources take turns batch by batch, so that other work on the machine meets all alike, and CPU seconds decide. With
--in-turn, and on a GPU always, each source runs alone, its batches made ready by a thread (`motifdb.training.inputs.ahead`) as in
training, and wall time decides; there the share of time spent waiting for data and the GPU's utilisation are
printed too. The last table is what batches of like length save. Prints Markdown.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

import motifdb
from motifdb.query.audio import AudioReader
from motifdb.training.fitting.network import Network, choose_device
from motifdb.training.fitting.recipes import find_recipe
from motifdb.training.inputs.ahead import ahead
from motifdb.training.inputs.batches import Batch, Batches
from motifdb.training.inputs.dataset import ClipDataset
from motifdb.training.inputs.packed import FULL_SCALE, Packed, pack
from motifdb.training.splits.examples import Examples
from tests.corpora import corpora_root

N_CLASSES = 5
Source = Callable[[int], Iterator[Batch]]
"""The batches of an epoch, on the CPU."""


@dataclass
class Clock:
    """Seconds of getting batches and of steps, by the wall and of the processor."""

    get_s: float = 0.0
    get_cpu_s: float = 0.0
    step_s: float = 0.0
    step_cpu_s: float = 0.0
    n_clips: int = 0
    n_samples: int = 0
    use: list[int] = field(default_factory=list)

    def count(self, batch: Batch) -> None:
        """A batch has come."""
        self.n_clips += len(batch)
        self.n_samples += int(batch.lengths.sum())


class Step:
    """One step of training a small model: front end, network, backward, Adam."""

    def __init__(self, recipe_name: str, device: torch.device) -> None:
        torch.manual_seed(0)
        self.network = Network(find_recipe(recipe_name), N_CLASSES).to(device).train()
        self.adam = torch.optim.Adam(self.network.parameters())

    def __call__(self, batch: Batch) -> None:
        loss = torch.nn.functional.cross_entropy(self.network(batch.samples, batch.lengths), batch.label)
        self.adam.zero_grad()
        loss.backward()
        self.adam.step()


def all_clips(path: Path) -> tuple[Any, Examples]:
    """Every clip of a database as examples; classes are drawn, since nobody learns here."""
    database = motifdb.open(str(path))
    table = database.clips().arrow()
    ids = tuple(table.column("clip_id").to_pylist())
    examples = Examples(
        ids,
        tuple(table.column("recording_id").to_pylist()),
        table.column("start_s").to_numpy(),
        table.column("end_s").to_numpy(),
        np.random.default_rng(0).integers(0, N_CLASSES, len(ids)),
        tuple("abcde"),
        ids,
        np.array(["train"] * len(ids)),
    )
    return database.snapshot, examples


def sources(
    snapshot: Any, examples: Examples, folder: Path, batch_size: int, n_batches: int
) -> tuple[dict[str, Source], Packed, list[tuple[str, float, float]]]:
    """Every source by name, the packed sound, and what it cost to make each ready: wall and CPU seconds."""
    costs: list[tuple[str, float, float]] = []

    def timed(name: str, make: Callable[[], Any]) -> Any:
        wall_s, cpu_s = time.perf_counter(), time.process_time()
        made = make()
        costs.append((name, time.perf_counter() - wall_s, time.process_time() - cpu_s))
        return made

    reader = timed("open the reader", lambda: AudioReader(snapshot))
    memory = timed("pack into memory", lambda: pack(snapshot, examples, None))
    timed("pack into a file", lambda: pack(snapshot, examples, folder))
    mapped = timed("open the packed file", lambda: pack(snapshot, examples, folder))
    rows = np.arange(len(examples))

    def batches_of(packed: Packed) -> Batches:
        return Batches(packed, examples.label, rows, batch_size=batch_size)

    dataset = ClipDataset(mapped, examples, rows, batch_size=batch_size)

    def from_dataset(epoch: int) -> Iterator[Batch]:
        dataset.set_epoch(epoch)
        return iter(dataset)

    ready = {epoch: list(islice(batches_of(memory).epoch(epoch), n_batches)) for epoch in (0, 1)}
    flat = timed(
        "float32 tensor", lambda: [torch.from_numpy(memory.clip(i) / np.float32(FULL_SCALE)) for i in rows]
    )
    label = torch.from_numpy(examples.label)

    def from_tensors(epoch: int) -> Iterator[Batch]:
        for order in batches_of(memory).order(epoch):
            clips = [flat[i] for i in order]
            lengths = torch.tensor([len(clip) for clip in clips])
            chosen = torch.from_numpy(order)
            yield Batch(
                torch.nn.utils.rnn.pad_sequence(clips, batch_first=True), lengths, label[chosen], chosen
            )

    def from_lance(epoch: int) -> Iterator[Batch]:
        for order in batches_of(memory).order(epoch):
            ids = [examples.recording_id[i] for i in order.tolist()]
            pcm, offsets = reader.spans(ids, examples.start_s[order], examples.end_s[order])
            here = Packed(pcm, offsets[:-1], np.diff(offsets))
            yield Batches(here, examples.label[order], np.arange(len(order)), batch_size=batch_size).gather(
                np.arange(len(order))
            )

    made: dict[str, Source] = {
        "ready tensors": lambda epoch: iter(ready[epoch]),
        "float32 tensor": from_tensors,
        "packed in memory": lambda epoch: batches_of(memory).epoch(epoch),
        "packed file": lambda epoch: batches_of(mapped).epoch(epoch),
        "dataset": from_dataset,
        "Lance, each batch": from_lance,
    }
    return made, mapped, costs


def by_turns(made: dict[str, Source], step: Step | None, n_batches: int) -> dict[str, Clock]:
    """Batch by batch, each source in turn, in an order that rotates."""
    clocks = {name: Clock() for name in made}
    streams = {name: source(1) for name, source in made.items()}
    names = list(made)
    for i in range(n_batches):
        for name in names[i % len(names) :] + names[: i % len(names)]:
            clock = clocks[name]
            wall_s, cpu_s = time.perf_counter(), time.process_time()
            batch = next(streams[name])
            clock.get_s += time.perf_counter() - wall_s
            clock.get_cpu_s += time.process_time() - cpu_s
            clock.count(batch)
            if step is not None:
                wall_s, cpu_s = time.perf_counter(), time.process_time()
                step(batch)
                clock.step_s += time.perf_counter() - wall_s
                clock.step_cpu_s += time.process_time() - cpu_s
    return clocks


def in_turn(
    made: dict[str, Source], step: Step | None, n_batches: int, device: torch.device
) -> dict[str, Clock]:
    """Each source alone, its batches made ready ahead, as in training."""
    clocks = {}
    for name, source in made.items():
        clock = clocks[name] = Clock()
        stream = ahead(islice(source(1), n_batches), device)
        if name == "ready tensors":  # on the device before the clock starts
            stream = iter([batch.to(device) for batch in islice(source(1), n_batches)])
        synchronise(device)
        with utilisation(device, clock.use):
            begin_s, begin_cpu_s = time.perf_counter(), time.process_time()
            while True:
                wall_s = time.perf_counter()
                batch = next(stream, None)
                clock.get_s += time.perf_counter() - wall_s
                if batch is None:
                    break
                clock.count(batch)
                if step is not None:
                    step(batch)
            synchronise(device)
            clock.step_s = time.perf_counter() - begin_s - clock.get_s
            clock.step_cpu_s = time.process_time() - begin_cpu_s
    return clocks


def synchronise(device: torch.device) -> None:
    """Wait until the device has done what it was asked."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


class utilisation:  # noqa: N801  (a context, named for what it measures)
    """Ask nvidia-smi five times a second how busy the GPU is; nothing happens without one."""

    def __init__(self, device: torch.device, out: list[int]) -> None:
        self.device, self.out = device, out
        self.process: subprocess.Popen[str] | None = None

    def __enter__(self) -> None:
        if self.device.type != "cuda" or shutil.which("nvidia-smi") is None:
            return
        query = ["--query-gpu=utilization.gpu", "--format=csv,noheader,nounits", "-lms", "200"]
        chosen = ["-i", str(self.device.index or 0)]
        self.process = subprocess.Popen(["nvidia-smi", *query, *chosen], stdout=subprocess.PIPE, text=True)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process is not None and self.process.stdout is not None
        for line in self.process.stdout:
            if line.strip().isdigit():
                self.out.append(int(line))

    def __exit__(self, *_: object) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait()


def print_turns(without: dict[str, Clock], within: dict[str, Clock]) -> None:
    """The table of the CPU."""
    print(
        "| source | alone, million samples / CPU s | clips / CPU s | with the step, clips / CPU s | of ready tensors | share of CPU getting data |"
    )
    print("|---|---|---|---|---|---|")
    rate = {n: c.n_clips / (c.get_cpu_s + c.step_cpu_s) for n, c in within.items()}
    # Steps cost the same whatever came before; one figure for all keeps their spread out of the ratio.
    step_cpu_s = np.mean([c.step_cpu_s for c in within.values()])
    bound = within["ready tensors"].get_cpu_s + step_cpu_s
    for name, alone in without.items():
        clock = within[name]
        get = max(alone.get_cpu_s, 1e-9)
        print(
            f"| {name} | {alone.n_samples / get / 1e6:,.0f} | {alone.n_clips / get:,.0f} | {rate[name]:,.1f} |"
            f" {bound / (clock.get_cpu_s + step_cpu_s):.4f} | {clock.get_cpu_s / (clock.get_cpu_s + step_cpu_s):.2%} |"
        )


def print_in_turn(without: dict[str, Clock], within: dict[str, Clock]) -> None:
    """The table of a device that steps while batches are made ready."""
    print(
        "| source | alone, clips / s | with the step, clips / s | million samples / s | of ready tensors | time waiting for data | GPU busy |"
    )
    print("|---|---|---|---|---|---|---|")
    total = {n: c.get_s + c.step_s for n, c in within.items()}
    for name, alone in without.items():
        clock = within[name]
        use = f"{np.mean(clock.use):.0f} %" if clock.use else "-"
        print(
            f"| {name} | {alone.n_clips / (alone.get_s + alone.step_s):,.0f} | {clock.n_clips / total[name]:,.0f} |"
            f" {clock.n_samples / total[name] / 1e6:,.1f} | {total['ready tensors'] / total[name]:.3f} |"
            f" {clock.get_s / total[name]:.2%} | {use} |"
        )


def print_padding(length: NDArray[np.int64], batch_size: int, columns: int = 426) -> None:
    """Columns of an epoch relative to clips padded to 426, which is what the papers have."""
    print(f"\n## Padding\n\nColumns of an epoch, of {columns} a clip; batches of {batch_size}.\n")
    print(
        "| hop | signal | random batches | pools of 50 batches by length | by length | by length, at least 64 columns |"
    )
    print("|---|---|---|---|---|---|")
    packed = Packed(np.zeros(1, np.int16), np.zeros(len(length), np.int64), length)
    label, rows = np.zeros(len(length), np.int64), np.arange(len(length))
    plans = [
        Batches(packed, label, rows, batch_size=batch_size, bucketed=False),
        Batches(packed, label, rows, batch_size=batch_size),
        Batches(packed, label, rows, batch_size=batch_size, shuffle=False),
    ]
    for hop in (160, 200, 400):
        n_columns = 1 + length // hop
        share = [
            np.mean([sum(len(b) * n_columns[b].max() for b in plan.order(e)) for e in range(5)])
            for plan in plans
        ]
        share.append(sum(len(b) * max(64, n_columns[b].max()) for b in plans[-1].order(0)))
        cells = [n_columns.sum(), *share]
        print(
            f"| {hop / 16:g} ms | "
            + " | ".join(f"{cell / (columns * len(length)):.3f}" for cell in cells)
            + " |"
        )


def machine(device: torch.device) -> str:
    """What this ran on."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    gpu = f", {torch.cuda.get_device_name(device)}" if device.type == "cuda" else ""
    return (
        f"Machine: {models[0] if models else platform.machine()}, {os.cpu_count()} cores{gpu}, {platform.system()},"
        f" Python {platform.python_version()}, torch {torch.__version__}, {torch.get_num_threads()} threads;"
        f" load average {os.getloadavg()[0]:.1f}."
    )


def ingested(corpora: Path, folder: Path) -> Path:
    """`flamenco_motifs` in a database of its own."""
    if not (corpora / "flamenco_motifs").is_dir():
        sys.exit(f"there is no corpus flamenco_motifs in {corpora}; name a database with clips by --db")
    path, root = folder / "clips.motifdb", corpora / "flamenco_motifs"
    options = ["--metadata", str(root / "manifest.csv"), "--as-clips", "--db", str(path)]
    command = [sys.executable, "-m", "motifdb.cli", "ingest", str(root), *options]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return path


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--corpora", type=Path, default=corpora_root())
    parser.add_argument("--db", type=Path)
    parser.add_argument("--recipe", default="sid-2020-small")
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--in-turn", action="store_true")
    args = parser.parse_args()
    device = choose_device(args.device)
    with tempfile.TemporaryDirectory() as folder:
        snapshot, examples = all_clips(args.db or ingested(args.corpora, Path(folder)))
        made, packed, costs = sources(snapshot, examples, Path(folder) / "cache", args.batch_size, args.steps)
        n_batches = min(
            args.steps,
            len(Batches(packed, examples.label, np.arange(len(examples)), batch_size=args.batch_size)),
        )
        is_alone = args.in_turn or device.type == "cuda"
        measure = (
            (lambda s: in_turn(made, s, n_batches, device))
            if is_alone
            else (lambda s: by_turns(made, s, n_batches))
        )
        step = Step(args.recipe, device)
        for batch in islice(made["ready tensors"](0), 3):
            step(batch.to(device))
        measure(None)  # once for nothing: caches are warm for all
        without, within = measure(None), measure(step)
        seconds = float(packed.length_s.sum())
        print(
            f"# Input pipeline\n\n{len(packed):,} clips, {seconds / 3600:.2f} h, {2 * len(packed.pcm) / 1e6:.0f} MB packed;"
        )
        print(f"{n_batches} batches of {args.batch_size}; recipe {args.recipe}, device {device.type}.\n")
        (print_in_turn if is_alone else print_turns)(without, within)
        print("\n| once before | wall s | CPU s |\n|---|---|---|")
        for name, wall_s, cpu_s in costs:
            print(f"| {name} | {wall_s:.2f} | {cpu_s:.2f} |")
        print_padding(packed.length, args.batch_size)
        print("\n" + machine(device))


if __name__ == "__main__":
    main()
