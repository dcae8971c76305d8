"""What is learnt about samples while they pass: hash, peak, clipping, broken samples, channels that cancel.

The hash runs over all channels as little-endian float32, frame by frame, then sample rate, channel count and
length: one recording as wav and as flac has one hash, whatever channel is listened to. NaN and infinite samples
become 0 before anything else, in the hash too, and so does the -0 that only float formats can hold.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from motifdb.ids import ID_BYTES

CLIPPED = 1.0 - 2.0**-15
"""From this magnitude on a sample counts as clipped: the largest positive value of 16 bits."""

CANCELS = 0.1
"""A mix whose level is below this share of its channels' level (-20 dB) has lost what they hold."""


class PcmFacts:
    """Pass every block through `add`, in order.

    Parameters
    ----------
    sample_rate_hz, n_channels : of the decoded audio
    channel : 0 mixes (mean of the channels), n takes the n-th
    """

    def __init__(self, sample_rate_hz: int, n_channels: int, channel: int) -> None:
        self.sample_rate_hz = sample_rate_hz
        self.n_channels = n_channels
        self.channel = channel
        self.n_frames = 0
        self.n_broken = 0
        self.n_clipped = 0
        self.peak = 0.0
        self._mix_energy = 0.0
        self._energy = 0.0
        self._hash = hashlib.blake2b(digest_size=ID_BYTES)

    def add(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
        """Take in a block of shape (n_frames, n_channels), writable, C order; return what is listened to, float32."""
        low, high = float(block.min()), float(block.max())
        if not (np.isfinite(low) and np.isfinite(high)):
            broken = ~np.isfinite(block)
            self.n_broken += int(np.count_nonzero(broken))
            block[broken] = 0.0
            low, high = float(block.min()), float(block.max())
        block += np.float32(0.0)  # -0 + 0 is 0
        peak = max(high, -low)
        self.peak = max(self.peak, peak)
        if peak >= CLIPPED:
            self.n_clipped += int(np.count_nonzero(np.abs(block) >= CLIPPED))
        self.n_frames += block.shape[0]
        self._hash.update(block.astype("<f4", copy=False).data)
        if self.n_channels == 1:
            return block[:, 0]
        if self.channel:
            return np.ascontiguousarray(block[:, self.channel - 1])
        mono = block[:, 0].copy()
        for channel in range(1, self.n_channels):
            mono += block[:, channel]
        mono *= np.float32(1.0 / self.n_channels)
        self._mix_energy += float(np.dot(mono, mono))
        self._energy += float(np.dot(block.reshape(-1), block.reshape(-1))) / self.n_channels
        return mono

    @property
    def duration_s(self) -> float:
        """Decoded length."""
        return self.n_frames / self.sample_rate_hz

    @property
    def clipped_share(self) -> float:
        """Share of samples, over all channels, at or beyond `CLIPPED`."""
        return self.n_clipped / max(self.n_frames * self.n_channels, 1)

    def audio_hash(self) -> str:
        """20 hex digits."""
        whole = self._hash.copy()
        whole.update(f"|{self.sample_rate_hz}|{self.n_channels}|{self.n_frames}".encode())
        return whole.hexdigest()

    def warnings(self) -> list[str]:
        """What a listener should know, as phrases."""
        out: list[str] = []
        if self.n_broken:
            plural = "sample was" if self.n_broken == 1 else "samples were"
            out.append(f"{self.n_broken:,} {plural} NaN or infinite and count as silence")
        if self.clipped_share > 0.001:
            out.append(f"{100 * self.clipped_share:.1f} % of the samples are clipped")
        if self._mix_energy < CANCELS**2 * self._energy and self._energy > 1e-10 * self.n_frames:
            out.append(
                "the channels cancel each other in the mix; listen to one with --channel left or a number"
            )
        return out
