"""Single digits are read as validation and submission read them, and by whom is told."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.analysis.look import errors, look, read_pictures
from pipeline.digits.folds import hold_out
from pipeline.digits.ink import FoundDigit
from pipeline.plan.plan import Plan, make_plan
from pipeline.plan.workspace import Workspace
from pipeline.stages.train import train
from pipeline.stages.validate import validate
from pipeline.system import files
from pipeline.system.errors import PipelineError
from tests.practice_case import copy_practice, plan_of, split_place
from tests.run_files import (
    change_json,
    make_digits,
    make_images,
    make_run,
    use_stand_in_network,
)


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    return use_stand_in_network(monkeypatch)


@pytest.fixture
def plan(tmp_path: Path, loaded: list[Path]) -> Plan:
    return make_run(make_digits(tmp_path, wrong=range(0, 100, 3), wrong_test=[4]))


@pytest.fixture(scope="module")
def folds(practice_workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Plan:
    """Three small networks, each of which held out the third that the others learnt from."""
    workspace = copy_practice(practice_workspace, tmp_path_factory.mktemp("folds"))
    plan = plan_of(workspace, folds=3, overrides="training.epochs=1")
    train(plan)
    validate(plan)
    return plan


def test_a_row_of_train_csv_says_whether_it_was_held_out(plan: Plan) -> None:
    processed = plan.workspace.processed(plan.source.name)
    held_out = set(hold_out(*split_place(processed), size=0.2, seed=0).hold_out_rows.tolist())
    assert 0 < len(held_out) < 100
    for row in range(100):
        result = look(plan, row)
        assert (result.run, result.row, result.label) == (plan.run, row, row % 10)
        assert result.image[0, 0] == row % 10
        assert result.reading is not None
        assert result.reading.prediction == (row % 10 + (row % 3 == 0)) % 10
        assert result.reading.held_out == (row in held_out)
        assert (result.reading.networks, result.reading.run_networks) == (1, 1)


def test_a_row_of_test_csv_has_no_label(plan: Plan) -> None:
    result = look(plan, 4, test=True)
    assert result.label is None
    assert result.reading is not None
    assert result.reading.prediction == 3  # 12 % 10, and one more
    assert result.reading.held_out is None


@pytest.mark.parametrize(
    ("row", "test", "last"), [(100, False, 99), (30, True, 29), (-1, True, 29)]
)
def test_a_row_that_is_not_there(plan: Plan, row: int, test: bool, last: int) -> None:
    with pytest.raises(PipelineError, match=rf"no row {row} in .*: it has rows 0 to {last}"):
        look(plan, row, test=test)


def test_without_a_trained_run_there_is_the_digit_alone(plan: Plan) -> None:
    plan.workspace.run(plan.run).training.unlink()
    result = look(plan, 5)
    assert (result.label, result.reading) == (5, None)


def test_another_model_than_the_trained_one_is_refused(plan: Plan) -> None:
    plan.workspace.run(plan.run).model.write_bytes(b"something else")
    with pytest.raises(PipelineError, match="not the model that training wrote"):
        look(plan, 5)
    with pytest.raises(PipelineError, match="not the model that training wrote"):
        read_pictures(plan, [])


def test_a_second_network_reads_what_is_no_row_of_train_csv(plan: Plan, loaded: list[Path]) -> None:
    folder = plan.workspace.run(plan.run)
    folder.refit.write_bytes(b"trained on all rows")
    change_json(folder.training, refit={"model_sha256": files.sha256(folder.refit), "rows": 100})
    look(plan, 5)
    look(plan, 5, test=True)
    read_pictures(plan, [FoundDigit(np.zeros((28, 28), np.uint8))])
    assert loaded == [folder.model, folder.refit, folder.refit]


def test_errors_are_those_of_the_validation(plan: Plan) -> None:
    worst = validate(plan).metrics.worst_errors
    result = errors(plan, count=100)
    assert [item.answer for item in result.shown] == worst
    assert (result.found, result.held_out) == (len(worst), 20)
    for item in result.shown:
        assert item.image[0, 0] == item.answer.label
        assert item.probabilities.argmax() == item.answer.prediction
    assert len(errors(plan, count=2).shown) == 2
    assert errors(plan, count=2).found == len(worst)


def test_errors_of_one_digit_and_one_reading(plan: Plan) -> None:
    worst = validate(plan).metrics.worst_errors
    label = worst[0].label
    chosen = [item for item in worst if item.label == label]
    result = errors(plan, count=100, label=label)
    assert [item.answer for item in result.shown] == chosen
    assert result.held_out == 2  # of 20, as stratified
    assert errors(plan, count=9, label=label, read_as=(label + 1) % 10).found == len(chosen)
    assert errors(plan, count=9, label=label, read_as=label).found == 0


def test_errors_before_validation(plan: Plan) -> None:
    with pytest.raises(PipelineError, match="has not been validated") as failure:
        errors(plan, count=8)
    assert failure.value.remedy == f"Run: make validate RUN={plan.run}"


@pytest.mark.parametrize("content", [None, b"", b"something else"])
def test_a_file_of_held_out_digits_that_is_not_whole(plan: Plan, content: bytes | None) -> None:
    validate(plan)
    path = plan.workspace.run(plan.run).hold_out
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(PipelineError, match=r"hold_out\.npz") as failure:
        errors(plan, count=8)
    assert failure.value.remedy.startswith("Run: make validate")


def test_pictures_are_read_together(plan: Plan, loaded: list[Path]) -> None:
    found = read_pictures(plan, [FoundDigit(image) for image in make_images([3, 8, 9], wrong=[1])])
    assert [reading.prediction for reading in found] == [3, 9, 9]
    assert len(loaded) == 1
    assert found[0].to_json() == {
        "prediction": 3,
        "probabilities": found[0].probabilities.tolist(),
    }


def test_an_answer_is_doubtful_for_the_picture_or_the_network(
    plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    sure, torn = np.eye(10, dtype=np.float32)[:1], np.full((1, 10), 0.1, np.float32)
    for probabilities, doubts in (
        (sure, ("the ink is faint",)),
        (torn, ("the ink is faint", "the network is not sure")),
    ):
        monkeypatch.setattr("pipeline.analysis.look.read_images", lambda *_, p=probabilities: p)
        image = FoundDigit(np.zeros((28, 28), np.uint8), ("the ink is faint",))
        assert read_pictures(plan, [image])[0].doubts == doubts


def test_without_a_run_pictures_are_not_read(tmp_path: Path) -> None:
    plan = make_plan(data=tmp_path, recipe="smoke", source="practice", environment={})
    with pytest.raises(PipelineError, match="no finished run practice-smoke") as failure:
        read_pictures(plan, [FoundDigit(np.zeros((28, 28), np.uint8))])
    assert failure.value.remedy == "Run: make train"


def test_an_ensemble_reads_a_row_with_those_that_never_saw_it(folds: Plan) -> None:
    stored = np.load(folds.workspace.run(folds.run).hold_out)
    for place in range(0, 3000, 500):
        reading = look(folds, int(stored["rows"][place])).reading
        assert reading is not None
        np.testing.assert_allclose(
            reading.probabilities, stored["probabilities"][place], rtol=1e-4, atol=1e-6
        )
        assert (reading.networks, reading.run_networks, reading.held_out) == (1, 3, True)


def test_an_ensemble_reads_test_digits_and_pictures_with_all(folds: Plan) -> None:
    result = look(folds, 0, test=True)
    assert result.reading is not None
    assert result.reading.networks == 3
    (picture,) = read_pictures(folds, [FoundDigit(result.image)])
    np.testing.assert_array_equal(picture.probabilities, result.reading.probabilities)
    members = [
        read_pictures(plan_of(folds.workspace, run=member), [FoundDigit(result.image)])[
            0
        ].probabilities
        for member in (folds.run.replace("folds3", f"fold{number}of3") for number in range(3))
    ]
    np.testing.assert_allclose(picture.probabilities, np.mean(members, axis=0), atol=1e-6)
