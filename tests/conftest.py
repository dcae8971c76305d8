"""How the tests run wherever they run."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

# How long an example takes depends on what else the machine does, and on which kernels are compiled: no test
# fails for that.
settings.register_profile("motifdb", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("motifdb")

# Nothing is written into the cache folder of whoever runs the tests, by none of their processes.
os.environ["MOTIFDB_CACHE"] = "off"
