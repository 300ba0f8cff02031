"""The search itself: which trial is next, and what becomes of it, alone or beside other processes.

A trial's place is its number in the storage, which gives each number once. Its chance comes from
the seed and its place, so that one process draws the same values however often it was interrupted.
A trial that was interrupted stays as it is, until a process takes it up again from its beginning.
So there are never more trials than places. Of two machines that take one up at the same moment,
both end with the same bits, and the first to end is told.
"""

import contextlib
import os
import socket
import threading
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.exceptions import ExperimentalWarning, UpdateFinishedTrialError
from optuna.samplers import PartialFixedSampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial, TrialState

from pipeline.recipes.recipe import Recipe, with_settings
from pipeline.system import locks
from pipeline.system.locks import Holder
from pipeline.system.reporter import Reporter, listening, reporter
from pipeline.training.search.outcome import Dimension, State, Trial, trial_text
from pipeline.training.search.storage import Place
from pipeline.training.search.trial import Digits

# Trials are compared when a tenth more of the training is over, because they may have
# different numbers of epochs.
TENTHS = 10
# In the first three tenths the learning rate is still on its way up, which says little.
LEAST_TENTHS = 3
# So many trials are trained to their end before any is pruned, and compared with at each tenth.
LEAST_TRIALS = 5
POLL_SECONDS = 1.0
# A process tells so often that it is alive; silent for the longer time, it is dead.
ALIVE_SECONDS = 10.0
SILENT_SECONDS = 60.0


