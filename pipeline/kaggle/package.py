"""The kaggle package, which only this module imports: its API, quiet and within bounds.

The package logs in when it is imported, prints, ends the process when it has no credentials, and
waits for ever on a server that stalls. Here it is imported without credentials in an empty home,
and logs in when it is told to.
"""

import base64
import contextlib
import os
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies

from pipeline.kaggle import errors
from pipeline.kaggle.credentials import key_folder
from pipeline.kaggle.guard import empty_home
from pipeline.kaggle.retry import Limits


def load_api(limits: Limits) -> Any:
    """Import the package and return its API, not logged in yet, with limits of time and size.

    Raises whatever the import raises.
    """
    with empty_home():
        from kaggle.api.kaggle_api_extended import (  # noqa: PLC0415
            KaggleApi,
            ResumableUploadResult,
        )
    from kagglesdk import get_access_token_from_env  # noqa: PLC0415
    from kagglesdk.competitions.types.competition_api_service import (  # noqa: PLC0415
        ApiGetSubmissionRequest,
    )
    from requests import Session  # noqa: PLC0415

    from pipeline.kaggle.bounds import (  # noqa: PLC0415  (the command line starts without it)
        MAX_DOWNLOAD_BYTES,
        at_most,
        bound,
        within,
    )

    class BoundedApi(KaggleApi):  # type: ignore[misc]
        """The package's API, for the environment as it is now and within limits of time."""

        def __init__(self) -> None:
            # The package reads these once, at import, which happened in an empty home.
            self.config_values: dict[str, str] = {}
            self.config_dir = str(key_folder())
            self.config = str(key_folder() / self.config_file)
            local = os.environ.get("KAGGLE_API_ENVIRONMENT") == "LOCALHOST"
            self.args = ["--local"] if local else []
            self.uploaded = False

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

        def download_file(self, response: Any, outfile: str, *args: Any, **kwargs: Any) -> None:
            # No second attempt inside the package: it would go on with the leftover of the first
            # and, once the address has expired, write the error page into it.
            kwargs.update(max_retries=0, timeout=limits.read_seconds)
            chunks = response.iter_content
            response.iter_content = lambda size: at_most(chunks(size))
            told = response.headers.get("Content-Length", "")
            with response, within(limits.download_seconds, response):
                if told.isdecimal() and int(told) > MAX_DOWNLOAD_BYTES:
                    raise errors.DamagedDownloadError(f"would be {int(told):,} bytes large")
                try:
                    super().download_file(response, outfile, *args, **kwargs)
                except ValueError as error:
                    what = "is not what its headers announce"
                    raise errors.DamagedDownloadError(what) from error
            Path(outfile + ".kaggle-partial").unlink(missing_ok=True)

        def upload_complete(self, path: str, url: str, *_: Any, **__: Any) -> Any:
            # The package's own has no time limit, repeats for minutes and keeps the reason back.
            with Session() as session, Path(path).open("rb") as stream:
                bound(session, limits)
                session.put(url, data=stream).raise_for_status()
            self.uploaded = True
            return ResumableUploadResult.COMPLETE

        def get_submission(self, ref: int) -> Any:
            request = ApiGetSubmissionRequest()
            request.ref = ref
            with self.build_kaggle_client() as client:
                return client.competitions.competition_api_client.get_submission(request)

    return BoundedApi()
