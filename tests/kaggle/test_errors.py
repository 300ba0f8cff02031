"""What a user is told of failures beside those of one answer, which stand in a table."""

import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import requests
from kagglesdk import kaggle_env

from pipeline.kaggle.client import Kaggle
from pipeline.kaggle.credential_files import Credentials
from pipeline.kaggle.errors import Request, explain
from pipeline.system.errors import PipelineError
from tests.kaggle_api import KEY, SECRETS, TOKEN, USERNAME, Status
from tests.kaggle_server import KaggleServer

SETTINGS = "https://www.kaggle.com/settings"
MNIST = "oddrationale/mnist-in-csv"


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


def test_a_data_set_that_is_not_there(
    kaggle_server: KaggleServer, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    text = message_of(lambda: Kaggle().download_dataset(MNIST, tmp_path), capsys)
    assert f"no such thing as the data set {MNIST} for this account (403" in text
    assert f"https://www.kaggle.com/datasets/{MNIST}" in text


def test_no_server_at_all(
    kaggle_server: KaggleServer,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kaggle_server.server_close()
    text = message_of(Kaggle, capsys)
    assert "while logging in: the proxy can't be reached.\nCheck the network" in text
    # Without a proxy in between, at a port where nobody listens any more.
    monkeypatch.delenv("http_proxy")
    closed = f"http://127.0.0.1:{kaggle_server.server_port}"
    monkeypatch.setitem(kaggle_env._env_to_endpoint, kaggle_env.KaggleEnv.LOCAL, closed)
    text = message_of(Kaggle, capsys)
    assert "connection to Kaggle (127.0.0.1) failed while logging in: it was refused." in text


def test_no_credentials(
    kaggle_server: KaggleServer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KAGGLE_API_TOKEN")
    with pytest.raises(PipelineError, match="There are no Kaggle credentials") as caught:
        Kaggle()
    assert SETTINGS in caught.value.remedy
    assert kaggle_server.kaggle.seen == []


def test_a_stale_token_beside_a_good_key_names_both(
    kaggle_server: KaggleServer, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / ".kaggle").mkdir()
    (home / ".kaggle" / "kaggle.json").write_text(f'{{"username": "{USERNAME}", "key": "{KEY}"}}')
    kaggle_server.kaggle.fail("IntrospectToken", Status(404, "Not found"))
    text = message_of(Kaggle, capsys)
    assert "does not accept the credentials in $KAGGLE_API_TOKEN" in text
    assert "Those in ~/.kaggle/kaggle.json are not used as long as these are there" in text
    assert "or remove these" in text


def test_a_wrong_key_is_rejected_at_the_first_request(
    kaggle_server: KaggleServer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KAGGLE_API_TOKEN")
    monkeypatch.setenv("KAGGLE_USERNAME", USERNAME)
    monkeypatch.setenv("KAGGLE_KEY", KEY)
    kaggle_server.kaggle.keys.clear()
    text = message_of(lambda: Kaggle().submission_limits(), capsys)
    assert "$KAGGLE_USERNAME and $KAGGLE_KEY" in text


def test_a_token_longer_than_a_file_name(
    kaggle_server: KaggleServer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAGGLE_API_TOKEN", TOKEN * 100)
    text = message_of(Kaggle, capsys)
    assert "does not accept the credentials in $KAGGLE_API_TOKEN" in text


def test_the_process_keeps_its_stdin_and_environment(kaggle_server: KaggleServer) -> None:
    stdin, environment = sys.stdin, dict(os.environ)
    kaggle_server.kaggle.tokens.clear()
    with pytest.raises(PipelineError):
        Kaggle()
    assert sys.stdin is stdin
    assert dict(os.environ) == environment


def test_a_missing_package_is_named(
    kaggle_server: KaggleServer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "kaggle.api.kaggle_api_extended", None)
    text = message_of(Kaggle, capsys)
    assert "kaggle package can't be imported" in text
    assert "make install" in text


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
        (KeyError("message"), r"answer can't be understood \(while asking; KeyError\)"),
        (SystemExit(1), r"does not accept the credentials in ~/x"),
    ],
    ids=repr,
)
def test_failures_that_no_server_on_loopback_brings_about(
    error: BaseException, expected: str
) -> None:
    request = Request(doing="asking", credentials=Credentials("token", "~/x"))
    text = str(explain(error, request))
    assert re.search(expected, text), text
    assert TOKEN not in text


def test_what_kaggle_says_is_cut_without_half_of_a_secret(kaggle_server: KaggleServer) -> None:
    kaggle = Kaggle()
    for lead in range(270, 310):
        said = kaggle.quote("x" * lead + TOKEN + "\x1b[31m\r\nError: " + "y" * 9_999)
        assert "planted" not in said
        assert said.isprintable()
        assert len(said) < 310


def test_a_secret_with_control_characters_in_it_is_found(kaggle_server: KaggleServer) -> None:
    assert Kaggle().quote(f"{TOKEN[:9]}\x1b{TOKEN[9:]}") == "***"


def test_a_proxy_s_password_is_not_shown_either(
    kaggle_server: KaggleServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"127.0.0.1:{kaggle_server.server_port}"
    monkeypatch.setenv("http_proxy", f"http://someone:pass%2Fword@{address}")
    assert Kaggle().quote("it was pass%2Fword or pass/word") == "it was *** or ***"
