"""Several trainings at once on this machine, each in a process of its own on some of the cores.

A training's workers wait for one another at every step, so that two trainings on four cores are
done sooner than one after the other on all four. So there are as many at once as there are pairs
of cores, and memory for; each has an even share of the cores. When one ends, the next that is due
takes its place; when none is due, its cores go to those that still run, from their next epoch on.
Which cores a training has changes no bit of it.
"""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from multiprocessing.connection import wait

from pipeline.digits import dataset
from pipeline.plan.plan import Plan
from pipeline.recipes.recipe import Recipe
from pipeline.system import due
from pipeline.system.cores import share_cores
from pipeline.system.reporter import Epoch, Reporter, TrainStart, listening, reporter
from pipeline.training.executors.own_process import Caller, OwnProcess
from pipeline.training.fitting import memory_of, most_cores
from pipeline.training.network_run import Trained, inputs_of, resolve_recipe, train_network
from pipeline.training.records import NetworkTrainingRecord

# Two workers are 1.8 to 2.0 times as fast as one; each further one adds less.
FEW_CORES = 2


@dataclass(frozen=True)
class DueRun:
    """A run that is to be trained, and its place among the plans."""

    plan: Plan
    place: int
    recipe: Recipe
    rows: int

    @cached_property
    def most_cores(self) -> int:
        """How many it can use."""
        return most_cores(self.recipe)

    def memory(self, cores: int) -> int:
        """Return about how many bytes it takes on so many cores."""
        try:
            return memory_of(self.recipe, self.rows, workers=min(cores, self.most_cores))
        except (ValueError, MemoryError):
            return 0  # its training says what is wrong with it


def find_due(plans: Sequence[Plan], *, force: bool) -> list[DueRun]:
    """Return the runs that are not trained yet, by a look that waits for nobody.

    Raises PipelineError if the arrays are missing or a recipe is wrong.
    """
    found = []
    for place, plan in enumerate(plans):
        recipe = resolve_recipe(plan)
        manifest = dataset.read_manifest(plan.workspace.processed(plan.source.name))
        record = plan.workspace.run(plan.run).training
        shape = NetworkTrainingRecord
        if force or due.current_record(record, inputs_of(manifest, recipe), shape=shape) is None:
            rows = manifest["arrays"]["train_labels"]["shape"][0]
            found.append(DueRun(plan, place, recipe, rows))
    return found


def count_places(runs: Sequence[DueRun], cores: int, memory: float) -> int:
    """Return how many of the runs are best trained at once; 1 is one after another.

    memory: how many bytes there are for all of them.
    """
    each = min(FEW_CORES, max((run.most_cores for run in runs), default=1))
    places = max(1, min(len(runs), cores // each))
    while places > 1 and places * max(run.memory(-(-cores // places)) for run in runs) > memory:
        places -= 1
    return places


@dataclass
class _Running:
    """A run under way.  has_begun: whether it has told anything yet."""

    run: DueRun
    process: OwnProcess
    cores: int
    listener: Reporter
    has_begun: bool = False


@dataclass
class SideBySide:
    """Trainings of these runs, ``places`` of them at once, on so many cores together.

    of: how many plans there are; each: what one is to the user, such as "member".
    """

    runs: list[DueRun]
    places: int
    cores: int
    of: int
    each: str
    force: bool
    _running: list[_Running] = field(default_factory=list)
    _processes: list[OwnProcess] = field(default_factory=list)

    def train(self) -> dict[int, Trained]:
        """Train all; return them by their place.

        What a failure or an interrupt leaves unfinished keeps its checkpoint.
        """
        trained: dict[int, Trained] = {}
        waiting = list(self.runs)
        try:
            while waiting or self._running:
                # One begins when the one before has told of itself, so that they are told of in
                # order, and do not wait for each other at the digits' lock.
                if waiting and self._has_room():
                    self._begin(waiting.pop(0), others=len(waiting))
                    continue
                if not waiting:
                    self._give_free_cores()
                heard = wait([running.process.connection for running in self._running])
                for running in list(self._running):
                    if running.process.connection in heard:
                        done = self._hear(running)
                        if done:
                            trained[running.run.place] = done
        finally:
            for process in list(self._processes):
                process.end()
        return trained

    def _has_room(self) -> bool:
        return len(self._running) < self.places and all(one.has_begun for one in self._running)

    @property
    def _free_cores(self) -> int:
        return self.cores - sum(running.cores for running in self._running)

    def _begin(self, run: DueRun, *, others: int) -> None:
        """Begin a run on its share of the free cores; others: how many are still to begin."""
        sharing = min(self.places - len(self._running), 1 + others)
        cores = max(1, min(run.most_cores, self._free_cores // sharing))
        if self.each:
            reporter().line(f"{self.each} {run.place + 1} of {self.of}: {run.plan.run}")
        force = self.force
        process = OwnProcess(
            run.plan.run, lambda caller: _train(run, caller, force=force), cores, self._processes
        )
        self._running.append(_Running(run, process, cores, reporter().of(run.plan.run)))

    def _give_free_cores(self) -> None:
        """Deal the cores that nobody has to those who can use more, the poorest first."""
        before = [running.cores for running in self._running]
        while self._free_cores > 0:
            able = [one for one in self._running if one.cores < one.run.most_cores]
            if not able:
                break
            min(able, key=lambda one: one.cores).cores += 1
        for running, cores in zip(self._running, before, strict=True):
            if running.cores > cores:
                running.process.give(running.cores)

    def _hear(self, running: _Running) -> Trained | None:
        """Pass on what a training tells; return what it ended with, once it has."""
        method, *arguments = running.process.hear()
        running.has_begun = True
        if method != "done":
            getattr(running.listener, method)(*arguments)
            return None
        running.process.end()
        self._running.remove(running)
        self._processes.remove(running.process)
        done: Trained = arguments[0]
        if done.unchanged:  # by another command, meanwhile
            running.listener.line("is trained already")
        return done


class _MoreCores(Exception):  # noqa: N818  (it is no error)
    """There are more cores for this training; the checkpoint of this epoch is written."""


class _Growing(Reporter):
    """Passes on what is told, and interrupts the training when there are more cores for it."""

    def __init__(self, caller: Caller) -> None:
        self.cores = caller.cores
        self._caller = caller
        self._told: set[bool] = set()
        self._epochs = 0

    def line(self, text: str) -> None:
        self._caller.line(text)

    def start(self, start: TrainStart) -> None:
        self._epochs = start.epochs
        if start.refit not in self._told:  # else it goes on by itself
            self._told.add(start.refit)
            self._caller.start(start)

    def epoch(self, result: Epoch) -> None:
        self._caller.epoch(result)
        if self._caller.cores > self.cores and result.epoch < self._epochs:
            raise _MoreCores

    def end(self) -> None:
        self._caller.end()


def _train(run: DueRun, caller: Caller, *, force: bool) -> Trained:
    """Train a run, in a process of its own; with more cores as soon as there are."""
    listener = _Growing(caller)
    while True:
        listener.cores = caller.cores
        with (
            contextlib.suppress(_MoreCores),
            share_cores(listener.cores),
            listening(listener),
        ):
            return train_network(run.plan, force=force, recipe=run.recipe)
        force = False
        caller.line(f"goes on with {caller.cores} cores")
