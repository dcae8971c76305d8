"""Splits: which clips train, validate and test, in which fold; groups are never divided.

`split_clips` is pure: keys of clips in, sides out. `make_split` reads the keys from a database, looks for leaks
through the split's own key, and stores the sides with every parameter.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from motifdb.errors import UsageError
from motifdb.training.splits.folds import give_every_class, numbered, place, united
from motifdb.training.splits.split_config import ONE_EACH, SplitConfig

if TYPE_CHECKING:
    from motifdb.catalog.writer import Writer
    from motifdb.training.splits.split_job import SplitOptions


@dataclass(frozen=True)
class Keys:
    """What dividing needs to know of n clips: texts, None where nothing is known.

    Attributes
    ----------
    clip_id : distinct
    label : the class
    group : what travels together; None leaves a clip out
    content : equal where the bytes are
    sound : equal where sound is shared, directly or through others: the island, else the recording's audio
    valid_group : what travels together between train and valid; where None is for all, `group`
    """

    clip_id: Sequence[str]
    label: Sequence[str | None]
    group: Sequence[str | None]
    content: Sequence[str]
    sound: Sequence[str]
    valid_group: Sequence[str | None] | None = None


@dataclass(frozen=True)
class Split:
    """Sides of clips.

    Attributes
    ----------
    rows : int64[m], the clips of `Keys` that are in it
    label, group : m texts
    part : int8[folds, m], index of `PARTS`
    notes : sentences about what was left out, joined or could not be balanced
    """

    rows: NDArray[np.int64]
    label: tuple[str, ...]
    group: tuple[str, ...]
    part: NDArray[np.int8]
    notes: tuple[str, ...] = field(default=())

    @property
    def n_folds(self) -> int:
        return len(self.part)


__all__ = [
    "ONE_EACH",
    "PARTS",
    "TEST",
    "TRAIN",
    "VALID",
    "Keys",
    "Split",
    "SplitConfig",
    "make_split",
    "split_clips",
]

PARTS = ("train", "valid", "test")
TRAIN, VALID, TEST = 0, 1, 2


def split_clips(config: SplitConfig, keys: Keys, sides: Sequence[dict[str, int]] | None = None) -> Split:
    """Divide clips.

    Parameters
    ----------
    keys : one entry per clip
    sides : by fold, the part (index of `PARTS`) of each group, to take them as they are

    Raises
    ------
    UsageError
        where nothing is left, a class has too few groups, or there are too few groups for the folds.
    """
    config.check()
    notes: list[str] = []
    rows, group_names = _chosen(config, keys, notes)
    label_text = [str(keys.label[i]) for i in rows]
    group, _ = numbered([group_names[i] for i in rows])
    if config.method == "held-out":
        rows, label_text, group = _pure(rows, label_text, group, [group_names[i] for i in rows], notes)
    rows, label_text, group = _enough(config, rows, label_text, group, notes)
    label, classes = numbered(label_text)
    names = [group_names[i] for i in rows]
    if len(classes) < 2:
        raise UsageError(
            f"all clips are of one class, {config.label} {classes[0]!r}; there is nothing to learn"
        )
    if sides is not None:
        keep, part = _like(names, sides, notes)
        rows, names = rows[keep], [names[i] for i in keep]
        label, classes = numbered([label_text[i] for i in keep])
    else:
        test = _tested(config, group, label, names, notes)
        fine = _valid_groups(config, keys, rows, group, label, test, notes)
        part = np.stack(
            [_with_valid(config, is_test, fine, label, fold) for fold, is_test in enumerate(test)]
        )
    split = Split(rows, tuple(classes[i] for i in label), tuple(names), part, tuple(notes))
    _refuse_unseen(config, split, label, classes)
    return split


def _chosen(config: SplitConfig, keys: Keys, notes: list[str]) -> tuple[NDArray[np.int64], list[str]]:
    """The clips that are divided, and the group of every clip."""
    n = len(keys.clip_id)
    groups = _groups(config, keys, notes)
    has_label = np.array([v is not None for v in keys.label], bool)
    has_group = np.array([v is not None for v in keys.group], bool)
    for missing, what in (
        (n - int(has_label.sum()), f"no value, or contradicting ones, of {config.label}"),
        (int((has_label & ~has_group).sum()), f"no value of {'+'.join(config.by)}"),
    ):
        if missing:
            notes.append(f"{missing:,} of {n:,} clips have {what}: left out")
    rows = np.flatnonzero(has_label & has_group)
    if config.unit == "contents":
        rows = _one_per_content(keys, rows, notes)
    if not len(rows):
        raise UsageError(f"no clip has both a {config.label} and a group; nothing can be divided")
    return rows, groups


def _groups(config: SplitConfig, keys: Keys, notes: list[str]) -> list[str]:
    """The group of each clip as a text; groups that must not be divided are named by the least of their names."""
    plain = [v if v is not None else "" for v in keys.group]
    if not config.by:
        return plain
    joins = [numbered(plain)[0]]
    joins[0][[v is None for v in keys.group]] = -1
    if config.merge_shared:
        joins.append(numbered(list(keys.sound))[0])
    elif not config.as_published and config.allow_leak:
        joins.append(numbered(list(keys.content))[0])
    else:
        return plain
    part = united(joins)
    members: dict[int, set[str]] = {}
    for i, p in enumerate(part.tolist()):
        if keys.group[i] is not None:
            members.setdefault(p, set()).add(plain[i])
    joined = [sorted(m) for m in members.values() if len(m) > 1]
    name = {p: _name(sorted(m)) for p, m in members.items()}
    if joined:
        what = "sound" if config.merge_shared else "equal contents"
        n_before = len({p for p, v in zip(plain, keys.group, strict=True) if v is not None})
        notes.append(
            f"groups that share {what} are one: {n_before:,} became {len(members):,}, such as {_name(joined[0])}"
        )
    return [name.get(p, "") for p in part.tolist()]


def _name(members: list[str]) -> str:
    """A name for united groups; its least member is in no other, so names differ."""
    if len(members) <= 3:
        return " & ".join(members)
    return f"{members[0]} & {len(members) - 1} more"


def _one_per_content(keys: Keys, rows: NDArray[np.int64], notes: list[str]) -> NDArray[np.int64]:
    """The first clip of each content; none of those whose clips are of several classes."""
    first: dict[str, int] = {}
    classes: dict[str, set[str]] = {}
    for i in sorted(rows.tolist(), key=lambda i: keys.clip_id[i]):
        first.setdefault(keys.content[i], i)
        classes.setdefault(keys.content[i], set()).add(str(keys.label[i]))
    kept = [i for content, i in first.items() if len(classes[content]) == 1]
    n_contradicting = len(first) - len(kept)
    notes.append(f"{len(rows):,} clips are {len(first):,} distinct contents, one clip of each is taken")
    if n_contradicting:
        notes.append(
            f"{n_contradicting:,} content{'s are' if n_contradicting > 1 else ' is'} under several classes: left out"
        )
    return np.array(sorted(kept), np.int64)


Chosen = tuple[NDArray[np.int64], list[str], NDArray[np.int64]]


def _pure(
    rows: NDArray[np.int64], label: list[str], group: NDArray[np.int64], names: list[str], notes: list[str]
) -> Chosen:
    """Without groups of several classes: they are no class's to hold out."""
    values: dict[int, set[str]] = {}
    for g, text in zip(group.tolist(), label, strict=True):
        values.setdefault(g, set()).add(text)
    keep = np.array([len(values[g]) == 1 for g in group.tolist()], bool)
    if keep.all():
        return rows, label, group
    mixed = sorted({names[i] for i in np.flatnonzero(~keep)})
    notes.append(
        f"{len(mixed):,} group{'s have' if len(mixed) > 1 else ' has'} clips of several classes"
        f" ({', '.join(mixed[:3])}{', …' * (len(mixed) > 3)}):"
        f" {int((~keep).sum()):,} clips left out"
    )
    return _kept(rows, label, group, keep)


