"""Locks between commands, and who is said to hold one."""

import errno
import json
import os
import re
import signal
import socket
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pipeline.system import locks
from pipeline.system.errors import PipelineError, explain
from pipeline.system.locks import UNKNOWN, name_holder, remove_holder, write_holder
from pipeline.system.reporter import listening
from tests.listeners import Lines, heard_by

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


# ---- locks -------------------------------------------------------------------------------------
HOLD = """
import sys
from pathlib import Path
from pipeline.system import locks
from pipeline.system.reporter import Reporter, listening
class Printing(Reporter):
    def line(self, text):
        print(text, flush=True)
with listening(Printing()), locks.locked(Path(sys.argv[1])):
    print("got it", flush=True)
    sys.stdin.read()
"""


class HolderProcess:
    """Another process that takes the lock and holds it until its standard input ends."""

    def __init__(self, folder: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", HOLD, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def says(self) -> str:
        assert self.process.stdout
        return self.process.stdout.readline().strip()

    def end(self) -> None:
        self.process.communicate("", timeout=20)


def test_the_second_process_waits_and_says_so(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    first = HolderProcess(folder)
    assert first.says() == "got it"
    second = HolderProcess(folder)
    said = second.says()
    assert re.fullmatch(
        rf"python \(process {first.process.pid}, since \d\d:\d\d\) is working on "
        rf"{re.escape(str(folder))}; waiting for it to finish\.",
        said,
    )
    first.end()
    assert second.says() == "got it"
    second.end()
    assert [path.name for path in tmp_path.iterdir()] == [".run.lock"]


def test_the_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    holder = HolderProcess(folder)
    assert holder.says() == "got it"
    holder.process.send_signal(signal.SIGKILL)
    holder.end()
    assert (tmp_path / ".run.lock.json").exists()
    lines: list[str] = []
    with listening(Lines(lines.append)), locks.locked(folder):
        pass
    assert lines == []
    assert [path.name for path in tmp_path.iterdir()] == [".run.lock"]


def test_who_waits_for_a_process_that_is_killed_goes_on_at_once(tmp_path: Path) -> None:
    first = HolderProcess(tmp_path / "run")
    assert first.says() == "got it"
    second = HolderProcess(tmp_path / "run")
    assert "is working on" in second.says()
    first.process.send_signal(signal.SIGKILL)
    first.end()
    assert second.says() == "got it"
    second.end()


def test_a_reader_waits_for_the_writer_and_writes_nothing(tmp_path: Path) -> None:
    lines: list[str] = []
    heard_by(lines.append, locks.wait_for, tmp_path / "run")
    assert list(tmp_path.iterdir()) == []
    holder = HolderProcess(tmp_path / "run")
    assert holder.says() == "got it"

    def stop_waiting(line: str) -> None:
        lines.append(line)
        holder.process.kill()

    heard_by(stop_waiting, locks.wait_for, tmp_path / "run")
    assert len(lines) == 1
    holder.end()


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("fcntl.flock", refuse)
    with pytest.raises(PipelineError) as caught, locks.locked(tmp_path / "run"):
        pass
    assert str(tmp_path / ".run.lock") in caught.value.message
    assert "DATA=" in caught.value.remedy


def test_another_failure_of_a_lock_is_told_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("fcntl.flock", refuse)
    with pytest.raises(OSError, match="Input/output"), locks.locked(tmp_path / "run"):
        pass


def test_the_lock_is_free_after_a_failure(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), locks.locked(tmp_path / "run"):
        raise RuntimeError
    lines: list[str] = []
    with listening(Lines(lines.append)), locks.locked(tmp_path / "run"):
        pass
    assert lines == []


# ---- links -------------------------------------------------------------------------------------
@pytest.mark.parametrize(("first", "second"), [("link", "run"), ("run", "link")])
def test_a_lock_is_the_same_by_either_name(tmp_path: Path, first: str, second: str) -> None:
    (tmp_path / "disk" / "run").mkdir(parents=True)
    (tmp_path / "disk" / "link").symlink_to(tmp_path / "disk" / "run")
    holder = HolderProcess(tmp_path / "disk" / first)
    assert holder.says() == "got it"
    waiting = HolderProcess(tmp_path / "disk" / second)
    assert f" is working on {tmp_path / 'disk' / second}; waiting" in waiting.says()
    holder.end()
    assert waiting.says() == "got it"
    waiting.end()
    assert [path.name for path in (tmp_path / "disk").glob(".*")] == [".run.lock"]


def test_who_would_wait_for_itself_is_told(tmp_path: Path) -> None:
    raw, processed = tmp_path / "raw", tmp_path / "processed"
    (raw / "practice").mkdir(parents=True)
    processed.symlink_to(raw)
    with locks.locked(raw / "practice"):
        with pytest.raises(PipelineError) as caught, locks.locked(processed / "practice"):
            pass
        assert caught.value.message == (
            f"{processed}/practice is also another folder of this command's, by way of a link"
        )
    with locks.locked(processed / "practice"):
        pass


def test_a_link_that_was_moved_aside_is_cleared_up(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk" / "mine").touch()
    (tmp_path / "raw").mkdir()
    (tmp_path / ".raw.abcdefgh.old").symlink_to("disk")
    with locks.locked(tmp_path / "raw"):
        assert not (tmp_path / ".raw.abcdefgh.old").is_symlink()
    assert (tmp_path / "disk" / "mine").exists()


def test_a_link_into_a_folder_of_another_s_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "theirs" / "run").mkdir(parents=True)
    link = tmp_path / "run"
    link.symlink_to(tmp_path / "theirs" / "run")
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write anywhere
    with pytest.raises(PermissionError) as caught, locks.locked(link):
        pass
    what, remedy = explain(caught.value)
    assert what == f"{link}: is a link into {tmp_path}/theirs, where nothing may be written"
    assert "permission" in remedy
    locks.wait_for(link)  # who only reads does without
