"""The course of the learning rate at the points that define it."""

import pytest

from pipeline.nn import make_schedule


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"kind": "constant"}, {0: 1.0, 7.5: 1.0}),
        (
            {"kind": "step", "every_epochs": 4, "decay": 0.5},
            {0: 1.0, 3.99: 1.0, 4: 0.5, 7.9: 0.5, 8: 0.25},
        ),
        ({"kind": "exponential", "decay": 0.9}, {0: 1.0, 1: 0.9, 2: 0.81}),
        ({"kind": "cosine", "final": 0.2}, {0: 1.0, 5: 0.6, 10: 0.2}),
        (
            {"kind": "one_cycle", "warmup": 0.4, "start": 0.1, "final": 0.0},
            {0: 0.1, 2: 0.55, 4: 1.0, 7: 0.5, 10: 0.0},
        ),
        ({"kind": "one_cycle", "warmup": 0.0}, {0: 1.0}),
    ],
    ids=lambda value: value.get("kind") if "kind" in value else "",
)
def test_the_factor_over_ten_epochs(
    config: dict[str, object], expected: dict[float, float]
) -> None:
    schedule = make_schedule(config)
    for epoch, factor in expected.items():
        assert schedule.factor(epoch, 10) == pytest.approx(factor), epoch
