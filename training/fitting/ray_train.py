"""The loop on several workers, by Ray Train: on this machine, or on a cluster that is there.

The sound goes into Ray's object store once and is read there without a copy; workers never open the database. Each takes its
share of every batch (`motifdb.training.inputs.batches`), gradients are averaged (gloo between CPUs, nccl between GPUs).

A worker that dies is replaced: Ray Train starts the group anew, and it goes on from the end of the last whole epoch, to
the same numbers. The checkpoint is our own, in the run's folder, which every machine of the cluster must see under the same
path: a checkpoint handed to Ray Train just before a kill can be lost with the process that holds it.
"""

from __future__ import annotations

import contextlib
import json
import logging
import shutil
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from motifdb.errors import MissingExtraError, MotifdbError, UsageError
from motifdb.pipelines.ray_cluster import ray_cluster
from motifdb.training.fitting import checkpoint
from motifdb.training.fitting.loop import (
    DivergedError,
    Gang,
    OnEpoch,
    Trained,
    check_examples,
    load_trained,
    train,
)
from motifdb.training.fitting.recipes import Recipe
from motifdb.training.inputs.packed import Packed
from motifdb.training.splits.examples import Examples

MAX_FAILURES = 3
"""So many times a group that lost a worker is started anew."""

POLL_S = 0.5
ABORT_S = 10.0
"""How long workers have to end on Ctrl-C."""

_FAILED = "failed-{rank}.json"


def train_on_workers(
    recipe: Recipe,
    examples: Examples,
    packed: Packed,
    *,
    workers: int,
    folder: Path,
    ray_address: str | None = None,
    seed: int = 0,
    device: str = "auto",
    resume: bool = False,
    on_epoch: OnEpoch | None = None,
    about: Mapping[str, Any] | None = None,
) -> Trained:
    """As `motifdb.training.fitting.loop.train`, on so many workers.

    Parameters
    ----------
    folder : where checkpoints go; with a cluster of several machines, one that all of them see
    ray_address : of a running cluster; None starts one on this machine

    Raises
    ------
    UsageError
        for a cluster that cannot be reached or has too few CPUs (or GPUs), or workers that die again and again; and as `train`.
    DivergedError
        as `train`.
    """
    try:
        import ray
        import ray.train  # needs pandas, which the extra brings
    except ImportError:
        raise MissingExtraError(
            "Ray Train is not installed whole; `pip install 'motifdb[train]'` adds what is missing"
        ) from None
    check_examples(examples)
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob(_FAILED.format(rank="*")):
        old.unlink()
    if not resume:
        (folder / checkpoint.CONFIG).unlink(missing_ok=True)
        (folder / checkpoint.STATE).unlink(missing_ok=True)
    with ray_cluster(workers, ray_address):
        on_gpu = _on_gpu(device, workers)
        sound = ray.put(
            (np.asarray(packed.pcm), packed.start, packed.length, packed.sample_rate_hz, packed.gain)
        )
        given = {
            "recipe": recipe.to_dict(),
            "examples": examples,
            "sound": [sound],  # a reference of its own, so that it is not fetched before it is wanted
            "seed": seed,
            "folder": str(folder),
            "device": "cuda" if on_gpu else "cpu",
            "about": dict(about or {}),
        }
        with _watched(folder, on_epoch):
            _fit(given, workers, folder, on_gpu=on_gpu, is_local=ray_address is None)
    _raise_failure(folder)
    trained, _ = load_trained(folder, device)
    return trained


def _on_gpu(device: str, workers: int) -> bool:
    """Whether workers get a GPU each."""
    import ray

    resources = ray.cluster_resources()
    n_gpus, n_cpus = int(resources.get("GPU", 0)), int(resources.get("CPU", 0))
    if device.startswith("cuda") and n_gpus < workers:
        raise UsageError(
            f"{workers} workers need a GPU each, and the cluster has {n_gpus}; take fewer, or --device cpu"
        )
    on_gpu = device.startswith("cuda") or (device == "auto" and n_gpus >= workers)
    if n_cpus < workers:
        raise UsageError(f"{workers} workers need a CPU each, and the cluster has {n_cpus}; take fewer")
    return on_gpu


