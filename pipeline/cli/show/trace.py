"""What is shown of a run's making: whether it can be made again, and the way back from a score."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from pipeline.cli.show.console import show_blank, show_facts, show_headline, show_line
from pipeline.system.provenance import as_text

# Types only: importing a stage takes long, and one command shows one stage.
if TYPE_CHECKING:
    from pipeline.analysis.reproduce import ReproduceResult
    from pipeline.analysis.reproduction import HoldOutAgreement, ModelAgreement
    from pipeline.analysis.trace import Trace

# For a link that holds, one that does not, and one that is not known: (the mark, its colour).
MARKS = {True: ("✓", "ok", "green"), False: ("✗", "!!", "bold red"), None: ("·", "--", "dim")}


def show_trace(console: Console, found: Trace) -> None:
    """Print each link of the way back with a mark, and how to make the run again."""
    show_headline(console, "trace", f"{found.run}, from its score back to what it was made of")
    width = max(len(link.name) for link in found.links)
    plain = not console.encoding.lower().startswith("utf")
    for link in found.links:
        *marks, style = MARKS[link.holds]
        wrong = style if link.holds is False else ""
        name = (f"{link.name:<{width}}", "cyan")
        show_line(
            console,
            Text.assemble("  ", (marks[plain], style), " ", name, "  ", (link.text, wrong)),
        )
    if found.commands:
        show_blank(console)
        show_line(console, "  To make it again:")
    for command in found.commands:
        show_line(console, f"    {command}")


def show_reproduce(console: Console, result: ReproduceResult) -> None:
    """Print whether the bits agree; if not, by how much, and what differs in the making."""
    verdict = "the same bits" if result.agrees else "NOT the same bits"
    show_headline(console, "reproduce", f"{result.run}, trained again: {verdict}")
    facts = [(_name(model), _weights(model)) for model in result.models]
    facts.append(("hold-out", _hold_out(result.hold_out)))
    if result.labels:
        same = result.labels.rows - result.labels.differing
        facts.append(("CSV", f"{same:,} of {result.labels.rows:,} labels are the same"))
    else:
        facts.append(("CSV", "this run has no CSV to compare with"))
    facts.append(("training", f"{result.seconds:.1f} s"))
    if result.kept:
        facts.append(("kept in", str(result.kept)))
    show_facts(console, facts)
    if result.agrees:
        return
    if not result.making:
        show_line(console, "  Code, versions and machine are those on record.")
        return
    show_line(console, "  What differs in the making:")
    show_facts(
        console,
        [
            (f"  {name}", f"{as_text(then)} then, {as_text(now)} now")
            for name, (then, now) in result.making.items()
        ],
    )


def _name(model: ModelAgreement) -> str:
    return model.run if model.file == "model" else f"{model.run}, second network"


def _weights(model: ModelAgreement) -> str:
    if model.largest is None:
        return "the network is another one: its layers or their sizes differ"
    if not model.differing:
        return f"all {model.values:,} values are the same"
    return f"{model.differing:,} of {model.values:,} values differ, by at most {model.largest:.2g}"


def _hold_out(found: HoldOutAgreement) -> str:
    if not found.differing:
        return f"all probabilities of {found.rows:,} digits are the same"
    return (
        f"{found.predictions:,} of {found.rows:,} digits are read otherwise, probabilities differ "
        f"by at most {found.largest:.2g}; accuracy {found.accuracy_then:.4f} then, "
        f"{found.accuracy_now:.4f} now"
    )
