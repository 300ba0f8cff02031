"""Answers of Kaggle's that are none: while a command logs in, or asks for the data."""

import email.utils
import time
from typing import Any

from tests.kaggle_api import TOKEN, Answer, Failure, Raw, Reset, Stall, Status
from tests.stress.kaggle_case import Case
from tests.stress.kaggle_faults import (
    BROKEN,
    BY_STATUS,
    CREDENTIALS,
    ELSEWHERE,
    HTML,
    PASSING,
    REFUSED,
    SLOWER,
    STORAGE,
    TOO_LONG,
    UNREADABLE,
    http,
    of_json,
    redirect,
)


def answers() -> list[Case]:
    """Each case, with all that is to come of it."""
    return [
        *_statuses(),
        *_bodies(),
        *_connections(),
        *_redirects(),
        *_pauses(),
        *_nobody(),
    ]


def _statuses() -> list[Case]:
    cases = []
    for code, says in (BY_STATUS | PASSING).items():
        asked = 3 if code in PASSING else 1
        failure = Status(code, "No, says Kaggle")
        cases.append(
            Case(
                f"{code} when the data are asked for",
                "download",
                "DownloadDataFiles",
                failure,
                says,
                requests={"DownloadDataFiles": asked, "GET": 0},
            )
        )
    for code in (400, 403, 404, 401):
        cases.append(
            Case(
                f"{code} at login",
                "download",
                "IntrospectToken",
                Status(code, "No"),
                CREDENTIALS,
                requests={"IntrospectToken": 1, "DownloadDataFiles": 0},
            )
        )
    for code in (429, 500, 503):
        cases.append(
            Case(
                f"{code} with a page of HTML at login, twice",
                "download",
                "IntrospectToken",
                Status(code),
                "download: 42,000",
                times=2,
                exit_code=0,
                requests={"IntrospectToken": 3, "GET": 1},
            )
        )
    return cases


def _bodies() -> list[Case]:
    bodies: dict[str, Failure] = {
        "a page of HTML": Answer(HTML, "text/html"),
        "HTML that claims to be JSON": Answer(HTML),
        "nothing": Answer(b""),
        "half of the JSON": Answer(b'{"active": true, "user'),
        "null": Answer(b"null"),
        "a list": Answer(b"[1, 2]"),
        "204, no content": Raw(http("204 No Content", Content_Length="")),
        "bytes that are no text": Answer(b"\xff\xfe\x00\x80" * 9),
        "JSON 100,000 levels deep": Answer(b"[" * 100_000),
        "an answer without end": Raw(
            http("200 OK", b'{"active": "', Content_Length=""), drip=b"x" * 65536
        ),
    }
    cases = [
        Case(
            f"{what} for an answer at login",
            "download",
            "IntrospectToken",
            failure,
            f"{UNREADABLE}|{CREDENTIALS}|{TOO_LONG}|Error: The connection",
            requests={"GET": 0},
        )
        for what, failure in bodies.items()
    ]
    for what, value in {
        "limits that are texts": {"numToday": "many", "numAllowedNow": "none"},
        "limits that are null": {"numToday": None, "numTotal": None, "numAllowedNow": None},
    }.items():
        cases.append(
            Case(
                what,
                "submit",
                "GetSubmissionLimits",
                of_json(value),
                f"{UNREADABLE}|Kaggle takes no more",
                requests={"CreateSubmission": 0},
            )
        )
    lists: dict[str, dict[str, Any]] = {
        "a list of submissions that is null": {"submissions": None},
        "submissions that are numbers": {"submissions": [1, 2]},
        "a submission without anything": {"submissions": [{"description": None, "ref": None}]},
    }
    for what, value in lists.items():
        cases.append(
            Case(
                what,
                "submit",
                "ListSubmissions",
                of_json(value),
                UNREADABLE,
            )
        )
    said = "\x1b[31mred\x1b]0;title\x07 \u202egnp.exe\r\nError: fake [bold]line[/bold] " + "y" * 290
    said = said[:285] + TOKEN + said
    cases.append(
        Case(
            "an answer with control characters, a token and no end",
            "download",
            "DownloadDataFiles",
            Status(400, said + "z" * 10_000),
            REFUSED,
            requests={"DownloadDataFiles": 1},
        )
    )
    return cases


