"""MNIST in its published split, 60,000 and 10,000 digits, as a Kaggle data set carries it in CSV.

Its test digits come with labels. They are split off into the answer key before anything else
sees them, so that no run can learn from them.
"""

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from pipeline.digits.csv_reader import read_header
from pipeline.digits.sources import ANSWER_KEY, SAMPLE_SUBMISSION, Fetched
from pipeline.kaggle.submission_csv import write_submission
from pipeline.system import archive
from pipeline.system.csv_lines import open_csv, read_lines, shown
from pipeline.system.errors import PipelineError
from pipeline.system.formats import UTF8_MARK

DATASET = "oddrationale/mnist-in-csv"
TRAIN, TEST = "mnist_train.csv", "mnist_test.csv"


def fetch(into: Path) -> Fetched:
    """Download the data set through Kaggle's API and split the labels off its test digits.

    Raises PipelineError for whatever fails on the way.
    """
    from pipeline.kaggle.client import Kaggle  # noqa: PLC0415  (nobody else needs its packages)

    with tempfile.TemporaryDirectory(dir=into) as folder:
        packed = Kaggle().download_dataset(DATASET, Path(folder))
        train, test = archive.extract_members(packed, (TRAIN, TEST), Path(folder))
        names = {"train.csv": f"{DATASET}: {TRAIN}", "test.csv": f"{DATASET}: {TEST}"}
        arrange(train, test, into, names=names)
    return Fetched("mnist-csv", f"https://www.kaggle.com/datasets/{DATASET}", names)


def arrange(train: Path, test: Path, into: Path, *, names: Mapping[str, str]) -> None:
    """Lay the two labelled files out as the competition does.

    train stays as it is; test becomes test.csv without its labels, answer_key.csv with them, and
    sample_submission.csv.  names: what messages call the two files.
    Raises PipelineError if test has no label column, or a label that is not a digit.
    """
    shutil.copyfile(train, into / "train.csv")
    labels = _split_labels(test, into / "test.csv", names["test.csv"])
    write_submission(into / ANSWER_KEY, labels)
    write_submission(into / SAMPLE_SUBMISSION, [0] * len(labels))


def _split_labels(labelled: Path, unlabelled: Path, name: str) -> list[int]:
    """Copy a CSV file without its first column, line by line, and return that column."""
    labels: list[int] = []
    with open_csv(labelled, name) as source, unlabelled.open("wb") as target:
        header, _ = read_header(source, name, labelled=True)
        target.write(header.removeprefix(UTF8_MARK).partition(b",")[2])
        for number, line in enumerate(read_lines(source), start=2):
            where = f"{name}, line {number:,}"
            label, comma, pixels = line.partition(b",")
            digit = label.strip(b'"')
            if not comma:
                raise PipelineError(f"{where}: no pixels follow the label")
            if len(digit) != 1 or not digit.isdigit():
                found = shown(digit.decode("utf-8", "backslashreplace"))
                raise PipelineError(f"{where}, column label: {found} is not a digit 0 to 9")
            labels.append(int(digit))
            target.write(pixels)
    return labels
