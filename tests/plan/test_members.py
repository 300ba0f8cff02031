"""An ensemble's members are the runs that the same recipe, seed and overrides make alone."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.plan.members import members_of, plan_blend, read_members, recipe_files
from pipeline.plan.plan import Plan, make_plan, parse_folds
from pipeline.plan.requests import record_request
from pipeline.plan.workspace import Workspace
from pipeline.recipes.file import RECIPE_FOLDER, RecipeFile
from pipeline.system.errors import PipelineError
from pipeline.system.files import read_json

ENSEMBLE = """
description = "Three of them"
[ensemble]
members = [
  { recipe = "mlp" },
  { recipe = "mlp", seed = 1, set = ["training.epochs=2", "split.seed=3"] },
  { recipe = "below/mine.toml", seed = 2 },
]
"""


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "data", tmp_path / "submissions")


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    mine = tmp_path / "below" / "mine.toml"
    mine.parent.mkdir()
    mine.write_text("seed = 7\n", encoding="utf-8")
    path = tmp_path / "three.toml"
    path.write_text(ENSEMBLE, encoding="utf-8")
    return path


@pytest.fixture
def plan_of(workspace: Workspace) -> Callable[..., Plan]:
    def make(**given: Any) -> Plan:
        return make_plan(
            **{"source": "practice", **given},
            data=workspace.data,
            submissions=workspace.submissions,
            environment={},
        )

    return make


def test_a_recipe_of_a_network_has_none(plan_of: Callable[..., Plan]) -> None:
    assert members_of(plan_of(recipe="mlp")) == ()
    assert read_members(RecipeFile(RECIPE_FOLDER / "mlp.toml")) is None


def test_members_are_the_runs_that_they_are_alone(
    plan_of: Callable[..., Plan], recipe: Path
) -> None:
    members = members_of(plan_of(recipe=str(recipe)))
    assert members == (
        plan_of(recipe="mlp"),
        plan_of(recipe="mlp", seed=1, overrides="training.epochs=2 split.seed=3"),
        plan_of(recipe=str(recipe.parent / "below" / "mine.toml"), seed=2),
    )


def test_seed_moves_all_and_set_is_for_all(plan_of: Callable[..., Plan], recipe: Path) -> None:
    plan = plan_of(recipe=str(recipe), seed=3, overrides="training.shards=1")
    members = members_of(plan)
    assert [member.seed for member in members] == [3000, 3001, 3002]
    assert members[1].overrides == ("training.epochs=2", "split.seed=3", "training.shards=1")
    assert members[0] == plan_of(recipe="mlp", seed=3000, overrides="training.shards=1")
    unmoved = members_of(plan_of(recipe=str(recipe), seed=0))
    assert [member.run for member in unmoved] == [
        member.run for member in members_of(plan_of(recipe=str(recipe)))
    ]


def test_a_seed_of_the_members_own_recipe_is_moved(
    plan_of: Callable[..., Plan], recipe: Path
) -> None:
    recipe.write_text(ENSEMBLE.replace(", seed = 2", ""), encoding="utf-8")
    assert members_of(plan_of(recipe=str(recipe), seed=1))[2].seed == 1007


def test_folds_of_a_network(plan_of: Callable[..., Plan]) -> None:
    plan = plan_of(recipe="smoke", seed=4, folds=3)
    assert plan.run == "practice-smoke-seed4-folds3"
    members = members_of(plan)
    assert [member.run for member in members] == [
        f"practice-smoke-seed4-fold{fold}of3" for fold in range(3)
    ]
    assert [(member.folds, member.fold) for member in members] == [(3, 0), (3, 1), (3, 2)]
    assert all(members_of(member) == () for member in members)


def test_folds_of_an_ensemble_are_members_by_folds(
    plan_of: Callable[..., Plan], recipe: Path
) -> None:
    members = members_of(plan_of(recipe=str(recipe), folds=2))
    assert [member.fold for member in members] == [0, 1] * 3
    assert len({member.run for member in members}) == 6


def test_a_named_run_brings_its_folds(plan_of: Callable[..., Plan]) -> None:
    plan = plan_of(recipe="smoke", folds=3)
    for asked in (plan, *members_of(plan)):
        record_request(asked)
        assert plan_of(source=None, run=asked.run) == asked
    assert "folds" not in read_request(plan_of(recipe="smoke"))


def read_request(plan: Plan) -> dict[str, Any]:
    record_request(plan)
    return read_json(plan.workspace.run(plan.run).request)


def test_all_recipes_of_an_ensemble(plan_of: Callable[..., Plan], recipe: Path) -> None:
    plan = plan_of(recipe=str(recipe))
    expected = [recipe, RECIPE_FOLDER / "mlp.toml", recipe.parent / "below" / "mine.toml"]
    assert [file.path for file in recipe_files(plan)] == expected


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('{ recipe = "mlp" },', '{ recipe = "none" },', "members.0.recipe: no recipe of that name"),
        ("below/mine.toml", "gone.toml", r"members.2.recipe: no such file \(gone.toml\)"),
        ("below/mine.toml", "three.toml", "members.2.recipe: three.toml is an ensemble itself"),
        ("seed = 2", "seed = -2", "members.2.seed: should be a whole number from 0 up, got -2"),
        ("seed = 2", "seed = true", "members.2.seed: should be a whole number"),
        ("seed = 2", "sed = 2", "members.2.sed: unknown key"),
        ("seed = 2", 'set = "a=1"', "members.2.set: should be a list of texts"),
        ('{ recipe = "mlp" },', "7,", "members.0: should be a table with a recipe"),
        ("[ensemble]", "[network]\n[ensemble]", "network: an ensemble has a description and"),
        ("[ensemble]", "[ensemble]\nweights = 1", "ensemble: should hold a list of members"),
        (
            ', seed = 1, set = ["training.epochs=2", "split.seed=3"]',
            "",
            "practice-mlp is named twice",
        ),
    ],
)
def test_a_fault_is_one_line(
    plan_of: Callable[..., Plan], recipe: Path, old: str, new: str, message: str
) -> None:
    assert old in ENSEMBLE
    recipe.write_text(ENSEMBLE.replace(old, new), encoding="utf-8")
    with pytest.raises(PipelineError, match=message) as caught:
        members_of(plan_of(recipe=str(recipe)))
    assert "\n" not in caught.value.message
    assert str(recipe) in caught.value.message


def test_an_ensemble_is_not_called_like_its_member(plan_of: Callable[..., Plan]) -> None:
    # Each would wait for the other's lock.
    with pytest.raises(PipelineError, match="a member of this ensemble has that name"):
        members_of(plan_of(recipe="smoke", folds=2, run="practice-smoke-fold1of2"))


@pytest.mark.parametrize("text", ["1", "0", "-2", "2.0", "x"])
def test_numbers_of_folds(text: str) -> None:
    assert [parse_folds(given) for given in (None, "", "2", "10")] == [None, None, 2, 10]
    with pytest.raises(PipelineError, match=f"FOLDS={text}: not a whole number from 2 to 1,000"):
        parse_folds(text)


# ---- blends --------------------------------------------------------------------------------------
@pytest.fixture
def runs(plan_of: Callable[..., Plan]) -> list[Plan]:
    plans = [plan_of(recipe="mlp", seed=seed) for seed in (2, 1)]
    for plan in plans:
        record_request(plan)
    return plans


def test_a_blend_is_the_same_in_any_order(workspace: Workspace, runs: list[Plan]) -> None:
    names = [plan.run for plan in runs]
    blend = plan_blend(workspace, names)
    assert blend == plan_blend(workspace, names[::-1])
    assert blend.run.startswith("blend-")
    assert members_of(blend) == (runs[1], runs[0])
    assert recipe_files(blend) == []
    assert plan_blend(workspace, names, run="mine").run == "mine"


def test_a_blend_is_brought_back_by_its_name(
    workspace: Workspace, runs: list[Plan], plan_of: Callable[..., Plan]
) -> None:
    blend = plan_blend(workspace, [plan.run for plan in runs])
    record_request(blend)
    assert plan_of(source=None, run=blend.run) == blend
    with pytest.raises(PipelineError, match="SEED, SET and FOLDS do not apply"):
        plan_of(run=blend.run, seed=1)


def test_what_cannot_be_blended(
    workspace: Workspace, runs: list[Plan], plan_of: Callable[..., Plan]
) -> None:
    first, second = (plan.run for plan in runs)
    other = plan_of(source="kaggle", recipe="mlp")
    record_request(other)
    record_request(plan_blend(workspace, [first, second], run="inner"))
    record_request(plan_blend(workspace, [first, "inner"], run="outer"))
    for names, message in (
        ([], "at least two runs"),
        ([first], "at least two runs"),
        ([first, first], "is named twice"),
        ([first, "none"], "There is no run none"),
        ([first, "../x"], "not usable as the name of a folder"),
        ([first, other.run], "only runs of one source"),
    ):
        with pytest.raises(PipelineError, match=message) as caught:
            plan_blend(workspace, names)
        assert "\n" not in caught.value.message
    for names in ([first, "inner"], [first, "outer"]):
        with pytest.raises(PipelineError, match="can't be blended into itself"):
            plan_blend(workspace, names, run="inner")
