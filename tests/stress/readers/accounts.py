"""What Kaggle answers, and files with credentials."""

import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from random import Random
from typing import Any

from kagglesdk.competitions.types.competition_api_service import (
    ApiSubmission,
    ApiSubmissionLimits,
)

from pipeline.kaggle.answers import Submission, SubmissionLimits, to_limits, to_submission
from pipeline.kaggle.credential_files import Credentials
from pipeline.kaggle.credentials import all_credentials, find_credentials, find_username
from pipeline.system.errors import PipelineError
from tests.stress.mutations import change_bytes, change_json


class KaggleAnswer:
    """What Kaggle says of a submission, or of how many it takes."""

    name = "Kaggle's answer"
    most_megabytes = 100

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @cached_property
    def seeds(self) -> Sequence[bytes]:
        told = {
            "ref": 1001,
            "description": "[csv 0123] run a",
            "date": "2026-01-02T03:04:05.670Z",
            "fileName": "submission.csv",
            "status": "COMPLETE",
            "publicScore": "0.98714",
            "privateScore": "",
        }
        failed = told | {"status": "ERROR", "errorDescription": "no\nscore", "publicScore": ""}
        limits = {"numToday": 2, "numTotal": 9, "numAllowedNow": 3, "limitedByTotal": False}
        seeds = (told, failed, limits | {"ref": 7}, {"ref": 2**63 - 1})
        return [json.dumps(value).encode() for value in seeds]

    def mutate(self, data: bytes, rng: Random) -> bytes:
        return change_json(data, rng)

    def read(self, data: bytes) -> tuple[Submission | None, SubmissionLimits | None]:
        found: list[Any] = []
        for kind, convert in ((ApiSubmission, to_submission), (ApiSubmissionLimits, to_limits)):
            try:
                found.append(convert(kind.from_json(data.decode("utf-8"))))
            except Exception as error:  # the client turns whatever this raises into a line
                raise PipelineError("no answer that the package takes") from error
        return found[0], found[1]

    def check(self, data: bytes, found: tuple[Submission | None, SubmissionLimits | None]) -> None:
        submission, limits = found
        assert submission is not None and limits is not None
        told = json.loads(data)
        if isinstance(told, dict) and "ref" in told:
            assert submission.ref == told["ref"], "another number"
        assert type(submission.ref) is int, "a number of another type"
        assert submission.status in ("PENDING", "COMPLETE", "ERROR"), "a status that there is not"
        for score in (submission.public_score, submission.private_score):
            assert score is None or 0 <= score <= 1, "a score that none can be"
        assert 1 <= submission.ref < 2**63, "a number that the ledger does not take"
        assert limits.allowed_now is None or type(limits.allowed_now) is int, "no count"


class KeyFile:
    """kaggle.json."""

    name = "kaggle.json"
    most_megabytes = 100
    file = "kaggle.json"

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        (self.home / ".kaggle").mkdir(parents=True)
        self.path = self.home / ".kaggle" / self.file

    @cached_property
    def seeds(self) -> Sequence[bytes]:
        return [b'{"username": "ada", "key": "0123456789abcdef0123456789abcdef"}']

    def mutate(self, data: bytes, rng: Random) -> bytes:
        return change_json(data, rng)

    def read(self, data: bytes) -> tuple[Credentials | None, str | None]:
        self.path.write_bytes(data)
        variables = {"HOME": str(self.home)}
        all_credentials(variables)
        return find_credentials(variables), find_username(variables)

    def check(self, data: bytes, found: tuple[Credentials | None, str | None]) -> None:
        credentials, username = found
        if credentials is None:
            assert username is None, "a name without credentials"
            return
        held = json.loads(data)  # which sees a mark of UTF-8 or UTF-16 by itself
        assert held["username"] and held["key"], "credentials without a name or a key"
        assert username == held["username"].strip(), "another name"
        assert credentials.where == "~/.kaggle/kaggle.json", "found elsewhere"


class TokenFile(KeyFile):
    """access_token."""

    name = "access_token"
    file = "access_token"

    @cached_property
    def seeds(self) -> Sequence[bytes]:
        return [b"KGAT_0123456789abcdef\n", b"x"]

    def mutate(self, data: bytes, rng: Random) -> bytes:
        return change_bytes(data, rng, words=(b"\n", b" ", b"\0", b"\xff", b"\t"))

    def check(self, data: bytes, found: tuple[Credentials | None, str | None]) -> None:
        credentials, username = found
        assert credentials is not None, "not found, and nothing said"
        assert credentials.secret.isascii() and credentials.secret.isprintable(), "no token"
        assert username is None, "a name of a token"
