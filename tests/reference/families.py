"""Plain versions of the kernels behind families: full tables, no bounds, no tricks."""

from __future__ import annotations

from motifdb.kernels.dtw_banded import REST

FAR = 2**62


def frame_cost(a: int, b: int, cap: int) -> int:
    """Cost of two frames in whole cents."""
    if a == REST or b == REST:
        return 0 if a == b else cap
    return min(abs(a - b), cap)


def banded_total(x: list[int], y: list[int], band: int, cap: int) -> int:
    """Least total of a path from corner to corner; a step along both melodies counts its cell twice."""
    n, m = len(x), len(y)
    table = [[FAR] * m for _ in range(n)]
    for i in range(n):
        for j in range(m):
            is_inside = abs(i * m - j * n) <= band * max(n, m)
            if not (is_inside or (i == 0 and j == 0) or (i == n - 1 and j == m - 1)):
                continue
            cost = frame_cost(x[i], y[j], cap)
            if i == 0 and j == 0:
                table[i][j] = 2 * cost
                continue
            ways = []
            if i > 0 and j > 0:
                ways.append(table[i - 1][j - 1] + 2 * cost)
            if i > 0:
                ways.append(table[i - 1][j] + cost)
            if j > 0:
                ways.append(table[i][j - 1] + cost)
            table[i][j] = min(FAR, *ways, FAR)
    return table[n - 1][m - 1]


def places_within(
    query: list[int], line: list[int], starts: list[int], shifts: list[int], band: int, cap: int, limit: int
) -> list[tuple[int, int]]:
    """Index into `starts` and total of every place within `limit`."""
    found = []
    for k, (start, shift) in enumerate(zip(starts, shifts, strict=True)):
        moved = [a if a == REST else a + shift for a in query]
        total = banded_total(moved, line[start : start + len(query)], band, cap)
        if total <= limit:
            found.append((k, total))
    return found


def clashes(first: list[int], n: int, taken: list[tuple[int, int]], share: float, slack: float) -> list[bool]:
    """Which stretches are the same as one that is taken, or straddle an end of one."""
    out = []
    for a in first:
        b = a + n
        clash = False
        for c, d in taken:
            common = min(b, d) - max(a, c)
            same = common > share * n and common > share * (d - c)
            nested = (a >= c - slack and b <= d + slack) or (c >= a - slack and d <= b + slack)
            clash = clash or same or (common > slack and not nested)
        out.append(clash)
    return out


def frame_medians(cents: list[float | None], per_frame: int) -> list[int | None]:
    """Lower median of each whole frame, to the whole cent; None where fewer than half are voiced."""
    out: list[int | None] = []
    for f in range(len(cents) // per_frame):
        values = sorted(c for c in cents[f * per_frame : (f + 1) * per_frame] if c is not None)
        if not values or 2 * len(values) < per_frame:
            out.append(None)
        else:
            out.append(int((values[(len(values) - 1) // 2] + 0.5) // 1))
    return out
