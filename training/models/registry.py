"""Names, sources and options of the networks. Imports no torch until one is built."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from motifdb.errors import MissingExtraError, NotFoundError, UsageError, nearest

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class ModelSpec:
    """One network that can be asked for by name.

    Parameters
    ----------
    name : what recipes and the command line call it
    paper : where its description stands
    doc : one sentence
    builder : ``"module:Class"`` below `motifdb.training.models`
    defaults : the options that make this one of its family
    """

    name: str
    paper: str
    doc: str
    builder: str
    defaults: Mapping[str, Any] = field(default_factory=dict)

    def resolve(self) -> type:
        """The class behind the name; imports torch.

        Raises
        ------
        MissingExtraError
            when torch is not installed.
        """
        if importlib.util.find_spec("torch") is None:
            raise MissingExtraError("torch is not installed; `pip install 'motifdb[train]'` adds it")
        module_name, _, class_name = self.builder.partition(":")
        module = importlib.import_module(f"motifdb.training.models.{module_name}")
        resolved: type = getattr(module, class_name)
        return resolved

    def options(self) -> dict[str, Any]:
        """Every option with its value for this network: the class's own, overlaid with `defaults`."""
        parameters = inspect.signature(self.resolve()).parameters.values()
        own = {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}
        own.pop("name", None)
        return own | dict(self.defaults)


def _specs() -> tuple[ModelSpec, ...]:
    residual = "residual:ResidualRecurrent"
    compact = {"channels": 64, "hidden": 256, "frequency_pool": 4}
    return (
        ModelSpec(
            "residual-blstm",
            "sid-2020, section 3.3",
            "residual convolutions, one bidirectional LSTM over time, FC-1024, as the text describes it",
            residual,
        ),
        ModelSpec(
            "residual-blstm-compact",
            "sid-2020, section 3.3, made smaller",
            "64 channels, bands pooled by 4, hidden 256",
            residual,
            compact,
        ),
        ModelSpec(
            "residual-blstm-small",
            "sid-2020, section 3.3, made smaller",
            "16 channels, bands pooled by 4, hidden 64: trains on a CPU in minutes",
            residual,
            {"channels": 16, "hidden": 64, "frequency_pool": 4},
        ),
    )


MODELS: dict[str, ModelSpec] = {spec.name: spec for spec in _specs()}


def build_model(name: str, *, n_rows: int, n_classes: int, **options: Any) -> nn.Module:
    """A network with new weights, from torch's random generator as it stands.

    Parameters
    ----------
    name : a key of `MODELS`
    n_rows : rows of the features, >= 1 (bands, coefficients, channels of a contour)
    n_classes : logits to answer, >= 1
    options : of that network (`MODELS[name].options()` lists them)

    Returns
    -------
    nn.Module
        ``forward(features float32 [B, F, T], n_columns int64 [B]) -> logits float32 [B, C]``. It carries `fixed_columns`
        (the only T it reads, or None for any) and `min_columns` (shorter clips are padded with zeros inside).

    Raises
    ------
    NotFoundError
        no network has that name.
    UsageError
        an option the network does not have, or a value it cannot take.
    MissingExtraError
        torch is not installed.

    Examples
    --------
    >>> import torch
    >>> network = build_model("residual-blstm-small", n_rows=128, n_classes=5).eval()
    >>> network(torch.zeros(2, 128, 40), torch.tensor([40, 17])).shape
    torch.Size([2, 5])
    """
    if name not in MODELS:
        raise NotFoundError(f"no model is called {name!r}; {nearest(name, MODELS)}")
    if n_rows < 1 or n_classes < 1:
        raise UsageError(f"{name} needs at least one row and one class, got {n_rows} and {n_classes}")
    spec = MODELS[name]
    resolved = spec.resolve()
    known = spec.options()
    for option in options:
        if option not in known:
            raise UsageError(f"{name} has no option {option!r}; {nearest(option, known)}")
    return resolved(n_rows, n_classes, name=name, **(dict(spec.defaults) | options))


def count_parameters(module: nn.Module) -> int:
    """How many numbers training can change (running statistics of batch normalisation are not among them)."""
    return sum(p.numel() for p in module.parameters() if p.requires_grad)
