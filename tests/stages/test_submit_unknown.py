"""The stage submit against the stand-in: nobody knows whether a submission has arrived."""

import re
from datetime import timedelta
from pathlib import Path

import pytest

from pipeline.plan.plan import Plan
from pipeline.plan.workspace import Workspace
from pipeline.runs.ledger import read_ledger
from pipeline.runs.listing import list_runs
from pipeline.runs.sending import UNKNOWN_FOR
from pipeline.system import files
from tests.kaggle_api import Answer, Failure, Raw, Reset, Stall, Status
from tests.listeners import heard_by
from tests.submit_case import RUN, Case

HALF_AN_HOUR = UNKNOWN_FOR.total_seconds()
NOTHING_LISTED = Answer(b'{"submissions": []}')


def lose_the_answer(case: Case, *, arrives: bool, lag: bool = True) -> None:
    """Submit; the connection breaks before the answer."""
    case.kaggle.fail("CreateSubmission", Reset(after_work=arrives), times=1)
    case.kaggle.unlisted = int(arrives and lag)
    case.refused()
    assert case.statuses == ["SENDING"]


def test_what_kaggle_lists_late_is_not_sent_twice(case: Case) -> None:
    """The answer is lost, and the list comes a minute late."""
    case.kaggle.fail("CreateSubmission", Reset(after_work=True), times=1)
    case.kaggle.unlisted = 1
    first = case.refused()
    assert re.search(
        r"broke off\. Whether the submission of \d\d:\d\d UTC has arrived is not known yet: "
        r"Kaggle's list, which may be late, does not show it\.\n"
        rf"Run: make submit RUN={RUN} .*\(for 30 minutes it only looks, then it sends what is not "
        r"there\)\. Does https://.*/submissions not show it\? FORCE=1 sends it now\.",
        first,
    ), first
    case.kaggle.clock_ahead_seconds = 61
    again = case.refused()
    assert re.search(r"no clear answer to it.* not known yet.*\n.*for 29 minutes it only", again)
    assert (case.sent, case.statuses) == (1, ["SENDING"])
    case.kaggle.unlisted = 0
    result = case.submit()
    assert (result.unchanged, result.ref) == (True, 1001)
    assert (case.sent, case.statuses) == (1, ["COMPLETE"])


UNCLEAR: list[Failure] = [
    Reset(),
    Stall(),
    Status(500),
    Status(504),
    Status(408),
    Answer(b'{"ref": 10'),
    Answer(b"<html>Log in</html>", "text/html"),
    Answer(b"{}"),
    Answer(b'{"ref": 1180591620717411303424}'),
    Answer(b'{"ref": -5}'),
    Answer(b'{"ref": true}'),
    Raw(b"HTTP/1.1 302 Moved\r\nLocation: http://evil.test/\r\nContent-Length: 0\r\n\r\n"),
]


@pytest.mark.parametrize("failure", UNCLEAR)
def test_after_any_answer_that_is_unclear_the_next_commands_only_look(
    case: Case, failure: Failure
) -> None:
    case.kaggle.fail("CreateSubmission", failure, times=1)
    case.refused()
    for seconds in (0, HALF_AN_HOUR - 60):
        case.kaggle.clock_ahead_seconds = seconds
        assert "is not known yet" in case.refused()
        assert (case.sent, case.statuses) == (1, ["SENDING"])
    [row] = list_runs(case.plan.workspace)
    assert (row.run, row.status) == (RUN, "UNKNOWN")


def test_after_half_an_hour_what_the_list_does_not_show_is_sent(case: Case) -> None:
    lose_the_answer(case, arrives=False)
    case.kaggle.clock_ahead_seconds = HALF_AN_HOUR + 1
    told: list[str] = []
    assert not heard_by(told.append, case.submit).unchanged
    assert re.fullmatch(
        r"The submission of 20\d\d-\d\d-\d\d \d\d:\d\d UTC never arrived: after 30 minutes, "
        r"Kaggle's list does not show it\.",
        told[0],
    )
    assert (case.sent, len(case.kaggle.submissions), case.statuses) == (2, 1, ["COMPLETE"])


