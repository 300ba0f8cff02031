"""Stage report: one page about a run, to look at and to pass on."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.digits import dataset, folds
from pipeline.digits.dataset import Labelled
from pipeline.digits.folds import Rows
from pipeline.pages.evidence import Probabilities, RunEvidence
from pipeline.pages.first_layer import Distorted, FirstNetwork, distort, first_layer
from pipeline.pages.run_page import run_page
from pipeline.plan.commands import origin_command
from pipeline.plan.plan import Plan
from pipeline.runs.ensemble import HeldOut, load_probabilities, locked_rows
from pipeline.runs.ledger import read_ledger
from pipeline.runs.listing import notice_of, score_of
from pipeline.runs.metrics import CLASSES, Accuracy, Metrics
from pipeline.runs.run import TrainedRun, hold_out_accuracy, read_run, require_run
from pipeline.system import due, files, locks, provenance, records
from pipeline.system.array_files import save_array
from pipeline.system.reporter import reporter
from pipeline.training import checkpoint, prediction
from pipeline.training.fitting import History

UNREAD = np.float32(1 / CLASSES)  # the probability of each digit in a row that is not read
VIEWS = 1  # of labelled digits: one is enough to find suspects, and quickest
COPIES = 7  # distorted ones of each digit
MOST_PICTURES = 48  # of the first layer


@dataclass(frozen=True)
class ReportResult:
    """A page.  size: in bytes."""

    run: str
    hold_out: Accuracy
    path: Path
    size: int


def report(plan: Plan, *, force: bool = False) -> ReportResult:
    """Write the page of the plan's run; it takes a moment, so that it is always written anew.

    What takes longer, reading all labelled digits once, is kept; force: does it again.
    Raises PipelineError if the run is missing or not validated, or one of its files is damaged.
    """
    require_run(plan)
    folder = plan.workspace.run(plan.run)
    with locks.locked(folder.folder):
        run = read_run(plan)
        accuracy = hold_out_accuracy(run)
        processed = plan.workspace.processed(plan.source.name)
        with dataset.locked(processed):
            digits = dataset.load_labelled(processed)
            locked = locked_rows(processed, run)
        read_again = _read_labelled(run, digits, locked, force=force)
        files.write_text(folder.report, run_page(_gather(plan, run, digits, read_again)))
    return ReportResult(plan.run, accuracy, folder.report, folder.report.stat().st_size)


def _read_labelled(
    run: TrainedRun, digits: Labelled, locked: Rows, *, force: bool
) -> Probabilities | None:
    """Return a network's probabilities (N, 10) of all labelled digits; None of an ensemble.

    They are kept in the run's folder. A locked row is not read: each digit has a tenth there.
    """
    if run.members:
        return None
    folder, inputs = run.folder, {**run.train_inputs, "number_of_views": VIEWS}
    kept = folder.train_probabilities
    if force or not due.current_record(folder.train_record, inputs):
        rows = np.setdiff1d(np.arange(len(digits.labels), dtype=np.int32), locked)
        reporter().line(f"Reading all {len(rows):,} labelled digits once.")
        model = replace(checkpoint.load_model(folder.model), views=VIEWS)
        probabilities = prediction.predict(model, digits.images, rows)
        if len(locked):
            read, probabilities = probabilities, np.full((len(digits.labels), CLASSES), UNREAD)
            probabilities[rows] = read
        save_array(kept, probabilities)
        files.write_json(
            folder.train_record,
            {
                "stage": "report",
                "inputs": inputs,
                "outputs": due.checksums(kept),
                "finished_at": provenance.now(),
            },
        )
    remedy = f"Run: make report RUN={folder.name} FORCE=1"
    return load_probabilities(kept, len(digits.labels), remedy=remedy)


def _gather(
    plan: Plan, run: TrainedRun, digits: Labelled, train_probabilities: Probabilities | None
) -> RunEvidence:
    folder = run.folder
    networks = run.single_networks
    recipes = {network.folder.name: files.read_json(network.folder.recipe) for network in networks}
    return RunEvidence(
        name=plan.run,
        source=plan.source.text,
        overrides=plan.overrides,
        notice=notice_of(run.raw),
        command=origin_command(plan, here=False),
        training=run.training,
        description=_description(plan, recipes),
        metrics=records.load(folder.validation, Metrics),
        held_out=HeldOut.read(folder.hold_out),
        score=score_of(plan.workspace, folder, run.training, read_ledger(plan.workspace.ledger)),
        histories={
            network.folder.name: History.read(network.folder.history) for network in networks
        },
        recipes=recipes,
        train_images=digits.images,
        train_labels=digits.labels,
        train_probabilities=train_probabilities,
        test_probabilities=_read_test_probabilities(run),
        network=_look_into(plan, networks[0], recipes[networks[0].folder.name], digits),
    )


def _read_test_probabilities(run: TrainedRun) -> Probabilities | None:
    """None if the stage submission has not predicted them with this very model."""
    folder = run.folder
    kept = folder.test_probabilities
    if due.current_record(folder.test_record, run.test_inputs) is None:
        return None
    remedy = f"Run: make submission RUN={folder.name} FORCE=1"
    return load_probabilities(kept, run.test_rows, remedy=remedy)


def _description(plan: Plan, recipes: Mapping[str, dict[str, Any]]) -> str:
    """What the recipe says of itself; a run keeps it, but for an ensemble, and a blend has none."""
    if plan.run in recipes:
        return str(recipes[plan.run].get("description", ""))
    return str(plan.recipe.values().get("description", "")) if not plan.blend else ""


def _look_into(
    plan: Plan, network: TrainedRun, recipe: dict[str, Any], digits: Labelled
) -> FirstNetwork:
    settings: dict[str, Any] | None = recipe.get("augmentation")
    model = checkpoint.load_model(network.folder.model)
    return FirstNetwork(
        name=network.folder.name,
        augmentation=settings,
        distorted=_distort(plan, network, digits, settings) if settings else (),
        layer=first_layer(model, most=MOST_PICTURES),
    )


def _distort(
    plan: Plan, network: TrainedRun, digits: Labelled, settings: dict[str, Any]
) -> list[Distorted]:
    """One digit of each class that the network learnt from, chosen by the run's seed."""
    rng = np.random.default_rng(network.training["seed"])
    processed = plan.workspace.processed(plan.source.name)
    rows = folds.find_split(digits.labels, processed.folds, network.training["split"]).training_rows
    labels = digits.labels[rows]
    classes = np.unique(labels)
    chosen = [int(rng.choice(rows[labels == label])) for label in classes]
    images = digits.images[chosen]
    copies = distort(images, settings, copies=COPIES, rng=rng)
    return [
        Distorted(int(label), image, few)
        for label, image, few in zip(classes, images, copies, strict=True)
    ]
