"""Workers share what they should, say what went wrong, and end with whoever called them."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import numpy as np
import pytest

from pipeline.nn import team
from pipeline.nn.arrays import shared_zeros
from pipeline.nn.team import Team


class Counter(Team):
    """Each worker writes into its own place of a shared array."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.shared = shared_zeros(size, np.int64)
        self.own = 0

    def add(self, number: int, amount: int) -> tuple[int, int]:
        self.shared[number] += amount * (number + 1)
        self.own += 1
        return number, os.getpid()

    def fail(self, number: int) -> int:
        if number == 1:
            raise ValueError("worker 1 does not like this")
        return number

    def follow(self, number: int, meetings: int) -> bool:
        """Meet so often; between two meetings all have counted equally far."""
        for meeting in range(1, meetings + 1):
            self.shared[number] = meeting
            self.meet(number)
            if (self.shared != meeting).any():
                return False
            self.meet(number)
        return True

    def leave_the_others(self, number: int, killed: bool) -> None:
        if number == 1 and killed:
            os.kill(os.getpid(), signal.SIGKILL)
        if number == 1:
            raise ValueError("worker 1 will not come")
        self.meet(number)

    def meet_a_neighbour(self, number: int) -> int:
        """The first and second wait for each other alone."""
        if number < 2:
            self.meet(number, [0, 1])
        return number

    def end(self, number: int) -> None:
        if number == 1:
            os.kill(os.getpid(), signal.SIGKILL)


@pytest.fixture(params=["processes", "threads"])
def _kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "processes" and not team.PROCESSES:
        pytest.skip("the workers are threads on this system")
    monkeypatch.setattr(team, "PROCESSES", request.param == "processes")


@pytest.mark.usefixtures("_kind")
@pytest.mark.parametrize("size", [1, 2, 3])
def test_each_worker_does_its_part_and_all_see_it(size: int) -> None:
    counter = Counter(size)
    with counter as workers:
        for _ in range(3):
            answers = workers.ask("add", 10)
    assert [number for number, _ in answers] == list(range(size))
    np.testing.assert_array_equal(counter.shared, [30 * (n + 1) for n in range(size)])


@pytest.mark.skipif(not team.PROCESSES, reason="the workers are threads on this system")
def test_workers_are_processes_and_end_with_the_block() -> None:
    with Counter(3) as workers:
        processes = [process for _, process in workers.ask("add", 1)]
    assert len(set(processes)) == 3
    for process in processes[1:]:
        with pytest.raises(ProcessLookupError):
            os.kill(process, 0)


@pytest.mark.usefixtures("_kind")
def test_a_team_ends_while_a_later_one_goes_on() -> None:
    """Whose workers have inherited the first one's open connections."""
    first, second = Counter(2), Counter(2)
    first.__enter__()
    with second:
        first.__exit__(None, None, None)
        second.ask("add", 1)
    np.testing.assert_array_equal(second.shared, [1, 2])


@pytest.mark.usefixtures("_kind")
def test_an_error_of_a_worker_is_raised_and_the_team_goes_on() -> None:
    counter = Counter(3)
    with counter as workers:
        with pytest.raises(ValueError, match="worker 1 does not like this"):
            workers.ask("fail")
        workers.ask("add", 1)
    np.testing.assert_array_equal(counter.shared, [1, 2, 3])


@pytest.mark.usefixtures("_kind")
@pytest.mark.parametrize("size", [1, 2, 5])
def test_workers_that_meet_are_equally_far(size: int) -> None:
    with Counter(size) as workers:
        assert workers.ask("follow", 50) == [True] * size
        assert workers.ask("follow", 3) == [True] * size


@pytest.mark.usefixtures("_kind")
def test_some_may_meet_without_the_others() -> None:
    with Counter(3) as workers:
        assert workers.ask("meet_a_neighbour") == [0, 1, 2]


@pytest.mark.usefixtures("_kind")
def test_nobody_waits_for_a_worker_that_has_failed() -> None:
    """What it raised is told, and the team goes on."""
    with Counter(3) as workers:
        with pytest.raises(ValueError, match="worker 1 will not come"):
            workers.ask("leave_the_others", False)
        assert workers.ask("follow", 3) == [True] * 3


@pytest.mark.skipif(not team.PROCESSES, reason="the workers are threads on this system")
def test_nobody_waits_for_a_worker_that_was_killed() -> None:
    with pytest.raises(MemoryError, match="a worker process was ended"), Counter(3) as workers:
        workers.ask("leave_the_others", True)


@pytest.mark.skipif(not team.PROCESSES, reason="the workers are threads on this system")
def test_a_worker_that_was_killed_is_told() -> None:
    with pytest.raises(MemoryError, match="a worker process was ended"), Counter(2) as two:
        two.ask("end")


@pytest.mark.skipif(not team.PROCESSES, reason="the workers are threads on this system")
@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("asked", [False, True], ids=["idle", "with a request that it never read"])
def test_a_worker_that_was_killed_between_requests_is_told(number: int, asked: bool) -> None:
    """The others have answered by then: what they say to the next request is no old answer."""
    counter = Counter(3)
    with counter as workers:
        process = workers.ask("add", 1)[number][1]
        os.kill(process, signal.SIGSTOP if asked else signal.SIGKILL)
        if asked:
            threading.Timer(0.2, os.kill, (process, signal.SIGKILL)).start()
        else:
            _wait_until(lambda: not _runs(process))
        for _ in range(2):
            with pytest.raises(MemoryError, match="a worker process was ended"):
                workers.ask("add", 1)
    expected = [3, 6, 9]
    expected[number] = number + 1
    np.testing.assert_array_equal(counter.shared, expected)


@pytest.mark.skipif(not team.PROCESSES, reason="the workers are threads on this system")
def test_workers_end_when_their_caller_is_killed() -> None:
    program = """
import time
from tests.nn.test_team import Counter
with Counter(3) as workers:
    print(*(process for _, process in workers.ask("add", 1)), flush=True)
    time.sleep(60)
"""
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True
    ) as caller:
        assert caller.stdout is not None
        processes = [int(word) for word in caller.stdout.readline().split()]
        caller.kill()
        caller.wait()
    assert len(processes) == 3
    _wait_until(lambda: not any(_runs(process) for process in processes[1:]))


def _wait_until(true: Callable[[], bool]) -> None:
    until = time.monotonic() + 20
    while not true():
        assert time.monotonic() < until
        time.sleep(0.02)


def _runs(process: int) -> bool:
    """Whether it is there and no zombie, which waits only for its parent to look."""
    try:
        with open(f"/proc/{process}/stat", encoding="utf-8") as file:  # noqa: PTH123
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
