"""SpecAugment without warping, as style-2021 (section II-D) has it: stretches of features replaced by the set's mean.

A frequency mask covers f rows, f drawn from 0..`max_bands`; a time mask covers t columns, t drawn from 0..`max_time_share` of the
clip's *valid* columns; where each begins is drawn evenly from where it fits. The paper gives neither bound. Ours are 16
rows of 128 and 20 % of the columns, one mask each.

The paper augments "dynamically during training" and yet gives the size of an enlarged set. `SpecAugment` is the former and is what
recipes use; `static_plan` makes the latter, with the paper's multiplicities.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from motifdb.errors import UsageError, nearest

POLICIES = ("none", "frequency", "time", "both")
STATIC_POLICIES = ("frequency", "time", "both", "mixed")
FANDANGO_COPIES: Mapping[str, int] = {"fandango": 8}
"""style-2021: the class of 129 clips is multiplied by 8 and its originals are left out (129 x 8 = 1,032 as printed)."""


@dataclass(frozen=True)
class AugmentConfig:
    """Which masks, and how large.

    Attributes
    ----------
    max_bands : F, most rows of a frequency mask; no more than the features have
    max_time_share : T, largest share of a clip's valid columns that a time mask covers
    n_masks : of each kind
    """

    policy: Literal["none", "frequency", "time", "both"] = "none"
    max_bands: int = 16
    max_time_share: float = 0.2
    n_masks: int = 1

    def __post_init__(self) -> None:
        if self.policy not in POLICIES:
            raise UsageError(f"there is no augmentation {self.policy!r}; {nearest(self.policy, POLICIES)}")
        if self.max_bands < 0 or self.n_masks < 0 or not 0 <= self.max_time_share <= 1:
            raise UsageError("max_bands and n_masks are at least 0, max_time_share lies between 0 and 1")


class SpecAugment(nn.Module):  # type: ignore[misc]  # torch is untyped to us
    """Masks in training mode; in evaluation mode features come back as they are."""

    def __init__(self, config: AugmentConfig) -> None:
        super().__init__()
        self.config = config

    def forward(
        self,
        features: torch.Tensor,
        n_columns: torch.Tensor,
        generator: torch.Generator | None = None,
        fill: torch.Tensor | float = 0.0,
    ) -> torch.Tensor:
        """Mask each clip of a batch anew.

        Parameters
        ----------
        features : float32 [B, F, T]
        n_columns : int64 [B], valid columns
        generator : where masks are drawn from; one on the CPU gives the same masks on every device
        fill : the set's mean: 0 where features are standardised, else [F, 1] or a number

        Returns
        -------
        float32 [B, F, T], new where anything is masked; columns beyond a clip's own are not touched.
        """
        config = self.config
        if not self.training or config.policy == "none" or config.n_masks == 0:
            return features
        device = features.device if generator is None else generator.device
        drawn = torch.rand(len(features), config.n_masks, 4, generator=generator, device=device)
        return _masked(features, n_columns, drawn, [config.policy] * len(features), config, fill)

    def static(
        self,
        features: torch.Tensor,
        n_columns: torch.Tensor,
        copies: Sequence[Copy],
        fill: torch.Tensor | float = 0.0,
    ) -> torch.Tensor:
        """Mask each clip as its entry of a `static_plan` says: the same masks in every epoch, whatever the batch."""
        if not self.training:
            return features
        n_masks = max(self.config.n_masks, 1)
        drawn = [
            torch.rand(n_masks, 4, generator=torch.Generator().manual_seed(copy.seed)) for copy in copies
        ]
        return _masked(features, n_columns, torch.stack(drawn), [c.policy for c in copies], self.config, fill)


def _masked(
    features: torch.Tensor,
    n_columns: torch.Tensor,
    drawn: torch.Tensor,
    policies: Sequence[str],
    config: AugmentConfig,
    fill: torch.Tensor | float,
) -> torch.Tensor:
    """Features with masks made of `drawn`, uniform [B, masks, 4]: height, row, width, column."""
    device = features.device
    drawn = drawn.to(device, non_blocking=True)
    n_rows, n_all = features.shape[1:]
    columns = torch.arange(n_all, device=device)
    valid = columns < n_columns[:, None]
    has_rows = torch.tensor([p in ("frequency", "both") for p in policies], device=device)
    has_columns = torch.tensor([p in ("time", "both") for p in policies], device=device)

    most_rows = torch.full_like(n_columns, min(config.max_bands, n_rows))[:, None]
    height = _integer(drawn[..., 0], most_rows)
    row = _integer(drawn[..., 1], n_rows - height)
    is_row = _between(torch.arange(n_rows, device=device), row, height) & has_rows[:, None]

    # in single precision, which every device has; the little more keeps 0.7 of 10 columns at 7
    most_columns = torch.floor(config.max_time_share * n_columns.float() + 1e-4).long()[:, None]
    width = _integer(drawn[..., 2], most_columns)
    column = _integer(drawn[..., 3], n_columns[:, None] - width)
    is_column = _between(columns, column, width) & has_columns[:, None]

    is_masked = (is_row[:, :, None] | is_column[:, None, :]) & valid[:, None, :]
    return torch.where(is_masked, torch.as_tensor(fill, dtype=features.dtype, device=device), features)


def _integer(uniform: torch.Tensor, most: torch.Tensor) -> torch.Tensor:
    """0..most, evenly, from [0, 1); the bound may differ from clip to clip."""
    return torch.minimum((uniform * (most + 1)).long(), most)


def _between(positions: torch.Tensor, first: torch.Tensor, n: torch.Tensor) -> torch.Tensor:
    """[B, positions]: whether a position lies in any of a clip's masks, given as [B, masks]."""
    inside = (positions >= first[..., None]) & (positions < (first + n)[..., None])
    return inside.any(1)


