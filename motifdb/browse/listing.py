"""The list of motifs: which ones were asked for, as SQL with parameters, a page at a time."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from motifdb.browse import forms
from motifdb.browse.reading import Reading
from motifdb.errors import NotFoundError, UsageError, nearest
from motifdb.query.views import STANDARD_LABELS

ROWS, MOST_ROWS = 50, 200

ORDERS = {
    "surprise": "m.log10_p nulls last, m.length desc, m.motif_id",
    "occurrences": "m.occurrences desc, m.log10_p nulls last, m.motif_id",
    "recordings": "m.support_recordings desc, m.occurrences desc, m.motif_id",
    "length": "m.length desc, m.log10_p nulls last, m.motif_id",
    "duration": "m.duration_median_s desc, m.motif_id",
    "contour": "m.contour, m.motif_id",
}
"""How a list can be sorted; each ends in the key, so that pages never overlap."""

HOWS = {
    "contains": "contains(' ' || m.contour || ' ', ' ' || $contour || ' ')",
    "begins": "starts_with(m.contour || ' ', $contour || ' ')",
    "exact": "m.contour = $contour",
}
"""How a contour that is searched for must lie in a motif's: whole symbols, never parts of one."""

_COLUMNS = (
    "m.motif_id, m.contour, m.length, m.occurrences, m.support_recordings, m.duration_median_s,"
    " m.surprise_bits, m.q_value, m.scope, m.scope_key"
)


@dataclass(frozen=True)
class Analysis:
    """A mining analysis that the list can show: its id, name, and what was mined together."""

    analysis_id: str
    name: str
    scope: str
    motifs: int


@dataclass(frozen=True)
class Wanted:
    """What the form of the list asks for.

    Attributes
    ----------
    contour : whole symbols; empty means any
    how : a key of `HOWS`
    recording : part of a file's path, or the beginning of a recording_id
    labels : value by name of label
    shortest, longest : symbols
    q : largest q-value
    order : a key of `ORDERS`
    page, rows : from 1; how many on a page
    """

    contour: str
    how: str
    recording: str
    labels: Mapping[str, str]
    shortest: int | None
    longest: int | None
    q: float | None
    order: str
    page: int
    rows: int

    @property
    def is_filtered(self) -> bool:
        """Whether anything narrows the list."""
        narrowed = self.shortest, self.longest, self.q
        return bool(self.contour or self.recording or self.labels) or any(v is not None for v in narrowed)


def wanted(given: Mapping[str, str], labels: Mapping[str, object]) -> Wanted:
    """Read the form; `labels` are the names there are.

    Raises
    ------
    UsageError
        for a contour, number or word that is none.
    """
    text = given.get("contour", "").strip()
    contour = forms.contour(text) if text else ""
    if contour is None:
        raise UsageError(
            f"{text[:40]!r} is neither a contour such as '+1 -2 +1' nor the beginning of a motif's id"
        )
    shortest, longest = (forms.whole(given, name, 0, at_least=0) or None for name in ("shortest", "longest"))
    return Wanted(
        contour,
        forms.chosen(given, "how", HOWS),
        given.get("recording", "").strip(),
        {name: given[f"label.{name}"] for name in labels if given.get(f"label.{name}")},
        shortest,
        longest,
        forms.number(given, "q"),
        forms.chosen(given, "sort", ORDERS),
        forms.whole(given, "page", 1),
        forms.whole(given, "rows", ROWS, at_most=MOST_ROWS),
    )


def analyses(reading: Reading) -> list[Analysis]:
    """The mining analyses, newest first."""
    rows = reading.rows(
        "select analysis_id, any_value(name) as name, any_value(parameters) as parameters,"
        " max(created_at) as made, coalesce(sum(n_rows), 0)::bigint as motifs from analyses left join coverage using (analysis_id)"
        " where kind = 'mining' group by analysis_id order by made desc, analysis_id"
    )
    return [
        Analysis(
            r["analysis_id"], r["name"], json.loads(r["parameters"]).get("scope", "recording"), r["motifs"]
        )
        for r in rows
    ]


def choose_analysis(all_: list[Analysis], wanted_id: str) -> Analysis | None:
    """The analysis a page shows: the one named, else the newest that found something; None where there is none.

    Raises
    ------
    NotFoundError
        for an id that there is not.
    """
    if wanted_id:
        for analysis in all_:
            if analysis.analysis_id == wanted_id:
                return analysis
        raise NotFoundError(
            f"there is no mining analysis {wanted_id[:40]!r}; {nearest(wanted_id, [a.analysis_id for a in all_])}"
            if all_
            else "nothing has been mined yet; `motifdb ingest` or `motifdb mine` does"
        )
    return next((a for a in all_ if a.motifs), all_[0] if all_ else None)


