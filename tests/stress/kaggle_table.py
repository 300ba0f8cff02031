"""Kaggle's failures: what is answered in a request's place, and all that is to come of it."""

import email.utils
import functools
import json
import time
from typing import Any

from tests.kaggle_api import (
    TOKEN,
    Answer,
    Failure,
    Raw,
    Reset,
    Stall,
    Status,
    Truncated,
    corrupt,
    zip_bytes,
)
from tests.stress.kaggle_case import Case, Command
from tests.stress.zips import HOSTILE

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
RULES = r"Error: Kaggle does not let this account use the competition.*\n.*digit-recognizer/rules"
NO_SUCH = "Error: Kaggle has no such thing as"
SLOWER = "Error: Too many requests: Kaggle asks to slow down"
ELSEWHERE = r"Error: Kaggle's answer leads to another place \(evil\.test\)"
ARRIVED = "Error: Submission 1001 has arrived, but its score is not known"
NO_SCORE = "Error: Submission 1001 has arrived, but has no score after 2 s"
NOT_LISTED = "Error: .*The submission is not in Kaggle's list"
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


@functools.cache  # the hostile zips in it take a while to make
def all_cases() -> list[Case]:
    """Every case, in the order of the table."""
    parts = (_logins, _downloads, _redirects, _pauses, _nobody, _files, _questions, _uploads)
    return [case for part in (*parts, _submissions, _scores, _pushes) for case in part()]


def _rows(command: Command, at: str, rows: Rows, **expected: Any) -> list[Case]:
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


def _logins() -> list[Case]:
    rows: Rows = {str(code): (Status(code, "No"), CREDENTIALS, 1) for code in (400, 401, 403, 404)}
    rows |= {
        "a page of HTML": (Answer(HTML, "text/html"), CREDENTIALS, 1),
        "HTML that claims to be JSON": (Answer(HTML), UNREADABLE, 1),
        "nothing": (Answer(b""), UNREADABLE, 1),
        "half of the JSON": (Answer(b'{"active": true, "user'), UNREADABLE, 1),
        "null": (Answer(b"null"), UNREADABLE, 1),
        "a list": (Answer(b"[1, 2]"), UNREADABLE, 1),
        "a token that is not active": (of_json(active=False), CREDENTIALS, 1),
        "204, no content": (Raw(http("204 No Content", Content_Length="")), UNREADABLE, 1),
        "bytes that are no text": (Answer(b"\xff\xfe\x00\x80" * 9), UNREADABLE, 1),
        "JSON 100,000 levels deep": (Answer(b"[" * 100_000), UNREADABLE, 1),
        "an answer without end": (
            Raw(http("200 OK", b'{"active": "', Content_Length=""), drip=b"x" * 65536),
            UNREADABLE,
            1,
        ),
        "a reset before an answer": (Reset(), BROKEN, 3),
        "a reset in the middle": (Raw(BODY[:-9], then="reset"), BROKEN, 3),
        "a stall before an answer": (Stall(), TOO_LONG, 3),
        "a stall in the middle": (Raw(BODY[:-9], then="stall"), TOO_LONG, 3),
        "cut short": (Raw(BODY[:-9]), BROKEN, 3),
        "a header a byte at a time": (SLOW_HEAD, TOO_LONG, 3),
        "a body a byte at a time": (
            Raw(http("200 OK", b"{", Content_Length="9999"), drip=b" ", pause_seconds=0.2),
            TOO_LONG,
            3,
        ),
        "a body of unknown length a byte at a time": (
            Raw(http("200 OK", b"{", Content_Length=""), drip=b" ", pause_seconds=0.2),
            TOO_LONG,
            3,
        ),
        "no HTTP": (Raw(b"SSH-2.0-OpenSSH_9.2\r\n"), BROKEN, 3),
        "a header without end": (Raw(b"HTTP/1.1 200 OK\r\n", drip=b"X-A: b\r\n"), BROKEN, 3),
        **{f"{code} to another host": (redirect(code), ELSEWHERE, 1) for code in (307, 308)},
        **{
            f"{code} to another host": (redirect(code), f"{UNREADABLE}|{CREDENTIALS}", 1)
            for code in (301, 302, 303)
        },
    }
    passing: Rows = {
        f"{code} with a page of HTML, twice": (Status(code), DOWNLOADED, 3)
        for code in (429, 500, 503)
    }
    return [
        *_rows("download", LOGIN, rows, requests={DATA: 0}),
        *_rows("download", LOGIN, passing, requests={FILE: 1}),
    ]


