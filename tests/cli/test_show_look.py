"""Digits are drawn in any terminal: with colours two pixels to a character, else in ASCII."""

import io
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from pipeline.analysis.look import ErrorsResult, LookResult, Misread, Reading
from pipeline.cli.show.console import make_console
from pipeline.cli.show.look import draw, show_errors, show_look, show_picture
from pipeline.runs.metrics import WrongAnswer
from tests.cli.test_show import Terminal

IMAGE = np.zeros((28, 28), np.uint8)
IMAGE[4:24, 10:14] = 255
IMAGE[4, 10] = 100


@pytest.fixture(autouse=True)
def _colour_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "COLUMNS", "LINES", "COLORTERM"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")


def plain() -> tuple[Console, io.StringIO]:
    stream = io.StringIO()
    return make_console(stream), stream


def terminal(monkeypatch: pytest.MonkeyPatch, columns: int) -> tuple[Console, Terminal]:
    monkeypatch.setenv("COLUMNS", str(columns))
    stream = Terminal()
    return make_console(stream), stream


def uncoloured(text: str) -> list[str]:
    return re.sub(r"\x1b\[[\d;]*m", "", text).splitlines()


def reading(digit: int, share: float = 0.91, **fields: object) -> Reading:
    probabilities = np.full(10, (1 - share) / 9, np.float32)
    probabilities[digit] = share
    values = {"networks": 1, "run_networks": 1, "held_out": None, **fields}
    return Reading(probabilities, **values)  # type: ignore[arg-type]


def looked(found: Reading | None, label: int | None = 1) -> LookResult:
    return LookResult("practice-quick", 42, IMAGE, label, found)


def test_a_locked_digit_says_that_it_is_not_read() -> None:
    result = LookResult("practice-quick", 42, IMAGE, 1, None, locked=True)
    console, stream = plain()
    show_look(console, result)
    assert (
        stream.getvalue().splitlines()[-1]
        == "  practice-quick does not read it: it is locked (split.locked)"
    )


def misread(row: int) -> Misread:
    return Misread(
        WrongAnswer(
            row=row, label=1, prediction=7, prediction_probability=0.91, label_probability=0.01
        ),
        IMAGE,
        reading(7).probabilities.astype(np.float64),
    )


def result(count: int, **fields: object) -> ErrorsResult:
    shown = tuple(misread(row) for row in range(count))
    return replace(ErrorsResult("r", None, None, shown, count, 300), **fields)  # type: ignore[arg-type]


def test_with_colours_a_character_is_two_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    console, _ = terminal(monkeypatch, 80)
    lines = draw(console, IMAGE)
    assert [line.plain for line in lines] == ["▀" * 28] * 14
    upper, lower = IMAGE[::2], IMAGE[1::2]
    for row, line in enumerate(lines):
        styles = [str(span.style) for span in line.spans]
        for column, style in enumerate(styles):
            above, below = upper[row, column], lower[row, column]
            assert style == f"rgb({above},{above},{above}) on rgb({below},{below},{below})"
        assert len(styles) == 28


def test_without_colours_characters_are_grey_levels() -> None:
    lines = [line.plain for line in draw(plain()[0], IMAGE)]
    assert [len(line) for line in lines] == [56] * 28
    assert lines[3].strip() == ""
    assert lines[4].strip() == "==@@@@@@"
    assert lines[5] == " " * 20 + "@" * 8 + " " * 28
    small = [line.plain for line in draw(plain()[0], IMAGE, small=True)]
    assert [len(line) for line in small] == [28] * 14
    assert small[5].strip() == "@@@@"


