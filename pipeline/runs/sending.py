"""A CSV sent to Kaggle once: what became of it before, and the line that is there first."""

from datetime import timedelta
from math import ceil
from typing import Any

from pipeline.kaggle.client import SUBMISSIONS_PAGE, Kaggle
from pipeline.kaggle.errors import UnclearError
from pipeline.plan.commands import make_command
from pipeline.plan.plan import Plan
from pipeline.runs.ledger import LedgerLine, new_line, start_of_marks, write_line
from pipeline.system.errors import PipelineError
from pipeline.system.reporter import reporter

# How often to look for a submission in Kaggle's list; what is new comes late there.
LOOKS = 3
# How long a submission whose answer was lost may still turn up. Its answer is waited for two
# minutes, and the list has been seen a minute late; how long Kaggle goes on with a request whose
# connection is gone, nobody tells: ten times as long as both. Nothing shortens that: a list with
# a later submission, or a count that has not grown, is new enough, but does not tell that Kaggle
# is done with the request. The time is Kaggle's, told with its answers.
UNKNOWN_FOR = timedelta(minutes=30)


def find_or_begin(
    plan: Plan, record: dict[str, Any], earlier: list[LedgerLine], kaggle: Kaggle, *, force: bool
) -> LedgerLine:
    """Return the submission of a CSV to go on waiting for; one without a number is to be sent.

    record: the CSV's.  earlier: the ledger's lines of it.  force: send it though it is there.
    Raises PipelineError if nobody knows whether it is there.
    """
    csv, ledger = plan.workspace.submission(plan.run), plan.workspace.ledger
    settled = [_clear_up(plan, line, kaggle) for line in earlier]
    found = [now for line, now in zip(earlier, settled, strict=True) if line.is_unknown]
    if arrived := [line for line in found if line.reached_kaggle]:
        return arrived[-1]
    at_kaggle = list(kaggle.submissions(start_of_marks(record["csv_sha256"])))
    if not force:
        if reached := [line for line in settled if line.reached_kaggle]:
            return reached[-1]
        if unknown := [line for line in settled if line.is_unknown]:
            raise _not_known(plan, unknown[-1], kaggle, "Kaggle gave no clear answer to it")
        if at_kaggle:
            # Sent from another folder or machine, or its ledger was lost.
            line = new_line(record, csv).changed(status="PENDING", ref=at_kaggle[0].ref)
            write_line(ledger, line)
            return line
    # One that never arrived leaves its place, and its mark, to the next.
    may_be_there = [line.message for line in settled if line.reached_kaggle or line.is_unknown]
    return new_line(record, csv, may_be_there + [one.description for one in at_kaggle])


def _clear_up(plan: Plan, line: LedgerLine, kaggle: Kaggle) -> LedgerLine:
    """Look what became of a submission that was interrupted, or whose answer was lost."""
    if not line.is_unknown:
        return line
    if found := kaggle.find_submission(line.mark, tries=LOOKS):
        line = line.changed(status="PENDING", ref=found.ref)
    elif kaggle.now() - line.asked < UNKNOWN_FOR:
        return line
    else:
        line = line.changed(status="ERROR", error="never arrived")
        reporter().line(
            f"The submission of {line.asked:%Y-%m-%d %H:%M} UTC never arrived: "
            f"after {_minutes(UNKNOWN_FOR)}, Kaggle's list does not show it."
        )
    write_line(plan.workspace.ledger, line)
    return line


def send(plan: Plan, line: LedgerLine, kaggle: Kaggle) -> LedgerLine:
    """Send the CSV and return its line, which the ledger has before Kaggle has the submission.

    What fails or is interrupted in the upload has sent nothing, and leaves no line.
    Raises PipelineError if Kaggle does not take it, or nobody knows whether it did.
    """
    ledger = plan.workspace.ledger
    uploaded = kaggle.upload(plan.workspace.submission(plan.run))
    line = line.changed(asked_at=kaggle.now().isoformat(timespec="seconds"))
    write_line(ledger, line)
    try:
        ref = kaggle.submit(uploaded, line.message)
    except UnclearError as error:
        ref = _look_after(plan, error, line, kaggle)
    except PipelineError as error:
        write_line(ledger, line.changed(status="ERROR", error=error.message))
        raise
    line = line.changed(status="PENDING", ref=ref)
    write_line(ledger, line)
    return line


def _look_after(plan: Plan, error: PipelineError, line: LedgerLine, kaggle: Kaggle) -> int:
    """The number of a submission whose answer was lost; raises PipelineError if it is not found."""
    try:
        found = kaggle.find_submission(line.mark, tries=LOOKS)
    except PipelineError:
        found = None
    if found is None:
        raise _not_known(plan, line, kaggle, error.message.removesuffix(".")) from None
    return found.ref


def _not_known(plan: Plan, line: LedgerLine, kaggle: Kaggle, why: str) -> PipelineError:
    left = line.asked + UNKNOWN_FOR - kaggle.now()
    return PipelineError(
        f"{why}. Whether the submission of {line.asked:%H:%M} UTC has arrived is not known yet: "
        "Kaggle's list, which may be late, does not show it.",
        remedy=f"Run: {make_command(plan, 'submit')} (for {_minutes(left)} it only looks, then "
        f"it sends what is not there). Does {SUBMISSIONS_PAGE} not show it? FORCE=1 sends it now.",
    )


def _minutes(time: timedelta) -> str:
    minutes = ceil(time.total_seconds() / 60)
    return "1 minute" if minutes == 1 else f"{minutes:,} minutes"
