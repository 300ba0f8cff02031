"""Work under way: a line for each step of it, and on a terminal a bar below them that moves."""

import math
import time
from contextlib import ExitStack
from types import TracebackType
from typing import Self

from rich.console import Console

from pipeline.cli.advice import advice
from pipeline.cli.show.bar import Bar
from pipeline.cli.show.console import show_headline, show_line
from pipeline.cli.show.time_left import TimeLeft, clock
from pipeline.system.reporter import Epoch, Reporter, TrainStart, listening


class ProgressDisplay(Reporter):
    """Shows at most one training's bar; listens in its ``with`` block, which ends the bar."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar: Bar | None = None
        self._start: TrainStart | None = None
        self._left = TimeLeft(0, 0)
        self._done = 0.0
        self._listening = ExitStack()

    def __enter__(self) -> Self:
        self._listening.enter_context(listening(self))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.end()
        self._listening.close()

    def line(self, text: str) -> None:
        """Print a line from the stage in mid-work, below what it has shown so far."""
        show_line(self._console, f"  {advice(text)}")

    def step(self, epochs: float) -> None:
        """Move the bar, now and then."""
        if self._bar is None:
            return
        now = time.perf_counter()
        self._done = epochs
        self._left.step(epochs, now)
        if self._bar.is_due(now):
            self._draw(self._bar)

    def epoch(self, result: Epoch) -> None:  # noqa: ARG002  (for those who show it)
        """Note that it is over."""
        now = time.perf_counter()
        self._left.epoch(now)
        if self._bar is not None and self._bar.is_due(now):
            self._draw(self._bar)

    def end(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _begin(self, start: TrainStart) -> None:
        """Begin a bar, if somebody looks at a terminal on which a line can be drawn anew."""
        self.end()
        self._start, self._done = start, start.epochs_done
        self._left = TimeLeft(start.epochs, start.epochs_done)
        if self._console.is_terminal and not self._console.is_dumb_terminal:
            self._bar = Bar(self._console)
            self._bar.start()
            self._draw(self._bar)

    def _draw(self, bar: Bar) -> None:
        """Draw the epoch under way, and how far the whole training is."""
        epochs = self._start.epochs if self._start else 1
        number = min(math.floor(self._done) + 1, epochs)
        before = f"{self._name()}epoch {number:>{len(str(epochs))}}/{epochs}"
        bar.draw(self._done / epochs, before, "  ".join(filter(None, self._facts())))

    def _name(self) -> str:
        """What stands before the epoch."""
        return ""

    def _facts(self) -> list[str]:
        """What stands after the bar, most important first."""
        left = self._left.seconds
        if left is None or self._start is None:
            return []
        at_most = "at most " if self._start.may_stop_early else ""
        return [f"{at_most}{clock(left)} left"]


class TrainingDisplay(ProgressDisplay):
    """Shows trainings under way.  each_epoch: else only the lines that are reported."""

    def __init__(self, console: Console, *, each_epoch: bool = True) -> None:
        super().__init__(console)
        self._each_epoch = each_epoch
        self._began = 0.0
        self._turn = (1, 1)

    def of(self, run: str) -> Reporter:
        """Show one of several that are trained at once: its lines, with its name."""
        return _OneOfSeveral(self._console, run)

    def turn(self, number: int, of: int) -> None:
        """Note how many runs are still to come."""
        self._turn = (number, of)

    def start(self, start: TrainStart) -> None:
        """Print what is going to be trained."""
        if not self._each_epoch:
            return
        self.end()
        self._began = time.perf_counter()
        show_headline(self._console, "train", f"{start.recipe}: {_what(start)}")
        if start.epochs_done:
            show_line(self._console, f"  {_going_on(start)}")
        self._begin(start)

    def epoch(self, result: Epoch) -> None:
        """Show one evaluation."""
        super().epoch(result)
        if self._start is None:
            return
        left = "" if self._bar else _time_left(self._start, result, self._began)
        show_line(self._console, f"  {_figures(self._start, result)}{left}")

    def _facts(self) -> list[str]:
        """What is done, and the time left; with networks to come, also that for all of them."""
        start, (number, runs) = self._start, self._turn
        if start is None:
            return []
        done, facts = f"{100 * self._done / start.epochs:5.1f} %", super()._facts()
        left, per_epoch = self._left.seconds, self._left.per_epoch
        to_come = (runs - number) * start.networks + (start.networks - 1 - start.refit)
        if to_come and left is not None and per_epoch is not None:
            facts[0] += f", {clock(left + to_come * per_epoch * start.epochs)} for all"
        return [done, *facts]


class _OneOfSeveral(Reporter):
    """Shows one of several trainings at once, by lines among those of the others."""

    def __init__(self, console: Console, run: str) -> None:
        self._console = console
        self._run = run
        self._start: TrainStart | None = None
        self._began = 0.0

    def line(self, text: str) -> None:
        show_line(self._console, f"  {self._run}: {advice(text)}")

    def start(self, start: TrainStart) -> None:
        self._start, self._began = start, time.perf_counter()
        cores = f"{start.workers} {'core' if start.workers == 1 else 'cores'}"
        self.line(f"{start.recipe}, {_what(start)}, on {cores}")
        if start.epochs_done:
            self.line(_going_on(start))

    def epoch(self, result: Epoch) -> None:
        if self._start is not None:
            left = _time_left(self._start, result, self._began)
            self.line(f"{_figures(self._start, result)}{left}")


def _what(start: TrainStart) -> str:
    if start.refit:
        return f"again on all {start.training_rows:,} digits, for the test digits"
    return (
        f"{start.parameters:,} parameters, {start.training_rows:,} digits to "
        f"learn from, {start.hold_out_rows:,} held out"
    )


def _going_on(start: TrainStart) -> str:
    return f"going on after epoch {start.epochs_done} of {start.epochs}"


def _figures(start: TrainStart, result: Epoch) -> str:
    held_out = f"hold-out {result.hold_out_accuracy:.4f}  "
    if math.isnan(result.hold_out_accuracy):  # of a network trained on all rows
        held_out = ""
    width = len(str(start.epochs))
    return (
        f"epoch {result.epoch:>{width}}/{start.epochs}  "
        f"loss {result.training_loss:.4f}  {held_out}"
        f"rate {result.learning_rate:.2g}  {result.images_per_second:,.0f} images/s"
    )


def _time_left(start: TrainStart, result: Epoch, began: float) -> str:
    """began: when the training did."""
    elapsed = time.perf_counter() - began
    left = elapsed / (result.epoch - start.epochs_done) * (start.epochs - result.epoch)
    return f"  {left:.0f} s left"


class TuningDisplay(ProgressDisplay):
    """Shows a search under way: a bar for the trial of the moment, a line for each that ended."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._measured = ""

    def start(self, start: TrainStart) -> None:
        """Show on a terminal that a trial is under way."""
        self._measured = ""
        self._begin(start)

    def epoch(self, result: Epoch) -> None:
        """Show how far the trial is."""
        super().epoch(result)
        self._measured = f"loss {result.hold_out_loss:.4f}  accuracy {result.hold_out_accuracy:.4f}"

    def _name(self) -> str:
        return f"{self._start.run}  " if self._start else ""

    def _facts(self) -> list[str]:
        return [*super()._facts(), self._measured]
