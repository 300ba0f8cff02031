"""A batch on several threads: shards run through replicas, gradients are summed in a fixed order.

Elementwise NumPy uses one core, so threads inside a matrix product would leave the others idle
for much of a step. Here each thread takes its shard through the whole network, with
single-threaded BLAS (the caller sees to that), and NumPy releases the interpreter's lock in both
kinds of work. How a batch is cut depends on the recipe alone and never on the machine: any number
of threads gives the same bits.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, Self

import numpy as np

from pipeline.nn.batches import cut, gather
from pipeline.nn.initializers import Array
from pipeline.nn.losses import softmax_cross_entropy
from pipeline.nn.network import Network
from pipeline.nn.optimizers import Optimizer

# Rows that go through the network at once: activations of a larger block fall out of the cache.
BLOCK_ROWS = 1024
# Values that an optimizer steps at once: few enough to stay in a cache of some MiB, and so many
# that threads seldom meet at the interpreter's lock, which each operation takes (16,384 cost a
# third of the speed of a dense network at batch 256 on two cores).
SPAN_VALUES = 65_536


class Shards:
    """Replicas of one network and the threads that they run on.

    shards: into how many parts a batch is cut; part of the recipe, since it orders the sums.
    threads: how many of them run at once; any number gives the same result.
    Use it in a ``with`` block, which ends the threads.
    """

    def __init__(self, network: Network, *, shards: int, threads: int) -> None:
        self.network = network
        self.replicas = [network.replicate() for _ in range(shards)]
        # Each shard's gradient: its replica's own, unless several blocks are summed.
        self._sums = [replica.gradients for replica in self.replicas]
        self._threads = min(threads, shards)
        self._pool = ThreadPoolExecutor(max(1, self._threads - 1), "shard")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._pool.shutdown()

    def step(
        self,
        images: Array,
        labels: Array,
        rows: Array,
        optimizer: Optimizer,
        *,
        smoothing: float,
        rngs: Sequence[np.random.Generator],
        average: Array | None = None,
        average_decay: float = 0.0,
    ) -> float:
        """Do one optimizer step on the batch ``rows`` and return its mean loss.

        images: (N, 28, 28) uint8.  labels: (N,).  rngs: one for each shard (dropout).
        average: (P,) running average of the parameters, moved towards the new ones in place.
        """
        parts = cut(rows, len(self.replicas))

        def run_shard(number: int) -> float:
            return self._shard_gradient(
                number,
                images,
                labels,
                parts[number],
                batch_size=len(rows),
                smoothing=smoothing,
                rng=rngs[number],
            )

        loss: float = sum(self._map(run_shard, len(parts)))
        used = [self._sums[number] for number, part in enumerate(parts) if len(part)]
        parameters = self.network.parameters
        spans = [
            slice(start, min(start + SPAN_VALUES, len(parameters)))
            for start in range(0, len(parameters), SPAN_VALUES)
        ]

        def update_spans(number: int) -> None:
            for span in spans[number :: self._threads]:
                gradients = used[0]
                for other in used[1:]:
                    gradients[span] += other[span]
                optimizer.update(parameters, gradients, span, self.network.weight_count)
                if average is not None:
                    average[span] += (1.0 - average_decay) * (parameters[span] - average[span])

        self._map(update_spans, self._threads)
        return loss

    def predict(self, images: Array, rows: Array) -> Array:
        """Return probabilities (len(rows), K) of these rows of images (N, 28, 28) uint8."""
        blocks = [rows[start : start + BLOCK_ROWS] for start in range(0, len(rows), BLOCK_ROWS)]
        probabilities = np.empty((len(rows), *self.network.output_shape), self.network.dtype)
        for replica in self.replicas:
            replica.statistics[...] = self.network.statistics

        def run_blocks(number: int) -> None:
            for block in range(number, len(blocks), len(self.replicas)):
                start = block * BLOCK_ROWS
                probabilities[start : start + BLOCK_ROWS] = self.replicas[number].predict(
                    gather(images, blocks[block])
                )

        self._map(run_blocks, len(self.replicas))
        return probabilities

    def merge_statistics(self) -> None:
        """Set the network's running statistics, and all replicas', to the replicas' mean.

        A running average is linear in what is averaged: the mean over shards of their running
        averages is the running average of the shards' mean.
        """
        statistics = self.network.statistics
        np.mean([replica.statistics for replica in self.replicas], axis=0, out=statistics)
        for replica in self.replicas:
            replica.statistics[...] = statistics

    def _shard_gradient(
        self,
        number: int,
        images: Array,
        labels: Array,
        rows: Array,
        *,
        batch_size: int,
        smoothing: float,
        rng: np.random.Generator,
    ) -> float:
        """Leave the shard's part of the gradient in its sum; return its part of the loss."""
        replica = self.replicas[number]
        self._sums[number] = replica.gradients
        loss = 0.0
        for start in range(0, len(rows), BLOCK_ROWS):
            block = rows[start : start + BLOCK_ROWS]
            logits = replica.forward(gather(images, block), training=True, rng=rng)
            block_loss, grad_logits = softmax_cross_entropy(
                logits, labels[block], smoothing=smoothing
            )
            # The mean over the batch is the blocks' means weighted by their share of it.
            share = len(block) / batch_size
            grad_logits *= share
            loss += block_loss * share
            replica.backward(grad_logits)
            if start == 0 and len(rows) > BLOCK_ROWS:
                self._sums[number] = replica.gradients.copy()
            elif start:
                self._sums[number] += replica.gradients
        return loss

    def _map(self, function: Callable[[int], Any], count: int) -> list[Any]:
        """Return [function(0), function(1), ...]; the calling thread does its share."""

        def quietly(number: int) -> Any:
            # A diverging network overflows: its loss tells, instead of a warning an operation.
            with np.errstate(over="ignore", invalid="ignore"):
                return function(number)

        if self._threads == 1:
            return [quietly(number) for number in range(count)]
        others = [self._pool.submit(quietly, number) for number in range(1, count)]
        first = quietly(0)
        return [first, *(other.result() for other in others)]
