"""What a way of breaking the pipeline came to: a table, and whatever did not hold."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class Table:
    """The outcome of one part of the stress tests.

    summary: a sentence or two with the figure, in Markdown.
    failures: what did not hold, a line each; none if all did.
    """

    summary: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    failures: Sequence[str] = field(default=())

    def outcome(self) -> str:
        """The summary, and the failures as a list."""
        lines = [self.summary]
        if self.failures:
            lines += ["", "Did not hold:", "", *(f"- {failure}" for failure in self.failures)]
        return "\n".join(lines)

    def markdown(self) -> str:
        """The outcome, and the table."""
        lines = [_line(self.columns), _line(["---"] * len(self.columns))]
        return "\n".join([self.outcome(), "", *lines, *(_line(row) for row in self.rows)])


class Part(Protocol):
    """One way of breaking the pipeline.

    folder: an empty one, to work in.
    seed: of all random choices.
    tell: called with a line about progress.
    """

    def __call__(self, folder: Path, *, seed: int, tell: Callable[[str], None]) -> Table: ...


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
