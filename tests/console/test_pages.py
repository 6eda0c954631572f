"""Every page with real data: what it shows, to whom, and that texts from outside stay texts."""

from __future__ import annotations

import csv
import datetime
import io
import logging
import re
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from soapstone.accounts.account import Login
from soapstone.clock import now
from soapstone.console.app import console
from soapstone.console.job_view import JobViews
from soapstone.console.recent_calls import RecentCalls
from soapstone.imports.spec import Column, ImportSpec
from soapstone.jobs.worker import Worker
from soapstone.product import Product
from soapstone.sending.messages.message import Draft
from soapstone.wire.endpoint import CallRecord

if TYPE_CHECKING:
    from tests.console.conftest import Browser, Customer

HOSTILE = "<script>alert('x')</script>"
HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cache-control": "no-store",
}


def text(page: str) -> str:
    """What a reader sees of a page."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page))


def record(caller: str, account_id: int | None, **values: object) -> CallRecord:
    defaults: dict[str, object] = {
        "time": datetime.datetime(2026, 7, 1, 12, 0, tzinfo=datetime.UTC),
        "contract": "MagnetMail",
        "operation": "getGroups",
        "soap_version": "1.2",
        "status": 200,
        "fault": "",
        "seconds": 0.0123,
        "peer": "203.0.113.5",
        "caller_name": caller,
        "account_id": account_id,
    }
    return CallRecord(**(defaults | values))  # type: ignore[arg-type]


@pytest.fixture
def ann(visitor: Callable[[str], Browser], acme: Customer, other: Customer, work: Callable[[], None]) -> Browser:
    """A login of ACME, after the jobs of both accounts."""
    work()
    return visitor("ann")


def mails(product: Product, customer: Customer) -> list[str]:
    return sorted(path.name for path in product.settings.mail.glob(f"{customer.sent.id:08d}-*.eml"))


def pages(product: Product, customer: Customer) -> list[str]:
    jobs = [f"/jobs/{job.id}{rest}" for job in (customer.imported, customer.sent) for rest in ("", "/live")]
    letters = [f"/mail/{name}" for name in mails(product, customer)]
    record = product.reports.of_job(customer.account.id, customer.sent.id)
    assert record is not None
    messages = [f"/messages/{record.message_id}{rest}" for rest in ("", "/live")]
    lists = [f"/lists/{customer.contact_list.id}"]
    return ["/", "/live", "/jobs", "/jobs/live", "/mail", *lists, *jobs, *messages, *letters]


def test_every_page_is_whole_and_guarded(ann: Browser, product: Product, acme: Customer) -> None:
    for path in pages(product, acme):
        answer = ann.get(path)
        assert answer.status_code == 200, path
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert {name: answer.headers[name] for name in HEADERS} == HEADERS
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'; script-src 'self';" in policy
        assert "frame-ancestors 'none'" in policy
        assert ("unsafe-inline" in policy) == path.startswith("/mail/"), "only mails bring their own style"
        assert "script-src 'self';" in policy
        if not path.endswith("/live"):
            assert answer.text.startswith("<!doctype html>")
            assert "times in Europe/Berlin" in answer.text


def test_no_text_from_outside_is_markup(ann: Browser, product: Product, acme: Customer) -> None:
    found = 0
    for path in pages(product, acme):
        page = ann.read(path)
        found += page.count("&lt;script&gt;alert(")
        assert re.findall(r"<script(?! src=\"/static/console.js\" defer>)", page) == [], path
        assert re.findall(r"\son\w+=", page) == [], path
    assert found > 10


def test_the_overview_shows_lists_jobs_mail_and_calls(
    ann: Browser, calls: RecentCalls, acme: Customer, product: Product
) -> None:
    calls.add(record("ACME/ann", acme.account.id, status=500, fault=f"[InvalidArgument] {HOSTILE}"))
    page = ann.read("/")
    assert ann.read("/live").strip() in page
    assert f'<a href="/lists/{acme.contact_list.id}">{acme.contact_list.id} ACME &lt;script&gt;' in page
    assert f'<a href="/jobs/{acme.imported.id}">{acme.imported.id} Import</a>' in page
    assert f'<a href="/jobs/{acme.sent.id}">{acme.sent.id} Send to list</a>' in page
    assert "2 of 4 rows good, 2 new" in page
    assert f'<a href="/mail/{mails(product, acme)[-1]}">For Bob of ACME' in page
    assert "to bob@example.com" in page
    assert "2026-07-01 14:00:00 CEST" in page
    assert "getGroups" in page
    assert "12 ms" in page
    assert "[InvalidArgument] &lt;script&gt;" in page
    assert 'href="/mmapi.asmx"' in page
    assert 'href="/v31/IntegrationService.asmx"' in page


def test_each_account_sees_its_own_calls(
    ann: Browser, calls: RecentCalls, acme: Customer, other: Customer, caplog: pytest.LogCaptureFixture
) -> None:
    # An account may be named as if it were within another one.
    calls.add(record("ACME/olaf/x", other.account.id, operation="theirs"))
    calls.add(record("ACME/ann", acme.account.id, operation="ours"))
    with caplog.at_level(logging.INFO):
        calls.add(record("", None, operation="unknowns", fault="[InvalidLogonAttempt]\nOTHER", peer="198.51.100.77"))
    page = ann.read("/live")
    assert "theirs" not in page
    assert "olaf" not in page
    assert "ours" in page
    assert "203.0.113.5" in page
    assert "unknowns" not in page
    assert "InvalidLogonAttempt" not in page
    assert "198.51.100.77" not in page
    (told,) = (each.__dict__ for each in caplog.records if each.msg == "call without a known login")
    assert {name: told[name] for name in ("contract", "operation", "status", "address", "fault")} == {
        "contract": "MagnetMail",
        "operation": "unknowns",
        "status": 200,
        "address": "198.51.100.77",
        "fault": "[InvalidLogonAttempt]\nOTHER",
    }


def test_the_flood_of_one_account_pushes_no_call_of_another_out(calls: RecentCalls) -> None:
    calls.add(record("ACME/ann", 1, operation="ours"))
    for number in range(50):
        calls.add(record("OTHER/olaf", 2, operation=f"theirs {number}"))
        calls.add(record("", None))
    assert [call.operation for call in calls.of(1)] == ["ours"]
    assert [call.operation for call in calls.of(2)] == [f"theirs {number}" for number in range(49, 29, -1)]
    assert calls.of(3) == []


def test_the_calls_of_a_bounded_number_of_accounts_are_kept(calls: RecentCalls) -> None:
    for account_id in range(1, 1003):
        calls.add(record("", account_id))
        calls.add(record("ACME/ann", 1))
    assert [len(calls.of(account_id)) for account_id in (1, 2, 3, 4, 1002)] == [20, 0, 0, 1, 1]


def test_the_page_of_an_import(ann: Browser, acme: Customer) -> None:
    page = ann.read(f"/jobs/{acme.imported.id}")
    seen = text(page)
    assert "completed · 4 of 4 rows" in seen
    assert "2 added as new contacts" in seen
    assert "1 duplicate in the file" in seen
    assert "1 with an invalid address" in seen
    assert "Good rows 2" in seen
    assert "Rows read 4 Rows done 4 of 4" in seen
    assert "ACME.csv" in seen
    assert re.search(r"2 Another row about the same contact counts\. ada@example\.com Ada ", seen)
    assert "3 The e-mail address is malformed. not an address" in seen
    assert f'href="/jobs/{acme.imported.id}/rejects.csv"' in page
    assert "CET" in page or "CEST" in page
    assert "Cancel" not in page
    assert "data-live=" not in page


def test_the_rejected_rows_as_a_file(ann: Browser, acme: Customer) -> None:
    answer = ann.get(f"/jobs/{acme.imported.id}/rejects.csv")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    name = f"job-{acme.imported.id}-rejects.csv"
    assert answer.headers["content-disposition"] == f"attachment; filename=\"{name}\"; filename*=UTF-8''{name}"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert list(csv.reader(io.StringIO(answer.text, newline=""))) == [
        ["line", "reason", "Email", "First_Name"],
        ["2", "Another row about the same contact counts.", "ada@example.com", "Ada"],
        ["3", "The e-mail address is malformed.", "not an address", f"{HOSTILE}, =1+1"],
    ]
    assert ann.get(f"/jobs/{acme.sent.id}/rejects.csv").status_code == 404


def test_the_page_of_a_send(ann: Browser, acme: Customer) -> None:
    seen = text(ann.read(f"/jobs/{acme.sent.id}"))
    assert "completed · step 3 of 3" in seen
    assert "2 queued" in seen
    assert "2 sent" in seen
    assert re.search(r"ada@example\.com sent – \d{4}-\d\d-\d\d \d\d:\d\d:\d\d CES?T", seen)
    assert "Try again" not in seen
    assert "bob@example.com" in ann.read(f"/jobs/{acme.sent.id}?state=handed")
    left_out = ann.read(f"/jobs/{acme.sent.id}?state=skipped")
    assert "bob@example.com" not in left_out
    assert "no more recipients" in left_out
    assert "bob@example.com" in ann.read(f"/jobs/{acme.sent.id}?state=nonsense")


def test_the_page_of_a_send_tells_of_a_missing_link(ann: Browser, product: Product, acme: Customer) -> None:
    """A contract cannot ask its caller; who looks at the send sees it."""
    assert "These mails have no link to unsubscribe." in ann.read(f"/jobs/{acme.sent.id}")
    common: dict[str, Any] = {"account": acme.account, "login": None, "contact_list": acme.contact_list}
    message = Draft(subject="x", plain="x")
    chosen = product.sends.to_members(message=message, unsubscribe="none", **common).job.id
    assert "chose to send these mails without a link" in ann.read(f"/jobs/{chosen}")
    test = product.sends.to_addresses(message=message, emails=["ann@example.com"], **common).job.id
    assert "link to unsubscribe" not in ann.read(f"/jobs/{test}")


def test_the_page_of_a_list_names_unknown_merge_fields(ann: Browser, product: Product, acme: Customer) -> None:
    def save(subject: str, plain: str) -> None:
        product.messages.save(acme.account.id, acme.contact_list.id, Draft(subject=subject, plain=plain))

    save("June", "{{ Shoe }} {{ Browser_Link }} {{ Hat }}")
    for number in range(9):
        save(f"Issue {number}", "{{ First_Name }}")
    seen = text(ann.read(f"/lists/{acme.contact_list.id}"))
    assert re.search(r"June [\d: -]+ \w+ Shoe, Hat ", seen)
    assert re.search(r"Issue 8 [\d: -]+ \w+ – ", seen)
    save("July", f'{{{{ field["{HOSTILE}"] }}}}')
    seen = ann.read(f"/lists/{acme.contact_list.id}")
    assert ("June" in seen, "&lt;script&gt;alert(&#39;x&#39;)" in seen, HOSTILE in seen) == (False, True, False)


def test_the_page_of_a_list(ann: Browser, acme: Customer) -> None:
    seen = text(ann.read(f"/lists/{acme.contact_list.id}"))
    assert "Members 2" in seen
    assert "Subscribed 2" in seen
    assert "News news@example.com" in seen
    assert "Tracking of its mails full, as its account says" in seen
    assert "Colour &lt;script&gt;" in seen
    assert "ada@example.com" in seen
    assert "There are no more members." in ann.read(f"/lists/{acme.contact_list.id}?page=2")


def test_a_mail_is_shown_without_letting_it_do_anything(ann: Browser, product: Product, acme: Customer) -> None:
    name = mails(product, acme)[0]
    page = ann.read(f"/mail/{name}")
    frame = re.search(r"<iframe[^>]*>", page)
    assert frame is not None
    assert 'sandbox=""' in frame[0]
    assert 'srcdoc="' in frame[0]
    assert "&lt;script&gt;" in frame[0]
    assert "<pre>Dear " in page
    source = ann.get(f"/mail/{name}/source")
    assert source.headers["content-type"] == "message/rfc822"
    assert source.headers["content-disposition"] == f"attachment; filename=\"{name}\"; filename*=UTF-8''{name}"
    assert source.headers["x-content-type-options"] == "nosniff"
    assert source.content == (product.settings.mail / name).read_bytes()


def test_mails_come_newest_first_and_page_by_page(ann: Browser, product: Product, acme: Customer) -> None:
    for number in range(1, 61):
        name = f"{acme.sent.id:08d}-{1000 + number:010d}.eml"
        (product.settings.mail / name).write_bytes(f"Subject: mail {number:02}\r\n\r\nHello".encode())
    found = [re.findall(r"mail (\d\d)</a>", ann.read(f"/mail?page={page}")) for page in (1, 2, 3)]
    assert found[0] == [f"{number}" for number in range(60, 35, -1)]
    assert [number for page in found for number in page] == [f"{number:02}" for number in range(60, 0, -1)]
    assert "There are no more mails." in ann.read("/mail?page=9")


def test_odd_mails_are_shown_as_far_as_they_can_be_read(ann: Browser, product: Product, acme: Customer) -> None:
    odd = [
        b"",
        b"no header at all",
        b"Subject: =?utf-8?b?/////w==?=\r\nTo: \xff\xfe <@@>\r\nDate: never\r\n\r\n\xff",
        b"Content-Type: text/html; charset=nonsense\r\n\r\n<p>\xe4</p>",
        b"Content-Type: multipart/alternative\r\n\r\nno boundary",
        b"Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\nAAAA",
        b"Subject: long\r\n\r\n" + b"x" * (5 << 20),
    ]
    for number, content in enumerate(odd):
        name = f"{acme.sent.id:08d}-{9000 + number:010d}.eml"
        (product.settings.mail / name).write_bytes(content)
        assert f"/mail/{name}/source" in ann.read(f"/mail/{name}"), content[:60]
    listed = ann.read("/mail")
    assert all(f"/mail/{acme.sent.id:08d}-{9000 + number:010d}.eml" in listed for number in range(len(odd)))


def test_only_mails_of_the_folder_can_be_named(ann: Browser, product: Product) -> None:
    (product.settings.mail / "secret.eml").write_text("Subject: secret\n\n")
    (product.settings.data_dir / "secret").write_text("secret")
    for name in (
        "..%2Fsoapstone.sqlite",
        "%2e%2e%2fsecret",
        "00000001-0000000001.eml%00",
        "00000001-0000000001.eml%0A",
        "00000001-0000000001.eml/../../x",
        "1-1.eml",
        "00000001-0000000001.txt",
        "٠٠٠٠٠٠٠١-٠٠٠٠٠٠٠٠٠١.eml",
        "99999999999999999999-0000000001.eml",
        "secret.eml",
    ):
        for path in (f"/mail/{name}", f"/mail/{name}/source"):
            answer = ann.get(path)
            assert answer.status_code == 404, path
            assert "Subject: secret" not in answer.text


def test_another_account_sees_nothing_of_it(
    ann: Browser, visitor: Callable[[str], Browser], product: Product, acme: Customer, other: Customer
) -> None:
    olaf = visitor("olaf")
    for mine, theirs, browser in ((acme, other, ann), (other, acme, olaf)):
        for path in ("/", "/live", "/jobs", "/jobs/live", "/mail"):
            page = browser.read(path)
            assert theirs.account.name not in page, path
            assert mine.account.name in page, path
        hidden = [
            f"/lists/{theirs.contact_list.id}",
            f"/jobs/{theirs.imported.id}",
            f"/jobs/{theirs.imported.id}/live",
            f"/jobs/{theirs.imported.id}/rejects.csv",
            f"/jobs/{theirs.sent.id}",
            *(f"/mail/{name}" for name in mails(product, theirs)),
            *(f"/mail/{name}/source" for name in mails(product, theirs)),
        ]
        for path in hidden:
            answer = browser.get(path)
            assert answer.status_code == 404, path
            assert theirs.account.name not in answer.text
            assert "secret@example.net" not in answer.text
        for action in ("cancel", "retry"):
            assert browser.post(f"/jobs/{theirs.sent.id}/{action}").status_code == 404


def test_a_login_with_granted_lists_sees_only_those(
    ann: Browser, visitor: Callable[[str], Browser], product: Product, acme: Customer, work: Callable[[], None]
) -> None:
    private = product.lists.create(acme.account.id, "Private")
    granted: Login = product.accounts.add_login(acme.account, "greta", "secret", lists=[private.id])
    with product.database.write(durable=True) as connection:
        shown = product.jobs.add(connection, account_id=acme.account.id, kind="send_to_list", list_id=private.id)
        own = product.jobs.add(connection, account_id=acme.account.id, kind="send_to_list", login_id=granted.id)
    greta = visitor("greta")
    overview = greta.read("/")
    assert "Private" in overview
    assert f'"/lists/{acme.contact_list.id}"' not in overview
    assert re.findall(r'<th scope="row" class="wrap"><a href="/jobs/(\d+)">', greta.read("/jobs")) == [
        str(own),
        str(shown),
    ]
    assert "/mail/" not in greta.read("/mail")
    assert greta.get(f"/jobs/{acme.imported.id}").status_code == 404
    assert greta.get(f"/mail/{mails(product, acme)[0]}").status_code == 404
    assert greta.get(f"/lists/{acme.contact_list.id}").status_code == 404


def test_a_job_under_way_moves_and_can_be_cancelled(
    visitor: Callable[[str], Browser], product: Product, acme: Customer
) -> None:
    ann = visitor("ann")
    page = ann.read(f"/jobs/{acme.imported.id}")
    assert f'data-live="/jobs/{acme.imported.id}/live"' in page
    assert "Cancel this job" in page
    fragment = ann.get(f"/jobs/{acme.imported.id}/live")
    assert "x-page-changed" not in fragment.headers
    assert fragment.text.strip() in page
    answer = ann.post(f"/jobs/{acme.imported.id}/cancel")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/jobs/{acme.imported.id}")
    page = ann.read(f"/jobs/{acme.imported.id}")
    assert "cancelled" in page
    assert "Cancel this job" not in page
    assert ann.get(f"/jobs/{acme.imported.id}/live").headers["x-page-changed"] == "yes"
    assert ann.get(f"/jobs/{acme.sent.id}/cancel").status_code == 404, "looking changes nothing"


def test_a_failed_job_tells_why_and_can_be_tried_again(
    visitor: Callable[[str], Browser], product: Product, acme: Customer, work: Callable[[], None]
) -> None:
    product.blobs.remove(acme.imported.blob or "")
    work()
    ann = visitor("ann")
    page = ann.read(f"/jobs/{acme.imported.id}")
    assert "The file of this import is gone." in page
    assert "Try again" in page
    assert ann.post(f"/jobs/{acme.imported.id}/retry").headers["location"] == f"/jobs/{acme.imported.id}"
    job = product.jobs.get(None, acme.imported.id)
    assert job is not None
    assert job.state == "queued"
    work()
    product.jobs.forget_inputs(now())
    page = ann.read(f"/jobs/{acme.imported.id}")
    assert "failed" in page
    assert "Try again" not in page, "without its input it cannot be"


def test_mm_52_a_dry_run_is_called_so(
    visitor: Callable[[str], Browser], product: Product, acme: Customer, work: Callable[[], None]
) -> None:
    upload = product.blobs.new()
    upload.write(b"x\nnew@example.com\nnobody\n")
    spec = ImportSpec(columns=(Column(index=0, target="email"),), dry_run=True)
    trial = product.imports.submit(
        account=acme.account, login=None, contact_list=acme.contact_list, upload=upload, spec=spec, label=""
    )
    work()
    seen = text(visitor("ann").read(f"/jobs/{trial.id}"))
    assert f"Job {trial.id}: Import (dry run)" in seen
    assert "1 added as new contacts" in seen
    assert "3 The e-mail address is malformed. nobody" in seen


def test_mm_65_an_entry_of_the_upload_queue_tells_what_it_became(
    visitor: Callable[[str], Browser], product: Product, acme: Customer
) -> None:
    upload = product.blobs.new()
    upload.write(b"new@example.com\n")
    spec = ImportSpec(columns=(Column(index=0, target="email"),))
    known: Any = {"account": acme.account, "login": None, "contact_list": acme.contact_list, "label": "mapping"}
    number = product.initial_queue.admit(upload=upload, spec=spec, **known)
    entry = product.initial_queue.get(acme.account.id, number)
    assert entry is not None
    ann = visitor("ann")
    page = ann.read(f"/jobs/{number}")
    assert f"Job {number}: Queued upload" in text(page)
    assert f'<a href="/jobs/{entry.job_id}">job {entry.job_id}</a>' in page
    assert "Recipients" not in page
    refused = ann.read(f"/jobs/{product.initial_queue.refuse(upload=None, reason='Group 5 does not exist.', **known)}")
    assert "Group 5 does not exist." in refused
    assert "Became" not in refused
    assert "Try again" not in refused


def test_a_send_moves_within_its_steps(product: Product, acme: Customer) -> None:
    views = JobViews(product)
    counters = {"chosen": 10, "skipped": 1}
    steps: list[tuple[int, dict[str, int], int]] = [
        (0, {}, 0),
        (0, counters, 0),
        (1, counters | {"built": 5}, 50),
        (2, counters | {"built": 10}, 66),
        (2, counters | {"built": 10, "handed": 9}, 96),
        (2, counters | {"built": 10, "handed": 10}, 99),
    ]
    for step, counted, percent in steps:
        assert views.of(replace(acme.sent, state="running", step=step, counters=counted)).share == percent
    assert views.of(replace(acme.sent, state="completed", step=3, counters={})).share == 100


def test_jobs_come_page_by_page(visitor: Callable[[str], Browser], product: Product, acme: Customer) -> None:
    with product.database.write(durable=True) as connection:
        for _ in range(60):
            product.jobs.add(connection, account_id=acme.account.id, kind="send_to_list")
    ann = visitor("ann")
    found = [
        re.findall(r'<th scope="row" class="wrap"><a href="/jobs/(\d+)">', ann.read(f"/jobs?page={page}"))
        for page in (1, 2, 3, 4)
    ]
    assert [len(page) for page in found] == [25, 25, 12, 0]
    numbers = [int(number) for page in found for number in page]
    assert numbers == sorted(numbers, reverse=True)
    first = ann.read("/jobs")
    assert 'rel="next" href="/jobs?page=2"' in first
    assert 'rel="prev"' not in first
    assert 'data-live="/jobs/live?page=2"' in ann.read("/jobs?page=2")


def test_any_page_number_will_do(visitor: Callable[[str], Browser], acme: Customer) -> None:
    ann = visitor("ann")
    for page in ("0", "-1", "x", "9" * 30, "٣", "1.5", ""):
        for path in ("/jobs", "/mail", f"/jobs/{acme.imported.id}", f"/lists/{acme.contact_list.id}"):
            ann.read(f"{path}?page={page}")


def test_numbers_of_nothing_are_not_found(visitor: Callable[[str], Browser], acme: Customer) -> None:
    ann = visitor("ann")
    for number in ("0", "99999", "9" * 30, "9" * 5000, "-1", "x", "٣"):
        for path in (f"/jobs/{number}", f"/lists/{number}", f"/jobs/{number}/rejects.csv"):
            answer = ann.get(path)
            assert answer.status_code == 404
            assert "Nothing is here" in answer.text
            assert answer.headers["x-frame-options"] == "DENY"


def test_an_empty_account_gets_friendly_lines(visitor: Callable[[str], Browser], product: Product) -> None:
    account = product.accounts.create("EMPTY", time_zone="America/New_York")
    product.accounts.add_login(account, "ann", "secret")
    ann = visitor("ann")
    page = ann.read("/")
    for line in ("There are no lists yet.", "There are no jobs yet.", "No mail was sent yet.", "No program has"):
        assert line in page
    assert "times in America/New_York" in page
    assert "There are no jobs yet." in ann.read("/jobs")
    assert "No mail was sent yet." in ann.read("/mail")


def test_an_error_of_the_server_tells_no_details(ann: Browser, product: Product) -> None:
    class Broken(RecentCalls):
        def of(self, account_id: int) -> list[CallRecord]:
            raise ZeroDivisionError("secret")

    browser = type(ann)(console(product, Broken(), demo=False)).log_in("ann")
    answer = browser.get("/")
    assert answer.status_code == 500
    assert "Something went wrong" in answer.text
    assert "secret" not in answer.text
    assert "Traceback" not in answer.text
    assert {name: answer.headers[name] for name in HEADERS} == HEADERS


def test_static_files_are_there_for_everybody(browser: Browser) -> None:
    for name, media in (("console.css", "text/css"), ("console.js", "text/javascript"), ("icon.svg", "image/svg+xml")):
        answer = browser.get(f"/static/{name}")
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith(media)
        assert answer.headers["cache-control"] == "no-cache"
        assert answer.headers["x-content-type-options"] == "nosniff"
    for name in ("../app.py", "..%2fapp.py", "%2e%2e/app.py", "nothing", ""):
        assert browser.get(f"/static/{name}").status_code in (303, 404)


def test_the_worker_is_seen_while_it_works(visitor: Callable[[str], Browser], product: Product, acme: Customer) -> None:
    ann = visitor("ann")
    job_id = acme.imported.id
    seen: list[str] = []

    def half(run: object) -> None:
        from soapstone.jobs.run import Run

        assert isinstance(run, Run)
        with run.chunk() as chunk:
            chunk.count(added=1)
            chunk.checkpoint = {"rows": 4, "done": 1}
        seen.append(ann.read(f"/jobs/{job_id}/live"))

    worker = Worker(product.database, product.blobs, {acme.imported.kind: half}, idle=0.01)
    worker.run(until=lambda: bool(seen))
    assert "1 of 4 rows" in text(seen[0])
    assert 'value="25"' in seen[0]
    assert "running" in seen[0]
