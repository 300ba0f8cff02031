"""Arrays: models, checkpoints, held-out probabilities, digits and splits."""

import io
import json
import pickle
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.analysis.look import errors
from pipeline.digits import dataset, folds
from pipeline.kaggle.submission_csv import read_submission
from pipeline.nn import Network, Training
from pipeline.recipes.file import RECIPE_FOLDER, RecipeFile
from pipeline.recipes.recipe import read_recipe
from pipeline.runs.ensemble import HeldOut
from pipeline.stages.submission import submission
from pipeline.system import files
from pipeline.system.errors import PipelineError
from pipeline.training import checkpoint
from pipeline.training.fitting import History, make_training, resume
from pipeline.training.prediction import Model
from tests.listeners import heard_by
from tests.practice_case import split_place
from tests.stress.array_changes import change_header, change_values, save_array
from tests.stress.mutations import change_bytes, change_json, change_member, pack
from tests.stress.tiny_run import TEST_ROWS, TRAIN_ROWS, tiny_run

PLANTED = "planted"


class _Planting:
    """Unpickled, it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


class _ArrayReader:
    """A file or a set of files with arrays, which are changed one by one."""

    most_megabytes = 200
    names: Sequence[str] = ("config.npy", "array.vector.npy", "rows.npy", "x", "../x.npy")

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "input.npz"
        hidden = io.BytesIO()
        planting = np.array([_Planting(folder / PLANTED)], object)
        np.save(hidden, planting, allow_pickle=True)
        self._hidden = (hidden.getvalue(), pickle.dumps(_Planting(folder / PLANTED)))

    def mutate(self, data: bytes, rng: Random) -> bytes:
        return change_member(data, rng, self.change, self.names)

    def change(self, name: str, content: bytes, rng: Random) -> bytes:
        # Its header has 128 bytes; what an earlier change made of them is all the same here.
        if name == "config.npy" and rng.randrange(4):
            return save_array(np.frombuffer(change_json(content[128:], rng), np.uint8))
        return self.change_array(content, rng)

    def change_array(self, content: bytes, rng: Random) -> bytes:
        """Change the header of an .npy file, its values, or anything; or hide code in it."""
        kind = rng.randrange(8)
        if kind == 0:
            return rng.choice(self._hidden)
        if kind == 1:
            return change_bytes(content, rng)
        if kind <= 3:
            return change_header(content, rng)
        try:
            return save_array(change_values(np.array(_load(content)), rng))
        except Exception:  # an earlier change has broken it, or left nothing to change like this
            return change_bytes(content, rng)


class ModelNpz(_ArrayReader):
    """model.npz."""

    name = "model.npz"

    @cached_property
    def seeds(self) -> Sequence[bytes]:
        found = []
        for number, views in ((0, 1), (1, 9)):
            network = _training(number).network
            checkpoint.save_model(self.path, Model(network, views))
            found.append(self.path.read_bytes())
        return found

    def read(self, data: bytes) -> Model:
        self.path.write_bytes(data)
        return checkpoint.load_model(self.path)

    def check(self, data: bytes, found: Model) -> None:
        network = found.network
        assert np.isfinite(network.vector).all(), "a weight that is no number"
        with np.load(self.path, allow_pickle=False) as stored:
            assert np.array_equal(stored["array.vector"], network.vector), "other weights"
            config = json.loads(stored["config"].tobytes())
        again = Network(config["layers"], tuple(config["input_shape"]))
        assert again.vector.shape == network.vector.shape, "another network"
        assert network.input_shape == (28, 28, 1), "no network for digits"
        with np.errstate(all="ignore"):
            probabilities = network.predict(np.zeros((2, 28, 28, 1), np.float32))
        assert probabilities.shape == (2, 10), "no probabilities of ten digits"


class CheckpointNpz(_ArrayReader):
    """checkpoint.npz, from which a training goes on, or begins anew if it is damaged."""

    name = "checkpoint.npz"
    inputs: Mapping[str, Any] = {"recipe": {"seed": 1}, "code": "c"}

    @cached_property
    def seeds(self) -> Sequence[bytes]:
        training = _training(5)
        training.epoch = 1
        history = np.array([[1.0, 0.5, 0.5, 0.9, 0.01, 100.0, 1.0]])
        state = training.state() | {"history": history}
        checkpoint.save_checkpoint(self.path, dict(self.inputs), state)
        return [self.path.read_bytes()]

    def read(self, data: bytes) -> tuple[History, Training]:
        self.path.write_bytes(data)
        training, told = _training(0), list[str]()
        history = heard_by(told.append, resume, training, self.path, dict(self.inputs))
        if not history.rows:
            for name, array in _training(0).state().items():
                found = training.state()[name]
                assert np.array_equal(array, found), f"begins anew, but not with its {name}"
        if told:
            raise PipelineError(told[0])
        return history, training

    def check(self, data: bytes, found: tuple[History, Training]) -> None:
        history, training = found
        if not history.rows:
            return  # it was made from other inputs
        with np.load(self.path, allow_pickle=False) as stored:
            arrays = {name.removeprefix("array."): stored[name] for name in stored.files}
        state = training.state() | {"history": np.array(history.rows)}
        for name, array in state.items():
            assert np.array_equal(arrays[name], array, equal_nan=True), f"another {name}"
            if name not in ("best_loss", "history"):  # infinite, and without rows held out
                assert np.isfinite(array).all(), f"{name} holds no number"
        assert 0 < training.epoch <= training.settings.epochs, "an epoch that there is not"


class HoldOutNpz(_ArrayReader):
    """hold_out.npz of a run."""

    name = "hold_out.npz"
    names = ("rows.npy", "labels.npy", "probabilities.npy", "networks.npy", "x.npy")

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.tiny = tiny_run(folder)
        self.path = self.tiny.plan.workspace.run(self.tiny.plan.run).hold_out

    @cached_property
    def seeds(self) -> Sequence[bytes]:
        workspace = self.tiny.plan.workspace
        runs = (self.tiny.plan.run, self.tiny.blend.run)
        return [self.tiny.content(workspace.run(run).hold_out) for run in runs]

    def read(self, data: bytes) -> HeldOut:
        self.tiny.put_back()
        self.path.write_bytes(data)
        errors(self.tiny.plan, count=3)
        return HeldOut.read(self.path)

    def check(self, data: bytes, found: HeldOut) -> None:
        rows = found.rows
        assert len(rows) and rows.min() >= 0 and rows.max() < TRAIN_ROWS, "rows that are not there"
        assert (np.diff(rows) > 0).all(), "rows in disorder"
        assert found.labels.shape == rows.shape and found.labels.max() <= 9, "labels of any form"
        assert found.probabilities.shape == (len(rows), 10), "probabilities of any form"
        assert found.probabilities.dtype == np.float32, "probabilities of any type"
        assert np.allclose(found.probabilities.sum(axis=1), 1, atol=1e-3), "no probabilities"
        assert (found.probabilities >= 0).all(), "negative probabilities"
        assert found.networks.shape == rows.shape and found.networks.min() >= 1, "no networks"


class DigitsNpy(_ArrayReader):
    """The three arrays of a source, with their manifest."""

    name = "digits as .npy"
    names = ("train_images.npy", "train_labels.npy", "test_images.npy")

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.tiny = tiny_run(folder)
        self.processed = self.tiny.plan.workspace.processed(self.tiny.plan.source.name)

    @cached_property
    def seeds(self) -> Sequence[bytes]:
        names = (*self.names, "manifest.json")
        paths = [self.processed.folder / name for name in names]
        return [pack([(path.name, self.tiny.content(path)) for path in paths])]

    def change(self, name: str, content: bytes, rng: Random) -> bytes:
        return (
            change_json(content, rng)
            if name.endswith(".json")
            else super().change_array(content, rng)
        )

    def read(self, data: bytes) -> dict[str, NDArray[Any]]:
        self.tiny.put_back()
        _unpack(data, self.processed.folder, (*self.names, "manifest.json"))
        images, labels = dataset.load_labelled(self.processed)
        return {
            "train_images": images,
            "train_labels": labels,
            "test_images": dataset.load_test_images(self.processed),
        }

    def check(self, data: bytes, found: dict[str, NDArray[Any]]) -> None:
        manifest = json.loads(self.processed.manifest.read_bytes())
        for name in ("train_images", "train_labels", "test_images"):
            array = found[name]
            assert array.dtype == np.uint8, f"{name} of another type"
            assert list(array.shape) == manifest["arrays"][name]["shape"], f"{name} of other shape"
        labels = found["train_labels"]
        assert found["train_images"].shape == (len(labels), 28, 28), "no pairs"
        assert found["test_images"].shape[1:] == (28, 28), "no digits"
        assert len(labels) and labels.max() <= 9, "labels above 9"


class SplitNpy(_ArrayReader):
    """The files of saved splits: a hold-out, and folds."""

    name = "splits as .npy"
    size, seed, parts = 0.2, 0, 5

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.tiny = tiny_run(folder)
        self.processed = self.tiny.plan.workspace.processed(self.tiny.plan.source.name)
        self.paths = (
            folds.hold_out(*split_place(self.processed), size=self.size, seed=self.seed).path,
            folds.k_folds(*split_place(self.processed), folds=self.parts, seed=self.seed)[0].path,
        )

        self.seeds: Sequence[bytes] = [
            pack([(path.name, path.read_bytes()) for path in self.paths])
        ]

    def read(self, data: bytes) -> list[folds.Split]:
        self.tiny.put_back()
        for path in self.paths:
            path.write_bytes(b"")
        _unpack(data, self.processed.folds, [path.name for path in self.paths])
        return [
            folds.hold_out(*split_place(self.processed), size=self.size, seed=self.seed),
            *folds.k_folds(*split_place(self.processed), folds=self.parts, seed=self.seed),
        ]

    def check(self, data: bytes, found: list[folds.Split]) -> None:
        for split in found:
            both = np.concatenate([split.training_rows, split.hold_out_rows])
            assert sorted(both.tolist()) == list(range(TRAIN_ROWS)), "not each row in one part"
        assert len(found[0].hold_out_rows) == round(self.size * TRAIN_ROWS), "another size"


class ProbabilitiesNpy(_ArrayReader):
    """test_probabilities.npy, from which a submission is written again."""

    name = "test_probabilities.npy"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.tiny = tiny_run(folder)
        self.path = self.tiny.plan.workspace.run(self.tiny.plan.run).test_probabilities
        self.csv = self.tiny.plan.workspace.submission(self.tiny.plan.run)

    @cached_property
    def seeds(self) -> Sequence[bytes]:
        return [self.tiny.content(self.path)]

    def mutate(self, data: bytes, rng: Random) -> bytes:
        return self.change_array(data, rng)

    def read(self, data: bytes) -> list[int]:
        self.tiny.put_back()
        self.path.write_bytes(data)
        submission(self.tiny.plan)  # the CSV is there: only counts are taken from the array
        self.csv.unlink()
        assert submission(self.tiny.plan).rows == TEST_ROWS, "another number of rows"
        return read_submission(self.csv, test_rows=TEST_ROWS)

    def check(self, data: bytes, found: list[int]) -> None:
        array = np.load(self.path, allow_pickle=False)
        assert array.shape == (TEST_ROWS, 10), "probabilities of any form"
        assert np.isfinite(array).all(), "probabilities that are no numbers"
        assert found == array.argmax(axis=1).tolist(), "other labels"
        assert np.allclose(array.sum(axis=1), 1, atol=1e-3), "no probabilities"


def _training(seed: int) -> Training:
    return make_training(read_recipe(RecipeFile(RECIPE_FOLDER / "smoke.toml"), seed=seed), 40)


def _load(content: bytes) -> NDArray[Any]:
    array: NDArray[Any] = np.load(io.BytesIO(content), allow_pickle=False)
    return array


def _unpack(data: bytes, folder: Path, names: Sequence[str]) -> None:
    """Write those of the files that the bundle holds."""
    import zipfile

    try:
        with zipfile.ZipFile(io.BytesIO(data)) as packed:
            contents = {name: packed.read(name) for name in names if name in packed.namelist()}
    except Exception:  # the bundle is ours, no file of the pipeline's
        raise PipelineError("no bundle of files") from None
    for name, content in contents.items():
        # One that is mapped into memory must not shrink.
        files.write_text(folder / name, "")
        (folder / name).write_bytes(content)
