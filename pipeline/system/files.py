"""Writing files so that a reader sees the old one or the new one, and never half of one.

That holds for readers after a power cut, too: what was written is on the disk before the name that
it gets, and names are before what is written next. And it holds behind links: see ``target_of``.
"""

import contextlib
import errno
import hashlib
import json
import os
import shutil
import tempfile
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from pipeline.system.errors import PipelineError

MOST_LEVELS = 20  # of tables in tables; a recipe has five


@contextlib.contextmanager
def atomic_write(path: Path) -> Iterator[BinaryIO]:
    """Open a temporary file beside ``path``; put it in place only if the block succeeds.

    Raises PipelineError for a link to no file, before anything is written.
    """
    target = target_of(path)
    if target != path and not target.is_file():
        raise PipelineError(
            f"{path} is a link to {target}, which is no file", remedy="Remove the link."
        )
    make_folder(target.parent)
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".tmp")
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        # mkstemp makes the file private; an artefact gets the mode that the umask asks for.
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(target)
        _sync(target.parent)
    except OSError as error:
        if error.filename in (None, name):  # of a full disk, the system does not say which file
            error.filename, error.filename2 = str(path), None
        raise
    finally:
        with contextlib.suppress(OSError):  # which would hide why it came to this
            temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text atomically, with ``\\n`` as it stands."""
    with atomic_write(path) as stream:
        stream.write(text.encode("utf-8"))


def write_json(path: Path, value: Any) -> None:
    """Write indented JSON atomically; NaN is refused because JSON has none."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False, ensure_ascii=False) + "\n")


_DELETE = "Delete it and run the stage that writes it again."


def read_json(path: Path, *, remedy: str = _DELETE) -> dict[str, Any]:
    """Read a JSON object written by this program.

    remedy: what mends one that is damaged.
    Raises PipelineError if the file is not a JSON object; FileNotFoundError if there is none.
    """
    try:
        value = parse_json(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise damaged(path, str(error), remedy) from None
    if not isinstance(value, dict):
        raise damaged(path, "it holds no JSON object", remedy)
    return value


def damaged(path: Path, what: str, remedy: str = _DELETE) -> PipelineError:
    """Return the error that a record of this program's is none that it wrote."""
    return PipelineError(f"{path} is damaged, or of another version: {what}", remedy=remedy)


def parse_json(text: str) -> Any:
    """Return the value of a JSON text.

    Raises ValueError for no JSON, and for what no file of ours holds: a key twice, numbers that
    are none or have more than 64 bits, texts that can't be written, nesting without end.
    """
    try:
        value = json.loads(
            text, parse_constant=_refuse_constant, object_pairs_hook=_refuse_twice_the_same
        )
        _refuse_extremes(value, MOST_LEVELS)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    return value


def parse_toml(text: str) -> dict[str, Any]:
    """Return the values of a TOML text. Raises ValueError for no TOML, or beyond its limits."""
    try:
        values = tomllib.loads(text)
        _refuse_extremes(values, MOST_LEVELS)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    return values


def expand(path: str) -> Path:
    """Return a path of the user's with ~ as a home. Raises PipelineError if there is none."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise PipelineError(f"{path}: there is no such home folder") from None


def sha256(path: Path) -> str:
    """Return the hexadecimal SHA-256 of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def target_of(path: Path, *, strict: bool = True) -> Path:
    """Return where a path leads if it is a link, else the path itself.

    Writers and locks go there, with all their temporary names: so a link stays one, nothing is
    ever renamed from one disk to another, and a file has one lock under all of its names.
    Raises PipelineError for a link that leads nowhere, because its disk may not be mounted, and
    what is on it is not to be made anew.  strict: False lets the last part be missing.
    """
    if not path.is_symlink():
        return path
    target = Path(os.path.realpath(path))
    is_there = target.exists() if strict else target.parent.is_dir()
    if not is_there or target.is_symlink():  # which it is still where links go in a circle
        raise _leads_nowhere(path)
    return target


def make_folder(folder: Path) -> None:
    """Make a folder, and those above it, unless it is there.

    Raises PipelineError if something else is in its place.
    """
    if folder.is_dir():
        return
    if folder.is_symlink() and not folder.exists():
        raise _leads_nowhere(folder)
    make_folder(folder.parent)
    try:
        folder.mkdir(exist_ok=True)
    except FileExistsError:
        raise _no_folder(folder) from None
    _sync(folder.parent)


@contextlib.contextmanager
def atomic_folder(folder: Path, *, contents: Sequence[Path] = ()) -> Iterator[Path]:
    """Fill a temporary folder beside ``folder``; it replaces ``folder`` only if the block succeeds.

    A folder that is replaced is moved aside first: for an instant there is none, never a mixture.
    contents: all that it may hold, its record last. What a link leads to may be anybody's.
    Raises PipelineError for no folder, and for a link to one that was not made here.
    """
    target = target_of(folder)
    if target.exists() and not target.is_dir():
        raise _no_folder(folder)
    if target != folder:
        _check_made_here(folder, target, [path.name for path in contents])
    make_folder(target.parent)
    temporary = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}.", suffix=".tmp"))
    aside = temporary.with_suffix(".old")
    try:
        yield temporary
        temporary.chmod(0o777 & ~_umask())
        for path in (*temporary.rglob("*"), temporary):
            _sync(path)
        if target.exists():
            target.replace(aside)
        temporary.replace(target)
        _sync(target.parent)
    except OSError as error:
        inside = str(error.filename2 or error.filename or temporary)
        for hidden in (temporary, aside):
            inside = inside.replace(str(hidden), str(folder))
        error.filename, error.filename2 = inside, None
        raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        shutil.rmtree(aside, ignore_errors=True)


