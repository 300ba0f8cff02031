"""The training loop: ``Training.fit`` yields the result of each epoch; the caller does the rest."""

import contextlib
import math
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field

import numpy as np

from pipeline.nn.arrays import Array, shared_zeros
from pipeline.nn.augmentation import Augmentation
from pipeline.nn.batches import batch_rows, to_inputs
from pipeline.nn.losses import Score
from pipeline.nn.network import Network
from pipeline.nn.optimizers import Optimizer
from pipeline.nn.predictor import Predictor
from pipeline.nn.schedules import ConstantRate, Schedule
from pipeline.nn.shards import Shards, Step, plan_cut


@dataclass(frozen=True)
class Examples:
    """Images with labels, and the rows of them that are meant.

    images: (N, 28, 28) uint8, perhaps memory-mapped.  labels: (N,) uint8.  rows: (n,) integers.
    """

    images: Array
    labels: Array
    rows: Array


@dataclass(frozen=True)
class Settings:
    """How to train; what the values mean does not depend on the machine.

    batch_size: None is the whole training part, one step an epoch (gradient descent).
    smoothing: label smoothing in [0, 1).
    average_decay: of the running average of the weights (0: none). With it, the average is what
    is evaluated and kept. Early steps average less, so that the start is soon forgotten:
    decay = min(average_decay, (1 + step) / (10 + step)).
    patience: stop after so many evaluations without a lower hold-out loss, and go back to the
    best weights (0: never).
    evaluate_every: evaluate after so many epochs, and after the last.
    shards: into how many parts a batch is cut, and so among how many workers it can be shared;
    None is as many as are quick (``shards.plan_cut``). What batch normalization measures does not
    depend on it.
    augmentation: how the training images are distorted; each in a new way in each epoch.
    """

    epochs: int
    batch_size: int | None
    smoothing: float = 0.0
    average_decay: float = 0.0
    patience: int = 0
    evaluate_every: int = 1
    shards: int | None = None
    augmentation: Augmentation | None = None


@dataclass(frozen=True)
class EpochResult:
    """What one evaluated epoch led to; the loss is the mean over the epochs since the last one.

    hold_out_loss: mean cross-entropy without smoothing; it and hold_out_accuracy are NaN where
    nothing is held out.
    images_per_second: of training alone.  seconds: of training and evaluation.
    """

    epoch: int
    training_loss: float
    hold_out_loss: float
    hold_out_accuracy: float
    learning_rate: float
    images_per_second: float
    seconds: float


