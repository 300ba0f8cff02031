"""Changes to .npy files: of the header, with the right length, or of what follows it."""

import io
import struct
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.stress.mutations import change_bytes

SHAPES = (
    *("()", "(0,)", "(1,)", "(10,)", "(-1,)", "(10**12,)", "(1000000000000,)", "(True,)"),
    *("(9223372036854775807,)", "(18446744073709551616,)", "(2, 3)", "(60, 10)", "(60, 28, 28)"),
    *("(0, 1000000000000)", "('a',)", "None", "(1.5,)", "(" * 500 + ")" * 500, "[60]"),
)
TYPES = (
    *("'|u1'", "'<f4'", "'>f4'", "'<f8'", "'<f2'", "'<i8'", "'>i8'", "'<i2'", "'|b1'", "'<c8'"),
    *("'|O'", "'<U9'", "'|S9'", "'|V4'", "'<M8[s]'", "'<m8'", "'<U1000000000'", "'|V0'", "'q'"),
    *("[('a', '<f4')]", "[('a', '|O')]", "'<f16'", "None", "''", "'x'"),
)


def save_array(array: NDArray[Any]) -> bytes:
    """Return an .npy file."""
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=False)
    return stream.getvalue()


def change_values(array: NDArray[Any], rng: Random) -> NDArray[Any]:
    """The array with another type or form, or with one value of another kind."""
    kind = rng.randrange(6)
    if kind == 0:
        return array.astype(
            rng.choice(["f2", "f4", ">f4", "f8", "c8", "i8", "u8", "i2", "U3", "?"])
        )
    if kind == 1:
        return array.reshape(rng.choice([(-1,), (1, -1), (-1, 1), array.shape]))
    if kind == 2:
        return array[: rng.choice((0, 1, len(array) // 2))] if array.ndim else array
    if kind == 3:
        return np.concatenate([array, array]) if array.ndim else array
    if array.size:
        values: list[float] = [
            0,
            1,
            9,
            10,
            59,
            60,
            127,
            *([-1, 300] if array.dtype.itemsize > 1 else []),
        ]
        if array.dtype.kind == "f":
            values += [np.nan, np.inf, -np.inf, 1e-45]
        if array.dtype.kind in "iuf":
            array.reshape(-1)[rng.randrange(array.size)] = rng.choice(values)
    return array


def change_header(content: bytes, rng: Random) -> bytes:
    """The .npy file with another header, of the right length."""
    if content[:6] != b"\x93NUMPY" or len(content) < 12:
        return change_bytes(content, rng)
    length = struct.unpack("<H", content[8:10])[0]
    header = content[10 : 10 + length].decode("latin-1")
    kind = rng.randrange(3)
    if kind == 0:
        start, end = header.find("'shape': ") + 9, header.rfind("}")
        header = f"{header[:start]}{rng.choice(SHAPES)}, {header[end:]}"
    elif kind == 1:
        start, end = header.find("'descr': ") + 9, header.find(", 'fortran")
        header = f"{header[:start]}{rng.choice(TYPES)}{header[end:]}"
    else:
        header = rng.choice(
            (
                header.replace("False", "True"),
                header.replace("'shape'", "'form'"),
                "{" * 3000,
                "__import__('os')",
                header.rstrip() + "#" * 9_000,
                "9" * 6000,
                "[" * 5000 + "]" * 5000,
            )
        )
    text = header.rstrip().encode("latin-1") + b"\n"
    return content[:8] + struct.pack("<H", len(text)) + text + content[10 + length :]
