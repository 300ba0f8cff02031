"""A finished run in a few small files, with a network that is right or wrong as its images say."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline import nn
from pipeline.digits import folds
from pipeline.plan.plan import Plan, Source
from pipeline.plan.workspace import Workspace
from pipeline.recipes.file import RECIPE_FOLDER, RecipeFile
from pipeline.runs.ledger import LedgerLine, write_line
from pipeline.runs.metrics import accuracy_of
from pipeline.system import files
from pipeline.training import checkpoint, prediction
from tests.practice_case import split_place

Images = NDArray[np.uint8]


def make_images(labels: Sequence[int], wrong: Sequence[int]) -> Images:
    """Images whose first pixel is the digit to read and whose second one spoils the reading."""
    images = np.zeros((len(labels), 28, 28), np.uint8)
    images[:, 0, 0] = labels
    images[list(wrong), 0, 1] = 1
    return images


def read_images(images: Images) -> NDArray[np.float32]:
    """What the stand-in network predicts: the first pixel, or the next digit if it is spoilt."""
    digits = (images[:, 0, 0] + images[:, 0, 1]) % 10
    probabilities = np.full((len(images), 10), 0.01, np.float32)
    probabilities[np.arange(len(images)), digits] = 0.91
    return probabilities


def use_stand_in_network(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Let every model be the stand-in; returns the models loaded from then on."""
    loaded: list[Path] = []

    def load(path: Path) -> str:
        loaded.append(path)
        return "network"

    def predict(
        _network: str, images: Images, rows: NDArray[np.int32] | None = None
    ) -> NDArray[np.float32]:
        return read_images(np.asarray(images if rows is None else images[rows]))

    def predict_in_turn(_network: str, images: Images) -> Iterator[NDArray[np.float32]]:
        yield predict(_network, images[:7])
        yield predict(_network, images[7:])

    monkeypatch.setattr(checkpoint, "load_model", load)
    monkeypatch.setattr(prediction, "predict", predict)
    monkeypatch.setattr(prediction, "predict_in_turn", predict_in_turn)
    return loaded


@dataclass
class Digits:
    """One source's files.  labels and test_labels are what a perfect network reads."""

    workspace: Workspace
    source: Source
    labels: list[int]
    test_labels: list[int]

    @property
    def manifest(self) -> dict[str, Any]:
        return files.read_json(self.workspace.processed(self.source.name).manifest)


def make_digits(
    folder: Path,
    *,
    source: Source | None = None,
    kind: str = "competition",
    train_rows: int = 100,
    test_rows: int = 30,
    wrong: Sequence[int] = (),
    wrong_test: Sequence[int] = (),
    answer_key: bool = False,
) -> Digits:
    """Write raw and processed files of a source whose network misreads the rows in ``wrong``."""
    workspace = Workspace(folder / "data", folder / "submissions")
    source = source or Source("kaggle", "kaggle")
    digits = Digits(
        workspace,
        source,
        [row % 10 for row in range(train_rows)],
        [(3 * row) % 10 for row in range(test_rows)],
    )
    raw = workspace.raw(source.name)
    raw.folder.mkdir(parents=True)
    _write_ids(raw.sample_submission, [0] * test_rows)
    if answer_key:
        _write_ids(raw.answer_key, digits.test_labels)
    raw_manifest = {
        "stage": "download",
        "kind": kind,
        "source": source.kind,
        "origin": "a test",
        "downloaded_at": "2026-01-01T00:00:00+00:00",
        "files": {
            "train.csv": {"sha256": "a", "bytes": 1, "rows": train_rows},
            "test.csv": {"sha256": "b", "bytes": 1, "rows": test_rows},
        },
    }
    files.write_json(raw.manifest, raw_manifest)
    processed = workspace.processed(source.name)
    processed.folder.mkdir(parents=True)
    arrays = {
        "train_images": make_images(digits.labels, wrong),
        "train_labels": np.array(digits.labels, np.uint8),
        "test_images": make_images(digits.test_labels, wrong_test),
    }
    for name, array in arrays.items():
        np.save(processed.folder / f"{name}.npy", array)
    described = {
        name: {
            "shape": list(array.shape),
            "sha256": files.sha256(processed.folder / f"{name}.npy"),
        }
        for name, array in arrays.items()
    }
    files.write_json(
        processed.manifest, {"stage": "preprocess", "arrays": described, "raw": raw_manifest}
    )
    return digits


