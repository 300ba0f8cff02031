"""What an array is called here, and arrays that several processes share."""

import math
import mmap
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


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
