"""What families must hold: a right database has no violation; each way to be wrong has its own."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from motifdb import ids
from motifdb.catalog.store import open_snapshot
from motifdb.query.check import Violation, check
from motifdb.query.status import status
from motifdb.schemas import TABLES
from tests.query.conftest import make_database
from tests.query.example import PITCH_ID, RECORDING, example_rows

Rows = dict[str, list[dict[str, Any]]]

AMINA, BELA, CHITRA, SILENCE = RECORDING.values()
NARROW = {"scope": "recording", "source": "pitch", "conflicts": "leave-out", "min_members": 2}
STYLES = {"hijaz": [AMINA], "rast": sorted([BELA, CHITRA])}
INPUTS = ids.set_hash(f"{recording} {key}" for key, members in STYLES.items() for recording in members)
BY_STYLE = NARROW | {"scope": "style", "inputs_hash": INPUTS}
NARROW_ID = ids.analysis_id("families", 1, NARROW, PITCH_ID)
BY_STYLE_ID = ids.analysis_id("families", 1, BY_STYLE, PITCH_ID)


def add_family(
    rows: Rows, analysis: str, scope: str, key: str, spans: list[tuple[str, float, float]], face: int
) -> str:
    """A family whose members lie 10 cents apart, made by plain code; gives its id."""
    spans = sorted(spans)
    name = ids.family_id(analysis, scope, key, *spans[face])
    own = [abs(i - face) * 10.0 for i in range(len(spans))]
    lengths = [end - start for _, start, end in spans]
    rows["families"].append({
        "family_id": name, "analysis_id": analysis, "scope": scope, "scope_key": key, "size": len(spans),
        "recordings": len({s[0] for s in spans}), "exemplar": face, "duration_median_s": statistics.median(lengths),
        "distance_median_cents": statistics.median([d for i, d in enumerate(own) if i != face]), "threshold_cents": 40.0,
    })  # fmt: skip
    rows["family_members"] += [
        {"family_id": name, "member": i, "recording_id": recording, "start_s": start, "end_s": end,
         "distance_cents": own[i], "transposition_cents": 0.0, "tempo_ratio": lengths[i] / lengths[face]}
        for i, (recording, start, end) in enumerate(spans)
    ]  # fmt: skip
    return name


def sung_rows() -> Rows:
    """The example, with families of each recording and of each style."""
    rows = example_rows()
    like = next(row for row in rows["analyses"] if row["analysis_id"] == PITCH_ID)
    for id_, name, values, frozen in (
        (NARROW_ID, "families", NARROW, (None, None)),
        (BY_STYLE_ID, "families+style", BY_STYLE, (INPUTS, 3)),
    ):
        rows["analyses"].append(like | {
            "analysis_id": id_, "name": name, "kind": "families", "parent_id": PITCH_ID,
            "parameters": ids.canonical_json(values), "inputs_hash": frozen[0], "n_inputs": frozen[1],
        })  # fmt: skip
    for recording in (AMINA, BELA, CHITRA):
        add_family(rows, NARROW_ID, "recording", recording, [(recording, 0.1, 0.5), (recording, 0.6, 0.9)], 0)
    spans = [(BELA, 0.2, 0.4), (CHITRA, 0.1, 0.3), (CHITRA, 0.5, 0.75)]
    add_family(rows, BY_STYLE_ID, "style", "rast", spans, 1)
    blank = next(row for row in rows["coverage"] if row["analysis_id"] == PITCH_ID)

    def covered(analysis: str, key: str, n: int, digest: str) -> None:
        row = blank | {"analysis_id": analysis, "scope_key": key, "input_hash": digest, "n_rows": n}
        rows["coverage"].append(row | {"state": "done" if n else "empty"})

    for recording in (AMINA, BELA, CHITRA):
        covered(NARROW_ID, recording, 1, recording)
    covered(NARROW_ID, SILENCE, 0, SILENCE)
    for key, members in STYLES.items():
        covered(BY_STYLE_ID, key, int(key == "rast"), ids.set_hash(members))
    return rows


def family(rows: Rows, key: str) -> dict[str, Any]:
    return next(row for row in rows["families"] if row["scope_key"] == key)


def members(rows: Rows, key: str) -> list[dict[str, Any]]:
    name = family(rows, key)["family_id"]
    return [row for row in rows["family_members"] if row["family_id"] == name]


def of_amina(rows: Rows) -> None:
    """A family of style rast with a member in a recording of style hijaz."""
    gone = family(rows, "rast")
    rows["families"].remove(gone)
    rows["family_members"] = [x for x in rows["family_members"] if x["family_id"] != gone["family_id"]]
    add_family(rows, BY_STYLE_ID, "style", "rast", [(AMINA, 0.2, 0.4), (CHITRA, 0.1, 0.3)], 1)


MUTATIONS: list[tuple[int, str, Callable[[Rows], object], Counter[tuple[str, str]]]] = [
    (0, "size", lambda r: family(r, AMINA).update(size=3), Counter({("families", "family"): 1})),
    (0, "recordings", lambda r: family(r, BELA).update(recordings=2), Counter({("families", "family"): 1})),
    (0, "numbering", lambda r: members(r, CHITRA)[1].update(member=2), Counter({("family_members", "family"): 1})),
    (0, "exemplar", lambda r: family(r, "rast").update(exemplar=7), Counter({("families", "family"): 1})),
    (1, "id", lambda r: [x.update(family_id="a" * 20) for x in [*members(r, AMINA), family(r, AMINA)]],
     Counter({("families", "id"): 1})),
    (1, "the exemplar's distance", lambda r: members(r, BELA)[0].update(distance_cents=3.0),
     Counter({("family_members", "family"): 1})),
    (1, "median duration", lambda r: family(r, CHITRA).update(duration_median_s=9.0), Counter({("families", "family"): 1})),
    (1, "median distance", lambda r: family(r, "rast").update(distance_median_cents=9.0),
     Counter({("families", "family"): 1})),
    (2, "past the end", lambda r: [members(r, AMINA)[1].update(end_s=99.0, tempo_ratio=(99 - 0.6) / 0.4),
                                   family(r, AMINA).update(duration_median_s=(0.4 + 98.4) / 2)],
     Counter({("family_members", "family"): 1})),
    (2, "tempo", lambda r: members(r, BELA)[1].update(tempo_ratio=2.0), Counter({("family_members", "family"): 1})),
    (2, "distance", lambda r: [members(r, CHITRA)[1].update(distance_cents=-5.0),
                               family(r, CHITRA).update(distance_median_cents=-5.0)],
     Counter({("family_members", "family"): 1})),
    (2, "another style", of_amina, Counter({("family_members", "family"): 1})),
    (3, "member of no family", lambda r: r["family_members"].append(members(r, AMINA)[0] | {"family_id": "b" * 20}),
     Counter({("family_members", "reference"): 1})),
    (3, "threshold", lambda r: family(r, BELA).update(threshold_cents=math.nan), Counter({("families", "family"): 1})),
    (3, "not covered", lambda r: r["coverage"].remove(
        next(x for x in r["coverage"] if (x["analysis_id"], x["scope_key"]) == (NARROW_ID, CHITRA))),
     Counter({("coverage", "coverage"): 1})),
    (3, "other inputs", lambda r: next(x for x in r["coverage"] if x["scope_key"] == "hijaz").update(input_hash="c" * 20),
     Counter({("coverage", "coverage"): 1})),
    (3, "of another kind", lambda r: family(r, AMINA).update(analysis_id=PITCH_ID),
     Counter({("families", "reference"): 1, ("families", "id"): 1, ("coverage", "coverage"): 2})),
    (3, "scope", lambda r: family(r, "rast").update(scope="choir"),
     Counter({("families", "limits"): 1, ("families", "id"): 1})),
]  # fmt: skip


def violations(rows: Rows, path: Path) -> list[Violation]:
    make_database(path, {name: TABLES[name].table(part) for name, part in rows.items()})
    return list(check(open_snapshot(path)))


def test_right_families_have_no_violation_and_a_status(tmp_path: Path) -> None:
    path = tmp_path / "right.motifdb"
    assert violations(sung_rows(), path) == []
    found = status(open_snapshot(path))
    mine = {a.analysis_id: a for a in found.analyses if a.kind == "families"}
    assert found.n_rows["families"] == 4
    assert found.n_rows["family_members"] == 9
    assert (mine[NARROW_ID].n_rows, mine[NARROW_ID].n_waiting, mine[NARROW_ID].stale) == (3, 0, None)
    assert (mine[BY_STYLE_ID].scope, mine[BY_STYLE_ID].n_inputs, mine[BY_STYLE_ID].stale) == (
        "style",
        3,
        None,
    )


@pytest.mark.parametrize("group", range(4))
def test_each_mutation_is_reported_and_nothing_else(group: int, tmp_path: Path) -> None:
    rows = sung_rows()
    expected: Counter[tuple[str, str]] = Counter()
    for number, _, break_it, reported in MUTATIONS:
        if number == group:
            break_it(rows)
            expected += reported
    found = violations(rows, tmp_path / "wrong.motifdb")
    assert Counter((v.table, v.rule) for v in found) == expected, "\n".join(map(str, found))


def test_status_says_what_waits_and_what_is_stale(tmp_path: Path) -> None:
    """A recording without families, and a style whose recordings have changed since."""
    rows = sung_rows()
    rows["coverage"] = [
        x for x in rows["coverage"] if (x["analysis_id"], x["scope_key"]) != (NARROW_ID, SILENCE)
    ]
    next(x for x in rows["files"] if x["path"] == "silence.pitch").update(style="rast")
    tables = {name: TABLES[name].table(part) for name, part in rows.items()}
    path = make_database(tmp_path / "later.motifdb", tables)
    text = str(status(open_snapshot(path)))
    assert "1 recording waits for it; run families again" in text
    assert "stale: 1 recording newer; families --refresh makes a successor" in text
    assert list(check(open_snapshot(path))) == [], "what is stale is not wrong"
