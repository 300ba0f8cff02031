"""What one sees of a training under way, on terminals of several kinds and elsewhere."""

import contextlib
import io
import re
import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from pipeline.cli.show.console import make_console
from pipeline.cli.show.progress import ProgressDisplay, TrainingDisplay, TuningDisplay
from pipeline.cli.show.time_left import TimeLeft, clock
from pipeline.nn import EpochResult
from pipeline.system.reporter import TrainStart

START = TrainStart("r", "quick", 5, 8, 0, 80, 20, 2)
STEPS = 40  # an epoch: one in a quarter of a second, so that each is drawn


class Clock:
    """A time that passes only where a test says so."""

    def __init__(self) -> None:
        self.now = 50.0

    def __call__(self) -> float:
        return self.now


class Terminal(io.StringIO):
    """drawing: seconds that each write takes.  writes: how many there were."""

    def __init__(self, clock: Clock, drawing: float = 0.0) -> None:
        super().__init__()
        self._clock, self._drawing, self.writes = clock, drawing, 0

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self._clock.now += self._drawing
        self.writes += 1
        return super().write(text)


@pytest.fixture
def ticking(monkeypatch: pytest.MonkeyPatch) -> Clock:
    for variable in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "LINES"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "100")
    found = Clock()
    monkeypatch.setattr(time, "perf_counter", found)
    return found


def result(epoch: int) -> EpochResult:
    return EpochResult(epoch, 0.5, 0.4, 0.9, 0.01, 100.0, 1.0)


