"""A submission as Kaggle takes it: written from labels, and checked line by line from any CSV.

The checker is as strict as Kaggle's scorer, and stricter where a scorer's tolerance is not
known: what passes here is never refused there for its form. Lines may end in LF or CRLF, the
last one may lack its end, and fields may stand in quotes (R writes them so); a byte order
mark, blank lines, spaces and decimals ("3.0") are refused.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

from pipeline.system.csv_lines import fields_of, open_csv, read_lines, require_values, shown
from pipeline.system.errors import PipelineError
from pipeline.system.files import atomic_write

# Raised when what is written changes: what was made with another version is made again.
VERSION = 1

HEADER = ["ImageId", "Label"]
COMPETITION_ROWS = 28_000
LABELS = frozenset("0123456789")


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
    return sum(1 for _ in _checked_labels(path, sample, test_rows))


def read_submission(
    path: Path, *, sample: Path | None = None, test_rows: int | None = None
) -> list[int]:
    """Check a submission like ``check_submission`` and return its labels in order of ids."""
    return list(_checked_labels(path, sample, test_rows))


def _checked_labels(path: Path, sample: Path | None, test_rows: int | None) -> Iterator[int]:
    """Yield the labels one by one; none of them need stay in memory."""
    expected, reason = COMPETITION_ROWS, "the competition's test.csv has"
    if test_rows is not None:
        expected, reason = test_rows, "test.csv has"
    if sample is not None:
        # Its ids must be 1..n like all others, so equal counts are equal ids.
        sample_rows = sum(1 for _ in _labels(sample))
        if test_rows is not None and sample_rows != test_rows:
            raise PipelineError(
                f"{sample} has {sample_rows:,} rows, but its test.csv has {test_rows:,}",
                remedy="The two do not belong together. Download them again: make download FORCE=1",
            )
        expected, reason = sample_rows, f"{sample.name} has"
    rows = 0
    for rows, label in enumerate(_labels(path), start=1):
        if rows > expected:
            raise PipelineError(
                f"{path}, line {rows + 1:,}: one row too many, {reason} {expected:,}"
            )
        yield label
    if rows < expected:
        raise PipelineError(
            f"{path} ends after line {rows + 1:,}: it has {rows:,} rows, but {reason} {expected:,}"
        )


def _labels(path: Path) -> Iterator[int]:
    """Yield the labels of a file, as far as its form is right."""
    with open_csv(path, str(path)) as stream:
        for image_id, line in enumerate(read_lines(stream)):
            where = f"{path}, line {image_id + 1:,}"
            fields = fields_of(line, where)
            if image_id == 0:
                if fields != HEADER:
                    found = shown(",".join(fields))
                    raise PipelineError(f"{where}: the header must be ImageId,Label, it is {found}")
                continue
            require_values(fields, len(HEADER), where)
            if fields[0] != str(image_id):
                raise PipelineError(
                    f"{where}: ImageId must be {image_id}, it is {shown(fields[0])}"
                )
            if fields[1] not in LABELS:
                raise PipelineError(
                    f"{where}: Label must be a whole number 0 to 9, it is {shown(fields[1])}"
                )
            yield int(fields[1])
