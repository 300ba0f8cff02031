"""Arrays from files that may be damaged, or were made by somebody else: never by way of pickle.

NumPy, zip and the decoders behind them raise nearly anything on damaged bytes. Here it is one
error.
"""

import hashlib
import io
import math
import warnings
import zipfile
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from pipeline.system.errors import raise_if_refused
from pipeline.system.files import atomic_write

Array = npt.NDArray[Any]
_START = b"\x93NUMPY\x01\x00"  # of version 1.0


def save_array(path: Path, array: Array) -> None:
    """Write an array as .npy, atomically."""
    content = io.BytesIO()
    np.save(content, array, allow_pickle=False)
    with atomic_write(path) as stream:
        # NumPy itself would not say why a disk takes no more.
        stream.write(content.getbuffer())


def load_array(path: Path, *, mapped: bool = False) -> Array:
    """Read an .npy file.  mapped: leave it on disk, read-only.

    Raises ValueError saying why it is no such file; FileNotFoundError if there is none; OSError if
    the machine refuses to read it, be it sound or not.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of headers that Python 2 wrote
            _check_header(path)
            # Mapping compares the size that the header claims with the file's, before any is taken.
            found = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise
    except Exception as error:
        raise_if_refused(error, path)
        raise _unreadable(error) from None
    return found if mapped else np.array(found)


def load_arrays(path: Path) -> dict[str, Array]:
    """Read all arrays of an .npz file, by name. Raises like ``load_array``."""
    try:
        # Opened here, because np.load leaves the file of a damaged zip open.
        with path.open("rb") as stream, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if not zipfile.is_zipfile(stream):
                raise ValueError("it is no .npz file, or was cut short")
            with zipfile.ZipFile(stream) as packed:
                # np.savez compresses nothing: so no member is larger than its file.
                if any(item.compress_type != zipfile.ZIP_STORED for item in packed.infolist()):
                    raise ValueError("it is compressed, and was not written here")
            stream.seek(0)
            with np.load(stream, allow_pickle=False) as stored:
                found = {name: stored[name] for name in stored.files}
    except FileNotFoundError:
        raise
    except Exception as error:
        raise_if_refused(error, path)
        raise _unreadable(error) from None
    if not all(isinstance(array, np.ndarray) for array in found.values()):
        raise ValueError("it holds something else than arrays")
    return found


def _check_header(path: Path) -> None:
    """Raise ValueError for what NumPy would divide by zero for, which ends the process."""
    with path.open("rb") as stream:
        if stream.read(len(_START)) != _START:
            raise ValueError("it is no .npy file, or of a version that is not written here")
        stream.seek(0)
        np.lib.format.read_magic(stream)
        shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
    if not dtype.itemsize or any(length < 0 for length in shape):
        raise ValueError("its header tells of no array")


def _unreadable(error: Exception) -> ValueError:
    return error if isinstance(error, ValueError) else ValueError(str(error) or "it is damaged")


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
