"""``digits all`` does what is due, all of it and nothing else; checksums and settings decide."""

import os
import re
import shutil
from collections.abc import Callable
from itertools import cycle
from pathlib import Path

import pytest
from click.testing import CliRunner

from pipeline import cli, nn
from pipeline.digits import csv_reader
from pipeline.kaggle import submission_csv
from pipeline.plan.workspace import Workspace
from pipeline.recipes.file import RECIPE_FOLDER
from pipeline.runs import metrics
from pipeline.system.files import read_json, write_json
from pipeline.training import prediction
from tests.make_case import Built
from tests.practice_case import copy_quickly
from tests.sampling import sampled

RUN = "practice-smoke"
ALL = ["download", "preprocess", "train", "validate", "submission"]
AFTER_DATA, AFTER_TRAINING, AFTER_MEASURING = ALL[2:], ALL[3:], ALL[4:]


class Place:
    """A workspace in the current folder, with all artefacts of a run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.workspace = Workspace(folder / "data", folder / "submissions")

    def all(self, *arguments: str, recipe: str = "smoke") -> list[str]:
        """Run the command to its end; return the stages that did something."""
        result = CliRunner().invoke(
            cli.main, ["all", "--source", "practice", "--recipe", recipe, *arguments]
        )
        assert result.exit_code == 0, result.output
        assert "hold-out" in result.output
        return re.findall(rf"^({'|'.join(ALL)}): ", result.output, re.MULTILINE)

    def bytes(self) -> dict[str, bytes]:
        """Every artefact that is not a record of a moment."""
        run = self.workspace.run(RUN)
        kept = (run.model, run.hold_out, run.test_probabilities, self.workspace.submission(RUN))
        return {path.name: path.read_bytes() for path in kept}


@pytest.fixture
def place(built: Built, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    for folder in ("data", "submissions"):
        shutil.copytree(
            built.checkout.folder / folder, tmp_path / folder, copy_function=copy_quickly
        )
    monkeypatch.chdir(tmp_path)
    return Place(tmp_path)


def test_the_second_time_nothing_is_done(place: Place) -> None:
    files = [path for path in place.folder.rglob("*") if path.is_file() and path.suffix != ".lock"]
    before = {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in files}
    assert place.all() == []
    assert before == {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in files}


@pytest.mark.parametrize(
    ("arguments", "stages"),
    [
        (("--force",), ALL),
        (("--force=0",), []),
        (("--seed", "0"), AFTER_DATA),
        (("--set", "training.epochs=2"), AFTER_DATA),
        (("--run", "mine"), AFTER_DATA),
        (("--folds", "2"), AFTER_DATA),
    ],
)
def test_what_is_asked_for_is_due(
    place: Place, arguments: tuple[str, ...], stages: list[str]
) -> None:
    before = place.bytes()
    found = list(dict.fromkeys(place.all(*arguments)))
    assert found == stages
    assert place.bytes() == before, "another run stays apart, and the same comes out again"
    assert place.all(*[text for text in arguments if text != "--force"]) == []


# ---- what makes a stage due --------------------------------------------------------------------
@pytest.mark.parametrize(
    ("module", "number", "stages"),
    [
        (csv_reader, "VERSION", ["preprocess"]),
        (nn, "ARITHMETIC", AFTER_DATA),
        (prediction, "VERSION", AFTER_TRAINING),
        (metrics, "VERSION", ["validate"]),
        (submission_csv, "VERSION", ["submission"]),
    ],
)
def test_a_number_says_that_results_change(
    place: Place, monkeypatch: pytest.MonkeyPatch, module: object, number: str, stages: list[str]
) -> None:
    monkeypatch.setattr(module, number, 1_000)
    assert place.all() == stages
    assert place.all() == []


def test_an_edited_recipe_is_trained_again_and_no_more(place: Place) -> None:
    text = (RECIPE_FOLDER / "smoke.toml").read_text(encoding="utf-8")
    own = place.folder / "own.toml"
    own.write_text(text, encoding="utf-8")
    assert place.all(recipe="own.toml") == AFTER_DATA
    own.write_text(f"# A comment.\n{text}", encoding="utf-8")
    assert place.all(recipe="own.toml") == []
    own.write_text(text.replace("epochs = 3", "epochs = 1"), encoding="utf-8")
    assert place.all(recipe="own.toml") == AFTER_DATA


def test_times_decide_nothing(place: Place) -> None:
    for path in place.folder.rglob("*"):
        path.touch()
    assert place.all() == []


# ---- what was damaged behind the pipeline's back -----------------------------------------------
def emptied(content: bytes) -> bytes:
    return content[:0]


def cut_short(content: bytes) -> bytes:
    return content[: len(content) * 2 // 3]


def filled_with_zeros(content: bytes) -> bytes:
    half = len(content) // 2
    return content[:half] + bytes(len(content) - half)


RAW, ARRAYS = "data/raw/practice", "data/processed/practice"
FOLDER, SENT = f"data/runs/{RUN}", "submissions"
DAMAGED = {
    f"{RAW}/manifest.json": "download",
    f"{RAW}/train.csv": "download",
    f"{RAW}/test.csv": "download",
    f"{RAW}/answer_key.csv": "download",
    f"{ARRAYS}/manifest.json": "preprocess",
    f"{ARRAYS}/train_images.npy": "preprocess",
    f"{ARRAYS}/train_labels.npy": "preprocess",
    f"{ARRAYS}/test_images.npy": "preprocess",
    f"{FOLDER}/training.json": "train",
    f"{FOLDER}/model.npz": "train",
    f"{FOLDER}/history.csv": "train",
    f"{FOLDER}/recipe.json": "train",
    f"{FOLDER}/validation.json": "validate",
    f"{FOLDER}/hold_out.npz": "validate",
    f"{SENT}/{RUN}.csv": "submission",
    f"{SENT}/{RUN}.json": "submission",
}


# Each file in one way; tests/system/test_due.py tries every way.
WAYS = list(zip(DAMAGED, cycle([emptied, cut_short, filled_with_zeros]), strict=False))
# Each file is damaged or gone; in the stress tests it is both.
TO_DAMAGE = (1, 3, 5, 7, 9, 10, 13, 14)
TO_REMOVE = (0, 2, 4, 6, 8, 11, 12, 15)


@pytest.mark.parametrize(("file", "damage"), sampled(WAYS, TO_DAMAGE))
def test_what_was_damaged_is_found_and_made_again(
    place: Place, file: str, damage: Callable[[bytes], bytes]
) -> None:
    before = place.bytes()
    path = place.folder / file
    content = path.read_bytes()
    times = path.stat()
    path.unlink()  # it may be linked to that of other tests
    path.write_bytes(damage(content))
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert place.all()[0] == DAMAGED[file]
    assert place.bytes() == before
    assert place.all() == []


@pytest.mark.parametrize(
    ("file", "key"),
    sampled(
        [
            *((f"{RAW}/manifest.json", key) for key in ("files", "kind")),
            *((f"{ARRAYS}/manifest.json", key) for key in ("raw", "class_counts")),
            *((f"{FOLDER}/training.json", key) for key in ("refit", "epochs", "split", "outputs")),
            *((f"{FOLDER}/validation.json", key) for key in ("confusion", "accuracy")),
            *((f"{SENT}/{RUN}.json", key) for key in ("predicted_counts", "rows")),
        ],
        (0, 2, 4, 8, 10),  # of each file one
    ),
)
def test_a_record_that_lacks_a_key_is_made_again(place: Place, file: str, key: str) -> None:
    before = place.bytes()
    path = place.folder / file
    record = read_json(path)
    del record[key]
    write_json(path, record)
    assert place.all()[0] == DAMAGED[file]
    assert place.bytes() == before


@pytest.mark.parametrize("file", sampled(list(DAMAGED), TO_REMOVE))
def test_what_is_gone_is_made_again(place: Place, file: str) -> None:
    before = place.bytes()
    (place.folder / file).unlink()
    assert place.all()[0] == DAMAGED[file]
    assert place.bytes() == before
