"""What was asked for becomes one plan: its source, its recipe, and a run with a name of its own."""

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.plan.plan import Plan, Source, find_source, make_plan, parse_seed, split_overrides
from pipeline.plan.requests import record_request
from pipeline.plan.workspace import Workspace
from pipeline.recipes.file import RECIPE_FOLDER, RecipeFile, find_recipe
from pipeline.system.errors import PipelineError
from pipeline.system.files import write_json

TOKEN = {"KAGGLE_API_TOKEN": "token"}


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "data", tmp_path / "submissions")


@pytest.fixture
def plan_of(workspace: Workspace, home: Path) -> Callable[..., Plan]:
    """make_plan in this workspace, in an environment with a home and nothing else."""

    def make(environment: dict[str, str] | None = None, **given: Any) -> Plan:
        variables = {"HOME": str(home), "DIGITS_KAGGLE_INPUT": str(home / "none")}
        return make_plan(
            data=workspace.data,
            submissions=workspace.submissions,
            environment=variables | (environment or {}),
            **given,
        )

    return make


def put_raw(workspace: Workspace, name: str, kind: str, **manifest: str) -> None:
    write_json(workspace.raw(name).manifest, {"kind": kind, "downloaded_at": "2026", **manifest})


def put_notebook_input(root: Path) -> dict[str, str]:
    (root / "digit-recognizer").mkdir(parents=True)
    (root / "digit-recognizer" / "train.csv").touch()
    return {"DIGITS_KAGGLE_INPUT": str(root)}


# ---- the source --------------------------------------------------------------------------------
def test_auto_is_practice_where_there_is_nothing_else(plan_of: Callable[..., Plan]) -> None:
    assert plan_of().source == Source("practice", "practice")
    assert plan_of(source="auto").source == plan_of(source="").source == plan_of().source


def test_auto_is_kaggle_with_credentials(plan_of: Callable[..., Plan]) -> None:
    assert plan_of(TOKEN).source == Source("kaggle", "kaggle")


def test_auto_is_never_practice_where_credentials_are_that_cant_be_used(
    plan_of: Callable[..., Plan], home: Path, workspace: Workspace
) -> None:
    (home / ".kaggle").mkdir()
    (home / ".kaggle" / "kaggle.json").write_text("{'username': 'ada', 'key': 'planted'}")
    variables = {"HOME": str(home)}
    with pytest.raises(PipelineError) as caught:
        plan_of(variables)
    assert str(caught.value).splitlines() == [
        "The Kaggle credentials in ~/.kaggle/kaggle.json can't be used: "
        "it has ' where JSON has double quotes. "
        "For the practice digits instead, give SOURCE=practice.",
        "Get a new one at https://www.kaggle.com/settings (section API), or remove it.",
    ]
    assert plan_of(variables, source="practice").source.kind == "practice"
    put_raw(workspace, "kaggle", "competition")
    assert plan_of(variables).source.kind == "kaggle"


def test_auto_is_the_input_of_a_kaggle_notebook_before_credentials(
    plan_of: Callable[..., Plan], tmp_path: Path
) -> None:
    environment = TOKEN | put_notebook_input(tmp_path / "input")
    assert plan_of(environment).source == Source("kaggle-notebook", "kaggle-notebook")


def test_newer_notebooks_keep_it_below_competitions(
    plan_of: Callable[..., Plan], tmp_path: Path
) -> None:
    put_notebook_input(tmp_path / "input" / "competitions")
    assert plan_of({"DIGITS_KAGGLE_INPUT": str(tmp_path / "input")}).source.kind == (
        "kaggle-notebook"
    )


def test_auto_is_the_competition_s_data_that_are_there_before_anything_else(
    plan_of: Callable[..., Plan], workspace: Workspace, tmp_path: Path
) -> None:
    environment = TOKEN | put_notebook_input(tmp_path / "input")
    put_raw(workspace, "mine-123456", "competition", origin=str(tmp_path / "gone.zip"))
    source = plan_of(environment).source
    assert source == Source("path", "mine-123456", tmp_path / "gone.zip")
    put_raw(workspace, "later-123456", "competition", origin="/later.zip", downloaded_at="2027")
    assert plan_of(environment).source.name == "later-123456"
    put_raw(workspace, "kaggle", "competition")
    assert plan_of(environment).source == Source("kaggle", "kaggle")


def test_auto_does_not_take_other_digits_for_the_competition_s(
    plan_of: Callable[..., Plan], workspace: Workspace
) -> None:
    for kind in ("practice", "mnist-csv"):
        put_raw(workspace, kind, kind)
    assert plan_of().source.kind == "practice"
    assert plan_of(TOKEN).source.kind == "kaggle"


