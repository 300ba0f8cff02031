"""What the stages after validation show: the CSV, its score, the summary, all runs side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from pipeline.display.console import (
    make_table,
    show_facts,
    show_headline,
    show_line,
    show_table,
    show_unchanged,
)
from pipeline.display.preparation import show_digit_counts
from pipeline.display.validation import interval

# Types only: importing a stage takes long, and one command shows one stage.
if TYPE_CHECKING:
    from pipeline.runs import RunRow
    from pipeline.stages.check import CheckResult
    from pipeline.stages.results import ResultsResult
    from pipeline.stages.submission import SubmissionResult
    from pipeline.stages.submit import SubmitResult
    from pipeline.stages.summary import SummaryResult

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


def show_results(console: Console, result: ResultsResult) -> None:
    """Print how many rows each table has now."""
    if result.unchanged:
        show_line(console, f"results: the tables of {result.readme} are up to date")
        return
    show_headline(console, "results", f"{result.readme} is written anew")
    show_facts(
        console,
        [
            (name, f"{len(rows)} rows" if rows else "no runs yet; left as it was")
            for name, rows in result.tables.items()
        ],
    )


def show_runs(console: Console, rows: Sequence[RunRow]) -> None:
    """Print one line for each run or submission."""
    if not rows:
        show_line(console, "There are no runs yet. Run: make all")
        return
    left = ["run", "recipe", "source", "commit", "score by", "submission", "finished (UTC)"]
    numbers = ["seed", "hold-out", "score", "gap", "training"]
    order = [*left[:2], numbers[0], *left[2:4], *numbers[1:4], *left[4:6], numbers[4], left[6]]
    table = make_table(order, left=left)
    for row in rows:
        table.add_row(
            row.run,
            row.recipe or "",
            "" if row.seed is None else str(row.seed),
            row.source or "",
            row.commit or "",
            "" if row.hold_out_accuracy is None else f"{row.hold_out_accuracy:.4f}",
            f"{row.score.value:.4f}" if row.score else "",
            _gap(row.gap),
            row.score.origin if row.score else "",
            row.status,
            "" if row.seconds is None else f"{row.seconds:,.1f} s",
            row.finished_at[:16].replace("T", " "),
        )
    show_table(console, table)


def _gap(gap: float | None) -> Text:
    """The gap with its sign; red if the score is more than a hundredth below the hold-out."""
    if gap is None:
        return Text("")
    return Text(f"{gap:+.4f}", "red" if gap < -0.01 else "")
