"""Whether a backward pass is the derivative of its forward pass, by central differences."""

from collections.abc import Callable

import numpy as np

from pipeline.nn.arrays import Array


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
    The error of each value is relative to the largest gradient in the array (or 1, if that is
    smaller), since the differences carry noise in proportion to it.
    Raises ValueError naming the worst value, with the analytic and the numeric derivative.
    """
    if array.dtype != np.float64:
        raise ValueError(f"{name}: differences need float64, got {array.dtype}")
    if array.shape != gradient.shape:
        raise ValueError(
            f"{name}: expected a gradient of shape {array.shape}, got {gradient.shape}"
        )
    numeric = numeric_gradient(function, array, step=step)
    scale = max(1.0, float(np.abs(numeric).max(initial=0.0)))
    errors = np.abs(gradient - numeric) / scale
    if errors.size and errors.max() > tolerance:
        worst = np.unravel_index(int(errors.argmax()), errors.shape)
        raise ValueError(
            f"{name}{list(map(int, worst))}: analytic {gradient[worst]:.9g}, "
            f"numeric {numeric[worst]:.9g}, relative error {errors[worst]:.2g}"
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
