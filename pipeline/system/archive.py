"""Taking known files out of a zip that somebody else made, without trusting anything in it."""

import errno
import lzma
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from pipeline.system.errors import PipelineError

# The largest file of digits is MNIST's training part as CSV, 110 MB; digits shrink about ninefold.
MAX_MEMBER_BYTES = 1 << 30
MAX_RATIO = 100
RATIO_MATTERS_FROM_BYTES = 16 << 20
# All members together: a zip can hold the same bytes under many names.
MAX_TOTAL_BYTES = 2 << 30
# The list of members, which is read at once: room for some ten thousand of them.
MAX_DIRECTORY_BYTES = 1 << 20
# The end of a zip: its comment, and the records before it.
LONGEST_END_BYTES = (1 << 16) + 98
CHUNK_BYTES = 1 << 20

# All that the standard library raises for damaged or unusual archives, beside BadZipFile.
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    UnicodeDecodeError,
    ValueError,
)


def member_names(path: Path) -> set[str]:
    """Return the file names, without folders, that a zip holds.

    Raises PipelineError if ``path`` is not a zip or any of its members is unsafe.
    """
    with _open(path) as archive:
        return {PurePosixPath(member.filename).name for member in _safe_members(path, archive)}


def check_whole(path: Path) -> None:
    """Read every byte of a zip, without keeping any, and compare the checksums.

    Raises PipelineError if ``path`` is not a zip, is damaged, unsafe or absurdly large.
    """
    with _open(path) as archive:
        members = _safe_members(path, archive)
        for member in members:
            _check_size(path, member)
        if sum(member.file_size for member in members) > MAX_TOTAL_BYTES:
            raise PipelineError(f"{path}: its members would grow to {MAX_TOTAL_BYTES:,} bytes")
        for member in members:
            _read(path, archive, member, None)


def extract_members(
    path: Path, wanted: Sequence[str], into: Path, *, optional: Sequence[str] = ()
) -> list[Path]:
    """Extract the files named ``wanted`` into the folder ``into``, and ``optional`` ones if there.

    The files may lie at the top of the zip or in one folder of it. They are streamed: memory
    stays at a few MB. Each is checked against its declared size and its CRC-32.
    Returns the paths written, in the order of the names.
    Raises PipelineError, with none of the files left in ``into``, if the zip is damaged, unsafe,
    or without one of the wanted files.
    """
    written: list[Path] = []
    try:
        with _open(path) as archive:
            members = _find(path, _safe_members(path, archive), wanted, optional)
            for name, member in members.items():
                written.append(into / name)
                _extract(path, archive, member, into / name)
    except BaseException:
        for file in written:
            file.unlink(missing_ok=True)
        raise
    return written


def _open(path: Path) -> zipfile.ZipFile:
    try:
        if _directory_bytes(path) > MAX_DIRECTORY_BYTES:
            raise PipelineError(f"{path} lists far too many members to be a zip of digits")
        return zipfile.ZipFile(path)
    except FileNotFoundError:
        raise PipelineError(f"{path}: there is no such file") from None
    except OSError as error:
        raise PipelineError(f"{path} cannot be read: {error.strerror}") from None
    except _DAMAGE:
        raise PipelineError(f"{path} {_what_instead(path)}", remedy="Download it again.") from None


def _directory_bytes(path: Path) -> int:
    """How large the list of members is, as the zip's end tells it; 0 if that is not found."""
    with path.open("rb") as stream:
        size = stream.seek(0, os.SEEK_END)
        stream.seek(max(0, size - LONGEST_END_BYTES))
        end = stream.read()
    place = end.rfind(b"PK\5\6")
    if not 0 <= place <= len(end) - 22:
        return 0
    told = int.from_bytes(end[place + 12 : place + 16], "little")
    if told == 0xFFFFFFFF and (larger := end.rfind(b"PK\6\6", 0, place)) >= 0:  # zip64
        told = int.from_bytes(end[larger + 40 : larger + 48], "little")
    return told


