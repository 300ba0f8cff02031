"""Stage train: fit the recipe's network to the training digits, saving its state as it goes."""

import csv
import hashlib
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from pipeline import dataset, files, nn, provenance
from pipeline.checkpoint import Array, load_checkpoint, save_checkpoint, save_model
from pipeline.errors import PipelineError
from pipeline.folds import Split, hold_out
from pipeline.nn import Augmentation, EpochResult, Examples, Network, Settings, Training
from pipeline.plan import Plan
from pipeline.recipe import Recipe, read_recipe
from pipeline.threads import available_cores, single_threaded_blas
from pipeline.workspace import RunFolder

IMAGE_SHAPE = (28, 28, 1)
COLUMNS = tuple(field.name for field in fields(EpochResult))


@dataclass(frozen=True)
class TrainStart:
    """What is known before the first epoch of this call.

    epochs_done: of an interrupted training that is taken up again, else 0.
    """

    run: str
    recipe: str
    parameters: int
    epochs: int
    epochs_done: int
    training_rows: int
    hold_out_rows: int
    workers: int


class Watcher(Protocol):
    """Who is told how training goes."""

    def start(self, start: TrainStart) -> None: ...

    def epoch(self, result: EpochResult) -> None: ...


@dataclass(frozen=True)
class TrainResult:
    """A finished run.  seconds: of training and evaluation, interrupted parts included."""

    unchanged: bool
    run: str
    folder: Path
    epochs: int
    hold_out_accuracy: float
    hold_out_rows: int
    seconds: float
    images_per_second: float


def train(
    plan: Plan,
    *,
    force: bool = False,
    tell: Callable[[str], None] | None = None,
    watcher: Watcher | None = None,
) -> TrainResult:
    """Train the plan's run, or go on with it where it was interrupted.

    After an interruption at any time the weights end with the same bits as without one.
    Raises PipelineError if the arrays are missing, the recipe is wrong or training diverges.
    """
    recipe = read_recipe(plan.recipe, seed=plan.seed, overrides=plan.overrides)
    processed = plan.workspace.processed(plan.source.name)
    run = plan.workspace.run(plan.run)
    with files.locked(run.folder, waiting=tell):
        manifest = dataset.read_manifest(processed)
        inputs = {
            "data": {
                name: manifest["arrays"][name]["sha256"]
                for name in ("train_images", "train_labels")
            },
            "recipe": recipe.model_dump(mode="json", exclude={"description"}),
            "code": code_checksum(),
        }
        unchanged = not force and provenance.is_current(run.training, inputs, [run.model])
        if unchanged:
            plan.record_request()
            run.checkpoint.unlink(missing_ok=True)  # if killed just before that, after the record
            run.training.touch()
        else:
            split = hold_out(processed, size=recipe.split.hold_out, seed=recipe.split.seed)
            digits = dataset.load(processed)
            examples = tuple(
                Examples(np.asarray(digits.train_images), np.asarray(digits.train_labels), rows)
                for rows in (split.training_rows, split.hold_out_rows)
            )
            if force:
                run.checkpoint.unlink(missing_ok=True)
            _train(
                plan,
                recipe,
                inputs=inputs,
                split=split,
                examples=examples,
                raw_manifest=manifest["raw"],
                tell=tell,
                watcher=watcher,
            )
    record = files.read_json(run.training)
    return TrainResult(
        unchanged=unchanged,
        run=run.name,
        folder=run.folder,
        epochs=record["epochs"],
        hold_out_accuracy=record["hold_out_accuracy"],
        hold_out_rows=record["split"]["hold_out_rows"],
        seconds=record["seconds"],
        images_per_second=record["images_per_second"],
    )


def make_training(recipe: Recipe) -> Training:
    """Return the recipe's network with its optimizer, ready for the first epoch.

    Raises ValueError if the layers do not fit one another.
    """
    network = Network((layer.model_dump() for layer in recipe.network.layers), IMAGE_SHAPE)
    if network.output_shape != (10,):
        raise ValueError(f"the last layer gives {network.output_shape}, not 10 logits")
    values = recipe.training
    distortions = recipe.augmentation
    return Training(
        network,
        nn.make_optimizer(recipe.optimizer.model_dump()),
        Settings(
            epochs=values.epochs,
            batch_size=None if values.batch_size == "all" else values.batch_size,
            smoothing=values.label_smoothing,
            average_decay=values.average_decay,
            patience=values.patience,
            evaluate_every=values.evaluate_every,
            shards=values.shards,
            augmentation=Augmentation(**distortions.model_dump()) if distortions else None,
        ),
        recipe.seed,
        nn.make_schedule(recipe.schedule.model_dump()),
    )


