"""Cropping: the border of an image is left away."""

import numpy as np

from pipeline.nn.conv import image_shape
from pipeline.nn.initializers import Array
from pipeline.nn.layers import Layer, Shape


class Crop2D(Layer):
    """(N, H, W, C) to (N, H - 2 pixels, W - 2 pixels, C): the same number off every side.

    The digits lie in the middle, and the border, mostly empty, costs as much as they do.
    """

    by_image = True

    def __init__(self, pixels: int) -> None:
        super().__init__()
        if pixels < 1:
            raise ValueError(f"a crop takes at least 1 pixel off, got {pixels}")
        self.pixels = pixels

    def build(self, input_shape: Shape) -> Shape:
        height, width, channels = image_shape(input_shape, "a crop")
        cropped = (height - 2 * self.pixels, width - 2 * self.pixels, channels)
        if min(cropped) < 1:
            raise ValueError(f"a crop by {self.pixels} leaves nothing of {height}x{width} pixels")
        return cropped

    def forward(
        self, inputs: Array, *, training: bool = False, rng: np.random.Generator | None = None
    ) -> Array:
        self._input_shape = inputs.shape
        outputs = self.outputs((len(inputs), *self.output_shape), inputs.dtype)
        outputs[...] = self._inside(inputs)
        return outputs

    def backward(self, grad_output: Array, *, need_input: bool = True) -> Array | None:
        """A pixel that is left away does not matter: its gradient is 0, the others' is passed."""
        if not need_input:
            return None
        grad_input = self.scratch("grad_input", self._input_shape, grad_output.dtype)
        grad_input[...] = 0.0
        self._inside(grad_input)[...] = grad_output
        return grad_input

    def _inside(self, images: Array) -> Array:
        inside = slice(self.pixels, -self.pixels)
        return images[:, inside, inside]
