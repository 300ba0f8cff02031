"""A submission as Kaggle takes it: written from labels, and checked line by line from any CSV.

What is written here has the plainest form. What is checked may come from anywhere: an error is
what Kaggle surely refuses or would read otherwise than it is meant; of the rest, where nobody
can be sure, a remark tells. Kaggle finds rows by their ids, so their order may be any; lines may
end in LF or CRLF, the last one may lack its end, and fields may stand in quotes (R writes them so).
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from pipeline.system.csv_lines import (
    LONGEST_LINE_BYTES,
    fields_of,
    open_csv,
    read_lines,
    require_values,
    shown,
)
from pipeline.system.errors import PipelineError
from pipeline.system.files import atomic_write
from pipeline.system.formats import UTF8_MARK

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


@dataclass(frozen=True)
class CheckedSubmission:
    """A CSV without an error.

    labels: 0 to 9 in order of the ids.  remarks: what is unusual in it, and may be wrong to Kaggle;
    one for each kind, with the line where it occurs first.
    """

    labels: bytes
    remarks: tuple[str, ...]


def inspect_submission(
    path: Path, *, sample: Path | None = None, test_rows: int | None = None
) -> CheckedSubmission:
    """Read a submission of which every id from 1 on must be there once, in any order.

    sample: a sample_submission.csv whose ids it must have.  test_rows: the rows of its test.csv.
    Without either, the competition's 28,000 rows are asked for.
    Raises PipelineError naming the first bad line, or the ids that are missing.
    """
    expected, reason = COMPETITION_ROWS, "the competition's test.csv has"
    if test_rows is not None:
        expected, reason = test_rows, "test.csv has"
    if sample is not None:
        # Its ids must be 1..n like all others, so equal counts are equal ids.
        sample_rows = len(_Reading(sample).labels)
        if test_rows is not None and sample_rows != test_rows:
            raise PipelineError(
                f"{sample} has {sample_rows:,} rows, but its test.csv has {test_rows:,}",
                remedy="The two do not belong together. Download them again: make download FORCE=1",
            )
        expected, reason = sample_rows, f"{sample.name} has"
    reading = _Reading(path, expected, reason)
    return CheckedSubmission(bytes(reading.labels), tuple(reading.remarks.values()))


def check_submission(
    path: Path, *, sample: Path | None = None, test_rows: int | None = None
) -> int:
    """Check a submission like ``inspect_submission`` and return how many rows it has."""
    return len(inspect_submission(path, sample=sample, test_rows=test_rows).labels)


def read_submission(
    path: Path, *, sample: Path | None = None, test_rows: int | None = None
) -> list[int]:
    """Check a submission like ``inspect_submission`` and return its labels in order of ids."""
    return list(inspect_submission(path, sample=sample, test_rows=test_rows).labels)


# What remarks say.
_MARK = "line {:,}: it begins with a byte order mark, a part of the header to some readers"
_ORDER = "line {:,}: the ids are in another order; Kaggle most likely goes by the ids alone"
_BLANK = "line {:,}: it is blank, which is a row without values to some readers"
_SPACES = "line {:,}: there are spaces around a value, a part of it to some readers"
_DECIMALS = "line {:,}: a number is written like 3.0 or 03, which is not 3 to some readers"

_NUMBER = re.compile(r"0*([0-9]{1,15})(?:\.0*)?")


class _Reading:
    """One pass over a file.

    labels: in order of the ids, a byte each.  remarks: by their kind.
    expected: how many rows it must have; None for any number.  reason: who says so.
    """

    def __init__(self, path: Path, expected: int | None = None, reason: str = "") -> None:
        self.path, self.expected, self.reason = path, expected, reason
        self.labels = bytearray()
        self.remarks: dict[str, str] = {}
        self._later: dict[int, int] = {}  # labels whose ids came before their turn
        number = 0
        with open_csv(path, str(path)) as stream:
            for number, line in enumerate(read_lines(stream), start=1):
                where = f"{path}, line {number:,}"
                if number == 1:
                    self._read_header(line, where)
                elif line.strip() or len(line) == LONGEST_LINE_BYTES:
                    self._read_row(line, where, number)
                else:
                    self._remark(_BLANK, number)
        self._require_all(number)

    def _read_header(self, line: bytes, where: str) -> None:
        if line.startswith(UTF8_MARK):
            self._remark(_MARK, 1)
        fields = fields_of(line.removeprefix(UTF8_MARK), where)
        if fields != HEADER:
            found = shown(",".join(fields))
            raise PipelineError(f"{where}: the header must be ImageId,Label, it is {found}")

    def _read_row(self, line: bytes, where: str, number: int) -> None:
        fields = fields_of(line, where)
        require_values(fields, len(HEADER), where)
        if len(self.labels) == self.expected:
            raise PipelineError(f"{where}: one row too many, {self.reason} {self.expected:,}")
        turn = len(self.labels) + 1
        image_id = turn if fields[0] == str(turn) else self._whole_number(fields[0], number)
        last = self.expected
        if image_id is None or image_id < 1 or (last is not None and image_id > last):
            span = "from 1 on" if last is None else f"1 to {last:,}"
            raise PipelineError(
                f"{where}: ImageId must be a whole number {span}, it is {shown(fields[0])}"
            )
        if image_id < turn or image_id in self._later:
            raise PipelineError(f"{where}: ImageId {image_id} is there for the second time")
        label = self._whole_number(fields[1], number)
        if label is None or label > 9:
            raise PipelineError(
                f"{where}: Label must be a whole number 0 to 9, it is {shown(fields[1])}"
            )
        if image_id == turn:
            self.labels.append(label)
            while (turn := len(self.labels) + 1) in self._later:
                self.labels.append(self._later.pop(turn))
        else:
            self._remark(_ORDER, number)
            self._later[image_id] = label

    def _whole_number(self, field: str, number: int) -> int | None:
        if len(field) == 1 and field in LABELS:
            return int(field)
        text = field.strip(" \t")
        found = _NUMBER.fullmatch(text)
        if found is None:
            return None
        value = int(found[1])
        if text != field:
            self._remark(_SPACES, number)
        if text != str(value):
            self._remark(_DECIMALS, number)
        return value

    def _remark(self, what: str, number: int) -> None:
        self.remarks.setdefault(what, what.format(number))

    def _require_all(self, number: int) -> None:
        """Raise PipelineError if the ids do not go on to the last one."""
        last = max(self._later, default=0) if self.expected is None else self.expected
        rows = len(self.labels) + len(self._later)
        if (count := last - rows) <= 0:
            return
        missing = (i for i in range(len(self.labels) + 1, last + 1) if i not in self._later)
        named = ", ".join(str(image_id) for image_id in islice(missing, 3))
        more = f" and {count - 3:,} more" if count > 3 else ""
        reason = f"but {self.reason} {last:,}" if self.reason else f"and ids up to {last:,}"
        raise PipelineError(
            f"{self.path} ends after line {number:,}: it has {rows:,} rows, {reason}; "
            f"ImageId {named}{more} {'is' if count == 1 else 'are'} missing"
        )
