"""MNIST as CSV through the API, and its test labels out of sight."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.digits.dialect import KAGGLE_PIXELS, MNIST_PIXELS
from pipeline.digits.sources import mnist_csv
from pipeline.system.errors import PipelineError
from tests import csv_files
from tests.kaggle_server import KaggleServer
from tests.stress import zips

NAMES = {"train.csv": "mnist_train.csv", "test.csv": "mnist_test.csv"}


def test_the_data_set_is_downloaded_and_laid_out(
    kaggle_server: KaggleServer, tmp_path: Path
) -> None:
    text = "\n".join(csv_files.lines(12, labelled=True, pixels=MNIST_PIXELS)).encode()
    packed = zips.packed({"mnist_train.csv": text, "mnist_test.csv": text})
    kaggle_server.kaggle.datasets["oddrationale/mnist-in-csv"] = packed
    fetched = mnist_csv.fetch(tmp_path)
    assert fetched.kind == "mnist-csv"
    assert fetched.origin == "https://www.kaggle.com/datasets/oddrationale/mnist-in-csv"
    assert fetched.name("test.csv") == "oddrationale/mnist-in-csv: mnist_test.csv"
    assert {file.name for file in tmp_path.iterdir()} == {
        "train.csv",
        "test.csv",
        "answer_key.csv",
        "sample_submission.csv",
    }
    assert (tmp_path / "test.csv").read_text().startswith("1x1,1x2,")


def arranged(folder: Path, test: bytes) -> Path:
    (folder / "train").write_bytes(b"")
    (folder / "test").write_bytes(test)
    mnist_csv.arrange(folder / "train", folder / "test", folder, names=NAMES)
    return folder


def test_quotes_marks_and_line_ends_do_no_harm(tmp_path: Path) -> None:
    lines = csv_files.lines(3, labelled=True)
    lines[2] = '"' + lines[2].replace(",", '","') + '"'
    arranged(tmp_path, b"\xef\xbb\xbf" + "\r\n".join(lines).encode())
    answers = (tmp_path / "answer_key.csv").read_text()
    assert answers == "ImageId,Label\n1,0\n2,1\n3,2\n"
    unlabelled = (tmp_path / "test.csv").read_bytes().splitlines()
    assert unlabelled == [line.partition(",")[2].encode() for line in lines]


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("12,0,0", "line 3, column label: '12' is not a digit 0 to 9"),
        ("x,0,0", "line 3, column label: 'x' is not a digit 0 to 9"),
        (",0,0", "line 3, column label: '' is not a digit 0 to 9"),
        ("5", "line 3: no pixels follow the label"),
        ("", "line 3: the line is blank"),
    ],
)
def test_a_row_without_its_label(tmp_path: Path, line: str, fault: str) -> None:
    lines = csv_files.lines(3, labelled=True)
    lines[2] = line
    with pytest.raises(PipelineError) as caught:
        arranged(tmp_path, "\n".join(lines).encode())
    assert str(caught.value) == f"mnist_test.csv, {fault}"


@pytest.mark.parametrize(
    "way",
    [
        {"label_last": True, "header": [*KAGGLE_PIXELS, "class"]},
        {"separator": ";", "spelled": "{}.0"},
        {"numbered_from": 1, "header": ["", "label", *KAGGLE_PIXELS]},
    ],
)
def test_labels_of_other_dialects(tmp_path: Path, way: dict[str, Any]) -> None:
    lines = csv_files.lines(12, labelled=True)
    arranged(tmp_path, "\n".join(csv_files.respelled(lines, **way)).encode() + b"\n\n")
    answers = (tmp_path / "answer_key.csv").read_text().splitlines()
    assert answers[1:] == [f"{row + 1},{row % 10}" for row in range(12)]
    found = csv_files.read_digits(tmp_path / "test.csv", labelled=False).images
    table = np.array([line.split(",")[1:] for line in lines[1:]], np.int64)
    np.testing.assert_array_equal(found.reshape(12, 784), table)


def test_a_column_that_stands_for_labels_that_are_not_known(tmp_path: Path) -> None:
    lines = csv_files.lines(12, labelled=True)
    text = "\n".join([lines[0], *(f"0,{line.partition(',')[2]}" for line in lines[1:])])
    with pytest.raises(PipelineError, match=r"^mnist_test.csv: every label is 0; if they are not"):
        arranged(tmp_path, text.encode())


def test_a_file_that_has_no_labels_at_all(tmp_path: Path) -> None:
    lines = csv_files.lines(3, labelled=False)
    with pytest.raises(PipelineError, match=r"^mnist_test.csv, line 1: column 1 is 'pixel0' ins"):
        arranged(tmp_path, "\n".join(lines).encode())
