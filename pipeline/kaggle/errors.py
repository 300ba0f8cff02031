"""What can go wrong between here and Kaggle: may it be tried again, and what a user is told."""

import email.utils
import errno
import re
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from pipeline.kaggle.credentials import Credentials
from pipeline.system.errors import PipelineError
from pipeline.system.text import one_line, shortened

SETTINGS = "https://www.kaggle.com/settings"
AGAIN = "then run the same command again."


class DamagedDownloadError(Exception):
    """A download that ended without an error and yet is no whole zip; str() says what it is."""


class RedirectedError(Exception):
    """Kaggle's answer sends a request on to another server; str() is that one's name."""


class UnclearSubmissionError(PipelineError):
    """The submission was on its way when the connection failed: Kaggle may have it or not."""


@dataclass(frozen=True)
class Request:
    """What was being asked of Kaggle when something failed.

    doing: "downloading ...".  subject: "the competition x", "the data set x" or "the notebook x".
    page: the subject's address.
    secrets: texts that must not be shown, wherever they turn up.
    """

    doing: str
    subject: str
    page: str
    credentials: Credentials
    unused: tuple[Credentials, ...] = ()
    secrets: tuple[str, ...] = ()


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
    import requests  # noqa: PLC0415  (the command line starts without it)

    if (code := status_code(error)) is not None:
        # A signed address of the storage runs out after some minutes; a new attempt gets a new one.
        ran_out = code == 403 and _method(error) in ("GET", "PUT")
        return ran_out or code in (408, 429, 500, 502, 503, 504)
    if isinstance(error, requests.exceptions.SSLError):
        return False
    return isinstance(
        error,
        (
            DamagedDownloadError,
            requests.exceptions.ConnectionError,
            requests.exceptions.Timeout,
            requests.exceptions.ChunkedEncodingError,
        ),
    )


def is_refusal(error: BaseException) -> bool:
    """Whether Kaggle certainly did not do what it was asked."""
    code = status_code(error)
    # A GET: Kaggle's own answer led on to some other place, which knows nothing of the request.
    return code is not None and 400 <= code < 500 and code != 408 and _method(error) != "GET"


def may_have_arrived(error: BaseException) -> bool:
    """Whether Kaggle may have done what it was asked, although the request failed."""
    import requests  # noqa: PLC0415

    if is_refusal(error) or (isinstance(error, ValueError) and _is_about_headers(error)):
        return False
    never_connected = isinstance(error, requests.exceptions.ConnectTimeout)
    never_connected |= bool(re.search("(NewConnection|NameResolution)Error", repr(error)))
    return not never_connected


def retry_after_seconds(error: BaseException) -> float | None:
    """Return how long the server asks to wait, from seconds or an HTTP date, or None."""
    headers = getattr(getattr(error, "response", None), "headers", {})
    value = headers.get("Retry-After", "").strip()
    if re.fullmatch(r"\d+(\.\d+)?", value):
        return float(value)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, OverflowError):
        return None


def rejected_credentials(request: Request) -> PipelineError:
    """Kaggle knows the credentials not, or no longer."""
    where = request.credentials.where
    message = (
        f"Kaggle does not accept the credentials in {where} (while {request.doing}): "
        "mistyped, expired, or replaced when newer ones were made."
    )
    remedy = f"Make new ones at {SETTINGS} and put them there."
    if request.unused:
        others = " and ".join(other.where for other in request.unused)
        message += f" Those in {others} are not used as long as these are there."
        remedy = f"Make new ones at {SETTINGS} and put them there, or remove these."
    return PipelineError(message, remedy=remedy)


def explain(error: BaseException, request: Request) -> PipelineError:
    """Return the failure as one or two lines for the user, without any secret."""
    if isinstance(error, PipelineError):
        return error
    if isinstance(error, SystemExit):  # what the package does without valid credentials
        return rejected_credentials(request)
    code = status_code(error)
    explained = _local(error, request) if code is None else _refused(error, code, request)
    return PipelineError(
        redact(explained.message, request.secrets), remedy=redact(explained.remedy, request.secrets)
    )


def quote(said: str, secrets: Iterable[str]) -> str:
    """Return what a server says as one short line, without secrets or control characters."""
    # In this order: half of a secret would not be found, nor one with control characters in it.
    return shortened(redact(one_line(said), secrets))


def redact(text: str, secrets: Iterable[str]) -> str:
    """Cut out secrets, and the query of every address: there a signed one carries its key."""
    for secret in secrets:
        text = text.replace(secret, "***")
    return re.sub(r"(https?://[^\s?]+)\?\S+", r"\1", text)


