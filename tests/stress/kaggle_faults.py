"""What Kaggle's trouble looks like: answers as they travel, and what people are told of them."""

import json
from typing import Any

from tests.kaggle_api import Failure, Raw
from tests.stress.kaggle_case import Case, Command

EVIL = "http://evil.test/elsewhere"
SIGNED = "Signature=planted-signature-0123456789"
XML = b"<?xml version='1.0'?><Error><Code>ExpiredToken</Code></Error>"
HTML = b"<!doctype html><title>Log in to the network</title>" * 20
CONTROL = f"\x1b[31mred\x1b]0;title\x07 \u202egnp.exe\r\nError: fake [bold]line[/bold] {'y' * 290}"

# ---- what people are told -----------------------------------------------------------------------

REFUSED = "Error: Kaggle refuses the request"
FAULTY = "Error: Kaggle itself has a fault"
STORAGE = r"Error: The storage of Kaggle \(storage\.kaggle\.test\) does not take the request"
UNREADABLE = "Error: Kaggle's answer can't be understood"
CREDENTIALS = r"Error: Kaggle does not accept the credentials in \$KAGGLE_API_TOKEN"
TOO_LONG = "Error: The connection to Kaggle.* failed .*: it took too long"
BROKEN = "Error: The connection to Kaggle.* failed .*: it broke off"
PROXY = "Error: The connection to Kaggle .*the proxy can't be reached"
RULES = r"Error: The rules of the competition .* are not accepted yet.*\n.*digit-recognizer/rules"
NO_SUCH = "Error: Kaggle has no such thing as"
SLOWER = "Error: Too many requests: Kaggle asks to slow down"
ELSEWHERE = r"Error: Kaggle's answer leads to another place \(evil\.test\)"
ARRIVED = "Error: Submission 1001 has arrived, but its score is not known"
NO_SCORE = "Error: Submission 1001 has arrived, but has no score after 2 s"
NOT_LISTED = "Error: .*Whether the submission of .* UTC has arrived is not known yet"
UNKNOWN = "Whether it was done all the same is not known"
NOT_UNPACKED = "Error: The download cannot be unpacked"
DOWNLOADED, SUBMITTED, PUSHED = "download: 42,000", "submit: ", "push: "

BY_STATUS = dict.fromkeys((400, 402, 405, 407, 409, 410, 413, 418, 422, 451), REFUSED)
BY_STATUS |= {401: CREDENTIALS, 403: RULES, 404: NO_SUCH}
PASSING = {408: FAULTY, 429: SLOWER, 500: FAULTY, 502: FAULTY, 503: FAULTY, 504: FAULTY}

# ---- what is answered ---------------------------------------------------------------------------


def http(status: str, body: bytes = b"", **headers: str) -> bytes:
    """An answer as it travels; a header's value of "" leaves it out."""
    lines = {"Content-Type": "application/json", "Content-Length": str(len(body))}
    lines |= {name.replace("_", "-"): value for name, value in headers.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items() if value)
    return f"HTTP/1.1 {status}\r\n{head}\r\n".encode() + body


def of_json(**value: Any) -> Raw:
    return Raw(http("200 OK", json.dumps(value).encode()))


def redirect(code: int, to: str = EVIL) -> Raw:
    return Raw(http(f"{code} Moved", b"", Location=to))


def stored(body: bytes, status: str = "200 OK", **headers: str) -> bytes:
    return http(status, body, **({"Content_Type": "application/zip"} | headers))


BODY = http("200 OK", b'{"active": true, "username": "ada"}')
ZIP = stored(b"PK\x03\x04" + bytes(4_000))
SLOW_HEAD = Raw(b"HTTP/1.1 200 OK\r\nX-A: ", drip=b"x", pause_seconds=0.2)

LOGIN, DATA, FILE = "IntrospectToken", "DownloadDataFiles", "GET"
LIMITS, LIST = "GetSubmissionLimits", "ListSubmissions"
START, UPLOAD, CREATE, SCORE = "StartSubmissionUpload", "PUT", "CreateSubmission", "GetSubmission"
PUSH = "SaveKernel"

# What goes wrong, the answer, what is said, and how often the request is made in all (-1: any).
Rows = dict[str, tuple[Failure, str, int]]


def rows_of(command: Command, at: str, rows: Rows, **expected: Any) -> list[Case]:
    """A case for each row; a row's name tells if the trouble passes: after once, or twice."""
    cases = []
    for fault, (failure, says, asked) in rows.items():
        times = 1 if ", once" in fault else 2 if ", twice" in fault else 1_000
        passes = {"exit_code": 0} if says in (DOWNLOADED, SUBMITTED, PUSHED) else {}
        fields = {"times": times, **passes, **expected}
        requests = {**fields.pop("requests", {}), **({at: asked} if asked >= 0 else {})}
        cases.append(
            Case(f"{at}: {fault}", command, at, failure, says, requests=requests, **fields)
        )
    return cases
