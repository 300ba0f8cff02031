"""An event loop that ends in order when the process is asked to end."""

import asyncio
import signal
from collections.abc import Coroutine
from types import FrameType
from typing import Any

# asyncio does the same for Ctrl-C by itself.
_REQUESTS = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]


def run(work: Coroutine[Any, Any, None]) -> None:
    """Run ``work`` to its end, or cancel it when a signal comes that somebody handles.

    Handlers that raise would do so in whatever callback is running, which asyncio only takes note
    of. So the handler is called here, when all has been cleared up.
    """
    handlers = {number: signal.getsignal(number) for number in _REQUESTS}
    handlers = {number: handler for number, handler in handlers.items() if callable(handler)}
    asked: list[int] = []

    async def listening() -> None:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task

        def note(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
            if not asked:  # a second one would disturb the clearing up
                asked.append(number)
                loop.call_soon_threadsafe(task.cancel)

        for number in handlers:
            signal.signal(number, note)
        await work

    try:
        asyncio.run(listening())
    except asyncio.CancelledError:
        if not asked:
            raise
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    for number in asked:
        signal.raise_signal(number)
