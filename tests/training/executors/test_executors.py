"""Where to train is chosen by name, and what is wrong with the choice is said before any work."""

import importlib.util
from pathlib import Path

import pytest
from click.testing import CliRunner

from pipeline.cli import main
from pipeline.system.errors import PipelineError
from pipeline.training.executors import make_executor
from tests.make_case import copy_code


def test_the_default_is_local_and_an_address_means_dask() -> None:
    assert make_executor(None, None).one_by_one
    assert make_executor("", "").one_by_one
    assert make_executor("local", "tcp://host:8786").one_by_one
    assert not make_executor("", "tcp://host:8786").one_by_one
    assert not make_executor("dask", "").one_by_one


@pytest.mark.parametrize(
    ("name", "address", "text"),
    [
        ("ray", "", "EXECUTOR=ray: no such executor"),
        ("dask", "host:8786", "DASK=host:8786: not the address of a scheduler"),
        ("", "tcp://host", "DASK=tcp://host: not the address of a scheduler"),
    ],
)
def test_a_wrong_choice_is_refused(name: str, address: str, text: str) -> None:
    with pytest.raises(PipelineError, match=text):
        make_executor(name, address)


def test_a_package_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "distributed" else find(name)
    )
    with pytest.raises(PipelineError, match="distributed is not installed") as error:
        make_executor("dask", None)
    assert "make install EXECUTOR=dask" in error.value.remedy


def test_the_command_line_says_it_in_a_line() -> None:
    done = CliRunner().invoke(main, ["train"], env={"DIGITS_EXECUTOR": "ray"})
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.splitlines()[0] == "Error: EXECUTOR=ray: no such executor"


def test_make_installs_what_the_executor_needs(tmp_path: Path) -> None:
    checkout = copy_code(tmp_path / "checkout")
    for given, extras in (
        (["EXECUTOR=dask"], ".[dask]"),
        (["DASK=tcp://host:8786"], ".[dask]"),
        (["DASK=tcp://host:8786", "TRACK=mlflow"], ".[mlflow,dask]"),
        (["DASK=tcp://host:8786", "EXECUTOR=local"], "."),
        (["EXECUTOR=ray"], "."),
    ):
        output = checkout.make("-n", "install", *given, "VENV=").output
        assert f"--editable '{extras}'\n" in output
        output = checkout.make("-n", "train", *given, "VENV=.venv").output
        assert ("--editable '.[dask]'\n" in output) == ("dask" in extras)
