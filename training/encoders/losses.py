"""What pairs of vectors cost: the contrastive loss, and what one point for everything would cost on the same pairs."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def squared_distance(a: Tensor, b: Tensor) -> Tensor:
    """Squared Euclidean distance of vectors [n, D]: float [n]."""
    return (a - b).square().sum(-1)


def contrastive(a: Tensor, b: Tensor, same: Tensor, margin: float = 1.0) -> Tensor:
    """Mean contrastive loss of n pairs of vectors, float32 scalar.

    ``y D / 2 + (1 - y) max(0, margin - D) / 2`` with D the squared Euclidean distance and y whether both are of one singer
    (siamese-2018; damp-2018, Table 2). The margin is on the squared distance, as printed.

    Parameters
    ----------
    a, b : [n, D]
    same : bool [n]
    """
    distance = squared_distance(a.float(), b.float())
    return 0.5 * torch.where(same, distance, (margin - distance).clamp(min=0.0)).mean()


def contrastive_of(distance: NDArray[np.float64], same: NDArray[np.bool_], margin: float = 1.0) -> float:
    """As `contrastive`, of squared distances that are at hand; not a number without pairs."""
    if not len(distance):
        return float("nan")
    return float(0.5 * np.where(same, distance, np.maximum(margin - distance, 0.0)).mean())


def collapse_loss(same: NDArray[np.bool_], margin: float = 1.0) -> float:
    """What a network that maps everything to one point costs on these pairs.

    Every published loss of damp-2018's Table 2 is above it, so a loss alone says nothing of an encoder.

    >>> collapse_loss(np.array([True, False]))
    0.25
    """
    return contrastive_of(np.zeros(len(same)), same, margin)
