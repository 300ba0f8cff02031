"""A submission as Kaggle takes it: written from labels, and checked line by line from any CSV.

The checker is as strict as Kaggle's scorer, and stricter where a scorer's tolerance is not
known: what passes here is never refused there for its form. Lines may end in LF or CRLF, the
last one may lack its end, and fields may stand in quotes (R writes them so); a byte order
mark, blank lines, spaces and decimals ("3.0") are refused.
"""

import csv
from collections.abc import Iterable, Iterator
from pathlib import Path

from pipeline.system.errors import PipelineError
from pipeline.system.files import atomic_write

# Raised when what is written changes: what was made with another version is made again.
VERSION = 1

HEADER = ["ImageId", "Label"]
COMPETITION_ROWS = 28_000
LONGEST_LINE_BYTES = 1_000
LABELS = frozenset("0123456789")

# What a file is that cannot be CSV text at all, told by its first bytes.
NOT_CSV = {
    b"\xef\xbb\xbf": 'starts with a UTF-8 byte order mark; save it as plain "UTF-8" or "CSV"',
    b"\xff\xfe": "is UTF-16 text; save it as UTF-8",
    b"\xfe\xff": "is UTF-16 text; save it as UTF-8",
    b"PK\x03\x04": "is a zip or spreadsheet file, not a CSV",
    b"\x1f\x8b": "is a gzip file, not a CSV",
    b"\x93NUMPY": "is a NumPy array, not a CSV",
}


def write_submission(path: Path, labels: Iterable[int]) -> None:
    """Write labels as ``ImageId,Label`` with ids from 1, atomically.

    labels: integers 0 to 9 in the order of test.csv; they are gone through once.
    Raises ValueError for another label.
    """
    with atomic_write(path) as stream:
        stream.write(f"{','.join(HEADER)}\n".encode())
        for position, label in enumerate(labels):
            text = str(int(label))
            if text not in LABELS:
                raise ValueError(f"label {text} at position {position} is not a digit 0 to 9")
            stream.write(f"{position + 1},{text}\n".encode())


def check_submission(
    path: Path, *, sample: Path | None = None, test_rows: int | None = None
) -> int:
    """Check a submission and return how many rows it has.

    sample: a sample_submission.csv whose ids it must have.  test_rows: the rows of its test.csv.
    Without either, the competition's 28,000 rows are asked for.
    Raises PipelineError naming the first bad line.
    """
    return _count(_checked_labels(path, sample=sample, test_rows=test_rows))


def read_submission(
    path: Path, *, sample: Path | None = None, test_rows: int | None = None
) -> list[int]:
    """Check a submission like ``check_submission`` and return its labels in order of ids."""
    return list(_checked_labels(path, sample=sample, test_rows=test_rows))


def _checked_labels(path: Path, *, sample: Path | None, test_rows: int | None) -> Iterator[int]:
    """Yield the labels one by one; none of them need stay in memory."""
    expected, reason = COMPETITION_ROWS, "the competition's test.csv has"
    if test_rows is not None:
        expected, reason = test_rows, "test.csv has"
    if sample is not None:
        # Its ids must be 1..n like all others, so equal counts are equal ids.
        sample_rows = _count(_read_labels(sample))
        if test_rows is not None and sample_rows != test_rows:
            raise PipelineError(
                f"{sample} has {sample_rows:,} rows, but its test.csv has {test_rows:,}",
                remedy="The two do not belong together. Download them again: make download FORCE=1",
            )
        expected, reason = sample_rows, f"{sample.name} has"
    rows = 0
    for label in _read_labels(path, most=expected, reason=reason):
        rows += 1
        yield label
    if rows < expected:
        raise PipelineError(
            f"{path} ends after line {rows + 1:,}: it has {rows:,} rows, but {reason} {expected:,}"
        )


def _read_labels(path: Path, *, most: int | None = None, reason: str = "") -> Iterator[int]:
    """Yield the labels of a file whose form is right; a row after the first ``most`` is wrong."""
    for number, line in _lines(path):
        where = f"{path}, line {number:,}"
        fields = _fields(line, where)
        if number == 1:
            if fields != HEADER:
                raise PipelineError(
                    f"{where}: the header must be {','.join(HEADER)}, it is {_quoted(line)}"
                )
            continue
        image_id = number - 1
        if most is not None and image_id > most:
            raise PipelineError(f"{where}: one row too many, {reason} {most:,}")
        if len(fields) != len(HEADER):
            raise PipelineError(f"{where}: {_number_of(fields)} instead of 2: {_quoted(line)}")
        if fields[0] != str(image_id):
            raise PipelineError(f"{where}: ImageId must be {image_id}, it is {_quoted(fields[0])}")
        if fields[1] not in LABELS:
            raise PipelineError(
                f"{where}: Label must be a whole number 0 to 9, it is {_quoted(fields[1])}"
            )
        yield int(fields[1])


def _count(labels: Iterator[int]) -> int:
    return sum(1 for _ in labels)


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield (line number from 1, text without its end); memory is bounded whatever the file is."""
    try:
        with path.open("rb") as stream:
            _refuse_other_formats(path, stream.read(LONGEST_LINE_BYTES))
            stream.seek(0)
            number = 0
            while raw := stream.readline(LONGEST_LINE_BYTES):
                number += 1
                yield number, _text(raw, f"{path}, line {number:,}")
    except FileNotFoundError:
        raise PipelineError(f"{path}: there is no such file") from None
    except OSError as error:
        raise PipelineError(f"{path} cannot be read: {error.strerror}") from None


def _refuse_other_formats(path: Path, start: bytes) -> None:
    if not start.strip():
        raise PipelineError(f"{path} is empty")
    for magic, reason in NOT_CSV.items():
        if start.startswith(magic):
            raise PipelineError(f"{path} {reason}")
    if start.lstrip().startswith(b"<"):
        raise PipelineError(f"{path} is an HTML page, not a CSV: a page was saved for the file")


def _text(raw: bytes, where: str) -> str:
    if b"\r" in raw.removesuffix(b"\n").removesuffix(b"\r"):
        raise PipelineError(f"{where}: a carriage return without a line feed; use LF or CRLF")
    if len(raw) == LONGEST_LINE_BYTES and not raw.endswith(b"\n"):
        raise PipelineError(f"{where}: longer than {LONGEST_LINE_BYTES:,} bytes; this is no row")
    try:
        line = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise PipelineError(
            f"{where}: not UTF-8 text (byte 0x{raw[error.start]:02x} at position {error.start + 1})"
        ) from None
    return line.removesuffix("\n").removesuffix("\r")


def _fields(line: str, where: str) -> list[str]:
    if not line.strip():
        raise PipelineError(f"{where}: a blank line")
    try:
        return next(csv.reader([line], strict=True))
    except csv.Error:
        raise PipelineError(
            f"{where}: a quote that does not enclose one field: {_quoted(line)}"
        ) from None


def _number_of(fields: list[str]) -> str:
    return f"{len(fields)} field" if len(fields) == 1 else f"{len(fields)} fields"


def _quoted(text: str) -> str:
    """The text as a user should see it: escaped, and cut if long."""
    return repr(text if len(text) <= 40 else f"{text[:40]}...")
