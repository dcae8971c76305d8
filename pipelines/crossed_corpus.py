"""A generated corpus in which every voice sings every song: what tells a singer from a song can be measured on it.

    DIR/SINGER/TITLE.flac   the performances, 22,050 Hz, one channel
    DIR/manifest.csv        path, f0, singer, style, work, title: what `ingest --metadata` reads
    DIR/f0/TITLE.f0.csv     time_s, f0_hz: the pitch that was sung, 0 in rests
    DIR/truth.csv           path, motif, variation, start_s, end_s, notes: the motifs of each song, in every voice

Corpora in which many singers share several works are private (DAMP, DAMP-balanced) or small. This one has their shape:
a complete table of singers and works. What belongs to a **voice** is formants, spectral tilt, breath, vibrato, glides,
drift, range and tempo; what belongs to a **song** is mode, notes, rhythm, key and words (its vowels); what belongs to
one **performance** alone is uneven timing, tuning, loudness, jitter and the colour of its microphone. A song has one key for all, as
over a backing track (how DAMP was sung): each voice takes the octave that is nearest to its own range. So mean chroma and
mean spectrum know songs as well as voices, which is what makes the two hard to tell apart in practice.

The same arguments give the same bytes; one singer or song more leaves the others as they are.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from motifdb.errors import UsageError
from motifdb.kernels.synth import VOWELS_HZ, Voice, melody_f0, sing
from motifdb.pipelines.demo_corpus import (
    DemoTruth,
    PlantedRendition,
    require_own,
    truth_row,
    write_csv,
    write_f0,
)
from motifdb.pipelines.demo_songs import MODES, VOICES, Motif, Song, compose_motifs, compose_song

SAMPLE_RATE_HZ = 22_050
"""What damp-2018 and siamese-2018 read."""

MIN_SONG_S = 20.0
N_MOTIFS, N_RENDITIONS = 2, 3
"""Motifs of a song, and how often each comes in it."""

_VOICE, _SONG, _PERFORMANCE = 1, 2, 3
"""First word of the seeds of what belongs to a voice, to a song and to one performance."""

_N_KEYS = 12
_N_TRAITS = 8
_SLOPE_DB, _PEAK_DB = 1.5, 4.0
_UNEVEN_TIMING, _DETUNED_CENTS = 0.06, 20.0


@dataclass(frozen=True)
class Singer:
    """A voice and how fast it takes a song: 1.1 sings everything a tenth slower than written."""

    name: str
    voice: Voice
    tempo: float


@dataclass(frozen=True)
class Work:
    """A song as written, for a tonic of 440 Hz, with its words as one vowel for each run of voice.

    `key_cents` is its tonic over A, 0 to 1200. Tracks are tuned a little apart, so that equal notes of two songs are not equal
    sounds: synthetic ones are so pure that an audit would call a held note of the same pitch shared sound.
    """

    name: str
    mode: str
    song: Song
    vowels: str
    key_cents: float


def make_crossed_corpus(
    folder: str | Path, n_singers: int = 8, n_songs: int = 6, seed: int = 1, noise: float = 1.0
) -> DemoTruth:
    """Sing every song in every voice.

    Parameters
    ----------
    folder : made where it is missing; must be empty or hold an earlier demo corpus
    n_singers, n_songs : at least 2 of each, so that there is something to cross
    seed : same seed, same bytes
    noise : scales what belongs to a performance alone (timing, microphone, jitter), breath and drift; 0 is a perfect
        singer in a quiet room

    Raises
    ------
    UsageError
        for fewer than 2 singers or songs, negative noise, or a folder that holds other things.
    """
    folder = Path(folder)
    for name, n in (("singers", n_singers), ("songs", n_songs)):
        if n < 2:
            raise UsageError(f"a crossing needs at least 2 {name}, got {n}")
    if not noise >= 0:
        raise UsageError(f"noise must be 0 or more, got {noise}")
    if seed < 0:
        raise UsageError(f"seed must be 0 or more, got {seed}")
    require_own(folder)
    (folder / "f0").mkdir(parents=True, exist_ok=True)
    works = make_works(n_songs, seed)
    labels: list[dict[str, str]] = []
    renditions: list[PlantedRendition] = []
    duration_s = 0.0
    for s in range(n_singers):
        singer = make_singer(s, seed, noise)
        for w, work in enumerate(works):
            rng = np.random.default_rng((seed, _PERFORMANCE, s, w))
            title = f"{singer.name}-{work.name}"
            path, f0 = f"{singer.name}/{title}.flac", f"f0/{title}.f0.csv"
            sung, f0_hz, sound = perform(singer, work, noise, rng)
            _write(folder / path, sound)
            write_f0(folder / f0, f0_hz)
            labels.append(
                {
                    "path": path,
                    "f0": f0,
                    "singer": singer.name,
                    "style": work.mode,
                    "work": work.name,
                    "title": title,
                }
            )
            renditions += [replace(r, path=path) for r in sung]
            duration_s += sound.size / SAMPLE_RATE_HZ
    manifest = folder / "manifest.csv"
    write_csv(manifest, labels)
    write_csv(folder / "truth.csv", [truth_row(r) for r in renditions])
    return DemoTruth(folder, manifest, tuple(row["path"] for row in labels), duration_s, tuple(renditions))


def make_singer(number: int, seed: int, noise: float = 1.0) -> Singer:
    """The voice of a number: one of the four kinds in turn, with traits of its own spread evenly over what is plausible.

    Neighbouring voices of a kind are meant to be near: the tonics of a kind lie within 3 semitones, the formants within
    8 %, as with singers of one range.
    """
    kinds = list(VOICES)
    again, kind = divmod(number, len(kinds))
    base = VOICES[kinds[kind]]
    # an additive recurrence fills the cube of traits evenly for any number of voices; draws could fall together
    ratio = _golden(_N_TRAITS)
    turn = np.random.default_rng((seed, _VOICE)).random(_N_TRAITS)
    steps = ratio ** -np.arange(1.0, _N_TRAITS + 1)
    tonic, formants, rate, extent, glide, drift, tilt, tempo = ((turn + (number + 1) * steps) % 1.0).tolist()
    voice = Voice(
        tonic_hz=base.tonic_hz * 2 ** ((3.0 * tonic - 1.5) / 12),
        formant_scale=base.formant_scale * (0.96 + 0.08 * formants),
        vibrato_hz=4.5 + 2.2 * rate,
        vibrato_cents=25.0 + 30.0 * extent,
        portamento_s=0.05 + 0.08 * glide,
        drift_cents=(5.0 + 25.0 * drift) * noise,
        jitter_cents=2.0 * base.jitter_cents * noise,
        breath=base.breath * noise,
        tilt=base.tilt - 0.15 + 0.3 * tilt,
    )
    return Singer(f"{kinds[kind]}-{again + 1}", voice, 0.9 + 0.3 * tempo)


def make_works(n_songs: int, seed: int) -> list[Work]:
    """Songs with motifs of their own, each at least `MIN_SONG_S` long at any singer's tempo."""
    taken: set[str] = set()
    works = []
    # twelve songs have twelve keys before one comes again
    keys = np.random.default_rng((seed, _SONG)).permutation(_N_KEYS)
    for w in range(n_songs):
        rng = np.random.default_rng((seed, _SONG, w))
        name, mode = f"song-{w + 1}", list(MODES)[w % len(MODES)]
        motifs = compose_motifs(name, N_MOTIFS, taken, rng)
        song = _long_enough(motifs, mode, rng)
        n_runs = int(np.sum(~np.isnan(song.notes_cents) & np.r_[True, np.isnan(song.notes_cents[:-1])]))
        # words favour some vowels, as a text does
        weights = rng.dirichlet(np.full(len(VOWELS_HZ), 0.8))
        vowels = "".join(rng.choice(list(VOWELS_HZ), n_runs, p=weights))
        key_cents = 100.0 * float(keys[w % _N_KEYS]) + float(rng.uniform(-50, 50))
        works.append(Work(name, mode, song, vowels, key_cents % 1200.0))
    return works


