"""The kaggle package, which only this module imports: its API, quiet and within limits.

The package logs in when it is imported, prints, ends the process when it has no credentials, and
waits for ever on a server that stalls. Here it is imported without credentials in an empty home,
and logs in when it is told to.
"""

import base64
import contextlib
import io
import os
import sys
from collections.abc import Iterator
from operator import attrgetter
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies

import requests

from pipeline.kaggle import COMPETITION
from pipeline.kaggle.credentials import key_folder
from pipeline.kaggle.limits import Limits, bound, save


def load_api(limits: Limits) -> Any:
    """Import the package and return its API, not logged in yet, with limits of time and size.

    Raises whatever the import raises.
    """
    with _empty_home():
        from kaggle.api.kaggle_api_extended import KaggleApi  # noqa: PLC0415
    from kagglesdk import get_access_token_from_env  # noqa: PLC0415
    from kagglesdk.competitions.types import competition_api_service as types  # noqa: PLC0415
    from kagglesdk.datasets.types.dataset_api_service import (  # noqa: PLC0415
        ApiDownloadDatasetRequest,
    )

    class BoundedApi(KaggleApi):  # type: ignore[misc]
        """The package's API, for the environment as it is now and within limits.

        Requests of which the package does more than to send them are made here.
        """

        def __init__(self) -> None:
            # The package reads these once, at import, which happened in an empty home.
            self.config_values: dict[str, str] = {}
            self.config_dir = str(key_folder())
            self.config = str(key_folder() / self.config_file)
            local = os.environ.get("KAGGLE_API_ENVIRONMENT") == "LOCALHOST"
            self.args = ["--local"] if local else []

        def secrets(self) -> tuple[str, ...]:
            """Texts with which somebody else could log in: never to be shown."""
            self._load_config()
            user, key = (self.config_values.get(name, "") for name in ("username", "key"))
            found = [key, base64.b64encode(f"{user}:{key}".encode()).decode()]
            found.append(os.environ.get("KAGGLE_API_TOKEN", ""))
            with contextlib.suppress(OSError, ValueError):
                found.append(get_access_token_from_env()[0] or "")
            for proxy in getproxies().values():
                with contextlib.suppress(ValueError):
                    password = urlsplit(proxy).password or ""
                    found += [password, unquote(password)]
            return tuple(secret for secret in found if len(secret) >= 4)

        def build_kaggle_client(self) -> Any:
            client = super().build_kaggle_client()
            http_client = client.http_client()
            http_client._init_session()
            bound(http_client._session, limits)
            return client

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

        def get_submission(self, ref: int) -> Any:
            method = "competitions.competition_api_client.get_submission"
            return self.ask(types.ApiGetSubmissionRequest(), method, ref=ref)

    return BoundedApi()


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
