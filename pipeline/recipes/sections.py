"""What a recipe can say of layers, optimizers and the like, each value with its legal range.

Their names and defaults are those of the classes in ``pipeline.nn`` that they make, and stand there
alone; the tables below add the range of each value.
"""

import inspect
from collections.abc import Callable, Mapping
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

import pydantic
from pydantic import BaseModel, ConfigDict, Field

from pipeline.nn import Augmentation
from pipeline.nn.initializers import INITIALIZERS
from pipeline.nn.network import LAYERS
from pipeline.nn.optimizers import OPTIMIZERS
from pipeline.nn.schedules import SCHEDULES

Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, lt=1)]  # below the whole
Part = Annotated[float, Field(gt=0, le=1)]  # above nothing
# A billion of anything is more than a life's worth of these digits, and shows a slip of the hand.
Count = Annotated[int, Field(ge=1, le=10**9)]


def _one_or_two_from(least: int) -> Any:
    """One number for rows and columns alike, or one for each."""

    def check(value: Any) -> Any:
        numbers = value if isinstance(value, list) and len(value) == 2 else [value]
        if not all(type(number) is int and number >= least for number in numbers):
            raise ValueError(f"should be an integer from {least} on, or two as [rows, columns]")
        return value

    return Annotated[int | list[int], pydantic.BeforeValidator(check)]


class Section(BaseModel):
    """A part of a recipe: no unknown keys, no conversions of types, finite numbers, no changes."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


def _section(kind: str, made: Callable[..., Any], ranges: Mapping[str, Any]) -> type[Section]:
    """Return the section of what ``made`` makes; what it refuses is a fault of the section.

    ranges: by the names of parameters, a type, or a type and its default.
    """
    fields: dict[str, Any] = {"kind": (Literal[kind], ...)} if kind else {}
    for name, parameter in inspect.signature(made).parameters.items():
        default = ... if parameter.default is parameter.empty else parameter.default
        found = ranges.get(name, parameter.annotation)
        fields[name] = found if isinstance(found, tuple) else (found, default)

    def make(section: Section) -> Section:
        made(**section.model_dump(exclude={"kind"}))
        return section

    validators: Any = {"make": pydantic.model_validator(mode="after")(make)}
    name = f"{made.__name__}Section"
    section = pydantic.create_model(
        name, __base__=Section, __module__=__name__, __validators__=validators, **fields
    )
    globals()[name] = section  # where pickle looks for it, on the way to another process
    return section


def _one_of(made: Mapping[str, Callable[..., Any]], ranges: Mapping[str, Any]) -> Any:
    """Return the type of a section that is any of these kinds."""
    sections = [_section(kind, each, ranges.get(kind, {})) for kind, each in made.items()]
    return Annotated[reduce(or_, sections), Field(discriminator="kind")]


_BETAS = {"beta1": Share, "beta2": Share, "epsilon": Positive}
_RATES = {"learning_rate": Positive, "l2": NotNegative, "weight_decay": NotNegative}

if TYPE_CHECKING:  # made of signatures, which a type checker cannot follow
    Initializer: TypeAlias = Any
    Layer: TypeAlias = Any
    Optimizer: TypeAlias = Any
    Schedule: TypeAlias = Any
    AugmentationSection: TypeAlias = Any
else:
    Initializer = _one_of(INITIALIZERS, {"normal": {"scale": Positive}})
    _initializer = pydantic.TypeAdapter(Initializer).validate_python
    _VALUES = {  # None there; by their names here, so that a record of a recipe says them
        "weight": (Initializer, _initializer({"kind": "he"})),
        "bias": (Initializer, _initializer({"kind": "constant"})),
    }
    _SIZE, _PADDING = _one_or_two_from(1), _one_or_two_from(0)
    _POOLING = {"size": _SIZE, "stride": _SIZE | None}
    Layer = _one_of(
        LAYERS,
        {
            "dense": {"units": Count, **_VALUES},
            "leaky_relu": {"slope": Share},
            "dropout": {"rate": Share},
            "batch_norm": {"momentum": Part, "epsilon": Positive, "group": Count | None},
            "crop2d": {"pixels": Count},
            "conv2d": {
                "filters": Count,
                "kernel": _SIZE,
                "stride": _SIZE,
                "padding": _PADDING,
                **_VALUES,
            },
            "max_pool2d": _POOLING,
            "avg_pool2d": _POOLING,
        },
    )
    Optimizer = _one_of(
        OPTIMIZERS,
        {
            "sgd": {"momentum": Share, **_RATES},
            "adamw": {**_BETAS, **_RATES},
            "muon": {"matrix_rate": Positive, "momentum": Share, **_BETAS, **_RATES},
        },
    )
    Schedule = _one_of(
        SCHEDULES,
        {
            "step": {"every_epochs": Count, "decay": Part},
            "exponential": {"decay": Part},
            "cosine": {"final": Annotated[float, Field(ge=0, le=1)]},
            "one_cycle": {
                "warmup": Share,
                "start": Part,
                "final": Annotated[float, Field(ge=0, le=1)],
            },
        },
    )
    AugmentationSection = _section(
        "",
        Augmentation,
        {
            "shift_pixels": NotNegative,
            "angle_degrees": NotNegative,
            "scale": Share,
            "shear": NotNegative,
            "elastic_pixels": NotNegative,
            "elastic_smoothness": Positive,
        },
    )
