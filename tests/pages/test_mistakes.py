import numpy as np

from pipeline.pages.mistakes import classes_of, frequent_errors, heats_of, suspects, worst_errors
from pipeline.runs.metrics import accuracy_of, measure
from tests.pages.evidence_case import make_evidence, readings


def test_frequent_confusions_are_named_and_coloured() -> None:
    labels = [4] * 8 + [7, 7, 1]
    read = [9] * 5 + [4, 4, 6] + [1, 1, 1]
    probabilities = readings(*({digit: 0.91} for digit in read))
    metrics = measure(np.array(labels), probabilities, rows=np.arange(11))
    assert frequent_errors(metrics) == (
        "The most frequent errors: 4 read as 9: 5 times; 7 read as 1: twice; 4 read as 6: once."
    )
    heats = heats_of(metrics)
    assert metrics.confusion[4] == [0, 0, 0, 0, 2, 0, 1, 0, 0, 5]
    assert heats[4] == [0, 0, 0, 0, 0, 0, 1, 0, 0, 4]
    assert heats[7][1] == 2


def test_single_errors_are_no_alarm_and_none_is_said() -> None:
    one = measure(np.array([0, 1]), readings({0: 0.9}, {2: 0.9}), rows=np.arange(2))
    assert heats_of(one)[1][2] == 1
    assert frequent_errors(one) == "The most frequent errors: 1 read as 2: once."
    two = measure(np.array([0, 1]), readings({3: 0.9}, {2: 0.9}), rows=np.arange(2))
    assert frequent_errors(two) == "2 errors, no two alike."
    none = measure(np.array([0, 1]), readings({0: 0.9}, {1: 0.9}), rows=np.arange(2))
    assert frequent_errors(none) == "Every held-out digit is read right."


def test_classes_have_the_values_of_the_metrics_with_intervals() -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(200) % 9  # there is no 9 among them
    probabilities = rng.dirichlet(np.full(10, 0.3), 200)
    metrics = measure(labels, probabilities, rows=np.arange(200))
    classes, start = classes_of(metrics)
    for row, known in zip(classes[:9], metrics.classes, strict=False):
        assert row.recall is not None
        assert row.precision is not None
        assert (row.recall.value, row.precision.value) == (known.recall, known.precision)
        assert row.recall == accuracy_of(row.recall.correct, known.support)
        assert start <= min(row.recall.low, row.precision.low)
    assert classes[9].recall is None


def test_the_worst_errors_come_first() -> None:
    evidence = make_evidence(
        [1, 2, 3, 4, 5],
        readings({7: 0.6, 1: 0.3}, {7: 0.9, 2: 0.02}, {3: 0.9}, {7: 0.8, 4: 0.1}, {7: 0.95}),
        held_out=[0, 1, 2, 3],
    )
    errors = worst_errors(evidence)
    assert errors.total == 3
    assert [case.row for case in errors.shown] == [1, 3, 0]
    worst = errors.shown[0]
    assert (worst.label, worst.prediction) == (2, 7)
    assert [(odds.digit, odds.kind) for odds in worst.odds[:2]] == [(7, "prediction"), (2, "label")]


def test_suspects_are_clear_contradictions_learnt_from_or_not() -> None:
    probabilities = readings(
        {7: 0.95, 1: 0.02},  # held out, clear
        {7: 0.85, 2: 0.02},  # not sure enough of the 7
        {3: 0.99},
        {9: 0.98, 4: 0.001},  # learnt from, clearer
        {7: 0.905, 5: 0.095},
    )
    evidence = make_evidence([1, 2, 3, 4, 5], probabilities, held_out=[0, 1])
    found = suspects(evidence)
    assert [(case.row, case.held_out) for case in found.shown] == [
        (3, False),
        (0, True),
        (4, False),
    ]
    assert found.total == 3


def test_held_out_digits_are_suspected_by_what_was_validated() -> None:
    once = readings({7: 0.99}, {2: 0.99})  # as read in one view
    evidence = make_evidence([1, 2], readings({1: 0.99}, {2: 0.99}), train_probabilities=once)
    assert suspects(evidence).total == 0


def test_an_ensemble_suspects_held_out_digits_alone() -> None:
    probabilities = readings({7: 0.99}, {8: 0.99}, {9: 0.99})
    evidence = make_evidence([1, 2, 3], probabilities, held_out=[1], train_probabilities=None)
    assert [case.row for case in suspects(evidence).shown] == [1]


def test_many_are_cut_and_counted() -> None:
    wrong = readings(*[{7: 0.95}] * 40)
    evidence = make_evidence([1] * 40, wrong)
    assert (len(suspects(evidence).shown), suspects(evidence).total) == (30, 40)
    assert (len(worst_errors(evidence).shown), worst_errors(evidence).total) == (24, 40)
