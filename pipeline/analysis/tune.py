"""Stage tune: a search for better values of a recipe's settings, and the recipe that it ends in."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from pipeline.digits import dataset
from pipeline.digits.folds import find_split
from pipeline.pages.tuning_page import tuning_page
from pipeline.plan.members import members_of
from pipeline.plan.plan import Plan
from pipeline.plan.workspace import TuningFolder
from pipeline.recipes.recipe import Recipe, with_settings
from pipeline.recipes.toml_text import recipe_text
from pipeline.runs.records import TuningRecord
from pipeline.system import files, locks, provenance, records
from pipeline.system.errors import PipelineError
from pipeline.training.network_run import inputs_of, resolve_recipe
from pipeline.training.search import require_optuna
from pipeline.training.search.outcome import Dimension, Outcome, claim, dimensions_of
from pipeline.training.search.trial import Digits

# Types only: both import optuna, which is an extra.
if TYPE_CHECKING:
    from pipeline.training.search.study import Search

EXAMPLE = 'Example: [tune.ranges] "optimizer.learning_rate" = { low = 0.001, high = 0.1 }'


@dataclass(frozen=True)
class TuneResult:
    """A finished search.

    unchanged: whether there was nothing to do.  storage: where the trials are, without a password.
    source: what to give as SOURCE to train on the same digits.
    """

    unchanged: bool
    outcome: Outcome
    folder: TuningFolder
    storage: str
    source: str


def tune(
    plan: Plan,
    *,
    trials: int | None = None,
    storage: str | None = None,
) -> TuneResult:
    """Search the ranges of the plan's recipe, or go on with it, and write the recipe with the best.

    Networks learn from the recipe's own training rows and are measured on those it holds out; the
    test digits are never opened. Any number of processes may work on the same search.
    trials: how many there are to be in all (default: the recipe's own number).
    storage: the address of a database (default: an SQLite file in the search's folder).
    Raises PipelineError if optuna or the ranges are missing, the recipe is wrong, the storage
    fails, or no trial could be trained.
    """
    require_optuna()
    from pipeline.training.search.importance import importances  # noqa: PLC0415  (an extra

    recipe, dimensions = _recipe_with_ranges(plan)
    assert recipe.tune is not None
    processed = plan.workspace.processed(plan.source.name)
    with dataset.locked(processed):
        manifest = dataset.read_manifest(processed)
        split = find_split(processed, recipe.split.record)
        digits = Digits(dataset.load_labelled(processed), split)
    ranges = recipe.tune.model_dump(mode="json", include={"objective", "ranges"})
    inputs = {**inputs_of(manifest, recipe), "tune": ranges}
    folder = plan.workspace.tuning(f"{plan.run}-{_checksum(inputs)}")
    try:
        digits.training(recipe)
    except (ValueError, MemoryError) as error:
        raise PipelineError(f"{plan.recipe}: {error}") from None
    search = _open(folder, recipe, dimensions, digits, storage=storage)
    search.trials = trials or recipe.tune.trials
    found = search.run()
    if not any(trial.state == "complete" for trial in found):
        raise PipelineError(
            f"None of {len(found)} trials could be trained: {found[0].reason or 'all were pruned'}",
            remedy="Look at the recipe and at its ranges.",
        )
    with locks.locked(folder.folder):
        inputs["trials"] = [asdict(trial) for trial in found]
        unchanged = provenance.is_current(folder.record, inputs, [folder.recipe, folder.page])
        outcome = Outcome(
            study=folder.name,
            recipe=plan.recipe_name,
            description=recipe.description,
            digits=manifest["raw"]["kind"],
            seed=recipe.seed,
            objective=recipe.tune.objective,
            dimensions=dimensions,
            trials=found,
            hold_out_rows=len(digits.split.hold_out_rows),
            importances=records.read(folder.record, TuningRecord)["importances"]
            if unchanged
            else importances(search.study),
        )
        if not unchanged:
            _write(folder, recipe, outcome, inputs, storage=search.storage.text)
    return TuneResult(unchanged, outcome, folder, search.storage.text, plan.source.text)


def _recipe_with_ranges(plan: Plan) -> tuple[Recipe, list[Dimension]]:
    if plan.blend or members_of(plan):
        raise PipelineError(
            f"{plan.run} is an ensemble, which has no settings to search",
            remedy="Search those of a member's recipe, without FOLDS.",
        )
    recipe = resolve_recipe(plan)
    if recipe.tune is None:
        raise PipelineError(
            f"{plan.recipe} has no ranges to search: it needs a section [tune]", remedy=EXAMPLE
        )
    try:
        return recipe, dimensions_of(recipe)
    except ValueError as error:
        raise PipelineError(
            f"{plan.recipe}: {error}", remedy="Change the range, or what SET says."
        ) from None


def _open(
    folder: TuningFolder,
    recipe: Recipe,
    dimensions: Sequence[Dimension],
    digits: Digits,
    *,
    storage: str | None,
) -> Search:
    """Open the study, or make it; one process at a time, because a new storage needs its tables."""
    import optuna  # noqa: PLC0415  (an extra)

    from pipeline.training.search.storage import Place  # noqa: PLC0415
    from pipeline.training.search.study import Search, pruner, quiet  # noqa: PLC0415

    assert recipe.tune is not None
    place = Place(storage, folder.study)
    with locks.locked(folder.folder), quiet():
        opened = place.open()
        with place.guarded():
            study = optuna.create_study(
                storage=opened,
                pruner=pruner(),
                study_name=folder.name,
                direction="maximize" if recipe.tune.objective == "accuracy" else "minimize",
                load_if_exists=True,
            )
    return Search(study, place, recipe, dimensions, digits, recipe.tune.trials)


def _write(
    folder: TuningFolder,
    recipe: Recipe,
    outcome: Outcome,
    inputs: Mapping[str, Any],
    *,
    storage: str,
) -> None:
    """Write the tuned recipe, the page, and last the record."""
    tuned = with_settings(recipe, outcome.best.settings).model_copy(update={"tune": recipe.tune})
    files.write_text(folder.recipe, f"{claim(outcome)}\n{recipe_text(tuned)}")
    files.write_text(folder.page, tuning_page(outcome))
    files.write_json(
        folder.record,
        {
            "stage": "tune",
            "inputs": inputs,
            "study": folder.name,
            "storage": storage,
            "best": outcome.best.place,
            "importances": outcome.importances,
            "environment": provenance.environment(),
            "finished_at": provenance.now(),
        },
    )


def _checksum(inputs: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()[:8]
