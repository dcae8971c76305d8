"""The contrastive loss against numbers worked out by hand, and the loss of a network that says the same of everything."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from motifdb.training.encoders.losses import collapse_loss, contrastive, contrastive_of

A = torch.tensor([[0.0, 0.0], [0.0, 0.0], [0.0, 0.0], [1.0, 0.0]])
B = torch.tensor([[0.6, 0.8], [0.6, 0.0], [3.0, 4.0], [1.0, 0.0]])
SAME = torch.tensor([True, False, False, False])
# squared distances 1, 0.36, 25, 0: halves of 1, 1 - 0.36, 0 (beyond the margin), 1
BY_HAND = (0.5 + 0.32 + 0.0 + 0.5) / 4


def test_by_hand() -> None:
    assert float(contrastive(A, B, SAME)) == pytest.approx(BY_HAND)
    assert contrastive_of(np.array([1.0, 0.36, 25.0, 0.0]), SAME.numpy()) == pytest.approx(BY_HAND)
    assert float(contrastive(A, B, SAME, margin=0.5)) == pytest.approx((0.5 + 0.07 + 0 + 0.25) / 4)
    assert math.isnan(contrastive_of(np.zeros(0), np.zeros(0, bool)))


def test_one_point_for_everything_costs_a_quarter() -> None:
    same = torch.arange(32) < 16
    points = torch.full((32, 16), 0.7)
    assert float(contrastive(points, points, same)) == collapse_loss(same.numpy()) == 0.25
    assert collapse_loss(np.array([False]), margin=2.0) == 1.0


def test_gradients_pull_same_pairs_and_push_others_within_the_margin_only() -> None:
    a = A.clone().requires_grad_()
    contrastive(a, B, SAME).backward()
    assert a.grad is not None
    pull, push, far, met = a.grad
    assert (pull * (B[0] - A[0])).sum() < 0 < (push * (B[1] - A[1])).sum()
    assert far.tolist() == [0.0, 0.0] and met.tolist() == [0.0, 0.0]
