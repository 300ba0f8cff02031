"""A recipe as the text of a TOML file, for the files that the pipeline itself writes."""

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
    return "\n".join(_table(values, "")) + "\n"


def _table(values: Mapping[str, Any], name: str) -> Iterator[str]:
    """The lines of a table and those below it; single values come first, as TOML wants them."""
    given = {key: value for key, value in values.items() if value is not None}
    # A range is short, and best seen as one line.
    inline = {key for key, value in given.items() if _is_single(value) or name == "tune.ranges"}
    if name and inline:
        yield f"\n[{name}]"
    for key, value in given.items():
        if key in inline:
            yield f"{_key(key)} = {_value(value)}"
    for key, value in given.items():
        if key not in inline:
            yield from _table(value, f"{name}.{_key(key)}" if name else _key(key))


def _is_single(value: Any) -> bool:
    return not isinstance(value, Mapping)


def _key(key: str) -> str:
    return _text(key) if "." in key else key


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, Mapping):
        pairs = [f"{_key(key)} = {_value(item)}" for key, item in value.items() if item is not None]
        return f"{{ {', '.join(pairs)} }}"
    if isinstance(value, list) and any(isinstance(item, Mapping) for item in value):
        lines = "".join(f"  {_value(item)},\n" for item in value)
        return f"[\n{lines}]"
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    return repr(value)


def _text(value: str) -> str:
    # JSON's escapes are TOML's, except for one control character that JSON does not escape.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
