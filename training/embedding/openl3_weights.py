"""OpenL3's weights from a file that the user supplies: found layer by layer, checked array by array, never unpickled.

Read are ``.h5`` and ``.h5.gz`` (Keras, as released), ``.safetensors`` and ``.npz``. In the last two, names are either Keras's
(``conv2d_1/kernel:0``) or those of this project's tower (``convolutions.0.weight``). Nothing in a file is executed: of HDF5 only plain
arrays in the file itself are read, links out of it are refused, and sizes are checked before an array is read.

The released files differ only in what they were trained on and heard: their arrays have the same shapes. So representation and content
are taken from the released names (``openl3_audio_mel256_env...``), or must be said.
"""

from __future__ import annotations

import gzip
import io
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from motifdb.errors import MotifdbError, NotFoundError, UsageError, nearest

REPRESENTATIONS = ("linear", "mel128", "mel256")
CONTENTS = ("music", "env")
CHANNELS = (64, 128, 256, 512)
MOST_BYTES = 512 << 20
"""Of a file, or of what a .gz holds: the released ones have 19 MB."""
MOST_NUMBERS = 32_000_000
"""Of all arrays of an HDF5 file, which may be said to be large without being there."""

_RELEASED = re.compile(r"openl3_(audio|image)_(linear|mel128|mel256)_(music|env)")
_ENDINGS = (".h5", ".hdf5", ".h5.gz", ".hdf5.gz", ".safetensors", ".npz")
_NORM = {
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}
_UNUSED = ("num_batches_tracked",)

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Stored:
    """An array in a file, not read yet."""

    shape: tuple[int, ...]
    read: Callable[[], NDArray[Any]]

    @classmethod
    def of(cls, array: NDArray[Any]) -> Stored:
        """An array that was read."""
        return cls(tuple(array.shape), lambda: array)


@dataclass(frozen=True, eq=False)
class OpenL3Weights:
    """Weights by the names of `motifdb.training.models.l3.AudioTower`, up to its last convolution.

    Attributes
    ----------
    representation : linear, mel128 or mel256
    content : music or env; None where neither the file's name nor the user says
    sha : hash of the arrays
    """

    state: Mapping[str, Array]
    representation: str
    content: str | None
    sha: str


def expected_shapes() -> dict[str, tuple[int, ...]]:
    """Name and shape of every array that the embedding needs: 8 convolutions, the norm of the input, 7 between."""
    found: dict[str, tuple[int, ...]] = {f"input_norm.{name}": (1,) for name in _NORM.values()}
    widths = [n for n in CHANNELS for _ in range(2)]
    for i, (n_in, n_out) in enumerate(zip([1, *widths[:-1]], widths, strict=True)):
        found[f"convolutions.{i}.weight"] = (n_out, n_in, 3, 3)
        found[f"convolutions.{i}.bias"] = (n_out,)
        if i < len(widths) - 1:  # what follows the last convolution is no part of the embedding
            found |= {f"norms.{i}.{name}": (n_out,) for name in _NORM.values()}
    return found


def read_openl3(
    path: Path, *, representation: str | None = None, content: str | None = None
) -> OpenL3Weights:
    """Read and check a file of weights of OpenL3's audio network.

    Parameters
    ----------
    representation, content : which they are; None takes them from the file's released name

    Raises
    ------
    NotFoundError
        where there is no such file.
    UsageError
        for a file that cannot be read or is of another network, arrays that are missing, left over or of another shape, a name that
        says something else than was asked for, a representation that is not known.
    MissingExtraError
        where h5py or safetensors is not installed.
    """
    for name, value, known in (
        ("representation", representation, REPRESENTATIONS),
        ("content", content, CONTENTS),
    ):
        if value is not None and value not in known:
            raise UsageError(f"OpenL3 has no {name} {value!r}; {nearest(value, known)}")
    if not path.is_file():
        raise NotFoundError(f"there is no file of weights {path}; --weights takes OpenL3's file")
    if not path.name.lower().endswith(_ENDINGS):
        raise UsageError(
            f"{path.name} is no file of weights that can be read; OpenL3's come as .h5 or .h5.gz, others as .safetensors or .npz"
        )
    if path.stat().st_size > MOST_BYTES:
        raise UsageError(
            f"{path.name} is larger than {MOST_BYTES >> 20} MB; OpenL3's weights have about 19 MB"
        )
    said = _from_name(path, representation, content)
    stored = _opened(path)
    state = _checked(path, _translated(path, stored))
    from motifdb.ids import hash_bytes

    sha = hash_bytes(*(part for k in sorted(state) for part in (k.encode(), state[k].tobytes())))
    return OpenL3Weights(state, *said, sha)


