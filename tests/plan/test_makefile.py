"""make does what is due, all of it and nothing else, whatever the names of the files."""

import re
import shutil
import zipfile
from pathlib import Path

import pytest
from pipeline.plan.makefile import escape

from pipeline.plan.workspace import Workspace
from pipeline.system.errors import PipelineError
from pipeline.system.files import read_json, write_text
from tests.make_case import Built, Checkout, copy_checkout
from tests.practice_case import REPOSITORY

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="there is no make")

AFTER_TRAINING = ["validate", "submission", "summary"]
AFTER_DATA = ["train", *AFTER_TRAINING]
ALL = ["download", "preprocess", *AFTER_DATA]
MAKEFILE = (REPOSITORY / "Makefile").read_text(encoding="utf-8")


@pytest.fixture
def checkout(built: Built, tmp_path: Path) -> Checkout:
    return copy_checkout(built.checkout, tmp_path / "dígits")


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def smoke(checkout: Checkout) -> Path:
    return checkout.folder / "pipeline" / "recipes" / "smoke.toml"


# ---- what is due -------------------------------------------------------------------------------
def test_the_second_time_nothing_is_done(checkout: Checkout) -> None:
    before = checkout.state()
    outcome = checkout.make("all")
    assert (outcome.code, outcome.errors, outcome.stages) == (0, "", [])
    assert "hold-out" in outcome.output
    assert checkout.state() == before
    assert checkout.due() == []


def test_from_nothing_all_is_due(checkout: Checkout) -> None:
    assert checkout.due("DATA=elsewhere", "SUBMISSIONS=sent") == ALL
    assert not (checkout.folder / "elsewhere").exists(), "-n writes nothing"


@pytest.mark.parametrize(
    "variable",
    ["SEED=0", "SEED=5", "SET=training.epochs=2", "SET=a=[1, 2] b=x 'y'", "RUN=mine", "RECIPE=mlp"],
)
def test_another_run_is_due_on_the_same_data(checkout: Checkout, variable: str) -> None:
    assert checkout.due(variable) == AFTER_DATA


def test_another_source_is_due_from_its_beginning(checkout: Checkout) -> None:
    assert checkout.due("SOURCE=mnist-csv") == ALL


def test_forced_all_is_due(checkout: Checkout) -> None:
    assert checkout.due("FORCE=1") == ALL
    assert checkout.due("FORCE=0") == checkout.due("FORCE=") == []


@pytest.mark.parametrize(
    ("file", "stages"),
    [
        ("pipeline/recipes/smoke.toml", AFTER_DATA),
        ("pipeline/recipes/mlp.toml", []),
        ("pipeline/nn/layers.py", AFTER_DATA),
        ("pipeline/stages/train.py", AFTER_DATA),
        ("pipeline/runs/metrics.py", AFTER_TRAINING),
        ("pipeline/kaggle/submission_csv.py", ["submission", "summary"]),
        ("pipeline/digits/csv_reader.py", ["preprocess", *AFTER_DATA]),
        ("data/raw/practice/manifest.json", ["preprocess", *AFTER_DATA]),
        ("README.md", []),
    ],
)
def test_what_depends_on_a_changed_file_is_due(
    checkout: Checkout, file: str, stages: list[str]
) -> None:
    (checkout.folder / file).touch()
    assert checkout.due() == stages


@pytest.mark.parametrize(
    ("file", "stages"),
    [
        ("data/raw/practice/manifest.json", ALL),
        ("data/runs/practice-smoke/training.json", AFTER_DATA),
        ("data/runs/practice-smoke/request.json", AFTER_DATA),
        ("data/runs/practice-smoke/validation.json", AFTER_TRAINING),
        ("submissions/practice-smoke.csv", ["submission", "summary"]),
        ("data/runs/practice-smoke/summary.txt", ["summary"]),
    ],
)
def test_what_is_gone_is_due(checkout: Checkout, file: str, stages: list[str]) -> None:
    (checkout.folder / file).unlink()
    assert checkout.due() == stages


