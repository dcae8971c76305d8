"""Every question of docs/cookbook.md is asked, and its answer computed again in plain Python from the stored rows."""

from __future__ import annotations

import math
import re
import statistics
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from motifdb.query.database import Database
from tests.query.songbook import Facts
from tests.reference.edit_distance import edit_distance, note_name

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = (DOCS / "cookbook.md").read_text(encoding="utf-8")
QUESTIONS: dict[str, str] = dict(re.findall(r"^## (.*?)$.*?```sql\n(.*?)```", PAGE, flags=re.M | re.S))

Row = dict[str, Any]


def log_odds(k: int, n: int, j: int, m: int) -> float:
    return math.log((k + 0.5) / (n - k + 0.5)) - math.log((j + 0.5) / (m - j + 0.5))


def set_apart(facts: Facts) -> list[Row]:
    singer = facts.agreed("singer")
    sizes = Counter(singer.values())
    a, b = sorted(sizes, key=lambda s: (-sizes[s], s))[:2]
    rows = []
    for (analysis, contour), found in facts.counts().items():
        held = Counter(singer.get(r) for r in found)
        if held[a] or held[b]:
            odds = log_odds(held[a], sizes[a], held[b], sizes[b])
            rows.append({
                "contour": contour, "in_a": held[a], "of_a": sizes[a], "in_b": held[b], "of_b": sizes[b],
                "log_odds": odds, "analysis": analysis[:8],
            })  # fmt: skip
    return sorted(
        rows,
        key=lambda r: (-round(abs(r["log_odds"]), 6), -r["in_a"] - r["in_b"], r["contour"], r["analysis"]),
    )


def openings(facts: Facts) -> list[Row]:
    motif = {m["motif_id"]: m for m in facts["motifs"]}
    opened, total = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    by_length: dict[tuple[str, int], list[int]] = defaultdict(lambda: [0, 0])
    for o in facts["occurrences"]:
        m = motif[o["motif_id"]]
        key, alike = (m["analysis_id"], m["contour"]), by_length[m["analysis_id"], m["length"]]
        opened[key] += o["first_symbol"] == 0
        total[key] += 1
        alike[0] += o["first_symbol"] == 0
        alike[1] += 1
    rows: list[Row] = []
    for (analysis, contour), n in opened.items():
        among = by_length[analysis, len(contour.split())]
        share = n / total[analysis, contour]
        rows.append({
            "contour": contour, "openings": n, "occurrences": total[analysis, contour], "opening_share": share,
            "lift": share / (among[0] / among[1]) if among[0] else math.nan, "analysis": analysis[:8],
        })  # fmt: skip
    chosen = [r for r in rows if r["openings"] >= 3]
    return sorted(chosen, key=lambda r: (-round(r["lift"], 6), -r["openings"], r["contour"], r["analysis"]))


def lengths(facts: Facts) -> list[Row]:
    style = facts.agreed("style")
    sizes = Counter(style.values())
    is_motif = {
        (m["analysis_id"], m["contour"], style[m["scope_key"]])
        for m in facts["motifs"]
        if m["scope_key"] in style
    }
    counted: dict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)
    for (analysis, contour), found in facts.counts().items():
        n_of = Counter[str]()
        for recording, n in found.items():
            n_of[style[recording]] += n
        for value, n in n_of.items():
            if (analysis, contour, value) in is_motif:
                counted[analysis, value].append((len(contour.split()), n))
    rows = []
    for (analysis, value), pairs in counted.items():
        total = sum(n for _, n in pairs)
        long = sum(n for length, n in pairs if length >= 5)
        rows.append({
            "style": value, "recordings": sizes[value], "motifs": len(pairs),
            "mean_length": sum(length * n for length, n in pairs) / total,
            "share_of_5_or_more": long / total,
            "longest": max(pairs)[0], "analysis": analysis[:8],
        })  # fmt: skip
    return sorted(rows, key=lambda r: (-round(r["mean_length"], 6), r["style"], r["analysis"]))


def transitions(facts: Facts) -> list[Row]:
    sizes: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for (analysis, contour), found in facts.counts().items():
        if len(contour.split()) >= 4:
            sizes[analysis].append((-sum(found.values()), contour))
    common = {(analysis, contour) for analysis, s in sizes.items() for _, contour in sorted(s)[:30]}
    motif = {m["motif_id"]: (m["analysis_id"], m["contour"]) for m in facts["motifs"]}
    begins: dict[tuple[str, str, int], list[str]] = defaultdict(list)
    for o in facts["occurrences"]:
        analysis, contour = motif[o["motif_id"]]
        if (analysis, contour) in common:
            begins[analysis, o["phrase_id"], o["first_symbol"]].append(contour)
    times, firsts, nexts, totals = (Counter[Any]() for _ in range(4))
    for o in facts["occurrences"]:
        analysis, contour = motif[o["motif_id"]]
        if (analysis, contour) in common:
            for then in begins.get((analysis, o["phrase_id"], o["last_symbol"] + 1), []):
                times[analysis, contour, then] += 1
                firsts[analysis, contour] += 1
                nexts[analysis, then] += 1
                totals[analysis] += 1
    rows = [
        {"first": a, "next": b, "times": n, "lift": n * totals[id_] / (firsts[id_, a] * nexts[id_, b]), "analysis": id_[:8]}
        for (id_, a, b), n in times.items()
    ]  # fmt: skip
    return sorted(rows, key=lambda r: (-r["times"], r["first"], r["next"], r["analysis"]))