def test_after_half_an_hour_what_the_list_shows_is_not_sent(case: Case) -> None:
    lose_the_answer(case, arrives=True)
    case.kaggle.unlisted = 0
    case.kaggle.clock_ahead_seconds = 10 * HALF_AN_HOUR
    assert case.submit().unchanged
    assert (case.sent, case.statuses) == (1, ["COMPLETE"])


@pytest.mark.parametrize("days", [-1, 1])
def test_half_an_hour_is_told_by_kaggle_s_clock(case: Case, days: int) -> None:
    """The clock of this machine was wrong by a day when it was sent."""
    lose_the_answer(case, arrives=False)
    ledger = case.plan.workspace.ledger
    [line] = read_ledger(ledger)
    wrong = (line.asked + timedelta(days=days)).isoformat()
    ledger.write_text(ledger.read_text().replace(line.sent_at, wrong, 1))
    assert "is not known yet" in case.refused()
    case.kaggle.clock_ahead_seconds = HALF_AN_HOUR + 1
    assert not case.submit().unchanged


def test_a_clock_that_goes_back_sends_nothing(case: Case) -> None:
    lose_the_answer(case, arrives=True)
    case.kaggle.clock_ahead_seconds = -86_400
    assert "for 1,470 minutes it only looks" in case.refused()
    assert (case.sent, case.statuses) == (1, ["SENDING"])


def test_a_list_that_fails_sends_nothing(case: Case) -> None:
    case.kaggle.fail("CreateSubmission", Reset(after_work=True), times=1)
    case.kaggle.fail("ListSubmissions", NOTHING_LISTED, times=1)  # before it is sent
    case.kaggle.fail("ListSubmissions", Status(500), times=3)
    assert "is not known yet" in case.refused()
    case.kaggle.clock_ahead_seconds = HALF_AN_HOUR + 1
    case.kaggle.fail("ListSubmissions", Status(500), times=3)
    assert "500 while listing the submissions" in case.refused()
    assert (case.sent, case.statuses) == (1, ["SENDING"])
    assert case.submit().unchanged


