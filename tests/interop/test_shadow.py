"""The configuration on the page about shadows, run by nginx as it stands there; and Mono as the live service."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.conftest import LocalServed
from tests.interop.oracle.ground import Ground
from tests.interop.oracle.oracle import Oracle, free_port
from tests.interop.test_nginx import MAIN, answers, wait_for
from tests.shadow.conftest import Client, live, shadowing

from soapstone.listrak.operations import CONTRACT as LISTRAK
from soapstone.magnetmail.operations import CONTRACT as MAGNETMAIL
from soapstone.wire.envelope import SOAP_11, SOAP_12, envelope

__all__ = ["live"]

pytestmark = pytest.mark.interop

# nginx leaves a server that failed out for `fail_timeout`, five seconds on the page.
LEFT_OUT = 5.5

PAGE = Path(__file__).parent.parent.parent / "docs" / "shadow.md"
SECONDS = 30


@contextmanager
def started_shadow(base: str, port: int, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A shadow in a process of its own, on this port."""
    command = [sys.executable, "-m", "soapstone", "serve", "--shadow", base, "--port", str(port), "--data", str(folder)]
    with (folder.parent / "shadow.log").open("ab") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
    assert process.stdout is not None
    try:
        assert any("Ctrl-C" in line for line in process.stdout), (folder.parent / "shadow.log").read_text()
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@contextmanager
def nginx(folder: Path, changes: dict[str, str]) -> Iterator[None]:
    folder.chmod(0o755)
    (servers,) = re.findall(r"^```nginx\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    for old, new in changes.items():
        assert old in servers
        servers = servers.replace(old, new)
    configuration = folder / "nginx.conf"
    configuration.write_text(MAIN.format(folder=folder, server=servers))
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    with (folder / "out").open("wb") as out:
        arguments = ["-p", str(folder), "-c", str(configuration), "-e", str(folder / "error.log")]
        running = subprocess.Popen([program, *arguments], stdin=subprocess.DEVNULL, stdout=out, stderr=out)
    try:
        port = int(re.findall(r"listen 127.0.0.1:(\d+);", servers)[0])
        wait_for(lambda: answers(port) or running.poll() is not None, "nginx does not start")
        assert running.poll() is None, (folder / "error.log").read_text()
        yield
    finally:
        running.terminate()
        running.wait(SECONDS)


def test_a_killed_shadow_leaves_the_live_path_working(live: LocalServed, tmp_path: Path) -> None:
    outer, shadow_port, direct = free_port(), free_port(), free_port()
    changes = {
        # The outer server without TLS, which test_nginx.py has.
        "listen 443 ssl;": f"listen 127.0.0.1:{outer};",
        "    ssl_certificate /etc/ssl/soapstone.pem;\n": "",
        "    ssl_certificate_key /etc/ssl/soapstone.key;\n": "",
        "127.0.0.1:8080": f"127.0.0.1:{shadow_port}",
        "127.0.0.1:8081": f"127.0.0.1:{direct}",
        "https://api.vendor.example": live.base,
        "    proxy_ssl_server_name on;\n": "",
    }
    folder = tmp_path / "nginx"
    folder.mkdir()
    client = Client(f"http://127.0.0.1:{outer}")

    def works() -> bool:
        return "GetContactListCollectionResult" in client.listrak("GetContactListCollection")

    with nginx(folder, changes):
        assert works(), "no shadow has been started"
        time.sleep(LEFT_OUT)
        with started_shadow(live.base, shadow_port, tmp_path / "data") as shadow:

            def passed() -> int:
                found: int = httpx.get(f"http://127.0.0.1:{shadow_port}/_shadow.json").json()["proxy"]["passed"]
                return found

            assert all(works() for _ in range(20))
            assert passed() == 20
            shadow.send_signal(signal.SIGKILL)
            shadow.wait()
            assert all(works() for _ in range(20))
        time.sleep(LEFT_OUT)
        with started_shadow(live.base, shadow_port, tmp_path / "data"):
            wait_for(lambda: works() and passed(), "the shadow gets no calls again")


def test_mono_as_the_live_service(tmp_path: Path) -> None:
    """Its texts, numbers and lists are samples: what it answers is passed on as it is, and each difference is named."""
    oracle = Oracle([MAGNETMAIL, LISTRAK], tmp_path / "oracle")
    try:
        direct = f"http://127.0.0.1:{oracle.port}"
        with shadowing(direct, tmp_path / "shadow") as shadow, httpx.Client(timeout=60) as client:
            count = 0
            for contract in (MAGNETMAIL, LISTRAK):
                ground = Ground(contract)
                for version in (SOAP_11, SOAP_12):
                    for operation in contract.operations[:8]:
                        body = envelope(version, f'<{operation.name} xmlns="{contract.namespace}" />', ground.header)
                        headers = [*ground.head(version, operation), ("X-Answer", "filled")]
                        theirs, through = (
                            client.post(base + contract.path, content=body, headers=headers)
                            for base in (direct, shadow.base)
                        )
                        assert (theirs.status_code, theirs.content) == (through.status_code, through.content)
                        assert theirs.headers["content-type"] == through.headers["content-type"]
                        count += 1
            document = shadow.report(count)
    finally:
        oracle.stop()
    assert document["calls"] == count
    assert len(document["operations"]) == 16
    assert "failed here" not in document["skipped"]
    compared: Any = [entry for entry in document["operations"].values() if entry["compared"]]
    assert compared, document["skipped"]