def code_checksum() -> str:
    """Return a checksum of the network's code: other code is another experiment."""
    digest = hashlib.sha256()
    for path in sorted(Path(nn.__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _train(
    plan: Plan,
    recipe: Recipe,
    *,
    inputs: dict[str, Any],
    split: Split,
    examples: Sequence[Examples],
    raw_manifest: dict[str, Any],
    tell: Callable[[str], None] | None,
    watcher: Watcher | None,
) -> None:
    run = plan.workspace.run(plan.run)
    try:
        training = make_training(recipe)
    except (ValueError, MemoryError) as error:
        raise PipelineError(f"{plan.recipe}: {error}") from None
    plan.record_request()
    history = _resume(run, inputs, training, tell)
    files.write_json(run.recipe, recipe.model_dump(mode="json"))
    workers = min(available_cores(), recipe.training.shards)
    if watcher:
        watcher.start(
            TrainStart(
                run=run.name,
                recipe=plan.recipe_name,
                parameters=training.network.parameter_count,
                epochs=recipe.training.epochs,
                epochs_done=training.epoch,
                training_rows=len(split.training_rows),
                hold_out_rows=len(split.hold_out_rows),
                workers=workers,
            )
        )
    try:
        with single_threaded_blas():
            for result in training.fit(*examples, workers=workers):
                history.append([float(getattr(result, column)) for column in COLUMNS])
                state = training.state() | {"history": np.array(history)}
                save_checkpoint(run.checkpoint, inputs, state)
                _write_history(run.history, history)
                if watcher:
                    watcher.epoch(result)
    except FloatingPointError as error:
        run.checkpoint.unlink(missing_ok=True)
        raise PipelineError(
            f"Training of {run.name} diverged: {error}",
            remedy="Lower the recipe's optimizer.learning_rate.",
        ) from None
    training.network.vector[...] = training.result
    save_model(run.model, training.network)
    kept = _kept_evaluation(recipe, history)
    files.write_json(
        run.training,
        {
            "stage": "train",
            "inputs": inputs,
            "run": run.name,
            "recipe_name": plan.recipe_name,
            "seed": recipe.seed,
            "model_sha256": files.sha256(run.model),
            "parameters": training.network.parameter_count,
            "split": {
                "kind": "hold_out",
                "size": recipe.split.hold_out,
                "seed": recipe.split.seed,
                "training_rows": len(split.training_rows),
                "hold_out_rows": len(split.hold_out_rows),
                "file": split.path.name,
            },
            "epochs": int(kept["epoch"]),
            "hold_out_accuracy": kept["hold_out_accuracy"],
            "hold_out_loss": kept["hold_out_loss"],
            "seconds": round(sum(row[COLUMNS.index("seconds")] for row in history), 3),
            "images_per_second": round(
                float(np.median([row[COLUMNS.index("images_per_second")] for row in history]))
            ),
            "data": raw_manifest,
            "environment": provenance.environment(),
            "finished_at": provenance.now(),
        },
    )
    run.checkpoint.unlink(missing_ok=True)


def _resume(
    run: RunFolder,
    inputs: dict[str, Any],
    training: Training,
    tell: Callable[[str], None] | None,
) -> list[list[float]]:
    """Restore the checkpoint, if there is a sound one of the same inputs; return its history."""
    if not run.checkpoint.exists():
        return []
    try:
        stored_inputs, state = load_checkpoint(run.checkpoint)
        if stored_inputs != inputs:
            return []
        history: Array = state.pop("history")
        training.restore(state)
    except (PipelineError, KeyError, ValueError):
        if tell:
            tell(f"{run.checkpoint} is damaged: training starts anew.")
        return []
    return [list(map(float, row)) for row in history]


def _kept_evaluation(recipe: Recipe, history: list[list[float]]) -> dict[str, float]:
    """The evaluation of the weights that are kept: the best with early stopping, else the last."""
    rows = [dict(zip(COLUMNS, row, strict=True)) for row in history]
    if recipe.training.patience:
        return min(rows, key=lambda row: row["hold_out_loss"])
    return rows[-1]


def _write_history(path: Path, history: list[list[float]]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for epoch, *values in history:
        writer.writerow([int(epoch), *(f"{value:.6g}" for value in values)])
    files.write_text(path, text.getvalue())
