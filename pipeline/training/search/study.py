"""The search itself: which trial is next, and what becomes of it, alone or beside other processes.

Every trial has a place, from 0 up to as many as are wanted. Its chance comes from the seed and
its place, so that one process draws the same values however often it was interrupted. A process
takes a place in two steps: it writes the place down, then looks whether another one did the same.
Of two that did, the one that sees it gives way. So no place is taken twice, and there are never
more trials than places, with no other lock than the storage itself.
"""

import contextlib
import os
import platform
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import optuna
from optuna.exceptions import ExperimentalWarning, UpdateFinishedTrialError
from optuna.samplers import BaseSampler, PartialFixedSampler, TPESampler
from optuna.trial import FrozenTrial, TrialState

from pipeline.recipes.recipe import Recipe, with_settings
from pipeline.system.reporter import reporter
from pipeline.training.search.outcome import Dimension, State, Trial, trial_text
from pipeline.training.search.storage import SILENT_SECONDS, Place
from pipeline.training.search.trial import Digits

# Trials are compared when a tenth more of the training is over, because they may have
# different numbers of epochs.
TENTHS = 10
# In the first three tenths the learning rate is still on its way up, which says little.
LEAST_TENTHS = 3
# This many trials are trained to their end before any is pruned: the others are compared with them.
LEAST_TRIALS = 5
POLL_SECONDS = 1.0
_TAKEN = (TrialState.RUNNING, TrialState.COMPLETE, TrialState.PRUNED)


class _GivenWay(Exception):  # noqa: N818  (it is no error)
    """Another process has the same place."""


@dataclass
class Search:
    """A search under way.

    study: optuna's, with all trials so far.  trials: how many there are to be.
    storage: where the study is kept.
    """

    study: optuna.Study
    storage: Place
    recipe: Recipe
    dimensions: Sequence[Dimension]
    digits: Digits
    trials: int

    def run(self) -> list[Trial]:
        """Try until there are enough trials; return all of them, by place.

        Trials of other processes are waited for; those of processes that died are done again.
        Raises PipelineError if the storage fails.
        """
        waiting = False
        with self.storage.guarded(), quiet():
            while True:
                self._release_dead()
                free = self._free_places()
                if free:
                    self._try(free[0])
                    continue
                finished = self.finished()
                running = len(self._taken()) - len(finished)
                if not running:
                    return finished
                if not waiting:
                    reporter().line(f"Waiting for {running} trials of other processes to end.")
                    waiting = True
                time.sleep(POLL_SECONDS)

    def finished(self) -> list[Trial]:
        """Return all finished trials, by place."""
        found = [_read(trial) for trial in self._taken() if trial.state.is_finished()]
        return sorted(found, key=lambda trial: trial.place)

    def _taken(self) -> list[FrozenTrial]:
        trials = self.study.get_trials(deepcopy=False, states=_TAKEN)
        return [trial for trial in trials if "place" in trial.user_attrs]

    def _free_places(self) -> list[int]:
        taken = {trial.user_attrs["place"] for trial in self._taken()}
        return [place for place in range(self.trials) if place not in taken]

    def _release_dead(self) -> None:
        """Free the places of trials whose process died."""
        optuna.storages.fail_stale_trials(self.study)
        long_ago = datetime.now() - timedelta(seconds=SILENT_SECONDS)
        for trial in self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            worker = trial.user_attrs.get("worker")
            # Without one, it died before it wrote anything down.
            never_began = worker is None and (trial.datetime_start or long_ago) <= long_ago
            if never_began or (worker is not None and _is_dead(worker)):
                with contextlib.suppress(UpdateFinishedTrialError):  # by another process, just now
                    self.study.tell(trial.number, state=TrialState.FAIL, skip_if_finished=True)

    def _try(self, place: int) -> None:
        """Train one trial at this place, unless another process has it."""
        self.study.sampler = self._sampler(place)
        numbers: list[int] = []

        def objective(trial: optuna.Trial) -> float:
            numbers.append(trial.number)
            self._take(trial, place)
            return self._train(trial, place)

        try:
            self.study.optimize(objective, n_trials=1, catch=(_GivenWay,))
        except (AssertionError, UpdateFinishedTrialError, ValueError):
            if self._state(numbers) != TrialState.FAIL:
                raise
            # What optuna does if others took this process for dead, and did its trial again.
            reporter().line(
                f"Trial {place + 1} came too late: another process had given this one up."
            )
        self._tell_end(numbers)

    def _state(self, numbers: Sequence[int]) -> TrialState | None:
        trials = self.study.get_trials(deepcopy=False)
        return trials[numbers[0]].state if numbers else None

    def _tell_end(self, numbers: Sequence[int]) -> None:
        reporter().end()
        trials = self.study.get_trials(deepcopy=False)
        if numbers and trials[numbers[0]].state in _TAKEN:
            trial = _read(trials[numbers[0]])
            best = "  best so far" if self._is_best(trial) else ""
            reporter().line(f"{trial_text(trial, self.trials)}{best}")

    def _is_best(self, trial: Trial) -> bool:
        mine = trial.value(self._objective)
        others = [
            value
            for other in self.finished()
            if other.state == "complete" and (value := other.value(self._objective)) is not None
        ]
        if trial.state != "complete" or mine is None:
            return False
        return mine == (max(others) if self._objective == "accuracy" else min(others))

    def _take(self, trial: optuna.Trial, place: int) -> None:
        trial.set_user_attr("worker", _worker())
        trial.set_user_attr("place", place)
        if sum(other.user_attrs["place"] == place for other in self._taken()) > 1:
            raise _GivenWay

    def _train(self, trial: optuna.Trial, place: int) -> float:
        settings = {found.key: _suggest(trial, found) for found in self.dimensions}
        if place == 0:
            settings = {found.key: found.own for found in self.dimensions}
        trial.set_user_attr("settings", settings)

        tenths = {0}

        def watch(result: Any, epochs: int) -> None:
            tenth = TENTHS * result.epoch // epochs
            if tenth not in tenths and result.epoch < epochs:
                tenths.add(tenth)
                self._compare(trial, place, tenth, result, result.epoch / epochs)

        try:
            recipe = with_settings(self.recipe, settings)
            loss, accuracy = self.digits.measure(
                recipe, watch, name=f"trial {place + 1}/{self.trials}"
            )
            if not np.isfinite(loss):
                raise FloatingPointError(f"the loss on the held-out digits became {loss}")
        except (FloatingPointError, MemoryError, ValueError) as error:
            # Pruned rather than failed, so that the sampler keeps away from there.
            trial.set_user_attr("failed", str(error).partition("\n")[0] or type(error).__name__)
            raise optuna.TrialPruned from None
        _note(trial, loss, accuracy, 1.0)
        return accuracy if self._objective == "accuracy" else loss

    def _compare(
        self, trial: optuna.Trial, place: int, tenth: int, result: Any, progress: float
    ) -> None:
        """Report an evaluation, and end the trial if most others were better at this time."""
        loss, accuracy = result.hold_out_loss, result.hold_out_accuracy
        if not np.isfinite(loss):
            raise FloatingPointError(f"the loss on the held-out digits became {loss}")
        trial.report(accuracy if self._objective == "accuracy" else loss, tenth)
        if place > 0 and trial.should_prune():
            _note(trial, loss, accuracy, progress)
            raise optuna.TrialPruned

    @property
    def _objective(self) -> str:
        assert self.recipe.tune is not None
        return self.recipe.tune.objective

    def _sampler(self, place: int) -> BaseSampler:
        """The recipe itself first; then values that are likely better than those before."""
        [seed] = np.random.SeedSequence((self.recipe.seed, place)).generate_state(1)
        sampler = TPESampler(seed=int(seed), multivariate=True, constant_liar=True)
        if place:
            return sampler
        return PartialFixedSampler({found.key: found.own for found in self.dimensions}, sampler)


