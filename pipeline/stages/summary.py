"""Stage summary: what came out and what to do next, in ten lines that ``make all`` ends with."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.kaggle import credentials
from pipeline.kaggle.credential_files import CredentialsError
from pipeline.kaggle.submission_csv import read_submission
from pipeline.plan.commands import command, make_command, origin_command
from pipeline.plan.plan import Plan
from pipeline.runs.doubts import doubt_of
from pipeline.runs.ledger import read_ledger
from pipeline.runs.listing import notice_of, score_of
from pipeline.runs.metrics import Accuracy, accuracy_of
from pipeline.runs.records import MeasuredRecord, read_submission_record
from pipeline.runs.run import (
    TrainedRun,
    hold_out_accuracy,
    predicted_by,
    read_metrics,
    read_run,
    require_run,
)
from pipeline.system import due, files, locks, provenance
from pipeline.system.errors import PipelineError

RULES = "https://www.kaggle.com/competitions/digit-recognizer/rules"
SHOWN = 5  # members of an ensemble that are named


@dataclass(frozen=True)
class SummaryResult:
    """The run's outcome.

    answer_key: accuracy on test digits whose labels the source knows.
    leaderboard: the public score, if this CSV was submitted.
    notice: what must not be overlooked about the source; "" for the competition's digits.
    text: all of it, as written to ``path``.
    """

    unchanged: bool
    run: str
    hold_out: Accuracy
    answer_key: Accuracy | None
    leaderboard: float | None
    notice: str
    csv: Path
    text: str
    path: Path


def summary(plan: Plan, *, force: bool = False) -> SummaryResult:
    """Score the CSV where the source knows the answers, and write the summary.

    The answer key is read here and nowhere else, so that nothing can be tuned on it.
    Raises PipelineError if the run is missing, not validated, or has no CSV.
    """
    require_run(plan)
    folder = plan.workspace.run(plan.run)
    with locks.locked(folder.folder):
        run = read_run(plan)
        hold_out = hold_out_accuracy(run)
        csv_sha256 = _require_csv(plan, run)
        answer_key = _score(plan, run, csv_sha256, force=force)
        score = score_of(plan.workspace, folder, run.training, read_ledger(plan.workspace.ledger))
        leaderboard = score.value if score and score.origin == "leaderboard" else None
        notice = notice_of(run.raw)
        text = _text(
            plan,
            run,
            hold_out=hold_out,
            answer_key=answer_key,
            leaderboard=leaderboard,
            notice=notice,
        )
        unchanged = not force and folder.summary.exists() and _same(folder.summary, text)
        if not unchanged:
            files.write_text(folder.summary, text)
    return SummaryResult(
        unchanged,
        plan.run,
        hold_out,
        answer_key,
        leaderboard,
        notice,
        plan.workspace.submission(plan.run),
        text,
        folder.summary,
    )


def _require_csv(plan: Plan, run: TrainedRun) -> str:
    """Return the checksum of the run's CSV; PipelineError if this very model has none."""
    csv, record = plan.workspace.submission(plan.run), plan.workspace.submission_record(plan.run)
    recorded = read_submission_record(record) if record.exists() else {}
    if not csv.exists() or not predicted_by(recorded, run.training):
        raise PipelineError(
            f"There is no submission of run {plan.run} ({csv})", remedy="Run: make submission"
        )
    checksum = files.sha256(csv)
    if checksum != recorded["csv_sha256"]:
        raise PipelineError(
            f"{csv} was changed after it was predicted (its checksum differs)",
            remedy="Run: make submission",
        )
    return checksum


def _score(plan: Plan, run: TrainedRun, csv_sha256: str, *, force: bool) -> Accuracy | None:
    key = plan.workspace.raw(plan.source.name).answer_key
    if not key.exists():
        return None
    path = run.folder.score
    inputs = {"csv": csv_sha256, "answer_key": files.sha256(key)}
    found = None if force else due.current_record(path, inputs, shape=MeasuredRecord)
    if found is not None:
        return Accuracy(**found["accuracy"])
    rows = int(run.raw["files"]["test.csv"]["rows"])
    answers = read_submission(key, test_rows=rows)
    labels = read_submission(plan.workspace.submission(plan.run), test_rows=rows)
    correct = sum(answer == label for answer, label in zip(answers, labels, strict=True))
    accuracy = accuracy_of(correct, rows)
    files.write_json(
        path,
        {
            "stage": "summary",
            "inputs": inputs,
            "outputs": {},
            "run": plan.run,
            "accuracy": accuracy.model_dump(),
            "finished_at": provenance.now(),
        },
    )
    return accuracy


