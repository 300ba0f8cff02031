"""What a tracking service is told of a run, from the files in its folder."""

import csv
import os
import re
from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.digits import dataset
from pipeline.plan.workspace import RunFolder, Workspace
from pipeline.runs.ledger import read_ledger
from pipeline.runs.listing import score_of
from pipeline.system import files, provenance
from pipeline.system.text import without_password

# Where services keep secrets; none of them may turn up in what we write or say.
_SECRETS = (
    "MLFLOW_TRACKING_PASSWORD",
    "MLFLOW_TRACKING_TOKEN",
    "WANDB_API_KEY",
    "DATABRICKS_TOKEN",
)


def params_of(workspace: Workspace, run: str, source: str) -> dict[str, str]:
    """Return what a run is made from: recipe, seed, source, checksums, commit and versions.

    source: the name of its folder under data/processed.
    """
    folder = workspace.run(run)
    training = files.read_json(folder.training) if folder.training.exists() else {}
    request = files.read_json(folder.request)
    arrays = dataset.read_manifest(workspace.processed(source))["arrays"]
    environment = training.get("environment") or provenance.environment()
    recipe = files.read_json(folder.recipe)
    facts = {
        "run": run,
        "source": source,
        "request": {name: value for name, value in request.items() if name != "source"},
        "data": {name: array["sha256"] for name, array in arrays.items()},
        "environment": environment,
        "recipe": recipe,
    }
    return dict(_flat(facts))


def epochs_of(folder: RunFolder, *, after: int) -> Iterator[tuple[int, dict[str, float]]]:
    """Yield (epoch, metrics) of each evaluation after an epoch, as history.csv has it."""
    if not folder.history.exists():
        return
    with folder.history.open(newline="", encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            epoch = int(row.pop("epoch"))
            if epoch > after:
                yield epoch, {name: float(value) for name, value in row.items()}


def results_of(workspace: Workspace, run: str) -> dict[str, float]:
    """Return what came of a finished run, as far as it was trained, validated and scored."""
    folder = workspace.run(run)
    training = files.read_json(folder.training)
    found: dict[str, Any] = {
        f"final/{name}": training[name]
        for name in ("hold_out_accuracy", "hold_out_loss", "seconds", "parameters")
        if training.get(name) is not None
    }
    validation = files.read_json(folder.validation) if folder.validation.exists() else {}
    if validation.get("inputs", {}).get("model") == training["model_sha256"]:
        found |= {
            f"validation/{name}": validation["accuracy"][key]
            for name, key in (("accuracy", "value"), ("low", "low"), ("high", "high"))
        }
        found |= {
            f"validation/{name}": validation[name] for name in ("log_loss", "calibration_error")
        }
    score = score_of(workspace, folder, training, read_ledger(workspace.ledger))
    if score is not None:
        found[f"score/{score.origin.replace(' ', '_')}"] = score.value
    return {name: float(value) for name, value in found.items()}


def without_secrets(text: str) -> str:
    """Cut user names, passwords and keys out of an address or of what a service said."""
    for name in _SECRETS:
        if value := os.environ.get(name):
            text = text.replace(value, "***")
    text = without_password(text)
    return re.sub(r"\?[^\s'\")]*", "", text)


def _flat(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Yield (dotted key, text) of all that is not empty."""
    items: Any = ()
    if isinstance(value, Mapping):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    elif value not in (None, ""):
        yield key, str(value)
    for name, item in items:
        yield from _flat(item, f"{key}.{name}" if key else str(name))
