"""The same work in each library, behind one interface: train so many steps, or predict."""

import time
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import Any

import numpy as np

from benchmarks.work import LEARNING_RATE, WEIGHT_DECAY, Work, batches, digits, initial_network
from pipeline.nn import AdamW, Predictor, Shards, plan_cut
from pipeline.nn.arrays import Array
from pipeline.nn.base import Layer, Shape
from pipeline.nn.conv import Conv2D
from pipeline.nn.layers import Dense, Dropout, Flatten, ReLU
from pipeline.nn.normalization import BatchNorm
from pipeline.nn.pooling import Crop2D, MaxPool2D
from pipeline.nn.shards import Step
from pipeline.system.cores import single_threaded_blas

IMAGES_TO_PREDICT = 28_000


class Library(ABC):
    """A library with its network for one work; ``turn`` measures."""

    def __init__(self, work: Work, cores: int) -> None:
        self.work = work
        self.cores = cores
        self.steps = 0

    def turn(self, steps: int) -> dict[str, Any]:
        """Train for so many steps, or predict once: images a second, and the steps' mean loss."""
        if self.work.batch_size is None:
            started = time.perf_counter()
            self.predict(self._images())
            return {"speed": IMAGES_TO_PREDICT / (time.perf_counter() - started), "loss": None}
        rows = batches(self.work.batch_size, self.steps, steps)
        started = time.perf_counter()
        loss = self.train(rows)
        speed = steps * self.work.batch_size / (time.perf_counter() - started)
        self.steps += steps
        return {"speed": speed, "loss": loss}

    @abstractmethod
    def train(self, rows: list[Array]) -> float:
        """Do one step on each batch; return the mean of their losses."""

    @abstractmethod
    def predict(self, images: Array) -> Array:
        """Return probabilities or logits (N, 10) of images (N, 28, 28) uint8."""

    @staticmethod
    def _images() -> Array:
        images, _ = digits()
        return images[np.arange(IMAGES_TO_PREDICT) % len(images)]