def _kept(
    rows: NDArray[np.int64], label: list[str], group: NDArray[np.int64], keep: NDArray[np.bool_]
) -> Chosen:
    if not keep.any():
        raise UsageError("no clip is left to divide; `motifdb split --help` says what is left out and why")
    renumbered = np.unique(group[keep], return_inverse=True)[1].astype(np.int64)
    return rows[keep], [t for t, k in zip(label, keep, strict=True) if k], renumbered


def _enough(
    config: SplitConfig,
    rows: NDArray[np.int64],
    label: list[str],
    group: NDArray[np.int64],
    notes: list[str],
) -> Chosen:
    """Classes with at least two groups: with one, a class is tested unseen, or never."""
    groups_of: dict[str, set[int]] = {}
    for g, text in zip(group.tolist(), label, strict=True):
        groups_of.setdefault(text, set()).add(g)
    rare = sorted(text for text, own in groups_of.items() if len(own) < 2)
    if not rare or (config.allow_unseen and not config.drop_rare) or config.like is not None:
        return rows, label, group
    what = f"group of {'+'.join(config.by)}" if config.by else "example"
    named = ", ".join(map(repr, rare[:5])) + (", …" if len(rare) > 5 else "")
    if not config.drop_rare:
        n, s = len(rare), "es have" if len(rare) > 1 else " has"
        raise UsageError(
            f"{n} class{s} only one {what}, which cannot be both learnt and tested: {named}; --drop-rare leaves such"
            " classes out, --allow-unseen divides all the same"
        )
    keep = np.array([text not in rare for text in label], bool)
    notes.append(f"classes with one {what}: {named}: {int((~keep).sum()):,} clips left out")
    return _kept(rows, label, group, keep)


