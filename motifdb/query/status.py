"""What is in a database, and how it is: counts, hours, size, analyses, failures, interrupted or stale work."""

from __future__ import annotations

import json
import os
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from motifdb.config import MiningConfig, part_from_parameters
from motifdb.errors import UsageError
from motifdb.ids import set_hash
from motifdb.query.scopes import Scoped, current_partition
from motifdb.query.sql import Session
from motifdb.schemas import TABLES

if TYPE_CHECKING:
    from motifdb.catalog.store import Snapshot

_WIDTH = 98
_COMMANDS = {"mining": "mine", "families": "families", "embeddings": "embed"}
"""What makes an analysis of a kind; `ingest` makes the others."""


@dataclass(frozen=True)
class FailureKind:
    """Failures of one kind: how many, and the first of them by path."""

    stage: str
    kind: str
    n_files: int
    path: str
    reason: str


@dataclass(frozen=True)
class AnalysisStatus:
    """How far an analysis has come.

    `n_recordings` are the recordings (or keys of the wider `scope`) it has been applied to, `n_empty` those of them with
    nothing to find, `n_rows` what it made; `n_bounded` are complete down to a support above the least one only.
    `n_waiting` recordings are there that its parent has done and it has not, or keys of its scope. `stale` is a sentence
    where the inputs it froze are no longer those that are there.
    """

    analysis_id: str
    name: str
    kind: str
    parent_id: str | None
    created_at: datetime
    n_recordings: int
    n_empty: int
    n_failed: int
    n_rows: int
    n_waiting: int
    stale: str | None
    scope: str = "recording"
    n_inputs: int | None = None
    n_bounded: int = 0


@dataclass(frozen=True)
class Status:
    """Everything `motifdb status` tells; `str` of it is the text.

    `corpora` are where each one's folder stands, by name; `n_rows` by table, `n_files` by state.
    """

    path: Path
    commit: int
    committed_at: datetime
    message: str
    format_version: int
    size_bytes: int
    corpora: dict[str, str]
    n_rows: dict[str, int]
    audio_hours: float
    f0_hours: float
    n_files: dict[str, int]
    failures: list[FailureKind]
    analyses: list[AnalysisStatus]
    notes: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return "\n".join(_lines(self))


def status(snapshot: Snapshot) -> Status:
    """Read the state of a database.

    Raises
    ------
    DatabaseError
        where a table cannot be read.
    """
    session = Session(snapshot)
    try:
        hours = dict.fromkeys(("audio", "f0"), 0.0)
        for row in session.table(
            "select kind, sum(duration_s) / 3600 as hours from recordings group by 1"
        ).to_pylist():
            hours[row["kind"]] = row["hours"] or 0.0
        files = session.table(
            "select state, count(*) as n from files group by 1 order by n desc, 1"
        ).to_pylist()
        failures = session.table(
            "select stage, kind, count(*) as n_files, min(path) as path, arg_min(reason, path) as reason"
            " from failures group by 1, 2 order by n_files desc, 1, 2"
        ).to_pylist()
        return Status(
            path=snapshot.path,
            commit=snapshot.commit,
            committed_at=snapshot.created_at,
            message=snapshot.record.message,
            format_version=snapshot.format_version,
            size_bytes=size_on_disk(snapshot.path),
            corpora={
                row["name"]: row["root_uri"]
                for row in session.table("select name, root_uri from corpora order by name").to_pylist()
            },
            n_rows={name: snapshot.count(name) for name in TABLES},
            audio_hours=hours["audio"],
            f0_hours=hours["f0"],
            n_files={row["state"]: row["n"] for row in files},
            failures=[FailureKind(**row) for row in failures],
            analyses=list(_analyses(session, snapshot)),
            notes=list(_notes(snapshot)),
        )
    finally:
        session.close()


def size_on_disk(path: Path) -> int:
    """Bytes in all files below a folder; files that vanish meanwhile count nothing."""
    total = 0
    for folder, _, names in os.walk(path):
        for name in names:
            try:
                total += os.lstat(os.path.join(folder, name)).st_size
            except OSError:
                continue
    return total


