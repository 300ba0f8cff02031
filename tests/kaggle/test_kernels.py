"""A push with the real kaggle package."""

import json
from pathlib import Path

import pytest

from pipeline.kaggle.client import Kaggle
from pipeline.kaggle.kernels import PushedNotebook, push_notebook
from pipeline.pages.notebook import kernel_metadata
from pipeline.system import files
from pipeline.system.errors import PipelineError
from tests.kaggle_api import KEY, USERNAME, Answer
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


def test_a_push_makes_a_version_in_silence(
    kaggle_server: KaggleServer, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kaggle = Kaggle()
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
    kaggle = Kaggle()
    assert kaggle.username == USERNAME
    assert push_notebook(kaggle, folder, NAME).version == 1
    assert kaggle_server.kaggle.count("IntrospectToken") == 0


def test_a_notebook_of_another_account_is_refused(
    kaggle_server: KaggleServer, folder: Path
) -> None:
    write(folder, "bob")
    with pytest.raises(PipelineError, match="does not let this account save the notebook"):
        push_notebook(Kaggle(), folder, NAME)
    assert kaggle_server.kaggle.notebooks == {}


@pytest.mark.parametrize("version", [2**70, 2**64, 0, -5, True, 7.0, "7", None])
def test_a_version_that_none_can_be_is_not_recorded(
    kaggle_server: KaggleServer, folder: Path, version: object
) -> None:
    answer = Answer(json.dumps({"versionNumber": version, "url": ADDRESS}).encode())
    kaggle_server.kaggle.fail("SaveKernel", answer, times=1)
    with pytest.raises(PipelineError, match=r"version number.*not known|can't be understood"):
        push_notebook(Kaggle(), folder, NAME)


def test_an_address_that_is_none_is_not_shown(kaggle_server: KaggleServer, folder: Path) -> None:
    answer = Answer(b'{"versionNumber": 4, "url": "/code/x", "ref": "/code/x"}')
    kaggle_server.kaggle.fail("SaveKernel", answer, times=1)
    assert push_notebook(Kaggle(), folder, NAME) == PushedNotebook(ADDRESS, 4)
