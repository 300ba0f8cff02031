"""Stage validate: measure a run on the digits that were held out of its training."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.digits import dataset, folds
from pipeline.plan.plan import Plan
from pipeline.plan.workspace import RunFolder
from pipeline.runs import ensemble, metrics
from pipeline.runs.ensemble import EnsembleMetrics, HeldOut, MemberMetrics
from pipeline.runs.metrics import Metrics
from pipeline.runs.run import TrainedRun, member_plan, read_run, require_run
from pipeline.system import files, locks, provenance, records
from pipeline.system.errors import PipelineError
from pipeline.training import checkpoint, prediction


@dataclass(frozen=True)
class ValidateResult:
    """The metrics of one run.  record: the file that holds them for machines.

    members: of an ensemble, each beside the others.  networks: how many read a test digit.
    networks_per_row: how many, at least and at most, stand behind a held-out digit here.
    """

    unchanged: bool
    run: str
    metrics: Metrics
    record: Path
    members: tuple[MemberMetrics, ...] = ()
    networks: int = 1
    networks_per_row: tuple[int, int] = (1, 1)


def validate(plan: Plan, *, force: bool = False) -> ValidateResult:
    """Predict the run's held-out digits and record every metric of them.

    An ensemble reads a digit with those of its members that held it out, by their own validation.

    Raises PipelineError if the run is missing, or does not reach the accuracy that training
    recorded for it: then its files do not belong together.
    """
    require_run(plan)
    folder = plan.workspace.run(plan.run)
    with locks.locked(folder.folder):
        run = read_run(plan)
        inputs = _inputs(run)
        unchanged = not force and provenance.is_current(
            folder.validation, inputs, [folder.hold_out]
        )
        if unchanged:
            folder.validation.touch()
        elif run.members:
            _measure_ensemble(plan, run, inputs, force=force)
        else:
            _measure(plan, run, inputs)
    return _result(folder, unchanged=unchanged)


def _result(folder: RunFolder, *, unchanged: bool) -> ValidateResult:
    path = folder.validation
    shape = EnsembleMetrics if "members" in files.read_json(path) else Metrics
    measured = records.load(path, shape)
    if not isinstance(measured, EnsembleMetrics):
        return ValidateResult(unchanged, folder.name, measured, path)
    low, high = measured.networks.per_row
    return ValidateResult(
        unchanged,
        folder.name,
        measured,
        path,
        tuple(measured.members),
        measured.networks.per_test_digit,
        (low, high),
    )


def _inputs(run: TrainedRun) -> dict[str, Any]:
    code = files.sha256(Path(metrics.__file__))
    if run.members:
        return {
            "model": run.model_sha256,
            "data": run.data_sha256,
            "code": [code, files.sha256(Path(ensemble.__file__))],
        }
    return {
        "model": run.model_sha256,
        "split": folds.split_values(run.training["split"]),
        "data": run.data_sha256,
        "code": code,
    }


def _measure_ensemble(
    plan: Plan,
    run: TrainedRun,
    inputs: dict[str, Any],
    *,
    force: bool,
) -> None:
    started = time.perf_counter()
    found = []
    for member in run.members:
        validate(member_plan(plan, member.folder.name), force=force)
        found.append(HeldOut.read(member.folder.hold_out))
    combined = ensemble.combine(found)
    measured = metrics.measure(combined.labels, combined.probabilities, rows=combined.rows)
    with files.atomic_write(run.folder.hold_out) as stream:
        np.savez(stream, **vars(combined))
    files.write_json(
        run.folder.validation,
        {
            "stage": "validate",
            "inputs": inputs,
            "run": plan.run,
            **measured.model_dump(),
            "members": [
                member.model_dump() for member in ensemble.measure_members(found, run.members)
            ],
            "networks": {
                "per_row": [int(combined.networks.min()), int(combined.networks.max())],
                "per_test_digit": run.networks,
            },
            "seconds": round(time.perf_counter() - started, 3),
            "finished_at": provenance.now(),
        },
    )


def _measure(plan: Plan, run: TrainedRun, inputs: dict[str, Any]) -> None:
    started = time.perf_counter()
    processed = plan.workspace.processed(plan.source.name)
    with dataset.locked(processed):
        digits = dataset.load(processed)
        rows = folds.find_split(processed, inputs["split"]).hold_out_rows
    labels = digits.train_labels[rows]
    model = checkpoint.load_model(run.folder.model)
    probabilities = prediction.predict(model, digits.train_images, rows)
    measured = metrics.measure(labels, probabilities, rows=rows)
    _compare_with_training(run, measured)
    with files.atomic_write(run.folder.hold_out) as stream:
        np.savez(stream, rows=rows.astype(np.int64), labels=labels, probabilities=probabilities)
    files.write_json(
        run.folder.validation,
        {
            "stage": "validate",
            "inputs": inputs,
            "run": plan.run,
            **measured.model_dump(),
            "seconds": round(time.perf_counter() - started, 3),
            "finished_at": provenance.now(),
        },
    )


def _compare_with_training(run: TrainedRun, measured: Metrics) -> None:
    """Stop if the saved model is not as good as training said on the same digits.

    Prediction gives the same bits as the evaluations of training, so no tolerance is due; a
    difference is a model saved too early, another split, or a library that computes otherwise.
    """
    recorded = run.training["hold_out_accuracy"]
    if abs(measured.accuracy.value - recorded) > 1e-9:
        raise PipelineError(
            f"Run {run.folder.name} reads {measured.accuracy.value:.6f} of its held-out digits "
            f"right, but {run.folder.training} says {recorded:.6f}: model, split and record do "
            "not belong together, or were made with other versions of the libraries",
            remedy="Run: make train FORCE=1",
        )
