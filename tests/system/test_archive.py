"""Zips that are whole are unpacked; any other stops with one line."""

import tracemalloc
import zipfile
from pathlib import Path

import pytest

from pipeline.system.archive import check_whole, extract, extract_members
from pipeline.system.errors import PipelineError
from tests.stress import zips

WANTED = ("train.csv", "test.csv")
CONTENT = {"train.csv": b"label\n1\n", "test.csv": b"pixel0\n7\n"}


def make_zip(
    path: Path, members: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED
) -> Path:
    with zipfile.ZipFile(path, "w", compression) as target:
        for name, content in members.items():
            target.writestr(name, content)
    return path


@pytest.fixture
def into(tmp_path: Path) -> Path:
    folder = tmp_path / "into"
    folder.mkdir()
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def refusal(path: Path, into: Path) -> str:
    with pytest.raises(PipelineError) as caught:
        extract_members(path, WANTED, into)
    assert "\n" not in caught.value.message
    return caught.value.message.replace(str(path), "ZIP")


def test_wanted_members_are_extracted_and_others_are_not(tmp_path: Path, into: Path) -> None:
    path = make_zip(tmp_path / "a.zip", {**CONTENT, "readme.txt": b"hello"})
    assert extract_members(path, WANTED, into) == [into / "train.csv", into / "test.csv"]
    assert contents(into) == CONTENT


def test_folders_inside_and_a_mac_s_shadow_files_are_fine(tmp_path: Path, into: Path) -> None:
    members = {f"digit-recognizer/{name}": content for name, content in CONTENT.items()}
    path = make_zip(tmp_path / "a.zip", {**members, "__MACOSX/._train.csv": b"junk"})
    extract_members(path, WANTED, into)
    assert contents(into) == CONTENT


def test_all_members_that_are_taken_are_extracted(tmp_path: Path, into: Path) -> None:
    extract(
        make_zip(tmp_path / "a.zip", {**CONTENT, "a/more.txt": b"x"}),
        into,
        takes=lambda name: "t.csv" in name or name == "more.txt",
    )
    assert contents(into) == {"test.csv": CONTENT["test.csv"], "more.txt": b"x"}


@pytest.mark.parametrize(
    "name",
    ["../{}", "a/../../{}", "/etc/{}", "..\\evil.csv", "C:\\evil.csv", "../../evil.csv", "x\0y"],
)
def test_a_name_leads_nowhere_but_into_the_folder(tmp_path: Path, into: Path, name: str) -> None:
    members = {name.format("train.csv"): b"1", "test.csv": b"2", "train.csv/": b""}
    if "{}" not in name:
        members["train.csv"] = b"1"
    outer = {path.name for path in tmp_path.iterdir()} | {"a.zip"}
    extract_members(make_zip(tmp_path / "a.zip", members), WANTED, into)
    assert contents(into) == {"train.csv": b"1", "test.csv": b"2"}
    assert {path.name for path in tmp_path.iterdir()} == outer


def test_a_link_is_unpacked_as_the_text_that_it_is(tmp_path: Path, into: Path) -> None:
    path = make_zip(tmp_path / "a.zip", {"train.csv": b"1"})
    link = zipfile.ZipInfo("test.csv")
    link.create_system, link.external_attr = 3, zips.SYMBOLIC_LINK
    with zipfile.ZipFile(path, "a") as target:
        target.writestr(link, "/etc/passwd")
    extract_members(path, WANTED, into)
    assert not (into / "test.csv").is_symlink()
    assert contents(into)["test.csv"] == b"/etc/passwd"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "ZIP is empty, not a zip"),
        (b"  <!DOCTYPE html><html>Sign in</html>", "ZIP is a web page, not a zip"),
        (b"label,pixel0\n", "ZIP is not a zip"),
        (b"PK\x03\x04 and no more", "ZIP cannot be unpacked: File is not a zip file"),
        (zips.packed(CONTENT)[:-30], "ZIP cannot be unpacked: File is not a zip file"),
        (zips.packed({"other.csv": b"x"}), "ZIP does not hold train.csv and test.csv"),
        (zips.packed({"a/b/train.csv": b"x"}), "ZIP does not hold test.csv"),
        (zips.twice(), "ZIP holds train.csv more than once"),
        (zips.packed({**CONTENT, "old/train.csv": b"x"}), "ZIP holds train.csv more than once"),
    ],
)
def test_what_is_no_zip_of_digits_is_named(
    tmp_path: Path, into: Path, content: bytes, expected: str
) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(content)
    assert refusal(path, into) == expected


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (zips.truthful_bomb(), "ZIP would grow to 10,737,418,240 bytes"),
        (zips.overlapping_bomb(200), "ZIP would grow to 3,145,728,000 bytes"),
        (zips.million_entries(30_000), "ZIP cannot be unpacked: it lists far too many members"),
        (zips.encrypted(), "ZIP cannot be unpacked: .*encrypted"),
        (zips.with_method(77), "ZIP cannot be unpacked: .*compression"),
    ],
    ids=["10 GB", "overlapping", "many", "encrypted", "compression"],
)
@pytest.mark.parametrize("way", ["checked", "extracted"])
def test_a_hostile_zip_is_refused(
    tmp_path: Path, into: Path, content: bytes, expected: str, way: str
) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(content)
    with pytest.raises(PipelineError, match=expected.replace("ZIP", str(path))) as caught:
        check_whole(path) if way == "checked" else extract_members(path, ["train.csv"], into)
    assert "\n" not in caught.value.message


def test_a_member_grows_no_further_than_it_says(tmp_path: Path, into: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(zips.lying_bomb())
    extract_members(path, ["train.csv"], into)
    assert contents(into) == {"train.csv": bytes(1_000)}


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_damaged_member_is_found(tmp_path: Path, into: Path, compression: int) -> None:
    """Each decoder has errors of its own; one raises an OSError, which is none of the disk."""
    content = {name: text * 100 for name, text in CONTENT.items()}
    path = make_zip(tmp_path / "a.zip", content, compression)
    data = bytearray(path.read_bytes())
    data[60:66] = bytes(6)
    path.write_bytes(data)
    assert refusal(path, into).startswith("ZIP cannot be unpacked: ")
    with pytest.raises(PipelineError, match="cannot be unpacked"):
        check_whole(path)


def test_a_full_disk_is_no_damage(
    tmp_path: Path, into: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pipeline.system.archive.shutil.copyfileobj", full)
    with pytest.raises(OSError, match="No space left"):
        extract_members(make_zip(tmp_path / "a.zip", CONTENT), WANTED, into)


def test_a_large_member_is_streamed(tmp_path: Path, into: Path) -> None:
    path = make_zip(tmp_path / "a.zip", {**CONTENT, "train.csv": bytes(12 << 20)})
    tracemalloc.start()
    try:
        extract_members(path, WANTED, into)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (into / "train.csv").stat().st_size == 12 << 20
    assert peak < 6 << 20


def test_of_two_members_of_one_name_both_are_read(tmp_path: Path) -> None:
    data = bytearray(zips.twice())
    data[42:46] = bytes(4)  # behind the first header
    path = tmp_path / "a.zip"
    path.write_bytes(data)
    with pytest.raises(PipelineError, match="cannot be unpacked"):
        check_whole(path)


@pytest.mark.parametrize("content", [zips.packed(zips.digits()), zips.zip64()])
def test_a_sound_zip_is_whole(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(content)
    check_whole(path)
