"""The competition's files through the real kaggle package."""

from pathlib import Path

import pytest

from pipeline.digits.sources import Fetched, competition
from pipeline.plan.plan import make_plan
from pipeline.stages.download import ROWS, download
from pipeline.system.errors import PipelineError
from tests import csv_files
from tests.kaggle_server import KaggleServer
from tests.stress import zips

NAMES = ["sample_submission.csv", "test.csv", "train.csv"]


def test_exactly_the_three_files_are_unpacked(kaggle_server: KaggleServer, tmp_path: Path) -> None:
    contents = {name: name.encode() for name in NAMES}
    kaggle_server.kaggle.competition_zip = tmp_path / "served.zip"
    kaggle_server.kaggle.competition_zip.write_bytes(zips.packed({**contents, "more.csv": b"1"}))
    (tmp_path / "into").mkdir()
    fetched = competition.fetch(tmp_path / "into")
    assert fetched == Fetched("competition", "https://www.kaggle.com/competitions/digit-recognizer")
    assert {path.name: path.read_bytes() for path in (tmp_path / "into").iterdir()} == contents


def test_a_zip_without_the_files_leaves_nothing(
    kaggle_server: KaggleServer, tmp_path: Path
) -> None:
    with pytest.raises(PipelineError, match=r"^The zip that Kaggle sent does not hold test\.csv"):
        competition.fetch(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def served(kaggle_server: KaggleServer, tmp_path: Path) -> None:
    """Kaggle offers a competition of few rows."""
    folder = csv_files.competition_folder(tmp_path / "competition")
    packed = zips.packed({name: (folder / name).read_bytes() for name in NAMES})
    kaggle_server.kaggle.competition_zip = tmp_path / "served.zip"
    kaggle_server.kaggle.competition_zip.write_bytes(packed)


@pytest.mark.usefixtures("served")
def test_the_stage_download_takes_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ROWS, "kaggle", {"train.csv": 40, "test.csv": 20})
    plan = make_plan(data=tmp_path / "data")
    assert plan.source.kind == "kaggle"  # because there are credentials
    result = download(plan)
    assert (result.kind, result.train_rows, result.test_rows) == ("competition", 40, 20)


@pytest.mark.usefixtures("served")
def test_too_few_rows_are_refused(tmp_path: Path) -> None:
    plan = make_plan(data=tmp_path / "data")
    with pytest.raises(PipelineError, match=r"train\.csv has 40 rows instead of 42,000"):
        download(plan)
    assert not plan.workspace.raw("kaggle").folder.exists()
