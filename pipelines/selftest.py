"""The self-test: would these mining parameters find a motif in this corpus, and how weak a one?

Motifs are drawn from each recording's own null model, written into copies of its contours (or, `is_audio`, spliced into
its pitch, sung and tracked again), and the copies are mined and judged with the parameters of a stored mining analysis.
The database is opened for reading only.

Every trial has a random generator of its own, made from the seed and from what is planted where. So results do not hang
on the number of workers, and a length or strength more leaves the others as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from motifdb.config import MiningConfig
from motifdb.errors import InputError, UsageError
from motifdb.kernels import planting as kernels
from motifdb.kernels.markov import MarkovChain, fit, sample
from motifdb.pipelines.engine import usable_cores
from motifdb.pipelines.lineage import Lineage, find_mining
from motifdb.pipelines.motif_rows import PhraseColumns, contour_text
from motifdb.pipelines.planting import durations_s, mined, name_of, plant, planted_at, score
from motifdb.pipelines.selftest_cells import Trial
from motifdb.pipelines.selftest_plan import (
    N_MOTIFS,
    Options,
    Result,
    drawn,
    finished,
    has_room,
    is_kept,
    load_phrases,
    mapped,
    number_of,
    paths_of,
    planned,
    summed,
    too_short,
)

if TYPE_CHECKING:
    from motifdb.catalog.store import Snapshot
    from motifdb.pipelines.progress import Progress

_REDRAWS = 20


@dataclass(frozen=True)
class Recording:
    """A recording to plant in, its null model, and its significant motifs without planting."""

    phrases: PhraseColumns
    chain: MarkovChain
    known: frozenset[bytes]
    n_surrogate: int


def selftest(snapshot: Snapshot, options: Options, progress: Progress) -> Result:
    """Plant, mine, judge; see the module's text.

    Raises
    ------
    UsageError
        for options that cannot be, an empty database, only silence, or recordings that are all too short.
    NotFoundError
        where there is no mining analysis of recordings, or none of that name.
    """
    options.check()
    analysis = find_mining(snapshot, options.analysis)
    strengths, lengths = planned(options, analysis)
    chosen = drawn(snapshot, analysis, options, strengths, lengths)
    if options.is_audio:
        from motifdb.pipelines.selftest_audio import sing_and_mine

        return sing_and_mine(snapshot, analysis, options, (strengths, lengths), chosen, progress)
    n_motifs = options.n_motifs or N_MOTIFS
    workers = options.workers or usable_cores()
    everything = list(load_phrases(snapshot, analysis.contour_id, chosen.names))
    progress.start("mining without planting")
    recordings, n_failed = [], 0
    for made in mapped(lambda p: _prepared(p, analysis, options.seed), everything, workers):
        if made is None:
            n_failed += 1
        else:
            recordings.append(made)
    plan = [
        (length, planted, k)
        for length in lengths
        for planted in strengths
        for k in range(n_motifs)
        if any(has_room(np.diff(r.phrases.offsets), length, planted) for r in recordings)
    ]
    if not plan:
        raise UsageError(too_short([r.phrases.symbols.size for r in recordings], strengths, lengths))
    progress.begin("planting motifs", len(plan), 0, "motifs")
    trials = finished(
        mapped(lambda task: _trial(recordings, *task, analysis.mining, options.seed), plan, workers), progress
    )
    cells = summed(
        trials,
        lengths,
        strengths,
        lambda n, c: sum(not has_room(np.diff(r.phrases.offsets), n, c) for r in recordings),
    )
    return Result(
        analysis,
        options,
        cells,
        trials,
        len(recordings),
        chosen,
        n_failed,
        sum(len(r.known) for r in recordings),
        sum(r.n_surrogate for r in recordings),
        sum(r.n_surrogate > 0 for r in recordings),
        paths=paths_of(snapshot, sorted({t.recording_id for t in trials})),
    )


def _prepared(phrases: PhraseColumns, analysis: Lineage, seed: int) -> Recording | None:
    """A recording and a surrogate of it, mined as they are; None where that cannot be done."""
    chain = fit(phrases.symbols, phrases.offsets, max_order=analysis.mining.max_order)
    rng = np.random.default_rng((seed, 0, number_of(name_of(phrases))))
    try:
        known = mined(phrases, analysis.mining).significant
        surrogate = mined(surrogate_of(phrases, chain, rng), analysis.mining)
    except InputError:
        return None
    return Recording(phrases, chain, known, len(surrogate.significant))


def _trial(
    recordings: Sequence[Recording], length: int, planted: int, k: int, config: MiningConfig, seed: int
) -> Trial | None:
    """Plant motif `k` of this length in one of the recordings that have room; None where no new motif can be drawn."""
    fit_for = [r for r in recordings if has_room(np.diff(r.phrases.offsets), length, planted)]
    recording = fit_for[k % len(fit_for)]
    phrases, chain = recording.phrases, recording.chain
    # the motif hangs on recording, length and k alone: strengths are compared on the same motifs where they can be
    key = (seed, length, k, number_of(name_of(phrases)))
    motif = kernels.draw_motif(chain, length, phrases.symbols, phrases.offsets, np.random.default_rng(key))
    if motif is None:
        return None
    rng = np.random.default_rng((*key, planted))
    copy, places = plant(phrases, motif, planted, rng)
    surrogate = surrogate_of(phrases, chain, rng)
    for _ in range(_REDRAWS):
        if not kernels.occurs(surrogate.symbols, surrogate.offsets, motif):
            break
        surrogate = surrogate_of(phrases, chain, rng)
    try:
        real = score(mined(copy, config), places, recording.known)
        control = score(
            mined(planted_at(surrogate, motif, places.phrase, places.first)[0], config), places, ()
        )
    except InputError:
        return None
    return Trial(
        length,
        planted,
        name_of(phrases),
        contour_text(motif),
        kernels.information_bits(chain, phrases.offsets, motif),
        not is_kept(durations_s(phrases, places, length), config),
        real,
        control,
    )


def surrogate_of(phrases: PhraseColumns, chain: MarkovChain, rng: np.random.Generator) -> PhraseColumns:
    """A recording of the same phrase lengths and times whose symbols its null model wrote."""
    return replace(phrases, symbols=sample(chain, phrases.offsets, rng))
