"""Labels of a file: from a manifest, from the pattern of its path, from the tags inside it, in this order.

The standard columns `STANDARD` have a place of their own in the table ``files``; every other label lands in
its map ``labels``. Empty values say nothing and are dropped.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field

from motifdb.errors import UsageError
from motifdb.pipelines.inputs.discover import escape_path

STANDARD = ("singer", "style", "title", "work", "artist")
"""Label columns of the table ``files``."""

_ALSO_FILLS = {"artists": "artist", "performers": "artist", "genre": "style"}
_NOT_LABELS = (
    "encoder", "encoded_by", "software", "major_brand", "minor_version", "compatible_brands", "language",
    "handler_name", "vendor_id", "creation_time",
)  # fmt: skip
_TAG_NAMES = {"genre": "style", "performer": "singer", "album_artist": "artist"}


@dataclass(frozen=True)
class Labels:
    """What is known about a file: `columns` by standard name, every other label in `others`."""

    columns: dict[str, str] = field(default_factory=dict)
    others: dict[str, str] = field(default_factory=dict)


def merge_labels(*sources: Mapping[str, str] | None) -> Labels:
    """Join label sources, the first one that names a label winning: metadata, pattern, tags.

    A source that says ``artists`` or ``genre`` and has no column ``artist`` or ``style`` also fills that column.

    >>> merge_labels({"singer": "Ana", "tonic_hz": "220"}, {"singer": "x", "title": "Alba"})
    Labels(columns={'singer': 'Ana', 'title': 'Alba'}, others={'tonic_hz': '220'})
    """
    columns: dict[str, str] = {}
    others: dict[str, str] = {}
    for source in sources:
        for name, value in (source or {}).items():
            cleaned = value.strip()
            if cleaned:
                (columns if name in STANDARD else others).setdefault(name, cleaned)
    for plural, column in _ALSO_FILLS.items():
        if plural in others:
            columns.setdefault(column, others[plural])
    return Labels({n: columns[n] for n in STANDARD if n in columns}, dict(sorted(others.items())))


def tag_labels(tags: Mapping[str, str]) -> dict[str, str]:
    """Embedded tags under the names of labels: genre is a style, a performer is a singer.

    >>> tag_labels({"Genre": "debla", "artist": "Ana", "encoder": "x"})
    {'style': 'debla', 'artist': 'Ana'}
    """
    out: dict[str, str] = {}
    for name, value in tags.items():
        key = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
        if not key or key in _NOT_LABELS or not value.strip():
            continue
        out.setdefault(_TAG_NAMES.get(key, key), value.strip())
    return out


class PathPattern:
    """Labels out of paths, such as ``{singer}/{style}/{title}``.

    A field takes as little as it can and never crosses a ``/``; ``{_}`` is matched and forgotten. The pattern
    covers the whole path below the corpus root; the file's suffix is left away unless the pattern ends in one.

    >>> PathPattern("{singer}/{_}_{title}").labels(b"Ana/01_Alba.wav")
    {'singer': 'Ana', 'title': 'Alba'}
    >>> PathPattern("{singer}/{title}").labels(b"Alba.wav") is None
    True

    Raises
    ------
    UsageError
        for a pattern without fields, with a bad or repeated field name, or with a lone brace.
    """

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        parts = re.split(r"(\{[^{}]*\})", pattern.strip("/"))
        names: list[str] = []
        regex = ""
        for part in parts:
            if part.startswith("{") and part.endswith("}"):
                name = part[1:-1]
                if name == "_":
                    regex += "[^/]+?"
                    continue
                if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name):
                    raise UsageError(
                        f"--pattern {pattern!r}: {part} is no field name; use letters, digits and _, such as {{singer}}"
                    )
                if name in names:
                    raise UsageError(
                        f"--pattern {pattern!r} names {{{name}}} twice; use {{_}} for a part to ignore"
                    )
                names.append(name)
                regex += f"(?P<{name}>[^/]+?)"
            elif "{" in part or "}" in part:
                raise UsageError(
                    f"--pattern {pattern!r} has a brace without its partner; write fields as {{singer}}"
                )
            else:
                regex += re.escape(unicodedata.normalize("NFC", part))
        if not names:
            raise UsageError(
                f"--pattern {pattern!r} names no field; write one such as '{{singer}}/{{title}}'"
            )
        last = parts[-1]
        self._has_suffix = "." in last and not last.endswith(".")
        self._regex = re.compile(regex)

    def labels(self, relative: bytes) -> dict[str, str] | None:
        """Labels of a path below the corpus root; None where the pattern does not fit it."""
        text = unicodedata.normalize("NFC", os.fsdecode(relative))
        if not self._has_suffix:
            stem = text[:-3] if text.endswith(".gz") else text
            text = os.path.splitext(stem)[0]
        match = self._regex.fullmatch(text)
        if match is None:
            return None
        return {
            name: escape_surrogates(value).strip()
            for name, value in match.groupdict().items()
            if value.strip()
        }


def escape_surrogates(text: str) -> str:
    """Text that can be stored: bytes that are no UTF-8 become ``%XX``, all else stays."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return escape_path(text.encode("utf-8", "surrogateescape"))
    return text
