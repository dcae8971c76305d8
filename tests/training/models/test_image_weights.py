"""ImageNet weights come from safetensors only, and only into the network they belong to."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed; pip install 'motifdb[train]'")
safetensors = pytest.importorskip("safetensors.torch", reason="safetensors is not installed")

from motifdb.errors import UsageError  # noqa: E402
from motifdb.training.extras import load_torchvision  # noqa: E402
from motifdb.training.models import build_model  # noqa: E402

LOOKED_AT = (
    "layer1.0.conv1.weight",
    "layer3.5.bn2.running_var",
    "layer4.2.conv3.weight",
    "conv1.weight",
    "bn1.weight",
)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As torchvision would save a ResNet-50: three colours, 1000 classes."""
    with torch.device("meta"):
        shapes = {
            k: v.shape for k, v in load_torchvision().models.resnet50(weights=None).state_dict().items()
        }
    state = {k: torch.zeros(shape, dtype=torch.uint8) for k, shape in shapes.items()}
    state |= {
        k: v + torch.arange(v.numel()).view(v.shape).fmod(97) for k, v in state.items() if k in LOOKED_AT
    }
    path = tmp_path_factory.mktemp("weights") / "resnet50.safetensors"
    safetensors.save_file(state, path)
    return path


def test_weights_are_taken_but_for_classes(weights: Path) -> None:
    network = build_model("resnet-50", n_rows=128, n_classes=5, weights=str(weights), stem="imagenet")
    given = {key: value.float() for key, value in safetensors.load_file(weights).items()}
    for key in LOOKED_AT[:3]:
        assert given[key].any() and torch.equal(network.body.state_dict()[key], given[key])
    assert torch.equal(network.stem.conv.weight, given["conv1.weight"].sum(1, keepdim=True))
    assert torch.equal(network.body.bn1.weight, given["bn1.weight"])


@pytest.mark.filterwarnings("ignore:for .*copying from a non-meta parameter")
def test_the_stem_of_another_network_is_left_out(weights: Path) -> None:
    # its normalisation belongs to the convolution that is replaced; a file without both is as good
    state = safetensors.load_file(weights)
    bare = weights.with_name("bare.safetensors")
    safetensors.save_file(
        {k: v for k, v in state.items() if not k.startswith(("conv1.", "bn1.", "fc."))}, bare
    )
    with torch.device("meta"):
        for path in (weights, bare):
            assert build_model("resnet-50", n_rows=128, n_classes=5, weights=str(path)).fixed_columns is None
        with pytest.raises(UsageError, match=r"holds no bn1\.bias"):
            build_model("resnet-50", n_rows=128, n_classes=5, weights=str(bare), stem="imagenet")


def test_other_files_are_refused(weights: Path, tmp_path: Path) -> None:
    pickled, other = tmp_path / "resnet50.pth", tmp_path / "other.safetensors"
    pickled.write_bytes(pickle.dumps({"conv1.weight": [1.0]}))
    state = safetensors.load_file(weights)
    safetensors.save_file(state | {"layer1.0.conv1.weight": torch.zeros(1)}, other)
    for name, path, sentence in (
        ("densenet-161", weights, r"holds no features\..*: these are not the weights of densenet-161"),
        ("resnet-50", pickled, "cannot be read as safetensors"),
        ("resnet-50", tmp_path / "missing.safetensors", "cannot be read as safetensors"),
        ("resnet-50", other, r"layer1\.0\.conv1\.weight \(1,\) has no place in resnet-50"),
    ):
        with torch.device("meta"), pytest.raises(UsageError, match=sentence):
            build_model(name, n_rows=128, n_classes=5, weights=str(path))
