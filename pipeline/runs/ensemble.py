"""Several runs as one: their record, their probabilities averaged, and what each one adds."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import pydantic
from pydantic import Field

from pipeline.digits import dataset
from pipeline.digits.folds import Rows, find_split
from pipeline.plan.workspace import ProcessedFolder
from pipeline.runs.metrics import CLASSES, Accuracy, Metrics, accuracy_of
from pipeline.runs.run import TrainedRun, models_of
from pipeline.system.array_files import load_array, load_arrays
from pipeline.system.errors import PipelineError
from pipeline.system.records import Change, Number, Record, Whole

Probabilities = npt.NDArray[np.float32]
ROWS_AT_ONCE = 8_192
ROUNDING = 1e-3  # by which a sum of probabilities may differ from 1


@dataclass(frozen=True)
class HeldOut:
    """What a run reads in digits that it never saw.

    rows: (n,) int64, ascending, 0-based in train.csv.  labels: (n,) uint8.
    probabilities: (n, 10) float32.  networks: (n,) int64, how many stand behind each row.
    """

    rows: Rows
    labels: npt.NDArray[np.uint8]
    probabilities: Probabilities
    networks: npt.NDArray[np.int64]

    @classmethod
    def read(cls, path: Path) -> "HeldOut":
        """Read what the stage validate wrote; PipelineError if it is missing or damaged."""
        try:
            arrays: dict[str, Any] = dict(load_arrays(path))
            # The file of a single network does not mention networks.
            found = cls(**{"networks": np.ones(arrays["rows"].shape, np.int64)} | arrays)
            found._check()
            return found
        except FileNotFoundError:
            raise PipelineError(f"There is no {path}", remedy=_validate_again(path)) from None
        except (KeyError, TypeError, ValueError) as error:
            raise PipelineError(
                f"{path} is damaged: {error}", remedy=_validate_again(path)
            ) from None

    def _check(self) -> None:
        """Raise ValueError if the arrays are not what they should be."""
        count = self.rows.size
        expected = {
            "rows": ((count,), np.int64),
            "labels": ((count,), np.uint8),
            "probabilities": ((count, CLASSES), np.float32),
            "networks": ((count,), np.int64),
        }
        for name, (shape, dtype) in expected.items():
            array = getattr(self, name)
            if array.shape != shape or array.dtype != dtype:
                raise ValueError(f"its {name} are {array.dtype} {array.shape}")
        if not count or self.rows[0] < 0 or (np.diff(self.rows) <= 0).any():
            raise ValueError("its rows are not in order")
        if self.labels.max() >= CLASSES or self.networks.min() < 1:
            raise ValueError("its labels or networks are out of range")
        check_probabilities(self.probabilities)


def _validate_again(path: Path) -> str:
    """path: of a file in the folder of a run, which has its name."""
    return f"Run: make validate RUN={path.parent.name} FORCE=1"


class MemberMetrics(Record):
    """A member beside the others.

    accuracy: its own, on the rows that it held out.
    gain_rows: those of them that another member held out too.
    gain_correct: how many more of these all members read right than all but this one.
    networks: how many of them it is itself.  seconds: of its training.
    """

    run: str
    accuracy: Accuracy
    gain_correct: Change
    gain_rows: Whole
    networks: Whole
    seconds: Number

    @pydantic.computed_field  # type: ignore[prop-decorator]
    @property
    def gain(self) -> float | None:
        """Accuracy of all minus accuracy without it; None where it is the only one."""
        return self.gain_correct / self.gain_rows if self.gain_rows else None


class ReaderCounts(Record):
    """How many networks stand behind the rows, at least and at most."""

    per_row: Annotated[list[Whole], Field(min_length=2, max_length=2)]
    per_test_digit: Whole


class EnsembleMetrics(Metrics):
    """validation.json of an ensemble."""

    members: list[MemberMetrics]
    networks: ReaderCounts


def check_probabilities(probabilities: npt.NDArray[Any]) -> None:
    """Raise ValueError unless each row is a distribution: from 0 up, with the sum 1."""
    # NaN fails both comparisons.
    with np.errstate(all="ignore"):
        sums = probabilities.sum(axis=1, dtype=np.float64)
        is_distribution = (probabilities >= 0).all() and (np.abs(sums - 1) < ROUNDING).all()
    if not is_distribution:
        raise ValueError("its rows are not probabilities")


def load_probabilities(path: Path, rows: int, *, remedy: str) -> Probabilities:
    """Map kept probabilities (rows, 10) float32; PipelineError if they are damaged."""
    try:
        found: Probabilities = load_array(path, mapped=True)
        if found.shape != (rows, CLASSES) or found.dtype != np.float32:
            raise ValueError(f"it is {found.dtype} {found.shape}, not float32 ({rows}, {CLASSES})")
        for part in in_parts(found):
            check_probabilities(part)
    except (FileNotFoundError, ValueError) as error:
        raise PipelineError(f"{path} is damaged: {error}", remedy=remedy) from None
    return found


def in_parts(probabilities: Probabilities) -> Iterator[Probabilities]:
    """Yield the rows some thousand at a time: few enough to hold however many there are."""
    for start in range(0, len(probabilities), ROWS_AT_ONCE):
        yield probabilities[start : start + ROWS_AT_ONCE]


def combine(members: Sequence[HeldOut]) -> HeldOut:
    """Return the mean probabilities of the members that held a row out, for each such row.

    Every member counts once, whatever the number of its networks.
    """
    rows = np.unique(np.concatenate([member.rows for member in members]))
    total, votes = _sums(members, rows)
    labels = np.empty(len(rows), np.uint8)
    networks = np.zeros(len(rows), np.int64)
    for member in members:
        places = np.searchsorted(rows, member.rows)
        labels[places] = member.labels
        networks[places] += member.networks
    return HeldOut(rows, labels, (total / votes[:, None]).astype(np.float32), networks)


def measure_members(
    members: Sequence[HeldOut], runs: Sequence[TrainedRun]
) -> tuple[MemberMetrics, ...]:
    """Return what each member reaches by itself, and what it adds to the others."""
    rows = np.unique(np.concatenate([member.rows for member in members]))
    total, votes = _sums(members, rows)
    found = []
    for member, run in zip(members, runs, strict=True):
        own = member.probabilities.argmax(axis=1) == member.labels
        places = np.searchsorted(rows, member.rows)
        shared = votes[places] > 1
        places, labels = places[shared], member.labels[shared]
        with_it = total[places].argmax(axis=1) == labels
        without = (total[places] - member.probabilities[shared]).argmax(axis=1) == labels
        found.append(
            MemberMetrics(
                run=run.folder.name,
                accuracy=accuracy_of(int(own.sum()), len(own)),
                gain_correct=int(with_it.sum()) - int(without.sum()),
                gain_rows=len(labels),
                networks=run.networks,
                seconds=run.training["seconds"],
            )
        )
    return tuple(found)


def mean(probabilities: Sequence[Probabilities]) -> Probabilities:
    """Return the mean of equally many predictions (M, 10) of each member, as float32."""
    total = np.zeros(probabilities[0].shape, np.float64)
    for member in probabilities:
        total += member
    return (total / len(probabilities)).astype(np.float32)


def held_out_rows(processed: ProcessedFolder, run: TrainedRun) -> Rows:
    """Return the rows that a network, or any member of an ensemble, held out; ascending."""
    if not run.members:
        labels = dataset.load_labels(processed)
        return find_split(labels, processed.folds, run.training["split"]).hold_out_rows
    return np.unique(np.concatenate([held_out_rows(processed, member) for member in run.members]))


def locked_rows(processed: ProcessedFolder, run: TrainedRun) -> Rows:
    """Return the rows that a network, or any in an ensemble, must not read; ascending."""
    labels = dataset.load_labels(processed)
    splits = [network.training["split"] for network in run.single_networks]
    found = [find_split(labels, processed.folds, split).locked_rows for split in splits]
    return np.unique(np.concatenate(found))


def make_record(
    runs: Sequence[TrainedRun], processed: ProcessedFolder, *, seed: int | None, moved: int
) -> dict[str, Any]:
    """Return what the record of an ensemble's training says of its members.

    seed: of the ensemble.  moved: how much of the members' seeds comes from it, so that ensembles
    that differ by their seed alone have the same recipe on record.
    """
    models = [{"run": run.folder.name, "models": models_of(run.training)} for run in runs]
    parts = [run.training for run in runs]
    held_out = np.unique(np.concatenate([held_out_rows(processed, run) for run in runs]))
    return {
        "stage": "train",
        "kind": "ensemble",
        "inputs": {
            "data": runs[0].data_sha256,
            "recipe": {
                "members": [_without_seed(part["inputs"]["recipe"], moved) for part in parts]
            },
            "members": models,
        },
        "seed": seed,
        "members": models,
        "model_sha256": hashlib.sha256(json.dumps(models).encode()).hexdigest(),
        "refit": None,
        "parameters": sum(part["parameters"] for part in parts),
        "networks": sum(run.networks for run in runs),
        "split": {
            "kind": "ensemble",
            "training_rows": round(float(np.mean([_training_rows(part) for part in parts]))),
            "hold_out_rows": len(held_out),
        },
        "epochs": None,
        "hold_out_accuracy": None,  # the stage validate measures it
        "seconds": round(sum(part["seconds"] for part in parts), 3),
        "images_per_second": None,
    }


def _sums(
    members: Sequence[HeldOut], rows: Rows
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Return the sum of the probabilities for each row, exact enough to subtract one, and votes."""
    total = np.zeros((len(rows), members[0].probabilities.shape[1]), np.float64)
    votes = np.zeros(len(rows), np.int64)
    for member in members:
        places = np.searchsorted(rows, member.rows)
        total[places] += member.probabilities
        votes[places] += 1
    return total, votes


def _without_seed(recipe: dict[str, Any], moved: int) -> dict[str, Any]:
    if "seed" not in recipe:  # of an ensemble in a blend
        return recipe
    return {**recipe, "seed": recipe["seed"] - moved}


def _training_rows(training: dict[str, Any]) -> int:
    """How many rows each network learns from, on average."""
    return int(training["split"]["training_rows"])
