"""A right database has no violation; each way to be wrong has its own."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from motifdb import ids
from motifdb.catalog.snapshot import Snapshot
from motifdb.catalog.store import Changes, compact, open_snapshot, open_writer
from motifdb.config import MiningConfig, parameters
from motifdb.query.check import RULES, Violation, check
from motifdb.query.scopes import partition
from motifdb.schemas import TABLES
from tests.query.conftest import make_database
from tests.query.example import (
    CONTOUR,
    CONTOUR_ID,
    CORPUS_ID,
    MINING_ID,
    PITCH_ID,
    RECORDING,
    example_rows,
    example_tables,
)
from tests.query.test_check_families import MUTATIONS as FAMILIES
from tests.query.test_check_learning import MUTATIONS as LEARNING
from tests.query.test_check_vectors import MUTATIONS as VECTORS

Rows = dict[str, list[dict[str, Any]]]


@dataclass(frozen=True)
class Mutation:
    """One way to be wrong, and the (table, rule, part of where) it must be reported as, and nothing else."""

    group: int
    name: str
    break_it: Callable[[Rows], object]
    expected: tuple[tuple[str, str, str], ...]


def one(rows: Rows, table: str, **key: object) -> dict[str, Any]:
    """The first row of a table with these values."""
    return next(row for row in rows[table] if all(row[k] == v for k, v in key.items()))


def change(table: str, key: dict[str, object], **values: object) -> Callable[[Rows], object]:
    return lambda rows: one(rows, table, **key).update(values)


def phrase(name: str, number: int) -> str:
    return ids.phrase_id(CONTOUR_ID, RECORDING[name], number)


def motif(contour: str, name: str, analysis: str = "gap 0") -> str:
    pattern = bytes(int(s) & 255 for s in contour.split())
    gap = 0 if analysis == "gap 0" else 1
    pattern_id = ids.pattern_id(CONTOUR.vocabulary, pattern, gap)
    return ids.motif_id(MINING_ID[analysis], "recording", RECORDING[name], pattern_id)


def kept(contour: str) -> str:
    return ids.pattern_id(CONTOUR.vocabulary, bytes(int(s) & 255 for s in contour.split()), 0)


def add(table: str, like: dict[str, object], **values: object) -> Callable[[Rows], object]:
    return lambda rows: rows[table].append(one(rows, table, **like) | values)


def remove(table: str, **key: object) -> Callable[[Rows], object]:
    return lambda rows: rows[table].remove(one(rows, table, **key))


def set_in_list(
    table: str, key: dict[str, object], column: str, i: int, value: object
) -> Callable[[Rows], object]:
    def break_it(rows: Rows) -> None:
        row = one(rows, table, **key)
        row[column] = list(row[column])
        row[column][i] = value

    return break_it


def both(*parts: Callable[[Rows], object]) -> Callable[[Rows], object]:
    return lambda rows: [part(rows) for part in parts]


AMINA, BELA, CHITRA, SILENCE = RECORDING.values()
STRANGER = ids.hash_text("nobody knows this")
OTHER_PITCH = "f" * 20

MUTATIONS = [
    # -- group 0: files, corpora, recordings, failures
    Mutation(0, "corpus id", change("corpora", {}, name="other"), (("corpora", "id", CORPUS_ID),)),
    Mutation(0, "two files of one path", add("files", {"path": "notes.txt"}), (("files", "key", "notes.txt"),)),
    Mutation(0, "unknown state", change("files", {"path": "copy of bela.pitch"}, state="odd"), (("files", "value", "state"),)),
    Mutation(0, "input without recording", change("files", {"path": "silence.pitch"}, recording_id=None),
             (("files", "state", "silence.pitch"), ("recordings", "orphan", SILENCE))),
    Mutation(0, "failure unexplained", add("files", {"path": "broken.wav"}, path="b.wav"), (("files", "state", "b.wav"),)),
    Mutation(0, "failure of an input", add("failures", {}, path="amina.pitch"), (("files", "state", "amina.pitch"),)),
    Mutation(0, "file of no corpus", add("files", {"path": "bela.pitch"}, corpus_id=STRANGER), (("files", "reference", STRANGER),)),
    Mutation(0, "file of no recording", add("files", {"path": "bela.pitch"}, path="z", recording_id="d" * 20),
             (("files", "reference", "d" * 20),)),
    Mutation(0, "failure of no analysis", add("failures", {}, path="elsewhere", analysis_id=STRANGER),
             (("failures", "reference", STRANGER),)),
    Mutation(0, "failure of no corpus", add("failures", {}, path="elsewhere", corpus_id="c" * 20), (("failures", "reference", "c" * 20),)),
    Mutation(0, "kind of recording", change("recordings", {"recording_id": CHITRA}, kind="midi"), (("recordings", "value", "kind"),)),
    Mutation(0, "negative duration", change("recordings", {"recording_id": BELA}, duration_s=-1.0), (("recordings", "value", BELA),)),
    Mutation(0, "orphan", add("recordings", {}, recording_id=STRANGER), (("recordings", "orphan", STRANGER),)),
    # -- group 1: analyses and coverage
    Mutation(1, "analysis id", add("analyses", {"kind": "mining"}, analysis_id=STRANGER), (("analyses", "id", STRANGER),)),
    Mutation(1, "parameters are no JSON", add("analyses", {"kind": "pitch"}, analysis_id="a" * 20, parameters="{"),
             (("analyses", "value", "a" * 20),)),
    Mutation(1, "kind of analysis",
             add("analyses", {"kind": "pitch"}, analysis_id=ids.analysis_id("odd", 1, {}, None), kind="odd", parameters="{}"),
             (("analyses", "value", "kind"),)),
    Mutation(1, "parent of another kind",
             add("analyses", {"kind": "contour"}, analysis_id=ids.analysis_id("contour", 1, {}, CONTOUR_ID), parameters="{}", parent_id=CONTOUR_ID),
             (("analyses", "reference", ids.analysis_id("contour", 1, {}, CONTOUR_ID)),)),
    Mutation(1, "parent nowhere",
             add("analyses", {"kind": "contour"}, analysis_id=ids.analysis_id("contour", 1, {}, "e" * 20), parameters="{}", parent_id="e" * 20),
             (("analyses", "reference", "e" * 20),)),
    Mutation(1, "parent missing",
             add("analyses", {"kind": "contour"}, analysis_id=ids.analysis_id("contour", 7, {}, None), stage_version=7, parameters="{}", parent_id=None),
             (("analyses", "reference", ids.analysis_id("contour", 7, {}, None)),)),
    Mutation(1, "coverage of no analysis", add("coverage", {"scope_key": AMINA}, analysis_id="b" * 20), (("coverage", "reference", "b" * 20),)),
    Mutation(1, "coverage of no recording", add("coverage", {"analysis_id": CONTOUR_ID}, scope_key="e" * 20, state="empty", n_rows=0),
             (("coverage", "reference", "e" * 20),)),
    Mutation(1, "coverage counts too few", change("coverage", {"analysis_id": PITCH_ID, "scope_key": AMINA}, n_rows=1),
             (("coverage", "coverage", AMINA),)),
    Mutation(1, "coverage of nothing is done", change("coverage", {"analysis_id": CONTOUR_ID, "scope_key": SILENCE}, state="done"),
             (("coverage", "coverage", f"{CONTOUR_ID}, scope_key {SILENCE}"),)),
    Mutation(1, "state of coverage", change("coverage", {"analysis_id": PITCH_ID, "scope_key": BELA}, state="odd"), (("coverage", "value", "state"),)),
    Mutation(1, "more motifs than tested", change("coverage", {"analysis_id": MINING_ID["gap 1"], "scope_key": BELA}, n_tested=2),
             (("coverage", "coverage", f"{MINING_ID['gap 1']}, scope_key {BELA}"),)),
    Mutation(1, "counts' coverage", change("coverage", {"scope_key": "all"}, n_rows=1), (("coverage", "coverage", "scope_key all"),)),
    # -- group 2: pitch
    Mutation(2, "block missing", change("pitch", {"recording_id": AMINA, "block": 1}, block=2), (("pitch", "blocks", f"{AMINA}, analysis_id {PITCH_ID}, block 2"),)),
    Mutation(2, "infinite f0", set_in_list("pitch", {"recording_id": BELA}, "f0_hz", 7, math.inf), (("pitch", "frames", BELA),)),
    Mutation(2, "confidence too short", change("pitch", {"recording_id": CHITRA}, confidence=[0.5]), (("pitch", "frames", CHITRA),)),
    Mutation(2, "confidence above one",
             lambda rows: set_in_list("pitch", {"recording_id": AMINA, "block": 0}, "confidence", 3, 1.5)(rows),
             (("pitch", "frames", f"{AMINA}, analysis_id {PITCH_ID}, block 0"),)),
    Mutation(2, "hop of zero", change("pitch", {"recording_id": SILENCE}, hop_s=0.0), (("pitch", "blocks", SILENCE),)),
    Mutation(2, "agreement in another order",
             lambda rows: rows["pitch_agreement"].append({"recording_id": BELA, "analysis_a": PITCH_ID, "analysis_b": PITCH_ID,
                 "n_frames": 400, "agreement": 0.5, "voicing_agreement": None}),
             (("pitch_agreement", "agreement", BELA),)),
    Mutation(2, "agreement beyond one",
             lambda rows: rows["pitch_agreement"].append({"recording_id": CHITRA, "analysis_a": PITCH_ID, "analysis_b": OTHER_PITCH,
                 "n_frames": 1, "agreement": 1.5, "voicing_agreement": 1.0}),
             (("pitch_agreement", "agreement", CHITRA), ("pitch_agreement", "agreement", CHITRA), ("pitch_agreement", "reference", OTHER_PITCH))),
    # -- group 3: pitch once more, phrases
    Mutation(3, "hole between blocks", change("pitch", {"recording_id": AMINA, "block": 1}, start_s=1.5), (("pitch", "blocks", AMINA),)),
    Mutation(3, "pitch of no recording",
             both(add("pitch", {"recording_id": BELA}, recording_id=STRANGER),
                  add("coverage", {"analysis_id": PITCH_ID, "scope_key": BELA}, scope_key=STRANGER)),
             (("pitch", "reference", STRANGER), ("coverage", "reference", STRANGER))),
    Mutation(3, "phrase id",
             lambda rows: [row.update(phrase_id=STRANGER) for t in ("contours", "occurrences") for row in rows[t] if row["phrase_id"] == phrase("chitra", 1)],
             (("contours", "id", STRANGER),)),
    Mutation(3, "end of a phrase", change("contours", {"phrase_id": phrase("amina", 2)}, end_s=99.0), (("contours", "segments", phrase("amina", 2)),)),
    Mutation(3, "levels do not make the symbols", set_in_list("contours", {"phrase_id": phrase("bela", 1)}, "segment_cents", 9, 9999.0),
             (("contours", "symbols", phrase("bela", 1)),)),
    Mutation(3, "times descend", set_in_list("contours", {"phrase_id": phrase("amina", 1)}, "segment_end_s", 4, 2.0),
             (("contours", "segments", phrase("amina", 1)), *[("occurrences", "time", phrase("amina", 1))] * 7)),
    # -- group 4: motifs by themselves
    Mutation(4, "motif id",
             lambda rows: [row.update(motif_id=STRANGER) for t in ("motifs", "occurrences") for row in rows[t] if row["motif_id"] == motif("+1 -2", "bela")],
             (("motifs", "id", STRANGER),)),
    Mutation(4, "contour text", change("motifs", {"motif_id": motif("+1", "bela")}, contour="+2"), (("motifs", "pattern", motif("+1", "bela")),)),
    Mutation(4, "length", change("motifs", {"motif_id": motif("-2", "bela")}, length=2), (("motifs", "pattern", motif("-2", "bela")),)),
    Mutation(4, "p above one", change("motifs", {"motif_id": motif("+1", "amina")}, log10_p=1.0, surprise_bits=-math.log2(10)),
             (("motifs", "statistics", motif("+1", "amina")),)),
    Mutation(4, "surprise", change("motifs", {"motif_id": motif("-2", "amina")}, surprise_bits=50.0), (("motifs", "statistics", motif("-2", "amina")),)),
    Mutation(4, "q above one", change("motifs", {"motif_id": motif("-2", "chitra")}, q_value=1.5), (("motifs", "statistics", motif("-2", "chitra")),)),
    Mutation(4, "p without method", change("motifs", {"motif_id": motif("2", "chitra")}, p_method=None), (("motifs", "statistics", motif("2", "chitra")),)),
    Mutation(4, "scope", change("motifs", {"motif_id": motif("-2 2", "chitra")}, scope="choir"),
             (("motifs", "limits", motif("-2 2", "chitra")), ("motifs", "id", motif("-2 2", "chitra")))),
    Mutation(4, "longest duration", change("motifs", {"motif_id": motif("+1 -2", "amina")}, duration_max_s=9.0), (("motifs", "counts", motif("+1 -2", "amina")),)),
    Mutation(4, "median duration", change("motifs", {"motif_id": motif("+1 -2", "amina", "gap 1")}, duration_median_s=0.31),
             (("motifs", "counts", motif("+1 -2", "amina", "gap 1")),)),
    Mutation(4, "counted apart", change("motifs", {"motif_id": motif("-2 1", "amina")}, occurrences_nonoverlapping=1), (("motifs", "counts", motif("-2 1", "amina")),)),
    Mutation(4, "recordings", change("motifs", {"motif_id": motif("1 -2 1", "amina")}, support_recordings=2), (("motifs", "counts", motif("1 -2 1", "amina")),)),
    Mutation(4, "phrases", change("motifs", {"motif_id": motif("1 -2 1", "bela")}, support_sequences=1),
             (("motifs", "counts", motif("1 -2 1", "bela")), ("motifs", "recount", motif("1 -2 1", "bela")))),
    # -- group 5: occurrences and counts
    Mutation(5, "an occurrence is not listed", remove("occurrences", motif_id=motif("-2 1", "amina")), (("motifs", "counts", motif("-2 1", "amina")),) * 2),
    Mutation(5, "listed and counted too few",
             lambda rows: forget_one(rows, motif("+1", "bela")), (("motifs", "recount", motif("+1", "bela")),)),
    Mutation(5, "beyond its phrase", change("occurrences", {"motif_id": motif("+1", "amina"), "phrase_id": phrase("amina", 1)}, last_symbol=40),
             (("occurrences", "place", "last_symbol 40"),)),
    Mutation(5, "not its pattern", change("occurrences", {"motif_id": motif("-2", "amina"), "first_symbol": 1}, last_symbol=2),
             (("occurrences", "match", "first_symbol 1, last_symbol 2"),)),
    Mutation(5, "no minimal window", change("occurrences", {"motif_id": motif("1 -2", "amina", "gap 1"), "first_symbol": 2, "last_symbol": 3}, last_symbol=4),
             (("occurrences", "match", "first_symbol 2, last_symbol 4"),)),
    Mutation(5, "starts late", change("occurrences", {"motif_id": motif("1 -2 1", "amina"), "first_symbol": 0}, start_cents=1.0),
             (("occurrences", "time", f"{motif('1 -2 1', 'amina')}"),)),
    Mutation(5, "occurrence of no motif", add("occurrences", {"recording_id": BELA}, motif_id=STRANGER), (("occurrences", "reference", STRANGER),)),
    Mutation(5, "occurrence of no phrase", change("occurrences", {"motif_id": motif("1 -2 1", "bela")}, phrase_id=STRANGER),
             (("occurrences", "reference", STRANGER),)),
    Mutation(5, "motif of another recording", add("occurrences", {"motif_id": motif("-2", "chitra"), "phrase_id": phrase("chitra", 0)}, recording_id=AMINA),
             (("occurrences", "place", phrase("chitra", 0)), ("occurrences", "place", motif("-2", "chitra")),
              ("occurrences", "key", motif("-2", "chitra")))),
    Mutation(5, "counted wrong", change("pattern_counts", {"recording_id": CHITRA, "pattern_id": kept("-2")}, occurrences=9),
             (("pattern_counts", "pattern_counts", CHITRA),)),
    Mutation(5, "not counted", remove("pattern_counts", recording_id=BELA, pattern_id=kept("-2")),
             (("pattern_counts", "pattern_counts", BELA), ("coverage", "coverage", "scope_key all"))),
    # -- group 6: limits of the analysis, whole rows of a recording
    Mutation(6, "symbol beyond the classes", set_in_list("motifs", {"motif_id": motif("+1", "amina", "gap 1")}, "pattern", 0, 9),
             (("motifs", "pattern", motif("+1", "amina", "gap 1")), ("motifs", "pattern", motif("+1", "amina", "gap 1")), ("motifs", "id", motif("+1", "amina", "gap 1")),
              ("motifs", "recount", motif("+1", "amina", "gap 1")), ("motifs", "recount", motif("+1", "bela", "gap 1")),
              *[("pattern_counts", "pattern_counts", name) for name in (AMINA, BELA)],
              *[("occurrences", "match", motif("+1", "amina", "gap 1"))] * 7)),
    Mutation(6, "phrase number", lambda rows: renumber(rows, "chitra", 1, 5), (("contours", "phrases", ids.phrase_id(CONTOUR_ID, CHITRA, 5)),)),
    Mutation(6, "kept by no motif", add("pattern_counts", {"recording_id": CHITRA}, pattern_id=STRANGER),
             (("pattern_counts", "pattern_counts", STRANGER), ("coverage", "coverage", "scope_key all"))),
    Mutation(6, "motif without coverage", remove("coverage", analysis_id=MINING_ID["gap 1"], scope_key=CHITRA),
             (("coverage", "coverage", f"{MINING_ID['gap 1']}, scope_key {CHITRA}"),)),
]  # fmt: skip


def forget_one(rows: Rows, motif_id: str) -> None:
    """Take one occurrence away, everywhere but in the phrases."""
    found = [row for row in rows["occurrences"] if row["motif_id"] == motif_id]
    here = [row for row in found if row["phrase_id"] == found[0]["phrase_id"]]
    assert len(here) > 1
    rows["occurrences"].remove(here[-1])
    row = one(rows, "motifs", motif_id=motif_id)
    row["occurrences"] -= 1
    row["occurrences_nonoverlapping"] -= 1
    durations = sorted(r["end_s"] - r["start_s"] for r in found if r is not here[-1])
    row |= {"duration_min_s": durations[0], "duration_max_s": durations[-1]}
    row["duration_median_s"] = durations[(len(durations) - 1) // 2]


def renumber(rows: Rows, name: str, old: int, new: int) -> None:
    new_id = ids.phrase_id(CONTOUR_ID, RECORDING[name], new)
    one(rows, "contours", phrase_id=phrase(name, old))["phrase"] = new
    for table in ("contours", "occurrences"):
        for row in rows[table]:
            if row["phrase_id"] == phrase(name, old):
                row["phrase_id"] = new_id


def matches(violation: Violation, expected: tuple[str, str, str]) -> bool:
    table, rule, where = expected
    return (violation.table, violation.rule) == (
        table,
        rule,
    ) and where in f"{violation.where} {violation.text}"


@pytest.mark.parametrize("group", sorted({m.group for m in MUTATIONS}))
def test_each_mutation_is_reported_and_nothing_else(tmp_path: Path, example_db: Path, group: int) -> None:
    rows = example_rows()
    expected = []
    for mutation in MUTATIONS:
        if mutation.group == group:
            mutation.break_it(rows)
            expected += [(mutation.name, e) for e in mutation.expected]
    tables = {name: TABLES[name].table(part) for name, part in rows.items()}
    found = list(check(open_snapshot(make_database(tmp_path / "wrong.motifdb", tables))))
    left = list(found)
    for name, one_expected in expected:
        match = next((v for v in left if matches(v, one_expected)), None)
        assert match is not None, f"{name}: {one_expected} is not among\n" + "\n".join(map(str, left))
        left.remove(match)
    assert not left, "\n".join(map(str, left))
    assert all("\n" not in str(v) and v.rule in RULES for v in found)


def test_every_rule_is_broken_by_some_test() -> None:
    tested = {rule for m in MUTATIONS for _, rule, _ in m.expected}
    elsewhere = {"checksum", "log", "readable", "rows", "schema", "null", "limits", "index"}
    of_learning = {rule for _, _, _, expected in LEARNING for _, rule in expected}
    of_families = {rule for _, _, _, expected in FAMILIES for _, rule in expected}
    of_vectors = {rule for _, _, _, expected in VECTORS for _, rule in expected}
    assert tested | elsewhere | of_learning | of_families | of_vectors == set(RULES)


def test_a_right_database_has_no_violation(example: Snapshot, example_db: Path) -> None:
    steps: list[str] = []
    assert list(check(example, on_step=steps.append)) == []
    assert len(steps) == 21
    assert list(check(open_snapshot(example_db, at=0))) == []


def test_history_compaction_and_gap_sampling_do_not_count(tmp_path: Path) -> None:
    path = make_database(tmp_path / "grown.motifdb", example_tables())
    rows = example_rows()
    with open_writer(path) as writer:
        for name in ("occurrences", "contours", "motifs", "pattern_counts"):
            part = TABLES[name].table(rows[name][::2])
            key = TABLES[name].key[0]
            values = ", ".join(f"'{v}'" for v in set(part.column(key).to_pylist()))
            back = TABLES[name].table([r for r in rows[name] if r[key] in set(part.column(key).to_pylist())])
            writer.commit(
                Changes(delete={name: f"{key} in ({values})"}), token=f"-{name}", message="take away"
            )
            writer.commit(Changes(append={name: back}), token=f"+{name}", message="put back")
        compact(writer)
    assert list(check(open_snapshot(path), gapped_recordings=1)) == []


def test_limits_of_an_analysis(tmp_path: Path) -> None:
    """The same rows under stricter parameters: an analysis whose id follows from them."""
    rows = example_rows()
    new = mining_with(rows, min_support=5, min_length=2, max_length=2, min_duration_s=0.25)
    tables = {name: TABLES[name].table(part) for name, part in rows.items()}
    found = list(check(open_snapshot(make_database(tmp_path / "strict.motifdb", tables))))
    texts = " ".join(v.text for v in found)
    assert {(v.table, v.rule) for v in found} == {("motifs", "limits")}
    for words in (
        "support 4 is below min_support 5",
        "length 1 is not within 2 to 2",
        "is below min_duration_s 0.25",
    ):
        assert words in texts
    assert new in {row["analysis_id"] for row in rows["motifs"]}


def mining_with(rows: Rows, **changes: object) -> str:
    """Give the analysis at gap 0 other parameters, and every id the value that follows."""
    old = MINING_ID["gap 0"]
    analysis = one(rows, "analyses", analysis_id=old)
    parameters = json.loads(analysis["parameters"]) | changes
    new = ids.analysis_id("mining", 1, parameters, CONTOUR_ID)
    analysis |= {"analysis_id": new, "parameters": ids.canonical_json(parameters)}
    counts = one(rows, "analyses", parent_id=old)
    names = {old: new, counts["analysis_id"]: ids.analysis_id("counts", 1, {}, new)}
    counts |= {"analysis_id": names[counts["analysis_id"]], "parent_id": new}
    for row in rows["motifs"]:
        if row["analysis_id"] == old:
            names[row["motif_id"]] = ids.motif_id(new, "recording", row["scope_key"], row["pattern_id"])
    for part in rows.values():
        for row in part:
            for column in ("analysis_id", "motif_id"):
                if row.get(column) in names:
                    row[column] = names[row[column]]
    return new


def test_counts_that_are_behind_are_no_violation(tmp_path: Path) -> None:
    """Between two commits of a job, `pattern_counts` waits for its refresh; a wrong row is wrong all the same."""
    rows = example_rows()
    behind = [row for row in rows["pattern_counts"] if row["recording_id"] != BELA]
    rows["pattern_counts"] = behind
    for row in rows["coverage"]:
        if row["scope_key"] == "all":
            row["input_hash"] = "stamped before bela came"
    tables = {name: TABLES[name].table(part) for name, part in rows.items()}
    assert list(check(open_snapshot(make_database(tmp_path / "behind.motifdb", tables)))) == []
    behind[0]["occurrences"] += 1
    tables["pattern_counts"] = TABLES["pattern_counts"].table(behind)
    found = list(check(open_snapshot(make_database(tmp_path / "wrong.motifdb", tables))))
    assert [(v.table, v.rule) for v in found] == [("pattern_counts", "pattern_counts")]


def add_wide(rows: Rows) -> tuple[str, str]:
    """Mine all recordings as one, for the pattern -2 alone; the ids of the analysis and the motif."""
    config = MiningConfig(min_support=0.5, support="sequences", scope="corpus")
    scope = partition("corpus", "leave-out", RECORDING.values(), {})
    values = parameters(config) | {"inputs_hash": scope.inputs_hash}
    analysis_id = ids.analysis_id("mining", 1, values, CONTOUR_ID)
    rows["analyses"].append(
        one(rows, "analyses", analysis_id=MINING_ID["gap 0"])
        | {"analysis_id": analysis_id, "name": "all", "parameters": ids.canonical_json(values)}
        | {"inputs_hash": scope.inputs_hash, "n_inputs": 4}
    )
    parts = [row for row in rows["motifs"] if row["pattern_id"] == kept("-2")]
    motif_id = ids.motif_id(analysis_id, "corpus", "all", kept("-2"))
    own = {row["motif_id"] for row in parts if row["analysis_id"] == MINING_ID["gap 0"]}
    rows["occurrences"] += [
        row | {"motif_id": motif_id} for row in rows["occurrences"] if row["motif_id"] in own
    ]
    wide = parts[0] | {
        "motif_id": motif_id,
        "analysis_id": analysis_id,
        "scope": "corpus",
        "scope_key": "all",
    }
    wide["support_recordings"] = len(parts)
    for name in ("occurrences", "occurrences_nonoverlapping", "support_sequences"):
        wide[name] = sum(row[name] for row in parts)
    wide["duration_min_s"] = min(row["duration_min_s"] for row in parts)
    wide["duration_max_s"] = max(row["duration_max_s"] for row in parts)
    rows["motifs"].append(wide)
    rows["coverage"].append(
        one(rows, "coverage", analysis_id=MINING_ID["gap 0"])
        | {"analysis_id": analysis_id, "scope_key": "all", "input_hash": scope.input_hash("all"), "n_rows": 1}
        | {"state": "done"}
    )
    return analysis_id, motif_id


def drop_a_place(rows: Rows, motif_id: str) -> None:
    """Forget one of two occurrences in one phrase, and count as if it had never been."""
    lost = one(rows, "occurrences", motif_id=motif_id, phrase_id=phrase("amina", 0))
    rows["occurrences"].remove(lost)
    wide = one(rows, "motifs", motif_id=motif_id)
    wide["occurrences"] -= 1
    wide["occurrences_nonoverlapping"] -= 1


@pytest.mark.parametrize(
    ("break_it", "expected"),
    [
        (lambda rows, a, m: None, set()),
        (
            lambda rows, a, m: one(rows, "motifs", motif_id=m).update(support_recordings=9),
            {("motifs", "counts", "support_recordings is 9")},
        ),
        (
            lambda rows, a, m: drop_a_place(rows, m),
            {("motifs", "recount", f"of recording {AMINA}, a new search")},
        ),
        (
            lambda rows, a, m: one(rows, "coverage", analysis_id=a).update(input_hash="x"),
            {("coverage", "coverage", "not that of its 4 recordings")},
        ),
        (
            lambda rows, a, m: one(rows, "coverage", analysis_id=a).update(scope_key="nobody"),
            {
                ("coverage", "reference", "no recording is in this corpus"),
                ("coverage", "coverage", "but no coverage"),
                ("coverage", "coverage", "1 rows, there are 0"),
            },
        ),
        (
            lambda rows, a, m: one(rows, "analyses", analysis_id=a).update(inputs_hash="x"),
            {("analyses", "value", "is not the one among the parameters")},
        ),
    ],
    ids=["right", "counts", "place", "inputs", "key", "list"],
)
def test_motifs_over_several_recordings(
    tmp_path: Path, break_it: Callable[[Rows, str, str], object], expected: set[tuple[str, str, str]]
) -> None:
    """A motif of all recordings: its counts are added up over them, its places searched in each."""
    rows = example_rows()
    break_it(rows, *add_wide(rows))
    tables = {name: TABLES[name].table(part) for name, part in rows.items()}
    found = list(check(open_snapshot(make_database(tmp_path / "wide.motifdb", tables))))
    assert {(v.table, v.rule) for v in found} == {e[:2] for e in expected}
    assert len(found) == len(expected)
    for _, _, words in expected:
        assert words in " ".join(v.text for v in found)


def data_file(path: Path, table: str) -> Path:
    return next(iter((path / "tables" / f"{table}.lance" / "data").iterdir()))


def test_flipped_bytes_and_lost_files(tmp_path: Path) -> None:
    path = make_database(tmp_path / "flipped.motifdb", example_tables())
    file = data_file(path, "corpora")
    content = bytearray(file.read_bytes())
    content[len(content) // 3] ^= 1
    file.write_bytes(content)
    data_file(path, "pitch").unlink()
    found = list(check(open_snapshot(path)))
    assert {v.table for v in found if v.rule == "checksum"} == {"corpora", "pitch"}
    assert {v.rule for v in found if v.table == "pitch"} <= {"checksum", "readable"}
    assert all("\n" not in str(v) for v in found)


def test_changed_commit_record(tmp_path: Path) -> None:
    path = make_database(tmp_path / "log.motifdb", example_tables())
    record = path / "commits" / "0000000000.json"
    record.write_text(record.read_text().replace("create the database", "create a database"))
    found = list(check(open_snapshot(path)))
    assert "log" in {v.rule for v in found}
    assert {v.rule for v in found} <= {"log", "checksum"}


class Patched(Snapshot):
    """A snapshot with one table in other hands: what Lance itself would refuse to write there."""

    def __init__(self, whole: Snapshot, name: str, table: pa.Table, uri: Path) -> None:
        super().__init__(whole.path, whole.record)
        import lance

        self._name = name
        self._other = lance.write_dataset(table, str(uri))

    def dataset(self, name: str) -> Any:
        return self._other if name == self._name else super().dataset(name)


@pytest.fixture
def patched(example: Snapshot, tmp_path: Path) -> Iterator[Callable[[str, pa.Table], list[Violation]]]:
    def run(name: str, table: pa.Table) -> list[Violation]:
        return list(check(Patched(example, name, table, tmp_path / f"{name}.lance")))

    yield run


def test_nulls_types_and_rows(patched: Callable[[str, pa.Table], list[Violation]], tmp_path: Path) -> None:
    tables = example_tables()
    corpora = tables["corpora"].to_pydict()
    loose = pa.schema([pa.field(f.name, f.type) for f in tables["corpora"].schema])
    found = patched("corpora", pa.table(corpora | {"root_uri": [None]}, loose))
    assert [(v.table, v.rule, v.where) for v in found] == [("corpora", "null", "root_uri")]

    failures = tables["failures"]
    wide = failures.set_column(
        failures.schema.get_field_index("size_bytes"), "size_bytes", pa.array([1000], pa.int32())
    )
    found = patched("failures", wide)
    assert [(v.table, v.rule, v.where) for v in found] == [("failures", "schema", "size_bytes")]

    found = patched("pitch_agreement", tables["pitch_agreement"].drop_columns(["n_frames"]))
    assert ("pitch_agreement", "schema", "n_frames") in {(v.table, v.rule, v.where) for v in found}


def test_number_of_rows(patched: Callable[[str, pa.Table], list[Violation]]) -> None:
    rows = example_tables()["pattern_counts"]
    found = patched("pattern_counts", rows.slice(1))
    assert "rows" in {v.rule for v in found}
    assert {v.table for v in found} == {"pattern_counts", "coverage"}
