"""Bounces by REST: the mail as it came in, taken once (RFC 3464)."""

from __future__ import annotations

import pytest
from tests.api.conftest import Client
from tests.sending.conftest import Office, office
from tests.tracking.reports import VERP, block, report
from tests.tracking.test_incoming_mails import Post

from soapstone.accounts.account import Account, Accounts, Login
from soapstone.product import Product

__all__ = ["office"]

MAIL = {"Content-Type": "message/rfc822"}
PATH = "/incoming"


@pytest.fixture
def post(office: Office) -> Post:
    return Post(office)


def test_a_bounce_is_taken_once(client: Client, product: Product, post: Post) -> None:
    (row,) = post.send("ann@receiver.example")
    address = f"b+{product.stems.make(row.message_id, row.id)}@bounce.example.com"
    raw = report(block(row.email, status="5.1.1"), to="news@example.com")
    expected = {"mails": [{"kind": "bounce", "outcome": "recorded", "delivery_id": row.id}]}
    for _ in range(2):
        answer = client().post(PATH, content=raw, headers=MAIL, params={"recipient": address})
        assert (answer.status_code, answer.json()) == (200, expected)
    assert post.state(row) == "bounced"
    assert post.figures(row).bounced == 1


def test_the_mail_tells_its_recipient_and_may_be_large(client: Client, product: Product, post: Post) -> None:
    (row,) = post.send("ann@receiver.example")
    address = f"b+{product.stems.make(row.message_id, row.id)}@bounce.example.com"
    raw = report(block(row.email, status="5.1.1"), to=address) + b"x" * (3 << 20)
    answer = client().post(PATH, content=raw, headers=MAIL)
    assert answer.json()["mails"][0]["outcome"] == "recorded"


def test_mails_of_other_accounts_do_not_exist(
    client: Client, product: Product, post: Post, account: Account, login: Login
) -> None:
    (row,) = post.send("ann@receiver.example")
    address = f"b+{product.stems.make(row.message_id, row.id)}@bounce.example.com"
    other = Accounts(product.database).create("OTHER", time_zone="UTC")
    product.accounts.add_login(other, "eve", "long secret")
    raw = report(block(row.email, status="5.1.1"), to=address)
    answer = client(("eve", "long secret")).post(PATH, content=raw, headers=MAIL)
    assert answer.json() == {"mails": [{"kind": "bounce", "outcome": "not_sent", "delivery_id": None}]}
    assert post.state(row) == "handed"
    # What another account was told does not hide it from its own.
    assert client().post(PATH, content=raw, headers=MAIL).json()["mails"][0]["outcome"] == "recorded"


def test_refusals(client: Client, product: Product, account: Account, login: Login) -> None:
    raw = report(block(), to=VERP)
    assert client().post(PATH, content=raw, headers={"Content-Type": "text/plain"}).status_code == 415
    assert client().post(PATH, content=raw, headers=MAIL, params={"recipient": ["x@y.example"] * 11}).status_code == 422
    product.accounts.add_login(account, "bob", "long secret", lists=[])
    assert client(("bob", "long secret")).post(PATH, content=raw, headers=MAIL).status_code == 403
    answer = client().post(PATH, content=raw, headers=MAIL)
    assert answer.json() == {"mails": [{"kind": "bounce", "outcome": "unsigned", "delivery_id": None}]}
    assert client().post(PATH, content=b"", headers=MAIL).json()["mails"][0]["outcome"] == "unsigned"
