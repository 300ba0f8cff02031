"""A model, or a training under way, to one .npz file and back, without pickle."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.nn import Network
from pipeline.system.array_files import load_arrays
from pipeline.system.errors import PipelineError
from pipeline.system.files import atomic_write, parse_json
from pipeline.training.prediction import Model

Array = np.ndarray[Any, np.dtype[Any]]


def save_model(path: Path, model: Model) -> None:
    """Write a model: its configuration and its values; reading and predicting need nothing else."""
    network = model.network
    config = {
        "layers": network.config,
        "input_shape": network.input_shape,
        "views": model.views,
        "temperature": model.temperature,
    }
    _save(path, config, {"vector": network.vector})


def load_model(path: Path) -> Model:
    """Read a model back. Raises PipelineError if the file is missing or damaged."""
    config, arrays = _load(path)
    try:
        network = Network(config["layers"], tuple(config["input_shape"]))
        vector = arrays["vector"]
        if vector.shape != network.vector.shape:  # a single number would be broadcast
            raise ValueError(f"its vector is {vector.shape}, not {network.vector.shape}")
        if vector.dtype != network.dtype or not np.isfinite(vector).all():
            raise ValueError("its vector does not hold finite single-precision numbers")
        network.vector[...] = vector
        # Older files do not say, and meant 1.
        return Model(network, config.get("views", 1), config.get("temperature", 1.0))
    except (ArithmeticError, AttributeError, LookupError, MemoryError) as error:
        raise _damaged(path, error) from None
    except (RecursionError, TypeError, ValueError) as error:
        raise _damaged(path, error) from None


def save_checkpoint(path: Path, inputs: dict[str, Any], state: dict[str, Array]) -> None:
    """Write a training's state, together with what it was trained from."""
    _save(path, inputs, state)


def load_checkpoint(path: Path) -> tuple[dict[str, Any], dict[str, Array]]:
    """Read (inputs, state) back. Raises PipelineError if the file is missing or damaged."""
    return _load(path)


def _save(path: Path, config: dict[str, Any], arrays: dict[str, Array]) -> None:
    text = np.frombuffer(json.dumps(config).encode("utf-8"), np.uint8)
    # Arrays are named apart from the configuration, so that no name can collide with it.
    named = {f"array.{name}": array for name, array in arrays.items()}
    with atomic_write(path) as stream:
        np.savez(stream, allow_pickle=False, config=text, **named)


def _load(path: Path) -> tuple[dict[str, Any], dict[str, Array]]:
    try:
        found = load_arrays(path)
        config = parse_json(found["config"].tobytes().decode("utf-8"))
        arrays = {
            name.removeprefix("array."): array
            for name, array in found.items()
            if name.startswith("array.")
        }
    except FileNotFoundError:
        raise PipelineError(
            f"There is no {path}", remedy=f"Run: make train RUN={path.parent.name}"
        ) from None
    except (KeyError, ValueError) as error:
        raise _damaged(path, error) from None
    if not isinstance(config, dict):
        raise _damaged(path, ValueError("its configuration is not an object"))
    return config, arrays


def _damaged(path: Path, error: Exception) -> PipelineError:
    return PipelineError(
        f"{path} is damaged: {error}", remedy=f"Run: make train RUN={path.parent.name} FORCE=1"
    )
