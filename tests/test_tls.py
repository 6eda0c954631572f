"""TLS of the server itself, with a certificate that openssl made."""

from __future__ import annotations

import ssl
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.conftest import Served

from soapstone.errors import InvalidError
from soapstone.tls import tls_context


def certificate(folder: Path, name: str, *options: str) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that vouches for itself, and its key."""
    files = folder / f"{name}.pem", folder / f"{name}.key"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-days", "2"]
    subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run(
        [*command, *subject, *(options or ["-nodes"]), "-out", files[0], "-keyout", files[1]],
        check=True,
        capture_output=True,
    )
    return files


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tls")


@pytest.fixture(scope="module")
def pair(folder: Path) -> tuple[Path, Path]:
    return certificate(folder, "server")


@pytest.fixture(scope="module")
def secure(pair: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A demo server with TLS, set up by variables."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOAPSTONE_TLS_CERT", str(pair[0]))
        patch.setenv("SOAPSTONE_TLS_KEY", str(pair[1]))
        running = Served(tmp_path_factory.mktemp("secure") / "data")
    yield running
    running.stop()


POLL = """
import sys
import requests, zeep
base, trusted = sys.argv[1:]
session = requests.Session()
session.verify, session.trust_env = trusted, False
transport = zeep.Transport(session=session)
client = zeep.Client(base + "/mmapi.asmx?WSDL", transport=transport)
opened = client.service.Authenticate(username="demo", password="demo")
header = {"mmAuthHeader": {"sessionId": opened.sessionId, "user_id": opened.user_id}}
print(client.service.getUploadJobStatus(user_id="DEMO", jobid=1, _soapheaders=header).status)
client = zeep.Client(base + "/v31/IntegrationService.asmx?WSDL", transport=transport)
header = {"WSUser": {"UserName": "demo", "Password": "demo"}}
print(client.service.GetLegacyProcessStatus(ListID=1, _soapheaders=header)[0].ProcessType)
"""


def test_a_client_polls_over_https(secure: Any, pair: tuple[Path, Path]) -> None:
    assert secure.base.startswith("https://127.0.0.1:")
    done = subprocess.run(
        [sys.executable, "-c", POLL, secure.base, str(pair[0])], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == ["2.0", "Send to List"]


@pytest.mark.parametrize("path", ["/mmapi.asmx", "/v31/IntegrationService.asmx"])
def test_descriptions_say_https(secure: Any, pair: tuple[Path, Path], path: str) -> None:
    """asmx-5"""
    trust = ssl.create_default_context(cafile=pair[0])
    page = httpx.get(f"{secure.base}{path}?WSDL", verify=trust).text
    assert page.count(f'location="{secure.base}{path}"') == 2
    assert "http://127.0.0.1" not in page
    # The test form calls the server that it came from.
    headers = {"Origin": secure.base, "Content-Type": "text/xml"}
    assert httpx.post(secure.base + path, headers=headers, content=b"<a/>", verify=trust).status_code == 500


def test_cookies_of_the_console_are_for_https_alone(secure: Any, pair: tuple[Path, Path]) -> None:
    trust = ssl.create_default_context(cafile=pair[0])
    with httpx.Client(base_url=secure.base, verify=trust) as browser:
        browser.get("/login")
        answer = browser.post("/login", data={"name": "demo", "password": "demo"}, headers={"Origin": secure.base})
    (cookie,) = answer.headers.get_list("set-cookie")
    assert "; secure" in cookie.lower()
    assert answer.status_code == 303


def test_plain_http_gets_no_answer_there(secure: Any) -> None:
    with pytest.raises(httpx.HTTPError):
        httpx.get(secure.base.replace("https", "http"))


def test_older_versions_than_tls_1_2_are_refused(secure: Any, pair: tuple[Path, Path]) -> None:
    address = secure.base.removeprefix("https://")
    results = {}
    for version in ("-tls1_1", "-tls1_2", "-tls1_3"):
        command = ["openssl", "s_client", "-connect", address, version, "-cipher", "DEFAULT@SECLEVEL=0"]
        done = subprocess.run(command, input="", capture_output=True, text=True, timeout=30, check=False)
        results[version] = done.returncode == 0
    assert results == {"-tls1_1": False, "-tls1_2": True, "-tls1_3": True}
    context = tls_context(str(pair[0]), str(pair[1]))
    assert context is not None
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2


def test_web_takes_the_flags(pair: tuple[Path, Path], tmp_path: Path) -> None:
    command = [sys.executable, "-m", "soapstone", "web", "--port", "0", "--data", str(tmp_path / "data")]
    flags = ["--tls-cert", str(pair[0]), "--tls-key", str(pair[1])]
    with subprocess.Popen([*command, *flags], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        try:
            assert server.stdout is not None
            base = next(line.split()[-1] for line in server.stdout if "serves on" in line)
            trust = ssl.create_default_context(cafile=pair[0])
            assert httpx.get(f"{base}/healthz", verify=trust).status_code == 200
        finally:
            server.terminate()


def test_the_data_folder_is_for_the_server_alone(secure: Any) -> None:
    assert stat.S_IMODE(secure.data.stat().st_mode) == 0o700


@pytest.fixture
def files(folder: Path, pair: tuple[Path, Path]) -> dict[str, str]:
    other, locked = folder / "other.key", folder / "locked.key"
    if not other.exists():
        certificate(folder, "other")
        certificate(folder, "locked", "-passout", "pass:secret")
        (folder / "text").write_text("no certificate\n")
    names = {"cert": pair[0], "key": pair[1], "other": other, "locked": locked, "text": folder / "text"}
    return {name: str(path) for name, path in {**names, "missing": folder / "missing", "folder": folder}.items()}


@pytest.mark.parametrize(
    ("cert", "key", "words"),
    [
        ("cert", "", "needs both"),
        ("", "key", "needs both"),
        ("missing", "key", "Cannot read {missing} (No such file or directory)."),
        ("cert", "missing", "Cannot read {missing} (No such file or directory)."),
        ("folder", "key", "Cannot read {folder} (Is a directory)."),
        ("text", "key", "{text} holds no certificate"),
        ("cert", "text", "{text} no key"),
        ("key", "cert", "{key} holds no certificate"),
        ("cert", "other", "The key in {other} is not that of the certificate in {cert}."),
        ("cert", "locked", "The key in {locked} has a password."),
    ],
)
def test_wrong_files_are_told_in_one_line(files: dict[str, str], cert: str, key: str, words: str) -> None:
    with pytest.raises(InvalidError) as refusal:
        tls_context(files.get(cert, ""), files.get(key, ""))
    assert words.format(**files) in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("command", ["serve", "web"])
def test_a_server_does_not_start_with_wrong_files(command: str, tmp_path: Path) -> None:
    data, missing = tmp_path / "data", tmp_path / "missing.pem"
    arguments = ["--port", "0", "--data", str(data), "--tls-cert", str(missing), "--tls-key", str(missing)]
    result = subprocess.run(
        [sys.executable, "-m", "soapstone", command, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == f"Cannot read {missing} (No such file or directory).\n"
    assert not data.exists()


def test_without_files_there_is_no_tls() -> None:
    assert tls_context("", "") is None
