"""Metrics: who may read them, what they count, and what callers cannot write into them."""

from __future__ import annotations

import asyncio
import re
import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import text, update
from tests.conftest import Served, work
from tests.test_logs import LISTRAK, listrak

from soapstone.accounts.account import Account
from soapstone.clock import now
from soapstone.jobs.activity import Activity
from soapstone.jobs.heartbeats import Heartbeats
from soapstone.jobs.run import JobFailed, Run
from soapstone.magnetmail.operations import CONTRACT as MAGNETMAIL
from soapstone.metrics import FRESH, Metrics
from soapstone.product import Product
from soapstone.server import Application
from soapstone.settings import Settings, UnusableSetting, read_settings
from soapstone.store.database import Database
from soapstone.store.tables import workers
from soapstone.vocabulary.jobs import JobKind

DOCS = Path(__file__).parent.parent / "docs"
TOKEN = "a-token-of-a-monitor"
SHOWN = {"Authorization": f"Bearer {TOKEN}"}


class Site:
    """The app of a server, called without a socket."""

    def __init__(self, database: Database, folder: Path, token: str = TOKEN) -> None:
        settings = Settings(data_dir=folder, metrics_token=token)
        settings.mail.mkdir(parents=True)
        self.product = Product.open(settings, database)
        self.app = Application(self.product)

    def ask(self, method: str, path: str, **how: Any) -> httpx.Response:
        async def send() -> httpx.Response:
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8080") as client:
                return await client.request(method, path, **how)

        return asyncio.run(send())

    def figures(self) -> dict[tuple[str, ...], float]:
        """The figures, by name and values of labels, in the order of the names of labels."""
        answer = self.ask("GET", "/metrics", headers=SHOWN)
        assert answer.status_code == 200
        return parsed(answer.text)


def parsed(page: str) -> dict[tuple[str, ...], float]:
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }


@pytest.fixture
def site(database: Database, account: Account, tmp_path: Path) -> Site:
    site = Site(database, tmp_path / "data")
    site.product.accounts.add_login(account, "ann", "secret")
    return site


# --- who may read them -------------------------------------------------------------------------------------------


WRONG = [
    {},
    {"Authorization": TOKEN},
    {"Authorization": "Bearer"},
    {"Authorization": f"Bearer {TOKEN}x"},
    {"Authorization": f"Bearer {TOKEN[:-1]}"},
    {"Authorization": f"Basic {TOKEN}"},
    {"X-Forwarded-For": "127.0.0.1"},
]


@pytest.mark.parametrize("headers", WRONG, ids=str)
def test_only_the_token_opens_them(site: Site, headers: dict[str, str]) -> None:
    """An address of this machine opens nothing: a proxy on it has that address, too."""
    answer = site.ask("GET", "/metrics", headers=headers)
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert "soapstone_" not in answer.text


