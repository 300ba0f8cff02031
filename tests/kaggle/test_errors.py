"""What a user is told of each failure between here and Kaggle: the real package, real answers."""

import errno
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import requests
from kagglesdk import kaggle_env

from pipeline.kaggle.client import Kaggle, download_competition, download_dataset
from pipeline.kaggle.credentials import Credentials
from pipeline.kaggle.errors import Request, explain
from pipeline.kaggle.retry import Limits
from pipeline.system.errors import PipelineError
from tests.kaggle_api import (
    KEY,
    SECRETS,
    TOKEN,
    USERNAME,
    Answer,
    Failure,
    Reset,
    Stall,
    Status,
    Truncated,
    corrupt,
    zip_bytes,
)
from tests.kaggle_server import KaggleServer

RULES = "https://www.kaggle.com/competitions/digit-recognizer/rules"
SETTINGS = "https://www.kaggle.com/settings"
HTML = b"<!doctype html><title>Log in</title>" * 99
MNIST = "oddrationale/mnist-in-csv"


@pytest.fixture
def told() -> list[str]:
    """What is told in mid-work."""
    return []


def message_of(action: Callable[[], object], capsys: pytest.CaptureFixture[str]) -> str:
    """The lines that a user sees; at most three, without a secret, and with nothing around them."""
    with pytest.raises(PipelineError) as caught:
        action()
    text = str(caught.value)
    printed = capsys.readouterr()
    assert printed.out + printed.err == ""
    assert not any(secret in text for secret in SECRETS), text
    assert "Signature" not in text
    assert len(text.splitlines()) <= 2, text
    return text


FAILING: list[tuple[str, Failure, str]] = [
    ("IntrospectToken", Status(401, "Unauthenticated"), rf"\$KAGGLE_API_TOKEN.*\n.*{SETTINGS}"),
    ("DownloadDataFiles", Status(401, "No"), rf"\$KAGGLE_API_TOKEN.*\n.*{SETTINGS}"),
    ("DownloadDataFiles", Status(403, "Permission denied"), rf"most likely.*rules.*\n.*{RULES}"),
    ("DownloadDataFiles", Status(403, "You must accept the rules"), rf"not accepted.*\n.*{RULES}"),
    ("DownloadDataFiles", Status(403), rf"rules.*\n.*{RULES}"),
    (
        "DownloadDataFiles",
        Status(404, "Not found"),
        r"no such thing as the competition.*\n.*kaggle\.com/",
    ),
    ("DownloadDataFiles", Status(429, "Quota", nested=True), r'429.*"Quota"\nWait some minutes'),
    ("DownloadDataFiles", Status(429, "Quota", retry_after="77"), r"slow down.*\nWait 77 seconds"),
    ("DownloadDataFiles", Status(500, "Oops"), r'itself has a fault \(500.*"Oops"\nWait'),
    ("DownloadDataFiles", Status(503), r"itself has a fault \(503"),
    ("DownloadDataFiles", Status(400, "Bad"), r'refuses the request \(400.*"Bad"'),
    ("DownloadDataFiles", Answer(HTML, "text/html"), r"download is a web page"),
    ("DownloadDataFiles", Reset(), r"broke off\.\nCheck the network"),
    ("DownloadDataFiles", Stall(), r"took too long\.\nCheck the network"),
    ("GET", Status(403), r"storage of Kaggle \(storage\.kaggle\.test\) does not take.*\(403"),
    ("GET", Reset(), r"broke off\.\nCheck"),
    ("GET", Stall(), r"took too long\.\nCheck"),
    ("GET", Truncated(announced=True), r"broke off in mid-answer\.\nCheck"),
    ("GET", Truncated(announced=False), r"download is a damaged zip, or one that was cut short"),
    ("GET", Answer(corrupt(zip_bytes()), "application/zip"), r"download is damaged: its member"),
    ("GET", Answer(HTML, "text/html"), r"download is a web page, not a zip"),
    ("GET", Answer(b"", "application/zip"), r"download is empty"),
]


@pytest.mark.parametrize("failing", FAILING, ids=repr)
def test_a_failing_download_is_explained_and_leaves_nothing(
    kaggle_server: KaggleServer,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    told: list[str],
    failing: tuple[str, Failure, str],
) -> None:
    method, failure, expected = failing
    kaggle_server.kaggle.fail(method, failure)
    text = message_of(lambda: download_competition(tmp_path / "into", told.append), capsys)
    assert re.search(expected, text), text
    assert not (tmp_path / "into").exists() or list((tmp_path / "into").iterdir()) == []
    assert not any(secret in line for line in told for secret in SECRETS)


