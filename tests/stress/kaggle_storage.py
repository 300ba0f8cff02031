"""The storage from which the data come: what it sends in their place."""

from tests.kaggle_api import Answer, Failure, Raw, Truncated
from tests.stress.kaggle_case import Case
from tests.stress.kaggle_faults import (
    BROKEN,
    STORAGE,
    TOO_LONG,
    UNREADABLE,
    XML,
    http,
)
from tests.stress.zips import HOSTILE


def storage() -> list[Case]:
    """Each case, with all that is to come of it."""
    return [
        *_storage(),
        *_zips(),
    ]


def stored(status: str, body: bytes, **headers: str) -> bytes:
    return http(status, body, Content_Type="application/zip", **headers)


def _storage() -> list[Case]:
    whole = http("200 OK", b"PK\x03\x04" + bytes(4_000), Content_Type="application/zip")
    failing: dict[str, tuple[Failure, str, int]] = {
        "a signed address that stays expired (403, XML)": (
            Raw(http("403 Forbidden", XML, Content_Type="application/xml")),
            STORAGE,
            3,
        ),
        "404": (Raw(http("404 Not Found", XML)), STORAGE, 1),
        "410": (Raw(http("410 Gone", XML)), STORAGE, 1),
        "429": (Raw(http("429 Slow", XML)), STORAGE, 3),
        "503": (Raw(http("503 Later", XML)), STORAGE, 3),
        "206 that nobody asked for": (
            Raw(http("206 Partial", b"part", Content_Type="application/zip")),
            "Error: The download is not a zip",
            3,
        ),
        "204, no content": (Raw(http("204 None", Content_Length="")), UNREADABLE, 1),
        "a reset in the middle": (Raw(whole[:-99], then="reset"), BROKEN, 3),
        "a stall in the middle": (Raw(whole[:-99], then="stall"), TOO_LONG, 3),
        "half of it, its length announced": (Truncated(announced=True), BROKEN, 3),
        "half of it, no length announced": (
            Truncated(announced=False),
            "Error: The download is a damaged zip",
            3,
        ),
        "more than was announced": (
            Raw(stored("200 OK", b"PK\x03\x04" + bytes(4_000), Content_Length="99")),
            "Error: The download is a damaged zip",
            3,
        ),
        "a length that is a text": (
            Raw(stored("200 OK", b"PK", Content_Length="plenty")),
            "Error: The download is not what its headers announce",
            3,
        ),
        "a length below zero": (
            Raw(stored("200 OK", b"PK", Content_Length="-5")),
            "Error: The download|Error: Kaggle's answer|Error: The connection",
            3,
        ),
        "a length of a petabyte": (
            Raw(stored("200 OK", b"PK", Content_Length=str(10**15))),
            "Error: The download would be",
            3,
        ),
        "a date that is none": (
            Raw(stored("200 OK", b"PK", Last_Modified="yesterday")),
            "Error: The download is not what its headers announce",
            3,
        ),
        "a byte at a time": (
            Raw(stored("200 OK", b"PK", Content_Length="99999"), drip=b"x", pause_seconds=0.2),
            TOO_LONG,
            3,
        ),
        "gzip that is none": (
            Raw(stored("200 OK", b"PK" * 99, Content_Encoding="gzip")),
            UNREADABLE,
            1,
        ),
    }
    cases = [
        Case(f"the storage: {what}", "download", "GET", failure, says, requests={"GET": asked})
        for what, (failure, says, asked) in failing.items()
    ]
    passing: dict[str, Failure] = {
        "a signed address that expired, once": Raw(http("403 Forbidden", XML)),
        "half of it, twice, and then with another ETag": Truncated(announced=True),
        "206 of something else, twice": Raw(
            http("206 Partial", b"part", Content_Type="application/zip", ETag='"two"')
        ),
    }
    cases += [
        Case(
            f"the storage: {what}",
            "download",
            "GET",
            failure,
            "download: 42,000",
            times=1 if "once" in what else 2,
            exit_code=0,
            requests={"GET": 2 if "once" in what else 3},
        )
        for what, failure in passing.items()
    ]
    return cases


def _zips() -> list[Case]:
    return [
        Case(
            f"a zip with {what}" if what[0] != "z" else "a zip in the zip",
            "download",
            "GET",
            Answer(make(), "application/zip"),
            "Error: The (download|zip that Kaggle sent)",
        )
        for what, make in HOSTILE.items()
    ]
