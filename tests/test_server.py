"""The server process: starting, stopping, and what is at which path."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.conftest import Served
from tests.postgresql import Databases
from tests.sending.smtp_trial import Sink

from soapstone.jobs.lock import WorkerLock


@pytest.fixture(scope="module")
def served(served_process: Served) -> Served:
    return served_process


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return bool(state.strip()) and not state.startswith("Z")


def wait_for(condition: Any, what: str) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/healthz", 200, "ok"),
        ("/readyz", 200, "ready"),
        ("/mmapi.asmx", 200, "getUploadJobStatus"),
        ("/mmapi.asmx?op=getUploadJobStatus", 200, "SOAP 1.2"),
        ("/mmapi.asmx?WSDL", 200, "wsdl:definitions"),
        ("/mmapi.asmx?wsdl", 200, "wsdl:definitions"),
        ("/v31/IntegrationService.asmx", 200, "GetLegacyProcessStatus"),
        ("/v31/integrationservice.asmx?wsdl", 200, "wsdl:definitions"),
        ("/v31/IntegrationService.asmx?disco", 200, "contractRef"),
        ("/mmapi.asmx/getUploadJobStatus", 500, "Request format is unrecognized"),
        ("/xml/SendToList", 405, ""),
        ("/xml/Nothing", 404, ""),
        ("/login", 200, "password"),
        ("/", 303, ""),
    ],
)
def test_paths(served: Any, path: str, status: int, words: str) -> None:
    answer = httpx.get(served.base + path)
    assert answer.status_code == status
    assert words in answer.text


def test_the_description_names_the_host_of_the_request(served: Any) -> None:
    """asmx-5"""
    answer = httpx.get(f"{served.base}/mmapi.asmx?WSDL", headers={"Host": "soap.example:81"})
    assert 'location="http://soap.example:81/mmapi.asmx"' in answer.text


@pytest.mark.parametrize("path", ["/mmapi.asmx", "/v31/IntegrationService.asmx"])
def test_descriptions_keep_the_port_of_the_connection(served: Any, path: str) -> None:
    """asmx-5"""
    port = served.base.rpartition(":")[2]
    for query in ("WSDL", "disco"):
        answer = httpx.get(f"{served.base}{path}?{query}", headers={"Host": "soap.example"})
        assert f'"http://soap.example:{port}{path}' in answer.text
        assert f"http://soap.example{path}" not in answer.text
    operation = {"/mmapi.asmx": "addGroup"}.get(path, "GetContactList")
    page = httpx.get(f"{served.base}{path}?op={operation}", headers={"Host": "soap.example"})
    assert f"Host: soap.example:{port}\n" in page.text


def test_proxies_are_not_believed_unasked(served: Any) -> None:
    """asmx-5"""
    headers = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil.example"}
    assert "evil.example" not in httpx.get(f"{served.base}/mmapi.asmx?WSDL", headers=headers).text


def test_a_worker_that_dies_is_replaced(served: Any) -> None:
    first = served.worker()
    os.kill(first, signal.SIGKILL)

    def replaced() -> bool:
        try:
            return bool(served.worker() != first)
        except StopIteration:
            return False

    wait_for(replaced, "no new worker was started")
    wait_for(lambda: httpx.get(f"{served.base}/readyz").status_code == 200, "the server is not ready")


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_the_worker_ends_with_the_server(tmp_path: Path, served: Any, how: signal.Signals) -> None:
    other = type(served)(tmp_path / "data", demo=False)
    worker = other.worker()
    other.process.send_signal(how)
    code = other.process.wait(30)
    if how == signal.SIGTERM:
        # Whoever stops the server may put other records in place when it has ended.
        assert (code, alive(worker)) == (0, False)
    wait_for(lambda: not alive(worker), "the worker lives on")
    other.stop()


def test_a_worker_that_is_told_to_end_ends_cleanly(tmp_path: Path, served: Any) -> None:
    """As by Ctrl-C, which reaches server and worker at once, and as the server itself does: its pipe is still open."""
    other = type(served)(tmp_path / "data")
    try:
        os.kill(other.worker(), signal.SIGTERM)
        wait_for(lambda: "the worker ended with code" in other.log(), "the worker does not end")
        assert "the worker ended with code 0;" in other.log()
    finally:
        other.stop()


def test_a_busy_port_has_a_one_line_remedy(served: Any, tmp_path: Path) -> None:
    port = served.base.rpartition(":")[2]
    command = [sys.executable, "-m", "soapstone", "serve", "--port", port, "--data", str(tmp_path / "data")]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 1
    (line,) = result.stderr.strip().splitlines()
    assert f"Cannot listen on 127.0.0.1:{port}" in line
    assert "--port" in line


def test_a_second_worker_for_one_sqlite_database_is_refused(served: Any) -> None:
    command = [sys.executable, "-m", "soapstone", "worker", "--data", str(served.data)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 1
    assert result.stderr.strip() == "Another worker serves this database."


def test_starting_again_keeps_everything(tmp_path: Path, served: Any) -> None:
    first = type(served)(tmp_path / "data")
    first.stop()
    second = type(served)(tmp_path / "data")
    mails = list((tmp_path / "data" / "mail").glob("*.eml"))
    second.stop()
    assert len(mails) == 10
    assert "Traceback" not in second.log()


def test_the_demo_people_get_no_mail_by_smtp(tmp_path: Path, served: Any) -> None:
    """With --demo mail goes to the folder, with links that work, whatever the settings say about an SMTP server."""
    sink = Sink(tmp_path / "accepted.jsonl")
    demo = type(served)(tmp_path / "data", smtp_url=f"smtp://127.0.0.1:{sink.port}?starttls=never")
    try:
        said = f"With --demo no mail goes to the SMTP server; all mail goes to {demo.data.resolve() / 'mail'}."
        assert said in demo.banner
        assert "SOAPSTONE_PUBLIC_URL is not set" not in demo.banner
        assert f"For commands that send: export SOAPSTONE_PUBLIC_URL={demo.base}\n" in demo.banner
        mails = [path.read_bytes() for path in (demo.data / "mail").glob("*.eml")]
        assert (len(mails), sink.lines()) == (10, [])
        mail = message_from_bytes(mails[0], policy=policy.default)
        body = mail.get_body(("plain",))
        assert body is not None
        link = re.search(rf"{demo.base}/u/[\w.-]*[\w-]", body.get_content())
        assert link is not None, body.get_content()
        assert "Unsubscribe?" in httpx.get(link[0]).text
    finally:
        demo.stop()
        sink.stop()


def test_the_demo_keeps_a_public_url_that_is_set(tmp_path: Path, served: Any) -> None:
    demo = type(served)(tmp_path / "data", public_url="https://demo.example")
    demo.stop()
    assert "no mail goes to the SMTP server" not in demo.banner
    mail = next((demo.data / "mail").glob("*.eml")).read_text()
    assert "https://demo.example/u/" in mail


def test_a_server_says_that_its_mails_have_no_links(tmp_path: Path, served: Any) -> None:
    sentence = "SOAPSTONE_PUBLIC_URL is not set: mails have no links to unsubscribe."
    first = type(served)(tmp_path / "data", demo=False)
    first.stop()
    second = type(served)(tmp_path / "data", demo=False, public_url="https://mail.example.com")
    second.stop()
    assert [sentence in first.banner, sentence in second.banner] == [True, False]
    data = tmp_path / "others"
    for url in ("", "https://mail.example.com"):
        command = [sys.executable, "-m", "soapstone", "worker", "--data", str(data)]
        variables = {**os.environ, "SOAPSTONE_PUBLIC_URL": url}
        worker = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=variables)
        assert worker.stderr is not None
        if url:
            lock = WorkerLock(data / "worker.lock")
            wait_for(lock.held, "the worker does not start")
        else:
            assert sentence in worker.stderr.readline()
        worker.terminate()
        assert sentence not in worker.communicate(timeout=60)[1]


def test_the_import_command_uses_the_servers_worker(served: Any, tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_text("Email\nann@command.example\n")
    command = [sys.executable, "-m", "soapstone", "import", str(file), "--list", "1", "--data", str(served.data)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stderr
    assert "1 rows, 1 good, 1 new" in result.stdout


def test_a_silent_client_harms_nobody(served: Any) -> None:
    host, port = served.base.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as quiet:
        quiet.sendall(
            b"POST /mmapi.asmx HTTP/1.1\r\nHost: x\r\nContent-Type: text/xml\r\nContent-Length: 100\r\n\r\n<a"
        )
        assert httpx.get(f"{served.base}/healthz").status_code == 200


def test_it_runs_on_postgresql(postgresql_databases: Databases, tmp_path: Path, served: Any) -> None:
    with postgresql_databases.bare() as url:
        other = type(served)(tmp_path / "data", database_url=url)
        mails = len(list((tmp_path / "data" / "mail").glob("*.eml")))
        description = httpx.get(f"{other.base}/mmapi.asmx?WSDL").status_code
        other.stop()
    assert (mails, description) == (10, 200)
    assert not (tmp_path / "data" / "soapstone.sqlite").exists()
