"""Mails of a send are tracked as their list or account says; links and pixel carry the mail's stem."""

from __future__ import annotations

import re
from email.message import EmailMessage
from typing import Any

import dkim
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from sqlalchemy import select, update
from tests.sending.conftest import Office

from soapstone.accounts.account import Accounts
from soapstone.accounts.link_keys import LinkKeys
from soapstone.jobs.job import Job
from soapstone.lists.lists import Lists
from soapstone.sending.link_actions import LinkActions
from soapstone.sending.mail.builder import MailBuilder, MailOptions
from soapstone.sending.mail.dkim import DkimKey, DkimSigner
from soapstone.sending.mail.mail_tracking import base_of
from soapstone.sending.messages.message import Draft, Traits
from soapstone.sending.runner import SendRunner
from soapstone.sending.send_records import SendTicket
from soapstone.sending.signed_links import Links
from soapstone.store.tables import tracked_links
from soapstone.tracking.links import TrackedLink, known_positions, positions
from soapstone.tracking.stems import Stem, Stems
from soapstone.vocabulary.deliveries import Purpose

URL = "https://lists.example"
KEYS = LinkKeys.single("key")
LINKS, STEMS = Links(URL, KEYS), Stems(KEYS)
TRACKED = re.compile(rf"{URL}/(?:([cor])/([a-z2-7]{{32}}))(?:\.gif|/([0-9]+)(?:/([\w.-]+))?)")
HTML = '<p>Zoë <a href="https://a.example/1">x</a> <a href="https://a.example/?e={{ email }}">y</a></p>'


@pytest.fixture
def office(office: Office) -> Office:
    options = MailOptions(links=LINKS, stems=STEMS)
    office.sender = SendRunner(office.database, office.mail, office.drafts, options=options)
    return office


def rows(office: Office) -> list[Any]:
    with office.database.read() as connection:
        return list(connection.execute(select(tracked_links).order_by(tracked_links.c.id)))


def part(mail: EmailMessage, kind: str) -> str:
    found = mail.get_body((kind,))
    assert found is not None
    return str(found.get_content()).replace("\r\n", "\n")


def settings(office: Office, **values: Any) -> None:
    changed = Lists(office.database).change(office.account.id, office.list.id, settings=values)
    assert changed is not None
    office.list = changed


def track(office: Office, *, account: str = "full", the_list: str = "") -> None:
    Accounts(office.database).change(office.account, tracking=account)
    Lists(office.database).change(office.account.id, office.list.id, tracking=the_list)


def sent(office: Office, **parts: str) -> tuple[SendTicket, dict[str, EmailMessage]]:
    office.contact("ann@example.org")
    office.contact("bob@example.org")
    ticket = office.to_list(**{"html": HTML, **parts})
    office.work()
    return ticket, office.mails()


def test_links_and_pixels_of_a_mail_have_its_stem(office: Office) -> None:
    ticket, mails = sent(office, plain="See https://a.example/3.")
    assert [row.state for row in office.rows(ticket)] == ["handed", "handed"]
    for row in office.rows(ticket):
        mail = mails[row.email]
        stem = STEMS.make(ticket.message.id, row.id)
        html = [match.groups() for match in TRACKED.finditer(part(mail, "html"))]
        assert [each[:3] for each in html] == [("c", stem, "1"), ("c", stem, "2"), ("o", stem, None), ("r", stem, None)]
        assert STEMS.read_target(stem, 2, str(html[1][3])) == f"https://a.example/?e={row.email}"
        assert part(mail, "plain") == f"See {URL}/c/{stem}/3.\n"
    assert [(row.position, row.body, row.url, row.target, row.description, row.is_dynamic) for row in rows(office)] == [
        (1, "html", "https://a.example/1", "https://a.example/1", "x", False),
        (2, "html", *["https://a.example/?e={{ email }}"] * 2, "y", True),
        (3, "plain", *["https://a.example/3"] * 3, False),
    ]
    assert {(row.account_id, row.message_id) for row in rows(office)} == {(office.account.id, ticket.message.id)}


def test_only_figures(office: Office) -> None:
    """Nothing in the tracked addresses tells whose mail it is."""
    track(office, account="figures")
    ticket, mails = sent(office, html=HTML.replace("{{ email }}", "1"))
    stem = STEMS.make(ticket.message.id, 0)
    assert STEMS.read(stem) == Stem(ticket.message.id, 0)
    bodies = {part(mail, "html") for mail in mails.values()}
    assert len(bodies) == 1
    assert [match.groups()[:3] for match in TRACKED.finditer(bodies.pop())] == [
        ("c", stem, "1"),
        ("c", stem, "2"),
        ("o", stem, None),
    ]


