"""Checkpoints: weights in safetensors, everything else in JSON. Nothing is ever unpickled.

A run's folder holds

- ``config.json``: recipe, classes, seed, what the run belongs to. Written once, at the start.
- ``weights.safetensors``: the best weights so far. What `predict` and `evaluate` read.
- ``state.safetensors``: where training is: the latest weights (``last/``), Adam's moments (``optimiser/``), the best weights where
  they are not the latest (``best/``), and in the header, as JSON, the counters. One file, so that all of it changes at once.

No state of a random generator is kept, because there is none: weights, order, augmentation and dropout follow from the seed,
the epoch and the batch alone (`motifdb.training.fitting.loop`).

Files are written under another name and renamed when whole, so a kill leaves the file before.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from motifdb.errors import UsageError
from motifdb.ids import canonical_json, hash_text

if TYPE_CHECKING:
    from torch import Tensor, nn

CONFIG, WEIGHTS, STATE = "config.json", "weights.safetensors", "state.safetensors"
FORMAT = 1
_HEADER, _RUN = "motifdb", "run"


class CheckpointError(UsageError):
    """A checkpoint that cannot be used; the message says which file, why, and what to do."""


def write_config(folder: Path, config: Mapping[str, Any]) -> None:
    """Write `config.json`, with the format's version."""
    text = json.dumps({"format": FORMAT, **config}, indent=1, ensure_ascii=False, allow_nan=False)
    _replace(folder / CONFIG, (text + "\n").encode())


def read_config(folder: Path) -> dict[str, Any]:
    """Read `config.json`.

    Raises
    ------
    CheckpointError
        where it is missing, broken or newer than this code.
    """
    path = folder / CONFIG
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CheckpointError(
            f"there is no checkpoint at {folder}: it has no {CONFIG}; train the run anew with --again"
        ) from None
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise CheckpointError(
            f"{path} is no configuration of a checkpoint ({error}); train the run anew with --again"
        ) from None
    if not isinstance(config, dict) or not isinstance(config.get("format"), int):
        raise CheckpointError(f"{path} is no configuration of a checkpoint; train the run anew with --again")
    if config["format"] > FORMAT:
        raise CheckpointError(
            f"{path} was written by a newer motifdb (format {config['format']}); update motifdb"
        )
    return config


def run_of(config: Mapping[str, Any]) -> str:
    """What tells a run's files from another's: a hash of its configuration, as `write_config` is given it."""
    return hash_text(
        canonical_json({k: v for k, v in json.loads(json.dumps(config)).items() if k != "format"})
    )


def write_tensors(
    path: Path, tensors: Mapping[str, Tensor], header: Mapping[str, Any], run: str = ""
) -> None:
    """Write tensors and, in the file's header, plain values and the run they are of, at once."""
    from safetensors.torch import save

    whole = {name: t.detach().cpu().contiguous() for name, t in tensors.items()}
    _replace(path, save(whole, {_HEADER: json.dumps(header, allow_nan=False), _RUN: run}))


