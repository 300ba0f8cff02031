"""Whether numbers that are right one by one are digits as a whole, as a look would tell."""

import numpy as np
import numpy.typing as npt

from pipeline.digits.dialect import PIXELS, SIDE_PIXELS, Dialect
from pipeline.system.errors import PipelineError

# Ones stand upright: over any ten of MNIST's, the ink is spread along the height at least 1.4 times
# as far as along the width. Where it is the other way round, they lie on their sides.
ENOUGH_ONES = 10
LYING = 1.4


class Plausibility:
    """What is remembered of the digits while they pass by; it takes no more memory for more."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._highest = 0
        self._labels: set[int] = set()
        self._count_of_ones = 0
        self._ones = np.zeros((SIDE_PIXELS, SIDE_PIXELS), np.int64)

    def add(self, images: npt.NDArray[np.uint8], labels: npt.NDArray[np.uint8]) -> None:
        """Look at the next images (n, 28, 28) and labels, (n,) or none at all."""
        self._highest = max(self._highest, int(images.max()))
        self._labels.update(np.unique(labels).tolist())
        if len(labels):
            ones = images[labels == 1]
            self._count_of_ones += len(ones)
            self._ones += ones.sum(axis=0, dtype=np.int64)

    def check(self, name: str) -> None:
        """Raise PipelineError, beginning with ``name``, if the numbers can't be digits."""
        if self._highest == 1:
            raise PipelineError(
                f"{name}: no pixel is above 1; they look like pixels from 0 to 1, "
                "and they must be from 0 to 255"
            )
        if not self._dialect.has_header and self._dialect.label == 0 and self._labels == {0}:
            raise PipelineError(
                f"{name}: there is no header, and all values of column {self._dialect.columns[0]} "
                f"are 0; if the labels are not there, name the columns: {PIXELS} pixels and label"
            )
        if self._count_of_ones >= ENOUGH_ONES:
            height, width = (_spread(self._ones.sum(axis=axis)) for axis in (1, 0))
            if width > LYING * height:
                raise PipelineError(
                    f"{name}: the ones lie on their sides; it looks like pixels column by column, "
                    "and they must be row by row"
                )


def _spread(ink: npt.NDArray[np.int64]) -> float:
    """The standard deviation of the places (28,) where ink is; 0 where there is none."""
    if not ink.any():
        return 0.0
    places = np.arange(SIDE_PIXELS)
    mean = np.average(places, weights=ink)
    return float(np.sqrt(np.average((places - mean) ** 2, weights=ink)))
