"""Every address of the console, and the calls of XML over HTTP, as docs/rights.md says (lk-9, lk-19)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from starlette.routing import Mount, Route
from tests.api.conftest import Within
from tests.console.conftest import Browser
from tests.contracts.calls import Ground, Things
from tests.rights.records import Records
from tests.rights.table import rights

from soapstone.console.app import console
from soapstone.console.recent_calls import RecentCalls
from soapstone.wire.large_calls import LargeCalls
from soapstone.xmlhttp.app import XmlOverHttp
from soapstone.xmlhttp.paths import PATHS

CONSOLE, CALLS = rights("Console"), rights("XML over HTTP")
# Route → its path, about the things that are given.
PATHS_OF: dict[str, Callable[[Things], str]] = {
    "GET /static": lambda it: "/static/console.css",
    "GET /login": lambda it: "/login",
    "POST /login": lambda it: "/login",
    "POST /logout": lambda it: "/logout",
    "GET /": lambda it: "/",
    "GET /live": lambda it: "/live",
    "GET /jobs": lambda it: "/jobs",
    "GET /jobs/live": lambda it: "/jobs/live",
    "GET /jobs/{job_id}": lambda it: f"/jobs/{it.job}",
    "GET /jobs/{job_id}/live": lambda it: f"/jobs/{it.job}/live",
    "GET /jobs/{job_id}/rejects.csv": lambda it: f"/jobs/{it.job}/rejects.csv",
    "POST /jobs/{job_id}/cancel": lambda it: f"/jobs/{it.waiting}/cancel",
    "POST /jobs/{job_id}/retry": lambda it: f"/jobs/{it.job}/retry",
    "GET /lists/{list_id}": lambda it: f"/lists/{it.list}",
    "GET /messages/{message_id}": lambda it: f"/messages/{it.sent}",
    "GET /messages/{message_id}/live": lambda it: f"/messages/{it.sent}/live",
    "GET /mail": lambda it: "/mail",
    "GET /mail/{name}": lambda it: f"/mail/{it.mail}",
    "GET /mail/{name}/source": lambda it: f"/mail/{it.mail}/source",
    "GET /{rest:path}": lambda it: "/nothing",
}


def addresses(*reaches: str) -> pytest.MarkDecorator:
    """All addresses of these reaches that need the permission to use the console."""
    chosen = [route for route in PATHS_OF if CONSOLE[route].reach in reaches and CONSOLE[route].permission == "console"]
    return pytest.mark.parametrize("route", chosen)


class Visitors:
    """Browsers, each with a session of its own."""

    def __init__(self, ground: Ground) -> None:
        self.app: Any = console(ground.product, RecentCalls(), demo=False)

    def ask(self, route: str, login: Any, things: Things) -> httpx.Response:
        browser = Browser(self.app)
        if login is not None:
            browser.log_in(login.name)
        path = PATHS_OF[route](things)
        return browser.post(path) if route.startswith("POST") else browser.get(path)


@pytest.fixture(scope="module")
def visitors(furnished: Ground) -> Visitors:
    return Visitors(furnished)


def test_every_address_has_a_row(ground: Ground) -> None:
    app: Any = console(ground.product, RecentCalls(), demo=False)
    while not hasattr(app, "routes"):
        app = app.__dict__.get("app") or app.__dict__["_app"]
    there = set()
    for route in app.routes:
        assert isinstance(route, Mount | Route)
        methods = {"GET"} if isinstance(route, Mount) else (route.methods or set()) - {"HEAD"}
        there |= {f"{method} {route.path}" for method in methods}
    assert CONSOLE.keys() == PATHS_OF.keys() == there
    assert {f"/xml/{name}" for name in CALLS} == set(PATHS)


@pytest.mark.parametrize("route", PATHS_OF)
def test_permission(ground: Ground, visitors: Visitors, records: Records, route: str) -> None:
    answer = visitors.ask(route, None, ground.mine)
    if CONSOLE[route].permission == "console":
        assert answer.status_code == 303
        assert answer.headers["location"].startswith("/login")
    else:
        assert answer.status_code in (200, 303, 403)
    assert records.written() == set()


def test_a_login_without_the_permission_gets_no_session(ground: Ground, visitors: Visitors) -> None:
    refused = Browser(visitors.app).post("/login", name=ground.una.name, password="secret")
    assert (refused.status_code, refused.cookies) == (403, httpx.Cookies())


@addresses("list", "job")
def test_what_is_not_there_for_the_login(ground: Ground, visitors: Visitors, records: Records, route: str) -> None:
    unknown = visitors.ask(route, ground.ann, ground.unknown)
    assert unknown.status_code == 404
    for login, things in (
        (ground.ann, ground.foreign),
        (ground.cat, ground.foreign),
        (ground.cat, ground.hidden),
        (ground.bob, ground.mine),
    ):
        answer = visitors.ask(route, login, things)
        assert answer.status_code == 404
        assert answer.text.replace(login.name, "ann") == unknown.text
    assert records.written() == set()


@addresses("list", "job")
def test_what_is_there(ground: Ground, visitors: Visitors, records: Records, route: str) -> None:
    for login in (ground.ann, ground.cat):
        answer = visitors.ask(route, login, ground.mine)
        assert answer.status_code == (303 if CONSOLE[route].writes else 200)
        assert not any(name in answer.text for name in ("hidden", "foreign@", "foreign.csv"))
        # Only a job that failed can be tried again.
        assert bool(records.written()) == (CONSOLE[route].writes and not route.endswith("/retry"))
        records.restore()


@addresses("lists", "nothing")
def test_what_is_left_out(ground: Ground, visitors: Visitors, records: Records, route: str) -> None:
    wanted = {things.list: things for things in (ground.mine, ground.hidden, ground.foreign)}
    for login, expected in ((ground.ann, {"mine", "hidden"}), (ground.cat, {"mine"}), (ground.bob, set())):
        answer = visitors.ask(route, login, ground.mine)
        found = {
            it.name
            for it in wanted.values()
            if f'"/jobs/{it.job}"' in answer.text or f'"/lists/{it.list}"' in answer.text or it.email in answer.text
        }
        assert found == (expected if CONSOLE[route].reach == "lists" else set())
    assert records.written() == set()


@pytest.mark.parametrize("call", CALLS)
def test_calls_of_xml_over_http(ground: Ground, records: Records, call: str) -> None:
    """lk-9, lk-11, lk-19, lk-89"""
    app = Within(XmlOverHttp(ground.product, LargeCalls(), max_body=100_000))

    def ask(login: str, things: Things) -> httpx.Response:
        file = "<File>RW1haWwKbmV3QGV4YW1wbGUuY29tCg==</File>" if call == "SendToFile" else ""
        body = (
            f"<{call}><UserName>{login}</UserName><Password>secret</Password><ListID>{things.list}</ListID>"
            f"<Message><SavedMsgID>{things.message}</SavedMsgID></Message>{file}</{call}>"
        )
        with httpx.Client(transport=app, base_url="http://127.0.0.1") as client:
            return client.post(f"/xml/{call}", content=body, headers={"Content-Type": "text/xml"})

    assert ask("mute", ground.mine).status_code == 403
    assert ask("nobody", ground.mine).status_code == 401
    unknown = ask("ann", ground.unknown).text
    for login, things in (
        ("ann", ground.foreign),
        ("cat", ground.foreign),
        ("cat", ground.hidden),
        ("bob", ground.mine),
    ):
        answer = ask(login, things)
        assert answer.status_code == 404
        assert answer.text == unknown.replace(str(ground.unknown.list), str(things.list))
    assert records.written() == set()
    for login in ("ann", "cat"):
        assert ask(login, ground.mine).status_code == 200
        assert records.written()
        records.restore()
