"""What Kaggle tells about submissions, as values of our own.

What passes here can be kept: a record that holds these types is read again with the same ones.
"""

import math
from typing import Annotated, Any, Literal, get_args

from pydantic import Field, TypeAdapter, ValidationError

from pipeline.system.records import Count, Record, Share, Whole

Status = Literal["PENDING", "COMPLETE", "ERROR"]
# Numbers that a database gives: they begin at 1, and have at most 63 bits.
Ref = Annotated[int, Field(ge=1, lt=2**63)]


class SubmissionLimits(Record):
    """How many submissions Kaggle has counted, and how many it still takes.

    allowed_now: None if Kaggle does not know yet, before the account's first submission.
    limited_for_good: the limit is that of the whole competition, not that of the day.
    """

    today: Whole
    allowed_now: Whole | None
    limited_for_good: bool


class ListedSubmission(Record):
    """One submission in the account's list; how it stands is asked by its number.

    description: the message that it was sent with, as Kaggle tells it: not for a terminal.
    """

    ref: Ref
    description: str


class Submission(Record):
    """How one submission stands; scores are accuracies, None while unknown.

    error: why it could not be scored, or ""; what Kaggle told, and not for a terminal yet.
    """

    ref: Ref
    status: Status
    public_score: Share | None
    private_score: Share | None
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
    """Convert the package's ApiSubmission; raises TypeError if its number is none.

    A status that is new here is neither a score nor a failure, as PENDING is.
    """
    status: Any = str(getattr(answer.status, "name", "")).upper()
    is_known = status in get_args(Status)
    return Submission(
        ref=to_ref(answer.ref),
        status=status if is_known else "PENDING",
        public_score=_score(answer.public_score) if is_known else None,
        private_score=_score(answer.private_score) if is_known else None,
        error=_text(answer.error_description),
    )


def to_listed(told: dict[str, Any]) -> ListedSubmission:
    """Convert an entry of the list of submissions; raises TypeError if its number is none."""
    return ListedSubmission(ref=to_ref(told.get("ref")), description=_text(told.get("description")))


def to_ref(value: object) -> int:
    """Return the number of a submission. Raises TypeError if none can have it."""
    return _checked(value, Ref)


def to_version(value: object) -> int:
    """Return the number of a notebook's version. Raises TypeError if none can have it."""
    return _checked(value, Count)


def whole_number(value: object) -> int:
    """Return a count that Kaggle told. Raises TypeError if it is none."""
    return _checked(value, Whole)


def _checked(value: object, kind: Any) -> int:
    try:
        number: int = TypeAdapter(kind).validate_python(value, strict=True)
    except ValidationError:
        raise TypeError(f"{value!r:.60} is no such number") from None
    return number


def _text(told: Any) -> str:
    """A text that can be written, which half of a surrogate pair can't; "" if nothing is told."""
    return str(told or "").encode("utf-8", "replace").decode("utf-8")


def _score(told: Any) -> float | None:
    """An accuracy; whatever is none is no score."""
    try:
        score = float("nan" if isinstance(told, bool) else told)
    except (TypeError, ValueError, OverflowError):
        return None
    return score if math.isfinite(score) and 0 <= score <= 1 else None
