"""Melodia: salience of harmonic sums, contours chosen over the whole signal; the papers' tracker, in Essentia (AGPL).

Salamon and Gomez, "Melody Extraction from Polyphonic Music Signals using Pitch Contour Characteristics", IEEE TASLP
20(6), 2012, as Essentia's PredominantPitchMelodia.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from motifdb.errors import UsageError
from motifdb.pipelines.records import PitchTrack
from motifdb.pipelines.trackers.base import Blocks, Tracker, in_range, rechunk

_SAMPLE_RATE_HZ = 44100
_READ_SAMPLES = 1 << 16


@dataclass(frozen=True)
class MelodiaParameters:
    """What changes the track; the defaults are Essentia's but for the hop, which is the papers' 256.

    Attributes
    ----------
    hop_samples, frame_samples : hop and window at 44.1 kHz; the window is a power of two
    equal_loudness : filter by the ear's sensitivity first, as the papers do
    min_hz, max_hz : range of the salience function
    bin_cents : its resolution; pitch comes in steps of this
    harmonics : how many partials are summed
    harmonic_weight : of each further partial, relative to the one before
    magnitude_threshold_db : spectral peaks further below the highest are left out
    peak_frame_threshold : per frame, salience peaks below this share of the highest are left out
    peak_distribution_threshold : salience peaks this many standard deviations below the mean are left out
    pitch_continuity_cents_per_ms : largest change of pitch within a contour
    time_continuity_ms : longest gap within a contour
    min_contour_ms : shorter contours are left out
    voicing_tolerance : contours whose mean salience is this many standard deviations below the mean of all are
        unvoiced (-1 to 1.4; larger gives more voiced frames)
    is_voice_vibrato : judge contours with vibrato as voice
    filter_iterations : of the octave-error and outlier filter
    is_guess_unvoiced : give a pitch to frames that no salient contour covers, where there is any contour
    block_s : voicing is decided over all the signal that Essentia sees at once; recordings of up to
        block_s + margin_s are seen whole, as in the papers, longer ones in blocks of this length. Bounds memory
    margin_s : what each block sees of its neighbours
    """

    hop_samples: int = 256
    frame_samples: int = 2048
    equal_loudness: bool = True
    min_hz: float = 80.0
    max_hz: float = 20000.0
    bin_cents: float = 10.0
    harmonics: int = 20
    harmonic_weight: float = 0.8
    magnitude_threshold_db: int = 40
    peak_frame_threshold: float = 0.9
    peak_distribution_threshold: float = 0.9
    pitch_continuity_cents_per_ms: float = 27.5625
    time_continuity_ms: int = 100
    min_contour_ms: int = 100
    voicing_tolerance: float = 0.2
    is_voice_vibrato: bool = False
    filter_iterations: int = 3
    is_guess_unvoiced: bool = False
    block_s: float = 600.0
    margin_s: float = 10.0

    def __post_init__(self) -> None:
        in_range("hop_samples", self.hop_samples, 1, 1 << 14)
        if not 256 <= self.frame_samples <= 1 << 16 or self.frame_samples & (self.frame_samples - 1):
            raise UsageError(
                f"frame_samples must be a power of two from 256 to 65536, got {self.frame_samples}"
            )
        in_range("min_hz", self.min_hz, 55.0, 5000.0, "Hz")
        in_range("max_hz", self.max_hz, self.min_hz, 20000.0, "Hz")
        in_range("bin_cents", self.bin_cents, 1.0, 100.0, "cents")
        in_range("harmonics", self.harmonics, 1, 100)
        in_range("harmonic_weight", self.harmonic_weight, 0.01, 0.99)
        in_range("magnitude_threshold_db", self.magnitude_threshold_db, 0, 200, "dB")
        in_range("peak_frame_threshold", self.peak_frame_threshold, 0.0, 1.0)
        in_range("peak_distribution_threshold", self.peak_distribution_threshold, 0.0, 2.0)
        in_range("pitch_continuity_cents_per_ms", self.pitch_continuity_cents_per_ms, 0.0, 1e4)
        in_range("time_continuity_ms", self.time_continuity_ms, 1, 10_000, "ms")
        in_range("min_contour_ms", self.min_contour_ms, 1, 10_000, "ms")
        in_range("voicing_tolerance", self.voicing_tolerance, -1.0, 1.4)
        in_range("filter_iterations", self.filter_iterations, 1, 100)
        in_range("block_s", self.block_s, 1.0, 1e6, "s")
        in_range("margin_s", self.margin_s, 0.0, self.block_s, "s")


class MelodiaTracker(Tracker):
    """44.1 kHz in, a frame every `hop_samples`; frame i is centred at i x hop_samples / 44100 s.

    Essentia is AGPL-3.0 and not part of the base install.
    """

    name = "melodia"
    version = 1
    sample_rate_hz = _SAMPLE_RATE_HZ
    package = "essentia"
    module = "essentia"
    extra = "essentia"
    times_real_time = 40.0
    licence = "AGPL-3.0-only"
    streams_exactly = False
    Parameters = MelodiaParameters

    def _track(self, batch: Sequence[Blocks], device: str) -> Iterator[PitchTrack]:
        run = self._algorithms()
        hop_s = self.parameters.hop_samples / _SAMPLE_RATE_HZ
        for blocks in batch:
            f0_hz, confidence = [np.zeros(0, np.float32)], [np.zeros(0, np.float32)]
            for samples, n_skipped, n_frames in self._pieces(blocks):
                pitch, certainty = run(samples)
                f0_hz.append(pitch[n_skipped : n_skipped + n_frames])
                confidence.append(certainty[n_skipped : n_skipped + n_frames])
            # Confidence is Essentia's mean salience of the contour, below about 0.1 for a voice, and no probability.
            # With guessing on, it marks guessed frames by a negative one.
            salience = np.clip(np.concatenate(confidence), 0, 1)
            yield PitchTrack(np.concatenate(f0_hz), salience, hop_s=hop_s, start_s=0.0)

    def _pieces(self, blocks: Blocks) -> Iterator[tuple[NDArray[np.float32], int, int]]:
        """(samples with margins, frames of the left margin, frames that count), one per block of `block_s`."""
        p = self.parameters
        n_core = max(1, round(p.block_s * _SAMPLE_RATE_HZ / p.hop_samples))  # in frames
        n_margin = round(p.margin_s * _SAMPLE_RATE_HZ / p.hop_samples)
        n_left = 0
        held: list[NDArray[np.float32]] = []
        n_held = 0
        for block in rechunk(blocks, _READ_SAMPLES):
            held.append(block)
            n_held += block.size
            while n_held > (n_left + n_core + n_margin) * p.hop_samples:
                samples = np.concatenate(held)
                n_next_left = min(n_margin, n_left + n_core)
                held = [samples[(n_left + n_core - n_next_left) * p.hop_samples :].copy()]
                n_held = held[0].size
                yield samples[: (n_left + n_core + n_margin) * p.hop_samples], n_left, n_core
                n_left = n_next_left
        if n_held > n_left * p.hop_samples:
            samples = np.concatenate(held)
            held.clear()  # not held twice while Essentia works
            yield samples, n_left, -(-n_held // p.hop_samples) - n_left

    def _algorithms(self) -> Any:
        """Essentia's two algorithms as one function of a signal, giving pitch and confidence per frame."""
        import essentia

        essentia.log.infoActive = False
        essentia.log.warningActive = False
        import essentia.standard

        p = self.parameters
        loudness = essentia.standard.EqualLoudness(sampleRate=_SAMPLE_RATE_HZ)
        melodia = essentia.standard.PredominantPitchMelodia(
            sampleRate=_SAMPLE_RATE_HZ,
            hopSize=p.hop_samples,
            frameSize=p.frame_samples,
            minFrequency=p.min_hz,
            maxFrequency=p.max_hz,
            binResolution=p.bin_cents,
            numberHarmonics=p.harmonics,
            harmonicWeight=p.harmonic_weight,
            magnitudeThreshold=p.magnitude_threshold_db,
            peakFrameThreshold=p.peak_frame_threshold,
            peakDistributionThreshold=p.peak_distribution_threshold,
            pitchContinuity=p.pitch_continuity_cents_per_ms,
            timeContinuity=p.time_continuity_ms,
            minDuration=p.min_contour_ms,
            voicingTolerance=p.voicing_tolerance,
            voiceVibrato=p.is_voice_vibrato,
            filterIterations=p.filter_iterations,
            guessUnvoiced=p.is_guess_unvoiced,
        )

        def run(samples: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
            if samples.size < p.hop_samples or not samples.any():
                n_frames = -(-samples.size // p.hop_samples)
                return np.zeros(n_frames, np.float32), np.zeros(n_frames, np.float32)
            loudness.reset()  # the filter would otherwise start from the end of the last signal
            melodia.reset()
            pitch, confidence = melodia(loudness(samples) if p.equal_loudness else samples)
            return np.asarray(pitch, np.float32), np.asarray(confidence, np.float32)

        return run
