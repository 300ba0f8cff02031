"""Networks and trainings come back bit for bit; anything else in their place is called damaged."""

import io
import json
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.nn import Network
from pipeline.system.errors import PipelineError
from pipeline.training.checkpoint import load_checkpoint, load_model, save_checkpoint, save_model
from pipeline.training.prediction import Model

CONSTANT = {"kind": "constant", "value": 0.0}
LAYERS: list[dict[str, Any]] = [
    {"kind": "flatten"},
    {"kind": "dense", "units": 5, "weight": {"kind": "he"}, "bias": CONSTANT},
    {"kind": "batch_norm", "momentum": 0.1, "epsilon": 1e-5},
    {"kind": "relu"},
    {"kind": "dropout", "rate": 0.5},
    {"kind": "dense", "units": 3, "weight": {"kind": "glorot"}, "bias": CONSTANT},
]


@pytest.fixture
def network() -> Network:
    network = Network(LAYERS, (4, 4, 1))
    rng = np.random.default_rng(0)
    network.initialize(rng=rng)
    network.vector[...] = rng.random(network.vector.size)
    return network


@pytest.fixture
def model(tmp_path: Path, network: Network) -> Path:
    path = tmp_path / "model.npz"
    save_model(path, Model(network))
    return path


def refused(path: Path) -> str:
    with pytest.raises(PipelineError) as caught:
        load_model(path)
    assert "\n" not in caught.value.message
    assert caught.value.remedy
    return caught.value.message


# ---- there and back ----------------------------------------------------------------------------
def test_a_network_comes_back_with_the_same_bits(model: Path, network: Network) -> None:
    loaded = load_model(model).network
    assert loaded.config == network.config
    assert loaded.input_shape == network.input_shape
    np.testing.assert_array_equal(loaded.vector, network.vector)
    assert loaded.vector.dtype == np.float32
    images = np.random.default_rng(1).random((6, 4, 4, 1), np.float32)
    np.testing.assert_array_equal(
        loaded.forward(images, training=False), network.forward(images, training=False)
    )


@pytest.mark.parametrize("views", [1, 9])
def test_a_model_knows_how_it_reads(tmp_path: Path, network: Network, views: int) -> None:
    save_model(tmp_path / "model.npz", Model(network, views, 0.7))
    loaded = load_model(tmp_path / "model.npz")
    assert (loaded.views, loaded.temperature) == (views, 0.7)


def test_a_model_of_before_there_were_views_has_one(model: Path, network: Network) -> None:
    old = {"layers": network.config, "input_shape": network.input_shape}
    model.write_bytes(
        arrays_file(config=config(json.dumps(old)), **{"array.vector": network.vector})
    )
    assert load_model(model).views == 1
    model.write_bytes(
        arrays_file(
            config=config(json.dumps(old | {"views": 7})), **{"array.vector": network.vector}
        )
    )
    assert "views must be one of" in refused(model)


def test_the_same_network_makes_the_same_file(model: Path, network: Network) -> None:
    before = model.read_bytes()
    save_model(model, Model(network))
    assert model.read_bytes() == before


def test_a_training_comes_back_with_what_it_was_trained_from(tmp_path: Path) -> None:
    inputs = {"recipe": {"seed": 1, "rate": 0.1, "layers": [{"kind": "relu"}]}, "code": "é"}
    state: dict[str, NDArray[Any]] = {
        "vector": np.arange(5, dtype=np.float32),
        "optimizer.velocity": np.full(3, np.nan),
        "counters": np.array([1, 2]),
        "best_loss": np.array(np.inf),
        "config": np.array([7]),  # a name that the file itself uses
    }
    save_checkpoint(tmp_path / "checkpoint.npz", inputs, state)
    loaded_inputs, loaded = load_checkpoint(tmp_path / "checkpoint.npz")
    assert loaded_inputs == inputs
    assert loaded.keys() == state.keys()
    for name, array in state.items():
        np.testing.assert_array_equal(loaded[name], array)
        assert loaded[name].dtype == array.dtype