def label_choices(reading: Reading, most_values: int = 400) -> dict[str, list[str]]:
    """Values by name of label, standard labels first; a label with too many values has none listed.

    Labels that name single recordings or measure them (more than twenty different numbers) sort nobody, and are left
    out; singer, style, title, work and artist never are.
    """
    rows = reading.rows(
        "select label, count(distinct value) as n, case when count(distinct value) <= $most"
        " then list_sort(list(distinct value)) else [] end as label_values,"
        " 2 * count(distinct value) > count(distinct recording_id)"
        " or (count(distinct value) > 20 and bool_and(try_cast(value as double) is not null)) as says_little"
        " from recording_labels group by label",
        {"most": most_values},
    )
    found = {
        r["label"]: r["label_values"]
        for r in rows
        if r["n"] > 1 and (r["label"] in STANDARD_LABELS or not r["says_little"])
    }
    order = [name for name in STANDARD_LABELS if name in found]
    return {name: found[name] for name in [*order, *sorted(set(found) - set(order))]}


def conditions(asked: Wanted, analysis: Analysis) -> tuple[str, dict[str, Any]]:
    """What must hold for a motif `m`, and the values of its parameters."""
    holds = ["m.analysis_id = $analysis"]
    bound: dict[str, Any] = {"analysis": analysis.analysis_id}
    if asked.contour:
        holds.append(HOWS[asked.how])
        bound["contour"] = asked.contour
    if asked.recording:
        bound["recording"] = asked.recording.lower()
        named = (
            "select recording_id from files where recording_id is not null"
            " and (contains(lower(path), $recording) or starts_with(recording_id, $recording))"
        )
        holds.append(_sounds_in(named, analysis))
    for i, (label, value) in enumerate(asked.labels.items()):
        bound[f"label{i}"], bound[f"value{i}"] = label, value
        if label == analysis.scope:
            holds.append(f"m.scope_key = $value{i} and $label{i} = m.scope")
            continue
        named = (
            f"select recording_id from recording_labels where label = $label{i} and value = $value{i}"
            " and not is_conflict"
        )
        holds.append(_sounds_in(named, analysis))
    for name, limit, test in (
        ("shortest", asked.shortest, "m.length >= $shortest"),
        ("longest", asked.longest, "m.length <= $longest"),
        ("q", asked.q, "m.q_value <= $q"),
    ):
        if limit is not None:
            holds.append(test)
            bound[name] = limit
    return " and ".join(holds), bound


def _sounds_in(recordings: str, analysis: Analysis) -> str:
    """A motif was found in these recordings, or (where several were mined together) occurs in one of them."""
    if analysis.scope == "recording":
        return f"m.scope_key in ({recordings})"
    return (
        "m.pattern_id in (select pattern_id from pattern_counts where analysis_id = $analysis and occurrences > 0"
        f" and recording_id in ({recordings}))"
    )


def motifs(reading: Reading, asked: Wanted, analysis: Analysis) -> tuple[list[dict[str, Any]], int]:
    """One page of the list, and how many motifs there are on all pages."""
    where, values = conditions(asked, analysis)
    counted = reading.row(f"select count(*) as n from motifs m where {where}", values)
    rows = reading.rows(
        f"select {_COLUMNS} from motifs m where {where} order by {ORDERS[asked.order]}"
        f" limit {asked.rows} offset {(asked.page - 1) * asked.rows}",
        values,
    )
    paths = paths_of(reading, {r["scope_key"] for r in rows if r["scope"] == "recording"})
    for row in rows:
        key = row["scope_key"]
        row["where"] = paths.get(key, key[:8]) if row["scope"] == "recording" else _scope_text(row)
        row["recording_id"] = key if row["scope"] == "recording" else None
    assert counted is not None
    return rows, int(counted["n"])


def _scope_text(row: Mapping[str, Any]) -> str:
    return "all recordings" if row["scope"] == "corpus" else f"{row['scope']} {row['scope_key']}"


def paths_of(reading: Reading, recording_ids: set[str]) -> dict[str, str]:
    """A file's path, the first by name, of each recording."""
    if not recording_ids:
        return {}
    rows = reading.rows(
        "select recording_id, min(path) as path from files where recording_id in (select unnest($ids))"
        " group by recording_id",
        {"ids": sorted(recording_ids)},
    )
    return {r["recording_id"]: r["path"] for r in rows}
