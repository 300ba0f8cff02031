"""What is left of the machine's memory, or of a container's."""

import math
from pathlib import Path

import pytest

from pipeline.system import memory

MACHINE = "MemTotal:  8000 kB\nMemFree:  1000 kB\nMemAvailable:  4000 kB\nHugePages_Total:  0\n"


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of what the system tells: meminfo, and a control group's files."""
    monkeypatch.setattr(memory, "_MACHINE", tmp_path / "meminfo")
    monkeypatch.setattr(memory, "_GROUP", tmp_path)
    (tmp_path / "meminfo").write_text(MACHINE)
    return tmp_path


def write_group(folder: Path, limit: str, taken: str, stat: str = "anon 1\n") -> None:
    for name, text in (("max", limit), ("current", taken), ("stat", stat)):
        (folder / f"memory.{name}").write_text(text)


def test_the_machine_alone(told: Path) -> None:
    assert memory.available_memory() == 4000 * 1024
    (told / "meminfo").write_text("MemTotal: 8000 kB\n")
    assert memory.available_memory() == math.inf
    (told / "meminfo").unlink()
    assert memory.available_memory() == math.inf


@pytest.mark.parametrize(
    ("limit", "taken", "stat", "left"),
    [
        ("max\n", "5000\n", "anon 1\n", 4000 * 1024),
        ("9000\n", "5000\n", "anon 1\n", 4000),
        ("9000\n", "5000\n", "anon 1\ninactive_file 2000\nslab 7\n", 6000),
        ("5000\n", "9000\n", "anon 1\n", 0),
        ("999999999999\n", "5000\n", "anon 1\n", 4000 * 1024),
        ("", "", "", 4000 * 1024),
    ],
)
def test_a_container_s_limit_counts(
    told: Path, limit: str, taken: str, stat: str, left: float
) -> None:
    write_group(told, limit, taken, stat)
    assert memory.available_memory() == left
