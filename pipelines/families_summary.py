"""What `motifdb families` says: what was made, the largest families, and one recording's as groups of spans."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from motifdb.errors import NotFoundError, UsageError, nearest
from motifdb.pipelines.committer import in_list
from motifdb.pipelines.families_options import (
    FamiliesOptions,
    families_analysis,
    find_parents,
    newest_families,
)
from motifdb.query.scopes import label_values, partition
from motifdb.query.views import STANDARD_LABELS

if TYPE_CHECKING:
    from motifdb.catalog.store import Snapshot
    from motifdb.pipelines.families import FamiliesReport
    from motifdb.query.database import Database

_FILES = ["recording_id", "state", *STANDARD_LABELS, "labels"]
_NAMED = 3


def recording_meant(snapshot: Snapshot, text: str) -> str:
    """The recording that a path, a file's name with or without its ending, or the beginning of an id means.

    Raises
    ------
    NotFoundError
        where there is none.
    UsageError
        where several are meant.
    """
    rows = snapshot.table("files", ["path", "recording_id"], "recording_id is not null").to_pylist()
    by_name: dict[str, set[str]] = {}
    for row in rows:
        path = Path(row["path"])
        for name in {row["path"], path.name, path.stem, path.name.split(".")[0]}:
            by_name.setdefault(name, set()).add(row["recording_id"])
    found = {row["recording_id"] for row in rows if row["path"] == text}
    found = found or by_name.get(text, set())
    if not found and text:
        found = {row["recording_id"] for row in rows if row["recording_id"].startswith(text.lower())}
    if not found:
        hint = nearest(text, sorted(by_name)) if by_name else "there are no recordings yet"
        raise NotFoundError(f"there is no recording {text!r}; {hint}")
    if len(found) > 1:
        raise UsageError(
            f"{text!r} means {len(found)} recordings; give the path, or more of the recording_id"
        )
    return found.pop()


def stored_families(snapshot: Snapshot, options: FamiliesOptions) -> dict[str, set[str]] | None:
    """By analysis its scope keys, where everything that is asked for is stored; None where something is missing."""
    labels = label_values(snapshot.table("files", _FILES).to_pylist())
    stored = snapshot.table("analyses").to_pylist()
    found: dict[str, set[str]] = {}
    for parent in find_parents(snapshot, options):
        scope = partition(options.scope, options.conflicts, parent.recordings, labels)
        wanted = {k for k in scope.recordings if not options.recordings or k in options.recordings}
        if not wanted:
            continue
        newest = newest_families(stored, parent.id, options)
        if newest is None:
            return None
        analysis = families_analysis(newest["name"], parent.id, options, scope)
        if options.refresh and analysis.id != newest["analysis_id"]:
            return None
        where = f"analysis_id = '{newest['analysis_id']}' and state <> 'failed'"
        done = set(snapshot.table("coverage", ["scope_key"], where).column(0).to_pylist())
        if not options.is_wide and wanted - done:
            return None
        found[newest["analysis_id"]] = wanted & done if not options.is_wide else done
    return found or None


def groups_of_recording(snapshot: Snapshot, analyses: set[str], recording_id: str) -> pa.Table:
    """A recording's members as `group`, `start_s`, `end_s`: groups numbered by their first member, rows by time."""
    columns = ["family_id", "start_s", "end_s"]
    members = snapshot.table("family_members", columns, f"recording_id = '{recording_id}'").to_pylist()
    own = in_list("family_id", {row["family_id"] for row in members}) if members else "false"
    kept: set[str] = set()
    if members and analyses:
        where = f"{in_list('analysis_id', analyses)} and {own}"
        kept = set(snapshot.table("families", ["family_id"], where).column(0).to_pylist())
    rows = sorted((r["start_s"], r["end_s"], r["family_id"]) for r in members if r["family_id"] in kept)
    number: dict[str, int] = {}
    for _, _, name in rows:
        number.setdefault(name, len(number) + 1)
    return pa.table(
        {
            "group": pa.array([number[name] for _, _, name in rows], pa.int64()),
            # sums of steps of frames: what is below a microsecond is rounding
            "start_s": pa.array([round(start, 6) for start, _, _ in rows], pa.float64()),
            "end_s": pa.array([round(end, 6) for _, end, _ in rows], pa.float64()),
        }
    )