def _refused(error: BaseException, code: int, request: Request) -> PipelineError:
    said = quote(_server_message(error), request.secrets)
    quoted = f': "{said}"' if said else "."
    context = f"({code} while {request.doing})"
    if _method(error) != "POST":
        # The storage to which Kaggle sent us, with a signed address that holds for some minutes.
        return PipelineError(
            f"The storage of {_host(error)} does not take the request {context}.",
            remedy=f"Wait some minutes, {AGAIN}",
        )
    if code == 401:
        return rejected_credentials(request)
    if code == 403 and ("/competitions/" in request.page or "/code/" in request.page):
        return _forbidden(said, context, quoted, request)
    if code in (403, 404):
        return PipelineError(
            f"Kaggle has no such thing as {request.subject} for this account {context}{quoted}",
            remedy=f"See in the browser, logged in, whether it is there: {request.page}",
        )
    if code == 429:
        return PipelineError(
            f"Too many requests: Kaggle asks to slow down {context}{quoted}",
            remedy=f"Wait {_wait(retry_after_seconds(error))}, {AGAIN}",
        )
    if code < 500 and code != 408:
        message, remedy = f"Kaggle refuses the request {context}{quoted}", f"See {request.page}"
    else:
        message, remedy = f"Kaggle itself has a fault {context}{quoted}", f"Wait a while, {AGAIN}"
    return PipelineError(message, remedy=remedy)


def _wait(seconds: float | None) -> str:
    """How long to wait, in words; an absurd wish is not repeated."""
    if seconds is None or seconds > 30 * 86_400:
        return "some minutes"
    if seconds <= 120:
        return f"{seconds:.0f} seconds"
    return f"{seconds / 60:.0f} minutes" if seconds <= 7_200 else f"{seconds / 3_600:.0f} hours"


def _forbidden(said: str, context: str, quoted: str, request: Request) -> PipelineError:
    """Kaggle answers so before the rules are accepted, and seldom says that this is why."""
    if "/code/" in request.page:
        return PipelineError(
            f"Kaggle does not let this account save {request.subject} {context}{quoted}",
            remedy=f"See in {SETTINGS} whether it asks for something, such as a phone number.",
        )
    if "rule" in said.lower():
        message = f"The rules of {request.subject} are not accepted yet {context}{quoted}"
    else:
        message = (
            f"Kaggle refuses access to {request.subject} {context}; most likely this account "
            f"has not accepted its rules yet{quoted}"
        )
    remedy = f"Accept them in the browser at {request.page}/rules , {AGAIN}"
    return PipelineError(message, remedy=remedy)


def _local(error: BaseException, request: Request) -> PipelineError:
    """A failure without an answer of Kaggle's."""
    import requests  # noqa: PLC0415

    where = request.credentials.where
    if isinstance(error, DamagedDownloadError):
        return PipelineError(
            f"The download {error} (while {request.doing}); it was thrown away.",
            remedy=f"Wait a moment, {AGAIN} Or download it in the browser: {request.page}",
        )
    if isinstance(error, ImportError):
        return PipelineError(
            f"The kaggle package can't be imported: {error.name or 'a part of it'} is missing.",
            remedy="Run: make install",
        )
    if isinstance(error, ValueError) and _is_about_headers(error):
        return PipelineError(
            f"The credentials in {where} hold characters that no token or key has.",
            remedy=f"Copy them anew from {SETTINGS} , as plain text in one line.",
        )
    if isinstance(error, requests.exceptions.RequestException) and (reason := _reason(error)):
        mend = "Check the network and the variables http_proxy and https_proxy"
        if "certificate" in reason:
            mend = "If a proxy opens the connections, let REQUESTS_CA_BUNDLE name its certificate"
        return PipelineError(
            f"The connection to {_host(error)} failed while {request.doing}: {reason}.",
            remedy=f"{mend}, {AGAIN}",
        )
    if isinstance(error, OSError) and error.strerror and not isinstance(error, ConnectionError):
        return _file_failure(error, request)
    what = f"can't be understood (while {request.doing}; {type(error).__name__})"
    if isinstance(error, RedirectedError):
        what = f"leads to another place ({error}), and was not followed (while {request.doing})"
    return PipelineError(
        f"Kaggle's answer {what}.",
        remedy=f"If something between here and Kaggle asks for a login, log in there, {AGAIN}",
    )


def _file_failure(error: OSError, request: Request) -> PipelineError:
    """A failure of this machine. The file's name is not shown: the package tries a token as one."""
    if error.errno == errno.ENAMETOOLONG:
        return PipelineError(
            f"The token in {request.credentials.where} is too long for a variable.",
            remedy="Save it as ~/.kaggle/access_token instead, and unset the variable.",
        )
    return PipelineError(f"Failed while {request.doing}: {error.strerror}.")


def _is_about_headers(error: ValueError) -> bool:
    """Whether the credentials could not be written into a request; the text holds them."""
    return isinstance(error, UnicodeError) or "header" in str(error).lower()


def _reason(error: Exception) -> str:
    """Why the connection failed; "" if it did not. The first that fits: they hold each other."""
    import requests.exceptions as failures  # noqa: PLC0415

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
