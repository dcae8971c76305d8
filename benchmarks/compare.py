"""How often does `motifdb compare` call a difference where there is none, and how strong must one be to be called?

Real counts, real lengths of recordings, real sizes of groups; only who has which label is dealt out anew, again and again.
Whatever is called then is called wrongly: printed are the share of all tests that are, and of all shuffles in which any is, with
Clopper-Pearson intervals. Beside them, what the same numbers would be without correction (p <= 0.05), and were occurrences
taken for witnesses (a binomial test of a group's share of all occurrences). Then power: under shuffled labels, ten patterns
are sung more in one group, by so many occurrences a minute; printed are the share of these that is called, and the share of
what is called that was not planted (mean over trials, 0 where nothing is; patterns that contain a planted one stay as they
are).

    python benchmarks/compare.py makam.motifdb --by style
    python benchmarks/compare.py songs.motifdb --by singer --shuffles 50 --analysis style-2021
"""

from __future__ import annotations

import argparse
import platform
import time
from dataclasses import replace

import numpy as np

import motifdb
from motifdb.query.compare.comparison import CALLED, compare_counts
from motifdb.query.compare.counted import (
    Counted,
    count_in_units,
    counted_recordings,
    find_mined,
    phrase_minutes,
)
from motifdb.query.compare.units import Units, make_units
from motifdb.query.scopes import label_values

PLANTED = 10


def read(path: str, by: str, unit: str | None, analysis: str | None) -> tuple[Units, Counted, object]:
    """Who would be compared, and the counts."""
    with motifdb.open(path) as database:
        snapshot = database.snapshot
        mined = find_mined(snapshot, analysis, by)
        labels = label_values(snapshot.table("files").to_pylist())
        minutes = phrase_minutes(snapshot, mined.contour_id)
        there = [r for r in counted_recordings(snapshot, mined) if r in minutes]
        units = make_units(labels, there, by, None, None, unit)
        return units, count_in_units(snapshot, mined, units.unit_of, minutes, len(units.names)), mined


def share(k: int, n: int) -> str:
    """A share with its 95 % Clopper-Pearson interval."""
    from scipy.stats import beta

    low = 0.0 if k == 0 else float(beta.ppf(0.025, k, n - k + 1))
    high = 1.0 if k == n else float(beta.ppf(0.975, k + 1, n - k))
    return f"{100 * k / n:.1f} % [{100 * low:.1f}, {100 * high:.1f}]"


def naive_calls(units: Units, counted: Counted) -> int:
    """Tests called where every occurrence is taken for a witness of its own, with the same correction."""
    from scipy.stats import binomtest

    from motifdb.kernels.q_values import benjamini_hochberg

    p = []
    for g in units.tested:
        part = counted.minutes[units.group == g].sum() / counted.minutes.sum()
        for begin, end in zip(counted.begin[:-1], counted.begin[1:], strict=True):
            times = counted.occurrences[begin:end]
            inside = times[units.group[counted.unit[begin:end]] == g].sum()
            p.append(binomtest(int(inside), int(times.sum()), float(part)).pvalue)
    q = benjamini_hochberg(np.log(np.array(p)), len(p))
    return int((q <= CALLED).sum())


def shuffled(units: Units, rng: np.random.Generator) -> Units:
    """The same units, labels dealt out anew."""
    return replace(units, group=rng.permutation(units.group))


def under_null(
    units: Units, counted: Counted, mined: object, statistic: str, n: int, seed: int
) -> tuple[str, float]:
    """One row of the first table, and seconds of one comparison."""
    rng = np.random.default_rng(seed)
    n_called = n_tests = n_any = n_p = n_naive = n_naive_any = n_naive_tests = 0
    spent_s = 0.0
    for i in range(n):
        own = shuffled(units, rng)
        start_s = time.process_time()
        found = compare_counts(own, mined, counted, statistic=statistic, seed=i, n=0)  # type: ignore[arg-type]
        spent_s += time.process_time() - start_s
        n_called += found.n_called
        n_tests += found.n_tests
        n_any += found.n_called > 0
        n_p += int((found.table.column("p").to_numpy() <= CALLED).sum())
        if statistic == "rate" and i < 5:
            naive = naive_calls(own, counted)
            n_naive += naive
            n_naive_any += naive > 0
            n_naive_tests += len(counted.pattern_id) * len(own.tested)
    naive_text = (
        f"{100 * n_naive / n_naive_tests:.1f} %, in {n_naive_any} of {min(n, 5)}" if n_naive_tests else ""
    )
    return (
        f"| {units.by}, {len(units.tested)} of {len(units.groups)} groups | {statistic} | {n} | {n_tests // n:,} |"
        f" {100 * n_called / n_tests:.3f} % | {share(n_any, n)} | {100 * n_p / n_tests:.2f} % | {naive_text} |",
        spent_s / n,
    )


