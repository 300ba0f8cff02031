"""Try the steps of the Dockerfile without docker, in copies of a Debian folder.

    debootstrap --variant=minbase --include=ca-certificates,python3-pip,python3-venv bookworm ROOT
    python -m tests.container ROOT WORK [--competition ZIP] [--certificates FILE]

needs root, Linux, and a network to Debian and PyPI. The Debian folder stands in for the base image.
Each stage becomes a folder below WORK, and each RUN runs in there, by chroot in namespaces of its
own; so what is mounted is gone with it. Then the image's command runs on empty folders of
artefacts, as ``docker run`` would run it. Not tried: the base image itself, BuildKit and its cache.
"""

import argparse
import json
import os
import shlex
import shutil
import string
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from tests.dockerfile import Instruction, Stage, is_in_context, read_stages
from tests.kaggle_api import TOKEN
from tests.kaggle_server import KaggleServer
from tests.practice_case import REPOSITORY

BASE_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
SECRET = "/run/secrets/kaggle_token"


@dataclass(frozen=True)
class Image:
    """A root folder, and how a process in it starts."""

    root: Path
    environment: Mapping[str, str] = field(default_factory=lambda: {"PATH": BASE_PATH})
    arguments: Mapping[str, str] = field(default_factory=dict)
    folder: str = "/"
    user: str = "0:0"
    command: tuple[str, ...] = ()

    def run(
        self,
        command: tuple[str, ...],
        *,
        mounts: Mapping[str, Path],
        variables: Mapping[str, str],
        check: bool = True,
    ) -> int:
        """Run a command as process 1, with ``mounts`` at their places; return its exit code."""
        script = [
            shlex.join(["mount", "-t", kind, kind, str(self.root / place)])
            for kind, place in (("proc", "proc"), ("tmpfs", "dev/shm"))
        ]
        for inside, outside in mounts.items():
            target = self.root / inside.lstrip("/")
            script.append(shlex.join(["mount", "--bind", str(outside), str(target)]))
        environment = {**self.environment, **variables}
        settings = [f"{name}={value}" for name, value in environment.items()]
        entered = ["chroot", f"--userspec={self.user}", "--groups=", str(self.root)]
        started = ["/usr/bin/env", "-i", "-C", self.folder, *settings, *command]
        script.append("exec " + shlex.join([*entered, *started]))
        namespaces = ["unshare", "--mount", "--pid", "--fork", "--kill-child"]
        done = subprocess.run([*namespaces, "sh", "-ec", "\n".join(script)], check=False)
        if check and done.returncode:
            sys.exit(f"failed with {done.returncode}: {shlex.join(command)}")
        return done.returncode


