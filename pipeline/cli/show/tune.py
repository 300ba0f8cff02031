"""What came of a search."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from pipeline.cli.advice import advice
from pipeline.cli.show.console import (
    make_table,
    show_blank,
    show_facts,
    show_headline,
    show_line,
    show_table,
)
from pipeline.plan.commands import command
from pipeline.training.search.outcome import setting_text

# Types only: importing a stage takes long, and one command shows one stage.
if TYPE_CHECKING:
    from pipeline.analysis.tune import TuneResult
    from pipeline.training.search.outcome import Outcome


def show_tune(console: Console, result: TuneResult) -> None:
    """Print the best values beside the recipe's, what mattered, and what to do next."""
    outcome = result.outcome
    counts = f"{len(outcome.trials)} trials, {outcome.count('complete')} complete, " + (
        f"{outcome.count('pruned')} pruned, {outcome.count('failed')} failed"
    )
    if result.unchanged:
        show_headline(console, "tune", f"up to date: {counts} (a larger TRIALS goes on)")
    else:
        show_headline(console, "tune", f"{outcome.recipe}: {counts}")
    _show_settings(console, outcome)
    show_blank(console)
    recipe, page = _near(result.folder.recipe), _near(result.folder.page)
    show_facts(console, [("recipe", recipe), ("page", page), ("trials", result.storage)])
    given: dict[str, Any] = {"SOURCE": result.source, "RECIPE": recipe}
    show_line(console, "  The best of many on the same digits is likely a little too good.")
    show_line(console, "  Another seed shows what it is worth; folds show it better:")
    show_line(console, f"    {advice(command('all', **given, SEED=outcome.seed + 1))}")
    show_line(console, f"    {advice(command('all', **given, FOLDS=5))}")


def _show_settings(console: Console, outcome: Outcome) -> None:
    best, own = outcome.best, outcome.own
    table = make_table(["", "recipe", "best", "importance"], left=[""])
    for dimension in outcome.dimensions:
        share = (outcome.importances or {}).get(dimension.key)
        table.add_row(
            dimension.key,
            setting_text(dimension.own),
            setting_text(best.settings[dimension.key]),
            "" if share is None else f"{100 * share:.0f} %",
        )
    for name in ("loss", "accuracy"):
        table.add_row(
            f"hold-out {name}",
            "failed" if own is None else f"{own.value(name):.4f}",
            f"{best.value(name):.4f}",
            "",
        )
    show_table(console, table)
    if outcome.importances is None:
        show_line(
            console,
            f"  {len(outcome.complete)} complete trials are too few to tell what mattered, "
            "or all ended alike.",
        )


def _near(path: Path) -> str:
    """A path as one would type it here."""
    here = Path.cwd()
    return str(path.absolute().relative_to(here) if path.absolute().is_relative_to(here) else path)
