"""Stratified splits of the training digits: made once, saved, and shared by every run on that data.

A split is saved as one number for each row of train.csv: 1 for a row that is held out and 0 for
one to train on, or the number of its fold; -1 for a row that is locked, which a run neither learns
from nor reads. So every row is in one part, whatever the file says.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.system.array_files import load_array, save_array
from pipeline.system.errors import PipelineError

LARGEST_SEED = 2**32 - 1  # scikit-learn's
# Of the locked part. It is nobody's setting: what settings are decided on stays one part of the
# digits, and what claims are made on the other, whatever the seed of a run or of its split.
LOCKED_SEED = 1_798_761_600
_LOCKED = -1
_IDENTIFYING = ("kind", "size", "folds", "fold", "seed", "locked")

Labels = npt.NDArray[np.uint8]
Rows = npt.NDArray[np.signedinteger[Any]]
Assignment = npt.NDArray[np.int16]


@dataclass(frozen=True)
class Split:
    """Which rows of train.csv to train on and which to measure with.

    training_rows, hold_out_rows, locked_rows: int32, 0-based, ascending; together all rows.
    path: the file in which the split is kept.
    """

    training_rows: Rows
    hold_out_rows: Rows
    locked_rows: Rows
    path: Path


def hold_out(labels: Labels, folder: Path, *, size: float, seed: int, locked: float = 0.0) -> Split:
    """Return the hold-out split of this size and seed; make it if it is the first time.

    labels: (N,) uint8, of train.csv.  folder: in which splits are kept.
    size: a fraction of the rows that are not locked, below 1, or a number of rows.
    locked: a fraction of all rows, below 1; of one data set these are always the same rows.
    Every digit has the same share in both parts.
    Raises PipelineError if the rows do not suffice, or if the saved split is damaged.
    """
    _check_seed(seed)
    apart = _locked_count(locked, len(labels))
    rows = _hold_out_size(size, len(labels) - apart)
    path = folder / f"hold-out-{size:.15g}-seed{seed}{_named(locked)}.npy"
    assignment = _kept(path, labels, apart, lambda others: _draw_hold_out(others, rows, seed))
    parts = assignment[assignment != _LOCKED]
    if set(np.unique(parts)) != {0, 1} or np.count_nonzero(parts) != rows:
        raise _damaged(path, f"it does not hold out {rows:,} rows")
    return _split(assignment, 1, path)


def k_folds(
    labels: Labels, folder: Path, *, folds: int, seed: int, locked: float = 0.0
) -> list[Split]:
    """Return one split for each of ``folds`` parts, each part held out once.

    locked: as in ``hold_out``; the folds are cut from the other rows.
    Every digit has the same share in all parts. Raises PipelineError like ``hold_out``.
    """
    _check_seed(seed)
    if folds < 2:
        raise PipelineError(f"Cannot make {folds} folds: there must be at least 2")
    path = folder / f"folds-{folds}-seed{seed}{_named(locked)}.npy"
    apart = _locked_count(locked, len(labels))
    assignment = _kept(path, labels, apart, lambda others: _draw_folds(others, folds, seed))
    parts = assignment[assignment != _LOCKED]
    if set(np.unique(parts)) != set(range(folds)):
        raise _damaged(path, f"its rows are not in folds 0 to {folds - 1}")
    if np.ptp(np.bincount(parts)) > 1:  # zeros in the place of others are rows of fold 0
        raise _damaged(path, "its folds are not of one size")
    return [_split(assignment, fold, path) for fold in range(folds)]


def find_split(labels: Labels, folder: Path, record: Mapping[str, Any]) -> Split:
    """Return the split that a record tells of: kind "hold_out" or "fold", with its values.

    Raises PipelineError like ``hold_out``, and for another kind.
    """
    locked = record.get("locked", 0.0)
    if record["kind"] == "hold_out":
        size, seed = record["size"], record["seed"]
        return hold_out(labels, folder, size=size, seed=seed, locked=locked)
    if record["kind"] == "fold":
        folds, fold = int(record["folds"]), int(record["fold"])
        if not 0 <= fold < folds:
            raise PipelineError(f"There is no fold {fold} of {folds}: they count from 0")
        return k_folds(labels, folder, folds=folds, seed=record["seed"], locked=locked)[fold]
    raise PipelineError(f"There is no split of the kind {record['kind']}")


def split_values(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return what identifies a split, of all that a training's record says of it."""
    return {key: record[key] for key in _IDENTIFYING if key in record}


def _kept(
    path: Path, labels: Labels, apart: int, draw: Callable[[Labels], Assignment]
) -> Assignment:
    """Load the assignment at ``path``; if there is none, draw and save it.

    apart: how many rows are locked.  draw: assigns all others, given their labels.
    """
    if not path.exists():
        assignment = np.zeros(len(labels), np.int16)
        if apart:
            assignment -= _draw_hold_out(labels, apart, LOCKED_SEED)
        others = assignment != _LOCKED
        assignment[others] = draw(labels[others])
        # Two that do this at once write the same; dataset.locked keeps the folder in its place.
        save_array(path, assignment)
    try:
        assignment = load_array(path)
    except ValueError as error:
        raise _damaged(path, str(error)) from None
    if assignment.shape != (len(labels),) or assignment.dtype != np.int16:
        raise _damaged(path, f"it is not one number for each of {len(labels):,} rows")
    if np.count_nonzero(assignment == _LOCKED) != apart:
        raise _damaged(path, f"it does not lock {apart:,} rows")
    return assignment


