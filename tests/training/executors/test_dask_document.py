"""What the page about several machines tells people to type, typed: certificates and all."""

import re
import shlex
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from pipeline.plan.workspace import Workspace
from tests.practice_case import REPOSITORY, copy_practice, environment
from tests.training.executors.dask_case import (
    SECONDS,
    Certificate,
    answer_to,
    answer_without_tls,
    children_of,
    listening_ports,
    wait_until,
)

PAGE = (REPOSITORY / "docs" / "several-machines.md").read_text(encoding="utf-8")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def blocks() -> list[str]:
    """The page's commands, in their order, for one small machine whose only address is its own."""
    text = PAGE.partition("## Machines of yours\n")[2].partition("\n## ")[0]
    for written, here in (
        ("192.168.0.5", "127.0.0.1"),
        ("8786", str(free_port())),
        ("127.0.0.1:8787", "127.0.0.1:0"),
        (".venv/bin/dask", f"{shlex.quote(sys.executable)} -m dask"),
        ("--nworkers 8", "--nworkers 1"),
        ("SEEDS=8", "SEEDS=2"),
    ):
        assert written in text
        text = text.replace(written, here)
    return re.findall(r"```sh\n(.*?)```", text, re.DOTALL)


class Shell:
    """Somebody who types these blocks, at home in a folder, in the folder of the code."""

    def __init__(self, home: Path, workspace: Workspace) -> None:
        self._environment = environment(
            HOME=str(home),
            VENV="",
            PYTHON=sys.executable,
            PYTHONPATH=str(REPOSITORY),
            SOURCE="practice",
            RECIPE="smoke",
            DATA=str(workspace.data),
            SUBMISSIONS=str(workspace.submissions),
        )

    def run(self, block: str) -> str:
        done = subprocess.run(
            ["sh", "-e", "-c", block],
            cwd=REPOSITORY,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    @contextmanager
    def running(self, block: str, ports: int) -> Iterator[set[int]]:
        """Run it in the background for the block; yield its ports, when there are so many."""
        process = subprocess.Popen(
            ["sh", "-e", "-c", block],
            cwd=REPOSITORY,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

        def found() -> set[int]:
            running = [process.pid, *children_of(process.pid)]
            return set().union(*map(listening_ports, running))

        try:
            wait_until(lambda: len(found()) == ports, f"{ports} ports")
            yield found()
        finally:
            for pid in children_of(process.pid):
                subprocess.run(["kill", f"-{signal.SIGKILL.value}", str(pid)], check=False)
            process.kill()
            process.wait()


def serves_pages(port: int) -> bool:
    """Whether it answers somebody who speaks HTTP."""
    with socket.create_connection(("127.0.0.1", port), timeout=SECONDS) as connection:
        connection.sendall(b"GET /health HTTP/1.0\r\n\r\n")
        with suppress(ConnectionError):
            return connection.recv(4) == b"HTTP"
    return False


@pytest.mark.stress
def test_machines_of_yours(practice_workspace: Workspace, tmp_path: Path) -> None:
    workspace = copy_practice(practice_workspace, tmp_path / "work")
    _, certificate, scheduler, worker, client = blocks()
    typed = Shell(tmp_path, workspace)
    typed.run(certificate)
    folder = tmp_path / ".digits-tls"
    made = Certificate(folder / "cert.pem", folder / "key.pem")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(made.key.stat().st_mode) == 0o600
    with typed.running(scheduler, 2) as first, typed.running(worker, 3) as second:
        output = typed.run(client)
        # One each of a scheduler, a worker, and what watches over that.
        ports = {port for port in first | second if not serves_pages(port)}
        assert len(ports) == 3
        for port in ports:
            assert answer_to(port, made) == "let in"
            assert answer_to(port, None) == "TLSV13_ALERT_CERTIFICATE_REQUIRED"
            assert answer_without_tls(port) == b""
    assert re.search(r"practice-smoke-seed1: on 127\.0\.0\.1:\d+", output), output
    assert len(list(workspace.data.glob("runs/*/model.npz"))) == 2