def together(facts: Facts) -> list[Row]:
    rows = []
    counts = facts.counts()
    for analysis in {id_ for id_, _ in counts}:
        held = {c: set(found) for (id_, c), found in counts.items() if id_ == analysis}
        n = facts.n_mined(analysis)
        wide = [c for c in held if len(c.split()) >= 3 and 2 <= len(held[c]) <= n / 2]
        wide = sorted(wide, key=lambda c: (-len(held[c]), c))[:100]
        for a in wide:
            for b in wide:
                both = len(held[a] & held[b])
                is_first = (-len(held[a]), a) < (-len(held[b]), b)
                if is_first and both >= 2 and edit_distance(a.split(), b.split()) > 2:
                    size_a, size_b = len(held[a]), len(held[b])
                    rows.append({
                        "one": a, "other": b, "recordings_of_one": size_a, "recordings_of_other": size_b,
                        "together": both, "lift": both * n / (size_a * size_b), "analysis": analysis[:8],
                    })  # fmt: skip
    return sorted(
        rows, key=lambda r: (-round(r["lift"], 6), -r["together"], r["one"], r["other"], r["analysis"])
    )


def most_surprising(facts: Facts) -> list[Row]:
    style = facts.agreed("style")
    sizes = Counter(style.values())
    counts = facts.counts()
    best: dict[tuple[str, str], tuple[float, int, str]] = {}
    for m in facts["motifs"]:
        key = (m["analysis_id"], style[m["scope_key"]])
        rank = (-m["surprise_bits"], -m["length"], m["contour"])
        best[key] = min(best.get(key, rank), rank)
    rows = []
    for (analysis, value), (bits, _, contour) in best.items():
        in_style = [r for r in counts[analysis, contour] if style[r] == value]
        n_motifs = sum(
            m["contour"] == contour and m["analysis_id"] == analysis and style[m["scope_key"]] == value
            for m in facts["motifs"]
        )
        rows.append({
            "style": value, "contour": contour, "best_surprise_bits": -bits, "motifs": n_motifs,
            "recordings": len(in_style), "label_recordings": sizes[value], "analysis": analysis[:8],
        })  # fmt: skip
    return sorted(rows, key=lambda r: (-r["best_surprise_bits"], r["style"], r["analysis"]))


def first_notes(facts: Facts) -> list[Row]:
    singer = facts.agreed("singer")
    found: dict[tuple[str, str], Counter[int]] = defaultdict(Counter)
    for c in facts["contours"]:
        if c["recording_id"] in singer:
            x = c["segment_cents"][0] / 100
            found[c["analysis_id"], singer[c["recording_id"]]][
                int(math.copysign(math.floor(abs(x) + 0.5), x))
            ] += 1
    rows: list[Row] = []
    for (analysis, name), notes in found.items():
        for semitone, n in sorted(notes.items(), key=lambda item: (-item[1], item[0]))[:3]:
            rows.append({
                "singer": name, "note": note_name(100 * semitone), "phrases": n, "share": n / notes.total(),
                "analysis": analysis[:8], "_semitone": semitone,
            })  # fmt: skip
    rows.sort(key=lambda r: (r["singer"], -r["phrases"], r["_semitone"], r["analysis"]))
    return [{k: v for k, v in r.items() if k != "_semitone"} for r in rows]


def variants(facts: Facts) -> list[Row]:
    counts = facts.counts()
    best: dict[tuple[str, str], float] = defaultdict(float)
    for m in facts["motifs"]:
        key = (m["analysis_id"], m["contour"])
        best[key] = max(best[key], m["surprise_bits"])
    ranked = sorted(best, key=lambda k: (-best[k], -len(k[1].split()), k[1]))
    chosen = next(k for k in ranked if 4 <= len(k[1].split()) <= 8)
    rows = []
    for (analysis, contour), found in counts.items():
        if analysis == chosen[0] and contour != chosen[1]:
            steps, wanted = contour.split(), chosen[1].split()
            if abs(len(steps) - len(wanted)) <= 2:
                rows.append({
                    "contour": contour, "edits": edit_distance(steps, wanted), "recordings": len(found),
                    "occurrences": sum(found.values()), "analysis": analysis[:8],
                })  # fmt: skip
    return sorted(rows, key=lambda r: (r["edits"], -r["occurrences"], r["contour"], r["analysis"]))


