"""Commands as people type them, each in a folder that is ready for it."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pipeline.plan.plan import Plan, Source
from pipeline.plan.workspace import Workspace
from pipeline.recipes.file import find_recipe
from pipeline.stages.download import download
from pipeline.stages.preprocess import preprocess
from pipeline.stages.submission import submission
from pipeline.stages.train import train
from pipeline.stages.validate import validate
from tests.kaggle_api import TOKEN, Kaggle
from tests.kaggle_server import KaggleServer
from tests.practice_case import (
    command,
    copy_quickly,
    environment,
    plan_of,
    write_competition_zip,
)
from tests.submit_case import RUN, Case

PRACTICE = ("--source", "practice", "--recipe", "smoke")
EPOCHS = ("--set", "training.epochs=6")
REFIT = ("--set", "training.epochs=4 split.refit=true")
FOLDS = ("--set", "training.epochs=2", "--folds", "2")
AGAIN = ("--force", "1")


@dataclass(frozen=True)
class Scene:
    """A command, and the artefacts that are there before it.

    ready: a folder with data and submissions, which is copied and never changed.
    served: the zip that the stand-in for Kaggle has; None if the command asks for nothing there.
    """

    stage: str
    name: str
    options: tuple[str, ...]
    ready: Path
    served: Path | None = None

    def set_up(self, folder: Path) -> None:
        """Copy what is there before the command, quickly."""
        shutil.copytree(self.ready, folder, copy_function=copy_quickly)
        for name in ("data", "submissions", "home", "tmp"):
            (folder / name).mkdir(exist_ok=True)

    def command(self, folder: Path) -> list[str]:
        places = ("--data", folder / "data", "--submissions", folder / "submissions")
        return command(self.stage, *self.options, *places)

    def environment(self, folder: Path, server: KaggleServer | None) -> dict[str, str]:
        """That of the child: with a home and a place for temporary files of its own."""
        own = {"HOME": str(folder / "home"), "TMPDIR": str(folder / "tmp")}
        if server is not None:
            own |= {"KAGGLE_API_TOKEN": TOKEN, **server.environment}
        kept = environment(**own)
        return {name: kept[name] for name in kept if not _is_foreign(name) or name in own}

    @contextmanager
    def server(self) -> Iterator[KaggleServer | None]:
        """Run the stand-in for Kaggle, if the command asks it for anything."""
        if self.served is None:
            yield None
            return
        with KaggleServer() as server:
            server.kaggle.competition_zip = self.served
            server.kaggle.polls = 0
            yield server


def _is_foreign(name: str) -> bool:
    return name.startswith("KAGGLE_") or name.lower().endswith("_proxy")


class Scenes:
    """All scenes, prepared below one folder as they are asked for."""

    def __init__(self, folder: Path, practice: Workspace | None = None) -> None:
        """practice: a workspace in which the practice digits are processed, if there is one."""
        self._folder = folder
        self._processed = practice or self._workspace("processed")
        if practice is None:
            plan = plan_of(self._processed)
            download(plan)
            preprocess(plan)

    def of(self, stage: str) -> list[Scene]:
        """Return the scenes of a stage; the first is the plainest."""
        found: list[Scene] = getattr(self, stage)()
        return found

    def download(self) -> list[Scene]:
        served = self.competition_zip()
        nothing = self._workspace("nothing").data.parent
        there = self._workspace("downloaded")
        shutil.copytree(self._processed.raw("practice").folder, there.raw("kaggle").folder)
        kaggle = ("--source", "kaggle")
        return [
            Scene("download", "from nothing", kaggle, nothing, served),
            Scene("download", "again", (*kaggle, *AGAIN), there.data.parent, served),
        ]

    def preprocess(self) -> list[Scene]:
        raw = self._workspace("raw")
        self._copy(self._processed, raw, "raw")
        ready = self._trained("plain", EPOCHS)
        return [
            Scene("preprocess", "from nothing", PRACTICE, raw.data.parent),
            Scene("preprocess", "again", (*PRACTICE, *AGAIN), ready),
        ]

    def train(self) -> list[Scene]:
        ready = self._ready()
        return [
            Scene("train", "a network", (*PRACTICE, *EPOCHS), ready),
            Scene("train", "with a refit", (*PRACTICE, *REFIT), ready),
            Scene("train", "two folds", (*PRACTICE, *FOLDS), ready),
            Scene("train", "an ensemble", ("--source", "practice", *self._ensemble()), ready),
            Scene("train", "again", (*PRACTICE, *EPOCHS, *AGAIN), self._trained("plain", EPOCHS)),
        ]

    def validate(self) -> list[Scene]:
        plain, folds = self._trained("plain", EPOCHS), self._trained("folds", FOLDS)
        validated = self._trained("plain", EPOCHS, validated=True)
        return [
            Scene("validate", "a network", (*PRACTICE, *EPOCHS), plain),
            Scene("validate", "two folds", (*PRACTICE, *FOLDS), folds),
            Scene("validate", "again", (*PRACTICE, *EPOCHS, *AGAIN), validated),
        ]

    def submission(self) -> list[Scene]:
        refit = self._trained("refit", REFIT, validated=True)
        folds = self._trained("folds", FOLDS, validated=True)
        sent = self._trained("plain", EPOCHS, validated=True, submitted=True)
        return [
            Scene("submission", "of a refit", (*PRACTICE, *REFIT), refit),
            Scene("submission", "two folds", (*PRACTICE, *FOLDS), folds),
            Scene("submission", "again", (*PRACTICE, *EPOCHS, *AGAIN), sent),
        ]

    def submit(self) -> list[Scene]:
        workspace = self._workspace("submit")
        source, recipe = Source("kaggle", "kaggle"), find_recipe("mlp")
        Case(Plan(workspace, source, recipe, None, (), RUN), Kaggle()).put_rows(28_000)
        options = ("--source", "kaggle", "--run", RUN)
        unused = self._folder / "unused.zip"
        return [Scene("submit", "a CSV", options, workspace.data.parent, unused)]

    def competition_zip(self) -> Path:
        """A zip of the competition's size."""
        path = self._folder / "digit-recognizer.zip"
        if not path.exists():
            write_competition_zip(self._processed.raw("practice"), path)
        return path

    def _workspace(self, name: str) -> Workspace:
        folder = self._folder / name
        for part in ("data", "submissions"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        return Workspace(folder / "data", folder / "submissions")

    def _copy(self, source: Workspace, target: Workspace, *parts: str) -> None:
        for part in parts:
            shutil.copytree(source.data / part, target.data / part, copy_function=copy_quickly)

    def _ready(self) -> Path:
        """The digits processed, and nothing trained."""
        folder = self._folder / "ready"
        if not folder.exists():
            self._copy(self._processed, self._workspace("ready"), "raw", "processed")
        return folder

    def _trained(
        self,
        name: str,
        options: tuple[str, ...],
        *,
        validated: bool = False,
        submitted: bool = False,
    ) -> Path:
        """A finished run, as far as is asked for."""
        folder = self._folder / f"{name}-{validated:d}{submitted:d}"
        if not folder.exists():
            workspace = self._workspace(folder.name)
            self._copy(self._processed, workspace, "raw", "processed")
            given = dict(zip(options[::2], options[1::2], strict=True))
            folds = int(given["--folds"]) if "--folds" in given else None
            plan = plan_of(workspace, overrides=given["--set"], folds=folds)
            train(plan)
            if validated:
                validate(plan)
            if submitted:
                submission(plan)
        return folder

    def _ensemble(self) -> tuple[str, ...]:
        path = self._folder / "pair.toml"
        own = '["training.epochs=2"]'
        path.write_text(
            'description = "Two seeds"\n[ensemble]\nmembers = [\n'
            + "".join(f'  {{ recipe = "smoke", seed = {n}, set = {own} }},\n' for n in (3, 4))
            + "]\n",
            encoding="utf-8",
        )
        return ("--recipe", str(path))