def sung_tonic_cents(singer: Singer, work: Work) -> float:
    """The tonic of a song in a voice, in cents over 440 Hz: the song's key in the octave nearest to the voice's own tonic."""
    own_cents = 1200.0 * float(np.log2(singer.voice.tonic_hz / 440.0))
    return work.key_cents + 1200.0 * round((own_cents - work.key_cents) / 1200.0)


def perform(
    singer: Singer, work: Work, noise: float, rng: np.random.Generator
) -> tuple[list[PlantedRendition], NDArray[np.float64], NDArray[np.float32]]:
    """A song in a voice.

    Returns
    -------
    its motifs (times in s from the start; path empty), its pitch every `CONTROL_HOP_S` in Hz, 0 in rests, and its sound,
    float32 at `SAMPLE_RATE_HZ`, peak 0.8.
    """
    song = work.song
    uneven = np.exp(_UNEVEN_TIMING * noise * rng.standard_normal(song.durations_s.size))
    durations_s = singer.tempo * song.durations_s * np.clip(uneven, 0.8, 1.25)
    written_s = np.concatenate(([0.0], np.cumsum(song.durations_s)))
    sung_s = np.concatenate(([0.0], np.cumsum(durations_s)))
    tonic_cents = sung_tonic_cents(singer, work) + _DETUNED_CENTS * noise * float(rng.standard_normal())
    f0_hz = melody_f0(song.notes_cents + tonic_cents, durations_s, singer.voice, rng)
    sound = sing(f0_hz, work.vowels, SAMPLE_RATE_HZ, singer.voice, rng)
    starts, ends = (
        np.interp([getattr(r, side) for r in song.renditions], written_s, sung_s)
        for side in ("start_s", "end_s")
    )
    planted = [
        PlantedRendition("", r.motif, r.variation, round(float(a), 4), round(float(b), 4), r.notes)
        for r, a, b in zip(song.renditions, starts, ends, strict=True)
    ]
    return planted, f0_hz, _through_microphone(sound, noise, rng)


