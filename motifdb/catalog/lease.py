"""The writer's lease: at most one process at a time may advance the catalog.

**Conventions.** ``leases/<epoch>.json`` is created put-if-absent; the newest epoch owns the database. The owner
touches its file as a heartbeat and leaves ``<epoch>.released`` when it ends well. A lease is dead when it was released,
when its process is known to be gone (same machine, same boot, same pid namespace), or when its heartbeat is
older than its time to live.

The lease keeps writers from disturbing each other. It is not what makes commits safe: a paused writer cannot know
that its lease has lapsed. Safety is the put-if-absent of commit records, which `writer` fences at a takeover.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import socket
import threading
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from motifdb.catalog import files
from motifdb.errors import BusyError

FOLDER = "leases"
TTL_S = 30.0
BEATS_PER_TTL = 6
N_KEPT_LEASES = 50
POLL_S = 0.05


def _read_text(path: str) -> str:
    try:
        with open(path) as f:
            return f.read().strip()
    except OSError:
        return ""


def _pid_namespace() -> str:
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""


def _process(pid: int) -> tuple[str, str]:
    """State letter and start time of a process in clock ticks since boot; empty where it is gone or unknown."""
    stat = _read_text(f"/proc/{pid}/stat")
    if not stat:
        return "", ""
    fields = stat.rpartition(")")[2].split()  # the name, in parentheses, may hold blanks
    return fields[0], fields[19]


@dataclass(frozen=True)
class Holder:
    """Who holds a lease, and where it can be seen alive."""

    epoch: int
    pid: int
    pid_start: str
    host: str
    boot_id: str
    pid_namespace: str
    since: str
    ttl_s: float

    @classmethod
    def here(cls, epoch: int, ttl_s: float) -> Holder:
        """This process."""
        return cls(
            epoch=epoch,
            pid=os.getpid(),
            pid_start=_process(os.getpid())[1],
            host=socket.gethostname(),
            boot_id=_read_text("/proc/sys/kernel/random/boot_id"),
            pid_namespace=_pid_namespace(),
            since=datetime.now(UTC).isoformat(timespec="seconds"),
            ttl_s=ttl_s,
        )

    def is_gone(self) -> bool:
        """True only where it is certain that the process has ended."""
        same_kernel = (self.host, self.boot_id, self.pid_namespace) == (
            socket.gethostname(),
            _read_text("/proc/sys/kernel/random/boot_id"),
            _pid_namespace(),
        )
        if not same_kernel:
            return False
        if self.pid_start:
            state, start = _process(self.pid)
            return state in ("", "Z", "X") or start != self.pid_start
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            return False
        return False

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}, since {self.since}"


def _path(root: Path, epoch: int) -> Path:
    return root / FOLDER / f"{epoch:010d}.json"


def _epochs(root: Path) -> list[int]:
    with os.scandir(root / FOLDER) as entries:
        return sorted(int(e.name[:-5]) for e in entries if e.name.endswith(".json") and e.name[:-5].isdigit())


def newest_epoch(root: Path) -> int:
    """The epoch that owns the database; 0 before the first writer."""
    return max(_epochs(root), default=0)


def _age_s(root: Path, epoch: int) -> float:
    """Seconds since the last heartbeat, both ends told by the file system's clock, which hosts may not share."""
    probe = root / FOLDER / f".probe.{os.getpid()}.{threading.get_ident()}"
    try:
        probe.touch()
        os.utime(probe)
        return probe.stat().st_mtime - _path(root, epoch).stat().st_mtime
    finally:
        probe.unlink(missing_ok=True)


def holder(root: Path) -> Holder | None:
    """Who holds the newest lease, dead or alive; None where nobody does (never written, or released)."""
    while True:
        epoch = newest_epoch(root)
        if epoch == 0 or _path(root, epoch).with_suffix(".released").exists():
            return None
        try:
            return Holder(**json.loads(_path(root, epoch).read_bytes()))
        except FileNotFoundError:  # pruned since, which only happens to epochs that are not the newest
            if newest_epoch(root) == epoch:
                raise


