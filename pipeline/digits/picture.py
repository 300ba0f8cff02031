"""A picture file to a grey array and on to a digit, whatever its format, colours and transparency.

A picture may show dark ink on light paper or the other way round, in colours, or in how
transparent it is; the result is always one grey picture in which ink and paper differ.
"""

import io
import warnings
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError
from scipy import ndimage

from pipeline.digits import ink
from pipeline.digits.ink import Digit, FoundDigit, Grey
from pipeline.system.errors import PipelineError
from pipeline.system.files import atomic_write

# Of what Pillow reads, the kinds that hold pictures and start no other program.
FORMATS = ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF", "PPM")
MOST_PIXELS = 80_000_000
LONGEST_SIDE = 1_000  # larger pictures are made smaller first; that is still enough for a digit
DEEP = ("I", "F", "I;16", "I;16L", "I;16B", "I;16N")  # grey in more than 256 levels
SAME_GREY = 0.3  # visible pixels that differ by less count as one colour
FILLED = 0.6  # of its rectangle; strokes leave more of theirs empty
OPAQUE = 0.5
NEAR = 0.02  # of the longer side: what is called beside a stroke
INKED = 0.02  # of the picture: not less than a digit's edges cover


def read_digit(path: Path) -> FoundDigit:
    """Return the digit in a picture file in MNIST's form, and what makes it doubtful.

    The first picture of an animated one. Raises PipelineError if the file is missing, no picture,
    damaged, too large, or shows nothing.
    """
    try:
        stream = path.open("rb")
    except FileNotFoundError:
        raise PipelineError(f"{path}: there is no such file") from None
    except IsADirectoryError:
        raise PipelineError(
            f"{path} is a folder", remedy="Name the pictures in it: digits predict folder/*.png"
        ) from None
    except OSError as error:
        raise PipelineError(f"{path}: cannot be read ({error.strerror})") from None
    with stream:
        return read_digit_from(stream, str(path))


def read_digit_from(stream: BinaryIO, name: str) -> FoundDigit:
    """Return the digit in an open picture file, like ``read_digit``; name: for messages."""
    digit = ink.find_digit(read_grey(stream, name))
    if digit is None:
        raise PipelineError(
            f"{name} shows no digit: nothing in it stands out from the rest",
            remedy="Give a picture of one digit, with ink that is darker or brighter than paper.",
        )
    return digit


def read_grey(stream: BinaryIO, name: str) -> Grey:
    """Return a picture as (H, W) float32, 0 to 1, at most 1,000 pixels high and wide.

    Raises PipelineError if it is no picture, damaged or too large.
    """
    with warnings.catch_warnings():
        # Pillow's warnings (a strange tag, say) do not matter to somebody who wants a digit read.
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            with Image.open(stream, formats=FORMATS) as image:
                if image.width * image.height > MOST_PIXELS:
                    raise _too_large(name)
                # A JPEG comes out smaller right away, and much sooner; others as they are.
                image.draft(None, (LONGEST_SIDE, LONGEST_SIDE))
                return _to_grey(ImageOps.exif_transpose(image))
        except UnidentifiedImageError:
            raise PipelineError(
                f"{name} is not a picture that can be read",
                remedy="These can be read: PNG, JPEG, GIF, BMP, WebP, TIFF and PPM.",
            ) from None
        except (Image.DecompressionBombError, Image.DecompressionBombWarning):
            raise _too_large(name) from None
        except PipelineError:
            raise
        except Exception as error:  # decoders raise anything on damaged bytes
            raise PipelineError(
                f"{name} is damaged: {error}", remedy="Save or download the picture again."
            ) from None


def write_png(path: Path, digit: Digit) -> None:
    """Write a digit, (H, W) uint8, as a grey PNG. Raises PipelineError for another suffix."""
    if path.suffix.lower() != ".png":
        raise PipelineError(f"{path}: the name of a PNG file ends in .png")
    content = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(digit)).save(content, "PNG")
    with atomic_write(path) as stream:
        stream.write(content.getvalue())


