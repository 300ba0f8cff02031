"""The user's own files: folders and zips, the competition's or MNIST's."""

import bz2
import gzip
import io
import lzma
import os
import shutil
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.digits.sources import local
from pipeline.system.errors import PipelineError
from tests import csv_files
from tests.stress import zips


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
    assert refusal(other, into) == (
        f"{other} is a RAR archive, not a zip\nUnpack it, and give the folder."
    )


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


Files = dict[str, bytes]


def tarred(files: Files) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as target:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            target.addfile(member, io.BytesIO(content))
    return stream.getvalue()


def each(compress: Callable[[bytes], bytes], end: str) -> Callable[[Files], Files]:
    return lambda files: {f"{name}{end}": compress(content) for name, content in files.items()}


def inside(folder: str) -> Callable[[Files], Files]:
    return lambda files: {f"{folder}/{name}": content for name, content in files.items()}


def zipped_alone(files: Files, end: str = ".csv.zip") -> Files:
    return {
        name.replace(".csv", end): zips.packed({name: content}) for name, content in files.items()
    }


ARRANGEMENTS: dict[str, Callable[[Files], Files]] = {
    "a .csv.zip each": zipped_alone,
    "a .zip each": lambda files: zipped_alone(files, ".zip"),
    "zip that is named .csv": lambda files: zipped_alone(files, ".csv"),
    ".csv.gz": each(gzip.compress, ".gz"),
    ".csv.bz2": each(bz2.compress, ".bz2"),
    ".csv.xz": each(lzma.compress, ".XZ"),
    "gzip that is named .csv": each(gzip.compress, ""),
    "capitals": lambda files: {name.upper(): content for name, content in files.items()},
    "a level down": inside("digit-recognizer"),
    "two levels down": inside("kaggle/digit-recognizer"),
    "a folder each": lambda files: {f"{name}/{name}": files[name] for name in files},
    "the zip": lambda files: {"digit-recognizer.zip": zips.packed(files)},
    "the zip as a browser names it": lambda files: {
        "down/digit-recognizer (1).zip": zips.packed(files),
        "down/code.zip": zips.packed({"a": b"1"}),
    },
    "the only zip": lambda files: {"archive.zip": zips.packed(files)},
    "the zip, and a file of it": lambda files: {
        "digit-recognizer.zip": zips.packed(files),
        "train.csv": b"",
    },
    "zip in a zip": lambda files: {
        "all.zip": zips.packed({"digit-recognizer.zip": zips.packed(files)})
    },
    "two levels in a zip": lambda files: {"digits.zip": zips.packed(inside("a/b")(files))},
    "zips in a zip": lambda files: {"digits.zip": zips.packed(zipped_alone(files))},
    "tar.gz": lambda files: {"digits.tar.gz": tarred(inside("a/b")(files))},
    "files beside what is packed": lambda files: {**each(lambda _: b"old", ".gz")(files), **files},
    "files above other ones": lambda files: {**inside("old")(dict.fromkeys(files, b"")), **files},
}


def arranged(folder: Path, files: Files) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


@pytest.mark.parametrize("way", ARRANGEMENTS)
def test_files_as_they_lie_about(folder: Path, tmp_path: Path, into: Path, way: str) -> None:
    mine = arranged(tmp_path / "other", ARRANGEMENTS[way](contents(folder)))
    fetched = local.fetch(mine, into)
    assert contents(into) == contents(folder)
    assert (fetched.kind, fetched.origin) == ("competition", str(mine))
    assert fetched.name("train.csv").startswith(f"{mine}/")
    identity = local.identify(mine)
    assert identity["files"]
    (mine / "holiday.txt").write_text("1")
    assert local.identify(mine) == identity
    for name in identity["files"]:
        before = (mine / name).read_bytes()
        (mine / name).write_bytes(before + b" ")
        assert local.identify(mine) != identity
        (mine / name).write_bytes(before)


