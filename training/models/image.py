"""ResNet-50 and DenseNet-161 over spectrograms: the bodies of torchvision under the stems of sid-2020 and style-2021.

The bodies are torchvision's, layer by layer; they are walked here and not called, so that each clip ends where it ends: what
is past it is zero before every layer that looks sideways, and batch normalisation counts sound columns only.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from motifdb.errors import UsageError
from motifdb.training.extras import load_torchvision
from motifdb.training.models.base import Classifier, Entrance, check_choice, classes_after
from motifdb.training.models.masks import column_mask, columns_after, masked_batch_norm

STEMS = ("3x3", "released", "imagenet")
_RELEASED_CHANNELS = 128


class _Columns:
    """How many columns of each clip are sound at one place of the network, with the masks that follow from it."""

    def __init__(self, n: Tensor, n_total: int, *, masked: bool, counts: bool) -> None:
        self.n = n
        self.is_masked, self.counts = masked, counts
        self.mask = column_mask(n, n_total)[:, None, None, :] if masked else None
        self.counted = self.mask if counts else None

    def after(self, kernel: int, stride: int, padding: int, n_total: int) -> _Columns:
        """The columns after a layer that leaves `n_total` of the whole batch."""
        n = columns_after(self.n, kernel, stride, padding)
        return _Columns(n, n_total, masked=self.is_masked, counts=self.counts)

    def cut(self, x: Tensor) -> Tensor:
        """x with zeros past each clip's end."""
        return x if self.mask is None else x * self.mask


class _Stem(nn.Module):  # type: ignore[misc]  # torch is untyped to us
    """The convolution(s) before a body's first batch normalisation, from one channel."""

    def __init__(self, kind: str, channels: int) -> None:
        super().__init__()
        self.kind = kind
        if kind == "3x3":
            self.conv = nn.Conv2d(1, channels, 3, padding=1, bias=False)
        elif kind == "imagenet":
            self.conv = nn.Conv2d(1, channels, 7, stride=2, padding=3, bias=False)
        else:
            self.first = nn.Conv2d(1, _RELEASED_CHANNELS, 3, stride=2, padding=1, bias=False)
            self.norm = nn.BatchNorm2d(_RELEASED_CHANNELS)
            self.conv = nn.Conv2d(_RELEASED_CHANNELS, channels, 3, padding=1, bias=False)

    def forward(self, x: Tensor, at: _Columns) -> tuple[Tensor, _Columns]:
        if self.kind == "released":
            x = self.first(x)
            at = at.after(3, 2, 1, x.shape[3])
            x = at.cut(masked_batch_norm(self.norm, x, at.counted))
        x = self.conv(x)
        return x, at.after(7, 2, 3, x.shape[3]) if self.kind == "imagenet" else at


class ImageNetwork(Classifier):
    """A torchvision body under a stem of one channel, average over all that is sound, FC, classes.

    Parameters
    ----------
    n_rows, n_classes : rows of the features and classes to tell apart
    body : ``"resnet50"`` or ``"densenet161"``
    stem : ``"3x3"`` at stride 1, as both papers print it; ``"released"``: 3x3 at stride 2 to 128 channels, batch
        normalisation, 3x3 at stride 1, as the released code has it; ``"imagenet"``: the original 7x7 at stride 2
    fc : width of a layer before the classes with ReLU after it (sid-2020: 1024); None leaves it out (style-2021)
    weights : file of ImageNet weights (safetensors, names as torchvision has them); None starts at random. The
        classes are never taken from it, the stem only with ``stem="imagenet"`` (its three colours added up)
    dropout : before the classes
    batch_norm : ``"valid"`` takes statistics over sound columns; ``"all"`` counts the padding too
    masked : False takes the padding for sound, as the papers' systems do
    pad_rows_to : rows of zeros are added up to this (papers: 128 for every feature); None adds what the layers need

    Raises
    ------
    UsageError
        the weights are in no safetensors file or belong to another network.
    """

    def __init__(
        self,
        n_rows: int,
        n_classes: int,
        *,
        name: str = "resnet-50",
        body: str = "resnet50",
        stem: str = "3x3",
        fc: int | None = None,
        weights: str | None = None,
        dropout: float = 0.0,
        batch_norm: str = "valid",
        masked: bool = True,
        pad_rows_to: int | None = None,
    ) -> None:
        super().__init__()
        check_choice(name, "body", body, ("resnet50", "densenet161"))
        check_choice(name, "stem", stem, STEMS)
        check_choice(name, "batch_norm", batch_norm, ("valid", "all"))
        self.name, self.counts = name, batch_norm == "valid"
        self.is_dense = body == "densenet161"
        # after its first pool DenseNet halves three times without padding, so 8 must be left; ResNet pads where it halves
        least = 1 if not self.is_dense else 15 if stem == "3x3" else 29
        self.entrance = Entrance(
            name, n_rows, min_rows=max(least, pad_rows_to or 0), min_columns=least, masked=masked
        )
        self.body = getattr(load_torchvision().models, body)(weights=None)
        if self.is_dense:
            n_stem, n_out = self.body.features.norm0.num_features, self.body.classifier.in_features
            self.body.features.conv0 = self.body.classifier = nn.Identity()
        else:
            n_stem, n_out = self.body.bn1.num_features, self.body.fc.in_features
            self.body.conv1 = self.body.fc = nn.Identity()
        self.stem = _Stem(stem, n_stem)
        self.fc, self.classes = classes_after(n_out, n_classes, fc=fc, dropout=dropout)
        if weights is not None:
            load_image_weights(self, Path(weights))

    def embed(self, features: Tensor, n_columns: Tensor) -> Tensor:
        """The vector before the classes, [B, D]."""
        features, n_columns = self.entrance(features, n_columns)
        at = _Columns(n_columns, features.shape[3], masked=self.entrance.masked, counts=self.counts)
        x, at = self.stem(features, at)
        x, at = (_densenet if self.is_dense else _resnet)(self.body, x, at)
        steps = at.cut(x.float()).mean(2).sum(2)  # averages are taken in single precision
        return self.fc(steps / at.n[:, None])


