"""Arrays from files that may be damaged, or were made by somebody else: never by way of pickle.

NumPy, zip and the decoders behind them raise nearly anything on damaged bytes. Here it is one
error.
"""

import io
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.system.files import atomic_write
from pipeline.system.machine_faults import raise_if_refused

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