def _analyses(session: Session, snapshot: Snapshot) -> Iterator[AnalysisStatus]:
    rows = session.table(
        """
        with done as (
            select analysis_id, count(*) as n_recordings, count(*) filter (state = 'empty') as n_empty,
                   count(*) filter (state = 'failed') as n_failed, sum(n_rows)::bigint as n_rows,
                   count(complete_from) as n_bounded
            from coverage group by 1
        ), waiting as (
            select a.analysis_id, count(*) as n_waiting
            from analyses a join coverage p on p.analysis_id = a.parent_id
            where a.kind in ('contour', 'mining', 'families') and p.state <> 'failed' and not exists (
                select 1 from coverage c where c.analysis_id = a.analysis_id and c.scope_key = p.scope_key)
            group by 1
            union all
            select a.analysis_id, count(*) as n_waiting
            from analyses a join coverage p on p.analysis_id = a.parent_id and p.state = 'done'
            join recordings r on r.recording_id = p.scope_key and r.kind = 'audio'
            where a.kind = 'embeddings' and not exists (
                select 1 from coverage c where c.analysis_id = a.analysis_id and c.scope_key = p.scope_key)
            group by 1
            union all
            select a.analysis_id, count(*) as n_waiting from analyses a join recordings r on r.kind = 'audio'
            where a.kind = 'embeddings' and a.parent_id is null and r.duration_s > 0 and not exists (
                select 1 from coverage c where c.analysis_id = a.analysis_id and c.scope_key = r.recording_id)
            group by 1
        )
        select a.analysis_id, a.name, a.kind, a.parent_id, a.created_at, a.parameters, a.inputs_hash, a.n_inputs,
               coalesce(n_recordings, 0) as n_recordings, coalesce(n_empty, 0) as n_empty,
               coalesce(n_failed, 0) as n_failed, coalesce(n_rows, 0) as n_rows, coalesce(n_waiting, 0) as n_waiting,
               coalesce(n_bounded, 0) as n_bounded
        from analyses a left join done using (analysis_id) left join waiting using (analysis_id)
        order by case a.kind when 'pitch' then 0 when 'contour' then 1 when 'mining' then 2 when 'families' then 3 else 4 end,
                 a.created_at, a.analysis_id
        """
    ).to_pylist()
    successors = {
        (r["parent_id"], _asked(r["parameters"]), r["inputs_hash"]): r["analysis_id"]
        for r in rows
        if r["kind"] in ("mining", "families") and r["inputs_hash"] is not None
    }
    for row in rows:
        frozen, parameters = row.pop("inputs_hash"), row.pop("parameters")
        mining = _scoped(row["kind"], parameters)
        is_dictionary = mining is not None and "dictionary" in json.loads(parameters)
        stale = None
        if mining is not None and mining.is_wide and not is_dictionary:
            found = current_partition(snapshot, row["parent_id"], mining)
            row["n_waiting"] = len(found.recordings) - row["n_recordings"]
            if found.inputs_hash != frozen:
                successor = successors.get((row["parent_id"], _asked(parameters), found.inputs_hash))
                what_next = (
                    f"succeeded by {successor[:8]}"
                    if successor
                    else f"{_COMMANDS[row['kind']]} --refresh makes a successor"
                )
                row["n_waiting"] = 0
                stale = _stale(len(found.inputs), row["n_inputs"] or 0, what_next)
            row["scope"] = mining.scope
        elif row["kind"] == "audit":
            stale, row["scope"] = _stale_audit(session, row, rows), "corpus"
        elif frozen is not None and row["kind"] in ("contour", "mining"):
            keys = session.table(
                "select scope_key from coverage where analysis_id = ? and state <> 'failed'",
                [row["parent_id"]],
            ).column(0)
            if set_hash(keys.to_pylist()) != frozen:
                stale = _stale(
                    len(keys),
                    row["n_inputs"] or 0,
                    "run dictionary again" if is_dictionary else "ingest --refresh makes a successor",
                )
            if mining is not None and is_dictionary:
                row["n_waiting"], row["scope"] = 0, mining.scope
        yield AnalysisStatus(**row, stale=stale)


def _scoped(kind: str, parameters: str) -> MiningConfig | Scoped | None:
    """Who is searched together in an analysis; None where it has no scope, or it cannot be read (`check` says so)."""
    try:
        values = json.loads(parameters)
        return part_from_parameters(MiningConfig, values) if kind == "mining" else Scoped.of(kind, values)
    except (UsageError, TypeError, ValueError, AttributeError):
        return None


def _asked(parameters: str) -> str:
    """Parameters of an analysis but for the list of inputs that it froze."""
    return json.dumps({k: v for k, v in json.loads(parameters).items() if k != "inputs_hash"}, sort_keys=True)


def _stale(n_there: int, n_inputs: int, what_next: str) -> str:
    """Say how the inputs that are there differ from the frozen list, of which hash and length are known."""
    n_newer = n_there - n_inputs
    if n_newer > 0:
        return f"stale: {n_newer:,} recording{'s' if n_newer > 1 else ''} newer; {what_next}"
    return f"stale: its {n_inputs:,} recordings have changed; {what_next}"


def _stale_audit(session: Session, audit: dict[str, Any], rows: list[dict[str, Any]]) -> str | None:
    """Say where an audit is about other recordings than those that are there; it gives each of its own an island."""
    (found,) = session.table(
        "select count(*) as n_there, count(i.recording_id) as n_known from recordings r"
        " left join islands i on i.recording_id = r.recording_id and i.analysis_id = ?",
        [audit["analysis_id"]],
    ).to_pylist()
    n_inputs = audit["n_inputs"] or 0
    if found["n_there"] == found["n_known"] == n_inputs:
        return None
    newer = [r for r in rows if r["kind"] == "audit" and r["created_at"] > audit["created_at"]]
    what_next = f"succeeded by {newer[-1]['analysis_id'][:8]}" if newer else "run audit again"
    return _stale(found["n_there"], n_inputs, what_next)