# ---- what is done ------------------------------------------------------------------------------
def test_an_edited_recipe_is_trained_again_and_no_more(checkout: Checkout) -> None:
    data = checkout.state("data", "raw") | checkout.state("data", "processed")
    model = checkout.workspace.run("practice-smoke").model
    before = model.read_bytes()
    edit(smoke(checkout), "epochs = 3", "epochs = 1")
    assert checkout.due() == AFTER_DATA
    assert "up to date" not in checkout.make("train").output
    assert model.read_bytes() != before
    assert checkout.due() == AFTER_TRAINING
    assert data == checkout.state("data", "raw") | checkout.state("data", "processed")


def test_an_edited_comment_is_noticed_and_changes_nothing(checkout: Checkout) -> None:
    files = (
        checkout.workspace.run("practice-smoke").model,
        checkout.workspace.submission("practice-smoke"),
    )
    before = [path.read_bytes() for path in files]
    recipe = smoke(checkout)
    times = recipe.stat().st_mtime_ns
    edit(recipe, "[training]", "# For a little while.\n[training]")
    assert recipe.stat().st_mtime_ns > times
    assert checkout.make("all").output.count("up to date") == 3
    assert before == [path.read_bytes() for path in files]
    assert checkout.due() == []


def test_runs_of_different_seeds_and_settings_stay_apart(checkout: Checkout) -> None:
    before = checkout.state()
    outcome = checkout.make("all", "SEED=5", "SET=training.epochs=1 description=a 'b' \"c\" $$d")
    assert (outcome.code, outcome.errors) == (0, "")
    after = checkout.state()
    assert {name: after[name] for name in before} == before
    new = {name for name in after if name not in before}
    (run,) = {name.split("/")[2] for name in new if name.startswith("data/")}
    assert re.fullmatch(r"practice-smoke-seed5-set[0-9a-f]{6}", run)
    assert {name for name in new if name.startswith("submissions/")} == {
        f"submissions/{run}.csv",
        f"submissions/{run}.json",
    }
    recipe = read_json(checkout.workspace.run(run).recipe)
    assert (recipe["seed"], recipe["training"]["epochs"]) == (5, 1)
    assert recipe["description"] == "a 'b' \"c\" $d"


def test_a_named_run_keeps_what_it_was_made_from(checkout: Checkout) -> None:
    outcome = checkout.make("train", "RUN=mine", "SEED=4", "SET=training.epochs=1")
    assert outcome.code == 0
    # The default recipe is another one, and yet nothing is trained again.
    assert checkout.due("RUN=mine", recipe=None) == AFTER_TRAINING
    assert checkout.due("RUN=mine", "SEED=4", recipe=None) == AFTER_TRAINING
    assert checkout.due("RUN=mine", "SEED=6", recipe=None) == AFTER_DATA
    assert checkout.due("RUN=mine", recipe="mlp") == AFTER_DATA
    refused = checkout.make("submit", "RUN=mine", recipe=None)
    assert refused.code != 0
    assert "There is no submission of the run mine" in refused.errors


def write_zip(path: Path, practice: Workspace, *, rows: int) -> None:
    """A zip as from the competition's page, with a few of the practice digits."""
    raw = practice.raw("practice")
    with zipfile.ZipFile(path, "w") as packed:
        for csv in (raw.train, raw.test):
            # Rows are in no order of digits, so that some of each are among the first.
            packed.writestr(csv.name, b"".join(csv.read_bytes().splitlines(True)[: rows + 1]))


def test_a_zip_of_the_user_s_is_taken_in_again_when_it_changes(
    checkout: Checkout, practice_workspace: Workspace
) -> None:
    path = checkout.folder / "my digits (1) #2.zip"
    write_zip(path, practice_workspace, rows=400)
    given = (f"SOURCE={path.name}", "SET=training.epochs=1")
    outcome = checkout.make("all", *given)
    assert (outcome.code, outcome.errors) == (0, "")
    assert outcome.stages == ["download", "preprocess", "train", "validate", "submission"]
    assert "400 digits with labels" in outcome.output
    assert checkout.due(*given) == []
    # The competition's digits are there now, so that they are what is meant without SOURCE.
    assert checkout.due("SET=training.epochs=1") == []
    write_zip(path, practice_workspace, rows=300)
    assert checkout.due(*given) == ALL
    assert "300 digits with labels" in checkout.make("download", *given).output
    assert checkout.due(*given) == ALL[1:]
    path.unlink()
    assert checkout.due(*given) == ALL[1:]


