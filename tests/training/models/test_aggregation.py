"""The networks of damp-2018: every printed count, what aggregation computes, which layer embeds."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed; pip install 'motifdb[train]'")

from motifdb.errors import UsageError  # noqa: E402
from motifdb.training.models import MODELS, aggregation, build_model, count_parameters  # noqa: E402
from motifdb.training.models.aggregation import GlobalAggregation, channels_of  # noqa: E402
from motifdb.training.models.base import Classifier  # noqa: E402

OUTPUT_46, OUTPUT_16 = 46 * 1025, 16 * 1025

# network, options, aggregation; convolutions, all without the 46 classes, all with 16 outputs (damp-2018, Tables 1 and 2; published
# in thousands: 621, 708, 54, 56 and 172; 5867, 3560, 5300 and 3844; 5884, 3611, 5318 and 3861 or 3862)
COUNTS = [
    ("damp-cnn", {}, "max", 621_760, 5_867_712, 5_884_112),
    ("damp-cnn", {}, "mean", 621_760, 5_867_712, 5_884_112),
    ("damp-cnn", {}, "attention", 621_760, 5_867_712 + 3073, 5_884_112 + 3073),
    ("damp-cnn", {}, "none", 621_760, 204_048_576, 204_064_976),
    ("damp-cnn-deep", {}, "max", 707_376, 3_594_032, 3_610_432),
    ("damp-cnn-deep", {}, "none", 707_376, 27_973_424, 27_989_824),
    ("damp-resnext", {}, "mean", 53_568, 5_299_520, 5_315_920),
    ("damp-resnext", {}, "none", 53_568, 203_480_384, 203_496_784),
    ("damp-resnext", {"first": 128}, "max", 55_936, 5_301_888, 5_318_288),
    ("damp-resnext", {"first": 128}, "attention", 55_936, 5_301_888 + 3073, 5_318_288 + 3073),
    ("damp-resnext-deep", {}, "max", 169_504, 3_842_592, 3_858_992),
    ("damp-resnext-deep", {}, "attention", 169_504, 3_844_129, 3_858_992 + 1537),
    ("damp-resnext-deep", {}, "none", 169_504, 52_601_376, 52_617_776),
]


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(("name", "options", "kind", "n_convs", "n_bare", "n_encoder"), COUNTS)
def test_every_count_of_the_paper(
    name: str, options: dict[str, int], kind: str, n_convs: int, n_bare: int, n_encoder: int
) -> None:
    with torch.device("meta"):
        classifier, encoder = (
            build_model(name, n_rows=96, n_classes=n, aggregation=kind, **options) for n in (46, 16)
        )
    assert count_parameters(classifier.stem) + count_parameters(classifier.blocks) == n_convs
    assert count_parameters(classifier) - OUTPUT_46 == n_bare
    assert count_parameters(encoder) == n_encoder == n_bare + OUTPUT_16
    assert encoder.fixed_columns == (256 if kind == "none" else None)


def test_what_the_deep_rows_count_beside_weights_are_the_running_statistics() -> None:
    # published in thousands, cut: 708 and 172 (rounded) of convolutions, 3611 and 3861 of encoders; ours differ by 2 a channel
    for name, n_convs, n_encoder in (
        ("damp-cnn-deep", 708_560, 3_611_616),
        ("damp-resnext-deep", 171_872, 3_861_360),
    ):
        with torch.device("meta"):
            encoder = build_model(name, n_rows=96, n_classes=16, aggregation="max")
        extra = sum(b.numel() for n, b in encoder.named_buffers() if "running" in n)
        assert count_parameters(encoder) + extra == n_encoder
        assert count_parameters(encoder.stem) + count_parameters(encoder.blocks) + extra == n_convs


@pytest.mark.parametrize(
    ("name", "n_convolutions", "steps", "features"),
    [
        ("damp-cnn", 3, 64, 3072),
        ("damp-cnn-deep", 13, 32, 768),
        ("damp-resnext", 4, 64, 3072),
        ("damp-resnext-deep", 19, 32, 1536),
    ],
)
def test_depth_and_what_reaches_the_aggregation(
    name: str, n_convolutions: int, steps: int, features: int
) -> None:
    with torch.device("meta"):
        network = build_model(name, n_rows=96, n_classes=16, aggregation="none")
        seen: list[tuple[int, ...]] = []
        network.aggregation.register_forward_pre_hook(lambda _, inputs: seen.append(tuple(inputs[0].shape)))
        vectors = network.eval()(torch.zeros(2, 96, 256), torch.tensor([256, 256]))
    layers = [m for n, m in network.named_modules() if isinstance(m, torch.nn.Conv2d) and "round" not in n]
    assert len(layers) == n_convolutions
    assert seen == [(2, steps, features)] and vectors.shape == (2, 16)


def test_aggregation_is_what_the_paper_writes() -> None:
    torch.manual_seed(0)
    x, n_steps = torch.randn(3, 7, 5), torch.tensor([7, 4, 1])
    for kind in ("max", "mean", "attention"):
        layer = GlobalAggregation(kind, 5, n_steps=7, model="x")
        out = layer(x, n_steps).detach().numpy()
        for row, n in enumerate(n_steps.tolist()):
            own = x[row, :n].numpy().astype(np.float64)
            if kind == "attention":
                weight, bias = layer.score.weight.detach().numpy()[0], layer.score.bias.detach().numpy()
                energy = np.exp(np.tanh(own @ weight + bias))
                wanted = (own * (energy / energy.sum())[:, None]).sum(0)
            else:
                wanted = own.max(0) if kind == "max" else own.mean(0)
            np.testing.assert_allclose(out[row], wanted, rtol=1e-5, atol=1e-6)
    assert GlobalAggregation("none", 5, n_steps=7, model="x")(x, n_steps).shape == (3, 35)


def test_without_aggregation_one_length_is_read() -> None:
    options = {"first": 4, "channels": 4, "fc": 8, "aggregation": "none", "columns": 40}
    network = build_model("damp-cnn", n_rows=16, n_classes=3, **options).eval()
    assert network(torch.zeros(2, 16, 40), torch.tensor([40, 3])).shape == (2, 3)
    with pytest.raises(
        UsageError, match=r"reads exactly 40 columns and got 39; give the front end pad_to=40"
    ):
        network(torch.zeros(2, 16, 39), torch.tensor([39, 3]))


def test_the_order_of_relu_and_normalisation() -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 16, 24)
    for norm in ("after", "before"):
        options = {"first": 4, "channels": 4, "fc": 8, "norm": norm, "aggregation": "max"}
        network = build_model("damp-cnn", n_rows=16, n_classes=3, **options).train()
        at = aggregation._At(torch.tensor([24, 24]), 24, masked=True, counts=True)
        out = network.blocks[0](network.stem(x[:, None], at), at).detach()
        # normalised last: mean 0 in every channel; ReLU last: nothing below zero
        assert bool((out < -1e-3).any()) == (norm == "after")
        assert (out.mean((0, 2, 3)).abs().max() < 1e-4) == (norm == "after")


def test_the_layer_that_embeds() -> None:
    network = build_model("damp-resnext-small", n_rows=16, n_classes=3).eval()
    features, n_columns = torch.randn(2, 16, 30), torch.tensor([30, 11])
    vectors = network.embed(features, n_columns)
    assert vectors.shape == (2, 128) and bool((vectors >= 0).all())
    torch.testing.assert_close(network.classes(vectors), network(features, n_columns))


def test_every_network_says_at_which_layer_it_embeds() -> None:
    for spec in MODELS.values():
        assert len(spec.embeds) > 20
        embed = spec.resolve().embed  # type: ignore[attr-defined]
        assert embed is not Classifier.embed and embed.__doc__


def test_a_network_without_embed_cannot_be_made() -> None:
    class Half(Classifier):
        pass

    with pytest.raises(TypeError, match="embed"):
        Half()


def test_channels_as_the_paper_writes_them() -> None:
    assert channels_of("32x3,64x3") == (32,) * 3 + (64,) * 3
    assert channels_of("128") == channels_of(128) == (128,)
    for text in ("", "x", "3x", "0", "8x0", "8,,8", "-4", "1.5"):
        with pytest.raises(UsageError, match="three blocks of 32"):
            channels_of(text)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"aggregation": "avg"}, r"aggregation='avg' is none of its values; choose"),
        ({"norm": "never"}, r"norm='never' is none of its values"),
        ({"block": "resnext", "channels": 12}, r"12 channels cannot be; take a multiple of 8"),
        ({"channels": "32 x"}, r"channels='32 x' cannot be read"),
        ({"channels": 1.5}, r"channels must be a whole number, got 1.5"),
    ],
)
def test_sentences(options: dict[str, object], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        build_model("damp-cnn", n_rows=96, n_classes=4, **options)
