"""What the stages that write pages show: where the page is, to be opened in a browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console

from pipeline.cli.show.console import show_facts, show_headline
from pipeline.cli.show.validation import interval

# Types only: importing a stage takes long, and one command shows one stage.
if TYPE_CHECKING:
    from pipeline.analysis.report import ReportResult


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