def _downloads() -> list[Case]:
    no_body = Raw(http("503 Later"))  # and yet it claims to be JSON
    rows: Rows = {
        str(code): (Status(code, "No, says Kaggle"), says, 3 if code in PASSING else 1)
        for code, says in (BY_STATUS | PASSING).items()
    }
    rows |= {
        "403 that names the rules": (Status(403, "Accept the rules"), RULES, 1),
        "403 without a word": (Status(403), RULES, 1),
        "429 as Kaggle nests it": (Status(429, "Quota", nested=True), f'{SLOWER}.*"Quota"', 3),
        "503 without the JSON that it claims to be": (no_body, FAULTY, 3),
        "a page of HTML": (Answer(HTML, "text/html"), "Error: The download is a web page", 3),
        "a header a byte at a time": (SLOW_HEAD, TOO_LONG, 3),
        "a body a byte at a time": (
            Raw(http("200 OK", b"{", Content_Length="9999"), drip=b" ", pause_seconds=0.2),
            TOO_LONG,
            3,
        ),
        "control characters, a token and no end": (
            Status(400, CONTROL[:285] + TOKEN + CONTROL + "z" * 10_000),
            REFUSED,
            1,
        ),
    }
    passing: Rows = {"a reset, once": (Reset(), DOWNLOADED, 2)}
    return [
        *_rows("download", DATA, rows, requests={LOGIN: 1}),
        *_rows("download", DATA, passing, requests={LOGIN: 1}),
    ]


def _redirects() -> list[Case]:
    host = r"Error: The connection to Kaggle \(storage\.invalid\) failed .* can't be found"
    here = "http://localhost/api/v1/competitions.CompetitionApiService/DownloadDataFiles"
    rows: Rows = {
        "307 round in a circle": (redirect(307, here), "Error: Kaggle's answer leads to", 1),
        "302 to a file of this machine": (redirect(302, "file:///etc/passwd"), UNREADABLE, 1),
        "302 to an address with a password in it": (
            redirect(302, "http://user:planted-signature-0123456789@evil.test:99999999/"),
            f"{UNREADABLE}|Error: The connection",
            1,
        ),
        "302 to a host that does not exist": (
            redirect(302, f"https://storage.invalid/x.zip?{SIGNED}"),
            host,
            3,
        ),
        "302 to a port that does not speak TLS": (
            redirect(302, "https://127.0.0.1:PORT/x.zip"),
            "Error: The connection to Kaggle .*TLS",
            1,
        ),
    }
    passing: Rows = {
        "302 to another host, as to the storage": (
            redirect(302, "http://evil.test/digit-recognizer.zip"),
            DOWNLOADED,
            1,
        )
    }
    return [
        *_rows("download", DATA, rows, requests={FILE: 0}),
        *_rows("download", DATA, passing, requests={FILE: 1}),
    ]