def _draw_hold_out(labels: npt.NDArray[np.uint8], rows: int, seed: int) -> Assignment:
    """Draw the split that scikit-learn's train_test_split draws: the same rows for a seed.

    That one keeps every row as a Python object on its way, half a gigabyte of four million rows;
    this one is done with a digit before it comes to the next.
    """
    _check_classes(labels, 2, f"a hold-out of {rows:,} rows")
    counts = np.bincount(labels)
    digits = np.flatnonzero(counts)
    if min(rows, len(labels) - rows) < len(digits):
        raise PipelineError(
            f"Cannot hold out {rows:,} of {len(labels):,} rows: "
            f"both parts need at least one row of each of {len(digits)} digits"
        )
    rng = np.random.RandomState(seed)  # of the old kind, which scikit-learn draws from
    training = _shares(counts[digits], len(labels) - rows, rng)
    held_out = _shares(counts[digits] - training, rows, rng)
    assignment = np.zeros(len(labels), np.int16)
    for digit, first, size in zip(digits, training, held_out, strict=True):
        places = np.flatnonzero(labels == digit)
        assignment[places[rng.permutation(len(places))[first : first + size]]] = 1
    return assignment


def _shares(
    counts: npt.NDArray[np.int64],
    total: int,
    rng: np.random.RandomState,
) -> npt.NDArray[np.int64]:
    """Split ``total`` in proportion to the counts: the largest remainders are rounded up.

    Which of equal remainders are, is left to chance.
    """
    exact = counts / counts.sum() * total
    shares = np.floor(exact)
    remainders = exact - shares
    missing = int(total - shares.sum())
    for remainder in np.unique(remainders)[::-1]:
        if not missing:
            break
        equals = np.flatnonzero(remainders == remainder)
        raised = rng.choice(equals, size=min(len(equals), missing), replace=False)
        shares[raised] += 1
        missing -= len(raised)
    rounded: npt.NDArray[np.int64] = shares.astype(np.int64)
    return rounded


def _draw_folds(labels: npt.NDArray[np.uint8], folds: int, seed: int) -> Assignment:
    from sklearn.model_selection import StratifiedKFold  # noqa: PLC0415

    _check_classes(labels, folds, f"{folds} folds")
    assignment = np.empty(len(labels), np.int16)
    splitter = StratifiedKFold(folds, shuffle=True, random_state=seed)
    for fold, (_, held_out) in enumerate(splitter.split(labels, labels)):
        assignment[held_out] = fold
    return assignment


def _split(assignment: Assignment, part: int, path: Path) -> Split:
    is_held_out, is_locked = assignment == part, assignment == _LOCKED
    training_rows, hold_out_rows, locked_rows = (
        np.flatnonzero(chosen).astype(np.int32)
        for chosen in (~(is_held_out | is_locked), is_held_out, is_locked)
    )
    return Split(training_rows, hold_out_rows, locked_rows, path)


def _named(locked: float) -> str:
    return f"-locked{locked:.15g}" if locked else ""


def _locked_count(locked: float, rows: int) -> int:
    """How many rows are locked: none, or at least 1 and fewer than all."""
    apart = round(locked * rows)
    if locked and not 0 < apart < rows:
        raise PipelineError(
            f"Cannot lock {locked:g} of {rows:,} rows: give a fraction of them between 0 and 1"
        )
    return apart


def _hold_out_size(size: float, rows: int) -> int:
    """A size as a number of rows, at least 1 and fewer than all."""
    if 0 < size < rows:
        held_out = round(size * rows) if size < 1 else int(size)
        if 0 < held_out < rows and (size < 1 or size == held_out):
            return held_out
    raise PipelineError(
        f"Cannot hold out {size:g} of {rows:,} rows: "
        f"give a fraction between 0 and 1, or a whole number of rows below {rows:,}"
    )


def _check_seed(seed: int) -> None:
    if not 0 <= seed <= LARGEST_SEED:
        raise PipelineError(f"The split's seed {seed} is outside 0 to {LARGEST_SEED}")


def _check_classes(labels: npt.NDArray[np.uint8], least: int, purpose: str) -> None:
    """Refuse data with fewer than ``least`` rows of a digit that it has at all."""
    digits, counts = np.unique(labels, return_counts=True)
    if counts.min() < least:
        digit = digits[counts.argmin()]
        raise PipelineError(
            f"Cannot make {purpose}: train.csv has {counts.min()} rows of the digit {digit}, "
            f"at least {least} are needed"
        )


def _damaged(path: Path, reason: str) -> PipelineError:
    return PipelineError(
        f"The saved split {path} is damaged: {reason}",
        remedy="Delete it and run the stage again; the same split will be made anew.",
    )
