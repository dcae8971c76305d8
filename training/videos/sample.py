"""Pairs of one second of sound and a picture, drawn from videos as l3-2019 draws them.

A *source* is a video together with another one, its distractor. For each of its pairs a fair coin says which of the two the sound is from,
and another which the picture is from; they belong together where both coins agree, and then the picture is out of the same second. A source
lives for a Poisson number of pairs (32 in the mean); 32 are alive at a time, each next pair is of one of them, and a source that has
ended is replaced. So videos are read one after another, as a stream, and still batches are mixed.

Every draw follows from the seed and the number of the source or step, and from nothing that was read: step n can be begun with at once, and
what comes does not depend on where decoding is done. A video that turns out not to be decodable is named, and another takes its place.

What the paper leaves open: sources take the videos in an order that is drawn anew for each pass; in a pair that does not belong
together the picture is from the same second of the *other* video (as released), so that time in the video tells nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from motifdb.errors import InputError, UsageError
from motifdb.training.videos.decode import STRETCH_S, WINDOW_S
from motifdb.training.videos.discover import Video, VideoFailure, without_copies
from motifdb.training.videos.workers import Decoders, Wait

MAX_ATTEMPTS = 20
"""So many sources in a row that cannot be decoded end the stream."""

THOROUGH = 1000
"""Up to so many videos are decoded whole before they are trained on; with more, damage inside is met on the way."""

_ORDER, _LIFE, _SOURCE, _STEP = range(4)
"""What a generator is for; the second number of its seed."""


@dataclass(frozen=True)
class SamplingConfig:
    """How pairs are drawn.

    Attributes
    ----------
    sample_rate_hz : of the sound
    shorter_side : pixels that pictures are scaled to
    crop : side of the square that is seen, <= shorter_side
    gain : the sound is made up to this share louder or softer, as far as it does not clip
    saturation : the saturation is multiplied by 1 - this to 1 + this
    brightness : up to this is added to colours in [0, 1] or taken away
    n_sources : alive at a time
    lifetime : mean number of pairs of a source
    """

    sample_rate_hz: int = 48_000
    shorter_side: int = 256
    crop: int = 224
    gain: float = 0.1
    saturation: float = 0.5
    brightness: float = 32 / 255
    n_sources: int = 32
    lifetime: float = 32.0

    def __post_init__(self) -> None:
        for name in ("sample_rate_hz", "shorter_side", "crop", "n_sources", "lifetime"):
            if not getattr(self, name) > 0:
                raise UsageError(f"sampling: {name} must be more than 0, got {getattr(self, name)}")
        for name in ("gain", "saturation", "brightness"):
            if not 0 <= getattr(self, name) <= 1:
                raise UsageError(f"sampling: {name} must be 0 to 1, got {getattr(self, name)}")
        if self.crop > self.shorter_side:
            raise UsageError(
                f"sampling: a crop of {self.crop} pixels does not fit a shorter side of {self.shorter_side}"
            )


class Pairs(NamedTuple):
    """n pairs of sound and picture.

    Attributes
    ----------
    sound : int16 [n, samples of one second]
    picture : uint8 [n, crop, crop, 3], red, green, blue
    is_same : int64 [n], 1 where both are from one second of one video, else 0
    """

    sound: NDArray[np.int16]
    picture: NDArray[np.uint8]
    is_same: NDArray[np.int64]


@dataclass(frozen=True)
class Survey:
    """The videos of a folder that can be used, with the stretch that has sound and pictures, and those that cannot."""

    folder: Path
    videos: tuple[Video, ...]
    failures: tuple[VideoFailure, ...]


def survey(folder: str | Path, files: Sequence[Video], pool: Decoders) -> Survey:
    """Look at the videos of a folder once: up to `THOROUGH` of them are decoded from end to end, of more the packets are counted.

    Parameters
    ----------
    files : as `discover` gives them
    """
    folder = Path(folder).resolve()
    own, failures = without_copies(files)
    usable: list[Video] = []
    is_thorough = len(own) <= THOROUGH
    for begin in range(0, len(own), 512):
        waiting = [
            (video, pool.submit("measure", video.path, str(folder), asdict(video), is_thorough))
            for video in own[begin : begin + 512]
        ]
        for video, wait in waiting:
            try:
                usable.append(Video(**wait()[0]))
            except InputError as error:
                failures.append(VideoFailure(video.path, error.kind, error.reason))
    return Survey(folder, tuple(usable), tuple(sorted(failures, key=lambda f: f.path)))


@dataclass(eq=False)
class PairStream:
    """Pairs from some videos, without end.

    Attributes
    ----------
    failures : of videos that turned out not to be decodable after all, as they are met; each once
    """

    folder: Path
    videos: Sequence[Video]
    config: SamplingConfig
    seed: int
    pool: Decoders
    failures: list[VideoFailure] = field(default_factory=list)

    def __post_init__(self) -> None:
        if len(self.videos) < 2:
            raise UsageError(f"pairs need two different videos at least, got {len(self.videos)}")

    def batches(self, size: int, first_step: int = 0) -> Iterator[Pairs]:
        """The batches of `size` pairs of step `first_step` (from 0) and all those after it."""
        lives = [_lifetime(self.seed, i, self.config) for i in range(self.config.n_sources)]
        slots = list(range(self.config.n_sources))  # the source in each slot
        used = [0] * len(slots)
        newest = len(slots) - 1

        def step(number: int) -> list[tuple[int, int]]:
            """Which pair of which source comes next, for a batch; moves on."""
            nonlocal newest
            taken = []
            for slot in _generator(self.seed, _STEP, number).integers(len(slots), size=size).tolist():
                taken.append((slots[slot], used[slot]))
                used[slot] += 1
                if used[slot] == lives[slot]:
                    newest += 1
                    slots[slot], used[slot] = newest, 0
                    lives[slot] = _lifetime(self.seed, newest, self.config)
            return taken

        for number in range(first_step):
            step(number)
        open_sources: dict[int, Pairs] = {}
        begun: dict[int, _Begun] = {}
        number = first_step
        while True:
            for i in sorted(set(slots)) + list(range(newest + 1, newest + 1 + self.pool.n_ahead)):
                if i not in open_sources and i not in begun:
                    begun[i] = self._begin(i)
            taken = step(number)
            for i, _ in taken:
                if i not in open_sources:
                    open_sources[i] = self._end(begun.pop(i) if i in begun else self._begin(i))[0]
            rows = [tuple(column[k] for column in open_sources[i]) for i, k in taken]
            yield Pairs(*(np.stack(column) for column in zip(*rows, strict=True)))
            alive = set(slots)
            for i in [i for i in open_sources if i not in alive]:
                del open_sources[i]
            number += 1

    def fixed(self, n: int, per_source: int = 4) -> tuple[Pairs, NDArray[np.int64]]:
        """`n` pairs to look at, the same for the same seed, as they are: the middle of pictures, nothing varied.

        Returns
        -------
        pairs : n of them, `per_source` of each source
        group : int64 [n], the place in `videos` of the first video of each pair's source
        """
        found: list[Pairs] = []
        groups: list[int] = []
        numbers = list(range(-(-n // per_source)))
        begun: list[_Begun] = []
        for i in numbers:
            while len(begun) <= min(self.pool.n_ahead, numbers[-1] - i):
                begun.append(self._begin(i + len(begun), per_source, is_varied=False))
            drawn, plan = self._end(begun.pop(0))
            found.append(drawn)
            groups += [self.videos.index(plan.videos[0])] * per_source
        pairs = Pairs(*(np.concatenate(column)[:n] for column in zip(*found, strict=True)))
        return pairs, np.array(groups[:n], np.int64)

    def _begin(self, i: int, n: int | None = None, *, is_varied: bool = True, attempt: int = 0) -> _Begun:
        """Have both videos of a source read."""
        n = _lifetime(self.seed, i, self.config) if n is None else n
        plan = plan_source(self.videos, self.config, self.seed, i, n, is_varied=is_varied, attempt=attempt)
        waits = tuple(
            self.pool.submit("read", video.path, *plan.request(which, self.folder, self.config))
            for which, video in enumerate(plan.videos)
        )
        return _Begun(i, n, is_varied, attempt, plan, waits)

    def _end(self, begun: _Begun) -> tuple[Pairs, SourcePlan]:
        """The pairs of a source; of another one where a video cannot be decoded."""
        while True:
            plan = begun.plan
            sound = np.zeros((begun.n, round(WINDOW_S * self.config.sample_rate_hz)), np.int16)
            picture = np.zeros((begun.n, self.config.crop, self.config.crop, 3), np.uint8)
            is_whole = True
            for which, wait in enumerate(begun.waits):
                try:
                    heard, seen = wait()[1]
                except InputError as error:
                    self._fail(plan.videos[which].path, error)
                    is_whole = False
                    continue
                sound[plan.heard == which] = heard
                picture[plan.seen == which] = seen
            if is_whole:
                return Pairs(sound, picture, (plan.heard == plan.seen).astype(np.int64)), plan
            if begun.attempt + 1 == MAX_ATTEMPTS:
                raise UsageError(
                    f"{MAX_ATTEMPTS} videos in a row could not be decoded, the last one because {self.failures[-1].reason}"
                )
            begun = self._begin(begun.i, begun.n, is_varied=begun.is_varied, attempt=begun.attempt + 1)

    def _fail(self, path: str, error: InputError) -> None:
        if all(failure.path != path for failure in self.failures):
            self.failures.append(VideoFailure(path, error.kind, error.reason))


@dataclass(frozen=True, eq=False)
class SourcePlan:
    """All that is drawn for a source: of n pairs, from which of its two videos and where.

    Attributes
    ----------
    heard, seen : int64 [n], 0 or 1: the video that sound and picture are of
    offset_s : float64 [n], where the second begins, from the beginning of the stretch
    within_s : float64 [n], where in the second the picture is
    looks : float64 [n, 6]: across and down, is turned round, saturation, brightness, is bright first
    """

    videos: tuple[Video, Video]
    stretch_s: tuple[float, float]
    heard: NDArray[np.int64]
    seen: NDArray[np.int64]
    offset_s: NDArray[np.float64]
    within_s: NDArray[np.float64]
    gain: NDArray[np.float64]
    looks: NDArray[np.float64]

    def request(self, which: int, folder: Path, config: SamplingConfig) -> tuple[Any, ...]:
        """What is to be read of its first or second video: arguments of the task ``read``."""
        video = self.videos[which]
        room_s = min(video.duration_s, STRETCH_S) - WINDOW_S
        # the picture of a pair from two videos: the same second, or the last there is
        begins_s = video.start_s + self.stretch_s[which] + np.minimum(self.offset_s, room_s)
        sounds = np.column_stack([begins_s, self.gain])[self.heard == which]
        pictures = np.column_stack([begins_s + self.within_s, self.looks])[self.seen == which]
        return (
            str(folder),
            video.path,
            config.sample_rate_hz,
            sounds.tolist(),
            config.shorter_side,
            config.crop,
            pictures.tolist(),
        )


class _Begun(NamedTuple):
    i: int
    n: int
    is_varied: bool
    attempt: int
    plan: SourcePlan
    waits: tuple[Wait, ...]


def plan_source(
    videos: Sequence[Video],
    config: SamplingConfig,
    seed: int,
    i: int,
    n: int,
    *,
    is_varied: bool = True,
    attempt: int = 0,
) -> SourcePlan:
    """Draw everything about source `i`, of `n` pairs; reads nothing.

    Parameters
    ----------
    is_varied : False leaves loudness and colours as they are, and takes the middle of pictures
    attempt : another one draws other videos
    """
    rng = _generator(seed, _SOURCE, i, attempt)
    first = int(_order(seed, i // len(videos), len(videos))[i % len(videos)])
    if attempt:
        first = int(rng.integers(len(videos)))
    other = (first + 1 + int(rng.integers(len(videos) - 1))) % len(videos)
    both = videos[first], videos[other]
    slack_s = [max(0.0, video.duration_s - STRETCH_S) for video in both]
    stretch_s = float(rng.uniform(0, slack_s[0])), float(rng.uniform(0, slack_s[1]))
    heard, seen = rng.integers(2, size=(2, n))
    room_s = np.array([min(video.duration_s, STRETCH_S) - WINDOW_S for video in both])
    offset_s = rng.uniform(size=n) * room_s[heard]
    within_s = rng.uniform(size=n) * WINDOW_S
    gain = 1 + rng.uniform(-1, 1, n) * config.gain
    looks = np.stack(
        [
            rng.uniform(size=n),
            rng.uniform(size=n),
            rng.integers(2, size=n),
            1 + rng.uniform(-1, 1, n) * config.saturation,
            rng.uniform(-1, 1, n) * config.brightness,
            rng.integers(2, size=n),
        ],
        axis=1,
    )
    if not is_varied:
        gain[:] = 1
        looks[:] = (0.5, 0.5, 0, 1, 0, 0)
    return SourcePlan(both, stretch_s, heard, seen, offset_s, within_s, gain, looks)


def _lifetime(seed: int, i: int, config: SamplingConfig) -> int:
    return max(1, int(_generator(seed, _LIFE, i).poisson(config.lifetime)))


@lru_cache(maxsize=4)
def _order(seed: int, number: int, n: int) -> NDArray[np.int64]:
    """The order of n videos in one pass."""
    return _generator(seed, _ORDER, number).permutation(n)


def _generator(seed: int, *what: int) -> np.random.Generator:
    return np.random.default_rng((seed, *what))
