"""Where units of work run: in this process, or as Ray tasks. The same function runs either way.

Both engines take units as they are asked for and hand results back as they come, in any order; at most a few
units are under way at a time, so memory does not grow with the corpus.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from types import TracebackType
from typing import Any, Protocol

from motifdb.errors import UsageError
from motifdb.pipelines.ray_cluster import ray_cluster
from motifdb.pipelines.work import Failure, Unit, UnitResult, run_unit

RAY_START_S = 10.0
"""What starting Ray costs on a laptop; below about four times this much work the process itself is faster."""


class Engine(Protocol):
    """Maps `run_unit` over units."""

    name: str
    workers: int

    def map(self, units: Iterable[Unit]) -> Iterator[tuple[Unit, UnitResult]]:
        """Results as they come, each beside the unit it is of."""
        ...

    def __enter__(self) -> Engine: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class InlineEngine:
    """One unit after the other, in this process."""

    name = "inline"
    workers = 1

    def __init__(self, *, task: Callable[[Unit], UnitResult] = run_unit) -> None:
        self._function = task

    def map(self, units: Iterable[Unit]) -> Iterator[tuple[Unit, UnitResult]]:
        for unit in units:
            yield unit, self._function(unit)

    def __enter__(self) -> InlineEngine:
        return self

    def __exit__(self, *_: object) -> None:
        return None


class ThreadEngine:
    """Units in threads of this process, for work that is mostly kernels, which let go of Python's lock."""

    name = "inline"

    def __init__(self, workers: int, *, task: Callable[[Unit], UnitResult] = run_unit) -> None:
        self.workers = workers
        self._function = task

    def map(self, units: Iterable[Unit]) -> Iterator[tuple[Unit, UnitResult]]:
        pending: deque[tuple[Unit, Future[UnitResult]]] = deque()
        for unit in units:
            pending.append((unit, self._threads.submit(self._function, unit)))
            if len(pending) > self.workers:
                first, result = pending.popleft()
                yield first, result.result()
        while pending:
            first, result = pending.popleft()
            yield first, result.result()

    def __enter__(self) -> ThreadEngine:
        self._threads = ThreadPoolExecutor(self.workers, "motifdb-unit")
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        # a kernel cannot be stopped from outside: after Ctrl-C nobody waits for it
        self._threads.shutdown(wait=kind is None, cancel_futures=True)


class RayEngine:
    """Units as Ray tasks, on this machine's own cluster (bound to loopback) or on one that is running.

    A worker that dies is retried; a unit whose workers keep dying is taken apart, and the recording that
    kills them becomes a failure. Tasks are pure, so a retry changes nothing.
    """

    name = "ray"

    def __init__(self, workers: int, address: str | None = None, *, task: Any = run_unit) -> None:
        self.workers = workers
        self._address = address
        self._function = task

    def __enter__(self) -> RayEngine:
        self._cluster = ray_cluster(self.workers, self._address)
        self.workers = self._cluster.__enter__()
        import ray

        self._task = ray.remote(num_cpus=1, max_retries=2)(self._function)
        return self

    def __exit__(self, *_: object) -> None:
        self._cluster.__exit__(None, None, None)

    def map(self, units: Iterable[Unit]) -> Iterator[tuple[Unit, UnitResult]]:
        import ray
        from ray.exceptions import RayTaskError, WorkerCrashedError

        waiting: deque[Unit] = deque()
        source = iter(units)
        pending: dict[Any, Unit] = {}
        # twice the workers: one unit each at work, one each on its way
        window = 2 * self.workers
        exhausted = False
        while pending or waiting or not exhausted:
            while len(pending) < window and (waiting or not exhausted):
                unit = waiting.popleft() if waiting else next(source, None)
                if unit is None:
                    exhausted = True
                    break
                if any(item.is_local for item in unit.items):
                    yield unit, run_unit(unit)
                    continue
                pending[self._task.remote(unit)] = unit
            if not pending:
                continue
            (ref,), _ = ray.wait(list(pending), num_returns=1, fetch_local=False)
            unit = pending.pop(ref)
            try:
                yield unit, ray.get(ref)
            except RayTaskError as error:
                raise error.as_instanceof_cause() from None
            except (WorkerCrashedError, ray.exceptions.OutOfMemoryError) as error:
                if len(unit.items) > 1:  # narrow it down to the one
                    waiting.extend(replace(unit, items=(item,)) for item in unit.items)
                else:
                    yield unit, _worker_died(unit, error)


def _worker_died(unit: Unit, error: Exception) -> UnitResult:
    (item,) = unit.items
    memory = "ran out of memory" if type(error).__name__ == "OutOfMemoryError" else "died"
    reason = f"the worker {memory} on this recording, three times"
    return UnitResult(
        outcomes={item.recording_id: Failure("pitch", "worker-died", reason, item.chain.pitch_id)}
    )


def check_engine(name: str, *, workers: int | None, address: str | None) -> None:
    """Refuse what no engine can be, before any work.

    Raises
    ------
    UsageError
        for an unknown name, fewer workers than 1, or an address for the process itself.
    """
    if name not in ("auto", "inline", "ray"):
        raise UsageError(f"--engine cannot be {name!r}; choose auto, inline or ray")
    if workers is not None and workers < 1:
        raise UsageError(f"--workers must be at least 1, got {workers}")
    if name == "inline" and address is not None:
        raise UsageError("--engine inline runs in this process; leave out --ray-address, or use --engine ray")


def usable_cores() -> int:
    """Cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def choose_engine(
    name: str, *, workers: int | None, address: str | None, expected_work_s: float
) -> InlineEngine | RayEngine:
    """The engine for a job: what was asked for, or (``"auto"``) Ray where the work outweighs its start.

    Parameters
    ----------
    name : ``"auto"``, ``"inline"`` or ``"ray"``
    workers : tasks at a time; None is one per core
    address : of a running Ray cluster; None starts one on loopback when Ray is chosen
    expected_work_s : estimate of the whole job on one core
    """
    check_engine(name, workers=workers, address=address)
    n = usable_cores() if workers is None else workers
    if name == "auto":
        gain_s = expected_work_s * (1 - 1 / n)
        name = "ray" if address is not None or gain_s > RAY_START_S else "inline"
    return RayEngine(n, address) if name == "ray" else InlineEngine()
