"""Digits drawn in a terminal, beside the probabilities of what they are read as."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.text import Text

from pipeline.cli.advice import advice
from pipeline.cli.show.console import show_blank, show_facts, show_headline, show_line

# Types only: what reads digits loads the network.
if TYPE_CHECKING:
    from pipeline.analysis.look import ErrorsResult, LookResult, Misread, Reading

Image = NDArray[np.uint8]

SHADES = " .:-=+*#%@"
GAP = 3
WIDEST_BAR = 30
SMALLEST_BAR = 10
PLAIN_LINE = 80  # where there is no terminal: digits stand side by side up to this width


def show_look(console: Console, result: LookResult, *, saved: Path | None = None) -> None:
    """Print a digit of the data with its label, and with what the run reads in it."""
    if result.label is None:
        what = f"row {result.row} of test.csv, ImageId {result.row + 1}"
    else:
        what = f"row {result.row} of train.csv, a {result.label}"
    show_headline(console, "look", what)
    facts = []
    if result.reading is not None:
        facts += [
            ("read as", _answer(result.reading)),
            ("read by", _readers(result.run, result.reading)),
        ]
    if saved is not None:
        facts.append(("saved", _printable(console, str(saved))))
    if facts:
        show_facts(console, facts)
    _show_read(console, result.image, result.reading, result.label)
    if result.locked:
        show_line(console, f"  {result.run} does not read it: it is locked (split.locked)")
    elif result.reading is None:
        show_line(
            console,
            advice(f"  There is no finished run {result.run}; for a prediction, run: make train"),
        )


def show_picture(console: Console, name: str, digit: Image, reading: Reading) -> None:
    """Print what the network was given for a picture, and what it reads in it."""
    show_headline(console, _printable(console, name), f"reads {_answer(reading)}")
    if reading.doubts:
        show_line(console, Text(f"  Doubtful: {'; '.join(reading.doubts)}.", "yellow"))
    _show_read(console, digit, reading, None)


def show_errors(console: Console, result: ErrorsResult) -> None:
    """Print misread digits, as many side by side as the terminal is wide."""
    which = (
        "held-out digits" if result.label is None else f"held-out digits that are {result.label}"
    )
    of = f"of {result.held_out:,} {which}"
    read_as = "" if result.read_as is None else f" as {result.read_as}"
    if not result.found:
        show_headline(console, "errors", f"{result.run} misreads none {of}{read_as}")
        return
    rest = (
        ""
        if result.found == len(result.shown)
        else f"; shown: {len(result.shown)}, the surest first"
    )
    show_headline(console, "errors", f"{result.run} misreads {result.found:,} {of}{read_as}{rest}")
    cells = [_error_cell(console, misread) for misread in result.shown]
    width = cells[0][0].cell_len
    line = console.width if console.is_terminal else PLAIN_LINE
    at_once = max(1, (line - 2 + GAP) // (width + GAP))
    for first in range(0, len(cells), at_once):
        show_blank(console)
        for parts in zip(*cells[first : first + at_once], strict=True):
            _show_parts(console, parts, width)


def _error_cell(console: Console, misread: Misread) -> list[Text]:
    """A small drawing, and below it what the digit is and what was read, with probabilities."""
    answer = misread.answer
    others = [
        int(digit)
        for digit in np.argsort(-misread.probabilities, kind="stable")
        if digit not in (answer.prediction, answer.label)
    ]
    shares = Text("  ").join(
        Text(f"{digit} {misread.probabilities[digit]:.4f}", style)
        for digit, style in (
            (answer.prediction, "red"),
            (answer.label, "green"),
            (others[0], ""),
        )
    )
    what = Text.assemble(
        (f"row {answer.row}", "bold"),
        ": ",
        (str(answer.label), "bold green"),
        " read as ",
        (str(answer.prediction), "bold red"),
    )
    return [*draw(console, misread.image, small=True), what, shares]


def draw(console: Console, image: Image, *, small: bool = False) -> list[Text]:
    """Return a digit, (28, 28) uint8, as lines of equal width.

    With colours two pixels stand in a character, its upper and lower half: 14 lines of 28. Without,
    characters of different weight stand for grey levels: 28 lines of 56, or, small, 14 of 28.
    """
    if _has_blocks(console):
        return [
            Text.assemble(*(_block(above, below) for above, below in zip(*pair, strict=True)))
            for pair in zip(image[::2].tolist(), image[1::2].tolist(), strict=True)
        ]
    levels = image.astype(np.float64)
    if small:
        levels = (levels[::2] + levels[1::2]) / 2
    places = np.rint(levels / 255 * (len(SHADES) - 1)).astype(int)
    return [Text("".join(SHADES[at] * (1 if small else 2) for at in line)) for line in places]


def _has_blocks(console: Console) -> bool:
    """Whether the terminal shows half blocks in enough greys."""
    many = console.color_system in ("256", "truecolor") and not console.no_color
    return console.is_terminal and many and not console.options.ascii_only


def _block(above: int, below: int) -> tuple[str, str]:
    return "▀", f"rgb({above},{above},{above}) on rgb({below},{below},{below})"


def _show_read(console: Console, image: Image, reading: Reading | None, label: int | None) -> None:
    """A digit with its probabilities on its right, or below it where there is no room."""
    drawing = draw(console, image)
    width = drawing[0].cell_len
    if reading is None:
        lines: list[Text] = []
    else:
        room = console.width - 2 - width - GAP
        lines = _probability_lines(console, reading, label, room)
        if max(line.cell_len for line in lines) > room:
            for line in drawing:
                _show_parts(console, [line], width)
            for line in _probability_lines(console, reading, label, console.width - 2):
                _show_parts(console, [line], width)
            return
    above = (len(drawing) - len(lines)) // 2
    for left, right in zip_longest(drawing, [Text()] * above + lines, fillvalue=Text()):
        _show_parts(console, [left, right], width)


def _probability_lines(
    console: Console, reading: Reading, label: int | None, room: int
) -> list[Text]:
    """One line for each digit: its probability as number and bar, and whether it is the answer."""
    notes: dict[int, str] = {reading.prediction: "prediction"}
    if label is not None:
        notes[label] = "label, prediction" if label == reading.prediction else "label"
    longest = max(len(note) for note in notes.values())
    bar = min(WIDEST_BAR, max(SMALLEST_BAR, room - len("7  0.1234    ") - longest))
    sign = "#" if console.options.ascii_only else "█"
    lines = []
    for digit, probability in enumerate(reading.probabilities.tolist()):
        style = ""
        if digit in notes:
            wrong = label is not None and digit == reading.prediction != label
            style = "bold red" if wrong else "bold green"
        filled = round(probability * bar)
        text = f"{digit}  {probability:.4f}  {sign * filled:<{bar}}  {notes.get(digit, '')}"
        lines.append(Text(text.rstrip(), style))
    return lines


def _show_parts(console: Console, parts: Sequence[Text], width: int) -> None:
    """One line of texts side by side, two columns in; blanks at its end are left away."""
    line = Text("  ")
    for number, part in enumerate(parts):
        if number:
            line.append(" " * (2 + number * (width + GAP) - line.cell_len))
        line.append_text(part)
    if not _has_blocks(console):
        line.rstrip()
    show_line(console, line)


def _answer(reading: Reading) -> str:
    return f"{reading.prediction} ({reading.probabilities[reading.prediction]:.3f})"


def _readers(run: str, reading: Reading) -> str:
    """Who read the digit, and whether it was among what they learnt from."""
    who = run
    if reading.run_networks > 1:
        who = f"{reading.networks} of the {reading.run_networks} networks of {run}"
    seen = {
        None: "",
        True: "; the digit was held out: never learnt from",
        False: "; the digit is one of those learnt from",
    }
    return who + seen[reading.held_out]


def _printable(console: Console, text: str) -> str:
    """A file's name as it can be printed: what the encoding has not is escaped."""
    return text.encode(console.encoding, "backslashreplace").decode(console.encoding)
