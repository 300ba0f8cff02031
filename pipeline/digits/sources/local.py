"""The user's own copy of the digits: CSV files in a folder or an archive, packed or not."""

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from pipeline.digits.dialect import read_dialect
from pipeline.digits.sources import SAMPLE_SUBMISSION, TEST, TRAIN, Fetched, mnist_csv
from pipeline.system.csv_lines import open_csv
from pipeline.system.errors import PipelineError
from pipeline.system.files import sha256
from pipeline.system.unpacking import is_packed, unpack

COMPETITION_FILES = (TRAIN, TEST)
MNIST_FILES = (mnist_csv.TRAIN, mnist_csv.TEST)
PAIRS = (COMPETITION_FILES, MNIST_FILES)
KNOWN = (*COMPETITION_FILES, SAMPLE_SUBMISSION, *MNIST_FILES)
REMEDY = (
    f"Give a folder or a zip with {' and '.join(COMPETITION_FILES)}, "
    f"or with {' and '.join(MNIST_FILES)}."
)
# The names of files that hold one of these, in small letters; and how those of several end.
_NAMES = {f"{name}{end}": name for name in KNOWN for end in ("", ".zip", ".gz", ".bz2", ".xz")} | {
    name.replace(".csv", ".zip"): name for name in KNOWN
}
ARCHIVES = (".zip", ".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz")
# The name of the competition's zip, also where a browser has put a number behind it.
USUAL_ARCHIVE = "digit-recognizer"

MOST_LEVELS = 2  # of folders in the folder that was named
MOST_NESTED = 2  # of archives in an archive


def identify(path: Path) -> dict[str, Any]:
    """Return what tells one state of the user's files from another: their checksums.

    Raises PipelineError like ``fetch`` for a folder that lacks the files.
    """
    files = [path]
    if path.is_dir():
        found = _search(path, str(path))
        files = sorted(found.values()) if isinstance(found, dict) else [found]
    names = {file: str(file.relative_to(path)) if file != path else file.name for file in files}
    return {
        "path": str(path),
        "files": {name: sha256(file) for file, name in names.items() if file.is_file()},
    }


def fetch(path: Path, into: Path) -> Fetched:
    """Copy or unpack the user's files.

    path: a folder, or a zip such as the browser downloads from the competition's page.
    The files may be packed one by one, and lie in folders or an archive inside.
    Raises PipelineError if they are not there, not certain, or not sound.
    """
    if path.suffix.lower() == ".csv" and path.is_file():
        raise PipelineError(f"{path} is a single file", remedy=REMEDY)
    if not (path.is_dir() or path.is_file()):
        raise PipelineError(f"{path}: there is no such file or folder", remedy=REMEDY)
    with tempfile.TemporaryDirectory(dir=into) as room:
        gather = _gather if path.is_dir() else _gather_packed
        names = gather(path, Path(room), str(path))
        return _lay_out(Path(room), into, str(path), names)


def _gather(
    folder: Path, room: Path, called: str, *, between: str = "/", nested: int = MOST_NESTED + 1
) -> dict[str, str]:
    """Put the files that are somewhere in ``folder`` into ``room``, unpacked.

    called: what messages call the folder, with ``between`` before what is in it.
    nested: how many archives may lie in one another.
    Returns what messages call each file.
    """
    found = _search(folder, called)
    if isinstance(found, Path):
        inner = f"{called}{between}{found.relative_to(folder)}"
        return _gather_packed(found, room, inner, nested=nested - 1)
    names = {name: f"{called}{between}{file.relative_to(folder)}" for name, file in found.items()}
    for name, file in found.items():
        _place(file, room / name, names[name])
    return names


def _gather_packed(
    path: Path, room: Path, called: str, *, nested: int = MOST_NESTED
) -> dict[str, str]:
    """Put the files that are in an archive into ``room``."""
    if nested < 0:
        raise PipelineError(f"{called} lies in too many archives", remedy=REMEDY)
    with tempfile.TemporaryDirectory(dir=room) as inside:
        _unpack(path, Path(inside), called)
        return _gather(Path(inside), room, called, between=": ", nested=nested)


