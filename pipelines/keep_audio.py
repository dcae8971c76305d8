"""Keep the sound of recordings and their fingerprints: what an ingest wants of each, and the job that fills in the rest.

A recording lacks its sound where it came in without ``--keep-audio``, and its fingerprints where an older release took
it in. Its files are then read again, from where they stand; nothing else of the recording changes.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import TYPE_CHECKING

from motifdb.config import Config
from motifdb.errors import InputError
from motifdb.pipelines import analyses as an
from motifdb.pipelines.committer import Committer
from motifdb.pipelines.engine import Engine, check_engine, choose_engine
from motifdb.pipelines.inputs.discover import Found, unescape_path
from motifdb.pipelines.keeper import SAMPLE_RATE_HZ, Keeper, Keeps
from motifdb.pipelines.known import Known
from motifdb.pipelines.progress import Progress, Quiet
from motifdb.pipelines.reading import UNIT_ITEMS, read_again
from motifdb.pipelines.survey import Seen, folder_of
from motifdb.pipelines.work import Chain, Item, Unit, UnitResult

if TYPE_CHECKING:
    from motifdb.catalog.writer import Writer

DECODED_TIMES_REAL_TIME = 400.0
"""Usual speed of decoding, resampling and fingerprints on one core; for choosing an engine only."""

MESSAGE = "sound and fingerprints"

UNIT_S = 240.0
"""Recordings of so many seconds go in one unit: 8 MB of sound."""


class Keeping:
    """What a job keeps of the recordings it hears: sound, fingerprints, both or neither.

    Parameters
    ----------
    channel : that is listened to; fingerprints of another channel are another analysis
    audio, fingerprints : whether to keep them
    """

    def __init__(self, committer: Committer, *, channel: str, audio: bool, fingerprints: bool) -> None:
        self._committer = committer
        self._known = committer.known
        self.channel = channel
        self.audio = audio
        self.fingerprints = fingerprints
        self._analysis: an.Analysis | None = None
        self._analysis_id = ""

    @property
    def analysis(self) -> an.Analysis:
        """The fingerprint analysis; its kernel is loaded when it is first asked for."""
        if self._analysis is None:
            self._analysis = an.fingerprint_analysis(self.channel)
            self._analysis_id = self._analysis.id  # a hash, and asked for once a recording
        return self._analysis

    @property
    def analysis_id(self) -> str:
        """Id of `analysis`."""
        return self._analysis_id or self.analysis.id

    def of(self, recording_id: str) -> Keeps:
        """What is wanted of a recording and not there yet."""
        audio = self.audio and recording_id not in self._committer.kept_audio
        analysis_id = self.analysis_id if self.fingerprints else ""
        if not analysis_id or self._known.is_covered(analysis_id, recording_id):
            return Keeps(audio)
        return Keeps(audio, analysis_id)

    def lacking(self, recording_ids: Collection[str]) -> list[str]:
        """Those recordings of which something is wanted, in order; f0 tracks have no sound."""
        recordings = self._known.recordings
        return [r for r in sorted(recording_ids) if recordings[r]["kind"] == "audio" and self.of(r)]


@dataclass
class Filled:
    """What a job that fills in did.

    Attributes
    ----------
    n_wanted, n_done : recordings that lacked something, and those that have it now
    gone, changed, failed : of the others, a path of each with the reason
    """

    n_wanted: int = 0
    n_done: int = 0
    gone: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    failed: list[tuple[str, str]] = field(default_factory=list)

    @property
    def sentences(self) -> list[str]:
        """One plain sentence for each kind of trouble there was."""
        out = []
        for paths, is_said, advice in (
            (self.gone, "not there any more", "where the folder was moved, motifdb relocate follows it"),
            (self.changed, "changed since", "motifdb ingest takes it in as it is now"),
        ):
            if paths:
                more = f" and {len(paths) - 1:,} more are" if len(paths) > 1 else " is"
                out.append(f"{paths[0]}{more} {is_said} and cannot be read again; {advice}")
        if self.failed:
            more = f" (and {len(self.failed) - 1:,} more)" if len(self.failed) > 1 else ""
            out.append(f"{self.failed[0][0]} cannot be decoded again{more}: {self.failed[0][1]}")
        return out


class FillIn:
    """Units of work for recordings that lack sound or fingerprints, and what came of them."""

    def __init__(self, writer: Writer, committer: Committer, keeping: Keeping) -> None:
        self._writer = writer
        self._committer = committer
        self._known = committer.known
        self._keeping = keeping
        config = Config(name="files")
        config = replace(config, pitch=replace(config.pitch, channel=keeping.channel))
        self._chain = Chain("", None, None, config)
        self._path: dict[str, str] = {}
        self.filled = Filled()

    def units(self, recording_ids: Collection[str]) -> Iterator[Unit]:
        """What is to be read again for those recordings; sound that is kept is not decoded again, but heard here."""
        lacking = self._keeping.lacking(recording_ids)
        self.filled.n_wanted += len(lacking)
        if self._keeping.fingerprints and lacking:
            self._committer.analyses([self._keeping.analysis])
        kept = {r for r in lacking if r in self._committer.kept_audio}
        self._hear_kept(kept)
        yield from self._packed(self._from_files([r for r in lacking if r not in kept]))

    def take(self, result: UnitResult) -> None:
        """Hand a unit's rows to the committer; what failed is said, and is no failure of the recording's."""
        self._committer.result(result)
        for recording_id, failure in result.outcomes.items():
            if failure is None:
                self.filled.n_done += 1
            else:
                self.filled.failed.append((self._path.get(recording_id, recording_id), failure.reason))

    def _hear_kept(self, wanted: set[str]) -> None:
        """Fingerprints of sound that is kept, in one scan, block by block: a recording's blocks lie together."""
        if not wanted:
            return
        current, keeper = "", None
        for batch in self._writer.snapshot.batches("audio", ["recording_id", "pcm"], None, 8):
            for recording_id, pcm in zip(batch.column(0).to_pylist(), batch.column(1), strict=True):
                if recording_id != current:
                    self._finish(current, keeper)
                    current, keeper = recording_id, None
                    if recording_id in wanted:
                        keeper = Keeper(recording_id, self._keeping.of(recording_id), SAMPLE_RATE_HZ)
                if keeper is not None:
                    keeper.push_pcm(pcm.as_buffer())
        self._finish(current, keeper)

    def _finish(self, recording_id: str, keeper: Keeper | None) -> None:
        if keeper is not None:
            result = UnitResult(outcomes={recording_id: None})
            keeper.finish(result.kept)
            self.take(result.closed())
            if self._committer.is_due():
                self._committer.flush(MESSAGE)

    def _from_files(self, lacking: list[str]) -> Iterator[Item]:
        places: dict[str, list[tuple[str, str]]] = {r: [] for r in lacking}
        for key, row in self._known.files.items():
            if row["recording_id"] in places:
                places[row["recording_id"]].append(key)
        for recording_id in lacking:
            item = self._from_file(recording_id, sorted(places[recording_id]))
            if item is not None:
                yield item

    def _from_file(self, recording_id: str, keys: list[tuple[str, str]]) -> Item | None:
        """From the first of its paths that still has its content."""
        found_other = False
        for corpus_id, path in keys:
            root = folder_of(self._known.corpora[corpus_id]["root_uri"])
            relative = unescape_path(path)
            try:
                status = os.stat(root / os.fsdecode(relative))
                found = Found(root, relative, status.st_size, status.st_mtime_ns)
                sniffed, content, made_id = read_again(Seen(corpus_id, path, found))
            except (OSError, InputError):
                continue
            if made_id != recording_id or sniffed.kind != "audio":
                found_other = True
                continue
            self._path[recording_id] = path
            keeps = self._keeping.of(recording_id)
            return Item(
                recording_id,
                self._chain,
                content,
                sniffed,
                name=found.name,
                size_bytes=found.size_bytes,
                keeps=keeps,
            )
        (self.filled.changed if found_other else self.filled.gone).append(keys[0][1])
        return None

    def _packed(self, items: Iterator[Item]) -> Iterator[Unit]:
        """Units of about `UNIT_S` of sound."""
        held: list[Item] = []
        held_s = 0.0
        for item in items:
            if item.is_local:
                yield Unit((item,), "files")
                continue
            held.append(item)
            held_s += self._known.recordings[item.recording_id]["duration_s"]
            if held_s >= UNIT_S or len(held) >= UNIT_ITEMS:
                yield Unit(tuple(held), "files")
                held, held_s = [], 0.0
        if held:
            yield Unit(tuple(held), "files")