@dataclass(frozen=True)
class Trial:
    """Where things are while the stages are made.

    mounts, variables: what every RUN is given on this machine.  secret: the token's file or None.
    server: the variables with which Kaggle's package comes to its stand-in.
    """

    base: Path
    work: Path
    mounts: Mapping[str, Path]
    secret: Path | None
    server: Mapping[str, str]

    def make(self, stages: list[Stage]) -> Image:
        """Make all stages; return the last one's image."""
        made: dict[str, Image] = {}
        image = Image(self.base)
        for number, stage in enumerate(stages):
            image = made.get(stage.base, Image(self.base))
            if stage.instructions:
                root = self.work / (stage.name or f"stage-{number}")
                print(f"== FROM {stage.base}: {root}", flush=True)
                subprocess.run(["cp", "-a", str(image.root), str(root)], check=True)
                image = replace(image, root=root)
            for instruction in stage.instructions:
                start = time.perf_counter()
                print(f"-- {instruction.name} {instruction.text}", flush=True)
                image = self._follow(instruction, image, made)
                print(f"   {time.perf_counter() - start:.1f} s", flush=True)
            made[stage.name] = image
        return image

    def _follow(self, instruction: Instruction, image: Image, made: dict[str, Image]) -> Image:
        text = instruction.text
        match instruction.name:
            case "RUN":
                self._run(instruction, image)
            case "COPY":
                self._copy(instruction, image, made)
            case "WORKDIR":
                (image.root / text.lstrip("/")).mkdir(parents=True, exist_ok=True)
                image = replace(image, folder=text)
            case "ARG":
                name = text.partition("=")[0]
                assert name == "COMMIT", name
                image = replace(image, arguments={**image.arguments, name: COMMIT})
            case "ENV":
                known = {**image.arguments, **image.environment}
                pairs = [pair.partition("=") for pair in shlex.split(text)]
                new = {name: string.Template(value).substitute(known) for name, _, value in pairs}
                image = replace(image, environment={**image.environment, **new})
            case "USER":
                image = replace(image, user=text)
            case "CMD":
                image = replace(image, command=tuple(json.loads(text)))
            case other:
                sys.exit(f"{other}: not known here")
        return image

    def _run(self, instruction: Instruction, image: Image) -> None:
        mounts, variables = dict(self.mounts), dict[str, str]()
        place = image.root / SECRET.lstrip("/")
        if mount := instruction.flags.get("mount"):
            assert mount == "type=secret,id=kaggle_token", mount
            if self.secret is not None:
                place.parent.mkdir(parents=True)
                place.touch()
                mounts[SECRET] = self.secret
                variables.update(self.server)
        image.run(("/bin/sh", "-c", instruction.text), mounts=mounts, variables=variables)
        if place.exists():
            assert place.read_bytes() == b""
            shutil.rmtree(place.parent)

    def _copy(self, instruction: Instruction, image: Image, made: dict[str, Image]) -> None:
        *sources, target = instruction.text.split()
        origin = instruction.flags.get("from")
        into = image.root / str(PurePosixPath(image.folder, target)).lstrip("/")
        if origin is not None:
            # Of a folder, COPY takes what is in it.
            (source,) = sources
            into.mkdir(parents=True, exist_ok=True)
            there = made[origin].root / source.lstrip("/")
            subprocess.run(["cp", "-a", f"{there}/.", str(into)], check=True)
            return
        ignored = (REPOSITORY / ".dockerignore").read_text(encoding="utf-8").splitlines()
        for source in sources:
            path = REPOSITORY / source
            files = sorted(path.rglob("*")) if path.is_dir() else [path]
            assert files, source
            for file in files:
                inside = PurePosixPath(file.relative_to(REPOSITORY))
                if file.is_file() and is_in_context(inside, ignored):
                    below = file.relative_to(path) if path.is_dir() else Path(file.name)
                    (into / below).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy2(file, into / below)


def state(root: Path) -> dict[str, tuple[int, int, int]]:
    """Mode, size and time of everything in a root folder; proc is the kernel's."""
    found = {}
    for folder, folders, names in os.walk(root):
        if Path(folder) == root:
            folders.remove("proc")
        for path in (Path(folder, name) for name in [*folders, *names]):
            told = path.lstat()
            size = 0 if path.is_dir() else told.st_size
            found[str(path.relative_to(root))] = (told.st_mode, size, told.st_mtime_ns)
    return found


def changed(before: dict[str, tuple[int, int, int]], root: Path) -> list[str]:
    """What is new, gone or other in a root folder; the places of temporary files apart."""
    after = state(root)
    names = sorted(before.keys() | after.keys())
    other = [name for name in names if before.get(name) != after.get(name)]
    return [name for name in other if name.split("/")[0] != "tmp"]


def megabytes(*folders: Path) -> int:
    """How much folders take on the disk."""
    done = subprocess.run(
        ["du", "-smc", *map(str, folders)], capture_output=True, text=True, check=True
    )
    return int(done.stdout.split()[-2])


