"""What the stages after validation show: the CSV, its score, the summary, all runs side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from pipeline.cli.show.console import (
    fits,
    make_table,
    show_facts,
    show_headline,
    show_line,
    show_table,
    show_unchanged,
)
from pipeline.cli.show.preparation import show_digit_counts
from pipeline.cli.show.validation import interval

# Types only: importing a stage takes long, and one command shows one stage.
if TYPE_CHECKING:
    from pipeline.analysis.check import CheckResult
    from pipeline.runs.listing import RunRow
    from pipeline.stages.submission import SubmissionResult
    from pipeline.stages.submit import SubmitResult
    from pipeline.stages.summary import SummaryResult

RUN_NUMBERS = ("seed", "hold-out", "score", "gap", "training")
# A score this much below the hold-out accuracy is shown in red: more than chance on a few thousand.
LARGE_GAP = 0.01
NOT_FOR_KAGGLE = "not the competition's digits: Kaggle would refuse it"


def show_submission(console: Console, result: SubmissionResult) -> None:
    """Print where the CSV is and how often each digit was predicted."""
    if result.unchanged:
        show_unchanged(console, "submission")
        return
    show_headline(console, "submission", f"{result.rows:,} digits predicted, the CSV checked")
    facts = [
        ("CSV", str(result.csv)),
        ("hold-out", f"{result.hold_out.value:.4f}  {interval(result.hold_out)}"),
    ]
    if not result.competition:
        facts.append(("note", NOT_FOR_KAGGLE))
    show_facts(console, facts)
    show_digit_counts(console, "predicted", result.predicted_counts)


def show_submit(console: Console, result: SubmitResult) -> None:
    """Print the score beside the hold-out accuracy."""
    sent = "was sent before; its score is here" if result.unchanged else "is scored"
    show_headline(console, "submit", f"{result.csv} {sent}")
    hold_out = result.hold_out
    inside = "inside" if hold_out.low <= result.score <= hold_out.high else "outside"
    facts = [
        ("score", f"{result.score:.5f}"),
        ("hold-out", f"{hold_out.value:.5f}  {interval(hold_out)}"),
        ("gap", f"{result.gap:+.5f}  (score {inside} the hold-out's interval)"),
        ("submission", f"{result.ref}, {result.url}"),
    ]
    if result.private_score is not None:
        facts.insert(1, ("private score", f"{result.private_score:.5f}"))
    if result.left_today is not None:
        facts.append(("left today", f"{result.left_today} more submissions"))
    show_facts(console, facts)


def show_summary(console: Console, result: SummaryResult) -> None:
    """Print the summary as it stands in its file, its notice in red."""
    for line in result.text.splitlines():
        style = "bold red" if line.startswith("!!") else None
        show_line(console, line, "bold" if line.startswith("Next:") else style)


def show_check(console: Console, result: CheckResult) -> None:
    """Print that a CSV is right, and whether it could be the competition's."""
    show_headline(console, "check", f"{result.csv}: {result.rows:,} rows, nothing wrong")
    if not result.competition:
        show_line(console, f"  It has the rows of its own test.csv, {NOT_FOR_KAGGLE}.")


def show_runs(console: Console, rows: Sequence[RunRow]) -> None:
    """Print one line for each run or submission; a few where the terminal is too narrow for one."""
    if not rows:
        show_line(console, "There are no runs yet. Run: make all")
        return
    columns = list(_run_cells(rows[0]))
    table = make_table(columns, left=[name for name in columns if name not in RUN_NUMBERS])
    for row in rows:
        table.add_row(*_run_cells(row).values())
    if fits(console, table):
        show_table(console, table)
        return
    for row in rows:
        cells = _run_cells(row)
        show_line(console, cells["run"], "bold")
        for names in (columns[1:5], columns[5:9], columns[9:]):
            parts = [
                Text.assemble((f"{name} ", "cyan"), cells[name]) for name in names if cells[name]
            ]
            show_line(console, Text.assemble("  ", Text("  ").join(parts)))


def _run_cells(row: RunRow) -> dict[str, Text]:
    """A row's cells by the headers of their columns, in order; unknown ones are empty."""
    low = row.gap is not None and row.gap < -LARGE_GAP
    return {
        "run": Text(row.run),
        "recipe": Text(row.recipe or ""),
        "seed": Text("" if row.seed is None else str(row.seed)),
        "source": Text(row.source or ""),
        "commit": Text(row.commit or ""),
        "hold-out": Text("" if row.hold_out_accuracy is None else f"{row.hold_out_accuracy:.4f}"),
        "score": Text(f"{row.score.value:.4f}" if row.score else ""),
        "gap": Text("" if row.gap is None else f"{row.gap:+.4f}", "red" if low else ""),
        "score by": Text(row.score.origin if row.score else ""),
        "submission": Text(row.status),
        "training": Text("" if row.seconds is None else f"{row.seconds:,.1f} s"),
        "finished (UTC)": Text(row.finished_at[:16].replace("T", " ")),
    }
