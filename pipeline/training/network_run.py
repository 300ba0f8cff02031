"""The run of one network: trained, perhaps again on all rows, measured, and recorded."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline import nn
from pipeline.digits import dataset
from pipeline.digits.dataset import Labelled
from pipeline.digits.folds import Split, find_split
from pipeline.nn import Examples, Network, Score, Training
from pipeline.plan.plan import Plan
from pipeline.plan.requests import record_request
from pipeline.plan.workspace import RunFolder
from pipeline.recipes.recipe import Recipe, read_recipe
from pipeline.system import due, files, locks, provenance
from pipeline.system.errors import PipelineError
from pipeline.system.reporter import TrainStart, reporter
from pipeline.training import prediction
from pipeline.training.calibration import fit_temperature
from pipeline.training.checkpoint import save_model
from pipeline.training.fitting import (
    History,
    fit,
    make_training,
    resume,
    workers_for,
)
from pipeline.training.prediction import Model
from pipeline.training.records import NetworkTrainingRecord

# One number needs no more digits than these, and fitting takes some hundred bytes for each.
ENOUGH_ROWS = 20_000


@dataclass(frozen=True)
class Trained:
    """A run that is trained: its training.json, and whether it was there already."""

    record: dict[str, Any]
    unchanged: bool


def train_network(plan: Plan, *, force: bool, recipe: Recipe | None = None) -> Trained:
    """Train one network's run, or go on with it, unless it is trained already.

    recipe: that of a record, to train by instead of what the plan's file says today.
    After an interruption at any time the weights end with the same bits as without one.
    Raises PipelineError if the arrays are missing, the recipe is wrong or training diverges.
    """
    recipe = recipe or resolve_recipe(plan)
    processed = plan.workspace.processed(plan.source.name)
    run = plan.workspace.run(plan.run)
    with locks.locked(run.folder):
        with dataset.locked(processed):
            manifest = dataset.read_manifest(processed)
            inputs = inputs_of(manifest, recipe)
            found = None if force else current_training(plan, inputs)
            if found is not None:
                return Trained(found, unchanged=True)
            digits = dataset.load_labelled(processed)
            split = find_split(digits.labels, processed.folds, recipe.split.record)
            checksum = files.sha256(split.path)
        if force:
            remove_checkpoints(run)
        work = _Work(plan, recipe, inputs, digits, split, checksum)
        return Trained(work.run_all(manifest["raw"]), unchanged=False)


def inputs_of(manifest: Mapping[str, Any], recipe: Recipe) -> dict[str, Any]:
    """Return what a network is made of, as its record and its checkpoints keep it.

    manifest: of the arrays.
    """
    data = {name: manifest["arrays"][name]["sha256"] for name in ("train_images", "train_labels")}
    return {"data": data, "recipe": identifying(recipe), "arithmetic": nn.ARITHMETIC}


def current_training(plan: Plan, inputs: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the record of the plan's run if it was made of ``inputs`` and its files are whole."""
    run = plan.workspace.run(plan.run)
    record = due.current_record(run.training, inputs, shape=NetworkTrainingRecord)
    if record is not None:
        record_request(plan)
        remove_checkpoints(run)  # if killed just before that, after the record
    return record


def resolve_recipe(plan: Plan) -> Recipe:
    """Return the recipe that the plan's file, seed, overrides and fold make today."""
    fold = None if plan.fold is None or plan.folds is None else (plan.fold, plan.folds)
    return read_recipe(plan.recipe, seed=plan.seed, overrides=plan.overrides, fold=fold)


def identifying(recipe: Recipe) -> dict[str, Any]:
    """Return the recipe as a record's inputs keep it: all that makes it another experiment."""
    return recipe.model_dump(mode="json", exclude={"description"})


def examples(digits: Labelled, rows: prediction.Array) -> Examples:
    """Return these rows of the labelled digits.

    rows: (n,) whole numbers.
    """
    # The images stay the map that they are: of a large one, rows are read past it.
    return Examples(digits.images, np.asarray(digits.labels), rows)


