"""A record lacks nothing that is relied on, or the key is named that it lacks."""

from pathlib import Path
from typing import Any

import pytest

from pipeline.digits.records import RawManifest
from pipeline.runs.records import MeasuredRecord
from pipeline.system import records
from pipeline.system.errors import PipelineError
from pipeline.system.files import write_json
from pipeline.training.records import EnsembleTrainingRecord, NetworkTrainingRecord

FILES = {name: {"sha256": "a", "rows": 1} for name in ("train.csv", "test.csv")}
MANIFEST = {"kind": "practice", "source": "practice", "origin": "a test", "files": FILES}
HALF = {"value": 0.5, "low": 0.0, "high": 1, "correct": 1, "rows": 2}
MEASURED = {"inputs": {}, "accuracy": HALF}
HOLD_OUT = {
    "kind": "hold_out",
    "training_rows": 8,
    "hold_out_rows": 2,
    "size": 0.2,
    "seed": 0,
    "file": "hold-out.npy",
}
TRAINING = {
    "inputs": {"data": {"train_images": "a", "train_labels": "b"}, "recipe": {}},
    "recipe_name": "smoke",
    "seed": 0,
    "model_sha256": "a",
    "refit": None,
    "parameters": 10,
    "epochs": 3,
    "images_per_second": 100.0,
    "split": HOLD_OUT,
    "hold_out_accuracy": 0.5,
    "seconds": 1.5,
    "data": MANIFEST,
    "environment": {"cores": 2},
    "finished_at": "2026-01-01T00:00:00+00:00",
}
OF_MEMBERS = {
    **TRAINING,
    "split": {"kind": "ensemble", "training_rows": 8, "hold_out_rows": 2},
    "epochs": None,
    "images_per_second": None,
    "hold_out_accuracy": None,
    "members": [],
}


@pytest.mark.parametrize(
    ("record", "shape"),
    [
        (MANIFEST, RawManifest),
        (MANIFEST | {"more": object()}, RawManifest),
        (MEASURED, MeasuredRecord),
        (TRAINING, NetworkTrainingRecord),
        (TRAINING | {"seed": None, "seconds": 3}, NetworkTrainingRecord),
        (OF_MEMBERS, EnsembleTrainingRecord),
    ],
)
def test_what_has_the_shape_is_no_fault(
    record: dict[str, Any], shape: type[records.Record]
) -> None:
    assert records.fault(record, shape) is None


@pytest.mark.parametrize(
    ("record", "shape", "said"),
    [
        (MANIFEST | {"kind": ["mnist"]}, RawManifest, "kind: should be 'competition',"),
        (MANIFEST | {"files": []}, RawManifest, "files: should be a table, got []"),
        (
            MANIFEST | {"files": {"train.csv": FILES["train.csv"]}},
            RawManifest,
            "files.test.csv: missing key",
        ),
        (
            MANIFEST | {"files": FILES | {"test.csv": {"sha256": "a", "rows": 0}}},
            RawManifest,
            "files.test.csv.rows: should be greater than or equal to 1, got 0",
        ),
        (
            MEASURED | {"accuracy": HALF | {"high": 0.4}},
            MeasuredRecord,
            "accuracy: should be",
        ),
        (
            MEASURED | {"accuracy": HALF | {"correct": 2}},
            MeasuredRecord,
            "accuracy: should be",
        ),
        (
            MEASURED | {"accuracy": HALF | {"x": 1}},
            MeasuredRecord,
            "accuracy.x: unknown key",
        ),
        (
            MEASURED | {"accuracy": HALF | {"value": 1.5}},
            MeasuredRecord,
            "accuracy.value: ",
        ),
        (
            TRAINING | {"recipe_name": 1},
            NetworkTrainingRecord,
            "recipe_name: should be a valid",
        ),
        (
            TRAINING | {"seed": True},
            NetworkTrainingRecord,
            "seed: should be a valid integer",
        ),
        (
            TRAINING | {"seed": 1.0},
            NetworkTrainingRecord,
            "seed: should be a valid integer",
        ),
        (
            TRAINING | {"seed": -1},
            NetworkTrainingRecord,
            "seed: should be greater than or equ",
        ),
        (
            TRAINING | {"seconds": float("inf")},
            NetworkTrainingRecord,
            "seconds: should be a fin",
        ),
        (
            TRAINING | {"seconds": 1e300},
            NetworkTrainingRecord,
            "seconds: should be less than",
        ),
        (
            TRAINING | {"hold_out_accuracy": None},
            NetworkTrainingRecord,
            "hold_out_accuracy: ",
        ),
        (
            TRAINING | {"environment": {"cores": 2, "dirty": 0}},
            NetworkTrainingRecord,
            "environment.dirty: ",
        ),
        (
            TRAINING | {"environment": {}},
            NetworkTrainingRecord,
            "environment.cores: missing key",
        ),
        (TRAINING | {"split": {}}, NetworkTrainingRecord, "split.kind: missing key"),
        (
            TRAINING | {"split": HOLD_OUT | {"kind": "none"}},
            NetworkTrainingRecord,
            "split.kind: should be one of 'hold_out', 'fold', got 'none'",
        ),
        (
            TRAINING | {"split": HOLD_OUT | {"file": 1}},
            NetworkTrainingRecord,
            "split.file: ",
        ),
        (
            {key: value for key, value in TRAINING.items() if key != "seed"},
            NetworkTrainingRecord,
            "seed: missing key",
        ),
        (
            {key: value for key, value in OF_MEMBERS.items() if key != "members"},
            EnsembleTrainingRecord,
            "members: missing key",
        ),
        (
            TRAINING | {"split": OF_MEMBERS["split"]},
            NetworkTrainingRecord,
            "split.kind: should be one of 'hold_out', 'fold'",
        ),
        (
            OF_MEMBERS | {"members": {}},
            EnsembleTrainingRecord,
            "members: should be a valid list",
        ),
        (
            OF_MEMBERS | {"members": [1]},
            EnsembleTrainingRecord,
            "members.0: should be a table",
        ),
    ],
)
def test_a_fault_names_the_key(
    record: dict[str, Any], shape: type[records.Record], said: str
) -> None:
    assert str(records.fault(record, shape)).startswith(said)


def test_a_damaged_record_is_named(tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    write_json(path, MANIFEST)
    assert records.read(path, RawManifest) == MANIFEST
    write_json(path, {**MANIFEST, "files": {"train.csv": FILES["train.csv"]}})
    with pytest.raises(PipelineError, match=r"manifest\.json is damaged.*: files\.test\.csv: miss"):
        records.read(path, RawManifest)
