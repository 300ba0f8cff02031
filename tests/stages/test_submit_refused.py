"""The stage submit against the stand-in: what is not sent or not scored, and what is told then."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.plan.plan import Plan, Source
from pipeline.system import files
from pipeline.system.errors import PipelineError
from tests.submit_case import RUN, Case

# ---- what is never sent -----------------------------------------------------------------------


def put_practice(case: Case) -> None:
    case.change_record(kind="practice", source="practice")


def put_part_of_it(case: Case) -> None:
    case.change_record(rows=20)


def put_nothing(case: Case) -> None:
    case.csv.unlink()


def put_no_record(case: Case) -> None:
    case.plan.workspace.submission_record(RUN).unlink()


def put_damaged_record(case: Case) -> None:
    case.plan.workspace.submission_record(RUN).write_text("{}")


def edit(case: Case) -> None:
    case.csv.write_text(case.csv.read_text().replace("\n5,4\n", "\n5,9\n"))


def edit_record_too(case: Case) -> None:
    case.csv.write_text(case.csv.read_text().replace("\n5,4\n", "\n5,x\n"))
    case.change_record(csv_sha256=files.sha256(case.csv))


REFUSED: list[tuple[Callable[[Case], None], str]] = [
    (put_nothing, rf"There is no submission of the run {RUN} .*\nRun: make submission RUN={RUN} "),
    (put_no_record, rf"There is no submission of the run {RUN}"),
    (put_damaged_record, r"kaggle-mlp\.json is damaged: inputs: missing key\n.*FORCE=1"),
    (edit, r"kaggle-mlp\.csv is not the file that the run predicted: it was edited.*\nRun: make"),
    (edit_record_too, r"kaggle-mlp\.csv.*line 6"),
    (put_practice, r"100 predictions for the source practice, not .*\n.*make all SOURCE=kaggle"),
    (put_part_of_it, r"20 predictions for the source kaggle, not those for the competition's"),
]


@pytest.mark.parametrize(("damage", "expected"), REFUSED)
def test_a_csv_that_may_not_be_sent_is_refused_before_kaggle_is_asked(
    case: Case, damage: Callable[[Case], None], expected: str
) -> None:
    damage(case)
    text = case.refused(force=True)
    assert re.search(expected, text), text
    assert case.kaggle.seen == []


@pytest.mark.parametrize(("size", "goes"), [(51_118_296, True), (0, True), (18_303_651, False)])
def test_a_copy_of_test_csv_must_have_the_size_of_the_competition_s(
    case: Case, tmp_path: Path, size: int, goes: bool
) -> None:
    source = Source("path", "copy-abc", tmp_path / "copy")
    case.plan = Plan(case.plan.workspace, source, case.plan.recipe, None, (), RUN)
    case.kaggle.files = {"train.csv": 1, "test.csv": size}
    if goes:
        assert case.submit().ref == 1001
    else:
        text = case.refused()
        assert "copy has 51,118,296 bytes, the competition's own has 18,303,651" in text
        assert (case.sent, case.statuses) == (0, [])


# ---- what Kaggle refuses ----------------------------------------------------------------------


def test_the_daily_limit_says_when_it_ends(case: Case) -> None:
    case.submit()
    case.kaggle.allowed = 0
    text = case.refused(force=True)
    assert "no more submissions today, after 1 since 00:00 UTC." in text
    assert re.search(rf"begins in \d+ h \d+ min; then run: make submit RUN={RUN} ", text)
    assert (case.sent, case.statuses) == (1, ["COMPLETE"])


def test_the_limit_of_the_whole_competition(case: Case) -> None:
    case.kaggle.submissions.append({"ref": 1, "description": "other", "polls": 0})
    case.kaggle.allowed, case.kaggle.limited_by_total = 0, True
    assert "the competition's total is used up" in case.refused()


def test_a_team_s_first_submission_goes_though_kaggle_tells_no_limit(case: Case) -> None:
    case.kaggle.allowed = None
    assert case.submit().left_today is None


def test_no_credentials(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KAGGLE_API_TOKEN")
    with pytest.raises(PipelineError, match=r"no Kaggle credentials.*\n.*kaggle\.com/settings"):
        case.submit()
    assert case.statuses == []


def test_a_damaged_ledger_stops_everything(case: Case) -> None:
    case.plan.workspace.ledger.write_text("no JSON\n" + json.dumps({}) + "\n")
    assert "ledger.jsonl, line 1 is damaged" in case.refused()
    assert case.kaggle.seen == []
