"""One experiment as a typed, checked value, read from a TOML file.

The classes below, and the tables of layers, optimizers, schedules and augmentation in ``sections``,
are all settings with their legal ranges. A key that is not in them is an error, so a misspelt
setting never passes silently.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import pydantic
from pydantic import Field

from pipeline.recipes.file import RecipeFile
from pipeline.recipes.ranges import NOT_SEARCHED, TuneSection, flatten_ranges
from pipeline.recipes.sections import (
    AugmentationSection,
    Count,
    Layer,
    Optimizer,
    Schedule,
    Section,
    Share,
)
from pipeline.system.errors import PipelineError
from pipeline.system.files import MOST_LEVELS, parse_toml, read_json
from pipeline.system.records import explain_faults


class NetworkSection(Section):
    """The layers from the image to ten logits, in order."""

    layers: Annotated[list[Layer], Field(min_length=1)]


class SplitSection(Section):
    """Which rows of train.csv are held out; the same for every run with the same values here.

    hold_out: a share of the rows (below 1), or a number of rows (default: a tenth).
    folds, fold: instead of it, the fold with this number, from 0, of so many equal ones.
    locked: a share of the rows that is neither learnt from nor held out; of one data set always
    the same rows. Settings are decided without them (make decide), so that claims can be made on
    them; by default nothing is locked.
    refit: predict with a second network, trained on all rows for as many epochs as the first.
    """

    hold_out: Annotated[float, Field(gt=0, lt=1)] | Count | None = 0.1
    folds: Annotated[int, Field(ge=2)] | None = None
    fold: Annotated[int, Field(ge=0)] | None = None
    seed: Annotated[int, Field(ge=0)] = 0
    locked: Share = 0.0
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

    @pydantic.model_serializer(mode="wrap")
    def _nothing_locked_is_not_told(
        self, serialize: pydantic.SerializerFunctionWrapHandler
    ) -> dict[str, Any]:
        """Leave out ``locked`` where it is 0: what is on record of other runs stays as it was."""
        values: dict[str, Any] = serialize(self)
        if not self.locked:
            values.pop("locked", None)
        return values

    @property
    def record(self) -> dict[str, Any]:
        """What identifies the split on the same digits; ``folds.find_split`` takes it."""
        locked = {"locked": self.locked} if self.locked else {}
        if self.folds is None:
            return {"kind": "hold_out", "size": self.hold_out, "seed": self.seed} | locked
        return {"kind": "fold", "folds": self.folds, "fold": self.fold, "seed": self.seed} | locked


class TrainingSection(Section):
    """How long and how; pipeline/nn/training.py says what each value does.

    batch_size: a number of rows, or "all" for gradient descent on the whole training part.
    least_steps: of the optimizer; where rows are few, there are as many epochs as these take.
    """

    epochs: Count
    least_steps: Annotated[int, Field(ge=0, le=10**9)] = 0
    batch_size: Count | Literal["all"] = 128
    label_smoothing: Share = 0.0
    average_decay: Share = 0.0
    patience: Annotated[int, Field(ge=0)] = 0
    evaluate_every: Count = 1
    shards: Annotated[int, Field(ge=1, le=64)] | None = None


class PredictionSection(Section):
    """How a digit is read.

    views: of the digit, whose probabilities are averaged; training/prediction.py says which.
    """

    views: Literal[1, 5, 9] = 1


class Recipe(Section):
    """A whole experiment; the same recipe, data and seed give the same network, bit for bit.

    tune: what a search may try; it is no part of the experiment, nor of what is kept of one.
    """

    description: str
    seed: Annotated[int, Field(ge=0)] = 0
    split: SplitSection = SplitSection()
    network: NetworkSection
    optimizer: Optimizer
    schedule: Schedule = Field({"kind": "constant"}, validate_default=True)
    augmentation: AugmentationSection | None = None
    training: TrainingSection
    prediction: PredictionSection = PredictionSection()
    tune: Annotated[TuneSection | None, Field(exclude=True)] = None


def read_recipe(
    file: RecipeFile,
    *,
    seed: int | None = None,
    overrides: tuple[str, ...] = (),
    fold: tuple[int, int] | None = None,
) -> Recipe:
    """Read a recipe and apply the seed and the overrides ("training.epochs=5") to it.

    fold: its number and how many there are; it replaces what the recipe itself holds out.
    Ranges to search are checked against the recipe as its file has it; what overrides make of it
    may lie outside of them (``range_faults``).
    Raises PipelineError naming the file, the key and what is wrong with it.
    """
    values = file.values()
    flatten_ranges(values)
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
        recipe = Recipe.model_validate(values)
        faults = [] if overrides else range_faults(recipe)
    except pydantic.ValidationError as error:
        faults = explain_faults(error, values)
    if faults:
        raise PipelineError(
            f"{file}: {'; '.join(faults[:3])}",
            remedy="pipeline/recipes/recipe.py lists all settings with their ranges."
            if not overrides
            else f"Look at the recipe and at SET: {' '.join(overrides)}",
        )
    return recipe


def range_faults(recipe: Recipe) -> list[str]:
    """Return what is wrong with the recipe's ranges, one text for each; none without ranges.

    The recipe's own value must be in the range, and both ends, or all choices, must be allowed.
    """
    whole = recipe.model_dump()
    faults = []
    for key, found in recipe.tune.ranges.items() if recipe.tune else ():
        try:
            fault = _range_fault(recipe, key, found.ends, found.fault(value_of(whole, key)))
        except KeyError:
            fault = "the recipe has no such setting"
        if fault:
            faults.append(f"tune.ranges: {key}: {fault}")
    return faults


def _range_fault(recipe: Recipe, key: str, ends: list[Any], fault: str) -> str:
    if key.partition(".")[0] in NOT_SEARCHED:
        return "is not for a search: it changes what is measured, or luck"
    for end in ends if not fault else ():
        try:
            with_settings(recipe, {key: end})
        except ValueError as error:
            return f"{end!r} is not allowed ({error})"
    return fault


def with_settings(recipe: Recipe, settings: Mapping[str, Any]) -> Recipe:
    """Return the recipe with other values, by their dotted keys, and without ranges.

    Raises ValueError naming the key and what is wrong with it.
    """
    values = recipe.model_dump(exclude_unset=True)
    try:
        for key, value in settings.items():
            set_value(values, key, value)
        return Recipe.model_validate(values)
    except KeyError as error:
        raise ValueError(f"{error.args[0]}: the recipe has no such key") from None
    except pydantic.ValidationError as error:
        raise ValueError("; ".join(explain_faults(error, values)[:3])) from None


def recipe_of_record(path: Path) -> Recipe:
    """Read a resolved recipe back from the JSON file in a run's folder.

    Raises PipelineError if the file is damaged, or of a version with other settings.
    """
    values = read_json(path)
    try:
        return Recipe.model_validate(values)
    except pydantic.ValidationError as error:
        raise PipelineError(
            f"{path} is not a recipe that this version can read: "
            f"{'; '.join(explain_faults(error, values)[:3])}",
            remedy="Check out the commit with which the run was trained, or train it again.",
        ) from None


def _apply_override(values: dict[str, Any], override: str) -> None:
    """Apply one text like "training.epochs=5"."""
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
    try:
        set_value(values, key, value)
    except KeyError:
        raise PipelineError(f"SET={override}: the recipe has no such key") from None


def set_value(values: dict[str, Any], key: str, value: Any) -> None:
    """Set one value of a recipe by its dotted key, in place; KeyError if there can't be such a key.

    Numbers in the key index lists: network.layers.1.units. Tables that are missing are made.
    """
    *parents, last = key.split(".")
    target: Any = values
    if len(parents) > MOST_LEVELS:
        raise KeyError(key)
    try:
        for part in parents:
            target = target[int(part)] if isinstance(target, list) else target.setdefault(part, {})
        if isinstance(target, list):
            target[int(last)] = value
        else:
            target[last] = value
    except (AttributeError, IndexError, TypeError, ValueError):
        raise KeyError(key) from None


def value_of(values: Mapping[str, Any], key: str) -> Any:
    """Return one value of a recipe by its dotted key; KeyError if it has none, or None."""
    found: Any = values
    try:
        for part in key.split("."):
            found = found[int(part)] if isinstance(found, list) else found[part]
    except (IndexError, KeyError, TypeError, ValueError):
        raise KeyError(key) from None
    if found is None:
        raise KeyError(key)
    return found