def _text(
    plan: Plan,
    run: TrainedRun,
    *,
    hold_out: Accuracy,
    answer_key: Accuracy | None,
    leaderboard: float | None,
    notice: str,
) -> str:
    raw, training = run.raw, run.training
    rows = {name: raw["files"][name]["rows"] for name in ("train.csv", "test.csv")}
    changes = f", with {' '.join(plan.overrides)}" if plan.overrides else ""
    seed = "" if training["seed"] is None else f", seed {training['seed']}"  # a blend has none
    facts = [
        (
            "source",
            f"{plan.source.text} ({rows['train.csv']:,} digits with labels, "
            f"{rows['test.csv']:,} to read)",
        ),
        ("recipe", f"{training['recipe_name']}{seed}{changes}"),
        *_members(run),
        ("run", str(run.folder.folder)),
        ("hold-out", _accuracy(hold_out)),
    ]
    if answer_key:
        facts.append(("test", _accuracy(answer_key)))
    if leaderboard is not None:
        facts.append(("leaderboard", f"{leaderboard:.5f}"))
    facts.append(
        ("submission", f"{plan.workspace.submission(plan.run)} ({rows['test.csv']:,} rows)")
    )
    if not _in_notebook():
        facts.append(("page", f"{make_command(plan, 'report')} writes one about this run"))
    width = max(len(name) for name, _ in facts)
    lines = [f"  {name:<{width}}  {value}" for name, value in facts]
    if said := doubt_of(read_metrics(run), training):
        lines = [f"!! {said[0].upper()}{said[1:]}.", "", *lines]
    if notice:
        bar = "!" * (len(notice) + 6)
        lines = [bar, f"!! {notice} !!", bar, "", *lines]
    steps = _next_steps(plan, competition=not notice, sent=leaderboard is not None)
    return "\n".join([*lines, "", *steps]) + "\n"


def _members(run: TrainedRun) -> list[tuple[str, str]]:
    """Of an ensemble, the line that names its members, or the first of many."""
    names = [member.folder.name for member in run.members]
    if not names:
        return []
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return [("members", f"{len(names)}: {', '.join(names[:SHOWN])}{more}")]


def _accuracy(accuracy: Accuracy) -> str:
    return (
        f"{accuracy.value:.4f} accuracy on {accuracy.rows:,} digits "
        f"(95 % interval {accuracy.low:.4f} to {accuracy.high:.4f})"
    )


def _in_notebook() -> bool:
    """Whether pages/notebook.md runs this; there is no make then, and Kaggle has its button."""
    return bool(os.environ.get("DIGITS_NOTEBOOK"))


def _next_steps(plan: Plan, *, competition: bool, sent: bool) -> Sequence[str]:
    if sent:
        return [f"Submitted. To list runs and submissions: {command('runs', plan.workspace)}"]
    if competition and _in_notebook():
        return [
            "Next: save a version of this notebook; beside submission.csv in its output, choose "
            "Submit to Competition."
        ]
    how = _how_to_get_credentials()
    if competition and not how:
        return [f"Next: {make_command(plan, 'submit')}"]
    if competition:
        return [
            "Next: get Kaggle credentials, then submit.",
            *how,
            f"  {make_command(plan, 'submit')}",
        ]
    return [
        "Next: the competition's own digits. Accept its rules (once), then train on them.",
        f"  {RULES}",
        *how,
        f"  {origin_command(plan, source='kaggle')}",
    ]


def _how_to_get_credentials() -> list[str]:
    """What to do before a submission; nothing with credentials."""
    try:
        text = "" if credentials.find_credentials() else credentials.HOW_TO_GET_THEM
    except CredentialsError as error:
        text = str(error)
    return [f"  {line}" for line in text.splitlines()]


def _same(path: Path, text: str) -> bool:
    return path.read_bytes() == text.encode("utf-8")
