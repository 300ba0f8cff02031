"""One experiment as a typed, checked value, read from a TOML file.

The classes below are the table of all settings: each with its type, legal range and default.
A key that is not in them is an error, so a misspelt setting never passes silently.
"""

import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import pydantic
from pydantic import BaseModel, ConfigDict, Field

from pipeline.errors import PipelineError
from pipeline.recipe_faults import explain_faults

Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, lt=1)]
Count = Annotated[int, Field(ge=1)]


def _one_or_two_from(least: int) -> Callable[[Any], Any]:
    """Return a check of what stands for rows and columns; it says in one line what is allowed."""

    def check(value: Any) -> Any:
        numbers = value if isinstance(value, list) and len(value) == 2 else [value]
        if not all(type(number) is int and number >= least for number in numbers):
            raise ValueError(f"should be an integer from {least} on, or two as [rows, columns]")
        return value

    return check


# One number for rows and columns alike, or one for each.
Size = Annotated[int | list[int], pydantic.BeforeValidator(_one_or_two_from(1))]
Padding = Annotated[int | list[int], pydantic.BeforeValidator(_one_or_two_from(0))]


class Section(BaseModel):
    """A part of a recipe: no unknown keys, no conversions of types, finite numbers, no changes."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


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
    """Mean 0 and variance 1 over the batch, then a learnt scale and shift."""

    kind: Literal["batch_norm"]
    momentum: Annotated[float, Field(gt=0, le=1)] = 0.1
    epsilon: Positive = 1e-5


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
    | Conv2DLayer
    | MaxPool2DLayer
    | AvgPool2DLayer
    | GlobalAvgPoolLayer,
    Field(discriminator="kind"),
]


class NetworkSection(Section):
    """The layers from the image to ten logits, in order."""

    layers: Annotated[list[Layer], Field(min_length=1)]


# ---- optimizers and schedules ------------------------------------------------------------------
class SGDOptimizer(Section):
    """Gradient descent, with momentum or without."""

    kind: Literal["sgd"]
    learning_rate: Positive
    momentum: Share = 0.0
    nesterov: bool = False
    l2: NotNegative = 0.0
    weight_decay: NotNegative = 0.0

    @pydantic.model_validator(mode="after")
    def _nesterov_has_momentum(self) -> "SGDOptimizer":
        if self.nesterov and not self.momentum:
            raise ValueError("nesterov needs a momentum above 0")
        return self


class AdamWOptimizer(Section):
    """Adam; weight_decay shrinks the weights directly, l2 by way of the gradient."""

    kind: Literal["adamw"]
    learning_rate: Positive
    beta1: Share = 0.9
    beta2: Share = 0.999
    epsilon: Positive = 1e-8
    l2: NotNegative = 0.0
    weight_decay: NotNegative = 0.0


Optimizer = Annotated[SGDOptimizer | AdamWOptimizer, Field(discriminator="kind")]


class ConstantSchedule(Section):
    """The optimizer's learning rate throughout."""

    kind: Literal["constant"]


class StepSchedule(Section):
    """Multiplied by decay after every so many epochs."""

    kind: Literal["step"]
    every_epochs: Count
    decay: Annotated[float, Field(gt=0, le=1)] = 0.1


class ExponentialSchedule(Section):
    """Multiplied by decay over each epoch."""

    kind: Literal["exponential"]
    decay: Annotated[float, Field(gt=0, le=1)]


class CosineSchedule(Section):
    """Down to the share ``final`` along half a cosine."""

    kind: Literal["cosine"]
    final: Annotated[float, Field(ge=0, le=1)] = 0.0


class OneCycleSchedule(Section):
    """Up from the share ``start`` to 1, then down to ``final``, along half cosines."""

    kind: Literal["one_cycle"]
    warmup: Share = 0.3
    start: Annotated[float, Field(gt=0, le=1)] = 0.04
    final: Annotated[float, Field(ge=0, le=1)] = 0.0001


Schedule = Annotated[
    ConstantSchedule | StepSchedule | ExponentialSchedule | CosineSchedule | OneCycleSchedule,
    Field(discriminator="kind"),
]


# ---- split and training ------------------------------------------------------------------------
class SplitSection(Section):
    """Which rows of train.csv are held out; the same for every run with the same two values.

    hold_out: a share of the rows (below 1), or a number of rows.
    """

    hold_out: Annotated[float, Field(gt=0, lt=1)] | Count = 0.1
    seed: Annotated[int, Field(ge=0)] = 0


class TrainingSection(Section):
    """How long and how; pipeline/nn/training.py says what each value does.

    batch_size: a number of rows, or "all" for gradient descent on the whole training part.
    """

    epochs: Count
    batch_size: Count | Literal["all"] = 128
    label_smoothing: Share = 0.0
    average_decay: Share = 0.0
    patience: Annotated[int, Field(ge=0)] = 0
    evaluate_every: Count = 1
    shards: Annotated[int, Field(ge=1, le=64)] = 2


class Recipe(Section):
    """A whole experiment; the same recipe, data and seed give the same network, bit for bit."""

    description: str
    seed: Annotated[int, Field(ge=0)] = 0
    split: SplitSection = SplitSection()
    network: NetworkSection
    optimizer: Optimizer
    schedule: Schedule = ConstantSchedule(kind="constant")
    training: TrainingSection


def read_recipe(path: Path, *, seed: int | None = None, overrides: tuple[str, ...] = ()) -> Recipe:
    """Read a recipe and apply the seed and the overrides ("training.epochs=5") to it.

    Raises PipelineError naming the file, the key and what is wrong with it.
    """
    try:
        with path.open("rb") as stream:
            values = tomllib.load(stream)
    except OSError as error:
        raise PipelineError(f"{path}: cannot be read ({error.strerror})") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PipelineError(f"{path}: not valid TOML: {error}") from None
    for override in overrides:
        _apply_override(values, override)
    if seed is not None:
        values["seed"] = seed
    try:
        return Recipe.model_validate(values)
    except pydantic.ValidationError as error:
        raise PipelineError(
            f"{path}: {'; '.join(explain_faults(error, values)[:3])}",
            remedy="pipeline/recipe.py lists all settings with their ranges."
            if not overrides
            else f"Look at the recipe and at SET: {' '.join(overrides)}",
        ) from None


def _apply_override(values: dict[str, Any], override: str) -> None:
    """Set one value by its dotted key; numbers in the key index lists: network.layers.1.units."""
    key, equals, text = override.partition("=")
    if not equals or not re.fullmatch(r"[A-Za-z_][\w.]*", key):
        raise PipelineError(
            f"SET={override}: not of the form key=value", remedy='Example: SET="training.epochs=5"'
        )
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text  # a bare word is a text: optimizer.kind=sgd
    *parents, last = key.split(".")
    target: Any = values
    try:
        for part in parents:
            target = target[int(part)] if isinstance(target, list) else target.setdefault(part, {})
        if isinstance(target, list):
            target[int(last)] = value
        else:
            target[last] = value
    except (AttributeError, IndexError, TypeError, ValueError):
        raise PipelineError(f"SET={override}: the recipe has no such key") from None
