"""The competition at Kaggle: log in, download, submit, ask for the score.

Every failure comes out as a PipelineError. Requests are repeated where that is safe, which
excludes sending a submission.
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

from pipeline.kaggle import errors
from pipeline.kaggle.answers import (
    Submission,
    SubmissionLimits,
    to_limits,
    to_submission,
    whole_number,
)
from pipeline.kaggle.credentials import HOW_TO_GET_THEM, find_credentials, find_unused_credentials
from pipeline.kaggle.guard import only_sound_zip, silence
from pipeline.kaggle.package import load_api
from pipeline.kaggle.retry import Limits, repeat
from pipeline.system.errors import PipelineError
from pipeline.system.reporter import reporter

COMPETITION = "digit-recognizer"
COMPETITION_PAGE = f"https://www.kaggle.com/competitions/{COMPETITION}"

T = TypeVar("T")

LIMITS = Limits()


def download_competition(into: Path) -> Path:
    """Download the competition's files into the folder ``into``; return the zip's path."""
    return Kaggle().download_competition(into)


def download_dataset(slug: str, into: Path) -> Path:
    """Download the data set ``owner/name`` into the folder ``into``; return the zip's path."""
    return Kaggle().download_dataset(slug, into)


class Kaggle:
    """A login at Kaggle. Every method raises PipelineError, in words for the user."""

    def __init__(self) -> None:
        """Log in. Whatever is repeated or takes long is reported in a line."""
        credentials = find_credentials()
        if credentials is None:
            raise PipelineError("There are no Kaggle credentials.", remedy=HOW_TO_GET_THEM)
        if credentials.is_open_to_others:
            where = shlex.quote(str(Path(credentials.where).expanduser()))
            reporter().line(
                f"Other users of this machine can read your credentials. Run: chmod 600 {where}"
            )
        self._credentials = credentials
        self._unused = tuple(find_unused_credentials())
        self._secrets: tuple[str, ...] = ()
        self._api: Any = self._call("loading the kaggle package", partial(load_api, LIMITS))
        self._secrets = self._call("reading the credentials", self._api.secrets)
        self._call("logging in", self._api.authenticate)
        # A token that Kaggle does not know is passed over in silence at login, yet sent later.
        if credentials.style == "token" and "token" not in self._api.config_values:
            raise errors.rejected_credentials(self._request("logging in"))

    def download_competition(self, into: Path) -> Path:
        """Download all files of the competition as one zip, whole and readable."""
        fetch = partial(self._api.competition_download_files, COMPETITION, force=True)
        doing = f"downloading the data of {COMPETITION}"
        return self._download(doing, into / f"{COMPETITION}.zip", fetch)

    def download_dataset(self, slug: str, into: Path) -> Path:
        """Download the data set ``owner/name`` as one zip, whole and readable."""
        fetch = partial(self._api.dataset_download_files, slug, force=True)
        path = into / f"{slug.rpartition('/')[2]}.zip"
        return self._download(f"downloading the data set {slug}", path, fetch, dataset=slug)

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
        Raises UnclearSubmissionError if that last request went out and no answer came back.
        """
        doing = "sending the submission"
        self._api.uploaded = False
        try:
            answer = self._repeat(
                doing,
                lambda: self._api.competition_submit(str(csv), message, COMPETITION, quiet=True),
                unless=lambda: self._api.uploaded,
            )
        except (Exception, SystemExit) as error:
            explained = errors.explain(error, self._request(doing))
            if self._api.uploaded and not errors.is_refusal(error):
                raise errors.UnclearSubmissionError(
                    explained.message, remedy=explained.remedy
                ) from None
            raise explained from None
        if not isinstance(answer.ref, int) or not answer.ref:
            said = self.quote(str(answer.message or ""))
            raise errors.UnclearSubmissionError(
                f'Kaggle gave the submission no number; it said: "{said}".',
                remedy=f"See {COMPETITION_PAGE}/submissions",
            )
        return answer.ref

    def submission(self, ref: int) -> Submission:
        """Return how a submission stands."""

        def ask() -> Submission:
            found = self._to_submission(self._api.get_submission(ref))
            if found.ref != ref:
                raise ValueError(f"submission {found.ref} was told of")
            return found

        return self._call("asking for its score", ask, subject=f"submission {ref}")

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

    def once(self, doing: str, request: Callable[[Any], T], *, subject: str, page: str) -> T:
        """Make a request that must not be made twice, and return its answer.

        request: takes the package's API.  subject, page: what it is about, and its address.
        It is repeated only where Kaggle did certainly not do it.
        """
        unclear = False

        def attempt() -> T:
            nonlocal unclear
            try:
                return request(self._api)
            except Exception as error:
                unclear = errors.may_have_arrived(error)
                raise

        try:
            return self._repeat(doing, attempt, unless=lambda: unclear)
        except (Exception, SystemExit) as error:
            about = replace(self._request(doing), subject=subject, page=page)
            explained = errors.explain(error, about)
            if not unclear:
                raise explained from None
            raise PipelineError(
                f"{explained.message} Whether it was done all the same is not known.",
                remedy=f"Look at {page} ; if it was not, run the same command again.",
            ) from None

    def quote(self, said: str) -> str:
        """Return what Kaggle says as one short line without secrets."""
        return errors.quote(said, self._secrets)

    def _page(self, number: int) -> list[Submission]:
        page = self._api.competition_submissions(COMPETITION, page_number=number, page_size=100)
        return [self._to_submission(item) for item in page or ()]

    def _to_submission(self, answer: Any) -> Submission:
        submission = to_submission(answer)
        return replace(submission, error=self.quote(submission.error))

    def _download(
        self, doing: str, zip_path: Path, fetch: Callable[..., None], dataset: str | None = None
    ) -> Path:
        """Download into a new folder at each try, so that no leftover is ever gone on with."""
        zip_path.parent.mkdir(parents=True, exist_ok=True)

        def once() -> None:
            with tempfile.TemporaryDirectory(dir=zip_path.parent, prefix=".download-") as folder:
                fetch(path=folder)
                only_sound_zip(Path(folder)).replace(zip_path)

        self._call(doing, once, dataset=dataset)
        return zip_path

    def _call(
        self,
        doing: str,
        function: Callable[[], T],
        *,
        dataset: str | None = None,
        subject: str | None = None,
    ) -> T:
        """Call what may be repeated, and raise its failure as PipelineError."""
        try:
            return self._repeat(doing, function)
        except (Exception, SystemExit) as error:
            about = self._request(doing, dataset)
            if subject:
                about = replace(about, subject=subject, page=f"{COMPETITION_PAGE}/submissions")
            raise errors.explain(error, about) from None

    def _repeat(
        self, doing: str, function: Callable[[], T], unless: Callable[[], bool] = lambda: False
    ) -> T:
        def once() -> T:
            with silence():
                return function()

        return repeat(once, LIMITS, doing=doing, unless=unless)

    def _request(self, doing: str, dataset: str | None = None) -> errors.Request:
        return errors.Request(
            doing=doing,
            subject=f"the data set {dataset}" if dataset else f"the competition {COMPETITION}",
            page=f"https://www.kaggle.com/datasets/{dataset}" if dataset else COMPETITION_PAGE,
            credentials=self._credentials,
            unused=self._unused,
            secrets=self._secrets,
        )
