"""Records read back: every value that somebody relies on is there, or one line says which is not.

The stages write them, but a disk, a merge or an editor may have been there since. What a record
holds beside its shape is passed over: other versions write more.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.errors import PipelineError
from pipeline.files import read_json

REMEDY = "Delete it and run the stage that writes it again."


@dataclass(frozen=True)
class Kind:
    """What a single value must be.  name: for messages."""

    name: str
    holds: Callable[[Any], bool]


@dataclass(frozen=True)
class Maybe:
    """A value that may be null; missing: whether its key may not be there at all."""

    shape: Any
    missing: bool = True


@dataclass(frozen=True)
class Checked:
    """A value of a shape whose parts must also fit together.  name: for messages."""

    shape: Any
    name: str
    holds: Callable[[Any], bool]


class Exactly(dict[str, Any]):
    """A table without any other keys."""


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value) and abs(value) < 1e15


TEXT = Kind("a text", lambda value: isinstance(value, str))
FLAG = Kind("true or false", lambda value: isinstance(value, bool))
TABLE = Kind("a table", lambda value: isinstance(value, dict))
WHOLE = Kind("a whole number from 0 up", lambda value: type(value) is int and 0 <= value < 2**64)
FOLDS = Kind("a whole number from 2 up", lambda value: type(value) is int and 2 <= value < 2**15)
NUMBER = Kind("a number from 0 up", lambda value: _is_number(value) and value >= 0)
SHARE = Kind("a number from 0 to 1", lambda value: _is_number(value) and 0 <= value <= 1)
SOURCE_KIND = Kind(
    "competition, mnist-csv or practice",
    lambda value: value in ("competition", "mnist-csv", "practice"),
)

_FILE = {"sha256": TEXT, "rows": WHOLE}
RAW = {
    "kind": SOURCE_KIND,
    "source": TEXT,
    "origin": TEXT,
    "downloaded_at": Maybe(TEXT),
    "inputs": Maybe(TABLE),
    "files": {"train.csv": _FILE, "test.csv": _FILE},
}
# What tells where the competition's digits are, of all that were downloaded.
DOWNLOADED = {"kind": SOURCE_KIND, "origin": Maybe(TEXT), "downloaded_at": Maybe(TEXT)}
_ARRAY = {"shape": [WHOLE], "sha256": TEXT}
ARRAYS = {"arrays": {"train_images": _ARRAY, "train_labels": _ARRAY, "test_images": _ARRAY}}
PROCESSED = {**ARRAYS, "raw": RAW}
PREPROCESSED = {**PROCESSED, "class_counts": [WHOLE], "seconds": NUMBER}
REQUEST = {
    "source": TEXT,
    "recipe": Maybe(TEXT),
    "seed": Maybe(WHOLE),
    "set": Maybe(TEXT),
    "blend": Maybe([TEXT]),
    "folds": Maybe(FOLDS),
    "fold": Maybe(WHOLE),
}

_MODELS = {"model": TEXT, "refit": Maybe(TEXT)}
ENVIRONMENT = {"commit": Maybe(TEXT), "dirty": Maybe(FLAG)}
TRAINING = {
    "inputs": {"data": {"train_images": TEXT, "train_labels": TEXT}, "recipe": TABLE},
    "recipe_name": TEXT,
    "recipe_file": Maybe({"sha256": Maybe(TEXT), "in_git": Maybe(FLAG)}),
    "seed": Maybe(WHOLE, missing=False),
    "model_sha256": TEXT,
    "refit": Maybe({"model_sha256": TEXT, "seconds": Maybe(NUMBER), "rows": Maybe(WHOLE)}),
    "parameters": WHOLE,
    "networks": Maybe(WHOLE),
    "split": {"kind": TEXT, "sha256": Maybe(TEXT)},
    "epochs": Maybe(WHOLE),
    "hold_out_accuracy": Maybe(SHARE, missing=False),
    "seconds": NUMBER,
    "images_per_second": Maybe(NUMBER),
    "data": RAW,
    "environment": ENVIRONMENT,
    "finished_at": TEXT,
}
NETWORK = {**TRAINING, "hold_out_accuracy": SHARE}
ENSEMBLE = {**TRAINING, "members": [{"run": TEXT, "models": _MODELS}]}
_ROWS = {"training_rows": WHOLE, "hold_out_rows": WHOLE}
SPLITS = {
    "hold_out": {**_ROWS, "size": NUMBER, "seed": WHOLE, "file": TEXT},
    "fold": {**_ROWS, "folds": FOLDS, "fold": WHOLE, "seed": WHOLE, "file": TEXT},
    "ensemble": _ROWS,
}


def _is_accuracy(value: dict[str, Any]) -> bool:
    share, correct, rows = float(value["value"]), int(value["correct"]), int(value["rows"])
    is_within = float(value["low"]) <= share <= float(value["high"])
    return is_within and rows > 0 and abs(share - correct / rows) < 1e-6


ACCURACY = Checked(
    Exactly(value=SHARE, low=SHARE, high=SHARE, correct=WHOLE, rows=WHOLE),
    "an accuracy within its interval",
    _is_accuracy,
)
MEASURED = {"inputs": TABLE, "accuracy": ACCURACY}
METRICS = {
    "accuracy": ACCURACY,
    "log_loss": NUMBER,
    "calibration_error": NUMBER,
    "classes": [Exactly(label=WHOLE, precision=SHARE, recall=SHARE, f1=SHARE, support=WHOLE)],
    "confusion": [[WHOLE]],
    "worst_errors": [
        Exactly(
            row=WHOLE,
            label=WHOLE,
            prediction=WHOLE,
            prediction_probability=SHARE,
            label_probability=SHARE,
        )
    ],
}
_CHANGE = Kind("a whole number", lambda value: type(value) is int and abs(value) < 2**53)
_MEMBER = Exactly(
    run=TEXT,
    accuracy=ACCURACY,
    gain_correct=_CHANGE,
    gain_rows=WHOLE,
    gain=Maybe(Kind("a number", _is_number)),
    networks=WHOLE,
    seconds=NUMBER,
)
METRICS_OF_MEMBERS = {
    **METRICS,
    "members": [_MEMBER],
    "networks": {"per_row": [WHOLE], "per_test_digit": WHOLE},
}
SCORE = {"inputs": TABLE, "accuracy": {"value": SHARE}}
SUBMISSION = {"inputs": Maybe({**_MODELS, "test_images": Maybe(TEXT)}), "csv_sha256": TEXT}
SENT = {
    "run": TEXT,
    **SUBMISSION,
    "rows": WHOLE,
    "kind": TEXT,
    "source": TEXT,
    "test_csv": {"rows": WHOLE},
    "hold_out": {"accuracy": SHARE, "low": SHARE, "high": SHARE, "rows": WHOLE},
    "recipe": Maybe(TEXT),
    "seed": Maybe(WHOLE),
    **ENVIRONMENT,
}
# Of the ledger, beside what each line must have.
LINE = {
    "ref": Maybe(WHOLE),
    "public_score": Maybe(SHARE),
    "private_score": Maybe(SHARE),
    "hold_out_accuracy": Maybe(SHARE),
    "recipe": Maybe(TEXT),
    "seed": Maybe(WHOLE),
    "source": Maybe(TEXT),
    "commit": Maybe(TEXT),
    "dirty": Maybe(FLAG),
    "model_sha256": Maybe(TEXT),
    "error": Maybe(TEXT),
}
REPRODUCTION = {
    "inputs": TABLE,
    "finished_at": TEXT,
    "agrees": FLAG,
    "hold_out": {"predictions": WHOLE, "rows": WHOLE},
}


def read_record(path: Path, shape: Any) -> dict[str, Any]:
    """Read a record, all of it, of which at least the shape is as it must be.

    shape: one of those above.
    Raises PipelineError naming the first key that is not; FileNotFoundError if there is none.
    """
    record = read_json(path)
    check_record(path, record, shape)
    return record


def check_record(path: Path, record: Any, shape: Any) -> None:
    """Raise PipelineError if what was read from ``path`` has not the shape."""
    if what := fault(record, shape):
        raise PipelineError(f"{path} is damaged, or of another version: {what}", remedy=REMEDY)


def fault(value: Any, shape: Any, key: str = "") -> str | None:
    """Return what is wrong with a value, naming its dotted key; None if nothing is."""
    if isinstance(shape, Maybe):
        return None if value is None else fault(value, shape.shape, key)
    if isinstance(shape, Kind):
        return None if shape.holds(value) else f"{key} should be {shape.name}"
    if isinstance(shape, Checked):
        found = fault(value, shape.shape, key)
        return found or (None if shape.holds(value) else f"{key} should be {shape.name}")
    if isinstance(shape, list):
        return _fault_of_list(value, shape[0], key)
    return _fault_of_table(value, shape, key)


def _fault_of_list(value: Any, shape: Any, key: str) -> str | None:
    if not isinstance(value, list):
        return f"{key} should be a list"
    return _first(fault(item, shape, f"{key}.{number}") for number, item in enumerate(value))


def _fault_of_table(value: Any, shape: dict[str, Any], key: str) -> str | None:
    if not isinstance(value, dict):
        return f"{key} should be a table"
    dot = f"{key}." if key else ""
    for name, inner in shape.items():
        if name not in value and not (isinstance(inner, Maybe) and inner.missing):
            return f"it says no {dot}{name}"
    if isinstance(shape, Exactly) and (more := value.keys() - shape.keys()):
        return f"{dot}{min(more)} is unknown"
    return _first(
        fault(value[name], inner, f"{dot}{name}") for name, inner in shape.items() if name in value
    )


def _first(faults: Iterable[str | None]) -> str | None:
    return next((found for found in faults if found), None)
