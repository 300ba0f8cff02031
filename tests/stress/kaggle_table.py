"""The table of Kaggle's failures: each, what is answered, and all that is to come of it."""

import email.utils
import functools
import time

from tests.kaggle_api import (
    TOKEN,
    Answer,
    Raw,
    Reset,
    Stall,
    Status,
    Truncated,
    corrupt,
    zip_bytes,
)
from tests.stress.kaggle_case import Case
from tests.stress.kaggle_faults import (
    BODY,
    BROKEN,
    BY_STATUS,
    CONTROL,
    CREDENTIALS,
    DATA,
    DOWNLOADED,
    ELSEWHERE,
    FAULTY,
    FILE,
    HTML,
    LOGIN,
    NOT_UNPACKED,
    PASSING,
    PROXY,
    REFUSED,
    RULES,
    SIGNED,
    SLOW_HEAD,
    SLOWER,
    STORAGE,
    TOO_LONG,
    UNREADABLE,
    XML,
    ZIP,
    Rows,
    http,
    of_json,
    redirect,
    rows_of,
    stored,
)
from tests.stress.kaggle_sending import sending
from tests.stress.zips import HOSTILE


@functools.cache  # the hostile zips in it take a while to make
def all_cases() -> list[Case]:
    """Every case, in the order of the table."""
    parts = (_logins, _downloads, _redirects, _pauses, _nobody, _files)
    return [case for part in (*parts, sending) for case in part()]


def _logins() -> list[Case]:
    rows: Rows = {str(code): (Status(code, "No"), CREDENTIALS, 1) for code in (400, 401, 403, 404)}
    rows |= {
        "a page of HTML": (Answer(HTML, "text/html"), UNREADABLE, 1),
        "HTML that claims to be JSON": (Answer(HTML), UNREADABLE, 1),
        "nothing": (Answer(b""), UNREADABLE, 1),
        "half of the JSON": (Answer(b'{"active": true, "user'), UNREADABLE, 1),
        "null": (Answer(b"null"), UNREADABLE, 1),
        "a list": (Answer(b"[1, 2]"), CREDENTIALS, 1),
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
        *rows_of("download", LOGIN, rows, requests={DATA: 0}),
        *rows_of("download", LOGIN, passing, requests={FILE: 1}),
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
        *rows_of("download", DATA, rows, requests={LOGIN: 1}),
        *rows_of("download", DATA, passing, requests={LOGIN: 1}),
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
        *rows_of("download", DATA, rows, requests={FILE: 0}),
        *rows_of("download", DATA, passing, requests={FILE: 1}),
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
        f"429 with Retry-After {'in 11 days' if value == later else value[:45]}": (
            Status(429, "Quota", retry_after=value),
            f"{SLOWER}.*\n{says}",
            asked,
        )
        for value, (asked, says) in waits.items()
    }
    day: Rows = {"503 with Retry-After of a day": (Status(503, retry_after="86400"), STORAGE, 1)}
    return [*rows_of("download", DATA, rows), *rows_of("download", FILE, day)]


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
        "gzip that is none": (Raw(stored(b"PK" * 99, Content_Encoding="gzip")), NOT_UNPACKED, 3),
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
    return [*rows_of("download", FILE, rows | passing), *rows_of("download", FILE, zips)]
