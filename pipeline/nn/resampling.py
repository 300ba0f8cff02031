"""Images read at displaced places, between the pixels: the one step that all distortions share."""

import functools

import numpy as np

from pipeline.nn.arrays import Array

# Images resampled together: few enough that all that is in between stays in a core's own cache.
IMAGES_AT_ONCE = 32


def resample(images: Array, displacements: Array, margin: int = 0) -> Array:
    """Return images (N, H, W) float32 whose pixel (i, j) is the given one's value at (i, j) + d.

    images: (N, H, W) float32.  displacements: (N, 2, pixels) float32, rows then columns.
    margin: so many pixels at each side are left off, of what is returned and of displacements.

    Between pixels the value is bilinear; outside of the image it is 0. A displacement by whole
    pixels copies them bit for bit.
    """
    count, height, width = images.shape
    resampled = np.empty((count, height - 2 * margin, width - 2 * margin), np.float32)
    for start in range(0, len(images), IMAGES_AT_ONCE):
        block = slice(start, start + IMAGES_AT_ONCE)
        _resample_block(images[block], displacements[block], margin, resampled[block])
    return resampled


def _resample_block(images: Array, displacements: Array, margin: int, out: Array) -> None:
    count, height, width = images.shape
    # One row and column of zeros before the image and two after it: all that lies outside is read
    # from there, and so are the neighbours that get the weight 0.
    stride = width + 3
    padded = np.zeros((count, height + 3, stride), np.float32)
    padded[:, 1 : height + 1, 1 : width + 1] = images
    rows = _places(displacements[:, 0], 0, out.shape[1:], margin, height)
    columns = _places(displacements[:, 1], 1, out.shape[1:], margin, width)
    whole_rows, whole_columns = np.floor(rows), np.floor(columns)
    rows -= whole_rows
    columns -= whole_columns
    # Whole numbers below 2^24 are exact in float32.
    whole_rows *= stride
    whole_rows += whole_columns
    whole_rows += (np.arange(count, dtype=np.float32) * padded[0].size)[:, np.newaxis]
    places = whole_rows.astype(np.intp)

    def corner(offset: int) -> Array:
        return padded.ravel()[offset:].take(places, mode="clip")

    upper = _between(corner(0), corner(1), columns)
    lower = _between(corner(stride), corner(stride + 1), columns)
    out[...] = _between(upper, lower, rows).reshape(out.shape)


def _places(
    displacement: Array, axis: int, shape: tuple[int, ...], margin: int, size: int
) -> Array:
    """Where to read along one axis, counted from the row or column of zeros before the image."""
    own, first, last = _limits(axis, shape, margin, size)
    places: Array = displacement + own
    # Beside arrays, NumPy's minimum and maximum take a fifth of the time of its clip.
    np.maximum(places, first, out=places)
    return np.minimum(places, last, out=places)


@functools.cache
def _limits(axis: int, shape: tuple[int, ...], margin: int, size: int) -> tuple[Array, ...]:
    """For each pixel: its own place, the first one and the last one that are read."""
    own = np.indices(shape, np.float32)[axis].ravel() + np.float32(margin + 1)
    return own, np.zeros_like(own), np.full_like(own, size + 1)


def _between(first: Array, second: Array, share: Array) -> Array:
    """first + share * (second - first), written into ``second``; exactly first at share 0."""
    second -= first
    second *= share
    second += first
    return second
