"""How long, how far and how often a request to Kaggle goes.

requests by itself waits for ever, as long as a byte comes now and then; it reads answers of any
size, and takes a request's body along to wherever a server says.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import requests
import tenacity
from requests.adapters import HTTPAdapter

from pipeline.kaggle.errors import (
    DamagedDownloadError,
    RedirectedError,
    is_transient,
    retry_after_seconds,
)
from pipeline.system.reporter import reporter

# Lists of submissions are the largest answers, with some kB; the competition's zip has 15 MB.
MAX_ANSWER_BYTES = 1 << 24
MAX_DOWNLOAD_BYTES = 1 << 30

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


class BoundedAdapter(HTTPAdapter):
    """Sends requests, and gets their answers within the limits."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        super().__init__()

    def send(
        self, request: requests.PreparedRequest, stream: bool = False, *args: Any, **kwargs: Any
    ) -> requests.Response:
        """Send a request and read its answer, unless that is a file that is to be streamed.

        Raises RedirectedError if the answer sends a POST on with its body, in which a login has
        the token; and requests.RequestException as usual, also for every status from 400 on.
        """
        kwargs["timeout"] = (self._limits.connect_seconds, self._limits.read_seconds)

        def answer() -> requests.Response:
            response = super(BoundedAdapter, self).send(request, stream, *args, **kwargs)
            if request.method == "POST" and response.status_code in (307, 308):
                response.close()
                place = urlsplit(response.headers.get("Location", ""))
                raise RedirectedError(place.hostname or "?")
            is_json = "json" in response.headers.get("Content-Type", "")
            if is_json or not (stream and response.status_code in (200, 206)):
                response._content = _read(response)
            response.raise_for_status()
            return response

        return within(self._limits.answer_seconds, answer, request)


def bound(session: requests.Session, limits: Limits) -> None:
    """Let a session wait, read and go no further than its limits."""
    session.max_redirects = 5
    for scheme in ("http://", "https://"):
        session.mount(scheme, BoundedAdapter(limits))


def save(response: requests.Response, path: Path, limits: Limits) -> None:
    """Write the body of a streamed answer into a file.

    Raises DamagedDownloadError if it is too large, and requests.RequestException as usual.
    """

    def copy() -> None:
        with response, path.open("wb") as stream:
            for chunk in response.iter_content(1 << 16):
                stream.write(chunk)
                if stream.tell() > MAX_DOWNLOAD_BYTES:
                    raise DamagedDownloadError(f"is larger than {MAX_DOWNLOAD_BYTES:,} bytes")

    within(limits.download_seconds, copy, response.request)


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


def _read(response: requests.Response) -> bytes:
    content = bytearray()
    for chunk in response.iter_content(1 << 16):
        content += chunk
        if len(content) > MAX_ANSWER_BYTES:
            response.close()
            raise requests.RequestException("The answer is too long", request=response.request)
    return bytes(content)
