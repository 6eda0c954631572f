"""Servers under test as processes of their own, and calls of the MagnetMail contract. Shared by the benches."""

from __future__ import annotations

import http.client
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from xml.etree import ElementTree

NAMESPACE = "http://www.magnetmail.net/"
PATH = "/mmapi.asmx"
# Seconds within which a server must listen, and the demo's own jobs must be over.
START = 60.0


class Server:
    """A process that listens on a port of 127.0.0.1; with `core`, it runs on that one only. Ends with the block."""

    def __init__(
        self,
        command: Sequence[str],
        port: int,
        log: Path,
        *,
        core: int | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.port = port
        self.apart: set[int] = set()
        self._log = log
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                command,
                env={**os.environ, **(environment or {})},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                preexec_fn=None if core is None else lambda: os.sched_setaffinity(0, {core}),
            )

    def __enter__(self) -> Server:
        end = time.monotonic() + START
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return self
            except OSError:
                if self.process.poll() is not None or time.monotonic() > end:
                    self.stop()
                    raise SystemExit(f"a server did not start:\n{self._log.read_text()}") from None
                time.sleep(0.05)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End the process, with what it started."""
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def children(self) -> list[int]:
        """Ids of the processes that it started."""
        lists = Path(f"/proc/{self.process.pid}/task").glob("*/children")
        return [int(number) for found in lists for number in found.read_text().split()]

    def cpu(self) -> float:
        """Seconds of processor time that it and its children have used, but for those that are `apart`."""
        ticks = 0
        for number in {self.process.pid, *self.children()} - self.apart:
            fields = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    """A port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def soapstone(
    folder: Path, *, core: int | None = None, worker: bool = True, environment: Mapping[str, str] | None = None
) -> Server:
    """`soapstone serve --demo` with its records in the folder, or `soapstone web` on those that are there.

    `environment` may name other records, and another source tree.
    """
    port = free_port()
    command = [sys.executable, "-m", "soapstone", *(["serve", "--demo"] if worker else ["web"])]
    where = ["--port", str(port), "--data", str(folder / "data")]
    return Server([*command, *where], port, folder / f"{port}.log", core=core, environment=environment)


def pin(process: int, core: int) -> None:
    """Move a process, all its threads and what it starts later, to one core."""
    for thread in Path(f"/proc/{process}/task").iterdir():
        os.sched_setaffinity(int(thread.name), {core})


def envelope(body: str, session: str = "") -> bytes:
    """A SOAP 1.1 request of the demo account."""
    header = f"<sessionId>{session}</sessionId><user_id>DEMO</user_id>"
    head = f'<soap:Header><mmAuthHeader xmlns="{NAMESPACE}">{header}</mmAuthHeader></soap:Header>' if session else ""
    return (
        '<?xml version="1.0" encoding="utf-8"?><soap:Envelope xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
        ' xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/">'
        f"{head}<soap:Body>{body}</soap:Body></soap:Envelope>"
    ).encode()


def headers(operation: str) -> dict[str, str]:
    """The HTTP headers of a call."""
    return {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": f'"{NAMESPACE}{operation}"'}


def logon() -> bytes:
    """The demo account's Authenticate request."""
    members = "<username>demo</username><password>demo</password>"
    return envelope(f'<Authenticate xmlns="{NAMESPACE}">{members}</Authenticate>')


def status_request(session: str, job: int) -> bytes:
    """A poll for a job."""
    members = f"<user_id>DEMO</user_id><jobid>{job}</jobid>"
    return envelope(f'<getUploadJobStatus xmlns="{NAMESPACE}">{members}</getUploadJobStatus>', session)


def post(port: int, operation: str, body: bytes) -> bytes:
    """The answer to a call, which must succeed."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    connection.request("POST", PATH, body, headers(operation))
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    if answer.status != 200:
        raise SystemExit(f"{operation}: status {answer.status}\n{content[:2000].decode('utf-8', 'replace')}")
    return content


def get(port: int, query: str) -> bytes:
    """A document of the contract."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", f"{PATH}?{query}")
    content = connection.getresponse().read()
    connection.close()
    return content


def session(port: int) -> str:
    """A session of the demo account."""
    found = re.search(rb"<sessionId>([0-9a-f-]+)</sessionId>", post(port, "Authenticate", logon()))
    if found is None:
        raise SystemExit("the demo account was not let in")
    return found[1].decode()


Members = dict[str, "str | Members"]


def members(answer: bytes, operation: str) -> Members:
    """The members of an operation's result by name, without namespaces and without those that have no value."""
    for element in ElementTree.fromstring(answer).iter():
        if element.tag.rpartition("}")[2] == f"{operation}Result":
            return _members(element)
    raise SystemExit(f"no answer to {operation}: {answer[:2000].decode('utf-8', 'replace')}")


def _members(element: ElementTree.Element) -> Members:
    return {
        child.tag.rpartition("}")[2]: _members(child) if len(child) else child.text or ""
        for child in element
        if not any(name.endswith("}nil") for name in child.attrib)
    }


def wait_for_job(port: int, session: str, job: int, *, seconds: float = START, pause: float = 0.05) -> Members:
    """The record of a job once it is completed."""
    end = time.monotonic() + seconds
    while True:
        found = members(post(port, "getUploadJobStatus", status_request(session, job)), "getUploadJobStatus")
        if found.get("status") == "2":
            return found
        if time.monotonic() > end or found.get("status") not in ("0", "1"):
            raise SystemExit(f"job {job} does not complete: {found}")
        time.sleep(pause)
