"""What is packed in tar, gzip, bzip2 or xz is taken out within bounds, or a line says why not."""

import bz2
import gzip
import io
import lzma
import tarfile
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.system import archive, unpacking
from pipeline.system.errors import PipelineError
from pipeline.system.unpacking import is_packed, unpack
from tests.stress import zips

CONTENT = {"train.csv": b"label\n1\n" * 999, "test.csv": b"pixel0\n7\n" * 999}


@pytest.fixture
def into(tmp_path: Path) -> Path:
    folder = tmp_path / "a" / "b" / "into"
    folder.mkdir(parents=True)
    return folder


def tar(members: dict[str, bytes | tarfile.TarInfo]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as target:
        for name, content in members.items():
            if isinstance(content, tarfile.TarInfo):
                target.addfile(content)
                continue
            member = tarfile.TarInfo(name)
            member.size = len(content)
            target.addfile(member, io.BytesIO(content))
    return stream.getvalue()


def link(name: str, kind: bytes) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, "/etc/passwd"
    return member


def unpacked(path: Path, into: Path, content: bytes) -> dict[str, bytes]:
    path.write_bytes(content)
    unpack(path, into, takes=lambda name: name.endswith(".csv"))
    return {file.name: file.read_bytes() for file in into.iterdir()}


def refusal(path: Path, into: Path, content: bytes) -> str:
    with pytest.raises(PipelineError) as caught:
        unpacked(path, into, content)
    assert "\n" not in caught.value.message
    return caught.value.message.replace(str(path), "FILE")


@pytest.mark.parametrize("compress", [bytes, gzip.compress, bz2.compress, lzma.compress])
def test_a_tar_in_any_compression(
    tmp_path: Path, into: Path, compress: Callable[[bytes], bytes]
) -> None:
    inside = {f"digits/deep/{name}": content for name, content in CONTENT.items()}
    content = compress(tar({**inside, "readme.txt": b"hello"}))
    assert unpacked(tmp_path / "digits.tgz", into, content) == CONTENT
    assert is_packed(tmp_path / "digits.tgz")


@pytest.mark.parametrize(
    ("end", "compress"), [("gz", gzip.compress), ("bz2", bz2.compress), ("xz", lzma.compress)]
)
def test_a_single_file(
    tmp_path: Path, into: Path, end: str, compress: Callable[[bytes], bytes]
) -> None:
    content = CONTENT["train.csv"]
    found = unpacked(tmp_path / f"train.csv.{end}", into, compress(content))
    assert found == {"train.csv": content}
    assert unpacked(tmp_path / "test.csv", into, compress(content)) == {
        **found,
        "test.csv": content,
    }


def test_a_zip(tmp_path: Path, into: Path) -> None:
    assert unpacked(tmp_path / "a.zip", into, zips.packed(CONTENT)) == CONTENT


def test_text_is_not_packed(tmp_path: Path, into: Path) -> None:
    assert refusal(tmp_path / "a.csv", into, b"label,pixel0\n") == "FILE is not a zip"
    assert not is_packed(tmp_path / "a.csv")


@pytest.mark.parametrize("name", ["../../{}", "/tmp/{}", "x/../../../{}"])
def test_a_name_leads_nowhere_but_into_the_folder(tmp_path: Path, into: Path, name: str) -> None:
    before = {path for path in tmp_path.rglob("*") if path != into}
    content = tar({name.format(file): content for file, content in CONTENT.items()})
    assert unpacked(tmp_path / "a.tar", into, content) == CONTENT
    written = {into / file for file in CONTENT} | {into, tmp_path / "a.tar"}
    assert set(tmp_path.rglob("*")) == before | written


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_what_is_no_file_is_left_out(tmp_path: Path, into: Path, kind: bytes) -> None:
    content = tar({"x": link("train.csv", kind), "test.csv": b"1"})
    assert unpacked(tmp_path / "a.tar", into, content) == {"test.csv": b"1"}


def test_a_link_to_a_folder_is_not_written_through(tmp_path: Path, into: Path) -> None:
    elsewhere = link("out", tarfile.SYMTYPE)
    elsewhere.linkname = str(tmp_path)
    content = tar({"x": elsewhere, "out/train.csv": b"1"})
    assert unpacked(tmp_path / "a.tar", into, content) == {"train.csv": b"1"}
    assert not (tmp_path / "train.csv").exists()


def test_a_file_twice(tmp_path: Path, into: Path) -> None:
    content = tar({"a/train.csv": b"1", "b/train.csv": b"2"})
    told = refusal(tmp_path / "a.tar", into, content)
    assert told == "FILE cannot be unpacked: it holds train.csv more than once"


@pytest.mark.parametrize("end", ["gz", "tar.gz", "tar"])
def test_what_is_cut_short(tmp_path: Path, into: Path, end: str) -> None:
    whole = tar(dict(CONTENT)) if "tar" in end else CONTENT["train.csv"]
    content = whole[:4_000] if end == "tar" else gzip.compress(whole)[:-12]
    told = refusal(tmp_path / f"train.csv.{end}", into, content)
    assert told.startswith("FILE cannot be unpacked: ")


def test_bombs_are_refused(tmp_path: Path, into: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacking, "MAX_BYTES", 1 << 20)
    monkeypatch.setattr(unpacking, "MOST_MEMBERS", 50)
    bomb = gzip.compress(bytes(64 << 20), compresslevel=1)
    told = refusal(tmp_path / "train.csv.gz", into, bomb)
    assert told == "FILE would grow beyond 1,048,576 bytes; that is no file of digits"
    sparse = tarfile.TarInfo("train.csv")
    sparse.size = 1 << 40
    for content in (
        tar({"x": sparse}),
        tar({str(number): b"" for number in range(60)}),
    ):
        told = refusal(tmp_path / "a.tar", into, content)
        assert told.startswith(
            "FILE cannot be unpacked: it is far too large, or lists far too many"
        )


def test_what_is_told_of_members_does_not_fill_the_memory(tmp_path: Path, into: Path) -> None:
    """An extended header of a tar is read at once."""
    header = tarfile.TarInfo("x")
    header.type, header.size = tarfile.XHDTYPE, 32 << 20
    path = tmp_path / "a.tar"
    data = header.tobuf() + bytes(32 << 20)
    tracemalloc.start()
    try:
        told = refusal(path, into, data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert told.startswith("FILE cannot be unpacked: it lists far too many")
    assert peak < 2 * archive.MAX_LIST_BYTES
