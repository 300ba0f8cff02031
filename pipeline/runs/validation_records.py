"""The records of what a run reaches."""

from typing import Any

import pydantic

from pipeline.system.record_values import Change, ExactRecord, Number, Record, Share, Whole


class Accuracy(ExactRecord):
    """A share of correct answers with its interval."""

    value: Share
    low: Share
    high: Share
    correct: Whole
    rows: Whole

    @pydantic.model_validator(mode="after")
    def _fits_together(self) -> "Accuracy":
        is_within = self.low <= self.value <= self.high
        if not is_within or not self.rows or abs(self.value - self.correct / self.rows) > 1e-6:
            raise ValueError("should be an accuracy within its interval")
        return self


class Measured(Record):
    """validation.json, as far as most want to know."""

    inputs: dict[str, Any]
    accuracy: Accuracy


class ClassMetrics(ExactRecord):
    """One digit."""

    label: Whole
    precision: Share
    recall: Share
    f1: Share
    support: Whole


class WorstError(ExactRecord):
    """One digit that was misread."""

    row: Whole
    label: Whole
    prediction: Whole
    prediction_probability: Share
    label_probability: Share


class Metrics(Record):
    """validation.json of a network."""

    accuracy: Accuracy
    log_loss: Number
    calibration_error: Number
    classes: list[ClassMetrics]
    confusion: list[list[Whole]]
    worst_errors: list[WorstError]


class MemberMetrics(ExactRecord):
    """One member beside the others."""

    run: str
    accuracy: Accuracy
    gain_correct: Change
    gain_rows: Whole
    gain: float | None = None
    networks: Whole
    seconds: Number


class Networks(Record):
    """How many networks stand behind the rows."""

    per_row: list[Whole]
    per_test_digit: Whole


class EnsembleMetrics(Metrics):
    """validation.json of an ensemble."""

    members: list[MemberMetrics]
    networks: Networks


class ScoreValue(Record):
    """An accuracy without its interval."""

    value: Share


class Score(Record):
    """score.json: what a run reaches on the test digits, where those are known."""

    inputs: dict[str, Any]
    accuracy: ScoreValue


class Reproduced(Record):
    """How many predictions agree, of so many rows."""

    predictions: Whole
    rows: Whole


class Reproduction(Record):
    """reproduction.json: whether a second training gave the same."""

    inputs: dict[str, Any]
    finished_at: str
    agrees: bool
    hold_out: Reproduced
