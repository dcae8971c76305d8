"""What the sides of a split share: the leak graph between clips, and its report for each fold.

Two clips are linked when their contents are equal, their decoded audio is, their spans overlap in one recording or in
two recordings that share sound (table `audio_links`, made by `motifdb audit`), or their recordings are on one
island, that is, share sound through others. Whatever links a clip of test to one of train may be recognised instead
of learnt.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from motifdb.pipelines.committer import quoted
from motifdb.training.clip_facts import ClipFacts, facts_of
from motifdb.training.examples import Examples, load_examples, split_folds, split_row
from motifdb.training.folds import numbered, united

if TYPE_CHECKING:
    from motifdb.catalog.store import Snapshot

NEAR = 0.9
"""Two clips are near copies where what they share is so much of the longer."""
HALF = 0.5
"""A clip of test is as good as heard where one clip of train holds so much of it."""

KINDS = {
    "same-content": "the same bytes are in train",
    "same-audio": "the same decoded audio is, or those",
    "near": "a copy is (at least 0.9 of the longer is shared), or those",
    "half": "one clip of train holds at least half of it",
    "overlap": "some clip of train holds any of it",
    "same-island": "its recording shares sound with one of train, directly or through others",
    "same-recording": "its recording is in train",
}
"""Kinds of leaks and what they say of a clip of test, from the closest on."""
SOUND = ("same-content", "same-audio", "near", "half", "overlap")
"""Kinds that say that the clips themselves share sound."""

MOST_LABELS = 6
MOST_EXAMPLES = 3
MOST_FOLDS = 12
"""What a report for people shows at most; as JSON it has all."""


@dataclass(frozen=True)
class Joined:
    """How clips of one side are linked to the other side, one entry per clip of the first.

    Attributes
    ----------
    kinds : bool[n] for each of `KINDS`; ``same-island`` is not there without an audit
    share : float64[n], the most of a clip that one clip of the other side holds
    partner : int64[n], that clip's row among all clips; -1 where none shares sound
    """

    kinds: Mapping[str, NDArray[np.bool_]]
    share: NDArray[np.float64]
    partner: NDArray[np.int64]

    @property
    def shares_sound(self) -> NDArray[np.bool_]:
        """Whether the clip itself shares sound with any of the other side."""
        return np.asarray(np.logical_or.reduce([self.kinds[k] for k in SOUND]), bool)


@dataclass(frozen=True)
class Links:
    """Shared stretches between axes: int64[m] and float64[m], each in both directions."""

    source: NDArray[np.int64]
    target: NDArray[np.int64]
    from_s: NDArray[np.float64]
    to_s: NDArray[np.float64]
    shared_s: NDArray[np.float64]


@dataclass(frozen=True)
class LeakGraph:
    """Links between clips, as far as they are known.

    Attributes
    ----------
    facts : the clips
    axis : int64[n], recordings of equal decoded audio have one
    links : shared stretches between axes; none without an audit
    """

    facts: ClipFacts
    axis: NDArray[np.int64]
    links: Links

    @classmethod
    def of(cls, snapshot: Snapshot, facts: ClipFacts) -> LeakGraph:
        """Read what the newest audit, where there is one, says of the clips' recordings."""
        columns = ["recording_a", "recording_b", "start_a_s", "start_b_s", "shared_s", "kind"]
        where = f"analysis_id = {quoted(facts.audit_id or '')}"
        rows = snapshot.table("audio_links", columns, where)
        one, other = rows.column(0).to_pylist(), rows.column(1).to_pylist()
        equal = [k == "same-audio" for k in rows.column(5).to_pylist()]
        axis_of = _axes(
            facts, [pair for pair, e in zip(zip(one, other, strict=True), equal, strict=True) if e]
        )
        axis = np.array([axis_of[r] for r in facts.recording_id], np.int64)
        a = np.array([axis_of.get(r, -1) for r in one], np.int64)
        b = np.array([axis_of.get(r, -1) for r in other], np.int64)
        start_a, start_b, shared = (rows.column(i).to_numpy() for i in (2, 3, 4))
        keep = (a >= 0) & (b >= 0) & (a != b)
        a, b, start_a, start_b, shared = a[keep], b[keep], start_a[keep], start_b[keep], shared[keep]
        return cls(
            facts,
            axis,
            Links(
                np.concatenate([a, b]),
                np.concatenate([b, a]),
                np.concatenate([start_a, start_b]),
                np.concatenate([start_b, start_a]),
                np.concatenate([shared, shared]),
            ),
        )

    @cached_property
    def _codes(self) -> dict[str, NDArray[np.int64]]:
        facts = self.facts
        spans = zip(self.axis.tolist(), facts.start_s.tolist(), facts.end_s.tolist(), strict=True)
        codes = {
            "same-content": numbered(facts.content)[0],
            "same-audio": numbered([f"{a} {s!r}-{e!r}" for a, s, e in spans])[0],
            "same-recording": numbered(facts.recording_id)[0],
        }
        if facts.island_of is not None:
            codes["same-island"] = numbered([facts.island_of.get(r, r) for r in facts.recording_id])[0]
        return codes

    def joined(self, rows: NDArray[np.int64], others: NDArray[np.int64]) -> Joined:
        """How some clips are linked to others.

        Parameters
        ----------
        rows, others : int64, rows of `facts`; no row is in both
        """
        from motifdb.kernels.overlaps import most_shared

        kinds = {name: np.isin(code[rows], code[others]) for name, code in self._codes.items()}
        own = np.unique(self.axis[rows])
        first, start_s, end_s, whole_s, origin = self._projected(others, own)
        share, mutual, best = most_shared(
            np.searchsorted(own, self.axis[rows]),
            self.facts.start_s[rows],
            self.facts.end_s[rows],
            first,
            start_s,
            end_s,
            whole_s,
        )
        kinds["same-audio"] |= kinds["same-content"]
        kinds["near"] = kinds["same-audio"] | (mutual >= NEAR)
        kinds["overlap"] = kinds["same-audio"] | (share > 0)
        kinds["half"] = kinds["same-audio"] | (share >= HALF)
        partner = np.where(best >= 0, origin[best] if len(origin) else -1, -1).astype(np.int64)
        return Joined({k: kinds[k] for k in KINDS if k in kinds}, share, partner)

    def _projected(
        self, others: NDArray[np.int64], own: NDArray[np.int64]
    ) -> tuple[
        NDArray[np.int64],
        NDArray[np.float64],
        NDArray[np.float64],
        NDArray[np.float64],
        NDArray[np.int64],
    ]:
        """The others as spans of the axes `own`, through every link: first of each axis, start, end, whole, row."""
        facts, links = self.facts, self.links
        others = others[np.argsort(self.axis[others], kind="stable")]
        axis = self.axis[others]
        used = np.isin(links.target, own)
        source = links.source[used]
        low, high = np.searchsorted(axis, source, "left"), np.searchsorted(axis, source, "right")
        link = np.repeat(np.flatnonzero(used), high - low)
        offset = np.arange(len(link)) - np.repeat(np.cumsum(high - low) - (high - low), high - low)
        moved = others[np.repeat(low, high - low) + offset]
        shift_s = links.to_s[link] - links.from_s[link]
        stretch_s = links.from_s[link], links.from_s[link] + links.shared_s[link]
        start_s = np.concatenate(
            [facts.start_s[others], np.maximum(facts.start_s[moved], stretch_s[0]) + shift_s]
        )
        end_s = np.concatenate([facts.end_s[others], np.minimum(facts.end_s[moved], stretch_s[1]) + shift_s])
        target = np.concatenate([axis, links.target[link]])
        origin = np.concatenate([others, moved])
        keep = np.isin(target, own) & (end_s > start_s)
        target, start_s, end_s, origin = target[keep], start_s[keep], end_s[keep], origin[keep]
        order = np.lexsort((start_s, target))
        target, start_s, end_s, origin = target[order], start_s[order], end_s[order], origin[order]
        first = np.searchsorted(target, np.append(own, own[-1] + 1 if len(own) else 0))
        return first, start_s, end_s, facts.end_s[origin] - facts.start_s[origin], origin


