"""Training learns, and gives the same bits on any number of workers and after an interruption."""

import dataclasses
import math
from typing import Any

import numpy as np
import pytest

from pipeline.nn import (
    SGD,
    AdamW,
    Augmentation,
    EpochResult,
    Examples,
    Muon,
    Predictor,
    Settings,
    Shards,
    Training,
    make_schedule,
)
from pipeline.nn.arrays import Array
from pipeline.nn.batches import batch_rows, to_inputs
from pipeline.nn.losses import softmax_cross_entropy
from pipeline.nn.network import MOST_ROWS_AT_ONCE
from pipeline.nn.shards import Cut, Step
from tests.nn.networks import LAYERS, PLAIN_LAYERS, make_digits, make_network

ROWS = 700
# Both methods of convolution, both kinds of dropout, and batch norm over maps.
CONV_LAYERS: list[dict[str, Any]] = [
    {"kind": "conv2d", "filters": 8, "padding": 1},
    {"kind": "batch_norm"},
    {"kind": "relu"},
    {"kind": "max_pool2d"},
    {"kind": "dropout", "rate": 0.1, "channels": True},
    {"kind": "conv2d", "filters": 8, "padding": 1},
    {"kind": "relu"},
    {"kind": "flatten"},
    {"kind": "dropout", "rate": 0.1},
    {"kind": "dense", "units": 10},
]


