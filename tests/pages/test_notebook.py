"""The notebook as it is written: what it shows, what it hides, what it refuses to carry."""

import ast
import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from slugify import slugify

from pipeline.pages.notebook import UNKNOWN_OWNER, build_notebook, kernel_metadata, notebook_name
from pipeline.plan.plan import make_plan
from pipeline.system.errors import PipelineError
from tests.notebook_case import find_cell, parse
from tests.practice_case import REPOSITORY

PACKAGE = REPOSITORY / "pipeline"


def build(**given: Any) -> str:
    return build_notebook(make_plan(**({"recipe": "smoke"} | given), environment={}), commit="x")


def settings_of(notebook: Any) -> dict[str, str]:
    tree = ast.parse(notebook.cells[find_cell(notebook, "RECIPE = ")].source)
    return {
        ast.unparse(node.targets[0]): ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign)
    }


# ---- what it shows ----------------------------------------------------------------------------
def test_the_network_is_there_to_be_read_and_the_rest_is_hidden() -> None:
    notebook = parse(build())
    shown: set[str] = set()
    hidden: set[str] = set()
    for cell in notebook.cells:
        if cell.cell_type == "code":
            written = re.findall(r"^(?:%%writefile|##### file:) (.+)$", cell.source, re.MULTILINE)
            (hidden if cell.metadata.get("_kg_hide-input") else shown).update(written)
    network = {
        path.relative_to(PACKAGE.parent).as_posix() for path in (PACKAGE / "nn").rglob("[!_]*.py")
    }
    assert shown == network | {"pipeline/recipes/smoke.toml"}
    assert {"pipeline/cli/__init__.py", "pipeline/py.typed", "pipeline/pages/notebook.md"} <= hidden
    assert not shown & hidden
    for machinery in ("import importlib", "import hashlib"):
        assert notebook.cells[find_cell(notebook, machinery)].metadata["_kg_hide-input"]


def test_a_file_stands_in_its_cell_as_it_is() -> None:
    notebook = parse(build())
    cell = notebook.cells[find_cell(notebook, "%%writefile pipeline/nn/losses.py")]
    text = (PACKAGE / "nn" / "losses.py").read_text(encoding="utf-8")
    assert f"{cell.source}\n" == f"%%writefile pipeline/nn/losses.py\n{text}"


def test_it_is_a_notebook_without_outputs_and_the_same_one_each_time(tmp_path: Path) -> None:
    text = build(source="practice", data=tmp_path)
    assert text == build(source="kaggle")
    assert parse(text).nbformat_minor == 5
    cells = json.loads(text)["cells"]
    assert len({cell["id"] for cell in cells}) == len(cells)
    for cell in cells:
        if cell["cell_type"] == "code":
            assert (cell["outputs"], cell["execution_count"]) == ([], None)


def test_python_cells_are_python() -> None:
    notebook = parse(build(recipe="best", folds=3))
    sources = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    python = [source for source in sources if not source.startswith("%%")]
    assert len(python) > 10
    for source in python:
        ast.parse(source)


@pytest.mark.parametrize(
    "given",
    [
        {"recipe": "quick"},
        {"recipe": "strong", "seed": 0},
        {"recipe": "quick", "seed": 3, "folds": 5, "overrides": "training.epochs=2"},
        {"recipe": "quick", "overrides": 'description="it\'s \\"mine\\"" training.epochs=2'},
    ],
)
def test_the_plan_s_settings_are_the_notebook_s(given: dict[str, Any]) -> None:
    expected = {
        "RECIPE": given["recipe"],
        "SEED": str(given.get("seed", "")),
        "SET": given.get("overrides", ""),
        "FOLDS": str(given.get("folds", "")),
    }
    assert settings_of(parse(build(**given))) == expected


def test_an_ensemble_shows_its_members_recipes() -> None:
    notebook = parse(build(recipe="best"))
    for name in ("best", "strong", "pooled", "quick"):
        find_cell(notebook, f"%%writefile pipeline/recipes/{name}.toml")


def test_what_the_notebook_needs_is_declared() -> None:
    """Where the pipeline can be installed, the notebook can run."""
    notebook = parse(build())
    setup = next(cell.source for cell in notebook.cells if cell.cell_type == "code")
    (needed,) = re.findall(r'^NEEDED = "(.*)"$', setup, re.MULTILINE)
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    declared = {re.split(r"[<>=]", name)[0] for name in project["project"]["dependencies"]}
    assert set(needed.replace("sklearn", "scikit-learn").split()) <= declared


# ---- what it refuses --------------------------------------------------------------------------
def test_a_wrong_setting_is_found_before_kaggle_has_it() -> None:
    with pytest.raises(PipelineError, match=r"training\.epocs"):
        build(overrides="training.epocs=3")