def _pauses() -> list[Case]:
    later = email.utils.formatdate(time.time() + 10**6, usegmt=True)
    waits = {
        "1": (3, "Wait 1 second"),
        "0": (3, "Wait"),
        "-5": (3, "Wait"),
        "77": (1, "Wait 77 seconds"),
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
    rows: Rows = {
        f"429 with Retry-After {value[:45]}": (
            Status(429, "Quota", retry_after=value),
            f"{SLOWER}.*\n{says}",
            asked,
        )
        for value, (asked, says) in waits.items()
    }
    day: Rows = {"503 with Retry-After of a day": (Status(503, retry_after="86400"), STORAGE, 1)}
    return [*_rows("download", DATA, rows), *_rows("download", FILE, day)]


def _nobody() -> list[Case]:
    password = "planted-proxy-password-0123456789"
    refusing = {"http_proxy": f"http://someone:{password}@127.0.0.1:9"}
    unknown = {"http_proxy": f"http://someone:{password}@proxy.invalid:80"}
    return [
        Case("a proxy that refuses connections", "download", "", None, PROXY, variables=refusing),
        Case("a proxy whose name is unknown", "submit", "", None, PROXY, variables=unknown),
        # A key is not checked at login: the push would be the first that goes out.
        Case(
            "a proxy that refuses connections, with a key",
            "push",
            "",
            None,
            "Error: The connection to Kaggle .*failed while pushing .*the proxy can't be reached",
            variables={
                **refusing,
                "KAGGLE_API_TOKEN": "",
                "KAGGLE_USERNAME": "ada",
                "KAGGLE_KEY": "planted-key-0123456789",
            },
        ),
    ]


def _files() -> list[Case]:
    xml = http("403 Forbidden", XML, Content_Type="application/xml")
    of_nothing = Raw(http("204 None", Content_Length=""))
    rows: Rows = {
        "a signed address that stays expired (403, XML)": (Raw(xml), STORAGE, 3),
        "404": (Raw(http("404 Not Found", XML)), STORAGE, 1),
        "410": (Raw(http("410 Gone", XML)), STORAGE, 1),
        "429": (Raw(http("429 Slow", XML)), STORAGE, 3),
        "502": (Status(502), STORAGE, 3),
        "503": (Raw(http("503 Later", XML)), STORAGE, 3),
        "206 that nobody asked for": (
            Raw(stored(b"part", "206 Partial")),
            "Error: The download is not a zip",
            3,
        ),
        "204, no content": (of_nothing, UNREADABLE, 1),
        "nothing": (Answer(b"", "application/zip"), "Error: The download is empty", 3),
        "a page of HTML": (Answer(HTML, "text/html"), "Error: The download is a web page", 3),
        "a reset": (Reset(), BROKEN, 3),
        "a reset in the middle": (Raw(ZIP[:-99], then="reset"), BROKEN, 3),
        "a stall": (Stall(), TOO_LONG, 3),
        "a stall in the middle": (Raw(ZIP[:-99], then="stall"), TOO_LONG, 3),
        "half of it, its length announced": (Truncated(announced=True), BROKEN, 3),
        "half of it, no length announced": (Truncated(announced=False), NOT_UNPACKED, 3),
        "more than was announced": (
            Raw(stored(b"PK\x03\x04" + bytes(4_000), Content_Length="99")),
            NOT_UNPACKED,
            3,
        ),
        "a length that is a text": (Raw(stored(b"PK", Content_Length="plenty")), NOT_UNPACKED, 3),
        "a length below zero": (Raw(stored(b"PK", Content_Length="-5")), "Error: The ", 3),
        "a length of a petabyte": (Raw(stored(b"PK", Content_Length=str(10**15))), BROKEN, 3),
        "a date that is none": (Raw(stored(b"PK", Last_Modified="yesterday")), NOT_UNPACKED, 3),
        "a byte at a time": (
            Raw(stored(b"PK", Content_Length="99999"), drip=b"x", pause_seconds=0.2),
            TOO_LONG,
            3,
        ),
        "gzip that is none": (Raw(stored(b"PK" * 99, Content_Encoding="gzip")), UNREADABLE, 1),
        "a member that is damaged": (
            Answer(corrupt(zip_bytes()), "application/zip"),
            NOT_UNPACKED,
            3,
        ),
    }
    other = Raw(stored(b"part", "206 Partial", ETag='"two"'))
    passing: Rows = {
        "a signed address that expired, once": (Raw(http("403 Forbidden", XML)), DOWNLOADED, 2),
        "half of it, twice, and then with another ETag": (Truncated(True), DOWNLOADED, 3),
        "206 of something else, twice": (other, DOWNLOADED, 3),
    }
    in_csv = "Error: https://www.kaggle.com/competitions/digit-recognizer: train.csv, line 1"
    zips: Rows = {
        f"a zip with {what}" if what[0] != "z" else "a zip in the zip": (
            Answer(make(), "application/zip"),
            # Its names lead nowhere; what is in these CSV files is no digits.
            f"Error: The (download|zip that Kaggle sent)|{in_csv}",
            1 if what.startswith("member named") else -1,
        )
        for what, make in HOSTILE.items()
    }
    return [*_rows("download", FILE, rows | passing), *_rows("download", FILE, zips)]


def _questions() -> list[Case]:
    """What is asked before anything is sent."""
    nothing_sent = {START: 0, CREATE: 0}
    no_more = f"{UNREADABLE}|Error: Kaggle takes no more"
    lists: Rows = {
        "403": (Status(403, "No"), RULES, 1),
        "null": (of_json(submissions=None), UNREADABLE, 1),
        "submissions that are numbers": (of_json(submissions=[1, 2]), UNREADABLE, 1),
        "a submission without anything": (
            of_json(submissions=[{"description": None, "ref": None}]),
            UNREADABLE,
            1,
        ),
    }
    limits: Rows = {
        "404": (Status(404, "No"), NO_SUCH, 1),
        "texts": (of_json(numToday="many", numAllowedNow="none"), no_more, 1),
        "null": (of_json(numToday=None, numTotal=None, numAllowedNow=None), no_more, 1),
        **{str(code): (Status(code, "No"), BY_STATUS[code], 1) for code in (401, 403)},
        "a stall": (Stall(), TOO_LONG, 3),
    }
    used_up = {"allowed": 0, "submissions": [{"ref": 5, "description": "", "polls": 9}]}
    return [
        *_rows("submit", LIST, lists, requests=nothing_sent),
        *_rows("submit", LIMITS, limits, requests=nothing_sent),
        Case(
            "no submissions left today",
            "submit",
            LIMITS,
            None,
            "Error: Kaggle takes no more submissions today",
            requests=nothing_sent,
            kaggle=used_up,
            sent=2,
        ),
    ]


def _uploads() -> list[Case]:
    sent_once = {"ledger": ("COMPLETE",), "requests": {CREATE: 1}}
    never_sent = {"ledger": ("ERROR",), "requests": {CREATE: 0}}
    after_reset = Reset(after_work=True)
    return [
        *_rows("submit", LIST, {"502, once": (Status(502), SUBMITTED, 2)}, **sent_once),
        *_rows("submit", LIMITS, {"504, once": (Status(504), SUBMITTED, 2)}, **sent_once),
        *_rows(
            "submit",
            START,
            {
                "503, once": (Status(503, "Later"), SUBMITTED, 2),
                "a reset, once": (Reset(), SUBMITTED, 2),
            },
            **sent_once,
        ),
        *_rows(
            "submit",
            START,
            {
                "400": (Status(400, "No"), REFUSED, 1),
                "403": (Status(403, "No"), RULES, 1),
                "an address of a file": (
                    of_json(token="t", createUrl="file:///etc/passwd"),
                    UNREADABLE,
                    1,
                ),
                "no address": (of_json(), UNREADABLE, 1),
            },
            **never_sent,
        ),
        *_rows(
            "submit",
            UPLOAD,
            {
                "a signed address that expired (403, XML), once": (
                    Raw(http("403 Forbidden", XML)),
                    SUBMITTED,
                    2,
                ),
                "503, once": (Status(503), SUBMITTED, 2),
                "a reset, once": (Reset(), SUBMITTED, 2),
                "a reset after the bytes have arrived, once": (after_reset, SUBMITTED, 2),
                "a stall, once": (Stall(), SUBMITTED, 2),
                "a header a byte at a time, once": (SLOW_HEAD, SUBMITTED, 2),
            },
            **sent_once,
        ),
        *_rows(
            "submit",
            UPLOAD,
            {
                "400": (Status(400), STORAGE, 1),
                "413": (Raw(http("413 Large", XML)), STORAGE, 1),
                "500": (Raw(http("500 Oops", XML)), STORAGE, 3),
                "a reset": (Reset(), BROKEN, 3),
                "a stall": (Stall(), TOO_LONG, 3),
            },
            **never_sent,
        ),
    ]


def _submissions() -> list[Case]:
    refused: Rows = {
        str(code): (Status(code, "No"), (BY_STATUS | PASSING)[code], 1)
        for code in (400, 401, 403, 404, 409, 413, 422, 429)
    }
    unclear: Rows = {
        "408": (Status(408, "Slow"), NOT_LISTED, 1),
        "500": (Status(500, "Oops"), NOT_LISTED, 1),
        "503 with HTML": (Status(503), NOT_LISTED, 1),
        "a reset, nothing done": (Reset(), NOT_LISTED, 1),
        "HTML": (Answer(HTML, "text/html"), NOT_LISTED, 1),
        "a number that is a text": (of_json(message="ok", ref="abc"), NOT_LISTED, 1),
        "a number that is null": (of_json(message=None, ref=None), NOT_LISTED, 1),
        "no number, as after a failed upload": (
            of_json(message="Could not submit to competition"),
            f'{NOT_LISTED[:9]}gave .*"Could not submit',
            1,
        ),
        **{f"{code} to another host": (redirect(code), "Error: ", 1) for code in (302, 307)},
    }
    made = "but the submission is made"
    lost: Rows = {
        f"a reset, {made}": (Reset(after_work=True), SUBMITTED, 1),
        f"a stall, {made}": (Stall(after_work=True), SUBMITTED, 1),
        **{
            f"{status[:3]}, {made}": (Raw(http(status), after_work=True), SUBMITTED, 1)
            for status in ("500 Oops", "504 Gateway")
        },
        **{
            f"{body.decode()}, {made}": (Raw(http("200 OK", body), after_work=True), SUBMITTED, 1)
            for body in (b'{"ref": 10', b"{}")
        },
        f"307 elsewhere, {made}": (
            Raw(http("307 Moved", Location=EVIL), after_work=True),
            SUBMITTED,
            1,
        ),
    }
    return [
        *_rows("submit", CREATE, refused, ledger=("ERROR",)),
        *_rows("submit", CREATE, unclear, ledger=("SENDING",)),
        *_rows("submit", CREATE, lost, ledger=("COMPLETE",)),
    ]


def _scores() -> list[Case]:
    def scored(**value: Any) -> Raw:
        return of_json(**{"ref": 1001, "status": "COMPLETE", "publicScore": "0.1"} | value)

    says: dict[str, dict[str, object]] = {
        "a score that never comes": {"polls": 10**9},
        "a score that is no number": {"public_score": "n/a"},
        "a score of NaN": {"public_score": "NaN"},
        "a score of infinity": {"public_score": "inf"},
        "a score of 1e9": {"public_score": "1e9"},
        "a score below zero": {"public_score": "-0.5"},
    }
    cases = [
        Case(
            what,
            "submit",
            SCORE,
            None,
            NO_SCORE,
            ledger=("PENDING",) if "polls" in kaggle else ("COMPLETE",),
            requests={CREATE: 1},
            kaggle=kaggle,
        )
        for what, kaggle in says.items()
    ]
    cases += [
        Case(
            f"no score, and {what}",
            "submit",
            SCORE,
            None,
            f"Error: Kaggle could not score submission 1001: {told}",
            ledger=("ERROR",),
            kaggle={"error": error},
        )
        for what, error, told in (
            ("a reason", "Submission must have 28000 rows", 'it says "Submission must have 28'),
            ("a reason of blanks", " ", "it gives no reason"),
            (
                "a reason with control characters",
                f"Bad \x1b[31mrow\x1b[0m {TOKEN} " + "x" * 5_000,
                'it says "Bad',
            ),
        )
    ]
    rows: Rows = {
        "404": (Status(404, "Gone"), ARRIVED, 1),
        "500": (Status(500, "Oops"), ARRIVED, 3),
        "429": (Status(429, "Slow"), ARRIVED, 3),
        "a stall": (Stall(), ARRIVED, 3),
        "an empty object": (of_json(), ARRIVED, 1),
        "another submission": (scored(ref=7), ARRIVED, 1),
        "a number that is a text": (scored(ref="1001"), ARRIVED, 1),
        "a status nobody knows": (scored(status="EATEN"), ARRIVED, 1),
        "a list for a score": (scored(publicScore=[1]), ARRIVED, 1),
    }
    # What Kaggle told clearly is kept, though something else of it cannot be used.
    no_score: Rows = {"null for a score": (scored(publicScore=None), NO_SCORE, -1)}
    no_reason: Rows = {
        "null for a reason": (
            scored(status="ERROR", errorDescription=None),
            "Error: Kaggle could not score",
            1,
        )
    }
    passing: Rows = {"503, twice": (Status(503), SUBMITTED, 3)}
    return [
        *cases,
        *_rows("submit", SCORE, rows, ledger=("PENDING",), requests={CREATE: 1}),
        *_rows("submit", SCORE, no_score, ledger=("COMPLETE",), requests={CREATE: 1}),
        *_rows("submit", SCORE, no_reason, ledger=("ERROR",), requests={CREATE: 1}),
        *_rows("submit", SCORE, passing, ledger=("COMPLETE",)),
    ]


def _pushes() -> list[Case]:
    gateway = Raw(http("504 Gateway"), after_work=True)
    rows: Rows = {
        "400": (Status(400, "No"), REFUSED, 1),
        "401": (Status(401, "No"), CREDENTIALS, 1),
        "403": (Status(403, "No"), "Error: Kaggle does not let this account save", 1),
        "404": (Status(404, "No"), f"{NO_SUCH} the notebook", 1),
        "409": (Status(409, f"Slug {TOKEN} in use"), f'{REFUSED}.*"Slug \\*\\*\\* in use"', 1),
        "413": (Status(413, "No"), REFUSED, 1),
        "429": (Status(429, "No"), SLOWER, 3),
        "500": (Status(500, "No"), f"{FAULTY}.*{UNKNOWN}", 1),
        "503 with HTML": (Status(503), f"{FAULTY}.*{UNKNOWN}", 1),
        "504 after it was done": (gateway, f"{FAULTY}.*{UNKNOWN}", 1),
        "a reset": (Reset(), f"{BROKEN}.*{UNKNOWN}", 1),
        "a reset after it was done": (Reset(after_work=True), f"{BROKEN}.*{UNKNOWN}", 1),
        "a stall after it was done": (Stall(after_work=True), f"{TOO_LONG}.*{UNKNOWN}", 1),
        "HTML for an answer": (Answer(HTML, "text/html"), f"{UNREADABLE}.*{UNKNOWN}", 1),
        "an error with control characters": (
            of_json(error=f"\x1b[2J\x07 bad {TOKEN}" + "x" * 5_000),
            "Error: Kaggle does not take the notebook",
            1,
        ),
        "an error that is a number": (of_json(error=7), "Error: ", 1),
        "an empty object": (of_json(), "Error: Kaggle gave the notebook no version number", 1),
        "a version that is a text": (
            of_json(url=None, versionNumber="new"),
            "Error: .*not known",
            1,
        ),
        "307 to another host": (redirect(307), f"{ELSEWHERE}.*{UNKNOWN}", 1),
    }
    passing: Rows = {"429 as Kaggle nests it, twice": (Status(429, "No", nested=True), PUSHED, 3)}
    strange: Rows = {
        "an account that is named ../../elsewhere": (
            of_json(active=True, username="../../elsewhere\x1b[31m"),
            'Error: Kaggle names the account "../../else',
            1,
        )
    }
    return [
        *_rows("push", PUSH, rows | passing),
        *_rows("push", LOGIN, strange, requests={PUSH: 0}),
    ]
