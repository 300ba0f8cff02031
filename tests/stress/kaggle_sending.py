"""The rows of the table for what is sent: a submission, once, and its score; a notebook."""

from typing import Any

from tests.kaggle_api import (
    TOKEN,
    Answer,
    Raw,
    Reset,
    Stall,
    Status,
)
from tests.stress.kaggle_case import Case
from tests.stress.kaggle_faults import (
    ARRIVED,
    BROKEN,
    BY_STATUS,
    CREATE,
    CREDENTIALS,
    ELSEWHERE,
    EVIL,
    FAULTY,
    HTML,
    LIMITS,
    LIST,
    LOGIN,
    NO_SCORE,
    NO_SUCH,
    NOT_LISTED,
    PASSING,
    PUSH,
    PUSHED,
    REFUSED,
    RULES,
    SCORE,
    SLOW_HEAD,
    SLOWER,
    START,
    STORAGE,
    SUBMITTED,
    TOO_LONG,
    UNKNOWN,
    UNREADABLE,
    UPLOAD,
    XML,
    Rows,
    http,
    of_json,
    redirect,
    rows_of,
)


def sending() -> list[Case]:
    """Each case, with all that is to come of it."""
    parts = (_questions, _uploads, _submissions, _scores, _pushes)
    return [case for part in parts for case in part()]


def _questions() -> list[Case]:
    """What is asked before anything is sent."""
    nothing_sent = {START: 0, CREATE: 0}
    no_more = f"{UNREADABLE}|Error: Kaggle takes no more"
    lists: Rows = {
        "403": (Status(403, "No"), RULES, 1),
        "null": (of_json(submissions=None), UNREADABLE, 1),
        "submissions that are numbers": (of_json(submissions=[1, 2]), UNREADABLE, 1),
    }
    limits: Rows = {
        "404": (Status(404, "No"), NO_SUCH, 1),
        "texts": (of_json(numToday="many", numAllowedNow="none"), no_more, 1),
        "null": (of_json(numToday=None, numTotal=None, numAllowedNow=None), no_more, 1),
        **{str(code): (Status(code, "No"), BY_STATUS[code], 1) for code in (401, 403)},
        "a stall": (Stall(), TOO_LONG, 3),
    }
    used_up = {"allowed": 0, "submissions": [{"ref": 5, "description": "", "polls": 9}]}
    strange: Rows = {
        "submissions without anything, or with what nobody knows": (
            of_json(submissions=[{"description": None, "ref": None}, {"status": "EATEN"}]),
            SUBMITTED,
            -1,
        )
    }
    return [
        *rows_of("submit", LIST, strange, ledger=("COMPLETE",), requests={CREATE: 1}),
        *rows_of("submit", LIST, lists, requests=nothing_sent),
        *rows_of("submit", LIMITS, limits, requests=nothing_sent),
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
    never_sent = {"requests": {CREATE: 0}}
    after_reset = Reset(after_work=True)
    return [
        *rows_of("submit", LIST, {"502, once": (Status(502), SUBMITTED, 2)}, **sent_once),
        *rows_of("submit", LIMITS, {"504, once": (Status(504), SUBMITTED, 2)}, **sent_once),
        *rows_of(
            "submit",
            START,
            {
                "503, once": (Status(503, "Later"), SUBMITTED, 2),
                "a reset, once": (Reset(), SUBMITTED, 2),
            },
            **sent_once,
        ),
        *rows_of(
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
        *rows_of(
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
        *rows_of(
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
        "a number of 70 bits": (of_json(message="ok", ref=2**70), NOT_LISTED, 1),
        "a number below zero": (of_json(message="ok", ref=-5), NOT_LISTED, 1),
        "true for a number": (of_json(message="ok", ref=True), NOT_LISTED, 1),
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
        Case(
            f"CreateSubmission: a reset, {made}, and the list comes late",
            "submit",
            CREATE,
            Reset(after_work=True),
            NOT_LISTED,
            times=1,
            ledger=("SENDING",),
            requests={CREATE: 1},
            kaggle={"unlisted": 1},
        ),
        *rows_of("submit", CREATE, refused, ledger=("ERROR",)),
        *rows_of("submit", CREATE, unclear, ledger=("SENDING",)),
        *rows_of("submit", CREATE, lost, ledger=("COMPLETE",)),
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
    }
    # What Kaggle told clearly is kept, though something else of it cannot be used.
    no_score: Rows = {
        "null for a score": (scored(publicScore=None), NO_SCORE, -1),
        "a list for a score": (scored(publicScore=[1]), NO_SCORE, -1),
        "true for a score": (scored(publicScore=True), NO_SCORE, -1),
    }
    no_status: Rows = {"a status nobody knows": (scored(status="EATEN"), NO_SCORE, -1)}
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
        *rows_of("submit", SCORE, rows, ledger=("PENDING",), requests={CREATE: 1}),
        *rows_of("submit", SCORE, no_score, ledger=("COMPLETE",), requests={CREATE: 1}),
        *rows_of("submit", SCORE, no_status, ledger=("PENDING",), requests={CREATE: 1}),
        *rows_of("submit", SCORE, no_reason, ledger=("ERROR",), requests={CREATE: 1}),
        *rows_of("submit", SCORE, passing, ledger=("COMPLETE",)),
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
        *rows_of("push", PUSH, rows | passing),
        *rows_of("push", LOGIN, strange, requests={PUSH: 0}),
    ]