def _from_name(path: Path, representation: str | None, content: str | None) -> tuple[str, str | None]:
    match = _RELEASED.search(path.name)
    if match is not None:
        kind, *named = match.groups()
        if kind == "image":
            raise UsageError(
                f"{path.name} has the weights of OpenL3's picture network; the audio network's are called openl3_audio_..."
            )
        for what, asked, there in (
            ("representation", representation, named[0]),
            ("content", content, named[1]),
        ):
            if asked is not None and asked != there:
                raise UsageError(
                    f"{path.name} is of {what} {there!r}, not {asked!r}; give the other file, or leave {what} out"
                )
        return named[0], named[1]
    if representation is None:
        raise UsageError(
            f"the name {path.name} does not say what these weights hear, and their arrays look alike for all three; say"
            " --set representation=linear, mel128 or mel256 (in an experiment --set openl3.representation=...)"
        )
    return representation, content


# -- the formats ---------------------------------------------------------------------------------------------


def _opened(path: Path) -> dict[str, Stored]:
    """Every array of a file by its name, in the order of its layers where the file keeps one."""
    name = path.name.lower()
    with _readable(path):
        if name.endswith(".safetensors"):
            return _safetensors(path)
        if name.endswith(".npz"):
            return _npz(path)
        return _h5(path)


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """What a file makes a reader raise, as a sentence: a damaged one may raise anything."""
    try:
        yield
    except MotifdbError:
        raise
    except Exception as error:
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UsageError(
            f"{path.name} cannot be read as weights ({said}); it may be cut short or of another kind"
        ) from None


def _safetensors(path: Path) -> dict[str, Stored]:
    from motifdb.training.extras import need

    need("safetensors")
    import safetensors

    try:
        with safetensors.safe_open(str(path), framework="numpy") as file:
            names = list(file.keys())
            arrays = {name: file.get_tensor(name) for name in names}
    except safetensors.SafetensorError as error:
        raise ValueError(str(error)) from None
    return {name: Stored.of(array) for name, array in arrays.items()}


def _npz(path: Path) -> dict[str, Stored]:
    """Shapes from the headers; an array is read when it is known to be of the size it should have."""
    found: dict[str, Stored] = {}
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            if not info.filename.endswith(".npy"):
                raise UsageError(f"{path.name} holds {info.filename!r}, which is no array")
            with archive.open(info) as member:
                version = np.lib.format.read_magic(member)
                read_header = (
                    np.lib.format.read_array_header_1_0
                    if version == (1, 0)
                    else np.lib.format.read_array_header_2_0
                )
                shape, _, dtype = read_header(member)
            if dtype.hasobject:
                raise UsageError(
                    f"{info.filename[:-4]!r} in {path.name} holds Python objects, which are never read; store plain arrays"
                )
            if dtype.kind not in "fiub":  # one entry of text may be of any size; counters are left out later
                raise UsageError(
                    f"{info.filename[:-4]!r} in {path.name} is of {dtype}, and weights are numbers"
                )

            def read(name: str = info.filename) -> NDArray[Any]:
                with zipfile.ZipFile(path) as again, again.open(name) as member:
                    array: NDArray[Any] = np.lib.format.read_array(member, allow_pickle=False)
                return array

            found[info.filename[:-4]] = Stored(tuple(shape), read)
    return found


