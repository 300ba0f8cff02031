"""Secrets: planted everywhere, then looked for in everything that the pipeline left and said."""

import base64
import gzip
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, quote_plus

from tests.kaggle_api import KEY, TOKEN, USERNAME, Status
from tests.kaggle_server import KaggleServer
from tests.practice_case import REPOSITORY, environment
from tests.stress.kaggle_case import RUN, STARTER, competition_zip, prepare
from tests.stress.table import Table

COLUMNS = ("where it was looked for", "files, lines or requests searched", "found")
# Texts that look otherwise where they are quoted; W&B takes keys of 40 characters only.
PLANTED = {
    "token": TOKEN,
    "key": KEY,
    "file": "planted-file+token/0123456789==",
    "wandb": "0123456789abcdefplanted0wandb0key0secret",
    "mlflow": 'planted"mlflow\\pass+word/0123456789',
    "proxy": "planted-proxy+pass/word-0123456789",
    "address": "planted-address%password-0123456789",
}
QUOTED = {name: quote(secret, safe="") for name, secret in PLANTED.items()}
NOWHERE = "127.0.0.1:9"
CRASHING = """
from pipeline.stages import STAGE as stage
def crash(*_, **__):
    raise RuntimeError("forced")
stage.files.write_json = stage.files.sha256 = crash
"""
SECONDS = 180


@dataclass
class Place:
    """A folder in which commands run, the server they talk to, and all that they said."""

    folder: Path
    server: KaggleServer
    said: list[str] = field(default_factory=list)
    titles: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def run(
        self, *arguments: str, before: str = "", codes: tuple[int, ...] = (0,), **more: str
    ) -> None:
        """Run a command of the pipeline to its end. A variable of "" is taken away.

        before: Python for the process to begin with.  codes: with which it may end.
        """
        variables = {**self._variables(), **more}
        process = subprocess.Popen(
            [sys.executable, "-c", before + STARTER, *arguments],
            cwd=self.folder,
            env={name: value for name, value in variables.items() if value},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="backslashreplace",
        )
        while True:
            try:
                output, _ = process.communicate(timeout=0.2)
                break
            except subprocess.TimeoutExpired:
                self.titles += _titles()
        self.said += output.splitlines()
        if process.returncode not in codes:
            last = output.strip().splitlines()[-1:]
            self.faults.append(f"`{' '.join(arguments)}` ended with {process.returncode}: {last}")

    def _variables(self) -> dict[str, str]:
        login = f"someone:{QUOTED['proxy']}"
        ours = {
            name: value
            for name, value in environment().items()
            if not name.lower().endswith("_proxy") and not name.startswith("KAGGLE_")
        }
        return ours | {
            "PYTHONPATH": str(REPOSITORY),
            "PYTHONDONTWRITEBYTECODE": "1",
            "HOME": str(self.folder / "home"),
            "TMPDIR": str(self.folder / "temporary"),
            "DIGITS_KAGGLE_INPUT": str(self.folder / "no-kaggle-input"),
            "KAGGLE_API_ENVIRONMENT": "LOCALHOST",
            "KAGGLE_API_TOKEN": TOKEN,
            "http_proxy": f"http://{login}@127.0.0.1:{self.server.server_port}",
            "https_proxy": f"http://{login}@{NOWHERE}",
            "no_proxy": "127.0.0.1",
            "WANDB_API_KEY": PLANTED["wandb"],
            "WANDB_MODE": "offline",
            "MLFLOW_TRACKING_USERNAME": "someone",
            "MLFLOW_TRACKING_PASSWORD": PLANTED["mlflow"],
        }


