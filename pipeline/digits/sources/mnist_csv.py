"""MNIST in its published split, 60,000 and 10,000 digits, as a Kaggle data set carries it in CSV.

Its test digits come with labels. They are split off into the answer key before anything else
sees them, so that no run can learn from them.
"""

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from pipeline.digits.dialect import Dialect, read_dialect, read_rows, whole_number
from pipeline.digits.sources import ANSWER_KEY, SAMPLE_SUBMISSION, Fetched
from pipeline.kaggle.submission_csv import write_submission
from pipeline.system import archive
from pipeline.system.csv_lines import open_csv, shown
from pipeline.system.errors import PipelineError

DATASET = "oddrationale/mnist-in-csv"
TRAIN, TEST = "mnist_train.csv", "mnist_test.csv"
ENOUGH_TO_DIFFER = 10


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
    """Copy a CSV file without the column of its labels, line by line, and return these."""
    labels: list[int] = []
    with open_csv(labelled, name) as source, unlabelled.open("wb") as target:
        dialect = read_dialect(source, name, labelled=True)
        if dialect.has_header:
            header = dialect.separator.join(dialect.columns[dialect.pixels])
            target.write(f"{header}\n".encode())
        for place, line in read_rows(source, name, dialect):
            label, pixels = _without_label(line, dialect)
            target.write(pixels)
            where = f"{name}, line {place:,}"
            if not pixels.strip():
                raise PipelineError(f"{where}: no pixels follow the label")
            digit = whole_number(label, dialect.separator)
            if digit is None or not 0 <= digit <= 9:
                where = f"{where}, column {dialect.columns[dialect.label or 0]}"
                raise PipelineError(f"{where}: {shown(label)} is not a digit 0 to 9")
            labels.append(int(digit))
    if len(labels) > ENOUGH_TO_DIFFER and len(set(labels)) == 1:
        raise PipelineError(
            f"{name}: every label is {labels[0]}; if they are not known, leave the column out"
        )
    return labels


def _without_label(line: bytes, dialect: Dialect) -> tuple[str, bytes]:
    """The text of a row's label, and the row without it."""
    separator = dialect.separator.encode()
    if dialect.label == 0:
        label, _, pixels = line.partition(separator)
    else:
        text = line.rstrip(b"\r\n")
        pixels, _, label = text.rpartition(separator)
        pixels += line[len(text) :]
    return label.decode("utf-8", "backslashreplace").strip('"'), pixels
