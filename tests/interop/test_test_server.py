"""The faults of a test server as foreign clients see them, and how clients that try again come through."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

pytestmark = pytest.mark.interop

MONO = Path(__file__).parent / "mono" / "Calls.cs"
CLIENTS = ("zeep-1.1", "php-1.2", "node-1.1", "mono-1.2")
FAULT = "---> [InternalError] The server met an internal error."
EXPIRED = "---> [InvalidSession] The session is unknown or has expired. Call Authenticate again."

# How each client tells of each kind of fault: the beginning and the end of its own words.
SEEN: dict[str, dict[str, tuple[str, str]]] = {
    "zeep": {
        "soap_fault": ("Fault", ""),
        "status_500": ("TransportError 500", ""),
        "status_503": ("TransportError 503", ""),
        "delay": ("ReadTimeout", ""),
        "disconnect": ("ConnectionError", ""),
        "reset": ("ConnectionError", ""),
        "truncate": ("ChunkedEncodingError", ""),
        "expired_session": ("Fault", ""),
    },
    "php": {
        "soap_fault": ("soap:", FAULT),
        "status_500": ("HTTP: Internal Server Error", ""),
        "status_503": ("HTTP: Service Unavailable", ""),
        "delay": ("HTTP: Error Fetching http headers", ""),
        "disconnect": ("HTTP: Error Fetching http headers", ""),
        "reset": ("HTTP: Error Fetching http headers", ""),
        # PHP takes half of a body for the whole, and finds that it is no XML.
        "truncate": ("", "looks like we got no XML document"),
        "expired_session": ("soap:", EXPIRED),
    },
    "node": {
        "soap_fault": ("fault", ""),
        "status_500": ("500", ""),
        "status_503": ("503", ""),
        "delay": ("ECONNABORTED", ""),
        "disconnect": ("ECONNRESET", ""),
        "reset": ("ECONNRESET", ""),
        "truncate": ("ERR_BAD_RESPONSE 200", ""),
        "expired_session": ("fault", ""),
    },
    "mono": {
        "soap_fault": ("SoapException: ", FAULT),
        # Mono tries to read the page of a 500, as it does a fault.
        "status_500": ("InvalidOperationException", ""),
        "status_503": ("WebException ProtocolError 503", ""),
        "delay": ("WebException Timeout", ""),
        "disconnect": ("WebException ReceiveFailure", ""),
        "reset": ("WebException UnknownError", ""),
        "truncate": ("InvalidOperationException", ""),
        "expired_session": ("SoapException: ", EXPIRED),
    },
}


class TestServer:
    """A test server in a process of its own."""

    __test__ = False

    def __init__(self, log: Path) -> None:
        with log.open("wb") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "soapstone", "serve", "--test", "--port", "0"],
                env={name: value for name, value in os.environ.items() if not name.startswith("SOAPSTONE_")},
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        assert self._process.stdout is not None
        line = next((line for line in self._process.stdout if "serves on" in line), "")
        assert line, log.read_text()
        self.base = line.split()[-1]
        self.http = httpx.Client(base_url=self.base, timeout=30)

    def stop(self) -> None:
        """End it."""
        self.http.close()
        self._process.terminate()
        self._process.communicate(timeout=30)

    def reset(self) -> None:
        """Go back to the seed."""
        assert self.http.post("/_test/reset").status_code == 204

    def fault(self, kind: str, operation: str, **members: Any) -> None:
        """Let calls fail."""
        answer = self.http.post("/_test/faults", json={"kind": kind, "operation": operation, **members})
        assert answer.status_code == 201, answer.text

    def calls(self, operation: str) -> list[dict[str, Any]]:
        """The recorded calls of an operation."""
        calls: list[dict[str, Any]] = self.http.get("/_test/calls", params={"operation": operation}).json()["calls"]
        return calls

    def imports(self) -> int:
        """How many imports there are."""
        jobs = self.http.get("/api/v1/jobs", params={"kind": "import"}, auth=("demo", "demo")).json()
        return len(jobs["items"])


@pytest.fixture(scope="module")
def test_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestServer]:
    running = TestServer(tmp_path_factory.mktemp("test-server") / "log")
    yield running
    running.stop()


@pytest.fixture(scope="module")
def mono_program(test_server: TestServer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program of Mono with its proxies."""
    folder = tmp_path_factory.mktemp("mono")
    paths = {"mm": "/mmapi.asmx", "lk": "/v31/IntegrationService.asmx"}

    def run(*command: str | Path) -> None:
        subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=240)

    for name, path in paths.items():
        run("wsdl", "-nologo", f"-namespace:{name}", f"-out:{name}.cs", f"{test_server.base}{path}?WSDL")
    run("mcs", "-nologo", "-r:System.Web.Services", "-out:Calls.exe", "mm.cs", "lk.cs", MONO)
    return folder / "Calls.exe"


