"""Verify a database: every invariant across its tables, every count against what it counts, every byte.

`check` yields one `Violation` for each thing that is wrong and nothing for a database that is right. The rules are
listed in `RULES`; where one finds a row wrong, rules that build on that row keep quiet about it, so that a
report starts at the cause. Tables are read batch by batch, and recording by recording where several belong
together, so memory does not grow with the corpus (but for the patterns of one analysis, and one small record
per block of pitch).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from motifdb.errors import DatabaseError
from motifdb.query.check.report import RULES, Context, Violation

if TYPE_CHECKING:
    from motifdb.catalog.store import Snapshot

__all__ = ["RULES", "Violation", "check"]

GAPPED_RECORDINGS = 20
"""Recordings in which all kept patterns are counted again where gaps make that slow; without gaps it is all."""


def check(
    snapshot: Snapshot,
    *,
    on_step: Callable[[str], None] | None = None,
    gapped_recordings: int | None = GAPPED_RECORDINGS,
) -> Iterator[Violation]:
    """Find everything that is wrong.

    Parameters
    ----------
    on_step : called with a few words before each step, for a progress line
    gapped_recordings : in how many recordings `pattern_counts` of mining with gaps are counted again; None is all

    Yields
    ------
    violations, in the order of the steps. A table with a damaged file is read no further, nor are rules checked
    that need it; everything else is checked all the same.
    """
    from motifdb.query.check import contours, files, indexes, learning, pitch, tables, vectors
    from motifdb.query.check.families import check_families
    from motifdb.query.check.motifs import check_motifs

    steps: list[tuple[str, tuple[str, ...], Callable[[Context], Iterator[Violation]]]] = [
        ("bytes and commits", (), files.check_bytes),
        ("columns", (), tables.check_columns),
        ("keys", (), tables.check_keys),
        ("references", (), tables.check_references),
        ("values and ids", (), tables.check_values),
        ("files and failures", ("files", "failures", "recordings"), tables.check_files),
        (
            "coverage",
            ("coverage", "analyses", "pitch", "contours", "motifs", "recordings"),
            tables.check_coverage,
        ),
        ("pitch", ("pitch", "pitch_agreement"), pitch.check_pitch),
        ("phrases", ("contours", "analyses"), contours.check_contours),
        (
            "motifs and where they sound",
            ("motifs", "contours", "occurrences", "pattern_counts", "coverage", "analyses"),
            check_motifs,
        ),
        ("families", ("families", "family_members", "recordings", "analyses"), check_families),
        ("sound", ("audio", "recordings"), learning.check_audio),
        ("fingerprints", ("fingerprints",), learning.check_fingerprints),
        ("links", ("audio_links", "islands", "recordings"), learning.check_links),
        ("clips", ("clips", "files", "recordings"), learning.check_clips),
        ("splits", ("splits", "clips", "analyses"), learning.check_splits),
        ("runs", ("runs", "metrics", "predictions"), learning.check_runs),
        ("indexes over vectors", ("analyses",), indexes.check_indexes),
        ("encoders", ("encoders", "encoder_steps", "encoder_metrics"), vectors.check_encoders),
        ("vectors", ("embeddings", "analyses"), vectors.check_vectors),
        ("figures of vectors", ("embedding_metrics", "embeddings"), vectors.check_vector_figures),
    ]
    with Context.open(snapshot, gapped_recordings) as context:
        for words, needed, step in steps:
            if not context.can_read(*needed):
                continue
            if on_step is not None:
                on_step(words)
            try:
                yield from step(context)
            except DatabaseError as error:
                yield Violation(" ".join(needed) or "all", "readable", words, str(error))
