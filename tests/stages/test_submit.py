"""The stage submit against the stand-in: a CSV is sent once, whatever happens on the way."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.kaggle.submission_csv import COMPETITION_ROWS
from pipeline.runs.ledger import read_ledger
from pipeline.system import files
from tests.kaggle_api import Failure, Reset, Stall, Status
from tests.listeners import heard_by
from tests.submit_case import RUN, Case

# ---- a submission -----------------------------------------------------------------------------


def test_a_csv_is_sent_and_its_score_shown_beside_the_hold_out_accuracy(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.stages.submit.COMPETITION_ROWS", COMPETITION_ROWS)
    case.put_rows(28_000)
    told: list[str] = []
    result = heard_by(told.append, case.submit)
    assert (result.ref, result.score, result.unchanged) == (1001, 0.98714, False)
    assert (result.hold_out.value, result.hold_out.low, result.hold_out.high) == (
        0.9861,
        0.984,
        0.988,
    )
    assert result.gap == pytest.approx(0.00104)
    assert result.left_today == 9
    assert list(case.kaggle.uploads.values()) == [case.csv.read_bytes()]
    message = case.kaggle.submissions[0]["description"]
    assert message == (
        f"[csv {files.sha256(case.csv)[:12]}] run kaggle-mlp, recipe mlp, commit 0123456, "
        "hold-out 0.98610"
    )
    assert told == ["Sent as submission 1001; waiting for its score."]
    (line,) = read_ledger(case.plan.workspace.ledger)
    assert (line.status, line.ref, line.public_score, line.message) == (
        "COMPLETE",
        1001,
        0.98714,
        message,
    )
    assert (line.run, line.recipe, line.seed, line.commit) == (RUN, "mlp", 7, "0123456789abcdef")
    assert (line.dirty, line.model_sha256) == (False, "e" * 64)


def test_the_ledger_knows_of_a_submission_before_kaggle_does(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        assert case.statuses == ["SENDING"]
        raise KeyboardInterrupt

    monkeypatch.setattr("pipeline.kaggle.client.Kaggle.submit", interrupted)
    with pytest.raises(KeyboardInterrupt):
        case.submit()
    assert case.statuses == ["SENDING"]


@pytest.mark.parametrize("failure", [Status(400), Reset(), Reset(after_work=True), Stall()])
@pytest.mark.parametrize("request_", ["StartSubmissionUpload", "PUT"])
def test_what_fails_in_the_upload_has_sent_nothing(
    case: Case, request_: str, failure: Failure
) -> None:
    case.kaggle.fail(request_, failure, times=3)
    assert "not known" not in case.refused()
    assert (case.sent, case.statuses) == (0, [])
    case.kaggle.failures.clear()
    assert not case.submit().unchanged
    assert (case.sent, case.statuses) == (1, ["COMPLETE"])


# ---- nothing is sent twice --------------------------------------------------------------------


def test_the_same_csv_is_refused_and_kaggle_is_not_even_asked(case: Case) -> None:
    case.submit()
    asked = len(case.kaggle.seen)
    text = case.refused()
    assert re.search(r"sent before, on 20..-..-.. as submission 1001; its score is 0.98714\.", text)
    assert f"To send it again: make submit RUN={RUN} FORCE=1" in text
    assert (case.sent, len(case.kaggle.seen)) == (1, asked)


def test_force_sends_it_again_under_a_message_of_its_own(case: Case) -> None:
    case.submit()
    assert case.submit(force=True).ref == 1002
    assert "again 2]" in case.kaggle.submissions[1]["description"]
    assert case.statuses == ["COMPLETE", "COMPLETE"]


def test_after_the_time_limit_the_same_command_goes_on_waiting(case: Case) -> None:
    case.kaggle.polls = 10**9
    text = case.refused(timeout_seconds=0.05)
    assert "Submission 1001 has arrived, but has no score after 0 s." in text
    assert f"To go on waiting (nothing is sent again): make submit RUN={RUN}" in text
    assert case.statuses == ["PENDING"]
    case.kaggle.polls = 0
    result = case.submit()
    assert (result.unchanged, result.ref, result.score) == (True, 1001, 0.98714)
    assert (case.sent, case.statuses) == (1, ["COMPLETE"])


def test_without_its_ledger_a_submission_is_known_by_kaggle_s_list(case: Case) -> None:
    case.submit()
    case.plan.workspace.ledger.unlink()
    assert case.submit().unchanged
    assert (case.sent, case.statuses) == (1, ["COMPLETE"])


def test_two_commands_at_once_send_one_submission(case: Case) -> None:
    case.put_rows(28_000)
    case.kaggle.polls = 2
    script = (
        "import sys; from pathlib import Path; from pipeline.plan.plan import *;"
        "from pipeline.stages.submit import submit; from tests.listeners import heard_by;"
        "import sys; from pathlib import Path; from pipeline.stages.submit import submit;"
        "from pipeline.plan.plan import RECIPE_FOLDER, Plan, Source;"
        "from pipeline.plan.workspace import Workspace;"
        "w = Workspace(Path(sys.argv[1]), Path(sys.argv[2]));"
        f"p = Plan(w, Source('kaggle', 'kaggle'), find_recipe('mlp'), None, (), {RUN!r});"
        "heard_by(print, submit, p)"
    )
    workspace = case.plan.workspace
    command = [sys.executable, "-c", script, str(workspace.data), str(workspace.submissions)]
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    running = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        for _ in range(2)
    ]
    told = [process.communicate(timeout=60)[0].decode() for process in running]
    assert sorted(process.returncode for process in running) == [0, 1], told
    assert any("This very CSV was sent before" in text for text in told)
    assert case.sent == 1
