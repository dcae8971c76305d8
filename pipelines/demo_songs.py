"""Songs for the demo corpus: melodic phrases in a mode, with motifs planted at known times.

A singer has motifs of their own and sings each several times in every song: as it is, transposed, at another
tempo, and with an ornament. All but the ornamented rendition have the same sequence of intervals, so a contour
that ignores time and key is the same for them. A motif is sung in syllables: a short voiceless consonant parts
its notes. Around the motifs stand random melismas of the same mode, whose notes glide into each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from motifdb.kernels.synth import Voice

Variation = Literal["plain", "transposed", "tempo", "ornamented"]

MODES: dict[str, tuple[int, ...]] = {
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "phrygian": (0, 1, 3, 5, 7, 8, 10),
    "lydian": (0, 2, 4, 6, 7, 9, 11),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
}
"""Seven-note modes, in semitones over the tonic."""

VOICES: dict[str, Voice] = {
    "soprano": Voice(
        277.0, 1.16, vibrato_hz=5.8, vibrato_cents=22.0, portamento_s=0.07, breath=0.02, tilt=1.4
    ),
    "alto": Voice(208.0, 1.10, vibrato_hz=5.4, vibrato_cents=20.0, portamento_s=0.09, breath=0.04, tilt=1.3),
    "tenor": Voice(156.0, 1.00, vibrato_hz=5.6, vibrato_cents=21.0, portamento_s=0.08, breath=0.03, tilt=1.2),
    "bass": Voice(110.0, 0.92, vibrato_hz=5.1, vibrato_cents=18.0, portamento_s=0.10, breath=0.05, tilt=1.1),
}
"""The four kinds of voice; a fifth singer is a second soprano, and so on."""

_RHYTHM_S = (0.36, 0.44, 0.54, 0.66)
_LOWEST, _HIGHEST = -4, 12  # semitones from the tonic that every voice keeps to
_MORDENT_S = 0.09
_CONSONANT_S = 0.08  # well under the rest that ends a phrase


@dataclass(frozen=True)
class Motif:
    """What is planted: semitones over its own first note, and how long each note lasts."""

    name: str
    semitones: tuple[int, ...]
    durations_s: tuple[float, ...]


@dataclass(frozen=True)
class Rendition:
    """Where a motif sounds in a song; times from the song's start, notes in semitones over the singer's tonic."""

    motif: str
    variation: Variation
    start_s: float
    end_s: float
    notes: tuple[int, ...]


@dataclass(frozen=True)
class Song:
    """A note list (NaN = rest, cents over 440 Hz) and what is planted in it."""

    mode: str
    notes_cents: NDArray[np.float64]
    durations_s: NDArray[np.float64]
    renditions: tuple[Rendition, ...]


def compose_motifs(
    singer: str, n_motifs: int, taken: set[str], rng: np.random.Generator
) -> tuple[Motif, ...]:
    """Motifs of 5 to 7 notes and 2.5 to 4 s whose ups and downs no other motif in `taken` begins with.

    Steps are 4 to 7 semitones, so that they survive vibrato, drift and a quantiser that is blind to minor
    thirds. `taken` gets the new ones' ups and downs; where so many are taken that 200 tries bring no new one,
    they may come again.
    """
    motifs: list[Motif] = []
    n_tries = 0
    while len(motifs) < n_motifs:
        n_tries += 1
        n_notes = int(rng.integers(5, 8))
        steps = rng.integers(4, 8, n_notes - 1) * rng.choice((-1, 1), n_notes - 1)
        semitones = np.concatenate(([0], np.cumsum(steps)))
        shape = "".join("+" if s > 0 else "-" for s in steps)
        durations_s = rng.choice(_RHYTHM_S, n_notes)
        is_new = n_tries > 200 or not any(shape.startswith(t) or t.startswith(shape) for t in taken)
        if np.ptp(semitones) <= 12 and len(set(shape)) == 2 and is_new and 2.5 <= durations_s.sum() <= 4.0:
            taken.add(shape)
            n_tries = 0
            name = f"{singer}-motif-{len(motifs) + 1}"
            motifs.append(Motif(name, tuple(map(int, semitones)), tuple(map(float, durations_s))))
    return tuple(motifs)


def compose_song(
    motifs: tuple[Motif, ...], n_renditions: int, mode: str, voice: Voice, rng: np.random.Generator
) -> Song:
    """Phrases in random order with every motif `n_renditions` times.

    The first three renditions of a motif are plain, transposed and at another tempo, in this order of making; a
    fourth is ornamented with a mordent, and so on in turn. Half the phrases go on after the motif with notes of
    the mode, a quarter have such notes before it; one more phrase for every four has no motif. Phrases are parted by
    rests of 0.5 to 0.8 s.
    """
    plan: list[tuple[Motif, Variation] | None] = []
    kinds: tuple[Variation, ...] = ("plain", "transposed", "tempo", "ornamented")
    for motif in motifs:
        plan += [(motif, kinds[i % len(kinds)]) for i in range(n_renditions)]
    plan += [None] * max(1, len(plan) // 4)
    order = rng.permutation(len(plan))

    notes: list[float] = [np.nan]
    durations_s: list[float] = [0.4]
    renditions: list[Rendition] = []
    for i in order:
        planted = plan[int(i)]
        if planted is None:
            _append(notes, durations_s, *_filler(mode, int(rng.integers(4, 8)), rng))
        else:
            if rng.random() < 0.25:
                _append(notes, durations_s, *_filler(mode, int(rng.integers(1, 3)), rng))
            if not np.isnan(notes[-1]):
                _append(notes, durations_s, [np.nan], [_CONSONANT_S])
            semitones, lengths_s = _vary(*planted, mode, rng)
            start_s = sum(durations_s)
            _append(notes, durations_s, semitones, lengths_s)
            end_s = sum(durations_s)
            sung = tuple(int(s) for s in semitones if not np.isnan(s))
            renditions.append(Rendition(planted[0].name, planted[1], start_s, end_s, sung))
            if rng.random() < 0.5:
                _append(notes, durations_s, [np.nan], [_CONSONANT_S])
                _append(notes, durations_s, *_filler(mode, int(rng.integers(1, 4)), rng))
        notes.append(np.nan)
        durations_s.append(float(rng.uniform(0.5, 0.8)))
    tonic_cents = 1200.0 * np.log2(voice.tonic_hz / 440.0)
    return Song(mode, tonic_cents + 100.0 * np.asarray(notes), np.asarray(durations_s), tuple(renditions))


def _append(
    notes: list[float], durations_s: list[float], semitones: list[float], lengths_s: list[float]
) -> None:
    notes.extend(semitones)
    durations_s.extend(lengths_s)


def _filler(mode: str, n_notes: int, rng: np.random.Generator) -> tuple[list[float], list[float]]:
    """A random walk over the degrees of the mode; one note in four has a grace note from the degree above."""
    scale = [o + s for o in (-12, 0, 12) for s in MODES[mode] if _LOWEST <= o + s <= _HIGHEST]
    degree = int(rng.integers(0, len(scale)))
    semitones: list[float] = []
    lengths_s: list[float] = []
    for _ in range(n_notes):
        if rng.random() < 0.25 and degree + 1 < len(scale):
            semitones.append(scale[degree + 1])
            lengths_s.append(_MORDENT_S)
        semitones.append(scale[degree])
        lengths_s.append(float(rng.choice(_RHYTHM_S)))
        steps = [d for d in (-3, -2, -1, 1, 2, 3) if 0 <= degree + d < len(scale)]
        degree += int(rng.choice(steps))
    return semitones, lengths_s


def _vary(
    motif: Motif, variation: Variation, mode: str, rng: np.random.Generator
) -> tuple[list[float], list[float]]:
    """Notes and lengths of one rendition, its consonants as short rests.

    Every rendition but the transposed one starts on the lowest degree of the mode that keeps it inside the voice.
    """
    low, high = min(motif.semitones), max(motif.semitones)
    starts = [s for s in MODES[mode] if s + low >= _LOWEST and s + high <= _HIGHEST] or [_LOWEST - low]
    start = starts[0]
    if variation == "transposed" and len(starts) > 1:
        start = int(rng.choice(starts[1:]))
    tempo = float(rng.choice((0.85, 1.2))) if variation == "tempo" else 1.0
    # A mordent on the longest inner note: the note, the one below it, the note again, in the time of one.
    mordent = 1 + int(np.argmax(motif.durations_s[1:-1])) if variation == "ornamented" else None
    semitones: list[float] = []
    lengths_s: list[float] = []
    for i, (step, duration_s) in enumerate(zip(motif.semitones, motif.durations_s, strict=True)):
        note = float(start + step)
        sung_s = tempo * duration_s - (_CONSONANT_S if i + 1 < len(motif.semitones) else 0.0)
        if i == mordent:
            _append(
                semitones,
                lengths_s,
                [note, note - 2, note],
                [_MORDENT_S, _MORDENT_S, sung_s - 2 * _MORDENT_S],
            )
        else:
            _append(semitones, lengths_s, [note], [sung_s])
        if i + 1 < len(motif.semitones):
            _append(semitones, lengths_s, [np.nan], [_CONSONANT_S])
    return semitones, lengths_s
