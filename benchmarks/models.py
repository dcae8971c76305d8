"""What one step of training costs, for each network and each way to run it.

    python benchmarks/models.py [--models NAME ...] [--batch 64] [--columns 64] [--threads 1] [--repeats 3] [--no-compile]

A step is forward, cross-entropy, backward and Adam on random features of 128 rows whose clips fill half to all of the columns.
On a CPU the figure is the least CPU time of the process over some steps after one to warm up (which also compiles). On a
GPU (taken where there is one, or with --device) it is wall time with the device waited for, in bfloat16, and clips per
second. A second table takes the compact Residual-BLSTM apart: what masks, pooling and padding cost. Prints Markdown.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from motifdb.training.models import MODELS, build_model, count_parameters

N_ROWS, N_CLASSES = 128, 5
CPU_MODELS = (
    "residual-blstm-small",
    "residual-blstm-compact",
    "res-lstm-compact",
    "crnn-choi",
    "crnn",
    "contour-gru",
    "contour-cnn",
)
VARIANTS = {
    "plain": (False, False),
    "channels last": (True, False),
    "compiled": (False, True),
    "compiled, channels last": (True, True),
}
PARTS: dict[str, dict[str, Any]] = {
    "as it is": {},
    "`batch_norm=all`": {"batch_norm": "all"},
    "`masked=False`": {"masked": False},
    "`pool_after=stem`": {"pool_after": "stem"},
    "`pooling=last`": {"pooling": "last"},
    "`pooling=mean-std`": {"pooling": "mean-std"},
    "`pooling=attentive`": {"pooling": "attentive"},
}


def training_step(
    name: str, options: dict[str, Any], args: argparse.Namespace, *, channels_last: bool, compiled: bool
) -> tuple[Callable[[], None], int]:
    """One step of training on a fixed batch, as a function; and the parameters it changes."""
    torch.manual_seed(0)
    device = torch.device(args.device)
    network = build_model(name, n_rows=N_ROWS, n_classes=N_CLASSES, **options).to(device).train()
    n_parameters = count_parameters(network)
    if channels_last:
        network = network.to(memory_format=torch.channels_last)
    columns = network.fixed_columns or args.columns
    features = torch.randn(args.batch, N_ROWS, columns, device=device)
    n_columns = torch.randint(columns // 2, columns + 1, (args.batch,), device=device)
    truth = torch.randint(0, N_CLASSES, (args.batch,), device=device)
    if compiled:
        network.compile()
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-3)

    def step() -> None:
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            logits = network(features, n_columns)
        loss = torch.nn.functional.cross_entropy(logits.float(), truth)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()

    return step, n_parameters


def seconds(step: Callable[[], None], args: argparse.Namespace) -> float:
    """Least CPU seconds of a step; on a GPU the median of wall seconds."""
    step()
    on_gpu = torch.device(args.device).type == "cuda"
    clock = time.perf_counter if on_gpu else time.process_time
    found = []
    for _ in range(args.repeats):
        if on_gpu:
            torch.cuda.synchronize()
        start = clock()
        step()
        if on_gpu:
            torch.cuda.synchronize()
        found.append(clock() - start)
    return statistics.median(found) if on_gpu else min(found)


def cell(name: str, options: dict[str, Any], args: argparse.Namespace, variant: tuple[bool, bool]) -> str:
    """Seconds of one step, or why there are none."""
    channels_last, compiled = variant
    if compiled and args.no_compile:
        return "-"
    torch.compiler.reset()
    try:
        step, _ = training_step(name, options, args, channels_last=channels_last, compiled=compiled)
        found = seconds(step, args)
    except (RuntimeError, torch.OutOfMemoryError) as error:
        return f"failed: {str(error).splitlines()[0][:60]}"
    speed = f" ({args.batch / found:,.0f} clips/s)" if torch.device(args.device).type == "cuda" else ""
    return f"{found:.3f}{speed}"


def machine(args: argparse.Namespace) -> str:
    """Processor or GPU, threads, versions and load, for the foot of a table."""
    if torch.device(args.device).type == "cuda":
        what = torch.cuda.get_device_name()
    else:
        cpuinfo = Path("/proc/cpuinfo")
        lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
        models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
        what = f"{models[0] if models else platform.machine()}, {os.cpu_count()} cores, {args.threads} used"
    return f"Machine: {what}; torch {torch.__version__}; load average {os.getloadavg()[0]:.1f}."


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--models", nargs="*", choices=list(MODELS), default=None)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--columns", type=int, default=64)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--no-compile", action="store_true")
    parser.add_argument("--no-parts", action="store_true", help="leave the second table out")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    on_gpu = torch.device(args.device).type == "cuda"
    names = args.models or (tuple(MODELS) if on_gpu else CPU_MODELS)
    unit = "s (bfloat16)" if on_gpu else "CPU s"
    print(f"{unit} per step, batch {args.batch}, {N_ROWS} x {args.columns}\n")
    print("| model | parameters | " + " | ".join(VARIANTS) + " |\n|---|---|" + "---|" * len(VARIANTS))
    for name in names:
        with torch.device("meta"):
            n_parameters = count_parameters(build_model(name, n_rows=N_ROWS, n_classes=N_CLASSES))
        cells = [cell(name, {}, args, variant) for variant in VARIANTS.values()]
        print(f"| {name} | {n_parameters:,} | " + " | ".join(cells) + " |", flush=True)
    if not args.no_parts:
        print(f"\n| residual-blstm-compact | {unit} per step |\n|---|---|")
        for label, options in PARTS.items():
            print(
                f"| {label} | {cell('residual-blstm-compact', options, args, (False, False))} |", flush=True
            )
    print(f"\n{machine(args)}")


if __name__ == "__main__":
    main()
