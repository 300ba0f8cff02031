"""CSV files: digits, submissions, and the history of a training."""

import contextlib
import csv
import io
from collections.abc import Sequence
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from random import Random
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray

from pipeline.analysis.check import check
from pipeline.digits import csv_reader
from pipeline.digits.csv_reader import count_rows
from pipeline.digits.dialect import KAGGLE_PIXELS, MNIST_PIXELS
from pipeline.digits.sources import ANSWER_KEY, mnist_csv
from pipeline.kaggle.submission_csv import read_submission, write_submission
from pipeline.training.fitting import COLUMNS, History
from tests.csv_files import Digits, read_digits
from tests.stress.mutations import change_cell

CELLS = tuple(
    text.encode("utf-8", "surrogateescape")
    for text in (
        *("", "0", "1", "9", "10", "255", "256", "-1", "-0", "+1", "007", "0" * 70_000, "9" * 6000),
        *("1.0", "1e2", " 1", "1 ", "\u0663", "a", '"', '""', '"1"', '"1', "1\r", "\r", "\t"),
        *("label", "pixel0", "pixel783", "1x1", "28x28", "ImageId", "Label", "nan", "inf", "1_0"),
        *("\0", "\udcff", "\x1b[2J", "x" * 70_000, "epoch", "1e400", "-1e-400", "0x10"),
    )
)


class _CsvReader:
    """A file that is changed cell by cell."""

    most_megabytes = 100

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "input.csv"

    def mutate(self, data: bytes, rng: Random) -> bytes:
        return change_cell(data, rng, CELLS)


class LabelledDigits(_CsvReader):
    """train.csv."""

    name = "train.csv"
    labelled = True

    @cached_property
    def seeds(self) -> Sequence[bytes]:
        plain = _digits(KAGGLE_PIXELS, labelled=self.labelled, rows=3, highest=255)
        _, _, no_header = plain.partition(b"\n")
        return [
            plain,
            no_header,
            no_header.replace(b",", b".0,"),
            _digits(KAGGLE_PIXELS, labelled=self.labelled, rows=1, highest=9),
            _digits(MNIST_PIXELS, labelled=self.labelled, rows=2, highest=99),
        ]

    def read(self, data: bytes) -> tuple[int, Digits]:
        self.path.write_bytes(data)
        # Small blocks, so that few rows are several of them.
        with patch.object(csv_reader, "BLOCK_ROWS", 1 + len(data) % 3):
            digits = read_digits(self.path, labelled=self.labelled)
        return count_rows(self.path, labelled=self.labelled, name="it"), digits

    def check(self, data: bytes, found: tuple[int, Digits]) -> None:
        counted, digits = found
        rows = _slowly(data)
        expected = np.array([[int(Decimal(cell)) for cell in row] for row in rows], np.int64)
        images = expected[:, 1:] if self.labelled else expected
        assert counted == len(rows), "another number of rows was counted than read"
        assert np.array_equal(digits.images.reshape(len(rows), -1), images), "other pixels"
        if self.labelled:
            assert np.array_equal(digits.labels, expected[:, 0]), "other labels"
            assert expected[:, 0].max() <= 9, "a label above 9"


class TestDigits(LabelledDigits):
    """test.csv."""

    name = "test.csv"
    labelled = False


class MnistDigits(_CsvReader):
    """mnist_test.csv, whose labels are taken off it."""

    name = "mnist_test.csv"

    @cached_property
    def seeds(self) -> Sequence[bytes]:
        return [
            _digits(MNIST_PIXELS, labelled=True, rows=3, highest=255),
            _digits(KAGGLE_PIXELS, labelled=True, rows=1, highest=9),
        ]

    def read(self, data: bytes) -> tuple[list[int], NDArray[np.uint8]]:
        self.path.write_bytes(data)
        into = self.folder / "into"
        into.mkdir(exist_ok=True)
        mnist_csv.arrange(self.path, self.path, into, names={"test.csv": "it"})
        images = read_digits(into / "test.csv", labelled=False).images
        return read_submission(into / ANSWER_KEY, test_rows=len(images)), images

    def check(self, data: bytes, found: tuple[list[int], NDArray[np.uint8]]) -> None:
        labels, images = found
        rows = [[int(Decimal(cell)) for cell in row] for row in _slowly(data)]
        assert labels == [row[0] for row in rows], "other labels"
        assert images.reshape(len(rows), -1).tolist() == [row[1:] for row in rows], "other pixels"


