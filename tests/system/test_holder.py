"""Who holds a lock is told where it is certain, and whatever stands in its file does no harm."""

import json
import os
import socket
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pipeline.system.locks import UNKNOWN, name_holder, remove_holder, write_holder

HERE = socket.gethostname()


def now() -> datetime:
    return datetime.now().astimezone()


def written(path: Path, **changes: Any) -> Path:
    """A file as this very process would write it, but for the changes."""
    value = {
        "command": "make train",
        "process": os.getpid(),
        "host": HERE,
        "since": now().isoformat(timespec="seconds"),
    }
    path.write_text(json.dumps(value | changes), encoding="utf-8")
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / ".run.lock.json"


@pytest.mark.parametrize(
    ("argv", "makelevel", "command"),
    [
        (["/here/pipeline/__main__.py", "train", "--force"], None, "digits train"),
        (["/here/pipeline/__main__.py", "train"], "1", "make train"),
        (["/here/bin/digits", "submit"], None, "digits submit"),
        (["/here/pytest/__main__.py", "tests"], "1", "__main__.py"),
        (["/here/my-script.py", "train"], None, "my-script.py"),
        (["-c", "train"], None, "python"),
        ([""], None, "python"),
        ([], None, "python"),
    ],
)
def test_a_process_writes_what_the_user_typed(
    path: Path,
    monkeypatch: pytest.MonkeyPatch,
    argv: list[str],
    makelevel: str | None,
    command: str,
) -> None:
    monkeypatch.setattr(sys, "argv", argv)
    monkeypatch.delenv("MAKELEVEL", raising=False)
    if makelevel:
        monkeypatch.setenv("MAKELEVEL", makelevel)
    write_holder(path)
    since = datetime.fromisoformat(json.loads(path.read_text("utf-8"))["since"])
    assert abs(since - now()) < timedelta(minutes=1)
    assert name_holder(path) == f"{command} (process {os.getpid()}, since {since:%H:%M})"
    remove_holder(path)
    assert not path.exists()


def test_what_an_earlier_holder_left_is_replaced(path: Path) -> None:
    path.write_text("x" * 10_000)
    write_holder(path)
    assert f"(process {os.getpid()}, since " in name_holder(path)


def test_a_holder_that_cannot_be_written_stops_nothing(path: Path) -> None:
    path.mkdir()
    write_holder(path)
    assert name_holder(path) == UNKNOWN
    remove_holder(path)


def test_the_day_is_told_if_it_was_another(path: Path) -> None:
    since = now() - timedelta(days=2)
    text = name_holder(written(path, since=since.isoformat()))
    assert text == f"make train (process {os.getpid()}, since {since:%Y-%m-%d %H:%M})"


def test_another_machine_is_named(path: Path) -> None:
    """Of its processes nothing is known here, not even whether they live."""
    text = name_holder(written(path, host="elsewhere", process=2**31 - 1))
    assert text.startswith(f"make train (process {2**31 - 1} on elsewhere, since ")


def test_a_process_that_is_gone_is_not_named(path: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    assert name_holder(written(path, process=gone.pid)) == UNKNOWN


def test_no_file_names_nobody(path: Path) -> None:
    assert name_holder(path) == UNKNOWN


@pytest.mark.parametrize(
    "content",
    [b"", b'{"command": "make tr', b"[]", b"null", b"7", b"\xff\xfe\x00", b"[" * 5_000, b"{}"],
)
def test_torn_and_foreign_content_names_nobody(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    assert name_holder(path) == UNKNOWN


@pytest.mark.parametrize(
    "changes",
    [
        {"command": "make \x1b[2Jtrain"},
        {"command": "two\nlines"},
        {"command": ""},
        {"command": "x" * 101},
        {"command": 7},
        {"host": "else\x07where"},
        {"host": None},
        {"process": 0},
        {"process": -1},
        {"process": True},
        {"process": 10**30},
        {"process": "1234"},
        {"since": "yesterday"},
        {"since": "2026-01-02T03:04:05"},
        {"since": "0001-01-01T00:00:00+14:00"},
        {"since": 12},
    ],
)
def test_values_that_cannot_be_shown_name_nobody(path: Path, changes: dict[str, Any]) -> None:
    assert name_holder(written(path, **changes)) == UNKNOWN