def test_messages_name_what_the_user_has(folder: Path, tmp_path: Path, into: Path) -> None:
    files = contents(folder)
    two = arranged(tmp_path / "two", {"a/digit-recognizer.zip": zips.packed(inside("b")(files))})
    names = local.fetch(two, into).names
    assert names["test.csv"] == f"{two}/a/digit-recognizer.zip: test.csv"
    gz = arranged(tmp_path / "gz", each(gzip.compress, ".gz")(files))
    assert local.fetch(gz, into).names["test.csv"] == f"{gz}/test.csv.gz"
    (gz / "train.csv.gz").write_bytes((gz / "train.csv.gz").read_bytes()[:-9])
    told = refusal(gz, into)
    assert told.startswith(f"{gz}/train.csv.gz cannot be unpacked: Compressed file ended before")


def packed_often(files: Files, times: int) -> bytes:
    content = zips.packed(files)
    for depth in range(times):
        content = zips.packed({f"{depth}.zip": content})
    return content


@pytest.mark.parametrize(
    ("arrangement", "told"),
    [
        (inside("a/b/c"), "MINE holds neither train.csv nor test.csv"),
        (
            lambda files: {**inside("x")(files), **inside("y")(files)},
            "MINE holds sample_submission.csv more than once: x/sample_submission.csv, y/sample_s",
        ),
        (
            lambda files: {**zipped_alone(files), **each(gzip.compress, ".gz")(files)},
            "MINE holds sample_submission.csv more than once: sample_submission.csv.gz, sample_s",
        ),
        (
            lambda files: {"a.zip": zips.packed(files), "b.zip": zips.packed(files)},
            "MINE holds several archives, a.zip, b.zip\nGive the path of the right one: SOURCE=...",
        ),
        (
            lambda files: {"train.csv": files["train.csv"], "notes.zip": zips.packed(files)},
            "MINE holds train.csv but not test.csv",
        ),
        (
            lambda files: {"a/train.csv": files["train.csv"], "b/c/test.csv": files["test.csv"]},
            "MINE holds train.csv and test.csv, but not side by side: a/train.csv, b/c/test.csv",
        ),
        (
            lambda files: {"a.zip": packed_often(files, 3)},
            "MINE/a.zip: 2.zip: 1.zip: 0.zip lies in too many archives",
        ),
        (lambda _: {"a.zip": zips.packed({"b": b"1"})}, "MINE/a.zip holds neither train.csv nor"),
        (
            lambda files: {"train.csv": zips.packed({"x": b"1"}), "test.csv": files["test.csv"]},
            "MINE/train.csv does not hold train.csv",
        ),
    ],
)
def test_what_is_not_certain_is_told(
    folder: Path, tmp_path: Path, into: Path, arrangement: Callable[[Files], Files], told: str
) -> None:
    mine = arranged(tmp_path / "other", arrangement(contents(folder)))
    assert refusal(mine, into).replace(str(mine), "MINE").startswith(told)
    assert list(into.iterdir()) == []


@pytest.mark.parametrize("header", [None, []])
def test_labels_of_test_csv_are_kept_apart(
    folder: Path, into: Path, header: list[str] | None
) -> None:
    """Whoever has them has other test digits than the competition's."""
    lines = csv_files.lines(30, labelled=True)
    csv_files.write(folder / "test.csv", csv_files.respelled(lines, header=header))
    assert local.fetch(folder, into).kind == "mnist-csv"
    key = (into / "answer_key.csv").read_text().splitlines()
    assert key[1:] == [f"{number},{line[0]}" for number, line in enumerate(lines[1:], start=1)]
    expected = [line.partition(",")[2] for line in lines]
    assert (into / "test.csv").read_text().splitlines() == expected[header == [] :]


def test_mnist_s_test_digits_without_labels(mnist: Path, into: Path) -> None:
    lines = csv_files.respelled(csv_files.lines(12, labelled=False), header=[])
    csv_files.write(mnist / "mnist_test.csv", lines)
    assert local.fetch(mnist, into).kind == "mnist-csv"
    assert set(contents(into)) == {"train.csv", "test.csv"}
