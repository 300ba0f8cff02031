"""The measurement of many digits: its digits, its eye for memory, its page and its picture."""

import sys
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from benchmarks import process_memory, scale, scale_digits
from benchmarks.process_memory import Measured
from benchmarks.scale_page import (
    Point,
    Size,
    draw,
    own_bytes_at,
    seconds_at,
    write_page,
)
from pipeline.cli import main
from pipeline.kaggle.submission_csv import check_submission
from tests.csv_files import read_digits
from tests.practice_case import REPOSITORY, environment

MEGABYTE = 10**6
only_linux = pytest.mark.skipif(
    not Path("/proc/self/smaps_rollup").exists(), reason="memory is told by Linux's /proc"
)


def make_size(factor: int, *, own_bytes: int = 100 * MEGABYTE) -> Size:
    rows = 1_000 * factor
    points = tuple(
        Point(stage, rows, 2 + rows / 500, own_bytes, 3 * own_bytes) for stage in ("train", "x|y")
    )
    return Size(rows, 0, points, rows * 2_000, rows * 785, 0.9)


@pytest.fixture
def page(tmp_path: Path) -> Path:
    path = tmp_path / "scale.md"
    path.write_text("# Title\n\n<!-- scale -->\nold\n<!-- /scale -->\n\nend\n", encoding="utf-8")
    return path


def test_generated_digits_are_the_competition_s_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scale_digits, "BLOCK_ROWS", 40)
    for name in ("a", "b"):
        scale_digits.write_digits(tmp_path / name, training_rows=100, test_rows=50, seed=3)
    train = read_digits(tmp_path / "a" / "train.csv", labelled=True)
    test = read_digits(tmp_path / "a" / "test.csv", labelled=False)
    assert (len(train.images), len(test.images)) == (100, 50)
    assert set(train.labels.tolist()) == set(range(10))
    assert check_submission(tmp_path / "a" / "sample_submission.csv", test_rows=50) == 50
    # Ink in the middle, none in the corners, and no digit twice.
    assert train.images[:, 10:18, 10:18].mean() > 50
    assert train.images[:, :2, :2].max() == 0
    assert len(np.unique(train.images.reshape(100, -1), axis=0)) == 100
    for name in ("train.csv", "test.csv"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


@only_linux
def test_memory_of_children_counts_and_that_of_mapped_files_does_not(tmp_path: Path) -> None:
    mapped = tmp_path / "mapped"
    mapped.write_bytes(bytes(60 * MEGABYTE))
    code = f"""
import mmap, os, time
own = b"x" * {40 * MEGABYTE}
shared = mmap.mmap(-1, {20 * MEGABYTE})
shared[:] = own[: len(shared)]
if os.fork() == 0:
    child = b"y" * {30 * MEGABYTE}
    seen = shared[:]
    del seen
    time.sleep(1.5)
    os._exit(0)
with open({str(mapped)!r}, "rb") as file:
    view = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    pages = sum(view[place] for place in range(0, len(view), 4096))
os.wait()
"""
    found = process_memory.run([sys.executable, "-c", code], environment(), tmp_path)
    assert found.seconds > 1.5
    # 40 + 30 of their own, 20 shared, and some for two interpreters.
    assert 90 * MEGABYTE < found.own_bytes < 140 * MEGABYTE
    assert found.resident_bytes > 150 * MEGABYTE


@only_linux
def test_a_command_that_fails_says_why(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="no such thing"):
        process_memory.run(
            [sys.executable, "-c", "raise SystemExit('no such thing')"], environment(), tmp_path
        )


def test_growth_is_told_by_lines() -> None:
    points = [point for factor in (1, 10, 100) for point in make_size(factor).points[:1]]
    assert seconds_at(points, 10**6) == pytest.approx(2 + 10**6 / 500)
    assert own_bytes_at(points, 10**6) == 100 * MEGABYTE
    grown = [points[0], make_size(10, own_bytes=109 * MEGABYTE).points[0]]
    assert own_bytes_at(grown, 100_000) == pytest.approx(199 * MEGABYTE)


def test_the_page_has_tables_between_its_markers(page: Path, tmp_path: Path) -> None:
    sizes = [make_size(1), make_size(10, own_bytes=130 * MEGABYTE)]
    write_page(sizes, page=page, figure=tmp_path / "scale.svg")
    text = page.read_text(encoding="utf-8")
    assert text.startswith("# Title\n\n<!-- scale -->\n")
    assert text.endswith("\n<!-- /scale -->\n\nend\n")
    assert "old" not in text
    assert "](scale.svg)\n" in text
    assert "| train | 1,000 | 4.0 | 4000 | 100 MB | 1.00 | 300 MB |" in text
    assert "|  | 10,000 | 22.0 | 2200 | 130 MB | 1.30 | 390 MB |" in text
    assert "grows by more than a fifth: train (1.30), x|y (1.30)." in text
    assert "| train | 8,100,000 | 4.5 h | 27097 MB |" in text
    assert "the CSV file would have 16.2 GB, the arrays 6.4 GB" in text
    with pytest.raises(ValueError, match="must hold the markers"):
        write_page(sizes, page=tmp_path / "scale.svg", figure=tmp_path / "other.svg")


def test_the_picture_is_sound_and_the_same_each_time() -> None:
    sizes = [make_size(1), make_size(10)]
    svg = draw(sizes)
    assert svg == draw(sizes)
    root = ET.fromstring(svg.encode())
    texts = {element.text for element in root.iter() if element.text}
    assert {"train", "x|y", "seconds", "rows"} <= texts
    assert "prefers-color-scheme:dark" in svg


@only_linux
def test_the_command_runs_every_stage_and_writes_the_page(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = []

    def run(command: Sequence[str], environment: Mapping[str, str], cwd: Path) -> Measured:
        """In this process, which has its libraries loaded already."""
        assert cwd == REPOSITORY
        result = CliRunner().invoke(main, list(command[3:]), env=dict(environment))
        assert result.exit_code == 0, result.output
        ran.append(command[3])
        return Measured(1.0 + len(ran), 10**8, 10**8)

    monkeypatch.setattr(process_memory, "run", run)
    monkeypatch.setattr(scale, "MOST_CONVOLUTIONAL", 1)
    arguments = ["--rows", "100", "--factors", "1", "2", "--tries", "1", "--folder", str(tmp_path)]
    figure = tmp_path / "scale.svg"
    monkeypatch.setattr(
        sys, "argv", ["scale", *arguments, "--page", str(page), "--figure", str(figure)]
    )
    scale.main()
    stages = ["download", "preprocess", "train", "validate", "submission"]
    assert ran == [*stages, "train", *stages]
    text = page.read_text(encoding="utf-8")
    for stage in stages:
        assert f"| {stage} | " in text
    assert figure.exists()
    assert not list(tmp_path.glob("digits-scale-*"))
