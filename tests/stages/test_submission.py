import os
from pathlib import Path

import numpy as np
import pytest

from pipeline import nn
from pipeline.analysis.check import check
from pipeline.kaggle import submission_csv
from pipeline.kaggle.submission_csv import check_submission, read_submission, write_submission
from pipeline.plan.plan import Plan
from pipeline.stages.submission import submission
from pipeline.stages.validate import validate
from pipeline.system import files
from pipeline.system.errors import PipelineError
from pipeline.training import prediction
from tests.run_files import Digits, change_json, make_digits, make_run, use_stand_in_network


@pytest.fixture(autouse=True)
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    return use_stand_in_network(monkeypatch)


@pytest.fixture
def digits(tmp_path: Path) -> Digits:
    return make_digits(tmp_path, wrong=[1, 2], wrong_test=[0])


@pytest.fixture
def plan(digits: Digits, loaded: list[Path]) -> Plan:
    plan = make_run(digits)
    validate(plan)
    loaded.clear()
    return plan


def test_the_test_digits_are_predicted_in_order(plan: Plan, digits: Digits) -> None:
    result = submission(plan)
    expected = [1, *digits.test_labels[1:]]
    assert read_submission(result.csv, test_rows=30) == expected
    assert result.csv == plan.workspace.submission("run")
    assert result.rows == 30
    assert result.predicted_counts == tuple(np.bincount(expected, minlength=10).tolist())
    probabilities = np.load(plan.workspace.run("run").test_probabilities)
    assert probabilities.shape == (30, 10)
    assert probabilities.dtype == np.float32
    assert not result.unchanged


def test_the_record_says_where_the_csv_comes_from(plan: Plan, digits: Digits) -> None:
    result = submission(plan)
    record = files.read_json(plan.workspace.submission_record("run"))
    model = files.sha256(plan.workspace.run("run").model)
    test_images = digits.manifest["arrays"]["test_images"]["sha256"]
    assert record["stage"] == "submission"
    assert record["inputs"] == {
        "model": model,
        "test_images": test_images,
        "arithmetic": nn.ARITHMETIC,
        "views": prediction.VERSION,
        "csv": submission_csv.VERSION,
    }
    assert record["csv_sha256"] == files.sha256(result.csv)
    assert record["test_csv"] == {"sha256": "b", "bytes": 1, "rows": 30}
    assert record["hold_out"]["accuracy"] == result.hold_out.value
    assert set(record["hold_out"]) == {"accuracy", "low", "high", "rows"}
    found = {key: record[key] for key in ("run", "rows", "recipe", "seed", "source", "kind")}
    assert found == {
        "run": "run",
        "rows": 30,
        "recipe": "mlp",
        "seed": 0,
        "source": "kaggle",
        "kind": "competition",
    }
    assert record["commit"] == "0123456789abcdef"
    assert record["environment"]["numpy"] == np.__version__


def test_a_training_outside_of_a_clone_has_no_commit(plan: Plan) -> None:
    change_json(plan.workspace.run("run").training, environment={"cores": 2})
    submission(plan)
    record = files.read_json(plan.workspace.submission_record("run"))
    assert (record["commit"], record["dirty"]) == (None, None)


def test_a_second_time_nothing_is_done(plan: Plan, loaded: list[Path]) -> None:
    first = submission(plan)
    os.utime(first.csv, (1, 1))
    again = submission(plan)
    assert again.unchanged
    assert again.predicted_counts == first.predicted_counts
    assert len(loaded) == 1
    assert first.csv.stat().st_mtime == 1


def test_an_edited_csv_and_force_do_it_again(plan: Plan, digits: Digits) -> None:
    csv = submission(plan).csv
    write_submission(csv, [0] * 30)
    assert not submission(plan).unchanged
    assert read_submission(csv, test_rows=30)[1:] == digits.test_labels[1:]
    assert not submission(plan, force=True).unchanged


