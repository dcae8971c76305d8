"""What a file will cost, roughly, by its name and size: for choosing an engine and for cutting units of work."""

from __future__ import annotations

from typing import TYPE_CHECKING

from motifdb.pipelines.inputs.sniff import AUDIO_SUFFIXES, suffix_of

if TYPE_CHECKING:
    from motifdb.pipelines.survey import Seen

BYTES_PER_AUDIO_S = {".wav": 100_000, ".aif": 100_000, ".aiff": 100_000, ".flac": 40_000}
COMPRESSED_BYTES_PER_AUDIO_S = 8_000
F0_BYTES_PER_CPU_S = 10_000_000


def cost_s(seen: Seen, times_real_time: float) -> float:
    """Seconds of one core that a file takes with a tracker of some speed; within a factor of a few."""
    suffix = suffix_of(seen.found.name)
    rate: float = F0_BYTES_PER_CPU_S
    if suffix in AUDIO_SUFFIXES:
        rate = times_real_time * BYTES_PER_AUDIO_S.get(suffix, COMPRESSED_BYTES_PER_AUDIO_S)
    return seen.found.size_bytes / rate
