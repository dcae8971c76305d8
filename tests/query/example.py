"""A small database whose every row is made here by the plainest code, so that tests know what is true.

Four f0 recordings: one in two pitch blocks, one held by two files that contradict each other about the singer,
one silent; beside them a file that is no input and one that failed. Mined at gap 0 and at gap 1.
"""

from __future__ import annotations

import copy
import datetime as dt
import functools
import math
import statistics
from itertools import pairwise
from typing import Any

import pyarrow as pa

from motifdb import ids
from motifdb.config import ContourConfig, MiningConfig, PitchConfig, parameters
from motifdb.schemas import TABLES

CONTOUR = ContourConfig()
MINING = {
    "gap 0": MiningConfig(min_support=3),
    "gap 1": MiningConfig(max_gap=1, support="sequences", min_support=2),
}
HOP_S = 0.01
STEP_CENTS = {1: 33.0, 2: 100.0, 3: 170.0, 4: 250.0}

SONGS: dict[str, list[list[int]]] = {
    "amina": [[1, -2, 1, -2, 1, 3, 1, -2, 1], [4, 1, -2, 1], [2]],
    "bela": [[1, -2, 1, 1, -2, 1], [-3, -1, 1, -2, 1, -4, 1, -2, 1]],
    "chitra": [[2, -2, 2, -2, 2], [2, -2, 2, 1, -2]],
    "silence": [],
}
"""Phrases of each recording, as symbols."""

CORPUS_ID = ids.hash_text("corpus", "songs")
RECORDING = {name: ids.content_id(name.encode()) for name in SONGS}
PITCH_ID = ids.analysis_id("pitch", 1, parameters(PitchConfig(tracker="f0-file")), None)
CONTOUR_ID = ids.analysis_id("contour", 1, parameters(CONTOUR), PITCH_ID)
MINING_ID = {name: ids.analysis_id("mining", 1, parameters(c), CONTOUR_ID) for name, c in MINING.items()}


def example_rows() -> dict[str, list[dict[str, Any]]]:
    """Every table's rows; the caller may change them."""
    return copy.deepcopy(_rows())


@functools.cache
def _rows() -> dict[str, list[dict[str, Any]]]:
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in TABLES}
    rows["corpora"] = [{"corpus_id": CORPUS_ID, "name": "songs", "root_uri": "/somewhere/songs"}]
    _add_files(rows)
    _add_analyses(rows)
    for name in SONGS:
        _add_recording(rows, name)
    for name, config in MINING.items():
        _add_motifs(rows, MINING_ID[name], config)
        _add_counts(rows, MINING_ID[name])
    return rows


def example_tables() -> dict[str, pa.Table]:
    """Every table, of the declared schema."""
    return {name: TABLES[name].table(rows) for name, rows in example_rows().items()}


def _file(path: str, recording: str | None, state: str = "input", **labels: str) -> dict[str, Any]:
    standard = {k: labels.pop(k, None) for k in ("singer", "style", "title", "work", "artist")}
    return {
        "corpus_id": CORPUS_ID, "path": path, "recording_id": recording, "state": state, "size_bytes": 1000,
        "mtime_ns": 1, "container": "f0-text", **standard, "labels": list(labels.items()),
    }  # fmt: skip


def _add_files(rows: dict[str, list[dict[str, Any]]]) -> None:
    rows["files"] = [
        _file(
            "amina.pitch",
            RECORDING["amina"],
            singer="Amina",
            style="hijaz",
            title="One",
            city="Urfa",
            decade="1950s",
        ),
        _file("bela.pitch", RECORDING["bela"], singer="Bela", style="rast", title="Two", city="Urfa"),
        _file("copy of bela.pitch", RECORDING["bela"], singer="Bella", style="rast"),
        _file("chitra.pitch", RECORDING["chitra"], singer="Amina", style="rast"),
        _file("silence.pitch", RECORDING["silence"]),
        _file("notes.txt", None, "skipped"),
        _file("broken.wav", None, "failed", singer="Amina"),
    ]
    rows["failures"] = [
        {"corpus_id": CORPUS_ID, "path": "broken.wav", "stage": "decode", "kind": "empty", "reason": "the file is empty",
         "recording_id": None, "analysis_id": None, "size_bytes": 1000, "mtime_ns": 1}
    ]  # fmt: skip


