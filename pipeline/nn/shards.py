"""A batch in groups, shared by workers, each group through a replica of the network; then one step.

Elementwise NumPy uses one core, so threads inside a matrix product would leave the others idle
for much of a step. Here each worker takes its shard of the groups through the whole network, with
single-threaded BLAS (the caller sees to that). A group is what is measured and computed together:
it has its own chance and its own gradient, and these are summed in the groups' order. Who computes
it makes no difference: any number of workers gives the same bits.
"""

import numpy as np

from pipeline.nn.arrays import Array, shared_zeros
from pipeline.nn.augmentation import Augmentation
from pipeline.nn.batches import cut, gather
from pipeline.nn.losses import softmax_cross_entropy
from pipeline.nn.network import Network
from pipeline.nn.normalization import BatchNorm
from pipeline.nn.optimizers import Optimizer
from pipeline.nn.team import Team

# Values that an optimizer steps at once: few enough to stay in the cache through its operations.
SPAN_VALUES = 65_536
# Into so many groups a batch is cut where no setting says anything else.
HALVES = 2


def count_groups(network: Network, batch_size: int | None, shards: int) -> int:
    """Return into how many groups a batch is cut; a smaller one, at the end, into as many.

    Where batch normalization measures them, its setting alone says so; without it, a batch has
    two groups, or one for each shard where there are more.
    batch_size: None is all rows, however many.
    Raises ValueError if the groups are not whole, or shards cannot share them evenly.
    """
    sizes = {layer.group for layer in network.layers if isinstance(layer, BatchNorm)}
    if not sizes:
        return max(HALVES, shards)
    if len(sizes) > 1:
        different = ", ".join(sorted(str(size or "half a batch") for size in sizes))
        raise ValueError(f"all batch_norm layers measure groups of one size, got {different}")
    (size,) = sizes
    groups = HALVES if size is None else _count_whole(size, batch_size, network.rows_at_once)
    if groups % shards:
        raise ValueError(
            f"batch_norm measures groups of {size or 'half a batch'}, {groups} to a batch, "
            f"which {shards} shards cannot share evenly"
        )
    return groups


def _count_whole(size: int, batch_size: int | None, rows_at_once: int) -> int:
    if batch_size is None or batch_size % size:
        batch = batch_size or "all"
        raise ValueError(f"a batch of {batch} images cannot be cut into groups of {size}")
    if size > rows_at_once:
        raise ValueError(
            f"a group of {size} images is more than the {rows_at_once} that go through this "
            "network at once"
        )
    return batch_size // size


class Shards(Team):
    """Replicas of one network in training, and the workers that they run on.

    images, labels: (N, 28, 28) uint8, or inputs made of them already, and (N,).
    average: (P,) shared running average of the parameters, moved towards them at each step.
    augmentation: how images are distorted on their way into the network.
    groups: into how many a batch is cut, as even as can be (``count_groups``).
    workers: how many share them; any number gives the same result.
    Used in a ``with`` block, which ends the workers.
    """

    def __init__(
        self,
        network: Network,
        optimizer: Optimizer,
        images: Array,
        labels: Array,
        *,
        groups: int,
        workers: int,
        smoothing: float = 0.0,
        average: Array | None = None,
        augmentation: Augmentation | None = None,
    ) -> None:
        super().__init__(min(workers, groups))
        self.network = network
        self.optimizer = optimizer
        self.images = images
        self.labels = labels
        self.smoothing = smoothing
        self.average = average
        self.augmentation = augmentation
        self.replicas = [network.replicate() for _ in range(groups)]
        # Of groups with more rows than go through the network at once.
        self._sums = [shared_zeros(network.parameter_count, network.dtype) for _ in range(groups)]
        self._rngs: list[np.random.Generator] = []

    def begin_epoch(self, sequence: np.random.SeedSequence) -> None:
        """Take the source of the coming epoch's chance (distortions, dropout), for each group."""
        self.ask("_begin_epoch", sequence.spawn(len(self.replicas)))

    def step(self, rows: Array, *, average_decay: float = 0.0) -> float:
        """Do one step of the optimizer on the batch ``rows`` and return its mean loss."""
        losses = dict(pair for part in self.ask("_find_gradients", rows) for pair in part)
        optimizer = self.optimizer
        self.ask("_update", len(rows), optimizer.steps, optimizer.rate, average_decay)
        return float(sum(losses[group] for group in range(len(self.replicas))))

    def merge_statistics(self) -> None:
        """Set the network's running statistics, and all replicas', to the replicas' mean.

        A running average is linear in what is averaged: the mean over groups of their running
        averages is the running average of the groups' mean.
        """
        statistics = self.network.statistics
        np.mean([replica.statistics for replica in self.replicas], axis=0, out=statistics)
        for replica in self.replicas:
            replica.statistics[...] = statistics

    # ---- what each worker does ---------------------------------------------------------------
    def _begin_epoch(self, number: int, sequences: list[np.random.SeedSequence]) -> None:
        self._rngs = [np.random.default_rng(sequence) for sequence in sequences]

    def _find_gradients(self, number: int, rows: Array) -> list[tuple[int, float]]:
        """Leave the gradients of this worker's groups in place; return their shares of the loss."""
        groups = cut(rows, len(self.replicas))
        return [
            (group, self._group_gradient(group, groups[group], len(rows)))
            for group in range(number, len(groups), self.size)
        ]

    def _group_gradient(self, group: int, rows: Array, batch_size: int) -> float:
        replica = self.replicas[group]
        loss = 0.0
        for start in range(0, len(rows), self.network.rows_at_once):
            block = rows[start : start + self.network.rows_at_once]
            rng = self._rngs[group]
            inputs = gather(self.images, block)
            if self.augmentation is not None:
                inputs = self.augmentation.distort(inputs, rng=rng)
            logits = replica.forward(inputs, training=True, rng=rng)
            block_loss, grad_logits = softmax_cross_entropy(
                logits, self.labels[block], smoothing=self.smoothing
            )
            # The mean over the batch is the blocks' means weighted by their share of it.
            share = len(block) / batch_size
            grad_logits *= share
            loss += block_loss * share
            replica.backward(grad_logits)
            if start:
                self._sums[group] += replica.gradients
            elif len(rows) > self.network.rows_at_once:
                self._sums[group][...] = replica.gradients
        return loss

    def _update(
        self, number: int, batch_size: int, steps: int, rate: float, average_decay: float
    ) -> None:
        """Sum the groups' gradients and step, on this worker's spans of the parameters."""
        network, optimizer = self.network, self.optimizer
        optimizer.steps, optimizer.rate = steps, rate
        sizes = [len(part) for part in cut(np.arange(batch_size), len(self.replicas))]
        first, *others = (
            replica.gradients if size <= network.rows_at_once else total
            for size, replica, total in zip(sizes, self.replicas, self._sums, strict=True)
            if size
        )
        parameters = network.parameters
        every = self.size * SPAN_VALUES
        for start in range(number * SPAN_VALUES, len(parameters), every):
            span = slice(start, min(start + SPAN_VALUES, len(parameters)))
            for other in others:
                first[span] += other[span]
            optimizer.update(parameters, first, span, network.weight_count)
            if self.average is not None:
                move = parameters[span] - self.average[span]
                self.average[span] += (1.0 - average_decay) * move
