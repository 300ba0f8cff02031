"""An environment is whole or made again, wherever an installation was cut short."""

import json
import os
import re
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.make_case import Checkout, Outcome, copy_code, write_script
from tests.sampling import sampled

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="there is no make")

# Instead of an interpreter: it notes what it is asked to make, and leaves what the real one would.
# "cut" names a step at which it and its caller are killed, "fail" one at which it gives up.
STAND_IN = """#!/bin/sh
home={home}
packages="${{0%/bin/python}}/lib/python3/site-packages"
step() {{
  echo "$1" >>"$home/log"
  if [ "$(cat "$home/cut" 2>/dev/null)" = "$1" ]; then rm "$home/cut"; kill -9 $PPID $$; fi
  if [ "$(cat "$home/fail" 2>/dev/null)" = "$1" ]; then rm "$home/fail"; exit 1; fi
}}
case "$2 $3" in
  "venv "*)
    step "venv begins"
    mkdir -p "$3/bin" "$3/lib/python3/site-packages/pip"
    cp "$0" "$3/bin/python"
    test -e "$home/slow" && sleep 1
    step "venv in the middle"
    touch "$3/pyvenv.cfg"
    step "venv ends" ;;
  "pip --version") test -d "$packages/pip" ;;
  "ensurepip "*) step "ensurepip"; mkdir -p "$packages/pip" ;;
  "pip install")
    env >"$home/environment"
    echo "$*" >>"$home/commands"
    step "pip downloads"
    test -e "$home/elsewhere" && exit 0
    mkdir -p "$packages/half"
    step "pip in the middle"
    mkdir -p "$packages/digit_recognizer_pipeline-0.1.0.dist-info" "$packages/whole"
    step "pip ends" ;;
  *) exec {python} "$@" ;;
esac
"""
VENV = ["venv begins", "venv in the middle", "venv ends"]
PIP = ["pip downloads", "pip in the middle", "pip ends"]


class Trial:
    """A checkout, and the stand-in for its interpreter."""

    def __init__(self, folder: Path) -> None:
        self.home = folder
        self.checkout: Checkout = copy_code(folder / "checkout")
        self.venv = self.checkout.folder / ".venv"
        text = STAND_IN.format(home=f"'{folder}'", python=f"'{sys.executable}'")
        self.python = write_script(folder / "python", text)

    def install(self, *given: str, **variables: str) -> Outcome:
        arguments = (f"PYTHON={self.python}", "VENV=.venv", *given)
        return self.checkout.make("install", *arguments, **variables)

    def steps(self) -> list[str]:
        """What was done since this was asked last."""
        log = self.home / "log"
        steps = log.read_text("utf-8").splitlines() if log.exists() else []
        log.unlink(missing_ok=True)
        return steps

    def assert_whole(self) -> None:
        outcome = self.install()
        assert (outcome.code, outcome.output, outcome.errors) == (0, "", "")
        assert self.steps() == []


@pytest.fixture
def trial(tmp_path: Path) -> Trial:
    return Trial(tmp_path / "some folder")


# ---- cut short -----------------------------------------------------------------------------------
def test_what_is_whole_is_left_as_it_is(trial: Trial) -> None:
    assert trial.install().code == 0
    assert trial.steps() == [*VENV, *PIP]
    trial.assert_whole()


@pytest.mark.parametrize(
    ("how", "step", "again"),
    sampled(
        [
            *(("cut", step, [*VENV, *PIP]) for step in (*VENV, "pip in the middle", "pip ends")),
            ("fail", "venv in the middle", [*VENV, *PIP]),
            ("fail", "pip in the middle", [*VENV, *PIP]),
            ("cut", "pip downloads", PIP),
            ("fail", "pip downloads", PIP),
        ],
        [1, 3, 6, 7],
    ),
)
def test_what_was_cut_short_anywhere_is_made_whole(
    trial: Trial, how: str, step: str, again: list[str]
) -> None:
    (trial.home / how).write_text(step, encoding="utf-8")
    assert trial.install().code != 0
    assert not (trial.home / how).exists()
    trial.steps()
    outcome = trial.install()
    assert outcome.code == 0, outcome
    assert trial.steps() == again
    trial.assert_whole()


