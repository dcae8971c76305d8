"""Every network: its parameters to the last one, its shapes, its masks, one step of training, its plain sentences."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed; pip install 'motifdb[train]'")

from motifdb.errors import NotFoundError, UsageError  # noqa: E402
from motifdb.training.models import MODELS, build_model, count_parameters  # noqa: E402

# (model, options, rows, classes, parameters). The sizes as published, or as computed from the released code, are in
# docs/models.md: 3.00, 0.39, 25.60, 23.51, 23.58, 26.47, 75.2, 63.8, 3.17, 4.22 and 0.30 million.
COUNTS: list[tuple[str, dict[str, Any], int, int, int]] = [
    ("crnn", {}, 128, 5, 2_907_013),
    ("crnn-released", {}, 128, 4, 3_000_964),
    ("crnn-released", {}, 128, 5, 3_024_773),
    ("crnn-choi", {}, 96, 50, 394_290),
    ("crnn-choi", {}, 128, 5, 405_157),
    ("crnn-choi", {"pool_border": "drop"}, 128, 5, 392_869),
    ("resnet-50", {}, 128, 5, 25_602_501),
    ("resnet-50", {"fc": None}, 128, 5, 23_509_445),
    ("resnet-50", {"fc": None, "stem": "released"}, 128, 5, 23_584_005),
    ("densenet-161", {}, 128, 4, 26_467_588),
    ("residual-blstm", {}, 128, 5, 75_174_405),
    ("residual-blstm", {"pooling": "last"}, 128, 5, 75_174_405),
    ("residual-blstm-released", {}, 128, 5, 63_796_613),
    ("residual-blstm-compact", {}, 128, 5, 3_173_573),
    ("residual-blstm-compact", {"pooling": "mean-std"}, 128, 5, 3_697_861),
    ("residual-blstm-compact", {"pooling": "attentive"}, 128, 5, 3_960_645),
    ("residual-blstm-small", {}, 128, 5, 303_413),
    ("res-lstm", {}, 128, 4, 161_656_260),
    ("res-lstm-compact", {}, 128, 4, 4_222_148),
    ("contour-gru", {}, 3, 20, 40_756),
    ("contour-cnn", {}, 3, 20, 65_492),
    ("tdnn", {}, 128, 5, 82_949),
    ("damp-cnn", {}, 96, 46, 5_917_935),
    ("damp-cnn-deep", {}, 96, 46, 3_641_951),
    ("damp-resnext", {}, 96, 46, 5_349_743),
    ("damp-resnext-deep", {}, 96, 46, 3_891_279),
    ("damp-cnn-small", {}, 96, 46, 99_143),
    ("damp-cnn-deep-small", {}, 96, 46, 109_911),
    ("damp-resnext-small", {}, 96, 46, 141_703),
    ("damp-resnext-deep-small", {}, 96, 46, 100_519),
]

# the same layers, narrower
NARROW: dict[str, dict[str, Any]] = {
    "crnn": {"channels": 8, "hidden": 8},
    "crnn-released": {"channels": 4, "hidden": 4, "columns": 60},
    "crnn-choi": {"channels": 4, "hidden": 4},
    "resnet-50": {},
    "densenet-161": {},
    "residual-blstm": {"channels": 4, "hidden": 8, "fc": 16},
    "residual-blstm-released": {"channels": 6, "hidden": 4, "columns": 9},
    "residual-blstm-compact": {"channels": 8, "hidden": 8, "pooling": "attentive"},
    "residual-blstm-small": {"channels": 8, "hidden": 8, "pool_after": "stem", "pooling": "mean-std"},
    "res-lstm": {"channels": 4, "hidden": 8, "pooling": "last", "stem_padding": 1},
    "res-lstm-compact": {"channels": 8, "hidden": 8},
    "contour-gru": {},
    "contour-cnn": {},
    "tdnn": {},
    "damp-cnn": {"first": 4, "channels": 4, "fc": 16, "aggregation": "max"},
    "damp-cnn-deep": {"first": 4, "channels": "4x3,8x3", "fc": 16, "aggregation": "mean"},
    "damp-resnext": {"first": 4, "channels": 8, "fc": 16},
    "damp-resnext-deep": {"first": 4, "channels": "8x3,16x3", "fc": 16, "norm": "before"},
    "damp-cnn-small": {"norm": "before"},
    "damp-cnn-deep-small": {},
    "damp-resnext-small": {},
    "damp-resnext-deep-small": {},
}
FIXED = ("crnn-released", "residual-blstm-released")
BIG = ("resnet-50", "densenet-161")
ANY_LENGTH = [name for name in MODELS if name not in FIXED]


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(("name", "options", "n_rows", "n_classes", "n_parameters"), COUNTS)
def test_parameters_to_the_last_one(
    name: str, options: dict[str, Any], n_rows: int, n_classes: int, n_parameters: int
) -> None:
    with torch.device("meta"):
        network = build_model(name, n_rows=n_rows, n_classes=n_classes, **options)
    assert count_parameters(network) == n_parameters
    assert network.name == name and (network.fixed_columns is None) == (name not in FIXED)


def test_every_network_is_counted() -> None:
    assert {row[0] for row in COUNTS} == set(MODELS) == set(NARROW)


def test_the_public_model_of_choi_has_ours_and_what_its_first_layer_really_is() -> None:
    # It is published with 396,786. Its first normalisation is named after frequency and normalises each of 1440 columns; and
    # its GRU has one bias where torch has two.
    with torch.device("meta"):
        ours = count_parameters(build_model("crnn-choi", n_rows=96, n_classes=50))
    assert ours - 2 * 96 + 2 * 1440 - 2 * 3 * 32 == 396_786


@pytest.mark.parametrize("name", ANY_LENGTH)
def test_logits_do_not_depend_on_padding(name: str) -> None:
    torch.manual_seed(0)
    network = build_model(name, n_rows=32, n_classes=3, **NARROW[name]).eval()
    lengths = [21, 4] if name in BIG else [70, 4, 37, 1]
    clips = [torch.randn(32, n) for n in lengths]
    with torch.inference_mode():
        alone = torch.cat([network(clip[None], torch.tensor([clip.shape[1]])) for clip in clips])
        assert alone.shape == (len(clips), 3)
        for filling in (float("nan"), 7.0)[: 1 if name in BIG else 2]:
            padded = torch.full((len(clips), 32, max(lengths) + 13), filling)
            for row, clip in zip(padded, clips, strict=True):
                row[:, : clip.shape[1]] = clip
            together = network(padded, torch.tensor(lengths))
            torch.testing.assert_close(together, alone, rtol=1e-4, atol=2e-5)
    assert (alone - alone[0]).abs()[1:].max() > 1e-4, "different clips, different logits"


@pytest.mark.parametrize("name", [name for name in ANY_LENGTH if name not in BIG])
def test_training_does_not_depend_on_padding_either(name: str) -> None:
    options = NARROW[name] | {option: 0.0 for option in MODELS[name].options() if "dropout" in option}
    clips, lengths = (
        torch.randn(3, 32, 60, generator=torch.Generator().manual_seed(1)),
        torch.tensor([60, 5, 33]),
    )
    found = []
    for extra in (0, 40):
        torch.manual_seed(0)
        network = build_model(name, n_rows=32, n_classes=3, **options).train()
        logits = network(torch.nn.functional.pad(clips, (0, extra), value=-9.0), lengths)
        torch.nn.functional.cross_entropy(logits, torch.tensor([0, 1, 2])).backward()
        gradient = torch.cat([p.grad.flatten() for p in network.parameters() if p.grad is not None])
        found.append((logits.detach(), gradient, [b.clone() for b in network.buffers()]))
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", [name for name in MODELS if name not in BIG])
def test_one_step_lowers_the_loss(name: str) -> None:
    torch.manual_seed(0)
    network = build_model(name, n_rows=32, n_classes=2, **NARROW[name]).train()
    n_columns = network.fixed_columns or 40
    batch, lengths, truth = torch.randn(2, 32, n_columns), torch.tensor([n_columns, 4]), torch.tensor([0, 1])
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-3)
    losses = []
    for _ in range(4):
        loss = torch.nn.functional.cross_entropy(network(batch, lengths), truth)
        optimiser.zero_grad()
        loss.backward()
        assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in network.parameters())
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]


@pytest.mark.parametrize(("name", "stem"), [("resnet-50", "released"), ("densenet-161", "imagenet")])
def test_bodies_are_walked_as_torchvision_walks_them(name: str, stem: str) -> None:
    torch.manual_seed(0)
    network = build_model(name, n_rows=32, n_classes=3, stem=stem).eval()
    features, n_columns = torch.randn(1, 32, 32), torch.tensor([32])
    with torch.inference_mode():
        from motifdb.training.models.image import _Columns

        columns = _Columns(n_columns, 32, masked=False, counts=False)
        x, _ = network.stem(features[:, None], columns)
        expected = network.fc(
            network.body(x)
        )  # its own forward; first convolution and classes let everything pass
        torch.testing.assert_close(network.embed(features, n_columns), expected, rtol=1e-4, atol=1e-5)


def test_first_losses_of_a_tiny_network_are_frozen() -> None:
    torch.manual_seed(20)
    network = build_model("residual-blstm-small", n_rows=16, n_classes=3, channels=4, hidden=8, fc=16).train()
    features, truth = torch.randn(6, 16, 24), torch.tensor([0, 1, 2, 0, 1, 2])
    lengths = torch.tensor([24, 4, 10, 17, 24, 8])
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-2)
    losses = []
    for _ in range(4):
        loss = torch.nn.functional.cross_entropy(network(features, lengths), truth)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses == pytest.approx(FIRST_LOSSES, abs=1e-4)


FIRST_LOSSES = [1.114424, 1.082014, 1.060425, 1.033882]


def test_short_rows_are_padded_and_never_refused() -> None:
    # 40 coefficients are fewer than the CRNN's layers need
    for name in ("crnn", "residual-blstm-small", "crnn-choi"):
        network = build_model(name, n_rows=7, n_classes=2, **NARROW[name]).eval()
        assert torch.isfinite(network(torch.randn(1, 7, 4), torch.tensor([4]))).all()
    with torch.device("meta"):
        padded = build_model("crnn", n_rows=40, n_classes=5, pad_rows_to=128)
    assert count_parameters(padded) == 2_907_013


def test_unmasked_counts_the_padding_as_the_papers_do() -> None:
    torch.manual_seed(0)
    network = build_model(
        "residual-blstm-small", n_rows=16, n_classes=3, channels=4, hidden=8, masked=False
    ).eval()
    features = torch.randn(1, 16, 30)
    with torch.inference_mode():
        short = network(features, torch.tensor([10]))
        torch.testing.assert_close(short, network(features, torch.tensor([30])), rtol=0, atol=0)


@pytest.mark.parametrize("name", FIXED)
def test_a_fixed_network_names_its_columns(name: str) -> None:
    with torch.device("meta"):
        network = build_model(name, n_rows=128, n_classes=5)
        n = network.fixed_columns
        assert n in (426, 217)
        with pytest.raises(
            UsageError, match=rf"reads exactly {n} columns and got 64; give the front end pad_to={n}"
        ):
            network(torch.zeros(1, 128, 64), torch.tensor([64]))


def test_what_cannot_be_is_said() -> None:
    with pytest.raises(NotFoundError, match="no model is called 'resnet50'; did you mean 'resnet-50'"):
        build_model("resnet50", n_rows=128, n_classes=5)
    for options, sentence in (
        ({"chanels": 4}, "crnn has no option 'chanels'; did you mean 'channels'"),
        ({"body": "resnet50"}, "has no option 'body'"),
        ({"channels": "many"}, "crnn: channels must be a whole number, got 'many'"),
        ({"hidden": 0}, "crnn: hidden must be at least 1, got 0"),
        ({"dropout": 1.0}, "crnn: dropout must be from 0 to below 1, got 1.0"),
        ({"head": "flaten"}, "crnn: head='flaten' is none of its values; did you mean 'flatten'"),
        ({"head": "flatten", "columns": 20}, "crnn needs at least 55 columns, got columns=20"),
        ({"batch_norm": "none"}, "choose from all, valid"),
    ):
        with pytest.raises(UsageError, match=sentence):
            build_model("crnn", n_rows=128, n_classes=5, **options)
    with pytest.raises(UsageError, match="at least one row and one class"):
        build_model("crnn", n_rows=0, n_classes=5)
    with (
        pytest.raises(UsageError, match="built for 128 rows and got features of shape"),
        torch.device("meta"),
    ):
        build_model("crnn", n_rows=128, n_classes=5)(torch.zeros(1, 40, 64), torch.tensor([64]))
    with torch.device("meta"):  # as TOML and the command line spell it
        assert isinstance(build_model("resnet-50", n_rows=128, n_classes=5, fc="none").fc, torch.nn.Identity)
