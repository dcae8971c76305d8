"""How sound is cut into windows, said plainly: the twin of `motifdb.training.embedding.base.windows_of`."""

from __future__ import annotations


def windows_of(length: list[int], window: int, hop: int) -> list[tuple[int, int, int]]:
    """(sound, offset, size) of every window; the last one of a long sound ends where the sound does."""
    found = []
    for sound, n in enumerate(length):
        at = 0
        while at + window < n:
            found.append((sound, at, window))
            at += hop
        found.append((sound, max(0, n - window), min(n, window)))
    return found
