"""A server as users start it, and foreign clients in programs of their own that call it."""

from __future__ import annotations

import contextlib
import functools
import importlib.metadata
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Generator, Iterable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
START_SECONDS = 120
STOP_SECONDS = 30
# The server is started as in a shell of its own: without what an outer make or a developer's settings say.
CLEAN = {
    name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS", "PYTHON", "SOAPSTONE_"))
}


class Server:
    """A server started by `make run`, with a port and a data folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.base = f"http://127.0.0.1:{port}"
        self._out, self._log = folder / "out", folder / "log"
        with self._out.open("wb") as out, self._log.open("wb") as log:
            # The group of processes is the handle by which all of them are ended.
            self._make = subprocess.Popen(
                ["make", "run", f"PORT={port}", f"DATA={self.data}"],
                cwd=ROOT,
                env=CLEAN,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=log,
                start_new_session=True,
            )
        end = time.monotonic() + START_SECONDS
        while "Ctrl-C ends it." not in self.banner():
            if self._make.poll() is not None or time.monotonic() > end:
                self.stop()
                raise AssertionError(f"make run does not serve:\n{self.banner()}\n{self._log.read_text()}")
            time.sleep(0.05)

    def banner(self) -> str:
        """What the server printed."""
        return self._out.read_text()

    def stop(self) -> None:
        """Ask all processes to end, as Ctrl-C does; they must do so by themselves."""
        self._signal(signal.SIGINT)
        try:
            self._make.wait(STOP_SECONDS)
            end = time.monotonic() + STOP_SECONDS
            while self._signal(0):
                assert time.monotonic() < end, f"the server does not end:\n{self._log.read_text()}"
                time.sleep(0.05)
        finally:
            self._signal(signal.SIGKILL)

    def _signal(self, number: int) -> bool:
        """Send a signal to the group; whether there was anybody."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._make.pid, number)
            return True
        return False

    def command(self, *arguments: str, standard_input: str = "") -> None:
        """Run one of the product's own commands on the server's data."""
        program = [sys.executable, "-m", "soapstone", *arguments, "--data", str(self.data)]
        subprocess.run(program, input=standard_input, text=True, env=CLEAN, check=True, capture_output=True)

    def add_login(self, name: str, password: str) -> None:
        """A further login of the demo account, made while the server runs."""
        options = ["--account", "DEMO", "--password-file", "-"]
        self.command("account", "login", name, *options, standard_input=f"{password}\n")


