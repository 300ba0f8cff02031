"""What Kaggle's trouble looks like: answers as they travel, and what people are told of them."""

import json
from typing import Any

from tests.kaggle_api import Raw

EVIL = "http://evil.test/elsewhere"
XML = b"<?xml version='1.0'?><Error><Code>ExpiredToken</Code></Error>"
HTML = b"<!doctype html><title>Log in to the network</title>" * 20
AFTER_REFUSAL = ("ERROR",)

REFUSED = "Error: Kaggle refuses the request"
FAULTY = "Error: Kaggle itself has a fault"
STORAGE = r"Error: The storage of Kaggle \(storage\.kaggle\.test\) does not take the request"
UNREADABLE = "Error: Kaggle's answer can't be understood"
CREDENTIALS = r"Error: Kaggle does not accept the credentials in \$KAGGLE_API_TOKEN"
TOO_LONG = "Error: The connection to Kaggle.* failed .*: it took too long"
BROKEN = "Error: The connection to Kaggle.* failed .*: it broke off"
NO_SUCH = "Error: Kaggle has no such thing as"
SLOWER = "Error: Too many requests: Kaggle asks to slow down"
ELSEWHERE = r"Error: Kaggle's answer .* to another place \(evil\.test\)"
ARRIVED = "Error: Submission 1001 has arrived, but its score is not known"
NOT_LISTED = "The submission is not in Kaggle's list"

BY_STATUS = {
    400: REFUSED,
    401: CREDENTIALS,
    402: REFUSED,
    403: "Error: Kaggle refuses access to the competition",
    404: NO_SUCH,
    405: REFUSED,
    407: REFUSED,
    409: REFUSED,
    410: REFUSED,
    413: REFUSED,
    418: REFUSED,
    422: REFUSED,
    451: REFUSED,
}
PASSING = {408: FAULTY, 429: SLOWER, 500: FAULTY, 502: FAULTY, 503: FAULTY, 504: FAULTY}


def http(status: str, body: bytes = b"", **headers: str) -> bytes:
    """An answer as it travels; a header's value of "" leaves it out."""
    lines = {"Content-Type": "application/json", "Content-Length": str(len(body))}
    lines |= {name.replace("_", "-"): value for name, value in headers.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items() if value)
    return f"HTTP/1.1 {status}\r\n{head}\r\n".encode() + body


def of_json(value: Any) -> Raw:
    return Raw(http("200 OK", json.dumps(value).encode()))


def redirect(code: int, to: str = EVIL) -> Raw:
    return Raw(http(f"{code} Moved", b"", Location=to))
