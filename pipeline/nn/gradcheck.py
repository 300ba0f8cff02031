"""Whether a backward pass is the derivative of its forward pass, by central differences."""

from collections.abc import Callable

import numpy as np

from pipeline.nn.arrays import Array

# What computing the function may have rounded away, in units of its last place.
ROUNDINGS = 100


def check_gradient(
    function: Callable[[], float],
    array: Array,
    gradient: Array,
    *,
    name: str = "array",
    step: float = 1e-5,
    tolerance: float = 1e-6,
) -> None:
    """Compare ``gradient`` with central differences of ``function`` in each value of ``array``.

    function: returns the loss as it is with the array's present values; no side effects.
    array: float64, changed in place and put back.  gradient: same shape.
    tolerance: the largest error allowed, as a share of the largest derivative in the array.
    However small the derivatives are, a wrong one is found, unless it is below what differences
    can tell: some 1e-9 of the function's own value.
    Raises ValueError naming the worst value, with the analytic and the numeric derivative.
    """
    if array.dtype != np.float64:
        raise ValueError(f"{name}: differences need float64, got {array.dtype}")
    if array.shape != gradient.shape:
        raise ValueError(
            f"{name}: expected a gradient of shape {array.shape}, got {gradient.shape}"
        )
    numeric = numeric_gradient(function, array, step=step)
    errors = np.abs(gradient - numeric)
    largest = float(np.abs(numeric).max(initial=0.0))
    noise = ROUNDINGS * np.finfo(np.float64).eps * abs(function()) / step
    # Said this way round, an error that is no number is one.
    if errors.size and not errors.max() <= tolerance * largest + noise:
        worst = np.unravel_index(int(errors.argmax()), errors.shape)
        raise ValueError(
            f"{name}{list(map(int, worst))}: analytic {gradient[worst]:.9g}, "
            f"numeric {numeric[worst]:.9g}, where the largest is {largest:.9g}"
        )


def numeric_gradient(function: Callable[[], float], array: Array, *, step: float = 1e-5) -> Array:
    """Return the central differences of ``function`` in each value of ``array``, of its shape.

    function, array: as in ``check_gradient``.
    """
    numeric = np.empty_like(array)
    for index in np.ndindex(array.shape):
        kept = array[index]
        array[index] = kept + step
        above = function()
        array[index] = kept - step
        below = function()
        array[index] = kept
        numeric[index] = (above - below) / (2.0 * step)
    return numeric
