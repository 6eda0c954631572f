"""The configuration on the manual's page about nginx, run by nginx as it stands there."""

from __future__ import annotations

import base64
import re
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

pytestmark = pytest.mark.interop

PAGE = Path(__file__).parent.parent.parent / "docs" / "nginx.md"
SECONDS = 30
PATHS = ("/mmapi.asmx", "/v31/IntegrationService.asmx")
NAMESPACE = "http://webservices.listrak.com/v31/"
MAIN = """
daemon off;
pid {folder}/pid;
error_log {folder}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
{server}
}}
"""


@dataclass
class Front:
    """nginx before a server."""

    base: str
    port: int
    folder: Path
    trust: ssl.SSLContext

    def client(self, address: str = "127.0.0.1") -> httpx.Client:
        """A client that calls from this address."""
        return httpx.Client(transport=httpx.HTTPTransport(verify=self.trust, local_address=address), timeout=SECONDS)


def wait_for(condition: Callable[[], Any], what: str) -> None:
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.02)


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="module", autouse=True)
def _settings() -> Iterator[None]:
    """The line of the page that sets the server up; the server starts after it."""
    trusted = re.search(r"^export SOAPSTONE_TRUSTED_PROXIES='(.*)'$", PAGE.read_text("utf-8"), re.MULTILINE)
    assert trusted
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOAPSTONE_TRUSTED_PROXIES", trusted[1])
        yield