class Limit(Library):
    """The machine's own limit: the best single-precision matrix product over sizes, in FLOP/s.

    NumPy's BLAS shares out each product over all cores.
    """

    SIZES = (512, 1024, 2048)

    def __init__(self, work: Work, cores: int) -> None:
        super().__init__(work, cores)
        rng = np.random.default_rng(0)
        self._matrices = {size: rng.random((size, size), np.float32) for size in self.SIZES}
        self._results = {size: np.empty((size, size), np.float32) for size in self.SIZES}

    def turn(self, steps: int) -> dict[str, Any]:  # noqa: ARG002
        from threadpoolctl import threadpool_limits

        speeds = []
        with threadpool_limits(self.cores, "blas"):
            for size in self.SIZES:
                self._multiply(size)
                repeats = max(1, (2048 // size) ** 2)
                started = time.perf_counter()
                for _ in range(repeats):
                    self._multiply(size)
                seconds = time.perf_counter() - started
                speeds.append(repeats * 2.0 * size**3 / seconds)
        return {"speed": max(speeds), "loss": None}

    def _multiply(self, size: int) -> None:
        np.matmul(self._matrices[size], self._matrices[size], out=self._results[size])

    def train(self, rows: list[Array]) -> float:
        raise NotImplementedError

    def predict(self, images: Array) -> Array:
        raise NotImplementedError


class Ours(Library):
    """The network of this pipeline."""

    def __init__(self, work: Work, cores: int) -> None:
        super().__init__(work, cores)
        images, labels = digits()
        network = initial_network(work)
        self.optimizer = AdamW(learning_rate=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
        self.optimizer.prepare(network.parameters)
        cut = plan_cut(network, work.batch_size, None)
        self._context = ExitStack()
        self._context.enter_context(single_threaded_blas())
        self.shards = self._context.enter_context(
            Shards(network, self.optimizer, images, labels, cut=cut, workers=cores)
        )
        self.shards.begin_epoch(np.random.SeedSequence(1))
        self.predictor = self._context.enter_context(
            Predictor(network, self._images(), workers=cores)
        )

    def close(self) -> None:
        """End the workers."""
        self._context.close()

    def train(self, rows: list[Array]) -> float:
        return float(np.mean(self.shards.run([Step(batch) for batch in rows])))

    def predict(self, images: Array) -> Array:
        return self.predictor.predict(np.arange(len(images)))


class Torch(Library):
    """PyTorch, eager.

    layout: "NCHW", its default, or "NHWC" ("channels last").
    fused: its AdamW in one pass over memory, the fastest of its forms, instead of the default.
    bfloat16: products in bfloat16 by autocast, weights and optimizer in float32.
    compiled: by torch.compile, which needs a C++ compiler; the time that it takes is not counted.
    """

    def __init__(
        self,
        work: Work,
        cores: int,
        *,
        layout: str = "NCHW",
        fused: bool = True,
        bfloat16: bool = False,
        compiled: bool = False,
    ) -> None:
        super().__init__(work, cores)
        import torch

        self.torch = torch
        torch.set_num_threads(cores)
        torch.manual_seed(0)
        self.bfloat16 = bfloat16
        self.memory_format = torch.channels_last if layout == "NHWC" else torch.contiguous_format
        self.model = torch_model(work).to(memory_format=self.memory_format)
        if compiled:
            self.model.compile()
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY, fused=fused
        )
        images, labels = digits()
        self.inputs = self._to_inputs(images)
        self.labels = torch.from_numpy(labels)

    def _to_inputs(self, images: Array) -> Any:
        inputs = self.torch.from_numpy(images).float().div_(255.0).unsqueeze(1)
        return inputs.contiguous(memory_format=self.memory_format)

    def train(self, rows: list[Array]) -> float:
        torch = self.torch
        self.model.train()
        losses = []
        for batch in rows:
            chosen = torch.from_numpy(batch)
            inputs = self.inputs[chosen].contiguous(memory_format=self.memory_format)
            with torch.autocast("cpu", torch.bfloat16, enabled=self.bfloat16):
                logits = self.model(inputs)
            loss = torch.nn.functional.cross_entropy(logits.float(), self.labels[chosen])
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            losses.append(loss.item())
        return float(np.mean(losses))

    def predict(self, images: Array) -> Array:
        torch = self.torch
        self.model.eval()
        with torch.inference_mode():
            blocks = [
                torch.softmax(self.model(self._to_inputs(images[start : start + 1000])), 1)
                for start in range(0, len(images), 1000)
            ]
            result: Array = torch.cat(blocks).numpy()
            return result


class Sklearn(Library):
    """scikit-learn's MLPClassifier, with weights of its own and Adam without weight decay."""

    def __init__(self, work: Work, cores: int) -> None:
        super().__init__(work, cores)
        from sklearn.neural_network import MLPClassifier

        units = [layer["units"] for layer in work.layers if layer["kind"] == "dense"]
        images, self.labels = digits()
        self.inputs = images.reshape(len(images), -1).astype(np.float32) / np.float32(255.0)
        self.model = MLPClassifier(
            units[:-1],
            batch_size=work.batch_size,
            learning_rate_init=LEARNING_RATE,
            alpha=0.0,
            random_state=0,
        )

    def train(self, rows: list[Array]) -> float:
        together = np.concatenate(rows)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.model.partial_fit(
                self.inputs[together], self.labels[together], classes=np.arange(10)
            )
        return float(self.model.loss_)

    def predict(self, images: Array) -> Array:
        inputs = images.reshape(len(images), -1).astype(np.float32) / np.float32(255.0)
        probabilities: Array = self.model.predict_proba(inputs)
        return probabilities


def torch_model(work: Work) -> Any:
    """Return the network as a PyTorch module, with the weights of ``initial_network``."""
    import torch

    modules: list[Any] = []
    network = initial_network(work)
    flattened: Shape | None = None  # what a dense layer's inputs were, if they were maps
    for layer, config in zip(network.layers, network.config, strict=True):
        module = _torch_module(config, layer)
        modules.append(module)
        if isinstance(layer, Flatten):
            flattened = layer.input_shape
        if isinstance(layer, Dense):
            weight = layer.values["weight"]
            if flattened:
                # PyTorch flattens channels before pixels.
                by_place = weight.reshape(*flattened, -1)
                weight = by_place.transpose(2, 0, 1, 3).reshape(weight.shape)
            module.weight.data = torch.from_numpy(weight.T.copy())
            flattened = None
        elif isinstance(layer, Conv2D):
            weight = layer.values["weight"].transpose(3, 2, 0, 1)
            module.weight.data = torch.from_numpy(weight.copy())
        if isinstance(layer, Dense | Conv2D):
            module.bias.data = torch.from_numpy(layer.values["bias"].copy())
    return torch.nn.Sequential(*modules)


def _torch_module(config: dict[str, Any], layer: Layer) -> Any:  # noqa: PLR0911
    """Return a layer's counterpart, with weights of its own."""
    from torch import nn

    match layer:
        case Dense():
            return nn.Linear(layer.inputs, layer.units)
        case Conv2D():
            return nn.Conv2d(
                layer.channels,
                layer.filters,
                layer.kernel,
                stride=layer.stride,
                padding=layer.padding,
            )
        case BatchNorm():
            return nn.BatchNorm2d(layer.features)
        case Crop2D():
            return nn.ZeroPad2d(-layer.pixels)
        case MaxPool2D():
            return nn.MaxPool2d(layer.size)
        case Dropout():
            return nn.Dropout(layer.rate)
        case Flatten():
            return nn.Flatten()
        case ReLU():
            return nn.ReLU()
    raise NotImplementedError(config["kind"])


LIBRARIES: dict[str, Callable[[Work, int], Library]] = {
    "limit": Limit,
    "ours": Ours,
    "scikit-learn": Sklearn,
    "PyTorch": partial(Torch, fused=False),
    "PyTorch, fused AdamW": Torch,
    "PyTorch NCHW": Torch,
    "PyTorch NHWC": partial(Torch, layout="NHWC"),
    "PyTorch NCHW, compiled": partial(Torch, compiled=True),
    "PyTorch NHWC, compiled": partial(Torch, layout="NHWC", compiled=True),
    "PyTorch NCHW, bfloat16": partial(Torch, bfloat16=True),
    "PyTorch NHWC, bfloat16": partial(Torch, layout="NHWC", bfloat16=True),
}
