"""Killed at any instant: the same command goes on, and ends as if nothing had happened."""

import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from pipeline.plan.workspace import Workspace
from pipeline.runs.sending import UNKNOWN_FOR
from tests.stress.scenes import Scene, Scenes
from tests.stress.snapshot import differences, left_behind, size, snapshot
from tests.stress.strike import Ended, Measured, draw, measure, run
from tests.stress.table import Table

STAGES = ("download", "preprocess", "train", "validate", "submission", "submit")
COMMANDS = 34  # of each stage, each struck at least once
AT_ONCE = 2
IN_A_ROW = 5  # kills without an end between, which must not let anything grow
MOST_LEFT = 4  # a file or folder in the making, another beside it, who holds two locks
SENT_BEFORE = "This very CSV was sent before"


@dataclass(frozen=True)
class Reference:
    """A scene, what it comes to undisturbed, and how much that is in bytes."""

    scene: Scene
    measured: Measured
    expected: dict[str, str]
    size: int


@dataclass
class Attempt:
    """One folder: struck once or several times, then left to its end.

    strikes: when it was killed.  left: the most temporaries after a kill, and their bytes.
    """

    reference: Reference
    strikes: list[str] = field(default_factory=list)
    left: tuple[int, int] = (0, 0)
    sent: int = 0
    failures: list[str] = field(default_factory=list)
    temporaries: int = 0


@dataclass
class Row:
    """What came of the attempts at one stage."""

    strikes: int = 0
    repeated: int = 0
    attempts: int = 0
    ended_well: int = 0
    temporaries: int = 0
    most_left: tuple[int, int] = (0, 0)
    sent_twice: int = 0
    failures: list[str] = field(default_factory=list)

    def add(self, attempt: Attempt) -> None:
        """Count an attempt that was struck; others do not count."""
        if not attempt.strikes:
            return
        self.strikes += len(attempt.strikes)
        self.repeated += len(attempt.strikes) > 1
        self.attempts += 1
        self.ended_well += not attempt.failures
        self.temporaries += attempt.temporaries
        self.most_left = max(self.most_left, attempt.left)
        self.sent_twice += attempt.sent > 1
        scene, times = attempt.reference.scene, ", ".join(attempt.strikes)
        self.failures += [
            f"{scene.stage} ({scene.name}), killed at {times}: {what}" for what in attempt.failures
        ]


def killed(
    folder: Path,
    *,
    seed: int,
    tell: Callable[[str], None],
    stages: Sequence[str] = STAGES,
    commands: int = COMMANDS,
    scenes: int | None = None,
    practice: Workspace | None = None,
) -> Table:
    """Strike so many commands of each stage; see ``Part``.

    scenes: how many of each stage, None for all.
    practice: a workspace in which the practice digits are processed, if there is one.
    """
    prepared = Scenes(folder / "scenes", practice)
    rows = {}
    for number, stage in enumerate(stages):
        rng = np.random.default_rng([seed, number])
        references = [
            _reference(scene, folder / f"{stage}-{index}")
            for index, scene in enumerate(prepared.of(stage)[:scenes])
        ]
        rows[stage] = _strike_stage(references, folder / stage, commands, rng)
        row = rows[stage]
        tell(f"{stage}: {row.strikes} strikes, {row.ended_well} of {row.attempts} ended well")
    return _table(rows)


def _reference(scene: Scene, folder: Path) -> Reference:
    scene.set_up(folder)
    with scene.server() as server:
        measured = measure(scene, folder, server)
    reference = Reference(scene, measured, snapshot(folder), size(folder))
    shutil.rmtree(folder)
    return reference


