"""How a file of digits is written, told once by its first lines: what stands in which column.

Kaggle's own files begin with ``label,pixel0,...,pixel783``, MNIST's with ``label,1x1,...,28x28``.
Programs write the same digits with other separators and names, without a header, with the number
of each row in front, or with the label at the end. Where that leaves no doubt, it is read.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import zip_longest
from math import isqrt
from typing import BinaryIO

from pipeline.system.csv_lines import fields_of, numbered_lines, shown
from pipeline.system.errors import PipelineError

SIDE_PIXELS = 28
PIXELS = SIDE_PIXELS * SIDE_PIXELS
LABEL = "label"
KAGGLE_PIXELS = [f"pixel{number}" for number in range(PIXELS)]
MNIST_PIXELS = [f"{row}x{column}" for row in range(1, 29) for column in range(1, 29)]

# Names of the column with the label, and of one with the row's number, in small letters.
LABEL_NAMES = frozenset({LABEL, "labels", "class", "target", "digit", "y"})
NUMBER_NAMES = frozenset({"", "index", "id", "imageid", "row", "unnamed: 0"})
# The comma comes late: it may be the decimal point of numbers with a semicolon between them.
SEPARATORS = (";", "\t", "|", ",", " ")

# What is looked at of a file without a header: some hundred rows.
HEAD_BYTES = 1 << 18
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]{1,3})?")
_DIGITS = re.compile(r"[0-9]{1,9}")
# Row by row, as all files have them, and column by column.
_ORDERS = (
    [(place,) for place in range(PIXELS)],
    [divmod(place, SIDE_PIXELS) for place in range(PIXELS)],
)
_BY_COLUMNS = [divmod(place, SIDE_PIXELS)[::-1] for place in range(PIXELS)]


@dataclass(frozen=True)
class Dialect:
    """How the rows of a file are written.

    separator: what stands between values.  has_header: whether the first line names the columns.
    is_numbered: whether the number of each row stands in front of it.
    columns: what messages call the other columns: the 784 pixels and the label, if there is one.
    label: the place of the label among these, 0 or 784; None if there is none.
    """

    separator: str
    has_header: bool
    is_numbered: bool
    columns: tuple[str, ...]
    label: int | None

    @property
    def pixels(self) -> slice:
        """The places of the pixels among the columns."""
        return slice(1, None) if self.label == 0 else slice(PIXELS)


def read_dialect(stream: BinaryIO, name: str, *, labelled: bool | None) -> Dialect:
    """Tell how a file is written; the stream is then at its beginning again.

    labelled: whether it must have labels, None if it may.  name: what messages call the file.
    Raises PipelineError naming the line and column that is not as it must be, and what it may be.
    """
    stream.seek(0)
    lines = numbered_lines(stream, name)
    number, line = next(lines, (0, b""))
    if not number:
        raise PipelineError(f"{name} is empty")
    where = f"{name}, line {number:,}"
    separator = _separator(line.decode("utf-8", "backslashreplace"))
    columns = fields_of(line, where, separator)
    found = _by_names(separator, columns)
    is_header = bool(found or _wrong_names(columns)) or not _are_numbers(columns)
    if not is_header:
        rows = [columns]
        for place, more in lines:
            rows.append(fields_of(more, f"{name}, line {place:,}", separator))
            if stream.tell() > HEAD_BYTES:
                break
        found = _by_values(separator, [row for row in rows if len(row) == len(columns)])
    stream.seek(0)
    if found and labelled in (None, found.label is not None):
        return found
    if is_header:
        raise PipelineError(f"{where}: {_difference(columns, labelled is not False)}")
    count = "1 column" if len(columns) == 1 else f"{len(columns)} columns"
    wanted = PIXELS if labelled is False else f"{PIXELS + 1}, a label and {PIXELS} pixels"
    raise PipelineError(
        f"{where}: there is no header, and {count} instead of {wanted}"
        f"{_guess(columns) or '; each line must hold one digit'}"
    )


def read_rows(
    stream: BinaryIO, name: str, dialect: Dialect, saw: Callable[[bytes], object] = lambda _: None
) -> Iterator[tuple[int, bytes]]:
    """Yield the line of each row, and its place in the file; the numbers of rows are taken off.

    saw: called with all bytes of the file, one piece after the other.
    Raises PipelineError for a blank line between others, or rows that are not in order.
    """
    lines = numbered_lines(stream, name, saw)
    if dialect.has_header:
        next(lines)
    if not dialect.is_numbered:
        yield from lines
        return
    start = None
    for count, (place, line) in enumerate(lines):
        text, _, rest = line.partition(dialect.separator.encode())
        found = text.decode("utf-8", "backslashreplace").strip('"')
        number = whole_number(found, dialect.separator)
        if start is None:
            start = int(number == 1)
        if number != start + count:
            raise PipelineError(
                f"{name}, line {place:,}: the number of the row is {shown(found)} "
                f"instead of {start + count}"
            )
        yield place, rest


def whole_number(text: str, separator: str = ",") -> Decimal | None:
    """Return the number that a text stands for, exactly; None if it is no whole one.

    8, 8.0 and 8.000e+00 are one number, and 8,0 where commas do not separate; blanks may be around.
    """
    text = text.strip(" ") if separator == "," else text.strip(" ").replace(",", ".")
    if not _NUMBER.fullmatch(text):
        return None
    number = Decimal(text)
    return number if number == number.to_integral_value() else None


def _separator(line: str) -> str:
    for separator in SEPARATORS:
        if PIXELS <= line.count(separator) + 1 <= PIXELS + 2:
            return separator
    # A blank may be part of a name.
    return max(SEPARATORS[:-1], key=line.count)


def _by_names(separator: str, columns: list[str]) -> Dialect | None:
    """What a header tells; None if it is none, or its names are not all known."""
    names = [column.strip(" #").lower() for column in columns]
    for before in range(min(3, len(names) - PIXELS + 1)):
        others = [*names[:before], *names[before + PIXELS :]]
        is_numbered = before > 0 and names[0] in NUMBER_NAMES
        label = others[is_numbered:]
        if _are_pixels(names[before : before + PIXELS]) and (
            not label or (len(label) == 1 and label[0] in LABEL_NAMES)
        ):
            place = None if not label else 0 if before > is_numbered else PIXELS
            return Dialect(separator, True, is_numbered, tuple(columns[is_numbered:]), place)
    return None


def _are_pixels(names: list[str]) -> bool:
    """Whether the names are one with a number in it, or two: those of a pixel, from 0 or from 1."""
    if len({_DIGITS.sub("#", name) for name in names}) != 1:
        return False
    places = _places(names)
    return any(
        places == [tuple(number + start for number in place) for place in order]
        for start in (0, 1)
        for order in _ORDERS
    )


def _places(names: Sequence[str]) -> list[tuple[int, ...]]:
    return [tuple(map(int, _DIGITS.findall(name))) for name in names]


def _by_values(separator: str, rows: list[list[str]]) -> Dialect | None:
    """What the first rows tell where there is no header; None if they have a wrong length."""
    numbers = [whole_number(row[0], separator) for row in rows]
    # No labels count up beyond 9.
    is_numbered = len(rows) > 10 and any(
        numbers == list(range(start, start + len(rows))) for start in (0, 1)
    )
    values = len(rows[0]) - is_numbered
    if values not in (PIXELS, PIXELS + 1):
        return None
    label = None
    if values > PIXELS:
        first = {whole_number(row[is_numbered], separator) for row in rows}
        last = {whole_number(row[-1], separator) for row in rows}
        labels = set(range(10))
        # A pixel in a corner is always the same, 0; the labels are not.
        is_last = last <= labels and len(last) > 1 and (len(first) == 1 or not first <= labels)
        label = PIXELS if is_last else 0
    columns = [str(place) for place in range(1 + is_numbered, len(rows[0]) + 1)]
    return Dialect(separator, False, is_numbered, tuple(columns), label)


def _are_numbers(columns: list[str]) -> bool:
    """Whether this is a row and no header, though some of its numbers may be wrong."""
    numbers = [column for column in columns if _NUMBER.fullmatch(column.strip().replace(",", "."))]
    return len(numbers) > len(columns) / 2


def _difference(columns: list[str], labelled: bool) -> str:
    """Where a header differs first from the one that was expected, and what it looks like."""
    pixels = MNIST_PIXELS if MNIST_PIXELS[0] in columns else KAGGLE_PIXELS
    expected = [LABEL, *pixels] if labelled else pixels
    for place, (found, wanted) in enumerate(zip_longest(columns, expected), start=1):
        if found is None:
            return f"the column {wanted!r} is missing{_guess(columns)}"
        if wanted is None:
            return f"a column too many, {shown(found)}{_guess(columns)}"
        if found != wanted:
            return f"column {place} is {shown(found)} instead of {wanted!r}{_guess(columns)}"
    raise AssertionError("a header that is as expected is known")


def _wrong_names(columns: list[str]) -> str:
    """What a first line of numbers looks like that is no row of digits."""
    if columns.count("0") == 1 and "0.10" in columns:
        return "; it looks like a row that pandas took for a header: read it with header=None"
    counted = [[(number + start,) for number in range(len(columns))] for start in (0, 1)]
    if len(columns) > PIXELS and _places(columns) in counted:
        return "; it looks like columns named by numbers: name the one that has the labels"
    return ""


def _guess(columns: list[str]) -> str:
    """What a first line that is not understood looks like, as the end of a message."""
    places = _places(columns)
    for before in range(min(3, len(columns) - PIXELS + 1)):
        part = places[before : before + PIXELS]
        if part in (_BY_COLUMNS, [(row + 1, column + 1) for row, column in _BY_COLUMNS]):
            return "; it looks like pixels column by column, and they must be row by row"
    if wrong := _wrong_names(columns):
        return wrong
    for others in range(3):
        side = isqrt(max(0, len(columns) - others))
        if side not in (SIDE_PIXELS, 0, 1, 2, 3) and side * side == len(columns) - others:
            return f"; it looks like digits of {side} x {side} pixels, and they must be 28 x 28"
    if PIXELS + 10 <= len(columns) <= PIXELS + 11:
        return "; it looks like labels in ten columns (one-hot), and they must be in one"
    return ""
