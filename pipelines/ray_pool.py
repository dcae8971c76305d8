"""Mining's tasks on a Ray cluster: the sequences go into the object store once, tasks carry a prefix each."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from motifdb.mining.explore import Submit, Work


@dataclass(frozen=True)
class RayPool:
    """A pool (`motifdb.mining.explore.Pool`) of Ray tasks; to be used inside `ray_cluster`.

    Tasks are pure: one whose worker dies is run again elsewhere, and nothing changes.
    """

    n_workers: int
    task_work: int = 200_000_000

    @contextmanager
    def open(self, work: Work, stop: NDArray[np.uint8]) -> Iterator[Submit]:
        """See `Pool`. A task that runs when the search ends is told to stop where it can, and is no longer listened to."""
        import ray

        run = ray.remote(num_cpus=1, max_retries=2)(_run)
        shared = ray.put(work)
        under_way: dict[Future[Any], Any] = {}

        def submit(*task: Any) -> Future[Any]:
            reference = run.remote(shared, *task)
            future: Future[Any] = reference.future()
            under_way[future] = reference
            future.add_done_callback(lambda f: under_way.pop(f, None))
            return future

        try:
            yield submit
        except BaseException:
            stop[0] = 1
            for reference in list(under_way.values()):
                ray.cancel(reference, force=True)
            raise


def _run(work: Work, *task: Any) -> Any:
    # nobody can tell a task on another machine that workers wait: it shares whenever its budget is used up
    return work.run(*task, stop=np.array([0, 1], np.uint8))
