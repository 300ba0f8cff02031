"""A reader sees the old file or the new one; a killed writer leaves nothing that stays."""

import errno
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline.recipes.file import RecipeFile
from pipeline.system import files, locks
from pipeline.system.errors import PipelineError, explain
from tests.disk import Disk


def names(folder: Path) -> set[str]:
    """All but the locks, and who holds them."""
    found = {path.name for path in folder.iterdir()}
    return {name for name in found if not name.endswith((".lock", ".lock.json"))}


@pytest.fixture
def _umask() -> Iterator[None]:
    before = os.umask(0o027)
    yield
    os.umask(before)


# ---- files and folders, whole or not at all ----------------------------------------------------
def test_a_failing_write_leaves_the_old_file_and_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "model.npz"
    path.write_bytes(b"old")
    with pytest.raises(RuntimeError), files.atomic_write(path) as stream:
        stream.write(b"new, but not all")
        raise RuntimeError
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == {"model.npz"}


def test_the_old_file_stands_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "model.npz"
    path.write_bytes(b"old")
    with files.atomic_write(path) as stream:
        stream.write(b"new")
        stream.flush()
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert names(tmp_path) == {"model.npz"}


def test_a_folder_that_is_not_there_is_made(tmp_path: Path) -> None:
    files.write_text(tmp_path / "a" / "b" / "c.txt", "é\n")
    assert (tmp_path / "a" / "b" / "c.txt").read_bytes() == "é\n".encode()


@pytest.mark.usefixtures("_umask")
def test_files_and_folders_get_the_mode_that_the_umask_asks_for(tmp_path: Path) -> None:
    files.write_text(tmp_path / "file", "")
    with files.atomic_folder(tmp_path / "folder"):
        pass
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o640
    assert (tmp_path / "folder").stat().st_mode & 0o777 == 0o750


def test_a_folder_is_replaced_as_a_whole(tmp_path: Path) -> None:
    folder = tmp_path / "raw"
    with files.atomic_folder(folder) as new:
        (new / "old.csv").touch()
    with files.atomic_folder(folder) as new:
        (new / "new.csv").touch()
        assert names(folder) == {"old.csv"}
    assert names(folder) == {"new.csv"}
    assert names(tmp_path) == {"raw"}


def test_a_folder_that_fails_to_fill_leaves_the_old_one(tmp_path: Path) -> None:
    folder = tmp_path / "raw"
    with files.atomic_folder(folder) as new:
        (new / "old.csv").touch()
    with pytest.raises(RuntimeError), files.atomic_folder(folder) as new:
        (new / "new.csv").touch()
        raise RuntimeError
    assert names(folder) == {"old.csv"}
    assert names(tmp_path) == {"raw"}


# ---- links -------------------------------------------------------------------------------------
@pytest.fixture
def away(tmp_path: Path) -> Iterator[Path]:
    """A folder on another disk, where this machine has one."""
    memory = Path("/dev/shm")
    writable = memory.is_dir() and os.access(memory, os.W_OK)
    with tempfile.TemporaryDirectory(dir=memory if writable else tmp_path) as folder:
        yield Path(folder)


def test_a_file_is_written_to_where_its_link_leads(tmp_path: Path, away: Path) -> None:
    (away / "real.jsonl").write_text("old", encoding="utf-8")
    hop, link = tmp_path / "hop", tmp_path / "ledger.jsonl"
    hop.symlink_to(away / "real.jsonl")
    link.symlink_to("hop")
    files.write_text(link, "new")
    assert link.is_symlink()
    assert (away / "real.jsonl").read_text(encoding="utf-8") == "new"
    assert names(tmp_path) == {"hop", "ledger.jsonl"}
    assert names(away) == {"real.jsonl"}


def test_a_folder_is_replaced_where_its_link_leads(tmp_path: Path, away: Path) -> None:
    link = tmp_path / "practice"
    link.symlink_to(away / "real")
    (away / "real").mkdir()
    contents = [link / "train.csv", link / "test.csv", link / "manifest.json"]
    for written in (["train.csv", "manifest.json"], ["test.csv", "manifest.json"]):
        with files.atomic_folder(link, contents=contents) as new:
            for name in written:
                (new / name).touch()
        assert names(link) == set(written)
    assert link.is_symlink()
    assert names(away) == {"real"}


@pytest.mark.parametrize(
    "there", [["photo.jpg"], ["train.csv"], ["train.csv", "manifest.json", "photo.jpg"]]
)
def test_what_a_link_leads_to_is_not_removed_if_it_was_not_made_here(
    tmp_path: Path, there: list[str]
) -> None:
    mine, link = tmp_path / "mine", tmp_path / "practice"
    mine.mkdir()
    for name in there:
        (mine / name).touch()
    link.symlink_to(mine)
    contents = [link / "train.csv", link / "manifest.json"]
    with pytest.raises(PipelineError) as caught, files.atomic_folder(link, contents=contents):
        pytest.fail("it began to fill the folder")
    foreign = "train.csv" if there == ["train.csv"] else "photo.jpg"
    assert caught.value.message == (
        f"{link} is a link to {mine}, which holds what no stage put there: {foreign}"
    )
    assert names(mine) == set(there)
    assert names(tmp_path) == {"mine", "practice"}


