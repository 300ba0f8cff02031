"""Recipes compared on practice digits, of which a part stays locked."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray

from pipeline.analysis.decide import DecideResult, decide
from pipeline.cli import main
from pipeline.plan.decision_plans import decision_plans
from pipeline.plan.plan import Plan
from pipeline.plan.workspace import Workspace
from pipeline.recipes.file import RECIPE_FOLDER
from pipeline.runs.paired_loss import log_losses
from pipeline.stages.train import train_together
from pipeline.stages.validate import validate
from pipeline.system.errors import PipelineError
from tests.practice_case import arrays_of, copy_practice
from tests.run_files import change_json

SETTINGS = "training.epochs=1"


@pytest.fixture(scope="module")
def made(
    practice_workspace: Workspace, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Workspace, Path]:
    """A place with the digits, and a recipe like ``smoke`` that learns too slowly."""
    folder = tmp_path_factory.mktemp("decide")
    slow = folder / "slow.toml"
    text = (RECIPE_FOLDER / "smoke.toml").read_text(encoding="utf-8")
    assert "learning_rate = 0.01" in text
    slow.write_text(text.replace("learning_rate = 0.01", "learning_rate = 0.001"), "utf-8")
    return copy_practice(practice_workspace, folder), slow


@pytest.fixture(scope="module")
def plans(made: tuple[Workspace, Path]) -> tuple[tuple[Plan, ...], ...]:
    workspace, slow = made
    found = decision_plans(
        workspace, ["smoke", str(slow)], source="practice", overrides=SETTINGS, folds="2"
    )
    each = [plan for of_recipe in found for plan in of_recipe]
    train_together(each)
    with pytest.raises(PipelineError, match="has not been validated"):
        decide(found)
    for plan in each:
        validate(plan)
    return found


@pytest.fixture
def result(plans: tuple[tuple[Plan, ...], ...]) -> DecideResult:
    return decide(plans)


def test_figures_are_those_of_the_runs(
    plans: tuple[tuple[Plan, ...], ...], result: DecideResult
) -> None:
    decision = result.decision
    assert (decision.rows, decision.locked_rows, decision.folds) == (2500, 500, 2)
    assert (decision.kind, decision.seeds) == ("practice", [0, 1])
    losses = []
    for of_recipe, found in zip(plans, decision.recipes, strict=True):
        kept = [arrays_of(plan.workspace.run(plan.run).hold_out) for plan in of_recipe]
        wrong = [
            int((arrays["probabilities"].argmax(axis=1) != arrays["labels"]).sum())
            for arrays in kept
        ]
        assert found.errors == wrong
        assert found.mean_errors == sum(wrong) / 2
        assert found.accuracy == pytest.approx(1 - sum(wrong) / 5000)
        assert found.runs == [plan.run for plan in of_recipe]
        labels = kept[0]["labels"]
        probabilities = np.stack([arrays["probabilities"] for arrays in kept])
        loss = log_losses(labels, probabilities).mean()
        assert found.log_loss == pytest.approx(loss)
        losses.append(loss)
    [contender] = decision.contenders
    assert contender.log_loss.value == pytest.approx(losses[1] - losses[0])
    first, second = (found.mean_errors for found in decision.recipes)
    assert contender.errors.value == pytest.approx(second - first)
    assert contender.errors.value > 100  # it learns too slowly
    assert contender.log_loss.differ
    assert contender.log_loss.low < contender.log_loss.value < contender.log_loss.high


def test_what_differs_is_kept(result: DecideResult) -> None:
    [setting] = result.decision.settings
    assert (setting.key, setting.values) == ("optimizer.learning_rate", ["0.01", "0.001"])


def test_a_second_time_nothing_is_done(
    plans: tuple[tuple[Plan, ...], ...], result: DecideResult
) -> None:
    before = result.path.read_bytes()
    assert decide(plans) == result
    assert result.path.read_bytes() == before
    assert result.path.parent == plans[0][0].workspace.data / "decisions"
    turned = decide(plans[::-1])
    assert turned.path != result.path
    assert turned.decision.contenders[0].errors.value == -result.decision.contenders[0].errors.value


def test_networks_that_were_trained_anew_are_measured_anew(
    plans: tuple[tuple[Plan, ...], ...], result: DecideResult
) -> None:
    change_json(result.path, inputs={**result.decision.inputs, "models": {}}, rows=1)
    assert decide(plans).decision.rows == 2500


def test_runs_that_held_out_other_digits_are_not_compared(
    plans: tuple[tuple[Plan, ...], ...], tmp_path: Path
) -> None:
    workspace = copy_practice(plans[0][0].workspace, tmp_path)
    moved = [[replace(plan, workspace=workspace) for plan in of_recipe] for of_recipe in plans]
    for other in (moved[0][1:], moved[1]):  # another seed, another recipe
        before = {
            workspace.run(plan.run).hold_out: arrays_of(workspace.run(plan.run).hold_out)
            for plan in other
        }
        for kept, arrays in before.items():
            _save(kept, arrays | {"rows": arrays["rows"] + (arrays["rows"] > 1000)})
        with pytest.raises(PipelineError, match=f"^{other[0].run} held out other digits than"):
            decide(moved)
        for kept, arrays in before.items():
            _save(kept, arrays)
    assert decide(moved).decision.rows == 2500


def _save(path: Path, arrays: dict[str, NDArray[Any]]) -> None:
    with path.open("wb") as stream:
        np.savez(stream, allow_pickle=False, **arrays)


def test_as_a_command_and_of_an_edited_recipe_again(
    made: tuple[Workspace, Path], plans: tuple[tuple[Plan, ...], ...], tmp_path: Path
) -> None:
    workspace, mine = made[0], tmp_path / "mine.toml"
    text = made[1].read_text(encoding="utf-8")

    def run(content: str) -> tuple[str, set[Path]]:
        mine.write_text(content, encoding="utf-8")
        arguments = ["decide", "smoke", str(mine), "--source", "practice", "--set", SETTINGS]
        arguments += ["--folds", "2", "--seeds", "1", "--data", str(workspace.data)]
        done = CliRunner().invoke(main, arguments)
        assert (done.exit_code, done.stderr) == (0, "")
        kept = set(workspace.all_decisions())
        return done.stdout, {path for path in kept if path.name.startswith("practice-smoke~mine-")}

    shown, kept = run(text)
    lines = shown.splitlines()
    assert "  network 4 of 4: " in "\n".join(lines)
    assert lines.count("  is trained already") == 2  # those of smoke, by the seed 0
    first = next(place for place, line in enumerate(lines) if line.startswith("decide: "))
    assert lines[first] == (
        "decide: 2 recipes on 2,500 practice digits, each read by networks that never saw it "
        "(2 folds, seed 0)"
    )
    assert [line.split()[0] for line in lines[first + 1 : first + 4]] == ["recipe", "smoke", "mine"]
    assert lines[-1] == f"  kept  {next(iter(kept))}"
    again, still = run(text)
    assert again.splitlines()[-9:] == lines[-9:]
    assert again.count("is trained already") == 4
    assert still == kept
    _, both = run(text.replace("learning_rate = 0.001", "learning_rate = 0.002"))
    assert kept < both
    assert len(both) == 2
