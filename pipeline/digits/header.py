"""The first line of a CSV file of digits: which columns it names, and what is wrong with it."""

import csv
from typing import BinaryIO

from pipeline.system.errors import PipelineError

SIDE_PIXELS = 28
PIXELS = SIDE_PIXELS * SIDE_PIXELS
LABEL = "label"
KAGGLE_PIXELS = [f"pixel{number}" for number in range(PIXELS)]
MNIST_PIXELS = [f"{row}x{column}" for row in range(1, 29) for column in range(1, 29)]

# A row of 785 numbers has at most 3,140 bytes, a header 7,000; quotes add a third.
LONGEST_LINE_BYTES = 1 << 16

UTF8_MARK = b"\xef\xbb\xbf"
UTF16 = "is UTF-16 text; save it as UTF-8"

# What a file is instead, told by its first bytes.
NOT_CSV = {
    b"\xff\xfe": UTF16,
    b"\xfe\xff": UTF16,
    b"PK\3\4": "is a zip or a spreadsheet, not CSV",
    b"\x1f\x8b": "is a gzip file, not CSV",
    b"<": "is a web page, not CSV",
}


def read_header(stream: BinaryIO, name: str, *, labelled: bool) -> tuple[bytes, list[str]]:
    """Read the first line and return it with the names of its columns.

    The columns are "label" (if ``labelled``) and pixel0 to pixel783, or 1x1 to 28x28.
    name: what messages call the file.
    Raises PipelineError naming the file and the first column that is not as it must be.
    """
    if reason := _not_csv(stream.read(LONGEST_LINE_BYTES)):
        raise PipelineError(f"{name} {reason}")
    stream.seek(0)
    line = stream.readline()
    text = line.removeprefix(UTF8_MARK).decode("utf-8", "backslashreplace").rstrip("\r\n")
    try:
        columns = next(csv.reader([text], strict=True), [])
    except csv.Error:
        raise PipelineError(f"{name}, line 1: a quote that does not enclose a whole name") from None
    if fault := _fault(columns, labelled=labelled):
        raise PipelineError(f"{name}, line 1: {fault}")
    return line, columns


def _not_csv(start: bytes) -> str | None:
    """What the file is instead, told by its first bytes."""
    if not start.strip():
        return "is empty"
    text = start.removeprefix(UTF8_MARK).lstrip()
    for mark, reason in NOT_CSV.items():
        if text.startswith(mark):
            return reason
    line, line_feed, _ = start.partition(b"\n")
    if b"\0" in line[:4]:
        return UTF16
    if b"\r" in line.removesuffix(b"\r"):
        return "has carriage returns for line ends; save it with LF or CRLF"
    if not line_feed and len(line) == LONGEST_LINE_BYTES:
        return f"is no CSV of digits: its first line is longer than {LONGEST_LINE_BYTES:,} bytes"
    return None


def _fault(columns: list[str], *, labelled: bool) -> str | None:
    pixels = MNIST_PIXELS if MNIST_PIXELS[0] in columns else KAGGLE_PIXELS
    expected = [LABEL, *pixels] if labelled else pixels
    if columns == expected:
        return None
    first_place: dict[str, int] = {}
    for place, column in enumerate(columns, start=1):
        if column in first_place:
            return f"column {shortened(column)} comes twice ({first_place[column]} and {place})"
        first_place[column] = place
    if not labelled and LABEL in columns:
        return "there is a column 'label', but these digits should have no labels"
    missing = [column for column in expected if column not in first_place]
    if missing and set(columns) < set(expected):
        more = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
        return f"the column {missing[0]!r} is missing{more}"
    place = next(
        (at for at, pair in enumerate(zip(columns, expected, strict=False)) if pair[0] != pair[1]),
        len(expected),
    )
    if place == len(expected):
        return f"there is a column too many: {shortened(columns[place])} after {expected[-1]!r}"
    return f"column {place + 1} is {shortened(columns[place])} instead of {expected[place]!r}"


def shortened(text: str) -> str:
    """Return the text as a message shows it: in quotes, escaped, and cut if long."""
    return repr(text if len(text) <= 40 else f"{text[:40]}...")
