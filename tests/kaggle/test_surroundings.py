"""Settings of the environment that can't be followed: named, before anything is sent."""

import re
from pathlib import Path

import pytest

from pipeline.kaggle import surroundings
from pipeline.kaggle.client import Kaggle
from pipeline.kaggle.surroundings import SettingError, check, proxies_for
from pipeline.system.text import as_shown
from tests.kaggle.test_adapter import write_certificate
from tests.kaggle_server import KaggleServer

PASSWORD = "planted-pass"
LOGIN = f"ada:{PASSWORD}"


def refusal() -> str:
    """What is said of the settings, without a password."""
    with pytest.raises(SettingError) as caught:
        check()
    text = str(caught.value)
    assert "planted" not in text
    assert text == as_shown(text), "the command line would cut this"
    assert len(text.splitlines()) == 2
    return text


@pytest.mark.parametrize("variable", ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"])
@pytest.mark.parametrize(
    ("proxy", "said"),
    [
        (f"http://{LOGIN}@proxy.test:abc", "its host or port can't be read"),
        (f"{LOGIN}@proxy.test:abc", "its host or port can't be read"),
        ("http://proxy.test:99999", "its host or port can't be read"),
        ("http://ada:planted#1@proxy.test:1", "its host or port can't be read"),
        ("http://ada:planted/1@proxy.test:1", "its host or port can't be read"),
        ("http://::1:3128", "its host or port can't be read"),
        ("http://proxy.test:0", "its port is 0"),
        (f"http://{LOGIN}@:3128", "it names no host"),
        ("http://", "it names no host"),
        (f"htp://{LOGIN}@proxy.test:3128", "it begins neither with http://"),
        ("http:/proxy.test:3128", "it begins neither with http://"),
        ("http//proxy.test:3128", "it begins neither with http://"),
        ("://proxy.test", "it begins neither with http://"),
        (f"'http://{LOGIN}@proxy.test:3128'", "it begins neither with http://"),
        ('http://"proxy.test":3128', "it holds blanks or quotes"),
        ("http://proxy.test:3128 ", "it holds blanks or quotes"),
        ("http://ada:plantedžluť@proxy.test:3128", "its password holds letters that can't be"),
    ],
)
def test_a_proxy_that_is_none(
    home: Path, monkeypatch: pytest.MonkeyPatch, variable: str, proxy: str, said: str
) -> None:
    monkeypatch.setenv(variable, proxy)
    assert f"The proxy in {variable} can't be used: {said}" in refusal()


@pytest.mark.parametrize("scheme", ["socks4", "socks5", "socks5h", "SOCKS5"])
@pytest.mark.parametrize("variable", ["https_proxy", "all_proxy"])
def test_socks_needs_a_package(
    home: Path, monkeypatch: pytest.MonkeyPatch, scheme: str, variable: str
) -> None:
    monkeypatch.setenv(variable, f"{scheme}://{LOGIN}@proxy.test:1080")
    monkeypatch.setattr(surroundings, "find_spec", lambda _: None)
    told = refusal()
    assert f"The proxy in {variable} can't be used: for SOCKS, the package PySocks" in told
    assert re.search(r"Run: \S+ -m pip install PySocks", told)
    monkeypatch.setattr(surroundings, "find_spec", lambda _: "there")
    check()


@pytest.mark.parametrize(
    ("proxy", "taken"),
    [
        ("proxy.test:3128", "http://proxy.test:3128"),
        ("proxy:3128", "http://proxy:3128"),
        (f"{LOGIN}@proxy:3128", f"http://{LOGIN}@proxy:3128"),
        ("http://ada:planted%40%2F@proxy:1", "http://ada:planted%40%2F@proxy:1"),
        ("http://ada:planted@1@proxy:1", "http://ada:planted@1@proxy:1"),
        ("https://proxy.test/", "https://proxy.test/"),
        ("http://[::1]:3128", "http://[::1]:3128"),
    ],
)
def test_a_proxy_that_is_followed(
    home: Path, monkeypatch: pytest.MonkeyPatch, proxy: str, taken: str
) -> None:
    monkeypatch.setenv("https_proxy", proxy)
    check()
    assert proxies_for("https://api.kaggle.com/x") == {"all": taken}


@pytest.mark.parametrize("no_proxy", ["*", "kaggle.com", " ,api.kaggle.com, x:1", ".kaggle.com"])
def test_a_proxy_that_is_not_used_may_be_anything(
    home: Path, monkeypatch: pytest.MonkeyPatch, no_proxy: str
) -> None:
    monkeypatch.setenv("http_proxy", "htp://x")
    monkeypatch.setenv("https_proxy", "http://x:abc")
    monkeypatch.setenv("no_proxy", no_proxy)
    check()


@pytest.mark.parametrize("no_proxy", ["10.0.0.0/abc", "[::1", "localhost:abc", "ü", "(", ",,"])
def test_odd_exceptions_are_none(
    home: Path, monkeypatch: pytest.MonkeyPatch, no_proxy: str
) -> None:
    monkeypatch.setenv("https_proxy", "http://proxy.test:1")
    monkeypatch.setenv("no_proxy", no_proxy)
    assert proxies_for("https://api.kaggle.com/x") == {"all": "http://proxy.test:1"}


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_certificates_that_are_none(
    home: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    path = home / "ca.pem"
    monkeypatch.setenv(variable, str(path))
    assert f"{variable}={path}: there is no such file." in refusal()
    path.write_text("nothing of the kind")
    assert f"{variable}={path}: it holds no certificates." in refusal()
    path.write_bytes(b"")
    assert f"{variable}={path}: it holds no certificates." in refusal()
    write_certificate(path)
    check()
    path.rename(home / "0123abcd.0")
    path.mkdir()
    assert f"{variable}={path}: it is a folder without certificates named by" in refusal()
    (home / "0123abcd.0").rename(path / "0123abcd.0")
    check()
    monkeypatch.setenv(variable, "/dev/zero")
    assert f"{variable}=/dev/zero: it is no file." in refusal()
    monkeypatch.setenv(variable, "")
    check()


def test_a_log_of_keys_that_cant_be_written(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in (home, home / "nowhere" / "log"):
        monkeypatch.setenv("SSLKEYLOGFILE", str(path))
        assert f"SSLKEYLOGFILE={path}: keys of connections can't be written there." in refusal()
    monkeypatch.setenv("SSLKEYLOGFILE", str(home / "log"))
    check()


@pytest.mark.parametrize("value", ["TEST", "STAGING", "localhost", "http://localhost", "prod"])
def test_a_kaggle_that_there_is_not(
    home: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("KAGGLE_API_ENVIRONMENT", value)
    assert f"KAGGLE_API_ENVIRONMENT={value}: no such Kaggle is known." in refusal()


@pytest.mark.parametrize(("value", "local"), [("PROD", False), ("", False), ("LOCALHOST", True)])
def test_a_kaggle_that_there_is(
    home: Path, monkeypatch: pytest.MonkeyPatch, value: str, local: bool
) -> None:
    monkeypatch.setenv("KAGGLE_API_ENVIRONMENT", value)
    monkeypatch.setenv("KAGGLE_API_ENDPOINT", "https://www.kaggle.com")
    assert check() is local
    monkeypatch.setenv("KAGGLE_API_ENDPOINT", f"http://{LOGIN}@localhost:8080")
    assert "KAGGLE_API_ENDPOINT names another server" in refusal()


@pytest.mark.parametrize("variable", ["http_proxy", "all_proxy", "REQUESTS_CA_BUNDLE"])
def test_nothing_is_sent_by_a_way_that_is_none(
    kaggle_server: KaggleServer, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    if variable == "all_proxy":
        monkeypatch.delenv("http_proxy")
    monkeypatch.setenv(variable, "socks9://nowhere")
    with pytest.raises(SettingError, match=variable):
        Kaggle()
    assert kaggle_server.kaggle.seen == []


def test_the_way_of_a_file_is_looked_at_as_well(
    kaggle_server: KaggleServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kaggle_server.kaggle.datasets["a/b"] = b""
    monkeypatch.setenv("https_proxy", f"http://{LOGIN}@proxy.test:abc")
    monkeypatch.setattr("tests.kaggle_api.STORAGE", "https://storage.kaggle.test")
    with pytest.raises(SettingError, match="https_proxy") as caught:
        Kaggle().download_competition(tmp_path)
    assert "planted" not in str(caught.value)


def test_passwords_of_proxies_are_known_however_odd_the_rest(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://ada:pass%2Fword@proxy.test:abc")
    monkeypatch.setenv("https_proxy", "ada:other@[x")
    found = set(surroundings.proxy_passwords())
    assert found == {"pass%2Fword", "pass/word", "other"}
