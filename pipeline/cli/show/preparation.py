"""What the stages before training show: where the digits came from and how many they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console

from pipeline.cli.show.console import (
    make_table,
    show_facts,
    show_headline,
    show_line,
    show_table,
    show_unchanged,
)

# Types only: importing a stage takes long, and one command shows one stage.
if TYPE_CHECKING:
    from pipeline.stages.download import DownloadResult
    from pipeline.stages.preprocess import PreprocessResult


PRACTICE_NOTICE = (
    "These are 5,000 PRACTICE digits, not the competition's data: what is predicted for them",
    "cannot be submitted to Kaggle. The summary at the end tells how to get the competition's.",
)


def show_download(console: Console, result: DownloadResult) -> None:
    """Print how many digits were fetched, from where and to where."""
    if result.unchanged:
        show_unchanged(console, "download")
        return
    show_headline(
        console,
        "download",
        f"{result.train_rows:,} digits with labels, {result.test_rows:,} to read "
        f"({result.seconds:.1f} s)",
    )
    show_facts(console, [("from", result.origin), ("to", str(result.folder))])
    if result.kind == "practice":
        for line in PRACTICE_NOTICE:
            show_line(console, f"  !! {line}", style="bold yellow")


def show_preprocess(console: Console, result: PreprocessResult) -> None:
    """Print how many digits were checked, and how often each occurs among the labels."""
    if result.unchanged:
        show_unchanged(console, "preprocess")
        return
    show_headline(
        console,
        "preprocess",
        f"{result.train_rows:,} + {result.test_rows:,} digits checked and turned into arrays "
        f"({result.seconds:.1f} s)",
    )
    show_facts(console, [("to", str(result.folder))])
    show_digit_counts(console, "labels", result.class_counts)


def show_digit_counts(console: Console, name: str, counts: tuple[int, ...]) -> None:
    """Print how often each digit occurs: two lines, digits over counts."""
    table = make_table(["digit", *map(str, range(len(counts)))], left=["digit"])
    table.add_row(name, *(f"{count:,}" for count in counts))
    show_table(console, table)
