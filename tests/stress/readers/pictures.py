"""Pictures of digits, of every format that is read."""

import io
import struct
import warnings
import zlib
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from pipeline.digits.ink import Digit
from pipeline.digits.picture import FORMATS, read_digit
from tests.stress.mutations import change_bytes

SIZES = (
    0,
    1,
    2,
    3,
    5,
    28,
    29,
    255,
    1_001,
    4_000,
    8_944,
    8_945,
    60_000,
    65_535,
    2**31 - 1,
    2**32 - 1,
)
MARKS = (b"IHDR", b"IDAT", b"\xff\xc0", b"\xff\xda", b"VP8 ", b"VP8L", b"II*\0", b"\x2c", b"P5")


class Picture:
    """A picture file."""

    name = "picture"
    most_megabytes = 1_000

    def __init__(self, folder: Path) -> None:
        self.path = folder / "input.png"

    @cached_property
    def seeds(self) -> Sequence[bytes]:
        ink = np.zeros((40, 40), np.uint8)
        ink[8:32, 18:22] = 255
        ink[8:12, 10:22] = 200
        grey = Image.fromarray(ink)
        paper = ImageOps.invert(grey)
        drawn = Image.new("RGBA", grey.size, (200, 30, 30, 255))
        drawn.putalpha(grey)
        exif = Image.Exif()
        exif[0x0112] = 6
        deep = Image.fromarray(ink.astype(np.uint16) * 257)
        kinds: Sequence[tuple[Image.Image, str, dict[str, Any]]] = (
            (paper, "PNG", {}),
            (drawn, "PNG", {}),
            (grey.convert("1"), "PNG", {}),
            (paper.convert("P"), "PNG", {"transparency": 0}),
            (deep, "PNG", {}),
            (grey.resize((28, 28)), "PNG", {}),
            (paper.convert("RGB"), "JPEG", {"exif": exif}),
            (paper.convert("CMYK"), "JPEG", {}),
            (paper, "JPEG", {"progressive": True}),
            (paper, "GIF", {"save_all": True, "append_images": [grey]}),
            (paper, "BMP", {}),
            (paper.convert("RGB"), "BMP", {}),
            (paper.convert("RGB"), "WEBP", {"lossless": True}),
            (drawn, "WEBP", {}),
            (paper, "TIFF", {"compression": "tiff_lzw"}),
            (paper.convert("F"), "TIFF", {}),
            (paper.convert("RGB"), "TIFF", {"compression": "tiff_adobe_deflate"}),
            (paper, "PPM", {}),
            (paper.convert("RGB"), "PPM", {}),
        )
        found = []
        for image, kind, options in kinds:
            stream = io.BytesIO()
            image.save(stream, kind, **options)
            found.append(stream.getvalue())
        return found

    def mutate(self, data: bytes, rng: Random) -> bytes:
        if rng.randrange(2):
            changed = change_bytes(data, rng, words=MARKS if rng.randrange(4) == 0 else ())
        else:  # sizes and kinds stand near the front
            place = rng.randrange(min(len(data), 120) + 1)
            size = rng.choice((1, 2, 4))
            number = rng.choice(SIZES) % (1 << 8 * size)
            new = number.to_bytes(size, rng.choice(("little", "big")))
            changed = data[:place] + new + data[place + size :]
        # Without right checksums little but the comparison of checksums is tried.
        return _with_checksums(changed) if rng.randrange(4) else changed

    def read(self, data: bytes) -> Digit:
        self.path.write_bytes(data)
        return read_digit(self.path).image

    def check(self, data: bytes, found: Digit) -> None:
        assert found.shape == (28, 28) and found.dtype == np.uint8, "no digit"
        assert found.max() > 0, "nothing on it"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = Image.open(io.BytesIO(data), formats=FORMATS)
        with image:
            assert image.width * image.height <= 80_000_000, "larger than is allowed"


def _with_checksums(data: bytes) -> bytes:
    """A PNG with the checksums that its chunks should have."""
    if not data.startswith(b"\x89PNG\r\n\x1a\n"):
        return data
    parts, at = [data[:8]], 8
    while at + 12 <= len(data):
        length = struct.unpack(">I", data[at : at + 4])[0]
        end = at + 8 + length
        if end + 4 > len(data):
            break
        body = data[at + 4 : end]
        parts.append(data[at : at + 4] + body + struct.pack(">I", zlib.crc32(body)))
        at = end + 4
    return b"".join(parts) + data[at:]
