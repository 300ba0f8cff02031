"""Splits are stratified, made once, kept, and refused when damaged."""

import shutil
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split

from pipeline.digits import folds
from pipeline.digits.folds import Split, find_split, hold_out, k_folds
from pipeline.plan.workspace import ProcessedFolder, Workspace
from pipeline.system.errors import PipelineError
from tests.practice_case import blank_half, split_place


@pytest.fixture
def processed(practice_workspace: Workspace, tmp_path: Path) -> ProcessedFolder:
    """A copy of the practice arrays without splits."""
    source = practice_workspace.processed("practice").folder
    shutil.copytree(source, tmp_path / "practice", ignore=shutil.ignore_patterns("folds"))
    return ProcessedFolder(tmp_path / "practice")


def place(folder: Path, labels: list[int]) -> tuple[NDArray[np.uint8], Path]:
    """Labels to split, and where splits are kept."""
    return np.array(labels, np.uint8), folder


@pytest.mark.parametrize(("size", "rows"), [(0.1, 300), (600, 600), (0.0333, 100)])
def test_a_hold_out_is_stratified_and_the_parts_are_all_rows(
    processed: ProcessedFolder, size: float, rows: int
) -> None:
    split = hold_out(*split_place(processed), size=size, seed=3)
    labels = np.load(processed.train_labels)
    assert split.hold_out_rows.dtype == split.training_rows.dtype == np.int32
    assert np.bincount(labels[split.hold_out_rows]).tolist() == [rows // 10] * 10
    both = np.concatenate([split.training_rows, split.hold_out_rows])
    np.testing.assert_array_equal(np.sort(both), np.arange(3000))
    for part in (split.training_rows, split.hold_out_rows):
        assert (np.diff(part) > 0).all()
    assert split.path.parent == processed.folds


@pytest.mark.parametrize("seed", [0, 1, 2**32 - 1])
@pytest.mark.parametrize("held_out", [10, 37, 500, 960])
@pytest.mark.parametrize("shares", [[1.0] * 10, [0.5, 0.2, 0.1, 0.1, 0.05, 0.05], [0.25] * 4])
def test_the_rows_held_out_are_those_that_scikit_learn_draws(
    tmp_path: Path, shares: list[float], held_out: int, seed: int
) -> None:
    weights = np.array(shares) / sum(shares)
    labels = np.random.default_rng(seed).choice(len(shares), 1000, p=weights)
    split = hold_out(*place(tmp_path, labels.tolist()), size=held_out, seed=seed)
    training, expected = train_test_split(
        np.arange(1000), test_size=held_out, stratify=labels, random_state=seed
    )
    np.testing.assert_array_equal(split.hold_out_rows, np.sort(expected))
    np.testing.assert_array_equal(split.training_rows, np.sort(training))


def test_a_hold_out_of_many_rows_takes_few_bytes_of_each(tmp_path: Path) -> None:
    labels = np.arange(400_000, dtype=np.int64) % 10
    tracemalloc.start()
    try:
        folds._draw_hold_out(labels.astype(np.uint8), 40_000, 0)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 10 * len(labels)


def test_k_folds_hold_every_row_out_once(processed: ProcessedFolder) -> None:
    splits = k_folds(*split_place(processed), folds=4, seed=0)
    labels = np.load(processed.train_labels)
    held_out = np.concatenate([split.hold_out_rows for split in splits])
    np.testing.assert_array_equal(np.sort(held_out), np.arange(3000))
    for split in splits:
        assert np.bincount(labels[split.hold_out_rows]).tolist() == [75] * 10
        both = np.concatenate([split.training_rows, split.hold_out_rows])
        np.testing.assert_array_equal(np.sort(both), np.arange(3000))
        assert split.path == splits[0].path


def test_a_split_is_drawn_once_and_then_read(
    processed: ProcessedFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = hold_out(*split_place(processed), size=0.1, seed=0)
    parts = k_folds(*split_place(processed), folds=3, seed=0)

    def never(*_: object) -> None:
        raise AssertionError("drawn again")

    monkeypatch.setattr(folds, "_draw_hold_out", never)
    monkeypatch.setattr(folds, "_draw_folds", never)
    again = hold_out(*split_place(processed), size=0.1, seed=0)
    np.testing.assert_array_equal(again.hold_out_rows, first.hold_out_rows)
    for before, after in zip(parts, k_folds(*split_place(processed), folds=3, seed=0), strict=True):
        np.testing.assert_array_equal(before.hold_out_rows, after.hold_out_rows)


def test_the_same_seed_draws_the_same_and_another_does_not(processed: ProcessedFolder) -> None:
    first = hold_out(*split_place(processed), size=0.1, seed=0)
    shutil.rmtree(processed.folds)
    again = hold_out(*split_place(processed), size=0.1, seed=0)
    other = hold_out(*split_place(processed), size=0.1, seed=1)
    np.testing.assert_array_equal(again.hold_out_rows, first.hold_out_rows)
    assert not np.array_equal(other.hold_out_rows, first.hold_out_rows)
    assert other.path != first.path


def test_sizes_that_differ_have_files_that_differ(processed: ProcessedFolder) -> None:
    sizes = [0.1, 0.10001, 0.1000000001, 300]
    paths = {hold_out(*split_place(processed), size=size, seed=0).path for size in sizes}
    assert len(paths) == len(sizes)


def draw_locked(processed: ProcessedFolder, kind: str, *, locked: float, seed: int = 0) -> Split:
    """The hold-out split, or the first of three folds."""
    place = split_place(processed)
    if kind == "hold-out":
        return hold_out(*place, size=0.1, seed=seed, locked=locked)
    return k_folds(*place, folds=3, seed=seed, locked=locked)[0]


@pytest.mark.parametrize("kind", ["hold-out", "folds"])
def test_a_locked_part_is_stratified_and_always_the_same(
    processed: ProcessedFolder, kind: str
) -> None:
    labels = np.load(processed.train_labels)
    split = draw_locked(processed, kind, locked=1 / 6)
    assert np.bincount(labels[split.locked_rows]).tolist() == [50] * 10
    held_out = {"hold-out": 250, "folds": 834}[kind]
    assert len(split.hold_out_rows) == held_out
    whole = np.concatenate([split.training_rows, split.hold_out_rows, split.locked_rows])
    np.testing.assert_array_equal(np.sort(whole), np.arange(3000))
    assert np.count_nonzero(np.load(split.path) == -1) == 500
    for other in (
        draw_locked(processed, kind, locked=1 / 6, seed=1),
        draw_locked(processed, "folds", locked=1 / 6, seed=2),
    ):
        np.testing.assert_array_equal(other.locked_rows, split.locked_rows)
        assert other.path != split.path


@pytest.mark.parametrize("kind", ["hold-out", "folds"])
def test_where_nothing_is_locked_the_file_is_the_one_of_old(
    processed: ProcessedFolder, kind: str
) -> None:
    split = draw_locked(processed, kind, locked=0.0)
    name = {"hold-out": "hold-out-0.1-seed0.npy", "folds": "folds-3-seed0.npy"}[kind]
    assert split.path.name == name
    assert len(split.locked_rows) == 0
    locked = draw_locked(processed, kind, locked=0.25)
    assert locked.path.name == name.replace(".npy", "-locked0.25.npy")


@pytest.mark.parametrize("kind", ["hold-out", "folds"])
def test_a_saved_split_with_another_locked_part_is_damaged(
    processed: ProcessedFolder, kind: str
) -> None:
    path = draw_locked(processed, kind, locked=0.25).path
    assignment = np.load(path)
    assignment[np.flatnonzero(assignment == -1)[0]] = 0
    np.save(path, assignment)
    with pytest.raises(PipelineError, match="is damaged: it does not lock 750 rows"):
        draw_locked(processed, kind, locked=0.25)


@pytest.mark.parametrize(
    ("locked", "message"),
    [
        (1e-5, "Cannot lock 1e-05 of 3,000 rows"),
        (-0.1, "Cannot lock -0.1 of 3,000 rows"),
        (1.0, "Cannot lock 1 of 3,000 rows"),
        (0.001, "both parts need at least one row of each of 10 digits"),
        (0.999, "Cannot make|Cannot hold out"),
    ],
)
def test_a_part_that_cannot_be_locked(
    processed: ProcessedFolder, locked: float, message: str
) -> None:
    for kind in ("hold-out", "folds"):
        with pytest.raises(PipelineError, match=message):
            draw_locked(processed, kind, locked=locked)
    assert not processed.folds.exists()


@pytest.mark.parametrize("size", [0, -0.1, 1e-9, 3000, 5000, 10.5, float("nan"), float("inf")])
def test_a_size_that_cannot_be_held_out(processed: ProcessedFolder, size: float) -> None:
    with pytest.raises(PipelineError, match=r"^Cannot hold out .* of 3,000 rows: give a fraction"):
        hold_out(*split_place(processed), size=size, seed=0)
    assert not processed.folds.exists()


@pytest.mark.parametrize("size", [5, 2995])
def test_parts_too_small_for_ten_digits(processed: ProcessedFolder, size: int) -> None:
    with pytest.raises(PipelineError, match="both parts need at least one row of each of 10 digit"):
        hold_out(*split_place(processed), size=size, seed=0)
    assert not processed.folds.exists()


def test_digits_too_rare(tmp_path: Path) -> None:
    few = place(tmp_path, [0] * 20 + [1] * 20 + [7])
    message = "Cannot make {}: train.csv has 1 rows of the digit 7, at least {} are needed"
    with pytest.raises(PipelineError) as caught:
        hold_out(*few, size=10, seed=0)
    assert str(caught.value) == message.format("a hold-out of 10 rows", 2)
    with pytest.raises(PipelineError) as caught:
        k_folds(*few, folds=5, seed=0)
    assert str(caught.value) == message.format("5 folds", 5)
    assert list(tmp_path.iterdir()) == []


def test_digits_that_are_not_there_at_all_are_no_hindrance(tmp_path: Path) -> None:
    split = hold_out(*place(tmp_path, [3] * 10 + [8] * 10), size=0.5, seed=0)
    assert (split.hold_out_rows < 10).sum() == 5


@pytest.mark.parametrize("number", [-1, 0, 1])
def test_too_few_folds(processed: ProcessedFolder, number: int) -> None:
    with pytest.raises(PipelineError, match=f"Cannot make {number} folds"):
        k_folds(*split_place(processed), folds=number, seed=0)


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_a_seed_that_cannot_be(processed: ProcessedFolder, seed: int) -> None:
    with pytest.raises(PipelineError, match=f"seed {seed} is outside 0 to 4294967295"):
        hold_out(*split_place(processed), size=0.1, seed=seed)
    with pytest.raises(PipelineError, match=f"seed {seed} is outside 0 to 4294967295"):
        k_folds(*split_place(processed), folds=3, seed=seed)


@pytest.mark.parametrize(
    "assignment",
    [
        np.zeros(3000, np.int16),
        np.ones(2999, np.int16),
        np.zeros(3000, np.float64),
        np.repeat(np.array([0, 1, 2], np.int16), 1000),
        np.repeat(np.array([0, 1], np.int16), 1500),
    ],
    ids=["nothing held out", "too short", "floats", "three parts", "other size"],
)
def test_a_saved_hold_out_that_is_not_one(
    processed: ProcessedFolder, assignment: np.ndarray
) -> None:
    path = hold_out(*split_place(processed), size=0.1, seed=0).path
    np.save(path, assignment)
    with pytest.raises(PipelineError, match=f"^The saved split {path} is damaged: .*\nDelete it"):
        hold_out(*split_place(processed), size=0.1, seed=0)


def test_saved_folds_that_are_not_folds(processed: ProcessedFolder) -> None:
    path = k_folds(*split_place(processed), folds=3, seed=0)[0].path
    np.save(path, np.repeat(np.array([0, 1], np.int16), 1500))
    with pytest.raises(PipelineError, match="its rows are not in folds 0 to 2"):
        k_folds(*split_place(processed), folds=3, seed=0)


def test_a_file_that_is_no_array(processed: ProcessedFolder) -> None:
    path = hold_out(*split_place(processed), size=0.1, seed=0).path
    path.write_bytes(b"half a fi")
    with pytest.raises(PipelineError, match="is damaged"):
        hold_out(*split_place(processed), size=0.1, seed=0)


@pytest.mark.parametrize("fold", [-1, 3, 10**9])
def test_a_fold_that_there_is_not(processed: ProcessedFolder, fold: int) -> None:
    with pytest.raises(PipelineError, match=f"There is no fold {fold} of 3"):
        find_split(*split_place(processed), {"kind": "fold", "folds": 3, "fold": fold, "seed": 0})


def test_a_half_blank_split_is_damaged(processed: ProcessedFolder) -> None:
    def draw(kind: str) -> Path:
        place = split_place(processed)
        if kind == "hold-out":
            return hold_out(*place, size=0.1, seed=0).path
        return k_folds(*place, folds=3, seed=0)[0].path

    for kind in ("hold-out", "folds"):
        path = draw(kind)
        blank_half(path)
        with pytest.raises(PipelineError) as caught:
            draw(kind)
        assert caught.value.message.startswith(f"The saved split {path} is damaged: ")
        assert caught.value.remedy.startswith("Delete it and run the stage again")