def _fit(given: dict[str, Any], workers: int, folder: Path, *, on_gpu: bool, is_local: bool) -> None:
    """Run Ray Train until its workers have ended well."""
    import ray
    from ray.train import FailureConfig, RunConfig, ScalingConfig
    from ray.train.torch import TorchConfig, TorchTrainer

    logging.getLogger("ray.train").setLevel(logging.CRITICAL)  # what is worth saying, we say
    storage = folder / "ray"
    local: dict[str, Any] = {"env_vars": {"GLOO_SOCKET_IFNAME": "lo"}} if is_local else {}
    controllers: list[Any] = []

    class Trainer(TorchTrainer):  # type: ignore[misc]  # ray is untyped to us
        """Leaves Ctrl-C to us: Ray Train would keep it for itself, also afterwards, and leave without a word."""

        def _register_sigint_handler(self, controller: Any) -> None:
            controllers.append(controller)

    trainer = Trainer(
        _worker,
        train_loop_config=given,
        torch_config=TorchConfig(backend="nccl" if on_gpu else "gloo"),
        scaling_config=ScalingConfig(
            num_workers=workers,
            use_gpu=on_gpu,
            resources_per_worker={"CPU": 1, **({"GPU": 1} if on_gpu else {})},
        ),
        run_config=RunConfig(
            name="run",
            storage_path=str(storage),
            failure_config=FailureConfig(max_failures=MAX_FAILURES),
            worker_runtime_env=local,
        ),
    )
    try:
        trainer.fit()
    except KeyboardInterrupt:
        for controller in controllers:
            with contextlib.suppress(Exception):  # it ends by it, which is what is wanted
                ray.get(controller.abort.remote(), timeout=ABORT_S)
        raise
    except Exception as error:
        # Ray has an exception for each way a group can fail; all of them are ours to tell in a sentence
        _raise_failure(folder)
        first = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise UsageError(
            f"training on {workers} workers failed ({first.strip()}); the last whole epoch is kept in {folder}, and"
            " --resume goes on from there"
        ) from error
    finally:
        shutil.rmtree(storage, ignore_errors=True)


def _worker(given: dict[str, Any]) -> None:
    """What every worker runs."""
    import ray
    import ray.train

    context = ray.train.get_context()
    gang = Gang(context.get_world_rank(), context.get_world_size())
    device = given["device"]
    if device == "cuda":
        from ray.train.torch import get_device

        device = str(get_device())
    pcm, start, length, rate_hz, gain = ray.get(given["sound"][0])
    try:
        train(
            Recipe.from_dict(given["recipe"]),
            given["examples"],
            Packed(pcm, start, length, rate_hz, gain),
            seed=given["seed"],
            folder=Path(given["folder"]),
            device=device,
            resume=True,  # where there is no checkpoint, from the start
            about=given["about"],
            gang=gang,
        )
    except MotifdbError as error:
        # another attempt would end alike, so it is told and not raised; all workers come here at the same step
        told = {"is_diverged": isinstance(error, DivergedError), "message": str(error)}
        (Path(given["folder"]) / _FAILED.format(rank=gang.rank)).write_text(json.dumps(told))


def _raise_failure(folder: Path) -> None:
    """Raise what a worker said before it gave up, if any did."""
    paths = sorted(folder.glob(_FAILED.format(rank="*")))
    told = [json.loads(path.read_text()) for path in paths]
    for path in paths:
        path.unlink()
    if told:
        # the worker whose loss is no number knows which clips; the others see its gradient only
        first = next((t for t in told if t["message"].startswith("the loss")), told[0])
        raise (DivergedError if first["is_diverged"] else UsageError)(first["message"])


@contextmanager
def _watched(folder: Path, on_epoch: OnEpoch | None) -> Iterator[None]:
    """Tell `on_epoch` of epochs as the checkpoint shows them: workers may be on other machines, the folder is here."""
    if on_epoch is None:
        yield
        return
    over = threading.Event()

    def there() -> list[dict[str, Any]]:
        path = folder / checkpoint.STATE
        try:
            return list(checkpoint.read_header(path)["rows"]) if path.exists() else []
        except (checkpoint.CheckpointError, KeyError):
            return []

    n_told = len(there())  # by the session before, where a run is taken up

    def look() -> None:
        nonlocal n_told
        rows = there()
        for row in rows[n_told:]:
            on_epoch(row)
        n_told = max(n_told, len(rows))

    def watch() -> None:
        while not over.wait(POLL_S):
            look()

    thread = threading.Thread(target=watch, name="motifdb-epochs", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        look()
