"""A record lacks nothing that is relied on, or the key is named that it lacks."""

from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import PipelineError
from pipeline.files import write_json
from pipeline.records import (
    ACCURACY,
    FLAG,
    NUMBER,
    RAW,
    REQUEST,
    SHARE,
    TEXT,
    WHOLE,
    Maybe,
    fault,
    read_record,
)

FILES = {name: {"sha256": "a", "rows": 1} for name in ("train.csv", "test.csv")}
MANIFEST = {"kind": "practice", "source": "practice", "origin": "a test", "files": FILES}
MEASURED = {"value": 0.5, "low": 0.0, "high": 1, "correct": 1, "rows": 2}


@pytest.mark.parametrize(
    ("value", "shape"),
    [
        ("", TEXT),
        (0, WHOLE),
        (0.5, NUMBER),
        (3, NUMBER),
        (1.0, SHARE),
        (False, FLAG),
        (None, Maybe(TEXT)),
        ({}, {"a": Maybe(TEXT)}),
        ({"a": None}, {"a": Maybe(TEXT, missing=False)}),
        ({"a": 1, "more": object()}, {"a": WHOLE}),
        ([], [WHOLE]),
        (MEASURED, ACCURACY),
        (MANIFEST, RAW),
        ({"source": "practice", "seed": 2**64 - 1}, REQUEST),
    ],
)
def test_what_has_the_shape_is_no_fault(value: Any, shape: Any) -> None:
    assert fault(value, shape) is None


@pytest.mark.parametrize(
    ("value", "shape", "said"),
    [
        ({"a": 1}, {"a": TEXT}, "a should be a text"),
        ({"a": {**MEASURED, "high": 0.4}}, {"a": ACCURACY}, "a should be an accuracy within its"),
        ({"a": {**MEASURED, "correct": 2}}, {"a": ACCURACY}, "a should be an accuracy within its"),
        ({"a": True}, {"a": WHOLE}, "a should be a whole number"),
        ({"a": -1}, {"a": WHOLE}, "a should be a whole number"),
        ({"a": 1.0}, {"a": WHOLE}, "a should be a whole number"),
        ({"a": float("inf")}, {"a": NUMBER}, "a should be a number"),
        ({"a": 1e300}, {"a": NUMBER}, "a should be a number"),
        ({"a": 1.5}, {"a": SHARE}, "a should be a number from 0 to 1"),
        ({"a": 0}, {"a": FLAG}, "a should be true or false"),
        ({}, {"a": TEXT}, "it says no a"),
        ({}, {"a": Maybe(TEXT, missing=False)}, "it says no a"),
        ({"a": [1, "x"]}, {"a": [WHOLE]}, "a.1 should be a whole number"),
        ({"a": {}}, {"a": [WHOLE]}, "a should be a list"),
        ({"a": []}, {"a": {"b": TEXT}}, "a should be a table"),
        ({"a": {}}, {"a": {"b": TEXT}}, "it says no a.b"),
        (MEASURED | {"x": 1}, ACCURACY, "x is unknown"),
        (MANIFEST | {"kind": ["practice"]}, RAW, "kind should be competition"),
    ],
)
def test_a_fault_names_the_key(value: Any, shape: Any, said: str) -> None:
    assert str(fault(value, shape)).startswith(said)


def test_a_damaged_record_is_named(tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    write_json(path, MANIFEST)
    assert read_record(path, RAW) == MANIFEST
    write_json(path, {**MANIFEST, "files": {"train.csv": FILES["train.csv"]}})
    with pytest.raises(PipelineError, match=r"manifest\.json is damaged.*no files\.test\.csv"):
        read_record(path, RAW)
