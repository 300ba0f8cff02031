"""A grey picture of a digit to the form that MNIST's digits have: found, scaled, and centred.

LeCun's page of MNIST (yann.lecun.com/exdb/mnist) tells how its digits were made, after Bottou et
al. 1994, "Comparison of classifier methods": scaled to fit 20x20 pixels with their proportions
kept, which leaves grey levels at the edges, then moved into 28x28 pixels so that the centre of mass
stands in the middle. What comes before that, finding the ink, is for pictures.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from pipeline.digits.paper import Paper, find_paper, ink_on, stroke_level, without_lines
from pipeline.digits.strokes import digit_strokes

Grey = NDArray[np.float32]
Digit = NDArray[np.uint8]
Mask = NDArray[np.bool_]

SIDE = 28
BOX = 20
CENTRE = 14  # the pixel on which the centre of mass of the competition's digits lies, within 0.5

CLEAR_CONTRAST = 0.15
LEAST_CONTRAST = 0.06  # of ink and paper, where black and white differ by 1
FAINTEST_INK = 0.2  # of the darkest: the edges of strokes
EDGE = 1 / 30  # of the digit's longer side: as broad as a stroke's edges are
SHEET = 0.85  # of its rectangle is filled by a sheet of paper; a digit leaves more of it empty
SHEET_EDGE = 0.05  # of its sides: this much is cut off, with any rest of the desk
NEARLY = 0.15  # of the contrast: as near as that to an extreme
EVEN_BORDER = 0.6  # in even light, at least this share of the border is ink or paper
PAPER_BORDER = 0.85  # where so much of the border is alike, it is paper
SMALLEST_DIGIT = 5  # pixels; what is smaller is a speck, too
THINNEST_STROKE = 1 / 16  # of the digit's longer side; thinner ones would fade when scaled down
NEIGHBOURS = np.ones((3, 3), np.bool_)


@dataclass(frozen=True)
class Ink:
    """A digit alone, cut out to its edges.

    strokes: (h, w) float32, 0 paper to 1 full ink.  doubts: why it may not be the digit; each a
    sentence's part, in lower case.
    """

    strokes: Grey
    doubts: tuple[str, ...]


@dataclass(frozen=True)
class FoundDigit:
    """image: (28, 28) uint8, bright ink on black.  doubts: like those of its ink."""

    image: Digit
    doubts: tuple[str, ...] = ()


def find_digit(grey: Grey) -> FoundDigit | None:
    """Return the digit of a picture as MNIST has it.

    grey: (H, W) float32, 0 to 1; ink may be brighter or darker than the paper.
    None if there is no ink. A picture that has MNIST's form already is returned as it is.
    """
    for picture in (grey, 1 - grey):
        if has_mnist_form(picture):
            return FoundDigit(_levels(picture))
    ink = find_ink(grey)
    return None if ink is None else FoundDigit(centre(fit(ink.strokes)), ink.doubts)


def has_mnist_form(grey: Grey) -> bool:
    """Whether a picture is what MNIST's digits are: 28x28, bright on black, fitted and centred."""
    if grey.shape != (SIDE, SIDE) or np.median(_border(grey)) > 0 or grey.max() < 0.95:
        return False
    rows, columns = _extent(grey > 0)
    longest = max(rows.stop - rows.start, columns.stop - columns.start)
    distances = [abs(place - CENTRE) for place in ndimage.center_of_mass(grey)]
    return bool(abs(longest - BOX) <= 1 and max(distances) <= 1)


def find_ink(grey: Grey) -> Ink | None:
    """Return the digit alone; None if no part of the picture stands out enough."""
    bright, paper = _on_paper(grey)
    sheet = _sheet(_stretched(ink_on(bright, paper.widest), paper))
    if sheet is not None:
        inside = find_ink(grey[sheet])
        if inside is not None:
            return inside
    shares = without_lines(ink_on(bright, paper.level), paper.edges)
    ink = _stretched(shares, paper)
    if ink is None:
        return None
    strokes, doubts = digit_strokes(ink)
    if not strokes.any():
        return None
    mask = _with_edges(strokes, ink)
    rows, columns = _extent(mask)
    if max(rows.stop - rows.start, columns.stop - columns.start) < SMALLEST_DIGIT:
        return None
    if not paper.even and _border(strokes).any():
        doubts.append("the shape that was read reaches the picture's edge")
    if stroke_level(shares, paper.edges) < CLEAR_CONTRAST:
        doubts.append("the ink is faint")
    # Around the mask lie the faintest edges of the strokes.
    near = ndimage.binary_dilation(mask, NEIGHBOURS)
    cut: Grey = np.where(near, ink, np.float32(0))[rows, columns]
    return Ink(_with_visible_strokes(cut, mask[rows, columns]), tuple(doubts))


