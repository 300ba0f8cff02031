"""Writing files so that a reader sees the old one or the new one, and never half of one."""

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from pipeline.system.errors import PipelineError

MOST_LEVELS = 20  # of tables in tables; a recipe has five


@contextlib.contextmanager
def atomic_write(path: Path) -> Iterator[BinaryIO]:
    """Open a temporary file beside ``path``; put it in place only if the block succeeds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        # mkstemp makes the file private; an artefact gets the mode that the umask asks for.
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
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


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object written by this program.

    Raises PipelineError if the file is not a JSON object; FileNotFoundError if there is none.
    """
    try:
        value = parse_json(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise damaged(path, str(error)) from None
    if not isinstance(value, dict):
        raise damaged(path, "it holds no JSON object")
    return value


def damaged(path: Path, what: str) -> PipelineError:
    """Return the error that a record of this program's is none that it wrote."""
    return PipelineError(
        f"{path} is damaged, or of another version: {what}",
        remedy="Delete it and run the stage that writes it again.",
    )


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


@contextlib.contextmanager
def atomic_folder(folder: Path) -> Iterator[Path]:
    """Fill a temporary folder beside ``folder``; it replaces ``folder`` only if the block succeeds.

    A folder that is replaced is moved aside first: for an instant there is none, never a mixture.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}.", suffix=".tmp"))
    aside = temporary.with_suffix(".old")
    try:
        yield temporary
        temporary.chmod(0o777 & ~_umask())
        if folder.exists():
            folder.replace(aside)
        temporary.replace(folder)
    except OSError as error:
        inside = str(error.filename2 or error.filename or temporary)
        error.filename, error.filename2 = inside.replace(str(temporary), str(folder)), None
        raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        shutil.rmtree(aside, ignore_errors=True)


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