@pytest.mark.parametrize(
    ("of_account", "of_list", "tracked"), [("off", "", False), ("full", "off", False), ("off", "full", True)]
)
def test_the_list_decides_before_the_account(office: Office, of_account: str, of_list: str, tracked: bool) -> None:
    track(office, account=of_account, the_list=of_list)
    _, mails = sent(office)
    assert bool(TRACKED.search(part(mails["ann@example.org"], "html"))) is tracked
    assert bool(rows(office)) is tracked
    if not tracked:
        assert part(mails["ann@example.org"], "html") == HTML.replace("{{ email }}", "ann@example.org") + "\n"


def test_without_an_address_of_this_server_nothing_is_tracked(office: Office) -> None:
    office.sender = SendRunner(office.database, office.mail, office.drafts, options=MailOptions(stems=STEMS))
    _, mails = sent(office)
    assert part(mails["ann@example.org"], "html") == HTML.replace("{{ email }}", "ann@example.org") + "\n"


def test_a_message_may_leave_tracking_off(office: Office) -> None:
    """lk-98."""
    for tracked in (False, True):
        ticket = office.sends.to_addresses(
            account=office.account,
            login=None,
            contact_list=office.list,
            message=Draft(subject="x", html=HTML),
            emails=["ann@example.org" if tracked else "bob@example.org"],
            traits=Traits(extras={"tracking": tracked}),
            purpose=Purpose.TRANSACTIONAL,
        )
        assert ticket.message.extras["tracking"] is tracked
    office.work()
    mails = office.mails()
    assert TRACKED.search(part(mails["ann@example.org"], "html"))
    assert not TRACKED.search(part(mails["bob@example.org"], "html"))


def test_system_mails_are_not_tracked(office: Office) -> None:
    with office.database.write(durable=True) as connection:
        number = office.sends.to_subscriber(
            connection,
            account=office.account,
            contact_list=office.list,
            draft=Draft(subject="Confirm", plain="https://a.example/confirm"),
            email="ann@example.org",
            fields={},
        )
    office.work()
    assert part(office.mails()["ann@example.org"], "plain") == "https://a.example/confirm\n"
    job = office.jobs.get(None, number)
    assert job is not None
    assert rows(office) == []


