"""The driver of a search over a tree, with a tree plain enough to see."""

from __future__ import annotations

import threading
import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from motifdb.errors import UsageError
from motifdb.kernels.gapped import COMPLETE, PAUSED, STOPPED
from motifdb.mining.bounds import Bounds, LateError, Tally, Watch, fits_from
from motifdb.mining.explore import Part, Threads, explore, run_all


class Words:
    """The tree of the prefixes of some words; a prefix's support is the number of words that begin with it."""

    def __init__(self, words: list[bytes]) -> None:
        self.words = words
        self.n_runs = 0
        self.lock = threading.Lock()

    def run(
        self,
        prefix: NDArray[np.uint8],
        children: NDArray[np.uint8],
        least: NDArray[np.int64],
        budget: int,
        most: int,
        *,
        stop: NDArray[np.uint8],
    ) -> tuple[int, Part, Any]:
        with self.lock:
            self.n_runs += 1
        found: list[tuple[bytes, int]] = []
        start = prefix.tobytes()
        path = start
        to_do = {len(start): list(children.tobytes())}
        while len(path) >= len(start):
            if stop[0]:
                return STOPPED, (np.empty(0, object), np.empty(0, np.int64)), None
            if budget <= 0 and (stop[1] or self.n_runs < 20):
                left = [bytes(to_do.get(d, b"")) for d in range(len(start), len(path) + 1)]
                at = np.concatenate([[0], np.cumsum([len(x) for x in left])])
                below = [path[:d] + bytes([c]) for d, x in enumerate(left, len(start)) for c in x]
                supports = np.array([sum(w.startswith(p) for w in self.words) for p in below], np.int64)
                return PAUSED, _part(found), (_u8(path), at, _u8(b"".join(left)), supports)
            if not to_do.get(len(path)):
                path = path[:-1]
                if not path and not start and not to_do.get(0):
                    break
                continue
            path += bytes([to_do[len(path)].pop(0)])
            support = sum(w.startswith(path) for w in self.words)
            budget -= 1
            to_do[len(path)] = []
            if support >= least[0]:
                found.append((path, support))
                to_do[len(path)] = sorted(
                    {w[len(path)] for w in self.words if w[: len(path)] == path and w != path}
                )
            else:
                path = path[:-1]
        return COMPLETE, _part(found), None

    def weigh(self, part: Part) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        return part[1], np.array([len(w) for w in part[0]], np.int64)


def _u8(text: bytes) -> NDArray[np.uint8]:
    return np.frombuffer(text, np.uint8)


def _part(found: list[tuple[bytes, int]]) -> Part:
    names = np.empty(len(found), object)
    names[:] = [w for w, _ in found]
    return names, np.array([s for _, s in found], np.int64)


def _truth(words: list[bytes], least: int) -> list[tuple[bytes, int]]:
    prefixes = sorted({w[:i] for w in words for i in range(1, len(w) + 1)})
    counts = [(p, sum(w.startswith(p) for w in words)) for p in prefixes]
    return [(p, n) for p, n in counts if n >= least]


def _explored(words: list[bytes], tally: Tally, pool: Threads) -> list[tuple[bytes, int]]:
    first = np.unique(_u8(b"".join(w[:1] for w in words)))
    with Watch() as watch:
        parts = explore(Words(words), first, pool, tally, watch)
    return [(p, n) for names, supports in parts for p, n in zip(names, supports.tolist(), strict=True)]


WORDS = st.lists(st.text("abc", min_size=1, max_size=7).map(str.encode), min_size=1, max_size=12)


@settings(max_examples=60, deadline=None)
@given(WORDS, st.integers(1, 3), st.sampled_from([1, 2, 5, 10_000]), st.sampled_from([1, 2, 7]))
def test_parts_join_in_order_whatever_the_budget_and_the_workers(
    words: list[bytes], least: int, task_work: int, n_workers: int
) -> None:
    tally = Tally(least, 10**9, None)
    assert _explored(words, tally, Threads(n_workers, task_work)) == _truth(words, least)
    assert tally.stopped_by is None and tally.least == least


@settings(max_examples=60, deadline=None)
@given(WORDS, st.integers(1, 12), st.sampled_from([1, 3, 100]), st.sampled_from([1, 2, 7]))
def test_a_bound_keeps_the_same_complete_set_whatever_the_order(
    words: list[bytes], most: int, task_work: int, n_workers: int
) -> None:
    truth = _truth(words, 1)
    supports = sorted({n for _, n in truth})
    fitting = [s for s in [*supports, supports[-1] + 1] if sum(n >= s for _, n in truth) <= most]
    tally = Tally(1, most, None)
    found = _explored(words, tally, Threads(n_workers, task_work))
    wanted = [(p, n) for p, n in truth if n >= min(fitting)]
    assert [(p, n) for p, n in found if n >= tally.least] == wanted
    assert (tally.stopped_by is None) == (len(truth) <= most)


def test_bytes_are_a_bound_too() -> None:
    words = [b"aaaa", b"aaab", b"b"]
    tally = Tally(1, 10**9, 6)  # a, aa and aaa take 1 + 2 + 3
    _explored(words, tally, Threads(1))
    assert (tally.least, tally.stopped_by) == (2, "memory_limit")


def test_tasks_are_cut_by_work() -> None:
    words = [bytes([97]) * 50]
    space = Words(words)
    with Watch() as watch:
        explore(space, _u8(b"a"), Threads(1, 10), Tally(1, 10**9, None), watch)
    assert space.n_runs >= 5


class Slow:
    def run(self, *task: Any, stop: NDArray[np.uint8]) -> tuple[int, Part, None]:
        while not stop[0]:
            time.sleep(0.005)
        return STOPPED, (), None

    def weigh(self, part: Part) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        raise AssertionError("nothing was found")


def test_the_watch_ends_a_search() -> None:
    started = time.monotonic()
    with pytest.raises(LateError), Watch(0.05) as watch:
        explore(Slow(), _u8(b"a"), Threads(2), Tally(1, 1, None), watch)
    assert watch.is_late and time.monotonic() - started < 5
    with pytest.raises(LateError), Watch(0.05) as watch:
        run_all(Slow(), [(1,), (2,)], Threads(2), watch)


class Failing(Slow):
    def run(self, *task: Any, stop: NDArray[np.uint8]) -> tuple[int, Part, None]:
        if task[-1] == "fail":
            raise KeyboardInterrupt
        return super().run(*task, stop=stop)


def test_an_error_tells_the_other_tasks_to_stop() -> None:
    with pytest.raises(KeyboardInterrupt), Watch() as watch:
        run_all(Failing(), [("fail",), ("go on",)], Threads(2), watch)


def test_fits_from() -> None:
    each = np.array([0, 5, 3, 1], np.int64)
    assert [fits_from(each, m) for m in (None, 9, 8, 4, 1, 0)] == [0, 0, 2, 2, 3, 4]


def test_impossible_bounds_are_refused() -> None:
    with pytest.raises(UsageError, match="time_limit_s must be more than 0"):
        Bounds(time_limit_s=0)
    with pytest.raises(UsageError, match=r"alone take 2\.0 MB"):
        Bounds(memory_limit_bytes=1_000_000).left_for_patterns(2_000_000)
    assert Bounds(memory_limit_bytes=3).left_for_patterns(1) == 2
