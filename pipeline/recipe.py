"""One experiment as a typed, checked value, read from a TOML file.

The classes below, and those of the layers in ``recipe_layers``, are the table of all settings: each
with its type, legal range and default. A key that is not in them is an error, so a misspelt setting
never passes silently.
"""

import re
from pathlib import Path
from typing import Annotated, Any, Literal

import pydantic
from pydantic import Field

from pipeline.errors import PipelineError
from pipeline.files import MOST_LEVELS, parse_toml, read_json, read_toml
from pipeline.recipe_faults import explain_faults
from pipeline.recipe_layers import Layer
from pipeline.recipe_values import Count, NotNegative, Positive, Section, Share


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


# ---- augmentation, split, training and prediction ------------------------------------------------
class AugmentationSection(Section):
    """How far training images are distorted at random, anew in each epoch.

    pipeline/nn/augmentation.py says what each value does.
    """

    shift_pixels: NotNegative = 0.0
    angle_degrees: NotNegative = 0.0
    scale: Share = 0.0
    shear: NotNegative = 0.0
    elastic_pixels: NotNegative = 0.0
    elastic_smoothness: Positive = 4.0


class SplitSection(Section):
    """Which rows of train.csv are held out; the same for every run with the same values here.

    hold_out: a share of the rows (below 1), or a number of rows (default: a tenth).
    folds, fold: instead of it, the fold with this number, from 0, of so many equal ones.
    refit: predict with a second network, trained on all rows for as many epochs as the first.
    """

    hold_out: Annotated[float, Field(gt=0, lt=1)] | Count | None = 0.1
    folds: Annotated[int, Field(ge=2)] | None = None
    fold: Annotated[int, Field(ge=0)] | None = None
    seed: Annotated[int, Field(ge=0)] = 0
    refit: bool = False

    @pydantic.model_validator(mode="before")
    @classmethod
    def _folds_replace_the_hold_out(cls, values: Any) -> Any:
        if not isinstance(values, dict) or values.get("folds", values.get("fold")) is None:
            return values
        if values.get("hold_out") is not None:
            raise ValueError("give either hold_out, or folds and fold")
        return {**values, "hold_out": None}

    @pydantic.model_validator(mode="after")
    def _fold_is_one_of_the_folds(self) -> "SplitSection":
        if (self.folds is None) != (self.fold is None):
            raise ValueError("folds and fold go together")
        if self.folds is not None and self.fold is not None and self.fold >= self.folds:
            raise ValueError(f"fold must be below folds, which is {self.folds}")
        return self

    @property
    def record(self) -> dict[str, Any]:
        """What identifies the split on the same digits; ``folds.find_split`` takes it."""
        if self.folds is None:
            return {"kind": "hold_out", "size": self.hold_out, "seed": self.seed}
        return {"kind": "fold", "folds": self.folds, "fold": self.fold, "seed": self.seed}


class TrainingSection(Section):
    """How long and how; pipeline/nn/training.py says what each value does.

    batch_size: a number of rows, or "all" for gradient descent on the whole training part.
    least_steps: of the optimizer; where rows are few, there are as many epochs as these take.
    """

    epochs: Count
    least_steps: Annotated[int, Field(ge=0)] = 0
    batch_size: Count | Literal["all"] = 128
    label_smoothing: Share = 0.0
    average_decay: Share = 0.0
    patience: Annotated[int, Field(ge=0)] = 0
    evaluate_every: Count = 1
    shards: Annotated[int, Field(ge=1, le=64)] = 2


class PredictionSection(Section):
    """How a digit is read.

    views: of the digit, whose probabilities are averaged; pipeline/prediction.py says which.
    """

    views: Literal[1, 5, 9] = 1


class Recipe(Section):
    """A whole experiment; the same recipe, data and seed give the same network, bit for bit."""

    description: str
    seed: Annotated[int, Field(ge=0)] = 0
    split: SplitSection = SplitSection()
    network: NetworkSection
    optimizer: Optimizer
    schedule: Schedule = ConstantSchedule(kind="constant")
    augmentation: AugmentationSection | None = None
    training: TrainingSection
    prediction: PredictionSection = PredictionSection()


def read_recipe(
    path: Path,
    *,
    seed: int | None = None,
    overrides: tuple[str, ...] = (),
    fold: tuple[int, int] | None = None,
) -> Recipe:
    """Read a recipe and apply the seed and the overrides ("training.epochs=5") to it.

    fold: its number and how many there are; it replaces what the recipe itself holds out.
    Raises PipelineError naming the file, the key and what is wrong with it.
    """
    values = read_toml(path)
    if fold is not None and isinstance(split := values.setdefault("split", {}), dict):
        split.pop("hold_out", None)
        split["fold"], split["folds"] = fold
        # On all rows every fold would train the same network; the folds' own ones predict.
        split["refit"] = False
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


def recipe_of_record(path: Path) -> Recipe:
    """Read a resolved recipe back from the JSON file in a run's folder.

    Raises PipelineError if the file is damaged, or of a version with other settings.
    """
    values = read_json(path)
    try:
        return Recipe.model_validate(values)
    except pydantic.ValidationError as error:
        raise PipelineError(
            f"{path} is no recipe that this version reads: "
            f"{'; '.join(explain_faults(error, values)[:3])}",
            remedy="Check out the commit with which the run was trained, or train it again.",
        ) from None


def _apply_override(values: dict[str, Any], override: str) -> None:
    """Set one value by its dotted key; numbers in the key index lists: network.layers.1.units."""
    key, equals, text = override.partition("=")
    if not equals or not re.fullmatch(r"[A-Za-z_][\w.]*", key):
        raise PipelineError(
            f"SET={override}: not of the form key=value", remedy='Example: SET="training.epochs=5"'
        )
    try:
        values_of_text = parse_toml(f"value = {text}")
    except ValueError:
        values_of_text = {}
    # A bare word is a text: optimizer.kind=sgd
    value = values_of_text["value"] if set(values_of_text) == {"value"} else text
    *parents, last = key.split(".")
    if len(parents) > MOST_LEVELS:
        raise PipelineError(f"SET={override}: the recipe has no such key")
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