def test_a_new_measurement_of_the_model_is_taken_over(plan: Plan) -> None:
    submission(plan)
    validation = plan.workspace.run("run").validation
    accuracy = files.read_json(validation)["accuracy"]
    change_json(validation, accuracy={**accuracy, "low": 0.123})
    assert not submission(plan).unchanged
    record = files.read_json(plan.workspace.submission_record("run"))
    assert record["hold_out"]["low"] == 0.123


def test_a_run_that_is_not_validated_names_the_stage(plan: Plan) -> None:
    plan.workspace.run("run").validation.unlink()
    with pytest.raises(PipelineError, match="Run run has not been validated") as failure:
        submission(plan)
    assert failure.value.remedy == "Run: make validate RUN=run"


def test_the_validation_of_an_earlier_model_does_not_count(plan: Plan) -> None:
    run = plan.workspace.run("run")
    run.model.write_bytes(b"trained again")
    change_json(run.training, model_sha256=files.sha256(run.model))
    with pytest.raises(PipelineError, match="has not been validated"):
        submission(plan)


def test_a_sample_that_does_not_fit_leaves_no_csv(plan: Plan) -> None:
    write_submission(plan.workspace.raw("kaggle").sample_submission, [0] * 29)
    with pytest.raises(PipelineError, match=r"sample_submission.csv ends after line 30"):
        submission(plan)
    assert not plan.workspace.submission("run").exists()
    assert not plan.workspace.run("run").test_probabilities.exists()


def test_without_a_sample_the_rows_of_test_csv_count(plan: Plan) -> None:
    plan.workspace.raw("kaggle").sample_submission.unlink()
    assert submission(plan).rows == 30


def test_arrays_of_another_test_csv_stop_it(plan: Plan) -> None:
    processed = plan.workspace.processed("kaggle")
    manifest = files.read_json(processed.manifest)
    manifest["raw"]["files"]["test.csv"]["rows"] = 31
    files.write_json(processed.manifest, manifest)
    with pytest.raises(PipelineError, match="has 31 rows, but there are 30 test images"):
        submission(plan)
    assert not plan.workspace.submission("run").exists()


def test_only_all_of_the_competition_is_for_the_competition(plan: Plan, tmp_path: Path) -> None:
    assert not submission(plan).competition  # 30 rows
    whole = make_run(make_digits(tmp_path / "whole", test_rows=28_000))
    validate(whole)
    result = submission(whole)
    assert result.competition
    assert check_submission(result.csv) == 28_000
    other = make_run(make_digits(tmp_path / "other", test_rows=28_000, kind="practice"))
    validate(other)
    assert not submission(other).competition


def test_check_takes_the_rows_from_the_record_beside_the_csv(plan: Plan, tmp_path: Path) -> None:
    csv = submission(plan).csv
    found = check(csv)
    assert (found.rows, found.competition) == (30, False)
    with pytest.raises(PipelineError, match=r"has 30 rows, but test.csv has 31"):
        check(csv, rows=31)
    alone = tmp_path / "alone.csv"
    alone.write_bytes(csv.read_bytes())
    with pytest.raises(PipelineError, match="28,000"):
        check(alone)
    sample = plan.workspace.raw("kaggle").sample_submission
    assert check(alone, sample=sample).rows == 30


@pytest.mark.parametrize("csv_is_there", [True, False])
@pytest.mark.parametrize(
    "array",
    [
        np.zeros((30, 10), np.float32),
        np.full((30, 10), np.nan, np.float32),
        np.full((29, 10), 0.1, np.float32),
        np.full((30, 10), 0.1),
        np.zeros(0, np.float32),
    ],
    ids=["zeros", "nan", "short", "doubles", "empty"],
)
def test_damaged_probabilities_are_made_again(
    plan: Plan, array: np.ndarray, csv_is_there: bool
) -> None:
    csv = submission(plan).csv
    csv_bytes = csv.read_bytes()
    if not csv_is_there:
        csv.unlink()
    np.save(plan.workspace.run("run").test_probabilities, array)
    again = submission(plan, force=csv_is_there)
    assert not again.unchanged
    assert again.csv.read_bytes() == csv_bytes