def _axes(facts: ClipFacts, equal: Sequence[tuple[str, str]]) -> dict[str, int]:
    """A number for each recording of the clips, one for those of equal decoded audio."""
    there = set(facts.recording_id)
    pairs = [(a, b) for a, b in equal if a in there and b in there]
    names = sorted(there)
    index = {name: i for i, name in enumerate(names)}
    audio = numbered([facts.audio_of.get(name, name) for name in names])[0]
    # each pair has a row of its own, so that a recording may be in several
    row = np.array([*range(len(names)), *(index[r] for pair in pairs for r in pair)], np.int64)
    pair = np.repeat(np.arange(len(pairs)), 2)
    part = united([row, np.append(audio, np.full(len(pair), -1)), np.append(np.full(len(names), -1), pair)])
    return {name: int(part[i]) for i, name in enumerate(names)}


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


def named_examples(
    facts: ClipFacts, rows: NDArray[np.int64], joined: Joined
) -> tuple[tuple[str, str, float], ...]:
    """The first links of those that share most."""
    linked = np.flatnonzero(joined.partner >= 0)
    order = linked[np.argsort(-joined.share[linked], kind="stable")][:MOST_EXAMPLES]
    return tuple(
        (place_of(facts, int(rows[i])), place_of(facts, int(joined.partner[i])), float(joined.share[i]))
        for i in order
    )


