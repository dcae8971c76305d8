"""What families are asked for, in what they are sought, and which stored analysis that is."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from motifdb.errors import NotFoundError, UsageError, nearest
from motifdb.families import FamiliesConfig
from motifdb.ids import canonical_json
from motifdb.pipelines.analyses import Analysis
from motifdb.pipelines.engine import check_engine
from motifdb.pipelines.families_work import FAMILIES_VERSION
from motifdb.pipelines.lineage import find_mining
from motifdb.query.scopes import Partition

if TYPE_CHECKING:
    from motifdb.catalog.store import Snapshot

SOURCES = ("pitch", "motifs")
CONFLICTS = ("leave-out", "each")


@dataclass(frozen=True)
class FamiliesOptions:
    """What is asked for; see `motifdb families --help`.

    Attributes
    ----------
    scope : ``"recording"``, ``"corpus"`` or the name of a label
    source : ``"pitch"``, or ``"motifs"``: families grow from the places of motifs
    conflicts : as in mining: a recording with contradicting labels is left out, or belongs to each value
    of : pitch analysis (source pitch) or mining analysis (source motifs), by name or beginning of its id
    name : of the analysis; None tells what differs from the defaults
    recordings : ids; these alone, where each recording is searched on its own
    """

    config: FamiliesConfig = field(default_factory=FamiliesConfig)
    scope: str = "recording"
    source: str = "pitch"
    conflicts: str = "leave-out"
    of: str | None = None
    name: str | None = None
    recordings: tuple[str, ...] = ()
    refresh: bool = False
    retry_failed: bool = False
    workers: int | None = None
    engine: str = "auto"
    ray_address: str | None = None

    @property
    def is_wide(self) -> bool:
        """Whether several recordings are searched together."""
        return self.scope != "recording"

    def check(self) -> None:
        """Refuse what cannot be.

        Raises
        ------
        UsageError
        """
        check_engine(self.engine, workers=self.workers, address=self.ray_address)
        if self.source not in SOURCES:
            raise UsageError(f"--source must be pitch or motifs, got {self.source!r}")
        if self.conflicts not in CONFLICTS:
            raise UsageError(f"--conflicts must be leave-out or each, got {self.conflicts!r}")
        if self.recordings and self.is_wide:
            raise UsageError(
                f"--recording names one recording; --scope {self.scope} is about several at once"
            )

    def parameters(self) -> dict[str, Any]:
        """Every parameter of the analysis but its list of inputs."""
        own = {"scope": self.scope, "source": self.source, "conflicts": self.conflicts}
        return self.config.parameters() | own

    def own_name(self) -> str:
        """A name that tells what differs from the defaults.

        >>> FamiliesOptions(scope="singer", config=FamiliesConfig(min_members=3)).own_name()
        'families+singer+min_members=3'
        """
        if self.name is not None:
            return self.name
        parts = ["families"]
        parts += ["motifs"] if self.source == "motifs" else []
        parts += [self.scope] if self.is_wide else []
        parts += ["each"] if self.conflicts == "each" else []
        before = FamiliesConfig().parameters()
        changed = {k: v for k, v in self.config.parameters().items() if v != before[k]}
        return "+".join([*parts, *(f"{k}={v:g}" for k, v in changed.items())])


@dataclass(frozen=True)
class Parent:
    """What families are sought in.

    Attributes
    ----------
    id, name : of the analysis they are children of: pitch, or mining
    pitch_id : the pitch that is compared
    recordings : that it has been applied to
    """

    id: str
    name: str
    pitch_id: str
    recordings: list[str]


def find_parents(snapshot: Snapshot, options: FamiliesOptions) -> list[Parent]:
    """The analyses in which families are sought: one of motifs, or those of pitch that share no recording.

    Raises
    ------
    NotFoundError
        where there is none.
    UsageError
        where several could be meant.
    """
    done = snapshot.table("coverage", ["analysis_id", "scope_key"], "state <> 'failed'")
    covered: dict[str, list[str]] = {}
    for analysis, key in zip(*(c.to_pylist() for c in done.columns), strict=True):
        covered.setdefault(analysis, []).append(key)
    if options.source == "motifs":
        lineage = find_mining(snapshot, options.of)
        return [
            Parent(
                lineage.mining_id,
                str(lineage.mining_row["name"]),
                lineage.pitch_id,
                sorted(covered.get(lineage.mining_id, [])),
            )
        ]
    rows = sorted(snapshot.table("analyses").to_pylist(), key=lambda r: (r["name"], r["analysis_id"]))
    pitch = [r for r in rows if r["kind"] == "pitch" and covered.get(r["analysis_id"])]
    if not pitch:
        raise NotFoundError(f"{snapshot.path} holds no pitch yet; motifdb ingest makes it from recordings")
    wanted = options.of
    if wanted is None:
        meant = [r for r in pitch if r["name"] != "reference"] or pitch
    else:
        meant = [r for r in pitch if r["name"] == wanted]
        meant = meant or [r for r in pitch if wanted and r["analysis_id"].startswith(wanted.lower())]
    if not meant:
        names = sorted({str(r["name"]) for r in pitch})
        raise NotFoundError(f"there is no pitch analysis {wanted!r}; {nearest(str(wanted), names)}")
    keys = [key for r in meant for key in covered[r["analysis_id"]]]
    if len(keys) != len(set(keys)):
        listed = ", ".join(f"{r['name']} ({r['analysis_id'][:8]})" for r in meant)
        raise UsageError(f"recordings have pitch of several analyses: {listed}; name one with --of")
    return [
        Parent(r["analysis_id"], r["name"], r["analysis_id"], sorted(covered[r["analysis_id"]]))
        for r in meant
    ]


def newest_families(
    stored: Iterable[Mapping[str, Any]], parent_id: str, options: FamiliesOptions
) -> Mapping[str, Any] | None:
    """The newest analysis of this parent with these parameters, whatever inputs it froze."""
    found = [
        row
        for row in stored
        if row["kind"] == "families" and row["parent_id"] == parent_id and _asks_for(row, options)
    ]
    return max(found, key=lambda r: (r["created_at"], r["analysis_id"]), default=None)


def _asks_for(row: Mapping[str, Any], options: FamiliesOptions) -> bool:
    values = json.loads(row["parameters"])
    values.pop("inputs_hash", None)
    wanted = json.loads(canonical_json(options.parameters()))
    return bool(row["stage_version"] == FAMILIES_VERSION and values == wanted)


def families_analysis(
    name: str, parent_id: str, options: FamiliesOptions, scope: Partition | None
) -> Analysis:
    values = options.parameters()
    if not options.is_wide or scope is None:
        return Analysis(name, "families", parent_id, values, FAMILIES_VERSION)
    frozen = scope.inputs_hash
    values |= {"inputs_hash": frozen}
    return Analysis(name, "families", parent_id, values, FAMILIES_VERSION, frozen, len(scope.inputs))


def stored_analysis(row: Mapping[str, Any]) -> Analysis:
    return Analysis(
        row["name"],
        "families",
        row["parent_id"],
        json.loads(row["parameters"]),
        row["stage_version"],
        row["inputs_hash"],
        row["n_inputs"],
    )


def freely_named(stored: list[dict[str, Any]], wanted: Analysis, options: FamiliesOptions) -> Analysis:
    """The analysis under a name that stands for nothing else.

    The same parameters on other pitch, or other inputs, are nothing else. A name of the job's own that an analysis with other
    parameters has (an older version's, with other defaults) is told from it by the id.

    Raises
    ------
    UsageError
        where such an analysis has the name that was asked for.
    """
    for row in stored:
        if row["kind"] == "families" and row["name"] == wanted.name and not _asks_for(row, options):
            if options.name is None:
                return replace(wanted, name=f"{wanted.name} {wanted.id[:6]}")
            raise UsageError(
                f"the name {wanted.name!r} is taken by analysis {row['analysis_id'][:8]}, which has other parameters or is"
                " older; choose another one with --name"
            )
    return wanted


def nobody_meant(scope: str, labels: Mapping[str, Mapping[str, set[str]]]) -> NotFoundError:
    given = sorted(name for name, own in labels.items() if own)
    if scope == "recording":
        return NotFoundError("no recording has motifs yet; motifdb ingest, or motifdb mine, makes them")
    if scope in given:
        return NotFoundError(
            f"no recording with pitch has an uncontradicted {scope}; --conflicts each takes recordings for each value"
        )
    if not given:
        return NotFoundError(
            f"there is no label {scope!r} here, nor any other; ingest with --metadata gives labels"
        )
    return NotFoundError(
        f"no recording has a label {scope!r}; {nearest(scope, ['recording', 'corpus', *given])}"
    )