# ---- what is no model of ours ------------------------------------------------------------------
def test_a_model_that_is_not_there(tmp_path: Path) -> None:
    assert refused(tmp_path / "model.npz") == f"There is no {tmp_path / 'model.npz'}"


def test_a_model_cut_short(model: Path) -> None:
    content = model.read_bytes()
    for length in (0, 1, 4, 30, len(content) // 2, len(content) - 23, len(content) - 1):
        model.write_bytes(content[:length])
        assert f"{model} is damaged" in refused(model)


def test_no_changed_byte_ends_in_a_traceback(model: Path, network: Network) -> None:
    content = model.read_bytes()
    rng = np.random.default_rng(2)
    refusals = 0
    for _ in range(600):
        changed = bytearray(content)
        for position in rng.integers(0, len(content), 3):
            changed[position] = rng.integers(0, 256)
        model.write_bytes(changed)
        try:
            loaded = load_model(model).network
        except PipelineError:
            refusals += 1
        else:  # only times and the like, which nobody reads, were changed
            np.testing.assert_array_equal(loaded.vector, network.vector)
    assert refusals > 400


def arrays_file(**arrays: Any) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


def single_array() -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.zeros(3))
    return stream.getvalue()


def text_zip() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as packed:
        packed.writestr("config.npy", "no array")
    return stream.getvalue()


def config(text: str) -> NDArray[np.uint8]:
    return np.frombuffer(text.encode(), np.uint8)


FOREIGN = {
    "a text": b"no model",
    "a single array": single_array(),
    "a zip of texts": text_zip(),
    "arrays of others": arrays_file(w1=np.zeros(3), w2=np.zeros(3)),
    "no JSON": arrays_file(config=config("{"), **{"array.vector": np.zeros(3)}),
    "no object": arrays_file(config=config("[]"), **{"array.vector": np.zeros(3)}),
    "no layers": arrays_file(config=config("{}"), **{"array.vector": np.zeros(3)}),
    "another layer": arrays_file(
        config=config('{"layers": [{"kind": "conv"}], "input_shape": [4, 4, 1]}'),
        **{"array.vector": np.zeros(3)},
    ),
    "another setting": arrays_file(
        config=config('{"layers": [{"kind": "relu", "slop": 1}], "input_shape": [4, 4, 1]}'),
        **{"array.vector": np.zeros(3)},
    ),
    "no vector": arrays_file(config=config('{"layers": [], "input_shape": [4, 4, 1]}')),
    "a pickle": pickle.dumps({"layers": []}),
}


@pytest.mark.parametrize("content", FOREIGN.values(), ids=FOREIGN)
def test_a_file_of_others(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.npz"
    path.write_bytes(content)
    assert f"{path} is damaged" in refused(path)


def test_a_vector_of_another_network(model: Path, network: Network) -> None:
    with np.load(model) as stored:
        text = stored["config"]
    for vector in (network.vector[:-1], network.vector[:1], np.append(network.vector, 0)):
        model.write_bytes(arrays_file(config=text, **{"array.vector": vector}))
        assert f"{model} is damaged" in refused(model)


class Trap:
    """Unpickling it would touch a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


def test_pickled_objects_are_not_loaded(tmp_path: Path) -> None:
    trapped, path = tmp_path / "trapped", tmp_path / "model.npz"
    array = np.array([Trap(trapped)], dtype=object)
    text = config('{"layers": [], "input_shape": [1]}')
    path.write_bytes(arrays_file(config=text, **{"array.vector": array}))
    assert "is damaged" in refused(path)
    assert not trapped.exists()


def test_pickled_objects_are_not_saved(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="allow_pickle"):
        save_checkpoint(tmp_path / "checkpoint.npz", {}, {"a": np.array([{}], dtype=object)})
    assert not list(tmp_path.iterdir())
