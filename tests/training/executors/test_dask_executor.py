"""Runs that workers of a cluster train end with the bits of those trained here."""

import re
import shutil
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import distributed
import pytest

import pipeline
from pipeline.plan.members import members_of
from pipeline.plan.workspace import Workspace
from pipeline.stages.train import train
from pipeline.system.errors import PipelineError
from pipeline.system.reporter import Epoch, Reporter, TrainStart, listening
from pipeline.training.executors import Executor, dask_executor, make_executor
from pipeline.training.executors.dask_executor import _Round, layout
from pipeline.training.executors.dask_job import Job
from pipeline.training.executors.dask_worker import Pace
from tests.practice_case import (
    assert_same_run,
    blank_half,
    copy_practice,
    plan_of,
    temporaries,
)
from tests.training.executors.dask_case import SECONDS, Cluster

# Few digits to learn from, and two networks of so many epochs.
EPOCHS = 12
LONG = f"training.epochs={EPOCHS} split.hold_out=2600 split.refit=true"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with Cluster(tmp_path_factory.mktemp("cluster") / "dask") as started:
        started.add_worker()
        started.add_worker()
        yield started


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with Cluster(tmp_path_factory.mktemp("scheduler") / "dask") as started:
        yield started


@pytest.fixture
def lonely(scheduler: Cluster) -> Iterator[Cluster]:
    """A scheduler without workers; those that a test adds are its own."""
    yield scheduler
    scheduler.dismiss_workers()


@pytest.fixture(scope="module")
def serial(practice_workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The runs as they are trained here."""
    workspace = copy_practice(practice_workspace, tmp_path_factory.mktemp("serial"))
    for given in ({"folds": 3}, {"overrides": LONG}):
        train(plan_of(workspace, **given))
    return workspace


@pytest.fixture
def workspace(practice_workspace: Workspace, tmp_path: Path) -> Workspace:
    return copy_practice(practice_workspace, tmp_path)


@pytest.fixture(autouse=True)
def _quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask_executor, "ASK_SECONDS", 0.05)
    monkeypatch.setattr(dask_executor, "PACE", Pace(0, 0))  # each epoch is a part


@pytest.fixture
def executor(cluster: Cluster) -> Executor:
    return make_executor(None, cluster.address)


class Heard(Reporter):
    """Notes all lines, which runs it is told of, and their last epochs.

    on_line: called with each line.
    """

    def __init__(self, on_line: Callable[[str], object] = str) -> None:
        self.lines: list[str] = []
        self.told: list[tuple[str, int]] = []
        self._on_line = on_line
        self._run = ""

    def line(self, text: str) -> None:
        self.lines.append(text)
        self._on_line(text)

    def start(self, start: TrainStart) -> None:
        self._run = start.run

    def epoch(self, result: Epoch) -> None:
        self.told.append((self._run, result.epoch))

    def epochs(self) -> list[int]:
        """Those that lines tell of."""
        found = [re.search(r": epoch (\d+)/", line) for line in self.lines]
        return [int(epoch[1]) for epoch in found if epoch]


def test_folds_end_with_the_same_bits(
    executor: Executor, workspace: Workspace, serial: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: Counter[str] = Counter()
    order = Job.order

    def counted(job: Job, worker: str, cores: int, digits: str, content: Any, *rest: Any) -> Any:
        sent[worker] += bool(content)
        return order(job, worker, cores, digits, content, *rest)

    monkeypatch.setattr(Job, "order", counted)
    plan = plan_of(workspace, folds=3)
    heard = Heard()
    with listening(heard):
        assert not train(plan, executor=executor).unchanged
    assert sorted(heard.told) == [(member.run, 3) for member in members_of(plan)]
    for member in members_of(plan):
        assert_same_run(member, serial)
        assert sum(line.startswith(f"{member.run}: epoch ") for line in heard.lines) == 3
    assert sorted(sent.values()) == [1, 1], "each worker is sent the digits once"
    assert temporaries(workspace.data) == []
    assert train(plan, executor=executor).unchanged
    # Other runs, another client: the workers have the digits.
    sent.clear()
    train(plan_of(workspace, seed=1), executor=executor)
    assert list(sent.values()) == [0]


def test_blank_digits_are_sent_again_by_who_has_them_whole(
    executor: Executor, cluster: Cluster, workspace: Workspace, serial: Workspace
) -> None:
    train(plan_of(workspace, seed=2), executor=executor)
    kept = list(cluster.folder.rglob("train_images.npy"))
    assert kept
    for path in kept:
        blank_half(path)
    plan = plan_of(workspace, folds=3)
    train(plan, executor=executor)
    for member in members_of(plan):
        assert_same_run(member, serial)
    blank = workspace.processed("practice").train_images
    blank_half(blank)
    with pytest.raises(PipelineError) as caught:
        train(plan_of(workspace, seed=3), executor=executor)
    assert str(caught.value) == f"{blank} is not what preprocess wrote\nRun: make preprocess"


@pytest.mark.stress
def test_a_killed_worker_costs_no_epoch_that_came_home(
    lonely: Cluster, workspace: Workspace, serial: Workspace
) -> None:
    workers = [lonely.add_worker()]

    def kill(line: str) -> None:
        if ": epoch 5/" in line and len(workers) == 1:
            workers[0].kill()
            workers.append(lonely.add_worker())

    plan = plan_of(workspace, overrides=LONG)
    heard = Heard(kill)
    with listening(heard):
        train(plan, executor=make_executor("dask", lonely.address))
    assert_same_run(plan, serial)
    assert any("lost its worker" in line for line in heard.lines)
    assert f"{plan.run}: going on after epoch 5" in heard.lines
    assert heard.epochs() == [*range(1, EPOCHS + 1)] * 2  # the second network's, too
    assert sum("again on all digits" in line for line in heard.lines) == 1


@pytest.fixture
def _interruptible() -> Iterator[None]:
    """A shell lets what it starts in the background ignore Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.stress
@pytest.mark.usefixtures("_interruptible")
def test_an_interrupted_client_goes_on(
    executor: Executor, workspace: Workspace, serial: Workspace
) -> None:
    plan = plan_of(workspace, overrides=LONG)

    def interrupt(line: str) -> None:
        # As early as there is a checkpoint, so that training is not over yet.
        if ": epoch 2/" in line:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt), listening(Heard(interrupt)):
        train(plan, executor=executor)
    assert plan.workspace.run(plan.run).checkpoint.exists()
    heard = Heard()
    with listening(heard):
        train(plan, executor=executor)
    assert "going on after epoch" in heard.lines[1]
    assert_same_run(plan, serial)


