"""The one way kernels are compiled: cached on disk, without the interpreter lock, types kept for the checker."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

import numba

P = ParamSpec("P")
R = TypeVar("R")


def kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a function of arrays and numbers with numba on its first call."""
    return cast(Callable[P, R], numba.njit(cache=True, nogil=True)(function))
