"""The short form of the table of Kaggle's failures, within this process."""

from pathlib import Path

import pytest

from tests.kaggle_api import zip_bytes
from tests.stress.kaggle_case import Case, in_this_process, prepare, run_case
from tests.stress.kaggle_faults import DOWNLOADED
from tests.stress.kaggle_table import all_cases


def representatives() -> list[Case]:
    """A case for each request that can fail, and for each thing that is told of a command."""
    chosen: list[Case] = []
    seen: set[tuple[str, str]] = set()
    for case in all_cases():
        keys = {(case.command, case.at), (case.command, case.says)}
        # A success of download takes a second for all its rows; other tests have it.
        if case.says != DOWNLOADED and not keys <= seen:
            seen |= keys
            chosen.append(case)
    return chosen


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