@dataclass
class Training:
    """A network in training: everything that the next epoch depends on.

    seed: the source of all chance. Each epoch draws from generators made of (seed, epoch), so
    an interrupted training needs no state of a generator to go on with the same bits.
    """

    network: Network
    optimizer: Optimizer
    settings: Settings
    seed: int
    schedule: Schedule = field(default_factory=ConstantRate)
    epoch: int = 0

    def __post_init__(self) -> None:
        settings = self.settings
        self._cut = plan_cut(self.network, settings.batch_size, settings.shards)
        self.network.initialize(rng=np.random.default_rng((self.seed, 0)))
        self.optimizer.prepare(self.network.parameters, self.network.matrices)
        self._average = shared_zeros(self.network.parameter_count, self.network.dtype)
        self._average[...] = self.network.parameters
        self._best = self.network.vector.copy()
        self._best_loss = np.inf
        self._evaluations_since_best = 0

    def fit(
        self,
        train: Examples,
        hold_out: Examples | None,
        *,
        workers: int,
        until: int | None = None,
        progress: Callable[[float], None] | None = None,
    ) -> Generator[EpochResult, None, None]:
        """Train to the last epoch, yielding at each evaluation; between two of them, save or stop.

        hold_out: None evaluates nothing, and yields as often; then patience must be 0.
        workers: how many share a batch; does not change the result.
        until: end after this epoch, with the learning rates of the whole schedule until then.
        progress: told after each step how many epochs are done, the part of this one included.
        Raises FloatingPointError if the loss is no longer a finite number.
        """
        settings = self.settings
        if hold_out is None and settings.patience:
            raise ValueError("patience needs digits that are held out")
        last = settings.epochs if until is None else until
        if settings.batch_size is None:
            # Each step of gradient descent reads all rows again. Converted once, they take 4 bytes
            # a pixel of memory, and a network of ten hidden units trains 5 to 10 % faster.
            inputs, labels = to_inputs(train.images[train.rows]), train.labels[train.rows]
            train = Examples(inputs, labels, np.arange(len(inputs)))
        workers = min(workers, self.most_workers)
        with (
            Shards(
                self.network,
                self.optimizer,
                train.images,
                train.labels,
                cut=self._cut,
                workers=workers,
                smoothing=settings.smoothing,
                average=self._average if settings.average_decay else None,
                augmentation=settings.augmentation,
            ) as shards,
            (
                Predictor(self.network, hold_out.images, workers=workers)
                if hold_out
                else contextlib.nullcontext()
            ) as predictor,
        ):
            while self.epoch < last and not self.finished:
                started = time.perf_counter()
                losses = self._run_epoch(shards, train.rows, progress)
                epochs = 1
                while self.epoch % settings.evaluate_every and self.epoch < last:
                    losses += self._run_epoch(shards, train.rows, progress)
                    epochs += 1
                trained = time.perf_counter()
                found = math.nan, math.nan
                if predictor and hold_out:
                    found = self._evaluate(predictor, hold_out)
                    self._note_best(found[0])
                yield EpochResult(
                    epoch=self.epoch,
                    training_loss=float(np.mean(losses)),
                    hold_out_loss=found[0],
                    hold_out_accuracy=found[1],
                    learning_rate=self.optimizer.rate,
                    images_per_second=epochs * len(train.rows) / (trained - started),
                    seconds=time.perf_counter() - started,
                )

    @property
    def most_workers(self) -> int:
        """How many workers can share a batch."""
        return min(self._cut.parts, self.settings.shards or self._cut.parts)

    @property
    def finished(self) -> bool:
        """Whether the last epoch is over or patience has run out."""
        patience = self.settings.patience
        return self.epoch >= self.settings.epochs or (
            patience > 0 and self._evaluations_since_best >= patience
        )

    @property
    def result(self) -> Array:
        """The vector to keep: the best with early stopping, else the last (or its average)."""
        return self._best if self.settings.patience else self._candidate()

    def state(self) -> dict[str, Array]:
        """Everything that changes in training, as named arrays."""
        return {
            "vector": self.network.vector,
            "average": self._average,
            "best": self._best,
            "best_loss": np.array(self._best_loss),
            "counters": np.array([self.epoch, self.optimizer.steps, self._evaluations_since_best]),
            **{f"optimizer.{name}": values for name, values in self.optimizer.state.items()},
        }

    def restore(self, state: dict[str, Array]) -> None:
        """Go back to a state; raises ValueError, and changes nothing, for a wrong one."""
        own = self.state()
        if {name: (array.shape, array.dtype) for name, array in own.items()} != {
            name: (array.shape, array.dtype) for name, array in state.items()
        }:
            raise ValueError("this state belongs to another network or optimizer")
        if not all(np.isfinite(state[name]).all() for name in own if name != "best_loss"):
            raise ValueError("this state holds values that are no numbers")
        if np.isnan(state["best_loss"]).any():  # infinite, it is that of no epoch yet
            raise ValueError("the best loss of this state is no number")
        if not 0 <= state["counters"][0] <= self.settings.epochs or state["counters"].min() < 0:
            raise ValueError("this state is of an epoch that there is not")
        for name, array in own.items():
            array[...] = state[name]
        self._best_loss = float(own["best_loss"])
        self.epoch, self.optimizer.steps, self._evaluations_since_best = map(int, own["counters"])

    def _run_epoch(
        self, shards: Shards, all_rows: Array, progress: Callable[[float], None] | None
    ) -> list[float]:
        settings = self.settings
        order, chance = np.random.SeedSequence((self.seed, 1 + self.epoch)).spawn(2)
        batches = list(batch_rows(all_rows, settings.batch_size, rng=np.random.default_rng(order)))
        shards.begin_epoch(chance)
        steps = []
        for number, rows in enumerate(batches):
            factor = self.schedule.factor(self.epoch + number / len(batches), settings.epochs)
            done = self.optimizer.steps + number + 1
            steps.append(Step(rows, factor, min(settings.average_decay, (1 + done) / (10 + done))))

        def after(done: int) -> None:
            if progress:
                progress(self.epoch + done / len(batches))

        losses = shards.run(steps, after=after)
        if not math.isfinite(losses[-1]):
            raise FloatingPointError(f"the loss became {losses[-1]} in epoch {self.epoch + 1}")
        shards.merge_statistics()
        self.epoch += 1
        return [float(loss) for loss in losses]

    def _evaluate(self, predictor: Predictor, hold_out: Examples) -> tuple[float, float]:
        """Return mean cross-entropy and accuracy of the candidate on the held-out rows."""
        current = self.network.parameters.copy()
        self.network.vector[...] = self._candidate()
        score = Score(hold_out.labels[hold_out.rows])
        for probabilities in predictor.predict_in_turn(hold_out.rows):
            score.add(probabilities)
        self.network.parameters[...] = current
        return score.log_loss, score.accuracy

    def _candidate(self) -> Array:
        """The network's vector, with averaged weights if they are averaged."""
        if not self.settings.average_decay:
            return self.network.vector
        return np.concatenate([self._average, self.network.statistics])

    def _note_best(self, loss: float) -> None:
        if loss < self._best_loss:
            self._best_loss = loss
            self._best[...] = self._candidate()
            self._evaluations_since_best = 0
        else:
            self._evaluations_since_best += 1
