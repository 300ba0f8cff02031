"""make does what is due, all of it and nothing else, whatever the names of the files."""

import os
import re
import shutil
import zipfile
from itertools import cycle
from pathlib import Path

import pytest

from pipeline.plan.workspace import Workspace
from pipeline.system.files import read_json
from tests.make_case import Built, Checkout, copy_checkout, copy_code, write_script
from tests.practice_case import REPOSITORY
from tests.sampling import sampled

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="there is no make")

ALL = ["download", "preprocess", "train", "validate", "submission"]
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


# ---- the whole way -----------------------------------------------------------------------------
def test_the_second_time_nothing_is_done(checkout: Checkout) -> None:
    before = checkout.state()
    outcome = checkout.make("all")
    assert (outcome.code, outcome.errors, outcome.stages) == (0, "", [])
    assert "hold-out" in outcome.output
    assert checkout.state() == before


def test_a_comment_edited_anywhere_makes_nothing_due(checkout: Checkout) -> None:
    for path in sorted((checkout.folder / "pipeline").rglob("*.py")):
        path.write_text(path.read_text(encoding="utf-8") + "# A comment.\n", encoding="utf-8")
    assert checkout.make("all").stages == []


# What would mean something to make, to a shell, or to a Makefile's reader.
VALUES = [
    *(
        "/x/data$y",
        "a$(touch x)b",
        "$(touch x)",
        "$(shell touch x)",
        "${shell touch x}",
        "`touch x`",
    ),
    *("$", "$$", "$$HOME", "$(", "${", "$(eval X:=1)", "$(error no)", "$(info no)", "$(DATA)"),
    *(
        "a#b",
        "#",
        "\\#",
        "a;",
        "a\\",
        "a\\\\",
        "\\$x",
        "it's",
        '"q"',
        "a,b",
        "(",
        "50%",
        "%",
        "*?[a]",
    ),
    *(
        "~",
        "~/x",
        "-n",
        "a=b",
        ":=b",
        "&& touch x",
        "| touch x",
        "trailing  ",
        "a\tb",
        "a\nb",
        "a\r\n",
    ),
    *("a\n\tb\n", "define X", "endef", "é", "\udcff"),
]
TYPED = (
    *("SOURCE", "RECIPE", "RUN", "SEED", "SET", "FOLDS", "SEEDS", "RUNS", "INDEX", "IMAGE"),
    *("RECIPES", "FORCE", "TRIALS", "STORAGE", "TRACK", "EXECUTOR", "DASK", "DATA", "SUBMISSIONS"),
    *("CONSTRAINTS", "BENCH_VENV"),
)
NOTES_ITS_ENVIRONMENT = '#!/bin/sh\ncase "$*" in *" -c "*) ;; *) env -0 >"$NOTED" ;; esac\n'


@pytest.mark.parametrize("typed", [True, False], ids=["command line", "environment"])
def test_values_reach_the_program_as_they_were_typed(tmp_path: Path, typed: bool) -> None:
    checkout, noted = copy_code(tmp_path / "checkout"), tmp_path / "noted"
    python = write_script(tmp_path / "my $(touch x) python", NOTES_ITS_ENVIRONMENT)
    # A leading blank is taken away by make itself, before it reads any Makefile.
    values = [*VALUES, *([] if typed else ["  leading", " "])]
    for first in range(0, len(values), 4):
        given = dict(zip([*TYPED, "OTHER"], cycle(values[first:] + values[:first]), strict=False))
        words = [f"{name}={value}" for name, value in given.items()]
        outcome = checkout.make(
            *(f"PYTHON={python}", "train", *(words if typed else ())),
            recipe=None,
            **({"NOTED": str(noted)} | ({} if typed else given)),
        )
        assert (outcome.code, outcome.errors) == (0, ""), given
        lines = noted.read_bytes().split(b"\0")
        for name, value in given.items():
            shown = name if name == "OTHER" else f"DIGITS_{name}"
            assert os.fsencode(f"{shown}={value}") in lines
        assert os.fsencode(f"DIGITS_PYTHON={python}") in lines
    assert not (checkout.folder / "x").exists()


