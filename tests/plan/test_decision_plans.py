"""The runs of a comparison are ordinary ones, on the part of the digits that is not locked."""

from pathlib import Path
from typing import Any

import pytest

from pipeline.plan.decision_plans import decision_plans
from pipeline.plan.members import members_of
from pipeline.plan.plan import Plan, make_plan
from pipeline.plan.workspace import Workspace
from pipeline.recipes.file import RECIPE_FOLDER
from pipeline.recipes.recipe import read_recipe
from pipeline.system.errors import PipelineError

SMOKE = (RECIPE_FOLDER / "smoke.toml").read_text(encoding="utf-8")
LOCKED = "split.locked=0.16666666666666666"


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "data", tmp_path / "submissions")


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text(SMOKE.replace("epochs = 3", "epochs = 4"), encoding="utf-8")
    return path


def plans_of(workspace: Workspace, *recipes: str, **given: Any) -> tuple[tuple[Plan, ...], ...]:
    return decision_plans(workspace, recipes, **({"source": "practice"} | given))


def test_each_recipe_has_a_run_of_folds_for_each_seed(workspace: Workspace, mine: Path) -> None:
    found = plans_of(workspace, "smoke", str(mine))
    assert [[plan.seed for plan in plans] for plans in found] == [[0, 1], [0, 1]]
    for recipe, plans in zip(("smoke", str(mine)), found, strict=True):
        for plan in plans:
            assert plan == make_plan(
                source="practice",
                recipe=recipe,
                seed=plan.seed,
                overrides=LOCKED,
                folds=3,
                data=workspace.data,
                submissions=workspace.submissions,
            )
            assert len(members_of(plan)) == 3


def test_settings_are_for_all_and_unlock_nothing(workspace: Workspace, mine: Path) -> None:
    settings = "training.shards=1 split.locked=0.0"
    found = plans_of(workspace, "smoke", str(mine), overrides=settings, folds="2", seeds="3 8")
    for plans in found:
        assert [(plan.seed, plan.folds) for plan in plans] == [(3, 2), (8, 2)]
        for plan in plans:
            recipe = read_recipe(plan.recipe, overrides=plan.overrides, fold=(0, 2))
            assert (recipe.training.shards, recipe.split.locked) == (1, 1 / 6)


def test_what_cannot_be_compared(workspace: Workspace, mine: Path) -> None:
    other = mine.with_name("other.toml")
    other.write_text(
        SMOKE.replace("hold_out = 0.2", "seed = 7").replace("epochs = 3", "epochs = 4"), "utf-8"
    )
    same = mine.with_name("same.toml")
    same.write_text(SMOKE.replace('description = "', 'seed = 5\ndescription = "Also: '), "utf-8")
    ensemble = mine.with_name("two.toml")
    ensemble.write_text('ensemble.members = [{ recipe = "smoke" }]', encoding="utf-8")
    broken = mine.with_name("broken.toml")
    broken.write_text(SMOKE.replace("epochs = 3", "epochs = 0"), encoding="utf-8")
    cases: list[tuple[list[str], dict[str, Any], str]] = [
        ([], {}, "at least two recipes"),
        (["smoke"], {}, "at least two recipes"),
        (["smoke", "mlp", "smoke"], {}, "RECIPES: smoke is named twice"),
        (["smoke", "none"], {}, "RECIPES: none: no recipe of that name"),
        (["smoke", "gone.toml"], {}, "RECIPES: gone.toml: no such file"),
        (["best", "smoke"], {}, "RECIPES: best is an ensemble"),
        (["smoke", str(ensemble)], {}, "RECIPES: .*two.toml is an ensemble"),
        (["smoke", str(broken)], {}, "broken.toml: training.epochs: should be"),
        (["smoke", str(same)], {}, "RECIPES: smoke and .*same.toml have the same settings"),
        (["smoke", str(mine)], {"overrides": "training.epochs=1"}, "have the same settings"),
        (["smoke", str(other)], {}, r"into other folds than smoke \(split.seed\)"),
        (["smoke", "mlp"], {"overrides": "split.hold_out=0.1"}, "give either hold_out, or folds"),
        (["smoke", "mlp"], {"folds": "1"}, "FOLDS=1: not a whole number"),
        (["smoke", "mlp"], {"seeds": "1 1"}, "SEEDS=1 1: neither how many"),
    ]
    for recipes, given, message in cases:
        with pytest.raises(PipelineError, match=message) as caught:
            plans_of(workspace, *recipes, **given)
        assert "\n" not in caught.value.message
    again = plans_of(workspace, "smoke", str(other), overrides="split.seed=0 training.shards=1")
    assert len(again) == 2
    assert not workspace.data.exists()
