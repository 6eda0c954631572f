"""The clock of a test server: what follows it, and what does not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import httpx
import pytest
from tests.conftest import wait_for_jobs
from tests.testing.wire import logon, member, poll, session_of

from soapstone.jobs.heartbeats import Heartbeats
from soapstone.sending.messages.message import Draft
from soapstone.testing.server import TestServer


def tell(server: TestServer) -> datetime:
    return datetime.fromisoformat(httpx.get(f"{server.base}/_test/clock").json()["now"])


def move(server: TestServer, **setting: object) -> httpx.Response:
    return httpx.post(f"{server.base}/_test/clock", json=setting)


def test_the_clock_is_the_systems_until_it_is_set_and_after_a_reset(server: TestServer) -> None:
    minute = timedelta(minutes=1)
    assert abs(tell(server) - datetime.now(UTC)) < minute
    told = move(server, set="2031-05-06T07:08:09Z").json()["now"]
    assert told.endswith("Z")
    moment = datetime(2031, 5, 6, 7, 8, 9, tzinfo=UTC)
    assert timedelta(0) <= datetime.fromisoformat(told) - moment < minute
    move(server, advance=3600)
    assert timedelta(hours=1) <= tell(server) - moment < timedelta(hours=1) + minute
    move(server, advance=-7200)
    assert tell(server) < moment
    assert httpx.post(f"{server.base}/_test/reset").status_code == 204
    assert abs(tell(server) - datetime.now(UTC)) < minute


@pytest.mark.parametrize(
    "setting",
    [
        {},
        {"set": "2031-05-06T07:08:09Z", "advance": 1},
        {"set": "2031-05-06T07:08:09"},
        {"set": "0001-01-01T00:00:00Z"},
        {"set": "9999-12-31T23:59:59Z"},
        {"advance": 1e300},
        {"advance": "soon"},
        {"forward": 1},
    ],
)
def test_what_is_no_time_is_refused(server: TestServer, setting: dict[str, object]) -> None:
    answer = move(server, **setting)
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert abs(tell(server) - datetime.now(UTC)) < timedelta(minutes=1)


def test_a_scheduled_send_begins_when_the_clock_comes_there(server: TestServer) -> None:
    product = server.product
    account = product.accounts.named("DEMO")
    assert account is not None
    newsletter = product.lists.all(account.id)[0]
    [(login, _)] = product.accounts.logins(account)
    message = product.messages.save(account.id, newsletter.id, Draft(subject="Later", html="<p>Later</p>"))
    due = datetime.now(UTC) + timedelta(days=2)
    ticket = product.sends.to_members(
        account=account, login=login, contact_list=newsletter, message=message, due_at=due
    )
    move(server, advance=86400)
    job = product.jobs.get(None, ticket.job.id)
    assert job is not None
    assert job.state == "queued"
    move(server, advance=86400)
    wait_for_jobs(product.jobs)
    job = product.jobs.get(None, ticket.job.id)
    assert job is not None
    assert job.state == "completed"
    # Its life is told by the same clock.
    assert job.finished_at is not None
    assert job.finished_at > due
    assert {event.state for event in product.jobs.events(job.id) if event.at > due} == {"running", "completed"}


def test_the_worker_lives_whatever_the_clock_shows(server: TestServer) -> None:
    move(server, set="2040-01-01T00:00:00Z")
    assert httpx.get(f"{server.base}/readyz").status_code == 200
    [heartbeat] = Heartbeats(server.product.database).all()
    assert heartbeat.alive
    assert abs(heartbeat.at - datetime.now(UTC)) < timedelta(minutes=1)


def test_a_session_ends_by_the_clock(server: TestServer) -> None:
    session = session_of(server.base)
    assert member(poll(server.base, 1, session), "status") == "2"
    minutes = server.product.settings.session_minutes
    move(server, advance=60 * minutes - 5)
    assert member(poll(server.base, 1, session), "status") == "2"
    # The same poll was answered a moment ago; that it has ended is seen at once.
    move(server, advance=60 * minutes + 1)
    assert poll(server.base, 1, session).status_code == 500
    assert member(poll(server.base, 1, session_of(server.base)), "status") == "2"


def test_a_locked_login_is_free_again_by_the_clock(server: TestServer) -> None:
    settings = server.product.settings
    for _ in range(settings.lock_failures):
        assert member(logon(server.base, password="wrong"), "authenticated") == "false"
    assert member(logon(server.base), "authenticated") == "false"
    move(server, advance=60 * settings.lock_minutes + 1)
    assert member(logon(server.base), "authenticated") == "true"


def test_a_reset_forgets_failed_logons(server: TestServer) -> None:
    for _ in range(server.product.settings.lock_failures):
        logon(server.base, password="wrong")
    server.reset()
    assert member(logon(server.base), "authenticated") == "true"
