"""The notebook, executed: what it carries is the repository, and what it computes the same bits."""

import platform
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from nbclient.exceptions import CellExecutionError

from pipeline.pages.notebook import build_notebook
from pipeline.plan.plan import make_plan
from pipeline.plan.workspace import Workspace
from pipeline.stages.submission import submission
from pipeline.stages.train import train
from pipeline.stages.validate import validate
from pipeline.system import files
from tests.notebook_case import (
    Place,
    add_cell,
    find_cell,
    jupyter_variables,
    parse,
    pictures,
    place_in,
    printed,
)
from tests.practice_case import REPOSITORY, assert_same_model

SETTINGS: dict[str, Any] = {
    "recipe": "smoke",
    "seed": 3,
    "overrides": "training.epochs=1 split.hold_out=40000",
}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    for name, value in jupyter_variables(tmp_path / "jupyter").items():
        monkeypatch.setenv(name, value)
    return place_in(tmp_path)


def notebook_of(**given: Any) -> Any:
    return parse(build_notebook(make_plan(**given, environment={}), commit="commit 0123456"))


def package_files() -> dict[str, bytes]:
    return {
        str(path.relative_to(REPOSITORY)): path.read_bytes()
        for path in (REPOSITORY / "pipeline").rglob("*")
        if path.is_file() and path.parent.name != "__pycache__"
    }


def test_it_carries_the_repository_and_ends_with_the_pipeline_s_own_submission(
    place: Place, competition_zip: Path
) -> None:
    with zipfile.ZipFile(competition_zip) as packed:
        packed.extractall(place.input / "competitions" / "digit-recognizer")
    notebook = notebook_of(**SETTINGS)
    add_cell(notebook, "import pipeline\nprint('imported:', pipeline.__file__)\nprint(plan.run)")
    place.run(notebook)
    text = printed(notebook)
    run = text.splitlines()[-1]
    assert f"imported: {place.working / 'pipeline' / '__init__.py'}\n" in text

    carried = package_files()
    assert {
        str(path.relative_to(place.working)): path.read_bytes()
        for path in place.working.rglob("*")
        if path.is_file() and path.name != "submission.csv"
    } == carried
    assert f"All {len(carried)} files are, byte for byte, those of commit 0123456.\n" in text

    # The repository's own code, in this process, on the digits that the notebook took in.
    made = Workspace(place.data, place.data / "submissions")
    direct = make_plan(
        **SETTINGS,
        source="kaggle-notebook",
        run="direct",
        data=made.data,
        submissions=made.submissions,
        environment={},
    )
    train(direct)
    accuracy = validate(direct).metrics.accuracy
    assert_same_model(made.run(run), made.run("direct"))
    assert files.read_json(made.run(run).validation)["accuracy"]["value"] == accuracy.value
    expected = f"hold-out accuracy {accuracy.value:.6f}: {accuracy.correct:,} of 40,000 digits\n"
    assert expected in text
    csv = (place.working / "submission.csv").read_bytes()
    assert csv == submission(direct).csv.read_bytes()
    assert csv.count(b"\n") == 28_001
    assert "check: submission.csv: 28,000 rows, nothing wrong\nImageId,Label\n1," in text
    assert pictures(notebook) == 3
    assert "\x1b" not in text


def test_a_stage_that_fails_stops_the_notebook(place: Place) -> None:
    notebook = notebook_of(recipe="smoke")
    with pytest.raises(CellExecutionError, match="download failed; the lines above say why"):
        place.run(notebook)
    text = printed(notebook)
    assert text.startswith(f"Python {platform.python_version()}, NumPy {np.__version__}\n")
    assert "Error: There is no" in text
    assert "choose Add Input, Competitions, Digit Recognizer." in text
    assert "preprocess" not in text
    (error,) = (
        output
        for cell in notebook.cells
        for output in cell.get("outputs", ())
        if output.output_type == "error"
    )
    assert error.traceback == ["download failed; the lines above say why."]


def test_changes_of_the_reader_s_are_told_and_missing_packages_named(place: Place) -> None:
    notebook = notebook_of(recipe="smoke")
    checksums = find_cell(notebook, "import hashlib")
    losses = notebook.cells[find_cell(notebook, "%%writefile pipeline/nn/losses.py")]
    losses.source += "\n# mine"
    notebook.cells = notebook.cells[: checksums + 1]
    add_cell(notebook, notebook.cells[1].source.replace('"click ', '"no_package click no_other '))
    with pytest.raises(CellExecutionError, match="not installed here: no_package, no_other"):
        place.run(notebook)
    assert "\npipeline/nn/losses.py was changed in this notebook.\n" in printed(notebook)
    assert "byte for byte" not in printed(notebook)


def test_recipes_of_the_user_s_own_are_carried_with_their_places(
    place: Place, tmp_path: Path
) -> None:
    folder = tmp_path / "recipes of mine"
    (folder / "parts").mkdir(parents=True)
    ensemble, member = folder / "it's {mine}.toml", folder / "parts" / "one.toml"
    ensemble.write_text(
        'description = "Two"\r\n[ensemble]\r\n'
        'members = [{ recipe = "parts/one.toml" }, { recipe = "smoke", seed = 4 }]',
        newline="",
    )
    smoke = (REPOSITORY / "pipeline" / "recipes" / "smoke.toml").read_text()
    member.write_text(smoke.replace("seed = 0", "seed = 8"))
    notebook = notebook_of(recipe=str(ensemble), seed=2)
    notebook.cells = notebook.cells[: find_cell(notebook, "import hashlib") + 1]
    add_cell(
        notebook,
        "from pipeline.plan.members import members_of\nfrom pipeline.plan.plan import make_plan\n"
        "plan = make_plan(recipe=RECIPE, seed=int(SEED), source='practice')\n"
        "for member in members_of(plan): print(member.recipe, member.seed)",
    )
    place.run(notebook)
    text = printed(notebook)
    assert "files are, byte for byte" in text
    assert (place.working / "recipes" / "parts" / "one.toml").read_text() == member.read_text()
    assert text.splitlines()[-2:] == [
        f"{place.working / 'recipes' / 'parts' / 'one.toml'} 2000",
        f"{place.working / 'pipeline' / 'recipes' / 'smoke.toml'} 2004",
    ]
