"""A recipe that the pipeline writes is the one that it reads."""

from pathlib import Path

import pytest

from pipeline.recipes.file import RECIPE_FOLDER, RecipeFile
from pipeline.recipes.recipe import read_recipe, with_settings
from pipeline.recipes.toml_text import recipe_text, toml_text
from tests.training.search.tuning_case import write_recipe

RECIPES = sorted(path for path in RECIPE_FOLDER.glob("*.toml") if path.stem != "best")


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_recipe_comes_back(path: Path, tmp_path: Path) -> None:
    recipe = read_recipe(RecipeFile(path), seed=3)
    written = tmp_path / "written.toml"
    written.write_text(recipe_text(recipe), encoding="utf-8")
    assert read_recipe(RecipeFile(written)) == recipe


def test_every_bit_and_letter_comes_back(tmp_path: Path) -> None:
    recipe = read_recipe(RecipeFile(write_recipe(tmp_path)), fold=(1, 5))
    settings = {
        "description": 'Ä "quoted" \\ text,\n\ttwo lines \x7f \u2603',
        "optimizer.learning_rate": 0.1 + 0.2,
        "optimizer.epsilon": 1e-17,
        "network.layers.2.bias": {"kind": "constant", "value": -1e22},
        "network.layers.0": {"kind": "conv2d", "filters": 2, "kernel": [5, 3]},
        "network.layers.1": {"kind": "dropout", "rate": 0.0, "channels": True},
    }
    changed = with_settings(recipe, settings).model_copy(update={"tune": recipe.tune})
    written = tmp_path / "written.toml"
    written.write_text(recipe_text(changed), encoding="utf-8")
    found = read_recipe(RecipeFile(written), overrides=("training.epochs=5",))
    assert found == changed
    assert found.split.record == {"kind": "fold", "folds": 5, "fold": 1, "seed": 0}
    assert "\nunits = 16" not in recipe_text(changed), "layers stand one to a line"


def test_a_resolved_recipe_is_shown_as_toml() -> None:
    values = {
        "description": "made up",
        "seed": 3,
        "split": {"hold_out": 0.5, "folds": None},
        "network": {"layers": [{"kind": "flatten"}, {"kind": "dense", "units": 10}]},
        "augmentation": None,
    }
    assert toml_text(values).splitlines() == [
        'description = "made up"',
        "seed = 3",
        "",
        "[split]",
        "hold_out = 0.5",
        "",
        "[network]",
        "layers = [",
        '  { kind = "flatten" },',
        '  { kind = "dense", units = 10 },',
        "]",
    ]