def _search(folder: Path, called: str) -> dict[str, Path] | Path:
    """Find the files, by their names, as near to the top as they are complete; else the archive."""
    there: dict[str, Path] = {}
    archives: list[list[Path]] = []
    for level in _levels(folder):
        found = _known(level, folder, called)
        for pair in PAIRS:
            if found.keys() >= set(pair):
                taken = (*pair, SAMPLE_SUBMISSION) if pair == COMPETITION_FILES else pair
                return {name: found[name] for name in taken if name in found}
        there = {**found, **there}
        archives.append([file for file in level if _is_archive(file.name)])
    for level in archives:
        usual = [file for file in level if file.name.lower().startswith(USUAL_ARCHIVE)]
        candidates = usual or ([] if there else level)
        if len(candidates) > 1:
            few = ", ".join(str(file.relative_to(folder)) for file in candidates[:3])
            raise PipelineError(
                f"{called} holds several archives, {few}",
                remedy="Give the path of the right one: SOURCE=...",
            )
        if candidates:
            return candidates[0]
    for pair in PAIRS:
        missing = [name for name in pair if name not in there]
        if not missing:
            places = ", ".join(str(there[name].relative_to(folder)) for name in pair)
            raise PipelineError(
                f"{called} holds {' and '.join(pair)}, but not side by side: {places}",
                remedy="Give a folder that has both.",
            )
        if len(missing) < len(pair):
            (has,) = set(pair) - set(missing)
            raise PipelineError(f"{called} holds {has} but not {missing[0]}", remedy=REMEDY)
    raise PipelineError(f"{called} holds neither {TRAIN} nor {TEST}", remedy=REMEDY)


def _levels(folder: Path) -> Iterator[list[Path]]:
    """The files in the folder, then those in its folders, and so on; hidden ones are left out."""
    folders = [folder]
    for _ in range(MOST_LEVELS + 1):
        entries = []
        for each in folders:
            with suppress(PermissionError):
                entries += sorted(entry for entry in each.iterdir() if entry.name[0] not in "._")
        yield [entry for entry in entries if entry.is_file()]
        folders = [entry for entry in entries if entry.is_dir()]


def _known(files: list[Path], folder: Path, called: str) -> dict[str, Path]:
    """The files that are ours, by name; one that is not packed comes before one that is."""
    found: dict[str, Path] = {}
    for file in sorted(files, key=lambda file: file.name != _name_of(file.name)):
        if not (name := _name_of(file.name)):
            continue
        other = found.setdefault(name, file)
        if other is not file and (file.name == name or other.name != name):
            raise PipelineError(
                f"{called} holds {name} more than once: {other.relative_to(folder)}, "
                f"{file.relative_to(folder)}",
                remedy="Give the path of the folder that has the right one: SOURCE=...",
            )
    return found


def _name_of(name: str) -> str | None:
    """The one of our files that a file's name stands for: for train.csv.gz it is train.csv."""
    return _NAMES.get(name.lower())


def _is_archive(name: str) -> bool:
    return name.lower().endswith(ARCHIVES) and not _name_of(name)


def _place(file: Path, target: Path, called: str) -> None:
    """Copy the file, or what is packed in it."""
    if not is_packed(file):
        shutil.copyfile(file, target)
        return
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        inside = Path(folder)
        _unpack(file, inside, called)
        for found in inside.iterdir():
            if _name_of(found.name) == target.name and not is_packed(found):
                found.replace(target)
                return
    raise PipelineError(f"{called} does not hold {target.name}", remedy=REMEDY)


def _unpack(path: Path, into: Path, called: str) -> None:
    try:
        unpack(path, into, takes=lambda name: bool(_name_of(name)) or _is_archive(name))
    except PipelineError as error:
        raise PipelineError(error.message.replace(str(path), called), remedy=error.remedy) from None


def _lay_out(room: Path, into: Path, origin: str, names: Mapping[str, str]) -> Fetched:
    """Arrange the files as the competition does; labels of test digits are kept apart."""
    is_mnist = TRAIN not in names
    train, test = MNIST_FILES if is_mnist else COMPETITION_FILES
    called = {TRAIN: names[train], TEST: names[test]}
    with open_csv(room / test, called[TEST]) as stream:
        has_labels = read_dialect(stream, called[TEST], labelled=None).label is not None
    if has_labels:
        mnist_csv.arrange(room / train, room / test, into, names=called)
        return Fetched("mnist-csv", origin, called)
    (room / train).replace(into / TRAIN)
    (room / test).replace(into / TEST)
    if SAMPLE_SUBMISSION in names:
        called[SAMPLE_SUBMISSION] = names[SAMPLE_SUBMISSION]
        (room / SAMPLE_SUBMISSION).replace(into / SAMPLE_SUBMISSION)
    return Fetched("mnist-csv" if is_mnist else "competition", origin, called)
