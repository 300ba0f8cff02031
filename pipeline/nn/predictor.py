"""Probabilities for any number of images, by several workers at once."""

from collections.abc import Iterator, Sequence

import numpy as np

from pipeline.nn.arrays import Array
from pipeline.nn.batches import gather, shift
from pipeline.nn.network import Network
from pipeline.nn.team import Team

AS_IT_IS = ((0, 0),)
# Blocks of rows that go to the workers at a time: enough for them all to be busy, and few enough
# for the probabilities of many digits never to be in memory together.
BLOCKS_AT_ONCE = 32
# A digit whose first view gets this probability for one class is not looked at again. Of held-out
# digits that is 24 in 25, and not one of them was read otherwise by the mean of all views.
SURE = 0.99


class Predictor(Team):
    """A network and the images that it may be asked about; used in a ``with`` block.

    images: (N, 28, 28) uint8.  workers: how many cores; any number gives the same bits.
    shifts: by how many pixels (down, right) an image is moved in each view of it. Its probabilities
    are those of the first view if they leave little doubt, else the mean of all views'.
    temperature: by which logits are divided (``Network.predict``).
    """

    def __init__(
        self,
        network: Network,
        images: Array,
        *,
        workers: int,
        shifts: Sequence[tuple[int, int]] = AS_IT_IS,
        temperature: float = 1.0,
    ) -> None:
        super().__init__(workers)
        self.network = network
        self.images = images
        self.shifts = shifts
        self.temperature = temperature
        self._replicas = [network.replicate(own_statistics=False) for _ in range(workers)]

    def predict(self, rows: Array) -> Array:
        """Return probabilities (len(rows), K) of these images, by the network as it is now.

        They are an array of the caller's own, as those of ``predict_in_turn`` are.
        """
        probabilities = np.empty((len(rows), *self.network.output_shape), self.network.dtype)
        done = 0
        for found in self.predict_in_turn(rows):
            probabilities[done : done + len(found)] = found
            done += len(found)
        return probabilities

    def predict_in_turn(self, rows: Array) -> Iterator[Array]:
        """Yield the same probabilities some thousand rows at a time, in their order."""
        size = self.network.rows_at_once * BLOCKS_AT_ONCE
        for start in range(0, len(rows), size):
            together = rows[start : start + size]
            probabilities = np.empty(
                (len(together), *self.network.output_shape), self.network.dtype
            )
            for number, part in enumerate(self.ask("_predict_part", together)):
                for block, found in zip(self._blocks(number, len(together)), part, strict=True):
                    probabilities[block] = found
            yield probabilities

    def _predict_part(self, number: int, rows: Array) -> list[Array]:
        return [
            self._predict_block(self._replicas[number], rows[block])
            for block in self._blocks(number, len(rows))
        ]

    def _predict_block(self, replica: Network, rows: Array) -> Array:
        inputs = gather(self.images, rows)
        first, *others = self.shifts
        found = replica.predict(shift(inputs, *first), temperature=self.temperature)
        unsure = np.flatnonzero(found.max(axis=1) < SURE)
        if others and len(unsure):
            views = np.concatenate([shift(inputs[unsure], *each) for each in others])
            of_views = replica.predict(views, temperature=self.temperature)
            found[unsure] += of_views.reshape(len(others), len(unsure), -1).sum(axis=0)
            found[unsure] /= len(self.shifts)
        return found

    def _blocks(self, number: int, rows: int) -> list[slice]:
        """Every so manieth block of rows is this worker's."""
        size = self.network.rows_at_once
        starts = range(number * size, rows, self.size * size)
        return [slice(start, min(start + size, rows)) for start in starts]
