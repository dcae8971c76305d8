"""Recipes: round trips, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from motifdb.errors import NotFoundError, UsageError
from motifdb.training.fitting.recipes import RECIPES, Recipe, find_recipe
from motifdb.training.models import MODELS


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_every_recipe_survives_json_and_toml(name: str) -> None:
    recipe = RECIPES[name]
    assert Recipe.from_dict(json.loads(json.dumps(recipe.to_dict()))) == recipe
    assert Recipe.from_toml(recipe.to_toml()) == recipe
    assert recipe.name == name
    assert recipe.model_options.keys() <= MODELS[recipe.model].options().keys()


def test_printed_parameters_are_the_papers() -> None:
    sid, style = find_recipe("sid-2020"), find_recipe("style-2021")
    assert (sid.batch_size, sid.learning_rate, sid.max_epochs, sid.patience) == (64, 1e-3, 40, 2)
    assert (style.batch_size, style.max_epochs, style.weight_decay) == (20, 40, 0)
    damp = find_recipe("damp-2018")
    assert (damp.batch_size, damp.learning_rate, damp.l2, damp.weight_decay) == (32, 1e-4, 1e-6, 0)
    assert (damp.look_every, damp.patience, damp.improvement) == (50, 300, 0.995)


def test_parameters_that_came_later_leave_the_ids_of_older_runs_as_they_were() -> None:
    later = {"l2", "look_every", "improvement"}
    assert not later & find_recipe("sid-2020").to_dict().keys()
    assert later <= find_recipe("damp-2018").to_dict().keys()
    assert find_recipe("sid-2020").assign({"l2": 1e-3}).to_dict()["l2"] == 1e-3


def test_a_recipe_that_does_not_exist_lists_those_that_do() -> None:
    with pytest.raises(NotFoundError, match="did you mean 'sid-2020-small'") as error:
        find_recipe("sid-2020-smal")
    assert all(name in str(error.value) for name in RECIPES)
    with pytest.raises(NotFoundError, match="choose from"):
        find_recipe("zzz")


def test_assign_sets_nested_values_and_says_so() -> None:
    recipe = find_recipe("sid-2020").assign(
        {"front_end.hop_samples": 320, "model_options.hidden": 8, "max_s": 2}
    )
    assert recipe.front_end.hop_samples == 320
    assert recipe.model_options == {"hidden": 8}
    assert recipe.max_s == 2.0 and isinstance(recipe.max_s, float)
    assert recipe.name == "sid-2020+front_end.hop_samples=320+model_options.hidden=8+max_s=2"
    assert find_recipe("sid-2020").assign({"batch_size": 64}) == find_recipe("sid-2020")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"front_end.hop_sample": 1}, "did you mean 'front_end.hop_samples'"),
        ({"lerning_rate": 1}, "did you mean 'learning_rate'"),
        ({"batch_size": 0}, "batch_size must be more than 0"),
        ({"batch_size": 2.5}, "a whole number"),
        ({"batch_size": True}, "a whole number"),
        ({"learning_rate": "fast"}, "a number"),
        ({"learning_rate": float("nan")}, "a finite number"),
        ({"precision": "half"}, "one of auto, float32, bfloat16"),
        ({"front_end": 3}, "a table"),
        ({"waveform.noise_db": [3.0]}, "two ascending ratios"),
        ({"max_s": -1}, "max_s must be more than 0 s"),
        ({"look_every": 0}, "look_every must be more than 0"),
        ({"improvement": 1.5}, "improvement must be more than 0, at most 1"),
        ({"l2": 1e-3, "weight_decay": 1e-2}, "take one of them"),
    ],
)
def test_values_that_cannot_be_are_refused_in_a_sentence(values: dict[str, object], said: str) -> None:
    with pytest.raises((UsageError, NotFoundError), match=said):
        find_recipe("sid-2020").assign(values)


def test_a_file_that_is_no_recipe(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        find_recipe(str(tmp_path / "none.toml"))
    path = tmp_path / "mine.toml"
    path.write_text("name = 'mine'")
    with pytest.raises(UsageError, match="lacks model"):
        find_recipe(str(path))
    path.write_text("not toml")
    with pytest.raises(UsageError, match="no TOML"):
        find_recipe(str(path))
    path.write_text("name = 'mine'\nmodel = 'crnn'\nbatch_size = 7")
    assert find_recipe(str(path)) == Recipe("mine", "crnn", batch_size=7)