def test_values_reach_the_run_as_they_were_typed(checkout: Checkout) -> None:
    before = checkout.state()
    outcome = checkout.make("all", "SEED=5", "SET=training.epochs=1 description=a 'b' \"c\" $d")
    assert (outcome.code, outcome.errors) == (0, "")
    assert outcome.stages == ["train", "validate", "submission"]
    after = checkout.state()
    assert {name: after[name] for name in before} == before
    new = {name for name in after if name not in before}
    (run,) = {name.split("/")[2] for name in new if name.startswith("data/")}
    assert re.fullmatch(r"practice-smoke-seed5-set[0-9a-f]{6}", run)
    recipe = read_json(checkout.workspace.run(run).recipe)
    assert (recipe["seed"], recipe["training"]["epochs"]) == (5, 1)
    assert recipe["description"] == "a 'b' \"c\" $d"


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
    assert (outcome.code, outcome.errors, outcome.stages) == (0, "", ALL)
    assert "400 digits with labels" in outcome.output
    path.touch()
    # The competition's digits are there now, so that they are what is meant without SOURCE.
    assert checkout.make("all", "SET=training.epochs=1").stages == []
    write_zip(path, practice_workspace, rows=300)
    outcome = checkout.make("all", *given)
    assert outcome.stages == ALL
    assert "300 digits with labels" in outcome.output
    path.unlink()
    assert checkout.make("all", *given).stages == []


def test_a_folder_of_the_user_s(checkout: Checkout, practice_workspace: Workspace) -> None:
    folder = checkout.folder / "mine"
    folder.mkdir()
    raw = practice_workspace.raw("practice")
    for csv in (raw.train, raw.test):
        shutil.copy(csv, folder)
    assert "up to date" not in checkout.make("download", "SOURCE=mine").output
    assert "up to date" in checkout.make("download", "SOURCE=./mine/").output
    content = (folder / "train.csv").read_bytes()
    (folder / "train.csv").write_bytes(content[: content.rindex(b"\n", 0, -1) + 1])
    assert "2,999 digits" in checkout.make("download", "SOURCE=mine").output


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
        installed, run = output.splitlines()
        assert '-m pipeline.system.installation "$DIGITS_VENV"' in installed
        assert run.endswith(f"-m pipeline {target}")
    assert not (checkout.folder / ".venv").exists()


def test_the_tests_install_what_they_need(checkout: Checkout) -> None:
    output = checkout.make("-n", "test", "VENV=.venv").output
    assert 'installation "$DIGITS_VENV" dev\n' in output
    assert "-m pytest" in output
    assert "installation" not in checkout.make("-n", "test").output


def test_what_is_compiled_is_kept_for_the_next_command(checkout: Checkout) -> None:
    code = checkout.folder / "pipeline"
    for folder in [*code.rglob("__pycache__")]:
        shutil.rmtree(folder)
    assert checkout.make("runs", PYTHONDONTWRITEBYTECODE="1").code == 0
    assert list(code.rglob("*.pyc"))


@pytest.mark.parametrize("target", ["all", "train", "test", "clean"])
def test_without_a_python_new_enough(checkout: Checkout, target: str) -> None:
    tools = checkout.folder / "tools"
    tools.mkdir()
    for name in ("make", "sh", "awk", "printf"):
        (tools / name).symlink_to(str(shutil.which(name)))
    write_script(tools / "python3", "#!/bin/sh\nexit 1\n")
    outcome = checkout.make(target, "PYTHON=", PATH=str(tools))
    assert outcome.code == 2
    assert "no Python 3.11 or newer was found" in outcome.errors
    assert checkout.make("help", "PYTHON=", PATH=str(tools)).code == 0


