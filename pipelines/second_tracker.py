"""Pitch from another tracker than a mining analysis stands on: stored already, or tracked anew from the files."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from motifdb.config import Config, PitchConfig
from motifdb.errors import MissingExtraError, UsageError
from motifdb.ids import content_id
from motifdb.pipelines.inputs.discover import unescape_path
from motifdb.pipelines.inputs.sniff import sniff
from motifdb.pipelines.reading import HEAD_BYTES, HELD_BYTES
from motifdb.pipelines.records import PitchTrack
from motifdb.pipelines.stages import pitch_tracks
from motifdb.pipelines.survey import folder_of
from motifdb.pipelines.trackers.registry import get_tracker, tracker_names
from motifdb.pipelines.work import Chain, Item, Unit, run_unit

if TYPE_CHECKING:
    from motifdb.catalog.store import Snapshot
    from motifdb.pipelines.known import Known
    from motifdb.pipelines.lineage import Lineage

_PREFERRED = ("swift-f0", "yin", "melodia")


@dataclass(frozen=True)
class Second:
    """Where the second pitch comes from: the stored analysis `pitch_id`, or where None, `config` run on the files.

    `parameters` identify it.
    """

    name: str
    pitch_id: str | None
    config: PitchConfig
    parameters: dict[str, Any]

    def track(
        self, recording_id: str, stored: dict[tuple[str, str], PitchTrack], known: Known
    ) -> tuple[PitchTrack | None, str | None]:
        """A recording's pitch; None, and why, where there is none."""
        if self.pitch_id is not None:
            found = stored.get((recording_id, self.pitch_id))
            return found, None if found is not None else f"{self.name} has not tracked it"
        why_not = "no file of it is in the database"
        for key, row in sorted(known.files.items()):
            if row["recording_id"] == recording_id and row["state"] == "input":
                folder = folder_of(known.corpora[key[0]]["root_uri"])
                track, why_not = self._from_file(recording_id, os.path.join(folder, _native(row["path"])))
                if track is not None:
                    return track, None
        return None, why_not

    def _from_file(self, recording_id: str, path: str) -> tuple[PitchTrack | None, str]:
        try:
            with open(path, "rb") as file:
                head = file.read(HEAD_BYTES)
                is_held = os.fstat(file.fileno()).st_size <= HELD_BYTES
                content = head + file.read() if is_held else None
        except OSError as error:
            return None, f"{path} cannot be read: {(error.strerror or str(error)).lower()}"
        if content is not None and content_id(content) != recording_id:
            return None, f"{path} is not what it was when it was ingested; ingest it again"
        sniffed = sniff(head, os.fsencode(os.path.basename(path)))
        if sniffed.kind != "audio":
            return None, f"{path} is no audio"
        from pathlib import Path

        chain = Chain("", None, None, Config(pitch=self.config))
        item = Item(recording_id, chain, content if content is not None else Path(path), sniffed)
        result = run_unit(Unit((item,), "pitch"))
        failure = result.outcomes[recording_id]
        if failure is not None:
            return None, failure.reason
        for rows in result.rows["pitch"]:
            for _, _, track in pitch_tracks(rows):
                return track, ""
        return None, f"{path} has no pitch"


def _native(path: str) -> str:
    return os.fsdecode(unescape_path(path))


def choose_second(
    snapshot: Snapshot, known: Known, lineage: Lineage, wanted: str | None
) -> tuple[Second | None, str]:
    """The second tracker: the one that was asked for, else a stored one, else one that is installed; or why there is none.

    Raises
    ------
    UsageError, NotFoundError, MissingExtraError
        where the one that was asked for cannot be.
    """
    own = json.loads(lineage.pitch_row["parameters"])
    stored = []
    for row in snapshot.table("analyses").to_pylist():
        parameters = json.loads(row["parameters"])
        is_other = row["kind"] == "pitch" and row["analysis_id"] != lineage.pitch_id
        if is_other and (wanted is not None or parameters.get("tracker") not in (None, own.get("tracker"))):
            stored.append((len(known.covered.get(row["analysis_id"], ())), row))
    stored = [
        (n, row)
        for n, row in stored
        if n and (wanted is None or wanted == row["name"] or row["analysis_id"].startswith(wanted.lower()))
    ]
    if stored:
        _, row = max(stored, key=lambda s: (s[0], s[1]["analysis_id"]))
        name, pitch_id = str(row["name"]), str(row["analysis_id"])
        return Second(name, pitch_id, PitchConfig(), {"pitch": pitch_id}), ""
    if "tracker" not in own:
        why_not = "not possible, as the recordings are f0 tracks and no other pitch of theirs is stored"
        if wanted is not None:
            raise UsageError(f"--tracker {wanted}: {why_not}")
        return None, why_not
    if wanted is not None:
        if wanted == own["tracker"]:
            raise UsageError(f"--tracker {wanted} is the tracker that the motifs stand on; name another")
        return _of_tracker(wanted, own["channel"]), ""
    names = [*_PREFERRED, *(n for n in tracker_names() if n not in _PREFERRED)]
    for name in names:
        if name != own["tracker"]:
            try:
                return _of_tracker(name, own["channel"]), ""
            except MissingExtraError:
                continue
    return None, "not possible, as no other tracker is installed"


def _of_tracker(name: str, channel: str) -> Second:
    tracker = get_tracker(name)
    said = {
        "tracker": name,
        "tracker_version": tracker.version,
        "channel": channel,
        "tracker_parameters": tracker.resolved_parameters(),
    }
    return Second(name, None, PitchConfig(tracker=name, channel=channel), said)
