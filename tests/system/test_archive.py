"""Zips that are whole are unpacked; any other stops with one line and leaves nothing."""

import stat
import tracemalloc
import zipfile
from pathlib import Path

import pytest

from pipeline.system import archive
from pipeline.system.archive import check_whole, extract_members, member_names
from pipeline.system.errors import PipelineError
from tests.stress import zips

WANTED = ("train.csv", "test.csv")
CONTENT = {"train.csv": b"label\n1\n", "test.csv": b"pixel0\n7\n"}


def make_zip(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        for name, content in members.items():
            target.writestr(name, content)
    return path


@pytest.fixture
def into(tmp_path: Path) -> Path:
    folder = tmp_path / "into"
    folder.mkdir()
    return folder


def refusal(path: Path, into: Path) -> str:
    with pytest.raises(PipelineError) as caught:
        extract_members(path, WANTED, into)
    assert list(into.iterdir()) == []
    assert "\n" not in caught.value.message
    return caught.value.message.replace(str(path), "ZIP")


def test_wanted_members_are_extracted_and_others_are_not(tmp_path: Path, into: Path) -> None:
    path = make_zip(tmp_path / "a.zip", {**CONTENT, "readme.txt": b"hello"})
    assert extract_members(path, WANTED, into) == [into / "train.csv", into / "test.csv"]
    assert {file.name: file.read_bytes() for file in into.iterdir()} == CONTENT
    assert member_names(path) == {*WANTED, "readme.txt"}


def test_one_folder_inside_and_a_mac_s_shadow_files_are_fine(tmp_path: Path, into: Path) -> None:
    members = {f"digit-recognizer/{name}": content for name, content in CONTENT.items()}
    path = make_zip(tmp_path / "a.zip", {**members, "__MACOSX/._train.csv": b"junk"})
    extract_members(path, WANTED, into)
    assert {file.name: file.read_bytes() for file in into.iterdir()} == CONTENT


def test_optional_members_are_taken_if_there(tmp_path: Path, into: Path) -> None:
    path = make_zip(tmp_path / "a.zip", {**CONTENT, "sample.csv": b"x"})
    files = extract_members(path, WANTED, into, optional=["sample.csv", "other.csv"])
    assert [file.name for file in files] == ["train.csv", "test.csv", "sample.csv"]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "ZIP is empty, not a zip"),
        (b"  <!DOCTYPE html><html>Sign in</html>", "ZIP is a web page, not a zip"),
        (b"label,pixel0\n", "ZIP is not a zip"),
        (b"PK\x03\x04 and no more", "ZIP is a damaged zip, or one that was cut short"),
    ],
)
def test_what_is_no_zip_is_named(tmp_path: Path, into: Path, content: bytes, expected: str) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(content)
    assert refusal(path, into) == expected


def test_a_zip_that_does_not_exist(tmp_path: Path, into: Path) -> None:
    assert refusal(tmp_path / "none.zip", into) == "ZIP: there is no such file"


def test_a_zip_cut_short(tmp_path: Path, into: Path) -> None:
    path = make_zip(tmp_path / "a.zip", CONTENT)
    path.write_bytes(path.read_bytes()[:-30])
    assert refusal(path, into) == "ZIP is a damaged zip, or one that was cut short"


def test_missing_members_are_named(tmp_path: Path, into: Path) -> None:
    path = make_zip(tmp_path / "a.zip", {"other.csv": b"x"})
    assert refusal(path, into) == "ZIP does not hold train.csv and test.csv"
    path = make_zip(tmp_path / "b.zip", {"train.csv": b"x", "deep/er/test.csv": b"x"})
    assert refusal(path, into) == "ZIP does not hold test.csv"


@pytest.mark.parametrize(
    "name",
    ["../evil.csv", "a/../../evil.csv", "/etc/evil.csv", "..\\evil.csv", "C:\\evil.csv", "\\x"],
)
def test_a_path_that_climbs_out_condemns_the_zip(tmp_path: Path, into: Path, name: str) -> None:
    path = make_zip(tmp_path / "a.zip", {**CONTENT, name: b"x"})
    expected = f"ZIP: its member {name!r} points outside of the zip; nothing was extracted"
    assert refusal(path, into) == expected
    with pytest.raises(PipelineError):
        member_names(path)


def test_a_link_condemns_the_zip(tmp_path: Path, into: Path) -> None:
    path = make_zip(tmp_path / "a.zip", {"train.csv": b"1"})
    link = zipfile.ZipInfo("test.csv")
    link.create_system = 3
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(path, "a") as target:
        target.writestr(link, "/etc/passwd")
    assert refusal(path, into) == "ZIP: its member 'test.csv' is a link; nothing was extracted"


