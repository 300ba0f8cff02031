"""Reading a record: it has its shape, or one line says what is wrong with it."""

from pathlib import Path
from typing import Any, TypeVar

import pydantic

from pipeline.system.files import damaged, read_json
from pipeline.system.record_values import Record
from pipeline.system.schema_faults import explain_faults

Shape = TypeVar("Shape", bound=Record)


def read(path: Path, shape: type[Record]) -> dict[str, Any]:
    """Read a record, all of it, of which at least the shape is as it must be.

    Raises PipelineError naming the first key that is not; FileNotFoundError if there is none.
    """
    record = read_json(path)
    check(path, record, shape)
    return record


def check(path: Path, record: dict[str, Any], shape: type[Record]) -> None:
    """Raise PipelineError if what was read from ``path`` has not the shape."""
    if what := fault(record, shape):
        raise damaged(path, what)


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
