"""Batch normalization: mean 0 and variance 1 over a group, then a learnt scale and shift."""

import math
from typing import Any

import numpy as np

from pipeline.nn.arrays import Array
from pipeline.nn.base import Layer, Parameter, Shape
from pipeline.nn.initializers import Constant


class BatchNorm(Layer):
    """y = scale * (x - mean) / sqrt(variance + epsilon) + shift, for each feature (last axis).

    In training, mean and (biased) variance are those of the images that are given together, over
    all axes but the last; in prediction they are running averages of them:
    running += momentum * (group - running).
    Source: Ioffe and Szegedy 2015, arXiv:1502.03167, algorithms 1 and 2.

    group: how many images of a batch ``shards`` gives together; None is half a batch, as far as
    that goes through the network at once. With fewer than a batch the statistics are noisier,
    which often helps with images that were not trained on, and several cores can share the batch.
    Source: Hoffer, Hubara and Soudry 2017, arXiv:1705.08741, algorithm 1 ("ghost").
    """

    def __init__(
        self, *, group: int | None = None, momentum: float = 0.1, epsilon: float = 1e-5
    ) -> None:
        super().__init__()
        if group is not None and group < 1:
            raise ValueError(f"a group has at least 1 image, got {group}")
        self.group = group
        self.momentum = momentum
        self.epsilon = epsilon

    def build(self, input_shape: Shape) -> Shape:
        self.features = input_shape[-1]
        return input_shape

    def parameters(self) -> list[Parameter]:
        shape = (self.features,)
        return [
            Parameter("scale", shape, Constant(1.0), "offset"),
            Parameter("shift", shape, Constant(0.0), "offset"),
            Parameter("running_mean", shape, Constant(0.0), "statistic"),
            Parameter("running_variance", shape, Constant(1.0), "statistic"),
        ]

    def forward(
        self, inputs: Array, *, training: bool = False, rng: np.random.Generator | None = None
    ) -> Array:
        values = self.values
        outputs = self.outputs(inputs.shape, inputs.dtype)
        centred = self.keep("centred", inputs.shape, inputs.dtype)
        if training:
            count = inputs.dtype.type(math.prod(inputs.shape[:-1]))
            mean = self._sum(inputs) / count
            self._across(np.subtract, inputs, mean, centred)
            np.square(centred, out=outputs)
            variance = self._sum(outputs) / count
            values["running_mean"] += self.momentum * (mean - values["running_mean"])
            values["running_variance"] += self.momentum * (variance - values["running_variance"])
        else:
            self._across(np.subtract, inputs, values["running_mean"], centred)
            variance = values["running_variance"]
        self._training = training
        self._inverse_deviation = 1.0 / np.sqrt(variance + self._epsilon(inputs.dtype))
        self._centred = centred
        self._across(np.multiply, centred, values["scale"] * self._inverse_deviation, outputs)
        return self._across(np.add, outputs, values["shift"], outputs)

    def backward(self, grad_output: Array, *, need_input: bool = True) -> Array | None:
        """With z the normalized input, m values per feature, G = dL/dy and s the scale:

        dL/dscale = sum G z,   dL/dshift = sum G.

        z = (x - mean) / sqrt(var + eps) depends on x directly, through the mean and through the
        variance. Collecting the three paths (the variance's derivative is 2 (x - mean) / m, and
        the mean's own effect on it vanishes because sum (x - mean) = 0) gives

        dL/dx = s / sqrt(var + eps) * (G - mean(G) - z mean(G z)).
        """
        product: Array = self.scratch("product", grad_output.shape, grad_output.dtype)
        np.multiply(grad_output, self._centred, out=product)
        np.multiply(self._sum(product), self._inverse_deviation, out=self.gradients["scale"])
        self.gradients["shift"][...] = self._sum(grad_output)
        if not need_input:
            return None
        factor = self.values["scale"] * self._inverse_deviation
        if not self._training:
            # Running statistics do not depend on this batch: only the direct path is left.
            return self._across(np.multiply, grad_output, factor, product)
        count = grad_output.dtype.type(math.prod(grad_output.shape[:-1]))
        slope = self.gradients["scale"] * self._inverse_deviation / count
        self._across(np.multiply, self._centred, slope, product)
        np.subtract(grad_output, product, out=product)
        self._across(np.subtract, product, self.gradients["shift"] / count, product)
        return self._across(np.multiply, product, factor, product)

    def _sum(self, values: Array) -> Array:
        """Return the sums over all axes but the last: a product with ones, which is several
        times as fast as NumPy's sum where there are few features."""
        sums = np.ones(len(values), values.dtype) @ values.reshape(len(values), -1)
        return np.asarray(sums.reshape(-1, self.features).sum(axis=0))

    def _across(self, operation: np.ufunc, values: Array, features: Array, out: Array) -> Array:
        """operation(values, features), one number for each feature, written into ``out``.

        Over a whole image at a time, because NumPy spends longer on the start of each short run
        of features than on the numbers in it.
        """
        count = len(values)
        tiled = np.tile(features, math.prod(values.shape[1:-1]))
        operation(values.reshape(count, -1), tiled, out=out.reshape(count, -1))
        return out

    def _epsilon(self, dtype: Any) -> Any:
        return np.dtype(dtype).type(self.epsilon)