def _too_large(name: str) -> PipelineError:
    return PipelineError(
        f"{name} has more than {MOST_PIXELS // 1_000_000} million pixels",
        remedy="Make it smaller, or cut the digit out.",
    )


def _to_grey(image: Image.Image) -> Grey:
    if image.mode in DEEP:
        return _smaller(Image.fromarray(_stretched(np.asarray(image, np.float64))))
    if not image.has_transparency_data:
        return _one_channel(_smaller(image.convert("RGB")))
    pixels = _smaller(image.convert("RGBA"))
    grey, opacity = _one_channel(pixels[..., :3]), pixels[..., 3]
    return _on_paper(grey, opacity)


def _smaller(image: Image.Image) -> Grey:
    """The pixels as float32, 0 to 1, of a picture reduced by a whole number."""
    factor = -(-max(image.size) // LONGEST_SIDE)
    pixels = np.asarray(image.reduce(factor) if factor > 1 else image)
    levels = np.float32(255 if pixels.dtype == np.uint8 else 1)
    return pixels.astype(np.float32) / levels


def _stretched(values: NDArray[np.float64]) -> Grey:
    """Values of any range as 0 to 1; what is no number is the darkest."""
    finite = np.isfinite(values)
    low, high = (values[finite].min(), values[finite].max()) if finite.any() else (0.0, 0.0)
    if high <= low:
        return np.zeros(values.shape, np.float32)
    scaled = (np.where(finite, values, low) - low) / (high - low)
    return scaled.astype(np.float32)


def _one_channel(colours: Grey) -> Grey:
    """Colours (H, W, 3) as the grey in which they differ most, 0 to 1.

    That is along the first principal axis of how the strokes differ from what is beside them:
    yellow ink on white, or red on green, hardly differs in brightness. Light, which changes slowly,
    has no say. A grey picture stays what it is.
    """
    if (colours == colours[..., :1]).all():
        return colours[..., 0]
    flat = colours.reshape(-1, 3)
    _, axes = np.linalg.eigh(np.cov(_steps(colours).astype(np.float64), rowvar=False))
    axis = axes[:, -1] * (1 if axes[:, -1].sum() >= 0 else -1)
    axis /= np.abs(axis).sum()
    values = flat @ axis - np.minimum(axis, 0).sum()
    one: Grey = np.clip(values, 0, 1).reshape(colours.shape[:2]).astype(np.float32)
    return one


def _steps(colours: Grey) -> Grey:
    """How colours (H, W, 3) differ from their surroundings, (n, 3), where they do so most."""
    near = 2 * max(2, round(NEAR * max(colours.shape))) + 1
    apart = (colours - ndimage.uniform_filter(colours, (near, near, 1))).reshape(-1, 3)
    sizes = np.abs(apart).sum(axis=1)
    most: Grey = apart[sizes >= np.percentile(sizes, 100 * (1 - INKED))]
    return most


def _on_paper(grey: Grey, opacity: Grey) -> Grey:
    """A picture with transparency (H, W) as one without.

    Either the digit is what is opaque, in whatever colour; or there is a card with ink on it,
    which fills its rectangle, and around it nothing: that gets the card's own colour.
    """
    visible = opacity > OPAQUE
    if not visible.any():
        return opacity
    shades = grey[visible]
    rows, columns = np.flatnonzero(visible.any(axis=1)), np.flatnonzero(visible.any(axis=0))
    rectangle = (rows[-1] - rows[0] + 1) * (columns[-1] - columns[0] + 1)
    low, high = np.percentile(shades, [1, 99])
    if high - low < SAME_GREY and not visible.all():
        return opacity
    if visible.sum() < FILLED * rectangle:
        return opacity
    paper = float(np.median(shades))
    return opacity * grey + (1 - opacity) * np.float32(paper)
