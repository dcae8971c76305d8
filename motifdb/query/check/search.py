"""Search a recording's phrases again, and hold motifs and `pattern_counts` against what is found."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from motifdb.ids import hash_text, set_hash
from motifdb.query.check.arrays import flat, lengths, starts
from motifdb.query.check.report import Context, Violation

if TYPE_CHECKING:
    from motifdb.mining.counting import PatternCounter
    from motifdb.query.check.recordings import Recording


class Placed(NamedTuple):
    """A motif over several recordings, and how often it is listed in one of them."""

    motif_id: str
    pattern_id: str
    scope_key: str
    occurrences: int
    phrases: int


class Search:
    """Count kept patterns in phrases again, and hold motifs and `pattern_counts` against it.

    `pattern_counts` is brought up to date at the end of a job; between a job's commits it is behind, which its
    coverage tells. Then the rows that are there are checked, and none is missed. Likewise where an analysis over
    several recordings is stale: which recordings it was made from is no longer known.
    """

    def __init__(
        self,
        context: Context,
        kept: dict[str, dict[str, bytes]],
        kept_by_key: dict[tuple[str, str], set[str]],
    ) -> None:
        self._context = context
        self._kept = kept
        self._kept_by_key = kept_by_key
        self._counters: dict[str, PatternCounter] = {}
        self._names = {analysis: list(patterns) for analysis, patterns in kept.items()}
        self._n_gapped: dict[str, int] = defaultdict(int)
        self._stamps = self._read_stamps()
        self._mined = self._read_mined()

    def _read_stamps(self) -> set[str]:
        """Mining analyses whose pattern counts are up to date: stamped as `motifdb.pipelines.counts` does."""
        fresh = set()
        for row in self._context.session.table(
            "select a.parent_id, c.input_hash from analyses a join coverage c using (analysis_id) where a.kind = 'counts'"
        ).to_pylist():
            keys = self._context.session.table(
                "select scope_key || ' ' || n_rows as key from coverage where analysis_id = ?",
                [row["parent_id"]],
            ).column(0)
            if row["input_hash"] == hash_text(set_hash(keys.to_pylist())):
                fresh.add(row["parent_id"])
        return fresh

    def _read_mined(self) -> dict[str, set[str]]:
        """By mining analysis: the recordings it has been applied to; none for one that is stale."""
        mined: dict[str, set[str]] = defaultdict(set)
        wide = self._context.wide_scopes()
        query = "select c.analysis_id, c.scope_key from coverage c join analyses a using (analysis_id) where a.kind = 'mining'"
        for row in list(self._context.rows(query)):  # whole, as a session answers one statement at a time
            scope = wide.get(row["analysis_id"])
            analysis = self._context.load_analyses().get(row["analysis_id"])
            if analysis is not None and analysis.is_dictionary:
                if row["analysis_id"] not in mined:
                    mined[row["analysis_id"]] |= self._context.counted_by_dictionary(row["analysis_id"])
            elif scope is not None:
                mined[row["analysis_id"]] |= scope.inputs
            elif row["analysis_id"] not in wide:
                mined[row["analysis_id"]].add(row["scope_key"])
        return mined

    def check(self, recording: Recording, placed: dict[str, list[Placed]]) -> Iterator[Violation]:
        """Search one recording's phrases for what each mining analysis keeps.

        `placed` are the motifs of wider scopes that sound in the recording, by analysis.
        """
        for analysis_id in self._kept:
            analysis = self._context.load_analyses().get(analysis_id)
            config = analysis.mining if analysis is not None else None
            if analysis is None or config is None:
                continue
            is_member = recording.recording_id in self._mined[analysis_id]
            own = recording.motifs.filter(pc.equal(recording.motifs.column("analysis_id"), analysis_id))
            rows = recording.counts.filter(pc.equal(recording.counts.column("analysis_id"), analysis_id))
            if not is_member and not (config.is_wide and (rows.num_rows or placed.get(analysis_id))):
                continue
            names = self._names[analysis_id]
            searches_all = config.max_gap == 0 or self._takes_gapped(analysis_id)
            if not searches_all:
                here = {p.pattern_id for p in placed.get(analysis_id, ())}
                here.update(own.column("pattern_id").to_pylist())
                names = sorted(here & self._kept[analysis_id].keys())
            found = self._found(recording, analysis_id, analysis.parent_id, config.max_gap, names)
            yield from self._motifs(own, found)
            if analysis.lists_every_place:
                here_wide = placed.get(analysis_id, [])
                yield from self._wide(recording.recording_id, analysis_id, here_wide, found, searches_all)
            is_fresh = is_member and analysis_id in self._stamps
            yield from self._rows(recording.recording_id, analysis_id, rows, found, searches_all, is_fresh)

    def _takes_gapped(self, analysis_id: str) -> bool:
        most = self._context.gapped_recordings
        self._n_gapped[analysis_id] += 1
        return most is None or self._n_gapped[analysis_id] <= most

    def _found(
        self,
        recording: Recording,
        analysis_id: str,
        contour_id: str | None,
        max_gap: int | None,
        names: list[str],
    ) -> dict[str, tuple[int, int]]:
        """(occurrences, phrases) of each pattern that occurs, by id."""
        from motifdb.mining.counting import PatternCounter

        names = [n for n in names if self._kept[analysis_id][n]]
        if not names:
            return {}
        phrases = recording.phrases.filter(pc.equal(recording.phrases.column("analysis_id"), contour_id))
        is_all = len(names) == len(self._names[analysis_id])
        counter = self._counters.get(analysis_id) if is_all else None
        if counter is None:
            patterns, offsets = as_lists([self._kept[analysis_id][n] for n in names])
            counter = PatternCounter(patterns, offsets, max_gap=max_gap)
            if is_all:
                self._counters[analysis_id] = counter
        counts = counter.count(
            flat(phrases.column("symbols"), np.int8), starts(lengths(phrases.column("symbols")))
        )
        triples = zip(
            counts.pattern.tolist(), counts.occurrences.tolist(), counts.phrases.tolist(), strict=True
        )
        return {names[p]: (n, m) for p, n, m in triples}

    def _motifs(self, own: pa.Table, found: dict[str, tuple[int, int]]) -> Iterator[Violation]:
        columns = ["motif_id", "pattern_id", "occurrences", "support_sequences"]
        for row in own.select(columns).to_pylist():
            if row["pattern_id"] is None:
                continue
            n, m = found.get(row["pattern_id"], (0, 0))
            if (row["occurrences"], row["support_sequences"]) != (n, m):
                text = (
                    f"{row['occurrences']} occurrences in {row['support_sequences']} phrases, a new search of the"
                    f" recording finds {n} in {m}"
                )
                yield Violation("motifs", "recount", f"motif_id {row['motif_id']}", text)

    def _wide(
        self,
        recording_id: str,
        analysis_id: str,
        placed: list[Placed],
        found: dict[str, tuple[int, int]],
        searched_all: bool,
    ) -> Iterator[Violation]:
        """Motifs over several recordings, in one of them."""
        scope = self._context.wide_scopes().get(analysis_id)
        keys = scope.keys_of(recording_id) if scope is not None else None
        for motif in placed:
            where = f"motif_id {motif.motif_id}"
            if keys is not None and motif.scope_key not in keys:
                text = f"an occurrence in recording {recording_id}, which is not in its scope"
                yield Violation("motifs", "recount", where, text)
                continue
            n, m = found.get(motif.pattern_id, (0, 0))
            if (motif.occurrences, motif.phrases) != (n, m):
                text = (
                    f"{motif.occurrences} occurrences in {motif.phrases} phrases of recording {recording_id}, a new search"
                    f" finds {n} in {m}"
                )
                yield Violation("motifs", "recount", where, text)
        if not searched_all:
            return
        for key in keys or ():
            listed = {p.pattern_id for p in placed if p.scope_key == key}
            for name in sorted(self._kept_by_key.get((analysis_id, key), set()) & found.keys() - listed):
                where = f"analysis_id {analysis_id}, scope_key {key}, pattern_id {name}"
                text = f"a new search of recording {recording_id} finds {found[name][0]} occurrences, none is listed"
                yield Violation("motifs", "recount", where, text)

    def _rows(
        self,
        recording_id: str,
        analysis_id: str,
        rows: pa.Table,
        found: dict[str, tuple[int, int]],
        searched_all: bool,
        is_fresh: bool,
    ) -> Iterator[Violation]:
        counted = set()
        for row in rows.select(["pattern_id", "occurrences", "phrases"]).to_pylist():
            name = row["pattern_id"]
            counted.add(name)
            if name not in self._kept[analysis_id]:
                if is_fresh:
                    yield self._wrong(
                        analysis_id, name, recording_id, "no motif of this analysis keeps the pattern"
                    )
            elif (searched_all or name in found) and (row["occurrences"], row["phrases"]) != found.get(
                name, (0, 0)
            ):
                n, m = found.get(name, (0, 0))
                text = f"{row['occurrences']} occurrences in {row['phrases']} phrases, a new search finds {n} in {m}"
                yield self._wrong(analysis_id, name, recording_id, text)
        if is_fresh:
            for name in sorted(found.keys() - counted):
                text = f"a new search finds {found[name][0]} occurrences, but there is no row"
                yield self._wrong(analysis_id, name, recording_id, text)

    @staticmethod
    def _wrong(analysis_id: str, pattern_id: str, recording_id: str, text: str) -> Violation:
        where = f"analysis_id {analysis_id}, pattern_id {pattern_id}, recording_id {recording_id}"
        return Violation("pattern_counts", "pattern_counts", where, text)

    def missing(self) -> Iterator[Violation]:
        """Coverage of counts that are up to date must count their rows."""
        for row in self._context.rows(
            "select c.analysis_id, a.parent_id, c.n_rows, (select count(*) from pattern_counts p"
            " where p.analysis_id = a.parent_id) as made from coverage c join analyses a using (analysis_id)"
            " where a.kind = 'counts' order by 1"
        ):
            if row["parent_id"] in self._stamps and row["n_rows"] != row["made"]:
                text = f"coverage says {row['n_rows']} rows, there are {row['made']}"
                yield Violation(
                    "coverage", "coverage", f"analysis_id {row['analysis_id']}, scope_key all", text
                )


def kept_patterns(context: Context) -> dict[str, dict[str, bytes]]:
    """By mining analysis: the symbols of every pattern that some motif keeps, by pattern_id."""
    kept: dict[str, dict[str, bytes]] = {}
    for batch in context.snapshot.batches("motifs", ["analysis_id", "pattern_id", "pattern"]):
        column = pa.chunked_array([batch.column("pattern")])
        symbols = flat(column, np.int8).tobytes()
        begins = starts(lengths(column)).tolist()
        names = zip(
            batch.column("analysis_id").to_pylist(), batch.column("pattern_id").to_pylist(), strict=True
        )
        for (analysis_id, pattern_id), begin, end in zip(names, begins[:-1], begins[1:], strict=True):
            kept.setdefault(analysis_id, {}).setdefault(pattern_id, symbols[begin:end])
    return kept


def as_lists(patterns: list[bytes]) -> tuple[NDArray[np.int8], NDArray[np.int64]]:
    """Patterns one after the other, and where each begins."""
    return np.frombuffer(b"".join(patterns), np.int8), starts(np.array([len(p) for p in patterns], np.int64))
