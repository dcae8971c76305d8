"""Planted variants come back as families; silence and a held tone give nothing."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from motifdb.errors import UsageError
from motifdb.families import Candidate, FamiliesConfig, FoundFamily, Track, find_families
from motifdb.families.grouping import group
from motifdb.families.melody import Melody
from motifdb.families.places import Places
from tests.corpora import corpora_root, needs_corpus

HOP_S = 0.01
PHRASES = {"a": (0, 200, 400, 700, 500, 400), "b": (700, 900, 1200, 900, 700, 1000)}


def sung(
    cents: tuple[int, ...], note_s: float, shift: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Notes of about `note_s` with vibrato, and a rest after."""
    lengths = [round(note_s / HOP_S * rng.uniform(0.94, 1.06)) for _ in cents]
    line = np.repeat(np.array(cents, dtype=float) + shift, lengths)
    line += 25 * np.sin(2 * np.pi * 5.5 * HOP_S * np.arange(line.size) + rng.uniform(0, 6))
    return np.concatenate([line, np.full(30, np.nan)])


def song(
    order: str, seed: int, shifts: dict[int, float] | None = None
) -> tuple[Track, list[tuple[str, float, float]]]:
    """A track of phrases by letter, x is a phrase of its own each time, and where each lies."""
    rng = np.random.default_rng(seed)
    parts, truth, at = [np.full(30, np.nan)], [], 30
    for k, letter in enumerate(order):
        cents = PHRASES.get(letter, tuple(int(c) for c in rng.integers(-1200, 1200, 6)))
        part = sung(cents, 0.5, (shifts or {}).get(k, 0.0), rng)
        truth.append((letter, at * HOP_S, (at + part.size - 30) * HOP_S))
        at += part.size
        parts.append(part)
    line = np.concatenate(parts)
    f0_hz = np.where(np.isnan(line), 0, 440 * 2 ** (np.nan_to_num(line) / 1200))
    return Track(f"song{seed}", HOP_S, 0.0, f0_hz.astype(np.float32)), truth


def letters(family: FoundFamily, truths: list[list[tuple[str, float, float]]]) -> list[str]:
    """The letter each member lies on, or ? where it shares less than 66 % of both durations with one."""
    out = []
    for m in family.members:
        name = "?"
        for letter, a, b in truths[m.recording]:
            if min(b, m.end_s) - max(a, m.start_s) >= 0.66 * max(b - a, m.end_s - m.start_s):
                name = letter
        out.append(name)
    return out


ORDER = "xaxbxaxxbaxxbxaxb"


def test_planted_variants_are_families_and_others_are_not() -> None:
    track, truth = song(ORDER, 1)
    families = find_families([track])
    found = [letters(f, [truth]) for f in families]
    assert ["a"] * ORDER.count("a") in found
    assert ["b"] * ORDER.count("b") in found
    assert not any("x" in set(f) & {"x"} and len(set(f)) == 1 for f in found)
    for family in families:
        assert family.members[family.exemplar].distance_cents == 0
        assert family.threshold_cents > 0
        starts = [m.start_s for m in family.members]
        assert starts == sorted(starts)
        assert all(
            b.start_s >= a.end_s - 1e-9 for a, b in zip(family.members, family.members[1:], strict=False)
        )


def test_another_voice_is_found_only_with_transposition() -> None:
    at = [k for k, letter in enumerate(ORDER) if letter == "a"][2]
    track, truth = song(ORDER, 2, {at: 500.0})
    without = [letters(f, [truth]) for f in find_families([track])]
    assert ["a"] * ORDER.count("a") not in without
    config = FamiliesConfig(max_transposition_cents=700)
    families = [f for f in find_families([track], config) if set(letters(f, [truth])) == {"a"}]
    assert any(len(f.members) == ORDER.count("a") for f in families)
    whole = next(f for f in families if len(f.members) == ORDER.count("a"))
    assert whole.members[2].transposition_cents == pytest.approx(500, abs=60)
    assert whole.members[2].distance_cents < 60


def test_variants_are_sought_in_all_tracks_of_a_scope() -> None:
    one, first = song("xxaxxbxx", 3)
    two, second = song("bxxxaxxx", 4)
    found = [(f, letters(f, [first, second])) for f in find_families([one, two])]
    assert (["a", "a"]) in [names for _, names in found]
    pair = next(f for f, names in found if names == ["a", "a"])
    assert [m.recording for m in pair.members] == [0, 1]


def test_candidates_replace_the_seeds() -> None:
    track, truth = song(ORDER, 1)
    spans = [Candidate(0, a, b) for letter, a, b in truth if letter == "a"][:1]
    families = find_families([track], candidates=spans)
    assert [letters(f, [truth]) for f in families] == [["a"] * ORDER.count("a")]
    with pytest.raises(UsageError, match="candidate 0 is in track 3, of 1 tracks"):
        find_families([track], candidates=[Candidate(3, 0.0, 3.0)])


