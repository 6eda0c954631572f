"""The page about moving: its own authority, and its proxy for programs that speak only TLS 1.0, run as they stand."""

from __future__ import annotations

import re
import shutil
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.conftest import Served

pytestmark = pytest.mark.interop

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "moving.md").read_text(encoding="utf-8")
NAME = "api.vendor.example"
SECONDS = 30
MAIN = """
daemon off;
pid {folder}/pid;
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


def block(language: str, beginning: str) -> str:
    """The code block of the page that begins so."""
    found: list[str] = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    (one,) = [each for each in found if each.startswith(beginning)]
    return one


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the files of the authority and the server, as the page makes them."""
    folder = tmp_path_factory.mktemp("authority")
    folder.chmod(0o755)
    done = subprocess.run(["sh", "-ec", block("sh", "openssl req")], cwd=folder, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith(b"server.crt: OK\n")
    return folder


def ask(port: int, authority: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Ask for the description as the page does; the address given to curl stands for the entry in `hosts`."""
    command = ["curl", "--silent", "--show-error", "--max-time", str(SECONDS), "--cacert", str(authority / "ca.pem")]
    command += ["--resolve", f"{NAME}:{port}:127.0.0.1", *options, f"https://{NAME}:{port}/mmapi.asmx?WSDL"]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_program_calls_by_the_name_that_it_has(authority: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOAPSTONE_TLS_CERT", str(authority / "server.pem"))
        patch.setenv("SOAPSTONE_TLS_KEY", str(authority / "server.key"))
        running = Served(tmp_path_factory.mktemp("named") / "data")
    try:
        port = int(running.base.rpartition(":")[2])
        answer = ask(port, authority)
        assert (answer.returncode, answer.stderr) == (0, "")
        assert f'location="https://{NAME}:{port}/mmapi.asmx"' in answer.stdout
        assert 'location="http:' not in answer.stdout
        # Nobody else trusts the authority, and old versions of TLS are refused.
        assert ask(port, authority, "--cacert", "/dev/null").returncode != 0
        assert ask(port, authority, "--tls-max", "1.1", "--ciphers", "DEFAULT@SECLEVEL=0").returncode != 0
    finally:
        running.stop()


def test_the_authority_vouches_for_no_other_name(authority: Path, tmp_path: Path) -> None:
    for name in ("ca.pem", "ca.key"):
        shutil.copy(authority / name, tmp_path)
    script = block("sh", "openssl req").partition("openssl req -newkey")
    other = (script[1] + script[2]).replace(NAME, "other.example")
    done = subprocess.run(["sh", "-ec", other], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "permitted subtree violation" in done.stderr


class Proxy:
    """nginx with the page's server, before a server that trusts it."""

    def __init__(self, server: str, folder: Path) -> None:
        folder.chmod(0o755)
        configuration = folder / "nginx.conf"
        configuration.write_text(MAIN.format(folder=folder, server=server))
        self._log = folder / "log"
        program = shutil.which("nginx") or "/usr/sbin/nginx"
        with self._log.open("wb") as log:
            arguments = ["-p", str(folder), "-c", str(configuration), "-e", str(folder / "error.log")]
            self._running = subprocess.Popen([program, *arguments], stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def wait(self, port: int) -> None:
        end = time.monotonic() + SECONDS
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return
            assert self._running.poll() is None, self._log.read_text()
            assert time.monotonic() < end, "nginx does not start"
            time.sleep(0.02)

    def stop(self) -> None:
        self._running.terminate()
        self._running.wait(SECONDS)


@pytest.fixture(scope="module")
def old(authority: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, int]]:
    """Ports of nginx as on the page, and of the same without the line that lowers the level."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOAPSTONE_TRUSTED_PROXIES", '["127.0.0.1"]')
        running = Served(tmp_path_factory.mktemp("behind") / "data")
    ports = free_port(), free_port()
    server = block("nginx", "server {")
    for before, after in {
        "/etc/ssl/soapstone.pem": str(authority / "server.pem"),
        "/etc/ssl/soapstone.key": str(authority / "server.key"),
        "http://127.0.0.1:8080": running.base,
    }.items():
        assert server.count(before) == 1
        server = server.replace(before, after)
    level = '    ssl_ciphers "DEFAULT:@SECLEVEL=0";\n'
    assert level in server
    listening = [f"listen 127.0.0.1:{port} ssl" for port in ports]
    both = server.replace("listen 443 ssl", listening[0])
    both += server.replace("listen 443 ssl", listening[1]).replace(level, "")
    proxy = Proxy(both, tmp_path_factory.mktemp("old"))
    try:
        proxy.wait(ports[0])
        yield ports
    finally:
        proxy.stop()
        running.stop()


@pytest.mark.parametrize("version", ["1.0", "1.1", "1.2"])
def test_programs_of_old_tls_come_through_the_proxy(old: tuple[int, int], authority: Path, version: str) -> None:
    answer = ask(old[0], authority, f"--tlsv{version}", "--tls-max", version, "--ciphers", "DEFAULT@SECLEVEL=0")
    assert (answer.returncode, answer.stderr) == (0, "")
    assert f'location="https://{NAME}:{old[0]}/mmapi.asmx"' in answer.stdout


def test_it_takes_the_lower_level(old: tuple[int, int], authority: Path) -> None:
    assert ask(old[1], authority, "--tlsv1.0", "--tls-max", "1.0", "--ciphers", "DEFAULT@SECLEVEL=0").returncode != 0
    assert ask(old[1], authority, "--tls-max", "1.2").returncode == 0


def test_a_call_without_the_name_in_tls(old: tuple[int, int]) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("DEFAULT@SECLEVEL=0")
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with socket.create_connection(("127.0.0.1", old[0])) as plain, context.wrap_socket(plain) as secure:
        secure.sendall(f"GET /healthz HTTP/1.0\r\nHost: {NAME}\r\n\r\n".encode())
        assert secure.recv(100).startswith(b"HTTP/1.1 200")


def test_pictures_of_the_manual_are_made_again(tmp_path: Path) -> None:
    script = ROOT / "docs" / "screenshots.py"
    done = subprocess.run([sys.executable, str(script), str(tmp_path)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    made = {path.name: path.read_bytes() for path in tmp_path.glob("*.png")}
    assert made.keys() == {path.name for path in (ROOT / "docs").glob("*.png")}
    for name, picture in made.items():
        # A PNG has its width in bytes 16 to 19.
        assert picture[:4] == b"\x89PNG", name
        assert picture[16:20] == (ROOT / "docs" / name).read_bytes()[16:20], name
