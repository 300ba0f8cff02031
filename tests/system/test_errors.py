"""What a message quotes never moves the cursor, adds lines, or fills the screen."""

import errno
import os
from pathlib import Path

import numpy as np
import pytest

from pipeline.system import files
from pipeline.system.array_files import save_array
from pipeline.system.errors import PipelineError, explain, raise_if_refused
from pipeline.training.checkpoint import load_checkpoint, save_checkpoint


@pytest.mark.parametrize(
    ("quoted", "shown"),
    [
        ("\x1b[31mred", "\\x1b[31mred"),
        ("two\nlines\r", "two\\nlines\\r"),
        ("\ud800", "\\ud800"),
        ("a\u202eb", "a\\u202eb"),
        ("ÿ é ✓ 日本\u3000語\xa0x", "ÿ é ✓ 日本\u3000語\xa0x"),
    ],
)
def test_a_message_is_one_line_of_plain_letters(quoted: str, shown: str) -> None:
    assert PipelineError(f"bad: {quoted}").message == f"bad: {shown}"


def test_a_remedy_keeps_its_lines() -> None:
    assert PipelineError("bad", remedy="first\n  second\t").remedy == "first\n  second\\t"


def test_a_long_message_keeps_its_start_and_its_end() -> None:
    message = PipelineError(f"file: {'x' * 9_000} the end").message
    assert len(message) < 1_010
    assert message.startswith("file: xxx") and message.endswith("the end")


def refusal(number: int, *names: str | None) -> OSError:
    return OSError(number, os.strerror(number), *names)


@pytest.mark.parametrize(
    ("error", "message", "remedy"),
    [
        (refusal(errno.ENOSPC, "data/x"), "data/x: No space left on device", "Free some space"),
        (refusal(errno.EROFS, "data"), "data: Read-only file system", "other folders: DATA="),
        (refusal(errno.EMFILE), "Too many open files", "ulimit -n"),
        (refusal(errno.EFBIG, "a"), "a: File too large", "ulimit -f"),
        (refusal(errno.EAGAIN), "The system lets this user start no more processes", "ulimit -u"),
        (refusal(errno.ENOENT, "a"), "a: No such file or directory", ""),
        (OSError("strange"), "strange", ""),
    ],
)
def test_refusals_in_plain_words(error: OSError, message: str, remedy: str) -> None:
    said, advice = explain(error)
    assert said == message
    assert remedy in advice
    assert bool(remedy) == bool(advice)


def test_of_two_files_the_one_that_was_to_be_is_named() -> None:
    error = OSError(errno.EXDEV, "Invalid cross-device link", ".x.tmp", None, "x")
    assert explain(error)[0] == "x: Invalid cross-device link"


def test_what_the_machine_refuses_is_no_damage(tmp_path: Path) -> None:
    path = tmp_path / "model.npz"
    with pytest.raises(OSError, match="Input/output error") as caught:
        raise_if_refused(refusal(errno.EIO), path)
    assert caught.value.filename == str(path)
    raise_if_refused(refusal(errno.EINVAL), path)  # as of an impossible place in the file
    raise_if_refused(ValueError("cut short"), path)


def test_a_checkpoint_that_the_disk_does_not_give_is_not_called_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "checkpoint.npz"
    save_checkpoint(path, {}, {"vector": np.zeros(3, np.float32)})

    def fail(*_: object, **__: object) -> None:
        raise refusal(errno.EIO)

    monkeypatch.setattr(np, "load", fail)
    with pytest.raises(OSError, match="Input/output error") as caught:
        load_checkpoint(path)
    assert caught.value.filename == str(path)
    path.write_bytes(b"cut")
    with pytest.raises(PipelineError, match="is damaged"):
        load_checkpoint(path)


def test_a_full_disk_is_told_with_the_file_and_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "labels.npy"
    save_array(path, np.arange(3))

    def full(_: int) -> None:
        raise refusal(errno.ENOSPC)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left") as caught:
        save_array(path, np.arange(4))
    assert caught.value.filename == str(path)
    assert np.array_equal(np.load(path), np.arange(3))
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_in_the_making_is_called_by_its_name_to_be(tmp_path: Path) -> None:
    folder = tmp_path / "practice"
    with (
        pytest.raises(OSError, match="No space left") as caught,
        files.atomic_folder(folder) as new,
    ):
        raise refusal(errno.ENOSPC, str(new / "train.csv"))
    assert caught.value.filename == str(folder / "train.csv")
