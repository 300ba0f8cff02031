"""The paper of a picture, with its light and shadows, told apart from the strokes on it.

Strokes are thin and have steep edges; light changes slowly, and paper is broad. So the paper is
what remains of a picture when all that is thinner than a window is taken away (an opening), for the
smallest window that still takes the strokes away whole: then the least of a shadow goes with them.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

Grey = NDArray[np.float32]
Mask = NDArray[np.bool_]

# Shares of the picture's longer side. The first is wider than any stroke.
WINDOWS = (0.4, 0.28, 0.2, 0.14, 0.1, 0.07, 0.05)
WHOLE = 0.85  # of what the widest window takes away at the strokes' edges
COARSE = 200  # pixels of the longer side in which windows are tried; paper has no finer detail
STEEP = 0.5  # of the steepest places, leaving out a few
FEW = 1_000  # one pixel of so many
SAMPLED = 2_000  # edges that windows are compared at
NEAR = 2  # pixels: so broad are the edges
MOST = 0.7  # of the picture: what the surface of its light is laid through
ROUNDS = 4
POINTS = 40  # on a side: enough for so smooth a surface
DARKEST_PAPER = 0.2  # as bright as paper is at least, where it is the brighter one
LINE = 0.8  # of the picture's side: longer than a digit's strokes are
SEEN_LINE = 0.25  # of the ink: what is fainter is grain
FAINT_LINE = 0.75  # of the ink: what is darker may be a stroke


@dataclass(frozen=True)
class Paper:
    """What is under bright ink.

    level: (H, W) float32.  widest: the same, with nothing on it that a wide window takes away.
    edges: where strokes begin.  clearness: how much windows of all sizes take away there.
    even: whether its light is.
    """

    level: Grey
    widest: Grey
    edges: Mask
    clearness: float
    even: bool


def find_paper(bright: Grey, *, even: bool) -> Paper:
    """Return the paper under ink that is brighter.

    bright: (H, W) float32, 0 to 1.  even: whether light is; then a tight frame around a digit is
    not taken for light that changes.
    """
    smooth = ndimage.gaussian_filter(bright, 1.0)
    steep = ndimage.gaussian_gradient_magnitude(bright, 1.0)
    few = max(1, steep.size // FEW)
    edges = steep >= STEEP * np.partition(steep.ravel(), -few)[-few]
    # Around some of the edges, spread over the picture.
    places = np.argwhere(edges)
    places = places[:: -(-len(places) // SAMPLED)]
    beside = np.stack(np.meshgrid(*[np.arange(-NEAR, NEAR + 1)] * 2), axis=-1).reshape(-1, 1, 2)
    around = np.clip(places + beside, 0, np.array(bright.shape) - 1)
    seen = smooth[around[..., 0], around[..., 1]]
    # No more than the step itself: beside it there may be a shadow that a window takes away, too.
    step = np.ptp(seen, axis=0)
    factor = -(-max(bright.shape) // COARSE)
    small: Grey = smooth
    if factor > 1:
        small = np.asarray(Image.fromarray(smooth).reduce(factor), np.float32)
    light = np.zeros_like(small) if even else _light(small)
    coarse = np.moveaxis((around + 0.5) / factor - 0.5, -1, 0)
    levels, taken = [], []
    for window in WINDOWS:
        levels.append(_opened(small, light, window))
        level = ndimage.map_coordinates(levels[-1], coarse, order=1, mode="nearest")
        taken.append(float(np.minimum((seen - level).max(axis=0), step).mean()))
    whole = [amount >= WHOLE * taken[0] for amount in taken]
    smallest = whole.index(False) - 1 if False in whole else len(whole) - 1
    # The one before: strokes are broader where they meet.
    chosen, widest = (
        np.minimum(_resized(levels[at], bright.shape), smooth) for at in (max(0, smallest - 1), 0)
    )
    return Paper(chosen, widest, edges, sum(taken), even)


def ink_on(bright: Grey, level: Grey) -> Grey:
    """Ink as a share of what there could be: 0 where there is none.

    Light multiplies: in a shadow, ink and paper differ by less.
    """
    ink = (bright - level) / np.maximum(1 - level, DARKEST_PAPER)
    return np.asarray(ink, np.float32)


def _opened(small: Grey, light: Grey, share: float) -> Grey:
    """The picture without what is brighter and thinner than a share of its longer side.

    Beyond the border it is mirrored, but its light goes on as it came there: light that fades
    towards the border would end in a ridge if it was mirrored, and be taken away as ink is.
    """
    window = max(3, round(share * max(small.shape)))
    pads = [(min(window, side - 1),) * 2 for side in small.shape]
    wide = np.pad(small - light, pads, mode="symmetric")
    wide += np.pad(light, pads, mode="reflect", reflect_type="odd")
    opened = ndimage.grey_opening(wide, size=(window, window))
    inside: Grey = opened[
        tuple(slice(pad, pad + side) for (pad, _), side in zip(pads, small.shape, strict=True))
    ]
    return inside


def _light(small: Grey) -> Grey:
    """A smooth surface through most of a picture: a cubic in both directions, (H, W) float32."""
    points = _resized(small, tuple(min(side, POINTS) for side in small.shape)).ravel()
    height, width = (min(side, POINTS) for side in small.shape)
    surfaces = _cubics(height, width)
    kept = np.full(len(points), True)
    for _ in range(ROUNDS):
        normal = surfaces[:, kept] @ surfaces[:, kept].T + 1e-6 * np.eye(len(surfaces))
        factors = np.linalg.solve(normal, surfaces[:, kept] @ points[kept])
        apart = np.abs(points - factors @ surfaces)
        kept = apart <= np.percentile(apart, 100 * MOST)
    light: Grey = (factors @ _cubics(*small.shape)).reshape(small.shape).astype(np.float32)
    return light


def _cubics(height: int, width: int) -> NDArray[np.float64]:
    """The terms of a cubic in both directions: (10, height * width)."""
    down, right = (np.linspace(-1, 1, side) for side in (height, width))
    terms = [(i, j) for i in range(4) for j in range(4 - i)]
    return np.stack([np.multiply.outer(down**i, right**j).ravel() for i, j in terms])


def _resized(small: Grey, shape: tuple[int, ...]) -> Grey:
    if small.shape == shape:
        return small
    resized = Image.fromarray(small).resize((shape[1], shape[0]), Image.Resampling.BILINEAR)
    return np.asarray(resized, np.float32)


def without_lines(ink: Grey, edges: Mask) -> Grey:
    """Ink without ruled lines: straight, along the picture, from border to border.

    One such line may be a stroke in a tight frame, unless it is fainter than the rest; several are
    none.
    """
    for axis in (0, 1):
        length = max(3, round(LINE * ink.shape[axis])) | 1
        # A little broader first, so that a line need not be quite straight, and without grain.
        broad = ndimage.maximum_filter1d(ink, 3, axis=1 - axis)
        even = ndimage.uniform_filter1d(broad, max(3, length // 40), axis=axis)
        kept = ndimage.minimum_filter1d(even, length, axis=axis, mode="constant")
        lines = np.maximum(ndimage.maximum_filter1d(kept, length, axis=axis), 0)
        rest = ink - lines
        peak = stroke_level(rest, edges)
        strengths = lines.max(axis=axis, keepdims=True)
        _, count = ndimage.label(strengths.ravel() > SEEN_LINE * peak)
        ink = np.asarray(
            np.where((strengths < FAINT_LINE * peak) | (count > 1), rest, ink), np.float32
        )
    return ink


def stroke_level(ink: Grey, edges: Mask) -> float:
    """How much ink there is in strokes, whatever else has edges: ruled lines, shadows."""
    beside = ndimage.maximum_filter(ink, 3)[edges]
    return float(np.median(beside[beside >= np.percentile(beside, 97) / 2]))
