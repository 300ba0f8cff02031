"""Stage submit: send a run's checked CSV to Kaggle once, and wait for its score."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pipeline.kaggle.answers import Submission, SubmissionLimits
from pipeline.kaggle.client import SUBMISSIONS_PAGE, Kaggle
from pipeline.kaggle.submission_csv import COMPETITION_ROWS, check_submission
from pipeline.plan.commands import make_command, origin_command
from pipeline.plan.plan import Plan
from pipeline.runs.ledger import LedgerLine, read_ledger, set_aside, write_line
from pipeline.runs.metrics import Accuracy
from pipeline.runs.records import SentRecord
from pipeline.runs.sending import find_or_begin, send
from pipeline.system import files, locks, records
from pipeline.system.errors import PipelineError
from pipeline.system.reporter import reporter

# Kaggle needs some seconds for a score, sometimes minutes.
TIMEOUT_SECONDS = 600.0


@dataclass(frozen=True)
class SubmitResult:
    """A scored submission.

    unchanged: nothing was sent, because this CSV had been sent before; its score was fetched.
    ref: its number at Kaggle.  score: public accuracy.
    left_today: further submissions that Kaggle takes today, None if it was not asked or told none.
    """

    unchanged: bool
    run: str
    csv: Path
    ref: int
    url: str
    score: float
    private_score: float | None
    hold_out: Accuracy
    left_today: int | None

    @property
    def gap(self) -> float:
        """Score minus hold-out accuracy: below 0, the hold-out digits flattered the run."""
        return self.score - self.hold_out.value


def submit(
    plan: Plan,
    *,
    force: bool = False,
    timeout_seconds: float = TIMEOUT_SECONDS,
) -> SubmitResult:
    """Send the CSV of the plan's run, unless it was sent before, and return its score.

    force: send it although it was sent before.
    Raises PipelineError if the CSV may not be sent, Kaggle does not take it or cannot score it,
    or there is no score within the time limit; running it again then goes on waiting. Also if
    nobody knows whether it was sent before: within half an hour of that, nothing is sent again.
    """
    csv, ledger = plan.workspace.submission(plan.run), plan.workspace.ledger
    if ledger.is_symlink():  # other folders may lead to the same one, which has one lock
        ledger = ledger.resolve()
    _require_csv(plan)
    with locks.locked(ledger):
        # Until it is sent, so that what is sent is what was checked; a score takes longer.
        with locks.locked(csv, plan.workspace.submission_record(plan.run)):
            record = _read_record(plan)
            _require_whole(plan, ledger)
            earlier = [row for row in read_ledger(ledger) if row.csv_sha256 == record["csv_sha256"]]
            if not force:
                _refuse_scored(plan, earlier)
            kaggle = Kaggle()
            line = find_or_begin(plan, record, earlier, kaggle, force=force)
            left_today = None
            if already_sent := line.reached_kaggle:
                reporter().line(
                    f"This CSV was sent before, as submission {line.ref}; waiting for its score."
                )
            else:
                left_today = _allowance(plan, record, kaggle)
                if record.get("doubt"):
                    reporter().line(f"!! This run: {record['doubt']}.")
                line = send(plan, line, kaggle)
                reporter().line(f"Sent as submission {line.ref}; waiting for its score.")
        submission = _wait(line, kaggle, timeout_seconds)
        write_line(ledger, line.updated(submission))
    score = _score(plan, submission, timeout_seconds)
    hold_out = record["hold_out"]
    return SubmitResult(
        unchanged=already_sent,
        run=plan.run,
        csv=csv,
        ref=submission.ref,
        url=SUBMISSIONS_PAGE,
        score=score,
        private_score=submission.private_score,
        # Not checked again: what was right by then is only as exact as its share.
        hold_out=Accuracy.model_construct(
            value=hold_out["accuracy"],
            low=hold_out["low"],
            high=hold_out["high"],
            correct=round(hold_out["accuracy"] * hold_out["rows"]),
            rows=hold_out["rows"],
        ),
        left_today=left_today,
    )


def _require_csv(plan: Plan) -> None:
    """Raise PipelineError if there is no CSV with its record; one in the making is waited for."""
    csv, path = plan.workspace.submission(plan.run), plan.workspace.submission_record(plan.run)
    if not csv.exists() or not path.exists():
        locks.wait_for(csv)
    if not csv.exists() or not path.exists():
        raise PipelineError(
            f"There is no submission of the run {plan.run} ({csv}).",
            remedy=f"Run: {make_command(plan, 'submission')}",
        )


def _require_whole(plan: Plan, ledger: Path) -> None:
    """Raise PipelineError, once, if a power cut has damaged the ledger: the last lines matter."""
    if copy := set_aside(ledger):
        raise PipelineError(
            f"{ledger} was cut short, as by a power cut: it is kept as {copy}, its whole lines "
            "stay in place.",
            remedy=f"Look at {SUBMISSIONS_PAGE} what was sent last; "
            f"then run: {make_command(plan, 'submit')}",
        )


def _read_record(plan: Plan) -> dict[str, Any]:
    """The CSV's record, after every check that needs no network."""
    csv, path = plan.workspace.submission(plan.run), plan.workspace.submission_record(plan.run)
    record = files.read_json(path)
    if what := records.fault(record, SentRecord):
        raise PipelineError(
            f"{path} is damaged: {what}", remedy=f"Run: {make_command(plan, 'submission', FORCE=1)}"
        )
    if record["csv_sha256"] != files.sha256(csv):
        raise PipelineError(
            f"{csv} is not the file that the run predicted: it was edited or replaced afterwards.",
            remedy=f"Run: {make_command(plan, 'submission', FORCE=1)}",
        )
    if record["kind"] != "competition" or record["rows"] != COMPETITION_ROWS:
        raise PipelineError(
            f"{csv} holds {record['rows']:,} predictions for the source {record['source']}, "
            f"not those for the competition's own {COMPETITION_ROWS:,} test digits.",
            remedy="Train on the competition's data (SOURCE may also be its zip's path): "
            f"{origin_command(plan, source='kaggle')}",
        )
    sample = plan.workspace.raw(plan.source.name).sample_submission
    check_submission(
        csv, sample=sample if sample.exists() else None, test_rows=record["test_csv"]["rows"]
    )
    return record


