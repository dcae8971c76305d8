"""Which file holds a recording's sound now: its own, where that still has its content, or one of a folder that is named."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from motifdb.errors import InputError, UsageError
from motifdb.pipelines.inputs.discover import Found, discover, read_head, unescape_path
from motifdb.pipelines.inputs.sniff import HEAD_BYTES, sniff
from motifdb.pipelines.predicates import in_list, quoted
from motifdb.pipelines.survey import Seen, folder_of

if TYPE_CHECKING:
    from motifdb.catalog.store import Snapshot


_FILE_COLUMNS = ["corpus_id", "path", "size_bytes", "mtime_ns"]


@dataclass
class _Known:
    """What the tables say of one recording."""

    files: list[dict[str, Any]] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)
    channels: set[str] = field(default_factory=set)


class SoundFiles:
    """The files of one snapshot's recordings, looked for when they are asked for.

    Parameters
    ----------
    audio_dir : a folder with sound of these recordings, or None

    Raises
    ------
    UsageError
        where `audio_dir` is no folder.
    """

    def __init__(self, snapshot: Snapshot, audio_dir: Path | None = None) -> None:
        if audio_dir is not None and not audio_dir.is_dir():
            raise UsageError(f"{audio_dir} is no folder; name the one that holds the recordings' sound")
        self._snapshot = snapshot
        self._audio_dir = audio_dir
        self._found: dict[str, list[Found]] | None = None
        self._corpora: dict[str, dict[str, Any]] | None = None
        self._own: dict[str, tuple[Path | None, str]] = {}
        self._ahead: dict[str, _Known] = {}

    def given(self, recording_id: str) -> tuple[Path | None, str]:
        """A recording's sound in the folder that was named, or None and why it is not there.

        A file counts that has the recording's path below the folder; else the one whose name is the recording's, but for
        what follows its dots (``song.flac`` is the sound of ``song.f0.csv``), where there is one such file only.
        """
        if self._audio_dir is None:
            return None, ""
        rows = self._files(recording_id)
        for row in rows:
            same = self._audio_dir / os.fsdecode(unescape_path(row["path"]))
            if same.is_file() and _is_sound(_as_found(same)):
                return same, ""
        for row in rows:
            for stem in _stems(unescape_path(row["path"]).rpartition(b"/")[2]):
                named = [found for found in self._in_folder().get(stem, ()) if _is_sound(found)]
                if len(named) == 1:
                    return named[0].path, ""
                if named:
                    two = " and ".join(found.escaped for found in named[:2])
                    return None, f"{self._audio_dir} has two files that could be {row['path']}: {two}"
        what = rows[0]["path"] if rows else f"recording {recording_id[:8]}"
        return None, f"{self._audio_dir} holds no sound of {what}"

    def own(self, recording_id: str) -> tuple[Path | None, str]:
        """The file a recording came from, or None and why it cannot be had."""
        if recording_id not in self._own:
            self._own[recording_id] = self._look(recording_id)
        return self._own[recording_id]

    def read_ahead(self, recording_ids: Iterable[str]) -> None:
        """Read what the tables say of these recordings at once, where many of them will be asked for one by one."""
        known = {name: _Known() for name in recording_ids}
        for row in self._snapshot.table(
            "files", [*_FILE_COLUMNS, "recording_id"], "state = 'input'"
        ).to_pylist():
            if (own := known.get(row.pop("recording_id"))) is not None:
                own.files.append(row)
        for row in self._snapshot.table("recordings", ["recording_id", "kind"]).to_pylist():
            if (own := known.get(row["recording_id"])) is not None:
                own.kinds.append(row["kind"])
        heard = self._channels()
        if heard:
            where = in_list("analysis_id", heard)
            for row in self._snapshot.table("coverage", ["analysis_id", "scope_key"], where).to_pylist():
                if (own := known.get(row["scope_key"])) is not None:
                    own.channels.add(heard[row["analysis_id"]])
        self._ahead |= known

    def channel(self, recording_id: str) -> str:
        """The channel that a recording's pitch was tracked on; the mix where nothing says another."""
        if recording_id in self._ahead:
            return min(self._ahead[recording_id].channels, default="mix")
        done = self._snapshot.table("coverage", ["analysis_id"], f"scope_key = {quoted(recording_id)}")
        ids = set(done.column("analysis_id").to_pylist())
        return min((c for name, c in self._channels().items() if name in ids), default="mix")

    def _channels(self) -> dict[str, str]:
        """The channel that each analysis of pitch listened to, of those that say."""
        rows = self._snapshot.table("analyses", ["analysis_id", "parameters"], "kind = 'pitch'").to_pylist()
        said = {r["analysis_id"]: json.loads(r["parameters"]).get("channel") for r in rows}
        return {name: str(channel) for name, channel in said.items() if channel is not None}

    def _look(self, recording_id: str) -> tuple[Path | None, str]:
        rows = self._files(recording_id)
        if self._kind(recording_id) == "f0":
            return None, f"{rows[0]['path'] if rows else recording_id[:8]} is an f0 track, which has no sound"
        why_not = f"no file of recording {recording_id[:8]} is known any more"
        for row in rows:
            corpus = self._corpus(row["corpus_id"])
            root, relative = folder_of(corpus["root_uri"]), unescape_path(row["path"])
            try:
                status = os.stat(root / os.fsdecode(relative))
                found = Found(root, relative, status.st_size, status.st_mtime_ns)
                seen = Seen(row["corpus_id"], row["path"], found)
                # What has the size and time of the ingest is what was ingested; anything else is read to know.
                if seen.is_as_in(row) or _id_of(seen) == recording_id:
                    return found.path, ""
                why_not = f"{row['path']} has changed since it was ingested; `motifdb ingest` takes it in as it is now"
            except OSError:
                why_not = (
                    f"{row['path']} is not in {root} any more; where the folder was moved, "
                    f"`motifdb relocate {corpus['name']} FOLDER` follows it"
                )
            except InputError as error:
                why_not = error.reason
        return None, why_not

    def _files(self, recording_id: str) -> list[dict[str, Any]]:
        if recording_id in self._ahead:
            rows = self._ahead[recording_id].files
        else:
            where = f"recording_id = {quoted(recording_id)} and state = 'input'"
            rows = self._snapshot.table("files", _FILE_COLUMNS, where).to_pylist()
        return sorted(rows, key=lambda row: (row["path"], row["corpus_id"]))

    def _kind(self, recording_id: str) -> str | None:
        if recording_id in self._ahead:
            return next(iter(self._ahead[recording_id].kinds), None)
        rows = self._snapshot.table(
            "recordings", ["kind"], f"recording_id = {quoted(recording_id)}"
        ).to_pylist()
        return rows[0]["kind"] if rows else None

    def _corpus(self, corpus_id: str) -> dict[str, Any]:
        if self._corpora is None:
            self._corpora = {row["corpus_id"]: row for row in self._snapshot.table("corpora").to_pylist()}
        return self._corpora[corpus_id]

    def _in_folder(self) -> dict[str, list[Found]]:
        if self._found is None:
            assert self._audio_dir is not None
            self._found = {}
            for found in discover([self._audio_dir]):
                if found.error is None:
                    stem = os.fsdecode(found.name).rpartition(".")[0] or os.fsdecode(found.name)
                    self._found.setdefault(stem, []).append(found)
        return self._found


def _stems(name: bytes) -> Iterator[str]:
    """A name without its suffixes, one after the other.

    >>> list(_stems(b"song.f0.csv"))
    ['song.f0', 'song']
    """
    text = os.fsdecode(name)
    while "." in text.lstrip("."):
        text = text.rpartition(".")[0]
        yield text


def _as_found(path: Path) -> Found:
    status = path.stat()
    return Found(path.parent, os.fsencode(path.name), status.st_size, status.st_mtime_ns)


def _is_sound(found: Found) -> bool:
    try:
        return sniff(read_head(found, HEAD_BYTES), found.name).kind == "audio"
    except InputError:
        return False


def _id_of(seen: Seen) -> str:
    from motifdb.pipelines.reading import read_again

    return read_again(seen)[2]
