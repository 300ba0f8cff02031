"""Made photographs of real digits: a pen's strokes on paper, in light of some kind.

A digit of the data is scaled up smoothly and drawn by a pen, on paper, in light; light multiplies
what paper and ink reflect. What a camera adds comes last: softness, grain, and JPEG.
"""

import io
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

Digit = NDArray[np.uint8]
Field = NDArray[np.float32]

BRIGHTEST = 235  # grey levels of white paper in the best light
DIRECTIONS = ("N", "NE", "E", "SE", "S", "SW", "W", "NW")
LIGHTS = (*DIRECTIONS, "spot", "dark corners")
SPANS = (0, 40, 80, 120, 160, 200)  # grey levels between white paper's brightest and darkest place
SHADOWS = ("none", "none", "straight", "hand")
LONGEST = (60, 100, 160, 300, 600, 800, 1_200, 2_000, 4_000)
SHARES = (0.06, 0.1, 0.17, 0.22, 0.2, 0.15, 0.06, 0.025, 0.015)  # of the sizes
ASPECTS = (0.56, 0.75, 1.0)
CLOCKWISE = ((1, 0), (1, -1), (0, -1), (-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1))  # from N
GRAIN = 6  # times as many pixels as the data's digits have, in which strokes are thinned

# What they reflect, in red, green and blue.
PAPERS = {
    "white": (1.0, 1.0, 1.0),
    "yellow": (1.0, 0.93, 0.66),
    "squared": (0.98, 0.98, 1.0),
    "lined": (1.0, 1.0, 0.97),
    "rough": (0.93, 0.91, 0.88),
    "coarse JPEG": (1.0, 1.0, 1.0),
    "blackboard": (0.13, 0.17, 0.15),
}
# Breadth as a share of the digit's height, and colours.
PENS = {
    "pencil": ((0.03, 0.045), [(0.45, 0.45, 0.47), (0.6, 0.6, 0.6)]),
    "ballpoint": ((0.035, 0.06), [(0.15, 0.2, 0.55), (0.15, 0.15, 0.17), (0.75, 0.15, 0.2)]),
    "felt": (
        (0.08, 0.12),
        [(0.1, 0.1, 0.12), (0.1, 0.3, 0.75), (0.85, 0.2, 0.15), (0.1, 0.5, 0.25)],
    ),
    "marker": ((0.15, 0.19), [(0.08, 0.08, 0.1), (0.15, 0.15, 0.6), (0.95, 0.5, 0.1)]),
    "chalk": ((0.07, 0.13), [(0.88, 0.88, 0.86), (0.9, 0.85, 0.5)]),
}
# A person reads strokes that differ from the paper beside them by so many grey levels in some
# colour, so many times as much as the grain, and more than ruled lines do; that are so many pixels
# broad in the picture; and so large a share of it, or they are lost when it is shown whole.
LEAST_DIFFERENCE = 25
LEAST_OVER_GRAIN = 3
LEAST_OVER_LINES = 1.5
LEAST_BREADTH = 2
LEAST_SHARE = 1 / 700


@dataclass(frozen=True)
class Scene:
    """How a digit is photographed.

    span: grey levels.  size: height and width.  height: the digit's, in pixels.
    breadth: the strokes', in pixels.  ink: what it reflects.  place: of the digit's middle, as
    shares of the room there is.  blur: in pixels.  noise: in grey levels.
    """

    light: str
    span: int
    shadow: str
    paper: str
    pen: str
    size: tuple[int, int]
    height: int
    breadth: float
    ink: tuple[float, float, float]
    place: tuple[float, float]
    blur: float
    noise: float
    quality: int
    seed: int


@dataclass(frozen=True)
class Photograph:
    """content: a JPEG file.  strokes: (H, W) bool, where ink is.  readable: whether by a person."""

    content: bytes
    strokes: NDArray[np.bool_]
    readable: bool


def scene(rng: np.random.Generator) -> Scene:
    """Choose a scene."""
    paper = str(rng.choice(list(PAPERS)))
    pens = ["chalk"] if paper == "blackboard" else [pen for pen in PENS if pen != "chalk"]
    pen = str(rng.choice(pens))
    (least, most), inks = PENS[pen]
    longest, aspect = int(rng.choice(LONGEST, p=SHARES)), float(rng.choice(ASPECTS))
    size = (longest, round(aspect * longest))
    if rng.random() < 0.5:
        size = size[::-1]
    height = max(18, round(rng.uniform(0.2, 0.75) * min(size)))
    quality = int(rng.integers(8, 20) if paper == "coarse JPEG" else rng.integers(60, 95))
    return Scene(
        light=str(rng.choice(LIGHTS)),
        span=int(rng.choice(SPANS)),
        shadow=str(rng.choice(SHADOWS)),
        paper=paper,
        pen=pen,
        size=size,
        height=height,
        breadth=max(1.0, rng.uniform(least, most) * height),
        ink=inks[rng.integers(len(inks))],
        place=(float(rng.uniform(0.03, 0.97)), float(rng.uniform(0.03, 0.97))),
        blur=float(rng.uniform(0.4, 1.2) * max(1.0, longest / 1_000)),
        noise=float(rng.uniform(1, 4) * (2 if paper == "rough" else 1)),
        quality=quality,
        seed=int(rng.integers(2**32)),
    )


