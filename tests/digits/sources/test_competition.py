"""The competition's files through the real kaggle package, at their full number of rows."""

import zipfile
from pathlib import Path

import pytest

from pipeline.digits.sources import Fetched, competition
from pipeline.plan.plan import make_plan
from pipeline.stages.download import download
from pipeline.system.errors import PipelineError
from tests.kaggle_api import KEY, USERNAME, Status, Truncated
from tests.kaggle_server import KaggleServer
from tests.listeners import heard_by

NAMES = ["sample_submission.csv", "test.csv", "train.csv"]
RULES = "https://www.kaggle.com/competitions/digit-recognizer/rules"


def test_exactly_the_three_files_are_unpacked(
    kaggle_server: KaggleServer, competition_zip: Path, tmp_path: Path
) -> None:
    kaggle_server.kaggle.competition_zip = competition_zip
    fetched = competition.fetch(tmp_path)
    assert fetched == Fetched("competition", "https://www.kaggle.com/competitions/digit-recognizer")
    assert sorted(path.name for path in tmp_path.iterdir()) == NAMES
    with zipfile.ZipFile(competition_zip) as packed:
        assert (tmp_path / "test.csv").read_bytes() == packed.read("test.csv")


def test_a_zip_without_the_files_leaves_nothing(
    kaggle_server: KaggleServer, tmp_path: Path
) -> None:
    with pytest.raises(PipelineError, match=r"^The zip that Kaggle sent does not hold test\.csv"):
        competition.fetch(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("style", ["token", "key"])
def test_the_stage_download_takes_them(
    kaggle_server: KaggleServer,
    competition_zip: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    style: str,
) -> None:
    if style == "key":
        monkeypatch.delenv("KAGGLE_API_TOKEN")
        monkeypatch.setenv("KAGGLE_USERNAME", USERNAME)
        monkeypatch.setenv("KAGGLE_KEY", KEY)
    kaggle_server.kaggle.competition_zip = competition_zip
    plan = make_plan(data=tmp_path / "data")
    assert plan.source.kind == "kaggle"  # because there are credentials
    result = download(plan)
    assert (result.kind, result.train_rows, result.test_rows) == ("competition", 42_000, 28_000)


@pytest.mark.parametrize("failure", [Status(403, "You must accept the rules")], ids=repr)
def test_with_credentials_a_failure_is_an_error_and_leaves_no_raw_data(
    kaggle_server: KaggleServer, tmp_path: Path, failure: Status
) -> None:
    kaggle_server.kaggle.fail("DownloadDataFiles", failure)
    plan = make_plan(data=tmp_path / "data")
    with pytest.raises(PipelineError, match=RULES):
        download(plan)
    assert not plan.workspace.raw("kaggle").folder.exists()
    assert not list((tmp_path / "data").rglob("*.csv"))


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


def test_a_download_cut_short_in_silence_is_noticed(
    kaggle_server: KaggleServer, competition_zip: Path, tmp_path: Path
) -> None:
    kaggle_server.kaggle.competition_zip = competition_zip
    kaggle_server.kaggle.fail("GET", Truncated(announced=False), times=1)
    told: list[str] = []
    heard_by(told.append, competition.fetch, tmp_path)
    assert len(told) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == NAMES