def place_of(facts: ClipFacts, row: int) -> str:
    """A clip for people: its file's path, or its recording's and the span."""
    file = facts.file[row]
    if file is not None:
        return file[1]
    return f"{facts.path_of(facts.recording_id[row])} at {facts.start_s[row]:.2f} s"


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


@dataclass(frozen=True)
class KeyLeaks:
    """What joins the sides of a split although its key should keep them apart.

    Attributes
    ----------
    n_test : clips of test over all folds
    counts : by kind of `SOUND`, clips of test that share sound with train, each counted once, by its closest kind
    groups : pairs of group keys that share sound across sides, with how many clips, most first
    examples : as in `LeakReport`
    """

    n_test: int
    counts: Mapping[str, int]
    groups: tuple[tuple[str, str, int], ...] = ()
    examples: tuple[tuple[str, str, float], ...] = field(default=())

    @property
    def n(self) -> int:
        return sum(self.counts.values())


def key_leaks(
    graph: LeakGraph,
    rows: NDArray[np.int64],
    group: Sequence[str],
    part: NDArray[np.int8],
    test: int,
    *,
    equal_may: bool,
) -> KeyLeaks:
    """Whether test and the rest share sound in any fold.

    Parameters
    ----------
    rows : int64[m], clips of the graph that are in the split
    group : m texts
    part : int8[folds, m]
    test : which value of `part` tests
    equal_may : equal contents may be on two sides, and are not counted
    """
    counts = dict.fromkeys(SOUND, 0)
    pairs: dict[tuple[str, str], int] = {}
    examples: tuple[tuple[str, str, float], ...] = ()
    name = dict(zip(rows.tolist(), group, strict=True))
    n_test = 0
    for sides in part:
        tested = rows[sides == test]
        joined = graph.joined(tested, rows[sides != test])
        n_test += len(tested)
        free = np.zeros(len(tested), bool)
        for kind in SOUND:
            is_new = joined.kinds[kind] & ~free
            free |= joined.kinds[kind]
            if not (equal_may and kind == "same-content"):
                counts[kind] += int(is_new.sum())
        for i in np.flatnonzero(joined.partner >= 0):
            if equal_may and joined.kinds["same-content"][i]:
                continue
            pair = tuple(sorted((name[int(tested[i])], name[int(joined.partner[i])])))
            pairs[pair[0], pair[1]] = pairs.get((pair[0], pair[1]), 0) + 1
        examples = examples or named_examples(graph.facts, tested, joined)
    ordered = sorted(pairs.items(), key=lambda item: (-item[1], item[0]))
    found = tuple((a, b, n) for (a, b), n in ordered)
    return KeyLeaks(n_test, {k: n for k, n in counts.items() if n}, found, examples)
