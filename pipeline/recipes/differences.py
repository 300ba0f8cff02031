"""In which settings the recipes of several runs differ, as rows of a table."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pydantic

from pipeline.recipes.sections import Layer
from pipeline.recipes.toml_text import toml_value

_LAYERS = "network.layers"
_NOT_SETTINGS = ("description",)
_LAYER: pydantic.TypeAdapter[Any] = pydantic.TypeAdapter(Layer)


@dataclass(frozen=True)
class Setting:
    """One setting that is not the same in all runs.

    key: as SET takes it, such as training.epochs.
    values: one text for each run, "" where it has no such setting; of layers, a line of TOML each.
    """

    key: str
    values: tuple[str, ...]


def differences(recipes: Sequence[Mapping[str, Any]]) -> tuple[Setting, ...]:
    """Return the settings in which resolved recipes, as a run's folder keeps them, differ.

    An ensemble has the values of its members, each once. Layers stand one by one where all
    networks have the same kinds of layers, else as one setting, without what is left to default.
    """
    runs = [list(_networks(recipe)) for recipe in recipes]
    kinds = {tuple(layer["kind"] for layer in _layers(found)) for run in runs for found in run}
    settings = [
        [_settings(network, whole_layers=len(kinds) > 1) for network in run] for run in runs
    ]
    keys = dict.fromkeys(key for run in settings for network in run for key in network)
    rows = [Setting(key, tuple(_value(key, run) for run in settings)) for key in keys]
    rows.append(Setting("ensemble.members", tuple(_members(recipe) for recipe in recipes)))
    return tuple(row for row in rows if len(set(row.values)) > 1)


def _networks(recipe: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The recipe itself, or those of an ensemble's members, which may be ensembles too."""
    if "members" not in recipe:
        yield recipe
        return
    for member in recipe["members"]:
        # In a blend of ensembles, the inner one's members are recipes and nothing else.
        yield from _networks(member.get("recipe", member))


def _members(recipe: Mapping[str, Any]) -> str:
    return "\n".join(member["run"] for member in recipe.get("members", ()))


def _layers(recipe: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    layers: Sequence[Mapping[str, Any]] = recipe["network"]["layers"]
    return layers


def _settings(recipe: Mapping[str, Any], *, whole_layers: bool) -> dict[str, str]:
    settings = {
        key: value
        for key, value in _flat(recipe)
        if key not in _NOT_SETTINGS and not (whole_layers and key.startswith(f"{_LAYERS}."))
    }
    if whole_layers:
        settings[_LAYERS] = "\n".join(_layer(layer) for layer in _layers(recipe))
    return settings


def _flat(values: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Every single value with its dotted key; what is None is not set."""
    if isinstance(values, Mapping):
        items = list(values.items())
    elif isinstance(values, list) and values and isinstance(values[0], Mapping):
        items = [(str(number), value) for number, value in enumerate(values)]
    else:
        if values is not None:
            yield key, _text(values)
        return
    for name, value in items:
        yield from _flat(value, f"{key}.{name}" if key else name)


def _value(key: str, networks: Sequence[Mapping[str, str]]) -> str:
    values = list(dict.fromkeys(network.get(key, "") for network in networks))
    if key == _LAYERS and len(values) > 1:
        return f"{len(values)} different networks"
    return " / ".join(value or "none" for value in values) if len(values) > 1 else values[0]


def _layer(values: Mapping[str, Any]) -> str:
    try:
        return toml_value(_LAYER.validate_python(dict(values)).model_dump(exclude_defaults=True))
    except pydantic.ValidationError:  # of another version, whose layers had other settings
        return toml_value(values)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else toml_value(value)
