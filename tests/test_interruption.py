"""A training that is ended, or killed at a write, goes on to the same bits and leaves no litter.

tests/stress/killed.py kills whole processes of all stages, at random instants.
"""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from pipeline.nn import team
from pipeline.plan.plan import Plan
from pipeline.plan.workspace import RunFolder, Workspace
from pipeline.stages.train import train
from pipeline.system.cores import available_cores
from pipeline.training.fitting import History
from tests.practice_case import (
    REPOSITORY,
    arrays_of,
    assert_same_model,
    command,
    copy_practice,
    environment,
    plan_of,
    temporaries,
)

TERMINATED = "\nTerminated. The same command goes on from here.\n"
TINY = """
description = "What trains in no time"
split = { hold_out = 0.9, refit = true }
network = { layers = [{ kind = "flatten" }, { kind = "dense", units = 10 }] }
optimizer = { kind = "adamw", learning_rate = 0.01 }
training = { epochs = 2, batch_size = "all", average_decay = 0.9 }
"""
EPOCHS = 12
OVERRIDES = f"training.epochs={EPOCHS}"


@pytest.fixture(scope="module")
def undisturbed(practice_workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Plan:
    """A training to its end, to compare with."""
    workspace = copy_practice(practice_workspace, tmp_path_factory.mktemp("undisturbed"))
    plan = plan_of(workspace, overrides=OVERRIDES)
    train(plan)
    return plan


@pytest.fixture
def workspace(practice_workspace: Workspace, tmp_path: Path) -> Workspace:
    return copy_practice(practice_workspace, tmp_path)


def _listen() -> None:
    """A shell lets what it starts in the background ignore Ctrl-C, nohup a closed terminal."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


class Process:
    """``python -m pipeline train`` under way."""

    def __init__(self, workspace: Workspace) -> None:
        self.process = subprocess.Popen(
            command(
                *("train", "--source", "practice", "--recipe", "smoke", "--set", OVERRIDES),
                *("--data", workspace.data, "--submissions", workspace.submissions),
            ),
            cwd=REPOSITORY,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=_listen,  # noqa: PLW1509
        )
        self.lines: list[str] = []

    def read_until_epochs(self, count: int) -> None:
        """Read the headline, and on until so many more epochs are told of."""
        assert self.process.stdout
        count += 1
        while count:
            line = self.process.stdout.readline()
            assert line, "it ended before it could be interrupted"
            self.lines.append(line)
            count -= line.startswith(("train:", "  epoch"))

    def end(self, number: signal.Signals | None = None) -> tuple[int, str]:
        """Send a signal, or none; return the exit code and what is on standard error."""
        if number is not None:
            self.process.send_signal(number)
        out, err = self.process.communicate(timeout=60)
        self.lines += out.splitlines()
        return self.process.returncode, err


def run_of(undisturbed: Plan, workspace: Workspace) -> RunFolder:
    return workspace.run(undisturbed.run)


def finish(workspace: Workspace, undisturbed: Plan) -> None:
    """Run the same command to its end; then all must be as if nothing had happened."""
    assert Process(workspace).end() == (0, "")
    run = run_of(undisturbed, workspace)
    assert_same_model(undisturbed.workspace.run(undisturbed.run), run)
    assert not run.checkpoint.exists()
    assert len(run.history.read_text(encoding="utf-8").splitlines()) == 1 + EPOCHS
    assert temporaries(workspace.data) == []


def test_ended_from_the_keyboard_and_from_outside(workspace: Workspace, undisturbed: Plan) -> None:
    process = Process(workspace)
    process.read_until_epochs(2)
    code, err = process.end(signal.SIGINT)
    assert code == 130
    assert err.strip() == "Interrupted. The same command goes on from here."
    assert temporaries(workspace.data) == []
    process = Process(workspace)
    process.read_until_epochs(1)
    assert any("going on after epoch" in line for line in process.lines)
    assert process.end(signal.SIGTERM) == (-signal.SIGTERM, TERMINATED)
    assert temporaries(workspace.data) == []
    process = Process(workspace)
    process.read_until_epochs(1)
    assert process.end(signal.SIGHUP) == (-signal.SIGHUP, TERMINATED)
    finish(workspace, undisturbed)


@pytest.fixture
def _all_cores() -> Iterator[None]:
    """Of which one of several test processes has a share only."""
    if not team.PROCESSES:
        pytest.skip("the workers are threads on this system")
    share = os.sched_getaffinity(0)
    os.sched_setaffinity(0, range(os.cpu_count() or 1))
    try:
        if available_cores() < 2:
            pytest.skip("one core has no workers")
        yield
    finally:
        os.sched_setaffinity(0, share)


@pytest.mark.usefixtures("_all_cores")
@pytest.mark.parametrize("number", [0, 1], ids=["of the training", "of the predictor"])
def test_a_worker_that_is_killed_while_it_is_idle_is_told(
    workspace: Workspace, undisturbed: Plan, number: int
) -> None:
    process = Process(workspace)
    process.read_until_epochs(2)
    caller = process.process.pid
    os.kill(caller, signal.SIGSTOP)
    children = Path(f"/proc/{caller}/task/{caller}/children").read_text(encoding="utf-8").split()
    assert len(children) == 2
    worker = int(children[number])
    before: list[str] = []
    while (now := _activity(worker)) != before:  # until it has answered and waits
        before = now
        time.sleep(0.3)
    os.kill(worker, signal.SIGKILL)
    while _activity(worker)[0] != "Z":
        time.sleep(0.02)
    code, err = process.end(signal.SIGCONT)
    assert (code, err.splitlines()[0]) == (1, "Error: There is not enough memory for this")
    finish(workspace, undisturbed)


def _activity(process: int) -> list[str]:
    """Its state, and how long it has computed."""
    line = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return [line[0], *line[11:13]]


class Killed(BaseException):
    """Stands for the end of the process."""


class KillingReplace:
    """Path.replace, with which every writer ends; kills before or after the given call of it."""

    def __init__(self, *, before: int = 0, after: int = 0) -> None:
        self.before, self.after = before, after
        self.calls = 0
        self._replace = Path.replace

    def __call__(self, path: Path, target: Path) -> None:
        self.calls += 1
        if self.calls == self.before:
            raise Killed
        self._replace(path, target)
        if self.calls == self.after:
            raise Killed


def losses(run: RunFolder) -> list[float]:
    return History.read(run.history).column("training_loss")


def train_with(replace: KillingReplace, plan: Plan) -> None:
    """Train from nothing, with another Path.replace."""
    shutil.rmtree(plan.workspace.run(plan.run).folder.parent, ignore_errors=True)
    shutil.rmtree(plan.workspace.processed("practice").folds, ignore_errors=True)
    with pytest.MonkeyPatch.context() as patch:
        # A function, because Python binds only those to the path.
        patch.setattr(Path, "replace", lambda path, target: replace(path, target))  # noqa: PLW0108
        train(plan)


def test_killed_before_and_after_every_write(workspace: Workspace, tmp_path: Path) -> None:
    """At the instants that no chance would find."""
    recipe = tmp_path / "tiny.toml"
    recipe.write_text(TINY, encoding="utf-8")
    plan = plan_of(workspace, recipe=str(recipe))
    run = workspace.run(plan.run)
    counting = KillingReplace()
    train_with(counting, plan)
    reference = RunFolder(shutil.copytree(run.folder, tmp_path / "reference"))
    # The split, the request, the resolved recipe, 2 checkpoints and histories, the model, the
    # second network's 2 checkpoints and model, the record.
    assert counting.calls == 12
    # Before each; that is also after the one before it, so that only the last is tried both ways.
    kills = [KillingReplace(before=call + 1) for call in range(counting.calls)]
    for killing in (*kills, KillingReplace(after=counting.calls)):
        with pytest.raises(Killed):
            train_with(killing, plan)
        result = train(plan)
        assert result.unchanged == bool(killing.after)
        assert_same_model(reference, run)
        assert losses(run) == losses(reference)
        expected, found = arrays_of(reference.refit), arrays_of(run.refit)
        assert np.array_equal(found["array.vector"], expected["array.vector"])
        names = {path.name for path in run.folder.iterdir()}
        assert names == {path.name for path in reference.folder.iterdir()}


def test_two_commands_at_once_train_once(workspace: Workspace, undisturbed: Plan) -> None:
    first = Process(workspace)
    first.read_until_epochs(1)
    first.process.send_signal(signal.SIGSTOP)  # until the others wait for it
    impatient, second = Process(workspace), Process(workspace)
    for waiting in (impatient, second):
        assert waiting.process.stdout
        said = waiting.process.stdout.readline()
        assert said.startswith(f"  digits train (process {first.process.pid}, since ")
    assert impatient.end(signal.SIGINT)[0] == 130
    first.process.send_signal(signal.SIGCONT)
    assert first.end() == (0, "")
    assert second.end() == (0, "")
    assert any("up to date" in line for line in second.lines)
    assert_same_model(undisturbed.workspace.run(undisturbed.run), run_of(undisturbed, workspace))
