"""Zips that somebody made to do harm, written by hand where no library would write them."""

import io
import struct
import zipfile
import zlib
from collections.abc import Callable, Mapping

FILES = ("train.csv", "test.csv", "sample_submission.csv")
GIGABYTE = 1 << 30
SYMBOLIC_LINK = 0o120777 << 16


def packed(members: Mapping[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A proper zip, the same bytes at any time."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content, compression)
    return stream.getvalue()


def digits(content: bytes = b"label,pixel0\n" * 99) -> dict[str, bytes]:
    return dict.fromkeys(FILES, content)


def with_name(name: str) -> bytes:
    """The three files, and a member whose name was meant for somewhere else."""
    long_enough = "x" * len(name.encode())
    whole = packed(digits() | {long_enough: b"pwned"})
    return whole.replace(long_enough.encode(), name.encode())


def with_link() -> bytes:
    stream = io.BytesIO(packed(digits()))
    with zipfile.ZipFile(stream, "a") as archive:
        link = zipfile.ZipInfo("data")
        link.create_system, link.external_attr = 3, SYMBOLIC_LINK
        archive.writestr(link, "/etc")
    return stream.getvalue()


def encrypted() -> bytes:
    """The bit that says so is set in every header."""
    whole = bytearray(packed(digits()))
    for mark, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        place = whole.find(mark)
        while place >= 0:
            whole[place + offset] |= 1
            place = whole.find(mark, place + 4)
    return bytes(whole)


def with_method(method: int) -> bytes:
    """Compressed in a way that does not exist."""
    whole = bytearray(packed(digits()))
    for mark, offset in ((b"PK\3\4", 8), (b"PK\1\2", 10)):
        place = whole.find(mark)
        while place >= 0:
            struct.pack_into("<H", whole, place + offset, method)
            place = whole.find(mark, place + 4)
    return bytes(whole)


def twice() -> bytes:
    """Two members of one name."""
    return packed(digits() | {"other.csv": b"label\n1\n"}).replace(b"other.csv", b"train.csv")


def nested() -> bytes:
    return packed({"digit-recognizer.zip": packed(digits())}, zipfile.ZIP_STORED)


def truthful_bomb(size: int = 10 * GIGABYTE) -> bytes:
    """A train.csv that says itself that it grows to ``size`` bytes, in the fields of zip64."""
    content = _zeros(1 << 24)
    extra = struct.pack("<HHQQ", 1, 16, size, len(content))
    return _by_hand([(b"train.csv", content, 0xFFFFFFFF, 0xFFFFFFFF, extra)])


def lying_bomb(blocks: int = 64) -> bytes:
    """A train.csv that says that it has 1,000 bytes, and unpacks to 16 MB for each block."""
    content = _zeros(1 << 24, blocks)
    return _by_hand([(b"train.csv", content, 1_000, len(content), b"")])


def overlapping_bomb(members: int = 5_000) -> bytes:
    """Members that all are the same 16 MB of zeros in the zip: together 80 GB."""
    content = _zeros(15 << 20)
    return _by_hand([(b"train.csv", content, 15 << 20, len(content), b"")], copies=members)


def million_entries(entries: int = 1_000_000) -> bytes:
    """A directory of a million names, all of one small file."""
    return _by_hand([(b"a%05d.csv", b"", 0, 0, b"")], copies=entries)


def zip64() -> bytes:
    """A proper zip that says everything in the fields of zip64, as some programs do."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in digits().items():
            with archive.open(zipfile.ZipInfo(name), "w", force_zip64=True) as member:
                member.write(content)
    return stream.getvalue()


def _zeros(size: int, blocks: int = 1) -> bytes:
    """Deflated zeros, ``blocks`` times ``size`` of them."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = packer.compress(bytes(size)) + packer.flush(zlib.Z_FULL_FLUSH)
    return block * blocks + packer.flush()


def _by_hand(members: list[tuple[bytes, bytes, int, int, bytes]], copies: int = 1) -> bytes:
    """A zip of (name, packed bytes, size as told, packed size as told, extra field).

    copies: so often each member stands in the directory, under other names.
    """
    body, directory = b"", []
    for name, content, size, packed_size, extra in members:
        method = 8 if content else 0
        checksum = zlib.crc32(bytes(size)) if size < GIGABYTE else 0
        common = struct.pack("<HHHHHLLL", 20, 0, method, 0, 0x21, checksum, packed_size, size)
        start = len(body)
        first = name % 0 if b"%" in name else name
        body += b"PK\3\4" + common + struct.pack("<HH", len(first), len(extra)) + first + extra
        body += content
        for number in range(copies):
            called = name % (number % 100_000) if b"%" in name else name
            tail = struct.pack("<HHHHHLL", len(called), len(extra), 0, 0, 0, 0, start)
            directory.append(b"PK\1\2" + struct.pack("<H", 20) + common + tail + called + extra)
    whole = b"".join(directory)
    count = min(len(directory), 0xFFFF)
    end = struct.pack("<HHHHLLH", 0, 0, count, count, len(whole), len(body), 0)
    return body + whole + b"PK\5\6" + end


HOSTILE: dict[str, Callable[[], bytes]] = {
    "member named ../../evil.csv": lambda: with_name("../../evil.csv"),
    "member named /etc/evil.csv": lambda: with_name("/etc/evil.csv"),
    "member named ..\\evil.csv": lambda: with_name("..\\evil.csv"),
    "member named C:\\evil.csv": lambda: with_name("C:\\evil.csv"),
    "member that is a symbolic link": with_link,
    "encrypted members": encrypted,
    "unknown compression": lambda: with_method(77),
    "train.csv twice": twice,
    "zip in the zip": nested,
    "member of 10 GB of zeros": truthful_bomb,
    "member that lies about its size": lying_bomb,
    "5,000 overlapping members of 15 MB": overlapping_bomb,
    "a million entries": million_entries,
}
