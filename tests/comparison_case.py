"""Runs that were never trained, side by side: what a comparison's page and display are made of."""

from pathlib import Path
from typing import Any

import numpy as np

from pipeline.analysis.compare import CompareResult
from pipeline.pages.comparison_page import ComparedRun, ComparisonEvidence
from pipeline.recipes.file import RECIPE_FOLDER, RecipeFile
from pipeline.recipes.recipe import read_recipe
from pipeline.runs.comparison import compare, short_names
from pipeline.runs.ensemble import HeldOut
from pipeline.runs.listing import RunScore
from pipeline.runs.metrics import Accuracy, accuracy_of
from pipeline.training.fitting import COLUMNS, History

ROWS = 1000


def held_out(*, wrong: int, seed: int) -> HeldOut:
    """A run that misreads so many of the digits; which ones, its seed says."""
    rng = np.random.default_rng(seed)
    labels = (np.arange(ROWS) % 10).astype(np.uint8)
    predictions = labels.copy()
    misread = rng.choice(ROWS, wrong, replace=False)
    predictions[misread] = (labels[misread] + rng.integers(1, 10, wrong)) % 10
    probabilities = np.full((ROWS, 10), 0.01, np.float32)
    probabilities[np.arange(ROWS), predictions] = 0.91
    return HeldOut(np.arange(ROWS), labels, probabilities, np.ones(ROWS, np.int64))


def resolved(name: str, *overrides: str) -> dict[str, Any]:
    recipe = read_recipe(RecipeFile(RECIPE_FOLDER / f"{name}.toml"), overrides=overrides)
    return recipe.model_dump(mode="json")


def history(epochs: int) -> History:
    rows = [
        {"epoch": epoch, "training_loss": 1 / epoch, "hold_out_loss": 1.2 / epoch}
        | {"hold_out_accuracy": 1 - 0.1 / epoch, "learning_rate": 0.01 / epoch}
        for epoch in range(1, epochs + 1)
    ]
    return History([[float(row.get(name, 1.0)) for name in COLUMNS] for row in rows])


def compared(name: str, short: str, hold_out: Accuracy, **fields: Any) -> ComparedRun:
    values = {
        "training": {
            "seconds": 1234.5,
            "parameters": 1_234_567,
            "environment": {"commit": "0123456789abcdef", "dirty": False, "cores": 2},
        },
        "recipe": resolved("mlp"),
        "score": None,
        "history": history(8),
        "readers": (1, 1),
        "networks": 1,
    }
    return ComparedRun(name=name, short=short, hold_out=hold_out, **{**values, **fields})


def make_evidence(wrong: dict[str, int], **fields: dict[str, Any]) -> ComparisonEvidence:
    """Runs that misread so many digits.  fields: what is else about a run, by its name."""
    runs = {
        name: held_out(wrong=count, seed=seed) for seed, (name, count) in enumerate(wrong.items())
    }
    short = short_names(list(wrong))
    found = compare(runs)
    rng = np.random.default_rng(0)
    return ComparisonEvidence(
        runs=tuple(
            compared(name, short[name], accuracy_of(ROWS - count, ROWS), **fields.get(name, {}))
            for name, count in wrong.items()
        ),
        comparison=found,
        pictures={
            digit.row: rng.integers(0, 256, (28, 28), np.uint8) for digit in found.disagreements
        },
        digits="practice digits",
    )


def two_runs(**fields: Any) -> ComparisonEvidence:
    """A good run and a bad one."""
    return make_evidence(
        {"kaggle-quick": 12, "kaggle-mlp": 60},
        **{"kaggle-mlp": {"score": RunScore(0.9712, "leaderboard"), **fields}},
    )


def many_runs() -> ComparisonEvidence:
    """Eight runs, the last two of them ensembles."""
    names = [f"digit-recognizer-0123456789-a-long-name-for-a-run-seed{seed}" for seed in range(6)]
    networks = {
        name: {"recipe": resolved("quick" if seed % 2 else "mlp", f"training.epochs={9 + seed}")}
        for seed, name in enumerate(names)
    }
    members = {"members": [{"run": name, "recipe": networks[name]["recipe"]} for name in names]}
    ensemble = {"history": None, "networks": 6, "readers": (1, 6), "recipe": members}
    wrong = {name: 20 + 3 * seed for seed, name in enumerate(names)}
    return make_evidence(
        wrong | {"digit-recognizer-0123456789-best": 10, "digit-recognizer-0123456789-blend": 25},
        **networks,
        **{"digit-recognizer-0123456789-best": ensemble},
        **{"digit-recognizer-0123456789-blend": ensemble},
    )


def result_of(evidence: ComparisonEvidence) -> CompareResult:
    """What the stage returns of it."""
    path = Path("data/comparisons/a~b.html")
    return CompareResult(evidence.runs, evidence.comparison, path, 123_456)
