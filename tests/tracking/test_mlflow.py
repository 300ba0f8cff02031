"""A real MLflow server on this machine is told what it should be, once."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from pipeline.plan.workspace import Workspace
from pipeline.system import files
from tests.practice_case import REPOSITORY, command, copy_practice, environment

EPOCHS = 12
RUN = "watched"
STARTING_SECONDS = 150  # importing it takes long where two slow cores have much to do
QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of ``mlflow server`` with its default store, in a folder of its own."""
    folder, port = tmp_path_factory.mktemp("mlflow"), free_port()
    address = f"http://127.0.0.1:{port}"
    with (folder / "server.log").open("w", encoding="utf-8") as log:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "mlflow", "server"),
                *("--host", "127.0.0.1", "--port", str(port), "--workers", "1"),
            ],
            cwd=folder,
            env=environment(**QUIET),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        _wait(process, address, folder / "server.log")
        yield address
    finally:
        _end(process)


def _wait(process: "subprocess.Popen[bytes]", address: str, log: Path) -> None:
    deadline = time.monotonic() + STARTING_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if requests.get(f"{address}/health", timeout=2).ok:
                return
        except requests.RequestException:
            time.sleep(0.2)
    pytest.fail(f"mlflow server did not start: {log.read_text(encoding='utf-8')}")


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End the server and its workers: the group that it was started as."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            break
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            continue
    process.wait(timeout=10)


def start(workspace: Workspace, address: str, *arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        command(
            *arguments,
            *("--source", "practice", "--recipe", "smoke", "--run", RUN, "--track", "mlflow"),
            *("--set", f"training.epochs={EPOCHS}"),
            *("--data", workspace.data, "--submissions", workspace.submissions),
        ),
        cwd=REPOSITORY,
        env=environment(MLFLOW_TRACKING_URI=address, MLFLOW_EXPERIMENT_NAME=workspace.data.name),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell lets what it starts in the background ignore Ctrl-C, and all below it.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    )


def api(address: str, path: str, **query: Any) -> dict[str, Any]:
    answer = requests.get(f"{address}/api/2.0/mlflow/{path}", params=query, timeout=30)
    answer.raise_for_status()
    found: dict[str, Any] = answer.json()
    return found


def runs_of(address: str, experiment_name: str) -> list[dict[str, Any]]:
    found = api(address, "experiments/get-by-name", experiment_name=experiment_name)
    answer = requests.post(
        f"{address}/api/2.0/mlflow/runs/search",
        json={"experiment_ids": [found["experiment"]["experiment_id"]]},
        timeout=30,
    )
    return list(answer.json().get("runs", []))


def test_interrupted_resumed_and_validated_is_one_mlflow_run(
    practice_workspace: Workspace, tmp_path: Path, server: str
) -> None:
    workspace = copy_practice(practice_workspace, tmp_path)
    process = start(workspace, server, "train")
    assert process.stdout
    lines = [process.stdout.readline()]
    while not lines[-1].startswith("  epoch  3"):
        assert lines[-1], "it ended before it could be interrupted"
        lines.append(process.stdout.readline())
    assert lines[0].startswith(f"  Tracked by MLflow: {server}/#/experiments/")
    assert lines[1].startswith("train: ")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err.strip()) == (
        130,
        "Interrupted. The same command goes on from here.",
    )
    [run] = runs_of(server, "data")
    assert run["info"]["status"] == "KILLED"
    for stage in ("train", "validate"):
        process = start(workspace, server, stage)
        out, err = process.communicate(timeout=120)
        assert (process.returncode, err) == (0, "")
        assert out.count("Tracked by") == 1

    [run] = runs_of(server, "data")
    assert (run["info"]["status"], run["info"]["run_name"]) == ("FINISHED", RUN)
    number = run["info"]["run_id"]
    params = {item["key"]: item["value"] for item in run["data"]["params"]}
    record = files.read_json(workspace.run(RUN).training)
    assert params["recipe.training.epochs"] == str(EPOCHS)
    assert params["data.train_images"] == record["inputs"]["data"]["train_images"]
    assert params["environment.numpy"] == record["environment"]["numpy"]
    for name in ("training_loss", "hold_out_accuracy", "learning_rate"):
        history = api(server, "metrics/get-history", run_id=number, metric_key=name)["metrics"]
        assert [int(item.get("step", 0)) for item in history] == list(range(1, EPOCHS + 1))
    assert history[-1]["value"] < history[2]["value"]  # the rate goes down in the end
    metrics = {item["key"]: item["value"] for item in run["data"]["metrics"]}
    assert metrics["final/hold_out_accuracy"] == record["hold_out_accuracy"]
    validation = files.read_json(workspace.run(RUN).validation)
    assert metrics["validation/accuracy"] == validation["accuracy"]["value"]
    listed = api(server, "artifacts/list", run_id=number)["files"]
    sizes = {item["path"]: int(item["file_size"]) for item in listed}
    there = [path for path in workspace.run(RUN).artefacts if path.exists()]
    assert len(there) == 6
    assert sizes == {path.name: path.stat().st_size for path in there}


def test_a_server_that_hangs_holds_nothing_up(
    practice_workspace: Workspace, tmp_path: Path
) -> None:
    workspace = copy_practice(practice_workspace, tmp_path)
    with socket.socket() as silent:  # takes connections, and never answers
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        port = silent.getsockname()[1]
        process = subprocess.Popen(
            command(
                *("train", "--source", "practice", "--recipe", "smoke", "--track", "mlflow"),
                *("--data", workspace.data),
            ),
            cwd=tmp_path,
            env=environment(
                PYTHONPATH=str(REPOSITORY),
                MLFLOW_TRACKING_URI=f"http://someone:hidden@127.0.0.1:{port}",
                MLFLOW_HTTP_REQUEST_TIMEOUT="1",
                MLFLOW_HTTP_REQUEST_MAX_RETRIES="0",
            ),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        out, err = process.communicate(timeout=120)
    assert (process.returncode, err) == (0, "")
    first, *_, incomplete = [line for line in out.splitlines() if "MLflow" in line]
    assert first.startswith("  MLflow failed (")
    assert incomplete.startswith("  Tracking is incomplete: MLflow failed.")
    assert workspace.run("practice-smoke").model.exists()
    assert "hidden" not in out
