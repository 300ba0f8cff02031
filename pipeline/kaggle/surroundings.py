"""What the environment says about the way to Kaggle: proxies and certificates.

requests would read these by itself, together with the passwords in ~/.netrc, which are for others;
and what is wrong with a setting it tells as a failure of the server's. So they are read here, and
looked at before anything is sent. A proxy's address may hold a password, and is never shown.
"""

import os
import re
import ssl
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Literal
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies

from requests.utils import get_environ_proxies, select_proxy
from urllib3.exceptions import LocationParseError
from urllib3.util import Url, parse_url

from pipeline.system.errors import PipelineError

CERTIFICATE_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_SCHEMES = ("http", "https", "socks4", "socks4a", "socks5", "socks5h")
_PROXY_REMEDY = (
    "Write it as http://host:port, with name:password@ before the host if it asks for a login "
    "(in the password, %40 for @, %3A for :, %2F for /, %23 for #); or unset it."
)


class SettingError(PipelineError):
    """A variable that says how to reach Kaggle, and can't be followed."""


def check() -> bool:
    """Look at the settings that every request needs, and return whether Kaggle is a stand-in here.

    Raises SettingError for one that can't be followed.
    """
    told = os.environ.get("KAGGLE_API_ENVIRONMENT", "")
    if told not in ("", "PROD", "LOCALHOST"):
        # The package itself would go to the real Kaggle then, and submit there.
        raise SettingError(
            f"KAGGLE_API_ENVIRONMENT={told}: no such Kaggle is known.",
            remedy="Unset it for the real one; LOCALHOST is for tests.",
        )
    if "kaggle.com" not in os.environ.get("KAGGLE_API_ENDPOINT", "kaggle.com"):
        raise SettingError(
            "KAGGLE_API_ENDPOINT names another server, and the kaggle package does not follow it.",
            remedy="Unset it.",
        )
    is_local = told == "LOCALHOST"
    proxies_for("http://localhost" if is_local else "https://api.kaggle.com")
    if (path := certificates()) is not True and (what := _fault_of_certificates(Path(path))):
        name = next(name for name in CERTIFICATE_VARIABLES if os.environ.get(name))
        remedy = "Let it name a file of certificates, as text (PEM), or unset it."
        raise SettingError(f"{name}={path}: {what}.", remedy=remedy)
    if log := os.environ.get("SSLKEYLOGFILE"):
        file = Path(os.path.expandvars(log))
        if file.is_dir() or not os.access(file if file.exists() else file.parent, os.W_OK):
            what = "keys of connections can't be written there"
            raise SettingError(f"SSLKEYLOGFILE={log}: {what}.", remedy="Unset it.")
    return is_local


def proxies_for(url: str) -> dict[str, str]:
    """Return the proxy that leads to an address, as requests takes it; {} for none.

    Raises SettingError if the variable that names it can't be followed.
    """
    proxy = select_proxy(url, get_environ_proxies(url))
    if not proxy:
        return {}
    # Without a scheme it is taken as curl takes it; requests would take the host for the scheme.
    address = proxy if "://" in proxy or "/" in proxy.rstrip("/") else f"http://{proxy}"
    if what := _fault_of_proxy(address):
        name = _name_of_proxy(urlsplit(url).scheme, proxy)
        remedy = _PROXY_REMEDY
        if "PySocks" in what:
            remedy = f"Run: {sys.executable} -m pip install PySocks; or name another kind of proxy."
        raise SettingError(f"The proxy in {name} can't be used: {what}.", remedy=remedy)
    return {"all": address}


def certificates() -> str | Literal[True]:
    """Return the file or folder of certificates to trust, True for those of requests."""
    given = (os.environ.get(name) for name in CERTIFICATE_VARIABLES)
    return next((path for path in given if path), True)


def proxy_passwords() -> Iterator[str]:
    """Yield the passwords of all proxies, as they are written and as they are meant."""
    for proxy in getproxies().values():
        # Up to the last "@", whatever is wrong with the rest.
        login = proxy.rpartition("@")[0].rpartition("//")[2]
        if password := login.partition(":")[2]:
            yield from (password, unquote(password))


def _fault_of_proxy(address: str) -> str:
    """What is wrong with a proxy's address; "" for nothing."""
    scheme = address.partition("://")[0].lower()
    try:
        parts = parse_url(address)
        unquote(parts.auth or "").encode("latin-1")
        unclear = ""
    except LocationParseError:
        parts, unclear = Url(), "its host or port can't be read"
    except UnicodeError:
        unclear = "its password holds letters that can't be sent"
    faults = (
        (scheme not in _SCHEMES, "it begins neither with http:// nor with https:// or socks5://"),
        (
            scheme.startswith("socks") and find_spec("socks") is None,
            "for SOCKS, the package PySocks is missing",
        ),
        (re.search(r"[\s\"'<>]", address), "it holds blanks or quotes"),
        (unclear, unclear),
        (not parts.host, "it names no host"),
        (parts.port == 0, "its port is 0"),
    )
    return next((what for is_so, what in faults if is_so), "")


def _name_of_proxy(scheme: str, proxy: str) -> str:
    for name, value in os.environ.items():
        if value == proxy and name.lower() in (f"{scheme}_proxy", "all_proxy"):
            return name
    return "the system's settings"


def _fault_of_certificates(path: Path) -> str:
    """What is wrong with a file or folder of certificates; "" for nothing."""
    try:
        if path.is_dir():
            # OpenSSL finds them there by names that are made of what they hold.
            hashed = any(re.fullmatch(r"[0-9a-f]{8}\.\d+", file.name) for file in path.iterdir())
            return "" if hashed else "it is a folder without certificates named by their hashes"
        if not path.is_file():
            return "it is no file" if path.exists() else "there is no such file"
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except ssl.SSLError:
        return "it holds no certificates"
    except (OSError, ValueError) as error:
        return f"it can't be read ({getattr(error, 'strerror', None) or error})"
    return ""
