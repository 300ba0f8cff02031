"""The client's side of one run that workers train: what goes there, and what comes back."""

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
from pipeline.training.executors.dask_worker import Answer, Order, Pace, under_way
from pipeline.training.fitting import most_cores
from pipeline.training.network_run import (
    Trained,
    current_training,
    inputs_of,
    remove_checkpoints,
    resolve_recipe,
)

# A worker that ended this often under one run was most likely ended by it.
MOST_LOSSES = 3


@dataclass
class Job:
    """A run that is due, locked until it is home.

    inputs: what its record is to name.  split: the file of its rows.
    losses: how many workers were lost under it.  worker: which one had the last part.
    record: training.json, once it is home.
    """

    plan: Plan
    recipe: Recipe
    inputs: dict[str, Any]
    split: Path
    lock: ExitStack
    losses: int = 0
    worker: str = ""
    record: dict[str, Any] = field(default_factory=dict)
    _first: TrainStart | None = None
    _start: TrainStart | None = None
    _last: Epoch | None = None
    _moved: bool = False
    _again: bool = False

    def order(
        self, worker: str, cores: int, digits: str, content: Mapping[str, bytes], pace: Pace
    ) -> Order:
        """Return what a worker needs to go on from the newest checkpoints that there are."""
        if worker != self.worker:
            cores = min(cores, most_cores(self.recipe))
            reporter().line(
                f"{self.plan.run}: on {worker} ({cores} {'core' if cores == 1 else 'cores'})"
            )
            self.worker, self._moved = worker, True
        run = self._run
        found = [path for path in (run.checkpoint, run.refit_checkpoint) if path.exists()]
        return Order(
            self.plan,
            self.recipe,
            digits,
            content,
            (self.split.name, self.split.read_bytes()),
            {path.name: path.read_bytes() for path in found},
            pace,
        )

    def lose(self) -> None:
        """Note that a worker was lost under the run. Raises PipelineError if it is too often."""
        worker, self.worker = self.worker, ""
        self.losses += 1
        if self.losses == MOST_LOSSES:
            raise PipelineError(
                f"Training of {self.plan.run} ended its worker {MOST_LOSSES} times, "
                f"the last time {worker}",
                remedy="Most likely it needs more memory than a worker has: "
                "lower the recipe's training.batch_size, or give workers more.",
            )
        reporter().line(f"{self.plan.run}: lost its worker {worker}; goes on elsewhere")

    def take(self, answer: Answer) -> None:
        """Put what a part left into the run's folder here, a finished run's record last.

        Raises PipelineError if training failed there; then the checkpoints are as it left them.
        """
        if answer.finished:
            self._bring_home(answer.files)
        else:
            for path in under_way(self._run):
                _mirror(path, answer.files)
        # What is told of is kept already, whatever happens next.
        for event in answer.events:
            if isinstance(event, TrainStart):
                self._start = event
                self._first = self._first or event
            else:
                self._tell(event)
        if answer.error:
            raise PipelineError(answer.error[0], remedy=answer.error[1])
        if answer.finished and self._first and self._last:
            reporter().start(self._first)
            reporter().epoch(self._last)
            reporter().end()

    def _bring_home(self, found: Mapping[str, bytes]) -> None:
        run = self._run
        record = json.loads(found[run.training.name])
        if record["inputs"] != json.loads(json.dumps(self.inputs)):
            raise PipelineError(f"A worker trained something else than {run.name}")
        # The user's file is here, and only its resolved content was there.
        recipe = self.plan.recipe
        record["recipe_file"] = provenance.file_record(recipe.path, recipe.sha256)
        for path in (run.recipe, run.history, run.model, run.refit):
            _mirror(path, found)
        files.write_json(run.training, record)
        remove_checkpoints(run)
        self.record = record
        self.lock.close()

    @property
    def _run(self) -> RunFolder:
        return self.plan.workspace.run(self.plan.run)

    def _tell(self, result: Epoch) -> None:
        start = self._start
        assert start is not None
        if self._moved or start.refit != self._again:
            again = ["again on all digits"] * start.refit
            done = [f"going on after epoch {start.epochs_done}"] * bool(start.epochs_done)
            if again or done:
                reporter().line(f"{self.plan.run}: {', '.join(again + done)}")
            self._moved, self._again = False, start.refit
        self._last = result
        accuracy = result.hold_out_accuracy
        # A network trained on all rows holds none out: then it is NaN.
        held_out = f"  hold-out {accuracy:.4f}" if accuracy == accuracy else ""  # noqa: PLR0124
        reporter().line(
            f"{self.plan.run}: epoch {result.epoch}/{start.epochs}  "
            f"loss {result.training_loss:.4f}{held_out}"
        )


def find_jobs(
    plans: Sequence[Plan], *, force: bool, held: ExitStack
) -> tuple[dict[str, Trained], list[Job]]:
    """Return the runs that are trained, and those that are due; ``held`` has the locks of these.

    Raises PipelineError if the arrays are missing or a recipe is wrong.
    """
    trained, jobs = {}, {}
    # In one order for all commands, so that no two of them wait for each other.
    for plan in sorted(plans, key=lambda plan: plan.run):
        lock = held.enter_context(ExitStack())
        run = plan.workspace.run(plan.run)
        lock.enter_context(locks.locked(run.folder))
        recipe = resolve_recipe(plan)
        processed = plan.workspace.processed(plan.source.name)
        with dataset.locked(processed):
            inputs = inputs_of(dataset.read_manifest(processed), recipe)
            # The images are sent from here: whether they are whole is known here first.
            labels = dataset.load_labelled(processed).labels
            split = find_split(labels, processed.folds, recipe.split.record).path
        done = None if force else current_training(plan, inputs)
        if done is not None:
            trained[plan.run] = Trained(done, unchanged=True)
            reporter().line(f"{plan.run}: is trained already")
            lock.close()
            continue
        if force:
            remove_checkpoints(run)
        record_request(plan)
        files.write_json(run.recipe, recipe.model_dump(mode="json"))
        jobs[plan.run] = Job(plan, recipe, inputs, split, lock)
    return trained, [jobs[plan.run] for plan in plans if plan.run in jobs]


def _mirror(path: Path, found: Mapping[str, bytes]) -> None:
    """Write a file that there is, and remove one that there is no more."""
    if path.name not in found:
        path.unlink(missing_ok=True)
        return
    with files.atomic_write(path) as stream:
        stream.write(found[path.name])
