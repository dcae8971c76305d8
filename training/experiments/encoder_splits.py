"""Which clips an experiment with encoders takes, and how they are divided so that singers who test are new.

A corpus in which singers share works is divided into complete tables of singers and works (`motifdb split --crossed singer work`): then
singer can be told from song. Where a corpus has no such tables, singers are folded: each is tested once by an encoder that has not
heard them, and what cannot be asked without shared works is named.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from motifdb.errors import NotFoundError, UsageError

if TYPE_CHECKING:
    from motifdb.catalog.snapshot import Snapshot
    from motifdb.training.clips.clip_facts import ClipFacts

N_FOLDS = 4
ENOUGH_WORKS = 14
"""Works from which on a crossing is divided as the paper's is, 6/4/4; of fewer none validate, so that those who test are not a handful."""

_NEAR_S = 0.02
"""Windows that differ by less from 256 columns are taken for them."""


@dataclass(frozen=True)
class Divided:
    """A division.

    Attributes
    ----------
    folds : of the split, those that are asked for
    is_crossed : whether parts are complete tables of singers and works
    notes : sentences, the leak check among them
    """

    clips: str
    split_id: str
    folds: tuple[int, ...]
    is_crossed: bool
    notes: tuple[str, ...] = field(default=())


def window_clips(snapshot: Snapshot, text: str | None) -> tuple[str | None, list[str]]:
    """The set of clips that is meant, and what must be known of it; the newest windows of 256 columns where none is named, if any."""
    from motifdb.training.encoders.recipes import HOP_S, WINDOW_S
    from motifdb.training.splits.examples import find_clips

    rows = snapshot.table("analyses", None, "kind = 'clips'").to_pylist()
    rows.sort(key=lambda row: (row["created_at"], row["analysis_id"]))
    fitting = [row["analysis_id"] for row in rows if _is_window(json.loads(row["parameters"]), WINDOW_S)]
    if text is None:
        return (str(fitting[-1]) if fitting else None), []
    found = find_clips(snapshot, text)
    if found in fitting:
        return found, []
    return found, [
        f"the clips are not windows of 256 columns, as the paper's, which `motifdb clips --kind window --window-s {WINDOW_S}"
        f" --hop-s {HOP_S}` cuts"
    ]


def _is_window(parameters: dict[str, Any], window_s: float) -> bool:
    is_near = abs(float(parameters.get("window_s", 0.0)) - window_s) <= _NEAR_S
    return parameters.get("kind") == "window" and is_near


def _cut_windows(path: Path) -> str:
    """Cut every recording into the paper's windows, keeping its sound."""
    from motifdb.catalog.store import open_writer
    from motifdb.pipelines.progress import Lines
    from motifdb.training.clips.clip_job import cut_clips
    from motifdb.training.clips.clip_options import ClipOptions
    from motifdb.training.encoders.recipes import HOP_S, WINDOW_S
    from motifdb.training.encoders.store import LEASE_WAIT_S

    options = ClipOptions(kind="window", window_s=WINDOW_S, hop_s=HOP_S, engine="inline")
    with open_writer(path, wait_s=LEASE_WAIT_S) as writer:
        return cut_clips(options, writer, Lines()).analysis_id