def fit(ink: Grey) -> Grey:
    """Return ink scaled so that its longer side is 20 pixels, with its proportions; peak 1."""
    height, width = ink.shape
    longest = max(height, width)
    size = (max(1, round(width * BOX / longest)), max(1, round(height * BOX / longest)))
    # Smaller: the mean of what falls into a pixel, as grey levels came about in MNIST.
    kind = Image.Resampling.BOX if longest >= BOX else Image.Resampling.BICUBIC
    scaled = np.asarray(Image.fromarray(ink).resize(size, kind), np.float32)
    clipped: Grey = np.clip(scaled / scaled.max(), 0, 1, dtype=np.float32)
    return clipped


def centre(scaled: Grey) -> Digit:
    """Return ink of at most 28x28 pixels moved by whole pixels into the middle: (28, 28) uint8."""
    field = np.zeros((SIDE, SIDE), np.float32)
    place = []
    for size, at in zip(scaled.shape, ndimage.center_of_mass(scaled), strict=True):
        start = min(max(round(CENTRE - at), 0), SIDE - size)
        place.append(slice(start, start + size))
    field[tuple(place)] = scaled
    return _levels(field)


def _on_paper(grey: Grey) -> tuple[Grey, Paper]:
    """The picture with ink that is brighter than its paper, and the paper."""
    dark, bright = _extremes(grey)
    even = dark + bright >= EVEN_BORDER
    if max(dark, bright) >= PAPER_BORDER:
        picture = grey if dark >= bright else 1 - grey
        return picture, find_paper(picture, even=even)
    # Strokes are thinner than what is between them, and thinner than shadows.
    either = [(picture, find_paper(picture, even=even)) for picture in (1 - grey, grey)]
    return max(either, key=lambda one: one[1].clearness)


def _extremes(grey: Grey) -> tuple[float, float]:
    """The shares of the border that are nearly the picture's darkest and its brightest."""
    smooth = ndimage.gaussian_filter(grey, 1.0)
    border, near = _border(smooth), NEARLY * np.ptp(smooth)
    dark = np.mean(border <= smooth.min() + near)
    return float(dark), float(np.mean(border >= smooth.max() - near))


def _stretched(ink: Grey, paper: Paper) -> Grey | None:
    """Ink stretched to 0 to 1 above what the paper's grain reaches; None if none is above."""
    peak = stroke_level(ink, paper.edges)
    grain = ink[ink < peak / 2]
    if not len(grain):
        return None
    middle = float(np.median(grain))
    # 1.4826 times the median distance is the standard deviation of normal noise.
    floor = middle + 3 * 1.4826 * float(np.median(np.abs(grain - middle)))
    if peak - floor < LEAST_CONTRAST:
        return None
    stretched: Grey = np.clip((ink - floor) / (peak - floor), 0, 1, dtype=np.float32)
    return stretched


def _with_edges(strokes: Mask, ink: Grey) -> Mask:
    """Strokes with their edges, which are fainter.

    Not with all that is faint and touches them: that may be the lines of ruled paper.
    """
    rows, columns = _extent(strokes)
    longest = max(rows.stop - rows.start, columns.stop - columns.start)
    edges: Mask = ndimage.binary_dilation(
        strokes, NEIGHBOURS, iterations=max(1, round(EDGE * longest)), mask=ink > FAINTEST_INK
    )
    return edges


def _sheet(ink: Grey | None) -> tuple[slice, slice] | None:
    """The inside of what is no digit, but a sheet of paper on a desk; None if there is none."""
    if ink is None:
        return None
    strokes, _ = digit_strokes(ink)
    if not strokes.any():
        return None
    mask = _with_edges(strokes, ink)
    extent = _extent(mask)
    sides = [side.stop - side.start for side in extent]
    if min(sides) < SIDE or max(sides) > 3 * min(sides):
        return None
    if ndimage.binary_fill_holes(mask[extent]).mean() < SHEET:
        return None
    edge = [max(1, round(SHEET_EDGE * side)) for side in sides]
    rows, columns = extent
    return (
        slice(rows.start + edge[0], rows.stop - edge[0]),
        slice(columns.start + edge[1], columns.stop - edge[1]),
    )


def _with_visible_strokes(ink: Grey, mask: Mask) -> Grey:
    """The ink with strokes of a fine pen made as broad as they must be to stay visible."""
    longest = max(mask.shape)
    inside = np.pad(mask, 1)
    depths = ndimage.distance_transform_edt(inside)[inside]
    broad = 2 * float(np.percentile(depths, 90))
    missing = int((THINNEST_STROKE * longest - broad) / 2 + 0.5)
    if missing < 1:
        return ink
    steps = np.arange(-missing, missing + 1)
    disc = np.hypot(*np.meshgrid(steps, steps)) <= missing + 0.5
    thick: Grey = ndimage.grey_dilation(np.pad(ink, missing), footprint=disc)
    return thick


def _border(array: NDArray[Any]) -> NDArray[Any]:
    """The values along the four edges."""
    return np.concatenate([array[0], array[-1], array[1:-1, 0], array[1:-1, -1]])


def _extent(mask: Mask) -> tuple[slice, slice]:
    """The smallest rectangle with all that is true."""
    rows, columns = (np.flatnonzero(mask.any(axis)) for axis in (1, 0))
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def _levels(grey: Grey) -> Digit:
    return np.rint(grey * 255).astype(np.uint8)
