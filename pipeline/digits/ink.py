"""A grey picture of a digit to the form that MNIST's digits have: found, scaled, and centred.

LeCun's page of MNIST (yann.lecun.com/exdb/mnist) tells how its digits were made, after Bottou et
al. 1994, "Comparison of classifier methods": scaled to fit 20x20 pixels with their proportions
kept, which leaves grey levels at the edges, then moved into 28x28 pixels so that the centre of mass
stands in the middle. What comes before that, finding the ink, is for pictures.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

Grey = NDArray[np.float32]
Digit = NDArray[np.uint8]
Mask = NDArray[np.bool_]

SIDE = 28
BOX = 20
CENTRE = 14  # the pixel on which the centre of mass of the competition's digits lies, within 0.5

LEAST_CONTRAST = 0.06  # of ink and paper, where black and white differ by 1
SOLID_INK = 0.35  # of the darkest: strokes
FAINTEST_INK = 0.2  # of the darkest: the edges of strokes
EDGE = 1 / 30  # of the digit's longer side: as broad as a stroke's edges are
SHEET = 0.85  # of its rectangle is filled by a sheet of paper; a digit leaves more of it empty
SHEET_EDGE = 0.05  # of its sides: this much is cut off, with any rest of the desk
WINDOW = 0.4  # of the picture's longer side: wider than any stroke, so that none is taken for paper
DARKEST_PAPER = 0.2  # as bright as paper is at least, where it is the brighter one
EVEN = 0.15  # of the contrast: in even light, paper is as near as that to the extreme
MOST_OF_BORDER = 0.6  # in even light, at least this share of the border is at an extreme
SMALLEST_DIGIT = 5  # pixels; what is smaller is a speck, too
SMALLEST_PART = 0.03  # of the largest part's pixels; what is smaller is a speck
LARGE_PART = 1 / 3  # of the largest; a smaller one is no reason to doubt what touches the border
THINNEST_STROKE = 1 / 16  # of the digit's longer side; thinner ones would fade when scaled down
NEIGHBOURS = np.ones((3, 3), np.bool_)


def normalise(grey: Grey) -> Digit | None:
    """Return the digit of a picture as MNIST has it, (28, 28) uint8, bright ink on black.

    grey: (H, W) float32, 0 to 1; ink may be brighter or darker than the paper.
    None if there is no ink. A picture that has MNIST's form already is returned as it is.
    """
    bright = _bright_ink(grey)
    if has_mnist_form(bright):
        return _levels(bright)
    ink = find_ink(grey)
    return None if ink is None else centre(fit(ink))


def has_mnist_form(grey: Grey) -> bool:
    """Whether a picture is what MNIST's digits are: 28x28, bright on black, fitted and centred."""
    if grey.shape != (SIDE, SIDE) or np.median(_border(grey)) > 0 or grey.max() < 0.95:
        return False
    rows, columns = _extent(grey > 0)
    longest = max(rows.stop - rows.start, columns.stop - columns.start)
    distances = [abs(place - CENTRE) for place in ndimage.center_of_mass(grey)]
    return bool(abs(longest - BOX) <= 1 and max(distances) <= 1)


def find_ink(grey: Grey) -> Grey | None:
    """Return the digit alone, cut out to its edges: (h, w) float32, 0 paper to 1 full ink.

    None if no part of the picture stands out enough.
    """
    bright = _bright_ink(grey)
    # An opening keeps only what is wider than strokes: the paper, with its light and shadows.
    window = _window(bright)
    paper = ndimage.grey_opening(bright, size=(window, window))
    # Light multiplies: in a shadow, ink and paper differ by less. So ink is a share of the paper.
    ink = _without_noise((bright - paper) / np.maximum(1 - paper, DARKEST_PAPER))
    if ink is None:
        return None
    mask = _digit_mask(ink)
    if not mask.any():
        return None
    rows, columns = _extent(mask)
    size = rows.stop - rows.start, columns.stop - columns.start
    if max(size) < SMALLEST_DIGIT:
        return None
    if _is_sheet(mask[rows, columns]):
        edge = [max(1, round(SHEET_EDGE * side)) for side in size]
        inside = find_ink(
            grey[
                rows.start + edge[0] : rows.stop - edge[0],
                columns.start + edge[1] : columns.stop - edge[1],
            ]
        )
        if inside is not None:
            return inside
    # Around the mask lie the faintest edges of the strokes.
    near = ndimage.binary_dilation(mask, NEIGHBOURS)
    cut: Grey = np.where(near, ink, np.float32(0))[rows, columns]
    return _with_visible_strokes(cut, mask[rows, columns])


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


