"""Stage decide: whether a recipe is better than another one, on digits that no network had seen."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.plan.plan import Plan
from pipeline.recipes.differences import differences
from pipeline.runs.decisions import Contender, DecidedDifference, DecisionRecord
from pipeline.runs.ensemble import HeldOut, locked_rows
from pipeline.runs.paired_accuracy import holm
from pipeline.runs.paired_loss import (
    PairedTest,
    Values,
    errors,
    log_losses,
    paired_test,
)
from pipeline.runs.run import TrainedRun, hold_out_accuracy, read_run
from pipeline.system import due, files, locks, provenance, records
from pipeline.system.errors import PipelineError

VERSION = 1  # of what is measured; raised when it changes
LONGEST_NAME = 40  # characters of recipes' names in that of a file
_SAME = ("rows", "labels", "folds")
_MADE = ("recipe", "data")


@dataclass(frozen=True)
class DecideResult:
    """What was found, and the file that keeps it."""

    decision: DecisionRecord
    path: Path


@dataclass(frozen=True)
class _Read:
    """A recipe's runs, one for each seed, and what they read in the N digits.

    rows, labels, folds: (N,), alike for all seeds.  losses, wrong: (S, N).
    """

    name: str
    runs: list[TrainedRun]
    rows: NDArray[Any]
    labels: NDArray[np.uint8]
    folds: NDArray[np.int64]
    losses: Values
    wrong: NDArray[np.bool_]


def decide(plans: Sequence[Sequence[Plan]]) -> DecideResult:
    """Compare recipes with the first of them, and keep what comes of it.

    plans: for each recipe one of each seed, as ``decision_plans`` made them.
    The same recipes, digits, seeds and folds have one file, which stays as it is if it is current.
    Raises PipelineError if a run is not trained, or not validated since.
    """
    read = [_read(of_recipe, name) for of_recipe, name in zip(plans, _names(plans), strict=True)]
    for found in read[1:]:
        if not all(np.array_equal(getattr(found, at), getattr(read[0], at)) for at in _SAME):
            raise _other_digits(found.runs[0], read[0].runs[0])
    workspace = plans[0][0].workspace
    path = workspace.decision(_file_name(plans, read))
    models = {run.folder.name: run.model_sha256 for found in read for run in found.runs}
    inputs = {"models": models, "version": VERSION}
    with locks.locked(path):
        record = due.current_record(path, inputs, shape=DecisionRecord)
        if record is None:
            record = {"stage": "decide", "inputs": inputs, "outputs": {}, **_measure(plans, read)}
            files.write_json(path, record)
    return DecideResult(records.parse(record, DecisionRecord), path)


def _names(plans: Sequence[Sequence[Plan]]) -> list[str]:
    """What to call the recipes: their names, or where two have the same, what was typed."""
    names = [of_recipe[0].recipe_name for of_recipe in plans]
    return [
        name if names.count(name) == 1 else of_recipe[0].recipe.text
        for name, of_recipe in zip(names, plans, strict=True)
    ]


def _read(plans: Sequence[Plan], name: str) -> _Read:
    runs = [read_run(plan) for plan in plans]
    for run in runs:
        hold_out_accuracy(run)
    held_out = [HeldOut.read(run.folder.hold_out) for run in runs]
    for run, each in zip(runs, held_out, strict=True):
        if not np.array_equal(each.rows, held_out[0].rows):
            raise _other_digits(run, runs[0])
    labels, probabilities = held_out[0].labels, np.stack([each.probabilities for each in held_out])
    folds = np.zeros(len(labels), np.int64)
    for number, member in enumerate(runs[0].members):
        rows = HeldOut.read(member.folder.hold_out).rows
        folds[np.searchsorted(held_out[0].rows, rows)] = number
    return _Read(
        name,
        runs,
        held_out[0].rows,
        labels,
        folds,
        log_losses(labels, probabilities),
        errors(labels, probabilities),
    )


def _other_digits(run: TrainedRun, first: TrainedRun) -> PipelineError:
    return PipelineError(
        f"{run.folder.name} held out other digits than {first.folder.name}: the split that is "
        "kept with the arrays was another one then",
        remedy="Run the same command with FORCE=1, which trains all of them again.",
    )


def _file_name(plans: Sequence[Sequence[Plan]], read: Sequence[_Read]) -> str:
    """A name of the source and the recipes, which is another one for other settings or digits."""
    made = [run.training["inputs"][key] for found in read for run in found.runs for key in _MADE]
    seeds = [plan.seed for plan in plans[0]]
    text = json.dumps([made, seeds], sort_keys=True)
    recipes = "~".join(of_recipe[0].recipe_name for of_recipe in plans)
    checksum = hashlib.sha256(text.encode()).hexdigest()[:8]
    return f"{plans[0][0].source.name}-{recipes[:LONGEST_NAME]}-{checksum}"


def _measure(plans: Sequence[Sequence[Plan]], read: Sequence[_Read]) -> dict[str, Any]:
    first = read[0].runs[0]
    processed = plans[0][0].workspace.processed(plans[0][0].source.name)
    recipes = [found.runs[0].members[0].training["inputs"]["recipe"] for found in read]
    return {
        "kind": first.raw["kind"],
        "rows": len(read[0].rows),
        "locked_rows": len(locked_rows(processed, first)),
        "folds": len(first.members),
        "seeds": [plan.seed for plan in plans[0]],
        "recipes": [_figures(found) for found in read],
        "contenders": [contender.model_dump() for contender in _contenders(read)],
        "settings": [
            {"key": setting.key, "values": list(setting.values)} for setting in differences(recipes)
        ],
        "environment": provenance.environment(),
        "finished_at": provenance.now(),
    }


def _figures(found: _Read) -> dict[str, Any]:
    networks = [network.training["seconds"] for run in found.runs for network in run.members]
    return {
        "recipe": found.name,
        "errors": found.wrong.sum(axis=1).tolist(),
        "accuracy": 1.0 - float(found.wrong.mean()),
        "log_loss": float(found.losses.mean()),
        "seconds": round(float(np.mean(networks)), 3),
        "runs": [run.folder.name for run in found.runs],
    }


def _contenders(read: Sequence[_Read]) -> list[Contender]:
    first, *others = read
    losses = [paired_test(first.losses, other.losses, first.folds) for other in others]
    wrong = [paired_test(first.wrong, other.wrong, first.folds) for other in others]
    rows = len(first.rows)
    return [
        Contender(recipe=other.name, log_loss=loss, errors=error)
        for other, loss, error in zip(others, _kept(losses, 1), _kept(wrong, rows), strict=True)
    ]


def _kept(tests: Sequence[PairedTest], times: int) -> list[DecidedDifference]:
    """The tests as they are kept, corrected for being so many.  times: from a mean to a sum."""
    corrected = holm([test.p_value for test in tests])
    return [
        DecidedDifference(
            value=times * test.difference.value,
            low=times * test.difference.low,
            high=times * test.difference.high,
            p_value=test.p_value,
            corrected=p_value,
            digits_deviation=times * test.digits_deviation,
            networks_deviation=times * test.networks_deviation,
        )
        for test, p_value in zip(tests, corrected, strict=True)
    ]
