"""The console and the few forms in which every stage prints: a headline, facts, a table."""

from collections.abc import Iterable, Sequence
from typing import TextIO

from rich.console import Console, ConsoleOptions, RenderableType
from rich.measure import Measurement
from rich.padding import Padding
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from pipeline.system.text import printable

# Wider than any line of ours: what goes into a file or a pipe is never cut or folded.
PLAIN_WIDTH = 1_000


class PlainConsole(Console):
    """A console on which no text of somebody else's can do more than be read."""

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Escape what a terminal would obey; colours and cursor are apart from the texts."""
        for segment in super().render(renderable, options):
            if segment.control or segment.text.isprintable():
                yield segment
            else:
                yield segment._replace(text=printable(segment.text))


def make_console(stream: TextIO | None = None, *, stderr: bool = False) -> Console:
    """Return a console for a stream (by default standard output, or standard error).

    Texts are printed as they are: a path with brackets is no markup.
    """
    console = _console(stream, stderr, None)
    return console if console.is_terminal else _console(stream, stderr, PLAIN_WIDTH)


def _console(stream: TextIO | None, stderr: bool, width: int | None) -> Console:
    return PlainConsole(
        file=stream, stderr=stderr, width=width, markup=False, highlight=False, emoji=False
    )


def show_line(console: Console, text: str | Text, style: str | None = None) -> None:
    """Print one line; the terminal wraps it, so that a path can be copied whole."""
    console.print(text, style=style, soft_wrap=True)


def show_headline(console: Console, stage: str, text: str) -> None:
    """Print the first line of a stage's result."""
    show_line(console, Text.assemble((f"{stage}:", "bold cyan"), " ", (text, "bold")))


def show_unchanged(console: Console, stage: str) -> None:
    """Print the one line of a stage that had nothing to do."""
    text = " up to date (FORCE=1 to do it again)"
    show_line(console, Text.assemble((f"{stage}:", "bold cyan"), text))


def show_facts(console: Console, facts: Sequence[tuple[str, str]]) -> None:
    """Print names and values in two columns."""
    width = max(len(name) for name, _ in facts)
    for name, value in facts:
        show_line(console, Text.assemble("  ", (f"{name:<{width}}", "cyan"), f"  {value}"))


def make_table(headers: Sequence[str], *, left: Sequence[str] = ()) -> Table:
    """Return an empty table without lines; numbers stand right, columns in ``left`` left."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="cyan")
    for header in headers:
        if header in left:
            table.add_column(header, no_wrap=True)
        else:
            table.add_column(header, justify="right", no_wrap=True)
    return table


def fits(console: Console, table: Table) -> bool:
    """Whether a table can be shown two columns in without losing a character."""
    wide = console.options.update(max_width=PLAIN_WIDTH)
    return Measurement.get(console, wide, table).maximum + 2 <= console.width


def show_table(console: Console, table: Table) -> None:
    """Print a table two columns in; plain output carries no blanks at the ends of lines."""
    if console.is_terminal:
        console.print(Padding(table, (0, 0, 0, 2), expand=False))
        return
    with console.capture() as capture:
        console.print(table)
    for line in capture.get().splitlines():
        show_line(console, f"  {line}".rstrip())


def show_blank(console: Console) -> None:
    """Print an empty line."""
    console.print()
