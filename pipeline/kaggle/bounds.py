"""Bounds around a request to Kaggle: how long an answer may take, how large it may be, where to.

requests by itself waits for ever, as long as a byte comes now and then; it reads answers of any
size, and takes a request's body along to wherever a server says.
"""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from pipeline.kaggle.errors import DamagedDownloadError, RedirectedError
from pipeline.kaggle.retry import Limits

# Lists of submissions are the largest answers, with some kB; the competition's zip has 15 MB.
MAX_ANSWER_BYTES = 1 << 24
MAX_DOWNLOAD_BYTES = 1 << 30


class OverlongAnswerError(requests.RequestException):
    """An answer that is larger than any that Kaggle gives."""


def bound(session: requests.Session, limits: Limits) -> None:
    """Let a session wait, read and go no further than its bounds."""
    session.max_redirects = 5
    for scheme in ("http://", "https://"):
        session.mount(scheme, BoundedAdapter(limits))


class BoundedAdapter(HTTPAdapter):
    """Waits, reads and goes no further than the bounds. It serves one server's API."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._origin: tuple[str, str] | None = None
        self._pools = _pools(limits.answer_seconds)
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make the pools of connections, with bounds of ours."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        """Return the pools of connections through a proxy, with bounds of ours."""
        manager = super().proxy_manager_for(proxy, **kwargs)
        manager.pool_classes_by_scheme = self._pools
        return manager

    def send(
        self, request: requests.PreparedRequest, stream: bool = False, *args: Any, **kwargs: Any
    ) -> requests.Response:
        """Send a request and read its answer, unless that is a file that is to be streamed.

        Raises RedirectedError for a POST to another server than the first one, and
        requests.RequestException as usual.
        """
        if request.method == "POST":
            self._stay(request)
        if kwargs.get("timeout") is None:
            kwargs["timeout"] = (self._limits.connect_seconds, self._limits.read_seconds)
        response = super().send(request, stream, *args, **kwargs)
        is_json = "json" in response.headers.get("Content-Type", "")
        if not (stream and response.status_code in (200, 206)) or is_json:
            with within(self._limits.answer_seconds, response):
                response._content = _read(response)
        if is_json and response.status_code >= 400 and not _is_json(response):
            # Else the package falls over the body, and the status is lost.
            response.headers["Content-Type"] = "text/plain"
        return response

    def _stay(self, request: requests.PreparedRequest) -> None:
        """A redirected POST takes its body along, in which a login has the token."""
        address = urlsplit(request.url or "")
        origin = (address.scheme, address.netloc)
        self._origin = self._origin or origin
        if origin != self._origin:
            raise RedirectedError(address.hostname or "")


@contextlib.contextmanager
def within(seconds: float, response: requests.Response) -> Iterator[None]:
    """Give the block so long to read the response; raises requests.ReadTimeout if it takes longer.

    The connection is shut from outside: whoever reads it sees its end at once.
    """
    try:
        with _alarm(seconds, response.raw.shutdown):
            yield
    except TimeoutError:
        raise requests.ReadTimeout(request=response.request) from None


def at_most(chunks: Iterable[bytes], size: int = MAX_DOWNLOAD_BYTES) -> Iterator[bytes]:
    """Pass chunks on; raises DamagedDownloadError if they come to more than ``size`` bytes."""
    total = 0
    for chunk in chunks:
        total += len(chunk)
        if total > size:
            raise DamagedDownloadError(f"is larger than {size:,} bytes")
        yield chunk


def _read(response: requests.Response) -> bytes:
    chunks, total = [], 0
    for chunk in response.iter_content(1 << 16):
        chunks.append(chunk)
        total += len(chunk)
        if total > MAX_ANSWER_BYTES:
            response.close()
            raise OverlongAnswerError(request=response.request)
    return b"".join(chunks)


def _is_json(response: requests.Response) -> bool:
    try:
        return isinstance(response.json(), dict)
    except requests.JSONDecodeError:
        return False


@contextlib.contextmanager
def _alarm(seconds: float, stop: Callable[[], object]) -> Iterator[None]:
    """Call ``stop`` if the block takes longer, and raise TimeoutError at its end."""
    late = threading.Event()

    def ring() -> None:
        late.set()
        # The other side may be gone by now, or all may be read.
        with contextlib.suppress(OSError, ValueError, RuntimeError):
            stop()

    timer = threading.Timer(seconds, ring)
    timer.daemon = True
    timer.start()
    try:
        yield
    except Exception:
        if late.is_set():
            raise TimeoutError from None
        raise
    finally:
        timer.cancel()
    if late.is_set():
        raise TimeoutError


def _pools(seconds: float) -> dict[str, Any]:
    """Pools of connections that wait so long for all of an answer's head."""

    class Http(HTTPConnection):
        def getresponse(self) -> Any:
            with _alarm(seconds, lambda: self.sock.shutdown(socket.SHUT_RDWR)):
                return super().getresponse()

    class Https(HTTPSConnection):
        def getresponse(self) -> Any:
            with _alarm(seconds, lambda: self.sock.shutdown(socket.SHUT_RDWR)):
                return super().getresponse()

    class HttpPool(HTTPConnectionPool):
        ConnectionCls = Http

    class HttpsPool(HTTPSConnectionPool):
        ConnectionCls = Https

    return {"http": HttpPool, "https": HttpsPool}
