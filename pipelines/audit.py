"""Find what a database holds twice: copies of recordings, stretches they share, and the islands that these make.

An audit is one analysis over all recordings. Their list is part of its name: where recordings came or went, the next
audit is a successor, and the old one stays to be compared, as long as its recordings stay. Equal inputs are audited once.

What is compared are fingerprints (table `fingerprints`), so no sound is decoded where they are there. Recordings whose decoded
samples are equal count as one, linked to the first of them by name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from motifdb.errors import NotFoundError, UsageError
from motifdb.ids import set_hash
from motifdb.kernels import alignment, fingerprint
from motifdb.linked import islands
from motifdb.pipelines.analyses import Analysis
from motifdb.pipelines.committer import Committer
from motifdb.pipelines.known import Known
from motifdb.pipelines.predicates import quoted
from motifdb.pipelines.stages import coverage_row
from motifdb.schemas import AUDIO_LINKS, COVERAGE, ISLANDS

if TYPE_CHECKING:
    from motifdb.catalog.writer import Writer
    from motifdb.pipelines.progress import Progress

VERSION = 1
"""Counts up when an audit of the same fingerprints says something else."""

SCOPE = "all"
"""The one scope key of an audit in `coverage`."""

SHORT_S = 5.0
"""Recordings below this are clips."""

CUT_S, CUT_OF_CLIP_S = 0.6, 0.06
"""How much of either recording a near copy may lack at each end: 0.5 s (0.05 s of a clip), and what encoders add."""

NEAR_AGREEMENT = 0.4
"""Share of anchors with a partner, over all that lies over each other, from which on a near copy is one."""

_SCAN_ROWS = 64


@dataclass(frozen=True)
class AuditConfig:
    """What counts as shared sound.

    Attributes
    ----------
    least_s : shortest stretch that is told, in seconds
    least_share : and at least this share of the shorter recording
    least_partners : anchors that must agree in a copy without loss (`alignment.partners_needed`)
    source_rate_hz : only stretches that lie a whole number of samples apart at this rate, as where clips were cut from
        files of this rate; None takes all
    """

    least_s: float = 0.02
    least_share: float = 0.01
    least_partners: int = 4
    source_rate_hz: int | None = None

    def check(self) -> None:
        """Refuse what cannot be.

        Raises
        ------
        UsageError
        """
        if not self.least_s > 0:
            raise UsageError(f"--least-ms must be more than 0, got {self.least_s * 1000:g}")
        if not 0 <= self.least_share <= 1:
            raise UsageError(f"--least-share must lie between 0 and 1, got {self.least_share:g}")
        if self.least_partners < 2:
            raise UsageError(f"least_partners must be 2 or more, got {self.least_partners}")
        if self.source_rate_hz is not None and self.source_rate_hz < 1:
            raise UsageError(f"--source-rate must be 1 or more, got {self.source_rate_hz}")


@dataclass(frozen=True)
class AuditOptions:
    """What an audit is asked to do; see `motifdb audit --help`."""

    config: AuditConfig = AuditConfig()
    name: str = "audit"
    engine: str = "auto"
    workers: int | None = None
    ray_address: str | None = None


@dataclass
class AuditRun:
    """What a run did: the analysis that holds for the database as it is now, and what could not be heard."""

    analysis: Analysis
    is_new: bool
    n_audio: int
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Link:
    """A row of `audio_links` before it is one; times in seconds."""

    a: str
    b: str
    kind: str
    start_a: float
    start_b: float
    shared: float
    agreement: float


def audit_database(options: AuditOptions, writer: Writer, progress: Progress) -> AuditRun:
    """Find copies and shared stretches among all recordings, or leave it where nothing has changed since.

    Raises
    ------
    UsageError
        for options that cannot be.
    NotFoundError
        where there are no recordings.
    """
    from motifdb.pipelines.keep_audio import ensure_fingerprints

    options.config.check()
    known = Known.of(writer.snapshot)
    committer = Committer(writer, known)
    if not known.recordings:
        raise NotFoundError("there are no recordings here to audit; motifdb ingest FOLDER takes some in")
    audio = sorted(r for r, row in known.recordings.items() if row["kind"] == "audio")
    fingerprint_id, filled = ensure_fingerprints(
        writer,
        audio,
        committer=committer,
        progress=progress,
        engine=options.engine,
        workers=options.workers,
        ray_address=options.ray_address,
    )
    heard = [r for r in audio if known.is_covered(fingerprint_id, r)]
    analysis = audit_analysis(options, fingerprint_id, known.recordings, heard)
    run = AuditRun(analysis, not known.is_covered(analysis.id, SCOPE), len(audio), list(filled.sentences))
    if not audio:
        run.notes.append(
            "no recording here has sound (f0 tracks have none), so shared sound was not looked for"
        )
    elif len(heard) < len(audio):
        run.notes.append(
            f"{len(audio) - len(heard):,} of {len(audio):,} recordings have no fingerprints, so nobody knows what they share"
        )
    try:
        if run.is_new:
            _audit(options.config, analysis, writer, committer, heard, progress)
        elif _newest(writer) != analysis.id:
            committer.replace_analysis(analysis)  # these recordings were there before, and are again
            committer.flush("audit, newest once more")
    finally:
        progress.close()
    return run


def audit_analysis(
    options: AuditOptions, fingerprint_id: str, recordings: Iterable[str], heard: Iterable[str]
) -> Analysis:
    """The audit of these recordings, of which some have fingerprints."""
    names = set(recordings)
    inputs_hash = set_hash([*names, *(f"heard {r}" for r in heard)])
    values = asdict(options.config) | {"alignment": alignment.VERSION, "inputs_hash": inputs_hash}
    return Analysis(options.name, "audit", fingerprint_id, values, VERSION, inputs_hash, len(names))


def _newest(writer: Writer) -> str | None:
    rows = writer.snapshot.table("analyses", ["analysis_id", "created_at"], "kind = 'audit'").to_pylist()
    newest = max(rows, key=lambda r: (r["created_at"], r["analysis_id"]), default=None)
    return str(newest["analysis_id"]) if newest else None


def _audit(
    config: AuditConfig,
    analysis: Analysis,
    writer: Writer,
    committer: Committer,
    heard: list[str],
    progress: Progress,
) -> None:
    recordings = committer.known.recordings
    first_of, links = _equal_audio(writer, recordings)
    rows = [r for r in heard if first_of[r] == r]
    progress.start("reading fingerprints")
    sets = read_anchors(writer, str(analysis.parent_id), rows, [recordings[r]["duration_s"] for r in rows])
    progress.begin("comparing", sets.position.size, 0, "anchors")

    def told(n_done: int, n_parts: int) -> None:
        progress.done(sets.position.size * n_done // n_parts, 0, 0.0)

    found = alignment.find_stretches(sets, least_partners=config.least_partners, on_part=told)
    links += link_rows(config, sets, found, rows)
    island = islands(recordings, ((link.a, link.b) for link in links))
    committer.analyses([analysis])
    committer.rows("audio_links", _link_table(analysis.id, links))
    names = sorted(island)
    same = pa.array([analysis.id] * len(names), pa.string())
    columns = [same, pa.array(names, pa.string()), pa.array([island[r] for r in names], pa.string())]
    committer.rows("islands", pa.Table.from_arrays(columns, schema=ISLANDS.schema))
    row = coverage_row(analysis.id, SCOPE, len(names)) | {"input_hash": analysis.inputs_hash}
    committer.rows("coverage", COVERAGE.table([row]))
    committer.known.covered.setdefault(analysis.id, {})[SCOPE] = str(analysis.inputs_hash)
    committer.flush("audit")


def _equal_audio(writer: Writer, recordings: Mapping[str, Any]) -> tuple[dict[str, str], list[Link]]:
    """The first recording of equal decoded samples for each, and a link to it for each other one."""
    table = writer.snapshot.table("recordings", ["recording_id", "audio_hash", "duration_s"])
    first_by_hash: dict[str, str] = {}
    first_of: dict[str, str] = {}
    links = []
    for row in sorted(table.to_pylist(), key=lambda r: r["recording_id"]):
        name, digest = row["recording_id"], row["audio_hash"]
        if name not in recordings:
            continue
        first_of[name] = first_by_hash.setdefault(digest, name) if digest is not None else name
        if first_of[name] != name:
            links.append(Link(first_of[name], name, "same-audio", 0.0, 0.0, row["duration_s"], 1.0))
    return first_of, links


def read_anchors(
    writer: Writer, fingerprint_id: str, recordings: list[str], duration_s: list[float]
) -> alignment.AnchorSets:
    """Stored anchors of some recordings, in their order: 16 bytes an anchor, about 18 MB an hour of singing."""
    where = f"analysis_id = {quoted(fingerprint_id)}"
    at = {r: i for i, r in enumerate(recordings)}
    owner, block, lengths = [], [], []
    positions, codes = [], []
    for batch in writer.snapshot.batches(
        "fingerprints", ["recording_id", "block", "position_samples", "code"], where, _SCAN_ROWS
    ):
        rows = [i for i, name in enumerate(batch.column(0).to_pylist()) if name in at]
        if not rows:
            continue
        batch = batch.take(pa.array(rows))
        owner += [at[name] for name in batch.column(0).to_pylist()]
        block += batch.column(1).to_pylist()
        lengths += batch.column(2).value_lengths().to_pylist()
        positions.append(batch.column(2).flatten().to_numpy(zero_copy_only=False))
        codes.append(batch.column(3).flatten().to_numpy(zero_copy_only=False))
    position = np.concatenate(positions) if positions else np.zeros(0)
    code = np.concatenate(codes) if codes else np.zeros(0, dtype=np.int64)
    n = np.asarray(lengths, dtype=np.int64)
    order = np.lexsort((np.asarray(block, dtype=np.int64), np.asarray(owner, dtype=np.int64)))
    begin = np.concatenate([[0], np.cumsum(n)]).astype(np.int64)
    rows_in_order = np.repeat(begin[:-1][order] - np.concatenate([[0], np.cumsum(n[order])[:-1]]), n[order])
    taken = rows_in_order.astype(np.int64) + np.arange(position.size)
    counts = np.bincount(np.asarray(owner, dtype=np.int64), weights=n, minlength=len(recordings))
    start = np.concatenate([[0], np.cumsum(counts[: len(recordings)])]).astype(np.int64)
    n_samples = np.asarray(duration_s, dtype=np.float64) * fingerprint.SAMPLE_RATE_HZ
    return alignment.AnchorSets(position[taken], code[taken], start, n_samples)


def link_rows(
    config: AuditConfig, sets: alignment.AnchorSets, found: alignment.Stretches, names: list[str]
) -> list[Link]:
    """Which stretches count, and whether one is a near copy or an overlap; in seconds, the lesser name first."""
    rate = fingerprint.SAMPLE_RATE_HZ
    n_a, n_b = sets.n_samples[found.a], sets.n_samples[found.b]
    shift = found.start_b - found.start_a
    low, high = np.maximum(0.0, -shift), np.minimum(n_a, n_b - shift)
    cut = np.where(np.minimum(n_a, n_b) >= SHORT_S * rate, CUT_S, CUT_OF_CLIP_S) * rate
    ends: NDArray[np.float64] = np.max([low, low + shift, n_a - high, n_b - shift - high], axis=0)
    overall = alignment.overlap_agreement(sets, found.a, found.b, shift)
    is_near = (ends <= cut) & (overall >= NEAR_AGREEMENT)
    start = np.where(is_near, low, found.start_a)
    length = np.where(is_near, high - low, found.length)
    agreement = np.where(is_near, overall, found.agreement)
    counts = length >= np.maximum(config.least_s * rate, config.least_share * np.minimum(n_a, n_b))
    if config.source_rate_hz is not None:
        apart = shift * config.source_rate_hz / rate
        counts &= np.abs(apart - np.round(apart)) < 0.1
    near_pairs = set(zip(found.a[is_near].tolist(), found.b[is_near].tolist(), strict=True))
    links = []
    for i in np.flatnonzero(counts).tolist():
        a, b = int(found.a[i]), int(found.b[i])
        if not is_near[i] and (a, b) in near_pairs:
            continue  # a repeat within what is a copy anyway
        one, other = (float(start[i]) / rate, float(start[i] + shift[i]) / rate)
        name_a, name_b = names[a], names[b]
        if name_b < name_a:
            name_a, name_b, one, other = name_b, name_a, other, one
        kind = "near" if is_near[i] else "overlap"
        links.append(Link(name_a, name_b, kind, one, other, float(length[i]) / rate, float(agreement[i])))
    return links


def _link_table(analysis_id: str, links: list[Link]) -> pa.Table:
    links = sorted(links, key=lambda x: (x.a, x.b, x.start_a))
    return AUDIO_LINKS.table(
        [
            {
                "analysis_id": analysis_id,
                "recording_a": link.a,
                "recording_b": link.b,
                "kind": link.kind,
                "start_a_s": round(link.start_a, 6) + 0.0,  # no -0.0
                "start_b_s": round(link.start_b, 6) + 0.0,
                "shared_s": round(link.shared, 6),
                "agreement": round(link.agreement, 4),
            }
            for link in links
        ]
    )
