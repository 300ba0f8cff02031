"""A stand-in for Kaggle on loopback, which the real kaggle package talks to without knowing.

The package goes to http://localhost with KAGGLE_API_ENVIRONMENT=LOCALHOST; the server is named
as its http_proxy, so any free port will do, and the storage can have a host name of its own.
"""

import base64
import json
import socket
import struct
import threading
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

COMPETITION = "digit-recognizer"
STORAGE = "http://storage.kaggle.test"
# Planted: none of these may ever be seen outside of a request.
TOKEN = "planted-token-0123456789"
USERNAME, KEY = "ada", "planted-key-0123456789"
SIGNATURE = "planted-signature-0123456789"
SECRETS = (TOKEN, KEY, base64.b64encode(f"{USERNAME}:{KEY}".encode()).decode(), SIGNATURE)


@dataclass(frozen=True)
class Status:
    """Answer with an error. nested: as real 429s have it. Without a message: a page of HTML."""

    code: int
    message: str = ""
    nested: bool = False
    retry_after: str | None = None


@dataclass(frozen=True)
class Answer:
    """Answer with these bytes instead of the right ones."""

    body: bytes
    content_type: str = "application/json"


@dataclass(frozen=True)
class Truncated:
    """Answer with the first half of the body; with the length of all of it or with none."""

    announced: bool


@dataclass(frozen=True)
class Reset:
    """Reset the connection. after_work: only when everything asked for has been done."""

    after_work: bool = False


@dataclass(frozen=True)
class Stall:
    """Never answer. after_work: only when everything asked for has been done."""

    after_work: bool = False


Failure = Status | Answer | Truncated | Reset | Stall


@dataclass(frozen=True)
class Seen:
    """One request as it arrived; method: the API's method, or GET and PUT for the storage."""

    method: str
    body: dict[str, Any]
    authorization: str | None


