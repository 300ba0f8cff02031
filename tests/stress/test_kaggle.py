"""The short form: one case for each request and what is told of it, within this process."""

from pathlib import Path

import pytest

from tests.kaggle_api import zip_bytes
from tests.stress.kaggle_case import Case, in_this_process, prepare, run_case
from tests.stress.kaggle_table import DOWNLOADED, all_cases


def representatives() -> list[Case]:
    chosen: dict[tuple[str, str, str], Case] = {}
    for case in all_cases():
        if case.says != DOWNLOADED:  # which takes a second for all the rows; other tests have it
            chosen.setdefault((case.command, case.at, case.says), case)
    return list(chosen.values())


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("kaggle")
    small = folder / "small.zip"
    small.write_bytes(zip_bytes())
    prepare(folder, small)
    return folder


@pytest.mark.parametrize(
    "case", representatives(), ids=lambda case: f"{case.command}, {case.fault}"
)
def test_a_fault_comes_to_what_is_expected(prepared: Path, case: Case) -> None:
    assert run_case(case, prepared, in_this_process).faults == []


def test_cases_have_names_of_their_own() -> None:
    names = [(case.fault, case.command) for case in all_cases()]
    assert len(set(names)) == len(names) > 187