def test_silence_and_held_tones_give_nothing() -> None:
    silence = Track("silence", HOP_S, 0.0, np.zeros(6000, dtype=np.float32))
    tone = np.full(6000, 220, dtype=np.float32)
    broken = tone.copy()
    broken[::300] = 0
    for k in range(30):
        broken[k * 300 : k * 300 + 40] = 0
    empty = Track("empty", HOP_S, 0.0, np.empty(0, dtype=np.float32))
    for track in (silence, Track("tone", HOP_S, 0.0, tone), Track("broken", HOP_S, 0.0, broken), empty):
        assert find_families([track]) == []
    assert find_families([]) == []


def test_a_later_start_moves_every_time_and_progress_is_told() -> None:
    track, _ = song("xaxxax", 5)
    late = Track(track.recording_id, HOP_S, 100.0, track.f0_hz)
    told: list[tuple[int, int]] = []
    now, then = find_families([track]), find_families([late], progress=lambda k, n: told.append((k, n)))
    assert [m.start_s + 100 for f in now for m in f.members] == pytest.approx(
        [m.start_s for f in then for m in f.members]
    )
    assert told[-1][0] == told[-1][1] > 0


@needs_corpus("sancaras")
def test_a_minute_of_a_performance_repeats_its_phrases() -> None:
    """68 to 148 s of koti_janmani: the expert marks sssnnpn and smmggmggrs as sung again and again there."""
    path = corpora_root() / "sancaras" / "koti_janmani.csv"
    f0_hz = np.loadtxt(path, delimiter=",", skiprows=1)[6800:14800, 1].astype(np.float32)
    families = find_families([Track("koti", HOP_S, 68.0, f0_hz)])
    wanted = [72.5, 84.4, 95.6, 107.1]
    assert any(
        sum(any(abs(m.start_s - w) < 0.8 for m in f.members) for w in wanted) >= 3 and len(f.members) <= 8
        for f in families
    )


def test_configuration_round_trips_and_refuses_nonsense() -> None:
    config = FamiliesConfig(threshold=0.5, min_members=3)
    assert FamiliesConfig.from_toml(config.to_toml()) == config
    assert FamiliesConfig.from_parameters(config.parameters()) == config
    assert FamiliesConfig(threshold=1).parameters()["threshold"] == 1.0
    for wrong, words in (
        ({"threshold": -1.0}, "families.threshold must be more than 0"),
        ({"min_members": 1}, "at least 2"),
        ({"band": 2.0}, "0 to 1"),
        ({"max_duration_s": 1.0}, "at least min_duration_s = 2"),
        ({"frame_s": 3.0}, "too long"),
        ({"cap_cents": 1.5}, "whole number"),
    ):
        with pytest.raises(UsageError, match=words):
            FamiliesConfig(**wrong)
    with pytest.raises(UsageError, match="threshold"):
        FamiliesConfig.from_parameters({"treshold": 1})
    with pytest.raises(UsageError, match="no TOML"):
        FamiliesConfig.from_toml("threshold = ")
    with pytest.raises(UsageError, match=r"pitch every 0\.1 s"):
        find_families([Track("slow", 0.1, 0.0, np.full(100, 220, dtype=np.float32))])


def test_silences_are_no_variants_of_each_other() -> None:
    rng = np.random.default_rng(6)
    parts = []
    for _ in range(6):  # two short notes around a long silence, each time others
        parts += [sung(tuple(rng.integers(-900, 900, 2).tolist()), 0.25, 0.0, rng), np.full(170, np.nan)]
    line = np.concatenate(parts)
    f0_hz = np.where(np.isnan(line), 0, 440 * 2 ** (np.nan_to_num(line) / 1200)).astype(np.float32)
    assert find_families([Track("gaps", HOP_S, 0.0, f0_hz)], FamiliesConfig(max_inner_rest_s=3.0)) == []


def test_where_the_metre_is_clear_phrases_begin_and_end_with_it() -> None:
    cycle = np.repeat(np.random.default_rng(1).integers(-900, 900, 25), 5).astype(np.int32)  # two periods
    rest = np.arange(0, 1501, 62.5)
    melody = Melody(
        np.tile(cycle, 12), np.array([0, 1500]), np.array([1500]), np.zeros(1), rest, rest + 2, 0.05
    )

    def places(first: int) -> Places:
        at = first + 125 * np.arange(4)
        return Places(at, np.zeros(at.size), 60, 50.0, 30.0)

    phrase, early = places(2), places(746)  # 0.2 s before the rests
    for least, expected in ((0.75, [2]), (0.0, [2, 746])):
        found = group(melody, [phrase, early], FamiliesConfig(min_boundary=least))
        assert [int(f.first[0]) for f in found] == expected
    found = group(melody, [phrase, early], FamiliesConfig(metre=0.0))
    assert [int(f.first[0]) for f in found] == [2, 746], "without a metre there is no telling"
