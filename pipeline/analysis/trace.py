"""The whole way from a score back to the digits: what a run, a CSV or a number comes from."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.analysis.trace_links import (
    Link,
    csv_link,
    data_links,
    making_links,
    model_links,
    recipe_link,
    reproduction_link,
    run_link,
    score_link,
)
from pipeline.plan.commands import command, origin_command
from pipeline.plan.plan import NAMED_SOURCES, Plan, recorded_plan
from pipeline.plan.workspace import Workspace
from pipeline.recipes.file import RECIPE_FOLDER
from pipeline.runs.ledger import LedgerLine, latest, read_ledger
from pipeline.runs.records import read_submission_record
from pipeline.runs.run import read_training
from pipeline.system import files, locks
from pipeline.system.errors import PipelineError


@dataclass(frozen=True)
class Trace:
    """A run with all that it is made of, from its score to the machine.

    commands: what to type to make it again.
    """

    run: str
    links: tuple[Link, ...]
    commands: tuple[str, ...]


@dataclass(frozen=True)
class _Subject:
    """What was asked for.  line: of the ledger, if it was sent.  csv: the file to look at."""

    run: str
    csv: Path
    line: LedgerLine | None


def trace(workspace: Workspace, what: str) -> Trace:
    """Follow a run's name, a CSV's path, the number of a submission or a score to its origins.

    A run that is being written is waited for.
    Raises PipelineError if there is no such thing, or if a score has several submissions.
    """
    ledger = read_ledger(workspace.ledger)
    subject = _find(workspace, what, ledger)
    folder, line = workspace.run(subject.run), subject.line
    locks.wait_for(folder.folder)
    path = workspace.submission_record(subject.run)
    record = read_submission_record(path) if path.exists() else {}
    csv = csv_link(subject.csv, record, line)
    if not folder.training.exists():
        gone = Link("run", f"{folder.folder} is not there, or was not trained to its end", False)
        links = [score_link(workspace, folder, None, line, ledger), csv, gone]
        return Trace(subject.run, tuple(links), _commands_of_line(workspace, line))
    training = read_training(folder)
    plan = recorded_plan(workspace, subject.run)
    links = [
        score_link(workspace, folder, training, line, ledger),
        csv,
        run_link(folder, training, record, line),
        *model_links(workspace, folder, training),
        recipe_link(plan, training),
        *data_links(plan, training, record),
        *making_links(training),
        reproduction_link(workspace, folder, training),
    ]
    commit = training["environment"].get("commit")
    return Trace(subject.run, tuple(links), _commands(plan, commit))


def _find(workspace: Workspace, what: str, ledger: Sequence[LedgerLine]) -> _Subject:
    if "/" not in what and workspace.run(what).request.exists():
        return _of_run(workspace, what, ledger)
    if what.endswith(".csv"):
        return _of_csv(workspace, files.expand(what), ledger)
    lines = [line for line in ledger if str(line.ref) == what or line.run == what]
    if not lines and _is_score(what):
        digits = len(what.partition(".")[2])
        scored = [line for line in ledger if line.public_score is not None]
        lines = [line for line in scored if f"{line.public_score:.{digits}f}" == what]
        if len({line.csv_sha256 for line in lines}) > 1:
            known = ", ".join(f"{line.ref} ({line.run})" for line in lines)
            raise PipelineError(
                f"Several submissions have the score {what}: {known}",
                remedy="Give one of these numbers.",
            )
    if not lines:
        raise PipelineError(
            f"There is no run, submission or score {what}",
            remedy="Give a run, a CSV file, Kaggle's number of it, or a score. See: make runs",
        )
    return _Subject(lines[-1].run, workspace.submission(lines[-1].run), latest(lines))


def _of_run(workspace: Workspace, run: str, ledger: Sequence[LedgerLine]) -> _Subject:
    path = workspace.submission_record(run)
    checksum = read_submission_record(path)["csv_sha256"] if path.exists() else None
    sent = [line for line in ledger if line.csv_sha256 == checksum]
    return _Subject(run, workspace.submission(run), latest(sent))


def _of_csv(workspace: Workspace, csv: Path, ledger: Sequence[LedgerLine]) -> _Subject:
    """Found by its content, wherever it lies; a file that was changed, by its name."""
    if csv.is_file():
        checksum = files.sha256(csv)
        sent = [line for line in ledger if line.csv_sha256 == checksum]
        if sent:
            return _Subject(sent[-1].run, csv, latest(sent))
        for path in workspace.all_submission_records():
            if read_submission_record(path)["csv_sha256"] == checksum:
                return _Subject(path.stem, csv, None)
    named = [line for line in ledger if line.file == csv.name]
    if named:
        return _Subject(named[-1].run, csv, named[-1])
    if workspace.submission_record(csv.stem).exists():
        return _Subject(csv.stem, csv, None)
    raise PipelineError(
        f"{csv} belongs to no run here, and is not in {workspace.ledger}", remedy="See: make runs"
    )


def _is_score(text: str) -> bool:
    whole, point, digits = text.partition(".")
    return bool(point) and whole in ("", "0", "1") and digits.isdecimal()


def _commands(plan: Plan, commit: str | None) -> tuple[str, ...]:
    """What to type to make the run again, from the commit on."""
    commands = [f"git checkout {commit}"] if commit else []
    commands.append(origin_command(plan))
    commands.append(command("reproduce", plan.workspace, RUN=plan.run))
    return tuple(commands)


def _commands_of_line(workspace: Workspace, line: LedgerLine | None) -> tuple[str, ...]:
    """What a submission says of its run, which is no longer there.

    Overrides are not on record, nor where a recipe of the user's own was.
    """
    if line is None:
        return ()
    commands = [f"git checkout {line.commit}"] if line.commit else []
    recipe, _, folds = (line.recipe or "").partition(", ")  # as in "quick, 5 folds"
    if (RECIPE_FOLDER / f"{recipe}.toml").exists():
        source = line.source if line.source in NAMED_SOURCES else None
        given = {"SOURCE": source, "RECIPE": recipe, "SEED": line.seed}
        given["FOLDS"] = folds.removesuffix(" folds") or None
        commands.append(command("all", workspace, **given))
    return tuple(commands)
