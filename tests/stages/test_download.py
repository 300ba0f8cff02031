"""Raw data is put in place whole and verified, or not at all; then it stays as it is."""

import os
import shutil
from pathlib import Path

import pytest

from pipeline.digits.sources import Fetched, competition, mnist_csv
from pipeline.plan.plan import Plan, make_plan
from pipeline.stages.download import DownloadResult, download
from pipeline.system.errors import PipelineError
from pipeline.system.files import read_json, sha256
from tests import csv_files


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return csv_files.competition_folder(tmp_path / "mine")


def plan_for(tmp_path: Path, source: str | Path) -> Plan:
    return make_plan(
        source=str(source), data=tmp_path / "data", submissions=tmp_path / "sub", environment={}
    )


def get(tmp_path: Path, source: str | Path, *, force: bool = False) -> DownloadResult:
    return download(plan_for(tmp_path, source), force=force)


def refusal(tmp_path: Path, source: str | Path) -> str:
    """The message of a download that must fail, and that must leave nothing."""
    before = raw_files(tmp_path)
    with pytest.raises(PipelineError) as caught:
        get(tmp_path, source, force=True)
    assert raw_files(tmp_path) == before
    return str(caught.value)


def raw_files(tmp_path: Path) -> dict[Path, bytes]:
    """Everything under data/raw but the locks."""
    found = (tmp_path / "data").rglob("*")
    return {path: path.read_bytes() for path in found if path.is_file() and path.suffix != ".lock"}


def test_files_and_their_record(tmp_path: Path, folder: Path) -> None:
    result = get(tmp_path, folder)
    assert not result.unchanged
    assert (result.kind, result.origin) == ("competition", str(folder))
    assert (result.train_rows, result.test_rows) == (40, 20)
    assert not result.has_answer_key
    manifest = read_json(result.folder / "manifest.json")
    assert manifest["stage"] == "download"
    assert manifest["source"] == "path"
    assert set(manifest["files"]) == {"train.csv", "test.csv", "sample_submission.csv"}
    for name, entry in manifest["files"].items():
        path = result.folder / name
        assert path.read_bytes() == (folder / name).read_bytes()
        assert entry["sha256"] == sha256(path)
        assert entry["bytes"] == path.stat().st_size
    assert manifest["files"]["sample_submission.csv"]["rows"] == 20
    # Only what is meant to be there: no leftovers of the way it came.
    assert {path.name for path in result.folder.parent.iterdir()} == {
        result.folder.name,
        f".{result.folder.name}.lock",
    }


def test_a_second_download_does_nothing(tmp_path: Path, folder: Path) -> None:
    first = get(tmp_path, folder)
    files = raw_files(tmp_path)
    manifest, train = first.folder / "manifest.json", first.folder / "train.csv"
    for path in (manifest, train):
        os.utime(path, ns=(1, 1))
    second = get(tmp_path, folder)
    assert second.unchanged
    assert (second.train_rows, second.kind) == (40, "competition")
    assert raw_files(tmp_path) == files
    assert train.stat().st_mtime_ns == 1
    assert manifest.stat().st_mtime_ns == 1


def test_forced_it_is_done_again(tmp_path: Path, folder: Path) -> None:
    first = get(tmp_path, folder)
    (first.folder / "train.csv").write_text("broken since")
    assert not get(tmp_path, folder, force=True).unchanged
    assert (first.folder / "train.csv").read_bytes() == (folder / "train.csv").read_bytes()


@pytest.mark.parametrize("name", ["test.csv", "sample_submission.csv", "manifest.json"])
def test_a_file_gone_missing_is_fetched_again(tmp_path: Path, folder: Path, name: str) -> None:
    first = get(tmp_path, folder)
    (first.folder / name).unlink()
    assert not get(tmp_path, folder).unchanged
    assert (first.folder / name).exists()


def test_the_user_s_changed_files_are_copied_again(tmp_path: Path, folder: Path) -> None:
    get(tmp_path, folder)
    csv_files.write(folder / "train.csv", csv_files.lines(50, labelled=True))
    result = get(tmp_path, folder)
    assert not result.unchanged
    assert result.train_rows == 50


def test_the_copy_outlives_the_user_s_files(tmp_path: Path, folder: Path) -> None:
    plan = plan_for(tmp_path, folder)
    download(plan)
    shutil.rmtree(folder)
    assert download(plan).unchanged
    with pytest.raises(PipelineError, match="no such file or folder"):
        download(plan, force=True)
    assert download(plan).unchanged


