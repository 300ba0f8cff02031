"""Python imports this at its start; it kills the process at the n-th change of a file, or send.

STRIKE_AT, such as files:17, says when: before that one of its steps.
STRIKE_COUNT names a file into which a process that ends by itself writes how many steps it made.
"""

import atexit
import json
import os
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

# Python tells of these before it does them.
_CHANGES = {
    *("os.chmod", "os.link", "os.mkdir", "os.remove", "os.rename", "os.rmdir"),
    *("os.truncate", "os.utime", "shutil.rmtree"),
}
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT

_kind, _, _number = os.environ.get("STRIKE_AT", ":0").partition(":")
_steps = {"files": 0, "sockets": 0}


def _step(kind: str) -> None:
    _steps[kind] += 1
    if kind == _kind and _steps[kind] == int(_number):
        os.kill(os.getpid(), signal.SIGKILL)


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    changes = event in _CHANGES or (event == "open" and arguments[2] & _WRITING)
    # What is compiled is no artefact, and it is there the second time.
    if changes and ".pyc" not in str(arguments[0]):
        _step("files")


def _stepping(kind: str, function: Callable[..., Any]) -> Callable[..., Any]:
    def stepping(*arguments: Any) -> Any:
        _step(kind)
        result = function(*arguments)
        _step(kind)
        return result

    return stepping


def _tell() -> None:
    if path := os.environ.get("STRIKE_COUNT"):
        Path(path).write_text(json.dumps(_steps), encoding="utf-8")


if "STRIKE_AT" in os.environ or "STRIKE_COUNT" in os.environ:
    sys.addaudithook(_watch)
    os.fsync = _stepping("files", os.fsync)
    for _name in ("sendall", "recv_into"):
        setattr(socket.socket, _name, _stepping("sockets", getattr(socket.socket, _name)))
    atexit.register(_tell)