def is_dead(root: Path, who: Holder) -> bool:
    """Whether a lease that was not released may be taken over."""
    if who.is_gone():
        return True
    try:
        return _age_s(root, who.epoch) > who.ttl_s
    except FileNotFoundError:  # another process has taken it over, long ago
        return True


class Lease:
    """A lease this process holds; `acquire` makes it.

    `predecessor` is the holder it was taken from without a release, None where the last one ended well.
    """

    def __init__(self, root: Path, epoch: int, ttl_s: float, predecessor: Holder | None) -> None:
        self.root = root
        self.epoch = epoch
        self.ttl_s = ttl_s
        self.predecessor = predecessor
        self.pid = os.getpid()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="motifdb-lease", daemon=True)
        self._thread.start()

    def _beat(self) -> None:
        while not self._stop.wait(self.ttl_s / BEATS_PER_TTL):
            try:
                if newest_epoch(self.root) != self.epoch:
                    return
                os.utime(_path(self.root, self.epoch))
            except OSError:  # the folder is away for a moment, or for good; `verify` will tell
                continue

    def verify(self) -> None:
        """Make sure that the lease is still ours.

        Raises
        ------
        BusyError
            where a newer epoch exists.
        """
        if newest_epoch(self.root) != self.epoch:
            raise lost(self.root)

    def release(self) -> None:
        """End the lease; a released lease is taken over at once and needs no fence."""
        self._stop.set()
        if self.pid != os.getpid():  # a forked child holds nothing
            return
        self._thread.join()
        with contextlib.suppress(FileExistsError):
            files.put_if_absent(_path(self.root, self.epoch).with_suffix(".released"), b"")


def lost(root: Path) -> BusyError:
    """The error of a writer that was paused past its lease."""
    who = holder(root)
    by = f"by {who}" if who else "by a writer that has ended since"
    return BusyError(
        f"{root}: this writer lost its lease (it gave no sign of life for too long) and the database was taken over"
        f" {by}; nothing of this commit was stored, so run the command again"
    )


def acquire(root: Path, *, wait_s: float = 0.0, ttl_s: float = TTL_S) -> Lease:
    """Become the writer of a database.

    Parameters
    ----------
    wait_s : how long to wait for a living writer to end, in seconds
    ttl_s : how long the new lease outlives its last heartbeat, in seconds

    Raises
    ------
    BusyError
        where another writer is alive at the end of `wait_s`.
    """
    (root / FOLDER).mkdir(exist_ok=True)
    deadline = time.monotonic() + wait_s
    while True:
        who = holder(root)
        if who is None or is_dead(root, who):
            epoch = (who.epoch if who else newest_epoch(root)) + 1
            content = json.dumps(asdict(Holder.here(epoch, ttl_s)), indent=1).encode()
            try:
                files.put_if_absent(_path(root, epoch), content)
            except FileExistsError:
                continue
            # An old epoch's file may be pruned and made again by a process that slept meanwhile: newest decides.
            if newest_epoch(root) == epoch:
                _prune(root)
                return Lease(root, epoch, ttl_s, who)
            continue
        if time.monotonic() >= deadline:
            raise BusyError(
                f"{root}: another writer is at work ({who}); wait until it ends, or end it if it hangs: its lease"
                f" lapses {who.ttl_s:g} s after its last sign of life"
            )
        time.sleep(min(POLL_S * random.uniform(0.5, 1.5), max(deadline - time.monotonic(), 0.001)))


def _prune(root: Path) -> None:
    for epoch in _epochs(root)[:-N_KEPT_LEASES]:
        _path(root, epoch).with_suffix(".released").unlink(missing_ok=True)
        _path(root, epoch).unlink(missing_ok=True)