LEADS_NOWHERE = {
    "to nothing": lambda link: link.symlink_to("nothing"),
    "to a disk that is not mounted": lambda link: link.symlink_to("/nonexistent/disk/x"),
    "in a circle": lambda link: link.symlink_to(link.name),
}


@pytest.mark.parametrize("make", LEADS_NOWHERE.values(), ids=LEADS_NOWHERE)
def test_a_link_that_leads_nowhere_is_refused(tmp_path: Path, make: Callable[[Path], None]) -> None:
    link = tmp_path / "link"
    make(link)
    for attempt in (
        lambda: files.write_text(link, "new"),
        lambda: files.write_text(link / "below" / "it", "new"),
        lambda: files.atomic_folder(link).__enter__(),
        lambda: locks.locked(link).__enter__(),
    ):
        with pytest.raises(PipelineError) as caught:
            attempt()
        assert caught.value.message == (
            f"{link} is a link to {link.readlink()}, which leads nowhere"
        )
    assert names(tmp_path) == {"link"}


@pytest.mark.parametrize("kind", ["itself", "a link to it"])
def test_a_file_in_the_place_of_a_folder_is_named(tmp_path: Path, kind: str) -> None:
    place = tmp_path / "place"
    file = place if kind == "itself" else tmp_path / "file"
    file.write_text("mine", encoding="utf-8")
    if file != place:
        place.symlink_to(file)
    for attempt in (
        lambda: files.write_text(place / "x" / "y", "new"),
        lambda: files.atomic_folder(place).__enter__(),
    ):
        with pytest.raises(PipelineError) as caught:
            attempt()
        assert str(caught.value) == (
            f"{place} is no folder\nMove it away; then the same command makes one."
        )
    assert file.read_text(encoding="utf-8") == "mine"


def test_a_disk_that_is_mounted_in_a_folder_s_place_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "practice"
    folder.mkdir()

    def busy(path: Path, target: Path) -> None:
        raise OSError(errno.EBUSY, "Device or resource busy", str(path), None, str(target))

    monkeypatch.setattr(Path, "replace", busy)
    with pytest.raises(OSError, match="busy") as caught, files.atomic_folder(folder):
        pass
    assert explain(caught.value) == (
        f"{folder}: Device or resource busy",
        "A disk may be mounted there: mount it a folder higher, or link to a folder on it.",
    )
    assert names(tmp_path) == {"practice"}


def test_a_link_to_a_device_is_no_place_for_a_file(tmp_path: Path) -> None:
    link = tmp_path / "history.csv"
    os.mkfifo(tmp_path / "pipe")  # root would replace /dev/null itself
    link.symlink_to("pipe")
    with pytest.raises(PipelineError, match=r"history\.csv is a link to .*pipe, which is no file"):
        files.write_text(link, "new")
    assert (tmp_path / "pipe").is_fifo()


# ---- what a power cut leaves -------------------------------------------------------------------
def test_what_is_written_is_on_the_disk_before_it_gets_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(monkeypatch)
    files.write_text(tmp_path / "a" / "b" / "model.npz", "x")
    disk.assert_names_are_there()
    for folder in (tmp_path, tmp_path / "a", tmp_path / "a" / "b"):
        assert disk.has(folder)
    with files.atomic_folder(tmp_path / "processed") as new:
        (new / "folds").mkdir()
        (new / "folds" / "split.npy").write_bytes(b"x")
        (new / "train_images.npy").write_bytes(b"x")
    disk.assert_names_are_there()


# ---- JSON --------------------------------------------------------------------------------------
def test_json_comes_back_as_it_was(tmp_path: Path) -> None:
    value = {"name": "Übung", "rows": [1, 2.5, None], "ok": True}
    files.write_json(tmp_path / "record.json", value)
    assert files.read_json(tmp_path / "record.json") == value


UNBOUNDED = {
    "nested": b'{"a": ' + b"[" * 50_000 + b"]" * 50_000 + b"}",
    "nested less": b'{"a": ' + b"[" * 100 + b"]" * 100 + b"}",
    "digits": b'{"a": ' + b"9" * 5_000 + b"}",
    "bits": b'{"a": 18446744073709551616}',
    "no number": b'{"a": NaN}',
    "a key twice": b'{"a": {"b": 1, "c": 2, "b": 1}}',
    "infinity": b'{"a": -Infinity}',
    "half a letter": b'{"a": ["\\ud800"]}',
    "NUL": b'{"a": "\\u0000"}',
    "key": b'{"\\udfff": 1}',
}


