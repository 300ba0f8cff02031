import json
import math
import tracemalloc
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.runs import metrics
from pipeline.runs.metrics import (
    Metrics,
    accuracy_of,
    expected_calibration_error,
    measure,
    worst_errors,
)

Probabilities = NDArray[np.float32]


def sure(predictions: list[int], confidence: float = 0.91) -> Probabilities:
    """Rows that give ``confidence`` to the prediction and the rest evenly to the others."""
    rows = np.full((len(predictions), 10), (1 - confidence) / 9)
    rows[np.arange(len(predictions)), predictions] = confidence
    return rows.astype(np.float32)


def measured(labels: list[int], probabilities: NDArray[Any]) -> Metrics:
    return measure(np.array(labels, np.uint8), probabilities, rows=np.arange(len(labels)))


def test_wilson_interval_agrees_with_the_formula_by_hand() -> None:
    z, share, rows = 1.959963984540054, 0.9, 50
    centre = (share + z**2 / (2 * rows)) / (1 + z**2 / rows)
    half = z / (1 + z**2 / rows) * math.sqrt(share * (1 - share) / rows + z**2 / (4 * rows**2))
    found = accuracy_of(45, 50)
    assert found.value == 0.9
    assert found.low == pytest.approx(centre - half, abs=1e-12)
    assert found.high == pytest.approx(centre + half, abs=1e-12)
    assert (found.correct, found.rows) == (45, 50)


@pytest.mark.parametrize("correct", [0, 12])
def test_wilson_interval_is_neither_empty_nor_outside_at_the_ends(correct: int) -> None:
    found = accuracy_of(correct, 12)
    assert 0 <= found.low < found.high <= 1
    assert found.low <= found.value <= found.high


def test_a_small_case_counted_by_hand() -> None:
    # Digit 1 appears three times and is read as 1, 1, 7; a 7 is read as 7.
    found = measured([1, 1, 1, 7], sure([1, 1, 7, 7]))
    assert found.accuracy.value == 0.75
    one, seven, nine = found.classes[1], found.classes[7], found.classes[9]
    assert (one.precision, one.support) == (1.0, 3)
    assert one.recall == pytest.approx(2 / 3)
    assert one.f1 == pytest.approx(0.8)
    assert (seven.precision, seven.recall, seven.support) == (0.5, 1.0, 1)
    assert (nine.precision, nine.recall, nine.f1, nine.support) == (0, 0, 0, 0)
    assert found.confusion[1][1] == 2
    assert found.confusion[1][7] == 1
    assert sum(map(sum, found.confusion)) == 4
    expected_loss = -(3 * math.log(0.91) + math.log(0.01)) / 4
    assert found.log_loss == pytest.approx(expected_loss, rel=1e-6)


def test_probability_zero_of_the_true_digit_gives_a_large_finite_loss() -> None:
    certain = sure([3, 4], confidence=1.0)
    found = measured([3, 5], certain)
    assert found.log_loss == pytest.approx(-math.log(np.finfo(np.float64).eps) / 2)
    json.dumps(found.model_dump(), allow_nan=False)


def test_rows_that_float32_leaves_beside_one_are_scaled() -> None:
    found = measured([1, 1], sure([1, 1], 0.91) * np.float32(1.00005))
    assert found.log_loss == pytest.approx(-math.log(0.91), rel=1e-6)


def test_a_class_that_is_absent_keeps_its_place() -> None:
    found = measured([0, 0, 2], sure([0, 0, 2]))
    assert [item.label for item in found.classes] == list(range(10))
    assert [item.support for item in found.classes] == [2, 0, 1] + [0] * 7
    assert len(found.confusion) == 10
    assert found.accuracy.value == 1.0


def test_calibration_error_by_hand() -> None:
    # Bin of 0.91: two digits, one right, |0.5 - 0.91|; bin of 0.55: two digits, both right.
    probabilities = np.concatenate([sure([1, 1], 0.91), sure([2, 2], 0.55)]).astype(np.float64)
    found = expected_calibration_error(np.array([1, 3, 2, 2]), probabilities)
    assert found == pytest.approx(0.5 * 0.41 + 0.5 * 0.45, abs=1e-7)