def draw(digit: Digit, scene: Scene) -> Photograph:
    """Photograph a digit, (28, 28) uint8, bright on black."""
    rng = np.random.default_rng(scene.seed)
    strokes = _placed(_penned(digit, scene.height, scene.breadth), scene)
    light = _light(scene) * _shadow(scene, rng)
    ground, lines = _ground(scene, rng)
    if scene.pen in ("pencil", "chalk"):  # neither covers all the paper's grain
        strokes *= 1 - 0.35 * rng.random(strokes.shape, np.float32)
    levels = []
    for paper, ink in zip(PAPERS[scene.paper], scene.ink, strict=True):
        reflected = paper * ground * (1 - strokes) + ink * strokes
        levels.append(BRIGHTEST * ndimage.gaussian_filter(light * reflected, scene.blur))
    pixels = np.stack(levels, axis=-1)
    pixels += scene.noise * rng.standard_normal((*scene.size, 1), np.float32)
    stream = io.BytesIO()
    image = Image.fromarray(np.clip(np.rint(pixels), 0, 255).astype(np.uint8))
    image.save(stream, "JPEG", quality=scene.quality)
    inked = strokes > 0.3
    return Photograph(stream.getvalue(), inked, _readable(scene, light[inked], lines))


def _readable(scene: Scene, light: Field, lines: float) -> bool:
    """Whether a person would read it.  light: at the strokes.  lines: how dark ruled lines are."""
    apart = max(abs(ink - paper) for ink, paper in zip(scene.ink, PAPERS[scene.paper], strict=True))
    cover = 0.8 if scene.pen in ("pencil", "chalk") else 1.0
    difference = BRIGHTEST * cover * apart * float(np.percentile(light, 25))
    return (
        difference >= LEAST_DIFFERENCE
        and difference >= LEAST_OVER_GRAIN * scene.noise
        and cover * apart >= LEAST_OVER_LINES * lines
        and scene.breadth >= LEAST_BREADTH
        and scene.breadth >= LEAST_SHARE * max(scene.size)
    )


def _penned(digit: Digit, height: int, breadth: float) -> Field:
    """A digit as strokes of one breadth, 0 to 1, cut out to its edges."""
    line = _middle_line(digit.tobytes())
    rows, columns = (np.flatnonzero(line.any(axis=axis)) for axis in (1, 0))
    tall, wide = np.ptp(rows) + 1, np.ptp(columns) + 1
    times = max(1.0, height - breadth) / max(tall, 0.5 * wide)
    margin = int(breadth / 2) + 2
    shape = (int(tall * times) + 2 * margin, int(wide * times) + 2 * margin)
    points = np.zeros(shape, np.bool_)
    # A finer path than pixels are, so that it has no gaps: between neighbours on the line.
    at = np.argwhere(line)
    for step in ((0, 1), (1, 0), (1, 1), (1, -1)):
        beside = at + step
        inside = np.asarray(((beside >= 0) & (beside < line.shape)).all(axis=1))
        beside = np.where(inside[:, None], beside, at)
        inside &= line[beside[:, 0], beside[:, 1]]
        for share in np.linspace(0, 1, max(2, int(2 * times))):
            path = (at[inside] + share * np.array(step) - (rows[0], columns[0])) * times + margin
            points[tuple(path.astype(int).T)] = True
    distance = ndimage.distance_transform_edt(~points)
    drawn: Field = np.clip(breadth / 2 + 0.5 - distance, 0, 1).astype(np.float32)
    return drawn


@cache
def _middle_line(digit: bytes) -> NDArray[np.bool_]:
    """The middle of a digit's strokes, one pixel broad, in GRAIN times as many pixels.

    The thinning of Zhang and Suen 1984, "A fast parallel algorithm for thinning digital patterns".
    """
    pixels = np.frombuffer(digit, np.uint8).reshape(28, 28).astype(np.float32) / 255
    smooth = ndimage.gaussian_filter(ndimage.zoom(pixels, GRAIN, order=3), GRAIN / 3)
    line: NDArray[np.bool_] = np.pad(np.asarray(smooth) > 0.5, 1)
    while True:
        before = line.sum()
        for half in (0, 1):
            n, ne, e, se, s, sw, w, nw = (np.roll(line, place, (0, 1)) for place in CLOCKWISE)
            ring = np.stack([n, ne, e, se, s, sw, w, nw, n])
            beside = ring[:8].sum(axis=0)
            begins = (~ring[:-1] & ring[1:]).sum(axis=0)
            ends = ~(n & e & s) & ~(e & s & w) if half == 0 else ~(n & e & w) & ~(n & s & w)
            line = line & ~((beside >= 2) & (beside <= 6) & (begins == 1) & ends)
        if line.sum() == before:
            return line