def slower(facts: Facts) -> list[Row]:
    singer, counts = facts.agreed("singer"), facts.counts()
    durations: dict[tuple[str, str], list[float]] = defaultdict(list)
    for m in facts["motifs"]:
        durations[m["analysis_id"], m["contour"]].append(m["duration_median_s"])
    ratios: dict[tuple[str, str], list[float]] = defaultdict(list)
    for m in facts["motifs"]:
        key = (m["analysis_id"], m["contour"])
        singers = {singer[r] for r in counts[key] if r in singer}
        if m["scope_key"] in singer and len(singers) >= 2:
            usual = statistics.median(durations[key])
            ratios[m["analysis_id"], singer[m["scope_key"]]].append(m["duration_median_s"] / usual)
    rows = [
        {"singer": name, "motifs": len(r), "ratio": statistics.median(r), "analysis": id_[:8]}
        for (id_, name), r in ratios.items()
    ]
    return sorted(rows, key=lambda r: (-round(r["ratio"], 6), r["singer"], r["analysis"]))


def most_alike(facts: Facts) -> list[Row]:
    path, singer, work = facts.path(), facts.agreed("singer"), facts.agreed("work")
    counts = facts.counts()
    this = min(path, key=lambda r: path[r])
    shared: dict[tuple[str, str], list[float]] = defaultdict(list)
    most: dict[str, int] = defaultdict(int)
    for (analysis, _), found in counts.items():
        if this in found:
            most[analysis] = max(most[analysis], len(found))
    for (analysis, _), found in counts.items():
        if this in found:
            for recording in found.keys() - {this}:
                shared[analysis, recording].append(math.log(most[analysis] / len(found)))
    rows = [
        {
            "path": path[r], "singer": singer.get(r), "work": work.get(r), "shared_motifs": len(w),
            "shared_weight": sum(w), "analysis": id_[:8],
        }
        for (id_, r), w in shared.items()
    ]  # fmt: skip
    return sorted(rows, key=lambda r: (-round(r["shared_weight"], 6), r["path"], r["analysis"]))


ANSWERS: dict[str, tuple[Callable[[Facts], list[Row]], int | None]] = {
    "Which figures set singer A apart from singer B?": (set_apart, 20),
    "Which motifs open phrases?": (openings, 20),
    "How does motif length relate to style?": (lengths, None),
    "Which motif follows which?": (transitions, 20),
    "Which motifs come together in a recording?": (together, 20),
    "What is the most surprising motif of each style?": (most_surprising, None),
    "On which notes does each singer begin phrases?": (first_notes, None),
    "Which motifs are variants of the strongest one?": (variants, 20),
    "Who sings the same motifs slower?": (slower, None),
    "Which recordings share most figures with this one?": (most_alike, 10),
}
"""Every question with the plain code that answers it in full, and the rows that the statement keeps."""


def rounded(row: Row) -> tuple[Any, ...]:
    return tuple(round(v, 6) if isinstance(v, float) else v for v in row.values())


def test_every_question_is_answered_here() -> None:
    assert list(QUESTIONS) == list(ANSWERS)
    assert len(QUESTIONS) == 10


@pytest.fixture(scope="module")
def facts(songbook_db: Path) -> Facts:
    return Facts.of(songbook_db)


@pytest.mark.parametrize("question", ANSWERS)
def test_the_answer_is_what_plain_code_finds(songbook_db: Path, facts: Facts, question: str) -> None:
    plain, most = ANSWERS[question]
    with Database(songbook_db) as database:
        found = database.sql(QUESTIONS[question])
    expected = plain(facts)[:most]
    assert found.columns == list(expected[0])
    assert len(found) >= 4
    assert [rounded(row) for row in found] == [rounded(row) for row in expected]


@pytest.mark.parametrize("number", range(2))
def test_the_examples_of_the_page_on_sql_are_answered(songbook_db: Path, facts: Facts, number: int) -> None:
    examples = re.findall(r"```sql\n(.*?)```", (DOCS / "sql.md").read_text(encoding="utf-8"), flags=re.S)
    assert len(examples) == 2
    given = (
        {"recording": facts["recordings"][0]["recording_id"]} if "$recording" in examples[number] else None
    )
    with Database(songbook_db) as database:
        assert len(database.sql(examples[number], given)) >= 10


def test_two_singers_may_be_named(songbook_db: Path) -> None:
    """As the page says; the two that it would choose itself are named here, the other way round."""
    question = QUESTIONS["Which figures set singer A apart from singer B?"]
    assert "pair(singer, side) as (values ('Amina', 1), ('Bela', 2))" in PAGE
    named = re.sub(
        r"pair as \(.*?\n\)",
        "pair(singer, side) as (values ('singer b', 1), ('singer a', 2))",
        question,
        count=1,
        flags=re.S,
    )
    with Database(songbook_db) as database:
        chosen, turned = database.sql(question).rows(), database.sql(named).rows()
    assert [(r["contour"], r["in_a"], r["in_b"]) for r in turned] == [
        (r["contour"], r["in_b"], r["in_a"]) for r in chosen
    ]
    assert [r["log_odds"] for r in turned] == [-r["log_odds"] for r in chosen]
