"""One command, killed at an instant of one's choice, or left to its end."""

import json
import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests.kaggle_server import KaggleServer
from tests.practice_case import REPOSITORY
from tests.stress.scenes import Scene

DEADLY = Path(__file__).parent / "deadly"
TIMEOUT_SECONDS = 300


@dataclass(frozen=True)
class Measured:
    """A command that nobody disturbed: how long it took, and how many steps of each kind."""

    seconds: float
    steps: dict[str, int]


@dataclass(frozen=True)
class Instant:
    """When to kill: after so many seconds, or before a step such as files:17."""

    seconds: float | None = None
    step: str = ""

    def __str__(self) -> str:
        return self.step or f"{self.seconds:.2f} s"


@dataclass(frozen=True)
class Ended:
    """How a process ended.  survivors: what it started and did not take along, by name."""

    code: int
    output: str
    errors: str
    survivors: tuple[str, ...] = ()

    @property
    def killed(self) -> bool:
        return self.code == -signal.SIGKILL


def draw(measured: Measured, rng: np.random.Generator) -> Instant:
    """Draw an instant: two of five by the clock, the others at a step."""
    kinds = [kind for kind, count in measured.steps.items() if count]
    if not kinds or rng.random() < 0.4:
        return Instant(seconds=float(rng.uniform(0, measured.seconds)))
    kind = kinds[int(rng.integers(len(kinds)))]
    return Instant(step=f"{kind}:{rng.integers(1, measured.steps[kind] + 1)}")


def measure(scene: Scene, folder: Path, server: KaggleServer | None) -> Measured:
    """Run the command to its end; raises AssertionError if it fails."""
    count = folder / "home" / "steps.json"
    began = time.monotonic()
    ended = run(scene, folder, server, STRIKE_COUNT=str(count))
    seconds = time.monotonic() - began
    assert ended.code == 0, f"{scene.stage} {scene.name}: {ended.output}{ended.errors}"
    return Measured(seconds, json.loads(count.read_text(encoding="utf-8")))


def run(
    scene: Scene,
    folder: Path,
    server: KaggleServer | None,
    instant: Instant | None = None,
    **variables: str,
) -> Ended:
    """Run the command, to its end or to the instant; a later one than its end changes nothing."""
    if instant is not None and instant.step:
        variables["STRIKE_AT"] = instant.step
    path = os.pathsep.join([str(DEADLY), str(REPOSITORY)])
    process = subprocess.Popen(
        scene.command(folder),
        cwd=REPOSITORY,
        env=scene.environment(folder, server) | {"PYTHONPATH": path} | variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # by which those are found that outlive it
    )
    try:
        at = instant.seconds if instant is not None else None
        output, errors = process.communicate(timeout=TIMEOUT_SECONDS if at is None else at)
    except subprocess.TimeoutExpired:
        process.kill()
        output, errors = process.communicate()
        assert instant is not None, f"{scene.stage} {scene.name} took {TIMEOUT_SECONDS} s"
    return Ended(process.returncode, output, errors, _survivors(process.pid))


def _survivors(session: int) -> tuple[str, ...]:
    """The processes of a session that are still there after a while."""
    for _ in range(100):
        found = [name for name, its in _sessions() if its == session]
        if not found:
            break
        time.sleep(0.05)
    return tuple(found)


def _sessions() -> list[tuple[str, int]]:
    """Name and session of each process on the machine, as Linux tells them."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = path.read_text(encoding="utf-8", errors="replace")
        except OSError:  # it has ended meanwhile
            continue
        name, _, rest = text.partition("(")[2].rpartition(")")
        found.append((name, int(rest.split()[3])))
    return found
