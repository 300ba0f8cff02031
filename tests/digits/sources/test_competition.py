"""The competition's files through the real kaggle package, at their full number of rows."""

import zipfile
from pathlib import Path

import pytest

from pipeline.digits.sources import Fetched, competition
from pipeline.plan.plan import make_plan
from pipeline.stages.download import download
from pipeline.system.errors import PipelineError
from tests.kaggle_server import KaggleServer

NAMES = ["sample_submission.csv", "test.csv", "train.csv"]


def test_exactly_the_three_files_are_unpacked(
    kaggle_server: KaggleServer, competition_zip: Path, tmp_path: Path
) -> None:
    kaggle_server.kaggle.competition_zip = competition_zip
    fetched = competition.fetch(tmp_path, tell=print)
    assert fetched == Fetched("competition", "https://www.kaggle.com/competitions/digit-recognizer")
    assert sorted(path.name for path in tmp_path.iterdir()) == NAMES
    with zipfile.ZipFile(competition_zip) as packed:
        assert (tmp_path / "test.csv").read_bytes() == packed.read("test.csv")


def test_a_zip_without_the_files_leaves_nothing(
    kaggle_server: KaggleServer, tmp_path: Path
) -> None:
    with pytest.raises(PipelineError, match=r"^The zip that Kaggle sent does not hold test\.csv"):
        competition.fetch(tmp_path, tell=print)
    assert list(tmp_path.iterdir()) == []


def test_the_stage_download_takes_them(
    kaggle_server: KaggleServer, competition_zip: Path, tmp_path: Path
) -> None:
    kaggle_server.kaggle.competition_zip = competition_zip
    plan = make_plan(data=tmp_path / "data")
    assert plan.source.kind == "kaggle"  # because there are credentials
    result = download(plan)
    assert (result.kind, result.train_rows, result.test_rows) == ("competition", 42_000, 28_000)


def test_too_few_rows_are_refused(kaggle_server: KaggleServer, tmp_path: Path) -> None:
    small = tmp_path / "small.zip"
    header = ",".join(f"pixel{pixel}" for pixel in range(784))
    row = ",".join("0" for _ in range(784))
    with zipfile.ZipFile(small, "w") as packed:
        packed.writestr("train.csv", f"label,{header}\n1,{row}\n")
        packed.writestr("test.csv", f"{header}\n{row}\n")
        packed.writestr("sample_submission.csv", "ImageId,Label\n1,0\n")
    kaggle_server.kaggle.competition_zip = small
    plan = make_plan(data=tmp_path / "data")
    with pytest.raises(PipelineError, match="42,000"):
        download(plan)
    assert not plan.workspace.raw("kaggle").folder.exists()
