"""Locks between commands, and who holds one.

Whether a lock is held is known to the operating system alone. Who holds it is written beside it,
for people: whatever stands there, half a line or another program's text, changes no more than the
message.
"""

import contextlib
import errno
import json
import os
import re
import shutil
import socket
import sys
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from pipeline.system import files
from pipeline.system.errors import PipelineError
from pipeline.system.reporter import reporter

# A wait shorter than this is not told of; the holder has written by then who it is.
_MOMENT_SECONDS = 0.2
_NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP)
UNKNOWN = "Another command"
_LONGEST = 2_000  # bytes of the file, of which ours needs a tenth
_held: set[tuple[int, Path]] = set()  # by which thread, each lock file of this process


@contextlib.contextmanager
def locked(path: Path, *others: Path) -> Iterator[None]:
    """Hold the lock beside ``path`` while a stage writes it, and ``others`` along with it.

    The lock is the operating system's, so it ends with its process however that dies. What a
    process that was killed left half-written, in these folders or beside them, is removed.
    If another process holds it, the user is told of that once. It is beside what a link leads to,
    and so the same by whichever name.
    Raises PipelineError if the file system has no locks, for a link that leads nowhere, and if
    links make this lock one that this command has already.

    Whoever holds several took them in this order, so that no two wait for each other: the ledger,
    an ensemble's run, its CSV, a member's run, raw digits, arrays.
    """
    file = _lock_file(path)
    holder = file.with_suffix(".lock.json")
    files.make_folder(file.parent)
    if path.is_symlink() and not os.access(file.parent, os.W_OK):
        what = f"is a link into {file.parent}, where nothing may be written"
        raise PermissionError(errno.EACCES, what, str(path))
    with _acquired(file, holder, path):
        write_holder(holder)
        try:
            for written in (path, *others):
                # It may be missing until what a killed writer moved aside is put back.
                _clear_leftovers(files.target_of(written, strict=False))
                files.target_of(written)
            yield
        finally:
            remove_holder(holder)


def wait_for(path: Path) -> None:
    """Wait until nobody holds the lock of ``path``: for those who only want to read there.

    Where nobody ever held it, or the reader may not write, there is nothing to wait for.
    """
    if _lock_file(path).exists():
        with contextlib.suppress(OSError), locked(path):
            pass


def _lock_file(path: Path) -> Path:
    target = files.target_of(path, strict=False)
    return target.parent / f".{target.name}.lock"


@contextlib.contextmanager
def _acquired(file: Path, holder: Path, path: Path) -> Iterator[None]:
    """Hold the operating system's lock of a file, and tell the user whom he has to wait for."""
    import filelock  # noqa: PLC0415  (only stages lock; the command line starts without it)

    place = threading.get_ident(), file.resolve()
    if place in _held:  # it would wait for itself
        raise PipelineError(
            f"{path} is also another folder of this command's, by way of a link",
            remedy="Let each link lead to a folder of its own.",
        )
    # What it would fall back to are files that outlive their process.
    lock = filelock.FileLock(file, fallback_to_soft=False)
    try:
        try:
            lock.acquire(timeout=_MOMENT_SECONDS)
        except filelock.Timeout:
            reporter().line(
                f"{name_holder(holder)} is working on {path}; waiting for it to finish."
            )
            lock.acquire()
    except (NotImplementedError, OSError) as error:
        if isinstance(error, OSError) and error.errno not in _NO_LOCKS:
            raise
        raise PipelineError(
            f"{file} cannot be locked: its file system has no locks",
            remedy="Keep the artefacts on another disk: DATA=/elsewhere/data "
            "SUBMISSIONS=/elsewhere/submissions",
        ) from None
    _held.add(place)
    try:
        yield
    finally:
        _held.remove(place)
        lock.release()


def _clear_leftovers(path: Path) -> None:
    """Remove temporary files and folders of a writer that was killed; its lock is ours now."""
    beside = re.escape(path.name)
    for aside in _leftovers(path.parent, beside, "old"):
        if path.exists():
            _remove(aside)
        else:  # killed in the instant between moving the old folder aside and the new one in
            aside.replace(path)
    for temporary in [*_leftovers(path.parent, beside, "tmp"), *_leftovers(path, ".+", "tmp")]:
        _remove(temporary)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def _leftovers(folder: Path, name: str, suffix: str) -> list[Path]:
    """Find what tempfile named in a folder; name: a regular expression."""
    pattern = re.compile(rf"\.{name}\.[a-z0-9_]{{8}}\.{suffix}")
    return [path for path in folder.glob(".*") if pattern.fullmatch(path.name)]


@dataclass(frozen=True)
class Holder:
    """A process that holds a lock.

    command: what the user typed, as far as it matters.  host: the machine's name.
    since: when it got the lock, local time in ISO format with the offset.
    """

    command: str
    process: int
    host: str
    since: str

    @property
    def is_gone(self) -> bool:
        """Whether there is certainly no such process; of another machine nothing is certain."""
        if self.host != socket.gethostname():
            return False
        try:
            os.kill(self.process, 0)
        except ProcessLookupError:
            return True
        except OSError:  # another user's
            return False
        return False

    @property
    def text(self) -> str:
        """The holder in a few words: make train (process 1234, since 10:42)."""
        since = datetime.fromisoformat(self.since).astimezone()
        today = since.date() == datetime.now().astimezone().date()
        where = "" if self.host == socket.gethostname() else f" on {self.host}"
        time = since.strftime("%H:%M" if today else "%Y-%m-%d %H:%M")
        return f"{self.command} (process {self.process}{where}, since {time})"


def write_holder(path: Path) -> None:
    """Write who this process is; a disk that is full, or another user's file, stops nothing."""
    now = datetime.now().astimezone().isoformat(timespec="seconds")
    holder = Holder(_command(), os.getpid(), socket.gethostname(), now)
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)
        path.write_text(json.dumps(asdict(holder)), encoding="utf-8")


def remove_holder(path: Path) -> None:
    """Remove what ``write_holder`` wrote."""
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)


def name_holder(path: Path) -> str:
    """Return who wrote the file, "Another command" where it does not tell or cannot be true."""
    holder = _read(path)
    return UNKNOWN if holder is None or holder.is_gone else holder.text


def _read(path: Path) -> Holder | None:
    try:
        with path.open("rb") as stream:
            value = json.loads(stream.read(_LONGEST))
        return _checked(value)
    except (OSError, ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return None


def _checked(value: Any) -> Holder:
    """Raises what ``_read`` takes for an unknown holder if this is none that can be shown."""
    holder = Holder(value["command"], value["process"], value["host"], value["since"])
    for text in (holder.command, holder.host):
        # It goes to a terminal, and the file may be anyone's.
        if not (isinstance(text, str) and text.isprintable() and 0 < len(text) <= 100):
            raise ValueError(text)
    if type(holder.process) is not int or not 0 < holder.process < 2**31:
        raise ValueError(holder.process)
    if datetime.fromisoformat(holder.since).tzinfo is None or not holder.text:
        raise ValueError(holder.since)
    return holder


def _command() -> str:
    """What this process was started as: make train, digits train, or another program's name."""
    program, *arguments = sys.argv or [""]
    path = Path(program)
    if arguments and (path.name == "digits" or path.parts[-2:] == ("pipeline", "__main__.py")):
        return f"{'make' if 'MAKELEVEL' in os.environ else 'digits'} {arguments[0]}"
    return "python" if program in ("", "-", "-c", "-m") else path.name
