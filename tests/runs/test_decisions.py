"""What a comparison says in words, and that its file is read back or named."""

from pathlib import Path

import pytest

from pipeline.plan.workspace import Workspace
from pipeline.runs.decisions import conclusion, read_decisions, sentence
from pipeline.system import files
from pipeline.system.errors import PipelineError
from tests.decision_case import difference, make_decision, make_three


def test_a_sentence_says_how_far_apart_and_whether_it_is_chance() -> None:
    decision = make_decision()
    assert sentence(decision, decision.contenders[0]) == (
        "mine has a log loss 0.00091 lower than quick (95 % interval -0.00182 to +0.00000): "
        "p < 0.0001, more than chance would do. It makes 26.0 fewer errors of 35,000 "
        "(-52.0 to +0.0): p = 0.070, no more than chance would do."
    )
    assert conclusion(decision, decision.contenders[0]) == "mine is better by log loss"


def test_of_several_recipes_the_corrected_value_decides() -> None:
    decision = make_three()
    found = sentence(decision, decision.contenders[1])
    assert found.startswith("other has a log loss 0.00400 higher than quick ")
    assert "p = 0.030, corrected for 2 recipes p = 0.060, no more than chance would do." in found
    assert conclusion(decision, decision.contenders[1]) == "no more than chance would do"


def test_both_may_be_better_by_one_thing() -> None:
    contender = {
        "recipe": "mine",
        "log_loss": difference(-0.001, 0.01),
        "errors": difference(12.0, 0.01),
    }
    decision = make_decision(contenders=[contender])
    found = conclusion(decision, decision.contenders[0])
    assert found == "mine is better by log loss; quick is better by errors"


def test_decisions_are_read_back_the_newest_last(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path, tmp_path)
    assert read_decisions(workspace) == []
    for name, day in (("a", 3), ("b", 1), ("c", 2)):
        decision = make_decision(finished_at=f"2026-01-0{day}T00:00:00+00:00")
        files.write_json(workspace.decision(name), decision.model_dump(mode="json"))
    days = [decision.finished_at[8:10] for decision in read_decisions(workspace)]
    assert days == ["01", "02", "03"]
    files.write_json(workspace.decision("b"), {"rows": 0})
    with pytest.raises(PipelineError, match=r"b.json is damaged") as caught:
        read_decisions(workspace)
    assert "make decide" in caught.value.remedy
