"""Runs that workers of a cluster train end with the bits of those trained here."""

import asyncio
import re
import shutil
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import pipeline
from pipeline.plan.members import members_of
from pipeline.plan.plan import Plan
from pipeline.plan.workspace import Workspace
from pipeline.stages.train import train
from pipeline.system import files
from pipeline.system.errors import PipelineError
from pipeline.system.reporter import Epoch, Reporter, TrainStart
from pipeline.training.executors import Executor, dask_cluster, dask_executor, make_executor
from pipeline.training.executors.dask_cluster import Workers
from pipeline.training.executors.dask_executor import layout
from tests.listeners import Lines, heard_by
from tests.practice_case import copy_practice, plan_of, temporaries
from tests.training.executors.dask_case import Cluster

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


@pytest.fixture
def executor(cluster: Cluster) -> Executor:
    return make_executor(None, cluster.address)


def assert_same_run(plan: Plan, serial: Workspace) -> None:
    """All files are there and no others; models are the same bytes, and records say the same."""
    ours, theirs = plan.workspace.run(plan.run), serial.run(plan.run)
    assert {path.name for path in ours.folder.iterdir()} == {
        path.name for path in theirs.folder.iterdir()
    }
    for path in (theirs.model, theirs.refit, theirs.recipe, theirs.request):
        if path.exists():
            assert (ours.folder / path.name).read_bytes() == path.read_bytes(), path.name
    of_a_machine = ("environment", "finished_at", "seconds", "images_per_second", "refit")
    records = [files.read_json(run.training) for run in (ours, theirs)]
    for record in records:
        for name in of_a_machine:
            record.pop(name)
    assert records[0] == records[1]


class Watcher(Reporter):
    """Notes which runs it is told of, and their last epochs."""

    def __init__(self) -> None:
        self.told: list[tuple[str, int]] = []
        self._run = ""

    def start(self, start: TrainStart) -> None:
        self._run = start.run

    def epoch(self, result: Epoch) -> None:
        self.told.append((self._run, result.epoch))


