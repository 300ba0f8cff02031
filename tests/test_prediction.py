"""Predictions are probabilities, and the same bits whatever the number of cores."""

import numpy as np
import pytest

from pipeline import prediction
from pipeline.nn import Network
from pipeline.plan import RECIPE_FOLDER
from pipeline.prediction import Array, predict
from pipeline.recipe import read_recipe
from pipeline.stages.train import make_training


@pytest.fixture(scope="module")
def network() -> Network:
    return make_training(read_recipe(RECIPE_FOLDER / "smoke.toml")).network


def make_images(count: int) -> Array:
    return np.random.default_rng(count).integers(0, 256, (count, 28, 28), np.uint8)


@pytest.mark.parametrize("count", [0, 1, 2, 777])
def test_each_image_gets_ten_probabilities(network: Network, count: int) -> None:
    probabilities = predict(network, make_images(count))
    assert probabilities.shape == (count, 10)
    assert probabilities.dtype == np.float32
    assert (probabilities >= 0).all()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)


def test_the_number_of_cores_changes_no_bit(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = make_images(1003)
    results = []
    for cores in (1, 2, 3, 8):
        monkeypatch.setattr(prediction, "available_cores", lambda cores=cores: cores)
        results.append(predict(network, images))
    for result in results[1:]:
        np.testing.assert_array_equal(result, results[0])


def test_an_image_is_predicted_alike_alone_and_among_others(network: Network) -> None:
    images = make_images(300)
    together = predict(network, images)
    # Alone, a matrix product of one row may add in another order: equal but for rounding.
    np.testing.assert_allclose(predict(network, images[7:8]), together[7:8], rtol=1e-4)
    np.testing.assert_allclose(predict(network, images[::-1])[::-1], together, rtol=1e-4)


def test_predicting_changes_nothing(network: Network) -> None:
    images = make_images(50)
    before = network.vector.copy(), images.copy()
    predict(network, images)
    np.testing.assert_array_equal(network.vector, before[0])
    np.testing.assert_array_equal(images, before[1])