def test_a_wrong_token_is_a_failed_logon_and_none_is_not(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    for headers, told in (({}, 0), ({"Authorization": "Bearer wrong"}, 1)):
        caplog.clear()
        assert site.ask("GET", "/metrics", headers=headers).status_code == 401
        assert [each.message for each in caplog.records].count("failed logon") == told


def test_a_token_of_an_account_does_not_open_them(site: Site, account: Account) -> None:
    login = site.product.accounts.logins(account)[0][0]
    secret = site.product.tokens.add(account, login, "program")[1]
    assert site.ask("GET", "/api/v1/lists", headers={"Authorization": f"Bearer {secret}"}).status_code == 200
    assert site.ask("GET", "/metrics", headers={"Authorization": f"Bearer {secret}"}).status_code == 401
    assert site.ask("GET", "/metrics", auth=("ann", "secret")).status_code == 401


def test_there_are_none_without_a_token(database: Database, tmp_path: Path) -> None:
    closed = Site(database, tmp_path / "data", token="")
    for headers in (*WRONG, {"Authorization": "Bearer "}, SHOWN):
        answer = closed.ask("GET", "/metrics", headers=headers)
        assert (answer.status_code, "SOAPSTONE_METRICS_TOKEN" in answer.text) == (404, True)


def test_they_are_only_read(site: Site) -> None:
    assert site.ask("POST", "/metrics", headers=SHOWN).status_code == 405
    head = site.ask("HEAD", "/metrics", headers=SHOWN)
    assert (head.status_code, head.text) == (200, "")
    assert head.headers["content-type"].startswith("text/plain; version=")


@pytest.mark.parametrize("token", ["short", "x" * 19, "with a space in the middle", "ä" * 20, "x" * 20 + "\n"])
def test_a_token_that_could_be_guessed_or_sent_by_nobody_is_refused(token: str) -> None:
    with pytest.raises(UnusableSetting, match="SOAPSTONE_METRICS_TOKEN cannot be used") as refusal:
        read_settings(metrics_token=token)
    assert token not in str(refusal.value)


# --- calls -------------------------------------------------------------------------------------------------------


def test_calls_and_faults_are_counted_by_operation(site: Site) -> None:
    for name, password, operation in (
        ("ann", "secret", "GetContactListCollection"),
        ("ann", "secret", "GetContactListCollection"),
        ("ann", "wrong", "GetContactListCollection"),
        ("ann", "secret", "ChangeContactEmailAddress"),
        ("ann", "secret", "NoSuchOperation"),
        ("ann", "secret", "OtherOperation"),
    ):
        site.ask("POST", LISTRAK, **listrak(name, password, operation))
    site.ask("POST", "/xml/SendToList", content="<SendToList/>")
    wrong = "<SendToList><UserName>ann</UserName><Password>wrong</Password><ListID>1</ListID></SendToList>"
    site.ask("POST", "/xml/SendToList", content=wrong)
    site.ask("POST", "/xml/SendToList", content=b"no gzip", headers={"Content-Encoding": "gzip"})
    site.ask("POST", "/xml/Other", content="<SendToList/>")
    found = site.figures()
    calls = {key[1:]: value for key, value in found.items() if key[0] == "soapstone_call_seconds_count"}
    assert calls == {
        ("listrak", "GetContactListCollection"): 3,
        ("listrak", "ChangeContactEmailAddress"): 1,
        ("listrak", "unknown"): 2,
        ("xml", "SendToList"): 3,
        ("xml", "unknown"): 1,
    }
    assert {key[1:]: value for key, value in found.items() if key[0] == "soapstone_faults_total"} == {
        ("InvalidLogonAttempt", "listrak", "GetContactListCollection"): 1,
        ("NotFound", "listrak", "ChangeContactEmailAddress"): 1,
        ("other", "listrak", "unknown"): 2,
        ("InvalidLogonAttempt", "xml", "SendToList"): 2,
        ("other", "xml", "SendToList"): 1,
        ("NotFound", "xml", "unknown"): 1,
    }
    requests = {key[1:]: value for key, value in found.items() if key[0] == "soapstone_requests_total"}
    assert requests == {
        ("listrak", "2xx"): 2,
        ("listrak", "5xx"): 4,
        ("xml", "4xx"): 4,
    }
    assert found["soapstone_call_seconds_bucket", "listrak", "+Inf", "GetContactListCollection"] == 3


def test_the_manual_names_every_interface(site: Site) -> None:
    paths = (MAGNETMAIL.path, LISTRAK, "/xml/x", "/api/v1/x", "/relay/x", "/u/x", "/c/x/1", "/readyz", "/metrics", "/x")
    for path in paths:
        site.ask("GET", path)
    counted = {key[1] for key in site.figures() if key[0] == "soapstone_requests_total"}
    page = (DOCS / "monitoring.md").read_text(encoding="utf-8")
    named = page.partition("ends in `interface` (")[2].partition(")")[0]
    # Opens and clicks write no line.
    assert {*re.findall(r"`(\w+)`", named), "tracking"} == counted
    assert "and `tracking` for opens" in page


def test_answers_given_again_are_counted_too(site: Site) -> None:
    call = listrak("ann", "secret", "GetProcessStatus")
    for _ in range(3):
        site.ask("POST", LISTRAK, **call)
    assert site.figures()["soapstone_call_seconds_count", "listrak", "GetProcessStatus"] == 3


def test_callers_choose_no_label(site: Site) -> None:
    names = []
    for n in range(10):
        site.ask("POST", LISTRAK, **listrak("ann", "secret", f"Own{n}"))
        action = {"Content-Type": "text/xml", "SOAPAction": f'"x ---> [Own{n}]"'}
        site.ask("POST", LISTRAK, headers=action, content="<x/>")
        site.ask("POST", f"/xml/Own{n}", content="<x/>")
        site.ask("GET", f"/own{n}")
        site.ask("GET", f"/api/v1/own{n}")
        site.figures()
        names.append(site.figures().keys())
    assert names[-1] == names[0]
    assert not any("Own" in part for key in names[0] for part in key)


def test_a_poll_pays_little(database: Database) -> None:
    """Less than a fiftieth of a poll, which takes about a millisecond of CPU."""
    metrics = Metrics(database, {"listrak": ["GetProcessStatus"]}, TOKEN)
    best = float("inf")
    for _ in range(5):
        began = time.process_time()
        for _ in range(1000):
            metrics.add_request("listrak", 200)
            metrics.add_call("listrak", "GetProcessStatus", 0.001, "")
        best = min(best, time.process_time() - began)
    assert best < 1000 * 20e-6


# --- records -----------------------------------------------------------------------------------------------------


def add(site: Site, account: Account, kind: str, **more: Any) -> int:
    with site.product.database.write(durable=True) as connection:
        return site.product.jobs.add(connection, account_id=account.id, kind=kind, **more)


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures of the records are looked at for each page."""
    monkeypatch.setattr("soapstone.metrics.FRESH", 0.0)


def of(found: dict[tuple[str, ...], float], name: str) -> dict[tuple[str, ...], float]:
    return {key[1:]: value for key, value in found.items() if key[0] == name}


@pytest.mark.usefixtures("fresh")
def test_jobs_rows_and_mails(site: Site, account: Account) -> None:
    first = add(site, account, JobKind.IMPORT)
    scheduled = add(site, account, "send_to_list", due_at=now().replace(year=2999))
    paused = add(site, account, JobKind.IMPORT)
    site.product.jobs.pause(None, paused)
    found = site.figures()
    assert of(found, "soapstone_jobs") == {
        (JobKind.IMPORT, "queued"): 1,
        (JobKind.IMPORT, "paused"): 1,
        ("send_to_list", "scheduled"): 1,
    }
    assert 0 <= found["soapstone_oldest_queued_job_seconds",] < 60
    assert found["soapstone_records_up",] == 1
    assert of(found, "soapstone_jobs_ended_total") == {}

    def run_import(run: Run) -> None:
        with run.chunk() as chunk:
            chunk.count(added=5, invalid_address=2, own_name=9)
            chunk.step = 0
            chunk.checkpoint = {"at": 7}
        if run.job.id != first:
            raise JobFailed("It cannot be done.")

    def run_send(run: Run) -> None:
        with run.chunk() as chunk:
            chunk.count(chosen=4, handed=3, failed=1)

    site.product.jobs.pause(None, paused, False)
    site.product.jobs.cancel(None, scheduled)
    add(site, account, "send", due_at=now())
    work(site.product.database, site.product.blobs, **{JobKind.IMPORT: run_import, "send": run_send})
    found = site.figures()
    assert of(found, "soapstone_jobs") == {}
    assert found["soapstone_oldest_queued_job_seconds",] == 0
    assert of(found, "soapstone_jobs_ended_total") == {
        (JobKind.IMPORT, "completed"): 1,
        (JobKind.IMPORT, "failed"): 1,
        ("send", "completed"): 1,
        ("send_to_list", "cancelled"): 1,
    }
    assert of(found, "soapstone_rows_total") == {(JobKind.IMPORT, "added"): 10, (JobKind.IMPORT, "invalid_address"): 4}
    assert of(found, "soapstone_mails_total") == {("failed",): 1, ("handed",): 3}
    assert site.figures().keys() == found.keys()
    assert of(site.figures(), "soapstone_rows_total") == of(found, "soapstone_rows_total")


@pytest.mark.usefixtures("fresh")
def test_a_job_is_counted_while_it_runs_and_once(site: Site, account: Account) -> None:
    """Also when it is looked at in its middle, fails, and goes on."""
    site.figures()
    job = add(site, account, JobKind.IMPORT)
    seen = []

    def run_import(run: Run) -> None:
        for _ in range(3):
            with run.chunk() as chunk:
                chunk.count(added=10)
            seen.append(of(site.figures(), "soapstone_rows_total").get((JobKind.IMPORT, "added")))
        if run.job.counters["added"] < 60:
            raise JobFailed("It is tried again.")

    with site.product.database.write() as connection:
        connection.execute(text("UPDATE job SET blob_size = 0"))
    work(site.product.database, site.product.blobs, **{JobKind.IMPORT: run_import})
    assert site.product.jobs.retry(None, job)
    assert site.figures()["soapstone_jobs", JobKind.IMPORT, "queued"] == 1
    work(site.product.database, site.product.blobs, **{JobKind.IMPORT: run_import})
    assert seen == [10, 20, 30, 40, 50, 60]
    found = site.figures()
    assert of(found, "soapstone_rows_total") == {(JobKind.IMPORT, "added"): 60}
    assert of(found, "soapstone_jobs_ended_total") == {(JobKind.IMPORT, "completed"): 1, (JobKind.IMPORT, "failed"): 1}


@pytest.mark.usefixtures("fresh")
def test_what_was_done_before_is_not_counted(site: Site, account: Account) -> None:
    def run_import(run: Run) -> None:
        with run.chunk() as chunk:
            chunk.count(added=10)
        raise JobFailed("It is tried again.")

    job = add(site, account, JobKind.IMPORT)
    work(site.product.database, site.product.blobs, **{JobKind.IMPORT: run_import})
    assert of(site.figures(), "soapstone_rows_total") == {}
    site.product.jobs.retry(None, job)
    work(site.product.database, site.product.blobs, **{JobKind.IMPORT: run_import})
    assert of(site.figures(), "soapstone_jobs_ended_total") == {(JobKind.IMPORT, "failed"): 1}
    site.product.jobs.retry(None, job)
    work(site.product.database, site.product.blobs, **{JobKind.IMPORT: run_import})
    assert of(site.figures(), "soapstone_rows_total") == {(JobKind.IMPORT, "added"): 10}


@pytest.mark.usefixtures("fresh")
def test_workers_that_live_are_counted(site: Site) -> None:
    found = site.figures()
    assert found["soapstone_workers",] == 0
    assert ("soapstone_heartbeat_age_seconds",) not in found
    beats = Heartbeats(site.product.database)
    beats.begin("host:1:a")
    found = site.figures()
    assert found["soapstone_workers",] == 1
    assert 0 <= found["soapstone_heartbeat_age_seconds",] < 30
    with site.product.database.write() as connection:
        connection.execute(update(workers).values(beat_at=now() - timedelta(minutes=5)))
    found = site.figures()
    assert found["soapstone_workers",] == 0
    assert 299 <= found["soapstone_heartbeat_age_seconds",] < 330
    beats.beat("host:2:b")
    found = site.figures()
    assert found["soapstone_worker_heartbeat_age_seconds", "host:1:a"] >= 299
    assert 0 <= found["soapstone_worker_heartbeat_age_seconds", "host:2:b"] < 30
    assert found["soapstone_database_connections", "in_use"] == 0
    assert found["soapstone_database_connections", "idle"] >= 1


def test_many_monitors_cost_what_one_does(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    looks, look = [], Activity.look

    def counted(activity: Activity) -> Any:
        looks.append(threading.current_thread())
        return look(activity)

    monkeypatch.setattr(Activity, "look", counted)
    for _ in range(5):
        site.figures()
    assert FRESH > 1
    assert len(looks) == 1


def test_without_records_the_other_figures_are_there(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    from soapstone.store.transient_errors import RecordsUnavailable

    def fail(activity: Activity) -> Any:
        raise RecordsUnavailable("the disk is full")

    site.ask("POST", LISTRAK, **listrak("ann", "secret"))
    monkeypatch.setattr(Activity, "look", fail)
    found = site.figures()
    assert found["soapstone_records_up",] == 0
    assert of(found, "soapstone_jobs") == {}
    assert found["soapstone_call_seconds_count", "listrak", "GetContactListCollection"] == 1
    assert found["process_start_time_seconds",] > 0


def test_a_served_page_has_all_figures(tmp_path: Path) -> None:
    running = Served(tmp_path / "data", metrics_token=TOKEN)
    try:
        answer = httpx.get(f"{running.base}/metrics", headers=SHOWN)
        assert answer.status_code == 200
        assert parsed(answer.text)["soapstone_records_up",] == 1
        page = (Path(__file__).parent.parent / "docs" / "monitoring.md").read_text(encoding="utf-8")
        told = set(re.findall(r"^\| `(soapstone_\w+)` \|", page, re.MULTILINE))
        assert told == set(re.findall(r"^# HELP (soapstone_\w+) ", answer.text, re.MULTILINE))
        assert TOKEN not in running.log()
    finally:
        running.stop()
