"""The line at the end of a terminal that is drawn anew while work goes on."""

import time

from rich.console import Console
from rich.live import Live
from rich.text import Text

# Drawing takes about half a millisecond of the time of training, and much more where a terminal
# is slow: it waits so many times as long as it took, so that it costs less than 0.35 %.
REST = 300
LEAST_PAUSE_SECONDS = 0.2
# One that took long by chance, while the machine did something else, is not to stop it.
MOST_PAUSE_SECONDS = 1.0
WIDTH = 30
LEAST_WIDTH = 5


class Bar:
    """A bar with words on both sides; lines that are printed meanwhile stand above it.

    It is drawn by whoever calls, and by no thread: one would disturb each of the network's steps.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._due = 0.0

    def start(self) -> None:
        """Begin, with nothing drawn yet."""
        self._live.start()

    def stop(self) -> None:
        """Take it away."""
        self._live.stop()

    def draw(self, share: float, before: str, after: str) -> None:
        """Draw it now.  share: of the work that is done."""
        began = time.perf_counter()
        self._live.update(self._line(share, before, after), refresh=True)
        now = time.perf_counter()
        pause = max(LEAST_PAUSE_SECONDS, REST * (now - began))
        self._due = now + min(pause, MOST_PAUSE_SECONDS)

    def is_due(self, now: float) -> bool:
        """Whether drawing it again costs little of the time since it was drawn."""
        return now >= self._due

    def _line(self, share: float, before: str, after: str) -> Text:
        """Return the line; where it is too narrow the bar is shorter, or is not there at all."""
        room = self._console.width - len(before) - len(after) - 6  # for the blanks
        width = min(WIDTH, room)
        line = Text(f"  {before}", no_wrap=True, overflow="crop")
        if width >= LEAST_WIDTH:
            sign, rest = ("-", " ") if self._console.options.ascii_only else ("━", "━")
            if self._console.color_system is None or self._console.no_color:
                rest = " "
            done = int(share * width)
            line.append("  ").append(sign * done, "bar.complete")
            line.append(rest * (width - done), "bar.back")
        return line.append(f"  {after}")