@pytest.mark.parametrize("place", ["/", "~/"])
def test_members_at_fixed_places_are_refused(tmp_path: Path, home: Path, place: str) -> None:
    member = (home if place == "~/" else tmp_path) / "one.toml"
    member.write_bytes((PACKAGE / "recipes" / "smoke.toml").read_bytes())
    name = "~/one.toml" if place == "~/" else str(member)
    ensemble = tmp_path / "both.toml"
    ensemble.write_text(
        f'description = "d"\n[ensemble]\nmembers = [{{recipe="{name}"}}, {{recipe="smoke"}}]\n'
    )
    with pytest.raises(PipelineError) as caught:
        build(recipe=str(ensemble))
    assert f"the member {name} is at a place that Kaggle does not have" in str(caught.value)
    assert str(caught.value).endswith("relative to the recipe's own folder.")


@pytest.mark.parametrize(
    ("request_text", "expected"),
    [
        ('{"source": "practice", "blend": ["a", "b"]}', "RUN=mine is a blend of runs"),
        (
            '{"source": "practice", "recipe": "smoke", "folds": 3, "fold": 1}',
            "RUN=mine is one fold of several",
        ),
    ],
)
def test_what_is_of_this_machine_alone_is_refused(
    tmp_path: Path, request_text: str, expected: str
) -> None:
    request = tmp_path / "runs" / "mine" / "request.json"
    request.parent.mkdir(parents=True)
    request.write_text(request_text)
    with pytest.raises(PipelineError, match=expected):
        notebook_name(make_plan(run="mine", data=tmp_path, environment={}))


# ---- names ------------------------------------------------------------------------------------
def test_a_notebook_is_named_after_what_it_computes() -> None:
    names = [
        notebook_name(make_plan(source="practice", environment={}, **given))
        for given in ({}, {"recipe": "strong", "seed": 3}, {"folds": 5})
    ]
    assert names == ["quick", "strong-seed3", "quick-folds5"]


def test_metadata_say_what_kaggle_is_to_give_it() -> None:
    assert kernel_metadata("strong-seed3", "ada", "x.ipynb") == {
        "id": "ada/digit-recognizer-numpy-strong-seed3",
        "title": "Digit Recognizer NumPy strong seed3",
        "code_file": "x.ipynb",
        "language": "python",
        "kernel_type": "notebook",
        "is_private": True,
        "enable_gpu": False,
        "enable_tpu": False,
        "enable_internet": False,
        "competition_sources": ["digit-recognizer"],
        "dataset_sources": [],
        "kernel_sources": [],
        "model_sources": [],
    }


def test_titles_fit_kaggle_and_two_names_never_share_an_address() -> None:
    names = [
        "quick",
        "my.try",
        "my-try",
        "My-try",
        "мой",
        "моя",
        "simard-800-elastic-seed123-setabcdef",
        "simard-800-elastic-seed124-setabcdef",
    ]
    addresses = set()
    for name in names:
        metadata = kernel_metadata(name, UNKNOWN_OWNER, "x.ipynb")
        assert 5 <= len(metadata["title"]) <= 50
        assert metadata["id"] == f"{UNKNOWN_OWNER}/{slugify(metadata['title'])}"
        addresses.add(metadata["id"])
    assert len(addresses) == len(names)


def test_a_recipe_s_own_words_are_no_markup(tmp_path: Path) -> None:
    text = (PACKAGE / "recipes" / "smoke.toml").read_text(encoding="utf-8")
    said = "<script>alert(1)</script> [a](javascript:b) ![c](d) `e` $f$ \\u001b"
    recipe = tmp_path / "my_*own*.toml"
    lines = text.splitlines()
    lines[0] = f'description = "{said}"'
    recipe.write_text("\n".join(lines), encoding="utf-8")
    story = parse(build(recipe=str(recipe))).cells[0].source
    assert r"\<script\>alert(1)\</script\> \[a\](javascript:b) !\[c\](d) \`e\` \$f\$" in story
    assert r"Recipe **my\_\*own\***" in story
    assert "\x1b" not in story


def test_a_name_of_several_lines_is_refused(tmp_path: Path) -> None:
    recipe = tmp_path / "a\n```python\nimport os\n```\n.toml"
    recipe.parent.mkdir(parents=True, exist_ok=True)
    try:
        recipe.write_bytes((PACKAGE / "recipes" / "smoke.toml").read_bytes())
    except OSError:
        pytest.skip("no such names here")
    with pytest.raises(PipelineError, match="cannot carry a file with such a name"):
        build(recipe=str(recipe))