@pytest.mark.parametrize("name", ["kaggle", "kaggle-notebook", "mnist-csv", "practice"])
def test_a_named_source_is_that_source(plan_of: Callable[..., Plan], name: str) -> None:
    source = plan_of(TOKEN, source=name).source
    assert (source.kind, source.name, source.path) == (name, name, None)
    assert source.text == name


def test_a_path_is_a_source_with_a_name_of_its_own(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [tmp_path / name for name in ("a/digits.zip", "b/digits.zip", "b/digits", "kaggle")]
    for path in paths:
        path.mkdir(parents=True)
    sources = [find_source(str(path), workspace, {}) for path in paths]
    assert len({source.name for source in sources}) == len(paths)
    assert "kaggle" not in {source.name for source in sources}
    monkeypatch.chdir(tmp_path)
    for path, source in zip(paths, sources, strict=True):
        assert source.path == path
        relative = f"./{path.relative_to(tmp_path)}/"
        assert find_source(relative, workspace, {}) == source
        assert find_source(source.text, workspace, {}) == source


@pytest.mark.parametrize("name", ["Zähl en", "-rf", "..x", "#", "a;b", "数字"])
def test_a_source_s_name_is_a_plain_folder_name(
    workspace: Workspace, tmp_path: Path, name: str
) -> None:
    (tmp_path / name).mkdir()
    found = find_source(str(tmp_path / name), workspace, {}).name
    assert not set(found) & set(" /#;$'\"")
    assert found[0] not in "-."


def test_a_path_in_the_home_folder(workspace: Workspace, home: Path) -> None:
    (home / "digits").mkdir()
    assert find_source("~/digits", workspace, {}).path == home / "digits"


def test_a_source_that_is_not_there_is_named(workspace: Workspace) -> None:
    with pytest.raises(PipelineError, match="SOURCE=kagle: no such file or folder") as caught:
        find_source("kagle", workspace, {})
    assert "kaggle-notebook" in caught.value.remedy


def test_files_that_were_taken_in_may_be_deleted(workspace: Workspace, tmp_path: Path) -> None:
    path = tmp_path / "digits.zip"
    path.touch()
    source = find_source(str(path), workspace, {})
    put_raw(workspace, source.name, "competition", origin=str(path))
    path.unlink()
    assert find_source(str(path), workspace, {}) == source


# ---- the recipe --------------------------------------------------------------------------------
def test_a_recipe_by_name_and_by_path(tmp_path: Path) -> None:
    assert find_recipe("smoke") == RecipeFile(RECIPE_FOLDER / "smoke.toml")
    mine = tmp_path / "mine.toml"
    mine.touch()
    assert find_recipe(str(mine)) == RecipeFile(mine)


@pytest.mark.parametrize("text", ["smok", "../recipes/smoke", "none.toml", "", "a b", "."])
def test_a_recipe_that_is_not_there_is_named(text: str) -> None:
    with pytest.raises(PipelineError, match="RECIPE=") as caught:
        find_recipe(text)
    assert caught.value.remedy


def test_every_recipe_is_offered() -> None:
    with pytest.raises(PipelineError) as caught:
        find_recipe("none")
    for path in RECIPE_FOLDER.glob("*.toml"):
        assert path.stem in caught.value.remedy


# ---- the seed and the overrides ----------------------------------------------------------------
def test_seeds() -> None:
    assert [parse_seed(text) for text in (None, "", "0", "12", "007")] == [None, None, 0, 12, 7]


@pytest.mark.parametrize("text", ["-1", "1.5", "x", "1 2", "0x1", "²", "9" * 5_000])
def test_a_seed_that_is_no_number_is_named(text: str) -> None:
    with pytest.raises(PipelineError, match=f"SEED={text[:9]}.*: not a whole number"):
        parse_seed(text)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", ()),
        ("  ", ()),
        ("training.epochs=5", ("training.epochs=5",)),
        (" a=1   b.c=2\tnetwork.layers.1.units=3 ", ("a=1", "b.c=2", "network.layers.1.units=3")),
        ("a=[1, 2] b=x y", ("a=[1, 2]", "b=x y")),
        ('description="two words" b={ k = 1 }', ('description="two words"', "b={ k = 1 }")),
        ("nonsense a=1", ("nonsense", "a=1")),
        ("a= b=", ("a=", "b=")),
    ],
)
def test_overrides_are_split_before_each_key(text: str, parts: tuple[str, ...]) -> None:
    assert split_overrides(text) == parts