@dataclass
class Search:
    """A search under way.

    study: optuna's, with all trials so far.  trials: how many there are to be.
    storage: where the study is kept.  folder: its lock is held while a trial is taken.
    worker: this machine and process.  heard: the last signs of life from others, and since when.
    """

    study: optuna.Study
    storage: Place
    recipe: Recipe
    dimensions: Sequence[Dimension]
    digits: Digits
    trials: int
    folder: Path
    worker: str = field(default_factory=lambda: f"{socket.gethostname()} {os.getpid()}")
    _heard: dict[int, tuple[Any, float]] = field(default_factory=dict)

    def run(self) -> list[Trial]:
        """Try until there are enough trials; return all of them, by place.

        Trials of other processes are waited for; those of processes that died are done again.
        Raises PipelineError if the storage fails.
        """
        waiting = False
        with self.storage.guarded(), quiet():
            while left := self.trials - sum(trial.state.is_finished() for trial in self._begun()):
                trial = self._take()
                if trial:
                    self._try(trial)
                    continue
                if not waiting:
                    reporter().line(f"Waiting for {left} trials of other processes to end.")
                    waiting = True
                time.sleep(POLL_SECONDS)
            return self.finished()

    def finished(self) -> list[Trial]:
        """Return all finished trials, by place; there may be more than are asked for now."""
        trials = self.study.get_trials(deepcopy=False)
        return [_read(trial) for trial in trials if trial.state.is_finished()]

    def _begun(self) -> list[FrozenTrial]:
        return self.study.get_trials(deepcopy=False)[: self.trials]

    def _take(self) -> optuna.Trial | None:
        """Return a trial that is this process's to do; None if others have all that are left."""
        # Nobody needs to be told of so short a wait.
        with listening(Reporter()), locks.locked(self.folder):
            while True:
                begun = self._begun()
                for found in begun:
                    if found.state == TrialState.RUNNING and self._is_lost(found):
                        trial = optuna.Trial(self.study, found._trial_id)
                        trial.set_user_attr("worker", self.worker)
                        return trial
                if len(begun) == self.trials:
                    return None
                self.study.add_trial(
                    optuna.create_trial(
                        state=TrialState.RUNNING, user_attrs={"worker": self.worker}
                    )
                )

    def _is_lost(self, trial: FrozenTrial) -> bool:
        """Whether nobody is at work on a trial: not its process, nor this one, which asks."""
        worker = trial.user_attrs["worker"]
        host, _, process = worker.rpartition(" ")
        if worker == self.worker or Holder("", int(process), host, "").is_gone:
            return True
        if host == socket.gethostname():
            return False
        now, sign = time.monotonic(), (worker, trial.user_attrs.get("alive"))
        known, since = self._heard.get(trial.number, (None, now))
        self._heard[trial.number] = sign, since if sign == known else now
        return sign == known and now - since > SILENT_SECONDS

    def _try(self, trial: optuna.Trial) -> None:
        """Train one trial, from its beginning."""
        value, state = None, TrialState.COMPLETE
        try:
            with _alive(trial):
                value = self._train(trial)
        except optuna.TrialPruned:
            state = TrialState.PRUNED
        except UpdateFinishedTrialError:
            reporter().end()
            reporter().line(f"Trial {trial.number + 1} came too late: another process did it.")
            return
        self.study.tell(trial, value, state, skip_if_finished=True)
        reporter().end()
        text = trial_text(_read(self._begun()[trial.number]), self.trials)
        is_best = value is not None and value == self.study.best_value
        reporter().line(f"{text}{'  best so far' * is_best}")

    def _train(self, trial: optuna.Trial) -> float:
        self.study.sampler = PartialFixedSampler(self._draw(trial.number), RandomSampler())
        settings = {found.key: _suggest(trial, found) for found in self.dimensions}
        if trial.number == 0:
            settings = {found.key: found.own for found in self.dimensions}
        trial.set_user_attr("settings", settings)

        # What an interrupted trial reported is known; only of the last it was not yet judged.
        reported = self._begun()[trial.number].intermediate_values
        tenths = set(range(max(reported, default=1)))

        def watch(result: Any, epochs: int) -> None:
            tenth = TENTHS * result.epoch // epochs
            if tenth in tenths or result.epoch == epochs:
                return
            tenths.add(tenth)
            value = self._value(result.hold_out_loss, result.hold_out_accuracy)
            if tenth not in reported:
                trial.report(value, tenth)
            # Most others were better at this time; the recipe itself is trained to its end.
            if trial.number > 0 and trial.should_prune():
                progress = result.epoch / epochs
                _note(trial, result.hold_out_loss, result.hold_out_accuracy, progress)
                raise optuna.TrialPruned

        try:
            recipe = with_settings(self.recipe, settings)
            loss, accuracy = self.digits.measure(
                recipe, watch, name=f"trial {trial.number + 1}/{self.trials}"
            )
            value = self._value(loss, accuracy)
        except (FloatingPointError, MemoryError, ValueError) as error:
            # Pruned, and not failed, for the sampler: it is to keep away from there.
            trial.set_user_attr("failed", str(error).partition("\n")[0] or type(error).__name__)
            raise optuna.TrialPruned from None
        _note(trial, loss, accuracy, 1.0)
        return value

    def _value(self, loss: float, accuracy: float) -> float:
        """Return what the search compares. Raises FloatingPointError if the loss is no number."""
        if not np.isfinite(loss):
            raise FloatingPointError(f"the loss on the held-out digits became {loss}")
        assert self.recipe.tune is not None
        return accuracy if self.recipe.tune.objective == "accuracy" else loss

    def _draw(self, place: int) -> dict[str, Any]:
        """The recipe itself first; then values that are likely better than those before it.

        They are drawn apart, as a whole, so that what was stored of an interrupted trial, perhaps
        half of its values, changes nothing.
        """
        if place == 0:
            return {found.key: found.own for found in self.dimensions}
        [seed] = np.random.SeedSequence((self.recipe.seed, place)).generate_state(1)
        sampler = TPESampler(seed=int(seed), multivariate=True, constant_liar=True)
        apart = optuna.create_study(direction=self.study.direction, sampler=sampler)
        apart.add_trials(self._begun()[:place])
        trial = apart.ask()
        for found in self.dimensions:
            _suggest(trial, found)
        return trial.params


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
        place=trial.number,
        state="failed" if "failed" in known else state,
        settings=known.get("settings", {}),
        loss=known.get("loss"),
        accuracy=known.get("accuracy"),
        progress=known.get("progress", 0.0),
        reason=known.get("failed", ""),
    )


@contextlib.contextmanager
def _alive(trial: optuna.Trial) -> Iterator[None]:
    """Let other machines see, now and then, that somebody is at work on a trial."""
    ended = threading.Event()

    def tell() -> None:
        while not ended.wait(ALIVE_SECONDS):
            with contextlib.suppress(Exception):  # the next one may get through
                trial.set_user_attr("alive", time.time())

    thread = threading.Thread(target=tell, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


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
