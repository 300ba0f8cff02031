"""What a search says of itself: in the recipe, on the page, in the terminal."""

import io
import re
from pathlib import Path

import numpy as np
import optuna
import pytest
from optuna.distributions import BaseDistribution, FloatDistribution

from pipeline.analysis.tune import TuneResult
from pipeline.cli.show.console import make_console
from pipeline.cli.show.progress import TuningDisplay
from pipeline.cli.show.tune import show_tune
from pipeline.pages.tuning_page import tuning_page
from pipeline.plan.workspace import TuningFolder
from pipeline.recipes.file import RecipeFile
from pipeline.recipes.recipe import read_recipe
from pipeline.training.search.importance import LEAST_COMPLETE, importances
from pipeline.training.search.outcome import (
    Outcome,
    State,
    Trial,
    claim,
    dimensions_of,
    trial_text,
)
from pipeline.training.search.study import quiet
from tests.training.search.tuning_case import write_recipe

SETTINGS = {
    "optimizer.learning_rate": 0.01,
    "optimizer.weight_decay": 0.0,
    "training.batch_size": 128,
    "network.layers.2.units": 16,
}


def trial(place: int, loss: float, accuracy: float, state: State = "complete") -> Trial:
    settings = SETTINGS | ({"optimizer.learning_rate": 0.02 + place / 100} if place else {})
    reason = "the loss became nan in epoch 1" if state == "failed" else ""
    return Trial(place, state, settings, loss, accuracy, 0.4, reason)


def outcome_of(folder: Path, *trials: Trial, objective: str = "loss") -> Outcome:
    assert objective in ("loss", "accuracy")
    return Outcome(
        study="practice-small-12345678",
        recipe="small",
        description="A <small> network",
        digits="practice",
        seed=3,
        objective="loss" if objective == "loss" else "accuracy",
        dimensions=dimensions_of(read_recipe(RecipeFile(write_recipe(folder)))),
        trials=trials,
        hold_out_rows=4200,
        importances=None,
    )


def test_the_best_is_the_lowest_loss_or_the_highest_accuracy(tmp_path: Path) -> None:
    trials = (
        trial(0, 0.30, 0.90),
        trial(1, 0.20, 0.90),
        trial(2, 0.25, 0.95),
        trial(3, 0.24, 0.95),
        trial(4, 0.01, 0.99, "pruned"),
    )
    assert outcome_of(tmp_path, *trials).best.place == 1
    assert outcome_of(tmp_path, *trials, objective="accuracy").best.place == 3


def test_claims(tmp_path: Path) -> None:
    own, better = trial(0, 0.3, 0.9), trial(1, 0.2, 0.95)
    pruned, failed = trial(2, 0.1, 0.9, "pruned"), trial(0, 0.3, 0.9, "failed")
    assert claim(outcome_of(tmp_path, own, better, pruned)) == (
        "# Tuned: 0.9500 (loss 0.2000) on 4,200 held-out practice digits, the best of 3 trials "
        "on these same digits, so likely a little too good.\n"
        "# The recipe it came from, small: 0.9000 (loss 0.3000) (same digits, same seed 3)."
    )
    assert "the recipe itself, which none of 1 other trials beat." in claim(
        outcome_of(tmp_path, own, pruned)
    )
    assert claim(outcome_of(tmp_path, failed, better)).endswith("small, could not be trained.")


def study_of(trials: int, *, same: bool = False) -> optuna.Study:
    """The first setting decides nearly all, the second a little, the third nothing."""
    limits: dict[str, BaseDistribution] = {name: FloatDistribution(0, 1) for name in "abc"}
    rng = np.random.default_rng(0)
    with quiet():
        study = optuna.create_study()
        for _ in range(trials):
            params = {name: float(rng.random()) for name in "abc"}
            value = 1.0 if same else params["a"] ** 2 + 0.3 * params["b"]
            study.add_trial(optuna.create_trial(params=params, distributions=limits, value=value))
    return study


