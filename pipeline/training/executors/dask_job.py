"""The client's side of one run that a worker trains: what goes there, and what comes back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.digits import dataset
from pipeline.digits.folds import find_split
from pipeline.plan.plan import Plan
from pipeline.plan.requests import record_request
from pipeline.plan.workspace import RunFolder
from pipeline.recipes.recipe import Recipe
from pipeline.system import files, locks, provenance
from pipeline.system.errors import PipelineError
from pipeline.system.reporter import Epoch, TrainStart, reporter
from pipeline.training.executors.dask_worker import Order, Outcome, Report
from pipeline.training.network_run import (
    Trained,
    current_training,
    inputs_of,
    remove_checkpoints,
    resolve_recipe,
)

# After this many lost workers, the run itself is most likely what ends them.
MOST_LOSSES = 3


@dataclass
class Job:
    """A run that is due, locked until it is home.

    inputs: what its record is to name.  split: the file of its rows.
    losses: how many workers were lost under it.
    """

    plan: Plan
    recipe: Recipe
    inputs: dict[str, Any]
    split: Path
    lock: ExitStack
    losses: int = 0
    attempt: str = ""
    first: TrainStart | None = None
    last: Epoch | None = None
    _epochs: int = 0
    _seen: int = 0
    _stamps: dict[str, int] = field(default_factory=dict)

    @property
    def run(self) -> RunFolder:
        return self.plan.workspace.run(self.plan.run)

    def order(self, attempt: str, data: str, cores: int) -> Order:
        """Return what a worker needs, with the newest checkpoints that there are."""
        self.attempt, self._seen, self._stamps = attempt, 0, {}
        found = [path for path in _checkpoints(self.run) if path.exists()]
        return Order(
            attempt,
            self.plan,
            self.recipe,
            data,
            (self.split.name, self.split.read_bytes()),
            {path.name: path.read_bytes() for path in found},
            cores,
        )

    def asks(self) -> tuple[str, int, dict[str, int]]:
        """Return what to ask the worker for."""
        return self.attempt, self._seen, self._stamps

    def keep(self, report: Report, worker: str) -> None:
        """Put a run's new files into its folder here, and tell of what is new."""
        known = {path.name: path for path in (*_checkpoints(self.run), self.run.history)}
        for name, (stamp, content) in report.files.items():
            _write(known[name], content)
            self._stamps[name] = stamp
        self._tell_events(report.events, worker)

    def _tell_events(self, events: Sequence[TrainStart | Epoch], worker: str) -> None:
        self._seen += len(events)
        for event in events:
            if isinstance(event, TrainStart):
                self._tell_start(event, worker)
            else:
                self._tell_epoch(event)

    def lose(self, worker: str) -> None:
        """Note that a worker was lost under the run. Raises PipelineError if it is too often."""
        self.losses += 1
        if self.losses == MOST_LOSSES:
            raise PipelineError(
                f"Training of {self.plan.run} ended its worker {MOST_LOSSES} times, "
                f"the last time {worker}",
                remedy="Most likely it needs more memory than a worker has: "
                "lower the recipe's training.batch_size, or give workers more.",
            )
        reporter().line(f"{self.plan.run}: lost its worker {worker}; goes on elsewhere")

    def bring_home(self, outcome: Outcome, worker: str) -> dict[str, Any]:
        """Put what a finished run left into its folder here, the record, which it returns, last.

        Raises PipelineError if training failed there; then the checkpoints are as it left them.
        """
        self._tell_events(outcome.events[self._seen :], worker)
        if outcome.error:
            self.mirror_checkpoints(outcome)
            message, remedy = outcome.error
            raise PipelineError(message, remedy=remedy)
        run = self.run
        record = json.loads(outcome.files[run.training.name])
        if record["inputs"] != json.loads(json.dumps(self.inputs)):
            raise PipelineError(f"A worker trained something else than {run.name}")
        # The user's file is here, and only its resolved content was there.
        record["recipe_file"] = provenance.file_record(
            self.plan.recipe.path, self.plan.recipe.sha256
        )
        for path in (run.recipe, run.history, run.model, run.refit):
            _mirror(path, outcome.files)
        files.write_json(run.training, record)
        remove_checkpoints(run)
        if self.first and self.last:
            reporter().start(self.first)
            reporter().epoch(self.last)
            reporter().end()
        self.lock.close()
        return dict(record)

    def mirror_checkpoints(self, outcome: Outcome) -> None:
        """Keep the checkpoints that a run left unfinished, and no others."""
        for path in _checkpoints(self.run):
            _mirror(path, outcome.files)

    def _tell_start(self, start: TrainStart, worker: str) -> None:
        self._epochs = start.epochs
        if not start.refit:
            self.first = self.first or start
        on = f"{self.plan.run}: on {worker} ({_cores(start.workers)})"
        what = ", again on all digits" if start.refit else ""
        done = f", going on after epoch {start.epochs_done}" if start.epochs_done else ""
        reporter().line(f"{on}{what}{done}")

    def _tell_epoch(self, result: Epoch) -> None:
        self.last = result
        accuracy = result.hold_out_accuracy
        # A network trained on all rows holds none out: then it is NaN.
        held_out = f"  hold-out {accuracy:.4f}" if accuracy == accuracy else ""  # noqa: PLR0124
        reporter().line(
            f"{self.plan.run}: epoch {result.epoch}/{self._epochs}  "
            f"loss {result.training_loss:.4f}{held_out}"
        )


def find_jobs(
    plans: Sequence[Plan], *, force: bool, held: ExitStack
) -> tuple[dict[str, Trained], list[Job]]:
    """Return the runs that are trained, and those that are due; ``held`` has the locks of these.

    Raises PipelineError if the arrays are missing or a recipe is wrong.
    """
    trained, jobs = {}, {}
    # In the same order in all commands, so that no two of them wait for each other.
    for plan in sorted(plans, key=lambda plan: plan.run):
        lock = held.enter_context(ExitStack())
        run = plan.workspace.run(plan.run)
        lock.enter_context(locks.locked(run.folder))
        recipe = resolve_recipe(plan)
        processed = plan.workspace.processed(plan.source.name)
        with dataset.locked(processed):
            inputs = inputs_of(dataset.read_manifest(processed), recipe)
            labels = dataset.load_labels(processed)
            split = find_split(labels, processed.folds, recipe.split.record).path
        found = None if force else current_training(plan, inputs)
        if found is not None:
            trained[plan.run] = Trained(found, unchanged=True)
            reporter().line(f"{plan.run}: is trained already")
            lock.close()
            continue
        if force:
            remove_checkpoints(run)
        record_request(plan)
        files.write_json(run.recipe, recipe.model_dump(mode="json"))
        jobs[plan.run] = Job(plan, recipe, inputs, split, lock)
    return trained, [jobs[plan.run] for plan in plans if plan.run in jobs]


def _checkpoints(run: RunFolder) -> tuple[Path, Path]:
    return run.checkpoint, run.refit_checkpoint


def _mirror(path: Path, found: Mapping[str, bytes]) -> None:
    if path.name in found:
        _write(path, found[path.name])
    else:
        path.unlink(missing_ok=True)


def _write(path: Path, content: bytes) -> None:
    with files.atomic_write(path) as stream:
        stream.write(content)


def _cores(count: int) -> str:
    return "1 core" if count == 1 else f"{count} cores"
