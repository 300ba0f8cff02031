"""The real kaggle package against the stand-in: what works."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pipeline.kaggle.client import Kaggle
from pipeline.kaggle.errors import UnclearError
from pipeline.system.errors import PipelineError
from tests.kaggle_api import KEY, SECRETS, TOKEN, USERNAME, Answer, Raw, Reset, zip_bytes
from tests.kaggle_server import KaggleServer
from tests.listeners import heard_by

MNIST = "oddrationale/mnist-in-csv"


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    path = tmp_path / "mine.csv"
    path.write_text("ImageId,Label\n1,2\n")
    return path


def test_the_competition_is_downloaded_whole(kaggle_server: KaggleServer, tmp_path: Path) -> None:
    path = Kaggle().download_competition(tmp_path / "into")
    assert path == tmp_path / "into" / "digit-recognizer.zip"
    assert path.read_bytes() == zip_bytes()
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    storage = [seen for seen in kaggle_server.kaggle.seen if seen.method == "GET"]
    assert [seen.authorization for seen in storage] == [None]


def test_a_data_set_is_downloaded_in_silence(
    kaggle_server: KaggleServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kaggle_server.kaggle.datasets[MNIST] = zip_bytes("1,2,3\n")
    path = Kaggle().download_dataset(MNIST, tmp_path / "into")
    assert path == tmp_path / "into" / "mnist-in-csv.zip"
    assert path.read_bytes() == zip_bytes("1,2,3\n")
    assert capsys.readouterr() == ("", "")


def test_a_key_in_a_file_works_though_the_package_was_imported_before_it_was_there(
    kaggle_server: KaggleServer, home: Path, monkeypatch: pytest.MonkeyPatch, csv: Path
) -> None:
    monkeypatch.delenv("KAGGLE_API_TOKEN")
    (home / ".kaggle").mkdir()
    (home / ".kaggle" / "kaggle.json").write_text(f'{{"username": "{USERNAME}", "key": "{KEY}"}}')
    kaggle = Kaggle()
    assert kaggle.submit(kaggle.upload(csv), "hello") == 1001
    assert kaggle_server.kaggle.count("IntrospectToken") == 0


def test_a_submission_is_sent_listed_and_scored(kaggle_server: KaggleServer, csv: Path) -> None:
    kaggle_server.kaggle.polls = 3
    kaggle = Kaggle()
    ref = kaggle.submit(kaggle.upload(csv), "[mark] hello")
    assert list(kaggle_server.kaggle.uploads.values()) == [csv.read_bytes()]
    assert kaggle.submission(ref).status == "PENDING"
    found = kaggle.find_submission("[mark]")
    assert found is not None
    assert (found.ref, found.description) == (ref, "[mark] hello")
    assert kaggle.find_submission("[another]") is None
    scored = kaggle.wait_for_score(ref, timeout_seconds=30)
    assert (scored.status, scored.public_score, scored.private_score) == ("COMPLETE", 0.98714, None)


def test_a_score_that_does_not_come_is_not_waited_for(
    kaggle_server: KaggleServer, csv: Path
) -> None:
    kaggle_server.kaggle.polls = 10**9
    kaggle = Kaggle()
    ref = kaggle.submit(kaggle.upload(csv), "m")
    assert kaggle.wait_for_score(ref, timeout_seconds=0.1).status == "PENDING"


def test_an_older_submission_is_found_on_a_later_page(kaggle_server: KaggleServer) -> None:
    kaggle = Kaggle()
    for number in range(45):
        kaggle_server.kaggle.submissions.append(
            {"ref": 1 + number, "description": f"<{number}>", "polls": 0}
        )
    found = kaggle.find_submission("<3>")
    assert found is not None
    assert found.ref == 4
    assert kaggle.find_submission("<99>") is None


STRANGE = [
    {"ref": 2**70, "status": "EATEN", "date": "yesterday", "description": None},
    {"ref": "x", "totalBytes": "many"},
    {},
]


def test_strange_submissions_in_the_list_do_not_hide_the_others(
    kaggle_server: KaggleServer,
) -> None:
    mine = {"ref": 7, "description": "[mark] mine", "status": "EATEN", "date": 1}
    body = json.dumps({"submissions": [*STRANGE, mine]}).encode()
    kaggle_server.kaggle.fail("ListSubmissions", Answer(body))
    found = Kaggle().find_submission("[mark]")
    assert found is not None
    assert found.ref == 7
    assert Kaggle().find_submission("[another]") is None


@pytest.mark.parametrize("ref", [2**70, 2**63, -5, 0, True, 7.0, "7", None])
def test_a_number_that_none_can_be_is_no_number_of_ours(
    kaggle_server: KaggleServer, csv: Path, ref: object
) -> None:
    kaggle = Kaggle()
    kaggle_server.kaggle.fail("CreateSubmission", Answer(json.dumps({"ref": ref}).encode()))
    with pytest.raises(UnclearError, match=r"no number|can't be understood"):
        kaggle.submit(kaggle.upload(csv), "m")
    body = json.dumps({"submissions": [{"ref": ref, "description": "[mark]"}]}).encode()
    kaggle_server.kaggle.fail("ListSubmissions", Answer(body))
    with pytest.raises(PipelineError, match="can't be understood"):
        kaggle.find_submission("[mark]")


def test_the_time_is_kaggle_s(kaggle_server: KaggleServer) -> None:
    kaggle_server.kaggle.clock_ahead_seconds = 86_400
    kaggle = Kaggle()
    kaggle.submission_limits()
    ahead = kaggle.now() - datetime.now(UTC)
    assert timedelta(hours=23) < ahead < timedelta(hours=25)


@pytest.mark.parametrize("date", ["", "soon", "Wed, 99 Oct 2015 07:28:00 GMT"])
def test_without_kaggle_s_time_it_is_ours(kaggle_server: KaggleServer, date: str) -> None:
    kaggle_server.kaggle.clock_ahead_seconds = 86_400
    body = b'{"active": true, "username": "ada"}'
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nDate: {date}\r\n"
    whole = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
    kaggle_server.kaggle.fail("IntrospectToken", Raw(whole))
    assert abs(Kaggle().now() - datetime.now(UTC)) < timedelta(hours=1)


@pytest.mark.parametrize(
    "odd",
    [
        {"status": "SCORING_AGAIN"},
        {"status": 7},
        {"date": "yesterday"},
        {"date": None},
        {"publicScore": [1]},
        {"description": None, "errorDescription": None, "status": None},
    ],
)
def test_one_odd_submission_does_not_hide_the_others(
    kaggle_server: KaggleServer, monkeypatch: pytest.MonkeyPatch, odd: dict[str, Any]
) -> None:
    odd = {"ref": 1, "description": "<odd>", **odd}
    good = {"ref": 2, "description": "<good>", "status": "COMPLETE", "publicScore": "0.9"}
    listed = Answer(json.dumps({"submissions": [odd, good]}).encode())
    kaggle_server.kaggle.fail("ListSubmissions", listed)
    kaggle_server.kaggle.fail("GetSubmission", Answer(json.dumps(odd).encode()))
    kaggle = Kaggle()
    found = kaggle.find_submission("<good>")
    assert found is not None
    assert found.ref == 2
    asked = kaggle.submission(1)
    assert (asked.status, asked.public_score, asked.is_settled) == ("PENDING", None, False)


@pytest.mark.parametrize(
    "told", [None, [], {"submissions": None}, {"submissions": {}}, {"submissions": [None]}]
)
def test_a_list_that_is_none_is_not_taken_for_an_empty_one(
    kaggle_server: KaggleServer, told: Any
) -> None:
    kaggle_server.kaggle.fail("ListSubmissions", Answer(json.dumps(told).encode()))
    with pytest.raises(PipelineError, match="can't be understood"):
        Kaggle().find_submission("mine")


def test_limits_are_unknown_before_the_first_submission(kaggle_server: KaggleServer) -> None:
    kaggle_server.kaggle.allowed = None
    assert Kaggle().submission_limits().allowed_now is None
    kaggle_server.kaggle.allowed = 3
    assert Kaggle().submission_limits().allowed_now == 3


def test_files_of_the_competition_have_sizes(kaggle_server: KaggleServer) -> None:
    kaggle_server.kaggle.files = {"test.csv": 51_118_296, "train.csv": 0}
    assert Kaggle().competition_files() == {"test.csv": 51_118_296, "train.csv": 0}


@pytest.mark.parametrize("home", ["/dev/null", "/nowhere/at/all"])
def test_a_new_process_works_without_a_home_to_write_to_and_shows_no_secret(
    kaggle_server: KaggleServer, home: str
) -> None:
    # The package makes a folder in the home when it is imported, and VERBOSE lets it print headers.
    script = (
        "import logging, sys; from pipeline.kaggle.client import Kaggle;"
        "left = Kaggle().submission_limits().allowed_now;"
        "assert not logging.root.handlers; print(left, sys.stdin.closed)"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        capture_output=True,
        check=False,
        cwd=Path(__file__).parents[2],
        env={
            **kaggle_server.environment,
            "HOME": home,
            "KAGGLE_API_TOKEN": TOKEN,
            "PATH": os.environ["PATH"],
            "VERBOSE": "1",
        },
        text=True,
        timeout=60,
    )
    assert (done.stdout, done.stderr) == ("10 False\n", "")


def test_what_lies_there_already_is_never_taken_for_the_download(
    kaggle_server: KaggleServer, tmp_path: Path
) -> None:
    stale = tmp_path / "into" / "digit-recognizer.zip"
    stale.parent.mkdir()
    stale.write_bytes(b"x" * 10**6)
    told: list[str] = []
    kaggle_server.kaggle.fail("GET", Reset(), times=1)
    kaggle = heard_by(told.append, Kaggle)
    path = heard_by(told.append, kaggle.download_competition, stale.parent)
    assert path.read_bytes() == zip_bytes()
    assert [file.name for file in stale.parent.iterdir()] == [stale.name]
    assert ["trying again in" in line for line in told] == [True]


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
    heard_by(told.append, Kaggle)
    assert [f"chmod 600 {file}" in line for line in told] == [True] * warned
    assert not any(secret in line for line in told for secret in SECRETS)
    assert file.stat().st_mode & 0o777 == mode
