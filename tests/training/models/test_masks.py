"""Masked layers against the plain ones, each clip alone."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed; pip install 'motifdb[train]'")

from motifdb.training.models.masks import (  # noqa: E402
    MaskedRecurrent,
    column_mask,
    columns_after,
    last_state,
    masked_batch_norm,
)
from motifdb.training.models.pooling import POOLINGS, MaskedPooling  # noqa: E402

N_STEPS = [7, 1, 4, 7]


def test_columns_are_those_a_clip_keeps_alone() -> None:
    for n in (*range(1, 10), 31, 32):
        for kernel, stride, padding in ((3, 1, 1), (3, 2, 1), (7, 2, 3), (1, 2, 0), (2, 2, 0), (3, 2, 0)):
            if n + 2 * padding < kernel:
                continue
            alone = torch.nn.functional.conv1d(
                torch.zeros(1, 1, n), torch.zeros(1, 1, kernel), stride=stride, padding=padding
            )
            assert int(columns_after(torch.tensor([n]), kernel, stride, padding)) == alone.shape[-1]


@pytest.mark.parametrize("kind", ["lstm", "gru"])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_a_masked_recurrent_layer_gives_what_a_packed_one_gives(kind: str, bidirectional: bool) -> None:
    torch.manual_seed(1)
    ours = MaskedRecurrent(kind, 5, 3, n_layers=2, bidirectional=bidirectional)
    packed = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU}[kind](
        5, 3, num_layers=2, batch_first=True, bidirectional=bidirectional
    )
    with torch.no_grad():
        for i in range(2):
            for layer, suffix in (
                (ours.ahead[i], ""),
                *([(ours.back[i], "_reverse")] if bidirectional else []),
            ):
                for name, value in layer.named_parameters():
                    getattr(packed, name.replace("_l0", f"_l{i}{suffix}")).copy_(value)
    x, n = torch.randn(4, 7, 5), torch.tensor(N_STEPS)
    sequence = torch.nn.utils.rnn.pack_padded_sequence(x, n, batch_first=True, enforce_sorted=False)
    theirs, state = packed(sequence)
    expected = torch.nn.utils.rnn.pad_packed_sequence(theirs, batch_first=True)[0]
    found = ours(x.transpose(1, 2), n)
    mask = column_mask(n, 7)[..., None]
    torch.testing.assert_close(found * mask, expected)
    hidden = state[0] if kind == "lstm" else state
    last = torch.cat([hidden[-2], hidden[-1]], -1) if bidirectional else hidden[-1]
    torch.testing.assert_close(last_state(found, n, bidirectional=bidirectional), last)


@pytest.mark.parametrize("n_dimensions", [1, 2])
def test_masked_batch_norm_counts_sound_columns_only(n_dimensions: int) -> None:
    torch.manual_seed(2)
    layer = {1: torch.nn.BatchNorm1d, 2: torch.nn.BatchNorm2d}[n_dimensions]
    ours, plain = layer(3), layer(3)
    with torch.no_grad():
        for norm in (ours, plain):
            norm.weight.copy_(torch.tensor([1.0, 0.5, 2.0]))
            norm.bias.copy_(torch.tensor([0.0, -1.0, 3.0]))
    shape = (4, 3, 6, 7) if n_dimensions == 2 else (4, 3, 7)
    n = torch.tensor(N_STEPS)
    mask = column_mask(n, 7).view(4, *[1] * n_dimensions, 7)
    for _ in range(2):  # running statistics move with every batch
        x = torch.randn(shape) * 3 + 5
        found = masked_batch_norm(ours, x, mask)
        # every sound column, one after the other, as one long clip
        columns = torch.cat([clip[..., :k] for clip, k in zip(x, N_STEPS, strict=True)], dim=-1)
        expected = plain(columns[None])[0]
        got = torch.cat([clip[..., :k] for clip, k in zip(found, N_STEPS, strict=True)], dim=-1)
        torch.testing.assert_close(got, expected)
    torch.testing.assert_close(ours.running_mean, plain.running_mean)
    torch.testing.assert_close(ours.running_var, plain.running_var)
    assert int(ours.num_batches_tracked) == 2
    ours.eval(), plain.eval()
    torch.testing.assert_close(masked_batch_norm(ours, x, mask), plain(x))


@pytest.mark.parametrize("kind", POOLINGS)
def test_pooling_sees_each_clip_alone(kind: str) -> None:
    torch.manual_seed(3)
    pooling = MaskedPooling(kind, 4, model="test", bottleneck=3).eval()
    x = torch.randn(4, 7, 4)
    together = pooling(x, torch.tensor(N_STEPS))
    assert together.shape == (4, pooling.n_out)
    for clip, n, found in zip(x, N_STEPS, together, strict=True):
        torch.testing.assert_close(found[None], pooling(clip[None, :n], torch.tensor([n])))
        if kind == "mean":
            torch.testing.assert_close(found, clip[:n].mean(0))
        if kind == "mean-std" and n > 1:
            torch.testing.assert_close(found[4:], clip[:n].std(0, correction=0))


def test_attention_over_steps_that_do_not_differ_is_the_mean() -> None:
    pooling = MaskedPooling("attentive", 4, model="test")
    still = torch.arange(4.0).expand(2, 5, 4)
    found = pooling(still, torch.tensor([5, 2]))
    torch.testing.assert_close(found[:, :4], still[:, 0])
    assert (found[:, 4:] < 1e-4).all()
    found.sum().backward()  # the slope of a deviation at zero is finite
    assert all(torch.isfinite(p.grad).all() for p in pooling.parameters())
