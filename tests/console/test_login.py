"""Who comes in, who does not, and what a session is worth."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from soapstone.accounts import logon
from soapstone.console.app import console
from soapstone.console.recent_calls import RecentCalls
from soapstone.product import Product

if TYPE_CHECKING:
    from tests.console.conftest import Browser, Customer

PAGES = ["/", "/live", "/jobs", "/jobs/live", "/jobs/1", "/jobs/1/live", "/jobs/1/rejects.csv", "/lists/1", "/mail"]
PAGES += ["/mail/00000001-0000000001.eml", "/mail/00000001-0000000001.eml/source", "/nowhere"]


def test_nothing_is_shown_to_those_who_are_not_logged_in(browser: Browser, acme: Customer) -> None:
    for path in PAGES:
        answer = browser.get(path)
        assert answer.status_code == 303, path
        assert answer.headers["location"].startswith("/login")
        assert answer.content == b""


def test_nothing_is_done_for_those_who_are_not_logged_in(browser: Browser, product: Product, acme: Customer) -> None:
    for action in ("cancel", "retry"):
        answer = browser.post(f"/jobs/{acme.sent.id}/{action}")
        assert (answer.status_code, answer.headers["location"]) == (303, "/login")
    job = product.jobs.get(None, acme.sent.id)
    assert job is not None
    assert job.state == "queued"


def test_logging_in_and_out(browser: Browser, acme: Customer) -> None:
    assert 'name="password"' in browser.read("/login")
    answer = browser.post("/login", name="Ann", password="secret")
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert "Secure" not in cookie
    assert "Overview" in browser.read("/")
    assert browser.get("/login").headers["location"] == "/"
    token = dict(browser.cookies)
    assert browser.post("/logout").headers["location"] == "/login"
    assert not dict(browser.cookies)
    browser.cookies.update(token)
    assert browser.get("/").status_code == 303


def test_a_login_ends_the_session_that_the_browser_had(browser: Browser, acme: Customer) -> None:
    browser.log_in("ann")
    old = dict(browser.cookies)
    browser.log_in("ann")
    assert dict(browser.cookies) != old
    browser.cookies.update(old)
    assert browser.get("/").status_code == 303


def test_after_the_login_the_wanted_page_comes(browser: Browser, acme: Customer) -> None:
    answer = browser.get("/jobs/1?page=2")
    form = browser.read(answer.headers["location"])
    assert '<input type="hidden" name="next" value="/jobs/1?page=2">' in form
    answer = browser.post("/login", name="ann", password="secret", next="/jobs/1?page=2")
    assert answer.headers["location"] == "/jobs/1?page=2"


def test_the_login_leads_nowhere_else(browser: Browser, acme: Customer) -> None:
    foreign = ["//evil.example", "https://evil.example", "/\\evil.example", "/%09/evil.example", "evil", "/a\n/b", ""]
    for elsewhere in foreign:
        assert browser.post("/login", name="ann", password="secret", next=elsewhere).headers["location"] == "/"


def test_a_wrong_logon_is_refused_in_one_sentence(browser: Browser, acme: Customer) -> None:
    for name in ("ann", "nobody", "", "nul\0", "x" * 5000, "<b>"):
        answer = browser.post("/login", name=name, password="wrong")
        assert answer.status_code == 403
        assert "The name or the password is not right." in answer.text
        assert "set-cookie" not in answer.headers
        assert "wrong" not in answer.text
        assert "<b>" not in answer.text


def test_a_form_without_fields_is_a_wrong_logon(browser: Browser) -> None:
    assert browser.post("/login").status_code == 403


def test_lk_13_a_locked_login_is_told_so(browser: Browser, acme: Customer) -> None:
    for _ in range(3):
        browser.post("/login", name="ann", password="wrong")
    answer = browser.post("/login", name="ann", password="secret")
    assert answer.status_code == 403
    assert "locked for a while" in answer.text


def test_a_full_queue_of_logons_is_503(
    browser: Browser, app: Any, acme: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those who are logged in go on."""
    inside = type(browser)(app).log_in("ann")
    monkeypatch.setattr(logon, "MOST_WAITING", 0)
    answer = browser.post("/login", name="nobody", password="wrong")
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == str(logon.RETRY_SECONDS)
    assert "Try again" in answer.text
    assert "set-cookie" not in answer.headers
    inside.read("/")


def test_no_parameter_takes_a_text_that_breaks_the_server(browser: Browser, acme: Customer) -> None:
    browser.log_in("ann")
    for text in ("%00", "1%00", "%ED%A0%80", "%FF"):
        for path in (
            f"/jobs/{text}",
            f"/lists/{text}",
            f"/mail/{text}",
            f"/mail/{text}/source",
            f"/{text}",
            f"/static/{text}",
        ):
            assert browser.get(path).status_code == 404, path
        for path in ("/", "/jobs", "/lists", "/mail", f"/jobs/{acme.imported.id}", f"/lists/{acme.contact_list.id}"):
            for name in ("page", "after", "state", "next", "q"):
                assert browser.get(f"{path}?{name}={text}").status_code < 500, (path, name)
        browser.cookies.set("soapstone_session", text)
        assert browser.get(f"/jobs/{text}?next={text}").status_code == 303
        browser.cookies.clear()
        browser.log_in("ann")


