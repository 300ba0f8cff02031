"""What tests of the stage submit share."""

from pathlib import Path

import pytest

from pipeline.plan.plan import Plan, Source
from pipeline.plan.workspace import Workspace
from pipeline.recipes.file import find_recipe
from tests.kaggle_server import KaggleServer
from tests.submit_case import ROWS, RUN, Case


@pytest.fixture
def case(kaggle_server: KaggleServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Case:
    """A run whose CSV may be sent; it is short, and the stage takes that for the full length."""
    monkeypatch.setattr("pipeline.stages.submit.COMPETITION_ROWS", ROWS)
    workspace = Workspace(tmp_path / "data", tmp_path / "submissions")
    recipe = find_recipe("mlp")
    case = Case(
        Plan(workspace, Source("kaggle", "kaggle"), recipe, None, (), RUN), kaggle_server.kaggle
    )
    case.put_rows(ROWS)
    return case
