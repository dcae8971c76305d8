"""l3-2019's answer as tables: the domain matrix, accuracy against pairs seen, embeddings on their folds, design choices and paired tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from motifdb.training.experiments.comparisons import LEVEL, Comparison, Judged, choice_means, compare_all
from motifdb.training.experiments.downstream_job import PROTOCOL, accuracy_by_fold, pooled_accuracy
from motifdb.training.experiments.measured import Measured, gather, spread
from motifdb.training.experiments.published_l3 import (
    DIMINISHING,
    DOMAIN_MATRIX,
    NOTES,
    SOURCE,
    PublishedCorpus,
    recognise,
)

if TYPE_CHECKING:
    from motifdb.catalog.store import Snapshot
    from motifdb.training.experiments.downstream_job import Wanted
    from motifdb.training.experiments.l3 import L3Report
    from motifdb.training.experiments.l3_towers import Towers

AVC, SEEN, DOWNSTREAM, CHOICE, DIFFERENCE = "AVC", "seen", "folds", "choice", "pairs"
"""Domain matrix; accuracy against pairs seen; embeddings on their folds; means over design choices; paired tests."""
MOST_LOOKS = 6
"""Points of a learning curve in the table; the picture has all."""
BESIDE = ("majority", "logistic")
RELEASED = "openl3"
"""How the names of embedders with released weights begin."""


@dataclass(frozen=True)
class Row:
    """One line of the answer, whichever table it is of.

    Attributes
    ----------
    what, on : the thing that is judged, and on what
    value, low, high : its figure with an interval
    deviation : over folds
    chance : what a guess scores
    p : of a signed-rank test
    note : for programs, what else is to be known
    is_further : whether people can do without it
    """

    table: str
    what: str
    on: str
    value: float | None
    low: float | None = None
    high: float | None = None
    deviation: float | None = None
    chance: float | None = None
    published: float | None = None
    n: int | None = None
    p: float | None = None
    note: str = ""
    is_further: bool = False

    def shown(self) -> dict[str, Any]:
        """For people."""
        text = "-" if self.value is None else _share(self.value)
        if self.table == DIFFERENCE and self.value is not None:
            text = f"{100 * self.value:+.1f} points"
        if self.deviation is not None:
            text += f" ±{_share(self.deviation)}"
        interval = "-"
        if self.low is not None and self.high is not None:
            interval = f"{_share(self.low)} to {_share(self.high)}"
        elif self.p is not None:
            interval = f"p = {self.p:.2g}"
        beside = "-" if self.chance is None else f"guess {_share(self.chance)}"
        if self.published is not None:
            beside = f"printed {_share(self.published)}"
        return {
            "table": self.table,
            "what": self.what,
            "on": self.on,
            "accuracy": text,
            "interval": interval,
            "beside": beside,
        }

    def long(self) -> dict[str, Any]:
        """For programs."""
        return {name: getattr(self, name) for name in Row.__dataclass_fields__}


def _share(value: float) -> str:
    text = f"{value:.3f}"
    return text[1:] if text.startswith("0.") else text


def all_rows(report: L3Report, snapshot: Snapshot) -> list[Row]:
    """Every table, one after the other."""
    rows: list[Row] = []
    if report.towers is not None:
        rows += domain_rows(report.towers.towers, report.towers.domains)
        rows += [row for one in report.towers.towers for row in curve_rows(one)]
    if report.folds is not None and report.judged is not None:
        rows += downstream_rows(report, snapshot)
        rows += comparison_rows(judged_of(report, snapshot))
    return rows


def shown_rows(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """For people: without what only programs want."""
    return [row.shown() for row in rows if not row.is_further]


# -- towers --------------------------------------------------------------------------------------------------


def _paper_domain(name: str) -> str | None:
    """Which of the paper's two domains a folder's name says it is."""
    low = name.lower()
    return "music" if "music" in low else "environmental" if low.startswith("env") else None


def domain_rows(towers: Sequence[Towers], domains: Sequence[str]) -> list[Row]:
    """Trained on one domain, tested on held-out videos of each; then the paper's Table 1 (its own videos, and 60 million pairs)."""
    rows = []
    for one in towers:
        for domain in domains:
            figure = one.figures.get(domain)
            if figure is None:
                continue
            pair = _paper_domain(one.domain), _paper_domain(domain)
            printed = DOMAIN_MATRIX.get(pair) if None not in pair else None  # type: ignore[arg-type]
            row = Row(
                AVC, one.name, domain, figure.value, figure.low, figure.high, None, figure.trivial, printed
            )
            rows.append(row)
    if towers:
        rows += [
            Row(
                AVC,
                f"{SOURCE}: mel256/{learnt}",
                tested,
                None,
                published=value,
                chance=0.5,
            )
            for (learnt, tested), value in DOMAIN_MATRIX.items()
        ]
    return rows


