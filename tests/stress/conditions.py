"""Part ``conditions``: every command on a machine that refuses, or is not as most machines are."""

import os
import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from queue import SimpleQueue
from typing import TypeVar

from tests.stress.condition_cases import all_cases
from tests.stress.condition_sweeps import can_mount, refused_changes, signals, small_disk
from tests.stress.machine import COMMANDS, WRITING, Machine
from tests.stress.table import Table
from tests.stress.trial import Case, Tried, attempt, can_be_tried
from tests.stress.warm import Warm

FREE_KILOBYTES = (0, 8, 64, 512, 3_000)
SIGNALS = 4  # for each command
# All of it takes an hour: each run draws a share of the cases by its seed, of each condition some.
SHARE = 0.25
Job = Callable[[Path, Warm], Iterable[Tried]]
Item = TypeVar("Item")


def conditions(folder: Path, *, seed: int, tell: Callable[[str], None]) -> Table:
    """Try all of it; see ``tests.stress.table.Part``."""
    with Warm(folder / "warm") as warm:
        machine = Machine.build(folder, warm.run)
        for command in COMMANDS:
            machine.expected(command)
    tell("every command has run undisturbed")
    chance = random.Random(seed)
    cases = _drawn_of_each_condition(chance)
    possible = [case for case in cases if can_be_tried(case)]
    jobs: list[Job] = [_attempt(machine, case) for case in possible]
    for fault, every in (("ENOSPC", 2), ("EDQUOT", 5), ("EIO", 3), ("EROFS", 7)):
        jobs += [_sweep(machine, command, fault, every) for command in _drawn(WRITING, chance)]
    jobs += [_signals(machine, command, seed) for command in _drawn(WRITING, chance)]
    if can_mount():
        jobs += [
            _on_a_small_disk(machine, command, size)
            for command in _drawn(WRITING, chance)
            for size in FREE_KILOBYTES
        ]
    skipped = (
        len(cases) - len(possible) + (0 if can_mount() else len(WRITING) * len(FREE_KILOBYTES))
    )
    return table_of(run_all(jobs, folder, tell), skipped=skipped)


def _drawn(items: Sequence[Item], chance: random.Random) -> list[Item]:
    """A share of the items, by chance, and at least one."""
    return chance.sample(items, max(1, round(SHARE * len(items))))


def _drawn_of_each_condition(chance: random.Random) -> list[Case]:
    groups: dict[str, list[Case]] = defaultdict(list)
    for case in all_cases():
        groups[case.condition].append(case)
    return [case for group in groups.values() for case in _drawn(group, chance)]


def run_all(jobs: Sequence[Job], folder: Path, tell: Callable[[str], None]) -> list[Tried]:
    """Do the jobs, one on each core, each with a folder and a warm process."""
    workers = os.cpu_count() or 1
    with ExitStack() as stack:
        warms: SimpleQueue[Warm] = SimpleQueue()
        for number in range(workers):
            warms.put(stack.enter_context(Warm(folder / f"warm-{number}")))

        def do(numbered: tuple[int, Job]) -> list[Tried]:
            number, job = numbered
            warm = warms.get()
            try:
                return list(job(folder / f"{number:04}", warm))
            except Exception as error:  # else one try would cost all others
                return [Tried("a try that came to no end", "", str(number), [repr(error)], "")]
            finally:
                warms.put(warm)
                if number % 50 == 0:
                    tell(f"{number} of {len(jobs)}")

        pool = stack.enter_context(ThreadPoolExecutor(workers))
        return [tried for found in pool.map(do, enumerate(jobs)) for tried in found]


def table_of(results: Sequence[Tried], *, skipped: int = 0) -> Table:
    """A row for each condition."""
    groups: dict[str, list[Tried]] = defaultdict(list)
    for tried in results:
        groups[tried.condition].append(tried)
    held = sum(not tried.faults for tried in results)
    summary = (
        f"{held:,} of {len(results):,} tries under {len(groups)} conditions held: a line that says "
        "what to do, the right exit code, no file that is half-written or lost, and the same "
        "command afterwards ends as if nothing had happened."
    )
    if skipped:
        summary += f" {skipped} more need rights or tools that this machine does not give."
    return Table(
        summary,
        ("the machine", "commands", "tries", "held", "what one sees, for example"),
        [
            (
                condition,
                str(len({tried.command for tried in group})),
                str(len(group)),
                str(sum(not tried.faults for tried in group)),
                _example(group),
            )
            for condition, group in groups.items()
        ],
        [
            f"{tried.condition}: {tried.command} ({tried.label}): {'; '.join(tried.faults)}"
            for tried in results
            if tried.faults
        ],
    )


def _example(group: Sequence[Tried]) -> str:
    said = next((tried.said.split() for tried in group if tried.said.strip()), [])
    text = " ".join(word for word in said if not word.startswith("/"))
    return f"`{text[:160]}`" if text else "nothing: it works"


def _attempt(machine: Machine, case: Case) -> Job:
    def job(folder: Path, _: Warm) -> Iterator[Tried]:
        faults, said = attempt(machine, case, folder)
        yield Tried(case.condition, case.command, case.label, faults, said)

    return job


def _sweep(machine: Machine, command: str, error: str, every: int) -> Job:
    return lambda folder, warm: refused_changes(machine, warm, command, error, folder, every=every)


def _signals(machine: Machine, command: str, seed: int) -> Job:
    return lambda folder, warm: signals(machine, warm, command, folder, tries=SIGNALS, seed=seed)


def _on_a_small_disk(machine: Machine, command: str, size: int) -> Job:
    return lambda folder, _: [small_disk(machine, command, size, folder)]
