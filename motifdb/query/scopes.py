"""Which recordings are mined together: each alone, all, or those that share the value of a label.

A label is a fact about a file. A recording whose files contradict each other about the label of a scope belongs to
none of its values, unless it shall belong to each.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from motifdb.config import MiningConfig
from motifdb.ids import set_hash
from motifdb.query.views import STANDARD_LABELS

if TYPE_CHECKING:
    from motifdb.catalog.store import Snapshot

ALL = "all"
"""scope_key of the scope ``corpus``: every recording that has contours of the analysis that is mined."""


@dataclass(frozen=True)
class Scoped:
    """What of an analysis says who is searched together: of mining or of families."""

    scope: str
    conflicts: str

    @property
    def is_wide(self) -> bool:
        """Whether several recordings are searched together."""
        return self.scope != "recording"

    @classmethod
    def of(cls, kind: str, parameters: Mapping[str, Any]) -> Scoped | None:
        """From the parameters of an analysis; None where it has no scope, or it cannot be read."""
        scope, conflicts = parameters.get("scope", "recording"), parameters.get("conflicts", "leave-out")
        if kind not in ("mining", "families") or not isinstance(scope, str):
            return None
        return cls(scope, str(conflicts))


_COLUMNS = ["recording_id", "state", *STANDARD_LABELS, "labels"]


@dataclass(frozen=True)
class Partition:
    """The recordings of each key of a scope.

    Attributes
    ----------
    scope : ``"recording"``, ``"corpus"`` or the name of a label
    recordings : by key, ascending; each list ascending
    contradicting : recordings that are left out, with the values that their files give
    n_unlabelled : recordings that no file gives a value
    """

    scope: str
    recordings: dict[str, list[str]]
    contradicting: dict[str, list[str]]
    n_unlabelled: int

    @cached_property
    def inputs(self) -> set[str]:
        """Every recording that is in the scope."""
        return {r for members in self.recordings.values() for r in members}

    @cached_property
    def _keys(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for key, members in self.recordings.items():
            for recording in members:
                found.setdefault(recording, []).append(key)
        return found

    def keys_of(self, recording: str) -> list[str]:
        """The keys that a recording belongs to: one, or none, or several where contradicting labels count each."""
        return self._keys.get(recording, [])

    @property
    def inputs_hash(self) -> str:
        """Hash of who is where: the frozen input list of an analysis over several recordings."""
        return set_hash(
            f"{recording} {key}" for key, members in self.recordings.items() for recording in members
        )

    def input_hash(self, key: str) -> str:
        """Hash of the recordings of one key, for `coverage`."""
        return key if self.scope == "recording" else set_hash(self.recordings[key])


def label_values(files: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, set[str]]]:
    """By label: the values that a recording's files give to it; only files that are inputs speak."""
    found: dict[str, dict[str, set[str]]] = {name: {} for name in STANDARD_LABELS}
    for row in files:
        if row["state"] != "input" or row["recording_id"] is None:
            continue
        own = [(name, row[name]) for name in STANDARD_LABELS]
        for name, value in [*own, *dict(row["labels"] or ()).items()]:
            if value is not None:
                found.setdefault(name, {}).setdefault(row["recording_id"], set()).add(value)
    return found


def partition(
    scope: str, conflicts: str, recordings: Iterable[str], labels: Mapping[str, Mapping[str, set[str]]]
) -> Partition:
    """Sort recordings by the keys of a scope.

    Parameters
    ----------
    scope, conflicts : as in `MiningConfig`
    recordings : those that could be in it
    labels : from `label_values`

    Examples
    --------
    >>> singers = {"singer": {"r1": {"Zeki"}, "r2": {"Zeki", "Zekí"}, "r3": {"Asa"}}}
    >>> found = partition("singer", "leave-out", ["r1", "r2", "r3", "r4"], singers)
    >>> found.recordings, found.contradicting, found.n_unlabelled
    ({'Asa': ['r3'], 'Zeki': ['r1']}, {'r2': ['Zeki', 'Zekí']}, 1)
    """
    there = sorted(recordings)
    if scope == "recording":
        return Partition(scope, {r: [r] for r in there}, {}, 0)
    if scope == "corpus":
        return Partition(scope, {ALL: there} if there else {}, {}, 0)
    given = labels.get(scope, {})
    found: dict[str, list[str]] = {}
    contradicting: dict[str, list[str]] = {}
    for recording in there:
        values = sorted(given.get(recording, ()))
        if len(values) > 1 and conflicts != "each":
            contradicting[recording] = values
            continue
        for value in values:
            found.setdefault(value, []).append(recording)
    n_unlabelled = sum(recording not in given for recording in there)
    return Partition(scope, dict(sorted(found.items())), contradicting, n_unlabelled)


def current_partition(snapshot: Snapshot, parent_id: str, config: MiningConfig | Scoped) -> Partition:
    """The scope as it would be searched now, over what an analysis' parent has done."""
    where = f"analysis_id = '{parent_id}' and state <> 'failed'"
    there = snapshot.table("coverage", ["scope_key"], where).column(0).to_pylist()
    labels = label_values(snapshot.table("files", _COLUMNS).to_pylist())
    return partition(config.scope, config.conflicts, there, labels)
