"""What is wrong with values from a file, said in the words of that file rather than of pydantic."""

from typing import Any

import pydantic


def explain_faults(error: pydantic.ValidationError, values: dict[str, Any]) -> list[str]:
    """Return one text for each wrong key, like "training.epochs: should be ..., got ...".

    values: what was validated, as read from the file.
    """
    wanted: dict[str, list[str]] = {}
    got: dict[str, str] = {}
    for detail in error.errors():
        key, given = _find_key(detail, values)
        kind, context = detail["type"], detail.get("ctx", {})
        if kind == "extra_forbidden":
            text = "unknown key"
        elif kind in ("missing", "union_tag_not_found"):
            text = "missing key"
        elif kind in ("model_type", "model_attributes_type"):
            text = "should be a table"
        elif kind == "union_tag_invalid":
            text = f"should be one of {context['expected_tags']}"
        elif kind == "value_error":
            text = str(context["error"])
        else:
            text = f"{detail['msg'][0].lower()}{detail['msg'][1:]}".removeprefix("input ")
        # A key that may be this or that fails as both; what it may be is said in one line.
        also = wanted.setdefault(key, [])
        also.append(text.removeprefix("should be ") if also else text)
        if text.startswith("should"):
            got[key] = f", got {given!r:.60}"
    return [f"{key}: {' or '.join(texts)}{got.get(key, '')}" for key, texts in wanted.items()]


def _find_key(detail: Any, values: dict[str, Any]) -> tuple[str, Any]:
    """Return the dotted key as it stands in the file, and the value there.

    pydantic's location also holds the kind of a layer and the name of a type, which are no keys.
    """
    parts: list[str] = []
    value: Any = values
    for part in detail["loc"]:
        is_index = isinstance(value, list) and isinstance(part, int) and part < len(value)
        if is_index or (isinstance(value, dict) and part in value):
            value = value[part]
            parts.append(str(part))
    if detail["type"] == "missing":
        parts.append(str(detail["loc"][-1]))
    elif detail["type"].startswith("union_tag"):
        parts.append("kind")
        value = detail.get("ctx", {}).get("tag")
    return ".".join(parts), value
