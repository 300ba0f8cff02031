"""A run that has learnt nothing is told of, and an honest one that has learnt little is not."""

import json
from pathlib import Path

import numpy as np
import pytest

from pipeline.cli.show.console import make_console
from pipeline.cli.show.runs import show_runs
from pipeline.plan.workspace import Workspace
from pipeline.runs.doubts import doubt, doubt_of
from pipeline.runs.listing import list_runs
from pipeline.runs.metrics import accuracy_of, measure
from pipeline.stages.submission import submission
from pipeline.stages.summary import summary
from pipeline.stages.train import train
from pipeline.stages.validate import validate
from pipeline.system.files import read_json
from tests.practice_case import copy_practice, plan_of


@pytest.mark.parametrize(
    ("correct", "rows", "most_frequent", "doubtful"),
    [
        (42, 300, 0.11, True),
        (70, 300, 0.11, True),
        (90, 300, 0.11, False),
        (880, 4_200, 0.11, True),
        (1_000, 4_200, 0.11, False),
        (3, 10, 0.1, True),  # may be luck
        (6, 10, 0.1, False),
        (90, 100, 0.9, True),  # nine of ten are the same digit
        (99, 100, 0.9, False),
        (1, 1, 1.0, True),
        (3, 3, 1 / 3, False),
    ],
)
def test_how_many_must_be_right(
    correct: int, rows: int, most_frequent: float, *, doubtful: bool
) -> None:
    found = doubt(accuracy_of(correct, rows), 1.0, most_frequent=most_frequent)
    assert bool(found) == doubtful
    if doubtful:
        assert f"{correct:,} of {rows:,} held-out digits right" in found


@pytest.mark.parametrize(("loss", "doubtful"), [(2.4, False), (10.0, False), (31.0, True)])
def test_a_loss_that_exploded(loss: float, *, doubtful: bool) -> None:
    found = doubt(accuracy_of(290, 300), loss, most_frequent=0.11)
    assert ("its training has exploded: a loss of 31 on held-out digits" in found) == doubtful


def test_of_a_second_network_its_own_loss_tells() -> None:
    labels = np.arange(100) % 10
    metrics = measure(labels, np.eye(10)[labels], rows=np.arange(100))
    assert doubt_of(metrics, {"refit": None}) == ""
    assert doubt_of(metrics, {"refit": {"training_loss": 0.1}}) == ""
    assert "second network has exploded: a loss of 3.8e+19" in doubt_of(
        metrics, {"refit": {"training_loss": 3.8e19}}
    )


def test_a_run_that_was_wrecked_by_its_learning_rate(
    practice_workspace: Workspace, tmp_path: Path
) -> None:
    workspace = copy_practice(practice_workspace, tmp_path)
    plan = plan_of(workspace, overrides="optimizer.learning_rate=1e6 training.epochs=1")
    with np.errstate(all="ignore"):
        train(plan)
        said = validate(plan).doubt
        assert "exploded" in said or "hardly better than guessing" in said
        assert submission(plan).doubt == said
    assert json.loads(workspace.submission_record(plan.run).read_text())["doubt"] == said
    assert f"!! {said[0].upper()}{said[1:]}." in summary(plan).text
    [row] = list_runs(workspace)
    assert row.doubt == said
    with (tmp_path / "shown").open("w") as stream:
        show_runs(make_console(stream), [row])
    assert f"!! {plan.run}: {said}" in (tmp_path / "shown").read_text()


def test_an_honest_short_run_has_none(practice_workspace: Workspace, tmp_path: Path) -> None:
    workspace = copy_practice(practice_workspace, tmp_path)
    plan = plan_of(workspace, overrides="training.epochs=1")
    train(plan)
    assert validate(plan).doubt == ""
    assert submission(plan).doubt == ""
    assert read_json(workspace.submission_record(plan.run))["doubt"] is None
    assert "!! It" not in summary(plan).text
    assert list_runs(workspace)[0].doubt == ""
