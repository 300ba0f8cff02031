"""Runs on digits that all of them held out: by hand, and never on a digit that one has learnt."""

from dataclasses import replace

import numpy as np
import pytest

from pipeline.runs.comparison import Pair, common_rows, compare, p_text, short_names, verdict
from pipeline.runs.ensemble import HeldOut
from pipeline.runs.metrics import measure
from pipeline.runs.paired_accuracy import PairedCounts, difference, mcnemar

NAMES = {"a": "quick", "b": "mlp"}


def held_out(rows: list[int], predictions: list[int], sure: float | list[float] = 0.91) -> HeldOut:
    """Each row's label is its last digit."""
    probabilities = np.empty((len(rows), 10), np.float32)
    confidence = np.broadcast_to(np.array(sure, np.float32), len(rows))
    probabilities[:] = ((1 - confidence) / 9)[:, None]
    probabilities[np.arange(len(rows)), predictions] = confidence
    found = np.array(rows)
    labels = (found % 10).astype(np.uint8)
    return HeldOut(found, labels, probabilities, np.ones(len(rows), np.int64))


def pair(first_only: int, second_only: int, *, corrected: float | None = None) -> Pair:
    counts = PairedCounts(4000, first_only, second_only, 5)
    p_value = mcnemar(counts)
    return Pair("a", "b", counts, difference(counts), p_value, corrected or p_value)


def test_only_digits_that_all_held_out_count() -> None:
    # Wrong on each digit that is not shared: if one counted, an accuracy would be below 1.
    runs = {
        "first": held_out([1, 3, 4, 8, 9], [0, 3, 4, 0, 0]),
        "second": held_out([2, 3, 4, 8], [0, 3, 4, 0]),
        "third": held_out([3, 4, 5, 7, 9], [3, 4, 0, 0, 0]),
    }
    found = compare(runs)
    assert common_rows(list(runs.values())).tolist() == [3, 4]
    assert found.rows == 2
    assert [item.accuracy.value for item in found.metrics.values()] == [1, 1, 1]
    assert all(item.accuracy.rows == 2 for item in found.metrics.values())
    assert found.disagreements == ()


def test_each_run_is_measured_as_by_itself() -> None:
    first = held_out(list(range(40)), [row % 9 for row in range(40)])
    second = held_out(list(range(40)), [row % 10 for row in range(40)])
    found = compare({"first": first, "second": second})
    assert list(found.metrics) == ["first", "second"]
    assert found.metrics["first"] == measure(first.labels, first.probabilities, rows=first.rows)
    assert found.metrics["second"].accuracy.value == 1


def test_pairs_by_hand() -> None:
    rows = list(range(8))
    runs = {
        "a": held_out(rows, [0, 1, 2, 3, 4, 5, 0, 0]),
        "b": held_out(rows, [0, 1, 0, 0, 0, 0, 6, 0]),
        "c": held_out(rows, [0, 1, 2, 3, 4, 5, 6, 7]),
    }
    found = compare(runs)
    assert [(item.first, item.second) for item in found.pairs] == [
        ("a", "b"),
        ("a", "c"),
        ("b", "c"),
    ]
    assert [item.counts for item in found.pairs] == [
        PairedCounts(2, 4, 1, 1),
        PairedCounts(6, 0, 2, 0),
        PairedCounts(3, 0, 5, 0),
    ]
    # 2 * (1 + 5) / 32, 2 * 1 / 4, 2 * 1 / 32; corrected: the smallest times 3, the next times 2.
    assert [item.p_value for item in found.pairs] == pytest.approx([0.375, 0.5, 0.0625])
    assert [item.corrected for item in found.pairs] == pytest.approx([0.75, 0.75, 0.1875])
    assert found.pairs[0].difference.value == pytest.approx(3 / 8)


def test_the_most_telling_disagreements_come_first() -> None:
    rows = [3, 4, 5, 6, 17, 18]
    first = held_out(rows, [3, 4, 0, 0, 0, 0], [0.9, 0.9, 0.6, 0.99, 0.7, 0.8])
    second = held_out(rows, [3, 0, 5, 1, 0, 8], [0.9, 0.8, 0.9, 0.99, 0.7, 0.9])
    found = compare({"first": first, "second": second})
    # Both wrong, and differently: last, however sure they are. Both 0 in row 17: they agree.
    assert [item.row for item in found.disagreements] == [4, 18, 5, 6]
    assert [item.right for item in found.disagreements] == [1, 1, 1, 0]
    assert (found.all_wrong, found.alike_wrong) == (2, 1)
    digit = found.disagreements[0]
    assert digit.label == 4
    assert [reading.prediction for reading in digit.readings] == [4, 0]
    assert [reading.probability for reading in digit.readings] == pytest.approx([0.9, 0.8])
    assert [reading.label_probability for reading in digit.readings] == pytest.approx(
        [0.9, 0.2 / 9], rel=1e-5
    )


def test_what_cannot_be_compared() -> None:
    run = held_out([1, 2], [1, 2])
    with pytest.raises(ValueError, match="at least two"):
        compare({"a": run})
    with pytest.raises(ValueError, match="held out by all"):
        compare({"a": run, "b": held_out([3], [3])})
    with pytest.raises(ValueError, match="labels"):
        compare({"a": run, "b": replace(run, labels=run.labels[::-1])})


def test_the_verdict_in_words() -> None:
    assert verdict(pair(9, 3), NAMES, pairs=1) == (
        "quick is right on 9 digits where mlp is wrong, and wrong on 3 where mlp is right: "
        "p = 0.15, no more than chance would do."
    )
    text = verdict(pair(1, 30), NAMES, pairs=1)
    assert text.startswith("quick is right on 1 digit where")
    assert text.endswith("p < 0.0001, more than chance would do.")


def test_a_correction_can_take_a_verdict_back() -> None:
    alone, among_three = pair(14, 3), pair(14, 3, corrected=0.06)
    assert alone.differ
    assert not among_three.differ
    assert verdict(among_three, NAMES, pairs=3).endswith(
        "p = 0.013 (corrected for 3 pairs: 0.060), no more than chance would do."
    )


def test_runs_that_are_right_alike_need_no_test() -> None:
    assert verdict(pair(0, 0), NAMES, pairs=1) == "quick and mlp are right on the very same digits."


@pytest.mark.parametrize(
    ("value", "text"),
    [(1.0, "1.0"), (0.3, "0.30"), (0.146, "0.15"), (0.00034, "0.00034"), (9e-5, "< 0.0001")],
)
def test_p_values_are_short(value: float, text: str) -> None:
    assert p_text(value) == text


@pytest.mark.parametrize(
    ("names", "short"),
    [
        (["kaggle-quick", "kaggle-mlp"], ["quick", "mlp"]),
        (["kaggle-quick", "kaggle-quick-seed1"], ["quick", "quick-seed1"]),
        (["kaggle-quick-seed0", "kaggle-quick-seed1"], ["seed0", "seed1"]),
        (["mine", "yours"], ["mine", "yours"]),
        (["a-", "a-b"], ["a-", "a-b"]),
        (["a-b"], ["a-b"]),
    ],
)
def test_short_names(names: list[str], short: list[str]) -> None:
    assert short_names(names) == dict(zip(names, short, strict=True))
