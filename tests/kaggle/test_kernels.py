"""A push with the real kaggle package: what is told of each failure, and what is never repeated."""

import re
from pathlib import Path

import pytest

from pipeline.kaggle.client import Kaggle
from pipeline.kaggle.kernels import PushedNotebook, push_notebook
from pipeline.pages.notebook import kernel_metadata
from pipeline.system import files
from pipeline.system.errors import PipelineError
from tests.kaggle_api import KEY, SECRETS, TOKEN, USERNAME, Answer, Failure, Reset, Stall, Status
from tests.kaggle_server import KaggleServer

NAME = f"{USERNAME}/digit-recognizer-numpy-quick"
ADDRESS = f"https://www.kaggle.com/code/{NAME}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The smallest notebook, and what Kaggle is to know of it."""
    write(tmp_path, USERNAME)
    files.write_json(tmp_path / "small.ipynb", {"cells": [], "nbformat": 4, "nbformat_minor": 5})
    return tmp_path


def write(folder: Path, owner: str) -> None:
    files.write_json(
        folder / "kernel-metadata.json", kernel_metadata("quick", owner, "small.ipynb")
    )


def failed(folder: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """The lines that the user sees: at most two, without a secret, and nothing around them."""
    with pytest.raises(PipelineError) as caught:
        push_notebook(Kaggle(lambda _: None), folder, NAME)
    text = str(caught.value)
    assert capsys.readouterr() == ("", "")
    assert not any(secret in text for secret in SECRETS), text
    assert len(text.splitlines()) == 2, text
    return text


def test_a_push_makes_a_version_in_silence(
    kaggle_server: KaggleServer, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kaggle = Kaggle(print)
    assert kaggle.username == USERNAME
    assert push_notebook(kaggle, folder, NAME) == PushedNotebook(ADDRESS, 1)
    assert push_notebook(kaggle, folder, NAME) == PushedNotebook(ADDRESS, 2)
    assert capsys.readouterr() == ("", "")


def test_a_key_knows_its_account(
    kaggle_server: KaggleServer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KAGGLE_API_TOKEN")
    monkeypatch.setenv("KAGGLE_USERNAME", USERNAME)
    monkeypatch.setenv("KAGGLE_KEY", KEY)
    kaggle = Kaggle(print)
    assert kaggle.username == USERNAME
    assert push_notebook(kaggle, folder, NAME).version == 1
    assert kaggle_server.kaggle.count("IntrospectToken") == 0


REFUSED: list[tuple[Failure, str]] = [
    (Status(400, "Bad"), rf'refuses the request \(400.*"Bad"\nSee {ADDRESS}$'),
    (Status(401, "Unauthenticated"), r"does not accept the credentials in \$KAGGLE_API_TOKEN"),
    (
        Status(403, "Verify your phone number"),
        r'let this account save the notebook .* \(403 .*"Verify.*\n.*kaggle\.com/settings',
    ),
    (Status(403), r"does not let this account save the notebook"),
    (Status(404, "No such"), rf"no such thing as the notebook {NAME} for this account \(404"),
    (Status(409, f"Slug {TOKEN} in use"), r'refuses the request \(409.*"Slug \*\*\* in use"'),
]


@pytest.mark.parametrize(("failure", "expected"), REFUSED, ids=repr)
def test_a_refusal_is_explained_and_not_repeated(
    kaggle_server: KaggleServer,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    failure: Failure,
    expected: str,
) -> None:
    kaggle_server.kaggle.fail("SaveKernel", failure)
    text = failed(folder, capsys)
    assert re.search(expected, text), text
    assert "not known" not in text
    assert kaggle_server.kaggle.count("SaveKernel") == 1


UNCLEAR: list[Failure] = [
    Reset(),
    Reset(after_work=True),
    Stall(after_work=True),
    Status(500, "Internal error"),
    Status(503),
    Answer(b"<html>", "text/html"),
]


@pytest.mark.parametrize("failure", UNCLEAR, ids=repr)
def test_what_may_have_arrived_is_not_repeated_and_its_address_told(
    kaggle_server: KaggleServer,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    failure: Failure,
) -> None:
    kaggle_server.kaggle.fail("SaveKernel", failure, times=1)
    text = failed(folder, capsys)
    expected = rf" Whether it was done all the same is not known\.\nLook at {ADDRESS} ; if it was"
    assert re.search(expected, text), text
    assert kaggle_server.kaggle.count("SaveKernel") == 1


def test_kaggle_s_wish_to_wait_is_kept_to(kaggle_server: KaggleServer, folder: Path) -> None:
    told: list[str] = []
    kaggle_server.kaggle.fail("SaveKernel", Status(429, "Slow down", nested=True), times=2)
    assert push_notebook(Kaggle(told.append), folder, NAME).version == 1
    assert kaggle_server.kaggle.count("SaveKernel") == 3
    assert [line.partition(";")[0] for line in told] == ["No luck pushing the notebook yet"] * 2


def test_a_limit_that_stays_is_told(
    kaggle_server: KaggleServer, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kaggle_server.kaggle.fail("SaveKernel", Status(429, "Quota", retry_after="77"))
    text = failed(folder, capsys)
    assert re.search(r'slow down \(429 .*"Quota"\nWait 77 seconds', text), text
    assert kaggle_server.kaggle.count("SaveKernel") == 1


def test_a_server_that_was_never_reached_may_be_asked_again(
    kaggle_server: KaggleServer,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # A key is not checked at login: the push is the first that goes out.
    monkeypatch.delenv("KAGGLE_API_TOKEN")
    monkeypatch.setenv("KAGGLE_USERNAME", USERNAME)
    monkeypatch.setenv("KAGGLE_KEY", KEY)
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    text = failed(folder, capsys)
    assert "not known" not in text
    assert re.search(r"failed while pushing the notebook: .*proxy can't be reached", text), text


def test_a_notebook_of_another_account_is_refused(
    kaggle_server: KaggleServer, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(folder, "bob")
    assert "save the notebook" in failed(folder, capsys)
    assert kaggle_server.kaggle.notebooks == {}


def test_an_answer_without_a_version_is_unclear(
    kaggle_server: KaggleServer, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kaggle_server.kaggle.fail("SaveKernel", Answer(b"{}"), times=1)
    assert "gave the notebook no version number" in failed(folder, capsys)


def test_an_address_that_is_none_is_not_shown(kaggle_server: KaggleServer, folder: Path) -> None:
    answer = Answer(b'{"versionNumber": 4, "url": "/code/x", "ref": "/code/x"}')
    kaggle_server.kaggle.fail("SaveKernel", answer, times=1)
    assert push_notebook(Kaggle(print), folder, NAME) == PushedNotebook(ADDRESS, 4)