@pytest.mark.parametrize("content", UNBOUNDED.values(), ids=UNBOUNDED)
def test_json_that_nothing_could_be_done_with_is_damaged(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "record.json"
    path.write_bytes(content)
    with pytest.raises(PipelineError, match="is damaged"):
        files.read_json(path)


@pytest.mark.parametrize(
    "content",
    [
        b"a = " + b"[" * 3_000 + b"]" * 3_000,
        b"a" + b".a" * 3_000 + b" = 1",
        b"a = " + b"9" * 5_000,
        b"a = 0x" + b"f" * 5_000,
        b"a = 18446744073709551616",
        b'a = "\\u0000"',
        b"a = \xff",
    ],
)
def test_toml_beyond_its_limits_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "recipe.toml"
    path.write_bytes(content)
    with pytest.raises(PipelineError, match=r"recipe\.toml: not valid TOML"):
        RecipeFile(path).values()


def test_a_home_that_there_is_not() -> None:
    with pytest.raises(PipelineError, match=r"~nobody-of-that-name/x\.zip: there is no such home"):
        files.expand("~nobody-of-that-name/x.zip")


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b'"text"', b"\xff\xfe", b'{"a": 1} x'])
def test_damaged_json_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "record.json"
    path.write_bytes(content)
    with pytest.raises(PipelineError) as caught:
        files.read_json(path)
    assert caught.value.message.startswith(f"{path} is damaged, ")
    assert "\n" not in caught.value.message
    assert "Delete it" in caught.value.remedy


def test_nan_is_not_json(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        files.write_json(tmp_path / "record.json", {"loss": float("nan")})
    assert names(tmp_path) == set()


def test_a_checksum_is_that_of_the_content(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    # The SHA-256 of nothing, as FIPS 180 has it.
    expected = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert files.sha256(tmp_path / "empty") == expected


# ---- what a killed writer leaves behind --------------------------------------------------------
KILLED_IN = {
    "file": """
with files.atomic_write(folder / "model.npz") as stream:
    stream.write(b"half")
    stream.flush()
    os.kill(os.getpid(), signal.SIGKILL)
""",
    "filling": """
with files.atomic_folder(folder, contents=[folder / "manifest.json"]) as new:
    (new / "train.csv").write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
""",
    # In the instant between moving the old folder aside and the new one into its place.
    "replacing": """
replace = Path.replace
def aside_and_die(self, target):
    replace(self, target)
    os.kill(os.getpid(), signal.SIGKILL)
Path.replace = aside_and_die
with files.atomic_folder(folder, contents=[folder / "manifest.json"]) as new:
    (new / "train.csv").write_text("new")
""",
    # In the instant after that, before the old folder is removed.
    "removing": """
import shutil
shutil.rmtree = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
with files.atomic_folder(folder, contents=[folder / "manifest.json"]) as new:
    (new / "manifest.json").write_text("new")
""",
}


@pytest.mark.parametrize("name", ["practice", "link"])
@pytest.mark.parametrize("instant", list(KILLED_IN))
def test_the_next_lock_clears_up_after_a_kill(tmp_path: Path, instant: str, name: str) -> None:
    disk = tmp_path / "disk"
    folder = disk / "practice"
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text("old")
    (disk / "link").symlink_to("practice")
    other = disk / "practice.other-1a2b3c"  # of a name that begins alike
    other.mkdir()
    theirs = disk / ".practice.other-1a2b3c.abcdefgh.tmp"
    theirs.mkdir()
    others = {"link", "practice", other.name, theirs.name}
    start = "import os, signal, sys\nfrom pathlib import Path\nfrom pipeline.system import files\n"
    code = f"{start}folder = Path(sys.argv[1])\n{KILLED_IN[instant]}"
    killed = subprocess.run([sys.executable, "-c", code, str(disk / name)], check=False)
    assert killed.returncode == -signal.SIGKILL
    left = names(disk) | names(folder) if folder.exists() else names(disk)
    assert left != {*others, "manifest.json"}, "nothing to clear up"
    with locks.locked(disk / name):
        assert names(disk) == others
        assert names(folder) == {"manifest.json"}
        expected = "new" if instant == "removing" else "old"
        assert (folder / "manifest.json").read_text() == expected


def test_files_elsewhere_are_cleared_up_with_the_lock_that_guards_them(tmp_path: Path) -> None:
    csv = tmp_path / "submissions" / "run.csv"
    csv.parent.mkdir()
    for name in (".run.csv.0123abcd.tmp", ".mlp.csv.0123abcd.tmp", "notes.tmp", ".run.csv.tmp"):
        (csv.parent / name).touch()
    with locks.locked(tmp_path / "runs" / "run", csv):
        # Another run's file may be in the making, and the others are none of ours.
        assert names(csv.parent) == {".mlp.csv.0123abcd.tmp", "notes.tmp", ".run.csv.tmp"}