def test_calibration_bins_keep_over_and_under_confidence_apart() -> None:
    # Together their mean confidence equals their accuracy; apart they are each 0.45 off.
    probabilities = np.concatenate([sure([1], 0.95), sure([1], 0.55)]).astype(np.float64)
    mixed = np.array([3, 1])
    found = expected_calibration_error(mixed, probabilities)
    assert found == pytest.approx((0.95 + 0.45) / 2, abs=1e-7)


def test_full_confidence_falls_into_the_last_bin() -> None:
    found = expected_calibration_error(np.array([1, 1]), sure([1, 1], 1.0).astype(np.float64))
    assert found == 0


def test_worst_errors_are_named_by_row_and_sorted_by_confidence() -> None:
    probabilities = np.concatenate([sure([1], 0.6), sure([2], 0.9), sure([3], 0.9), sure([4], 0.8)])
    rows = np.array([40, 30, 20, 10])
    found = worst_errors(np.array([0, 0, 0, 4]), probabilities, rows=rows, count=2)
    assert [item.row for item in found] == [20, 30]
    assert (found[0].label, found[0].prediction) == (0, 3)
    assert found[0].prediction_probability == pytest.approx(0.9)
    assert found[0].label_probability == pytest.approx(0.1 / 9)


def test_equal_probabilities_predict_the_smaller_digit() -> None:
    even = np.full((1, 10), 0.1, np.float32)
    assert measured([0], even).accuracy.correct == 1
    assert measured([9], even).accuracy.correct == 0


def test_metrics_survive_json() -> None:
    found = measured([1, 1, 1, 7], sure([1, 1, 7, 7]))
    record = {"stage": "validate", **found.model_dump()}
    assert Metrics.model_validate(json.loads(json.dumps(record))) == found


@pytest.mark.parametrize(
    ("labels", "probabilities", "reason"),
    [
        ([], np.zeros((0, 10)), "no labels"),
        ([1, 2], sure([1]), r"must be \(2, 10\)"),
        ([1], np.full((1, 9), 1 / 9), r"must be \(1, 10\)"),
        ([10], sure([1]), "labels must be in"),
        ([1], sure([1]) * 2, "distribution"),
        ([1], np.full((1, 10), np.nan), "distribution"),
        ([1], np.array([[2.0, -1.0] + [0.0] * 8]), "distribution"),
    ],
)
def test_what_cannot_be_measured_is_refused(
    labels: list[int], probabilities: NDArray[Any], reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        measured(labels, probabilities)


def test_rows_must_name_every_digit() -> None:
    with pytest.raises(ValueError, match=r"rows must be \(2,\)"):
        measure(np.array([1, 2]), sure([1, 2]), rows=np.array([5]))


def many(count: int) -> tuple[NDArray[np.uint8], Probabilities]:
    """Digits of which one in twenty is misread."""
    rng = np.random.default_rng(count)
    probabilities = rng.random((count, 10), np.float32) ** 8
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    labels = (probabilities.argmax(axis=1) + (rng.random(count) < 0.05)) % 10
    return labels.astype(np.uint8), probabilities


def test_parts_make_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    labels, probabilities = many(1000)
    rows = np.arange(1000)[::-1]
    whole = measure(labels, probabilities, rows=rows).model_dump()
    monkeypatch.setattr(metrics, "PART_ROWS", 64)
    parts = measure(labels, probabilities, rows=rows).model_dump()
    for name in ("log_loss", "calibration_error"):
        assert parts.pop(name) == pytest.approx(whole.pop(name), rel=1e-12)
    assert parts == whole


def test_a_part_that_is_no_distribution_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    labels, probabilities = many(100)
    probabilities[99, 0] += 0.1
    monkeypatch.setattr(metrics, "PART_ROWS", 64)
    with pytest.raises(ValueError, match="must be a distribution"):
        measure(labels, probabilities, rows=np.arange(100))


def test_ten_times_as_many_digits_take_no_more_memory_to_measure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(metrics, "PART_ROWS", 2_000)
    measured([1], sure([1]))  # what is imported first counts for none of them
    peaks = []
    for count in (2_000, 20_000):
        labels, probabilities = many(count)
        tracemalloc.start()
        try:
            measure(labels, probabilities, rows=np.arange(count))
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0]
