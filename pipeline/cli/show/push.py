"""What the stages of the notebook show: where it is, at home and at Kaggle."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console

from pipeline.cli.advice import advice
from pipeline.cli.show.console import show_facts, show_headline, show_line, show_unchanged

# Types only: importing a stage takes long, and one command shows one stage.
if TYPE_CHECKING:
    from pipeline.stages.notebook import NotebookResult
    from pipeline.stages.push import PushResult


def show_notebook(console: Console, result: NotebookResult) -> None:
    """Print where the notebook is, and how it gets to Kaggle."""
    if result.unchanged:
        show_unchanged(console, "notebook")
        return
    show_headline(console, "notebook", f"{result.title}, from {result.commit}")
    show_facts(
        console,
        [
            ("to", str(result.path)),
            ("next", advice("make push")),
            ("or", "in the browser: Create, New Notebook, File, Import Notebook"),
        ],
    )


def show_push(console: Console, result: PushResult) -> None:
    """Print the notebook's address and version, and how a submission comes out of it."""
    if result.unchanged:
        what = f"pushed before, on {result.pushed_at[:10]} (FORCE=1 to push it again)"
    else:
        what = f"version {result.version} is at Kaggle, and runs there by itself"
    show_headline(console, "push", what)
    show_facts(console, [("address", result.url), ("version", str(result.version))])
    show_line(
        console,
        "  When it has run: open it, its Output, and Submit to Competition beside submission.csv.",
    )
