"""Batches made ready while the device works on the one before."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator

import torch

from motifdb.training.inputs.batches import Batch

DEPTH = 2
"""Batches that wait at most."""


def ahead(batches: Iterator[Batch], device: torch.device, depth: int = DEPTH) -> Iterator[Batch]:
    """The same batches, on the device, gathered and copied by a thread of their own.

    On a GPU they go through pinned memory, so that the copy runs beside the network. On the CPU they are gathered in place: a
    thread would take time from the network it feeds (gathering is about a hundredth of a step there).

    An exception in the thread comes out here. Whoever stops early stops the thread too.
    """
    if device.type != "cuda":
        for batch in batches:
            yield batch.to(device)
        return
    ready: queue.Queue[Batch | BaseException | None] = queue.Queue(depth)
    stop = threading.Event()

    def put(item: Batch | BaseException | None) -> bool:
        while not stop.is_set():
            try:
                ready.put(item, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def work() -> None:
        try:
            for batch in batches:
                pinned = Batch(
                    batch.samples.pin_memory(),
                    batch.lengths.pin_memory(),
                    batch.label.pin_memory(),
                    batch.row,
                )
                if not put(pinned):
                    return
            put(None)
        except BaseException as error:  # handed over, not swallowed
            put(error)

    thread = threading.Thread(target=work, name="motifdb-batches", daemon=True)
    thread.start()
    try:
        while (item := ready.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item.to(device)
    finally:
        stop.set()
        thread.join()
