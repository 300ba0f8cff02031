"""A search ends in a recipe that trains to the very accuracy that it claims."""

import importlib.util
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from pipeline import cli
from pipeline.analysis.tune import TuneResult, tune
from pipeline.plan.plan import Plan, make_plan
from pipeline.plan.workspace import Workspace
from pipeline.recipes.file import RecipeFile
from pipeline.recipes.recipe import read_recipe
from pipeline.runs.run import read_training
from pipeline.stages.train import train
from pipeline.system import files
from pipeline.system.errors import PipelineError
from pipeline.training.search.outcome import Trial
from pipeline.training.search.study import Search
from pipeline.training.search.trial import Digits
from tests.practice_case import REPOSITORY, command, copy_practice, environment
from tests.training.search.tuning_case import RANGES, write_recipe


@pytest.fixture(scope="module")
def workspace(practice_workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The practice digits without those of the test: no search needs them."""
    workspace = copy_practice(practice_workspace, tmp_path_factory.mktemp("tune"))
    workspace.processed("practice").test_images.unlink()
    write_recipe(workspace.data)
    return workspace


def plan_for(workspace: Workspace, recipe: Path | None = None, **given: object) -> Plan:
    return make_plan(
        source="practice",
        recipe=str(recipe or workspace.data / "small.toml"),
        data=workspace.data,
        submissions=workspace.submissions,
        environment={},
        **given,  # type: ignore[arg-type]
    )


def poor_plan(workspace: Workspace) -> Plan:
    """With a learning rate that is easily bettered."""
    return plan_for(workspace, seed=3, overrides="optimizer.learning_rate=0.0002")


@pytest.fixture(scope="module")
def searched(workspace: Workspace) -> TuneResult:
    return tune(poor_plan(workspace), trials=4)


def start(workspace: Workspace, *arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        command(
            *("tune", "--source", "practice", "--recipe", workspace.data / "small.toml"),
            *("--data", workspace.data, "--submissions", workspace.submissions),
            *arguments,
        ),
        cwd=REPOSITORY,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell lets what it starts in the background ignore Ctrl-C, and all below it.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    )


def first_line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout
    line = process.stdout.readline()
    assert line, process.communicate()[1]
    return line


def places(output: str) -> list[int]:
    return [int(number) for number in re.findall(r"^  trial +(\d+)/", output, re.MULTILINE)]


def test_the_tuned_recipe_trains_to_the_accuracy_that_it_claims(
    workspace: Workspace, searched: TuneResult
) -> None:
    plan = plan_for(workspace, searched.folder.recipe)
    train(plan)
    record = read_training(workspace.run(plan.run))
    best = searched.outcome.best
    assert best.place > 0
    assert record["seed"] == 3
    assert record["hold_out_accuracy"] == best.accuracy
    assert record["hold_out_loss"] == best.loss
    claim = searched.folder.recipe.read_text(encoding="utf-8").splitlines()
    assert claim[0].startswith(f"# Tuned: {best.accuracy:.4f} (loss {best.loss:.4f}) on 600 held-")


def test_the_recipe_s_own_trial_is_its_run(workspace: Workspace, searched: TuneResult) -> None:
    plan = poor_plan(workspace)
    train(plan)
    own = searched.outcome.own
    assert own is not None
    assert read_training(workspace.run(plan.run))["hold_out_loss"] == own.loss
    assert searched.outcome.best.loss is not None
    assert own.loss is not None
    assert searched.outcome.best.loss < own.loss


def test_nothing_is_kept_but_the_search(workspace: Workspace, searched: TuneResult) -> None:
    names = {path.name.partition(".sqlite3")[0] for path in searched.folder.folder.iterdir()}
    assert names == {"study", "tuned.toml", "tuning.html", "tuning.json"}
    assert (
        read_recipe(RecipeFile(searched.folder.recipe)).tune
        == read_recipe(RecipeFile(workspace.data / "small.toml")).tune
    )


def test_the_same_command_finds_it_done_and_what_is_missing_is_written_again(
    workspace: Workspace, searched: TuneResult
) -> None:
    before = searched.folder.record.read_bytes()
    again = tune(poor_plan(workspace), trials=4)
    assert again.unchanged
    assert again.outcome == searched.outcome
    assert searched.folder.record.read_bytes() == before
    fewer = tune(poor_plan(workspace), trials=2)
    assert fewer.unchanged
    searched.folder.recipe.unlink()
    mended = tune(poor_plan(workspace), trials=4)
    assert not mended.unchanged
    assert searched.folder.recipe.exists()


def test_other_ranges_are_another_search(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names: list[str] = []

    def note(search: Search) -> list[Trial]:
        names.append(search.study.study_name)
        raise PipelineError("enough")

    monkeypatch.setattr(Search, "run", note)
    for ranges in (RANGES, RANGES.replace("0.3", "0.2"), RANGES.replace("= 6", "= 7")):
        with pytest.raises(PipelineError, match="enough"):
            tune(plan_for(workspace, write_recipe(tmp_path, ranges)))
    assert names[0] == names[2], "the number of trials is none of it"
    assert names[0] != names[1]


def test_no_trial_that_can_be_trained(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise FloatingPointError("the loss became nan in epoch 1")

    monkeypatch.setattr(Digits, "measure", fail)
    with pytest.raises(PipelineError, match=r"None of 2 trials .* the loss became nan in epoch 1"):
        tune(plan_for(workspace, write_recipe(tmp_path)), trials=2)


def test_what_cannot_be_searched(workspace: Workspace, tmp_path: Path) -> None:
    def message(plan: Plan) -> str:
        with pytest.raises(PipelineError) as caught:
            tune(plan)
        return str(caught.value)

    assert "has no ranges to search" in message(plan_for(workspace, write_recipe(tmp_path, "")))
    assert "is an ensemble" in message(plan_for(workspace, folds=3))
    outside = plan_for(workspace, overrides="optimizer.learning_rate=0.5")
    assert "own value 0.5 is not in the range" in message(outside)


def test_without_optuna(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(PipelineError, match="optuna is not installed") as caught:
        tune(plan_for(workspace))
    assert "make tune" in caught.value.remedy


def test_a_damaged_file_of_trials_is_a_line(workspace: Workspace, tmp_path: Path) -> None:
    broken = tmp_path / "broken.db"
    broken.write_bytes(b"no database" * 100)
    given = ["tune", "--source", "practice", "--recipe", str(workspace.data / "small.toml")]
    given += ["--data", str(workspace.data), "--storage", f"sqlite:///{broken}"]
    done = CliRunner().invoke(cli.main, given)
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith(f"Error: sqlite:///{broken}: file is not a database\n")
    assert len(done.stderr.splitlines()) == 2


@pytest.mark.stress
def test_processes_share_a_search_and_one_that_is_killed_loses_nothing(
    workspace: Workspace,
) -> None:
    """Killed, interrupted, then two at once: every trial is there once, and no other."""
    killed = start(workspace)
    first_line(killed)
    time.sleep(0.05)
    killed.kill()
    killed.communicate(timeout=60)
    interrupted = start(workspace)
    first_line(interrupted)
    interrupted.send_signal(signal.SIGINT)
    _, errors = interrupted.communicate(timeout=60)
    if interrupted.returncode:  # else it was done already
        assert interrupted.returncode == 130
        assert errors.strip() == "Interrupted. The same command goes on from here."
    both = [start(workspace, "--trials", "14") for _ in range(2)]
    outputs = [process.communicate(timeout=120) for process in both]
    for process, (_, errors) in zip(both, outputs, strict=True):
        assert (process.returncode, errors) == (0, "")
    made = [places(output) for output, _ in outputs]
    assert all(made), "one did all of the work"
    assert not set(made[0]) & set(made[1])
    [record] = (workspace.data / "tuning").glob("practice-small-??????-????????/tuning.json")
    trials = files.read_json(record)["inputs"]["trials"]
    assert [trial["place"] for trial in trials] == list(range(14))
    for output, _ in outputs:
        assert "tune: small: 14 trials, " in output or "tune: up to date: 14 trials, " in output
