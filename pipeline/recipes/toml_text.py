"""A recipe as the text of a TOML file: the one form in which it is written and shown."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.recipes.recipe import Recipe


def recipe_text(recipe: Recipe) -> str:
    """Return the recipe as TOML: what it was given, and nothing that is left to default.

    Read again, it is the same recipe; its comments are gone.
    """
    values = recipe.model_dump(exclude_unset=True)
    if recipe.tune:
        values["tune"] = recipe.tune.model_dump(exclude_unset=True)
    return toml_text(values)


def toml_text(values: Mapping[str, Any]) -> str:
    """Return a resolved recipe, as a run's folder keeps it, as TOML; what is None is left out."""
    return "\n".join(_table(values, "")) + "\n"


def toml_value(value: Any) -> str:
    """Return one value as TOML writes it: a layer as a table in one line, layers one to a line."""
    if isinstance(value, Mapping):
        pairs = [
            f"{_key(key)} = {toml_value(item)}" for key, item in value.items() if item is not None
        ]
        return f"{{ {', '.join(pairs)} }}"
    if isinstance(value, list) and any(isinstance(item, Mapping) for item in value):
        return "[\n" + "".join(f"  {toml_value(item)},\n" for item in value) + "]"
    if isinstance(value, list):
        return f"[{', '.join(map(toml_value, value))}]"
    if isinstance(value, bool | str):
        # JSON's escapes are TOML's, but for the one control character that JSON leaves alone.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return repr(value)


def _table(values: Mapping[str, Any], name: str) -> Iterator[str]:
    """The lines of a table and those below it; single values come first, as TOML wants them."""
    given = {key: value for key, value in values.items() if value is not None}
    # A range is short, and best seen as one line.
    below = [key for key in given if isinstance(given[key], Mapping) and name != "tune.ranges"]
    alone = [f"{_key(key)} = {toml_value(given[key])}" for key in given if key not in below]
    if name and alone:
        yield f"\n[{name}]"
    yield from alone
    for key in below:
        yield from _table(given[key], f"{name}.{_key(key)}" if name else _key(key))


def _key(key: str) -> str:
    return toml_value(key) if "." in key else key
