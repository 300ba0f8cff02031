"""A service is told everything once, whatever happens on the way; and no failure of it matters."""

import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from pipeline.cli import main
from pipeline.plan.members import members_of
from pipeline.plan.plan import Plan
from pipeline.plan.workspace import Workspace
from pipeline.stages.train import train
from pipeline.stages.validate import validate
from pipeline.system import files
from pipeline.system.reporter import Epoch, Reporter, listening, reporter
from pipeline.tracking import Tracked, Tracker, session
from pipeline.tracking.facts import without_secrets
from pipeline.tracking.session import Tracking
from pipeline.training.executors import executor
from tests.practice_case import (
    REPOSITORY,
    assert_same_model,
    copy_practice,
    environment,
    plan_of,
)

TWO = """
description = "Two members"
[ensemble]
members = [{ recipe = "smoke", seed = 1 }, { recipe = "smoke", seed = 2 }]
"""


@dataclass
class Entry:
    """A run as the service below has it."""

    run: str
    params: dict[str, str]
    steps: list[int] = field(default_factory=list)
    metrics: dict[str, float] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)
    status: str = "open"


class Service:
    """A tracking service in memory, which may fail."""

    name = "MLflow"

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.fails: set[str] = set()
        self.opened = 0

    def _call(self, name: str) -> None:
        if name in self.fails:
            raise ConnectionError("http://me:hidden@host/x?token=hidden is down\nat length")

    def start(self, run: str, known: str | None, params: Mapping[str, str]) -> Tracked:
        self._call("start")
        self.opened += 1
        number = int(known) if known else len(self.entries)
        if number == len(self.entries):
            self.entries.append(Entry(run, dict(params)))
        self.entries[number].status = "open"
        self._open = self.entries[number]
        return Tracked(str(number), max(self._open.steps, default=0), "here")

    def epoch(self, metrics: Mapping[str, float], step: int) -> None:
        self._call("epoch")
        assert set(metrics) >= {"training_loss", "hold_out_accuracy", "learning_rate"}
        self._open.steps.append(step)

    def finish(self, metrics: Mapping[str, float], artefacts: Sequence[Path]) -> None:
        self._call("finish")
        self._open.metrics |= metrics
        self._open.files += [path.name for path in artefacts]
        self._open.status = "finished"

    def stop(self) -> None:
        self._call("stop")
        self._open.status = "stopped"


class User(Reporter):
    """Hears the lines, and may stop the training after an epoch."""

    def __init__(self, stop_after: int = 0) -> None:
        self.told: list[str] = []
        self._after = stop_after

    def line(self, text: str) -> None:
        self.told.append(text)

    def epoch(self, result: Epoch) -> None:
        if result.epoch == self._after:
            raise KeyboardInterrupt


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Service:
    found = Service()

    def make(_name: str) -> Tracker:
        return found

    monkeypatch.setattr(session, "_make", make)
    return found


@pytest.fixture
def plan(practice_workspace: Workspace, tmp_path: Path) -> Plan:
    return plan_of(copy_practice(practice_workspace, tmp_path))


def tracked_train(
    plan: Plan, *, force: bool = False, stop_after: int = 0, service: str | None = "mlflow"
) -> list[str]:
    """Train under the eyes of the service; return what the user was told."""
    user = User(stop_after)
    with listening(user), Tracking(service, plan):
        train(plan, force=force)
    return user.told


def test_a_run_is_told_of_whole(plan: Plan, service: Service) -> None:
    assert tracked_train(plan) == ["Tracked by MLflow: here"]
    (entry,) = service.entries
    assert (entry.run, entry.steps, entry.status) == (plan.run, [1, 2, 3], "finished")
    record = files.read_json(plan.workspace.run(plan.run).training)
    assert entry.metrics["final/hold_out_accuracy"] == record["hold_out_accuracy"]
    expected = {
        "run": plan.run,
        "source": "practice",
        "request.recipe": "smoke",
        "recipe.seed": "0",
        "recipe.training.epochs": "3",
        "recipe.network.layers.0.kind": record["inputs"]["recipe"]["network"]["layers"][0]["kind"],
        "data.train_images": record["inputs"]["data"]["train_images"],
        "environment.numpy": record["environment"]["numpy"],
        "environment.blas.name": record["environment"]["blas"]["name"],
    }
    assert expected.items() <= entry.params.items()
    names = ["request.json", "recipe.json", "history.csv", "model.npz", "training.json"]
    assert entry.files == names


