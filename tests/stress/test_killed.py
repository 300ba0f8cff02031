"""A few kills at random instants, of a training and of a submission on its way."""

from pathlib import Path

import pytest

from pipeline.plan.workspace import Workspace
from tests.stress.killed import killed
from tests.stress.snapshot import differences, left_behind, snapshot


@pytest.mark.parametrize("stage", ["submit", pytest.param("train", marks=pytest.mark.stress)])
def test_a_command_that_was_killed_ends_as_an_undisturbed_one(
    practice_workspace: Workspace, tmp_path: Path, stage: str
) -> None:
    table = killed(
        tmp_path,
        seed=6,
        tell=lambda _: None,
        stages=[stage],
        commands=1,
        scenes=1,
        practice=practice_workspace,
    )
    assert table.failures == []
    assert int(table.rows[0][2]) >= 1


def test_a_snapshot_sees_what_differs_and_not_the_clock(tmp_path: Path) -> None:
    run = tmp_path / "data" / "runs" / "one"
    run.mkdir(parents=True)
    (run / "training.json").write_text(
        '{"finished_at": "now", "refit": {"seconds": 2}, "epochs": 3}'
    )
    (run / "history.csv").write_text("epoch,training_loss,seconds\n1,0.5,7\n")
    before = snapshot(tmp_path)
    (run / "training.json").write_text(
        '{"finished_at": "later", "refit": {"seconds": 1}, "epochs": 3}'
    )
    (run / "history.csv").write_text("epoch,training_loss,seconds\n1,0.5,8\n")
    assert differences(before, snapshot(tmp_path)) == []
    (run / "training.json").write_text('{"refit": {}, "epochs": 4}')
    (run / "history.csv").write_text("epoch,training_loss,seconds\n1,0.6,7\n")
    (run / "model.npz").touch()
    assert differences(before, snapshot(tmp_path)) == [
        "data/runs/one/history.csv differs",
        "data/runs/one/model.npz is left over",
        "data/runs/one/training.json differs",
    ]
    (run / "model.npz").unlink()
    (run / "history.csv").unlink()
    (run / ".one.lock").touch()
    (run / ".model.npz.abcdefgh.tmp").touch()
    assert "data/runs/one/history.csv is missing" in differences(before, snapshot(tmp_path))
    assert left_behind(tmp_path) == [run / ".model.npz.abcdefgh.tmp"]