def _notes(snapshot: Snapshot) -> Iterator[str]:
    """What the newest commit does not tell: a writer at work, or one that ended without a word."""
    from motifdb.catalog import lancetables, lease
    from motifdb.errors import MotifdbError

    try:
        who = lease.holder(snapshot.path)
        is_writing = who is not None and not lease.is_dead(snapshot.path, who)
    except (MotifdbError, OSError):
        return
    if is_writing:
        yield f"a writer is at work: {who}"
        return
    if who is not None:
        yield f"the last writer ended without a word ({who}); run its command again to finish its work"
    from motifdb.catalog.snapshot import open_snapshot

    head = open_snapshot(snapshot.path)
    if head.commit != snapshot.commit:
        yield f"this is commit {snapshot.commit}; the newest is {head.commit}"
        return
    beyond = [
        name
        for name, version in snapshot.versions.items()
        if lancetables.open_version(snapshot.path, name).version != version
    ]
    if beyond:
        yield f"an interrupted commit left parts in {', '.join(beyond)}; they are invisible, and the next writer removes them"


def _lines(s: Status) -> Iterator[str]:
    yield from _wrap("database", f"{s.path}, {size_text(s.size_bytes)}, format {s.format_version}")
    yield from _wrap("commit", f"{s.commit}, {s.committed_at:%Y-%m-%d %H:%M:%S} UTC: {s.message}")
    yield from _wrap("corpora", ", ".join(f"{name} in {root}" for name, root in s.corpora.items()) or "none")
    hours = [
        f"{h:,.1f} h of {what}" for h, what in ((s.audio_hours, "audio"), (s.f0_hours, "f0 tracks")) if h
    ]
    yield from _wrap("recordings", ", ".join([f"{s.n_rows['recordings']:,}", *hours]))
    files = ", ".join(f"{n:,} {state}" for state, n in s.n_files.items())
    yield from _wrap("files", f"{s.n_rows['files']:,}" + (f" ({files})" if files else ""))
    yield from _wrap("rows", ", ".join(f"{name} {n:,}" for name, n in s.n_rows.items() if n) or "none")
    if s.analyses:
        yield ""
        yield f"{'analysis':<10}{'kind':<12}{'name':<18}{'recordings':>11}{'empty':>8}{'rows':>13}"
        for a in s.analyses:
            name = a.name if len(a.name) <= 17 else a.name[:16] + "…"
            n_recordings = a.n_recordings if a.scope == "recording" else a.n_inputs or 0
            is_whole = a.kind in ("counts", "split")
            where = f"{'all':>11}{'':>8}" if is_whole else f"{n_recordings:>11,}{a.n_empty:>8,}"
            yield f"{a.analysis_id[:8]:<10}{a.kind:<12}{name:<18}{where}{a.n_rows:>13,}"
            if a.scope == "corpus":
                yield f"{'':10}scope: the corpus, as one"
            elif a.scope != "recording":
                yield f"{'':10}scope: {a.scope}, {a.n_recordings:,} of them"
            if a.n_failed:
                yield f"{'':10}failed on {a.n_failed:,}"
            if a.n_bounded:
                yield f"{'':10}a bound was reached in {a.n_bounded:,}; coverage.complete_from says down to where they go"
            if a.n_waiting:
                what = a.scope if a.scope != "recording" else "recording"
                waiting = f"1 {what} waits" if a.n_waiting == 1 else f"{a.n_waiting:,} {what}s wait"
                yield f"{'':10}{waiting} for it; run {_COMMANDS.get(a.kind, 'ingest')} again"
            if a.stale:
                yield f"{'':10}{a.stale}"
    if s.failures:
        yield ""
        n = sum(f.n_files for f in s.failures)
        yield f'{n:,} failure{"" if n == 1 else "s"}; motifdb sql "from failures" lists them'
        for f in s.failures:
            text = f"{f.n_files:>6,}  {f.stage}: {f.kind}, such as {f.path}: {f.reason}"
            yield from textwrap.wrap(text, _WIDTH, initial_indent="  ", subsequent_indent=" " * 10)
    for note in s.notes:
        yield ""
        yield from textwrap.wrap(note, _WIDTH)


def _wrap(name: str, text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent=f"{name:<12}", subsequent_indent=" " * 12) or [name]


def size_text(n_bytes: int) -> str:
    """A size for people.

    >>> size_text(999), size_text(1_234_567)
    ('999 bytes', '1.2 MB')
    """
    if n_bytes < 1000:
        return f"{n_bytes} bytes"
    value = float(n_bytes)
    for unit in ("kB", "MB", "GB"):
        value /= 1000
        if value < 999.95:
            return f"{value:.1f} {unit}"
    return f"{value / 1000:.1f} TB"
