"""A request to end ends an event loop in order, wherever it comes."""

import asyncio
import signal
from collections.abc import Iterator

import pytest

from pipeline.training.executors.event_loop import run

SECONDS = 2


class EndedError(BaseException):
    """What the command line's handler raises."""


@pytest.fixture(autouse=True)
def handler() -> Iterator[None]:
    def end(number: int, frame: object) -> None:
        raise EndedError(number)

    before = signal.signal(signal.SIGTERM, end)
    yield
    assert signal.getsignal(signal.SIGTERM) in (end, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize("requests", [1, 3])
def test_all_is_cleared_up_and_then_the_handler_called(requests: int) -> None:
    done: list[str] = []

    async def work() -> None:
        try:
            for _ in range(requests):
                asyncio.get_running_loop().call_soon(signal.raise_signal, signal.SIGTERM)
            await asyncio.sleep(SECONDS)
            done.append("worked")
        finally:
            await asyncio.sleep(0.01)
            done.append("cleared up")

    with pytest.raises(EndedError) as ended:
        run(work())
    assert ended.value.args == (signal.SIGTERM,)
    assert done == ["cleared up"]


def test_a_request_that_is_to_be_ignored_is_ignored() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    done: list[str] = []

    async def work() -> None:
        asyncio.get_running_loop().call_soon(signal.raise_signal, signal.SIGTERM)
        await asyncio.sleep(0.01)
        done.append("worked")

    run(work())
    assert done == ["worked"]


def test_what_the_work_raises_is_raised() -> None:
    async def work() -> None:
        raise ValueError("of the work")

    with pytest.raises(ValueError, match="of the work"):
        run(work())
