"""A reporter that keeps the lines it is told."""

from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.system.reporter import Reporter, listening


class _Lines(Reporter):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def line(self, text: str) -> None:
        self.lines.append(text)


@contextmanager
def heard() -> Iterator[list[str]]:
    """Yield the lines that work in the block reports, as they come."""
    listener = _Lines()
    with listening(listener):
        yield listener.lines
