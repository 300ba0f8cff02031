"""Probabilities for any number of images, by several workers at once."""

from types import TracebackType
from typing import Self

import numpy as np

from pipeline.nn.batches import gather
from pipeline.nn.initializers import Array
from pipeline.nn.network import Network
from pipeline.nn.team import Team


class Predictor:
    """A network and the images that it may be asked about; used in a ``with`` block.

    images: (N, 28, 28) uint8.  workers: how many cores; any number gives the same bits.
    """

    def __init__(self, network: Network, images: Array, *, workers: int) -> None:
        self.network = network
        self.images = images
        self._replicas = [network.replicate(own_statistics=False) for _ in range(workers)]
        self._team = Team(self, workers)

    def __enter__(self) -> Self:
        self._team.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._team.__exit__(kind, error, traceback)

    def predict(self, rows: Array) -> Array:
        """Return probabilities (len(rows), K) of these images, by the network as it is now."""
        parts = self._team.ask("_predict_part", rows)
        probabilities = np.empty((len(rows), *self.network.output_shape), self.network.dtype)
        for number, part in enumerate(parts):
            for block, found in zip(self._blocks(number, len(rows)), part, strict=True):
                probabilities[block] = found
        return probabilities

    def _predict_part(self, number: int, rows: Array) -> list[Array]:
        replica = self._replicas[number]
        return [
            replica.predict(gather(self.images, rows[block]))
            for block in self._blocks(number, len(rows))
        ]

    def _blocks(self, number: int, rows: int) -> list[slice]:
        """Every so manieth block of rows is this worker's."""
        size = self.network.rows_at_once
        starts = range(number * size, rows, self._team.size * size)
        return [slice(start, min(start + size, rows)) for start in starts]
