"""What a finished run reads in single digits: of its data, held out or not, and in pictures."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.digits import dataset
from pipeline.digits.ink import FoundDigit
from pipeline.plan.plan import Plan
from pipeline.plan.workspace import ProcessedFolder, RunFolder
from pipeline.runs import ensemble, metrics
from pipeline.runs.ensemble import Probabilities, held_out_rows, locked_rows
from pipeline.runs.metrics import WrongAnswer
from pipeline.runs.run import TrainedRun, hold_out_accuracy, read_run, require_run
from pipeline.system.errors import PipelineError
from pipeline.training import checkpoint, prediction

Image = NDArray[np.uint8]

SURE = 0.8  # a picture that is read with a lower probability is said to be doubtful


@dataclass(frozen=True)
class Reading:
    """What a run reads in one digit.

    probabilities: (10,) float32.  networks: how many read it.  run_networks: how many the run has.
    held_out: whether these networks never saw the digit; None of a test digit or a picture.
    doubts: why a picture may have been misread; each a sentence's part, in lower case.
    """

    probabilities: Probabilities
    networks: int
    run_networks: int
    held_out: bool | None
    doubts: tuple[str, ...] = ()

    @property
    def prediction(self) -> int:
        return int(self.probabilities.argmax())

    def to_json(self) -> dict[str, Any]:
        """Prediction and probabilities, for machines."""
        return {"prediction": self.prediction, "probabilities": self.probabilities.tolist()}


@dataclass(frozen=True)
class LookResult:
    """One digit of the run's data.

    row: 0-based.  image: (28, 28) uint8.  label: None of a test digit.
    reading: None if the run is not trained yet, or has the digit locked.
    """

    run: str
    row: int
    image: Image
    label: int | None
    reading: Reading | None
    locked: bool = False


@dataclass(frozen=True)
class Misread:
    """A held-out digit that was misread.  image: (28, 28) uint8.  probabilities: (10,)."""

    answer: WrongAnswer
    image: Image
    probabilities: NDArray[np.float64]


@dataclass(frozen=True)
class ErrorsResult:
    """The surest of a run's wrong answers.

    label, read_as: only digits of this label, or with this prediction; None means any.
    found: how many there are.  held_out: digits of the label that were held out.
    """

    run: str
    label: int | None
    read_as: int | None
    shown: tuple[Misread, ...]
    found: int
    held_out: int


def look(plan: Plan, row: int, *, test: bool = False) -> LookResult:
    """Return a row of train.csv, or of test.csv, with what the plan's run reads in it.

    A row of train.csv is read as the stage validate reads it: by those networks that held it out,
    if any did; one that is locked for the run is not read. A row of test.csv is read as for a
    submission.
    Raises PipelineError if there are no arrays or no such row, or the run's files are damaged.
    """
    processed = plan.workspace.processed(plan.source.name)
    file = "test.csv" if test else "train.csv"
    images = (
        dataset.load_test_images(processed) if test else dataset.load_labelled(processed).images
    )
    if not 0 <= row < len(images):
        raise PipelineError(f"There is no row {row} in {file}: it has rows 0 to {len(images) - 1}")
    image = np.array(images[row])
    label = None if test else int(dataset.load_labels(processed)[row])
    try:
        require_run(plan)
    except PipelineError:
        return LookResult(plan.run, row, image, label, None)
    run = read_run(plan)
    if test:
        reading = Reading(read_images(run, image[None])[0], run.networks, run.networks, None)
    elif row in locked_rows(processed, run):
        return LookResult(plan.run, row, image, label, None, locked=True)
    else:
        held_out = row in held_out_rows(processed, run)
        probabilities, networks = _read_row(run, processed, image[None], row)
        reading = Reading(probabilities[0], networks, run.networks, held_out)
    return LookResult(plan.run, row, image, label, reading)


def errors(
    plan: Plan, *, count: int, label: int | None = None, read_as: int | None = None
) -> ErrorsResult:
    """Return the run's surest wrong answers on held-out digits, up to ``count``.

    Raises PipelineError if the run is missing or was not validated.
    """
    run = read_run(plan)
    hold_out_accuracy(run)
    images = dataset.load_labelled(plan.workspace.processed(plan.source.name)).images
    rows, labels, probabilities = _read_hold_out(run.folder, len(images))
    predictions = probabilities.argmax(axis=1)
    labelled = np.full(len(rows), True) if label is None else labels == label
    chosen = labelled if read_as is None else labelled & (predictions == read_as)
    answers = metrics.worst_errors(
        labels[chosen], probabilities[chosen], rows=rows[chosen], count=count
    )
    by_row = dict(zip(rows.tolist(), probabilities, strict=True))
    return ErrorsResult(
        plan.run,
        label,
        read_as,
        tuple(Misread(item, np.array(images[item.row]), by_row[item.row]) for item in answers),
        int(np.count_nonzero(chosen & (predictions != labels))),
        int(np.count_nonzero(labelled)),
    )


def read_pictures(plan: Plan, digits: Sequence[FoundDigit]) -> list[Reading]:
    """Return what the plan's run reads in digits found in pictures, with what is doubtful.

    Raises PipelineError if the run is missing or its files are damaged.
    """
    run = read_run(plan)
    if not digits:
        return []
    found = read_images(run, np.stack([digit.image for digit in digits]))
    return [
        Reading(
            probabilities,
            run.networks,
            run.networks,
            None,
            digit.doubts + network_doubts(probabilities),
        )
        for digit, probabilities in zip(digits, found, strict=True)
    ]


def network_doubts(probabilities: Probabilities) -> tuple[str, ...]:
    """Return what makes an answer doubtful, whatever the picture was: probabilities (10,)."""
    return () if probabilities.max() >= SURE else ("the network is not sure",)


def read_images(run: TrainedRun, images: Image) -> Probabilities:
    """Return the probabilities (N, 10) that the run gives images (N, 28, 28) it never saw.

    Like those of the test digits: of a second network if there is one, of all an ensemble's.
    """
    if run.members:
        return ensemble.mean([read_images(member, images) for member in run.members])
    return prediction.predict(checkpoint.load_model(run.predictor), images)


def _read_row(
    run: TrainedRun, processed: ProcessedFolder, images: Image, row: int
) -> tuple[Probabilities, int]:
    """Probabilities (1, 10) for a row of train.csv, and of how many networks they are the mean."""
    if not run.members:
        return prediction.predict(checkpoint.load_model(run.folder.model), images), 1
    unseen = [member for member in run.members if row in held_out_rows(processed, member)]
    read = [_read_row(member, processed, images, row) for member in unseen or run.members]
    mean = ensemble.mean([probabilities for probabilities, _ in read])
    return mean, sum(networks for _, networks in read)


def _read_hold_out(
    folder: RunFolder, count: int
) -> tuple[NDArray[np.int64], NDArray[np.uint8], NDArray[np.float64]]:
    """Rows, labels and probabilities, the last as the stage validate measures them.

    count: of all rows.
    """
    found = ensemble.HeldOut.read(folder.hold_out)
    if found.rows[-1] >= count:
        raise PipelineError(
            f"{folder.hold_out} is damaged: there is no row {found.rows[-1]}",
            remedy=f"Run: make validate RUN={folder.name} FORCE=1",
        )
    exact = found.probabilities.astype(np.float64)
    return found.rows, found.labels, exact / exact.sum(axis=1, keepdims=True)
