"""A command line that the pipeline tells means the very run that it is told of."""

import shlex
from pathlib import Path

import pytest

from pipeline.plan.commands import make_command, origin_command
from pipeline.plan.plan import BLEND, Plan, Source, make_plan, parse_folds, parse_seed
from pipeline.plan.workspace import Workspace
from pipeline.recipes.file import DEFAULT_RECIPE, RecipeFile, find_recipe
from pipeline.system import files


def typed(command: str) -> Plan:
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
        data=given.pop("DATA", "data"),
        submissions=given.pop("SUBMISSIONS", "submissions"),
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
    assert typed(origin_command(plan)) == plan


def test_a_recipe_of_the_user_s_is_a_path(tmp_path: Path) -> None:
    recipe = tmp_path / "my recipe.toml"
    recipe.write_text("", encoding="utf-8")
    workspace = Workspace(tmp_path / "data", tmp_path / "submissions")
    plan = Plan(workspace, Source("practice", "practice"), RecipeFile(recipe), None, (), "name")
    assert typed(origin_command(plan)) == plan


def test_a_blend_is_made_of_its_runs(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path, tmp_path)
    source = Source("practice", "practice")
    plan = Plan(workspace, source, BLEND, None, (), "both", blend=("one", "two"))
    assert (
        origin_command(plan)
        == f"make blend RUNS='one two' RUN=both DATA={tmp_path} SUBMISSIONS={tmp_path}"
    )


def test_a_default_run_needs_no_variables_to_submit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    default = Workspace(Path("data"), Path("submissions"))
    raw = default.raw("kaggle")
    raw.folder.mkdir(parents=True)
    files.write_json(raw.manifest, {"kind": "competition"})
    recipe = find_recipe(DEFAULT_RECIPE)

    def command(run: str, workspace: Workspace = default) -> str:
        return make_command(
            Plan(workspace, Source("kaggle", "kaggle"), recipe, 0, (), run), "submit"
        )

    assert command(f"kaggle-{DEFAULT_RECIPE}") == "make submit"
    assert command("kaggle-smoke-seed3") == "make submit RUN=kaggle-smoke-seed3"
    elsewhere = Workspace(Path("my data"), Path("submissions"))
    assert command("mine", elsewhere) == "make submit RUN=mine DATA='my data'"