def _add_analyses(rows: dict[str, list[dict[str, Any]]]) -> None:
    def row(id_: str, name: str, kind: str, parent: str | None, part: Any) -> dict[str, Any]:
        return {
            "analysis_id": id_, "name": name, "kind": kind, "parent_id": parent,
            "parameters": ids.canonical_json(parameters(part)), "stage_version": 1, "inputs_hash": None,
            "n_inputs": None, "code_version": "0.1.0", "created_at": dt.datetime(2024, 1, 2, 3, 4, 5),
        }  # fmt: skip

    rows["analyses"] = [
        row(PITCH_ID, "f0-file", "pitch", None, PitchConfig(tracker="f0-file")),
        row(CONTOUR_ID, "epsilon", "contour", PITCH_ID, CONTOUR),
        *(row(MINING_ID[n], n, "mining", CONTOUR_ID, c) for n, c in MINING.items()),
    ]


def _coverage(analysis: str, key: str, n_rows: int, **more: Any) -> dict[str, Any]:
    return {
        "analysis_id": analysis, "scope_key": key, "input_hash": ids.hash_text(key),
        "state": "done" if n_rows else "empty", "n_rows": n_rows, "n_tested": None, "null_order": None,
        "n_motifs_any_duration": None, "n_occurrences_any_duration": None, "n_occurrences_long_enough": None, "complete_from": None,
        "commit": 1, **more,
    }  # fmt: skip


def _add_recording(rows: dict[str, list[dict[str, Any]]], name: str) -> None:
    id_ = RECORDING[name]
    phrases = []
    at_s = 0.5
    for symbols in SONGS[name]:
        cents = [0.0]
        for s in symbols:
            cents.append(round(cents[-1] + STEP_CENTS[abs(s)] * (1 if s > 0 else -1), 3))
        starts = [round(at_s + 0.1 * i, 3) for i in range(len(cents))]
        phrases.append((symbols, cents, starts, [round(s + 0.1, 3) for s in starts]))
        at_s = starts[-1] + 1.0
    n_frames = round(at_s / HOP_S)
    f0 = [220.0 if i % 50 else 0.0 for i in range(n_frames)] if phrases else [0.0] * n_frames
    blocks = [f0[:100], f0[100:]] if name == "amina" else [f0]
    done = 0
    for block, part in enumerate(blocks):
        rows["pitch"].append({
            "recording_id": id_, "analysis_id": PITCH_ID, "block": block, "hop_s": HOP_S, "start_s": done * HOP_S,
            "f0_hz": part, "confidence": [0.9] * len(part) if name == "amina" else [],
        })  # fmt: skip
        done += len(part)
    for number, (symbols, cents, starts, ends) in enumerate(phrases):
        rows["contours"].append({
            "phrase_id": ids.phrase_id(CONTOUR_ID, id_, number), "recording_id": id_, "analysis_id": CONTOUR_ID,
            "phrase": number, "start_s": starts[0], "end_s": ends[-1], "symbols": symbols,
            "segment_start_s": starts, "segment_end_s": ends, "segment_cents": cents,
        })  # fmt: skip
    rows["recordings"].append({
        "recording_id": id_, "kind": "f0", "audio_hash": None, "duration_s": n_frames * HOP_S,
        "sample_rate_hz": None, "channels": None, "codec": "f0-text", "peak": None, "clipped_share": None,
        "warning": None, "tags": [],
    })  # fmt: skip
    rows["coverage"].append(_coverage(PITCH_ID, id_, len(blocks)))
    rows["coverage"].append(_coverage(CONTOUR_ID, id_, len(phrases)))


def windows(symbols: list[int], pattern: list[int], max_gap: int | None) -> list[tuple[int, int]]:
    """Minimal windows (first, last symbol) of a pattern: no embedding lies in a proper part."""

    def embeds(first: int, last: int) -> bool:
        ends = {i for i in range(first, last + 1) if symbols[i] == pattern[0]}
        for p in pattern[1:]:
            reach = last if max_gap is None else max_gap + 1
            ends = {
                j for j in range(first, last + 1) if symbols[j] == p and any(0 < j - i <= reach for i in ends)
            }
        return bool(ends)

    n = len(symbols)
    return [
        (a, b) for a in range(n) for b in range(a, n)
        if embeds(a, b) and not (a < b and (embeds(a + 1, b) or embeds(a, b - 1)))
    ]  # fmt: skip


def nonoverlapping(spans: list[tuple[int, int]]) -> int:
    """Greatest number of spans that share no symbol: greedy by end."""
    n, free = 0, 0
    for first, last in sorted(spans, key=lambda s: s[1]):
        if first >= free:
            n, free = n + 1, last + 1
    return n


