import shlex
from pathlib import Path

import pytest

from pipeline.pages.making import command_of, making_of, readable
from pipeline.plan.plan import BLEND, Plan, Source, make_plan, parse_folds, parse_seed
from pipeline.plan.workspace import Workspace
from pipeline.recipes.file import RecipeFile
from tests.pages.evidence_case import RECIPE, make_evidence, readings


def typed(command: str, workspace: Workspace) -> Plan:
    """The plan that a command line of make asks for."""
    make, target, *variables = shlex.split(command)
    assert (make, target) == ("make", "all")
    given = dict(variable.split("=", 1) for variable in variables)
    plan = make_plan(
        source=given.pop("SOURCE", None),
        recipe=given.pop("RECIPE", None),
        run=given.pop("RUN", None),
        seed=parse_seed(given.pop("SEED", None)),
        overrides=given.pop("SET", None),
        folds=parse_folds(given.pop("FOLDS", None)),
        data=workspace.data,
        submissions=workspace.submissions,
        environment={},
    )
    assert not given
    return plan


@pytest.mark.parametrize(
    "given",
    [
        {"recipe": "mlp"},
        {"recipe": "quick", "seed": 4, "overrides": 'training.epochs=5 description="a b"'},
        {"recipe": "smoke", "folds": 3},
        {"recipe": "smoke", "run": "my-try"},
    ],
    ids=lambda given: given.get("run", given["recipe"]),
)
def test_the_command_asks_for_the_same_run(tmp_path: Path, given: dict[str, object]) -> None:
    workspace = Workspace(tmp_path / "data", tmp_path / "submissions")
    plan = make_plan(
        source="practice",
        data=workspace.data,
        submissions=workspace.submissions,
        environment={},
        **given,  # type: ignore[arg-type]
    )
    assert typed(command_of(plan), workspace) == plan


def test_a_recipe_of_the_user_s_is_a_path(tmp_path: Path) -> None:
    recipe = tmp_path / "my recipe.toml"
    recipe.write_text("", encoding="utf-8")
    workspace = Workspace(tmp_path / "data", tmp_path / "submissions")
    plan = Plan(workspace, Source("practice", "practice"), RecipeFile(recipe), None, (), "name")
    assert typed(command_of(plan), workspace) == plan


def test_a_blend_is_made_of_its_runs(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path, tmp_path)
    source = Source("practice", "practice")
    plan = Plan(workspace, source, BLEND, None, (), "both", blend=("one", "two"))
    assert command_of(plan) == "make blend RUNS='one two' RUN=both"


def test_a_recipe_is_readable() -> None:
    assert readable(RECIPE).splitlines() == [
        "description = made up",
        "seed = 3",
        "",
        "[split]",
        "hold_out = 0.5",
        "",
        "[network]",
        "flatten",
        "dense           units 10",
    ]


def test_the_commit_comes_before_the_command() -> None:
    evidence = make_evidence([1], readings({1: 0.9}))
    making = making_of(evidence)
    assert making.commands == ["git checkout 0123456789abcdef", "make all"]
    assert not making.is_dirty
    assert dict(making.checksums) == {"train.csv": "a" * 64, "model": "f" * 64}
    environment = {"commit": None, "dirty": None, "cores": 1}
    elsewhere = make_evidence(
        [1], readings({1: 0.9}), training={**evidence.training, "environment": environment}
    )
    assert making_of(elsewhere).commands == ["make all"]