# ---- the run -----------------------------------------------------------------------------------
def test_what_differs_never_shares_a_run(plan_of: Callable[..., Plan], tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "smoke.toml").touch()
    sources = ["practice", "kaggle", str(tmp_path / "a"), str(tmp_path / "b")]
    recipes = ["smoke", "mlp", str(tmp_path / "a/smoke.toml"), str(tmp_path / "b/smoke.toml")]
    seeds = [None, 0, 1, 11]
    settings = ["", "a=1", "a=11", "a=1 b=1"]
    runs = [
        plan_of(source=source, recipe=recipe, seed=seed, overrides=overrides).run
        for source, recipe, seed, overrides in itertools.product(sources, recipes, seeds, settings)
    ]
    assert len(set(runs)) == len(runs)


def test_a_run_s_name_says_what_it_is(plan_of: Callable[..., Plan]) -> None:
    assert plan_of(recipe="smoke").run == "practice-smoke"
    assert plan_of(source="kaggle", seed=3).run == "kaggle-quick-seed3"


@pytest.mark.parametrize("name", ["a", "1", "My.run_2+x-y", "prüfung"])
def test_names_for_a_run(plan_of: Callable[..., Plan], name: str) -> None:
    assert plan_of(run=name).run == name


@pytest.mark.parametrize("name", ["..", ".a", "-a", "a/b", "a b", "a\n", "a$b", "a;b", "a\\b", " "])
def test_names_that_are_no_folder_names(plan_of: Callable[..., Plan], name: str) -> None:
    with pytest.raises(PipelineError, match="not usable as the name of a folder"):
        plan_of(run=name)


def test_a_named_run_brings_what_it_was_made_from(
    plan_of: Callable[..., Plan], tmp_path: Path
) -> None:
    recipe, digits = tmp_path / "mine.toml", tmp_path / "digits ä"
    recipe.touch()
    digits.mkdir()
    made = plan_of(
        run="x", source=str(digits), recipe=str(recipe), seed=4, overrides="a=1 b=[1, 2]"
    )
    record_request(made)
    assert plan_of(run="x") == made
    assert plan_of(run="x", source="", recipe="", overrides="") == made
    other = plan_of(run="x", seed=0)
    assert (other.seed, other.recipe.path, other.overrides) == (0, recipe, ("a=1", "b=[1, 2]"))
    assert plan_of(run="x", recipe="smoke").recipe_name == "smoke"
    assert plan_of(run="y").source.kind == "practice"


def test_a_built_in_recipe_is_recorded_by_name(plan_of: Callable[..., Plan]) -> None:
    # A path would be another one on the next machine.
    plan = plan_of(recipe="smoke")
    record_request(plan)
    request = plan.workspace.run(plan.run).request
    assert json.loads(request.read_text(encoding="utf-8")) == {
        "source": "practice",
        "recipe": "smoke",
        "seed": None,
        "set": "",
    }


def test_an_equal_request_is_left_as_it_is(plan_of: Callable[..., Plan]) -> None:
    plan = plan_of(run="x")
    record_request(plan)
    request = plan.workspace.run("x").request
    before = request.stat()
    record_request(plan)
    assert (request.stat().st_ino, request.stat().st_mtime_ns) == (
        before.st_ino,
        before.st_mtime_ns,
    )
    changed = plan_of(run="x", seed=1)
    record_request(changed)
    assert plan_of(run="x").seed == 1


def test_planning_writes_nothing(plan_of: Callable[..., Plan], workspace: Workspace) -> None:
    plan_of(run="x")
    assert not workspace.data.exists()


def test_folders_in_the_home_folder(home: Path) -> None:
    plan = make_plan(data="~/data", submissions="~/sent", environment={})
    assert plan.workspace == Workspace(home / "data", home / "sent")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"source": 1e308}, "source: should be a valid string, got 1e\\+308"),
        ({"recipe": False}, "recipe: should be a valid string, got False"),
        ({"seed": -1}, "seed: should be greater than or equal to 0, got -1"),
        ({"set": {}}, "set: should be a valid string"),
        ({"blend": [1]}, "blend.0: should be a valid string"),
        ({"folds": 1}, "folds: should be greater than or equal to 2, got 1"),
    ],
)
def test_a_damaged_request_is_named(
    plan_of: Callable[..., Plan], changes: dict[str, Any], said: str
) -> None:
    plan = plan_of(source="practice", run="mine")
    record_request(plan)
    path = plan.workspace.run("mine").request
    write_json(path, {**json.loads(path.read_text(encoding="utf-8")), **changes})
    with pytest.raises(PipelineError, match=rf"request\.json is damaged.*{said}"):
        plan_of(run="mine")