def test_two_files_of_one_name(tmp_path: Path, into: Path) -> None:
    path = make_zip(tmp_path / "a.zip", {**CONTENT, "old/train.csv": b"x"})
    assert refusal(path, into) == "ZIP holds train.csv more than once"


def test_files_from_different_folders_are_not_mixed(tmp_path: Path, into: Path) -> None:
    path = make_zip(tmp_path / "a.zip", {"train.csv": b"x", "old/test.csv": b"x"})
    assert refusal(path, into) == "ZIP holds train.csv, test.csv in different folders"


def test_an_encrypted_member(tmp_path: Path, into: Path) -> None:
    path = make_zip(tmp_path / "a.zip", CONTENT)
    data = bytearray(path.read_bytes())
    central = data.rindex(b"PK\x01\x02")
    data[central + 8] |= 1
    path.write_bytes(bytes(data))
    assert refusal(path, into) == "ZIP: its member test.csv is encrypted"


def test_a_flipped_bit_is_found_and_files_before_it_are_taken_back(
    tmp_path: Path, into: Path
) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as target:
        for name, content in CONTENT.items():
            target.writestr(name, content)
    data = path.read_bytes()
    path.write_bytes(data.replace(CONTENT["test.csv"], b"pixel0\n8\n"))
    message = refusal(path, into)
    assert message.startswith("ZIP is damaged: its member test.csv cannot be read (Bad CRC-32")


def test_a_member_that_would_grow_absurdly(
    tmp_path: Path, into: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_zip(tmp_path / "a.zip", {**CONTENT, "test.csv": bytes(100_000)})
    extract_members(path, WANTED, into)  # a small file may be as empty as it likes
    for file in into.iterdir():
        file.unlink()
    monkeypatch.setattr(archive, "RATIO_MATTERS_FROM_BYTES", 50_000)
    assert refusal(path, into).startswith("ZIP: its member test.csv would grow to 100,000 bytes, 8")
    monkeypatch.setattr(archive, "RATIO_MATTERS_FROM_BYTES", 1 << 30)
    monkeypatch.setattr(archive, "MAX_MEMBER_BYTES", 99_999)
    assert "that is no file of digits" in refusal(path, into)


@pytest.mark.parametrize("lie", [50, 200_000])
def test_a_member_that_lies_about_its_size(tmp_path: Path, into: Path, lie: int) -> None:
    path = make_zip(tmp_path / "a.zip", {"train.csv": b"1", "test.csv": bytes(100_000)})
    data = bytearray(path.read_bytes())
    central = data.rindex(b"PK\x01\x02")
    data[central + 24 : central + 28] = lie.to_bytes(4, "little")
    path.write_bytes(bytes(data))
    assert refusal(path, into).startswith("ZIP is damaged: its member test.csv")


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


def test_a_member_without_a_name(tmp_path: Path, into: Path) -> None:
    path = make_zip(tmp_path / "digits.zip", {**CONTENT, "x": b"1"})
    data = bytearray(path.read_bytes())
    data[data.rindex(b"x")] = 0  # the reader cuts a name at such a byte
    path.write_bytes(data)
    assert refusal(path, into) == "ZIP is damaged: one of its members has no name"


def test_a_damaged_bzip2_member(tmp_path: Path, into: Path) -> None:
    """Its decoder raises an OSError, which is none of the disk."""
    path = tmp_path / "digits.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_BZIP2) as target:
        for name, content in CONTENT.items():
            target.writestr(name, content * 100)
    data = bytearray(path.read_bytes())
    start = data.index(b"BZh") + 4
    data[start : start + 6] = bytes(6)
    path.write_bytes(data)
    assert refusal(path, into).startswith("ZIP is damaged: its member train.csv cannot be read")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (zips.truthful_bomb(), "ZIP: its member train.csv would grow to 10,737,418,240 bytes"),
        (zips.overlapping_bomb(200), "ZIP: its members would grow to"),
        (zips.million_entries(30_000), "ZIP lists far too many members"),
        (zips.encrypted(), "ZIP: its member train.csv is encrypted"),
        (zips.with_method(77), "ZIP is damaged: its member train.csv cannot be read"),
        (zips.with_name("..\\evil.csv"), "ZIP: its member '..\\\\evil.csv' points outside"),
    ],
    ids=["10 GB", "overlapping", "many", "encrypted", "compression", "climbing"],
)
def test_reading_all_of_a_hostile_zip_is_refused(
    tmp_path: Path, content: bytes, expected: str
) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(content)
    with pytest.raises(PipelineError) as caught:
        check_whole(path)
    assert caught.value.message.replace(str(path), "ZIP").startswith(expected)


@pytest.mark.parametrize("content", [zips.packed(zips.digits()), zips.zip64()])
def test_a_sound_zip_is_whole(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(content)
    check_whole(path)
