"""Parameters: what the presets carry, and which changes make another analysis or another vocabulary."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from motifdb.config import Config, ContourConfig, MiningConfig, PitchConfig, assign, preset, preset_names
from motifdb.errors import UsageError
from motifdb.pipelines.analyses import audio_pitch, f0_pitch, make_plan

KMEANS = {"quantiser": "kmeans", "k": 8, "kmeans_scope": "recording"}


def ids(config: Config) -> list[str]:
    return [a.id for a in make_plan(f0_pitch("f0-csv", None), config, "motifs").analyses()]


@pytest.mark.parametrize("name", preset_names())
def test_presets_survive_toml(name: str) -> None:
    config = preset(name, k=24 if name == "sid-2020" else None)
    assert Config.from_toml(config.to_toml()) == config


def test_sid_2020_cuts_phrases_as_its_authors_do() -> None:
    sid = preset("sid-2020", k=24)
    assert (sid.contour.max_rest_s, sid.contour.max_jump_cents, sid.contour.min_piece_s) == (0.0, None, 0.0)
    assert (sid.contour.bounds_cents, sid.contour.bounds_closed) == ((70.0, 112.0), "left")
    assert (sid.mining.min_support, sid.mining.support, sid.mining.min_length) == (3, "sequences", 5)


def test_style_2021_carries_what_is_printed() -> None:
    style = preset("style-2021")
    assert (style.contour.epsilon_cents, style.contour.bounds_cents) == (66.0, (66.0, 132.0, 198.0))
    assert (style.contour.bounds_closed, style.pitch.tracker) == ("right", "melodia")
    assert (style.mining.min_support, style.mining.support) == (3, "occurrences")
    assert style.mining.min_duration_s == 0.5


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"epsilon_cents": 80}, {"epsilon_cents": 80.0}),
        ({"max_jump_cents": 300}, {}),
        ({"min_phrase_s": -0.0}, {}),
        ({"bounds_cents": (66, 132, 198)}, {}),
        (KMEANS | {"epsilon_cents": 10.0}, KMEANS),
        ({"kmeans_scope": "recording"}, {}),
        ({"centres_cents": (1.0,)}, {}),
    ],
)
def test_what_changes_no_result_changes_no_id(one: dict[str, Any], other: dict[str, Any]) -> None:
    a, b = (replace(preset("default"), contour=ContourConfig(**values)) for values in (one, other))
    assert ids(a) == ids(b)
    assert a.contour.vocabulary == b.contour.vocabulary


@pytest.mark.parametrize(
    "change",
    [
        {"contour.epsilon_cents": 66.00001},
        {"contour.bounds_closed": "left"},
        {"contour.max_rest_s": 0.2},
        {"contour.max_jump_cents": "none"},
        {"contour.min_confidence": 0.5},
        {"mining.min_length": 2},
        {"mining.max_order": 2},
        {"mining.min_duration_s": 0.25},
    ],
)
def test_what_changes_results_changes_the_id(change: dict[str, Any]) -> None:
    config = preset("style-2021")
    assert ids(assign(config, change))[-1] != ids(config)[-1]


def test_the_preset_name_and_the_spelling_of_a_channel_change_no_id() -> None:
    assert ids(replace(preset("default"), name="mine")) == ids(preset("default"))
    left = {audio_pitch(Config(pitch=PitchConfig(channel=c))).id for c in ("left", "LEFT", " 1", "01")}
    assert len(left) == 1 and audio_pitch(Config(pitch=PitchConfig(channel="2"))).id not in left


def test_vocabularies_part_what_is_written_in_other_classes() -> None:
    made = [
        ContourConfig(),
        ContourConfig(epsilon_cents=66.00001),
        ContourConfig(bounds_cents=(66.0, 132.0, 198.00001)),
        ContourConfig(bounds_closed="left"),
        ContourConfig(median_s=0.3),
        ContourConfig(quantiser="kmeans", k=8),
        ContourConfig(quantiser="kmeans", k=9),
        ContourConfig(quantiser="kmeans", k=8, kmeans_scope="recording"),
    ]
    assert len({c.vocabulary for c in made}) == len(made)
    # where phrases end changes which patterns there are, not what one means
    assert ContourConfig(max_rest_s=0.1, min_confidence=0.5).vocabulary == ContourConfig().vocabulary


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_numbers_that_json_cannot_hold_are_refused(value: float) -> None:
    for name in ("epsilon_cents", "max_rest_s", "max_jump_cents", "median_s", "min_confidence"):
        with pytest.raises(UsageError, match=rf"contour\.{name} must be"):
            replace(ContourConfig(), **{name: value})  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"contour\.bounds_cents must be"):
        ContourConfig(bounds_cents=(66.0, value))
    with pytest.raises(UsageError, match=r"mining\.min_duration_s must be"):
        MiningConfig(min_duration_s=value)


def test_a_confidence_is_a_share() -> None:
    with pytest.raises(UsageError, match="min_confidence must be 0 to 1"):
        ContourConfig(min_confidence=2.0)
