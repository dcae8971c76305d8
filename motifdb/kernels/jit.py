"""The one way kernels are compiled: cached on disk, without the interpreter lock, types kept for the checker."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec, TypeVar, cast

import numba

P = ParamSpec("P")
R = TypeVar("R")


def kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a function of arrays and numbers with numba on its first call."""
    return cast(Callable[P, R], numba.njit(cache=True, nogil=True)(function))


def were_compiled() -> bool:
    """Whether kernels were compiled here before, so that their first call will not take half a minute."""
    named = os.environ.get("NUMBA_CACHE_DIR")
    folder = Path(named) if named else Path(__file__).parent / "__pycache__"
    return any(folder.rglob("contiguous_law.*.nbi"))
