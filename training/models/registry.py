"""Names, sources and options of the networks. Imports no torch until one is built."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from motifdb.errors import NotFoundError, UsageError, nearest
from motifdb.training.extras import need

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

    @property
    def embeds(self) -> str:
        """What `Classifier.embed` of this network answers, a clause: the layer that its paper names."""
        return _EMBEDS[self.builder]

    def resolve(self) -> type:
        """The class behind the name; imports torch.

        Raises
        ------
        MissingExtraError
            when torch is not installed.
        """
        need("torch")
        module_name, _, class_name = self.builder.partition(":")
        module = importlib.import_module(f"motifdb.training.models.{module_name}")
        resolved: type = getattr(module, class_name)
        return resolved

    def options(self) -> dict[str, Any]:
        """Every option with its value for this network: the class's own, overlaid with `defaults`."""
        return {name: default for name, (default, _) in self._own().items()} | dict(self.defaults)

    def build(self, n_rows: int, n_classes: int, options: Mapping[str, Any]) -> nn.Module:
        """See `build_model`."""
        own = self._own()
        checked = {}
        for option, value in options.items():
            if option not in own:
                raise UsageError(f"{self.name} has no option {option!r}; {nearest(option, own)}")
            checked[option] = _checked(f"{self.name}: {option}", value, own[option][1])
        return self.resolve()(n_rows, n_classes, name=self.name, **(dict(self.defaults) | checked))

    def _own(self) -> dict[str, tuple[Any, str]]:
        """Default and annotation of every option that can be given."""
        parameters = inspect.signature(self.resolve()).parameters.values()
        return {
            p.name: (p.default, str(p.annotation))
            for p in parameters
            if p.kind is p.KEYWORD_ONLY and p.name not in ("name", "body")
        }


_EMBEDS = {
    "aggregation:AggregationNetwork": "the last of the fully connected layers, after its ReLU",
    "contour:ContourCnn": "the pooled steps, before the classes",
    "contour:ContourGru": "the pooled steps of the GRU, before the classes",
    "crnn:ChoiCrnn": "the last state of the GRU, before the classes",
    "crnn:Crnn": "the pooled steps of the GRU (crnn-released: all of them side by side), before the classes",
    "image:ImageNetwork": "FC-1024 after its ReLU, or the average over the picture where there is no such layer",
    "residual:ReleasedResidualBlstm": "all outputs of the LSTM side by side, before the classes",
    "residual:ResidualRecurrent": (
        "FC-1024 after its ReLU (sid-2020's embedding of a motif), or the pooled steps of the LSTM where there is no such layer"
    ),
}
"""By builder, the layer that a network embeds at."""


def _checked(what: str, value: Any, annotation: str) -> Any:
    """An option's value in the type that it is declared with; the word none is None, as TOML has no such thing."""
    kind, _, rest = annotation.partition(" | ")
    if rest == "None" and value in (None, "none"):
        return None
    if rest == "str" and isinstance(value, str):  # such as channels: 128, or 32x3,64x3
        return value
    if kind == "bool" and isinstance(value, bool):
        return value
    if kind == "str" and isinstance(value, str):
        return value
    if kind == "int" and isinstance(value, int) and not isinstance(value, bool):
        least = 0 if what.endswith(("stem_padding", "n_blocks")) else 1
        if value >= least:
            return value
        raise UsageError(f"{what} must be at least {least}, got {value}")
    if kind == "float" and isinstance(value, int | float) and not isinstance(value, bool):
        if 0 <= value < 1:  # every one of them is a dropout
            return float(value)
        raise UsageError(f"{what} must be from 0 to below 1, got {value}")
    wanted = {"bool": "true or false", "str": "text", "int": "a whole number", "float": "a number"}[kind]
    raise UsageError(f"{what} must be {wanted}, got {value!r}")


