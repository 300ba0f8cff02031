"""What a search for better settings may try: the recipe's section ``[tune]``."""

import math
from decimal import Decimal
from typing import Annotated, Any, Literal

import pydantic
from pydantic import Field

from pipeline.recipes.sections import Count, Section

Number = int | float
Choice = bool | int | float | str

# With other rows held out, or another seed, a search would find luck, not a better setting.
NOT_SEARCHED = ("description", "seed", "split", "tune")


class Range(Section):
    """Either the numbers from low to high, both included, or a list of choices.

    step: of the numbers between low and high; without it all of them (of whole numbers, each).
    log: equal ratios are equally likely, instead of equal differences.
    """

    low: Number | None = None
    high: Number | None = None
    step: Number | None = None
    log: bool = False
    choices: Annotated[list[Choice], Field(min_length=2)] | None = None

    @pydantic.model_validator(mode="after")
    def _is_of_one_kind(self) -> "Range":
        bounds = (self.low, self.high)
        if self.choices is not None:
            if bounds != (None, None) or self.step is not None or self.log:
                raise ValueError("choices stand alone, without low, high, step and log")
            if len(set(map(repr, self.choices))) < len(self.choices):
                raise ValueError("the same choice is given twice")
        elif self.low is None or self.high is None:
            raise ValueError("give low and high, or choices")
        elif self.low >= self.high:
            raise ValueError("low must be below high")
        elif self.log and (self.low <= 0 or self.step is not None):
            raise ValueError("log needs a low above 0, and no step")
        elif self.step is not None and not (self.step > 0 and self._has(self.high)):
            raise ValueError("high must be low and a whole number of steps")
        return self

    @property
    def ends(self) -> list[Any]:
        """The values that must be allowed if all of the range is to be: choices, or both ends."""
        return list(self.choices) if self.choices is not None else [self.low, self.high]

    def fault(self, own: Any) -> str:
        """Return what is wrong with the range for a setting that is ``own`` now; "" if nothing."""
        if self.choices is not None:
            known = repr(own) in map(repr, self.choices)
            return "" if known else f"the recipe's own value {own!r} is not among the choices"
        if isinstance(own, bool) or not isinstance(own, int | float):
            return f"the recipe's own value {own!r} is not a number: give choices"
        numbers = [number for number in (self.low, self.high, self.step) if number is not None]
        if isinstance(own, int) and not all(isinstance(number, int) for number in numbers):
            return "should be whole numbers, as the setting is"
        if not self._has(own):
            return f"the recipe's own value {own!r} is not in the range, and is tried first"
        return ""

    def rounded(self, value: float) -> float:
        """Return a number of the range with no more digits than tell a thousand of them apart.

        On a step, as many as the step has.
        """
        assert self.low is not None
        assert self.high is not None
        if self.step is not None:
            low, step = Decimal(str(self.low)), Decimal(str(self.step))
            return float(low + step * round((Decimal(value) - low) / step))
        span = value if self.log else self.high - self.low
        digits = 3 - math.floor(math.log10(span))
        return min(max(round(value, digits), float(self.low)), float(self.high))

    def _has(self, value: Number) -> bool:
        assert self.low is not None
        assert self.high is not None
        if not self.low <= value <= self.high:
            return False
        if self.step is None:
            return True
        # As they are written: in binary, 0.3 is not three times 0.1.
        low, step = Decimal(str(self.low)), Decimal(str(self.step))
        return (Decimal(str(value)) - low) % step == 0


class TuneSection(Section):
    """A search: how many sets of values are tried, which settings vary, and what is best.

    ranges: by the dotted key of each setting, as SET takes it.
    objective: the loss on the held-out digits tells apart what reads equally many of them right;
    their accuracy is what the competition counts, in steps of one digit.
    """

    trials: Count = 40
    objective: Literal["loss", "accuracy"] = "loss"
    ranges: Annotated[dict[str, Range], Field(min_length=1)]

    @pydantic.model_validator(mode="after")
    def _loss_means_the_same_in_all_trials(self) -> "TuneSection":
        if self.objective == "loss" and "training.label_smoothing" in self.ranges:
            raise ValueError(
                'a range of training.label_smoothing needs objective = "accuracy", because '
                "smoothing alone changes the loss"
            )
        return self


def flatten_ranges(values: dict[str, Any]) -> None:
    """Give each range its dotted key, in place, where TOML made tables of a key without quotes.

    values: a recipe as read from its file.
    """
    section = values.get("tune")
    if isinstance(section, dict) and isinstance(section.get("ranges"), dict):
        section["ranges"] = _flat(section["ranges"])


def _flat(table: dict[str, Any], above: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in table.items():
        key = f"{above}{name}"
        if isinstance(value, dict) and value and not set(value) & set(Range.model_fields):
            found |= _flat(value, f"{key}.")
        else:
            found[key] = value
    return found
