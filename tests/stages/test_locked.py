"""What is locked is not opened: a run is the same whatever its locked digits look like."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.analysis.look import errors, look
from pipeline.analysis.report import report
from pipeline.plan.plan import Plan
from pipeline.plan.workspace import Workspace
from pipeline.runs.ensemble import locked_rows
from pipeline.runs.run import read_run
from pipeline.stages.train import train
from pipeline.stages.validate import validate
from pipeline.system import files
from pipeline.system.array_files import save_array
from tests.practice_case import arrays_of, assert_same_model, copy_practice, plan_of
from tests.run_files import change_json

SETTINGS = "training.epochs=1 split.hold_out=600 split.locked=0.25 split.refit=true"


def finished(workspace: Workspace) -> Plan:
    plan = plan_of(workspace, overrides=SETTINGS)
    train(plan)
    validate(plan)
    report(plan)
    return plan


@pytest.fixture(scope="module")
def plan(practice_workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Plan:
    return finished(copy_practice(practice_workspace, tmp_path_factory.mktemp("locked")))


def test_nothing_depends_on_what_is_locked(plan: Plan, tmp_path: Path) -> None:
    locked = locked_rows(plan.workspace.processed("practice"), read_run(plan))
    assert len(locked) == 750
    other = copy_practice(plan.workspace, tmp_path)
    processed = other.processed("practice")
    images = np.load(processed.train_images)
    images[locked] = 255 - images[locked]
    processed.train_images.unlink()  # it may be a link
    save_array(processed.train_images, images)
    arrays = files.read_json(processed.manifest)["arrays"]
    arrays["train_images"]["sha256"] = files.sha256(processed.train_images)
    change_json(processed.manifest, arrays=arrays)
    again = finished(other)
    first, second = (each.workspace.run(each.run) for each in (plan, again))
    assert_same_model(first, second)
    for name in ("refit.npz", "hold_out.npz"):
        expected, found = (arrays_of(run.folder / name) for run in (first, second))
        for key in expected:
            np.testing.assert_array_equal(found[key], expected[key])
    kept = [np.load(run.train_probabilities) for run in (first, second)]
    np.testing.assert_array_equal(kept[0], kept[1])
    assert (kept[0][locked] == np.float32(0.1)).all()
    assert files.read_json(first.training)["refit"]["rows"] == 2250


def test_a_locked_digit_is_shown_and_not_read(plan: Plan) -> None:
    processed = plan.workspace.processed("practice")
    locked = set(locked_rows(processed, read_run(plan)).tolist())
    for row in range(20):
        result = look(plan, row)
        assert result.locked == (row in locked)
        assert (result.reading is None) == (row in locked)
    assert 0 < len(locked & set(range(20))) < 20
    assert not {shown.answer.row for shown in errors(plan, count=1000).shown} & locked


def test_no_network_of_an_ensemble_reads_what_is_locked(
    practice_workspace: Workspace,
    tmp_path: Path,
) -> None:
    workspace = copy_practice(practice_workspace, tmp_path)
    plan = plan_of(workspace, overrides="training.epochs=1 split.locked=0.25", folds=2)
    train(plan)
    held_out = validate(plan).metrics.accuracy
    assert held_out.rows == 2250
    locked = locked_rows(workspace.processed("practice"), read_run(plan))
    rows = arrays_of(workspace.run(plan.run).hold_out)["rows"]
    np.testing.assert_array_equal(np.union1d(rows, locked), np.arange(3000))
    result = look(plan, int(locked[0]))
    assert (result.locked, result.reading) == (True, None)
