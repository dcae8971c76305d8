"""The self-test on sound: stretches of pitch are spliced into recordings' pitch, sung, tracked, quantised, mined, judged.

A contour that the null model makes up need not be singable: under a quantiser of 300 cents, a step of less comes only from
a glide. So what is planted is a stretch of real singing: the pitch of some symbols of another recording (of
the same one, where no other has any), whose contour the recording has nowhere (only there). It takes the place of as many
symbols, moved to the pitch of the first note it replaces and kept inside the recording's range; what follows is later or
earlier by the difference in length. The voice is `motifdb.kernels.synth`, so timbre is not the singer's: what is
tested is the way from a sounding melody to a motif, not whether the tracker follows this microphone in this room.

Each copy is also mined from the very pitch that was sung: what is lost there, the quantiser has lost, to whom a melody after
another note is another melody.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from motifdb.config import PitchConfig
from motifdb.errors import InputError, UsageError
from motifdb.kernels import planting as kernels
from motifdb.kernels.markov import MarkovChain, fit
from motifdb.kernels.synth import CONTROL_HOP_S, VOWELS_HZ, Voice, sing
from motifdb.pipelines.engine import usable_cores
from motifdb.pipelines.lineage import Lineage
from motifdb.pipelines.motif_rows import PhraseColumns, contour_text
from motifdb.pipelines.planting import Places, Score, mined, score
from motifdb.pipelines.records import PitchTrack
from motifdb.pipelines.selftest_cells import Trial
from motifdb.pipelines.selftest_plan import (
    AUDIO_N_MOTIFS,
    AUDIO_N_RECORDINGS,
    Drawn,
    Options,
    Result,
    finished,
    has_room,
    is_kept,
    mapped,
    number_of,
    paths_of,
    summed,
    too_short,
)
from motifdb.pipelines.stages import pitch_rows, pitch_tracks, quantise

if TYPE_CHECKING:
    from motifdb.catalog.store import Snapshot
    from motifdb.pipelines.progress import Progress
    from motifdb.pipelines.trackers import Tracker

MOST_S = 120.0
"""So much of a recording is sung at most, from its first phrase on."""

_MOST_STRETCH_S = 30.0
_LEAST_SUNG_S = 0.1
_MOST_DRAWS = 300


@dataclass(frozen=True)
class _Excerpt:
    """What is planted in: pitch every `CONTROL_HOP_S` (0 = unvoiced), its contour, and what is significant without planting."""

    recording_id: str
    f0_hz: NDArray[np.float64]
    phrases: PhraseColumns
    chain: MarkovChain
    known_sung: frozenset[bytes]
    known_unsung: frozenset[bytes]


class _Ear:
    """The analysis' tracker (its default for f0 tracks, which none has tracked), one for each thread."""

    def __init__(self, analysis: Lineage) -> None:
        stored = json.loads(analysis.pitch_row["parameters"])
        self.name = str(stored.get("tracker", PitchConfig().tracker))
        self._parameters: dict[str, Any] = stored.get("parameters", {})
        self._own = threading.local()
        self._config = analysis.contour
        self.tracker  # noqa: B018  (a tracker that is not installed is said before any work)

    @property
    def tracker(self) -> Tracker:
        from motifdb.pipelines.trackers import get_tracker

        if not hasattr(self._own, "tracker"):
            self._own.tracker = get_tracker(self.name, self._parameters)
        tracker: Tracker = self._own.tracker
        return tracker

    def heard(self, name: str, f0_hz: NDArray[np.float64], rng: np.random.Generator) -> PhraseColumns | None:
        """Sing pitch, track it, and quantise what was tracked; None where nothing is left."""
        vowels = "".join(rng.permutation(list(VOWELS_HZ)))
        sound = sing(f0_hz, vowels, self.tracker.sample_rate_hz, Voice(), rng)
        (track,) = self.tracker.track([[sound]])
        return self.read(name, track)

    def read(self, name: str, track: PitchTrack) -> PhraseColumns | None:
        """Quantise a track with the analysis' quantiser."""
        rows, _ = quantise(pitch_rows(name, "sung", track), config=self._config, analysis_id="sung")
        return PhraseColumns.of(rows.combine_chunks()) if rows.num_rows else None

    def written(self, name: str, f0_hz: NDArray[np.float64]) -> PhraseColumns | None:
        """Quantise the pitch itself."""
        none = np.zeros(0, np.float32)
        return self.read(name, PitchTrack(f0_hz.astype(np.float32), none, CONTROL_HOP_S))


