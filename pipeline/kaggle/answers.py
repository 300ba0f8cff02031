"""What Kaggle tells about submissions, as values of our own."""

import math
from dataclasses import dataclass
from typing import Any, Literal, get_args

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
    Both are what Kaggle told, and not for a terminal yet.
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
    """Convert the package's ApiSubmissionLimits; raises TypeError if it holds something else."""
    allowed_now, today = whole_number(answer.num_allowed_now), whole_number(answer.num_today)
    # All zero: the account has no team yet, which its first submission makes.
    unknown = not (allowed_now or today or answer.num_total)
    return SubmissionLimits(
        today=today,
        allowed_now=None if unknown else allowed_now,
        limited_for_good=bool(answer.limited_by_total),
    )


def to_submission(answer: Any) -> Submission:
    """Convert the package's ApiSubmission; raises TypeError if it holds something else."""
    status: Any = getattr(answer.status, "name", None)
    if status not in get_args(Status):
        raise TypeError(f"{status!r} is no status")
    return Submission(
        ref=whole_number(answer.ref),
        status=status,
        public_score=_score(answer.public_score),
        private_score=_score(answer.private_score),
        description=str(answer.description or ""),
        error=str(answer.error_description or ""),
    )


def whole_number(value: object) -> int:
    """Return a number that Kaggle told. Raises TypeError if it is none."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{value!r} is no whole number")
    return value


def _score(told: Any) -> float | None:
    """An accuracy; whatever is none is no score."""
    try:
        score = float(told or "")
    except ValueError:
        return None
    return score if math.isfinite(score) and 0 <= score <= 1 else None
