"""Rows of digits from text to numbers: quickly where every byte is plain, exactly everywhere.

Both parsers return the same numbers for whatever the quick one accepts. The exact one also takes
quoted numbers, CRLF and a last line without its end; it names the fault in anything else.
"""

import contextlib
import csv
import re

import numpy as np
import numpy.typing as npt

from pipeline.digits.header import LABEL, LONGEST_LINE_BYTES, shortened
from pipeline.system.errors import PipelineError

# Each pixel's value in its usual spelling.
_NUMBERS = {str(number): number for number in range(256)}
_ZERO, _NINE, _COMMA, _LINE_FEED = b"09,\n"


def parse_quickly(block: bytes, columns: list[str]) -> npt.NDArray[np.uint8] | None:
    r"""Parse complete lines of nothing but plain numbers; return None in any doubt.

    block: rows such as b"5,0,255\n".  Returns (rows, columns) uint8.

    Whatever is no digit must be a separator. If the separators, laid out as a table, are commas
    with a line feed at the end of each row, every row has the right length. For each byte of the
    text, ``numbers`` has the number that would end before it; at the separators these are real.
    """
    text = np.frombuffer(block, np.uint8)
    is_digit = (text >= _ZERO) & (text <= _NINE)
    ends = np.flatnonzero(~is_digit)
    if not ends.size or ends.size % len(columns) or ends[-1] != len(block) - 1:
        return None
    separators = text.take(ends).reshape(-1, len(columns))
    if (separators[:, :-1] != _COMMA).any() or (separators[:, -1] != _LINE_FEED).any():
        return None
    has_empty_field = not is_digit[0] or not (is_digit[1:] | is_digit[:-1]).all()
    has_four_digits = (is_digit[:-3] & is_digit[1:-2] & is_digit[2:-1] & is_digit[3:]).any()
    if has_empty_field or has_four_digits:
        return None
    digits = (text - np.uint8(_ZERO)) * is_digit
    numbers = np.zeros(len(block), np.uint16)
    numbers[1:] = digits[:-1]
    numbers[2:] += digits[:-2] * np.uint16(10)
    # Three bytes back is a hundred only if no separator lies between.
    numbers[3:] += digits[:-3] * is_digit[1:-2] * np.uint16(100)
    rows = numbers.take(ends).reshape(-1, len(columns))
    if rows.max() > 255 or (columns[0] == LABEL and rows[:, 0].max() > 9):
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
