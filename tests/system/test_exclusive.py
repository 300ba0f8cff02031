"""One installation at a time, however many begin."""

import shutil
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.make_case import copy_code
from tests.practice_case import REPOSITORY, environment

# Instead of an interpreter: it only notes when it makes an environment, or installs into one.
STAND_IN = """#!/bin/sh
case "$2" in
  venv) echo "venv begins" >>{log}; sleep 1; mkdir -p "$3/bin"; cp "$0" "$3/bin/python"
        echo "venv ends" >>{log} ;;
  pip)  echo "pip begins" >>{log}; sleep 0.5; echo "pip ends" >>{log} ;;
  *)    exec {python} "$@" ;;
esac
"""
HOLDING = 'import sys; print("here", flush=True); sys.stdin.read()'


def start(folder: Path, *command: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "pipeline.system.exclusive", str(folder), *command],
        env=environment(PYTHONPATH=str(REPOSITORY)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def first_line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def test_the_second_waits_for_the_first_and_says_so(tmp_path: Path) -> None:
    venv = tmp_path / "ven v"
    with start(venv, sys.executable, "-c", HOLDING) as first:
        assert first_line(first) == "here\n"
        with start(venv, sys.executable, "-c", "print('in')") as second:
            told = f"Another make installs into {venv}; waiting for it to finish.\n"
            assert first_line(second) == told
            assert second.poll() is None
            first.communicate(timeout=60)
            assert second.communicate(timeout=60)[0] == "in\n"
    assert (first.returncode, second.returncode) == (0, 0)


def test_one_that_is_killed_is_not_waited_for(tmp_path: Path) -> None:
    with start(tmp_path / "venv", sys.executable, "-c", HOLDING) as first:
        assert first_line(first) == "here\n"
        first.send_signal(signal.SIGKILL)
        first.wait(timeout=60)
        with start(tmp_path / "venv", sys.executable, "-c", "print('in')") as second:
            assert second.communicate(timeout=60)[0] == "in\n"


def test_exit_codes_and_failures_are_passed_on(tmp_path: Path) -> None:
    with start(tmp_path / "venv", sys.executable, "-c", "raise SystemExit(7)") as command:
        assert command.wait(timeout=60) == 7
    with start(tmp_path / "none" / "venv", "true") as command:
        said = command.communicate(timeout=60)[0]
    assert said == f"Error: {tmp_path}/none/venv.lock: No such file or directory\n"
    assert command.returncode == 1


@pytest.mark.skipif(shutil.which("make") is None, reason="there is no make")
def test_two_that_find_no_environment_make_it_one_after_the_other(tmp_path: Path) -> None:
    checkout, log = copy_code(tmp_path / "checkout"), tmp_path / "log"
    python = tmp_path / "python"
    python.write_text(STAND_IN.format(log=log, python=sys.executable), encoding="utf-8")
    python.chmod(0o755)
    with ThreadPoolExecutor() as pool:
        outcomes = list(
            pool.map(lambda _: checkout.make("install", f"PYTHON={python}", "VENV=.venv"), range(2))
        )
    assert [outcome.code for outcome in outcomes] == [0, 0], outcomes
    assert sum("waiting for it to finish" in outcome.output for outcome in outcomes) >= 1
    notes = log.read_text(encoding="utf-8").splitlines()
    assert notes == ["venv begins", "venv ends", *["pip begins", "pip ends"] * 2]
