"""Rows of digits from text to numbers: quickly where every byte is plain, exactly everywhere.

Both parsers return the same numbers for whatever the quick one accepts. The exact one also takes
quoted numbers, CRLF and a last line without its end; it names the fault in anything else.
"""

import contextlib
import csv
import io
import re

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline.digits_header import LABEL, LONGEST_LINE_BYTES, shortened
from pipeline.errors import PipelineError

# Each pixel's value in its usual spelling.
_NUMBERS = {str(number): number for number in range(256)}


def parse_quickly(block: bytes, columns: list[str]) -> npt.NDArray[np.uint8] | None:
    r"""Parse complete lines of nothing but plain numbers; return None in any doubt.

    block: rows such as b"5,0,255\n".  Returns (rows, columns) uint8.

    pandas would also read True as 1, 1e2 as 100 and "3"4 as 34: it only gets what has no other
    byte than digits, commas and line feeds. Of that it refuses empty numbers, those of too many
    digits, and rows that are longer than the first or (as they would end in empty ones) shorter.
    """
    if block.translate(None, b"0123456789,\n"):
        return None
    try:
        table = pd.read_csv(
            io.BytesIO(block),
            header=None,
            dtype=np.int64,  # pandas parses these quickest
            na_filter=False,
            skip_blank_lines=False,
            engine="c",
        )
    except (ValueError, OverflowError):
        return None
    rows = table.to_numpy()
    if rows.shape != (block.count(b"\n"), len(columns)) or rows.max() > 255:
        return None
    if columns[0] == LABEL and rows[:, 0].max() > 9:
        return None
    return rows.astype(np.uint8)


def parse_exactly(
    block: bytes, columns: list[str], *, name: str, first_line: int
) -> npt.NDArray[np.uint8]:
    """Parse the same lines one by one.

    name: what messages call the file.  first_line: the number of the block's first line in it.
    Returns (rows, columns) uint8.  Raises PipelineError naming file, line and column.
    """
    lines = block.split(b"\n")
    ends_in_mid_line = lines[-1] != b""
    if not ends_in_mid_line:
        lines.pop()
    rows = bytearray()
    for number, line in enumerate(lines):
        where = f"{name}, line {first_line + number:,}"
        values = _split(line.removesuffix(b"\r"), where)
        if len(values) != len(columns):
            is_cut = ends_in_mid_line and number == len(lines) - 1 and len(values) < len(columns)
            hint = "; the file ends in the middle of this row" if is_cut else ""
            found = "1 value" if len(values) == 1 else f"{len(values)} values"
            raise PipelineError(f"{where}: {found} instead of {len(columns)}{hint}")
        rows += _numbers(values, columns, where)
    return np.frombuffer(rows, np.uint8).reshape(-1, len(columns))


def _split(line: bytes, where: str) -> list[str]:
    if not line:
        raise PipelineError(f"{where}: the line is blank")
    if len(line) > LONGEST_LINE_BYTES:
        raise too_long(line, where)
    if b"\r" in line:
        raise PipelineError(f"{where}: a carriage return without a line feed; use LF or CRLF")
    try:
        return next(csv.reader([line.decode("utf-8", "backslashreplace")], strict=True))
    except csv.Error:
        raise PipelineError(f"{where}: a quote that does not enclose a whole value") from None


def too_long(line: bytes, where: str) -> PipelineError:
    """Return the error for a line, or the start of one, that is longer than any row can be."""
    start = shortened(line[:100].decode("utf-8", "backslashreplace"))
    return PipelineError(
        f"{where}: longer than {LONGEST_LINE_BYTES:,} bytes, so no row of digits: {start}"
    )


def _numbers(values: list[str], columns: list[str], where: str) -> bytes:
    """The numbers of a row; each is looked at closely only if one is not in the usual spelling."""
    with contextlib.suppress(KeyError):
        row = bytes([_NUMBERS[value] for value in values])
        if columns[0] != LABEL or row[0] <= 9:
            return row
    return bytes(_number(*pair, where) for pair in zip(values, columns, strict=True))


def _number(value: str, column: str, where: str) -> int:
    if not re.fullmatch(r"-?[0-9]+", value):
        what = "is not a whole number" if value else "is not a whole number but empty"
        raise PipelineError(f"{where}, column {column}: {shortened(value)} {what}")
    # Leading zeros do no harm. Python would refuse to convert some thousand digits.
    number = _NUMBERS.get(value.lstrip("0") or "0")
    largest = 9 if column == LABEL else 255
    if number is None or number > largest:
        raise PipelineError(
            f"{where}, column {column}: {shortened(value)} is outside 0 to {largest}"
        )
    return number
