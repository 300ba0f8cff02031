"""A cluster of one's own lets in nobody but its command, and knows no more than it needs."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.training.executors.dask_executor import _connected
from tests.training.executors.dask_case import (
    SECONDS,
    Certificate,
    answer_to,
    answer_without_tls,
    children_of,
    listening_ports,
    make_certificate,
)

WORKERS = 1
TOKEN = "KGAT_not-for-workers"


class Found:
    """A cluster that runs: its client, its ports by the process that listens, its folder.

    before: the ports and processes that there were without it.
    """

    def __init__(self, client: Any, before: tuple[set[int], set[int]], temporary: Path) -> None:
        self.client = client
        self.children = set(children_of(os.getpid())) - before[1]
        self.temporary = temporary
        here = listening_ports(os.getpid()) - before[0]
        self.ports = {os.getpid(): here} | {pid: listening_ports(pid) for pid in self.children}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Found]:
    temporary = tmp_path_factory.mktemp("temporary")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tempfile.tempdir", str(temporary))
        patch.setenv("TMPDIR", str(temporary))
        patch.setenv("KAGGLE_API_TOKEN", TOKEN)
        before = listening_ports(os.getpid()), set(children_of(os.getpid()))
        with _connected(None, workers=WORKERS, cores=1) as client:
            client.wait_for_workers(WORKERS, timeout=SECONDS)
            yield Found(client, before, temporary)
        assert os.environ["KAGGLE_API_TOKEN"] == TOKEN


@pytest.fixture
def own(cluster: Found, tmp_path: Path) -> Certificate:
    """The cluster's own certificate."""
    made = Certificate(tmp_path / "cert.pem", tmp_path / "key.pem")
    made.certificate.write_text(cluster.client.security.tls_client_cert, encoding="ascii")
    made.key.write_text(cluster.client.security.tls_client_key, encoding="ascii")
    return made


def test_each_port_demands_the_certificate(
    cluster: Found, own: Certificate, tmp_path: Path
) -> None:
    other = make_certificate(tmp_path / "other")
    # A scheduler, and what watches over each worker; and each worker in a process of its own.
    assert len(cluster.ports[os.getpid()]) == 1 + WORKERS
    of_children = [ports for pid, ports in cluster.ports.items() if pid != os.getpid() and ports]
    assert [len(ports) for ports in of_children] == [1] * WORKERS
    for port in set().union(*cluster.ports.values()):
        assert answer_to(port, own) == "let in"
        assert answer_to(port, None) == "TLSV13_ALERT_CERTIFICATE_REQUIRED"
        assert answer_to(port, other) == "TLSV1_ALERT_UNKNOWN_CA"
        assert answer_without_tls(port) == b""


def test_workers_are_not_handed_kaggle_s_credentials(cluster: Found) -> None:
    assert len(cluster.children) >= WORKERS
    for pid in cluster.children:
        assert TOKEN.encode() not in Path(f"/proc/{pid}/environ").read_bytes()


def test_the_key_is_nowhere_to_be_read(cluster: Found) -> None:
    key = cluster.client.security.tls_client_key.splitlines()[1].encode()
    for pid in (os.getpid(), *cluster.children):
        for name in ("cmdline", "environ"):
            assert key not in Path(f"/proc/{pid}/{name}").read_bytes()
    (folder,) = cluster.temporary.iterdir()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for path in folder.rglob("*"):
        assert not path.is_file() or key not in path.read_bytes()
