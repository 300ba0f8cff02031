"""A run may hold out one of k folds, and is validated on that one."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.digits import folds
from pipeline.plan.plan import Plan
from pipeline.plan.workspace import Workspace
from pipeline.stages.train import train
from pipeline.stages.validate import validate
from pipeline.system import files
from tests.practice_case import copy_practice, plan_of, split_place

RECIPE = Path(__file__).parents[2] / "pipeline" / "recipes" / "smoke.toml"


@pytest.fixture
def plan(practice_workspace: Workspace, tmp_path: Path) -> Plan:
    text = RECIPE.read_text(encoding="utf-8")
    mine = tmp_path / "mine.toml"
    mine.write_text(text.replace("hold_out = 0.2", "folds = 3\nfold = 1\nseed = 4"), "utf-8")
    return plan_of(copy_practice(practice_workspace, tmp_path), recipe=str(mine))


def test_the_fold_is_held_out_and_validated(plan: Plan) -> None:
    result = train(plan)
    processed = plan.workspace.processed("practice")
    expected = folds.k_folds(*split_place(processed), folds=3, seed=4)[1]
    run = plan.workspace.run(plan.run)
    assert files.read_json(run.training)["split"] == {
        "kind": "fold",
        "folds": 3,
        "fold": 1,
        "seed": 4,
        "training_rows": 2000,
        "hold_out_rows": 1000,
        "file": expected.path.name,
        "sha256": files.sha256(expected.path),
    }
    assert result.hold_out_rows == 1000
    measured = validate(plan).metrics.accuracy
    assert (measured.value, measured.rows) == (result.hold_out_accuracy, 1000)
    with np.load(run.hold_out) as stored:
        np.testing.assert_array_equal(stored["rows"], expected.hold_out_rows)
    assert validate(plan).unchanged
