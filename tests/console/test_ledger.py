"""Every state of a recipient and every reason to skip one has words and a filter, taken from the closed sets."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import delete, insert, select

from soapstone.console.app import console
from soapstone.console.recent_calls import RecentCalls
from soapstone.product import Product
from soapstone.settings import Settings
from soapstone.store.database import Database
from soapstone.store.tables import deliveries, sends
from soapstone.vocabulary.deliveries import DeliveryState, SkipReason

if TYPE_CHECKING:
    from tests.console.conftest import Browser, Customer

HOSTILE = "<script>alert('x')</script>"
REPLY = f"550 5.1.1 {HOSTILE} no such user " + "x" * 600


def text(page: str) -> str:
    """What a reader sees of a page's main part."""
    main = page[page.index("<main") : page.index("</main>")]
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", main)).split())


@pytest.fixture
def ann(visitor: Callable[[str], Browser], acme: Customer, work: Callable[[], None]) -> Browser:
    """A login of ACME, after its jobs."""
    work()
    return visitor(acme.login.name)


@pytest.fixture
def ledger(ann: Browser, product: Product, acme: Customer) -> int:
    """A send with a recipient in each state, and one for each reason; its number."""
    job = acme.sent.id
    with product.database.write() as connection:
        message = connection.execute(select(sends.c.message_id).where(sends.c.job_id == job)).scalar_one()
        connection.execute(delete(deliveries).where(deliveries.c.job_id == job))
        common = {"account_id": acme.account.id, "job_id": job, "message_id": message, "is_test": False}
        rows: list[dict[str, Any]] = [{"state": state, "reason": "", "reply": ""} for state in DeliveryState]
        rows += [{"state": "skipped", "reason": reason, "reply": ""} for reason in SkipReason]
        rows += [{"state": "failed", "reason": "", "reply": REPLY}]
        for row in rows:
            email = f"{row['reason'] or row['state']}{len(row['reply'])}@example.com"
            connection.execute(insert(deliveries).values(**common, **row, email=email, email_key=email))
    return job


def test_each_state_has_words_and_a_filter(ann: Browser, ledger: int) -> None:
    page = ann.read(f"/jobs/{ledger}")
    for state in DeliveryState:
        assert f'href="/jobs/{ledger}?state={state}"' in page
        assert f"{state}0@example.com {state.label}" in text(page)
        only = text(ann.read(f"/jobs/{ledger}?state={state}"))
        others = [other for other in DeliveryState if other != state and f" {other}0@example.com" in only]
        assert (f"{state}0@example.com" in only, others) == (True, [])


def test_each_reason_has_words_and_a_filter(ann: Browser, ledger: int) -> None:
    page = ann.read(f"/jobs/{ledger}?state=skipped")
    for reason in SkipReason:
        assert f'href="/jobs/{ledger}?state=skipped&amp;reason={reason}"' in page
        assert f"{reason}0@example.com skipped {reason.meaning}" in text(page)
        only = ann.read(f"/jobs/{ledger}?state=skipped&reason={reason}")
        assert re.findall(r"\w+@example\.com", only) == [f"{reason}0@example.com"]
        assert reason.label in text(only).lower()
    # Reasons are those of recipients that were left out, and an unknown one picks nothing.
    assert "reason=" not in ann.read(f"/jobs/{ledger}?state=failed&reason=banned")
    assert text(ann.read(f"/jobs/{ledger}?state=skipped&reason={HOSTILE}")) == text(page)


def test_failed_mails_show_what_the_server_replied(ann: Browser, ledger: int) -> None:
    page = ann.read(f"/jobs/{ledger}?state=failed")
    assert HOSTILE not in page
    (row,) = [row for row in page.split("<tr>") if f"failed{len(REPLY)}@example.com" in row]
    shown = html.unescape(row.split('<td class="wide">')[1].split("</td>")[0])
    assert shown.startswith(REPLY[:400])
    assert len(shown) <= 505


def test_pages_of_a_filter_keep_it(ann: Browser, product: Product, ledger: int) -> None:
    with product.database.write() as connection:
        row = dict(connection.execute(select(deliveries).where(deliveries.c.reason == "banned")).mappings().one())
        row.pop("id")
        for number in range(60):
            email = f"more{number}@example.com"
            connection.execute(insert(deliveries).values(**row | {"email": email, "email_key": email}))
    page = ann.read(f"/jobs/{ledger}?state=skipped&reason=banned")
    (following,) = re.findall(r'rel="next" href="([^"]+)"', page)
    seen = ann.read(html.unescape(following))
    assert len(re.findall(r"more\d+@example\.com", page + seen)) == 60


@pytest.fixture
def with_server(ann: Browser, database: Database, product: Product) -> Callable[[str], Browser]:
    """A browser on the same records while an SMTP server is set up."""

    def log_in(name: str) -> Browser:
        settings = Settings(data_dir=product.settings.data_dir, smtp_url="smtp://ann:secret@mail.example:2525")
        return type(ann)(console(Product.open(settings, database), RecentCalls(), demo=False)).log_in(name)

    return log_in


def test_the_mail_page_knows_that_a_server_is_set_up(
    ann: Browser, acme: Customer, product: Product, with_server: Callable[[str], Browser]
) -> None:
    assert "While no mail server is set up, mails are sent to a folder" in text(ann.read("/mail"))
    told = with_server(acme.login.name)
    seen = text(told.read("/mail"))
    assert "Mails are sent to a mail server." in seen
    assert "While no mail server is set up" not in seen
    # Mails from before are still there.
    assert "bob@example.com" in seen
    for path in product.settings.mail.glob("*.eml"):
        path.unlink()
    assert "The folder is empty." in text(with_server(acme.login.name).read("/mail"))
    assert "Mails are sent to a mail server" in text(with_server(acme.login.name).read("/"))
    assert not re.search("secret|mail.example", told.read("/mail") + told.read("/"))
