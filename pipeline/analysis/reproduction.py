"""What a run and its reproduction have in common, bit for bit, and what may explain the rest."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.analysis.look import read_images
from pipeline.digits import dataset
from pipeline.digits.folds import find_split
from pipeline.kaggle.submission_csv import read_submission
from pipeline.plan.workspace import ProcessedFolder, Workspace
from pipeline.runs import ensemble
from pipeline.runs.ensemble import HeldOut
from pipeline.runs.listing import short_commit
from pipeline.runs.records import MeasuredRecord, read_submission_record
from pipeline.runs.run import TrainedRun, models_of, predicted_by
from pipeline.system import files, provenance, records
from pipeline.system.errors import PipelineError
from pipeline.training.checkpoint import load_model
from pipeline.training.prediction import predict


@dataclass(frozen=True)
class ModelAgreement:
    """One network then and now.

    file: "model" or "refit".  values: how many it has, weights and running statistics.
    differing: how many differ.  largest: by how much at most; None if it is another network.
    """

    run: str
    file: str
    values: int
    differing: int
    largest: float | None


@dataclass(frozen=True)
class HoldOutAgreement:
    """What is read in the held-out digits, then and now.

    differing: rows of which the probabilities differ.  largest: by how much at most.
    predictions: rows that are read as another digit.
    """

    rows: int
    differing: int
    largest: float
    predictions: int
    accuracy_then: float
    accuracy_now: float


@dataclass(frozen=True)
class LabelAgreement:
    """The CSV's labels then, and those predicted now."""

    rows: int
    differing: int


def check_digits(processed: ProcessedFolder, recorded: Mapping[str, str], *, run: str) -> None:
    """Raise PipelineError naming the first array that is not the one on record.

    recorded: a checksum for each name, such as train_images.  run: whose record it is.
    """
    for name, path in array_files(processed, recorded).items():
        if not path.exists() or files.sha256(path) != recorded[name]:
            raise PipelineError(
                f"{path} does not hold the digits of {run}: its checksum is not the recorded one",
                remedy=f"Get them again: make preprocess RUN={run} FORCE=1",
            )


def array_files(processed: ProcessedFolder, names: Mapping[str, str]) -> dict[str, Any]:
    """Return the file of each array that is named."""
    known = (processed.train_images, processed.train_labels, processed.test_images)
    return {path.stem: path for path in known if path.stem in names}


def check_split(processed: ProcessedFolder, training: Mapping[str, Any]) -> None:
    """Raise PipelineError if the split is drawn or saved otherwise than the one on record."""
    labels = dataset.load_labels(processed)
    path = find_split(labels, processed.folds, training["split"]).path
    if training["split"].get("sha256") not in (None, files.sha256(path)):  # older ones tell none
        raise PipelineError(
            f"{path} does not hold out the rows that {training['run']} held out",
            remedy="Delete it to draw it anew; scikit-learn then was "
            f"{training['environment'].get('scikit-learn')}.",
        )


def compare_models(run: TrainedRun, then: Workspace, now: Workspace) -> list[ModelAgreement]:
    """Compare the values of a network's one or two models, bit by bit."""
    name, found = run.folder.name, []
    for file in models_of(run.training):
        old, new = (load_model(getattr(workspace.run(name), file)) for workspace in (then, now))
        first, second = old.network.vector, new.network.vector
        same_kind = old.network.config == new.network.config and old.views == new.views
        if not same_kind or len(first) != len(second):
            found.append(ModelAgreement(name, file, len(first), len(first), None))
            continue
        differs = first.view(np.uint32) != second.view(np.uint32)  # as bits: -0.0 is not 0.0
        largest = float(np.abs(first.astype(np.float64) - second).max())
        found.append(ModelAgreement(name, file, len(first), int(differs.sum()), largest))
    return found


def compare_hold_out(
    run: TrainedRun, processed: ProcessedFolder, now: Workspace
) -> HoldOutAgreement:
    """Compare what is read in the held-out digits; kept probabilities come before new ones."""
    old = _held_out(run, processed, kept=True)
    new = _held_out(run.moved(now), processed, kept=False)
    if not np.array_equal(old.rows, new.rows):
        raise PipelineError(f"{run.folder.hold_out} holds other rows than those held out now")
    before, after = (each.probabilities.argmax(axis=1) for each in (old, new))
    differs = (old.probabilities.view(np.uint32) != new.probabilities.view(np.uint32)).any(axis=1)
    return HoldOutAgreement(
        rows=len(old.rows),
        differing=int(differs.sum()),
        largest=float(np.abs(old.probabilities - new.probabilities).max()),
        predictions=int(np.count_nonzero(before != after)),
        accuracy_then=float(np.mean(before == old.labels)),
        accuracy_now=float(np.mean(after == old.labels)),
    )


def compare_labels(
    run: TrainedRun, processed: ProcessedFolder, then: Workspace, now: Workspace
) -> LabelAgreement | None:
    """Compare the labels in the run's CSV with those predicted now.

    None if there is no CSV of this very run as it was predicted.
    Raises PipelineError if the test digits are not those that it was predicted from.
    """
    csv, path = then.submission(run.folder.name), then.submission_record(run.folder.name)
    if not csv.exists() or not path.exists():
        return None
    record = read_submission_record(path)
    if not predicted_by(record, run.training):
        return None
    if files.sha256(csv) != record["csv_sha256"]:
        return None
    check_digits(processed, {"test_images": record["inputs"]["test_images"]}, run=csv.stem)
    images = dataset.load_test_images(processed)
    labels = np.array(read_submission(csv, test_rows=len(images)))
    found = read_images(run.moved(now), images).argmax(axis=1)
    return LabelAgreement(len(labels), int(np.count_nonzero(labels != found)))


def differences_in_the_making(run: TrainedRun, now: Workspace) -> dict[str, tuple[Any, Any]]:
    """Return what differs between a network's record and that of its reproduction: (then, now)."""
    then = run.training
    again = files.read_json(now.run(run.folder.name).training)
    found: dict[str, tuple[Any, Any]] = {}
    arithmetics = then["inputs"].get("arithmetic"), again["inputs"]["arithmetic"]
    if arithmetics[0] != arithmetics[1]:
        found["arithmetic"] = arithmetics
    commits = short_commit(then["environment"]), short_commit(again["environment"])
    if commits[0] != commits[1]:
        found["commit"] = commits
    return found | provenance.differences(then["environment"], again["environment"])


def _held_out(run: TrainedRun, processed: ProcessedFolder, *, kept: bool) -> HeldOut:
    """What the run's models read, or what its own validation kept."""
    if kept and _is_validated(run):
        return HeldOut.read(run.folder.hold_out)
    if run.members:
        return ensemble.combine([_held_out(each, processed, kept=kept) for each in run.members])
    digits = dataset.load_labelled(processed)
    split = find_split(digits.labels, processed.folds, run.training["split"])
    rows = split.hold_out_rows
    return HeldOut(
        rows,
        np.asarray(digits.labels[rows]),
        predict(load_model(run.folder.model), digits.images, rows),
        np.ones(len(rows), np.int64),
    )


def _is_validated(run: TrainedRun) -> bool:
    path = run.folder.validation
    if not path.exists() or not run.folder.hold_out.exists():
        return False
    return bool(records.load(path, MeasuredRecord).inputs.get("model") == run.model_sha256)
