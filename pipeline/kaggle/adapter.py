"""What every request to Kaggle and its storage goes through, and every answer.

requests by itself waits for ever, as long as a byte comes now and then; it reads answers of any
size, takes a request's body along to wherever a server says, and adds passwords of ~/.netrc.
"""

import itertools
import string
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import requests
from requests.adapters import HTTPAdapter

from pipeline.kaggle.errors import DamagedDownloadError, RedirectedError
from pipeline.kaggle.limits import Limits, within
from pipeline.kaggle.surroundings import certificates, proxies_for

# Lists of submissions are the largest answers, with some kB; the competition's zip has 15 MB.
MAX_ANSWER_BYTES = 1 << 24
MAX_DOWNLOAD_BYTES = 1 << 30
CHUNK_BYTES = 1 << 16
_ZIP, _GZIP = b"PK", b"\x1f\x8b"
_PRINTABLE = string.ascii_letters + string.digits + string.punctuation


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
        the token; SettingError if the proxy can't be used; and requests.RequestException
        as usual, also for every status from 400 on.
        """
        kwargs["timeout"] = (self._limits.connect_seconds, self._limits.read_seconds)
        kwargs["proxies"], kwargs["verify"] = proxies_for(request.url or ""), certificates()
        request.headers.pop("Cookie", None)  # what one server says is no business of another's
        request.headers["Accept-Encoding"] = "gzip"

        def answer() -> requests.Response:
            response = super(BoundedAdapter, self).send(request, stream, *args, **kwargs)
            location = response.headers.get("Location", "")
            if request.method == "POST" and response.status_code in (307, 308):
                response.close()
                raise RedirectedError(urlsplit(location).hostname or "?")
            if location:  # as bytes, which requests would take for UTF-8
                response.headers["Location"] = quote(location, _PRINTABLE, "latin-1")
            is_file = stream and response.status_code in (200, 206) and _is_file(response)
            if not is_file:
                response._content = _read(response)
            response.raise_for_status()
            return response

        return within(self._limits.answer_seconds, answer, request)


def bound(session: requests.Session, limits: Limits) -> None:
    """Let a session keep to its limits, and send nothing but what it is given."""
    session.max_redirects = 5
    session.trust_env = False
    for scheme in ("http://", "https://"):
        session.mount(scheme, BoundedAdapter(limits))


def save(response: requests.Response, path: Path, limits: Limits) -> None:
    """Write the body of a streamed answer into a file.

    Raises DamagedDownloadError if it is too large, and requests.RequestException as usual.
    """

    def copy() -> None:
        with response, path.open("wb") as stream:
            for chunk in response.iter_content(CHUNK_BYTES):
                stream.write(chunk)
                if stream.tell() > MAX_DOWNLOAD_BYTES:
                    raise DamagedDownloadError(f"is larger than {MAX_DOWNLOAD_BYTES:,} bytes")

    within(limits.download_seconds, copy, response.request)


def _is_file(response: requests.Response) -> bool:
    """Whether a streamed answer is a file, and no message in JSON.

    What it is, and whether it is packed once more, its bytes tell; servers mislabel zips.
    """
    response.raw.headers.pop("Content-Encoding", None)
    chunks = response.iter_content(CHUNK_BYTES)
    first = next(chunks, b"")
    if first.startswith(_GZIP):
        chunks = _unpacked(itertools.chain((first,), chunks))
        first = next(chunks, b"")
    if first.startswith(_ZIP):
        response.headers["Content-Type"] = "application/zip"  # the package would parse any JSON
    response.iter_content = lambda *_, **__: itertools.chain((first,), chunks)  # type: ignore[method-assign]
    return "json" not in response.headers.get("Content-Type", "")


def _unpacked(chunks: Iterator[bytes]) -> Iterator[bytes]:
    decoder = zlib.decompressobj(zlib.MAX_WBITS | 16)
    try:
        for chunk in chunks:
            if unpacked := decoder.decompress(chunk):
                yield unpacked
    except zlib.error:
        raise DamagedDownloadError("is a damaged gzip file") from None


def _read(response: requests.Response) -> bytes:
    content = bytearray()
    for chunk in response.iter_content(CHUNK_BYTES):
        content += chunk
        if len(content) > MAX_ANSWER_BYTES:
            response.close()
            raise requests.RequestException("The answer is too long", request=response.request)
    return bytes(content)
