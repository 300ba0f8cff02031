"""What the stage validate shows: accuracy, each digit, what is read for what, worst errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from pipeline.cli.show.console import (
    make_table,
    show_blank,
    show_facts,
    show_headline,
    show_line,
    show_table,
    show_unchanged,
)

# Types only: importing a stage takes long, and one command shows one stage.
if TYPE_CHECKING:
    from pipeline.runs.metrics import Accuracy, Metrics
    from pipeline.stages.validate import ValidateResult

WORST_SHOWN = 10


def show_validate(console: Console, result: ValidateResult) -> None:
    """Print all metrics of a run."""
    if result.unchanged:
        show_unchanged(console, "validate")
        return
    metrics = result.metrics
    accuracy = metrics.accuracy
    show_headline(
        console,
        "validate",
        f"{result.run} reads {accuracy.correct:,} of {accuracy.rows:,} held-out digits right",
    )
    show_facts(
        console,
        [
            ("accuracy", f"{accuracy.value:.4f}  {interval(accuracy)}"),
            ("log-loss", f"{metrics.log_loss:.4f}"),
            ("calibration error", f"{metrics.calibration_error:.4f}"),
            ("for machines", str(result.record)),
        ],
    )
    if result.doubt:
        show_line(console, f"  !! {result.doubt}", "bold red")
    if result.members:
        _show_members(console, result)
    _show_classes(console, metrics)
    _show_confusion(console, metrics)
    _show_worst_errors(console, metrics)


def _show_members(console: Console, result: ValidateResult) -> None:
    """Each member by itself, and what all of them lose without it."""
    table = make_table(["member", "accuracy", "gain", "in accuracy", "training"], left=["member"])
    for member in result.members:
        known = member.gain is not None
        table.add_row(
            member.run,
            f"{member.accuracy.value:.4f}",
            f"{member.gain_correct:+,}" if known else "",
            f"{member.gain:+.4f}" if known else "",
            f"{member.seconds:,.1f} s",
        )
    low, high = result.networks_per_row
    behind = f"{low}" if low == high else f"{low} to {high}"
    show_blank(console)
    show_line(
        console,
        f"  Each held-out digit is read here by {behind} {_networks(high)} that never saw it; "
        f"each test digit by {result.networks}.",
    )
    if any(member.gain is not None for member in result.members):
        show_line(
            console, "  A member's gain: how many more digits are right with it than without:"
        )
    show_table(console, table)


def _networks(count: int) -> str:
    return "network" if count == 1 else "networks"


def interval(accuracy: Accuracy) -> str:
    """Return the accuracy's interval as it is written everywhere."""
    return f"(95 % interval {accuracy.low:.4f} to {accuracy.high:.4f})"


def _show_classes(console: Console, metrics: Metrics) -> None:
    table = make_table(["digit", "precision", "recall", "F1", "digits"])
    hardest = min(item.f1 for item in metrics.classes)
    for item in metrics.classes:
        table.add_row(
            str(item.label),
            f"{item.precision:.4f}",
            f"{item.recall:.4f}",
            f"{item.f1:.4f}",
            f"{item.support:,}",
            style="yellow" if item.f1 == hardest < 1 else None,
        )
    show_blank(console)
    show_table(console, table)


def _show_confusion(console: Console, metrics: Metrics) -> None:
    """Rows are what a digit is, columns what it was read as; a dot is 0."""
    table = make_table(["digit", *(str(label) for label in range(len(metrics.confusion)))])
    wrong = [
        count
        for label, row in enumerate(metrics.confusion)
        for prediction, count in enumerate(row)
        if prediction != label
    ]
    most = max(wrong)
    for label, row in enumerate(metrics.confusion):
        cells = [
            _confusion_cell(count, right=prediction == label, most=most)
            for prediction, count in enumerate(row)
        ]
        table.add_row(str(label), *cells)
    show_blank(console)
    show_line(console, "  Each digit (down) and what it was read as (across):")
    show_table(console, table)


def _confusion_cell(count: int, *, right: bool, most: int) -> Text:
    if right:
        return Text(f"{count:,}", "green")
    if count == 0:
        return Text(".", "dim")
    return Text(f"{count:,}", "bold red" if 2 * count > most else "red")


def _show_worst_errors(console: Console, metrics: Metrics) -> None:
    if not metrics.worst_errors:
        return
    table = make_table(["row", "digit", "read as", "probability", "of the digit"])
    for error in metrics.worst_errors[:WORST_SHOWN]:
        table.add_row(
            str(error.row),
            str(error.label),
            Text(str(error.prediction), "red"),
            f"{error.prediction_probability:.4f}",
            f"{error.label_probability:.4f}",
        )
    show_blank(console)
    show_line(console, "  The surest wrong answers (rows of train.csv, the first one is 0):")
    show_table(console, table)
