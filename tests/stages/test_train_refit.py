"""A second network learns from all rows and predicts; the first one is measured."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from pipeline.digits import dataset
from pipeline.nn import Examples
from pipeline.plan.plan import Plan
from pipeline.plan.workspace import RunFolder, Workspace
from pipeline.recipes.recipe import read_recipe
from pipeline.stages.submission import submission
from pipeline.stages.train import train
from pipeline.stages.validate import validate
from pipeline.system import files
from pipeline.system.cores import single_threaded_blas
from pipeline.system.reporter import Epoch, Reporter, TrainStart
from pipeline.training import checkpoint, prediction
from pipeline.training.fitting import make_training
from tests.listeners import heard_by
from tests.practice_case import arrays_of, copy_practice, plan_of

REFIT = "split.refit=true prediction.views=5"


class Watcher(Reporter):
    """Notes what it is told; stops the training of one network after an epoch if asked to."""

    def __init__(self, *, stop: tuple[bool, int] | None = None) -> None:
        self.starts: list[TrainStart] = []
        self.told: list[tuple[bool, int]] = []
        self.steps: list[list[float]] = []  # of each start
        self._stop = stop

    def start(self, start: TrainStart) -> None:
        self.starts.append(start)
        self.steps.append([])

    def step(self, epochs: float) -> None:
        self.steps[-1].append(epochs)

    def epoch(self, result: Epoch) -> None:
        self.told.append((self.starts[-1].refit, result.epoch))
        if self.told[-1] == self._stop:
            raise KeyboardInterrupt


@pytest.fixture(scope="module")
def trained(practice_workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Plan:
    """A finished run with a second network. A test that writes copies it."""
    workspace = copy_practice(practice_workspace, tmp_path_factory.mktemp("trained"))
    plan = plan_of(workspace, overrides=REFIT)
    train(plan)
    return plan


def folder_of(plan: Plan) -> RunFolder:
    return plan.workspace.run(plan.run)


def copy_of(plan: Plan, folder: Path, **given: object) -> Plan:
    return plan_of(copy_practice(plan.workspace, folder), **{"overrides": REFIT} | given)


def assert_same_models(first: RunFolder, second: RunFolder) -> None:
    for name in ("model", "refit"):
        expected, found = (arrays_of(getattr(run, name)) for run in (first, second))
        for key, array in expected.items():
            np.testing.assert_array_equal(found[key], array)


def vector_trained_on_all_rows(plan: Plan, epochs: int) -> prediction.Array:
    """What the recipe makes of all rows, without any stage."""
    recipe = read_recipe(plan.recipe, seed=plan.seed, overrides=plan.overrides)
    digits = dataset.load_labelled(plan.workspace.processed(plan.source.name))
    rows = np.arange(len(digits.labels))
    training = make_training(recipe, len(rows), holds_out=False)
    everything = Examples(np.asarray(digits.images), np.asarray(digits.labels), rows)
    with single_threaded_blas():
        for result in training.fit(everything, None, workers=1):
            if result.epoch == epochs:
                break
    return training.result.copy()


def test_the_second_network_is_that_of_all_rows(trained: Plan) -> None:
    run = folder_of(trained)
    expected = vector_trained_on_all_rows(trained, epochs=3)
    np.testing.assert_array_equal(arrays_of(run.refit)["array.vector"], expected)
    assert not np.array_equal(arrays_of(run.model)["array.vector"], expected)
    names = {path.name for path in run.folder.iterdir()}
    assert names == {
        "request.json", "recipe.json", "history.csv", "model.npz", "refit.npz", "training.json",
    }  # fmt: skip


def test_the_record_tells_of_it(trained: Plan) -> None:
    record = files.read_json(folder_of(trained).training)
    assert record["refit"]["model_sha256"] == files.sha256(folder_of(trained).refit)
    assert record["refit"]["rows"] == 3000
    assert 0 < record["refit"]["seconds"] < record["seconds"]
    assert train(trained).unchanged
    assert train(trained).refit_rows == 3000


def test_the_recorded_accuracy_is_that_of_all_views(trained: Plan, tmp_path: Path) -> None:
    plan = copy_of(trained, tmp_path)
    model = checkpoint.load_model(folder_of(plan).model)
    assert model.views == 5
    record = files.read_json(folder_of(plan).training)
    measured = validate(plan).metrics
    assert measured.accuracy.value == record["hold_out_accuracy"]
    assert measured.log_loss == pytest.approx(record["hold_out_loss"], rel=1e-5)
    last = folder_of(plan).history.read_text(encoding="utf-8").splitlines()[-1].split(",")
    assert float(last[2]) != pytest.approx(record["hold_out_loss"], rel=1e-4)


def test_with_patience_it_learns_for_as_many_epochs_as_were_kept(
    trained: Plan, tmp_path: Path
) -> None:
    # So large a rate that the loss goes up soon.
    overrides = (
        f"{REFIT} training.patience=2 training.epochs=30 training.average_decay=0 "
        "optimizer.learning_rate=0.3"
    )
    plan = copy_of(trained, tmp_path, overrides=overrides)
    watcher = Watcher()
    kept = heard_by(watcher, train, plan).epochs
    first = [epoch for refit, epoch in watcher.told if not refit]
    assert kept is not None
    assert kept < len(first) < 30
    assert [epoch for refit, epoch in watcher.told if refit] == list(range(1, kept + 1))
    assert watcher.starts[1].epochs == kept
    assert [start.networks for start in watcher.starts] == [2, 2]
    assert [start.may_stop_early for start in watcher.starts] == [True, False]
    np.testing.assert_array_equal(
        arrays_of(folder_of(plan).refit)["array.vector"], vector_trained_on_all_rows(plan, kept)
    )


@pytest.mark.parametrize("after", [1, 3])
def test_interrupted_in_mid_refit_the_first_network_is_not_trained_again(
    trained: Plan, tmp_path: Path, after: int
) -> None:
    plan = copy_of(trained, tmp_path)
    shutil.rmtree(folder_of(plan).folder)
    with pytest.raises(KeyboardInterrupt):
        heard_by(Watcher(stop=(True, after)), train, plan)
    watcher = Watcher()
    heard_by(watcher, train, plan)
    assert watcher.told == [(True, epoch) for epoch in range(after + 1, 4)]
    assert [start.epochs_done for start in watcher.starts] == [3, after]
    steps = 3000 // 64 + 1
    expected = np.arange(after * steps + 1, 3 * steps + 1) / steps
    np.testing.assert_allclose(watcher.steps[1], expected)
    assert watcher.steps[0] == []
    assert_same_models(folder_of(trained), folder_of(plan))
    assert not folder_of(plan).checkpoint.exists()
    assert not folder_of(plan).refit_checkpoint.exists()


def test_the_second_network_predicts_the_test_digits(trained: Plan, tmp_path: Path) -> None:
    plan = copy_of(trained, tmp_path)
    validate(plan)
    submission(plan)
    run = folder_of(plan)
    images = dataset.load_test_images(plan.workspace.processed("practice"))
    expected = prediction.predict(checkpoint.load_model(run.refit), images)
    np.testing.assert_array_equal(np.load(run.test_probabilities), expected)
    record = files.read_json(plan.workspace.submission_record(plan.run))
    assert record["inputs"]["model"] == files.sha256(run.model)
    assert record["inputs"]["refit"] == files.sha256(run.refit)
    assert submission(plan).unchanged


def test_without_it_there_is_no_second_network_left(trained: Plan, tmp_path: Path) -> None:
    plan = copy_of(trained, tmp_path, overrides=None, run=trained.run)
    plain = plan_of(plan.workspace, run=plan.run, overrides="prediction.views=5")
    assert not train(plain).unchanged
    assert not folder_of(plain).refit.exists()
    assert files.read_json(folder_of(plain).training)["refit"] is None
    np.testing.assert_array_equal(
        arrays_of(folder_of(plain).model)["array.vector"],
        arrays_of(folder_of(trained).model)["array.vector"],
    )


def test_a_second_network_that_is_gone_is_trained_again(trained: Plan, tmp_path: Path) -> None:
    plan = copy_of(trained, tmp_path)
    folder_of(plan).refit.unlink()
    assert not train(plan).unchanged
    assert_same_models(folder_of(trained), folder_of(plan))
