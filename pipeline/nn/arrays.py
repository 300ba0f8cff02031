"""What an array is called here, and arrays that several processes share."""

import math
import mmap
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
MAPS = 4  # axes of feature maps
CACHE_LINE = 64  # bytes


def aligned_zeros(shape: int | tuple[int, ...], dtype: Any) -> Array:
    """Return zeros that begin where a line of the cache does: operations are a fifth quicker."""
    shape = (shape,) if isinstance(shape, int) else shape
    size = math.prod(shape) * np.dtype(dtype).itemsize
    memory = np.zeros(size + CACHE_LINE, np.uint8)
    start = -memory.ctypes.data % CACHE_LINE
    zeros: Array = memory[start : start + size].view(dtype).reshape(shape)
    return zeros


def maps_of(images: Array) -> Array:
    """Return images (N, H, W, C) as maps (H, W, N, C)."""
    return np.ascontiguousarray(images.transpose(1, 2, 0, 3))


def images_of(maps: Array) -> Array:
    """Return maps (H, W, N, C) as images (N, H, W, C): a view."""
    return maps.transpose(2, 0, 1, 3)


def part_of(values: Array, images: slice) -> Array:
    """Return the part of maps (H, W, N, C), or of features (N, F), that is of these images."""
    return values[:, :, images] if values.ndim == MAPS else values[images]


def shared_zeros(shape: int | tuple[int, ...], dtype: Any) -> Array:
    """Return zeros that processes of a team see each other change.

    Raises MemoryError, as NumPy does.
    """
    shape = (shape,) if isinstance(shape, int) else shape
    count = math.prod(shape)
    size = count * np.dtype(dtype).itemsize
    try:
        memory = mmap.mmap(-1, max(1, size))
    except (OSError, OverflowError):
        raise MemoryError(f"unable to allocate {size:,} bytes") from None
    array: Array = np.frombuffer(memory, dtype, count).reshape(shape)
    return array
