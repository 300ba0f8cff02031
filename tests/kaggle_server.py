"""A stand-in for Kaggle on loopback, which the real kaggle package talks to without knowing.

The package goes to http://localhost with KAGGLE_API_ENVIRONMENT=LOCALHOST; the server is named
as its http_proxy, so any free port will do, and the storage can have a host name of its own.
"""

import base64
import json
import re
import socket
import struct
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from tests.kaggle_api import (
    Answer,
    Kaggle,
    Methods,
    Raw,
    Reset,
    Seen,
    Stall,
    Status,
    Truncated,
    zip_bytes,
)

SERVICES = (
    "security.OAuthService",
    "competitions.CompetitionApiService",
    "datasets.DatasetApiService",
    "kernels.KernelsApiService",
)


class KaggleServer(ThreadingHTTPServer):
    """The server; ``with KaggleServer() as server`` runs it. server.kaggle is its state."""

    daemon_threads = True
    request_queue_size = 20

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.kaggle = Kaggle()
        self.closing = threading.Event()
        self._thread = threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True)

    @property
    def environment(self) -> dict[str, str]:
        """The variables that bring the kaggle package here, without credentials."""
        url = f"http://127.0.0.1:{self.server_port}"
        return {"KAGGLE_API_ENVIRONMENT": "LOCALHOST", "http_proxy": url}

    def __enter__(self) -> "KaggleServer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self.shutdown()
        self._thread.join()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away in the middle is what some tests are about."""


class _Handler(BaseHTTPRequestHandler):
    server: KaggleServer
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = json.loads(self._read_body() or b"{}")
        service, _, method = urlsplit(self.path).path.removeprefix("/api/v1/").partition("/")
        self._record(method, body)
        name = re.sub(r"(?<!^)(?=[A-Z])", "_", method).lower()
        work = getattr(Methods(self.server.kaggle), name, None) if service in SERVICES else None
        if not self._is_known():
            self._send_error(Status(401, "Unauthenticated"))
        elif work is None:
            self._send_error(Status(404, f"There is no {service}/{method}"))
        else:
            self._answer(method, lambda: work(body))

    def do_PUT(self) -> None:
        token = urlsplit(self.path).path.rpartition("/")[2]
        content = self._read_body()
        self._record("PUT")

        def store() -> bytes:
            self.server.kaggle.uploads[token] = content
            return b""

        self._answer("PUT", store)

    def do_GET(self) -> None:
        self._record("GET")
        name = urlsplit(self.path).path.strip("/")
        kaggle = self.server.kaggle
        if name in kaggle.datasets:
            content = kaggle.datasets[name]
        else:
            content = kaggle.competition_zip.read_bytes() if kaggle.competition_zip else zip_bytes()
        self._answer("GET", lambda: content)

    def date_time_string(self, timestamp: float | None = None) -> str:
        now = time.time() if timestamp is None else timestamp
        return super().date_time_string(now + self.server.kaggle.clock_ahead_seconds)

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _record(self, method: str, body: dict[str, Any] | None = None) -> None:
        host = urlsplit(self.path).hostname or self.headers["Host"]
        headers = dict(self.headers)
        seen = Seen(method, body or {}, self.headers["Authorization"], host, headers=headers)
        self.server.kaggle.seen.append(seen)

    def _is_known(self) -> bool:
        kaggle = self.server.kaggle
        style, _, secret = (self.headers["Authorization"] or "").partition(" ")
        if style == "Bearer":
            return secret in kaggle.tokens
        user, _, key = base64.b64decode(secret).decode().partition(":")
        return style == "Basic" and kaggle.keys.get(user) == key

    def _read_body(self) -> bytes:
        return self.rfile.read(int(self.headers["Content-Length"] or 0))

    def _answer(self, method: str, work: Callable[[], Any]) -> None:
        planned = self.server.kaggle.failures[method]
        failure = planned.pop(0) if planned else None
        if isinstance(failure, Reset | Stall):
            if failure.after_work:
                work()
            self._never_answer(failure)
        elif isinstance(failure, Raw):
            if failure.after_work:
                work()
            self._send_raw(failure)
        elif isinstance(failure, Status):
            self._send_error(failure)
        elif isinstance(failure, Answer):
            self._send(200, failure.body, failure.content_type)
        else:
            self._send_result(work(), failure)

    def _send_result(self, result: Any, truncated: Truncated | None) -> None:
        if isinstance(result, Status):
            self._send_error(result)
        elif isinstance(result, str):
            self.send_response(302)
            self.send_header("Location", result)
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif isinstance(result, bytes):
            self._send(200, result, "application/zip", truncated)
        else:
            self._send(200, json.dumps(result).encode(), "application/json", truncated)

    def _send_error(self, status: Status) -> None:
        error: dict[str, Any] = {"code": status.code, "message": status.message}
        body = json.dumps({"error": error} if status.nested else error).encode()
        content_type = "application/json"
        if not status.message:
            body, content_type = b"<html><body>Something broke</body></html>", "text/html"
        headers = {"Retry-After": status.retry_after} if status.retry_after else {}
        self._send(status.code, body, content_type, headers=headers)

    def _send(
        self,
        code: int,
        body: bytes,
        content_type: str,
        truncated: Truncated | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        self.send_response(code)
        self.send_header("Content-Type", content_type)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if truncated is None or truncated.announced:
            self.send_header("Content-Length", str(len(body)))
        if content_type == "application/zip":
            self.send_header("Accept-Ranges", "bytes")
            self.send_header("ETag", '"one"')
            self.send_header("Last-Modified", "Wed, 21 Oct 2015 07:28:00 GMT")
        if truncated is not None:
            self.send_header("Connection", "close")
            body = body[: len(body) // 2]
        self.end_headers()
        self.wfile.write(body)

    def _send_raw(self, failure: Raw) -> None:
        self.close_connection = True
        self.wfile.write(failure.data.replace(b"PORT", str(self.server.server_port).encode()))
        while failure.drip and not self.server.closing.wait(failure.pause_seconds):
            self.wfile.write(failure.drip)
        if failure.then == "stall":
            self.server.closing.wait()
        elif failure.then == "reset":
            self._reset()

    def _never_answer(self, failure: Reset | Stall) -> None:
        if isinstance(failure, Stall):
            self.server.closing.wait()
        else:
            self._reset()
        self.close_connection = True

    def _reset(self) -> None:
        # Closing with no time to linger sends a reset instead of an orderly end.
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
