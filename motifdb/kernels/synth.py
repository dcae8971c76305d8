"""A voice whose melody is known: note lists become f0, f0 becomes sound.

The model is source and filter. The source is a band-limited sum of harmonics of a given f0, tilted like a
glottal pulse; the filter is a row of formant resonances that moves from vowel to vowel; breath is noise through
the same filter. It is meant to be tracked, not to be admired: what matters is that f0, vibrato, portamento,
drift and rests are exactly those that were asked for.

Formant frequencies are the averages for men of Peterson and Barney, "Control methods used in a study of the
vowels", J. Acoust. Soc. Am. 24 (1952), Table II, scaled per voice.

**Conventions**: cents over 440 Hz; 0 Hz is unvoiced; a rest is a note with NaN cents.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

CONTROL_HOP_S = 0.005
"""Time between two values of f0, loudness and vowel."""

VOWELS_HZ: dict[str, tuple[float, float, float]] = {
    "a": (730.0, 1090.0, 2440.0),
    "e": (530.0, 1840.0, 2480.0),
    "i": (270.0, 2290.0, 3010.0),
    "o": (570.0, 840.0, 2410.0),
    "u": (300.0, 870.0, 2240.0),
}
"""First three formants of five vowels, in Hz."""

_BANDWIDTHS_HZ = (90.0, 110.0, 170.0)
_SINGERS_FORMANT_HZ = 2900.0
_N_FFT = 1024
_HIGHEST_HARMONIC_HZ = 9000.0


@dataclass(frozen=True)
class Voice:
    """What tells one singer from another.

    Attributes
    ----------
    tonic_hz : pitch of the note at 0 semitones
    formant_scale : all formants times this; above 1 is a shorter vocal tract
    vibrato_hz, vibrato_cents : rate, and extent to either side of the note
    portamento_s : time a glide from note to note takes
    drift_cents : how far the tuning wanders, to either side, over a song
    jitter_cents : standard deviation of the fast irregularity of f0
    breath : loudness of the breath noise, as a share of the tone's
    tilt : exponent of the fall of the harmonics, amplitude = n ** -tilt
    """

    tonic_hz: float = 220.0
    formant_scale: float = 1.0
    vibrato_hz: float = 5.5
    vibrato_cents: float = 25.0
    portamento_s: float = 0.08
    drift_cents: float = 15.0
    jitter_cents: float = 2.0
    breath: float = 0.03
    tilt: float = 1.3


def melody_f0(
    notes_cents: NDArray[np.float64], durations_s: NDArray[np.float64], voice: Voice, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Pitch of a sung note list, every `CONTROL_HOP_S`.

    A phrase (notes between rests) is the note levels smoothed by a raised cosine of `voice.portamento_s`, so
    glides are monotone and symmetric about the change of note; vibrato starts 0.1 s after each onset and grows
    over 0.15 s; drift is two slow sinusoids; jitter is smoothed noise.

    Parameters
    ----------
    notes_cents : shape (n_notes,), cents; NaN is a rest
    durations_s : shape (n_notes,), seconds, positive
    voice : whose vibrato, portamento, drift and jitter
    rng : source of every random choice

    Returns
    -------
    float64, shape (ceil(sum(durations_s) / CONTROL_HOP_S),), Hz, 0 in rests

    Raises
    ------
    ValueError
        when the two lists differ in length or a duration is not positive.
    """
    if notes_cents.shape != durations_s.shape or notes_cents.ndim != 1:
        raise ValueError(
            f"notes {notes_cents.shape} and durations {durations_s.shape} must be lists of one length"
        )
    if notes_cents.size == 0:
        return np.zeros(0)
    if not np.all(durations_s > 0):
        raise ValueError(f"every duration must be positive, got {durations_s.min()} s")
    ends_s = np.cumsum(durations_s)
    n_frames = int(np.ceil(ends_s[-1] / CONTROL_HOP_S - 1e-9))
    times_s = np.arange(n_frames) * CONTROL_HOP_S
    note = np.minimum(np.searchsorted(ends_s, times_s, side="right"), ends_s.size - 1)
    since_onset_s = times_s - (ends_s - durations_s)[note]

    growth = np.clip((since_onset_s - 0.1) / 0.15, 0.0, 1.0)
    vibrato = voice.vibrato_cents * growth * np.sin(2 * np.pi * voice.vibrato_hz * (since_onset_s - 0.1))
    cents = notes_cents[note] + vibrato
    voiced = ~np.isnan(cents)
    for start, stop in _runs(voiced):
        cents[start:stop] = _smooth(cents[start:stop], voice.portamento_s)

    phases = rng.uniform(0, 2 * np.pi, 2)
    slow = 0.6 * np.sin(2 * np.pi * times_s / 23.0 + phases[0]) + 0.4 * np.sin(
        2 * np.pi * times_s / 11.0 + phases[1]
    )
    rough = _smooth(rng.standard_normal(n_frames), 0.02)
    cents = cents + voice.drift_cents * slow + voice.jitter_cents * rough / max(float(rough.std()), 1e-12)
    return np.where(voiced, 440.0 * np.exp2(np.where(voiced, cents, 0.0) / 1200.0), 0.0)


