"""URLs, verbs, uploads, limits and records of the endpoint (asmx-1 to asmx-5)."""

from __future__ import annotations

import base64
import tracemalloc
from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from soapstone.http.client_address import Origins

if TYPE_CHECKING:
    from tests.wire.conftest import Driver, Kit

MIB = 1024 * 1024


@pytest.mark.parametrize("method", ["HEAD", "PUT", "OPTIONS", "DELETE"])
def test_asmx_3_other_verbs(driver: Driver, method: str) -> None:
    reply = driver.request(method)
    assert (reply.status, reply.headers["allow"]) == (405, "GET, POST")


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_asmx_4_method_urls(driver: Driver, method: str) -> None:
    reply = driver.request(method, path="/depot.asmx/<Add>")
    assert reply.status == 500
    assert reply.headers["content-type"] == "text/html; charset=utf-8"
    assert "Request format is unrecognized for URL unexpectedly ending in '/&lt;Add&gt;'." in reply.text
    assert driver.request(method, path="/depot.asmxx").status == 404


def test_asmx_2_queries(driver: Driver) -> None:
    for query in ("wsdl", "WSDL", "Wsdl"):
        reply = driver.get(query)
        assert reply.headers["content-type"] == "text/xml; charset=utf-8"
        assert reply.content.startswith(b"<?xml")
        assert "<wsdl:definitions" in reply.text
    assert "<discovery" in driver.get("DISCO").text
    index = driver.get()
    assert index.headers["content-type"] == "text/html; charset=utf-8"
    for query in ("wsdl=1", "x", "op=", "op=Unknown", "op=add", "op=%3Cscript%3E", "%00"):
        assert driver.get(query).content == index.content
    assert driver.get("op=Add").content != index.content
    assert driver.get("OP=Add").content == driver.get("op=Add").content


def test_asmx_5_a_query_on_post_is_harmless(driver: Driver) -> None:
    assert driver.call("Add", query=b"op=Add").status == 200
    assert driver.call("Add", query=b"wsdl").status == 200


def test_asmx_29_index_page(driver: Driver) -> None:
    page = driver.get().text
    assert "<h1>Depot Service</h1>" in page
    assert 'href="?WSDL"' in page
    assert "Adds &lt;two&gt; &quot;numbers&quot; &amp; more." in page
    assert "[Deprecated: use Ping.] Does nothing." in page
    assert [page.index(f'"?op={name}"') for name in ("Add", "Echo", "Fail", "Swap")] == sorted(
        page.index(f'"?op={name}"') for name in ("Add", "Echo", "Fail", "Swap")
    )


def test_asmx_5_addresses_are_those_of_the_request(driver: Driver) -> None:
    forwarded = [
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Host", "api.example.org"),
        ("X-Forwarded-For", "10.9.9.9"),
    ]
    assert 'location="http://depot.example:8080/depot.asmx"' in driver.get("wsdl", headers=forwarded).text
    assert "\nHost: depot.example:8080\n" in driver.get("op=Add").text
    assert 'docRef="http://depot.example:8080/depot.asmx"' in driver.get("disco").text
    for host in ('a"b', "<x>", "a b", ""):
        assert 'location="http://127.0.0.1:8080/depot.asmx"' in driver.get("wsdl", headers=[("Host", host)]).text


def test_asmx_5_trusted_proxies(kit: Kit) -> None:
    driver = kit.driver(origins=Origins(["10.0.0.0/8", "::1"]))
    forwarded = [
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Host", "api.example.org:8443"),
        ("X-Forwarded-For", "1.1.1.1, 203.0.113.5, 10.1.1.1"),
    ]
    page = driver.get("wsdl", headers=forwarded, peer="10.0.0.1").text
    assert page.count('location="https://api.example.org:8443/depot.asmx"') == 2
    driver.call("Add", headers=forwarded, peer="10.0.0.1")
    assert driver.service.callers[-1].peer == "203.0.113.5"
    assert driver.service.callers[-1].base_url == "https://api.example.org:8443"
    driver.call("Add", headers=[("X-Forwarded-For", "junk"), ("X-Forwarded-Proto", "ftp")], peer="::1")
    assert driver.service.callers[-1].peer == "::1"
    assert driver.service.callers[-1].base_url == "http://depot.example:8080"
    driver.call("Add", headers=forwarded, peer="192.0.2.1")
    assert driver.service.callers[-1].peer == "192.0.2.1"


