"""What can go wrong between here and Kaggle: may it be tried again, and what a user is told."""

import email.utils
import re
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from requests import exceptions as failures

from pipeline.kaggle import COMPETITION, COMPETITION_PAGE, SETTINGS
from pipeline.kaggle.credential_files import Credentials
from pipeline.system.errors import PipelineError
from pipeline.system.text import one_line, shortened

AGAIN = "then run the same command again."


class DamagedDownloadError(Exception):
    """A download that ended without an error and yet is no whole zip; str() says what it is."""


class RedirectedError(Exception):
    """Kaggle's answer sends a request on to another server; str() is that one's name."""


class UnclearError(PipelineError):
    """A request was on its way when something failed: Kaggle may have done it or not."""


@dataclass(frozen=True)
class Subject:
    """What a request is about: "the data set x", and the address of its page."""

    name: str
    page: str


THE_COMPETITION = Subject(f"the competition {COMPETITION}", COMPETITION_PAGE)


@dataclass(frozen=True)
class Request:
    """What was being asked of Kaggle when something failed.

    doing: "downloading ...".  secrets: texts that must not be shown, wherever they turn up.
    """

    doing: str
    credentials: Credentials
    unused: tuple[Credentials, ...] = ()
    secrets: tuple[str, ...] = ()
    about: Subject = THE_COMPETITION


def status_code(error: BaseException) -> int | None:
    """Return the HTTP status of a failed request; the one in the body if the header says 200."""
    response = getattr(error, "response", None)
    if response is None:
        return None
    code = int(response.status_code)
    if code < 400:
        told = _body(response).get("code")
        return told if isinstance(told, int) and told >= 400 else None
    return code


def is_transient(error: BaseException) -> bool:
    """Whether the same request may well succeed a moment later."""
    if (code := status_code(error)) is not None:
        # A signed address of the storage runs out after some minutes; a new attempt gets a new one.
        ran_out = code == 403 and _method(error) in ("GET", "PUT")
        return ran_out or code in (408, 429, 500, 502, 503, 504)
    broken = (failures.ConnectionError, failures.Timeout, failures.ChunkedEncodingError)
    passing = isinstance(error, (DamagedDownloadError, *broken))
    return passing and not isinstance(error, failures.SSLError)


def may_have_arrived(error: BaseException) -> bool:
    """Whether Kaggle may have done what it was asked, although the request failed."""
    code = status_code(error)
    # A GET: Kaggle's own answer led on to some other place, which knows nothing of the request.
    if code is not None and 400 <= code < 500 and code != 408 and _method(error) != "GET":
        return False
    never_sent = isinstance(error, failures.ConnectTimeout)
    return not (never_sent or re.search("(NewConnection|NameResolution)Error", repr(error)))


def retry_after_seconds(error: BaseException) -> float | None:
    """Return how long the server asks to wait, from seconds or an HTTP date, or None."""
    headers = getattr(getattr(error, "response", None), "headers", {})
    value = headers.get("Retry-After", "").strip()
    if value.isdecimal():
        return float(value)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, OverflowError):
        return None


def explain(error: BaseException, request: Request) -> PipelineError:
    """Return the failure as one or two lines for the user, without any secret."""
    if isinstance(error, PipelineError):
        return error
    code = status_code(error)
    if code == 401 or isinstance(error, SystemExit):  # which the package does without valid ones
        message, remedy = _rejected(request)
    elif code is not None:
        message, remedy = _refused(error, code, request)
    else:
        message, remedy = _unanswered(error, request)
    return PipelineError(redact(message, request.secrets), remedy=redact(remedy, request.secrets))


def quote(said: str, secrets: Iterable[str]) -> str:
    """Return what a server says as one short line, without secrets or control characters."""
    # In this order: half of a secret would not be found, nor one with control characters in it.
    return shortened(redact(one_line(said), secrets))


def redact(text: str, secrets: Iterable[str]) -> str:
    """Cut out secrets, and the query of every address: there a signed one carries its key."""
    for secret in secrets:
        text = text.replace(secret, "***")
    return re.sub(r"(https?://[^\s?]+)\?\S+", r"\1", text)


def _rejected(request: Request) -> tuple[str, str]:
    """Kaggle knows the credentials not, or no longer."""
    message = (
        f"Kaggle does not accept the credentials in {request.credentials.where} "
        f"(while {request.doing}): mistyped, expired, or replaced when newer ones were made."
    )
    remedy = f"Make new ones at {SETTINGS} and put them there"
    if not request.unused:
        return message, f"{remedy}."
    others = " and ".join(other.where for other in request.unused)
    return (
        f"{message} Those in {others} are not used as long as these are there.",
        f"{remedy}, or remove these.",
    )


