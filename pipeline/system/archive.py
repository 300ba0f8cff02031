"""Taking known files out of a zip that somebody else made, without trusting anything in it."""

import errno
import io
import lzma
import shutil
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from pipeline.system.errors import PipelineError
from pipeline.system.formats import kind_of

# All members together. The largest zip of digits is MNIST's, with 128 MB.
MAX_BYTES = 1 << 30
# The list of members: room for some ten thousand of them.
MAX_LIST_BYTES = 1 << 20
CHUNK_BYTES = 1 << 20

# All that the standard library raises for damaged or unusual archives. Decoders raise OSErrors
# without a number; a wrong place in the zip is no valid argument.
DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error),
    *(EOFError, RuntimeError, ValueError, OSError),
)


class BoundedReader(io.BufferedReader):
    """An archive's bytes. What is told of its members is read at once, and all else in chunks."""

    def read(self, size: int | None = -1) -> bytes:
        """Read so many bytes. Raises ValueError for more than any sound archive asks for."""
        if size is not None and size > MAX_LIST_BYTES:
            raise ValueError("it lists far too many members")
        return super().read(size)


def check_whole(path: Path) -> None:
    """Read every byte of a zip, without keeping any, and compare the checksums.

    Raises PipelineError if ``path`` is not a zip, is damaged or absurdly large.
    """
    with _open(path) as archive:
        for member in archive.infolist():  # testzip() would open the last one of a name
            with archive.open(member) as packed:
                while packed.read(CHUNK_BYTES):
                    pass


def extract_members(path: Path, wanted: Sequence[str], into: Path) -> list[Path]:
    """Extract the files named ``wanted`` into the folder ``into``, and return their paths.

    Raises PipelineError like ``extract``, and if one of them is not there.
    """
    extract(path, into, takes=wanted.__contains__, wanted=wanted)
    return [into / name for name in wanted]


def extract(
    path: Path, into: Path, *, takes: Callable[[str], bool], wanted: Sequence[str] = ()
) -> None:
    """Extract the files whose names are taken into the folder ``into``.

    They may lie anywhere in the zip. They are streamed, and each is checked against its CRC-32.
    takes: is given the last part of each name.  wanted: names that must be there.
    Raises PipelineError if the zip is damaged, absurdly large, has a name twice or a wanted one
    not at all; some of the files may be in ``into`` then.
    """
    found: dict[str, zipfile.ZipInfo] = {}
    with _open(path) as archive:
        for member in archive.infolist():
            # Whatever place its name leads to: the last part is one of ours, or it is not taken.
            name = PurePosixPath(member.filename).name
            if takes(name) and not member.is_dir():
                if name in found:
                    raise PipelineError(f"{path} holds {name} more than once")
                found[name] = member
        if missing := [name for name in wanted if name not in found]:
            raise PipelineError(
                f"{path} does not hold {' and '.join(missing)}",
                remedy="Give the zip of the competition's data, as Kaggle's page offers it.",
            )
        for name, member in found.items():
            with archive.open(member) as packed, (into / name).open("wb") as unpacked:
                shutil.copyfileobj(packed, unpacked, CHUNK_BYTES)


@contextmanager
def _open(path: Path) -> Iterator[zipfile.ZipFile]:
    """A zip of a reasonable size; its faults, also those that show up later, in one line."""
    try:
        with BoundedReader(io.FileIO(path)) as stream, zipfile.ZipFile(stream) as archive:
            # zipfile reads no member further than to the size that the list tells.
            size = sum(member.file_size for member in archive.infolist())
            if size > MAX_BYTES:
                raise PipelineError(
                    f"{path} would grow to {size:,} bytes; that is no zip of digits"
                )
            yield archive
    except DAMAGE as error:
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise
        with path.open("rb") as packed:
            start = packed.read(512)
        what = f"cannot be unpacked: {str(error) or type(error).__name__}"
        remedy = "It may have been cut short: download it again."
        if not start.startswith(b"PK"):
            kind = kind_of(start)
            what = f"is {kind}, not a zip" if kind else "is not a zip"
            if kind and kind.endswith("archive"):
                remedy = "Unpack it, and give the folder."
        raise PipelineError(f"{path} {what}", remedy=remedy) from None
