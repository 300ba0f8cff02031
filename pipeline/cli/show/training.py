"""Training as it goes: a progress bar on a terminal, elsewhere a line for each evaluation."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeRemainingColumn

from pipeline.cli.show.console import show_facts, show_headline, show_line, show_unchanged
from pipeline.cli.show.progress import ProgressDisplay
from pipeline.system.reporter import Epoch

# Types only: importing a stage takes long, and one command shows one stage.
if TYPE_CHECKING:
    from pipeline.stages.train import TrainResult
    from pipeline.system.reporter import TrainStart


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
            self._progress.update(self._task, completed=result.epoch, description=facts)
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


def show_train(console: Console, result: TrainResult) -> None:
    """Print how well the run reads the digits that it never saw, and how long it took."""
    if result.unchanged:
        show_unchanged(console, "train")
        return
    if result.hold_out_accuracy is None:
        show_line(
            console,
            f"  an ensemble of {result.networks} networks, trained in {result.seconds:.1f} s",
        )
    else:
        show_line(
            console,
            f"  {result.hold_out_accuracy:.4f} of {result.hold_out_rows:,} held-out digits right, "
            f"after {result.epochs} epochs in {result.seconds:.1f} s "
            f"({result.images_per_second:,.0f} images/s)",
        )
    facts = [("to", str(result.folder))]
    if result.refit_rows is not None:
        facts.append(
            (
                "predicts",
                f"a second network, after as many epochs on all {result.refit_rows:,} digits",
            )
        )
    show_facts(console, facts)
