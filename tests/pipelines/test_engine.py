"""The two engines do the same; a worker that dies costs a retry, or the one recording that kills it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from motifdb.config import preset
from motifdb.errors import UsageError
from motifdb.pipelines.engine import InlineEngine, RayEngine, choose_engine
from motifdb.pipelines.work import Chain, Item, Unit, UnitResult
from tests.pipelines.inputs.audio_files import encoded, tone
from tests.pipelines.small import make_f0_corpus, prints, rows, run, violations

CHAIN = Chain("p", "c", "m", preset("default"))


def unit(*names: str) -> Unit:
    return Unit(tuple(Item(name, CHAIN) for name in names), "motifs")


def dies_once(work: Unit) -> UnitResult:
    """Kill the own process, but only if the named file is not there yet."""
    mark = Path(work.items[0].recording_id)
    if not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return UnitResult(outcomes={item.recording_id: None for item in work.items})


def dies_on_bad(work: Unit) -> UnitResult:
    """Kill the own process whenever the bad recording is in the unit."""
    if any(item.recording_id == "bad" for item in work.items):
        os.kill(os.getpid(), signal.SIGKILL)
    return UnitResult(outcomes={item.recording_id: None for item in work.items})


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    with RayEngine(2):
        yield


def test_small_work_stays_in_the_process_and_large_goes_to_ray() -> None:
    assert choose_engine("auto", workers=2, address=None, expected_work_s=5).name == "inline"
    assert choose_engine("auto", workers=2, address=None, expected_work_s=500).name == "ray"
    assert choose_engine("auto", workers=1, address=None, expected_work_s=500).name == "inline"
    assert choose_engine("auto", workers=1, address="10.0.0.1:6379", expected_work_s=0).name == "ray"
    assert isinstance(choose_engine("inline", workers=8, address=None, expected_work_s=500), InlineEngine)


@pytest.mark.parametrize(
    ("name", "workers", "address", "says"),
    [
        ("inlin", 1, None, "auto, inline or ray"),
        ("ray", 0, None, "at least 1"),
        ("inline", 1, "x:1", "ray-address"),
    ],
)
def test_what_cannot_be_is_said(name: str, workers: int, address: str | None, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        choose_engine(name, workers=workers, address=address, expected_work_s=0)


@pytest.mark.ray
def test_a_killed_worker_costs_a_retry(cluster: None, tmp_path: Path) -> None:
    with RayEngine(2, task=dies_once) as engine:
        results = list(engine.map(iter([unit(str(tmp_path / "one")), unit(str(tmp_path / "two"))])))
    assert sorted(name for _, r in results for name in r.outcomes) == [
        str(tmp_path / "one"),
        str(tmp_path / "two"),
    ]
    assert all(failure is None for _, r in results for failure in r.outcomes.values())


@pytest.mark.ray
def test_the_recording_that_kills_workers_is_found(cluster: None) -> None:
    with RayEngine(2, task=dies_on_bad) as engine:
        results = list(engine.map(iter([unit("a", "b"), unit("c", "bad", "d")])))
    outcomes = {name: failure for _, r in results for name, failure in r.outcomes.items()}
    assert sorted(outcomes) == ["a", "b", "bad", "c", "d"]
    assert [name for name, failure in outcomes.items() if failure is not None] == ["bad"]
    assert outcomes["bad"] is not None and outcomes["bad"].kind == "worker-died"


@pytest.mark.ray
def test_ray_makes_what_the_process_makes(cluster: None, tmp_path: Path) -> None:
    corpus = make_f0_corpus(tmp_path / "corpus")
    run(tmp_path / "a.motifdb", corpus, metadata=corpus / "manifest.csv")
    run(
        tmp_path / "b.motifdb",
        corpus,
        metadata=corpus / "manifest.csv",
        engine="ray",
        workers=2,
        commit_every=2,
    )
    assert prints(tmp_path / "a.motifdb") == prints(tmp_path / "b.motifdb")
    assert violations(tmp_path / "b.motifdb") == []


@pytest.mark.ray
def test_ray_keeps_the_sound_that_the_process_keeps(cluster: None, tmp_path: Path) -> None:
    (tmp_path / "corpus").mkdir()
    for i, rate_hz in enumerate((16_000, 22_050, 44_100)):
        content = encoded(tone(0.5 + i / 10, rate_hz, 1 + i % 2), rate_hz, "flac")
        (tmp_path / "corpus" / f"{i}.flac").write_bytes(content)
    for name, engine in (("a", "inline"), ("b", "ray")):
        run(
            tmp_path / f"{name}.motifdb",
            tmp_path / "corpus",
            as_clips=True,
            until="files",
            engine=engine,
            commit_every=1,
        )
    assert prints(tmp_path / "a.motifdb") == prints(tmp_path / "b.motifdb")
    assert len(rows(tmp_path / "b.motifdb", "fingerprints")) == 3 and violations(tmp_path / "b.motifdb") == []


_LISTENING = """
import os
from pathlib import Path
from motifdb.pipelines.engine import RayEngine

def descendants(pid):
    yield pid
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            yield from descendants(int(child))

with RayEngine(1) as engine:
    sockets = set()
    for pid in descendants(os.getpid()):
        for fd in Path(f"/proc/{pid}/fd").iterdir():
            try:
                target = os.readlink(fd)
            except OSError:
                continue
            if target.startswith("socket:["):
                sockets.add(target[8:-1])
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in sockets:
                print(fields[1].rpartition(":")[0])
"""


@pytest.mark.ray
@pytest.mark.skipif(sys.platform != "linux", reason="reads listening sockets from /proc")
def test_ray_listens_on_loopback_alone() -> None:
    found = subprocess.run(
        [sys.executable, "-c", _LISTENING], capture_output=True, text=True, timeout=120, check=True
    )
    listening = set(found.stdout.split())
    assert listening, "Ray listens somewhere, so nothing found means nothing was looked at"
    assert listening <= {"0100007F", "0000000000000000FFFF00000100007F", "00000000000000000000000001000000"}


@pytest.mark.ray
@pytest.mark.slow
def test_workers_of_another_node_need_neither_folder(tmp_path: Path) -> None:
    corpus = make_f0_corpus(tmp_path / "corpus")
    run(tmp_path / "a.motifdb", corpus, metadata=corpus / "manifest.csv")
    other = tmp_path / "b.motifdb"
    found = subprocess.run(
        [sys.executable, "-m", "tests.pipelines.two_nodes", str(corpus), str(other)],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert "worked 11 failed 0 engine ray" in found.stdout, found.stderr
    assert prints(other) == prints(tmp_path / "a.motifdb")
