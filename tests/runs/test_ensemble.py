"""The arithmetic of an ensemble, by hand."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.plan.workspace import RunFolder
from pipeline.runs.ensemble import HeldOut, MemberMetrics, combine, mean, measure_members
from pipeline.runs.run import TrainedRun
from pipeline.system.errors import PipelineError

LABELS = np.array([0, 1, 0, 1, 0, 1], np.uint8)


def held_out(rows: list[int], of_class_0: list[float], networks: int = 1) -> HeldOut:
    """Two classes stand for ten."""
    first = np.array(of_class_0, np.float32)
    return HeldOut(
        np.array(rows),
        LABELS[rows],
        np.stack([first, 1 - first], axis=1),
        np.full(len(rows), networks),
    )


def run(name: str, **training: Any) -> TrainedRun:
    return TrainedRun(RunFolder(Path(name)), {"seconds": 2.5, **training}, {})


# Rows 0 to 2 by the first, 1 to 4 by the second, 2 to 5 by the third. Even rows are of class 0.
MEMBERS = [
    held_out([0, 1, 2], [0.75, 0.5, 0.25]),
    held_out([1, 2, 3, 4], [0.25, 0.75, 0.5, 0.25], networks=3),
    held_out([2, 3, 4, 5], [1.0, 0.25, 0.25, 0.5]),
]


def test_a_row_s_prediction_is_the_mean_of_those_that_held_it_out() -> None:
    found = combine(MEMBERS)
    assert found.rows.tolist() == [0, 1, 2, 3, 4, 5]
    assert found.labels.tolist() == LABELS.tolist()
    expected = [0.75, 0.375, 2 / 3, 0.375, 0.25, 0.5]
    np.testing.assert_allclose(found.probabilities[:, 0], expected, rtol=1e-6)
    assert found.probabilities.dtype == np.float32
    assert found.networks.tolist() == [1, 4, 5, 4, 4, 1]


def test_rows_that_nobody_held_out_do_not_count() -> None:
    found = combine([held_out([1], [0.5]), held_out([4], [0.5])])
    assert found.rows.tolist() == [1, 4]


def test_gains_by_hand() -> None:
    """What is right at 0.5 and more is class 0.

    All together: rows 0, 1, 2 and 3 are right; row 4 is not, nor is row 5 (0.5 is class 0).
    First: alone it is right in row 0. It shares rows 1 and 2, in which the others are right too.
    Second: alone it is right in rows 1 and 2. It shares 1 to 4. Without it, row 1 is 0.5, wrong;
    row 2 is (0.25 + 1) / 2, right; row 3 is 0.25, right; row 4 is wrong: so it adds one.
    Third: alone it is right in rows 2 and 3. It shares 2 to 4. Without it, row 2 is
    (0.25 + 0.75) / 2 = 0.5, right; row 3 is 0.5, wrong; row 4 is wrong: so it adds one.
    """
    runs = [run("a"), run("b", networks=3), run("c")]
    first, second, third = measure_members(MEMBERS, runs)
    assert [(m.accuracy.correct, m.accuracy.rows) for m in (first, second, third)] == [
        (1, 3),
        (2, 4),
        (2, 4),
    ]
    assert [m.gain_correct for m in (first, second, third)] == [0, 1, 1]
    assert [m.gain_rows for m in (first, second, third)] == [2, 4, 3]
    assert first.gain == 0
    assert second.gain == 0.25
    assert third.gain == pytest.approx(1 / 3)
    assert (second.run, second.networks, second.seconds) == ("b", 3, 2.5)


def test_where_a_member_is_alone_it_has_no_gain() -> None:
    found = measure_members([held_out([0], [1.0]), held_out([1], [1.0])], [run("a"), run("b")])
    assert [(member.gain, member.gain_rows) for member in found] == [(None, 0), (None, 0)]


def test_a_member_may_harm() -> None:
    good, bad = held_out([0, 1], [0.75, 0.25]), held_out([0, 1], [0.0, 0.25])
    found = measure_members([good, bad], [run("good"), run("bad")])
    assert [member.gain_correct for member in found] == [0, -1]
    assert found[1].gain == -0.5


def test_members_come_back_from_their_record() -> None:
    for member in measure_members(MEMBERS, [run("a"), run("b"), run("c")]):
        assert MemberMetrics.model_validate(member.model_dump()) == member


def test_the_mean_of_predictions() -> None:
    members = [np.array([[1.0, 0.0]], np.float32), np.array([[0.25, 0.75]], np.float32)]
    found = mean(members)
    assert found.tolist() == [[0.625, 0.375]]
    assert found.dtype == np.float32


GOOD = {
    "rows": np.array([3, 5]),
    "labels": np.array([0, 9], np.uint8),
    "probabilities": np.full((2, 10), 0.1, np.float32),
}


def test_what_a_network_held_out_is_read_back(tmp_path: Path) -> None:
    np.savez(tmp_path / "hold_out.npz", **GOOD)  # type: ignore[arg-type]
    found = HeldOut.read(tmp_path / "hold_out.npz")
    assert (found.rows.tolist(), found.networks.tolist()) == ([3, 5], [1, 1])


@pytest.mark.parametrize(
    "changes",
    [
        {"rows": np.array([5, 3])},
        {"rows": np.array([-1, 3])},
        {"rows": np.array([3.0, 5.0])},
        {"rows": np.array(3)},
        {"rows": np.zeros(0, np.int64)},
        {"labels": np.array([0, 10], np.uint8)},
        {"labels": np.array([0], np.uint8)},
        {"probabilities": np.full((2, 9), 0.1, np.float32)},
        {"probabilities": np.full((2, 10), 0.1)},
        {"probabilities": np.full((2, 10), np.nan, np.float32)},
        {"probabilities": np.full((2, 10), 0.2, np.float32)},
        {"networks": np.array([0, 1])},
        {"more": np.array([0, 1])},
    ],
)
def test_a_damaged_hold_out_is_named(tmp_path: Path, changes: dict[str, Any]) -> None:
    path = tmp_path / "hold_out.npz"
    np.savez(path, **{**GOOD, **changes})
    with pytest.raises(PipelineError, match=r"hold_out\.npz is damaged") as failure:
        HeldOut.read(path)
    assert failure.value.remedy == f"Run: make validate RUN={tmp_path.name} FORCE=1"