def test_records_of_calls(driver: Driver) -> None:
    driver.call("Add")
    driver.call("Fail", "<how>fault</how>", version="1.2")
    driver.call("Add", token="bad")
    driver.post("", action="urn:x")
    driver.post("", content_type="text/plain")
    driver.post("<a", action=f"{driver.contract.namespace}Add")
    found = [(r.operation, r.soap_version, r.status, r.caller_name, r.account_id) for r in driver.records]
    assert found == [
        ("Add", "1.1", 200, "ACME", 5),
        ("Fail", "1.2", 500, "ACME", 5),
        ("Add", "1.1", 500, "", None),
        ("", "1.1", 500, "", None),
        ("", "1.1", 415, "", None),
        ("Add", "1.1", 400, "", None),
    ]
    assert [bool(r.fault) for r in driver.records] == [False, True, True, True, True, True]
    first = driver.records[0]
    assert (first.contract, first.peer) == ("Depot Service", "192.0.2.7")
    assert first.time.utcoffset() == timedelta(0)
    assert first.time.tzinfo is UTC
    assert 0 < first.seconds < 60


def test_a_record_keeps_little_of_what_a_caller_wrote(driver: Driver) -> None:
    reply = driver.call("Add", f"<a>{'x' * 4000}</a>")
    assert reply.status == 500
    driver.post("", action=f"urn:{'y' * 4000}")
    assert [len(record.fault) <= 300 for record in driver.records] == [True, True]
    assert [bool(record.fault) for record in driver.records] == [True, True]


def test_a_record_keeper_that_fails_does_not_hurt_the_call(kit: Kit, caplog: pytest.LogCaptureFixture) -> None:
    def fail(_: Any) -> None:
        raise RuntimeError("no room")

    assert kit.driver(on_call=fail).call("Add").status == 200
    assert "could not be recorded" in caplog.text


# --- uploads ---------------------------------------------------------------------------------------------------------


def test_spooled_members_become_uploads(driver: Driver) -> None:
    file = base64.encodebytes(b"\x00\x01binary" * 100).decode()
    reply = driver.call("Store", f"<file>{file}</file><text>a &amp;\r\nü</text><name>n</name><replace>1</replace>")
    assert "<StoreResult>n:4:800:True</StoreResult>" not in reply.text
    assert "<StoreResult>n:6:800:True</StoreResult>" in reply.text
    assert [upload.content for upload in driver.uploads] == [b"\x00\x01binary" * 100, "a &\nü".encode()]
    assert all(upload.closed and upload.kept and not upload.discarded for upload in driver.uploads)


def test_spooled_members_empty_absent_and_nil(driver: Driver) -> None:
    assert "n:0:none:False" in driver.call("Store", "<name>n</name><text/>").text
    assert "n:none:none:False" in driver.call("Store", '<name>n</name><text xsi:nil="true">x</text>').text
    assert "n:3:none:False" in driver.call("Store", "<name>n</name><text>one</text><text>second</text>").text


def test_an_upload_is_written_in_large_blocks(driver: Driver, kit: Kit) -> None:
    data = ("abcdefghi\n" * (500 * 1024)).encode()
    body = kit.envelope(f'<Store xmlns="{kit.namespace}"><name>n</name><text>@</text></Store>').encode()
    reply = driver.post(body.replace(b"@", data), cuts=range(0, len(data), 60_000))
    assert f"n:{len(data)}:none" in reply.text
    upload = driver.uploads[0]
    assert upload.content == data
    assert all(MIB <= len(block) <= MIB + 128 * 1024 for block in upload.blocks[:-1])


@pytest.mark.parametrize("shape", ["{}", "<![CDATA[{}]]>"])
def test_an_upload_may_be_one_endless_line(driver: Driver, kit: Kit, shape: str) -> None:
    data = "x" * 5 * MIB
    assert f"n:{5 * MIB}:none" in driver.call("Store", f"<name>n</name><text>{shape.format(data)}</text>").text
    file = base64.b64encode(data.encode()).decode()
    assert f"n:none:{5 * MIB}" in driver.call("Store", f"<name>n</name><file>{shape.format(file)}</file>").text


def test_memory_stays_flat_for_a_large_upload(kit: Kit) -> None:
    class Counter:
        size = 0
        closed = False

        def write(self, data: bytes) -> None:
            self.size += len(data)

        def close(self) -> None:
            self.closed = True

        def discard(self) -> None:
            pass

    driver = kit.driver(make_upload=Counter, max_body=10**9)
    start, end = kit.envelope(f'<Store xmlns="{kit.namespace}"><file>@</file></Store>').encode().split(b"@")
    piece = base64.b64encode(b"x" * 48_000)
    messages = [
        {"type": "http.request", "body": start, "more_body": True},
        *[{"type": "http.request", "body": piece, "more_body": True}] * 600,
        {"type": "http.request", "body": end, "more_body": False},
    ]
    tracemalloc.start()
    try:
        driver.request("POST", headers=[("Content-Type", "text/xml")], messages=messages)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert driver.uploads[0].size == 600 * 48_000
    assert peak < 8 * MIB