class SubmissionCsv(_CsvReader):
    """Any submission, as digits check takes it."""

    name = "submission CSV"
    rows = 12

    @cached_property
    def seeds(self) -> Sequence[bytes]:
        write_submission(self.path, [row % 10 for row in range(self.rows)])
        sound = self.path.read_bytes()
        quoted = b"".join(b'"' + line.replace(b",", b'","') + b'"\n' for line in sound.splitlines())
        header, *rows = sound.splitlines(keepends=True)
        odd = b"\xef\xbb\xbf" + header + b"".join(rows[::-1]).replace(b",", b".0, ") + b"\n"
        return [sound, sound.replace(b"\n", b"\r\n"), quoted, odd]

    def read(self, data: bytes) -> list[int]:
        self.path.write_bytes(data)
        assert check(self.path, rows=self.rows).rows == self.rows
        return read_submission(self.path, test_rows=self.rows)

    def check(self, data: bytes, found: list[int]) -> None:
        header, *rows = csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""), strict=True)
        assert header == ["ImageId", "Label"], "another header"
        rows = [row for row in rows if any(cell.strip() for cell in row)]
        assert all(len(row) == 2 for row in rows), "rows of any length"
        labels = {float(image_id): float(label) for image_id, label in rows}
        assert len(rows) == len(labels) == self.rows, "other rows"
        assert [labels[n] for n in range(1, self.rows + 1)] == found, "other ids or labels"


class SampleSubmission(SubmissionCsv):
    """sample_submission.csv, whose ids a submission must have."""

    name = "sample_submission.csv"

    def read(self, data: bytes) -> list[int]:
        self.path.write_bytes(data)
        own = self.folder / "own.csv"
        if not own.exists():
            write_submission(own, [7] * self.rows)
        assert read_submission(own, sample=self.path) == [7] * self.rows
        return read_submission(self.path, test_rows=self.rows)


class HistoryCsv(_CsvReader):
    """history.csv."""

    name = "history.csv"

    @cached_property
    def seeds(self) -> Sequence[bytes]:
        values = [[epoch, *(0.5 / epoch + n for n in range(len(COLUMNS) - 1))] for epoch in (1, 2)]
        History(values).write(self.path)
        return [self.path.read_bytes()]

    def read(self, data: bytes) -> History:
        self.path.write_bytes(data)
        found = History.read(self.path)
        found.kept_epoch(patience=1)
        return found

    def check(self, data: bytes, found: History) -> None:
        _, *rows = csv.reader(io.StringIO(data.decode("utf-8"), newline=""))
        assert found.rows == [[float(cell) for cell in row] for row in rows], "other values"
        assert np.isfinite(found.column("training_loss")).all(), "a loss that is no number"
        assert all(epoch.is_integer() for epoch in found.column("epoch")), "half an epoch"


def _digits(names: Sequence[str], *, labelled: bool, rows: int, highest: int) -> bytes:
    rng = np.random.default_rng(rows)
    values = rng.integers(0, highest + 1, (rows, len(names)))
    lines = [",".join(names), *(",".join(map(str, row)) for row in values.tolist())]
    if labelled:
        first = ["label", *(str(row % 10) for row in range(rows))]
        lines = [f"{cell},{line}" for cell, line in zip(first, lines, strict=True)]
    return "".join(f"{line}\n" for line in lines).encode()


def _slowly(data: bytes) -> list[list[str]]:
    """The rows below the header, if there is one, by the standard library alone."""
    text = data.removeprefix(b"\xef\xbb\xbf").decode("utf-8")
    rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    has_value = ["".join(row).strip(' \t;|"') != "" for row in rows]
    rows = rows[has_value.index(True) : len(rows) - has_value[::-1].index(True)]
    assert all(any(row) for row in rows), "a blank line"
    with contextlib.suppress(ArithmeticError):
        Decimal(rows[0][0])
        return rows  # there is no header
    return rows[1:]
