"""An array written row by row, so that none of its earlier rows need stay in memory."""

import hashlib
import io
import math
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt


class RowsFile:
    """An .npy file in the making: the bytes that np.save would write of all rows at once.

    shape: of the whole array; its first number is that of the rows.
    """

    def __init__(self, stream: BinaryIO, shape: tuple[int, ...], dtype: npt.DTypeLike) -> None:
        self.shape = shape
        self.dtype = np.dtype(dtype)
        self._stream = stream
        self._digest = hashlib.sha256()
        self._missing = math.prod(shape)
        header = io.BytesIO()
        np.lib.format.write_array_header_1_0(
            header, {"descr": self.dtype.str, "fortran_order": False, "shape": shape}
        )
        self._write(header.getvalue())

    def add(self, rows: npt.NDArray[Any]) -> None:
        """Write the next rows.

        Raises ValueError for another dtype or shape, and for more rows than were announced.
        """
        if rows.dtype != self.dtype or rows.shape[1:] != self.shape[1:]:
            raise ValueError(
                f"expected rows {self.shape[1:]} of {self.dtype}, "
                f"got {rows.shape[1:]} of {rows.dtype}"
            )
        self._missing -= rows.size
        if self._missing < 0:
            raise ValueError(f"there are more than {self.shape[0]:,} rows")
        self._write(rows.tobytes())

    def finish(self) -> str:
        """Return the SHA-256 of the file's bytes; raises ValueError if rows are missing."""
        if self._missing:
            raise ValueError(f"there are fewer than {self.shape[0]:,} rows")
        return self._digest.hexdigest()

    def _write(self, data: bytes) -> None:
        self._digest.update(data)
        self._stream.write(data)
