"""Numbers that are no digits as a whole are refused, however right each of them is."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.digits import dataset
from pipeline.digits.dialect import KAGGLE_PIXELS
from pipeline.plan.workspace import Workspace
from pipeline.system.errors import PipelineError
from tests import csv_files


def written(path: Path, images: np.ndarray, labels: np.ndarray) -> Path:
    rows = np.column_stack([labels, images.reshape(len(images), -1)]).tolist()
    header = ",".join(["label", *KAGGLE_PIXELS])
    return csv_files.write(path, [header, *(",".join(map(str, row)) for row in rows)])


def refusal(path: Path) -> str:
    with pytest.raises(PipelineError) as caught:
        csv_files.read_digits(path, labelled=True)
    return caught.value.message


@pytest.fixture
def digits(practice_workspace: Workspace) -> tuple[np.ndarray, np.ndarray]:
    """200 of the practice digits."""
    found = dataset.load_labelled(practice_workspace.processed("practice"))
    return np.array(found.images[:200]), np.array(found.labels[:200])


def test_digits_are_digits(tmp_path: Path, digits: tuple[np.ndarray, np.ndarray]) -> None:
    images, labels = digits
    read = csv_files.read_digits(written(tmp_path / "a.csv", images, labels), labelled=True)
    np.testing.assert_array_equal(read.images, images)


def test_pixels_column_by_column(tmp_path: Path, digits: tuple[np.ndarray, np.ndarray]) -> None:
    images, labels = digits
    path = written(tmp_path / "a.csv", images.transpose(0, 2, 1), labels)
    assert refusal(path) == (
        f"{path}: the ones lie on their sides; it looks like pixels column by column, "
        "and they must be row by row"
    )


def test_too_few_ones_prove_nothing(tmp_path: Path, digits: tuple[np.ndarray, np.ndarray]) -> None:
    images, labels = digits
    few = (labels != 1) | (np.cumsum(labels == 1) < 5)
    path = written(tmp_path / "a.csv", images.transpose(0, 2, 1)[few], labels[few])
    assert len(csv_files.read_digits(path, labelled=True).labels) == few.sum()


def test_pixels_that_are_0_or_1(tmp_path: Path, digits: tuple[np.ndarray, np.ndarray]) -> None:
    images, labels = digits
    path = written(tmp_path / "a.csv", (images > 127).astype(int), labels)
    assert refusal(path) == (
        f"{path}: no pixel is above 1; they look like pixels from 0 to 1, "
        "and they must be from 0 to 255"
    )