class Copy(NamedTuple):
    """An entry of an enlarged set: which clip, which masks ("none" is the original), and the seed they come from."""

    row: int
    policy: str
    seed: int


def static_plan(
    label: Sequence[str] | NDArray[np.str_],
    rows: NDArray[np.int64],
    *,
    policy: Literal["frequency", "time", "both", "mixed"] = "mixed",
    multiplied: Mapping[str, int] = FANDANGO_COPIES,
    seed: int = 0,
) -> list[Copy]:
    """The fixed, enlarged training set of style-2021 (section II-D).

    A class in `multiplied` gives so many masked copies of each clip and no originals. Every other class gives its originals and
    as many masked copies: the paper's "one of each in 50 %" of its clips. Both are what its counts add up to:
    3,146 + 10,054 + 7,830 + 1,032 = 22,062 from 1,573 + 5,027 + 3,915 + 129 clips.

    Its Table II has a row per policy although the counts mix the two. With `policy` "mixed" half of the clips, drawn, get
    a copy with a frequency mask and one with a time mask (of an odd number of clips one more has the former); copies of a
    multiplied class alternate. With one policy, every clip gets one copy of it, so that the numbers stay.

    Parameters
    ----------
    label : class of every example, by name
    rows : the examples to enlarge: those of the training part

    Returns
    -------
    Originals and copies by example; `Packed.take` of their rows is the set's sound, and `SpecAugment.static` masks it.

    >>> plan = static_plan(["debla", "debla", "fandango"], np.arange(3), policy="time")
    >>> [(c.row, c.policy) for c in plan][:4], len(plan)
    ([(0, 'none'), (0, 'time'), (1, 'none'), (1, 'time')], 12)
    """
    if policy not in STATIC_POLICIES:
        raise UsageError(f"there is no augmentation {policy!r}; {nearest(policy, STATIC_POLICIES)}")
    random = np.random.default_rng(seed)
    pair = ("frequency", "time") if policy == "mixed" else (policy, policy)
    plan: list[tuple[int, str]] = []
    by_class: dict[str, list[int]] = {}
    for row in rows.tolist():
        by_class.setdefault(str(label[row]), []).append(row)
    for name in sorted(by_class):
        own = by_class[name]
        if name in multiplied:
            plan += [(row, pair[i % 2]) for row in own for i in range(multiplied[name])]
            continue
        plan += [(row, "none") for row in own]
        if policy == "mixed":
            drawn = random.permutation(own).tolist()
            n = len(own)
            plan += [(row, pair[0]) for row in drawn[: n - n // 2]] + [
                (row, pair[1]) for row in drawn[: n // 2]
            ]
        else:
            plan += [(row, policy) for row in own]
    plan.sort(key=lambda entry: entry[0])
    seeds = random.integers(0, 2**62, size=len(plan)).tolist()
    return [Copy(row, name, number) for (row, name), number in zip(plan, seeds, strict=True)]