def _golden(n_dims: int) -> float:
    """The positive root of x ** (n + 1) = x + 1, whose powers are steps that fill a cube of n dimensions evenly."""
    x = 1.5
    for _ in range(60):
        x = (1.0 + x) ** (1.0 / (n_dims + 1))
    return x


def _long_enough(motifs: tuple[Motif, ...], mode: str, rng: np.random.Generator) -> Song:
    """A song for a tonic of 440 Hz; further renditions where its motifs happen to be short."""
    n_renditions = N_RENDITIONS
    while True:
        song = compose_song(motifs, n_renditions, mode, Voice(tonic_hz=440.0), rng)
        # the fastest singer takes 0.9 of the time, uneven timing a little more
        if song.durations_s.sum() * 0.85 >= MIN_SONG_S:
            return song
        n_renditions += 1


def _through_microphone(
    sound: NDArray[np.float32], noise: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """With a spectral slope, a broad peak or dip and a hiss of the performance's own."""
    slope_db, peak_db = rng.uniform(-1, 1, 2) * (_SLOPE_DB * noise, _PEAK_DB * noise)
    centre_hz, hiss_db = 10 ** rng.uniform(2.5, 3.7), rng.uniform(-60, -50)
    hiss = rng.standard_normal(sound.size)
    if not noise:
        return sound
    hz = np.fft.rfftfreq(sound.size, 1.0 / SAMPLE_RATE_HZ)
    octaves = np.log2(np.maximum(hz, 50.0) / 1000.0)
    gain_db = slope_db * octaves + peak_db * np.exp(-0.5 * (octaves - np.log2(centre_hz / 1000.0)) ** 2)
    heard = np.fft.irfft(np.fft.rfft(sound) * 10 ** (gain_db / 20), sound.size)
    heard += noise * 0.8 * 10 ** (hiss_db / 20) * hiss
    out: NDArray[np.float32] = (0.8 * heard / np.abs(heard).max()).astype(np.float32)
    return out


def _write(path: Path, sound: NDArray[np.float32]) -> None:
    import soundfile

    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, sound, SAMPLE_RATE_HZ, subtype="PCM_16")