def _h5(path: Path) -> dict[str, Stored]:
    from motifdb.training.extras import need

    need("h5py")
    import h5py

    source: Any = path
    if path.name.lower().endswith(".gz"):
        with gzip.open(path) as packed:
            content = packed.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise UsageError(
                f"{path.name} unpacks to more than {MOST_BYTES >> 20} MB, which weights of OpenL3 do not"
            )
        source = io.BytesIO(content)
    found: dict[str, Stored] = {}
    n_left = MOST_NUMBERS
    with h5py.File(source, "r") as file:
        root = file
        if "model_weights" in file.keys():  # noqa: SIM118 - `in file` would follow a link
            root = _inside(file, "model_weights", path, h5py)
        # Keras keeps the order of layers beside them; a group's own order is that of the alphabet
        names = [_text(n) for n in root.attrs.get("layer_names", [])] or sorted(root, key=_natural)
        for layer in names:
            if "spectrogram" in layer:  # files of 2018 keep the front end's kernels, too
                continue
            for name, data in _datasets(_inside(root, layer, path, h5py), path, h5py):
                n_left -= data.size or 0
                if n_left < 0:
                    raise UsageError(
                        f"{path.name} holds more than {MOST_NUMBERS:,} numbers; weights of OpenL3 have 4.7 million"
                    )
                found[f"{layer}/{name}"] = Stored.of(_plain(data))
    return found


def _inside(group: Any, name: str, path: Path, h5py: Any) -> Any:
    """What a group holds under a name; a link, or a name that leads through other groups, is refused."""
    if "/" in name or not isinstance(group.get(name, getlink=True), h5py.HardLink):
        raise UsageError(f"{path.name} has {name!r} outside of it; a file of weights must hold its arrays")
    return group[name]


def _datasets(
    group: Any, path: Path, h5py: Any, prefix: str = "", depth: int = 0
) -> Iterable[tuple[str, Any]]:
    """Arrays below a group; what lies in other files is refused."""
    if isinstance(group, h5py.Dataset):
        yield prefix.rstrip("/"), group
        return
    if depth > 8:
        raise UsageError(f"{path.name} nests its groups deeper than any file of weights does")
    for name in group:
        yield from _datasets(_inside(group, name, path, h5py), path, h5py, f"{prefix}{name}/", depth + 1)


def _plain(data: Any) -> NDArray[Any]:
    """An array of numbers that lies in the file itself, and is no larger than the largest there should be."""
    if data.external or data.is_virtual or data.dtype.kind != "f" or data.size is None:
        raise ValueError(f"the array {data.name} holds no plain numbers, or lies in another file")
    if data.size > 4 * 9 * CHANNELS[-1] ** 2:
        raise ValueError(f"the array {data.name} has {data.size:,} numbers, more than any of OpenL3's")
    found: NDArray[Any] = data[()]
    return found


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


# -- names and shapes ----------------------------------------------------------------------------------------