class Mono:
    """The program of Mono."""

    def __init__(self, program: Path, base: str, version: str) -> None:
        command = ["mono", str(program), base, version]
        self._program = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )

    def attempt(self, operation: str, seconds: float, retries: int) -> tuple[list[str], str]:
        """Call; the errors of all attempts, and the answer."""
        assert self._program.stdin is not None
        assert self._program.stdout is not None
        print(operation, seconds, retries, file=self._program.stdin, flush=True)
        errors, _, answer = self._program.stdout.readline().rstrip("\n").partition("\t")
        return (errors.split("|") if errors else []), answer

    def stop(self) -> None:
        """End it."""
        self._program.communicate(timeout=30)


class Other:
    """One of the programs that other tests drive as well, with the calls that Mono's program has."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._session: dict[str, str] = {}

    def attempt(self, operation: str, seconds: float, retries: int) -> tuple[list[str], str]:
        """Call; the errors of all attempts, and the answer."""
        client = self._client
        client.seconds, client.retries, client.errors = seconds, retries, []
        answer = ""
        try:
            answer = str(getattr(self, operation)())
        except Exception:
            # The program has told of each of them.
            assert client.errors
        return client.errors, answer

    def Authenticate(self) -> bool:
        """Open a session."""
        answer = self._client.magnetmail("Authenticate", username="demo", password="demo")
        self._session = {"sessionId": answer["sessionId"], "user_id": "DEMO"} if answer["authenticated"] else {}
        return bool(answer["authenticated"])

    def uploadListQueue(self) -> Any:
        """Upload a person; the number of the job."""
        flags = {"replace_group": False, "update_dups": False, "header_line": False}
        columns = {f"MM_{number}": "Email" if number == 1 else "" for number in range(1, 43)}
        csv = "ann@example.org\n"
        members = {"user_id": "DEMO", "groupid": 1, "csvData": csv, "mapping_name": "", **flags, **columns}
        return self._client.magnetmail("uploadListQueue", self._session, **members)["jobid"]

    def BulkLoadContacts(self) -> Any:
        """Import a person; the number of the process."""
        kinds = {"ImportTypeEnum": "AddSubscribers", "ImportProfileTypeEnum": "NotDefined"}
        return self._client.listrak(
            "BulkLoadContacts",
            ListID=1,
            WSImportDirectives={**kinds, "FileName": "retried.csv", "HasColumnNames": False},
            fileMappings={"WSFileMappings": [{"AttributeID": 0, "FileColumn": 1, "IsEmailAddressColumn": True}]},
            ImportFileStream=base64.b64encode(b"ann@example.org\n").decode(),
        )

    def ReportListImportHistory(self) -> int:
        """How often the file was imported."""
        none = {"StartDate": None, "EndDate": None, "WSException": None}
        report = self._client.listrak("ReportListImportHistory", ListID=1, Page=1, **none)
        runs = report["ReportListImportHistoryResult"] or ()
        return sum(run["FileName"] == "retried.csv" for run in runs)

    def stop(self) -> None:
        """End it."""
        self._client.stop()


Attempt = Callable[..., tuple[list[str], str]]


@pytest.fixture(scope="module", params=CLIENTS)
def program(
    request: pytest.FixtureRequest,
    test_server: TestServer,
    foreign_client: Callable[[str, str, str, Path], Any],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[str, Mono | Other]]:
    """Each client, in one of the versions of SOAP."""
    name, version = request.param.split("-")
    made: Mono | Other
    if name == "mono":
        made = Mono(request.getfixturevalue("mono_program"), test_server.base, version)
    else:
        made = Other(foreign_client(name, version, test_server.base, tmp_path_factory.mktemp("program") / "log"))
    yield name, made
    made.stop()


@pytest.fixture
def name(program: tuple[str, Mono | Other]) -> str:
    return program[0]


@pytest.fixture
def attempt(program: tuple[str, Mono | Other], test_server: TestServer) -> Attempt:
    """Calls from the client, which has a session; the server is at its seed."""
    test_server.reset()

    def call(operation: str, *, seconds: float = 30, retries: int = 0) -> tuple[list[str], str]:
        return program[1].attempt(operation, seconds, retries)

    assert call("Authenticate") == ([], "True")
    return call


def tells(words: str, seen: tuple[str, str]) -> bool:
    """Whether a client tells of an error in these words."""
    return words.startswith(seen[0]) and words.endswith(seen[1])


@pytest.mark.parametrize("kind", SEEN["zeep"])
def test_each_kind_of_fault_is_an_error_of_the_client_s_own(
    test_server: TestServer, name: str, attempt: Attempt, kind: str
) -> None:
    test_server.fault(kind, "uploadListQueue", seconds=30, work_done=None)
    errors, answer = attempt("uploadListQueue", seconds=1 if kind == "delay" else 30)
    assert len(errors) == 1
    assert tells(errors[0], SEEN[name][kind]), errors
    assert answer == ""
    assert attempt("uploadListQueue")[0] == []
    # The client itself has not called again. A client that gave up is recorded when its connection has ended.
    end = time.monotonic() + 60
    while len(calls := test_server.calls("uploadListQueue")) < 2:
        assert time.monotonic() < end
    assert [call["fault_number"] is None for call in calls] == [False, True]


def test_a_locked_login_is_an_answer(test_server: TestServer, attempt: Attempt) -> None:
    test_server.fault("locked_login", "Authenticate")
    assert attempt("Authenticate") == ([], "False")
    test_server.fault("locked_login", "BulkLoadContacts")
    errors, _ = attempt("BulkLoadContacts")
    assert len(errors) == 1
    assert attempt("Authenticate") == ([], "True")


@pytest.mark.parametrize("kind", ["soap_fault", "status_500", "status_503", "disconnect", "reset", "truncate"])
def test_who_tries_again_comes_through_and_imports_once(
    test_server: TestServer, name: str, attempt: Attempt, kind: str
) -> None:
    """The work of the failed calls is not done."""
    before = test_server.imports()
    test_server.fault(kind, "uploadListQueue", times=3, work_done=False)
    errors, answer = attempt("uploadListQueue", retries=5)
    assert len(errors) == 3
    # Half of a fault is half of an answer as well.
    assert kind == "truncate" or all(tells(each, SEEN[name][kind]) for each in errors), errors
    assert float(answer) > 0
    assert test_server.imports() == before + 1


def test_who_gives_up_too_early_has_imported_nothing(test_server: TestServer, attempt: Attempt) -> None:
    before = test_server.imports()
    test_server.fault("status_503", "uploadListQueue", times=3)
    errors, answer = attempt("uploadListQueue", retries=2)
    assert (len(errors), answer) == (3, "")
    assert test_server.imports() == before


def test_an_expired_session_is_opened_again(test_server: TestServer, name: str, attempt: Attempt) -> None:
    before = test_server.imports()
    test_server.fault("expired_session", "uploadListQueue")
    errors, _ = attempt("uploadListQueue")
    assert tells(errors[0], SEEN[name]["expired_session"])
    assert attempt("Authenticate") == ([], "True")
    assert attempt("uploadListQueue")[0] == []
    assert test_server.imports() == before + 1


@pytest.mark.parametrize("kind", ["disconnect", "reset", "truncate", "delay"])
def test_an_answer_that_is_lost(test_server: TestServer, name: str, attempt: Attempt, kind: str) -> None:
    """Clients of Listrak can look whether the work was done; those of MagnetMail cannot, and do it twice."""
    test_server.fault(kind, "BulkLoadContacts", work_done=True, seconds=30)
    errors, _ = attempt("BulkLoadContacts", seconds=1 if kind == "delay" else 30)
    assert len(errors) == 1
    assert tells(errors[0], SEEN[name][kind]), errors
    assert attempt("ReportListImportHistory") == ([], "1")
    before = test_server.imports()
    test_server.fault(kind, "uploadListQueue", work_done=True, seconds=30)
    errors, _ = attempt("uploadListQueue", seconds=1 if kind == "delay" else 30, retries=1)
    assert len(errors) == 1
    assert test_server.imports() == before + 2


def test_work_that_was_not_done_is_not_in_the_history(test_server: TestServer, attempt: Attempt) -> None:
    test_server.fault("disconnect", "BulkLoadContacts")
    assert len(attempt("BulkLoadContacts")[0]) == 1
    assert attempt("ReportListImportHistory") == ([], "0")
    assert attempt("BulkLoadContacts")[0] == []
    assert attempt("ReportListImportHistory") == ([], "1")