def secrets(folder: Path, *, seed: int, tell: Callable[[str], None]) -> Table:
    """Go through every command with planted secrets, well and badly, and look for them."""
    place_folder = folder / "place"
    for name in ("home/.kaggle", "temporary"):
        (place_folder / name).mkdir(parents=True)
    prepare(place_folder, competition_zip(folder))
    own = _own_files(place_folder / "home" / ".kaggle")
    mask = os.umask(0)  # files of ours get all that they ask for
    try:
        with KaggleServer() as server:
            server.kaggle.tokens.add(PLANTED["file"])
            server.kaggle.competition_zip = folder / "competition.zip"
            place = Place(place_folder, server)
            for step in (_stages, _tracking, _kaggle, _legacy, _crashes):
                step(place, seed)
                tell(f"{step.__name__.strip('_')}: {len(place.said)} lines so far")
            strangers = [seen for seen in server.kaggle.seen if seen.host != "localhost"]
            told = [f"{seen.authorization} {seen.body}" for seen in strangers]
    finally:
        os.umask(mask)
    for path in own:
        if path.stat().st_mode & 0o777 != 0o600:
            place.faults.append(f"{path.name} has another mode than before")
    rows = []
    searched = [(name, contents(place_folder / name, own)) for name in _rooms(place_folder)]
    lines = [
        ("standard output and error, tracebacks included", place.said),
        ("titles of processes", sorted(set(place.titles))),
        ("requests to the storage and other hosts", told),
    ]
    searched += [(name, ((line[:40], line.encode()) for line in text)) for name, text in lines]
    for name, found_there in searched:
        count, found = 0, []
        for where, content in found_there:
            count += 1
            found += [f"the {what} in {where}" for what in found_in(content)]
        rows.append([name, f"{count:,}", ", ".join(found) or "nothing"])
        place.faults += [f"{name}: {each}" for each in found]
    total = sum(len(forms(secret)) for secret in PLANTED.values())
    summary = (
        f"{len(PLANTED)} secrets were planted: tokens, keys, and the passwords of proxies and "
        f"addresses. After all stages, failures and crashes they were looked for in {total} "
        f"spellings. {len(place.faults)} expectations did not hold."
    )
    return Table(summary, COLUMNS, rows, place.faults)


def forms(secret: str) -> set[bytes]:
    """The secret as it is, and as JSON, Python, addresses and base64 spell it."""
    texts = {
        secret,
        json.dumps(secret)[1:-1],
        repr(secret)[1:-1],
        quote(secret),
        quote_plus(secret),
    }
    texts |= {quote(secret, safe=""), quote(quote(secret, safe=""), safe="")}
    spelled = {text.encode() for text in texts}
    for user in ("", "someone:", f"{USERNAME}:"):
        spelled.add(base64.b64encode(f"{user}{secret}".encode()).rstrip(b"=")[:-1])
    # In the middle of something longer, base64 begins at one of three places.
    for lead in (1, 2):
        encoded = base64.b64encode(b"x" * lead + secret.encode())
        spelled.add(encoded[4:].rstrip(b"=")[:-1])
    return spelled


def found_in(content: bytes) -> list[str]:
    """The names of the secrets that the bytes hold in any of their forms."""
    return [
        name for name, spelled in FORMS.items() if any(spelling in content for spelling in spelled)
    ]


FORMS = {name: forms(secret) for name, secret in PLANTED.items()}


def _stages(place: Place, seed: int) -> None:
    this = ("--source", "practice", "--recipe", "smoke", "--seed", str(seed))
    other = (*this[:-1], str(seed + 1))
    place.run("download", *this)
    place.run("preprocess", *this)
    for run in (this, other):
        for stage in ("train", "validate", "submission", "summary"):
            place.run(stage, *run)
    names = [f"practice-smoke-seed{number}" for number in (seed, seed + 1)]
    place.run("report", *this)
    place.run("compare", *names)
    place.run("errors", *this)
    place.run("trace", names[0], codes=(0, 1))
    place.run("runs")
    place.run("notebook", *this)
    address = f"https://someone:{QUOTED['address']}@127.0.0.1/digits.zip"
    # As make hands it over: what is typed as an argument, everybody on the machine can see.
    place.run("download", codes=(1,), DIGITS_SOURCE=address)
    place.run("train", "--source", "practice", codes=(1,), DIGITS_RECIPE=f"{address}.toml")