def divide(
    path: Path,
    clips: str | None,
    *,
    label: str = "singer",
    work: str = "work",
    only_folds: tuple[int, ...] | None = None,
    seed: int = 0,
) -> Divided:
    """Take the newest crossed split of the clips, or make one; else fold by singer. Clips are cut where there are none.

    Raises
    ------
    NotFoundError, UsageError
        for clips or labels that are not there, too few singers, folds that the split has not.
    """
    from motifdb.catalog.snapshot import open_snapshot
    from motifdb.training.clips.clip_facts import facts_of
    from motifdb.training.splits.examples import split_folds
    from motifdb.training.splits.leaks import leak_reports, leak_text

    snapshot = open_snapshot(path)
    chosen, notes = window_clips(snapshot, clips)
    clips_id = chosen if chosen is not None else _cut_windows(path)
    snapshot = open_snapshot(path)
    facts = facts_of(snapshot, clips_id)
    facts.label(label)  # refused here, with the nearest name, where nobody has it
    split_id = _crossed_there(snapshot, clips_id, label, work)
    is_crossed = True
    if split_id is None:
        try:
            split_id, said = _make_crossed(path, clips_id, facts, label, work, seed)
        except (NotFoundError, UsageError) as error:
            is_crossed = False
            notes.append(
                f"no table of singers and works can be had, so singer cannot be told from song here: {error}"
            )
            split_id, said = _make_by_singer(path, clips_id, facts, label, seed)
        notes += said
    snapshot = open_snapshot(path)
    there = split_folds(snapshot, split_id)
    folds = there if only_folds is None else tuple(f for f in there if f in only_folds)
    if not folds:
        asked = ", ".join(map(str, only_folds or ()))
        raise UsageError(f"split {split_id[:8]} has the folds {min(there)} to {max(there)}, not {asked}")
    leaks = [report for report in leak_reports(snapshot, split_id) if report.fold in folds]
    return Divided(clips_id, split_id, folds, is_crossed, (*notes, leak_text(leaks)))


def _crossed_there(snapshot: Snapshot, clips_id: str, label: str, work: str) -> str | None:
    """The newest crossed split of these labels; None where there is none."""
    rows = snapshot.table("analyses", None, f"kind = 'split' and parent_id = '{clips_id}'").to_pylist()
    own = []
    for row in rows:
        values = json.loads(row["parameters"])
        if values.get("method") == "crossed" and list(values.get("by", ())) == [label, work]:
            own.append(row)
    if not own:
        return None
    return str(max(own, key=lambda row: (row["created_at"], row["analysis_id"]))["analysis_id"])


def _make_crossed(
    path: Path, clips_id: str, facts: ClipFacts, label: str, work: str, seed: int
) -> tuple[str, list[str]]:
    from motifdb.training.splits.split_config import SplitConfig

    singers, works = facts.label(label), facts.label(work)
    cells = {(s, w) for s, w in zip(singers, works, strict=True) if s is not None and w is not None}
    n_singers, n_works = len({s for s, _ in cells}), len({w for _, w in cells})
    sizes: dict[str, Any] = {}
    if 4 <= n_works < ENOUGH_WORKS:
        sizes["works"] = (n_works - n_works // 2, 0, n_works // 2)
        if len(cells) == n_singers * n_works and n_singers >= 4:
            sizes["singers"] = (n_singers - n_singers // 2, 0, n_singers // 2)
    config = SplitConfig(method="crossed", label=label, by=(label, work), seed=seed, **sizes)
    return _split(path, clips_id, config)


def _make_by_singer(
    path: Path, clips_id: str, facts: ClipFacts, label: str, seed: int
) -> tuple[str, list[str]]:
    from motifdb.training.splits.split_config import SplitConfig

    n_singers = len({v for v in facts.label(label) if v is not None})
    if n_singers < 6:
        raise UsageError(
            f"{n_singers} values of {label} are too few to keep some apart for validation and for tests; 6 or more are needed"
        )
    config = SplitConfig(
        method="kfold",
        label=label,
        by=(label,),
        folds=min(N_FOLDS, n_singers // 3),
        valid_share=0.0,  # whole singers validate: `pair_data` draws them
        stratified=False,
        allow_unseen=True,
        seed=seed,
    )
    return _split(path, clips_id, config)


def _split(path: Path, clips_id: str, config: Any) -> tuple[str, list[str]]:
    from motifdb.catalog.store import open_writer
    from motifdb.training.encoders.store import LEASE_WAIT_S
    from motifdb.training.splits.split_job import SplitOptions, run_split

    with open_writer(path, wait_s=LEASE_WAIT_S) as writer:
        made = run_split(SplitOptions(config, clips_id), writer)
    # that singers of test are not in train is what is wanted here
    unwanted = ("tested without being in train", "folds without a test of a class")
    return made.split_id, [note for note in made.split.notes if not note.startswith(unwanted)]
