"""Runs that are trained at once end as one after another, however they are disturbed."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.nn import EpochResult
from pipeline.plan.members import members_of
from pipeline.plan.plan import Plan
from pipeline.plan.seed_plans import seed_plans
from pipeline.plan.workspace import Workspace
from pipeline.stages.train import train, train_together
from pipeline.system.cores import available_cores
from pipeline.system.errors import PipelineError
from pipeline.system.reporter import TrainStart, reporter
from pipeline.training.executors import executor as executors
from pipeline.training.executors import side_by_side
from pipeline.training.executors.executor import Executor
from pipeline.training.executors.own_process import Caller, OwnProcess
from pipeline.training.executors.side_by_side import count_places, find_due
from pipeline.training.network_run import Trained
from tests.listeners import Lines, heard, heard_by
from tests.practice_case import (
    REPOSITORY,
    assert_same_run,
    copy_practice,
    environment,
    plan_of,
    temporaries,
)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="one after another elsewhere")

# Few digits to learn from, and batches that four cores can share.
TINY = """
description = "What trains in no time"
split = { hold_out = 0.9, refit = true }
network = { layers = [{ kind = "flatten" }, { kind = "dense", units = 10 }] }
optimizer = { kind = "adamw", learning_rate = 0.01 }
training = { epochs = 3, batch_size = 64, shards = 4 }
"""
ENSEMBLE = """
description = "Two of the tiny ones"
[ensemble]
members = [{ recipe = "tiny.toml", seed = 5 }, { recipe = "tiny.toml", seed = 6 }]
"""
MANY_EPOCHS = "training.epochs=60 split.refit=false"
CORES = 6
# A machine with more cores than it has, and the command that follows.
ON_MANY_CORES = f"""
import sys
from pipeline.training.executors import executor
executor.available_cores = lambda: {CORES}
from pipeline.__main__ import main
sys.argv = ["pipeline/__main__.py", *sys.argv[1:]]
main()
"""


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recipes")
    (folder / "pair.toml").write_text(ENSEMBLE, encoding="utf-8")
    (folder / "tiny.toml").write_text(TINY, encoding="utf-8")
    return folder / "tiny.toml"


@pytest.fixture
def workspace(practice_workspace: Workspace, tmp_path: Path) -> Workspace:
    return copy_practice(practice_workspace, tmp_path)


@pytest.fixture
def _many_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executors, "available_cores", lambda: CORES)


@pytest.fixture
def plans(workspace: Workspace, recipe: Path) -> tuple[Plan, ...]:
    """Three seeds."""
    return seed_plans(plan_of(workspace, recipe=str(recipe)), (0, 1, 2))


def train_in_turn(plans: tuple[Plan, ...], practice: Workspace, folder: Path) -> Workspace:
    """Train these plans' runs one after another, in a workspace of their own."""
    workspace = copy_practice(practice, folder)
    for plan in plans:
        own = {"recipe": str(plan.recipe), "seed": plan.seed, "folds": plan.folds}
        train(plan_of(workspace, **own, overrides=" ".join(plan.overrides)))
    return workspace


