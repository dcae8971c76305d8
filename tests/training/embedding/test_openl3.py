"""OpenL3: weights from every format and what is wrong with them, windows of both paddings, and the vector itself."""

from __future__ import annotations

import gzip
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from motifdb.errors import MotifdbError, NotFoundError, UsageError
from motifdb.training.embedding.openl3 import L3Embedder, make_openl3, window_starts
from motifdb.training.embedding.openl3_weights import expected_shapes, read_openl3
from motifdb.training.inputs.packed import Packed

Arrays = dict[str, NDArray[np.float32]]
RELEASED = "openl3_audio_mel256_env.h5"


@pytest.fixture(scope="module")
def state() -> Arrays:
    """Weights by the tower's names: small numbers that are cheap to make, no two arrays alike."""
    rng = np.random.default_rng(0)
    found: Arrays = {}
    for name, shape in expected_shapes().items():
        values = rng.standard_normal(int(np.prod(shape)) % 977 + 1, np.float32)
        array = 0.05 * np.resize(values, shape)
        found[name] = np.abs(array) + 0.5 if name.endswith(("norms.weight", "running_var")) else array
    return found


def keras(state: Arrays) -> dict[str, dict[str, NDArray[np.float32]]]:
    """The same by layers of Keras in the order of the network, kernels turned as Keras has them."""
    layers: dict[str, dict[str, NDArray[np.float32]]] = {}

    def norm(number: int, where: str) -> None:
        names = {
            "gamma": "weight",
            "beta": "bias",
            "moving_mean": "running_mean",
            "moving_variance": "running_var",
        }
        layers[f"batch_normalization_{number}"] = {f"{k}:0": state[f"{where}.{v}"] for k, v in names.items()}

    norm(9, "input_norm")
    for i in range(8):
        called = "audio_embedding_layer" if i == 7 else f"conv2d_{i + 8}"
        kernel = state[f"convolutions.{i}.weight"].transpose(2, 3, 1, 0)
        layers[called] = {"kernel:0": kernel, "bias:0": state[f"convolutions.{i}.bias"]}
        if i < 7:
            norm(10 + i, f"norms.{i}")
    return layers


def write_h5(path: Path, layers: dict[str, Any], *, names: bool = True, wrap: bool = False) -> Path:
    import h5py

    with h5py.File(path, "w") as file:
        root = file.create_group("model_weights") if wrap else file
        if names:
            root.attrs["layer_names"] = [n.encode() for n in layers]
        for layer, arrays in layers.items():
            group = root.create_group(f"{layer}/{layer}")
            for name, array in arrays.items():
                group.create_dataset(name, data=array)
    return path


@pytest.fixture(scope="module")
def released(state: Arrays, tmp_path_factory: pytest.TempPathFactory) -> Path:
    layers = keras(state)
    first = {"melspectrogram_1": {"real_kernels:0": np.zeros((4, 1, 1, 3), np.float32)}}
    return write_h5(tmp_path_factory.mktemp("weights") / RELEASED, first | layers)


def same(a: Any, b: Arrays) -> bool:
    return set(a) == set(b) and all(np.array_equal(a[name], b[name]) for name in b)


def test_4_7_million_numbers_are_what_the_tower_has_before_its_last_normalisation() -> None:
    import torch

    from motifdb.training.models.l3 import AudioTower

    with torch.device("meta"):
        tower = AudioTower()
    own = {k: tuple(v.shape) for k, v in tower.state_dict().items() if not k.endswith("num_batches_tracked")}
    assert {k: v for k, v in own.items() if not k.startswith("norms.7.")} == expected_shapes()
    # trained numbers, with the two arrays of 512 behind the last convolution: the published 4.7 M
    trained = sum(int(np.prod(s)) for k, s in expected_shapes().items() if "running" not in k)
    assert trained + 2 * 512 == 4_688_066