def test_a_refused_call_keeps_no_byte_of_its_file(driver: Driver, kit: Kit) -> None:
    body = kit.envelope(f'<Store xmlns="{kit.namespace}"><text>{"x" * 3 * MIB}</text></Store>', token="bad")
    for cuts in (range(0), range(0, len(body), 50_000)):
        reply = driver.post(body, cuts=cuts)
        assert reply.fault[1].endswith("[Denied] No such ticket.")
        assert driver.uploads == []
        assert not driver.unread  # the rest was received, so that the client sees the answer


@pytest.mark.parametrize("end", ["</text><replace>x</replace>", "</text></wrong>", "<b/></text>", "&bad;</text>"])
def test_an_upload_is_discarded_when_the_rest_is_wrong(driver: Driver, kit: Kit, end: str) -> None:
    body = kit.envelope(f'<Store xmlns="{kit.namespace}"><text>{"x" * 2 * MIB}{end}</Store>')
    for cuts in (range(0), range(0, len(body), 50_000)):
        assert driver.post(body, cuts=cuts).status in (400, 500)
        assert driver.uploads
        assert all(upload.discarded for upload in driver.uploads)
    assert ("handle", "Store") not in driver.service.log


@pytest.mark.parametrize("text", ["!!!!", "YQ==YQ==", "YWJj<b/>", "YW<!-- c -->*"])
def test_broken_base64_counts_as_malformed(driver: Driver, text: str) -> None:
    """As the runtime answered it (asmx-20): 400, empty."""
    reply = driver.call("Store", f"<file>{text}</file>")
    assert (reply.status, reply.content) == (400, b"")
    assert all(upload.discarded for upload in driver.uploads)


def test_comments_inside_base64_are_no_part_of_it(driver: Driver) -> None:
    reply = driver.call("Store", "<file>YW<!-- c -->Jj<?p i?></file>")
    assert reply.status == 200
    assert [bytes(upload.content) for upload in driver.uploads] == [b"abc"]


def test_an_upload_is_discarded_when_the_client_goes_away(driver: Driver, kit: Kit) -> None:
    body = kit.envelope(f'<Store xmlns="{kit.namespace}"><text>{"x" * 2 * MIB}')
    reply = driver.post(body, cuts=[100_000], broken_off=True)
    assert reply.status == 0
    assert [upload.discarded for upload in driver.uploads] == [True]
    assert (driver.records[-1].status, driver.records[-1].operation) == (499, "Store")
    driver.post("", content_type="text/plain", broken_off=True)
    assert driver.records[-1].status == 499


def test_an_upload_is_discarded_when_the_call_fails_or_forgets_it(driver: Driver, kit: Kit) -> None:
    def refuse(request: Any) -> Any:
        raise RuntimeError("no")

    driver.service._Store = refuse
    assert driver.call("Store", "<text>x</text>").status == 500
    driver.service._Store = lambda request: "forgotten"
    assert driver.call("Store", "<text>x</text>").status == 200
    assert [upload.discarded for upload in driver.uploads] == [True, True]


@pytest.mark.parametrize("size", [10, 3 * MIB])
def test_an_upload_that_cannot_be_written(kit: Kit, caplog: pytest.LogCaptureFixture, size: int) -> None:
    class Full:
        discarded = 0

        def write(self, data: bytes) -> None:
            raise OSError("disk full")

        def close(self) -> None:
            raise AssertionError

        def discard(self) -> None:
            self.discarded += 1
            raise OSError("and that as well")

    driver = kit.driver(make_upload=Full)
    reply = driver.call("Store", f"<text>{'x' * size}</text>", cuts=[MIB])
    assert reply.fault == ("Server", "Server was unable to process request. ---> Something broke here.")
    assert "disk full" in caplog.text
    assert driver.uploads[0].discarded == 1


# --- limits ----------------------------------------------------------------------------------------------------------


def test_a_body_over_the_limit(kit: Kit) -> None:
    driver = kit.driver(max_body=100_000)
    for cuts in (range(0), range(0, 300_000, 30_000)):
        reply = driver.call("Store", f"<text>{'x' * 200_000}</text>", cuts=cuts)
        assert reply.status == 500
        assert reply.fault == ("Client", "Server was unable to read request. ---> Maximum request length exceeded.")
        assert reply.headers["connection"] == "close"
    assert driver.service.log.count(("handle", "Store")) == 0
    assert driver.call("Store", f"<text>{'x' * 90_000}</text>").status == 200


def test_an_announced_body_over_the_limit_is_not_read(kit: Kit) -> None:
    driver = kit.driver(max_body=100_000)
    reply = driver.call("Store", "<text>x</text>", headers=[("Content-Length", "100001"), ("Expect", "100-continue")])
    assert reply.fault[1].endswith("Maximum request length exceeded.")
    assert driver.unread
    reply = driver.call("Store", "<text>x</text>", headers=[("Content-Length", "100001")])
    assert reply.fault[1].endswith("Maximum request length exceeded.")
    assert driver.service.log == []
