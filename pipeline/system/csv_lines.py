"""CSV files line by line: their fields, or one line telling what is wrong; memory is bounded."""

import csv
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from pipeline.system.errors import PipelineError
from pipeline.system.formats import UTF8_MARK, kind_of

# A row of 785 numbers has at most 3,140 bytes, a header 7,000; quotes add a third.
LONGEST_LINE_BYTES = 1 << 16

# What a line without any value may hold; spreadsheets leave separators in rows that were emptied.
_NO_VALUE = b' \t\r\n,;|"'


def open_csv(path: Path, name: str) -> BinaryIO:
    """Open a file, unless its first bytes tell that it is no CSV.

    name: what messages call the file.
    Raises PipelineError naming what it is instead, or why it cannot be read.
    """
    try:
        stream = path.open("rb")
    except OSError as error:
        raise PipelineError(f"{name} cannot be read: {error.strerror}") from None
    if kind := kind_of(stream.read(LONGEST_LINE_BYTES)):
        stream.close()
        raise PipelineError(f"{name} is {kind}{'' if kind == 'empty' else ', not CSV'}")
    stream.seek(0)
    return stream


def read_lines(stream: BinaryIO) -> Iterator[bytes]:
    """Yield the lines with their ends; of one that is too long for any row, pieces."""
    return iter(lambda: stream.readline(LONGEST_LINE_BYTES), b"")


def numbered_lines(
    stream: BinaryIO, name: str, saw: Callable[[bytes], object] = lambda _: None
) -> Iterator[tuple[int, bytes]]:
    """Yield each line with its number, from 1, without the file's byte order mark.

    Blank lines at the beginning and at the end, as editors leave them, are passed over.
    saw: called with all bytes of the file, one line after the other.
    Raises PipelineError, beginning with ``name``, for a blank line between others.
    """
    begun, blank = False, 0
    for number, whole in enumerate(read_lines(stream), start=1):
        saw(whole)
        line = whole.removeprefix(UTF8_MARK) if number == 1 else whole
        if not line.strip(_NO_VALUE):
            blank = blank or number
            continue
        if begun and blank:
            raise PipelineError(f"{name}, line {blank:,}: the line is blank")
        begun, blank = True, 0
        yield number, line


def fields_of(line: bytes, where: str, separator: str = ",") -> list[str]:
    """Return the fields of one line; bytes that are no UTF-8 stand in them as escapes.

    The line may end in LF or CRLF, or lack its end, and fields may stand in quotes.
    Raises PipelineError beginning with ``where``.
    """
    text = line.decode("utf-8", "backslashreplace").removesuffix("\n").removesuffix("\r")
    if len(line) == LONGEST_LINE_BYTES and not line.endswith(b"\n"):
        raise PipelineError(
            f"{where}: longer than {LONGEST_LINE_BYTES:,} bytes, so no row: {shown(text)}"
        )
    if "\r" in text:
        raise PipelineError(f"{where}: a carriage return without a line feed; use LF or CRLF")
    if '"' not in text:
        return text.split(separator)
    try:
        return next(csv.reader([text], delimiter=separator, strict=True))
    except csv.Error:
        raise PipelineError(f"{where}: a quote that does not enclose a whole value") from None


def require_values(fields: list[str], expected: int, where: str, hint: str = "") -> None:
    """Raise PipelineError, with a hint at its end, if a line has another number of fields."""
    if fields == [""]:
        raise PipelineError(f"{where}: the line is blank")
    if len(fields) != expected:
        found = "1 value" if len(fields) == 1 else f"{len(fields)} values"
        raise PipelineError(f"{where}: {found} instead of {expected}{hint}")


def shown(text: str) -> str:
    """Return the text as a message shows it: in quotes, escaped, and cut if long."""
    return repr(text if len(text) <= 40 else f"{text[:40]}...")