def sing_and_mine(
    snapshot: Snapshot,
    analysis: Lineage,
    options: Options,
    planned: tuple[Sequence[int], Sequence[int]],
    drawn: Drawn,
    progress: Progress,
) -> Result:
    """The self-test with `options.is_audio`; `planned` are strengths and lengths."""
    strengths, lengths = planned
    ear = _Ear(analysis)
    workers = options.workers or usable_cores()
    progress.start("reading pitch")
    beginnings = _beginnings(snapshot, analysis, drawn, ear, min(lengths), min(strengths))
    chosen = list(islice(beginnings, options.n_recordings or AUDIO_N_RECORDINGS))
    if not chosen:
        raise UsageError(
            f"no recording that was drawn has room for {min(strengths)} times {min(lengths)} symbols in its first"
            f" {MOST_S:.0f} s, which are sung; give smaller --strengths or --lengths, or another --seed"
        )
    progress.begin("singing without planting", len(chosen), 0, "recordings")
    excerpts: list[_Excerpt] = []
    for n, excerpt in enumerate(
        mapped(lambda one: _excerpt(*one, ear, analysis, options.seed), chosen, workers), start=1
    ):
        if excerpt is not None:
            excerpts.append(excerpt)
        progress.done(n, 0, 0.0)
    plan = [
        (length, planted, k)
        for length in lengths
        for planted in strengths
        for k in range(options.n_motifs or AUDIO_N_MOTIFS)
        if any(has_room(np.diff(e.phrases.offsets), length, planted) for e in excerpts)
    ]
    if not plan:
        raise UsageError(too_short([e.phrases.symbols.size for e in excerpts], strengths, lengths))
    progress.begin("planting, singing and tracking motifs", len(plan), 0, "motifs")
    trials = finished(
        mapped(lambda task: _trial(excerpts, *task, ear, analysis, options.seed), plan, workers), progress
    )
    return Result(
        analysis,
        options,
        summed(
            trials,
            lengths,
            strengths,
            lambda n, c: sum(not has_room(np.diff(e.phrases.offsets), n, c) for e in excerpts),
        ),
        trials,
        len(excerpts),
        drawn,
        len(chosen) - len(excerpts),
        sum(len(e.known_unsung) for e in excerpts),
        sum(len(e.known_sung) for e in excerpts),
        sum(bool(e.known_sung) for e in excerpts),
        ear.name,
        paths_of(snapshot, sorted({t.recording_id for t in trials})),
    )


def load_pitch(snapshot: Snapshot, analysis: Lineage, name: str) -> PitchTrack:
    """A recording's stored pitch, frames below the quantiser's least confidence unvoiced."""
    rows = snapshot.table("pitch", filter=f"analysis_id = '{analysis.pitch_id}' and recording_id = '{name}'")
    ((_, _, track),) = pitch_tracks(rows)
    f0_hz = np.where(np.isfinite(track.f0_hz) & (track.f0_hz > 0), track.f0_hz, 0.0)
    if track.confidence.size:
        f0_hz = np.where(track.confidence >= analysis.contour.min_confidence, f0_hz, 0.0)
    return PitchTrack(f0_hz.astype(np.float32), track.confidence, track.hop_s, track.start_s)


def on_grid(f0_hz: NDArray[np.float32], hop_s: float) -> NDArray[np.float64]:
    """Pitch every `CONTROL_HOP_S`, between two voiced frames on the line of their cents, elsewhere the nearest frame's.

    >>> on_grid(np.array([100.0, 100.0, 0.0], np.float32), 0.01).round(6).tolist()
    [100.0, 100.0, 100.0, 100.0, 0.0, 0.0]
    """
    at = np.arange(round(f0_hz.size * hop_s / CONTROL_HOP_S)) * (CONTROL_HOP_S / hop_s)
    low = np.minimum(at.astype(np.int64), f0_hz.size - 1)
    high = np.minimum(low + 1, f0_hz.size - 1)
    share = np.minimum(at - low, 1.0)
    a, b = f0_hz[low].astype(np.float64), f0_hz[high].astype(np.float64)
    both = (a > 0) & (b > 0)
    between = np.exp2((1 - share) * np.log2(np.where(both, a, 1.0)) + share * np.log2(np.where(both, b, 1.0)))
    return np.where(both, between, np.where(share < 0.5 + 1e-9, a, b))


