"""A search over a tree of prefixes, cut into tasks by the work it turns out to be, on any number of workers.

A task is a prefix and the symbols to follow it with. It runs depth first until its budget of work is used up, then hands
back what is left on its path: siblings still to visit at each depth, each depth one new task. So the tree is split where
the work is, which no look at first symbols could tell. Everything a task found comes before everything it left in
lexicographic order, deeper before shallower; parts put together in that order are the same arrays for every number of
workers and every budget.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from motifdb.kernels.gapped import PAUSED, STOPPED
from motifdb.mining.bounds import Tally, Watch

Part = tuple[NDArray[Any], ...]
Pending = tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.uint8]]
Submit = Callable[..., "Future[Any]"]


class Work(Protocol):
    """What tasks are run on: arrays that travel to a worker once, and a function of a task."""

    @property
    def run(self) -> Callable[..., Any]:
        """Does one task, ``run(*task, stop=stop)``; ends early, with whatever result, once `stop[0]` is not 0."""


class Space(Work, Protocol):
    """A tree to search; `run` takes (prefix, children, least, budget) and gives (state, part, pending)."""

    def weigh(self, part: Part) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Support and bytes of each pattern of a part."""


class Pool(Protocol):
    """Where tasks run."""

    @property
    def n_workers(self) -> int:
        """Tasks at a time."""

    @property
    def task_work(self) -> int:
        """Budget of a task, in work units of about 5 ns: long enough to outweigh handing it out."""

    def open(self, work: Work, stop: NDArray[np.uint8]) -> AbstractContextManager[Submit]:
        """Hand out the work's arrays once; gives the function that submits a task."""


@dataclass(frozen=True)
class Threads:
    """Threads of this process: the kernels hold no lock, and share the arrays."""

    n_workers: int = 1
    task_work: int = 20_000_000

    @contextmanager
    def open(self, work: Work, stop: NDArray[np.uint8]) -> Iterator[Submit]:
        """See `Pool`; on leaving, running tasks are told to stop and waited for."""
        with ThreadPoolExecutor(self.n_workers, "motifdb-mining") as executor:
            try:
                yield lambda *task: executor.submit(work.run, *task, stop=stop)
            except BaseException:  # Ctrl-C among them: the kernels would go on, and the process wait for them
                stop[0] = 1
                executor.shutdown(wait=False, cancel_futures=True)
                raise


@dataclass
class _Place:
    """A task's place in the order of the whole: what it found, then what it left."""

    prefix: NDArray[np.uint8]
    children: NDArray[np.uint8]
    part: Part | None = None
    left: list[_Place] = field(default_factory=list)


class LateError(Exception):
    """The watch rang before the search was over."""


def explore(space: Space, children: NDArray[np.uint8], pool: Pool, tally: Tally, watch: Watch) -> list[Part]:
    """Search the whole tree; its parts in lexicographic order.

    Parameters
    ----------
    children : symbols of the first level, ascending
    tally : where what is found is counted; its `least` rises when a bound is reached, and patterns below it may be
        missing from the parts, or still in them

    Raises
    ------
    LateError
        where the watch rang.
    """
    root = _Place(np.empty(0, np.uint8), children)
    least = np.array([tally.least], np.int64)
    waiting: list[tuple[int, int, _Place]] = [(0, 0, root)]
    running: dict[Future[Any], _Place] = {}
    n_tasks = 0
    with pool.open(space, watch.stop) as submit:
        while waiting or running:
            while waiting and len(running) < pool.n_workers:
                place = heapq.heappop(waiting)[2]
                # at first, and at the end, short tasks, so that no worker waits for another's long one
                is_short = pool.n_workers > 1 and len(waiting) < 2 * pool.n_workers
                budget = pool.task_work // 10 if is_short else pool.task_work
                running[submit(place.prefix, place.children, least, budget)] = place
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                place = running.pop(future)
                state, part, pending = future.result()
                if state == STOPPED or watch.stop[0]:
                    watch.stop[0] = 1
                    raise LateError
                place.part = part
                least[0] = tally.add(*space.weigh(part))
                if state == PAUSED:
                    place.left = _left(pending, len(place.prefix))
                    for task in place.left:
                        n_tasks += 1
                        # the shallower, the more is likely to hang on it
                        heapq.heappush(waiting, (len(task.prefix), n_tasks, task))
    return list(_in_order(root))


def _left(pending: Pending, depth: int) -> list[_Place]:
    """The tasks that a paused one leaves, in lexicographic order."""
    path, at, children = pending
    return [
        _Place(path[:d].copy(), children[at[d - depth] : at[d - depth + 1]].copy())
        for d in range(len(path), depth - 1, -1)
        if at[d - depth] < at[d - depth + 1]
    ]


def _in_order(root: _Place) -> Iterator[Part]:
    stack = [root]
    while stack:
        place = stack.pop()
        assert place.part is not None
        yield place.part
        stack.extend(reversed(place.left))


def run_all(work: Work, tasks: list[tuple[Any, ...]], pool: Pool, watch: Watch) -> list[Any]:
    """Results of tasks that need no order among themselves, in the tasks' order.

    Raises
    ------
    LateError
        where the watch rang.
    """
    with pool.open(work, watch.stop) as submit:
        results = [future.result() for future in [submit(*task) for task in tasks]]
    if watch.stop[0]:
        raise LateError
    return results
