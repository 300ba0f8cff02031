"""The kaggle package, which only this module imports: its API, quiet and within limits.

The package logs in when it is imported, prints, ends the process when it has no credentials, and
waits for ever on a server that stalls. Here it is imported without credentials in an empty home,
and logs in when it is told to, with the credentials that it is given.
"""

import contextlib
import io
import os
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from operator import attrgetter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import requests

from pipeline.kaggle import COMPETITION
from pipeline.kaggle.adapter import bound, save
from pipeline.kaggle.credential_files import Credentials
from pipeline.kaggle.limits import Limits


def load_api(credentials: Credentials, limits: Limits, *, is_local: bool) -> Any:
    """Import the package and return its API, not logged in yet, with limits of time and size.

    is_local: whether Kaggle is a stand-in on this machine.
    Raises whatever the import raises.
    """
    with _empty_home():
        from kaggle.api.kaggle_api_extended import KaggleApi  # noqa: PLC0415
    from kagglesdk.competitions.types import competition_api_service as types  # noqa: PLC0415
    from kagglesdk.datasets.types.dataset_api_service import (  # noqa: PLC0415
        ApiDownloadDatasetRequest,
    )

    class BoundedApi(KaggleApi):  # type: ignore[misc]
        """The package's API, with these credentials and within limits.

        Requests of which the package does more than to send them are made here.
        """

        def __init__(self) -> None:
            self.config_values: dict[str, str] = {}
            self._told_time: tuple[datetime, float] | None = None
            self.args = ["--local"] if is_local else []

        def authenticate(self) -> None:
            """Log in; SystemExit, as from the package, if Kaggle does not know the credentials."""
            username: str | None = credentials.username
            if credentials.style == "key":
                self.config_values = {"username": credentials.username, "key": credentials.secret}
            elif credentials.style == "token":
                self.config_values = {"token": credentials.secret}
                username = self._introspect_token(credentials.secret)
                self.config_values["username"] = username or ""
            elif self._authenticate_with_oauth_creds():
                username = self.config_values["username"]
            if not username:
                raise SystemExit(1)

        def build_kaggle_client(self) -> Any:
            client = super().build_kaggle_client()
            http = client.http_client()
            http._signed_in = False  # so that it looks for no credentials of its own
            http._init_session()
            bound(http._session, limits)
            token, user, key = map(self.config_values.get, ("token", "username", "key"))
            if token or key:
                http._session.auth = http.BearerAuth(token) if token else (user, key)
            return client

        def get_response_processor(self) -> Any:
            return self._keep_time

        def now(self) -> datetime:
            """The time by the last answer's clock; by this machine's before there is one."""
            if self._told_time is None:
                return datetime.now(UTC)
            told, at = self._told_time
            return told + timedelta(seconds=time.monotonic() - at)

        def _keep_time(self, response: requests.Response) -> None:
            with contextlib.suppress(ValueError):
                told = parsedate_to_datetime(response.headers.get("Date", ""))
                self._told_time = (told.astimezone(UTC), time.monotonic())

        def ask(self, request: Any, method: str, **values: object) -> Any:
            for name, value in values.items():
                setattr(request, name, value)
            with self.build_kaggle_client() as client:
                return attrgetter(method)(client)(request)

        def download_competition(self, into: Path) -> None:
            method = "competitions.competition_api_client.download_data_files"
            request = types.ApiDownloadDataFilesRequest()
            save(self.ask(request, method, competition_name=COMPETITION), into, limits)

        def download_dataset(self, slug: str, into: Path) -> None:
            method = "datasets.dataset_api_client.download_dataset"
            owner, _, name = slug.partition("/")
            request = ApiDownloadDatasetRequest()
            save(self.ask(request, method, owner_slug=owner, dataset_slug=name), into, limits)

        def upload(self, path: Path) -> str:
            """Send a file, which nobody sees yet, and return what it is called at Kaggle."""
            place = self.ask(
                types.ApiStartSubmissionUploadRequest(),
                "competitions.competition_api_client.start_submission_upload",
                competition_name=COMPETITION,
                file_name=path.name,
                content_length=path.stat().st_size,
                last_modified_epoch_seconds=int(path.stat().st_mtime),
            )
            with requests.Session() as session, path.open("rb") as stream:
                bound(session, limits)
                session.put(place.create_url, data=stream)
            return str(place.token)

        def create_submission(self, token: str, message: str) -> Any:
            return self.ask(
                types.ApiCreateSubmissionRequest(),
                "competitions.competition_api_client.create_submission",
                competition_name=COMPETITION,
                blob_file_tokens=token,
                submission_description=message,
            )

        def list_submissions(self, page: int) -> list[dict[str, Any]]:
            """A page of a hundred submissions, as they were told."""
            request = types.ApiListSubmissionsRequest()
            request.competition_name = COMPETITION
            request.page, request.page_size = page, 100
            told = self._ask_plainly(request, "ListSubmissions").get("submissions", [])
            if not isinstance(told, list):
                raise TypeError("a list of submissions that is none")
            return told

        def get_submission(self, ref: int) -> Any:
            request = types.ApiGetSubmissionRequest()
            request.ref = ref
            return _as_answer(self._ask_plainly(request, "GetSubmission"))

        def _ask_plainly(self, request: Any, method: str) -> dict[str, Any]:
            """Return an answer as it came: for one new word, the package refuses all of a list."""
            with self.build_kaggle_client() as client:
                http, service = client.http_client(), "competitions.CompetitionApiService"
                answer: dict[str, Any] = http.call(service, method, request, _Plain)
            return answer

    return BoundedApi()


class _Plain:
    """Stands where the package expects the type of an answer."""

    @staticmethod
    def prepare_from(response: requests.Response) -> Any:
        return response.json()


def _as_answer(told: dict[str, Any]) -> SimpleNamespace:
    """A submission under the package's names; what is default, Kaggle leaves out."""
    return SimpleNamespace(
        ref=told.get("ref", 0),
        status=SimpleNamespace(name=told.get("status", "PENDING")),
        public_score=told.get("publicScore"),
        private_score=told.get("privateScore"),
        error_description=told.get("errorDescription"),
    )


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """Keep what the package prints from the terminal, and our stdin from what it closes."""
    stdin, sys.stdin = sys.stdin, io.StringIO()
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        sys.stdin = stdin


@contextlib.contextmanager
def _empty_home() -> Iterator[None]:
    """Hide credentials for a moment, and wishes for debug output: that prints the credentials.

    The home is this very folder: it is there, holds no credentials, and leaves nothing behind when
    the process is killed. The package only looks into it.
    """
    hidden = ("KAGGLE_", "VERBOSE", "HOME", "USERPROFILE")
    kept = {name: value for name, value in os.environ.items() if name.startswith(hidden)}
    home = str(Path(__file__).parent)
    for name in kept:
        del os.environ[name]
    os.environ.update(HOME=home, USERPROFILE=home, KAGGLE_CONFIG_DIR=home)
    try:
        yield
    finally:
        for name in ("HOME", "USERPROFILE", "KAGGLE_CONFIG_DIR"):
            del os.environ[name]
        os.environ.update(kept)
