"""What a config names by its kind: layers, initializers, optimizers and schedules alike."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

Made = TypeVar("Made")


def make(what: str, kinds: Mapping[str, Callable[..., Made]], config: Mapping[str, Any]) -> Made:
    """Return what ``{"kind": "normal", "scale": 0.01}`` describes: ``kinds["normal"](scale=0.01)``.

    Raises ValueError naming the kind and the choices if there is none such.
    """
    values = dict(config)
    kind = values.pop("kind", None)
    if kind not in kinds:
        raise ValueError(f"unknown {what} {kind!r}; there are {', '.join(kinds)}")
    return kinds[kind](**values)
