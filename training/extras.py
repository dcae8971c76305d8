"""Whether what the extra ``train`` adds is there, and the one door through which torchaudio and torchvision come in.

Their wheels are linked to one CUDA release. Beside a torch of another kind (a CPU build, another CUDA release)
their compiled parts do not load and a plain import fails, although the parts written in Python would work. Here
the import is tried; where the compiled part does not load, the package is imported without it.

What works either way: spectrograms, mel and MFCC front ends, masking, resampling; the networks of
`torchvision.models`. What needs the compiled part and then fails when called: `torchvision.ops.nms` and forced
alignment. torchaudio's own file loading is not used: `motifdb.pipelines` decodes.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import types
from collections.abc import Callable
from typing import Any

from motifdb.errors import MissingExtraError

_kept_alive: list[Any] = []  # torch forgets operators when the library object that declared them is collected


_NAMES = {"sklearn": "scikit-learn"}
_TRAIN = ("torch", "torchaudio", "sklearn", "safetensors", "tensorboardX")


def need(*modules: str) -> None:
    """Refuse where a module of the extra ``train`` is not installed; nothing is imported.

    Parameters
    ----------
    modules : names of packages as they are imported; none: all that training and prediction need

    Raises
    ------
    MissingExtraError
    """
    lacking = [
        _NAMES.get(m, m)
        for m in modules or _TRAIN
        if m not in sys.modules and importlib.util.find_spec(m) is None
    ]
    if lacking:
        verb, them = ("are", "them") if len(lacking) > 1 else ("is", "it")
        raise MissingExtraError(
            f"{', '.join(lacking)} {verb} not installed; `pip install 'motifdb[train]'` adds {them}"
        )


def load_torchaudio() -> types.ModuleType:
    """The module torchaudio, without its compiled part where that does not load.

    Raises
    ------
    MissingExtraError
        when torch or torchaudio is not installed.
    """
    return _load("torchaudio", _stand_in_for_torchaudio_extension)


def load_torchvision() -> types.ModuleType:
    """The module torchvision, without its compiled part where that does not load.

    Raises
    ------
    MissingExtraError
        when torch or torchvision is not installed.
    """
    return _load("torchvision", _declare_torchvision_operators)


def _load(name: str, prepare: Callable[[], None]) -> types.ModuleType:
    """Import `name`; where its compiled part refuses, forget the half-imported package, `prepare`, import again."""
    need("torch", name)
    try:
        return importlib.import_module(name)
    except (OSError, RuntimeError):
        for module in [m for m in sys.modules if m == name or m.startswith(f"{name}.")]:
            del sys.modules[module]
    prepare()
    return importlib.import_module(name)


def _stand_in_for_torchaudio_extension() -> None:
    """A module in the place of `torchaudio._extension` that says: nothing compiled is available."""

    def unavailable(function: Callable[..., Any]) -> Callable[..., Any]:
        return function

    stand_in = types.ModuleType("torchaudio._extension")
    stand_in.__path__ = []
    vars(stand_in).update(
        _IS_TORCHAUDIO_EXT_AVAILABLE=False,
        _IS_ALIGN_AVAILABLE=False,
        fail_if_no_align=unavailable,
        _check_cuda_version=lambda: None,
    )
    sys.modules[stand_in.__name__] = stand_in


def _declare_torchvision_operators() -> None:
    """Declare, without an implementation, the operators that torchvision's Python code refers to on import."""
    import torch

    library = torch.library.Library("torchvision", "FRAGMENT")
    for operator in ("nms", "qnms"):
        library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _kept_alive.append(library)
