"""A finished run as the stages after training read it: complete, unchanged, and on its own data."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline import nn
from pipeline.digits import dataset
from pipeline.plan.plan import Plan, check_run_name
from pipeline.plan.workspace import RunFolder, Workspace
from pipeline.runs.metrics import Accuracy, Metrics
from pipeline.runs.records import MeasuredRecord
from pipeline.system import files, locks, records
from pipeline.system.errors import PipelineError
from pipeline.training import prediction
from pipeline.training.records import EnsembleTrainingRecord, NetworkTrainingRecord


@dataclass(frozen=True)
class TrainedRun:
    """A run whose model is the one that training wrote, with its data as they are now.

    training: its training.json.  processed: the manifest of the arrays that it was trained on.
    members: of an ensemble, the runs that it averages; () for a network.
    """

    folder: RunFolder
    training: dict[str, Any]
    processed: dict[str, Any]
    members: tuple["TrainedRun", ...] = ()

    @property
    def networks(self) -> int:
        """How many networks read a test digit."""
        return networks_of(self.training)

    @property
    def single_networks(self) -> tuple["TrainedRun", ...]:
        """The runs of single networks in it, each once: itself, or those of its members."""
        found = {
            network.folder.name: network
            for member in self.members
            for network in member.single_networks
        }
        return tuple(found.values()) if self.members else (self,)

    def moved(self, workspace: Workspace) -> "TrainedRun":
        """Return it with the models that another workspace has of the same runs."""
        members = tuple(member.moved(workspace) for member in self.members)
        folder = workspace.run(self.folder.name)
        return dataclasses.replace(self, folder=folder, members=members)

    @property
    def model_sha256(self) -> str:
        return str(self.training["model_sha256"])

    @property
    def predictor(self) -> Path:
        """The file of the network that reads the test digits."""
        return self.folder.refit if self.training.get("refit") else self.folder.model

    @property
    def raw(self) -> dict[str, Any]:
        """The manifest of the CSV files behind the arrays."""
        return dict(self.processed["raw"])

    @property
    def test_rows(self) -> int:
        """How many digits there are to predict."""
        return int(self.processed["arrays"]["test_images"]["shape"][0])

    @property
    def test_inputs(self) -> dict[str, Any]:
        """What the probabilities of the test digits are predicted from, and how."""
        return {
            **models_of(self.training),
            "test_images": self.processed["arrays"]["test_images"]["sha256"],
            **how_it_is_read(),
        }

    @property
    def train_inputs(self) -> dict[str, Any]:
        """What the probabilities of all labelled digits are predicted from, and how."""
        return {
            "model": self.model_sha256,
            "train_images": self.processed["arrays"]["train_images"]["sha256"],
            **how_it_is_read(),
        }

    @property
    def data_sha256(self) -> dict[str, str]:
        """What identifies the digits that the run learnt from."""
        return {
            name: self.processed["arrays"][name]["sha256"]
            for name in ("train_images", "train_labels")
        }


def how_it_is_read() -> dict[str, int]:
    """Return what the probabilities depend on beside the model and the digits."""
    return {"arithmetic": nn.ARITHMETIC, "views": prediction.VERSION}


def models_of(training: dict[str, Any]) -> dict[str, str]:
    """Return the checksums that identify what a run predicts with, as a CSV's record names them.

    model: of the validated network.  refit: of the one that predicts, if it is another.
    """
    models = {"model": str(training["model_sha256"])}
    if refit := training.get("refit"):
        models["refit"] = str(refit["model_sha256"])
    return models


def predicted_by(record: dict[str, Any], training: dict[str, Any]) -> bool:
    """Whether a CSV's record names exactly the run's models."""
    inputs = record.get("inputs", {})
    models = models_of(training)
    return {name: inputs[name] for name in ("model", "refit") if name in inputs} == models


def is_ensemble(training: dict[str, Any]) -> bool:
    """Whether a training's record is that of an ensemble, which has no model of its own."""
    return training.get("kind") == "ensemble"


def networks_of(training: dict[str, Any]) -> int:
    """Return how many networks read a test digit, by a training's record."""
    return int(training.get("networks", 1))


def require_run(plan: Plan, *, remedy: str = "Run: make train") -> None:
    """Raise PipelineError if the plan's run is not finished; nothing is written before that.

    A training that is under way is waited for.
    """
    folder = plan.workspace.run(plan.run)
    if not _is_finished(folder):
        locks.wait_for(folder.folder)
    if not _is_finished(folder):
        raise PipelineError(f"There is no finished run {plan.run} ({folder.folder})", remedy=remedy)


def _is_finished(folder: RunFolder) -> bool:
    return folder.training.exists() and (folder.model.exists() or is_ensemble(_read_json(folder)))


