"""Certificates between this side and a scheduler of the user's: what is wrong with them, in a line.

dask itself reads them, from its configuration. What it says of a wrong one is a timeout, or an
error that names neither the file nor the side that is to blame; so they are looked at beforehand.
"""

import socket
import ssl
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import distributed

from pipeline.system.errors import PipelineError

ANSWER_SECONDS = 5
_FIELDS = ("tls_ca_file", "tls_client_cert", "tls_client_key")
_VARIABLES = (
    "DASK_DISTRIBUTED__COMM__TLS__CA_FILE",
    "DASK_DISTRIBUTED__COMM__TLS__CLIENT__CERT",
    "DASK_DISTRIBUTED__COMM__TLS__CLIENT__KEY",
)


def client_security(address: str) -> Any:
    """Return dask's security for a client of a scheduler, as dask's configuration has it.

    Raises PipelineError if the configuration lacks certificates, names wrong ones, or demands them
    where the address does without; and if the scheduler's and these do not go together.
    """
    try:
        security: Any = distributed.Security()  # type: ignore[no-untyped-call]
        if not address.startswith("tls://"):
            if security.require_encryption:
                raise _wrong(
                    address, "dask's configuration (require-encryption) wants TLS, which this lacks"
                )
            _look_for_tls(address)
            return security
        security.require_encryption = True
        _check_files(address, security)
        context = security.get_connection_args("client")["ssl_context"]
    except (OSError, ValueError) as error:
        raise _wrong(address, f"dask's configuration of TLS is wrong: {error}") from None
    _shake_hands(address, context, security)
    return security


def flags_for(address: str) -> str:
    """Return what a scheduler or worker must be started with, besides, to be at such an address."""
    flags = " --tls-ca-file ... --tls-cert ... --tls-key ..."
    return flags if address.startswith("tls://") else ""


def _check_files(address: str, security: Any) -> None:
    """Raise PipelineError unless there are an authority, and a certificate with its key."""
    values = [getattr(security, field) for field in _FIELDS]
    for value, variable in zip(values[:2], _VARIABLES, strict=False):
        if not value:
            raise _wrong(
                address, f"dask's configuration names no certificates: {variable} is unset"
            )
    authority, certificate, key = (str(value) if value else None for value in values)
    if any("\n" in str(value) for value in values):
        return  # the configuration holds them itself, and names no files
    for value, variable in zip(values, _VARIABLES, strict=True):
        if value:  # without a key's file, the key is in the certificate's
            _check_file(address, Path(str(value)), variable)

    def refuse() -> str:  # where OpenSSL would ask whoever sits there
        raise _wrong(address, f"the key in {key or certificate} is locked by a password")

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(cafile=authority)
    except ssl.SSLError:
        raise _wrong(address, f"{authority} holds no certificate in PEM form") from None
    try:
        context.load_cert_chain(str(certificate), key, password=refuse)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise _wrong(address, f"{key} is not the key of {certificate}") from None
        names = f"{certificate} and {key} hold" if key else f"{certificate} holds"
        raise _wrong(address, f"{names} no certificate with its key in PEM form") from None


def _check_file(address: str, path: Path, variable: str) -> None:
    try:
        if path.exists() and not path.is_file():
            raise _wrong(address, f"{path} ({variable}) is not a file")
        path.open("rb").close()
    except OSError as error:
        reason = error.strerror
        raise _wrong(address, f"{path} ({variable}) cannot be read: {reason}") from None


def _shake_hands(address: str, context: ssl.SSLContext, security: Any) -> None:
    """Raise PipelineError if what listens there is no TLS, or a certificate is not accepted."""
    try:
        with (
            socket.create_connection(_place(address), timeout=ANSWER_SECONDS) as connection,
            context.wrap_socket(connection) as wrapped,
        ):
            wrapped.recv(1)  # an answer to our certificate comes with the first bytes at last
    except ssl.SSLCertVerificationError as error:
        authority = _named("the certificate", security.tls_ca_file)
        what = f"does not vouch for the scheduler's certificate: {error.verify_message}"
        raise _wrong(address, f"{authority} {what}") from None
    except ssl.SSLError as error:
        _, alert, what = (error.reason or "").partition("ALERT_")
        if alert:
            told = what.lower().replace("_", " ")
            ours = _named("the certificate", security.tls_client_cert)
            raise _wrong(address, f"the scheduler does not accept {ours}: {told}") from None
        raise _wrong(address, "who answers there speaks without TLS") from None
    except (OSError, OverflowError, ValueError):
        return  # nobody answers, which the client finds out as well, and waits a little for


def _look_for_tls(address: str) -> None:
    """Raise PipelineError if what listens there speaks TLS, which a client without it waits for."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with (
            socket.create_connection(_place(address), timeout=ANSWER_SECONDS) as connection,
            context.wrap_socket(connection),
        ):
            pass
    except ssl.SSLError as error:
        if "ALERT" not in (error.reason or ""):
            return
    except (OSError, OverflowError, ValueError):
        return
    other = address.replace("tcp://", "tls://")
    raise PipelineError(
        f"DASK={address}: the scheduler there demands TLS",
        remedy=f"Give DASK={other}, and the certificates that docs/several-machines.md tells of.",
    )


def _named(what: str, value: object) -> str:
    """Return a file's name after what it is; but never what the configuration holds itself."""
    return what if "\n" in str(value) else f"{what} {value}"


def _place(address: str) -> tuple[str, int]:
    parts = urlsplit(address)
    return parts.hostname or "", parts.port or 0


def _wrong(address: str, what: str) -> PipelineError:
    return PipelineError(
        f"DASK={address}: {what}",
        remedy="docs/several-machines.md shows how certificates are made and named.",
    )
