"""Batch normalization: mean 0 and variance 1 over a group, then a learnt scale and shift."""

import math

import numpy as np

from pipeline.nn.arrays import Array
from pipeline.nn.base import Layer, Parameter, Shape
from pipeline.nn.initializers import Constant

# What is summed up for each feature: ones, values and squares on the way forward; ones, gradients
# and gradients times inputs on the way back.
SUMS = 3
WAYS = 2


class _Known:
    """What is known of a group on one way, computed once for all its replicas that a worker has.

    lines: numbers for each feature, repeated along a row of pixels of all images. NumPy spends
    longer on the start of each short run of features than on the numbers in it.
    """

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """The group is being measured anew."""
        self.values: tuple[Array, ...] = ()
        self.lines: dict[int, list[Array]] = {}

    def lines_for(self, values: Array, *each: Array) -> list[Array]:
        """Return the numbers of each feature as rows for these values."""
        length = values[0].size
        if length not in self.lines:
            repeats = length // values.shape[-1]
            self.lines[length] = [np.tile(one.astype(values.dtype), repeats) for one in each]
        return self.lines[length]


class BatchNorm(Layer):
    """y = scale * (x - mean) / sqrt(variance + epsilon) + shift, for each feature (last axis).

    In training, mean and (biased) variance are those of a group of images, over all axes but the
    last; in prediction they are running averages of them: running += momentum * (group - running).
    Source: Ioffe and Szegedy 2015, arXiv:1502.03167, algorithms 1 and 2.

    group: how many images of a batch are measured together; None is half a batch, as far as that
    goes through the network at once. With fewer than a batch the statistics are noisier, which
    often helps with images that were not trained on.
    Source: Hoffer, Hubara and Soudry 2017, arXiv:1705.08741, algorithm 1 ("ghost").

    Several replicas may share a group. Then each one's images are measured first, on the way
    forward as on the way back, and when all of them are, each goes on with the sums of all:
    ``share_group`` gives it these, and ``Network.forward_pass`` pauses in between.
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
        self.share_group(np.zeros((WAYS, 1, SUMS, self.features)), 0)
        return input_shape

    def share_group(self, sums: Array, own: int, beside: "BatchNorm | None" = None) -> None:
        """Measure into one place of what all replicas of a group have measured.

        sums: (2, replicas, 3, features) float64, perhaps shared with other processes.
        beside: a replica of the same group that serves the same worker.
        """
        self._sums = sums
        self._own_sums = sums[:, own]
        self._known: tuple[_Known, _Known] = beside._known if beside else (_Known(), _Known())

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
        self._training = training
        if training:
            self.measure(inputs)
        else:
            self._known[0].forget()
        return self.normalize(inputs)

    def measure(self, inputs: Array) -> None:
        """Sum up values and squares, from which mean and variance follow.

        In float32 the squares' sum is good to some 1e-7 of itself, and so is the variance, times
        1 + mean^2 / variance: not exact where a feature hardly differs from its mean at all.
        """
        self._training = True
        squares = self.scratch("product", inputs.shape, inputs.dtype)
        self._note(0, inputs, np.square(inputs, out=squares))

    def normalize(self, inputs: Array) -> Array:
        """Return the outputs, once all of the group are measured."""
        known = self._known[0]
        if not known.values:
            known.values = self._find_moments()
        self._inputs = inputs
        mean, _, factor = known.values
        lines = known.lines_for(inputs, factor, self.values["shift"] - mean * factor)
        outputs = self.outputs(inputs.shape, inputs.dtype)
        np.multiply(self._rows(inputs), lines[0], out=self._rows(outputs))
        np.add(self._rows(outputs), lines[1], out=self._rows(outputs))
        return outputs

    def _find_moments(self) -> tuple[Array, Array, Array]:
        """Return mean, 1 / deviation and scale / deviation."""
        values = self.values
        if self._training:
            count, total, squares = self._sums[0].sum(axis=0)
            mean = total / count
            variance = np.maximum(squares / count - np.square(mean), 0.0)
            values["running_mean"] += self.momentum * (mean - values["running_mean"])
            values["running_variance"] += self.momentum * (variance - values["running_variance"])
        else:
            mean, variance = values["running_mean"].copy(), values["running_variance"]
        inverse_deviation = 1.0 / np.sqrt(variance + self.epsilon)
        return mean, inverse_deviation, values["scale"] * inverse_deviation

    def backward(self, grad_output: Array, *, need_input: bool = True) -> Array | None:
        """With z the normalized input, m values per feature, G = dL/dy and s the scale:

        dL/dscale = sum G z,   dL/dshift = sum G.

        z = (x - mean) / sqrt(var + eps) depends on x directly, through the mean and through the
        variance. Collecting the three paths (the variance's derivative is 2 (x - mean) / m, and
        the mean's own effect on it vanishes because sum (x - mean) = 0) gives

        dL/dx = s / sqrt(var + eps) * (G - mean(G) - z mean(G z)),

        which is, for each feature, one number times G, one times x, and a third.
        """
        self.measure_gradient(grad_output)
        return self.finish_backward() if need_input else None

    def measure_gradient(self, grad_output: Array) -> None:
        """Sum up G and G x; fill this replica's own share of the parameters' gradients."""
        shape, dtype = grad_output.shape, grad_output.dtype
        product = self.scratch("product", shape, dtype)
        self._note(1, grad_output, np.multiply(grad_output, self._inputs, out=product))
        mean, inverse_deviation, _ = self._known[0].values
        _, total, with_inputs = self._own_sums[1]
        self.gradients["shift"][...] = total
        self.gradients["scale"][...] = inverse_deviation * (with_inputs - mean * total)
        # G itself need not last until all are measured: its term does.
        factor = self._known[0].lines[grad_output[0].size][0]
        self._scaled = self.keep("scaled", shape, dtype)
        np.multiply(self._rows(grad_output), factor, out=self._rows(self._scaled))

    def finish_backward(self) -> Array:
        """Return dL/dx, once the whole group's gradients are measured."""
        if not self._training:
            # Running statistics do not depend on this batch: only the direct path is left.
            return self._scaled
        known = self._known[1]
        if not known.values:
            mean, inverse_deviation, factor = self._known[0].values
            count, total, with_inputs = self._sums[1].sum(axis=0)
            slope = -factor * np.square(inverse_deviation) * (with_inputs - mean * total) / count
            known.values = slope, -factor * total / count - slope * mean
        slope_line, offset_line = known.lines_for(self._scaled, *known.values)
        product = self.scratch("product", self._scaled.shape, self._scaled.dtype)
        rows = self._rows(product)
        np.multiply(self._rows(self._inputs), slope_line, out=rows)
        np.add(rows, offset_line, out=rows)
        return np.add(product, self._scaled, out=product)

    def measure_nothing(self) -> None:
        """Have no part in the group, since there are fewer images than replicas."""
        self._own_sums[...] = 0.0

    def _note(self, way: int, values: Array, products: Array) -> None:
        self._known[way].forget()
        own = self._own_sums[way]
        own[0] = math.prod(values.shape[:-1])
        own[1], own[2] = self._sum(values), self._sum(products)

    def _sum(self, values: Array) -> Array:
        """Return the sums over all axes but the last: a product with ones, which is several
        times as fast as NumPy's sum where there are few features."""
        rows = self._rows(values)
        ones = self.scratch("ones", (len(rows),), values.dtype)
        ones[...] = 1.0
        sums: Array = np.matmul(ones, rows)
        features: Array = np.add.reduce(sums.reshape(-1, self.features), axis=0)
        return features

    @staticmethod
    def _rows(values: Array) -> Array:
        """Maps (H, W, N, C) as (H, W * N * C); features (N, F) as they are."""
        return values.reshape(len(values), -1)