def _specs() -> tuple[ModelSpec, ...]:
    residual, image = "residual:ResidualRecurrent", "image:ImageNetwork"
    damp, damp_small = "aggregation:AggregationNetwork", {"first": 8, "fc": 128}
    style = {"stem_stride": 1, "n_recurrent": 2, "fc": None}
    return (
        ModelSpec(
            "crnn",
            "sid-2020, style-2021; released code",
            "four convolutions of 128 channels without padding, two GRU of 256, mean over time",
            "crnn:Crnn",
        ),
        ModelSpec(
            "crnn-released",
            "sid-2020, released code",
            "the same, all time steps side by side before the classes, as released: 426 columns only",
            "crnn:Crnn",
            {"head": "flatten"},
        ),
        ModelSpec(
            "crnn-choi",
            "Choi et al. 2017, which both papers cite for their CRNN",
            "four convolutions of 64 and 128 channels with wide pools, two GRU of 32",
            "crnn:ChoiCrnn",
        ),
        ModelSpec(
            "resnet-50",
            "sid-2020, style-2021",
            "torchvision's ResNet-50 under a 3x3 stem of one channel, FC-1024",
            image,
            {"body": "resnet50", "fc": 1024},
        ),
        ModelSpec(
            "densenet-161",
            "style-2021",
            "torchvision's DenseNet-161 under a 3x3 stem of one channel",
            image,
            {"body": "densenet161"},
        ),
        ModelSpec(
            "residual-blstm",
            "sid-2020",
            "residual convolutions, one bidirectional LSTM over time, FC-1024, as the text describes it",
            residual,
        ),
        ModelSpec(
            "residual-blstm-released",
            "sid-2020, released code",
            "1x1 convolutions and an LSTM over the 128 channels, as released: 217 columns only",
            "residual:ReleasedResidualBlstm",
        ),
        ModelSpec(
            "residual-blstm-compact",
            "sid-2020, made smaller",
            "64 channels, rows pooled by 4, hidden 256",
            residual,
            {"channels": 64, "hidden": 256, "frequency_pool": 4},
        ),
        ModelSpec(
            "residual-blstm-small",
            "sid-2020, made smaller",
            "16 channels, rows pooled by 4, hidden 64: trains on a CPU in minutes",
            residual,
            {"channels": 16, "hidden": 64, "frequency_pool": 4},
        ),
        ModelSpec(
            "res-lstm",
            "style-2021",
            "residual convolutions at stride 1, two stacked bidirectional LSTM, as the text describes it",
            residual,
            style,
        ),
        ModelSpec(
            "res-lstm-compact",
            "style-2021, made smaller",
            "64 channels, first stride 2, rows pooled by 4, two bidirectional LSTM of 256",
            residual,
            style | {"stem_stride": 2, "channels": 64, "hidden": 256, "frequency_pool": 4},
        ),
        ModelSpec(
            "contour-gru",
            "ours",
            "a small recurrent network over contours: one convolution over time, a bidirectional GRU of 64",
            "contour:ContourGru",
        ),
        ModelSpec(
            "contour-cnn",
            "ours",
            "a small convolutional network over contours, for thousands of steps",
            "contour:ContourCnn",
        ),
        ModelSpec(
            "tdnn",
            "as speaker recognition has it (x-vectors, Snyder et al. 2018), made small",
            "convolutions over time with bands as channels, mean and deviation pooled: the cheapest network over sound",
            "contour:ContourCnn",
            {"n_blocks": 3, "dropout": 0.3},
        ),
        ModelSpec(
            "damp-cnn",
            "damp-2018",
            "a 10x10 and two 5x5 convolutions, aggregation over all of time, three FC-1024",
            damp,
        ),
        ModelSpec(
            "damp-cnn-deep",
            "damp-2018",
            "the same with six blocks of two 5x5 convolutions",
            damp,
            {"first": 16, "channels": "32x3,64x3"},
        ),
        ModelSpec(
            "damp-resnext",
            "damp-2018; siamese-2018 with first=128 and 16 outputs",
            "a 10x10 convolution and one ResNeXt block, aggregation over all of time, three FC-1024",
            damp,
            {"block": "resnext"},
        ),
        ModelSpec(
            "damp-resnext-deep",
            "damp-2018",
            "the same with six ResNeXt blocks",
            damp,
            {"block": "resnext", "first": 32, "channels": "64x3,128x3"},
        ),
        ModelSpec(
            "damp-cnn-small",
            "damp-2018, made smaller",
            "8 and 16 channels, FC of 128: trains on a CPU in minutes",
            damp,
            damp_small | {"channels": 16},
        ),
        ModelSpec(
            "damp-cnn-deep-small",
            "damp-2018, made smaller",
            "six blocks of 8 and 16 channels, FC of 128",
            damp,
            damp_small | {"channels": "8x3,16x3"},
        ),
        ModelSpec(
            "damp-resnext-small",
            "damp-2018, made smaller",
            "8 channels and a ResNeXt block of 32, FC of 128: trains on a CPU in minutes",
            damp,
            damp_small | {"block": "resnext", "channels": 32},
        ),
        ModelSpec(
            "damp-resnext-deep-small",
            "damp-2018, made smaller",
            "six ResNeXt blocks of 16 and 32 channels, FC of 128",
            damp,
            damp_small | {"block": "resnext", "channels": "16x3,32x3"},
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
    return MODELS[name].build(n_rows, n_classes, options)


def count_parameters(module: nn.Module) -> int:
    """How many numbers training can change (running statistics of batch normalisation are not among them)."""
    return sum(p.numel() for p in module.parameters() if p.requires_grad)