def _strike_stage(
    references: Sequence[Reference], folder: Path, commands: int, rng: np.random.Generator
) -> Row:
    """Make attempts until so many were struck; the first one many times in a row."""
    row, number = Row(), 0
    with ThreadPoolExecutor(AT_ONCE) as pool:
        while row.attempts < commands:
            jobs = []
            for _ in range(AT_ONCE):
                wanted = (
                    IN_A_ROW if number == 0 and commands > 1 else rng.choice([1, 1, 1, 1, 2, 3])
                )
                reference = references[number % len(references)]
                place, own = folder / str(number), rng.spawn(1)[0]
                jobs.append(pool.submit(_attempt, reference, place, int(wanted), own))
                number += 1
            for job in jobs:
                row.add(job.result())
    return row


def _attempt(reference: Reference, folder: Path, wanted: int, rng: np.random.Generator) -> Attempt:
    scene, attempt = reference.scene, Attempt(reference)
    scene.set_up(folder)
    with scene.server() as server:
        for _ in range(wanted):
            instant = draw(reference.measured, rng)
            ended = run(scene, folder, server, instant)
            if ended.killed:
                attempt.strikes.append(str(instant))
                left = left_behind(folder)
                attempt.left = max(attempt.left, (len(left), sum(map(size, left))))
                _judge_survivors(attempt, ended)
        if server is not None:  # before that, a submission may be under way
            server.kaggle.clock_ahead_seconds = UNKNOWN_FOR.total_seconds() + 1
        _judge(attempt, run(scene, folder, server), folder)
        if server is not None:
            attempt.sent = len(server.kaggle.submissions)
            if scene.stage == "submit" and attempt.sent != 1:
                attempt.failures.append(f"it was sent {attempt.sent} times")
    shutil.rmtree(folder)
    return attempt


def _judge_survivors(attempt: Attempt, ended: Ended) -> None:
    if ended.survivors:
        attempt.failures.append(f"{', '.join(ended.survivors)} outlived it")


def _judge(attempt: Attempt, ended: Ended, folder: Path) -> None:
    """Compare the end with that of the undisturbed command."""
    # A kill after the score was known leaves nothing to do, which a second submit refuses to.
    refused = attempt.reference.scene.stage == "submit" and SENT_BEFORE in ended.errors
    if ended.code != 0 and not refused:
        attempt.failures.append(f"then it failed: {ended.errors.strip()}")
    elif ended.errors and not refused:
        attempt.failures.append(f"then it said: {ended.errors.strip()}")
    left = left_behind(folder)
    attempt.temporaries = len(left)
    attempt.failures += differences(attempt.reference.expected, snapshot(folder))
    attempt.failures += [f"{path.relative_to(folder)} was left over" for path in left]
    count, size_of_left = attempt.left
    if count > MOST_LEFT or size_of_left > 2 * attempt.reference.size:
        attempt.failures.append(
            f"{count} temporaries of {size_of_left:,} bytes were left meanwhile"
        )
    _judge_survivors(attempt, ended)


def _table(rows: dict[str, Row]) -> Table:
    total: Counter[str] = Counter()
    for row in rows.values():
        total.update(strikes=row.strikes, attempts=row.attempts, well=row.ended_well)
    failures = [failure for row in rows.values() for failure in row.failures]
    return Table(
        summary=(
            f"{total['attempts']} commands were struck by `kill -9` at {total['strikes']} random "
            f"instants, most of them once: {total['well']} of {total['attempts']} ended, typed "
            "once more, with the bits of an undisturbed one."
        ),
        columns=(
            *("stage", "strikes", "commands", "struck twice or more", "ended as undisturbed"),
            *("most left meanwhile", "temporaries left", "sent twice"),
        ),
        rows=[
            (
                *(stage, str(row.strikes), str(row.attempts), str(row.repeated)),
                f"{row.ended_well} of {row.attempts}",
                f"{row.most_left[0]} ({row.most_left[1] / 1e6:.1f} MB)",
                str(row.temporaries),
                str(row.sent_twice) if stage == "submit" else "",
            )
            for stage, row in rows.items()
        ],
        failures=failures,
    )
