"""Two recipes on the same digits: how far apart, and whether digits and seeds by chance do as much.

Each recipe has S seeds, and for each seed K networks, one for each fold, which together read every
digit once without having learnt from it. Of digit i in fold k, read by the networks of seed s, let
d[s, i] be the second recipe's loss minus the first one's. The model is

    d[s, i] = D + digit[i] + networks[s, k] + rest[s, i]

with terms that are independent and zero on average. D is what is asked for: the difference on new
digits with new seeds. Its estimate is the mean of all d, and its variance has two parts:

    digits' chance    Var(mean over seeds of d[., i]) / N
    networks' chance  Var(networks) / (K S)

The first falls with more digits alone, and more seeds do not help it; the second is what another
seed would change. Var(networks) shows in the K S means over the digits of each (seed, fold): they
vary by the networks, and by the digits that a fold happens to have, which is known and taken off.

The assumptions that do not quite hold: networks of two folds share a part of what they learnt from,
so that they are more alike than the model says (Bengio and Grandvalet 2004, JMLR 5); and losses
have long tails, which the mean over thousands of digits evens out.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.runs.paired_accuracy import Difference

Values = NDArray[np.float64]
CONFIDENCE = 0.95
LEAST_PROBABILITY = float(np.finfo(np.float64).eps)  # for which 0 counts, as in metrics.py


@dataclass(frozen=True)
class PairedTest:
    """A mean difference with its 95 % interval, and how likely chance does as much.

    digits_deviation, networks_deviation: standard deviation of it that each kind of chance makes.
    freedom: degrees of freedom of Student's law.
    """

    difference: Difference
    p_value: float
    digits_deviation: float
    networks_deviation: float
    freedom: float


def log_losses(
    labels: NDArray[np.integer[Any]], probabilities: NDArray[np.floating[Any]]
) -> Values:
    """Return each digit's log loss: (S, N) of probabilities (S, N, 10)."""
    given = np.take_along_axis(probabilities, labels.astype(np.int64)[None, :, None], axis=-1)
    losses: Values = -np.log(np.maximum(given[..., 0].astype(np.float64), LEAST_PROBABILITY))
    return losses


def errors(
    labels: NDArray[np.integer[Any]], probabilities: NDArray[np.floating[Any]]
) -> NDArray[np.bool_]:
    """Return whether each digit is misread: (S, N) of probabilities (S, N, 10)."""
    wrong: NDArray[np.bool_] = probabilities.argmax(axis=-1) != labels
    return wrong


def paired_test(
    first: NDArray[Any], second: NDArray[Any], folds: NDArray[np.integer[Any]]
) -> PairedTest:
    """Test whether the second loss minus the first one is zero on average.

    first, second: (S, N), of the same digits and seeds.  folds: (N,), each digit's fold, from 0.

    Where the networks show no chance of their own, this is Student's paired test of the N digits,
    with N - 1 degrees of freedom. Else there are few networks to tell from, so that the variance
    is itself uncertain, and the normal law would see differences too often: the degrees of freedom
    are Satterthwaite's (1946, Biometrics Bulletin 2), K S - 1 where networks are all that varies.
    Raises ValueError if there are fewer than two folds, or digits in one.
    """
    from scipy import stats  # noqa: PLC0415  (takes a second)

    differences = second.astype(np.float64) - first
    count = len(folds)
    sizes = np.bincount(folds)
    if len(sizes) < 2 or sizes.min() < 2:
        raise ValueError("a test needs at least two folds with at least two digits each")
    of_digits = differences.mean(axis=0)
    value = float(of_digits.mean())
    digits = float(of_digits.var(ddof=1)) / count
    means = _means(differences, folds, sizes)
    observed = float(means.var(ddof=1)) / means.size
    networks = max(0.0, observed - _explained(differences, means, folds, sizes) / means.size)
    variance = digits + networks
    if not variance:  # the two are alike on every digit, or apart by the same on every one
        return PairedTest(Difference(value, value, value), float(value == 0.0), 0.0, 0.0, math.inf)
    freedom = float(count - 1)
    if networks:
        freedom = variance**2 / (observed**2 / (means.size - 1) + digits**2 / (count - 1))
    deviation = math.sqrt(variance)
    reach = float(stats.t.ppf((1 + CONFIDENCE) / 2, freedom)) * deviation
    return PairedTest(
        Difference(value, value - reach, value + reach),
        float(2 * stats.t.sf(abs(value) / deviation, freedom)),
        math.sqrt(digits),
        math.sqrt(networks),
        freedom,
    )


def _means(differences: Values, folds: NDArray[np.integer[Any]], sizes: NDArray[Any]) -> Values:
    """The mean of each seed's digits in each fold, (S, K)."""
    sums = [np.bincount(folds, weights=row, minlength=len(sizes)) for row in differences]
    means: Values = np.stack(sums) / sizes
    return means


def _explained(
    differences: Values, means: Values, folds: NDArray[np.integer[Any]], sizes: NDArray[Any]
) -> float:
    """How much the means would vary if networks were all alike: by their digits, and by the rest.

    A fold's digits are the same for all seeds, so that they add to the variance between folds
    alone: of S K means, S (K - 1) / (S K - 1) of it. With one seed both are one.
    """
    seeds, count = differences.shape
    of_digits = differences.mean(axis=0)
    rest = 0.0
    if seeds > 1:
        residuals = (differences - means[:, folds]) - (of_digits - means.mean(axis=0)[folds])
        rest = float((residuals**2).sum()) / ((seeds - 1) * (count - len(sizes)))
    alone = max(0.0, float(of_digits.var(ddof=1)) - rest / seeds)
    between = seeds * (len(sizes) - 1) / (means.size - 1)
    explained: float = float((1 / sizes).mean()) * (rest + between * alone)
    return explained
