"""The short form: a few of the faults, with the command as a process."""

from pathlib import Path

import pytest

from tests.kaggle_api import zip_bytes
from tests.stress.kaggle import all_cases
from tests.stress.kaggle_case import prepare, run_case

CHOSEN = (
    "307 to another host at login",
    "an answer with control characters, a token and no end",
    "TLS to a port that does not speak it",
    "a number that is a text when the submission is made",
    "an empty object when the score is asked for",
    "a version that is a text when a notebook is pushed",
)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("kaggle")
    small = folder / "small.zip"
    small.write_bytes(zip_bytes())
    prepare(folder, small)
    return folder


@pytest.mark.parametrize("fault", CHOSEN)
def test_a_fault_comes_to_what_is_expected(prepared: Path, fault: str) -> None:
    (case,) = [case for case in all_cases() if case.fault == fault]
    assert run_case(case, prepared).faults == []


def test_cases_have_names_of_their_own() -> None:
    names = [(case.fault, case.command) for case in all_cases()]
    assert len(set(names)) == len(names) > 100
