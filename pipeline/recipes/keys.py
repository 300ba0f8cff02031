"""Single values of a recipe by their dotted keys: network.layers.1.units."""

from collections.abc import Mapping
from typing import Any

from pipeline.system.files import MOST_LEVELS


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
