import copy
from typing import Any

import pytest

from pipeline.plan.members import read_members
from pipeline.recipes.differences import Setting, differences
from pipeline.recipes.file import RECIPE_FOLDER, RecipeFile
from pipeline.recipes.recipe import read_recipe


def resolved(name: str, *overrides: str, seed: int | None = None) -> dict[str, Any]:
    recipe = read_recipe(RecipeFile(RECIPE_FOLDER / f"{name}.toml"), seed=seed, overrides=overrides)
    return recipe.model_dump(mode="json")


def found(*recipes: dict[str, Any]) -> dict[str, tuple[str, ...]]:
    rows = differences(recipes)
    assert len({row.key for row in rows}) == len(rows)
    return {row.key: row.values for row in rows}


def test_recipes_that_are_equal_differ_in_nothing() -> None:
    assert differences([resolved("smoke"), resolved("smoke")]) == ()


def test_a_description_is_no_setting() -> None:
    other = {**resolved("smoke"), "description": "of another day"}
    assert differences([resolved("smoke"), other]) == ()


def test_what_was_overridden_is_named_as_set_takes_it() -> None:
    overrides = ("training.epochs=77", "optimizer.learning_rate=0.3", "split.refit=true")
    rows = found(resolved("mlp"), resolved("mlp", *overrides, seed=5))
    plain = resolved("mlp")
    assert rows == {
        "seed": ("0", "5"),
        "split.refit": ("false", "true"),
        "optimizer.learning_rate": (str(plain["optimizer"]["learning_rate"]), "0.3"),
        "training.epochs": (str(plain["training"]["epochs"]), "77"),
    }


def test_of_layers_of_the_same_kinds_single_values_differ() -> None:
    plain = resolved("mlp")
    place = next(
        number for number, layer in enumerate(plain["network"]["layers"]) if "units" in layer
    )
    key = f"network.layers.{place}.units"
    units = str(plain["network"]["layers"][place]["units"])
    assert found(plain, resolved("mlp", f"{key}=7")) == {key: (units, "7")}


def test_other_layers_are_listed_without_their_defaults() -> None:
    one, other = resolved("mlp"), resolved("mlp")
    one["network"]["layers"] = [
        {"kind": "flatten"},
        {
            "kind": "dense",
            "units": 10,
            "weight": {"kind": "normal", "scale": 0.1},
            "bias": {"kind": "constant", "value": 0.0},
        },
    ]
    other["network"]["layers"] = [
        {
            "kind": "conv2d",
            "filters": 8,
            "kernel": [3, 5],
            "stride": 1,
            "padding": 0,
            "weight": {"kind": "he"},
            "bias": {"kind": "constant", "value": 0.0},
        },
        {"kind": "relu"},
    ]
    assert found(one, other) == {
        "network.layers": (
            '{ kind = "flatten" }\n'
            '{ kind = "dense", units = 10, weight = { kind = "normal", scale = 0.1 } }',
            '{ kind = "conv2d", filters = 8, kernel = [3, 5] }\n{ kind = "relu" }',
        )
    }


def test_layers_of_another_version_are_shown_whole() -> None:
    one, other = resolved("mlp"), resolved("mlp")
    one["network"]["layers"] = [{"kind": "maxout", "units": 10, "pieces": 2}]
    shown = '{ kind = "maxout", units = 10, pieces = 2 }'
    assert found(one, other)["network.layers"][0] == shown


def test_a_section_that_only_one_has() -> None:
    without = resolved("mlp", "training.epochs=3")
    without["augmentation"] = None
    rows = found(resolved("mlp", "training.epochs=3"), without)
    assert rows
    assert all(key.startswith("augmentation.") for key in rows)
    assert all(values[0] and values[1] == "" for values in rows.values())


def ensemble(**members: dict[str, Any]) -> dict[str, Any]:
    """As the stage train writes it."""
    return {"members": [{"run": run, "recipe": recipe} for run, recipe in members.items()]}


def test_an_ensemble_has_what_its_members_have() -> None:
    first, second = resolved("mlp", seed=0), resolved("mlp", "training.epochs=3", seed=1)
    rows = found(first, ensemble(one=first, two=second))
    epochs = first["training"]["epochs"]
    assert rows == {
        "ensemble.members": ("", "one\ntwo"),
        "seed": ("0", "0 / 1"),
        "training.epochs": (str(epochs), f"{epochs} / 3"),
    }


def test_an_ensemble_of_several_networks_says_how_many() -> None:
    members = ensemble(a=resolved("mlp"), b=resolved("quick"), c=resolved("quick", seed=9))
    layers = found(resolved("quick"), members)["network.layers"]
    lines = layers[0].splitlines()
    assert lines[0] == '{ kind = "crop2d", pixels = 2 }'
    assert lines[1].startswith('{ kind = "conv2d", filters = 32')
    assert layers[1] == "2 different networks"


def test_a_blend_of_ensembles_is_looked_through() -> None:
    inner = {"members": [resolved("mlp", "training.epochs=3")]}
    rows = differences([resolved("mlp", "training.epochs=2"), ensemble(x=copy.deepcopy(inner))])
    assert rows == (
        Setting("training.epochs", ("2", "3")),
        Setting("ensemble.members", ("", "x")),
    )


@pytest.mark.parametrize(
    "name",
    sorted(
        path.stem for path in RECIPE_FOLDER.glob("*.toml") if not read_members(RecipeFile(path))
    ),
)
def test_every_recipe_can_stand_beside_another(name: str) -> None:
    assert found(resolved(name), resolved("smoke", seed=3))["seed"][1] == "3"
