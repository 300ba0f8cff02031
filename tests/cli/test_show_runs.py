"""Runs side by side, on a terminal and in a file."""

from pathlib import Path

import pytest

from pipeline.analysis.decide import DecideResult
from pipeline.analysis.report import ReportResult
from pipeline.cli.show.runs import show_compare, show_decide, show_report
from pipeline.pages.comparison_page import ComparisonEvidence
from pipeline.runs.decisions import sentence
from pipeline.runs.metrics import Accuracy
from tests.cli.test_show import on_terminal, plain, squeezed
from tests.comparison_case import many_runs, result_of, two_runs
from tests.decision_case import make_decision, make_three


def test_two_runs_are_a_table_and_a_sentence() -> None:
    evidence = two_runs()
    text = plain(lambda console: show_compare(console, result_of(evidence)))
    lines = [squeezed(line) for line in text.splitlines()]
    assert lines[0] == "compare: on the 1,000 digits that both runs held out"
    assert lines[2].startswith("kaggle-quick 0.9880 0.9791 to 0.9931 12 ")
    assert lines[3].endswith("0.9400 0.97120 1,234.5 s 1,234,567")
    assert "quick is right on " in text
    assert "corrected" not in text  # of one pair there is no table
    assert f"not read alike {len(evidence.comparison.disagreements)} digits" in map(squeezed, lines)
    assert lines[-1] == "page data/comparisons/a~b.html (123 kB)"


def test_many_runs_are_tested_in_pairs() -> None:
    text = plain(lambda console: show_compare(console, result_of(many_runs())))
    assert text.startswith("compare: on the 1,000 digits that all 8 runs held out\n")
    table = text.partition("second alone")[2].partition("\n\n")[0].splitlines()[1:]
    assert len(table) == 28
    assert "best reads each of these digits with 1 to 6 of its 6 networks" in text


@pytest.mark.parametrize(("evidence", "sentences"), [(two_runs(), 1), (many_runs(), 28)])
def test_on_a_narrow_terminal_nothing_is_cut(
    evidence: ComparisonEvidence, sentences: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = on_terminal(lambda console: show_compare(console, result_of(evidence)), monkeypatch, 60)
    assert "…" not in text
    for run in evidence.runs:
        assert run.name in text
    assert text.count("1,234,567") == len(evidence.runs)
    assert text.count(" is right on ") >= sentences


def test_report_says_where_the_page_is() -> None:
    path = Path("data/runs/r [b]/report.html")
    result = ReportResult(
        "r", Accuracy(value=0.95, low=0.93, high=0.97, correct=285, rows=300), path, 1_234_567
    )
    assert plain(lambda console: show_report(console, result)) == (
        "report: a page about r, 0.9500 on hold-out\n"
        f"  page      {path} (1,235 kB)\n"
        "  hold-out  0.9500  (95 % interval 0.9300 to 0.9700)\n"
    )


def test_a_decision_is_a_table_and_a_sentence() -> None:
    decision = make_decision()
    result = DecideResult(decision, Path("data/decisions/a [b].json"))
    lines = plain(lambda console: show_decide(console, result)).splitlines()
    assert lines[0] == (
        "decide: 2 recipes on 35,000 competition digits, each read by networks that never saw it "
        "(3 folds, seeds 0, 1)"
    )
    table = [squeezed(line) for line in lines[1:4]]
    assert table == [
        "recipe errors of each seed accuracy log-loss training",
        "quick 175.5 180, 171 0.99499 0.01702 61.2 s a network",
        "mine 149.5 150, 149 0.99573 0.01611 61.2 s a network",
    ]
    assert lines[4].startswith("  7,000 further digits are locked: ")
    assert f"  {sentence(decision, decision.contenders[0])}" in lines
    assert lines[-1] == "  kept  data/decisions/a [b].json"


def test_a_decision_on_a_narrow_terminal_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    decision = make_three()
    result = DecideResult(decision, Path("a.json"))
    text = on_terminal(lambda console: show_decide(console, result), monkeypatch, 50)
    assert "…" not in text
    for recipe in decision.recipes:
        assert f"{recipe.log_loss:.5f}" in text
    assert text.count(" has a log loss ") == 2
