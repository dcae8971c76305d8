"""A search over a tree of prefixes, cut into tasks by the work it turns out to be, on any number of workers.

A task is a prefix and the symbols to follow it with. It runs depth first; when it has done its share and another worker
waits, it hands back what is left on its path: siblings still to visit at each depth, each depth one new task. So the tree is
split where the work is, which no look at first symbols could tell. Everything a task found comes before everything it left in
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
from motifdb.mining.bounds import LateError, Tally, Watch

Part = tuple[NDArray[Any], ...]
Pending = tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.uint8], NDArray[np.int64]]
Submit = Callable[..., "Future[Any]"]


class Work(Protocol):
    """What tasks are run on: arrays that travel to a worker once, and a function of a task."""

    @property
    def run(self) -> Callable[..., Any]:
        """Does one task, ``run(*task, stop=stop)``.

        It ends early, with whatever result, once `stop[0]` is not 0, and pauses, where it can, once its budget is used up
        and `stop[1]` is not 0: there are workers without work.
        """


class Space(Work, Protocol):
    """A tree to search; `run` takes (prefix, children, least, budget, most) and gives (state, part, pending)."""

    def weigh(self, part: Part) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Support and bytes of each pattern of a part."""


class Pool(Protocol):
    """Where tasks run."""

    @property
    def n_workers(self) -> int:
        """Tasks at a time."""

    @property
    def task_work(self) -> int:
        """Work, in units of about 5 ns, that a task does before it shares: long enough to outweigh handing it out."""

    def open(self, work: Work, stop: NDArray[np.uint8]) -> AbstractContextManager[Submit]:
        """Hand out the work's arrays once; gives the function that submits a task."""


@dataclass(frozen=True)
class Threads:
    """Threads of this process: the kernels hold no lock, and share the arrays."""

    n_workers: int = 1
    task_work: int = 2_000_000

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
    supports: NDArray[np.int64]
    part: Part | None = None
    left: list[_Place] = field(default_factory=list)


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
    root = _Place(np.empty(0, np.uint8), children, np.full(len(children), 2**62))
    least = np.array([tally.least], np.int64)
    waiting: list[tuple[int, int, _Place]] = [(0, 0, root)]
    running: dict[Future[Any], _Place] = {}
    n_tasks = 0
    with pool.open(space, watch.stop) as submit:
        while waiting or running:
            while waiting and len(running) < pool.n_workers:
                place = heapq.heappop(waiting)[2]
                # what has too little support by now is not worth the way to it
                is_wanted = place.supports >= least[0]
                if place is root or is_wanted.any():
                    task = (place.prefix, place.children[is_wanted], least, pool.task_work, tally.most)
                    running[submit(*task)] = place
            watch.stop[1] = not waiting and len(running) < pool.n_workers
            if not running:
                break
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
                    for left in place.left:
                        n_tasks += 1
                        # the shallower, the more is likely to hang on it
                        heapq.heappush(waiting, (len(left.prefix), n_tasks, left))
    return list(_in_order(root))


def _left(pending: Pending, depth: int) -> list[_Place]:
    """The tasks that a paused one leaves, in lexicographic order."""
    path, at, children, supports = pending
    return [
        _Place(
            path[:d], children[at[d - depth] : at[d - depth + 1]], supports[at[d - depth] : at[d - depth + 1]]
        )
        for d in range(len(path), depth - 1, -1)
        if at[d - depth] < at[d - depth + 1]
    ]


def _in_order(root: _Place) -> Iterator[Part]:
    stack = [root]
    while stack:
        place = stack.pop()
        if place.part is not None:
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
    watch.check()
    return results
