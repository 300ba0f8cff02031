"""What a stage reads, another command may be writing: it waits, or keeps what it has found."""

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.analysis.trace import trace
from pipeline.digits import dataset
from pipeline.plan.plan import Plan
from pipeline.plan.workspace import Workspace
from pipeline.recipes.file import RECIPE_FOLDER
from pipeline.runs.metrics import Accuracy
from pipeline.runs.run import TrainedRun, hold_out_accuracy
from pipeline.stages.preprocess import preprocess
from pipeline.stages.submission import submission
from pipeline.stages.train import train
from pipeline.stages.validate import validate
from pipeline.system import files, locks
from pipeline.system.errors import PipelineError
from pipeline.system.reporter import Epoch, Reporter, TrainStart, listening
from pipeline.training import checkpoint
from tests.listeners import Lines, heard_by
from tests.practice_case import copy_practice, environment, plan_of
from tests.submit_case import ROWS, Case


@pytest.fixture(scope="module")
def trained(practice_workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Plan:
    """A run of two folds, validated. A test that writes copies it."""
    workspace = copy_practice(practice_workspace, tmp_path_factory.mktemp("folds"))
    plan = plan_of(workspace, overrides="training.epochs=1", folds=2)
    train(plan)
    validate(plan)
    return plan


@pytest.fixture
def plan(trained: Plan, tmp_path: Path) -> Plan:
    workspace = copy_practice(trained.workspace, tmp_path)
    return plan_of(workspace, overrides="training.epochs=1", folds=2)


@contextmanager
def busy(path: Path, work: Callable[..., Any], **settings: Any) -> Iterator["Future[Any]"]:
    """Hold a lock until the work, in another thread, says that it waits for it."""
    waits = threading.Event()
    said: list[str] = []

    def tell(line: str) -> None:
        said.append(line)
        waits.set()

    with ThreadPoolExecutor(1) as pool, locks.locked(path):
        job = pool.submit(lambda: heard_by(tell, work, **settings))
        assert waits.wait(20), f"it did not wait: {job}"
        assert f"is working on {path}; waiting for it to finish." in said[0]
        yield job


def test_a_training_keeps_the_digits_and_the_split_that_it_began_with(
    practice_workspace: Workspace, tmp_path: Path
) -> None:
    plan = plan_of(copy_practice(practice_workspace, tmp_path))
    processed = plan.workspace.processed("practice")
    begun: list[str] = []

    class Watcher(Reporter):
        def start(self, start: TrainStart) -> None:  # noqa: ARG002
            begun.append(files.sha256(processed.folds / "hold-out-0.2-seed0.npy"))
            with files.atomic_folder(processed.folder) as new:
                np.save(new / "train_images.npy", np.zeros((5, 28, 28), np.uint8))

        def epoch(self, result: Epoch) -> None:
            pass

    heard_by(Watcher(), train, plan)
    record = files.read_json(plan.workspace.run(plan.run).training)
    assert record["split"]["sha256"] == begun[0]
    assert record["split"]["training_rows"] == 2_400


def test_a_record_tells_of_the_recipe_as_it_was_when_training_began(
    practice_workspace: Workspace, tmp_path: Path
) -> None:
    recipe = tmp_path / "mine.toml"
    recipe.write_bytes((RECIPE_FOLDER / "smoke.toml").read_bytes())
    checksum = files.sha256(recipe)
    workspace = copy_practice(practice_workspace, tmp_path / "there")
    plan = plan_of(workspace, recipe=str(recipe), overrides="training.epochs=1")

    class Watcher(Reporter):
        def start(self, start: TrainStart) -> None:  # noqa: ARG002
            recipe.write_text("edited meanwhile")

        def epoch(self, result: Epoch) -> None:
            pass

    heard_by(Watcher(), train, plan)
    record = files.read_json(plan.workspace.run(plan.run).training)
    assert record["recipe_file"]["sha256"] == checksum


def test_a_split_is_not_drawn_into_arrays_that_are_being_replaced(plan: Plan) -> None:
    processed = plan.workspace.processed("practice")
    member = plan_of(plan.workspace, overrides="training.epochs=1")
    with busy(processed.folder, train, plan=member) as job:
        assert not (processed.folds / "hold-out-0.2-seed0.npy").exists()
    assert job.result().run == member.run


def test_preprocess_waits_for_a_download(plan: Plan) -> None:
    with busy(plan.workspace.raw("practice").folder, preprocess, plan=plan, force=True) as job:
        pass
    assert not job.result().unchanged


def test_a_run_in_the_making_is_waited_for(plan: Plan) -> None:
    """Also the first time, when there is nothing yet."""
    folder = plan.workspace.run(plan.run)
    training = folder.training.read_bytes()
    folder.training.unlink()
    with busy(folder.folder, validate, plan=plan) as job:
        folder.training.write_bytes(training)
    assert job.result().unchanged


def test_without_a_run_nothing_is_waited_for_nor_written(tmp_path: Path) -> None:
    plan = plan_of(Workspace(tmp_path / "data", tmp_path / "submissions"))
    with pytest.raises(PipelineError, match="There is no finished run"):
        validate(plan)
    assert list(tmp_path.iterdir()) == []


def test_a_trace_waits_for_its_run(plan: Plan) -> None:
    folder = plan.workspace.run(plan.run).folder
    with busy(folder, trace, workspace=plan.workspace, what=plan.run) as job:
        pass
    assert job.result().run == plan.run


def test_an_ensemble_does_not_predict_with_a_member_that_was_trained_meanwhile(
    plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    member = plan.workspace.run(plan.run.replace("folds2", "fold1of2"))

    def and_train_meanwhile(run: TrainedRun) -> Accuracy:
        model = checkpoint.load_model(member.model)
        model.network.vector[...] += 1
        checkpoint.save_model(member.model, model)
        return hold_out_accuracy(run)

    monkeypatch.setattr("pipeline.stages.submission.hold_out_accuracy", and_train_meanwhile)
    with pytest.raises(PipelineError, match="is not the model that training wrote"):
        submission(plan)
    assert not plan.workspace.submission(plan.run).exists()


def test_a_csv_in_the_making_is_waited_for_and_sent_whole(case: Case) -> None:
    record = case.plan.workspace.submission_record(case.plan.run)
    record.unlink()
    with busy(case.csv, case.submit) as job:
        assert not case.sent
        case.put_rows(ROWS)
    assert job.result().ref == 1001
    assert list(case.kaggle.uploads.values()) == [case.csv.read_bytes()]


def test_a_score_is_waited_for_without_keeping_others_from_the_csv(case: Case) -> None:
    case.kaggle.polls = 1_000_000
    sent = threading.Event()

    def tell(line: str) -> None:
        if line.startswith("Sent"):
            sent.set()

    with ThreadPoolExecutor(1) as pool:
        job = pool.submit(heard_by, tell, case.refused, timeout_seconds=1.0)
        assert sent.wait(20)
        said: list[str] = []
        with listening(Lines(said.append)), locks.locked(case.csv):
            assert said == []
        assert "but has no score" in job.result()


def test_a_kill_while_the_kaggle_package_is_loaded_leaves_nothing(tmp_path: Path) -> None:
    code = (
        "import os, signal; from pipeline.kaggle.package import _empty_home\n"
        "with _empty_home(): os.kill(os.getpid(), signal.SIGKILL)"
    )
    arguments = [sys.executable, "-c", code]
    done = subprocess.run(arguments, env=environment(TMPDIR=str(tmp_path)), check=False)
    assert done.returncode == -9
    assert list(tmp_path.iterdir()) == []


def test_arrays_that_are_mapped_outlive_their_files(plan: Plan) -> None:
    processed = plan.workspace.processed("practice")
    with dataset.locked(processed):
        digits = dataset.load_labelled(processed)
    before = digits.images[:3].copy()
    preprocess(plan, force=True)
    np.testing.assert_array_equal(digits.images[:3], before)