def largest_families(
    database: Database, analyses: set[str], n: int | None, recording: str | None
) -> pa.Table:
    """Families of some analyses, the largest first, with the place of the member that stands for them."""
    chosen = ", ".join(f"'{name}'" for name in sorted(analyses)) or "''"
    inside = (
        ""
        if recording is None
        else f" and f.family_id in (select family_id from family_members where recording_id = '{recording}')"
    )
    limit = "" if n is None else f" limit {n}"
    key = "case when f.scope in ('recording', 'corpus') then f.scope else f.scope || ' ' || f.scope_key end"
    scoped = database.sql(
        f"select 1 from families where analysis_id in ({chosen}) and scope <> 'recording' limit 1"
    )
    shown = f"{key} as scope, " if len(scoped) else ""
    return database.sql(
        f"select f.family_id[1:8] as family, {shown}f.size, f.recordings, f.duration_median_s as median_s,"
        " f.distance_median_cents as median_cents, m.start_s as exemplar_s,"
        " (select min(path) from files x where x.recording_id = m.recording_id) as exemplar_in"
        " from families f join family_members m on m.family_id = f.family_id and m.member = f.exemplar"
        f" where f.analysis_id in ({chosen}){inside}"
        f" order by f.size desc, f.distance_median_cents, f.family_id{limit}"
    ).arrow()


def families_lines(snapshot: Snapshot, options: FamiliesOptions, report: FamiliesReport) -> list[str]:
    """What a run did, for people."""
    lines: list[str] = []
    for made in report.made:
        where = f"analysis_id = '{made.analysis.id}'"
        families = snapshot.table("families", ["size", "scope_key"], where)
        sizes = families.column(0).to_pylist()
        lines.append(
            f"{snapshot.path}: analysis {made.analysis.id[:8]}, {made.analysis.name}, of {made.parent.name}"
        )
        n_keys = len(made.scope.recordings)
        what = "recording" if not options.is_wide else "scope" if options.scope == "corpus" else options.scope
        there = f"{n_keys:,} {what}{'s' * (n_keys != 1)}"
        if options.is_wide:
            n = len(made.scope.inputs)
            there += f" of {n:,} recording{'s' * (n != 1)}"
        if made.stale is not None:
            lines.append(made.stale)
        elif made.n_made:
            workers = f"{report.workers} worker{'s' * (report.workers != 1)}"
            lines.append(
                f"{there}; {made.n_made:,} searched now, in {report.wall_s:.1f} s ({report.engine}, {workers})"
            )
        else:
            lines.append(f"{there}; all were searched before")
        lines += _left_out(made)
        n = len(sizes)
        lines.append(
            f"{n:,} famil{'ies' if n != 1 else 'y'}, {sum(sizes):,} members"
            + (f", the largest of {max(sizes):,}" if sizes else "; nothing is sung twice")
        )
    return lines


def _left_out(made: Any) -> list[str]:
    lines = []
    if n := len(made.scope.contradicting):
        lines.append(
            f"{n:,} recording{'s' * (n != 1)} left out, as files contradict each other about the {made.scope.scope}"
        )
    if n := made.scope.n_unlabelled:
        lines.append(f"{n:,} recording{'s' * (n != 1)} without {made.scope.scope} left out")
    failed = sorted(made.failed.items())
    for key, reason in failed[:_NAMED]:
        lines.append(f"failed on {key}: {reason}")
    if len(failed) > _NAMED:
        lines.append(f"and on {len(failed) - _NAMED:,} more")
    return lines


def chosen_families(file: Path | None, assignments: list[str], options: dict[str, Any]) -> Any:
    """Parameters from a TOML file, then ``KEY=VALUE``, then options, the last word being theirs.

    Raises
    ------
    UsageError
        for a file that cannot be read, or a parameter or value that cannot be.
    """
    from motifdb.families import FamiliesConfig
    from motifdb.pipelines.settings import assignment

    base = FamiliesConfig()
    if file is not None:
        try:
            text = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"the configuration {file} cannot be read: {error}") from None
        base = FamiliesConfig.from_toml(text, where=str(file))
    given = dict(assignment(a) for a in assignments)
    given = {key.removeprefix("families."): value for key, value in given.items()}
    given |= {key: value for key, value in options.items() if value is not None}
    return FamiliesConfig.from_parameters(base.parameters() | given)