@pytest.mark.parametrize("charset", ["utf-8", "iso-8859-1"])
@pytest.mark.parametrize("filler", ["x", "é", "日本"])
def test_tracked_mails_are_signed_and_encoded_alike(office: Office, charset: str, filler: str) -> None:
    """7bit, quoted-printable and base64; links stand wherever lines are broken."""
    key = Ed25519PrivateKey.generate()
    dkim_key = DkimKey("june", key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    signer = DkimSigner("example.com", [dkim_key])
    options = MailOptions(links=LINKS, stems=STEMS, signer=signer)
    office.sender = SendRunner(office.database, office.mail, office.drafts, options=options)
    for number in range(5):
        office.contact(f"p{number}@example.org")
    html = "\n".join(f'{filler * number}<a href="https://a.example/{number}">x</a>' for number in range(40))
    office.sends.to_members(
        account=office.account,
        login=None,
        contact_list=office.list,
        message=Draft(subject="x", html=html, plain=html, charset=charset),
    )
    office.work()
    contents = [path.read_bytes() for path in office.mail.glob("*.eml")]
    assert len(contents) == 5
    record = signer.records["june._domainkey.example.com"].encode()
    for content in contents:
        assert dkim.verify(content, dnsfunc=lambda *_args, **_more: record)
    shapes = set()
    for mail in office.mails().values():
        shapes.add(tuple((each.get_content_type(), each["Content-Transfer-Encoding"]) for each in mail.iter_parts()))
        text = part(mail, "html")
        found = [match.groups() for match in TRACKED.finditer(text)]
        assert [each[2] for each in found] == [*map(str, range(1, 41)), None, None]
        assert len({each[1] for each in found}) == 1
    assert len(shapes) == 1


def test_positions_stay_through_restarts_and_changes(office: Office) -> None:
    """A mail that is out names a link by its position, whatever the message says later."""
    ticket, _ = sent(office)
    before = rows(office)
    job: Job = office.job(ticket)
    MailBuilder(office.database, job, ticket.message.id, MailOptions(links=LINKS, stems=STEMS))
    assert rows(office) == before
    links = [TrackedLink(*(getattr(row, name) for name in TrackedLink._fields)) for row in before]
    new = replace_url(links[0], "https://a.example/new")
    message = (office.account.id, ticket.message.id)
    assert known_positions(office.database, *message, [links[1], new, links[0]]) == [2, None, 1]
    assert positions(office.database, *message, [links[1], new, links[0], new]) == [2, 3, 1, 4]
    assert positions(office.database, *message, [new, new, links[0]]) == [3, 4, 1]
    assert rows(office)[: len(before)] == before


def replace_url(link: TrackedLink, url: str) -> TrackedLink:
    return link._replace(url=url, target=url)


def test_the_page_in_a_browser_is_the_mail(office: Office) -> None:
    """Its links and pixel count for the mail; a link that no mail had stays as it is."""
    ticket, _ = sent(office, plain="")
    actions = LinkActions(office.database, lambda: LINKS, lambda: STEMS)
    row = office.rows(ticket)[0]
    found = actions.find(row.id)
    assert found is not None
    page = actions.page(row.id, found)
    assert page is not None
    stem = STEMS.make(ticket.message.id, row.id)
    assert [match.groups()[:2] for match in TRACKED.finditer(page[1] or "")] == [
        ("c", stem), ("c", stem), ("o", stem), ("r", stem),
    ]  # fmt: skip
    assert TRACKED.findall(page[2])
    before = rows(office)
    with office.database.write() as connection:
        connection.execute(update(tracked_links).values(url="https://another.example"))
    page = actions.page(row.id, found)
    assert page is not None
    assert page[1] is not None
    assert 'href="https://a.example/1"' in page[1]
    assert len(rows(office)) == len(before)


def test_the_domain_of_the_list(office: Office) -> None:
    """lk-38."""
    settings(office, link_domain="links.shop.example")
    _, mails = sent(office)
    html = part(mails["ann@example.org"], "html")
    assert html.count("https://links.shop.example/c/") == 2
    assert html.count("https://links.shop.example/o/") == 1
    assert TRACKED.search(html) is None
    # Others stay where they were.
    assert str(mails["ann@example.org"]["List-Unsubscribe"]).startswith(f"<{URL}/u/")


@pytest.mark.parametrize(
    ("public_url", "domain", "base"),
    [
        ("https://lists.example/", "", "https://lists.example"),
        ("https://lists.example/soap/", "T.shop.example", "https://t.shop.example/soap"),
        ("http://127.0.0.1:8080", "t.shop.example", "http://t.shop.example:8080"),
        ("http://127.0.0.1:8080", "t.shop.example:81", "http://t.shop.example:81"),
        ("https://lists.example", "https://t.shop.example/", "https://t.shop.example"),
        ("https://lists.example", "no domain", "https://lists.example"),
        ("https://lists.example", 't.shop.example/x"', "https://lists.example"),
    ],
)
def test_where_tracked_links_begin(public_url: str, domain: str, base: str) -> None:
    assert base_of(public_url, domain) == base


@pytest.mark.parametrize("enabled", [True, False])
def test_analytics_of_a_list(office: Office, enabled: bool) -> None:
    """lk-42, lk-103."""
    settings(office, analytics_tags=enabled, tracking_domains=["a.example"])
    office.contact("ann@example.org")
    office.sends.to_members(
        account=office.account,
        login=None,
        contact_list=office.list,
        message=Draft(subject="x", html='<a href="https://a.example/1">x</a>'),
        traits=Traits(extras={"analytics_name": "Spring & more", "analytics_content": "top"}),
    )
    office.work()
    query = "?utm_source=Newsletter&utm_medium=email&utm_campaign=Spring+%26+more&utm_content=top"
    row = rows(office)[0]
    assert (row.url, row.target) == ("https://a.example/1", "https://a.example/1" + query * enabled)


def test_settings_of_a_list(office: Office) -> None:
    settings(office, untracked_domains=["b.example"], track_visible_urls=True)
    html = '<a href="https://www.b.example/">x</a><a href="https://a.example/">https://a.example/</a>'
    sent(office, html=html, plain="-")
    assert [row.url for row in rows(office)] == ["https://a.example/"]


def test_large_messages_may_be_tracked(office: Office) -> None:
    """Addresses grow; what its author wrote is within the limits."""
    link = '<a href="https://a.example/1">x</a>'
    html = link * 1900 + "x" * (550_000 - len(link) * 1900)
    ticket, mails = sent(office, html=html, plain="-")
    assert [row.state for row in office.rows(ticket)] == ["handed"] * 2
    assert len(TRACKED.findall(part(mails["ann@example.org"], "html"))) == 1902


def test_a_retry_of_a_system_mail_is_none_either(office: Office) -> None:
    with office.database.write(durable=True) as connection:
        number = office.sends.to_subscriber(
            connection,
            account=office.account,
            contact_list=office.list,
            draft=Draft(subject="Confirm", plain="https://a.example/confirm"),
            email="ann@example.org",
            fields={},
        )
    office.work()
    job = office.jobs.get(None, number)
    assert job is not None
    retry = office.sends.to_failed(account=office.account, login=None, job=job)
    assert retry is not None
    office.work()
    assert rows(office) == []
