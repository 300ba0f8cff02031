"""Kaggle in trouble: every way in which a request can fail, against the real client."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.stress.kaggle_case import Case, as_process, competition_zip, prepare, run_case
from tests.stress.kaggle_table import all_cases
from tests.stress.table import Table

COLUMNS = ("fault", "command", "what the user sees", "exit code", "requests", "on disk")
AT_ONCE = 2
LONGEST_CELL = 160


def kaggle(folder: Path, *, seed: int, tell: Callable[[str], None]) -> Table:
    """Run every case as a process of its own; no choice in them is random."""
    prepared = folder / "prepared"
    prepare(prepared, competition_zip(folder))
    rows, failures = [], []
    cases = all_cases()

    def attempt(case: Case) -> tuple[list[str], list[str]]:
        outcome = run_case(case, prepared, as_process)
        cells = [case.fault, f"`{case.command}`", _shortened(outcome.seen), str(outcome.exit_code)]
        return [*cells, outcome.requests, outcome.disk], outcome.faults

    with ThreadPoolExecutor(AT_ONCE) as pool:
        for number, (case, (row, faults)) in enumerate(
            zip(cases, pool.map(attempt, cases), strict=True), start=1
        ):
            rows.append(row)
            failures += [f"{case.fault} (`{case.command}`): {fault}" for fault in faults]
            if number % 20 == 0:
                tell(f"{number} of {len(cases)}")
    summary = (
        f"{len(cases)} faults, one at a time, between the real Kaggle client and a stand-in for "
        f"Kaggle, with the command as a process. {len(failures)} expectations did not hold."
    )
    return Table(summary, COLUMNS, rows, failures)


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST_CELL else f"{text[:LONGEST_CELL]} ..."