def try_run(image: Image, work: Path, user: str, server: Mapping[str, str]) -> None:
    """Run the image's command on empty folders of artefacts, then look at what there is."""
    artefacts = work / f"artefacts-{user.replace(':', '-')}"
    mounts = {"/app/data": artefacts / "data", "/app/submissions": artefacts / "submissions"}
    uid, gid = map(int, user.split(":"))
    for folder in mounts.values():
        folder.mkdir(parents=True)
        os.chown(folder, uid, gid)
    before = state(image.root)
    image = replace(image, user=user)
    command = (*image.command, "RECIPE=smoke")
    print(f"== as {user}: {shlex.join(command)}", flush=True)
    image.run(command, mounts=mounts, variables={})
    print(f"== again: {shlex.join(command)}", flush=True)
    image.run(command, mounts=mounts, variables={})
    if server:
        variables = {**server, "KAGGLE_API_TOKEN": TOKEN}
        submit = ("make", "submit", "RECIPE=smoke")
        print(f"== as {user}: {shlex.join(submit)}", flush=True)
        image.run(submit, mounts=mounts, variables=variables)
    image.run(("make", "help"), mounts=mounts, variables={})
    (record,) = artefacts.glob("data/runs/*/training.json")
    told = json.loads(record.read_text(encoding="utf-8"))
    assert COMMIT in json.dumps(told), "the record names no commit"
    written = sorted(path for path in artefacts.rglob("*") if path.is_file())
    assert {path.stat().st_uid for path in written} == {uid}
    print(*(f"   {path.relative_to(artefacts)}" for path in written), sep="\n")
    assert changed(before, image.root) == [], "written outside of the mounted folders"
    print(f"   in /tmp: {sorted(path.name for path in (image.root / 'tmp').iterdir())}")
    assert not holding(TOKEN, artefacts)
    image.run(("make", "clean"), mounts=mounts, variables={})
    assert [path.name for path in (artefacts / "data").iterdir()] == ["raw"]


def holding(text: str, *folders: Path) -> list[str]:
    """The files in which a text stands."""
    search = ["grep", "-rlF", "--devices=skip", "--exclude-dir=proc", "-e", text]
    done = subprocess.run(
        [*search, *map(str, folders)], capture_output=True, text=True, check=False
    )
    return done.stdout.split()


def main() -> None:
    """Make the stages, run the image's command under two users, look for the token."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("root", type=Path, help="a Debian with Python, pip and venv")
    parser.add_argument("work", type=Path, help="a new folder, of some gigabytes")
    parser.add_argument("--competition", type=Path, help="a zip that a stand-in for Kaggle gives")
    parser.add_argument("--certificates", type=Path, help="what this machine's network needs")
    given = parser.parse_args()
    work: Path = given.work.absolute()
    work.mkdir(parents=True)
    mounts = {"/etc/resolv.conf": Path("/etc/resolv.conf")}
    if given.certificates:
        mounts["/etc/ssl/certs/ca-certificates.crt"] = given.certificates.absolute()
    with ExitStack() as stack:
        secret, server = None, dict[str, str]()
        if given.competition:
            kaggle = stack.enter_context(KaggleServer())
            kaggle.kaggle.competition_zip = given.competition.absolute()
            server = kaggle.environment
            secret = work / "token"
            secret.write_text(TOKEN)
            secret.chmod(0o400)
        trial = Trial(given.root.absolute(), work, mounts, secret, server)
        image = trial.make(read_stages(REPOSITORY / "Dockerfile"))
        for user in (image.user, "12345:23456"):
            try_run(image, work, user, server)
    roots = [path for path in work.iterdir() if (path / "app").is_dir() or (path / "opt").is_dir()]
    assert not holding(TOKEN, *roots), "the token is in the image"
    packages, app = image.root / "opt/venv", image.root / "app"
    print(f"base {megabytes(trial.base)} MB, image {megabytes(image.root)} MB,", end=" ")
    print(f"of which packages {megabytes(packages)} MB and app {megabytes(app)} MB")


if __name__ == "__main__":
    main()