class Refused(Exception):
    """A client reports a SOAP fault."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(f"{code}: {text}")
        self.code = code
        self.text = text


class Broken(Exception):
    """A client reports an error that is no SOAP fault."""


class Members(dict[str, Any]):
    """An object of an answer. Clients leave out members that are not there, or say that they are nothing."""

    def __missing__(self, name: str) -> None:
        return None


# Names of the elements that are items of arrays: some clients give the object around them, some the items alone.
ITEMS = [
    "group",
    "GroupRecipient",
    "WSContactList",
    "WSContactSubscriptionInfo",
    "WSImportContact",
    "WSImportHistory",
    "WSLegacyProcessStatus",
    "WSProfileHeader",
]
PROGRAMS: dict[str, list[str | Path]] = {
    "zeep": [sys.executable, HERE / "python" / "zeep_client.py"],
    "suds": [sys.executable, HERE / "python" / "suds_client.py"],
    "php": ["php", HERE / "php" / "client.php"],
    "node": ["node", HERE / "node" / "client.mjs"],
}
MAGNETMAIL = ("/mmapi.asmx", "http://www.magnetmail.net/")
LISTRAK = ("/v31/IntegrationService.asmx", "http://webservices.listrak.com/v31/")


class Client:
    """A foreign client's program: a call goes in as a line of JSON, what came of it comes out as one.

    It repeats a call that fails `retries` times, and waits `seconds` for an answer, None as long as usual. `errors`
    are those of the last call, in its own words.
    """

    def __init__(self, name: str, version: str, base: str, log: Path) -> None:
        self.name, self.version, self.base = name, version, base
        self.retries = 0
        self.seconds: float | None = None
        self.errors: list[str] = []
        self.called: set[tuple[str, str]] = set()
        self._log = log
        with log.open("wb") as errors:
            self._program = subprocess.Popen(
                [*PROGRAMS[name], version, ",".join(ITEMS)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                encoding="utf-8",
            )

    def magnetmail(self, operation: str, header: dict[str, str] | None = None, **arguments: Any) -> Any:
        """Call the MagnetMail contract. Raises Refused for a fault."""
        return self._call(MAGNETMAIL, operation, header and {"mmAuthHeader": header}, arguments)

    def listrak(self, operation: str, login: str = "demo", password: str = "demo", **arguments: Any) -> Any:
        """Call the Listrak contract. Raises Refused for a fault."""
        header = {"WSUser": {"UserName": login, "Password": password}}
        return self._call(LISTRAK, operation, header, arguments)

    def stop(self) -> None:
        """End the program, which ends by itself with its input."""
        self._program.communicate(timeout=STOP_SECONDS)

    def _call(self, contract: tuple[str, str], operation: str, header: Any, arguments: dict[str, Any]) -> Any:
        path, namespace = contract
        self.called.add(("magnetmail" if contract is MAGNETMAIL else "listrak", operation))
        call = {
            "wsdl": f"{self.base}{path}?WSDL",
            "namespace": namespace,
            "operation": operation,
            "header": header,
            "arguments": arguments,
            "retries": self.retries,
            "seconds": self.seconds,
        }
        assert self._program.stdin is not None
        assert self._program.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            print(json.dumps(call), file=self._program.stdin, flush=True)
        line = self._program.stdout.readline()
        assert line, f"{self.name} gave up at {operation}:\n{self._log.read_text()}"
        result = json.loads(line, object_hook=Members)
        assert result["version"] == self.version
        self.errors = result["errors"] or []
        if (fault := result["fault"]) is not None:
            raise Refused(fault["code"], fault["text"])
        if result["error"] is not None:
            raise Broken(result["error"])
        return result["answer"]


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A demo server for all tests that call it."""
    running = Server(tmp_path_factory.mktemp("server"))
    try:
        # The demo account's past: an upload and a send.
        for job in ("1", "2"):
            running.command("jobs", "watch", job)
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="session", params=[f"{name}-{version}" for name in PROGRAMS for version in ("1.1", "1.2")])
def client(
    request: pytest.FixtureRequest, server: Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Client]:
    """Each client in each SOAP version."""
    name, version = request.param.split("-")
    program = Client(name, version, server.base, tmp_path_factory.mktemp("client") / "log")
    yield program
    program.stop()


@pytest.fixture(scope="session")
def foreign_client() -> type[Client]:
    """A foreign client's program, to be made for a server."""
    return Client


@pytest.fixture
def login(server: Server) -> str:
    """A login with the password `right` and without failed logons, of which ten would lock it (lk-13)."""
    name = f"login-{uuid4()}"
    server.add_login(name, "right")
    return name


@pytest.fixture(scope="session")
def refused() -> type[Refused]:
    """What a call raises for a fault."""
    return Refused


class Grid:
    """What clients called in a test, for the page of the manual that grid.py makes."""

    def __init__(self) -> None:
        self.rows: list[dict[str, str]] = []

    def note(self, client: str, version: str, contract: str, soap: str, operations: Iterable[str]) -> None:
        """Note that a client of this version called operations of a contract in a version of SOAP."""
        for operation in operations:
            row = {"client": client, "version": version, "contract": contract, "soap": soap, "operation": operation}
            self.rows.append(row)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
    """Keep what clients called in a test for the grid, and whether it passed.

    Each process has a file of its own, since tests run in parallel. A foreign client notes its calls by itself, other
    tests use the fixture `grid`.
    """
    report: Any = yield
    given = getattr(item, "funcargs", {})
    noted: Grid = given.get("grid") or Grid()
    client = given.get("client")
    if call.when == "call" and isinstance(client, Client):
        for contract, operation in client.called:
            noted.note(client.name, version_of(client.name), contract, client.version, [operation])
        client.called.clear()
    if call.when == "call" and noted.rows:
        folder = ROOT / "build" / "grid"
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / f"{os.getpid()}.jsonl").open("a") as file:
            for row in noted.rows:
                print(json.dumps({**row, "passed": report.passed}), file=file)
    return report


@functools.cache
def version_of(client: str) -> str:
    """The version of a foreign client's library."""
    if client == "php":
        return subprocess.run(["php", "-r", "echo PHP_VERSION;"], capture_output=True, text=True, check=True).stdout
    if client == "node":
        return str(json.loads((HERE / "node" / "node_modules" / "soap" / "package.json").read_text())["version"])
    return importlib.metadata.version({"suds": "suds-community"}.get(client, client))


@pytest.fixture
def grid() -> Grid:
    """Take notes of what a client called in this test."""
    return Grid()