def _tested(
    config: SplitConfig,
    group: NDArray[np.int64],
    label: NDArray[np.int64],
    names: list[str],
    notes: list[str],
) -> NDArray[np.bool_]:
    """bool[folds, m]: who tests."""
    n_groups = int(group.max()) + 1
    balance = label if config.stratified else np.zeros_like(label)
    if config.method == "held-out":
        return _held_out(config, group, label, names)
    if config.method == "kfold":
        n_folds = n_groups if config.folds == ONE_EACH else config.folds or 5
        if n_groups < n_folds:
            what = "+".join(config.by) or "content"
            raise UsageError(
                f"{n_folds} folds need as many groups, and there are {n_groups} of {what}; --folds {max(n_groups, 2)}"
                " or fewer, or another --by"
            )
        if n_folds == n_groups:
            fold_of = np.arange(n_groups)
        else:
            fold_of = place(group, balance, [1 / n_folds] * n_folds, np.random.default_rng([config.seed, 0]))
        return np.stack([fold_of[group] == fold for fold in range(n_folds)])
    if n_groups < 2:
        raise UsageError(f"all clips are in one group of {'+'.join(config.by)}; choose another --by")
    found = []
    for fold in range(config.folds or 1):
        rng = np.random.default_rng([config.seed, fold])
        part = place(group, balance, [config.test_share, 1 - config.test_share], rng)
        if config.stratified:
            part = give_every_class(part, group, balance, lacking=0, giving=1)
        found.append(part[group] == 0)
    return np.stack(found)


def _held_out(
    config: SplitConfig,
    group: NDArray[np.int64],
    label: NDArray[np.int64],
    names: list[str],
) -> NDArray[np.bool_]:
    own: list[list[tuple[str, int]]] = [[] for _ in range(int(label.max()) + 1)]
    for name, g, c in sorted(set(zip(names, group.tolist(), label.tolist(), strict=True))):
        own[c].append((name, g))
    most = max(map(len, own))
    n_folds = config.folds or most
    if n_folds > most:
        raise UsageError(
            f"{n_folds} folds of held-out groups would repeat: no class has more than {most}; --folds {most} or fewer"
        )
    held = [{groups[fold % len(groups)][1] for groups in own} for fold in range(n_folds)]
    return np.stack([np.isin(group, sorted(h)) for h in held])


