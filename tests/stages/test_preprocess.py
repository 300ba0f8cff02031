"""CSV files become arrays, whole and checked; or one line says why not, and nothing is left."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pipeline.digits import csv_reader, dataset, folds
from pipeline.plan.plan import Plan, make_plan
from pipeline.plan.workspace import ProcessedFolder, RawFolder, Workspace
from pipeline.stages.download import download
from pipeline.stages.preprocess import preprocess
from pipeline.system.errors import PipelineError
from pipeline.system.files import read_json, sha256, write_json
from tests import csv_files
from tests.practice_case import split_place

Lines = list[str]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return csv_files.competition_folder(tmp_path / "mine")


@pytest.fixture
def plan(tmp_path: Path, folder: Path) -> Plan:
    return make_plan(
        source=str(folder), data=tmp_path / "data", submissions=tmp_path / "sub", environment={}
    )


def raw_of(plan: Plan) -> RawFolder:
    return plan.workspace.raw(plan.source.name)


def processed_of(plan: Plan) -> ProcessedFolder:
    return plan.workspace.processed(plan.source.name)


def test_arrays_and_their_record(plan: Plan, folder: Path) -> None:
    download(plan)
    result = preprocess(plan)
    assert not result.unchanged
    assert (result.train_rows, result.test_rows) == (40, 20)
    assert result.class_counts == (4,) * 10
    digits = dataset.load_labelled(processed_of(plan))
    table = np.loadtxt(folder / "train.csv", delimiter=",", skiprows=1, dtype=np.int64)
    np.testing.assert_array_equal(digits.labels, table[:, 0])
    np.testing.assert_array_equal(digits.images.reshape(40, 784), table[:, 1:])
    table = np.loadtxt(folder / "test.csv", delimiter=",", skiprows=1, dtype=np.int64)
    np.testing.assert_array_equal(
        dataset.load_test_images(processed_of(plan)).reshape(20, 784), table
    )
    record = read_json(processed_of(plan).manifest)
    assert record["raw"] == read_json(raw_of(plan).manifest)
    assert record["inputs"] == {
        "train.csv": sha256(folder / "train.csv"),
        "test.csv": sha256(folder / "test.csv"),
        "reading": csv_reader.VERSION,
    }
    for name, entry in record["arrays"].items():
        assert entry["sha256"] == sha256(processed_of(plan).folder / f"{name}.npy")
    assert record["arrays"]["train_images"]["shape"] == [40, 28, 28]


def test_real_digits(practice_workspace: Workspace) -> None:
    digits = dataset.load_labelled(practice_workspace.processed("practice"))
    # White ink on black: the border is empty, the middle is not.
    assert digits.images[:, 0].max() == 0
    assert digits.images[:, 14].mean() > 50
    assert digits.images.max() == 255


def test_without_raw_data_the_stage_to_run_is_named(plan: Plan) -> None:
    with pytest.raises(PipelineError) as caught:
        preprocess(plan)
    name = plan.source.name
    assert str(caught.value) == (
        f"There is no raw data of source {name} ({raw_of(plan).folder})\nRun: make download"
    )
    assert not processed_of(plan).folder.parent.exists()


def test_a_second_time_nothing_is_done(plan: Plan) -> None:
    download(plan)
    first = preprocess(plan)
    processed = processed_of(plan)
    for path in (processed.manifest, processed.train_images):
        os.utime(path, ns=(1, 1))
    second = preprocess(plan)
    assert second.unchanged
    assert (second.train_rows, second.class_counts) == (first.train_rows, first.class_counts)
    assert processed.train_images.stat().st_mtime_ns == 1
    assert processed.manifest.stat().st_mtime_ns == 1
    assert not preprocess(plan, force=True).unchanged


def test_a_missing_array_is_made_again(plan: Plan) -> None:
    download(plan)
    preprocess(plan)
    processed_of(plan).test_images.unlink()
    assert not preprocess(plan).unchanged
    dataset.load_labelled(processed_of(plan))


def test_other_raw_data_is_processed_anew(plan: Plan, folder: Path) -> None:
    download(plan)
    preprocess(plan)
    csv_files.write(folder / "train.csv", csv_files.lines(50, labelled=True))
    download(plan)
    result = preprocess(plan)
    assert not result.unchanged
    assert result.train_rows == 50


def test_splits_stay_with_their_labels(plan: Plan, folder: Path) -> None:
    download(plan)
    preprocess(plan)
    path = folds.hold_out(*split_place(processed_of(plan)), size=0.5, seed=0).path
    os.utime(path, ns=(1, 1))
    csv_files.write(folder / "test.csv", csv_files.lines(21, labelled=False))
    (folder / "sample_submission.csv").unlink()
    download(plan)
    preprocess(plan)
    assert path.stat().st_mtime_ns == 1
    csv_files.write(folder / "train.csv", csv_files.lines(50, labelled=True))
    download(plan)
    preprocess(plan)
    assert not path.exists()


def with_value(line: int, column: int, value: str) -> Callable[[Lines], Lines]:
    """A change that puts ``value`` into the 1-based line and 0-based column."""

    def change(lines: Lines) -> Lines:
        fields = lines[line - 1].split(",")
        fields[column] = value
        return [*lines[: line - 1], ",".join(fields), *lines[line:]]

    return change


@pytest.mark.parametrize(
    ("file", "change", "message"),
    [
        (
            "train.csv",
            with_value(17, 4, "256"),
            ", line 17, column pixel3: '256' is outside 0 to 255",
        ),
        (
            "train.csv",
            with_value(41, 784, "-3"),
            ", line 41, column pixel783: '-3' is outside 0 to",
        ),
        ("train.csv", with_value(2, 0, "10"), ", line 2, column label: '10' is outside 0 to 9"),
        (
            "train.csv",
            with_value(9, 1, "1.5"),
            ", line 9, column pixel0: '1.5' is not a whole number",
        ),
        (
            "test.csv",
            with_value(9, 0, "abc"),
            ", line 9, column pixel0: 'abc' is not a whole number",
        ),
        (
            "test.csv",
            with_value(21, 783, ""),
            ", line 21, column pixel783: '' is not a whole number",
        ),
        (
            "train.csv",
            lambda lines: [*lines[:5], lines[5].rpartition(",")[0], *lines[6:]],
            ", line 6: 784 values instead of 785",
        ),
        (
            "train.csv",
            lambda lines: [lines[0], *(f"{line},0" for line in lines[1:])],
            ", line 2: 786 values instead of 785",
        ),
    ],
)
def test_a_fault_is_named_and_nothing_is_left(
    plan: Plan, folder: Path, file: str, change: Callable[[Lines], Lines], message: str
) -> None:
    (folder / "sample_submission.csv").unlink()
    lines = (folder / file).read_text().splitlines()
    csv_files.write(folder / file, change(lines))
    download(plan)
    with pytest.raises(PipelineError) as caught:
        preprocess(plan)
    assert caught.value.message.startswith(f"{raw_of(plan).folder / file}{message}")
    assert "\n" not in caught.value.message
    assert str(folder) in caught.value.remedy
    processed = processed_of(plan)
    lock = f".{processed.folder.name}.lock"
    assert [path.name for path in processed.folder.parent.iterdir()] == [lock]


def test_a_failure_leaves_the_old_arrays(plan: Plan, folder: Path) -> None:
    download(plan)
    preprocess(plan)
    before = sha256(processed_of(plan).train_images)
    lines = (folder / "train.csv").read_text().splitlines()
    csv_files.write(folder / "train.csv", with_value(3, 3, "x")(lines))
    download(plan)
    with pytest.raises(PipelineError):
        preprocess(plan)
    assert sha256(processed_of(plan).train_images) == before


def test_a_file_cut_within_its_last_row(plan: Plan, folder: Path) -> None:
    train = folder / "train.csv"
    train.write_bytes(train.read_bytes()[:-1000])
    download(plan)
    with pytest.raises(PipelineError, match=r"line 41: \d+ values .* ends in the middle of this"):
        preprocess(plan)


@pytest.mark.parametrize("name", ["train.csv", "test.csv"])
def test_raw_data_changed_by_hand_is_refused(plan: Plan, name: str) -> None:
    download(plan)
    path = raw_of(plan).folder / name
    lines = path.read_text().splitlines()
    csv_files.write(path, with_value(5, 5, "77")(lines))
    with pytest.raises(PipelineError) as caught:
        preprocess(plan)
    assert str(caught.value) == (
        f"{path} has been changed since it was downloaded: its checksum differs\n"
        "Run: make download FORCE=1"
    )
    assert not processed_of(plan).folder.exists()


def test_rows_that_were_counted_otherwise_before(plan: Plan) -> None:
    """A record of a version that took a blank line for a row."""
    download(plan)
    manifest = read_json(raw_of(plan).manifest)
    manifest["files"]["train.csv"]["rows"] += 1
    write_json(raw_of(plan).manifest, manifest)
    with pytest.raises(PipelineError) as caught:
        preprocess(plan)
    assert str(caught.value) == (
        f"{raw_of(plan).train} has 40 rows, but 41 were counted when it was downloaded\n"
        "Run: make download FORCE=1"
    )


@pytest.mark.parametrize("rows", [19, 21])
def test_raw_data_of_other_length_is_refused(plan: Plan, rows: int) -> None:
    download(plan)
    path = csv_files.write(raw_of(plan).test, csv_files.lines(rows, labelled=False))
    with pytest.raises(PipelineError, match=rf"^{path} has been changed since it was downloaded"):
        preprocess(plan)
    assert not processed_of(plan).folder.exists()


def test_raw_data_that_lost_a_file(plan: Plan) -> None:
    download(plan)
    raw_of(plan).test.unlink()
    with pytest.raises(PipelineError, match=r"test.csv cannot be read: No such file"):
        preprocess(plan)


def test_sources_are_kept_apart(plan: Plan, folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "other" / folder.name)
    other = make_plan(
        source=str(tmp_path / "other" / folder.name),
        data=tmp_path / "data",
        submissions=tmp_path / "sub",
        environment={},
    )
    for each in (plan, other):
        download(each)
        preprocess(each)
    assert processed_of(plan).folder != processed_of(other).folder
