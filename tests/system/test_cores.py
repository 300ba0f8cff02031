"""A process counts the cores that it may use, not those that exist."""

import os
from pathlib import Path

import pytest

from pipeline.system import cores


@pytest.fixture
def quota(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file in which a control group tells its share of time; the process may use 8 cores."""
    monkeypatch.setattr(cores, "_QUOTA", tmp_path / "cpu.max")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    return tmp_path / "cpu.max"


@pytest.mark.parametrize(
    ("told", "number"),
    [
        ("max 100000\n", 8),
        ("100000 100000\n", 1),
        ("150000 100000\n", 2),
        ("400000 200000\n", 2),
        ("5000 100000\n", 1),
        ("1600000 100000\n", 8),
        ("", 8),
        ("100000 0\n", 8),
        ("a few", 8),
    ],
)
def test_cores_within_a_share_of_time(quota: Path, told: str, number: int) -> None:
    quota.write_text(told)
    assert cores.available_cores() == number


def test_cores_without_a_control_group(quota: Path) -> None:
    assert cores.available_cores() == 8


def test_a_share_of_the_cores_is_for_the_block() -> None:
    all_cores = cores.available_cores()
    with cores.share_cores(1):
        assert cores.available_cores() == 1
        with cores.share_cores(all_cores + 1):
            assert cores.available_cores() == 1
    with cores.share_cores(all_cores + 1):
        assert cores.available_cores() == all_cores
    assert cores.available_cores() == all_cores
