"""Matrices made orthogonal by products alone, which any number of workers share.

Let M = U S V^T, the columns of U and those of V orthonormal, S its singular values. The orthogonal
matrix next to M is U V^T: all singular values become 1. A polynomial does nearly that, without any
of the three. With X = M / |M| (Frobenius), singular values s lie in [0, 1], and

    X (a I + b X^T X + c (X^T X)^2) = U (a s + b s^3 + c s^5) V^T,

since V^T V = I in the midst of each product: every s goes through p(s) = a s + b s^3 + c s^5 by
itself, and U and V stay. With a = 3.4445, small ones grow to the 3.4-fold, and where they are
no longer small, p keeps them between 0.68 and 1.21: five steps take all s from 0.0015 on there.
They do not come closer to 1, which a gentler slope at 0 would pay for with more steps.

All steps can be taken on the shorter side (were it the other one, of X^T). A = X^T X becomes
P A P in a step that takes X to X P, with P = a I + b A + c A^2; P and A are polynomials of the
first A, so P A P = A P P, and rows of A P P need no more of A than the same rows. Then M is read
twice only: for A = M^T M / |M|^2 with |M|^2 = trace M^T M, and for M Q / |M| with Q = P_1 ... P_5.
For a matrix of m rows and n columns, m >= n, that is 4 m n^2 + 34 n^3 operations instead of
20 m n^2 + 10 n^3: half as many for a convolution of 3 x 3 from 64 to 128 channels. In float32 it
differs from exact arithmetic by about a thousandth at most, as far as it was tried (singular values
from 1 down to 1e-8).

Source: K. Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural networks", with the
polynomial; the iteration is Björck and Bowie's, 1971.
"""

import itertools
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

import numpy as np

from pipeline.nn.arrays import Array, shared_zeros

QUINTIC = (3.4445, -4.7750, 2.0315)
STEPS = 5
# Added to |M|: a direction of zeros stays one.
EPSILON = 1e-7
# Rows of a product that are computed at once, whoever does it, so that each bit is the same for
# any number of workers: halves of a small matrix, and at most eight parts of a large one. With
# fewer rows a product is slower, since the other factor is laid out for the processor each time.
ROWS_AT_ONCE = 128
FEWEST_PARTS, MOST_PARTS = 2, 8

Job = TypeVar("Job")


class Orthogonalizer:
    """What makes one matrix orthogonal, and the shared memory for it; each method does some rows.

    rows, columns: of the matrix.  dtype: of it and of all products.
    """

    def __init__(self, rows: int, columns: int, dtype: Any) -> None:
        self._wide = rows < columns
        self.side = min(rows, columns)
        memory = shared_zeros((4, self.side, self.side), dtype)
        self._gram, self._factor, self._product, self._scratch = memory
        self._factor_diagonal = np.einsum("ii->i", self._factor)
        self._scratch_diagonal = np.einsum("ii->i", self._scratch)
        count = min(self.side, MOST_PARTS, max(FEWEST_PARTS, self.side // ROWS_AT_ONCE))
        self.parts = _cut(self.side, count)
        self.row_parts = _cut(rows, count)
        self.norm = 0.0

    def multiply(self, matrix: Array, part: slice) -> None:
        """Find these rows of M^T M (of M M^T, if that is the smaller one)."""
        short = matrix if self._wide else matrix.T
        np.matmul(short[part], short.T, out=self._gram[part])

    def measure(self) -> None:
        """Find |M|, once all of M^T M is there and before any step."""
        self.norm = float(np.sqrt(np.trace(self._gram))) + EPSILON

    def find_factor(self, part: slice, *, first: bool) -> None:
        """Find these rows of a step's P = a I + (b I + c A) A.  first: A is still |M|^2 A."""
        a, b, c = QUINTIC
        scale = self.norm**-2 if first else 1.0
        left = np.multiply(self._gram[part], c * scale, out=self._scratch[part])
        self._scratch_diagonal[part] += b
        factor = np.matmul(left, self._gram, out=self._factor[part])
        if first:
            factor *= scale
        self._factor_diagonal[part] += a

    def take_step(self, part: slice, *, first: bool, last: bool) -> None:
        """Take these rows of Q to Q P and, unless nothing follows, of A to A P P."""
        gram, product, scratch = self._gram[part], self._product[part], self._scratch[part]
        if first:
            product[...] = self._factor[part]
            gram *= self.norm**-2
        else:
            np.matmul(product, self._factor, out=scratch)
            product[...] = scratch
        if not last:
            np.matmul(gram, self._factor, out=scratch)
            np.matmul(scratch, self._factor, out=gram)

    def turn(self, matrix: Array, part: slice, rate: float) -> Array:
        """Return these rows of rate M Q / |M|, once all steps are taken: a new array."""
        turned: Array = self._product[part] @ matrix if self._wide else matrix[part] @ self._product
        turned *= rate / self.norm
        return turned


def find_products(
    each: Sequence[Orthogonalizer], matrices: Sequence[Array], number: int, size: int
) -> Iterator[None]:
    """Prepare ``turn`` for all matrices, as worker ``number`` of ``size``.

    Pauses wherever all workers must meet before they go on.
    """
    # Those of the largest matrices first, in turn, so that all workers have about as much to do.
    order = sorted(range(len(each)), key=lambda place: -each[place].side)
    own = share([(place, part) for place in order for part in each[place].parts], number, size)
    for place, part in own:
        each[place].multiply(matrices[place], part)
    yield
    for orthogonalizer in each:
        orthogonalizer.measure()
    for step in range(STEPS):
        for place, part in own:
            each[place].find_factor(part, first=not step)
        yield
        for place, part in own:
            each[place].take_step(part, first=not step, last=step == STEPS - 1)
        yield


def share(jobs: Sequence[Job], number: int, size: int) -> Sequence[Job]:
    """Return which of the jobs are those of worker ``number`` of ``size``."""
    return jobs[number::size]


def _cut(rows: int, count: int) -> list[slice]:
    edges = [rows * part // count for part in range(count + 1)]
    return [slice(start, stop) for start, stop in itertools.pairwise(edges)]