def _what_instead(path: Path) -> str:
    with path.open("rb") as stream:
        start = stream.read(512)
    if not start:
        return "is empty, not a zip"
    if start.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        return "is a web page, not a zip"
    if start.startswith(b"PK"):
        return "is a damaged zip, or one that was cut short"
    return "is not a zip"


def _safe_members(path: Path, archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """The archive's files; one unsafe name condemns the archive, wanted or not."""
    members = archive.infolist()
    for member in members:
        name = member.orig_filename
        if not member.filename:
            raise PipelineError(f"{path} is damaged: one of its members has no name")
        parts = PurePosixPath(name.replace("\\", "/")).parts
        if ".." in parts or name.startswith(("/", "\\")) or name[1:2] == ":" or "\0" in name:
            raise PipelineError(
                f"{path}: its member {name!r} points outside of the zip; nothing was extracted"
            )
        if stat.S_ISLNK(member.external_attr >> 16):
            raise PipelineError(f"{path}: its member {name!r} is a link; nothing was extracted")
    return [member for member in members if not member.is_dir()]


def _find(
    path: Path,
    members: Iterable[zipfile.ZipInfo],
    wanted: Sequence[str],
    optional: Sequence[str],
) -> dict[str, zipfile.ZipInfo]:
    """The member of each name, all from one folder, at most one level down."""
    found: dict[str, zipfile.ZipInfo] = {}
    for member in members:
        place = PurePosixPath(member.filename)
        if place.name not in (*wanted, *optional) or len(place.parts) > 2:
            continue
        if place.name in found:
            raise PipelineError(f"{path} holds {place.name} more than once")
        found[place.name] = member
    missing = [name for name in wanted if name not in found]
    if missing:
        raise PipelineError(
            f"{path} does not hold {' and '.join(missing)}",
            remedy="Give the zip of the competition's data, as Kaggle's page offers it.",
        )
    folders = {PurePosixPath(member.filename).parent for member in found.values()}
    if len(folders) > 1:
        raise PipelineError(f"{path} holds {', '.join(found)} in different folders")
    return {name: found[name] for name in (*wanted, *optional) if name in found}


def _check_size(path: Path, member: zipfile.ZipInfo) -> None:
    ratio = member.file_size / max(member.compress_size, 1)
    if member.file_size > MAX_MEMBER_BYTES or (
        member.file_size > RATIO_MATTERS_FROM_BYTES and ratio > MAX_RATIO
    ):
        raise PipelineError(
            f"{path}: its member {member.filename} would grow to {member.file_size:,} bytes, "
            f"{ratio:,.0f} times its size in the zip; that is no file of digits"
        )


def _extract(path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo, file: Path) -> None:
    _check_size(path, member)
    with file.open("wb") as unpacked:
        _read(path, archive, member, unpacked)
    if file.stat().st_size != member.file_size:
        raise PipelineError(
            f"{path} is damaged: its member {member.filename} has {file.stat().st_size:,} bytes "
            f"instead of {member.file_size:,}",
            remedy="Download it again.",
        )


def _read(
    path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo, into: BinaryIO | None
) -> None:
    """Read a member to its end, into a file if there is one."""
    if member.flag_bits & 0x1:
        raise PipelineError(f"{path}: its member {member.filename} is encrypted")
    try:
        # Reading stops at the declared size, and its end compares the CRC-32.
        with archive.open(member) as packed:
            while chunk := packed.read(CHUNK_BYTES):
                if into:
                    into.write(chunk)
    except (*_DAMAGE, OSError) as error:
        # Decoders say so without a number, and a wrong place in the zip is no valid argument.
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise
        raise PipelineError(
            f"{path} is damaged: its member {member.filename} cannot be read ({error})",
            remedy="Download it again.",
        ) from None