def _refuse_scored(plan: Plan, earlier: list[LedgerLine]) -> None:
    """A CSV whose outcome is known is not sent again, and Kaggle need not be asked."""
    reached = [line for line in earlier if line.reached_kaggle]
    if not reached or any(line.is_unknown for line in earlier):
        return
    line = reached[-1]
    outcome = f"Kaggle could not score it ({line.error})"
    if line.status == "COMPLETE" and line.public_score is not None:
        outcome = f"its score is {line.public_score}"
    elif line.status != "ERROR":
        return
    raise PipelineError(
        f"This very CSV was sent before, on {line.sent_at[:10]} as submission {line.ref}; "
        f"{outcome}.",
        remedy=f"To send it again: {make_command(plan, 'submit', FORCE=1)}",
    )


def _allowance(plan: Plan, record: dict[str, Any], kaggle: Kaggle) -> int | None:
    """What will be left of today's submissions; raises PipelineError if this one may not go."""
    if plan.source.kind == "path":
        # The user's own copy: nothing else at hand says whose test digits these are.
        size = kaggle.competition_files().get("test.csv", 0)
        if size > 0 and size != record["test_csv"]["bytes"]:
            raise PipelineError(
                f"The test.csv of {plan.source.text} has {record['test_csv']['bytes']:,} bytes, "
                f"the competition's own has {size:,}: these predictions are not for its digits.",
                remedy=f"Use the competition's own files: {origin_command(plan, source='kaggle')}",
            )
    limits = kaggle.submission_limits()
    if limits.allowed_now is None:
        return None
    if limits.allowed_now <= 0:
        raise _limit_reached(plan, limits)
    return limits.allowed_now - 1


def _limit_reached(plan: Plan, limits: SubmissionLimits) -> PipelineError:
    if limits.limited_for_good:
        return PipelineError(
            "Kaggle takes no more submissions from this team: the competition's total is used up.",
            remedy=f"See {SUBMISSIONS_PAGE}",
        )
    now = datetime.now(UTC)
    midnight = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    hours, minutes = divmod(int((midnight - now).total_seconds()) // 60, 60)
    return PipelineError(
        f"Kaggle takes no more submissions today, after {limits.today} since 00:00 UTC.",
        remedy=f"Its next day begins in {hours} h {minutes} min; then run: "
        f"{make_command(plan, 'submit')}",
    )


def _wait(line: LedgerLine, kaggle: Kaggle, timeout_seconds: float) -> Submission:
    assert line.ref is not None, line
    try:
        return kaggle.wait_for_score(line.ref, timeout_seconds)
    except PipelineError as error:
        raise PipelineError(
            f"Submission {line.ref} has arrived, but its score is not known. {error.message}",
            remedy=error.remedy,
        ) from None


def _score(plan: Plan, submission: Submission, timeout_seconds: float) -> float:
    """The public score; raises PipelineError if there is none."""
    if submission.status == "ERROR":
        reason = f'it says "{submission.error}"' if submission.error else "it gives no reason"
        raise PipelineError(
            f"Kaggle could not score submission {submission.ref}: {reason}.",
            remedy=f"See {SUBMISSIONS_PAGE}",
        )
    if submission.public_score is None:
        raise PipelineError(
            f"Submission {submission.ref} has arrived, but has no score "
            f"after {timeout_seconds:.0f} s.",
            remedy=f"To go on waiting (nothing is sent again): {make_command(plan, 'submit')}",
        )
    return submission.public_score
