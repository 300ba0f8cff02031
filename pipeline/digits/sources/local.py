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
KNOWN = (*COMPETITION_FILES, SAMPLE_SUBMISSION, *MNIST_FILES)
REMEDY = (
    f"Give a folder or a zip with {' and '.join(COMPETITION_FILES)}, "
    f"or with {' and '.join(MNIST_FILES)}."
)


def identify(path: Path) -> dict[str, Any]:
    """Return what tells one state of the user's files from another: their checksums."""
    files = [path / name for name in KNOWN] if path.is_dir() else [path]
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
        return _take(path, into, str(path), f"{path}/")
    if path.suffix.lower() == ".csv":
        raise PipelineError(f"{path} is a single file", remedy=REMEDY)
    if not path.is_file():
        raise PipelineError(f"{path}: there is no such file or folder", remedy=REMEDY)
    with tempfile.TemporaryDirectory(dir=into) as unpacked:
        archive.extract_members(path, (), Path(unpacked), optional=KNOWN)
        return _take(Path(unpacked), into, str(path), f"{path}: ")


def _take(folder: Path, into: Path, origin: str, prefix: str) -> Fetched:
    """Take what the folder holds.  prefix: what messages put before a file's name."""
    found = {name for name in KNOWN if (folder / name).is_file()}
    if found.issuperset(COMPETITION_FILES):
        taken = found.intersection((*COMPETITION_FILES, SAMPLE_SUBMISSION))
        for name in taken:
            shutil.copyfile(folder / name, into / name)
        return Fetched("competition", origin, {name: f"{prefix}{name}" for name in taken})
    if found.issuperset(MNIST_FILES):
        names = {TRAIN: f"{prefix}{mnist_csv.TRAIN}", TEST: f"{prefix}{mnist_csv.TEST}"}
        mnist_csv.arrange(folder / mnist_csv.TRAIN, folder / mnist_csv.TEST, into, names=names)
        return Fetched("mnist-csv", origin, names)
    for pair in (COMPETITION_FILES, MNIST_FILES):
        if there := found.intersection(pair):
            (missing,) = set(pair) - there
            raise PipelineError(f"{origin} holds {there.pop()} but not {missing}", remedy=REMEDY)
    raise PipelineError(f"{origin} holds neither {TRAIN} nor {TEST}", remedy=REMEDY)
