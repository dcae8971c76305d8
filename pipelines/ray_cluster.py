"""Reach a Ray cluster, or start one on this machine that nothing outside it can reach."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from motifdb.errors import UsageError

OBJECT_STORE_BYTES = 1 << 30
"""Ray's store for what is under way; it is bounded, so it need not take its default share of the machine."""


@contextmanager
def ray_cluster(workers: int, address: str | None = None) -> Iterator[int]:
    """Ray for as long as the context lasts; gives the number of workers there are.

    Parameters
    ----------
    workers : CPUs of a cluster that is started here, on loopback alone
    address : of a running cluster, which then says how many workers there are; None starts one

    Raises
    ------
    UsageError
        where the cluster cannot be reached or started.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # a report would leave this machine
    if address is None:
        # Ray replaces 127.0.0.1 by the machine's outer address unless clusters are disabled, by the
        # switch it has for systems whose firewalls ask; read when ray is imported
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    import ray

    is_ours = not ray.is_initialized()
    if is_ours:
        options: dict[str, Any] = {"logging_level": "ERROR", "log_to_driver": False}
        if address is None:
            options |= {
                "address": "local",
                "num_cpus": workers,
                "include_dashboard": False,
                "object_store_memory": OBJECT_STORE_BYTES,
                "_node_ip_address": "127.0.0.1",
            }
        else:
            options["address"] = address
        try:
            with warnings.catch_warnings():
                # Lance warns of forks; Ray's daemons fork only to become another program at once
                warnings.filterwarnings("ignore", message="lance is not fork-safe")
                ray.init(**options)
        except Exception as error:  # Ray raises a bare one where its processes do not start in time
            where = f"the cluster at {address}" if address else "a local cluster"
            raise UsageError(f"Ray could not reach or start {where}: {error}") from error
    try:
        yield workers if address is None else max(1, int(ray.cluster_resources().get("CPU", workers)))
    finally:
        if is_ours:
            ray.shutdown()