@pytest.fixture(scope="module")
def front(served: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    folder = tmp_path_factory.mktemp("nginx")
    # Its workers are another user when it is started as root.
    folder.chmod(0o755)
    certificate, key = folder / "server.pem", folder / "server.key"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-days",
        "2",
        "-nodes",
    ]
    subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([*command, *subject, "-out", certificate, "-keyout", key], check=True, capture_output=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (server,) = re.findall(r"^```nginx\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    for old, new in {
        "listen 443 ssl;": f"listen 127.0.0.1:{port} ssl;",
        "/etc/ssl/soapstone.pem": str(certificate),
        "/etc/ssl/soapstone.key": str(key),
        "http://127.0.0.1:8080": served.base,
    }.items():
        assert server.count(old) == 1
        server = server.replace(old, new)
    configuration = folder / "nginx.conf"
    configuration.write_text(MAIN.format(folder=folder, server=server))
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    with (folder / "out").open("wb") as out:
        arguments = ["-p", str(folder), "-c", str(configuration), "-e", str(folder / "error.log")]
        running = subprocess.Popen([program, *arguments], stdin=subprocess.DEVNULL, stdout=out, stderr=out)
    try:
        wait_for(lambda: answers(port) or running.poll() is not None, "nginx does not start")
        assert running.poll() is None, (folder / "error.log").read_text()
        trust = ssl.create_default_context(cafile=certificate)
        yield Front(f"https://127.0.0.1:{port}", port, folder, trust)
    finally:
        running.terminate()
        running.wait(SECONDS)


def envelope(operation: str, inner: str) -> str:
    return (
        '<?xml version="1.0" encoding="utf-8"?><soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/">'
        f'<soap:Header><WSUser xmlns="{NAMESPACE}"><UserName>demo</UserName><Password>demo</Password></WSUser>'
        f'</soap:Header><soap:Body><{operation} xmlns="{NAMESPACE}">{inner}</{operation}></soap:Body></soap:Envelope>'
    )


def poll(front: Front, address: str, **headers: str) -> httpx.Response:
    named = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": f'"{NAMESPACE}GetLegacyProcessStatus"', **headers}
    with front.client(address) as client:
        body = envelope("GetLegacyProcessStatus", "<ListID>1</ListID>")
        return client.post(front.base + PATHS[1], headers=named, content=body)


@pytest.mark.parametrize("path", PATHS)
def test_descriptions_name_the_outer_address(front: Front, path: str) -> None:
    """asmx-5"""
    with front.client() as client:
        for headers, base in (({}, front.base), ({"Host": "soap.example.com"}, "https://soap.example.com")):
            for query in ("WSDL", "disco"):
                page = client.get(f"{front.base}{path}?{query}", headers=headers).text
                assert f'"{base}{path}' in page
                assert 'location="http://127' not in page
        forged = {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "http", "Forwarded": "host=evil.example"}
        page = client.get(f"{front.base}{path}?WSDL", headers=forged).text
        assert page.count(f'location="{front.base}{path}"') == 2


def test_a_poll_comes_from_the_outer_client(front: Front, served: Any) -> None:
    answer = poll(front, "127.0.0.2", **{"X-Forwarded-For": "192.0.2.66"})
    assert answer.status_code == 200
    assert "<ProcessType>Send to List</ProcessType>" in answer.text
    with httpx.Client(base_url=served.base, follow_redirects=True) as browser:
        browser.post("/login", data={"name": "demo", "password": "demo"})
        page = browser.get("/").text
    assert "127.0.0.2" in page
    assert "192.0.2.66" not in page


def test_the_test_form_is_not_offered_through_the_proxy(front: Front, served: Any) -> None:
    """asmx-29: not even to a browser on the same machine."""
    for path, operation in zip(PATHS, ("Authenticate", "GetLegacyProcessStatus"), strict=True):
        address = f"{path}?op={operation}"
        assert '<form id="test"' in httpx.get(served.base + address).text
        with front.client() as client:
            for headers in ({}, {"Host": "localhost"}, {"X-Forwarded-For": "", "Forwarded": ""}):
                page = client.get(front.base + address, headers=headers).text
                assert "<form" not in page
                assert "requests that come from the local machine" in page


def test_pages_behind_the_proxy_may_call_and_others_may_not(front: Front) -> None:
    """lk-7"""
    origins = {front.base: 200, "null": 403, "https://evil.example": 403}
    assert {origin: poll(front, "127.0.0.1", Origin=origin).status_code for origin in origins} == origins


def test_an_upload_of_32_mib_streams_through(front: Front, served: Any) -> None:
    """Its first half is on the server's disk before the second half is sent, and at no time on nginx's."""
    rows = b"".join(b"nginx%d@example.com,%s\n" % (number, b"x" * 12_000) for number in range(2_100))
    body = envelope(
        "BulkLoadContacts",
        "<ListID>1</ListID><WSImportDirectives><ImportTypeEnum>AddSubscribers</ImportTypeEnum>"
        "<FileDelimiter>,</FileDelimiter></WSImportDirectives><fileMappings><WSFileMappings><FileColumn>0</FileColumn>"
        "<IsEmailAddressColumn>true</IsEmailAddressColumn></WSFileMappings></fileMappings>"
        f"<ImportFileStream>{base64.b64encode(rows).decode()}</ImportFileStream>",
    ).encode()
    assert len(body) > 32 << 20
    head = (
        f"POST {PATHS[1]} HTTP/1.1\r\nHost: 127.0.0.1:{front.port}\r\nContent-Type: text/xml; charset=utf-8\r\n"
        f'SOAPAction: "{NAMESPACE}BulkLoadContacts"\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n'
    )
    blobs = served.data / "blobs"

    def kept() -> int:
        return sum(path.stat().st_size for path in blobs.rglob("*") if path.is_file())

    before, half = kept(), len(body) // 2
    with (
        socket.create_connection(("127.0.0.1", front.port), SECONDS) as plain,
        front.trust.wrap_socket(plain, server_hostname="127.0.0.1") as secure,
    ):
        secure.sendall(head.encode() + body[:half])
        wait_for(lambda: kept() - before > half // 2, "nothing of the file arrives")
        assert [path for path in (front.folder / "body").rglob("*") if path.is_file()] == []
        secure.sendall(body[half:])
        answer = b"".join(iter(lambda: secure.recv(65536), b"")).decode()
    assert answer.startswith("HTTP/1.1 200 ")
    assert re.search("<BulkLoadContactsResult>[0-9]+</BulkLoadContactsResult>", answer)
    served.settle()


def test_old_versions_of_tls_are_refused(front: Front) -> None:
    statuses = {}
    for version in ("-tls1_1", "-tls1_2", "-tls1_3"):
        command = [
            "openssl",
            "s_client",
            "-connect",
            f"127.0.0.1:{front.port}",
            version,
            "-cipher",
            "DEFAULT@SECLEVEL=0",
        ]
        done = subprocess.run(command, input=b"", capture_output=True, timeout=SECONDS, check=False)
        statuses[version] = done.returncode == 0
    assert statuses == {"-tls1_1": False, "-tls1_2": True, "-tls1_3": True}
