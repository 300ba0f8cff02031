"""Files that come packed, told by their first bytes: zip, tar, and a file in gzip, bzip2 or xz."""

import bz2
import gzip
import io
import lzma
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from pipeline.system import archive
from pipeline.system.archive import CHUNK_BYTES, DAMAGE, MAX_BYTES, BoundedReader
from pipeline.system.errors import PipelineError

MOST_MEMBERS = 10_000

_ZIP = b"PK"
_TAR, _TAR_PLACE = b"ustar", 257
_COMPRESSED: dict[bytes, type[gzip.GzipFile | bz2.BZ2File | lzma.LZMAFile]] = {
    b"\x1f\x8b": gzip.GzipFile,
    b"BZh": bz2.BZ2File,
    b"\xfd7zXZ": lzma.LZMAFile,
}
_SUFFIXES = (".gz", ".bz2", ".xz")


def is_packed(path: Path) -> bool:
    """Return whether ``unpack`` knows what the file is packed in."""
    start = _start(path)
    return _is_tar(start) or start.startswith((_ZIP, *_COMPRESSED))


def unpack(path: Path, into: Path, *, takes: Callable[[str], bool]) -> None:
    """Write the files whose names are taken into the folder ``into``, wherever they lie in it.

    A file that is only compressed has its own name, without the .gz at its end.
    takes: is given the last part of each name; so none leads out of ``into``, and links, which
    have no content, are not followed.
    Raises PipelineError if the file is not packed, damaged, absurdly large, or has a name twice;
    some of the files may be in ``into`` then.
    """
    start = _start(path)
    opener = next((open_ for mark, open_ in _COMPRESSED.items() if start.startswith(mark)), None)
    if not opener and not _is_tar(start):
        archive.extract(path, into, takes=takes)
        return
    try:
        if not opener:
            _extract_tar(path, into, takes)
            return
        name = path.stem if path.suffix.lower() in _SUFFIXES else path.name
        plain = into / f".{name}.unpacked"
        with opener(path) as packed, plain.open("wb") as unpacked:
            while chunk := packed.read(CHUNK_BYTES):
                if unpacked.tell() + len(chunk) > MAX_BYTES:
                    raise PipelineError(
                        f"{path} would grow beyond {MAX_BYTES:,} bytes; that is no file of digits"
                    )
                unpacked.write(chunk)
        if _is_tar(_start(plain)):
            _extract_tar(plain, into, takes)
            plain.unlink()
        elif takes(name):
            plain.rename(into / name)
    except (*DAMAGE, tarfile.TarError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise PipelineError(
            f"{path} cannot be unpacked: {str(error) or type(error).__name__}",
            remedy="It may have been cut short: download it again.",
        ) from None


def _extract_tar(path: Path, into: Path, takes: Callable[[str], bool]) -> None:
    size = count = 0
    with BoundedReader(io.FileIO(path)) as stream, tarfile.open(fileobj=stream, mode="r:") as tar:
        for member in tar:
            size, count = size + member.size, count + 1
            if size > MAX_BYTES or count > MOST_MEMBERS:
                raise ValueError("it is far too large, or lists far too many members")
            name = PurePosixPath(member.name).name
            if not takes(name) or not member.isfile():
                continue
            if (into / name).exists():
                raise ValueError(f"it holds {name} more than once")
            packed = tar.extractfile(member)
            assert packed is not None, "a file, and no link"
            with packed, (into / name).open("wb") as unpacked:
                shutil.copyfileobj(packed, unpacked, CHUNK_BYTES)


def _start(path: Path) -> bytes:
    with path.open("rb") as stream:
        return stream.read(512)


def _is_tar(start: bytes) -> bool:
    return start[_TAR_PLACE:].startswith(_TAR)
