"""A batch cut into shards, each taken through a replica of the network; then one step.

Elementwise NumPy uses one core, so threads inside a matrix product would leave the others idle
for much of a step. Here each worker takes its shards of the batch through the whole network, with
single-threaded BLAS (the caller sees to that).

A shard is what is computed together: it has its own chance and its own gradient, and these are
summed in the shards' order. A group, of one shard or several, is what batch normalization measures
together. Who computes a shard makes no difference: any number of workers gives the same bits.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.nn.arrays import Array, shared_zeros
from pipeline.nn.augmentation import Augmentation
from pipeline.nn.batches import cut, gather
from pipeline.nn.losses import softmax_cross_entropy
from pipeline.nn.network import Network, Pass, finish
from pipeline.nn.normalization import SUMS, WAYS, BatchNorm
from pipeline.nn.optimizers import Optimizer
from pipeline.nn.team import Team

# Values that an optimizer steps at once: few enough to stay in the cache through its operations,
# and so few that many workers have some.
SPAN_VALUES = 16_384
# Into so many groups a batch is cut where no setting says anything else.
HALVES = 2
# A batch is cut into so many shards, where no setting says anything else, if each has at least so
# many images: with fewer, operations on arrays are too short to be quick. (Shards of 16 images
# take a sixth longer than shards of 32.)
MOST_SHARDS = 8
LEAST_MAPS = 32
LEAST_FEATURES = 256


@dataclass(frozen=True)
class Cut:
    """How a batch is cut; a smaller one, at the end of an epoch, into as many parts."""

    groups: int
    shards: int  # of each group

    @property
    def parts(self) -> int:
        """How many workers a batch can be shared by."""
        return self.groups * self.shards

    def of(self, rows: Array) -> list[Array]:
        """Return the rows of each shard; some may be empty."""
        return [shard for group in cut(rows, self.groups) for shard in cut(group, self.shards)]


def plan_cut(network: Network, batch_size: int | None, shards: int | None) -> Cut:
    """Return how a batch is cut: into so many shards, as far as groups share them evenly.

    shards: None is as many as are quick, up to eight.
    Groups are as batch normalization's setting says; without it, a batch is two groups.
    batch_size: None is all rows, however many.
    Raises ValueError if the batch is not a whole number of groups.
    """
    sizes = {layer.group for layer in network.normalizations}
    if len(sizes) > 1:
        different = ", ".join(sorted(str(size or "half a batch") for size in sizes))
        raise ValueError(f"all batch_norm layers measure groups of one size, got {different}")
    (size,) = sizes or {None}
    groups = HALVES if size is None else _count_whole(size, batch_size, network.rows_at_once)
    if shards is None:
        least = LEAST_MAPS if network.has_maps else LEAST_FEATURES
        images = network.rows_at_once * groups if batch_size is None else batch_size
        shards = min(MOST_SHARDS, images // least)
    return Cut(groups, max(1, shards // groups))


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


@dataclass(frozen=True)
class Step:
    """What one step of the optimizer is to do: with which rows, and how fast."""

    rows: Array
    factor: float = 1.0
    average_decay: float = 0.0


class Shards(Team):
    """Replicas of one network in training, and the workers that they run on.

    images, labels: (N, 28, 28) uint8, or inputs made of them already, and (N,).
    average: (P,) shared running average of the parameters, moved towards them at each step.
    augmentation: how images are distorted on their way into the network.
    cut: how a batch is cut (``plan_cut``).
    workers: how many share it; any number gives the same result.
    Used in a ``with`` block, which ends the workers.
    """

    def __init__(
        self,
        network: Network,
        optimizer: Optimizer,
        images: Array,
        labels: Array,
        *,
        cut: Cut,
        workers: int,
        smoothing: float = 0.0,
        average: Array | None = None,
        augmentation: Augmentation | None = None,
    ) -> None:
        super().__init__(min(workers, cut.parts))
        self.network = network
        self.optimizer = optimizer
        self.images = images
        self.labels = labels
        self.cut = cut
        self.smoothing = smoothing
        self.average = average
        self.augmentation = augmentation
        self._gradients = shared_zeros((cut.parts, network.parameter_count), network.dtype)
        # Of the first rows, where more than can go through the network at once are one batch.
        self._earlier = shared_zeros(self._gradients.shape, network.dtype)
        self._losses = shared_zeros(cut.parts, np.float64)
        self._mine = np.array_split(np.arange(cut.parts), self.size)
        # With whom each worker has a group in common.
        groups = [set(own // cut.shards) for own in self._mine]
        self._neighbours = [
            [other for other, theirs in enumerate(groups) if theirs & own] for own in groups
        ]
        self.replicas = self._replicate()
        self._rngs: list[np.random.Generator] = []

    def _replicate(self) -> list[Network]:
        """Return a replica for each shard; those of a worker share scratch, those of a group
        measure together."""
        network = self.network
        replicas: list[Network] = []
        for own in self._mine:
            first: Network | None = None
            for shard in own:
                replica = network.replicate(gradients=self._gradients[shard], beside=first)
                if first is None and replicas:
                    replica.share_prepared(replicas[0])
                first = first or replica
                replicas.append(replica)
        for place, layer in enumerate(network.normalizations):
            shape = (self.cut.groups, WAYS, self.cut.shards, SUMS, layer.features)
            sums = shared_zeros(shape, np.float64)
            for own in self._mine:
                beside: dict[int, BatchNorm] = {}
                for shard in own:
                    group, own_place = divmod(int(shard), self.cut.shards)
                    own_layer = replicas[shard].normalizations[place]
                    own_layer.share_group(sums[group], own_place, beside.get(group))
                    beside.setdefault(group, own_layer)
        return replicas

    def begin_epoch(self, sequence: np.random.SeedSequence) -> None:
        """Take the source of the coming epoch's chance (distortions, dropout), for each shard."""
        self.ask("_begin_epoch", sequence.spawn(self.cut.parts))

    def run(self, steps: Sequence[Step], *, after: Callable[[int], None] | None = None) -> Array:
        """Do these steps and return their mean losses (n,).

        It ends after a step whose loss is no finite number: that loss is the last one then.
        after: is told of each step that is done how many are.
        """
        self._after = after
        losses = self.ask("_run", steps, self.optimizer.steps)[0]
        return np.asarray(losses)

    def merge_statistics(self) -> None:
        """Set the network's running statistics, and all replicas', to the groups' mean.

        A running average is linear in what is averaged: the mean over groups of their running
        averages is the running average of the groups' mean. Of a group, its first replica keeps it.
        """
        statistics = self.network.statistics
        each = [replica.statistics for replica in self.replicas]
        np.mean(each[:: self.cut.shards], axis=0, out=statistics)
        for replica in self.replicas:
            replica.statistics[...] = statistics

    # ---- what each worker does ---------------------------------------------------------------
    def _begin_epoch(self, number: int, sequences: list[np.random.SeedSequence]) -> None:
        self._rngs = [np.random.default_rng(sequence) for sequence in sequences]

    def _run(self, number: int, steps: Sequence[Step], done: int) -> list[float]:
        """Do all steps together with the other workers; return the batches' losses."""
        losses: list[float] = []
        self.optimizer.steps = done
        for step in steps:
            self.optimizer.begin_step(step.factor)
            self._find_gradients(number, step.rows)
            self.meet(number)
            losses.append(float(self._losses.sum()))
            if not math.isfinite(losses[-1]):
                break
            self._update(number, step.average_decay)
            self.meet(number)
            if number == 0 and self._after:
                self._after(len(losses))
        return losses

    def _find_gradients(self, number: int, rows: Array) -> None:
        """Leave the gradients of this worker's shards, and their share of the loss, in place."""
        own = self._mine[number]
        self._losses[own] = 0.0
        if self.network.has_maps:  # dense layers take their weights as they are
            self.replicas[own[0]].prepare(number, self.size)
            self.meet(number)
        at_once = self.network.rows_at_once * self.cut.groups
        for start in range(0, len(rows), at_once):
            self._go_through(number, rows[start : start + at_once], len(rows))
            if len(rows) > at_once:
                if start:
                    self._earlier[own] += self._gradients[own]
                else:
                    self._earlier[own] = self._gradients[own]
                self.meet(number)
        if len(rows) > at_once:
            self._gradients[own] = self._earlier[own]

    def _go_through(self, number: int, rows: Array, batch_size: int) -> None:
        """Take this worker's shards of these rows forward and back."""
        parts = self.cut.of(rows)
        passes = []
        for shard in self._mine[number]:
            if len(parts[shard]):
                passes.append(self._pass(shard, parts[shard], batch_size))
            else:
                self._stand_aside(shard)
        for _ in range(WAYS * len(self.network.normalizations)):
            for going in passes:
                next(going)
            self.meet(number, self._neighbours[number])
        for going in passes:
            finish(going)

    def _pass(self, shard: int, rows: Array, batch_size: int) -> Pass:
        """Take one shard forward and back."""
        replica, rng = self.replicas[shard], self._rngs[shard]
        inputs = gather(self.images, rows)
        if self.augmentation is not None:
            inputs = self.augmentation.distort(inputs, rng=rng, margin=self.network.margin)
        logits = yield from replica.forward_pass(inputs, training=True, rng=rng)
        loss, grad_logits = softmax_cross_entropy(
            logits, self.labels[rows], smoothing=self.smoothing
        )
        # The mean over the batch is the shards' means weighted by their share of it.
        share = len(rows) / batch_size
        grad_logits *= share
        self._losses[shard] += loss * share
        yield from replica.backward_pass(grad_logits)
        return logits

    def _stand_aside(self, shard: int) -> None:
        """Add nothing, since there are fewer rows than shards."""
        self._gradients[shard] = 0.0
        for layer in self.replicas[shard].normalizations:
            layer.measure_nothing()

    def _update(self, number: int, average_decay: float) -> None:
        """Sum the shards' gradients and step, on this worker's spans of the parameters."""
        network, gradients = self.network, self._gradients
        parameters, total = network.parameters, gradients[0]
        spans = [
            slice(start, min(start + SPAN_VALUES, len(parameters)))
            for start in range(number * SPAN_VALUES, len(parameters), self.size * SPAN_VALUES)
        ]
        for span in spans:
            for others in gradients[1:]:
                total[span] += others[span]
            self.optimizer.update(parameters, total, span, network.weight_count)
        for _ in self.optimizer.finish(parameters, total, number, self.size):
            self.meet(number)
        if self.average is not None:
            for span in spans:
                move = parameters[span] - self.average[span]
                self.average[span] += (1.0 - average_decay) * move