@pytest.mark.parametrize("how", ["cut", "fail"])
def test_an_extra_that_could_not_be_fetched_leaves_the_rest_usable(trial: Trial, how: str) -> None:
    assert trial.install().code == 0
    (trial.home / how).write_text("pip downloads", encoding="utf-8")
    outcome = trial.install("TRACK=mlflow")
    assert outcome.code != 0
    if how == "fail":
        assert outcome.errors.startswith("Error: pip could not install into .venv, ")
    trial.steps()
    trial.assert_whole()
    assert trial.install("TRACK=mlflow").code == 0
    assert trial.steps() == PIP


def test_an_extra_that_was_torn_makes_all_due_again(trial: Trial) -> None:
    assert trial.install().code == 0
    (trial.home / "cut").write_text("pip in the middle", encoding="utf-8")
    assert trial.install("TRACK=mlflow").code != 0
    shutil.rmtree(trial.venv / "lib/python3/site-packages/whole")
    trial.steps()
    outcome = trial.install()
    # What pip copies over what is there can't be told from what was there.
    assert outcome.code == 0
    assert trial.steps() == [*VENV, *PIP]


def test_other_versions_are_installed_when_they_are_asked_for(trial: Trial) -> None:
    assert trial.install().code == 0
    constraints = trial.checkout.folder / "constraints.txt"
    os.utime(constraints)
    trial.steps()
    trial.assert_whole()
    constraints.write_text(constraints.read_text("utf-8") + "six==1.17.0\n", encoding="utf-8")
    assert trial.install().code == 0
    assert trial.steps() == PIP
    assert trial.install("CONSTRAINTS=").code == 0
    commands = (trial.home / "commands").read_text("utf-8").splitlines()
    assert ["--constraint=constraints.txt" in command for command in commands] == [1, 1, 0]


# ---- another place, another interpreter ----------------------------------------------------------
def test_an_environment_that_was_moved_is_made_again(trial: Trial) -> None:
    assert trial.install().code == 0
    moved = Checkout(trial.checkout.folder.rename(trial.home / "moved"))
    trial.steps()
    outcome = moved.make("install", f"PYTHON={trial.python}", "VENV=.venv")
    assert outcome.output.startswith("Making .venv again, because it was moved, with ")
    assert trial.steps() == [*VENV, *PIP]


@pytest.mark.parametrize("link", [True, False])
def test_an_environment_without_its_interpreter_is_made_again(trial: Trial, link: bool) -> None:
    assert trial.install().code == 0
    (trial.venv / "bin/python").unlink()
    if link:
        (trial.venv / "bin/python").symlink_to(trial.home / "gone")
    trial.steps()
    outcome = trial.install()
    assert "again, because its interpreter is gone, with " in outcome.output
    assert trial.steps() == [*VENV, *PIP]
    trial.assert_whole()


def test_an_environment_without_pip_gets_it(trial: Trial) -> None:
    (trial.venv / "bin").mkdir(parents=True)
    (trial.venv / "pyvenv.cfg").touch()
    shutil.copy(trial.python, trial.venv / "bin/python")
    (trial.venv / "lib/python3/site-packages").mkdir(parents=True)
    outcome = trial.install()
    assert outcome.code == 0, outcome
    assert trial.steps() == ["ensurepip", *PIP]


def test_another_python_beside_the_one_that_is_there_is_told(trial: Trial) -> None:
    assert trial.install().code == 0
    note = trial.venv / ".installed"
    found = json.loads(note.read_text("utf-8"))
    inside = trial.venv / "bin/python"
    text = inside.read_text("utf-8").replace("  *) exec", '  *"%d.%d"*) echo 3.99 ;;\n  *) exec')
    inside.write_text(text.replace('case "$2 $3"', 'case "$*"'), encoding="utf-8")
    note.write_text(json.dumps(found | {"python": "3.99"}), encoding="utf-8")
    outcome = trial.install()
    assert outcome.code == 0
    assert outcome.output.startswith(".venv is of Python 3.99; remove it for one of Python 3.")