def _leads_nowhere(path: Path) -> PipelineError:
    return PipelineError(
        f"{path} is a link to {path.readlink()}, which leads nowhere",
        remedy="Mount the disk that it leads to, add what is missing there, or remove the link.",
    )


def _no_folder(path: Path) -> PipelineError:
    return PipelineError(
        f"{path} is no folder", remedy="Move it away; then the same command makes one."
    )


def _check_made_here(link: Path, folder: Path, names: Sequence[str]) -> None:
    """Raise PipelineError unless a folder is empty, or has a record and nothing but known names."""
    found = {path.name for path in folder.iterdir()}
    foreign = found.difference(names) if found.intersection(names[-1:]) else found
    if foreign:
        raise PipelineError(
            f"{link} is a link to {folder}, which holds what no stage put there: {min(foreign)}",
            remedy="All that is in there would be replaced: let the link lead to an empty folder.",
        )


def _sync(path: Path) -> None:
    """Wait until a file's content, or the names in a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # there is nothing to wait for
            raise
    finally:
        os.close(descriptor)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number")


def _refuse_twice_the_same(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return the pairs as a table; JSON lets one key have two values, as a bad merge leaves it."""
    table: dict[str, Any] = {}
    for key, value in pairs:
        if key in table:
            raise ValueError(f"the key {key!r:.60} is there twice")
        table[key] = value
    return table


def _refuse_extremes(value: Any, levels: int) -> None:
    """Raise ValueError for what no file of ours holds, and would fail somewhere later."""
    if not levels:
        raise ValueError("it is nested too deeply")
    if isinstance(value, str):
        if "\0" in value:
            raise ValueError("it holds a NUL character")
        value.encode("utf-8")  # half of a surrogate pair can't be written
    elif type(value) is int and not -(2**63) <= value < 2**64:
        raise ValueError("a whole number has more than 64 bits")
    elif isinstance(value, list):
        for item in value:
            _refuse_extremes(item, levels - 1)
    elif isinstance(value, dict):
        for key, item in value.items():
            _refuse_extremes(key, levels)
            _refuse_extremes(item, levels - 1)


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
