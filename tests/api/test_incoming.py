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


@pytest.mark.parametrize("media", ["message/rfc822", "application/octet-stream"])
def test_the_mail_tells_its_recipient_and_may_be_large(
    client: Client, product: Product, post: Post, media: str
) -> None:
    (row,) = post.send("ann@receiver.example")
    address = f"b+{product.stems.make(row.message_id, row.id)}@bounce.example.com"
    raw = report(block(row.email, status="5.1.1"), to=address) + b"x" * (3 << 20)
    answer = client().post(PATH, content=raw, headers={"Content-Type": media})
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


def test_what_was_made_of_each_mail(client: Client, product: Product, post: Post) -> None:
    (row,) = post.send("ann@receiver.example")
    address = f"b+{product.stems.make(row.message_id, row.id)}@bounce.example.com"
    bounce = report(block(row.email, status="5.1.1"), to=address)
    note = b"Subject: Away\n\nI am away.\n"
    for raw in (bounce, note):
        assert client().post(PATH, content=raw, headers=MAIL).status_code == 200
    recorded, unsigned = client().get(PATH).json()["items"]
    assert (recorded["kind"], recorded["outcome"], recorded["delivery_id"]) == ("bounce", "recorded", row.id)
    assert (recorded["source"], recorded["address"], recorded["code"]) == ("rest", row.email, "5.1.1")
    assert (unsigned["outcome"], unsigned["delivery_id"]) == ("unsigned", None)
    # Of what was recorded nothing more is kept.
    assert (recorded["has_content"], unsigned["has_content"]) == (False, True)
    assert client().get(f"{PATH}/{recorded['id']}/content").status_code == 404
    kept = client().get(f"{PATH}/{unsigned['id']}/content")
    assert (kept.headers["content-type"], kept.content) == ("application/octet-stream", note)
    assert kept.headers["content-disposition"].startswith("attachment;")
    assert client().get(PATH, params={"outcome": "recorded"}).json()["items"] == [recorded]
    page = client().get(PATH, params={"limit": 1}).json()
    assert client().get(PATH, params={"limit": 1, "cursor": page["next"]}).json()["items"] == [unsigned]


def test_mails_that_came_to_other_accounts_are_not_shown(client: Client, product: Product, post: Post) -> None:
    other = Accounts(product.database).create("OTHER", time_zone="UTC")
    product.accounts.add_login(other, "eve", "long secret")
    assert client().post(PATH, content=b"A note.", headers=MAIL).status_code == 200
    # A mail without a signature that came another way belongs to no account.
    product.incoming_mails.take(b"Another note.", source="lmtp")
    (mine,) = client().get(PATH).json()["items"]
    eve = client(("eve", "long secret"))
    assert eve.get(PATH).json()["items"] == []
    assert eve.get(f"{PATH}/{mine['id']}/content").status_code == 404
    assert [each.source for each in product.incoming_records.after(None)] == ["rest", "lmtp"]
