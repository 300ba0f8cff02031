"""What the stand-in for Kaggle knows and answers, apart from how it travels."""

import base64
import io
import time
import zipfile
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

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


@dataclass(frozen=True)
class Raw:
    """Send exactly these bytes, the head included.

    then: how the connection ends.  drip: sent over and over before, with a pause before each.
    after_work: only when everything asked for has been done.
    """

    data: bytes
    then: Literal["close", "reset", "stall"] = "close"
    drip: bytes = b""
    pause_seconds: float = 0
    after_work: bool = False


Failure = Status | Answer | Truncated | Reset | Stall | Raw


@dataclass(frozen=True)
class Seen:
    """One request as it arrived; method: the API's method, or GET and PUT for the storage.

    host: to which it was addressed.  at: in seconds of the monotonic clock.
    headers: all that came with it.
    """

    method: str
    body: dict[str, Any]
    authorization: str | None
    host: str = ""
    at: float = field(default_factory=time.monotonic)
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Kaggle:
    """What the server knows. Tests set it up before, and look at it afterwards.

    competition_zip: what is downloaded; None for ``zip_bytes()``.
    polls: how often a submission is PENDING before it has its outcome.
    error: why a submission cannot be scored; "" means that it can.
    gives_ref: whether CreateSubmission gives a number; without one nothing is created.
    unlisted: so many of the newest submissions are not in the list yet.
    clock_ahead_seconds: how far its clock, which each answer tells, is ahead of this machine's.
    allowed: submissions left today; None until the team's first, when Kaggle tells only zeros.
    rules_accepted: whether notebooks get the competition's data.
    notebook_error: why a notebook is not taken; "" means that it is.
    notebooks: the versions of each, as they were sent, by "owner/name".
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
    unlisted: int = 0
    clock_ahead_seconds: float = 0
    submissions: list[dict[str, Any]] = field(default_factory=list)
    rules_accepted: bool = True
    notebook_error: str = ""
    notebooks: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    uploads: dict[str, bytes] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)
    failures: dict[str, list[Failure]] = field(default_factory=lambda: defaultdict(list))

    def fail(self, method: str, failure: Failure, times: int = 1_000) -> None:
        """Answer the next ``times`` requests for ``method`` with a failure."""
        self.failures[method] += [failure] * times

    def count(self, method: str) -> int:
        return sum(seen.method == method for seen in self.seen)


class Methods:
    """The API: each method takes the request's body and returns the answer's.

    A str is an address to go on to, a Status an error.
    """

    def __init__(self, kaggle: Kaggle) -> None:
        self._kaggle = kaggle

    def introspect_token(self, body: dict[str, Any]) -> Any:
        if body.get("token") in self._kaggle.tokens:
            return {"active": True, "username": USERNAME, "userId": 1}
        return {"active": False}

    def list_data_files(self, body: dict[str, Any]) -> Any:
        return self._of_competition(
            body,
            {"files": [{"name": name, "totalBytes": n} for name, n in self._kaggle.files.items()]},
        )

    def download_data_files(self, body: dict[str, Any]) -> Any:
        return self._of_competition(body, f"{STORAGE}/{COMPETITION}.zip?Signature={SIGNATURE}")

    def download_dataset(self, body: dict[str, Any]) -> Any:
        slug = f"{body['ownerSlug']}/{body['datasetSlug']}"
        if slug not in self._kaggle.datasets:
            return Status(403, "Permission 'datasets.get' was denied")
        return f"{STORAGE}/{slug}?Signature={SIGNATURE}"

    def start_submission_upload(self, body: dict[str, Any]) -> Any:
        token = f"upload-{len(self._kaggle.uploads)}"
        address = f"{STORAGE}/uploads/{token}?Signature={SIGNATURE}"
        return self._of_competition(body, {"token": token, "createUrl": address})

    def create_submission(self, body: dict[str, Any]) -> Any:
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

    def list_submissions(self, body: dict[str, Any]) -> Any:
        start = 20 * (body.get("page", 1) - 1)  # pages of 20, whatever size is asked for
        listed = self._kaggle.submissions[::-1][self._kaggle.unlisted :]
        newest_first = listed[start : start + 20]
        return self._of_competition(
            body, {"submissions": [self._told(submission) for submission in newest_first]}
        )

    def get_submission(self, body: dict[str, Any]) -> Any:
        for submission in self._kaggle.submissions:
            if submission["ref"] == body.get("ref"):
                submission["polls"] += 1
                return self._told(submission)
        return Status(404, "There is no such submission")

    def get_submission_limits(self, body: dict[str, Any]) -> Any:
        if self._kaggle.allowed is None:
            return {}
        count = len(self._kaggle.submissions)
        limits = {"numToday": count, "numTotal": count, "numAllowedNow": self._kaggle.allowed}
        return self._of_competition(
            body, limits | {"limitedByTotal": self._kaggle.limited_by_total}
        )

    def save_kernel(self, body: dict[str, Any]) -> Any:
        kaggle, name = self._kaggle, body["slug"]
        if name.partition("/")[0] != USERNAME:
            return Status(403, "Permission 'kernels.update' was denied")
        if kaggle.notebook_error:
            return {"error": kaggle.notebook_error}
        kaggle.notebooks[name].append(body)
        return {
            "ref": f"/code/{name}",
            "url": f"https://www.kaggle.com/code/{name}",
            "versionNumber": len(kaggle.notebooks[name]),
            "invalidCompetitionSources": (
                [] if kaggle.rules_accepted else body["competitionDataSources"]
            ),
        }

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


def zip_bytes(text: str = "label,pixel0\n" * 9_999) -> bytes:
    """A small zip, the same bytes at any time."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as packed:
        packed.writestr(zipfile.ZipInfo("train.csv"), text, zipfile.ZIP_DEFLATED)
    return stream.getvalue()


def corrupt(content: bytes) -> bytes:
    """Damage inside of a member, while the zip's directory stays whole."""
    return content[:60] + b"\xff\xff\xff" + content[63:]