def singable(f0_hz: NDArray[np.float64]) -> NDArray[np.float64]:
    """Pitch without what no voice sings: an octave beyond the outer 2 % of the frames, or for less than 0.1 s.

    The synthesiser fades in and out over 0.06 s, so of a shorter stretch it would leave only the breath, made loud.

    >>> np.flatnonzero(singable(np.r_[np.full(40, 200.0), 0, np.full(10, 210.0), 0, np.full(40, 190.0)]) == 0).size
    12
    """
    out = f0_hz.copy()
    if (out > 0).any():
        low, high = np.percentile(out[out > 0], (2, 98))
        out[(out < low / 2) | (out > 2 * high)] = 0.0
    edges = np.flatnonzero(np.diff(np.concatenate([[0], (out > 0).astype(np.int8), [0]])))
    for start, stop in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        if (stop - start) * CONTROL_HOP_S < _LEAST_SUNG_S:
            out[start:stop] = 0.0
    return out


def _beginnings(
    snapshot: Snapshot, analysis: Lineage, drawn: Drawn, ear: _Ear, length: int, planted: int
) -> Iterator[tuple[str, NDArray[np.float64], PhraseColumns]]:
    """Pitch and contour of the first two minutes of each recording in which there is room for such a motif."""
    for name in drawn.names:
        track = load_pitch(snapshot, analysis, name)
        f0_hz = on_grid(track.f0_hz, track.hop_s) if track.f0_hz.size else np.zeros(0)
        voiced = np.flatnonzero(f0_hz > 0)
        if not voiced.size:
            continue
        start = max(0, int(voiced[0]) - round(0.2 / CONTROL_HOP_S))
        f0_hz = singable(f0_hz[start : start + round(MOST_S / CONTROL_HOP_S)])
        written = ear.written(name, f0_hz)
        if written is not None and has_room(np.diff(written.offsets), length, planted):
            yield name, f0_hz, written


def _excerpt(
    name: str, f0_hz: NDArray[np.float64], written: PhraseColumns, ear: _Ear, analysis: Lineage, seed: int
) -> _Excerpt | None:
    """What is sung of a recording, sung and mined as it is; None where that cannot be done."""
    rng = np.random.default_rng((seed, 2, number_of(name)))
    heard = ear.heard(name, f0_hz, rng)
    try:
        sung = mined(heard, analysis.mining).significant if heard is not None else frozenset[bytes]()
        unsung = mined(written, analysis.mining).significant
    except InputError:
        return None
    chain = fit(written.symbols, written.offsets, max_order=analysis.mining.max_order)
    return _Excerpt(name, f0_hz, written, chain, sung, unsung)


def _trial(
    excerpts: Sequence[_Excerpt], length: int, planted: int, k: int, ear: _Ear, analysis: Lineage, seed: int
) -> Trial | None:
    """Plant stretch `k` in one of the excerpts that have room; None where no stretch is new to it, or mining stops."""
    fit_for = [e for e in excerpts if has_room(np.diff(e.phrases.offsets), length, planted)]
    excerpt = fit_for[k % len(fit_for)]
    name = excerpt.recording_id
    key = (seed, length, k, number_of(name))
    drawn = _stretch(excerpts, excerpt, length, analysis, np.random.default_rng(key))
    if drawn is None:
        return None
    motif, stretch_hz = drawn
    rng = np.random.default_rng((*key, planted))
    f0_hz, places = _spliced(excerpt, stretch_hz, length, planted, rng)
    scores = []
    try:
        for phrases, known in (
            (ear.heard(name, f0_hz, rng), excerpt.known_sung),
            (ear.written(name, f0_hz), excerpt.known_unsung),
        ):
            if phrases is None:  # the tracker heard nothing, or one held note
                scores.append(Score(False, False, False, 0, 0, 0))
            else:
                scores.append(score(mined(phrases, analysis.mining), places, known, is_sung=True))
    except InputError:
        return None
    return Trial(
        length,
        planted,
        name,
        contour_text(motif),
        kernels.information_bits(excerpt.chain, excerpt.phrases.offsets, motif),
        not is_kept(places.end - places.start, analysis.mining),
        *scores,
    )


