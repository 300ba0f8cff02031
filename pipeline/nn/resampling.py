"""Images read at displaced places, between the pixels: the one step that all distortions share."""

import numpy as np

from pipeline.nn.arrays import Array

# Images resampled together: few enough that all that is in between stays in a core's own cache.
IMAGES_AT_ONCE = 32


def resample(images: Array, displacements: Array) -> Array:
    """Return images (N, H, W) float32 whose pixel (i, j) is the given one's value at (i, j) + d.

    images: (N, H, W) float32.  displacements: (N, 2, H * W) float32 in pixels, rows then columns.

    Between pixels the value is bilinear; outside of the image it is 0. A displacement by whole
    pixels copies them bit for bit.
    """
    resampled = np.empty(images.shape, np.float32)
    for start in range(0, len(images), IMAGES_AT_ONCE):
        block = slice(start, start + IMAGES_AT_ONCE)
        _resample_block(images[block], displacements[block], resampled[block])
    return resampled


def _resample_block(images: Array, displacements: Array, out: Array) -> None:
    count, height, width = images.shape
    # One row and column of zeros before the image and two after it: all that lies outside is read
    # from there, and so are the neighbours that get the weight 0.
    stride = width + 3
    padded = np.zeros((count, height + 3, stride), np.float32)
    padded[:, 1 : height + 1, 1 : width + 1] = images
    rows = _places(displacements[:, 0], np.repeat(np.arange(height), width), height)
    columns = _places(displacements[:, 1], np.tile(np.arange(width), height), width)
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
    out[...] = _between(upper, lower, rows).reshape(images.shape)


def _places(displacement: Array, own: Array, size: int) -> Array:
    """Where to read along one axis, counted from the row or column of zeros before the image."""
    places = displacement + (own + 1).astype(np.float32)
    return np.clip(places, np.float32(0), np.float32(size + 1), out=places)


def _between(first: Array, second: Array, share: Array) -> Array:
    """first + share * (second - first), written into ``second``; exactly first at share 0."""
    second -= first
    second *= share
    second += first
    return second
