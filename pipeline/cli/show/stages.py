"""What the stages from the source to Kaggle show."""

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
from pipeline.cli.show.validate import interval

# Types only: importing a stage takes long, and one command shows one stage.
if TYPE_CHECKING:
    from pipeline.stages.download import DownloadResult
    from pipeline.stages.preprocess import PreprocessResult
    from pipeline.stages.submission import SubmissionResult
    from pipeline.stages.submit import SubmitResult
    from pipeline.stages.summary import SummaryResult
    from pipeline.stages.train import TrainResult

PRACTICE_NOTICE = (
    "These are 5,000 PRACTICE digits, not the competition's data: what is predicted for them",
    "cannot be submitted to Kaggle. The summary at the end tells how to get the competition's.",
)
NOT_FOR_KAGGLE = "not the competition's digits: Kaggle would refuse it"


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


def show_train(console: Console, result: TrainResult) -> None:
    """Print how well the run reads the digits that it never saw, and how long it took."""
    if result.unchanged:
        show_unchanged(console, "train")
        return
    if result.hold_out_accuracy is None:
        show_line(
            console,
            f"  an ensemble of {result.networks} networks, trained in {result.seconds:.1f} s",
        )
    else:
        show_line(
            console,
            f"  {result.hold_out_accuracy:.4f} of {result.hold_out_rows:,} held-out digits right, "
            f"after {result.epochs} epochs in {result.seconds:.1f} s "
            f"({result.images_per_second:,.0f} images/s)",
        )
    facts = [("to", str(result.folder))]
    if result.refit_rows is not None:
        facts.append(
            (
                "predicts",
                f"a second network, after as many epochs on all {result.refit_rows:,} digits",
            )
        )
    show_facts(console, facts)


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
    if result.doubt:
        show_line(console, f"  !! {result.doubt}", "bold red")
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


def show_digit_counts(console: Console, name: str, counts: tuple[int, ...]) -> None:
    """Print how often each digit occurs: two lines, digits over counts."""
    table = make_table(["digit", *map(str, range(len(counts)))], left=["digit"])
    table.add_row(name, *(f"{count:,}" for count in counts))
    show_table(console, table)
