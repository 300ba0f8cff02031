"""The competition at Kaggle: log in, download, submit, ask for the score.

Every failure comes out as a PipelineError. Requests are repeated where that is safe, which
excludes what makes a submission.
"""

import re
import shlex
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from pipeline.kaggle import COMPETITION, COMPETITION_PAGE, SETTINGS, errors, surroundings
from pipeline.kaggle.answers import (
    ListedSubmission,
    Submission,
    SubmissionLimits,
    to_limits,
    to_listed,
    to_ref,
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
        is_local = surroundings.check()
        secrets = [secret for each in found for secret in each.secrets]
        secrets += surroundings.proxy_passwords()
        self._request = errors.Request("logging in", credentials, tuple(unused))
        self._hide(secrets)
        load = partial(load_api, credentials, LIMITS, is_local=is_local)
        self._api: Any = self._call("loading the kaggle package", load)
        self._call("logging in", self._api.authenticate)
        self._hide([*secrets, self._api.config_values.get("token", "")])

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
                remedy=f"See {SETTINGS}",
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

    def upload(self, csv: Path) -> str:
        """Send a CSV and return what it is called at Kaggle; nothing is a submission by that."""
        token: str = self._call("sending the submission", lambda: self._api.upload(csv))
        return token

    def submit(self, uploaded: str, message: str) -> int:
        """Make what was uploaded a submission, and return its number at Kaggle.

        It is asked once, whatever fails.
        Raises UnclearError if the request went out and no answer, or no clear one, came back.
        """
        answer = self._call(
            "sending the submission",
            lambda: self._api.create_submission(uploaded, message),
            unless=lambda _: True,
        )
        try:
            return to_ref(answer.ref)
        except TypeError:
            said = self.quote(str(answer.message or ""))
            raise errors.UnclearError(
                f'Kaggle gave the submission no number; it said: "{said}".',
                remedy=f"See {SUBMISSIONS_PAGE}",
            ) from None

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

    def submissions(self, mark: str) -> Iterator[ListedSubmission]:
        """Yield the account's submissions with ``mark`` in their description, newest first.

        More are asked for as they are taken. Others may be as strange as they like.
        """
        seen: set[str] = set()
        for number in range(1, 11):
            page, found = self._call("listing the submissions", partial(self._page, number, mark))
            # A server that gives smaller pages, or repeats the last, ends here as well.
            if page <= seen:
                return
            yield from (submission for ref, submission in found if ref not in seen)
            seen |= page

    def find_submission(self, mark: str, *, tries: int = 1) -> ListedSubmission | None:
        """Return the newest submission with ``mark`` in its description, or None.

        tries: how often to look; Kaggle's list may lag.
        """
        for remaining in reversed(range(tries)):
            if found := next(self.submissions(mark), None):
                return found
            if remaining:
                time.sleep(LIMITS.first_poll_seconds)
        return None

    def now(self) -> datetime:
        """Return the time by Kaggle's clock, as far as its last answer told it; else by ours.

        What is told by the same clock can be compared, however wrong that of this machine is.
        """
        now: datetime = self._api.now()
        return now

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

    def _hide(self, secrets: Iterable[str]) -> None:
        """Never show these texts; of shorter ones, too much else would be hidden."""
        found = tuple(secret for secret in secrets if len(secret) >= 4)
        self._request = replace(self._request, secrets=found)

    def _page(self, number: int, mark: str) -> tuple[set[str], list[tuple[str, ListedSubmission]]]:
        """All numbers of a page as they were told, and those submissions that have the mark."""
        page = [(repr(told.get("ref")), told) for told in self._api.list_submissions(number)]
        marked = [(ref, told) for ref, told in page if mark in str(told.get("description"))]
        return {ref for ref, _ in page}, [(ref, to_listed(told)) for ref, told in marked]

    def _to_submission(self, answer: Any) -> Submission:
        submission = to_submission(answer)
        return submission.model_copy(update={"error": self.quote(submission.error)})

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