def _first_pool(norm: nn.BatchNorm2d, x: Tensor, at: _Columns) -> tuple[Tensor, _Columns]:
    """Batch normalisation, ReLU and the max-pool 3x3 at stride 2 with which both bodies begin."""
    x = F.max_pool2d(at.cut(F.relu(masked_batch_norm(norm, x, at.counted))), 3, 2, 1)
    return x, at.after(3, 2, 1, x.shape[3])


def _resnet(body: Any, x: Tensor, at: _Columns) -> tuple[Tensor, _Columns]:
    x, at = _first_pool(body.bn1, x, at)
    for stage in (body.layer1, body.layer2, body.layer3, body.layer4):
        for block in stage:
            inner = at.cut(F.relu(masked_batch_norm(block.bn1, block.conv1(x), at.counted)))
            inner = block.conv2(inner)
            after = at.after(3, block.stride, 1, inner.shape[3])
            inner = F.relu(masked_batch_norm(block.bn2, inner, after.counted))
            inner = masked_batch_norm(block.bn3, block.conv3(inner), after.counted)
            if block.downsample is not None:
                x = masked_batch_norm(block.downsample[1], block.downsample[0](x), after.counted)
            x, at = F.relu(inner + x), after
    return x, at


def _densenet(body: Any, x: Tensor, at: _Columns) -> tuple[Tensor, _Columns]:
    parts = body.features
    x, at = _first_pool(parts.norm0, x, at)
    for i in range(1, 5):
        for layer in getattr(parts, f"denseblock{i}").values():
            inner = layer.conv1(F.relu(masked_batch_norm(layer.norm1, x, at.counted)))
            inner = at.cut(F.relu(masked_batch_norm(layer.norm2, inner, at.counted)))
            x = torch.cat([x, layer.conv2(inner)], 1)
        if i < 4:
            between = getattr(parts, f"transition{i}")
            x = between.conv(F.relu(masked_batch_norm(between.norm, x, at.counted)))
            x = F.avg_pool2d(x, 2)
            at = at.after(2, 2, 0, x.shape[3])
    return F.relu(masked_batch_norm(parts.norm5, x, at.counted)), at


def load_image_weights(network: ImageNetwork, path: Path) -> None:
    """Take the body's weights from a safetensors file.

    Only that format is read: it holds numbers and names and nothing that could run. torchvision's own downloads are
    pickles; docs/models.md has the line that turns one into safetensors.

    Raises
    ------
    UsageError
        the file cannot be read as safetensors, or a tensor is missing, left over or of another shape.
    """
    import safetensors
    from safetensors.torch import load_file

    try:
        found: dict[str, Tensor] = load_file(path)
    except (OSError, safetensors.SafetensorError) as error:
        raise UsageError(
            f"{path} cannot be read as safetensors ({error}); docs/models.md says how to make such a file from weights of "
            f"torchvision"
        ) from None
    # DenseNet's oldest files write denselayer1.norm.1 for what is denselayer1.norm1 since
    found = {re.sub(r"(denselayer\d+\.(?:norm|conv))\.(\d)", r"\1\2", k): v for k, v in found.items()}
    first = ("features.conv0.", "features.norm0.") if network.is_dense else ("conv1.", "bn1.")
    colours = found.get(f"{first[0]}weight")
    if network.stem.kind != "imagenet":
        # the first normalisation belongs to the first convolution, which is another one here
        found = {k: v for k, v in found.items() if not k.startswith(first)}
    left = ("fc.", "classifier.", first[0])
    found = {k: v for k, v in found.items() if not k.startswith(left)}
    own = network.body.state_dict()
    skipped = first if network.stem.kind != "imagenet" else ()
    wanted = {k for k in own if not k.endswith("num_batches_tracked") and not k.startswith(tuple(skipped))}
    for key in sorted(wanted - set(found)):
        raise UsageError(f"{path} holds no {key}: these are not the weights of {network.name}")
    for key, value in found.items():
        if key not in own or own[key].shape != value.shape:
            raise UsageError(
                f"{path}: {key} {tuple(value.shape)} has no place in {network.name}: these are not its weights"
            )
    network.body.load_state_dict(found, strict=False)
    if network.stem.kind == "imagenet":
        if colours is None or colours.shape[0] != network.stem.conv.out_channels:
            raise UsageError(f"{path} holds no {first[0]}weight: these are not the weights of {network.name}")
        with torch.no_grad():
            network.stem.conv.weight.copy_(colours.sum(1, keepdim=True))
