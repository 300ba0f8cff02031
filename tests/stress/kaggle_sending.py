"""What is sent to Kaggle: a submission, once, and its score; a notebook."""

from tests.kaggle_api import TOKEN, Answer, Failure, Raw, Reset, Stall, Status
from tests.stress.kaggle_case import Case
from tests.stress.kaggle_faults import (
    AFTER_REFUSAL,
    ARRIVED,
    BROKEN,
    BY_STATUS,
    CREDENTIALS,
    EVIL,
    FAULTY,
    HTML,
    NOT_LISTED,
    PASSING,
    REFUSED,
    SLOWER,
    STORAGE,
    TOO_LONG,
    UNREADABLE,
    XML,
    http,
    of_json,
    redirect,
)


def sending() -> list[Case]:
    """Each case, with all that is to come of it."""
    return [
        *_submissions(),
        *_scores(),
        *_uploads(),
        *_pushes(),
    ]


def _submissions() -> list[Case]:
    cases = []
    for code in (400, 401, 403, 404, 409, 413, 422, 429):
        cases.append(
            Case(
                f"{code} when the submission is made",
                "submit",
                "CreateSubmission",
                Status(code, "No"),
                (BY_STATUS | PASSING)[code],
                ledger=AFTER_REFUSAL,
                requests={"CreateSubmission": 1},
            )
        )
    unclear: dict[str, Failure] = {
        "408": Status(408, "Slow"),
        "500": Status(500, "Oops"),
        "503 with HTML": Status(503),
        "reset, nothing done": Reset(),
        "HTML for an answer": Answer(HTML, "text/html"),
        "a number that is a text": of_json({"message": "ok", "ref": "abc"}),
        "a number that is null": of_json({"message": None, "ref": None}),
    }
    for what, failure in unclear.items():
        cases.append(
            Case(
                f"{what} when the submission is made",
                "submit",
                "CreateSubmission",
                failure,
                f"Error: .*{NOT_LISTED}",
                ledger=("SENDING",),
                requests={"CreateSubmission": 1},
            )
        )
    lost: dict[str, Failure] = {
        "reset": Reset(after_work=True),
        "stalled": Stall(after_work=True),
        "500": Raw(http("500 Oops"), after_work=True),
        "504": Raw(http("504 Gateway"), after_work=True),
        "cut-off JSON": Raw(http("200 OK", b'{"ref": 10'), after_work=True),
        "no number": Raw(http("200 OK", b"{}"), after_work=True),
        "307 elsewhere": Raw(http("307 Moved", Location=EVIL), after_work=True),
    }
    for what, failure in lost.items():
        cases.append(
            Case(
                f"the submission is made, its answer lost ({what})",
                "submit",
                "CreateSubmission",
                failure,
                "submit: ",
                exit_code=0,
                ledger=("COMPLETE",),
                requests={"CreateSubmission": 1},
            )
        )
    return cases


def _scores() -> list[Case]:
    waiting: dict[str, dict[str, object]] = {
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
            "GetSubmission",
            None,
            r"Error: Submission 1001 has arrived, but has no score after 2 s",
            ledger=("PENDING",) if "polls" in kaggle else ("COMPLETE",),
            requests={"CreateSubmission": 1},
            kaggle=kaggle,
        )
        for what, kaggle in waiting.items()
    ]
    cases.append(
        Case(
            "Kaggle cannot score it, and says so with control characters",
            "submit",
            "GetSubmission",
            None,
            'Error: Kaggle could not score submission 1001: it says "Bad',
            ledger=("ERROR",),
            kaggle={"error": f"Bad \x1b[31mrow\x1b[0m {TOKEN} " + "x" * 5_000},
        )
    )
    polling: dict[str, tuple[Failure, str]] = {
        "404": (Status(404, "Gone"), ARRIVED),
        "500": (Status(500, "Oops"), ARRIVED),
        "429": (Status(429, "Slow"), ARRIVED),
        "a stall": (Stall(), ARRIVED),
        "an empty object": (of_json({}), ARRIVED),
        "another submission": (
            of_json({"ref": 7, "status": "COMPLETE", "publicScore": "0.1"}),
            ARRIVED,
        ),
        "a status nobody knows": (of_json({"ref": 1001, "status": "EATEN"}), ARRIVED),
        "null for a score": (
            of_json({"ref": 1001, "status": "COMPLETE", "publicScore": None}),
            f"{ARRIVED}|Error: Submission 1001 has arrived, but has no score",
        ),
        "a list for a score": (
            of_json({"ref": 1001, "status": "COMPLETE", "publicScore": [1]}),
            ARRIVED,
        ),
        "null for a reason": (
            of_json({"ref": 1001, "status": "ERROR", "errorDescription": None}),
            f"{ARRIVED}|Error: Kaggle could not score",
        ),
    }
    # What Kaggle told clearly is kept, though something else of it cannot be used.
    left = {"null for a score": "COMPLETE", "null for a reason": "ERROR"}
    for what, (failure, says) in polling.items():
        cases.append(
            Case(
                f"{what} when the score is asked for",
                "submit",
                "GetSubmission",
                failure,
                says,
                ledger=(left.get(what, "PENDING"),),
                requests={"CreateSubmission": 1},
            )
        )
    cases.append(
        Case(
            "503 when the score is asked for, twice",
            "submit",
            "GetSubmission",
            Status(503),
            "submit: ",
            times=2,
            exit_code=0,
            ledger=("COMPLETE",),
        )
    )
    return cases


