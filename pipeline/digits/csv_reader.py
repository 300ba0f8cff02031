"""CSV files of digits as arrays: every number as the file says, or one line telling what is wrong.

A file is read line by line, and given on in blocks of some hundred rows, so memory is bounded.
"""

import re
from collections.abc import Callable, Iterator
from itertools import islice, zip_longest
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from pipeline.system.csv_lines import fields_of, open_csv, read_lines, require_values, shown
from pipeline.system.errors import PipelineError
from pipeline.system.formats import UTF8_MARK

# Raised when what is read from a file changes: what was made with another version is made again.
VERSION = 1

SIDE_PIXELS = 28
PIXELS = SIDE_PIXELS * SIDE_PIXELS
LABEL = "label"
KAGGLE_PIXELS = [f"pixel{number}" for number in range(PIXELS)]
MNIST_PIXELS = [f"{row}x{column}" for row in range(1, 29) for column in range(1, 29)]

BLOCK_ROWS = 256

# Each pixel's value in its usual spelling.
_NUMBERS = {str(number): number for number in range(256)}


def read_blocks(
    path: Path, *, labelled: bool, saw: Callable[[bytes], object]
) -> Iterator[tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]]:
    """Yield images and labels, some hundred rows at a time, in their order.

    Images are (n, 28, 28) uint8; labels (n,) uint8, 0 to 9, and of length 0 if the file has none.
    labelled: whether a label stands before the 784 pixels of each row.
    saw: called with the file's bytes, one piece after the other.
    Raises PipelineError naming file, line and column, when it comes to what is not as it must be.
    """
    is_empty = True
    with open_csv(path, str(path)) as stream:
        header, columns = read_header(stream, str(path), labelled=labelled)
        saw(header)
        lines = enumerate(read_lines(stream), start=2)
        while block := list(islice(lines, BLOCK_ROWS)):
            is_empty = False
            rows = bytearray()
            for number, line in block:
                saw(line)
                rows += _row(line, columns, f"{path}, line {number:,}")
            table = np.frombuffer(rows, np.uint8).reshape(-1, len(columns))
            images = table[:, -PIXELS:].reshape(-1, SIDE_PIXELS, SIDE_PIXELS)
            yield images, table[:, :-PIXELS].ravel()
    if is_empty:
        raise PipelineError(f"{path} has no rows below its header")


def count_rows(path: Path, *, labelled: bool, name: str) -> int:
    """Check the header and return how many lines follow it; their numbers are not looked at.

    name: what messages call the file.
    Raises PipelineError if the header is not as it must be or nothing follows it.
    """
    with open_csv(path, name) as stream:
        read_header(stream, name, labelled=labelled)
        rows = sum(1 for _ in read_lines(stream))
    if not rows:
        raise PipelineError(f"{name} has no rows below its header")
    return rows


def read_header(stream: BinaryIO, name: str, *, labelled: bool) -> tuple[bytes, list[str]]:
    """Read the first line and return it with the names of its columns.

    The columns are "label" (if ``labelled``) and pixel0 to pixel783, or 1x1 to 28x28.
    name: what messages call the file.
    Raises PipelineError naming the file and the first column that is not as it must be.
    """
    line = next(read_lines(stream))
    columns = fields_of(line.removeprefix(UTF8_MARK), f"{name}, line 1")
    pixels = MNIST_PIXELS if MNIST_PIXELS[0] in columns else KAGGLE_PIXELS
    expected = [LABEL, *pixels] if labelled else pixels
    for place, (found, wanted) in enumerate(zip_longest(columns, expected), start=1):
        if found is None:
            raise PipelineError(f"{name}, line 1: the column {wanted!r} is missing")
        if wanted is None:
            raise PipelineError(f"{name}, line 1: a column too many, {shown(found)}")
        if found != wanted:
            raise PipelineError(
                f"{name}, line 1: column {place} is {shown(found)} instead of {wanted!r}"
            )
    return line, columns


def _row(line: bytes, columns: list[str], where: str) -> bytes:
    """The numbers of a row. They are looked at closely only if one is not in its usual spelling."""
    values = fields_of(line, where)
    try:
        row = bytes(map(_NUMBERS.__getitem__, values))
    except KeyError:
        row = b""
    if len(row) == len(columns) and (columns[0] != LABEL or row[0] <= 9):
        return row
    is_cut = not line.endswith(b"\n") and len(values) < len(columns)
    hint = "; the file ends in the middle of this row" if is_cut else ""
    require_values(values, len(columns), where, hint)
    return bytes(_number(*pair, where) for pair in zip(values, columns, strict=True))


def _number(value: str, column: str, where: str) -> int:
    if not re.fullmatch(r"-?[0-9]+", value):
        what = "is not a whole number" if value else "is not a whole number but empty"
        raise PipelineError(f"{where}, column {column}: {shown(value)} {what}")
    # Leading zeros do no harm. Python would refuse to convert some thousand digits.
    number = _NUMBERS.get(value.lstrip("0") or "0")
    largest = 9 if column == LABEL else 255
    if number is None or number > largest:
        raise PipelineError(f"{where}, column {column}: {shown(value)} is outside 0 to {largest}")
    return number
