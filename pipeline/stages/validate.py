"""Stage validate: measure a run on the digits that were held out of its training."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.digits import dataset, folds
from pipeline.plan.plan import Plan
from pipeline.runs import ensemble, metrics
from pipeline.runs.doubts import doubt_of
from pipeline.runs.ensemble import EnsembleMetrics, HeldOut, MemberMetrics
from pipeline.runs.metrics import Metrics
from pipeline.runs.run import TrainedRun, how_it_is_read, member_plan, read_run, require_run
from pipeline.system import due, files, locks, provenance, records
from pipeline.system.errors import PipelineError
from pipeline.training import checkpoint, prediction


@dataclass(frozen=True)
class ValidateResult:
    """The metrics of one run.  record: the file that holds them for machines.

    members: of an ensemble, each beside the others.  networks: how many read a test digit.
    networks_per_row: how many, at least and at most, stand behind a held-out digit here.
    doubt: why the run may not have learnt anything, "" if it has.
    """

    unchanged: bool
    run: str
    metrics: Metrics
    record: Path
    members: tuple[MemberMetrics, ...] = ()
    networks: int = 1
    networks_per_row: tuple[int, int] = (1, 1)
    doubt: str = ""


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
        shape = EnsembleMetrics if run.members else Metrics
        found = None if force else due.current_record(folder.validation, inputs, shape=shape)
        record = found or _measure(plan, run, inputs, force=force)
    return _result(run, record, unchanged=found is not None)


def _result(run: TrainedRun, record: dict[str, Any], *, unchanged: bool) -> ValidateResult:
    name, path = run.folder.name, run.folder.validation
    if not run.members:
        metrics = records.parse(record, Metrics)
        return ValidateResult(unchanged, name, metrics, path, doubt=doubt_of(metrics, run.training))
    measured = records.parse(record, EnsembleMetrics)
    low, high = measured.networks.per_row
    return ValidateResult(
        unchanged,
        name,
        measured,
        path,
        tuple(measured.members),
        measured.networks.per_test_digit,
        (low, high),
        doubt_of(measured, run.training),
    )


def _inputs(run: TrainedRun) -> dict[str, Any]:
    inputs: dict[str, Any] = {
        "model": run.model_sha256,
        "data": run.data_sha256,
        "metrics": metrics.VERSION,
        **how_it_is_read(),
    }
    if not run.members:
        inputs["split"] = folds.split_values(run.training["split"])
    return inputs


def _measure(plan: Plan, run: TrainedRun, inputs: dict[str, Any], *, force: bool) -> dict[str, Any]:
    """Write what the run reads in digits that it never saw, and return the record of it."""
    started = time.perf_counter()
    read = _read_with_members if run.members else _read_with_network
    held_out, of_members = read(plan, run, force=force)
    measured = metrics.measure(held_out.labels, held_out.probabilities, rows=held_out.rows)
    if not run.members:
        _compare_with_training(run, measured)
    with files.atomic_write(run.folder.hold_out) as stream:
        np.savez(stream, **vars(held_out))
    record = {
        "stage": "validate",
        "inputs": inputs,
        "outputs": due.checksums(run.folder.hold_out),
        "run": plan.run,
        **measured.model_dump(),
        **of_members,
        "seconds": round(time.perf_counter() - started, 3),
        "finished_at": provenance.now(),
    }
    files.write_json(run.folder.validation, record)
    return record


def _read_with_members(
    plan: Plan, run: TrainedRun, *, force: bool
) -> tuple[HeldOut, dict[str, Any]]:
    found = []
    for member in run.members:
        validate(member_plan(plan, member.folder.name), force=force)
        found.append(HeldOut.read(member.folder.hold_out))
    combined = ensemble.combine(found)
    members = ensemble.measure_members(found, run.members)
    return combined, {
        "members": [member.model_dump() for member in members],
        "networks": {
            "per_row": [int(combined.networks.min()), int(combined.networks.max())],
            "per_test_digit": run.networks,
        },
    }


def _read_with_network(
    plan: Plan,
    run: TrainedRun,
    *,
    force: bool,  # noqa: ARG001
) -> tuple[HeldOut, dict[str, Any]]:
    processed = plan.workspace.processed(plan.source.name)
    with dataset.locked(processed):
        digits = dataset.load_labelled(processed)
        split = folds.find_split(digits.labels, processed.folds, run.training["split"])
    rows = split.hold_out_rows
    model = checkpoint.load_model(run.folder.model)
    probabilities = prediction.predict(model, digits.images, rows)
    networks = np.ones(len(rows), np.int64)
    return HeldOut(rows.astype(np.int64), digits.labels[rows], probabilities, networks), {}


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
            remedy=f"Run: make train RUN={run.folder.name} FORCE=1",
        )
