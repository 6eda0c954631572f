"""The test form of help pages: who gets it, its fields, and calls from pages of other sites (asmx-29, lk-7)."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from typing import TYPE_CHECKING

import pytest

from soapstone.http.client_address import Origins
from soapstone.wire.form import Prefill

if TYPE_CHECKING:
    from tests.wire.conftest import Driver, Kit

NOTE = "offered only to requests that come from the local machine"


def local(driver: Driver, name: str) -> str:
    return driver.get(f"op={name}", headers=[("Host", "127.0.0.1:8080")], peer="127.0.0.1").text


def form(page: str) -> str:
    found = re.search("<form .*?</form>", page, re.DOTALL)
    assert found
    return found[0]


# --- who gets it -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.8.9.10", "::1", "::ffff:127.0.0.1"])
@pytest.mark.parametrize(
    "host", ["localhost", "LocalHost:8080", "127.0.0.1", "127.1.2.3:80", "[::1]", "[::1]:8080", "[::ffff:127.0.0.1]"]
)
def test_asmx_29_local_requests_get_the_form(driver: Driver, peer: str, host: str) -> None:
    page = driver.get("op=Add", headers=[("Host", host)], peer=peer).text
    assert '<form id="test"' in page
    assert NOTE not in page


@pytest.mark.parametrize(
    "peer", ["192.0.2.7", "10.0.0.1", "::", "2001:db8::1", "::ffff:192.0.2.7", "localhost.example", ""]
)
def test_asmx_29_other_machines_get_a_note(driver: Driver, peer: str) -> None:
    page = driver.get("op=Add", headers=[("Host", "127.0.0.1")], peer=peer).text
    assert "<form" not in page
    assert "<script" not in page
    assert NOTE in page


@pytest.mark.parametrize(
    "host",
    [
        "depot.example",
        "127.0.0.1.example",
        "localhost.example",
        "192.0.2.7",
        "0.0.0.0",
        "[::]",
        "2130706433",
        "127.1",
        "localhost@depot.example",
        "127.0.0.1:80:80",
        "localhost:",
        "",
    ],
)
def test_asmx_29_other_names_get_a_note(driver: Driver, host: str) -> None:
    """The name of a foreign page may resolve to a loopback address."""
    page = driver.get("op=Add", headers=[("Host", host)], peer="127.0.0.1").text
    assert "<form" not in page
    assert NOTE in page


def test_asmx_29_two_hosts_are_not_local(driver: Driver) -> None:
    hosts = [("Host", "127.0.0.1"), ("Host", "127.0.0.1")]
    assert "<form" not in driver.get("op=Add", headers=hosts, peer="127.0.0.1").text


@pytest.mark.parametrize("header", ["Forwarded", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Prefix"])
@pytest.mark.parametrize("trusted", [(), ("127.0.0.1",)])
def test_asmx_29_what_came_through_a_proxy_is_not_local(kit: Kit, header: str, trusted: tuple[str, ...]) -> None:
    """Whether the proxy is trusted or not, and whatever it says."""
    driver = kit.driver(origins=Origins(trusted))
    for value in ("127.0.0.1", "", "for=127.0.0.1"):
        headers = [("Host", "127.0.0.1"), (header, value)]
        assert "<form" not in driver.get("op=Add", headers=headers, peer="127.0.0.1").text


def test_pages_for_both_kinds_of_requests_are_kept_apart(driver: Driver) -> None:
    pages = [driver.get("op=Add").text, local(driver, "Add"), driver.get("op=Add").text, local(driver, "Add")]
    assert ["<form" in page for page in pages] == [False, True, False, True]


def test_the_form_opens_no_other_binding(driver: Driver) -> None:
    """asmx-1, asmx-4"""
    for method in ("GET", "POST"):
        headers = [("Host", "127.0.0.1"), ("Content-Type", "application/x-www-form-urlencoded")]
        assert driver.request(method, "/depot.asmx/Add", headers=headers, peer="127.0.0.1").status == 500
    assert " action=" not in local(driver, "Add")
    assert driver.service.log == []


# --- fields ----------------------------------------------------------------------------------------------------------


def test_fields_by_type(driver: Driver) -> None:
    page = local(driver, "Echo")
    assert '<input name="Ticket/Token" value="" spellcheck="false">' in page
    assert (
        '<select name="Echo/value/colour"><option value=""></option><option>red</option><option>green</option>'
        "<option>dark: blue</option></select>"
    ) in page
    assert '<select name="Echo/value/t"><option value=""></option><option>true</option><option>false</option>' in page
    assert '<fieldset name="Echo/value/upper">\n<legend>upper</legend>' in page
    assert page.count('<input name="Echo/value/ints/int"') == 2
    assert page.count('<input name="Echo/value/flat_words"') == 2
    assert page.count('<fieldset name="Echo/value/boxes/Box">') == 2
    assert 'name="Echo/value/any/anyType" value="" data-type="xsd:string"' in page
    assert '<small>base64Binary</small></span><input name="Echo/value/raw"' in page
    page = local(driver, "Store")
    assert '<textarea name="Store/text" rows="6" spellcheck="false"></textarea>' in page
    assert '<input name="Store/file"' in page


def test_operations_without_header_or_members(driver: Driver) -> None:
    assert 'data-part="Header"' not in local(driver, "Ping")
    nothing = form(local(driver, "Nothing"))
    assert "Nothing to fill in." in nothing
    assert re.findall('<fieldset name="(.*?)" data-part="(.*?)">', nothing) == [
        ("Ticket", "Header"),
        ("Nothing", "Body"),
    ]


def test_what_is_known_is_filled_in_and_escaped(kit: Kit) -> None:
    prefill = Prefill(
        values={"Ticket/Token": '<"&', "Add/a": "7", "Echo/value/t": "true", "Store/text": "</textarea>"},
        kept_from="Ping",
        kept={"PingResult": "Ticket/Token"},
    )
    driver = kit.driver(prefill=prefill)
    page = local(driver, "Add")
    assert 'name="Ticket/Token" value="&lt;&quot;&amp;"' in page
    assert 'name="Add/a" value="7"' in page
    assert "<option selected>true</option>" in local(driver, "Echo")
    assert ">&lt;/textarea&gt;</textarea>" in local(driver, "Store")
    kept = re.search('data-kept="(.*?)" data-kept-from="Ping"', page)
    assert kept
    assert html.unescape(kept[1]) == '{"PingResult": "Ticket/Token"}'
    # Nothing of it reaches others.
    assert "&lt;&quot;&amp;" not in driver.get("op=Add").text


def test_the_policy_allows_one_script_and_no_other_place(driver: Driver) -> None:
    reply = driver.get("op=Add", headers=[("Host", "127.0.0.1")], peer="127.0.0.1")
    policy = dict(part.split(" ", 1) for part in reply.headers["content-security-policy"].split("; "))
    for tag, directive in (("script", "script-src"), ("style", "style-src")):
        (content,) = re.findall(f"<{tag}>(.*?)</{tag}>", reply.text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert policy.pop(directive) == f"'sha256-{digest}'"
    assert policy == {
        "default-src": "'none'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
        "connect-src": "'self'",
    }
    assert not re.search(r"\s(on\w+|style)=", form(reply.text))


def test_all_other_pages_allow_no_script(driver: Driver) -> None:
    pages = [driver.get(), driver.get("op=Add"), driver.request("GET", "/depot.asmx/Add"), driver.request("PUT")]
    for page in pages:
        assert "script-src" not in page.headers["content-security-policy"]
        assert page.headers["content-security-policy"].startswith("default-src 'none'; style-src 'sha256-")
    assert "content-security-policy" not in driver.get("wsdl").headers


# --- calls from pages of other sites ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "",
        "http://evil.example",
        "https://depot.example.evil.example",
        "http://depot.example",
        "http://depot.example:8081",
        "http://evil.example@depot.example:8080",
        "ftp://depot.example:8080",
        "depot.example:8080",
    ],
)
def test_lk_7_calls_from_pages_of_other_sites_are_refused(driver: Driver, origin: str) -> None:
    reply = driver.call("Add", "<a>1</a>", headers=[("Origin", origin)])
    assert reply.status == 403
    assert "page of another site" in reply.text
    assert driver.service.log == []
    assert [(record.status, record.fault) for record in driver.records] == [(403, "a page of another site called")]


@pytest.mark.parametrize("origin", ["http://depot.example:8080", "https://DEPOT.example:8080"])
def test_lk_7_calls_from_our_own_pages_are_answered(driver: Driver, origin: str) -> None:
    assert driver.call("Add", "<a>1</a><b>2</b>", headers=[("Origin", origin)]).status == 200


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("depot.example", "http://depot.example"),
        ("depot.example:80", "http://depot.example"),
        ("depot.example:443", "https://depot.example"),
        ("[::1]:8080", "http://[::1]:8080"),
    ],
)
def test_lk_7_default_ports_are_no_difference(driver: Driver, host: str, origin: str) -> None:
    assert driver.call("Add", headers=[("Host", host), ("Origin", origin)]).status == 200


def test_lk_7_the_host_that_a_trusted_proxy_names_is_our_own(kit: Kit) -> None:
    headers = [("X-Forwarded-Host", "api.example"), ("Origin", "https://api.example")]
    trusting, other = kit.driver(origins=Origins(["10.0.0.1"])), kit.driver()
    assert trusting.call("Add", headers=headers, peer="10.0.0.1").status == 200
    assert other.call("Add", headers=headers, peer="10.0.0.1").status == 403


def test_lk_7_an_answer_from_memory_is_no_way_around(kit: Kit) -> None:
    driver = kit.driver(repeatable=["Add"], records=kit.rows())
    body = kit.envelope(f'<Add xmlns="{kit.namespace}"><a>1</a></Add>')
    length = ("Content-Length", str(len(body)))
    statuses = [
        driver.post(body, action=f'"{kit.namespace}Add"', headers=[length, *more]).status
        for more in ([], [("Origin", "http://evil.example")], [])
    ]
    assert statuses == [200, 403, 200]
    assert [name for name, _ in driver.service.log] == ["authorise", "handle"]


def test_lk_7_a_refused_body_is_read_to_its_end(driver: Driver) -> None:
    """Or else clients see a reset in place of the answer."""
    body = "<a>" + "x" * 100_000
    assert driver.post(body, cuts=[10, 50_000], headers=[("Origin", "null")]).status == 403
    assert driver.unread == []
