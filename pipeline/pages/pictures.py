"""Digits and weights as small pictures inside of the page."""

import base64
import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

# Of weights below 0 and above it: they are seen on light and on dark, and by the colour-blind.
NEGATIVE = (0, 114, 178)
POSITIVE = (213, 94, 0)


def to_data_uri(images: NDArray[np.uint8]) -> str:
    """Return a picture as the ``src`` of an ``img``: a PNG of the same bits for the same pixels.

    images: (H, W) uint8, grey as in the competition's files: 0 is paper, 255 is ink. The page's
    style sheet turns it to dark on light where the page is light. Or (H, W, 4) uint8, red, green,
    blue and opacity, for which it does not.
    Raises ValueError for other shapes or types.
    """
    grey = images.ndim == 2
    if images.dtype != np.uint8 or not (grey or (images.ndim == 3 and images.shape[2] == 4)):
        raise ValueError(
            f"a picture is uint8 (H, W) or (H, W, 4), this is {images.dtype} {images.shape}"
        )
    stream = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(images)).save(stream, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode("ascii")


def diverging(weights: NDArray[np.floating[Any]], *, largest: float) -> NDArray[np.uint8]:
    """Return weights (H, W) as a picture (H, W, 4): hue for the sign, opacity for the size.

    largest: the size that is opaque, as larger ones are; 0 is transparent, so that it shows the
    page's own colour.
    """
    picture = np.empty((*weights.shape, 4), np.uint8)
    picture[..., :3] = np.where((weights < 0)[..., np.newaxis], NEGATIVE, POSITIVE)
    picture[..., 3] = np.round(np.clip(np.abs(weights) / largest, 0, 1) * 255)
    return picture


def side_by_side(images: NDArray[np.uint8], *, gap: int = 2) -> NDArray[np.uint8]:
    """Return images (N, H, W) as one picture (H, N W + (N - 1) gap), with empty pixels between."""
    padded = np.pad(images, ((0, 0), (0, 0), (0, gap)))
    row = np.concatenate(list(padded), axis=1)
    return row[:, : row.shape[1] - gap]
