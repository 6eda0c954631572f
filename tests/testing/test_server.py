"""The test server: what it serves, and what is left of it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import httpx
import pytest
from tests.testing.wire import logon, member, poll, session_of

from soapstone.settings import UnusableSetting
from soapstone.testing.server import TestServer, local_test_server


@pytest.fixture(scope="module")
def server() -> Iterator[TestServer]:
    with local_test_server() as running:
        yield running


def test_a_reset_goes_back_to_the_seed(server: TestServer) -> None:
    before = server.product.jobs.find(limit=100)
    account = server.product.accounts.named("DEMO")
    assert account is not None
    server.product.lists.create(account.id, "Another")
    answer = httpx.post(f"{server.base}/_test/reset")
    assert answer.status_code == 204
    assert [each.name for each in server.product.lists.all(account.id)] == ["Newsletter", "Mail simulator"]
    assert server.product.jobs.find(limit=100) == before


def test_two_servers_do_not_meet(server: TestServer) -> None:
    with local_test_server() as other:
        assert other.base != server.base
        folder = other.product.settings.data_dir
        assert folder != server.product.settings.data_dir
    assert not Path(folder).exists()


def test_resets_leave_nothing_behind(server: TestServer) -> None:
    def held() -> tuple[int, int, list[str]]:
        folder = server.product.settings.data_dir
        # The recorder makes its lock and its folder anew some time after a reset.
        passing = ("-wal", "-shm", "recorder.lock")
        found = [path.name for path in folder.rglob("*") if not path.name.endswith(passing)]
        names = sorted(name for name in found if name != "spool")
        return threading.active_count(), len(list(Path("/dev/fd").iterdir())), names

    def use() -> None:
        session = session_of(server.base)
        assert member(poll(server.base, 1, session), "status") == "2"
        assert httpx.get(f"{server.base}/api/v1/lists", auth=("demo", "demo"), timeout=60).status_code == 200
        assert httpx.get(f"{server.base}/v31/IntegrationService.asmx?WSDL", timeout=60).status_code == 200

    for _ in range(3):
        use()
        server.reset()
    before = held()
    for _ in range(20):
        use()
        server.reset()
    threads, files, names = held()
    assert names == before[2]
    # Threads of pools and connections come and go; what each reset left would be there 20 times.
    assert threads <= before[0] + 5
    assert files <= before[1] + 5


def test_a_reset_ends_what_runs(server: TestServer) -> None:
    """A large import is under way, and a client follows its job; numbers begin anew."""
    rows = "Email\n" + "".join(f"p{number}@example.org\n" for number in range(100_000))
    url, demo = f"{server.base}/api/v1/lists/1/imports", ("demo", "demo")
    for _ in range(2):
        answer = httpx.post(url, auth=demo, files={"file": ("people.csv", rows)})
        assert answer.status_code == 202, answer.text
        assert answer.json()["id"] == 2
        with httpx.stream("GET", f"{server.base}/api/v1/jobs/2/events", auth=demo) as stream:
            assert stream.status_code == 200
            server.reset()
            with suppress(httpx.RemoteProtocolError):
                stream.read()
        assert [job.id for job in server.product.jobs.find(limit=10)] == [1]


def test_calls_of_many_clients_are_answered_whole_while_others_reset(server: TestServer) -> None:
    """What is loaded with the first call of an interface is loaded once, and no call meets half of the records."""
    over, answers = threading.Event(), Counter[int]()

    def use() -> None:
        with httpx.Client(base_url=server.base, auth=("demo", "demo"), timeout=60) as client:
            while not over.is_set():
                answers[client.get("/api/v1/jobs").status_code] += 1

    def reset() -> None:
        answers[httpx.post(f"{server.base}/_test/reset", timeout=60).status_code] += 1

    users = [threading.Thread(target=use) for _ in range(20)]
    resets = [threading.Thread(target=reset) for _ in range(4)]
    for thread in users + resets:
        thread.start()
    for thread in resets:
        thread.join()
    over.set()
    for thread in users:
        thread.join()
    assert set(answers) == {200, 204}, answers
    assert answers[204] == 4


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_it_and_the_folder_is_gone(tmp_path: Path, number: signal.Signals) -> None:
    command = [sys.executable, "-m", "soapstone", "serve", "--test", "--port", "0"]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    ) as process:
        assert process.stdout is not None
        base = process.stdout.readline().split()[-1]
        assert member(logon(base), "authenticated") == "true"
        assert list(tmp_path.iterdir())
        process.send_signal(number)
        assert process.wait(30) == 0
    assert list(tmp_path.iterdir()) == []


def test_it_outlives_its_terminal_if_told_so(tmp_path: Path) -> None:
    command = ["nohup", sys.executable, "-m", "soapstone", "serve", "--test", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        base = process.stdout.readline().split()[-1]
        process.send_signal(signal.SIGHUP)
        assert member(logon(base), "authenticated") == "true"
        process.terminate()


def test_a_start_that_is_interrupted_leaves_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A signal may come at any moment: here the worker's thread runs, and nothing serves yet."""

    def interrupt(*_: object) -> None:
        raise SystemExit

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(TestServer, "_recorder", interrupt)
    threads = threading.active_count()
    with pytest.raises(SystemExit), local_test_server():
        pass
    assert threading.active_count() == threads
    assert list(tmp_path.iterdir()) == []


