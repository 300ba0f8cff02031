"""The competition at Kaggle: log in, download, submit, ask for the score.

Every failure comes out as a PipelineError. Requests are repeated where that is safe, which
excludes what makes a submission.
"""

import re
import shlex
import tempfile
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from pipeline.kaggle import COMPETITION, COMPETITION_PAGE, errors
from pipeline.kaggle.answers import (
    Submission,
    SubmissionLimits,
    to_limits,
    to_submission,
    whole_number,
)
from pipeline.kaggle.credentials import HOW_TO_GET_THEM, all_credentials
from pipeline.kaggle.limits import Limits, repeat
from pipeline.kaggle.package import load_api, silence
from pipeline.system import archive
from pipeline.system.errors import PipelineError
from pipeline.system.reporter import reporter

SUBMISSIONS_PAGE = f"{COMPETITION_PAGE}/submissions"
LIMITS = Limits()

T = TypeVar("T")


class Kaggle:
    """A login at Kaggle. Every method raises PipelineError, in words for the user."""

    def __init__(self) -> None:
        """Log in. Whatever is repeated or takes long is reported in a line."""
        if not (found := all_credentials()):
            raise PipelineError("There are no Kaggle credentials.", remedy=HOW_TO_GET_THEM)
        credentials, *unused = found
        if credentials.is_open_to_others:
            where = shlex.quote(str(Path(credentials.where).expanduser()))
            reporter().line(
                f"Other users of this machine can read your credentials. Run: chmod 600 {where}"
            )
        self._request = errors.Request("logging in", credentials, tuple(unused))
        self._api: Any = self._call("loading the kaggle package", partial(load_api, LIMITS))
        secrets = self._call("reading the credentials", self._api.secrets)
        self._request = replace(self._request, secrets=secrets)
        self._call("logging in", self._api.authenticate)
        # A token that Kaggle does not know is passed over in silence at login, yet sent later.
        if credentials.style == "token" and "token" not in self._api.config_values:
            raise errors.explain(SystemExit(), self._request)

    def download_competition(self, into: Path) -> Path:
        """Download all files of the competition into a folder as one zip, whole and readable."""
        doing = f"downloading the data of {COMPETITION}"
        return self._download(doing, into / f"{COMPETITION}.zip", self._api.download_competition)

    def download_dataset(self, slug: str, into: Path) -> Path:
        """Download the data set ``owner/name`` as one zip, whole and readable."""
        return self._download(
            f"downloading the data set {slug}",
            into / f"{slug.rpartition('/')[2]}.zip",
            partial(self._api.download_dataset, slug),
            errors.Subject(f"the data set {slug}", f"https://www.kaggle.com/datasets/{slug}"),
        )

    @property
    def username(self) -> str:
        """The account's name at Kaggle, as it stands in addresses."""
        name = str(self._api.config_values["username"])
        if not re.fullmatch(r"\w[\w-]*", name, re.ASCII):
            raise PipelineError(
                f'Kaggle names the account "{self.quote(name)}": that is no name of an account.',
                remedy=f"See {errors.SETTINGS}",
            )
        return name

    def competition_files(self) -> dict[str, int]:
        """Return the competition's files with their sizes in bytes, 0 where Kaggle tells none."""

        def ask() -> dict[str, int]:
            page = self._api.competition_list_files(COMPETITION, page_size=100)
            return {str(file.name): whole_number(file.total_bytes) for file in page.files}

        return self._call("listing the competition's files", ask)

    def submission_limits(self) -> SubmissionLimits:
        """Return how many submissions are left today (Kaggle's day begins at 00:00 UTC)."""

        def ask() -> SubmissionLimits:
            return to_limits(self._api.competition_get_submission_limits(COMPETITION))

        return self._call("asking how many submissions are left", ask)

    def submit(self, csv: Path, message: str) -> int:
        """Send a CSV and return its number at Kaggle.

        The upload may be repeated; what makes it a submission never is.
        Raises UnclearError if that last request went out and no answer came back.
        """
        doing = "sending the submission"
        token = self._call(doing, lambda: self._api.upload(csv))
        answer = self._call(
            doing, lambda: self._api.create_submission(token, message), unless=lambda _: True
        )
        if not isinstance(answer.ref, int) or not answer.ref:
            said = self.quote(str(answer.message or ""))
            raise errors.UnclearError(
                f'Kaggle gave the submission no number; it said: "{said}".',
                remedy=f"See {SUBMISSIONS_PAGE}",
            )
        return answer.ref

    def once(self, doing: str, request: Callable[[Any], T], about: errors.Subject) -> T:
        """Make a request that must not be done twice, and return its answer.

        It is repeated only where Kaggle did certainly not do it.  request: takes the package's API.
        Raises UnclearError if it may have been done, although it failed.
        """
        return self._call(doing, lambda: request(self._api), about, errors.may_have_arrived)

    def submission(self, ref: int) -> Submission:
        """Return how a submission stands."""

        def ask() -> Submission:
            found = self._to_submission(self._api.get_submission(ref))
            if found.ref != ref:
                raise ValueError(f"submission {found.ref} was told of")
            return found

        about = errors.Subject(f"submission {ref}", SUBMISSIONS_PAGE)
        return self._call("asking for its score", ask, about)

    def submissions(self) -> Iterator[Submission]:
        """Yield the account's submissions, newest first, asking for more as they are taken."""
        seen: set[int] = set()
        for number in range(1, 11):
            page = self._call("listing the submissions", partial(self._page, number))
            # A server that gives smaller pages, or repeats the last, ends here as well.
            fresh = [submission for submission in page if submission.ref not in seen]
            if not fresh:
                return
            yield from fresh
            seen.update(submission.ref for submission in fresh)

    def find_submission(
        self, mark: str, *, but_not: Collection[int], tries: int = 1
    ) -> Submission | None:
        """Return the newest submission with ``mark`` in its description, or None.

        but_not: numbers that are known already.  tries: how often to look; Kaggle's list may lag.
        """
        for remaining in reversed(range(tries)):
            for submission in self.submissions():
                if mark in submission.description and submission.ref not in but_not:
                    return submission
            if remaining:
                time.sleep(LIMITS.first_poll_seconds)
        return None

    def wait_for_score(self, ref: int, timeout_seconds: float) -> Submission:
        """Ask until the submission is scored or failed; return how it stands at the time limit."""
        end = time.monotonic() + timeout_seconds
        pause = LIMITS.first_poll_seconds
        submission = self.submission(ref)
        while not submission.is_settled and (left := end - time.monotonic()) > 0:
            time.sleep(min(pause, left))
            pause = min(pause * 1.5, LIMITS.longest_poll_seconds)
            submission = self.submission(ref)
        return submission

    def quote(self, said: str) -> str:
        """Return what Kaggle says as one short line without secrets."""
        return errors.quote(said, self._request.secrets)

    def _page(self, number: int) -> list[Submission]:
        page = self._api.competition_submissions(COMPETITION, page_number=number, page_size=100)
        return [self._to_submission(item) for item in page or ()]

    def _to_submission(self, answer: Any) -> Submission:
        submission = to_submission(answer)
        return replace(submission, error=self.quote(submission.error))

    def _download(
        self,
        doing: str,
        zip_path: Path,
        fetch: Callable[[Path], None],
        about: errors.Subject = errors.THE_COMPETITION,
    ) -> Path:
        """Download into a new folder at each try, so that no leftover is ever gone on with."""
        zip_path.parent.mkdir(parents=True, exist_ok=True)

        def attempt() -> None:
            with tempfile.TemporaryDirectory(dir=zip_path.parent, prefix=".download-") as folder:
                download = Path(folder) / zip_path.name
                fetch(download)
                try:
                    archive.check_whole(download)
                except PipelineError as error:
                    what = error.message.removeprefix(str(download)).strip()
                    raise errors.DamagedDownloadError(what) from None
                download.replace(zip_path)

        self._call(doing, attempt, about)
        return zip_path

    def _call(
        self,
        doing: str,
        function: Callable[[], T],
        about: errors.Subject = errors.THE_COMPETITION,
        unless: Callable[[BaseException], bool] | None = None,
    ) -> T:
        """Call it until it succeeds, and raise its failure as PipelineError.

        unless: given if nothing may be done twice: after which failures it is not repeated.
        """

        def attempt() -> T:
            with silence():
                return function()

        try:
            return repeat(attempt, LIMITS, doing=doing, unless=unless)
        except (Exception, SystemExit) as error:
            explained = errors.explain(error, replace(self._request, doing=doing, about=about))
            if unless and errors.may_have_arrived(error):
                raise errors.UnclearError(explained.message, remedy=explained.remedy) from None
            raise explained from None
