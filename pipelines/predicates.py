"""Predicates as Lance understands them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

AT_ONCE = 5_000
"""Names in one predicate of `in_lists`."""


def quoted(text: str) -> str:
    """A text as a literal of a Lance predicate."""
    return "'" + text.replace("'", "''") + "'"


def in_list(column: str, values: Iterable[str]) -> str:
    """The Lance predicate that a column holds one of some texts."""
    return f"{column} in ({', '.join(quoted(v) for v in sorted(values))})"


def in_lists(column: str, values: Iterable[str]) -> Iterator[str]:
    """`in_list`, cut into predicates of at most `AT_ONCE` texts; none where there are none."""
    names = sorted(values)
    for start in range(0, len(names), AT_ONCE):
        yield in_list(column, names[start : start + AT_ONCE])


def path_predicate(keys: set[tuple[str, str]]) -> str:
    """The Lance predicate that a row is of one of some files (corpus_id, path)."""
    by_corpus: dict[str, set[str]] = {}
    for corpus, path in keys:
        by_corpus.setdefault(corpus, set()).add(path)
    return " or ".join(
        f"(corpus_id = {quoted(c)} and {in_list('path', paths)})" for c, paths in sorted(by_corpus.items())
    )
