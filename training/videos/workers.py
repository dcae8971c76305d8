"""Where videos are decoded: in this process, in child processes for a handful, or as Ray tasks.

A broken video may crash the decoder, hang it or eat memory. In a child or a Ray task that costs this one video: it is named, and the
others go on. What comes out does not depend on where it was done.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Protocol

from motifdb.errors import InputError, UsageError
from motifdb.training.videos.child import read_answer
from motifdb.training.videos.tasks import TASKS, Answer

HANDFUL = 256
"""Up to so many videos need no Ray."""

TIMEOUT_S = 120.0
"""A child that is at one task for longer stands still, and is ended."""

Wait = Callable[[], Answer]
"""Gives a task's answer, when it is there; raises `InputError` where the video cannot be read, or crashed or hung the decoder."""


class Decoders(Protocol):
    """Something that does the tasks of `motifdb.training.videos.tasks`.

    Attributes
    ----------
    n_ahead : tasks worth having under way beside those that are waited for
    """

    n_ahead: int

    def submit(self, what: str, name: str, *arguments: Any) -> Wait:
        """Begin the task `what` on the video `name`."""
        ...


class Here:
    """This process: for tests, and for files that were made by ourselves."""

    n_ahead = 0

    def submit(self, what: str, name: str, *arguments: Any) -> Wait:
        """See `Decoders`; it runs when it is waited for."""
        return lambda: TASKS[what](*arguments)


class Children:
    """Child processes, one for each of some threads; one that dies is replaced.

    Parameters
    ----------
    workers : children, >= 1
    command : another program than ours, which speaks as `motifdb.training.videos.child` does
    """

    def __init__(
        self, workers: int, *, timeout_s: float = TIMEOUT_S, command: list[str] | None = None
    ) -> None:
        self.n_ahead = 2 * workers
        self._timeout_s = timeout_s
        self._command = command or [sys.executable, "-m", "motifdb.training.videos.child"]
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="motifdb-videos")
        self._own = threading.local()
        self._children: list[subprocess.Popen[bytes]] = []
        self._lock = threading.Lock()

    def submit(self, what: str, name: str, *arguments: Any) -> Wait:
        """See `Decoders`."""
        return self._threads.submit(self._ask, what, name, arguments).result

    def close(self) -> None:
        """End the children and what they are at."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        for child in self._children:
            child.kill()
        self._threads.shutdown(wait=True)
        for child in self._children:
            _reap(child)

    def _ask(self, what: str, name: str, arguments: tuple[Any, ...]) -> Answer:
        """In a thread: one request to this thread's child."""
        child = self._child()
        assert child.stdin is not None and child.stdout is not None
        hung = threading.Event()

        def end() -> None:
            hung.set()
            child.kill()

        clock = threading.Timer(self._timeout_s, end)
        clock.start()
        try:
            child.stdin.write(json.dumps({"what": what, "arguments": arguments}).encode() + b"\n")
            child.stdin.flush()
            found = read_answer(child.stdout)
        except (OSError, ValueError):  # it ended, or answered nonsense
            found = None
        finally:
            clock.cancel()
        if found is None:
            child.kill()
            if hung.is_set():
                raise InputError(
                    "decoder-hung",
                    f"decoding {name} stood still for {self._timeout_s:g} s and was ended; convert or remove it",
                )
            raise InputError("decoder-crashed", f"decoding {name} crashed the decoder; convert or remove it")
        head, arrays = found
        if "failed" in head:
            raise InputError(*head["failed"])
        return head["value"], list(arrays)

    def _child(self) -> subprocess.Popen[bytes]:
        child: subprocess.Popen[bytes] | None = getattr(self._own, "child", None)
        if child is not None and child.poll() is None:
            return child
        if child is not None:
            _reap(child)
        started = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(dict.fromkeys(os.path.abspath(p or ".") for p in sys.path)),
                "OPENBLAS_NUM_THREADS": "1",
                "OMP_NUM_THREADS": "1",
            },
        )
        self._own.child = started
        with self._lock:
            self._children = [c for c in self._children if c is not child] + [started]
        return started


class RayDecoders:
    """Ray tasks, to be used inside `motifdb.pipelines.ray_cluster.ray_cluster`."""

    def __init__(self, workers: int) -> None:
        import ray

        self.n_ahead = 2 * workers
        # pure tasks: one whose worker dies is tried once more, since not the video need have killed it
        self._run = ray.remote(num_cpus=1, max_retries=1)(_do)

    def submit(self, what: str, name: str, *arguments: Any) -> Wait:
        """See `Decoders`."""
        reference = self._run.remote(what, arguments)

        def wait() -> Answer:
            import ray

            try:
                failed, value, arrays = ray.get(reference, timeout=5 * TIMEOUT_S)
            except ray.exceptions.WorkerCrashedError:
                raise InputError(
                    "decoder-crashed", f"decoding {name} crashed the decoder twice; convert or remove it"
                ) from None
            except ray.exceptions.GetTimeoutError:
                ray.cancel(reference, force=True)
                raise InputError(
                    "decoder-hung",
                    f"decoding {name} took more than {5 * TIMEOUT_S:g} s and was ended; convert or remove it",
                ) from None
            if failed:
                raise InputError(*failed)
            return value, list(arrays)

        return wait


def _do(what: str, arguments: tuple[Any, ...]) -> tuple[tuple[str, str] | None, Any, list[Any]]:
    try:
        return None, *TASKS[what](*arguments)
    except InputError as error:
        return (error.kind, error.reason), None, []


@contextmanager
def decoders(n_videos: int, workers: int | None = None, ray_address: str | None = None) -> Iterator[Decoders]:
    """Decoders that suit a number of videos.

    Parameters
    ----------
    workers : processes; 0: this one; None: two children for a handful, else a Ray task on every processor
    ray_address : of a running cluster, whose tasks then decode; it must see the videos under the same path

    Raises
    ------
    UsageError
        for fewer than no workers, or a cluster that cannot be reached.
    """
    if workers is not None and workers < 0:
        raise UsageError(f"--workers must be 0 or more, got {workers}")
    n_cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if ray_address is None and workers == 0:
        yield Here()
    elif ray_address is None and n_videos <= HANDFUL:
        with contextlib.closing(Children(workers or min(2, n_cpus))) as children:
            yield children
    else:
        from motifdb.pipelines.ray_cluster import ray_cluster

        with ray_cluster(workers or n_cpus, ray_address) as n_workers:
            yield RayDecoders(n_workers)


def _reap(child: subprocess.Popen[bytes]) -> None:
    child.kill()
    with contextlib.suppress(OSError):
        child.communicate()