def with_planted(
    units: Units, counted: Counted, group: int, per_minute: float, rng: np.random.Generator
) -> tuple[Counted, set[str]]:
    """Counts in which some patterns are sung more by one group."""
    n_units = len(units.names)
    dense = np.zeros((len(counted.pattern_id), n_units), np.int64)
    owner = np.repeat(np.arange(len(counted.pattern_id)), np.diff(counted.begin))
    dense[owner, counted.unit] = counted.occurrences
    chosen = rng.choice(len(dense), min(PLANTED, len(dense)), replace=False)
    own = np.flatnonzero(units.group == group)
    dense[np.ix_(chosen, own)] += rng.poisson(per_minute * counted.minutes[own], (len(chosen), len(own)))
    pattern, unit = np.nonzero(dense)
    begin = np.searchsorted(pattern, np.arange(len(dense) + 1)).astype(np.int64)
    made = replace(counted, begin=begin, unit=unit.astype(np.int32), occurrences=dense[pattern, unit])
    return made, {counted.pattern_id[i] for i in chosen.tolist()}


def power(
    units: Units, counted: Counted, mined: object, statistic: str, rates: list[float], n: int, seed: int
) -> list[str]:
    """Rows of the second table."""
    rng = np.random.default_rng(seed)
    sizes = units.sizes
    rows = []
    for per_minute in rates:
        n_found = n_planted = 0
        false_share = 0.0
        for i in range(n):
            own = shuffled(units, rng)
            group = int(rng.choice(units.tested))
            made, planted = with_planted(own, counted, group, per_minute, rng)
            found = compare_counts(own, mined, made, statistic=statistic, seed=i, n=0).table  # type: ignore[arg-type]
            called = found.filter(np.asarray(found.column("q")) <= CALLED).to_pylist()
            n_planted += len(planted)
            n_found += len({r["pattern_id"] for r in called if r["group"] == units.groups[group]} & planted)
            # an excess of one group is a lack of all others, so what is said of a planted pattern is never false
            n_false = sum(r["pattern_id"] not in planted for r in called)
            false_share += n_false / max(len(called), 1) / n
        smallest, largest = sizes[units.tested].min(), sizes[units.tested].max()
        rows.append(
            f"| {units.by} ({smallest} to {largest} of {len(units.names)} {units.unit}s) | {statistic} | {per_minute:g} |"
            f" {share(n_found, n_planted)} | {100 * false_share:.1f} % |"
        )
    return rows


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("database")
    parser.add_argument("--by", nargs="+", default=["style"])
    parser.add_argument("--unit")
    parser.add_argument("--analysis")
    parser.add_argument("--shuffles", type=int, default=200)
    parser.add_argument("--rates", type=float, nargs="*", default=[0.125, 0.25, 0.5, 1.0, 2.0])
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    read_by = {by: read(args.database, by, args.unit, args.analysis) for by in args.by}
    first = read_by[args.by[0]]
    print(
        f"{args.database}: {len(first[0].unit_of):,} recordings, {first[1].minutes.sum() / 60:.1f} h of phrases,"
        f" {len(first[1].pattern_id):,} kept patterns; {platform.machine()}, Python {platform.python_version()}\n"
    )
    print(
        "| labels shuffled | statistic | shuffles | tests | called at q <= 0.05 | shuffles with any call |",
        end="",
    )
    print(
        " p <= 0.05 | called, and shuffles with a call, if occurrences were units |\n|---|---|---|---|---|---|---|---|"
    )
    spent = []
    for units, counted, mined in read_by.values():
        for statistic in ("rate", "share"):
            row, seconds = under_null(units, counted, mined, statistic, args.shuffles, args.seed)
            spent.append(f"{units.by} {statistic} {seconds:.2f} s")
            print(row, flush=True)
    print(f"\nCPU time of one comparison: {', '.join(spent)}.\n")
    print(
        "| planted in one group | statistic | more a minute | planted and called | of the called not planted |"
    )
    print("|---|---|---|---|---|")
    for units, counted, mined in read_by.values():
        for statistic in ("rate", "share"):
            n = max(5, args.shuffles // 10)
            print("\n".join(power(units, counted, mined, statistic, args.rates, n, args.seed)), flush=True)


if __name__ == "__main__":
    main()
