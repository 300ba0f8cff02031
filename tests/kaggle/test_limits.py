"""Pauses between attempts, with the answers of a server made by hand."""

import email.utils
import threading
import time

import pytest
import requests

from pipeline.kaggle import limits
from pipeline.kaggle.errors import is_transient, retry_after_seconds
from pipeline.kaggle.limits import Limits
from tests.listeners import heard_by

LIMITS = Limits(attempts=4, first_pause_seconds=1, longest_pause_seconds=30)


def failure(code: int, retry_after: str | None = None) -> requests.HTTPError:
    response = requests.Response()
    response.status_code = code
    if retry_after is not None:
        response.headers["Retry-After"] = retry_after
    return requests.HTTPError(response=response)


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses, in seconds, that were asked for instead of slept."""
    pauses: list[float] = []
    monkeypatch.setattr("tenacity.nap.time.sleep", pauses.append)
    return pauses


def attempt(*failures: Exception) -> tuple[int, list[str]]:
    """Repeat a request that fails so and then succeeds; return the attempts and what was told."""
    left, attempts = list(failures), 0
    told: list[str] = []

    def request() -> None:
        nonlocal attempts
        attempts += 1
        if left:
            raise left.pop(0)

    heard_by(told.append, limits.repeat, request, LIMITS, doing="asking")
    return attempts, told


def test_pauses_double(slept: list[float]) -> None:
    attempts, told = attempt(failure(500), failure(502), failure(503))
    assert (attempts, slept) == (4, [1, 2, 4])
    assert told[1] == "No luck asking yet; trying again in 2 s."


def test_the_last_failure_comes_out_as_it_is(slept: list[float]) -> None:
    with pytest.raises(requests.HTTPError):
        attempt(*[failure(500)] * 4)
    assert slept == [1, 2, 4]


def test_a_server_that_asks_for_a_pause_gets_it(slept: list[float]) -> None:
    assert attempt(failure(429, "7"))[0] == 2
    assert slept == [7]


def test_a_server_that_asks_for_too_long_a_pause_is_not_waited_for(slept: list[float]) -> None:
    with pytest.raises(requests.HTTPError):
        attempt(failure(429, "31"))
    assert slept == []


@pytest.mark.parametrize("code", [400, 401, 403, 404])
def test_what_would_fail_again_is_not_repeated(slept: list[float], code: int) -> None:
    with pytest.raises(requests.HTTPError):
        attempt(failure(code))
    assert slept == []


def test_an_interruption_is_not_repeated(slept: list[float]) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        limits.repeat(interrupted, LIMITS, doing="asking")
    assert slept == []


def test_retry_after_may_be_a_date() -> None:
    date = email.utils.formatdate(time.time() + 100, usegmt=True)
    assert 90 < (retry_after_seconds(failure(429, date)) or 0) <= 100
    assert retry_after_seconds(failure(429, email.utils.formatdate(0, usegmt=True))) == 0
    assert retry_after_seconds(failure(429, "soon")) is None
    assert retry_after_seconds(failure(429)) is None
    assert retry_after_seconds(OSError()) is None


@pytest.mark.parametrize(
    ("error", "transient"),
    [
        (requests.ConnectionError(), True),
        (requests.Timeout(), True),
        (requests.exceptions.ChunkedEncodingError(), True),
        (requests.exceptions.SSLError(), False),
        (OSError(28, "No space left on device"), False),
        (ValueError(), False),
        (SystemExit(1), False),
    ],
)
def test_which_failures_pass_by_themselves(error: BaseException, transient: bool) -> None:
    assert is_transient(error) is transient


def test_who_takes_too_long_is_left_behind() -> None:
    asked, done = requests.Request("GET", "http://slow.test/x").prepare(), threading.Event()
    with pytest.raises(requests.ReadTimeout) as caught:
        limits.within(0.01, done.wait, asked)
    done.set()
    assert caught.value.request is asked


@pytest.mark.parametrize("error", [TimeoutError(), KeyError("x"), SystemExit(1)], ids=repr)
def test_what_goes_wrong_in_time_comes_out_as_it_is(error: BaseException) -> None:
    def fail() -> None:
        raise error

    with pytest.raises(type(error)) as caught:
        limits.within(10, fail, requests.Request("GET", "http://x.test").prepare())
    assert caught.value is error
