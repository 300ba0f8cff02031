"""SEEDS is how many seeds, or which; each one's run is that of SEED."""

from pathlib import Path

import pytest

from pipeline.plan.seed_plans import parse_seeds, seed_plans
from pipeline.plan.workspace import Workspace
from pipeline.system.errors import PipelineError
from tests.practice_case import plan_of


@pytest.mark.parametrize(
    ("text", "seeds"),
    [
        (None, (0, 1, 2)),
        ("", (0, 1, 2)),
        ("2", (0, 1)),
        ("0 3 7", (0, 3, 7)),
        (" 5  4 ", (5, 4)),
    ],
)
def test_how_many_or_which(text: str | None, seeds: tuple[int, ...]) -> None:
    assert parse_seeds(text) == seeds


@pytest.mark.parametrize("text", ["0", "three", "-1", "1 1", "1 two", "1,2"])
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(PipelineError, match=f"SEEDS={text}: neither how many seeds nor seeds"):
        parse_seeds(text)


@pytest.mark.parametrize("text", ["300000000", "1001", " ".join(map(str, range(1001)))])
def test_more_than_anybody_trains_are_refused_before_they_are_counted_out(text: str) -> None:
    with pytest.raises(PipelineError, match="more than 1,000 trainings"):
        parse_seeds(text)
    assert len(parse_seeds("1000")) == 1_000


def test_the_runs_are_those_of_each_seed_by_itself(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "data", tmp_path / "submissions")
    given = {"overrides": "training.epochs=2", "folds": 3}
    plans = seed_plans(plan_of(workspace, **given), (0, 7))
    assert plans == tuple(plan_of(workspace, **given, seed=seed) for seed in (0, 7))


def test_what_means_nothing_beside_seeds_is_refused(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "data", tmp_path / "submissions")
    for plan, text in (
        (plan_of(workspace, seed=3), "SEED=3"),
        (plan_of(workspace, run="mine"), "RUN=mine"),
    ):
        with pytest.raises(PipelineError, match=text):
            seed_plans(plan, (0, 1))
