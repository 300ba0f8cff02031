"""Stage train: the recipe's network, or each member of an ensemble, and then their record."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.digits import dataset
from pipeline.plan.members import members_of, seed_of
from pipeline.plan.plan import Plan
from pipeline.plan.requests import record_request
from pipeline.runs import ensemble
from pipeline.runs.run import networks_of, read_run
from pipeline.system import due, files, locks, provenance
from pipeline.system.reporter import Reporter, listening
from pipeline.training.executors import Executor, make_executor
from pipeline.training.network_run import Trained, remove_checkpoints
from pipeline.training.records import EnsembleTrainingRecord


@dataclass(frozen=True)
class TrainResult:
    """A finished run.

    seconds: of training and evaluation, interrupted parts and the second network included.
    refit_rows: how many rows the second network learnt from; None without one.
    networks: of an ensemble, how many read a test digit; its epochs, hold-out accuracy (which the
    stage validate measures) and speed are None.
    """

    unchanged: bool
    run: str
    folder: Path
    epochs: int | None
    hold_out_accuracy: float | None
    hold_out_rows: int
    seconds: float
    images_per_second: float | None
    refit_rows: int | None = None
    networks: int = 1


def train(plan: Plan, *, force: bool = False, executor: Executor | None = None) -> TrainResult:
    """Train the plan's run, or go on with it where it was interrupted.

    An ensemble trains those of its members that are not trained yet, each as a run of its own.
    executor: where; None trains here.
    After an interruption at any time the weights end with the same bits as without one.
    Raises PipelineError if the arrays are missing, the recipe is wrong or training diverges.
    """
    executor = executor or make_executor("local", None)
    members = members_of(plan)
    if members:
        with locks.locked(plan.workspace.run(plan.run).folder):
            networks = () if plan.blend else members
            trained = executor.train(networks, each="member", force=force)
            keep = not force and all(member.unchanged for member in trained)
            found = _record_ensemble(plan, members, keep=keep)
    else:
        [found] = executor.train([plan], each="", force=force)
    run, record = plan.workspace.run(plan.run), found.record
    return TrainResult(
        unchanged=found.unchanged,
        run=run.name,
        folder=run.folder,
        epochs=record["epochs"],
        hold_out_accuracy=record["hold_out_accuracy"],
        hold_out_rows=record["split"]["hold_out_rows"],
        seconds=record["seconds"],
        images_per_second=record["images_per_second"],
        refit_rows=record["refit"]["rows"] if record["refit"] else None,
        networks=networks_of(record),
    )


def train_together(
    plans: Sequence[Plan],
    *,
    force: bool = False,
    executor: Executor | None = None,
) -> None:
    """Train several plans' runs, as ``train`` does, the networks of all of them as one list."""
    ensembles = [plan for plan in plans if members_of(plan)]
    networks = [network for plan in plans for network in members_of(plan) or (plan,)]
    executor = executor or make_executor("local", None)
    executor.train(
        list({network.run: network for network in networks}.values()),
        each="network" if ensembles else "seed",
        force=force,
    )
    with listening(Reporter()):  # all has been told
        for plan in ensembles:
            train(plan)


def _record_ensemble(plan: Plan, members: Sequence[Plan], *, keep: bool) -> Trained:
    """Write the ensemble's record, unless the one that is there may be kept and is current.

    The run's lock is the caller's.
    """
    run = plan.workspace.run(plan.run)
    trained = [read_run(member) for member in members]
    seed, moved = seed_of(plan)
    if seed is None and not plan.blend:
        seed = trained[0].training["seed"]
        moved = seed or 0
    processed = plan.workspace.processed(plan.source.name)
    with dataset.locked(processed):
        record = ensemble.make_record(trained, processed, seed=seed, moved=moved)
    shape = EnsembleTrainingRecord
    found = due.current_record(run.training, record["inputs"], shape=shape) if keep else None
    record_request(plan)
    if found is not None:
        return Trained(found, unchanged=True)
    # Left by a network that was trained under this name before.
    for path in (run.model, run.refit, run.history):
        path.unlink(missing_ok=True)
    remove_checkpoints(run)
    recipes = [
        {"run": member.folder.name, "recipe": member.training["inputs"]["recipe"]}
        for member in trained
    ]
    files.write_json(run.recipe, {"members": recipes})
    recipe = plan.recipe
    record |= {
        "outputs": due.checksums(run.recipe),
        "run": run.name,
        "recipe_name": _ensemble_name(plan),
        "recipe_file": None if plan.blend else provenance.file_record(recipe.path, recipe.sha256),
        "overrides": list(plan.overrides),
        "data": trained[0].raw,
        "environment": provenance.environment(),
        "finished_at": provenance.now(),
    }
    files.write_json(run.training, record)
    return Trained(record, unchanged=False)


def _ensemble_name(plan: Plan) -> str:
    return f"{plan.recipe_name}, {plan.folds} folds" if plan.folds else plan.recipe_name