@pytest.mark.parametrize("name", ["python3.10", "nonsense", "a python", "$(touch x)", "."])
@pytest.mark.parametrize("venv", ["VENV=", "VENV=.venv"])
def test_an_interpreter_that_will_not_do_is_told_in_a_line(
    checkout: Checkout, name: str, venv: str
) -> None:
    if name == "python3.10":
        name = str(write_script(checkout.folder / name, "#!/bin/sh\nexit 1\n"))
    outcome = checkout.make("train", f"PYTHON={name}", venv)
    assert (outcome.code, outcome.output) == (2, "")
    [line] = outcome.errors.splitlines()
    assert f"PYTHON={name}: this is no Python 3.11 or newer; " in line
    assert not (checkout.folder / "x").exists()


def test_the_code_of_this_folder_runs_and_no_other(checkout: Checkout) -> None:
    other = checkout.folder / "other" / "pipeline"
    other.mkdir(parents=True)
    (other / "__init__.py").touch()
    (other / "__main__.py").write_text("raise SystemExit(3)", encoding="utf-8")
    settings = {"PYTHONSAFEPATH": "1", "PYTHONPATH": str(other.parent), "PYTHONHOME": "/nowhere"}
    outcome = checkout.make("runs", **settings)
    assert (outcome.code, outcome.errors) == (0, "")
    assert "practice-smoke" in outcome.output


# ---- help --------------------------------------------------------------------------------------
def test_help_lists_all_targets_and_variables(checkout: Checkout) -> None:
    output = checkout.make("help").output
    phony = set(" ".join(re.findall(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)).split())
    for target in {name for name in phony if not name.startswith(".")}:
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
    outcome = checkout.make("all", recipe="two.toml")
    assert (outcome.code, outcome.errors) == (0, "")
    assert outcome.stages == ["train", "validate", "submission"]
    assert outcome.output.count("digits to learn from") == 1  # practice-smoke was there
    kept = checkout.workspace.run("practice-smoke").training
    before = kept.read_bytes()
    edit(mine, "epochs = 1", "epochs = 2")
    outcome = checkout.make("all", recipe="two.toml")
    assert outcome.output.count("digits to learn from") == 1
    assert kept.read_bytes() == before


def test_folds_from_the_digits_to_the_summary(checkout: Checkout) -> None:
    outcome = checkout.make("all", "FOLDS=2")
    assert (outcome.code, outcome.errors) == (0, "")
    assert "3,000 held-out digits" in outcome.output
    assert "read here by 1 network that never saw it; each test digit by 2." in outcome.output
    assert "members     2: practice-smoke-fold0of2, practice-smoke-fold1of2" in outcome.output
    assert checkout.workspace.submission("practice-smoke-folds2").exists()
    assert checkout.make("all", "FOLDS=2").stages == []


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
    assert checkout.make("all", "RUN=both", recipe=None).stages == []
    assert checkout.make("train", "SEED=1", "FORCE=1").code == 0
    assert checkout.make("all", "RUN=both", recipe=None).code == 0
    refused = checkout.make("blend", "RUNS=practice-smoke none")
    assert refused.code != 0
    assert refused.errors.splitlines()[0].startswith("Error: There is no run none")


# ---- names -------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "name",
    sampled(["dätä $1", "#2;3:4's", 'a "b" & <c>', "~", "a=b", "-", "100% [a]*?"], [0, 1]),
)
def test_folders_of_any_name(checkout: Checkout, name: str) -> None:
    for folder in (checkout.workspace.data, checkout.workspace.submissions):
        folder.rename(checkout.folder / f"{folder.name} {name}")
    (checkout.folder / f"data {name}" / "runs" / "practice-smoke" / "summary.txt").unlink()
    outcome = checkout.make("all", f"DATA=data {name}", f"SUBMISSIONS=submissions {name}")
    assert (outcome.code, outcome.errors, outcome.stages) == (0, "", [])
    assert "hold-out" in outcome.output
    assert f"submissions {name}/practice-smoke.csv" in outcome.output
