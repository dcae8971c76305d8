"""What is to be shown of a motif, a family or a recording: its facts, its places, and the pitch at those places.

A `Portrait` is gathered once and drawn in many ways: in a terminal, as a picture, on a page, in a notebook.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from motifdb.errors import NotFoundError, UsageError
from motifdb.plots import PitchCurve, Segments
from motifdb.query.facts import family_facts, motif_facts, recording_facts
from motifdb.query.stored_pitch import stored_pitch, usual_pitch

if TYPE_CHECKING:
    from motifdb.query.database import Database

MOST_DRAWN = 300
"""Places that a picture lays over each other at most; more could not be told apart."""

Spans = list[tuple[float, float]]


@dataclass(frozen=True)
class Portrait:
    """What is to be shown of one thing.

    Attributes
    ----------
    kind : motif, family or recording
    id, title : of the thing
    facts : name and value of each, as text, in order
    places : where it sounds: recording_id, path, start_s, end_s and more, by path and time; of a recording, its motifs
    curves : pitch at the places that are drawn, at most `MOST_DRAWN`, spread over all
    symbols : of a motif
    recording : pitch of the recording itself, or of the one where the thing sounds most often
    spans : where what sounds in `recording`, by name
    pitch_id : the pitch analysis that all of it stands on
    face, transpositions : of a family: index of the exemplar among `curves` (None where it is not drawn), and the cents
        that each is sung above it
    """

    kind: str
    id: str
    title: str
    facts: list[tuple[str, str]]
    places: pa.Table
    curves: list[PitchCurve]
    symbols: tuple[int, ...]
    recording: PitchCurve | None
    spans: dict[str, Spans]
    pitch_id: str | None
    face: int | None = None
    transpositions: tuple[float, ...] | None = None


def portrait(
    database: Database,
    kind: str,
    id_: str,
    *,
    most: int = MOST_DRAWN,
    between: tuple[float, float] | None = None,
) -> Portrait:
    """What is to be shown of the motif, family or recording of this id.

    Parameters
    ----------
    most : places whose pitch is read at most
    between : of a recording, only the stretch between two times in seconds

    Raises
    ------
    NotFoundError
        where there is none of this id, or no pitch of it is stored.
    UsageError
        where no pitch is stored `between` these times.
    """
    if kind == "motif":
        return _of_motif(database, id_, most)
    if kind == "family":
        return _of_family(database, id_, most)
    return _of_recording(database, id_, between)


def row_of(database: Database, table: str, key: str, id_: str) -> dict[str, Any]:
    """The row of a table with this key."""
    rows = database.sql(f"select * from {table} where {key} = $id", {"id": id_}).rows()
    if not rows:
        raise NotFoundError(f"{database.path}: there is no {key.removesuffix('_id')} {id_!r}")
    return rows[0]


def paths_of(database: Database) -> dict[str, str]:
    """The first path of every recording, by recording_id."""
    rows = database.snapshot.table("files", ["recording_id", "path"], "state = 'input'")
    grouped = rows.group_by("recording_id").aggregate([("path", "min")])
    return dict(zip(grouped["recording_id"].to_pylist(), grouped["path_min"].to_pylist(), strict=True))


def motif_places(database: Database, motif_id: str) -> pa.Table:
    """Every place of a motif: path, start_s, end_s, recording_id, phrase_id, first_symbol, last_symbol; by path and time."""
    columns = ["recording_id", "start_s", "end_s", "phrase_id", "first_symbol", "last_symbol"]
    return _with_paths(database, database.snapshot.table("occurrences", columns, f"motif_id = '{motif_id}'"))


def family_places(database: Database, family_id: str) -> pa.Table:
    """Every place of a family: its members with the path of their recording, by path and time."""
    rows = database.snapshot.table("family_members", None, f"family_id = '{family_id}'")
    return _with_paths(database, rows.drop_columns(["family_id"]))


def _with_paths(database: Database, rows: pa.Table) -> pa.Table:
    paths = paths_of(database)
    ids = rows.column("recording_id").to_pylist()
    named = pa.array([paths.get(id_, id_[:8]) for id_ in ids], pa.string())
    rest = [name for name in rows.schema.names if name not in ("start_s", "end_s")]
    rows = rows.select(["start_s", "end_s", *rest]).add_column(0, "path", named)
    return rows.sort_by([("path", "ascending"), ("start_s", "ascending"), ("end_s", "ascending")])


def _of_motif(database: Database, motif_id: str, most: int) -> Portrait:
    motif = row_of(database, "motifs", "motif_id", motif_id)
    (chain,) = database.sql(
        "select p.analysis_id as pitch_id, c.analysis_id as contour_id, a.name from analyses a"
        " join analyses c on c.analysis_id = a.parent_id join analyses p on p.analysis_id = c.parent_id"
        " where a.analysis_id = $id",
        {"id": motif["analysis_id"]},
    )
    places = motif_places(database, motif_id)
    drawn = spread(places, most)
    segments = _segments_at(database, drawn, n_symbols=motif["length"])
    curves = _curves(database, drawn, chain["pitch_id"], segments)
    recording, spans = _most_often(database, places, chain["pitch_id"])
    title = f"{motif['contour']}   {motif['occurrences']:,} times in {_where(motif, recording)}"
    return Portrait(
        "motif",
        motif_id,
        title,
        motif_facts(motif, chain["name"]),
        places,
        curves,
        tuple(int(s) for s in motif["pattern"]),
        # one recording is named by the title already
        replace(recording, label="")
        if recording is not None and motif["scope"] == "recording"
        else recording,
        {"where it sounds": spans},
        chain["pitch_id"],
    )


def _of_family(database: Database, family_id: str, most: int) -> Portrait:
    family = row_of(database, "families", "family_id", family_id)
    analyses = {
        row["analysis_id"]: row
        for row in database.snapshot.table(
            "analyses", ["analysis_id", "kind", "name", "parent_id"]
        ).to_pylist()
    }
    at = analyses.get(family["analysis_id"])
    name = at["name"] if at is not None else ""
    while at is not None and at["kind"] != "pitch":
        at = analyses.get(at["parent_id"])
    pitch_id = at["analysis_id"] if at is not None else None
    places = family_places(database, family_id)
    drawn = spread(places, most, always=("member", family["exemplar"]))
    curves = _curves(database, drawn, pitch_id, [None] * drawn.num_rows)
    recording, spans = _most_often(database, places, pitch_id)
    members = drawn.column("member").to_pylist()
    transposed = np.array(drawn.column("transposition_cents").to_pylist(), np.float64)
    title = f"family {family_id[:8]}   {family['size']:,} times in {_where(family, recording)}"
    return Portrait(
        "family",
        family_id,
        title,
        family_facts(family, name),
        places,
        curves,
        (),
        replace(recording, label="")
        if recording is not None and family["scope"] == "recording"
        else recording,
        {"where it sounds": spans},
        pitch_id,
        members.index(family["exemplar"]) if family["exemplar"] in members else None,
        tuple(transposed.tolist()),
    )


def _of_recording(database: Database, recording_id: str, between: tuple[float, float] | None) -> Portrait:
    row = row_of(database, "recordings", "recording_id", recording_id)
    pitch_id = usual_pitch(database.snapshot, recording_id)
    recording = stored_pitch(database.snapshot, recording_id, pitch_id)
    segments, n_phrases = recording_segments(database, recording_id, pitch_id)
    facts = recording_facts(database, row, recording, n_phrases)
    motifs = recording_motifs(database, recording_id)
    if between is not None:
        whole, recording = recording, recording.between(*between)
        if whole.times_s.size and not recording.times_s.size:
            until = "on" if between[1] == float("inf") else f"to {between[1]:g} s"
            raise UsageError(
                f"there is no pitch frame from {between[0]:g} s {until}: the stored pitch goes from"
                f" {whole.times_s[0]:.2f} s to {whole.times_s[-1]:.2f} s"
            )
    return Portrait(
        "recording",
        recording_id,
        paths_of(database).get(recording_id, recording_id[:8]),
        facts,
        motifs,
        [],
        (),
        replace(recording, segments=segments),
        {**_family_lanes(database, recording_id), **_motif_lanes(database, recording_id, motifs)},
        pitch_id,
    )


def recording_motifs(database: Database, recording_id: str, most: int = 20) -> pa.Table:
    """The motifs that sound in a recording, the strongest first, with how often they do; at most so many."""
    return database.sql(
        "with here as (select motif_id, count(*) as times from occurrences where recording_id = $id group by motif_id)"
        " select m.motif_id, m.contour, h.times, m.scope, m.duration_median_s, m.log10_p, m.q_value, m.stability"
        " from here h join motifs m on m.motif_id = h.motif_id"
        " order by m.log10_p nulls last, m.length desc, m.motif_id limit $most",
        {"id": recording_id, "most": most},
    ).arrow()


def recording_segments(
    database: Database, recording_id: str, pitch_id: str | None
) -> tuple[Segments | None, int]:
    """All segments of a recording in order, 0 between its phrases, under the newest contours of a pitch; and its phrases."""
    rows = database.sql(
        "select c.symbols, c.segment_start_s, c.segment_end_s, c.segment_cents from contours c"
        " where c.recording_id = $id and c.analysis_id = (select analysis_id from analyses where kind = 'contour'"
        " and parent_id = $pitch order by created_at desc, analysis_id limit 1) order by c.phrase",
        {"id": recording_id, "pitch": pitch_id},
    ).rows()
    if not rows:
        return None, 0
    parts = [np.concatenate([np.asarray(r[c], np.float64) for r in rows]) for c in list(rows[0])[1:]]
    symbols: list[int] = []
    for row in rows:
        symbols += [*([0] if symbols or row is not rows[0] else []), *row["symbols"]]
    return Segments(parts[0], parts[1], parts[2], np.array(symbols, np.int64)), len(rows)


def _motif_lanes(database: Database, recording_id: str, motifs: pa.Table) -> dict[str, Spans]:
    """Places of the strongest motifs in a recording, by contour; contours of several scopes share a lane."""
    chosen = motifs.slice(0, 7)
    contour = dict(zip(chosen["motif_id"].to_pylist(), chosen["contour"].to_pylist(), strict=True))
    lanes: dict[str, Spans] = {c: [] for c in contour.values()}
    if contour:
        ids = ", ".join(f"'{id_}'" for id_ in contour)
        rows = database.snapshot.table(
            "occurrences",
            ["motif_id", "start_s", "end_s"],
            f"recording_id = '{recording_id}' and motif_id in ({ids})",
        )
        for row in rows.sort_by("start_s").to_pylist():
            lanes[contour[row["motif_id"]]].append((row["start_s"], row["end_s"]))
    return lanes


def _family_lanes(database: Database, recording_id: str) -> dict[str, Spans]:
    """Places of the three largest families in a recording, by the beginning of their ids."""
    where = f"recording_id = '{recording_id}'"
    rows = database.snapshot.table("family_members", ["family_id", "start_s", "end_s"], where).to_pylist()
    lanes: dict[str, Spans] = {}
    for row in sorted(rows, key=lambda r: r["start_s"]):
        lanes.setdefault(f"family {row['family_id'][:8]}", []).append((row["start_s"], row["end_s"]))
    largest = sorted(lanes, key=lambda name: (-len(lanes[name]), name))[:3]
    return {name: lanes[name] for name in largest}


def spread(places: pa.Table, most: int, always: tuple[str, object] | None = None) -> pa.Table:
    """At most so many rows, evenly spread; with those where a column has one value that must not be missing."""
    n = places.num_rows
    chosen = set(np.linspace(0, n - 1, min(n, most)).astype(int).tolist()) if n else set()
    if always is not None and n:
        chosen |= set(pc.indices_nonzero(pc.equal(places.column(always[0]), always[1])).to_pylist())
    return places.take(pa.array(sorted(chosen), pa.int64()))


def _curves(
    database: Database, places: pa.Table, pitch_id: str | None, segments: Sequence[Segments | None]
) -> list[PitchCurve]:
    """Pitch at places, whose rows of one recording lie together."""
    curves: list[PitchCurve] = []
    rows = places.select(["recording_id", "path", "start_s", "end_s"]).to_pylist()
    is_one = len({row["recording_id"] for row in rows}) == 1
    for recording_id, group in groupby(rows, key=lambda row: str(row["recording_id"])):
        whole = stored_pitch(database.snapshot, recording_id, pitch_id)
        for row in group:
            label = f"at {row['start_s']:.1f} s" + ("" if is_one else f" in {row['path']}")
            stretch = whole.between(row["start_s"], row["end_s"], label)
            curves.append(replace(stretch, segments=segments[len(curves)]))
    return curves


def _segments_at(database: Database, places: pa.Table, n_symbols: int) -> list[Segments | None]:
    """The segments of each place of a motif; all None where some place skips symbols, and so has others' segments."""
    first, last = (places.column(c).to_numpy() for c in ("first_symbol", "last_symbol"))
    nothing: list[Segments | None] = [None] * places.num_rows
    if not places.num_rows or np.any(last - first + 1 != n_symbols):
        return nothing
    ids = sorted(set(places.column("phrase_id").to_pylist()))
    columns = ["phrase_id", "symbols", "segment_start_s", "segment_end_s", "segment_cents"]
    listed = ", ".join(f"'{id_}'" for id_ in ids)
    rows = database.snapshot.table("contours", columns, f"phrase_id in ({listed})").to_pylist()
    phrase = {row["phrase_id"]: row for row in rows}
    out: list[Segments | None] = []
    for id_, a, b in zip(places.column("phrase_id").to_pylist(), first.tolist(), last.tolist(), strict=True):
        if id_ not in phrase:
            return nothing
        start_s, end_s, cents = (np.asarray(phrase[id_][c][a : b + 2], np.float64) for c in columns[2:])
        out.append(Segments(start_s, end_s, cents, np.asarray(phrase[id_]["symbols"][a : b + 1], np.int64)))
    return out


def _most_often(
    database: Database, places: pa.Table, pitch_id: str | None
) -> tuple[PitchCurve | None, Spans]:
    """The recording that holds most of some places, and those it holds."""
    if not places.num_rows:
        return None, []
    counted = places.group_by(["recording_id", "path"]).aggregate([([], "count_all")])
    counted = counted.sort_by([("count_all", "descending"), ("path", "ascending")])
    own = places.filter(pc.equal(places.column("recording_id"), counted["recording_id"][0]))
    spans = list(zip(own["start_s"].to_pylist(), own["end_s"].to_pylist(), strict=True))
    whole = stored_pitch(database.snapshot, counted["recording_id"][0].as_py(), pitch_id)
    return replace(whole, label=counted["path"][0].as_py()), spans


def _where(row: Mapping[str, Any], recording: PitchCurve | None) -> str:
    """In words, where a motif or a family was sought and found."""
    if row["scope"] == "recording":
        return recording.label if recording is not None else str(row["scope_key"])[:8]
    own = "the corpus" if row["scope"] == "corpus" else f"{row['scope']} {row['scope_key']}"
    n = row["recordings"] if "recordings" in row else row["support_recordings"]
    return f"{n:,} recording{'s' * (n != 1)} of {own}"
