"""Records: tables with a schema, read back with one line for what is wrong with them."""

from pathlib import Path
from typing import Annotated, Any, TypeVar

import pydantic
from pydantic import BaseModel, ConfigDict, Field

from pipeline.system import files

Whole = Annotated[int, Field(ge=0, lt=2**64)]
Count = Annotated[int, Field(ge=1, lt=2**64)]
Folds = Annotated[int, Field(ge=2, lt=2**15)]
Number = Annotated[float, Field(ge=0, lt=1e15)]
Share = Annotated[float, Field(ge=0, le=1)]
# More or fewer than without.
Change = Annotated[int, Field(gt=-(2**53), lt=2**53)]


class Record(BaseModel):
    """A table of which at least these keys must be there; those with a default may be missing."""

    model_config = ConfigDict(strict=True, frozen=True, allow_inf_nan=False, extra="ignore")


class ExactRecord(Record):
    """A table without any other keys, because its readers name each of them."""

    model_config = ConfigDict(extra="forbid")


class Models(Record):
    """Checksums of what a run predicts with."""

    model: str
    refit: str | None = None


class Environment(Record):
    """The commit, and whether files differed from it; null outside of a clone."""

    commit: str | None = None
    dirty: bool | None = None


Shape = TypeVar("Shape", bound=Record)


def read(path: Path, shape: type[Record], *, remedy: str | None = None) -> dict[str, Any]:
    """Read a record, all of it, of which at least the shape is as it must be.

    remedy: what mends one that is damaged.
    Raises PipelineError naming the first key that is not; FileNotFoundError if there is none.
    """
    given = {} if remedy is None else {"remedy": remedy}
    record = files.read_json(path, **given)
    if what := fault(record, shape):
        raise files.damaged(path, what, **given)
    return record


def load(path: Path, shape: type[Shape], *, remedy: str | None = None) -> Shape:
    """Read a record as an object. Raises like ``read``."""
    return shape.model_validate(read(path, shape, remedy=remedy))


def check(path: Path, record: dict[str, Any], shape: type[Record]) -> None:
    """Raise PipelineError if what was read from ``path`` has not the shape."""
    if what := fault(record, shape):
        raise files.damaged(path, what)


def fault(record: dict[str, Any], shape: type[Record]) -> str | None:
    """Return what is wrong with a record first, naming its dotted key; None if nothing is."""
    try:
        parse(record, shape)
    except ValueError as error:
        return str(error)
    return None


def parse(record: dict[str, Any], shape: type[Shape]) -> Shape:
    """Return the record as an object. Raises ValueError, whose text is what ``fault`` returns."""
    try:
        return shape.model_validate(record)
    except pydantic.ValidationError as error:
        raise ValueError(explain_faults(error, record)[0]) from None


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
