"""Who hears how work goes: one listener for a whole command, and silence where nobody listens.

Work that takes long calls ``reporter().line(...)`` wherever it is; whoever started it listens:

    with listening(TrainingDisplay(console)):
        train(plan)
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class TrainStart:
    """What is known before the first epoch of this call.

    epochs_done: of an interrupted training that is taken up again, else 0.
    refit: whether it is the second network, on all rows.
    networks: how many the run trains in all, 2 with a second one.
    may_stop_early: whether there may be fewer epochs.
    """

    run: str
    recipe: str
    parameters: int
    epochs: int
    epochs_done: int
    training_rows: int
    hold_out_rows: int
    workers: int
    refit: bool = False
    networks: int = 1
    may_stop_early: bool = False


class Epoch(Protocol):
    """What is told of an epoch: ``pipeline.nn.EpochResult`` is one."""

    @property
    def epoch(self) -> int: ...
    @property
    def learning_rate(self) -> float: ...
    @property
    def training_loss(self) -> float: ...
    @property
    def hold_out_loss(self) -> float: ...
    @property
    def hold_out_accuracy(self) -> float: ...
    @property
    def images_per_second(self) -> float: ...


class Reporter:
    """Hears of work, and does nothing about it; listeners override what they want to hear."""

    def of(self, run: str) -> "Reporter":  # noqa: ARG002
        """Return who hears of this one of several runs that are trained at once."""
        return self

    def line(self, text: str) -> None:
        """Something that a person should know by now: a wait, a retry, the next of several runs."""

    def turn(self, number: int, of: int) -> None:
        """It is the turn of the next of several runs, from 1."""

    def start(self, start: TrainStart) -> None:
        """The training of a network begins, or goes on."""

    def step(self, epochs: float) -> None:
        """A step of it was done, and so many epochs by now; called often, so answer at once."""

    def epoch(self, result: Epoch) -> None:
        """It was evaluated."""

    def end(self) -> None:
        """It is finished."""


_SILENCE = Reporter()
_listener: ContextVar[Reporter] = ContextVar("reporter", default=_SILENCE)


def reporter() -> Reporter:
    """Return who listens now."""
    return _listener.get()


@contextmanager
def listening(listener: Reporter) -> Iterator[None]:
    """Let a listener hear of all work in the block."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)
