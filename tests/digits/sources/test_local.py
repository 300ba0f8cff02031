"""The user's own files: folders and zips, the competition's or MNIST's."""

import os
import shutil
import zipfile
from pathlib import Path

import pytest

from pipeline.digits.sources import local
from pipeline.system.errors import PipelineError
from tests import csv_files


@pytest.fixture
def into(tmp_path: Path) -> Path:
    (tmp_path / "into").mkdir()
    return tmp_path / "into"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return csv_files.competition_folder(tmp_path / "my digits")


@pytest.fixture
def mnist(tmp_path: Path) -> Path:
    (tmp_path / "mnist").mkdir()
    for name, rows in (("mnist_train.csv", 30), ("mnist_test.csv", 12)):
        csv_files.write(tmp_path / "mnist" / name, csv_files.lines(rows, labelled=True))
    return tmp_path / "mnist"


def zipped(folder: Path, *, inside: str = "") -> Path:
    path = folder.with_suffix(".zip")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as target:
        for file in folder.iterdir():
            target.write(file, inside + file.name)
    return path


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def refusal(path: Path, into: Path) -> str:
    with pytest.raises(PipelineError) as caught:
        local.fetch(path, into)
    return str(caught.value)


def test_a_folder_is_copied_without_what_else_is_in_it(folder: Path, into: Path) -> None:
    expected = contents(folder)
    (folder / "holiday.csv").write_text("1,2\n")
    fetched = local.fetch(folder, into)
    assert contents(into) == expected
    assert (fetched.kind, fetched.origin) == ("competition", str(folder))
    assert fetched.name("test.csv") == f"{folder}/test.csv"


def test_a_sample_submission_is_not_needed(folder: Path, into: Path) -> None:
    (folder / "sample_submission.csv").unlink()
    local.fetch(folder, into)
    assert set(contents(into)) == {"train.csv", "test.csv"}


@pytest.mark.parametrize("inside", ["", "digit-recognizer/"])
def test_a_zip_as_the_browser_downloads_it(folder: Path, into: Path, inside: str) -> None:
    path = zipped(folder, inside=inside)
    fetched = local.fetch(path, into)
    assert contents(into) == contents(folder)
    assert (fetched.kind, fetched.origin) == ("competition", str(path))
    assert fetched.name("test.csv") == f"{path}: test.csv"


@pytest.mark.parametrize("packed", [False, True])
def test_mnist_s_labels_of_the_test_digits_are_kept_apart(
    mnist: Path, into: Path, packed: bool
) -> None:
    path = zipped(mnist) if packed else mnist
    fetched = local.fetch(path, into)
    assert (fetched.kind, fetched.origin) == ("mnist-csv", str(path))
    assert (into / "train.csv").read_bytes() == (mnist / "mnist_train.csv").read_bytes()
    labelled = (mnist / "mnist_test.csv").read_text().splitlines()
    assert (into / "test.csv").read_text().splitlines() == [
        line.partition(",")[2] for line in labelled
    ]
    key = [f"{number},{line[0]}" for number, line in enumerate(labelled[1:], start=1)]
    assert (into / "answer_key.csv").read_text().splitlines() == ["ImageId,Label", *key]
    assert len((into / "sample_submission.csv").read_text().splitlines()) == 13
    assert len(list(into.iterdir())) == 4
    assert "mnist_test.csv" in fetched.name("test.csv")


def test_what_is_missing_is_named(folder: Path, mnist: Path, into: Path) -> None:
    (folder / "test.csv").unlink()
    assert refusal(folder, into).startswith(f"{folder} holds train.csv but not test.csv\nGive a fo")
    (mnist / "mnist_train.csv").unlink()
    assert refusal(zipped(mnist), into).startswith(
        f"{mnist}.zip holds mnist_test.csv but not mnist_train.csv\n"
    )
    shutil.rmtree(folder)
    folder.mkdir()
    assert refusal(folder, into).startswith(f"{folder} holds neither train.csv nor test.csv\n")
    assert list(into.iterdir()) == []


def test_paths_that_are_no_folder_and_no_zip(folder: Path, into: Path) -> None:
    train = folder / "train.csv"
    assert refusal(train, into).startswith(f"{train} is a single file\nGive a folder or a zip")
    other = folder / "digits.rar"
    assert refusal(other, into).startswith(f"{other}: there is no such file or folder\n")
    other.write_bytes(b"Rar!")
    assert refusal(other, into).startswith(f"{other} is not a zip\n")


def test_a_changed_file_gives_another_identity(folder: Path) -> None:
    before = local.identify(folder)
    assert set(before["files"]) == {"train.csv", "test.csv", "sample_submission.csv"}
    (folder / "holiday.csv").write_text("1,2\n")
    assert local.identify(folder) == before
    os.utime(folder / "test.csv", ns=(1, 1))
    assert local.identify(folder) == before
    (folder / "test.csv").write_text("other")
    assert local.identify(folder) != before


def test_a_zip_s_identity_is_its_own(folder: Path) -> None:
    path = zipped(folder)
    assert set(local.identify(path)["files"]) == {path.name}
