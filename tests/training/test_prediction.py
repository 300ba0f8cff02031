"""Predictions are probabilities, and the same bits whatever the number of cores."""

import tracemalloc
from typing import Any

import numpy as np
import pytest

from pipeline.nn import Network, predictor
from pipeline.nn.batches import shift
from pipeline.recipes.file import RECIPE_FOLDER, RecipeFile
from pipeline.recipes.recipe import read_recipe
from pipeline.training import prediction
from pipeline.training.fitting import make_training
from pipeline.training.prediction import Array, Model, predict, predict_in_turn


@pytest.fixture(scope="module")
def network() -> Network:
    return make_training(read_recipe(RecipeFile(RECIPE_FOLDER / "smoke.toml")), 5_000).network


def make_images(count: int) -> Array:
    return np.random.default_rng(count).integers(0, 256, (count, 28, 28), np.uint8)


@pytest.mark.parametrize("count", [0, 1, 2, 777])
def test_each_image_gets_ten_probabilities(network: Network, count: int) -> None:
    probabilities = predict(Model(network), make_images(count))
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
        results.append(predict(Model(network), images))
    for result in results[1:]:
        np.testing.assert_array_equal(result, results[0])


def test_an_image_is_predicted_alike_alone_and_among_others(network: Network) -> None:
    images = make_images(300)
    together = predict(Model(network), images)
    # Alone, a matrix product of one row may add in another order: equal but for rounding.
    np.testing.assert_allclose(predict(Model(network), images[7:8]), together[7:8], rtol=1e-4)
    np.testing.assert_allclose(predict(Model(network), images[::-1])[::-1], together, rtol=1e-4)


def test_predicting_changes_nothing(network: Network) -> None:
    images = make_images(50)
    before = network.vector.copy(), images.copy()
    predict(Model(network), images)
    np.testing.assert_array_equal(network.vector, before[0])
    np.testing.assert_array_equal(images, before[1])


def naive_shift(image: Array, down: int, right: int) -> Array:
    """Pixel by pixel."""
    moved = np.zeros_like(image)
    for row in range(28):
        for column in range(28):
            if 0 <= row - down < 28 and 0 <= column - right < 28:
                moved[row, column] = image[row - down, column - right]
    return moved


@pytest.mark.parametrize("down", [-1, 0, 1])
@pytest.mark.parametrize("right", [-1, 0, 1])
def test_a_shift_moves_every_pixel(down: int, right: int) -> None:
    images = make_images(3)
    before = images.copy()
    moved = shift(images, down, right)
    assert moved.dtype == np.uint8
    for image, found in zip(images, moved, strict=True):
        np.testing.assert_array_equal(found, naive_shift(image, down, right))
    np.testing.assert_array_equal(images, before)


@pytest.mark.parametrize("views", [1, 5, 9])
def test_views_are_averaged(network: Network, views: int) -> None:
    images = make_images(40)
    steps = {
        1: [(0, 0)],
        5: [(0, 0), (1, 0), (-1, 0), (0, 1), (0, -1)],
        9: [(down, right) for down in (-1, 0, 1) for right in (-1, 0, 1)],
    }[views]
    each = [
        predict(Model(network), np.stack([naive_shift(image, *step) for image in images]))
        for step in steps
    ]
    found = predict(Model(network, views), images)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, np.mean(each, axis=0), atol=1e-6)


def test_a_digit_that_leaves_no_doubt_is_not_looked_at_again(network: Network) -> None:
    images = make_images(300)
    first, all_views = (predict(Model(network, views, 0.03), images) for views in (1, 5))
    sure = first.max(axis=1) >= predictor.SURE
    assert 20 < np.count_nonzero(sure) < 280
    np.testing.assert_array_equal(all_views[sure], first[sure])
    assert (all_views[~sure] != first[~sure]).any(axis=1).all()


def test_a_temperature_divides_the_logits(network: Network) -> None:
    images = make_images(30)
    plain = predict(Model(network), images).astype(np.float64)
    expected = plain ** (1 / 0.7)
    expected /= expected.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(
        predict(Model(network, temperature=0.7), images), expected, rtol=1e-4
    )


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan"), float("inf")])
def test_other_temperatures_are_refused(network: Network, temperature: float) -> None:
    with pytest.raises(ValueError, match="a temperature is above 0"):
        Model(network, temperature=temperature)


@pytest.mark.parametrize("views", [1, 5])
def test_rows_in_turn_are_the_same_bits(
    network: Network, views: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(predictor, "BLOCKS_AT_ONCE", 2)
    images = make_images(3 * 2 * network.rows_at_once + 5)
    model = Model(network, views)
    parts = list(predict_in_turn(model, images))
    assert len(parts) == 4
    whole = predict(model, images)
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    rows = np.arange(len(images), dtype=np.int32)[::-1]
    np.testing.assert_array_equal(predict(model, images, rows), predict(model, images[::-1]))


def test_views_take_no_copy_of_the_images(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(predictor, "BLOCKS_AT_ONCE", 1)
    images = make_images(2)
    many = np.broadcast_to(images[:1], (200_000, 28, 28))  # no memory of its own
    tracemalloc.start()
    try:
        next(predict_in_turn(Model(network, 5), many))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < many.size / 2


@pytest.mark.parametrize("views", [0, 2, "5", None])
def test_other_numbers_of_views_are_refused(network: Network, views: Any) -> None:
    with pytest.raises(ValueError, match=r"views must be one of \[1, 5, 9\]"):
        Model(network, views)
