"""What Kaggle tells about submissions, as values of our own."""

from dataclasses import dataclass
from typing import Any, Literal, get_args

from pipeline.errors import PipelineError

Status = Literal["PENDING", "COMPLETE", "ERROR"]


@dataclass(frozen=True)
class SubmissionLimits:
    """How many submissions Kaggle has counted, and how many it still takes.

    allowed_now: None if Kaggle does not know yet, before the account's first submission.
    limited_for_good: the limit is that of the whole competition, not that of the day.
    """

    today: int
    allowed_now: int | None
    limited_for_good: bool


@dataclass(frozen=True)
class Submission:
    """One submission; scores are accuracies, None while unknown.

    description: the message that it was sent with.  error: why it could not be scored, or "".
    """

    ref: int
    status: Status
    public_score: float | None
    private_score: float | None
    description: str
    error: str

    @property
    def is_settled(self) -> bool:
        """Whether waiting longer would tell nothing more."""
        return self.status == "ERROR" or (
            self.status == "COMPLETE" and self.public_score is not None
        )


def to_limits(answer: Any) -> SubmissionLimits:
    """Convert the package's ApiSubmissionLimits; PipelineError if it says no numbers."""
    counts = (answer.num_today, answer.num_total, answer.num_allowed_now)
    if any(type(count) is not int for count in counts):
        raise _not_understood("how many submissions are left")
    # All zero: the account has no team yet, which its first submission makes.
    unknown = not (answer.num_allowed_now or answer.num_today or answer.num_total)
    return SubmissionLimits(
        today=answer.num_today,
        allowed_now=None if unknown else answer.num_allowed_now,
        limited_for_good=answer.limited_by_total,
    )


def to_submission(answer: Any) -> Submission:
    """Convert the package's ApiSubmission; PipelineError if it is not as it must be."""
    texts = (answer.description, answer.error_description)
    status: Any = getattr(answer.status, "name", None)
    if type(answer.ref) is not int or any(not isinstance(text, str) for text in texts):
        raise _not_understood("a submission")
    if status not in get_args(Status):
        raise _not_understood("a submission")
    return Submission(
        ref=answer.ref,
        status=status,
        public_score=_score(answer.public_score),
        private_score=_score(answer.private_score),
        description=answer.description,
        error=" ".join(answer.error_description.split()),
    )


def _score(text: Any) -> float | None:
    """The score, an accuracy; None for any other text."""
    try:
        score = float(text)
    except (TypeError, ValueError):
        return None
    return score if 0 <= score <= 1 else None


def _not_understood(of_what: str) -> PipelineError:
    return PipelineError(
        f"Kaggle's answer of {of_what} can't be understood.",
        remedy="Run the same command again. If that does not help: make install",
    )