def test_importances_find_what_decides() -> None:
    found = importances(study_of(40))
    assert found is not None
    assert list(found) == ["a", "b", "c"]
    assert found["a"] > 0.7
    assert found["c"] < 0.1
    assert sum(found.values()) == pytest.approx(1)
    assert importances(study_of(40)) == found


def test_few_trials_or_equal_ones_tell_nothing() -> None:
    assert importances(study_of(LEAST_COMPLETE - 1)) is None
    assert importances(study_of(20, same=True)) is None


@pytest.mark.parametrize("objective", ["loss", "accuracy"])
def test_the_page(tmp_path: Path, objective: str) -> None:
    trials = (
        trial(0, 0.3, 0.9),
        trial(1, 0.2, 0.95),
        trial(2, 5.0, 0.1),
        trial(3, 0.1, 0.9, "pruned"),
        trial(4, 0.1, 0.9, "failed"),
    )
    outcome = outcome_of(tmp_path, *trials, objective=objective)
    page = tuning_page(outcome)
    assert page == tuning_page(outcome)
    assert "A &lt;small&gt; network" in page
    assert len(re.findall(r"<svg [^>]*role=\"img\"", page)) == 1 + 4  # progress and each setting
    assert "3 complete trials are too few to tell what mattered" in page
    assert "Trial 5: the loss became nan in epoch 1" in page
    assert "The recipe has 0.01, the best trial 0.03." in page
    assert "<title" in page
    assert "http://" not in page.replace("http://www.w3.org/", "")


def test_the_page_of_a_single_trial(tmp_path: Path) -> None:
    assert "1 complete trial is too few" in tuning_page(outcome_of(tmp_path, trial(0, 0.3, 0.9)))


def test_what_the_terminal_shows(tmp_path: Path) -> None:
    stream = io.StringIO()
    console = make_console(stream)
    with TuningDisplay(console) as display:
        display.line(f"{trial_text(trial(1, 0.2, 0.95), 12)}  best so far")
        display.line(trial_text(trial(2, 0.4, 0.85, "pruned"), 12))
        display.line(trial_text(trial(3, 0.4, 0.85, "failed"), 12))
    result = TuneResult(
        False,
        outcome_of(tmp_path, trial(0, 0.3, 0.9), trial(1, 0.2, 0.95)),
        TuningFolder(Path("data/tuning/my study")),
        "postgresql://me:***@host/digits",
        "practice",
    )
    show_tune(console, result)
    rest = "  weight_decay 0.0  batch_size 128  units 16"
    assert stream.getvalue() == (
        f"  trial  2/12  loss 0.2000  accuracy 0.9500  learning_rate 0.03{rest}  best so far\n"
        "  trial  3/12  loss 0.4000  accuracy 0.8500  pruned after 40 %  learning_rate 0.04"
        f"{rest}\n"
        f"  trial  4/12  failed: the loss became nan in epoch 1  learning_rate 0.05{rest}\n"
        "tune: small: 2 trials, 2 complete, 0 pruned, 0 failed\n"
        "                           recipe    best  importance\n"
        "  optimizer.learning_rate    0.01    0.03\n"
        "  optimizer.weight_decay      0.0     0.0\n"
        "  training.batch_size         128     128\n"
        "  network.layers.2.units       16      16\n"
        "  hold-out loss            0.3000  0.2000\n"
        "  hold-out accuracy        0.9000  0.9500\n"
        "  2 complete trials are too few to tell what mattered, or all ended alike.\n"
        "\n"
        "  recipe  data/tuning/my study/tuned.toml\n"
        "  page    data/tuning/my study/tuning.html\n"
        "  trials  postgresql://me:***@host/digits\n"
        "  The best of many on the same digits is likely a little too good.\n"
        "  Another seed shows what it is worth; folds show it better:\n"
        "    make all SOURCE=practice RECIPE='data/tuning/my study/tuned.toml' SEED=4\n"
        "    make all SOURCE=practice RECIPE='data/tuning/my study/tuned.toml' FOLDS=5\n"
    )
