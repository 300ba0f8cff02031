"""Records of what came out: validation, submission, score, reproduction."""

import json
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from pipeline.analysis.check import check
from pipeline.analysis.look import errors
from pipeline.analysis.trace import trace
from pipeline.plan.plan import Plan
from pipeline.runs.run import hold_out_accuracy, read_run
from pipeline.stages.submission import submission
from tests.stress.readers.records import RecordReader


class Validation(RecordReader):
    """validation.json of a run."""

    name = "validation.json"

    @property
    def path(self) -> Path:
        return self.run.validation

    def commands(self) -> Sequence[Callable[[], Any]]:
        return (
            lambda: hold_out_accuracy(read_run(self.plan)),
            lambda: errors(self.plan, count=3),
            self.show_runs,
            self.show_summary,
            lambda: submission(self.plan),
            self.show_validate,
        )

    def check(self, data: bytes, found: list[Any]) -> None:
        accuracy = found[0]
        assert 0 <= accuracy.low <= accuracy.value <= accuracy.high <= 1, "no accuracy"
        assert 0 <= accuracy.correct <= accuracy.rows, "no counts"
        super().check(data, found)


class EnsembleValidation(Validation):
    """validation.json of an ensemble."""

    name = "validation.json of an ensemble"

    @property
    def plan(self) -> Plan:
        return self.tiny.blend


class SubmissionRecord(RecordReader):
    """The record beside a CSV."""

    name = "record of a submission"

    @property
    def path(self) -> Path:
        return self.workspace.submission_record(self.plan.run)

    def commands(self) -> Sequence[Callable[[], Any]]:
        csv = self.workspace.submission(self.plan.run)
        return (
            self.show_runs,
            self.show_trace,
            lambda: trace(self.workspace, str(csv)),
            self.show_summary,
            lambda: check(csv),
            lambda: submission(self.plan),
        )


class ScoreRecord(RecordReader):
    """score.json of a run whose answers the source knows."""

    name = "score.json"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        record = json.loads(self.tiny.content(self.workspace.submission_record(self.plan.run)))
        accuracy = {"value": 0.5, "low": 0.4, "high": 0.6, "correct": 10, "rows": 20}
        score = {"inputs": {"csv": record["csv_sha256"]}, "accuracy": accuracy}
        self._seed = json.dumps(score).encode()

    @property
    def path(self) -> Path:
        return self.run.score

    @cached_property
    def seeds(self) -> Sequence[bytes]:
        return [self._seed]

    def commands(self) -> Sequence[Callable[[], Any]]:
        self.workspace.ledger.unlink(missing_ok=True)
        return (self.show_runs, self.show_trace, self.show_summary)


class Reproduction(RecordReader):
    """reproduction.json of a run."""

    name = "reproduction.json"

    @property
    def path(self) -> Path:
        return self.run.reproduction

    def commands(self) -> Sequence[Callable[[], Any]]:
        return (self.show_trace,)
