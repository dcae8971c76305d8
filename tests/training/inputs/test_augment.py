"""SpecAugment: how large masks are, what they leave alone, and the paper's counts."""

from __future__ import annotations

from collections import Counter
from typing import Literal

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("torch", reason="torch is not installed; pip install 'motifdb[train]'")

import torch

from motifdb.errors import UsageError
from motifdb.training.inputs.augment import AugmentConfig, Copy, SpecAugment, static_plan

B, F, T = 200, 32, 50
N_COLUMNS = torch.tensor([T, 20, 4, 1]).repeat(B // 4)


def masks(config: AugmentConfig, seed: int = 1) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
    """Which cells were replaced, and the result."""
    features = torch.full((B, F, T), 2.0)
    out = SpecAugment(config)(features, N_COLUMNS, torch.Generator().manual_seed(seed))
    assert features.eq(2).all()  # not changed in place
    return (out == 0).numpy(), out.numpy()


def run_lengths(line: NDArray[np.bool_]) -> list[int]:
    """Lengths of the runs of true."""
    text = "".join("x" if v else " " for v in line.tolist())
    return [len(run) for run in text.split()]


def test_frequency_masks_are_whole_bands_of_0_to_the_bound_evenly() -> None:
    is_masked, out = masks(AugmentConfig("frequency", max_bands=5))
    heights = []
    for i in range(B):
        n = int(N_COLUMNS[i])
        assert not is_masked[i, :, n:].any() and (out[i, :, n:] == 2).all()
        rows = is_masked[i, :, 0]
        assert (is_masked[i, :, :n] == rows[:, None]).all()
        runs = run_lengths(rows)
        assert len(runs) <= 1
        heights.append(sum(runs))
    counts = Counter(heights)
    assert set(counts) == set(range(6))
    assert all(15 < n < 55 for n in counts.values())  # 200 / 6 = 33
    covered = is_masked[:, :, 0].mean(0)
    assert covered.min() > 0 and covered.max() < 0.2  # anywhere


def test_time_masks_are_a_share_of_the_valid_columns() -> None:
    is_masked, _ = masks(AugmentConfig("time", max_time_share=0.2))
    widths: dict[int, set[int]] = {}
    for i in range(B):
        columns = is_masked[i, 0]
        assert (is_masked[i] == columns).all()
        n = int(N_COLUMNS[i])
        assert not columns[n:].any() and len(run_lengths(columns)) <= 1
        widths.setdefault(n, set()).add(int(columns.sum()))
    assert widths == {50: set(range(11)), 20: set(range(5)), 4: {0}, 1: {0}}


def test_both_none_and_several() -> None:
    both, _ = masks(AugmentConfig("both"))
    frequency, _ = masks(AugmentConfig("frequency"))
    time, _ = masks(AugmentConfig("time"))
    assert (both == (frequency | time)).all()  # the same draws, so the same masks
    none, _ = masks(AugmentConfig("none"))
    assert not none.any()
    two, _ = masks(AugmentConfig("frequency", n_masks=2))
    assert max(len(run_lengths(two[i, :, 0])) for i in range(B)) == 2


def test_the_seed_decides_and_evaluation_leaves_everything() -> None:
    config = AugmentConfig("both")
    assert (masks(config)[0] == masks(config)[0]).all()
    assert (masks(config)[0] != masks(config, seed=2)[0]).any()
    module = SpecAugment(config).eval()
    features = torch.randn(B, F, T)
    assert module(features, N_COLUMNS) is features
    assert module.static(features[:1], N_COLUMNS[:1], [Copy(0, "both", 3)]).equal(features[:1])


def test_filled_with_the_mean_that_is_given() -> None:
    mean = torch.arange(F, dtype=torch.float32)[:, None] + 10
    features = torch.zeros(4, F, T)
    out = SpecAugment(AugmentConfig("time", max_time_share=1.0))(
        features, N_COLUMNS[:4], torch.Generator().manual_seed(0), mean
    )
    is_masked = out != 0
    assert is_masked.any()
    assert (out[is_masked] == mean.expand(4, F, T)[is_masked]).all()


def test_static_masks_do_not_depend_on_the_batch() -> None:
    module = SpecAugment(AugmentConfig())
    features = torch.ones(3, F, T)
    copies = [Copy(0, "none", 5), Copy(0, "frequency", 6), Copy(1, "time", 7)]
    columns = torch.full((3,), T)
    together = module.static(features, columns, copies)
    apart = [module.static(features[:1], columns[:1], [copy])[0] for copy in copies]
    assert (together == torch.stack(apart)).all()
    assert together[0].eq(1).all()


@pytest.mark.parametrize("policy", ["time", "mixed"])
def test_the_counts_of_style_2021(policy: Literal["frequency", "time", "both", "mixed"]) -> None:
    counts = {"debla": 1573, "fandango": 129, "martinete": 5027, "saeta": 3915}
    label = [name for name, n in counts.items() for _ in range(n)]
    plan = static_plan(label, np.arange(len(label)), policy=policy, seed=3)
    per_class = Counter(label[copy.row] for copy in plan)
    assert per_class == {"debla": 3146, "fandango": 1032, "martinete": 10_054, "saeta": 7830}
    assert len(plan) == 22_062
    originals = Counter(label[copy.row] for copy in plan if copy.policy == "none")
    assert originals == {name: n for name, n in counts.items() if name != "fandango"}
    assert len({copy.seed for copy in plan}) == len(plan)
    used = Counter(copy.policy for copy in plan)
    if policy == "mixed":
        # of an odd number of clips, one more has a frequency mask
        assert used["frequency"] == 787 + 2514 + 1958 + 516 and used["time"] == 786 + 2513 + 1957 + 516
    else:
        assert set(used) == {"none", policy}
    assert plan == static_plan(label, np.arange(len(label)), policy=policy, seed=3)


def test_what_cannot_be_is_a_sentence() -> None:
    with pytest.raises(UsageError, match="there is no augmentation 'freq'; did you mean 'frequency'"):
        AugmentConfig("freq")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="max_time_share lies between 0 and 1"):
        AugmentConfig("time", max_time_share=1.5)
    with pytest.raises(UsageError, match="there is no augmentation"):
        static_plan(["a"], np.arange(1), policy="none")  # type: ignore[arg-type]
