"""From uint8 images, perhaps memory-mapped, to float32 batches in a seeded order."""

import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.nn.arrays import Array

PIXEL_SCALE = np.float32(1.0 / 255.0)
# A larger mapped file does not come to lie in this process's memory.
MAPPED_BYTES = 64 * 2**20


def to_inputs(images: Array) -> Array:
    """Return (N, 28, 28, 1) float32 in [0, 1] for images (N, 28, 28) uint8."""
    inputs = images.astype(np.float32)
    inputs *= PIXEL_SCALE
    return inputs[..., np.newaxis]


def shift(images: Array, down: int, right: int) -> Array:
    """Return images (N, H, W) or inputs (N, H, W, C) moved by whole pixels, zeros coming in.

    Negative is up and left.  Without a shift, the images themselves.
    """
    if not down and not right:
        return images
    height, width = images.shape[1:3]
    moved = np.zeros_like(images)
    to_rows, from_rows = _overlap(down, height)
    to_columns, from_columns = _overlap(right, width)
    moved[:, to_rows, to_columns] = images[:, from_rows, from_columns]
    return moved


def _overlap(by: int, size: int) -> tuple[slice, slice]:
    """Where to, and where from, a line of ``size`` pixels goes that moves ``by`` so many."""
    return slice(max(by, 0), size + min(by, 0)), slice(max(-by, 0), size - max(by, 0))


def gather(images: Array, rows: Array) -> Array:
    """Return the inputs (len(rows), 28, 28, 1) float32 of these rows.

    images: (N, 28, 28) uint8, or inputs that ``to_inputs`` has made of them already; of those,
    consecutive rows are a view and no copy.
    """
    if images.dtype == np.uint8:
        if images.nbytes > MAPPED_BYTES and _is_whole_map(images):
            return to_inputs(_read_rows(images, rows))
        return to_inputs(images[rows])
    first, last = int(rows[0]), int(rows[-1])
    if last - first + 1 == len(rows) and (np.diff(rows) == 1).all():
        return images[first : last + 1]
    return np.asarray(images[rows])


def _is_whole_map(images: Array) -> bool:
    """Whether this is a mapped file itself, row by row, so that the place of each is known."""
    is_file = isinstance(images, np.memmap) and isinstance(images.base, mmap.mmap)
    return is_file and images.flags.c_contiguous


def _read_rows(images: Any, rows: Array) -> Array:
    """Return images[rows], read from the file instead of through the map.

    Rows in random order touch page after page of the map, until the whole file counts as memory
    of this process. Reading takes about a microsecond a row more.
    """
    found = np.empty((len(rows), *images.shape[1:]), images.dtype)
    size = found[:1].nbytes
    with Path(images.filename).open("rb", buffering=0) as file:
        for place, row in zip(found, rows.tolist(), strict=True):
            file.seek(images.offset + row * size)
            if file.readinto(place) != size:
                raise OSError(f"{images.filename} is shorter than it was")
    return found


def batch_rows(rows: Array, batch_size: int | None, *, rng: np.random.Generator) -> Iterator[Array]:
    """Yield one epoch's batches as row numbers; each row comes exactly once.

    rows: (N,) row numbers.  batch_size: None takes all rows as one batch, in their order, since
    a full batch is the same sum in any order. The last batch may be smaller.
    """
    if batch_size is None:
        yield rows
        return
    order = rng.permutation(rows)
    for start in range(0, len(order), batch_size):
        yield order[start : start + batch_size]


def cut(rows: Array, parts: int) -> list[Array]:
    """Cut a batch into so many parts, as even as can be, in order; some may be empty."""
    return np.array_split(rows, parts)
