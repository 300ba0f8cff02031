"""Stage submission: predict the test digits with a run and write the CSV that Kaggle takes."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.digits import dataset
from pipeline.kaggle import submission_csv
from pipeline.kaggle.submission_csv import COMPETITION_ROWS
from pipeline.plan.plan import Plan
from pipeline.plan.workspace import RunFolder
from pipeline.runs import ensemble
from pipeline.runs.doubts import doubt_of
from pipeline.runs.metrics import CLASSES, Accuracy
from pipeline.runs.records import WrittenRecord
from pipeline.runs.run import (
    TrainedRun,
    check_models,
    hold_out_accuracy,
    read_metrics,
    read_run,
    require_run,
)
from pipeline.system import due, files, locks, provenance
from pipeline.system.array_files import RowsFile
from pipeline.system.errors import PipelineError
from pipeline.training import checkpoint, prediction


@dataclass(frozen=True)
class SubmissionResult:
    """A checked CSV.

    predicted_counts: how often each digit 0 to 9 was predicted.
    competition: whether it was predicted from the competition's own test digits.
    doubt: why the run may not have learnt anything, "" if it has.
    """

    unchanged: bool
    run: str
    csv: Path
    rows: int
    predicted_counts: tuple[int, ...]
    hold_out: Accuracy
    competition: bool
    doubt: str = ""


def submission(plan: Plan, *, force: bool = False) -> SubmissionResult:
    """Predict the test digits of the run's source; the model alone says how.

    Raises PipelineError if the run is missing or not validated, or if the ids of
    sample_submission.csv and test.csv disagree.
    """
    require_run(plan)
    folder = plan.workspace.run(plan.run)
    csv, record = plan.workspace.submission(plan.run), plan.workspace.submission_record(plan.run)
    with locks.locked(folder.folder), locks.locked(csv, record):
        run = read_run(plan)
        accuracy = hold_out_accuracy(run)
        said = doubt_of(read_metrics(run), run.training)
        written = {**_origin(run), "hold_out": _as_json(accuracy), "doubt": said or None}
        found = None if force else _current(record, written)
        written = found or _write(plan, run, written, force=force)
    rows = int(written["rows"])
    return SubmissionResult(
        found is not None,
        plan.run,
        csv,
        rows,
        tuple(written["predicted_counts"]),
        accuracy,
        written["kind"] == "competition" and rows == COMPETITION_ROWS,
        said,
    )


def _origin(run: TrainedRun) -> dict[str, Any]:
    """What the record says of the CSV before there is one; commit and dirty are of training."""
    training, raw = run.training, run.raw
    return {
        "stage": "submission",
        "inputs": {**run.test_inputs, "csv": submission_csv.VERSION},
        "run": run.folder.name,
        "recipe": training["recipe_name"],
        "seed": training["seed"],
        "source": raw["source"],
        "kind": raw["kind"],
        "test_csv": raw["files"]["test.csv"],
        "commit": training["environment"].get("commit"),
        "dirty": training["environment"].get("dirty"),
    }


def _as_json(accuracy: Accuracy) -> dict[str, Any]:
    return {
        "accuracy": accuracy.value,
        "low": accuracy.low,
        "high": accuracy.high,
        "rows": accuracy.rows,
    }


def _current(record: Path, written: dict[str, Any]) -> dict[str, Any] | None:
    """The CSV's record, if the CSV is unedited and its record would say the same again."""
    found = due.current_record(record, written["inputs"], shape=WrittenRecord)
    same = found and all(found.get(key) == value for key, value in written.items())
    return found if same else None


def _write(plan: Plan, run: TrainedRun, written: dict[str, Any], *, force: bool) -> dict[str, Any]:
    """Predict and write the CSV; return its record, which begins with ``written``."""
    started = time.perf_counter()
    raw = plan.workspace.raw(plan.source.name)
    processed = plan.workspace.processed(plan.source.name)
    with dataset.locked(processed):
        images = dataset.load_test_images(processed)
    test_rows = int(written["test_csv"]["rows"])
    if len(images) != test_rows:
        raise PipelineError(
            f"{raw.test} has {test_rows:,} rows, but there are {len(images):,} test images",
            remedy="Run: make preprocess FORCE=1",
        )
    csv = plan.workspace.submission(plan.run)
    sample = raw.sample_submission if raw.sample_submission.exists() else None
    if sample is not None:
        # Before anything is written, so that a sample that does not fit leaves no CSV behind.
        submission_csv.check_submission(sample, test_rows=test_rows)
    probabilities = _predict(run, images, force=force)
    counts = np.zeros(CLASSES, np.int64)

    def labels() -> Iterator[int]:
        for part in ensemble.in_parts(probabilities):
            found = part.argmax(axis=1)
            counts[:] += np.bincount(found, minlength=CLASSES)
            yield from found

    submission_csv.write_submission(csv, labels())
    rows = submission_csv.check_submission(csv, sample=sample, test_rows=test_rows)
    checksum = files.sha256(csv)
    record = {
        **written,
        "outputs": {csv.name: checksum},
        "csv_sha256": checksum,
        "rows": rows,
        "predicted_counts": counts.tolist(),
        "seconds": round(time.perf_counter() - started, 3),
        "environment": provenance.environment(),
        "finished_at": provenance.now(),
    }
    files.write_json(plan.workspace.submission_record(plan.run), record)
    return record


def _kept(folder: RunFolder, rows: int) -> ensemble.Probabilities:
    remedy = f"Run: make submission RUN={folder.name} FORCE=1"
    return ensemble.load_probabilities(folder.test_probabilities, rows, remedy=remedy)


def _predict(
    run: TrainedRun,
    images: prediction.Array,
    *,
    force: bool,
) -> ensemble.Probabilities:
    """Write the run's probabilities (M, 10) of the test digits into its folder, and map them.

    An ensemble's are the mean of its members', which are kept and found in theirs.
    """
    folder, inputs = run.folder, run.test_inputs
    found: Iterator[ensemble.Probabilities]
    if not force and due.current_record(folder.test_record, inputs):
        return _kept(folder, len(images))
    if run.members:
        members = []
        for member in run.members:
            with locks.locked(member.folder.folder):
                check_models(member)  # which were read a while ago
                members.append(_predict(member, images, force=force))
        found = map(ensemble.mean, zip(*map(ensemble.in_parts, members), strict=True))
    else:
        found = prediction.predict_in_turn(checkpoint.load_model(run.predictor), images)
    with files.atomic_write(folder.test_probabilities) as stream:
        file = RowsFile(stream, (len(images), CLASSES), np.float32)
        for probabilities in found:
            file.add(probabilities)
        checksum = file.finish()
    files.write_json(
        folder.test_record,
        {
            "stage": "submission",
            "inputs": inputs,
            "outputs": {folder.test_probabilities.name: checksum},
            "finished_at": provenance.now(),
        },
    )
    return _kept(folder, len(images))
