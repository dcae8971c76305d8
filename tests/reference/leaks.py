"""Plain twin of `motifdb.training.splits.leaks`: every clip against every other, through every shared stretch."""

from __future__ import annotations

from dataclasses import dataclass

Link = tuple[str, str, float, float, float]
"""recording_a, recording_b, start_a_s, start_b_s, shared_s."""


@dataclass(frozen=True)
class Clip:
    recording: str
    audio: str
    island: str
    content: str
    start_s: float
    end_s: float


def kinds_of(clip: Clip, others: list[Clip], links: list[Link]) -> set[str]:
    """How a clip is linked to any of others."""
    found = set()
    for other in others:
        if clip.content == other.content:
            found |= {"same-content", "same-audio", "near", "half", "overlap"}
        if clip.audio == other.audio and (clip.start_s, clip.end_s) == (other.start_s, other.end_s):
            found |= {"same-audio", "near", "half", "overlap"}
        if clip.island == other.island:
            found.add("same-island")
        if clip.recording == other.recording:
            found.add("same-recording")
        own_s, other_s = clip.end_s - clip.start_s, other.end_s - other.start_s
        for shared_s in _shared(clip, other, links):
            if shared_s > 0:
                found.add("overlap")
            if shared_s >= 0.5 * own_s:
                found.add("half")
            if shared_s >= 0.9 * max(own_s, other_s):
                found.add("near")
    return found


def _shared(clip: Clip, other: Clip, links: list[Link]) -> list[float]:
    """Seconds that two clips share: on one recording, and through each link between theirs."""
    found = []
    if clip.audio == other.audio:
        found.append(min(clip.end_s, other.end_s) - max(clip.start_s, other.start_s))
    both = [*links, *((b, a, start_b, start_a, s) for a, b, start_a, start_b, s in links)]
    for a, b, start_a, start_b, shared_s in both:
        if clip.audio == a and other.audio == b:
            first = max(clip.start_s, other.start_s - start_b + start_a, start_a)
            last = min(clip.end_s, other.end_s - start_b + start_a, start_a + shared_s)
            found.append(last - first)
    return found