def curve_rows(one: Towers) -> list[Row]:
    """Accuracy on valid after so many pairs, at looks that are about as many times as far apart."""
    if not one.curve:
        return []
    at = np.unique(np.round(np.geomspace(1, len(one.curve), MOST_LOOKS)).astype(int)) - 1
    return [
        Row(SEEN, one.name, f"{one.curve[i][0]:,} pairs", one.curve[i][1], chance=0.5, n=one.curve[i][0])
        for i in at.tolist()
    ]


# -- embeddings ----------------------------------------------------------------------------------------------


def judged_of(report: L3Report, snapshot: Snapshot) -> list[Judged]:
    """Every embedding, and logistic regression on log-mel statistics, with its accuracy by fold; what has no run is left out."""
    assert report.folds is not None and report.judged is not None
    line = [m for m in _beside(report, snapshot) if m.model == "logistic"]
    by_fold = {m.fold: value for m in line if (value := m.value("accuracy")) is not None}
    found = [Judged("logistic", by_fold)] if by_fold else []
    for one in report.wanted:
        by_fold = accuracy_by_fold(snapshot, report.judged.run_ids.get(one.name, {}))
        if by_fold:
            found.append(Judged(one.name, by_fold, one.choices))
    return found


def downstream_rows(report: L3Report, snapshot: Snapshot) -> list[Row]:
    """Embeddings by their mean over folds, beside majority and logistic regression on log-mel statistics, and published figures."""
    assert report.folds is not None and report.judged is not None
    folds, judged = report.folds, report.judged
    corpus = recognise(folds.classes)
    source_of = sources_of(snapshot, report)
    stored = _beside(report, snapshot)
    chance = spread([m for m in stored if m.model == "majority"], "accuracy").mean
    rows: list[Row] = []
    for one in report.wanted:
        by_fold = accuracy_by_fold(snapshot, judged.run_ids.get(one.name, {}))
        if by_fold:
            ids = [name for (fold, _), name in judged.run_ids[one.name].items() if fold in by_fold]
            rows.append(_embedding_row(one, by_fold, pooled_accuracy(snapshot, ids, source_of), chance))
    rows.sort(key=lambda row: -(row.value or 0.0))
    rows = [*seen_rows(report.wanted, rows), *rows]
    for model in BESIDE:
        own = [m for m in stored if m.model == model]
        found = spread(own, "accuracy")
        if found.mean is not None:
            pooled = pooled_accuracy(snapshot, [m.run_id for m in own], source_of)
            rows.append(
                Row(
                    DOWNSTREAM, model, f"{found.n} folds", found.mean, *pooled[1:], found.deviation, chance, n=found.n
                )
            )  # fmt: skip
    return rows + published_rows(corpus)


def seen_rows(wanted: Sequence[Wanted], judged: Sequence[Row]) -> list[Row]:
    """Accuracy on folds against pairs seen, where embeddings have seen several numbers of them; after fewest pairs first."""
    pairs = {one.name: one.n_samples_seen for one in wanted if one.n_samples_seen is not None}
    if len(set(pairs.values())) < 2:
        return []
    found = [row for row in judged if row.what in pairs]
    found.sort(key=lambda row: (pairs[row.what] or 0, row.what))
    return [
        replace(row, table=SEEN, on=f"folds, {pairs[row.what]:,} pairs", n=pairs[row.what]) for row in found
    ]


def _beside(report: L3Report, snapshot: Snapshot) -> list[Measured]:
    """Baselines on the folds that were asked for; others may be stored from before."""
    assert report.folds is not None and report.judged is not None
    asked = {fold for ids in report.judged.run_ids.values() for fold, _ in ids}
    found = gather(snapshot, {PROTOCOL: report.folds.split_id}, report.folds.label)
    return [m for m in found if m.model in BESIDE and m.fold in asked]


def _embedding_row(
    one: Wanted,
    by_fold: Mapping[int, float],
    pooled: tuple[float, float | None, float | None],
    chance: float | None,
) -> Row:
    values = list(by_fold.values())
    seen = "" if one.n_samples_seen is None else f"after {one.n_samples_seen:,} pairs"
    deviation = float(np.std(values)) if len(values) > 1 else None
    return Row(
        DOWNSTREAM, one.name, f"{len(values)} folds", float(np.mean(values)), *pooled[1:], deviation, chance,
        n=len(values), note=seen,
    )  # fmt: skip