def _refused(error: BaseException, code: int, request: Request) -> tuple[str, str]:
    said = quote(_server_message(error), request.secrets)
    name, page = request.about.name, request.about.page
    if _method(error) != "POST":
        # The storage to which Kaggle sent us, with a signed address that holds for some minutes.
        said, message = "", f"The storage of {_host(error)} does not take the request"
        remedy = f"Wait some minutes, {AGAIN}"
    elif code == 403 and "/code/" in page:
        message = f"Kaggle does not let this account save {name}"
        remedy = f"See in {SETTINGS} whether it asks for something, such as a phone number."
    elif code == 403 and page == COMPETITION_PAGE:
        # Kaggle answers so before the rules are accepted, and seldom says that this is why.
        message = f"The rules of {name} are not accepted yet, most likely"
        remedy = f"Accept them in the browser at {page}/rules , {AGAIN}"
    elif code in (403, 404):
        message = f"Kaggle has no such thing as {name} for this account"
        remedy = f"See in the browser, logged in, whether it is there: {page}"
    elif code == 429:
        message = "Too many requests: Kaggle asks to slow down"
        remedy = f"Wait {_in_words(retry_after_seconds(error))}, {AGAIN}"
    elif code < 500 and code != 408:
        message, remedy = "Kaggle refuses the request", f"See {page}"
    else:
        message, remedy = "Kaggle itself has a fault", f"Wait a while, {AGAIN}"
    quoted = f': "{said}"' if said else "."
    return f"{message} ({code} while {request.doing}){quoted}", remedy


def _in_words(seconds: float | None) -> str:
    """How long to wait; an absurd wish is not repeated."""
    if seconds is None or seconds > 30 * 86_400:
        return "some minutes"
    if seconds <= 120:
        return f"{seconds:.0f} seconds"
    return f"{seconds / 60:.0f} minutes" if seconds <= 7_200 else f"{seconds / 3_600:.0f} hours"


def _unanswered(error: BaseException, request: Request) -> tuple[str, str]:
    """A failure without an answer of Kaggle's, or with one that makes no sense."""
    context = f"while {request.doing}"
    message = f"Kaggle's answer can't be understood ({context}; {type(error).__name__})."
    remedy = f"If something between here and Kaggle asks for a login, log in there, {AGAIN}"
    if isinstance(error, RedirectedError):
        message = (
            f"Kaggle's answer leads to another place ({error}), and is not followed ({context})."
        )
    elif isinstance(error, DamagedDownloadError):
        message = f"The download {error} ({context}); it was thrown away."
        remedy = f"Wait a moment, {AGAIN} Or download it in the browser: {request.about.page}"
    elif isinstance(error, ImportError):
        message = f"The kaggle package can't be imported: {error.name or 'a part'} is missing."
        remedy = "Run: make install"
    elif isinstance(error, failures.RequestException):
        if reason := _reason(error):
            message = f"The connection to {_host(error)} failed {context}: {reason}."
            remedy = f"Check the network and the variables http_proxy and https_proxy, {AGAIN}"
            if "certificate" in reason:
                remedy = (
                    f"If a proxy opens it, let REQUESTS_CA_BUNDLE name its certificate, {AGAIN}"
                )
    elif isinstance(error, OSError) and error.strerror and not isinstance(error, ConnectionError):
        # Without the file's name, which the user need not know.
        message, remedy = f"Failed {context}: {error.strerror}.", ""
    return message, remedy


def _reason(error: Exception) -> str:
    """Why the connection failed; "" if it did not. The first that fits: they hold each other."""
    text = f"{type(error).__name__} {error}"
    proxy = isinstance(error, failures.ProxyError)
    unknown, refused = "NameResolution" in text or "getaddrinfo" in text, "refused" in text
    reasons = (
        (isinstance(error, failures.JSONDecodeError), ""),
        ("WRONG_VERSION_NUMBER" in text, "the other side does not speak TLS"),
        (isinstance(error, failures.SSLError), "the certificate can't be verified"),
        (isinstance(error, failures.Timeout) or "timed out" in text, "it took too long"),
        ("Tunnel connection failed" in text, "the proxy does not let us through"),
        (proxy and (unknown or refused), "the proxy can't be reached"),
        (unknown, "the address can't be found"),
        (refused, "it was refused"),
        (isinstance(error, failures.ChunkedEncodingError), "it broke off in mid-answer"),
        (isinstance(error, failures.ConnectionError), "it broke off"),
    )
    return next((reason for fits, reason in reasons if fits), "")


def _host(error: BaseException) -> str:
    request = getattr(error, "request", None)
    host = urlsplit(getattr(request, "url", None) or "").hostname
    return f"Kaggle ({host})" if host else "Kaggle"


def _method(error: BaseException) -> str | None:
    return getattr(getattr(error, "request", None), "method", None)


def _server_message(error: BaseException) -> str:
    """What Kaggle says, as it says it; "" if it says nothing."""
    body = _body(getattr(error, "response", None))
    nested = body.get("error")
    said = body.get("message") or (nested.get("message") if isinstance(nested, dict) else nested)
    return said if isinstance(said, str) else ""


def _body(response: Any) -> dict[str, Any]:
    try:
        body = response.json()
    except Exception:  # no JSON, or the connection breaks while it is read: nothing is said
        return {}
    return body if isinstance(body, dict) else {}
