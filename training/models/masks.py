"""Layers that see a clip and not what its batch was padded with.

A batch holds clips of unequal length; the columns after a clip's end are filled. Here they are set to zero before every
layer that looks sideways, exactly as the zeros that a convolution puts past the end of a clip that stands alone. So
a clip's logits are the same, but for rounding, however far its batch is padded.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


def column_mask(n_columns: Tensor, n_total: int) -> Tensor:
    """True where a column is sound: bool [B, n_total] from int64 [B]."""
    return torch.arange(n_total, device=n_columns.device)[None, :] < n_columns[:, None]


def columns_after(n_columns: Tensor, kernel: int, stride: int = 1, padding: int = 0) -> Tensor:
    """Columns that a convolution or a pool leaves of a clip that stands alone, at least one.

    >>> columns_after(torch.tensor([426, 55]), kernel=3, stride=2)
    tensor([212,  27])
    """
    left = torch.div(n_columns + 2 * padding - kernel, stride, rounding_mode="floor") + 1
    return left.clamp(min=1)


def masked_batch_norm(norm: nn.BatchNorm2d | nn.BatchNorm1d, x: Tensor, mask: Tensor | None) -> Tensor:
    """Batch normalisation whose statistics, in training, are of the sound columns only.

    Parameters
    ----------
    norm : the layer; its weights and running statistics are used and updated as it would itself
    x : [B, C, ..., T]
    mask : bool, of x's number of dimensions with 1 for all but batch and columns; None counts every column

    Returns
    -------
    [B, C, ..., T]; past the end of a clip it holds whatever comes out, for the caller to mask.
    """
    if mask is None or not norm.training:
        return norm(x)
    dims = [d for d in range(x.dim()) if d != 1]
    shape = [1, -1] + [1] * (x.dim() - 2)
    wide = x.float()  # half precision cannot add a batch
    weight = mask.to(wide.dtype)
    count = weight.sum() * (x.numel() // (x.shape[0] * x.shape[1] * x.shape[-1]))
    mean = (wide * weight).sum(dims) / count
    variance = ((wide - mean.view(shape)).square() * weight).sum(dims) / count
    if norm.track_running_stats:
        with torch.no_grad():
            unbiased = variance.detach() * (count / (count - 1).clamp(min=1))
            norm.running_mean.lerp_(mean.detach().to(norm.running_mean.dtype), norm.momentum)
            norm.running_var.lerp_(unbiased.to(norm.running_var.dtype), norm.momentum)
            norm.num_batches_tracked += 1
    scale = norm.weight * torch.rsqrt(variance + norm.eps)
    shift = norm.bias - mean * scale
    return (wide * scale.view(shape) + shift.view(shape)).to(x.dtype)


class MaskedRecurrent(nn.Module):  # type: ignore[misc]  # torch is untyped to us
    """LSTM or GRU layers over clips of unequal length, without packing.

    A layer that runs forwards never sees what follows a clip. For the other direction every clip is turned round within
    its own length, run forwards and turned back. This gives what a packed sequence gives, needs no lengths on the host
    (packing does, and waits for the device), and keeps the faster kernel that a CPU has for whole tensors.

    Parameters
    ----------
    kind : ``"lstm"`` or ``"gru"``
    n_in, hidden : sizes of a step's input and of one direction's state
    n_layers : stacked layers, >= 1
    bidirectional : concatenate both directions' outputs (forward first)
    dropout : between layers, share of outputs set to zero in training
    """

    def __init__(
        self,
        kind: str,
        n_in: int,
        hidden: int,
        *,
        n_layers: int = 1,
        bidirectional: bool = True,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        layer = {"lstm": nn.LSTM, "gru": nn.GRU}[kind]
        self.n_out = hidden * (2 if bidirectional else 1)
        sizes = [n_in] + [self.n_out] * (n_layers - 1)
        self.ahead = nn.ModuleList(layer(size, hidden, batch_first=True) for size in sizes)
        self.back = nn.ModuleList(layer(size, hidden, batch_first=True) for size in sizes if bidirectional)
        self.dropout = nn.Dropout(dropout)

    # torch.compile cannot take a recurrent layer in; told so, it compiles what is before and after in one piece each
    @torch.compiler.disable  # type: ignore[untyped-decorator]  # torch is untyped to us
    def forward(self, x: Tensor, n_steps: Tensor) -> Tensor:
        """[B, C, T] or [B, C, F, T] and int64 [B] -> [B, T, n_out]; past a clip's end it holds no meaning."""
        # compiled code must hand over no view whose strides only differ by a number of columns that varies: so here
        x = x.permute(0, 3, 1, 2).flatten(2) if x.dim() == 4 else x.transpose(1, 2)
        turned = _turned(n_steps, x.shape[1]) if len(self.back) else None
        for i, ahead in enumerate(self.ahead):
            if i:
                x = self.dropout(x)
            forwards = ahead(x)[0]
            if turned is not None:
                backwards = _reorder(self.back[i](_reorder(x, turned))[0], turned)
                forwards = torch.cat([forwards, backwards], dim=-1)
            x = forwards
        return x


def _turned(n_steps: Tensor, n_total: int) -> Tensor:
    """Where each step of a clip turned round within its own length comes from: int64 [B, n_total], its own inverse."""
    steps = torch.arange(n_total, device=n_steps.device)[None, :]
    return torch.where(steps < n_steps[:, None], n_steps[:, None] - 1 - steps, steps)


def _reorder(x: Tensor, order: Tensor) -> Tensor:
    """x [B, T, C] with its steps in the order int64 [B, T]."""
    return x.gather(1, order[..., None].expand_as(x))


def last_state(x: Tensor, n_steps: Tensor, *, bidirectional: bool) -> Tensor:
    """What a recurrent layer knows at its end: forwards at a clip's last step, backwards at its first. [B, n_out]"""
    last = x[torch.arange(x.shape[0], device=x.device), n_steps - 1]
    if not bidirectional:
        return last
    half = x.shape[-1] // 2
    return torch.cat([last[:, :half], x[:, 0, half:]], dim=-1)