def _valid_groups(
    config: SplitConfig,
    keys: Keys,
    rows: NDArray[np.int64],
    group: NDArray[np.int64],
    label: NDArray[np.int64],
    test: NDArray[np.bool_],
    notes: list[str],
) -> NDArray[np.int64]:
    """What travels together between train and valid: the split's own groups, unless a class would leave train."""
    if not config.valid_share:
        return group
    if config.valid_by and keys.valid_group is not None:
        return numbered([keys.valid_group[i] or f"clip {keys.clip_id[i]}" for i in rows])[0]
    pairs = [
        len(set(group[~is_test & (label == c)].tolist())) for is_test in test for c in range(label.max() + 1)
    ]
    if 1 not in pairs:
        return group
    notes.append(
        f"in some fold a class has one group of {'+'.join(config.by) or 'content'} to learn from, so clips that share"
        " sound, not whole groups, are kept together between train and valid"
    )
    return united([numbered([keys.sound[i] for i in rows])[0], numbered([keys.content[i] for i in rows])[0]])


def _with_valid(
    config: SplitConfig,
    is_test: NDArray[np.bool_],
    fine: NDArray[np.int64],
    label: NDArray[np.int64],
    fold: int,
) -> NDArray[np.int8]:
    """The sides of one fold."""
    part = np.where(is_test, TEST, TRAIN).astype(np.int8)
    rest = np.flatnonzero(~is_test)
    own = np.unique(fine[rest], return_inverse=True)[1].astype(np.int64)
    if not config.valid_share or not len(rest) or own.max() < 1:
        return part
    balance = label[rest] if config.stratified else np.zeros(len(rest), np.int64)
    rng = np.random.default_rng([config.seed, fold, 1])
    side = place(own, balance, [config.valid_share, 1 - config.valid_share], rng)
    if config.stratified:
        side = give_every_class(side, own, balance, lacking=0, giving=1)
    # what is validated must have been learnt: a class that would leave train stays
    side = give_every_class(side, own, label[rest], lacking=1, giving=0, keeps_some=False)
    part[rest[side[own] == 0]] = VALID
    return part


def _like(
    names: list[str], sides: Sequence[dict[str, int]], notes: list[str]
) -> tuple[NDArray[np.int64], NDArray[np.int8]]:
    """The clips whose groups another split has, and their sides there."""
    keep = np.array([i for i, name in enumerate(names) if name in sides[0]], np.int64)
    if not len(keep):
        raise UsageError("no group is in the split named by --like; divide both by the same --by")
    if len(keep) < len(names):
        notes.append(
            f"{len(names) - len(keep):,} clips are of groups that the split named by --like has not: left out"
        )
    return keep, np.array([[fold[names[i]] for i in keep] for fold in sides], np.int8)


def _refuse_unseen(
    config: SplitConfig, split: Split, label: NDArray[np.int64], classes: tuple[str, ...]
) -> None:
    """Refuse folds that test a class they do not train; say which classes a fold does not test."""
    unseen: list[str] = []
    untested: Counter[str] = Counter()
    for fold, part in enumerate(split.part):
        trained, tested = set(label[part == TRAIN].tolist()), set(label[part == TEST].tolist())
        if not trained or not tested:
            side = "train" if not trained else "test"
            raise UsageError(f"fold {fold} has nothing in {side}; fewer --folds, or another --by")
        unseen += [f"{classes[c]!r} in fold {fold}" for c in sorted(tested - trained)]
        untested.update(classes[c] for c in range(len(classes)) if c not in tested)
    if unseen and not config.allow_unseen:
        raise UsageError(
            f"a class would be tested that is not in train: {', '.join(unseen[:3])}{', …' * (len(unseen) > 3)};"
            " --drop-rare may leave such classes out, another --by may spread them, --allow-unseen divides all the same"
        )
    notes = list(split.notes)
    if unseen:
        notes.append(f"tested without being in train: {', '.join(unseen[:3])}{', …' * (len(unseen) > 3)}")
    if untested:
        text = ", ".join(f"{name!r} in {n} of {split.n_folds}" for name, n in sorted(untested.items())[:5])
        notes.append(f"folds without a test of a class: {text}{', …' * (len(untested) > 5)}")
    object.__setattr__(split, "notes", tuple(notes))


def make_split(options: SplitOptions, writer: Writer) -> str:
    """Divide an analysis's clips and store the sides; gives the split's id. See `motifdb.training.splits.split_job`."""
    from motifdb.training.splits.split_job import run_split

    return run_split(options, writer).split_id
