"""Work under way: a progress bar on a terminal, and lines from the stage in mid-work."""

from contextlib import ExitStack
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import Progress, ProgressColumn, TaskID

from pipeline.cli.show.console import show_line
from pipeline.system.reporter import Reporter, listening


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
        show_line(self._console, f"  {text}")

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
