"""What an audit says: from the tables, for people and as JSON.

**Conventions.** A file is an input (state `input`); a content is a recording, a distinct content of files. Groups are of
what is linked directly or through others. Labels whose values name single files (more different values than half of
the files that have one) or measure them (more than twenty different numbers), never singer, style, work or artist, are
left out unless they are asked for: that they contradict each other, or are rare, says nothing.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from shlex import quote
from typing import TYPE_CHECKING, Any

from motifdb.errors import NotFoundError, nearest
from motifdb.linked import islands
from motifdb.pipelines.predicates import quoted
from motifdb.query.views import STANDARD_LABELS

if TYPE_CHECKING:
    from motifdb.catalog.store import Snapshot

WIDTH = 100
CLASSES = ("singer", "style", "work", "artist")
"""Labels that are looked at however many values they have."""

RARE = 3
"""A value that fewer recordings have is rare."""

_EXAMPLES = 5
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")
_MOST_NUMBERED = 20  # classes may be numbered, but not by dozens


@dataclass(frozen=True)
class Group:
    """Recordings that belong together, and the files that hold them (`corpus/path`)."""

    recordings: tuple[str, ...]
    files: tuple[str, ...]


@dataclass(frozen=True)
class Conflict:
    """Values that contradict each other: of one content's files (`content`), or also of its copies (`copies`)."""

    label: str
    values: tuple[str, ...]
    among: str
    recordings: tuple[str, ...]
    files: int


@dataclass(frozen=True)
class Rare:
    """A value of a label that few recordings have."""

    label: str
    value: str
    recordings: int
    files: int


@dataclass
class AuditReport:
    """Everything an audit says; lists are in a fixed order, the largest groups first."""

    files: int
    distinct_contents: int
    duplicate_groups: list[Group]
    near_duplicate_groups: list[Group]
    overlap_islands: list[Group]
    conflicting_labels: list[Conflict]
    rare_labels: list[Rare]
    n_links: Counter[str] = field(default_factory=Counter)
    labels: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    notes: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """As plain data, with the keys that `motifdb audit --format json` writes."""
        return {
            "files": self.files,
            "distinct_contents": self.distinct_contents,
            "duplicate_groups": [asdict(g) for g in self.duplicate_groups],
            "near_duplicate_groups": [asdict(g) for g in self.near_duplicate_groups],
            "overlap_islands": [asdict(g) for g in self.overlap_islands],
            "conflicting_labels": [asdict(c) for c in self.conflicting_labels],
            "rare_labels": [asdict(r) for r in self.rare_labels],
        }


def audit_report(
    snapshot: Snapshot, analysis_id: str, labels: Sequence[str] = (), rare_below: int = RARE
) -> AuditReport:
    """Read what an audit found, and what the labels of files say about it.

    Parameters
    ----------
    labels : those to look at; none is all that do not name or measure single files
    rare_below : a value with fewer recordings is rare

    Raises
    ------
    NotFoundError
        for a label that no file has.
    """
    paths, values = _files(snapshot)
    of_audit = f"analysis_id = {quoted(analysis_id)}"
    columns = ["recording_a", "recording_b", "kind"]
    links = snapshot.table("audio_links", columns, of_audit).to_pylist()
    copies = [(r["recording_a"], r["recording_b"]) for r in links if r["kind"] in ("same-audio", "near")]
    near = _groups(islands(paths, (c for c in copies if c[0] in paths and c[1] in paths)), paths)
    rows = snapshot.table("islands", ["recording_id", "island"], of_audit)
    pairs = zip(rows.column(0).to_pylist(), rows.column(1).to_pylist(), strict=True)
    island = {name: of for name, of in pairs if name in paths}
    chosen, left_out = _chosen(values, labels)
    report = AuditReport(
        sum(map(len, paths.values())),
        len(paths),
        _sorted(Group((r,), tuple(sorted(p))) for r, p in paths.items() if len(p) > 1),
        near,
        _groups(island, paths),
        [],
        [],
        Counter(r["kind"] for r in links),
        tuple(chosen),
        tuple(left_out),
    )
    for label in chosen:
        report.conflicting_labels += _conflicts(label, values[label], near)
        report.rare_labels += _rare(label, values[label], rare_below)
    return report


