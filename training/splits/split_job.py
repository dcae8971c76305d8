"""The job behind `motifdb split`: read what is known of clips, divide them, store the sides."""

from __future__ import annotations

import json
import textwrap
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from motifdb.errors import UsageError
from motifdb.ids import set_hash
from motifdb.pipelines.analyses import Analysis
from motifdb.pipelines.committer import Committer, quoted
from motifdb.pipelines.known import Known
from motifdb.pipelines.stages import coverage_row
from motifdb.schemas import COVERAGE, SPLITS
from motifdb.training.clips.clip_facts import ClipFacts, facts_of
from motifdb.training.splits.crossed_split import crossed_split
from motifdb.training.splits.dividing import PARTS, TEST, Keys, Split, SplitConfig, split_clips
from motifdb.training.splits.examples import find_clips, find_split
from motifdb.training.splits.leak_graph import KeyLeaks, LeakGraph, key_leaks

if TYPE_CHECKING:
    from motifdb.catalog.store import Snapshot
    from motifdb.catalog.writer import Writer

SPLIT_VERSION = 1


@dataclass(frozen=True)
class SplitOptions:
    """What to divide, how, and under which name; None for `clips` is the only set of clips there is."""

    config: SplitConfig = field(default_factory=SplitConfig)
    clips: str | None = None
    name: str | None = None


@dataclass(frozen=True)
class Made:
    """What a run did."""

    split_id: str
    name: str
    split: Split
    is_new: bool

    def lines(self) -> list[str]:
        """What was made, for people."""
        folds, n_groups = self.split.n_folds, len(set(self.split.group))
        counts = Counter(self.split.label)
        classes = ", ".join(f"{name} {n:,}" for name, n in sorted(counts.items())[:8])
        there = "" if self.is_new else ", which was there already"
        head = (
            f"split {self.name!r} ({self.split_id[:8]}){there}: {len(self.split.label):,} clips in {n_groups:,} groups,"
            f" {folds} fold{'s' * (folds != 1)}"
        )
        said = [head, f"classes: {classes}{', …' * (len(counts) > 8)}", *self.split.notes]
        return [line for text in said for line in textwrap.wrap(text, 100, subsequent_indent="  ")]


def run_split(options: SplitOptions, writer: Writer) -> Made:
    """Divide an analysis's clips and store the sides, unless the same split is there.

    Raises
    ------
    UsageError, NotFoundError
        for a division that cannot be, or would leak through its own key.
    """
    options.config.check()
    snapshot = writer.snapshot
    facts = facts_of(snapshot, find_clips(snapshot, options.clips))
    config, sides = _with_sides(snapshot, options.config)
    if config.method == "crossed":
        split = crossed_split(config, facts)
    else:
        split = split_clips(config, keys_of(config, facts), sides)
    _refuse_leaks(config, LeakGraph.of(snapshot, facts), split)
    clip_id = [facts.clip_id[i] for i in split.rows]
    entries = zip(clip_id, split.label, split.group, split.part.T.tolist(), strict=True)
    inputs = set_hash(" ".join([c, label, group, repr(part)]) for c, label, group, part in entries)
    parameters = config.parameters() | {"inputs_hash": inputs}
    name = options.name or _default_name(config, _stored_name(snapshot, facts.analysis_id))
    analysis = Analysis(name, "split", facts.analysis_id, parameters, SPLIT_VERSION, inputs, len(clip_id))
    known = Known.of(snapshot)
    if analysis.id in known.analyses:
        return Made(analysis.id, _stored_name(snapshot, analysis.id), split, False)
    if options.name is not None:
        _require_free_name(snapshot, options.name)
    committer = Committer(writer, known)
    committer.analyses([analysis])
    committer.rows("splits", _rows(analysis.id, clip_id, split))
    done = coverage_row(analysis.id, "all", split.part.size) | {"input_hash": inputs}
    committer.rows("coverage", COVERAGE.table([done]))
    committer.flush(f"split {name}")
    return Made(analysis.id, name, split, True)


_WORDS = {
    "same-content": "equal contents",
    "same-audio": "equal decoded audio",
    "near": "near copies",
    "half": "at least half of the sound",
    "overlap": "less than half of the sound",
}


def _refuse_leaks(config: SplitConfig, graph: LeakGraph, split: Split) -> None:
    """Refuse sides that share sound although a key was named that should keep them apart.

    Without a key (equal contents apart) a split promises nothing that sound could break; its report says what leaks.
    """
    if config.allow_leak or not (config.by or config.like):
        return
    found = key_leaks(graph, split.rows, split.group, split.part, TEST, equal_may=config.as_published)
    if found.n:
        raise UsageError(_leak_sentence(config, found))


def _leak_sentence(config: SplitConfig, found: KeyLeaks) -> str:
    kinds = ", ".join(f"{n:,} {_WORDS[kind]}" for kind, n in found.counts.items())
    pairs = [f"{a} and {b} ({n:,})" if a != b else f"{a} ({n:,})" for a, b, n in found.groups[:3]]
    more = f" and {len(found.groups) - 3:,} more" if len(found.groups) > 3 else ""
    one = "".join(f", such as {a} and {b}" for a, b, _ in found.examples[:1])
    key = "+".join(config.by) or "the other split's groups"
    if config.method == "crossed":
        return (
            f"crossed by {key}, {found.n:,} of {found.n_test:,} clips of test share sound with train ({kinds}){one}; tables"
            f" that share: {', '.join(pairs)}{more}. Another --seed may part them, `motifdb audit` lists what shares,"
            " --allow-leak divides all the same"
        )
    return (
        f"divided by {key}, {found.n:,} of {found.n_test:,} clips of test share sound with train ({kinds}){one};"
        f" groups that share: {', '.join(pairs)}{more}. --merge-shared unites groups that share sound, --by island keeps"
        " them apart, --allow-leak divides all the same"
    )