@pytest.mark.parametrize(
    "name", sampled(["my env", "e$(touch x)", "#;%'\"", "new/er/env", "a:b=c"], [1, 3])
)
def test_an_environment_of_any_name(trial: Trial, name: str) -> None:
    outcome = trial.install(f"VENV={name}")
    assert outcome.code == 0, outcome
    assert (trial.checkout.folder / name / "bin/python").exists()
    assert not (trial.checkout.folder / "x").exists()


def test_an_environment_on_another_disk_by_a_symbolic_link(trial: Trial) -> None:
    (trial.home / "disk").mkdir()
    trial.venv.symlink_to(trial.home / "disk")
    assert trial.install().code == 0
    (trial.home / "disk/bin/python").unlink()
    assert trial.install().code == 0
    assert trial.venv.is_symlink()
    trial.steps()
    trial.assert_whole()


# ---- what is somebody else's ---------------------------------------------------------------------
def test_a_folder_that_is_no_environment_stays_as_it_is(trial: Trial) -> None:
    trial.venv.mkdir()
    (trial.venv / "mine.txt").touch()
    outcome = trial.install()
    assert outcome.code == 2
    assert outcome.errors.startswith("Error: .venv: it holds no virtual environment; ")
    assert [path.name for path in trial.venv.iterdir()] == ["mine.txt"]


def test_an_environment_of_the_user_s_is_used_and_never_removed(trial: Trial) -> None:
    (trial.venv / "bin").mkdir(parents=True)
    (trial.venv / "pyvenv.cfg").touch()
    shutil.copy(trial.python, trial.venv / "bin/python")
    (trial.venv / "lib/python3/site-packages/pip").mkdir(parents=True)
    (trial.home / "cut").write_text("pip in the middle", encoding="utf-8")
    assert trial.install().code != 0
    trial.steps()
    outcome = trial.install()
    assert outcome.code == 2
    assert outcome.errors.startswith("Error: .venv: its installation was cut short; ")
    assert len(outcome.errors.splitlines()) == 2  # make's own is the other one
    assert trial.steps() == []
    assert (trial.venv / "pyvenv.cfg").exists()


def test_settings_of_pip_s_send_nothing_elsewhere(trial: Trial) -> None:
    given = {"PIP_USER": "1", "PIP_TARGET": "/t", "PIP_PREFIX": "/p", "PIP_NO_INDEX": "1"}
    assert trial.install(**given, PYTHONHOME="/h", PYTHONPATH="/q", PYTHONSAFEPATH="1").code == 0
    found = (trial.home / "environment").read_text("utf-8")
    assert re.findall(r"^(PIP_(?:USER|TARGET|PREFIX|NO_INDEX))=", found, re.M) == ["PIP_NO_INDEX"]
    assert not re.findall(r"^PYTHON(?:HOME|PATH|SAFEPATH)=", found, re.MULTILINE)
    assert " --no-user " in (trial.home / "commands").read_text("utf-8")


def test_packages_that_went_elsewhere_are_told(trial: Trial) -> None:
    (trial.home / "elsewhere").touch()
    outcome = trial.install()
    assert outcome.code == 2
    assert outcome.errors.startswith("Error: pip did not install into .venv: one of its settings")


# ---- one at a time -------------------------------------------------------------------------------
def test_two_that_find_no_environment_make_it_once(trial: Trial) -> None:
    (trial.home / "slow").touch()
    with ThreadPoolExecutor() as pool:
        outcomes = list(pool.map(lambda _: trial.install(), range(2)))
    assert [outcome.code for outcome in outcomes] == [0, 0], outcomes
    waited = "Another make installs into .venv; waiting for it to finish."
    assert sum(waited in outcome.output for outcome in outcomes) == 1
    assert trial.steps() == [*VENV, *PIP]


def test_a_place_that_can_t_be_written_is_told_in_a_line(trial: Trial) -> None:
    outcome = trial.install("VENV=Makefile/env")
    assert outcome.code == 2
    assert outcome.errors.startswith("Error: Makefile: File exists\n")
