"""From a sequence of unequal length to one vector per clip."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from motifdb.training.models.base import check_choice
from motifdb.training.models.masks import column_mask, last_state

POOLINGS = ("mean", "last", "mean-std", "attentive")
_FLOOR = 1e-5  # keeps the slope of the square root finite where a channel does not move


class MaskedPooling(nn.Module):  # type: ignore[misc]  # torch is untyped to us
    """One vector per clip from the steps that are sound.

    Parameters
    ----------
    kind : ``"mean"``; ``"last"`` (the final states of both directions of a recurrent layer); ``"mean-std"`` (mean and
        deviation of each channel); ``"attentive"`` (mean and deviation under weights that a small network gives each
        step and channel, seeing the channel's mean and deviation over the clip: attentive statistics pooling
        with global context, Okabe et al. 2018, as in ECAPA-TDNN, Desplanques et al. 2020, section 3.1)
    n_in : channels
    model : for the error's text
    bottleneck : width of the attention's hidden layer (ECAPA-TDNN: 128)
    bidirectional : for ``"last"``: whether the second half of the channels ran backwards
    """

    def __init__(
        self, kind: str, n_in: int, *, model: str, bottleneck: int = 128, bidirectional: bool = True
    ) -> None:
        super().__init__()
        check_choice(model, "pooling", kind, POOLINGS)
        self.kind, self.bidirectional = kind, bidirectional
        self.n_out = n_in if kind in ("mean", "last") else 2 * n_in
        if kind == "attentive":
            self.score = nn.Sequential(
                nn.Linear(3 * n_in, bottleneck), nn.Tanh(), nn.Linear(bottleneck, n_in)
            )

    def forward(self, x: Tensor, n_steps: Tensor) -> Tensor:
        """[B, T, n_in] and int64 [B] -> [B, n_out]."""
        if self.kind == "last":
            return last_state(x, n_steps, bidirectional=self.bidirectional)
        mask = column_mask(n_steps, x.shape[1])[..., None]
        x = x.float().masked_fill(~mask, 0.0)  # statistics of many steps are taken in single precision
        even = mask / n_steps[:, None, None].to(x.dtype)
        if self.kind == "mean":
            return (x * even).sum(1)
        if self.kind == "mean-std":
            return torch.cat(_weighted(x, even), dim=-1)
        context = torch.cat(_weighted(x, even), dim=-1)[:, None, :].expand(-1, x.shape[1], -1)
        score = self.score(torch.cat([x, context], dim=-1)).float()
        weight = score.masked_fill(~mask, float("-inf")).softmax(dim=1)
        return torch.cat(_weighted(x, weight), dim=-1)


def _weighted(x: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and deviation over steps, [B, C] each, under weights [B, T, 1 or C] that add to one."""
    mean = (x * weight).sum(1)
    variance = ((x - mean[:, None]).square() * weight).sum(1)
    return mean, variance.clamp(min=_FLOOR**2).sqrt()
