"""Layers that treat each image by itself, gone through together for a few images at a time.

An operation on a whole batch of feature maps streams them from memory and back, and so does the
next one. A few images' maps stay in a core's own cache from the first of these layers to the last.
"""

from collections.abc import Iterator

import numpy as np

from pipeline.nn.arrays import Array
from pipeline.nn.base import Layer, Shape

# Values that a layer handles at once, its scratch memory included: one or two MiB. Of much more,
# little is still in the cache when the next layer comes; much less makes many small operations,
# each with its fixed cost. At half or twice of this, training takes a tenth or two longer.
BLOCK_VALUES = 400_000


class Blocks(Layer):
    """Some consecutive layers as one.

    Each block of images has its own twin of each layer, which keeps what ``backward`` needs.
    What nobody needs later stands in memory that all twins share, and so stays in the cache.
    """

    def __init__(self, layers: list[Layer]) -> None:
        super().__init__()
        self.layers = layers
        self._first_trained = next(
            (number for number, layer in enumerate(layers) if layer.is_trained), len(layers)
        )
        self._twins: list[list[Layer]] = []

    def build(self, input_shape: Shape) -> Shape:
        """Take the shapes from the layers, which are built already."""
        most = max(layer.values_at_once for layer in self.layers)
        self.images_at_once = max(1, BLOCK_VALUES // most)
        read_later = False
        for layer in reversed(self.layers):
            layer.keeps_outputs = layer.reads_outputs or read_later
            read_later = layer.reads_inputs or (layer.passes_inputs_on and read_later)
        return self.layers[-1].output_shape

    @property
    def is_trained(self) -> bool:
        return any(layer.is_trained for layer in self.layers)

    def forward(
        self, inputs: Array, *, training: bool = False, rng: np.random.Generator | None = None
    ) -> Array:
        self._inputs = inputs
        outputs = self.outputs((len(inputs), *self.output_shape), inputs.dtype)
        for layer in self.layers:
            layer.begin_forward()
        for number, block in enumerate(self._blocks(len(inputs))):
            values = inputs[block]
            # Without a backward pass to come, nothing is kept, and the first twins do it all.
            for layer in self._twins_of(number if training else 0):
                values = layer.forward(values, training=training, rng=rng)
            outputs[block] = values
        return outputs

    def backward(self, grad_output: Array, *, need_input: bool = True) -> Array | None:
        """The chain rule, block by block; ``forward`` must have been in training."""
        grad_input = None
        if need_input:
            grad_input = self.scratch("grad_input", self._inputs.shape, grad_output.dtype)
        last = 0 if need_input else self._first_trained
        for layer in self.layers:
            layer.begin_backward()
        for number, block in enumerate(self._blocks(len(grad_output))):
            gradient: Array | None = grad_output[block]
            twins = self._twins_of(number)
            for place in range(len(twins) - 1, last - 1, -1):
                assert gradient is not None
                gradient = twins[place].backward(gradient, need_input=need_input or place > last)
            if grad_input is not None:
                grad_input[block] = gradient
        for layer in self.layers:
            layer.end_backward()
        return grad_input

    def _blocks(self, images: int) -> Iterator[slice]:
        for start in range(0, images, self.images_at_once):
            yield slice(start, start + self.images_at_once)

    def _twins_of(self, block: int) -> list[Layer]:
        while len(self._twins) <= block:
            self._twins.append([layer.twin() for layer in self.layers])
        return self._twins[block]
