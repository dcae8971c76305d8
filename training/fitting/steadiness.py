"""What makes a run end with the same bits however often it is stopped: seeds by name, its own randomness, whole steps."""

from __future__ import annotations

import hashlib
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from motifdb.training.fitting.checkpoint import CheckpointError


def seed_of(*parts: object) -> int:
    """A seed of 63 bits from what it is for.

    >>> seed_of(0, "weights") == seed_of(0, "weights") != seed_of(1, "weights")
    True
    """
    digest = hashlib.blake2b("/".join(map(str, parts)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


def load_optimiser(optimiser: torch.optim.Optimizer, tensors: Mapping[str, Tensor], where: Path) -> None:
    """Give Adam its moments back, from tensors named ``<number of the parameter>/<what>``.

    Raises
    ------
    CheckpointError
        where they are another network's.
    """
    shapes = [p.shape for group in optimiser.param_groups for p in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        index, _, kind = name.partition("/")
        i = int(index) if index.isdigit() else -1
        if not 0 <= i < len(shapes) or (kind != "step" and tensor.shape != shapes[i]):
            raise CheckpointError(f"{where} belongs to another network: its optimiser/{name} does not fit")
        state.setdefault(i, {})[kind] = tensor
    optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})


def device_name(device: torch.device) -> str:
    """What a run says it ran on."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else str(device)


@contextmanager
def own_randomness() -> Iterator[None]:
    """Seeds are set inside; whoever called finds torch's generators as they were."""
    with torch.random.fork_rng():
        yield


@contextmanager
def interruptible() -> Iterator[threading.Event]:
    """Ctrl-C sets the event, so that a step is never torn; a second one interrupts at once."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = signal.getsignal(signal.SIGINT)

    def ask(number: int, frame: Any) -> None:
        if stop.is_set() and callable(before):
            before(number, frame)
        stop.set()

    signal.signal(signal.SIGINT, ask)
    try:
        yield stop
    finally:
        if before is not None:  # None: set by something that is not Python, and cannot be set again from here
            signal.signal(signal.SIGINT, before)