def _translated(path: Path, stored: Mapping[str, Stored]) -> dict[str, Stored]:
    """Arrays by the tower's names; those of Keras by the order of their layers."""
    expected = expected_shapes()
    for prefix in ("", "audio.", "audio_tower."):
        own = {name.removeprefix(prefix): a for name, a in stored.items() if name.startswith(prefix)}
        if "convolutions.0.weight" in own:
            kept = {k: a for k, a in own.items() if not k.endswith(_UNUSED) and not k.startswith("norms.7.")}
            _refuse_names(path, kept, expected)
            return kept
    layers: dict[str, dict[str, Stored]] = {}
    for name, array in stored.items():
        layer, _, weight = name.rpartition("/")
        layer = layer.split("/")[0]
        if "spectrogram" not in layer:
            layers.setdefault(layer, {})[weight.split(":")[0]] = array
    convolutions = {k: v for k, v in layers.items() if "kernel" in v}
    norms = {k: v for k, v in layers.items() if "gamma" in v}
    others = sorted(set(layers) - set(convolutions) - set(norms))
    if others or len(convolutions) != 8 or len(norms) not in (8, 9):
        left = f" and {others[0]!r}" if others else ""
        raise UsageError(
            f"{path.name} has {len(convolutions)} convolutions, {len(norms)} normalisations{left}; the audio network of OpenL3 has"
            " 8 and 8"
        )
    if not path.name.lower().endswith((".h5", ".hdf5", ".gz")):
        convolutions = {k: convolutions[k] for k in sorted(convolutions, key=_natural)}
        norms = {k: norms[k] for k in sorted(norms, key=_natural)}
    found: dict[str, Stored] = {}
    for i, own in enumerate(convolutions.values()):
        found |= {f"convolutions.{i}.{_CONVOLUTION.get(k, k)}": _turned(k, a) for k, a in own.items()}
    for i, own in enumerate(list(norms.values())[:8]):
        where = "input_norm" if i == 0 else f"norms.{i - 1}"
        found |= {f"{where}.{_NORM.get(k, k)}": a for k, a in own.items()}
    _refuse_names(path, found, expected)
    return found


_CONVOLUTION = {"kernel": "weight", "bias": "bias"}


def _turned(name: str, array: Stored) -> Stored:
    """A kernel [rows, columns, in, out] as torch has it, [out, in, rows, columns]."""
    if name != "kernel" or len(array.shape) != 4:
        return array
    rows, columns, n_in, n_out = array.shape
    return Stored((n_out, n_in, rows, columns), lambda: array.read().transpose(3, 2, 0, 1))


def _natural(name: str) -> tuple[bool, int, str]:
    """Layers in the order they were made: by number, the embedding layer last.

    >>> sorted(["conv2d_10", "audio_embedding_layer", "conv2d_9", "conv2d"], key=_natural)
    ['conv2d', 'conv2d_9', 'conv2d_10', 'audio_embedding_layer']
    """
    number = re.search(r"_(\d+)$", name)
    return "embedding" in name, int(number[1]) if number else 0, name


def _refuse_names(path: Path, found: Mapping[str, Stored], expected: Mapping[str, tuple[int, ...]]) -> None:
    missing, left = sorted(set(expected) - set(found)), sorted(set(found) - set(expected))
    if missing or left:
        what = [f"lacks {missing[0]} (and {len(missing) - 1} more)"] if missing else []
        what += [f"has {left[0]} (and {len(left) - 1} more), which the network does not"] if left else []
        raise UsageError(f"{path.name} {' and '.join(what)}; these are not weights of OpenL3's audio network")


def _checked(path: Path, found: Mapping[str, Stored]) -> dict[str, Array]:
    """Every array, once its shape and its numbers are what they should be."""
    state: dict[str, Array] = {}
    for name, shape in expected_shapes().items():
        there = found[name]
        if there.shape != shape:
            is_picture = name == "convolutions.0.weight" and there.shape == (64, 3, 3, 3)
            kind = "OpenL3's picture network" if is_picture else "another network"
            raise UsageError(
                f"{name} in {path.name} has shape {there.shape}, and the audio network needs {shape}: these are weights of {kind}"
            )
        with _readable(path):
            values = there.read()
        if values.dtype.kind != "f" or not np.isfinite(values).all():
            raise UsageError(f"{name} in {path.name} holds what is no finite number; the file is damaged")
        if name.endswith("running_var") and (values < 0).any():
            raise UsageError(f"{name} in {path.name} is a variance below 0; the file is damaged")
        state[name] = np.ascontiguousarray(values, np.float32)
    return state
