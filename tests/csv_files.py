"""Small CSV files of digits for tests: right ones, to be broken one way each."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.digits.csv_reader import read_blocks
from pipeline.digits.dialect import KAGGLE_PIXELS, LABEL


def lines(rows: int, *, labelled: bool, pixels: list[str] = KAGGLE_PIXELS) -> list[str]:
    """A header and ``rows`` rows without line ends; the labels go 0, 1, ... 9, 0, ..."""
    rng = np.random.default_rng(rows)
    table = rng.integers(0, 256, (rows, len(pixels))) * rng.integers(0, 2, (rows, len(pixels)))
    header = [LABEL, *pixels] if labelled else pixels
    text = [",".join(map(str, row)) for row in table.tolist()]
    if labelled:
        text = [f"{number % 10},{row}" for number, row in enumerate(text)]
    return [",".join(header), *text]


def respelled(
    text_lines: list[str],
    *,
    separator: str = ",",
    header: list[str] | None = None,
    spelled: str = "{}",
    numbered_from: int | None = None,
    label_last: bool = False,
) -> list[str]:
    """The same digits as another program would write them.

    header: the names of the columns, none if it is empty.  spelled: how each number is written.
    numbered_from: a row's number comes first, counted from this.  label_last: instead of first.
    """
    columns, *rows = [line.split(",") for line in text_lines]
    if label_last:
        rows = [[*row[1:], row[0]] for row in rows]
    rows = [[spelled.format(value) for value in row] for row in rows]
    if numbered_from is not None:
        rows = [[str(number), *row] for number, row in enumerate(rows, start=numbered_from)]
    first = columns if header is None else header
    return [separator.join(line) for line in ([first, *rows] if first else rows)]


def write(path: Path, text_lines: list[str]) -> Path:
    """Write lines, each with its line feed."""
    path.write_text("".join(f"{line}\n" for line in text_lines), encoding="utf-8")
    return path


@dataclass(frozen=True)
class Digits:
    """What one CSV file holds: images (N, 28, 28), labels (N,), and the SHA-256 of its bytes."""

    images: np.ndarray
    labels: np.ndarray
    sha256: str


def read_digits(path: Path, *, labelled: bool) -> Digits:
    """All of a file, as the pipeline reads it in blocks."""
    digest = hashlib.sha256()
    images, labels = zip(*read_blocks(path, labelled=labelled, saw=digest.update), strict=True)
    return Digits(np.concatenate(images), np.concatenate(labels), digest.hexdigest())


def competition_folder(folder: Path, *, train_rows: int = 40, test_rows: int = 20) -> Path:
    """A folder as a user has it who downloaded the competition's files."""
    folder.mkdir(parents=True, exist_ok=True)
    write(folder / "train.csv", lines(train_rows, labelled=True))
    write(folder / "test.csv", lines(test_rows, labelled=False))
    sample = ["ImageId,Label", *(f"{number},0" for number in range(1, test_rows + 1))]
    write(folder / "sample_submission.csv", sample)
    return folder
