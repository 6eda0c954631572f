"""Mail events over the REST API: each once, in the order in which they were recorded, while others come in."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from sqlalchemy import select
from tests.api.conftest import Client
from tests.api.tracked import mails, new_list, new_message, product, send

from soapstone.accounts.account import Account
from soapstone.product import Product
from soapstone.sending.simulator import DOMAIN, RETURNED
from soapstone.store.tables import mail_events, memberships
from soapstone.tracking.recording import Act, AnonymousAct, record_acts
from soapstone.vocabulary.tracking import MailEventKind

__all__ = ["product"]

Follow = Callable[[], list[dict[str, Any]]]
CLICK, OPEN = MailEventKind.CLICK, MailEventKind.OPEN


def click(product: Product, *numbers: int) -> None:
    with product.database.write() as connection:
        record_acts(connection, [Act(kind=CLICK, delivery_id=number) for number in numbers])


def following(api: httpx.Client, path: str, chance: random.Random, **query: Any) -> Follow:
    """Returns what came since the last time, in pages of any size."""
    place: dict[str, str] = {}

    def more() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        while True:
            answer = api.get(path, params={**query, **place, "limit": chance.randint(1, 4)})
            assert answer.status_code == 200, answer.text
            page = answer.json()
            found += page["items"]
            # Behind a page that has more, both cursors lead to the same place.
            assert page["next"] in (None, page["resume"])
            place["cursor"] = page["resume"]
            if page["next"] is None:
                return found

    return more


@pytest.fixture
def sent(api: httpx.Client, product: Product) -> dict[str, Any]:
    """A send to five people, without an act."""
    list_id = new_list(api, *(f"person{number}" for number in range(5)))
    return send(api, product, new_message(api, list_id), {"kind": "list", "list_id": list_id})


def test_no_event_is_missed_and_none_repeated(api: httpx.Client, product: Product, sent: dict[str, Any]) -> None:
    chance = random.Random(1)
    numbers = list(mails(product, sent["id"]).values())
    paths = (f"/messages/{sent['message_id']}/events", f"/sends/{sent['id']}/events", "/events")
    follows = [following(api, path, chance, kind="click") for path in paths]
    clicked: list[int] = []
    seen: list[list[int]] = [[], [], []]
    for _ in range(25):
        some = chance.choices(numbers, k=chance.randint(0, 6))
        click(product, *some)
        clicked += some
        for index in chance.sample(range(3), k=chance.randint(0, 3)):
            seen[index] += [each["recipient_id"] for each in follows[index]()]
            assert seen[index] == clicked
    for index in range(3):
        seen[index] += [each["recipient_id"] for each in follows[index]()]
    assert seen == [clicked] * 3


def test_events_that_several_processes_record(api: httpx.Client, product: Product, sent: dict[str, Any]) -> None:
    """A reader that looks all the time gets each event once, in the order of the numbers."""
    numbers = list(mails(product, sent["id"]).values())
    follow = following(api, "/events", random.Random(2), kind="click")

    def write() -> None:
        for number in numbers * 3:
            click(product, number)

    writers = [threading.Thread(target=write) for _ in range(3)]
    for writer in writers:
        writer.start()
    seen = []
    while any(writer.is_alive() for writer in writers):
        seen += follow()
    for writer in writers:
        writer.join()
    seen += follow()
    event = mail_events.c
    with product.database.read() as connection:
        query = select(event.delivery_id).where(event.kind == "click").order_by(event.account_number)
        assert [each["recipient_id"] for each in seen] == list(connection.execute(query).scalars())
    assert len(seen) == 45


def test_what_an_event_tells(api: httpx.Client, product: Product, account: Account) -> None:
    list_id = new_list(api, "bounces", "clicks")
    url = "https://example.com/?to={{ Email }}&x=<1>"
    message = new_message(api, list_id, url)
    made = send(api, product, message, {"kind": "list", "list_id": list_id})
    number = mails(product, made["id"])
    click(product, number["clicks"])
    path = f"/sends/{made['id']}/events"
    (link,) = api.get(f"/messages/{message}/links").json()["items"]
    first, second = api.get(path, params={"kind": "click"}).json()["items"]
    (person,) = [
        each["contact_id"]
        for each in api.get(f"/sends/{made['id']}/recipients").json()["items"]
        if each["id"] == number["clicks"]
    ]
    common = {"kind": "click", "message_id": made["message_id"], "send_id": made["id"], "test": False, "bounce": None}
    common |= {"recipient_id": number["clicks"], "contact_id": person, "email": f"clicks@{DOMAIN}"}
    assert first == common | {"at": first["at"], "first": True, "link_id": link["id"], "url": url}
    assert second == common | {"at": second["at"], "first": False, "link_id": None, "url": None}
    (bounced,) = api.get(path, params={"kind": "bounce"}).json()["items"]
    assert bounced["bounce"] == {
        "at": bounced["at"],
        "class": "user",
        "reason": "Invalid Address",
        "code": "5.1.1",
        "words": RETURNED,
        "hard": True,
        "bounces": 1,
    }
    back = api.get(f"/sends/{made['id']}/bounces").json()
    assert back["items"] == [
        {name: bounced[name] for name in ("recipient_id", "contact_id", "email", "bounce")},
    ]
    # Without a person there is no recipient.
    with product.database.write() as connection:
        values = {"account_id": account.id, "message_id": made["message_id"], "job_id": made["id"], "is_test": False}
        record_acts(connection, [AnonymousAct(kind=OPEN, **values)])
    *_, last = api.get(path, params={"kind": "open"}).json()["items"]
    assert (last["recipient_id"], last["contact_id"], last["email"], last["first"]) == (None, None, "", False)
    assert [each["recipient_id"] for each in api.get("/events", params={"kind": "open"}).json()["items"]] == [
        number["clicks"]
    ]


def test_recipients_have_what_became_of_their_mails(api: httpx.Client, product: Product) -> None:
    list_id = new_list(api, "bounces", "clicks", "opens", "refused", "somebody")
    message = new_message(api, list_id, "https://example.com/")
    made = send(api, product, message, {"kind": "list", "list_id": list_id})
    found = {
        each["email"].partition("@")[0]: each for each in api.get(f"/sends/{made['id']}/recipients").json()["items"]
    }
    told = {
        name: (
            each["state"],
            each["opened_at"] is not None,
            each["read_at"] is not None,
            each["clicked_at"] is not None,
            each["opens"],
            each["clicks"],
            each["bounce"] and each["bounce"]["words"],
        )
        for name, each in found.items()
    }
    refusal = "550 5.1.1 Recipient address rejected: user unknown"
    assert told == {
        "bounces": ("bounced", False, False, False, 0, 0, RETURNED),
        "clicks": ("handed", True, True, True, 1, 1, None),
        "opens": ("handed", True, False, False, 1, 0, None),
        "refused": ("failed", False, False, False, 0, 0, refusal),
        "somebody": ("handed", False, False, False, 0, 0, None),
    }


def test_test_sends_have_events_of_their_own(api: httpx.Client, product: Product) -> None:
    list_id = new_list(api)
    message = new_message(api, list_id)
    to = {"kind": "addresses", "list_id": list_id, "emails": [f"opens@{DOMAIN}"], "test": True}
    made = send(api, product, message, to)
    (seen,) = api.get(f"/sends/{made['id']}/events", params={"kind": "open"}).json()["items"]
    assert seen["test"] is True
    path = f"/messages/{made['message_id']}/events"
    assert api.get(path, params={"kind": "open", "tests": True}).json()["items"] == [seen]
    for other in (path, "/events"):
        assert api.get(other, params={"kind": "open"}).json()["items"] == []


def test_a_message_that_was_sent_by_copies_has_no_feed(api: httpx.Client, sent: dict[str, Any]) -> None:
    refused = api.get(f"/messages/{sent['source_id']}/events", params={"kind": "sent"})
    assert (refused.status_code, refused.json()["detail"]) == (
        409,
        "Sends made copies of this message. Ask for the events of each send.",
    )


def test_what_cannot_be_asked(api: httpx.Client, sent: dict[str, Any]) -> None:
    path = f"/sends/{sent['id']}/events"
    assert api.get(path).status_code == 422
    assert api.get(path, params={"kind": "loved"}).status_code == 422
    assert api.get(path, params={"kind": "open", "cursor": "zzz"}).status_code == 400
    assert api.get("/sends/999999/events", params={"kind": "open"}).status_code == 404
    assert api.get("/sends/999999/bounces").status_code == 404
    # A page without events has a place all the same.
    empty = api.get(path, params={"kind": "open"}).json()
    assert (empty["items"], empty["next"]) == ([], None)
    assert api.get(path, params={"kind": "open", "cursor": empty["resume"]}).json() == empty


@pytest.fixture
def cat(client: Client, product: Product, account: Account) -> Callable[..., httpx.Client]:
    """Makes a login that sees some lists only."""

    def make(*lists: int) -> httpx.Client:
        product.accounts.add_login(account, "cat", "long secret")
        product.accounts.permit(account, "cat", lists=list(lists), all_lists=False)
        return client(("cat", "long secret"))

    return make


def test_a_login_sees_events_of_its_lists(
    api: httpx.Client, product: Product, cat: Callable[..., httpx.Client]
) -> None:
    mine, hidden = new_list(api, "opens"), new_list(api, "opens+2")
    seen = send(api, product, new_message(api, mine), {"kind": "list", "list_id": mine})
    unseen = send(api, product, new_message(api, hidden), {"kind": "list", "list_id": hidden})
    reader = cat(mine)
    opens = {"kind": "open"}
    assert reader.get("/events", params=opens).status_code == 403
    assert reader.get("/events", params=opens | {"list_id": hidden}).status_code == 404
    for path in (
        f"/sends/{unseen['id']}/events?kind=open",
        f"/sends/{unseen['id']}/bounces",
        f"/messages/{unseen['message_id']}/events?kind=open",
    ):
        assert reader.get(path).status_code == 404
    found = [
        reader.get(path, params=query).json()["items"]
        for path, query in (
            ("/events", opens | {"list_id": mine}),
            (f"/messages/{seen['message_id']}/events", opens),
            (f"/sends/{seen['id']}/events", opens),
        )
    ]
    assert found[0] == found[1] == found[2]
    assert [each["email"] for each in found[0]] == [f"opens@{DOMAIN}"]
    assert found[0][0]["contact_id"] is not None


def test_a_login_gets_no_number_of_a_person_that_left_its_list(
    api: httpx.Client, product: Product, account: Account, cat: Callable[..., httpx.Client]
) -> None:
    mine = new_list(api, "opens")
    made = send(api, product, new_message(api, mine), {"kind": "list", "list_id": mine})
    (event,) = api.get(f"/sends/{made['id']}/events?kind=open").json()["items"]
    with product.database.write() as connection:
        connection.execute(memberships.delete().where(memberships.c.contact_id == event["contact_id"]))
    (seen,) = cat(mine).get(f"/sends/{made['id']}/events?kind=open").json()["items"]
    assert seen == event | {"contact_id": None}