def sing(
    f0_hz: NDArray[np.float64], vowels: str, sample_rate_hz: int, voice: Voice, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Sound of a voice with this pitch.

    Parameters
    ----------
    f0_hz : shape (n_frames,), Hz, 0 in rests, every `CONTROL_HOP_S`
    vowels : one letter of `VOWELS_HZ` for each phrase, repeated where there are more phrases
    sample_rate_hz : 8,000 or more
    voice : whose formants, breath and tilt
    rng : source of the noise and of the loudness of phrases

    Returns
    -------
    float32, shape (round(n_frames * CONTROL_HOP_S * sample_rate_hz),), peak 0.8 (all 0 without a voiced frame)
    """
    if sample_rate_hz < 8000:
        raise ValueError(f"sample_rate_hz={sample_rate_hz} must be at least 8000")
    if not vowels or any(v not in VOWELS_HZ for v in vowels):
        raise ValueError(f"vowels={vowels!r} must be letters of {''.join(VOWELS_HZ)}")
    n_samples = round(f0_hz.size * CONTROL_HOP_S * sample_rate_hz)
    runs = _runs(f0_hz > 0)
    if n_samples == 0 or not runs:
        return np.zeros(n_samples, dtype=np.float32)

    run_of_frame = np.zeros(f0_hz.size, dtype=np.int64)  # rests belong to the run before them
    for i, (start, _) in enumerate(runs):
        run_of_frame[start:] = i
    # Fades lie inside the voiced frames, so that silence is where f0 is 0.
    fade = np.clip(2.0 * _smooth((f0_hz > 0).astype(np.float64), 0.06) - 1.0, 0.0, 1.0)

    frame_of_sample = np.arange(n_samples) / (CONTROL_HOP_S * sample_rate_hz)
    held_hz = _held(f0_hz)
    hz = np.exp2(np.interp(frame_of_sample, np.arange(f0_hz.size), np.log2(held_hz)))
    envelope = np.interp(frame_of_sample, np.arange(f0_hz.size), fade)
    n_harmonics = max(1, int(min(_HIGHEST_HARMONIC_HZ, 0.45 * sample_rate_hz) / held_hz.max()))
    tone = _harmonics(2 * np.pi * np.cumsum(hz) / sample_rate_hz, n_harmonics, voice.tilt) * envelope
    breath = rng.standard_normal(n_samples) * (0.7 * envelope + 0.3) * voice.breath
    vowel_of_frame = run_of_frame % len(vowels)
    sound = _formants(tone + breath * tone.std(), vowels, vowel_of_frame, sample_rate_hz, voice)
    # A singer makes up for weak vowels and low notes: every run is as loud as it was meant to be.
    run_of_sample = run_of_frame[frame_of_sample.astype(np.int64)]
    weight = np.bincount(run_of_sample, envelope**2, len(runs))
    power = np.bincount(run_of_sample, (sound * envelope) ** 2, len(runs)) / np.maximum(weight, 1e-9)
    sound = sound * (rng.uniform(0.8, 1.0, len(runs)) / np.sqrt(np.maximum(power, 1e-12)))[run_of_sample]
    out: NDArray[np.float32] = (0.8 * sound / np.abs(sound).max()).astype(np.float32)
    return out


def _harmonics(phase: NDArray[np.float64], n_harmonics: int, tilt: float) -> NDArray[np.float64]:
    """Sum of n ** -tilt * sin(n * phase): Horner's rule on one complex rotation, not n_harmonics sines."""
    turn = np.exp(1j * np.remainder(phase, 2 * np.pi)).astype(np.complex64)
    total = np.zeros_like(turn)
    for n in range(n_harmonics, 0, -1):
        total += np.complex64(n**-tilt)
        total *= turn
    return total.imag.astype(np.float64)


def _formants(
    source: NDArray[np.float64],
    vowels: str,
    vowel_of_frame: NDArray[np.int64],
    sample_rate_hz: int,
    voice: Voice,
) -> NDArray[np.float64]:
    """The source through its vowels' resonances: overlap-add of windows, each with its own magnitude."""
    hz = np.linspace(0.0, sample_rate_hz / 2, _N_FFT // 2 + 1)
    gains = np.stack([_vowel_gain(hz, v, voice.formant_scale) for v in vowels])
    step = _N_FFT // 2
    n_windows = -(-source.size // step) + 1
    padded = np.zeros((n_windows + 1) * step)
    padded[step : step + source.size] = source
    window = np.sin(np.pi * (np.arange(_N_FFT) + 0.5) / _N_FFT)  # squared, half overlapping windows sum to 1
    frames = np.lib.stride_tricks.sliding_window_view(padded, _N_FFT)[::step] * window
    centre = np.clip((np.arange(len(frames)) * step / sample_rate_hz / CONTROL_HOP_S).astype(int), 0, None)
    which = vowel_of_frame[np.minimum(centre, vowel_of_frame.size - 1)]
    filtered = np.fft.irfft(np.fft.rfft(frames, axis=1) * gains[which], _N_FFT, axis=1) * window
    out = np.zeros_like(padded)
    for half in (0, 1):
        flat = filtered[:, half * step : (half + 1) * step].ravel()
        out[half * step : half * step + flat.size] += flat
    return out[step : step + source.size]


def _vowel_gain(hz: NDArray[np.float64], vowel: str, formant_scale: float) -> NDArray[np.float64]:
    """Magnitude of a vowel's resonances over frequency, with a floor, so that no harmonic is lost."""
    gain: NDArray[np.float64] = np.full(hz.size, 0.02)
    for f, bandwidth, level in zip(VOWELS_HZ[vowel], _BANDWIDTHS_HZ, (1.0, 0.6, 0.3), strict=True):
        gain = gain + level / np.sqrt(1.0 + ((hz - f * formant_scale) / bandwidth) ** 2)
    return gain + 0.25 / np.sqrt(1.0 + ((hz - _SINGERS_FORMANT_HZ * formant_scale) / 200.0) ** 2)


def _smooth(x: NDArray[np.float64], width_s: float) -> NDArray[np.float64]:
    """Weighted moving mean with a raised cosine of this full width; ends are held."""
    half = round(width_s / 2 / CONTROL_HOP_S)
    if half < 1 or x.size == 0:
        return x
    kernel = np.hanning(2 * half + 3)[1:-1]
    return np.convolve(np.pad(x, half, mode="edge"), kernel / kernel.sum(), mode="valid")


def _runs(flags: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Start and stop of every run of true."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], flags.astype(np.int8), [0]))))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def _held(f0_hz: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rests filled with the pitch before them (the first with the pitch after), so that the phase runs on."""
    last = np.maximum.accumulate(np.where(f0_hz > 0, np.arange(f0_hz.size), -1))
    first = int(np.flatnonzero(f0_hz > 0)[0])
    return f0_hz[np.where(last < 0, first, last)]
