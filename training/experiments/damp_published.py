"""Table 1 of damp-2018 as printed, and its grid of networks: what can be asked for beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

SOURCE = "damp-2018, Table 1"
N_SINGERS = 46
SVM = (0.5164, 0.2729)
"""Train and test accuracy of the support vector machine."""

AGGREGATIONS = ("none", "max", "mean", "attention")
INPUTS = {"mel": "damp-mel", "cqt": "damp-cqt"}
"""Inputs of the grid, by the name of their front end."""

NETWORKS: dict[str, tuple[str, str]] = {
    "cnn": ("damp-cnn", "CNN 64,[128]"),
    "cnn-deep": ("damp-cnn-deep", "CNN 16,[32x3,64x3]"),
    "resnext": ("damp-resnext", "ResNeXt 64,[128]"),
    "resnext-deep": ("damp-resnext-deep", "ResNeXt 32,[64x3,128x3]"),
}
"""By name in cells: the network here, and how the paper writes it."""

_TABLE_1 = """
cnn          mel  .7915 .6276  .9302 .7426  .9271 .7291  .9284 .7484
cnn          cqt  -     -      .8864 .6373  -     -      -     -
cnn-deep     mel  .8534 .6534  .8989 .6943  .9066 .7083  .8945 .6991
resnext      mel  .8216 .6308  .8833 .7020  .9311 .7385  .9313 .7415
resnext      cqt  -     -      -     -      -     -      .8497 .5936
resnext-deep mel  .8835 .6889  .9100 .7051  .9284 .7315  .9284 .7288
"""
"""Network, input, then train and test accuracy for none, max, average and attention."""

_THOUSANDS = {
    ("cnn", False): 5867,
    ("cnn", True): 200_000,
    ("cnn-deep", False): 3560,
    ("cnn-deep", True): 28_000,
    ("resnext", False): 5300,
    ("resnext", True): 200_000,
    ("resnext-deep", False): 3844,
    ("resnext-deep", True): 52_600,
}
"""Parameters without the output layer, as printed, by network and whether there is no aggregation."""


@dataclass(frozen=True)
class Cell:
    """One cell of the grid.

    Attributes
    ----------
    published : train and test accuracy; None where the paper has no such cell
    thousands : parameters as printed
    """

    network: str
    aggregation: str
    input: str
    published: tuple[float, float] | None
    thousands: int

    @property
    def name(self) -> str:
        """Such as ``cnn/max/mel``."""
        return f"{self.network}/{self.aggregation}/{self.input}"

    @property
    def options(self) -> dict[str, Any]:
        """What the network is built with; over CQT the shallow ResNeXt begins with 128 channels."""
        wide = {"first": 128} if (self.network, self.input) == ("resnext", "cqt") else {}
        return {"aggregation": self.aggregation, **wide}

    @property
    def written(self) -> str:
        """The network as the paper writes it."""
        text = NETWORKS[self.network][1]
        return text.replace("64", "128", 1) if "first" in self.options else text


def _figures() -> dict[tuple[str, str, str], tuple[float, float]]:
    found = {}
    for line in _TABLE_1.strip().split("\n"):
        network, heard, *values = line.split()
        for at, aggregation in enumerate(AGGREGATIONS):
            train, test = values[2 * at : 2 * at + 2]
            if train != "-":
                found[network, aggregation, heard] = (float(train), float(test))
    return found


def _cells() -> tuple[Cell, ...]:
    figures = _figures()
    return tuple(
        Cell(n, a, i, figures.get((n, a, i)), _THOUSANDS[n, a == "none"])
        for i in INPUTS
        for n in NETWORKS
        for a in AGGREGATIONS
    )


CELLS = _cells()
"""The whole grid: four networks, four aggregations, two inputs; 18 of the 32 have published figures."""

NOTES = (
    "Whether the printed accuracies are of clips or of recordings is not said. Here both: a recording's class is the one with the highest"
    " mean posterior over its clips.",
    "The printed counts of parameters leave out the output layer (47,150 numbers for 46 singers); so do ours here. 3560k for the deep CNN"
    " fits nothing: it has 3,594,032.",
    "CQT with 128,[128] is printed with 54k numbers in its convolutions, which is the count of 64,[128]; it has 55,936.",
    "Kernel and C of the baseline are not said. Here: radial kernel, C chosen on the part valid.",
    "A singer may sing one song twice in DAMP. Here: a second division holds out whole songs.",
    '"20 % hop size" can mean that windows move by 20 % or that they share 20 %.',
)