def _add_motifs(rows: dict[str, list[dict[str, Any]]], analysis: str, config: MiningConfig) -> None:
    candidates = {
        tuple(p[i:j]) for song in SONGS.values() for p in song for i in range(len(p)) for j in range(i + 1, len(p) + 1)
        if j - i <= 4
    }  # fmt: skip
    by_phrase = {(c["recording_id"], c["phrase"]): c for c in rows["contours"]}
    n_motifs = dict.fromkeys(SONGS, 0)
    kept: set[tuple[int, ...]] = set()
    for name, song in SONGS.items():
        for pattern in sorted(candidates):
            found = [(n, windows(p, list(pattern), config.max_gap)) for n, p in enumerate(song)]
            found = [(n, spans) for n, spans in found if spans]
            total = sum(len(spans) for _, spans in found)
            if (total if config.support == "occurrences" else len(found)) < config.min_support:
                continue
            kept.add(pattern)
            n_motifs[name] += 1
            _add_motif(rows, analysis, config, RECORDING[name], pattern, found, by_phrase)
    for name, song in SONGS.items():
        for pattern in sorted(kept):
            found_here = [len(windows(p, list(pattern), config.max_gap)) for p in song]
            if sum(found_here):
                rows["pattern_counts"].append({
                    "analysis_id": analysis, "pattern_id": _pattern_id(pattern, config),
                    "recording_id": RECORDING[name], "occurrences": sum(found_here),
                    "phrases": sum(n > 0 for n in found_here),
                })  # fmt: skip
        rows["coverage"].append(_coverage(
            analysis, RECORDING[name], n_motifs[name], n_tested=40, null_order=0,
            n_motifs_any_duration=n_motifs[name], n_occurrences_any_duration=400,
        ))  # fmt: skip


def _add_counts(rows: dict[str, list[dict[str, Any]]], mining: str) -> None:
    """The analysis that counts kept patterns everywhere, stamped with what it counted."""
    counts = ids.analysis_id("counts", 1, {}, mining)
    rows["analyses"].append(rows["analyses"][0] | {
        "analysis_id": counts, "name": "counts", "kind": "counts", "parent_id": mining, "parameters": "{}",
    })  # fmt: skip
    done = [f"{c['scope_key']} {c['n_rows']}" for c in rows["coverage"] if c["analysis_id"] == mining]
    made = sum(c["analysis_id"] == mining for c in rows["pattern_counts"])
    rows["coverage"].append(
        _coverage(counts, "all", made) | {"input_hash": ids.hash_text(ids.set_hash(done))}
    )


def _pattern_id(pattern: tuple[int, ...], config: MiningConfig) -> str:
    return ids.pattern_id(CONTOUR.vocabulary, bytes(s & 255 for s in pattern), config.max_gap)


def _add_motif(
    rows: dict[str, list[dict[str, Any]]],
    analysis: str,
    config: MiningConfig,
    recording: str,
    pattern: tuple[int, ...],
    found: list[tuple[int, list[tuple[int, int]]]],
    by_phrase: dict[tuple[str, int], dict[str, Any]],
) -> None:
    pattern_id = _pattern_id(pattern, config)
    motif_id = ids.motif_id(analysis, "recording", recording, pattern_id)
    durations = []
    for number, spans in found:
        phrase = by_phrase[recording, number]
        for first, last in spans:
            start_s, end_s = phrase["segment_start_s"][first], phrase["segment_end_s"][last + 1]
            durations.append(end_s - start_s)
            rows["occurrences"].append({
                "motif_id": motif_id, "phrase_id": phrase["phrase_id"], "recording_id": recording,
                "first_symbol": first, "last_symbol": last, "start_s": start_s, "end_s": end_s,
                "start_cents": phrase["segment_cents"][first],
            })  # fmt: skip
    rows["motifs"].append({
        "motif_id": motif_id, "pattern_id": pattern_id, "analysis_id": analysis, "scope": "recording",
        "scope_key": recording, "contour": " ".join(f"{s:+d}" for s in pattern), "pattern": list(pattern),
        "length": len(pattern), "max_gap": config.max_gap, "support_sequences": len(found), "support_recordings": 1,
        "occurrences": sum(len(s) for _, s in found),
        "occurrences_nonoverlapping": sum(nonoverlapping(s) for _, s in found),
        "duration_median_s": statistics.median_low(durations), "duration_min_s": min(durations),
        "duration_max_s": max(durations), "expected_support": 1.0, "expected_occurrences": 1.5,
        "log10_p": -float(len(pattern)), "q_value": 0.01, "surprise_bits": len(pattern) * math.log2(10), "p_method": "exact",
        "stability": None,
    })  # fmt: skip


def contour_steps_agree() -> bool:
    """Whether every phrase's cents give back its symbols with the plain class rule."""
    for c in example_rows()["contours"]:
        for (a, b), symbol in zip(pairwise(c["segment_cents"]), c["symbols"], strict=True):
            step = abs(b - a)
            size = 1 + sum(step > bound for bound in CONTOUR.bounds_cents)
            if symbol != (size if b >= a else -size):
                return False
    return True
