"""Figures of sends, messages and links over the REST API: what happened, each thing once."""

from __future__ import annotations

from typing import Any

import httpx
from tests.api.conftest import Client
from tests.api.tracked import mails, new_list, new_message, product, send, work

from soapstone.accounts.account import Account
from soapstone.contacts.changes import Cause
from soapstone.product import Product
from soapstone.sending.simulator import DOMAIN
from soapstone.sending.supplied_file import FileForm
from soapstone.tracking.recording import Act, record_acts
from soapstone.vocabulary.tracking import MailEventKind

__all__ = ["product"]

EVERYBODY = ("bounces", "clicks", "complains", "opens", "reads", "refused", "somebody")
NOTHING: dict[str, Any] = dict.fromkeys(
    (
        "sent",
        "delivered",
        "bounced",
        "opens",
        "openers",
        "readers",
        "clicks",
        "clickers",
        "repeat_clickers",
        "departures",
        "complaints",
        "machine_opens",
        "machine_clicks",
    ),
    0,
)
HAPPENED = NOTHING | {
    "sent": 7,
    "delivered": 5,
    "bounced": 2,
    "opens": 3,
    "openers": 3,
    "readers": 2,
    "clicks": 1,
    "clickers": 1,
    "departures": 1,
}


def act(product: Product, kind: MailEventKind, *numbers: int) -> None:
    with product.database.write() as connection:
        record_acts(connection, [Act(kind=kind, delivery_id=number) for number in numbers])


def summed(*found: dict[str, Any]) -> dict[str, int]:
    return {name: sum(each[name] for each in found) for name in NOTHING}


def test_a_message_has_the_sums_of_its_sends(api: httpx.Client, product: Product) -> None:
    list_id, other = new_list(api, *EVERYBODY), new_list(api, "opens+2")
    message = new_message(api, list_id, "https://example.com/1")
    first = send(api, product, message, {"kind": "list", "list_id": list_id})
    of_first = api.get(f"/sends/{first['id']}/figures").json()
    # The complaint of the simulator is a departure; its figure comes with the reports of providers.
    assert of_first == HAPPENED | {"send_id": first["id"]} | {"complaints": of_first["complaints"]}
    second = send(api, product, message, {"kind": "list", "list_id": other})
    of_second = api.get(f"/sends/{second['id']}/figures").json()
    assert of_second == NOTHING | {"send_id": second["id"], "sent": 1, "delivered": 1, "opens": 1, "openers": 1}
    send(
        api,
        product,
        message,
        {"kind": "addresses", "list_id": other, "emails": [f"opens@{DOMAIN}"], "test": True},
    )
    number = mails(product, first["id"])
    act(product, MailEventKind.MACHINE_CLICK, number["somebody"])
    act(product, MailEventKind.CLICK, number["clicks"], number["clicks"])
    of_first |= {"clicks": 3, "repeat_clickers": 1, "machine_clicks": 1}
    found = api.get(f"/messages/{message}/figures").json()
    assert found.pop("sends") == [of_first, of_second]
    assert found == summed(of_first, of_second)
    # What was sent has its own: the copy of each send.
    copy = api.get(f"/messages/{first['message_id']}/figures").json()
    assert copy.pop("sends") == [of_first]
    assert copy == summed(of_first)


def test_sends_that_retry_belong_to_the_message(api: httpx.Client, product: Product) -> None:
    list_id = new_list(api, "refused", "somebody")
    message = new_message(api, list_id)
    made = send(api, product, message, {"kind": "list", "list_id": list_id})
    (again,) = api.post(f"/sends/{made['id']}/retry").json()["sends"]
    work(product)
    found = api.get(f"/messages/{message}/figures").json()
    assert [each["send_id"] for each in found["sends"]] == [made["id"], again["id"]]
    assert (found["sent"], found["bounced"], found["delivered"]) == (3, 2, 1)