def read_training(folder: RunFolder) -> dict[str, Any]:
    """Return the run's training.json; PipelineError if it is damaged or of another version."""
    training = _read_json(folder)
    shape = EnsembleTrainingRecord if is_ensemble(training) else NetworkTrainingRecord
    if what := records.fault(training, shape):
        raise files.damaged(folder.training, what, _train_again(folder))
    return training


def _read_json(folder: RunFolder) -> dict[str, Any]:
    return files.read_json(folder.training, remedy=_train_again(folder))


def _train_again(folder: RunFolder) -> str:
    return f"Run: make train RUN={folder.name} (or remove {folder.folder})"


def read_run(plan: Plan) -> TrainedRun:
    """Read the plan's run.

    Whoever writes one of its members, or the arrays, is waited for.
    Raises PipelineError if it is unfinished, its model was changed afterwards, its data are not
    there, or they are no longer those that it was trained on.
    """
    return _read_run(plan, ())


def _read_run(plan: Plan, above: tuple[str, ...]) -> TrainedRun:
    """Read a run.  above: the ensembles of which it is a member."""
    # A blend trains none of its members, so that each of them is named.
    again = f"Run: make train RUN={plan.run}" if plan.blend and above else "Run: make train"
    require_run(plan, remedy=again)
    folder = plan.workspace.run(plan.run)
    processed = plan.workspace.processed(plan.source.name)
    locks.wait_for(processed.folder)
    training = read_training(folder)
    members = _read_members(plan, training, above) if is_ensemble(training) else ()
    run = TrainedRun(folder, training, dataset.read_manifest(processed), members)
    check_models(run)
    if run.training["inputs"]["data"] != run.data_sha256:
        raise PipelineError(
            f"Run {plan.run} was trained on other digits than those in {processed.folder}",
            remedy=f"{again} (or name the run's own source with SOURCE=)",
        )
    return run


def member_plan(plan: Plan, run: str) -> Plan:
    """Return a plan for a member of the plan's run, for the stages after training.

    Those need no more than the digits, which are the same, and the run's name.
    """
    return dataclasses.replace(plan, run=run)


def known_accuracy(folder: RunFolder, training: dict[str, Any]) -> float | None:
    """Return the accuracy on held-out digits; None of an ensemble that was not validated."""
    if not is_ensemble(training):
        return float(training["hold_out_accuracy"])
    record = _read_validation(folder)
    if record is None or record.inputs.get("model") != training["model_sha256"]:
        return None
    return record.accuracy.value


def _read_members(
    plan: Plan,
    training: dict[str, Any],
    above: tuple[str, ...],
) -> tuple[TrainedRun, ...]:
    members = []
    for recorded in training["members"]:
        check_run_name(recorded["run"])
        if recorded["run"] in (plan.run, *above):
            raise PipelineError(
                f"{plan.run} is a member of itself, by way of {recorded['run']}",
                remedy=f"Train the run again, or remove {plan.workspace.run(plan.run).folder}",
            )
        locks.wait_for(plan.workspace.run(recorded["run"]).folder)
        member = _read_run(member_plan(plan, recorded["run"]), (plan.run, *above))
        if models_of(member.training) != recorded["models"]:
            raise PipelineError(
                f"{recorded['run']}, a member of {plan.run}, was trained again since",
                remedy=f"Run: make train RUN={plan.run}",
            )
        members.append(member)
    return tuple(members)


def check_models(run: TrainedRun) -> None:
    """Raise PipelineError if a network's models are not those on record; ensembles have none."""
    folder = run.folder
    if run.members:
        return
    for name, checksum in models_of(run.training).items():
        path = folder.models[name]
        if not path.exists() or files.sha256(path) != checksum:
            raise PipelineError(
                f"{path} is not the model that training wrote (its checksum differs)",
                remedy=f"Run: make train RUN={folder.name} FORCE=1",
            )


def hold_out_accuracy(run: TrainedRun) -> Accuracy:
    """Return what the stage validate measured on this very model.

    Raises PipelineError if it has not been validated since it was trained.
    """
    record = _read_validation(run.folder)
    if record is None or record.inputs.get("model") != run.model_sha256:
        raise PipelineError(
            f"Run {run.folder.name} has not been validated ({run.folder.validation})",
            remedy=f"Run: make validate RUN={run.folder.name}",
        )
    return record.accuracy


def read_metrics(run: TrainedRun) -> Metrics:
    """Return all metrics of a run of which ``hold_out_accuracy`` is known."""
    remedy = f"Run: make validate RUN={run.folder.name} FORCE=1"
    return records.load(run.folder.validation, Metrics, remedy=remedy)


def _read_validation(folder: RunFolder) -> MeasuredRecord | None:
    if not folder.validation.exists():
        return None
    remedy = f"Run: make validate RUN={folder.name}"
    return records.load(folder.validation, MeasuredRecord, remedy=remedy)