def test_released_files_and_their_like_are_read_alike(state: Arrays, released: Path, tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    first = read_openl3(released)
    assert (first.representation, first.content) == ("mel256", "env") and same(first.state, state)
    layers = keras(state)
    packed = tmp_path / "openl3_audio_linear_music-v0_4_0.h5.gz"
    with gzip.open(packed, "wb", compresslevel=1) as file:
        file.write(write_h5(tmp_path / "plain.h5", layers, names=False, wrap=True).read_bytes())
    second = read_openl3(packed)
    assert (second.representation, second.content) == ("linear", "music") and same(second.state, state)
    assert second.sha == first.sha
    flat = {f"{layer}/{name}": a for layer, arrays in layers.items() for name, a in arrays.items()}
    np.savez(tmp_path / "own.npz", **flat)  # type: ignore[arg-type]
    assert same(read_openl3(tmp_path / "own.npz", representation="mel128").state, state)
    tower = {f"audio.{k}": np.ascontiguousarray(v) for k, v in state.items()} | {
        "fusion.x": np.zeros(1, np.float32)
    }
    save_file(tower, str(tmp_path / "own.safetensors"))
    third = read_openl3(tmp_path / "own.safetensors", representation="mel128", content="music")
    assert same(third.state, state) and (third.representation, third.content) == ("mel128", "music")


def _no_file(path: Path, state: Arrays) -> dict[str, Any]:
    path.with_name("openl3_audio_mel256_env.npz").unlink(missing_ok=True)
    return {"name": "openl3_audio_mel256_env.npz"}


def test_a_kernel_lies_over_frequency_and_time_as_keras_has_it(released: Path, state: Arrays) -> None:
    """One output of the first convolution, summed by hand over rows (frequency), then columns (time)."""
    import torch

    kernel = keras(state)["conv2d_8"]["kernel:0"]
    picture = np.random.default_rng(2).standard_normal((5, 4)).astype(np.float32)
    by_hand = (
        sum(kernel[i, j, 0, 7] * picture[1 + i, 0 + j] for i in range(3) for j in range(3))
        + state["convolutions.0.bias"][7]
    )
    weights = read_openl3(released).state
    found = torch.nn.functional.conv2d(
        torch.from_numpy(picture)[None, None],
        torch.from_numpy(weights["convolutions.0.weight"]),
        torch.from_numpy(weights["convolutions.0.bias"]),
        padding=1,
    )
    assert float(found[0, 7, 2, 1]) == pytest.approx(float(by_hand), abs=1e-5)


Case = Callable[[Path, Arrays], dict[str, Any]]


def save(path: Path, name: str, arrays: dict[str, Any]) -> dict[str, Any]:
    np.savez(path / name, **arrays)
    return {"name": name}


def small(state: Arrays, **changed: Any) -> dict[str, Any]:
    """State in which arrays are views of one number, so that a file of it is quickly written."""
    return {name: np.float32(0.5) for name in state} | changed


def _damaged(path: Path, state: Arrays) -> dict[str, Any]:
    name = "openl3_audio_linear_env.npz"
    np.savez(path / name, **state)  # type: ignore[arg-type]
    content = bytearray((path / name).read_bytes())
    middle = len(content) // 2
    content[middle : middle + 8] = bytes(255 - b for b in content[middle : middle + 8])
    (path / name).write_bytes(content)
    return {"name": name}


def _no_header(path: Path, state: Arrays) -> dict[str, Any]:
    with zipfile.ZipFile(path / "openl3_audio_linear_env.npz", "w") as archive:
        archive.writestr("a.npy", b"\x93NUMPY\x01\x00\x10\x00{'descr': none  \n")
    return {"name": "openl3_audio_linear_env.npz"}


CASES: dict[str, tuple[Case, str]] = {
    "not there": (_no_file, "there is no file of weights"),
    "another format": (lambda p, s: _bytes(p, "x.pth", b"PK"), "no file of weights that can be read"),
    "not h5": (lambda p, s: _bytes(p, RELEASED, b"no hdf5"), "cannot be read as weights"),
    "cut gz": (lambda p, s: _bytes(p, RELEASED + ".gz", gzip.compress(b"x" * 99)[:20]), "cannot be read as weights"),
    "not safetensors": (
        lambda p, s: _bytes(p, "openl3_audio_linear_env.safetensors", b"\xff" * 64),
        "cannot be read as weights",
    ),
    "a pickle": (
        lambda p, s: save(p, "openl3_audio_linear_env.npz", {"a": np.array([{}], object)}),
        "Python objects, which are never read",
    ),
    "no name": (lambda p, s: save(p, "mine.npz", s), "does not say what these weights hear"),
    "another content": (
        lambda p, s: save(p, "openl3_audio_linear_env.npz", small(s)) | {"content": "music"},
        "is of content 'env', not 'music'",
    ),
    "another representation": (
        lambda p, s: save(p, "openl3_audio_linear_env.npz", small(s)) | {"representation": "mel128"},
        "is of representation 'linear', not 'mel128'",
    ),
    "no such representation": (
        lambda p, s: save(p, "mine.npz", small(s)) | {"representation": "mel255"},
        "no representation 'mel255'",
    ),
    "no such size": (
        lambda p, s: save(p, "openl3_audio_linear_env.npz", small(s)) | {"n_dims": 1024},
        "6144 or 512 numbers, not 1024",
    ),
    "pictures by name": (
        lambda p, s: save(p, "openl3_image_linear_env.npz", small(s)),
        "weights of OpenL3's picture network",
    ),
    "pictures by shape": (
        lambda p, s: save(
            p,
            "openl3_audio_linear_env.npz",
            {k: v for k, v in s.items() if v.size < 9999} | {k: np.zeros(1) for k, v in s.items() if v.size >= 9999}
            | {"convolutions.0.weight": np.zeros((64, 3, 3, 3), np.float32)}
            | {k: np.zeros(3, np.float32) for k in s if k.startswith("input_norm")},
        ),
        "another network",
    ),
    "an array is missing": (
        lambda p, s: save(p, "openl3_audio_linear_env.npz", {k: v for k, v in small(s).items() if k != "norms.3.bias"}),
        "lacks norms.3.bias",
    ),
    "an array is left": (
        lambda p, s: save(p, "openl3_audio_linear_env.npz", small(s, extra=np.zeros(2))),
        "has extra .* which the network does not",
    ),
    "another shape": (
        lambda p, s: save(p, "openl3_audio_linear_env.npz", small(s)),
        r"has shape \(\), and the audio network needs \(1,\)",
    ),
    "no number": (
        lambda p, s: save(
            p, "openl3_audio_linear_env.npz", small(s) | {"input_norm.weight": np.array([np.nan], np.float32)}
        ),
        "holds what is no finite number",
    ),
    "text": (
        lambda p, s: save(p, "openl3_audio_linear_env.npz", {"a": np.array(["x" * 99])}),
        "is of <U99, and weights are numbers",
    ),
    "a damaged array": (_damaged, "cannot be read as weights"),
    "a header that is none": (_no_header, "cannot be read as weights"),
    "too few layers": (
        lambda p, s: save(p, "openl3_audio_linear_env.npz", {"conv2d/kernel:0": np.zeros((3, 3, 1, 64), np.float32)}),
        "1 convolutions, 0 normalisations; the audio network of OpenL3 has 8 and 8",
    ),
}  # fmt: skip


def _bytes(folder: Path, name: str, content: bytes) -> dict[str, Any]:
    (folder / name).write_bytes(content)
    return {"name": name}


@pytest.mark.parametrize("case", CASES)
def test_wrong_weights_are_a_sentence(case: str, state: Arrays, tmp_path: Path) -> None:
    make, said = CASES[case]
    options = make(tmp_path, state)
    with pytest.raises(MotifdbError, match=said) as caught:
        make_openl3(weights=tmp_path / options.pop("name"), **options)
    assert isinstance(caught.value, NotFoundError if case == "not there" else UsageError)


def test_an_h5_that_points_out_of_itself_is_refused(released: Path, tmp_path: Path) -> None:
    import h5py

    for kind in ("link", "external"):
        path = tmp_path / f"{kind}_{RELEASED}"
        shutil.copy(released, path)
        with h5py.File(path, "a") as file:
            group = file["conv2d_8/conv2d_8"]
            del group["bias:0"]
            if kind == "link":
                group["bias:0"] = h5py.ExternalLink("other.h5", "/x")
            else:
                group.create_dataset("bias:0", (64,), "f4", external=[(str(tmp_path / "secret"), 0, 256)])
        with pytest.raises(UsageError, match=r"outside of it|lies in another file"):
            read_openl3(path)


def test_an_h5_whose_layers_lie_elsewhere_is_refused(released: Path, tmp_path: Path) -> None:
    import h5py

    for called in ("model_weights", "through"):
        path = tmp_path / f"{called}_{RELEASED}"
        with h5py.File(path, "w") as file:
            file[called] = h5py.ExternalLink(str(released), "/")
            file.attrs["layer_names"] = [f"{called}/conv2d_8"]
        with pytest.raises(UsageError, match=f"has '{called}(/conv2d_8)?' outside of it"):
            read_openl3(path)


def test_an_h5_that_is_odd_is_a_sentence(tmp_path: Path) -> None:
    import h5py

    makes: dict[str, Callable[[Any], object]] = {
        "no numbers": lambda f: f.create_dataset("a/kernel:0", data=h5py.Empty("f4")),
        "no names": lambda f: f.attrs.create("layer_names", 5),
        "no layers": lambda f: f.create_dataset("model_weights", data=np.zeros(3)),
        "a type": lambda f: f.__setitem__("a", np.dtype("f4")),
        # each is said to be of 17 MB, and nothing of it is in the file
        "too much": lambda f: [
            f.create_dataset(f"{i}/k:0", (2**21,), "f8", chunks=(2**16,)) for i in range(17)
        ],
    }
    for name, make in makes.items():
        with h5py.File(tmp_path / RELEASED, "w") as file:
            make(file)
        said = "more than 32,000,000 numbers" if name == "too much" else "cannot be read as weights"
        with pytest.raises(UsageError, match=said):
            read_openl3(tmp_path / RELEASED)


# -- windows and vectors ---------------------------------------------------------------------------------------


def test_windows_begin_where_the_experiments_and_the_package_have_them() -> None:
    window, hop = 48_000, 4_800
    four_s = 4 * 48_000
    assert window_starts(four_s, window, hop).tolist() == list(range(0, four_s - window + 1, hop))
    uneven = window_starts(four_s + 100, window, hop)
    assert len(uneven) == 32 and uneven[0] == -2350 and uneven[-1] + window - (four_s + 100) == 2350
    assert window_starts(24_000, window, hop).tolist() == [-12_000]
    package = window_starts(four_s, window, hop, "package")
    assert (
        package[0] == -24_000 and len(package) == 36 and package[-1] + window >= four_s > package[-2] + window
    )
    assert window_starts(24_000, window, hop, "package").tolist() == [-24_000]


def tiny(padding: str = "experiments", grid: tuple[int, int] = (4, 3)) -> L3Embedder:
    import torch

    from motifdb.training.inputs.front_end_config import FRONT_ENDS
    from motifdb.training.models.l3 import AudioTower

    torch.manual_seed(0)
    tower = AudioTower(channels=(2, 2, 4), n_convolutions=1)
    return L3Embedder(
        tower, FRONT_ENDS["l3-linear"], name="tiny", about={"model": "tiny"}, grid=grid, padding=padding, device="cpu",
        batch_size=4,
    )  # fmt: skip


def sounds() -> Packed:
    rng = np.random.default_rng(1)
    return Packed.of(
        [(3000 * rng.standard_normal(n)).astype(np.int16) for n in (30_000, 48_000, 60_000)], 48_000
    )


def test_a_clip_is_the_mean_of_its_windows_whatever_is_asked_for_beside_it() -> None:
    packed, embedder = sounds(), tiny()
    frames, owner = embedder.frames(packed)
    assert frames.shape == (1 + 1 + 4, 4 * 12) and owner.tolist() == [0, 1, 2, 2, 2, 2]
    vectors = embedder.embed(packed)
    assert np.allclose(vectors, [frames[owner == i].mean(0) for i in range(3)], atol=1e-5)
    assert np.allclose(embedder.embed(packed, np.array([2, 0])), vectors[[2, 0]], atol=1e-5)
    padded = np.zeros(48_000, np.int16)
    padded[9_000:39_000] = packed.clip(0)
    assert np.allclose(embedder.embed(Packed.of([padded], 48_000)), vectors[:1], atol=1e-5)
    assert embedder.embed(packed, np.zeros(0, np.int64)).shape == (0, 48)


def test_the_small_vector_is_the_maximum_over_the_cells_of_the_large_one() -> None:
    packed = sounds().take(np.array([1]))
    large, one = (tiny(grid=grid).frames(packed)[0] for grid in ((4, 3), (1, 1)))
    # channels vary fastest
    assert np.allclose(large.reshape(1, 12, 4).max(1), one, atol=1e-6)


def test_padding_hop_and_weights_are_part_of_what_decides_the_vectors() -> None:
    import json

    a, b = tiny().config(), tiny("package").config()
    assert a != b and json.loads(json.dumps(a)) == a
    assert a["window_samples"] == 48_000 and a["hop_samples"] == 4_800
    with pytest.raises(UsageError, match="no padding 'centre'"):
        tiny("centre")
    with pytest.raises(UsageError, match="hears sound at 48,000 Hz and was given 16,000 Hz"):
        tiny().embed(Packed.of([np.zeros(9, np.int16)]))


def test_released_weights_give_512_numbers_for_a_second(released: Path) -> None:
    embedder = make_openl3(weights=released, n_dims=512, device="cpu")
    assert embedder.name == "openl3-env-mel256-512" and embedder.n_dims == 512
    found = embedder.embed(sounds(), np.array([1]))
    assert found.shape == (1, 512) and np.isfinite(found).all() and found.std() > 0