def _placed(drawn: Field, scene: Scene) -> Field:
    """Strokes in the picture; those that are too large for it are made smaller."""
    height, width = scene.size
    largest = min(0.94 * height / drawn.shape[0], 0.94 * width / drawn.shape[1])
    if largest < 1:
        drawn = ndimage.zoom(drawn, largest, order=1)
    field = np.zeros(scene.size, np.float32)
    margin = 0.02 * min(scene.size)
    top, left = (
        round(margin + share * (side - own - 2 * margin))
        for share, side, own in zip(scene.place, scene.size, drawn.shape, strict=True)
    )
    field[top : top + drawn.shape[0], left : left + drawn.shape[1]] = drawn
    return field


def _places(size: tuple[int, int]) -> tuple[Field, Field]:
    """How far down and how far right, 0 to 1: (H, 1) and (1, W) float32."""
    height, width = size
    down = np.linspace(0, 1, height, dtype=np.float32)[:, None]
    right = np.linspace(0, 1, width, dtype=np.float32)[None]
    return down, right


def _light(scene: Scene) -> Field:
    down, right = _places(scene.size)
    if scene.light in DIRECTIONS:  # from where it comes
        north = ("N" in scene.light) - ("S" in scene.light)
        east = ("E" in scene.light) - ("W" in scene.light)
        dark = (north * (down - 0.5) - east * (right - 0.5)) / (abs(north) + abs(east)) + 0.5
    else:
        centre = (0.5, 0.5) if scene.light == "dark corners" else scene.place
        dark = np.hypot(down - centre[0], right - centre[1])
        dark = (dark / dark.max()) ** (2.5 if scene.light == "dark corners" else 1)
    light: Field = (1 - scene.span / BRIGHTEST * dark).astype(np.float32)
    return np.broadcast_to(light, scene.size)


def _shadow(scene: Scene, rng: np.random.Generator) -> Field:
    """The share of the light that a shadow leaves, with a soft edge."""
    if scene.shadow == "none":
        return np.ones((1, 1), np.float32)
    down, right = _places(scene.size)
    edge, left = rng.uniform(0.01, 0.06), rng.uniform(0.45, 0.75)
    angle = rng.uniform(0, 2 * np.pi)
    towards = np.sin(angle), np.cos(angle)
    if scene.shadow == "straight":  # of a phone
        across = (down - 0.5) * towards[0] + (right - 0.5) * towards[1] - rng.uniform(-0.2, 0.3)
    else:  # fingers and the back of a hand, reaching in from the border
        across = np.full(scene.size, -1, np.float32)
        for finger in range(4):
            at = angle + 0.25 * (finger - 1.5)
            reach, broad = rng.uniform(0.15, 0.4), rng.uniform(0.08, 0.16)
            along = (down - 0.5) * np.sin(at) + (right - 0.5) * np.cos(at)
            aside = (down - 0.5) * np.cos(at) - (right - 0.5) * np.sin(at)
            nearest = np.maximum(reach - along, 0)
            across = np.maximum(across, broad - np.hypot(nearest, aside))
    covered = 1 / (1 + np.exp(-across / (edge / 3)))
    shadow: Field = (1 - (1 - left) * covered).astype(np.float32)
    return shadow


def _ground(scene: Scene, rng: np.random.Generator) -> tuple[Field, float]:
    """What the paper reflects beside its colour, and how much darker its ruled lines are."""
    ground = np.ones(scene.size, np.float32)
    if scene.paper in ("squared", "lined"):
        dark = float(rng.uniform(0.12, 0.3))
        pitch = max(6.0, scene.height * rng.uniform(0.25, 0.9))
        broad = max(1.0, pitch / 25)
        for axis in (0, 1) if scene.paper == "squared" else (0,):
            at = (np.arange(scene.size[axis]) + rng.uniform(0, pitch)) % pitch < broad
            ground[at if axis == 0 else (slice(None), at)] = 1 - dark
        return ground, dark
    if scene.paper in ("rough", "blackboard"):
        depth = 0.06 if scene.paper == "rough" else 0.25
        coarse = max(2, max(scene.size) // 40)
        spots = rng.normal(0, 1, [side // coarse + 2 for side in scene.size])
        smooth = ndimage.zoom(spots, coarse, order=1)[: scene.size[0], : scene.size[1]]
        ground += np.clip(depth / 2 * smooth, -depth, depth).astype(np.float32)
    return ground, 0.0