def pruner() -> optuna.pruners.BasePruner:
    """Return what ends a trial early: it is worse than half of those before it, at the same time.

    Successive halving (Hyperband) would compare after the first epochs, when a learning rate that
    is to be lowered in the end is still high; there the slow and good ones look worst.
    """
    return optuna.pruners.MedianPruner(
        n_startup_trials=LEAST_TRIALS, n_warmup_steps=LEAST_TENTHS, n_min_trials=LEAST_TRIALS
    )


def _suggest(trial: optuna.Trial, found: Dimension) -> Any:
    key, limits = found.key, found.range
    if limits.choices is not None:
        return trial.suggest_categorical(key, limits.choices)
    assert limits.low is not None
    assert limits.high is not None
    if isinstance(found.own, int):
        low, high, step = int(limits.low), int(limits.high), int(limits.step or 1)
        return trial.suggest_int(key, low, high, step=step, log=limits.log)
    value = trial.suggest_float(key, limits.low, limits.high, step=limits.step, log=limits.log)
    return limits.rounded(value)


def _note(trial: optuna.Trial, loss: float, accuracy: float, progress: float) -> None:
    for name, value in (("loss", loss), ("accuracy", accuracy), ("progress", progress)):
        trial.set_user_attr(name, value)


def _read(trial: FrozenTrial) -> Trial:
    known = trial.user_attrs
    state: State = "complete" if trial.state == TrialState.COMPLETE else "pruned"
    return Trial(
        place=known["place"],
        state="failed" if "failed" in known else state,
        settings=known.get("settings", {}),
        loss=known.get("loss"),
        accuracy=known.get("accuracy"),
        progress=known.get("progress", 0.0),
        reason=known.get("failed", ""),
    )


def _worker() -> str:
    return f"{platform.node()} {os.getpid()}"


def _is_dead(worker: str) -> bool:
    """Whether it is a process of this machine that is there no more; of others, heartbeats tell."""
    node, _, number = worker.rpartition(" ")
    if node != platform.node():
        return False
    if int(number) == os.getpid():  # of an earlier process with our number: we have no trial now
        return True
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep optuna's own lines and warnings to itself; all of them are for its callers."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(before)
