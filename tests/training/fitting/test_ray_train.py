"""The loop on two workers: one of them is killed, and the run ends with the numbers of two that were left alone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from motifdb.errors import UsageError
from motifdb.pipelines.ray_cluster import ray_cluster
from motifdb.training.fitting import checkpoint
from motifdb.training.fitting.loop import DivergedError, load_trained
from motifdb.training.fitting.ray_train import _raise_failure, train_on_workers
from tests.training.tones import TINY, tones

RECIPE = TINY.assign({"name": "pair", "max_epochs": 30})
"""Long enough to be killed in the middle."""

PAIR = """
import sys, torch
from pathlib import Path
from motifdb.training.fitting.loop import Gang, train
from tests.training.fitting.test_ray_train import RECIPE
from tests.training.tones import tones
torch.set_num_threads(1)
rank, folder = int(sys.argv[1]), Path(sys.argv[2])
torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
train(RECIPE, *tones(), seed=1, folder=folder, device="cpu", gang=Gang(rank, 2))
torch.distributed.destroy_process_group()
"""
"""The loop in two plain processes, without Ray: what the workers have to agree with."""


@pytest.fixture(scope="module")
def cluster() -> Iterator[int]:
    """One cluster for all tests here."""
    with ray_cluster(2) as n:
        yield n


@pytest.fixture(scope="module")
def pair(
    cluster: int, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Path, list[subprocess.Popen[bytes]]]]:
    """Two processes that train beside whatever the test does; the folder of their run."""
    folder = tmp_path_factory.mktemp("pair")
    environment = os.environ | {"GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1"}
    line = [sys.executable, "-c", PAIR]
    processes = [
        subprocess.Popen([*line, str(rank), str(folder)], env=environment, stderr=subprocess.PIPE)
        for rank in (0, 1)
    ]
    yield folder, processes
    for process in processes:
        process.kill()
        process.wait()


def workers_of_ours() -> list[int]:
    """Processes of Ray Train's workers among those that this process has started, directly or not."""
    parent: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent[int(entry.name)] = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            except OSError:
                continue
    ours, n_before = {os.getpid()}, 0
    while len(ours) > n_before:
        n_before = len(ours)
        ours |= {child for child, of in parent.items() if of in ours}
    named = []
    for process in ours:
        try:
            if b"RayTrainWorker" in Path(f"/proc/{process}/cmdline").read_bytes():
                named.append(process)
        except OSError:
            continue
    return sorted(named)


@pytest.mark.ray
@pytest.mark.slow
def test_a_killed_worker_changes_no_number(
    pair: tuple[Path, list[subprocess.Popen[bytes]]], cluster: int, tmp_path: Path
) -> None:
    killed: list[int] = []
    told: list[int] = []

    def kill(row: dict[str, Any]) -> None:
        told.append(row["epoch"])
        if row["epoch"] >= 2 and not killed:
            assert not checkpoint.read_header(tmp_path / checkpoint.STATE)["is_done"]
            killed.append(workers_of_ours()[-1])
            os.kill(killed[0], signal.SIGKILL)

    trained = train_on_workers(
        RECIPE, *tones(), workers=2, folder=tmp_path, seed=1, device="cpu", on_epoch=kill
    )
    assert len(killed) == 1 and told == list(range(1, 31))
    assert {p.name for p in tmp_path.iterdir()} == {"config.json", "state.safetensors", "weights.safetensors"}
    folder, processes = pair
    for process in processes:
        _, said = process.communicate(timeout=60)
        assert process.returncode == 0, said.decode()
    alone, _ = load_trained(folder)
    for name in ("train_loss", "valid_loss", "valid_accuracy", "clips"):
        assert [row[name] for row in trained.epochs] == [row[name] for row in alone.epochs]
    assert trained.best_epoch == alone.best_epoch
    one, other = trained.network.state_dict(), alone.network.state_dict()
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.ray
def test_more_workers_than_processors_are_refused(cluster: int, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="3 workers need a CPU each, and the cluster has 2"):
        train_on_workers(RECIPE, *tones(), workers=3, folder=tmp_path, device="cpu")
    with pytest.raises(UsageError, match="2 workers need a GPU each"):
        train_on_workers(RECIPE, *tones(), workers=2, folder=tmp_path, device="cuda:9")


def test_what_a_worker_said_is_raised_once(tmp_path: Path) -> None:
    for rank, said in enumerate(["the gradient is no number in epoch 2", "the loss is no number in epoch 2"]):
        told = {"is_diverged": True, "message": said}
        (tmp_path / f"failed-{rank}.json").write_text(json.dumps(told))
    with pytest.raises(DivergedError, match="the loss is no number"):
        _raise_failure(tmp_path)
    _raise_failure(tmp_path)
