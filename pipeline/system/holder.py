"""Who holds a lock: written beside it by the holder, read by whoever has to wait.

It is only for people. Whether a lock is held is known to the operating system alone, so whatever
stands in such a file, half a line or another program's text, changes no more than the message.
"""

import contextlib
import json
import os
import socket
import sys
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

UNKNOWN = "Another command"
_LONGEST = 2_000  # bytes of the file, of which ours needs a tenth


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
