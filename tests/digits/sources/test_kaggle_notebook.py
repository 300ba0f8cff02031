"""Inside a Kaggle notebook the competition's files are there already."""

from pathlib import Path

import pytest

from pipeline.digits.sources import kaggle_notebook
from pipeline.system.errors import PipelineError
from tests import csv_files


@pytest.mark.parametrize("place", ["digit-recognizer", "competitions/digit-recognizer"])
def test_mounted_files_are_copied(tmp_path: Path, place: str) -> None:
    folder = csv_files.competition_folder(tmp_path / "input" / place)
    (tmp_path / "into").mkdir()
    environment = {"DIGITS_KAGGLE_INPUT": str(tmp_path / "input")}
    fetched = kaggle_notebook.fetch(tmp_path / "into", environment=environment)
    assert (fetched.kind, fetched.origin) == ("competition", str(folder))
    for name in ("train.csv", "test.csv", "sample_submission.csv"):
        assert (tmp_path / "into" / name).read_bytes() == (folder / name).read_bytes()


def test_elsewhere_the_way_to_add_them_is_told(tmp_path: Path) -> None:
    with pytest.raises(PipelineError) as caught:
        kaggle_notebook.fetch(tmp_path, environment={"DIGITS_KAGGLE_INPUT": "/none"})
    assert str(caught.value) == (
        "There is no /none/digit-recognizer/train.csv here\n"
        "In a Kaggle notebook choose Add Input, Competitions, Digit Recognizer."
    )


def test_a_mount_without_its_test_digits(tmp_path: Path) -> None:
    folder = csv_files.competition_folder(tmp_path / "digit-recognizer")
    (folder / "test.csv").unlink()
    with pytest.raises(PipelineError, match=r"holds train.csv but not test.csv"):
        kaggle_notebook.fetch(tmp_path, environment={"DIGITS_KAGGLE_INPUT": str(tmp_path)})
