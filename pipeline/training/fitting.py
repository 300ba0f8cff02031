"""One network fitted to its digits: saved after each evaluation, and taken up again from there."""

import contextlib
import csv
import io
import math
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np

from pipeline import nn
from pipeline.nn import Augmentation, EpochResult, Examples, Network, Settings, Training
from pipeline.recipes.recipe import Recipe
from pipeline.system import files
from pipeline.system.cores import available_cores, single_threaded_blas
from pipeline.system.errors import PipelineError
from pipeline.system.reporter import reporter
from pipeline.training.checkpoint import Array, load_checkpoint, save_checkpoint

IMAGE_SHAPE = (28, 28, 1)
# What Python, NumPy and buffers of a few images take in a process; tests have what was measured.
PROCESS_BYTES = 120_000_000
COLUMNS = tuple(field.name for field in fields(EpochResult))


@dataclass
class History:
    """All evaluations of a training, interrupted parts included.

    rows: one list for each, with the fields of EpochResult as floats.
    """

    rows: list[list[float]] = field(default_factory=list)

    def add(self, result: EpochResult) -> None:
        """Append an evaluation."""
        self.rows.append([float(getattr(result, column)) for column in COLUMNS])

    def column(self, name: str) -> list[float]:
        """Return one field of all evaluations."""
        return [row[COLUMNS.index(name)] for row in self.rows]

    def kept_epoch(self, *, patience: int) -> int:
        """Return the epoch whose weights are kept: the best with early stopping, else the last."""
        losses = self.column("hold_out_loss")
        kept = losses.index(min(losses)) if patience else -1
        return int(self.column("epoch")[kept])

    @property
    def seconds(self) -> float:
        """Of training and evaluation."""
        return sum(self.column("seconds"))

    @property
    def images_per_second(self) -> int:
        """The median over the evaluations."""
        return round(float(np.median(self.column("images_per_second"))))

    def write(self, path: Path) -> None:
        """Write a CSV with a line for each evaluation."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(COLUMNS)
        for epoch, *values in self.rows:
            writer.writerow([int(epoch), *(f"{value:.6g}" for value in values)])
        files.write_text(path, text.getvalue())

    @classmethod
    def read(cls, path: Path) -> "History":
        """Read back what ``write`` wrote, to six digits.

        Raises PipelineError if the file is missing or is no such CSV.
        """
        try:
            header, *lines = csv.reader(path.read_text(encoding="utf-8").splitlines())
            if tuple(header) != COLUMNS:
                raise ValueError(f"its header is not {','.join(COLUMNS)}")
            rows = [[float(value) for value in line] for line in lines]
            if not rows or any(len(row) != len(COLUMNS) for row in rows):
                raise ValueError("it has no rows, or one that was cut short")
            if not all(row[0].is_integer() and all(map(math.isfinite, row)) for row in rows):
                raise ValueError("one of its values is no number")
        except FileNotFoundError:
            raise PipelineError(f"There is no {path}", remedy=_train_again(path)) from None
        except (ValueError, csv.Error) as error:
            raise PipelineError(f"{path} is damaged: {error}", remedy=_train_again(path)) from None
        return cls(rows)


def _train_again(path: Path) -> str:
    """path: of a file in the folder of a run, which has its name."""
    return f"Run: make train RUN={path.parent.name} FORCE=1"


def epochs_of(recipe: Recipe, rows: int) -> int:
    """Return how many epochs a training on this many rows has."""
    values = recipe.training
    steps = 1 if values.batch_size == "all" else -(-rows // values.batch_size)
    return max(values.epochs, -(-values.least_steps // steps))


def make_training(recipe: Recipe, rows: int, *, holds_out: bool = True) -> Training:
    """Return the recipe's network with its optimizer, ready for the first epoch.

    rows: of the training part.
    holds_out: False is for a training on all rows, which nothing can stop early.
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
            epochs=epochs_of(recipe, rows),
            batch_size=None if values.batch_size == "all" else values.batch_size,
            smoothing=values.label_smoothing,
            average_decay=values.average_decay,
            patience=values.patience if holds_out else 0,
            evaluate_every=values.evaluate_every,
            shards=values.shards,
            augmentation=Augmentation(**distortions.model_dump()) if distortions else None,
        ),
        recipe.seed,
        nn.make_schedule(recipe.schedule.model_dump()),
    )


