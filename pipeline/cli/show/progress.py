"""Work under way: a progress bar on a terminal, elsewhere a line for each step of it."""

import math
import time
from contextlib import ExitStack
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from pipeline.cli.advice import advice
from pipeline.cli.show.console import show_headline, show_line
from pipeline.system.reporter import Epoch, Reporter, TrainStart, listening


class ProgressDisplay(Reporter):
    """Shows at most one progress bar; listens in its ``with`` block, which ends the bar."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress: Progress | None = None
        self._task = TaskID(0)
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
        self._stop()
        self._listening.close()

    def line(self, text: str) -> None:
        """Print a line from the stage in mid-work, below what it has shown so far."""
        self._stop()
        show_line(self._console, f"  {advice(text)}")

    def _begin(self, *columns: ProgressColumn, total: int | None = None, done: int = 0) -> None:
        """Begin a bar, if somebody looks at a terminal."""
        self._stop()
        if self._console.is_terminal:
            self._progress = Progress(*columns, console=self._console, transient=True)
            self._task = self._progress.add_task("", total=total, completed=done)
            self._progress.start()

    def end(self) -> None:
        """Take the bar away."""
        self._stop()

    def _advance(self, done: int, description: str) -> None:
        if self._progress is not None:
            self._progress.update(self._task, completed=done, description=description)

    def _stop(self) -> None:
        if self._progress is not None:
            self._progress.stop()
            self._progress = None


class TrainingDisplay(ProgressDisplay):
    """Shows trainings under way.  each_epoch: else only the lines that are reported."""

    def __init__(self, console: Console, *, each_epoch: bool = True) -> None:
        super().__init__(console)
        self._each_epoch = each_epoch
        self._start: TrainStart | None = None
        self._began = 0.0

    def start(self, start: TrainStart) -> None:
        """Print what is going to be trained."""
        if not self._each_epoch:
            return
        self._stop()
        self._start, self._began = start, time.perf_counter()
        text = (
            f"again on all {start.training_rows:,} digits, for the test digits"
            if start.refit
            else f"{start.parameters:,} parameters, {start.training_rows:,} digits to "
            f"learn from, {start.hold_out_rows:,} held out"
        )
        show_headline(self._console, "train", f"{start.recipe}: {text}")
        if start.epochs_done:
            show_line(
                self._console, f"  going on after epoch {start.epochs_done} of {start.epochs}"
            )
        self._begin(
            TextColumn("  epoch {task.completed:.0f}/{task.total:.0f}"),
            BarColumn(bar_width=20),
            TextColumn("{task.description}"),
            TimeRemainingColumn(compact=True),
            total=start.epochs,
            done=start.epochs_done,
        )

    def epoch(self, result: Epoch) -> None:
        """Show one evaluation."""
        held_out = f"hold-out {result.hold_out_accuracy:.4f}  "
        if math.isnan(result.hold_out_accuracy):  # of a network trained on all rows
            held_out = ""
        facts = (
            f"loss {result.training_loss:.4f}  {held_out}"
            f"rate {result.learning_rate:.2g}  {result.images_per_second:,.0f} images/s"
        )
        if self._progress is not None:
            self._advance(result.epoch, facts)
        elif self._start is not None:
            width = len(str(self._start.epochs))
            show_line(
                self._console,
                f"  epoch {result.epoch:>{width}}/{self._start.epochs}  {facts}  "
                f"{self._left(self._start, result.epoch):.0f} s left",
            )

    def _left(self, start: TrainStart, epoch: int) -> float:
        elapsed = time.perf_counter() - self._began
        return elapsed / (epoch - start.epochs_done) * (start.epochs - epoch)


class TuningDisplay(ProgressDisplay):
    """Shows a search under way: a bar for the trial of the moment, a line for each that ended."""

    def start(self, start: TrainStart) -> None:
        """Show on a terminal that a trial is under way."""
        self._begin(
            TextColumn(f"  {start.run}  epoch {{task.completed:.0f}}"),
            BarColumn(bar_width=20),
            TextColumn("{task.description}"),
            total=start.epochs,
        )

    def epoch(self, result: Epoch) -> None:
        """Show how far the trial is."""
        self._advance(
            result.epoch,
            f"loss {result.hold_out_loss:.4f}  accuracy {result.hold_out_accuracy:.4f}",
        )
