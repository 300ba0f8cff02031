"""What a user may see of a failure: what is wrong, where, and what to do about it."""

import errno
from pathlib import Path

from pipeline.system.text import as_message


class PipelineError(Exception):
    """A failure that a user caused or can mend; the command line prints it without a traceback.

    message: what is wrong and in which file, in one line whatever it quotes.
    remedy: the command or address that mends it.
    """

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.message = as_message(message)
        self.remedy = "\n".join(as_message(line) for line in remedy.split("\n"))

    def __str__(self) -> str:
        return f"{self.message}\n{self.remedy}" if self.remedy else self.message


_SPACE = "Free some space; then the same command goes on."
_PERMISSION = "Give yourself the permission, or name other folders: DATA=... SUBMISSIONS=..."
_NAME = "Choose a shorter one: RUN=... for a run, DATA=... and SUBMISSIONS=... for the folders."
_FILES = "Allow more open files (ulimit -n 1024); then the same command goes on."
_DISK = "The disk may be failing: save what is on it; then try the same command again."
_MOUNT = "A disk may be mounted there: mount it a folder higher, or link to a folder on it."
_MEMORY = "Close other programs, or allow it more memory; then the same command goes on."
_PROCESSES = "End some, or allow more (ulimit -u); then the same command goes on."

_REMEDIES = {
    errno.ENOSPC: _SPACE,
    errno.EDQUOT: _SPACE,
    errno.EFBIG: "Allow larger files (ulimit -f unlimited); then the same command goes on.",
    errno.EACCES: _PERMISSION,
    errno.EPERM: _PERMISSION,
    errno.EROFS: _PERMISSION,
    errno.ENAMETOOLONG: _NAME,
    errno.EBUSY: _MOUNT,
    errno.ENOTDIR: "A file is in the place of a folder: move it away.",
    errno.EMFILE: _FILES,
    errno.ENFILE: _FILES,
    errno.EIO: _DISK,
    errno.ENOMEM: _MEMORY,
    errno.EAGAIN: _PROCESSES,
}
NO_MEMORY = ("There is not enough memory for this", _MEMORY)
NO_THREADS = ("The system lets this user start no more processes", _PROCESSES)


def explain(error: OSError) -> tuple[str, str]:
    """Return what the system refused, with the file where it names one, and what to do about it.

    The second text is empty where there is nothing better to say than the first.
    """
    if error.errno == errno.EAGAIN:
        return NO_THREADS
    # Of a file that is put into another's place, the place is what the user knows.
    name = error.filename2 or error.filename
    where = f"{name}: " if name not in (None, "") else ""
    return f"{where}{error.strerror or error}", _REMEDIES.get(error.errno or 0, "")


def raise_if_refused(error: BaseException, path: Path) -> None:
    """Raise the error again if it is the machine that refused to read the file at ``path``.

    The file may well be sound then; what else goes wrong in reading says that it is damaged.
    """
    if isinstance(error, OSError) and error.errno in _REMEDIES:
        error.filename = error.filename or str(path)
        raise error
