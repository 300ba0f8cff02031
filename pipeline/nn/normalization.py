"""Batch normalization: mean 0 and variance 1 over the batch, then a learnt scale and shift."""

import math
from typing import Any

import numpy as np

from pipeline.nn.initializers import Array, Constant
from pipeline.nn.layers import Layer, Parameter, Shape


class BatchNorm(Layer):
    """y = scale * (x - mean) / sqrt(variance + epsilon) + shift, for each feature (last axis).

    In training, mean and (biased) variance are those of the batch, over all axes but the last;
    in prediction they are running averages of them:  running += momentum * (batch - running).
    Source: Ioffe and Szegedy 2015, arXiv:1502.03167, algorithms 1 and 2.
    """

    def __init__(self, *, momentum: float = 0.1, epsilon: float = 1e-5) -> None:
        super().__init__()
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
        axes = tuple(range(inputs.ndim - 1))
        outputs = self.outputs(inputs.shape, inputs.dtype)
        normalized = self.keep("normalized", inputs.shape, inputs.dtype)
        if training:
            mean = inputs.mean(axis=axes)
            np.subtract(inputs, mean, out=normalized)
            np.square(normalized, out=outputs)
            variance = outputs.mean(axis=axes)
            values["running_mean"] += self.momentum * (mean - values["running_mean"])
            values["running_variance"] += self.momentum * (variance - values["running_variance"])
        else:
            np.subtract(inputs, values["running_mean"], out=normalized)
            variance = values["running_variance"]
        self._training = training
        self._inverse_deviation = 1.0 / np.sqrt(variance + self._epsilon(inputs.dtype))
        self._normalized = normalized
        np.multiply(normalized, self._inverse_deviation, out=normalized)
        np.multiply(normalized, values["scale"], out=outputs)
        outputs += values["shift"]
        return outputs

    def backward(self, grad_output: Array, *, need_input: bool = True) -> Array | None:
        """With z the normalized input, m values per feature, G = dL/dy and s the scale:

        dL/dscale = sum G z,   dL/dshift = sum G.

        z = (x - mean) / sqrt(var + eps) depends on x directly, through the mean and through the
        variance. Collecting the three paths (the variance's derivative is 2 (x - mean) / m, and
        the mean's own effect on it vanishes because sum (x - mean) = 0) gives

        dL/dx = s / sqrt(var + eps) * (G - mean(G) - z mean(G z)).
        """
        axes = tuple(range(grad_output.ndim - 1))
        product: Array = self.scratch("product", grad_output.shape, grad_output.dtype)
        np.multiply(grad_output, self._normalized, out=product)
        np.sum(product, axis=axes, out=self.gradients["scale"])
        np.sum(grad_output, axis=axes, out=self.gradients["shift"])
        if not need_input:
            return None
        factor = self.values["scale"] * self._inverse_deviation
        if not self._training:
            # Running statistics do not depend on this batch: only the direct path is left.
            np.multiply(grad_output, factor, out=product)
            return product
        count = grad_output.dtype.type(math.prod(grad_output.shape[:-1]))
        np.multiply(self._normalized, self.gradients["scale"] / count, out=product)
        np.subtract(grad_output, product, out=product)
        product -= self.gradients["shift"] / count
        product *= factor
        return product

    def _epsilon(self, dtype: Any) -> Any:
        return np.dtype(dtype).type(self.epsilon)
