"""Rules for motifs: each by itself, then each recording's motifs, occurrences and counts against its phrases."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from motifdb import ids
from motifdb.config import MiningConfig
from motifdb.query.check.recordings import check_recordings
from motifdb.query.check.report import Analysis, Context, Violation

_BITS_PER_DECADE = math.log2(10)


def check_motifs(context: Context) -> Iterator[Violation]:
    """Rows of `motifs`, then everything that is about one recording."""
    for batch in context.snapshot.batches("motifs", batch_rows=8192):
        for row in batch.to_pylist():
            yield from _motif(context, row)
    yield from check_recordings(context)


def _motif(context: Context, row: dict[str, Any]) -> Iterator[Violation]:
    where = f"motif_id {row['motif_id']}"
    if any(row[n] is None for n in ("pattern", "analysis_id", "scope", "scope_key", "pattern_id")):
        return  # reported by the rule null
    pattern = row["pattern"]
    mining = context.load_analyses().get(row["analysis_id"])
    contour = context.load_analyses().get(mining.parent_id or "") if mining is not None else None
    yield from _pattern(row, where, contour)
    if row["motif_id"] != ids.motif_id(row["analysis_id"], row["scope"], row["scope_key"], row["pattern_id"]):
        yield Violation("motifs", "id", where, "its analysis, scope and pattern_id make another id")
    config = contour.contour if contour is not None else None
    if config is not None and None not in pattern:
        symbols = np.array(pattern, np.int8).tobytes()
        if row["pattern_id"] != ids.pattern_id(config.vocabulary, symbols, row["max_gap"]):
            yield Violation(
                "motifs", "id", where, f"pattern_id {row['pattern_id']} is not that of its pattern"
            )
    if mining is not None:
        yield from _limits(context, row, where, mining)
    yield from _statistics(row, where)


def _pattern(row: dict[str, Any], where: str, contour: Analysis | None) -> Iterator[Violation]:
    pattern = row["pattern"]
    text = " ".join(f"{s:+d}" for s in pattern if s is not None)
    if not pattern or row["length"] != len(pattern):
        yield Violation("motifs", "pattern", where, f"length {row['length']} with {len(pattern)} symbols")
    elif row["contour"] != text:
        yield Violation(
            "motifs", "pattern", where, f"contour {row['contour']!r} is not that of its pattern, {text!r}"
        )
    config = contour.contour if contour is not None else None
    most = len(config.bounds_cents) + 1 if config is not None else 127
    if any(s is None or s == 0 or abs(s) > most for s in pattern):
        yield Violation(
            "motifs", "pattern", where, f"its symbols are not all among -{most}..-1 and 1..{most}"
        )


def _limits(context: Context, row: dict[str, Any], where: str, mining: Analysis) -> Iterator[Violation]:
    config = mining.mining
    if config is None:
        return
    support = row["occurrences"] if config.support == "occurrences" else row[f"support_{config.support}"]
    least = _least(context, row, config, mining.parent_id or "")
    if row["scope"] != config.scope:
        yield Violation(
            "motifs", "limits", where, f"scope is {row['scope']}, its analysis has {config.scope}"
        )
    if row["max_gap"] != config.max_gap:
        yield Violation(
            "motifs", "limits", where, f"max_gap is {row['max_gap']}, its analysis has {config.max_gap}"
        )
    if support < least:
        share = f" ({config.min_support:.6g} of all)" if isinstance(config.min_support, float) else ""
        yield Violation("motifs", "limits", where, f"support {support} is below min_support {least}{share}")
    if not config.min_length <= row["length"] <= (config.max_length or row["length"]):
        text = f"length {row['length']} is not within {config.min_length} to {config.max_length} symbols"
        yield Violation("motifs", "limits", where, text)
    if config.max_duration_s is not None and row["duration_median_s"] > config.max_duration_s:
        text = f"median duration {row['duration_median_s']} s is above max_duration_s {config.max_duration_s}"
        yield Violation("motifs", "limits", where, text)
    if row["duration_median_s"] < config.min_duration_s:
        text = f"median duration {row['duration_median_s']} s is below min_duration_s {config.min_duration_s}"
        yield Violation("motifs", "limits", where, text)


def _least(context: Context, row: dict[str, Any], config: MiningConfig, contour_id: str) -> int:
    """The least support in a motif's scope; 1 where it is a share of what is no longer known."""
    if not isinstance(config.min_support, float):
        return config.min_support
    members: list[str] | None = [row["scope_key"]]
    if config.is_wide:
        scope = context.wide_scopes().get(row["analysis_id"])
        members = scope.recordings.get(row["scope_key"]) if scope is not None else None
    if members is None:
        return 1
    n_phrases = context.n_phrases(contour_id)
    sizes = [n for n in (n_phrases.get(r, 0) for r in members) if n]
    return config.least_support(sum(sizes), len(sizes))


def _statistics(row: dict[str, Any], where: str) -> Iterator[Violation]:
    log10_p, bits = row["log10_p"], row["surprise_bits"]
    if (log10_p is None) != (row["p_method"] is None) or (log10_p is None) != (bits is None):
        yield Violation(
            "motifs", "statistics", where, "log10_p, surprise_bits and p_method must all be null or none"
        )
        return
    for name, low, high in (
        ("log10_p", -math.inf, 0.0),
        ("q_value", 0.0, 1.0),
        ("expected_support", 0.0, math.inf),
        ("expected_occurrences", 0.0, math.inf),
        ("stability", 0.0, 1.0),
    ):
        value = row[name]
        if value is not None and not low <= value <= high:
            yield Violation(
                "motifs", "statistics", where, f"{name} is {value}, not within {low:g} to {high:g}"
            )
    if log10_p is not None and not math.isclose(
        bits, -log10_p * _BITS_PER_DECADE, rel_tol=1e-6, abs_tol=1e-6
    ):
        yield Violation(
            "motifs", "statistics", where, f"surprise of {bits} bits does not follow from log10_p {log10_p}"
        )