_Values = dict[str, Counter[str]]
"""By recording, how many files say which value."""


def _files(snapshot: Snapshot) -> tuple[dict[str, list[str]], dict[str, _Values]]:
    """Paths of each recording, and the values that files give to each label."""
    corpora = {row["corpus_id"]: row["name"] for row in snapshot.table("corpora").to_pylist()}
    columns = ["corpus_id", "path", "recording_id", "state", *STANDARD_LABELS, "labels"]
    paths: dict[str, list[str]] = defaultdict(list)
    values: dict[str, _Values] = defaultdict(lambda: defaultdict(Counter))
    for row in snapshot.table("files", columns).to_pylist():
        recording = row["recording_id"]
        if row["state"] != "input" or recording is None:
            continue
        paths[recording].append(f"{corpora.get(row['corpus_id'], row['corpus_id'])}/{row['path']}")
        given = {name: row[name] for name in STANDARD_LABELS} | dict(row["labels"] or ())
        for name, value in given.items():
            if value is not None:
                values[name][recording][value] += 1
    return dict(sorted(paths.items())), {name: dict(values[name]) for name in sorted(values)}


def _chosen(values: Mapping[str, _Values], wanted: Sequence[str]) -> tuple[list[str], list[str]]:
    """Labels to look at, and those left out because they name single files or measure them."""
    for name in wanted:
        if name not in values:
            if not values:
                raise NotFoundError(f"there is no label {name!r} here, nor any other; see ingest --metadata")
            raise NotFoundError(f"no file has a label {name!r}; {nearest(name, list(values))}")
    if wanted:
        return list(dict.fromkeys(wanted)), []
    chosen: list[str] = []
    left_out: list[str] = []
    for name, by_recording in values.items():
        different = {value for counts in by_recording.values() for value in counts}
        n_files = sum(counts.total() for counts in by_recording.values())
        says_little = 2 * len(different) > n_files or _are_measures(different)
        (left_out if says_little and name not in CLASSES else chosen).append(name)
    return chosen, left_out


def _are_measures(values: set[str]) -> bool:
    """Whether values are numbers, and too many to be classes.

    >>> _are_measures({str(i / 8) for i in range(30)}), _are_measures({"1", "2"})
    (True, False)
    """
    return len(values) > _MOST_NUMBERED and all(_NUMBER.fullmatch(value) for value in values)


def _groups(least: Mapping[str, str], paths: Mapping[str, list[str]]) -> list[Group]:
    members: dict[str, list[str]] = defaultdict(list)
    for name, of in least.items():
        members[of].append(name)
    return _sorted(
        Group(tuple(sorted(names)), tuple(sorted(p for name in names for p in paths[name])))
        for names in members.values()
        if len(names) > 1
    )


def _sorted(groups: Iterable[Group]) -> list[Group]:
    return sorted(groups, key=lambda g: (-len(g.recordings), -len(g.files), g.recordings))


def _conflicts(label: str, values: _Values, near: Iterable[Group]) -> list[Conflict]:
    out = []
    for recording, counts in sorted(values.items()):
        if len(counts) > 1:
            out.append(Conflict(label, tuple(sorted(counts)), "content", (recording,), counts.total()))
    for group in near:
        said = [values[r] for r in group.recordings if r in values]
        different = {value for counts in said for value in counts}
        if len(different) > max((len(counts) for counts in said), default=0):
            n = sum(counts.total() for counts in said)
            out.append(Conflict(label, tuple(sorted(different)), "copies", group.recordings, n))
    return out


