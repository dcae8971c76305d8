"""What every pitch tracker promises: mono blocks in, one regular f0 track per recording out."""

from __future__ import annotations

import abc
import dataclasses
import importlib.metadata
import importlib.util
import typing
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from motifdb.errors import MissingExtraError, UsageError, nearest
from motifdb.pipelines.records import PitchTrack

Blocks = Iterable[NDArray[np.float32]]
"""One recording: mono float32 blocks, of any lengths, at the tracker's sample rate."""


class Tracker(abc.ABC):
    """A pitch tracker with its parameters.

    Parameters
    ----------
    parameters : an instance of the class's own `Parameters`; the defaults where left out

    Attributes
    ----------
    name : what it is called in the registry and in configurations
    version : of the stage, raised by hand whenever the same audio gives other numbers; part of analysis ids
    sample_rate_hz : the rate its input must have
    package : the distribution the work is done by (its version, see `library`, is never hashed)
    module : what that distribution is imported as; None where nothing beyond motifdb's base is needed
    extra : the extra of motifdb that installs it; None for the base
    licence : of that distribution, as an SPDX identifier
    streams_exactly : whether a recording in blocks gives the track of the whole, so that memory stays flat
    devices : kinds of device it can run on
    times_real_time : its usual speed on one core, decoding included; for choosing an engine only
    """

    name: ClassVar[str]
    version: ClassVar[int]
    sample_rate_hz: ClassVar[int]
    package: ClassVar[str] = "motifdb"
    module: ClassVar[str | None] = None
    extra: ClassVar[str | None] = None
    licence: ClassVar[str] = "Apache-2.0"
    streams_exactly: ClassVar[bool] = True
    devices: ClassVar[tuple[str, ...]] = ("cpu",)
    times_real_time: ClassVar[float] = 50.0
    Parameters: ClassVar[type]

    def __init__(self, parameters: Any = None) -> None:
        self.parameters: Any = self.Parameters() if parameters is None else parameters

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> Tracker:
        """With the defaults, but for `values`; whole numbers are taken for floats, so that 1 and 1.0 are one analysis.

        Raises
        ------
        UsageError
            for a parameter it does not have, a value of another type, or one out of range.
        """
        hints = typing.get_type_hints(cls.Parameters)
        kept: dict[str, Any] = {}
        for key, value in values.items():
            if key not in hints:
                raise UsageError(f"tracker {cls.name} has no parameter {key!r}; {nearest(key, hints)}")
            kept[key] = _typed(hints[key], value, f"tracker {cls.name}: {key}")
        return cls(cls.Parameters(**kept))

    def require(self) -> None:
        """Raise `MissingExtraError` where the package that does the work is not installed."""
        if self.module is None:
            return
        try:
            is_found = importlib.util.find_spec(self.module) is not None
        except ValueError:  # sys.modules holds None or a module without a spec
            is_found = False
        if not is_found:
            target = f"motifdb[{self.extra}]" if self.extra else self.package
            raise MissingExtraError(
                f"tracker {self.name} needs the package {self.package}, which is not installed;"
                f" pip install '{target}', or choose another tracker"
            )

    def resolved_parameters(self) -> dict[str, Any]:
        """Every parameter, defaults included, as JSON-able values; analysis ids are hashes of them.

        The version of the library is left out on purpose, so that an update which changes no result keeps
        analyses comparable; `library` says it, for the record. `version` is in the ids.
        """
        return dataclasses.asdict(self.parameters)

    @property
    def library(self) -> str:
        """Name and version of the package that does the work, such as ``"swift-f0 0.3.0"``."""
        try:
            return f"{self.package} {importlib.metadata.version(self.package)}"
        except importlib.metadata.PackageNotFoundError:
            return self.package

    def track(self, batch: Sequence[Blocks], *, device: str = "cpu") -> Iterator[PitchTrack]:
        """One f0 track per recording of the batch, in its order.

        Blocks are drawn only as they are needed. Samples that are no finite number count as 0. Frame i
        describes the audio around `start_s` + i `hop_s`, the centre of its window.

        Parameters
        ----------
        batch : recordings, each an iterable of blocks of shape (n_samples,), float32, full scale 1,
            at `sample_rate_hz`
        device : such as ``"cpu"`` or ``"cuda:0"``

        Raises
        ------
        UsageError
            for a device the tracker cannot run on.
        """
        if device.split(":")[0] not in self.devices:
            raise UsageError(
                f"tracker {self.name} cannot run on device {device!r}; {nearest(device, self.devices)}"
            )
        self.require()
        return self._track(batch, device)

    @abc.abstractmethod
    def _track(self, batch: Sequence[Blocks], device: str) -> Iterator[PitchTrack]:
        """`track`, once device and package are known to be there."""


def clean(blocks: Blocks) -> Iterator[NDArray[np.float32]]:
    """Blocks as contiguous float32 of one dimension, samples that are no finite number set to 0.

    Raises
    ------
    UsageError
        for a block of more than one dimension: mixing channels is the decoder's choice, not ours.
    """
    for block in blocks:
        samples = np.ascontiguousarray(block, dtype=np.float32)
        if samples.ndim != 1:
            raise UsageError(f"a tracker takes mono blocks of one dimension, got shape {samples.shape}")
        if not np.isfinite(samples).all():
            samples = np.nan_to_num(samples, nan=0.0, posinf=0.0, neginf=0.0)
        yield samples


def rechunk(blocks: Blocks, n_samples: int) -> Iterator[NDArray[np.float32]]:
    """The same samples in blocks of `n_samples`, the last one shorter: results do not hang on how audio was read.

    >>> [b.tolist() for b in rechunk([np.array([1, 2, 3], np.float32), np.array([4], np.float32)], 2)]
    [[1.0, 2.0], [3.0, 4.0]]
    """
    held: list[NDArray[np.float32]] = []
    n_held = 0
    for block in clean(blocks):
        held.append(block)
        n_held += block.size
        if n_held < n_samples:
            continue
        joined = np.concatenate(held)
        n_whole = n_held - n_held % n_samples
        for start in range(0, n_whole, n_samples):
            yield joined[start : start + n_samples]
        held = [joined[n_whole:].copy()]
        n_held -= n_whole
    if n_held:
        yield np.concatenate(held)


def in_range(name: str, value: float, low: float, high: float, unit: str = "") -> None:
    """Raise `UsageError` where a parameter is not within [low, high]."""
    if not low <= value <= high:
        raise UsageError(f"{name} must lie between {low} and {high} {unit}".rstrip() + f", got {value}")


def _typed(hint: Any, value: Any, where: str) -> Any:
    if hint is bool or isinstance(value, bool):
        if hint is bool and isinstance(value, bool):
            return value
    elif hint is float and isinstance(value, int | float):
        return float(value)
    elif isinstance(value, hint):
        return value
    raise UsageError(f"{where}: expected {hint.__name__}, got {value!r}")
