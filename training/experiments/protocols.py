"""Divisions of one set of clips from the most to the least leaky: random files, distinct contents, by island, held-out source.

The rungs: three draws of a random fifth of all files as published; three draws of a fifth of the distinct contents; five folds
over islands of shared sound; and folds that each hold out one *source* of every class (its i-th in ascending order, from the
first again after the last), sources of several classes left out. A source is a recording, or several that share sound.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from motifdb.errors import NotFoundError, nearest
from motifdb.training.clips.clip_facts import LABEL_PREFIX
from motifdb.training.splits.dividing import ONE_EACH, SplitConfig

if TYPE_CHECKING:
    from motifdb.catalog.store import Snapshot
    from motifdb.training.clips.clip_facts import ClipFacts

RANDOM = "random files"
CONTENTS = "distinct contents"
NAMES = "by recording's name"
ISLAND = "by island"
SOURCE = "held-out source"

RUNGS = (RANDOM, CONTENTS, ISLAND, SOURCE)
"""The ladder; `NAMES` is a further rung that can be asked for."""


@dataclass(frozen=True)
class Protocol:
    """One division of the clips.

    Attributes
    ----------
    is_leaky : whether test and train share sound by design, so that a score says little about sound that was not trained on
    note : what the division keeps apart, a clause
    """

    name: str
    split: SplitConfig
    is_leaky: bool
    note: str


@dataclass(frozen=True)
class Keys:
    """Which keys of clips stand for island and source, and how they came about.

    Attributes
    ----------
    island : name for `SplitConfig.by`
    source : likewise; `merge_source` unites those that share sound
    is_crossed : whether most sources have clips of several classes (a singer who sings every style); each is then a fold of its own
    notes : sentences
    """

    island: str
    source: tuple[str, ...]
    merge_source: bool
    is_crossed: bool
    notes: tuple[str, ...]


def choose_keys(facts: ClipFacts, label: str, island: str | None, source: str | None) -> Keys:
    """The keys that were named, or the best that the database has.

    Islands: those of the newest audit, else a label ``island``, else the recording. Sources: a label ``source``, else recordings by their
    label or content, united where they share sound.

    Raises
    ------
    NotFoundError
        for a label that no file has.
    """
    notes: list[str] = []
    names = facts.label_names
    if island is None:
        if facts.island_of is not None:
            island = "island"
        elif "island" in names:
            island = "label.island"
            notes.append(
                "islands are those of the label island; `motifdb audit` finds them in the sound itself"
            )
        else:
            island = "recording"
            notes.append("islands are recordings: no audit is stored that says which recordings share sound")
    given = _checked(source, names) if source is not None else ("source" if "source" in names else None)
    if given is not None:
        name = f"{LABEL_PREFIX}{given}"
        is_crossed = _is_crossed(facts.key(name), facts.key(label))
        notes.append(f"sources are the values of the label {given}")
        if is_crossed:
            notes.append(
                f"most of them have clips of several values of {label}: one after the other is held out"
            )
        return Keys(island, (name,), False, is_crossed, tuple(notes))
    if "recording" in names and label != "recording":
        notes.append("sources are derived: recordings by their label, united where they share sound")
        return Keys(island, ("label.recording",), True, False, tuple(notes))
    notes.append("sources are derived: recordings, united where they share sound")
    return Keys(island, ("recording",), True, False, tuple(notes))


def _is_crossed(source: Sequence[str | None], label: Sequence[str | None]) -> bool:
    """Whether more than half of the sources have clips of several classes."""
    classes: dict[str, set[str]] = {}
    for key, value in zip(source, label, strict=True):
        if key is not None and value is not None:
            classes.setdefault(key, set()).add(value)
    return 2 * sum(len(c) > 1 for c in classes.values()) > len(classes)


def _checked(name: str, names: Sequence[str]) -> str:
    plain = name.removeprefix(LABEL_PREFIX)
    if plain not in names:
        raise NotFoundError(f"no file has a label {plain!r} to be the source; {nearest(plain, names)}")
    return plain


def protocols(
    label: str, keys: Keys, *, draws: int = 3, folds: int = 5, seed: int = 0, valid_share: float = 0.0
) -> dict[str, Protocol]:
    """Every rung by name, `NAMES` among them.

    Parameters
    ----------
    draws : of the random rungs
    folds : over islands; sources have as many as the class with the most
    valid_share : of what does not test; 0 for models that stop by themselves. Validating groups are islands (random: contents), so
        that what early stopping watches has not been trained on
    """
    base = SplitConfig(label=label, seed=seed, valid_share=valid_share)
    random = replace(base, method="random", folds=draws, as_published=True)
    contents = replace(base, method="random", folds=draws, unit="contents")
    island = replace(base, method="kfold", by=(keys.island,), folds=folds, unit="contents")
    source = replace(
        base, method="held-out", by=keys.source, merge_shared=keys.merge_source, unit="contents",
        valid_by=(keys.island,) if valid_share else (), allow_leak=not keys.merge_source, drop_rare=True,
    )  # fmt: skip
    if keys.is_crossed:
        source = replace(source, method="kfold", folds=ONE_EACH, drop_rare=False, unit="files")
    names = replace(
        base, method="held-out", by=("label.recording",), as_published=True, allow_leak=True, drop_rare=True,
        valid_by=(keys.island,) if valid_share else (),
    )  # fmt: skip
    found = (
        Protocol(RANDOM, random, True, "nothing kept apart, as published"),
        Protocol(CONTENTS, contents, True, "equal files on one side"),
        Protocol(NAMES, names, True, "the recording's name kept apart, its sound not"),
        Protocol(ISLAND, island, False, "shared sound on one side"),
        Protocol(SOURCE, source, False, "whole sources held out"),
    )
    return {p.name: p for p in found}


def make_splits(
    path: Path, clips: str | None, wanted: Sequence[Protocol]
) -> dict[str, tuple[str, list[str]]]:
    """By name of the protocol: the id of its split, and what was left out, in sentences. Splits that are there stay.

    Raises
    ------
    UsageError, NotFoundError
        for a division that cannot be.
    """
    from motifdb.catalog.store import open_writer
    from motifdb.training.fitting.train_job import LEASE_WAIT_S
    from motifdb.training.splits.split_job import SplitOptions, run_split

    found: dict[str, tuple[str, list[str]]] = {}
    with open_writer(path, wait_s=LEASE_WAIT_S) as writer:
        for protocol in wanted:
            made = run_split(SplitOptions(protocol.split, clips), writer)
            found[protocol.name] = (made.split_id, list(made.split.notes))
    return found


def stored_splits(snapshot: Snapshot, clips_id: str, wanted: Sequence[Protocol]) -> dict[str, str]:
    """By name of the protocol, the newest split that divides these clips so; those that were never made are not there."""
    import json

    from motifdb.pipelines.committer import quoted

    where = f"kind = 'split' and parent_id = {quoted(clips_id)}"
    rows = snapshot.table("analyses", ["analysis_id", "parameters", "created_at"], where).to_pylist()
    rows.sort(key=lambda row: (row["created_at"], row["analysis_id"]))
    found: dict[str, str] = {}
    for protocol in wanted:
        asked = json.loads(json.dumps(protocol.split.parameters()))
        for row in rows:
            values = json.loads(row["parameters"])
            values.pop("inputs_hash", None)
            if values == asked:
                found[protocol.name] = row["analysis_id"]
    return found


def clips_by_kind(snapshot: Snapshot) -> Mapping[str, list[str]]:
    """Ids of the analyses of clips by the kind they hold, newest first; clips of kind file count as motif where no others do.

    The published clips of sid-2020 are such files: each was cut at a motif by its authors.
    """
    import pyarrow.compute as pc

    rows = snapshot.table("analyses", ["analysis_id", "created_at"], "kind = 'clips'").to_pylist()
    rows.sort(key=lambda r: (r["created_at"], r["analysis_id"]), reverse=True)
    clips = snapshot.table("clips", ["analysis_id", "kind"])
    found: dict[str, list[str]] = {}
    for row in rows:
        own = clips.filter(pc.equal(clips.column("analysis_id"), row["analysis_id"])).column("kind")
        for kind in pc.unique(own).to_pylist():
            found.setdefault(kind, []).append(row["analysis_id"])
    return found