def published_rows(corpus: PublishedCorpus | None) -> list[Row]:
    """What l3-2019 prints for the corpus whose classes these are."""
    if corpus is None:
        return []
    on = f"{corpus.n_clips:,} clips"
    return [
        Row(
            DOWNSTREAM,
            f"{SOURCE}: {name}",
            on,
            None,
            published=value,
            note=f"{corpus.name}, all {corpus.n_clips:,} clips",
        )
        for name, value in corpus.accuracy
    ]


def sources_of(snapshot: Snapshot, report: L3Report) -> dict[str, str]:
    """By clip, the source file it is drawn with in a bootstrap."""
    from motifdb.training.clips.clip_facts import facts_of
    from motifdb.training.splits.examples import split_row

    assert report.folds is not None
    facts = facts_of(snapshot, split_row(snapshot, report.folds.split_id)["parent_id"])
    values = (
        facts.key(f"label.{report.folds.source}")
        if report.folds.source is not None
        else list(facts.recording_id)
    )
    return {clip: value for clip, value in zip(facts.clip_id, values, strict=True) if value is not None}


def comparison_rows(judged: Sequence[Judged]) -> list[Row]:
    """Means over design choices, tests between their values, and between every two embeddings; those without the best are further."""
    rows: list[Row] = []
    tests: list[Comparison] = []
    # towers of one's own and released ones differ in more than their design
    for is_released in (False, True):
        means, found = choice_means([j for j in judged if j.name.startswith(RELEASED) == is_released])
        tests += found
        rows += [
            Row(CHOICE, f"{m.choice} {m.value}", _of(m.n_combinations, "other"), m.mean, n=m.n_combinations)
            for m in means
        ]
    rows += [_difference(c) for c in tests]
    between = compare_all(judged)
    return rows + [replace(_difference(c), is_further=c.first != between[0].first) for c in between]


def _of(n: int, what: str) -> str:
    return f"{n} {what}{'s' * (n != 1)}"


def _difference(found: Comparison) -> Row:
    what = f"{found.first} less {found.second}"
    return Row(
        DIFFERENCE,
        what,
        _of(found.n_pairs, "pair"),
        found.difference,
        n=found.n_pairs,
        p=found.p,
        note=found.text,
    )


def fold_rows(report: L3Report, snapshot: Snapshot) -> list[dict[str, Any]]:
    """A row for each embedding and fold."""
    if report.folds is None or report.judged is None:
        return shown_rows(all_rows(report, snapshot))
    rows = []
    for one in report.wanted:
        by_fold = accuracy_by_fold(snapshot, report.judged.run_ids.get(one.name, {}))
        rows += [
            {"what": one.name, "fold": report.folds.names[fold], "accuracy": _share(value)}
            for fold, value in by_fold.items()
        ]
    return rows


# -- what must be known to read it ---------------------------------------------------------------------------


def l3_notes(report: L3Report, snapshot: Snapshot) -> list[str]:
    """Sentences below the tables."""
    notes: list[str] = []
    if report.towers is not None:
        notes += report.towers.notes
        if report.towers.is_generated:
            notes.append(
                "videos are generated: tones and noises whose pitch is the picture's colour. Their accuracy says that the training works,"
                " nothing of music or cities"
            )
        notes += [f"failed: {line}" for line in report.towers.failed]
    if report.folds is not None and report.judged is not None:
        folds = report.folds
        notes.append(
            f"downstream: mean over folds ±deviation, interval of a bootstrap over {folds.source or 'recordings'}; folds are the clips' own"
            f" ({folds.fold} {', '.join(folds.names)}); chance is the majority class"
        )
        notes += folds.notes
        n_folds = max((len({fold for fold, _ in ids}) for ids in report.judged.run_ids.values()), default=0)
        if n_folds and 2.0 ** (1 - n_folds) > LEVEL:
            notes.append(
                f"p is of Wilcoxon's signed-rank test, two-sided; over {_of(n_folds, 'fold')} it is never below {2.0 ** (1 - n_folds):.3g}, so no"
                " difference between two embeddings can be called significant here"
            )
        if report.judged.n_run:
            notes.append(
                f"{report.judged.n_run} searches run, {report.judged.n_done_before} were done before"
            )
        notes += report.judged.notes
        corpus = recognise(folds.classes)
        if corpus is not None:
            notes += [
                f"{SOURCE} reports little gain on {name} beyond {n:,} pairs ({about})"
                for name, n, about in DIMINISHING
                if name == corpus.name
            ]
            notes += NOTES
        if not any(one.name.startswith(RELEASED) for one in report.wanted):
            notes.append(
                "no row of OpenL3: its weights are the user's to supply (--weights FILE or a folder of its files)"
            )
    return [*notes, *report.notes]
