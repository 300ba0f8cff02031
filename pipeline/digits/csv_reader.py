"""CSV files of digits as arrays: every number as the file says, or one line telling what is wrong.

A file is read in blocks of a few hundred rows, so memory is bounded, and two files can be read on
two threads.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from pipeline.digits.header import LONGEST_LINE_BYTES, PIXELS, SIDE_PIXELS, read_header
from pipeline.digits.rows import parse_exactly, parse_quickly, too_long
from pipeline.system.errors import PipelineError

# Raised when what is read from a file changes: what was made with another version is made again.
VERSION = 1

# Large enough that the array operations on a block outweigh their calls, small enough for caches.
BLOCK_BYTES = 1 << 19


def read_blocks(
    path: Path, *, labelled: bool, saw: Callable[[bytes], object]
) -> Iterator[tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]]:
    """Yield images and labels, some hundred rows at a time, in their order.

    Images are (n, 28, 28) uint8; labels (n,) uint8, 0 to 9, and of length 0 if the file has none.
    labelled: whether a label stands before the 784 pixels of each row.
    saw: called with the file's bytes, one piece after the other.
    Raises PipelineError naming file, line and column, when it comes to what is not as it must be.
    """
    is_empty = True
    with _open(path) as stream:
        header, columns = read_header(stream, str(path), labelled=labelled)
        saw(header)
        for first_line, block in _blocks(stream, str(path), saw):
            rows = parse_quickly(block, columns)
            if rows is None:
                rows = parse_exactly(block, columns, name=str(path), first_line=first_line)
            is_empty = False
            images = rows[:, -PIXELS:].reshape(-1, SIDE_PIXELS, SIDE_PIXELS)
            yield images, rows[:, :-PIXELS].ravel()
    if is_empty:
        raise PipelineError(f"{path} has no rows below its header")


def count_rows(path: Path, *, labelled: bool, name: str) -> int:
    """Check the header and return how many lines follow it; their numbers are not looked at.

    name: what messages call the file.
    Raises PipelineError if the header is not as it must be or nothing follows it.
    """
    with _open(path) as stream:
        read_header(stream, name, labelled=labelled)
        rows, end = 0, b"\n"
        while chunk := stream.read(BLOCK_BYTES):
            rows += chunk.count(b"\n")
            end = chunk[-1:]
    rows += end != b"\n"
    if not rows:
        raise PipelineError(f"{name} has no rows below its header")
    return rows


def _open(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise PipelineError(f"{path} cannot be read: {error.strerror}") from None


def _blocks(
    stream: BinaryIO, name: str, saw: Callable[[bytes], object]
) -> Iterator[tuple[int, bytes]]:
    """Yield the rest of the file in complete lines, with the number of the first of them.

    Only the last line of the last block may lack its line feed.  saw: called with all bytes read.
    """
    line, rest = 2, b""
    while chunk := stream.read(BLOCK_BYTES):
        saw(chunk)
        cut = chunk.rfind(b"\n") + 1
        if cut:
            block = rest + chunk[:cut]
            if b"\r\r" not in block:  # which is no line end, and is left to be refused
                block = block.replace(b"\r\n", b"\n")
            yield line, block
            line += block.count(b"\n")
            rest = b""
        rest += chunk[cut:]
        if len(rest) > LONGEST_LINE_BYTES:
            raise too_long(rest, f"{name}, line {line:,}")
    if rest:
        yield line, rest
