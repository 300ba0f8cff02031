"""Which of the inked parts of a picture are the digit, and which are something else."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Grey = NDArray[np.float32]
Mask = NDArray[np.bool_]

SOLID_INK = 0.35  # of the darkest: strokes
STEEP = 0.4  # of the part with the steepest outline; the others are shadows
SMALLEST = 5  # pixels; what is smaller is a speck, too
SMALLEST_PART = 0.03  # of the largest part's pixels; what is smaller is a speck
LARGE_PART = 1 / 3  # of the largest; a smaller one is no reason to doubt what touches the border
ANOTHER = 0.1  # of the largest part's pixels: so large is another shape at least
APART = 0.2  # of the largest part's longer side: so far away is another shape
BESIDE = 0.6  # of the largest part's height: so high is a digit of its own, beside it
NEIGHBOURS = np.ones((3, 3), np.bool_)


def digit_strokes(ink: Grey) -> tuple[Mask, list[str]]:
    """Return where the digit's strokes are, and what makes that doubtful.

    ink: (H, W) float32, 0 paper to 1 full ink. All false if there are no strokes.
    Left out are shadows, specks, what the border cuts, and other shapes.
    """
    parts, count = ndimage.label(ink > SOLID_INK, NEIGHBOURS)
    if not count:
        return np.zeros(ink.shape, np.bool_), []
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0  # the paper
    large = sizes >= max(SMALLEST, SMALLEST_PART * sizes.max())
    steepness = _steepness(ink, parts, len(sizes))
    sizes[steepness < STEEP * steepness[large].max(initial=0)] = 0
    # A shadow or an edge of the paper reaches the border; so does a digit in a tight frame.
    inside = sizes.copy()
    inside[np.unique(np.concatenate([parts[[0, -1]].ravel(), parts[:, [0, -1]].ravel()]))] = 0
    doubts = []
    kept = sizes
    if inside.max() >= LARGE_PART * sizes.max():
        kept = inside
        if sizes.max() > inside.max():
            doubts.append("a larger shape at the picture's edge was left out")
    kept = np.where(kept >= max(1, SMALLEST_PART * kept.max()), kept, 0)
    others = _others(parts, kept)
    if others:
        doubts.append(
            f"there are {1 + len(others)} shapes in the picture, and the largest was read"
        )
        kept[others] = 0
    strokes: Mask = (kept > 0)[parts]
    return strokes, doubts


def _steepness(ink: Grey, parts: NDArray[np.int32], count: int) -> NDArray[np.float64]:
    """How steep the outlines of parts are: light fades slowly, and strokes begin at once."""
    steep = ndimage.gaussian_gradient_magnitude(ink, 1.0)
    outline = (parts > 0) & (ndimage.minimum_filter(parts, 3) == 0)
    sums = np.bincount(parts[outline], weights=steep[outline], minlength=count)
    means: NDArray[np.float64] = sums / np.maximum(np.bincount(parts[outline], minlength=count), 1)
    return means


def _others(parts: NDArray[np.int32], sizes: NDArray[np.int64]) -> list[int]:
    """The parts that belong to no digit together with the largest: too far away, or beside it.

    A digit's own parts are near each other: the bar of a 5, the pieces of a broken stroke.
    """
    first = int(sizes.argmax())
    boxes = ndimage.find_objects(parts)
    rows, columns = boxes[first - 1]
    height, width = rows.stop - rows.start, columns.stop - columns.start
    found = []
    for part in np.flatnonzero(sizes >= ANOTHER * sizes[first]).tolist():
        down, right = boxes[part - 1]
        below = max(down.start - rows.stop, rows.start - down.stop)
        aside = max(right.start - columns.stop, columns.start - right.stop)
        high = down.stop - down.start >= BESIDE * height
        if part != first and (
            max(below, aside) >= APART * max(height, width) or (aside >= 0 and high)
        ):
            found.append(part)
    return found