def _uploads() -> list[Case]:
    once: dict[tuple[str, str], Failure] = {
        ("StartSubmissionUpload", "503"): Status(503, "Later"),
        ("StartSubmissionUpload", "a reset"): Reset(),
        ("PUT", "a signed address that expired (403, XML)"): Raw(http("403 Forbidden", XML)),
        ("PUT", "a reset after the bytes have arrived"): Reset(after_work=True),
        ("PUT", "a header a byte at a time"): Raw(
            b"HTTP/1.1 200 OK\r\nX-A: ", drip=b"x", pause_seconds=0.2
        ),
        ("ListSubmissions", "502"): Status(502),
        ("GetSubmissionLimits", "504"): Status(504),
    }
    cases = [
        Case(
            f"{what} ({at}), once",
            "submit",
            at,
            failure,
            "submit: ",
            times=1,
            exit_code=0,
            ledger=("COMPLETE",),
            requests={at: 2, "CreateSubmission": 1},
        )
        for (at, what), failure in once.items()
    ]
    for_ever: dict[tuple[str, str], tuple[Failure, str]] = {
        ("StartSubmissionUpload", "400"): (Status(400, "No"), REFUSED),
        ("StartSubmissionUpload", "an address of a file"): (
            of_json({"token": "t", "createUrl": "file:///etc/passwd"}),
            UNREADABLE,
        ),
        ("StartSubmissionUpload", "no address"): (of_json({}), UNREADABLE),
        ("PUT", "413"): (Raw(http("413 Large", XML)), STORAGE),
        ("PUT", "500"): (Raw(http("500 Oops", XML)), STORAGE),
        ("PUT", "a stall"): (Stall(), TOO_LONG),
    }
    cases += [
        Case(
            f"{what} ({at})",
            "submit",
            at,
            failure,
            says,
            ledger=("ERROR",),
            requests={"CreateSubmission": 0},
        )
        for (at, what), (failure, says) in for_ever.items()
    ]
    cases += [
        Case(
            f"{code} ({at})",
            "submit",
            at,
            Status(code, "No"),
            BY_STATUS[code],
            requests={"StartSubmissionUpload": 0, "CreateSubmission": 0},
        )
        for at, code in (("ListSubmissions", 403), ("GetSubmissionLimits", 404))
    ]
    cases.append(
        Case(
            "no submissions left today",
            "submit",
            "GetSubmission",
            None,
            "Error: Kaggle takes no more submissions today",
            requests={"StartSubmissionUpload": 0, "CreateSubmission": 0},
            kaggle={"allowed": 0, "submissions": [{"ref": 5, "description": "", "polls": 9}]},
            sent=2,
        )
    )
    return cases


def _pushes() -> list[Case]:
    unclear = "Whether it was done all the same is not known"
    failing: dict[str, tuple[Failure, str, int]] = {
        "400": (Status(400, "No"), REFUSED, 1),
        "401": (Status(401, "No"), CREDENTIALS, 1),
        "403": (Status(403, "No"), "Error: Kaggle does not let this account save", 1),
        "409": (Status(409, "No"), REFUSED, 1),
        "413": (Status(413, "No"), REFUSED, 1),
        "429": (Status(429, "No"), SLOWER, 3),
        "500": (Status(500, "No"), f"{FAULTY}.*{unclear}", 1),
        "504 after it was done": (
            Raw(http("504 Gateway"), after_work=True),
            f"{FAULTY}.*{unclear}",
            1,
        ),
        "a reset": (Reset(), f"{BROKEN}.*{unclear}", 1),
        "a stall after it was done": (Stall(after_work=True), f"{TOO_LONG}.*{unclear}", 1),
        "HTML for an answer": (Answer(HTML, "text/html"), f"{UNREADABLE}.*{unclear}", 1),
        "an error with control characters": (
            of_json({"error": f"\x1b[2J\x07 bad {TOKEN}" + "x" * 5_000}),
            "Error: Kaggle does not take the notebook",
            1,
        ),
        "an error that is a number": (of_json({"error": 7}), "Error: ", 1),
        "an empty object": (of_json({}), "Error: Kaggle gave the notebook no version number", 1),
        "a version that is a text": (
            of_json({"url": None, "versionNumber": "new"}),
            "Error: .*not known",
            1,
        ),
        "307 to another host": (redirect(307), "Error: ", 1),
    }
    return [
        Case(
            f"{what} when a notebook is pushed",
            "push",
            "SaveKernel",
            failure,
            says,
            requests={"SaveKernel": asked},
        )
        for what, (failure, says, asked) in failing.items()
    ] + [
        Case(
            "an account that is named ../../elsewhere",
            "push",
            "IntrospectToken",
            of_json({"active": True, "username": "../../elsewhere\x1b[31m"}),
            "Error: ",
            requests={"SaveKernel": 0},
        )
    ]