def test_folds_end_with_the_same_bits(
    executor: Executor, workspace: Workspace, serial: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: Counter[str] = Counter()
    ask = Workers.ask

    async def counted(self: Workers, worker: str, function: Any, *arguments: Any) -> Any:
        calls[f"{function.__name__} {worker}"] += 1
        return await ask(self, worker, function, *arguments)

    monkeypatch.setattr(Workers, "ask", counted)
    lines: list[str] = []
    watcher = Watcher()
    plan = plan_of(workspace, folds=3)
    result = heard_by(Lines(lines.append, watcher), train, plan, executor=executor)
    assert not result.unchanged
    assert sorted(watcher.told) == [(member.run, 3) for member in members_of(plan)]
    for member in members_of(plan):
        assert_same_run(member, serial)
        assert sum(line.startswith(f"{member.run}: epoch ") for line in lines) == 3
    sent = [name for name in calls if name.startswith("keep_digits ")]
    assert len(sent) == 2
    assert {calls[name] for name in sent} == {1}
    assert temporaries(workspace.data) == []
    assert train(plan, executor=executor).unchanged
    # Other runs, another client: the workers have the digits.
    calls.clear()
    train(plan_of(workspace, seed=1), executor=executor)
    assert sum(count for name, count in calls.items() if name.startswith("take_order ")) == 1
    assert not [name for name in calls if name.startswith(("take_piece ", "keep_digits "))]


class Killer:
    """Kills the worker of a run once it has told of so many epochs."""

    def __init__(self, kill: Callable[[str], None], epochs: int) -> None:
        self.lines: list[str] = []
        self._kill, self._epochs = kill, epochs
        self._worker = ""

    def __call__(self, line: str) -> None:
        self.lines.append(line)
        if started := re.search(r": on (\S+) \(1 core\)", line):
            self._worker = started[1]
        if f": epoch {self._epochs}/" in line and not self.repeated:
            self._kill(self._worker)

    @property
    def repeated(self) -> bool:
        return sum(f": epoch {self._epochs}/" in line for line in self.lines) > 1

    def epochs(self) -> list[int]:
        return [
            int(found[1]) for line in self.lines if (found := re.search(r": epoch (\d+)/", line))
        ]


def test_a_killed_worker_costs_no_epoch_that_came_home(
    workspace: Workspace, serial: Workspace, tmp_path: Path
) -> None:
    with Cluster(tmp_path / "dask") as cluster:
        victim = cluster.add_worker()

        def kill(worker: str) -> None:
            victim.kill()
            cluster.add_worker()

        killer = Killer(kill, 5)
        plan = plan_of(workspace, overrides=LONG)
        heard_by(killer, train, plan, executor=make_executor("dask", cluster.address))
    assert_same_run(plan, serial)
    assert any("lost its worker" in line for line in killer.lines)
    assert any("going on after epoch" in line for line in killer.lines)
    assert killer.epochs() == [
        *range(1, EPOCHS + 1),
        *range(1, EPOCHS + 1),
    ]  # the second network's, too


@pytest.fixture
def _interruptible() -> Iterator[None]:
    """A shell lets what it starts in the background ignore Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_interruptible")
def test_an_interrupted_client_goes_on(
    executor: Executor, workspace: Workspace, serial: Workspace
) -> None:
    plan = plan_of(workspace, overrides=LONG)

    def interrupt(line: str) -> None:
        # As early as there is a checkpoint, so that training is not over yet.
        if ": epoch 1/" in line:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        heard_by(interrupt, train, plan, executor=executor)
    assert plan.workspace.run(plan.run).checkpoint.exists()
    lines: list[str] = []
    heard_by(lines.append, train, plan, executor=executor)
    assert "going on after epoch" in lines[0]
    assert_same_run(plan, serial)


@pytest.mark.parametrize("of", ["a worker", "the scheduler"])
def test_an_interrupt_at_the_instant_of_an_answer_is_not_lost(
    of: str, workspace: Workspace
) -> None:
    async def interrupt() -> None:
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        client: Any = SimpleNamespace(run=lambda *_, **__: answer)
        workers = Workers(client, plan_of(workspace), print, "here")
        asked = workers.within(answer) if of == "the scheduler" else workers.ask("it", print)
        asking = asyncio.create_task(asked)
        await asyncio.sleep(0)
        answer.set_result({"it": None})
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking

    asyncio.run(interrupt())


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
    async def lost(*_: object) -> None:
        return None

    monkeypatch.setattr("pipeline.training.executors.dask_executor._Round._attempt", lost)
    lines: list[str] = []
    with pytest.raises(PipelineError, match=r"practice-smoke ended its worker 3 times"):
        heard_by(lines.append, train, plan_of(workspace), executor=executor)
    assert len(lines) == 2


# ---- clusters that cannot be worked with ---------------------------------------------------------
def test_other_code_is_refused(workspace: Workspace, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(Path(pipeline.__file__).parent, other / "pipeline")
    with (other / "pipeline" / "nn" / "layers.py").open("a", encoding="utf-8") as stream:
        stream.write("# other code\n")
    bare = tmp_path / "bare"
    bare.mkdir()
    (bare / "pipeline.py").touch()
    for code, text in (
        (other, "has this package's code"),
        (bare, "cannot work: .*No module named 'pipeline.training'"),
    ):
        with Cluster(tmp_path / f"dask-{code.name}") as cluster:
            cluster.add_worker(code=code)
            plan = plan_of(workspace)
            with pytest.raises(PipelineError, match=rf"worker 127.0.0.1:\d+ {text}"):
                train(plan, executor=make_executor("dask", cluster.address))
            assert not plan.workspace.run(plan.run).checkpoint.exists()


def test_no_scheduler_and_no_workers(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = plan_of(workspace)
    monkeypatch.setattr(dask_cluster, "CONNECT_SECONDS", 1)
    monkeypatch.setattr(dask_cluster, "WAIT_SECONDS", 0)
    with pytest.raises(PipelineError, match=r"DASK=tcp://127\.0\.0\.1:9: no scheduler answers"):
        train(plan, executor=make_executor("dask", "tcp://127.0.0.1:9"))
    with (
        Cluster(tmp_path / "dask") as cluster,
        pytest.raises(PipelineError, match="has no workers") as error,
    ):
        train(plan, executor=make_executor("dask", cluster.address))
    assert f"dask worker {cluster.address}" in error.value.remedy


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