def train(display: ProgressDisplay, ticking: Clock, *, begin: float = 0, until: float) -> None:
    """Report steps of a training with epochs of ten seconds, and evaluations of one."""
    for step in range(round(begin * STEPS) + 1, round(until * STEPS) + 1):
        ticking.now += 10 / STEPS
        display.step(step / STEPS)
        if step % STEPS == 0:
            ticking.now += 1.0
            display.epoch(result(step // STEPS))


def screen(written: str) -> list[str]:
    """The lines that a terminal shows in the end, after all that was drawn over."""
    lines, row, column = [""], 0, 0
    for token in re.findall(r"\x1b\[[0-9;?]*[A-Za-z]|\r|\n|[^\x1b\r\n]+", written):
        if token == "\n":
            row, column = row + 1, 0
            lines += [""] * (row + 1 - len(lines))
        elif token == "\r":
            column = 0
        elif token.startswith("\x1b"):
            if token.endswith("A"):
                row -= int(token[2:-1])
            elif token.endswith("K"):
                lines[row] = ""
        else:
            lines[row] = (
                lines[row][:column].ljust(column) + token + lines[row][column + len(token) :]
            )
            column += len(token)
    return [line.rstrip() for line in lines]


def shown(terminal: Terminal, work: Callable[[TrainingDisplay], None]) -> list[str]:
    """Return what stands on the terminal when the work is done, before the bar goes."""
    with TrainingDisplay(make_console(terminal)) as display:
        work(display)
        return screen(terminal.getvalue())


def bar_on(terminal: Terminal) -> str:
    """The bar's line, without the bar."""
    return [line for line in screen(terminal.getvalue()) if line][-1].replace("━", "")


def test_the_bar_and_the_time_left_move_within_an_epoch(ticking: Clock) -> None:
    lines = []

    def work(display: TrainingDisplay) -> None:
        display.start(START)
        for begin, until in ((0.0, 0.025), (0.025, 0.1), (0.1, 0.5)):
            train(display, ticking, begin=begin, until=until)
            lines.append(bar_on(terminal))

    terminal = Terminal(ticking)
    shown(terminal, work)
    assert lines == [
        "  epoch 1/8      0.3 %",  # the first quarter of a second of epochs that take ten
        "  epoch 1/8      1.2 %  1:19 left",
        "  epoch 1/8      6.2 %  1:15 left",
    ]


def test_the_lines_of_the_epochs_stay_above_the_bar(ticking: Clock) -> None:
    def work(display: TrainingDisplay) -> None:
        display.start(START)
        train(display, ticking, until=2.75)

    terminal = Terminal(ticking)
    lines = shown(terminal, work)
    assert lines[:3] == [
        "train: quick: 5 parameters, 80 digits to learn from, 20 held out",
        "  epoch 1/8  loss 0.5000  hold-out 0.9000  rate 0.01  100 images/s",
        "  epoch 2/8  loss 0.5000  hold-out 0.9000  rate 0.01  100 images/s",
    ]
    assert lines[3] == f"  epoch 3/8  {'━' * 30}   34.4 %  0:58 left"
    assert not "".join(screen(terminal.getvalue())[3:])  # it goes in the end


@pytest.mark.parametrize("interrupted", [False, True])
def test_a_line_in_mid_training_stands_above_the_bar(ticking: Clock, interrupted: bool) -> None:
    def work(display: TrainingDisplay) -> None:
        display.start(START)
        train(display, ticking, until=0.5)
        display.line("the service failed")
        train(display, ticking, begin=0.5, until=0.6)
        if interrupted:
            raise KeyboardInterrupt

    terminal = Terminal(ticking)
    with contextlib.suppress(KeyboardInterrupt):
        lines = shown(terminal, work)
        assert lines[1] == "  the service failed"
        assert lines[2].startswith("  epoch 1/8  ━")
    assert not "".join(screen(terminal.getvalue())[2:])
    assert terminal.getvalue().rindex("\x1b[?25h") > terminal.getvalue().rindex("\x1b[?25l")


@pytest.mark.parametrize("columns", [20, 30, 45, 60, 80, 200])
def test_it_fits_in_any_width(
    ticking: Clock, columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def work(display: TrainingDisplay) -> None:
        display.turn(1, 5)
        display.start(replace(START, epochs=120, may_stop_early=True))
        train(display, ticking, until=0.9)

    monkeypatch.setenv("COLUMNS", str(columns))
    bar = shown(Terminal(ticking), work)[-1]
    whole = "epoch 1/120 0.8 % at most 19:51 left, 1:39:51 for all"
    assert len(bar) <= columns
    text = " ".join(bar.replace("━", "").split())
    assert text == whole[: len(text)]
    assert (text == whole) == (columns >= 80)
    assert ("━" * 5 in bar) == (columns >= 80)


def test_without_colours_the_bar_ends_where_the_work_does(
    ticking: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def work(display: TrainingDisplay) -> None:
        display.start(START)
        train(display, ticking, until=4.5)

    monkeypatch.setenv("NO_COLOR", "1")
    terminal = Terminal(ticking)
    assert shown(terminal, work)[-1] == f"  epoch 5/8  {'━' * 16}{' ' * 14}   56.2 %  0:38 left"
    assert not re.search(r"\x1b\[(\d+;)*[34]\d", terminal.getvalue())


@pytest.mark.parametrize("term", ["dumb", "unknown"])
def test_where_no_line_can_be_drawn_anew_there_are_lines_alone(
    ticking: Clock, term: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def work(display: TrainingDisplay) -> None:
        display.start(START)
        train(display, ticking, until=1)

    monkeypatch.setenv("TERM", term)
    terminal = Terminal(ticking)
    shown(terminal, work)
    assert terminal.getvalue().splitlines()[1:] == [
        "  epoch 1/8  loss 0.5000  hold-out 0.9000  rate 0.01  100 images/s  77 s left"
    ]


def test_what_is_piped_has_each_epoch_and_no_step(ticking: Clock) -> None:
    pipe = io.StringIO()
    with TrainingDisplay(make_console(pipe)) as display:
        display.turn(1, 3)
        display.start(START)
        train(display, ticking, until=2.5)
    assert pipe.getvalue() == (
        "train: quick: 5 parameters, 80 digits to learn from, 20 held out\n"
        "  epoch 1/8  loss 0.5000  hold-out 0.9000  rate 0.01  100 images/s  77 s left\n"
        "  epoch 2/8  loss 0.5000  hold-out 0.9000  rate 0.01  100 images/s  66 s left\n"
    )


@pytest.mark.parametrize("step_seconds", [0.001, 0.02])
def test_drawing_takes_less_than_a_half_percent_of_the_time(
    ticking: Clock, step_seconds: float
) -> None:
    terminal = Terminal(ticking, drawing=0.001)
    with TrainingDisplay(make_console(terminal)) as display:
        display.start(START)
        began, before = ticking.now, terminal.writes
        while ticking.now < began + 20:
            ticking.now += step_seconds
            display.step((ticking.now - began) / 20)
        drawn = terminal.writes - before
        assert 0.001 * drawn < 0.005 * 20
        assert drawn > 2 * 20  # and it moves all the same


def test_a_drawing_that_took_long_by_chance_does_not_stop_it(ticking: Clock) -> None:
    terminal = Terminal(ticking, drawing=5.0)
    with TrainingDisplay(make_console(terminal)) as display:
        display.start(START)
        before = terminal.writes
        train(display, ticking, until=0.2)
        assert terminal.writes > before


def test_the_time_left_of_several_networks(ticking: Clock) -> None:
    """Each run has a second network, on all rows."""
    lines = []

    def work(display: TrainingDisplay) -> None:
        display.turn(2, 3)
        for start in (replace(START, networks=2), replace(START, networks=2, refit=True)):
            display.start(start)
            train(display, ticking, until=4.5)
            lines.append(bar_on(terminal))
        display.turn(3, 3)
        display.start(replace(START, networks=2, refit=True))
        train(display, ticking, until=4.5)
        lines.append(bar_on(terminal))

    terminal = Terminal(ticking)
    shown(terminal, work)
    # Epochs of eleven seconds: 3.5 of them are left here, 8 of each network to come.
    assert [line.partition("%  ")[2] for line in lines] == [
        "0:38 left, 5:02 for all",
        "0:38 left, 3:34 for all",
        "0:38 left",
    ]


def test_a_search_shows_what_its_trial_measured_last(ticking: Clock) -> None:
    terminal = Terminal(ticking)
    with TuningDisplay(make_console(terminal)) as display:
        display.start(replace(START, run="trial 3/12"))
        train(display, ticking, until=1.5)
        assert (
            bar_on(terminal) == "  trial 3/12  epoch 2/8    1:12 left  loss 0.4000  accuracy 0.9000"
        )
        display.end()
        display.start(replace(START, run="trial 4/12"))
        train(display, ticking, until=0.5)
        assert bar_on(terminal) == "  trial 4/12  epoch 1/8    1:15 left"


def test_the_time_left_is_that_of_what_is_done_now() -> None:
    left = TimeLeft(10, 5)
    left.step(5.25, 100.0)  # after the start of the workers, however long it took
    assert left.seconds is None
    left.step(5.5, 101.0)
    assert left.seconds == pytest.approx(4.5 * 4)
    left.step(6.0, 103.0)
    left.epoch(104.0)
    assert left.seconds == pytest.approx(4 * (4 + 1))
    left.step(6.5, 106.0)  # half an epoch later the evaluation has not become half as long
    assert left.seconds == pytest.approx(3.5 * (4 + 1))


def test_the_time_left_where_few_of_many_epochs_are_evaluated() -> None:
    """Gradient descent: a step is an epoch."""
    left = TimeLeft(100, 0)
    for epoch in range(1, 11):
        left.step(epoch, float(epoch))
    left.epoch(15.0)
    left.step(11, 16.0)
    assert left.seconds == pytest.approx(89 * (1 + 0.5))


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0:00"), (7.0, "0:07"), (59.6, "1:00"), (750.0, "12:30"), (3723.0, "1:02:03")],
)
def test_a_time_is_read_like_a_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text
