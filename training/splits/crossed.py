"""Crossed splits: parts that are complete tables of singers and works, with no singer and no work in two of them.

What a network has learnt of singers can be told from what it has learnt of songs only where every singer of a part sang every
work of that part, and where those who test are new in both. DAMP-balanced is such a division: 6, 4 and 4 works, sung
by 46, 22 and 56 singers (siamese-2018). Here it is looked for in any corpus, which means a choice of works and of singers
at once: a mixed-integer program, given to HiGHS through SciPy. Singers who sang the same works are one variable, so thousands of
singers of few works cost as much as their distinct sets of works.

**What is maximised**: the sum over parts of share x log(singers in it x works in it), which divides singers who could be
anywhere by their shares (one half trains) and wastes none who can be in one part alone. The paper's division follows its list
of songs and says nothing of how singers came to their parts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from motifdb.errors import UsageError

FEWEST = 2
"""Works, and singers, of a part at least: with one work nobody has two recordings, with one singer nobody another."""

SINGER_SHARES = (0.5, 0.25, 0.25)
WORK_SHARES = (6, 4, 4)
"""What of all works go to each part where nothing else is asked: as in DAMP-balanced."""

MOST_WORKS = 20
"""Works up to which every size of table is tried where none is asked for."""

_TIME_LIMIT_S = 30.0
_FINE = 64
_PARTS = ("train", "valid", "test")


@dataclass(frozen=True)
class Crossing:
    """Complete tables.

    Attributes
    ----------
    singers, works : by name, the part (0 train, 1 valid, 2 test) of each that is in one
    is_best : whether the solver proved that no better division exists
    """

    singers: Mapping[str, int]
    works: Mapping[str, int]
    is_best: bool = True

    def sizes(self) -> list[tuple[int, int]]:
        """Singers and works of each part."""
        return [
            (
                sum(p == part for p in self.singers.values()),
                sum(p == part for p in self.works.values()),
            )
            for part in range(3)
        ]


def cross(
    cells: set[tuple[str, str]],
    works: tuple[int, int, int] | None = None,
    singers: tuple[int, int, int] | None = None,
    *,
    seed: int = 0,
    names: tuple[str, str] = ("singer", "work"),
) -> Crossing:
    """Divide singers and works.

    Parameters
    ----------
    cells : who sang what
    works : how many works each part has; None: the size of table that keeps most, shared as 6/4/4
    singers : how many singers each part has; None: as many as there are, half of those who are free train
    seed : which of equally good divisions is taken
    names : what singers and works are called in sentences

    Raises
    ------
    UsageError
        where there are too few works or singers, or no such tables in what was sung.
    """
    sung: dict[str, set[str]] = {}
    for singer, work in cells:
        sung.setdefault(singer, set()).add(work)
    all_works = sorted({work for _, work in cells})
    _require_enough(sung, all_works, works, singers, names)
    heard = {w: sum(w in own for own in sung.values()) for w in all_works}
    usable = [w for w in all_works if heard[w] >= FEWEST]
    rng = np.random.default_rng([seed, 7])
    order = [usable[i] for i in rng.permutation(len(usable))]
    index = {w: i for i, w in enumerate(order)}
    kinds: dict[frozenset[int], list[str]] = {}
    for singer in sorted(sung):
        own = frozenset(index[w] for w in sung[singer] if w in index)
        if len(own) >= FEWEST:
            kinds.setdefault(own, []).append(singer)
    sizes = [works] if works is not None else _sizes(len(order))
    best: tuple[float, _Solved] | None = None
    for size in sizes:
        n_each = [len(alike) for alike in kinds.values()]
        limit_s = max(2.0, _TIME_LIMIT_S / len(sizes))
        solved = _solve(list(kinds), n_each, len(order), size, singers, limit_s)
        if solved is not None and (best is None or solved.value > best[0] + 1e-9):
            best = (solved.value, solved)
    if best is None:
        raise UsageError(_none_sentence(kinds, order, works, singers, names))
    found = best[1]
    part_of: dict[str, int] = {}
    for alike, counts in zip(kinds.values(), found.counts.tolist(), strict=True):
        drawn = [alike[i] for i in rng.permutation(len(alike))]
        for part, n in enumerate(counts):
            part_of |= dict.fromkeys(drawn[:n], part)
            drawn = drawn[n:]
    return Crossing(
        dict(sorted(part_of.items())),
        {w: int(p) for w, p in sorted(zip(order, found.part.tolist(), strict=True)) if p >= 0},
        found.is_best,
    )


def _require_enough(
    sung: Mapping[str, set[str]],
    all_works: Sequence[str],
    works: tuple[int, int, int] | None,
    singers: tuple[int, int, int] | None,
    names: tuple[str, str],
) -> None:
    """Refuse what no division can be made of, before looking for one."""
    who, what = names
    for wanted, n, name, option in (
        (works, len(all_works), what, "--works"),
        (singers, len(sung), who, "--singers"),
    ):
        if wanted is not None and sum(wanted) > n:
            shown = "/".join(map(str, wanted))
            raise UsageError(
                f"{option} {shown} asks for {sum(wanted)} values of {name}, and there are {n}; ask for fewer"
            )
    alone = [s for s, own in sung.items() if len(own) < FEWEST]
    if len(alone) == len(sung):
        raise UsageError(
            f"nothing is crossed: each of the {len(sung)} values of {who} has one value of {what}, so nobody sang two"
            f" works; a crossed split needs {who}s who sang the same {what}s"
        )
    shared = [w for w in all_works if sum(w in own for own in sung.values()) >= FEWEST]
    if not shared:
        raise UsageError(
            f"nothing is crossed: no value of {what} is shared by two values of {who} ({len(sung)} and"
            f" {len(all_works)} there are); a crossed split needs {who}s who sang the same {what}s"
        )


def _sizes(n_works: int) -> list[tuple[int, int, int]]:
    """Sizes to try, in works of each part, the largest table first."""
    found = []
    for n in range(min(n_works, MOST_WORKS), 3 * FEWEST - 1, -1):
        side = max(FEWEST, n * WORK_SHARES[1] // sum(WORK_SHARES))
        found.append((n - 2 * side, side, side))
    return found


@dataclass(frozen=True)
class _Solved:
    """Part of each work (-1: none), singers of each kind in each part, the sum that was maximised."""

    part: NDArray[np.int64]
    counts: NDArray[np.int64]
    value: float
    is_best: bool


def _solve(
    kinds: Sequence[frozenset[int]],
    n_each: Sequence[int],
    n_works: int,
    works: tuple[int, int, int],
    singers: tuple[int, int, int] | None,
    limit_s: float = 5.0,
) -> _Solved | None:
    """The best division into parts with so many works; None where there is none.

    Variables: x[w, p], whether work w is in part p; y[q, p], singers of kind q in part p; z[p, j], how much of the j-th
    step of singers part p fills, whose worth falls as a logarithm's does. A singer who did not sing w is in no part that
    has it: y[q, p] + n_q x[w, p] <= n_q.
    """
    from scipy.optimize import Bounds, LinearConstraint, milp
    from scipy.sparse import csr_array

    parts = [p for p in range(3) if works[p] > 0]
    if not kinds or n_works < sum(works):
        return None
    n_parts, n_kinds = len(parts), len(kinds)
    steps = _steps(sum(n_each))
    width, slope = np.diff(steps), np.diff(np.log(np.maximum(steps, 0.5))) / np.diff(steps)
    x0, y0, z0 = 0, n_works * n_parts, (n_works + n_kinds) * n_parts
    n = z0 + n_parts * len(width)
    rows: list[tuple[list[int], list[float], float, float]] = []
    for w in range(n_works):
        rows.append(([x0 + w * n_parts + p for p in range(n_parts)], [1.0] * n_parts, 0, 1))
    for q, count in enumerate(n_each):
        rows.append(([y0 + q * n_parts + p for p in range(n_parts)], [1.0] * n_parts, 0, count))
    upper = np.concatenate(
        [np.ones(y0), np.repeat(np.asarray(n_each, float), n_parts), np.tile(width, n_parts)]
    )
    for p, part in enumerate(parts):
        rows.append(
            ([x0 + w * n_parts + p for w in range(n_works)], [1.0] * n_works, works[part], works[part])
        )
        own = [y0 + q * n_parts + p for q in range(n_kinds)]
        least, most = (FEWEST, np.inf) if singers is None else (singers[part], singers[part])
        rows.append((own, [1.0] * n_kinds, least, most))
        filled = [z0 + p * len(width) + j for j in range(len(width))]
        rows.append((own + filled, [1.0] * n_kinds + [-1.0] * len(width), 0, 0))
        for q, (kind, count) in enumerate(zip(kinds, n_each, strict=True)):
            if len(kind) < works[part]:
                upper[y0 + q * n_parts + p] = 0
                continue
            for w in set(range(n_works)) - kind:
                rows.append(
                    ([y0 + q * n_parts + p, x0 + w * n_parts + p], [1.0, float(count)], -np.inf, count)
                )
    cost = np.zeros(n)
    for p, part in enumerate(parts):
        cost[z0 + p * len(width) : z0 + (p + 1) * len(width)] = -SINGER_SHARES[part] * slope
    at = np.repeat(np.arange(len(rows)), [len(r[0]) for r in rows])
    matrix = csr_array(
        (np.concatenate([r[1] for r in rows]), (at, np.concatenate([r[0] for r in rows]))),
        shape=(len(rows), n),
    )
    found = milp(
        cost,
        integrality=np.arange(n) < z0,
        bounds=Bounds(0, upper),
        constraints=LinearConstraint(matrix, [r[2] for r in rows], [r[3] for r in rows]),
        options={"time_limit": limit_s},
    )
    if found.x is None:
        return None
    chosen = np.round(found.x).astype(np.int64)
    placed = chosen[:y0].reshape(n_works, n_parts)
    part_of = np.full(n_works, -1, np.int64)
    for p, part in enumerate(parts):
        part_of[placed[:, p] == 1] = part
    counts = np.zeros((n_kinds, 3), np.int64)
    counts[:, parts] = chosen[y0:z0].reshape(n_kinds, n_parts)
    worth = sum(SINGER_SHARES[p] * np.log(max(counts[:, p].sum(), 1) * works[p]) for p in parts)
    return _Solved(part_of, counts, float(worth), found.status == 0)


def _steps(n_singers: int) -> NDArray[np.float64]:
    """Numbers of singers between which worth is taken as linear: each up to 64, then a twelfth further each time."""
    steps = list(range(min(n_singers, _FINE) + 1))
    while steps[-1] < n_singers:
        steps.append(min(n_singers, steps[-1] + steps[-1] // 12))
    return np.array(steps, float)


def _none_sentence(
    kinds: Mapping[frozenset[int], Sequence[str]],
    order: Sequence[str],
    works: tuple[int, int, int] | None,
    singers: tuple[int, int, int] | None,
    names: tuple[str, str],
) -> str:
    """Why there are no such tables, and what there is."""
    who, what = names
    wanted = "2/2/2" if works is None else "/".join(map(str, works))
    with_singers = "" if singers is None else f" and {'/'.join(map(str, singers))} of {who}"
    head = (
        f"there are no complete tables of {wanted} values of {what}{with_singers}, with {FEWEST} values of {who} in each that"
        f" sang all of them: {sum(map(len, kinds.values()))} values of {who} have two or more of the {len(order)} values of"
        f" {what} that several share"
    )
    n_each = [len(s) for s in kinds.values()]
    for size in _sizes(min(len(order), sum(works) if works else 0)):
        if size != works and _solve(list(kinds), n_each, len(order), size, None) is not None:
            return f"{head}; --works {'/'.join(map(str, size))} is possible"
    return f"{head}; nor is --works 2/2/2 possible" if works not in (None, (2, 2, 2)) else head