@pytest.mark.parametrize(
    ("variable", "value"), [("NO_COLOR", "1"), ("TERM", "dumb"), ("TERM", "xterm-16color")]
)
def test_a_terminal_with_few_or_no_colours_gets_characters(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    console, _ = terminal(monkeypatch, 120)
    assert len(draw(console, IMAGE)) == 28


def test_what_is_printed_into_ascii_is_ascii() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    console = make_console(stream)
    show_look(console, looked(reading(7)), saved=Path("zwölf.png"))
    show_picture(console, "zw\u00f6lf \udcff.png", IMAGE, reading(1))
    show_errors(console, result(3))
    stream.flush()
    text = raw.getvalue().decode("ascii")
    assert "zw\\xf6lf.png" in text
    assert "####" in text


def test_look_marks_label_and_prediction() -> None:
    console, stream = plain()
    show_look(console, looked(reading(7, held_out=True)))
    text = stream.getvalue()
    assert text.startswith("look: row 42 of train.csv, a 1\n")
    assert "read as  7 (0.910)" in text
    assert "practice-quick; the digit was held out: never learnt from" in text
    assert re.search(r"7  0\.9100  █{27} {5}prediction$", text, re.MULTILINE)
    assert re.search(r"1  0\.0100  +label$", text, re.MULTILINE)
    assert sum(bool(re.search(r"\d  0\.\d{4}", line)) for line in text.splitlines()) == 10
    assert all(line == line.rstrip() for line in text.splitlines())


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (reading(1, held_out=False), "practice-quick; the digit is one of those learnt from"),
        (reading(1, networks=2, run_networks=8, held_out=True), "2 of the 8 networks of practice"),
        (reading(1, networks=8, run_networks=8, held_out=False), "8 of the 8 networks of practice"),
    ],
)
def test_look_says_who_read_and_whether_it_was_learnt(found: Reading, text: str) -> None:
    console, stream = plain()
    show_look(console, looked(found))
    assert text in stream.getvalue()
    assert "label, prediction" in stream.getvalue()


def test_look_at_a_test_digit_names_its_id() -> None:
    console, stream = plain()
    show_look(console, looked(reading(1), label=None))
    assert stream.getvalue().startswith("look: row 42 of test.csv, ImageId 43\n")
    assert "label" not in stream.getvalue()


def test_without_a_run_the_digit_is_shown_all_the_same() -> None:
    console, stream = plain()
    show_look(console, looked(None))
    lines = stream.getvalue().splitlines()
    assert lines[-1].endswith("no finished run practice-quick; for a prediction, run: make train")
    assert sum("@@@@@@@@" in line for line in lines) == 19
    assert "0.0" not in stream.getvalue()


@pytest.mark.parametrize("columns", [30, 40, 62, 80, 200])
def test_the_bars_stand_beside_the_digit_or_below_it(
    monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    console, stream = terminal(monkeypatch, columns)
    show_picture(console, "p", IMAGE, reading(7))
    lines = uncoloured(stream.getvalue())
    assert sum("▀" * 28 in line for line in lines) == 14
    beside = any("▀" in line and "0.9100" in line for line in lines)
    assert beside == (columns >= 80)
    if columns >= 62:
        assert max(map(len, lines)) <= columns


@pytest.mark.parametrize(("columns", "at_once"), [(40, 1), (64, 2), (95, 3), (126, 4)])
def test_errors_stand_side_by_side(
    monkeypatch: pytest.MonkeyPatch, columns: int, at_once: int
) -> None:
    console, stream = terminal(monkeypatch, columns)
    show_errors(console, result(5))
    lines = uncoloured(stream.getvalue())
    assert max(map(len, lines[1:])) <= columns
    captions = [line for line in lines if "read as" in line]
    assert [line.count("1 read as 7") for line in captions] == [
        min(at_once, 5 - first) for first in range(0, 5, at_once)
    ]
    assert sum(line.count("7 0.9100  1 0.0100") for line in lines) == 5
    assert re.findall(r"row (\d)", " ".join(captions)) == list("01234")


@pytest.mark.parametrize(
    ("shown", "text"),
    [
        (result(0), "errors: r misreads none of 300 held-out digits\n"),
        (
            result(0, label=4, read_as=9, held_out=30),
            "errors: r misreads none of 30 held-out digits that are 4 as 9\n",
        ),
        (result(2), "errors: r misreads 2 of 300 held-out digits\n"),
        (
            result(2, found=1200),
            "errors: r misreads 1,200 of 300 held-out digits; shown: 2, the surest first\n",
        ),
    ],
)
def test_errors_say_how_many_there_are(shown: ErrorsResult, text: str) -> None:
    console, stream = plain()
    show_errors(console, shown)
    assert stream.getvalue().startswith(text)
    assert all(line == line.rstrip() for line in stream.getvalue().splitlines())