def test_a_killed_command_leaves_what_the_next_only_looks_for(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("pipeline.kaggle.client.Kaggle.submit", killed)
        with pytest.raises(KeyboardInterrupt):
            case.submit()
    assert "is not known yet" in case.refused()
    assert (case.sent, case.statuses) == (0, ["SENDING"])


def test_a_line_of_an_earlier_version_is_as_unknown(case: Case) -> None:
    lose_the_answer(case, arrives=False)
    ledger = case.plan.workspace.ledger
    text = re.sub(r'"asked_at": "[^"]+"', '"asked_at": null', ledger.read_text())
    ledger.write_text(text)
    assert "is not known yet" in case.refused()
    case.kaggle.clock_ahead_seconds = HALF_AN_HOUR + 61
    assert not case.submit().unchanged


# ---- FORCE=1 -----------------------------------------------------------------------------------
def test_force_sends_what_is_not_known_under_a_mark_of_its_own(case: Case) -> None:
    lose_the_answer(case, arrives=True)
    result = case.submit(force=True)
    assert (result.unchanged, result.ref, case.sent) == (False, 1002, 2)
    assert case.statuses == ["SENDING", "COMPLETE"]
    [row] = list_runs(case.plan.workspace)
    assert row.status == "COMPLETE"
    case.kaggle.unlisted = 0
    assert case.submit().ref == 1001, "the first one turns up in the list"
    assert (case.sent, case.statuses) == (2, ["COMPLETE", "COMPLETE"])


def test_what_was_forced_is_gone_on_with_though_the_first_is_not_known(case: Case) -> None:
    lose_the_answer(case, arrives=False)
    case.submit(force=True)
    assert (case.submit().ref, case.sent) == (1001, 2)
    assert case.statuses == ["SENDING", "COMPLETE"]
    case.kaggle.clock_ahead_seconds = HALF_AN_HOUR + 1
    assert (case.submit().ref, case.sent) == (1001, 2)
    assert case.statuses == ["ERROR", "COMPLETE"]
    assert "its score is 0.98714" in case.refused()


def test_force_does_not_send_again_what_has_arrived_by_now(case: Case) -> None:
    lose_the_answer(case, arrives=True)
    case.kaggle.unlisted = 0
    result = case.submit(force=True)
    assert (result.unchanged, result.ref, case.sent) == (True, 1001, 1)


def test_without_its_ledger_an_old_submission_is_not_taken_for_the_new_one(case: Case) -> None:
    case.submit()
    case.plan.workspace.ledger.unlink()
    case.kaggle.fail("CreateSubmission", Reset(after_work=False), times=1)
    assert "is not known yet" in case.refused(force=True)
    assert (len(case.kaggle.submissions), case.statuses) == (1, ["SENDING"])
    case.kaggle.clock_ahead_seconds = HALF_AN_HOUR + 1
    assert case.submit(force=True).ref == 1002
    assert "again 2]" in case.kaggle.submissions[1]["description"]


# ---- other folders, other runs -----------------------------------------------------------------
def test_another_run_may_be_sent_meanwhile(case: Case) -> None:
    lose_the_answer(case, arrives=False)
    workspace = case.plan.workspace
    csv = workspace.submission("other")
    csv.write_text(case.csv.read_text().replace("\n5,4\n", "\n5,9\n"))
    record = files.read_json(workspace.submission_record(RUN))
    record |= {"run": "other", "csv_sha256": files.sha256(csv)}
    files.write_json(workspace.submission_record("other"), record)
    other = Case(
        Plan(workspace, case.plan.source, case.plan.recipe, None, (), "other"), case.kaggle
    )
    assert other.submit().ref == 1001
    assert case.statuses == ["SENDING", "COMPLETE"]
    assert "is not known yet" in case.refused(), "a later one in the list is no proof"


def test_folders_that_share_a_ledger_by_a_link_send_once(case: Case, tmp_path: Path) -> None:
    shared = tmp_path / "shared.jsonl"
    case.plan.workspace.ledger.symlink_to(shared)
    lose_the_answer(case, arrives=True)
    place = Workspace(tmp_path / "data", tmp_path / "elsewhere")
    place.submissions.mkdir()
    place.ledger.symlink_to(shared)
    other = Case(Plan(place, case.plan.source, case.plan.recipe, None, (), RUN), case.kaggle)
    other.put_rows(100)
    assert "is not known yet" in other.refused()
    case.kaggle.unlisted = 0
    assert other.submit().ref == 1001
    assert case.plan.workspace.ledger.is_symlink()
    assert (case.sent, case.statuses) == (1, ["COMPLETE"])


# ---- ledgers that were damaged -----------------------------------------------------------------
def test_a_ledger_that_a_power_cut_has_damaged_stops_the_command_once(case: Case) -> None:
    lose_the_answer(case, arrives=True)
    ledger = case.plan.workspace.ledger
    ledger.write_bytes(left := ledger.read_bytes()[:-30])
    asked = len(case.kaggle.seen)
    text = case.refused()
    copy = ledger.with_name("ledger.jsonl.damaged-1")
    assert f"{ledger} was cut short, as by a power cut: it is kept as {copy}, its whole" in text
    assert re.search(rf"/submissions what was sent last; then run: make submit RUN={RUN} ", text)
    assert copy.read_bytes() == left
    assert (len(case.kaggle.seen), case.statuses) == (asked, [])
    case.kaggle.unlisted = 0
    assert case.submit().unchanged
    assert case.sent == 1
