"""What W&B keeps where there is no login holds the run; nobody is asked, nothing stays behind."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from pipeline.plan.workspace import Workspace
from pipeline.system import files
from tests.practice_case import REPOSITORY, command, copy_practice, environment

# Its file is a log of records in blocks: checksum, length and kind of each piece, then the piece.
READ = """
import json, struct, sys
from pathlib import Path
from wandb.proto.wandb_internal_pb2 import Record

def records(data, place=7, parts=b""):
    while place < len(data):
        left = 32768 - place % 32768
        if left < 7:
            place += left
            continue
        _, length, kind = struct.unpack_from("<IHB", data, place)
        parts += data[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):
            yield Record.FromString(parts)
            parts = b""

def values(items):
    return {".".join([i.key, *i.nested_key]).strip("."): json.loads(i.value_json) for i in items}

def read(path):
    found = {"config": {}, "history": [], "summary": {}}
    for record in records(Path(path).read_bytes()):
        what = record.WhichOneof("record_type")
        if what == "run":
            found["id"], found["name"] = record.run.run_id, record.run.display_name
            found["config"] |= values(record.run.config.update)
        elif what == "history":
            found["history"].append(values(record.history.item))
        elif what == "summary":
            found["summary"] |= values(record.summary.update)
    return found

print(json.dumps([read(path) for path in sys.argv[1:]]))
"""


def test_without_a_login_the_run_is_kept_here(
    practice_workspace: Workspace, tmp_path: Path
) -> None:
    workspace = copy_practice(practice_workspace, tmp_path)
    out = _run(tmp_path, "train")
    assert out.count("W&B") == 1
    assert out.splitlines()[0].startswith(
        "  Tracked by W&B: offline; to send it: wandb sync wandb/offline-run-"
    )
    (kept,) = (tmp_path / "wandb").glob("offline-run-*")
    _run(tmp_path, "validate")
    (later,) = set((tmp_path / "wandb").glob("offline-run-*")) - {kept}
    found, again = _read(kept, later)
    record = files.read_json(workspace.run("practice-smoke").training)
    assert found["name"] == "practice-smoke"
    assert found["config"]["recipe.training.epochs"] == "3"
    assert found["config"]["environment.numpy"] == record["environment"]["numpy"]
    steps = [row for row in found["history"] if "training_loss" in row]
    assert [row["_step"] for row in steps] == [1, 2, 3]
    assert abs(steps[-1]["hold_out_accuracy"] - record["hold_out_accuracy"]) < 1e-6
    assert found["summary"]["final/hold_out_loss"] == record["hold_out_loss"]
    saved, model = kept / "files" / "model.npz", workspace.run("practice-smoke").model
    assert not saved.is_symlink()
    assert saved.read_bytes() == model.read_bytes()

    assert again["id"] == found["id"]
    assert not [row for row in again["history"] if "training_loss" in row]
    validation = files.read_json(workspace.run("practice-smoke").validation)
    assert again["summary"]["validation/accuracy"] == validation["accuracy"]["value"]
    assert _processes_below(tmp_path) == []


def _run(folder: Path, stage: str) -> str:
    """Run a stage in a folder, without a terminal; return what it says."""
    done = subprocess.run(
        command(stage, "--source", "practice", "--recipe", "smoke", "--track", "wandb"),
        cwd=folder,
        env=environment(PYTHONPATH=str(REPOSITORY)),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def _read(*kept: Path) -> list[dict[str, Any]]:
    paths = [str(path) for folder in kept for path in folder.glob("run-*.wandb")]
    done = subprocess.run(
        [sys.executable, "-c", READ, *paths],
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def _processes_below(folder: Path) -> list[str]:
    """The processes that still run in a folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if (entry / "cwd").readlink().is_relative_to(folder):
                found.append(entry.name)
        except OSError:  # ended meanwhile, or not ours
            continue
    return found