def test_a_folder_of_the_user_s(checkout: Checkout, practice_workspace: Workspace) -> None:
    folder = checkout.folder / "mine"
    folder.mkdir()
    raw = practice_workspace.raw("practice")
    for csv in (raw.train, raw.test):
        shutil.copy(csv, folder)
    assert checkout.due("SOURCE=mine") == ALL
    assert checkout.make("download", "SOURCE=mine").code == 0
    assert checkout.due("SOURCE=mine") == ALL[1:]
    (folder / "train.csv").touch()
    assert checkout.due("SOURCE=./mine/") == ALL


# ---- single stages -----------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("stage", "before"),
    [("preprocess", "download"), ("train", "preprocess"), ("submit", "submission")],
)
def test_a_stage_says_which_one_to_run_before_it(
    checkout: Checkout, stage: str, before: str
) -> None:
    outcome = checkout.make(stage, "SOURCE=practice", "DATA=none", "SUBMISSIONS=none")
    assert outcome.code != 0
    assert f"Run: make {before}" in outcome.errors
    assert "Traceback" not in outcome.errors


def test_what_is_wrong_stops_all_with_a_line(checkout: Checkout) -> None:
    before = checkout.state()
    for variable, text in (
        ("RECIPE=nosuch", "RECIPE=nosuch: no recipe of that name"),
        ("SEED=x", "SEED=x: not a whole number"),
        ("SOURCE=nosuch", "SOURCE=nosuch: no such file"),
        ("RUN=a/b", "RUN=a/b: not usable"),
        ("SET=training.epochs=0", "training.epochs: should be greater"),
    ):
        outcome = checkout.make("all", variable)
        assert outcome.code == 2
        assert f"Error: {text}" in outcome.errors or text in outcome.errors
        assert "Traceback" not in outcome.errors
        assert checkout.state() == before


def test_every_stage_runs_alone(checkout: Checkout) -> None:
    outcome = checkout.make("-n", "download", "preprocess", "train", "validate", "submission")
    assert outcome.stages == ["download", "preprocess", "train", "validate", "submission"]
    assert checkout.make("-n", "push").stages == ["notebook", "push"]


def test_stages_that_are_named_together_run_in_their_order_also_with_j(checkout: Checkout) -> None:
    (checkout.workspace.run("practice-smoke").validation).unlink()
    outcome = checkout.make("-j2", "validate", "submission")
    assert (outcome.code, outcome.stages) == (0, ["validate", "submission"]), outcome.errors


# ---- interpreters and environments -------------------------------------------------------------
def test_the_environment_is_made_first(checkout: Checkout) -> None:
    for target in ("train", "all"):
        output = checkout.make("-n", target, "FORCE=1", "VENV=.venv").output
        steps = [
            output.index(text) for text in ('-m venv "$3"', "-m pip install", "-m pipeline train")
        ]
        assert steps == sorted(steps)
        assert ".venv/bin/python" in output
    assert not (checkout.folder / ".venv").exists()


def test_the_tests_install_what_they_need(checkout: Checkout) -> None:
    output = checkout.make("-n", "test", "VENV=.venv").output
    assert "[dev]" in output
    assert "-m pytest" in output
    assert "pip" not in checkout.make("-n", "test").output


def test_what_is_compiled_is_kept_for_the_next_command(checkout: Checkout) -> None:
    code = checkout.folder / "pipeline"
    for folder in [*code.rglob("__pycache__")]:
        shutil.rmtree(folder)
    assert checkout.make("runs", PYTHONDONTWRITEBYTECODE="1").code == 0
    assert list(code.rglob("*.pyc"))


