"""How long and how often a request to Kaggle is tried."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TypeVar

import requests
import tenacity

from pipeline.kaggle.errors import is_transient, retry_after_seconds
from pipeline.system.reporter import reporter

T = TypeVar("T")


@dataclass(frozen=True)
class Limits:
    """Times in seconds.

    read_seconds: for each wait for the next bytes.
    answer_seconds, download_seconds: for the whole of an answer, and of a download.
    longest_pause_seconds: a server that asks to wait longer than this is not waited for.
    """

    connect_seconds: float = 10
    read_seconds: float = 30
    answer_seconds: float = 120
    download_seconds: float = 1_800
    attempts: int = 4
    first_pause_seconds: float = 1
    longest_pause_seconds: float = 30
    first_poll_seconds: float = 2
    longest_poll_seconds: float = 20


def repeat(
    function: Callable[[], T],
    limits: Limits,
    *,
    doing: str,
    unless: Callable[[BaseException], bool] | None = None,
) -> T:
    """Call ``function`` until it succeeds, fails for good, or the attempts are used up.

    Pauses double, and a pause that the server asks for (Retry-After) is kept to.
    unless: asked about a failure; if true, it stands.
    Raises the last failure as it is.
    """
    doubling = tenacity.wait_exponential(
        multiplier=limits.first_pause_seconds, max=limits.longest_pause_seconds
    )

    def pause(state: tenacity.RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        asked = retry_after_seconds(error) if error else None
        return doubling(state) if asked is None else asked

    def may_repeat(error: BaseException) -> bool:
        if not is_transient(error) or (unless and unless(error)):
            return False
        return (retry_after_seconds(error) or 0) <= limits.longest_pause_seconds

    def announce(state: tenacity.RetryCallState) -> None:
        reporter().line(f"No luck {doing} yet; trying again in {state.upcoming_sleep:.0f} s.")

    return tenacity.Retrying(
        retry=tenacity.retry_if_exception(may_repeat),
        stop=tenacity.stop_after_attempt(limits.attempts),
        wait=pause,
        before_sleep=announce,
        reraise=True,
    )(function)


def within(seconds: float, function: Callable[[], T], request: requests.PreparedRequest) -> T:
    """Call a function in a thread of its own, and wait for it no longer than that.

    Nothing can end a thread that waits for bytes. One that takes too long is left behind; the
    process does not wait for it either.  request: what it waits for.
    Raises requests.ReadTimeout then, and else what the function raises.
    """
    outcome: Future[T] = Future()

    def work() -> None:
        try:
            outcome.set_result(function())
        except BaseException as error:
            outcome.set_exception(error)

    threading.Thread(target=work, daemon=True).start()
    try:
        return outcome.result(seconds)
    except TimeoutError:
        if outcome.done():
            raise
        raise requests.ReadTimeout(request=request) from None
