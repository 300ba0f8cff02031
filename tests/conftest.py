"""What every test shares: no sloppy arithmetic, no credentials of the person who runs it."""

import itertools
import os
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from filelock import FileLock

from pipeline.kaggle import client
from pipeline.kaggle.limits import Limits
from pipeline.plan.plan import Plan, make_plan
from pipeline.plan.workspace import Workspace
from pipeline.stages.download import download
from pipeline.stages.preprocess import preprocess
from pipeline.stages.submission import submission
from pipeline.stages.train import train
from pipeline.stages.validate import validate
from tests.browser import open_browser
from tests.kaggle_api import TOKEN
from tests.kaggle_server import KaggleServer
from tests.make_case import Built, make_all_from_nothing
from tests.practice_case import copy_practice, plan_of, write_competition_zip

if TYPE_CHECKING:
    from playwright.sync_api import Browser

# Settings of ours, and of the services that must never be reached from here.
FOREIGN = ("KAGGLE_", "DIGITS_", "MLFLOW_", "WANDB_", "REQUESTS_CA_", "CURL_CA_", "NETRC")


@pytest.fixture(autouse=True)
def _strict_arithmetic() -> Iterator[None]:
    """Overflow, division by zero and NaN are failures; underflow to zero is what exp does."""
    with np.errstate(all="raise", under="ignore"):
        yield


@pytest.fixture(scope="session")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """New folders. (The factory's own look at thousands of others before they name the next.)"""
    folder = tmp_path_factory.mktemp("homes")
    return (folder / str(number) for number in itertools.count())


@pytest.fixture(autouse=True)
def home(homes: Iterator[Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home and an environment without credentials, proxies or settings of ours."""
    folder = next(homes)
    folder.mkdir()
    for variable in list(os.environ):
        if variable.startswith(FOREIGN) or variable.lower().endswith("_proxy"):
            monkeypatch.delenv(variable)
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("DIGITS_TRACEBACK", "1")
    monkeypatch.setenv("DIGITS_KAGGLE_INPUT", str(folder / "no-kaggle-input"))
    return folder


@pytest.fixture
def kaggle_server(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[KaggleServer]:
    """A stand-in for Kaggle, with a token in the environment and little patience on our side."""
    patience = Limits(
        connect_seconds=2,
        read_seconds=0.5,
        attempts=3,
        first_pause_seconds=0.01,
        longest_pause_seconds=2,
        first_poll_seconds=0.01,
        longest_poll_seconds=0.02,
    )
    with KaggleServer() as server:
        monkeypatch.setattr(client, "LIMITS", patience)
        monkeypatch.setenv("KAGGLE_API_TOKEN", TOKEN)
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        yield server


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    """A browser for the tests of one module."""
    with open_browser() as opened:
        yield opened


def made_once(
    factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]
) -> tuple[Path, Any]:
    """Return a folder and what ``make`` returned for it, made once for all test processes."""
    root = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent
    folder, kept = root / name, root / f"{name}.pickle"
    with FileLock(root / f"{name}.lock"):
        if not kept.exists():
            folder.mkdir()
            kept.write_bytes(pickle.dumps(make(folder)))
    return folder, pickle.loads(kept.read_bytes())


@pytest.fixture(scope="session")
def practice_workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The practice digits, downloaded and processed once. A test that writes copies it."""

    def make(folder: Path) -> Workspace:
        data, submissions = folder / "data", folder / "submissions"
        plan = make_plan(source="practice", data=data, submissions=submissions, environment={})
        download(plan)
        preprocess(plan)
        return plan.workspace

    workspace: Workspace = made_once(tmp_path_factory, "practice", make)[1]
    return workspace


@pytest.fixture(scope="session")
def practice_run(practice_workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Plan:
    """A small run of the practice digits, validated, with its CSV. A test that writes copies it."""

    def make(folder: Path) -> Plan:
        plan = plan_of(copy_practice(practice_workspace, folder))
        for stage in (train, validate, submission):
            stage(plan)
        return plan

    plan: Plan = made_once(tmp_path_factory, "run", make)[1]
    return plan


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """A checkout in which ``make all`` went from nothing to its end. A test that writes copies it.

    It is at a path with spaces and other letters, and in the plainest of locales.
    """
    found: Built = made_once(
        tmp_path_factory, "make", lambda folder: make_all_from_nothing(folder / "dígits and $more")
    )[1]
    return found


@pytest.fixture(scope="session")
def competition_zip(
    practice_workspace: Workspace, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A zip with as many rows as the competition's, of practice digits over and over again."""

    def make(folder: Path) -> None:
        raw = practice_workspace.raw("practice")
        write_competition_zip(raw, folder / "digit-recognizer.zip")

    return made_once(tmp_path_factory, "competition", make)[0] / "digit-recognizer.zip"


# Files whose tests wait for whole runs or servers.
LONGEST = (
    *("test_makefile", "test_together", "test_conditions", "test_interruption", "test_scale"),
    *("test_killed", "test_mlflow", "test_dask_command", "test_notebook_run", "test_wandb"),
    "test_dask_document",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first: begun last, they would leave one process alone at the end."""
    items.sort(key=lambda item: item.path.stem not in LONGEST)


def pytest_configure(config: pytest.Config) -> None:
    """Give each of several test processes cores of its own: trainings on shared ones are slow."""
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    if worker and hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        share = cores[int(worker[2:]) :: int(os.environ["PYTEST_XDIST_WORKER_COUNT"])]
        os.sched_setaffinity(0, share or cores)
