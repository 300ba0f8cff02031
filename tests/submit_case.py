"""A run's CSV beside its record and the stand-in for Kaggle, for the tests of the stage submit."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pipeline.kaggle.submission_csv import write_submission
from pipeline.plan.plan import Plan
from pipeline.runs.ledger import read_ledger
from pipeline.stages.submit import SubmitResult, submit
from pipeline.system import files
from pipeline.system.errors import PipelineError
from tests.kaggle_api import SECRETS, Kaggle

RUN = "kaggle-mlp"
ROWS = 100


@dataclass
class Case:
    """A run's CSV beside its record, and the Kaggle to which it may go."""

    plan: Plan
    kaggle: Kaggle

    @property
    def csv(self) -> Path:
        return self.plan.workspace.submission(RUN)

    @property
    def sent(self) -> int:
        return self.kaggle.count("CreateSubmission")

    @property
    def statuses(self) -> list[str]:
        return [line.status for line in read_ledger(self.plan.workspace.ledger)]

    def put_rows(self, rows: int) -> None:
        """Write a CSV of so many rows, and its record."""
        write_submission(self.csv, [number % 10 for number in range(rows)])
        record = {
            "stage": "submission",
            "inputs": {"model": "e" * 64},
            "run": RUN,
            "csv_sha256": files.sha256(self.csv),
            "rows": rows,
            "recipe": "mlp",
            "seed": 7,
            "source": "kaggle",
            "kind": "competition",
            "test_csv": {"sha256": "0", "bytes": 51_118_296, "rows": rows},
            "commit": "0123456789abcdef",
            "dirty": False,
            "hold_out": {"accuracy": 0.9861, "low": 0.984, "high": 0.988, "rows": 4200},
        }
        files.write_json(self.plan.workspace.submission_record(RUN), record)

    def change_record(self, **changes: Any) -> None:
        path = self.plan.workspace.submission_record(RUN)
        files.write_json(path, files.read_json(path) | changes)

    def submit(self, **settings: Any) -> SubmitResult:
        return submit(self.plan, **settings)

    def refused(self, **settings: Any) -> str:
        """The lines that the user sees."""
        with pytest.raises(PipelineError) as caught:
            submit(self.plan, **settings)
        ledger = self.plan.workspace.ledger
        text = str(caught.value)
        seen = text + (ledger.read_text() if ledger.exists() else "")
        assert not any(secret in seen for secret in SECRETS), seen
        assert len(text.splitlines()) <= 2, text
        return text