def test_secrets_in_files_count(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("a-long-token-of-a-monitor\n")
    monkeypatch.setenv("SOAPSTONE_METRICS_TOKEN_FILE", str(token))
    with local_test_server() as server:
        headers = {"Authorization": f"Bearer {token.read_text().strip()}"}
        assert httpx.get(f"{server.base}/metrics", headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("DKIM_KEYS", "example.com:s:/missing/key.pem", "/missing/key.pem"),
        ("RELAY_KEY", "secret", "SOAPSTONE_RELAY is not set"),
        ("SPAMD_URL", "http://127.0.0.1", "SOAPSTONE_SPAMD_URL cannot be used"),
        ("TIME_ZONE", "Europe/Nowhere", "SOAPSTONE_TIME_ZONE cannot be used"),
        ("TIMEZONE", "Europe/Berlin", "is it SOAPSTONE_TIME_ZONE?"),
    ],
)
def test_settings_that_it_cannot_use_are_told_before_it_serves(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, told: str
) -> None:
    """Otherwise its first job meets them, and every other one after it."""
    monkeypatch.setenv(f"SOAPSTONE_{name}", value)
    with pytest.raises(UnusableSetting, match=re.escape(told)), local_test_server():
        pass


def test_it_ends_soon_while_a_client_follows_a_job() -> None:
    """Containers are killed ten seconds after their signal."""
    with ExitStack() as clients, local_test_server() as server:
        httpx.post(f"{server.base}/_test/transitions", json={"start": "never"}).raise_for_status()
        client = clients.enter_context(httpx.Client(base_url=f"{server.base}/api/v1", auth=("demo", "demo")))
        rows = {"file": ("people.csv", "Email\nann@example.org\n")}
        job = client.post("/lists/1/imports", files=rows).json()["id"]
        stream = clients.enter_context(client.stream("GET", f"/jobs/{job}/events"))
        assert stream.status_code == 200
        began = time.monotonic()
    assert time.monotonic() - began < 8


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--test", "--host", "192.0.2.1"], "--test-on-any-address"),
        (["--test", "--demo"], "leave out --demo"),
        (["--test-on-any-address"], "add --test"),
        (["--test", "--seed", "none.yaml"], "Cannot use none.yaml: No such file or directory."),
    ],
)
def test_useless_options_end_it_with_a_sentence(tmp_path: Path, options: list[str], told: str) -> None:
    command = [sys.executable, "-m", "soapstone", "serve", "--port", "0", *options]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=60)
    assert ended.returncode == 1
    assert told in ended.stderr
    assert "Traceback" not in ended.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "192.0.2.1:8080", "localhost.evil.example"])
def test_a_page_whose_name_resolves_to_this_machine_cannot_steer_it(server: TestServer, host: str) -> None:
    """For a browser such a page is the server's own: it may read answers, and its Origin fits the Host."""
    for method, path in (("POST", "reset"), ("GET", "calls"), ("GET", "openapi.json")):
        answer = httpx.request(
            method, f"{server.base}/_test/{path}", headers={"Host": host, "Origin": f"http://{host}"}
        )
        assert answer.status_code == 421, path
        assert "--test-on-any-address" in answer.json()["detail"]


def test_names_of_this_machine_steer_it(server: TestServer) -> None:
    for host in ("localhost", "127.0.0.1:8080", "[::1]", "127.1.2.3", "LOCALHOST:1"):
        assert httpx.get(f"{server.base}/_test/clock", headers={"Host": host}).status_code == 200


def test_a_server_on_any_address_is_steered_by_any_name() -> None:
    with local_test_server(host="0.0.0.0") as server:
        base = server.base.replace("0.0.0.0", "127.0.0.1")
        assert httpx.get(f"{base}/_test/clock", headers={"Host": "soapstone:8080"}).status_code == 200