def test_what_fails_on_a_worker_is_said_as_here(executor: Executor, workspace: Workspace) -> None:
    plan = plan_of(workspace, overrides="optimizer.learning_rate=1e38")
    with pytest.raises(PipelineError, match="diverged") as there:
        train(plan, executor=executor)
    with pytest.raises(PipelineError) as here:
        train(plan)
    assert str(there.value) == str(here.value)
    assert not plan.workspace.run(plan.run).checkpoint.exists()


def test_a_run_that_ends_its_workers_is_given_up(
    executor: Executor, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    workers = iter("abcd")

    def send(self: _Round, job: Job, worker: str, cores: int) -> None:
        job.worker = worker
        self._running[worker] = job, SimpleNamespace(done=lambda: False)

    monkeypatch.setattr(_Round, "_ask_for_workers", lambda _: {next(workers): 1})
    monkeypatch.setattr(_Round, "_send", send)
    heard = Heard()
    with (
        listening(heard),
        pytest.raises(PipelineError, match="ended its worker 3 times, the last time c"),
    ):
        train(plan_of(workspace), executor=executor)
    assert len(heard.lines) == 2


# ---- clusters that cannot be worked with ---------------------------------------------------------
def other_code(folder: Path) -> Path:
    shutil.copytree(Path(pipeline.__file__).parent, folder / "pipeline")
    with (folder / "pipeline" / "nn" / "layers.py").open("a", encoding="utf-8") as stream:
        stream.write("# other code\n")
    return folder


def test_other_code_is_refused(lonely: Cluster, workspace: Workspace, tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    bare.mkdir()
    (bare / "pipeline.py").touch()
    for code, text in (
        (other_code(tmp_path / "other"), "has this package's code"),
        (bare, "cannot work: .*No module named 'pipeline.training'"),
    ):
        lonely.add_worker(code=code)
        plan = plan_of(workspace)
        with pytest.raises(PipelineError, match=rf"worker 127.0.0.1:\d+ {text}"):
            train(plan, executor=make_executor("dask", lonely.address))
        assert not plan.workspace.run(plan.run).checkpoint.exists()
        lonely.dismiss_workers()


@pytest.mark.stress
def test_a_worker_with_other_code_that_comes_later_gets_no_work(
    lonely: Cluster, workspace: Workspace, serial: Workspace, tmp_path: Path
) -> None:
    other = other_code(tmp_path / "other")
    plan = plan_of(workspace, folds=3)
    lonely.add_worker()

    def add(line: str) -> None:
        if f"{members_of(plan)[0].run}: epoch 1/" in line:
            lonely.add_worker(code=other)
            with distributed.Client(lonely.address, set_as_default=False) as client:  # type: ignore[no-untyped-call]
                client.wait_for_workers(2, timeout=SECONDS)

    heard = Heard(add)
    with listening(heard):
        train(plan, executor=make_executor("dask", lonely.address))
    assert sum(line.endswith("it gets no work.") for line in heard.lines) == 1
    for member in members_of(plan):
        assert_same_run(member, serial)


def test_no_scheduler_and_no_workers(
    lonely: Cluster, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = plan_of(workspace)
    monkeypatch.setattr(dask_executor, "CONNECT_SECONDS", 1)
    monkeypatch.setattr(dask_executor, "WAIT_SECONDS", 0)
    with pytest.raises(PipelineError, match=r"DASK=tcp://127\.0\.0\.1:9: no scheduler answers"):
        train(plan, executor=make_executor("dask", "tcp://127.0.0.1:9"))
    with pytest.raises(PipelineError, match="has no workers") as error:
        train(plan, executor=make_executor("dask", lonely.address))
    assert f"dask worker {lonely.address}" in error.value.remedy


@pytest.mark.parametrize(
    ("tasks", "cores", "shards", "expected"),
    [
        (1, 2, 2, (1, 2)),
        (4, 2, 2, (2, 1)),  # both are as quick: fewer cores each are used better
        (3, 2, 2, (1, 2)),  # two workers would leave one idle while the third run ends
        (3, 8, 2, (3, 2)),
        (8, 8, 2, (8, 1)),
        (5, 1, 2, (1, 1)),
    ],
)
def test_a_machine_s_cores_are_all_at_work(
    tasks: int, cores: int, shards: int, expected: tuple[int, int]
) -> None:
    assert layout(tasks, cores, shards) == expected
