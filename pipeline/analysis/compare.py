"""Stage compare: several runs side by side, on the digits that none of them has seen."""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.digits import dataset
from pipeline.digits.folds import Rows
from pipeline.pages.comparison_page import (
    GALLERY,
    ComparedRun,
    ComparisonEvidence,
    comparison_page,
)
from pipeline.plan.commands import complete
from pipeline.plan.plan import make_plan, recorded_plan, short_hash
from pipeline.plan.workspace import Workspace
from pipeline.runs import comparison
from pipeline.runs.comparison import Comparison
from pipeline.runs.ensemble import HeldOut
from pipeline.runs.ledger import LedgerLine, read_ledger
from pipeline.runs.listing import score_of
from pipeline.runs.run import hold_out_accuracy, read_run, read_training
from pipeline.system import files, locks
from pipeline.system.errors import PipelineError
from pipeline.training.fitting import History

LONGEST_NAME = 100  # bytes of a page's name; file systems take 255, temporary names are longer
DIGITS = {
    "competition": "of the competition's digits",
    "practice": "practice digits",
    "mnist-csv": "of MNIST's digits",
}


@dataclass(frozen=True)
class CompareResult:
    """Runs beside each other, and the page that shows them.  size: in bytes."""

    runs: tuple[ComparedRun, ...]
    comparison: Comparison
    path: Path
    size: int


def compare(workspace: Workspace, names: Sequence[str]) -> CompareResult:
    """Compare validated runs, and write a page about it.

    Raises PipelineError if there are fewer than two, one is not there, named twice or not
    validated, they learnt from other digits, or there is no digit that all of them held out.
    """
    _check_names(workspace, names)
    _check_data(workspace, names)
    ledger = read_ledger(workspace.ledger)
    short = comparison.short_names(names)
    found = {name: _find(workspace, name, short[name], ledger) for name in names}
    held_out = {name: read for name, (_, read) in found.items()}
    rows = comparison.common_rows(list(held_out.values()))
    if not len(rows):
        raise _nothing_in_common([run for run, _ in found.values()])
    result = comparison.compare(held_out)
    runs = tuple(_with_readers(run, read, rows) for run, read in found.values())
    processed = workspace.processed(recorded_plan(workspace, names[0]).source.name)
    with _naming(names[0]), dataset.locked(processed):
        images = dataset.load_labelled(processed).images
    evidence = ComparisonEvidence(
        runs=runs,
        comparison=result,
        pictures={digit.row: images[digit.row] for digit in result.disagreements[:GALLERY]},
        digits=DIGITS[runs[0].training["data"]["kind"]],
    )
    path = workspace.comparison(page_name(names))
    with locks.locked(path):
        files.write_text(path, comparison_page(evidence))
    return CompareResult(runs, result, path, path.stat().st_size)


def page_name(names: Sequence[str]) -> str:
    """Return a name for the page of these runs, in this order; another one for all that differ."""
    joined = "~".join(names)  # which is in no run's name
    if len(joined.encode()) <= LONGEST_NAME:
        return joined
    return f"{len(names)}-runs-{short_hash(joined)}"


def _check_names(workspace: Workspace, names: Sequence[str]) -> None:
    if len(names) < 2:
        raise PipelineError(
            "A comparison needs at least two runs",
            remedy='Example: make compare RUNS="first second" (to list them: make runs)',
        )
    known = [folder.name for folder in workspace.all_runs()]
    for number, name in enumerate(names):
        if name in names[:number]:
            raise PipelineError(f"The run {name} is named twice", remedy="Name each run once.")
        if name not in known:
            near = [other for other in known if name in other][:3]
            near = near or difflib.get_close_matches(name, known)
            meant = f"Did you mean {' or '.join(near)}? " if near else ""
            raise PipelineError(
                f"There is no finished run {name} in {workspace.data}",
                remedy=f"{meant}See: make runs",
            )


def _check_data(workspace: Workspace, names: Sequence[str]) -> None:
    """All runs must have learnt from the same digits, or a row is another digit in each."""
    first, *others = [read_training(workspace.run(name)) for name in names]
    for name, training in zip(names[1:], others, strict=True):
        one, other = first["inputs"]["data"], training["inputs"]["data"]
        different = [key for key, checksum in one.items() if other.get(key) != checksum]
        if different:
            raise PipelineError(
                f"{names[0]} was trained on other digits ({_source(first)}) than {name} "
                f"({_source(training)}): the checksums of {' and '.join(different)} differ",
                remedy="Only runs on the very same digits can be compared.",
            )


def _source(training: Mapping[str, Any]) -> str:
    data = training["data"]
    return f"{data['kind']}, {data['files']['train.csv']['rows']:,} rows"


def _find(
    workspace: Workspace, name: str, short: str, ledger: Sequence[LedgerLine]
) -> tuple[ComparedRun, HeldOut]:
    """What a run's files hold, all of them read while nobody else writes them."""
    folder = workspace.run(name)
    with _naming(name), locks.locked(folder.folder):
        plan = make_plan(run=name, data=workspace.data, submissions=workspace.submissions)
        run = read_run(plan)
        found = ComparedRun(
            name=name,
            short=short,
            training=run.training,
            recipe=files.read_json(folder.recipe),
            hold_out=hold_out_accuracy(run),
            score=score_of(workspace, folder, run.training, ledger),
            history=None if run.members else History.read(folder.history),
            readers=(1, 1),
            networks=run.networks,
        )
        return found, HeldOut.read(folder.hold_out)


def _with_readers(run: ComparedRun, held_out: HeldOut, rows: Rows) -> ComparedRun:
    readers = held_out.networks[np.isin(held_out.rows, rows)]
    return replace(run, readers=(int(readers.min()), int(readers.max())))


@contextmanager
def _naming(run: str) -> Iterator[None]:
    """Let the commands in remedies be about one of the runs: RUNS alone does not say which."""
    try:
        yield
    except PipelineError as error:
        remedy = complete(error.remedy, lambda _target: {"RUN": run})
        raise PipelineError(error.message, remedy=remedy) from None


def _nothing_in_common(runs: Sequence[ComparedRun]) -> PipelineError:
    splits = "; ".join(f"{run.name}: {_split(run.training['split'])}" for run in runs)
    return PipelineError(
        "There is no digit that all of these runs held out: each was learnt by one of them "
        f"({splits})",
        remedy='Train them on the same split (SET="split.seed=0"), or compare ensembles of folds '
        "(FOLDS=5), which hold every digit out.",
    )


def _split(split: Mapping[str, Any]) -> str:
    if split["kind"] == "fold":
        return f"fold {split['fold']} of {split['folds']}, split seed {split['seed']}"
    if split["kind"] == "hold_out":
        return f"{split['size']:g} held out, split seed {split['seed']}"
    return f"{split['hold_out_rows']:,} digits that a member held out"
