"""What a self-test is asked to do, on which recordings, and what comes back; shared by contours and `--audio`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from motifdb.config import MiningConfig
from motifdb.errors import UsageError
from motifdb.kernels.planting import most_places
from motifdb.pipelines.lineage import Lineage
from motifdb.pipelines.motif_rows import PhraseColumns
from motifdb.pipelines.selftest_cells import Cell, Trial, cell
from motifdb.pipelines.stages import recordings_of, rows_of_recordings

if TYPE_CHECKING:
    from motifdb.catalog.store import Snapshot
    from motifdb.pipelines.progress import Progress

T = TypeVar("T")
R = TypeVar("R")

STRENGTHS = (3, 4, 6, 8, 12)
LENGTHS = (4, 6, 8, 12)
N_MOTIFS = 20
N_RECORDINGS = 20
"""What is planted where nothing else is said; strengths and lengths that the analysis rules out are left away."""

AUDIO_STRENGTHS, AUDIO_LENGTHS, AUDIO_N_MOTIFS, AUDIO_N_RECORDINGS = (3, 4, 8), (6, 8), 4, 3
"""The same for `is_audio`, where a trial takes seconds."""

AUDIO_RESERVE = 8
MOST_PLANTED = 0.5
"""No more than this share of a recording's symbols is written over: the rest is to stay the recording."""


@dataclass(frozen=True)
class Options:
    """What a self-test plants; None takes the defaults above.

    Attributes
    ----------
    analysis : name or beginning of the id of a mining analysis; None is the only one
    strengths : how often a motif is planted in a recording
    lengths : symbols of a motif
    n_motifs : motifs for each length and strength
    n_recordings : recordings that are drawn to be planted in, at most
    is_audio : whether pitch is planted, sung and tracked
    """

    analysis: str | None = None
    strengths: tuple[int, ...] | None = None
    lengths: tuple[int, ...] | None = None
    n_motifs: int | None = None
    n_recordings: int | None = None
    seed: int = 1
    workers: int | None = None
    is_audio: bool = False

    def check(self) -> None:
        """Refuse what cannot be.

        Raises
        ------
        UsageError
            for a number that is too small, or a list that is empty.
        """
        for name, values, least in (("strengths", self.strengths, 2), ("lengths", self.lengths, 1)):
            if values is not None and (not values or min(values) < least):
                raise UsageError(
                    f"--{name} must be numbers of {least} or more, got {','.join(map(str, values))}"
                )
        for name, n in (
            ("n-motifs", self.n_motifs),
            ("recordings", self.n_recordings),
            ("workers", self.workers),
        ):
            if n is not None and n < 1:
                raise UsageError(f"--{name} must be at least 1, got {n}")
        if self.seed < 0:
            raise UsageError(f"--seed must be 0 or more, got {self.seed}")


@dataclass(frozen=True)
class Drawn:
    """Recordings to plant in, by id; how many there are with contours, and of these with room for a motif."""

    names: tuple[str, ...]
    n_all: int
    n_roomy: int


@dataclass(frozen=True)
class Result:
    """What a self-test found.

    Attributes
    ----------
    cells, trials : by length and strength; every single motif that was planted
    n_recordings : recordings that could be planted in
    drawn : those that were drawn, and from how many
    n_failed : recordings and copies that could not be mined
    n_real, n_surrogate : significant motifs of these recordings without planting, and of a surrogate (in `is_audio`:
        of the sung and tracked pitch) of each
    n_called : surrogates with any of these
    tracker : what tracked the sung copies; None without `is_audio`
    paths : a file of each recording that was planted in
    """

    analysis: Lineage
    options: Options
    cells: tuple[Cell, ...]
    trials: tuple[Trial, ...]
    n_recordings: int
    drawn: Drawn
    n_failed: int
    n_real: int
    n_surrogate: int
    n_called: int
    tracker: str | None = None
    paths: dict[str, str] = field(default_factory=dict)


def numbers(name: str, text: str | None) -> tuple[int, ...] | None:
    """Whole numbers parted by commas, ascending, each once; None of None.

    >>> numbers("strengths", "8,3, 3")
    (3, 8)

    Raises
    ------
    UsageError
        for anything else.
    """
    if text is None:
        return None
    try:
        return tuple(sorted({int(part) for part in text.split(",")}))
    except ValueError:
        raise UsageError(
            f"--{name} takes whole numbers parted by commas, such as 4,8; got {text!r}"
        ) from None


def has_room(phrase_lengths: NDArray[np.int64], length: int, planted: int) -> bool:
    """Whether a motif of this length may be planted so often in phrases of so many symbols."""
    is_much = length * planted > MOST_PLANTED * phrase_lengths.sum()
    return not is_much and most_places(phrase_lengths, length) >= planted


def finished(trials: Iterator[Trial | None], progress: Progress) -> tuple[Trial, ...]:
    """All trials that could be made, told of as they come."""
    done: list[Trial] = []
    for n, trial in enumerate(trials, start=1):
        if trial is not None:
            done.append(trial)
        progress.done(n, 0, 0.0)
    progress.close()
    return tuple(done)


