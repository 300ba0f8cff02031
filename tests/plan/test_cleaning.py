"""Nothing is removed that the pipeline did not make; what it can't make again, after asking."""

import os
import pty
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.plan.workspace import Workspace
from pipeline.system.files import write_text
from pipeline.system.locks import locked
from tests.make_case import TOOLS, Built, Checkout, copy_checkout
from tests.practice_case import environment
from tests.sampling import sampled

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="there is no make")


@pytest.fixture
def checkout(built: Built, tmp_path: Path) -> Checkout:
    return copy_checkout(built.checkout, tmp_path / "dígits")


def entries(folder: Path) -> set[str]:
    """All files below a folder, apart from compiled code."""
    files = (path for path in folder.rglob("*") if not path.is_dir() and path.suffix != ".pyc")
    return {str(path.relative_to(folder)) for path in files}


def answer(checkout: Checkout, target: str, said: str) -> str:
    """Type make at a terminal, and answer what it asks; return what stands there in the end."""
    terminal, there = pty.openpty()
    os.write(terminal, f"{said}\n".encode())
    done = subprocess.run(
        ["make", *TOOLS, target],
        cwd=checkout.folder,
        env=environment(),
        stdin=there,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=60,
    )
    os.close(terminal)
    os.close(there)
    return done.stdout


# ---- what the pipeline made ----------------------------------------------------------------------
def test_clean_keeps_all_that_is_not_rebuilt_by_itself(checkout: Checkout) -> None:
    workspace = checkout.workspace
    kept = checkout.state("data", "raw") | checkout.state("submissions")
    kept |= checkout.state("data", "runs")
    page = workspace.comparison("a~b")
    with locked(page):
        write_text(page, "a page")
    write_text(workspace.run("practice-smoke").report, "a page")
    write_text(workspace.tuning("search").study, "all trials")
    outcome = checkout.make("clean")
    assert (outcome.code, outcome.output, outcome.errors) == (0, "", "")
    state = checkout.state()
    assert state.pop("data/tuning/search/study.sqlite3")
    assert state == kept
    assert not list(checkout.folder.rglob("__pycache__"))
    assert not workspace.processed("").folder.exists()
    assert checkout.make("all").stages == ["preprocess"]


def test_runs_and_searches_go_when_the_person_agrees(checkout: Checkout) -> None:
    workspace = checkout.workspace
    write_text(workspace.tuning("search").study, "all trials")
    shutil.copytree(workspace.run("").folder, workspace.scratch("r").run("").folder)
    before = checkout.state()
    outcome = checkout.make("clean-runs")  # nobody is there
    assert outcome.code == 2
    assert "runs/practice-smoke, " in outcome.errors
    assert "Nothing was removed: nobody is at the terminal; FORCE=1 means yes." in outcome.errors
    for said in ("", "n", "what?"):
        assert "Nothing was removed." in answer(checkout, "clean-runs", said)
        assert checkout.state() == before
    assert "[y/N]" in answer(checkout, "clean-runs", "y")
    kept = {
        name: value
        for name, value in before.items()
        if name.startswith(("data/raw", "data/processed", "submissions"))
    }
    assert checkout.state() == kept
    assert "There are no runs" in checkout.make("clean-runs").output


def test_without_a_terminal_force_agrees(checkout: Checkout) -> None:
    assert checkout.make("clean-runs", "FORCE=0").code == 2
    assert checkout.make("clean-runs", "FORCE=1").code == 0
    assert not checkout.workspace.run("").folder.exists()


def test_distclean_removes_all_that_it_says(checkout: Checkout) -> None:
    folder = checkout.folder
    code = {path for path in entries(folder) if not path.startswith(("data/", "submissions/"))}
    (folder / "data" / ".gitkeep").touch()
    (folder / "submissions" / ".gitkeep").touch()
    checkout.workspace.ledger.touch()
    write_text(checkout.workspace.decision("a~b"), '{"recipes": [], "contenders": []}')
    for name in (".venv", ".venv-bench", "mlruns/0", "mlartifacts", "wandb/run", ".hypothesis"):
        (folder / name).mkdir(parents=True)
    for name in (".venv/pyvenv.cfg", ".venv-bench/pyvenv.cfg", ".venv.lock", ".venv-bench.lock"):
        (folder / name).touch()
    for name in ("mlflow.db", "mlruns/0/meta.yaml", "wandb/run/log", "kaggle.json", "mine.txt"):
        (folder / name).touch()
    before = entries(folder)
    for outcome in (checkout.make("distclean").errors, answer(checkout, "distclean", "n")):
        assert "ALL SUBMISSIONS" in outcome
        assert "Nothing was removed" in outcome
        assert entries(folder) == before
    said = answer(checkout, "distclean", "y")
    for name in (".venv", ".venv-bench", "mlflow.db", "mlruns", "mlartifacts", "wandb"):
        assert name in said
        assert not (folder / name).exists()
    kept = {"data/.gitkeep", "submissions/.gitkeep", "kaggle.json", "mine.txt"}
    assert entries(folder) == code | kept


