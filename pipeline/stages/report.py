"""Stage report: one page about a run, to look at and to pass on."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline import files
from pipeline.ensemble import HeldOut
from pipeline.fitting import History
from pipeline.ledger import read_ledger
from pipeline.metrics import Accuracy, Metrics
from pipeline.plan import Plan
from pipeline.report.evidence import RunEvidence
from pipeline.report.run_page import run_page
from pipeline.runs import notice_of, score_of
from pipeline.trained_run import TrainedRun, hold_out_accuracy, read_run, require_run
from pipeline.workspace import RunFolder


@dataclass(frozen=True)
class ReportResult:
    """A page.  size: in bytes."""

    run: str
    hold_out: Accuracy
    path: Path
    size: int


def report(
    plan: Plan,
    *,
    force: bool = False,  # noqa: ARG001  (it takes a moment, so that it is always written anew)
    tell: Callable[[str], None] | None = None,
) -> ReportResult:
    """Write the page of the plan's run.

    Raises PipelineError if the run is missing or not validated, or one of its files is damaged.
    """
    require_run(plan)
    folder = plan.workspace.run(plan.run)
    with files.locked(folder.folder, waiting=tell):
        run = read_run(plan)
        accuracy = hold_out_accuracy(run)
        files.write_text(folder.report, run_page(_gather(plan, run)))
    return ReportResult(plan.run, accuracy, folder.report, folder.report.stat().st_size)


def _gather(plan: Plan, run: TrainedRun) -> RunEvidence:
    folder = run.folder
    return RunEvidence(
        name=plan.run,
        source=plan.source.text,
        overrides=plan.overrides,
        notice=notice_of(run.raw),
        training=run.training,
        recipe=files.read_json(folder.recipe),
        metrics=Metrics.from_json(files.read_json(folder.validation)),
        held_out=_read_held_out(folder),
        score=score_of(plan.workspace, folder, run.training, read_ledger(plan.workspace.ledger)),
        histories={
            part.folder.name: History.read(part.folder.history) for part in _networks_of(run)
        },
    )


def _networks_of(run: TrainedRun) -> list[TrainedRun]:
    """The runs of single networks in a run, each once: itself, or those of its members."""
    if not run.members:
        return [run]
    found = [network for member in run.members for network in _networks_of(member)]
    return list({network.folder.name: network for network in found}.values())


def _read_held_out(folder: RunFolder) -> HeldOut:
    with np.load(folder.hold_out, allow_pickle=False) as stored:
        arrays = {name: stored[name] for name in stored.files}
    return HeldOut(**{"networks": np.ones(len(arrays["rows"]), np.int64)} | arrays)
