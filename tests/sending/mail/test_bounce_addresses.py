"""Each mail has a signed address to which it comes back (lk-37), and says where complaints go (RFC 9477)."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import update
from tests.sending.conftest import Office, parse
from tests.sending.mail.test_dkim import BOTH, tags, verdicts

from soapstone.accounts.link_keys import LinkKeys
from soapstone.sending.mail.bounce_addresses import BounceAddresses
from soapstone.sending.mail.builder import MailBuilder, MailOptions
from soapstone.sending.send_records import SendTicket
from soapstone.sending.smtp.connection import Envelope
from soapstone.store.tables import lists
from soapstone.tracking.stems import Stem, Stems

STEMS = Stems(LinkKeys.single("key"))
ADDRESSES = BounceAddresses(STEMS, "bounces.example.com")


def built(
    office: Office, policy: int | None, options: MailOptions | None = None, **parts: str
) -> tuple[SendTicket, Any, Envelope]:
    """The only mail of a send to a list with this policy: its row, and the mail in its envelope."""
    if policy is not None:
        with office.database.write() as connection:
            settings = dict(office.list.settings) | {"bounce_handling": policy}
            connection.execute(update(lists).where(lists.c.id == office.list.id).values(settings=settings))
    office.contact("ann@example.org")
    ticket = office.to_list(**parts)
    office.work()
    builder = MailBuilder(
        office.database, office.job(ticket), ticket.message.id, options or MailOptions(signer=BOTH, bounces=ADDRESSES)
    )
    row = builder.one(office.rows(ticket)[0].id)
    assert row is not None
    return ticket, row, builder.envelope(row)


@pytest.mark.parametrize("policy", [None, 1])
def test_the_envelope_has_the_signed_address(office: Office, policy: int | None) -> None:
    """lk-37"""
    ticket, row, mail = built(office, policy)
    local, _, domain = mail.mail_from.decode().partition("@")
    assert domain == "bounces.example.com"
    assert local.startswith("b+")
    assert len(local) == 34
    assert STEMS.read(local[2:].upper()) == Stem(ticket.message.id, row.id)
    assert parse(mail.content)["From"] == "Ann <ann@example.com>"


def test_lists_that_leave_bounces_alone(office: Office) -> None:
    """lk-37"""
    _, _, mail = built(office, 0)
    assert mail.mail_from == b"ann@example.com"
    assert parse(mail.content)["CFBL-Address"] == "fbl@bounces.example.com; report=arf"


def test_another_separator(office: Office) -> None:
    options = MailOptions(bounces=BounceAddresses(STEMS, "bounces.example.com", "-"))
    _, _, mail = built(office, 1, options)
    assert mail.mail_from.startswith(b"b-")


def test_aggressive_handling(office: Office) -> None:
    """lk-37: answers still reach the author."""
    ticket, row, mail = built(office, 2)
    content = parse(mail.content)
    stem = STEMS.make(ticket.message.id, row.id)
    assert content["From"].addresses[0].addr_spec == f"{stem}@bounces.example.com"
    assert content["From"].addresses[0].display_name == "Ann"
    assert content["Reply-To"] == "ann@example.com"
    assert content["Message-ID"].endswith("@example.com>")
    assert mail.mail_from.decode() == f"b+{stem}@bounces.example.com"
    assert verdicts(mail.content) == [True, True]


def test_aggressive_handling_takes_one_organization(office: Office, caplog: pytest.LogCaptureFixture) -> None:
    """lk-37: else DMARC would fail."""
    _, _, mail = built(office, 2, MailOptions(bounces=BounceAddresses(STEMS, "bounces.example.net")))
    assert parse(mail.content)["From"] == "Ann <ann@example.com>"
    assert mail.mail_from.startswith(b"b+")
    assert any("not of one organization" in each.getMessage() for each in caplog.records)


def test_where_complaints_go_is_signed(office: Office) -> None:
    """RFC 9477 3.1"""
    ticket, row, mail = built(office, 1)
    content = parse(mail.content)
    assert content["CFBL-Address"] == "fbl@bounces.example.com; report=arf"
    assert content["CFBL-Feedback-ID"] == STEMS.make(ticket.message.id, row.id)
    assert content["Feedback-ID"] == (
        f"send-{ticket.job.id}:list-{office.list.id}:account-{office.account.id}:soapstone"
    )
    assert verdicts(mail.content) == [True, True]
    for found in tags(mail.content):
        assert {"cfbl-address", "cfbl-feedback-id", "feedback-id"} <= set(found["h"].split(":"))


@pytest.mark.parametrize(
    "options",
    [
        MailOptions(bounces=ADDRESSES),
        MailOptions(signer=BOTH),
        MailOptions(signer=BOTH, bounces=BounceAddresses(STEMS, "example.net")),
    ],
    ids=["unsigned", "no bounce domain", "another domain"],
)
def test_nobody_would_believe_it(office: Office, options: MailOptions) -> None:
    """RFC 9477 3.1: the signature must be of the address's domain."""
    _, _, mail = built(office, 1, options)
    assert b"CFBL" not in mail.content
    assert b"Feedback-ID" not in mail.content


@pytest.mark.parametrize(
    ("theirs", "aligned"),
    [
        ("a@bounces.example.com", True),
        ("a@example.com", True),
        ("a@x.bounces.example.com", True),
        ("a@Example.COM", True),
        ("a@other.example.com", False),
        ("a@badexample.com", False),
        ("a@example.net", False),
    ],
)
def test_alignment(theirs: str, aligned: bool) -> None:
    assert ADDRESSES.is_aligned(theirs) is aligned