def keys_of(config: SplitConfig, facts: ClipFacts) -> Keys:
    """What dividing needs to know of clips.

    Raises
    ------
    NotFoundError
        for keys that there are none of.
    """
    if facts.island_of is not None:
        sound = [facts.island_of.get(r, r) for r in facts.recording_id]
    else:
        sound = [facts.audio_of.get(r, r) for r in facts.recording_id]
    if config.by:
        group = _joined(facts, config.by)
    else:
        group = list(facts.clip_id if config.as_published else facts.content)
    valid = _joined(facts, config.valid_by) if config.valid_by else None
    return Keys(facts.clip_id, facts.key(config.label), group, facts.content, sound, valid)


def _joined(facts: ClipFacts, names: tuple[str, ...]) -> list[str | None]:
    """Several keys as one text; None where none of them is known."""
    columns = [facts.key(name) for name in names]
    if len(columns) == 1:
        return columns[0]
    found: list[str | None] = []
    for values in zip(*columns, strict=True):
        is_known = any(v is not None for v in values)
        found.append(" + ".join(v if v is not None else "-" for v in values) if is_known else None)
    return found


def _with_sides(snapshot: Snapshot, config: SplitConfig) -> tuple[SplitConfig, list[dict[str, int]] | None]:
    """The configuration with the id of the split it follows, and that one's sides."""
    if config.like is None:
        return config, None
    split_id = find_split(snapshot, config.like)
    rows = snapshot.table("splits", ["fold", "group_key", "part"], f"split_id = {quoted(split_id)}")
    folds: dict[int, dict[str, int]] = {}
    for fold, group, part in zip(*(c.to_pylist() for c in rows.columns), strict=True):
        if folds.setdefault(fold, {}).setdefault(group, PARTS.index(part)) != PARTS.index(part):
            raise UsageError(
                f"split {split_id[:8]} has clips of {group!r} on two sides, so its groups have none to take"
            )
    (row,) = snapshot.table("analyses", ["parameters"], f"analysis_id = {quoted(split_id)}").to_pylist()
    same = SplitConfig.from_parameters(json.loads(row["parameters"]))
    config = replace(
        config, like=split_id, by=config.by or same.by, merge_shared=config.merge_shared or same.merge_shared
    )
    return config, [folds[f] for f in sorted(folds)]


def _rows(split_id: str, clip_id: list[str], split: Split) -> pa.Table:
    n = len(clip_id)
    parts = np.array(PARTS)
    return pa.concat_tables(
        pa.table(
            [
                pa.array([split_id] * n, pa.string()),
                pa.array(np.full(n, fold, np.int32)),
                pa.array(clip_id, pa.string()),
                pa.array(parts[sides].tolist(), pa.string()),
                pa.array(split.label, pa.string()),
                pa.array(split.group, pa.string()),
            ],
            schema=SPLITS.schema,
        )
        for fold, sides in enumerate(split.part)
    )


def _default_name(config: SplitConfig, clips_name: str) -> str:
    """What a split is called that nobody named: enough to tell splits apart in a list."""
    if config.method == "crossed":
        sizes = [
            f"{name} {'/'.join(map(str, n))}"
            for name, n in zip(config.by, (config.singers, config.works), strict=True)
            if n
        ]
        said = ["distinct contents"] * (config.unit == "contents") + ["leaks allowed"] * config.allow_leak
        said += [f"clips {clips_name}"] if clips_name != "files" else []
        return ", ".join([f"crossed {' '.join(config.by)}", *sizes, f"seed {config.seed}", *said])
    words = [config.method if config.like is None else "like another"]
    words += [f"by {'+'.join(config.by)}"] if config.by else []
    words += ["as published"] if config.as_published else []
    words += ["distinct contents"] if config.unit == "contents" else []
    plain = SplitConfig()
    more = {
        "folds": "{} folds",
        "test_share": "test {:g}",
        "valid_share": "valid {:g}",
        "stratified": "not stratified",
        "merge_shared": "merged",
        "allow_leak": "leaks allowed",
        "drop_rare": "without rare classes",
    }
    said = [
        text.format(getattr(config, k)) for k, text in more.items() if getattr(config, k) != getattr(plain, k)
    ]
    said = ["a fold per group" if text == "0 folds" else text for text in said]
    said += [f"valid by {'+'.join(config.valid_by)}"] if config.valid_by else []
    said += [f"clips {clips_name}"] if clips_name != "files" else []
    return ", ".join([" ".join([*words, f"of {config.label}"]), f"seed {config.seed}", *said])


def _stored_name(snapshot: Snapshot, analysis_id: str) -> str:
    where = f"analysis_id = {quoted(analysis_id)}"
    return str(snapshot.table("analyses", ["name"], where).column(0)[0].as_py())


def _require_free_name(snapshot: Snapshot, name: str) -> None:
    taken = snapshot.table("analyses", ["analysis_id"], f"kind = 'split' and name = {quoted(name)}")
    if taken.num_rows:
        raise UsageError(
            f"the name {name!r} is taken by split {taken.column(0)[0].as_py()[:8]}, which divides other clips or in"
            " another way; choose another one with --name"
        )