def most_cores(recipe: Recipe) -> int:
    """Return how many cores a training can use; 1 if the layers do not fit one another."""
    values = recipe.training
    batch = None if values.batch_size == "all" else values.batch_size
    try:
        network = Network((layer.model_dump() for layer in recipe.network.layers), IMAGE_SHAPE)
        parts = nn.plan_cut(network, batch, values.shards).parts
        return min(parts, values.shards or parts)
    except (ValueError, MemoryError):
        return 1  # its training says what is wrong with it


def memory_of(recipe: Recipe, rows: int, *, workers: int) -> int:
    """Return about how many bytes a training on this many rows takes, rather more than fewer.

    What depends on the number of digits lies in mapped files, and is not counted.
    Raises ValueError if the layers do not fit one another.
    """
    # Its arrays take memory only once they are written.
    network = Network((layer.model_dump() for layer in recipe.network.layers), IMAGE_SHAPE)
    values = recipe.training
    # Values, averages, the best ones and the optimizer's, of Muon's matrices four products as well;
    # gradients of replicas, and their sums.
    arrays = 4 * network.parameter_count * (12 + 2 * most_cores(recipe))
    together = network.rows_at_once
    if values.batch_size == "all":
        arrays += 4 * rows * math.prod(IMAGE_SHAPE)
    else:
        together = min(together, values.batch_size)
    outputs = sum(math.prod(layer.output_shape) for layer in network.layers)
    return arrays + PROCESS_BYTES + workers * (PROCESS_BYTES + 2 * 4 * together * outputs)


def workers_for(training: Training) -> int:
    """Return how many cores a training uses here."""
    return min(available_cores(), training.most_workers)


def fit(
    training: Training,
    train: Examples,
    hold_out: Examples | None,
    history: History,
    *,
    checkpoint: Path | None,
    inputs: dict[str, Any],
    until: int | None = None,
    history_csv: Path | None = None,
    watch: Callable[[EpochResult], None] | None = None,
    progress: Callable[[float], None] | None = None,
) -> None:
    """Train to the end, or to the epoch ``until``; the network then has the values to keep.

    history: what ``resume`` returned; each evaluation is added to it.
    checkpoint: written after each evaluation, and left there for the caller to remove; None for
    a training that is never taken up again.
    watch: told of each evaluation, and progress of each step, how many epochs are done by then;
    what they raise ends the training.
    Raises FloatingPointError if the loss is no longer a number; then there is no checkpoint left.
    """
    if history_csv and history.rows:  # if killed after the last checkpoint, before its line here
        history.write(history_csv)
    try:
        with (
            single_threaded_blas(),
            # Its threads end here, rather than when an exception that holds them is dropped.
            contextlib.closing(
                training.fit(
                    train,
                    hold_out,
                    workers=workers_for(training),
                    until=until,
                    progress=progress,
                )
            ) as results,
        ):
            for result in results:
                history.add(result)
                if checkpoint:
                    state = training.state() | {"history": np.array(history.rows)}
                    save_checkpoint(checkpoint, inputs, state)
                if history_csv:
                    history.write(history_csv)
                if watch:
                    watch(result)
    except FloatingPointError:
        if checkpoint:
            checkpoint.unlink(missing_ok=True)  # going on from it would only diverge again
        raise
    training.network.vector[...] = training.result


def resume(
    training: Training,
    checkpoint: Path,
    inputs: dict[str, Any],
) -> History:
    """Restore the checkpoint, if there is a sound one of the same inputs; return its history."""
    if not checkpoint.exists():
        return History()
    try:
        stored_inputs, state = load_checkpoint(checkpoint)
        if stored_inputs != inputs:
            return History()
        history: Array = state.pop("history")
        if history.ndim != 2 or history.shape[1] != len(COLUMNS) or not history.size:
            raise ValueError("its history is not a table of epochs")
        # The rest may be NaN: a training on all rows has none held out.
        if not np.isfinite(history[:, :2]).all():
            raise ValueError("its history holds something that is not a number")
        # Nothing is restored unless all of it is sound: a training that starts anew starts clean.
        training.restore(state)
    except (PipelineError, KeyError, ValueError):
        reporter().line(f"{checkpoint} is damaged: training starts anew.")
        return History()
    return History([list(map(float, row)) for row in history])
