"""Probabilities for any number of images, by several workers at once."""

import numpy as np

from pipeline.nn.batches import gather
from pipeline.nn.initializers import Array
from pipeline.nn.network import Network
from pipeline.nn.team import Team


class Predictor(Team):
    """A network and the images that it may be asked about; used in a ``with`` block.

    images: (N, 28, 28) uint8.  workers: how many cores; any number gives the same bits.
    """

    def __init__(self, network: Network, images: Array, *, workers: int) -> None:
        super().__init__(workers)
        self.network = network
        self.images = images
        self._replicas = [network.replicate(own_statistics=False) for _ in range(workers)]

    def predict(self, rows: Array) -> Array:
        """Return probabilities (len(rows), K) of these images, by the network as it is now."""
        parts = self.ask("_predict_part", rows)
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
        starts = range(number * size, rows, self.size * size)
        return [slice(start, min(start + size, rows)) for start in starts]
