"""What the stage seeds shows: each seed, and how far apart they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console

from pipeline.cli.show.console import make_table, show_headline, show_line, show_table

# Types only: importing a stage takes long, and one command shows one stage.
if TYPE_CHECKING:
    from pipeline.analysis.seeds import SeedsResult


def show_seeds(console: Console, result: SeedsResult) -> None:
    """Print the hold-out accuracy of each seed, and their mean and spread."""
    found = result.hold_out
    count = "one seed" if found.count == 1 else f"{found.count} seeds"
    show_headline(
        console, "seeds", f"{result.recipe} reads {found.text} of the held-out digits right"
    )
    deviation = "" if found.deviation is None else "mean ± standard deviation "
    show_line(console, f"  {deviation}over {count}, {found.low:.4f} to {found.high:.4f}")
    table = make_table(["seed", "accuracy", "right", "of", "training", "run"], left=["run"])
    for row in result.rows:
        table.add_row(
            str(row.seed),
            f"{row.accuracy.value:.4f}",
            f"{row.accuracy.correct:,}",
            f"{row.accuracy.rows:,}",
            f"{row.seconds:,.1f} s",
            row.run,
        )
    show_table(console, table)
