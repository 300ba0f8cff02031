"""From uint8 images, perhaps memory-mapped, to float32 batches in a seeded order."""

from collections.abc import Iterator

import numpy as np

from pipeline.nn.initializers import Array

PIXEL_SCALE = np.float32(1.0 / 255.0)


def to_inputs(images: Array) -> Array:
    """Return (N, 28, 28, 1) float32 in [0, 1] for images (N, 28, 28) uint8."""
    inputs = images.astype(np.float32)
    inputs *= PIXEL_SCALE
    return inputs[..., np.newaxis]


def gather(images: Array, rows: Array) -> Array:
    """Return the inputs (len(rows), 28, 28, 1) float32 of these rows.

    images: (N, 28, 28) uint8, or inputs that ``to_inputs`` has made of them already; of those,
    consecutive rows are a view and no copy.
    """
    if images.dtype == np.uint8:
        return to_inputs(images[rows])
    first, last = int(rows[0]), int(rows[-1])
    if last - first + 1 == len(rows) and (np.diff(rows) == 1).all():
        return images[first : last + 1]
    return np.asarray(images[rows])


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