def make_run(
    digits: Digits,
    *,
    name: str = "run",
    recipe: str = "mlp",
    recipe_text: str | None = None,
    seed: int = 0,
    overrides: str = "",
    resolved: dict[str, Any] | None = None,
    hold_out: float = 0.2,
    accuracy: float | None = None,
    seconds: float = 10.0,
    cores: int = 2,
    finished_at: str = "2026-01-02T00:00:00+00:00",
) -> Plan:
    """Write what the stage train leaves; ``accuracy`` defaults to what the network reaches."""
    plan = Plan(
        digits.workspace,
        digits.source,
        RecipeFile(RECIPE_FOLDER / f"{recipe}.toml"),
        seed,
        tuple(overrides.split()),
        name,
    )
    folder = digits.workspace.run(name)
    folder.folder.mkdir(parents=True, exist_ok=True)
    folder.model.write_bytes(f"model of {name} seed {seed} at {finished_at}".encode())
    files.write_json(
        folder.request,
        {
            "source": digits.source.text,
            "recipe": recipe_text or recipe,
            "seed": seed,
            "set": overrides,
        },
    )
    processed = digits.workspace.processed(digits.source.name)
    split = folds.hold_out(*split_place(processed), size=hold_out, seed=0)
    if accuracy is None:
        rows = split.hold_out_rows
        found = read_images(np.load(processed.train_images)[rows]).argmax(axis=1)
        accuracy = float(np.mean(found == np.array(digits.labels)[rows]))
    arrays = digits.manifest["arrays"]
    training = {
        "stage": "train",
        "inputs": {
            "data": {key: arrays[key]["sha256"] for key in ("train_images", "train_labels")},
            "recipe": {"seed": seed, "description": f"of {name}", **(resolved or {})},
            "arithmetic": nn.ARITHMETIC,
        },
        "run": name,
        "recipe_name": recipe,
        "seed": seed,
        "model_sha256": files.sha256(folder.model),
        "refit": None,
        "parameters": 1,
        "split": {
            "kind": "hold_out",
            "size": hold_out,
            "seed": 0,
            "training_rows": len(split.training_rows),
            "hold_out_rows": len(split.hold_out_rows),
            "file": split.path.name,
        },
        "epochs": 1,
        "hold_out_accuracy": accuracy,
        "hold_out_loss": 0.5,
        "seconds": seconds,
        "images_per_second": 1.0,
        "data": digits.manifest["raw"],
        "environment": {"commit": "0123456789abcdef", "dirty": False, "cores": cores},
        "finished_at": finished_at,
    }
    files.write_json(folder.training, training)
    return plan


def change_json(path: Path, **changes: Any) -> None:
    files.write_json(path, {**json.loads(path.read_text(encoding="utf-8")), **changes})


def write_score(workspace: Workspace, run: str, accuracy: float) -> None:
    """The record of a CSV of the run, and its score by the answer key."""
    folder = workspace.run(run)
    write_csv_record(workspace, run)
    files.write_json(
        folder.score,
        {
            "inputs": {"csv": f"csv of {run}"},
            "accuracy": accuracy_of(round(accuracy * 10_000), 10_000).model_dump(),
        },
    )


def write_csv_record(workspace: Workspace, run: str) -> None:
    model = files.read_json(workspace.run(run).training)["model_sha256"]
    files.write_json(
        workspace.submission_record(run),
        {"inputs": {"model": model}, "csv_sha256": f"csv of {run}"},
    )


def write_submitted(workspace: Workspace, csv_sha256: str, message: str, **fields: Any) -> None:
    """A line of the ledger."""
    values = {
        "sent_at": "2026-01-03T00:00:00+00:00",
        "run": "run",
        "file": "run.csv",
        "status": "COMPLETE",
        "ref": 1,
        **fields,
    }
    write_line(workspace.ledger, LedgerLine(csv_sha256=csv_sha256, message=message, **values))


def _write_ids(path: Path, labels: Sequence[int]) -> None:
    lines = [f"{image_id},{label}\n" for image_id, label in enumerate(labels, start=1)]
    path.write_text("ImageId,Label\n" + "".join(lines), encoding="utf-8")
