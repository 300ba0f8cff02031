"""Kaggle's answers become values, or one line; never a value that none can be."""

from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.kaggle.answers import to_limits, to_listed, to_submission


def answer(**changes: Any) -> SimpleNamespace:
    values = {
        "ref": 7,
        "status": SimpleNamespace(name="COMPLETE"),
        "public_score": "0.98714",
        "private_score": "",
        "error_description": "no\nscore",
    }
    return SimpleNamespace(**values | changes)


def limits(**changes: Any) -> SimpleNamespace:
    values = {"num_today": 1, "num_total": 2, "num_allowed_now": 3, "limited_by_total": False}
    return SimpleNamespace(**values | changes)


def test_a_submission() -> None:
    found = to_submission(answer())
    assert (found.ref, found.status) == (7, "COMPLETE")
    assert (found.public_score, found.private_score) == (0.98714, None)
    assert found.error == "no\nscore"


@pytest.mark.parametrize(
    "text",
    ["nan", "inf", "-0.1", "1.5", "1e999", "", "x", None, float("inf"), 10**400, -1, [1], True],
)
def test_what_is_no_accuracy_is_no_score(text: Any) -> None:
    assert to_submission(answer(public_score=text)).public_score is None


@pytest.mark.parametrize("told", ["0", "0.0", 0, 0.0])
def test_a_score_of_zero_is_one(told: Any) -> None:
    assert to_submission(answer(public_score=told)).public_score == 0


def test_a_reason_can_be_written_whatever_it_holds() -> None:
    assert to_submission(answer(error_description="a\ud800b")).error == "a?b"
    assert to_listed({"ref": 7, "description": "[mark] \udfff"}).description == "[mark] ?"


@pytest.mark.parametrize("status", ["SCORING", "", None, 3])
def test_a_status_that_is_new_is_neither_a_score_nor_a_failure(status: Any) -> None:
    found = to_submission(answer(status=SimpleNamespace(name=status)))
    assert (found.status, found.public_score, found.private_score) == ("PENDING", None, None)
    assert not found.is_settled


@pytest.mark.parametrize("ref", ["7", None, 7.5, 7.0, 0, -5, True, 2**63, 2**70])
def test_a_number_that_is_none_is_said_to_be_so(ref: Any) -> None:
    with pytest.raises(TypeError):
        to_submission(answer(ref=ref))
    with pytest.raises(TypeError):
        to_listed({"description": "mine", "ref": ref})


@pytest.mark.parametrize(
    "changes", [{"num_today": 0.5}, {"num_allowed_now": "3"}, {"num_today": -1}]
)
def test_limits_are_numbers(changes: dict[str, Any]) -> None:
    assert to_limits(limits()).allowed_now == 3
    with pytest.raises(TypeError):
        to_limits(limits(**changes))
