"""A client that sends bytes as they are and shows what comes back, against a started server."""

from __future__ import annotations

import importlib.util
import re
import socket
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import Served


def _cases() -> Any:
    spec = importlib.util.spec_from_file_location("wire_socket_cases", Path(__file__).parent / "cases.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


CASES = _cases()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "case" in metafunc.fixturenames:
        found = CASES.CASES
        metafunc.parametrize("case", found, ids=[each.name for each in found])


@dataclass(frozen=True)
class RawReply:
    """`status` is the status line without the protocol; header names are in lower case."""

    status: str
    headers: list[tuple[str, str]]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key == name), None)


class Wire:
    """Raw connections to one server."""

    def __init__(self, served: Any) -> None:
        self.served = served
        self.pid: int = served.process.pid
        self.port = int(served.base.rpartition(":")[2])
        self.cases = CASES

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=60)

    def send(self, pieces: bytes | Iterable[bytes]) -> RawReply:
        """Send and read until the server closes, or the announced answer is complete. A reset while sending is no
        error when there is an answer all the same."""
        with self.connect() as connection:
            try:
                for piece in [pieces] if isinstance(pieces, bytes) else pieces:
                    connection.sendall(piece)
            except (BrokenPipeError, ConnectionResetError):
                pass
            return self.read(connection)

    def read(self, connection: socket.socket) -> RawReply:
        data = b""
        while b"\r\n\r\n" not in data or len(data) < _end(data):
            more = connection.recv(65536)
            if not more:
                break
            data += more
        head, _, body = data.partition(b"\r\n\r\n")
        status, *lines = head.decode("latin-1").split("\r\n")
        pairs = [line.split(": ", 1) for line in lines]
        return RawReply(status.removeprefix("HTTP/1.1 "), [(name.lower(), value) for name, value in pairs], body)

    def session(self) -> str:
        """The header of a new session."""
        known, space = self.cases, self.cases.MM
        inner = "<username>demo</username><password>demo</password>"
        body = known.envelope(f'<Authenticate xmlns="{space}">{inner}</Authenticate>')
        found = re.search("<sessionId>(.*?)</sessionId>", self.send(known.http(known.MM_PATH, body)).text)
        assert found is not None
        return f'<mmAuthHeader xmlns="{space}"><sessionId>{found[1]}</sessionId></mmAuthHeader>'

    def upload(self, data: str) -> str:
        """An upload to the demo list, with a session of its own."""
        known, space, header = self.cases, self.cases.MM, self.session()
        inner = f"<groupid>1</groupid><csvData>{data}</csvData><MM_1>email</MM_1>"
        return str(known.envelope(f'<uploadListQueue xmlns="{space}">{inner}</uploadListQueue>', "1.1", header))

    def memory(self, *, peak: bool = False) -> int:
        """Bytes that the web process holds; with `peak` the most it ever did, where the system tells."""
        status = Path(f"/proc/{self.pid}/status")
        if status.exists():
            found = re.search(rf"{'VmHWM' if peak else 'VmRSS'}:\s*(\d+) kB", status.read_text())
            assert found is not None
            return int(found[1]) * 1024
        command = ["ps", "-o", "rss=", "-p", str(self.pid)]
        return int(subprocess.run(command, capture_output=True, check=True).stdout) * 1024

    def forget_peak(self) -> None:
        forgetful = Path(f"/proc/{self.pid}/clear_refs")
        if forgetful.exists():
            forgetful.write_text("5")

    def is_well(self) -> None:
        """The server answers others, and nothing of its insides was logged."""
        reply = self.send(self.cases.http(self.cases.MM_PATH, self.cases.details(), action=self.cases.ACTION))
        assert (reply.status, reply.text) == ("200 OK", self.cases.no_error())
        assert "Traceback" not in self.served.log()


def _end(data: bytes) -> int:
    head = data.partition(b"\r\n\r\n")[0]
    found = re.search(rb"(?i)\r\ncontent-length: (\d+)", head)
    return len(head) + 4 + int(found[1]) if found else sys.maxsize


@pytest.fixture(scope="session")
def server_class() -> type[Served]:
    """For servers with other settings."""
    return Served


@pytest.fixture(scope="module")
def served(served_process: Served) -> Served:
    """A process of its own, whose memory is looked at."""
    return served_process


@pytest.fixture(scope="module")
def wire(served: Served) -> Wire:
    """The server of this module."""
    return Wire(served)
