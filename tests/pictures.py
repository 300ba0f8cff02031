"""Digits of the data set as people save, draw and photograph them."""

import io
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter, ImageOps

Digit = NDArray[np.uint8]
BICUBIC, NEAREST = Image.Resampling.BICUBIC, Image.Resampling.NEAREST


def enlarged(digit: Digit, times: int, kind: Image.Resampling = BICUBIC) -> Image.Image:
    return Image.fromarray(digit).resize((28 * times, 28 * times), kind)


def file_of(image: Image.Image, kind: str = "PNG", **options: object) -> io.BytesIO:
    """The picture as an open file."""
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    stream.seek(0)
    return stream


def coloured(image: Image.Image, ink: str, paper: str) -> Image.Image:
    return ImageOps.colorize(image, black=paper, white=ink)


def on_transparent(image: Image.Image, ink: str) -> Image.Image:
    drawn = Image.new("RGBA", image.size, ink)
    drawn.putalpha(image)
    return drawn


def in_a_corner(image: Image.Image) -> Image.Image:
    canvas = Image.new("L", (4 * image.width, 3 * image.height), 255)
    canvas.paste(ImageOps.invert(image), (3 * image.width, 0))
    return canvas


def turned(image: Image.Image) -> io.BytesIO:
    """Stored lying on its side, with the tag that tells viewers to turn it."""
    exif = Image.Exif()
    exif[0x0112] = 6
    lying = image.transpose(Image.Transpose.ROTATE_90)
    return file_of(lying, "JPEG", quality=95, exif=exif)


def card(image: Image.Image) -> Image.Image:
    """Dark ink on a white card, with nothing around it."""
    sheet = ImageOps.invert(image).convert("RGBA")
    return ImageOps.expand(sheet, 20, fill=(0, 0, 0, 0))


def photographed(digit: Digit, *, shadow: bool) -> io.BytesIO:
    """On yellowish paper, lit from one side, with grain, out of focus a little."""
    rng = np.random.default_rng(int(digit.sum()))
    ink = np.pad(np.asarray(enlarged(digit, 5), np.float32) / 255, 30)
    down, right = np.mgrid[0 : 1 : len(ink) * 1j, 0 : 1 : len(ink) * 1j]
    light = 0.5 + 0.4 * right
    if shadow:
        light = light * np.where(down + 0.5 * right > 0.8, 0.6, 1)
    grey = light * (1 - 0.75 * ink) + rng.normal(0, 0.02, ink.shape)
    colours = np.clip(np.stack([grey, 0.97 * grey, 0.9 * grey], axis=-1), 0, 1)
    image = Image.fromarray(np.rint(255 * colours).astype(np.uint8))
    return file_of(image.filter(ImageFilter.GaussianBlur(1)), "JPEG", quality=75)


def noisy(digit: Digit) -> io.BytesIO:
    rng = np.random.default_rng(int(digit.sum()))
    grey = 255 - np.asarray(enlarged(digit, 5), np.float64)
    grain = np.clip(grey + rng.normal(0, 10, grey.shape), 0, 255).astype(np.uint8)
    return file_of(Image.fromarray(grain), "JPEG", quality=40)


def deep(digit: Digit) -> io.BytesIO:
    """12 bits of grey in 16."""
    return file_of(Image.fromarray(np.asarray(enlarged(digit, 4)).astype(np.uint16) * 16))


FORMS: dict[str, Callable[[Digit], io.BytesIO]] = {
    "x3, pixels as they are": lambda digit: file_of(enlarged(digit, 3, NEAREST)),
    "x4, white on black": lambda digit: file_of(enlarged(digit, 4)),
    "x8, black on white": lambda digit: file_of(ImageOps.invert(enlarged(digit, 8))),
    "28x28 JPEG": lambda digit: file_of(Image.fromarray(digit), "JPEG", quality=90),
    "palette": lambda digit: file_of(enlarged(digit, 4).convert("P"), "GIF"),
    "yellow on white": lambda digit: file_of(coloured(enlarged(digit, 4), "#ffe600", "white")),
    "red on green": lambda digit: file_of(coloured(enlarged(digit, 4), "#c8323c", "#28843c")),
    "CMYK": lambda digit: file_of(
        coloured(enlarged(digit, 4), "#1428a0", "#f0f0e6").convert("CMYK"), "JPEG", quality=90
    ),
    "in a corner": lambda digit: file_of(in_a_corner(enlarged(digit, 3))),
    "turned by its tag": lambda digit: turned(enlarged(digit, 4)),
    "dark on transparent": lambda digit: file_of(on_transparent(enlarged(digit, 4), "#0a0a1e")),
    "white on transparent": lambda digit: file_of(on_transparent(enlarged(digit, 4), "white")),
    "a card on transparent": lambda digit: file_of(card(enlarged(digit, 4))),
    "16 bit": deep,
    "noisy JPEG": noisy,
    "photo": lambda digit: photographed(digit, shadow=False),
    "photo with a shadow": lambda digit: photographed(digit, shadow=True),
}
