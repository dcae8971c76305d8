"""What the sides of a split share, fold by fold, as plain values and as a table for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from motifdb.training.clips.clip_facts import ClipFacts, facts_of
from motifdb.training.splits.examples import Examples, load_examples, split_folds, split_row
from motifdb.training.splits.leak_graph import KINDS, SOUND, LeakGraph, named_examples

if TYPE_CHECKING:
    from motifdb.catalog.store import Snapshot

__all__ = [
    "KINDS",
    "SOUND",
    "Leak",
    "LeakGraph",
    "LeakReport",
    "leak_report",
    "leak_reports",
    "leak_text",
    "unknown",
]

MOST_LABELS = 6
MOST_FOLDS = 12
"""What a report for people shows at most; as JSON it has all."""


@dataclass(frozen=True)
class Leak:
    """How many clips of test are linked to train in one way."""

    kind: str
    n: int
    share: float


@dataclass(frozen=True)
class LeakReport:
    """What test shares with train in one fold.

    Attributes
    ----------
    n_train, n_valid, n_test : clips
    leaks : by kind, as `KINDS` has them; what is not known is not there
    labels : by label (not the one that is learnt), of how many clips of test train has the value too
    n_valid_shares : clips of valid that share sound with train
    examples : (clip of test, clip of train, share of the first that the second holds), as paths or places
    notes : what is not known
    """

    split_id: str
    name: str
    label: str
    fold: int
    n_train: int
    n_valid: int
    n_test: int
    leaks: tuple[Leak, ...]
    labels: Mapping[str, Leak]
    n_valid_shares: int
    examples: tuple[tuple[str, str, float], ...] = ()
    notes: tuple[str, ...] = ()
    audit_id: str | None = None

    @property
    def is_leaking(self) -> bool:
        """Whether any clip of test shares sound with train, or its recording does."""
        return any(leak.n for leak in self.leaks)

    def share(self, kind: str) -> float | None:
        """Share of the clips of test that are linked in a way; None where that is not known."""
        return next((leak.share for leak in self.leaks if leak.kind == kind), None)

    def to_json(self) -> dict[str, Any]:
        """As plain values, for `runs.leak` and ``--format json``."""
        return {
            "split_id": self.split_id,
            "split": self.name,
            "label": self.label,
            "fold": self.fold,
            "train": self.n_train,
            "valid": self.n_valid,
            "test": self.n_test,
            "leaks": {leak.kind: {"clips": leak.n, "share": round(leak.share, 6)} for leak in self.leaks},
            "labels": {n: {"clips": k.n, "share": round(k.share, 6)} for n, k in self.labels.items()},
            "valid_shares_sound": self.n_valid_shares,
            "examples": [{"test": a, "train": b, "share": round(s, 4)} for a, b, s in self.examples],
            "notes": list(self.notes),
            "audit_id": self.audit_id,
        }

    def text(self) -> str:
        """As a table of one row, with examples, at most 100 columns wide."""
        return leak_text([self])


def leak_report(snapshot: Snapshot, split_id: str, fold: int) -> LeakReport:
    """What test shares with train in one fold of a stored split.

    Raises
    ------
    NotFoundError
        where the split, the fold or its clips are not there.
    """
    return _Reporter(snapshot, split_id).report(fold)


def leak_reports(snapshot: Snapshot, split_id: str) -> list[LeakReport]:
    """As `leak_report`, of every fold.

    Raises
    ------
    NotFoundError
        where the split or its clips are not there.
    """
    reporter = _Reporter(snapshot, split_id)
    return [reporter.report(fold) for fold in split_folds(snapshot, split_id)]


class _Reporter:
    """What the reports of all folds of a split have in common, read once."""

    def __init__(self, snapshot: Snapshot, split_id: str) -> None:
        import json

        self.snapshot, self.split_id = snapshot, split_id
        self.row = split_row(snapshot, split_id)
        self.label = str(json.loads(self.row["parameters"])["label"])
        self.facts = facts_of(snapshot, self.row["parent_id"])
        self.graph = LeakGraph.of(snapshot, self.facts)
        self.at = {clip: i for i, clip in enumerate(self.facts.clip_id)}
        self.values = self._labels()

    def _labels(self) -> dict[str, list[str | None]]:
        """Labels that could tell clips apart: several values, and each of several clips."""
        found: dict[str, list[str | None]] = {}
        for name in self.facts.label_names:
            if name == self.label.removeprefix("label."):
                continue
            values = self.facts.label(name)
            distinct = {v for v in values if v is not None}
            if 2 <= len(distinct) <= len(values) / 2:
                found[name] = values
        fewest = sorted(found, key=lambda name: (len(set(found[name])), name))[:MOST_LABELS]
        return {name: found[name] for name in sorted(fewest)}

    def report(self, fold: int) -> LeakReport:
        examples = load_examples(self.snapshot, self.split_id, fold)
        rows = {part: self._rows(examples, part) for part in ("train", "valid", "test")}
        joined = self.graph.joined(rows["test"], rows["train"])
        n_test = len(rows["test"])

        def leak(kind: str, is_linked: NDArray[np.bool_]) -> Leak:
            n = int(is_linked.sum())
            return Leak(kind, n, n / n_test if n_test else 0.0)

        labels = {}
        for name, values in self.values.items():
            trained = {values[i] for i in rows["train"]} - {None}
            labels[name] = leak(name, np.array([values[i] in trained for i in rows["test"]], bool))
        return LeakReport(
            self.split_id,
            self.row["name"],
            self.label,
            fold,
            len(rows["train"]),
            len(rows["valid"]),
            n_test,
            tuple(leak(kind, is_linked) for kind, is_linked in joined.kinds.items()),
            labels,
            int(self.graph.joined(rows["valid"], rows["train"]).shares_sound.sum()),
            named_examples(self.facts, rows["test"], joined),
            tuple(unknown(self.facts)),
            self.facts.audit_id,
        )

    def _rows(self, examples: Examples, part: str) -> NDArray[np.int64]:
        return np.array([self.at[examples.clip_id[i]] for i in examples.rows(part)], np.int64)


def unknown(facts: ClipFacts) -> list[str]:
    """What the report cannot know, in sentences."""
    if facts.audit_id is None or facts.island_of is None:
        return [
            "no audit is stored: equal bytes, equal decoded audio and overlapping spans of one recording are known,"
            " copies and shared stretches of other recordings are not; `motifdb audit` finds them"
        ]
    n_newer = len(set(facts.recording_id) - facts.island_of.keys())
    if n_newer:
        return [f"{n_newer:,} recordings came after the newest audit; `motifdb audit` brings it up to date"]
    return []


_COLUMNS = (
    ("same-content", "identical"),
    ("same-audio", "audio"),
    ("near", "near"),
    ("half", "half"),
    ("overlap", "overlap"),
    ("same-island", "island"),
    ("same-recording", "recording"),
)


def leak_text(reports: Sequence[LeakReport]) -> str:
    """Reports of folds of one split as a table of at most 100 columns, their mean, examples and what is not known."""
    first = reports[0]
    known = [(kind, word) for kind, word in _COLUMNS if first.share(kind) is not None]
    lines = _folded("", [f"Leaks of split {first.name!r} ({first.split_id[:8]}):"])
    lines.append("of the clips in test, how many % are linked to train, and how")
    head = ["fold", "train", "valid", "test", *(word for _, word in known)]
    lines.append("  ".join(h.rjust(max(len(h), 6)) for h in head))
    for r in reports[:MOST_FOLDS]:
        cells = [str(r.fold), f"{r.n_train:,}", f"{r.n_valid:,}", f"{r.n_test:,}"]
        cells += [f"{100 * (r.share(kind) or 0.0):.1f}" for kind, _ in known]
        lines.append("  ".join(c.rjust(max(len(h), 6)) for c, h in zip(cells, head, strict=True)))
    if len(reports) > MOST_FOLDS:
        lines.append(f"     … {len(reports) - MOST_FOLDS} folds more; --format json has all")
    if len(reports) > 1:
        means = [f"{100 * float(np.mean([r.share(kind) or 0.0 for r in reports])):.1f}" for kind, _ in known]
        cells = ["mean", "", "", "", *means]
        lines.append("  ".join(c.rjust(max(len(h), 6)) for c, h in zip(cells, head, strict=True)))
    if first.labels:
        shares = {n: float(np.mean([r.labels[n].share for r in reports])) for n in first.labels}
        lines += _folded(
            "with a value that train has too: ", [f"{n} {100 * s:.1f}" for n, s in shares.items()]
        )
    n_valid = sum(r.n_valid_shares for r in reports)
    if any(r.n_valid for r in reports):
        lines.append(
            f"clips of valid that share sound with train: {n_valid:,} of {sum(r.n_valid for r in reports):,}"
        )
    shown = next((r.examples for r in reports if r.examples), ())
    for test, train, share in shown:
        lines.append(f"  {_cut(test)} in test, {100 * share:.0f} % of it in {_cut(train)}")
    for note in first.notes:
        lines += _folded("", [note])
    return "\n".join(lines)


def _cut(text: str, width: int = 36) -> str:
    """A path that fits: its beginning names folder and recording, its end tells it from others."""
    return text if len(text) <= width else f"{text[: width - 11]}…{text[-10:]}"


def _folded(head: str, parts: Sequence[str]) -> list[str]:
    import textwrap

    return textwrap.wrap(head + ", ".join(parts), 100, subsequent_indent="  ")