def test_a_failing_download_leaves_the_old_files(tmp_path: Path, folder: Path) -> None:
    get(tmp_path, folder)
    (folder / "train.csv").write_text("<html>")
    assert refusal(tmp_path, folder) == f"{folder}/train.csv is a web page, not CSV"


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("train.csv", "", "train.csv is empty"),
        ("train.csv", "a,b\n1,2\n", "train.csv, line 1: column 1 is 'a' instead of 'label'"),
        ("test.csv", "<html>", "test.csv is a web page, not CSV"),
        (
            "sample_submission.csv",
            "ImageId,Label\n1,0\n",
            "sample_submission.csv ends after line 2: it has 1 rows, but test.csv has 20; "
            "ImageId 2, 3, 4 and 16 more are missing",
        ),
        (
            "sample_submission.csv",
            "ImageId,Label\n1,0\n1,0\n",
            "sample_submission.csv, line 3: ImageId 1 is there for the second time",
        ),
    ],
)
def test_bad_files_are_named_as_the_user_knows_them(
    tmp_path: Path, folder: Path, file: str, content: str, message: str
) -> None:
    (folder / file).write_text(content)
    assert refusal(tmp_path, folder) == f"{folder}/{message}"


def test_blank_lines_at_the_end_are_no_digits(tmp_path: Path, folder: Path) -> None:
    for name in ("train.csv", "test.csv", "sample_submission.csv"):
        text = (folder / name).read_text()
        (folder / name).write_text(f"\ufeff{text}\n\n", encoding="utf-8")
    result = get(tmp_path, folder)
    assert (result.train_rows, result.test_rows) == (40, 20)
    manifest = read_json(result.folder / "manifest.json")
    assert manifest["files"]["sample_submission.csv"]["rows"] == 20
    for name in manifest["files"]:  # as they came
        assert (result.folder / name).read_bytes() == (folder / name).read_bytes()


def test_a_blank_line_between_digits(tmp_path: Path, folder: Path) -> None:
    lines = csv_files.lines(20, labelled=False)
    csv_files.write(folder / "test.csv", [*lines[:3], "", *lines[3:]])
    assert refusal(tmp_path, folder) == f"{folder}/test.csv, line 4: the line is blank"


def test_a_header_without_rows(tmp_path: Path, folder: Path) -> None:
    csv_files.write(folder / "test.csv", csv_files.lines(0, labelled=False))
    assert refusal(tmp_path, folder) == f"{folder}/test.csv has no rows below its header"


def test_train_and_test_interchanged(tmp_path: Path, folder: Path) -> None:
    (folder / "train.csv").rename(folder / "other")
    (folder / "test.csv").rename(folder / "train.csv")
    (folder / "other").rename(folder / "test.csv")
    assert refusal(tmp_path, folder).startswith(
        f"{folder}/train.csv, line 1: column 1 is 'pixel0' instead of 'label'"
    )


def give(monkeypatch: pytest.MonkeyPatch, module: object, *, train: int, test: int) -> None:
    """Let a source give files with so many rows."""

    def fetch(into: Path, **_: object) -> Fetched:
        header = {name: csv_files.lines(1, labelled=name == "train.csv") for name in files}
        for name, rows in files.items():
            first, row = header[name]
            (into / name).write_text("\n".join([first, *[row] * rows]))
        return Fetched("competition", "there")

    files = {"train.csv": train, "test.csv": test}
    monkeypatch.setattr(module, "fetch", fetch)


@pytest.mark.parametrize(
    ("source", "module", "train"),
    [("kaggle", competition, 42_000), ("mnist-csv", mnist_csv, 60_000)],
)
def test_rows_must_be_as_many_as_are_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, module: object, train: int
) -> None:
    give(monkeypatch, module, train=3, test=1)
    assert refusal(tmp_path, source).startswith(
        f"there: train.csv has 3 rows instead of {train:,}\n"
    )


def test_a_row_short_of_the_competition_s_test_digits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    give(monkeypatch, competition, train=42_000, test=27_999)
    assert refusal(tmp_path, "kaggle").startswith(
        "there: test.csv has 27,999 rows instead of 28,000\n"
    )


def test_a_failing_source_is_an_error_never_another_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fetch(into: Path, **_: object) -> Fetched:
        (into / "train.csv").write_text("half a fi")
        raise PipelineError("Kaggle is down")

    monkeypatch.setattr(competition, "fetch", fetch)
    assert refusal(tmp_path, "kaggle") == "Kaggle is down"


def test_a_notebook_s_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    csv_files.competition_folder(tmp_path / "input" / "digit-recognizer")
    monkeypatch.setenv("DIGITS_KAGGLE_INPUT", str(tmp_path / "input"))
    assert "train.csv has 40 rows instead of 42,000" in refusal(tmp_path, "kaggle-notebook")