def measuring(group: int | None, layers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The layers, with batch normalization over groups of this size."""
    return [
        layer | {"group": group} if layer["kind"] == "batch_norm" else layer for layer in layers
    ]


NETWORKS = {"dense": measuring(8, LAYERS), "conv": measuring(8, CONV_LAYERS)}
SETTINGS = Settings(
    epochs=4,
    batch_size=32,
    smoothing=0.1,
    average_decay=0.95,
    shards=4,
    augmentation=Augmentation(shift_pixels=1.0, angle_degrees=5.0, elastic_pixels=0.2),
)


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The maps of these small images would all be one block, which would show little."""
    monkeypatch.setattr("pipeline.nn.blocks.BLOCK_VALUES", 5_000)


def make_examples() -> tuple[Examples, Examples]:
    images, labels = make_digits(ROWS)
    return (
        Examples(images, labels, np.arange(0, 600)),
        Examples(images, labels, np.arange(600, ROWS)),
    )


def make_training(
    settings: Settings = SETTINGS,
    layers: list[dict[str, Any]] = NETWORKS["dense"],
    seed: int = 0,
    optimizer: type[AdamW] = AdamW,
) -> Training:
    made = optimizer(learning_rate=0.02, weight_decay=0.01)
    network = make_network(layers)
    return Training(network, made, settings, seed, make_schedule({"kind": "cosine"}))


def fit(training: Training, workers: int = 1) -> list[EpochResult]:
    return list(training.fit(*make_examples(), workers=workers))


@pytest.mark.parametrize("optimizer", [AdamW, Muon])
@pytest.mark.parametrize("kind", NETWORKS)
def test_it_learns(kind: str, optimizer: type[AdamW]) -> None:
    settings = Settings(epochs=6, batch_size=32)
    results = fit(make_training(settings, NETWORKS[kind], optimizer=optimizer))
    assert results[-1].training_loss < results[0].training_loss
    assert results[-1].hold_out_accuracy > 0.95
    assert [result.epoch for result in results] == [1, 2, 3, 4, 5, 6]


def test_gradient_descent_takes_one_step_an_epoch_and_learns() -> None:
    training = Training(
        make_network(PLAIN_LAYERS),
        SGD(learning_rate=0.5),
        Settings(epochs=40, batch_size=None, evaluate_every=20),
        seed=0,
    )
    results = fit(training)
    assert training.optimizer.steps == 40
    assert [result.epoch for result in results] == [20, 40]
    assert results[-1].hold_out_accuracy > 0.8


# 600 rows in batches of 64: the last one has 24, and in batches of 599 a single one, which leaves
# groups of one image and groups of none.
@pytest.mark.parametrize(
    ("kind", "group", "batch", "workers", "optimizer"),
    [
        ("dense", 16, 64, [2, 3, 8], AdamW),
        ("conv", 16, 64, [2, 4], AdamW),
        ("conv", 128, 128, [2, 3, 8, 16], AdamW),
        ("conv", None, 599, [2, 5], AdamW),
        ("dense", None, None, [2, 8], AdamW),
        ("plain", None, 64, [2], AdamW),
        ("plain", None, None, [2, 16], AdamW),
        ("dense", 16, 64, [2, 3, 8], Muon),
        ("conv", 16, 64, [2, 3], Muon),
        ("dense", None, None, [2, 8], Muon),
    ],
)
def test_any_number_of_workers_gives_the_same_bits(
    kind: str, group: int | None, batch: int | None, workers: list[int], optimizer: type[AdamW]
) -> None:
    """With all that has chance or statistics of its own: distortions, dropout, normalization."""
    layers = {**NETWORKS, "plain": [*PLAIN_LAYERS[:2], {"kind": "dropout", "rate": 0.2}]}[kind]
    results = []
    for number in [1, *workers]:
        settings = dataclasses.replace(SETTINGS, batch_size=batch, epochs=2, shards=8)
        layers_of_all = [*measuring(group, layers), *LAYERS[-1:]]
        training = make_training(settings, layers_of_all, optimizer=optimizer)
        evaluations = fit(training, workers=number)
        results.append([*training.result, *(result.training_loss for result in evaluations)])
    assert all(np.isfinite(results[0]))
    for result in results[1:]:
        np.testing.assert_array_equal(result, results[0])


# Two shards to a group of 32 images, one of 16 alone to a shard.
@pytest.mark.parametrize(
    ("shards", "group", "count"), [(1, 8, 4), (2, 16, 2), (1, None, 2), (8, 32, 1)]
)
def test_batch_normalization_measures_a_group(
    shards: int, group: int | None, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the statistics that are kept are the running averages of the groups'."""
    monkeypatch.setattr("pipeline.nn.shards.LEAST_FEATURES", 16)
    layers: list[dict[str, Any]] = [
        {"kind": "flatten"},
        {"kind": "batch_norm", "group": group},
        {"kind": "dense", "units": 10},
    ]
    training = make_training(Settings(epochs=1, batch_size=32, shards=shards), layers)
    (train, _), mean, variance = make_examples(), 0.0, 1.0
    order, _ = np.random.SeedSequence((0, 1)).spawn(2)
    for batch in batch_rows(train.rows, 32, rng=np.random.default_rng(order)):
        groups = [
            to_inputs(train.images[rows]).reshape(len(rows), -1)
            for rows in np.array_split(batch, count)
        ]
        mean = 0.9 * mean + 0.1 * np.mean([inputs.mean(axis=0) for inputs in groups], axis=0)
        variance = 0.9 * variance + 0.1 * np.mean([inputs.var(axis=0) for inputs in groups], axis=0)
    fit(training)
    kept = training.network.layers[1].values
    np.testing.assert_allclose(kept["running_mean"], mean, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(kept["running_variance"], variance, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("group", "batch", "shards", "message"),
    [
        (48, 128, 1, "a batch of 128 images cannot be cut into groups of 48"),
        (256, 128, 1, "a batch of 128 images cannot be cut into groups of 256"),
        (64, None, 1, "a batch of all images cannot be cut into groups of 64"),
        (2048, 4096, 2, "a group of 2048 images is more than the 1024 "),
    ],
)
def test_groups_that_do_not_fit_the_batch_are_refused(
    group: int | None, batch: int | None, shards: int, message: str
) -> None:
    settings = Settings(epochs=1, batch_size=batch, shards=shards)
    with pytest.raises(ValueError, match=message):
        make_training(settings, measuring(group, LAYERS))


def test_all_normalizations_measure_the_same_groups() -> None:
    layers = [*LAYERS[:2], {"kind": "batch_norm", "group": 8}, *LAYERS[2:]]
    with pytest.raises(ValueError, match="groups of one size, got 8, half a batch"):
        make_training(SETTINGS, layers)
    with pytest.raises(ValueError, match="at least 1 image, got 0"):
        make_training(SETTINGS, measuring(0, LAYERS))


def test_without_normalization_there_is_a_group_for_each_shard() -> None:
    training = make_training(Settings(epochs=1, batch_size=32, shards=5), PLAIN_LAYERS[:2])
    (result,) = fit(training, workers=5)
    assert math.isfinite(result.training_loss)


def test_training_images_are_distorted_and_held_out_ones_are_not() -> None:
    layers: list[dict[str, Any]] = [{"kind": "flatten"}, {"kind": "dense", "units": 10}]
    distortions = Augmentation(shift_pixels=5.0)
    plain, distorted = (
        Training(
            make_network(layers),
            SGD(learning_rate=1e-30),  # so that all see the same network
            Settings(epochs=2, batch_size=30, augmentation=augmentation),
            seed=0,
        )
        for augmentation in (None, distortions)
    )
    plain_results, distorted_results = fit(plain), fit(distorted)
    assert plain_results[0].hold_out_loss == distorted_results[0].hold_out_loss
    assert plain_results[0].training_loss != distorted_results[0].training_loss
    # Anew in each epoch.
    assert distorted_results[1].training_loss != distorted_results[0].training_loss
    assert plain_results[1].training_loss == pytest.approx(plain_results[0].training_loss)


def test_another_seed_gives_another_network() -> None:
    one, other = make_training(), make_training(seed=1)
    fit(one)
    fit(other)
    assert not np.array_equal(one.result, other.result)


@pytest.mark.parametrize(
    ("kind", "epochs_before", "optimizer"),
    [
        ("dense", 1, AdamW),
        ("dense", 2, AdamW),
        ("dense", 4, AdamW),
        ("conv", 2, AdamW),
        ("dense", 1, Muon),
        ("conv", 2, Muon),
    ],
)
def test_an_interruption_leaves_no_trace(
    kind: str, epochs_before: int, optimizer: type[AdamW]
) -> None:
    undisturbed, interrupted, resumed = (
        make_training(layers=NETWORKS[kind], optimizer=optimizer) for _ in range(3)
    )
    fit(undisturbed)
    epochs = interrupted.fit(*make_examples(), workers=2)
    for _ in range(epochs_before):
        next(epochs)
    state = {name: array.copy() for name, array in interrupted.state().items()}
    epochs.close()
    resumed.restore(state)
    assert len(fit(resumed)) == SETTINGS.epochs - epochs_before
    np.testing.assert_array_equal(undisturbed.result, resumed.result)


def test_the_average_follows_the_matrices_that_muon_moves() -> None:
    """After each whole step: one that forgets at once is where the weights are."""
    settings = Settings(epochs=1, batch_size=300, average_decay=1e-9, shards=2)
    training = make_training(settings, LAYERS, optimizer=Muon)
    parameters = training.network.parameters
    matrix = training.network.matrices[1].of(parameters)
    before = matrix.copy()
    fit(training, workers=2)
    # Two steps of rate 0.02, each of nearly orthogonal columns.
    assert 0.01 < np.linalg.norm(matrix - before, 2) < 0.06
    np.testing.assert_allclose(training.result[: len(parameters)], parameters, atol=1e-6)


def test_a_state_of_another_network_is_refused() -> None:
    other = make_training(layers=[{"kind": "flatten"}, {"kind": "dense", "units": 10}])
    with pytest.raises(ValueError, match="another network"):
        make_training().restore(other.state())


@pytest.mark.parametrize(
    ("kind", "batch"),
    [("dense", 1), ("dense", 2), ("dense", 50), ("dense", 3 * MOST_ROWS_AT_ONCE + 7), ("conv", 50)],
)
def test_groups_sum_to_the_gradient_of_the_whole_batch(kind: str, batch: int) -> None:
    """However a batch is cut into groups and blocks, the step is that of its mean loss."""
    images, labels = make_digits(batch)
    # Without what looks at the whole batch and without chance.
    layers = [layer for layer in NETWORKS[kind] if layer["kind"] not in ("batch_norm", "dropout")]
    whole, cut = make_network(layers, dtype=np.float64), make_network(layers, dtype=np.float64)
    logits = whole.forward(to_inputs(images).astype(np.float64), training=True)
    loss, grad_logits = softmax_cross_entropy(logits, labels)
    whole.backward(grad_logits)
    optimizer = SGD(learning_rate=1.0)
    optimizer.prepare(cut.parameters)
    parts = Cut(groups=3, shards=2)
    with Shards(cut, optimizer, images, labels, cut=parts, workers=2) as shards:
        shards.begin_epoch(np.random.SeedSequence(0))
        (cut_loss,) = shards.run([Step(np.arange(batch))])
    assert cut_loss == pytest.approx(loss, rel=1e-5)
    np.testing.assert_allclose(
        whole.parameters - cut.parameters, whole.gradients, rtol=1e-4, atol=1e-7
    )


def test_shards_of_a_group_go_the_way_of_the_group_in_one() -> None:
    """What they measure of it, on both ways, they measure together."""
    images, labels = make_digits(96)
    layers = [layer for layer in NETWORKS["conv"] if layer["kind"] != "dropout"]
    vectors = []
    for parts in (Cut(groups=2, shards=1), Cut(groups=2, shards=3)):
        network, optimizer = make_network(layers, dtype=np.float64), SGD(learning_rate=0.1)
        optimizer.prepare(network.parameters)
        with Shards(network, optimizer, images, labels, cut=parts, workers=2) as shards:
            shards.begin_epoch(np.random.SeedSequence(0))
            shards.run([Step(np.arange(96)), Step(np.arange(50))])
            shards.merge_statistics()
        vectors.append(network.vector)
    np.testing.assert_allclose(vectors[0], vectors[1], rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("kind", NETWORKS)
def test_prediction_by_blocks_is_the_networks_own(kind: str) -> None:
    images, _ = make_digits(2 * MOST_ROWS_AT_ONCE + 3)
    network = make_network(NETWORKS[kind])
    network.statistics[...] = np.random.default_rng(0).uniform(0.5, 1.5, network.statistics.shape)
    rows = np.random.default_rng(1).permutation(len(images))
    with Predictor(network, images, workers=2) as predictor:
        probabilities = predictor.predict(rows)
    np.testing.assert_allclose(
        probabilities, network.predict(to_inputs(images[rows])), rtol=1e-5, atol=1e-7
    )


def test_averaged_weights_follow_the_decay() -> None:
    """Two steps by hand: the decay is (1 + step) / (10 + step) until the recipe's is smaller."""
    training = make_training(Settings(epochs=2, batch_size=None, average_decay=0.9), PLAIN_LAYERS)
    expected = training.network.parameters.copy()
    for step, _ in enumerate(training.fit(*make_examples(), workers=1), 1):
        decay = min(0.9, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * training.network.parameters
    np.testing.assert_allclose(training.result[: len(expected)], expected, rtol=1e-5, atol=1e-7)


def test_early_stopping_goes_back_to_the_best_weights() -> None:
    settings = Settings(epochs=60, batch_size=32, patience=3)
    optimizer = AdamW(learning_rate=0.3)  # far too high: it soon gets worse
    training = Training(make_network(PLAIN_LAYERS), optimizer, settings, seed=0)
    vectors: dict[int, Array] = {}
    results = []
    for result in training.fit(*make_examples(), workers=1):
        results.append(result)
        vectors[result.epoch] = training.network.vector.copy()
    best = min(results, key=lambda result: result.hold_out_loss)
    assert len(results) == best.epoch + 3 < 60
    np.testing.assert_array_equal(training.result, vectors[best.epoch])


def test_a_diverging_training_is_told() -> None:
    training = Training(
        make_network(PLAIN_LAYERS), SGD(learning_rate=1e20), Settings(epochs=5, batch_size=32), 0
    )
    with pytest.raises(FloatingPointError, match="in epoch 1"):
        fit(training)


def test_an_epoch_takes_each_row_once_in_a_seeded_order() -> None:
    rows = np.arange(100, 200)
    batches = list(batch_rows(rows, 32, rng=np.random.default_rng(0)))
    again = list(batch_rows(rows, 32, rng=np.random.default_rng(0)))
    assert [len(batch) for batch in batches] == [32, 32, 32, 4]
    np.testing.assert_array_equal(np.sort(np.concatenate(batches)), rows)
    assert not np.array_equal(np.concatenate(batches), rows)
    np.testing.assert_array_equal(np.concatenate(batches), np.concatenate(again))


def test_pixels_become_floats_between_0_and_1() -> None:
    inputs = to_inputs(np.array([[[0, 51, 255]]], np.uint8))
    assert inputs.dtype == np.float32
    assert inputs.shape == (1, 1, 3, 1)
    np.testing.assert_allclose(inputs.ravel(), [0.0, 0.2, 1.0], rtol=1e-6)


def test_without_digits_held_out_the_same_is_learnt() -> None:
    """Evaluating changes nothing, so leaving it out changes nothing."""
    settings = Settings(epochs=3, batch_size=64, average_decay=0.9, evaluate_every=2)
    evaluated, alone = make_training(settings), make_training(settings)
    fit(evaluated)
    results = list(alone.fit(make_examples()[0], None, workers=1))
    assert [result.epoch for result in results] == [2, 3]
    assert all(math.isnan(result.hold_out_loss) for result in results)
    assert all(math.isnan(result.hold_out_accuracy) for result in results)
    np.testing.assert_array_equal(alone.result, evaluated.result)


def test_until_ends_a_longer_schedule() -> None:
    settings = Settings(epochs=6, batch_size=64)
    whole, part = make_training(settings), make_training(settings)
    train, _ = make_examples()
    results = list(part.fit(train, None, workers=1, until=4))
    assert part.epoch == results[-1].epoch == 4
    for expected in whole.fit(train, None, workers=1):
        if expected.epoch == 4:
            np.testing.assert_array_equal(part.result, whole.result)
            break
    assert list(part.fit(train, None, workers=1, until=4)) == []


def test_progress_is_told_of_after_each_step_and_changes_nothing() -> None:
    """Ten steps an epoch, of which the last is a smaller one."""
    settings = Settings(epochs=3, batch_size=64, evaluate_every=2)
    heard, alone, told = make_training(settings), make_training(settings), list[float]()
    results = heard.fit(*make_examples(), workers=1, progress=told.append)
    assert next(results).epoch == 2
    assert told == pytest.approx(np.arange(1, 21) / 10)
    next(results)
    assert told == pytest.approx(np.arange(1, 31) / 10)
    assert [epochs for epochs in told if epochs.is_integer()] == [1, 2, 3]
    fit(alone)
    np.testing.assert_array_equal(heard.result, alone.result)


def test_progress_goes_on_where_a_training_does() -> None:
    settings = Settings(epochs=4, batch_size=None)
    whole, told = make_training(settings, PLAIN_LAYERS), list[float]()
    for result in whole.fit(*make_examples(), workers=1):
        if result.epoch == 2:
            break
    again = make_training(settings, PLAIN_LAYERS)
    again.restore(whole.state())
    list(again.fit(*make_examples(), workers=1, progress=told.append))
    assert told == [3, 4]


def test_patience_needs_digits_held_out() -> None:
    training = make_training(Settings(epochs=3, batch_size=64, patience=1))
    with pytest.raises(ValueError, match="patience needs digits"):
        next(training.fit(make_examples()[0], None, workers=1))
