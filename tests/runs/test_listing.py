from pathlib import Path

import pytest

from pipeline.plan.workspace import Workspace
from pipeline.runs.listing import RunScore, list_runs, short_commit
from pipeline.system.errors import PipelineError
from tests.run_files import (
    Digits,
    make_digits,
    make_run,
    write_csv_record,
    write_score,
    write_submitted,
)


@pytest.fixture
def digits(tmp_path: Path) -> Digits:
    return make_digits(tmp_path)


def test_nothing_yet_is_an_empty_list(tmp_path: Path) -> None:
    assert list_runs(Workspace(tmp_path / "data", tmp_path / "submissions")) == []


def test_runs_come_in_order_of_time_with_what_they_are(digits: Digits) -> None:
    make_run(digits, name="a", seed=3, seconds=7.5, finished_at="2026-02-02T00:00:00+00:00")
    make_run(digits, name="b", recipe="smoke", finished_at="2026-02-01T00:00:00+00:00")
    first, second = list_runs(digits.workspace)
    assert (first.run, second.run) == ("b", "a")
    assert (first.recipe, second.recipe) == ("smoke", "mlp")
    assert (second.seed, second.seconds, second.source) == (3, 7.5, "kaggle")
    assert second.commit == "0123456"
    assert (second.score, second.gap, second.status) == (None, None, "")


def test_the_leaderboard_comes_before_the_answer_key(digits: Digits) -> None:
    make_run(digits, accuracy=0.95)
    write_score(digits.workspace, "run", 0.9)
    [row] = list_runs(digits.workspace)
    assert row.score == RunScore(0.9, "answer key")
    assert row.gap == pytest.approx(-0.05)
    write_submitted(digits.workspace, "csv of run", "first", public_score=0.96)
    write_submitted(digits.workspace, "csv of run", "second", public_score=0.97)
    write_submitted(digits.workspace, "csv of run", "third", status="PENDING")
    [row] = list_runs(digits.workspace)
    assert row.score == RunScore(0.97, "leaderboard")
    assert row.gap == pytest.approx(0.02)
    assert row.status == "PENDING"


def test_scores_of_an_earlier_model_are_not_those_of_the_run(digits: Digits) -> None:
    make_run(digits)
    write_score(digits.workspace, "run", 0.9)
    write_submitted(
        digits.workspace, "csv of run", "first", public_score=0.96, hold_out_accuracy=0.95
    )
    make_run(digits, finished_at="2026-01-05T00:00:00+00:00")  # trained again under its name
    earlier, now = list_runs(digits.workspace)
    assert (now.score, now.status) == (None, "")
    assert earlier.run == "run"
    assert earlier.score == RunScore(0.96, "leaderboard")
    assert earlier.gap == pytest.approx(0.01)
    assert earlier.seconds is None


def test_the_answer_key_s_score_of_an_earlier_csv_is_passed_over(digits: Digits) -> None:
    make_run(digits)
    write_score(digits.workspace, "run", 0.9)
    write_csv_record(digits.workspace, "run")
    record = digits.workspace.submission_record("run")
    record.write_text(
        record.read_text(encoding="utf-8").replace("csv of run", "another csv"), encoding="utf-8"
    )
    [row] = list_runs(digits.workspace)
    assert row.score is None


def test_submissions_outlive_their_runs(digits: Digits) -> None:
    write_submitted(
        digits.workspace, "x", "first", run="gone", status="ERROR", recipe="mlp", seed=1,
        commit="fedcba9876543210", hold_out_accuracy=0.9,
    )  # fmt: skip
    [row] = list_runs(digits.workspace)
    assert (row.run, row.recipe, row.seed, row.status) == ("gone", "mlp", 1, "ERROR")
    assert (row.commit, row.score) == ("fedcba9", None)
    assert row.finished_at == "2026-01-03T00:00:00+00:00"


def test_a_damaged_run_is_named(digits: Digits) -> None:
    make_run(digits)
    digits.workspace.run("run").training.write_text("{", encoding="utf-8")
    with pytest.raises(PipelineError, match=r"runs/run/training.json is damaged"):
        list_runs(digits.workspace)


def test_commits_as_people_read_them() -> None:
    assert short_commit({"commit": None, "dirty": None}) is None
    assert short_commit({"commit": "0123456789", "dirty": False}) == "0123456"
    assert short_commit({"commit": "0123456789", "dirty": True}) == "0123456-dirty"
