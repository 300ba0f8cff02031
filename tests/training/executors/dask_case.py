"""A real scheduler and real workers as processes on this machine, each with a folder of its own."""

import json
import signal
import socket
import ssl
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

import distributed
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.practice_case import REPOSITORY, environment

SECONDS = 60


def wait_until(is_so: Callable[[], object], what: str) -> None:
    """Look again and again, for a minute at most."""
    end = time.monotonic() + SECONDS
    while not is_so():
        assert time.monotonic() < end, f"{what}: not within {SECONDS} seconds"
        time.sleep(0.05)


class Cluster:
    """A scheduler, and the workers that are added to it; the ``with`` block ends them all.

    certificate: one that all of them show, and demand of others.
    """

    def __init__(self, folder: Path, certificate: "Certificate | None" = None) -> None:
        self.folder = folder
        self._certificate = certificate
        self._processes: list[subprocess.Popen[bytes]] = []
        self.address = ""

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True)
        told = self.folder / "scheduler.json"
        # To the scheduler the runs' names and files mean nothing: it does without the package.
        self._start("dask_scheduler", "--port", "0", "--scheduler-file", str(told), code=None)
        wait_until(lambda: told.exists() and told.read_text(encoding="utf-8"), "a scheduler")
        self.address = json.loads(told.read_text(encoding="utf-8"))["address"]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for process in reversed(self._processes):
            process.kill()
            process.wait()

    def add_worker(self, *, code: Path = REPOSITORY) -> subprocess.Popen[bytes]:
        """Start a worker without a nanny, so that one that is killed stays away."""
        folder = self.folder / f"worker-{len(self._processes)}"
        folder.mkdir()
        return self._start(
            *("dask_worker", self.address, "--nthreads", "1", "--no-nanny"),
            *("--local-directory", str(folder)),
            code=code,
        )

    def dismiss_workers(self) -> None:
        """Kill all workers; there are none when this returns."""
        for process in self._processes[1:]:
            process.kill()
            process.wait()
        with distributed.Client(self.address, set_as_default=False) as client:  # type: ignore[no-untyped-call]
            wait_until(lambda: not client.scheduler_info()["workers"], "no workers")

    def _start(self, command: str, *arguments: str, code: Path | None) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", f"distributed.cli.{command}", *arguments),
                *("--host", "127.0.0.1", "--no-dashboard", "--dashboard-address", "127.0.0.1:0"),
                *(self._certificate.flags if self._certificate else ()),
            ],
            cwd=self.folder,
            env=environment(PYTHONPATH=str(code or self.folder)),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._processes.append(process)
        return process


def children_of(pid: int) -> list[int]:
    """The processes below one, and those below them, that are neither dead nor waited for."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = stat.read_text(encoding="utf-8").rpartition(")")[2].split()[:2]
        except OSError:  # it ended just now
            continue
        if int(parent) == pid and state != "Z":
            child = int(stat.parent.name)
            found += [child, *children_of(child)]
    return found


def listening_ports(pid: int) -> set[int]:
    """The ports on which a process listens, whatever the address."""
    links = set()
    for link in Path(f"/proc/{pid}/fd").glob("*"):
        with suppress(OSError):  # it was closed just now
            links.add(str(link.readlink()))
    entries = [
        line.split()
        for table in ("tcp", "tcp6")
        for line in Path(f"/proc/net/{table}").read_text(encoding="ascii").splitlines()[1:]
    ]
    return {
        int(fields[1].rpartition(":")[2], 16)
        for fields in entries
        if fields[3] == "0A" and f"socket:[{fields[9]}]" in links
    }


def kill_worker(pid: int, port: str) -> None:
    """Kill the process below ``pid`` that listens on a port."""
    for child in children_of(pid):
        if int(port) in listening_ports(child):
            subprocess.run(["kill", f"-{signal.SIGKILL.value}", str(child)], check=True)
            return
    raise AssertionError(f"nobody below {pid} listens on {port}")


@dataclass(frozen=True)
class Certificate:
    """A certificate and its key, as files; it vouches for itself."""

    certificate: Path
    key: Path

    @property
    def flags(self) -> tuple[str, ...]:
        """What a scheduler or worker is told."""
        files = ("--tls-ca-file", self.certificate), ("--tls-cert", self.certificate)
        return tuple(str(part) for pair in (*files, ("--tls-key", self.key)) for part in pair)

    @property
    def configuration(self) -> dict[str, str]:
        """What a client is told, in the terms of dask's configuration."""
        return {
            "distributed.comm.tls.ca-file": str(self.certificate),
            "distributed.comm.tls.client.cert": str(self.certificate),
            "distributed.comm.tls.client.key": str(self.key),
        }


def make_certificate(
    folder: Path,
    *,
    days: int = 1,
    issuer: Certificate | None = None,
    password: bytes | None = None,
) -> Certificate:
    """Make a certificate that ends in some days, and began before; its issuer or it vouches for it.

    password: that of its key.
    """
    key = signs = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, folder.name)])
    by = name
    if issuer:
        by = x509.load_pem_x509_certificate(issuer.certificate.read_bytes()).subject
        loaded = serialization.load_pem_private_key(issuer.key.read_bytes(), None)
        assert isinstance(loaded, ec.EllipticCurvePrivateKey)
        signs = loaded
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(by, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=2))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(signs, hashes.SHA256())
    )
    lock = serialization.BestAvailableEncryption(password) if password else None
    folder.mkdir()
    made = Certificate(folder / "cert.pem", folder / "key.pem")
    made.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    made.key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            lock or serialization.NoEncryption(),
        )
    )
    return made


def answer_to(port: int, certificate: Certificate | None) -> str:
    """What a port answers to somebody who speaks TLS and shows this certificate, or none.

    "let in", or why the connection ended, in OpenSSL's terms.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if certificate:
        context.load_cert_chain(certificate.certificate, certificate.key)
    with socket.create_connection(("127.0.0.1", port), timeout=SECONDS) as connection:
        try:
            with context.wrap_socket(connection) as wrapped:
                return "let in" if wrapped.recv(1) else "closed"
        except ssl.SSLError as error:
            return error.reason or str(error)


def answer_without_tls(port: int) -> bytes:
    """What a port answers to dask's first message without TLS: nothing, if all is well."""
    with socket.create_connection(("127.0.0.1", port), timeout=SECONDS) as connection:
        connection.sendall(struct.pack("<QQ", 1, 0))
        with suppress(ConnectionError):
            return connection.recv(1)
    return b""