def is_kept(lasting_s: NDArray[np.float64], config: MiningConfig) -> bool:
    """Whether the rule on duration keeps a motif whose places last so long (by the lower of two middle ones)."""
    median_s = float(np.sort(lasting_s)[(lasting_s.size - 1) // 2])
    longest_s = np.inf if config.max_duration_s is None else config.max_duration_s
    return bool(config.min_duration_s <= median_s <= longest_s)


def summed(
    trials: Sequence[Trial],
    lengths: Sequence[int],
    strengths: Sequence[int],
    n_skipped: Callable[[int, int], int],
) -> tuple[Cell, ...]:
    """A cell for each length and strength."""
    # where no motif has a q, a recall at q < 0.05 would be a false 0
    has_q = any(t.real.n_judged for t in trials) or not any(t.real.n_motifs for t in trials)
    return tuple(
        cell(
            length,
            planted,
            [t for t in trials if (t.length, t.planted) == (length, planted)],
            n_skipped(length, planted),
            has_q=has_q,
        )
        for length in lengths
        for planted in strengths
    )


# -- what is to be done ----------------------------------------------------------------------------------


def planned(options: Options, analysis: Lineage) -> tuple[list[int], list[int]]:
    """Strengths and lengths, ascending: as asked for, or those of the defaults that the analysis can find."""
    config = analysis.mining
    strengths = options.strengths or (AUDIO_STRENGTHS if options.is_audio else STRENGTHS)
    most = config.max_length or max(config.min_length, *LENGTHS)
    if options.lengths is None:
        usual = AUDIO_LENGTHS if options.is_audio else LENGTHS
        lengths = tuple(n for n in usual if config.min_length <= n <= most) or (config.min_length,)
    else:
        lengths = options.lengths
        for n in lengths:
            if n < config.min_length or (config.max_length is not None and n > config.max_length):
                raise UsageError(
                    f"--lengths has {n}, but {analysis.title} keeps motifs of {config.min_length} to"
                    f" {config.max_length or 'any number of'} symbols only"
                )
    return sorted(set(strengths)), sorted(set(lengths))


def drawn(
    snapshot: Snapshot, analysis: Lineage, options: Options, strengths: Sequence[int], lengths: Sequence[int]
) -> Drawn:
    """Draw recordings with the seed from those with room for the shortest motif, planted least.

    Raises
    ------
    UsageError
        where there is no phrase at all, or no recording has room.
    """
    sizes = phrase_sizes(snapshot, analysis.contour_id)
    if not sizes:
        raise UsageError(only_silence(analysis))
    roomy = sorted(name for name, own in sizes.items() if has_room(own, min(lengths), min(strengths)))
    if not roomy:
        raise UsageError(too_short([int(own.sum()) for own in sizes.values()], strengths, lengths))
    order = np.random.default_rng((options.seed, 1)).permutation(len(roomy)).tolist()
    if (
        options.is_audio
    ):  # only their beginnings are sung, and not all of these have room: some are in reserve
        order = order[: AUDIO_RESERVE * (options.n_recordings or AUDIO_N_RECORDINGS)]
    else:
        order = sorted(order[: options.n_recordings or N_RECORDINGS])
    return Drawn(tuple(roomy[i] for i in order), len(sizes), len(roomy))


def phrase_sizes(snapshot: Snapshot, contour_id: str) -> dict[str, NDArray[np.int64]]:
    """How many symbols each phrase of each recording has, from one scan of the symbols."""
    sizes: dict[str, list[NDArray[np.int64]]] = {}
    batches = snapshot.batches("contours", ["recording_id", "symbols"], f"analysis_id = '{contour_id}'")
    for name, rows in rows_of_recordings(batches):
        lengths = pc.list_value_length(rows.column("symbols")).to_numpy().astype(np.int64)
        sizes.setdefault(name, []).append(lengths)
    return {name: np.concatenate(parts) for name, parts in sizes.items()}


def only_silence(analysis: Lineage) -> str:
    """The sentence for a database without a phrase."""
    return (
        f"the recordings of {analysis.title} hold no phrase to plant a motif in: only silence, or nothing but held notes;"
        " see `motifdb status`"
    )


def too_short(sizes: Sequence[int], strengths: Sequence[int], lengths: Sequence[int]) -> str:
    """The sentence for recordings that are all too short."""
    if not sizes:
        return "no recording could be mined; set mining.max_length for this analysis, and ingest again"
    return (
        f"no recording has room: the longest has {max(sizes)} symbols, of which at most half are planted over, and"
        f" {min(strengths)} times {min(lengths)} in one phrase each are needed; give smaller --strengths or --lengths"
    )


def load_phrases(snapshot: Snapshot, contour_id: str, names: Sequence[str]) -> Iterator[PhraseColumns]:
    """The phrases of these recordings, one after the other."""
    quoted = ", ".join(f"'{n}'" for n in names)
    rows = snapshot.table("contours", filter=f"analysis_id = '{contour_id}' and recording_id in ({quoted})")
    rows = rows.sort_by([("recording_id", "ascending"), ("phrase", "ascending")]).combine_chunks()
    yield from recordings_of(rows.to_batches())


def paths_of(snapshot: Snapshot, names: Sequence[str]) -> dict[str, str]:
    """The first path of each of these recordings."""
    quoted = ", ".join(f"'{n}'" for n in names)
    if not quoted:
        return {}
    files: pa.Table = snapshot.table("files", ["recording_id", "path"], f"recording_id in ({quoted})")
    first: dict[str, str] = {}
    for row in files.sort_by([("path", "descending")]).to_pylist():
        first[row["recording_id"]] = row["path"]
    return first


def number_of(recording_id: str) -> int:
    """A recording's number for random generators: the same in every database that holds it."""
    return int.from_bytes(recording_id.encode()[:16], "big")


def mapped(function: Callable[[T], R], tasks: Sequence[T], workers: int) -> Iterator[R]:
    """Results in the order of the tasks; threads do, as the kernels let go of the interpreter."""
    if workers == 1:
        yield from map(function, tasks)
        return
    with ThreadPoolExecutor(workers) as pool:
        source = iter(tasks)
        waiting = [pool.submit(function, task) for task in islice(source, 2 * workers)]
        try:
            while waiting:
                yield waiting.pop(0).result()
                waiting += [pool.submit(function, task) for task in islice(source, 1)]
        finally:
            for future in waiting:
                future.cancel()
