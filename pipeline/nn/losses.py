"""How wrong the network is: softmax cross-entropy, computed without overflow; and its score."""

import numpy as np

from pipeline.nn.arrays import Array


def softmax(logits: Array) -> Array:
    """Return probabilities (N, K) that sum to 1 in each row.

    Subtracting a row's maximum changes nothing (it cancels) and keeps exp from overflowing.
    """
    exponentials: Array = np.exp(logits - logits.max(axis=1, keepdims=True))
    exponentials /= exponentials.sum(axis=1, keepdims=True)
    return exponentials


def softmax_cross_entropy(
    logits: Array, labels: Array, *, smoothing: float = 0.0
) -> tuple[float, Array]:
    """Return the mean cross-entropy and its gradient.

    logits: (N, K) float, unnormalised.  labels: (N,) integers in [0, K).
    smoothing: share of the target's weight that is spread evenly over all K classes.
    Returns (loss, grad_logits); the gradient is already divided by N.
    Raises ValueError if shapes disagree or a label is out of range.
    Source: Szegedy et al. 2016, arXiv:1512.00567, section 7 (label smoothing).

    With p = softmax(z) and targets t that sum to 1, L = -sum_k t_k log p_k. From
    log p_k = z_k - log sum_j exp z_j follows dL/dz_j = -t_j + sum_k t_k p_j = p_j - t_j.
    """
    rows, classes = logits.shape
    if labels.shape != (rows,):
        raise ValueError(f"expected labels of shape {(rows,)}, got {labels.shape}")
    if rows and not 0 <= int(labels.min()) <= int(labels.max()) < classes:
        raise ValueError(f"expected labels in [0, {classes}), got {labels.min()} to {labels.max()}")
    shifted = logits - logits.max(axis=1, keepdims=True)
    probabilities = np.exp(shifted)
    sums = probabilities.sum(axis=1, keepdims=True)
    log_probabilities = shifted - np.log(sums)
    probabilities /= sums

    targets = np.full_like(logits, smoothing / classes)
    targets[np.arange(rows), labels] += 1.0 - smoothing
    loss = -float(np.vdot(targets, log_probabilities)) / rows
    grad_logits = probabilities
    grad_logits -= targets
    grad_logits /= rows
    return loss, grad_logits


class Score:
    """Loss and accuracy of probabilities that come a part at a time: as of all at once, to the bit.

    labels: (N,) integers in [0, K). Of the probabilities, one number a row is kept.
    It is read when all rows are in. Raises ValueError if there are none, or too many or too few.
    """

    def __init__(self, labels: Array) -> None:
        if not len(labels):
            raise ValueError("a score needs at least one row")
        self._labels = labels
        self._chosen: list[Array] = []
        self._rows = 0
        self._right = 0

    def add(self, probabilities: Array) -> None:
        """Take in the probabilities (n, K) of the next n rows."""
        rows = len(probabilities)
        if self._rows + rows > len(self._labels):
            raise ValueError(f"expected {len(self._labels)} rows, got {self._rows + rows}")
        labels = self._labels[self._rows : self._rows + rows]
        self._chosen.append(probabilities[np.arange(rows), labels])
        self._right += int(np.count_nonzero(probabilities.argmax(axis=1) == labels))
        self._rows += rows

    @property
    def log_loss(self) -> float:
        """The mean cross-entropy; for it, a probability of 0 counts as the least above."""
        self._require_all()
        chosen = np.concatenate(self._chosen)
        smallest = np.finfo(chosen.dtype).tiny
        return -float(np.log(np.maximum(chosen, smallest)).mean(dtype=np.float64))

    @property
    def accuracy(self) -> float:
        """The share of rows whose most probable class, the first of equals, is right."""
        self._require_all()
        return self._right / self._rows

    def _require_all(self) -> None:
        if self._rows < len(self._labels):
            raise ValueError(f"expected {len(self._labels)} rows, got {self._rows}")
