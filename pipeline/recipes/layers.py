"""The layers that a recipe can name, each with its settings; ``pipeline.nn`` builds them."""

from typing import Annotated, Literal

import pydantic
from pydantic import Field

from pipeline.recipes.values import Count, Padding, Positive, Section, Share, Size


# ---- initializers ------------------------------------------------------------------------------
class ConstantInitializer(Section):
    """All values the same."""

    kind: Literal["constant"]
    value: float = 0.0


class NormalInitializer(Section):
    """Normal with mean 0 and this standard deviation."""

    kind: Literal["normal"]
    scale: Positive


class UniformInitializer(Section):
    """Uniform between low and high."""

    kind: Literal["uniform"]
    low: float
    high: float

    @pydantic.model_validator(mode="after")
    def _low_is_below_high(self) -> "UniformInitializer":
        if self.low >= self.high:
            raise ValueError("low must be below high")
        return self


class HeInitializer(Section):
    """Normal with variance 2 / inputs: for layers with a rectifier after them."""

    kind: Literal["he"]


class GlorotInitializer(Section):
    """Uniform with variance 2 / (inputs + outputs): for layers without one."""

    kind: Literal["glorot"]


Initializer = Annotated[
    ConstantInitializer
    | NormalInitializer
    | UniformInitializer
    | HeInitializer
    | GlorotInitializer,
    Field(discriminator="kind"),
]


# ---- layers ------------------------------------------------------------------------------------
class FlattenLayer(Section):
    """Each image becomes one row of pixels."""

    kind: Literal["flatten"]


class DenseLayer(Section):
    """Every unit sees every input."""

    kind: Literal["dense"]
    units: Count
    weight: Initializer = HeInitializer(kind="he")
    bias: Initializer = ConstantInitializer(kind="constant")


class ReLULayer(Section):
    """Negative values become 0."""

    kind: Literal["relu"]


class LeakyReLULayer(Section):
    """Negative values are multiplied by the slope."""

    kind: Literal["leaky_relu"]
    slope: Share = 0.01


class DropoutLayer(Section):
    """In training, values become 0 at this rate, and the others larger in turn.

    channels: whole channels of an image instead of single values.
    """

    kind: Literal["dropout"]
    rate: Share
    channels: bool = False


class BatchNormLayer(Section):
    """Mean 0 and variance 1 over a group, then a learnt scale and shift.

    group: images of a batch that are measured together (half a batch unless given); the batch
    must be a whole number of them, and training.shards divide that number.
    """

    kind: Literal["batch_norm"]
    group: Count | None = None
    momentum: Annotated[float, Field(gt=0, le=1)] = 0.1
    epsilon: Positive = 1e-5


class Crop2DLayer(Section):
    """So many pixels are taken off every side of the image."""

    kind: Literal["crop2d"]
    pixels: Count


class Conv2DLayer(Section):
    """Each filter looks for one pattern, at every place of the image."""

    kind: Literal["conv2d"]
    filters: Count
    kernel: Size = 3
    stride: Size = 1
    padding: Padding = 0
    weight: Initializer = HeInitializer(kind="he")
    bias: Initializer = ConstantInitializer(kind="constant")


class MaxPool2DLayer(Section):
    """The largest value of each window; the stride is the size unless it is given."""

    kind: Literal["max_pool2d"]
    size: Size = 2
    stride: Size | None = None


class AvgPool2DLayer(Section):
    """The mean of each window; the stride is the size unless it is given."""

    kind: Literal["avg_pool2d"]
    size: Size = 2
    stride: Size | None = None


class GlobalAvgPoolLayer(Section):
    """The mean of each channel over the whole image."""

    kind: Literal["global_avg_pool"]


Layer = Annotated[
    FlattenLayer
    | DenseLayer
    | ReLULayer
    | LeakyReLULayer
    | DropoutLayer
    | BatchNormLayer
    | Crop2DLayer
    | Conv2DLayer
    | MaxPool2DLayer
    | AvgPool2DLayer
    | GlobalAvgPoolLayer,
    Field(discriminator="kind"),
]
