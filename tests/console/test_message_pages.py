"""What became of mails, on the pages of a send and of a message; live while mails are sent."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import insert, select

from soapstone.console.message_pages import LINKS_SHOWN
from soapstone.jobs.job import Job
from soapstone.labels import MAIL_FIGURES
from soapstone.product import Product
from soapstone.sending.messages.message import Draft
from soapstone.store.tables import deliveries, sends, tracked_links
from soapstone.tracking.bounce_classes import of_reply
from soapstone.tracking.recording import Act, record_acts, record_bounces
from soapstone.vocabulary.tracking import MailEventKind

if TYPE_CHECKING:
    from tests.console.conftest import Browser, Customer

HOSTILE = "<script>alert('x')</script>"
WORDS = f"550 5.1.1 {HOSTILE} no such user"
URL = f"https://example.com/{HOSTILE}?x=1&y=2"


def text(page: str) -> str:
    """What a reader sees of a page."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())


@pytest.fixture
def ann(visitor: Callable[[str], Browser], acme: Customer, work: Callable[[], None]) -> Browser:
    """A login of ACME, after its jobs: two people got the mail of the send."""
    work()
    return visitor(acme.login.name)


@pytest.fixture
def message(ann: Browser, product: Product, acme: Customer) -> int:
    """The message of the send: one mail came back, the other was clicked twice."""
    with product.database.write() as connection:
        number = connection.execute(select(sends.c.message_id).where(sends.c.job_id == acme.sent.id)).scalar_one()
        values = {"account_id": acme.account.id, "message_id": number, "body": "html", "url": URL, "target": URL}
        values |= {"label": HOSTILE, "position": 1}
        link = connection.execute(insert(tracked_links).values(**values).returning(tracked_links.c.id)).scalar_one()
        query = select(deliveries.c.id).where(deliveries.c.job_id == acme.sent.id).order_by(deliveries.c.email_key)
        ada, bob = connection.execute(query).scalars()
        record_bounces(connection, {ada: of_reply(WORDS)})
        record_acts(connection, [Act(kind=MailEventKind.CLICK, delivery_id=bob, link_id=link)] * 2)
    return int(number)


def figures(page: str) -> dict[str, int]:
    """The figures of mails on a page, by their words."""
    section = page[page.index('id="mails"') :]
    section = section[: section.index("</dl>")]
    return {words: int(amount) for amount, words in re.findall(r"<dt>(\d+)</dt><dd>([^<]+)</dd>", section)}


def expected(**amounts: int) -> dict[str, int]:
    return {words: amounts.get(name, 0) for name, words in MAIL_FIGURES.items()}


def test_a_send_and_its_message_have_figures_and_links(ann: Browser, acme: Customer, message: int) -> None:
    wanted = expected(
        sent=2,
        delivered=1,
        bounced=1,
        openers=1,
        readers=1,
        clickers=1,
        repeat_clickers=1,
        opens=1,
        clicks=2,
    )
    for path in (f"/jobs/{acme.sent.id}", f"/messages/{message}", f"/messages/{message}/live"):
        page = ann.read(path)
        assert figures(page) == wanted, path
        assert f"{URL} {HOSTILE} HTML 2 1 0" in text(page)
        assert HOSTILE not in page
    assert f'<a href="/messages/{message}">{message}</a>' in ann.read(f"/jobs/{acme.sent.id}")
    page = ann.read(f"/messages/{message}")
    assert f'<a href="/jobs/{acme.sent.id}">' in page
    assert f'<a href="/lists/{acme.contact_list.id}">' in page


def test_recipients_show_the_words_of_the_server(ann: Browser, acme: Customer, message: int) -> None:
    path = f"/jobs/{acme.sent.id}"
    page = ann.read(f"{path}?state=bounced")
    assert HOSTILE not in page
    (row,) = re.findall(r"<tr><td>[^<]+@.*?</tr>", page, re.DOTALL)
    assert text(row).startswith(f"ada@example.com bounced Unknown user: {WORDS} ")
    (row,) = re.findall(r"<tr><td>[^<]+@.*?</tr>", ann.read(f"{path}?state=handed"), re.DOTALL)
    assert re.fullmatch(r"bob@example\.com sent – (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d CES?T ){2}2", text(row))


def test_the_page_moves_while_mails_are_sent(
    ann: Browser, product: Product, acme: Customer, work: Callable[[], None]
) -> None:
    stored = product.messages.save(acme.account.id, acme.contact_list.id, Draft(subject="News", plain="Hello"))
    path = f"/messages/{stored.id}"

    def send() -> Job:
        return product.sends.to_list(
            account=acme.account, login=None, contact_list=acme.contact_list, message=stored
        ).job

    first = send()
    work()
    assert "data-live" not in ann.read(path)
    assert ann.get(f"{path}/live").headers["X-Page-Changed"] == "yes"
    second = send()
    assert f'data-live="{path}/live"' in ann.read(path)
    assert "X-Page-Changed" not in ann.get(f"{path}/live").headers
    assert figures(ann.read(f"{path}/live")) == expected(sent=2, delivered=2)
    with product.database.write() as connection:
        numbers = connection.execute(select(deliveries.c.id).where(deliveries.c.job_id == first.id)).scalars().all()
        record_acts(connection, [Act(kind=MailEventKind.OPEN, delivery_id=number) for number in numbers])
    assert figures(ann.read(f"{path}/live")) == expected(sent=2, delivered=2, opens=2, openers=2)
    assert figures(ann.read(f"/jobs/{second.id}/live")) == expected()
    product.jobs.cancel([acme.account.id], second.id)
    assert ann.get(f"{path}/live").headers["X-Page-Changed"] == "yes"


def test_a_message_without_a_send(ann: Browser, product: Product, acme: Customer) -> None:
    stored = product.messages.save(acme.account.id, acme.contact_list.id, Draft(subject=HOSTILE, plain="Hello"))
    page = ann.read(f"/messages/{stored.id}")
    assert figures(page) == expected()
    assert "This message was not sent yet." in page
    assert f"Message {stored.id}: {HOSTILE}" in text(page)
    assert HOSTILE not in page
    assert 'id="links"' not in page
    assert f'<a href="/messages/{stored.id}">{stored.id}</a>' in ann.read(f"/lists/{acme.contact_list.id}")


def test_the_first_links_of_many(ann: Browser, product: Product, acme: Customer, message: int) -> None:
    with product.database.write() as connection:
        common = {"account_id": acme.account.id, "message_id": message, "body": "plain", "url": "u", "target": "u"}
        rows = [common | {"position": position} for position in range(2, LINKS_SHOWN + 9)]
        connection.execute(insert(tracked_links), rows)
    page = ann.read(f"/messages/{message}")
    assert page.count("plain text</td>") == LINKS_SHOWN - 1
    assert f"These are {LINKS_SHOWN}" in page


def test_what_is_no_message(ann: Browser, product: Product, other: Customer) -> None:
    with product.database.read() as connection:
        theirs = connection.execute(select(sends.c.message_id).where(sends.c.job_id == other.sent.id)).scalar_one()
    for number in (theirs, 999999, "x", "9" * 40):
        for path in (f"/messages/{number}", f"/messages/{number}/live"):
            assert ann.get(path).status_code == 404
