"""How long to wait for Kaggle, and how to repeat a request that may be repeated."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

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
    unless: Callable[[], bool] = lambda: False,
) -> T:
    """Call ``function`` until it succeeds, fails for good, or the attempts are used up.

    Pauses double, and a pause that the server asks for (Retry-After) is kept to.
    unless: asked after a failure; if true, the failure stands.
    Raises the last failure as it is.
    """
    import tenacity  # noqa: PLC0415  (the command line starts without it)

    backoff = tenacity.wait_exponential(
        multiplier=limits.first_pause_seconds, max=limits.longest_pause_seconds
    )

    def pause(state: tenacity.RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        asked = retry_after_seconds(error) if error else None
        return backoff(state) if asked is None else asked

    def may_repeat(error: BaseException) -> bool:
        asked = retry_after_seconds(error) or 0
        return is_transient(error) and asked <= limits.longest_pause_seconds and not unless()

    def announce(state: tenacity.RetryCallState) -> None:
        seconds = state.next_action.sleep if state.next_action else 0
        reporter().line(f"No luck {doing} yet; trying again in {seconds:.0f} s.")

    return tenacity.Retrying(
        retry=tenacity.retry_if_exception(may_repeat),
        stop=tenacity.stop_after_attempt(limits.attempts),
        wait=pause,
        before_sleep=announce,
        reraise=True,
    )(function)
