"""Stage check: whether any CSV at hand is a submission that Kaggle would take."""

from dataclasses import dataclass
from pathlib import Path

from pipeline.kaggle.submission_csv import COMPETITION_ROWS, inspect_submission
from pipeline.system import files
from pipeline.system.errors import PipelineError


@dataclass(frozen=True)
class CheckResult:
    """A CSV without an error.

    competition: whether it has as many rows as the competition's test.csv.
    remarks: what is unusual in it, and may be wrong to Kaggle.
    """

    csv: Path
    rows: int
    competition: bool
    remarks: tuple[str, ...] = ()


def check(csv: Path, *, sample: Path | None = None, rows: int | None = None) -> CheckResult:
    """Check one CSV.

    rows: how many to expect.  Without it, those of the sample; without both, those of the
    test.csv it was predicted from, if the record beside it says so; else the competition's.
    Raises PipelineError naming the first bad line.
    """
    if rows is None and sample is None:
        rows = _recorded_rows(csv)
    found = inspect_submission(csv, sample=sample, test_rows=rows)
    count = len(found.labels)
    return CheckResult(csv, count, count == COMPETITION_ROWS, found.remarks)


def _recorded_rows(csv: Path) -> int | None:
    try:
        record = files.read_json(csv.with_suffix(".json"))
        return int(record["test_csv"]["rows"])
    except (OSError, PipelineError, KeyError, TypeError, ValueError):
        return None
