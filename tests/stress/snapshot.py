"""What artefacts are, apart from the clock: to compare those of two folders."""

import csv
import hashlib
import io
import json
import stat
from pathlib import Path
from typing import Any

# Of a record in JSON, or columns of history.csv: they tell of the clock alone. So does the
# checksum of history.csv.
CLOCK = {
    *("asked_at", "downloaded_at", "finished_at", "pushed_at", "sent_at"),
    *("images_per_second", "seconds", "history.csv"),
}
FOLDERS = ("data", "submissions")


def snapshot(folder: Path) -> dict[str, str]:
    """Mode and content of each file below data and submissions, and the folders among them.

    The locks themselves, which stay, are left out; who holds them is not.
    """
    return {
        str(path.relative_to(folder)): _what(path)
        for name in FOLDERS
        for path in sorted((folder / name).rglob("*"))
        if path.suffix != ".lock"
    }


def differences(expected: dict[str, str], found: dict[str, str]) -> list[str]:
    """What is not the same in two snapshots, a line for each path."""
    lines = []
    for path in sorted(expected.keys() | found.keys()):
        if path not in found:
            lines.append(f"{path} is missing")
        elif path not in expected:
            lines.append(f"{path} is left over")
        elif expected[path] != found[path]:
            lines.append(f"{path} differs")
    return lines


def left_behind(folder: Path) -> list[Path]:
    """Temporary files and folders of a killed writer, those in its TMPDIR included."""
    found = [*(folder / "tmp").glob("*")]
    for name in FOLDERS:
        hidden = [path for path in (folder / name).rglob(".*") if path.suffix != ".lock"]
        found += [path for path in hidden if not any(above in hidden for above in path.parents)]
    return found


def size(path: Path) -> int:
    """Bytes of a file, or of all files below a folder."""
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


def _what(path: Path) -> str:
    mode = stat.filemode(path.stat().st_mode)
    # A page shows how long training took.
    return (
        mode
        if path.is_dir() or path.suffix == ".html"
        else f"{mode} {hashlib.sha256(_content(path)).hexdigest()}"
    )


def _content(path: Path) -> bytes:
    content = path.read_bytes()
    if path.suffix == ".json":
        return _without_clock(content)
    if path.suffix == ".jsonl":
        return b"\n".join(map(_without_clock, content.splitlines()))
    if path.name == "history.csv":
        rows = csv.DictReader(io.StringIO(content.decode()))
        return json.dumps([_strip(row) for row in rows]).encode()
    return content


def _without_clock(text: bytes) -> bytes:
    return json.dumps(_strip(json.loads(text))).encode()


def _strip(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _strip(item) for key, item in value.items() if key not in CLOCK}
    return [_strip(item) for item in value] if isinstance(value, list) else value
