"""Recording by recording: occurrences against phrases, motifs against occurrences, counts against a new search.

Four streams, each sorted by recording, are merged, so that memory holds one recording at a time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from motifdb.query.check.arrays import flat, index_in, lengths, starts
from motifdb.query.check.places import Places
from motifdb.query.check.report import Context, Violation, by_recording
from motifdb.query.check.search import Placed, Search, kept_patterns
from motifdb.query.check.wide import Wide
from motifdb.query.sql import Session
from motifdb.schemas import CONTOURS, MOTIFS, OCCURRENCES, PATTERN_COUNTS, TableSpec

STREAM_MEMORY = "300MB"
"""What sorting one stream may hold before it spills to disk."""

_STREAMS: tuple[tuple[TableSpec, str], ...] = (
    (CONTOURS, "select * from contours order by recording_id, phrase"),
    (MOTIFS, "select *, scope_key as recording_id from motifs where scope = 'recording' order by scope_key"),
    (OCCURRENCES, "select * from occurrences order by recording_id"),
    (PATTERN_COUNTS, "select * from pattern_counts order by recording_id"),
)


def check_recordings(context: Context) -> Iterator[Violation]:
    """Merge the streams and check one recording after the other."""
    wide = Wide(context)
    search = Search(context, kept_patterns(context), wide.kept())
    with ExitStack() as stack:
        streams = []
        for _, query in _STREAMS:
            # A session answers one statement at a time, so each stream has its own.
            session = Session(context.snapshot, memory_limit=STREAM_MEMORY)
            stack.callback(session.close)
            streams.append(by_recording(session, query))
        heads = [next(stream, None) for stream in streams]
        while any(heads):
            name = min(head[0] for head in heads if head is not None)
            tables = []
            for i, (spec, _) in enumerate(_STREAMS):
                head = heads[i]
                if head is not None and head[0] == name:
                    tables.append(head[1])
                    heads[i] = next(streams[i], None)
                else:
                    tables.append(spec.empty())
            yield from Recording(name, *tables).check(context, search, wide)
    yield from wide.check()
    yield from search.missing()


@dataclass
class Recording:
    """One recording's rows."""

    recording_id: str
    phrases: pa.Table
    motifs: pa.Table
    occurrences: pa.Table
    counts: pa.Table

    def check(self, context: Context, search: Search, wide: Wide) -> Iterator[Violation]:
        """All rules that need nothing but this recording."""
        places, known = yield from self._places(context, wide)
        found = places.summary()
        yield from self._motifs(found)
        yield from search.check(self, self._placed(known, found))

    def _placed(self, known: pa.Table, found: dict[str, NDArray[Any]]) -> dict[str, list[Placed]]:
        """By analysis: the motifs over several recordings that sound here, and how often."""
        placed: dict[str, list[Placed]] = defaultdict(list)
        n_own = len(self.motifs)
        wide = known.slice(n_own).select(["analysis_id", "motif_id", "pattern_id", "scope_key"]).to_pylist()
        for i, row in enumerate(wide, n_own):
            counts = int(found["occurrences"][i]), int(found["support_sequences"][i])
            placed[row["analysis_id"]].append(
                Placed(row["motif_id"], row["pattern_id"], row["scope_key"], *counts)
            )
        return placed

    @cached_property
    def n_symbols(self) -> NDArray[np.int64]:
        """Symbols of each phrase."""
        return lengths(self.phrases.column("symbols"))

    @cached_property
    def offsets(self) -> NDArray[np.int64]:
        """Where each phrase's symbols begin in `symbols`."""
        return starts(self.n_symbols)

    @cached_property
    def symbols(self) -> NDArray[np.int8]:
        """Symbols of all phrases, one after the other."""
        return flat(self.phrases.column("symbols"), np.int8)

    def _places(self, context: Context, wide: Wide) -> Generator[Violation, None, tuple[Places, pa.Table]]:
        """Check each occurrence; return those that are right, as arrays, and the motifs they are of, wide ones last."""
        from motifdb.kernels import recheck

        rows = self.occurrences
        phrase = index_in(rows.column("phrase_id"), self.phrases.column("phrase_id"))
        known = pa.concat_tables(
            [self.motifs.select(Wide.COLUMNS), wide.of(rows.column("motif_id"), self.motifs.schema)]
        )
        motif = index_in(rows.column("motif_id"), known.column("motif_id"))
        parent_of = {a.analysis_id: a.parent_id for a in context.load_analyses().values()}
        parents = pa.array([parent_of.get(a) for a in known.column("analysis_id").to_pylist()], pa.string())
        is_known = (phrase >= 0) & (motif >= 0)
        is_foreign = np.zeros(len(rows), bool)
        if is_known.any():
            of_phrase = self.phrases.column("analysis_id").take(pa.array(phrase[is_known]))
            of_motif = parents.take(pa.array(motif[is_known]))
            is_foreign[is_known] = ~pc.equal(of_phrase, of_motif).fill_null(False).to_numpy(
                zero_copy_only=False
            )
        for i in np.flatnonzero(is_foreign).tolist():
            yield self._wrong(i, "place", "the phrase is of another contour analysis than its motif's")
        yield from self._strangers(context, phrase, motif)
        good = np.flatnonzero(is_known & ~is_foreign)
        first, last = (
            rows.column(n).to_numpy().astype(np.int64)[good] for n in ("first_symbol", "last_symbol")
        )
        gaps = known.column("max_gap").fill_null(recheck.UNLIMITED).to_numpy().astype(np.int64)
        verdict = recheck.reread(
            phrase[good],
            first,
            last,
            motif[good],
            self.symbols,
            self.offsets,
            flat(known.column("pattern"), np.int8),
            starts(lengths(known.column("pattern"))),
            gaps,
        )
        for i in np.flatnonzero(verdict == recheck.OUTSIDE).tolist():
            text = f"symbols {first[i]} to {last[i]} of a phrase of {self.n_symbols[phrase[good[i]]]} symbols"
            yield self._wrong(good[i], "place", text)
        for i in np.flatnonzero(verdict == recheck.DIFFERS).tolist():
            text = (
                f"symbols {first[i]} to {last[i]} of the phrase are not an occurrence of the motif's pattern"
            )
            yield self._wrong(good[i], "match", text)
        fits = verdict == recheck.FITS
        yield from self._times(good[fits], phrase[good[fits]], first[fits], last[fits])
        places = Places(rows, good, phrase[good], motif[good], first, last, fits, len(known))
        wide.add(known, places, n_own=len(self.motifs))
        return places, known

    def _strangers(
        self, context: Context, phrase: NDArray[np.int64], motif: NDArray[np.int64]
    ) -> Iterator[Violation]:
        """Occurrences of phrases or motifs that are not this recording's; what is nowhere is a dangling reference."""
        for table, key, found in (("contours", "phrase_id", phrase), ("motifs", "motif_id", motif)):
            missing = np.flatnonzero(found < 0)
            names = self.occurrences.column(key).take(pa.array(missing))
            for name in sorted(set(names.to_pylist()) - {None}):
                quoted = name.replace("'", "''")
                if context.session.table(f"select 1 from {table} where {key} = '{quoted}' limit 1").num_rows:
                    text = f"an occurrence in recording {self.recording_id}, but this is one of another recording"
                    yield Violation("occurrences", "place", f"{key} {name}", text)

    def _times(
        self,
        row: NDArray[np.int64],
        phrase: NDArray[np.int64],
        first: NDArray[np.int64],
        last: NDArray[np.int64],
    ) -> Iterator[Violation]:
        n = {c: lengths(self.phrases.column(c)) for c in _SEGMENTS}
        is_whole = np.all([n[c] == self.n_symbols + 1 for c in _SEGMENTS], axis=0)
        keep = is_whole[phrase] if len(phrase) else np.empty(0, bool)
        row, phrase, first, last = row[keep], phrase[keep], first[keep], last[keep]
        for column, segment_column, index in (
            ("start_s", "segment_start_s", first),
            ("end_s", "segment_end_s", last + 1),
            ("start_cents", "segment_cents", first),
        ):
            begin = starts(n[segment_column])
            expected = flat(self.phrases.column(segment_column), np.float64)[begin[phrase] + index]
            found = self.occurrences.column(column).to_numpy()[row]
            for i in np.flatnonzero(found != expected).tolist():
                yield self._wrong(row[i], "time", f"{column} is {found[i]}, its segment's is {expected[i]}")

    def _wrong(self, i: int, rule: str, text: str) -> Violation:
        names = ("motif_id", "phrase_id", "first_symbol", "last_symbol")
        where = ", ".join(f"{n} {self.occurrences.column(n)[int(i)].as_py()}" for n in names)
        return Violation("occurrences", rule, where, text)

    def _motifs(self, found: dict[str, NDArray[Any]]) -> Iterator[Violation]:
        """Counts and durations of this recording's own motifs; those with a wrong occurrence are left out."""
        named = index_in(self.occurrences.column("motif_id"), self.motifs.column("motif_id"))
        n_named = np.bincount(named[named >= 0], minlength=len(self.motifs))
        for i, row in enumerate(self.motifs.select(_COUNTED).to_pylist()):
            if n_named[i] != found["occurrences"][i]:
                continue  # some of its occurrences are in the report
            for name in _COUNTED[1:]:
                expected = found[name][i].item() if name in found else 1
                if n_named[i] == 0 and name.startswith("duration"):
                    continue
                if row[name] != expected and not (name == "support_recordings" and n_named[i] == 0):
                    text = f"{name} is {row[name]}, its occurrences make {expected}"
                    yield Violation("motifs", "counts", f"motif_id {row['motif_id']}", text)


_SEGMENTS = ("segment_start_s", "segment_end_s", "segment_cents")
_COUNTED = [
    "motif_id",
    "occurrences",
    "occurrences_nonoverlapping",
    "support_sequences",
    "support_recordings",
    "duration_min_s",
    "duration_median_s",
    "duration_max_s",
]
