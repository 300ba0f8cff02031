"""What the settings of a recipe have in common: their ranges, and how strictly they are read."""

from collections.abc import Callable
from typing import Annotated, Any

import pydantic
from pydantic import BaseModel, ConfigDict, Field

Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, lt=1)]
Count = Annotated[int, Field(ge=1)]


def _one_or_two_from(least: int) -> Callable[[Any], Any]:
    """Return a check of a size in rows and columns; it says in one line what is allowed."""

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