def read_tensors(path: Path, run: str | None = None) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read what `write_tensors` wrote.

    Raises
    ------
    CheckpointError
        where the file is missing, a pickled one, cut short, not ours, or of another run than `run`.
    """
    with _opened(path) as f:
        header = _header(f, path)
        if run is not None and f.metadata().get(_RUN) != run:
            raise CheckpointError(
                f"{path} is of another run than the {CONFIG} beside it; delete the folder {path.parent} and train the"
                " run anew with --again"
            )
        return {name: f.get_tensor(name) for name in f.keys()}, header  # noqa: SIM118  # not a mapping


def read_header(path: Path) -> dict[str, Any]:
    """The plain values in a file's header, without its tensors.

    Raises
    ------
    CheckpointError
        as `read_tensors`.
    """
    with _opened(path) as f:
        return _header(f, path)


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    from safetensors import SafetensorError, safe_open

    try:
        with path.open("rb") as raw:
            start = raw.read(9)
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read ({error.strerror})") from None
    # safetensors begins with the length of its header, eight bytes of which the first may be any, and the header's brace
    is_pickled = start[:1] == b"\x80" and start[8:9] != b"{"
    if start[:4] == b"PK\x03\x04" or is_pickled:
        raise CheckpointError(
            f"{path} is a pickled file, which can run code when it is read; motifdb reads safetensors only"
        )
    try:
        with safe_open(str(path), framework="pt") as f:
            yield f
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            f"{path} is damaged or cut short ({error}); delete the folder {path.parent} and train the run anew with --again"
        ) from None


def _header(f: Any, path: Path) -> dict[str, Any]:
    text = (f.metadata() or {}).get(_HEADER)
    try:
        values = json.loads(text) if text is not None else None
    except json.JSONDecodeError:
        values = None
    if not isinstance(values, dict):
        raise CheckpointError(f"{path} was not written by motifdb: its header lacks {_HEADER}")
    return values


def load_into(module: nn.Module, tensors: Mapping[str, Tensor], where: Path) -> None:
    """Give a module these weights.

    Raises
    ------
    CheckpointError
        where names or shapes are not the module's, naming the first that differs.
    """
    own = module.state_dict()
    for name, tensor in own.items():
        if name not in tensors:
            raise CheckpointError(f"{where} belongs to another network: it has no {name}")
        if tensors[name].shape != tensor.shape:
            raise CheckpointError(
                f"{where} belongs to another network: {name} has shape {list(tensors[name].shape)},"
                f" not {list(tensor.shape)}"
            )
    for name in tensors:
        if name not in own:
            raise CheckpointError(f"{where} belongs to another network: {name} is not one of its weights")
    module.load_state_dict(dict(tensors))


def require_same(stored: Mapping[str, Any], wanted: Mapping[str, Any], folder: Path) -> None:
    """Refuse to go on with another run's checkpoint.

    Raises
    ------
    CheckpointError
        naming the first parameters that differ.
    """
    old, new = _flat(stored), _flat(json.loads(json.dumps(wanted)))
    changed = [name for name in sorted(old.keys() | new.keys()) if old.get(name) != new.get(name)]
    if changed:
        shown = "; ".join(f"{n}: {old.get(n)!r} there, {new.get(n)!r} asked for" for n in changed[:3])
        more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
        raise CheckpointError(
            f"the checkpoint at {folder} is of another run ({shown}{more}); name its own recipe, or another folder"
        )


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return flat


def _replace(path: Path, content: bytes) -> None:
    """Write a file so that it is there whole, or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as f:
            f.write(content)
            f.flush()
            os.fsync(f.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def read_state(
    folder: Path, config: Mapping[str, Any], run: str
) -> tuple[dict[str, dict[str, Tensor]], dict[str, Any]] | None:
    """Where a run of this very configuration was stopped: tensors by part (last, best, optimiser), and counters; None: nowhere yet.

    Raises
    ------
    CheckpointError
        for a checkpoint of another configuration, or one that is damaged.
    """
    if not (folder / CONFIG).exists():
        return None
    stored = read_config(folder)
    stored.pop("format")
    require_same(stored, config, folder)
    path = folder / STATE
    if not path.exists():
        return None  # stopped before anything was worth saving
    tensors, counters = read_tensors(path, run)
    parts: dict[str, dict[str, Tensor]] = {"last": {}, "best": {}, "optimiser": {}}
    for name, tensor in tensors.items():
        part, _, rest = name.partition("/")
        parts.setdefault(part, {})[rest] = tensor
    return parts, counters


def read_best(folder: Path, config: Mapping[str, Any]) -> tuple[dict[str, Tensor], Path]:
    """The best weights in a folder, which must be of the run that its configuration names, and their file.

    Raises
    ------
    CheckpointError
        where there are none, or they are of another run.
    """
    path = folder / WEIGHTS
    tensors, _ = read_tensors(path, run_of({k: v for k, v in config.items() if k != "format"}))
    return tensors, path
