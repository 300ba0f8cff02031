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
        ("", "tcp://host:65536", "DASK=tcp://host:65536: not the address of a scheduler"),
        ("", "wss://host:8786", "DASK=wss://host:8786: not the address of a scheduler"),
        ("", "ucx://host:8786", "DASK=ucx://host:8786: not the address of a scheduler"),
    ],
)
def test_a_wrong_choice_is_refused(name: str, address: str, text: str) -> None:
    with pytest.raises(PipelineError, match=text):
        make_executor(name, address)


@pytest.mark.parametrize("package", ["distributed", "cryptography"])
def test_a_package_that_is_missing_is_named(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == package else find(name)
    )
    with pytest.raises(PipelineError, match=f"{package} is not installed") as error:
        make_executor("dask", None)
    assert "make install EXECUTOR=dask" in error.value.remedy


def test_the_command_line_says_it_in_a_line() -> None:
    done = CliRunner().invoke(main, ["train"], env={"DIGITS_EXECUTOR": "ray"})
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.splitlines()[0] == "Error: EXECUTOR=ray: no such executor"


def test_make_installs_what_the_executor_needs(tmp_path: Path) -> None:
    checkout = copy_code(tmp_path / "checkout")
    for given, extras in (
        (["EXECUTOR=dask"], "dask"),
        (["DASK=tcp://host:8786"], "dask"),
        (["DASK=tcp://host:8786", "TRACK=mlflow"], "mlflow dask"),
        (["DASK=tcp://host:8786", "EXECUTOR=local"], ""),
        (["EXECUTOR=ray"], ""),
    ):
        for target, venv in (("install", ""), ("train", ".venv")):
            output = checkout.make("-n", target, *given, f"VENV={venv}").output
            installed = output.splitlines()[0].rpartition('installation "$DIGITS_VENV"')[2]
            assert installed.split() == extras.split()