@dataclass
class Kaggle:
    """What the server knows. Tests set it up before, and look at it afterwards.

    polls: how often a submission is PENDING before it has its outcome.
    error: why a submission cannot be scored; "" means that it can.
    gives_ref: whether CreateSubmission gives a number; without one nothing is created.
    allowed: submissions left today; None until the team's first, when Kaggle tells only zeros.
    """

    competition_zip: Path | None = None
    datasets: dict[str, bytes] = field(default_factory=dict)
    files: dict[str, int] = field(default_factory=dict)
    tokens: set[str] = field(default_factory=lambda: {TOKEN})
    keys: dict[str, str] = field(default_factory=lambda: {USERNAME: KEY})
    allowed: int | None = 10
    limited_by_total: bool = False
    polls: int = 1
    public_score: str = "0.98714"
    error: str = ""
    gives_ref: bool = True
    submissions: list[dict[str, Any]] = field(default_factory=list)
    uploads: dict[str, bytes] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)
    failures: dict[str, list[Failure]] = field(default_factory=lambda: defaultdict(list))

    def fail(self, method: str, failure: Failure, times: int = 1_000) -> None:
        """Answer the next ``times`` requests for ``method`` with a failure."""
        self.failures[method] += [failure] * times

    def count(self, method: str) -> int:
        return sum(seen.method == method for seen in self.seen)


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
        self.server.kaggle.seen.append(Seen(method, body, self.headers["Authorization"]))
        work = getattr(_Methods(self.server.kaggle), f"{service.split('.')[0]}_{method}", None)
        if not self._is_known():
            self._send_error(Status(401, "Unauthenticated"))
        elif work is None:
            self._send_error(Status(404, f"There is no {service}/{method}"))
        else:
            self._answer(method, lambda: work(body))

    def do_PUT(self) -> None:
        token = urlsplit(self.path).path.rpartition("/")[2]
        content = self._read_body()
        self.server.kaggle.seen.append(Seen("PUT", {}, self.headers["Authorization"]))

        def store() -> bytes:
            self.server.kaggle.uploads[token] = content
            return b""

        self._answer("PUT", store)

    def do_GET(self) -> None:
        self.server.kaggle.seen.append(Seen("GET", {}, self.headers["Authorization"]))
        name = urlsplit(self.path).path.strip("/")
        kaggle = self.server.kaggle
        if name in kaggle.datasets:
            content = kaggle.datasets[name]
        else:
            content = kaggle.competition_zip.read_bytes() if kaggle.competition_zip else b""
        self._answer("GET", lambda: content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _is_known(self) -> bool:
        kaggle, (style, _, secret) = (
            self.server.kaggle,
            (self.headers["Authorization"] or "").partition(" "),
        )
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

    def _never_answer(self, failure: Reset | Stall) -> None:
        if isinstance(failure, Stall):
            self.server.closing.wait()
        else:
            # Closing with no time to linger sends a reset instead of an orderly end.
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.close_connection = True


class _Methods:
    """The API: each method takes the request's body and returns the answer's.

    A str is an address to go on to, a Status an error.
    """

    def __init__(self, kaggle: Kaggle) -> None:
        self._kaggle = kaggle

    def security_IntrospectToken(self, body: dict[str, Any]) -> Any:
        if body.get("token") in self._kaggle.tokens:
            return {"active": True, "username": USERNAME, "userId": 1}
        return {"active": False}

    def competitions_ListDataFiles(self, body: dict[str, Any]) -> Any:
        return self._of_competition(
            body,
            {"files": [{"name": name, "totalBytes": n} for name, n in self._kaggle.files.items()]},
        )

    def competitions_DownloadDataFiles(self, body: dict[str, Any]) -> Any:
        return self._of_competition(body, f"{STORAGE}/{COMPETITION}.zip?Signature={SIGNATURE}")

    def datasets_DownloadDataset(self, body: dict[str, Any]) -> Any:
        slug = f"{body['ownerSlug']}/{body['datasetSlug']}"
        if slug not in self._kaggle.datasets:
            return Status(403, "Permission 'datasets.get' was denied")
        return f"{STORAGE}/{slug}?Signature={SIGNATURE}"

    def competitions_StartSubmissionUpload(self, body: dict[str, Any]) -> Any:
        token = f"upload-{len(self._kaggle.uploads)}"
        address = f"{STORAGE}/uploads/{token}?Signature={SIGNATURE}"
        return self._of_competition(body, {"token": token, "createUrl": address})

    def competitions_CreateSubmission(self, body: dict[str, Any]) -> Any:
        kaggle = self._kaggle
        if body["blobFileTokens"] not in kaggle.uploads:
            return Status(400, "The file was not uploaded")
        if kaggle.allowed == 0:
            return Status(400, "Your team has used its submissions of today")
        if not kaggle.gives_ref:
            return {"message": "Could not submit to competition"}
        ref = 1001 + len(kaggle.submissions)
        kaggle.submissions.append(
            {"ref": ref, "description": body.get("submissionDescription", ""), "polls": 0}
        )
        kaggle.allowed = 9 if kaggle.allowed is None else kaggle.allowed - 1
        return {"message": "Successfully submitted to Digit Recognizer", "ref": ref}

    def competitions_ListSubmissions(self, body: dict[str, Any]) -> Any:
        start = 20 * (body.get("page", 1) - 1)  # pages of 20, whatever size is asked for
        newest_first = self._kaggle.submissions[::-1][start : start + 20]
        return self._of_competition(
            body, {"submissions": [self._told(submission) for submission in newest_first]}
        )

    def competitions_GetSubmission(self, body: dict[str, Any]) -> Any:
        for submission in self._kaggle.submissions:
            if submission["ref"] == body.get("ref"):
                submission["polls"] += 1
                return self._told(submission)
        return Status(404, "There is no such submission")

    def competitions_GetSubmissionLimits(self, body: dict[str, Any]) -> Any:
        if self._kaggle.allowed is None:
            return {}
        count = len(self._kaggle.submissions)
        limits = {"numToday": count, "numTotal": count, "numAllowedNow": self._kaggle.allowed}
        return self._of_competition(
            body, limits | {"limitedByTotal": self._kaggle.limited_by_total}
        )

    def _told(self, submission: dict[str, Any]) -> dict[str, Any]:
        told = {
            "ref": submission["ref"],
            "description": submission["description"],
            "date": "2026-01-02T03:04:05.670Z",
            "fileName": "submission.csv",
            "submittedBy": USERNAME,
        }
        if submission["polls"] < self._kaggle.polls:
            return told  # PENDING is the default, and defaults are left out
        if self._kaggle.error:
            return told | {"status": "ERROR", "errorDescription": self._kaggle.error}
        return told | {"status": "COMPLETE", "publicScore": self._kaggle.public_score}

    @staticmethod
    def _of_competition(body: dict[str, Any], answer: Any) -> Any:
        if body.get("competitionName") != COMPETITION:
            return Status(404, "There is no such competition")
        return answer
