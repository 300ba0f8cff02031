"""Stage reproduce: train a run again from its record, apart from it, and compare the bits."""

import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pipeline.analysis.reproduction import (
    HoldOutAgreement,
    LabelAgreement,
    ModelAgreement,
    check_digits,
    check_split,
    compare_hold_out,
    compare_labels,
    compare_models,
    differences_in_the_making,
)
from pipeline.digits import dataset
from pipeline.plan.plan import Plan, recorded_plan
from pipeline.plan.workspace import Workspace
from pipeline.recipes.recipe import Recipe, recipe_of_record
from pipeline.runs.run import TrainedRun, models_of, read_run, read_training, require_run
from pipeline.system import files, locks, provenance
from pipeline.system.errors import PipelineError
from pipeline.system.reporter import reporter
from pipeline.training.network_run import identifying, train_network


@dataclass(frozen=True)
class ReproduceResult:
    """A run beside what became of training it again.

    labels: None if there is no CSV of the run.
    making: what differs in code, versions and machine: (then, now) by name.
    kept: the folder of the second training, None if it was removed.
    """

    run: str
    models: tuple[ModelAgreement, ...]
    hold_out: HoldOutAgreement
    labels: LabelAgreement | None
    making: Mapping[str, tuple[Any, Any]]
    seconds: float
    kept: Path | None

    @property
    def agrees(self) -> bool:
        """Whether every weight, held-out probability and predicted label is the same bits."""
        labels = self.labels.differing if self.labels else 0
        models = sum(model.differing for model in self.models)
        return models + self.hold_out.differing + labels == 0


def reproduce(
    workspace: Workspace,
    run: str,
    *,
    keep: bool = False,
) -> ReproduceResult:
    """Train each network of a run again by its recorded recipe, on the recorded digits and rows.

    The run's own folder gets the result and is not changed otherwise. After an interruption the
    same command goes on. keep: leave the second training in its folder.
    Raises PipelineError if the run is damaged or the digits are not those on record.
    """
    plan = recorded_plan(workspace, run)
    require_run(plan)
    processed = workspace.processed(plan.source.name)
    check_digits(processed, read_training(workspace.run(run))["inputs"]["data"], run=run)
    found = read_run(plan)
    networks = found.single_networks
    recipes = [_recorded_recipe(network) for network in networks]
    with dataset.locked(processed):
        for network in networks:
            check_split(processed, network.training)
    scratch = workspace.scratch(run)
    if scratch.data.is_symlink():
        raise PipelineError(
            f"{scratch.data} is a link, and what is there is removed at the end",
            remedy="Remove the link; the folder above may be one.",
        )
    with locks.locked(scratch.data):
        finished = scratch.run(run).reproduction
        if finished.exists():  # kept by an earlier call; this one starts anew
            shutil.rmtree(scratch.data)
        models: list[ModelAgreement] = []
        making: dict[str, tuple[Any, Any]] = {}
        seconds = 0.0
        for number, (network, recipe) in enumerate(zip(networks, recipes, strict=True), start=1):
            name = network.folder.name
            reporter().line(
                f"network {number} of {len(networks)}: {name}, again in {scratch.run(name).folder}"
            )
            train_network(
                _apart(plan, name, scratch),
                force=False,
                recipe=recipe,
            )
            models += compare_models(network, workspace, scratch)
            making = differences_in_the_making(network, scratch) | making
            seconds += read_training(scratch.run(name))["seconds"]
        result = ReproduceResult(
            run,
            tuple(models),
            compare_hold_out(found, processed, scratch),
            compare_labels(found, processed, workspace, scratch),
            making,
            seconds,
            scratch.data if keep else None,
        )
        record = _record(result, found)
        with locks.locked(found.folder.folder):
            files.write_json(found.folder.reproduction, record)
        files.write_json(finished, record)
        if not keep:
            shutil.rmtree(scratch.data)
    return result


def _apart(plan: Plan, run: str, scratch: Workspace) -> Plan:
    """The plan of a network of the run, with another place for what training writes."""
    recorded = recorded_plan(plan.workspace, run)
    return Plan(
        scratch,
        recorded.source,
        recorded.recipe,
        recorded.seed,
        recorded.overrides,
        run,
        recorded.folds,
        recorded.fold,
    )


def _recorded_recipe(network: TrainedRun) -> Recipe:
    path = network.folder.recipe
    if not path.exists():
        remedy = f"Train the run again: make train RUN={network.folder.name} FORCE=1"
        raise PipelineError(f"There is no {path}", remedy=remedy)
    recipe = recipe_of_record(path)
    if identifying(recipe) != network.training["inputs"]["recipe"]:
        raise PipelineError(
            f"{path} is not the recipe that {network.folder.training} tells of",
            remedy="One of them was changed by hand; put it back, or train the run again.",
        )
    return recipe


def _record(result: ReproduceResult, run: TrainedRun) -> dict[str, Any]:
    return {
        "stage": "reproduce",
        "inputs": models_of(run.training),
        "run": result.run,
        "agrees": result.agrees,
        "models": [asdict(model) for model in result.models],
        "hold_out": asdict(result.hold_out),
        "labels": asdict(result.labels) if result.labels else None,
        "making": {name: {"then": then, "now": now} for name, (then, now) in result.making.items()},
        "seconds": round(result.seconds, 3),
        "environment": provenance.environment(),
        "finished_at": provenance.now(),
    }
