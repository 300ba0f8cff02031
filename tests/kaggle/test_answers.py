"""Kaggle's answers become values, or one line; never a value that none can be."""

from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.kaggle.answers import to_limits, to_submission


def answer(**changes: Any) -> SimpleNamespace:
    values = {
        "ref": 7,
        "status": SimpleNamespace(name="COMPLETE"),
        "public_score": "0.98714",
        "private_score": "",
        "description": "run a",
        "error_description": "no\nscore",
    }
    return SimpleNamespace(**values | changes)


def limits(**changes: Any) -> SimpleNamespace:
    values = {"num_today": 1, "num_total": 2, "num_allowed_now": 3, "limited_by_total": False}
    return SimpleNamespace(**values | changes)


def test_a_submission() -> None:
    found = to_submission(answer())
    assert (found.ref, found.status, found.description) == (7, "COMPLETE", "run a")
    assert (found.public_score, found.private_score) == (0.98714, None)
    assert found.error == "no\nscore"


@pytest.mark.parametrize("text", ["nan", "inf", "-0.1", "1.5", "1e999", "", "x", None])
def test_what_is_no_accuracy_is_no_score(text: Any) -> None:
    assert to_submission(answer(public_score=text)).public_score is None


@pytest.mark.parametrize(
    "changes",
    [
        {"ref": "7"},
        {"ref": None},
        {"ref": 7.5},
        {"public_score": [1]},
        {"status": None},
        {"status": "COMPLETE"},
        {"status": SimpleNamespace(name="OTHER")},
    ],
)
def test_an_answer_that_is_none_is_said_to_be_so(changes: dict[str, Any]) -> None:
    with pytest.raises(TypeError):
        to_submission(answer(**changes))


@pytest.mark.parametrize("changes", [{"num_today": 0.5}, {"num_allowed_now": "3"}])
def test_limits_are_numbers(changes: dict[str, Any]) -> None:
    assert to_limits(limits()).allowed_now == 3
    with pytest.raises(TypeError):
        to_limits(limits(**changes))