def test_departures_are_people_and_stay_when_they_are_erased(
    api: httpx.Client, product: Product, account: Account
) -> None:
    list_id = new_list(api, "ann", "bob", "cat")
    message = new_message(api, list_id)
    made = send(api, product, message, {"kind": "list", "list_id": list_id})
    people = {
        each["email"].partition("@")[0]: each["contact_id"]
        for each in api.get(f"/sends/{made['id']}/recipients").json()["items"]
    }
    cause = Cause(message_id=made["message_id"])
    for name in ("ann", "bob"):
        for _ in range(2):
            product.unsubscribes.add(account, people[name], list_id=list_id, cause=cause)
    # A person that another message made leave.
    product.unsubscribes.add(account, people["cat"], list_id=list_id, cause=Cause(message_id=message))

    def departures() -> tuple[int, int, int]:
        of_send = api.get(f"/sends/{made['id']}/figures").json()["departures"]
        of_copy = api.get(f"/messages/{made['message_id']}/figures").json()["departures"]
        return of_send, of_copy, api.get(f"/messages/{message}/figures").json()["departures"]

    assert departures() == (2, 2, 2)
    assert api.delete(f"/contacts/{people['ann']}").status_code == 204
    assert departures() == (2, 2, 2)


def test_a_recipient_of_a_file_may_leave(api: httpx.Client, product: Product, account: Account) -> None:
    """The ledger has no number for such a person, who is a contact since."""
    list_id = new_list(api)
    message = product.messages.get(account.id, new_message(api, list_id))
    contact_list = product.lists.get(account.id, list_id)
    assert message is not None
    assert contact_list is not None
    upload = product.blobs.new()
    upload.write(b"Email\nzoe@example.com\n")
    upload.close()
    ticket = product.sends.to_file(
        account=account,
        login=None,
        contact_list=contact_list,
        message=message,
        upload=upload,
        file=FileForm(name="people.csv"),
        unsubscribe="none",
    )
    work(product)
    person = product.contacts.add(account, {"email": "zoe@example.com"}, [list_id])
    product.unsubscribes.add(account, person, list_id=list_id, cause=Cause(message_id=ticket.message.id))
    assert api.get(f"/sends/{ticket.job.id}/figures").json()["departures"] == 1
    assert api.get(f"/messages/{message.id}/figures").json()["departures"] == 1


def test_links_of_a_message(api: httpx.Client, product: Product) -> None:
    list_id = new_list(api, "clicks", "clicks+2")
    urls = ("https://example.com/1", "https://example.com/<2>")
    message = new_message(api, list_id, *urls)
    sends = [send(api, product, message, {"kind": "list", "list_id": list_id}) for _ in range(2)]
    found = api.get(f"/messages/{message}/links").json()
    assert found["next"] is None
    assert [
        (each["message_id"], each["position"], each["url"], each["clicks"], each["clickers"], each["machine_clicks"])
        for each in found["items"]
    ] == [
        (made["message_id"], 1 + index, url, 2 - 2 * index, 2 - 2 * index, 0)
        for made in sends
        for index, url in enumerate(urls)
    ]
    pages = []
    cursor = None
    while True:
        page = api.get(
            f"/messages/{message}/links", params={"limit": 3, **({"cursor": cursor} if cursor else {})}
        ).json()
        pages += page["items"]
        if (cursor := page["next"]) is None:
            break
    assert pages == found["items"]
    own = api.get(f"/messages/{sends[0]['message_id']}/links").json()["items"]
    assert own == found["items"][:2]


def test_a_login_sees_figures_of_its_lists(
    api: httpx.Client, client: Client, product: Product, account: Account
) -> None:
    mine, hidden = new_list(api, "opens"), new_list(api, "opens+2", "opens+3")
    message = new_message(api, mine, "https://example.com/1")
    seen = send(api, product, message, {"kind": "list", "list_id": mine})
    unseen = send(api, product, message, {"kind": "list", "list_id": hidden})
    of_hidden = new_message(api, hidden)
    product.accounts.add_login(account, "cat", "long secret")
    product.accounts.permit(account, "cat", lists=[mine], all_lists=False)
    cat = client(("cat", "long secret"))
    found = cat.get(f"/messages/{message}/figures").json()
    assert [each["send_id"] for each in found["sends"]] == [seen["id"]]
    assert (found["sent"], found["opens"]) == (1, 1)
    links = cat.get(f"/messages/{message}/links").json()["items"]
    assert [(each["url"], each["message_id"]) for each in links] == [("https://example.com/1", seen["message_id"])]
    for path in (
        f"/messages/{of_hidden}/figures",
        f"/messages/{of_hidden}/links",
        f"/messages/{unseen['message_id']}/figures",
        f"/sends/{unseen['id']}/figures",
        "/messages/999999/figures",
    ):
        assert cat.get(path).status_code == 404, path
