"""What the commands about runs show: lists, comparisons, a page, a check of any CSV."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from pipeline.cli.advice import advice
from pipeline.cli.show.console import (
    fits,
    make_table,
    show_blank,
    show_facts,
    show_headline,
    show_line,
    show_table,
)
from pipeline.cli.show.stages import NOT_FOR_KAGGLE
from pipeline.cli.show.validate import interval

# Types only: importing a stage takes long, and one command shows one stage.
if TYPE_CHECKING:
    from pipeline.analysis.check import CheckResult
    from pipeline.analysis.compare import CompareResult
    from pipeline.analysis.decide import DecideResult
    from pipeline.analysis.report import ReportResult
    from pipeline.analysis.seeds import SeedsResult
    from pipeline.runs.decisions import DecidedRecipe
    from pipeline.runs.listing import RunRow

RUN_NUMBERS = ("seed", "hold-out", "score", "gap", "training")
# A score this much below the hold-out accuracy is shown in red: more than chance on a few thousand.
LARGE_GAP = 0.01
COMPARED_LEFT = ("run", "95 % interval")
PAIR_LEFT = ("first", "second")
DECIDED_LEFT = ("recipe",)


def show_runs(console: Console, rows: Sequence[RunRow]) -> None:
    """Print one line for each run or submission; a few where the terminal is too narrow for one."""
    if not rows:
        show_line(console, advice("There are no runs yet. Run: make all"))
        return
    cells = [_run_cells(row) for row in rows]
    columns = list(cells[0])
    left = [name for name in columns if name not in RUN_NUMBERS]
    _show_rows(console, cells, left, (columns[1:5], columns[5:9], columns[9:]))
    for row in rows:
        if row.doubt:
            show_line(console, f"  !! {row.run}: {row.doubt}", "bold red")


def _show_rows(
    console: Console,
    rows: Sequence[Mapping[str, Text]],
    left: Sequence[str],
    groups: Sequence[Sequence[str]],
) -> None:
    """A table, or where the terminal is too narrow for it, a line for each group of columns.

    rows: cells by their columns, of which the first is the name.
    """
    table = make_table(list(rows[0]), left=left)
    for row in rows:
        table.add_row(*row.values())
    if fits(console, table):
        show_table(console, table)
        return
    for row in rows:
        show_line(console, row[next(iter(row))], "bold")
        for names in groups:
            parts = [Text.assemble((f"{name} ", "cyan"), row[name]) for name in names if row[name]]
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


def show_decide(console: Console, result: DecideResult) -> None:
    """Print the recipes with their figures, a sentence for each but the first, and the file."""
    from pipeline.runs.decisions import sentence

    found = result.decision
    seeds = f"seed{'s' * (len(found.seeds) > 1)} {', '.join(map(str, found.seeds))}"
    show_headline(
        console,
        "decide",
        f"{len(found.recipes)} recipes on {found.rows:,} {found.kind} digits, each read by "
        f"networks that never saw it ({found.folds} folds, {seeds})",
    )
    cells = [_decided_cells(recipe) for recipe in found.recipes]
    columns = list(cells[0])
    _show_rows(console, cells, DECIDED_LEFT, (columns[1:4], columns[4:]))
    locked = f"{found.locked_rows:,} further digits are locked"
    show_line(console, f"  {locked}: none of these networks has seen them")
    show_blank(console)
    for contender in found.contenders:
        show_line(console, f"  {sentence(found, contender)}", "bold")
    show_blank(console)
    show_facts(console, [("kept", str(result.path))])


def _decided_cells(recipe: DecidedRecipe) -> dict[str, Text]:
    """A recipe's cells by the headers of their columns."""
    texts = {
        "recipe": recipe.recipe,
        "errors": f"{recipe.mean_errors:,.1f}",
        "of each seed": ", ".join(f"{count:,}" for count in recipe.errors),
        "accuracy": f"{recipe.accuracy:.5f}",
        "log-loss": f"{recipe.log_loss:.5f}",
        "training": f"{recipe.seconds:,.1f} s a network",
    }
    return {name: Text(text) for name, text in texts.items()}


def show_compare(console: Console, result: CompareResult) -> None:
    """Print the runs, a sentence or a line for each pair, and where the page is."""
    from pipeline.pages.comparison_page import notes
    from pipeline.runs.comparison import verdicts

    rows = result.comparison.rows
    everyone = "both" if len(result.runs) == 2 else f"all {len(result.runs)}"
    show_headline(console, "compare", f"on the {rows:,} digits that {everyone} runs held out")
    cells = [_compared_cells(result, number) for number in range(len(result.runs))]
    columns = list(cells[0])
    _show_rows(console, cells, COMPARED_LEFT, (columns[1:4], columns[4:6], columns[6:]))
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
            ("read right by none", f"{result.comparison.all_wrong:,} digits"),
            ("page", f"{result.path} ({result.size / 1000:,.0f} kB)"),
        ],
    )


def _compared_cells(result: CompareResult, number: int) -> dict[str, Text]:
    """A run's cells by the headers of their columns."""
    run = result.runs[number]
    measured = result.comparison.metrics[run.name]
    accuracy = measured.accuracy
    texts = {
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
    return {name: Text(text) for name, text in texts.items()}


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


def show_report(console: Console, result: ReportResult) -> None:
    """Print where the page is, and how large."""
    show_headline(
        console, "report", f"a page about {result.run}, {result.hold_out.value:.4f} on hold-out"
    )
    show_facts(
        console,
        [
            ("page", f"{result.path} ({result.size / 1000:,.0f} kB)"),
            ("hold-out", f"{result.hold_out.value:.4f}  {interval(result.hold_out)}"),
        ],
    )


def show_check(console: Console, result: CheckResult) -> None:
    """Print that a CSV is right, what is unusual in it, and if it could be the competition's."""
    verdict = "it passes, and yet:" if result.remarks else "nothing wrong"
    show_headline(console, "check", f"{result.csv}: {result.rows:,} rows, {verdict}")
    for remark in result.remarks:
        show_line(console, f"  !! {remark}", style="bold yellow")
    if not result.competition:
        show_line(console, f"  It has the rows of its own test.csv, {NOT_FOR_KAGGLE}.")
