"""All runs and submissions side by side, with the score of each one that has one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pipeline.kaggle.submission_csv import COMPETITION_ROWS
from pipeline.plan.workspace import RunFolder, Workspace
from pipeline.runs.doubts import doubt_of
from pipeline.runs.ledger import LedgerLine, read_ledger
from pipeline.runs.metrics import Metrics
from pipeline.runs.records import MeasuredRecord, read_submission_record
from pipeline.runs.run import known_accuracy, predicted_by, read_training
from pipeline.system import files, records
from pipeline.system.errors import PipelineError

NOTICES = {
    "practice": "PRACTICE DIGITS, not the competition's: this CSV cannot be submitted to Kaggle.",
    "mnist-csv": "MNIST's own test digits, not the competition's: this CSV cannot be submitted.",
}


@dataclass(frozen=True)
class RunScore:
    """Accuracy on test digits: from Kaggle's leaderboard, or from the source's own answer key."""

    value: float
    origin: Literal["leaderboard", "answer key"]


@dataclass(frozen=True)
class RunRow:
    """One run with its latest submission, or a submission whose run is no longer there.

    commit: 7 digits, with "-dirty" if files differed from it; None outside of a clone.
    doubt: why it may not have learnt anything, "" if it has, or was not validated.
    status: of the latest submission of this very CSV, UNKNOWN while nobody knows whether it
        arrived; "" if it was not sent.
    seconds: of training.  finished_at: end of training, or when it was sent; UTC ISO time.
    """

    run: str
    recipe: str | None
    seed: int | None
    source: str | None
    commit: str | None
    hold_out_accuracy: float | None
    score: RunScore | None
    status: str
    seconds: float | None
    finished_at: str
    doubt: str = ""

    @property
    def gap(self) -> float | None:
        """Score minus hold-out accuracy: below 0, the hold-out digits flattered the run."""
        if self.score is None or self.hold_out_accuracy is None:
            return None
        return self.score.value - self.hold_out_accuracy


def list_runs(workspace: Workspace) -> list[RunRow]:
    """Return finished runs and submissions, the oldest first."""
    ledger = read_ledger(workspace.ledger)
    rows = []
    listed = set()
    for folder in workspace.all_runs():
        training = read_training(folder)
        csv_sha256 = _current_csv(workspace, folder, training)
        listed.add(csv_sha256)
        sent = [line for line in ledger if line.csv_sha256 == csv_sha256]
        rows.append(
            RunRow(
                run=folder.name,
                recipe=training["recipe_name"],
                seed=training["seed"],
                source=training["data"]["source"],
                commit=short_commit(training["environment"]),
                hold_out_accuracy=known_accuracy(folder, training),
                score=score_of(workspace, folder, training, ledger),
                status=sent[-1].standing if sent else "",
                seconds=training["seconds"],
                finished_at=training["finished_at"],
                doubt=_doubt(folder, training),
            )
        )
    gone = {line.csv_sha256: line for line in ledger if line.csv_sha256 not in listed}
    rows.extend(_row_of_submission(line) for line in gone.values())
    return sorted(rows, key=lambda row: (row.finished_at, row.run))


def _doubt(folder: RunFolder, training: dict[str, Any]) -> str:
    try:
        record = files.read_json(folder.validation)
        if record["inputs"]["model"] != training["model_sha256"]:
            return ""
        return doubt_of(records.parse(record, Metrics), training)
    except (OSError, PipelineError, KeyError, TypeError, ValueError):
        return ""  # the stages that need it say what is wrong with it


def score_of(
    workspace: Workspace, folder: RunFolder, training: dict[str, Any], ledger: Sequence[LedgerLine]
) -> RunScore | None:
    """Return the score of the CSV that the run's model predicted, never of an earlier one."""
    csv_sha256 = _current_csv(workspace, folder, training)
    if csv_sha256 is None:
        return None
    scores = [
        line.public_score
        for line in ledger
        if line.csv_sha256 == csv_sha256 and line.status == "COMPLETE"
    ]
    known = [score for score in scores if score is not None]
    if known:
        return RunScore(known[-1], "leaderboard")
    record = records.load(folder.score, MeasuredRecord) if folder.score.exists() else None
    if record and record.inputs.get("csv") == csv_sha256:
        return RunScore(record.accuracy.value, "answer key")
    return None


def notice_of(raw: dict[str, Any]) -> str:
    """Return what must not be overlooked about a source; "" for the competition's digits.

    raw: the manifest of its CSV files.
    """
    if raw["kind"] != "competition":
        return NOTICES[raw["kind"]]
    rows = raw["files"]["test.csv"]["rows"]
    if rows != COMPETITION_ROWS:
        return (
            f"{rows:,} test digits, not the competition's {COMPETITION_ROWS:,}: "
            "this CSV cannot be submitted to Kaggle."
        )
    return ""


def short_commit(environment: dict[str, Any]) -> str | None:
    """Return the commit as people read it; the environment is that of a record."""
    commit = environment.get("commit")
    if commit is None:
        return None
    return f"{commit[:7]}-dirty" if environment.get("dirty") else str(commit[:7])


def _current_csv(workspace: Workspace, folder: RunFolder, training: dict[str, Any]) -> str | None:
    """The checksum of the CSV that this very model predicted, if it did."""
    path = workspace.submission_record(folder.name)
    record = read_submission_record(path) if path.exists() else {}
    if not predicted_by(record, training):
        return None
    return str(record["csv_sha256"])


def _row_of_submission(line: LedgerLine) -> RunRow:
    score = None
    if line.status == "COMPLETE" and line.public_score is not None:
        score = RunScore(line.public_score, "leaderboard")
    return RunRow(
        run=line.run,
        recipe=line.recipe,
        seed=line.seed,
        source=line.source,
        commit=line.commit[:7] if line.commit else None,
        hold_out_accuracy=line.hold_out_accuracy,
        score=score,
        status=line.standing,
        seconds=None,
        finished_at=line.sent_at,
    )
