"""Requests to Kaggle end, whatever answers; and what logs in goes to no other server."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from kagglesdk import kaggle_env

from pipeline.kaggle import bounds, client
from pipeline.kaggle.client import Kaggle, download_competition
from pipeline.kaggle.errors import DamagedDownloadError
from pipeline.kaggle.retry import Limits
from pipeline.system.errors import PipelineError
from tests.kaggle_api import SECRETS, TOKEN, Answer, Failure, Raw, Status
from tests.kaggle_server import KaggleServer

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
QUICK = Limits(
    connect_seconds=2, read_seconds=0.5, answer_seconds=1, download_seconds=1, attempts=1
)


@pytest.fixture
def elsewhere() -> Iterator[KaggleServer]:
    with KaggleServer() as server:
        yield server


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_no_token_goes_to_another_server(
    kaggle_server: KaggleServer,
    elsewhere: KaggleServer,
    monkeypatch: pytest.MonkeyPatch,
    code: int,
) -> None:
    # Without a proxy in between: both are reached directly.
    monkeypatch.delenv("http_proxy")
    here = f"http://127.0.0.1:{kaggle_server.server_port}"
    there = f"http://127.0.0.1:{elsewhere.server_port}/api/v1/security.OAuthService/IntrospectToken"
    monkeypatch.setitem(kaggle_env._env_to_endpoint, kaggle_env.KaggleEnv.LOCAL, here)
    answer = f"HTTP/1.1 {code} Moved\r\nLocation: {there}\r\nContent-Length: 0\r\n\r\n"
    kaggle_server.kaggle.fail("IntrospectToken", Raw(answer.encode()))
    with pytest.raises(PipelineError) as caught:
        Kaggle(print)
    assert "Kaggle's answer" in caught.value.message
    assert [seen.method for seen in kaggle_server.kaggle.seen] == ["IntrospectToken"]
    for seen in elsewhere.kaggle.seen:
        assert seen.authorization is None
        assert TOKEN not in str(seen.body)


DRIPPING: list[Failure] = [
    Raw(b"HTTP/1.1 200 OK\r\nX-A: ", drip=b"x", pause_seconds=0.1),
    Raw(HEAD + b"Content-Length: 9999\r\n\r\n{", drip=b" ", pause_seconds=0.1),
    Raw(HEAD + b"\r\n{", drip=b" ", pause_seconds=0.1),
]


@pytest.mark.parametrize("failure", DRIPPING, ids=["head", "body", "body of unknown length"])
def test_an_answer_that_drips_is_given_up(
    kaggle_server: KaggleServer, monkeypatch: pytest.MonkeyPatch, failure: Failure
) -> None:
    monkeypatch.setattr(client, "LIMITS", QUICK)
    kaggle_server.kaggle.fail("IntrospectToken", failure)
    with pytest.raises(PipelineError, match="failed while logging in: it took too long"):
        Kaggle(print)


def test_a_download_that_drips_is_given_up(
    kaggle_server: KaggleServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(client, "LIMITS", QUICK)
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/zip\r\n\r\nPK"
    kaggle_server.kaggle.fail("GET", Raw(head, drip=b"x", pause_seconds=0.1))
    with pytest.raises(PipelineError, match="it took too long"):
        download_competition(tmp_path / "into", print)
    assert list((tmp_path / "into").iterdir()) == []


def test_an_answer_without_end_is_not_read_to_its_end(
    kaggle_server: KaggleServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounds, "MAX_ANSWER_BYTES", 1 << 20)
    kaggle_server.kaggle.fail("IntrospectToken", Raw(HEAD + b'\r\n{"a": "', drip=b"x" * 65536))
    with pytest.raises(PipelineError, match=r"can't be understood .*OverlongAnswerError"):
        Kaggle(print)
    assert kaggle_server.kaggle.count("IntrospectToken") == 1


def test_a_download_without_end_is_thrown_away() -> None:
    chunks = bounds.at_most(iter([b"x" * 60] * 10), size=100)
    assert next(chunks) == b"x" * 60
    with pytest.raises(DamagedDownloadError, match="larger than 100 bytes"):
        next(chunks)


def test_a_download_that_announces_too_much_is_not_begun(
    kaggle_server: KaggleServer, tmp_path: Path
) -> None:
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/zip\r\nContent-Length: {10**15}\r\n\r\n"
    kaggle_server.kaggle.fail("GET", Raw(head.encode()))
    with pytest.raises(PipelineError, match="would be 1,000,000,000,000,000 bytes large"):
        download_competition(tmp_path / "into", print)


def test_the_status_counts_though_the_body_is_no_json_as_it_claims(
    kaggle_server: KaggleServer, tmp_path: Path
) -> None:
    answer = b"HTTP/1.1 503 Later\r\nContent-Type: application/json\r\nContent-Length: 0\r\n\r\n"
    kaggle_server.kaggle.fail("DownloadDataFiles", Raw(answer), times=2)
    assert download_competition(tmp_path / "into", lambda _: None).exists()
    assert kaggle_server.kaggle.count("DownloadDataFiles") == 3


def test_a_signed_address_that_ran_out_is_asked_for_anew(
    kaggle_server: KaggleServer, tmp_path: Path
) -> None:
    kaggle_server.kaggle.fail("GET", Status(403), times=1)
    assert download_competition(tmp_path / "into", lambda _: None).exists()
    assert kaggle_server.kaggle.count("DownloadDataFiles") == 2


# ---- answers of the right form with wrong values ----------------------------------------------

ODD_SUBMISSIONS = [
    b"{}",
    b'{"ref": 7, "status": "COMPLETE", "publicScore": "0.1"}',
    b'{"ref": "1001", "status": "COMPLETE", "publicScore": "0.1"}',
    b'{"ref": 1001, "status": "EATEN"}',
    b'{"ref": 1001, "status": "COMPLETE", "publicScore": [1]}',
]


@pytest.mark.parametrize("body", ODD_SUBMISSIONS)
def test_what_is_told_of_another_submission_or_of_none_is_no_score(
    kaggle_server: KaggleServer, body: bytes
) -> None:
    kaggle = Kaggle(print)
    kaggle_server.kaggle.fail("GetSubmission", Answer(body))
    with pytest.raises(PipelineError, match="can't be understood"):
        kaggle.wait_for_score(1001, timeout_seconds=5)


@pytest.mark.parametrize("score", ['"NaN"', '"inf"', '"1e9"', '"-0.1"', '"n/a"', '""', "null"])
def test_what_is_no_accuracy_is_no_score(kaggle_server: KaggleServer, score: str) -> None:
    body = f'{{"ref": 1001, "status": "COMPLETE", "publicScore": {score}}}'
    kaggle = Kaggle(print)
    kaggle_server.kaggle.fail("GetSubmission", Answer(body.encode()))
    assert kaggle.submission(1001).public_score is None


def test_limits_that_are_no_numbers_stop(kaggle_server: KaggleServer) -> None:
    kaggle = Kaggle(print)
    kaggle_server.kaggle.fail("GetSubmissionLimits", Answer(b'{"numAllowedNow": "many"}'))
    with pytest.raises(PipelineError, match="can't be understood"):
        kaggle.submission_limits()


def test_an_account_whose_name_leads_elsewhere_is_refused(kaggle_server: KaggleServer) -> None:
    answer = Answer(b'{"active": true, "username": "../../else\\u001b[31mwhere"}')
    kaggle_server.kaggle.fail("IntrospectToken", answer)
    with pytest.raises(PipelineError, match=r'the account "../../else\[31mwhere"'):
        _ = Kaggle(print).username


# ---- what is shown ------------------------------------------------------------------------------


def test_what_kaggle_says_is_cut_without_half_of_a_secret(kaggle_server: KaggleServer) -> None:
    kaggle = Kaggle(print)
    for lead in range(270, 310):
        said = kaggle.quote("x" * lead + TOKEN + "\x1b[31m\r\nError: " + "y" * 9_999)
        assert "planted" not in said
        assert said.isprintable()
        assert len(said) < 310


def test_a_secret_with_control_characters_in_it_is_found(kaggle_server: KaggleServer) -> None:
    assert Kaggle(print).quote(f"{TOKEN[:9]}\x1b{TOKEN[9:]}") == "***"


def test_a_proxy_s_password_is_not_shown_either(
    kaggle_server: KaggleServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"127.0.0.1:{kaggle_server.server_port}"
    monkeypatch.setenv("http_proxy", f"http://someone:pass%2Fword@{address}")
    assert Kaggle(print).quote("it was pass%2Fword or pass/word") == "it was *** or ***"


def test_why_it_cannot_be_scored_is_shown_without_secrets(kaggle_server: KaggleServer) -> None:
    body = f'{{"ref": 1001, "status": "ERROR", "errorDescription": "\\u001b[2J {TOKEN}"}}'
    kaggle = Kaggle(print)
    kaggle_server.kaggle.fail("GetSubmission", Answer(body.encode()))
    assert kaggle.submission(1001).error == "[2J ***"


@pytest.mark.skipif(os.name != "posix", reason="modes are those of POSIX")
@pytest.mark.parametrize(("mode", "warned"), [(0o600, False), (0o640, True), (0o604, True)])
def test_credentials_that_others_can_read_are_told_of(
    kaggle_server: KaggleServer,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    mode: int,
    warned: bool,
) -> None:
    monkeypatch.delenv("KAGGLE_API_TOKEN")
    file = home / ".kaggle" / "access_token"
    file.parent.mkdir()
    file.write_text(TOKEN)
    file.chmod(mode)
    told: list[str] = []
    Kaggle(told.append)
    assert [f"chmod 600 {file}" in line for line in told] == [True] * warned
    assert not any(secret in line for line in told for secret in SECRETS)
    assert file.stat().st_mode & 0o777 == mode
