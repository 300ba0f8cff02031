"""The records that a plan is made from, read back: what was asked for, and what was downloaded.

As ``plan`` itself they need the standard library alone, so no schema; ``records`` has all others.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pipeline.system.files import damaged, read_json

Check = tuple[str, Callable[[Any], bool]]


def _is_whole(value: Any, low: int, high: int) -> bool:
    return type(value) is int and low <= value < high


_TEXT: Check = ("a text", lambda value: isinstance(value, str))
_SOURCE: Check = (
    "competition, mnist-csv or practice",
    lambda value: value in ("competition", "mnist-csv", "practice"),
)
_WHOLE: Check = ("a whole number from 0 up", lambda value: _is_whole(value, 0, 2**64))
_FOLDS: Check = ("a whole number from 2 up", lambda value: _is_whole(value, 2, 2**15))
_TEXTS: Check = (
    "a list of texts",
    lambda value: isinstance(value, list) and all(isinstance(text, str) for text in value),
)


def read_request(path: Path) -> dict[str, Any]:
    """Read a run's request.json. Raises PipelineError naming the first key that is wrong."""
    optional = {
        "recipe": _TEXT,
        "seed": _WHOLE,
        "set": _TEXT,
        "blend": _TEXTS,
        "folds": _FOLDS,
        "fold": _WHOLE,
    }
    return _read(path, {"source": _TEXT}, optional)


def read_download(path: Path) -> dict[str, Any]:
    """Read where digits came from, of their manifest.json. Raises PipelineError as above."""
    return _read(path, {"kind": _SOURCE}, {"origin": _TEXT, "downloaded_at": _TEXT})


def _read(
    path: Path, required: Mapping[str, Check], optional: Mapping[str, Check]
) -> dict[str, Any]:
    """Read a record. optional: of values that may be null or missing."""
    record = read_json(path)
    for key, (name, holds) in {**required, **optional}.items():
        value = record.get(key)
        if key in required and key not in record:
            raise damaged(path, f"{key}: missing key")
        if (key in required or value is not None) and not holds(value):
            raise damaged(path, f"{key}: should be {name}, got {value!r:.60}")
    return record