def _bright_ink(grey: Grey) -> Grey:
    """The picture, inverted if its ink is darker than its paper."""
    smooth = ndimage.gaussian_filter(grey, 1.0)
    border, near = _border(smooth), EVEN * np.ptp(smooth)
    dark = np.mean(border <= smooth.min() + near)
    bright = np.mean(border >= smooth.max() - near)
    if dark + bright >= MOST_OF_BORDER:
        return grey if dark >= bright else 1 - grey
    # Uneven light. Compared with their surroundings, strokes differ more from the mean than the
    # paper does, because there is less of them; the two sides of a shadow differ equally.
    apart = smooth - ndimage.uniform_filter(smooth, _window(smooth))
    return grey if (apart**3).sum() >= 0 else 1 - grey


def _window(grey: Grey) -> int:
    return max(3, round(WINDOW * int(max(grey.shape))))


def _without_noise(ink: Grey) -> Grey | None:
    """Ink stretched to 0 to 1 above what the paper's grain reaches; None if none is above."""
    threshold = _otsu(ink)
    paper, strokes = ink[ink <= threshold], ink[ink > threshold]
    if not len(strokes):
        return None
    middle = float(np.median(paper))
    # 1.4826 times the median distance is the standard deviation of normal noise.
    floor = middle + 3 * 1.4826 * float(np.median(np.abs(paper - middle)))
    peak = float(np.percentile(strokes, 90))
    if peak - floor < LEAST_CONTRAST:
        return None
    stretched: Grey = np.clip((ink - floor) / (peak - floor), 0, 1, dtype=np.float32)
    return stretched


def _otsu(values: Grey) -> float:
    """The threshold between two groups of values that differ most (Otsu 1979)."""
    counts, edges = np.histogram(values, bins=256)
    middles = (edges[:-1] + edges[1:]) / 2
    below, total = np.cumsum(counts)[:-1], counts.sum()
    sums = np.cumsum(counts * middles)
    above = total - below
    means = sums[:-1] / np.maximum(below, 1), (sums[-1] - sums[:-1]) / np.maximum(above, 1)
    between = below * above.astype(np.float64) * (means[0] - means[1]) ** 2
    # Where there is nothing between the groups, all thresholds there are equal: take the middle.
    best = np.flatnonzero(between >= between.max() * (1 - 1e-9))
    return float(edges[1 + round(float(best.mean()))])


def _digit_mask(ink: Grey) -> Mask:
    """Where the digit is: its strokes with their edges, without specks and what the border cuts."""
    parts, count = ndimage.label(ink > SOLID_INK, NEIGHBOURS)
    if not count:
        return np.zeros(ink.shape, np.bool_)
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0  # the paper
    # A shadow or an edge of the paper reaches the border; so does a digit in a tight frame.
    inside = sizes.copy()
    inside[np.unique(_border(parts))] = 0
    kept = inside if inside.max() >= LARGE_PART * sizes.max() else sizes
    strokes: Mask = (kept >= max(1, SMALLEST_PART * kept.max()))[parts]
    rows, columns = _extent(strokes)
    longest = max(rows.stop - rows.start, columns.stop - columns.start)
    # Their edges are fainter. Not all that is faint and touches them: the lines of ruled paper.
    edges: Mask = ndimage.binary_dilation(
        strokes, NEIGHBOURS, iterations=max(1, round(EDGE * longest)), mask=ink > FAINTEST_INK
    )
    return edges


def _is_sheet(mask: Mask) -> bool:
    """Whether what was found is no digit, but a sheet of paper on a desk."""
    sides = sorted(mask.shape)
    if sides[0] < SIDE or sides[1] > 3 * sides[0]:
        return False
    return bool(ndimage.binary_fill_holes(mask).mean() >= SHEET)


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
