"""CSV files of digits as arrays: every number as the file says, or one line telling what is wrong.

A file is read line by line, and given on in blocks of some hundred rows, so memory is bounded.
"""

from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline.digits.dialect import (
    SIDE_PIXELS,
    Dialect,
    read_dialect,
    read_rows,
    whole_number,
)
from pipeline.digits.plausibility import Plausibility
from pipeline.system.csv_lines import fields_of, open_csv, require_values, shown
from pipeline.system.errors import PipelineError

# Raised when what is read from a file changes: what was made with another version is made again.
VERSION = 2

BLOCK_ROWS = 256

# Each pixel's value in its usual spellings.
_NUMBERS = {f"{number}{end}": number for number in range(256) for end in ("", ".0")}
_ZERO, _LINE_FEED = b"0\n"


def read_blocks(
    path: Path, *, labelled: bool, saw: Callable[[bytes], object]
) -> Iterator[tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]]:
    """Yield images and labels, some hundred rows at a time, in their order.

    Images are (n, 28, 28) uint8; labels (n,) uint8, 0 to 9, and of length 0 if the file has none.
    labelled: whether the file must have labels, or must have none.
    saw: called with the file's bytes, one piece after the other.
    Raises PipelineError naming file, line and column, when it comes to what is not as it must be;
    at the end, if the numbers are no digits' as a whole.
    """
    name = str(path)
    with open_csv(path, name) as stream:
        dialect = read_dialect(stream, name, labelled=labelled)
        plausibility = Plausibility(dialect)
        rows = read_rows(stream, name, dialect, saw)
        is_empty = True
        while block := list(islice(rows, BLOCK_ROWS)):
            is_empty = False
            table = _usual_table(b"".join(line for _, line in block), len(block), dialect)
            if table is None:
                spelled = [_row(line, dialect, f"{name}, line {place:,}") for place, line in block]
                table = np.frombuffer(b"".join(spelled), np.uint8).reshape(len(block), -1)
            images = table[:, dialect.pixels].reshape(-1, SIDE_PIXELS, SIDE_PIXELS)
            labels = table[:, :0].ravel() if dialect.label is None else table[:, dialect.label]
            plausibility.add(images, labels)
            yield images, labels
    if is_empty:
        raise PipelineError(f"{name} has no rows below its header")
    plausibility.check(name)


def count_rows(path: Path, *, labelled: bool, name: str) -> int:
    """Check the header and return how many rows follow it; their numbers are not looked at.

    name: what messages call the file.
    Raises PipelineError if the header is not as it must be, nothing follows it, or a line between
    others is blank.
    """
    with open_csv(path, name) as stream:
        dialect = read_dialect(stream, name, labelled=labelled)
        rows = sum(1 for _ in read_rows(stream, name, dialect))
    if not rows:
        raise PipelineError(f"{name} has no rows below its header")
    return rows


def _usual_table(lines: bytes, rows: int, dialect: Dialect) -> npt.NDArray[np.uint8] | None:
    """The numbers of some rows, (rows, columns); None if any of them is not in its usual spelling.

    That is: one to three decimal digits each, and nothing but the separator between them.
    """
    if b"\r" in lines:
        lines = lines.replace(b"\r\n", b"\n")
    if not lines.endswith(b"\n"):
        lines += b"\n"
    if lines.count(b"\n") != rows:
        return None
    text = np.frombuffer(lines, np.uint8)
    digits = text - np.uint8(_ZERO)
    ends = np.flatnonzero(digits > 9)
    columns = len(dialect.columns)
    if len(ends) != rows * columns:
        return None
    marks = text[ends].reshape(rows, columns)
    lengths = np.diff(ends, prepend=-1) - 1
    if (
        (marks[:, :-1] != ord(dialect.separator)).any()
        or (marks[:, -1] != _LINE_FEED).any()
        or lengths.min() < 1
        or lengths.max() > 3
    ):
        return None
    numbers = digits[ends - 1].astype(np.uint16)
    longer = np.flatnonzero(lengths > 1)
    numbers[longer] += digits[ends[longer] - 2] * np.uint16(10)
    longest = longer[lengths[longer] > 2]
    numbers[longest] += digits[ends[longest] - 3] * np.uint16(100)
    table = numbers.reshape(rows, columns)
    if table.max() > 255 or (dialect.label is not None and table[:, dialect.label].max() > 9):
        return None
    return table.astype(np.uint8)


def _row(line: bytes, dialect: Dialect, where: str) -> bytes:
    """The numbers of a row. They are looked at closely only if one is not in its usual spelling."""
    values = fields_of(line, where, dialect.separator)
    try:
        row = bytes(map(_NUMBERS.__getitem__, values))
    except KeyError:
        row = b""
    label = dialect.label
    if len(row) == len(dialect.columns) and (label is None or row[label] <= 9):
        return row
    is_cut = not line.endswith(b"\n") and len(values) < len(dialect.columns)
    hint = "; the file ends in the middle of this row" if is_cut else ""
    require_values(values, len(dialect.columns), where, hint)
    return bytes(_number(value, place, dialect, where) for place, value in enumerate(values))


def _number(value: str, place: int, dialect: Dialect, where: str) -> int:
    largest = 9 if place == dialect.label else 255
    number = whole_number(value, dialect.separator)
    if number is not None and 0 <= number <= largest:
        return int(number)
    where = f"{where}, column {dialect.columns[place]}: {shown(value)}"
    if number is not None:
        raise PipelineError(f"{where} is outside 0 to {largest}")
    if not value:
        raise PipelineError(f"{where} is not a whole number but empty")
    hint = ""
    if value.startswith(("0.", ".")) or "e-" in value:
        hint = "; it looks like pixels from 0 to 1, and they must be from 0 to 255"
    raise PipelineError(f"{where} is not a whole number{hint}")
