"""A scheduler with certificates, and what is wrong with them said in a line or two."""

import os
from collections.abc import Iterator
from pathlib import Path

import dask
import pytest
from click.testing import CliRunner

from pipeline.cli import main
from pipeline.plan.workspace import Workspace
from pipeline.stages.train import train
from pipeline.system.errors import PipelineError
from pipeline.training.executors import dask_executor, make_executor
from pipeline.training.executors.dask_tls import client_security
from tests.practice_case import copy_practice, digits, plan_of
from tests.training.executors.dask_case import Certificate, Cluster, make_certificate

HOW = "docs/several-machines.md shows how certificates are made and named."


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(tmp_path_factory.mktemp("certificates") / "ours")


@pytest.fixture(scope="module")
def cluster(
    tmp_path_factory: pytest.TempPathFactory, certificate: Certificate
) -> Iterator[Cluster]:
    with Cluster(tmp_path_factory.mktemp("cluster") / "dask", certificate) as started:
        yield started


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A scheduler without certificates."""
    with Cluster(tmp_path_factory.mktemp("plain") / "dask") as started:
        yield started


def refusal(address: str, **settings: str) -> str:
    """What a client of this configuration is told."""
    named = {f"distributed.comm.tls.{name.replace('__', '.')}": settings[name] for name in settings}
    with dask.config.set(named), pytest.raises(PipelineError) as error:
        client_security(address)
    return str(error.value).replace(f"DASK={address}: ", "")


def test_the_command_line_says_it_in_two_lines(
    cluster: Cluster, practice_workspace: Workspace
) -> None:
    done = CliRunner().invoke(
        main,
        [
            *("train", "--source", "practice", "--recipe", "smoke", "--force"),
            *("--data", str(practice_workspace.data), "--dask", cluster.address),
        ],
    )
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.splitlines() == [
        f"Error: DASK={cluster.address}: dask's configuration names no certificates: "
        "DASK_DISTRIBUTED__COMM__TLS__CA_FILE is unset",
        HOW,
    ]


def test_a_scheduler_and_a_client_that_do_not_go_together(
    cluster: Cluster, plain: Cluster, certificate: Certificate
) -> None:
    without = cluster.address.replace("tls", "tcp")
    assert refusal(without) == (
        "the scheduler there demands TLS\n"
        f"Give DASK={cluster.address}, and the certificates that docs/several-machines.md tells of."
    )
    with dask.config.set(certificate.configuration):
        assert refusal(plain.address.replace("tcp", "tls")) == (
            f"who answers there speaks without TLS\n{HOW}"
        )
        client_security(cluster.address)
    client_security(plain.address)


def told(address: str, authority: Path, certificate: Path | str, key: Path | None) -> str:
    found = refusal(
        address,
        **{
            "ca-file": str(authority),
            "client__cert": str(certificate),
            **({"client__key": str(key)} if key else {}),
        },
    )
    message, how = found.split("\n")
    assert how == HOW
    return message


def test_certificates_that_the_other_side_does_not_accept(
    cluster: Cluster, certificate: Certificate, tmp_path: Path
) -> None:
    other = make_certificate(tmp_path / "other")
    ours = certificate.certificate
    assert told(cluster.address, other.certificate, other.certificate, other.key) == (
        f"the certificate {other.certificate} does not vouch for the scheduler's certificate: "
        "self-signed certificate"
    )
    assert told(cluster.address, ours, other.certificate, other.key) == (
        f"the scheduler does not accept the certificate {other.certificate}: unknown ca"
    )
    expired = make_certificate(tmp_path / "expired", days=-1, issuer=certificate)
    assert told(cluster.address, ours, expired.certificate, expired.key) == (
        f"the scheduler does not accept the certificate {expired.certificate}: certificate expired"
    )
    with Cluster(tmp_path / "dask", expired) as late:
        assert told(late.address, ours, ours, certificate.key) == (
            f"the certificate {ours} does not vouch for the scheduler's certificate: "
            "certificate has expired"
        )


def test_a_key_in_the_configuration_itself_is_not_told(
    cluster: Cluster, certificate: Certificate, tmp_path: Path
) -> None:
    other = make_certificate(tmp_path / "other")
    both = other.certificate.read_text("ascii") + other.key.read_text("ascii")
    message = told(cluster.address, certificate.certificate, both, None)
    assert message == "the scheduler does not accept the certificate: unknown ca"


def test_files_that_are_no_certificates(
    certificate: Certificate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = "tls://127.0.0.1:9"
    ours, key = certificate.certificate, certificate.key
    other = make_certificate(tmp_path / "other")
    locked = make_certificate(tmp_path / "locked", password=b"secret")
    empty, missing, pipe = (tmp_path / name for name in ("empty.pem", "missing.pem", "pipe.pem"))
    empty.touch()
    os.mkfifo(pipe)
    prefix = "DASK_DISTRIBUTED__COMM__TLS__"
    absent = "cannot be read: No such file or directory"
    for files, expected in (
        ((missing, ours, key), f"{missing} ({prefix}CA_FILE) {absent}"),
        ((ours, missing, key), f"{missing} ({prefix}CLIENT__CERT) {absent}"),
        ((ours, ours, missing), f"{missing} ({prefix}CLIENT__KEY) {absent}"),
        ((tmp_path, ours, key), f"{tmp_path} ({prefix}CA_FILE) is not a file"),
        ((ours, ours, pipe), f"{pipe} ({prefix}CLIENT__KEY) is not a file"),
        ((empty, ours, key), f"{empty} holds no certificate in PEM form"),
        ((ours, ours, other.key), f"{other.key} is not the key of {ours}"),
        ((ours, ours, ours), f"{ours} and {ours} hold no certificate with its key in PEM form"),
        ((ours, ours, None), f"{ours} holds no certificate with its key in PEM form"),
        (
            (ours, locked.certificate, locked.key),
            f"the key in {locked.key} is locked by a password",
        ),
    ):
        assert told(address, *files) == expected

    def refuse(path: Path, *_: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "open", refuse)
    assert told(address, ours, ours, key) == (
        f"{ours} ({prefix}CA_FILE) cannot be read: Permission denied"
    )


def test_configurations_that_dask_itself_refuses(certificate: Certificate) -> None:
    assert refusal("tls://127.0.0.1:9", **{"min-version": "1.7"}).startswith(
        "dask's configuration of TLS is wrong: distributed.comm.tls.min-version='1.7' is not"
    )
    with dask.config.set(certificate.configuration):
        assert refusal("tls://127.0.0.1:9", ciphers="none").startswith(
            "dask's configuration of TLS is wrong: "
        )
    with dask.config.set({"distributed.comm.require-encryption": True}):
        assert refusal("tcp://127.0.0.1:9") == (
            f"dask's configuration (require-encryption) wants TLS, which this lacks\n{HOW}"
        )


def test_nobody_there(
    certificate: Certificate,
    practice_workspace: Workspace,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(dask_executor, "CONNECT_SECONDS", 1)
    plan = plan_of(copy_practice(practice_workspace, tmp_path))
    with (
        dask.config.set(certificate.configuration),
        pytest.raises(PipelineError) as error,
    ):
        train(plan, executor=make_executor("dask", "tls://127.0.0.1:9"))
    assert str(error.value) == (
        "DASK=tls://127.0.0.1:9: no scheduler answers there\n"
        "Start it with: dask scheduler --tls-ca-file ... --tls-cert ... --tls-key ... "
        "(its address is in what it says)"
    )


def test_a_file_of_dask_s_configuration_that_is_damaged(
    practice_workspace: Workspace, tmp_path: Path
) -> None:
    (tmp_path / "mine.yaml").write_text("a: [b", encoding="utf-8")
    done = digits(
        *("train", "--source", "practice", "--recipe", "smoke", "--executor", "dask"),
        *("--data", practice_workspace.data),
        DASK_CONFIG=str(tmp_path),
    )
    error, remedy = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (1, "")
    assert error.startswith(f"Error: A dask config file at '{tmp_path}/mine.yaml' is malformed")
    assert remedy == "Mend that file, or move it away."
