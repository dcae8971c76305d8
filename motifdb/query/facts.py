"""What is known of a motif, a family or a recording, as names and values for people."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from motifdb.plots import PitchCurve

if TYPE_CHECKING:
    from motifdb.query.database import Database


def motif_facts(motif: Mapping[str, Any], analysis: str) -> list[tuple[str, str]]:
    """What is known of a motif, as text."""
    gap = {0: "no symbol skipped", None: "any number of symbols skipped"}
    n = motif["max_gap"]
    rows = [
        ("contour", f"{motif['contour']}   ({counted(motif['length'], 'symbol')}, {gap.get(n, f'at most {n} skipped between two')})"),
        ("motif_id", motif["motif_id"]),
        ("mined in", f"{motif['scope']} {motif['scope_key']}".replace("corpus all", "the whole corpus") + f" by analysis {analysis} ({motif['analysis_id'][:8]})"),
        ("occurrences", f"{motif['occurrences']:,}, {motif['occurrences_nonoverlapping']:,} of them without overlap"),
        ("support", f"{counted(motif['support_sequences'], 'phrase')} in {counted(motif['support_recordings'], 'recording')}"),
        ("duration", f"median {motif['duration_median_s']:.2f} s, {motif['duration_min_s']:.2f} to {motif['duration_max_s']:.2f} s"),
    ]  # fmt: skip
    if motif["expected_occurrences"] is not None:
        rows.append(
            ("expected", f"{_number(motif['expected_occurrences'])} occurrences under the null model")
        )
    if motif["log10_p"] is not None:
        how = f"   ({motif['p_method']})" if motif["p_method"] else ""
        rows.append(("log10 p", f"{motif['log10_p']:.2f}{how}"))
        rows.append(("q", _number(motif["q_value"])))
        rows.append(("surprise", f"{_number(motif['surprise_bits'])} bit"))
    measured = motif["stability"] is not None
    rows.append(
        ("stability", f"{motif['stability']:.2f}" if measured else "not measured; `motifdb stability` does")
    )
    return rows


def family_facts(family: Mapping[str, Any], analysis: str) -> list[tuple[str, str]]:
    """What is known of a family, as text."""
    own = f"{family['scope']} {family['scope_key']}".replace("corpus all", "the whole corpus")
    return [
        ("family_id", family["family_id"]),
        ("found in", f"{own} by analysis {analysis} ({family['analysis_id'][:8]})"),
        ("members", f"{family['size']:,} in {counted(family['recordings'], 'recording')}"),
        ("exemplar", f"member {family['exemplar']}"),
        ("duration", f"median {family['duration_median_s']:.2f} s"),
        ("distance", f"median {_number(family['distance_median_cents'])} cents to the exemplar, "
                     f"at most {_number(family['threshold_cents'])}"),
    ]  # fmt: skip


def recording_facts(
    database: Database, row: Mapping[str, Any], pitch: PitchCurve, n_phrases: int
) -> list[tuple[str, str]]:
    """What is known of a recording, as text."""
    labels = database.sql(
        "select label, string_agg(distinct value, ' / ' order by value) as value from recording_labels"
        " where recording_id = $id group by label order by label",
        {"id": row["recording_id"]},
    ).rows()
    rows = [("recording_id", row["recording_id"])]
    rows += [(r["label"], str(r["value"])) for r in labels[:12]]
    sound = f"{row['sample_rate_hz']:,} Hz" if row["sample_rate_hz"] else "no sound, an f0 track"
    rows.append(("duration", f"{row['duration_s']:.1f} s, {row['codec']}, {sound}"))
    voiced = pitch.cents[pitch.f0_hz > 0]
    if voiced.size:
        low, middle, high = np.percentile(voiced, (2, 50, 98))
        rows.append(("voiced", f"{voiced.size / pitch.f0_hz.size:.0%} of {pitch.f0_hz.size:,} frames"))
        rows.append(
            (
                "pitch",
                f"median {440 * 2 ** (middle / 1200):.1f} Hz; 96 % of it within {high - low:,.0f} cents",
            )
        )
    else:
        rows.append(("voiced", f"no frame of {pitch.f0_hz.size:,}"))
    rows.append(("phrases", f"{n_phrases:,}"))
    if row["warning"]:
        rows.append(("warning", row["warning"]))
    return rows


def counted(n: int, noun: str) -> str:
    """A number with its noun.

    >>> counted(1, "phrase"), counted(1200, "phrase")
    ('1 phrase', '1,200 phrases')
    """
    return f"{n:,} {noun}{'s' * (n != 1)}"


def _number(value: float | None) -> str:
    if value is None or not math.isfinite(value):
        return "unknown"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