def _stretch(
    excerpts: Sequence[_Excerpt], target: _Excerpt, length: int, analysis: Lineage, rng: np.random.Generator
) -> tuple[NDArray[np.int8], NDArray[np.float64]] | None:
    """Symbols and pitch of a stretch whose contour is new to the target and long enough to be kept; None of none."""
    others = [e for e in excerpts if e is not target]
    has_symbol = np.isin(np.arange(-128, 128), target.chain.alphabet)
    for n in range(2 * _MOST_DRAWS):
        source = others[int(rng.integers(len(others)))] if others and n < _MOST_DRAWS else target
        phrases = source.phrases
        lengths = np.diff(phrases.offsets)
        n_starts = np.maximum(lengths - length + 1, 0)
        if not n_starts.sum():
            continue
        at = int(rng.integers(n_starts.sum()))
        p = int(np.searchsorted(np.cumsum(n_starts), at, side="right"))
        first = at - int(n_starts[:p].sum())
        symbol = int(phrases.offsets[p]) + first
        motif = phrases.symbols[symbol : symbol + length].copy()
        start_s = float(phrases.segment_start_s[symbol + p])
        end_s = float(phrases.segment_end_s[symbol + p + length])
        if not has_symbol[motif.astype(np.int64) + 128].all() or end_s - start_s > _MOST_STRETCH_S:
            continue
        if not is_kept(np.array([end_s - start_s]), analysis.mining):
            continue
        if source is target:
            elsewhere = phrases.symbols.copy()
            elsewhere[symbol : symbol + length] = 0  # no symbol is 0
        else:
            elsewhere = target.phrases.symbols
        if not kernels.occurs(elsewhere, target.phrases.offsets, motif):
            return motif, source.f0_hz[round(start_s / CONTROL_HOP_S) : round(end_s / CONTROL_HOP_S)]
    return None


def _spliced(
    excerpt: _Excerpt, stretch_hz: NDArray[np.float64], length: int, planted: int, rng: np.random.Generator
) -> tuple[NDArray[np.float64], Places]:
    """The excerpt's pitch with the stretch in place of `length` symbols at `planted` places; and when it sounds."""
    phrases, f0_hz = excerpt.phrases, excerpt.f0_hz
    phrase, first = kernels.draw_places(np.diff(phrases.offsets), length, planted, rng)
    segment = phrases.offsets[phrase] + phrase + first
    low, high = np.log2(np.percentile(f0_hz[f0_hz > 0], (2, 98)))
    sung = np.log2(stretch_hz[stretch_hz > 0])
    parts, starts, reached, n_frames = [], [], 0, 0
    for s in segment.tolist():
        begin = max(round(float(phrases.segment_start_s[s]) / CONTROL_HOP_S), reached)
        end = max(round(float(phrases.segment_end_s[s + length]) / CONTROL_HOP_S), begin)
        replaced = f0_hz[begin:end]
        level = np.log2(replaced[replaced > 0][0]) if (replaced > 0).any() else (low + high) / 2
        shift = level - sung[0]
        # inside the range of what is sung here; in the middle of it, where the stretch is wider
        shift = float(np.clip(shift, *sorted((low - sung.min(), high - sung.max()))))
        parts += [f0_hz[reached:begin], stretch_hz * 2.0**shift]
        n_frames += begin - reached
        starts.append(n_frames)
        n_frames += stretch_hz.size
        reached = end
    start = np.array(starts) * CONTROL_HOP_S
    return singable(np.concatenate([*parts, f0_hz[reached:]])), Places(
        phrase, first, start, start + stretch_hz.size * CONTROL_HOP_S
    )