@pytest.mark.usefixtures("_many_cores")
def test_seeds_folds_and_members_end_as_one_after_another(
    plans: tuple[Plan, ...],
    recipe: Path,
    practice_workspace: Workspace,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    workspace = plans[0].workspace
    plans = plans[:2]
    folds = plan_of(workspace, recipe=str(recipe), folds=2)
    pair = plan_of(workspace, recipe=str(recipe.with_name("pair.toml")))
    several = [plans, members_of(folds), members_of(pair)]
    processes: list[str] = []

    def begin(name: str, *given: Any) -> OwnProcess:
        processes.append(name)
        return OwnProcess(name, *given)

    monkeypatch.setattr(side_by_side, "OwnProcess", begin)
    with heard() as lines:
        train_together(plans)
        assert not train(folds).unchanged
        assert not train(pair).unchanged
        begun = [line for line in lines if " of " in line]
    names = [[plan.run for plan in some] for some in several]
    assert processes == [name for some in names for name in some]
    assert begun == [
        f"{each} {number} of {len(some)}: {name}"
        for each, some in zip(("seed", "member", "member"), names, strict=True)
        for number, name in enumerate(some, start=1)
    ]
    monkeypatch.undo()
    serial = train_in_turn((*plans, folds, pair), practice_workspace, tmp_path / "serial")
    for plan in (*plans, *several[1], *several[2], folds, pair):
        assert_same_run(plan, serial)
    assert temporaries(workspace.data) == []


@pytest.mark.usefixtures("_many_cores")
def test_what_is_trained_already_is_told_and_left(
    plans: tuple[Plan, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    train(plans[1])
    kept = plans[1].workspace.run(plans[1].run).training.read_bytes()
    with heard() as lines:
        trained = Executor().train(plans, each="seed", force=False)
    assert [one.unchanged for one in trained] == [False, True, False]
    assert lines[:2] == [f"seed 2 of 3: {plans[1].run}", "is trained already"]
    assert plans[1].workspace.run(plans[1].run).training.read_bytes() == kept
    monkeypatch.setattr(side_by_side, "OwnProcess", None)
    assert all(one.unchanged for one in Executor().train(plans, each="seed", force=False))


def test_more_cores_in_mid_training_change_no_bit(
    plans: tuple[Plan, ...],
    practice_workspace: Workspace,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each is given another one after each of its first epochs."""

    def richer(caller: Caller, result: Any) -> None:
        caller.cores = min(caller.cores + 1, 4)
        caller._connection.send(("epoch", result))

    monkeypatch.setattr(Caller, "epoch", richer)
    monkeypatch.setattr(executors, "available_cores", lambda: 4)
    told: list[str] = []
    heard_by(told.append, Executor().train, plans[:2], each="seed", force=False)
    assert told.count("goes on with 3 cores") == 2
    assert told.count("goes on with 4 cores") == 2
    serial = train_in_turn(plans[:2], practice_workspace, tmp_path / "serial")
    for plan in plans[:2]:
        assert_same_run(plan, serial)


@pytest.mark.parametrize(
    ("given", "megabytes", "places"),
    [
        ((8, 2, 2), 9000, 1),
        ((8, 3, 2), 9000, 1),
        ((8, 8, 2), 9000, 4),
        ((8, 8, 8), 9000, 4),
        ((8, 8, 1), 9000, 8),
        ((3, 16, 8), 9000, 3),
        ((1, 16, 8), 9000, 1),
        ((0, 16, 8), 9000, 1),
        ((8, 8, 2), 650, 3),
        ((8, 8, 2), 300, 1),
        ((8, 8, 2), 0, 1),
        ((8, 8, 8), 650, 2),  # the fewer there are, the more workers each has
    ],
)
def test_as_many_at_once_as_cores_and_memory_allow(
    plans: tuple[Plan, ...],
    monkeypatch: pytest.MonkeyPatch,
    given: tuple[int, int, int],
    megabytes: int,
    places: int,
) -> None:
    """Given runs, cores and shards, where a training takes 100 MB, and 50 MB for each worker."""
    runs, cores, shards = given
    monkeypatch.setattr(
        side_by_side, "memory_of", lambda *_, workers: 100_000_000 + 50_000_000 * workers
    )
    overrides = f"training.shards={shards}"
    plan = plan_of(plans[0].workspace, recipe=str(plans[0].recipe), overrides=overrides)
    found = find_due([plan], force=True) * runs
    assert count_places(found, cores, megabytes * 1_000_000) == places


class Fake:
    """Instead of a training: what each run does, by its seed, in whichever process it is."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *work: Callable[[], Any]) -> None:
        self._work = work
        monkeypatch.setattr(side_by_side, "train_network", self)
        monkeypatch.setattr(executors, "train_network", self)
        monkeypatch.setattr(executors, "available_cores", lambda: CORES)

    def __call__(self, plan: Plan, **_: Any) -> Trained:
        reporter().start(TrainStart(plan.run, "fake", 1, 2, 0, 1, 1, available_cores()))
        return Trained({"did": self._work[plan.seed or 0]()}, unchanged=False)


def wait_for_ever() -> None:
    while True:
        time.sleep(1)


def test_with_little_memory_they_are_trained_in_turn(
    plans: tuple[Plan, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    Fake(monkeypatch, os.getpid, os.getpid, os.getpid)
    alone = [one.record["did"] for one in Executor().train(plans, each="seed", force=True)]
    assert os.getpid() not in alone
    assert len(set(alone)) == 3
    monkeypatch.setattr(executors, "available_memory", lambda: 100_000_000)
    found = [one.record["did"] for one in Executor().train(plans, each="seed", force=True)]
    assert found == 3 * [os.getpid()]


def test_cores_are_shared_and_go_to_who_is_left(
    plans: tuple[Plan, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two at once on six cores: three each; the third gets its three, and four in the end."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(CORES)))
    monkeypatch.setattr(side_by_side, "memory_of", lambda *_, workers: 10 + 10 * workers)
    monkeypatch.setattr(executors, "available_memory", lambda: 85)
    begun: list[tuple[str, int]] = []

    class Starts(Lines):
        def start(self, start: TrainStart) -> None:
            begun.append((start.run, start.workers))

    def until_there_are_four() -> int:
        while available_cores() < 4:
            reporter().epoch(EpochResult(1, 0.5, 0.4, 0.9, 0.01, 100.0, 1.0))
            time.sleep(0.01)
        return available_cores()

    Fake(monkeypatch, int, lambda: time.sleep(0.2), until_there_are_four)
    trained = heard_by(Starts(str), Executor().train, plans, each="seed", force=True)
    assert begun == [(plan.run, 3) for plan in plans]
    assert trained[2].record["did"] == 4


@pytest.mark.parametrize(
    "error", [PipelineError("It diverged", remedy="Mend it."), ValueError("odd"), MemoryError()]
)
def test_what_fails_ends_all(
    plans: tuple[Plan, ...], monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail() -> None:
        raise error

    Fake(monkeypatch, wait_for_ever, fail, wait_for_ever)
    with pytest.raises(type(error)) as caught:
        Executor().train(plans, each="seed", force=True)
    assert str(caught.value) == str(error)
    assert "in fail" in caught.value.__notes__[0], "where it was, for whoever wants to see it"
    assert multiprocessing.active_children() == []


def test_an_error_that_cannot_be_sent_is_named(
    plans: tuple[Plan, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Local(Exception):  # noqa: N818
        pass

    def fail() -> None:
        raise Local("odd")

    Fake(monkeypatch, fail, wait_for_ever, wait_for_ever)
    with pytest.raises(RuntimeError, match="odd"):
        Executor().train(plans, each="seed", force=True)


def test_a_killed_process_is_told_in_a_line(
    plans: tuple[Plan, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    Fake(monkeypatch, wait_for_ever, lambda: os.kill(os.getpid(), signal.SIGKILL), wait_for_ever)
    with pytest.raises(PipelineError) as caught:
        Executor().train(plans, each="seed", force=True)
    message, remedy = str(caught.value).split("\n")
    assert message == f"The process that trained {plans[1].run} was ended by signal 9"
    assert remedy.endswith("The same command goes on from the last checkpoints.")
    assert multiprocessing.active_children() == []


def begin_command(workspace: Workspace, recipe: Path) -> "subprocess.Popen[str]":
    """Train two seeds of many epochs at once, until both have checkpoints."""
    process = subprocess.Popen(
        [
            *(sys.executable, "-c", ON_MANY_CORES, "seeds", "--seeds", "2", "--source", "practice"),
            *("--recipe", str(recipe), "--set", MANY_EPOCHS, "--data", str(workspace.data)),
            *("--submissions", str(workspace.submissions)),
        ],
        cwd=REPOSITORY,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    )
    assert process.stdout
    evaluated: set[str] = set()
    while len(evaluated) < 2:
        line = process.stdout.readline()
        assert line, "it ended before it could be interrupted"
        if ": epoch " in line:
            evaluated.add(line.partition(":")[0])
    return process


def test_interrupted_terminated_and_killed_it_goes_on(
    workspace: Workspace, recipe: Path, practice_workspace: Workspace, tmp_path: Path
) -> None:
    plans = seed_plans(plan_of(workspace, recipe=str(recipe), overrides=MANY_EPOCHS), (0, 1))
    for number, said in ((signal.SIGINT, "Interrupted."), (signal.SIGTERM, "Terminated.")):
        process = begin_command(workspace, recipe)
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
        assert err.strip() == f"{said} The same command goes on from here.", out
        assert temporaries(workspace.data) == []
        assert all(workspace.run(plan.run).checkpoint.exists() for plan in plans)
    process = begin_command(workspace, recipe)
    # It ends when those who have its output do: the trainings with it.
    process.kill()
    out, err = process.communicate(timeout=60)
    assert err == ""
    told: list[str] = []
    heard_by(told.append, train_together, plans)
    assert len(told) == 2
    serial = train_in_turn(plans, practice_workspace, tmp_path / "serial")
    for plan in plans:
        assert_same_run(plan, serial)
    assert temporaries(workspace.data) == []
