"""Listeners for tests: what work reports while it runs."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

from pipeline.system.reporter import Reporter, listening

P = ParamSpec("P")
R = TypeVar("R")


class Lines(Reporter):
    """Hands every line on.  also: hears the rest."""

    def __init__(self, say: Callable[[str], object], also: Reporter | None = None) -> None:
        self.say = say
        if also is not None:
            self.start, self.epoch = also.start, also.epoch  # type: ignore[method-assign]

    def line(self, text: str) -> None:
        self.say(text)


def heard_by(
    listener: Reporter | Callable[[str], object],
    work: Callable[P, R],
    *arguments: P.args,
    **named: P.kwargs,
) -> R:
    """Do the work while a listener, or whoever takes lines, hears of it; return what it returns."""
    with listening(listener if isinstance(listener, Reporter) else Lines(listener)):
        return work(*arguments, **named)


@contextmanager
def heard() -> Iterator[list[str]]:
    """Yield the lines that work in the block reports, as they come."""
    lines: list[str] = []
    with listening(Lines(lines.append)):
        yield lines
