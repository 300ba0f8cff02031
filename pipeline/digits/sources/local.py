"""The user's own copy of the digits: a folder of CSV files, or a zip of them."""

import shutil
import tempfile
from pathlib import Path
from typing import Any

from pipeline.digits.sources import SAMPLE_SUBMISSION, TEST, TRAIN, Fetched, mnist_csv
from pipeline.system import archive
from pipeline.system.errors import PipelineError
from pipeline.system.files import sha256

COMPETITION_FILES = (TRAIN, TEST)
MNIST_FILES = (mnist_csv.TRAIN, mnist_csv.TEST)
REMEDY = (
    f"Give a folder or a zip with {' and '.join(COMPETITION_FILES)}, "
    f"or with {' and '.join(MNIST_FILES)}."
)


def identify(path: Path) -> dict[str, Any]:
    """Return what tells one state of the user's files from another: their checksums."""
    known = (*COMPETITION_FILES, SAMPLE_SUBMISSION, *MNIST_FILES)
    files = [path / name for name in known] if path.is_dir() else [path]
    return {
        "path": str(path),
        "files": {file.name: sha256(file) for file in files if file.is_file()},
    }


def fetch(path: Path, into: Path) -> Fetched:
    """Copy or unpack the user's files.

    path: a folder, or a zip such as the browser downloads from the competition's page.
    Raises PipelineError if the files are not there or the zip is not sound.
    """
    if path.is_dir():
        return _from_folder(path, into)
    if path.suffix.lower() == ".csv":
        raise PipelineError(f"{path} is a single file", remedy=REMEDY)
    if not path.is_file():
        raise PipelineError(f"{path}: there is no such file or folder", remedy=REMEDY)
    return _from_zip(path, into)


def _from_folder(folder: Path, into: Path) -> Fetched:
    found = {file.name for file in folder.iterdir() if file.is_file()}
    if _are_mnist(found, str(folder)):
        train, test = (folder / name for name in MNIST_FILES)
        names = {TRAIN: str(train), TEST: str(test)}
        mnist_csv.arrange(train, test, into, names=names)
        return Fetched("mnist-csv", str(folder), names)
    names = {}
    for name in (*COMPETITION_FILES, SAMPLE_SUBMISSION):
        if name in found:
            shutil.copyfile(folder / name, into / name)
            names[name] = str(folder / name)
    return Fetched("competition", str(folder), names)


def _from_zip(path: Path, into: Path) -> Fetched:
    if not _are_mnist(archive.member_names(path), str(path)):
        archive.extract_members(path, COMPETITION_FILES, into, optional=[SAMPLE_SUBMISSION])
        return Fetched("competition", str(path))
    names = {TRAIN: f"{path}: {MNIST_FILES[0]}", TEST: f"{path}: {MNIST_FILES[1]}"}
    with tempfile.TemporaryDirectory(dir=into) as unpacked:
        train, test = archive.extract_members(path, MNIST_FILES, Path(unpacked))
        mnist_csv.arrange(train, test, into, names=names)
    return Fetched("mnist-csv", str(path), names)


def _are_mnist(found: set[str], name: str) -> bool:
    """Whether the files are MNIST's rather than the competition's; an error if they are neither."""
    if found.issuperset(COMPETITION_FILES):
        return False
    if found.issuperset(MNIST_FILES):
        return True
    for pair in (COMPETITION_FILES, MNIST_FILES):
        there = found.intersection(pair)
        if there:
            missing = set(pair) - there
            raise PipelineError(
                f"{name} holds {there.pop()} but not {missing.pop()}", remedy=REMEDY
            )
    raise PipelineError(f"{name} holds neither {TRAIN} nor {TEST}", remedy=REMEDY)