def test_what_is_up_to_date_is_not_told_again(plan: Plan, service: Service) -> None:
    tracked_train(plan)
    assert tracked_train(plan) == []
    assert service.opened == 1
    with Tracking("mlflow", plan):
        measured = validate(plan).metrics
    (entry,) = service.entries
    assert entry.steps == [1, 2, 3]
    assert entry.metrics["validation/accuracy"] == measured.accuracy.value
    assert entry.files[-1] == "validation.json"
    assert len(entry.files) == len(set(entry.files))


def test_a_training_that_goes_on_is_the_same_tracked_run(plan: Plan, service: Service) -> None:
    with pytest.raises(KeyboardInterrupt):
        tracked_train(plan, stop_after=2)
    (entry,) = service.entries
    assert entry.status == "stopped"
    tracked_train(plan)
    assert service.entries == [entry]
    assert (entry.steps, entry.status) == ([1, 2, 3], "finished")


def test_an_epoch_that_was_told_but_not_noted_is_not_told_twice(
    plan: Plan, service: Service
) -> None:
    with pytest.raises(KeyboardInterrupt):
        tracked_train(plan, stop_after=3)
    path = plan.workspace.run(plan.run).tracking
    record = files.read_json(path)
    service.entries[0].steps = [1, 2]
    files.write_json(path, {"mlflow": record["mlflow"] | {"epochs": 1}})
    tracked_train(plan)
    assert service.entries[0].steps == [1, 2, 3]


def test_another_training_is_another_tracked_run(plan: Plan, service: Service) -> None:
    tracked_train(plan)
    tracked_train(plan, force=True)
    assert [entry.steps for entry in service.entries] == [[1, 2, 3]] * 2
    plan = plan_of(plan.workspace, run=plan.run, overrides="training.epochs=2")
    tracked_train(plan, service=None)
    assert len(service.entries) == 2
    with Tracking("mlflow", plan):
        validate(plan)
    assert service.entries[2].steps == [1, 2]
    assert "model.npz" in service.entries[2].files


@pytest.mark.parametrize("method", ["start", "epoch", "finish"])
def test_a_service_that_fails_is_given_up_and_told_the_rest_later(
    plan: Plan, service: Service, tmp_path: Path, method: str
) -> None:
    service.fails = {method, "stop"}
    told = tracked_train(plan)
    assert len([line for line in told if "failed (" in line]) == 1
    assert "the work goes on without tracking" in "".join(told)
    assert told[-1].startswith("Tracking is incomplete: MLflow failed.")
    text = "".join(told) + (plan.workspace.run(plan.run).folder / "training.json").read_text()
    assert "hidden" not in text
    untracked = plan_of(copy_practice(plan.workspace, tmp_path / "other"), run="untracked")
    train(untracked)
    runs = [place.workspace.run(place.run) for place in (plan, untracked)]
    assert_same_model(*runs)
    service.fails = set()
    with Tracking("mlflow", plan):
        validate(plan)
    assert service.entries[-1].steps == [1, 2, 3]
    assert "validation/accuracy" in service.entries[-1].metrics
    assert len(service.entries) == 1


def test_a_failed_service_is_not_asked_again_for_the_next_member(
    plan: Plan, service: Service, tmp_path: Path
) -> None:
    (tmp_path / "two.toml").write_text(TWO, encoding="utf-8")
    both = plan_of(plan.workspace, recipe=str(tmp_path / "two.toml"), run="both")
    service.fails = {"start"}
    assert len([line for line in tracked_train(both) if "MLflow" in line]) == 2
    service.fails = set()
    shutil.rmtree(plan.workspace.run("both").folder.parent)
    tracked_train(both)
    runs = ["practice-smoke-seed1", "practice-smoke-seed2", "both"]
    assert [entry.run for entry in service.entries] == runs
    assert [entry.steps for entry in service.entries] == [[1, 2, 3], [1, 2, 3], []]
    assert {entry.status for entry in service.entries} == {"finished"}


