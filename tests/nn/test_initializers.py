"""Initial weights have the distribution that they claim."""

import math

import numpy as np
import pytest

from pipeline.nn.arrays import Array
from pipeline.nn.initializers import fans, make_initializer


def draw(config: dict[str, object], shape: tuple[int, ...] = (400, 100), seed: int = 0) -> Array:
    array = np.empty(shape)
    make_initializer(config).fill(array, rng=np.random.default_rng(seed))
    return array


@pytest.mark.parametrize(
    ("config", "deviation"),
    [
        ({"kind": "normal", "scale": 0.3}, 0.3),
        ({"kind": "uniform", "low": -1.0, "high": 1.0}, 1.0 / math.sqrt(3)),
        ({"kind": "he"}, math.sqrt(2 / 400)),
        ({"kind": "glorot"}, math.sqrt(2 / 500)),
        ({"kind": "constant", "value": 2.0}, 0.0),
    ],
    ids=lambda value: value["kind"] if isinstance(value, dict) else "",
)
def test_the_deviation(config: dict[str, object], deviation: float) -> None:
    values = draw(config)
    assert values.std() == pytest.approx(deviation, rel=0.02)
    assert values.mean() == pytest.approx(config.get("value", 0.0), abs=4 * deviation / 200 + 1e-12)


def test_uniform_stays_in_its_range() -> None:
    values = draw({"kind": "uniform", "low": 0.0, "high": 0.01})
    assert 0.0 <= values.min() < 0.0001
    assert 0.0099 < values.max() < 0.01


def test_the_same_seed_draws_the_same_values() -> None:
    np.testing.assert_array_equal(draw({"kind": "he"}), draw({"kind": "he"}))
    assert not np.array_equal(draw({"kind": "he"}), draw({"kind": "he"}, seed=1))


def test_fans_count_a_kernels_taps() -> None:
    assert fans((784, 100)) == (784, 100)
    assert fans((3, 3, 16, 32)) == (9 * 16, 9 * 32)
    with pytest.raises(ValueError, match="two dimensions"):
        fans((10,))
