import os
from pathlib import Path

import numpy as np
import pytest

from pipeline.digits.folds import hold_out
from pipeline.plan.plan import Plan
from pipeline.stages.validate import validate
from pipeline.system import files
from pipeline.system.errors import PipelineError
from tests.practice_case import split_place
from tests.run_files import change_json, make_digits, make_run, use_stand_in_network


@pytest.fixture(autouse=True)
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    return use_stand_in_network(monkeypatch)


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    # Twenty digits are held out; whichever they are, some of every second one's are misread.
    return make_run(make_digits(tmp_path, wrong=range(0, 100, 3)))


def test_the_held_out_digits_are_measured_and_recorded(plan: Plan) -> None:
    result = validate(plan)
    run = plan.workspace.run(plan.run)
    rows = hold_out(
        *split_place(plan.workspace.processed("kaggle")), size=0.2, seed=0
    ).hold_out_rows
    misread = [int(row) for row in rows if row % 3 == 0]
    assert not result.unchanged
    assert result.metrics.accuracy.rows == 20
    assert result.metrics.accuracy.correct == 20 - len(misread)
    assert [item.row for item in result.metrics.worst_errors] == misread
    record = files.read_json(run.validation)
    assert record["stage"] == "validate"
    assert record["accuracy"]["value"] == result.metrics.accuracy.value
    assert record["inputs"]["model"] == files.sha256(run.model)
    with np.load(run.hold_out) as stored:
        assert stored["rows"].dtype == np.int64
        assert stored["labels"].dtype == np.uint8
        assert stored["probabilities"].dtype == np.float32
        np.testing.assert_array_equal(stored["rows"], rows)
        np.testing.assert_array_equal(stored["labels"], rows % 10)
        assert stored["probabilities"].shape == (20, 10)


def test_a_second_time_nothing_is_done(plan: Plan, loaded: list[Path]) -> None:
    first = validate(plan)
    os.utime(first.record, (1, 1))
    content = first.record.read_bytes()
    again = validate(plan)
    assert again.unchanged
    assert again.metrics == first.metrics
    assert len(loaded) == 1
    assert first.record.read_bytes() == content
    assert first.record.stat().st_mtime == 1


def test_force_and_a_missing_output_do_it_again(plan: Plan, loaded: list[Path]) -> None:
    validate(plan)
    assert not validate(plan, force=True).unchanged
    plan.workspace.run(plan.run).hold_out.unlink()
    assert not validate(plan).unchanged
    assert len(loaded) == 3


def test_a_new_model_is_validated_anew(plan: Plan) -> None:
    validate(plan)
    run = plan.workspace.run(plan.run)
    run.model.write_bytes(b"trained again")
    change_json(run.training, model_sha256=files.sha256(run.model))
    assert not validate(plan).unchanged


def test_a_missing_run_is_named_and_leaves_nothing(tmp_path: Path) -> None:
    digits = make_digits(tmp_path)
    plan = make_run(digits)
    digits.workspace.run("run").training.unlink()
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(PipelineError, match=r"no finished run run .*runs/run") as failure:
        validate(plan)
    assert failure.value.remedy == "Run: make train"
    assert sorted(tmp_path.rglob("*")) == before


def test_another_accuracy_than_in_training_stops_it(plan: Plan) -> None:
    run = plan.workspace.run(plan.run)
    change_json(run.training, hold_out_accuracy=0.999)
    with pytest.raises(PipelineError, match=r"training.json says 0.999000"):
        validate(plan)
    assert not run.validation.exists()
    assert not run.hold_out.exists()


def test_a_model_changed_after_training_stops_it(plan: Plan) -> None:
    plan.workspace.run(plan.run).model.write_bytes(b"something else")
    with pytest.raises(PipelineError, match=r"model.npz is not the model that training wrote"):
        validate(plan)


def test_other_digits_than_trained_on_stop_it(plan: Plan) -> None:
    processed = plan.workspace.processed("kaggle")
    manifest = files.read_json(processed.manifest)
    manifest["arrays"]["train_labels"]["sha256"] = "other"
    files.write_json(processed.manifest, manifest)
    with pytest.raises(PipelineError, match="was trained on other digits"):
        validate(plan)


def test_a_run_without_held_out_digits_cannot_be_validated(plan: Plan) -> None:
    run = plan.workspace.run(plan.run)
    change_json(run.training, split={"kind": "none"})
    with pytest.raises(PipelineError, match=r"split\.kind: should be one of 'hold_out', 'fold'"):
        validate(plan)


def test_a_training_record_of_another_version_is_one_line(plan: Plan) -> None:
    run = plan.workspace.run(plan.run)
    files.write_json(run.training, {"stage": "train"})
    with pytest.raises(PipelineError, match=r"training.json .* inputs: missing key"):
        validate(plan)
