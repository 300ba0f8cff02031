"""What the stage compare shows: the runs side by side, what the tests say, where the page is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from pipeline.cli.show.console import (
    fits,
    make_table,
    show_blank,
    show_facts,
    show_headline,
    show_line,
    show_table,
)

# Types only: importing a stage takes long, and one command shows one stage.
if TYPE_CHECKING:
    from pipeline.analysis.compare import CompareResult

LEFT = ("run", "95 % interval")
PAIR_LEFT = ("first", "second")


def show_compare(console: Console, result: CompareResult) -> None:
    """Print the runs, a sentence or a line for each pair, and where the page is."""
    from pipeline.pages.comparison_page import notes
    from pipeline.runs.comparison import verdicts

    rows = result.comparison.rows
    everyone = "both" if len(result.runs) == 2 else f"all {len(result.runs)}"
    show_headline(console, "compare", f"on the {rows:,} digits that {everyone} runs held out")
    _show_runs(console, result)
    for note in notes(result.runs, rows):
        show_line(console, f"  {note}")
    show_blank(console)
    for sentence in verdicts(result.comparison, {run.name: run.short for run in result.runs}):
        show_line(console, f"  {sentence}", "bold")
    if len(result.comparison.pairs) > 1:
        _show_pairs(console, result)
    show_blank(console)
    show_facts(
        console,
        [
            ("not read alike", f"{len(result.comparison.disagreements):,} digits"),
            ("read right by no run", f"{result.comparison.all_wrong:,} digits"),
            ("page", f"{result.path} ({result.size / 1000:,.0f} kB)"),
        ],
    )


def _show_runs(console: Console, result: CompareResult) -> None:
    rows = [_cells(result, number) for number in range(len(result.runs))]
    table = make_table(list(rows[0]), left=LEFT)
    for row in rows:
        table.add_row(*row.values())
    if fits(console, table):
        show_table(console, table)
        return
    for row in rows:
        show_line(console, row["run"], "bold")
        names = list(row)[1:]
        for part in (names[:3], names[3:5], names[5:]):
            cells = [Text.assemble((f"{name} ", "cyan"), row[name]) for name in part if row[name]]
            show_line(console, Text.assemble("  ", Text("  ").join(cells)))


def _cells(result: CompareResult, number: int) -> dict[str, str]:
    """A run's cells by the headers of their columns."""
    run = result.runs[number]
    measured = result.comparison.metrics[run.name]
    accuracy = measured.accuracy
    return {
        "run": run.name,
        "accuracy": f"{accuracy.value:.4f}",
        "95 % interval": f"{accuracy.low:.4f} to {accuracy.high:.4f}",
        "wrong": f"{accuracy.rows - accuracy.correct:,}",
        "log-loss": f"{measured.log_loss:.4f}",
        "calibration error": f"{measured.calibration_error:.4f}",
        "own hold-out": f"{run.hold_out.value:.4f}",
        "score": f"{run.score.value:.5f}" if run.score else "",
        "training": f"{run.training['seconds']:,.1f} s",
        "parameters": f"{run.training['parameters']:,}",
    }


def _show_pairs(console: Console, result: CompareResult) -> None:
    """All pairs as numbers: a table, or a sentence each where the terminal is too narrow."""
    from pipeline.runs.comparison import p_text, verdict

    short = {run.name: run.short for run in result.runs}
    headers = ["first", "second", "first alone right", "second alone", "p", "corrected"]
    table = make_table([*headers, "difference", "95 % interval"], left=PAIR_LEFT)
    for pair in result.comparison.pairs:
        found = pair.difference
        table.add_row(
            short[pair.first],
            short[pair.second],
            f"{pair.counts.first_only:,}",
            f"{pair.counts.second_only:,}",
            p_text(pair.p_value),
            p_text(pair.corrected),
            f"{found.value:+.4f}",
            f"{found.low:+.4f} to {found.high:+.4f}",
            style="bold" if pair.differ else None,
        )
    show_blank(console)
    if fits(console, table):
        show_table(console, table)
        return
    for pair in result.comparison.pairs:
        show_line(console, f"  {verdict(pair, short, pairs=len(result.comparison.pairs))}")
