"""A command's time, and the memory that it and its worker processes take at their peak.

A process's own memory is what it has written: its heap, and what it shares with its workers, a
page of which counts once. Pages of mapped files are apart: the kernel drops them whenever it
needs the room, and reads them again. The figures come from Linux's /proc/PID/smaps_rollup.
"""

import re
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

PAUSE_SECONDS = 0.01
_FIELD = re.compile(r"^(Rss|Pss_Anon|Pss_Shmem): +(\d+) kB$", re.MULTILINE)


@dataclass
class Measured:
    """What a command took.

    own_bytes: the highest sum, over its processes, of the memory that is their own.
    resident_bytes: the highest sum of all that lies in memory for them, mapped files included,
    where a page counts for each process that has it.
    """

    seconds: float = 0.0
    own_bytes: int = 0
    resident_bytes: int = 0


def run(command: Sequence[str], environment: Mapping[str, str], cwd: Path) -> Measured:
    """Run a command to its end; what it says is thrown away unless it fails.

    Raises RuntimeError with what it said if its exit code is not 0.
    """
    found = Measured()
    began = time.perf_counter()
    with subprocess.Popen(
        command,
        cwd=cwd,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        watcher = threading.Thread(target=_watch, args=(process, found), daemon=True)
        watcher.start()
        said, _ = process.communicate()
        found.seconds = time.perf_counter() - began
        watcher.join()
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)}\n{said}")
    return found


def _watch(process: "subprocess.Popen[str]", found: Measured) -> None:
    """Look again and again, at most a tenth of the time: to look costs what is looked at time."""
    while process.returncode is None:
        began = time.perf_counter()
        own = resident = 0
        for pid in _family(process.pid):
            sizes = _sizes(pid)
            own += sizes.get("Pss_Anon", 0) + sizes.get("Pss_Shmem", 0)
            resident += sizes.get("Rss", 0)
        found.own_bytes = max(found.own_bytes, own)
        found.resident_bytes = max(found.resident_bytes, resident)
        time.sleep(max(PAUSE_SECONDS, 9 * (time.perf_counter() - began)))


def _family(pid: int) -> Iterator[int]:
    """Yield a process and all that it has started."""
    yield pid
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            numbers = children.read_text(encoding="ascii").split()
        except OSError:  # it has ended
            continue
        for child in numbers:
            yield from _family(int(child))


def _sizes(pid: int) -> dict[str, int]:
    """Return the sizes of a process in bytes; none of one that has ended."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    except OSError:
        return {}
    return {name: 1024 * int(kilobytes) for name, kilobytes in _FIELD.findall(text)}
