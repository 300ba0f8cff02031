"""Layers that treat each image by itself, gone through together for a few images at a time.

An operation on a whole batch of feature maps streams them from memory and back, and so does the
next one. A few images' maps stay in a core's own cache from the first of these layers to the last.
"""

import itertools

import numpy as np

from pipeline.nn.arrays import Array, part_of
from pipeline.nn.base import Layer, Shape

# Values that a layer handles at once, its scratch memory included: about three MiB. Of much more,
# little is still in the cache when the next layer comes; much less makes many small operations,
# each with its fixed cost. At a quarter of this, training takes a tenth longer.
BLOCK_VALUES = 800_000


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
        self._images_at_once = max(1, BLOCK_VALUES // most)
        read_later = True  # the outputs of a single block are handed on as they are
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
        self._input_shape = inputs.shape
        blocks = self._blocks(inputs.shape[2])
        for number, block in enumerate(blocks):
            values = part_of(inputs, block)
            # Without a backward pass to come, nothing is kept, and the first twins do it all.
            for layer in self._twins_of(number if training else 0):
                values = layer.forward(values, training=training, rng=rng)
            if len(blocks) == 1:
                return values
            if not number:
                outputs = self.outputs(self._whole(values, inputs.shape[2]), inputs.dtype)
            part_of(outputs, block)[...] = values
        return outputs

    def backward(self, grad_output: Array, *, need_input: bool = True) -> Array | None:
        """The chain rule, block by block; ``forward`` must have been in training."""
        grad_input = None
        blocks = self._blocks(self._input_shape[2])
        if need_input and len(blocks) > 1:
            grad_input = self.scratch("grad_input", self._input_shape, grad_output.dtype)
        last = 0 if need_input else self._first_trained
        for layer in self.layers:
            layer.begin_backward()
        for number, block in enumerate(blocks):
            gradient: Array | None = part_of(grad_output, block)
            twins = self._twins_of(number)
            for place in range(len(twins) - 1, last - 1, -1):
                assert gradient is not None
                gradient = twins[place].backward(gradient, need_input=need_input or place > last)
            if grad_input is not None:
                part_of(grad_input, block)[...] = gradient
        for layer in self.layers:
            layer.end_backward()
        return gradient if len(blocks) == 1 else grad_input

    def share_scratch(self, other: Layer) -> None:
        super().share_scratch(other)
        assert isinstance(other, Blocks)
        for own, others in zip(self.layers, other.layers, strict=True):
            own.share_scratch(others)

    def share_prepared(self, other: Layer) -> None:
        assert isinstance(other, Blocks)
        for own, others in zip(self.layers, other.layers, strict=True):
            own.share_prepared(others)

    def prepare(self, part: int = 0, parts: int = 1) -> None:
        for layer in self.layers:
            layer.prepare(part, parts)

    def _blocks(self, images: int) -> list[slice]:
        """Cut so many images into blocks, as even as can be."""
        count = -(-images // self._images_at_once)
        ends = [images * number // count for number in range(count + 1)]
        return [slice(start, end) for start, end in itertools.pairwise(ends)]

    def _whole(self, part: Array, images: int) -> Shape:
        """The shape of so many images' values, of which a part is given."""
        return (*part.shape[:-2], images, part.shape[-1])

    def _twins_of(self, block: int) -> list[Layer]:
        while len(self._twins) <= block:
            self._twins.append([layer.twin() for layer in self.layers])
        return self._twins[block]