@pytest.mark.parametrize("target", ["all", "train", "test"])
def test_without_a_python_new_enough(checkout: Checkout, target: str) -> None:
    outcome = checkout.make(target, "PYTHON=")
    assert outcome.code == 2
    assert "no Python 3.11 or newer was found" in outcome.errors
    assert checkout.make("help", "PYTHON=").code == 0


def test_an_environment_with_spaces_is_refused(checkout: Checkout) -> None:
    outcome = checkout.make("train", "VENV=my env")
    assert outcome.code == 2
    assert "VENV=my env: " in outcome.errors


# ---- help, clean -------------------------------------------------------------------------------
def test_help_lists_all_targets_and_variables(checkout: Checkout) -> None:
    output = checkout.make("help").output
    phony = set(" ".join(re.findall(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)).split())
    for target in phony - {"other-request", "forced"}:
        assert re.search(rf"^  make {target} +\S", output, re.MULTILINE), target
    variables = set(re.findall(r"^([A-Z]+) \?=", MAKEFILE, re.MULTILINE))
    assert {"SOURCE", "RECIPE", "RUN", "SEED", "SET", "DATA", "SUBMISSIONS"} <= variables
    for variable in variables:
        assert re.search(rf"^  {variable} +\S", output, re.MULTILINE), variable
    assert checkout.make().output == output


# ---- ensembles -----------------------------------------------------------------------------------
ENSEMBLE = """
description = "Two"
[ensemble]
members = [{ recipe = "smoke" }, { recipe = "mine.toml", seed = 1 }]
"""


def test_a_member_s_recipe_is_noticed_and_trained_alone(checkout: Checkout) -> None:
    mine = checkout.folder / "mine.toml"
    shutil.copy(smoke(checkout), mine)
    edit(mine, "epochs = 3", "epochs = 1")
    (checkout.folder / "two.toml").write_text(ENSEMBLE, encoding="utf-8")
    assert checkout.due(recipe="two.toml") == AFTER_DATA
    outcome = checkout.make("all", recipe="two.toml")
    assert (outcome.code, outcome.errors) == (0, "")
    assert outcome.stages == ["train", "validate", "submission"]
    assert outcome.output.count("digits to learn from") == 1  # practice-smoke was there
    assert checkout.due(recipe="two.toml") == []
    kept = checkout.workspace.run("practice-smoke").training
    before = kept.read_bytes()
    edit(mine, "epochs = 1", "epochs = 2")
    assert checkout.due(recipe="two.toml") == AFTER_DATA
    assert checkout.make("all", recipe="two.toml").output.count("digits to learn from") == 1
    assert kept.read_bytes() == before
    kept.unlink()
    assert checkout.due(recipe="two.toml") == AFTER_DATA


def test_folds_from_the_digits_to_the_summary(checkout: Checkout) -> None:
    outcome = checkout.make("all", "FOLDS=2")
    assert (outcome.code, outcome.errors) == (0, "")
    assert "3,000 held-out digits" in outcome.output
    assert "read here by 1 network that never saw it; each test digit by 2." in outcome.output
    assert "members     2: practice-smoke-fold0of2, practice-smoke-fold1of2" in outcome.output
    assert checkout.workspace.submission("practice-smoke-folds2").exists()
    assert checkout.due("FOLDS=2") == []
    assert checkout.due() == []
    assert checkout.make("all", "FOLDS=2").stages == []
    assert checkout.due("FOLDS=3") == AFTER_DATA