def all_stages(plan: Plan) -> str:
    """What `make all TRACK=mlflow` shows for the plan."""
    folders = ("--data", plan.workspace.data, "--submissions", plan.workspace.submissions)
    given = ("--source", "practice", "--recipe", plan.recipe.text, "--run", plan.run, *folders)
    result = CliRunner().invoke(main, ["all", "--track", "mlflow", *map(str, given)])
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.parametrize("recipe", ["one", "two"])
def test_all_tells_the_rest_though_nothing_is_due(
    plan: Plan, service: Service, tmp_path: Path, recipe: str
) -> None:
    if recipe == "two":
        (tmp_path / "two.toml").write_text(TWO, encoding="utf-8")
        plan = plan_of(plan.workspace, recipe=str(tmp_path / "two.toml"), run="both")
    service.fails = {"start"}
    output = all_stages(plan)
    assert f"make validate RUN={plan.run} TRACK=mlflow DATA={plan.workspace.data}" in output
    service.fails = set()
    output = all_stages(plan)
    assert "Tracked by MLflow: here" in output
    assert "train: " not in output
    names = {"one": [plan.run], "two": ["practice-smoke-seed1", "practice-smoke-seed2", plan.run]}
    assert [entry.run for entry in service.entries] == names[recipe]
    assert [entry.steps for entry in service.entries if entry.run != "both"] == [[1, 2, 3]] * (
        len(names[recipe]) - (recipe == "two")
    )
    assert all("validation.json" in entry.files for entry in service.entries)
    assert "Tracked by" not in all_stages(plan)


def test_the_advice_of_a_service_is_told_to_its_end(
    plan: Plan, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = f"The store is of another version.{' It says why.' * 40}\nTo mend it: mlflow db upgrade."

    def fail(*_: object) -> Tracked:
        raise RuntimeError(said)

    monkeypatch.setattr(service, "start", fail)
    told = tracked_train(plan)
    assert f"MLflow failed ({' '.join(said.split())}); the work goes on" in told[0]


# ---- what the user got wrong, or did not ask for -------------------------------------------------
@pytest.mark.parametrize("stage", ["train", "validate", "summary", "submit"])
def test_an_unknown_service(stage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, [stage, "--source", "practice", "--track", "comet"])
    assert result.exit_code == 1
    expected = "Error: TRACK=comet: no such tracking service\nGive mlflow or wandb.\n"
    assert result.stderr == expected


@pytest.mark.parametrize("name", ["mlflow", "wandb"])
def test_a_package_that_is_not_installed(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    arguments = ["train", "--source", "practice", "--track", name]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 1
    assert f"TRACK={name}: the package {name} is not installed" in result.stderr
    assert f"Run: make install TRACK={name}" in result.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("service_name", [None, "mlflow"])
def test_whoever_listened_before_hears_everything(
    plan: Plan, service: Service, service_name: str | None
) -> None:
    heard: list[str] = []

    class Everything(Reporter):
        def __getattribute__(self, name: str) -> Any:
            if name in vars(Reporter):
                heard.append(name)
            return super().__getattribute__(name)

    with listening(Everything()), Tracking(service_name, plan):
        train(plan)
        reporter().line("and more")
    # Of several that are trained at once, each is asked for; here one is trained.
    told = {name for name in vars(Reporter) if not name.startswith("_")} - {"of"}
    assert set(heard) >= told
    assert heard.count("step") == 3 * 38


IMPORTS = """
import sys
from pipeline.cli import main
main(sys.argv[1:], standalone_mode=False)
print("imported:", sorted({"mlflow", "wandb"} & set(sys.modules)))
"""


def test_without_the_variable_no_service_is_imported(plan: Plan) -> None:
    places = ["--data", str(plan.workspace.data)]
    given = ["train", "--source", "practice", "--recipe", "smoke", *places]
    done = subprocess.run(
        [sys.executable, "-c", IMPORTS, *given],
        cwd=REPOSITORY,
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert done.stdout.endswith("imported: []\n")
    assert not plan.workspace.run(plan.run).tracking.exists()


def test_secrets_are_cut_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "abc123")
    text = "http://me:p@ss@host:5000/x?token=1 said abc123; sqlite:///mlflow.db is well"
    assert without_secrets(text) == "http://host:5000/x said ***; sqlite:///mlflow.db is well"


def test_of_runs_trained_at_once_it_knows_in_the_end(
    plan: Plan, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executor, "available_cores", lambda: 4)
    folds = plan_of(plan.workspace, folds=2)
    told = tracked_train(folds)
    names = [*(member.run for member in members_of(folds)), folds.run]
    assert [entry.run for entry in service.entries] == names
    assert [entry.steps for entry in service.entries] == [[1, 2, 3], [1, 2, 3], []]
    assert {entry.status for entry in service.entries} == {"finished"}
    assert sum(line.startswith("Tracked by MLflow") for line in told) == 3