def test_lk_9_a_prohibited_address_is_told_so(browser: Browser, product: Product, acme: Customer) -> None:
    product.accounts.allow_addresses(acme.account, ["198.51.100.0/24"])
    answer = browser.post("/login", name="ann", password="secret")
    assert answer.status_code == 403
    assert "does not allow logins from your network address" in answer.text
    product.accounts.allow_addresses(acme.account, ["192.0.2.0/24"])
    browser.log_in("ann")


def test_the_address_behind_a_trusted_proxy_counts(product: Product, acme: Customer, browser: Browser) -> None:
    product.accounts.allow_addresses(acme.account, ["198.51.100.0/24"])
    form = {"name": "ann", "password": "secret"}
    headers = {"x-forwarded-for": "198.51.100.9", "x-forwarded-proto": "https"}
    assert browser.post("/login", headers=headers, **form).status_code == 403
    product.settings.trusted_proxies.append("192.0.2.7")
    behind = type(browser)(console(product, RecentCalls(), demo=False))
    answer = behind.post("/login", headers=headers, **form)
    assert answer.status_code == 303
    assert "Secure" in answer.headers["set-cookie"]


def test_over_https_the_cookie_is_secure(browser: Browser, acme: Customer) -> None:
    browser.host = "https://console.example"
    assert "Secure" in browser.post("/login", name="ann", password="secret").headers["set-cookie"]


def test_the_demo_fills_its_login_in_and_nothing_else_does(product: Product, browser: Browser) -> None:
    assert 'value="demo"' not in browser.read("/login")
    demo = type(browser)(console(product, RecentCalls(), demo=True)).read("/login")
    assert demo.count('value="demo"') == 2


FOREIGN = [
    {"origin": "https://evil.example"},
    {"origin": "null"},
    {"origin": ""},
    {"origin": "http://console.example.evil.example"},
    {"origin": "http://console.example:81"},
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
]
# The scheme may differ: a proxy that ends TLS may hide it.
OWN = [{}, {"sec-fetch-site": "same-origin"}, {"sec-fetch-site": "none"}, {"origin": "https://console.example"}]


def test_posts_from_foreign_pages_are_refused(
    visitor: Callable[[str], Browser], product: Product, acme: Customer
) -> None:
    browser = visitor("ann")
    for headers in FOREIGN:
        for path in (f"/jobs/{acme.sent.id}/cancel", "/login", "/logout"):
            answer = browser.post(path, headers=headers, name="ann", password="secret")
            assert answer.status_code == 403, headers
            assert "another site" in answer.text
            assert "set-cookie" not in answer.headers
    job = product.jobs.get(None, acme.sent.id)
    assert job is not None
    assert job.state == "queued"
    browser.read("/")


def test_posts_from_here_are_taken(browser: Browser, acme: Customer) -> None:
    for headers in OWN:
        assert browser.post("/login", headers=headers, name="ann", password="secret").status_code == 303, headers


def test_the_public_url_is_no_foreign_page(product: Product, acme: Customer, browser: Browser) -> None:
    product.settings.public_url = "https://mail.example"
    public = type(browser)(console(product, RecentCalls(), demo=False))
    answer = public.post("/login", headers={"origin": "https://mail.example"}, name="ann", password="secret")
    assert answer.status_code == 303
    assert "Secure" in answer.headers["set-cookie"]


def test_a_form_that_is_too_large_is_not_read(browser: Browser) -> None:
    assert browser.post("/login", name="a" * 20_000, password="b").status_code == 413
    assert browser.post("/login", **{f"field{n}": "x" for n in range(30)}).status_code == 413  # type: ignore[arg-type]


def test_a_session_ends(browser: Browser, product: Product, acme: Customer) -> None:
    from datetime import timedelta

    from soapstone.accounts.logon import Identity
    from soapstone.accounts.sessions import Sessions
    from soapstone.console.security_headers import COOKIE

    token = Sessions(product.database, "magnetmail", timedelta(hours=1)).open(Identity(acme.account, acme.login))
    browser.cookies.set(COOKIE, token)
    assert browser.get("/").status_code == 303, "a session of another purpose opens no page"
    browser.log_in("ann")
    product.settings.session_minutes = 0
    assert type(browser)(console(product, RecentCalls(), demo=False)).get("/").status_code == 303


def test_a_form_that_breaks_off_is_no_fault_of_the_server(product: Product, caplog: pytest.LogCaptureFixture) -> None:
    import asyncio

    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/login", "headers": [], "query_string": b"", "root_path": ""}
    app: Any = console(product, RecentCalls(), demo=False)
    asyncio.run(app({**scope, "client": ("127.0.0.1", 4711)}, receive, send))
    assert sent[0]["status"] == 400
    assert not caplog.records