def test_a_blend_of_finished_runs(checkout: Checkout) -> None:
    assert checkout.make("train", "validate", "SEED=1").code == 0
    given = "RUNS=practice-smoke practice-smoke-seed1"
    outcome = checkout.make("compare", given)
    assert (outcome.code, outcome.errors) == (0, "")
    assert "compare: on the 600 digits that both runs held out" in outcome.output
    outcome = checkout.make("blend", given, "RUN=both")
    assert (outcome.code, outcome.errors) == (0, "")
    assert outcome.stages == ["validate", "submission"]
    assert "read here by 2 networks that never saw it; each test digit by 2." in outcome.output
    assert checkout.make("submission", "RUN=both", recipe=None).output.count("up to date") == 1
    assert checkout.due("RUN=both", recipe=None) == ["summary"]
    assert checkout.make("all", "RUN=both", recipe=None).code == 0
    assert checkout.due("RUN=both", recipe=None) == []
    assert checkout.make("train", "SEED=1", "FORCE=1").code == 0
    assert checkout.due("RUN=both", recipe=None) == AFTER_DATA
    refused = checkout.make("blend", "RUNS=practice-smoke none")
    assert refused.code != 0
    assert refused.errors.splitlines()[0].startswith("Error: There is no run none")


def test_clean_keeps_raw_data_and_submissions(checkout: Checkout) -> None:
    kept = checkout.state("data", "raw") | checkout.state("submissions")
    write_text(checkout.workspace.comparison("a~b"), "a page")
    outcome = checkout.make("clean")
    assert (outcome.code, outcome.errors) == (0, "")
    assert checkout.state() == kept
    assert not list(checkout.folder.rglob("__pycache__"))


@pytest.mark.parametrize("data", ["DATA=", "DATA=a b'c", "DATA=$$HOME"])
def test_clean_removes_nothing_elsewhere(checkout: Checkout, data: str) -> None:
    folder = data.removeprefix("DATA=").replace("$$", "$") or "data"
    quoted = "'" + folder.replace("'", "'\\''") + "'"
    removed = f"rm -rf {quoted}/processed {quoted}/runs {quoted}/tuning "
    assert removed in checkout.make("-n", "clean", data).output


def test_distclean_asks(checkout: Checkout) -> None:
    before = checkout.state()
    outcome = checkout.make("distclean")  # nobody answers
    assert outcome.code != 0
    assert "ALL SUBMISSIONS" in outcome.output
    assert "Nothing was removed." in outcome.output
    assert checkout.state() == before


# ---- names -------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("name", "escaped"),
    [
        ("data/raw", "data/raw"),
        ("my data", r"my\ data"),
        ("a#b", r"a\#b"),
        ("a$b$", "a$$b$$"),
        ("a:b;c", r"a\:b\;c"),
        ("Größe 数字's", r"Größe\ 数字's"),
        ("a\tb", "a\\\tb"),
        ("x (1).zip", r"x\ (1).zip"),
    ],
)
def test_names_are_escaped_for_make(name: str, escaped: str) -> None:
    assert escape(Path(name)) == escaped


@pytest.mark.parametrize("name", ["a%b", "a*", "a?", "[a]", "a|b", "a\\b", "lib(a)", "a\nb"])
def test_names_that_make_cannot_take_are_refused(name: str) -> None:
    with pytest.raises(PipelineError, match="make cannot work with") as caught:
        escape(Path(name))
    assert "python -m pipeline" in caught.value.remedy


@pytest.mark.parametrize("name", ["dätä $1", "#2;3:4's", 'a "b" & <c>', "~", "a=b", "-"])
def test_folders_of_any_name(checkout: Checkout, name: str) -> None:
    for folder in (checkout.workspace.data, checkout.workspace.submissions):
        folder.rename(checkout.folder / f"{folder.name} {name}")
    typed = name.replace("$", "$$")
    given = (f"DATA=data {typed}", f"SUBMISSIONS=submissions {typed}")
    outcome = checkout.make("all", *given)
    assert (outcome.code, outcome.errors, outcome.stages) == (0, "", [])
    assert "hold-out" in outcome.output
    (checkout.folder / f"data {name}" / "runs" / "practice-smoke" / "summary.txt").unlink()
    outcome = checkout.make("all", *given)
    assert (outcome.code, outcome.errors) == (0, "")
    assert f"submissions {name}/practice-smoke.csv" in outcome.output


def test_all_says_so_too(checkout: Checkout) -> None:
    outcome = checkout.make("all", "DATA=100%")
    assert outcome.code == 2
    assert "make cannot work with '%' in the name 100%/raw" in outcome.errors
