"""Agreement of two pitch tracks said plainly: one frame at a time."""

from __future__ import annotations

import math

from motifdb.pipelines.records import PitchTrack


def agreement(a: PitchTrack, b: PitchTrack) -> tuple[int, float | None, float | None]:
    """Twin of `motifdb.pipelines.trackers.agreement.agreement`, as a tuple."""
    n_both = n_near = n_same_voicing = 0
    for i, a_hz in enumerate(a.f0_hz.tolist()):
        nearest = math.floor((a.start_s + i * a.hop_s - b.start_s) / b.hop_s + 0.5)
        b_hz = float(b.f0_hz[nearest]) if 0 <= nearest < b.f0_hz.size else 0.0
        a_is_voiced = math.isfinite(a_hz) and a_hz > 0
        b_is_voiced = math.isfinite(b_hz) and b_hz > 0
        n_same_voicing += a_is_voiced == b_is_voiced
        if a_is_voiced and b_is_voiced:
            n_both += 1
            n_near += abs(1200 * math.log2(a_hz / b_hz)) <= 50
    n = int(a.f0_hz.size)
    return n, (n_near / n_both if n_both else None), (n_same_voicing / n if n else None)