def _rare(label: str, values: _Values, below: int) -> list[Rare]:
    n_recordings: Counter[str] = Counter()
    n_files: Counter[str] = Counter()
    for counts in values.values():
        n_recordings.update(counts.keys())
        n_files.update(counts)
    rows = [Rare(label, value, n, n_files[value]) for value, n in n_recordings.items() if n < below]
    return sorted(rows, key=lambda r: (r.recordings, r.files, r.value))


# -- for people ---------------------------------------------------------------------------------------------


def report_text(report: AuditReport, database: str, rare_below: int = RARE) -> str:
    """The report in lines of at most 100 columns, the largest of each kind by name."""
    lines = [f"{database}: {_n(report.files, 'file')}, {_n(report.distinct_contents, 'distinct content')}"]
    lines += [f"note: {note}" for note in report.notes]
    n_equal = sum(len(g.files) for g in report.duplicate_groups)
    lines.append(f"equal contents: {_n(len(report.duplicate_groups), 'group')} of {_n(n_equal, 'file')}")
    lines += _shown(report.duplicate_groups, is_files=True)
    n_same = report.n_links["same-audio"]
    lines.append(
        f"copies: {_n(len(report.near_duplicate_groups), 'group')}"
        f" ({_n(n_same, 'link')} of equal decoded sound, {report.n_links['near']:,} of near-duplicates)"
    )
    lines += _shown(report.near_duplicate_groups)
    n_in = sum(len(g.recordings) for g in report.overlap_islands)
    n_islands = len(report.overlap_islands) + report.distinct_contents - n_in
    lines.append(
        f"islands of shared sound: {n_islands:,}, of which {len(report.overlap_islands):,} hold several recordings"
        f" ({n_in:,} in all)"
    )
    lines += _shown(report.overlap_islands)
    lines += _label_lines(report, rare_below)
    return "\n".join(line if len(line) <= WIDTH else line[: WIDTH - 1] + "…" for line in lines)


def next_step(database: str, *, has_clips: bool) -> str:
    """What to run after an audit: where there are clips, a split of them."""
    if has_clips:
        return f"next: motifdb split --by island --db {quote(database)}"
    return f"next: motifdb sql 'from overlap_islands limit 20' --db {quote(database)}"


def _label_lines(report: AuditReport, rare_below: int) -> list[str]:
    lines = ["contradicting labels:" + ("" if report.conflicting_labels else " none")]
    for label in report.labels:
        mine = [c for c in report.conflicting_labels if c.label == label]
        if mine:
            n_content = sum(c.among == "content" for c in mine)
            n_copies = len(mine) - n_content
            lines.append(
                f"  {label}: {_n(n_content, 'content')} under several values, {_n(n_copies, 'group')} of copies"
            )
            common = Counter(" | ".join(c.values) for c in mine).most_common(3)
            lines += [f"    {n:,} x {values}" for values, n in common]
    lines.append(
        f"values with fewer than {_n(rare_below, 'recording')}:" + ("" if report.rare_labels else " none")
    )
    for label in report.labels:
        rare = [r for r in report.rare_labels if r.label == label]
        if rare:
            named = ", ".join(f"{r.value} ({r.recordings})" for r in rare[:_EXAMPLES])
            more = ", …" if len(rare) > _EXAMPLES else ""
            lines.append(f"  {label}: {_n(len(rare), 'value')}: {named}{more}")
    if report.left_out:
        lines.append(f"labels that name or measure single files, left out: {', '.join(report.left_out)}")
    return lines


def _shown(groups: list[Group], *, is_files: bool = False) -> list[str]:
    lines = []
    for group in groups[:3]:
        size = _n(len(group.files), "file") if is_files else _n(len(group.recordings), "recording")
        lines.append(f"  {size}: {', '.join(group.files[:2])}{', …' if len(group.files) > 2 else ''}")
    if len(groups) > 3:
        lines.append(f"  and {len(groups) - 3:,} more")
    return lines


def _n(n: int, what: str) -> str:
    return f"{n:,} {what}{'s' * (n != 1)}"