def test_a_server_s_own_words_are_shown_without_secrets_and_in_one_line(
    kaggle_server: KaggleServer, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    said = f"Bad\n\x1b[31mtoken {TOKEN} at https://x.test/a?Signature={SECRETS[-1]} " + "x" * 999
    kaggle_server.kaggle.fail("DownloadDataFiles", Status(400, said))
    text = message_of(lambda: download_competition(tmp_path, print), capsys)
    assert '"Bad [31mtoken *** at https://x.test/a' in text
    assert len(text) < 600


def test_a_data_set_that_is_not_there(
    kaggle_server: KaggleServer, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    text = message_of(lambda: download_dataset(MNIST, tmp_path, print), capsys)
    assert f"no such thing as the data set {MNIST} for this account (403" in text
    assert f"https://www.kaggle.com/datasets/{MNIST}" in text


def test_no_server_at_all(
    kaggle_server: KaggleServer,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kaggle_server.server_close()
    text = message_of(lambda: Kaggle(lambda _: None), capsys)
    assert "while logging in: the proxy can't be reached.\nCheck the network" in text
    # Without a proxy in between, at a port where nobody listens any more.
    monkeypatch.delenv("http_proxy")
    closed = f"http://127.0.0.1:{kaggle_server.server_port}"
    monkeypatch.setitem(kaggle_env._env_to_endpoint, kaggle_env.KaggleEnv.LOCAL, closed)
    text = message_of(lambda: Kaggle(lambda _: None), capsys)
    assert "connection to Kaggle (127.0.0.1) failed while logging in: it was refused." in text


def test_no_credentials(
    kaggle_server: KaggleServer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KAGGLE_API_TOKEN")
    with pytest.raises(PipelineError, match="There are no Kaggle credentials") as caught:
        Kaggle(print)
    assert SETTINGS in caught.value.remedy
    assert kaggle_server.kaggle.seen == []


def test_a_stale_token_beside_a_good_key_names_both(
    kaggle_server: KaggleServer, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / ".kaggle").mkdir()
    (home / ".kaggle" / "kaggle.json").write_text(f'{{"username": "{USERNAME}", "key": "{KEY}"}}')
    kaggle_server.kaggle.fail("IntrospectToken", Status(404, "Not found"))
    text = message_of(lambda: Kaggle(print), capsys)
    assert "does not accept the credentials in $KAGGLE_API_TOKEN" in text
    assert "Those in ~/.kaggle/kaggle.json are not used as long as these are there" in text
    assert "or remove these" in text


def test_a_token_that_is_not_active_is_rejected(
    kaggle_server: KaggleServer, capsys: pytest.CaptureFixture[str]
) -> None:
    kaggle_server.kaggle.fail("IntrospectToken", Answer(b'{"active": false}'))
    assert "expired, or replaced" in message_of(lambda: Kaggle(print), capsys)


def test_a_wrong_key_is_rejected_at_the_first_request(
    kaggle_server: KaggleServer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KAGGLE_API_TOKEN")
    monkeypatch.setenv("KAGGLE_USERNAME", USERNAME)
    monkeypatch.setenv("KAGGLE_KEY", KEY)
    kaggle_server.kaggle.keys.clear()
    text = message_of(lambda: Kaggle(print).submission_limits(), capsys)
    assert "$KAGGLE_USERNAME and $KAGGLE_KEY" in text


@pytest.mark.parametrize("token", [f"{TOKEN}\nmore", f" {TOKEN}", f"“{TOKEN}”"], ids=repr)
def test_a_token_with_characters_that_none_has(
    kaggle_server: KaggleServer,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    token: str,
) -> None:
    monkeypatch.setenv("KAGGLE_API_TOKEN", token)
    text = message_of(lambda: Kaggle(print), capsys)
    assert "$KAGGLE_API_TOKEN" in text


def test_a_token_longer_than_a_file_name(
    kaggle_server: KaggleServer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAGGLE_API_TOKEN", TOKEN * 100)
    text = message_of(lambda: Kaggle(print), capsys)
    assert (
        "$KAGGLE_API_TOKEN" in text
    )  # too long for Python to ask whether it is a file, or unknown


def test_the_process_keeps_its_stdin_and_environment(kaggle_server: KaggleServer) -> None:
    stdin, environment = sys.stdin, dict(os.environ)
    kaggle_server.kaggle.tokens.clear()
    with pytest.raises(PipelineError):
        Kaggle(print)
    assert sys.stdin is stdin
    assert dict(os.environ) == environment


def test_a_missing_package_is_named(
    kaggle_server: KaggleServer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "kaggle.api.kaggle_api_extended", None)
    text = message_of(lambda: Kaggle(print), capsys)
    assert "kaggle package can't be imported" in text
    assert "make install" in text


def test_limits_are_generous_enough_for_a_slow_line() -> None:
    assert Limits().read_seconds >= 30


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (
            requests.exceptions.SSLError("verify failed"),
            r"certificate can't.*\n.*REQUESTS_CA_BUNDLE",
        ),
        (
            requests.exceptions.ProxyError("Tunnel connection failed: 407"),
            r"does not let us through",
        ),
        (requests.ConnectionError("NameResolutionError: x"), r"address can't be found"),
        (OSError(28, "No space left on device", TOKEN), r"^Failed while asking: No space left on"),
        (PermissionError(13, "Permission denied", "/x"), r"Failed while asking: Permission denied"),
        (
            OSError(errno.ENAMETOOLONG, "File name too long", TOKEN),
            r"in ~/x is too long.*\n.*access_token",
        ),
        (KeyError("message"), r"answer can't be understood \(while asking; KeyError\)"),
        (SystemExit(1), r"does not accept the credentials in ~/x"),
    ],
    ids=repr,
)
def test_failures_that_no_server_on_loopback_brings_about(
    error: BaseException, expected: str
) -> None:
    request = Request(
        doing="asking",
        subject="the competition x",
        page="https://www.kaggle.com/competitions/x",
        credentials=Credentials("token", "~/x"),
    )
    text = str(explain(error, request))
    assert re.search(expected, text), text
    assert TOKEN not in text