def _connections() -> list[Case]:
    body = b'{"active": true, "username": "ada"}'
    faults: dict[str, tuple[Failure, str]] = {
        "reset before an answer": (Reset(), BROKEN),
        "reset in the middle": (Raw(http("200 OK", body)[:-9], then="reset"), BROKEN),
        "stalled before an answer": (Stall(), TOO_LONG),
        "stalled in the middle": (Raw(http("200 OK", body)[:-9], then="stall"), TOO_LONG),
        "cut short": (Raw(http("200 OK", body)[:-9]), BROKEN),
        "a header a byte at a time": (
            Raw(b"HTTP/1.1 200 OK\r\nX-A: ", drip=b"x", pause_seconds=0.2),
            TOO_LONG,
        ),
        "a body a byte at a time": (
            Raw(http("200 OK", b"{", Content_Length="9999"), drip=b" ", pause_seconds=0.2),
            TOO_LONG,
        ),
        "no HTTP": (Raw(b"SSH-2.0-OpenSSH_9.2\r\n"), BROKEN),
        "a header without end": (Raw(b"HTTP/1.1 200 OK\r\n", drip=b"X-A: b\r\n"), BROKEN),
    }
    return [
        Case(f"{what} ({at})", "download", at, failure, says, requests={at: 3})
        for what, (failure, says) in faults.items()
        for at in ("IntrospectToken", "DownloadDataFiles")[: 2 if "a time" in what else 1]
    ]


def _redirects() -> list[Case]:
    cases = [
        Case(
            f"{code} to another host at login",
            "download",
            "IntrospectToken",
            redirect(code),
            f"{ELSEWHERE}|{UNREADABLE}|{CREDENTIALS}",
            requests={"DownloadDataFiles": 0},
        )
        for code in (301, 302, 307, 308)
    ]
    cases += [
        Case(
            f"{code} to another host when the submission is made",
            "submit",
            "CreateSubmission",
            redirect(code),
            "Error: ",
            ledger=("SENDING",),
        )
        for code in (302, 307)
    ]
    cases += [
        Case(
            "307 round in a circle",
            "download",
            "DownloadDataFiles",
            redirect(
                307, "http://localhost/api/v1/competitions.CompetitionApiService/DownloadDataFiles"
            ),
            UNREADABLE,
        ),
        Case(
            "302 to a file of this machine",
            "download",
            "DownloadDataFiles",
            redirect(302, "file:///etc/passwd"),
            UNREADABLE,
            requests={"GET": 0},
        ),
        Case(
            "302 to an address with a password in it",
            "download",
            "DownloadDataFiles",
            redirect(302, "http://user:planted-signature-0123456789@evil.test:99999999/"),
            f"{UNREADABLE}|Error: The connection",
        ),
        Case(
            "302 to a host that does not exist",
            "download",
            "DownloadDataFiles",
            redirect(302, "https://storage.invalid/x.zip?Signature=planted-signature-0123456789"),
            r"Error: The connection to Kaggle \(storage\.invalid\) failed .* can't be found",
        ),
        Case(
            "302 to another host for the data, as storage does",
            "download",
            "DownloadDataFiles",
            redirect(302, "http://evil.test/digit-recognizer.zip"),
            "download: 42,000",
            exit_code=0,
            requests={"GET": 1},
        ),
    ]
    return cases


def _pauses() -> list[Case]:
    later = email.utils.formatdate(time.time() + 10**6, usegmt=True)
    waits = {
        "1": (3, "Wait 1 second"),
        "0": (3, "Wait"),
        "-5": (3, "Wait"),
        "3600": (1, "Wait 60 minutes"),
        "9" * 40: (1, "Wait"),
        "9" * 400: (1, "Wait"),
        later: (1, "Wait 27[78] hours"),
        email.utils.formatdate(0, usegmt=True): (3, "Wait"),
        "Wed, 21 Oct 0001 07:28:00 -0000": (3, "Wait"),
        "Wed, 99 Zzz 99999 99:99:99 +9999": (3, "Wait"),
        "soon": (3, "Wait"),
        "1e999": (3, "Wait"),
    }
    return [
        Case(
            f"429 with Retry-After {value[:45]}",
            "download",
            "DownloadDataFiles",
            Status(429, "Quota", retry_after=value),
            f"{SLOWER}.*\n{says}",
            requests={"DownloadDataFiles": asked},
        )
        for value, (asked, says) in waits.items()
    ] + [
        Case(
            "503 with Retry-After of a day at the storage",
            "download",
            "GET",
            Status(503, retry_after="86400"),
            STORAGE,
            requests={"GET": 1},
        )
    ]


def _nobody() -> list[Case]:
    refused = {"http_proxy": "http://someone:planted-proxy-password-0123456789@127.0.0.1:9"}
    unknown = {"http_proxy": "http://someone:planted-proxy-password-0123456789@proxy.invalid:80"}
    return [
        Case(
            "a proxy that refuses connections",
            "download",
            "",
            None,
            "Error: The connection to Kaggle .*the proxy can't be reached",
            variables=refused,
        ),
        Case(
            "a proxy whose name is unknown",
            "submit",
            "",
            None,
            "Error: The connection to Kaggle .*the proxy can't be reached",
            variables=unknown,
        ),
        Case(
            "TLS to a port that does not speak it",
            "download",
            "DownloadDataFiles",
            redirect(302, "https://127.0.0.1:PORT/x.zip"),
            "Error: The connection to Kaggle .*TLS",
        ),
    ]