def ensure_audio(
    writer: Writer,
    recording_ids: Collection[str] | None = None,
    *,
    committer: Committer | None = None,
    progress: Progress | None = None,
    engine: str = "auto",
    workers: int | None = None,
    ray_address: str | None = None,
) -> Filled:
    """Keep the sound of recordings that came in without it, and their fingerprints where they lack them too.

    Running it again goes on where a killed run stopped.

    Parameters
    ----------
    recording_ids : which; None is every recording of kind audio
    committer : of a job that is under way; what it has gathered is committed first
    progress : what is told meanwhile; None tells nothing
    engine, workers, ray_address : as for an ingest

    Raises
    ------
    UsageError
        for an engine that cannot be.
    """
    return _ensure(writer, recording_ids, committer, progress, True, (engine, workers, ray_address))[1]


def ensure_fingerprints(
    writer: Writer,
    recording_ids: Collection[str] | None = None,
    *,
    committer: Committer | None = None,
    progress: Progress | None = None,
    engine: str = "auto",
    workers: int | None = None,
    ray_address: str | None = None,
) -> tuple[str, Filled]:
    """Make fingerprints of recordings that lack them, from kept sound where there is some, else from their files.

    Parameters
    ----------
    recording_ids, committer, progress, engine, workers, ray_address : as for `ensure_audio`

    Returns
    -------
    Id of the fingerprint analysis, and what was done.

    Raises
    ------
    UsageError
        for an engine that cannot be.
    """
    return _ensure(writer, recording_ids, committer, progress, False, (engine, workers, ray_address))


