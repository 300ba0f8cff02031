"""What goes along with a request to Kaggle and its storage, and what is made of an answer."""

import base64
import gzip
import json
import os
import ssl
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from pipeline.kaggle import adapter
from pipeline.kaggle.client import Kaggle
from pipeline.kaggle.kernels import push_notebook
from pipeline.kaggle.limits import Limits
from pipeline.pages.notebook import kernel_metadata
from pipeline.system import files
from pipeline.system.errors import PipelineError
from tests.kaggle_api import KEY, TOKEN, USERNAME, Answer, Raw, zip_bytes
from tests.kaggle_server import KaggleServer

MNIST = "oddrationale/mnist-in-csv"
# Passwords of other places, none of which Kaggle or its storage has to see.
STRANGER = "planted-stranger-0123456789"
MACHINES = "".join(
    f"machine {host} login ada password {STRANGER}\n"
    for host in ("localhost", "127.0.0.1", "storage.kaggle.test", "api.kaggle.com")
)
DEFAULT = f"default login ada password {STRANGER}\n"


def use_token(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The stand-in's own way."""


def use_key(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KAGGLE_API_TOKEN")
    monkeypatch.setenv("KAGGLE_USERNAME", USERNAME)
    monkeypatch.setenv("KAGGLE_KEY", KEY)


def use_login(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KAGGLE_API_TOKEN")
    end = datetime.now(UTC) + timedelta(hours=9)
    held = {"refresh_token": "planted-refresh", "access_token": TOKEN, "username": USERNAME}
    held["access_token_expiration"] = end.isoformat()
    files.write_json(home / ".kaggle" / "credentials.json", held)


def use_all(folder: Path) -> None:
    """Make every kind of request that there is."""
    csv, notebook = folder / "a.csv", f"{USERNAME}/digit-recognizer-numpy-quick"
    csv.write_text("ImageId,Label\n1,2\n")
    files.write_json(folder / "a.ipynb", {"cells": [], "nbformat": 4, "nbformat_minor": 5})
    files.write_json(folder / "kernel-metadata.json", kernel_metadata("quick", USERNAME, "a.ipynb"))
    kaggle = Kaggle()
    kaggle.download_competition(folder / "into")
    kaggle.download_dataset(MNIST, folder / "into")
    kaggle.competition_files()
    kaggle.submission_limits()
    kaggle.submission(kaggle.submit(kaggle.upload(csv), "m"))
    kaggle.find_submission("m")
    push_notebook(kaggle, folder, notebook)


@pytest.mark.parametrize("use", [use_token, use_key, use_login])
@pytest.mark.parametrize("netrc", [MACHINES, DEFAULT])
def test_passwords_for_others_go_along_with_no_request(
    kaggle_server: KaggleServer,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    use: Callable[[Path, pytest.MonkeyPatch], None],
    netrc: str,
) -> None:
    kaggle_server.kaggle.datasets[MNIST] = zip_bytes("1,2,3\n")
    if netrc == DEFAULT:
        monkeypatch.setenv("NETRC", str(home / "netrc"))
    (home / os.environ.get("NETRC", ".netrc")).write_text(netrc)
    use(home, monkeypatch)
    use_all(home)
    own = {f"Bearer {TOKEN}", f"Basic {base64.b64encode(f'{USERNAME}:{KEY}'.encode()).decode()}"}
    hosts = set()
    for seen in kaggle_server.kaggle.seen:
        assert STRANGER not in str(seen.headers)
        assert base64.b64encode(f"ada:{STRANGER}".encode()).decode() not in str(seen.headers)
        assert (seen.authorization in own) == (seen.host == "localhost")
        assert seen.host == "localhost" or seen.authorization is None
        assert "Proxy-Authorization" not in seen.headers
        hosts.add((seen.method in ("GET", "PUT"), seen.host))
    assert hosts == {(True, "storage.kaggle.test"), (False, "localhost")}


def test_a_proxy_gets_its_own_password_and_nobody_else_does(
    kaggle_server: KaggleServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kaggle_server.kaggle.datasets[MNIST] = zip_bytes("1,2,3\n")
    address = f"127.0.0.1:{kaggle_server.server_port}"
    monkeypatch.setenv("http_proxy", f"http://someone:pass%2Fword@{address}")
    use_all(tmp_path)
    login = f"Basic {base64.b64encode(b'someone:pass/word').decode()}"
    assert {seen.headers["Proxy-Authorization"] for seen in kaggle_server.kaggle.seen} == {login}
    assert login not in {seen.authorization for seen in kaggle_server.kaggle.seen}
    # Reached directly, the storage has no use for it.
    kaggle_server.kaggle.seen.clear()
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    move = found_at(f"http://{address}/digit-recognizer.zip".encode())
    kaggle_server.kaggle.fail("DownloadDataFiles", move, times=1)
    Kaggle().download_competition(tmp_path / "into")
    (last,) = [seen for seen in kaggle_server.kaggle.seen if seen.method == "GET"]
    assert "Proxy-Authorization" not in last.headers
    assert last.authorization is None


@pytest.mark.parametrize("host", ["localhost", "storage.kaggle.test", "other.test"])
def test_cookies_are_not_carried_on(kaggle_server: KaggleServer, tmp_path: Path, host: str) -> None:
    cookies = b"\r\nSet-Cookie: planted=1; Path=/\r\nSet-Cookie: also=1; Domain=kaggle.test"
    move = found_at(f"http://{host}/digit-recognizer.zip".encode() + cookies)
    kaggle_server.kaggle.fail("DownloadDataFiles", move, times=1)
    kaggle = Kaggle()
    assert kaggle.download_competition(tmp_path).read_bytes() == zip_bytes()
    kaggle.submission_limits()
    assert all("Cookie" not in seen.headers for seen in kaggle_server.kaggle.seen)
    (get,) = [seen for seen in kaggle_server.kaggle.seen if seen.method == "GET"]
    assert host == "localhost" or get.authorization is None


# ---- certificates and proxies of the environment still count ------------------------------------
class _Hello(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def write_certificate(path: Path) -> Path:
    """A certificate of localhost that nobody vouches for, with its key behind it."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    alternative = x509.SubjectAlternativeName([x509.DNSName("localhost")])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(alternative, critical=False)
        .sign(key, hashes.SHA256())
    )
    private = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    encoding = serialization.Encoding.PEM
    path.write_bytes(certificate.public_bytes(encoding) + key.private_bytes(encoding, *private))
    return path


@pytest.fixture
def https_server(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A server with a certificate of its own: its address and the certificate."""
    certificate = write_certificate(tmp_path / "ca.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with HTTPServer(("127.0.0.1", 0), _Hello) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield f"https://localhost:{server.server_port}/", certificate
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_a_certificate_of_the_user_s_is_trusted(
    https_server: tuple[str, Path], monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    address, certificate = https_server
    with requests.Session() as session:
        adapter.bound(session, Limits())
        with pytest.raises(requests.exceptions.SSLError):
            session.get(address)
        monkeypatch.setenv(variable, str(certificate))
        assert session.get(address).status_code == 200


# ---- answers ------------------------------------------------------------------------------------
def found_at(location: bytes) -> Raw:
    """An answer that sends on to another address."""
    return Raw(b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: " + location + b"\r\n\r\n")


def file_of(body: bytes, **headers: str) -> Raw:
    """An answer with this body and these headers; an underscore stands for a hyphen."""
    told = {"Content-Length": str(len(body))} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in told.items())
    return Raw(b"HTTP/1.1 200 OK\r\n" + lines.encode() + b"\r\n" + body)


ZIP = zip_bytes()
GZIP = gzip.compress(ZIP)


@pytest.mark.parametrize("method", ["GET", "DownloadDataFiles"])
@pytest.mark.parametrize(
    "answer",
    [
        file_of(ZIP, Content_Type="application/json"),
        file_of(ZIP, Content_Type="application/json; charset=utf-8"),
        file_of(ZIP, Content_Type="text/html"),
        file_of(ZIP),
        file_of(GZIP, Content_Encoding="gzip"),
        file_of(GZIP, Content_Encoding="gzip", Content_Type="application/json"),
        file_of(GZIP, Content_Encoding="x-gzip"),
        file_of(GZIP, Content_Type="application/gzip"),
        file_of(ZIP, Content_Encoding="gzip"),
        file_of(ZIP, Content_Encoding="deflate"),
        file_of(ZIP, Content_Encoding="br"),
    ],
    ids=lambda answer: repr(answer.data.partition(b"\r\n\r\n")[0][17:]),
)
def test_a_zip_is_taken_whatever_it_is_called(
    kaggle_server: KaggleServer, tmp_path: Path, method: str, answer: Raw
) -> None:
    kaggle_server.kaggle.fail(method, answer)
    assert Kaggle().download_competition(tmp_path).read_bytes() == ZIP


MESSAGE = json.dumps({"code": 403, "message": "Accept the rules"}).encode()


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (file_of(b"{}", Content_Type="application/zip"), "is not a zip"),
        (file_of(b"", Content_Type="application/zip"), "is empty, not a zip"),
        (file_of(b"<html>", Content_Type="application/json"), "can't be understood"),
        (file_of(b"", Content_Type="application/json"), "can't be understood"),
        (file_of(gzip.compress(b"<html>"), Content_Encoding="gzip"), "is a web page, not a zip"),
        (file_of(GZIP[:99], Content_Encoding="gzip"), "cannot be unpacked|is not a zip"),
        (file_of(GZIP[:20] + b"\xff" * 99), "is a damaged gzip file"),
        (file_of(ZIP[:-30], Content_Type="application/json"), "cannot be unpacked"),
        (file_of(MESSAGE, Content_Type="application/json"), "(?s)rules.*Accept the rules"),
        (
            file_of(
                gzip.compress(MESSAGE), Content_Type="application/json", Content_Encoding="gzip"
            ),
            "(?s)rules.*Accept the rules",
        ),
    ],
    ids=range(10),
)
def test_what_is_no_zip_is_refused(
    kaggle_server: KaggleServer, tmp_path: Path, answer: Raw, said: str
) -> None:
    kaggle_server.kaggle.fail("DownloadDataFiles", answer)
    with pytest.raises(PipelineError, match=said):
        Kaggle().download_competition(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("path", ["zähler.zip", "%C3%A4.zip", "a b.zip", "\x80.zip"])
@pytest.mark.parametrize("encoding", ["latin-1", "utf-8"])
def test_an_address_with_other_letters_is_followed(
    kaggle_server: KaggleServer, tmp_path: Path, path: str, encoding: str
) -> None:
    location = b"http://storage.kaggle.test/" + path.encode(encoding) + b"?Signature=1"
    kaggle_server.kaggle.fail("DownloadDataFiles", found_at(location), times=1)
    assert Kaggle().download_competition(tmp_path).read_bytes() == zip_bytes()


@pytest.mark.parametrize("place", ["http://x:abc/", "http://[::1", "ftp://x/y", "x:1", "http://ä/"])
def test_an_address_that_is_none_is_not_blamed_on_the_credentials(
    kaggle_server: KaggleServer, tmp_path: Path, place: str
) -> None:
    # The last of them is a host that its proxy answers for with an error.
    kaggle_server.kaggle.fail("GET", Answer(b"{}", "application/zip"))
    for encoding in ("latin-1", "utf-8"):
        kaggle_server.kaggle.fail("DownloadDataFiles", found_at(place.encode(encoding)), times=1)
        with pytest.raises(PipelineError) as caught:
            Kaggle().download_competition(tmp_path)
        assert "credentials" not in str(caught.value)


def test_an_answer_and_a_download_have_a_largest_size(
    kaggle_server: KaggleServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kaggle = Kaggle()
    monkeypatch.setattr(adapter, "MAX_DOWNLOAD_BYTES", 99)
    with pytest.raises(PipelineError, match="The download is larger than 99 bytes"):
        kaggle.download_competition(tmp_path)
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr(adapter, "MAX_ANSWER_BYTES", 9)
    with pytest.raises(PipelineError, match=r"can't be understood .* RequestException"):
        Kaggle()
