"""What hangs together through links: islands of recordings, groups of clips."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

T = TypeVar("T", int, str)


def islands(names: Iterable[T], links: Iterable[tuple[T, T]]) -> dict[T, T]:
    """The least name of each one's island: those that are linked, directly or through others.

    >>> islands("abcd", [("b", "d"), ("a", "b")])
    {'a': 'a', 'b': 'a', 'c': 'c', 'd': 'a'}
    """
    least = {name: name for name in names}

    def root(name: T) -> T:
        while least[name] != name:
            least[name] = least[least[name]]
            name = least[name]
        return name

    for one, other in links:
        a, b = root(one), root(other)
        if a != b:
            least[max(a, b)] = min(a, b)
    return {name: root(name) for name in sorted(least)}