def _ensure(
    writer: Writer,
    recording_ids: Collection[str] | None,
    committer: Committer | None,
    progress: Progress | None,
    audio: bool,
    where: tuple[str, int | None, str | None],
) -> tuple[str, Filled]:
    name, workers, address = where
    check_engine(name, workers=workers, address=address)
    progress = progress if progress is not None else Quiet()
    if committer is None:
        committer = Committer(writer, Known.of(writer.snapshot))
    committer.flush(MESSAGE)
    known = committer.known
    keeping = Keeping(committer, channel=usual_channel(writer, known), audio=audio, fingerprints=True)
    wanted = keeping.lacking(known.recordings if recording_ids is None else recording_ids)
    job = FillIn(writer, committer, keeping)
    if not wanted:
        return keeping.analysis.id, job.filled
    progress.begin("sound read again" if audio else "fingerprints", len(wanted), 0, "recordings")
    try:
        with ExitStack() as stack:
            for unit, result in _mapped(job.units(wanted), stack, where, expected_fill_s(wanted, known)):
                job.take(result)
                progress.done(job.filled.n_done, 0, 0.0)
                if committer.is_due():
                    committer.flush(MESSAGE)
                del unit
    finally:
        committer.flush(MESSAGE)  # after Ctrl-C too: what was whole is kept
        progress.close()
    return keeping.analysis.id, job.filled


def _mapped(
    units: Iterator[Unit], stack: ExitStack, where: tuple[str, int | None, str | None], work_s: float
) -> Iterator[tuple[Unit, UnitResult]]:
    """Run units; where there is none, no engine is started."""
    first = next(units, None)
    if first is None:
        return
    name, workers, address = where
    engine: Engine = choose_engine(name, workers=workers, address=address, expected_work_s=work_s)
    stack.enter_context(engine)
    yield from engine.map(chain([first], units))


def expected_fill_s(recording_ids: Collection[str], known: Known) -> float:
    """Seconds of one core that it takes to hear recordings again; within a factor of a few."""
    duration_s: float = sum(known.recordings[r]["duration_s"] for r in recording_ids)
    return duration_s / DECODED_TIMES_REAL_TIME


def usual_channel(writer: Writer, known: Known) -> str:
    """The channel that most recordings of a database were heard by; the mix where nothing says another.

    Fingerprints come first, then pitch: all recordings of one audit are to be heard alike.
    """
    rows = writer.snapshot.table("analyses", ["analysis_id", "kind", "parameters"]).to_pylist()
    for kind in ("fingerprint", "pitch"):
        heard: dict[str, int] = {}
        for row in rows:
            channel = json.loads(row["parameters"]).get("channel") if row["kind"] == kind else None
            if channel is not None:
                heard[channel] = heard.get(channel, 0) + len(known.covered.get(row["analysis_id"], ()))
        if heard:
            return max(sorted(heard), key=lambda channel: heard[channel])
    return "mix"
