"""Several seeds of one recipe: each a run of its own, and how far apart they are."""

import statistics

import pytest
from click.testing import CliRunner

from pipeline.analysis.seeds import seeds
from pipeline.cli import main
from pipeline.plan.plan import Plan
from pipeline.plan.seed_plans import seed_plans
from pipeline.plan.workspace import Workspace
from pipeline.stages.train import train, train_together
from pipeline.stages.validate import validate
from pipeline.system import files
from pipeline.system.errors import PipelineError
from tests.listeners import heard
from tests.practice_case import copy_practice, plan_of


@pytest.fixture(scope="module")
def plan(practice_workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Plan:
    """A place for runs on the practice digits, with few of them to learn from."""
    workspace = copy_practice(practice_workspace, tmp_path_factory.mktemp("seeds"))
    return plan_of(workspace, overrides="training.epochs=1 split.hold_out=2600")


def test_the_spread_is_that_of_the_runs(plan: Plan) -> None:
    plans = seed_plans(plan, (3, 1))
    with heard() as lines:
        train_together(plans)
    assert lines == [f"seed {number} of 2: {each.run}" for number, each in enumerate(plans, 1)]
    with pytest.raises(PipelineError, match="has not been validated"):
        seeds(plans)
    for each in plans:
        validate(each)
        assert train(each).unchanged
    result = seeds(plans)
    assert [row.seed for row in result.rows] == [3, 1]
    accuracies = [
        files.read_json(plan.workspace.run(each.run).training)["hold_out_accuracy"]
        for each in plans
    ]
    assert accuracies[0] != accuracies[1]
    assert result.hold_out.mean == pytest.approx(statistics.mean(accuracies))
    assert result.hold_out.deviation == pytest.approx(statistics.stdev(accuracies))
    assert (result.hold_out.low, result.hold_out.high) == (min(accuracies), max(accuracies))


def test_ensembles_have_seeds_too(plan: Plan) -> None:
    folds = plan_of(plan.workspace, overrides=" ".join(plan.overrides[:1]), folds=2)
    plans = seed_plans(folds, (0, 1))
    with heard() as lines:
        train_together(plans)
    told = [line.partition(":")[0] for line in lines]
    assert told == [f"network {number} of 4" for number in range(1, 5)]
    for each in plans:
        validate(each)
    assert [row.accuracy.rows for row in seeds(plans).rows] == [3000, 3000]


def test_as_a_command(plan: Plan) -> None:
    workspace = plan.workspace
    arguments = ["seeds", "--source", "practice", "--recipe", "smoke", "--seeds", "2"]
    arguments += ["--set", " ".join(plan.overrides), "--data", str(workspace.data)]
    done = CliRunner().invoke(main, [*arguments, "--submissions", str(workspace.submissions)])
    assert (done.exit_code, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    found = next(number for number, line in enumerate(lines) if line.startswith("seeds: smoke"))
    assert " ± " in lines[found]
    assert "over 2 seeds" in lines[found + 1]
    assert [line.split()[0] for line in lines[found + 2 :]] == ["seed", "0", "1"]