def test_it_needs_the_standard_library_alone(checkout: Checkout) -> None:
    done = subprocess.run(
        [sys.executable, "-S", "-m", "pipeline.plan.cleaning", "clean"],
        cwd=checkout.folder,
        check=False,
        env=environment(PYTHONPATH=""),
    )
    assert done.returncode == 0
    assert not checkout.workspace.processed("").folder.exists()


# ---- what somebody else made ---------------------------------------------------------------------
FOREIGN = [
    *("runs/exp1/model.pt", "runs/exp1/request.json", "runs/.exp1.lock", "processed/mine/a.npy"),
    *("processed/mine/manifest.json", "raw/mine/train.csv", "comparisons/mine.html"),
    "decisions/mine.json",
    *("tuning/mine/x", "reproductions/mine/runs/a/x", "notebook/mine/notebook.ipynb", "thesis.tex"),
]


@pytest.mark.parametrize("target", ["clean", "clean-runs", "distclean"])
@pytest.mark.parametrize("spelling", sampled(["{}", "{}/", "{}/../{}", "link"], [2, 3]))
def test_folders_of_the_user_s_own_stay(checkout: Checkout, target: str, spelling: str) -> None:
    home = checkout.folder / "home"
    for name in FOREIGN:
        write_text(home / name, '{"name": "mine"}')
    write_text(home / "mine.csv", "1,2\n")
    (home / "runs" / "empty").mkdir()
    (checkout.folder / "link").symlink_to("home")
    before = entries(home)
    place = spelling.format("home", "home")
    outcome = checkout.make(target, "FORCE=1", f"DATA={place}", f"SUBMISSIONS={place}")
    assert (outcome.code, outcome.errors) == (0, "")
    assert entries(home) == before
    assert (home / "runs" / "empty").exists()
    assert (checkout.folder / "link").is_symlink()
    if target == "clean":
        assert (
            "processed: mine left alone, because this pipeline did not make it." in outcome.output
        )
    else:
        assert "runs: empty, exp1 left alone, because this" in outcome.output


def test_beside_those_of_the_user_s_ours_go(checkout: Checkout) -> None:
    runs = checkout.workspace.run("").folder
    write_text(runs / "exp1" / "model.pt", "weights")
    write_text(runs / ".exp1.lock", "")
    assert checkout.make("clean-runs", "FORCE=1").code == 0
    assert entries(runs) == {"exp1/model.pt", ".exp1.lock"}


@pytest.mark.parametrize(
    "data", sampled(["/", "", "$HOME", "data$y", "$(touch x)", "none"], [0, 1, 4])
)
def test_only_the_folder_that_was_named_is_cleaned(checkout: Checkout, data: str) -> None:
    place = checkout.folder / "data"
    before = checkout.state("data")
    outcome = checkout.make("clean", f"DATA={data}")
    assert (outcome.code, outcome.errors) == (0, "")
    assert (checkout.state("data") == before) == bool(data)
    assert (place / "processed").exists() == bool(data)
    assert not (checkout.folder / "x").exists()


def test_symbolic_links_stay(checkout: Checkout) -> None:
    elsewhere = checkout.folder / "disk"
    elsewhere.mkdir()
    runs, processed = checkout.workspace.run("").folder, checkout.workspace.processed("practice")
    for folder in (runs, processed.folder):
        folder.rename(elsewhere / folder.name)
        folder.symlink_to(elsewhere / folder.name)
    outcome = checkout.make("clean")
    assert "processed: practice left alone" in outcome.output
    assert processed.manifest.exists()
    assert checkout.make("clean-runs", "FORCE=1").code == 0
    assert runs.is_symlink()  # a disk's folder: what is in it was made by the pipeline
    assert not list(runs.iterdir())


def test_what_another_command_is_writing_stays(checkout: Checkout) -> None:
    workspace: Workspace = checkout.workspace
    with locked(workspace.run("practice-smoke").folder):
        outcome = checkout.make("clean-runs", "FORCE=1")
    assert outcome.output.endswith("left alone, because another command is at work there.\n")
    assert workspace.run("practice-smoke").training.exists()


def test_an_environment_that_make_did_not_make_stays(checkout: Checkout) -> None:
    mine = checkout.folder / "mine"
    mine.mkdir()
    (mine / "pyvenv.cfg").touch()
    outcome = checkout.make("distclean", "FORCE=1", "VENV=mine", f"PYTHON={sys.executable}")
    assert "mine is no environment of this pipeline: left alone." in outcome.output
    assert (mine / "pyvenv.cfg").exists()
