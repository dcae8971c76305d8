"""Names that follow from content: every id is a hash of what it stands for, so reruns and other machines agree."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any

ID_BYTES = 10
"""80 bits: among a billion ids the chance of any collision is below one in a million."""


def hash_bytes(*parts: bytes) -> str:
    """20 hex digits of BLAKE2b over the parts, each length-prefixed so that no two lists of parts collide."""
    h = hashlib.blake2b(digest_size=ID_BYTES)
    for part in parts:
        h.update(len(part).to_bytes(8, "little"))
        h.update(part)
    return h.hexdigest()


def hash_text(*parts: str) -> str:
    """`hash_bytes` of the parts in UTF-8."""
    return hash_bytes(*(p.encode() for p in parts))


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no blanks: equal values give equal text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def content_id(content: bytes | memoryview) -> str:
    """Id of a recording from its bytes (of an f0 track: its decompressed text)."""
    return hashlib.blake2b(content, digest_size=ID_BYTES).hexdigest()


def analysis_id(kind: str, stage_version: int, parameters: dict[str, Any], parent_id: str | None) -> str:
    """Id of an analysis: stage, stage version, parameters and parent; the package's version is not in it."""
    return hash_text(kind, str(stage_version), canonical_json(parameters), parent_id or "")


def phrase_id(analysis: str, recording: str, phrase: int) -> str:
    """Id of a phrase."""
    return hash_text(analysis, recording, str(phrase))


def pattern_id(vocabulary: str, pattern: bytes, max_gap: int | None) -> str:
    """Id of a pattern: `pattern` is its int8 symbols as bytes, `vocabulary` says what the symbols mean."""
    return hash_bytes(vocabulary.encode(), pattern, str(max_gap).encode())


def motif_id(analysis: str, scope: str, scope_key: str, pattern: str) -> str:
    """Id of a motif: a pattern in one scope of one mining analysis."""
    return hash_text(analysis, scope, scope_key, pattern)


def family_id(analysis: str, scope: str, scope_key: str, recording: str, start_s: float, end_s: float) -> str:
    """Id of a family: an exemplar's span in one scope of one analysis."""
    return hash_text(analysis, scope, scope_key, recording, repr(float(start_s)), repr(float(end_s)))


def embedding_id(
    analysis: str, target: str, recording: str, start_s: float, end_s: float, of: str | None = None
) -> str:
    """Id of a vector: what was heard in one analysis, and the clip or motif (`of`) it was heard for."""
    return hash_text(analysis, target, recording, repr(float(start_s)), repr(float(end_s)), of or "")


def set_hash(items: Iterable[str]) -> str:
    """Hash of a set of names; the order they come in does not matter."""
    return hash_text(*sorted(items))
