"""The command with a cluster of its own: killed workers, signals, and nothing that stays behind."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.plan.workspace import Workspace
from pipeline.stages.train import train
from tests.practice_case import (
    REPOSITORY,
    copy_practice,
    environment,
    plan_of,
    temporaries,
)
from tests.training.executors.dask_case import children_of, kill_worker, wait_until

EPOCHS = 150  # enough for none of the commands to be done before its signal
# The command, except that a part of its training takes a moment only.
QUICKLY = """
from pipeline.__main__ import main
from pipeline.training.executors import dask_executor
dask_executor.PACE = dask_executor.Pace(0.5, 0)
main()
"""
SETTINGS = f"training.epochs={EPOCHS} split.hold_out=2700"


class Command:
    """The command train with the executor dask, as a terminal runs it."""

    def __init__(self, workspace: Workspace, temporary: Path) -> None:
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-c", QUICKLY),
                *("train", "--source", "practice", "--recipe", "smoke", "--set", SETTINGS),
                *("--data", workspace.data, "--submissions", workspace.submissions),
                *("--executor", "dask"),
            ],
            cwd=REPOSITORY,
            env=environment(TMPDIR=str(temporary)),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
        )

    def read_until(self, pattern: str) -> str:
        """Read on to a line; return what the pattern's group is there."""
        assert self.process.stdout
        for line in self.process.stdout:
            if found := re.search(pattern, line):
                return found[1]
        raise AssertionError(f"it ended without {pattern}: {self.process.communicate()[1]}")

    def end_by(self, send: Callable[[int, int], None], number: signal.Signals) -> tuple[int, str]:
        """Send a signal; return exit code and standard error when all of its processes are gone."""
        below = children_of(self.process.pid)
        assert below
        send(self.process.pid, number)
        errors = self.process.communicate(timeout=60)[1]
        wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in below), "all are gone")
        return self.process.returncode, errors.strip()


@pytest.mark.stress
def test_killed_workers_and_signals(practice_workspace: Workspace, tmp_path: Path) -> None:
    workspace = copy_practice(practice_workspace, tmp_path / "dask")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    plan = plan_of(workspace, overrides=SETTINGS)
    run = workspace.run(plan.run)

    first = Command(workspace, temporary)
    port = first.read_until(r": on 127\.0\.0\.1:(\d+) ")
    first.read_until(r": epoch (2)/")
    kill_worker(first.process.pid, port)  # dask starts another one in its place
    done = int(first.read_until(r"going on after epoch (\d+)"))
    assert done >= 2
    assert int(first.read_until(r": epoch (\d+)/")) == done + 1

    # Ctrl-C reaches the workers as well.
    interrupted = (130, "Interrupted. The same command goes on from here.")
    assert first.end_by(os.killpg, signal.SIGINT) == interrupted
    assert list(temporary.iterdir()) == []
    assert temporaries(workspace.data) == []
    assert run.checkpoint.exists()

    second = Command(workspace, temporary)
    assert int(second.read_until(r"going on after epoch (\d+)")) > done
    terminated = (-signal.SIGTERM, "Terminated. The same command goes on from here.")
    assert second.end_by(os.kill, signal.SIGTERM) == terminated
    assert list(temporary.iterdir()) == []
    assert temporaries(workspace.data) == []

    third = Command(workspace, temporary)
    assert int(third.read_until(r"going on after epoch (\d+)")) > done
    assert (third.process.communicate(timeout=60)[1], third.process.returncode) == ("", 0)
    assert list(temporary.iterdir()) == []
    assert not run.checkpoint.exists()
    serial = plan_of(copy_practice(practice_workspace, tmp_path / "serial"), overrides=SETTINGS)
    train(serial)
    expected = serial.workspace.run(serial.run)
    assert run.model.read_bytes() == expected.model.read_bytes()
    assert len(run.history.read_text(encoding="utf-8").splitlines()) == 1 + EPOCHS
