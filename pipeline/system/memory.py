"""How much memory is left for what is about to begin, which in a container may be less."""

import math
from pathlib import Path

_MACHINE = Path("/proc/meminfo")
# Linux control groups version 2: what a container may have, and what it has.
_GROUP = Path("/sys/fs/cgroup")


def available_memory() -> float:
    """Return how many bytes can be taken without swapping; infinity where nothing tells.

    A container's limit counts as well. What the kernel keeps of files, and gives up whenever
    somebody needs the room, counts as free.
    """
    return min(_left_on_machine(), _left_in_group())


def _left_on_machine() -> float:
    try:
        fields = dict(line.split(":", 1) for line in _MACHINE.read_text("ascii").splitlines())
        return 1024.0 * int(fields["MemAvailable"].split()[0])
    except (OSError, KeyError, ValueError, IndexError):
        return math.inf


def _left_in_group() -> float:
    try:
        limit, taken = (
            int((_GROUP / name).read_text("ascii")) for name in ("memory.max", "memory.current")
        )
        fields = dict(
            line.split() for line in (_GROUP / "memory.stat").read_text("ascii").splitlines()
        )
        return max(0.0, limit - taken + int(fields.get("inactive_file", 0)))
    except (OSError, ValueError):  # "max" is no limit
        return math.inf