def _tracking(place: Place, seed: int) -> None:
    this = ("--source", "practice", "--recipe", "smoke", "--seed", str(seed))
    nowhere = f"http://someone:{QUOTED['address']}@{NOWHERE}/mlflow?token={QUOTED['mlflow']}"
    place.run("validate", *this, "--track", "mlflow", MLFLOW_TRACKING_URI=nowhere)
    place.run("validate", *this, "--track", "mlflow")
    place.run("validate", *this, "--track", "wandb")


def _kaggle(place: Place, seed: int) -> None:
    kaggle = place.server.kaggle
    submit = ("submit", "--run", RUN, "--timeout", "2")
    push = ("push", "--source", "practice", "--recipe", "smoke", "--seed", str(seed))
    echo = f"Bearer {TOKEN} {QUOTED['proxy']} " + "x" * 250 + TOKEN
    for method, command in (
        ("IntrospectToken", ("download", "--source", "kaggle")),
        ("DownloadDataFiles", ("download", "--source", "kaggle")),
        ("GET", ("download", "--source", "kaggle")),
        ("CreateSubmission", submit),
        ("GetSubmission", submit),
        ("SaveKernel", push),
    ):
        kaggle.fail(method, Status(418, echo))
        place.run(*command, codes=(1,))
        kaggle.failures.clear()
    kaggle.error = f"Your token {TOKEN} is bad " + "x" * 270 + TOKEN
    place.run(*submit, codes=(1,))
    kaggle.error = ""
    place.run(*push)
    place.run("download", "--source", "kaggle")


def _legacy(place: Place, seed: int) -> None:
    both = base64.b64encode(f"{USERNAME}:{KEY}".encode()).decode()
    kaggle = place.server.kaggle
    for name, echo in (("access_token", PLANTED["file"]), ("kaggle.json", f"{KEY} {both}")):
        kaggle.fail("GetSubmissionLimits", Status(418, echo))
        force = ("submit", "--run", RUN, "--timeout", "2", "--force")
        place.run(*force, codes=(1,), KAGGLE_API_TOKEN="")
        kaggle.failures.clear()
        file = place.folder / "home" / ".kaggle" / name
        file.rename(file.with_suffix(".aside"))
    for file in (place.folder / "home" / ".kaggle").glob("*.aside"):
        file.rename(file.with_suffix(".json" if file.stem == "kaggle" else ""))


def _crashes(place: Place, seed: int) -> None:
    this = ("--source", "practice", "--recipe", "smoke", "--seed", str(seed), "--force")
    for stage in ("download", "validate", "submission", "push", "report"):
        place.run(stage, *this, before=CRASHING.replace("STAGE", stage), codes=(1,))
    place.run(
        "submit", "--run", RUN, "--force", before=CRASHING.replace("STAGE", "submit"), codes=(1,)
    )


def _own_files(folder: Path) -> list[Path]:
    """What the user keeps there: the only files in which secrets may be."""
    texts = {
        "access_token": PLANTED["file"],
        "kaggle.json": json.dumps({"username": USERNAME, "key": KEY}),
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
        (folder / name).chmod(0o600)
    return [folder / name for name in texts]


def _rooms(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def contents(root: Path, own: list[Path]) -> Iterator[tuple[str, bytes]]:
    """Every file below a folder with its name, and what is inside of those that are packed."""
    for path in [root] if root.is_file() else sorted(root.rglob("*")):
        if not path.is_file() or path.is_symlink() or path in own:
            continue
        content = path.read_bytes()
        yield str(path.relative_to(root.parent)), str(path).encode() + b"\n" + content
        if path.suffix == ".gz":
            yield f"{path.name} unpacked", gzip.decompress(content)
        elif zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as packed:
                for name in packed.namelist():
                    yield f"{path.name}: {name}", packed.read(name)


def _titles() -> list[str]:
    """The command lines of all processes, where the system tells them (Linux)."""
    titles = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            titles.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:  # it has ended
            continue
    return titles