def calibrate(network: Network, views: int, held_out: Examples) -> Model:
    """Return the model of a trained network, with the temperature that fits the held-out digits."""
    rows = held_out.rows[:: -(-len(held_out.rows) // ENOUGH_ROWS)]
    probabilities = prediction.predict(Model(network), held_out.images, rows)
    return Model(network, views, fit_temperature(held_out.labels[rows], probabilities))


def measure(model: Model, held_out: Examples) -> tuple[float, float]:
    """Return mean cross-entropy and accuracy of a trained network, with all of its views."""
    score = Score(held_out.labels[held_out.rows])
    for probabilities in prediction.predict_in_turn(model, held_out.images, held_out.rows):
        score.add(probabilities)
    return score.log_loss, score.accuracy


def remove_checkpoints(run: RunFolder) -> None:
    """Remove the states in mid-training of both networks."""
    run.checkpoint.unlink(missing_ok=True)
    run.refit_checkpoint.unlink(missing_ok=True)


@dataclass
class _Work:
    """Training one run: its network, perhaps a second one on all rows, and the record."""

    plan: Plan
    recipe: Recipe
    inputs: dict[str, Any]
    digits: Labelled
    split: Split
    split_sha256: str

    def run_all(self, raw_manifest: dict[str, Any]) -> dict[str, Any]:
        """Train, save and measure; return the record, which is written last.

        The first checkpoint stays until then, so that an interruption of the second network
        costs nothing of the first.
        """
        run, recipe, split = self.folder, self.recipe, self.split
        # Of the code that is loaded and the file that was read, not of later ones.
        environment = provenance.environment()
        file_record = provenance.file_record(self.plan.recipe.path, self.plan.recipe.sha256)
        training = self._make_training()
        record_request(self.plan)
        history = resume(training, run.checkpoint, self.inputs)
        files.write_json(run.recipe, recipe.model_dump(mode="json"))
        train, held_out = self._examples(split.training_rows), self._examples(split.hold_out_rows)
        self._fit(training, train, held_out, history)
        model = calibrate(training.network, recipe.prediction.views, held_out)
        save_model(run.model, model)
        loss, accuracy = measure(model, held_out)
        epochs = history.kept_epoch(patience=recipe.training.patience)
        refit = self._refit(epochs, model.temperature)
        record = {
            "stage": "train",
            "inputs": self.inputs,
            "outputs": due.checksums(run.recipe, run.history, run.model, run.refit),
            "run": run.name,
            "recipe_name": self.plan.recipe_name,
            "recipe_file": file_record,
            "overrides": list(self.plan.overrides),
            "seed": recipe.seed,
            "model_sha256": files.sha256(run.model),
            "refit": refit,
            "parameters": training.network.parameter_count,
            "split": {
                **recipe.split.record,
                "training_rows": len(split.training_rows),
                "hold_out_rows": len(split.hold_out_rows),
                "file": split.path.name,
                "sha256": self.split_sha256,
            },
            "epochs": epochs,
            "hold_out_accuracy": accuracy,
            "hold_out_loss": loss,
            "temperature": round(model.temperature, 4),
            "seconds": round(history.seconds + (refit["seconds"] if refit else 0), 3),
            "images_per_second": history.images_per_second,
            "data": raw_manifest,
            "environment": environment,
            "finished_at": provenance.now(),
        }
        files.write_json(run.training, record)
        remove_checkpoints(run)
        return record

    @property
    def folder(self) -> RunFolder:
        return self.plan.workspace.run(self.plan.run)

    def _refit(self, epochs: int, temperature: float) -> dict[str, Any] | None:
        """Train the second network, if the recipe asks for one; return what the record says.

        temperature: of the first one, since nothing is left to fit another on.
        """
        run, split = self.folder, self.split
        if not self.recipe.split.refit:
            run.refit.unlink(missing_ok=True)
            return None
        everything = self._examples(np.union1d(split.training_rows, split.hold_out_rows))
        training = self._make_training(holds_out=False)
        inputs = self.inputs | {"refit_epochs": epochs}
        history = resume(training, run.refit_checkpoint, inputs)
        self._fit(training, everything, None, history, inputs=inputs, until=epochs)
        model = Model(training.network, self.recipe.prediction.views, temperature)
        save_model(run.refit, model)
        return {
            "model_sha256": files.sha256(run.refit),
            "seconds": round(history.seconds, 3),
            "rows": len(everything.rows),
            "training_loss": history.column("training_loss")[-1],
        }

    def _make_training(self, *, holds_out: bool = True) -> Training:
        try:
            rows = len(self.split.training_rows)
            return make_training(self.recipe, rows, holds_out=holds_out)
        except (ValueError, MemoryError) as error:
            raise PipelineError(f"{self.plan.recipe}: {error}") from None

    def _examples(self, rows: prediction.Array) -> Examples:
        return examples(self.digits, rows)

    def _fit(
        self,
        training: Training,
        train: Examples,
        hold_out: Examples | None,
        history: History,
        *,
        inputs: dict[str, Any] | None = None,
        until: int | None = None,
    ) -> None:
        """Fit one network, and report on it."""
        run, is_refit = self.folder, hold_out is None
        reporter().start(
            TrainStart(
                run=run.name,
                recipe=self.plan.recipe_name,
                parameters=training.network.parameter_count,
                epochs=until or training.settings.epochs,
                epochs_done=training.epoch,
                training_rows=len(train.rows),
                hold_out_rows=len(hold_out.rows) if hold_out else 0,
                workers=workers_for(training),
                refit=is_refit,
                networks=1 + self.recipe.split.refit,
                may_stop_early=training.settings.patience > 0,
            )
        )
        try:
            fit(
                training,
                train,
                hold_out,
                history,
                checkpoint=run.refit_checkpoint if is_refit else run.checkpoint,
                inputs=inputs or self.inputs,
                until=until,
                history_csv=None if is_refit else run.history,
                watch=reporter().epoch,
                progress=reporter().step,
            )
        except FloatingPointError as error:
            rates = [name for name in type(self.recipe.optimizer).model_fields if "rate" in name]
            raise PipelineError(
                f"Training of {run.name} diverged: {error}",
                remedy=f"Lower the recipe's optimizer.{' or optimizer.'.join(rates)}.",
            ) from None
        reporter().end()
